package mixture

import (
	"context"
	"errors"
	"math"
	"slices"

	gonumblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/optimize"
)

// The parameters as one vector: U, of which a constant gate has the first column alone, then W,
// then, for linear experts, s with variance = floor + exp(s), which keeps them above the floor.

func (f *expertFit) pack(s *expertState) (theta []float64) {
	for a := range f.k - 1 {
		theta = append(theta, s.u[a*f.p:a*f.p+f.gateColumns()]...)
	}
	theta = append(theta, s.w...)
	for _, v := range s.variances {
		theta = append(theta, math.Log(max(v-f.floor, 1e-3*f.floor)))
	}
	return theta
}

func (f *expertFit) gateColumns() int {
	if f.gating == ConstantGating {
		return 1
	}
	return f.p
}

func (f *expertFit) unpack(theta []float64) *expertState {
	s := &expertState{u: make([]float64, (f.k-1)*f.p), w: make([]float64, f.k*f.p)}
	g := f.gateColumns()
	for a := range f.k - 1 {
		copy(s.u[a*f.p:], theta[a*g:(a+1)*g])
	}
	theta = theta[(f.k-1)*g:]
	copy(s.w, theta)
	if !f.logistic {
		for _, v := range theta[f.k*f.p:] {
			s.variances = append(s.variances, f.floor+math.Exp(min(v, 700)))
		}
	}
	return s
}

// gradient returns minus the objective and the gradient of that. By Fisher's identity it is the
// gradient of EM's expected log-likelihood at the present responsibilities, so one E-step gives
// both.
func (f *expertFit) gradient(ctx context.Context, theta []float64) (value float64, gradient []float64, err error) {
	k, p := f.k, f.p
	s := f.unpack(theta)
	objective, err := f.expect(ctx, s)
	if err != nil {
		return 0, nil, err
	}
	sums, err := f.sum(ctx, 2*k*p+k, func() func([]float64, int, int) {
		gap, pull := make([]float64, f.rows*k), make([]float64, f.rows*k)
		return func(sum []float64, lo, hi int) {
			gap, widths := gap[:(hi-lo)*k], sum[2*k*p:]
			for i, g := range f.gate[lo*k : hi*k] {
				gap[i] = math.Exp(g)
			}
			for i, r := range f.shares[lo*k : hi*k] {
				gap[i] = r - gap[i]
				e := f.y[lo+i/k] - f.means[lo*k+i]
				if f.logistic {
					pull[i] = r * (f.y[lo+i/k] - sigmoid(f.means[lo*k+i]))
					continue
				}
				v := s.variances[i%k]
				pull[i] = r * e / v
				widths[i%k] += r * (e*e/v - 1) / (2 * v)
			}
			blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(hi-lo, k, gap), f.block(lo, hi), 1, general(k, p, sum[:k*p]))
			blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(hi-lo, k, pull), f.block(lo, hi), 1, general(k, p, sum[k*p:2*k*p]))
		}
	})
	if err != nil {
		return 0, nil, err
	}
	if k > 1 {
		u, g := f.gateGradient(sums[:k*p], s.u), f.gateColumns()
		for a := range k - 1 {
			for j := range g {
				v := u[a*p+j]
				if f.gating == ConstantGating {
					v += f.penalty * s.u[a*p+j] // which is not held
				}
				gradient = append(gradient, v)
			}
		}
	}
	for j, v := range sums[k*p : 2*k*p] {
		if f.logistic {
			v -= f.penalty * s.w[j]
		}
		gradient = append(gradient, v)
	}
	for c, v := range s.variances {
		gradient = append(gradient, sums[2*k*p+c]*(v-f.floor))
	}
	floats.Scale(-1/float64(f.n), gradient)
	return -objective, gradient, nil
}

var errStop = errors.New("stop")

// record hands every accepted step of the optimizer on.
type record func(location *optimize.Location) error

func (r record) Init() error { return nil }
func (r record) Record(l *optimize.Location, op optimize.Operation, _ *optimize.Stats) error {
	if op == optimize.MajorIteration {
		return r(l)
	}
	return nil
}

// climb raises the objective by BFGS, or, where the Hessian would be large, by L-BFGS (Nocedal &
// Wright, 2006, chapters 6 and 7).
func (f *expertFit) climb(ctx context.Context, s *expertState, restart int, yield func(*expertStep) bool) {
	theta := f.pack(s)
	// Value and gradient are asked for one after the other, at the same place.
	var at, slope []float64
	var value float64
	evaluate := func(theta []float64) (float64, []float64) {
		if at == nil || !slices.Equal(theta, at) {
			v, g, err := f.gradient(ctx, theta)
			if err != nil || math.IsNaN(v) {
				v, g = math.Inf(1), make([]float64, len(theta)) // the context has ended, and hold will say so; or too far
			}
			at, value, slope = append(at[:0], theta...), v, g
		}
		return value, slope
	}
	step := func(value float64, theta []float64, iteration int) *expertStep {
		s := f.unpack(theta)
		return &expertStep{expertState: s, objective: -value, logLikelihood: f.penalized(s) - value, iteration: iteration, passes: f.passes, restart: restart}
	}
	value, _ = evaluate(theta)
	if ctx.Err() != nil {
		return
	}
	last := step(value, theta, 0)
	if !yield(last) {
		return
	}
	stopped, steps := false, 0
	hold := record(func(l *optimize.Location) error {
		if ctx.Err() != nil || math.IsInf(l.F, 1) {
			return errStop
		}
		steps++
		if next := step(l.F, l.X, steps); next.objective >= last.objective {
			last = next
			stopped = !yield(last)
		}
		if stopped || steps == f.maxIter {
			return errStop
		}
		return nil
	})
	var method optimize.Method = &optimize.BFGS{}
	if len(theta) > 300 {
		method = &optimize.LBFGS{Store: 20}
	}
	result, err := optimize.Minimize(optimize.Problem{
		Func: func(theta []float64) float64 { v, _ := evaluate(theta); return v },
		Grad: func(to, theta []float64) { _, g := evaluate(theta); copy(to, g) },
	}, theta, &optimize.Settings{GradientThreshold: 1e-9, Recorder: hold,
		Converger: &optimize.FunctionConverge{Absolute: f.tol / 100, Iterations: 10}}, method)
	if stopped || ctx.Err() != nil || result == nil {
		return
	}
	final := *last
	final.passes = f.passes
	// A line search that finds nothing better at a point without slope has arrived.
	final.converged = result.Status == optimize.GradientThreshold || result.Status == optimize.FunctionConvergence || err != nil && floats.Norm(slope, 2) < 1e-4
	yield(&final)
}
