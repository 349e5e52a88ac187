package neural

import (
	"context"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// RowGradients is the score of a network: the gradient of its log p by all weights, one row after
// another, since a batch has but one gradient. Columns are the weights in their order, each matrix
// row by row. logp is a graph from [1, …] to [1].
func (t *Trained) RowGradients(ctx context.Context, x *Array, logp func(s *model.Scope, x *graph.Node) *graph.Node) (*mat.Dense, error) {
	compiled, err := t.Func("row-gradients", nil, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		total := graph.ReduceAllSum(logp(s, in[0]))
		var nodes []*graph.Node
		for _, name := range t.Weights.Names {
			nodes = append(nodes, s.Store().GetVariable(s.Scope()+name).NodeValue(in[0].Graph()))
		}
		grads := graph.Gradient(total, nodes...)
		for i, g := range grads {
			grads[i] = graph.Reshape(g, -1)
		}
		return []*graph.Node{graph.InsertAxes(graph.Concatenate(grads, 0), 0)}
	})
	if err != nil {
		return nil, err
	}
	out, err := compiled.Rows(ctx, 1, x)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}
