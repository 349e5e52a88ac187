package csr

import (
	"context"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Mul returns the product A·B with a matrix that is dense, or made so; its error is ml.ErrShape. It
// costs O(NNZ·w) for w columns of B.
func (m *Matrix) Mul(b mat.Matrix) (*mat.Dense, error) {
	dense, err := m.factor("csr.Matrix.Mul", b, m.Columns, m.Rows())
	if err != nil {
		return nil, err
	}
	_, w := dense.Dims()
	out := mat.NewDense(m.Rows(), w, nil)
	m.MulTo(out.RawMatrix().Data, dense.RawMatrix().Data, w)
	return out, nil
}

// TMul returns the product Aᵀ·B of the transpose. It costs what Transpose and Mul cost: whoever
// needs more than one product keeps the transpose.
func (m *Matrix) TMul(b mat.Matrix) (*mat.Dense, error) {
	dense, err := m.factor("csr.Matrix.TMul", b, m.Rows(), m.Columns)
	if err != nil {
		return nil, err
	}
	return m.Transpose().Mul(dense)
}

// factor checks the other factor of a product, which must have n rows; its result will have r.
func (m *Matrix) factor(method string, b mat.Matrix, n, r int) (*mat.Dense, error) {
	rows, w, err := ml.Size(method, b)
	if err != nil {
		return nil, err
	}
	if rows != n {
		return nil, ml.BadShape(method, "the other matrix has %d rows, want %d", rows, n)
	}
	if n == 0 || r == 0 {
		return nil, ml.Empty(method, "the matrix is %d×%d, want at least one row and one column",
			m.Rows(), m.Columns)
	}
	dense, ok := b.(*mat.Dense)
	if !ok || dense.RawMatrix().Stride != w {
		dense = mat.DenseCopyOf(b)
	}
	return dense, nil
}

// MulTo sets dst to the product with the columns×width matrix src, both row by row and without
// gaps: what an iteration needs that keeps its memory. Lengths that do not fit make it panic.
func (m *Matrix) MulTo(dst, src []float64, width int) {
	_ = parallel.For(context.Background(), m.Rows(), chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := dst[i*width : (i+1)*width]
			columns, values := m.Of(i)
			if width == 1 {
				sum := 0.0
				for k, j := range columns {
					sum += values[k] * src[j]
				}
				row[0] = sum
				continue
			}
			clear(row)
			for k, j := range columns {
				blas.Axpy(values[k], src[j*width:(j+1)*width], row)
			}
		}
	})
}

// Gram returns AᵀA, the inner products of the columns, as a dense matrix. It costs O(Σ nᵢ²) for nᵢ
// entries in row i. The error is ml.ErrShape for more than 2¹⁵ columns, whose products take 8 GiB.
func (m *Matrix) Gram() (*mat.SymDense, error) {
	const method, most = "csr.Matrix.Gram", 1 << 15
	d := m.Columns
	if d == 0 || m.Rows() == 0 {
		return nil, ml.Empty(method, "the matrix is %d×%d, want at least one row and one column",
			m.Rows(), d)
	}
	if d > most {
		return nil, ml.BadShape(method, "%d columns have a table of products of %.0f GiB, "+
			"want at most %d columns", d, float64(d)*float64(d)*8/(1<<30), most)
	}
	products := make([]float64, d*d)
	t := m.Transpose()
	_ = parallel.For(context.Background(), d, 16, func(_, lo, hi int) {
		for j := lo; j < hi; j++ {
			out := products[j*d : (j+1)*d]
			rows, values := t.Of(j)
			for k, i := range rows {
				columns, others := m.Of(i)
				for l := len(columns) - 1; l >= 0 && columns[l] >= j; l-- {
					out[columns[l]] += values[k] * others[l]
				}
			}
		}
	})
	for j := range d {
		for l := range j {
			products[j*d+l] = products[l*d+j]
		}
	}
	return mat.NewSymDense(d, products), nil
}

// RowSums returns the sum of each row; of a graph, the degrees.
func (m *Matrix) RowSums() []float64 {
	sums := make([]float64, m.Rows())
	for i := range sums {
		_, values := m.Of(i)
		for _, v := range values {
			sums[i] += v
		}
	}
	return sums
}

// ColumnSums returns the sum of each column.
func (m *Matrix) ColumnSums() []float64 {
	sums := make([]float64, m.Columns)
	for k, j := range m.Index {
		sums[j] += m.Value[k]
	}
	return sums
}
