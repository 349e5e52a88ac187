package coding

import (
	"context"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Columns is a Model of the rows of a matrix. A row's symbols are predicted column by column in the
// model's own order, each from those before it in the row; after the last a predictor begins
// another row, of which it knows nothing. MADE and the models of pictures of package autoregressive
// are of this kind.
//
// Encoder and decoder must come to the same probabilities, and what a network computes on a backend
// depends on the processor, the number of threads and the compiler. So its predictors are to be
// evaluated apart from any backend: each sum in one order, and no product fused into a sum.
type Columns interface {
	Model
	Order() []int // the columns in the order in which they are predicted, each once
}

// side is how many rows are coded side by side, each with a predictor of its own: they are
// evaluated on all processors.
const side = 64

// EncodeRows encodes the rows of x. Errors are those of Encode; ml.ErrParameter for an entry that
// is no symbol of the model, with its row and column, and ml.ErrShape for another number of
// columns.
func (a Arithmetic) EncodeRows(ctx context.Context, m Columns, x mat.Matrix) ([]byte, error) {
	const method = "coding.Arithmetic.EncodeRows"
	order, err := orderOf(method, m)
	if err != nil {
		return nil, err
	}
	n, d, err := ml.Size(method, x)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, x, len(order)); err != nil {
		return nil, err
	}
	symbols := make([]int, n*d)
	err = ml.EachRow(method, x, func(i int, row []float64) error {
		for t, j := range order {
			s := int(min(max(row[j], 0), float64(m.Alphabet()-1)))
			if float64(s) != row[j] {
				return ml.BadParameter(method, sprintf("row %d, column %d", i, j), row[j], sprintf("a whole number from 0 to %d", m.Alphabet()-1))
			}
			symbols[place(n, d, i, t)] = s
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.Encode(ctx, &sideBySide{m, ctx, n, d}, symbols)
}

// DecodeRows returns the rows of which EncodeRows, with the same model, made data; its errors are
// those of Decode.
func (a Arithmetic) DecodeRows(ctx context.Context, m Columns, data []byte) (*mat.Dense, error) {
	order, err := orderOf("coding.Arithmetic.DecodeRows", m)
	if err != nil {
		return nil, err
	}
	e, err := open(kindArithmetic, data)
	if err != nil {
		return nil, err
	}
	d := len(order)
	if e.n == 0 || e.n%d != 0 {
		return nil, corrupt("%d symbols are no whole number of rows of %d columns", e.n, d)
	}
	n := e.n / d
	symbols, err := a.Decode(ctx, &sideBySide{m, ctx, n, d}, data)
	if err != nil {
		return nil, err
	}
	x := mat.NewDense(n, d, nil)
	for i := range n {
		for t, j := range order {
			x.Set(i, j, float64(symbols[place(n, d, i, t)]))
		}
	}
	return x, nil
}

// place is where the symbol that row i of n has at time t comes in the sequence: rows take turns
// within their block.
func place(n, d, i, t int) int {
	first := i / side * side
	return first*d + t*min(side, n-first) + i - first
}

func orderOf(method string, m Columns) ([]int, error) {
	if m == nil {
		return nil, ml.BadParameter(method, "the model", nil, "a model")
	}
	if c, ok := m.(interface{ check(method string) error }); ok {
		if err := c.check(method); err != nil {
			return nil, err
		}
	}
	order := m.Order()
	for j, v := range slices.Sorted(slices.Values(order)) {
		if j != v {
			return nil, ml.BadShape(method, "the model's order has not each of its %d columns once", len(order))
		}
	}
	if len(order) == 0 {
		return nil, ml.BadShape(method, "the model has no columns")
	}
	return order, nil
}

// sideBySide is the Model of n rows in the order of place.
type sideBySide struct {
	Columns
	ctx  context.Context
	n, d int
}

func (m *sideBySide) Start() Predictor {
	return &rowPredictor{m: m, p: make([]float64, side*m.Alphabet())}
}

type rowPredictor struct {
	m    *sideBySide
	rows []Predictor // of the block
	left int         // rows that are done, in earlier blocks
	t, i int         // whose turn it is
	p    []float64   // of all rows of the block at time t
	seen [side]int   // symbols of the rows at time t
}

func (r *rowPredictor) Predict(p []float64) error {
	if r.i == 0 {
		if err := r.evaluate(); err != nil {
			return err
		}
	}
	copy(p, r.p[r.i*len(p):(r.i+1)*len(p)])
	return nil
}

// evaluate asks the predictors of the block for what comes.
func (r *rowPredictor) evaluate() error {
	block := min(side, r.m.n-r.left)
	for len(r.rows) < block {
		r.rows = append(r.rows, r.m.Columns.Start())
	}
	k := r.m.Alphabet()
	var errs [side]error
	err := parallel.For(r.m.ctx, block, 4, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			errs[i] = r.rows[i].Predict(r.p[i*k : (i+1)*k])
		}
	})
	if err != nil {
		return err
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *rowPredictor) Observe(s int) {
	block := min(side, r.m.n-r.left)
	r.seen[r.i] = s
	if r.i++; r.i < block {
		return
	}
	_ = parallel.For(context.Background(), block, 4, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			r.rows[i].Observe(r.seen[i])
		}
	})
	r.i = 0
	if r.t++; r.t == r.m.d {
		r.t, r.left = 0, r.left+block
	}
}
