package statespace

import (
	"context"
	"math"
	"math/cmplx"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// firing is a model of d neurons behind which a plane turns by 0.3 a step.
func firing(d int, rate float64) *PLDSModel {
	sin, cos := math.Sincos(0.3)
	m := &PLDSModel{Mean: []float64{0.5, 0}, Cov: mat.NewSymDense(2, []float64{1, 0.2, 0.2, 1}), A: mat.NewDense(2, 2, []float64{0.95 * cos, -0.95 * sin, 0.95 * sin, 0.95 * cos}),
		Q: mat.NewSymDense(2, []float64{0.1, 0, 0, 0.1}), C: mat.NewDense(d, 2, nil), Offset: make([]float64, d)}
	for j := range d {
		s, c := math.Sincos(2 * math.Pi * float64(j) / float64(d))
		m.C.SetRow(j, []float64{c, s})
		m.Offset[j] = math.Log(rate)
	}
	return m
}

// The blocks of the inverse of a block tridiagonal matrix, its determinant and its solutions.
func TestChain(t *testing.T) {
	const k, n = 3, 6
	r := rng.New(4)
	c := &chain{k: k, n: n}
	whole := mat.NewSymDense(k*n, nil)
	for step := range n {
		block := flat(spread(r.Uint64(), k))
		for i := range k {
			block[i*k+i] += 3
			for j := range i + 1 {
				whole.SetSym(step*k+i, step*k+j, block[i*k+j])
			}
		}
		c.diagonal = append(c.diagonal, block)
		if step > 0 {
			below := flat(mltest.Normal(r.Uint64(), k, k))
			for i := range k {
				for j := range k {
					below[i*k+j] *= 0.4
					whole.SetSym(step*k+i, (step-1)*k+j, below[i*k+j])
				}
			}
			c.below = append(c.below, below)
		}
	}
	if !c.factorize() {
		t.Fatal("not positive definite")
	}
	var inverse mat.Dense
	if err := inverse.Inverse(whole); err != nil {
		t.Fatal(err)
	}
	cov, cross := c.inverse()
	v := flat(mltest.Normal(1, n, k))
	var want mat.VecDense
	want.MulVec(&inverse, mat.NewVecDense(n*k, slices.Clone(v)))
	c.solve(v)
	mltest.CloseTo(t, "solution", v, want.RawVector().Data, 1e-12)
	logdet, _ := mat.LogDet(whole)
	mltest.CloseTo(t, "determinant", []float64{c.logDet()}, []float64{logdet}, 1e-11)
	for step := range n {
		mltest.CloseTo(t, "diagonal", cov[step], flat(inverse.Slice(step*k, (step+1)*k, step*k, (step+1)*k)), 1e-12)
		if step+1 < n {
			mltest.CloseTo(t, "below", cross[step], flat(inverse.Slice((step+1)*k, (step+2)*k, step*k, (step+1)*k)), 1e-12)
		}
	}
}

// With many counts a Poisson number is nearly Gaussian, and the log-likelihood by Laplace's method
// nearly that of an integral over a grid, for one state and a few steps.
func TestLaplaceAgainstAnIntegral(t *testing.T) {
	m := &PLDSModel{Mean: []float64{0.2}, Cov: mat.NewSymDense(1, []float64{0.5}), A: mat.NewDense(1, 1, []float64{0.8}), Q: mat.NewSymDense(1, []float64{0.2}),
		C: mat.NewDense(3, 1, []float64{0.5, -0.4, 0.3}), Offset: []float64{2, 2.5, 2.2}}
	x, _, err := m.Sample(context.Background(), 6, 1)
	if err != nil {
		t.Fatal(err)
	}
	x.X.Set(2, 1, nan)
	got, err := m.Smooth(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	// Forwards over a grid of states: the density of what has been seen and the state.
	const cells, lo, width = 1201, -6.0, 0.01
	normal := func(e, v float64) float64 { return math.Exp(-e*e/(2*v)) / math.Sqrt(2*math.Pi*v) }
	alpha := make([]float64, cells)
	for step := range 6 {
		next := make([]float64, cells)
		for i := range next {
			z := lo + width*float64(i)
			if step == 0 {
				next[i] = normal(z-0.2, 0.5)
			} else {
				for j, a := range alpha {
					next[i] += a * width * normal(z-0.8*(lo+width*float64(j)), 0.2)
				}
			}
			for j := range 3 {
				if v := x.X.At(step, j); v == v {
					eta := m.C.At(j, 0)*z + m.Offset[j]
					lg, _ := math.Lgamma(v + 1)
					next[i] *= math.Exp(v*eta - math.Exp(eta) - lg)
				}
			}
		}
		alpha = next
	}
	total, mean := floats.Sum(alpha)*width, 0.0
	for i, a := range alpha {
		mean += a * width / total * (lo + width*float64(i))
	}
	mltest.CloseTo(t, "log-likelihood", got.LogLikelihood, []float64{math.Log(total)}, 0.02)
	mltest.CloseTo(t, "mean of the last state", got.Mean.RawRowView(5), []float64{mean}, 0.05)
}

// The path is a maximum: with one step, no dynamics and one state its gradient is that of a line.
func TestLaplaceIsAMaximum(t *testing.T) {
	m := firing(6, 1)
	x, _, err := m.SampleTrials(context.Background(), []int{12, 1}, 3)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Smooth(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	z, want := s.Mean.RowView(12), mat.NewVecDense(2, nil) // the trial of one step: V⁻¹(z−m) = Cᵀ(x−λ)
	var inverse mat.Dense
	if err := inverse.Inverse(m.Cov); err != nil {
		t.Fatal(err)
	}
	for j := range 6 {
		e := x.X.At(12, j) - math.Exp(mat.Dot(m.C.RowView(j), z)+m.Offset[j])
		want.AddScaledVec(want, e, m.C.RowView(j))
	}
	var e, got mat.VecDense
	e.SubVec(z, mat.NewVecDense(2, m.Mean))
	got.MulVec(&inverse, &e)
	mltest.CloseTo(t, "the prior's pull is the data's", got.RawVector().Data, want.RawVector().Data, 1e-5)
}

func TestPLDSRecovers(t *testing.T) {
	truth := firing(15, 0.7)
	x, states, err := truth.SampleTrials(context.Background(), slices.Repeat([]int{60, 45}, 15), 2)
	if err != nil {
		t.Fatal(err)
	}
	m, err := PLDS{States: 2, MaxIter: 30}.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	want := truth.Eigenvalues()[0]
	if got := m.Eigenvalues()[0]; cmplx.Abs(got-want) > 0.04 {
		t.Errorf("the eigenvalue is %v, want %v", got, want)
	}
	logs, err := truth.LogProb(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	if m.LogLikelihood < floats.Sum(logs)-5 {
		t.Errorf("less likely than the truth: %v, %v", m.LogLikelihood, floats.Sum(logs))
	}
	// The rates are nearer to the true ones than the mean of each neuron is.
	rates, err := m.Rates(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	gap, spread := 0.0, 0.0
	n, _ := states.Dims()
	for j := range 15 {
		true1 := make([]float64, n)
		for i := range n {
			true1[i] = math.Exp(mat.Dot(truth.C.RowView(j), states.RowView(i)) + truth.Offset[j])
		}
		mean := floats.Sum(true1) / float64(n)
		for i, v := range true1 {
			gap += (rates.At(i, j) - v) * (rates.At(i, j) - v)
			spread += (v - mean) * (v - mean)
		}
	}
	if gap > 0.45*spread {
		t.Errorf("the rates leave %v of the variance", gap/spread)
	}
}

func TestPLDSConformance(t *testing.T) {
	x, _, err := firing(4, 2).Sample(context.Background(), 60, 1)
	if err != nil {
		t.Fatal(err)
	}
	l := PLDS{MaxIter: 8}
	mltest.Run(t, mltest.Method[PLDSModel]{Fit: l.Fit, Iterate: l.Iterate, Data: x.X})
}

func TestSavedPLDS(t *testing.T) { mltest.Saved[PLDSModel](t, "testdata/plds-format1.zip") }

func TestPLDSBadInput(t *testing.T) {
	ctx := context.Background()
	x, _, err := firing(4, 2).Sample(ctx, 20, 1)
	if err != nil {
		t.Fatal(err)
	}
	with := func(i, j int, v float64) *trials.Trials {
		y := &trials.Trials{X: mat.DenseCopyOf(x.X), Start: x.Start}
		y.X.Set(i, j, v)
		return y
	}
	silent := mat.DenseCopyOf(x.X)
	for i := range 20 {
		silent.Set(i, 2, 0)
	}
	mltest.Refused(t, "half a spike", mltest.Err(PLDS{}.Fit(ctx, with(3, 1, 0.5))), ml.ErrParameter, "step 3", "variable 1")
	mltest.Refused(t, "less than none", mltest.Err(PLDS{}.Fit(ctx, with(3, 1, -1))), ml.ErrParameter, "count")
	mltest.Refused(t, "a silent neuron", mltest.Err(PLDS{}.Fit(ctx, silent)), ml.ErrParameter, "variable 2")
	mltest.Refused(t, "states", mltest.Err(PLDS{States: 21}.Fit(ctx, x)), ml.ErrParameter, "States")
	mltest.Refused(t, "iterations", mltest.Err(PLDS{MaxIter: -1}.Fit(ctx, x)), ml.ErrParameter, "MaxIter")
	mltest.Refused(t, "tolerance", mltest.Err(PLDS{Tol: nan}.Fit(ctx, x)), ml.ErrParameter, "Tol")
	mltest.Refused(t, "variables", mltest.Err(firing(5, 1).Smooth(ctx, x)), ml.ErrShape, "4 variables")
	mltest.Refused(t, "no model", mltest.Err((*PLDSModel)(nil).Rates(ctx, x)), ml.ErrEmpty, "C")
}
