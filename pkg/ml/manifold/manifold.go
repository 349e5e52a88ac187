// Package manifold draws maps: it places the rows of a matrix, or objects of which only distances
// are known, in few dimensions so that what is near stays near. Classical, metric and non-metric
// multidimensional scaling keep distances or their order; Isomap keeps distances along a surface;
// locally linear embedding keeps how each point is made of its neighbors; SNE, t-SNE, UMAP and
// PaCMAP keep neighborhoods.
//
// A map has no axes: turned, mirrored or moved it says the same. What else must not be read from it
// each method's comment says.
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

// components is the number of dimensions of a map, 2 unless the option says otherwise, and at most
// what the method allows of its data.
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

// principal returns the n×k scores of the rows on their first k principal components, of which more
// than min(n, d) are 0. The error is ctx.Err().
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
