package vae

import (
	"math"
	"math/rand/v2"

	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Likelihood is p(x|z) given what the decoder computes; all columns are independent given z.
type Likelihood string

const (
	Bernoulli Likelihood = "bernoulli" // bits
	Gaussian  Likelihood = "gaussian"  // real numbers, with a learned noise
	// Whole numbers 0 to Levels−1 (Kingma et al., 2016): a logistic density, its mass in each bin
	DiscretizedLogistic Likelihood = "discretized logistic"
)

// logLikelihood is log p(x|z) of every row, in nats, of the data as they were given: for a Gaussian
// that is a density, and the scale that was taken out counts.
func (m *VAEModel) logLikelihood(s *model.Scope, x, decoded *graph.Node) *graph.Node { // [n, d] twice to [n]
	var each *graph.Node
	switch m.Options.Likelihood {
	case Gaussian:
		p := dist.Gaussian{Mean: decoded, LogVar: graph.Log(m.variance(s, x))}
		each = graph.AddScalar(p.LogProb(x), -math.Log(m.Scale))
	case DiscretizedLogistic:
		each = dist.LogisticBin(x, decoded, m.logWidth(s, x), m.Options.Levels)
	default:
		each = dist.Bernoulli{Logits: decoded}.LogProb(x)
	}
	return graph.ReduceSum(each, -1)
}

// leastVariance keeps a density of perfectly explained data finite; in units of the data's own
// variance.
const leastVariance = 1e-6

// variance of the Gaussian noise, in units of Scale²: [1, 1] or [1, d].
func (m *VAEModel) variance(s *model.Scope, x *graph.Node) *graph.Node {
	columns := 1
	if m.Options.PerColumn {
		columns = x.Shape().Dim(-1)
	}
	log := layers.Variable(layers.Zero(s), x, "lognoise", 1, columns)
	return graph.BroadcastToDims(graph.AddScalar(graph.Exp(log), leastVariance), 1, x.Shape().Dim(-1))
}

// The width of the logistic, in units of half the range of the levels, stays within these.
const narrowest, widest = 1e-3, 10.0

// logWidth is the logarithm of the width of the logistic: [1, d].
func (m *VAEModel) logWidth(s *model.Scope, x *graph.Node) *graph.Node {
	log := layers.Variable(layers.Zero(s), x, "logwidth", 1, x.Shape().Dim(-1))
	return graph.ClipScalar(graph.AddScalar(log, -1), math.Log(narrowest), math.Log(widest))
}

// mean makes of what the decoder computed the mean of p(x|z), in the units of the data; for the
// logistic it is the location, which is the mean but for the bins at the ends.
func (m *VAEModel) mean(decoded float64, column int) float64 {
	switch m.Options.Likelihood {
	case Gaussian:
		return m.Center[column] + m.Scale*decoded
	case DiscretizedLogistic:
		levels := float64(m.Options.Levels - 1)
		return min(max((decoded+1)/2*levels, 0), levels)
	}
	return 1 / (1 + math.Exp(-decoded))
}

// draw draws from p(x|z).
func (m *VAEModel) draw(r *rand.Rand, decoded float64, column int) float64 {
	switch m.Options.Likelihood {
	case Gaussian:
		log := m.Weights.Get("/lognoise")
		_, own := log.Dims() // 1, or one a column
		noise := math.Sqrt(math.Exp(log.At(0, min(column, own-1))) + leastVariance)
		return m.mean(decoded, column) + m.Scale*noise*r.NormFloat64()
	case DiscretizedLogistic:
		width := min(max(math.Exp(m.Weights.Get("/logwidth").At(0, column)-1), narrowest), widest)
		u := r.Float64()
		for u == 0 {
			u = r.Float64()
		}
		return math.Round(m.mean(decoded+width*math.Log(u/(1-u)), column))
	}
	if r.Float64() < m.mean(decoded, column) {
		return 1
	}
	return 0
}
