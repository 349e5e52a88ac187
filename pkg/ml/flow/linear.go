package flow

import (
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// linear is z = P L U x, with a fixed permutation P that turns the order of the variables round, a
// triangle L with ones on its diagonal and a triangle U with e^s there (Kingma & Dhariwal, 2018,
// section 3.2): its log-determinant is Σ s, without a decomposition.
type linear struct{}

// factors are L and U as they act on rows from the right, and the exponents s.
func (linear) factors(s *model.Scope, x *graph.Node) (lower, upper, logDiagonal *graph.Node) {
	d := x.Shape().Dim(-1)
	zero := layers.Zero(s)
	below, above := make([]int, d), make([]int, d)
	for j := range d {
		below[j], above[j] = j, d-j
	}
	// As rows are multiplied from the right, L has its numbers above the diagonal and U below.
	lower = graph.Mul(layers.Variable(zero, x, "lower", d, d), mask(x, below, below, 1))
	upper = graph.Mul(layers.Variable(zero, x, "upper", d, d), mask(x, above, above, 1))
	return lower, upper, layers.Variable(zero, x, "scale", d)
}

func (t linear) forward(s *model.Scope, x, _ *graph.Node) (z, logDet *graph.Node) {
	lower, upper, logDiagonal := t.factors(s, x)
	h := graph.Mul(x, graph.InsertAxes(graph.Exp(logDiagonal), 0))
	h = graph.Add(h, layers.Product(h, upper, nil))
	h = graph.Add(h, layers.Product(h, lower, nil))
	return graph.Reverse(h, -1), perRow(graph.ReduceAllSum(logDiagonal), x)
}

func (t linear) inverse(s *model.Scope, z, _ *graph.Node) (x, logDet *graph.Node) {
	lower, upper, logDiagonal := t.factors(s, z)
	h := undo(undo(graph.Reverse(z, -1), lower), upper)
	return graph.Mul(h, graph.InsertAxes(graph.Exp(graph.Neg(logDiagonal)), 0)), perRow(graph.Neg(graph.ReduceAllSum(logDiagonal)), z)
}

// undo is y (I + N)⁻¹ for a triangle N with zeros on its diagonal, of which some power is 0:
// (I + N)⁻¹ = (I − N)(I + N²)(I + N⁴)…
func undo(y, n *graph.Node) *graph.Node {
	d := n.Shape().Dim(0)
	y = graph.Sub(y, layers.Product(y, n, nil))
	for power := 2; power < d; power *= 2 {
		n = layers.Product(n, n, nil)
		y = graph.Add(y, layers.Product(y, n, nil))
	}
	return y
}

// norm is z = (x − m) e^{−s}, a shift and a scale for each variable that are the mean and the log
// deviation of the first minibatch when training begins, and weights like others from then on.
type norm struct{ batch neural.Batch }

func (t norm) weights(s *model.Scope, x *graph.Node) (mean, logScale *graph.Node) { // [1, d] twice
	m, v := graph.ReduceMean(x, 0), graph.Zeros(x.Graph(), graph.ReduceMean(x, 0).Shape())
	if t.batch.Training {
		v = graph.MulScalar(graph.Log(graph.AddScalar(graph.ReduceMean(graph.Square(graph.Sub(x, graph.InsertAxes(m, 0))), 0), 1e-6)), 0.5)
	}
	mean, logScale = neural.FromFirstBatch(s, t.batch, "mean", m), neural.FromFirstBatch(s, t.batch, "scale", v)
	return graph.InsertAxes(mean, 0), graph.InsertAxes(logScale, 0)
}

func (t norm) forward(s *model.Scope, x, _ *graph.Node) (z, logDet *graph.Node) {
	mean, logScale := t.weights(s, x)
	return graph.Mul(graph.Sub(x, mean), graph.Exp(graph.Neg(logScale))), perRow(graph.Neg(graph.ReduceAllSum(logScale)), x)
}

func (t norm) inverse(s *model.Scope, z, _ *graph.Node) (x, logDet *graph.Node) {
	mean, logScale := t.weights(s, z)
	return graph.Add(graph.Mul(z, graph.Exp(logScale)), mean), perRow(graph.ReduceAllSum(logScale), z)
}
