package statespace

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// GPFA is Gaussian-process factor analysis (Yu et al., 2009): factor analysis whose factors are
// smooth in time,
//
//	xₜ = C·zₜ + Offset + N(0, R),   R diagonal,
//
// where each of the k factors is a Gaussian process of variance 1 with a time constant τ of its
// own: Cov(zₜ, zₛ) = (1−σ²)·exp(−(t−s)²/2τ²), and σ² more where t = s. Smoothing and the reduction
// of dimension are one fit, each informed by the other. Unlike an LDS it assumes no rule by which
// the state moves, and looks the same forwards and backwards in time.
//
// The fit is by expectation and maximisation. A step costs O((kT)³) for each length T of the trials
// and each pattern of missing values: trials that are alike share it.
type GPFA struct {
	States int // k, 1 to d; 0 means 3
	// Timescale is the time constant, in steps, from which all are learned; 0 means 5. A negative
	// one is no time constant at all: steps are independent, which is factor analysis.
	Timescale float64
	Hold      bool    // keep time constants at Timescale
	Noise     float64 // σ², the part of a factor that is independent from step to step; 0 means 1e-3
	Floor     float64 // least variance of R, as a part of the variable's variance; 0 means 1e-2
	Init      *GPFAModel
	MaxIter   int     // steps; 0 means 100
	Tol       float64 // ends at a gain of less log-likelihood a step of the trials, in nats; 0 means 1e-5
}

// GPFAModel is a fitted GPFA.
type GPFAModel struct {
	C             *mat.Dense // d×k
	Offset        []float64  // length d
	R             []float64  // length d: the variance of each variable's noise
	Timescales    []float64  // length k, in steps; 0 for a factor that is independent from step to step
	Noise         float64    // σ²
	LogLikelihood float64    // of all trials, of what is not missing, in nats
	Iterations    int
	Converged     bool
}

func init() { ml.Register[GPFAModel]("statespace.GPFAModel") }

const gpfaMethod = "statespace.GPFA"

// gpfaFit is a fit in units in which variables have mean 0 and a variance of about 1.
type gpfaFit struct {
	GPFA
	x      *trials.Trials
	k, d   int
	n      float64
	units  units
	floor  []float64
	volume float64
	start  *processes
}

// processes are a model's parameters in the units of a fit, or the caller's.
type processes struct {
	*prepared // k, d and the observations
	tau       []float64
	noise     float64
}

// Fit returns the last model of Iterate. The error is ml.ErrParameter for an option out of range or
// a variable that is constant or all missing, ml.ErrShape for an Init that does not fit, those of
// trials.Check, or ml.Dense for a plain matrix, ml.ErrNotFinite where a variance is beyond the
// range of a float64, and ctx.Err(), along with the model so far.
func (g GPFA) Fit(ctx context.Context, x mat.Matrix) (*GPFAModel, error) {
	return lastOf(ctx, g.Iterate(ctx, x))
}

// Iterate yields the model after every step, the first being the start; each is a fresh value.
func (g GPFA) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*GPFAModel, error] {
	return func(yield func(*GPFAModel, error) bool) {
		f, err := g.check(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		p, before := f.start, math.Inf(-1)
		var last *GPFAModel
		for steps := 0; ; steps++ {
			s, err := f.expect(ctx, p)
			if err != nil {
				yield(last, err)
				return
			}
			done := s.loglik-before < cmp.Or(f.Tol, 1e-5)*f.n
			before = s.loglik
			if last, err = f.model(p, s.loglik, steps, done); err != nil {
				yield(nil, err)
				return
			}
			if !yield(last, nil) || done || steps >= cmp.Or(f.MaxIter, 100) {
				return
			}
			p = f.maximize(ctx, p, s)
		}
	}
}

func (g GPFA) check(ctx context.Context, x mat.Matrix) (*gpfaFit, error) {
	data, err := recording(gpfaMethod, x)
	if err != nil {
		return nil, err
	}
	if g.Init != nil && g.Init.C != nil {
		_, k := g.Init.C.Dims()
		g.States = cmp.Or(g.States, k)
	}
	n, d := data.Dims()
	g.States = cmp.Or(g.States, min(3, d))
	switch {
	case g.States < 1 || g.States > d:
		return nil, ml.BadParameter(gpfaMethod, "States", g.States, sprintf("1 to the number of variables, %d", d))
	case math.IsNaN(g.Timescale) || math.IsInf(g.Timescale, 0):
		return nil, ml.BadParameter(gpfaMethod, "Timescale", g.Timescale, "0 (for 5), a number of steps, or a negative one")
	case g.Noise != 0 && !(g.Noise >= 1e-8 && g.Noise < 1):
		return nil, ml.BadParameter(gpfaMethod, "Noise", g.Noise, "0 (for 1e-3), or 1e-8 to 1")
	case g.Floor != 0 && !(g.Floor >= 1e-12 && g.Floor < 1):
		return nil, ml.BadParameter(gpfaMethod, "Floor", g.Floor, "0 (for 1e-2), or 1e-12 to 1")
	case g.MaxIter < 0:
		return nil, ml.BadParameter(gpfaMethod, "MaxIter", g.MaxIter, "0 or more")
	case !(g.Tol >= 0) || math.IsInf(g.Tol, 0):
		return nil, ml.BadParameter(gpfaMethod, "Tol", g.Tol, "0 for the default, or a positive number")
	}
	f := &gpfaFit{GPFA: g, k: g.States, d: d, n: float64(n), floor: make([]float64, d)}
	if f.units, err = unitsOf(gpfaMethod, data, false); err != nil {
		return nil, err
	}
	f.x, f.volume = f.units.into(data), f.units.volume(data)
	for j, v := range f.units.variance {
		f.floor[j] = cmp.Or(f.Floor, 1e-2) * v
	}
	if err := f.initial(); err != nil {
		return nil, err
	}
	return f, ctx.Err()
}

// initial starts from probabilistic PCA, the loadings of which are most likely were there no time,
// or from Init.
func (f *gpfaFit) initial() error {
	k, d := f.k, f.d
	m := &matrices{k: k, d: d, c: make([]float64, d*k), offset: make([]float64, d), r: make([]float64, d*d), diagonal: true}
	f.start = &processes{&prepared{k: k, d: d, steps: []*matrices{m}}, slices.Repeat([]float64{max(cmp.Or(f.Timescale, 5), 0)}, k), cmp.Or(f.Noise, 1e-3)}
	if in := f.Init; in != nil {
		p, err := in.prepare(gpfaMethod)
		if err != nil {
			return err
		}
		if p.k != k || p.d != d {
			return ml.BadShape(gpfaMethod, "Init has %d states and %d variables, want %d and %d", p.k, p.d, k, d)
		}
		given := p.at(0)
		for j := range d {
			for i := range k {
				m.c[j*k+i] = given.c[j*k+i] / f.units.scale[j]
			}
			m.offset[j] = (given.offset[j] - f.units.center[j]) / f.units.scale[j]
			m.r[j*d+j] = given.r[j*d+j] / f.units.scale[j] / f.units.scale[j]
		}
		f.start.tau, f.start.noise = p.tau, p.noise
		return nil
	}
	y := interpolated(f.x)
	n, _ := y.Dims()
	var s mat.SymDense
	s.SymOuterK(1/float64(n), y.X.T())
	var es mat.EigenSym
	if !es.Factorize(&s, true) {
		return ml.NotFinite(gpfaMethod, "the principal components were not found")
	}
	var v mat.Dense
	es.VectorsTo(&v)
	values, left := es.Values(nil), 0.0
	for _, l := range values[:d-k] {
		left += l / float64(d-k)
	}
	for i := range k {
		l := values[d-1-i]
		size := math.Sqrt(max(l-left, 0.05*l, 1e-12))
		for j := range d {
			m.c[j*k+i] = size * v.At(j, d-1-i)
		}
	}
	for j := range d {
		common := 0.0
		for i := range k {
			common += m.c[j*k+i] * m.c[j*k+i]
		}
		m.r[j*d+j] = max(f.units.variance[j]-common, 0.1*f.units.variance[j], f.floor[j])
	}
	return nil
}

// prepare checks a model.
func (m *GPFAModel) prepare(method string) (*processes, error) {
	if m == nil || m.C == nil || m.C.IsEmpty() {
		return nil, ml.Empty(method, "the model has no C")
	}
	d, k := m.C.Dims()
	c, err := elements(method, "C", m.C, d, k)
	if err != nil {
		return nil, err
	}
	for _, v := range []struct {
		name string
		v    []float64
		n    int
	}{{"Offset", m.Offset, d}, {"R", m.R, d}, {"Timescales", m.Timescales, k}} {
		if err := ml.Vector(method, v.name, v.v, v.n); err != nil {
			return nil, err
		}
	}
	r := make([]float64, d*d)
	for j, v := range m.R {
		if !(v > 0) {
			return nil, ml.BadParameter(method, sprintf("R[%d]", j), v, "more than 0")
		}
		r[j*d+j] = v
	}
	for i, v := range m.Timescales {
		if v < 0 {
			return nil, ml.BadParameter(method, sprintf("Timescales[%d]", i), v, "0 or more")
		}
	}
	if !(m.Noise > 0 && m.Noise < 1) {
		return nil, ml.BadParameter(method, "Noise", m.Noise, "between 0 and 1")
	}
	steps := []*matrices{{k: k, d: d, c: c, offset: slices.Clone(m.Offset), r: r, diagonal: true}}
	return &processes{&prepared{k: k, d: d, steps: steps}, slices.Clone(m.Timescales), m.Noise}, nil
}

func (f *gpfaFit) model(p *processes, loglik float64, steps int, done bool) (*GPFAModel, error) {
	m := p.at(0)
	out := &GPFAModel{C: mat.NewDense(f.d, f.k, nil), Offset: make([]float64, f.d), R: make([]float64, f.d), Timescales: slices.Clone(p.tau), Noise: p.noise,
		LogLikelihood: loglik - f.volume, Iterations: steps, Converged: done}
	for j := range f.d {
		for i := range f.k {
			out.C.Set(j, i, m.c[j*f.k+i]*f.units.scale[j])
		}
		out.Offset[j] = f.units.center[j] + f.units.scale[j]*m.offset[j]
		out.R[j] = m.r[j*f.d+j] * f.units.scale[j] * f.units.scale[j]
		if math.IsInf(out.R[j], 0) || out.R[j] == 0 {
			return nil, ml.NotFinite(gpfaMethod, "the variance of variable %d is beyond the range of a float64: scale the data", j)
		}
	}
	return out, nil
}

// Paths are the factors behind some trials. Rows are those of the data.
type Paths struct {
	Mean          *mat.Dense      // N×k
	Cov           []*mat.SymDense // of each step, k×k; steps with equal ones may share them
	LogLikelihood []float64       // of each trial, in nats
}

// Smooth returns the factors given all of their trial. The errors are those of trials.Check,
// ml.ErrShape for another number of variables, what is wrong with a model that was put together by
// hand, and ctx.Err().
func (m *GPFAModel) Smooth(ctx context.Context, x mat.Matrix) (*Paths, error) {
	p, data, err := m.given("statespace.GPFAModel.Smooth", x)
	if err != nil {
		return nil, err
	}
	n, _ := data.Dims()
	out := &Paths{mat.NewDense(n, p.k, nil), make([]*mat.SymDense, n), make([]float64, data.Len())}
	err = p.infer(ctx, data, func(g *posterior) {
		covs := make([]*mat.SymDense, g.steps)
		for t := range covs {
			covs[t] = symmetric(g.at(t), p.k)
		}
		for i, trial := range g.members {
			row := data.Start[trial]
			copy(out.Mean.RawMatrix().Data[row*p.k:], g.path(i))
			copy(out.Cov[row:], covs)
			out.LogLikelihood[trial] = g.loglik[i]
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// LogProb returns the log-likelihood of each trial, in nats. Errors are those of Smooth.
func (m *GPFAModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	paths, err := m.Smooth(ctx, x)
	if err != nil {
		return nil, err
	}
	return paths.LogLikelihood, nil
}

func (m *GPFAModel) given(method string, x mat.Matrix) (*processes, *trials.Trials, error) {
	data, err := recording(method, x)
	if err != nil {
		return nil, nil, err
	}
	p, err := m.prepare(method)
	if err != nil {
		return nil, nil, err
	}
	return p, data, variables(method, data, p.d)
}

// Orthonormal returns the k×k matrix T for which T·z are the coordinates of what the factors z
// predict along orthonormal axes, the one of the largest singular value of C first: for C = U·S·Vᵀ,
// T is S·Vᵀ and the axes are U. It is how paths are drawn (Yu et al., 2009). The error is
// ml.ErrParameter where columns of C depend on each other.
func (m *GPFAModel) Orthonormal() (*mat.Dense, error) {
	const method = "statespace.GPFAModel.Orthonormal"
	if _, err := m.prepare(method); err != nil {
		return nil, err
	}
	return orthonormal(method, m.C)
}

// Sample draws a trial of n steps and the factors behind it, n×k. The errors are ml.ErrParameter
// for n below 1, what is wrong with a model that was put together by hand, and ctx.Err().
func (m *GPFAModel) Sample(ctx context.Context, n int, seed uint64) (x *trials.Trials, factors *mat.Dense, err error) {
	return m.SampleTrials(ctx, []int{n}, seed)
}

// SampleTrials draws trials of the given lengths.
func (m *GPFAModel) SampleTrials(ctx context.Context, lengths []int, seed uint64) (x *trials.Trials, factors *mat.Dense, err error) {
	const method = "statespace.GPFAModel.Sample"
	p, err := m.prepare(method)
	if err != nil {
		return nil, nil, err
	}
	total, longest, err := addLengths(method, lengths)
	if err != nil {
		return nil, nil, err
	}
	factors, seen := mat.NewDense(total, p.k, nil), mat.NewDense(total, p.d, nil)
	for i := range p.k {
		var l mat.TriDense
		chol, err := kernelRoot(p.tau[i], p.noise, longest)
		if err != nil {
			return nil, nil, err
		}
		chol.LTo(&l)
		row := 0
		for trial, n := range lengths {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
			r := rng.New(seed, trial, i)
			white := mat.NewVecDense(n, nil)
			for t := range n {
				white.SetVec(t, r.NormFloat64())
			}
			for t := range n { // a shorter trial has the leading part of the root
				sum := 0.0
				for s := range t + 1 {
					sum += l.At(t, s) * white.AtVec(s)
				}
				factors.Set(row+t, i, sum)
			}
			row += n
		}
	}
	seen.Mul(factors, m.C.T())
	row := 0
	for trial, n := range lengths {
		r := rng.New(seed, trial, p.k)
		for t := range n {
			for j := range p.d {
				seen.Set(row+t, j, seen.At(row+t, j)+m.Offset[j]+math.Sqrt(m.R[j])*r.NormFloat64())
			}
		}
		row += n
	}
	x, err = trials.Cut(seen, lengths)
	return x, factors, err
}
