// Package manifold draws maps: it places the rows of a matrix, or objects of which only distances are known, in few dimensions so that what is near stays
// near. Classical, metric and non-metric multidimensional scaling keep distances or their order; Isomap keeps distances along a surface; locally linear
// embedding keeps how each point is made of its neighbors; SNE, t-SNE, UMAP and PaCMAP keep neighborhoods.
//
// A map has no axes: turned, mirrored or moved it says the same. What else must not be read from it each method's comment says.
package manifold

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// components is the number of dimensions of a map, 2 unless the option says otherwise, and at most what the method allows of its data.
func components(method string, option, most int) (int, error) {
	k := cmp.Or(option, 2)
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

// principal returns the n×k scores of the rows on their first k principal components, of which more than min(n, d) are 0. The error is ctx.Err().
func principal(ctx context.Context, x *mat.Dense, k int, seed uint64) (*mat.Dense, error) {
	y, _ := scaling.InRange(x)
	y, err := copied(ctx, y)
	if err != nil {
		return nil, err
	}
	scaling.Center(y)
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
	r, err := eigen.Largest(ctx, mat.DenseCopyOf(gram), min(k, n, d), seed)
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
