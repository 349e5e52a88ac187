package csr

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// chunk is how many rows a task takes.
const chunk = 512

// FromTriplets makes a rows×columns matrix of entries in any order: v[k] in row i[k], column j[k].
// A nil v means 1 each, so that places are counted. Entries at one place are added, in their order.
// The errors are ml.ErrEmpty for a matrix without rows or columns, ml.ErrShape for slices of
// different lengths, ml.ErrParameter for a place outside of the matrix, and ml.ErrNotFinite for an
// entry, or a sum of entries, that is no finite number.
func FromTriplets(rows, columns int, i, j []int, v []float64) (*Matrix, error) {
	const method = "csr.FromTriplets"
	if rows < 1 || columns < 1 {
		return nil, ml.Empty(method, "the matrix is %d×%d, want at least one row and one column",
			rows, columns)
	}
	if len(i) != len(j) || v != nil && len(v) != len(i) {
		return nil, ml.BadShape(method, "there are %d rows, %d columns and %d values, want as many",
			len(i), len(j), len(v))
	}
	m := &Matrix{Columns: columns, Start: make([]int, rows+1)}
	for k, r := range i {
		if r < 0 || r >= rows {
			return nil, ml.BadParameter(method, sprintf("i[%d]", k), r, sprintf("0 to %d", rows-1))
		}
		m.Start[r+1]++
	}
	for r := range rows {
		m.Start[r+1] += m.Start[r]
	}
	m.Index, m.Value = make([]int, len(i)), make([]float64, len(i))
	next := slices.Clone(m.Start)
	for k, r := range i {
		at := next[r]
		next[r]++
		m.Index[at], m.Value[at] = j[k], 1
		if v != nil {
			m.Value[at] = v[k]
		}
	}
	return m, m.tidy(method)
}

// FromRows makes a matrix of its rows: row i has value[i][k] in column index[i][k], in any order. A
// nil value means 1 each: rows of words by number become counts. The errors are those of
// FromTriplets.
func FromRows(columns int, index [][]int, value [][]float64) (*Matrix, error) {
	const method = "csr.FromRows"
	if len(index) == 0 || columns < 1 {
		return nil, ml.Empty(method, "the matrix is %d×%d, want at least one row and one column",
			len(index), columns)
	}
	if value != nil && len(value) != len(index) {
		return nil, ml.BadShape(method, "there are %d rows of columns and %d of values, want as many",
			len(index), len(value))
	}
	m := &Matrix{Columns: columns, Start: make([]int, 1, len(index)+1)}
	for i, row := range index {
		m.Index = append(m.Index, row...)
		m.Start = append(m.Start, len(m.Index))
		if value == nil {
			m.Value = append(m.Value, slices.Repeat([]float64{1}, len(row))...)
			continue
		}
		if len(value[i]) != len(row) {
			return nil, ml.BadShape(method, "row %d has %d columns and %d values, want as many",
				i, len(row), len(value[i]))
		}
		m.Value = append(m.Value, value[i]...)
	}
	return m, m.tidy(method)
}

// FromDense keeps what differs from 0 in a matrix of any kind. The errors are those of ml.EachRow.
func FromDense(x mat.Matrix) (*Matrix, error) {
	m := &Matrix{Start: []int{0}}
	err := ml.EachRow("csr.FromDense", x, func(_ int, row []float64) error {
		for j, v := range row {
			if v != 0 {
				m.Index, m.Value = append(m.Index, j), append(m.Value, v)
			}
		}
		m.Columns, m.Start = len(row), append(m.Start, len(m.Index))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// tidy checks the entries of a new matrix, sorts each row, adds up what is at one place, and leaves
// out zeros.
func (m *Matrix) tidy(method string) error {
	n := m.Rows()
	size, errs := make([]int, n), make([]error, n)
	_ = parallel.For(context.Background(), n, chunk, func(_, lo, hi int) {
		var row []entry
		for i := lo; i < hi; i++ {
			row = row[:0]
			columns, values := m.Of(i)
			for k, j := range columns {
				if j < 0 || j >= m.Columns {
					errs[i] = ml.BadParameter(method, sprintf("a column in row %d", i), j,
						sprintf("0 to %d", m.Columns-1))
					break
				}
				row = append(row, entry{j, values[k]})
			}
			slices.SortStableFunc(row, byColumn)
			for lo := 0; lo < len(row) && errs[i] == nil; {
				j, sum := row[lo].column, row[lo].value
				for lo++; lo < len(row) && row[lo].column == j; lo++ {
					sum += row[lo].value
				}
				if !finite(sum) {
					errs[i] = notFinite(method, i, j, sum)
				}
				if sum != 0 {
					columns[size[i]], values[size[i]] = j, sum
					size[i]++
				}
			}
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	m.compact(size)
	return nil
}

// entry is an element of a row.
type entry struct {
	column int
	value  float64
}

func byColumn(a, b entry) int { return cmp.Compare(a.column, b.column) }

// compact keeps the first size[i] entries of each row i.
func (m *Matrix) compact(size []int) {
	to := 0
	for i, s := range size {
		from := m.Start[i]
		copy(m.Index[to:], m.Index[from:from+s])
		copy(m.Value[to:], m.Value[from:from+s])
		m.Start[i] = to
		to += s
	}
	m.Start[len(size)] = to
	m.Index, m.Value = m.Index[:to:to], m.Value[:to:to]
}
