package manifold

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// Transform places new rows x (m×d) on the map, which does not move. Each goes, alone, where the
// divergence of its own neighborhoods is least,
//
//	KL = Σⱼ p(j) log(p(j)/q(j)),   q(j) ∝ (1 + ‖y − yⱼ‖²)⁻¹ over all points of the map,
//
// with the probabilities p of its neighbors among the rows of the fit at the Perplexity of the fit,
// by gradient descent from the median of its nearest neighbors (Poličar, Stražar & Zupan, 2023).
// What a row's place is does not depend on the rows beside it. Rows unlike all of the fit land
// somewhere too: the map can't say so.
//
// The cost is O(m·n) for the neighbors and as much a step. The errors are those of ml.Dense,
// ml.ErrShape for another number of columns, ml.ErrParameter for a map that was fitted by another
// metric or a graph, which PlaceGraph continues, and ctx.Err().
func (m *TSNEModel) Transform(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "manifold.TSNEModel.Transform"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	if m.Data == nil {
		return nil, ml.BadParameter(method, "Data", "nil", "a map fitted to rows by the Euclidean distance; PlaceGraph takes distances from elsewhere")
	}
	n, d := m.Data.Dims()
	if err := ml.Columns(method, y, d); err != nil {
		return nil, err
	}
	g, err := neighbors.KNN{K: min(n, int(math.Ceil(3*m.Perplexity)))}.Query(ctx, m.Data, y)
	if err != nil {
		return nil, err
	}
	return m.place(ctx, g)
}

// PlaceGraph is Transform for a graph whose row i lists neighbors of new row i among the rows of
// the fit, as neighbors.KNN.Query makes it: more than Perplexity of them each, 3·Perplexity at
// best.
func (m *TSNEModel) PlaceGraph(ctx context.Context, g *neighbors.Graph) (*mat.Dense, error) {
	const method = "manifold.TSNEModel.PlaceGraph"
	n, _ := m.Embedding.Dims()
	if err := checkGraph(method, g, n); err != nil {
		return nil, err
	}
	for i := range g.Len() {
		if rows, _ := g.Of(i); float64(len(rows)) <= m.Perplexity {
			return nil, ml.BadParameter(method, sprintf("the number of neighbors of row %d", i), len(rows), sprintf("more than the perplexity %g", m.Perplexity))
		}
	}
	return m.place(ctx, g)
}

func (m *TSNEModel) place(ctx context.Context, g *neighbors.Graph) (*mat.Dense, error) {
	n, k := m.Embedding.Dims()
	p, _, err := conditionals(ctx, g, min(m.Perplexity, float64(n)/2))
	if err != nil {
		return nil, err
	}
	places := mat.DenseCopyOf(m.Embedding).RawMatrix().Data
	var xs, ys []float64
	if k == 2 {
		xs, ys = mat.Col(nil, 0, m.Embedding), mat.Col(nil, 1, m.Embedding)
	}
	out := mat.NewDense(g.Len(), k, nil)
	err = parallel.For(ctx, g.Len(), 1, func(i, _, _ int) {
		near, _ := g.Of(i)
		s := newcomer{ctx: ctx, y: places, xs: xs, ys: ys, k: k, near: near, p: p[g.Start[i]:g.Start[i+1]]}
		copy(out.RawRowView(i), s.settle())
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// newcomer is a point on its way to its place.
type newcomer struct {
	ctx    context.Context
	y      []float64 // the map
	xs, ys []float64 // its columns, in the plane
	k      int
	near   []int
	p      []float64
}

// settle descends with steps of the length of Barzilai & Borwein (1988), shortened until the
// divergence falls.
func (s *newcomer) settle() []float64 {
	at := s.median()
	value, slope := s.divergence(at)
	rate := 1.0
	for range 200 {
		norm := 0.0
		for _, g := range slope {
			norm += g * g
		}
		if norm < 1e-14 || s.ctx.Err() != nil {
			break
		}
		next := make([]float64, s.k)
		moved := false
		for range 40 {
			for c := range next {
				next[c] = at[c] - rate*slope[c]
			}
			v, g := s.divergence(next)
			if v <= value-1e-4*rate*norm {
				var ds, dg float64
				for c := range next {
					ds += (next[c] - at[c]) * (next[c] - at[c])
					dg += (next[c] - at[c]) * (g[c] - slope[c])
				}
				rate = 2 * rate
				if dg > 0 {
					rate = min(ds/dg, 100)
				}
				at, value, slope, moved = next, v, g, true
				break
			}
			rate /= 4
		}
		if !moved {
			break // to rounding this is the lowest point
		}
	}
	return at
}

// median is the median, coordinate by coordinate, of the nearest neighbors' places.
func (s *newcomer) median() []float64 {
	at := make([]float64, s.k)
	some := s.near[:min(len(s.near), 10)]
	for c := range at {
		v := make([]float64, len(some))
		for l, j := range some {
			v[l] = s.y[j*s.k+c]
		}
		slices.Sort(v)
		at[c] = (v[(len(v)-1)/2] + v[len(v)/2]) / 2
	}
	return at
}

// divergence is Σ p log(1 + ‖y − yⱼ‖²) + log Σ (1 + ‖y − yⱼ‖²)⁻¹, which differs from KL by a
// constant, and its gradient.
func (s *newcomer) divergence(at []float64) (value float64, slope []float64) {
	slope = make([]float64, s.k)
	z, push := 0.0, make([]float64, s.k)
	if s.k == 2 {
		z, push[0], push[1] = repel(at[0], at[1], s.xs, s.ys)
	} else {
		for j := 0; j < len(s.y); j += s.k {
			d2 := 1.0
			for c, v := range at {
				d2 += (v - s.y[j+c]) * (v - s.y[j+c])
			}
			z += 1 / d2
			for c, v := range at {
				push[c] += (v - s.y[j+c]) / d2 / d2
			}
		}
	}
	for l, j := range s.near {
		d2 := 1.0
		for c, v := range at {
			d2 += (v - s.y[j*s.k+c]) * (v - s.y[j*s.k+c])
		}
		value += s.p[l] * math.Log(d2)
		for c, v := range at {
			slope[c] += 2 * s.p[l] * (v - s.y[j*s.k+c]) / d2
		}
	}
	for c := range slope {
		slope[c] -= 2 * push[c] / z
	}
	return value + math.Log(z), slope
}
