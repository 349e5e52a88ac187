package decomposition

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// DPCALambda chooses the Lambda of DPCA by cross-validation (Kobak et al., 2016). One trial of each
// condition, drawn at random, is held out, and components are fitted to the means of the others;
// they then rebuild each marginal of these means from the trials that were held out,
//
//	error(λ) = Σ_φ ‖X_φ − X_out D_φ F_φᵀ‖² / Σ_φ ‖X_φ‖².
//
// What a decoder has learned of the noise of the one is of no use in the other. This is done
// Repeats times, and the λ with the least mean error is the best. Where values are missing, the
// trial that is held out is drawn for each step and variable among those that have it.
//
// A repeat costs a fit, and a solution of its equations, O(d³), for each λ and marginal.
type DPCALambda struct {
	DPCA    DPCA      // Lambda is not looked at
	Lambdas []float64 // to compare, rising; nil means 1e-4 to 100, four a decade, or for Official 1e-7·1.5^(0 … 25)
	Repeats int       // 0 means 10
	Seed    uint64
}

// DPCALambdaModel is the outcome of DPCALambda. DPCA{Lambda: m.Best} fits all trials with it.
type DPCALambdaModel struct {
	Best       float64    // the λ of the least mean error
	Lambdas    []float64  // that were compared
	Error      []float64  // of each λ, the mean over repeats
	StdError   []float64  // and its standard error: repeats share trials, so it is somewhat too small
	ByMarginal *mat.Dense // lambdas×marginals: the same for each marginal by itself
	Marginals  []string
	AtEdge     bool // Best is the first or the last of Lambdas: the grid is too narrow
}

func init() { ml.Register[DPCALambdaModel]("decomposition.DPCALambdaModel") }

const dpcaLambdaMethod = "decomposition.DPCALambda"

// Fit compares. The error is ml.ErrParameter for an option out of range and for a condition with a
// single trial (with its number, and the step and variable), the errors of DPCA.Fit, and ctx.Err().
func (c DPCALambda) Fit(ctx context.Context, x mat.Matrix) (*DPCALambdaModel, error) {
	c.DPCA.Lambda = 0
	means, err := c.DPCA.means(ctx, dpcaLambdaMethod, x)
	if err != nil {
		return nil, err
	}
	if err := c.check(means); err != nil {
		return nil, err
	}
	lambdas, marginals := len(c.Lambdas), means.DPCA.Marginals
	m := &DPCALambdaModel{Lambdas: c.Lambdas, Error: make([]float64, lambdas), StdError: make([]float64, lambdas),
		ByMarginal: mat.NewDense(lambdas, len(marginals), nil)}
	for _, marginal := range marginals {
		m.Marginals = append(m.Marginals, marginal.Name)
	}
	squares, own := make([]float64, lambdas), make([]float64, len(marginals))
	for repeat := range c.Repeats {
		train, out, noise := means.holdOut(rng.New(c.Seed, repeat).Perm(means.t.Len()))
		problem, err := means.DPCA.problem(ctx, train, noise)
		if err != nil {
			return nil, err
		}
		if err := problem.decompose(); err != nil {
			return nil, err
		}
		var crossed []*mat.Dense // X_outᵀX_φ
		for _, marginal := range marginals {
			part, err := marginalOf(train, marginal)
			if err != nil {
				return nil, err
			}
			var cross mat.Dense
			cross.Mul(out.T(), part)
			crossed = append(crossed, &cross)
		}
		outside := gram(out)
		for l, lambda := range c.Lambdas {
			pairs, err := problem.solve(ctx, problem.mu(max(lambda, 0)))
			if err != nil {
				return nil, err
			}
			sum, all := 0.0, 0.0
			for i, pair := range pairs {
				own[i] = mat.Trace(problem.parts[i])
				left := own[i] + rebuilt(pair, crossed[i], outside)
				sum, all = sum+left, all+own[i]
				if own[i] > 0 {
					m.ByMarginal.Set(l, i, m.ByMarginal.At(l, i)+left/own[i]/float64(c.Repeats))
				}
			}
			m.Error[l] += sum / all
			squares[l] += sum / all * (sum / all)
		}
	}
	n, best := float64(c.Repeats), 0
	for l := range m.Error {
		m.Error[l] /= n
		if c.Repeats > 1 {
			m.StdError[l] = math.Sqrt(max(squares[l]/n-m.Error[l]*m.Error[l], 0) / (n - 1))
		}
		if m.Error[l] < m.Error[best] {
			best = l
		}
	}
	m.Best, m.AtEdge = c.Lambdas[best], lambdas > 1 && (best == 0 || best == lambdas-1)
	return m, ctx.Err()
}

func (c *DPCALambda) check(means *dpcaMeans) error {
	c.Repeats = cmp.Or(c.Repeats, 10)
	if c.Repeats < 1 {
		return ml.BadParameter(dpcaLambdaMethod, "Repeats", c.Repeats, "at least 1, or 0 for 10")
	}
	switch {
	case c.Lambdas != nil:
	case means.Penalty == Official:
		for k := range 26 {
			c.Lambdas = append(c.Lambdas, 1e-7*math.Pow(1.5, float64(k)))
		}
	default:
		for k := -16; k <= 8; k++ {
			c.Lambdas = append(c.Lambdas, math.Pow(10, float64(k)/4))
		}
	}
	for i, l := range c.Lambdas {
		if math.IsNaN(l) || math.IsInf(l, 0) || i > 0 && l <= c.Lambdas[i-1] {
			return ml.BadParameter(dpcaLambdaMethod, fmt.Sprintf("Lambdas[%d]", i), l, "finite numbers in rising order")
		}
	}
	if len(c.Lambdas) == 0 {
		return ml.BadParameter(dpcaLambdaMethod, "Lambdas", "empty", "at least one, or nil")
	}
	rows, d := means.count.Dims()
	for r := range rows {
		for j := range d {
			if means.count.At(r, j) < 2 {
				return ml.BadParameter(dpcaLambdaMethod, fmt.Sprintf("the number of trials with condition %d, step %d and variable %d", r/means.mean.Steps, r%means.mean.Steps, j),
					means.count.At(r, j), "at least 2, so that one can be held out")
			}
		}
	}
	return nil
}

// holdOut returns the centered means of all trials but one of each condition, that one, centered
// too, and the noise of the others. Trials are held out in the given order: the first that has a
// value, if one is missing.
func (m *dpcaMeans) holdOut(order []int) (train *trials.Averages, out, noise *mat.Dense) {
	rows, d := m.mean.Mean.Dims()
	out, train = mat.NewDense(rows, d, nil), &trials.Averages{}
	*train = *m.mean
	train.Mean = mat.DenseCopyOf(m.mean.Mean)
	taken := mat.NewDense(rows, d, nil)
	rest := &dpcaMeans{DPCA: m.DPCA, t: m.t, mean: train, count: mat.DenseCopyOf(m.count), square: mat.DenseCopyOf(m.square)}
	for _, k := range order {
		for i := range m.t.Steps(k) {
			r := m.mean.Of[k]*m.mean.Steps + i
			for j, v := range m.t.X.RawRowView(m.t.Start[k] + i) {
				if math.IsNaN(v) || taken.At(r, j) == 1 {
					continue
				}
				taken.Set(r, j, 1)
				v -= m.offset[j]
				n, e := m.count.At(r, j), v-m.mean.Mean.At(r, j)
				out.Set(r, j, v)
				train.Mean.Set(r, j, m.mean.Mean.At(r, j)-e/(n-1))
				rest.count.Set(r, j, n-1)
				rest.square.Set(r, j, max(m.square.At(r, j)-e*e*n/(n-1), 0))
			}
		}
	}
	if m.Noise == FullNoise {
		// Without missing values a whole trial is held out of each condition, but where trials
		// differ in length.
		noise = m.noiseWithout(order, train.Mean)
	} else {
		noise = rest.noise()
	}
	center(train.Mean)
	center(out)
	return train, out, noise
}

// noiseWithout is the full noise of the trials that are left, around the means that they have.
func (m *dpcaMeans) noiseWithout(order []int, mean *mat.Dense) *mat.Dense {
	rows, _ := mean.Dims()
	first := make([]int, rows)
	for r := range first {
		first[r] = -1
	}
	for _, k := range order {
		for i := range m.t.Steps(k) {
			if r := m.mean.Of[k]*m.mean.Steps + i; first[r] < 0 {
				first[r] = k
			}
		}
	}
	e := mat.DenseCopyOf(m.t.X)
	for k, c := range m.mean.Of {
		for i := range m.t.Steps(k) {
			r, row := c*m.mean.Steps+i, e.RawRowView(m.t.Start[k]+i)
			if first[r] == k {
				clear(row)
				continue
			}
			for j := range row {
				row[j] = (row[j] - m.offset[j] - mean.At(r, j)) / math.Sqrt(m.count.At(r, j)-1)
			}
		}
	}
	return gram(e)
}

// rebuilt is ‖X_φ − X_out D Fᵀ‖² − ‖X_φ‖² for X_outᵀX_φ and X_outᵀX_out.
func rebuilt(pair dpcaPair, cross, outside *mat.Dense) float64 {
	if pair.f == nil {
		return 0
	}
	_, k := pair.f.Dims()
	var a, b mat.Dense
	a.Mul(cross, pair.f) // F is orthonormal
	b.Mul(outside, pair.d)
	sum := 0.0
	for c := range k {
		d := pair.d.ColView(c)
		sum += mat.Dot(d, b.ColView(c)) - 2*mat.Dot(d, a.ColView(c))
	}
	return sum
}
