package dist

import (
	"math"

	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Dequantize makes levels, whole numbers from 0 to levels−1, numbers between 0 and 1 that fill the
// line: (x + u)/levels, u uniform on [0, 1) (Theis, van den Oord & Bethge, 2016). With the
// log-density of what it makes, logDet gives a lower bound, in the mean over u, of the
// log-probability of the levels:
//
//	log P(x) ≥ E_u[log p((x + u)/levels)] + logDet,    logDet = −d·log(levels)
//
// for an example of d numbers.
func Dequantize(x, u *graph.Node, levels int) (y, logDet *graph.Node) { // [b, ...] to the same and [b]
	b := x.Shape().Dim(0)
	y = graph.DivScalar(graph.Add(x, u), float64(levels))
	d := float64(x.Shape().Size() / b)
	return y, graph.MulScalar(graph.Ones(x.Graph(), shapes.Make(x.DType(), b)), -d*math.Log(float64(levels)))
}
