package manifold

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// FuzzyGraph joins n points by edges whose weight, from 0 to 1, says how certainly two of them are
// neighbors: the symmetric n×n matrix of weights. An edge stands at both of its ends.
type FuzzyGraph struct{ csr.Matrix }

func init() { ml.Register[FuzzyGraph]("manifold.FuzzyGraph") }

// Len returns the number of points.
func (g *FuzzyGraph) Len() int { return g.Rows() }

// exactBelow is the number of rows up to which looking at all of them costs about as much as an
// approximate search, and more where many neighbors are wanted.
const exactBelow = 16384

// nearRows finds the k nearest other rows of each row: all of them for some ten thousand rows,
// nearly all of them for more.
func nearRows(ctx context.Context, x *mat.Dense, k int, metric distance.Metric, seed uint64) (*neighbors.Graph, error) {
	if n, _ := x.Dims(); n <= max(exactBelow, 512*k) {
		return neighbors.KNN{K: k, Metric: metric}.Fit(ctx, x)
	}
	g, err := neighbors.NNDescent{K: k, Metric: metric, Seed: seed}.Fit(ctx, x)
	if err != nil {
		return nil, err // ctx ended: half a graph is no start for a map
	}
	return g, nil
}

// fuzzy turns the k−1 nearest neighbors of each point into weights
//
//	w(i→j) = exp(−max(0, d(i, j) − ρᵢ)/σᵢ),
//
// where ρᵢ is the distance of the nearest neighbor that is not at distance 0 and σᵢ is such that
// the weights of a point sum to log₂ k, and joins two directions as probabilities of independent
// events, w(i→j) + w(j→i) − w(i→j)·w(j→i).
func fuzzy(ctx context.Context, g *neighbors.Graph) (*FuzzyGraph, error) {
	n := g.Len()
	mean := 0.0
	for _, d := range g.Distance {
		mean += d / float64(len(g.Distance)+n) // the point itself counts, at distance 0
	}
	weights := make([]float64, len(g.Index))
	err := parallel.For(ctx, n, 256, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			_, d := g.Of(i)
			memberships(weights[g.Start[i]:g.Start[i+1]], d, mean)
		}
	})
	if err != nil {
		return nil, err
	}
	directed := neighbors.Graph{Start: g.Start, Index: g.Index, Distance: weights}
	one, err := directed.Matrix(ctx, n, func(w float64) float64 { return w })
	if err != nil {
		return nil, err
	}
	both, err := one.Symmetrize(ctx, func(a, b float64) float64 {
		if w := a + b - a*b; w > faintest {
			return w
		}
		return 0
	})
	if err != nil {
		return nil, err
	}
	return &FuzzyGraph{*both}, nil
}

// memberships sets w[j] to the weight of the neighbor at distance d[j], ascending. mean is that of
// the distances of all points.
func memberships(w, d []float64, mean float64) {
	rho, sum := 0.0, 0.0
	for j := len(d) - 1; j >= 0; j-- {
		sum += d[j]
		if d[j] > 0 {
			rho = d[j]
		}
	}
	own := sum / float64(len(d)+1)
	// A width far below all distances would leave a point with one neighbor (umap-learn's bound).
	least := 1e-3 * mean
	if rho > 0 {
		least = 1e-3 * own
	}
	sigma := max(bandwidth(d, rho, own, math.Log2(float64(len(d)+1))), least)
	for j, v := range d {
		if v <= rho || sigma == 0 {
			w[j] = 1
			continue
		}
		w[j] = math.Exp(-(v - rho) / sigma)
	}
}

// bandwidth is the σ with Σ exp(−max(0, dⱼ−ρ)/σ) = target, found by bisection from a guess.
func bandwidth(d []float64, rho, guess, target float64) float64 {
	if guess == 0 {
		return 0
	}
	lo, hi, sigma := 0.0, math.Inf(1), guess
	for range 100 {
		sum := 0.0
		for _, v := range d {
			if v > rho {
				sum += math.Exp(-(v - rho) / sigma)
			} else {
				sum++
			}
		}
		if math.Abs(sum-target) < 1e-10 {
			break
		}
		if sum > target {
			hi = sigma
			sigma = (lo + hi) / 2
		} else if lo = sigma; math.IsInf(hi, 1) {
			if sigma *= 2; sigma > 1e8*guess { // all are at ρ, or there are too few to reach the target
				break
			}
		} else {
			sigma = (lo + hi) / 2
		}
	}
	return sigma
}

// faintest is the weight below which an edge is none. It is the least that a number in single
// precision can be, as in umap-learn.
const faintest = 0x1p-126

// visible is the graph without edges so light that they would not be drawn in the given number of
// epochs.
func (g *FuzzyGraph) visible(epochs int) *FuzzyGraph {
	heaviest := g.heaviest()
	return &FuzzyGraph{*g.Map(func(_, _ int, w float64) float64 {
		if w*float64(epochs) < heaviest {
			return 0
		}
		return w
	})}
}

func (g *FuzzyGraph) heaviest() (most float64) {
	for _, w := range g.Value {
		most = max(most, w)
	}
	return most
}
