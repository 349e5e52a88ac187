package mixture

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/cluster"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

// freeEnergy is F as it is written down.
func freeEnergy(x, centers mat.Matrix, beta float64) (f float64) {
	n, d := x.Dims()
	k, _ := centers.Dims()
	for i := range n {
		least, dist := math.Inf(1), make([]float64, k)
		for c := range k {
			for j := range d {
				e := x.At(i, j) - centers.At(c, j)
				dist[c] += e * e
			}
			least = min(least, dist[c])
		}
		total := 0.0
		for _, v := range dist {
			total += math.Exp(-beta * (v - least))
		}
		f += least - (math.Log(total/float64(k)))/beta
	}
	return f
}

func TestSoftKMeansFreeEnergyNeverRisesAndIsWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(3, 150).Draw(t, "n"), rapid.IntRange(1, 6).Draw(t, "d")
		s := SoftKMeans{K: rapid.IntRange(1, 3).Draw(t, "k"), Beta: rapid.SampledFrom([]float64{0, 0.01, 1, 30}).Draw(t, "beta"), MaxIter: 50, Seed: rapid.Uint64().Draw(t, "seed")}
		r := rng.New(s.Seed, 1)
		x := mat.NewDense(n, d, nil)
		x.Apply(func(i, _ int, _ float64) float64 { return 5 + 2*float64(i%3) + r.NormFloat64() }, x)
		before := math.Inf(1)
		for m, err := range s.Iterate(context.Background(), x) {
			if err != nil {
				t.Fatal(err)
			}
			if math.IsInf(m.Beta, 1) {
				return // as many clusters as points
			}
			now := freeEnergy(x, m.Centers, m.Beta)
			if math.Abs(now-m.FreeEnergy) > 1e-9*math.Abs(now)+1e-12/m.Beta || now > before+1e-9*math.Abs(before)+1e-12/m.Beta {
				t.Fatalf("F goes from %v to %v, reported as %v", before, now, m.FreeEnergy)
			}
			before = now
			post, err := m.Responsibilities(x)
			if err != nil {
				t.Fatal(err)
			}
			labels, err := m.Predict(x)
			if err != nil {
				t.Fatal(err)
			}
			for i, z := range labels {
				if row := post.RawRowView(i); row[z] < slices.Max(row)-1e-12 || math.Abs(row[z]-row[m.Labels[i]]) > 1e-9 {
					t.Fatalf("row %d: %v, predicted %d, labeled %d", i, row, z, m.Labels[i])
				}
			}
		}
	})
}

// Infinitely stiff, it is k-means, step by step.
func TestStiffIsKMeans(t *testing.T) {
	for _, data := range []datasets.Dataset{datasets.Wine(), datasets.Digits(), datasets.Blobs(500, 3, 8, 2, 1)} {
		init := mat.DenseCopyOf(data.X.Slice(0, 5, 0, len(data.X.RawRowView(0))))
		hard, err := cluster.KMeans{K: 5, Init: init}.Fit(t.Context(), data.X)
		if err != nil {
			t.Fatal(err)
		}
		soft, err := SoftKMeans{K: 5, Init: init, Beta: math.Inf(1)}.Fit(t.Context(), data.X)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(soft.FreeEnergy-hard.Inertia) > 1e-10*hard.Inertia || !slices.Equal(soft.Labels, hard.Labels) || !mat.EqualApprox(soft.Centers, hard.Centers, 1e-9) {
			t.Errorf("%s: F = %v, k-means' J = %v", data.Name, soft.FreeEnergy, hard.Inertia)
		}
		// And on the way there F comes down to J from above.
		before := math.Inf(1)
		for _, beta := range []float64{1, 10, 100, 1e4} {
			// In units of the spread within clusters, so that every β is stiff.
			m, err := SoftKMeans{K: 5, Init: hard.Centers, Beta: beta * float64(len(hard.Labels)) / hard.Inertia * 10}.Fit(t.Context(), data.X)
			if err != nil {
				t.Fatal(err)
			}
			gap := math.Abs(m.FreeEnergy - hard.Inertia)
			if gap > before {
				t.Errorf("%s: at β = %v F is off by %v, at a tenth of it by %v", data.Name, m.Beta, gap, before)
			}
			before = gap
		}
		if before > 1e-4*hard.Inertia {
			t.Errorf("%s: the limit is off by %v", data.Name, before)
		}
	}
}

// A spherical mixture whose width is held is soft k-means: EM's means from a stiff start are
// k-means' centers.
func TestNarrowMixtureIsKMeans(t *testing.T) {
	x := datasets.Blobs(600, 2, 4, 6, 3).X
	hard, err := cluster.KMeans{K: 4}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	narrow := &GMMModel{Means: hard.Centers}
	for range 4 {
		narrow.Covariances = append(narrow.Covariances, mat.NewSymDense(2, []float64{1e-4, 0, 0, 1e-4}))
	}
	for m, err := range (GMM{K: 4, Covariance: Spherical, Init: narrow}).Iterate(t.Context(), x) {
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(m.Labels, hard.Labels) {
			t.Error("other labels")
		}
		if m.Iterations == 1 {
			if !mat.EqualApprox(m.Means, hard.Centers, 1e-9) {
				t.Error("a step of EM with narrow components moves k-means' centers")
			}
			break
		}
	}
}

// Below the critical stiffness, half the inverse of the largest variance, there is one cluster
// (Rose, Gurewitz & Fox, 1990); above it the centers part.
func TestCriticalStiffness(t *testing.T) {
	x := datasets.Blobs(2000, 2, 2, 3, 4).X
	var cov mat.SymDense
	stat.CovarianceMatrix(&cov, x, nil)
	var eigen mat.EigenSym
	eigen.Factorize(&cov, false)
	critical := 1 / (2 * slices.Max(eigen.Values(nil)))
	for _, c := range []struct {
		factor float64
		parts  bool
	}{{0.9, false}, {1.15, true}} {
		m, err := SoftKMeans{K: 2, Beta: c.factor * critical, MaxIter: 5000, Tol: 1e-15}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if gap := math.Hypot(m.Centers.At(0, 0)-m.Centers.At(1, 0), m.Centers.At(0, 1)-m.Centers.At(1, 1)); (gap > 0.1) != c.parts {
			t.Errorf("at %v of the critical stiffness the centers are %v apart", c.factor, gap)
		}
	}
}

func TestSoftKMeansInvariances(t *testing.T) {
	x := datasets.Blobs(400, 2, 4, 5, 2).X
	init := mat.DenseCopyOf(x.Slice(0, 4, 0, 2))
	base, err := SoftKMeans{K: 4, Init: init, Beta: 0.3}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	sin, cos := math.Sincos(0.7)
	for name, c := range map[string]struct {
		scale float64
		f     func(a, b float64) (float64, float64)
	}{
		"rotation":    {1, func(a, b float64) (float64, float64) { return cos*a - sin*b, sin*a + cos*b }},
		"translation": {1, func(a, b float64) (float64, float64) { return a + 1000, b - 50 }},
		"scaling":     {1e120, func(a, b float64) (float64, float64) { return 1e120 * a, 1e120 * b }},
		"shrinking":   {1e-150, func(a, b float64) (float64, float64) { return 1e-150 * a, 1e-150 * b }},
	} {
		m, err := SoftKMeans{K: 4, Init: transform(init, c.f), Beta: 0.3 / c.scale / c.scale}.Fit(t.Context(), transform(x, c.f))
		if err != nil || !slices.Equal(m.Labels, base.Labels) || math.Abs(m.FreeEnergy/c.scale/c.scale/base.FreeEnergy-1) > 1e-9 || !closeTo(m.Centers, transform(base.Centers, c.f), 1e-4) {
			t.Errorf("%s: another answer (%v)", name, err)
			continue
		}
		a, err := base.Responsibilities(x)
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.Responsibilities(transform(x, c.f))
		if err != nil || !mat.EqualApprox(a, b, 1e-4) {
			t.Errorf("%s: other responsibilities (%v)", name, err)
		}
	}
}

func TestSoftKMeansBadInput(t *testing.T) {
	x := datasets.Iris().X
	for name, c := range map[string]struct {
		s    SoftKMeans
		x    mat.Matrix
		kind error
		want string
	}{
		"nil":       {SoftKMeans{K: 2}, nil, ml.ErrEmpty, "nil"},
		"no K":      {SoftKMeans{}, x, ml.ErrParameter, "K = 0"},
		"beta":      {SoftKMeans{K: 2, Beta: -1}, x, ml.ErrParameter, "Beta = -1"},
		"beta NaN":  {SoftKMeans{K: 2, Beta: math.NaN()}, x, ml.ErrParameter, "Beta = NaN"},
		"restarts":  {SoftKMeans{K: 2, Restarts: -1}, x, ml.ErrParameter, "Restarts = -1"},
		"max iter":  {SoftKMeans{K: 2, MaxIter: -1}, x, ml.ErrParameter, "MaxIter = -1"},
		"tol":       {SoftKMeans{K: 2, Tol: math.Inf(1)}, x, ml.ErrParameter, "Tol = +Inf"},
		"start":     {SoftKMeans{K: 2, Start: "best"}, x, ml.ErrParameter, "k-means"},
		"init":      {SoftKMeans{K: 2, Init: mat.NewDense(2, 3, nil)}, x, ml.ErrShape, "2×3"},
		"too large": {SoftKMeans{K: 2}, mat.NewDense(3, 1, []float64{1e200, 2e200, 4e200}), ml.ErrParameter, "divide the data"},
	} {
		if m, err := c.s.Fit(t.Context(), c.x); m != nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	m, err := SoftKMeans{K: 3}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(mat.NewDense(1, 3, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("%v", err)
	}
	post, err := m.Responsibilities(mat.NewDense(3, 4, []float64{1e300, 1e300, 1e300, 1e300, -1e200, 0, 0, 0, 5, 3, 1, 0}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if total := mat.Sum(post.Slice(i, i+1, 0, 3)); math.Abs(total-1) > 1e-12 {
			t.Errorf("row %d: responsibilities %v", i, post.RawRowView(i))
		}
	}
	for name, x := range degenerate() {
		n, _ := x.Dims()
		for _, k := range []int{1, 2, n} {
			for _, beta := range []float64{0, 1, math.Inf(1)} {
				if m, err := (SoftKMeans{K: k, Beta: beta, Restarts: 2, MaxIter: 50}).Fit(t.Context(), x); err != nil || math.IsNaN(m.FreeEnergy) {
					t.Errorf("%s, K = %d, β = %v: %v", name, k, beta, err)
				}
			}
		}
	}
}

func TestSoftKMeansConforms(t *testing.T) {
	for _, s := range []SoftKMeans{{K: 3}, {K: 3, Beta: math.Inf(1)}, {K: 3, Start: RandomPoints}} {
		t.Run(fmt.Sprintf("β=%v,%s", s.Beta, s.Start), func(t *testing.T) {
			mltest.Run(t, mltest.Method[SoftKMeansModel]{Fit: s.Fit, Iterate: s.Iterate, Objective: func(m *SoftKMeansModel) float64 { return m.FreeEnergy },
				Predict: (*SoftKMeansModel).Predict, Labels: func(m *SoftKMeansModel) []int { return m.Labels }})
		})
	}
}

func BenchmarkSoftKMeans(b *testing.B) {
	for _, n := range []int{2000, 8000, 32000} {
		x := datasets.Blobs(n, 10, 10, 2, 1).X
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := (SoftKMeans{K: 10, Beta: 0.5, Restarts: 1, MaxIter: 5}).Fit(b.Context(), x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
