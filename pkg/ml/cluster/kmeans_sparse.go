package cluster

import (
	"cmp"
	"context"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

// K-means of sparse rows: centers are dense, rows are not. With ‖x−μ‖² = ‖x‖² − 2x·μ + ‖μ‖² a row
// meets the centers by its entries alone. Sparse data is not moved to its mean, since then it would
// be dense; its many zeros keep it near the origin.

// sparsePoints checks sparse rows and brings them into the range of squares; other counts in the
// choice of scale.
func sparsePoints(ctx context.Context, method string, x *csr.Matrix, other *mat.Dense) (*points, error) {
	n, d, err := ml.Size(method, x)
	if err != nil {
		return nil, err
	}
	if err := x.Check(method); err != nil {
		return nil, err
	}
	most := 0.0
	for _, v := range x.Value {
		most = max(most, math.Abs(v))
	}
	if other != nil {
		most = max(most, scaling.MaxAbs(ctx, other))
	}
	p := &points{n: n, d: d, scale: scaling.PowerOfTwo(most), shift: make([]float64, d), norms: make([]float64, n)}
	p.sparse = x.Map(func(_, _ int, v float64) float64 { return v * p.scale })
	for i := range p.norms {
		_, v := p.sparse.Of(i)
		p.norms[i] = blas.Dot(v, v)
	}
	return p, ctx.Err()
}

// sparseStart chooses centers as Start.choose does.
func (k KMeans) sparseStart(ctx context.Context, p *points, r *rand.Rand) *mat.Dense {
	chosen := make([]int, 0, k.K)
	if k.Start == RandomPoints {
		chosen = r.Perm(p.n)[:k.K]
	} else {
		trials := 1
		if k.Start != PlusPlus {
			trials += 1 + int(math.Log(float64(k.K)))
		}
		nearest := slices.Repeat([]float64{math.Inf(1)}, p.n) // squared distance to the chosen
		candidates := []int{r.IntN(p.n)}
		for {
			best, least := 0, math.Inf(1)
			var with []float64
			for _, c := range candidates {
				dist, total := p.sparseDistances(ctx, c, nearest)
				if total < least {
					best, least, with = c, total, dist
				}
			}
			if with == nil { // ctx has ended
				return nil
			}
			chosen, nearest = append(chosen, best), with
			if len(chosen) == k.K || ctx.Err() != nil {
				break
			}
			candidates = candidates[:0]
			for range trials {
				candidates = append(candidates, rng.Weighted(r, nearest, least))
			}
		}
	}
	centers := mat.NewDense(k.K, p.d, nil)
	for c, i := range chosen {
		p.sparse.DoRowNonZero(i, func(_, j int, v float64) { centers.Set(c, j, v) })
	}
	return centers
}

// sparseDistances returns the squared distance of each row to row c, or to those chosen before
// where that is less, and the sum; nothing when ctx ends.
func (p *points) sparseDistances(ctx context.Context, c int, nearest []float64) ([]float64, float64) {
	center := make([]float64, p.d)
	p.sparse.DoRowNonZero(c, func(_, j int, v float64) { center[j] = v })
	dist, sums := make([]float64, p.n), make([]float64, parallel.Chunks(p.n, chunk))
	err := parallel.For(ctx, p.n, chunk, func(part, lo, hi int) {
		for i := lo; i < hi; i++ {
			dot := 0.0
			columns, values := p.sparse.Of(i)
			for k, j := range columns {
				dot += values[k] * center[j]
			}
			dist[i] = min(nearest[i], max(0, p.norms[i]-2*dot+p.norms[c]))
			sums[part] += dist[i]
		}
		if lo <= c && c < hi {
			sums[part] -= dist[c]
			dist[c] = 0
		}
	})
	if err != nil {
		return nil, math.Inf(1)
	}
	total := 0.0
	for _, s := range sums {
		total += s
	}
	return dist, max(total, 0)
}

// sparseAssign returns the nearest center of each row, and, if asked by labels that are given, the
// sum of the squared distances to the centers of those. The error is ctx.Err().
func (p *points) sparseAssign(ctx context.Context, centers *mat.Dense, labels []int) (next []int, dist []float64, err error) {
	k, _ := centers.Dims()
	columns, halves := mat.DenseCopyOf(centers.T()).RawMatrix().Data, make([]float64, k)
	for c := range halves {
		halves[c] = blas.Dot(centers.RawRowView(c), centers.RawRowView(c)) / 2
	}
	next, dist = make([]int, p.n), make([]float64, p.n)
	err = parallel.For(ctx, p.n, 256, func(_, lo, hi int) {
		dots := make([]float64, k)
		for i := lo; i < hi; i++ {
			clear(dots)
			entries, values := p.sparse.Of(i)
			for e, j := range entries {
				blas.Axpy(values[e], columns[j*k:(j+1)*k], dots)
			}
			best := 0
			for c, dot := range dots {
				if halves[c]-dot < halves[best]-dots[best] {
					best = c
				}
			}
			next[i] = best
			own := best
			if labels != nil {
				own = labels[i]
			}
			dist[i] = max(0, p.norms[i]+2*(halves[own]-dots[own]))
		}
	})
	return next, dist, err
}

// sparseMeans returns the mean of each cluster. A cluster without rows takes the row that is
// farthest from its center, which leaves its own: it changes labels. The error is ctx.Err().
func (p *points) sparseMeans(ctx context.Context, k int, labels []int, dist []float64) (*mat.Dense, error) {
	size := make([]int, k)
	for _, l := range labels {
		size[l]++
	}
	for c := range size {
		if size[c] > 0 {
			continue
		}
		far := -1
		for i, v := range dist {
			if size[labels[i]] > 1 && (far < 0 || v > dist[far]) {
				far = i
			}
		}
		size[labels[far]]--
		labels[far], dist[far], size[c] = c, 0, 1
	}
	start := make([]int, k+1)
	for c, s := range size {
		start[c+1] = start[c] + s
	}
	rows, at := make([]int, p.n), slices.Clone(start)
	for i, l := range labels {
		rows[at[l]] = i
		at[l]++
	}
	centers := mat.NewDense(k, p.d, nil)
	return centers, parallel.For(ctx, k, 1, func(c, _, _ int) {
		mean := centers.RawRowView(c)
		for _, i := range rows[start[c]:start[c+1]] {
			columns, values := p.sparse.Of(i)
			for e, j := range columns {
				mean[j] += values[e]
			}
		}
		for j := range mean {
			mean[j] /= float64(size[c])
		}
	})
}

// iterateSparse is iterate for sparse rows.
func (k KMeans) iterateSparse(ctx context.Context, p *points, r int) iter.Seq[*step] {
	return func(yield func(*step) bool) {
		centers := p.init
		if centers == nil {
			if centers = k.sparseStart(ctx, p, rng.New(k.Seed, r)); centers == nil {
				return
			}
		}
		labels, dist, err := p.sparseAssign(ctx, centers, nil)
		if err != nil {
			return
		}
		before := math.Inf(1)
		for i := 1; i <= cmp.Or(k.MaxIter, 300); i++ {
			if centers, err = p.sparseMeans(ctx, k.K, labels, dist); err != nil {
				return
			}
			next, own, err := p.sparseAssign(ctx, centers, labels)
			if err != nil {
				return
			}
			inertia := 0.0
			for _, v := range own {
				inertia += v
			}
			s := &step{centers: centers, labels: labels, inertia: min(inertia, before), iteration: i}
			// As for dense rows, what does not lower J are ties, and what is above is rounding.
			s.converged = slices.Equal(next, labels) || inertia >= before
			if !yield(s) || s.converged {
				return
			}
			before, labels, dist = s.inertia, next, own
		}
	}
}

// predictSparse is Predict for sparse rows.
func (m *KMeansModel) predictSparse(method string, x *csr.Matrix) ([]int, error) {
	ctx := context.Background()
	p, err := sparsePoints(ctx, method, x, m.Centers)
	if err != nil {
		return nil, err
	}
	_, d := m.Centers.Dims()
	if err := ml.Columns(method, x, d); err != nil {
		return nil, err
	}
	labels, _, err := p.sparseAssign(ctx, p.shifted(m.Centers), nil)
	return labels, err
}
