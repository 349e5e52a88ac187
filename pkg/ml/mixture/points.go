// Package mixture fits densities that are sums of simple ones: Gaussian mixtures by EM, soft
// k-means, and conditional mixtures of linear and of logistic regressions.
package mixture

import (
	"context"
	"math/rand/v2"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// chunk is how many rows a task takes where only columns are summed.
const chunk = 2048

// points is the data in coordinates that keep squares of 1e±150 in range.
type points struct {
	scaling.Units
	x        []float64 // n×d, row by row
	n, d     int
	variance []float64 // of each column: 0, or between 1/4 and 4 where columns have units of their own
	constant int       // columns of equal values
}

// standardize moves the columns to zero mean and scales them, each by itself, or, for methods that
// compare columns, all by the same number. The error is ctx.Err().
func standardize(ctx context.Context, x *mat.Dense, common bool) (*points, error) {
	s, err := scaling.Standardize(ctx, x, common)
	if err != nil {
		return nil, err
	}
	n, d := x.Dims()
	return &points{s.Units, s.X.RawMatrix().Data, n, d, s.Variance, s.Constant}, nil
}

func (p *points) row(i int) []float64 { return p.x[i*p.d : (i+1)*p.d] }

// Start names how a mixture chooses its first components.
type Start string

// The starts of a mixture.
const (
	// FromKMeans takes the clusters of k-means, started by greedy k-means++ (Arthur &
	// Vassilvitskii, 2007), on columns divided by their standard deviation where the method does
	// not depend on units, and on the data as they are where it does (spherical components).
	FromKMeans Start = "k-means"
	// RandomPoints takes K different points for means and the covariance of all data for every
	// component.
	RandomPoints Start = "random points"
)

const startNames = `"k-means", "random points"`

func (s Start) valid() bool { return s == "" || s == FromKMeans || s == RandomPoints }

// choose returns K starting points, rows of p.
func (s Start) choose(ctx context.Context, p *points, k int, seed uint64, restart int) []float64 {
	r := rng.New(seed, restart)
	if s == RandomPoints {
		centers := make([]float64, 0, k*p.d)
		for _, i := range r.Perm(p.n)[:k] {
			centers = append(centers, p.row(i)...)
		}
		return centers
	}
	return plusPlus(ctx, p, k, r)
}

// checkK is the condition on the number of components that every method here has.
func checkK(method string, k, n int) error {
	if k < 1 || k > n {
		return ml.BadParameter(method, "K", k, sprintf("1 ≤ K ≤ n = %d, the number of rows", n))
	}
	return nil
}

// draw returns an index with a probability in proportion to its weight.
func draw(r *rand.Rand, weights []float64) int {
	return rng.Weighted(r, weights, floats.Sum(weights))
}
