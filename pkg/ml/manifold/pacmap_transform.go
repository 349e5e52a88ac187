package manifold

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Transform places the rows of x (m×d) on the map, which stays as it is: each is pulled towards its
// nearest neighbors of the data by the loss of near pairs, Σ d̃/(10+d̃), from the place of the
// nearest, by 450 steps of Adam. Where a row goes does not depend on the rows that it comes with.
//
// Neighbors are looked for exactly, at a cost of O(mnd) at most. The errors are those of
// neighbors.KNN.Query; of a model that was fitted to a table of distances x holds the distances of
// the new points from those of the fit, a column each. Then come ml.ErrParameter for a model that
// was loaded from a file and fitted with a caller's own metric, and ctx.Err().
func (m *PaCMAPModel) Transform(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "manifold.PaCMAPModel.Transform"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := m.Embedding.Dims()
	near, err := placedAmong(ctx, method, y, m.Data, n, m.Neighbors, m.Metric, m.Exponent, m.metric)
	if err != nil {
		return nil, err
	}
	rows, _ := y.Dims()
	_, k := m.Embedding.Dims()
	out := mat.NewDense(rows, k, nil)
	err = parallel.For(ctx, rows, 16, func(_, lo, hi int) {
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			index, _ := near.Of(i)
			m.place(out.RawRowView(i), index)
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// place writes the place of a point with the given neighbors, nearest first, to at.
func (m *PaCMAPModel) place(at []float64, index []int) {
	copy(at, m.Embedding.RawRowView(index[0]))
	one := pacmapFit{phases: [3]int{100, 100, 250}}
	gradient, mean, meanSquare := make([]float64, len(at)), make([]float64, len(at)), make([]float64, len(at))
	for t := range one.total() {
		_, near, _ := one.phase(t)
		clear(gradient)
		for _, j := range index {
			row := m.Embedding.RawRowView(j)
			d := 11 + squaredGap(at, row)
			for c := range at {
				gradient[c] += 20 * near / (d * d) * (at[c] - row[c])
			}
		}
		rate := m.Rate * math.Sqrt(1-math.Pow(0.999, float64(t+1))) / (1 - math.Pow(0.9, float64(t+1)))
		for c, g := range gradient {
			mean[c] += 0.1 * (g - mean[c])
			meanSquare[c] += 0.001 * (g*g - meanSquare[c])
			at[c] -= rate * mean[c] / (math.Sqrt(meanSquare[c]) + 1e-7)
		}
	}
}
