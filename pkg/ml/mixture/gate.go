package mixture

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// far bounds linear predictors, so that sums with them are finite or plainly infinite.
const far = 1e300

// Gate decides which expert of a conditional mixture answers: πₖ(x) = exp(vₖ·x + cₖ) / Σₗ
// exp(vₗ·x + cₗ). Adding the same to all vₖ or to all cₖ changes nothing; a fitted gate's sum to
// zero.
type Gate struct {
	Coefficients *mat.Dense // K×d, the vₖ; nil where the gate is constant
	Intercepts   []float64  // length K, the cₖ
}

// conditional is a model of either kind, checked.
type conditional struct {
	gate         Gate
	coefficients *mat.Dense
	intercepts   []float64
	k, d         int
}

func newConditional(method string, g Gate, coefficients *mat.Dense, intercepts []float64) (conditional, error) {
	if coefficients == nil || coefficients.IsEmpty() {
		return conditional{}, ml.BadShape(method, "the model has no Coefficients")
	}
	if _, err := ml.Dense(method+": Coefficients", coefficients); err != nil {
		return conditional{}, err
	}
	k, d := coefficients.Dims()
	if err := ml.Vector(method, "Intercepts", intercepts, k); err != nil {
		return conditional{}, err
	}
	if err := ml.Vector(method, "Gate.Intercepts", g.Intercepts, k); err != nil {
		return conditional{}, err
	}
	if g.Coefficients != nil {
		if _, err := ml.Dense(method+": Gate.Coefficients", g.Coefficients); err != nil {
			return conditional{}, err
		}
		if r, c := g.Coefficients.Dims(); r != k || c != d {
			return conditional{}, ml.BadShape(method, "Gate.Coefficients is %d×%d, want K×d = %d×%d, as Coefficients", r, c, k, d)
		}
	}
	return conditional{g, coefficients, intercepts, k, d}, nil
}

// rows checks new data.
func (c conditional) rows(method string, x mat.Matrix) (*mat.Dense, error) {
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	return y, ml.Columns(method, y, c.d)
}

// at sets gate to log πₖ(x) and said to wₖ·x + bₖ.
func (c conditional) at(x, gate, said []float64) {
	for k := range c.k {
		gate[k] = c.gate.Intercepts[k]
		if c.gate.Coefficients != nil {
			gate[k] += product(c.gate.Coefficients.RawRowView(k), x)
		}
		said[k] = product(c.coefficients.RawRowView(k), x) + c.intercepts[k]
	}
	logSoftmax(gate, c.k, []float64{0}, make([]float64, c.k))
}

// product is a·b, whose terms are held where they would overflow, so that Inf − Inf never occurs.
func product(a, b []float64) (sum float64) {
	for j, v := range a {
		sum += min(max(v*b[j], -far), far)
	}
	return min(max(sum, -far), far)
}

// gating returns πₖ(x) of each row.
func (c conditional) gating(method string, x mat.Matrix) (*mat.Dense, error) {
	return c.each(method, x, func(gate, _, to []float64) {
		for k, v := range gate {
			to[k] = math.Exp(v)
		}
	})
}

// each fills a row of an n×K matrix for each row of x.
func (c conditional) each(method string, x mat.Matrix, fill func(gate, said, to []float64)) (*mat.Dense, error) {
	y, err := c.rows(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	out := mat.NewDense(n, c.k, nil)
	gate, said := make([]float64, c.k), make([]float64, c.k)
	for i := range n {
		c.at(y.RawRowView(i), gate, said)
		fill(gate, said, out.RawRowView(i))
	}
	return out, nil
}

// sample draws an expert for each row of x, by the gate, and hands what it says to value, which
// draws y.
func (c conditional) sample(ctx context.Context, method string, x mat.Matrix, seed uint64, value func(r *rand.Rand, said float64, k int)) ([]int, error) {
	y, err := c.rows(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	experts := make([]int, n)
	weights, said := make([]float64, c.k), make([]float64, c.k)
	r := rng.New(seed)
	for i := range n {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		c.at(y.RawRowView(i), weights, said)
		for k, g := range weights {
			weights[k] = math.Exp(g)
		}
		experts[i] = draw(r, weights)
		value(r, said[experts[i]], experts[i])
	}
	return experts, nil
}

// parameters counts the free ones of a gate and of K regressions.
func (c conditional) parameters() int {
	gate := c.k - 1
	if c.gate.Coefficients != nil {
		gate *= c.d + 1
	}
	return gate + c.k*(c.d+1)
}

// gateOut is the gate of a state in the caller's coordinates.
func (f *expertFit) gateOut(s *expertState) Gate {
	coefficients, intercepts := f.units.out(f.weights(s.u), false)
	mean := 0.0
	for _, v := range intercepts {
		mean += v / float64(f.k)
	}
	for k := range intercepts {
		intercepts[k] -= mean
	}
	if f.gating == ConstantGating {
		coefficients = nil
	}
	return Gate{coefficients, intercepts}
}

// start brings a model into the coordinates of the fit.
func (f *expertFit) start(c conditional, variances []float64) error {
	if c.k != f.k || c.d != f.p-1 {
		return ml.BadShape(f.method, "Init has K×d = %d×%d coefficients, want %d×%d", c.k, c.d, f.k, f.p-1)
	}
	s := &expertState{w: f.units.in(c.coefficients, c.intercepts, true), u: make([]float64, (f.k-1)*f.p)}
	gate := c.gate.Coefficients
	if gate == nil || f.gating == ConstantGating {
		gate = mat.NewDense(f.k, f.p-1, nil)
	}
	v := f.units.in(gate, c.gate.Intercepts, false)
	for a := range f.k - 1 {
		for k := range f.k {
			add(s.u[a*f.p:(a+1)*f.p], f.basis[k*(f.k-1)+a], v[k*f.p:(k+1)*f.p])
		}
	}
	for _, v := range variances {
		s.variances = append(s.variances, max(v*f.units.yScale*f.units.yScale, f.floor))
	}
	for _, list := range [][]float64{s.u, s.w, s.variances} {
		for _, v := range list {
			if !(math.Abs(v) < far) {
				return ml.BadParameter(f.method, "Init", v, "coefficients on the scale of the data")
			}
		}
	}
	f.given = s
	return nil
}

// holds reports whether numbers in the caller's units are finite.
func holds(coefficients *mat.Dense, lists ...[]float64) bool {
	if coefficients != nil {
		lists = append(lists, coefficients.RawMatrix().Data)
	}
	for _, list := range lists {
		for _, v := range list {
			if v-v != 0 {
				return false
			}
		}
	}
	return true
}
