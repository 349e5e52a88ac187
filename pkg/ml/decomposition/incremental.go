package decomposition

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// IncrementalPCA finds principal components of rows that come a batch at a time and are not kept
// (Ross, Lim, Lin & Yang, 2008): what is known so far, k directions and their sums of squares, is
// put on top of the centered batch, with one row more for the way that the mean has gone, and
// decomposed anew. Memory is O((Components + Batch)·d) however many rows there are, and a row costs
// O((Components + Batch)·d).
//
// What falls outside of k directions is forgotten at each batch, so the result is that of PCA where
// the data have no more than k dimensions, and near to it where their variances fall off quickly.
type IncrementalPCA struct {
	Components int     // directions to keep; 0 means min(d, Batch)
	Batch      int     // rows that Fit takes at a time; 0 means 5·d, at least Components
	Divisor    Divisor // of sums of squares: "" or Sample for n−1, Population for n
}

const incrementalMethod = "decomposition.IncrementalPCA"

// Stream is an IncrementalPCA on its way. It is for one goroutine.
type Stream struct {
	p        IncrementalPCA
	k        int
	rows     int
	unit     float64 // what numbers are multiplied by, so that their squares stay in range
	mean     []float64
	squares  []float64 // of each column, about its mean
	singular []float64
	v        *mat.Dense // directions, one a row
}

// Start begins with no rows of d variables. The error is ml.ErrParameter.
func (p IncrementalPCA) Start(d int) (*Stream, error) {
	switch {
	case d < 1:
		return nil, ml.BadParameter(incrementalMethod, "d", d, "at least 1")
	case p.Components < 0 || p.Components > d:
		return nil, ml.BadParameter(incrementalMethod, "Components", p.Components, fmt.Sprintf("1 to %d, the number of columns, or 0 for all", d))
	case p.Batch < 0 || p.Batch > 0 && p.Batch < p.Components:
		return nil, ml.BadParameter(incrementalMethod, "Batch", p.Batch, fmt.Sprintf("at least Components = %d, or 0 for 5·d", p.Components))
	case p.Divisor != "" && p.Divisor != Sample && p.Divisor != Population:
		return nil, ml.BadParameter(incrementalMethod, "Divisor", fmt.Sprintf("%q", p.Divisor), `"", "sample" or "population"`)
	}
	k := p.Components
	if k == 0 {
		k = d
		if p.Batch > 0 {
			k = min(d, p.Batch)
		}
	}
	if p.Divisor == "" {
		p.Divisor = Sample
	}
	return &Stream{p: p, k: k, mean: make([]float64, d), squares: make([]float64, d)}, nil
}

// Add takes in a batch of rows, of any number. The errors are those of ml.Dense, and ml.ErrShape
// for another number of columns.
func (s *Stream) Add(ctx context.Context, batch mat.Matrix) error {
	x, err := ml.Dense(incrementalMethod, batch)
	if err != nil {
		return err
	}
	if err := ml.Columns(incrementalMethod, x, len(s.mean)); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	n, d := x.Dims()
	if s.rows == 0 {
		s.unit = scaling.Factor(scaling.MaxAbs(ctx, x))
	}
	if s.unit != 1 {
		x = mat.DenseCopyOf(x)
		x.Scale(s.unit, x)
	}
	own := make([]float64, d)
	for i := range n {
		for j, v := range x.RawRowView(i) {
			own[j] += v / float64(n)
		}
	}
	known := len(s.singular)
	stack := mat.NewDense(known+n+1, d, nil)
	for c, sigma := range s.singular {
		for j, v := range s.v.RawRowView(c) {
			stack.Set(c, j, sigma*v)
		}
	}
	for i := range n {
		row := stack.RawRowView(known + i)
		for j, v := range x.RawRowView(i) {
			row[j] = v - own[j]
			s.squares[j] += row[j] * row[j]
		}
	}
	// The two groups' means lie apart: as much square as one row between them.
	a, b := float64(s.rows), float64(n)
	between := math.Sqrt(a * b / (a + b))
	last := stack.RawRowView(known + n)
	for j := range last {
		last[j] = between * (s.mean[j] - own[j])
		s.squares[j] += last[j] * last[j]
		s.mean[j] += (own[j] - s.mean[j]) * b / (a + b)
	}
	s.rows += n
	return s.decompose(ctx, stack)
}

// decompose keeps the first k right singular vectors.
func (s *Stream) decompose(ctx context.Context, stack *mat.Dense) error {
	m := &PCAModel{}
	r, d := stack.Dims()
	k := min(s.k, d, r, s.rows) // as many directions as there can be so far
	values, err := m.bySVD(ctx, stack, k)
	if err != nil {
		return err
	}
	s.singular, s.v = values, m.Components
	return nil
}

// Model returns the components of the rows so far. The error is ml.ErrEmpty before the first.
func (s *Stream) Model() (*PCAModel, error) {
	if s.rows == 0 {
		return nil, ml.Empty(incrementalMethod, "no row has been added yet")
	}
	m := &PCAModel{Mean: make([]float64, len(s.mean)), Components: mat.DenseCopyOf(s.v), Rows: s.rows, Divisor: s.p.Divisor, Solver: SVD}
	total := 0.0
	for j, v := range s.squares {
		m.Mean[j] = s.mean[j] / s.unit
		total += v / m.Divisor.of(s.rows)
	}
	m.finish(s.singular, total, 1/s.unit, min(s.rows, len(s.mean)))
	return m, nil
}

// Fit adds the rows of x, a batch at a time, and returns the model. Errors are those of Add and
// Start.
func (p IncrementalPCA) Fit(ctx context.Context, x mat.Matrix) (*PCAModel, error) {
	return ml.Last(p.Iterate(ctx, x))
}

// Iterate adds the rows of x and yields the model after each batch.
func (p IncrementalPCA) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*PCAModel, error] {
	return func(yield func(*PCAModel, error) bool) {
		y, err := ml.Dense(incrementalMethod, x)
		if err != nil {
			yield(nil, err)
			return
		}
		n, d := y.Dims()
		s, err := p.Start(d)
		if err != nil {
			yield(nil, err)
			return
		}
		batch := p.Batch
		if batch == 0 {
			batch = max(5*d, p.Components)
		}
		for lo := 0; lo < n; lo += batch {
			var m *PCAModel
			err := s.Add(ctx, y.Slice(lo, min(lo+batch, n), 0, d))
			if err == nil {
				m, err = s.Model()
			}
			if !yield(m, err) || err != nil {
				return
			}
		}
	}
}
