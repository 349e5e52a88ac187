package vae

import (
	"math"
	"math/rand/v2"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Likelihood is p(x|z) given what the decoder computes; all columns are independent given z.
type Likelihood string

const (
	Bernoulli           Likelihood = "bernoulli"            // bits
	Gaussian            Likelihood = "gaussian"             // real numbers, with a learned noise
	DiscretizedLogistic Likelihood = "discretized logistic" // whole numbers 0 to Levels−1 (Kingma et al., 2016): a logistic density, its mass in each bin
)

// logLikelihood is log p(x|z) of every row, in nats, of the data as they were given: for a Gaussian that is a density, and the scale that was taken out counts.
func (m *VAEModel) logLikelihood(s *model.Scope, x, decoded *graph.Node) *graph.Node { // [n, d] twice to [n]
	switch m.Options.Likelihood {
	case Gaussian:
		variance := m.variance(s, x)
		square := graph.Div(graph.Square(graph.Sub(x, decoded)), variance)
		each := graph.MulScalar(graph.Add(square, graph.AddScalar(graph.Log(variance), math.Log(2*math.Pi)+2*math.Log(m.Scale))), -0.5)
		return graph.ReduceSum(each, -1)
	case DiscretizedLogistic:
		return m.binned(s, x, decoded)
	}
	return graph.ReduceSum(graph.Sub(graph.Mul(x, decoded), softplus(decoded)), -1)
}

// leastVariance keeps a density of perfectly explained data finite; in units of the data's own variance.
const leastVariance = 1e-6

// variance of the Gaussian noise, in units of Scale²: [1, 1] or [1, d].
func (m *VAEModel) variance(s *model.Scope, x *graph.Node) *graph.Node {
	columns := 1
	if m.Options.PerColumn {
		columns = x.Shape().Dim(-1)
	}
	log := s.WithInitializer(zeros).VariableWithShape("lognoise", shapes.Make(dtypes.Float32, 1, columns)).NodeValue(x.Graph())
	return graph.BroadcastToDims(graph.AddScalar(graph.Exp(log), leastVariance), 1, x.Shape().Dim(-1))
}

// The width of the logistic, in units of half the range of the levels, stays within these.
const narrowest, widest = 1e-3, 10.0

// width of the logistic: [1, d].
func (m *VAEModel) width(s *model.Scope, x *graph.Node) *graph.Node {
	log := s.WithInitializer(zeros).VariableWithShape("logwidth", shapes.Make(dtypes.Float32, 1, x.Shape().Dim(-1))).NodeValue(x.Graph())
	return graph.Exp(graph.ClipScalar(graph.AddScalar(log, -1), math.Log(narrowest), math.Log(widest)))
}

// binned is the log-mass σ(b) − σ(a) of a logistic between the edges a < b of the level's bin. σ(b) − σ(a) = σ(b) σ(−a) (1 − e^(a−b)), whose logarithm is exact
// however far out the bin is; the first bin begins at −∞ and the last one ends at +∞.
func (m *VAEModel) binned(s *model.Scope, x, location *graph.Node) *graph.Node {
	half := 1 / float64(m.Options.Levels-1) // half a bin, of the range −1 to 1
	width := m.width(s, x)
	center := graph.Sub(x, location)
	below := graph.Neg(softplus(graph.Neg(graph.Div(graph.AddScalar(center, half), width)))) // log σ(b)
	above := graph.Neg(softplus(graph.Div(graph.AddScalar(center, -half), width)))           // log σ(−a)
	thin := graph.Log(graph.OneMinus(graph.Exp(graph.Div(graph.Scalar(x.Graph(), dtypes.Float32, -2*half), width))))
	thin = graph.BroadcastToShape(thin, x.Shape())
	first, last := graph.LessThan(x, graph.ConstAs(x, -1+half)), graph.GreaterThan(x, graph.ConstAs(x, 1-half))
	inner := graph.Add(graph.Add(below, above), thin)
	return graph.ReduceSum(graph.Where(first, below, graph.Where(last, above, inner)), -1)
}

// softplus is log(1 + eˣ) without overflow.
func softplus(x *graph.Node) *graph.Node {
	return graph.Add(graph.MaxScalar(x, 0.0), graph.Log1P(graph.Exp(graph.Neg(graph.Abs(x)))))
}

// mean makes of what the decoder computed the mean of p(x|z), in the units of the data; for the logistic it is the location, which is the mean but for the
// bins at the ends.
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
