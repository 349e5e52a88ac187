package cluster

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// BisectingKMeans builds a tree over the rows of a matrix from above: 2-means cuts all rows in two,
// then each part, until rows that are together are equal (Steinbach, Karypis & Kumar, 2000). A
// split stands at the height (2J)^½, where J is the sum of squared distances of the cluster's rows
// from their mean: of two rows that is their distance, as in Ward's tree. So CutCount(k) is what
// one gets by splitting k−1 times, always the cluster of greatest distortion.
//
// It costs O(nd) for each level of the tree, times restarts and iterations, and O(nd) memory. The
// zero value is ready to use.
type BisectingKMeans struct {
	Restarts int    // independent starts of each 2-means, the best is kept; 0 means 10
	MaxIter  int    // of each start; 0 means 300
	Seed     uint64 // same seed, same result
}

// Fit returns the tree. The errors are those of ml.Dense, ml.ErrParameter for an option below 0 or
// data too large for a height that a float64 can hold, and ctx.Err(), without a tree, when ctx ends
// first.
func (b BisectingKMeans) Fit(ctx context.Context, x mat.Matrix) (*Tree, error) {
	const method = "cluster.BisectingKMeans"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(atLeastZero(method, "Restarts", b.Restarts), atLeastZero(method, "MaxIter", b.MaxIter)); err != nil {
		return nil, err
	}
	p, err := locate(ctx, y)
	if err != nil {
		return nil, err
	}
	merges := make([]fused, 0, p.n-1)
	for pending := [][]int32{positions(p.n)}; len(pending) > 0; {
		c := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if len(c) == 1 {
			continue
		}
		j := p.distortion(c)
		height := math.Sqrt(2*j) / p.scale
		if math.IsInf(height, 0) {
			return nil, overflow(method)
		}
		cut := 1 // of equal rows: one is as good as any
		if j > 0 && len(c) > 2 {
			if cut, err = b.split(ctx, p, c); err != nil {
				return nil, err
			}
		}
		merges = append(merges, fused{c[0], c[cut], height})
		pending = append(pending, c[:cut], c[cut:])
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	slices.Reverse(merges)
	return monotoneTree(p.n, merges), nil
}

func atLeastZero(method, name string, v int) error {
	if v < 0 {
		return ml.BadParameter(method, name, v, "0 (for the default) or more")
	}
	return nil
}

// distortion is the sum of squared distances of some rows from their mean.
func (p *located) distortion(rows []int32) float64 {
	mean := make([]float64, p.stride)
	first := p.row(int(rows[0]))
	for _, i := range rows { // from the first row: the mean of equal rows is that row
		for j, v := range p.row(int(i)) {
			mean[j] += (v - first[j]) / float64(len(rows))
		}
	}
	for j := range mean {
		mean[j] += first[j]
	}
	sum := 0.0
	for _, i := range rows {
		sum += blas.SqEuclidean(mean, p.row(int(i)))
	}
	return sum
}

// split sorts rows into two clusters by 2-means and returns where the second begins.
func (b BisectingKMeans) split(ctx context.Context, p *located, c []int32) (int, error) {
	x := mat.NewDense(len(c), p.stride, nil)
	for k, i := range c {
		copy(x.RawRowView(k), p.row(int(i)))
	}
	m, err := KMeans{K: 2, Restarts: b.Restarts, MaxIter: b.MaxIter, Seed: b.Seed}.Fit(ctx, x)
	if err != nil {
		return 0, err
	}
	var parts [2][]int32
	for k, i := range c {
		parts[m.Labels[k]] = append(parts[m.Labels[k]], i)
	}
	copy(c, parts[0])
	copy(c[len(parts[0]):], parts[1])
	// Rows that differ by less than a center can show may end up in one cluster.
	return min(max(len(parts[0]), 1), len(c)-1), nil
}
