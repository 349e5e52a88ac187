package decomposition

import (
	"context"
	"math"
	"slices"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// unmixing is an unmixing matrix of whitened signals and what is known there. Gradients are
// relative, of the loss of (I + D)W or exp(D)W by D at 0, k×k.
type unmixing struct {
	w            *mat.Dense
	signs        []float64 // those in the loss
	wanted       []float64 // those that the signals ask for
	loss         float64
	gradient     *mat.Dense
	stationarity float64 // largest entry of the gradient
	rotation     rotation
	outer        *mat.Dense
}

// descent is a quasi-Newton method for matrices with a relative gradient (L-BFGS, Nocedal, 1980),
// which begins from the inverse of an approximate Hessian rather than from a multiple of the
// identity (Ablin, Cardoso & Gramfort, 2018).
type descent struct {
	// evaluate judges an unmixing matrix. Signs may be nil: then it chooses them.
	evaluate func(ctx context.Context, w *mat.Dense, signs []float64) (*unmixing, error)
	// precondition divides by the approximate Hessian of a point; nil stands for a multiple of the
	// identity, which the last step tells.
	precondition func(p *unmixing, q *mat.Dense) *mat.Dense
	// taken hears by what share of its direction each step went; it may be nil.
	taken func(share float64)
	// enough is the share of the fall that the slope promises which a step must bring: with 1/2 a
	// step is no longer than one over the curvature, and does not swing from side to side.
	enough float64
	rotate bool // W moves to exp(D)W, else to (I + D)W
	memory int  // pairs of step and change of the gradient that are remembered
	most   int
	tol    float64
}

type curvaturePair struct {
	step, change []float64
	inverse      float64 // 1/(step·change)
}

// halvings is how often a step is halved before it is given up.
const halvings = 10

// run goes down from w, and calls each after every step, until that returns false. The result is
// the last point, and whether its gradient came below the tolerance.
func (d descent) run(ctx context.Context, w *mat.Dense, each func(p *unmixing, iteration int, converged bool) bool) (*unmixing, bool, error) {
	p, err := d.evaluate(ctx, w, nil)
	if err != nil {
		return nil, false, err
	}
	var memory []curvaturePair
	for i := 1; i <= d.most && p.stationarity > d.tol; i++ {
		direction := d.direction(p, memory)
		next, taken, err := d.search(ctx, p, direction)
		if next == nil && err == nil && len(memory) > 0 {
			// Curvature that is out of date: forget it, and try the gradient.
			memory = nil
			next, taken, err = d.search(ctx, p, d.direction(p, nil))
		}
		if err != nil {
			return p, false, err
		}
		if next == nil {
			break // nothing is lower, within rounding
		}
		// A source may have changed sides, which changes the loss: what was learned of its
		// curvature is of no use then.
		if slices.Equal(next.wanted, next.signs) {
			memory = remember(memory, d.memory, taken, p.gradient, next.gradient)
		} else if next, err = d.evaluate(ctx, next.w, nil); err != nil {
			return p, false, err
		} else {
			memory = nil
		}
		p = next
		if !each(p, i, p.stationarity <= d.tol) {
			break
		}
	}
	return p, p.stationarity <= d.tol, nil
}

func remember(memory []curvaturePair, most int, step, before, after *mat.Dense) []curvaturePair {
	var change mat.Dense
	change.Sub(after, before)
	s, c := step.RawMatrix().Data, change.RawMatrix().Data
	along := floats.Dot(s, c)
	if !(along > 1e-300) { // no curvature to learn from
		return memory
	}
	memory = append(memory, curvaturePair{s, c, 1 / along})
	return memory[max(0, len(memory)-most):]
}

// direction is minus the gradient over the Hessian, as the memory tells it.
func (d descent) direction(p *unmixing, memory []curvaturePair) *mat.Dense {
	q := mat.DenseCopyOf(p.gradient)
	raw, weights := q.RawMatrix().Data, make([]float64, len(memory))
	for i, m := range slices.Backward(memory) {
		weights[i] = m.inverse * floats.Dot(m.step, raw)
		floats.AddScaled(raw, -weights[i], m.change)
	}
	z := q
	switch {
	case d.precondition != nil:
		z = d.precondition(p, q)
	case len(memory) > 0:
		last := memory[len(memory)-1]
		z.Scale(1/(last.inverse*floats.Dot(last.change, last.change)), z)
	}
	out := z.RawMatrix().Data
	for i, m := range memory {
		floats.AddScaled(out, weights[i]-m.inverse*floats.Dot(m.change, out), m.step)
	}
	z.Scale(-1, z)
	return z
}

// search halves a step until the loss falls, or, where that is a matter of rounding, the gradient.
// It returns nil where it does not.
func (d descent) search(ctx context.Context, p *unmixing, direction *mat.Dense) (next *unmixing, taken *mat.Dense, err error) {
	k, _ := p.w.Dims()
	taken = mat.DenseCopyOf(direction)
	share := 1.0
	for range halvings {
		transform := mat.NewDense(k, k, nil)
		if d.rotate {
			transform.Exp(taken)
		} else {
			transform.Copy(taken)
			for i := range k {
				transform.Set(i, i, transform.At(i, i)+1)
			}
		}
		w := mat.NewDense(k, k, nil)
		w.Mul(transform, p.w)
		if next, err = d.evaluate(ctx, w, p.signs); err != nil {
			return nil, nil, err
		}
		flat := math.Abs(next.loss-p.loss) <= 1e-13*(1+math.Abs(p.loss))
		promised := floats.Dot(p.gradient.RawMatrix().Data, taken.RawMatrix().Data) // below 0
		if next.loss < p.loss && next.loss <= p.loss+d.enough*promised || flat && next.stationarity < p.stationarity {
			if d.taken != nil {
				d.taken(share)
			}
			return next, taken, nil
		}
		taken.Scale(0.5, taken)
		share /= 2
	}
	return nil, nil, nil
}
