package decomposition

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Principal components are also the maximum-likelihood fit of a model with k hidden variables and a
// noise that is the same in all directions (probabilistic PCA, Tipping & Bishop, 1999; Roweis,
// 1998):
//
//	z ~ N(0, I),   x = m + Wz + ε,   ε ~ N(0, σ²I),    C = WWᵀ + σ²I.
//
// Its covariance C has the data's own variances along the components and σ², the mean of the
// variances left out, in every other direction. With Divisor Population the fit is the maximum.

// LogProb returns log p(x) of each row of x under probabilistic PCA, in nats and in the units of
// the data: its density of Gaussian form. The error is ml.ErrParameter where the model has no
// density: where it leaves out no variance and there are more variables than components.
func (m *PCAModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	const method = "decomposition.PCAModel.LogProb"
	y, err := m.prepared(method, x)
	if err != nil {
		return nil, err
	}
	if err := m.density(method); err != nil {
		return nil, err
	}
	k, d := m.Components.Dims()
	var z, rest mat.Dense
	z.Mul(y, m.Components.T())
	rest.Mul(&z, m.Components)
	rest.Sub(y, &rest)
	logDet := float64(d-k) * math.Log(m.Noise)
	if d == k {
		logDet = 0
	}
	for _, v := range m.Variance {
		logDet += math.Log(v)
	}
	for _, s := range m.Scale {
		logDet += 2 * math.Log(s)
	}
	n, _ := y.Dims()
	out := make([]float64, n)
	err = parallel.For(ctx, n, 1024, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			square := 0.0
			for c, v := range z.RawRowView(i) {
				square += v * v / m.Variance[c]
			}
			if d > k {
				for _, v := range rest.RawRowView(i) {
					square += v * v / m.Noise
				}
			}
			out[i] = -0.5 * (square + logDet + float64(d)*math.Log(2*math.Pi))
		}
	})
	return out, err
}

// density says whether the model has one.
func (m *PCAModel) density(method string) error {
	k, d := m.Components.Dims()
	if d > k && !(m.Noise > 0) {
		return ml.BadParameter(method, "Noise", m.Noise, "more than 0: nothing is left out, and all points lie in a plane of fewer dimensions, where there is no density; fit fewer Components")
	}
	for c, v := range m.Variance {
		if !(v > 0) {
			return ml.BadParameter(method, fmt.Sprintf("Variance[%d]", c), v, "more than 0: fit at most as many Components as the data have dimensions")
		}
	}
	return nil
}

// Sample draws n rows from probabilistic PCA. The errors are those of LogProb. A row depends on the
// seed and its number alone.
func (m *PCAModel) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	const method = "decomposition.PCAModel.Sample"
	if n < 1 {
		return nil, ml.BadParameter(method, "n", n, "at least 1")
	}
	if err := m.valid(method); err != nil {
		return nil, err
	}
	if err := m.density(method); err != nil {
		return nil, err
	}
	k, d := m.Components.Dims()
	x := mat.NewDense(n, d, nil)
	return x, parallel.For(ctx, n, 256, func(_, lo, hi int) {
		noise := make([]float64, d)
		for i := lo; i < hi; i++ {
			r, row := rng.New(seed, i), x.RawRowView(i)
			for j := range noise { // of Noise in all directions …
				noise[j] = math.Sqrt(m.Noise) * r.NormFloat64()
			}
			copy(row, noise)
			for c := range k { // … but those of the components, which have their own
				v := m.Components.RawRowView(c)
				along := math.Sqrt(m.Variance[c]) * r.NormFloat64()
				for j, e := range noise {
					along -= e * v[j]
				}
				for j := range row {
					row[j] += along * v[j]
				}
			}
			for j := range row {
				if m.Scale != nil {
					row[j] *= m.Scale[j]
				}
				row[j] += m.Mean[j]
			}
		}
	})
}
