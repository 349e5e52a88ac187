package manifold

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// FuzzyGraph joins n points by edges whose weight, from 0 to 1, says how certainly two of them are neighbors: point i is joined to Index[k] with Weight[k] for k from
// Start[i] to Start[i+1]−1, in ascending order. An edge stands at both of its ends.
type FuzzyGraph struct {
	Start  []int // length n+1
	Index  []int
	Weight []float64
}

func init() { ml.Register[FuzzyGraph]("manifold.FuzzyGraph") }

// Len returns the number of points.
func (g *FuzzyGraph) Len() int { return len(g.Start) - 1 }

// Of returns what point i is joined to, and the weights. The slices share the graph's memory.
func (g *FuzzyGraph) Of(i int) (points []int, weights []float64) {
	lo, hi := g.Start[i], g.Start[i+1]
	return g.Index[lo:hi:hi], g.Weight[lo:hi:hi]
}

// Pairs returns each edge once, smaller point first.
func (g *FuzzyGraph) Pairs() [][2]int {
	return (&neighbors.Graph{Start: g.Start, Index: g.Index, Distance: g.Weight}).Pairs()
}

// exactBelow is the number of rows up to which looking at all of them costs about as much as an approximate search, and more where many neighbors are wanted.
const exactBelow = 16384

// nearRows finds the k nearest other rows of each row: all of them for some ten thousand rows, nearly all of them for more.
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
// where ρᵢ is the distance of the nearest neighbor that is not at distance 0 and σᵢ is such that the weights of a point sum to log₂ k, and joins two directions as
// probabilities of independent events, w(i→j) + w(j→i) − w(i→j)·w(j→i).
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
	return union(ctx, g, weights)
}

// memberships sets w[j] to the weight of the neighbor at distance d[j], ascending. mean is that of the distances of all points.
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

// faintest is the weight below which an edge is none. It is the least that a number in single precision can be, as in umap-learn.
const faintest = 0x1p-126

// visible is the graph without edges so light that they would not be drawn in the given number of epochs. The error is ctx.Err().
func (g *FuzzyGraph) visible(ctx context.Context, epochs int) (*FuzzyGraph, error) {
	heaviest := 0.0
	for _, w := range g.Weight {
		heaviest = max(heaviest, w)
	}
	out := &FuzzyGraph{Start: make([]int, 1, len(g.Start)), Index: make([]int, 0, len(g.Index)), Weight: make([]float64, 0, len(g.Index))}
	for i := range g.Len() {
		if i%manyRows == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		to, w := g.Of(i)
		for k, j := range to {
			if w[k]*float64(epochs) >= heaviest {
				out.Index, out.Weight = append(out.Index, j), append(out.Weight, w[k])
			}
		}
		out.Start = append(out.Start, len(out.Index))
	}
	return out, nil
}

// union joins the directed weights of a graph of neighbors.
func union(ctx context.Context, g *neighbors.Graph, weights []float64) (*FuzzyGraph, error) {
	n := g.Len()
	type edge struct {
		to int32
		w  float64
	}
	// Who lists a point, beside whom it lists: two directions of an edge are two entries next to each other after sorting.
	start := make([]int, n+1)
	for i := range n {
		if i%manyRows == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		start[i+1] += g.Start[i+1] - g.Start[i]
		for _, j := range g.Index[g.Start[i]:g.Start[i+1]] {
			start[j+1]++
		}
	}
	for i := range n {
		start[i+1] += start[i]
	}
	all, next := make([]edge, start[n]), slices.Clone(start)
	for i := range n {
		if i%manyRows == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		for k := g.Start[i]; k < g.Start[i+1]; k++ {
			j, w := g.Index[k], weights[k]
			all[next[i]], all[next[j]] = edge{int32(j), w}, edge{int32(i), w}
			next[i]++
			next[j]++
		}
	}
	size := make([]int, n)
	err := parallel.For(ctx, n, 256, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			edges := all[start[i]:start[i+1]]
			slices.SortFunc(edges, func(a, b edge) int { return int(a.to - b.to) })
			out := 0
			for k := 0; k < len(edges); k++ {
				e := edges[k]
				if k+1 < len(edges) && edges[k+1].to == e.to {
					k++
					e.w = e.w + edges[k].w - e.w*edges[k].w
				}
				if e.w > faintest {
					edges[out] = e
					out++
				}
			}
			size[i] = out
		}
	})
	if err != nil {
		return nil, err
	}
	f := &FuzzyGraph{Start: make([]int, n+1)}
	for i, s := range size {
		f.Start[i+1] = f.Start[i] + s
	}
	f.Index, f.Weight = make([]int, f.Start[n]), make([]float64, f.Start[n])
	return f, parallel.For(ctx, n, manyRows, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			for k, e := range all[start[i] : start[i]+size[i]] {
				f.Index[f.Start[i]+k], f.Weight[f.Start[i]+k] = int(e.to), e.w
			}
		}
	})
}
