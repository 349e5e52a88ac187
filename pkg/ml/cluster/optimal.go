package cluster

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Optimal finds the partition of least distortion among all, by enumeration with branch and bound:
// points join clusters one after the other, and a branch is left as soon as the points placed so
// far already cost as much as the best partition known, which k-means provides. Exponential in n:
// seconds for 25 points in well-separated clusters, and more than anyone waits for beyond some 30;
// ctx ends it.
type Optimal struct {
	K int // number of clusters, 1 ≤ K ≤ n
}

// maxOptimal bounds n: beyond it the enumeration would not end.
const maxOptimal = 40

// Fit returns the global optimum. Errors are those of KMeans, and ml.ErrParameter for more than 40
// rows. When ctx ends first it returns the best partition found, with Converged false.
func (o Optimal) Fit(ctx context.Context, x mat.Matrix) (*KMeansModel, error) {
	const method = "cluster.Optimal"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	if n > maxOptimal {
		return nil, ml.BadParameter(method, "n", n, sprintf("at most %d rows: the enumeration is exponential; use KMeans", maxOptimal))
	}
	if err := checkK(method, o.K, n); err != nil {
		return nil, err
	}
	start, err := KMeans{K: o.K, Restarts: 20}.Fit(ctx, y)
	if err != nil {
		return start, err
	}
	p := center(context.Background(), y, nil)
	b := &branch{ctx: ctx, p: p, k: o.K, order: farthestFirst(p), labels: make([]int, n), best: start.Labels,
		least: start.Inertia * p.scale * p.scale * (1 + 1e-12), sums: mat.NewDense(o.K, p.d, nil), counts: make([]int, o.K)}
	b.place(0, 0, 0)
	labels := canonical(b.best)
	m, err := ofPartition(context.Background(), p, o.K, labels)
	if err != nil {
		return nil, err
	}
	m.Iterations, m.Converged = b.nodes, ctx.Err() == nil
	if m, err = p.representable(m); err != nil {
		return nil, err
	}
	return m, ctx.Err()
}

// branch is the state of the enumeration.
type branch struct {
	ctx    context.Context
	p      *points
	k      int
	order  []int // points far from each other first: their costs show early
	labels []int
	best   []int
	least  float64
	sums   *mat.Dense
	counts []int
	nodes  int
}

// place tries every cluster for the t-th point. A cluster is opened in one way only (the first
// empty one), so that each partition is seen once. Adding x to a cluster of m points with mean μ
// raises its distortion by m/(m+1)·‖x−μ‖², never less than 0: the cost so far is a lower bound.
func (b *branch) place(t, used int, cost float64) {
	if b.nodes++; b.nodes%1024 == 0 && b.ctx.Err() != nil {
		return
	}
	if t == len(b.order) {
		if used == b.k && cost < b.least {
			b.best, b.least = slices.Clone(b.labels), cost
		}
		return
	}
	if b.k-used > len(b.order)-t { // too few points left to fill every cluster
		return
	}
	i := b.order[t]
	row := b.p.row(i)
	for z := range min(used+1, b.k) {
		m := float64(b.counts[z])
		rise := 0.0
		sum := b.sums.RawRowView(z)
		if m > 0 {
			for j, v := range row {
				d := v - sum[j]/m
				rise += d * d
			}
			rise *= m / (m + 1)
		}
		if cost+rise >= b.least {
			continue
		}
		for j, v := range row {
			sum[j] += v
		}
		b.counts[z]++
		b.labels[i] = z
		b.place(t+1, max(used, z+1), cost+rise)
		b.counts[z]--
		for j, v := range row {
			sum[j] -= v
		}
		if b.counts[z] == 0 {
			clear(sum) // what rounding left
		}
	}
}

// farthestFirst orders points so that each is as far as possible from those before it.
func farthestFirst(p *points) []int {
	dist, order := make([]float64, p.n), make([]int, 0, p.n)
	for i := range dist {
		dist[i] = math.Inf(1)
	}
	next := 0
	for range p.n {
		order = append(order, next)
		dist[next] = -1
		far := -1
		for i := range p.n {
			if dist[i] < 0 {
				continue
			}
			dist[i] = min(dist[i], blas.SqEuclidean(p.row(i), p.row(next)))
			if far < 0 || dist[i] > dist[far] {
				far = i
			}
		}
		next = far
	}
	return order
}

// canonical numbers clusters in the order of their first points.
func canonical(labels []int) []int {
	name, out := map[int]int{}, make([]int, len(labels))
	for i, z := range labels {
		if _, ok := name[z]; !ok {
			name[z] = len(name)
		}
		out[i] = name[z]
	}
	return out
}

// Optimal1D finds the partition of least distortion of numbers, by dynamic programming over the
// sorted values (Wang & Song, 2011): the clusters of an optimum are runs, and where the last one
// begins moves right with its end, which divide and conquer uses. Time O(Kn log n), memory O(Kn).
type Optimal1D struct {
	K int // number of clusters, 1 ≤ K ≤ n
}

// Fit returns the global optimum for a matrix of one column, clusters numbered from the least to
// the greatest. Errors are those of KMeans, and ml.ErrShape for more columns.
func (o Optimal1D) Fit(ctx context.Context, x mat.Matrix) (*KMeansModel, error) {
	const method = "cluster.Optimal1D"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	if d != 1 {
		return nil, ml.BadShape(method, "the matrix has %d columns, want 1", d)
	}
	if err := checkK(method, o.K, n); err != nil {
		return nil, err
	}
	p := center(ctx, y, nil)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch va, vb := p.value(a), p.value(b); {
		case va < vb:
			return -1
		case va > vb:
			return 1
		}
		return 0
	})
	r := newRuns(p, order)
	begin, err := r.solve(ctx, o.K)
	if err != nil {
		return nil, err
	}
	labels := make([]int, n)
	for end, z := n, o.K-1; z >= 0; z-- {
		from := int(begin[z][end-1])
		for t := from; t < end; t++ {
			labels[order[t]] = z
		}
		end = from
	}
	m, err := ofPartition(ctx, p, o.K, labels)
	if err != nil {
		return nil, err
	}
	m.Iterations, m.Converged = 1, true
	return p.representable(m)
}

// ofPartition is the model of given labels: the means of the clusters and their distortion.
func ofPartition(ctx context.Context, p *points, k int, labels []int) (*KMeansModel, error) {
	a := newAssignment(p, mat.NewDense(k, p.d, nil), labels)
	if err := a.update(ctx); err != nil {
		return nil, err
	}
	inertia, err := a.inertia(ctx)
	if err != nil {
		return nil, err
	}
	return &KMeansModel{Centers: p.unshifted(a.centers), Labels: labels, Inertia: p.unscaled(inertia)}, nil
}

func (p *points) value(i int) float64 { return p.x.RawMatrix().Data[i] }

// runs gives the distortion of any run of the sorted values in constant time, from running sums.
type runs struct{ sum, squares []float64 }

func newRuns(p *points, order []int) *runs {
	r := &runs{make([]float64, len(order)+1), make([]float64, len(order)+1)}
	for t, i := range order {
		v := p.value(i)
		r.sum[t+1], r.squares[t+1] = r.sum[t]+v, r.squares[t]+v*v
	}
	return r
}

// cost is the distortion of the values from..to-1 as one cluster.
func (r *runs) cost(from, to int) float64 {
	s := r.sum[to] - r.sum[from]
	return max(r.squares[to]-r.squares[from]-s*s/float64(to-from), 0)
}

// solve returns, for each cluster z and each end t, where cluster z begins when it is the last of
// the values 0..t in z+1 clusters.
func (r *runs) solve(ctx context.Context, k int) ([][]int32, error) {
	n := len(r.sum) - 1
	before, now := make([]float64, n), make([]float64, n)
	begin := make([][]int32, k)
	begin[0] = make([]int32, n)
	for t := range n {
		before[t] = r.cost(0, t+1)
	}
	for z := 1; z < k; z++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		begin[z] = make([]int32, n)
		r.fill(ctx, before, now, begin[z], z, n-1, z, n-1)
		before, now = now, before
	}
	return begin, ctx.Err()
}

// fill computes the ends lo..hi, whose best beginnings are known to lie in from..to: the middle one
// by trying all, then each half with what it taught.
func (r *runs) fill(ctx context.Context, before, now []float64, begin []int32, lo, hi, from, to int) {
	if lo > hi || ctx.Err() != nil {
		return
	}
	mid := (lo + hi) / 2
	best, at := math.Inf(1), from
	for b := from; b <= min(mid, to); b++ {
		if c := before[b-1] + r.cost(b, mid+1); c < best {
			best, at = c, b
		}
	}
	now[mid], begin[mid] = best, int32(at)
	r.fill(ctx, before, now, begin, lo, mid-1, from, at)
	r.fill(ctx, before, now, begin, mid+1, hi, at, to)
}
