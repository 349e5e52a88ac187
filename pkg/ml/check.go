package ml

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// sparse is a matrix that lists the elements it stores, such as a csr.Matrix.
type sparse interface {
	mat.Matrix
	NNZ() int
	DoRowNonZero(i int, f func(i, j int, v float64))
}

// mostDense is how many elements a sparse matrix may have for Dense to make a dense one of it
// without being asked: they take 128 MiB.
const mostDense = 1 << 24

// Dense returns the observations of x, one a row, as a dense matrix whose rows lie one behind the
// other (Stride == Cols), after checking that there is at least one row and one column and that
// every value is finite. The result shares x's memory where x already has that form and is a copy
// where it does not (a view, a transpose, a diagonal): a method reads it and never writes to it.
//
// The errors are ErrEmpty and ErrNotFinite, the latter with the row and column of the first
// offender, and ErrShape for a sparse matrix of more than 2²⁴ elements, which nothing makes dense
// by chance.
func Dense(method string, x mat.Matrix) (*mat.Dense, error) {
	n, d, err := Size(method, x)
	if err != nil {
		return nil, err
	}
	dense, ok := x.(*mat.Dense)
	if s, isSparse := x.(sparse); isSparse {
		if n > mostDense/d {
			return nil, BadShape(method, "a sparse matrix of %d×%d with %d entries would take %.1f GiB as a dense one, "+
				"which is made only where it is asked for: give that one if it is meant",
				n, d, s.NNZ(), float64(n)*float64(d)*8/(1<<30))
		}
		dense = mat.NewDense(n, d, nil)
		for i := range n {
			s.DoRowNonZero(i, dense.Set)
		}
	} else if !ok || dense.RawMatrix().Stride != d {
		dense = mat.DenseCopyOf(x)
	}
	data := dense.RawMatrix().Data
	for i, v := range data[:n*d] {
		// v-v is 0 for a finite v and NaN for all else.
		if v-v != 0 {
			return nil, notFinite(method, i/d, i%d, v)
		}
	}
	return dense, nil
}

// Size returns the numbers of rows and columns of x, or ErrEmpty where x is nil or has none.
func Size(method string, x mat.Matrix) (n, d int, err error) {
	if x == nil || isNil(x) {
		return 0, 0, &inputError{method, "the matrix is nil", ErrEmpty}
	}
	n, d = x.Dims()
	if n == 0 || d == 0 {
		return 0, 0, &inputError{method, fmt.Sprintf("the matrix is %d×%d, want at least one row and one column", n, d), ErrEmpty}
	}
	return n, d, nil
}

// EachRow calls f with the rows of x in turn, after the checks of Dense on each. It makes no copy
// of x, whatever its form, be it sparse: the row may lie in a buffer that the next overwrites, and
// f must not write to it. It ends with the first error.
func EachRow(method string, x mat.Matrix, f func(i int, row []float64) error) error {
	n, d, err := Size(method, x)
	if err != nil {
		return err
	}
	dense, _ := x.(*mat.Dense)
	s, isSparse := x.(sparse)
	row := make([]float64, d)
	for i := range n {
		if dense != nil {
			row = dense.RawRowView(i)
		} else if isSparse {
			clear(row)
			s.DoRowNonZero(i, func(_, j int, v float64) { row[j] = v })
		} else {
			for j := range row {
				row[j] = x.At(i, j)
			}
		}
		for j, v := range row {
			if v-v != 0 {
				return notFinite(method, i, j, v)
			}
		}
		if err := f(i, row); err != nil {
			return err
		}
	}
	return nil
}

// Vector checks a vector that goes with n rows, such as weights or targets: its length, and that
// every value is finite.
func Vector(method, name string, v []float64, n int) error {
	if len(v) != n {
		return BadShape(method, "%s has length %d, want %d, one a row", name, len(v), n)
	}
	for i, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return &inputError{method, fmt.Sprintf("%s[%d] is %v, want a finite number", name, i, x), ErrNotFinite}
		}
	}
	return nil
}

// Columns checks that new data has the number of columns that a model was fitted on.
func Columns(method string, x mat.Matrix, d int) error {
	if _, c := x.Dims(); c != d {
		return BadShape(method, "the matrix has %d columns, the model was fitted on %d", c, d)
	}
	return nil
}

func notFinite(method string, row, col int, v float64) error {
	return &inputError{method, fmt.Sprintf("row %d, column %d is %v, want a finite number", row, col, v), ErrNotFinite}
}
