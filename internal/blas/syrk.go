package blas

import "gonum.org/v1/gonum/blas"

// Dsyrk computes a triangle of C = beta·C + alpha·op(A)·op(A)ᵀ, as gonum's does.
func (impl Implementation) Dsyrk(ul blas.Uplo, tA blas.Transpose, n, k int, alpha float64, a []float64, lda int, beta float64, c []float64, ldc int) {
	if active == plain || alpha == 0 || !validUplo(ul) || !validSyrk(tA, n, k, a, lda, c, ldc) {
		impl.Implementation.Dsyrk(ul, tA, n, k, alpha, a, lda, beta, c, ldc)
		return
	}
	x := operand{a, lda, tA != blas.NoTrans}
	product(part(ul), n, n, k, alpha, x, x, beta, c, ldc)
}

// Dsyr2k computes a triangle of C = beta·C + alpha·(op(A)·op(B)ᵀ + op(B)·op(A)ᵀ), as gonum's does.
func (impl Implementation) Dsyr2k(ul blas.Uplo, tA blas.Transpose, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	if active == plain || alpha == 0 || !validUplo(ul) || !validSyrk(tA, n, k, a, lda, c, ldc) || !validSyrk(tA, n, k, b, ldb, c, ldc) {
		impl.Implementation.Dsyr2k(ul, tA, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		return
	}
	x, y := operand{a, lda, tA != blas.NoTrans}, operand{b, ldb, tA != blas.NoTrans}
	product(part(ul), n, n, k, alpha, x, y, beta, c, ldc)
	product(part(ul), n, n, k, alpha, y, x, 1, c, ldc)
}

func part(ul blas.Uplo) triangle {
	if ul == blas.Upper {
		return upper
	}
	return lower
}

func validSyrk(tA blas.Transpose, n, k int, a []float64, lda int, c []float64, ldc int) bool {
	rows, cols := n, k
	if tA != blas.NoTrans {
		rows, cols = k, n
	}
	return validTrans(tA) && n > 0 && k > 0 && fits(rows, cols, lda, a) && fits(n, n, ldc, c)
}
