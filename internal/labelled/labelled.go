// Package labelled reads the labels that supervised methods are given, one a row; −1 is a row
// without one.
package labelled

import (
	"fmt"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Rows returns the rows of x that have a label, and their labels. The errors are those of ml.Dense,
// ml.ErrShape for a wrong number of labels, ml.ErrParameter for one below −1, and ml.ErrEmpty where
// no row has one.
func Rows(method string, x mat.Matrix, y []int) (*mat.Dense, []int, error) {
	dense, err := ml.Dense(method, x)
	if err != nil {
		return nil, nil, err
	}
	n, d := dense.Dims()
	if len(y) != n {
		return nil, nil, ml.BadShape(method, "y has length %d, want %d, one a row", len(y), n)
	}
	var kept, labels []int
	for i, v := range y {
		if v < -1 {
			return nil, nil, ml.BadParameter(method, fmt.Sprintf("y[%d]", i), v, "a label, 0 or more, or -1 for none")
		}
		if v >= 0 {
			kept, labels = append(kept, i), append(labels, v)
		}
	}
	if len(kept) == 0 {
		return nil, nil, ml.Empty(method, "no row has a label")
	}
	if len(kept) == n {
		return dense, labels, nil
	}
	rows := mat.NewDense(len(kept), d, nil)
	for k, i := range kept {
		rows.SetRow(k, dense.RawRowView(i))
	}
	return rows, labels, nil
}

// Classes numbers labels in the order of their values: label i is names[of[i]].
func Classes(labels []int) (of, names []int) {
	names = slices.Clone(labels)
	slices.Sort(names)
	names = slices.Compact(names)
	of = make([]int, len(labels))
	for i, l := range labels {
		of[i], _ = slices.BinarySearch(names, l)
	}
	return of, names
}
