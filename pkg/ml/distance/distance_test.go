package distance_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

var metrics = map[string]distance.Metric{
	"euclidean": distance.Euclidean{}, "sqeuclidean": distance.SqEuclidean{}, "cityblock": distance.Manhattan{}, "chebyshev": distance.Chebyshev{},
	"cosine": distance.Cosine{}, "correlation": distance.Correlation{},
	"minkowski 1.0": distance.Minkowski{R: 1}, "minkowski 1.5": distance.Minkowski{R: 1.5}, "minkowski 2.0": distance.Minkowski{}, "minkowski 3.0": distance.Minkowski{R: 3},
	"minkowski 4.0": distance.Minkowski{R: 4}, "minkowski 7.3": distance.Minkowski{R: 7.3}, "minkowski 0.5": distance.Minkowski{R: 0.5},
}

func TestEqualsSciPy(t *testing.T) {
	want := mltest.ReadJSON[struct {
		X, Y, Bits, Hamming [][]float64
		Cross               map[string][][]float64
	}](t, "scipy.json")
	x, y := mltest.FromRows(want.X), mltest.FromRows(want.Y)
	if len(want.Cross) != len(metrics) {
		t.Errorf("%d tables by SciPy, %d metrics here", len(want.Cross), len(metrics))
	}
	for name, table := range want.Cross {
		got, err := distance.Cross(t.Context(), x, y, metrics[name])
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range table {
			for j, w := range row {
				if math.Abs(got.At(i, j)-w) > 1e-12*max(1, w) {
					t.Errorf("%s (%d, %d): %v, SciPy has %v", name, i, j, got.At(i, j), w)
				}
				if single := metrics[name].Distance(want.X[i], want.Y[j]); math.Abs(single-got.At(i, j)) > 1e-14*max(1, w) {
					t.Errorf("%s (%d, %d): %v in the table, %v alone", name, i, j, got.At(i, j), single)
				}
			}
		}
	}
	bits := mltest.FromRows(want.Bits)
	h, err := distance.Pairwise(t.Context(), bits, distance.Hamming{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := distance.Pairwise(t.Context(), bits, distance.Manhattan{})
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range want.Hamming {
		for j, w := range row {
			if math.Abs(h.At(i, j)/11-w) > 1e-15 || h.At(i, j) != m.At(i, j) {
				t.Errorf("Hamming (%d, %d): %v of 11, SciPy has %v, Manhattan %v", i, j, h.At(i, j), w, m.At(i, j))
			}
		}
	}
}

// Where squares overflow or vanish the distance must still be right: each metric is homogeneous,
// d(sa, sb) = s·d(a, b).
func TestScales(t *testing.T) {
	a, b := []float64{1, -2, 0.5, 3, 1e-3}, []float64{0.25, 1, 0.5, -2, 1}
	for name, m := range metrics {
		if name == "sqeuclidean" || name == "cosine" || name == "correlation" {
			continue
		}
		want := m.Distance(a, b)
		for _, s := range []float64{1e-300, 1e-160, 1e150, 1e300} {
			sa, sb := make([]float64, len(a)), make([]float64, len(a))
			for j := range a {
				sa[j], sb[j] = s*a[j], s*b[j]
			}
			if got := m.Distance(sa, sb) / s; math.Abs(got-want) > 1e-12*want {
				t.Errorf("%s at scale %g: %v, want %v", name, s, got, want)
			}
		}
	}
	for _, s := range []float64{1e-300, 1e-160, 1e150, 1e300} {
		for _, m := range []distance.Metric{distance.Cosine{}, distance.Correlation{}} {
			sa := make([]float64, len(a))
			for j := range a {
				sa[j] = s * a[j]
			}
			if got, want := m.Distance(sa, b), m.Distance(a, b); math.Abs(got-want) > 1e-14 {
				t.Errorf("%T at scale %g: %v, want %v", m, s, got, want)
			}
		}
	}
}

// The axioms as properties: on random points each metric keeps what it promises.
func TestAxiomsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(1, 9).Draw(t, "n"), rapid.IntRange(1, 6).Draw(t, "d")
		x := mltest.Normal(rapid.Uint64().Draw(t, "seed"), n, d)
		r := rapid.Float64Range(1, 12).Draw(t, "r")
		for _, m := range []distance.Metric{distance.Euclidean{}, distance.Manhattan{}, distance.Chebyshev{}, distance.Hamming{}, distance.Minkowski{R: r}, distance.Minkowski{R: math.Inf(1)}} {
			table, err := distance.Cross(context.Background(), x, x, m)
			if err != nil {
				t.Fatal(err)
			}
			report, err := distance.Axioms(context.Background(), table, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !report.Metric() {
				t.Fatalf("%#v:\n%v", m, report)
			}
		}
		// Minkowski's distance falls as r rises.
		if n > 1 {
			a, b := x.RawRowView(0), x.RawRowView(1)
			if lo, hi := (distance.Minkowski{R: r + 0.5}).Distance(a, b), (distance.Minkowski{R: r}).Distance(a, b); lo > hi*(1+1e-12) {
				t.Fatalf("r = %v: %v, r = %v: %v", r+0.5, lo, r, hi)
			}
		}
	})
}

func TestAxiomsFindTheOffender(t *testing.T) {
	table := func(v ...float64) mat.Matrix { return mat.NewDense(3, 3, v) }
	for _, c := range []struct {
		name   string
		table  mat.Matrix
		broken func(distance.Report) *distance.Violation
		want   distance.Violation
	}{
		{"self-similarity", table(0, 1, 1, 1, 0.5, 1, 1, 1, 0), func(r distance.Report) *distance.Violation { return r.SelfSimilarity }, distance.Violation{0.5, 1, 1, -1}},
		{"symmetry", table(0, 1, 1, 1, 0, 1, 1.25, 1, 0), func(r distance.Report) *distance.Violation { return r.Symmetry }, distance.Violation{0.25, 0, 2, -1}},
		{"separation", table(0, 1, 1, 1, 0, 0, 1, 0, 0), func(r distance.Report) *distance.Violation { return r.Separation }, distance.Violation{0, 1, 2, -1}},
		{"separation, negative", table(0, 1, 1, 1, 0, -2, 1, -1, 0), func(r distance.Report) *distance.Violation { return r.Separation }, distance.Violation{2, 1, 2, -1}},
		{"triangle", table(0, 1, 4, 1, 0, 1, 4, 1, 0), func(r distance.Report) *distance.Violation { return r.Triangle }, distance.Violation{2, 0, 2, 1}},
		{"ultrametric", table(0, 1, 2, 1, 0, 1, 2, 1, 0), func(r distance.Report) *distance.Violation { return r.Ultrametric }, distance.Violation{1, 0, 2, 1}},
	} {
		report, err := distance.Axioms(t.Context(), c.table, 0)
		if err != nil {
			t.Fatal(err)
		}
		if v := c.broken(report); v == nil || *v != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, v, c.want)
		}
	}
	good, err := distance.Axioms(t.Context(), table(0, 1, 2, 1, 0, 2, 2, 2, 0), 0)
	if err != nil || good != (distance.Report{}) {
		t.Errorf("an ultrametric: %v, %v", good, err)
	}
	if !strings.Contains(good.String(), "triangle         holds") {
		t.Errorf("String: %s", good)
	}
}

// The worst offender is what a plain loop over all triples finds.
func TestAxiomsAgreesWithThePlainLoop(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		d := mat.NewDense(n, n, rapid.SliceOfN(rapid.Float64Range(-1, 3), n*n, n*n).Draw(t, "d"))
		report, err := distance.Axioms(context.Background(), d, 0)
		if err != nil {
			t.Fatal(err)
		}
		triangle, ultra := 0.0, 0.0
		for i := range n {
			for j := range n {
				for k := range n {
					triangle = max(triangle, d.At(i, j)-(d.At(i, k)+d.At(k, j)))
					ultra = max(ultra, d.At(i, j)-max(d.At(i, k), d.At(k, j)))
				}
			}
		}
		check := func(name string, v *distance.Violation, by float64) {
			if (v == nil) != (by <= 1e-12*mat.Max(d) || by <= 3e-12) && by > 1e-11 || v != nil && v.By != by {
				t.Fatalf("%s: %+v, the plain loop has %v", name, v, by)
			}
		}
		check("triangle", report.Triangle, triangle)
		check("ultrametric", report.Ultrametric, ultra)
	})
}

// All kinds of table agree with each other and do not depend on the number of processors.
func TestTablesAgree(t *testing.T) {
	x := mltest.Normal(3, 137, 19)
	for name, m := range metrics {
		cross, err := distance.Cross(t.Context(), x, x, m)
		if err != nil {
			t.Fatal(err)
		}
		sym, err := distance.Pairwise(t.Context(), x.T().T(), m)
		if err != nil {
			t.Fatal(err)
		}
		flat, err := distance.Condensed(t.Context(), mat.DenseCopyOf(x.T()).T(), m)
		if err != nil {
			t.Fatal(err)
		}
		before := runtime.GOMAXPROCS(5)
		again, err := distance.Cross(t.Context(), x, x, m)
		runtime.GOMAXPROCS(before)
		if err != nil || !mat.Equal(cross, again) {
			t.Errorf("%s: another table on five processors (%v)", name, err)
		}
		rows, err := distance.NewRows(m, x, nil)
		if err != nil {
			t.Fatal(err)
		}
		part := make([]float64, 30)
		for i := range 137 {
			rows.From(part, i, 100)
			for j := range 137 {
				if j >= 100 && j < 130 && part[j-100] != cross.At(i, j) {
					t.Fatalf("%s (%d, %d): Rows has %v, Cross %v", name, i, j, part[j-100], cross.At(i, j))
				}
				if cross.At(i, j) != cross.At(j, i) {
					t.Fatalf("%s (%d, %d): not symmetric", name, i, j)
				}
				if i < j && (sym.At(i, j) != cross.At(i, j) || flat[distance.Index(137, i, j)] != cross.At(i, j)) {
					t.Fatalf("%s (%d, %d): %v, %v and %v", name, i, j, cross.At(i, j), sym.At(i, j), flat[distance.Index(137, i, j)])
				}
				if i == j && cross.At(i, j) > 1e-12 {
					t.Fatalf("%s: self-distance %v", name, cross.At(i, j))
				}
			}
		}
	}
}

func TestBadInput(t *testing.T) {
	good := mltest.Normal(1, 4, 3)
	with := func(i, j int, v float64) *mat.Dense {
		x := mat.DenseCopyOf(good)
		x.Set(i, j, v)
		return x
	}
	zeroRow := mat.DenseCopyOf(good)
	zeroRow.SetRow(2, []float64{0, 0, 0})
	flatRow := mat.DenseCopyOf(good)
	flatRow.SetRow(1, []float64{5, 5, 5})
	nan := distance.Func(func(a, b []float64) float64 { return math.NaN() })
	far := mat.NewDense(2, 2, []float64{1e308, 1e308, -1e308, -1e308})
	for _, c := range []struct {
		name   string
		x, y   mat.Matrix
		metric distance.Metric
		kind   error
		says   string
	}{
		{"empty", &mat.Dense{}, good, nil, ml.ErrEmpty, "0×0"},
		{"nil", nil, good, nil, ml.ErrEmpty, "nil"},
		{"nil y", good, nil, nil, ml.ErrShape, "y is nil"},
		{"columns", good, mltest.Normal(1, 4, 2), nil, ml.ErrShape, "3 columns and y has 2"},
		{"NaN", with(2, 1, math.NaN()), good, nil, ml.ErrNotFinite, "row 2, column 1"},
		{"Inf in y", good, with(0, 2, math.Inf(1)), nil, ml.ErrNotFinite, "row 0, column 2"},
		{"r below zero", good, good, distance.Minkowski{R: -1}, ml.ErrParameter, "R = -1"},
		{"r is NaN", good, good, distance.Minkowski{R: math.NaN()}, ml.ErrParameter, "R > 0"},
		{"no direction", good, zeroRow, distance.Cosine{}, ml.ErrParameter, "row 2"},
		{"no correlation", flatRow, good, distance.Correlation{}, ml.ErrParameter, "row 1"},
		{"overflow", far, far, nil, ml.ErrNotFinite, "rows 0 and 1 overflows"},
		{"a caller's metric", good, good, nan, ml.ErrNotFinite, "rows 0 and 0 is NaN"},
	} {
		_, err := distance.Cross(t.Context(), c.x, c.y, c.metric)
		if !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%s: %v, want %v and %q", c.name, err, c.kind, c.says)
		}
	}
	if _, err := distance.Axioms(t.Context(), mltest.Normal(1, 2, 3), 0); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a table of 2×3: %v", err)
	}
	if _, err := distance.Axioms(t.Context(), mltest.Normal(1, 2, 2), -1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a tolerance below zero: %v", err)
	}
	if _, err := distance.EditTable(t.Context(), nil, nil); !errors.Is(err, ml.ErrEmpty) {
		t.Errorf("no strings: %v", err)
	}
	if d := (distance.Cosine{}).Distance([]float64{0, 0}, []float64{1, 2}); !math.IsNaN(d) {
		t.Errorf("the angle of zeros is %v", d)
	}
	if d := (distance.Minkowski{R: -2}).Distance([]float64{0, 0}, []float64{1, 2}); !math.IsNaN(d) {
		t.Errorf("Minkowski with r = -2 is %v", d)
	}
}

func TestCancel(t *testing.T) {
	x, square := mltest.Normal(1, 20000, 60), mltest.Normal(2, 2000, 2000)
	var strs []string
	for range 4000 {
		strs = append(strs, strings.Repeat("abcdefghij", 12))
	}
	for name, f := range map[string]func(ctx context.Context) error{
		"Cross": func(ctx context.Context) error { return mltest.Err(distance.Cross(ctx, x, x, nil)) },
		"Condensed": func(ctx context.Context) error {
			return mltest.Err(distance.Condensed(ctx, x, distance.Minkowski{R: 1.7}))
		},
		"Axioms":    func(ctx context.Context) error { return mltest.Err(distance.Axioms(ctx, square, 0)) },
		"EditTable": func(ctx context.Context) error { return mltest.Err(distance.EditTable(ctx, strs, nil)) },
	} {
		if !mltest.Prompt(t, name, 60*time.Millisecond, f) {
			t.Errorf("%s was done before its context ended", name)
		}
	}
}

func FuzzCross(f *testing.F) {
	f.Add(uint8(3), uint8(2), uint8(0), 1.0, 2.0)
	f.Add(uint8(1), uint8(7), uint8(4), 1e300, 0.3)
	f.Fuzz(func(t *testing.T, n, d, which uint8, scale, r float64) {
		x := mltest.Normal(uint64(n), int(n%12), max(1, int(d%12)))
		if x.IsEmpty() {
			return
		}
		x.Scale(scale, x)
		all := []distance.Metric{distance.Euclidean{}, distance.SqEuclidean{}, distance.Manhattan{}, distance.Chebyshev{}, distance.Hamming{}, distance.Cosine{}, distance.Correlation{}, distance.Minkowski{R: r}}
		table, err := distance.Pairwise(t.Context(), x, all[int(which)%len(all)])
		if err != nil {
			return
		}
		for i := range table.SymmetricDim() {
			for j := range i {
				if v := table.At(i, j); !(v >= 0) || math.IsInf(v, 1) {
					t.Fatalf("(%d, %d): %v", i, j, v)
				}
			}
		}
	})
}

// What measures rows refuses a table of distances, and a list of distances becomes the table that
// it was made from.
func TestPrecomputed(t *testing.T) {
	x := mat.NewDense(4, 2, []float64{0, 0, 3, 4, 6, 8, 1, 0})
	if _, err := distance.Pairwise(t.Context(), x, distance.Precomputed{}); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), "Precomputed") {
		t.Errorf("Pairwise: %v", err)
	}
	want, err := distance.Pairwise(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	list, err := distance.Condensed(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := distance.Square(list); err != nil || !mat.Equal(got, want) {
		t.Errorf("Square gives %v, %v, want %v", got, err, want)
	}
	for _, bad := range [][]float64{nil, {1, 2}} {
		if _, err := distance.Square(bad); !errors.Is(err, ml.ErrShape) {
			t.Errorf("a list of %d distances: %v", len(bad), err)
		}
	}
	for name, c := range map[string]struct {
		d    *mat.Dense
		want error
	}{
		"not square":    {mat.NewDense(1, 2, nil), ml.ErrShape},
		"a diagonal":    {mat.NewDense(2, 2, []float64{0, 1, 1, 2}), ml.ErrParameter},
		"negative":      {mat.NewDense(2, 2, []float64{0, -1, -1, 0}), ml.ErrParameter},
		"not symmetric": {mat.NewDense(2, 2, []float64{0, 1, 1.001, 0}), ml.ErrParameter},
		"NaN":           {mat.NewDense(2, 2, []float64{0, math.NaN(), 1, 0}), ml.ErrNotFinite},
	} {
		if _, err := distance.Table(t.Context(), "x", c.d); !errors.Is(err, c.want) {
			t.Errorf("a table that is %s: %v", name, err)
		}
	}
	if got, err := distance.Table(t.Context(), "x", want); err != nil || !mat.Equal(got, want) {
		t.Errorf("Table gives %v, %v", got, err)
	}
	// What rounding leaves is taken: 2e-16 on the diagonal, two triangles of float32, a zero below
	// zero.
	rounded := mat.DenseCopyOf(want)
	rounded.Set(1, 1, 2e-16)
	rounded.Set(0, 1, want.At(0, 1)*(1+1e-7))
	same := mat.NewDense(2, 2, []float64{-1e-17, 1e-17, -1e-17, 0})
	if got, err := distance.Table(t.Context(), "x", rounded); err != nil || !mat.EqualApprox(got, want, 1e-6) || got.At(1, 1) != 0 || got.At(0, 1) != got.At(1, 0) {
		t.Errorf("a table with rounding gives %v, %v", got, err)
	}
	rounded.Set(0, 3, -1e-9)
	rounded.Set(3, 0, 0)
	if got, err := distance.Table(t.Context(), "x", rounded); err != nil || got.At(0, 3) != 0 || got.At(3, 0) != 0 {
		t.Errorf("an entry just below zero gives %v, %v", got, err)
	}
	if _, err := distance.Table(t.Context(), "x", same); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a table that is nothing but rounding: %v", err)
	}
}

// Of sparse rows every metric gives what it gives of the dense ones.
func TestSparseRows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m, d := rapid.IntRange(1, 9).Draw(t, "n"), rapid.IntRange(1, 9).Draw(t, "m"), rapid.IntRange(2, 12).Draw(t, "d")
		draw := func(n int) (*mat.Dense, *csr.Matrix) {
			x := mat.NewDense(n, d, nil)
			for i := range n {
				x.Set(i, rapid.IntRange(0, d-1).Draw(t, "place"), 1.5) // no row of zeros, which has no direction
				for range rapid.IntRange(0, 4).Draw(t, "more") {
					x.Set(i, rapid.IntRange(0, d-1).Draw(t, "j"), float64(rapid.IntRange(1, 3).Draw(t, "v")))
				}
			}
			s, err := csr.FromDense(x)
			if err != nil {
				t.Fatal(err)
			}
			return x, s
		}
		x, sx := draw(n)
		y, sy := draw(m)
		ctx := context.Background()
		for name, metric := range metrics {
			if !distance.Sparse(metric) {
				continue
			}
			want, err := distance.Cross(ctx, x, y, metric)
			if err != nil {
				t.Fatal(err)
			}
			for _, pair := range [][2]mat.Matrix{{sx, sy}, {x, sy}, {sx, y}} {
				if got, err := distance.Cross(ctx, pair[0], pair[1], metric); err != nil || !mat.EqualApprox(got, want, 1e-12) {
					t.Fatalf("%s: %v, %v, want %v", name, got, err, want)
				}
			}
			within, err := distance.Pairwise(ctx, x, metric)
			if err != nil {
				t.Fatal(err)
			}
			if got, err := distance.Pairwise(ctx, sx, metric); err != nil || !mat.EqualApprox(got, within, 1e-12) {
				t.Fatalf("%s: %v, %v, want %v", name, got, err, within)
			}
		}
	})
}

// A sparse matrix that would take terabytes as a dense one is measured all the same, and what is
// wrong with one is said.
func TestSparseRowsOfManyColumns(t *testing.T) {
	x, err := csr.FromTriplets(3, 1e12, []int{0, 1, 1}, []int{5, 5, 9e11}, []float64{3, 3, 4})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := distance.Pairwise(t.Context(), x, nil); err != nil || got.At(0, 1) != 4 || got.At(0, 2) != 3 || got.At(1, 2) != 5 {
		t.Errorf("%v, %v", got, err)
	}
	for name, c := range map[string]struct {
		metric distance.Metric
		x, y   mat.Matrix
		want   error
		says   string
	}{
		"zeros":       {distance.Cosine{}, x, nil, ml.ErrParameter, "row 2"},
		"correlation": {distance.Correlation{}, x, nil, ml.ErrShape, "sparse"},
		"columns":     {nil, x, mat.NewDense(1, 2, nil), ml.ErrShape, "2"},
		"broken":      {nil, &csr.Matrix{Columns: 2, Start: []int{0, 1}, Index: []int{3}, Value: []float64{1}}, nil, ml.ErrParameter, "a column in row 0"},
		"Minkowski":   {distance.Minkowski{R: -1}, x, nil, ml.ErrParameter, "Minkowski.R"},
		"nil":         {nil, (*csr.Matrix)(nil), nil, ml.ErrEmpty, "nil"},
	} {
		if _, err := distance.NewRows(c.metric, c.x, c.y); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q", name, err, c.want, c.says)
		}
	}
}
