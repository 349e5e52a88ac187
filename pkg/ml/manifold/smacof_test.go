package manifold

import (
	"context"
	"math"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// From the same start the least stress is scikit-learn's, or less.
func TestMetricMDSReachesScikitLearnsStress(t *testing.T) {
	values := mltest.ReadJSON[mdsValues](t, "mds.json")
	for _, c := range values.Metric {
		init := mltest.FromRows(c.Init)
		_, k := init.Dims()
		m, err := MetricMDS{Components: k, Init: init, MaxIter: 20000, Tolerance: 1e-14, Metric: distance.Precomputed{}}.Fit(t.Context(), mltest.FromRows(values.D[c.Name]))
		if err != nil {
			t.Fatal(err)
		}
		slack := 1e-6
		if k == 1 { // of the many minima on a line another may be met
			slack = 1e-2
		}
		if m.Stress > c.Stress*(1+slack) {
			t.Errorf("%s, %d dimensions: stress %.12g, scikit-learn's %.12g", c.Name, k, m.Stress, c.Stress)
		}
		if k > 1 && m.Stress < c.Stress*(1-1e-3) {
			t.Errorf("%s, %d dimensions: stress %.12g is another minimum than %.12g", c.Name, k, m.Stress, c.Stress)
		}
	}
}

// The stress of a model is the stress of its map, and its gradient vanishes where SMACOF has
// converged.
func TestStressIsWhatItSaysAndAMinimum(t *testing.T) {
	d := distancesOf(mltest.Normal(5, 40, 4))
	stress := func(y mat.Matrix) float64 {
		s, e := 0.0, distancesOf(y)
		for i := range 40 {
			for j := range i {
				s += (e.At(i, j) - d.At(i, j)) * (e.At(i, j) - d.At(i, j))
			}
		}
		return s
	}
	for m, err := range (MetricMDS{Tolerance: 1e-15, MaxIter: 5000, Metric: distance.Precomputed{}}).Iterate(t.Context(), d) {
		if err != nil {
			t.Fatal(err)
		}
		if want := stress(m.Embedding); math.Abs(m.Stress-want) > 1e-10*want {
			t.Fatalf("step %d: stress %.14g, that of the map is %.14g", m.Iterations, m.Stress, want)
		}
		if !m.Converged {
			continue
		}
		for i := range 40 {
			for c := range 2 {
				y := mat.DenseCopyOf(m.Embedding)
				const h = 1e-5
				y.Set(i, c, m.Embedding.At(i, c)+h)
				up := stress(y)
				y.Set(i, c, m.Embedding.At(i, c)-h)
				if g := (up - stress(y)) / (2 * h); math.Abs(g) > 1e-4*m.Stress {
					t.Errorf("the gradient at point %d is %g at the end", i, g)
				}
			}
		}
	}
}

// Whatever the table, the stress never rises, and never by more than rounding in a naive evaluation
// either.
func TestStressNeverRises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 30).Draw(t, "n")
		k := rapid.IntRange(1, min(n, 4)).Draw(t, "k")
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		d := mat.NewDense(n, n, nil)
		coarse := rapid.Bool().Draw(t, "coarse") // many ties and zeros
		for i := range n {
			for j := range i {
				v := math.Exp(2 * r.NormFloat64())
				if coarse {
					v = float64(r.IntN(3))
				}
				d.Set(i, j, v)
				d.Set(j, i, v)
			}
		}
		ties := []Ties{Untied, Tied}[rapid.IntRange(0, 1).Draw(t, "ties")]
		start := mltest.Normal(r.Uint64(), n, k)
		for name, steps := range map[string]func(func(*MDSModel, error) bool){
			"metric":               MetricMDS{Components: k, MaxIter: 60, Metric: distance.Precomputed{}}.Iterate(context.Background(), d),
			"metric from a start":  MetricMDS{Components: k, MaxIter: 60, Init: start, Metric: distance.Precomputed{}}.Iterate(context.Background(), d),
			"nonmetric":            NonmetricMDS{Components: k, MaxIter: 60, Ties: ties, Metric: distance.Precomputed{}}.Iterate(context.Background(), d),
			"nonmetric from start": NonmetricMDS{Components: k, MaxIter: 60, Ties: ties, Init: start, Metric: distance.Precomputed{}}.Iterate(context.Background(), d),
		} {
			before, naive := math.Inf(1), math.Inf(1)
			for m, err := range steps {
				if err != nil {
					t.Fatal(err)
				}
				if !(m.Stress1 <= before) {
					t.Fatalf("%s: stress-1 goes from %v to %v", name, before, m.Stress1)
				}
				before = m.Stress1
				now := naiveStress1(m.Embedding, d, name[0] == 'n', ties)
				// The stress is a difference: where a start is much wider than the table it loses
				// digits, and its root twice as many.
				if now > naive+1e-7 || math.Abs(now*now-m.Stress1*m.Stress1) > 1e-9 {
					t.Fatalf("%s: evaluated as written, stress-1 goes from %v to %v; the model says %v", name, naive, now, m.Stress1)
				}
				naive = now
			}
		}
	})
}

// naiveStress1 is √(1 − cos²) of the angle between the map's distances and the dissimilarities, or
// the best disparities.
func naiveStress1(y, d *mat.Dense, nonmetric bool, ties Ties) float64 {
	n, _ := d.Dims()
	e := distancesOf(y)
	var delta, dist []float64
	for i := range n {
		for j := i + 1; j < n; j++ {
			delta, dist = append(delta, d.At(i, j)), append(dist, e.At(i, j))
		}
	}
	target := delta
	if nonmetric {
		// The isotonic regression as a maximum of minima of means over stretches (Robertson, Wright
		// & Dykstra), on blocks of equal dissimilarities.
		target = minimax(delta, dist, ties)
	}
	var dd, td, tt float64
	for i := range dist {
		dd += dist[i] * dist[i]
		td += dist[i] * target[i]
		tt += target[i] * target[i]
	}
	if tt == 0 {
		return 0
	}
	if dd == 0 {
		return 1
	}
	return math.Sqrt(max(0, 1-td*td/dd/tt))
}

// Distances in the plane are found again from a random start by some start, and the best start is
// kept.
func TestRestartsKeepTheBest(t *testing.T) {
	d := distancesOf(mltest.Normal(8, 25, 2))
	bad := mat.NewDense(25, 2, nil) // all points on a line: SMACOF does not leave it
	for i := range 25 {
		bad.Set(i, 0, float64(i))
	}
	alone, err := MetricMDS{Init: bad, MaxIter: 1000, Metric: distance.Precomputed{}}.Fit(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	best, err := MetricMDS{Init: bad, MaxIter: 1000, Restarts: 6, Seed: 1, Metric: distance.Precomputed{}}.Fit(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if best.Restart == 0 || best.Stress1 > 1e-2 || alone.Stress1 < 0.1 {
		t.Errorf("start %d was kept with stress-1 %g, the one alone has %g", best.Restart, best.Stress1, alone.Stress1)
	}
}

func TestDuplicatesByTheThousand(t *testing.T) {
	x := mat.NewDense(1200, 3, nil)
	for i := range 1200 {
		x.SetRow(i, []float64{float64(i % 3), float64(i % 2), 1})
	}
	// Six places in a plane.
	classical, err := ClassicalMDS{}.Fit(t.Context(), x)
	if err != nil || !classical.Euclidean || mltest.MatrixGap(distancesOf(classical.Embedding), distancesOf(x)) > 1e-6 {
		t.Errorf("classical: %v", err)
	}
	order, err := NonmetricMDS{MaxIter: 30}.Fit(t.Context(), x)
	if err != nil || !(order.Stress1 < 0.15) {
		t.Errorf("non-metric: %+v, %v", order, err)
	}
	for _, m := range []MetricMDS{{}, {Metric: distance.Manhattan{}}} {
		fit, err := m.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if fit.Stress1 > 0.15 {
			t.Errorf("six places, 200 points at each: stress-1 %g", fit.Stress1)
		}
		for i := 6; i < 1200; i++ {
			if distanceOf(fit.Embedding.RawRowView(i), fit.Embedding.RawRowView(i%6)) > 1e-6 {
				t.Fatalf("rows %d and %d are equal and %g apart", i, i%6, distanceOf(fit.Embedding.RawRowView(i), fit.Embedding.RawRowView(i%6)))
			}
		}
	}
}

func FuzzMDS(f *testing.F) {
	f.Add(uint8(5), uint8(2), uint8(2), uint64(1), 1.0)
	f.Add(uint8(1), uint8(1), uint8(1), uint64(2), 1e200)
	f.Fuzz(func(t *testing.T, rows, cols, k uint8, seed uint64, scale float64) {
		x := mltest.Normal(seed, int(rows%40)+1, int(cols%6)+1)
		x.Scale(scale, x)
		if c, err := (ClassicalMDS{Components: int(k % 8)}).Fit(t.Context(), x); err == nil && c.Embedding == nil {
			t.Error("neither a map nor an error")
		}
		if m, err := (MetricMDS{Components: int(k % 8), MaxIter: 20}).Fit(t.Context(), x); err == nil && !(m.Stress1 >= 0 && m.Stress1 <= 1+1e-9) {
			t.Errorf("stress-1 is %g", m.Stress1)
		}
		if m, err := (NonmetricMDS{Components: int(k % 8), MaxIter: 20}).Fit(t.Context(), x); err == nil && !(m.Stress1 >= 0 && m.Stress1 <= 1+1e-9) {
			t.Errorf("non-metric stress-1 is %g", m.Stress1)
		}
	})
}

func BenchmarkMetricMDS(b *testing.B) {
	x := mltest.Normal(1, 600, 64)
	for b.Loop() {
		if _, err := (MetricMDS{}).Fit(b.Context(), x); err != nil {
			b.Fatal(err)
		}
	}
}
