package manifold

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

// roll is n points on a Swiss roll, and how far along it each lies: the angle, which the arc is
// monotone in.
func roll(seed uint64, n int) (*mat.Dense, []float64) {
	r := rng.New(seed)
	x, angle := mat.NewDense(n, 3, nil), make([]float64, n)
	for i := range n {
		angle[i] = 1.5 * math.Pi * (1 + 2*r.Float64())
		s, c := math.Sincos(angle[i])
		x.SetRow(i, []float64{angle[i] * c, 21 * r.Float64(), angle[i] * s})
	}
	return x, angle
}

// closeUpToSigns compares maps column by column, each up to its sign, after scaling want by factor.
func closeUpToSigns(got *mat.Dense, want [][]float64, factor, tolerance float64, signs []float64) (float64, bool) {
	worst := 0.0
	for c := range signs {
		if signs[c] == 0 {
			signs[c] = 1
			dot := 0.0
			for i := range want {
				dot += got.At(i, c) * want[i][c]
			}
			if dot < 0 {
				signs[c] = -1
			}
		}
		for i := range want {
			worst = max(worst, math.Abs(got.At(i, c)-signs[c]*factor*want[i][c]))
		}
	}
	return worst, worst <= tolerance
}

// The maps, the errors and the places of new points are scikit-learn's: testdata/isomap_lle.py made
// the file.
func TestIsomapAndLLEEqualScikitLearn(t *testing.T) {
	type result struct {
		Map, New [][]float64
		Error    float64
	}
	values := mltest.ReadJSON[struct {
		X, New                     [][]float64
		Isomap, Standard, Modified result
	}](t, "isomap_lle.json")
	x, fresh := mltest.FromRows(values.X), mltest.FromRows(values.New)
	m, err := Isomap{Neighbors: 8}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	signs := make([]float64, 2)
	if gap, ok := closeUpToSigns(m.Embedding, values.Isomap.Map, 1, 1e-7, signs); !ok {
		t.Errorf("Isomap: a point is off by %g", gap)
	}
	placed, err := m.Transform(t.Context(), fresh)
	if err != nil {
		t.Fatal(err)
	}
	if gap, ok := closeUpToSigns(placed, values.Isomap.New, 1, 1e-6, signs); !ok {
		t.Errorf("Isomap: a new point is off by %g", gap)
	}
	for name, c := range map[string]struct {
		l    LLE
		want result
	}{"standard": {LLE{Neighbors: 8}, values.Standard}, "modified": {LLE{Neighbors: 8, Modified: true}, values.Modified}} {
		m, err := c.l.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(m.ReconstructionError-c.want.Error) > 1e-6*c.want.Error || !m.Converged {
			t.Errorf("%s LLE: error %.10g, scikit-learn's %.10g, converged %v", name, m.ReconstructionError, c.want.Error, m.Converged)
		}
		signs, factor := make([]float64, 2), math.Sqrt(250) // its columns have length 1, ours variance 1
		if gap, ok := closeUpToSigns(m.Embedding, c.want.Map, factor, 1e-4, signs); !ok {
			t.Errorf("%s LLE: a point is off by %g", name, gap)
		}
		placed, err := m.Transform(t.Context(), fresh)
		if err != nil {
			t.Fatal(err)
		}
		if gap, ok := closeUpToSigns(placed, c.want.New, factor, 1e-4, signs); !ok {
			t.Errorf("%s LLE: a new point is off by %g", name, gap)
		}
	}
}

// The roll is unrolled: one coordinate of the map is how far along it a point lies.
func TestSwissRollIsUnrolled(t *testing.T) {
	for seed := range uint64(3) {
		x, angle := roll(seed, 1500)
		for name, fit := range map[string]func() (*mat.Dense, error){
			"Isomap": func() (*mat.Dense, error) {
				m, err := Isomap{}.Fit(t.Context(), x)
				if err != nil {
					return nil, err
				}
				return m.Embedding, nil
			},
			"LLE": func() (*mat.Dense, error) {
				m, err := LLE{Neighbors: 12}.Fit(t.Context(), x)
				if err != nil {
					return nil, err
				}
				return m.Embedding, nil
			},
			"modified LLE": func() (*mat.Dense, error) {
				m, err := LLE{Neighbors: 12, Modified: true}.Fit(t.Context(), x)
				if err != nil {
					return nil, err
				}
				return m.Embedding, nil
			},
		} {
			y, err := fit()
			if err != nil {
				t.Fatal(err)
			}
			best := 0.0
			for c := range 2 {
				best = max(best, math.Abs(stat.Correlation(mat.Col(nil, c, y), angle, nil)))
			}
			// Isomap's axes are lengths, and the angle is nearly the arc; LLE's bend with the
			// sample.
			least := 0.98
			if name == "Isomap" {
				least = 0.99
			}
			if best < least {
				t.Errorf("%s, seed %d: |corr| is %.4f, want at least %g", name, seed, best, least)
			}
		}
	}
}

// Geodesics are those of Floyd and Warshall's algorithm.
func TestGeodesicsEqualFloydWarshall(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 50).Draw(t, "n")
		x := mltest.Normal(rapid.Uint64().Draw(t, "seed"), n, 3)
		m, err := Isomap{Neighbors: rapid.IntRange(1, min(6, n-1)).Draw(t, "neighbors"), Join: true}.Fit(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		d := mat.NewDense(n, n, nil)
		for i := range n {
			for j := range n {
				d.Set(i, j, math.Inf(1))
			}
			d.Set(i, i, 0)
			near, lengths := m.Graph.Of(i)
			for k, j := range near {
				d.Set(i, j, lengths[k])
			}
		}
		for k := range n {
			for i := range n {
				for j := range n {
					d.Set(i, j, min(d.At(i, j), d.At(i, k)+d.At(k, j)))
				}
			}
		}
		if gap := mltest.MatrixGap(d, m.Geodesics); !(gap < 1e-9) {
			t.Fatalf("a path differs by %g", gap)
		}
		if _, parts := m.Graph.Components(); parts != 1 {
			t.Fatalf("joined, the graph has %d parts", parts)
		}
	})
}

// The weights rebuild a row from its neighbors exactly where these span it, sum to 1, and do not
// change under rotations and shifts.
func TestLLEWeights(t *testing.T) {
	x := mat.NewDense(4, 2, []float64{0.2, 0.3, 0, 0, 1, 0, 0, 1})
	var w weighing
	got := w.rebuild(x, 0, []int{1, 2, 3}, 1e-12)
	for i, want := range []float64{0.5, 0.2, 0.3} { // barycentric coordinates
		if math.Abs(got[i]-want) > 1e-9 {
			t.Errorf("weights %v", got)
		}
	}
}

func TestIsomapAndLLEConform(t *testing.T) {
	x, _ := roll(1, 120)
	iso := Isomap{Neighbors: 8, Join: true}
	t.Run("Isomap", func(t *testing.T) { mltest.Run(t, mltest.Method[IsomapModel]{Fit: iso.Fit, Data: x}) })
	for name, l := range map[string]LLE{"LLE": {Neighbors: 12}, "modified LLE": {Neighbors: 12, Modified: true}} {
		t.Run(name, func(t *testing.T) { mltest.Run(t, mltest.Method[LLEModel]{Fit: l.Fit, Data: x}) })
	}
}

func TestIsomapAndLLEBadInput(t *testing.T) {
	x := mltest.Normal(1, 30, 3)
	apart := mltest.Normal(1, 30, 3)
	for i := range 10 {
		apart.Set(i, 0, 1e3)
	}
	for says, err := range map[string]error{
		"Neighbors = 30":       mltest.Err(Isomap{Neighbors: 30}.Fit(t.Context(), x)),
		"Neighbors = -1":       mltest.Err(LLE{Neighbors: -1}.Fit(t.Context(), x)),
		"Components = 31":      mltest.Err(Isomap{Components: 31}.Fit(t.Context(), x)),
		"Components = 6":       mltest.Err(LLE{Neighbors: 5, Components: 6}.Fit(t.Context(), x)),
		"Regularization":       mltest.Err(LLE{Regularization: -1}.Fit(t.Context(), x)),
		"2 parts":              mltest.Err(Isomap{Neighbors: 5}.Fit(t.Context(), apart)),
		"falls into 2 parts, ": mltest.Err(LLE{Neighbors: 5}.Fit(t.Context(), apart)),
		"the number of rows":   mltest.Err(LLE{}.Fit(t.Context(), mltest.Normal(1, 1, 2))),
	} {
		if !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
	m, err := Isomap{Neighbors: 5, Join: true}.Fit(t.Context(), apart)
	if err != nil || m.Parts != 2 {
		t.Errorf("joined: %v", err)
	}
	m, err = Isomap{Metric: distance.Manhattan{}}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Transform(t.Context(), x); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("Transform of another metric: %v", err)
	}
	// Duplicates by the thousand.
	same := mat.NewDense(2000, 2, nil)
	for i := range 2000 {
		same.Set(i, 0, float64(i%2))
	}
	if m, err := (Isomap{Join: true}).Fit(t.Context(), same); err != nil || m.Embedding.At(0, 0)-m.Embedding.At(0, 0) != 0 {
		t.Errorf("duplicates: %v", err)
	}
	if _, err := (LLE{}).Fit(t.Context(), same); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("LLE of duplicates: %v", err)
	}
}

// Cancelled at a size that takes a while, both return within 100 ms.
func TestIsomapAndLLECancellationAtSize(t *testing.T) {
	x := mltest.Normal(1, 3000, 10)
	for name, fit := range map[string]func(context.Context) error{
		"Isomap": func(ctx context.Context) error { return mltest.Err(Isomap{}.Fit(ctx, x)) },
		"LLE":    func(ctx context.Context) error { return mltest.Err(LLE{Neighbors: 20}.Fit(ctx, x)) },
	} {
		mltest.Prompt(t, name, 200*time.Millisecond, fit)
	}
}

func FuzzIsomapLLE(f *testing.F) {
	f.Add(uint8(20), uint8(3), uint8(2), int8(5), uint64(1), 1.0)
	f.Fuzz(func(t *testing.T, rows, cols, k uint8, count int8, seed uint64, scale float64) {
		x := mltest.Normal(seed, int(rows%60)+1, int(cols%6)+1)
		x.Scale(scale, x)
		if m, err := (Isomap{Components: int(k % 5), Neighbors: int(count), Join: seed%2 == 0}).Fit(t.Context(), x); err == nil && math.IsNaN(mat.Sum(m.Embedding)) {
			t.Error("Isomap: NaN")
		}
		if m, err := (LLE{Components: int(k % 5), Neighbors: int(count), Modified: seed%2 == 0}).Fit(t.Context(), x); err == nil && math.IsNaN(mat.Sum(m.Embedding)) {
			t.Error("LLE: NaN")
		}
	})
}
