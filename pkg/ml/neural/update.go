package neural

import (
	"fmt"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"github.com/gomlx/gomlx/ml/train/optimizer"
)

// update is one step of Adam (Kingma & Ba, 2015) at the given rate, with what Train adds around it: gradients scaled down to a norm of ClipNorm, weights
// (not biases) decayed apart from the gradient (Loshchilov & Hutter, 2019), and a moving average of the weights kept beside them. It returns the norm of the
// gradient before clipping.
func (t Train) update(s *model.Scope, loss, rate *graph.Node) (norm *graph.Node) {
	g := loss.Graph()
	var weights []*model.Variable
	for v := range s.IterVariables() {
		if v.Trainable && v.InUseByGraph(g) {
			weights = append(weights, v)
		}
	}
	if len(weights) == 0 {
		panic(fmt.Errorf("the loss depends on no weight that can be trained"))
	}
	grads := s.BuildTrainableVariablesGradientsGraph(loss)
	norm = graph.Scalar(g, dtypes.Float32, 0.0)
	if t.ClipNorm > 0 {
		for _, d := range grads {
			norm = graph.Add(norm, graph.ReduceAllSum(graph.Square(d)))
		}
		norm = graph.Sqrt(norm)
		scale := graph.MinScalar(graph.Div(graph.Scalar(g, dtypes.Float32, t.ClipNorm), graph.MaxScalar(norm, 1e-30)), 1)
		for i, d := range grads {
			grads[i] = graph.Mul(d, scale)
		}
	}
	before := make([]*graph.Node, len(weights))
	for i, v := range weights {
		before[i] = v.NodeValue(g)
	}
	// GoMLX's Adam reads its rate from a variable; the step's rate takes its place.
	optimizer.LearningRateVar(s, dtypes.Float32, 0).SetNodeValue(rate)
	adam := optimizer.Adam().Epsilon(1e-8).LearningRate(0).Done()
	adam.(interface {
		UpdateGraphWithGradients(*model.Scope, []*graph.Node, dtypes.DType)
	}).UpdateGraphWithGradients(s, grads, dtypes.Float32)
	for i, v := range weights {
		if t.WeightDecay > 0 && v.Shape().Rank() >= 2 {
			v.SetNodeValue(graph.Sub(v.NodeValue(g), graph.Mul(graph.MulScalar(rate, t.WeightDecay), before[i])))
		}
		if t.EMA > 0 {
			mean := average(s, v)
			mean.SetNodeValue(graph.Add(graph.MulScalar(mean.NodeValue(g), t.EMA), graph.MulScalar(v.NodeValue(g), 1-t.EMA)))
		}
	}
	return norm
}

// average is the variable of a weight's moving average. It starts at 0 and is divided by 1 − EMAᵗ when it is read, as Adam's moments are.
func average(s *model.Scope, v *model.Variable) *model.Variable {
	return s.Store().VariableWithShape("/average"+v.Path(), shapes.Make(v.DType(), v.Shape().Dimensions...), initializer.Zero).SetTrainable(false)
}
