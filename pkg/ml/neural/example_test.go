package neural_test

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// A network is a function over nodes; its loss is another.
func line(s *model.Scope, x *graph.Node) *graph.Node { return layers.DenseWithBias(s.In("line"), x, 1) }

func Example() {
	ctx := context.Background()
	x, y := mat.NewDense(50, 1, nil), mat.NewDense(50, 1, nil)
	for i := range 50 {
		x.Set(i, 0, float64(i)/25-1)
		y.Set(i, 0, 2*x.At(i, 0)+0.5)
	}
	xs, err := neural.Rows("example", x)
	if err != nil {
		panic(err)
	}
	ys, err := neural.Rows("example", y)
	if err != nil {
		panic(err)
	}
	result, err := neural.Train{Steps: 400, Batch: 25, LearningRate: 0.05, Schedule: neural.Cosine, Backend: "go"}.Run(ctx, neural.Problem{
		Method: "example", Data: []*neural.Array{xs, ys},
		Loss: func(s *model.Scope, b neural.Batch) neural.Loss {
			return neural.Loss{Total: graph.ReduceAllMean(graph.Square(graph.Sub(line(s, b.Data[0]), b.Data[1])))}
		},
	})
	if err != nil {
		panic(err)
	}
	slope, intercept := result.Weights.Get("/line/dense/weights").At(0, 0), result.Weights.Get("/line/dense/biases").At(0, 0)
	fmt.Printf("after %d steps: %.2f x + %.2f; the loss fell: %t\n", result.Steps, slope, intercept, result.History.Loss[49] < 1e-6)

	f, err := neural.NewFunc("go", result.Weights, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		return []*graph.Node{line(s, in[0])}
	})
	if err != nil {
		panic(err)
	}
	out, err := f.Rows(ctx, 10, &neural.Array{Shape: []int{1}, Floats: []float32{0, float32(math.Pi)}})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f %.2f\n", out[0].At(0, 0), out[0].At(1, 0))
	// Output:
	// after 400 steps: 2.00 x + 0.50; the loss fell: true
	// 0.50 6.78
}
