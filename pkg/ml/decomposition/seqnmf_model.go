package decomposition

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Pattern returns sequence k, Length×d. It shares the memory of Patterns.
func (m *SeqNMFModel) Pattern(k int) *mat.Dense {
	_, d := m.Patterns.Dims()
	return m.Patterns.Slice(k*m.Length, (k+1)*m.Length, 0, d).(*mat.Dense)
}

// Inverse returns the series that activations stand for, X̂: those of a model, or of some of its
// sequences where the others' columns are 0. The errors are those of ml.Dense, and ml.ErrShape for
// another number of columns than there are sequences.
func (m *SeqNMFModel) Inverse(activations mat.Matrix) (*mat.Dense, error) {
	h, err := ml.Dense(seqMethod, activations)
	if err != nil {
		return nil, err
	}
	if _, c := h.Dims(); c != len(m.Share) {
		return nil, ml.BadShape(seqMethod, "the activations have %d columns, the model has %d sequences", c, len(m.Share))
	}
	return reconstruct(h, m.Patterns, m.Length), nil
}

// Transform returns the activations of new data with the patterns as they are, of the least error,
// by 200 multiplicative updates. The errors are those of Fit, and ml.ErrShape for another number of
// columns.
func (m *SeqNMFModel) Transform(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	f, err := m.query(x)
	if err != nil {
		return nil, err
	}
	n, _ := f.x.Dims()
	s := &seqState{h: mat.NewDense(n, len(m.Share), nil), w: mat.DenseCopyOf(m.Patterns)}
	s.w.Scale(f.unit, s.w)
	s.h.Apply(func(_, _ int, _ float64) float64 { return 1 / math.Sqrt(float64(n)) }, s.h)
	for range 200 {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		f.improveActivations(s, reconstruct(s.h, s.w, f.Length), 0)
	}
	out := mat.NewDense(f.steps, len(m.Share), nil)
	for i, at := range f.rows {
		out.SetRow(i, s.h.RawRowView(at))
	}
	return out, nil
}

// query takes new data as Fit would.
func (m *SeqNMFModel) query(x mat.Matrix) (*seqFit, error) {
	if _, _, err := ml.Size(seqMethod, x); err != nil {
		return nil, err
	}
	_, d := m.Patterns.Dims()
	if err := ml.Columns(seqMethod, x, d); err != nil {
		return nil, err
	}
	return SeqNMF{Sequences: len(m.Share), Length: m.Length}.check(x)
}

// Significance tests on data that the fit has not seen whether each sequence is one: whether its
// variables belong in that order. The overlap of a pattern with such data has a skewed distribution
// over time if the sequence recurs, with few large values. It is compared with that of patterns in
// which each variable's course is turned around by a number of steps of its own (Mackevicius et
// al., 2019). PValues are (1 + turned patterns that are at least as skewed) / (1 + turned
// patterns): with K sequences tested at once, one at most level/K is significant, which asks for
// more than K/level turned patterns. A pattern that is 0 has the p-value 1.
//
// The errors are those of Transform. It costs O(T·d·Length) for each turned pattern.
func (m *SeqNMFModel) Significance(ctx context.Context, x mat.Matrix, test SequenceTest) ([]float64, error) {
	if test.Nulls < 0 {
		return nil, ml.BadParameter(seqMethod, "Nulls", test.Nulls, "1 or more, or 0 for 500")
	}
	f, err := m.query(x)
	if err != nil {
		return nil, err
	}
	nulls := cmp.Or(test.Nulls, 500)
	skewness := func(w *mat.Dense) float64 {
		o := mat.Col(nil, 0, overlap(f.x, w, m.Length))
		if floats.Max(o) == floats.Min(o) {
			return math.Inf(-1)
		}
		return stat.Skew(o, nil)
	}
	p := make([]float64, len(m.Share))
	for k := range p {
		w := m.Pattern(k)
		largest := mat.Max(w)
		if largest == 0 {
			p[k] = 1
			continue
		}
		scaled := mat.DenseCopyOf(w) // whatever the units: skewness has none
		scaled.Scale(1/largest, scaled)
		own, reached := skewness(scaled), make([]float64, nulls)
		if err := parallel.For(ctx, nulls, 1, func(i, _, _ int) {
			r := rng.New(test.Seed, k, i)
			turned := mat.NewDense(m.Length, f.d, nil)
			for j := range f.d {
				by := r.IntN(m.Length)
				for l := range m.Length {
					turned.Set((l+by)%m.Length, j, scaled.At(l, j))
				}
			}
			if skewness(turned) >= own {
				reached[i] = 1
			}
		}); err != nil {
			return nil, err
		}
		p[k] = (1 + floats.Sum(reached)) / float64(1+nulls)
	}
	return p, nil
}

// SequenceTest says how SeqNMFModel.Significance is tested.
type SequenceTest struct {
	Nulls int // turned patterns a sequence; 0 means 500
	Seed  uint64
}

// SeqPath is what fits of SeqNMF cost as Lambda grows: the error rises and the cross term falls.
type SeqPath struct {
	Lambda, Error, CrossTerm []float64
	// Crossing is the Lambda at which both, scaled from their least to their largest value, are
	// equal. Two to five times that is a good choice where sequences do not overlap; the largest or
	// least of the path means that it should go on there.
	Crossing float64
}

// Path fits a model for each of some ascending Lambda above 0, nil for 13 from 1e-5 to 0.1.
func (s SeqNMF) Path(ctx context.Context, x mat.Matrix, lambda []float64) (*SeqPath, error) {
	if lambda == nil {
		for i := range 13 {
			lambda = append(lambda, math.Pow(10, -5+float64(i)/3))
		}
	}
	if len(lambda) < 2 {
		return nil, ml.BadParameter(seqMethod, "the number of Lambda", len(lambda), "2 or more")
	}
	p := &SeqPath{}
	for i, l := range lambda {
		if !(l > 0) || i > 0 && l <= lambda[i-1] {
			return nil, ml.BadParameter(seqMethod, fmt.Sprintf("Lambda %d", i), l, "more than 0 and ascending")
		}
		s.Lambda = l
		m, err := s.Fit(ctx, x)
		if err != nil {
			return nil, err
		}
		p.Lambda, p.Error, p.CrossTerm = append(p.Lambda, l), append(p.Error, m.Error), append(p.CrossTerm, m.CrossTerm)
	}
	p.Crossing = p.crossing()
	return p, nil
}

// crossing is the first at which the error has come to more of its range than the cross term.
func (p *SeqPath) crossing() float64 {
	share := func(v []float64, i int) float64 {
		lo, hi := floats.Min(v), floats.Max(v)
		if hi == lo {
			return 0
		}
		return (v[i] - lo) / (hi - lo)
	}
	gap := func(i int) float64 { return share(p.Error, i) - share(p.CrossTerm, i) }
	for i := range p.Lambda {
		if here := gap(i); here >= 0 {
			if i == 0 {
				return p.Lambda[0]
			}
			before := gap(i - 1)
			a, b := math.Log(p.Lambda[i-1]), math.Log(p.Lambda[i])
			return math.Exp(a + (b-a)*before/(before-here))
		}
	}
	return p.Lambda[len(p.Lambda)-1]
}
