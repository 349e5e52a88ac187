package neighbors_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// plain is the definition: sort all rows by distance, equal ones by their number.
func plain(x, y *mat.Dense, metric distance.Metric, k int, radius float64) *neighbors.Graph {
	if metric == nil {
		metric = distance.Euclidean{}
	}
	own := y == nil
	if own {
		y = x
	}
	g := &neighbors.Graph{Start: []int{0}, Index: []int{}, Distance: []float64{}}
	n, _ := x.Dims()
	m, _ := y.Dims()
	for i := range m {
		var all []int
		d := make([]float64, n)
		for j := range n {
			d[j] = metric.Distance(y.RawRowView(i), x.RawRowView(j))
			if !(own && i == j) && d[j] <= radius {
				all = append(all, j)
			}
		}
		slices.SortStableFunc(all, func(a, b int) int {
			switch {
			case d[a] < d[b]:
				return -1
			case d[a] > d[b]:
				return 1
			}
			return 0
		})
		for _, j := range all[:min(k, len(all))] {
			g.Index, g.Distance = append(g.Index, j), append(g.Distance, d[j])
		}
		g.Start = append(g.Start, len(g.Index))
	}
	return g
}

func TestEqualsScikitLearn(t *testing.T) {
	want := mltest.ReadJSON[map[string]json.RawMessage](t, "sklearn.json")
	x := datasets.Digits().X.Slice(0, 120, 0, 64)
	for name, metric := range map[string]distance.Metric{
		"euclidean": nil, "cosine": distance.Cosine{}, "correlation": distance.Correlation{}, "manhattan": distance.Manhattan{}, "chebyshev": distance.Chebyshev{},
	} {
		var w struct {
			Distance [][]float64
			Index    [][]int
		}
		if err := json.Unmarshal(want[name], &w); err != nil {
			t.Fatal(err)
		}
		g, err := neighbors.KNN{K: 8, Metric: metric}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 120 {
			rows, d := g.Of(i)
			for k := range rows {
				if math.Abs(d[k]-w.Distance[i][k]) > 1e-12*max(1, d[k]) {
					t.Errorf("%s: neighbor %d of row %d at %v, scikit-learn has %v", name, k, i, d[k], w.Distance[i][k])
				}
				// Equally far ones may come in another order.
				if rows[k] != w.Index[i][k] && k < 7 && d[k+1]-d[k] > 1e-12 && (k == 0 || d[k]-d[k-1] > 1e-12) {
					t.Errorf("%s: neighbor %d of row %d is %d, scikit-learn has %d", name, k, i, rows[k], w.Index[i][k])
				}
			}
		}
	}
	var counts []int
	if err := json.Unmarshal(want["radius 25"], &counts); err != nil {
		t.Fatal(err)
	}
	g, err := neighbors.Within{Radius: 25}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i, w := range counts {
		rows, d := g.Of(i)
		if len(rows) != w || slices.Max(append(d, 0)) > 25 {
			t.Errorf("row %d has %d rows within 25, scikit-learn finds %d", i, len(rows), w)
		}
	}
}

// On any data, with duplicates and equal distances, the graph is the plain one, to the last bit.
func TestIsThePlainSearch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(2, 400).Draw(t, "n"), rapid.IntRange(1, 12).Draw(t, "d")
		x := mltest.Normal(rapid.Uint64().Draw(t, "seed"), n, d)
		if grid := rapid.IntRange(0, 3).Draw(t, "grid"); grid > 0 { // integers, so that many distances are equal
			x.Apply(func(_, _ int, v float64) float64 { return math.Round(v * float64(grid)) }, x)
		}
		offset := rapid.SampledFrom([]float64{0, 1e6}).Draw(t, "offset")
		x.Apply(func(_, _ int, v float64) float64 { return v + offset }, x)
		k := rapid.IntRange(1, min(n-1, 30)).Draw(t, "k")
		for _, metric := range []distance.Metric{nil, distance.Manhattan{}} {
			got, err := neighbors.KNN{K: k, Metric: metric}.Fit(context.Background(), x)
			if err != nil {
				t.Fatal(err)
			}
			if want := plain(x, nil, metric, k, math.Inf(1)); !reflect.DeepEqual(got, want) {
				t.Fatalf("%T: n = %d, d = %d, k = %d: another graph", metric, n, d, k)
			}
		}
		y := mltest.Normal(rapid.Uint64().Draw(t, "seed2"), 20, d)
		y.SetRow(3, x.RawRowView(0))
		got, err := neighbors.KNN{K: k}.Query(context.Background(), x, y)
		if err != nil {
			t.Fatal(err)
		}
		if want := plain(x, y, nil, k, math.Inf(1)); !reflect.DeepEqual(got, want) {
			t.Fatalf("Query: n = %d, d = %d, k = %d: another graph", n, d, k)
		}
		radius := rapid.SampledFrom([]float64{1e-9, 1, 2, 1e3}).Draw(t, "radius")
		got, err = neighbors.Within{Radius: radius}.Fit(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		if want := plain(x, nil, nil, n, radius); !reflect.DeepEqual(got, want) {
			t.Fatalf("Within %v: n = %d, d = %d: another graph", radius, n, d)
		}
	})
}

func TestScales(t *testing.T) {
	x := mltest.Normal(3, 200, 5)
	want, err := neighbors.KNN{K: 4}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []float64{1e-300, 1e-150, 1e150, 1e300} {
		y := mat.DenseCopyOf(x)
		y.Scale(s, y)
		got, err := neighbors.KNN{K: 4}.Fit(t.Context(), y)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got.Index, want.Index) {
			t.Errorf("scale %g: other neighbors", s)
		}
		if math.Abs(got.Distance[0]/s-want.Distance[0]) > 1e-12 {
			t.Errorf("scale %g: distance %v, want %v", s, got.Distance[0]/s, want.Distance[0])
		}
	}
}

func TestConformance(t *testing.T) {
	mltest.Run(t, mltest.Method[neighbors.Graph]{Fit: neighbors.KNN{K: 4}.Fit})
	mltest.Run(t, mltest.Method[neighbors.Graph]{Fit: neighbors.KNN{K: 4, Metric: distance.Chebyshev{}}.Fit})
	mltest.Run(t, mltest.Method[neighbors.Graph]{Fit: neighbors.Within{Radius: 0.5}.Fit})
}

func TestBadInput(t *testing.T) {
	x := mltest.Normal(1, 5, 2)
	zero := mat.DenseCopyOf(x)
	zero.SetRow(3, []float64{0, 0})
	fit := func(k neighbors.KNN, x mat.Matrix) error { _, err := k.Fit(t.Context(), x); return err }
	query := func(k neighbors.KNN, y mat.Matrix) error { _, err := k.Query(t.Context(), x, y); return err }
	within := func(w neighbors.Within) error { _, err := w.Fit(t.Context(), x); return err }
	nan := distance.Func(func(_, _ []float64) float64 { return math.NaN() })
	for _, c := range []struct {
		name string
		err  error
		kind error
		says string
	}{
		{"K = 0", fit(neighbors.KNN{}, x), ml.ErrParameter, "K = 0"},
		{"K = n", fit(neighbors.KNN{K: 5}, x), ml.ErrParameter, "K < n = 5"},
		{"query K > n", query(neighbors.KNN{K: 6}, x), ml.ErrParameter, "K ≤ n = 5"},
		{"columns", query(neighbors.KNN{K: 1}, mltest.Normal(1, 2, 3)), ml.ErrShape, "y has 3 columns"},
		{"radius", within(neighbors.Within{}), ml.ErrParameter, "Radius = 0"},
		{"radius NaN", within(neighbors.Within{Radius: math.NaN()}), ml.ErrParameter, "Radius"},
		{"a zero row", fit(neighbors.KNN{K: 1, Metric: distance.Cosine{}}, zero), ml.ErrParameter, "row 3"},
		{"Minkowski", fit(neighbors.KNN{K: 1, Metric: distance.Minkowski{R: -3}}, x), ml.ErrParameter, "R = -3"},
		{"a caller's metric", fit(neighbors.KNN{K: 1, Metric: nan}, x), ml.ErrNotFinite, "rows 0 and 0"},
	} {
		if !errors.Is(c.err, c.kind) || !strings.Contains(fmt.Sprint(c.err), c.says) {
			t.Errorf("%s: %v, want %v and %q", c.name, c.err, c.kind, c.says)
		}
	}
}

func TestCancel(t *testing.T) {
	x := mltest.Normal(1, 20000, 40)
	for name, metric := range map[string]distance.Metric{"tree": nil, "table": distance.Manhattan{}} {
		if !mltest.Prompt(t, name, 50*time.Millisecond, func(ctx context.Context) error {
			return mltest.Err(neighbors.KNN{K: 10, Metric: metric}.Fit(ctx, x))
		}) {
			t.Errorf("%s: done before its context ended", name)
		}
	}
}

func TestGraph(t *testing.T) {
	x := mat.NewDense(6, 1, []float64{0, 1, 3, 10, 11, 13})
	g, err := neighbors.KNN{K: 1}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(g.Index, []int{1, 0, 1, 4, 3, 4}) || !slices.Equal(g.Distance, []float64{1, 1, 2, 1, 1, 2}) {
		t.Errorf("nearest: %v at %v", g.Index, g.Distance)
	}
	part, count := g.Components()
	if count != 2 || !slices.Equal(part, []int{0, 0, 0, 1, 1, 1}) {
		t.Errorf("components %v, %d", part, count)
	}
	either, both := g.Symmetric(false), g.Symmetric(true)
	if !slices.Equal(either.Index, []int{1, 0, 2, 1, 4, 3, 5, 4}) || !slices.Equal(both.Index, []int{1, 0, 4, 3}) || !slices.Equal(both.Start, []int{0, 1, 2, 2, 3, 4, 4}) {
		t.Errorf("symmetric %v, mutual %v with starts %v", either.Index, both.Index, both.Start)
	}
	if want := [][2]int{{0, 1}, {1, 2}, {3, 4}, {4, 5}}; !slices.Equal(g.Pairs(), want) {
		t.Errorf("pairs %v, want %v", g.Pairs(), want)
	}
}

func FuzzKNN(f *testing.F) {
	f.Add(uint8(9), uint8(2), 3, 1.0, 0.5)
	f.Fuzz(func(t *testing.T, n, d uint8, k int, scale, radius float64) {
		if n == 0 || d == 0 || d > 25 {
			return
		}
		x := mltest.Normal(uint64(n)<<8|uint64(d), int(n), int(d))
		x.Scale(scale, x)
		if g, err := (neighbors.KNN{K: k}).Fit(t.Context(), x); err == nil {
			if g.Len() != int(n) || len(g.Index) != int(n)*k {
				t.Fatalf("%d rows with %d neighbors", g.Len(), len(g.Index))
			}
			if want := plain(x, nil, nil, k, math.Inf(1)); scale > 1e-100 && !reflect.DeepEqual(g, want) {
				t.Fatal("another graph than the plain search")
			}
		}
		if _, err := (neighbors.Within{Radius: radius}).Fit(t.Context(), x); err != nil && err.Error() == "" {
			t.Fatal("an error without words")
		}
	})
}

func ExampleKNN() {
	x := mat.NewDense(5, 1, []float64{0, 1, 3, 7, 15})
	g, err := neighbors.KNN{K: 2}.Fit(context.Background(), x)
	if err != nil {
		fmt.Println(err)
		return
	}
	rows, distances := g.Of(2)
	fmt.Println(rows, distances)
	// Output: [1 0] [2 3]
}

// The cost per row is nearly constant where there are few dimensions, and grows with n where there
// are many.
func BenchmarkKNN(b *testing.B) {
	for _, d := range []int{2, 10, 50} {
		for _, n := range []int{2500, 5000, 10000, 20000} {
			x := mltest.Normal(1, n, d)
			b.Run(fmt.Sprintf("d=%d/n=%d", d, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := (neighbors.KNN{K: 15}).Fit(context.Background(), x); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
