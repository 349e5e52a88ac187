package pictures

import (
	"github.com/golatent/latent/internal/fixed"
	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/gomlx/gomlx/core/graph"
)

// likelihood makes a distribution over the levels of a pixel from what a network puts out there.
type likelihood interface {
	levels() int
	outputs() int                             // how many numbers a pixel
	logProb(out, x *graph.Node) *graph.Node   // [b, height, width, outputs], levels [b, height, width] to [b, height, width]
	distribution(out *graph.Node) *graph.Node // [b, height, width, outputs] to [b, height, width, levels]
	probabilities(p []float64, out []float32) // the same for one pixel, in Go; p sums to 1
}

// categories is a softmax over the levels, or one logit where there are two. It knows no order
// among them.
type categories int

func (l categories) levels() int { return int(l) }

func (l categories) outputs() int {
	if l == 2 {
		return 1
	}
	return int(l)
}

func (l categories) logProb(out, x *graph.Node) *graph.Node {
	if l == 2 {
		return dist.Bernoulli{Logits: graph.Squeeze(out, -1)}.LogProb(x)
	}
	return dist.Categorical{Logits: out}.LogProb(x)
}

func (l categories) distribution(out *graph.Node) *graph.Node {
	if l == 2 {
		return graph.Concatenate([]*graph.Node{graph.Sigmoid(graph.Neg(out)), graph.Sigmoid(out)}, -1)
	}
	return graph.Softmax(out, -1)
}

func (l categories) probabilities(p []float64, out []float32) {
	if l == 2 {
		p[0], p[1] = fixed.Sigmoid(-float64(out[0])), fixed.Sigmoid(float64(out[0]))
		return
	}
	fixed.SoftmaxTo(p, out, 1)
}
