package manifold

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neighbors"
)

// Affinities say how near the rows of the data are to each other in the eyes of t-SNE. Seen from
// row i its neighbors have the probabilities
//
//	p(j|i) ∝ exp(−dᵢⱼ²/2σᵢ²)
//
// with a width σᵢ at which their perplexity exp(−Σⱼ p(j|i) log p(j|i)) is what was asked: the
// number of neighbors that count. The joint probabilities are pᵢⱼ = (p(j|i) + p(i|j))/2n, a sparse
// symmetric matrix that sums to 1. The others of row i are Index[k] with P[k] for k from Start[i]
// to Start[i+1]−1.
type Affinities struct {
	Start []int     // length n+1
	Index []int32   // ascending within a row
	P     []float64 // pᵢⱼ
	// length n, in units of the distance; 0 where nearest neighbors that are equally near outnumber
	// the perplexity: they share alike
	Sigma      []float64
	Perplexity float64
}

// NewAffinities computes the affinities of a graph of neighbors, of which t-SNE takes the
// 3·perplexity nearest. The error is ml.ErrParameter for a perplexity below 1, or not below the
// number of neighbors of each row, which no width can reach, and ctx.Err(). It costs O(edges).
func NewAffinities(ctx context.Context, g *neighbors.Graph, perplexity float64) (*Affinities, error) {
	const method = "manifold.NewAffinities"
	if err := checkGraph(method, g, -1); err != nil {
		return nil, err
	}
	least := len(g.Index)
	for i := range g.Len() {
		least = min(least, g.Start[i+1]-g.Start[i])
	}
	if !(perplexity >= 1 && perplexity < float64(least)) {
		return nil, ml.BadParameter(method, "Perplexity", perplexity, sprintf("1 ≤ Perplexity < %d, the least number of neighbors that a row has", least))
	}
	p, sigma, err := conditionals(ctx, g, perplexity)
	if err != nil {
		return nil, err
	}
	index := make([]int32, len(g.Index))
	if err := parallel.For(ctx, len(index), 1<<16, func(_, lo, hi int) {
		for k := lo; k < hi; k++ {
			index[k] = int32(g.Index[k])
		}
	}); err != nil {
		return nil, err
	}
	a, err := symmetrized(ctx, g.Start, index, p)
	if err != nil {
		return nil, err
	}
	a.Sigma, a.Perplexity = sigma, perplexity
	return a, nil
}

// Len is the number of rows n.
func (a *Affinities) Len() int { return len(a.Start) - 1 }

// checkGraph checks a graph that a caller made: rows in range, distances that are finite and not
// negative. Its rows lead into m others, or, if m < 0, into the graph itself.
func checkGraph(method string, g *neighbors.Graph, m int) error {
	if g == nil || g.Len() < 1 {
		return ml.Empty(method, "the graph has no rows")
	}
	own := m < 0
	if own {
		m = g.Len()
	}
	if m > math.MaxInt32 {
		return ml.BadShape(method, "the graph has %d rows, want at most %d", m, math.MaxInt32)
	}
	if len(g.Index) != len(g.Distance) || g.Start[0] != 0 || g.Start[g.Len()] != len(g.Index) {
		return ml.BadShape(method, "the graph has %d distances for %d neighbors, and Start ends with %d", len(g.Distance), len(g.Index), g.Start[g.Len()])
	}
	for i := range g.Len() {
		if g.Start[i+1] < g.Start[i] {
			return ml.BadShape(method, "Start of the graph falls at row %d", i)
		}
		for k := g.Start[i]; k < g.Start[i+1]; k++ {
			j, d := g.Index[k], g.Distance[k]
			switch {
			case j < 0 || j >= m || own && j == i:
				return ml.BadParameter(method, sprintf("a neighbor of row %d", i), j, sprintf("another row, 0 to %d", m-1))
			case d-d != 0:
				return ml.NotFinite(method, "the distance from row %d to its neighbor %d is %v, want a number", i, j, d)
			case d < 0:
				return ml.BadParameter(method, sprintf("the distance from row %d to its neighbor %d", i, j), d, "0 or more")
			}
		}
	}
	return nil
}

// conditionals returns p(j|i), edge by edge, and σᵢ.
func conditionals(ctx context.Context, g *neighbors.Graph, perplexity float64) (p, sigma []float64, err error) {
	p, sigma = make([]float64, len(g.Index)), make([]float64, g.Len())
	err = parallel.For(ctx, g.Len(), 256, func(_, lo, hi int) {
		var c calibration
		for i := lo; i < hi; i++ {
			_, d := g.Of(i)
			sigma[i] = c.row(p[g.Start[i]:g.Start[i+1]], d, perplexity)
		}
	})
	return p, sigma, err
}

// calibration is the room in which a row is calibrated.
type calibration struct{ energy, weight []float64 }

// row sets p to the probabilities of neighbors at the distances d with the given perplexity, and
// returns σ. There are more neighbors than perplexity.
func (c *calibration) row(p, d []float64, perplexity float64) (sigma float64) {
	k := len(d)
	if cap(c.energy) < k {
		c.energy, c.weight = make([]float64, k), make([]float64, k)
	}
	energy, weight := c.energy[:k], c.weight[:k]
	nearest, farthest := math.Inf(1), 0.0
	for _, v := range d {
		nearest, farthest = min(nearest, v), max(farthest, v)
	}
	// Energies are squared distances in units of the farthest, above that of the nearest, so none
	// overflows and one is 0.
	unit := farthest
	if unit == 0 {
		unit = 1
	}
	ties, mean := 0.0, 0.0
	for j, v := range d {
		energy[j] = (v/unit - nearest/unit) * (v/unit + nearest/unit)
		mean += energy[j] / float64(k)
		if energy[j] == 0 {
			ties++
		}
	}
	if ties >= perplexity {
		for j, e := range energy {
			p[j] = 0
			if e == 0 {
				p[j] = 1 / ties
			}
		}
		return 0
	}
	// The entropy falls with β = unit²/2σ² from log k to log ties. Newton's method on log β, kept
	// between bounds that close in.
	target := math.Log(perplexity)
	beta, low, high := 1/mean, 0.0, math.Inf(1)
	total := 0.0
	for range 200 {
		for j, e := range energy {
			weight[j] = -beta * e
		}
		blas.Exp(weight, weight)
		var first, second float64
		total = 0
		for j, w := range weight {
			e := energy[j]
			total += w
			first += w * e
			second += w * e * e
		}
		first, second = first/total, second/total
		entropy := math.Log(total) + beta*first
		gap := entropy - target
		if math.Abs(gap) < 1e-11 {
			break
		}
		if gap > 0 {
			low = beta
		} else {
			high = beta
		}
		next := 0.0
		if slope := beta * beta * (second - first*first); slope > 0 {
			next = beta * math.Exp(max(-2, min(2, gap/slope)))
		}
		if !(next > low && next < high) {
			switch {
			case math.IsInf(high, 1):
				next = beta * 4
			case low == 0:
				next = beta / 4
			default:
				next = math.Sqrt(low) * math.Sqrt(high)
			}
		}
		if next == beta || next > 1e300 || next < 1e-300 {
			break // there is no number in between
		}
		beta = next
	}
	for j, w := range weight {
		p[j] = w / total
	}
	return unit / math.Sqrt(2*beta)
}

// symmetrized returns (P + Pᵀ)/2n for a square matrix P of rows that need not be sorted. The error
// is ctx.Err().
func symmetrized(ctx context.Context, start []int, index []int32, p []float64) (*Affinities, error) {
	n := len(start) - 1
	// A matrix transposed has its rows in ascending order; twice transposed it is itself, in order.
	ts, ti, tp, err := transposed(ctx, start, index, p)
	if err != nil {
		return nil, err
	}
	ss, si, sp, err := transposed(ctx, ts, ti, tp)
	if err != nil {
		return nil, err
	}
	a := &Affinities{Start: make([]int, n+1)}
	if err := parallel.For(ctx, n, manyRows, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			x, y := si[ss[i]:ss[i+1]], ti[ts[i]:ts[i+1]]
			size := len(x) + len(y)
			for len(x) > 0 && len(y) > 0 {
				switch {
				case x[0] < y[0]:
					x = x[1:]
				case x[0] > y[0]:
					y = y[1:]
				default:
					size--
					x, y = x[1:], y[1:]
				}
			}
			a.Start[i+1] = size
		}
	}); err != nil {
		return nil, err
	}
	for i := range n {
		a.Start[i+1] += a.Start[i]
	}
	a.Index = make([]int32, a.Start[n])
	if err := ctx.Err(); err != nil { // to clear memory for millions takes a while
		return nil, err
	}
	a.P = make([]float64, a.Start[n])
	return a, parallel.For(ctx, n, manyRows, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			k, l, at := ss[i], ts[i], a.Start[i]
			for ; at < a.Start[i+1]; at++ {
				switch {
				case l == ts[i+1] || k < ss[i+1] && si[k] < ti[l]:
					a.Index[at], a.P[at] = si[k], sp[k]/2/float64(n)
					k++
				case k == ss[i+1] || si[k] > ti[l]:
					a.Index[at], a.P[at] = ti[l], tp[l]/2/float64(n)
					l++
				default:
					a.Index[at], a.P[at] = si[k], (sp[k]+tp[l])/2/float64(n)
					k, l = k+1, l+1
				}
			}
		}
	})
}

// manyRows is how many rows are gone through between two looks at a context.
const manyRows = 1024

func transposed(ctx context.Context, start []int, index []int32, p []float64) (ts []int, ti []int32, tp []float64, err error) {
	n := len(start) - 1
	ts, ti, tp = make([]int, n+1), make([]int32, len(index)), make([]float64, len(p))
	for i := range n {
		if i%manyRows == 0 && ctx.Err() != nil {
			return nil, nil, nil, ctx.Err()
		}
		for _, j := range index[start[i]:start[i+1]] {
			ts[j+1]++
		}
	}
	for j := range n {
		ts[j+1] += ts[j]
	}
	at := append([]int{}, ts[:n]...)
	for i := range n {
		if i%manyRows == 0 && ctx.Err() != nil {
			return nil, nil, nil, ctx.Err()
		}
		for k := start[i]; k < start[i+1]; k++ {
			j := index[k]
			ti[at[j]], tp[at[j]] = int32(i), p[k]
			at[j]++
		}
	}
	return ts, ti, tp, nil
}
