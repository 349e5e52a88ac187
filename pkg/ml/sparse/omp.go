package sparse

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// OMP is orthogonal matching pursuit (Pati, Rezaiifar & Krishnaprasad, 1993). Each step adds the
// atom that points most in the direction of the residual,
//
//	j = argmax |⟨dⱼ, r⟩| / ‖dⱼ‖,
//
// and sets the coefficients of all chosen atoms anew by least squares, so that the residual is
// orthogonal to each of them. No atom is chosen twice, and none that depends on those chosen.
//
// It is the batch algorithm of Rubinstein, Zibulevsky & Elad (2008): with the atoms' Gram matrix
// made once, a step updates ⟨dⱼ, r⟩ from the coefficients alone, and a Cholesky factor grows by a
// row. Of n rows, k steps cost O(K²d + n(Kd + k²K)). A dictionary of more than 4,096 atoms, or one
// of many more atoms than there are rows, has no Gram matrix made; a step then costs O(Kd).
type OMP struct {
	Dictionary mat.Matrix // K×d, an atom a row, of any norm but 0
	Nonzero    int        // atoms that a row may use; 0 means max(1, d/10), or min(K, d) with Tol
	Tol        float64    // a row is done at a residual ‖r‖ of at most this; 0 for Nonzero alone
}

const ompMethod = "sparse.OMP"

// Fit codes the rows of x, n×d. Converged says that each row has reached Tol, or used Nonzero atoms
// where there is none. The error is ml.ErrParameter for an option out of range or an atom of zeros,
// ml.ErrShape for a dictionary of other columns, the errors of ml.Dense, and ctx.Err().
func (o OMP) Fit(ctx context.Context, x mat.Matrix) (*Code, error) {
	s, o, err := o.check(x)
	if err != nil {
		return nil, err
	}
	return s.pursue(ctx, ompMethod, o.Nonzero, func(p *pursuit, y, corr []float64) row { return p.orthogonal(y, corr, o.Nonzero, o.Tol*s.unit) })
}

// Iterate yields the codes with one atom, with two, up to Nonzero or until every row is done.
func (o OMP) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Code, error] {
	return steps(func() (int, error) {
		_, o, err := o.check(x)
		return o.Nonzero, err
	}, func(nonzero int) (*Code, error) {
		o := o
		o.Nonzero = nonzero
		return o.Fit(ctx, x)
	})
}

func (o OMP) check(x mat.Matrix) (*signals, OMP, error) {
	s, err := check(ompMethod, o.Dictionary, x)
	if err != nil {
		return nil, o, err
	}
	o.Nonzero, err = checkPursuit(ompMethod, s, o.Nonzero, o.Tol, min(s.k, s.d))
	return s, o, err
}

// checkPursuit fills in the number of steps.
func checkPursuit(method string, s *signals, nonzero int, tol float64, most int) (int, error) {
	switch {
	case nonzero < 0 || nonzero > most:
		return 0, ml.BadParameter(method, "Nonzero", nonzero, fmt.Sprintf("1 to %d, or 0 for the default", most))
	case !(tol >= 0) || math.IsInf(tol, 0):
		return 0, ml.BadParameter(method, "Tol", tol, "0 for none, or a positive number")
	case nonzero == 0 && tol > 0:
		return most, nil
	}
	return cmp.Or(nonzero, min(most, max(1, s.d/10))), nil
}

// steps yields the codes of 1, 2, … steps of a greedy method, each of which begins as the next one
// does, until they converge.
func steps(most func() (int, error), fit func(step int) (*Code, error)) iter.Seq2[*Code, error] {
	return func(yield func(*Code, error) bool) {
		n, err := most()
		if err != nil {
			yield(nil, err)
			return
		}
		for step := 1; step <= n; step++ {
			c, err := fit(step)
			if !yield(c, err) || err != nil || c.Iterations < step {
				return
			}
		}
	}
}

// pursuit is the memory of a greedy method.
type pursuit struct {
	*signals
	chosen []bool
	set    []int
	factor cholesky
	z      []float64
	left   []float64 // of the products with the residual
	near   []float64
	gram   []float64 // a row of it
	r      []float64
}

func (s *signals) pursuit(most int) *pursuit {
	return &pursuit{signals: s, chosen: make([]bool, s.k), z: make([]float64, 0, most), left: make([]float64, s.k), near: make([]float64, 0, most),
		gram: make([]float64, s.k), r: make([]float64, s.d)}
}

// pursue codes all rows.
func (s *signals) pursue(ctx context.Context, method string, most int, code func(p *pursuit, y, corr []float64) row) (*Code, error) {
	rows := make([]row, s.n)
	err := each(ctx, s, func() *pursuit { return s.pursuit(most) }, func(p *pursuit, i int, y, corr []float64) { rows[i] = code(p, y, corr) })
	c, broken := s.code(ctx, method, rows, true)
	if broken != nil {
		return nil, broken
	}
	return c, err
}

// orthogonal is OMP of one row.
func (p *pursuit) orthogonal(y, corr []float64, most int, tol float64) row {
	square := blas.Dot(y, y)
	stop, noise := tol*tol, 1e-28*square // below which the residual is rounding
	p.set, p.z = p.set[:0], p.z[:0]
	p.factor.reset()
	copy(p.left, corr)
	left := square
	out := row{converged: true}
	var skipped []int
	for len(p.set) < most && left > max(stop, noise) {
		j := largest(p.left, p.norm, p.chosen)
		if j < 0 {
			break
		}
		p.chosen[j] = true
		g := p.gramRow(j, p.gram)
		p.near = p.near[:0]
		for _, i := range p.set {
			p.near = append(p.near, g[i])
		}
		if !p.factor.grow(p.near, p.norm[j]*p.norm[j]) {
			skipped = append(skipped, j)
			continue
		}
		p.set = append(p.set, j)
		p.z = p.z[:0]
		for _, i := range p.set {
			p.z = append(p.z, corr[i])
		}
		p.factor.solve(p.z)
		left = square
		for t, i := range p.set {
			left -= p.z[t] * corr[i]
		}
		// By differences of squares the residual is known to some 1e-16 of ‖y‖² only.
		precise := left < 1e-6*square
		if precise || p.atoms.gram == nil {
			p.residual(p.r, y, row{index: p.set, value: p.z})
			left = blas.Dot(p.r, p.r)
			blas.DotRows(p.left, p.r, p.x.RawMatrix().Data, p.d)
			continue
		}
		if len(p.set) == most {
			break
		}
		copy(p.left, corr)
		for t, i := range p.set {
			blas.Axpy(-p.z[t], p.gramRow(i, p.gram), p.left)
		}
	}
	for _, j := range p.set {
		p.chosen[j] = false
	}
	for _, j := range skipped {
		p.chosen[j] = false
	}
	out.index, out.value = append(out.index, p.set...), append(out.value, p.z...)
	out.iterations = len(p.set)
	out.converged = tol == 0 || left <= max(stop, noise)
	return out
}
