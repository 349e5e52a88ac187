package autoregressive

import (
	"math"

	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/gomlx/core/graph"
)

// logistics is a mixture of logistic densities over the line from −1 to 1, of which each level gets the mass of its bin (Salimans, Karpathy, Chen & Kingma, 2017):
//
//	p(x = k) = Σ_m π_m (σ((e_{k+1} − μ_m)/s_m) − σ((e_k − μ_m)/s_m))
//
// with edges e half way between the levels; the first bin reaches to −∞ and the last to ∞, so that the masses sum to 1. Unlike a softmax it knows that levels have an order, and its
// size does not grow with their number.
//
// Of a pixel's outputs the first third are the logits of π, then come the means, as distances from centers spread evenly over the line, and the logarithms of the widths, as
// distances from that of a width at which neighbors meet.
type logistics struct{ count, of int } // of levels, components

// narrowest is the least logarithm of a width, as in the paper; at widest a component is as good as uniform.
const narrowest, widest = -7, 4

func (l logistics) levels() int  { return l.count }
func (l logistics) outputs() int { return 3 * l.of }

// half is half a bin.
func (l logistics) half() float64 { return 1 / float64(l.count-1) }

// center is where a component begins, and width the logarithm of how wide.
func (l logistics) center(m int) float64 { return float64(2*m+1)/float64(l.of) - 1 }
func (l logistics) width() float64       { return -math.Log(2 * float64(l.of)) }

// parts splits the outputs: log π, the means and the logarithms of the widths, each [b, height, width, components].
func (l logistics) parts(out *graph.Node) (weights, means, widths *graph.Node) {
	all, g := graph.AxisRange(), out.Graph()
	third := func(k int) *graph.Node { return graph.Slice(out, all, all, all, graph.AxisRange(k*l.of, (k+1)*l.of)) }
	centers := make([]float32, l.of)
	for m := range centers {
		centers[m] = float32(l.center(m))
	}
	means = graph.Add(third(1), graph.Reshape(graph.Const(g, centers), 1, 1, 1, l.of))
	return graph.LogSoftmax(third(0), -1), means, graph.ClipScalar(graph.AddScalar(third(2), l.width()), narrowest, widest)
}

// logProb adds the components' masses as logarithms. A bin's mass is σ(b) − σ(a) = σ(b) σ(−a) (1 − e^(a−b)), whose logarithm is exact however far out the bin lies, where the difference
// itself would be 0.
func (l logistics) logProb(out, x *graph.Node) *graph.Node {
	weights, means, widths := l.parts(out)
	value := graph.InsertAxes(graph.AddScalar(graph.MulScalar(x, 2*l.half()), -1), -1) // [b, height, width, 1]
	return logSumExp(graph.Add(weights, l.logMass(value, means, widths)))
}

// logMass is the logarithm of the mass of the bin around value, of each component.
func (l logistics) logMass(value, means, widths *graph.Node) *graph.Node {
	inverse := graph.Exp(graph.Neg(widths))
	middle := graph.Sub(value, means)
	below := graph.Neg(graph.Softplus(graph.Neg(graph.Mul(graph.AddScalar(middle, l.half()), inverse)))) // log σ(b)
	beyond := graph.Neg(graph.Softplus(graph.Mul(graph.AddScalar(middle, -l.half()), inverse)))          // log σ(−a)
	inner := graph.Add(graph.Add(below, beyond), logShare(graph.MulScalar(inverse, 2*l.half())))
	value = graph.BroadcastToShape(value, inner.Shape())
	first, last := graph.LessThan(value, graph.ConstAs(value, l.half()-1)), graph.GreaterThan(value, graph.ConstAs(value, 1-l.half()))
	return graph.Where(first, below, graph.Where(last, beyond, inner))
}

// logShare is log(1 − e^(−t)), t > 0: by its series where 1 and e^(−t) are so near each other that their difference has few digits.
func logShare(t *graph.Node) *graph.Node {
	small := graph.LessThan(t, graph.ConstAs(t, 0.5))
	low, high := graph.MinScalar(t, 0.5), graph.MaxScalar(t, 0.5)
	square := graph.Square(low)
	// (1 − e^(−t))/t = exp(−t/2 + t²/24 − t⁴/2880 + …)
	series := graph.Add(graph.Log(low), graph.Add(graph.MulScalar(low, -0.5), graph.Sub(graph.MulScalar(square, 1.0/24), graph.MulScalar(graph.Square(square), 1.0/2880))))
	return graph.Where(small, series, graph.Log(graph.OneMinus(graph.Exp(graph.Neg(high)))))
}

// logSumExp is log Σ eˣ over the last axis.
func logSumExp(x *graph.Node) *graph.Node {
	most := graph.StopGradient(graph.ReduceAndKeep(x, graph.ReduceMax, -1))
	return graph.Add(graph.Log(graph.ReduceSum(graph.Exp(graph.Sub(x, most)), -1)), graph.Squeeze(most, -1))
}

func (l logistics) distribution(out *graph.Node) *graph.Node {
	g := out.Graph()
	weights, means, widths := l.parts(out)
	wide := func(n *graph.Node) *graph.Node { return graph.InsertAxes(n, -2) } // [b, height, width, 1, components]
	values := make([]float32, l.count)
	for k := range values {
		values[k] = scaledLevel(k, l.count)
	}
	value := graph.Reshape(graph.Const(g, values), 1, 1, 1, l.count, 1)
	shape := out.Shape()
	dims := []int{shape.Dim(0), shape.Dim(1), shape.Dim(2), l.count, l.of}
	each := l.logMass(graph.BroadcastToDims(value, dims...), graph.BroadcastToDims(wide(means), dims...), graph.BroadcastToDims(wide(widths), dims...))
	return graph.Exp(logSumExp(graph.Add(graph.BroadcastToDims(wide(weights), dims...), each)))
}

func (l logistics) probabilities(p []float64, out []float32) {
	most, total := math.Inf(-1), 0.0
	for _, v := range out[:l.of] {
		most = max(most, float64(v))
	}
	for _, v := range out[:l.of] {
		total += exp(float64(v) - most)
	}
	clear(p)
	for m, v := range out[:l.of] {
		width := min(max(float64(out[2*l.of+m])+l.width(), narrowest), widest)
		addLogistic(p, exp(float64(v)-most)/total, float64(out[l.of+m])+l.center(m), exp(-width))
	}
}

// LogisticBins returns the masses that a logistic density on the line from −1 to 1, of some mean and width, has in the bins of so many levels: σ((x − mean)/width) at the upper edge less that at the
// lower. The first bin begins at −∞ and the last ends at ∞. It is what PixelCNNPP mixes.
func LogisticBins(levels int, mean, width float64) ([]float64, error) {
	const method = "autoregressive.LogisticBins"
	switch {
	case levels < 2 || levels > maxLevels:
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

// addLogistic adds the masses of one component: σ(b) − σ(a) as σ(b) σ(−a) (1 − e^(a−b)), which loses no digits.
func addLogistic(p []float64, weight, mean, inverse float64) {
	half, last := 1/float64(len(p)-1), len(p)-1
	share := -expM1(-2 * half * inverse)
	for k := range p {
		value := float64(2*float64(k)*half) - 1
		mass := weight
		if k > 0 {
			mass *= logistic((mean - (value - half)) * inverse)
		}
		if k < last {
			mass *= logistic((value + half - mean) * inverse)
		}
		if k > 0 && k < last {
			mass *= share
		}
		p[k] += mass
	}
}

// expM1 is eˣ − 1, x ≤ 0.
func expM1(x float64) float64 {
	if x < -0.5 {
		return exp(x) - 1
	}
	sum := 1.0 // of x^k/(k+1)!, as exp sums
	for _, c := range reciprocals[:len(reciprocals)-1] {
		sum = 1 + float64(float64(sum*x)*c)
	}
	return float64(sum * x)
}
