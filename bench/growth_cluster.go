//go:build unix

package main

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/cluster"
)

func init() {
	registerGrowth(
		growth{"k-means", "n rows, d = 10, K = 20, ten iterations", "n", []int{20000, 40000, 80000},
			func(n int) (func(context.Context) error, error) { return kmeansGrowth(n, 20) }},
		growth{"k-means, clusters", "K, n = 20,000, d = 10, ten iterations", "K, less what bounds on distances skip", []int{50, 100, 200},
			func(k int) (func(context.Context) error, error) { return kmeansGrowth(20000, k) }},
		growth{"spectral, blocks", "n nodes of a block model with 24 edges a node", "n: the gap between the eigenvalues stays", []int{2000, 4000, 8000}, spectralBlocks},
		growth{"spectral, sheet", "n rows of a Swiss roll, 10 neighbors", "n^1.5: the gap falls as 1/n, and steps grow as its root", []int{2000, 4000, 8000}, spectralSheet},
	)
}

// kmeansGrowth runs ten iterations on one cloud, where k-means is not done so soon: how many it
// takes to converge is another question.
func kmeansGrowth(n, k int) (func(context.Context) error, error) {
	x := datasets.Blobs(n, 10, 1, 1, 1).X
	return func(ctx context.Context) error {
		m, err := cluster.KMeans{K: k, Restarts: 1, MaxIter: 10, Start: cluster.RandomPoints}.Fit(ctx, x)
		if err == nil && m.Iterations != 10 {
			err = fmt.Errorf("%d iterations, want 10", m.Iterations)
		}
		return err
	}, nil
}

// spectralBlocks cuts a graph of two blocks: 20 edges of a node stay in its block, 4 leave it.
func spectralBlocks(n int) (func(context.Context) error, error) {
	edges, _ := datasets.BlockModel(n, 2, 40/float64(n), 8/float64(n), 1)
	graph, err := cluster.FromEdges(n, edges, nil)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) error {
		_, err := cluster.Spectral{K: 2, Restarts: 1}.Fit(ctx, graph)
		return err
	}, nil
}

// spectralSheet cuts a sheet, which is connected at every size.
func spectralSheet(n int) (func(context.Context) error, error) {
	x := datasets.SwissRoll(n, 0, 1).X
	return func(ctx context.Context) error {
		_, err := cluster.Spectral{K: 2, Restarts: 1}.Fit(ctx, x)
		return err
	}, nil
}
