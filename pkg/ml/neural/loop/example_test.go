package loop_test

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/loop"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/stat"
)

// Growth that slows down: y′ = y (1 − y).
func ExampleDormandPrince() {
	growth := func(_ float64, y, dy []float64) error {
		dy[0] = y[0] * (1 - y[0])
		return nil
	}
	s, err := loop.DormandPrince{RelTol: 1e-8}.Solve(context.Background(), growth, []float64{0.5}, 0, 2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("y(2) = %.4f\n", s.Y[0])
	// Output: y(2) = 0.8808
}

// Samples of N(3, 1) by following the gradient of its log-density.
func ExampleSampler() {
	step, err := neural.NewFunc("go", neural.Weights{}, func(_ *model.Scope, in []*graph.Node) []*graph.Node {
		x, numbers, noise := in[0], in[1], in[2]
		score := graph.AddScalar(graph.Neg(x), 3)
		return []*graph.Node{loop.Langevin(x, score, loop.Number(numbers, 0), noise)}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	normal := neural.Noise{Kind: neural.Normal, Shape: []int{1}}
	chains := loop.Sampler{
		Steps:   200,
		Numbers: func(int) []float32 { return []float32{0.05} }, // the size of a step
		Noise:   []neural.Noise{normal},
	}
	x, err := chains.Run(context.Background(), step, loop.Draw(normal, 500, 1))
	if err != nil {
		fmt.Println(err)
		return
	}
	mean, sd := stat.MeanStdDev(x.RawMatrix().Data, nil)
	fmt.Printf("mean %.0f, standard deviation %.0f\n", mean, sd)
	// Output: mean 3, standard deviation 1
}
