package eigen

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/mat"
)

// few and reducible are the numbers of rows up to which reducing the whole matrix, which costs
// O(n³), is the quicker way: of an operator, whose matrix has to be made first, and of a matrix.
const (
	few       = 200
	reducible = 1000
)

// Largest returns the k largest eigenvalues of a symmetric matrix, descending, and their
// eigenvectors, with the signs of SetSign. The error is ctx.Err().
func Largest(ctx context.Context, a *mat.Dense, k int, seed uint64) (Result, error) {
	n, _ := a.Dims()
	bound := Bound(a)
	if n <= reducible || bound == 0 || 2*k > n/4 {
		var r Result
		if err := parallel.Abandon(ctx, func() { r = largestDense(mat.DenseCopyOf(a), k) }); err != nil {
			return Result{}, err
		}
		for _, v := range r.Vectors {
			SetSign(v)
		}
		return r, ctx.Err()
	}
	r, err := Smallest(ctx, shifted{a, bound}, k, nil, seed)
	for c := range r.Values {
		// Of the matrix, and not as a difference from the bound, which costs digits where the value
		// is small.
		v := mat.NewVecDense(n, r.Vectors[c])
		var image mat.VecDense
		image.MulVec(a, v)
		r.Values[c] = mat.Dot(v, &image)
	}
	return r, err
}

// Bound is a number that no eigenvalue exceeds in size: the largest sum of a row, or the Frobenius
// norm where that is smaller.
func Bound(a *mat.Dense) float64 {
	n, _ := a.Dims()
	rows, squares := 0.0, 0.0
	for i := range n {
		row, sum := a.RawRowView(i), 0.0
		for _, v := range row {
			sum += math.Abs(v)
		}
		rows = max(rows, sum)
		squares += blas.Dot(row, row)
	}
	return min(rows, math.Sqrt(squares)) * (1 + 1e-12)
}

// shifted is bound·I − A, whose smallest eigenvalues are the largest of A.
type shifted struct {
	a     *mat.Dense
	bound float64
}

func (s shifted) Dim() int       { n, _ := s.a.Dims(); return n }
func (s shifted) Upper() float64 { return 2 * s.bound }

func (s shifted) Apply(dst, src []float64, width int) {
	n := s.Dim()
	// The vectors one behind the other: a row of the matrix, read once, meets all of them.
	vectors := make([]float64, n*width)
	for i := range n {
		for c := range width {
			vectors[c*n+i] = src[i*width+c]
		}
	}
	_ = parallel.For(context.Background(), n, 64, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := dst[i*width : (i+1)*width]
			blas.DotRows(row, s.a.RawRowView(i), vectors, n)
			for c := range row {
				row[c] = s.bound*src[i*width+c] - row[c]
			}
		}
	})
}

// lifted is the whole matrix of an operator, with the known eigenvalues moved above all others.
func lifted(a Operator, known [][]float64) *mat.Dense {
	n := a.Dim()
	id, all := make([]float64, n*n), make([]float64, n*n)
	for i := range n {
		id[i*n+i] = 1
	}
	a.Apply(all, id, n)
	for _, u := range known {
		for i, f := range u {
			if f != 0 {
				blas.Axpy(2*a.Upper()*f, u, all[i*n:(i+1)*n])
			}
		}
	}
	return mat.NewDense(n, n, all)
}

// largestDense reduces a whole symmetric matrix, which it overwrites, to its k largest eigenpairs.
// It has not converged where that fails, as it does on a matrix with numbers that are not finite.
func largestDense(a *mat.Dense, k int) Result {
	n, _ := a.Dims()
	whole := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i; j < n; j++ {
			whole.SetSym(i, j, a.At(i, j))
		}
	}
	if 4*k <= n {
		if values, vectors, ok := largestReduced(a, k); ok {
			return Result{Values: values, Vectors: vectors, Converged: true}
		}
	}
	var e mat.EigenSym
	if !e.Factorize(whole, true) {
		return Result{Residual: math.Inf(1)}
	}
	var v mat.Dense
	e.VectorsTo(&v)
	all := e.Values(nil)
	r := Result{Converged: true}
	for c := range k {
		r.Values = append(r.Values, all[n-1-c])
		r.Vectors = append(r.Vectors, mat.Col(nil, n-1-c, &v))
	}
	return r
}

// smallestDense is largestDense from the other end, ascending. It overwrites a.
func smallestDense(a *mat.Dense, k int) Result {
	a.Scale(-1, a)
	r := largestDense(a, k)
	for c := range r.Values {
		r.Values[c] = -r.Values[c] + 0 // no -0
	}
	return r
}
