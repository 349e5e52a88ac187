package scaling

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// RootMeanSquare returns the mean of each column, and the root of the mean square of all that is
// left: one scale for all columns, so that a linear model stays what it is.
func RootMeanSquare(x mat.Matrix) (center []float64, scale float64) {
	n, d := x.Dims()
	center = make([]float64, d)
	largest := 0.0
	for j := range d {
		for i := range n {
			center[j] += x.At(i, j) / float64(n) // divided first: a sum of large numbers may overflow
		}
		for i := range n {
			largest = max(largest, math.Abs(x.At(i, j)-center[j]))
		}
	}
	if largest == 0 || math.IsInf(largest, 0) {
		return center, 1
	}
	sum := 0.0
	for i := range n {
		for j := range d {
			r := (x.At(i, j) - center[j]) / largest
			sum += r * r
		}
	}
	return center, largest * math.Sqrt(sum/float64(n*d))
}
