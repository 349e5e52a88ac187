// Package datasets gives the data that the notebooks learn from: small sets that are embedded (a
// program links only those it names), and generators whose truth is known. Nothing here asks the
// network; what is too large to embed is in package remote.
//
// Every call returns values of its own: what a caller changes, no other caller sees.
package datasets

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"

	"gonum.org/v1/gonum/mat"
)

// Dataset is a table of observations with what is known about them.
type Dataset struct {
	Name     string
	X        *mat.Dense // n×d, one observation a row
	Y        []int      // the class of each row, an index into Classes; nil where there are none
	Classes  []string   // names of the classes
	Features []string   // names of the columns; nil for pixels
	T        []float64  // for a curve or a surface: where on it each row lies
	Height   int        // of the pictures that the rows are, 0 where they are none
	Width    int
}

// Dims returns the number of observations and of variables.
func (d Dataset) Dims() (n, vars int) { return d.X.Dims() }

// Subset returns the rows whose index keep accepts, in order.
func (d Dataset) Subset(keep func(i int) bool) Dataset {
	n, c := d.X.Dims()
	var rows []float64
	out := d
	out.Y, out.T = nil, nil
	count := 0
	for i := range n {
		if !keep(i) {
			continue
		}
		count++
		rows = append(rows, d.X.RawRowView(i)...)
		if d.Y != nil {
			out.Y = append(out.Y, d.Y[i])
		}
		if d.T != nil {
			out.T = append(out.T, d.T[i])
		}
	}
	out.X = &mat.Dense{}
	if count > 0 {
		out.X = mat.NewDense(count, c, rows)
	}
	return out
}

// embedded unpacks what this package carries. It can't fail but by a build gone wrong.
func embedded(packed []byte) []byte {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err == nil {
		var data []byte
		if data, err = io.ReadAll(z); err == nil {
			return data
		}
	}
	panic(fmt.Sprintf("datasets: an embedded file is broken: %v", err))
}
