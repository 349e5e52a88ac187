package distance

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Precomputed as a method's metric says that the matrix is not rows of data but the n×n table of
// distances itself: agglomerative and divisive clustering, multidimensional scaling, t-SNE, UMAP
// and PaCMAP take it. What measures rows refuses it.
type Precomputed struct{}

// Distance returns NaN: the table has no rows to be measured.
func (Precomputed) Distance(a, b []float64) float64 { return math.NaN() }

func (Precomputed) prepare(method string, _ *mat.Dense) (*mat.Dense, error) {
	return nil, ml.BadParameter(method, "Metric", "Precomputed", "a metric that measures rows: this takes no table of distances")
}

func (Precomputed) rows(dst, a, rows []float64, stride int) {
	for i := range dst {
		dst[i] = math.NaN()
	}
}

// TableTolerance is how far a given table of distances may be from symmetric, from a diagonal of
// zeros, and below zero, as a part of its largest entry: some ten steps of float32. Every method
// that takes a table takes it so.
const TableTolerance = 1e-6

// Table checks a matrix that is given as a table of distances, or of dissimilarities that need not
// keep the triangle inequality, and returns the mean of it and its transpose, its diagonal zero.
// What rounding leaves, also that of a table computed in float32, is taken: a diagonal, a
// difference of two entries that should be equal, and a negative entry, which becomes zero, up to
// TableTolerance of the largest entry. The errors are those of ml.Dense, ml.ErrShape for a table
// that is not square, ml.ErrParameter for one that is further from symmetric, has a negative entry,
// or a diagonal that is not zero, and ctx.Err().
func Table(ctx context.Context, method string, d mat.Matrix) (*mat.Dense, error) {
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
	largest := 0.0
	for i := range n {
		for _, v := range src[i*n : i*n+n] {
			largest = max(largest, v)
		}
	}
	slack := TableTolerance * largest
	for i := range n {
		if v := src[i*n+i]; math.Abs(v) > slack {
			return nil, ml.BadParameter(method, fmt.Sprintf("the distance of object %d from itself", i), v, "0")
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
					case a < -slack:
						bad[c] = ml.BadParameter(method, fmt.Sprintf("the distance in row %d, column %d", i, j), a, "0 or more")
					case b < -slack:
						bad[c] = ml.BadParameter(method, fmt.Sprintf("the distance in row %d, column %d", j, i), b, "0 or more")
					case math.Abs(a-b) > slack:
						bad[c] = ml.BadParameter(method, fmt.Sprintf("the distance in row %d, column %d", i, j), a, fmt.Sprintf("%v, as in row %d, column %d: the table must be symmetric", b, j, i))
					}
					dst[i*n+j] = max(a, 0)/2 + max(b, 0)/2
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
