package dist

import "github.com/gomlx/gomlx/core/graph"

// Softplus is log(1 + eˣ) without overflow.
func Softplus(x *graph.Node) *graph.Node {
	return graph.Add(graph.MaxScalar(x, 0.0), graph.Log1P(graph.Exp(graph.Neg(graph.Abs(x)))))
}

// LogSigmoid is log σ(x), σ(x) = 1/(1 + e⁻ˣ). That of 1 − σ(x) is LogSigmoid(−x).
func LogSigmoid(x *graph.Node) *graph.Node { return graph.Neg(Softplus(graph.Neg(x))) }

// LogSumExp is log Σ eˣ over the last axis.
func LogSumExp(x *graph.Node) *graph.Node { // [..., n] to [...]
	most := graph.StopGradient(graph.ReduceAndKeep(x, graph.ReduceMax, -1))
	return graph.Add(graph.Log(graph.ReduceSum(graph.Exp(graph.Sub(x, most)), -1)), graph.Squeeze(most, -1))
}

// logSoftmax is log of the softmax over the last axis.
func logSoftmax(x *graph.Node) *graph.Node {
	return graph.Sub(x, graph.InsertAxes(LogSumExp(x), -1))
}

// logOneMinusExp is log(1 − e⁻ᵗ), t > 0: by its series where 1 and e⁻ᵗ are so near each other that
// their difference has few digits.
func logOneMinusExp(t *graph.Node) *graph.Node {
	small := graph.LessThan(t, graph.ConstAs(t, 0.5))
	low, high := graph.MinScalar(t, 0.5), graph.MaxScalar(t, 0.5)
	square := graph.Square(low)
	// (1 − e⁻ᵗ)/t = exp(−t/2 + t²/24 − t⁴/2880 + …)
	even := graph.Sub(graph.MulScalar(square, 1.0/24), graph.MulScalar(graph.Square(square), 1.0/2880))
	series := graph.Add(graph.Log(low), graph.Add(graph.MulScalar(low, -0.5), even))
	return graph.Where(small, series, graph.Log(graph.OneMinus(graph.Exp(graph.Neg(high)))))
}
