// Package csr holds sparse matrices in compressed rows: counts of words in documents, graphs,
// affinities. A Matrix is a mat.Matrix, so whatever takes one takes it; what would make a large one
// dense on the way says so instead (ml.Dense).
package csr

import (
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Matrix is a sparse matrix. Row i holds Value[k] in column Index[k] for k from Start[i] to
// Start[i+1]−1, and zeros elsewhere. Columns ascend within a row. What this package makes stores no
// zeros. The zero value is a matrix without rows and columns.
//
// As a square matrix it is a graph: the edge from i to j has the weight in row i, column j.
//
// Every method leaves its matrix unchanged, and whoever shares one between matrices or goroutines
// must do so too. A matrix put together by hand must pass Check; the other methods take that for
// granted.
type Matrix struct {
	Columns int
	Start   []int // length rows+1, from 0
	Index   []int
	Value   []float64
}

func init() { ml.Register[Matrix]("csr.Matrix") }

// Rows returns the number of rows.
func (m *Matrix) Rows() int { return max(len(m.Start)-1, 0) }

// Dims returns the numbers of rows and columns. Nil has none.
func (m *Matrix) Dims() (rows, columns int) {
	if m == nil {
		return 0, 0
	}
	return m.Rows(), m.Columns
}

// NNZ returns the number of entries that are stored.
func (m *Matrix) NNZ() int { return len(m.Index) }

// At returns the element in row i, column j, found by binary search in the row. As of any
// mat.Matrix, it panics where there is no such element.
func (m *Matrix) At(i, j int) float64 {
	if uint(i) >= uint(m.Rows()) {
		panic(mat.ErrRowAccess)
	}
	if uint(j) >= uint(m.Columns) {
		panic(mat.ErrColAccess)
	}
	columns, values := m.Of(i)
	if k, ok := slices.BinarySearch(columns, j); ok {
		return values[k]
	}
	return 0
}

// Of returns the columns in which row i has entries, ascending, and the entries. The slices share
// the matrix's memory.
func (m *Matrix) Of(i int) (columns []int, values []float64) {
	lo, hi := m.Start[i], m.Start[i+1]
	return m.Index[lo:hi:hi], m.Value[lo:hi:hi]
}

// DoRowNonZero calls f for each entry of row i, in the order of the columns (mat.RowNonZeroDoer).
func (m *Matrix) DoRowNonZero(i int, f func(i, j int, v float64)) {
	columns, values := m.Of(i)
	for k, j := range columns {
		f(i, j, values[k])
	}
}

// DoNonZero calls f for each entry, row by row (mat.NonZeroDoer).
func (m *Matrix) DoNonZero(f func(i, j int, v float64)) {
	for i := range m.Rows() {
		m.DoRowNonZero(i, f)
	}
}

// Check reports what makes a matrix that was put together by hand, or read from a file, none:
// ml.ErrShape where its slices do not fit each other, ml.ErrParameter for a column that is out of
// range or out of order, and ml.ErrNotFinite for an entry that is no finite number. It costs
// O(NNZ).
func (m *Matrix) Check(method string) error {
	n := m.Rows()
	if m.Columns < 0 {
		return ml.BadParameter(method, "Columns", m.Columns, "0 or more")
	}
	if len(m.Index) != len(m.Value) || !slices.IsSorted(m.Start) ||
		len(m.Start) > 0 && (m.Start[0] != 0 || m.Start[n] != len(m.Index)) ||
		len(m.Start) == 0 && len(m.Index) > 0 {
		return ml.BadShape(method,
			"Start, Index and Value do not fit each other: %d rows, %d columns of entries, %d entries",
			n, len(m.Index), len(m.Value))
	}
	for i := range n {
		columns, values := m.Of(i)
		before := -1
		for k, j := range columns {
			if j <= before || j >= m.Columns {
				return ml.BadParameter(method, sprintf("a column in row %d", i), j,
					sprintf("ascending columns below %d", m.Columns))
			}
			before = j
			if v := values[k]; v-v != 0 {
				return notFinite(method, i, j, v)
			}
		}
	}
	return nil
}

// Dense returns the matrix with all its zeros: 8·rows·columns bytes. It panics, as mat.NewDense
// does, where the matrix has no rows or no columns.
func (m *Matrix) Dense() *mat.Dense {
	d := mat.NewDense(m.Rows(), m.Columns, nil)
	for i := range m.Rows() {
		row := d.RawRowView(i)
		columns, values := m.Of(i)
		for k, j := range columns {
			row[j] = values[k]
		}
	}
	return d
}

func notFinite(method string, i, j int, v float64) error {
	return ml.NotFinite(method, "row %d, column %d is %v, want a finite number", i, j, v)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
