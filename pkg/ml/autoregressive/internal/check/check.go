// Package check holds what the tests of all autoregressive models share.
package check

import (
	"context"
	"math"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/coding"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/mltest/neuraltest"
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

// Fit trains a model of rows on the Go backend.
func Fit[M any](t *testing.T, o interface {
	Fit(context.Context, mat.Matrix) (*M, error)
}, x mat.Matrix) *M {
	t.Helper()
	t.Setenv("GOMLX_BACKEND", "go")
	m, err := o.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
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

// SamplesFollow holds n samples to the probabilities that the model gives to all levels^d
// observations, and returns them.
func SamplesFollow(t *testing.T, what string, m interface {
	Density
	Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error)
}, d, levels, n int) *mat.Dense {
	t.Helper()
	s, err := m.Sample(t.Context(), n, 1)
	if err != nil {
		t.Fatal(err)
	}
	p := LogProb(t, m, EveryRow(d, levels))
	for k, l := range p {
		p[k] = math.Exp(l)
	}
	counts := make([]float64, len(p))
	for i := range n {
		k, place := 0, 1
		for j := range d { // as EveryRow counts: the first symbol is the last digit
			k, place = k+place*int(s.At(i, j)), place*levels
		}
		counts[k]++
	}
	mltest.Frequencies(t, what, counts, p)
	return s
}

// Trains holds the training of a model of rows to neuraltest. other is fit with another option.
func Trains[M any, P interface {
	*M
	Density
}](t *testing.T, x *mat.Dense, fit, other func(context.Context, neural.Train) (P, error)) {
	_, d := x.Dims()
	plain := func(f func(context.Context, neural.Train) (P, error)) func(context.Context, neural.Train) (*M, error) {
		return func(ctx context.Context, t neural.Train) (*M, error) { m, err := f(ctx, t); return m, err }
	}
	neuraltest.Run(t, neuraltest.Method[M]{
		Fit: plain(fit), Other: plain(other), Train: neural.Train{Batch: 10, LearningRate: 0.01},
		Answer: func(ctx context.Context, m *M) ([]float64, error) { return P(m).LogProb(ctx, x.Slice(0, 5, 0, d)) },
	})
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
