package manifold

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

type mdsValues struct {
	D         map[string][][]float64
	Classical []struct {
		Name             string
		Map, Eigenvalues []float64
	}
	Metric []struct {
		Name   string
		Init   [][]float64
		Stress float64
	}
	Nonmetric []struct {
		Name    string
		Init    [][]float64
		Stress1 float64
	}
	Isotonic []struct{ V, Fit []float64 }
}

func TestClassicalMDSEqualsScikitLearn(t *testing.T) {
	values := mltest.ReadJSON[mdsValues](t, "mds.json")
	for _, c := range values.Classical {
		m, err := ClassicalMDS{Metric: distance.Precomputed{}}.Fit(t.Context(), mltest.FromRows(values.D[c.Name]))
		if err != nil {
			t.Fatal(err)
		}
		d := distancesOf(m.Embedding)
		n, _ := d.Dims()
		for i := range n {
			for j := i + 1; j < n; j++ {
				if want := c.Map[distance.Index(n, i, j)]; math.Abs(d.At(i, j)-want) > 1e-9 {
					t.Fatalf("%s: the distance of %d and %d is %g, scikit-learn's %g", c.Name, i, j, d.At(i, j), want)
				}
			}
		}
		for j, v := range m.Eigenvalues {
			if math.Abs(v-c.Eigenvalues[j]) > 1e-9*c.Eigenvalues[0] {
				t.Errorf("%s: eigenvalue %d is %.12g, scikit-learn's is %.12g", c.Name, j, v, c.Eigenvalues[j])
			}
		}
		if want := c.Name == "iris euclidean"; m.Euclidean != want {
			t.Errorf("%s: Euclidean is %v", c.Name, m.Euclidean)
		}
	}
}

// Points are found again exactly from their distances, whatever their number.
func TestClassicalMDSRecoversPoints(t *testing.T) {
	for _, n := range []int{2, 3, 30, 199, 201, 700} {
		for _, k := range []int{1, 2, 5} {
			if k >= n {
				continue
			}
			d := distancesOf(mltest.Normal(uint64(n), n, k))
			m, err := ClassicalMDS{Components: k, Metric: distance.Precomputed{}}.Fit(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			if gap := mltest.MatrixGap(distancesOf(m.Embedding), d); gap > 1e-8 || !m.Euclidean {
				t.Errorf("n = %d, k = %d: a distance is off by %g, Euclidean %v", n, k, gap, m.Euclidean)
			}
			// An object of the fit, placed by its distances, lands on its own point; so does a new
			// one that lies among them.
			placed, err := m.Place(d)
			if err != nil {
				t.Fatal(err)
			}
			if gap := mltest.MatrixGap(placed, m.Embedding); gap > 1e-7 {
				t.Errorf("n = %d, k = %d: placed again a point is off by %g", n, k, gap)
			}
		}
	}
}

// B's definiteness decides: Euclidean distances to the power 0 < p ≤ 1 are Euclidean (Schoenberg,
// 1937), those on a sphere and those of a four-point star are not.
func TestEuclideanIsDecidedByDefiniteness(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(4, 240).Draw(t, "n")
		x := mltest.Normal(rapid.Uint64().Draw(t, "seed"), n, rapid.IntRange(1, 6).Draw(t, "d"))
		p := rapid.Float64Range(0.2, 1).Draw(t, "p")
		d := distancesOf(x)
		d.Apply(func(_, _ int, v float64) float64 { return math.Pow(v, p) }, d)
		m, err := ClassicalMDS{Metric: distance.Precomputed{}}.Fit(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		spectrum, err := Spectrum(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		if !m.Euclidean || spectrum[n-1] < -1e-9*spectrum[0] {
			t.Fatalf("n = %d: Euclidean is %v, the least eigenvalue of B is %g of the largest", n, m.Euclidean, spectrum[n-1]/spectrum[0])
		}
	})
	star := mat.NewDense(4, 4, []float64{0, 1, 1, 1, 1, 0, 2, 2, 1, 2, 0, 2, 1, 2, 2, 0}) // a metric, but no four points have it
	sphere := mat.NewDense(300, 300, nil)
	points := mltest.Normal(1, 300, 3)
	for i := range 300 {
		for j := range 300 {
			a, b := points.RowView(i), points.RowView(j)
			if i != j {
				sphere.Set(i, j, math.Acos(min(1, mat.Dot(a, b)/mat.Norm(a, 2)/mat.Norm(b, 2))))
			}
		}
	}
	for name, d := range map[string]*mat.Dense{"star": star, "great circles": sphere} {
		m, err := ClassicalMDS{Metric: distance.Precomputed{}}.Fit(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Spectrum(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		if m.Euclidean || s[len(s)-1] > -1e-3*s[0] {
			t.Errorf("%s: Euclidean is %v, the least eigenvalue %g", name, m.Euclidean, s[len(s)-1])
		}
		if math.Abs(m.Eigenvalues[0]-s[0]) > 1e-8*s[0] || math.Abs(m.Eigenvalues[1]-s[1]) > 1e-8*s[0] {
			t.Errorf("%s: eigenvalues %v and %v", name, m.Eigenvalues, s[:2])
		}
	}
}

// A map says the same when the data are turned, mirrored or moved.
func TestMDSDoesNotSeeRotationsAndShifts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := mltest.Normal(rapid.Uint64().Draw(t, "seed"), 20, 2)
		s, c := math.Sincos(rapid.Float64Range(0, 6.3).Draw(t, "angle"))
		var y mat.Dense
		y.Mul(x, mat.NewDense(2, 2, []float64{c, s, s, -c})) // a reflection
		y.Apply(func(_, j int, v float64) float64 { return v + float64(10*j-3) }, &y)
		for name, f := range map[string]func(mat.Matrix) (*mat.Dense, error){
			"classical": func(x mat.Matrix) (*mat.Dense, error) {
				m, err := ClassicalMDS{}.Fit(context.Background(), x)
				return m.Embedding, err
			},
			"metric": func(x mat.Matrix) (*mat.Dense, error) {
				m, err := MetricMDS{Metric: distance.Chebyshev{}}.Fit(context.Background(), x)
				return m.Embedding, err
			},
		} {
			if name == "metric" { // the maximum's unit ball is no disc, but shifts it does not see
				y = *mat.DenseCopyOf(x)
				y.Apply(func(_, j int, v float64) float64 { return v + float64(10*j-3) }, &y)
			}
			a, err := f(x)
			if err != nil {
				t.Fatal(err)
			}
			b, err := f(&y)
			if err != nil {
				t.Fatal(err)
			}
			if gap := mltest.MatrixGap(distancesOf(a), distancesOf(b)); gap > 1e-6 {
				t.Fatalf("%s: a distance differs by %g", name, gap)
			}
		}
	})
}

func TestBadTablesAreNamed(t *testing.T) {
	with := func(i, j int, v float64) *mat.Dense {
		d := distancesOf(mltest.Normal(1, 5, 2))
		d.Set(i, j, v)
		return d
	}
	for _, c := range []struct {
		name string
		d    mat.Matrix
		kind error
		says string
	}{
		{"nil", nil, ml.ErrEmpty, "nil"},
		{"not square", mat.NewDense(3, 4, nil), ml.ErrShape, "3×4"},
		{"asymmetric", with(3, 1, 9), ml.ErrParameter, "row 3, column 1"},
		{"negative", with(1, 3, -1), ml.ErrParameter, "row 1, column 3"},
		{"diagonal", with(2, 2, 1), ml.ErrParameter, "object 2"},
		{"NaN", with(4, 0, math.NaN()), ml.ErrNotFinite, "row 4, column 0"},
		{"Inf", with(0, 4, math.Inf(1)), ml.ErrNotFinite, "row 0, column 4"},
	} {
		for method, fit := range map[string]func(mat.Matrix) error{
			"classical": func(d mat.Matrix) error {
				_, err := ClassicalMDS{Metric: distance.Precomputed{}}.Fit(t.Context(), d)
				return err
			},
			"metric": func(d mat.Matrix) error {
				_, err := MetricMDS{Metric: distance.Precomputed{}}.Fit(t.Context(), d)
				return err
			},
			"nonmetric": func(d mat.Matrix) error {
				_, err := NonmetricMDS{Metric: distance.Precomputed{}}.Fit(t.Context(), d)
				return err
			},
			"spectrum": func(d mat.Matrix) error { _, err := Spectrum(t.Context(), d); return err },
		} {
			if err := fit(c.d); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%s, %s: %v", method, c.name, err)
			}
		}
	}
	good := distancesOf(mltest.Normal(1, 5, 2))
	for name, err := range map[string]error{
		"Components": mltest.Err(ClassicalMDS{Components: 6, Metric: distance.Precomputed{}}.Fit(t.Context(), good)),
		"MaxIter":    mltest.Err(MetricMDS{MaxIter: -1, Metric: distance.Precomputed{}}.Fit(t.Context(), good)),
		"Tolerance":  mltest.Err(MetricMDS{Tolerance: math.NaN(), Metric: distance.Precomputed{}}.Fit(t.Context(), good)),
		"Restarts":   mltest.Err(NonmetricMDS{Restarts: -2, Metric: distance.Precomputed{}}.Fit(t.Context(), good)),
		"Ties":       mltest.Err(NonmetricMDS{Ties: "no", Metric: distance.Precomputed{}}.Fit(t.Context(), good)),
	} {
		if !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := mltest.Err(MetricMDS{Init: mat.NewDense(4, 2, nil), Metric: distance.Precomputed{}}.Fit(t.Context(), good)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("Init: %v", err)
	}
}

func TestMDSConforms(t *testing.T) {
	t.Run("classical", func(t *testing.T) {
		mltest.Run(t, mltest.Method[ClassicalMDSModel]{Fit: ClassicalMDS{}.Fit})
	})
	stress := func(m *MDSModel) float64 { return m.Stress1 }
	for name, m := range map[string]MetricMDS{"metric": {}, "metric in three dimensions": {Components: 3, Restarts: 1}} {
		t.Run(name, func(t *testing.T) {
			mltest.Run(t, mltest.Method[MDSModel]{Fit: m.Fit, Iterate: m.Iterate, Objective: stress})
		})
	}
	for name, m := range map[string]NonmetricMDS{"nonmetric": {}, "nonmetric, tied": {Ties: Tied, Restarts: 1}} {
		t.Run(name, func(t *testing.T) {
			mltest.Run(t, mltest.Method[MDSModel]{Fit: m.Fit, Iterate: m.Iterate, Objective: stress})
		})
	}
}

// A cancelled fit of a size that takes a while returns within 100 ms, with the map so far where
// there is one.
func TestMDSCancellationAtSize(t *testing.T) {
	x := mltest.Normal(3, 1500, 10)
	d := distancesOf(x)
	for name, fit := range map[string]func(context.Context) error{
		"classical": func(ctx context.Context) error {
			return mltest.Err(ClassicalMDS{Metric: distance.Precomputed{}}.Fit(ctx, d))
		},
		"spectrum": func(ctx context.Context) error { return mltest.Err(Spectrum(ctx, d)) },
	} {
		mltest.Prompt(t, name, 100*time.Millisecond, fit)
	}
	for name, steps := range map[string]func(context.Context) func(func(*MDSModel, error) bool){
		"metric": func(ctx context.Context) func(func(*MDSModel, error) bool) {
			return MetricMDS{Tolerance: 1e-300, Init: mltest.Normal(1, 1500, 2), Metric: distance.Precomputed{}}.Iterate(ctx, d)
		},
		"nonmetric": func(ctx context.Context) func(func(*MDSModel, error) bool) {
			return NonmetricMDS{Tolerance: 1e-300, Init: mltest.Normal(1, 1500, 2), Metric: distance.Precomputed{}}.Iterate(ctx, d)
		},
	} {
		var last *MDSModel
		if !mltest.PromptAt(t, name, func(ctx context.Context, end func()) (err error) {
			for last, err = range steps(ctx) {
				if err == nil && last.Iterations == 1 {
					time.AfterFunc(time.Millisecond, end)
				}
			}
			return err
		}) || last == nil {
			t.Errorf("%s: done before its context ended, or no map so far: %v", name, last)
		}
	}
}
