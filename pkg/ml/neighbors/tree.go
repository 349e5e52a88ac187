package neighbors

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// space is a set of rows twice: as they were given, but scaled by a power of two so that no square
// overflows or vanishes, for measuring; and moved to the mean, where ‖a‖²−2a·b+‖b‖² loses the
// fewest digits, for looking.
type space struct {
	n, d    int
	given   []float64 // row by row
	moved   []float64
	halves  []float64 // half the squared lengths of moved
	largest float64   // length of moved
}

// byTree finds Euclidean neighbors, or neighbors in a metric that orders rows as the Euclidean
// distance of some transformed rows does.
func byTree(ctx context.Context, method string, x, y *mat.Dense, metric distance.Metric, want limit, lists []list) error {
	px, err := transformed(method, "x", x, metric)
	if err != nil {
		return err
	}
	py := px
	if y != nil {
		if py, err = transformed(method, "y", y, metric); err != nil {
			return err
		}
	}
	// One scale and one origin for both, so that their rows can be compared.
	scale := scaling.Factor(max(scaling.MaxAbs(ctx, px), scaling.MaxAbs(ctx, py)))
	mean := origin(ctx, px, scale)
	reference := buildTree(ctx, newSpace(ctx, px, mean, scale))
	queries := reference
	if y != nil {
		queries = buildTree(ctx, newSpace(ctx, py, mean, scale))
	}
	s := search{queries: queries, reference: reference, own: y == nil, want: want, lists: lists}
	s.radius2 = squaredRadius(metric, want.radius, scale)
	if err := s.run(ctx); err != nil {
		return err
	}
	return s.finish(ctx, method, metric, x, y)
}

// transformed gives rows whose Euclidean distance orders as the metric does: directions for the
// cosine, directions about the mean for the correlation.
func transformed(method, name string, x *mat.Dense, metric distance.Metric) (*mat.Dense, error) {
	switch metric.(type) {
	case distance.Cosine, distance.Correlation:
		y, err := distance.Directions(x, metric)
		if err != nil {
			return nil, ml.BadParameter(method, name, err, "rows that have one")
		}
		return y, nil
	}
	return x, nil
}

// squaredRadius turns a radius in the metric's units into a squared Euclidean distance of the
// scaled rows, a little too large: finish looks at the distances themselves.
func squaredRadius(metric distance.Metric, r, scale float64) float64 {
	switch metric.(type) {
	case distance.SqEuclidean:
		r *= scale * scale
	case distance.Cosine, distance.Correlation:
		r *= 2
	default:
		r *= scale
		r *= r
	}
	return r * (1 + 1e-12)
}

// manyRows is how many rows are read between two looks at a context.
const manyRows = 4096

// origin is the mean of the scaled rows.
func origin(ctx context.Context, x *mat.Dense, scale float64) []float64 {
	_, d := x.Dims()
	means, _ := scaling.Means(ctx, x, slices.Repeat([]float64{scale}, d))
	return means
}

// newSpace takes in rows; when ctx ends, some of them.
func newSpace(ctx context.Context, x *mat.Dense, mean []float64, scale float64) *space {
	n, d := x.Dims()
	s := &space{n: n, d: d}
	s.given, _ = scaling.Move(ctx, x, scale, make([]float64, d))
	s.moved, s.halves = scaling.Move(ctx, x, scale, mean)
	for i := range s.halves {
		s.halves[i] /= 2
	}
	for _, h := range s.halves {
		s.largest = max(s.largest, math.Sqrt(2*h))
	}
	return s
}

func (s *space) row(i int) []float64 { return s.moved[i*s.d : (i+1)*s.d] }

// tree is a space with its rows in an order in which the rows of a leaf lie together.
type tree struct {
	*space
	index  []int // the row that each was before
	leaves []leaf
	ball   []float64 // centers of the leaves, one behind the other
}

// leaf is a stretch of rows and the radius of the ball around its center that holds them.
type leaf struct {
	lo, hi int
	radius float64
}

// leafSize is the most rows a leaf has: few enough to be told apart, enough for a matrix product.
const leafSize = 192

// buildTree halves the rows, again and again, across the direction from one far row to another.
// When ctx ends the tree is of no use.
func buildTree(ctx context.Context, s *space) *tree {
	t := &tree{space: s, index: make([]int, s.n)}
	for i := range t.index {
		t.index[i] = i
	}
	limit := leafSize
	if s.d <= 8 {
		limit = 48 // small balls pay where there is room for few of them
	}
	t.split(ctx, 0, s.n, limit)
	if ctx.Err() != nil {
		return t
	}
	given, moved, halves := make([]float64, len(s.given)), make([]float64, len(s.moved)), make([]float64, s.n)
	for i, from := range t.index {
		copy(given[i*s.d:(i+1)*s.d], s.given[from*s.d:])
		copy(moved[i*s.d:(i+1)*s.d], s.row(from))
		halves[i] = s.halves[from]
	}
	t.space = &space{n: s.n, d: s.d, given: given, moved: moved, halves: halves, largest: s.largest}
	t.balls()
	return t
}

func (t *tree) split(ctx context.Context, lo, hi, limit int) {
	if hi-lo <= limit || ctx.Err() != nil {
		t.leaves = append(t.leaves, leaf{lo: lo, hi: hi})
		return
	}
	along := make([]candidate, hi-lo) // place along the direction, row
	from := t.farthest(lo, hi, t.row(t.index[lo]))
	to := t.farthest(lo, hi, t.row(from))
	direction := make([]float64, t.d)
	copy(direction, t.row(to))
	blas.Axpy(-1, t.row(from), direction)
	for k, i := range t.index[lo:hi] {
		along[k] = candidate{blas.Dot(direction, t.row(i)), i}
	}
	slices.SortFunc(along, nearer)
	for k, c := range along {
		t.index[lo+k] = c.row
	}
	mid := (lo + hi) / 2
	t.split(ctx, lo, mid, limit)
	t.split(ctx, mid, hi, limit)
}

func (t *tree) farthest(lo, hi int, from []float64) int {
	best, at := -1.0, lo
	for _, i := range t.index[lo:hi] {
		if d := blas.SqEuclidean(from, t.row(i)); d > best {
			best, at = d, i
		}
	}
	return at
}

func (t *tree) balls() {
	t.ball = make([]float64, len(t.leaves)*t.d)
	for l := range t.leaves {
		leaf := &t.leaves[l]
		center := t.center(l)
		for i := leaf.lo; i < leaf.hi; i++ {
			blas.Axpy(1/float64(leaf.hi-leaf.lo), t.row(i), center)
		}
		for i := leaf.lo; i < leaf.hi; i++ {
			leaf.radius = max(leaf.radius, math.Sqrt(blas.SqEuclidean(center, t.row(i))))
		}
	}
}

func (t *tree) center(l int) []float64 { return t.ball[l*t.d : (l+1)*t.d] }

// search compares leaves of queries with leaves of the reference.
type search struct {
	queries, reference *tree
	own                bool // both are one, and a row is not its own neighbor
	want               limit
	radius2            float64
	lists              []list // by original row; distances are squared ones of the scaled rows until finish
}

// approach is a leaf of the reference, seen from a leaf of queries.
type approach struct {
	leaf   int
	bound  float64 // no two rows of both are nearer
	center float64 // distance of the centers
}

func (s *search) run(ctx context.Context) error {
	return parallel.For(ctx, len(s.queries.leaves), 1, func(l, _, _ int) { s.leaf(ctx, l) })
}

// leaf finds the neighbors of all rows of one leaf: it goes through the leaves of the reference,
// nearest first, until the next can hold nothing that is wanted.
func (s *search) leaf(ctx context.Context, l int) {
	q, r := s.queries, s.reference
	from := q.leaves[l]
	order := make([]approach, len(r.leaves))
	// What rounding may have done to a distance between rows of this size.
	rounding := 1e-13 * (q.largest + r.largest)
	for k, to := range r.leaves {
		d := math.Sqrt(blas.SqEuclidean(q.center(l), r.center(k)))
		order[k] = approach{k, max(0, d-from.radius-to.radius-rounding), d}
	}
	slices.SortFunc(order, func(a, b approach) int {
		switch {
		case a.bound < b.bound || a.bound == b.bound && a.center < b.center:
			return -1
		case a.bound == b.bound && a.center == b.center:
			return a.leaf - b.leaf
		}
		return 1
	})
	scores := make([]float64, (from.hi-from.lo)*leafSize)
	for step, to := range order {
		if step&15 == 0 && ctx.Err() != nil {
			return
		}
		if to.bound*to.bound > s.worst(from) {
			break
		}
		s.compare(from, r.leaves[to.leaf], scores)
	}
}

// worst is the squared distance beyond which no row of the leaf wants anything.
func (s *search) worst(from leaf) float64 {
	w := 0.0
	for i := from.lo; i < from.hi; i++ {
		w = max(w, s.bound(i))
	}
	return w
}

// bound is the squared distance beyond which row i of the queries wants nothing.
func (s *search) bound(i int) float64 {
	return min(s.lists[s.queries.index[i]].farthest(s.want), s.radius2)
}

// compare looks for neighbors of the rows of one leaf among those of another. score = ‖r‖²/2 − q·r
// orders the r by distance from q; what it puts within reach, rounding allowed for, is measured.
func (s *search) compare(from, to leaf, scores []float64) {
	q, r := s.queries, s.reference
	rows, columns, d := from.hi-from.lo, to.hi-to.lo, q.d
	scores = scores[:rows*columns]
	for i := range rows {
		copy(scores[i*columns:(i+1)*columns], r.halves[to.lo:to.hi])
	}
	blas.AddMulT(scores, -1, q.moved[from.lo*d:from.hi*d], rows, r.moved[to.lo*d:to.hi*d], columns, d)
	for i := range rows {
		at := from.lo + i
		row := scores[i*columns : (i+1)*columns]
		list := &s.lists[q.index[at]]
		length := math.Sqrt(2*q.halves[at]) + r.largest
		rounding := 4e-16*float64(d+8)*length*length + math.SmallestNonzeroFloat64 // equal distances must get through
		given := q.given[at*d : (at+1)*d]
		for j := 0; ; j++ {
			j += blas.FirstBelow(row[j:], s.bound(at)/2-q.halves[at]+rounding)
			if j == columns {
				break
			}
			if other := r.index[to.lo+j]; !s.own || other != q.index[at] {
				if d2 := blas.SqEuclidean(given, r.given[(to.lo+j)*d:(to.lo+j+1)*d]); d2 <= s.radius2 {
					list.offer(candidate{d2, other}, s.want.k)
				}
			}
		}
	}
}

// finish puts the metric's own distances in place of the squared ones, and sorts.
func (s *search) finish(ctx context.Context, method string, metric distance.Metric, x, y *mat.Dense) error {
	if y == nil {
		y = x
	}
	if metric == nil {
		metric = distance.Euclidean{}
	}
	bad := make([]error, parallel.Chunks(len(s.lists), 256))
	err := parallel.For(ctx, len(s.lists), 256, func(c, lo, hi int) {
		for i := lo; i < hi; i++ {
			near := s.lists[i].near
			for k := range near {
				v := metric.Distance(y.RawRowView(i), x.RawRowView(near[k].row))
				if v-v != 0 && bad[c] == nil {
					bad[c] = ml.NotFinite(method, "the distance between rows %d and %d overflows: scale the data", i, near[k].row)
				}
				near[k].d = v
			}
			near = slices.DeleteFunc(near, func(c candidate) bool { return c.d > s.want.radius })
			slices.SortFunc(near, nearer)
			s.lists[i].near = near
		}
	})
	for _, b := range bad {
		if b != nil {
			return b
		}
	}
	return err
}
