//go:build unix

package main

import (
	"context"
	"fmt"
	"os"

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
		growth{"nn-descent", "n rows, d = 50, 15 neighbors, recall 0.95 or more", "n log n by experience: at most n^1.2", []int{9000, 18000, 35000, 70000}, descentOfClumps},
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

// descentOfClumps times a search of which it has seen, before the clock runs, that it finds what it
// is to find: of a search that misses more the time would say nothing.
func descentOfClumps(n int) (func(context.Context) error, error) {
	d := datasets.Blobs(n, 50, 10, 3, 5)
	search := neighbors.NNDescent{K: 15}
	g, err := search.Fit(context.Background(), d.X)
	if err != nil {
		return nil, err
	}
	recall, err := neighbors.Recall(context.Background(), g, d.X, nil, 1000, 0)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(os.Stderr, "nn-descent, n = %d, d = 50: recall@15 is %.4f\n", n, recall)
	if recall < 0.95 {
		return nil, fmt.Errorf("recall@15 is %.4f, want at least 0.95", recall)
	}
	return func(ctx context.Context) error {
		_, err := search.Fit(ctx, d.X)
		return err
	}, nil
}
