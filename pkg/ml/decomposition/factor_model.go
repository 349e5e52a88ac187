package decomposition

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// noiseUnits is a model in units in which the noise of every variable is 1.
type noiseUnits struct {
	m          *FactorModel
	half       *mat.Dense    // d×k: Ψ^(−½)W
	root       *mat.Dense    // k×k: a square root of the factors' correlation
	covariance *mat.SymDense // of the factors given x
	logDet     float64       // of the model's covariance
}

func (m *FactorModel) inNoiseUnits(method string) (*noiseUnits, error) {
	if m.Loadings == nil || m.Loadings.IsEmpty() {
		return nil, ml.Empty(method, "the model has no loadings")
	}
	d, k := m.Loadings.Dims()
	if len(m.Mean) != d || len(m.Uniqueness) != d || m.Correlation == nil || m.Correlation.SymmetricDim() != k {
		return nil, ml.BadShape(method, "loadings are %d×%d, with %d means and %d uniquenesses, and a correlation of other factors", d, k, len(m.Mean), len(m.Uniqueness))
	}
	u := &noiseUnits{m: m, half: mat.NewDense(d, k, nil)}
	for _, psi := range m.Uniqueness {
		if !(psi > 0) || math.IsInf(psi, 0) {
			return nil, ml.BadParameter(method, "a uniqueness", psi, "a positive number")
		}
		u.logDet += math.Log(psi)
	}
	u.half.Apply(func(j, _ int, v float64) float64 { return v / math.Sqrt(m.Uniqueness[j]) }, m.Loadings)
	var chol mat.Cholesky
	if !chol.Factorize(m.Correlation) {
		return nil, ml.BadParameter(method, "Correlation", "singular", "a positive definite matrix")
	}
	var lower mat.TriDense
	chol.LTo(&lower)
	u.root = mat.DenseCopyOf(&lower)
	u.half.Mul(u.half, u.root) // of factors that are uncorrelated
	cov, logDet, err := posteriorCovariance(u.half, u.half)
	u.covariance = cov
	u.logDet += logDet
	return u, err
}

// expect calls f with each row's squared length in noise units, its pull Wᵀe on uncorrelated
// factors and their expectation.
func (u *noiseUnits) expect(ctx context.Context, x *mat.Dense, f func(i int, square float64, pull, mean []float64)) error {
	n, d := x.Dims()
	_, k := u.half.Dims()
	return parallel.For(ctx, n, 512, func(_, lo, hi int) {
		pull, mean := mat.NewVecDense(k, nil), mat.NewVecDense(k, nil)
		e := mat.NewVecDense(d, nil)
		for i := lo; i < hi; i++ {
			for j, v := range x.RawRowView(i) {
				e.SetVec(j, (v-u.m.Mean[j])/math.Sqrt(u.m.Uniqueness[j]))
			}
			pull.MulVec(u.half.T(), e)
			mean.MulVec(u.covariance, pull)
			f(i, mat.Dot(e, e), pull.RawVector().Data, mean.RawVector().Data)
		}
	})
}

func (m *FactorModel) query(method string, x mat.Matrix) (*mat.Dense, *noiseUnits, error) {
	rows, err := ml.Dense(method, x)
	if err != nil {
		return nil, nil, err
	}
	u, err := m.inNoiseUnits(method)
	if err != nil {
		return nil, nil, err
	}
	return rows, u, ml.Columns(method, rows, len(m.Mean))
}

// Transform returns the factors' expectation given each row of x, n×k (Thomson's regression
// scores): their variance is less than 1 by what x leaves open. The errors are those of ml.Dense,
// and ml.ErrShape for another number of columns.
func (m *FactorModel) Transform(x mat.Matrix) (*mat.Dense, error) {
	rows, u, err := m.query("decomposition.FactorModel.Transform", x)
	if err != nil {
		return nil, err
	}
	n, _ := rows.Dims()
	_, k := m.Loadings.Dims()
	z := mat.NewDense(n, k, nil)
	err = u.expect(context.Background(), rows, func(i int, _ float64, _, mean []float64) {
		for c := range k {
			z.Set(i, c, floats.Dot(u.root.RawRowView(c), mean))
		}
	})
	return z, err
}

// LogProb returns log p(x) of each row of x, in nats. The errors are those of Transform, and
// ctx.Err().
func (m *FactorModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	rows, u, err := m.query("decomposition.FactorModel.LogProb", x)
	if err != nil {
		return nil, err
	}
	n, d := rows.Dims()
	out := make([]float64, n)
	return out, u.expect(ctx, rows, func(i int, square float64, pull, mean []float64) {
		out[i] = -(square - floats.Dot(pull, mean) + u.logDet + float64(d)*math.Log(2*math.Pi)) / 2
	})
}

// Covariance returns that of the model, WΦWᵀ + Ψ with Φ the factors' correlation, d×d.
func (m *FactorModel) Covariance() *mat.SymDense {
	d, _ := m.Loadings.Dims()
	var full mat.Dense
	full.Product(m.Loadings, m.Correlation, m.Loadings.T())
	out := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			out.SetSym(i, j, full.At(i, j))
		}
		out.SetSym(i, i, out.At(i, i)+m.Uniqueness[i])
	}
	return out
}

// Sample draws n rows from the model. A row depends on the seed and its number alone. The error is
// ml.ErrParameter for n < 1, and ctx.Err().
func (m *FactorModel) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	const method = "decomposition.FactorModel.Sample"
	if n < 1 {
		return nil, ml.BadParameter(method, "n", n, "at least 1")
	}
	u, err := m.inNoiseUnits(method)
	if err != nil {
		return nil, err
	}
	d, k := m.Loadings.Dims()
	x := mat.NewDense(n, d, nil)
	return x, parallel.For(ctx, n, 256, func(_, lo, hi int) {
		z := make([]float64, k)
		for i := lo; i < hi; i++ {
			r, row := rng.New(seed, i), x.RawRowView(i)
			for c := range z {
				z[c] = r.NormFloat64()
			}
			for j := range row {
				row[j] = m.Mean[j] + math.Sqrt(m.Uniqueness[j])*(floats.Dot(u.half.RawRowView(j), z)+r.NormFloat64())
			}
		}
	})
}
