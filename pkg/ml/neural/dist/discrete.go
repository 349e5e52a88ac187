package dist

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
)

// Bernoulli is the distribution of bits with p(1) = σ(logit).
type Bernoulli struct{ Logits *graph.Node }

// LogProb is log p(x) = x·logit − log(1 + e^logit), also the cross-entropy, negative, of an x
// between 0 and 1.
func (d Bernoulli) LogProb(x *graph.Node) *graph.Node {
	return graph.Sub(graph.Mul(x, d.Logits), Softplus(d.Logits))
}

// Mean is p(1).
func (d Bernoulli) Mean() *graph.Node { return graph.Sigmoid(d.Logits) }

// Entropy is −Σ p log p in nats.
func (d Bernoulli) Entropy() *graph.Node {
	return graph.Sub(Softplus(d.Logits), graph.Mul(d.Logits, d.Mean()))
}

// Sample is 1 where u, uniform on [0, 1), is below p(1), and 0 elsewhere.
func (d Bernoulli) Sample(u *graph.Node) *graph.Node {
	return graph.ConvertDType(graph.LessThan(u, d.Mean()), d.Logits.DType())
}

// Categorical is the distribution of one of several classes, the softmax of logits, which are the
// last axis.
type Categorical struct{ Logits *graph.Node }

// LogProb is log p of classes, numbered from 0, of any type of numbers.
func (d Categorical) LogProb(class *graph.Node) *graph.Node { // [...], logits [..., classes]
	right := graph.OneHot(graph.ConvertDType(class, dtypes.Int32), d.Logits.Shape().Dim(-1), d.Logits.DType())
	return graph.ReduceSum(graph.Mul(right, logSoftmax(d.Logits)), -1)
}

// Entropy is −Σ p log p in nats.
func (d Categorical) Entropy() *graph.Node { // [...]
	logp := logSoftmax(d.Logits)
	return graph.Neg(graph.ReduceSum(graph.Mul(graph.Exp(logp), logp), -1))
}

// Sample is the class, as an int32, in whose share of the line from 0 to 1 u falls, which is
// uniform on [0, 1).
func (d Categorical) Sample(u *graph.Node) *graph.Node { // [...]
	classes := d.Logits.Shape().Dim(-1)
	p := graph.Exp(logSoftmax(d.Logits))
	ends := graph.CumSum(p, -1) // of the shares; the last, which rounding can leave below u, is not asked
	ends = graph.SliceAxis(ends, -1, graph.AxisRange(0, classes-1))
	passed := graph.LessOrEqual(ends, graph.BroadcastToShape(graph.InsertAxes(u, -1), ends.Shape()))
	return graph.ReduceSum(graph.ConvertDType(passed, dtypes.Int32), -1)
}
