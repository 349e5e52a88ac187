//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/cluster"
	"gonum.org/v1/gonum/mat"
)

func init() {
	for _, linkage := range []cluster.Linkage{cluster.Single, cluster.Complete, cluster.Average, cluster.Ward} {
		register(row{"linkage-" + string(linkage), "blobs10k10", func(ctx context.Context, x, _ *mat.Dense) (float64, error) {
			tree, err := cluster.Agglomerative{Linkage: linkage}.Fit(ctx, x)
			if err != nil {
				return 0, err
			}
			sum := 0.0
			for _, h := range tree.Heights {
				sum += h
			}
			return sum, nil
		}})
	}
}
