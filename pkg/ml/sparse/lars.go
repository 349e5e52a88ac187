package sparse

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

// LARS follows the solution of the lasso, ½‖y − Dᵀz‖² + λ‖z‖₁, from the λ at which it leaves zero
// down to Lambda (Osborne, Presnell & Turlach, 2000; Efron, Hastie, Johnstone & Tibshirani, 2004).
// Between knots z is linear in λ: the products of the atoms in use with the residual stay equal in
// size. At a knot an atom joins, whose product has become as large, or one whose coefficient
// reaches 0 leaves. The path is exact.
//
// With Forward no atom ever leaves: least angle regression proper. A step costs O(K·a) with a atoms
// in use and the atoms' Gram matrix, O(Kd) without.
type LARS struct {
	Dictionary mat.Matrix // K×d, an atom a row, not 0
	Lambda     float64    // where the path ends, in units of ⟨d, y⟩; 0 is its natural end
	Forward    bool       // atoms only join
	Steps      int        // knots after the first, at most; 0 means 8·min(K, d)
}

// Path holds the lasso's solutions for n rows at the knots of λ. Those of row i are numbered
// Start[i] to Start[i+1]−1.
type Path struct {
	Start        []int
	Lambda       []float64  // of each knot, descending within a row; the first is where z leaves zero
	Coefficients csr.Matrix // knots×K
	Converged    bool       // every path has come to Lambda, or its natural end
}

func init() { ml.Register[Path]("sparse.Path") }

const larsMethod = "sparse.LARS"

// Fit follows the paths of the rows of x, n×d. The errors are those of OMP.Fit; cut off, it returns
// the paths so far, and ctx.Err().
func (l LARS) Fit(ctx context.Context, x mat.Matrix) (*Path, error) {
	s, err := check(larsMethod, l.Dictionary, x)
	if err != nil {
		return nil, err
	}
	switch {
	case !(l.Lambda >= 0) || math.IsInf(l.Lambda, 0):
		return nil, ml.BadParameter(larsMethod, "Lambda", l.Lambda, "0 or more")
	case l.Steps < 0:
		return nil, ml.BadParameter(larsMethod, "Steps", l.Steps, "0 or more")
	}
	steps := cmp.Or(l.Steps, 8*min(s.k, s.d))
	paths := make([]knots, s.n)
	end := each(ctx, s, func() *homotopy {
		return &homotopy{signals: s, q: make([]float64, s.k), slope: make([]float64, s.k), gramAt: make([]float64, s.k), state: make([]atomState, s.k), r: make([]float64, s.d)}
	}, func(h *homotopy, i int, y, corr []float64) {
		paths[i] = h.follow(ctx, y, corr, l.Lambda*s.unit*s.atoms.unit, l.Forward, steps)
	})
	p, err := s.path(paths)
	if err != nil {
		return nil, err
	}
	return p, end
}

// knots are those of one row.
type knots struct {
	lambda []float64
	z      []row
	done   bool
}

func (s *signals) path(paths []knots) (*Path, error) {
	p := &Path{Start: []int{0}, Coefficients: csr.Matrix{Columns: s.k, Start: []int{0}}, Converged: true}
	for i, path := range paths {
		for t, z := range path.z {
			z.sort()
			for u, v := range z.value {
				if v *= s.back; math.IsInf(v, 0) {
					return nil, ml.NotFinite(larsMethod, "the coefficient of row %d and atom %d is beyond the range of a float64: scale the data or the atoms", i, z.index[u])
				}
				p.Coefficients.Index, p.Coefficients.Value = append(p.Coefficients.Index, z.index[u]), append(p.Coefficients.Value, v)
			}
			p.Coefficients.Start = append(p.Coefficients.Start, len(p.Coefficients.Index))
			p.Lambda = append(p.Lambda, path.lambda[t]/s.unit/s.atoms.unit)
		}
		p.Start = append(p.Start, len(p.Lambda))
		p.Converged = p.Converged && path.done
	}
	return p, nil
}

// Of returns the knots of row i, λ and the m×K coefficients there; none where the fit was cut off
// before it came to the row.
func (p *Path) Of(i int) (lambda []float64, coefficients *mat.Dense) {
	lo, hi := p.Start[i], p.Start[i+1]
	if lo == hi {
		return nil, nil
	}
	coefficients = mat.NewDense(hi-lo, p.Coefficients.Columns, nil)
	for t := lo; t < hi; t++ {
		p.Coefficients.DoRowNonZero(t, func(_, j int, v float64) { coefficients.Set(t-lo, j, v) })
	}
	return slices.Clone(p.Lambda[lo:hi]), coefficients
}

// At returns the solutions for one λ, n×K, by interpolation between knots, which is exact. Below
// the last knot of a row they are those of that knot.
func (p *Path) At(lambda float64) (*mat.Dense, error) {
	const method = "sparse.Path.At"
	if !(lambda >= 0) || math.IsInf(lambda, 0) {
		return nil, ml.BadParameter(method, "lambda", lambda, "0 or more")
	}
	if len(p.Start) < 2 {
		return nil, ml.Empty(method, "the path has no rows")
	}
	z := mat.NewDense(len(p.Start)-1, p.Coefficients.Columns, nil)
	for i := range len(p.Start) - 1 {
		lo, hi := p.Start[i], p.Start[i+1]
		below := lo // the first knot at or below lambda
		for below < hi && p.Lambda[below] > lambda {
			below++
		}
		add := func(knot int, share float64) {
			p.Coefficients.DoRowNonZero(knot, func(_, j int, v float64) { z.Set(i, j, z.At(i, j)+share*v) })
		}
		switch {
		case below == lo: // all is zero
		case below == hi:
			add(hi-1, 1)
		default:
			share := (p.Lambda[below-1] - lambda) / (p.Lambda[below-1] - p.Lambda[below])
			add(below-1, 1-share)
			add(below, share)
		}
	}
	return z, nil
}

type atomState uint8

const (
	out atomState = iota
	in
	dependent // on atoms in use: it stays out
)

// homotopy is the memory of one path.
type homotopy struct {
	*signals
	q      []float64 // products of the atoms with the residual
	slope  []float64 // by which they fall as λ falls by one
	state  []atomState
	set    []int
	sign   []float64
	z, w   []float64 // of the atoms in use; their rise as λ falls by one
	near   []float64
	factor cholesky
	gramAt []float64
	r      []float64
}

func (h *homotopy) follow(ctx context.Context, y, corr []float64, end float64, forward bool, most int) (path knots) {
	clear(h.state)
	h.set, h.sign, h.z = h.set[:0], h.sign[:0], h.z[:0]
	h.factor.reset()
	copy(h.q, corr)
	lambda, first := 0.0, -1
	for j, v := range h.q {
		if math.Abs(v) > lambda {
			lambda, first = math.Abs(v), j
		}
	}
	top := lambda
	if first < 0 || lambda <= end {
		return knots{lambda: []float64{lambda}, z: []row{{}}, done: true}
	}
	path = knots{lambda: []float64{lambda}, z: []row{{}}}
	h.join(first)
	left := -1 // the atom that has just left
	for range most {
		if ctx.Err() != nil {
			return path
		}
		h.direction()
		// How far λ can fall: to the end, or until an atom joins or leaves.
		step, joins, leaves := lambda-end, -1, -1
		for j, state := range h.state {
			if state != out || j == left {
				continue
			}
			for _, sign := range []float64{1, -1} {
				// sign·q falls by sign·slope as λ falls by one, and meets it where they are equal.
				if rate := 1 - sign*h.slope[j]; rate > 1e-14 {
					if s := max(0, (lambda-sign*h.q[j])/rate); s < step {
						step, joins = s, j
					}
				}
			}
		}
		for t := range h.set {
			if forward || h.z[t]*h.w[t] >= 0 {
				continue
			}
			if s := -h.z[t] / h.w[t]; s < step {
				step, joins, leaves = s, -1, t
			}
		}
		for t := range h.z {
			h.z[t] += step * h.w[t]
		}
		lambda = max(lambda-step, 0)
		if leaves >= 0 {
			h.z[leaves] = 0
		}
		h.products(y, corr)
		if step > 1e-14*top || leaves < 0 && joins < 0 {
			path.lambda = append(path.lambda, lambda)
			path.z = append(path.z, row{index: slices.Clone(h.set), value: slices.Clone(h.z)})
		}
		if leaves < 0 && joins < 0 || lambda <= 1e-14*top {
			path.done = true
			return path
		}
		left = -1
		if leaves >= 0 {
			left = h.set[leaves]
			h.leave(leaves)
			if len(h.set) == 0 {
				path.done = true
				return path
			}
			continue
		}
		h.join(joins)
	}
	return path
}

// join takes atom j in, unless it depends on those in use.
func (h *homotopy) join(j int) {
	g := h.gramRow(j, h.gramAt)
	h.near = h.near[:0]
	for _, i := range h.set {
		h.near = append(h.near, g[i])
	}
	if len(h.set) == h.d || !h.factor.grow(h.near, h.norm[j]*h.norm[j]) {
		h.state[j] = dependent
		return
	}
	h.state[j] = in
	h.set, h.z, h.sign = append(h.set, j), append(h.z, 0), append(h.sign, math.Copysign(1, h.q[j]))
}

// leave takes out the atom at place t. Those that depended on it may join again.
func (h *homotopy) leave(t int) {
	h.state[h.set[t]] = out
	h.set, h.z, h.sign = slices.Delete(h.set, t, t+1), slices.Delete(h.z, t, t+1), slices.Delete(h.sign, t, t+1)
	for j, s := range h.state {
		if s == dependent {
			h.state[j] = out
		}
	}
	h.factor.of(h.atoms, h.set, h.gramAt)
}

// direction solves G w = sign for the atoms in use, and computes what it does to all products.
func (h *homotopy) direction() {
	h.w = append(h.w[:0], h.sign...)
	h.factor.solve(h.w)
	if h.atoms.gram != nil {
		clear(h.slope)
		for t, j := range h.set {
			blas.Axpy(h.w[t], h.gramRow(j, h.gramAt), h.slope)
		}
		return
	}
	clear(h.r)
	for t, j := range h.set {
		blas.Axpy(h.w[t], h.x.RawRowView(j), h.r)
	}
	blas.DotRows(h.slope, h.r, h.x.RawMatrix().Data, h.d)
}

// products computes those with the residual anew, so that rounding does not add up.
func (h *homotopy) products(y, corr []float64) {
	if h.atoms.gram == nil {
		h.residual(h.r, y, row{index: h.set, value: h.z})
		blas.DotRows(h.q, h.r, h.x.RawMatrix().Data, h.d)
		return
	}
	copy(h.q, corr)
	for t, j := range h.set {
		blas.Axpy(-h.z[t], h.gramRow(j, h.gramAt), h.q)
	}
}
