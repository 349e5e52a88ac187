package layers

import (
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/gomlx/gomlx/core/graph"
)

// Activation is what is applied to each number between two layers.
type Activation string

const (
	Identity  Activation = "identity"
	Relu      Activation = "relu"       // max(x, 0)
	LeakyRelu Activation = "leaky relu" // x, and x/5 below 0
	Elu       Activation = "elu"        // x, and eˣ − 1 below 0 (Clevert, Unterthiner & Hochreiter, 2016)
	Gelu      Activation = "gelu"       // x Φ(x), Φ the normal distribution (Hendrycks & Gimpel, 2016)
	Swish     Activation = "swish"      // x σ(x), also called SiLU
	Softplus  Activation = "softplus"   // log(1 + eˣ)
	Tanh      Activation = "tanh"
	Sigmoid   Activation = "sigmoid"
)

var activations = map[Activation]func(x *graph.Node) *graph.Node{
	Identity: func(x *graph.Node) *graph.Node { return x },
	Relu:     func(x *graph.Node) *graph.Node { return graph.Max(x, graph.ZerosLike(x)) },
	LeakyRelu: func(x *graph.Node) *graph.Node {
		return graph.Where(graph.GreaterThan(x, graph.ZerosLike(x)), x, graph.MulScalar(x, 0.2))
	},
	Elu: func(x *graph.Node) *graph.Node {
		below := graph.MinusOne(graph.Exp(graph.MinScalar(x, 0.0))) // no overflow, whose gradient would be NaN
		return graph.Where(graph.GreaterThan(x, graph.ZerosLike(x)), x, below)
	},
	Gelu: func(x *graph.Node) *graph.Node {
		return graph.Mul(graph.MulScalar(x, 0.5), graph.OnePlus(graph.Erf(graph.MulScalar(x, math.Sqrt2/2))))
	},
	Swish:    func(x *graph.Node) *graph.Node { return graph.Mul(x, graph.Sigmoid(x)) },
	Softplus: dist.Softplus,
	Tanh:     graph.Tanh,
	Sigmoid:  graph.Sigmoid,
}

// Apply computes the activation of every number of x.
func (a Activation) Apply(x *graph.Node) *graph.Node {
	f, ok := activations[a]
	if !ok {
		panic(fmt.Errorf("layers: there is no activation %q", a))
	}
	return f(x)
}

// Check returns an ml.ErrParameter of a method's option Activation where a is none of the
// constants.
func (a Activation) Check(method string) error {
	if _, ok := activations[a]; !ok {
		return ml.BadParameter(method, "Activation", fmt.Sprintf("%q", string(a)),
			"identity, relu, leaky relu, elu, gelu, swish, softplus, tanh or sigmoid")
	}
	return nil
}
