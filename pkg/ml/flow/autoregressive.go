package flow

import (
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// autoregressive is z_j = (x_j − t_j) e^{−s_j}, in which t_j and s_j are what a masked network says
// of the variables before x_j: the density takes one run of the network, and the inverse one a
// variable, since x_j is needed before x_{j+1} can be found.
type autoregressive Layer

// mostUnrolled is up to how many variables the inverse is written out in the graph.
const mostUnrolled = 64

func (l autoregressive) forward(s *model.Scope, x, given *graph.Node) (z, logDet *graph.Node) {
	logScale, shift := l.network(s, x, given)
	return graph.Mul(graph.Sub(x, shift), graph.Exp(graph.Neg(logScale))), graph.Neg(sumRow(logScale))
}

func (l autoregressive) inverse(s *model.Scope, z, given *graph.Node) (x, logDet *graph.Node) {
	// After k runs the first k variables of the order are right, whatever the others were.
	x = graph.ZerosLike(z)
	var logScale, shift *graph.Node
	for range z.Shape().Dim(-1) {
		logScale, shift = l.network(s, x, given)
		x = graph.Add(graph.Mul(z, graph.Exp(logScale)), shift)
	}
	return x, sumRow(logScale)
}

// network is a MADE (Germain, Gregor, Murray & Larochelle, 2015) with two outputs a variable.
// Given variables count as being before all others.
func (l autoregressive) network(s *model.Scope, x, given *graph.Node) (logScale, shift *graph.Node) {
	d := x.Shape().Dim(-1)
	degrees := make([]int, d) // from 1, in the order
	for j := range degrees {
		degrees[j] = j + 1
		if l.Parity == 1 {
			degrees[j] = d - j
		}
	}
	below := degrees
	h := with(x, given)
	for range h.Shape().Dim(-1) - d {
		below = append(below[:len(below):len(below)], 0)
	}
	for i, width := range l.Hidden {
		own := make([]int, width)
		for u := range own {
			own[u] = u % d // from 0, which sees what is given alone, to d−1
		}
		h = layers.Swish.Apply(layers.Masked(s.At("hidden%d", i), h, mask(x, below, own, 0)))
		below = own
	}
	// Both outputs of a variable see what has less than its degree.
	logScale = layers.Masked(layers.Zero(s.At("scale")), h, mask(x, below, degrees, 1))
	shift = layers.Masked(layers.Zero(s.At("shift")), h, mask(x, below, degrees, 1))
	return bounded(logScale), shift
}

// mask is 1 where an input's degree is at most that of an output minus less.
func mask(like *graph.Node, in, out []int, less int) *graph.Node { // [in, out]
	m := make([][]float32, len(in))
	for i, from := range in {
		m[i] = make([]float32, len(out))
		for j, to := range out {
			if from <= to-less {
				m[i][j] = 1
			}
		}
	}
	return graph.ConvertDType(graph.Const(like.Graph(), m), like.DType())
}
