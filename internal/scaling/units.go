package scaling

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/mat"
)

// Units is the change of coordinates z = (x·A − M)·B, column by column, between the caller's data
// and what an algorithm sees: near zero and near one, so that squares of 1e±150 stay in range. A
// and B are powers of two.
type Units struct{ A, M, B []float64 }

// Standardized is data in such coordinates.
type Standardized struct {
	Units
	X        *mat.Dense
	Variance []float64 // of each column: 0, or between 1/4 and 4 where columns have units of their own
	Constant int       // columns of equal values
}

// Standardize moves the columns to zero mean and scales them, each by itself, or, for methods that
// compare columns, all by the same number. The error is ctx.Err().
func Standardize(ctx context.Context, x *mat.Dense, common bool) (*Standardized, error) {
	n, d := x.Dims()
	s := &Standardized{X: mat.NewDense(n, d, nil), Units: Units{A: make([]float64, d), B: make([]float64, d)}}
	most := Fold(ctx, x, func(row, into []float64) {
		for j, v := range row {
			into[j] = max(into[j], math.Abs(v))
		}
	}, math.Max)
	overall := slices.Max(most)
	for j, v := range most {
		if common {
			v = overall
		}
		s.A[j] = PowerOfTwo(v)
	}
	var constant []bool
	s.M, constant = Means(ctx, x, s.A)
	for _, c := range constant {
		if c {
			s.Constant++
		}
	}
	_ = parallel.For(ctx, n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			to := s.X.RawRowView(i)
			for j, v := range x.RawRowView(i) {
				to[j] = v*s.A[j] - s.M[j]
			}
		}
	})
	s.Variance = Fold(ctx, s.X, func(row, into []float64) {
		for j, v := range row {
			into[j] += v * v
		}
	}, sum)
	widest := slices.Max(s.Variance) / float64(n)
	for j, v := range s.Variance {
		v /= float64(n)
		if common {
			s.B[j] = PowerOfTwo(math.Sqrt(widest))
		} else {
			s.B[j] = PowerOfTwo(math.Sqrt(v))
		}
		s.Variance[j] = v * s.B[j] * s.B[j]
	}
	return s, parallel.For(ctx, n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := s.X.RawRowView(i)
			for j := range row {
				row[j] *= s.B[j]
			}
		}
	})
}

// far bounds coordinates, so that products with them are finite or plainly infinite.
const far = 1e300

// Into writes x in the coordinates to dst.
func (u Units) Into(dst, x []float64) {
	for j, v := range x {
		dst[j] = min(max((v*u.A[j]-u.M[j])*u.B[j], -far), far)
	}
}

// OutOf writes z in the caller's coordinates to dst.
func (u Units) OutOf(dst, z []float64) {
	for j, v := range z {
		dst[j] = (v/u.B[j] + u.M[j]) / u.A[j]
	}
}

// CovarianceIn changes the units of a covariance of columns i and j to those of the coordinates.
func (u Units) CovarianceIn(c float64, i, j int) float64 {
	return c * u.A[i] * u.B[i] * u.A[j] * u.B[j]
}

// CovarianceOut is the reverse of CovarianceIn.
func (u Units) CovarianceOut(c float64, i, j int) float64 {
	return c / u.B[i] / u.B[j] / u.A[i] / u.A[j]
}

// LogVolume is log |∂z/∂x|: what a log density in the coordinates lacks of one in the caller's.
func (u Units) LogVolume() float64 {
	e := 0
	for j := range u.A {
		e += math.Ilogb(u.A[j]) + math.Ilogb(u.B[j])
	}
	return float64(e) * math.Ln2
}

// MatrixOut returns rows of z as a matrix in the caller's coordinates.
func (u Units) MatrixOut(z []float64) *mat.Dense {
	d := len(u.A)
	out := mat.NewDense(len(z)/d, d, nil)
	for i := range len(z) / d {
		u.OutOf(out.RawRowView(i), z[i*d:(i+1)*d])
	}
	return out
}

// MatrixIn is the reverse of MatrixOut.
func (u Units) MatrixIn(x *mat.Dense) []float64 {
	n, d := x.Dims()
	out := make([]float64, n*d)
	for i := range n {
		u.Into(out[i*d:(i+1)*d], x.RawRowView(i))
	}
	return out
}
