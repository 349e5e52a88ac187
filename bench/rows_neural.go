//go:build unix && !lean

package main

import (
	"context"
	"iter"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// Networks against JAX: the same graphs on XLA's CPU, each side with all the cores there are
// whatever the number of threads asked for. A network is compiled at the first fit of a process and
// kept for the next, so that the best fit is steps and nothing else. Starting weights are drawn
// alike, by each side's own seed.
func init() {
	register(steps("mlp-step", "mnist10k", 4, mlpSteps, func(r *neural.Trained) neural.History { return r.History }))
}

const trainImages = 8500 // of the 10,000; the others are for testing

// endless is a training that reports after so many steps.
func endless(steps int, seed uint64) neural.Train {
	return neural.Train{Steps: 1 << 30, Batch: 128, Report: steps, LearningRate: 1e-3, Backend: xlatest.Backend(), Seed: seed}
}

// steps is a row whose fits are so many reports each of one training, which goes on from where the
// fit before it stopped. Its figure is the loss of the last report.
func steps[M any](name, input string, reports int, begin func(ctx context.Context, p problem) (iter.Seq2[*M, error], error), history func(*M) neural.History) row {
	var next func() (*M, error, bool)
	return row{name: name, input: input, figures: []figure{{"training loss", lower}}, goesOn: true, fit: func(ctx context.Context, p problem) (judge, error) {
		if next == nil {
			models, err := begin(ctx, p)
			if err != nil {
				return nil, err
			}
			next, _ = iter.Pull2(models)
		}
		var loss float64
		for range reports {
			m, err, _ := next()
			if err != nil {
				return nil, err
			}
			h := history(m)
			loss = h.Loss[len(h.Loss)-1]
		}
		return known(loss), nil
	}}
}

func mlpSteps(ctx context.Context, p problem) (iter.Seq2[*neural.Trained, error], error) {
	network, err := mlp(p)
	return endless(100, p.Seed).Iterate(ctx, network), err
}

func mlp(p problem) (neural.Problem, error) {
	// Views, here and below: a copy in float64 would count as the library's memory.
	images, err := neural.Rows("bench", view{p.X, 0, trainImages, func(v float64) float64 { return v / 255 }})
	classes := labels(p.Y)[:trainImages]
	return neural.Problem{Method: "bench", Data: []*neural.Array{images, neural.Classes(classes)}, Loss: func(s *model.Scope, b neural.Batch) neural.Loss {
		h := activation.Relu(layers.DenseWithBias(s.In("hidden"), b.Data[0], 256))
		logits := layers.DenseWithBias(s.In("out"), h, 10)
		right := graph.OneHot(b.Data[1], 10, dtypes.Float32)
		return neural.Loss{Total: graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(right, graph.LogSoftmax(logits)), -1)))}
	}}, err
}

// view is some rows of a matrix with a function of each number. The matrix is no embedded one: its
// RawMatrix would become the view's, and a copy of the view one of the matrix.
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
