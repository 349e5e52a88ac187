package statespace

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// LDS finds the linear dynamical system, a System, under which trials are most likely, by
// expectation and maximisation (Shumway & Stoffer, 1982; Ghahramani & Hinton, 1996): the smoother
// gives the states and how they vary, regressions on them the matrices. A step never lowers the
// likelihood. It costs what Smooth costs, and O(Nk(k+d)) for the regressions, N steps in all, or
// O(Ndk²) where values are missing.
//
// The coordinates of the state are not determined: any invertible T turns a solution into another
// (System.Transformed). What is seen, A's eigenvalues and the space that C spans do not depend on
// them. The likelihood may have several maxima; the fit finds the one that its start leads to.
type LDS struct {
	States int // k; 0 means that of Init, or 2
	// Init holds starting values; what it lacks is taken from principal components of the data and
	// regressions on them. Its At must be nil.
	Init *System
	// Hold names what is kept as Init has it: "A", "Drift", "Q", "C", "Offset", "R", "Mean", "Cov".
	// Drift is held at zero unless Init has one, since a constant may as well stand in Offset.
	Hold             []string
	Transition       Shape // of A: "" means Full, or Diagonal
	StateNoise       Shape // of Q: "" means Full, or Diagonal, Isotropic
	ObservationNoise Shape // of R: "" means Diagonal, as in factor analysis, or Full, Isotropic
	// Floor is the least variance of R, as a part of the variable's variance; 0 means 1e-6. A fit
	// that comes to rest on it explains a variable by a state of its own.
	Floor   float64
	MaxIter int     // steps; 0 means 200
	Tol     float64 // ends at a gain of less log-likelihood a step of the trials, in nats; 0 means 1e-6
}

// LDSModel is a fitted LDS, and a System.
type LDSModel struct {
	System
	LogLikelihood float64 // of all trials, of what is not missing, in nats
	Iterations    int
	Converged     bool
}

func init() { ml.Register[LDSModel]("statespace.LDSModel") }

const ldsMethod = "statespace.LDS"

var ldsParameters = []string{"A", "Drift", "Q", "C", "Offset", "R", "Mean", "Cov"}

// ldsFit is a fit in units in which variables have mean 0 and a variance of about 1.
type ldsFit struct {
	LDS
	x       *trials.Trials
	k, d    int
	n       float64 // steps
	units   units
	start   *prepared
	held    map[string]bool
	floor   []float64
	volume  float64 // log-likelihood in these units less that in the caller's
	grouped []*group
}

// Fit returns the last model of Iterate. The error is ml.ErrParameter for an option out of range or
// a variable that is constant or all missing, ml.ErrShape for an Init that does not fit, the errors
// of a System for one that is none, those of trials.Check, or ml.Dense for a plain matrix,
// ml.ErrNotFinite where a variance is beyond the range of a float64, and ctx.Err(), along with the
// model so far.
func (l LDS) Fit(ctx context.Context, x mat.Matrix) (*LDSModel, error) {
	return lastOf(ctx, l.Iterate(ctx, x))
}

// lastOf drains the iterations of a fit. There is no model beside an error other than the
// context's.
func lastOf[M any](ctx context.Context, steps iter.Seq2[*M, error]) (*M, error) {
	last, err := ml.Last(steps)
	switch {
	case err == nil:
		return last, ctx.Err()
	case ctx.Err() == nil:
		return nil, err
	}
	return last, err
}

// Iterate yields the model after every step, the first being the start; each is a fresh value.
func (l LDS) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*LDSModel, error] {
	return func(yield func(*LDSModel, error) bool) {
		f, err := l.check(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		p, before := f.start, math.Inf(-1)
		var last *LDSModel
		for steps := 0; ; steps++ {
			s, err := f.expect(ctx, p)
			if err != nil {
				yield(last, err)
				return
			}
			done := s.loglik-before < cmp.Or(f.Tol, 1e-6)*f.n
			before = s.loglik
			if last, err = f.model(p, s.loglik, steps, done); err != nil {
				yield(nil, err)
				return
			}
			if !yield(last, nil) || done || steps >= cmp.Or(f.MaxIter, 200) {
				return
			}
			p = f.maximize(p, s)
		}
	}
}

func (l LDS) check(ctx context.Context, x mat.Matrix) (*ldsFit, error) {
	data, err := recording(ldsMethod, x)
	if err != nil {
		return nil, err
	}
	if l.Init != nil && l.Init.A != nil {
		k, _ := l.Init.A.Dims()
		l.States = cmp.Or(l.States, k)
	}
	l.States = cmp.Or(l.States, 2)
	n, d := data.Dims()
	switch {
	case l.States < 1 || l.States > n:
		return nil, ml.BadParameter(ldsMethod, "States", l.States, sprintf("1 to the number of steps, %d", n))
	case l.Init != nil && l.Init.At != nil:
		return nil, ml.BadParameter(ldsMethod, "Init.At", "a function", "nil: a fit looks for matrices that stay the same")
	case l.Floor != 0 && !(l.Floor >= 1e-12 && l.Floor < 1):
		return nil, ml.BadParameter(ldsMethod, "Floor", l.Floor, "0 (for 1e-6), or 1e-12 to 1")
	case l.MaxIter < 0:
		return nil, ml.BadParameter(ldsMethod, "MaxIter", l.MaxIter, "0 or more")
	case !(l.Tol >= 0) || math.IsInf(l.Tol, 0):
		return nil, ml.BadParameter(ldsMethod, "Tol", l.Tol, "0 for the default, or a positive number")
	}
	for _, err := range []error{l.Transition.check(ldsMethod, "Transition", Full, Diagonal), l.StateNoise.check(ldsMethod, "StateNoise", Full, Diagonal, Isotropic),
		l.ObservationNoise.check(ldsMethod, "ObservationNoise", Full, Diagonal, Isotropic)} {
		if err != nil {
			return nil, err
		}
	}
	f := &ldsFit{LDS: l, k: l.States, d: d, n: float64(n), held: map[string]bool{}}
	if f.Init == nil {
		f.Init = &System{}
	}
	for i, name := range l.Hold {
		if !slices.Contains(ldsParameters, name) {
			return nil, ml.BadParameter(ldsMethod, sprintf("Hold[%d]", i), sprintf("%q", name), sprintf("one of %q", ldsParameters))
		}
		f.held[name] = true
	}
	if f.Init.Drift == nil {
		f.held["Drift"] = true
	}
	if err := f.shapes(); err != nil {
		return nil, err
	}
	if f.units, err = unitsOf(ldsMethod, data, f.ObservationNoise == Isotropic); err != nil {
		return nil, err
	}
	f.x, f.floor = f.units.into(data), make([]float64, d)
	for j := range d {
		f.floor[j] = cmp.Or(f.Floor, 1e-6) * f.units.variance[j]
	}
	if f.ObservationNoise != "" && f.ObservationNoise != Diagonal {
		least := slices.Min(f.floor)
		for j := range f.floor {
			f.floor[j] = least
		}
	}
	f.volume = f.units.volume(data)
	if f.start, err = f.initial(ctx); err != nil {
		return nil, err
	}
	f.grouped = f.start.plan(f.x)
	return f, ctx.Err()
}

// shapes checks that what Init has is of the form that the fit looks for, unless it is held.
func (f *ldsFit) shapes() error {
	diagonal := func(m mat.Matrix) bool {
		r, c := m.Dims()
		for i := range r {
			for j := range c {
				if i != j && m.At(i, j) != 0 {
					return false
				}
			}
		}
		return true
	}
	if r := f.Init.R; r != nil && f.ObservationNoise != Full && !diagonal(r) {
		if !f.held["R"] {
			return ml.BadParameter(ldsMethod, "Init.R", "a matrix with correlations", sprintf("a diagonal one, or ObservationNoise %q", Full))
		}
		f.ObservationNoise = Full
	}
	if q := f.Init.Q; q != nil && f.StateNoise != "" && f.StateNoise != Full && !f.held["Q"] && !diagonal(q) {
		return ml.BadParameter(ldsMethod, "Init.Q", "a matrix with correlations", sprintf("a diagonal one, or StateNoise %q", Full))
	}
	if a := f.Init.A; a != nil && f.Transition == Diagonal && !f.held["A"] && !diagonal(a) {
		return ml.BadParameter(ldsMethod, "Init.A", "a matrix that is not diagonal", sprintf("a diagonal one, or Transition %q", Full))
	}
	return nil
}

// units are those of a fit: x = center + scale·z with scales that are powers of two.
type units struct {
	center, scale, variance []float64 // variance is that of z
}

// unitsOf finds units from what is observed of each variable, one scale for all where common.
func unitsOf(method string, x *trials.Trials, common bool) (units, error) {
	n, d := x.Dims()
	u := units{make([]float64, d), make([]float64, d), make([]float64, d)}
	largest := 0.0
	for j := range d {
		most, count, mean := 0.0, 0.0, 0.0
		for i := range n {
			if v := x.X.At(i, j); v == v {
				most = max(most, math.Abs(v))
			}
		}
		if most == 0 {
			most = 1
		}
		unit := scaling.PowerOfTwo(most)
		for i := range n {
			if v := x.X.At(i, j); v == v {
				count++
				mean += (v/unit - mean) / count
			}
		}
		if count == 0 {
			return u, ml.BadParameter(method, sprintf("the number of observed values of variable %d", j), 0, "at least 1: leave the variable out")
		}
		sum := 0.0
		for i := range n {
			if v := x.X.At(i, j); v == v {
				sum += (v/unit - mean) * (v/unit - mean)
			}
		}
		deviation := math.Sqrt(sum / count)
		if !(deviation > 1e-14*math.Abs(mean)) {
			return u, ml.BadParameter(method, sprintf("the variance of variable %d", j), sum/count, "more than 0: leave a constant variable out")
		}
		u.center[j], u.scale[j], u.variance[j] = mean*unit, unit*scaling.PowerOfTwo(deviation), deviation*unit
		largest = max(largest, u.scale[j])
	}
	for j := range d {
		if common {
			u.scale[j] = largest
		}
		v := u.variance[j] / u.scale[j]
		u.variance[j] = v * v
		if v*v == 0 {
			return u, ml.BadParameter(method, sprintf("the standard deviation of variable %d", j), v, "one that compares with those of the others")
		}
	}
	return u, nil
}

func (u units) into(x *trials.Trials) *trials.Trials {
	out := mat.DenseCopyOf(x.X)
	out.Apply(func(_, j int, v float64) float64 { return v/u.scale[j] - u.center[j]/u.scale[j] }, out)
	return &trials.Trials{X: out, Start: x.Start}
}

// volume is the sum of log scale over what is observed.
func (u units) volume(x *trials.Trials) (sum float64) {
	n, d := x.Dims()
	for j := range d {
		count := 0
		for i := range n {
			if v := x.X.At(i, j); v == v {
				count++
			}
		}
		sum += float64(count) * math.Log(u.scale[j])
	}
	return sum
}

// model brings a system to the caller's units; what is held is Init's own.
func (f *ldsFit) model(p *prepared, loglik float64, steps int, done bool) (*LDSModel, error) {
	m := p.at(0)
	out := &LDSModel{Iterations: steps, Converged: done, LogLikelihood: loglik - f.volume, System: System{Mean: slices.Clone(p.mean0), Cov: symmetric(p.cov, f.k),
		Step: Step{A: mat.NewDense(f.k, f.k, slices.Clone(m.a)), Drift: slices.Clone(m.drift), Q: symmetric(m.q, f.k),
			C: mat.NewDense(f.d, f.k, nil), Offset: make([]float64, f.d)}}}
	r := make([]float64, f.d*f.d)
	for j := range f.d {
		for c := range f.k {
			out.C.Set(j, c, m.c[j*f.k+c]*f.units.scale[j])
		}
		out.Offset[j] = f.units.center[j] + f.units.scale[j]*m.offset[j]
		for i := range f.d {
			v := m.r[i*f.d+j] * f.units.scale[i] * f.units.scale[j]
			if math.IsInf(v, 0) || i == j && v == 0 {
				return nil, ml.NotFinite(ldsMethod, "the variance of variable %d is beyond the range of a float64: scale the data", j)
			}
			r[i*f.d+j] = v
		}
	}
	out.R = symmetric(r, f.d)
	if f.held["Offset"] {
		copy(out.Offset, f.Init.Offset)
	}
	return out, nil
}
