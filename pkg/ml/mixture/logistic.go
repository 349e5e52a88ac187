package mixture

import (
	"context"
	"iter"
	"math/rand/v2"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// LogisticExperts fits a mixture of K logistic regressions to labels y of 0 and 1,
//
//	p(y = 1 | x) = Σₖ πₖ(x) / (1 + exp(−(wₖ·x + bₖ))),
//
// whose weights are constant or a softmax of x, which makes it a mixture of experts (Jordan &
// Jacobs, 1994): each expert cuts by a straight line, and the gate says where which line counts.
// The parameters maximize the log-likelihood of y given x less λ/2 times the squares of the
// coefficients and intercepts, the gate's and the experts', on columns of mean zero and variance
// one. Without that, where a plane separates the classes, or the rows of two experts, they would
// grow for ever. A constant gate is not penalized.
//
// EM takes responsibilities, then Newton steps (iteratively reweighted least squares) for every
// expert and for the gate. Direct climbs by BFGS on all parameters. Neither ever lowers the
// objective, and both end at its local maxima. One label a row says little about which expert made
// it: it takes thousands of rows to recover true experts, and more with constant weights, where the
// shape of p(y = 1 | x) alone tells them apart.
//
// Units of the columns make no difference. A step costs O(nK(d+K)d) for EM with a softmax gate,
// O(nKd²) with a constant one, O(nKd) for Direct.
type LogisticExperts struct {
	K         int                   // number of experts, 1 ≤ K ≤ n
	Gating    Gating                // "" means SoftmaxGating
	Optimizer Optimizer             // "" means EM
	Penalty   float64               // λ, for all rows together; 0 means 1e-3, negative none
	Init      *LogisticExpertsModel // start from this model, instead of at random; there is one restart then
	Restarts  int                   // independent starts, the best is kept; 0 means 10
	MaxIter   int                   // steps per start; 0 means 1000
	Tol       float64               // stop when the objective is, by the trend of its gains, this near to its limit, in nats; 0 means 1e-8
	Seed      uint64                // same seed, same result
}

// LogisticExpertsModel is a mixture of logistic regressions. One made by hand of Gate, Coefficients
// and Intercepts has all methods, and is a start for LogisticExperts.
type LogisticExpertsModel struct {
	Gate          Gate
	Coefficients  *mat.Dense // K×d, the wₖ
	Intercepts    []float64  // length K, the bₖ
	LogLikelihood float64    // mean of log p(y | x) over the rows of the fit, in nats
	Objective     float64    // LogLikelihood less the penalty, per row: what no step lowers
	Labels        []int      // length n, the expert of greatest responsibility of each row
	Iterations    int        // steps of the start that was kept; 0 is the start itself
	Passes        int        // how often that start went through the data
	Converged     bool       // the limit is near, as Tol says
	Restart       int        // which start it was, from 0
}

func init() { ml.Register[LogisticExpertsModel]("mixture.LogisticExpertsModel") }

// Fit returns the best mixture of Restarts starts for the n rows of x and the n labels y, 0 or 1.
// The error is ml.ErrParameter for an option or a label out of range, ml.ErrNotFinite for a NaN or
// Inf (with its place), ml.ErrShape for a y or an Init that does not fit, and ctx.Err(), along with
// the best mixture so far, when ctx ends first.
func (e LogisticExperts) Fit(ctx context.Context, x mat.Matrix, y []int) (*LogisticExpertsModel, error) {
	f, err := e.check(ctx, x, y)
	return fitExperts(ctx, f, err, e.model)
}

// Iterate runs one start and yields the model after every step, the first being the start itself;
// each model is a fresh value. Direct yields the last once more when it knows whether it has
// converged.
func (e LogisticExperts) Iterate(ctx context.Context, x mat.Matrix, y []int) iter.Seq2[*LogisticExpertsModel, error] {
	return eachExperts(ctx, func() (*expertFit, error) { return e.check(ctx, x, y) }, e.model)
}

func (e LogisticExperts) check(ctx context.Context, x mat.Matrix, y []int) (*expertFit, error) {
	const method = "mixture.LogisticExperts"
	f, err := newExpertFit(ctx, method, expertOptions{e.K, e.Gating, e.Optimizer, 0, e.Penalty, e.Restarts, e.MaxIter, e.Tol, e.Seed}, x)
	if err != nil {
		return nil, err
	}
	f.logistic = true
	if f.y, err = binary(method, y, f.n); err != nil {
		return nil, err
	}
	if e.Init != nil {
		c, err := e.Init.check(method + ": Init")
		if err != nil {
			return nil, err
		}
		if err := f.start(c, nil); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// binary checks labels and returns them as numbers.
func binary(method string, y []int, n int) ([]float64, error) {
	if len(y) != n {
		return nil, ml.BadShape(method, "y has length %d, want %d, one a row", len(y), n)
	}
	out := make([]float64, n)
	for i, v := range y {
		if v != 0 && v != 1 {
			return nil, ml.BadParameter(method, sprintf("y[%d]", i), v, "0 or 1")
		}
		out[i] = float64(v)
	}
	return out, nil
}

// model copies a step into the caller's units. It refuses what no float64 can hold.
func (e LogisticExperts) model(f *expertFit, s *expertStep) (*LogisticExpertsModel, error) {
	if _, err := f.expect(context.Background(), s.expertState); err != nil { // the labels that go with it
		return nil, err
	}
	m := &LogisticExpertsModel{Gate: f.gateOut(s.expertState), Labels: slices.Clone(f.labels), LogLikelihood: s.logLikelihood, Objective: s.objective,
		Iterations: s.iteration, Passes: s.passes, Converged: s.converged, Restart: s.restart}
	m.Coefficients, m.Intercepts = f.units.out(s.w, true)
	if !holds(m.Coefficients, m.Intercepts, m.Gate.Intercepts) || !holds(m.Gate.Coefficients) {
		return nil, ml.BadParameter(f.method, "the scale of x", 1/slices.Max(f.units.scale), "numbers whose inverse a float64 can hold: multiply columns by a constant")
	}
	return m, nil
}

func (m *LogisticExpertsModel) check(method string) (conditional, error) {
	return newConditional(method, m.Gate, m.Coefficients, m.Intercepts)
}

// Gating returns the n×K weights πₖ(x) of the experts at each row of x.
func (m *LogisticExpertsModel) Gating(x mat.Matrix) (*mat.Dense, error) {
	const method = "mixture.LogisticExpertsModel.Gating"
	c, err := m.check(method)
	if err != nil {
		return nil, err
	}
	return c.gating(method, x)
}

// Experts returns the n×K probabilities of y = 1 that the experts give at each row of x.
func (m *LogisticExpertsModel) Experts(x mat.Matrix) (*mat.Dense, error) {
	const method = "mixture.LogisticExpertsModel.Experts"
	c, err := m.check(method)
	if err != nil {
		return nil, err
	}
	return c.each(method, x, func(_, said, to []float64) {
		for k, v := range said {
			to[k] = sigmoid(v)
		}
	})
}

// Probability returns p(y = 1 | x) of each row of x.
func (m *LogisticExpertsModel) Probability(x mat.Matrix) ([]float64, error) {
	const method = "mixture.LogisticExpertsModel.Probability"
	c, err := m.check(method)
	if err != nil {
		return nil, err
	}
	return c.mean(method, x, sigmoid)
}

// Predict returns the likelier label of each row of x: 1 where Probability is above a half.
func (m *LogisticExpertsModel) Predict(x mat.Matrix) ([]int, error) {
	p, err := m.Probability(x)
	if err != nil {
		return nil, err
	}
	out := make([]int, len(p))
	for i, v := range p {
		if v > 0.5 {
			out[i] = 1
		}
	}
	return out, nil
}

// joint returns log πₖ(x) + log p(y | x, expert k), n×K.
func (m *LogisticExpertsModel) joint(method string, x mat.Matrix, y []int) (*mat.Dense, error) {
	c, err := m.check(method)
	if err != nil {
		return nil, err
	}
	rows, err := c.rows(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := rows.Dims()
	labels, err := binary(method, y, n)
	if err != nil {
		return nil, err
	}
	i := 0
	return c.each(method, rows, func(gate, said, to []float64) {
		logBernoulli(to, said, labels[i:i+1], c.k)
		for k, g := range gate {
			to[k] += g
		}
		i++
	})
}

// LogProb returns log p(y | x) of each row, in nats.
func (m *LogisticExpertsModel) LogProb(x mat.Matrix, y []int) ([]float64, error) {
	joint, err := m.joint("mixture.LogisticExpertsModel.LogProb", x, y)
	if err != nil {
		return nil, err
	}
	return posterior(joint), nil
}

// Responsibilities returns the n×K probabilities of the experts given x and y: they sum to one.
func (m *LogisticExpertsModel) Responsibilities(x mat.Matrix, y []int) (*mat.Dense, error) {
	joint, err := m.joint("mixture.LogisticExpertsModel.Responsibilities", x, y)
	if err != nil {
		return nil, err
	}
	posterior(joint)
	return joint, nil
}

// Sample draws a label for each row of x, and says which expert it is from. The errors are those of
// Predict, and ctx.Err().
func (m *LogisticExpertsModel) Sample(ctx context.Context, x mat.Matrix, seed uint64) (y, experts []int, err error) {
	const method = "mixture.LogisticExpertsModel.Sample"
	c, err := m.check(method)
	if err != nil {
		return nil, nil, err
	}
	experts, err = c.sample(ctx, method, x, seed, func(r *rand.Rand, said float64, _ int) {
		label := 0
		if r.Float64() < sigmoid(said) {
			label = 1
		}
		y = append(y, label)
	})
	if err != nil {
		return nil, nil, err
	}
	return y, experts, nil
}

// Parameters is the number of free parameters: (K−1)(d+1) of a softmax gate or K−1 of a constant
// one, and K(d+1) of the regressions.
func (m *LogisticExpertsModel) Parameters() int {
	k, d := m.Coefficients.Dims()
	return conditional{gate: m.Gate, k: k, d: d}.parameters()
}

// BIC is Schwarz's (1978) criterion, Parameters·log n − 2·(total log-likelihood) on the data of the
// fit: lower is better.
func (m *LogisticExpertsModel) BIC() float64 {
	return bic(m.Parameters(), len(m.Labels), m.LogLikelihood)
}

// AIC is Akaike's (1974) criterion, 2·Parameters − 2·(total log-likelihood) on the data of the fit:
// lower is better.
func (m *LogisticExpertsModel) AIC() float64 {
	return aic(m.Parameters(), len(m.Labels), m.LogLikelihood)
}
