// Package check holds what the tests of all autoregressive models share.
package check

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/coding"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// Brief trains a few steps: the weights are as good as random, which is what tests of structure
// want.
func Brief(steps int) neural.Train {
	return neural.Train{Steps: steps, LearningRate: 0.05, Backend: "go"}
}

// DigitBits are the pictures of datasets.BinaryDigits.
func DigitBits() (train, validation, test *mat.Dense) {
	a, b, c := datasets.BinaryDigits()
	return a.X, b.X, c.X
}

// Symbols are n rows of d random symbols.
func Symbols(seed uint64, n, d, levels int) *mat.Dense {
	r, x := rng.New(seed), mat.NewDense(n, d, nil)
	x.Apply(func(_, _ int, _ float64) float64 { return float64(r.IntN(levels)) }, x)
	return x
}

// EveryRow lists all levels^d observations.
func EveryRow(d, levels int) *mat.Dense {
	n := int(math.Pow(float64(levels), float64(d)))
	x := mat.NewDense(n, d, nil)
	x.Apply(func(i, j int, _ float64) float64 {
		return float64(i / int(math.Pow(float64(levels), float64(j))) % levels)
	}, x)
	return x
}

// Stopping is a context that ends at a training's first report from a step on, and says when that
// was.
func Stopping(t *testing.T, step int) (ctx context.Context, asked *time.Time) {
	ended, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	asked = new(time.Time)
	return neural.Watch(ended, func(r neural.Trained) {
		if r.Steps >= step && asked.IsZero() {
			*asked = time.Now()
			cancel()
		}
	}), asked
}

// Stopped holds a training whose context ends at a step to its end within 100 ms, with the model so
// far: of two reports at least.
func Stopped[M any](t *testing.T, step int, fit func(context.Context) (*M, error), history func(*M) neural.History) *M {
	t.Helper()
	ctx, asked := Stopping(t, step)
	m, err := fit(ctx)
	if late := time.Since(*asked); late > 100*time.Millisecond {
		t.Errorf("it took %v to end", late)
	}
	if !errors.Is(err, context.Canceled) || m == nil || len(history(m).Steps) < 2 {
		t.Fatalf("a cancelled training gives %v and %v", m, err)
	}
	return m
}

// Density is a model that says how likely rows are.
type Density interface {
	LogProb(ctx context.Context, x mat.Matrix) ([]float64, error)
}

// LogProb is log p of each row.
func LogProb(t testing.TB, m any, x mat.Matrix) []float64 {
	t.Helper()
	l, err := m.(Density).LogProb(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// SameOnBothBackends holds log p of a model on XLA to what it is on the Go backend.
func SameOnBothBackends(t *testing.T, x mat.Matrix, m Density) {
	t.Helper()
	xlatest.Require(t)
	t.Setenv("GOMLX_BACKEND", "go")
	onGo := LogProb(t, m, x)
	t.Setenv("GOMLX_BACKEND", "xla:cpu")
	mltest.CloseTo(t, "log p on XLA", LogProb(t, m, x), onGo, 1e-4)
}

// Backends are those that there are.
func Backends() []string {
	if xlatest.Found() {
		return []string{"go", "xla"}
	}
	return []string{"go"}
}

// Call runs a graph once.
func Call(t *testing.T, backend string, w neural.Weights, g neural.Graph, in ...*tensors.Tensor) []*mat.Dense {
	t.Helper()
	f, err := neural.NewFunc(backend, w, g)
	if err != nil {
		t.Fatal(err)
	}
	out, err := f.Call(in...)
	if err != nil {
		t.Fatal(err)
	}
	var ms []*mat.Dense
	for _, o := range out {
		m, err := neural.Matrix(o)
		if err != nil {
			t.Fatal(err)
		}
		ms = append(ms, m)
	}
	return ms
}

// Likelihoods fit a model of rows, and say what a fitted one makes of some of them.
func Likelihoods[M Density](ctx context.Context, fit func(context.Context, mat.Matrix) (M, error), d, levels int) (func() (M, error), func(M) ([]float64, error)) {
	return func() (M, error) { return fit(ctx, mltest.Stripes(30, d, levels)) }, func(m M) ([]float64, error) { return m.LogProb(ctx, mltest.Stripes(8, d, levels)) }
}

// Encodes holds a model to the bytes that it made of symbols.
func Encodes(t *testing.T, name string, m coding.Model, symbols []int, want uint32) {
	t.Helper()
	mltest.Encodes(t, name, symbols, want, func(symbols []int) ([]byte, error) { return coding.Arithmetic{}.Encode(t.Context(), m, symbols) },
		func(data []byte) ([]int, error) { return coding.Arithmetic{}.Decode(t.Context(), m, data) })
}
