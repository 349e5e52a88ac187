package mixture

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

var families = []Covariance{Full, Tied, Diagonal, Spherical}

// From the same means, weights and covariances, scikit-learn's EM is in the same place after three
// steps and at the end: testdata/gmm.py made the file.
func TestGMMEqualsScikitLearnFromTheSameStart(t *testing.T) {
	cases := mltest.ReadJSON[[]struct {
		Data          string
		Covariance    Covariance
		K, Steps      int
		Rows          []int
		LogLikelihood float64
		Weights       []float64
		Means         [][]float64
		BIC, AIC      float64
		Far           [][]float64
		Scores        []float64
		Posterior     [][]float64
	}](t, "gmm.json")
	if len(cases) < 72 {
		t.Fatalf("%d cases", len(cases))
	}
	cancer := datasets.BreastCancer().X
	three := mat.DenseCopyOf(cancer.Slice(0, 569, 0, 3))
	three.Apply(func(_, j int, v float64) float64 { return v * []float64{1, 1, 0.1}[j] }, three)
	data := map[string]*mat.Dense{"iris": datasets.Iris().X, "wine": mat.DenseCopyOf(datasets.Wine().X.Slice(0, 178, 0, 6)), "breast_cancer": three}
	for _, c := range cases {
		x := data[c.Data]
		name := fmt.Sprintf("%s, %s, K = %d, %d steps", c.Data, c.Covariance, c.K, c.Steps)
		means := mat.NewDense(c.K, len(c.Means[0]), nil)
		for i, r := range c.Rows {
			means.SetRow(i, x.RawRowView(r))
		}
		m, err := GMM{K: c.K, Covariance: c.Covariance, Init: &GMMModel{Means: means}, MaxIter: c.Steps, Tol: 1e-14}.Fit(t.Context(), x)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if math.Abs(m.LogLikelihood-c.LogLikelihood) > 1e-6 || c.Steps == 3 && math.Abs(m.LogLikelihood-c.LogLikelihood) > 1e-10*math.Abs(c.LogLikelihood) {
			t.Errorf("%s: log-likelihood %.12g, scikit-learn's is %.12g", name, m.LogLikelihood, c.LogLikelihood)
			continue
		}
		tol := 1e-4 // both stop short of the limit
		if c.Steps == 3 || c.K == 1 {
			tol = 1e-9
		}
		for i, want := range c.Means {
			if math.Abs(m.Weights[i]-c.Weights[i]) > tol {
				t.Errorf("%s: weight %v, scikit-learn's is %v", name, m.Weights[i], c.Weights[i])
			}
			for j, v := range want {
				if math.Abs(m.Means.At(i, j)-v) > tol*math.Abs(v) {
					t.Errorf("%s: mean %v, scikit-learn's is %v", name, m.Means.At(i, j), v)
				}
			}
		}
		if n := float64(len(m.Labels)); math.Abs(m.BIC()-c.BIC) > 1e-5*n || math.Abs(m.AIC()-c.AIC) > 1e-5*n {
			t.Errorf("%s: BIC %v and AIC %v, scikit-learn's are %v and %v", name, m.BIC(), m.AIC(), c.BIC, c.AIC)
		}
		if c.Steps != 3 {
			continue // the same model to the last digits only after as many steps
		}
		scores, err := m.LogProb(t.Context(), mltest.FromRows(c.Far))
		if err != nil {
			t.Fatal(err)
		}
		posterior, err := m.Responsibilities(mltest.FromRows(c.Far))
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range c.Scores {
			if math.Abs(scores[i]-want) > 1e-9*max(math.Abs(want), 1) {
				t.Errorf("%s: log density %.14g, scikit-learn's is %.14g", name, scores[i], want)
			}
			for k, r := range c.Posterior[i] {
				if math.Abs(posterior.At(i, k)-r) > 1e-8 {
					t.Errorf("%s: responsibility %v, scikit-learn's is %v", name, posterior.At(i, k), r)
				}
			}
		}
	}
}

// The optimum on iris with three full covariances, known from R's mclust, and not one of the spikes
// beside it: at a small floor most random starts end in one.
func TestIrisIsNotASpike(t *testing.T) {
	x := datasets.Iris().X
	for _, g := range []GMM{{K: 3}, {K: 3, Restarts: 10, Seed: 1}, {K: 3, Start: RandomPoints, Restarts: 60, Seed: 2}, {K: 3, Floor: 1e-10, Restarts: 20, Seed: 3}} {
		m, err := g.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if total := 150 * m.LogLikelihood; math.Abs(total-(-180.185)) > 1e-3 || !m.Converged || slices.Max(m.Floored) > 0 {
			t.Errorf("%+v: log-likelihood %.4f, want -180.185 (floored %v, converged %v)", g, total, m.Floored, m.Converged)
		}
	}
	spikes, highest := 0, math.Inf(-1)
	for seed := range uint64(60) {
		m, err := GMM{K: 3, Start: RandomPoints, Floor: 1e-12, Seed: seed}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if slices.Max(m.Floored) > 0 {
			spikes++
			highest = max(highest, 150*m.LogLikelihood)
		}
	}
	if spikes == 0 || highest < -180 {
		t.Errorf("%d spikes, the highest of likelihood %v: this test no longer shows what it is for", spikes, highest)
	}
}

// One component is the mean and the covariance of the data, of each family its own.
func TestOneComponentIsTheMoments(t *testing.T) {
	x := datasets.Wine().X
	n, d := x.Dims()
	var cov mat.SymDense
	stat.CovarianceMatrix(&cov, x, nil)
	cov.ScaleSym(float64(n-1)/float64(n), &cov)
	trace := mat.Trace(&cov) / float64(d)
	for _, f := range families {
		m, err := GMM{K: 1, Covariance: f}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		for j := range d {
			if mean := stat.Mean(mat.Col(nil, j, x), nil); math.Abs(m.Means.At(0, j)-mean) > 1e-12*math.Abs(mean) {
				t.Errorf("%s: mean %v, want %v", f, m.Means.At(0, j), mean)
			}
			for i := range d {
				want := cov.At(i, j)
				if i != j && (f == Diagonal || f == Spherical) {
					want = 0
				}
				if i == j && f == Spherical {
					want = trace
				}
				if got := m.Covariances[0].At(i, j); math.Abs(got-want) > 1e-11*math.Sqrt(cov.At(i, i)*cov.At(j, j)) && math.Abs(got-want) > 1e-11*want {
					t.Errorf("%s: covariance %v, want %v", f, got, want)
				}
			}
		}
		var chol mat.Cholesky
		chol.Factorize(m.Covariances[0])
		trCS := 0.0
		for i := range d {
			for j := range d {
				var inv mat.SymDense
				if err := chol.InverseTo(&inv); err != nil {
					t.Fatal(err)
				}
				trCS += inv.At(i, j) * cov.At(i, j)
			}
		}
		want := -(float64(d)*math.Log(2*math.Pi) + chol.LogDet() + trCS) / 2
		if math.Abs(m.LogLikelihood-want) > 1e-9 {
			t.Errorf("%s: log-likelihood %v, in closed form %v", f, m.LogLikelihood, want)
		}
	}
}

// A mixture's density by the formula, term by term.
func naiveLogProb(m *GMMModel, x []float64) float64 {
	total := 0.0
	d := len(x)
	for k, w := range m.Weights {
		var chol mat.Cholesky
		if !chol.Factorize(m.Covariances[k]) {
			return math.NaN()
		}
		diff, solved := mat.NewVecDense(d, nil), mat.NewVecDense(d, nil)
		for j := range d {
			diff.SetVec(j, x[j]-m.Means.At(k, j))
		}
		if err := chol.SolveVecTo(solved, diff); err != nil {
			return math.NaN()
		}
		total += w * math.Exp(-(float64(d)*math.Log(2*math.Pi)+chol.LogDet()+mat.Dot(diff, solved))/2)
	}
	return math.Log(total)
}

func TestLogLikelihoodNeverFallsAndIsWhatItSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(5, 120).Draw(t, "n"), rapid.IntRange(1, 5).Draw(t, "d")
		g := GMM{K: rapid.IntRange(1, 4).Draw(t, "k"), Covariance: rapid.SampledFrom(families).Draw(t, "family"), MaxIter: 60, Tol: 1e-12, Seed: rapid.Uint64().Draw(t, "seed"),
			Start: rapid.SampledFrom([]Start{FromKMeans, RandomPoints}).Draw(t, "start"), Floor: rapid.SampledFrom([]float64{0, 0.01, 1e-4}).Draw(t, "floor")}
		r := rng.New(g.Seed, 1)
		offset := rapid.SampledFrom([]float64{0, 30, -1e5}).Draw(t, "offset")
		x := mat.NewDense(n, d, nil)
		x.Apply(func(i, _ int, _ float64) float64 { return offset + 3*float64(i%3) + r.NormFloat64() }, x)
		before := math.Inf(-1)
		for m, err := range g.Iterate(context.Background(), x) {
			if err != nil {
				t.Fatal(err)
			}
			logs, err := m.LogProb(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			// The reported number never falls by construction; the one computed anew may by
			// rounding alone.
			now := stat.Mean(logs, nil)
			if math.Abs(now-m.LogLikelihood) > 1e-9*(1+math.Abs(now)) {
				t.Fatalf("step %d: log-likelihood %v, computed anew %v", m.Iterations, m.LogLikelihood, now)
			}
			if now < before-1e-10*(1+math.Abs(before)) {
				t.Fatalf("step %d: the log-likelihood falls from %.15g to %.15g", m.Iterations, before, now)
			}
			before = now
			if i := n / 2; slices.Max(m.Floored) == 0 {
				if want := naiveLogProb(m, x.RawRowView(i)); math.Abs(logs[i]-want) > 1e-7*(1+math.Abs(want)) {
					t.Fatalf("step %d: log density %v, by the formula %v", m.Iterations, logs[i], want)
				}
			}
			total := 0.0
			for _, w := range m.Weights {
				total += w
			}
			if math.Abs(total-1) > 1e-12 {
				t.Fatalf("weights %v", m.Weights)
			}
			labels, err := m.Predict(x)
			if err != nil {
				t.Fatal(err)
			}
			post, _ := m.Responsibilities(x)
			for i, z := range labels {
				if z != m.Labels[i] && post.At(i, z)-post.At(i, m.Labels[i]) > 1e-9 {
					t.Fatalf("step %d: Predict gives row %d to %d, Labels to %d", m.Iterations, i, z, m.Labels[i])
				}
			}
		}
	})
}

// The best covariance above a floor is the one of lift: no other of many above the floor is more
// likely.
func TestLiftIsTheMostLikelyCovarianceAboveTheFloor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.IntRange(1, 4).Draw(t, "d")
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		random := func(rank int) *mat.SymDense {
			a, s := mat.NewDense(d, rank, nil), new(mat.SymDense)
			a.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, a)
			s.SymOuterK(1, a)
			return s
		}
		s := random(rapid.IntRange(1, d).Draw(t, "rank"))
		floor := make([]float64, d)
		for j := range floor {
			floor[j] = 0.3 * r.Float64()
		}
		c := slices.Clone(mat.DenseCopyOf(s).RawMatrix().Data)
		if _, ok := lift(c, floor); !ok {
			t.Fatal("no eigenvalues")
		}
		likelihood := func(c *mat.SymDense) float64 {
			var chol mat.Cholesky
			var x mat.Dense
			if !chol.Factorize(c) || chol.SolveTo(&x, s) != nil {
				return math.Inf(-1)
			}
			return -chol.LogDet() - mat.Trace(&x)
		}
		best := mat.NewSymDense(d, c)
		for range 50 {
			var eigen mat.EigenSym
			other := random(d)
			other.ScaleSym(math.Exp(-6*r.Float64()), other)
			for j, f := range floor {
				other.SetSym(j, j, other.At(j, j)+f)
			}
			w := r.Float64()
			other.ScaleSym(w, other)
			near := new(mat.SymDense)
			near.ScaleSym(1-w, best)
			other.AddSym(other, near) // a convex combination is above the floor too
			if likelihood(other) > likelihood(best)+1e-9 {
				t.Fatalf("%v is more likely than %v for %v", mat.Formatted(other), mat.Formatted(best), mat.Formatted(s))
			}
			above := mat.NewSymDense(d, nil)
			above.CopySym(best)
			for j, f := range floor {
				above.SetSym(j, j, above.At(j, j)-f)
			}
			if eigen.Factorize(above, false); slices.Min(eigen.Values(nil)) < -1e-12 {
				t.Fatal("below the floor")
			}
		}
	})
}

func transform(x *mat.Dense, f func(a, b float64) (float64, float64)) *mat.Dense {
	n, _ := x.Dims()
	y := mat.NewDense(n, 2, nil)
	for i := range n {
		a, b := f(x.At(i, 0), x.At(i, 1))
		y.SetRow(i, []float64{a, b})
	}
	return y
}

func TestGMMInvariances(t *testing.T) {
	x := datasets.Blobs(300, 2, 3, 2, 2).X
	sin, cos := math.Sincos(0.7)
	for _, c := range []struct {
		name     string
		families []Covariance
		shift    float64 // what the log density changes by
		f        func(a, b float64) (float64, float64)
	}{
		{"rotation", []Covariance{Full, Tied, Spherical}, 0, func(a, b float64) (float64, float64) { return cos*a - sin*b, sin*a + cos*b }},
		{"translation", families, 0, func(a, b float64) (float64, float64) { return a + 1000, b - 50 }},
		{"scaling up", families, -2 * 120 * math.Ln10, func(a, b float64) (float64, float64) { return 1e120 * a, 1e120 * b }},
		{"scaling down", families, 2 * 150 * math.Ln10, func(a, b float64) (float64, float64) { return 1e-150 * a, 1e-150 * b }},
		{"columns", []Covariance{Full, Tied, Diagonal}, -300 * math.Ln10, func(a, b float64) (float64, float64) { return 1e150 * a, 1e150 * b }},
		{"other units for each", []Covariance{Full, Tied, Diagonal}, -1 * math.Ln10, func(a, b float64) (float64, float64) { return 1e151 * a, 1e-150 * b }},
	} {
		for _, family := range c.families {
			start := mat.DenseCopyOf(x.Slice(0, 3, 0, 2))
			base, err := GMM{K: 3, Covariance: family, Init: &GMMModel{Means: start}, Tol: 1e-9}.Fit(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			m, err := GMM{K: 3, Covariance: family, Init: &GMMModel{Means: transform(start, c.f)}, Tol: 1e-9}.Fit(t.Context(), transform(x, c.f))
			if err != nil {
				t.Errorf("%s, %s: %v", c.name, family, err)
				continue
			}
			if math.Abs(m.LogLikelihood-base.LogLikelihood-c.shift) > 1e-8*(1+math.Abs(c.shift)/100) || !slices.Equal(m.Labels, base.Labels) {
				t.Errorf("%s, %s: log-likelihood %v, want %v", c.name, family, m.LogLikelihood, base.LogLikelihood+c.shift)
			}
			if want := transform(base.Means, c.f); !closeTo(m.Means, want, 1e-5) {
				t.Errorf("%s, %s: means %v, want %v", c.name, family, mat.Formatted(m.Means), mat.Formatted(want))
			}
			logs, err := m.LogProb(t.Context(), transform(x, c.f))
			if err != nil || math.Abs(stat.Mean(logs, nil)-m.LogLikelihood) > 1e-9*(1+math.Abs(m.LogLikelihood)) {
				t.Errorf("%s, %s: LogProb %v, want %v (%v)", c.name, family, stat.Mean(logs, nil), m.LogLikelihood, err)
			}
		}
	}
	// The order of rows decides nothing but rounding.
	n, _ := x.Dims()
	perm, y := rng.New(9).Perm(n), mat.NewDense(n, 2, nil)
	for i, p := range perm {
		y.SetRow(i, x.RawRowView(p))
	}
	init := &GMMModel{Means: mat.DenseCopyOf(x.Slice(0, 3, 0, 2))}
	a, err := GMM{K: 3, Init: init, Tol: 1e-9}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	b, err := GMM{K: 3, Init: init, Tol: 1e-9}.Fit(t.Context(), y)
	if err != nil || math.Abs(a.LogLikelihood-b.LogLikelihood) > 1e-9 || !closeTo(a.Means, b.Means, 1e-6) {
		t.Errorf("rows in another order: %v and %v (%v)", a.LogLikelihood, b.LogLikelihood, err)
	}
	// From k-means too the units of columns make no difference, unless covariances are spherical.
	for _, family := range []Covariance{Full, Tied, Diagonal} {
		a, err := GMM{K: 3, Covariance: family, Seed: 4}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		b, err := GMM{K: 3, Covariance: family, Seed: 4}.Fit(t.Context(), transform(x, func(a, b float64) (float64, float64) { return 3 * a, 700 * b }))
		if err != nil || math.Abs(a.LogLikelihood-b.LogLikelihood-math.Log(2100)) > 1e-6 {
			t.Errorf("%s: %v and %v (%v)", family, a.LogLikelihood, b.LogLikelihood+math.Log(2100), err)
		}
	}
}

// closeTo compares relative to the largest number of each column.
func closeTo(a, b *mat.Dense, tol float64) bool {
	n, d := a.Dims()
	for j := range d {
		size := 0.0
		for i := range n {
			size = max(size, math.Abs(b.At(i, j)))
		}
		for i := range n {
			if !(math.Abs(a.At(i, j)-b.At(i, j)) <= tol*size) {
				return false
			}
		}
	}
	return true
}

func TestSampleHasTheMomentsOfTheMixture(t *testing.T) {
	m := &GMMModel{Weights: []float64{0.2, 0.8}, Means: mat.NewDense(2, 2, []float64{100, -3, 104, 1}),
		Covariances: []*mat.SymDense{mat.NewSymDense(2, []float64{2, 0.9, 0.9, 0.5}), mat.NewSymDense(2, []float64{0.1, -0.1, -0.1, 4})}}
	mean, cov := []float64{103.2, 0.2}, mat.NewSymDense(2, nil)
	for i := range 2 {
		for j := range 2 {
			v := 0.0
			for k, w := range m.Weights {
				v += w * (m.Covariances[k].At(i, j) + (m.Means.At(k, i)-mean[i])*(m.Means.At(k, j)-mean[j]))
			}
			cov.SetSym(i, j, v)
		}
	}
	const n, seeds = 4000, 5
	for seed := range uint64(seeds) {
		x, err := m.Sample(t.Context(), n, seed)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := m.Sample(t.Context(), n, seed)
		if !mat.Equal(x, again) {
			t.Error("the same seed gives another sample")
		}
		var got mat.SymDense
		stat.CovarianceMatrix(&got, x, nil)
		for i := range 2 {
			// Five standard errors: one such failure in a million.
			if e := math.Abs(stat.Mean(mat.Col(nil, i, x), nil) - mean[i]); e > 5*math.Sqrt(cov.At(i, i)/n) {
				t.Errorf("seed %d: mean %d is off by %v", seed, i, e)
			}
			for j := range 2 {
				if e := math.Abs(got.At(i, j) - cov.At(i, j)); e > 5*math.Sqrt(2*cov.At(i, i)*cov.At(j, j)/n) {
					t.Errorf("seed %d: covariance %d, %d is off by %v", seed, i, j, e)
				}
			}
		}
		labels, _ := m.Predict(x)
		first := 0.0
		for _, z := range labels {
			first += float64(1-z) / n
		}
		if math.Abs(first-0.2) > 0.05 {
			t.Errorf("seed %d: a share of %v is from the first component", seed, first)
		}
	}
	if _, err := m.Sample(t.Context(), 0, 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("%v", err)
	}
	// A fit of a sample finds what it was drawn from.
	x, _ := m.Sample(t.Context(), 20000, 9)
	fit, err := GMM{K: 2, Seed: 1}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	at := 0
	if fit.Weights[0] > 0.5 {
		at = 1
	}
	if math.Abs(fit.Weights[at]-0.2) > 0.02 || math.Abs(fit.Means.At(at, 0)-100) > 0.15 || math.Abs(fit.Covariances[at].At(0, 1)-0.9) > 0.1 {
		t.Errorf("fitted %v, %v", fit.Weights, mat.Formatted(fit.Means))
	}
}

func TestFarAwayAndDegenerateModels(t *testing.T) {
	m, err := GMM{K: 3}.Fit(t.Context(), datasets.Blobs(300, 2, 3, 4, 2).X)
	if err != nil {
		t.Fatal(err)
	}
	far := mat.NewDense(6, 2, []float64{1e10, -1e10, 1e160, 1e160, -1e300, 1e300, math.MaxFloat64, -math.MaxFloat64, 1e200, 0, 0, -1e155})
	logs, err := m.LogProb(t.Context(), far)
	if err != nil {
		t.Fatal(err)
	}
	post, err := m.Responsibilities(far)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := m.Predict(far)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range logs {
		total := 0.0
		for _, r := range post.RawRowView(i) {
			total += r
		}
		if math.IsNaN(v) || v > -1e15 || math.Abs(total-1) > 1e-12 || post.At(i, labels[i]) < 0.3 {
			t.Errorf("row %d: log density %v, responsibilities %v, label %d", i, v, post.RawRowView(i), labels[i])
		}
	}
	one := mat.NewSymDense(1, []float64{1})
	for name, c := range map[string]struct {
		m    GMMModel
		kind error
		want string
	}{
		"empty":        {GMMModel{}, ml.ErrShape, "at least one component"},
		"no means":     {GMMModel{Weights: []float64{1}}, ml.ErrShape, "at least one component"},
		"weights":      {GMMModel{Weights: []float64{1, -1}, Means: mat.NewDense(2, 1, nil), Covariances: []*mat.SymDense{one, one}}, ml.ErrParameter, "weight 1 = -1"},
		"no weight":    {GMMModel{Weights: []float64{0, 0}, Means: mat.NewDense(2, 1, nil), Covariances: []*mat.SymDense{one, one}}, ml.ErrParameter, "sum of the weights"},
		"means":        {GMMModel{Weights: []float64{1}, Means: mat.NewDense(2, 1, nil), Covariances: []*mat.SymDense{one}}, ml.ErrShape, "1 weights and 2 means"},
		"covariances":  {GMMModel{Weights: []float64{1}, Means: mat.NewDense(1, 1, nil)}, ml.ErrShape, "0 covariances"},
		"nil":          {GMMModel{Weights: []float64{1}, Means: mat.NewDense(1, 1, nil), Covariances: []*mat.SymDense{nil}}, ml.ErrShape, "covariance 0 is not 1×1"},
		"not positive": {GMMModel{Weights: []float64{1}, Means: mat.NewDense(1, 2, nil), Covariances: []*mat.SymDense{mat.NewSymDense(2, []float64{1, 2, 2, 1})}}, ml.ErrParameter, "positive definite"},
		"zero":         {GMMModel{Weights: []float64{1}, Means: mat.NewDense(1, 1, nil), Covariances: []*mat.SymDense{mat.NewSymDense(1, nil)}}, ml.ErrParameter, "variance 0 of component 0 = 0"},
		"family":       {GMMModel{Weights: []float64{1}, Means: mat.NewDense(1, 1, nil), Covariances: []*mat.SymDense{one}, Family: "round"}, ml.ErrParameter, "Family = round"},
		"good":         {GMMModel{Weights: []float64{2}, Means: mat.NewDense(1, 1, nil), Covariances: []*mat.SymDense{one}}, nil, ""},
	} {
		_, err := c.m.LogProb(t.Context(), mat.NewDense(1, 1, nil))
		if !errors.Is(err, c.kind) || c.kind != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	if _, err := m.LogProb(t.Context(), mat.NewDense(1, 3, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("three columns: %v", err)
	}
	if _, err := m.Responsibilities(mat.NewDense(1, 2, []float64{0, math.NaN()})); !errors.Is(err, ml.ErrNotFinite) {
		t.Errorf("NaN: %v", err)
	}
}

func TestGMMBadInput(t *testing.T) {
	x := datasets.Iris().X
	init := func(m GMMModel) GMM { return GMM{K: 2, Init: &m} }
	eye := mat.NewSymDense(4, []float64{1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1})
	for name, c := range map[string]struct {
		g    GMM
		x    mat.Matrix
		kind error
		want string
	}{
		"nil":          {GMM{K: 2}, nil, ml.ErrEmpty, "nil"},
		"no K":         {GMM{}, x, ml.ErrParameter, "K = 0, want 1 ≤ K ≤ n = 150"},
		"K over n":     {GMM{K: 151}, x, ml.ErrParameter, "K = 151"},
		"covariance":   {GMM{K: 2, Covariance: "round"}, x, ml.ErrParameter, "Covariance = round"},
		"floor":        {GMM{K: 2, Floor: 1e-13}, x, ml.ErrParameter, "Floor = 1e-13"},
		"floor NaN":    {GMM{K: 2, Floor: math.NaN()}, x, ml.ErrParameter, "Floor = NaN"},
		"start":        {GMM{K: 2, Start: "best"}, x, ml.ErrParameter, "k-means"},
		"restarts":     {GMM{K: 2, Restarts: -1}, x, ml.ErrParameter, "Restarts = -1"},
		"max iter":     {GMM{K: 2, MaxIter: -1}, x, ml.ErrParameter, "MaxIter = -1"},
		"tol":          {GMM{K: 2, Tol: math.NaN()}, x, ml.ErrParameter, "Tol = NaN"},
		"no means":     {init(GMMModel{}), x, ml.ErrShape, "no Means"},
		"means":        {init(GMMModel{Means: mat.NewDense(2, 3, nil)}), x, ml.ErrShape, "2×3"},
		"means NaN":    {init(GMMModel{Means: mat.NewDense(2, 4, []float64{1, 2, 3, 4, 5, 6, 7, math.NaN()})}), x, ml.ErrNotFinite, "Init.Means: row 1, column 3"},
		"weights":      {init(GMMModel{Means: mat.NewDense(2, 4, nil), Weights: []float64{1}}), x, ml.ErrShape, "length 1, want 2"},
		"weight below": {init(GMMModel{Means: mat.NewDense(2, 4, nil), Weights: []float64{2, -1}}), x, ml.ErrParameter, "weight 1"},
		"covariances":  {init(GMMModel{Means: mat.NewDense(2, 4, nil), Covariances: []*mat.SymDense{eye}}), x, ml.ErrShape, "1 covariances"},
		"too small":    {GMM{K: 2}, mat.NewDense(3, 1, []float64{1e-200, 2e-200, 4e-200}), ml.ErrParameter, "multiply the column"},
		"too large":    {GMM{K: 2}, mat.NewDense(3, 1, []float64{1e200, 2e200, 4e200}), ml.ErrParameter, "multiply the column"},
	} {
		if m, err := c.g.Fit(t.Context(), c.x); m != nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
		for m, err := range c.g.Iterate(t.Context(), c.x) {
			if err == nil || m != nil {
				t.Errorf("%s: Iterate gives %v, %v", name, m, err)
			}
		}
	}
}

func degenerate() map[string]*mat.Dense {
	equal := mat.NewDense(50, 3, nil)
	equal.Apply(func(_, j int, _ float64) float64 { return 0.1 * float64(j+1) }, equal)
	r := rng.New(5)
	line, constant := mat.NewDense(40, 2, nil), mat.NewDense(40, 3, nil)
	for i := range 40 {
		v := r.NormFloat64()
		line.SetRow(i, []float64{v, 3*v + 1})
		constant.SetRow(i, []float64{v, 7, r.NormFloat64() + float64(10*(i%2))})
	}
	return map[string]*mat.Dense{
		"equal rows": equal, "zeros": mat.NewDense(10, 2, nil), "on a line": line, "a constant column": constant,
		"duplicates": mat.NewDense(6, 1, []float64{1, 1, 5, 5, 5, 1}), "three rows": mat.NewDense(3, 4, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3}),
		"wide": mat.NewDense(3, 2, []float64{1e8, 1, 1e8 + 1, 2, 1e8 + 2, 4}),
	}
}

func TestDegenerateData(t *testing.T) {
	for name, x := range degenerate() {
		n, _ := x.Dims()
		for _, family := range families {
			for _, start := range []Start{FromKMeans, RandomPoints} {
				for _, k := range []int{1, 2, 3, n} {
					if k > n {
						continue
					}
					m, err := GMM{K: k, Covariance: family, Start: start, Restarts: 2, MaxIter: 100}.Fit(t.Context(), x)
					if err != nil {
						t.Errorf("%s, %s, K = %d: %v", name, family, k, err)
						continue
					}
					logs, err := m.LogProb(t.Context(), x)
					if err != nil || math.IsNaN(m.LogLikelihood) || math.Abs(stat.Mean(logs, nil)-m.LogLikelihood) > 1e-6*(1+math.Abs(m.LogLikelihood)) {
						t.Errorf("%s, %s, K = %d: log-likelihood %v, anew %v (%v)", name, family, k, m.LogLikelihood, stat.Mean(logs, nil), err)
					}
				}
			}
		}
	}
	m, err := GMM{K: 2}.Fit(t.Context(), degenerate()["a constant column"])
	if err != nil || m.Floored[0] != 1 || m.Floored[1] != 1 || evaluate.ARI(m.Labels, alternating(40)) != 1 {
		t.Errorf("a constant column: floored %v, labels %v (%v)", m.Floored, m.Labels, err)
	}
}

func alternating(n int) []int {
	y := make([]int, n)
	for i := range y {
		y[i] = i % 2
	}
	return y
}

func TestGMMConforms(t *testing.T) {
	for _, family := range families {
		g := GMM{K: 3, Covariance: family}
		t.Run(string(family), func(t *testing.T) {
			mltest.Run(t, mltest.Method[GMMModel]{Fit: g.Fit, Iterate: g.Iterate, Objective: func(m *GMMModel) float64 { return -m.LogLikelihood },
				Predict: (*GMMModel).Predict, Labels: func(m *GMMModel) []int { return m.Labels }})
		})
	}
	g := GMM{K: 3, Start: RandomPoints, Restarts: 5}
	mltest.Run(t, mltest.Method[GMMModel]{Fit: g.Fit, Iterate: g.Iterate, Objective: func(m *GMMModel) float64 { return -m.LogLikelihood }, Predict: (*GMMModel).Predict})
}

func TestCancellationAtSize(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds and 100 MB")
	}
	x, wide := datasets.Blobs(300_000, 8, 20, 1, 1).X, datasets.Blobs(3000, 200, 10, 1, 1).X
	for name, fit := range map[string]func(ctx context.Context) error{
		"full": func(ctx context.Context) error { _, err := GMM{K: 40, Tol: 1e-14}.Fit(ctx, x); return err },
		"wide": func(ctx context.Context) error {
			_, err := GMM{K: 10, Tol: 1e-14, Start: RandomPoints}.Fit(ctx, wide)
			return err
		},
		"diagonal": func(ctx context.Context) error {
			_, err := GMM{K: 40, Tol: 1e-14, Covariance: Diagonal}.Fit(ctx, x)
			return err
		},
		"soft": func(ctx context.Context) error { _, err := SoftKMeans{K: 40, Tol: 1e-14}.Fit(ctx, x); return err },
	} {
		for _, wait := range []time.Duration{5 * time.Millisecond, 60 * time.Millisecond, 500 * time.Millisecond} {
			mltest.Prompt(t, fmt.Sprintf("%s after %v", name, wait), wait, fit)
		}
	}
}

// Cut short, Fit gives the best mixture so far, whole.
func TestBestSoFar(t *testing.T) {
	x := datasets.Blobs(400, 3, 4, 2, 1).X
	ctx, cancel := context.WithCancel(t.Context())
	var last *GMMModel
	for m, err := range (GMM{K: 4, Start: RandomPoints, Tol: 1e-12}).Iterate(ctx, x) {
		if m == nil {
			t.Fatal(err)
		}
		if err != nil {
			if m != last || !errors.Is(err, context.Canceled) {
				t.Errorf("the last is not the best so far, or the error is %v", err)
			}
			break
		}
		if last = m; m.Iterations == 3 {
			cancel()
		}
	}
	if last.Iterations != 3 {
		t.Errorf("went on to step %d", last.Iterations)
	}
	cancel()
}

func FuzzGMM(f *testing.F) {
	f.Add(uint8(5), uint8(2), uint8(3), uint64(1), 1.0, 0.0)
	f.Add(uint8(20), uint8(3), uint8(1), uint64(2), 1e150, 0.0)
	f.Add(uint8(9), uint8(1), uint8(6), uint64(3), 1e-8, 1e8)
	f.Fuzz(func(t *testing.T, rows, cols, k uint8, seed uint64, scale, offset float64) {
		n, d := int(rows%40)+1, int(cols%6)+1
		r := rng.New(seed)
		x := mat.NewDense(n, d, nil)
		x.Apply(func(i, _ int, _ float64) float64 { return offset + scale*math.Round(4*r.NormFloat64()) }, x)
		g := GMM{K: int(k % 8), Covariance: families[seed%4], Start: []Start{FromKMeans, RandomPoints}[seed/4%2], MaxIter: 30, Floor: []float64{0, 1e-12, 1}[seed/8%3]}
		m, err := g.Fit(t.Context(), x)
		if err != nil {
			if !errors.Is(err, ml.ErrParameter) && !errors.Is(err, ml.ErrNotFinite) && !errors.Is(err, ml.ErrNotConverged) {
				t.Fatal(err)
			}
			return
		}
		if math.IsNaN(m.LogLikelihood) || len(m.Labels) != n {
			t.Fatalf("%+v", m)
		}
		if _, err := m.LogProb(t.Context(), x); err != nil {
			t.Fatal(err)
		}
		if _, err := (SoftKMeans{K: g.K, Restarts: 1, MaxIter: 30}).Fit(t.Context(), x); err != nil && !errors.Is(err, ml.ErrParameter) {
			t.Fatal(err)
		}
	})
}

// A file of the first format must load for ever.
func TestSavedModelOfFormat1(t *testing.T) {
	const path = "testdata/iris3-format1.zip"
	m, err := GMM{K: 3}.Fit(t.Context(), datasets.Iris().X)
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("LATENT_WRITE_TESTDATA") != "" {
		if err := ml.Save(path, m); err != nil {
			t.Fatal(err)
		}
	}
	old, err := ml.Load[GMMModel](path)
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(old.LogLikelihood-m.LogLikelihood) > 1e-6 || !reflect.DeepEqual(old.Labels, m.Labels) || len(old.Covariances) != 3 || !mat.EqualApprox(old.Covariances[2], m.Covariances[2], 1e-3) {
		t.Errorf("%+v", old)
	}
}

func BenchmarkGMM(b *testing.B) {
	for _, n := range []int{2000, 8000, 32000} {
		x := datasets.Blobs(n, 10, 10, 2, 1).X
		for _, family := range families {
			b.Run(fmt.Sprintf("%s/n=%d", family, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := (GMM{K: 10, Covariance: family, MaxIter: 5}).Fit(b.Context(), x); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Two starts that end at one optimum with their components in another order differ by rounding,
// which must not choose between them.
func TestEqualStartsKeepTheFirst(t *testing.T) {
	f := &emFit{}
	start := func(mean float64) *emStep { return &emStep{components: &components{}, mean: mean} }
	first, permuted, higher := start(-3.7152), start(-3.7152*(1-1e-15)), start(-3.7151)
	if f.better(permuted, first) {
		t.Error("rounding chose")
	}
	if !f.better(higher, first) || f.better(first, higher) {
		t.Error("the higher likelihood is not better")
	}
}
