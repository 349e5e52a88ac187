//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/mixture"
)

func init() {
	register(row{name: "gmm-full", input: "blobs20k10", figures: []figure{{"mean loglik", higher}}, fit: gmm})
}

// gmm is one start from k-means, 100 iterations at most, and the peer's tolerance on the mean
// log-likelihood.
func gmm(ctx context.Context, p problem) (judge, error) {
	m, err := mixture.GMM{K: 10, Restarts: 1, MaxIter: 100, Tol: 1e-4, Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return known(m.LogLikelihood), nil
}
