package dist

import (
	"github.com/gomlx/gomlx/core/graph"
)

// Logistics is a mixture of logistic densities of a number,
//
//	F(x) = Σ_m π_m σ((x − μ_m)/s_m),
//
// for densities (Ho, Chen, Srinivas, Duan & Abbeel, 2019), and over levels in bins (Salimans,
// Karpathy, Chen & Kingma, 2017). The components are the last axis of the parameters, which x
// lacks; π is the softmax of the logits.
type Logistics struct{ Logits, Means, LogScales *graph.Node }

// mixed adds up terms of the components as logarithms.
func (d Logistics) mixed(terms *graph.Node) *graph.Node { // [..., m] to [...]
	return LogSumExp(graph.Add(logSoftmax(d.Logits), terms))
}

// standard is (x − μ)/s of each component.
func (d Logistics) standard(x *graph.Node) *graph.Node { // [...] to [..., m]
	return graph.Mul(graph.Sub(graph.InsertAxes(x, -1), d.Means), graph.Exp(graph.Neg(d.LogScales)))
}

// LogProb is log of the density, F′(x).
func (d Logistics) LogProb(x *graph.Node) *graph.Node { // [...] to the same
	z := d.standard(x)
	return d.mixed(graph.Sub(graph.Add(LogSigmoid(z), LogSigmoid(graph.Neg(z))), d.LogScales))
}

// LogCDF is log F(x).
func (d Logistics) LogCDF(x *graph.Node) *graph.Node { return d.mixed(LogSigmoid(d.standard(x))) }

// LogSurvival is log(1 − F(x)).
func (d Logistics) LogSurvival(x *graph.Node) *graph.Node {
	return d.mixed(LogSigmoid(graph.Neg(d.standard(x))))
}

// bisections halve what may be some hundreds of widths to what a float32 can tell apart.
const bisections = 32

// Inverse is the x with logit F(x) = log F(x) − log(1 − F(x)) = logit, as exact as float32 has it.
// For a quantile u, logit is log(u/(1 − u)). It is found by 32 bisections between the components'
// own quantiles, and has the gradient of the inverse function with respect to logit and the
// parameters.
func (d Logistics) Inverse(logit *graph.Node) *graph.Node { // [...] to the same
	quantiles := graph.StopGradient(graph.Add(d.Means, graph.Mul(graph.Exp(d.LogScales), graph.InsertAxes(logit, -1))))
	low, high := graph.ReduceMin(quantiles, -1), graph.ReduceMax(quantiles, -1)
	fixed := Logistics{graph.StopGradient(d.Logits), graph.StopGradient(d.Means), graph.StopGradient(d.LogScales)}
	target := graph.StopGradient(logit)
	for range bisections {
		middle := graph.MulScalar(graph.Add(low, high), 0.5)
		below := graph.LessThan(fixed.logit(middle), target)
		low, high = graph.Where(below, middle, low), graph.Where(below, high, middle)
	}
	x := graph.MulScalar(graph.Add(low, high), 0.5)
	// d logit F/dx = F′/(F (1 − F)); what is added is 0, and has the gradient of a step of Newton's
	// method.
	slope := graph.Exp(graph.Sub(fixed.LogProb(x), graph.Add(fixed.LogCDF(x), fixed.LogSurvival(x))))
	gap := graph.Sub(logit, d.logit(x))
	return graph.Add(x, graph.Div(graph.Sub(gap, graph.StopGradient(gap)), slope))
}

func (d Logistics) logit(x *graph.Node) *graph.Node { return graph.Sub(d.LogCDF(x), d.LogSurvival(x)) }

// Sample chooses a component by one uniform number on [0, 1) and a place in it by another.
func (d Logistics) Sample(component, u *graph.Node) *graph.Node { // [...] twice to the same
	m := Categorical{d.Logits}.Sample(component)
	chosen := graph.OneHot(m, d.Means.Shape().Dim(-1), d.Means.DType())
	of := func(parameter *graph.Node) *graph.Node { return graph.ReduceSum(graph.Mul(chosen, parameter), -1) }
	const least = 1.0 / (1 << 25) // half the smallest step of the uniform numbers: 0 is none
	u = graph.MinScalar(graph.MaxScalar(u, least), 1-2*least)
	return graph.Add(of(d.Means), graph.Mul(graph.Exp(of(d.LogScales)), graph.Sub(graph.Log(u), graph.Log1P(graph.Neg(u)))))
}

// LogBin is the log-probability of one of so many levels, 2 or more, each of which stands for a bin
// of the line: x is its middle, from −1 for the first level to 1 for the last. The first bin
// reaches to −∞ and the last to ∞.
func (d Logistics) LogBin(x *graph.Node, levels int) *graph.Node { // [...] to the same
	return d.mixed(LogisticBin(graph.InsertAxes(x, -1), d.Means, d.LogScales, levels))
}

// LogisticBin is LogBin of a single logistic density, number by number.
//
// A bin's mass is σ(b) − σ(a) = σ(b) σ(−a) (1 − e^(a−b)), whose logarithm is exact however far out
// the bin lies, where the difference itself would be 0.
func LogisticBin(x, mean, logScale *graph.Node, levels int) *graph.Node {
	half := 1 / float64(levels-1) // half a bin
	inverse := graph.Exp(graph.Neg(logScale))
	middle := graph.Sub(x, mean)
	below := LogSigmoid(graph.Mul(graph.AddScalar(middle, half), inverse))             // log σ(b)
	beyond := LogSigmoid(graph.Mul(graph.AddScalar(graph.Neg(middle), half), inverse)) // log σ(−a)
	inner := graph.Add(graph.Add(below, beyond), logOneMinusExp(graph.MulScalar(inverse, 2*half)))
	x = graph.BroadcastToShape(x, inner.Shape())
	first, last := graph.LessThan(x, graph.ConstAs(x, half-1)), graph.GreaterThan(x, graph.ConstAs(x, 1-half))
	return graph.Where(first, below, graph.Where(last, beyond, inner))
}
