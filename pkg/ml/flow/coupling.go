package flow

import (
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// affine is z = m∘x + (1 − m)∘(x e^s + t), in which m is 1 for the variables that pass and s and t
// are what a network of those says.
type affine struct {
	Layer
	shape []int
}

// mostLogScale bounds s, so that no step multiplies by more than e³: training can't run away.
const mostLogScale = 3

func (l affine) forward(s *model.Scope, x, given *graph.Node) (z, logDet *graph.Node) {
	passes := l.passing(x)
	logScale, shift := l.network(s, graph.Mul(x, passes), given)
	z = graph.Add(graph.Mul(x, graph.Exp(logScale)), shift)
	return z, sumRow(logScale)
}

func (l affine) inverse(s *model.Scope, z, given *graph.Node) (x, logDet *graph.Node) {
	passes := l.passing(z)
	logScale, shift := l.network(s, graph.Mul(z, passes), given)
	x = graph.Mul(graph.Sub(z, shift), graph.Exp(graph.Neg(logScale)))
	return x, graph.Neg(sumRow(logScale))
}

// network gives what is 0 for the variables that pass.
func (l affine) network(s *model.Scope, seen, given *graph.Node) (logScale, shift *graph.Node) { // [b, d] to [b, d] twice
	d := seen.Shape().Dim(-1)
	changes := graph.OneMinus(l.passing(seen))
	var raw *graph.Node
	if len(l.shape) == 3 {
		raw, shift = l.convolutions(s, seen, given)
	} else {
		h := conditioner(s, with(seen, given), l.Hidden, 2*d)
		raw = graph.Slice(h, graph.AxisRange(), graph.AxisRange(0, d))
		shift = graph.Slice(h, graph.AxisRange(), graph.AxisRange(d))
	}
	return graph.Mul(bounded(raw), changes), graph.Mul(shift, changes)
}

// bounded is x near 0, and at most mostLogScale in size.
func bounded(x *graph.Node) *graph.Node {
	return graph.MulScalar(graph.Tanh(graph.MulScalar(x, 1.0/mostLogScale)), mostLogScale)
}

// conditioner is the network of a coupling. Its last layer starts at 0, and so the coupling as the
// identity.
func conditioner(s *model.Scope, x *graph.Node, hidden []int, out int) *graph.Node {
	for i, width := range hidden {
		x = layers.Swish.Apply(layers.Affine(s.At("hidden%d", i), x, width))
	}
	return layers.Affine(layers.Zero(s.At("out")), x, out)
}

// passing is 1 for the variables that pass: of odd number where parity is 0, of even number where
// it is 1. It has one row.
func passing(x *graph.Node, parity int) *graph.Node { // [1, d]
	mask := make([]float32, x.Shape().Dim(-1))
	for j := range mask {
		mask[j] = float32((j + parity) % 2)
	}
	return graph.InsertAxes(graph.ConvertDType(graph.Const(x.Graph(), mask), x.DType()), 0)
}

// convolutions are the network of a coupling of pictures. What is given is the same at every pixel.
func (l affine) convolutions(s *model.Scope, seen, given *graph.Node) (raw, shift *graph.Node) {
	n, height, width, channels := seen.Shape().Dim(0), l.shape[0], l.shape[1], l.shape[2]
	h := graph.Reshape(seen, n, height, width, channels)
	if given != nil {
		q := given.Shape().Dim(-1)
		everywhere := graph.BroadcastToDims(graph.Reshape(given, n, 1, 1, q), n, height, width, q)
		h = graph.Concatenate([]*graph.Node{h, everywhere}, -1)
	}
	for i, maps := range l.Hidden {
		h = layers.Swish.Apply(layers.Conv2D(s.At("hidden%d", i), h, maps, layers.Kernel{}))
	}
	part := func(s *model.Scope) *graph.Node {
		return graph.Reshape(layers.Conv2D(layers.Zero(s), h, channels, layers.Kernel{}), n, size(l.shape))
	}
	return part(s.At("scale")), part(s.At("shift"))
}

// passing is 1 for the variables that pass. Of a picture these are the pixels of one color of a
// checkerboard, or one half of the channels.
func (l affine) passing(x *graph.Node) *graph.Node { // [1, d]
	if len(l.shape) != 3 {
		return passing(x, l.Parity)
	}
	mask := make([]float32, 0, size(l.shape))
	for row := range l.shape[0] {
		for col := range l.shape[1] {
			for c := range l.shape[2] {
				side := (row + col) % 2
				if l.ByChannel {
					side = 2 * c / l.shape[2]
				}
				mask = append(mask, float32((side+l.Parity)%2))
			}
		}
	}
	return graph.InsertAxes(graph.ConvertDType(graph.Const(x.Graph(), mask), x.DType()), 0)
}
