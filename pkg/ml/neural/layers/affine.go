package layers

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Glorot returns the scope with weights that start uniformly between ±√(6/(inputs + outputs))
// (Glorot & Bengio, 2010).
func Glorot(s *model.Scope) *model.Scope { return s.WithInitializer(initializer.XavierUniformFn(s)) }

// Zero returns the scope with weights that start at 0: of the last layer of what is to begin as
// nothing, such as a flow's coupling.
func Zero(s *model.Scope) *model.Scope { return s.WithInitializer(initializer.Zero) }

func one(s *model.Scope) *model.Scope { return s.WithInitializer(initializer.One) }

// Variable returns the weights of a name under s, with the numbers' type of like. They start as s
// says.
func Variable(s *model.Scope, like *graph.Node, name string, dims ...int) *graph.Node {
	return s.VariableWithShape(name, shapes.Make(like.DType(), dims...)).NodeValue(like.Graph())
}

// biases start at 0.
func biases(s *model.Scope, like *graph.Node, out int) *graph.Node {
	return Variable(Zero(s), like, "biases", out)
}

// Affine is x W + b along the last axis of x. W, [in, out], is "weights", and b "biases".
func Affine(s *model.Scope, x *graph.Node, out int) *graph.Node { // [..., in] to [..., out]
	return Product(x, Variable(s, x, "weights", x.Shape().Dim(-1), out), biases(s, x, out))
}

// Masked is Affine with W kept only where mask, [in, out], is 1 (Germain, Gregor, Murray &
// Larochelle, 2015).
func Masked(s *model.Scope, x, mask *graph.Node) *graph.Node { // [..., in] to [..., out]
	in, out := mask.Shape().Dim(0), mask.Shape().Dim(1)
	return Product(x, graph.Mul(Variable(s, x, "weights", in, out), mask), biases(s, x, out))
}

// Product is x W + b along the last axis of x, for weights at hand. b may be nil.
func Product(x, w, b *graph.Node) *graph.Node { // [..., in], [in, out], [out] to [..., out]
	dims := x.Shape().Dimensions
	last := len(dims) - 1
	y := graph.Dot(graph.Reshape(x, -1, dims[last]), w).Product()
	if b != nil {
		y = graph.Add(y, graph.InsertAxes(b, 0))
	}
	return graph.Reshape(y, append(dims[:last:last], w.Shape().Dim(-1))...)
}

// MLP is the multilayer perceptron: affine maps "hidden0", "hidden1", … of the given widths, an
// activation after each, and a last one, "out", without.
func MLP(s *model.Scope, x *graph.Node, hidden []int, out int, a Activation) *graph.Node { // [..., in] to [..., out]
	for i, width := range hidden {
		x = a.Apply(Affine(s.At("hidden%d", i), x, width))
	}
	return Affine(s.At("out"), x, out)
}

// Embedding returns a row of a table "weights", [count, width] in float32, for each whole number
// from 0 to count−1. The table starts as any other weights with count inputs.
func Embedding(s *model.Scope, ids *graph.Node, count, width int) *graph.Node { // [...] to [..., width]
	if !ids.DType().IsInt() {
		panic(fmt.Errorf("layers.Embedding: the ids are %v, want whole numbers", ids.DType()))
	}
	table := s.VariableWithShape("weights", shapes.Make(dtypes.Float32, count, width)).NodeValue(ids.Graph())
	return graph.Gather(table, graph.InsertAxes(ids, -1))
}

// Keep is what dropout multiplies by: 0 for the share of units that is left out, and 1/(1−share)
// for the others, so that nothing need be done where none are. noise is uniform on [0, 1).
func Keep(noise *graph.Node, share float64) *graph.Node {
	stays := graph.LessThan(noise, graph.ConstAs(noise, 1-share))
	return graph.MulScalar(graph.ConvertDType(stays, noise.DType()), 1/(1-share))
}

// Dropout leaves out a share of the numbers of x (Srivastava, Hinton, Krizhevsky, Sutskever &
// Salakhutdinov, 2014). noise is uniform, of the shape of x, or with axes of length 1 along which
// numbers stay or go together; nil keeps all.
func Dropout(x, noise *graph.Node, share float64) *graph.Node {
	if noise == nil || share <= 0 {
		return x
	}
	return graph.Mul(x, Keep(noise, share))
}
