package statespace

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// NonlinearSystem is a state that moves and is seen by functions that need not be linear, with
// Gaussian noise:
//
//	z₁ ~ N(Mean, Cov),   zₜ = F(zₜ₋₁) + N(0, Q),   xₜ = H(zₜ) + N(0, R).
//
// States are taken to be Gaussian at each step. What F and H make of a Gaussian is found by one of
// two approximations, which are exact, and the Kalman filter, where F and H are linear.
type NonlinearSystem struct {
	Mean   []float64     // of the first state, length k; nil means zeros
	Cov    *mat.SymDense // of the first state, k×k
	F, H   Map           // k to k, and k to d
	Q, R   *mat.SymDense // k×k and d×d
	Method Approximation // "" means Unscented
}

// Approximation says how a Gaussian goes through a function.
type Approximation string

const (
	// Extended replaces the function by its tangent at the mean: the extended Kalman filter.
	Extended Approximation = "extended"
	// Unscented sends points through the function, 2k+1 for k ≤ 2 and 2k above, that have the
	// Gaussian's mean and covariance, and takes those of what arrives (Julier & Uhlmann, 1997, with
	// n + κ = 3 for k ≤ 3, and weights that are never negative).
	Unscented Approximation = "unscented"
)

func (a Approximation) check(method, name string) error {
	if a != "" && a != Extended && a != Unscented {
		return ml.BadParameter(method, name, sprintf("%q", string(a)), sprintf("%q, %q or %q", "", Extended, Unscented))
	}
	return nil
}

// Map is a differentiable function of several variables. Its methods may be called from several
// goroutines.
type Map interface {
	Dims() (in, out int)
	Value(dst, x []float64)
	Jacobian(dst, x []float64) // out×in, row by row
}

// Func is a Map of a function that is written down. Where J is nil, the derivatives are
// differences.
type Func struct {
	In, Out int
	F       func(dst, x []float64)
	J       func(dst, x []float64) // out×in, row by row
}

// Dims returns the numbers of variables.
func (f Func) Dims() (in, out int) { return f.In, f.Out }

// Value sets dst to the function of x.
func (f Func) Value(dst, x []float64) { f.F(dst, x) }

// Jacobian sets dst to the derivatives at x.
func (f Func) Jacobian(dst, x []float64) {
	if f.J != nil {
		f.J(dst, x)
		return
	}
	at, up, down := append([]float64(nil), x...), make([]float64, f.Out), make([]float64, f.Out)
	for i, v := range x {
		h := 6e-6 * max(1, math.Abs(v))
		at[i] = v + h
		f.F(up, at)
		at[i] = v - h
		f.F(down, at)
		at[i] = v
		for j := range up {
			dst[j*f.In+i] = (up[j] - down[j]) / (2 * h)
		}
	}
}

// Affine is the Map W·x + B.
type Affine struct {
	W *mat.Dense // out×in
	B []float64  // length out; nil means zeros
}

// Dims returns the numbers of variables.
func (a Affine) Dims() (in, out int) {
	out, in = a.W.Dims()
	return in, out
}

// Value sets dst to W·x + B.
func (a Affine) Value(dst, x []float64) {
	for i := range dst {
		dst[i] = blas.Dot(a.W.RawRowView(i), x)
	}
	addTo(dst, a.B)
}

// Jacobian sets dst to W.
func (a Affine) Jacobian(dst, _ []float64) { copy(dst, flat(a.W)) }

// nonlinear is a NonlinearSystem that has been checked.
type nonlinear struct {
	k, d       int
	mean0, cov []float64
	q, r       []float64
	f, h       Map
	extended   bool
}

func (s *NonlinearSystem) prepare(method string) (*nonlinear, error) {
	if s == nil || s.F == nil || s.H == nil || s.Q == nil || s.R == nil || s.Cov == nil {
		return nil, ml.Empty(method, "a system needs F, H, Q, R and Cov")
	}
	if err := s.Method.check(method, "Method"); err != nil {
		return nil, err
	}
	k, out := s.F.Dims()
	in, d := s.H.Dims()
	if k != out || k != in || k < 1 || d < 1 {
		return nil, ml.BadShape(method, "F goes from %d to %d variables and H from %d to %d, want k to k and k to d", k, out, in, d)
	}
	p := &nonlinear{k: k, d: d, mean0: make([]float64, k), f: s.F, h: s.H, extended: s.Method == Extended}
	if s.Mean != nil {
		if err := ml.Vector(method, "Mean", s.Mean, k); err != nil {
			return nil, err
		}
		copy(p.mean0, s.Mean)
	}
	var err error
	for _, c := range []struct {
		name string
		x    *mat.SymDense
		n    int
		to   *[]float64
	}{{"Cov", s.Cov, k, &p.cov}, {"Q", s.Q, k, &p.q}, {"R", s.R, d, &p.r}} {
		if *c.to, err = elements(method, c.name, c.x, c.n, c.n); err != nil {
			return nil, err
		}
		if err := covariance(method, c.name, *c.to, c.n); err != nil {
			return nil, err
		}
	}
	if l := make([]float64, d*d); cholesky(l, p.r, d) < d {
		return nil, ml.BadParameter(method, "R", "a singular matrix", "a positive definite one")
	}
	return p, nil
}

// points returns points with the mean and covariance of a Gaussian, one a row, and their weights.
func points(mean, cov []float64) (x, weights []float64) {
	k := len(mean)
	l := make([]float64, k*k)
	cholesky(l, cov, k)
	kappa := max(3-float64(k), 0)
	scale := math.Sqrt(float64(k) + kappa)
	w := 1 / (2 * (float64(k) + kappa))
	if kappa > 0 {
		x, weights = append(x, mean...), append(weights, kappa/(float64(k)+kappa))
	}
	for i := range k {
		for _, sign := range []float64{1, -1} {
			for j, m := range mean {
				x = append(x, m+sign*scale*l[j*k+i])
			}
			weights = append(weights, w)
		}
	}
	return x, weights
}

// through returns the mean and covariance of a function of a Gaussian, and their covariance with
// it, in×out.
func through(f Map, mean, cov []float64, extended bool) (m, v, cross []float64) {
	in, out := f.Dims()
	m, v, cross = make([]float64, out), make([]float64, out*out), make([]float64, in*out)
	if extended {
		j, jv := make([]float64, out*in), make([]float64, out*in)
		f.Value(m, mean)
		f.Jacobian(j, mean)
		mul(jv, j, cov, out, in, in)
		mulT(v, jv, j, out, in, out)
		symmetrize(v, out)
		return m, v, transpose(jv, out, in)
	}
	x, weights := points(mean, cov)
	y := make([]float64, len(weights)*out)
	for i, w := range weights {
		f.Value(y[i*out:(i+1)*out], x[i*in:(i+1)*in])
		blas.Axpy(w, y[i*out:(i+1)*out], m)
	}
	e, dx := make([]float64, out), make([]float64, in)
	for i, w := range weights {
		copy(e, y[i*out:(i+1)*out])
		blas.Axpy(-1, m, e)
		copy(dx, x[i*in:(i+1)*in])
		blas.Axpy(-1, mean, dx)
		for a, u := range e {
			blas.Axpy(w*u, e, v[a*out:(a+1)*out])
		}
		for a, u := range dx {
			blas.Axpy(w*u, e, cross[a*out:(a+1)*out])
		}
	}
	return m, v, cross
}

// bend is the path of one trial: filtered, predicted and, if asked for, smoothed, by step.
type bend struct {
	filtered, filteredCov, predicted, predictedCov [][]float64
	smoothed, smoothedCov, cross                   [][]float64
	loglik                                         float64
}

func (p *nonlinear) run(method string, x *trials.Trials, trial int, smooth bool) (*bend, error) {
	k, n := p.k, x.Steps(trial)
	b := &bend{}
	moves := make([][]float64, n) // Cov(zₜ₋₁, zₜ)
	for t := range n {
		m, v := append([]float64(nil), p.mean0...), append([]float64(nil), p.cov...)
		if t > 0 {
			m, v, moves[t] = through(p.f, b.filtered[t-1], b.filteredCov[t-1], p.extended)
			addTo(v, p.q)
		}
		b.predicted, b.predictedCov = append(b.predicted, m), append(b.predictedCov, v)
		m, v = append([]float64(nil), m...), append([]float64(nil), v...)
		var vars []int
		row := x.X.RawRowView(x.Start[trial] + t)
		for j, u := range row {
			if u == u {
				vars = append(vars, j)
			}
		}
		if c := len(vars); c > 0 {
			seen, around, cross := through(p.h, m, v, p.extended)
			s, e, between, l := make([]float64, c*c), make([]float64, c), make([]float64, k*c), make([]float64, c*c)
			for a, i := range vars {
				e[a] = row[i] - seen[i]
				for bb, j := range vars {
					s[a*c+bb] = around[i*p.d+j] + p.r[i*p.d+j]
				}
				for z := range k {
					between[z*c+a] = cross[z*p.d+i]
				}
			}
			if cholesky(l, s, c) < c {
				return nil, ml.NotFinite(method, "trial %d, step %d: the covariance of what is expected is not finite or singular", trial, t)
			}
			// With L⁻¹ on both sides: gain·e = (cross·L⁻ᵀ)(L⁻¹e), and V = P −
			// (cross·L⁻ᵀ)(cross·L⁻ᵀ)ᵀ.
			solveLower(l, e)
			for z := range k {
				solveLower(l, between[z*c:(z+1)*c])
				m[z] += blas.Dot(between[z*c:(z+1)*c], e)
			}
			for i := range k {
				for j := range k {
					v[i*k+j] -= blas.Dot(between[i*c:(i+1)*c], between[j*c:(j+1)*c])
				}
			}
			symmetrize(v, k)
			b.loglik -= (blas.Dot(e, e) + logDet(l, c) + float64(c)*math.Log(2*math.Pi)) / 2
		}
		b.filtered, b.filteredCov = append(b.filtered, m), append(b.filteredCov, v)
	}
	if math.IsNaN(b.loglik) || math.IsInf(b.loglik, 0) {
		return nil, ml.NotFinite(method, "trial %d: the log-likelihood is %v", trial, b.loglik)
	}
	if !smooth {
		return b, nil
	}
	b.smoothed, b.smoothedCov, b.cross = make([][]float64, n), make([][]float64, n), make([][]float64, n)
	b.smoothed[n-1], b.smoothedCov[n-1] = b.filtered[n-1], b.filteredCov[n-1]
	l := make([]float64, k*k)
	for t := n - 2; t >= 0; t-- {
		gain := append([]float64(nil), moves[t+1]...)
		cholesky(l, b.predictedCov[t+1], k)
		solve(l, gain, k)
		e, m := append([]float64(nil), b.smoothed[t+1]...), make([]float64, k)
		blas.Axpy(-1, b.predicted[t+1], e)
		apply(m, gain, e)
		addTo(m, b.filtered[t])
		change, gv, v, cross := append([]float64(nil), b.smoothedCov[t+1]...), make([]float64, k*k), make([]float64, k*k), make([]float64, k*k)
		mulT(cross, change, gain, k, k, k)
		blas.Axpy(-1, b.predictedCov[t+1], change)
		mul(gv, gain, change, k, k, k)
		mulT(v, gv, gain, k, k, k)
		addTo(v, b.filteredCov[t])
		symmetrize(v, k)
		b.smoothed[t], b.smoothedCov[t], b.cross[t] = m, v, cross
	}
	return b, nil
}

func (p *nonlinear) runAll(ctx context.Context, method string, x *trials.Trials, smooth bool) ([]*bend, error) {
	out, errs := make([]*bend, x.Len()), make([]error, x.Len())
	err := parallel.For(ctx, x.Len(), 1, func(trial, _, _ int) { out[trial], errs[trial] = p.run(method, x, trial, smooth) })
	if err != nil {
		return nil, err
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

// run checks the system and what it is given, and filters each trial; with smooth, it smooths too.
func (s *NonlinearSystem) run(ctx context.Context, method string, x mat.Matrix, smooth bool) (*nonlinear, *trials.Trials, []*bend, error) {
	data, err := recording(method, x)
	if err != nil {
		return nil, nil, nil, err
	}
	p, err := s.prepare(method)
	if err != nil {
		return nil, nil, nil, err
	}
	if err := variables(method, data, p.d); err != nil {
		return nil, nil, nil, err
	}
	paths, err := p.runAll(ctx, method, data, smooth)
	return p, data, paths, err
}

// Filter is the extended or the unscented Kalman filter. Errors are those of System.Filter, and
// ml.ErrNotFinite where F or H leave the range of numbers. It costs O(k³ + d³) for each step of
// each trial, and F and H.
func (s *NonlinearSystem) Filter(ctx context.Context, x mat.Matrix) (*Filtered, error) {
	const method = "statespace.NonlinearSystem.Filter"
	p, data, paths, err := s.run(ctx, method, x, false)
	if err != nil {
		return nil, err
	}
	n, _ := data.Dims()
	out := &Filtered{mat.NewDense(n, p.k, nil), nil, mat.NewDense(n, p.k, nil), nil, nil}
	for trial, b := range paths {
		for t := range b.filtered {
			out.Mean.SetRow(data.Start[trial]+t, b.filtered[t])
			out.Predicted.SetRow(data.Start[trial]+t, b.predicted[t])
			out.Cov, out.PredictedCov = append(out.Cov, symmetric(b.filteredCov[t], p.k)), append(out.PredictedCov, symmetric(b.predictedCov[t], p.k))
		}
		out.LogLikelihood = append(out.LogLikelihood, b.loglik)
	}
	return out, nil
}

// Smooth is the smoother of Rauch, Tung and Striebel over the same approximation (Särkkä, 2008).
// Errors and costs are those of Filter.
func (s *NonlinearSystem) Smooth(ctx context.Context, x mat.Matrix) (*Smoothed, error) {
	const method = "statespace.NonlinearSystem.Smooth"
	p, data, paths, err := s.run(ctx, method, x, true)
	if err != nil {
		return nil, err
	}
	n, _ := data.Dims()
	out := &Smoothed{mat.NewDense(n, p.k, nil), nil, make([]*mat.Dense, n), nil}
	for trial, b := range paths {
		for t := range b.smoothed {
			row := data.Start[trial] + t
			out.Mean.SetRow(row, b.smoothed[t])
			out.Cov = append(out.Cov, symmetric(b.smoothedCov[t], p.k))
			if b.cross[t] != nil {
				out.Cross[row] = mat.NewDense(p.k, p.k, b.cross[t])
			}
		}
		out.LogLikelihood = append(out.LogLikelihood, b.loglik)
	}
	return out, nil
}

// LogProb returns the log-likelihood of each trial, in nats, as the filter approximates it. Errors
// are those of Filter.
func (s *NonlinearSystem) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	const method = "statespace.NonlinearSystem.LogProb"
	_, _, paths, err := s.run(ctx, method, x, false)
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(paths))
	for i, b := range paths {
		out[i] = b.loglik
	}
	return out, nil
}

// Forecast goes on from the last step of each trial. The errors are those of Filter, and
// ml.ErrParameter for fewer than one step.
func (s *NonlinearSystem) Forecast(ctx context.Context, x mat.Matrix, steps int) (*Forecast, error) {
	const method = "statespace.NonlinearSystem.Forecast"
	if steps < 1 {
		return nil, ml.BadParameter(method, "steps", steps, "at least 1")
	}
	p, data, paths, err := s.run(ctx, method, x, false)
	if err != nil {
		return nil, err
	}
	n := data.Len() * steps
	out := &Forecast{Steps: steps, States: mat.NewDense(n, p.k, nil), Mean: mat.NewDense(n, p.d, nil)}
	for trial, b := range paths {
		m, v := b.filtered[len(b.filtered)-1], b.filteredCov[len(b.filtered)-1]
		for i := range steps {
			m, v, _ = through(p.f, m, v, p.extended)
			addTo(v, p.q)
			seen, around, _ := through(p.h, m, v, p.extended)
			addTo(around, p.r)
			out.States.SetRow(trial*steps+i, m)
			out.Mean.SetRow(trial*steps+i, seen)
			out.StateCov, out.Cov = append(out.StateCov, symmetric(v, p.k)), append(out.Cov, symmetric(around, p.d))
		}
	}
	return out, nil
}

// Sample draws a trial of n steps and the states behind it, n×k. The errors are those of a system,
// ml.ErrParameter for n below 1, ml.ErrNotFinite where the states leave the range of numbers, and
// ctx.Err().
func (s *NonlinearSystem) Sample(ctx context.Context, n int, seed uint64) (x *trials.Trials, states *mat.Dense, err error) {
	return s.SampleTrials(ctx, []int{n}, seed)
}

// SampleTrials draws trials of the given lengths.
func (s *NonlinearSystem) SampleTrials(ctx context.Context, lengths []int, seed uint64) (x *trials.Trials, states *mat.Dense, err error) {
	const method = "statespace.NonlinearSystem.Sample"
	total, _, err := addLengths(method, lengths)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.prepare(method)
	if err != nil {
		return nil, nil, err
	}
	states, seen := mat.NewDense(total, p.k, nil), mat.NewDense(total, p.d, nil)
	first, q, r := make([]float64, p.k*p.k), make([]float64, p.k*p.k), make([]float64, p.d*p.d)
	cholesky(first, p.cov, p.k)
	cholesky(q, p.q, p.k)
	cholesky(r, p.r, p.d)
	row := 0
	for trial, n := range lengths {
		stream := rng.New(seed, trial)
		disturb := func(to, root []float64) {
			noise := make([]float64, len(to))
			for i := range noise {
				noise[i] = stream.NormFloat64()
			}
			for i := range to {
				to[i] += blas.Dot(root[i*len(to):(i+1)*len(to)], noise)
			}
		}
		for t := range n {
			if ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			z := states.RawRowView(row)
			if t == 0 {
				copy(z, p.mean0)
				disturb(z, first)
			} else {
				p.f.Value(z, states.RawRowView(row-1))
				disturb(z, q)
			}
			p.h.Value(seen.RawRowView(row), z)
			disturb(seen.RawRowView(row), r)
			for j, v := range seen.RawRowView(row) {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return nil, nil, ml.NotFinite(method, "trial %d, step %d, variable %d is %v", trial, t, j, v)
				}
			}
			row++
		}
	}
	x, err = trials.Cut(seen, lengths)
	return x, states, err
}
