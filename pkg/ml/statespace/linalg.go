package statespace

import (
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"gonum.org/v1/gonum/mat"
)

// States have few dimensions: products of their matrices, row by row in slices, cost less than the
// calls to a library of large ones would.

// mul sets the m×n dst to a·b, with a of m×k and b of k×n.
func mul(dst, a, b []float64, m, k, n int) {
	for i := range m {
		row := dst[i*n : (i+1)*n]
		clear(row)
		for l, v := range a[i*k : (i+1)*k] {
			if v != 0 {
				for j, w := range b[l*n : (l+1)*n] {
					row[j] += v * w
				}
			}
		}
	}
}

// mulT sets the m×n dst to a·bᵀ, with a of m×k and b of n×k.
func mulT(dst, a, b []float64, m, k, n int) {
	for i := range m {
		blas.DotRows(dst[i*n:(i+1)*n], a[i*k:(i+1)*k], b, k)
	}
}

// apply sets dst to a·x, with a of len(dst)×len(x).
func apply(dst, a, x []float64) { blas.DotRows(dst, x, a, len(x)) }

// applyT sets dst to aᵀ·x, with a of len(x)×len(dst).
func applyT(dst, a, x []float64) {
	clear(dst)
	n := len(dst)
	for i, v := range x {
		for j, w := range a[i*n : (i+1)*n] {
			dst[j] += v * w
		}
	}
}

func transpose(a []float64, m, n int) []float64 {
	out := make([]float64, m*n)
	for i := range m {
		for j := range n {
			out[j*m+i] = a[i*n+j]
		}
	}
	return out
}

// symmetrize replaces a by the mean of itself and its transpose.
func symmetrize(a []float64, n int) {
	for i := range n {
		for j := range i {
			v := (a[i*n+j] + a[j*n+i]) / 2
			a[i*n+j], a[j*n+i] = v, v
		}
	}
}

// cholesky sets l to the lower triangle with l·lᵀ = a for a positive semidefinite a. A direction
// without variance has a column of zeros: a pivot counts as 0 where rounding may have made it. It
// returns the number of the others.
func cholesky(l, a []float64, n int) (rank int) {
	clear(l)
	for j := range n {
		lj := l[j*n : j*n+j]
		pivot := a[j*n+j] - blas.Dot(lj, lj)
		if !(pivot > 4e-16*float64(n)*a[j*n+j]) {
			continue
		}
		rank++
		root := math.Sqrt(pivot)
		l[j*n+j] = root
		for i := j + 1; i < n; i++ {
			l[i*n+j] = (a[i*n+j] - blas.Dot(l[i*n:i*n+j], lj)) / root
		}
	}
	return rank
}

// solveLower replaces x by l⁻¹x; where l has a pivot of 0, so has the solution.
func solveLower(l, x []float64) {
	n := len(x)
	for i := range n {
		if l[i*n+i] == 0 {
			x[i] = 0
			continue
		}
		x[i] = (x[i] - blas.Dot(l[i*n:i*n+i], x[:i])) / l[i*n+i]
	}
}

// solveUpper replaces x by l⁻ᵀx.
func solveUpper(l, x []float64) {
	n := len(x)
	for i := n - 1; i >= 0; i-- {
		if l[i*n+i] == 0 {
			x[i] = 0
			continue
		}
		x[i] /= l[i*n+i]
		for j, v := range l[i*n : i*n+i] {
			x[j] -= v * x[i]
		}
	}
}

// solve replaces each row of x, which has rows of n numbers, by (l·lᵀ)⁻¹ times it.
func solve(l, x []float64, n int) {
	for i := 0; i < len(x); i += n {
		solveLower(l, x[i:i+n])
		solveUpper(l, x[i:i+n])
	}
}

// logDet is log|l·lᵀ|.
func logDet(l []float64, n int) (sum float64) {
	for i := range n {
		sum += 2 * math.Log(l[i*n+i])
	}
	return sum
}

// near is whether no element of a differs from b's by more than tol times the largest of b.
func near(a, b []float64, tol float64) bool {
	most, gap := 0.0, 0.0
	for i, v := range b {
		most = max(most, math.Abs(v))
		gap = max(gap, math.Abs(a[i]-v))
	}
	return gap <= tol*most
}

// identity is the unit matrix times v.
func identity(n int, v float64) []float64 {
	out := make([]float64, n*n)
	for i := range n {
		out[i*n+i] = v
	}
	return out
}

// flat returns the elements of a matrix row by row, in memory of their own.
func flat(a mat.Matrix) []float64 { return mat.DenseCopyOf(a).RawMatrix().Data }

// symmetric copies a into a symmetric matrix, both triangles of it.
func symmetric(a []float64, n int) *mat.SymDense { return mat.NewSymDense(n, slices.Clone(a)) }
