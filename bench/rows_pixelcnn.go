//go:build unix && !lean

package main

import (
	"context"
	"iter"

	"github.com/golatent/latent/pkg/ml/autoregressive"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
)

// Autoregressive networks on MNIST's bits against JAX, the same graphs.
func init() {
	register(
		row{"made-step", "mnist10k", goingOn(1, madeSteps, func(m *autoregressive.MADEModel) neural.History { return m.History })},
		row{"pixelcnn-step", "mnist10k", goingOn(1, pixelCNNSteps, func(m *autoregressive.PixelCNNModel) neural.History { return m.History })},
	)
}

func madeSteps(ctx context.Context, x, _ *mat.Dense) (iter.Seq2[*autoregressive.MADEModel, error], error) {
	t := endless(200)
	t.LearningRate = 1e-3
	return autoregressive.MADE{Train: t}.Iterate(ctx, bits(x, 0, trainImages)), nil
}

func pixelCNNSteps(ctx context.Context, x, _ *mat.Dense) (iter.Seq2[*autoregressive.PixelCNNModel, error], error) {
	t := endless(20)
	t.LearningRate = 1e-3
	return autoregressive.PixelCNN{Gated: true, Channels: 16, Layers: 2, First: 5, Dropout: -1, Train: t}.Iterate(ctx, bits(x, 0, trainImages)), nil
}
