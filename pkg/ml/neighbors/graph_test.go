package neighbors_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// The matrix of a graph has each neighbor's weight in its column, and nothing where the weight is
// 0.
func TestGraphMatrix(t *testing.T) {
	r := rng.New(1)
	const n, m = 700, 50
	x, y := mat.NewDense(n, 3, nil), mat.NewDense(m, 3, nil)
	for _, z := range []*mat.Dense{x, y} {
		z.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, z)
	}
	g, err := neighbors.KNN{K: 6}.Query(t.Context(), y, x)
	if err != nil {
		t.Fatal(err)
	}
	for name, weight := range map[string]func(d float64) float64{
		"Gaussian": func(d float64) float64 { return math.Exp(-d * d) },
		"cut":      func(d float64) float64 { return max(0, 0.5-d) },
	} {
		w, err := g.Matrix(t.Context(), m, weight)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Check(name); err != nil {
			t.Fatal(err)
		}
		want := mat.NewDense(n, m, nil)
		entries := 0
		for i := range n {
			rows, d := g.Of(i)
			for k, j := range rows {
				want.Set(i, j, weight(d[k]))
				if weight(d[k]) != 0 {
					entries++
				}
			}
		}
		if !mat.Equal(w, want) || w.NNZ() != entries {
			t.Errorf("%s: the matrix has other weights than the graph, or %d entries and not %d", name, w.NNZ(), entries)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Matrix(ended, m, func(d float64) float64 { return d }); !errors.Is(err, context.Canceled) {
		t.Errorf("of a context that has ended: %v", err)
	}
}
