package mixture

import (
	"context"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Scores returns the Fisher score of each row, the gradient of log p(x), n × Parameters(): first
// the K−1 numbers rₖ − πₖ for the components after the first, by the logarithms of the odds of
// their weights against the first's, then for each component the d numbers rₖ (xⱼ − qₖⱼ), by the
// logarithms of the odds of its bits; r are the responsibilities.
func (m *BernoulliModel) Scores(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "mixture.BernoulliModel.Scores"
	r, _, _, err := m.evaluate(ctx, method, x)
	if err != nil {
		return nil, err
	}
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	k, _ := m.Probabilities.Dims()
	out := mat.NewDense(n, m.Parameters(), nil)
	return out, parallel.For(ctx, n, 16, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row, score := y.RawRowView(i), out.RawRowView(i)
			for c := 1; c < k; c++ {
				score[c-1] = r.At(i, c) - m.Weights[c]
			}
			for c := range k {
				at := score[k-1+c*d:][:d]
				for j, q := range m.Probabilities.RawRowView(c) {
					at[j] = r.At(i, c) * (row[j] - q)
				}
			}
		}
	})
}
