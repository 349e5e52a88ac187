package coding

import (
	"testing"

	"github.com/golatent/latent/pkg/ml/mltest"
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
	x := mltest.Stripes(20, 12, 3)
	pixels := mltest.Integers(x)
	pictures := mltest.Stays(t, "testdata/pictures-trained1.zip", func() (*PicturesModel, error) {
		return Pictures{Height: 3, Width: 4, Levels: 3, Neighbors: 4}.Fit(t.Context(), x)
	}, func(m *PicturesModel) ([]float64, error) {
		bits, err := CrossEntropy(t.Context(), m, pixels)
		return []float64{bits}, err
	})
	for name, c := range map[string]struct {
		m       Model
		symbols []int
		want    uint32
	}{"NGram": {ngram, text, 0x5644f93f}, "Pictures": {pictures, pixels, 0x1b5ed978}} {
		mltest.Encodes(t, name, c.symbols, c.want, func(symbols []int) ([]byte, error) { return Arithmetic{}.Encode(t.Context(), c.m, symbols) },
			func(data []byte) ([]int, error) { return Arithmetic{}.Decode(t.Context(), c.m, data) })
	}
}
