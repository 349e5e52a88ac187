package sparse

import (
	"cmp"
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// MatchingPursuit takes from the residual, step by step, what the atom that points most in its
// direction can explain (Mallat & Zhang, 1993):
//
//	j = argmax |⟨dⱼ, r⟩| / ‖dⱼ‖,   c = ⟨dⱼ, r⟩ / ‖dⱼ‖²,   zⱼ ← zⱼ + c,   r ← r − c·dⱼ.
//
// Each step takes c²‖dⱼ‖² from ‖r‖², which falls to 0 at a geometric rate where the atoms span the
// space, though never in finitely many steps unless they are orthogonal. An atom may be chosen
// again. A step costs O(K) with the atoms' Gram matrix, and O(Kd) without (see OMP).
type MatchingPursuit struct {
	Dictionary mat.Matrix // K×d, an atom a row, of any norm but 0
	Steps      int        // 0 means max(1, d/10), or 10,000 with Tol
	Tol        float64    // a row is done at a residual ‖r‖ of at most this; 0 for Steps alone
}

const matchingMethod = "sparse.MatchingPursuit"

// Fit codes the rows of x, n×d. Its errors are those of OMP.Fit.
func (m MatchingPursuit) Fit(ctx context.Context, x mat.Matrix) (*Code, error) {
	s, m, err := m.check(x)
	if err != nil {
		return nil, err
	}
	return s.pursue(ctx, matchingMethod, 16, func(p *pursuit, y, corr []float64) row { return p.matching(ctx, y, corr, m.Steps, m.Tol*s.unit) })
}

// Iterate yields the codes after one step, after two, up to Steps or until every row is done.
func (m MatchingPursuit) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Code, error] {
	return steps(func() (int, error) {
		_, m, err := m.check(x)
		return m.Steps, err
	}, func(step int) (*Code, error) {
		m := m
		m.Steps = step
		return m.Fit(ctx, x)
	})
}

func (m MatchingPursuit) check(x mat.Matrix) (*signals, MatchingPursuit, error) {
	s, err := check(matchingMethod, m.Dictionary, x)
	if err != nil {
		return nil, m, err
	}
	switch {
	case m.Steps < 0:
		return nil, m, ml.BadParameter(matchingMethod, "Steps", m.Steps, "0 or more")
	case !(m.Tol >= 0) || math.IsInf(m.Tol, 0):
		return nil, m, ml.BadParameter(matchingMethod, "Tol", m.Tol, "0 for none, or a positive number")
	case m.Tol > 0:
		m.Steps = cmp.Or(m.Steps, 10_000)
	}
	m.Steps = cmp.Or(m.Steps, max(1, s.d/10))
	return s, m, nil
}

// matching is matching pursuit of one row.
func (p *pursuit) matching(ctx context.Context, y, corr []float64, most int, tol float64) row {
	none := p.chosen // all false
	copy(p.left, corr)
	left := blas.Dot(y, y)
	stop, noise := tol*tol, 1e-28*left
	p.set, p.z = p.set[:0], p.z[:0]
	at := make(map[int]int)
	out := row{}
	for out.iterations < most && left > max(stop, noise) {
		if out.iterations%256 == 255 && ctx.Err() != nil {
			break
		}
		j := largest(p.left, p.norm, none)
		if j < 0 {
			break
		}
		c := p.left[j] / (p.norm[j] * p.norm[j])
		if t, ok := at[j]; ok {
			p.z[t] += c
		} else {
			at[j] = len(p.set)
			p.set, p.z = append(p.set, j), append(p.z, c)
		}
		out.iterations++
		left -= c * p.left[j]
		if p.atoms.gram == nil || out.iterations%32 == 0 || left < 1e-6*blas.Dot(y, y) {
			p.residual(p.r, y, row{index: p.set, value: p.z})
			left = blas.Dot(p.r, p.r)
			blas.DotRows(p.left, p.r, p.x.RawMatrix().Data, p.d)
			continue
		}
		blas.Axpy(-c, p.gramRow(j, p.gram), p.left)
	}
	out.index, out.value = append(out.index, p.set...), append(out.value, p.z...)
	out.converged = tol == 0 || left <= max(stop, noise)
	return out
}
