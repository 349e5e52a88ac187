//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/mixture"
	"gonum.org/v1/gonum/mat"
)

func init() {
	// One start from k-means, 100 iterations at most, and the peer's tolerance on the mean log-likelihood.
	register(row{"gmm-full", "blobs20k10", func(ctx context.Context, x, _ *mat.Dense) (float64, error) {
		m, err := mixture.GMM{K: 10, Restarts: 1, MaxIter: 100, Tol: 1e-4}.Fit(ctx, x)
		if err != nil {
			return 0, err
		}
		return m.LogLikelihood, nil
	}})
}
