package eigen

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/lapack"
	"gonum.org/v1/gonum/lapack/gonum"
	"gonum.org/v1/gonum/mat"
)

// largestReduced returns the k largest eigenpairs of a symmetric matrix, which is reduced to a
// tridiagonal one. It overwrites a, of which it reads the lower triangle. It costs 4n³/3 operations
// and 2n²k; where not ok, nothing is known.
func largestReduced(a *mat.Dense, k int) (values []float64, vectors [][]float64, ok bool) {
	n, _ := a.Dims()
	if n < 3 || k < 1 {
		return nil, nil, false
	}
	raw, impl := a.RawMatrix(), gonum.Implementation{}
	t := tridiagonal{make([]float64, n), make([]float64, n-1)}
	tau, work := make([]float64, n-1), make([]float64, 64*n)
	impl.Dsytrd(blas.Lower, n, raw.Data, raw.Stride, t.diag, t.off, tau, work, len(work))
	values, vectors, ok = t.largest(k)
	if !ok {
		return nil, nil, false
	}
	columns := pack(vectors)
	// The reflections act on all rows but the first, as those of a QR decomposition would.
	work = make([]float64, 64*max(n, k)+65*64)
	impl.Dormqr(blas.Left, blas.NoTrans, n-1, k, n-1, raw.Data[raw.Stride:], raw.Stride, tau, columns[k:], k, work, len(work))
	return values, unpack(columns, k), true
}

// A Side is that of a matrix whose singular vectors are wanted.
type Side bool

const (
	Left  Side = false
	Right Side = true
)

// Singular returns the k largest singular values of a square matrix, descending, and the vectors of
// one side as rows of a k×n matrix. It overwrites a. Where few are wanted it costs 8n³/3 operations
// and no rotations of vectors; it is exact to rounding in the largest value, as LAPACK's is. It has
// not converged where ok is false, as on numbers that are not finite.
func Singular(a *mat.Dense, k int, side Side) (values []float64, vectors *mat.Dense, ok bool) {
	n, _ := a.Dims()
	if n <= 32 || 3*k > n {
		return singularWhole(a, k, side)
	}
	kept := mat.DenseCopyOf(a)
	if values, vectors, ok = singularReduced(a, k, side); ok {
		return values, vectors, true
	}
	return singularWhole(kept, k, side)
}

func singularWhole(a *mat.Dense, k int, side Side) (values []float64, vectors *mat.Dense, ok bool) {
	n, _ := a.Dims()
	wanted := mat.SVDThinU
	if side == Right {
		wanted = mat.SVDThinV // one side's vectors take half the rotations of both
	}
	var svd mat.SVD
	if !svd.Factorize(a, wanted) {
		return nil, nil, false
	}
	var v mat.Dense
	if side == Right {
		svd.VTo(&v)
	} else {
		svd.UTo(&v)
	}
	return svd.Values(nil)[:k], mat.DenseCopyOf(v.Slice(0, n, 0, k).T()), true
}

// singularReduced reduces a to an upper bidiagonal matrix B. The pairs of singular vectors of B,
// their entries in turn, v₁ u₁ v₂ u₂ …, are the eigenvectors of a tridiagonal matrix of twice the
// size with a diagonal of zeros and the numbers of B beside it (Golub & Kahan, 1965): its
// eigenvalues are ±σ, and no square is formed.
func singularReduced(a *mat.Dense, k int, side Side) (values []float64, vectors *mat.Dense, ok bool) {
	n, _ := a.Dims()
	raw, impl := a.RawMatrix(), gonum.Implementation{}
	d, e := make([]float64, n), make([]float64, n)
	tauQ, tauP := make([]float64, n), make([]float64, n)
	work := make([]float64, 128*n)
	impl.Dgebrd(n, n, raw.Data, raw.Stride, d, e[:n-1], tauQ, tauP, work, len(work))

	t := tridiagonal{make([]float64, 2*n), make([]float64, 2*n-1)}
	for i := range n {
		t.off[2*i] = d[i]
		if i < n-1 {
			t.off[2*i+1] = e[i]
		}
	}
	for _, f := range t.off {
		if f-f != 0 {
			return nil, nil, false
		}
	}
	if impl.Dlasq1(n, d, e, make([]float64, 4*n)) != 0 {
		return nil, nil, false
	}
	values = d[:k] // descending
	if !(values[k-1] > 1e-10*values[0]) {
		return nil, nil, false // σ and −σ are too near to each other for their vectors to be told apart
	}
	pairs, ok := t.vectors(values)
	if !ok {
		return nil, nil, false
	}
	columns := mat.NewDense(n, k, nil)
	for c, pair := range pairs {
		for i := range n {
			at := 2 * i
			if side == Left {
				at++
			}
			columns.Set(i, c, pair[at]*math.Sqrt2)
		}
	}
	c := columns.RawMatrix()
	work = make([]float64, 64*max(n, k)+65*64)
	if side == Right {
		impl.Dormbr(lapack.ApplyP, blas.Left, blas.NoTrans, n, k, n, raw.Data, raw.Stride, tauP, c.Data, c.Stride, work, len(work))
	} else {
		impl.Dormbr(lapack.ApplyQ, blas.Left, blas.NoTrans, n, k, n, raw.Data, raw.Stride, tauQ, c.Data, c.Stride, work, len(work))
	}
	vectors = mat.DenseCopyOf(columns.T())
	rows := make([][]float64, k)
	for i := range rows {
		rows[i] = vectors.RawRowView(i)
	}
	return values, vectors, orthonormal(rows)
}
