package manifold

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// Isomap unrolls a surface: it maps points by their distances along it (Tenenbaum, de Silva &
// Langford, 2000). Each point is joined to its nearest neighbors; the length of the shortest path
// in that graph stands for the distance along the surface; classical multidimensional scaling of
// these lengths is the map. Of a surface that can be flattened without stretching, and whose flat
// form has no holes, it finds the coordinates.
//
// One edge through the air between two sheets of the surface shortens all paths: too many Neighbors
// are worse than slightly too few. With too few the graph falls into parts.
//
// Paths by Dijkstra's algorithm from each point cost O(n²(Neighbors + log n)), memory is O(n²).
type Isomap struct {
	Components int             // dimensions of the map, at most n; 0 means 2
	Neighbors  int             // of each point, below n; 0 means 10, or n−1 where that is less
	Metric     distance.Metric // of Fit; nil means Euclidean
	Join       bool            // joins a graph in parts by the shortest links between them; otherwise such a graph is an error
	Seed       uint64          // of the eigenvalue iteration's start: it does not show beyond rounding
}

// IsomapModel is a map by Isomap.
type IsomapModel struct {
	Embedding   *mat.Dense      // n×Components, columns of mean zero in descending order of their variance
	Eigenvalues []float64       // the Components largest of the doubly centered squared geodesic distances
	Geodesics   *mat.Dense      // n×n lengths of the shortest paths
	Graph       neighbors.Graph // of neighbors, in both directions, with the links of Join
	Parts       int             // of the graph before Join
	RowMeans    []float64       // mean of the squared geodesic distances from each point, which Transform needs
	Neighbors   int             // as asked
	Data        *mat.Dense      // a copy of the rows, which Transform measures to; nil where the fit was by another metric than Euclid's
}

func init() { ml.Register[IsomapModel]("manifold.IsomapModel") }

const isomapName = "manifold.Isomap"

// Fit maps the rows of x (n×d). The errors are those of ml.Dense, ml.ErrParameter for an option out
// of range and for a graph in parts without Join, ml.ErrShape for more than 32,768 rows, what the
// metric can't measure, and ctx.Err(); there is no map before the end.
func (s Isomap) Fit(ctx context.Context, x mat.Matrix) (*IsomapModel, error) {
	dense, err := ml.Dense(isomapName, x)
	if err != nil {
		return nil, err
	}
	n, _ := dense.Dims()
	k, err := components(isomapName, s.Components, n)
	if err != nil {
		return nil, err
	}
	count, err := checkNeighbors(isomapName, s.Neighbors, n)
	if err != nil {
		return nil, err
	}
	if n > 1<<15 {
		return nil, ml.BadShape(isomapName, "a table of %d×%d path lengths takes %.0f GiB, want at most 32768 rows", n, n, float64(n)*float64(n)*8/(1<<30))
	}
	directed, err := neighbors.KNN{K: count, Metric: s.Metric}.Fit(ctx, dense)
	if err != nil {
		return nil, err
	}
	m := &IsomapModel{Graph: *directed.Symmetric(false), Neighbors: count}
	var part []int
	if part, m.Parts = m.Graph.Components(); m.Parts > 1 {
		if !s.Join {
			return nil, ml.BadParameter(isomapName, "Neighbors", count, sprintf("enough to join all rows, or Join: the graph falls into %d parts", m.Parts))
		}
		whole, err := joined(ctx, dense, s.Metric, &m.Graph, part, m.Parts)
		if err != nil {
			return nil, err
		}
		m.Graph = *whole
	}
	if m.Geodesics, err = geodesics(ctx, &m.Graph); err != nil {
		return nil, err
	}
	y, scale := scaling.InRange(m.Geodesics)
	b, means, err := doubleCenter(ctx, y)
	if err != nil {
		return nil, err
	}
	r, err := eigen.Largest(ctx, b, k, s.Seed)
	if err != nil {
		return nil, err
	}
	m.Embedding, m.Eigenvalues, m.RowMeans = mat.NewDense(n, k, nil), r.Values, means
	for j, v := range r.Vectors {
		length := math.Sqrt(max(r.Values[j], 0)) / scale
		for i, u := range v {
			m.Embedding.Set(i, j, u*length)
		}
	}
	if err := unscale2(isomapName, m.Eigenvalues, scale); err != nil {
		return nil, err
	}
	if err := unscale2(isomapName, means, scale); err != nil {
		return nil, err
	}
	if _, euclidean := s.Metric.(distance.Euclidean); euclidean || s.Metric == nil {
		m.Data = mat.DenseCopyOf(dense)
	}
	return m, nil
}

// checkNeighbors is the number of neighbors of each of n rows.
func checkNeighbors(method string, option, n int) (int, error) {
	if n < 2 {
		return 0, ml.BadParameter(method, "the number of rows", n, "at least 2")
	}
	k := cmp.Or(option, min(10, n-1))
	if k < 1 || k >= n {
		return 0, ml.BadParameter(method, "Neighbors", option, sprintf("0 (for 10), or 1 ≤ Neighbors < n = %d", n))
	}
	return k, nil
}

// Transform maps new rows x (m×d): the way along the surface from a new row to a fitted one leads
// over one of its Neighbors nearest fitted rows, and the new row goes where these lengths put it
// among the fitted points (ClassicalMDSModel.Place). Rows of the fit land on their own points, as
// nearly as their graph allows. The errors are those of ml.Dense, ml.ErrShape for another number of
// columns, ml.ErrParameter where the fit was by another metric than Euclid's, and ctx.Err().
func (m *IsomapModel) Transform(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "manifold.IsomapModel.Transform"
	near, err := queryNeighbors(ctx, method, m.Data, x, m.Neighbors)
	if err != nil {
		return nil, err
	}
	n, _ := m.Geodesics.Dims()
	ways := mat.NewDense(near.Len(), n, nil)
	err = parallel.For(ctx, near.Len(), 16, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := ways.RawRowView(i)
			for j := range row {
				row[j] = math.Inf(1)
			}
			rows, d := near.Of(i)
			for k, via := range rows {
				for j, g := range m.Geodesics.RawRowView(via) {
					row[j] = min(row[j], d[k]+g)
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return gower(ways, m.Embedding, m.RowMeans)
}

// queryNeighbors finds the neighbors of new rows among those of a fit.
func queryNeighbors(ctx context.Context, method string, data *mat.Dense, x mat.Matrix, k int) (*neighbors.Graph, error) {
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	if data == nil {
		return nil, ml.BadParameter(method, "Data", "nil", "a model that was fitted by the Euclidean distance")
	}
	_, d := data.Dims()
	if err := ml.Columns(method, y, d); err != nil {
		return nil, err
	}
	return neighbors.KNN{K: k}.Query(ctx, data, y)
}

// joined adds to a graph, for each part but the first, the shortest link from the parts joined
// before to one that is not (Prim), until all are one.
func joined(ctx context.Context, x *mat.Dense, metric distance.Metric, g *neighbors.Graph, part []int, parts int) (*neighbors.Graph, error) {
	between, err := distance.NewRows(metric, x, nil)
	if err != nil {
		return nil, err
	}
	n := g.Len()
	out := &neighbors.Graph{Start: make([]int, 1, n+1)}
	type link struct {
		from int
		d    float64
	}
	extra := make([][]link, n)
	// For each row that is not joined yet, its nearest row that is.
	best, gaps := make([]link, n), make([]float64, n)
	for i := range best {
		best[i].d = math.Inf(1)
	}
	inside := make([]bool, parts)
	add := func(p int) error {
		inside[p] = true
		for i, q := range part {
			if q != p {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			between.From(gaps, i, 0)
			for j, d := range gaps {
				if !inside[part[j]] && d < best[j].d {
					best[j] = link{i, d}
				}
			}
		}
		return nil
	}
	if err := add(0); err != nil {
		return nil, err
	}
	for range parts - 1 {
		to := -1
		for j := range n {
			if !inside[part[j]] && (to < 0 || best[j].d < best[to].d) {
				to = j
			}
		}
		l := best[to]
		if l.d-l.d != 0 {
			return nil, ml.NotFinite(isomapName, "the distance from row %d to the other parts of the graph is %v", to, l.d)
		}
		extra[to] = append(extra[to], l)
		extra[l.from] = append(extra[l.from], link{to, l.d})
		if err := add(part[to]); err != nil {
			return nil, err
		}
	}
	for i := range n {
		rows, d := g.Of(i)
		out.Index, out.Distance = append(out.Index, rows...), append(out.Distance, d...)
		for _, l := range extra[i] {
			out.Index, out.Distance = append(out.Index, l.from), append(out.Distance, l.d)
		}
		out.Start = append(out.Start, len(out.Index))
	}
	return out, nil
}

// geodesics are the lengths of the shortest paths between all pairs of a connected graph.
func geodesics(ctx context.Context, g *neighbors.Graph) (*mat.Dense, error) {
	n := g.Len()
	out := mat.NewDense(n, n, nil)
	err := parallel.For(ctx, n, 8, func(_, lo, hi int) {
		q := queue{place: make([]int32, n), heap: make([]int32, 0, n)}
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			q.paths(g, i, out.RawRowView(i))
		}
	})
	if err != nil {
		return nil, err
	}
	// The two directions of a path are summed in different order: the table is to be symmetric to
	// the last bit. By tiles, which stay in the cache.
	data := out.RawMatrix().Data
	const tile = 64
	overflow := make([]bool, parallel.Chunks(n, tile))
	err = parallel.For(ctx, n, tile, func(c, lo, hi int) {
		for left := 0; left < hi; left += tile {
			for i := lo; i < hi; i++ {
				for j := left; j < min(left+tile, i); j++ {
					v := min(data[i*n+j], data[j*n+i])
					overflow[c] = overflow[c] || v-v != 0
					data[i*n+j], data[j*n+i] = v, v
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if slices.Contains(overflow, true) {
		return nil, ml.NotFinite(isomapName, "the length of a path overflows: scale the data")
	}
	return out, nil
}

// queue is a heap of points by their distance, with four children a node.
type queue struct {
	place []int32 // of each point in the heap, −1 for one that has left it or was never there
	heap  []int32
}

// paths sets d to the lengths of the shortest paths from a point (Dijkstra, 1959).
func (q *queue) paths(g *neighbors.Graph, from int, d []float64) {
	for i := range d {
		d[i], q.place[i] = math.Inf(1), -1
	}
	d[from] = 0
	q.heap = append(q.heap[:0], int32(from))
	q.place[from] = 0
	for len(q.heap) > 0 {
		i := q.heap[0]
		last := q.heap[len(q.heap)-1]
		q.heap = q.heap[:len(q.heap)-1]
		if len(q.heap) > 0 {
			q.down(last, d)
		}
		q.place[i] = -1
		lo, hi := g.Start[i], g.Start[i+1]
		lengths := g.Distance[lo:hi]
		for k, j := range g.Index[lo:hi] {
			v := d[i] + lengths[k]
			if v < d[j] {
				d[j] = v
				if q.place[j] < 0 {
					q.place[j] = int32(len(q.heap))
					q.heap = append(q.heap, int32(j))
				}
				q.up(int32(j), d)
			}
		}
	}
}

// up moves a point that has come nearer towards the top.
func (q *queue) up(i int32, d []float64) {
	at := q.place[i]
	for at > 0 {
		parent := (at - 1) / 4
		p := q.heap[parent]
		if d[p] <= d[i] {
			break
		}
		q.heap[at], q.place[p] = p, at
		at = parent
	}
	q.heap[at], q.place[i] = i, at
}

// down puts a point at the top and lets it sink.
func (q *queue) down(i int32, d []float64) {
	at, n := int32(0), int32(len(q.heap))
	for {
		child := 4*at + 1
		if child >= n {
			break
		}
		least := child
		for c := child + 1; c < min(child+4, n); c++ {
			if d[q.heap[c]] < d[q.heap[least]] {
				least = c
			}
		}
		p := q.heap[least]
		if d[p] >= d[i] {
			break
		}
		q.heap[at], q.place[p] = p, at
		at = least
	}
	q.heap[at], q.place[i] = i, at
}

// ResidualVariance is 1 − R² of the map's distances on the geodesic ones: how much of these a map
// of so many dimensions misses. Over a few numbers of Components it stops falling at the dimension
// of the surface.
func (m *IsomapModel) ResidualVariance() float64 {
	n, k := m.Embedding.Dims()
	y, _ := scaling.InRange(m.Embedding)
	g, _ := scaling.InRange(m.Geodesics)
	var c, a, b, aa, bb, ab float64
	for i := range n {
		for j := range i {
			u, v := g.At(i, j), math.Sqrt(blas.SqEuclidean(y.RawRowView(i)[:k], y.RawRowView(j)))
			c++
			a, b, aa, bb, ab = a+u, b+v, aa+u*u, bb+v*v, ab+u*v
		}
	}
	u, v := aa-a*a/c, bb-b*b/c
	if !(u > 0 && v > 0) {
		return 0
	}
	w := ab - a*b/c
	return max(0, 1-w*w/u/v)
}
