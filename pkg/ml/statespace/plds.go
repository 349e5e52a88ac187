package statespace

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// PLDS is a linear dynamical system that is seen through counts, as of spikes (Smith & Brown, 2003;
// Macke et al., 2011):
//
//	zₜ = A·zₜ₋₁ + Drift + N(0, Q),   xₜⱼ ~ Poisson(exp(C·zₜ + Offset)ⱼ).
//
// The states given the counts are not Gaussian. Laplace's method takes the Gaussian around their
// most likely path, which Newton's steps find: the density of the path has one maximum and, step by
// step, a curvature that joins neighbours in time only, so that a step costs O(Tk³). EM alternates
// this with regressions for A, Q and the first state, and with Newton's steps for C and Offset. The
// likelihood is that of Laplace's method, an approximation, which EM need not raise at every step.
type PLDS struct {
	States  int // k; 0 means 2
	MaxIter int // steps; 0 means 50
	// Tol ends the fit at a step that changes the log-likelihood by less, a step of the trials, in
	// nats; 0 means 1e-5.
	Tol float64
}

// PLDSModel is a fitted PLDS.
type PLDSModel struct {
	Mean          []float64     // of the first state, length k
	Cov           *mat.SymDense // of the first state, k×k
	A, C          *mat.Dense    // k×k and d×k
	Drift, Offset []float64     // length k and d
	Q             *mat.SymDense // k×k
	LogLikelihood float64       // of all trials by Laplace's method, of what is not missing, in nats
	Iterations    int
	Converged     bool
}

func init() { ml.Register[PLDSModel]("statespace.PLDSModel") }

const pldsMethod = "statespace.PLDS"

// Fit returns the last model of Iterate. The error is ml.ErrParameter for an option out of range, a
// value that is no count (with its place), or a variable that is never seen or always 0, the errors
// of trials.Check, or ml.Dense for a plain matrix, and ctx.Err(), along with the model so far.
func (l PLDS) Fit(ctx context.Context, x mat.Matrix) (*PLDSModel, error) {
	return lastOf(ctx, l.Iterate(ctx, x))
}

// Iterate yields the model after every step, the first being the start; each is a fresh value.
func (l PLDS) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*PLDSModel, error] {
	return func(yield func(*PLDSModel, error) bool) {
		data, p, err := l.check(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		n, _ := data.Dims()
		before := math.Inf(-1)
		var last *PLDSModel
		for steps := 0; ; steps++ {
			paths, err := laplaceAll(ctx, p, data)
			if err != nil {
				yield(last, err)
				return
			}
			s, loglik := newStats(p.k, p.d, false), 0.0
			for _, path := range paths {
				loglik += path.loglik
				path.count(s, p.k)
			}
			done := math.Abs(loglik-before) < cmp.Or(l.Tol, 1e-5)*float64(n)
			before = loglik
			m := p.at(0)
			last = &PLDSModel{Mean: slices.Clone(p.mean0), Cov: symmetric(p.cov, p.k), A: mat.NewDense(p.k, p.k, slices.Clone(m.a)), C: mat.NewDense(p.d, p.k, slices.Clone(m.c)),
				Drift: slices.Clone(m.drift), Offset: slices.Clone(m.offset), Q: symmetric(m.q, p.k), LogLikelihood: loglik, Iterations: steps, Converged: done}
			if !yield(last, nil) || done || steps >= cmp.Or(l.MaxIter, 50) {
				return
			}
			if p, err = pldsMaximize(ctx, p, s, data, paths); err != nil {
				yield(last, err)
				return
			}
		}
	}
}

func (l PLDS) check(ctx context.Context, x mat.Matrix) (*trials.Trials, *prepared, error) {
	data, err := recording(pldsMethod, x)
	if err != nil {
		return nil, nil, err
	}
	n, d := data.Dims()
	l.States = cmp.Or(l.States, min(2, n))
	switch {
	case l.States < 1 || l.States > n:
		return nil, nil, ml.BadParameter(pldsMethod, "States", l.States, sprintf("1 to the number of steps, %d", n))
	case l.MaxIter < 0:
		return nil, nil, ml.BadParameter(pldsMethod, "MaxIter", l.MaxIter, "0 or more")
	case !(l.Tol >= 0) || math.IsInf(l.Tol, 0):
		return nil, nil, ml.BadParameter(pldsMethod, "Tol", l.Tol, "0 for the default, or a positive number")
	}
	if err := counts(pldsMethod, data); err != nil {
		return nil, nil, err
	}
	k := l.States
	m := &matrices{k: k, d: d, a: identity(k, 0.9), q: identity(k, 0.19), c: make([]float64, d*k), drift: make([]float64, k), offset: make([]float64, d), r: identity(d, 1), diagonal: true}
	p := &prepared{k: k, d: d, mean0: make([]float64, k), cov: identity(k, 1), steps: []*matrices{m}}
	// A linear system of log(1 + x) shows where the states are; its noise is not used.
	logs := &trials.Trials{X: mat.DenseCopyOf(data.X), Start: data.Start}
	logs.X.Apply(func(_, _ int, v float64) float64 { return math.Log1p(v) }, logs.X)
	for j := range d {
		sum, count := 0.0, 0.0
		for i := range n {
			if v := data.X.At(i, j); v == v {
				sum, count = sum+v, count+1
			}
		}
		if count == 0 || sum == 0 {
			return nil, nil, ml.BadParameter(pldsMethod, sprintf("the sum of variable %d", j), sum, "at least one count: leave the variable out")
		}
		m.offset[j] = math.Log(sum / count)
	}
	start, err := LDS{States: k, MaxIter: 10}.Fit(ctx, logs)
	if err != nil {
		return nil, nil, err
	}
	// In units in which the states have a variance of 1, and C what changes logarithms by as much.
	smooth, err := start.Smooth(ctx, logs)
	if err != nil {
		return nil, nil, err
	}
	scale := make([]float64, k)
	for i := range k {
		for row := range n {
			v := smooth.Mean.At(row, i)
			scale[i] += (v*v + smooth.Cov[row].At(i, i)) / float64(n)
		}
		scale[i] = math.Sqrt(max(scale[i], 1e-12))
	}
	for i := range k {
		for j := range k {
			m.a[i*k+j] = start.A.At(i, j) * scale[j] / scale[i]
			m.q[i*k+j] = start.Q.At(i, j) / scale[i] / scale[j]
		}
		m.q[i*k+i] += 1e-3
		for j := range d {
			m.c[j*k+i] = max(min(start.C.At(j, i)*scale[i]*2, 1), -1)
		}
	}
	return data, p, ctx.Err()
}

// counts checks that what is not missing is 0, 1, 2, …
func counts(method string, x *trials.Trials) error {
	for k := range x.Len() {
		for t := range x.Steps(k) {
			for j, v := range x.X.RawRowView(x.Start[k] + t) {
				if v == v && (v < 0 || v != math.Trunc(v) || v > 1e9) {
					return ml.BadParameter(method, sprintf("trial %d, step %d, variable %d", k, t, j), v, "a count")
				}
			}
		}
	}
	return nil
}

// laplace is the most likely path of a trial and the Gaussian around it.
type laplace struct {
	z          []float64 // T×k
	cov, cross [][]float64
	loglik     float64
}

func (l *laplace) count(s *stats, k int) {
	for t := range l.cov {
		at := l.z[t*k : (t+1)*k]
		if t == 0 {
			s.first(at, l.cov[0])
		} else {
			s.move(l.z[(t-1)*k:t*k], l.cov[t-1], at, l.cov[t], l.cross[t-1])
		}
	}
}

func laplaceAll(ctx context.Context, p *prepared, x *trials.Trials) ([]*laplace, error) {
	out, errs := make([]*laplace, x.Len()), make([]error, x.Len())
	err := parallel.For(ctx, x.Len(), 1, func(trial, _, _ int) { out[trial], errs[trial] = p.laplace(ctx, x, trial) })
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

// chain is a block tridiagonal matrix and its Cholesky decomposition: the precision of a path.
type chain struct {
	k, n            int
	diagonal, below [][]float64 // below[t] joins t+1 (rows) and t (columns)
	l, lb           [][]float64
}

// factorize sets l and lb; it is false where the matrix is not positive definite.
func (c *chain) factorize() bool {
	k := c.k
	c.l, c.lb = make([][]float64, c.n), make([][]float64, c.n-1)
	block := make([]float64, k*k)
	for t := range c.n {
		copy(block, c.diagonal[t])
		if t > 0 {
			b := c.lb[t-1]
			for i := range k {
				for j := range k {
					block[i*k+j] -= blas.Dot(b[i*k:(i+1)*k], b[j*k:(j+1)*k])
				}
			}
		}
		c.l[t] = make([]float64, k*k)
		if cholesky(c.l[t], block, k) < k {
			return false
		}
		if t+1 < c.n { // rows of below·l⁻ᵀ
			c.lb[t] = slices.Clone(c.below[t])
			for i := range k {
				solveLower(c.l[t], c.lb[t][i*k:(i+1)*k])
			}
		}
	}
	return true
}

// solve replaces v, n×k, by the matrix's inverse times it.
func (c *chain) solve(v []float64) {
	k := c.k
	u := make([]float64, k)
	for t := range c.n {
		if t > 0 {
			apply(u, c.lb[t-1], v[(t-1)*k:t*k])
			blas.Axpy(-1, u, v[t*k:(t+1)*k])
		}
		solveLower(c.l[t], v[t*k:(t+1)*k])
	}
	for t := c.n - 1; t >= 0; t-- {
		if t+1 < c.n {
			applyT(u, c.lb[t], v[(t+1)*k:(t+2)*k])
			blas.Axpy(-1, u, v[t*k:(t+1)*k])
		}
		solveUpper(c.l[t], v[t*k:(t+1)*k])
	}
}

// inverse returns the blocks of the inverse on the diagonal and below it.
func (c *chain) inverse() (cov, cross [][]float64) {
	k := c.k
	cov, cross = make([][]float64, c.n), make([][]float64, c.n-1)
	for t := c.n - 1; t >= 0; t-- {
		// Σₜ = l⁻ᵀ(I + lbᵀ·Σₜ₊₁·lb)l⁻¹ and Σₜ₊₁,ₜ = −Σₜ₊₁·lb·l⁻¹.
		block := identity(k, 1)
		if t+1 < c.n {
			sb := make([]float64, k*k)
			mul(sb, cov[t+1], c.lb[t], k, k, k)
			add := make([]float64, k*k)
			mul(add, transpose(c.lb[t], k, k), sb, k, k, k)
			addTo(block, add)
			cross[t] = sb
			for i := range sb {
				sb[i] = -sb[i]
			}
			for i := range k { // row·l⁻¹ solves lᵀ
				solveUpper(c.l[t], sb[i*k:(i+1)*k])
			}
		}
		for i := range k {
			solveUpper(c.l[t], block[i*k:(i+1)*k])
		}
		block = transpose(block, k, k)
		for i := range k {
			solveUpper(c.l[t], block[i*k:(i+1)*k])
		}
		symmetrize(block, k)
		cov[t] = block
	}
	return cov, cross
}

func (c *chain) logDet() (sum float64) {
	for _, l := range c.l {
		sum += logDet(l, c.k)
	}
	return sum
}

// inverted is the inverse of a covariance, a little of whose variance is added where it has none,
// and the logarithm of its determinant.
func inverted(a []float64, k int) (inverse []float64, logdet float64) {
	b, most := slices.Clone(a), 0.0
	for i := range k {
		most = max(most, a[i*k+i])
	}
	for i := range k {
		b[i*k+i] += 1e-9*most + 1e-12
	}
	l := make([]float64, k*k)
	cholesky(l, b, k)
	inverse = identity(k, 1)
	solve(l, inverse, k)
	symmetrize(inverse, k)
	return inverse, logDet(l, k)
}

// laplace finds the path of one trial.
func (p *prepared) laplace(ctx context.Context, x *trials.Trials, trial int) (*laplace, error) {
	k, d, n, m := p.k, p.d, x.Steps(trial), p.at(0)
	first, logFirst := inverted(p.cov, k)
	moves, logMoves := inverted(m.q, k)
	prior := &chain{k: k, n: n, diagonal: make([][]float64, n), below: make([][]float64, n-1)}
	qa, aqa := make([]float64, k*k), make([]float64, k*k)
	mul(qa, moves, m.a, k, k, k)
	mul(aqa, transpose(m.a, k, k), qa, k, k, k)
	symmetrize(aqa, k)
	mean := make([]float64, n*k)
	for t := range n {
		if t == 0 {
			prior.diagonal[0] = slices.Clone(first)
			copy(mean, p.mean0)
		} else {
			prior.diagonal[t] = slices.Clone(moves)
			apply(mean[t*k:(t+1)*k], m.a, mean[(t-1)*k:t*k])
			addTo(mean[t*k:(t+1)*k], m.drift)
		}
		if t+1 < n {
			addTo(prior.diagonal[t], aqa)
			prior.below[t] = make([]float64, k*k)
			blas.Axpy(-1, qa, prior.below[t])
		}
	}
	// times is the prior's precision times v.
	times := func(v []float64) []float64 {
		out, u := make([]float64, n*k), make([]float64, k)
		for t := range n {
			at := out[t*k : (t+1)*k]
			apply(at, prior.diagonal[t], v[t*k:(t+1)*k])
			if t > 0 {
				apply(u, prior.below[t-1], v[(t-1)*k:t*k])
				addTo(at, u)
			}
			if t+1 < n {
				applyT(u, prior.below[t], v[(t+1)*k:(t+2)*k])
				addTo(at, u)
			}
		}
		return out
	}
	rate := make([]float64, d)
	// value is the logarithm of the joint density, but for what does not depend on the path.
	value := func(z []float64) float64 {
		e := slices.Clone(z)
		blas.Axpy(-1, mean, e)
		sum := -blas.Dot(e, times(e)) / 2
		for t := range n {
			apply(rate, m.c, z[t*k:(t+1)*k])
			for j, v := range x.X.RawRowView(x.Start[trial] + t) {
				if v == v {
					eta := rate[j] + m.offset[j]
					sum += v*eta - math.Exp(eta)
				}
			}
		}
		return sum
	}
	z := slices.Clone(mean)
	at := value(z)
	var post *chain
	for iter := range 101 {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		e := slices.Clone(z)
		blas.Axpy(-1, mean, e)
		gradient := times(e)
		for i := range gradient {
			gradient[i] = -gradient[i]
		}
		post = &chain{k: k, n: n, diagonal: make([][]float64, n), below: prior.below}
		for t := range n {
			block := slices.Clone(prior.diagonal[t])
			apply(rate, m.c, z[t*k:(t+1)*k])
			for j, v := range x.X.RawRowView(x.Start[trial] + t) {
				if v != v {
					continue
				}
				mu, c := math.Exp(rate[j]+m.offset[j]), m.c[j*k:(j+1)*k]
				blas.Axpy(v-mu, c, gradient[t*k:(t+1)*k])
				for i, w := range c {
					blas.Axpy(mu*w, c, block[i*k:(i+1)*k])
				}
			}
			post.diagonal[t] = block
		}
		if !post.factorize() {
			return nil, ml.NotFinite(pldsMethod, "trial %d: the precision of the path is singular to rounding", trial)
		}
		step := slices.Clone(gradient)
		post.solve(step)
		slope := blas.Dot(gradient, step)
		if slope < 1e-11*(1+math.Abs(at)) || iter == 100 {
			break
		}
		next, v, moved := climb(z, step, at, slope, 1e-8, value)
		if !moved {
			break
		}
		z, at = next, v
	}
	out := &laplace{z: z}
	out.cov, out.cross = post.inverse()
	out.loglik = at - (logFirst+float64(n-1)*logMoves+post.logDet())/2
	for t := range n {
		for _, v := range x.X.RawRowView(x.Start[trial] + t) {
			if v == v {
				lg, _ := math.Lgamma(v + 1)
				out.loglik -= lg
			}
		}
	}
	return out, nil
}

// pldsMaximize returns the parameters that the paths ask for.
func pldsMaximize(ctx context.Context, p *prepared, s *stats, x *trials.Trials, paths []*laplace) (*prepared, error) {
	k, d, old := p.k, p.d, p.at(0)
	f := &ldsFit{k: k, d: d, held: map[string]bool{"C": true, "Offset": true, "R": true, "Drift": true}, floor: make([]float64, d)}
	s.all.n = 1 // the observations are not regressed
	next := f.maximize(p, s)
	m := next.steps[0]
	m.c, m.offset = slices.Clone(old.c), slices.Clone(old.offset)
	err := parallel.For(ctx, d, 1, func(j, _, _ int) { readoutOfCounts(m, x, paths, j) })
	return next, err
}

// readoutOfCounts finds the loadings c and the offset b of variable j: the maximum of the expected
// log-likelihood Σ x(c·z + b) − exp(c·z + b + c·V·c/2), which is concave, by Newton's steps. A
// ridge of one hundredth of a step keeps loadings finite where a variable's few counts would drive
// them.
func readoutOfCounts(m *matrices, x *trials.Trials, paths []*laplace, j int) {
	k := m.k
	w := k + 1
	const ridge = 0.01
	value := func(c []float64) float64 {
		sum, vc := -ridge*blas.Dot(c[:k], c[:k])/2, make([]float64, k)
		for trial, path := range paths {
			for t := range path.cov {
				v := x.X.At(x.Start[trial]+t, j)
				if v != v {
					continue
				}
				apply(vc, path.cov[t], c[:k])
				eta := blas.Dot(c[:k], path.z[t*k:(t+1)*k]) + c[k]
				sum += v*eta - math.Exp(eta+blas.Dot(c[:k], vc)/2)
			}
		}
		return sum
	}
	c := append(slices.Clone(m.c[j*k:(j+1)*k]), m.offset[j])
	at := value(c)
	for range 10 {
		gradient, hessian, u, vc := make([]float64, w), make([]float64, w*w), make([]float64, w), make([]float64, k)
		for i := range k {
			gradient[i] = -ridge * c[i]
			hessian[i*w+i] = ridge
		}
		for trial, path := range paths {
			for t, cov := range path.cov {
				v := x.X.At(x.Start[trial]+t, j)
				if v != v {
					continue
				}
				z := path.z[t*k : (t+1)*k]
				apply(vc, cov, c[:k])
				eta := blas.Dot(c[:k], z) + c[k]
				mu := math.Exp(eta + blas.Dot(c[:k], vc)/2)
				for i := range k {
					u[i] = z[i] + vc[i]
					gradient[i] += v*z[i] - mu*u[i]
				}
				u[k] = 1
				gradient[k] += v - mu
				for i, a := range u {
					blas.Axpy(mu*a, u, hessian[i*w:(i+1)*w])
				}
				for i := range k {
					blas.Axpy(mu, cov[i*k:(i+1)*k], hessian[i*w:i*w+k])
				}
			}
		}
		l := make([]float64, w*w)
		cholesky(l, hessian, w)
		step := slices.Clone(gradient)
		solve(l, step, w)
		slope := blas.Dot(gradient, step)
		if !(slope > 1e-9*(1+math.Abs(at))) {
			break
		}
		next, v, moved := climb(c, step, at, slope, 1e-6, value)
		if !moved {
			break
		}
		c, at = next, v
	}
	copy(m.c[j*k:(j+1)*k], c[:k])
	m.offset[j] = c[k]
}

// prepare checks a model.
func (m *PLDSModel) prepare(method string) (*prepared, error) {
	if m == nil || m.C == nil || m.C.IsEmpty() {
		return nil, ml.Empty(method, "the model has no C")
	}
	d, _ := m.C.Dims()
	one := mat.NewSymDense(d, identity(d, 1))
	return (&System{Mean: m.Mean, Cov: m.Cov, Step: Step{A: m.A, Drift: m.Drift, Q: m.Q, C: m.C, Offset: m.Offset, R: one}}).prepare(method, 1)
}

// Smooth returns the most likely states given all of their trial, and the covariances of the
// Gaussian around them. The errors are those of trials.Check, ml.ErrShape for another number of
// variables, ml.ErrParameter for what is no count, what is wrong with a model that was put together
// by hand, and ctx.Err().
func (m *PLDSModel) Smooth(ctx context.Context, x mat.Matrix) (*Smoothed, error) {
	const method = "statespace.PLDSModel.Smooth"
	data, err := recording(method, x)
	if err != nil {
		return nil, err
	}
	p, err := m.prepare(method)
	if err != nil {
		return nil, err
	}
	if err := variables(method, data, p.d); err != nil {
		return nil, err
	}
	if err := counts(method, data); err != nil {
		return nil, err
	}
	paths, err := laplaceAll(ctx, p, data)
	if err != nil {
		return nil, err
	}
	n, _ := data.Dims()
	out := &Smoothed{mat.NewDense(n, p.k, nil), make([]*mat.SymDense, n), make([]*mat.Dense, n), make([]float64, data.Len())}
	for trial, path := range paths {
		row := data.Start[trial]
		copy(out.Mean.RawMatrix().Data[row*p.k:], path.z)
		for t, cov := range path.cov {
			out.Cov[row+t] = symmetric(cov, p.k)
			if t < len(path.cross) {
				out.Cross[row+t] = mat.NewDense(p.k, p.k, path.cross[t])
			}
		}
		out.LogLikelihood[trial] = path.loglik
	}
	return out, nil
}

// LogProb returns the log-likelihood of each trial by Laplace's method, in nats. Errors are those
// of Smooth.
func (m *PLDSModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	s, err := m.Smooth(ctx, x)
	if err != nil {
		return nil, err
	}
	return s.LogLikelihood, nil
}

// Rates returns the expected counts exp(c·z + b + c·V·c/2) of each variable at each step, given all
// of the trial, N×d. Errors are those of Smooth.
func (m *PLDSModel) Rates(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	s, err := m.Smooth(ctx, x)
	if err != nil {
		return nil, err
	}
	n, _ := s.Mean.Dims()
	d, _ := m.C.Dims()
	out := mat.NewDense(n, d, nil)
	for i := range n {
		for j := range d {
			c := m.C.RowView(j)
			v := mat.Dot(c, s.Mean.RowView(i)) + mat.Inner(c, s.Cov[i], c)/2
			if m.Offset != nil {
				v += m.Offset[j]
			}
			out.Set(i, j, math.Exp(v))
		}
	}
	return out, nil
}

// Eigenvalues returns those of A, in the order of System.Eigenvalues.
func (m *PLDSModel) Eigenvalues() []complex128 {
	return (&System{Step: Step{A: m.A}}).Eigenvalues()
}

// Sample draws a trial of n steps and the states behind it, n×k.
func (m *PLDSModel) Sample(ctx context.Context, n int, seed uint64) (x *trials.Trials, states *mat.Dense, err error) {
	return m.SampleTrials(ctx, []int{n}, seed)
}

// SampleTrials draws trials of the given lengths.
func (m *PLDSModel) SampleTrials(ctx context.Context, lengths []int, seed uint64) (x *trials.Trials, states *mat.Dense, err error) {
	const method = "statespace.PLDSModel.Sample"
	p, err := m.prepare(method)
	if err != nil {
		return nil, nil, err
	}
	s := &System{Mean: m.Mean, Cov: m.Cov, Step: Step{A: m.A, Drift: m.Drift, Q: m.Q, C: m.C, Offset: m.Offset, R: mat.NewSymDense(p.d, identity(p.d, 1))}}
	_, states, err = s.SampleTrials(ctx, lengths, seed)
	if err != nil {
		return nil, nil, err
	}
	n, _ := states.Dims()
	seen, eta := mat.NewDense(n, p.d, nil), make([]float64, p.d)
	r := rng.New(seed, -1)
	for i := range n {
		apply(eta, p.at(0).c, states.RawRowView(i))
		for j, v := range eta {
			mean := math.Exp(v + p.at(0).offset[j])
			if mean > 1e6 {
				return nil, nil, ml.NotFinite(method, "step %d, variable %d has the rate %v, want at most a million", i, j, mean)
			}
			count := 0.0
			for left := mean - r.ExpFloat64(); left > 0; left -= r.ExpFloat64() {
				count++
			}
			seen.Set(i, j, count)
		}
	}
	x, err = trials.Cut(seen, lengths)
	return x, states, err
}

// climb goes from x along a step, in whose direction a value rises at slope, and halves it until
// the value is a fair part (Armijo, 1966) above at, which it is at x. It has not moved where a
// length below shortest would be needed: rounding hides what is left to gain.
func climb(x, step []float64, at, slope, shortest float64, value func([]float64) float64) (next []float64, v float64, moved bool) {
	for length := 1.0; length > shortest; length /= 2 {
		next := slices.Clone(x)
		blas.Axpy(length, step, next)
		if v := value(next); v >= at+1e-4*length*slope {
			return next, v, true
		}
	}
	return x, at, false
}
