package neighbors_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/floats"
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

// Sparse rows have the neighbors that the dense ones have.
func TestSparseNeighbors(t *testing.T) {
	r := rng.New(3)
	x := mat.NewDense(120, 40, nil)
	for i := range 120 {
		for range 6 {
			x.Set(i, r.IntN(40), r.NormFloat64())
		}
	}
	sparse, err := csr.FromDense(x)
	if err != nil {
		t.Fatal(err)
	}
	for name, metric := range map[string]distance.Metric{"Euclidean": nil, "cosine": distance.Cosine{}, "Manhattan": distance.Manhattan{}, "correlation": distance.Correlation{}} {
		for what, fit := range map[string]func(x mat.Matrix) (*neighbors.Graph, error){
			"KNN": func(x mat.Matrix) (*neighbors.Graph, error) {
				return neighbors.KNN{K: 5, Metric: metric}.Fit(t.Context(), x)
			},
			"Query": func(x mat.Matrix) (*neighbors.Graph, error) {
				return neighbors.KNN{K: 3, Metric: metric}.Query(t.Context(), x, x)
			},
			"Within": func(x mat.Matrix) (*neighbors.Graph, error) {
				return neighbors.Within{Radius: 0.9, Metric: metric}.Fit(t.Context(), x)
			},
		} {
			want, err := fit(x)
			if err != nil {
				t.Fatal(err)
			}
			got, err := fit(sparse)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got.Start, want.Start) || !slices.Equal(got.Index, want.Index) || !floats.EqualApprox(got.Distance, want.Distance, 1e-12) {
				t.Errorf("%s, %s: other neighbors than of the dense rows", what, name)
			}
		}
	}
	wide, err := csr.FromTriplets(3, 1e9, []int{0, 1, 2}, []int{7, 7, 8}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if g, err := (neighbors.KNN{K: 1}).Fit(t.Context(), wide); err != nil || !slices.Equal(g.Index, []int{1, 0, 0}) {
		t.Errorf("rows of 10⁹ columns: %+v, %v", g, err)
	}
}
