package manifold

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// transformEpochs is how long a new point is moved.
const transformEpochs = 100

// Transform places the rows of x (m×d) on the map, which stays as it is: each starts at the mean of
// its nearest neighbors in the data, weighted as edges are, or at the place of one that it equals,
// is drawn to them and pushed from others as in an epoch of Fit, at a quarter of the rate. Where a
// row goes does not depend on the rows that it comes with.
//
// Neighbors are looked for exactly, at a cost of O(mnd) at most. The errors are those of
// neighbors.KNN.Query; of a model that was fitted to a table of distances x holds the distances of
// the new points from those of the fit, a column each. Then come ml.ErrParameter for a model that
// was loaded from a file and fitted with a caller's own metric, and ctx.Err().
func (m *UMAPModel) Transform(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "manifold.UMAPModel.Transform"
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
	p := placer{
		onto: m.Embedding, negatives: m.Negatives, rate: m.Rate / 4,
		pull: newForce(func(d2 float64) float64 { return attraction(d2, m.A, m.B) }),
		push: newForce(func(d2 float64) float64 { return m.Repulsion * repulsionOf(d2, m.A, m.B) }),
		seed: rng.New(m.Seed, 8).Uint64(),
	}
	out := mat.NewDense(rows, k, nil)
	err = parallel.For(ctx, rows, 16, func(_, lo, hi int) {
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			index, d := near.Of(i)
			p.place(out.RawRowView(i), index, d)
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// placer moves a new point over a map that stays.
type placer struct {
	onto       *mat.Dense
	pull, push *force
	negatives  int
	rate       float64
	seed       uint64
}

// place writes the place of a point with the given neighbors, nearest first, to at.
func (p *placer) place(at []float64, index []int, d []float64) {
	w := make([]float64, len(d))
	newMemberships(w, d)
	sum := 0.0
	for _, v := range w {
		sum += v
	}
	for j, v := range w {
		row := p.onto.RawRowView(index[j])
		if v == 1 { // the same point
			copy(at, row)
			break
		}
		for c := range at {
			at[c] += v / sum * row[c]
		}
	}
	n, _ := p.onto.Dims()
	r := stream(p.seed) // of every row the same: it must not matter which row it is
	heaviest := w[0]
	next := make([]float64, len(w))
	for j, v := range w {
		next[j] = heaviest / v
	}
	for epoch := range transformEpochs {
		rate := p.rate * (1 - float64(epoch)/transformEpochs)
		for j, v := range w {
			if !(next[j] <= float64(epoch+1)) {
				continue
			}
			next[j] += heaviest / v
			row := p.onto.RawRowView(index[j])
			if d2 := squaredGap(at, row); d2 > 0 {
				g := p.pull.of(d2)
				for c := range at {
					at[c] += limited(g*(row[c]-at[c])) * rate
				}
			}
			for range p.negatives {
				other := p.onto.RawRowView(r.below(n))
				if d2 := squaredGap(at, other); d2 > 0 {
					g := p.push.of(d2)
					for c := range at {
						at[c] += limited(g*(at[c]-other[c])) * rate
					}
				}
			}
		}
	}
}

// newMemberships are the weights of the neighbors of a point that is not one of the data: none is
// certain for being the nearest. The width is fitted to all but the nearest, as umap-learn does,
// whose first neighbor is the point itself in a fit.
func newMemberships(w, d []float64) {
	sum := 0.0
	for _, v := range d {
		sum += v
	}
	mean := sum / float64(len(d))
	sigma := max(bandwidth(d[1:], 0, mean, math.Log2(float64(len(d)))), 1e-3*mean)
	for j, v := range d {
		w[j] = 1
		if v > 0 && sigma > 0 {
			w[j] = math.Exp(-v / sigma)
		}
	}
}

func columns(x *mat.Dense) int {
	_, d := x.Dims()
	return d
}
