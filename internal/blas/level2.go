package blas

import "gonum.org/v1/gonum/blas"

// Dgemv computes y = beta·y + alpha·op(A)·x, as gonum's does. Strided vectors, which LAPACK's
// routines use all the time, are copied first: A is read along its rows in either case. (gonum
// 0.17's own kernels go wrong on increments below 0.)
func (impl Implementation) Dgemv(tA blas.Transpose, m, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int) {
	nx, ny := n, m
	if tA != blas.NoTrans {
		nx, ny = m, n
	}
	if active == plain || !validTrans(tA) || m <= 0 || n <= 0 || m*n < 32 && incX > 0 && incY > 0 || alpha == 0 || !fits(m, n, lda, a) || !validVector(nx, incX, x) || !validVector(ny, incY, y) {
		impl.Implementation.Dgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
		return
	}
	buffer := buffers.Get().(*[]float64)
	defer buffers.Put(buffer)
	scratch := grow(buffer, nx+ny)
	if tA == blas.NoTrans {
		xs := x[:n]
		if incX != 1 {
			xs = gather(scratch[ny:], x, incX)
		}
		DotRows(scratch[:ny], xs, a, lda)
		update(y, incY, ny, alpha, scratch, beta)
		return
	}
	coef := gather(scratch[:nx], x, incX)
	scaleVector(alpha, coef)
	sums := scratch[nx:]
	direct := incY == 1 && beta == 1
	if direct {
		sums = y[:n]
	} else {
		clear(sums)
	}
	const rows = 16 // y stays in the first cache while A is read along 16 rows at once
	for i := 0; i < m; i += rows {
		combine(sums, coef[i:min(i+rows, m)], a[i*lda:], lda)
	}
	if !direct {
		update(y, incY, ny, 1, sums, beta)
	}
}

func validVector(n, inc int, x []float64) bool {
	return inc > 0 && (n-1)*inc < len(x) || inc < 0 && (1-n)*inc < len(x)
}

// start is where the first of n elements lies.
func start(n, inc int) int {
	if inc < 0 {
		return (1 - n) * inc
	}
	return 0
}

// gather copies len(dst) elements of a strided vector.
func gather(dst, x []float64, inc int) []float64 {
	if inc == 1 {
		copy(dst, x)
		return dst
	}
	at := start(len(dst), inc)
	for i := range dst {
		dst[i] = x[at]
		at += inc
	}
	return dst
}

// update sets a strided y of n elements to beta·y + alpha·v; a beta of 0 overwrites NaN too.
func update(y []float64, inc, n int, alpha float64, v []float64, beta float64) {
	at := start(n, inc)
	for i := range n {
		if beta == 0 {
			y[at] = alpha * v[i]
		} else {
			y[at] = beta*y[at] + alpha*v[i]
		}
		at += inc
	}
}

// Dger computes A += alpha·x·yᵀ, as gonum's does.
func (impl Implementation) Dger(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
	if active == plain || m <= 0 || n <= 0 || alpha == 0 || !fits(m, n, lda, a) || !validVector(m, incX, x) || !validVector(n, incY, y) {
		impl.Implementation.Dger(m, n, alpha, x, incX, y, incY, a, lda)
		return
	}
	ys := y[:n]
	if incY != 1 {
		buffer := buffers.Get().(*[]float64)
		defer buffers.Put(buffer)
		ys = gather(grow(buffer, n), y, incY)
	}
	at := start(m, incX)
	for i := range m {
		if v := alpha * x[at]; v != 0 {
			axpyAVX2(n, v, &ys[0], &a[i*lda])
		}
		at += incX
	}
}

// Dsymv computes y = beta·y + alpha·A·x for a symmetric A of which one triangle is stored, as
// gonum's does. Each row of the triangle is read once.
func (impl Implementation) Dsymv(ul blas.Uplo, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int) {
	if active == plain || !validUplo(ul) || n < 8 || alpha == 0 || !fits(n, n, lda, a) || !validVector(n, incX, x) || !validVector(n, incY, y) {
		impl.Implementation.Dsymv(ul, n, alpha, a, lda, x, incX, beta, y, incY)
		return
	}
	buffer := buffers.Get().(*[]float64)
	defer buffers.Put(buffer)
	scratch := grow(buffer, 2*n)
	xs, sums := gather(scratch[:n], x, incX), scratch[n:2*n]
	clear(sums)
	for i := range n {
		lo, hi := 0, i
		if ul == blas.Upper {
			lo, hi = i+1, n
		}
		dot := a[i*lda+i] * xs[i]
		if hi > lo {
			dot += dotAxpyAVX2(hi-lo, &a[i*lda+lo], &xs[lo], xs[i], &sums[lo])
		}
		sums[i] += dot
	}
	update(y, incY, n, alpha, sums, beta)
}
