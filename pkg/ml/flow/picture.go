package flow

import (
	"math"

	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// squeeze is the shape of the pictures that it makes smaller. It moves numbers, and no volume.
type squeeze []int

func (h squeeze) forward(_ *model.Scope, x, _ *graph.Node) (z, logDet *graph.Node) {
	n := x.Shape().Dim(0)
	z = layers.SpaceToDepth(graph.Reshape(x, n, h[0], h[1], h[2]), 2)
	return graph.Reshape(z, n, size(h)), still(x)
}

func (h squeeze) inverse(_ *model.Scope, z, _ *graph.Node) (x, logDet *graph.Node) {
	n := z.Shape().Dim(0)
	x = layers.DepthToSpace(graph.Reshape(z, n, h[0]/2, h[1]/2, 4*h[2]), 2)
	return graph.Reshape(x, n, size(h)), still(z)
}

// still is the log-determinant of what moves no volume.
func still(x *graph.Node) *graph.Node { return graph.ZerosLike(sumRow(x)) }

// split is the shape of the pictures whose second half of channels goes to the end of the row.
type split []int

func (h split) forward(_ *model.Scope, x, _ *graph.Node) (z, logDet *graph.Node) {
	n, half := x.Shape().Dim(0), h[2]/2
	p := graph.Reshape(x, n, h[0], h[1], h[2])
	part := func(from, to int) *graph.Node {
		channels := graph.Slice(p, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(), graph.AxisRange(from, to))
		return graph.Reshape(channels, n, h[0]*h[1]*half)
	}
	return graph.Concatenate([]*graph.Node{part(0, half), part(half, h[2])}, -1), still(x)
}

func (h split) inverse(_ *model.Scope, z, _ *graph.Node) (x, logDet *graph.Node) {
	n, half, d := z.Shape().Dim(0), h[2]/2, size(h)
	part := func(from, to int) *graph.Node {
		return graph.Reshape(graph.Slice(z, graph.AxisRange(), graph.AxisRange(from, to)), n, h[0], h[1], half)
	}
	return graph.Reshape(graph.Concatenate([]*graph.Node{part(0, d/2), part(d/2, d)}, -1), n, d), still(z)
}

// margin keeps the logit of a picture's values away from its poles (Dinh, Sohl-Dickstein & Bengio,
// 2017, section 4.1).
const margin = 0.05

// logit takes levels with the noise that fills the gaps between them to the whole line,
//
//	y = logit(a + (1 − 2a) (x + u)/levels),    a = margin,
//
// and gives the log-determinant by which log p of the levels is bounded from below.
func logit(x, u *graph.Node, levels int) (y, logDet *graph.Node) { // [b, d] to [b, d], [b]
	v, constant := dist.Dequantize(x, u, levels)
	p := graph.AddScalar(graph.MulScalar(v, 1-2*margin), margin)
	logP, logQ := graph.Log(p), graph.Log(graph.OneMinus(p))
	d := float64(x.Shape().Dim(-1))
	own := graph.AddScalar(graph.Neg(sumRow(graph.Add(logP, logQ))), d*math.Log(1-2*margin))
	return graph.Sub(logP, logQ), graph.Add(own, constant)
}

// level undoes logit in float64: the level whose cell y lies in.
func level(y float64, levels int) float64 {
	v := (1/(1+math.Exp(-y)) - margin) / (1 - 2*margin)
	return min(max(math.Floor(v*float64(levels)), 0), float64(levels-1))
}
