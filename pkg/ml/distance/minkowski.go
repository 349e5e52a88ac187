package distance

import (
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Euclidean is the length of the straight line, (Σ (aⱼ−bⱼ)²)^½. It is computed from the
// differences, without the cancellation of ‖a‖²−2a·b+‖b‖², and neither overflows nor vanishes where
// the result does not.
type Euclidean struct{}

// SqEuclidean is the square of Euclidean. It breaks the triangle inequality: of 0, 1 and 2 on a
// line, 4 > 1 + 1.
type SqEuclidean struct{}

// Manhattan is the way along the axes, Σ |aⱼ−bⱼ|: Minkowski's with r = 1.
type Manhattan struct{}

// Chebyshev is the largest difference, max |aⱼ−bⱼ|: the sup norm, Minkowski's limit for r → ∞.
type Chebyshev struct{}

// Hamming counts the places in which two vectors differ. On vectors of zeros and ones it is
// Manhattan. SciPy's hamming is this number over the number of places.
type Hamming struct{}

// Minkowski is (Σ |aⱼ−bⱼ|^r)^(1/r). It is a metric for r ≥ 1; for 0 < r < 1 it breaks the triangle
// inequality, and its unit ball is not convex.
type Minkowski struct {
	R float64 // r > 0, +Inf for Chebyshev; 0 means 2
}

// Distance returns the Euclidean distance.
func (Euclidean) Distance(a, b []float64) float64 { return root(blas.SqEuclidean(a, b), a, b) }

// Distance returns the squared Euclidean distance.
func (SqEuclidean) Distance(a, b []float64) float64 { return blas.SqEuclidean(a, b) }

// Distance returns the Manhattan distance.
func (Manhattan) Distance(a, b []float64) float64 { return blas.Manhattan(a, b) }

// Distance returns the Chebyshev distance.
func (Chebyshev) Distance(a, b []float64) float64 { return blas.Chebyshev(a, b) }

// Distance returns the number of places that differ.
func (Hamming) Distance(a, b []float64) float64 {
	n := 0
	for j, v := range a {
		if v != b[j] {
			n++
		}
	}
	return float64(n)
}

// Distance returns Minkowski's distance; it is NaN for a negative R and an R that is NaN, which
// tables refuse with an error.
func (m Minkowski) Distance(a, b []float64) float64 {
	switch r := m.r(); {
	case r == 1:
		return Manhattan{}.Distance(a, b)
	case r == 2:
		return Euclidean{}.Distance(a, b)
	case math.IsInf(r, 1):
		return Chebyshev{}.Distance(a, b)
	case r > 0:
		var buffer [64]float64
		return power(r, a, b, buffer[:])
	}
	return math.NaN()
}

func (m Minkowski) r() float64 {
	if m.R == 0 {
		return 2
	}
	return m.R
}

func same(x *mat.Dense) (*mat.Dense, error) { return x, nil }

func (Euclidean) prepare(_ string, x *mat.Dense) (*mat.Dense, error)   { return same(x) }
func (SqEuclidean) prepare(_ string, x *mat.Dense) (*mat.Dense, error) { return same(x) }
func (Manhattan) prepare(_ string, x *mat.Dense) (*mat.Dense, error)   { return same(x) }
func (Chebyshev) prepare(_ string, x *mat.Dense) (*mat.Dense, error)   { return same(x) }
func (Hamming) prepare(_ string, x *mat.Dense) (*mat.Dense, error)     { return same(x) }

func (m Minkowski) prepare(method string, x *mat.Dense) (*mat.Dense, error) {
	if !(m.r() > 0) {
		return nil, ml.BadParameter(method, "Minkowski.R", m.R, "R > 0, and R ≥ 1 for a metric")
	}
	return x, nil
}

func (SqEuclidean) rows(dst, a, rows []float64, stride int) {
	blas.SqEuclideanRows(dst, a, rows, stride)
}
func (Manhattan) rows(dst, a, rows []float64, stride int) { blas.ManhattanRows(dst, a, rows, stride) }
func (Chebyshev) rows(dst, a, rows []float64, stride int) { blas.ChebyshevRows(dst, a, rows, stride) }

func (Hamming) rows(dst, a, rows []float64, stride int) {
	foreign{Hamming{}}.rows(dst, a, rows, stride)
}

func (Euclidean) rows(dst, a, rows []float64, stride int) {
	blas.SqEuclideanRows(dst, a, rows, stride)
	for i, s := range dst {
		dst[i] = root(s, a, rows[i*stride:i*stride+len(a)])
	}
}

func (m Minkowski) rows(dst, a, rows []float64, stride int) {
	switch r := m.r(); {
	case r == 1:
		Manhattan{}.rows(dst, a, rows, stride)
	case r == 2:
		Euclidean{}.rows(dst, a, rows, stride)
	case math.IsInf(r, 1):
		Chebyshev{}.rows(dst, a, rows, stride)
	default:
		buffer := make([]float64, min(len(a), 1024))
		for i := range dst {
			dst[i] = power(r, a, rows[i*stride:i*stride+len(a)], buffer)
		}
	}
}

// root is the square root of the sum of squares s, or, where the squares have overflowed or lost
// digits to underflow, what it should have been.
func root(s float64, a, b []float64) float64 {
	if s > tiny && s < huge {
		return math.Sqrt(s)
	}
	most := blas.Chebyshev(a, b)
	if most == 0 || math.IsInf(most, 1) {
		return most
	}
	s = 0
	for j, v := range a {
		d := (v - b[j]) / most
		s += d * d
	}
	return most * math.Sqrt(s)
}

// Between them a sum of powers has neither overflowed nor lost digits: 1e-16 below them in every
// term is still a normal number.
const tiny, huge = 1e-290, 1e290

// power is Minkowski's distance for a general r; buffer is for working in and may be shorter than
// a.
func power(r float64, a, b, buffer []float64) float64 {
	var s float64
	switch r {
	case 3:
		s = cubes(a, b)
	case 4:
		for j, v := range a {
			d := v - b[j]
			d *= d
			s += d * d
		}
	}
	if s > tiny && s < huge {
		if r == 3 {
			return math.Cbrt(s)
		}
		return math.Pow(s, 1/r)
	}
	// In units of the largest difference no power overflows, and what vanishes does not count.
	most := blas.Chebyshev(a, b)
	if most == 0 || math.IsInf(most, 1) {
		return most
	}
	s = 0
	for lo := 0; lo < len(a); lo += len(buffer) {
		part := buffer[:min(len(buffer), len(a)-lo)]
		for j := range part {
			part[j] = math.Abs(a[lo+j]-b[lo+j]) / most
		}
		blas.Log(part, part)
		for j := range part {
			part[j] *= r
		}
		blas.Exp(part, part)
		for _, v := range part {
			s += v
		}
	}
	return most * math.Pow(s, 1/r)
}

// cubes returns Σ |aⱼ−bⱼ|³, in four sums that do not wait for each other.
func cubes(a, b []float64) float64 {
	b = b[:len(a)]
	var s [4]float64
	j := 0
	for ; j+4 <= len(a); j += 4 {
		d0, d1, d2, d3 := math.Abs(a[j]-b[j]), math.Abs(a[j+1]-b[j+1]), math.Abs(a[j+2]-b[j+2]), math.Abs(a[j+3]-b[j+3])
		s[0] += d0 * d0 * d0
		s[1] += d1 * d1 * d1
		s[2] += d2 * d2 * d2
		s[3] += d3 * d3 * d3
	}
	for ; j < len(a); j++ {
		d := math.Abs(a[j] - b[j])
		s[0] += d * d * d
	}
	return s[0] + s[1] + s[2] + s[3]
}
