//go:build unix && !lean

package main

import (
	"context"
	"iter"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/vae"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Networks against JAX: the same graphs on XLA's CPU, each side with all the cores there are whatever the number of threads asked for. A network is compiled at
// the first fit of a process and kept for the next, so that the best fit is steps and nothing else.
func init() {
	register(
		row{"mlp-step", "mnist10k", goingOn(4, mlpSteps, func(r *neural.Result) neural.History { return r.History })},
		row{"vae-step", "mnist10k", goingOn(2, vaeSteps, func(m *vae.VAEModel) neural.History { return m.History })},
		row{"vae-mnist", "mnist10k", vaeWhole},
	)
}

const trainImages = 8500 // of the 10,000; the others are for testing

func endless(steps int) neural.Train {
	return neural.Train{Steps: 1 << 30, Batch: 128, Report: steps, Backend: xlatest.Backend()}
}

// goingOn is a fit of so many reports of one training, which goes on from where the fit before it stopped.
func goingOn[M any](reports int, begin func(ctx context.Context, x, y *mat.Dense) (iter.Seq2[*M, error], error), history func(*M) neural.History) fit {
	var next func() (*M, error, bool)
	return func(ctx context.Context, x, y *mat.Dense) (float64, error) {
		if next == nil {
			models, err := begin(ctx, x, y)
			if err != nil {
				return 0, err
			}
			next, _ = iter.Pull2(models)
		}
		var loss float64
		for range reports {
			m, err, _ := next()
			if err != nil {
				return 0, err
			}
			h := history(m)
			loss = h.Loss[len(h.Loss)-1]
		}
		return loss, nil
	}
}

func mlpSteps(ctx context.Context, x, y *mat.Dense) (iter.Seq2[*neural.Result, error], error) {
	p, err := mlp(x, y)
	return endless(100).Iterate(ctx, p), err
}

func vaeSteps(ctx context.Context, x, _ *mat.Dense) (iter.Seq2[*vae.VAEModel, error], error) {
	return vae.VAE{Latents: 16, Train: endless(100)}.Iterate(ctx, bits(x, 0, trainImages)), nil
}

func mlp(x, y *mat.Dense) (neural.Problem, error) {
	// Views, here and below: a copy in float64 would count as the library's memory.
	images, err := neural.Rows("bench", view{x, 0, trainImages, func(v float64) float64 { return v / 255 }})
	labels := make([]int, trainImages)
	for i := range labels {
		labels[i] = int(y.At(i, 0))
	}
	return neural.Problem{Method: "bench", Data: []*neural.Array{images, neural.Classes(labels)}, Loss: func(s *model.Scope, b neural.Batch) neural.Loss {
		h := activation.Relu(layers.DenseWithBias(s.In("hidden"), b.Data[0], 256))
		logits := layers.DenseWithBias(s.In("out"), h, 10)
		right := graph.OneHot(b.Data[1], 10, dtypes.Float32)
		return neural.Loss{Total: graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(right, graph.LogSoftmax(logits)), -1)))}
	}}, err
}

// view is some rows of a matrix with a function of each number. The matrix is no embedded one: its RawMatrix would become the view's, and a copy of the view one of the matrix.
type view struct {
	whole    *mat.Dense
	from, to int
	f        func(float64) float64
}

func (v view) Dims() (n, d int) {
	_, d = v.whole.Dims()
	return v.to - v.from, d
}

func (v view) At(i, j int) float64 { return v.f(v.whole.At(v.from+i, j)) }

func (v view) T() mat.Matrix { return mat.Transpose{Matrix: v} }

func bits(x *mat.Dense, from, to int) view {
	return view{x, from, to, func(v float64) float64 {
		if v > 127 {
			return 1
		}
		return 0
	}}
}

// vaeWhole trains for 1,980 steps, some thirty times over the images, compiling and all, and measures the bound on those for testing.
func vaeWhole(ctx context.Context, x, _ *mat.Dense) (float64, error) {
	m, err := vae.VAE{Latents: 16, Train: neural.Train{Steps: 1980, Batch: 128, Report: 1980, Seed: current.seed, Backend: xlatest.Backend()}}.Fit(ctx, bits(x, 0, trainImages))
	if err != nil {
		return 0, err
	}
	n, _ := x.Dims()
	b, err := m.ELBO(ctx, bits(x, trainImages, n), nil, 16, 2)
	if err != nil {
		return 0, err
	}
	return -stat.Mean(b.ELBO, nil), nil
}
