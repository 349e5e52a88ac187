//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/manifold"
	"gonum.org/v1/gonum/mat"
)

func init() {
	register(
		row{"umap-digits", "digits", umap},
		row{"umap-20k", "blobs20k50", umap},
		row{"pacmap-digits", "digits", pacmap},
		row{"pacmap-20k", "blobs20k50", pacmap},
	)
}

func umap(ctx context.Context, x, _ *mat.Dense) (float64, error) {
	m, err := manifold.UMAP{Neighbors: 15, Seed: current.seed}.Fit(ctx, x)
	if err != nil {
		return 0, err
	}
	return trust(ctx, x, m.Embedding)
}

// pacmap asks for 10 neighbors at any size, as the peer's side does.
func pacmap(ctx context.Context, x, _ *mat.Dense) (float64, error) {
	m, err := manifold.PaCMAP{Neighbors: 10, Seed: current.seed}.Fit(ctx, x)
	if err != nil {
		return 0, err
	}
	return trust(ctx, x, m.Embedding)
}
