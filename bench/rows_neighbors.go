//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/neighbors"
)

func init() {
	register(
		row{name: "knn-exact", input: "blobs20k50", figures: []figure{{"sum of 15th distances", equal}}, fit: nearest},
		row{name: "knn-descent", input: "blobs20k50", figures: []figure{{"recall", higher}}, fit: descent},
	)
}

func nearest(ctx context.Context, p problem) (judge, error) {
	g, err := neighbors.KNN{K: 15}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	sum := 0.0
	for i := range g.Len() {
		_, d := g.Of(i)
		sum += d[len(d)-1]
	}
	return known(sum), nil
}

func descent(ctx context.Context, p problem) (judge, error) {
	g, err := neighbors.NNDescent{K: 15, Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) ([]float64, error) {
		recall, err := neighbors.Recall(ctx, g, p.X, nil, g.Len(), 0)
		return []float64{recall}, err
	}, nil
}
