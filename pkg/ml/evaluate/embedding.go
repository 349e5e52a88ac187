package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// Trustworthiness says how far the k nearest neighbors of the points in a map y (n×c) can be
// trusted to be near in the data x (n×d) (Venna & Kaski, 2001):
//
//	T = 1 − 2/(nk(2n−3k−1)) Σᵢ Σ_{j ∈ U(i)} (r(i, j) − k)
//
// where U(i) are the neighbors of i in the map that it does not have in the data, and j is its r-th
// neighbor there. 1 is best; strangers brought together lower it. Euclidean distances, 1 ≤ k < n/2;
// time O(n²(d + k)).
func Trustworthiness(ctx context.Context, x, y mat.Matrix, k int) (float64, error) {
	return intrusion(ctx, "evaluate.Trustworthiness", x, y, k)
}

// Continuity is the same with the data and the map exchanged: neighbors torn apart lower it.
func Continuity(ctx context.Context, x, y mat.Matrix, k int) (float64, error) {
	const method = "evaluate.Continuity"
	p, q, err := dataAndMap(method, x, y)
	if err != nil {
		return 0, err
	}
	return intrusion(ctx, method, q, p, k)
}

// NeighborhoodRecall is the share of the k nearest neighbors in the data x (n×d) that are among the
// k nearest in the map y (n×c). Euclidean distances, 1 ≤ k < n.
func NeighborhoodRecall(ctx context.Context, x, y mat.Matrix, k int) (float64, error) {
	p, q, err := dataAndMap("evaluate.NeighborhoodRecall", x, y)
	if err != nil {
		return 0, err
	}
	a, err := neighbors.KNN{K: k}.Fit(ctx, p)
	if err != nil {
		return 0, err
	}
	b, err := neighbors.KNN{K: k}.Fit(ctx, q)
	if err != nil {
		return 0, err
	}
	kept := 0
	for i := range a.Len() {
		there, _ := b.Of(i)
		here, _ := a.Of(i)
		for _, j := range here {
			if slices.Contains(there, j) {
				kept++
			}
		}
	}
	return float64(kept) / float64(k*a.Len()), nil
}

// RandomTriplets is the share of triplets of a point and two others, drawn at random, of which the
// map y (n×c) shows the one nearer that is nearer in the data x (n×d): whether far is farther than
// near, over the whole map (Wang, Huang, Rudin & Shaposhnik, 2021). 0.5 is chance. perPoint
// triplets are drawn for each point, 0 means 5; points equally near in one and not in the other
// count against the map.
func RandomTriplets(ctx context.Context, x, y mat.Matrix, perPoint int, seed uint64) (float64, error) {
	const method = "evaluate.RandomTriplets"
	p, q, err := dataAndMap(method, x, y)
	if err != nil {
		return 0, err
	}
	n, _ := p.Dims()
	switch {
	case n < 3:
		return 0, ml.BadParameter(method, "the number of rows", n, "at least 3")
	case perPoint < 0:
		return 0, ml.BadParameter(method, "perPoint", perPoint, "0 (for 5) or more")
	case perPoint == 0:
		perPoint = 5
	}
	const size = 1024
	kept := make([]int, parallel.Chunks(n, size))
	err = parallel.For(ctx, n, size, func(c, lo, hi int) {
		r := rng.New(seed, c)
		for i := lo; i < hi; i++ {
			for range perPoint {
				j := r.IntN(n - 1)
				k := r.IntN(n - 2)
				if k >= j {
					k++ // another than j
				}
				if j >= i {
					j++ // others than i
				}
				if k >= i {
					k++
				}
				if nearer(p, i, j, k) == nearer(q, i, j, k) {
					kept[c]++
				}
			}
		}
	})
	if err != nil {
		return 0, err
	}
	total := 0
	for _, v := range kept {
		total += v
	}
	return float64(total) / float64(n*perPoint), nil
}

// nearer compares the distances of rows j and k from row i.
func nearer(x *mat.Dense, i, j, k int) int {
	row := x.RawRowView(i)
	return cmp.Compare(blas.SqEuclidean(row, x.RawRowView(j)), blas.SqEuclidean(row, x.RawRowView(k)))
}

// DistanceCorrelation is Pearson's correlation, over pairs of points drawn at random, of their
// distance in the data x (n×d) and in the map y (n×c): 1 where the map shows distances to scale. It
// is not the dependence of random vectors of the same name (Székely et al., 2007). pairs is how
// many are drawn; 0 means all, at most n(n−1)/2.
func DistanceCorrelation(ctx context.Context, x, y mat.Matrix, pairs int, seed uint64) (float64, error) {
	a, b, err := distances(ctx, "evaluate.DistanceCorrelation", x, y, pairs, seed)
	if err != nil {
		return 0, err
	}
	return pearson(a, b), nil
}

// DistanceRankCorrelation is Spearman's correlation in place of Pearson's: 1 where the map keeps
// the order of all distances (Kobak & Berens, 2019).
func DistanceRankCorrelation(ctx context.Context, x, y mat.Matrix, pairs int, seed uint64) (float64, error) {
	a, b, err := distances(ctx, "evaluate.DistanceRankCorrelation", x, y, pairs, seed)
	if err != nil {
		return 0, err
	}
	return pearson(ranks(a), ranks(b)), nil
}

// maxPairs bounds the memory of the correlations: 2 GiB.
const maxPairs = 1 << 27

func distances(ctx context.Context, method string, x, y mat.Matrix, pairs int, seed uint64) (a, b []float64, err error) {
	p, q, err := dataAndMap(method, x, y)
	if err != nil {
		return nil, nil, err
	}
	n, _ := p.Dims()
	all := n * (n - 1) / 2
	switch {
	case n < 3:
		return nil, nil, ml.BadParameter(method, "the number of rows", n, "at least 3")
	case pairs < 0:
		return nil, nil, ml.BadParameter(method, "pairs", pairs, "0 (for all) or more")
	case (pairs == 0 || pairs > all) && all <= maxPairs:
		a, b = make([]float64, all), make([]float64, all)
		err = parallel.For(ctx, n, 32, func(_, lo, hi int) {
			for i := lo; i < hi; i++ {
				at := i*(2*n-i-1)/2 - i - 1
				for j := i + 1; j < n; j++ {
					a[at+j], b[at+j] = gap(p, i, j), gap(q, i, j)
				}
			}
		})
		return a, b, err
	case pairs == 0 || pairs > maxPairs:
		return nil, nil, ml.BadParameter(method, "pairs", pairs, fmt.Sprintf("1 ≤ pairs ≤ %d for %d rows", maxPairs, n))
	}
	a, b = make([]float64, pairs), make([]float64, pairs)
	err = parallel.For(ctx, pairs, 4096, func(c, lo, hi int) {
		r := rng.New(seed, c)
		for at := lo; at < hi; at++ {
			i, j := r.IntN(n), r.IntN(n-1)
			if j >= i {
				j++
			}
			a[at], b[at] = gap(p, i, j), gap(q, i, j)
		}
	})
	return a, b, err
}

func gap(x *mat.Dense, i, j int) float64 {
	return math.Sqrt(blas.SqEuclidean(x.RawRowView(i), x.RawRowView(j)))
}

// ranks gives equal numbers the mean of their ranks.
func ranks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(v[a], v[b]) })
	out := make([]float64, len(v))
	for lo := 0; lo < len(order); {
		hi := lo
		for hi < len(order) && v[order[hi]] == v[order[lo]] {
			hi++
		}
		for _, i := range order[lo:hi] {
			out[i] = float64(lo+hi-1) / 2
		}
		lo = hi
	}
	return out
}

// pearson is 0 where one of the two is constant: then it says nothing of the other.
func pearson(a, b []float64) float64 {
	n := float64(len(a))
	var ma, mb float64
	for i := range a {
		ma += a[i] / n
		mb += b[i] / n
	}
	var aa, bb, ab float64
	for i := range a {
		u, v := a[i]-ma, b[i]-mb
		aa, bb, ab = aa+u*u, bb+v*v, ab+u*v
	}
	if aa == 0 || bb == 0 {
		return 0
	}
	return max(-1, min(1, ab/math.Sqrt(aa)/math.Sqrt(bb)))
}

// dataAndMap checks data and a map of it together, and scales both for squares to be in range: no
// measure depends on units.
func dataAndMap(method string, x, y mat.Matrix) (p, q *mat.Dense, err error) {
	if p, err = ml.Dense(method, x); err != nil {
		return nil, nil, err
	}
	if q, err = ml.Dense(method+": the map", y); err != nil {
		return nil, nil, err
	}
	n, _ := p.Dims()
	if m, _ := q.Dims(); m != n {
		return nil, nil, ml.BadShape(method, "the data has %d rows and the map %d, want as many", n, m)
	}
	p, _ = scaling.InRange(p)
	q, _ = scaling.InRange(q)
	return p, q, nil
}

// intrusion is Trustworthiness: how far the neighbors of the points of y are from being those of x.
func intrusion(ctx context.Context, method string, x, y mat.Matrix, k int) (float64, error) {
	p, q, err := dataAndMap(method, x, y)
	if err != nil {
		return 0, err
	}
	n, d := p.Dims()
	if k < 1 || 2*k >= n {
		return 0, ml.BadParameter(method, "k", k, fmt.Sprintf("1 ≤ k < n/2 = %g", float64(n)/2))
	}
	g, err := neighbors.KNN{K: k}.Fit(ctx, q)
	if err != nil {
		return 0, err
	}
	data := p.RawMatrix().Data
	const size = 32
	excess := make([]int, parallel.Chunks(n, size))
	err = parallel.For(ctx, n, size, func(c, lo, hi int) {
		gaps, bounds, before := make([]float64, n), make([]float64, k), make([]int, k)
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			blas.SqEuclideanRows(gaps, p.RawRowView(i), data, d)
			gaps[i] = math.Inf(1)
			near, _ := g.Of(i)
			for l, j := range near {
				bounds[l], before[l] = gaps[j], 0
			}
			// How many others are nearer than each of them.
			slices.Sort(bounds)
			farthest := bounds[k-1]
			for _, v := range gaps {
				if v >= farthest {
					continue
				}
				for l := k - 1; l >= 0 && v < bounds[l]; l-- {
					before[l]++
				}
			}
			// Of equally near ones, as far as they are in the list themselves, one comes after the
			// other.
			for l := range bounds {
				rank := before[l] + 1
				for m := l - 1; m >= 0 && bounds[m] == bounds[l]; m-- {
					rank++
				}
				excess[c] += max(0, rank-k)
			}
		}
	})
	if err != nil {
		return 0, err
	}
	total := 0
	for _, v := range excess {
		total += v
	}
	return 1 - 2*float64(total)/(float64(n)*float64(k)*float64(2*n-3*k-1)), nil
}
