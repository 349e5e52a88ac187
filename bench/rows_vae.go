//go:build unix && !lean

package main

import (
	"context"
	"iter"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/vae"
	"gonum.org/v1/gonum/stat"
)

func init() {
	register(
		steps("vae-step", "mnist10k", 2, vaeSteps, func(m *vae.VAEModel) neural.History { return m.History }),
		row{name: "vae-mnist", input: "mnist10k", figures: []figure{{"-ELBO on the test images", lower}}, fit: vaeWhole},
	)
}

func vaeSteps(ctx context.Context, p problem) (iter.Seq2[*vae.VAEModel, error], error) {
	return vae.VAE{Latents: 16, Train: endless(100, p.Seed)}.Iterate(ctx, bits(p.X, 0, trainImages)), nil
}

// vaeWhole trains for 1,980 steps, some thirty times over the images, compiling and all; the bound
// is that on those for testing.
func vaeWhole(ctx context.Context, p problem) (judge, error) {
	t := neural.Train{Steps: 1980, Batch: 128, Report: 1980, Seed: p.Seed, Backend: xlatest.Backend()}
	m, err := vae.VAE{Latents: 16, Train: t}.Fit(ctx, bits(p.X, 0, trainImages))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) ([]float64, error) {
		n, _ := p.X.Dims()
		b, err := m.ELBO(ctx, bits(p.X, trainImages, n), nil, 16, p.Seed)
		if err != nil {
			return nil, err
		}
		return []float64{-stat.Mean(b.ELBO, nil)}, nil
	}, nil
}
