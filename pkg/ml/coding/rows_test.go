package coding

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// backwards predicts the columns of PicturesModel in another order, and fails when it is asked to.
type backwards struct {
	*PicturesModel
	err   error
	order []int
}

func (m backwards) Order() []int {
	if m.order != nil {
		return m.order
	}
	order := m.PicturesModel.Order()
	for i, j := 0, len(order)-1; i < j; i, j = i+1, j-1 {
		order[i], order[j] = order[j], order[i]
	}
	return order
}

func (m backwards) Start() Predictor {
	if m.err != nil {
		return failing{m.PicturesModel.Start(), m.err}
	}
	return m.PicturesModel.Start()
}

type failing struct {
	Predictor
	err error
}

func (f failing) Predict([]float64) error { return f.err }

// Rows come back on another number of processors, whatever number of them, and take what their
// symbols take one after another.
func TestRowsComeBack(t *testing.T) {
	train, _, test := datasets.BinaryDigits()
	m, err := Pictures{Height: 8, Width: 8}.Fit(t.Context(), train.X)
	if err != nil {
		t.Fatal(err)
	}
	for _, model := range []Columns{m, backwards{PicturesModel: m}} {
		for _, n := range []int{1, 63, 64, 65, 400} {
			x := test.X.Slice(0, n, 0, 64)
			old := runtime.GOMAXPROCS(1)
			data, err := Arithmetic{}.EncodeRows(t.Context(), model, x)
			runtime.GOMAXPROCS(3)
			if err != nil {
				t.Fatal(err)
			}
			back, err := Arithmetic{}.DecodeRows(t.Context(), model, data)
			runtime.GOMAXPROCS(old)
			if err != nil || !mat.Equal(back, x) {
				t.Fatalf("%d rows: others came back, %v", n, err)
			}
			if model != Columns(m) {
				continue
			}
			symbols, err := m.Symbols(x)
			if err != nil {
				t.Fatal(err)
			}
			bits, err := CrossEntropy(t.Context(), m, symbols)
			if err != nil {
				t.Fatal(err)
			}
			if took := payloadBits(t, data); took > bits+max(0.001*bits, 32) {
				t.Errorf("%d rows take %v bits, their cross-entropy is %v", n, took, bits)
			}
		}
	}
}

func TestBadInputOfRows(t *testing.T) {
	m, err := Pictures{Height: 3, Width: 3}.Fit(t.Context(), threeByThree())
	if err != nil {
		t.Fatal(err)
	}
	x := mat.NewDense(5, 9, nil)
	data, err := Arithmetic{}.EncodeRows(t.Context(), m, x)
	if err != nil {
		t.Fatal(err)
	}
	encode := func(m Columns, x mat.Matrix) error {
		_, err := Arithmetic{}.EncodeRows(t.Context(), m, x)
		return err
	}
	decode := func(m Columns, data []byte) error {
		_, err := Arithmetic{}.DecodeRows(t.Context(), m, data)
		return err
	}
	four, err := Arithmetic{}.Encode(t.Context(), m, []int{0, 1, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	none, err := Arithmetic{}.Encode(t.Context(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("broken")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, endedEncode := Arithmetic{}.EncodeRows(ended, m, x)
	_, endedDecode := Arithmetic{}.DecodeRows(ended, m, data)
	for name, c := range map[string]struct{ err, want error }{
		"no model":                 {encode(nil, x), ml.ErrParameter},
		"no rows":                  {encode(m, &mat.Dense{}), ml.ErrEmpty},
		"too few columns":          {encode(m, mat.NewDense(2, 8, nil)), ml.ErrShape},
		"a level too high":         {encode(m, mat.NewDense(1, 9, []float64{0, 0, 0, 2, 0, 0, 0, 0, 0})), ml.ErrParameter},
		"a column twice":           {encode(backwards{PicturesModel: m, order: []int{0, 1, 2, 3, 4, 5, 6, 7, 7}}, x), ml.ErrShape},
		"no columns":               {encode(backwards{PicturesModel: m, order: []int{}}, x), ml.ErrShape},
		"a model that fails":       {encode(backwards{PicturesModel: m, err: broken}, x), broken},
		"no model to decode":       {decode(nil, data), ml.ErrParameter},
		"decoding fails":           {decode(backwards{PicturesModel: m, err: broken}, data), broken},
		"one byte less":            {decode(m, data[:len(data)-1]), ErrCorrupt},
		"four symbols":             {decode(m, four), ErrCorrupt},
		"no symbols":               {decode(m, none), ErrCorrupt},
		"a context that has ended": {endedEncode, context.Canceled},
		"and for decoding":         {endedDecode, context.Canceled},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: error %v, want %v", name, c.err, c.want)
		}
	}
}
