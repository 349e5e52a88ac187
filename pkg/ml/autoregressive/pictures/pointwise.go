package pictures

import (
	"math"

	"github.com/golatent/latent/internal/fixed"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// pointwise is a layer without weights that computes a pixel from the same pixel.
type pointwise struct {
	node   func(in []*graph.Node) *graph.Node
	floats func(out, a, b []float32) // b is nil where there is one input
}

func (l pointwise) graph(_ *model.Scope, _ pass, in []*graph.Node) *graph.Node { return l.node(in) }

func (l pointwise) column(constants) (column, error) {
	return func(out []float32, at place, in []grid) {
		var b []float32
		if len(in) > 1 {
			b = in[1].at(at.y, at.x)
		}
		l.floats(out, in[0].at(at.y, at.x), b)
	}, nil
}

func (l pointwise) reach() int { return 0 }

// apply places a pointwise layer; the output is known when all inputs are.
func (c *canvas) apply(l pointwise, channels int, in ...sheet) sheet {
	out := in[0]
	out.channels = channels
	for _, s := range in {
		out.known = max(out.known, s.known)
	}
	return c.add("", l, out, in...)
}

func (c *canvas) relu(in sheet) sheet { return c.apply(relu, in.channels, in) }

// elus is concatenated ELU of x and −x, for twice as many channels (Salimans et al., 2017).
func (c *canvas) elus(in sheet) sheet { return c.apply(elus, 2*in.channels, in) }

func (c *canvas) sum(a, b sheet) sheet { return c.apply(sum, a.channels, a, b) }

// join puts the channels of two sheets side by side.
func (c *canvas) join(a, b sheet) sheet { return c.apply(join, a.channels+b.channels, a, b) }

// tanhGate is tanh of the first half of the channels times σ of the second (van den Oord et al.,
// 2016).
func (c *canvas) tanhGate(in sheet) sheet { return c.apply(tanhGate, in.channels/2, in) }

// linearGate is the first half times σ of the second.
func (c *canvas) linearGate(in sheet) sheet { return c.apply(linearGate, in.channels/2, in) }

var relu = pointwise{
	func(in []*graph.Node) *graph.Node { return activation.Relu(in[0]) },
	func(out, a, b []float32) {
		for i, v := range a {
			out[i] = max(v, 0)
		}
	},
}

var sum = pointwise{
	func(in []*graph.Node) *graph.Node { return graph.Add(in[0], in[1]) },
	func(out, a, b []float32) {
		for i, v := range a {
			out[i] = v + b[i]
		}
	},
}

var join = pointwise{
	func(in []*graph.Node) *graph.Node { return graph.Concatenate(in, -1) },
	func(out, a, b []float32) { copy(out[copy(out, a):], b) },
}

var elus = pointwise{
	func(in []*graph.Node) *graph.Node {
		return elu(graph.Concatenate([]*graph.Node{in[0], graph.Neg(in[0])}, -1))
	},
	func(out, a, b []float32) {
		n := len(a)
		for i, v := range a {
			small := float32(fixed.Exp(-math.Abs(float64(v))) - 1)
			out[i], out[n+i] = v, small
			if v < 0 {
				out[i], out[n+i] = small, -v
			}
		}
	},
}

func elu(x *graph.Node) *graph.Node {
	return graph.Where(graph.GreaterThan(x, graph.ZerosLike(x)), x, graph.AddScalar(graph.Exp(graph.MinScalar(x, 0.0)), -1))
}

var tanhGate = pointwise{
	func(in []*graph.Node) *graph.Node {
		a, b := halves(in[0])
		return graph.Mul(graph.Tanh(a), graph.Sigmoid(b))
	},
	func(out, a, b []float32) {
		for i := range out {
			out[i] = float32(fixed.Tanh32(a[i]) * fixed.Sigmoid32(a[len(out)+i]))
		}
	},
}

var linearGate = pointwise{
	func(in []*graph.Node) *graph.Node {
		a, b := halves(in[0])
		return graph.Mul(a, graph.Sigmoid(b))
	},
	func(out, a, b []float32) {
		for i := range out {
			out[i] = float32(a[i] * fixed.Sigmoid32(a[len(out)+i]))
		}
	},
}

// halves splits the channels.
func halves(x *graph.Node) (a, b *graph.Node) {
	n := x.Shape().Dim(-1) / 2
	all := graph.AxisRange()
	return graph.Slice(x, all, all, all, graph.AxisRange(0, n)), graph.Slice(x, all, all, all, graph.AxisRange(n, 2*n))
}
