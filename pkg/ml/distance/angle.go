package distance

import (
	"fmt"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Cosine is 1 − cos∠(a, b), from 0 for the same direction over 1 for a right angle to 2 for the
// opposite one. It does not see lengths, so it breaks separation (d(a, 2a) = 0), and it breaks the
// triangle inequality. It is computed as half the squared distance of the two directions, which
// keeps its digits where the angle is small.
//
// A vector of zeros has no direction: Distance is NaN then, and a table is refused with the row
// named.
type Cosine struct{}

// Correlation is 1 − r with Pearson's correlation r of the two vectors' entries: Cosine after each
// vector has lost its mean. It does not change when a vector is multiplied by a positive number or
// shifted, so it is independent of units.
//
// A constant vector has no correlation: Distance is NaN then, and a table is refused with the row
// named.
type Correlation struct{}

// Distance returns 1 − cos∠(a, b).
func (Cosine) Distance(a, b []float64) float64 {
	u, v := make([]float64, len(a)), make([]float64, len(a))
	copy(u, a)
	copy(v, b)
	if !unit(u) || !unit(v) {
		return math.NaN()
	}
	return blas.SqEuclidean(u, v) / 2
}

// Distance returns 1 − r.
func (Correlation) Distance(a, b []float64) float64 {
	u, v := make([]float64, len(a)), make([]float64, len(a))
	copy(u, a)
	copy(v, b)
	if !standardize(u) || !standardize(v) {
		return math.NaN()
	}
	return blas.SqEuclidean(u, v) / 2
}

// unit divides v by its length; it reports false for zeros.
func unit(v []float64) bool {
	most := 0.0
	for _, x := range v {
		most = max(most, math.Abs(x))
	}
	if most == 0 {
		return false
	}
	// A power of two takes no digits away.
	_, exponent := math.Frexp(most)
	for j := range v {
		v[j] = math.Ldexp(v[j], -exponent)
	}
	norm := math.Sqrt(blas.Dot(v, v))
	for j := range v {
		v[j] /= norm
	}
	return true
}

// standardize takes the mean from v and divides by the length; it reports false for a constant
// vector.
func standardize(v []float64) bool {
	lo, hi := v[0], v[0]
	for _, x := range v {
		lo, hi = min(lo, x), max(hi, x)
	}
	if lo == hi {
		return false
	}
	_, exponent := math.Frexp(max(math.Abs(lo), math.Abs(hi)))
	sum := 0.0
	for j := range v {
		v[j] = math.Ldexp(v[j], -exponent)
		sum += v[j]
	}
	mean := sum / float64(len(v))
	for j := range v {
		v[j] -= mean
	}
	return unit(v)
}

func (Cosine) prepare(method string, x *mat.Dense) (*mat.Dense, error) {
	return eachRow(method, x, unit, "is all zeros and has no direction")
}

func (Correlation) prepare(method string, x *mat.Dense) (*mat.Dense, error) {
	return eachRow(method, x, standardize, "is constant and has no correlation")
}

func eachRow(method string, x *mat.Dense, change func([]float64) bool, otherwise string) (*mat.Dense, error) {
	y := mat.DenseCopyOf(x)
	n, _ := y.Dims()
	for i := range n {
		if !change(y.RawRowView(i)) {
			return nil, ml.BadParameter(method, fmt.Sprintf("row %d", i), x.RawRowView(i), "another: it "+otherwise)
		}
	}
	return y, nil
}

func (Cosine) rows(dst, a, rows []float64, stride int) {
	blas.SqEuclideanRows(dst, a, rows, stride)
	for i := range dst {
		dst[i] /= 2
	}
}

func (Correlation) rows(dst, a, rows []float64, stride int) { Cosine{}.rows(dst, a, rows, stride) }

// Directions returns the rows of x as Cosine or Correlation compares them: divided by their length,
// for Correlation after they have lost their mean. Half the squared Euclidean distance of two such
// rows is the metric's. The error names a row that has no direction.
func Directions(x mat.Matrix, metric Metric) (*mat.Dense, error) {
	const method = "distance.Directions"
	dense, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	switch m := metric.(type) {
	case Cosine:
		return m.prepare(method, dense)
	case Correlation:
		return m.prepare(method, dense)
	}
	return nil, ml.BadParameter(method, "metric", metric, "Cosine or Correlation")
}
