package mltest

import (
	"context"
	"errors"
	"iter"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// signModel labels rows by the sign of their first column: a method simple enough to be right, and
// to be broken in one way at a time.
type signModel struct {
	Labels []int
	Mean   *mat.Dense
	Score  float64
}

func init() { ml.Register[signModel]("mltest.sign") }

func fitSign(ctx context.Context, x mat.Matrix) (*signModel, error) {
	d, err := ml.Dense("sign", x)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	n, _ := d.Dims()
	m := &signModel{Labels: make([]int, n), Mean: mat.NewDense(1, 1, []float64{1})}
	for i := range n {
		if d.At(i, 0) > 0 {
			m.Labels[i] = 1
		}
	}
	return m, nil
}

func predictSign(m *signModel, x mat.Matrix) ([]int, error) {
	d, err := ml.Dense("sign", x)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns("sign", d, 2); err != nil {
		return nil, err
	}
	fit, err := fitSign(context.Background(), x)
	return fit.Labels, err
}

func iterateSign(ctx context.Context, x mat.Matrix) iter.Seq2[*signModel, error] {
	return func(yield func(*signModel, error) bool) {
		for s := 3.0; s > 0; s-- {
			m, err := fitSign(ctx, x)
			if m != nil {
				m.Score = s
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}

func good() Method[signModel] {
	return Method[signModel]{Fit: fitSign, Iterate: iterateSign, Predict: predictSign, Patience: 300 * time.Millisecond,
		Labels: func(m *signModel) []int { return m.Labels }, Objective: func(m *signModel) float64 { return m.Score }}
}

func TestGoodMethodPasses(t *testing.T) { Run(t, good()) }

// Each break is caught by the check that is there for it.
func TestEachCheckCatchesItsBreak(t *testing.T) {
	calls := 0
	breaks := map[string]func(m *Method[signModel]){
		"same seed, same model": func(m *Method[signModel]) {
			m.Fit = func(ctx context.Context, x mat.Matrix) (*signModel, error) {
				f, err := fitSign(ctx, x)
				if f != nil {
					calls++
					f.Score = float64(calls)
				}
				return f, err
			}
		},
		"any number of processors, same model": func(m *Method[signModel]) {
			m.Fit = func(ctx context.Context, x mat.Matrix) (*signModel, error) {
				f, err := fitSign(ctx, x)
				if f != nil {
					f.Score = float64(runtime.GOMAXPROCS(0))
				}
				return f, err
			}
		},
		"input left unchanged": func(m *Method[signModel]) {
			m.Fit = func(ctx context.Context, x mat.Matrix) (*signModel, error) {
				f, err := fitSign(ctx, x)
				if d, ok := x.(*mat.Dense); ok && err == nil {
					d.Set(0, 0, 99)
				}
				return f, err
			}
		},
		"any kind of matrix": func(m *Method[signModel]) {
			m.Fit = func(ctx context.Context, x mat.Matrix) (*signModel, error) {
				f, err := fitSign(ctx, x)
				if _, ok := x.(*mat.Dense); !ok && f != nil {
					f.Score = 1
				}
				return f, err
			}
		},
		"bad input is named": func(m *Method[signModel]) {
			m.Fit = func(ctx context.Context, x mat.Matrix) (*signModel, error) {
				f, err := fitSign(ctx, x)
				if errors.Is(err, ml.ErrNotFinite) {
					return nil, ml.ErrNotFinite // without the place
				}
				return f, err
			}
		},
		"odd input gives an answer or an error": func(m *Method[signModel]) {
			m.Fit = func(ctx context.Context, x mat.Matrix) (*signModel, error) {
				f, err := fitSign(ctx, x)
				if f != nil && x.At(0, 0) > 1e100 {
					f.Mean.Set(0, 0, math.NaN())
				}
				return f, err
			}
		},
		"a cancelled context returns promptly": func(m *Method[signModel]) {
			m.Fit = func(_ context.Context, x mat.Matrix) (*signModel, error) { return fitSign(context.Background(), x) }
		},
		"save then load is the identity": func(m *Method[signModel]) {
			m.Fit = func(ctx context.Context, x mat.Matrix) (*signModel, error) {
				f, err := fitSign(ctx, x)
				if f != nil {
					f.Mean = &mat.Dense{} // saved as nothing
				}
				return f, err
			}
		},
		"rows permuted, result permuted": func(m *Method[signModel]) {
			m.Fit = func(ctx context.Context, x mat.Matrix) (*signModel, error) {
				f, err := fitSign(ctx, x)
				if f != nil {
					f.Labels[0] = 7
				}
				return f, err
			}
		},
		"predicting a subset is the subset of the predictions": func(m *Method[signModel]) {
			m.Predict = func(s *signModel, x mat.Matrix) ([]int, error) {
				l, err := predictSign(s, x)
				if len(l) > 0 {
					l = slices.Clone(l)
					l[0] += len(l)
				}
				return l, err
			}
		},
		"the objective never rises": func(m *Method[signModel]) { m.Objective = func(s *signModel) float64 { return -s.Score } },
	}
	for _, c := range good().checks() {
		spoil, ok := breaks[c.name]
		if !ok {
			t.Errorf("nothing breaks %q", c.name)
			continue
		}
		m := good()
		spoil(&m)
		for _, broken := range m.checks() {
			if broken.name == c.name && broken.run(t.Context(), t.TempDir()) == nil {
				t.Errorf("a method that breaks %q passes it", c.name)
			}
		}
	}
	m := good()
	m.Fit = func(context.Context, mat.Matrix) (*signModel, error) { panic("on purpose") }
	if m.sameSeed(t.Context(), "") == nil {
		t.Error("a panic is not caught")
	}
	m.Patience = 100 * time.Millisecond
	m.Fit = func(context.Context, mat.Matrix) (*signModel, error) { select {} }
	if m.sameSeed(t.Context(), "") == nil {
		t.Error("a hang is not caught")
	}
}
