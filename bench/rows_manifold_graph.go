//go:build unix

package main

import (
	"context"
	"math"

	"github.com/golatent/latent/pkg/ml/manifold"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

func init() {
	register(row{"isomap", "swiss2k", isomap}, row{"lle", "swiss2k", lle})
}

func isomap(ctx context.Context, x, y *mat.Dense) (float64, error) {
	m, err := manifold.Isomap{Neighbors: 10}.Fit(ctx, x)
	if err != nil {
		return 0, err
	}
	best, truth := 0.0, mat.Col(nil, 0, y)
	for c := range 2 {
		best = max(best, math.Abs(stat.Correlation(mat.Col(nil, c, m.Embedding), truth, nil)))
	}
	return best, nil
}

func lle(ctx context.Context, x, _ *mat.Dense) (float64, error) {
	m, err := manifold.LLE{Neighbors: 12}.Fit(ctx, x)
	if err != nil {
		return 0, err
	}
	return m.ReconstructionError, nil
}
