package statespace

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// NLDS learns dynamics that are not linear (Ghahramani & Roweis, 1999): the state moves by
//
//	F(z) = Σᵢ wᵢ·exp(−‖z−cᵢ‖²/2·Width²) + A·z + b
//
// with centers cᵢ where the states are, and is seen by C·z + Offset, with Gaussian noise on both.
// The fit starts from an LDS. EM smooths by the extended or the unscented filter, and regresses on
// what F is a sum of, whose expectations points stand for. Since the states are only taken to be
// Gaussian, a step may lower the likelihood, which is itself that of the approximation.
type NLDS struct {
	States  int           // k; 0 means 2
	Centers int           // how many radial functions; 0 means 16, negative none, which is a linear system
	Width   float64       // of each, in standard deviations of the states; 0 means the mean distance of a center to its nearest
	Ridge   float64       // penalty of the weights wᵢ, in steps; 0 means 1
	Method  Approximation // "" means Unscented
	Floor   float64       // least variance of R, as a part of the variable's variance; 0 means 1e-6
	MaxIter int           // steps; 0 means 30
	// Tol ends the fit at a step that changes the log-likelihood by less, a step of the trials, in
	// nats; 0 means 1e-5.
	Tol float64
}

// NLDSModel is a fitted NLDS. System has its verbs.
type NLDSModel struct {
	Mean          []float64     // of the first state, length k
	Cov           *mat.SymDense // of the first state, k×k
	Centers       *mat.Dense    // count×k; nil for none
	Width         float64
	Weights       *mat.Dense // k×(count+k+1): of the radial functions, of the state (A), and the constant
	Q             *mat.SymDense
	C             *mat.Dense // d×k
	Offset, R     []float64  // length d; R is the variance of each variable's noise
	Method        Approximation
	LogLikelihood float64 // of all trials, as the filter approximates it, in nats
	Iterations    int
	Converged     bool
}

func init() { ml.Register[NLDSModel]("statespace.NLDSModel") }

const nldsMethod = "statespace.NLDS"

// System returns the fitted system.
func (m *NLDSModel) System() *NonlinearSystem {
	d, _ := m.C.Dims()
	r := mat.NewSymDense(d, nil)
	for j, v := range m.R {
		r.SetSym(j, j, v)
	}
	return &NonlinearSystem{Mean: m.Mean, Cov: m.Cov, F: Radial{m.Centers, m.Width, m.Weights}, H: Affine{m.C, m.Offset}, Q: m.Q, R: r, Method: m.Method}
}

// Radial is the Map Weights·φ(x), φ(x) = (exp(−‖x−cᵢ‖²/2·Width²) for each center, x, 1).
type Radial struct {
	Centers *mat.Dense // count×in; nil for none
	Width   float64
	Weights *mat.Dense // out×(count+in+1)
}

func (r Radial) count() int {
	if r.Centers == nil {
		return 0
	}
	n, _ := r.Centers.Dims()
	return n
}

// Dims returns the numbers of variables.
func (r Radial) Dims() (in, out int) {
	out, width := r.Weights.Dims()
	return width - r.count() - 1, out
}

// features sets dst to φ(x).
func (r Radial) features(dst, x []float64) {
	n := r.count()
	for i := range n {
		dst[i] = math.Exp(-blas.SqEuclidean(r.Centers.RawRowView(i), x) / (2 * r.Width * r.Width))
	}
	copy(dst[n:], x)
	dst[len(dst)-1] = 1
}

// Value sets dst to the function of x.
func (r Radial) Value(dst, x []float64) {
	phi := make([]float64, r.count()+len(x)+1)
	r.features(phi, x)
	for i := range dst {
		dst[i] = blas.Dot(r.Weights.RawRowView(i), phi)
	}
}

// Jacobian sets dst to the derivatives at x.
func (r Radial) Jacobian(dst, x []float64) {
	in, out := r.Dims()
	n := r.count()
	phi := make([]float64, n+in+1)
	r.features(phi, x)
	for i := range out {
		w, row := r.Weights.RawRowView(i), dst[i*in:(i+1)*in]
		copy(row, w[n:n+in])
		for c := range n {
			scale := -w[c] * phi[c] / (r.Width * r.Width)
			for j, v := range r.Centers.RawRowView(c) {
				row[j] += scale * (x[j] - v)
			}
		}
	}
}

// nldsFit is a fit in units in which variables have mean 0 and a variance of about 1.
type nldsFit struct {
	NLDS
	x      *trials.Trials
	k, d   int
	n      float64
	units  units
	floor  []float64
	volume float64
}

// Fit returns the last model of Iterate. The errors are those of LDS.Fit.
func (l NLDS) Fit(ctx context.Context, x mat.Matrix) (*NLDSModel, error) {
	return lastOf(ctx, l.Iterate(ctx, x))
}

// Iterate yields the model after every step, the first being the start; each is a fresh value.
func (l NLDS) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*NLDSModel, error] {
	return func(yield func(*NLDSModel, error) bool) {
		f, p, err := l.check(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		before := math.Inf(-1)
		var last *NLDSModel
		for steps := 0; ; steps++ {
			paths, err := p.runAll(ctx, nldsMethod, f.x, true)
			if err != nil {
				yield(last, err)
				return
			}
			loglik := 0.0
			for _, b := range paths {
				loglik += b.loglik
			}
			done := math.Abs(loglik-before) < cmp.Or(f.Tol, 1e-5)*f.n
			before = loglik
			if last, err = f.model(p, loglik, steps, done); err != nil {
				yield(nil, err)
				return
			}
			if !yield(last, nil) || done || steps >= cmp.Or(f.MaxIter, 30) {
				return
			}
			p = f.maximize(p, paths)
		}
	}
}

func (l NLDS) check(ctx context.Context, x mat.Matrix) (*nldsFit, *nonlinear, error) {
	data, err := recording(nldsMethod, x)
	if err != nil {
		return nil, nil, err
	}
	n, d := data.Dims()
	l.States = cmp.Or(l.States, min(2, n))
	switch {
	case l.States < 1 || l.States > n:
		return nil, nil, ml.BadParameter(nldsMethod, "States", l.States, sprintf("1 to the number of steps, %d", n))
	case !(l.Width >= 0) || math.IsInf(l.Width, 0):
		return nil, nil, ml.BadParameter(nldsMethod, "Width", l.Width, "0 for the default, or a positive number")
	case !(l.Ridge >= 0) || math.IsInf(l.Ridge, 0):
		return nil, nil, ml.BadParameter(nldsMethod, "Ridge", l.Ridge, "0 (for 1), or a positive number")
	case l.Floor != 0 && !(l.Floor >= 1e-12 && l.Floor < 1):
		return nil, nil, ml.BadParameter(nldsMethod, "Floor", l.Floor, "0 (for 1e-6), or 1e-12 to 1")
	case l.MaxIter < 0:
		return nil, nil, ml.BadParameter(nldsMethod, "MaxIter", l.MaxIter, "0 or more")
	case !(l.Tol >= 0) || math.IsInf(l.Tol, 0):
		return nil, nil, ml.BadParameter(nldsMethod, "Tol", l.Tol, "0 for the default, or a positive number")
	}
	if err := l.Method.check(nldsMethod, "Method"); err != nil {
		return nil, nil, err
	}
	f := &nldsFit{NLDS: l, k: l.States, d: d, n: float64(n), floor: make([]float64, d)}
	if f.units, err = unitsOf(nldsMethod, data, false); err != nil {
		return nil, nil, err
	}
	f.x, f.volume = f.units.into(data), f.units.volume(data)
	for j, v := range f.units.variance {
		f.floor[j] = cmp.Or(f.Floor, 1e-6) * v
	}
	p, err := f.initial(ctx)
	return f, p, err
}

// initial fits a linear system, whose states, in units of their deviation, say where the centers
// go.
func (f *nldsFit) initial(ctx context.Context) (*nonlinear, error) {
	k, d := f.k, f.d
	linear, err := LDS{States: k, MaxIter: 20}.Fit(ctx, f.x)
	if err != nil {
		return nil, err
	}
	smooth, err := linear.Smooth(ctx, f.x)
	if err != nil {
		return nil, err
	}
	n := len(smooth.Cov)
	scale := mat.NewDense(k, k, nil)
	for i := range k {
		v := 0.0
		for row := range n {
			v += (smooth.Mean.At(row, i)*smooth.Mean.At(row, i) + smooth.Cov[row].At(i, i)) / float64(n)
		}
		scale.Set(i, i, 1/math.Sqrt(max(v, 1e-12)))
	}
	s, err := linear.Transformed(scale)
	if err != nil {
		return nil, err
	}
	var states mat.Dense
	states.Mul(smooth.Mean, scale)
	phi := Radial{Weights: &mat.Dense{}}
	if count := min(cmp.Or(f.Centers, 16), n); count > 0 {
		phi.Centers = farthest(&states, count)
		phi.Width = cmp.Or(f.Width, nearest(phi.Centers))
	}
	weights := mat.NewDense(k, phi.count()+k+1, nil)
	weights.Slice(0, k, phi.count(), phi.count()+k).(*mat.Dense).Copy(s.A)
	phi.Weights = weights
	p := &nonlinear{k: k, d: d, mean0: s.Mean, cov: flat(s.Cov), q: flat(s.Q), r: make([]float64, d*d), f: phi, h: Affine{s.C, s.Offset}, extended: f.Method == Extended}
	for j := range d {
		p.r[j*d+j] = max(s.R.At(j, j), f.floor[j])
	}
	for i := range k {
		p.q[i*k+i] += 1e-6
	}
	return p, ctx.Err()
}

// farthest takes rows one by one, each the one that is farthest from those before it; the first is
// nearest to the origin.
func farthest(x *mat.Dense, count int) *mat.Dense {
	n, k := x.Dims()
	out, gap, at := mat.NewDense(count, k, nil), make([]float64, n), 0
	for i := range n {
		gap[i] = math.Inf(1)
		if blas.Dot(x.RawRowView(i), x.RawRowView(i)) < blas.Dot(x.RawRowView(at), x.RawRowView(at)) {
			at = i
		}
	}
	for c := range count {
		out.SetRow(c, x.RawRowView(at))
		next := 0
		for i := range n {
			gap[i] = min(gap[i], blas.SqEuclidean(x.RawRowView(i), out.RawRowView(c)))
			if gap[i] > gap[next] {
				next = i
			}
		}
		at = next
	}
	return out
}

// nearest is the mean distance of a row to the nearest other, or 1 for a single one.
func nearest(x *mat.Dense) float64 {
	n, _ := x.Dims()
	sum := 0.0
	for i := range n {
		best := math.Inf(1)
		for j := range n {
			if i != j {
				best = min(best, blas.SqEuclidean(x.RawRowView(i), x.RawRowView(j)))
			}
		}
		sum += math.Sqrt(best) / float64(n)
	}
	if n == 1 || sum == 0 {
		return 1
	}
	return sum
}

// maximize returns the parameters that smoothed paths ask for.
func (f *nldsFit) maximize(p *nonlinear, paths []*bend) *nonlinear {
	k, d, old := f.k, f.d, p.f.(Radial)
	count := old.count()
	w := count + k + 1
	s := newStats(k, d, false)
	second, target, to, moves := make([]float64, w*w), make([]float64, k*w), make([]float64, k*k), 0.0
	l, phi, e := make([]float64, k*k), make([]float64, w), make([]float64, k)
	for trial, b := range paths {
		for t, z := range b.smoothed {
			cov := b.smoothedCov[t]
			s.see(nil, z, cov, f.x.X.RawRowView(f.x.Start[trial]+t), nil)
			if t == 0 {
				s.first(z, cov)
			}
			if t+1 == len(b.smoothed) {
				break
			}
			// The next state given this one is linear in it: z' + slope·(point − z).
			slope := slices.Clone(b.cross[t])
			cholesky(l, cov, k)
			solve(l, slope, k)
			next, nextCov := b.smoothed[t+1], b.smoothedCov[t+1]
			x, weights := points(z, cov)
			for i, weight := range weights {
				at := x[i*k : (i+1)*k]
				old.features(phi, at)
				for a, v := range phi {
					blas.Axpy(weight*v, phi, second[a*w:(a+1)*w])
				}
				for a := range k {
					e[a] = next[a]
					for c := range k {
						e[a] += slope[a*k+c] * (at[c] - z[c])
					}
					blas.Axpy(weight*e[a], phi, target[a*w:(a+1)*w])
				}
			}
			for a := range k {
				for c := range k {
					to[a*k+c] += next[a]*next[c] + nextCov[a*k+c]
				}
			}
			moves++
		}
	}
	next := &nonlinear{k: k, d: d, extended: p.extended, mean0: make([]float64, k), cov: make([]float64, k*k), f: p.f, q: p.q}
	blas.Axpy(1/s.trials, s.mean0, next.mean0)
	for i := range k {
		for j := range k {
			next.cov[i*k+j] = s.cov0[i*k+j]/s.trials - next.mean0[i]*next.mean0[j]
		}
		next.cov[i*k+i] += 1e-9
	}
	symmetrize(next.cov, k)
	if moves > 0 {
		penalized := slices.Clone(second)
		for i := range w - 1 {
			penalized[i*w+i] += 1e-8 * moves
			if i < count {
				penalized[i*w+i] += cmp.Or(f.Ridge, 1)
			}
		}
		weights := regress(target, penalized, k, w)
		next.q = residual(to, target, second, weights, k, w, moves)
		for i := range k {
			next.q[i*k+i] += 1e-9
		}
		next.f = Radial{old.Centers, old.Width, mat.NewDense(k, w, weights)}
	}
	h := p.h.(Affine)
	m := &matrices{k: k, d: d, c: flat(h.W), offset: slices.Clone(h.B), r: p.r, diagonal: true}
	observe(m, s, readoutOptions{noise: Diagonal, floor: f.floor})
	next.h, next.r = Affine{mat.NewDense(d, k, m.c), m.offset}, m.r
	return next
}

// model brings a system to the caller's units.
func (f *nldsFit) model(p *nonlinear, loglik float64, steps int, done bool) (*NLDSModel, error) {
	h, r := p.h.(Affine), p.f.(Radial)
	out := &NLDSModel{Mean: slices.Clone(p.mean0), Cov: symmetric(p.cov, f.k), Width: r.Width, Weights: mat.DenseCopyOf(r.Weights), Q: symmetric(p.q, f.k),
		C: mat.NewDense(f.d, f.k, nil), Offset: make([]float64, f.d), R: make([]float64, f.d), Method: f.Method, LogLikelihood: loglik - f.volume, Iterations: steps, Converged: done}
	if r.Centers != nil {
		out.Centers = mat.DenseCopyOf(r.Centers)
	}
	for j := range f.d {
		for i := range f.k {
			out.C.Set(j, i, h.W.At(j, i)*f.units.scale[j])
		}
		out.Offset[j] = f.units.center[j] + f.units.scale[j]*h.B[j]
		out.R[j] = p.r[j*f.d+j] * f.units.scale[j] * f.units.scale[j]
		if math.IsInf(out.R[j], 0) || out.R[j] == 0 {
			return nil, ml.NotFinite(nldsMethod, "the variance of variable %d is beyond the range of a float64: scale the data", j)
		}
	}
	return out, nil
}
