package sparse

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// BasisPursuit finds, for each row y, of all codes that give it back without error the one of least
// size (Chen, Donoho & Saunders, 1998):
//
//	minimise ‖z‖₁ subject to Dᵀz = y.
//
// With z = u − v, u ≥ 0 and v ≥ 0, it is a linear programme in 2K variables, which is solved by the
// predictor-corrector interior-point method (Mehrotra, 1992) in a dozen or so steps of O(Kd² + d³)
// each. Where the solution has at most d entries, as it has unless several codes are equally small,
// it is computed from them, so that what should be zero is zero. It finds the sparsest code
// wherever that has few entries enough for the dictionary's coherence (see Coherence), and in
// practice far beyond.
type BasisPursuit struct {
	Dictionary mat.Matrix // K×d, an atom a row, not 0
	MaxIter    int        // 0 means 100
	Tol        float64    // relative gap between the programme and its dual at which a row is done; 0 means 1e-9
}

const basisMethod = "sparse.BasisPursuit"

// Fit codes the rows of x, n×d. Objective is the sum of the rows' ‖z‖₁. The error is
// ml.ErrParameter for a row that is no combination of the atoms; the others are those of OMP.Fit.
func (b BasisPursuit) Fit(ctx context.Context, x mat.Matrix) (*Code, error) {
	s, err := check(basisMethod, b.Dictionary, x)
	if err != nil {
		return nil, err
	}
	switch {
	case b.MaxIter < 0:
		return nil, ml.BadParameter(basisMethod, "MaxIter", b.MaxIter, "0 or more")
	case !(b.Tol >= 0) || math.IsInf(b.Tol, 0):
		return nil, ml.BadParameter(basisMethod, "Tol", b.Tol, "0 for the default, or a positive number")
	}
	if b.MaxIter == 0 {
		b.MaxIter = 100
	}
	if b.Tol == 0 {
		b.Tol = 1e-9
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// Dᵀz = y in coordinates in which the constraints are orthonormal: D = USVᵀ, Uᵀz = S⁻¹Vᵀy.
	var svd mat.SVD
	if !svd.Factorize(s.x, mat.SVDThin) {
		return nil, ml.NotFinite(basisMethod, "the dictionary has no singular value decomposition")
	}
	values := svd.Values(nil)
	rank := 0
	for rank < len(values) && values[rank] > 1e-12*values[0] {
		rank++
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	u0, v0 := mat.DenseCopyOf(u.Slice(0, s.k, 0, rank)), mat.DenseCopyOf(v.Slice(0, s.d, 0, rank))
	var rhs, again mat.Dense
	rhs.Mul(s.y, v0)
	again.Mul(&rhs, v0.T())
	for i := range s.n {
		if y := s.y.RawRowView(i); floats.Distance(y, again.RawRowView(i), 2) > 1e-9*floats.Norm(y, 2) {
			return nil, ml.BadParameter(basisMethod, "the part of a row that no combination of the atoms gives, of row", i, "none: Lasso takes such rows")
		}
		for c := range rank {
			rhs.Set(i, c, rhs.At(i, c)/values[c])
		}
	}
	rows := make([]row, s.n)
	end := parallel.For(ctx, s.n, 1, func(_, lo, hi int) {
		p := newInterior(u0)
		for i := lo; i < hi; i++ {
			rows[i] = p.solve(ctx, rhs.RawRowView(i), b)
		}
	})
	c, err := s.code(ctx, basisMethod, rows, false)
	if err != nil {
		return nil, err
	}
	return c, end
}

// interior is the linear programme minimise Σx, Ax = b, x ≥ 0 with A = [Uᵀ −Uᵀ].
type interior struct {
	u          *mat.Dense // K×r
	k, r       int
	x, s       []float64 // length 2K
	dx, ds     []float64
	rc         []float64 // of complementarity
	y, rhs, dy *mat.VecDense
	scaled     *mat.Dense
	normal     *mat.SymDense
	chol       mat.Cholesky
}

func newInterior(u *mat.Dense) *interior {
	k, r := u.Dims()
	p := &interior{u: u, k: k, r: r, scaled: mat.NewDense(k, r, nil), normal: mat.NewSymDense(r, nil)}
	p.x, p.s, p.dx, p.ds, p.rc = make([]float64, 2*k), make([]float64, 2*k), make([]float64, 2*k), make([]float64, 2*k), make([]float64, 2*k)
	p.y, p.rhs, p.dy = mat.NewVecDense(r, nil), mat.NewVecDense(r, nil), mat.NewVecDense(r, nil)
	return p
}

// primal returns b − A·x, and dual 1 − Aᵀy − s.
func (p *interior) primal(b []float64) *mat.VecDense {
	z := mat.NewVecDense(p.k, nil)
	for j := range p.k {
		z.SetVec(j, p.x[j]-p.x[p.k+j])
	}
	out := mat.NewVecDense(p.r, nil)
	out.MulVec(p.u.T(), z)
	out.SubVec(mat.NewVecDense(p.r, b), out)
	return out
}

func (p *interior) dual() []float64 {
	a := mat.NewVecDense(p.k, nil)
	a.MulVec(p.u, p.y)
	out := make([]float64, 2*p.k)
	for j := range p.k {
		out[j] = 1 - a.AtVec(j) - p.s[j]
		out[p.k+j] = 1 + a.AtVec(j) - p.s[p.k+j]
	}
	return out
}

func (p *interior) solve(ctx context.Context, b []float64, o BasisPursuit) row {
	size := floats.Norm(b, 2)
	if size == 0 {
		return row{converged: true}
	}
	// Start: the code of least squares, moved off the walls.
	p.y.Zero()
	z := mat.NewVecDense(p.k, nil)
	z.MulVec(p.u, mat.NewVecDense(p.r, b))
	shift := floats.Norm(z.RawVector().Data, 1)/float64(p.k) + 1e-300
	for j := range p.k {
		v := z.AtVec(j)
		p.x[j], p.x[p.k+j] = max(v, 0)+shift, max(-v, 0)+shift
		p.s[j], p.s[p.k+j] = 1, 1
	}
	out := row{}
	for out.iterations = 0; out.iterations < o.MaxIter && ctx.Err() == nil; out.iterations++ {
		rb, rd := p.primal(b), p.dual()
		total := floats.Sum(p.x)
		out.gap = floats.Dot(p.x, p.s)
		// b·y is a bound from below where y is feasible.
		if mat.Norm(rb, 2) <= 1e-9*size && floats.Norm(rd, math.Inf(1)) <= 1e-9 && out.gap <= o.Tol*total {
			out.converged = true
			break
		}
		mu := out.gap / float64(2*p.k)
		if !p.factor() {
			break
		}
		for i := range p.rc {
			p.rc[i] = -p.x[i] * p.s[i]
		}
		p.direction(rb, rd)
		ap, ad := reach(p.x, p.dx), reach(p.s, p.ds)
		after := 0.0
		for i := range p.x {
			after += (p.x[i] + ap*p.dx[i]) * (p.s[i] + ad*p.ds[i])
		}
		center := math.Pow(after/out.gap, 3)
		for i := range p.rc {
			p.rc[i] = center*mu - p.x[i]*p.s[i] - p.dx[i]*p.ds[i]
		}
		p.direction(rb, rd)
		ap, ad = min(1, 0.995*reachAll(p.x, p.dx)), min(1, 0.995*reachAll(p.s, p.ds))
		for i := range p.x {
			p.x[i] = max(p.x[i]+ap*p.dx[i], 1e-300)
			p.s[i] = max(p.s[i]+ad*p.ds[i], 1e-300)
		}
		p.y.AddScaledVec(p.y, ad, p.dy)
	}
	p.corner(&out, b)
	return out
}

// factor factors A·diag(x/s)·Aᵀ.
func (p *interior) factor() bool {
	most := 0.0
	for j := range p.k {
		w := math.Sqrt(p.x[j]/p.s[j] + p.x[p.k+j]/p.s[p.k+j])
		most = max(most, w)
		for c, v := range p.u.RawRowView(j) {
			p.scaled.Set(j, c, w*v)
		}
	}
	p.normal.SymOuterK(1, p.scaled.T())
	for ridge := 0.0; ridge < 1e-6; ridge = max(1e-16, 100*ridge) {
		if ridge > 0 {
			for c := range p.r {
				p.normal.SetSym(c, c, p.normal.At(c, c)+ridge*most*most)
			}
		}
		if p.chol.Factorize(p.normal) {
			return true
		}
	}
	return false
}

// direction solves Newton's equations for the residuals at hand.
func (p *interior) direction(rb *mat.VecDense, rd []float64) {
	t := mat.NewVecDense(p.k, nil)
	for j := range p.k {
		i := p.k + j
		t.SetVec(j, (p.x[j]*rd[j]-p.rc[j])/p.s[j]-(p.x[i]*rd[i]-p.rc[i])/p.s[i])
	}
	p.rhs.MulVec(p.u.T(), t)
	p.rhs.AddVec(p.rhs, rb)
	// An ill-conditioned system still gives a direction; its residual is mended at the next step.
	_ = p.chol.SolveVecTo(p.dy, p.rhs)
	t.MulVec(p.u, p.dy)
	for j := range p.k {
		i := p.k + j
		p.ds[j] = rd[j] - t.AtVec(j)
		p.ds[i] = rd[i] + t.AtVec(j)
		p.dx[j] = (p.rc[j] - p.x[j]*p.ds[j]) / p.s[j]
		p.dx[i] = (p.rc[i] - p.x[i]*p.ds[i]) / p.s[i]
	}
}

func reach(x, dx []float64) float64 { return min(1, reachAll(x, dx)) }

// reachAll is how far x + t·dx stays positive.
func reachAll(x, dx []float64) float64 {
	most := math.Inf(1)
	for i, d := range dx {
		if d < 0 {
			most = min(most, -x[i]/d)
		}
	}
	return most
}

// corner takes from the interior point the atoms that count, and computes their coefficients from
// the constraints. Where that is no solution of the same size, small entries are left as they are.
func (p *interior) corner(out *row, b []float64) {
	z, most := make([]float64, p.k), 0.0
	for j := range z {
		z[j] = p.x[j] - p.x[p.k+j]
		most = max(most, math.Abs(z[j]))
	}
	total := floats.Norm(z, 1)
	var set []int
	for j, v := range z {
		if math.Abs(v) > 1e-6*most {
			set = append(set, j)
		}
	}
	if len(set) > 0 && len(set) <= p.r && out.converged {
		a, w := mat.NewDense(p.r, len(set), nil), mat.NewVecDense(len(set), nil)
		for t, j := range set {
			a.SetCol(t, p.u.RawRowView(j))
		}
		rhs := mat.NewVecDense(p.r, b)
		if err := w.SolveVec(a, rhs); err == nil {
			var back mat.VecDense
			back.MulVec(a, w)
			back.SubVec(&back, rhs)
			if mat.Norm(&back, 2) <= 1e-9*mat.Norm(rhs, 2) && floats.Norm(w.RawVector().Data, 1) <= total*(1+1e-7) {
				out.index, out.value = set, w.RawVector().Data
				out.penalty = floats.Norm(out.value, 1)
				out.gap = 0
				if dual := mat.Dot(rhs, p.y); dual < out.penalty {
					out.gap = out.penalty - dual
				}
				return
			}
		}
	}
	for j, v := range z {
		if v != 0 {
			out.index, out.value = append(out.index, j), append(out.value, v)
		}
	}
	out.penalty = total
}
