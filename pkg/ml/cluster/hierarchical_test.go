package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	dist "github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// reference is what testdata/hierarchical.py says of a data set and a linkage.
type reference struct {
	Heights, Fastcluster  []float64
	Cophenetic, Neighbors float64
	Cut                   []int
	Linkage               [][2]int
	First                 []int // of diana
}

// references returns the reference values and the data they are of.
func references(t *testing.T) (map[string]map[string]reference, map[string]*mat.Dense) {
	t.Helper()
	sets := mltest.ReadJSON[map[string]map[string]json.RawMessage](t, "hierarchical.json")
	data := map[string]*mat.Dense{
		"iris": datasets.Iris().X, "wine": datasets.Wine().X, "digits": mat.DenseCopyOf(datasets.Digits().X.Slice(0, 300, 0, 64)), "many": mat.NewDense(1500, 3, nil),
	}
	data["many"].Apply(func(i, j int, _ float64) float64 { return math.Sqrt(float64(i * (i + 17) * (j + 3) * 7919 % 10007)) }, data["many"])
	out := map[string]map[string]reference{}
	for name, set := range sets {
		out[name] = map[string]reference{}
		for kind, raw := range set {
			if kind == "x" {
				var rows [][]float64
				if err := json.Unmarshal(raw, &rows); err != nil {
					t.Fatal(err)
				}
				data[name] = mltest.FromRows(rows)
				continue
			}
			var r reference
			if err := json.Unmarshal(raw, &r); err != nil {
				t.Fatal(err)
			}
			out[name][kind] = r
		}
	}
	return out, data
}

// Where distances are equal there can be several trees, and SciPy's may be another than ours.
var otherTies = map[string]bool{
	"grid complete": true, "grid average": true, "grid centroid": true, "grid average cityblock": true,
	"iris centroid": true, "digits centroid": true, "digits average cityblock": true,
}

// testdata/hierarchical.py made the file.
func TestHeightsEqualSciPys(t *testing.T) {
	refs, data := references(t)
	for name, set := range refs {
		for kind, want := range set {
			a := Agglomerative{Linkage: Linkage(strings.Fields(kind)[0])}
			switch {
			case kind == "diana":
				continue
			case strings.Contains(kind, "cityblock"):
				a.Metric = dist.Manhattan{}
			case strings.Contains(kind, "cosine"):
				a.Metric = dist.Cosine{}
			}
			tree, err := a.Fit(t.Context(), data[name])
			if err != nil {
				t.Fatal(err)
			}
			if otherTies[name+" "+kind] {
				// What must hold then: every merge is one of the nearest two.
				if err := replay(a.Linkage, data[name], a.Metric, tree); err != nil {
					t.Errorf("%s, %s: %v", name, kind, err)
				}
				continue
			}
			got := tree.Heights
			if name == "many" {
				got = nil
				for i := len(tree.Heights) - 1; i >= 0; i -= 50 {
					got = append(got, tree.Heights[i])
				}
			}
			if gap := mltest.Gap(got, want.Heights); gap > 1e-9 {
				t.Errorf("%s, %s: heights differ from SciPy's by %.3g", name, kind, gap)
			}
			if want.Fastcluster != nil && name+kind != "digitsward" { // there it differs from SciPy
				if gap := mltest.Gap(got, want.Fastcluster); gap > 1e-9 {
					t.Errorf("%s, %s: heights differ from fastcluster's by %.3g", name, kind, gap)
				}
			}
		}
	}
}

// Without ties there is one tree: its cuts and its cophenetic distances are SciPy's.
func TestTreesEqualSciPys(t *testing.T) {
	refs, data := references(t)
	for _, name := range []string{"wine", "blobs", "far"} {
		d, err := dist.Pairwise(t.Context(), data[name], nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range linkages {
			want := refs[name][string(l)]
			tree, err := Agglomerative{Linkage: l}.Fit(t.Context(), data[name])
			if err != nil {
				t.Fatal(err)
			}
			cut, err := tree.CutCount(4)
			if err != nil || (tree.Inversions() == 0 && !samePartition(cut, want.Cut)) {
				t.Errorf("%s, %s: another cut into 4, %v", name, l, err)
			}
			r, err := tree.CopheneticCorrelation(d)
			if err != nil || math.Abs(r-want.Cophenetic) > 1e-9 {
				t.Errorf("%s, %s: cophenetic correlation %v, SciPy has %v, %v", name, l, r, want.Cophenetic, err)
			}
		}
	}
}

func samePartition(a, b []int) bool {
	if len(a) != len(b) {
		return false
	}
	forth, back := map[int]int{}, map[int]int{}
	for i := range a {
		if p, ok := forth[a[i]]; ok && p != b[i] {
			return false
		}
		if p, ok := back[b[i]]; ok && p != a[i] {
			return false
		}
		forth[a[i]], back[b[i]] = b[i], a[i]
	}
	return true
}

// drawn is any small data: clouds, grids full of equal distances, repeated rows, lines, and a hub
// that is everybody's nearest.
func drawn(t *rapid.T) *mat.Dense {
	n, d := rapid.IntRange(1, 45).Draw(t, "n"), rapid.IntRange(1, 5).Draw(t, "d")
	r := rng.New(rapid.Uint64().Draw(t, "seed"))
	x := mat.NewDense(n, d, nil)
	shape := rapid.SampledFrom([]string{"cloud", "grid", "repeated", "line", "hub", "far"}).Draw(t, "shape")
	if shape == "hub" {
		x = mat.NewDense(n, n, nil) // pairwise at right angles, ever farther from the first
		for i := 1; i < n; i++ {
			x.Set(i, i, 1+0.01*float64(i)*r.Float64())
		}
		return x
	}
	x.Apply(func(i, j int, _ float64) float64 {
		switch v := r.NormFloat64(); shape {
		case "grid":
			return math.Round(2 * v)
		case "line":
			if j > 0 {
				return 3
			}
			return math.Exp(3 * v)
		case "far":
			return 1e5 + v
		default:
			return v
		}
	}, x)
	if shape == "repeated" {
		for i := range n / 2 {
			x.SetRow(i, x.RawRowView(n-1-r.IntN(n)))
		}
	}
	return x
}

func TestEveryMergeIsOfTheNearest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawn(t)
		for _, l := range linkages {
			tree, err := Agglomerative{Linkage: l}.Fit(context.Background(), x)
			if err == nil {
				err = replay(l, x, nil, tree)
			}
			if err != nil {
				t.Fatalf("%s: %v", l, err)
			}
			if down := tree.Inversions(); down > 0 && l != Centroid {
				t.Fatalf("%s: %d merges lie below one they build on", l, down)
			}
			d, err := dist.Pairwise(context.Background(), x, nil)
			if err != nil {
				t.Fatal(err)
			}
			again, err := Agglomerative{Linkage: l, Metric: dist.Precomputed{}}.Fit(context.Background(), d)
			if err == nil {
				err = replay(l, x, nil, again)
			}
			if err != nil {
				t.Fatalf("%s of distances: %v", l, err)
			}
			if l == Ward || l == Centroid {
				continue
			}
			tree, err = Agglomerative{Linkage: l, Metric: dist.Chebyshev{}}.Fit(context.Background(), x)
			if err == nil {
				err = replay(l, x, dist.Chebyshev{}, tree)
			}
			if err != nil {
				t.Fatalf("%s, Chebyshev: %v", l, err)
			}
		}
	})
}

// At sizes where rows are taken in groups and blocks, the way from rows and the way from distances
// are different code; both must come to one tree. A hub with its rows at right angles makes every
// merge unsettle all, so that the rounds hand over to the chain.
func TestFromRowsAndFromDistances(t *testing.T) {
	hub := mat.NewDense(300, 300, nil)
	for i := 1; i < 300; i++ {
		hub.Set(i, i, 1+0.01*float64(i))
	}
	for name, x := range map[string]*mat.Dense{
		"blobs": datasets.Blobs(1700, 5, 6, 3, 1).X, "plane": datasets.Blobs(900, 2, 1, 1, 2).X, "wide": datasets.Blobs(600, 40, 20, 1, 3).X, "hub": hub,
	} {
		d, err := dist.Pairwise(t.Context(), x, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range linkages {
			a, err := Agglomerative{Linkage: l}.Fit(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			b, err := Agglomerative{Linkage: l, Metric: dist.Precomputed{}}.Fit(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if gap := mltest.Gap(a.Heights, b.Heights); gap > 1e-9 {
				t.Errorf("%s, %s: heights differ by %.3g", name, l, gap)
			}
			for _, k := range []int{2, 7, 50} {
				p, err1 := a.CutCount(k)
				q, err2 := b.CutCount(k)
				if err := errors.Join(err1, err2); err != nil || !samePartition(p, q) {
					t.Errorf("%s, %s: other partitions into %d, %v", name, l, k, err)
				}
			}
		}
	}
}

// What moves, turns or scales the data must move nothing in the tree but the heights' scale.
func TestHierarchicalInvariances(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		n := rapid.IntRange(2, 60).Draw(t, "n")
		x := mat.NewDense(n, 3, nil)
		x.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, x)
		scale := rapid.SampledFrom([]float64{1, 1e-300, 1e-150, 7, 1e150, 1e290}).Draw(t, "scale")
		turn := rotation(r)
		perm := r.Perm(n)
		y := mat.NewDense(n, 3, nil)
		for i, p := range perm {
			for j := range 3 {
				v := 0.0
				for k := range 3 {
					v += turn.At(j, k) * x.At(p, k)
				}
				y.Set(i, j, scale*(v+5*float64(j)))
			}
		}
		methods := map[string]func(context.Context, mat.Matrix) (*Tree, error){"DIANA": Diana{}.Fit}
		for _, l := range linkages {
			methods[string(l)] = Agglomerative{Linkage: l}.Fit
		}
		for name, fit := range methods {
			a, err := fit(context.Background(), x)
			if err != nil {
				t.Fatal(err)
			}
			b, err := fit(context.Background(), y)
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Heights {
				if math.Abs(b.Heights[i]/scale-a.Heights[i]) > 1e-9 {
					t.Fatalf("%s, scale %g: height %d is %v, moved and turned %v", name, scale, i, a.Heights[i], b.Heights[i]/scale)
				}
			}
			k := 1 + r.IntN(n)
			p, err1 := a.CutCount(k)
			q, err2 := b.CutCount(k)
			if err := errors.Join(err1, err2); err != nil {
				t.Fatal(err)
			}
			back := make([]int, n)
			for i, row := range perm {
				back[row] = q[i]
			}
			if !samePartition(p, back) {
				t.Fatalf("%s: permuted, moved and turned, another partition into %d", name, k)
			}
		}
	})
}

// rotation draws one from the normal distribution by Gram and Schmidt.
func rotation(r interface{ NormFloat64() float64 }) *mat.Dense {
	m := mat.NewDense(3, 3, nil)
	m.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, m)
	var qr mat.QR
	qr.Factorize(m)
	q := new(mat.Dense)
	qr.QTo(q)
	return q
}

// A table of distances with rounding, dense or symmetric, gives the tree of the table without.
func TestTablesWithRounding(t *testing.T) {
	clean := mat.NewSymDense(3, []float64{0, 1, 5, 1, 0, 4, 5, 4, 0})
	want, err := Agglomerative{Linkage: Average, Metric: dist.Precomputed{}}.Fit(t.Context(), clean)
	if err != nil {
		t.Fatal(err)
	}
	rounded := mat.NewSymDense(3, []float64{2e-16, 1, 5, 1, -3e-16, 4, 5, 4, 0})
	lopsided := mat.DenseCopyOf(rounded)
	lopsided.Set(0, 2, 5*(1+1e-7))
	for name, d := range map[string]mat.Matrix{"symmetric": rounded, "dense": lopsided} {
		got, err := Agglomerative{Linkage: Average, Metric: dist.Precomputed{}}.Fit(t.Context(), d)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if fmt.Sprint(got.Left, got.Right) != fmt.Sprint(want.Left, want.Right) || mat.Norm(mat.NewVecDense(2, []float64{got.Heights[0] - want.Heights[0], got.Heights[1] - want.Heights[1]}), 2) > 1e-6 {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		if _, err := (Diana{Metric: dist.Precomputed{}}).Fit(t.Context(), d); err != nil {
			t.Errorf("DIANA, %s: %v", name, err)
		}
	}
}

func TestHierarchicalBadInput(t *testing.T) {
	x := mat.NewDense(3, 2, []float64{0, 0, 1, 1, 2, 2})
	nan := mat.NewDense(2, 2, []float64{0, 0, math.NaN(), 1})
	sym := func(v ...float64) *mat.SymDense { return mat.NewSymDense(2, v) }
	ctx := t.Context()
	for name, c := range map[string]struct {
		fit  func() (*Tree, error)
		want error
		says string
	}{
		"an unknown linkage":   {func() (*Tree, error) { return Agglomerative{Linkage: "median"}.Fit(ctx, x) }, ml.ErrParameter, `"median"`},
		"Ward of city blocks":  {func() (*Tree, error) { return Agglomerative{Linkage: Ward, Metric: dist.Manhattan{}}.Fit(ctx, x) }, ml.ErrParameter, "Metric"},
		"centroid of a cosine": {func() (*Tree, error) { return Agglomerative{Linkage: Centroid, Metric: dist.Cosine{}}.Fit(ctx, x) }, ml.ErrParameter, "Metric"},
		"NaN":                  {func() (*Tree, error) { return Agglomerative{Linkage: Single}.Fit(ctx, nan) }, ml.ErrNotFinite, "row 1, column 0"},
		"NaN, DIANA":           {func() (*Tree, error) { return Diana{}.Fit(ctx, nan) }, ml.ErrNotFinite, "row 1, column 0"},
		"NaN, bisecting":       {func() (*Tree, error) { return BisectingKMeans{}.Fit(ctx, nan) }, ml.ErrNotFinite, "row 1, column 0"},
		"no restarts":          {func() (*Tree, error) { return BisectingKMeans{Restarts: -1}.Fit(ctx, x) }, ml.ErrParameter, "Restarts"},
		"no iterations":        {func() (*Tree, error) { return BisectingKMeans{MaxIter: -1}.Fit(ctx, x) }, ml.ErrParameter, "MaxIter"},
		"no directions":        {func() (*Tree, error) { return Agglomerative{Metric: dist.Cosine{}}.Fit(ctx, x) }, ml.ErrParameter, "row 0"},
		"a metric gone wrong":  {func() (*Tree, error) { return Agglomerative{Metric: constantly(math.NaN())}.Fit(ctx, x) }, ml.ErrNotFinite, "rows 0 and 1"},
		"a single metric so": {func() (*Tree, error) {
			return Agglomerative{Linkage: Single, Metric: constantly(math.NaN())}.Fit(ctx, x)
		}, ml.ErrNotFinite, "rows 0 and"},
		"a metric below 0":        {func() (*Tree, error) { return Agglomerative{Metric: constantly(-1)}.Fit(ctx, x) }, ml.ErrParameter, "rows 0 and 1"},
		"a single metric below 0": {func() (*Tree, error) { return Agglomerative{Linkage: Single, Metric: constantly(-1)}.Fit(ctx, x) }, ml.ErrParameter, "rows 0 and"},
		"DIANA below 0":           {func() (*Tree, error) { return Diana{Metric: constantly(-1)}.Fit(ctx, x) }, ml.ErrParameter, "rows 0 and 1"},
		"nil distances":           {func() (*Tree, error) { return Agglomerative{Metric: dist.Precomputed{}}.Fit(ctx, nil) }, ml.ErrEmpty, "nil"},
		"typed nil distances":     {func() (*Tree, error) { return Diana{Metric: dist.Precomputed{}}.Fit(ctx, (*mat.SymDense)(nil)) }, ml.ErrEmpty, "nil"},
		"no distances":            {func() (*Tree, error) { return Agglomerative{Metric: dist.Precomputed{}}.Fit(ctx, &mat.SymDense{}) }, ml.ErrEmpty, "0×0"},
		"a negative distance":     {func() (*Tree, error) { return Agglomerative{Metric: dist.Precomputed{}}.Fit(ctx, sym(0, -1, -1, 0)) }, ml.ErrParameter, "rows 0 and 1"},
		"an infinite distance": {func() (*Tree, error) {
			return Agglomerative{Metric: dist.Precomputed{}}.Fit(ctx, sym(0, math.Inf(1), 0, 0))
		}, ml.ErrNotFinite, "rows 0 and 1"},
		"a lopsided table": {func() (*Tree, error) {
			return Diana{Metric: dist.Precomputed{}}.Fit(ctx, mat.NewDense(2, 2, []float64{0, 1, 2, 0}))
		}, ml.ErrParameter, "symmetric"},
		"no table": {func() (*Tree, error) {
			return Agglomerative{Metric: dist.Precomputed{}}.Fit(ctx, mat.NewDense(2, 3, nil))
		}, ml.ErrShape, "2×3"},
		"similarities": {func() (*Tree, error) { return Agglomerative{Metric: dist.Precomputed{}}.Fit(ctx, sym(1, 0.5, 0.5, 1)) }, ml.ErrParameter, "similarities"},
		"a table beyond memory": {func() (*Tree, error) {
			return Agglomerative{Linkage: Complete}.Fit(ctx, mat.NewDense(1<<16+1, 1, nil))
		}, ml.ErrShape, "65537 rows"},
		"distances too large": {func() (*Tree, error) {
			return Agglomerative{Linkage: Ward}.Fit(ctx, mat.NewDense(2, 1, []float64{-1.7e308, 1.7e308}))
		}, ml.ErrParameter, "divide"},
		"single, too large": {func() (*Tree, error) {
			return Agglomerative{Linkage: Single}.Fit(ctx, mat.NewDense(2, 1, []float64{-1.7e308, 1.7e308}))
		}, ml.ErrParameter, "divide"},
		"bisecting, too large": {func() (*Tree, error) {
			return BisectingKMeans{}.Fit(ctx, mat.NewDense(2, 1, []float64{-1.7e308, 1.7e308}))
		}, ml.ErrParameter, "divide"},
	} {
		tree, err := c.fit()
		if !errors.Is(err, c.want) || tree != nil {
			t.Errorf("%s: %v, %v, want an error that wraps %q and no tree", name, tree, err, c.want)
		} else if !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: the error %q does not say %q", name, err, c.says)
		}
	}
}

func constantly(v float64) dist.Metric { return dist.Func(func(_, _ []float64) float64 { return v }) }

// Data on which there is little to decide, with the heights that must come out.
func TestHierarchicalDegenerateData(t *testing.T) {
	root2 := math.Sqrt2
	for name, c := range map[string]struct {
		x    mat.Matrix
		want map[Linkage][]float64
	}{
		"one row":     {mat.NewDense(1, 3, []float64{1, 2, 3}), map[Linkage][]float64{Single: {}, Complete: {}, Average: {}, Ward: {}, Centroid: {}}},
		"two rows":    {mat.NewDense(2, 2, []float64{0, 0, 3, 4}), map[Linkage][]float64{Single: {5}, Complete: {5}, Average: {5}, Ward: {5}, Centroid: {5}}},
		"equal rows":  {mat.NewDense(3, 1, []float64{.1, .1, .1}), map[Linkage][]float64{Single: {0, 0}, Complete: {0, 0}, Average: {0, 0}, Ward: {0, 0}, Centroid: {0, 0}}},
		"a line":      {mat.NewDense(3, 1, []float64{0, 1, 3}), map[Linkage][]float64{Single: {1, 2}, Complete: {1, 3}, Average: {1, 2.5}, Ward: {1, 2.5 * math.Sqrt(4./3)}, Centroid: {1, 2.5}}},
		"a diagonal":  {mat.NewDiagDense(3, []float64{1, 1, 1}), map[Linkage][]float64{Single: {root2, root2}, Complete: {root2, root2}, Average: {root2, root2}, Ward: {root2, root2}, Centroid: {root2, math.Sqrt(1.5)}}},
		"a transpose": {mat.NewDense(1, 3, []float64{0, 1, 3}).T(), map[Linkage][]float64{Single: {1, 2}, Complete: {1, 3}}},
		"a view":      {mat.NewDense(3, 3, []float64{0, 9, 9, 1, 9, 9, 3, 9, 9}).Slice(0, 3, 0, 1), map[Linkage][]float64{Single: {1, 2}, Average: {1, 2.5}}},
		"1e300":       {mat.NewDense(3, 1, []float64{0, 1e300, 3e300}), map[Linkage][]float64{Single: {1e300, 2e300}, Complete: {1e300, 3e300}, Average: {1e300, 2.5e300}, Centroid: {1e300, 2.5e300}}},
		"1e-300":      {mat.NewDense(3, 1, []float64{0, 1e-300, 3e-300}), map[Linkage][]float64{Single: {1e-300, 2e-300}, Complete: {1e-300, 3e-300}, Average: {1e-300, 2.5e-300}, Centroid: {1e-300, 2.5e-300}}},
		"1e300 apart": {mat.NewDense(2, 2, []float64{1e300, 1, 1e300, 4}), map[Linkage][]float64{Single: {3}, Complete: {3}, Average: {3}, Ward: {3}, Centroid: {3}}},
	} {
		for l, want := range c.want {
			tree, err := Agglomerative{Linkage: l}.Fit(t.Context(), c.x)
			if err != nil {
				t.Errorf("%s, %s: %v", name, l, err)
				continue
			}
			for i, w := range want {
				if len(tree.Heights) != len(want) || math.Abs(tree.Heights[i]-w) > 1e-14*w {
					t.Errorf("%s, %s: heights %v, want %v", name, l, tree.Heights, want)
					break
				}
			}
		}
	}
}

// Given distances may be as large or small as a float64 allows; a power of two as scale changes no
// digit.
func TestDistancesOfAnyScale(t *testing.T) {
	x := datasets.Blobs(30, 3, 3, 3, 1).X
	d, err := dist.Pairwise(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	methods := map[string]func(context.Context, mat.Matrix) (*Tree, error){"DIANA": Diana{Metric: dist.Precomputed{}}.Fit}
	for _, l := range linkages {
		methods[string(l)] = Agglomerative{Linkage: l, Metric: dist.Precomputed{}}.Fit
	}
	for name, fit := range methods {
		want, err := fit(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		for _, scale := range []float64{0x1p1000, 0x1p-1000} {
			scaled := mat.NewSymDense(30, nil)
			scaled.ScaleSym(scale, d)
			got, err := fit(t.Context(), scaled)
			if err != nil {
				t.Errorf("%s, scale %g: %v", name, scale, err)
				continue
			}
			for i, h := range got.Heights {
				if math.Abs(h/scale-want.Heights[i]) > 1e-12*want.Heights[i] {
					t.Errorf("%s, scale %g: height %d is %v, want %v", name, scale, i, h/scale, want.Heights[i])
					break
				}
			}
		}
	}
}

func TestHierarchicalOnAnyNumberOfProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	x := datasets.Blobs(2500, 6, 8, 2, 4).X
	x.Apply(func(_, _ int, v float64) float64 { return math.Round(4 * v) }, x) // with ties
	for _, l := range linkages {
		var first *Tree
		for _, procs := range []int{1, 2, 7} {
			runtime.GOMAXPROCS(procs)
			tree, err := Agglomerative{Linkage: l}.Fit(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = tree
			}
			if !reflect.DeepEqual(tree, first) {
				t.Errorf("%s: another tree on %d processors", l, procs)
			}
		}
	}
}

func TestHierarchicalCancellation(t *testing.T) {
	x := datasets.Blobs(12000, 10, 10, 4, 1).X
	small := datasets.Blobs(6000, 4, 3, 1, 1).X
	fits := map[string]func(context.Context) error{
		"DIANA":     func(ctx context.Context) error { _, err := Diana{}.Fit(ctx, small); return err },
		"bisecting": func(ctx context.Context) error { _, err := BisectingKMeans{}.Fit(ctx, x); return err },
		"Prim":      func(ctx context.Context) error { _, err := Prim(ctx, x, dist.Manhattan{}); return err },
	}
	for _, l := range linkages {
		fits[string(l)] = func(ctx context.Context) error { _, err := Agglomerative{Linkage: l}.Fit(ctx, x); return err }
	}
	for name, fit := range fits {
		for _, wait := range []time.Duration{2 * time.Millisecond, 70 * time.Millisecond} {
			mltest.Prompt(t, fmt.Sprintf("%s after %v", name, wait), wait, fit)
		}
	}
}

// A table of the distances of 8,000 rows would be 256 MB, by half. Single and Ward's linkage, and
// centroid linkage too, keep none.
func TestNoTableOfDistances(t *testing.T) {
	x := datasets.Blobs(8000, 4, 5, 3, 1).X
	for _, l := range []Linkage{Single, Ward, Centroid} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := (Agglomerative{Linkage: l}).Fit(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if mb := float64(after.TotalAlloc-before.TotalAlloc) / (1 << 20); mb > 24 {
			t.Errorf("%s: %.0f MB were allocated in all, want at most 24", l, mb)
		}
	}
}

func FuzzAgglomerative(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200}, uint8(1), uint8(0))
	f.Add([]byte{0, 0, 0, 0, 1, 1, 9, 9}, uint8(2), uint8(4))
	f.Fuzz(func(t *testing.T, bytes []byte, d, which uint8) {
		n := 0
		if d > 0 {
			n = len(bytes) / int(d)
		}
		if n == 0 || n > 80 {
			return
		}
		x := mat.NewDense(n, int(d), nil)
		for i := range n * int(d) {
			x.Set(i/int(d), i%int(d), math.Ldexp(float64(int8(bytes[i])), int(bytes[(i+1)%len(bytes)])%40-20))
		}
		l := linkages[int(which)%len(linkages)]
		tree, err := Agglomerative{Linkage: l}.Fit(t.Context(), x)
		if err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		if err := replay(l, x, nil, tree); err != nil {
			t.Fatalf("%s: %v", l, err)
		}
		divided, err := Diana{}.Fit(t.Context(), x)
		if err == nil {
			err = divided.check("")
		}
		if err != nil {
			t.Fatalf("DIANA: %v", err)
		}
		halved, err := BisectingKMeans{Restarts: 1}.Fit(t.Context(), x)
		if err == nil {
			err = halved.check("")
		}
		if err != nil || halved.Inversions() > 0 || divided.Inversions() > 0 {
			t.Fatalf("bisecting: %v", err)
		}
	})
}

func BenchmarkAgglomerative(b *testing.B) {
	x := datasets.Blobs(2000, 10, 10, 4, 1).X
	for _, l := range linkages {
		b.Run(string(l), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := (Agglomerative{Linkage: l}).Fit(b.Context(), x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
