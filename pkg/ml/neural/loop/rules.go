package loop

import "github.com/gomlx/gomlx/core/graph"

// Langevin is a step of the unadjusted Langevin algorithm towards a density of which score is the
// gradient of the logarithm at x (Roberts & Tweedie, 1996):
//
//	x + (size/2)·score + √size·noise
//
// noise is from N(0, 1), size a scalar.
func Langevin(x, score, size, noise *graph.Node) *graph.Node {
	drift := graph.Mul(score, graph.MulScalar(size, 0.5))
	return graph.Add(x, graph.Add(drift, graph.Mul(noise, graph.Sqrt(size))))
}

// DDIM is a step of a diffusion backward in time (Song, Meng & Ermon, 2021). x is √signal times a
// picture plus √(1 − signal) times noise, of which the network makes the estimate found; the result
// has the larger share next of signal:
//
//	picture = (x − √(1 − signal)·found)/√signal
//	σ       = eta·√((1 − next)/(1 − signal))·√(1 − signal/next)
//	result  = √next·picture + √(1 − next − σ²)·found + σ·noise
//
// signal (ᾱ of Ho, Jain & Abbeel, 2020) and next are scalars. eta is 0 for a deterministic way,
// which needs no noise (nil), and 1 for ancestral sampling.
func DDIM(x, found, signal, next *graph.Node, eta float64, noise *graph.Node) *graph.Node {
	left, nextLeft := graph.OneMinus(signal), graph.OneMinus(next)
	picture := graph.Div(graph.Sub(x, graph.Mul(found, graph.Sqrt(left))), graph.Sqrt(signal))
	result := graph.Mul(picture, graph.Sqrt(next))
	if eta == 0 || noise == nil {
		return graph.Add(result, graph.Mul(found, graph.Sqrt(nextLeft)))
	}
	variance := graph.MulScalar(graph.Mul(graph.Div(nextLeft, left), graph.OneMinus(graph.Div(signal, next))), eta*eta)
	variance = graph.Min(variance, nextLeft) // rounding must leave no root of a negative number
	result = graph.Add(result, graph.Mul(found, graph.Sqrt(graph.Sub(nextLeft, variance))))
	return graph.Add(result, graph.Mul(noise, graph.Sqrt(variance)))
}
