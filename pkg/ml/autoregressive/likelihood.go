package autoregressive

import (
	"math"

	"github.com/gomlx/compute/dtypes"
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

// categories is a softmax over the levels, or one logit where there are two. It knows no order among them.
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
		logit := graph.Squeeze(out, -1)
		return graph.Sub(graph.Mul(x, logit), graph.Softplus(logit))
	}
	right := graph.OneHot(graph.ConvertDType(x, dtypes.Int32), int(l), dtypes.Float32)
	return graph.ReduceSum(graph.Mul(right, graph.LogSoftmax(out, -1)), -1)
}

func (l categories) distribution(out *graph.Node) *graph.Node {
	if l == 2 {
		return graph.Concatenate([]*graph.Node{graph.Sigmoid(graph.Neg(out)), graph.Sigmoid(out)}, -1)
	}
	return graph.Softmax(out, -1)
}

func (l categories) probabilities(p []float64, out []float32) {
	if l == 2 {
		p[0], p[1] = logistic(-float64(out[0])), logistic(float64(out[0]))
		return
	}
	most, total := math.Inf(-1), 0.0
	for _, v := range out {
		most = max(most, float64(v))
	}
	for k, v := range out {
		p[k] = exp(float64(v) - most)
		total += p[k]
	}
	for k := range p {
		p[k] /= total
	}
}

// logistic is σ; far below 0 it is as exact, relatively, as above.
func logistic(x float64) float64 { return 1 / (1 + exp(-x)) }
