package layers

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Sinusoidal shows a number as sines and then cosines of frequencies from 1 down to nearly
// 1/10,000,
//
//	sin(ω_i t), cos(ω_i t),  ω_i = 10,000^(−2i/width),  i = 0, …, width/2 − 1
//
// (Vaswani et al., 2017), width being even: the position in a sequence, or the time of a diffusion
// counted in steps of which there are about a thousand.
func Sinusoidal(t *graph.Node, width int) *graph.Node { // [b] to [b, width]
	frequencies := make([]float64, width/2)
	for i := range frequencies {
		frequencies[i] = math.Pow(10000, -2*float64(i)/float64(width))
	}
	of := graph.ConvertDType(graph.Const(t.Graph(), frequencies), t.DType())
	angles := graph.Mul(graph.InsertAxes(t, 1), graph.InsertAxes(of, 0))
	return graph.Concatenate([]*graph.Node{graph.Sin(angles), graph.Cos(angles)}, -1)
}

// TimeEmbedding is what a network is told of the time: a multilayer perceptron of width hidden
// units and as many outputs over Sinusoidal (Ho, Jain & Abbeel, 2020).
func TimeEmbedding(s *model.Scope, t *graph.Node, width int) *graph.Node { // [b] to [b, width]
	return MLP(s, Sinusoidal(t, width), []int{width}, width, Swish)
}
