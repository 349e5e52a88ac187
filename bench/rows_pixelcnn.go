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
		row{"made-step", "mnist10k", onBits(200, func(t neural.Train) func(context.Context, mat.Matrix) iter.Seq2[*autoregressive.MADEModel, error] {
			return autoregressive.MADE{Train: t}.Iterate
		}, func(m *autoregressive.MADEModel) neural.History { return m.History })},
		row{"pixelcnn-step", "mnist10k", onBits(20, func(t neural.Train) func(context.Context, mat.Matrix) iter.Seq2[*autoregressive.PixelCNNModel, error] {
			return autoregressive.PixelCNN{Gated: true, Channels: 16, Layers: 2, First: 5, Dropout: -1, Train: t}.Iterate
		}, func(m *autoregressive.PixelCNNModel) neural.History { return m.History })},
	)
}

// onBits is a fit of so many steps, which goes on from where the fit before it stopped.
func onBits[M any](steps int, begin func(neural.Train) func(context.Context, mat.Matrix) iter.Seq2[*M, error], history func(*M) neural.History) fit {
	var next func() (*M, error, bool)
	return func(ctx context.Context, x, _ *mat.Dense) (float64, error) {
		if next == nil {
			images := mat.NewDense(trainImages, 784, nil)
			images.Apply(func(i, j int, _ float64) float64 { return bits(x, 0, trainImages).At(i, j) }, images)
			t := endless(steps)
			t.LearningRate = 1e-3
			next, _ = iter.Pull2(begin(t)(ctx, images))
		}
		m, err, _ := next()
		if err != nil {
			return 0, err
		}
		h := history(m)
		return h.Loss[len(h.Loss)-1], nil
	}
}
