package autoregressive

import (
	"math"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Attention is A(q, K, V): each of n queries takes a mean of m values, weighted by how well their keys answer to it,
//
//	A(q, K, V) = W V,    W = softmax(q Kᵀ/√d)
//
// (Bahdanau, Cho & Bengio, 2015; in this form Vaswani et al., 2017). q is [b, n, d], keys [b, m, d], values [b, m, e]; out is [b, n, e], weights [b, n, m].
//
// mask, [n, m], is 1 where a query may look and 0 where it must not; nil lets all look everywhere. The softmax runs over what is allowed: a weight elsewhere is exactly 0, and so is
// every derivative through it. The weights of a query sum to 1, or to 0 for one that may look nowhere, whose out is 0. It costs O(b·n·m·(d+e)); nothing is saved by the mask.
func Attention(q, keys, values, mask *graph.Node) (out, weights *graph.Node) {
	d := q.Shape().Dim(-1)
	logits := graph.MulScalar(graph.Einsum("bnd,bmd->bnm", q, keys), 1/math.Sqrt(float64(d)))
	if mask == nil {
		weights = graph.Softmax(logits, -1)
	} else {
		mask = graph.BroadcastToShape(graph.InsertAxes(mask, 0), logits.Shape())
		allowed := graph.GreaterThan(mask, graph.ZerosLike(mask))
		// e to the power of so little is 0 in a float32; the product is for the queries that may look nowhere, whose logits are all that little.
		weights = graph.Mul(graph.Softmax(graph.Where(allowed, logits, graph.MulScalar(graph.OnesLike(logits), -1e30)), -1), mask)
	}
	return graph.Einsum("bnm,bme->bne", weights, values), weights
}

// MaskBefore is the mask of an order: query i may look at key j where rank[j] < rank[i]. With 0, 1, 2, … that is what comes before it, itself left out, so that the first looks
// nowhere; those of one rank do not see each other.
func MaskBefore(g *graph.Graph, rank []int) *graph.Node { // [n, n]
	r := make([]float32, len(rank))
	for i, v := range rank {
		r[i] = float32(v)
	}
	of := graph.Const(g, r)
	return graph.ConvertDType(graph.LessThan(graph.InsertAxes(of, 0), graph.InsertAxes(of, 1)), dtypes.Float32)
}

// splitHeads cuts channels into parts that attend each for itself.
func splitHeads(x *graph.Node, heads int) *graph.Node { // [b, n, heads·d] to [b·heads, n, d]
	b, n, d := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)/heads
	return graph.Reshape(graph.TransposeAllAxes(graph.Reshape(x, b, n, heads, d), 0, 2, 1, 3), b*heads, n, d)
}

func joinHeads(x *graph.Node, heads int) *graph.Node { // [b·heads, n, d] to [b, n, heads·d]
	b, n, d := x.Shape().Dim(0)/heads, x.Shape().Dim(1), x.Shape().Dim(2)
	return graph.Reshape(graph.TransposeAllAxes(graph.Reshape(x, b, heads, n, d), 0, 2, 1, 3), b, n, heads*d)
}
