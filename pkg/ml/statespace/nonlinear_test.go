package statespace

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// On a linear system both approximations are the Kalman filter and smoother.
func TestNonlinearOnALinearSystem(t *testing.T) {
	ctx := context.Background()
	for _, k := range []int{1, 2, 3, 5} {
		s := turning(uint64(k), k, 4)
		x := draw(t, s, 3, 15, 8)
		x.X.Set(3, 1, nan)
		x.X.SetRow(6, slices.Repeat([]float64{nan}, 4))
		want, err := s.Smooth(ctx, x)
		if err != nil {
			t.Fatal(err)
		}
		filtered, err := s.Filter(ctx, x)
		if err != nil {
			t.Fatal(err)
		}
		ahead, err := s.Forecast(ctx, x, 3)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range []Approximation{Extended, Unscented} {
			n := &NonlinearSystem{Mean: s.Mean, Cov: s.Cov, F: Affine{s.A, s.Drift}, H: Affine{s.C, s.Offset}, Q: s.Q, R: s.R, Method: a}
			got, err := n.Smooth(ctx, x)
			if err != nil {
				t.Fatal(err)
			}
			mltest.CloseTo(t, string(a), got.LogLikelihood, want.LogLikelihood, 1e-8)
			if gap := mltest.MatrixGap(got.Mean, want.Mean); gap > 1e-8 {
				t.Errorf("%s: means differ by %v", a, gap)
			}
			for i, c := range got.Cov {
				if gap := mltest.MatrixGap(c, want.Cov[i]); gap > 1e-8 {
					t.Errorf("%s: covariance %d differs by %v", a, i, gap)
				}
				if want.Cross[i] != nil && mltest.MatrixGap(got.Cross[i], want.Cross[i]) > 1e-8 {
					t.Errorf("%s: covariance with the next, %d, differs", a, i)
				}
			}
			f, err := n.Filter(ctx, x)
			if err != nil {
				t.Fatal(err)
			}
			if gap := mltest.MatrixGap(f.Mean, filtered.Mean); gap > 1e-8 {
				t.Errorf("%s: filtered means differ by %v", a, gap)
			}
			fore, err := n.Forecast(ctx, x, 3)
			if err != nil {
				t.Fatal(err)
			}
			if gap := mltest.MatrixGap(fore.Mean, ahead.Mean); gap > 1e-8 || mltest.MatrixGap(fore.Cov[2], ahead.Cov[2]) > 1e-8 {
				t.Errorf("%s: forecasts differ by %v", a, gap)
			}
		}
	}
}

// The derivatives of a Radial are those that differences give.
func TestJacobians(t *testing.T) {
	r := Radial{mltest.Normal(1, 5, 3), 0.8, mltest.Normal(2, 3, 9)}
	f := Func{In: 3, Out: 3, F: r.Value}
	got, want := make([]float64, 9), make([]float64, 9)
	x := []float64{0.3, -0.5, 0.2}
	r.Jacobian(got, x)
	f.Jacobian(want, x)
	mltest.CloseTo(t, "derivatives", got, want, 1e-8)
}

// A pendulum is seen by the sine of its angle: both filters follow it far better than the sine's
// inverse, step by step, would.
func TestPendulum(t *testing.T) {
	const dt = 0.05
	swing := Func{In: 2, Out: 2, F: func(dst, z []float64) { dst[0], dst[1] = z[0]+dt*z[1], z[1]-9.8*dt*math.Sin(z[0]) }}
	sine := Func{In: 2, Out: 1, F: func(dst, z []float64) { dst[0] = math.Sin(z[0]) }}
	s := &NonlinearSystem{Mean: []float64{1.2, 0}, Cov: mat.NewSymDense(2, []float64{0.1, 0, 0, 0.1}), F: swing, H: sine,
		Q: mat.NewSymDense(2, []float64{1e-5, 0, 0, 1e-3}), R: mat.NewSymDense(1, []float64{0.1})}
	x, states, err := s.Sample(context.Background(), 200, 4)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []Approximation{Extended, Unscented} {
		s.Method = a
		got, err := s.Smooth(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		ours, naive := 0.0, 0.0
		for i := range 200 {
			ours += math.Pow(got.Mean.At(i, 0)-states.At(i, 0), 2) / 200
			naive += math.Pow(math.Asin(max(-1, min(1, x.At(i, 0))))-states.At(i, 0), 2) / 200
		}
		if ours > 0.1*naive {
			t.Errorf("%s: a mean squared error of %v, %v by the inverse", a, ours, naive)
		}
	}
}

// A limit cycle is learned: on new trials its forecasts beat those of a linear system.
func TestNLDSLearnsALimitCycle(t *testing.T) {
	p := datasets.CyclingPopulation(40, 60, 12, 1)
	all, err := trials.Cut(p.X, p.Lengths)
	if err != nil {
		t.Fatal(err)
	}
	last := []int{30, 31, 32, 33, 34, 35, 36, 37, 38, 39}
	train, _ := all.Except(last)
	test, _ := all.Select(last)
	ctx := context.Background()
	linear, err := LDS{States: 2}.Fit(ctx, train)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := linear.LogProb(ctx, test)
	if err != nil {
		t.Fatal(err)
	}
	start, err := test.Window(0, 15)
	if err != nil {
		t.Fatal(err)
	}
	missed := func(f *Forecast, err error) (sum float64) {
		if err != nil {
			t.Fatal(err)
		}
		for i := range test.Len() {
			for h := range 25 {
				for j := range 12 {
					e := f.Mean.At(25*i+h, j) - test.X.At(test.Start[i]+15+h, j)
					sum += e*e - p.Noise[j]
				}
			}
		}
		return sum
	}
	before := missed(linear.Forecast(ctx, start, 25))
	for _, a := range []Approximation{Extended, Unscented} {
		m, err := NLDS{States: 2, Method: a, Centers: 9, MaxIter: 12}.Fit(ctx, train)
		if err != nil {
			t.Fatal(err)
		}
		bent, err := m.System().LogProb(ctx, test)
		if err != nil {
			t.Fatal(err)
		}
		if floats.Sum(bent) < floats.Sum(logs)+10 {
			t.Errorf("%s: new trials have the log-likelihood %v, %v by a linear system", a, floats.Sum(bent), floats.Sum(logs))
		}
		if now := missed(m.System().Forecast(ctx, start, 25)); now > before {
			t.Errorf("%s: the error of forecasts is %v, %v by a linear system", a, now, before)
		}
		// Without noise it comes to a circle, from within and from outside.
		for _, from := range []float64{0.1, 3} {
			z, next := []float64{from, 0}, make([]float64, 2)
			for range 500 {
				m.System().F.Value(next, z)
				copy(z, next)
			}
			if size := math.Hypot(z[0], z[1]); size < 1.1 || size > 1.9 {
				t.Errorf("%s: from %v the state comes to %v", a, from, size)
			}
		}
	}
}

// Without radial functions it is the LDS with a drift: EM does not lower the likelihood, and gives
// that of the linear fit.
func TestNLDSWithoutCentersIsLinear(t *testing.T) {
	s := turning(3, 2, 5)
	for j := range 5 {
		for i := range j {
			s.R.SetSym(i, j, 0)
		}
	}
	x := draw(t, s, 2, 30, 20, 30)
	before := math.Inf(-1)
	var last *NLDSModel
	for m, err := range (NLDS{Centers: -1, MaxIter: 25, Tol: 1e-300}).Iterate(context.Background(), x) {
		if err != nil {
			t.Fatal(err)
		}
		if m.LogLikelihood < before-1e-4 {
			t.Errorf("the log-likelihood falls from %v to %v", before, m.LogLikelihood)
		}
		before, last = m.LogLikelihood, m
	}
	h := last.System()
	again := &System{Mean: last.Mean, Cov: last.Cov, Step: Step{A: mat.DenseCopyOf(last.Weights.Slice(0, 2, 0, 2)), Drift: mat.Col(nil, 2, last.Weights), Q: last.Q,
		C: last.C, Offset: last.Offset, R: h.R}}
	logs, err := again.LogProb(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	mltest.CloseTo(t, "as a linear system", []float64{floats.Sum(logs)}, []float64{last.LogLikelihood}, 1e-5)
}

func TestNLDSConformance(t *testing.T) {
	data := draw(t, turning(1, 2, 3), 1, 50).X
	for _, a := range []Approximation{Extended, Unscented} {
		t.Run(string(a), func(t *testing.T) {
			l := NLDS{MaxIter: 3, Centers: 6, Method: a}
			mltest.Run(t, mltest.Method[NLDSModel]{Fit: l.Fit, Iterate: l.Iterate, Data: data})
		})
	}
}

func TestSavedNLDS(t *testing.T) { mltest.Saved[NLDSModel](t, "testdata/nlds-format1.zip") }

func TestNLDSBadInput(t *testing.T) {
	ctx := context.Background()
	x := mltest.Normal(1, 20, 3)
	for what, c := range map[string]struct {
		l    NLDS
		says string
	}{
		"states": {NLDS{States: 21}, "States"}, "width": {NLDS{Width: -1}, "Width"}, "ridge": {NLDS{Ridge: nan}, "Ridge"}, "method": {NLDS{Method: "exact"}, "Method"},
		"floor": {NLDS{Floor: 1}, "Floor"}, "iterations": {NLDS{MaxIter: -1}, "MaxIter"}, "tolerance": {NLDS{Tol: -1}, "Tol"},
	} {
		mltest.Refused(t, what, mltest.Err(c.l.Fit(ctx, x)), ml.ErrParameter, c.says)
	}
	good := func() *NonlinearSystem {
		s := turning(1, 2, 3)
		return &NonlinearSystem{Cov: s.Cov, F: Affine{s.A, nil}, H: Affine{s.C, nil}, Q: s.Q, R: s.R}
	}
	s := good()
	s.H = nil
	mltest.Refused(t, "no H", mltest.Err(s.Filter(ctx, x)), ml.ErrEmpty, "H")
	s = good()
	s.F = Affine{mltest.Normal(1, 2, 3), nil}
	mltest.Refused(t, "F", mltest.Err(s.Filter(ctx, x)), ml.ErrShape, "F")
	s = good()
	s.R = mat.NewSymDense(3, nil)
	mltest.Refused(t, "R", mltest.Err(s.Filter(ctx, x)), ml.ErrParameter, "R")
	mltest.Refused(t, "variables", mltest.Err(good().Smooth(ctx, mltest.Normal(1, 5, 2))), ml.ErrShape, "2 variables")
	mltest.Refused(t, "steps", mltest.Err(good().Forecast(ctx, x, 0)), ml.ErrParameter, "steps")
	s = good()
	s.F = Func{In: 2, Out: 2, F: func(dst, z []float64) { dst[0], dst[1] = math.NaN(), z[1] }}
	mltest.Refused(t, "a function that is not finite", mltest.Err(s.LogProb(ctx, x)), ml.ErrNotFinite, "trial 0")
}
