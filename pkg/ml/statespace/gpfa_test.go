package statespace

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// smoothFactors is a model with two factors of known time constants.
func smoothFactors(d int, tau ...float64) *GPFAModel {
	m := &GPFAModel{C: mltest.Normal(3, d, len(tau)), Offset: mltest.Normal(4, 1, d).RawRowView(0), R: make([]float64, d), Timescales: tau, Noise: 1e-3}
	for j := range m.R {
		m.R[j] = 0.3 + 0.1*float64(j%5)
	}
	return m
}

func drawFactors(t testing.TB, m *GPFAModel, seed uint64, lengths ...int) *trials.Trials {
	t.Helper()
	x, _, err := m.SampleTrials(context.Background(), lengths, seed)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// The posterior is that of the dense Gaussian of all that is seen, and so is the likelihood.
func TestGPFAIsTheDenseGaussian(t *testing.T) {
	m := smoothFactors(4, 2, 5)
	const n, d, k = 7, 4, 2
	x := drawFactors(t, m, 1, n, n)
	x.X.Set(2, 1, nan)
	x.X.SetRow(4, slices.Repeat([]float64{nan}, d))
	got, err := m.Smooth(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	kernel := func(i, t, s int) float64 {
		lag := float64(t - s)
		v := (1 - m.Noise) * math.Exp(-lag*lag/(2*m.Timescales[i]*m.Timescales[i]))
		if t == s {
			v += m.Noise
		}
		return v
	}
	for trial := range 2 {
		var seen []int
		for i, v := range x.Trial(trial).RawMatrix().Data {
			if v == v {
				seen = append(seen, i)
			}
		}
		cov, e := mat.NewSymDense(len(seen), nil), mat.NewVecDense(len(seen), nil)
		for a, i := range seen {
			e.SetVec(a, x.Trial(trial).At(i/d, i%d)-m.Offset[i%d])
			for b, j := range seen[:a+1] {
				v := 0.0
				for f := range k {
					v += m.C.At(i%d, f) * m.C.At(j%d, f) * kernel(f, i/d, j/d)
				}
				if i == j {
					v += m.R[i%d]
				}
				cov.SetSym(a, b, v)
			}
		}
		var chol mat.Cholesky
		chol.Factorize(cov)
		var w mat.VecDense
		if err := chol.SolveVecTo(&w, e); err != nil {
			t.Fatal(err)
		}
		want := -(mat.Dot(e, &w) + chol.LogDet() + float64(len(seen))*math.Log(2*math.Pi)) / 2
		mltest.CloseTo(t, "log-likelihood", got.LogLikelihood[trial:trial+1], []float64{want}, 1e-10)
		for step := range n {
			for f := range k {
				between := mat.NewVecDense(len(seen), nil) // Cov(seen, z)
				for a, i := range seen {
					between.SetVec(a, m.C.At(i%d, f)*kernel(f, i/d, step))
				}
				mltest.CloseTo(t, "mean", []float64{got.Mean.At(trial*n+step, f)}, []float64{mat.Dot(between, &w)}, 1e-10)
				var u mat.VecDense
				if err := chol.SolveVecTo(&u, between); err != nil {
					t.Fatal(err)
				}
				mltest.CloseTo(t, "variance", []float64{got.Cov[trial*n+step].At(f, f)}, []float64{1 - mat.Dot(between, &u)}, 1e-10)
			}
		}
	}
}

type gpfaReference struct {
	Lengths       []int
	Data          [][]float64
	LogLikelihood []float64
	Start, End    struct {
		C, Mean, Cov          [][]float64
		Offset, R, Timescales []float64
		Noise, LogLikelihood  float64
	}
	FactorAnalysis struct {
		LogLikelihood float64
		Covariance    [][]float64
	}
}

func (r gpfaReference) trials(t *testing.T) *trials.Trials {
	x, err := trials.Cut(mltest.FromRows(r.Data), r.Lengths)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// Inference is elephant's, and so is the first step of EM; after ten steps, of which each of ours
// finds the best time constants and elephant's do not quite, we are no less likely and close by.
func TestGPFAAgainstElephant(t *testing.T) {
	ref := mltest.ReadJSON[gpfaReference](t, "gpfa.json")
	x := ref.trials(t)
	end := &GPFAModel{C: mltest.FromRows(ref.End.C), Offset: ref.End.Offset, R: ref.End.R, Timescales: ref.End.Timescales, Noise: 1e-3}
	got, err := end.Smooth(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	mltest.CloseTo(t, "log-likelihood", []float64{floats.Sum(got.LogLikelihood)}, []float64{ref.End.LogLikelihood}, 1e-8)
	for i, want := range ref.End.Mean {
		mltest.CloseTo(t, "mean", got.Mean.RawRowView(i), want, 1e-8)
	}
	for i, want := range ref.End.Cov {
		mltest.CloseTo(t, "covariance", flat(got.Cov[i]), want, 1e-8)
	}
	start := &GPFAModel{C: mltest.FromRows(ref.Start.C), Offset: ref.Start.Offset, R: ref.Start.R, Timescales: ref.Start.Timescales, Noise: 1e-3}
	var logs []float64
	var last *GPFAModel
	for m, err := range (GPFA{Init: start, Floor: 0.01, MaxIter: 10, Tol: 1e-300}).Iterate(context.Background(), x) {
		if err != nil {
			t.Fatal(err)
		}
		logs, last = append(logs, m.LogLikelihood), m
	}
	mltest.CloseTo(t, "the start", logs[:1], ref.LogLikelihood[:1], 1e-8)
	for i, want := range ref.LogLikelihood[1:] {
		if logs[i+1] < want-1e-3 || logs[i+1] > want+0.5 {
			t.Errorf("step %d: %v, elephant has %v", i+1, logs[i+1], want)
		}
	}
	for i, tau := range last.Timescales {
		if math.Abs(tau/ref.End.Timescales[i]-1) > 0.05 {
			t.Errorf("time constant %d is %v, elephant's %v", i, tau, ref.End.Timescales[i])
		}
	}
}

// Without time constants GPFA is factor analysis: likelihood and covariance are scikit-learn's.
func TestGPFAWithoutTimeIsFactorAnalysis(t *testing.T) {
	ref := mltest.ReadJSON[gpfaReference](t, "gpfa.json")
	m, err := GPFA{States: 2, Timescale: -1, MaxIter: 3000, Tol: 1e-12}.Fit(context.Background(), ref.trials(t))
	if err != nil {
		t.Fatal(err)
	}
	mltest.CloseTo(t, "log-likelihood", []float64{m.LogLikelihood}, []float64{ref.FactorAnalysis.LogLikelihood}, 1e-4)
	var cov mat.Dense
	cov.Mul(m.C, m.C.T())
	for j, v := range m.R {
		cov.Set(j, j, cov.At(j, j)+v)
	}
	if gap := mltest.MatrixGap(&cov, mltest.FromRows(ref.FactorAnalysis.Covariance)); gap > 1e-3 {
		t.Errorf("the covariance differs by %v", gap)
	}
	if !slices.Equal(m.Timescales, []float64{0, 0}) {
		t.Errorf("time constants %v", m.Timescales)
	}
}

func TestGPFARecoversTimeConstants(t *testing.T) {
	truth := smoothFactors(10, 2, 8)
	x := drawFactors(t, truth, 2, slices.Repeat([]int{40, 25}, 15)...)
	m, err := GPFA{States: 2, MaxIter: 60}.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	tau := slices.Clone(m.Timescales)
	slices.Sort(tau)
	for i, want := range []float64{2, 8} {
		if math.Abs(tau[i]/want-1) > 0.15 {
			t.Errorf("time constant %v, want %v", tau[i], want)
		}
	}
	logs, err := truth.LogProb(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	if m.LogLikelihood < floats.Sum(logs) {
		t.Errorf("less likely than the truth: %v, %v", m.LogLikelihood, floats.Sum(logs))
	}
	turn, err := m.Orthonormal()
	if err != nil {
		t.Fatal(err)
	}
	var inverse, axes, gram mat.Dense
	if err := inverse.Inverse(turn); err != nil {
		t.Fatal(err)
	}
	axes.Mul(m.C, &inverse)
	gram.Mul(axes.T(), &axes)
	if gap := mltest.MatrixGap(&gram, mat.NewDiagDense(2, []float64{1, 1})); gap > 1e-10 {
		t.Errorf("the axes are not orthonormal: %v", gap)
	}
}

// What one variable is given the others, in closed form, is what smoothing without it says.
func TestGPFALeaveOut(t *testing.T) {
	m := smoothFactors(4, 2, 5)
	x := drawFactors(t, m, 1, 9, 6, 9)
	got, err := m.LeaveOut(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	for j := range 4 {
		without := &trials.Trials{X: mat.DenseCopyOf(x.X), Start: x.Start}
		for i := range 24 {
			without.X.Set(i, j, nan)
		}
		z, err := m.Smooth(context.Background(), without)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 24 {
			want := mat.Dot(m.C.RowView(j), z.Mean.RowView(i)) + m.Offset[j]
			mltest.CloseTo(t, "prediction", []float64{got.At(i, j)}, []float64{want}, 1e-9)
		}
	}
	x.X.Set(3, 2, nan) // the other way to the same
	other, err := m.LeaveOut(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	if gap := mltest.MatrixGap(other.Slice(9, 24, 0, 4), got.Slice(9, 24, 0, 4)); gap > 1e-9 {
		t.Errorf("the two ways differ by %v", gap)
	}
}

func TestGPFADimension(t *testing.T) {
	x := drawFactors(t, smoothFactors(8, 2, 6), 5, slices.Repeat([]int{20}, 16)...)
	c, err := GPFADimension{GPFA: GPFA{MaxIter: 15}, Most: 4}.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	if c.Best != 2 || c.Error[0] < 1.2*c.Error[1] {
		t.Errorf("%d factors are chosen, of errors %v", c.Best, c.Error)
	}
	mltest.Refused(t, "too many", mltest.Err(GPFADimension{Most: 8}.Fit(context.Background(), x)), ml.ErrParameter, "Most")
	mltest.Refused(t, "one trial", mltest.Err(GPFADimension{}.Fit(context.Background(), x.X)), ml.ErrParameter, "count")
}

func TestGPFANeverLowersTheLikelihood(t *testing.T) {
	x := drawFactors(t, smoothFactors(5, 2, 6), 5, 20, 12, 20, 7, 1)
	r := rng.New(1)
	for i := range x.X.RawMatrix().Rows {
		if r.IntN(4) == 0 {
			x.X.Set(i, r.IntN(5), nan)
		}
		if r.IntN(9) == 0 {
			x.X.SetRow(i, slices.Repeat([]float64{nan}, 5))
		}
	}
	for name, g := range map[string]GPFA{"default": {}, "held": {Hold: true}, "without time": {Timescale: -1}, "five": {States: 5}} {
		g.MaxIter, g.Tol = 20, 1e-300
		before := math.Inf(-1)
		for m, err := range g.Iterate(context.Background(), x) {
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if m.LogLikelihood < before-1e-9*math.Abs(before) {
				t.Errorf("%s: the log-likelihood falls from %v to %v at step %d", name, before, m.LogLikelihood, m.Iterations)
			}
			before = m.LogLikelihood
		}
	}
}

func TestGPFAConformance(t *testing.T) {
	data := drawFactors(t, smoothFactors(4, 3), 1, 40).X
	g := GPFA{States: 1, MaxIter: 10}
	mltest.Run(t, mltest.Method[GPFAModel]{Fit: g.Fit, Iterate: g.Iterate, Data: data, Objective: func(m *GPFAModel) float64 { return -math.Round(m.LogLikelihood*1e7) / 1e7 }})
}

func TestSavedGPFA(t *testing.T) {
	mltest.Saved[GPFAModel](t, "testdata/gpfa-format1.zip")
	mltest.Saved[GPFADimensions](t, "testdata/gpfadimensions-format1.zip")
}

func TestGPFABadInput(t *testing.T) {
	ctx := context.Background()
	x := mltest.Normal(1, 20, 3)
	for what, c := range map[string]struct {
		g    GPFA
		says string
	}{
		"states": {GPFA{States: 4}, "States"}, "timescale": {GPFA{Timescale: nan}, "Timescale"}, "noise": {GPFA{Noise: 1}, "Noise"},
		"floor": {GPFA{Floor: -1}, "Floor"}, "iterations": {GPFA{MaxIter: -1}, "MaxIter"}, "tolerance": {GPFA{Tol: -1}, "Tol"},
		"R": {GPFA{Init: &GPFAModel{C: mltest.Normal(1, 3, 1), Offset: make([]float64, 3), R: make([]float64, 3), Timescales: []float64{1}, Noise: 0.1}}, "R[0]"},
	} {
		mltest.Refused(t, what, mltest.Err(c.g.Fit(ctx, x)), ml.ErrParameter, c.says)
	}
	m := smoothFactors(4, 2)
	mltest.Refused(t, "variables", mltest.Err(m.Smooth(ctx, x)), ml.ErrShape, "3 variables")
	m.Timescales = nil
	mltest.Refused(t, "time constants", mltest.Err(m.LogProb(ctx, mltest.Normal(1, 5, 4))), ml.ErrShape, "Timescales")
	mltest.Refused(t, "nothing", mltest.Err((*GPFAModel)(nil).Smooth(ctx, x)), ml.ErrEmpty, "C")
	if _, _, err := smoothFactors(3, 2).Sample(ctx, 0, 1); err == nil {
		t.Error("a trial of no steps is drawn")
	}
}
