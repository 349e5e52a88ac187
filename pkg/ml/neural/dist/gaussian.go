package dist

import (
	"math"

	"github.com/gomlx/gomlx/core/graph"
)

// Gaussian is N(mean, e^logvar) for each number: with a vector of them, a diagonal covariance.
type Gaussian struct{ Mean, LogVar *graph.Node }

// LogProb is −(x − mean)²/(2 e^logvar) − (logvar + log 2π)/2.
func (d Gaussian) LogProb(x *graph.Node) *graph.Node {
	square := graph.Mul(graph.Square(graph.Sub(x, d.Mean)), graph.Exp(graph.Neg(d.LogVar)))
	return graph.MulScalar(graph.AddScalar(graph.Add(square, d.LogVar), math.Log(2*math.Pi)), -0.5)
}

// Entropy is (logvar + log 2πe)/2 in nats.
func (d Gaussian) Entropy() *graph.Node {
	return graph.MulScalar(graph.AddScalar(d.LogVar, 1+math.Log(2*math.Pi)), 0.5)
}

// Sample is mean + e^(logvar/2)·noise, noise from N(0, 1): gradients go through it to both
// parameters (Kingma & Welling, 2014).
func (d Gaussian) Sample(noise *graph.Node) *graph.Node {
	return graph.Add(d.Mean, graph.Mul(graph.Exp(graph.MulScalar(d.LogVar, 0.5)), noise))
}

// KL is the divergence KL(d ‖ p) of another Gaussian p in nats.
func (d Gaussian) KL(p Gaussian) *graph.Node {
	ratio := graph.Sub(d.LogVar, p.LogVar)
	square := graph.Mul(graph.Square(graph.Sub(d.Mean, p.Mean)), graph.Exp(graph.Neg(p.LogVar)))
	return graph.MulScalar(graph.Sub(graph.Add(graph.Exp(ratio), square), graph.OnePlus(ratio)), 0.5)
}

// KLStandard is the divergence KL(d ‖ N(0, 1)) in nats.
func (d Gaussian) KLStandard() *graph.Node {
	return graph.MulScalar(graph.Sub(graph.Add(graph.Exp(d.LogVar), graph.Square(d.Mean)), graph.OnePlus(d.LogVar)), 0.5)
}
