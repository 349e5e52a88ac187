package sparse

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Threshold is the plainest code: of the products cⱼ = ⟨dⱼ, y⟩ / ‖dⱼ‖ with the atoms at unit norm
// those of size above Level are kept, or the Nonzero largest, and the rest is 0. Soft takes Level
// off what is kept, towards 0.
//
// For an orthonormal dictionary this is the whole of sparse coding: hard thresholding minimises
// ½‖y − Dᵀz‖² + ½Level²‖z‖₀ and soft thresholding ½‖y − Dᵀz‖² + Level·‖z‖₁. For others it counts
// what atoms have in common more than once, which Refit mends for the atoms that are chosen. It
// costs O(nKd).
type Threshold struct {
	Dictionary mat.Matrix // K×d, an atom a row, of any norm but 0
	Level      float64    // in units of the data; 0 means none, and then Nonzero counts
	Nonzero    int        // at most so many are kept; 0 means all above Level, or max(1, d/10) without one
	Soft       bool       // shrink by Level
	Refit      bool       // coefficients of the chosen atoms by least squares
}

const thresholdMethod = "sparse.Threshold"

// Fit codes the rows of x, n×d. The errors are those of OMP.Fit.
func (h Threshold) Fit(ctx context.Context, x mat.Matrix) (*Code, error) {
	s, err := check(thresholdMethod, h.Dictionary, x)
	if err != nil {
		return nil, err
	}
	switch {
	case !(h.Level >= 0) || math.IsInf(h.Level, 0):
		return nil, ml.BadParameter(thresholdMethod, "Level", h.Level, "0 for none, or a positive number")
	case h.Nonzero < 0 || h.Nonzero > s.k:
		return nil, ml.BadParameter(thresholdMethod, "Nonzero", h.Nonzero, fmt.Sprintf("1 to K = %d, or 0 for the default", s.k))
	case h.Soft && (h.Level == 0 || h.Refit):
		return nil, ml.BadParameter(thresholdMethod, "Soft", true, "a positive Level, and no Refit")
	case h.Nonzero == 0 && h.Level > 0:
		h.Nonzero = s.k
	case h.Nonzero == 0:
		h.Nonzero = min(s.k, max(1, s.d/10))
	}
	level := h.Level * s.unit
	return s.pursue(ctx, thresholdMethod, h.Nonzero, func(p *pursuit, y, corr []float64) row {
		p.set = p.set[:0]
		for j, c := range corr {
			if p.left[j] = math.Abs(c) / p.norm[j]; p.left[j] > level {
				p.set = append(p.set, j)
			}
		}
		if len(p.set) > h.Nonzero {
			slices.SortStableFunc(p.set, func(a, b int) int {
				return cmp.Compare(p.left[b], p.left[a])
			})
			p.set = p.set[:h.Nonzero]
		}
		if h.Refit {
			return p.refit(corr)
		}
		out := row{iterations: 1, converged: true}
		for _, j := range p.set {
			size := p.left[j]
			if h.Soft {
				size -= level
			}
			out.index, out.value = append(out.index, j), append(out.value, math.Copysign(size/p.norm[j], corr[j]))
		}
		return out
	})
}

// refit is least squares on the chosen atoms, less those that depend on others of them.
func (p *pursuit) refit(corr []float64) row {
	p.factor.reset()
	out := row{iterations: 1, converged: true}
	for _, j := range p.set {
		g := p.gramRow(j, p.gram)
		p.near = p.near[:0]
		for _, i := range out.index {
			p.near = append(p.near, g[i])
		}
		if p.factor.grow(p.near, p.norm[j]*p.norm[j]) {
			out.index, out.value = append(out.index, j), append(out.value, corr[j])
		}
	}
	p.factor.solve(out.value)
	return out
}
