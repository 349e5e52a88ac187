package blas

import "math"

// Ddot returns xᵀy, as gonum's does.
func (impl Implementation) Ddot(n int, x []float64, incX int, y []float64, incY int) float64 {
	if active == plain || n < 8 || incX != 1 || incY != 1 || len(x) < n || len(y) < n {
		return impl.Implementation.Ddot(n, x, incX, y, incY)
	}
	return Dot(x[:n], y)
}

// Daxpy computes y += alpha·x, as gonum's does.
func (impl Implementation) Daxpy(n int, alpha float64, x []float64, incX int, y []float64, incY int) {
	if active == plain || n < 8 || incX != 1 || incY != 1 || len(x) < n || len(y) < n || alpha == 0 {
		impl.Implementation.Daxpy(n, alpha, x, incX, y, incY)
		return
	}
	axpyAVX2(n, alpha, &x[0], &y[0])
}

// Drot turns the points (xᵢ, yᵢ) in the plane, as gonum's does.
func (impl Implementation) Drot(n int, x []float64, incX int, y []float64, incY int, c, s float64) {
	if active == plain || n < 8 || incX != 1 || incY != 1 || len(x) < n || len(y) < n {
		impl.Implementation.Drot(n, x, incX, y, incY, c, s)
		return
	}
	rotAVX2(n, &x[0], &y[0], c, s)
}

// Dnrm2 returns ‖x‖, as gonum's does. Where the sum of squares neither overflows nor loses digits
// to underflow, no scaling is needed.
func (impl Implementation) Dnrm2(n int, x []float64, incX int) float64 {
	if active != plain && n >= 8 && incX == 1 && len(x) >= n {
		if s := Dot(x[:n], x[:n]); s > 1e-280 && s < 1e300 {
			return math.Sqrt(s)
		}
	}
	return impl.Implementation.Dnrm2(n, x, incX)
}
