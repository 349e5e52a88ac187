package manifold

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// distancesOf is the table of Euclidean distances of rows, as it is written down.
func distancesOf(x mat.Matrix) *mat.Dense {
	n, k := x.Dims()
	d := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			s := 0.0
			for c := range k {
				s += (x.At(i, c) - x.At(j, c)) * (x.At(i, c) - x.At(j, c))
			}
			d.Set(i, j, math.Sqrt(s))
		}
	}
	return d
}
