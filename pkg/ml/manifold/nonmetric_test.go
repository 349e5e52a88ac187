package manifold

import (
	"cmp"
	"context"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// From the same start the stress is scikit-learn's, or less.
func TestNonmetricMDSReachesScikitLearnsStress(t *testing.T) {
	values := mltest.ReadJSON[mdsValues](t, "mds.json")
	for _, c := range values.Nonmetric {
		m, err := NonmetricMDS{Init: mltest.FromRows(c.Init), MaxIter: 20000, Tolerance: 1e-13, Metric: distance.Precomputed{}}.Fit(t.Context(), mltest.FromRows(values.D[c.Name]))
		if err != nil {
			t.Fatal(err)
		}
		if m.Stress1 > c.Stress1*(1+1e-3) || m.Stress1 < 0.8*c.Stress1 {
			t.Errorf("%s: stress-1 %.8g, scikit-learn's %.8g", c.Name, m.Stress1, c.Stress1)
		}
	}
}

func TestIsotonicEqualsScikitLearn(t *testing.T) {
	values := mltest.ReadJSON[mdsValues](t, "mds.json")
	for _, c := range values.Isotonic {
		fit := make([]float64, len(c.V))
		isotonic(fit, c.V, nil)
		for i, v := range fit {
			if math.Abs(v-c.Fit[i]) > 1e-12 {
				t.Errorf("%v: %v, want %v", c.V, fit, c.Fit)
				break
			}
		}
	}
}

// minimax is the isotonic regression by its formula: at i the largest over lo ≤ i of the least over
// hi ≥ i of the mean from lo to hi.
func minimax(delta, v []float64, ties Ties) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		if ties == Tied {
			return cmp.Or(cmp.Compare(delta[a], delta[b]), a-b)
		}
		return cmp.Or(cmp.Compare(delta[a], delta[b]), cmp.Compare(v[a], v[b]), a-b)
	})
	value := make([]float64, len(v))
	for i, p := range order {
		value[i] = v[p]
	}
	if ties == Tied {
		for lo := 0; lo < len(order); {
			hi, mean := lo, 0.0
			for ; hi < len(order) && delta[order[hi]] == delta[order[lo]]; hi++ {
				mean += value[hi]
			}
			for i := lo; i < hi; i++ {
				value[i] = mean / float64(hi-lo)
			}
			lo = hi
		}
	}
	prefix := make([]float64, len(v)+1)
	for i, x := range value {
		prefix[i+1] = prefix[i] + x
	}
	out := make([]float64, len(v))
	for lo := range order {
		least := math.Inf(1)
		for hi := len(order); hi > lo; hi-- {
			least = min(least, (prefix[hi]-prefix[lo])/float64(hi-lo))
			i := hi - 1
			if lo == 0 || least > out[order[i]] {
				out[order[i]] = least
			}
		}
	}
	return out
}

// A monotone change of the dissimilarities changes nothing, to the last bit; an expansion of the
// map is not seen by its stress.
func TestNonmetricMDSSeesTheOrderAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := distancesOf(mltest.Normal(rapid.Uint64().Draw(t, "seed"), rapid.IntRange(3, 25).Draw(t, "n"), 3))
		n, _ := d.Dims()
		p := rapid.Float64Range(0.3, 4).Draw(t, "power")
		change := func(v float64) float64 { return 3 * math.Pow(v, p) }
		changed := mat.NewDense(n, n, nil)
		changed.Apply(func(_, _ int, v float64) float64 { return change(v) }, d)
		a, err := NonmetricMDS{MaxIter: 40, Metric: distance.Precomputed{}}.Fit(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		b, err := NonmetricMDS{MaxIter: 40, Metric: distance.Precomputed{}}.Fit(context.Background(), changed)
		if err != nil {
			t.Fatal(err)
		}
		if !mat.Equal(a.Embedding, b.Embedding) || a.Stress1 != b.Stress1 {
			t.Fatalf("stress-1 %v and %v", a.Stress1, b.Stress1)
		}
	})
}

// Points in the plane, of whose distances only the order is known, are found again up to their
// size.
func TestOrderAloneGivesThePointsBack(t *testing.T) {
	x := mltest.Normal(4, 60, 2)
	d := distancesOf(x)
	cubed := mat.NewDense(60, 60, nil)
	cubed.Apply(func(_, _ int, v float64) float64 { return v * v * v }, d)
	m, err := NonmetricMDS{MaxIter: 3000, Tolerance: 1e-12, Metric: distance.Precomputed{}}.Fit(t.Context(), cubed)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewShepard(d, m.Embedding)
	if err != nil {
		t.Fatal(err)
	}
	// The map's distances are the true ones times a factor, although their cubes were given.
	var xy, xx, yy float64
	for i, v := range s.Dissimilarities {
		xy, xx, yy = xy+v*s.Distances[i], xx+v*v, yy+s.Distances[i]*s.Distances[i]
	}
	if sine := math.Sqrt(1 - xy*xy/xx/yy); m.Stress1 > 0.005 || sine > 0.01 {
		t.Errorf("stress-1 %g, distances off by %g", m.Stress1, sine)
	}
	if !slices.IsSorted(s.Disparities) || !slices.IsSorted(s.Dissimilarities) {
		t.Error("Shepard's diagram falls")
	}
}
