package neighbors_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
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

// sheet has n points on a curved sheet of six dimensions in d, with a little noise: data whose
// neighborhoods are of few dimensions.
func sheet(seed uint64, n, d int) *mat.Dense {
	z, w := mltest.Normal(seed, n, 6), mltest.Normal(seed+1, 6, d)
	var x mat.Dense
	x.Mul(z, w)
	noise := mltest.Normal(seed+2, n, d)
	x.Apply(func(i, j int, v float64) float64 { return math.Sin(v) + 0.05*noise.At(i, j) }, &x)
	return &x
}

func sumOf(g *neighbors.Graph) float64 {
	s := 0.0
	for _, d := range g.Distance {
		s += d
	}
	return s
}

// Where a leaf holds all rows, nothing can be missed: the graph is KNN's, to the last bit.
func TestDescentInOneLeafIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(2, 120).Draw(t, "n"), rapid.IntRange(1, 12).Draw(t, "d")
		x := mltest.Normal(rapid.Uint64().Draw(t, "seed"), n, d)
		if rapid.Bool().Draw(t, "grid") { // many distances are equal
			x.Apply(func(_, _ int, v float64) float64 { return math.Round(v) }, x)
		}
		k := rapid.IntRange(1, min(n-1, 20)).Draw(t, "k")
		for _, metric := range []distance.Metric{nil, distance.Manhattan{}, distance.Minkowski{R: 3}} {
			got, err := neighbors.NNDescent{K: k, Metric: metric}.Fit(context.Background(), x)
			if err != nil {
				t.Fatal(err)
			}
			want, err := neighbors.KNN{K: k, Metric: metric}.Fit(context.Background(), x)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%T: n = %d, d = %d, k = %d: another graph", metric, n, d, k)
			}
		}
	})
}

func TestDescentRecall(t *testing.T) {
	for _, c := range []struct {
		name   string
		x      *mat.Dense
		metric distance.Metric
		least  float64
	}{
		{"a sheet", sheet(1, 6000, 30), nil, 0.99},
		{"two dimensions", mltest.Normal(2, 6000, 2), nil, 0.999},
		{"clumps of 50 dimensions", datasets.Blobs(6000, 50, 10, 3, 5).X, nil, 0.97},
		{"cosine", sheet(3, 6000, 30), distance.Cosine{}, 0.99},
		{"correlation", sheet(3, 6000, 30), distance.Correlation{}, 0.99},
		{"Manhattan", sheet(4, 6000, 30), distance.Manhattan{}, 0.97},
		{"Chebyshev", sheet(4, 6000, 30), distance.Chebyshev{}, 0.95},
		{"Minkowski", sheet(5, 3000, 30), distance.Minkowski{R: 1.5}, 0.97},
		{"a caller's", sheet(6, 3000, 10), distance.Func(func(a, b []float64) float64 { return math.Abs(a[0]-b[0]) + math.Abs(a[1]-b[1]) }), 0.97},
	} {
		for seed := range uint64(2) {
			g, err := neighbors.NNDescent{K: 15, Metric: c.metric, Seed: seed}.Fit(t.Context(), c.x)
			if err != nil {
				t.Fatal(c.name, err)
			}
			r, err := neighbors.Recall(t.Context(), g, c.x, c.metric, 300, 0)
			if err != nil {
				t.Fatal(c.name, err)
			}
			if r < c.least {
				t.Errorf("%s, seed %d: recall %.4f, want at least %v", c.name, seed, r, c.least)
			}
		}
	}
}

// The size that the library promises a recall for. Clumps that fill all 50 dimensions are as hard
// as data gets.
func TestDescentRecallAtSize(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	for name, x := range map[string]*mat.Dense{"clumps": datasets.Blobs(70000, 50, 10, 3, 5).X, "sheet": sheet(1, 70000, 50)} {
		g, err := neighbors.NNDescent{K: 15}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		r, err := neighbors.Recall(t.Context(), g, x, nil, 1000, 0)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: n = 70,000, d = 50: recall@15 %.4f", name, r)
		if r < 0.95 {
			t.Errorf("%s: recall %.4f, want at least 0.95", name, r)
		}
	}
}

// What is found has its true distance, to a relative tolerance, stands in order, and is neither the
// row itself nor there twice.
func checkGraph(t *testing.T, g *neighbors.Graph, x *mat.Dense, k int, metric distance.Metric, tolerance float64) {
	t.Helper()
	for i := range g.Len() {
		rows, d := g.Of(i)
		if len(rows) != k {
			t.Fatalf("row %d has %d neighbors, want %d", i, len(rows), k)
		}
		seen := map[int]bool{i: true}
		for l, j := range rows {
			if seen[j] {
				t.Fatalf("row %d lists %v", i, rows)
			}
			seen[j] = true
			if want := metric.Distance(x.RawRowView(i), x.RawRowView(j)); math.Abs(d[l]-want) > tolerance*want {
				t.Fatalf("rows %d and %d at %v, want %v", i, j, d[l], want)
			}
			if l > 0 && (d[l] < d[l-1] || tolerance == 0 && d[l] == d[l-1] && j < rows[l-1]) {
				t.Fatalf("row %d: %v at %v is out of order", i, rows, d)
			}
		}
	}
}

func TestDescentOnDuplicates(t *testing.T) {
	x := mltest.Normal(1, 6000, 5)
	for i := range 4000 {
		x.SetRow(i, x.RawRowView(i%2))
	}
	for _, y := range []*mat.Dense{x, mat.NewDense(3000, 4, nil)} {
		g, err := neighbors.NNDescent{K: 10}.Fit(t.Context(), y)
		if err != nil {
			t.Fatal(err)
		}
		checkGraph(t, g, y, 10, distance.Euclidean{}, 0)
		if r, err := neighbors.Recall(t.Context(), g, y, nil, 500, 0); err != nil || r < 0.99 {
			t.Errorf("recall %v, %v", r, err)
		}
	}
}

func TestDescentRoundsOnlyImprove(t *testing.T) {
	x := sheet(1, 5000, 20)
	before, rounds := math.Inf(1), 0
	for g, err := range (neighbors.NNDescent{K: 10, Trees: 2}).Iterate(t.Context(), x) {
		if err != nil {
			t.Fatal(err)
		}
		checkGraph(t, g, x, 10, distance.Euclidean{}, 0)
		if s := sumOf(g); !(s <= before) {
			t.Fatalf("round %d: the sum of distances goes from %v to %v", rounds, before, s)
		} else {
			before = s
		}
		rounds++
	}
	if rounds < 3 {
		t.Errorf("%d rounds from one tree", rounds)
	}
	least, err := neighbors.KNN{K: 10}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if before > 1.001*sumOf(least) {
		t.Errorf("the sum of distances ends at %v, the least is %v", before, sumOf(least))
	}
}

func TestDescentOnAnyNumberOfProcessors(t *testing.T) {
	x := sheet(1, 6000, 20)
	var want *neighbors.Graph
	for _, procs := range []int{1, 2, 5} {
		before := runtime.GOMAXPROCS(procs)
		got, err := neighbors.NNDescent{K: 10, Seed: 3}.Fit(t.Context(), x)
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d processors: another graph", procs)
		}
	}
}

func TestDescentConformance(t *testing.T) {
	for _, metric := range []distance.Metric{nil, distance.Cosine{}, distance.Manhattan{}} {
		s := neighbors.NNDescent{K: 4, Metric: metric}
		mltest.Run(t, mltest.Method[neighbors.Graph]{Fit: s.Fit, Iterate: s.Iterate, Objective: sumOf})
	}
}

func TestDescentBadInput(t *testing.T) {
	x := mltest.Normal(1, 50, 2)
	fit := func(s neighbors.NNDescent) error { _, err := s.Fit(t.Context(), x); return err }
	recall := func(g *neighbors.Graph, sample int) error {
		_, err := neighbors.Recall(t.Context(), g, x, nil, sample, 0)
		return err
	}
	nan := distance.Func(func(_, _ []float64) float64 { return math.NaN() })
	g, err := neighbors.KNN{K: 2}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		err  error
		kind error
		says string
	}{
		{"K = 0", fit(neighbors.NNDescent{}), ml.ErrParameter, "K = 0"},
		{"K = n", fit(neighbors.NNDescent{K: 50}), ml.ErrParameter, "K < n = 50"},
		{"Trees", fit(neighbors.NNDescent{K: 2, Trees: 1}), ml.ErrParameter, "Trees = 1"},
		{"Candidates", fit(neighbors.NNDescent{K: 2, Candidates: -1}), ml.ErrParameter, "Candidates = -1"},
		{"MaxIter", fit(neighbors.NNDescent{K: 2, MaxIter: -1}), ml.ErrParameter, "MaxIter = -1"},
		{"Tolerance", fit(neighbors.NNDescent{K: 2, Tolerance: math.NaN()}), ml.ErrParameter, "Tolerance = NaN"},
		{"Minkowski", fit(neighbors.NNDescent{K: 2, Metric: distance.Minkowski{R: -3}}), ml.ErrParameter, "R = -3"},
		{"a caller's metric", fit(neighbors.NNDescent{K: 2, Metric: nan}), ml.ErrNotFinite, "is NaN"},
		{"no graph", recall(nil, 0), ml.ErrShape, "50 rows"},
		{"sample", recall(g, -1), ml.ErrParameter, "sample = -1"},
	} {
		if !errors.Is(c.err, c.kind) || !strings.Contains(fmt.Sprint(c.err), c.says) {
			t.Errorf("%s: %v, want %v and %q", c.name, c.err, c.kind, c.says)
		}
	}
}

func TestDescentCancelled(t *testing.T) {
	x := mltest.Normal(1, 30000, 40)
	for _, wait := range []time.Duration{20 * time.Millisecond, 200 * time.Millisecond, 700 * time.Millisecond} {
		mltest.Prompt(t, fmt.Sprint("after ", wait), wait, func(ctx context.Context) error {
			g, err := neighbors.NNDescent{K: 10, Tolerance: 1e-9}.Fit(ctx, x)
			if err != nil && g != nil {
				checkGraph(t, g, x, 10, distance.Euclidean{}, 1e-12)
			}
			return err
		})
	}
}

// Cancelled after the trees, the search gives what it has, in the metric's units, whatever the
// scale of the data.
func TestDescentUnfinished(t *testing.T) {
	for _, metric := range []distance.Metric{
		distance.Euclidean{}, distance.SqEuclidean{}, distance.Cosine{}, distance.Correlation{}, distance.Manhattan{}, distance.Chebyshev{}, distance.Minkowski{R: 3},
		distance.Func(func(a, b []float64) float64 { return math.Abs(a[0] - b[0]) }),
	} {
		for _, scale := range []float64{1, 1e130} {
			if _, minkowski := metric.(distance.Minkowski); minkowski && scale > 1 {
				continue // its cubes would overflow
			}
			x := mltest.Normal(1, 3000, 8)
			x.Scale(scale, x)
			ctx := &endsAt{Context: t.Context(), after: math.MaxInt64}
			looks := 0
			for range (neighbors.NNDescent{K: 5, Metric: metric, Tolerance: 1e-9}).Iterate(ctx, x) {
				if looks++; looks == 1 {
					ctx.after = ctx.looks.Load() + 20 // in the first round
				}
			}
			after := ctx.after
			ctx = &endsAt{Context: t.Context(), after: after}
			g, err := neighbors.NNDescent{K: 5, Metric: metric, Tolerance: 1e-9}.Fit(ctx, x)
			if g == nil || !errors.Is(err, context.Canceled) {
				t.Errorf("%T, scale %g: %v, with a graph: %v", metric, scale, err, g != nil)
				continue
			}
			checkGraph(t, g, x, 5, metric, 1e-9)
		}
	}
}

// endsAt is a context that has ended once it has been looked at so often.
type endsAt struct {
	context.Context
	looks atomic.Int64
	after int64
}

func (e *endsAt) Err() error {
	if e.looks.Add(1) > e.after {
		return context.Canceled
	}
	return nil
}

func TestRecall(t *testing.T) {
	x := mltest.Normal(1, 400, 6)
	g, err := neighbors.KNN{K: 5}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	recall := func() float64 {
		r, err := neighbors.Recall(t.Context(), g, x, nil, 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := recall(); r != 1 {
		t.Errorf("the exact graph has recall %v", r)
	}
	for i := range 400 { // two of five replaced by rows that are far away
		d := g.Distance[g.Start[i]:g.Start[i+1]]
		d[3], d[4] = 1e6, 1e6
	}
	if r := recall(); math.Abs(r-0.6) > 1e-12 {
		t.Errorf("with two of five neighbors wrong the recall is %v, want 0.6", r)
	}
}

func FuzzNNDescent(f *testing.F) {
	f.Add(uint16(9), uint8(2), 3, 1.0, uint8(1), uint8(5))
	f.Add(uint16(900), uint8(3), 7, 1e-200, uint8(2), uint8(1))
	f.Fuzz(func(t *testing.T, n uint16, d uint8, k int, scale float64, trees, candidates uint8) {
		if n == 0 || n > 2000 || d == 0 || d > 25 || k > 50 {
			return
		}
		x := mltest.Normal(uint64(n)<<8|uint64(d), int(n), int(d))
		x.Scale(scale, x)
		s := neighbors.NNDescent{K: k, Trees: int(trees % 8), Candidates: int(candidates % 64)}
		if g, err := s.Fit(t.Context(), x); err == nil {
			checkGraph(t, g, x, k, distance.Euclidean{}, 0)
		} else if !slices.ContainsFunc([]error{ml.ErrParameter, ml.ErrNotFinite}, func(e error) bool { return errors.Is(err, e) }) {
			t.Fatal(err)
		}
	})
}

func ExampleNNDescent() {
	digits := datasets.Digits()
	ctx := context.Background()
	g, err := neighbors.NNDescent{K: 10}.Fit(ctx, digits.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	recall, err := neighbors.Recall(ctx, g, digits.X, nil, 0, 0)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("more than 99 in 100 found:", recall > 0.99)
	// Output: more than 99 in 100 found: true
}

func BenchmarkNNDescent(b *testing.B) {
	for _, n := range []int{10000, 20000, 40000, 80000} {
		for name, x := range map[string]*mat.Dense{"clumps": datasets.Blobs(n, 50, 10, 3, 5).X, "sheet": sheet(1, n, 50)} {
			b.Run(fmt.Sprintf("%s/n=%d", name, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := (neighbors.NNDescent{K: 15}).Fit(context.Background(), x); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
