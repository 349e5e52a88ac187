package layers

import (
	"fmt"
	"math"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Attention is A(q, K, V): each of n queries takes a mean of m values, weighted by how well their
// keys match it,
//
//	A(q, K, V) = W V,    W = softmax(q Kᵀ/√d)
//
// (Bahdanau, Cho & Bengio, 2015; in this form Vaswani et al., 2017). q is [b, n, d], keys [b, m,
// d], values [b, m, e]; out is [b, n, e], weights [b, n, m].
//
// mask is 1 where a query may look and 0 where it must not: [n, m] for all examples, [b, n, m], or
// [b, 1, m], which leaves out the padding of each; nil lets all look everywhere. The softmax runs
// over what is allowed: a weight elsewhere is exactly 0, and so is every derivative through it. The
// weights of a query sum to 1, or to 0 for one that may look nowhere, whose out is 0. It costs
// O(b·n·m·(d+e)); nothing is saved by the mask.
func Attention(q, keys, values, mask *graph.Node) (out, weights *graph.Node) {
	d := q.Shape().Dim(-1)
	logits := graph.MulScalar(graph.Einsum("bnd,bmd->bnm", q, keys), 1/math.Sqrt(float64(d)))
	if mask == nil {
		weights = graph.Softmax(logits, -1)
	} else {
		mask = graph.BroadcastToShape(graph.ExpandLeftToRank(mask, 3), logits.Shape())
		allowed := graph.GreaterThan(mask, graph.ZerosLike(mask))
		// The exponential of so small a number is 0. The product with the mask is for the queries
		// that may look nowhere, whose logits are all that small.
		least := graph.MulScalar(graph.OnesLike(logits), -1e30)
		weights = graph.Mul(graph.Softmax(graph.Where(allowed, logits, least), -1), mask)
	}
	return graph.Einsum("bnm,bme->bne", weights, values), weights
}

// MaskBefore is the mask of an order: query i may look at key j where rank[j] < rank[i]. With 0, 1,
// 2, … that is what comes before it, itself left out, so that the first looks nowhere; those of one
// rank do not see each other.
func MaskBefore(like *graph.Node, rank []int) *graph.Node { // [n, n]
	r := make([]float64, len(rank))
	for i, v := range rank {
		r[i] = float64(v)
	}
	of := graph.ConvertDType(graph.Const(like.Graph(), r), like.DType())
	return graph.ConvertDType(graph.LessThan(graph.InsertAxes(of, 0), graph.InsertAxes(of, 1)), like.DType())
}

// SplitHeads cuts the channels into parts, each of which attends on its own.
func SplitHeads(x *graph.Node, heads int) *graph.Node { // [b, n, heads·d] to [b·heads, n, d]
	b, n, d := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)/heads
	return graph.Reshape(graph.TransposeAllAxes(graph.Reshape(x, b, n, heads, d), 0, 2, 1, 3), b*heads, n, d)
}

// JoinHeads is the inverse of SplitHeads.
func JoinHeads(x *graph.Node, heads int) *graph.Node { // [b·heads, n, d] to [b, n, heads·d]
	b, n, d := x.Shape().Dim(0)/heads, x.Shape().Dim(1), x.Shape().Dim(2)
	return graph.Reshape(graph.TransposeAllAxes(graph.Reshape(x, b, heads, n, d), 0, 2, 1, 3), b, n, heads*d)
}

// MultiHead is attention of x to context, or to itself where that is nil, in several heads (Vaswani
// et al., 2017): affine maps "query", "key" and "value" to as many channels as x has, Attention in
// each head, and the affine map "out" of what the heads found. mask is that of Attention.
func MultiHead(s *model.Scope, x, context, mask *graph.Node, heads int) *graph.Node { // [b, n, c], [b, m, e] to [b, n, c]
	c := x.Shape().Dim(-1)
	if heads < 1 || c%heads != 0 {
		panic(fmt.Errorf("layers.MultiHead: %d channels do not fall into %d heads", c, heads))
	}
	if context == nil {
		context = x
	}
	if mask != nil && mask.Rank() == 3 { // once for each head
		b, n, m := mask.Shape().Dim(0), mask.Shape().Dim(1), mask.Shape().Dim(2)
		mask = graph.Reshape(graph.BroadcastToDims(graph.InsertAxes(mask, 1), b, heads, n, m), b*heads, n, m)
	}
	part := func(name string, of *graph.Node) *graph.Node {
		return SplitHeads(Affine(s.At("%s", name), of, c), heads)
	}
	found, _ := Attention(part("query", x), part("key", context), part("value", context), mask)
	return Affine(s.At("out"), JoinHeads(found, heads), c)
}
