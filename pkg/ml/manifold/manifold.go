// Package manifold draws maps: it places the rows of a matrix, or objects of which only distances are known, in few dimensions so that what is near stays
// near. Classical, metric and non-metric multidimensional scaling keep distances or their order; Isomap keeps distances along a surface; locally linear
// embedding keeps how each point is made of its neighbors; SNE, t-SNE, UMAP and PaCMAP keep neighborhoods.
//
// A map has no axes: turned, mirrored or moved it says the same. What else must not be read from it each method's comment says.
package manifold

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

func orDefault[T int | float64](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// components is the number of dimensions of a map, 2 unless the option says otherwise, and at most what the method allows of its data.
func components(method string, option, most int) (int, error) {
	k := orDefault(option, 2)
	if k < 1 || k > most {
		return 0, ml.BadParameter(method, "Components", k, sprintf("1 ≤ Components ≤ %d for these data (0 means 2)", most))
	}
	return k, nil
}

// checkInit checks a given start of a map of n points in k dimensions.
func checkInit(method string, init mat.Matrix, n, k int) (*mat.Dense, error) {
	y, err := ml.Dense(method+": Init", init)
	if err != nil {
		return nil, err
	}
	if r, c := y.Dims(); r != n || c != k {
		return nil, ml.BadShape(method, "Init is %d×%d, want n×Components = %d×%d", r, c, n, k)
	}
	return y, nil
}

// checkTable checks a table of distances or dissimilarities: square, symmetric to rounding, no entry negative, zeros on the diagonal. It returns its mean
// with its transpose, as a matrix of its own.
func checkTable(ctx context.Context, method string, d mat.Matrix) (*mat.Dense, error) {
	y, err := ml.Dense(method, d)
	if err != nil {
		return nil, err
	}
	n, c := y.Dims()
	if n != c {
		return nil, ml.BadShape(method, "the table of distances is %d×%d, want n×n", n, c)
	}
	out := mat.NewDense(n, n, nil)
	src, dst := y.RawMatrix().Data, out.RawMatrix().Data
	for i := range n {
		if v := src[i*n+i]; v != 0 {
			return nil, ml.BadParameter(method, sprintf("the distance of object %d from itself", i), v, "0")
		}
	}
	const tile = 64 // of the table and of its transpose, so that both stay in the cache
	bad := make([]error, parallel.Chunks(n, tile))
	err = parallel.For(ctx, n, tile, func(c, lo, hi int) {
		for left := 0; left < hi && bad[c] == nil; left += tile {
			for i := lo; i < hi; i++ {
				for j := left; j < min(left+tile, i); j++ {
					a, b := src[i*n+j], src[j*n+i]
					switch {
					case a < 0:
						bad[c] = ml.BadParameter(method, sprintf("the distance in row %d, column %d", i, j), a, "0 or more")
					case b < 0:
						bad[c] = ml.BadParameter(method, sprintf("the distance in row %d, column %d", j, i), b, "0 or more")
					case math.Abs(a-b) > 1e-9*max(a, b):
						bad[c] = ml.BadParameter(method, sprintf("the distance in row %d, column %d", i, j), a, sprintf("%v, as in row %d, column %d: the table must be symmetric", b, j, i))
					}
					dst[i*n+j] = a/2 + b/2
					dst[j*n+i] = dst[i*n+j]
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	for _, b := range bad {
		if b != nil {
			return nil, b
		}
	}
	return out, nil
}

// tamed returns x times a power of two, and that power: 1, and x itself, where squares of its values neither overflow nor vanish.
func tamed(x *mat.Dense) (*mat.Dense, float64) {
	most := 0.0
	for _, v := range x.RawMatrix().Data {
		most = max(most, math.Abs(v))
	}
	if most == 0 || most > 1e-100 && most < 1e100 {
		return x, 1
	}
	_, e := math.Frexp(most)
	scale := math.Ldexp(1, min(max(-e, -1021), 1021))
	var y mat.Dense
	y.Scale(scale, x)
	return &y, scale
}

// copied returns a copy of x, made by pieces so that it can be interrupted. The error is ctx.Err().
func copied(ctx context.Context, x *mat.Dense) (*mat.Dense, error) {
	n, d := x.Dims()
	y := mat.NewDense(n, d, nil)
	return y, parallel.For(ctx, n, 256, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			copy(y.RawRowView(i), x.RawRowView(i))
		}
	})
}

// centerColumns takes away the mean of each column.
func centerColumns(y *mat.Dense) {
	n, d := y.Dims()
	mean := make([]float64, d)
	for i := range n {
		blas.Axpy(1/float64(n), y.RawRowView(i), mean)
	}
	for i := range n {
		blas.Axpy(-1, mean, y.RawRowView(i))
	}
}

// principal returns the n×k scores of the rows on their first k principal components, of which more than min(n, d) are 0. The error is ctx.Err().
func principal(ctx context.Context, x *mat.Dense, k int, seed uint64) (*mat.Dense, error) {
	y, _ := tamed(x)
	y, err := copied(ctx, y)
	if err != nil {
		return nil, err
	}
	centerColumns(y)
	n, d := y.Dims()
	scores := mat.NewDense(n, k, nil)
	wide := d > n
	gram := mat.NewSymDense(min(n, d), nil)
	// In strips of some 50 ms, so that it can be interrupted.
	for lo, step := 0, max(1, 1<<30/min(n, d)/min(n, d)); lo < max(n, d); lo += step {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if hi := min(lo+step, max(n, d)); wide {
			gram.SymRankK(gram, 1, y.Slice(0, n, lo, hi))
		} else {
			gram.SymRankK(gram, 1, y.Slice(lo, hi, 0, d).T())
		}
	}
	r, err := largest(ctx, mat.DenseCopyOf(gram), min(k, n, d), seed)
	if err != nil {
		return nil, err
	}
	if wide { // the vectors hold the scores themselves, in units of their length
		for c, v := range r.Vectors {
			length := math.Sqrt(max(r.Values[c], 0))
			for i, s := range v {
				scores.Set(i, c, s*length)
			}
		}
		return scores, ctx.Err()
	}
	return scores, parallel.For(ctx, n, 256, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			for c, v := range r.Vectors {
				scores.Set(i, c, blas.Dot(y.RawRowView(i), v))
			}
		}
	})
}

// largest returns the k largest eigenvalues of a symmetric matrix, descending, and their eigenvectors, each with its entry of largest size positive. The
// error is ctx.Err().
func largest(ctx context.Context, a *mat.Dense, k int, seed uint64) (eigen.Result, error) {
	n, _ := a.Dims()
	bound := boundOf(a)
	if n <= 200 || bound == 0 || 2*k > n/4 {
		negative := mat.NewSymDense(n, nil)
		for i := range n {
			for j := i; j < n; j++ {
				negative.SetSym(i, j, -a.At(i, j))
			}
		}
		var r eigen.Result
		if err := abandon(ctx, func() { r, _ = eigen.SmallestDense(negative, k) }); err != nil {
			return eigen.Result{}, err
		}
		for c := range r.Values {
			r.Values[c] = -r.Values[c] + 0 // no -0
			upright(r.Vectors[c])
		}
		return r, ctx.Err()
	}
	r, err := eigen.Smallest(ctx, shifted{a, bound}, k, nil, seed)
	for c := range r.Values {
		// Of the matrix, and not as a difference from the bound, which costs digits where the value is small.
		v := mat.NewVecDense(n, r.Vectors[c])
		var image mat.VecDense
		image.MulVec(a, v)
		r.Values[c] = mat.Dot(v, &image)
		upright(r.Vectors[c])
	}
	return r, err
}

// abandon runs what can't be interrupted; whoever cancels does not wait for its end. The error is ctx.Err(), and what f computes is not to be looked at then.
func abandon(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// boundOf is a number that no eigenvalue exceeds in size: the largest sum of a row, or the Frobenius norm where that is smaller.
func boundOf(a *mat.Dense) float64 {
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

// upright turns a vector so that its largest entry, the first of nearly equals, is positive: of v and −v always the same one is returned.
func upright(v []float64) {
	at := 0
	for i := range v {
		if math.Abs(v[i]) > math.Abs(v[at])*(1+1e-9) {
			at = i
		}
	}
	if v[at] < 0 {
		for i := range v {
			v[i] = -v[i]
		}
	}
}
