package neural

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// clock is what a move is told of where the training stands: three float32 scalars.
type clock struct {
	step, rate *graph.Node
	move       *graph.Node // the moves that this player has made so far
}

// update is one move of a player by Adam (Kingma & Ba, 2015),
//
//	m ← β₁m + (1−β₁)g,   v ← β₂v + (1−β₂)g²,   w ← w − rate · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + 1e-8)
//
// with what Train adds around it: gradients scaled down to a norm of ClipNorm, weights (not biases)
// decayed apart from the gradient (Loshchilov & Hutter, 2019), and a moving average of the weights
// kept beside them. It returns the norm of the gradient before clipping.
//
// It is written out here, and not GoMLX's, since the rate and the number of the move come from
// outside the graph and each player moves its own weights only.
func (r *run) update(s *model.Scope, q Player, loss *graph.Node, c clock) (norm *graph.Node) {
	g, t := loss.Graph(), q.Train
	weights := r.weightsOf(s, q, g)
	values := make([]*graph.Node, len(weights))
	for i, v := range weights {
		values[i] = v.NodeValue(g)
	}
	grads := graph.Gradient(loss, values...)
	norm = graph.Scalar(g, dtypes.Float32, 0.0)
	for _, d := range grads {
		norm = graph.Add(norm, graph.ReduceAllSum(graph.Square(d)))
	}
	norm = graph.Sqrt(norm)
	if t.ClipNorm > 0 {
		scale := graph.MinScalar(graph.Div(graph.Scalar(g, dtypes.Float32, t.ClipNorm), graph.MaxScalar(norm, 1e-30)), 1)
		for i, d := range grads {
			grads[i] = graph.Mul(d, scale)
		}
	}
	t1 := graph.AddScalar(c.move, 1)
	unbiased := func(beta float64) *graph.Node { // 1/(1−βᵗ)
		return graph.Reciprocal(graph.OneMinus(graph.Pow(graph.Scalar(g, dtypes.Float32, beta), t1)))
	}
	first, second := unbiased(t.Beta1), unbiased(t.Beta2)
	for i, v := range weights {
		m := moment(s, v, "mean", t.Beta1, grads[i])
		u := moment(s, v, "square", t.Beta2, graph.Square(grads[i]))
		delta := graph.Div(graph.Mul(c.rate, graph.Mul(m, first)), graph.AddScalar(graph.Sqrt(graph.Mul(u, second)), 1e-8))
		w := graph.Sub(values[i], delta)
		if t.WeightDecay > 0 && v.Shape().Rank() >= 2 {
			w = graph.Sub(w, graph.Mul(graph.MulScalar(c.rate, t.WeightDecay), values[i]))
		}
		v.SetNodeValue(w)
		if r.EMA > 0 { // it starts at 0 and is divided by 1 − EMAᵗ when it is read, as Adam's moments are
			moment(s, v, "average", r.EMA, w)
		}
	}
	return norm
}

// weightsOf lists what a player moves: the variables under its paths that its loss depends on, but
// for those that are frozen, a state, or an average.
func (r *run) weightsOf(s *model.Scope, q Player, g *graph.Graph) (weights []*model.Variable) {
	for v := range s.IterVariables() {
		name, ok := strings.CutPrefix(v.Path(), modelScope)
		if !ok || !v.Trainable || !v.InUseByGraph(g) || r.averaged(name) {
			continue
		}
		if len(q.Scope) == 0 || under(name, q.Scope...) {
			weights = append(weights, v)
			continue
		}
		if !slices.ContainsFunc(r.players, func(o Player) bool { return under(name, o.Scope...) }) {
			panic(fmt.Errorf("weights %s belong to no player", name))
		}
	}
	if len(weights) == 0 {
		panic(fmt.Errorf("the loss depends on no weight that can be trained"))
	}
	return weights
}

// under reports whether a name lies under one of some paths.
func under(name string, paths ...string) bool {
	return slices.ContainsFunc(paths, func(p string) bool { return name == p || strings.HasPrefix(name, strings.TrimSuffix(p, "/")+"/") })
}

// moment moves a mean that is kept of a weight, with a decay, towards x, and returns it.
func moment(s *model.Scope, v *model.Variable, name string, decay float64, x *graph.Node) *graph.Node {
	kept := s.Store().VariableWithShape("/"+name+v.Path(), shapes.Make(v.DType(), v.Shape().Dimensions...), initializer.Zero).SetTrainable(false)
	m := graph.Add(graph.MulScalar(kept.NodeValue(x), decay), graph.MulScalar(x, 1-decay))
	kept.SetNodeValue(m)
	return m
}
