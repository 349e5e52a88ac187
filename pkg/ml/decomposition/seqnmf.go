package decomposition

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// SeqNMF finds sequences that recur in a series of T steps of d variables without negative entries
// (Mackevicius et al., 2019). Each of K sequences is a pattern of Length steps of all variables,
// and each has an activation at every step, which says how strongly the sequence begins there:
//
//	x̂(t) = Σ_k Σ_ℓ H(t−ℓ, k)·W_k(ℓ),   W ≥ 0, H ≥ 0,
//
// convolutional NMF (Smaragdis, 2004). Alone it may cut a sequence up among several patterns, or
// use several where one is. What is minimised is therefore
//
//	½‖X − X̂‖² + Lambda·Σ_{i≠j} Σ_t Σ_{|t−s|<Length} (W_i ⋆ X)(t)·H(s, j),
//
// where (W ⋆ X)(t) = Σ_ℓ W(ℓ)·x(t+ℓ) is the overlap of a pattern with the data: a pattern must not
// fit where another is active. Activations are kept at the norm 1, each sequence's. With Length 1
// and Lambda 0 this is NMF with multiplicative updates.
//
// A step multiplies activations, then patterns, by ratios as Multiplicative of NMF does, and moves
// each pattern to the middle of its window. Of the last step Lambda is 0, so that sizes are those
// that fit best. A step costs O(T·d·K·Length).
type SeqNMF struct {
	Sequences int     // K; 0 means 1
	Length    int     // steps of a pattern; 0 means 10
	Lambda    float64 // of the penalty; 0 means none. SeqNMF.Path helps to choose
	Restarts  int     // fits from random starts, of which the one of the least loss is kept; 0 means 1
	MaxIter   int     // of each; 0 means 100
	// Tol ends a fit when a step changes the error by less than this part of it; 0 means 1e-4,
	// negative never.
	Tol  float64
	Seed uint64
}

// SeqNMFModel is a fitted SeqNMF. Sequences are in the order of their shares.
type SeqNMFModel struct {
	Patterns    *mat.Dense // (K·Length)×d: row k·Length+ℓ is step ℓ of sequence k
	Activations *mat.Dense // T×K
	Length      int
	Loss        float64   // with the penalty
	Error       float64   // ‖X − X̂‖
	Explained   float64   // the share of ‖X‖² that X̂ explains
	Share       []float64 // of that, of each sequence by itself
	// CrossTerm is the sum that Lambda multiplies.
	CrossTerm  float64
	Iterations int
	Converged  bool
}

func init() { ml.Register[SeqNMFModel]("decomposition.SeqNMFModel") }

const seqMethod = "decomposition.SeqNMF"

// seqFit is a fit in units in which the largest entry is between 1/2 and 1. Trials stand one behind
// the other, with Length steps of zeros before, between and behind them, so that no sequence
// reaches from one into the next.
type seqFit struct {
	SeqNMF
	steps, d int
	rows     []int      // where in x each step of the data is
	x        *mat.Dense // the padded series
	smooth   *mat.Dense // x, added up over 2·Length−1 steps
	unit     float64
	square   float64
}

// seqState is a solution: activations of the norm 1 each, and patterns that have the size.
type seqState struct {
	h, w, fit   *mat.Dense // steps×K, (K·Length)×d, and X̂
	error, loss float64    // ‖X − X̂‖, and with the penalty
	cross       float64
	step        int
	converged   bool
}

// Fit returns the best model of Restarts fits. Of *trials.Trials no sequence reaches beyond a
// trial. The error is ml.ErrParameter for a negative entry, with its row and column, or an option
// out of range; ml.ErrNotFinite for a value that is missing; the errors of trials.Of; and
// ctx.Err(), along with the best model so far.
func (s SeqNMF) Fit(ctx context.Context, x mat.Matrix) (*SeqNMFModel, error) {
	f, err := s.check(x)
	if err != nil {
		return nil, err
	}
	return bestOf(ctx, f, s.Restarts, func(m *SeqNMFModel) float64 { return m.Loss })
}

// Iterate yields the model of the first start, and after each step from there; each is a fresh
// value. The loss falls, but where patterns are moved to the middle, and at the last step, which
// has no penalty.
func (s SeqNMF) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*SeqNMFModel, error] {
	return modelsOf(ctx, s.check, x)
}

func (s SeqNMF) check(x mat.Matrix) (*seqFit, error) {
	s.Sequences, s.Length, s.MaxIter = cmp.Or(s.Sequences, 1), cmp.Or(s.Length, 10), cmp.Or(s.MaxIter, 100)
	s.Tol = cmp.Or(s.Tol, 1e-4)
	bad := func(name string, value any, want string) (*seqFit, error) {
		return nil, ml.BadParameter(seqMethod, name, value, want)
	}
	switch {
	case s.Sequences < 1:
		return bad("Sequences", s.Sequences, "1 or more, or 0 for 1")
	case s.Length < 1:
		return bad("Length", s.Length, "1 or more, or 0 for 10")
	case !(s.Lambda >= 0) || math.IsInf(s.Lambda, 0):
		return bad("Lambda", s.Lambda, "0 or more")
	case s.Restarts < 0:
		return bad("Restarts", s.Restarts, "1 or more, or 0 for 1")
	case s.MaxIter < 1:
		return bad("MaxIter", s.MaxIter, "1 or more, or 0 for 100")
	case math.IsNaN(s.Tol) || math.IsInf(s.Tol, 0):
		return bad("Tol", s.Tol, "a positive number, 0 for 1e-4, or a negative one for never")
	}
	f := &seqFit{SeqNMF: s}
	return f, f.take(x)
}

// take checks and pads data.
func (f *seqFit) take(x mat.Matrix) error {
	if _, ok := x.(*trials.Trials); !ok {
		dense, err := ml.Dense(seqMethod, x) // whose errors name row and column
		if err != nil {
			return err
		}
		x = dense
	}
	t, err := trials.Of(seqMethod, x)
	if err != nil {
		return err
	}
	if err := t.Complete(seqMethod); err != nil {
		return err
	}
	f.steps, f.d = t.Dims()
	most := 0.0
	for i := range f.steps {
		for j, v := range t.X.RawRowView(i) {
			if v < 0 {
				return nonNegative(seqMethod, i, j, v)
			}
			most = max(most, v)
		}
	}
	f.unit = scaling.PowerOfTwo(most)
	f.rows = f.rows[:0]
	f.x = mat.NewDense(f.steps+f.Length*(t.Len()+1), f.d, nil)
	for k := range t.Len() {
		for i := t.Start[k]; i < t.Start[k+1]; i++ {
			to := i + f.Length*(k+1)
			f.rows = append(f.rows, to)
			for j, v := range t.X.RawRowView(i) {
				f.x.Set(to, j, v*f.unit)
			}
		}
	}
	f.square = floats.Dot(f.x.RawMatrix().Data, f.x.RawMatrix().Data)
	f.smooth = smoothed(f.x, f.Length)
	return nil
}

// smoothed adds up each column over the steps nearer than length to each step.
func smoothed(x *mat.Dense, length int) *mat.Dense {
	n, d := x.Dims()
	out := mat.NewDense(n, d, nil)
	// Sums over blocks that begin anew every length steps: one up to the step, one from it on. No
	// numbers are taken away again, so nothing is left of large ones that have passed.
	up, down := mat.NewDense(n, d, nil), mat.NewDense(n, d, nil)
	window := 2*length - 1
	for i := range n {
		copy(up.RawRowView(i), x.RawRowView(i))
		if i%window != 0 {
			floats.Add(up.RawRowView(i), up.RawRowView(i-1))
		}
	}
	for i := n - 1; i >= 0; i-- {
		copy(down.RawRowView(i), x.RawRowView(i))
		if (i+1)%window != 0 && i+1 < n {
			floats.Add(down.RawRowView(i), down.RawRowView(i+1))
		}
	}
	for i := range n {
		lo, hi := i-length+1, i+length-1
		row := out.RawRowView(i)
		if lo >= 0 {
			copy(row, down.RawRowView(lo))
			if lo%window == 0 { // the block is the window
				continue
			}
		}
		if hi < n {
			floats.Add(row, up.RawRowView(hi))
		} else if last := n - 1; lo < 0 || last/window > lo/window {
			floats.Add(row, up.RawRowView(last))
		}
	}
	return out
}

// start is random: activations of any size, patterns alike on average.
func (f *seqFit) start(restart int) *seqState {
	r := rng.New(f.Seed, restart)
	n, _ := f.x.Dims()
	s := &seqState{h: mat.NewDense(n, f.Sequences, nil), w: mat.NewDense(f.Sequences*f.Length, f.d, nil)}
	most := mat.Max(f.x)
	s.w.Apply(func(_, _ int, _ float64) float64 { return most * r.Float64() }, s.w)
	s.h.Apply(func(_, _ int, _ float64) float64 { return most * r.Float64() / math.Sqrt(float64(n)/3) }, s.h)
	f.normalize(s)
	f.judge(s)
	return s
}

func (f *seqFit) iterate(ctx context.Context, restart int) iter.Seq2[*seqState, error] {
	return func(yield func(*seqState, error) bool) {
		if ctx.Err() != nil {
			return
		}
		s := f.start(restart)
		if !yield(s, nil) {
			return
		}
		for last := false; !last && ctx.Err() == nil; {
			last = s.step+1 >= f.MaxIter || s.converged
			lambda := f.Lambda
			if last {
				lambda = 0
			}
			before := s.error
			s = f.improve(s, lambda)
			s.converged = last && s.step < f.MaxIter || !last && f.Tol > 0 && math.Abs(before-s.error) <= f.Tol*before
			if s.error <= 1e-12*math.Sqrt(f.square) {
				s.converged = true
			}
			if !yield(s, nil) {
				return
			}
		}
	}
}

// model is a solution without the padding, in the caller's units.
func (f *seqFit) model(s *seqState) (*SeqNMFModel, error) {
	k := f.Sequences
	m := &SeqNMFModel{Patterns: mat.NewDense(k*f.Length, f.d, nil), Activations: mat.NewDense(f.steps, k, nil), Length: f.Length,
		Share: make([]float64, k), Iterations: s.step, Converged: s.converged, CrossTerm: s.cross / f.unit / f.unit, Loss: s.loss / f.unit / f.unit}
	// What begins before a trial is left out with the padding.
	h := mat.NewDense(s.h.RawMatrix().Rows, k, nil)
	for _, at := range f.rows {
		copy(h.RawRowView(at), s.h.RawRowView(at))
	}
	explained := func(fit *mat.Dense) (share, left float64) {
		for _, at := range f.rows {
			left += sqDistance(f.x.RawRowView(at), fit.RawRowView(at))
		}
		if f.square == 0 {
			return 1, left
		}
		return 1 - left/f.square, left
	}
	share, left := explained(reconstruct(h, s.w, f.Length))
	m.Explained, m.Error = share, math.Sqrt(left)/f.unit
	alone, order := make([]float64, k), make([]int, k)
	for c := range k {
		order[c] = c
		one := mat.NewDense(h.RawMatrix().Rows, 1, mat.Col(nil, c, h))
		alone[c], _ = explained(reconstruct(one, s.w.Slice(c*f.Length, (c+1)*f.Length, 0, f.d).(*mat.Dense), f.Length))
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(alone[b], alone[a]) })
	for to, c := range order {
		m.Share[to] = alone[c]
		for l := range f.Length {
			for j, v := range s.w.RawRowView(c*f.Length + l) {
				m.Patterns.Set(to*f.Length+l, j, v/f.unit)
			}
		}
		for i, at := range f.rows {
			m.Activations.Set(i, to, h.At(at, c))
		}
	}
	if math.IsInf(m.Loss, 0) {
		return nil, ml.NotFinite(seqMethod, "the loss is beyond the range of a float64: scale the data")
	}
	return m, nil
}

func sqDistance(a, b []float64) (sum float64) {
	for i, v := range a {
		sum += (v - b[i]) * (v - b[i])
	}
	return sum
}
