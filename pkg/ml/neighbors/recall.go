package neighbors

import (
	"cmp"
	"context"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// Recall measures which part of the true neighbors a graph of the rows of x has found: for a random
// sample of rows (0 means 1000, and all where there are no more) it looks for the nearest ones
// exactly, and counts those at least as near as the farthest of them that the graph lists for the
// row, so that of equally near ones any will do. 1 means that nothing was missed. It costs
// O(sample·n·d).
//
// The errors are those of KNN.Query, ml.ErrShape for a graph of other rows, and ml.ErrParameter for
// a sample below 0.
func Recall(ctx context.Context, g *Graph, x mat.Matrix, metric distance.Metric, sample int, seed uint64) (float64, error) {
	const method = "neighbors.Recall"
	dense, err := ml.Dense(method, x)
	if err != nil {
		return 0, err
	}
	n, d := dense.Dims()
	switch {
	case g == nil || g.Len() != n:
		return 0, ml.BadShape(method, "the graph is not one of the %d rows of x", n)
	case sample < 0:
		return 0, ml.BadParameter(method, "sample", sample, "0 (for 1000) or more")
	}
	sample = min(cmp.Or(sample, 1000), n)
	rows := rng.New(seed).Perm(n)[:sample]
	most := 0
	queries := mat.NewDense(sample, d, nil)
	for q, i := range rows {
		queries.SetRow(q, dense.RawRowView(i))
		most = max(most, g.Start[i+1]-g.Start[i])
	}
	// One more, since a row finds itself.
	exact, err := KNN{K: min(most+1, n), Metric: metric}.Query(ctx, dense, queries)
	if err != nil {
		return 0, err
	}
	found, all := 0, 0
	for q, i := range rows {
		_, have := g.Of(i)
		others, d := exact.Of(q)
		if len(have) == 0 {
			continue
		}
		// The row itself, or one that equals it and stands before it, is at the front and not
		// counted.
		d = d[1:min(len(have)+1, len(others))]
		all += len(have)
		for _, v := range have {
			if len(d) > 0 && v <= d[len(d)-1] {
				found++
			}
		}
	}
	if all == 0 {
		return 1, nil
	}
	return float64(found) / float64(all), nil
}
