package sparse

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Lasso minimises, for each row y,
//
//	½‖y − Dᵀz‖² + λ‖z‖₁
//
// (Tibshirani, 1996; basis pursuit denoising of Chen, Donoho & Saunders, 1998) by coordinate
// descent: the best zⱼ for given others is soft thresholding of what they leave,
//
//	zⱼ ← S(⟨dⱼ, r⟩ + ‖dⱼ‖²zⱼ, λ) / ‖dⱼ‖²,   S(u, λ) = sign(u)·max(|u| − λ, 0),
//
// passes over the atoms in use taking turns with passes over all. Once the signs stay, the
// equations for the atoms in use are solved, and the solution, where it meets the conditions of the
// minimum, is exact: |⟨dⱼ, r⟩| ≤ λ, with equality and the sign of zⱼ where zⱼ ≠ 0. All codes are
// zero if and only if λ ≥ max |⟨dⱼ, y⟩|.
//
// Atoms are penalised alike as they are: one of larger norm costs less. A change of a coefficient
// costs O(K) with the atoms' Gram matrix and O(d) without (see OMP).
type Lasso struct {
	Dictionary mat.Matrix // K×d, an atom a row, not 0
	Lambda     float64    // in units of ⟨d, y⟩; 0 means a tenth of the least one at which all codes are zero
	Positive   bool       // z ≥ 0
	MaxIter    int        // passes for a row; 0 means 10,000
	Tol        float64    // a row is done at a duality gap of so much of ½‖y‖²; 0 means 1e-9
}

const lassoMethod = "sparse.Lasso"

// Fit codes the rows of x, n×d. Gap is the sum of the rows' duality gaps. The errors are those of
// OMP.Fit.
func (l Lasso) Fit(ctx context.Context, x mat.Matrix) (*Code, error) {
	s, o, err := checkL1(ctx, lassoMethod, l.Dictionary, x, l.Lambda, l.MaxIter, 10_000, l.Tol, 1e-9)
	if err != nil {
		return nil, err
	}
	o.positive = l.Positive
	rows, err := s.lasso(ctx, o)
	c, broken := s.code(ctx, lassoMethod, rows, true)
	if broken != nil {
		return nil, broken
	}
	return c, err
}

// l1 holds the options of a lasso, in the units of signals.
type l1 struct {
	lambda   float64
	positive bool
	maxIter  int
	tol      float64
}

func checkL1(ctx context.Context, method string, dictionary, x mat.Matrix, lambda float64, maxIter, passes int, tol, least float64) (*signals, l1, error) {
	s, err := check(method, dictionary, x)
	if err != nil {
		return nil, l1{}, err
	}
	switch {
	case !(lambda >= 0) || math.IsInf(lambda, 0):
		return nil, l1{}, ml.BadParameter(method, "Lambda", lambda, "0 for the default, or a positive number")
	case maxIter < 0:
		return nil, l1{}, ml.BadParameter(method, "MaxIter", maxIter, "0 or more")
	case !(tol >= 0) || math.IsInf(tol, 0):
		return nil, l1{}, ml.BadParameter(method, "Tol", tol, "0 for the default, or a positive number")
	}
	o := l1{lambda: lambda * s.unit * s.atoms.unit, maxIter: maxIter, tol: tol}
	if maxIter == 0 {
		o.maxIter = passes
	}
	if tol == 0 {
		o.tol = least
	}
	if lambda == 0 {
		if o.lambda, err = s.leastForZero(ctx); err != nil {
			return nil, o, err
		}
		o.lambda /= 10
	}
	return s, o, nil
}

// leastForZero is the least λ at which every code is zero.
func (s *signals) leastForZero(ctx context.Context) (float64, error) {
	most := make([]float64, parallel.Chunks(s.n, chunk))
	err := each(ctx, s, func() struct{} { return struct{}{} }, func(_ struct{}, i int, _, corr []float64) {
		for _, c := range corr {
			most[i/chunk] = max(most[i/chunk], math.Abs(c))
		}
	})
	return slices.Max(most), err
}

// descent is the memory of coordinate descent.
type descent struct {
	*signals
	l1
	z      []float64 // all K
	q      []float64 // products of the atoms with the residual; without a Gram matrix, those of the last full pass
	r      []float64
	used   []int
	factor cholesky
	gramAt []float64
	// of polish: the atoms in use, their coefficients, where these go, and the signal
	set           []int
	at, way, near []float64
	y0            []float64
}

func (s *signals) lasso(ctx context.Context, o l1) ([]row, error) {
	rows := make([]row, s.n)
	err := each(ctx, s, func() *descent {
		return &descent{signals: s, l1: o, z: make([]float64, s.k), q: make([]float64, s.k), r: make([]float64, s.d), gramAt: make([]float64, s.k)}
	}, func(p *descent, i int, y, corr []float64) { rows[i] = p.descend(ctx, y, corr) })
	return rows, err
}

// descend is coordinate descent for one row, from zero.
func (p *descent) descend(ctx context.Context, y, corr []float64) row {
	clear(p.z)
	copy(p.q, corr)
	copy(p.r, y)
	p.y0 = y
	p.used = p.used[:0]
	half := blas.Dot(y, y) / 2
	out := row{}
	goal, gap := p.tol*half, math.Inf(1)
	before := -1
	for out.iterations < p.maxIter {
		// A pass over all lets atoms in.
		for j := range p.z {
			if p.z[j] != 0 || p.inner(j) > p.lambda || !p.positive && p.inner(j) < -p.lambda {
				p.move(j)
			}
		}
		out.iterations++
		p.used = p.used[:0]
		for j, v := range p.z {
			if v != 0 {
				p.used = append(p.used, j)
			}
		}
		count := len(p.used)
		for range 8 {
			change := 0.0
			for _, j := range p.used {
				change = max(change, p.move(j)*p.norm[j])
			}
			out.iterations++
			if change*change <= goal {
				break
			}
		}
		if count == before || out.iterations >= p.maxIter {
			p.polish(corr)
		}
		before = count
		if gap = p.gap(y, half); gap <= goal {
			break
		}
		if out.iterations%64 > 56 && ctx.Err() != nil {
			break
		}
	}
	out.gap, out.converged = max(gap, 0), gap <= goal
	for j, v := range p.z {
		if v != 0 {
			out.index, out.value = append(out.index, j), append(out.value, v)
			out.penalty += p.lambda * math.Abs(v)
		}
	}
	return out
}

// inner is the product of atom j with the residual.
func (p *descent) inner(j int) float64 {
	if p.atoms.gram != nil {
		return p.q[j]
	}
	return blas.Dot(p.x.RawRowView(j), p.r)
}

// move minimises over coefficient j, and returns by how much it changed.
func (p *descent) move(j int) float64 {
	square := p.norm[j] * p.norm[j]
	to := p.soft(p.inner(j)+square*p.z[j]) / square
	delta := to - p.z[j]
	if delta == 0 {
		return 0
	}
	p.z[j] = to
	if p.atoms.gram != nil {
		blas.Axpy(-delta, p.atoms.gram[j*p.k:(j+1)*p.k], p.q)
	} else {
		blas.Axpy(-delta, p.x.RawRowView(j), p.r)
	}
	return math.Abs(delta)
}

func (o l1) soft(u float64) float64 {
	switch {
	case u > o.lambda:
		return u - o.lambda
	case u < -o.lambda && !o.positive:
		return u + o.lambda
	}
	return 0
}

// polish goes, from where coordinate descent is, to the minimum over the atoms in use with the
// signs that they have, which G z = corr − λ·sign(z) gives. Where a sign would change on the way,
// the atom is left out at that place, and so is one of several atoms that depend on each other. The
// objective only falls.
func (p *descent) polish(corr []float64) {
	p.set = p.set[:0]
	for j, v := range p.z {
		if v != 0 {
			p.set = append(p.set, j)
		}
	}
	for len(p.set) > 0 && p.towards(corr) {
	}
	clear(p.z)
	copy(p.q, corr)
	if p.atoms.gram == nil {
		copy(p.r, p.y0)
	}
	for t, j := range p.set { // from the start, so that nothing adds up
		p.z[j] = p.at[t]
		if p.atoms.gram != nil {
			blas.Axpy(-p.at[t], p.atoms.gram[j*p.k:(j+1)*p.k], p.q)
		} else {
			blas.Axpy(-p.at[t], p.x.RawRowView(j), p.r)
		}
	}
	p.at = p.at[:0]
}

// towards is one stretch of polish. It says whether an atom was left out.
func (p *descent) towards(corr []float64) bool {
	if len(p.at) != len(p.set) {
		p.at = p.at[:0]
		for _, j := range p.set {
			p.at = append(p.at, p.z[j])
		}
	}
	p.factor.reset()
	p.way = p.way[:0]
	for t, j := range p.set {
		g := p.gramRow(j, p.gramAt)
		p.near = p.near[:0]
		for _, i := range p.set[:t] {
			p.near = append(p.near, g[i])
		}
		if !p.factor.grow(p.near, p.norm[j]*p.norm[j]) {
			// The atom is a combination of those before: along this way the fit stays as it is.
			p.factor.solve(p.near)
			slope := -math.Copysign(1, p.at[t])
			for u, v := range p.near {
				p.way = append(p.way, v)
				slope += math.Copysign(v, v*p.at[u])
			}
			p.way = append(p.way, -1)
			if slope > 0 {
				for u := range p.way {
					p.way[u] = -p.way[u]
				}
			}
			return p.walk(math.Inf(1))
		}
	}
	for t, j := range p.set {
		p.way = append(p.way, corr[j]-math.Copysign(p.lambda, p.at[t]))
	}
	p.factor.solve(p.way)
	for t := range p.way {
		p.way[t] -= p.at[t]
	}
	return p.walk(1)
}

// walk goes along the way, by at most so much of it, until a coefficient is 0, whose atom it leaves
// out.
func (p *descent) walk(most float64) bool {
	leaves := -1
	for t, v := range p.way {
		if s := -p.at[t] / v; v != 0 && s >= 0 && s < most {
			most, leaves = s, t
		}
	}
	if math.IsInf(most, 1) {
		return false
	}
	for t, v := range p.way {
		p.at[t] += most * v
	}
	if leaves < 0 {
		return false
	}
	p.set, p.at = slices.Delete(p.set, leaves, leaves+1), slices.Delete(p.at, leaves, leaves+1)
	return true
}

// gap is how far the objective is above a lower bound: the value of the dual at the residual,
// scaled down until it is feasible.
func (p *descent) gap(y []float64, half float64) float64 {
	p.used = p.used[:0]
	size := 0.0
	if p.atoms.gram != nil {
		copy(p.r, y)
	}
	for j, v := range p.z {
		if v != 0 {
			size += math.Abs(v)
			if p.atoms.gram != nil {
				blas.Axpy(-v, p.x.RawRowView(j), p.r)
			}
		}
	}
	if p.atoms.gram == nil {
		blas.DotRows(p.q, p.r, p.x.RawMatrix().Data, p.d)
	}
	return dualGap(y, p.r, p.q, size, p.l1)
}

// dualGap: with θ = c·r feasible, ½‖r‖² + λ‖z‖₁ − (½‖y‖² − ½‖y − θ‖²).
func dualGap(y, r, q []float64, size float64, o l1) float64 {
	most := 0.0
	for _, v := range q {
		if !o.positive {
			v = math.Abs(v)
		}
		most = max(most, v)
	}
	c := 1.0
	if most > o.lambda {
		c = o.lambda / most
	}
	rr, ry := blas.Dot(r, r), blas.Dot(r, y)
	return rr/2 + o.lambda*size - c*ry + c*c*rr/2
}
