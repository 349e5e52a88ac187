package csr

import (
	"context"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// T returns Transpose, so that a transpose too is sparse. It costs O(NNZ) a call.
func (m *Matrix) T() mat.Matrix { return m.Transpose() }

// Transpose returns the transpose.
func (m *Matrix) Transpose() *Matrix {
	t, _ := m.transpose(context.Background())
	return t
}

func (m *Matrix) transpose(ctx context.Context) (*Matrix, error) {
	t := &Matrix{Columns: m.Rows(), Start: make([]int, m.Columns+1)}
	for _, j := range m.Index {
		t.Start[j+1]++
	}
	for j := range m.Columns {
		t.Start[j+1] += t.Start[j]
	}
	if err := ctx.Err(); err != nil { // to clear memory for millions takes a while
		return nil, err
	}
	t.Index, t.Value = make([]int, len(m.Index)), make([]float64, len(m.Value))
	next := slices.Clone(t.Start)
	for i := range m.Rows() {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		columns, values := m.Of(i)
		for k, j := range columns {
			t.Index[next[j]], t.Value[next[j]] = i, values[k]
			next[j]++
		}
	}
	return t, nil
}

// Map returns the matrix whose entries are f of those of this one; where f gives 0 there is none.
// It never asks for the elements that are not stored. f is called from several goroutines.
func (m *Matrix) Map(f func(i, j int, v float64) float64) *Matrix {
	n := m.Rows()
	out := &Matrix{Columns: m.Columns, Start: m.Start, Index: m.Index, Value: make([]float64, len(m.Value))}
	zero := make([]bool, parallel.Chunks(n, chunk))
	_ = parallel.For(context.Background(), n, chunk, func(c, lo, hi int) {
		for i := lo; i < hi; i++ {
			columns, values := m.Of(i)
			_, mapped := out.Of(i)
			for k, j := range columns {
				mapped[k] = f(i, j, values[k])
				zero[c] = zero[c] || mapped[k] == 0
			}
		}
	})
	if slices.Contains(zero, true) {
		out.dropZeros()
	}
	return out
}

// dropZeros leaves out the entries that are 0; the columns may be another matrix's and are copied.
func (m *Matrix) dropZeros() {
	start := make([]int, 1, len(m.Start))
	index, value := make([]int, 0, len(m.Index)), m.Value[:0]
	for i := range m.Rows() {
		columns, values := m.Of(i)
		for k, j := range columns {
			if v := values[k]; v != 0 {
				index, value = append(index, j), append(value, v)
			}
		}
		start = append(start, len(index))
	}
	m.Start, m.Index, m.Value = start, index, value
}

// ScaleRows returns the matrix with each row multiplied by a number. The error is ml.ErrShape for a
// wrong count of numbers, and ml.ErrNotFinite.
func (m *Matrix) ScaleRows(by []float64) (*Matrix, error) {
	if err := ml.Vector("csr.Matrix.ScaleRows", "by", by, m.Rows()); err != nil {
		return nil, err
	}
	return m.Map(func(i, _ int, v float64) float64 { return v * by[i] }), nil
}

// ScaleColumns returns the matrix with each column multiplied by a number. The error is ml.ErrShape
// for a wrong count of numbers, and ml.ErrNotFinite.
func (m *Matrix) ScaleColumns(by []float64) (*Matrix, error) {
	const method = "csr.Matrix.ScaleColumns"
	if len(by) != m.Columns {
		return nil, ml.BadShape(method, "by has length %d, want %d, one a column",
			len(by), m.Columns)
	}
	if err := ml.Vector(method, "by", by, len(by)); err != nil {
		return nil, err
	}
	return m.Map(func(_, j int, v float64) float64 { return v * by[j] }), nil
}

// Symmetrize returns the symmetric matrix of f(aᵢⱼ, aⱼᵢ), for all i and j of which one at least of
// the two is stored; the other is 0 then. f must not mind the order of its arguments; where it
// gives 0, there is no entry. The mean makes a graph undirected, min keeps the edges that go both
// ways, and max those that go either way. The error is ml.ErrShape for a matrix that is not square,
// or ctx.Err(). It costs O(NNZ).
func (m *Matrix) Symmetrize(ctx context.Context, f func(a, b float64) float64) (*Matrix, error) {
	n := m.Rows()
	if m.Columns != n {
		return nil, ml.BadShape("csr.Matrix.Symmetrize", "the matrix is %d×%d, want as many columns",
			n, m.Columns)
	}
	t, err := m.transpose(ctx)
	if err != nil {
		return nil, err
	}
	s := &Matrix{Columns: n, Start: make([]int, n+1)}
	size := make([]int, n)
	err = parallel.For(ctx, n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			m.union(t, i, f, func(int, float64) { size[i]++ })
		}
	})
	if err != nil {
		return nil, err
	}
	for i, k := range size {
		s.Start[i+1] = s.Start[i] + k
	}
	s.Index = make([]int, s.Start[n])
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.Value = make([]float64, s.Start[n])
	err = parallel.For(ctx, n, chunk, func(_, lo, hi int) {
		at := s.Start[lo]
		for i := lo; i < hi; i++ {
			m.union(t, i, f, func(j int, v float64) {
				s.Index[at], s.Value[at] = j, v
				at++
			})
		}
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// union goes through row i of this matrix and of its transpose together.
func (m *Matrix) union(t *Matrix, i int, f func(a, b float64) float64, yield func(j int, v float64)) {
	x, a := m.Of(i)
	y, b := t.Of(i)
	for len(x) > 0 || len(y) > 0 {
		var j int
		var v, w float64
		switch {
		case len(y) == 0 || len(x) > 0 && x[0] < y[0]:
			j, v, x, a = x[0], a[0], x[1:], a[1:]
		case len(x) == 0 || y[0] < x[0]:
			j, w, y, b = y[0], b[0], y[1:], b[1:]
		default:
			j, v, w = x[0], a[0], b[0]
			x, a, y, b = x[1:], a[1:], y[1:], b[1:]
		}
		if u := f(v, w); u != 0 {
			yield(j, u)
		}
	}
}
