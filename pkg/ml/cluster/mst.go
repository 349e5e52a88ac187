package cluster

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	dist "github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// Edge joins rows I < J.
type Edge struct {
	I, J   int
	Weight float64
}

// Prim returns a minimum spanning tree of the rows of x: the n−1 edges that connect them all with
// the least sum of distances by the metric (nil means Euclidean), lightest first; among equal
// weights the order of (I, J) decides, for which trees there are and in the output. It grows a tree
// by the row nearest to it (Jarník, 1930; Prim, 1957), in parts of the data and between them on all
// processors, for the minimum spanning tree is among the edges of those of the parts.
//
// The cost is O(n²d); no table of distances is kept, and memory is O(nd). Errors are those of
// Agglomerative.
func Prim(ctx context.Context, x mat.Matrix, metric dist.Metric) ([]Edge, error) {
	const method = "cluster.Prim"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	s, unscale, err := newSource(ctx, method, y, metric)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	return finished(spanning(ctx, method, n, s, unscale))
}

// PrimDistances is Prim for given distances. Errors are those of Agglomerative.Fit for a table of
// distances.
func PrimDistances(ctx context.Context, d mat.Symmetric) ([]Edge, error) {
	const method = "cluster.PrimDistances"
	table, err := given(ctx, method, d)
	if err != nil {
		return nil, err
	}
	return finished(spanning(ctx, method, len(table), tableSource{table}, func(w float64) float64 { return w }))
}

// Kruskal returns a minimum spanning forest of n nodes and the given edges, lightest first: edges
// are taken by weight, then by (I, J), and those that close a circle are left out (Kruskal, 1956).
// For a connected graph it has n−1 edges, else n less the number of components. An edge may be
// given with either end first, and more than once; one from a node to itself is never taken.
//
// The cost is O(e log e) for e edges. The error is ml.ErrParameter for n < 1 or a node outside
// 0..n−1, ml.ErrNotFinite for a NaN or infinite weight.
func Kruskal(n int, edges []Edge) ([]Edge, error) {
	const method = "cluster.Kruskal"
	if n < 1 || n > math.MaxInt32 {
		return nil, ml.BadParameter(method, "n", n, "1 to 2³¹−1")
	}
	sorted := make([]Edge, len(edges))
	for k, e := range edges {
		for _, node := range [2]int{e.I, e.J} {
			if node < 0 || node >= n {
				return nil, ml.BadParameter(method, sprintf("a node of edge %d", k), node, sprintf("0 to n−1 = %d", n-1))
			}
		}
		if e.Weight-e.Weight != 0 {
			return nil, ml.NotFinite(method, "the weight of edge %d is %v, want a finite number", k, e.Weight)
		}
		sorted[k] = Edge{min(e.I, e.J), max(e.I, e.J), e.Weight}
	}
	slices.SortFunc(sorted, lighter)
	return lightest(n, sorted), nil
}

func lighter(a, b Edge) int {
	return cmp.Or(cmp.Compare(a.Weight, b.Weight), cmp.Compare(a.I, b.I), cmp.Compare(a.J, b.J))
}

// lightest keeps, of sorted edges and in their place, those that close no circle.
func lightest(n int, sorted []Edge) []Edge {
	sets := newForest(n)
	tree := sorted[:0]
	for _, e := range sorted {
		if a, b := sets.find(int32(e.I)), sets.find(int32(e.J)); a != b {
			sets.join(a, b)
			tree = append(tree, e)
		}
	}
	return tree
}

// finished gives no part of a tree.
func finished(edges []Edge, err error) ([]Edge, error) {
	if err != nil {
		return nil, err
	}
	return edges, nil
}

// spanning is the minimum spanning tree of n rows under the order (weight, I, J), by which it is
// unique. The rows are cut into groups. An edge of the tree lies within a group, or between two,
// and there it is of that graph's minimum spanning tree too: what is left out closes a circle of
// lighter edges.
func spanning(ctx context.Context, method string, n int, s source, unscale func(float64) float64) ([]Edge, error) {
	groups := 1
	switch {
	case n >= 16384:
		groups = 8
	case n >= 512:
		groups = 4
	}
	bound := func(g int) int { return g * n / groups }
	type task struct{ a, b int }
	var tasks []task
	for a := range groups {
		for b := range a {
			tasks = append(tasks, task{b, a}) // the large ones first
		}
	}
	for a := range groups {
		tasks = append(tasks, task{a, a})
	}
	found, errs := make([][]Edge, len(tasks)), make([]error, len(tasks))
	err := parallel.For(ctx, len(tasks), 1, func(k, _, _ int) {
		t := tasks[k]
		if t.a == t.b {
			found[k], errs[k] = within(ctx, s, bound(t.a), bound(t.a+1))
		} else {
			found[k], errs[k] = across(ctx, s, [2]int{bound(t.a), bound(t.a + 1)}, [2]int{bound(t.b), bound(t.b + 1)})
		}
	})
	if err != nil {
		return nil, err
	}
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	all := slices.Concat(found...)
	slices.SortFunc(all, lighter)
	tree := slices.Clip(lightest(n, all))
	for k := range tree {
		tree[k].Weight = unscale(tree[k].Weight)
		if math.IsInf(tree[k].Weight, 0) {
			return nil, overflow(method)
		}
	}
	slices.SortFunc(tree, lighter) // roots of different numbers can be equal
	return tree, nil
}

// source knows the distances between rows, or what orders pairs as distances do.
type source interface {
	// rest takes rows lo to hi−1 as those not yet in a tree.
	rest(lo, hi int) remaining
}

// remaining are the rows that are not yet in the tree, in an order that removing changes.
type remaining interface {
	from(i int32, dst []float64) error // distances from row i to each
	remove(at int)                     // the last takes the place of the one removed
}

// side is some rows outside the tree, each with the nearest of those in it that it may be joined
// to.
type side struct {
	remaining
	ids      []int32
	key      []float64
	parent   []int32
	distance []float64
	best     int // where the least key is
}

func newSide(s source, lo, hi int) *side {
	n := hi - lo
	q := &side{remaining: s.rest(lo, hi), ids: make([]int32, n), key: make([]float64, n), parent: make([]int32, n), distance: make([]float64, n)}
	for p := range n {
		q.ids[p], q.key[p], q.parent[p] = int32(lo+p), math.Inf(1), math.MaxInt32
	}
	return q
}

// joined offers row i, new in the tree, as a parent, and finds the least key.
func (q *side) joined(i int32) error {
	n := len(q.ids)
	if n == 0 {
		return nil
	}
	distance := q.distance[:n]
	if err := q.from(i, distance); err != nil {
		return err
	}
	key, parent := q.key[:n], q.parent[:n]
	best, least := 0, math.Inf(1)
	for p, w := range distance {
		k := key[p]
		if w <= k && (w < k || i < parent[p]) {
			key[p], parent[p], k = w, i, w
		}
		if k <= least && (k < least || q.before(p, best)) {
			best, least = p, k
		}
	}
	q.best = best
	return nil
}

// before compares the edges of two rows with equal keys.
func (q *side) before(p, r int) bool {
	a, b, c, d := q.ids[p], q.parent[p], q.ids[r], q.parent[r]
	return cmp.Or(cmp.Compare(min(a, b), min(c, d)), cmp.Compare(max(a, b), max(c, d))) < 0
}

// edge is that of the least key.
func (q *side) edge() Edge {
	a, b := q.ids[q.best], q.parent[q.best]
	return Edge{int(min(a, b)), int(max(a, b)), q.key[q.best]}
}

// take removes the row at a place.
func (q *side) take(at int) int32 {
	last := len(q.ids) - 1
	id := q.ids[at]
	q.ids[at], q.key[at], q.parent[at] = q.ids[last], q.key[last], q.parent[last]
	q.ids, q.key, q.parent = q.ids[:last], q.key[:last], q.parent[:last]
	q.remove(at)
	return id
}

// rescan finds the least key again.
func (q *side) rescan() {
	best, least := 0, math.Inf(1)
	for p, k := range q.key {
		if k <= least && (k < least || q.before(p, best)) {
			best, least = p, k
		}
	}
	q.best = best
}

// within is Prim's algorithm on rows lo to hi−1.
func within(ctx context.Context, s source, lo, hi int) ([]Edge, error) {
	q := newSide(s, lo, hi)
	tree := make([]Edge, 0, hi-lo-1)
	for row := q.take(0); len(q.ids) > 0; row = q.take(q.best) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := q.joined(row); err != nil {
			return nil, err
		}
		tree = append(tree, q.edge())
	}
	return tree, nil
}

// across is Prim's algorithm on the edges from rows of one range to rows of another.
func across(ctx context.Context, s source, a, b [2]int) ([]Edge, error) {
	own, other := newSide(s, a[0], a[1]), newSide(s, b[0], b[1])
	tree := make([]Edge, 0, len(own.ids)+len(other.ids)-1)
	for row := own.take(0); ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := other.joined(row); err != nil {
			return nil, err
		}
		own.rescan()
		switch {
		case len(own.ids)+len(other.ids) == 0:
			return tree, nil
		case len(other.ids) == 0 || len(own.ids) > 0 && lighter(own.edge(), other.edge()) < 0:
		default:
			own, other = other, own
		}
		tree = append(tree, own.edge())
		row = own.take(own.best)
	}
}

// newSource chooses how to compute distances between rows, and how to bring what it computes to the
// units of the data.
func newSource(ctx context.Context, method string, x *mat.Dense, metric dist.Metric) (source, func(float64) float64, error) {
	if euclidean(metric) {
		p, err := locate(ctx, x)
		if err != nil {
			return nil, nil, err
		}
		return pointSource{p}, func(w float64) float64 { return math.Sqrt(w) / p.scale }, nil
	}
	rows, err := dist.NewRows(metric, x, nil)
	if err != nil {
		return nil, nil, err
	}
	return metricSource{method, rows}, func(w float64) float64 { return w }, ctx.Err()
}

// pointSource gives squared Euclidean distances.
type pointSource struct{ *located }

func (p pointSource) rest(lo, hi int) remaining {
	return &pointRest{p.located, slices.Clone(p.x[lo*p.stride : hi*p.stride])}
}

// pointRest keeps its rows side by side, so that one call of the kernel passes over all of them and
// no others.
type pointRest struct {
	*located
	rows []float64
}

func (r *pointRest) from(i int32, dst []float64) error {
	blas.SqEuclideanRows(dst, r.row(int(i)), r.rows, r.stride)
	return nil
}

func (r *pointRest) remove(at int) {
	last := len(r.rows) - r.stride
	copy(r.rows[at*r.stride:(at+1)*r.stride], r.rows[last:])
	r.rows = r.rows[:last]
}

// metricSource gives distances by any metric.
type metricSource struct {
	method string
	*dist.Rows
}

func (m metricSource) rest(lo, hi int) remaining {
	return &metricRest{m, lo, make([]float64, hi-lo), positions(hi - lo)}
}

type metricRest struct {
	metricSource
	lo  int
	all []float64 // to the rows of the tree too, which lie between the others
	at  []int32
}

func (r *metricRest) from(i int32, dst []float64) error {
	r.From(r.all, int(i), r.lo)
	for p, at := range r.at {
		dst[p] = r.all[at]
		if err := checkDistance(r.method, int(i), r.lo+int(at), dst[p]); err != nil {
			return err
		}
	}
	return nil
}

func (r *metricRest) remove(at int) { r.at = dropAt(r.at, at) }

// tableSource gives the distances of a table.
type tableSource struct{ triangle }

func (t tableSource) rest(lo, hi int) remaining {
	at := positions(hi - lo)
	for p := range at {
		at[p] += int32(lo)
	}
	return &tableRest{t, at}
}

type tableRest struct {
	tableSource
	at []int32
}

func (r *tableRest) from(i int32, dst []float64) error {
	for p, j := range r.at {
		dst[p] = *r.entry(i, j)
	}
	return nil
}

func (r *tableRest) remove(at int) { r.at = dropAt(r.at, at) }

func positions(n int) []int32 {
	p := make([]int32, n)
	for i := range p {
		p[i] = int32(i)
	}
	return p
}

func dropAt(s []int32, at int) []int32 {
	last := len(s) - 1
	s[at] = s[last]
	return s[:last]
}
