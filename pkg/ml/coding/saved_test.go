package coding

import (
	"hash/crc32"
	"slices"
	"testing"

	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
)

// Files of the first format must load for ever, of models and of what they encoded.
func TestSavedModelsOfFormat1(t *testing.T) {
	mltest.Saved[Static](t, "testdata/static-format1.zip")
	mltest.Saved[NGramModel](t, "testdata/ngram-format1.zip")
	mltest.Saved[PicturesModel](t, "testdata/pictures-format1.zip")

	const rhyme = "the cat sat on the mat and the rat sat on the cat. "
	text := Bytes(rhyme + rhyme)
	ngram := mltest.Stays(t, "testdata/ngram-trained1.zip", func() (*NGramModel, error) { return NGram{Order: 3}.Fit(t.Context(), text) }, func(m *NGramModel) ([]float64, error) {
		bits, err := CrossEntropy(t.Context(), m, text)
		return []float64{bits}, err
	})
	x := mat.NewDense(20, 12, nil) // stripes of no random numbers
	x.Apply(func(i, j int, _ float64) float64 { return float64((i*i + 3*i*j + j) / 2 % 3) }, x)
	var pixels []int
	for _, v := range x.RawMatrix().Data {
		pixels = append(pixels, int(v))
	}
	pictures := mltest.Stays(t, "testdata/pictures-trained1.zip", func() (*PicturesModel, error) {
		return Pictures{Height: 3, Width: 4, Levels: 3, Neighbors: 4}.Fit(t.Context(), x)
	}, func(m *PicturesModel) ([]float64, error) {
		bits, err := CrossEntropy(t.Context(), m, pixels)
		return []float64{bits}, err
	})
	for name, c := range map[string]struct {
		m       Model
		symbols []int
		want    uint32 // checksum of the code, but for its last four bytes, which are one already
	}{"NGram": {ngram, text, 0x5644f93f}, "Pictures": {pictures, pixels, 0x1b5ed978}} {
		data, err := Arithmetic{}.Encode(t.Context(), c.m, c.symbols)
		if err != nil {
			t.Fatal(err)
		}
		if got := crc32.ChecksumIEEE(data[:len(data)-4]); got != c.want {
			t.Errorf("%s: the code has the checksum %#x, and had %#x", name, got, c.want)
		}
		if back, err := (Arithmetic{}).Decode(t.Context(), c.m, data); err != nil || !slices.Equal(back, c.symbols) {
			t.Errorf("%s: other symbols came back (%v)", name, err)
		}
	}
}
