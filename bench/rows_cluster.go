//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/cluster"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func init() {
	inertia := []figure{{"inertia", lower}}
	register(
		// One method of ours beside both of scikit-learn's.
		row{name: "kmeans-lloyd", input: "blobs100k50", figures: inertia, fit: kmeans(cluster.GreedyPlusPlus)},
		row{name: "kmeans-elkan", input: "blobs100k50", figures: inertia, fit: kmeans(cluster.GreedyPlusPlus)},
		row{name: "kmeans-faiss", input: "blobs100k50", figures: inertia, fit: kmeans(cluster.PlusPlus)},
		row{name: "kmeans-minibatch", input: "blobs100k50", figures: inertia, fit: minibatch},
		row{name: "spectral", input: "moons3k", figures: []figure{{"normalized cut", lower}, {"ARI", higher}}, fit: spectral},
	)
	for _, linkage := range []cluster.Linkage{cluster.Single, cluster.Complete, cluster.Average, cluster.Ward} {
		register(row{name: "linkage-" + string(linkage), input: "blobs10k10", figures: []figure{{"sum of heights", equal}},
			fit: func(ctx context.Context, p problem) (judge, error) {
				tree, err := cluster.Agglomerative{Linkage: linkage}.Fit(ctx, p.X)
				if err != nil {
					return nil, err
				}
				return known(floats.Sum(tree.Heights)), nil
			}})
	}
}

// kmeans is one start, 100 iterations at most and no tolerance, as the peers are called.
func kmeans(start cluster.Start) fit {
	return func(ctx context.Context, p problem) (judge, error) {
		m, err := cluster.KMeans{K: 50, Start: start, Restarts: 1, MaxIter: 100, Seed: p.Seed}.Fit(ctx, p.X)
		if err != nil {
			return nil, err
		}
		return known(m.Inertia), nil
	}
}

// minibatch goes ten times over the data in batches of 1,024, as the peer does.
func minibatch(ctx context.Context, p problem) (judge, error) {
	n, _ := p.X.Dims()
	m, err := cluster.MiniBatchKMeans{K: 50, Batch: 1024, Steps: 10 * n / 1024, Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return known(m.Inertia), nil
}

func spectral(ctx context.Context, p problem) (judge, error) {
	m, err := cluster.Spectral{K: 2, Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) ([]float64, error) {
		graph, err := cluster.NearestNeighbors{K: 10}.Graph(ctx, p.X) // the default, and the peer's
		if err != nil {
			return nil, err
		}
		var cut float64
		var degree [2]float64
		graph.DoNonZero(func(i, j int, weight float64) {
			degree[m.Labels[i]] += weight
			if m.Labels[i] != m.Labels[j] {
				cut += weight / 2
			}
		})
		return []float64{cut/degree[0] + cut/degree[1], evaluate.ARI(m.Labels, labels(p.Y))}, nil
	}, nil
}

// labels are the classes in a column.
func labels(y *mat.Dense) []int {
	n, _ := y.Dims()
	out := make([]int, n)
	for i := range out {
		out[i] = int(y.At(i, 0))
	}
	return out
}
