package decomposition

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// planted are n rows of d variables that k factors drive, with noise of its own in each.
func planted(seed uint64, n, d, k int) (x, loadings *mat.Dense, psi []float64) {
	r := rng.New(seed)
	loadings, psi = mltest.Normal(r.Uint64(), d, k), make([]float64, d)
	x = mltest.Normal(r.Uint64(), n, d)
	for j := range psi {
		psi[j] = 0.3 + r.Float64()
		for i := range n {
			x.Set(i, j, x.At(i, j)*math.Sqrt(psi[j]))
		}
	}
	var common mat.Dense
	common.Mul(mltest.Normal(r.Uint64(), n, k), loadings.T())
	x.Add(x, &common)
	return x, loadings, psi
}

func fitFactors(t testing.TB, f FactorAnalysis, x mat.Matrix) *FactorModel {
	t.Helper()
	m, err := f.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestFactorConformance(t *testing.T) {
	data, _, _ := planted(1, 60, 5, 1)
	for name, f := range map[string]FactorAnalysis{"concentrated": {}, "em": {Method: EM, MaxIter: 200}, "isotropic": {Isotropic: true, MaxIter: 200}, "promax": {Factors: 2, Rotation: Promax}} {
		t.Run(name, func(t *testing.T) {
			mltest.Run(t, mltest.Method[FactorModel]{Fit: f.Fit, Iterate: f.Iterate, Data: data,
				// EM's rise may end in rounding.
				Objective: func(m *FactorModel) float64 { return -math.Round(m.LogLikelihood*1e11) / 1e11 }})
		})
	}
}

func TestSavedFactors(t *testing.T) {
	mltest.Saved[FactorModel](t, "testdata/factor-format1.zip")
}

// Likelihoods, covariances, scores and rotations are those of scikit-learn, by both methods.
func TestFactorsAgainstScikitLearn(t *testing.T) {
	type example struct {
		Data                       string
		Factors                    int
		LogLikelihood              float64
		Uniqueness                 []float64
		Covariance, Transform      [][]float64
		Varimax, Quartimax, Promax [][]float64
		Correlation                []float64
	}
	for _, c := range mltest.ReadJSON[[]example](t, "factor.json") {
		d := datasets.Iris()
		if c.Data == "wine" {
			d = datasets.Wine()
		}
		s := d.X
		if c.Data == "iris" { // setosa
			s = mat.DenseCopyOf(s.Slice(0, 50, 0, 4))
		}
		n, columns := s.Dims()
		x := mat.NewDense(n, columns, nil)
		for j := range columns {
			column := mat.Col(nil, j, s)
			mean := floats.Sum(column) / float64(n)
			floats.AddConst(-mean, column)
			floats.Scale(math.Sqrt(float64(n))/floats.Norm(column, 2), column)
			x.SetCol(j, column)
		}
		for _, method := range []FactorMethod{Concentrated, EM} {
			name := fmt.Sprint(c.Data, " ", c.Factors, " ", method)
			m := fitFactors(t, FactorAnalysis{Factors: c.Factors, Method: method, Floor: 1e-12}, x)
			tolerance := 1e-4
			if method == EM {
				tolerance = 2e-2 // where it stops, in parameters
			}
			if gap := math.Abs(m.LogLikelihood - c.LogLikelihood); !(gap < 1e-6) || !m.Converged {
				t.Errorf("%s: log-likelihood %.9f, want %.9f; converged %v after %d", name, m.LogLikelihood, c.LogLikelihood, m.Converged, m.Iterations)
			}
			if gap := mltest.MatrixGap(m.Covariance(), mltest.FromRows(c.Covariance)); !(gap < tolerance) {
				t.Errorf("%s: covariances differ by %g", name, gap)
			}
			mltest.CloseTo(t, name+" uniqueness", m.Uniqueness, c.Uniqueness, tolerance)
			if method == EM {
				continue
			}
			logs, err := m.LogProb(t.Context(), x)
			if err != nil || math.Abs(floats.Sum(logs)/float64(n)-m.LogLikelihood) > 1e-9 {
				t.Errorf("%s: the mean of LogProb is %v, LogLikelihood %v, %v", name, floats.Sum(logs)/float64(n), m.LogLikelihood, err)
			}
			z, err := m.Transform(x)
			if err != nil {
				t.Fatal(err)
			}
			ask := mat.NewDense(len(c.Transform), c.Factors, nil)
			for i := range c.Transform {
				ask.SetRow(i, z.RawRowView(30*i))
			}
			sameButSigns(t, name+" scores", ask, mltest.FromRows(c.Transform))
			for rotation, want := range map[Rotation][][]float64{Varimax: c.Varimax, Quartimax: c.Quartimax, Promax: c.Promax} {
				if want != nil {
					r := fitFactors(t, FactorAnalysis{Factors: c.Factors, Rotation: rotation, Floor: 1e-12}, x)
					sameButSigns(t, name+" "+string(rotation), r.Loadings, mltest.FromRows(want))
					if rotation == Promax {
						var sizes []float64
						for a := range c.Factors {
							for b := range a {
								sizes = append(sizes, math.Abs(r.Correlation.At(a, b)))
							}
						}
						slices.Sort(sizes)
						mltest.CloseTo(t, name+" correlations", sizes, c.Correlation, 1e-3)
					}
				}
			}
		}
	}
}

// sameButSigns compares matrices up to the order and the signs of their columns.
func sameButSigns(t testing.TB, what string, got mat.Matrix, want mat.Matrix) {
	t.Helper()
	_, k := got.Dims()
	for c := range k {
		g, nearest := mat.Col(nil, c, got), math.Inf(1)
		for o := range k {
			w := mat.Col(nil, o, want)
			apart, flipped := floats.Distance(g, w, math.Inf(1)), 0.0
			for i := range g {
				flipped = max(flipped, math.Abs(g[i]+w[i]))
			}
			nearest = min(nearest, apart, flipped)
		}
		if !(nearest < 1e-3) {
			t.Errorf("%s: column %d differs by %g from each", what, c, nearest)
		}
	}
}

// Columns times c have loadings times c, uniquenesses times c², and a log-likelihood less Σ log c;
// a rotation leaves the covariance.
func TestFactorUnits(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d := rapid.IntRange(6, 8).Draw(r, "d") // with fewer, two factors are more than the data determine
		x, _, _ := planted(rapid.Uint64Range(0, 100).Draw(r, "seed"), 200, d, 2)
		rotation := rapid.SampledFrom([]Rotation{Unrotated, Varimax, Quartimax, Promax}).Draw(r, "rotation")
		f := FactorAnalysis{Factors: 2, Rotation: rotation}
		m, err := f.Fit(context.Background(), x)
		if err != nil {
			r.Fatal(err)
		}
		if m.Heywood != nil {
			return // one of several maxima, and rounding may choose
		}
		scaled, logs, c := mat.DenseCopyOf(x), 0.0, make([]float64, d)
		for j := range c {
			c[j] = math.Pow(10, float64(rapid.IntRange(-3, 3).Draw(r, "c")))
			logs += math.Log(c[j])
		}
		scaled.Apply(func(_, j int, v float64) float64 { return 7 + v*c[j] }, scaled)
		s, err := f.Fit(context.Background(), scaled)
		if err != nil {
			r.Fatal(err)
		}
		// The likelihood can be flat at its top, where steps end a little apart.
		if gap := math.Abs(s.LogLikelihood + logs - m.LogLikelihood); gap > 1e-6 {
			r.Fatalf("log-likelihoods differ by %g from what units make", gap)
		}
		plain, err := FactorAnalysis{Factors: 2}.Fit(context.Background(), x)
		if err != nil {
			r.Fatal(err)
		}
		if gap := mltest.MatrixGap(plain.Covariance(), m.Covariance()); gap > 1e-12*mat.Max(m.Covariance())*10 {
			r.Fatalf("%s changes the covariance by %g", rotation, gap)
		}
		back := s.Covariance()
		for i := range d {
			for j := i; j < d; j++ {
				if gap := math.Abs(back.At(i, j)/c[i]/c[j] - m.Covariance().At(i, j)); gap > 1e-2*mat.Max(m.Covariance()) {
					r.Fatalf("covariance %d, %d differs by %g from what units make", i, j, gap)
				}
			}
		}
	})
}

// The gradient of the concentrated likelihood by finite differences, and the whole of it.
func TestConcentratedGradient(t *testing.T) {
	x, _, _ := planted(4, 100, 5, 2)
	f, err := FactorAnalysis{Factors: 2}.check(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	psi := []float64{0.3, 0.5, 0.4, 0.7, 0.2}
	at := func(p []float64) float64 {
		e, err := decompose(t.Context(), f.cov, p, 2)
		if err != nil {
			t.Fatal(err)
		}
		return e.loglik()
	}
	e, _ := decompose(t.Context(), f.cov, psi, 2)
	// The likelihood of W and Ψ by EM's formula is the same number.
	s := &factors{mean: make([]float64, 5), w: e.loadings(), psi: psi}
	if _, err := f.emStep(t.Context(), s); err != nil || math.Abs(s.loglik-e.loglik()) > 1e-12 {
		t.Errorf("%v and %v are the likelihood of one model; %v", s.loglik, e.loglik(), err)
	}
	for j := range psi {
		slope := 0.0
		for m := 2; m < 5; m++ {
			slope += (1 - e.values[m]) * e.v.At(j, m) * e.v.At(j, m)
		}
		up, down := slices.Clone(psi), slices.Clone(psi)
		up[j] *= math.Exp(1e-5)
		down[j] *= math.Exp(-1e-5)
		if want := -2 * (at(up) - at(down)) / 2e-5; math.Abs(want-slope) > 1e-7 {
			t.Errorf("the slope along log Ψ of variable %d is %v, want %v", j, slope, want)
		}
	}
}

// Where few eigenvectors are found, the likelihood, its gradient and the projection are those that
// all of them give.
func TestFewEigenvectors(t *testing.T) {
	x, _, psi := planted(8, 300, 40, 3)
	f, err := FactorAnalysis{Factors: 3}.check(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	few, err := decompose(t.Context(), f.cov, psi, 3)
	if err != nil {
		t.Fatal(err)
	}
	all, err := decompose(t.Context(), f.cov, psi, 39)
	if err != nil || len(few.values) != 3 || len(all.values) != 40 {
		t.Fatalf("%d and %d eigenvalues, %v", len(few.values), len(all.values), err)
	}
	all.k = 3
	if a, b := few.loglik(), all.loglik(); math.Abs(a-b) > 1e-11 {
		t.Errorf("log-likelihoods %v and %v", a, b)
	}
	gradient, onto := few.noise()
	want, wantOnto := all.noise()
	mltest.CloseTo(t, "gradient", gradient, want, 1e-10)
	if gap := mltest.MatrixGap(onto, wantOnto); gap > 1e-11 {
		t.Errorf("projections differ by %g", gap)
	}
}

// Isotropic noise is probabilistic PCA, whose maximum is known in closed form.
func TestIsotropicIsPCA(t *testing.T) {
	x, _, _ := planted(2, 150, 6, 2)
	p, err := PCA{Components: 2, Divisor: Population}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := p.LogProb(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	m := fitFactors(t, FactorAnalysis{Factors: 2, Isotropic: true}, x)
	if want := floats.Sum(logs) / 150; math.Abs(m.LogLikelihood-want) > 1e-7 || math.Abs(m.Uniqueness[3]-p.Noise) > 1e-4 || m.Uniqueness[0] != m.Uniqueness[5] {
		t.Errorf("log-likelihood %v, PCA's %v; noise %v, PCA's %v", m.LogLikelihood, want, m.Uniqueness, p.Noise)
	}
}

// With none missing EM for missing entries is EM; with a third missing, whatever numbers stand
// there, it is nearer to the truth than a fit to the rows that are whole, and the start below its
// end.
func TestMissingEntries(t *testing.T) {
	x, loadings, psi := planted(3, 400, 6, 2)
	var truth mat.Dense
	truth.Mul(loadings, loadings.T())
	for j, v := range psi {
		truth.Set(j, j, truth.At(j, j)+v)
	}
	whole := fitFactors(t, FactorAnalysis{Factors: 2, Method: EM, MaxIter: 50}, x)
	none := fitFactors(t, FactorAnalysis{Factors: 2, MaxIter: 50, Missing: mat.NewDense(400, 6, nil)}, x)
	if gap := mltest.MatrixGap(whole.Covariance(), none.Covariance()); gap > 1e-9 || math.Abs(whole.LogLikelihood-none.LogLikelihood) > 1e-10 {
		t.Errorf("with none missing covariances differ by %g, log-likelihoods by %g", gap, whole.LogLikelihood-none.LogLikelihood)
	}
	missing := mat.NewDense(400, 6, nil)
	garbage := mat.DenseCopyOf(x)
	var kept []int
	r := rng.New(9)
	for i := range 400 {
		all := true
		for j := range 6 {
			if r.Float64() < 1./3 && j != i%6 {
				missing.Set(i, j, 1)
				garbage.Set(i, j, 1e6)
				all = false
			}
		}
		if all {
			kept = append(kept, i)
		}
	}
	f := FactorAnalysis{Factors: 2, Missing: missing, MaxIter: 300}
	m := fitFactors(t, f, garbage)
	other := fitFactors(t, f, x)
	if gap := mltest.MatrixGap(m.Covariance(), other.Covariance()); gap > 1e-9 {
		t.Errorf("the numbers where entries are missing change the covariance by %g", gap)
	}
	rows := mat.NewDense(len(kept), 6, nil)
	for k, i := range kept {
		rows.SetRow(k, x.RawRowView(i))
	}
	distance := func(m *FactorModel) float64 {
		var gap mat.Dense
		gap.Sub(m.Covariance(), &truth)
		return mat.Norm(&gap, 2)
	}
	if a, b := distance(m), distance(fitFactors(t, FactorAnalysis{Factors: 2}, rows)); a > 0.8*b {
		t.Errorf("%d rows are whole; the fit to all is %g from the truth, that to these %g", len(kept), a, b)
	}
	before := math.Inf(-1)
	for m, err := range f.Iterate(t.Context(), garbage) {
		if err != nil || m.LogLikelihood < before-1e-12 {
			t.Fatalf("step %d: %v after %v, %v", m.Iterations, m.LogLikelihood, before, err)
		}
		before = m.LogLikelihood
	}
}

// A variable that is a factor itself has no uniqueness: a Heywood case, which is named.
func TestHeywood(t *testing.T) {
	x, _, _ := planted(5, 300, 6, 1)
	if m := fitFactors(t, FactorAnalysis{}, x); m.Heywood != nil {
		t.Errorf("no case: %v", m.Heywood)
	}
	// Iris has one: with one factor, petal length.
	if m := fitFactors(t, FactorAnalysis{}, datasets.Iris().X); !slices.Equal(m.Heywood, []int{2}) || !m.Converged || m.LogLikelihood < -2.81586 {
		t.Errorf("iris: %v, log-likelihood %v, converged %v", m.Heywood, m.LogLikelihood, m.Converged)
	}
	for i := range 300 {
		x.Set(i, 4, x.At(i, 2)+x.At(i, 3)) // two variables that, with their sum, have rank two
	}
	m := fitFactors(t, FactorAnalysis{Factors: 2, Floor: 1e-4}, x)
	if len(m.Heywood) == 0 || m.Communality[m.Heywood[0]] < 0.999 {
		t.Errorf("cases %v, communalities %v", m.Heywood, m.Communality)
	}
}

// Promax finds correlated factors with simple loadings; a sample of the model has its covariance.
func TestPromaxAndSample(t *testing.T) {
	truth := &FactorModel{Mean: []float64{1, 2, 3, 4, 5, 6}, Loadings: mat.NewDense(6, 2, []float64{1, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0, 1}),
		Uniqueness: []float64{0.5, 0.5, 0.5, 0.5, 0.5, 0.5}, Correlation: mat.NewSymDense(2, []float64{1, 0.5, 0.5, 1})}
	x, err := truth.Sample(t.Context(), 20_000, 1)
	if err != nil {
		t.Fatal(err)
	}
	m := fitFactors(t, FactorAnalysis{Factors: 2, Rotation: Promax}, x)
	if gap := mltest.MatrixGap(m.Covariance(), truth.Covariance()); gap > 0.06 {
		t.Errorf("the covariance of a sample is off by %g", gap)
	}
	if c := m.Correlation.At(0, 1); c < 0.3 || c > 0.5 { // promax turns less far than it should
		t.Errorf("the factors' correlation is %v, want nearly 0.5", c)
	}
	simple, varimax := 0.0, 0.0
	v := fitFactors(t, FactorAnalysis{Factors: 2, Rotation: Varimax}, x)
	for j := range 6 {
		simple = max(simple, min(math.Abs(m.Loadings.At(j, 0)), math.Abs(m.Loadings.At(j, 1))))
		varimax = max(varimax, min(math.Abs(v.Loadings.At(j, 0)), math.Abs(v.Loadings.At(j, 1))))
	}
	if simple > varimax/2 {
		t.Errorf("the least loading of a variable is at most %v, with varimax %v", simple, varimax)
	}
	mltest.CloseTo(t, "means", m.Mean, truth.Mean, 0.05)
	one, _ := truth.Sample(t.Context(), 300, 1)
	if !mat.Equal(one, x.Slice(0, 300, 0, 6)) {
		t.Error("rows of a sample depend on how many there are")
	}
}

func TestBadFactors(t *testing.T) {
	x, _, _ := planted(1, 20, 4, 1)
	fit := func(f FactorAnalysis, x mat.Matrix) error { return mltest.Err(f.Fit(t.Context(), x)) }
	constant := mat.DenseCopyOf(x)
	for i := range 20 {
		constant.Set(i, 2, 0.1)
	}
	hole := mat.NewDense(20, 4, nil)
	hole.SetRow(3, []float64{1, 1, 1, 1})
	column := mat.NewDense(20, 4, nil)
	for i := range 20 {
		column.Set(i, 1, 1)
	}
	for name, c := range map[string]struct {
		err, kind error
		says      string
	}{
		"factors":  {fit(FactorAnalysis{Factors: 4}, x), ml.ErrParameter, "Factors = 4, want 1 to d−1 = 3"},
		"method":   {fit(FactorAnalysis{Method: "x"}, x), ml.ErrParameter, `Method = "x"`},
		"both":     {fit(FactorAnalysis{Method: Concentrated, Isotropic: true}, x), ml.ErrParameter, "with Missing or Isotropic"},
		"rotation": {fit(FactorAnalysis{Rotation: "x"}, x), ml.ErrParameter, `Rotation = "x"`},
		"floor":    {fit(FactorAnalysis{Floor: 2}, x), ml.ErrParameter, "Floor = 2"},
		"tol":      {fit(FactorAnalysis{Tol: math.NaN()}, x), ml.ErrParameter, "Tol = NaN"},
		"steps":    {fit(FactorAnalysis{MaxIter: -1}, x), ml.ErrParameter, "MaxIter = -1"},
		"constant": {fit(FactorAnalysis{}, constant), ml.ErrParameter, "the variance of column 2 = 0"},
		"shape":    {fit(FactorAnalysis{Missing: mat.NewDense(2, 4, nil)}, x), ml.ErrShape, "Missing is 2×4, want 20×4"},
		"row":      {fit(FactorAnalysis{Missing: hole}, x), ml.ErrParameter, "observed entries of row 3 = 0"},
		"column":   {fit(FactorAnalysis{Missing: column}, x), ml.ErrParameter, "observed entries of column 1 = 0"},
	} {
		mltest.Refused(t, name, c.err, c.kind, c.says, factorMethod)
	}
	m := fitFactors(t, FactorAnalysis{}, x)
	mltest.Refused(t, "columns", mltest.Err(m.Transform(mat.NewDense(1, 3, nil))), ml.ErrShape, "3 columns")
	mltest.Refused(t, "n", mltest.Err(m.Sample(t.Context(), 0, 1)), ml.ErrParameter, "n = 0")
	mltest.Refused(t, "empty", mltest.Err((&FactorModel{}).Transform(x)), ml.ErrEmpty, "no loadings")
	// A fit that is cut off gives the model so far.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	steps := 0
	f := FactorAnalysis{Missing: mat.NewDense(20, 4, nil), Tol: 1e-300}
	var last *FactorModel
	var end error
	for m, err := range f.Iterate(ctx, x) {
		if steps++; steps == 3 {
			cancel()
		}
		last, end = m, err
	}
	if last == nil || last.Iterations != 2 || !errors.Is(end, context.Canceled) {
		t.Errorf("cut off after %d steps: %v, %v", steps, last, end)
	}
	wide, _, _ := planted(7, 200, 150, 3)
	for _, f := range []FactorAnalysis{{Factors: 3}, {Factors: 3, Method: EM, Tol: 1e-300}, {Factors: 3, Tol: 1e-300, Missing: mat.NewDense(200, 150, nil)}} {
		mltest.Prompt(t, "a fit", 20*time.Millisecond, func(ctx context.Context) error { return mltest.Err(f.Fit(ctx, wide)) })
	}
}
