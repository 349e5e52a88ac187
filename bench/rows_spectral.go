//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/cluster"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"gonum.org/v1/gonum/mat"
)

func init() {
	register(row{"spectral", "moons3k", func(ctx context.Context, x, y *mat.Dense) (float64, error) {
		m, err := cluster.Spectral{K: 2}.Fit(ctx, x)
		if err != nil {
			return 0, err
		}
		truth := make([]int, len(m.Labels))
		for i := range truth {
			truth[i] = int(y.At(i, 0))
		}
		return evaluate.ARI(m.Labels, truth), nil
	}})
}
