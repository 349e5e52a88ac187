package mltest

import (
	"errors"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// caught fails the test where err is not there, or does not say what.
func caught(t *testing.T, err error, what string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), what) {
		t.Errorf("the error is %v, and should say %q", err, what)
	}
}

// A file of other values, one that is missing and one that is cut off are caught; and no file is
// written unasked.
func TestSavedCatchesOtherFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sign.zip")
	caught(t, saved[signModel](path), "sign.zip")
	t.Setenv("LATENT_WRITE_TESTDATA", "yes")
	if err := saved[signModel](path); err != nil {
		t.Fatal(err)
	}
	t.Setenv("LATENT_WRITE_TESTDATA", "")
	if err := saved[signModel](path); err != nil {
		t.Error(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:len(data)/2], 0o644); err != nil {
		t.Fatal(err)
	}
	caught(t, saved[signModel](path), "sign.zip")
	if err := ml.Save(path, &signModel{Labels: []int{1}, Mean: mat.NewDense(1, 1, nil)}); err != nil {
		t.Fatal(err)
	}
	caught(t, saved[signModel](path), "want")
}

// A model that says something else than it did is caught, number by number: another value, another
// number of them, none, a NaN, an error.
func TestStaysCatchesWhatChanged(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sign.zip")
	train := func() (*signModel, error) { return &signModel{Mean: mat.NewDense(1, 1, []float64{2}), Score: 1}, nil }
	says := func(m *signModel) ([]float64, error) { return []float64{m.Score, m.Mean.At(0, 0)}, nil }
	saying := func(v ...float64) func(*signModel) ([]float64, error) {
		return func(*signModel) ([]float64, error) { return v, nil }
	}
	broken := errors.New("on purpose")
	_, err := stays(path, train, says)
	caught(t, err, "sign.zip")
	t.Setenv("LATENT_WRITE_TESTDATA", "yes")
	_, err = stays(path, func() (*signModel, error) { return nil, broken }, says)
	caught(t, err, "on purpose")
	if m, err := stays(path, train, says); err != nil || m.Score != 1 {
		t.Fatalf("%+v, %v", m, err)
	}
	train = func() (*signModel, error) { t.Error("a file that is there is not made again"); return nil, broken }
	if m, err := stays(path, train, saying(1+1e-5, 2)); err != nil || m == nil {
		t.Errorf("the rounding of a backend is allowed for: %v", err)
	}
	for _, c := range []struct {
		says func(*signModel) ([]float64, error)
		what string
	}{
		{saying(1, 2.001), "number 1 is 2.001, and was 2"}, {saying(math.NaN(), 2), "number 0 is NaN"}, {saying(1), "1 numbers, and said 2"}, {saying(), "0 numbers, and said 2"},
		{func(*signModel) ([]float64, error) { return nil, broken }, "on purpose"},
	} {
		_, err := stays(path, train, c.says)
		caught(t, err, c.what)
	}
	numbers := strings.TrimSuffix(path, ".zip") + ".json"
	for content, what := range map[string]string{"[]": "said 0", "[1, ": "sign.json"} {
		if err := os.WriteFile(numbers, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := stays(path, train, says)
		caught(t, err, what)
	}
}

// A code of other bytes, of too few, symbols that come back changed, and a coder's errors are
// caught.
func TestEncodesCatchesWhatChanged(t *testing.T) {
	symbols, code := []int{3, 1, 2}, []byte{7, 7, 1, 2, 3, 4}
	want := crc32.ChecksumIEEE(code[:2])
	encode := func([]int) ([]byte, error) { return code, nil }
	decode := func([]byte) ([]int, error) { return slices.Clone(symbols), nil }
	broken := errors.New("on purpose")
	if err := encodes(symbols, want, encode, decode); err != nil {
		t.Error(err)
	}
	caught(t, encodes(symbols, want+1, encode, decode), "checksum")
	caught(t, encodes(symbols, want, func([]int) ([]byte, error) { return code[:3], nil }, decode), "3 bytes")
	caught(t, encodes(symbols, want, func([]int) ([]byte, error) { return nil, broken }, decode), "on purpose")
	caught(t, encodes(symbols, want, encode, func([]byte) ([]int, error) { return []int{3, 1}, nil }), "other symbols")
	caught(t, encodes(symbols, want, encode, func([]byte) ([]int, error) { return nil, broken }), "on purpose")
}
