package pictures

import (
	"math"

	"github.com/golatent/latent/internal/fixed"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/gomlx/gomlx/core/graph"
)

// logistics is a mixture of logistic densities over the line from −1 to 1, of which each level gets
// the mass of its bin (Salimans, Karpathy, Chen & Kingma, 2017):
//
//	p(x = k) = Σ_m π_m (σ((e_{k+1} − μ_m)/s_m) − σ((e_k − μ_m)/s_m))
//
// with edges e half way between the levels; the first bin reaches to −∞ and the last to ∞, so that
// the masses sum to 1. Unlike a softmax it knows that levels have an order, and its size does not
// grow with their number.
//
// Of a pixel's outputs the first third are the logits of π, then come the means, as distances from
// centers spread evenly over the line, and the logarithms of the widths, as distances from that of
// a width at which neighbors meet.
type logistics struct{ count, of int } // of levels, components

// narrowest is the least logarithm of a width, as in the paper; at widest a component is as good as
// uniform.
const narrowest, widest = -7, 4

func (l logistics) levels() int  { return l.count }
func (l logistics) outputs() int { return 3 * l.of }

// half is half a bin.
func (l logistics) half() float64 { return 1 / float64(l.count-1) }

// center is where a component begins, and width the logarithm of how wide.
func (l logistics) center(m int) float64 { return float64(2*m+1)/float64(l.of) - 1 }
func (l logistics) width() float64       { return -math.Log(2 * float64(l.of)) }

// mixture takes the outputs apart, [b, height, width, 3·components].
func (l logistics) mixture(out *graph.Node) dist.Logistics {
	all := graph.AxisRange()
	third := func(k int) *graph.Node { return graph.Slice(out, all, all, all, graph.AxisRange(k*l.of, (k+1)*l.of)) }
	centers := make([]float32, l.of)
	for m := range centers {
		centers[m] = float32(l.center(m))
	}
	return dist.Logistics{
		Logits:    third(0),
		Means:     graph.Add(third(1), graph.Reshape(graph.Const(out.Graph(), centers), 1, 1, 1, l.of)),
		LogScales: graph.ClipScalar(graph.AddScalar(third(2), l.width()), narrowest, widest),
	}
}

func (l logistics) logProb(out, x *graph.Node) *graph.Node {
	return l.mixture(out).LogBin(graph.AddScalar(graph.MulScalar(x, 2*l.half()), -1), l.count)
}

func (l logistics) distribution(out *graph.Node) *graph.Node {
	d, shape := l.mixture(out), out.Shape()
	dims := []int{shape.Dim(0), shape.Dim(1), shape.Dim(2), l.count}
	each := func(n *graph.Node) *graph.Node { // the same for every level: [b, height, width, levels, components]
		return graph.BroadcastToDims(graph.InsertAxes(n, -2), append(dims, l.of)...)
	}
	values := make([]float32, l.count)
	for k := range values {
		values[k] = scaledLevel(k, l.count)
	}
	level := graph.BroadcastToDims(graph.Reshape(graph.Const(out.Graph(), values), 1, 1, 1, l.count), dims...)
	return graph.Exp(dist.Logistics{Logits: each(d.Logits), Means: each(d.Means), LogScales: each(d.LogScales)}.LogBin(level, l.count))
}

func (l logistics) probabilities(p []float64, out []float32) {
	most, total := math.Inf(-1), 0.0
	for _, v := range out[:l.of] {
		most = max(most, float64(v))
	}
	for _, v := range out[:l.of] {
		total += fixed.Exp(float64(v) - most)
	}
	clear(p)
	for m, v := range out[:l.of] {
		width := min(max(float64(out[2*l.of+m])+l.width(), narrowest), widest)
		addLogistic(p, fixed.Exp(float64(v)-most)/total, float64(out[l.of+m])+l.center(m), fixed.Exp(-width))
	}
}

// LogisticBins returns the masses that a logistic density on the line from −1 to 1, of some mean
// and width, has in the bins of so many levels: σ((x − mean)/width) at the upper edge less that at
// the lower. The first bin begins at −∞ and the last ends at ∞. It is what PixelCNNPP mixes.
func LogisticBins(levels int, mean, width float64) ([]float64, error) {
	const method = "pictures.LogisticBins"
	switch {
	case levels < 2 || levels > symbol.MaxLevels:
		return nil, ml.BadParameter(method, "levels", levels, "2 to 65536")
	case mean-mean != 0:
		return nil, ml.BadParameter(method, "mean", mean, "a finite number")
	case !(width > 0) || math.IsInf(width, 0):
		return nil, ml.BadParameter(method, "width", width, "a positive number")
	}
	p := make([]float64, levels)
	addLogistic(p, 1, mean, 1/width)
	return p, nil
}

// addLogistic adds the masses of one component: σ(b) − σ(a) as σ(b) σ(−a) (1 − e^(a−b)), which
// loses no digits.
func addLogistic(p []float64, weight, mean, inverse float64) {
	half, last := 1/float64(len(p)-1), len(p)-1
	share := -fixed.Expm1(-2 * half * inverse)
	for k := range p {
		value := float64(2*float64(k)*half) - 1
		mass := weight
		if k > 0 {
			mass *= fixed.Sigmoid((mean - (value - half)) * inverse)
		}
		if k < last {
			mass *= fixed.Sigmoid((value + half - mean) * inverse)
		}
		if k > 0 && k < last {
			mass *= share
		}
		p[k] += mass
	}
}
