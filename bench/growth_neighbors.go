//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/manifold"
	"github.com/golatent/latent/pkg/ml/neighbors"
)

func init() {
	clumps := func(find func(context.Context, datasets.Dataset) error) func(int) (func(context.Context) error, error) {
		return func(n int) (func(context.Context) error, error) {
			d := datasets.Blobs(n, 50, 10, 3, 5)
			return func(ctx context.Context) error { return find(ctx, d) }, nil
		}
	}
	registerGrowth(
		growth{"nn-descent", "n rows, d = 50, 15 neighbors, recall 0.97 or more", "n log n by experience: at most n^1.2", []int{9000, 18000, 35000, 70000},
			clumps(func(ctx context.Context, d datasets.Dataset) error {
				_, err := neighbors.NNDescent{K: 15}.Fit(ctx, d.X)
				return err
			})},
		growth{"knn, exact", "n rows, d = 50, 15 neighbors", "n²", []int{5000, 10000, 20000},
			clumps(func(ctx context.Context, d datasets.Dataset) error {
				_, err := neighbors.KNN{K: 15}.Fit(ctx, d.X)
				return err
			})},
		growth{"umap", "n rows, d = 50, 50 epochs", "n log n: neighbors, edges and pushes", []int{20000, 40000, 80000},
			clumps(func(ctx context.Context, d datasets.Dataset) error {
				_, err := manifold.UMAP{Epochs: 50}.Fit(ctx, d.X)
				return err
			})},
	)
}
