package mixture

import (
	"cmp"
	"context"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// LinearExperts fits a mixture of K linear regressions,
//
//	p(y | x) = Σₖ πₖ(x) N(y; wₖ·x + bₖ, σₖ²),
//
// whose weights are constant (Quandt & Ramsey, 1978) or a softmax of x, which makes it a mixture of
// experts (Jacobs, Jordan, Nowlan & Hinton, 1991). The parameters maximize the log-likelihood of y
// given x less λ/2 times the squares of the gate's coefficients on columns of variance one: without
// that, where a plane separates the rows of two experts, the gate would grow for ever. A constant
// gate is not penalized.
//
// EM takes responsibilities, then weighted least squares for every expert and Newton steps for the
// gate, whose targets they are (Jordan & Jacobs, 1994). Direct climbs by BFGS on all parameters.
// Neither ever lowers the objective, and both end at its local maxima. The likelihood has no
// maximum: an expert on d+1 rows that it meets exactly has variance zero. So variances are held
// above Floor times the variance of y; an expert on the floor is an artifact of it, and Fit prefers
// a start in which fewer are, whatever its likelihood.
//
// Units of the columns and of y make no difference. A step costs O(nK(d+K)d) for EM with a softmax
// gate, O(nKd²) with a constant one, O(nKd) for Direct.
type LinearExperts struct {
	K         int                 // number of experts, 1 ≤ K ≤ n
	Gating    Gating              // "" means SoftmaxGating
	Optimizer Optimizer           // "" means EM
	Floor     float64             // least variance of an expert, as a part of the variance of y, 1e-12 to 1; 0 means 1e-6
	Penalty   float64             // λ, for all rows together; 0 means 1e-3, negative none
	Init      *LinearExpertsModel // start from this model, instead of at random; there is one restart then
	Restarts  int                 // independent starts, the best is kept; 0 means 10
	MaxIter   int                 // steps per start; 0 means 1000
	Tol       float64             // stop when the objective is, by the trend of its gains, this near to its limit, in nats; 0 means 1e-8
	Seed      uint64              // same seed, same result
}

// LinearExpertsModel is a mixture of linear regressions. One made by hand of Gate, Coefficients,
// Intercepts and Variances has all methods, and is a start for LinearExperts.
type LinearExpertsModel struct {
	Gate          Gate
	Coefficients  *mat.Dense // K×d, the wₖ
	Intercepts    []float64  // length K, the bₖ
	Variances     []float64  // length K, the σₖ²
	LogLikelihood float64    // mean of log p(y | x) over the rows of the fit, in nats
	Objective     float64    // LogLikelihood less the penalty, per row: what no step lowers
	Labels        []int      // length n, the expert of greatest responsibility of each row
	Iterations    int        // steps of the start that was kept; 0 is the start itself
	Passes        int        // how often that start went through the data
	Converged     bool       // the limit is near, as Tol says
	Restart       int        // which start it was, from 0
	Floored       []int      // the experts whose variance rests on the floor; nil for none
}

func init() { ml.Register[LinearExpertsModel]("mixture.LinearExpertsModel") }

// Fit returns the best mixture of Restarts starts for the n rows of x and the n numbers y. The
// error is ml.ErrParameter for an option out of range, ml.ErrNotFinite for a NaN or Inf (with its
// place), ml.ErrShape for a y or an Init that does not fit, and ctx.Err(), along with the best
// mixture so far, when ctx ends first.
func (e LinearExperts) Fit(ctx context.Context, x mat.Matrix, y []float64) (*LinearExpertsModel, error) {
	f, err := e.check(ctx, x, y)
	return fitExperts(ctx, f, err, e.model)
}

// Iterate runs one start and yields the model after every step, the first being the start itself;
// each model is a fresh value. Direct yields the last once more when it knows whether it has
// converged.
func (e LinearExperts) Iterate(ctx context.Context, x mat.Matrix, y []float64) iter.Seq2[*LinearExpertsModel, error] {
	return eachExperts(ctx, func() (*expertFit, error) { return e.check(ctx, x, y) }, e.model)
}

func (e LinearExperts) check(ctx context.Context, x mat.Matrix, y []float64) (*expertFit, error) {
	const method = "mixture.LinearExperts"
	f, err := newExpertFit(ctx, method, expertOptions{e.K, e.Gating, e.Optimizer, e.Floor, e.Penalty, e.Restarts, e.MaxIter, e.Tol, e.Seed}, x)
	if err != nil {
		return nil, err
	}
	if err := ml.Vector(method, "y", y, f.n); err != nil {
		return nil, err
	}
	f.floor = cmp.Or(f.floor, 1e-6)
	p, err := standardize(ctx, mat.NewDense(f.n, 1, slices.Clone(y)), false)
	if err != nil {
		return nil, err
	}
	f.y = p.x
	scale(f.y, unitVariance(p, 0), f.y)
	f.units.yMean, f.units.yScale = p.M[0]/p.A[0], p.A[0]*p.B[0]*unitVariance(p, 0)
	if e.Init != nil {
		c, err := e.Init.check(method + ": Init")
		if err != nil {
			return nil, err
		}
		if err := f.start(c, e.Init.Variances); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// model copies a step into the caller's units. It refuses what no float64 can hold.
func (e LinearExperts) model(f *expertFit, s *expertStep) (*LinearExpertsModel, error) {
	if _, err := f.expect(context.Background(), s.expertState); err != nil { // the labels that go with it
		return nil, err
	}
	volume := math.Log(f.units.yScale)
	m := &LinearExpertsModel{Gate: f.gateOut(s.expertState), Labels: slices.Clone(f.labels), LogLikelihood: s.logLikelihood + volume, Objective: s.objective + volume,
		Iterations: s.iteration, Passes: s.passes, Converged: s.converged, Restart: s.restart}
	m.Coefficients, m.Intercepts = f.units.out(s.w, true)
	for k, v := range s.variances {
		m.Variances = append(m.Variances, v/f.units.yScale/f.units.yScale)
		if v <= f.floor {
			m.Floored = append(m.Floored, k)
		}
	}
	if !holds(m.Coefficients, m.Intercepts, m.Variances, m.Gate.Intercepts) || !holds(m.Gate.Coefficients) || slices.Min(m.Variances) < 0x1p-1022 {
		return nil, ml.BadParameter(f.method, "the scale of x or y", 1/f.units.yScale, "numbers whose ratios and squares a float64 can hold: multiply columns by a constant")
	}
	return m, nil
}

func (m *LinearExpertsModel) check(method string) (conditional, error) {
	c, err := newConditional(method, m.Gate, m.Coefficients, m.Intercepts)
	if err != nil {
		return c, err
	}
	if err := ml.Vector(method, "Variances", m.Variances, c.k); err != nil {
		return c, err
	}
	for k, v := range m.Variances {
		if !(v > 0) {
			return c, ml.BadParameter(method, sprintf("variance %d", k), v, "a positive number")
		}
	}
	return c, nil
}

// Gating returns the n×K weights πₖ(x) of the experts at each row of x.
func (m *LinearExpertsModel) Gating(x mat.Matrix) (*mat.Dense, error) {
	const method = "mixture.LinearExpertsModel.Gating"
	c, err := m.check(method)
	if err != nil {
		return nil, err
	}
	return c.gating(method, x)
}

// Experts returns the n×K values wₖ·x + bₖ that the experts say at each row of x.
func (m *LinearExpertsModel) Experts(x mat.Matrix) (*mat.Dense, error) {
	const method = "mixture.LinearExpertsModel.Experts"
	c, err := m.check(method)
	if err != nil {
		return nil, err
	}
	return c.each(method, x, func(_, said, to []float64) { copy(to, said) })
}

// Predict returns the mean Σₖ πₖ(x)(wₖ·x + bₖ) of y at each row of x. Where two experts are likely,
// y is near to neither's mean: see Gating and Experts.
func (m *LinearExpertsModel) Predict(x mat.Matrix) ([]float64, error) {
	const method = "mixture.LinearExpertsModel.Predict"
	c, err := m.check(method)
	if err != nil {
		return nil, err
	}
	return c.mean(method, x, func(v float64) float64 { return v })
}

// mean is Σₖ πₖ(x)·value(wₖ·x + bₖ) of each row.
func (c conditional) mean(method string, x mat.Matrix, value func(float64) float64) ([]float64, error) {
	y, err := c.rows(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	out := make([]float64, n)
	gate, said := make([]float64, c.k), make([]float64, c.k)
	for i := range out {
		c.at(y.RawRowView(i), gate, said)
		for k, g := range gate {
			out[i] += math.Exp(g) * value(said[k])
		}
	}
	return out, nil
}

// joint returns log πₖ(x) + log N(y; wₖ·x + bₖ, σₖ²), n×K.
func (m *LinearExpertsModel) joint(method string, x mat.Matrix, y []float64) (*mat.Dense, error) {
	c, err := m.check(method)
	if err != nil {
		return nil, err
	}
	i := 0
	rows, err := c.rows(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := rows.Dims()
	if err := ml.Vector(method, "y", y, n); err != nil {
		return nil, err
	}
	return c.each(method, rows, func(gate, said, to []float64) {
		for k, v := range m.Variances {
			e := (y[i] - said[k]) / math.Sqrt(v)
			to[k] = gate[k] - (math.Log(2*math.Pi)+math.Log(v)+e*e)/2
		}
		i++
	})
}

// posterior turns log joint densities into responsibilities, and returns the log densities.
func posterior(joint *mat.Dense) []float64 {
	n, k := joint.Dims()
	sums := make([]float64, n)
	softmax(joint.RawMatrix().Data, k, sums)
	return sums
}

// LogProb returns log p(y | x) of each row, in nats: −Inf where it is too small for a float64.
func (m *LinearExpertsModel) LogProb(x mat.Matrix, y []float64) ([]float64, error) {
	joint, err := m.joint("mixture.LinearExpertsModel.LogProb", x, y)
	if err != nil {
		return nil, err
	}
	return posterior(joint), nil
}

// Responsibilities returns the n×K probabilities of the experts given x and y: they sum to one.
func (m *LinearExpertsModel) Responsibilities(x mat.Matrix, y []float64) (*mat.Dense, error) {
	joint, err := m.joint("mixture.LinearExpertsModel.Responsibilities", x, y)
	if err != nil {
		return nil, err
	}
	posterior(joint)
	return joint, nil
}

// Sample draws a y for each row of x, and says which expert it is from. The errors are those of
// Predict, and ctx.Err().
func (m *LinearExpertsModel) Sample(ctx context.Context, x mat.Matrix, seed uint64) (y []float64, experts []int, err error) {
	const method = "mixture.LinearExpertsModel.Sample"
	c, err := m.check(method)
	if err != nil {
		return nil, nil, err
	}
	experts, err = c.sample(ctx, method, x, seed, func(r *rand.Rand, said float64, k int) {
		y = append(y, said+math.Sqrt(m.Variances[k])*r.NormFloat64())
	})
	if err != nil {
		return nil, nil, err
	}
	return y, experts, nil
}

// Parameters is the number of free parameters: (K−1)(d+1) of a softmax gate or K−1 of a constant
// one, K(d+1) of the lines, K variances.
func (m *LinearExpertsModel) Parameters() int {
	k, d := m.Coefficients.Dims()
	return conditional{gate: m.Gate, k: k, d: d}.parameters() + k
}

// BIC is Schwarz's (1978) criterion, Parameters·log n − 2·(total log-likelihood) on the data of the
// fit: lower is better.
func (m *LinearExpertsModel) BIC() float64 {
	return bic(m.Parameters(), len(m.Labels), m.LogLikelihood)
}

// AIC is Akaike's (1974) criterion, 2·Parameters − 2·(total log-likelihood) on the data of the fit:
// lower is better.
func (m *LinearExpertsModel) AIC() float64 {
	return aic(m.Parameters(), len(m.Labels), m.LogLikelihood)
}
