package mixture

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// LogProb returns log p(x) of each row of x, in nats: −Inf where the density is too small for its
// logarithm to be a float64.
func (m *GMMModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	var out []float64
	err := m.evaluate(ctx, "mixture.GMMModel.LogProb", x, func(n int) { out = make([]float64, n) }, func(u scaling.Units, lo int, s *scratch, n int) {
		volume := u.LogVolume()
		for i, v := range s.sums[:n] {
			out[lo+i] = v + volume
		}
	})
	return out, err
}

// Responsibilities returns the n×K probabilities of the components given each row of x: πₖN(x; μₖ,
// Σₖ)/p(x). They sum to one however far away a row is.
func (m *GMMModel) Responsibilities(x mat.Matrix) (*mat.Dense, error) {
	var out *mat.Dense
	k := len(m.Weights)
	err := m.evaluate(context.Background(), "mixture.GMMModel.Responsibilities", x, func(n int) { out = mat.NewDense(n, k, nil) }, func(_ scaling.Units, lo int, s *scratch, n int) {
		copy(out.RawMatrix().Data[lo*k:], s.logs[:n*k])
	})
	return out, err
}

// Predict returns the component of greatest responsibility of each row of x: on the data of the
// fit, its Labels.
func (m *GMMModel) Predict(x mat.Matrix) ([]int, error) {
	var out []int
	k := len(m.Weights)
	err := m.evaluate(context.Background(), "mixture.GMMModel.Predict", x, func(n int) { out = make([]int, n) }, func(_ scaling.Units, lo int, s *scratch, n int) {
		for i := range n {
			row := s.logs[i*k : (i+1)*k]
			for c, r := range row {
				if r > row[out[lo+i]] {
					out[lo+i] = c
				}
			}
		}
	})
	return out, err
}

// evaluate computes densities and responsibilities of all rows, a block at a time, and hands each
// block to take.
func (m *GMMModel) evaluate(ctx context.Context, method string, x mat.Matrix, size func(n int), take func(u scaling.Units, lo int, s *scratch, n int)) error {
	y, err := ml.Dense(method, x)
	if err != nil {
		return err
	}
	c, u, err := m.components(method)
	if err != nil {
		return err
	}
	if err := ml.Columns(method, y, c.d); err != nil {
		return err
	}
	n, d := y.Dims()
	size(n)
	rows := c.blockRows()
	return parallel.For(ctx, n, 8*rows, func(_, lo, hi int) {
		s, z := c.scratch(), make([]float64, rows*d)
		for i := lo; i < hi; i += rows {
			end := min(i+rows, hi)
			for r := i; r < end; r++ {
				u.Into(z[(r-i)*d:(r-i+1)*d], y.RawRowView(r))
			}
			c.joint(z[:(end-i)*d], s)
			c.posterior(z[:(end-i)*d], s, nil)
			take(u, i, s, end-i)
		}
	})
}

// components checks a model, which may have been made by hand, and brings it into coordinates in
// which nothing overflows.
func (m *GMMModel) components(method string) (*components, scaling.Units, error) {
	fail := func(err error) (*components, scaling.Units, error) { return nil, scaling.Units{}, err }
	k := len(m.Weights)
	if k == 0 || m.Means == nil {
		return fail(ml.BadShape(method, "the model has %d weights and its means are %v, want at least one component", k, m.Means))
	}
	weights, err := normalized(method, m.Weights, k)
	if err != nil {
		return fail(err)
	}
	means, err := ml.Dense(method+": Means", m.Means)
	if err != nil {
		return fail(err)
	}
	r, d := means.Dims()
	if r != k {
		return fail(ml.BadShape(method, "there are %d weights and %d means", k, r))
	}
	if !m.Family.valid() {
		return fail(ml.BadParameter(method, "Family", m.Family, `one of "full", "tied", "diagonal", "spherical"`))
	}
	if len(m.Covariances) != k {
		return fail(ml.BadShape(method, "there are %d weights and %d covariances", k, len(m.Covariances)))
	}
	u := scaling.Units{A: make([]float64, d), M: make([]float64, d), B: make([]float64, d)}
	for j := range d {
		most, spread := 0.0, 0.0
		for i, cov := range m.Covariances {
			if cov == nil || cov.IsEmpty() || cov.SymmetricDim() != d {
				return fail(ml.BadShape(method, "covariance %d is not %d×%d", i, d, d))
			}
			v := cov.At(j, j)
			if !(v > 0) || math.IsInf(v, 0) {
				return fail(ml.BadParameter(method, sprintf("variance %d of component %d", j, i), v, "a positive number"))
			}
			most = max(most, math.Abs(means.At(i, j)), math.Sqrt(v))
		}
		u.A[j] = scaling.PowerOfTwo(most)
		for i, w := range weights {
			u.M[j] += w * means.At(i, j) * u.A[j]
		}
		for i, cov := range m.Covariances {
			spread = max(spread, math.Sqrt(cov.At(j, j))*u.A[j], math.Abs(means.At(i, j)*u.A[j]-u.M[j]))
		}
		u.B[j] = scaling.PowerOfTwo(spread)
	}
	family := m.Family
	switch family {
	case "":
		family = Full
	case Spherical: // columns have their own units here
		family = Diagonal
	}
	c := &components{family: family, k: k, d: d, weights: weights, means: u.MatrixIn(means), floored: make([]int, k)}
	if c.covs, err = covariancesIn(method, m.Covariances, u, k, family, weights); err != nil {
		return fail(err)
	}
	if bad := c.factor(); bad >= 0 {
		return fail(ml.BadParameter(method, "covariance", bad, "a positive definite matrix"))
	}
	return c, u, nil
}

// Sample draws n rows from the mixture. The error is ml.ErrParameter for n < 1, what is wrong with
// a model made by hand, and ctx.Err().
func (m *GMMModel) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	const method = "mixture.GMMModel.Sample"
	if n < 1 {
		return nil, ml.BadParameter(method, "n", n, "at least 1")
	}
	c, u, err := m.components(method)
	if err != nil {
		return nil, err
	}
	out := mat.NewDense(n, c.d, nil)
	err = parallel.For(ctx, n, chunk, func(shard, lo, hi int) {
		r := rng.New(seed, shard)
		noise, z := make([]float64, c.d), make([]float64, c.d)
		for i := lo; i < hi; i++ {
			k := draw(r, c.weights)
			for j := range noise {
				noise[j] = r.NormFloat64()
			}
			for j := range z {
				z[j] = c.means[k*c.d+j]
				switch c.family {
				case Full, Tied:
					l := c.lower[min(k, len(c.lower)-1)]
					z[j] += blas.Dot(l.RawRowView(j)[:j+1], noise[:j+1])
				default:
					z[j] += noise[j] / c.whiten[k*c.d+j]
				}
			}
			u.OutOf(out.RawRowView(i), z)
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Parameters is the number of free parameters: K−1 weights, Kd means, and the covariances of the
// family.
func (m *GMMModel) Parameters() int {
	k, d := m.Means.Dims()
	covariances := map[Covariance]int{"": k * d * (d + 1) / 2, Full: k * d * (d + 1) / 2, Tied: d * (d + 1) / 2, Diagonal: k * d, Spherical: k}[m.Family]
	return k - 1 + k*d + covariances
}

// BIC is Schwarz's (1978) criterion, Parameters·log n − 2·(total log-likelihood) on the data of the
// fit: the lower, the better the model earns its parameters.
func (m *GMMModel) BIC() float64 {
	return bic(m.Parameters(), len(m.Labels), m.LogLikelihood)
}

// AIC is Akaike's (1974) criterion, 2·Parameters − 2·(total log-likelihood) on the data of the fit:
// lower is better.
func (m *GMMModel) AIC() float64 {
	return aic(m.Parameters(), len(m.Labels), m.LogLikelihood)
}

// bic and aic are the criteria of a model with a mean log-likelihood over n rows.
func bic(parameters, n int, logLikelihood float64) float64 {
	return float64(parameters)*math.Log(float64(n)) - 2*float64(n)*logLikelihood
}

func aic(parameters, n int, logLikelihood float64) float64 {
	return 2*float64(parameters) - 2*float64(n)*logLikelihood
}
