//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/cluster"
	"gonum.org/v1/gonum/mat"
)

func init() {
	// One start by greedy k-means++, 100 iterations at most and no tolerance, as the peers are called.
	kmeans := func(ctx context.Context, x, _ *mat.Dense) (float64, error) {
		m, err := cluster.KMeans{K: 50, Restarts: 1, MaxIter: 100}.Fit(ctx, x)
		if err != nil {
			return 0, err
		}
		return m.Inertia, nil
	}
	register(
		row{"kmeans-lloyd", "blobs100k50", kmeans},
		row{"kmeans-elkan", "blobs100k50", kmeans},
		row{"kmeans-faiss", "blobs100k50", kmeans},
	)
}
