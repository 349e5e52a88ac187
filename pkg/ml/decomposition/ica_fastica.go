package decomposition

import (
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// FastICA looks for the directions of whitened data z along which they are least Gaussian, by a
// fixed-point iteration that is Newton's method in disguise (Hyvärinen, 1999):
//
//	w ← E[z g(wᵀz)] − E[g′(wᵀz)] w,    w ← w/‖w‖.
//
// All directions move at once and are made orthonormal together, W ← (WWᵀ)^−½ W, or, with
// Deflation, one after another, each kept orthogonal to those before it. It takes few steps, and
// knows no step size; but nothing holds it to raise a contrast, and where sources are of like
// shapes it can settle at a stationary point that mixes them, or circle. Picard does not.
//
// A step costs O(nk²). Sources of which two are Gaussian can't be told apart, by any method.
type FastICA struct {
	Components int        // sources to look for, in as many principal components; 0 means all in which the data vary
	Contrast   Contrast   // G; "" means LogCosh
	Deflation  bool       // find one direction after another
	MaxIter    int        // steps, with Deflation for a direction; 0 means 200
	Tol        float64    // done when 1 − |cosine| of each direction's turn is less; 0 means 1e-6, negative never
	Init       *mat.Dense // k×k, W to start from; nil means at random
	Seed       uint64
}

// Fit finds the sources of the rows of x. Loss of the model is Σ ±E[G(y)], plus for peaked and
// minus for flat sources, and Stationarity the size of its gradient along rotations; after
// Deflation, the part of that in which later directions pull at earlier ones. The error is
// ml.ErrParameter for an option out of range, ml.ErrShape for rows that are all equal, those of
// ml.Dense, and ctx.Err() with the model so far. Fewer steps than are needed are no error, but
// Converged false.
func (f FastICA) Fit(ctx context.Context, x mat.Matrix) (*ICAModel, error) {
	return ml.Last(f.Iterate(ctx, x))
}

// Iterate yields the model after every step.
func (f FastICA) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*ICAModel, error] {
	const method = "decomposition.FastICA"
	return func(yield func(*ICAModel, error) bool) {
		most, tol, err := iterationLimits(method, f.MaxIter, 200, f.Tol, 1e-6)
		if err != nil {
			yield(nil, err)
			return
		}
		c, err := f.Contrast.named(method)
		if err != nil {
			yield(nil, err)
			return
		}
		data, err := whiten(ctx, method, x, f.Components)
		if err != nil {
			yield(nil, err)
			return
		}
		k, _ := data.z.Dims()
		w, err := initialUnmixing(method, f.Init, k, f.Seed)
		if err != nil {
			yield(nil, err)
			return
		}
		run := fastICA{data, newMeasurer(c, data.z), most, tol}
		if f.Deflation {
			run.deflate(ctx, w, yield)
		} else {
			run.together(ctx, w, yield)
		}
	}
}

type fastICA struct {
	*whitened
	measure *measurer
	most    int
	tol     float64
}

// fixedPoint is a step of the fixed-point iteration for each row of w, before these are made
// orthonormal.
func fixedPoint(t *statistics, w *mat.Dense) *mat.Dense {
	next := mat.DenseCopyOf(t.cross)
	for i, c := range t.curve {
		floats.AddScaled(next.RawRowView(i), -c, w.RawRowView(i))
	}
	return next
}

// turned is 1 − |cosine| of the angle between two directions of length 1.
func turned(a, b []float64) float64 { return math.Abs(1 - math.Abs(floats.Dot(a, b))) }

func (f fastICA) together(ctx context.Context, w *mat.Dense, yield func(*ICAModel, error) bool) {
	t, err := f.measure.at(ctx, w, false)
	var last *ICAModel
	for i := 1; i <= f.most && err == nil; i++ {
		next := fixedPoint(t, w)
		if !orthonormalize(next) {
			break
		}
		moved := 0.0
		for c := range t.curve {
			moved = max(moved, turned(next.RawRowView(c), w.RawRowView(c)))
		}
		w = next
		if t, err = f.measure.at(ctx, w, false); err != nil {
			break
		}
		r := t.rotation(w, nil)
		last = f.model(w, w.T(), r.signs, [2]int{})
		last.Loss, last.Stationarity = r.loss, r.stationarity
		last.Iterations, last.Converged = i, moved < f.tol
		if !yield(last, nil) || last.Converged {
			return
		}
	}
	if err != nil {
		yield(last, err)
	}
}

// deflate yields, after each step of direction c, a model of directions 0 to c.
func (f fastICA) deflate(ctx context.Context, w *mat.Dense, yield func(*ICAModel, error) bool) {
	k, _ := w.Dims()
	var last *ICAModel
	steps, settled := 0, 0
	for c := range k {
		v := mat.DenseCopyOf(w.Slice(c, c+1, 0, k)) // 1×k
		direction := v.RawRowView(0)
		for range f.most {
			t, err := f.measure.at(ctx, v, false)
			if err != nil {
				yield(last, err)
				return
			}
			before := append([]float64(nil), direction...)
			copy(direction, fixedPoint(t, v).RawRowView(0))
			f.project(w, direction, c)
			w.SetRow(c, direction)
			moved := turned(before, direction)
			steps++
			if moved < f.tol {
				settled++
			}
			if last, err = f.found(ctx, w, c+1); err != nil {
				yield(last, err)
				return
			}
			last.Iterations, last.Converged = steps, settled == k
			if !yield(last, nil) || last.Converged {
				return
			}
			if moved < f.tol {
				break
			}
		}
	}
}

// project takes from a direction what lies along those found, twice for the sake of rounding, and
// gives it the length 1. Where nothing is left any other direction serves.
func (f fastICA) project(w *mat.Dense, v []float64, found int) {
	for try := -1; ; try++ {
		if try >= 0 {
			clear(v)
			v[try] = 1
		}
		for range 2 {
			for b := range found {
				floats.AddScaled(v, -floats.Dot(v, w.RawRowView(b)), w.RawRowView(b))
			}
		}
		if length := floats.Norm(v, 2); length > 1e-9 {
			floats.Scale(1/length, v)
			return
		}
	}
}

// found is the model of the first rows of w.
func (f fastICA) found(ctx context.Context, w *mat.Dense, rows int) (*ICAModel, error) {
	_, k := w.Dims()
	w = mat.DenseCopyOf(w.Slice(0, rows, 0, k))
	t, err := f.measure.at(ctx, w, false)
	if err != nil {
		return nil, err
	}
	r := t.rotation(w, nil)
	m := f.model(w, w.T(), r.signs, [2]int{})
	m.Loss = r.loss
	g := t.relative(w)
	for i := range rows {
		for j := i + 1; j < rows; j++ {
			m.Stationarity = max(m.Stationarity, math.Abs(g.At(i, j)))
		}
	}
	return m, nil
}
