package eigen

import (
	"context"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	gonum "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// A Factor is an n×d matrix that is known by what it does to vectors. Both products take and give
// matrices of the given width row by row, without gaps.
type Factor interface {
	Dims() (n, d int)
	Mul(dst, src []float64, width int)  // dst n×width = A·src
	TMul(dst, src []float64, width int) // dst d×width = Aᵀ·src
}

// SVD holds the k largest singular values of a matrix, descending, and their vectors:
// A ≈ U·diag(S)·Vᵀ. U is n×k and V d×k, with orthonormal columns. V's columns have the signs of
// SetSign.
type SVD struct {
	U, V *mat.Dense
	S    []float64
}

// Randomized is the algorithm of Halko, Martinsson & Tropp (2011) for the k largest singular values
// and their vectors: the range of the matrix is looked for among its products with random vectors,
// some more than k, which are multiplied by AAᵀ a few times, orthonormalized in between, so that
// small singular values fade. k is at most min(n, d); with k + Oversample ≥ min(n, d) nothing is
// left out, and the result is exact to rounding. For many rows and columns it costs 2·Power + 2
// products, and O((n+d)·k²) each.
type Randomized struct {
	Oversample int // vectors beside the k; 0 means 10, negative none
	Power      int // multiplications by AAᵀ; 0 means 7, negative none
	Seed       uint64
}

// Decompose returns the k largest singular values of a and their vectors. The error is
// ml.ErrParameter for k outside 1..min(n, d), ml.ErrNotFinite for a matrix with numbers that are
// not, and ctx.Err(), after the product that runs.
func (r Randomized) Decompose(ctx context.Context, method string, a Factor, k int) (*SVD, error) {
	n, d := a.Dims()
	if k < 1 || k > min(n, d) {
		return nil, ml.BadParameter(method, "Components", k, "1 to the number of rows and of columns")
	}
	width := min(k+orOff(r.Oversample, 10), n, d)
	stream := rng.New(r.Seed)
	right, left := make([]float64, d*width), make([]float64, n*width)
	for i := range right {
		right[i] = stream.NormFloat64()
	}
	a.Mul(left, right, width)
	basis(left, width)
	for range orOff(r.Power, 7) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		a.TMul(right, left, width)
		basis(right, width)
		a.Mul(left, right, width)
		basis(left, width)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	// A ≈ QQᵀA. With AᵀQ = P·R and the decomposition R = X·S·Yᵀ of a small matrix,
	// A ≈ (QY)·S·(PX)ᵀ.
	a.TMul(right, left, width)
	triangle := basis(right, width)
	for _, v := range triangle {
		if v-v != 0 {
			return nil, ml.NotFinite(method, "a product with the matrix is %v, want finite numbers", v)
		}
	}
	var small mat.SVD
	if !small.Factorize(mat.NewDense(width, width, triangle), mat.SVDThin) {
		return nil, ml.NotFinite(method, "the singular values of a small matrix were not found")
	}
	var x, y mat.Dense
	small.UTo(&x)
	small.VTo(&y)
	out := &SVD{U: mat.NewDense(n, k, nil), V: mat.NewDense(d, k, nil), S: small.Values(nil)[:k:k]}
	out.V.Mul(mat.NewDense(d, width, right), x.Slice(0, width, 0, k))
	out.U.Mul(mat.NewDense(n, width, left), y.Slice(0, width, 0, k))
	for c := range k {
		if v := mat.Col(nil, c, out.V); negative(v) {
			u := mat.Col(nil, c, out.U)
			flip(u)
			flip(v)
			out.U.SetCol(c, u)
			out.V.SetCol(c, v)
		}
	}
	return out, ctx.Err()
}

// orOff is an option of which 0 means the default and a negative number none.
func orOff(option, otherwise int) int {
	if option == 0 {
		return otherwise
	}
	return max(option, 0)
}

func general(r, c int, data []float64) blas64.General {
	return blas64.General{Rows: r, Cols: c, Stride: c, Data: data}
}

// basis replaces the columns of a matrix that has at least as many rows by orthonormal ones that
// span them, by Householder's reflections, which also serve for columns that depend on each other.
// It returns the upper triangle R with which the new columns give back the old.
func basis(x []float64, width int) (triangle []float64) {
	a := general(len(x)/width, width, x)
	tau, size := make([]float64, width), make([]float64, 2)
	lapack64.Geqrf(a, tau, size[:1], -1)
	lapack64.Orgqr(a, tau, size[1:], -1)
	work := make([]float64, int(max(size[0], size[1])))
	lapack64.Geqrf(a, tau, work, len(work))
	triangle = make([]float64, width*width)
	for i := range width {
		copy(triangle[i*width+i:(i+1)*width], x[i*width+i:(i+1)*width])
	}
	lapack64.Orgqr(a, tau, work, len(work))
	return triangle
}

// DenseFactor is a matrix that has all its numbers.
type DenseFactor struct{ A *mat.Dense }

// Dims returns n and d.
func (f DenseFactor) Dims() (n, d int) { return f.A.Dims() }

// Mul multiplies.
func (f DenseFactor) Mul(dst, src []float64, width int) {
	n, d := f.Dims()
	blas64.Gemm(gonum.NoTrans, gonum.NoTrans, 1, f.A.RawMatrix(), general(d, width, src), 0, general(n, width, dst))
}

// TMul multiplies by the transpose.
func (f DenseFactor) TMul(dst, src []float64, width int) {
	n, d := f.Dims()
	blas64.Gemm(gonum.Trans, gonum.NoTrans, 1, f.A.RawMatrix(), general(n, width, src), 0, general(d, width, dst))
}

// SparseFactor is a sparse matrix, with its transpose at hand.
type SparseFactor struct{ a, t *csr.Matrix }

// NewSparseFactor transposes a matrix.
func NewSparseFactor(a *csr.Matrix) SparseFactor { return SparseFactor{a, a.Transpose()} }

// Dims returns n and d.
func (f SparseFactor) Dims() (n, d int) { return f.a.Dims() }

// Mul multiplies.
func (f SparseFactor) Mul(dst, src []float64, width int) { f.a.MulTo(dst, src, width) }

// TMul multiplies by the transpose.
func (f SparseFactor) TMul(dst, src []float64, width int) { f.t.MulTo(dst, src, width) }

// Centered is a matrix less a row that is taken from each of its rows, A − 1·mᵀ, which of a sparse
// one nobody writes down.
type Centered struct {
	Factor
	Mean []float64 // m, length d
}

// Mul multiplies.
func (f Centered) Mul(dst, src []float64, width int) {
	f.Factor.Mul(dst, src, width)
	shift := make([]float64, width) // mᵀ·src
	for j, v := range f.Mean {
		blas.Axpy(v, src[j*width:(j+1)*width], shift)
	}
	n, _ := f.Dims()
	for i := range n {
		blas.Axpy(-1, shift, dst[i*width:(i+1)*width])
	}
}

// TMul multiplies by the transpose.
func (f Centered) TMul(dst, src []float64, width int) {
	f.Factor.TMul(dst, src, width)
	n, _ := f.Dims()
	sum := make([]float64, width) // 1ᵀ·src
	for i := range n {
		blas.Axpy(1, src[i*width:(i+1)*width], sum)
	}
	_ = parallel.For(context.Background(), len(f.Mean), 512, func(_, lo, hi int) {
		for j := lo; j < hi; j++ {
			blas.Axpy(-f.Mean[j], sum, dst[j*width:(j+1)*width])
		}
	})
}
