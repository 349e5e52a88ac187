package cluster

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	dist "github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// complete lists all edges between the rows of x.
func complete(x *mat.Dense, metric dist.Metric) []Edge {
	n, _ := x.Dims()
	var edges []Edge
	for i := range n {
		for j := i + 1; j < n; j++ {
			edges = append(edges, Edge{i, j, metric.Distance(x.RawRowView(i), x.RawRowView(j))})
		}
	}
	return edges
}

// Kruskal's algorithm on all edges and Prim's, in groups, give the same edges: with (I, J) to
// decide between equal weights there is one tree.
func TestPrimIsKruskal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawn(t)
		n, _ := x.Dims()
		for _, metric := range []dist.Metric{dist.Euclidean{}, dist.Manhattan{}, dist.Minkowski{R: 3}} {
			edges := complete(x, metric)
			rng.New(rapid.Uint64().Draw(t, "shuffle")).Shuffle(len(edges), func(i, j int) { edges[i], edges[j] = edges[j], edges[i] })
			want, err := Kruskal(n, edges)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Prim(context.Background(), x, metric)
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != n-1 || len(want) != n-1 {
				t.Fatalf("%d and %d edges for %d rows", len(got), len(want), n)
			}
			d, err := dist.Pairwise(context.Background(), x, metric)
			if err != nil {
				t.Fatal(err)
			}
			table, err := PrimDistances(context.Background(), d)
			if err != nil {
				t.Fatal(err)
			}
			sum := func(edges []Edge) (s float64) {
				for _, e := range edges {
					s += e.Weight
				}
				return s
			}
			// Squares of different distances can round to equal ones, and then another tree is as
			// light.
			if math.Abs(sum(got)-sum(want)) > 1e-12*sum(want) || math.Abs(sum(table)-sum(want)) > 1e-12*sum(want) {
				t.Fatalf("%T: Prim's tree weighs %v, of a table %v, Kruskal's %v", metric, sum(got), sum(table), sum(want))
			}
			if !slices.IsSortedFunc(got, lighter) {
				t.Fatalf("%T: edges are not sorted", metric)
			}
			tree, err := SingleLinkage(n, want)
			if err != nil {
				t.Fatal(err)
			}
			if err := replay(Single, x, metric, tree); err != nil {
				t.Fatalf("%T: %v", metric, err)
			}
		}
	})
}

// At sizes where rows are taken in groups.
func TestPrimInGroups(t *testing.T) {
	x := datasets.Blobs(1100, 3, 4, 2, 1).X
	x.Apply(func(_, _ int, v float64) float64 { return math.Round(8 * v) }, x) // with ties
	for _, metric := range []dist.Metric{dist.Euclidean{}, dist.Chebyshev{}} {
		want, err := Kruskal(1100, complete(x, metric))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Prim(t.Context(), x, metric)
		if err != nil {
			t.Fatal(err)
		}
		// Squares of whole numbers are exact, and so is the order of equal ones.
		if !slices.Equal(got, want) {
			t.Errorf("%T: other edges", metric)
		}
	}
}

func TestKruskalByHand(t *testing.T) {
	edges := []Edge{{1, 0, 4}, {2, 1, 1}, {0, 2, 3}, {3, 3, 0}, {4, 3, -2}, {1, 2, 5}}
	got, err := Kruskal(6, edges)
	if want := []Edge{{3, 4, -2}, {1, 2, 1}, {0, 2, 3}}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	if got, err := Kruskal(1, nil); err != nil || len(got) != 0 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestSpanningTreesBadInput(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]struct {
		err  func() error
		want error
	}{
		"no nodes":          {func() error { _, err := Kruskal(0, nil); return err }, ml.ErrParameter},
		"node 3 of 3":       {func() error { _, err := Kruskal(3, []Edge{{0, 3, 1}}); return err }, ml.ErrParameter},
		"node −1":           {func() error { _, err := Kruskal(3, []Edge{{-1, 2, 1}}); return err }, ml.ErrParameter},
		"NaN":               {func() error { _, err := Kruskal(3, []Edge{{0, 2, nan}}); return err }, ml.ErrNotFinite},
		"too few edges":     {func() error { _, err := SingleLinkage(3, []Edge{{0, 2, 1}}); return err }, ml.ErrShape},
		"a circle":          {func() error { _, err := SingleLinkage(3, []Edge{{0, 2, 1}, {2, 0, 1}}); return err }, ml.ErrParameter},
		"a matrix with NaN": {func() error { _, err := Prim(t.Context(), mat.NewDense(1, 1, []float64{nan}), nil); return err }, ml.ErrNotFinite},
		"no matrix":         {func() error { _, err := Prim(t.Context(), nil, nil); return err }, ml.ErrEmpty},
		"no distances":      {func() error { _, err := PrimDistances(t.Context(), nil); return err }, ml.ErrEmpty},
	} {
		if err := c.err(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want an error that wraps %q", name, err, c.want)
		}
	}
}
