package statespace

import (
	"cmp"
	"context"
	"math"
	"math/cmplx"
	"slices"

	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// System is a linear dynamical system with Gaussian noise: a state z of k dimensions moves, and d
// variables x are seen,
//
//	z₁ ~ N(Mean, Cov),   zₜ = A·zₜ₋₁ + Drift + N(0, Q),   xₜ = C·zₜ + Offset + N(0, R).
//
// Its methods hold for any such system, one that Fit has found or one that is written down: Filter,
// Smooth, LogProb, Forecast, LeaveOut, Sample. They check it, and their errors are ml.ErrShape,
// ml.ErrNotFinite, and ml.ErrParameter for a covariance that is none; that of the observations must
// be positive definite, the others may be singular.
type System struct {
	Mean []float64     // of the first state, length k; nil means zeros
	Cov  *mat.SymDense // of the first state, k×k
	Step
	// At gives the matrices of step i of a trial, from 0, where they change with time: A, Drift and
	// Q lead to it from the step before, C, Offset and R show it. A field that is nil is the
	// System's own. At is nil for a system that stays the same; it is not saved.
	At func(i int) Step `ml:"-"`
}

// Step holds the matrices of one step of a System.
type Step struct {
	A      *mat.Dense    // k×k
	Drift  []float64     // length k; nil means zeros
	Q      *mat.SymDense // k×k
	C      *mat.Dense    // d×k
	Offset []float64     // length d; nil means zeros
	R      *mat.SymDense // d×d
}

// or returns s with what it lacks taken from another.
func (s Step) or(other Step) Step {
	s.A, s.Q, s.C, s.R = cmp.Or(s.A, other.A), cmp.Or(s.Q, other.Q), cmp.Or(s.C, other.C), cmp.Or(s.R, other.R)
	if s.Drift == nil {
		s.Drift = other.Drift
	}
	if s.Offset == nil {
		s.Offset = other.Offset
	}
	return s
}

// matrices are a Step's in slices.
type matrices struct {
	k, d         int
	a, drift, q  []float64
	c, offset, r []float64
	diagonal     bool // r has nothing beside its diagonal
}

// flatten checks a step.
func (s Step) flatten(method string) (*matrices, error) {
	if s.A == nil || s.Q == nil || s.C == nil || s.R == nil {
		return nil, ml.Empty(method, "a system needs A, Q, C and R")
	}
	k, _ := s.A.Dims()
	d, _ := s.C.Dims()
	if k == 0 || d == 0 {
		return nil, ml.Empty(method, "A or C is empty")
	}
	m := &matrices{k: k, d: d, drift: make([]float64, k), offset: make([]float64, d), diagonal: true}
	var err error
	for _, f := range []struct {
		name string
		x    mat.Matrix
		r, c int
		to   *[]float64
	}{{"A", s.A, k, k, &m.a}, {"Q", s.Q, k, k, &m.q}, {"C", s.C, d, k, &m.c}, {"R", s.R, d, d, &m.r}} {
		if *f.to, err = elements(method, f.name, f.x, f.r, f.c); err != nil {
			return nil, err
		}
	}
	for _, f := range []struct {
		name     string
		from, to []float64
	}{{"Drift", s.Drift, m.drift}, {"Offset", s.Offset, m.offset}} {
		if f.from != nil {
			if err := ml.Vector(method, f.name, f.from, len(f.to)); err != nil {
				return nil, err
			}
			copy(f.to, f.from)
		}
	}
	if err := covariance(method, "Q", m.q, k); err != nil {
		return nil, err
	}
	for i := range d {
		for j := range i {
			m.diagonal = m.diagonal && m.r[i*d+j] == 0
		}
	}
	if l := make([]float64, d*d); cholesky(l, m.r, d) < d {
		return nil, ml.BadParameter(method, "R", "a singular or indefinite matrix", "a positive definite one: give what is seen exactly a small variance")
	}
	return m, nil
}

// elements returns a matrix in a slice after the check of its shape and numbers.
func elements(method, name string, x mat.Matrix, rows, cols int) ([]float64, error) {
	if r, c := x.Dims(); r != rows || c != cols {
		return nil, ml.BadShape(method, "%s is %d×%d, want %d×%d", name, r, c, rows, cols)
	}
	out := flat(x)
	for i, v := range out {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, ml.NotFinite(method, "%s has %v in row %d, column %d, want a finite number", name, v, i/cols, i%cols)
		}
	}
	return out, nil
}

// covariance checks that a symmetric matrix has no direction of negative variance.
func covariance(method, name string, a []float64, n int) error {
	var es mat.EigenSym
	if !es.Factorize(mat.NewSymDense(n, slices.Clone(a)), false) {
		return ml.NotFinite(method, "the eigenvalues of %s were not found", name)
	}
	values := es.Values(nil)
	if least, most := values[0], values[n-1]; least < -1e-9*math.Abs(most) || most < 0 {
		return ml.BadParameter(method, name, sprintf("a matrix with the eigenvalue %.3g", least), "a covariance, without negative ones")
	}
	return nil
}

// prepared is a System that has been checked, ready for steps trials of up to some length.
type prepared struct {
	k, d       int
	mean0, cov []float64
	steps      []*matrices // one for each step, or a single one for all
}

func (p *prepared) at(t int) *matrices {
	if len(p.steps) == 1 {
		return p.steps[0]
	}
	return p.steps[t]
}

// prepare checks a system for trials of up to the given number of steps.
func (s *System) prepare(method string, longest int) (*prepared, error) {
	if s == nil {
		return nil, ml.Empty(method, "the system is nil")
	}
	p := &prepared{}
	count := 1
	if s.At != nil {
		count = longest
	}
	for t := range count {
		step := s.Step
		if s.At != nil {
			step = s.At(t).or(s.Step)
		}
		m, err := step.flatten(method)
		if err != nil {
			return nil, err
		}
		if t > 0 && (m.k != p.k || m.d != p.d) {
			return nil, ml.BadShape(method, "step %d has %d states and %d variables, step 0 has %d and %d", t, m.k, m.d, p.k, p.d)
		}
		p.k, p.d, p.steps = m.k, m.d, append(p.steps, m)
	}
	p.mean0 = make([]float64, p.k)
	if s.Mean != nil {
		if err := ml.Vector(method, "Mean", s.Mean, p.k); err != nil {
			return nil, err
		}
		copy(p.mean0, s.Mean)
	}
	if s.Cov == nil {
		return nil, ml.Empty(method, "a system needs Cov, the covariance of the first state")
	}
	var err error
	if p.cov, err = elements(method, "Cov", s.Cov, p.k, p.k); err != nil {
		return nil, err
	}
	return p, covariance(method, "Cov", p.cov, p.k)
}

// Eigenvalues returns those of A, of largest modulus first, and of a pair the one with the positive
// imaginary part first. The state forgets at the rate of their moduli and turns by their arguments,
// a step. They are nil where A is.
func (s *System) Eigenvalues() []complex128 {
	var e mat.Eigen
	if s.A == nil || !e.Factorize(s.A, mat.EigenNone) {
		return nil
	}
	values := e.Values(nil)
	slices.SortStableFunc(values, func(a, b complex128) int {
		if x, y := cmplx.Abs(a), cmplx.Abs(b); math.Abs(x-y) > 1e-12*max(x, y) {
			return cmp.Compare(y, x)
		}
		return cmp.Compare(imag(b), imag(a))
	})
	return values
}

// Transformed returns the same system in the coordinates T·z of the state, for an invertible k×k
// matrix: nothing that is seen changes. The error is ml.ErrShape, or ml.ErrParameter for a T
// without an inverse and for a system with At.
func (s *System) Transformed(t mat.Matrix) (*System, error) {
	const method = "statespace.Transformed"
	p, err := s.prepare(method, 1)
	if err != nil {
		return nil, err
	}
	if s.At != nil {
		return nil, ml.BadParameter(method, "At", "a function", "nil")
	}
	if _, err := elements(method, "T", t, p.k, p.k); err != nil {
		return nil, err
	}
	var inverse mat.Dense
	if err := inverse.Inverse(t); err != nil {
		return nil, ml.BadParameter(method, "T", err, "an invertible matrix")
	}
	turn := func(v []float64) []float64 {
		var out mat.VecDense
		out.MulVec(t, mat.NewVecDense(p.k, v))
		return out.RawVector().Data
	}
	around := func(c []float64) *mat.SymDense {
		var out mat.Dense
		out.Product(t, mat.NewDense(p.k, p.k, c), t.T())
		a := out.RawMatrix().Data
		symmetrize(a, p.k)
		return symmetric(a, p.k)
	}
	m := p.at(0)
	out := &System{Mean: turn(p.mean0), Cov: around(p.cov), Step: Step{A: &mat.Dense{}, Drift: turn(m.drift), Q: around(m.q), C: &mat.Dense{},
		Offset: slices.Clone(m.offset), R: symmetric(m.r, m.d)}}
	out.A.Product(t, s.A, &inverse)
	out.C.Mul(s.C, &inverse)
	return out, nil
}

// Orthonormal returns the same system in the coordinates in which C has orthonormal columns, in the
// order of the singular values that it had (Yu et al., 2009): distances between states are then
// distances between what they predict. It changes nothing that is seen. The error is
// ml.ErrParameter where C has fewer rows than columns or columns that depend on each other.
func (s *System) Orthonormal() (*System, error) {
	const method = "statespace.Orthonormal"
	if _, err := s.prepare(method, 1); err != nil {
		return nil, err
	}
	t, err := orthonormal(method, s.C)
	if err != nil {
		return nil, err
	}
	return s.Transformed(t)
}

// orthonormal is S·Vᵀ for C = U·S·Vᵀ.
func orthonormal(method string, c *mat.Dense) (*mat.Dense, error) {
	d, k := c.Dims()
	var svd mat.SVD
	if d < k || !svd.Factorize(c, mat.SVDThin) || svd.Values(nil)[k-1] <= 1e-12*svd.Values(nil)[0] {
		return nil, ml.BadParameter(method, "C", sprintf("a %d×%d matrix of lower rank", d, k), "linearly independent columns")
	}
	values := svd.Values(nil)
	var v, u mat.Dense
	svd.VTo(&v)
	svd.UTo(&u)
	t := mat.NewDense(k, k, nil)
	for i := range k {
		column, sign := mat.Col(nil, i, &u), 1.0
		before := slices.Clone(column)
		if eigen.SetSign(column); !slices.Equal(column, before) {
			sign = -1
		}
		for j := range k {
			t.Set(i, j, sign*values[i]*v.At(j, i))
		}
	}
	return t, nil
}

// Sample draws a trial of n steps: what is seen, and the states behind it, n×k.
func (s *System) Sample(ctx context.Context, n int, seed uint64) (x *trials.Trials, states *mat.Dense, err error) {
	return s.SampleTrials(ctx, []int{n}, seed)
}

// SampleTrials draws trials of the given lengths. The errors beside those of a System are
// ml.ErrParameter for a length below 1, and ctx.Err().
func (s *System) SampleTrials(ctx context.Context, lengths []int, seed uint64) (x *trials.Trials, states *mat.Dense, err error) {
	const method = "statespace.Sample"
	total, longest, err := addLengths(method, lengths)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.prepare(method, longest)
	if err != nil {
		return nil, nil, err
	}
	type roots struct{ q, r []float64 }
	factors := make([]roots, len(p.steps))
	for t, m := range p.steps {
		factors[t] = roots{make([]float64, p.k*p.k), make([]float64, p.d*p.d)}
		cholesky(factors[t].q, m.q, p.k)
		cholesky(factors[t].r, m.r, p.d)
	}
	first := make([]float64, p.k*p.k)
	cholesky(first, p.cov, p.k)
	states, seen := mat.NewDense(total, p.k, nil), mat.NewDense(total, p.d, nil)
	noise, noises, row := make([]float64, p.k), make([]float64, p.d), 0
	for trial, n := range lengths {
		r := rng.New(seed, trial)
		for t := range n {
			if t%1024 == 0 && ctx.Err() != nil {
				return nil, nil, ctx.Err()
			}
			m, f := p.at(t), factors[min(t, len(factors)-1)]
			z, x, root := states.RawRowView(row), seen.RawRowView(row), f.q
			if t == 0 {
				copy(z, p.mean0)
				root = first
			} else {
				apply(z, m.a, states.RawRowView(row-1))
				addTo(z, m.drift)
			}
			for i := range noise {
				noise[i] = r.NormFloat64()
			}
			for i := range z {
				for j, v := range noise[:i+1] {
					z[i] += root[i*p.k+j] * v
				}
			}
			apply(x, m.c, z)
			addTo(x, m.offset)
			for i := range noises {
				noises[i] = r.NormFloat64()
			}
			for i := range x {
				for j, v := range noises[:i+1] {
					x[i] += f.r[i*p.d+j] * v
				}
			}
			row++
		}
	}
	x, err = trials.Cut(seen, lengths)
	return x, states, err
}

// addLengths returns the sum of lengths of trials and the largest.
func addLengths(method string, lengths []int) (total, longest int, err error) {
	if len(lengths) == 0 {
		return 0, 0, ml.Empty(method, "no lengths of trials are given")
	}
	for i, n := range lengths {
		if n < 1 {
			return 0, 0, ml.BadParameter(method, sprintf("the length of trial %d", i), n, "at least 1")
		}
		total, longest = total+n, max(longest, n)
	}
	return total, longest, nil
}

func addTo(dst, v []float64) {
	for i, w := range v {
		dst[i] += w
	}
}
