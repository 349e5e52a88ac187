package layers

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// epsilon keeps a normalisation of equal numbers finite.
const epsilon = 1e-5

// LayerNorm takes from each number the mean over the last axis, divides by the standard deviation,
// √(variance + 1e-5), and applies a "scale" and an "offset" for each channel (Ba, Kiros & Hinton,
// 2016).
func LayerNorm(s *model.Scope, x *graph.Node) *graph.Node { // [..., c]
	return scaled(s, standardized(x, -1), true)
}

// RMSNorm divides by the root of the mean square over the last axis + 1e-5, and applies a "scale"
// for each channel (Zhang & Sennrich, 2019).
func RMSNorm(s *model.Scope, x *graph.Node) *graph.Node { // [..., c]
	square := graph.ReduceAndKeep(graph.Square(x), graph.ReduceMean, -1)
	return scaled(s, graph.Div(x, graph.Sqrt(graph.AddScalar(square, epsilon))), false)
}

// GroupNorm is LayerNorm over all places of an example and the channels of a group (Wu & He, 2018).
// As many groups as channels make it instance normalisation (Ulyanov, Vedaldi & Lempitsky, 2016).
func GroupNorm(s *model.Scope, x *graph.Node, groups int) *graph.Node { // [b, ..., c]
	b, c := x.Shape().Dim(0), x.Shape().Dim(-1)
	if groups < 1 || c%groups != 0 {
		panic(fmt.Errorf("layers.GroupNorm: %d channels do not fall into %d groups", c, groups))
	}
	y := standardized(graph.Reshape(x, b, -1, groups, c/groups), 1, 3)
	return scaled(s, graph.ReshapeWithShape(y, x.Shape()), true)
}

// BatchNorm is (x − mean)/√(variance + 1e-5), with a "scale" and an "offset" for each channel
// (Ioffe & Szegedy, 2015). In training mean and variance are the Moments of x itself; whoever
// trains keeps their moving averages, and hands those in afterwards.
func BatchNorm(s *model.Scope, x, mean, variance *graph.Node) *graph.Node { // [..., c], [c], [c] to [..., c]
	mean, variance = lastAxis(mean, x), lastAxis(variance, x)
	return scaled(s, graph.Div(graph.Sub(x, mean), graph.Sqrt(graph.AddScalar(variance, epsilon))), true)
}

// Moments returns the mean and the variance, divided by n, of each channel over all other axes.
func Moments(x *graph.Node) (mean, variance *graph.Node) { // [..., c] to [c] twice
	x = graph.Reshape(x, -1, x.Shape().Dim(-1))
	mean = graph.ReduceMean(x, 0)
	return mean, graph.ReduceMean(graph.Square(graph.Sub(x, graph.InsertAxes(mean, 0))), 0)
}

// standardized has mean 0 and variance 1 over the axes.
func standardized(x *graph.Node, axes ...int) *graph.Node {
	x = graph.Sub(x, graph.ReduceAndKeep(x, graph.ReduceMean, axes...))
	variance := graph.ReduceAndKeep(graph.Square(x), graph.ReduceMean, axes...)
	return graph.Div(x, graph.Sqrt(graph.AddScalar(variance, epsilon)))
}

func scaled(s *model.Scope, x *graph.Node, offset bool) *graph.Node {
	c := x.Shape().Dim(-1)
	x = graph.Mul(x, lastAxis(Variable(one(s), x, "scale", c), x))
	if offset {
		x = graph.Add(x, lastAxis(Variable(Zero(s), x, "offset", c), x))
	}
	return x
}

// lastAxis gives a vector as many axes as x has.
func lastAxis(v, x *graph.Node) *graph.Node {
	return graph.ExpandLeftToRank(v, x.Rank())
}

// SpectralNorm divides weights by an estimate of their largest singular value, as a matrix of all
// axes but the last by the last (Miyato, Kataoka, Koyama & Yoshida, 2018). u, [out], is the
// estimate of the singular vector that the call before gave back, at first any but zero; a call
// takes one step of power iteration from there. No gradient goes through the vectors.
func SpectralNorm(w, u *graph.Node) (normed, next *graph.Node) { // [..., out], [out] to the same
	m := graph.Reshape(w, -1, w.Shape().Dim(-1))
	fixed := graph.StopGradient(m)
	v := unit(graph.Dot(fixed, graph.StopGradient(u)).Product())
	next = unit(graph.Dot(v, fixed).Product())
	sigma := graph.Dot(v, graph.Dot(m, next).Product()).Product()
	return graph.Div(w, sigma), next
}

func unit(v *graph.Node) *graph.Node {
	return graph.Div(v, graph.Sqrt(graph.AddScalar(graph.ReduceAllSum(graph.Square(v)), 1e-12)))
}
