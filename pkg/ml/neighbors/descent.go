package neighbors

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// NNDescent finds the K nearest rows of each row approximately, at a cost that grows little faster
// than n (Dong, Moses & Li, 2011): a neighbor of a neighbor is likely to be a neighbor. It starts
// with what lies together in the leaves of a few random trees (Dasgupta & Freund, 2008). Then, in
// rounds, each row introduces its neighbors, those it lists and those that list it, to each other,
// and every row keeps the nearest it has met, ten more than are asked for, since they lead to
// others; only pairs of which one is new are measured. It ends when a round brings in little that
// is new.
//
// A distance that is given is right, and most rows have all their true neighbors: Recall measures
// how many. It falls where the data fills many dimensions evenly; more Trees and Candidates raise
// it. Every metric of package distance will do, and any other that is symmetric; the trees divide
// by Euclidean planes. On few rows, or where nothing may be missed, KNN is the better choice.
//
// A tree costs O(nd(log n + leaf)), a round O(n·Candidates²·d), memory is O(n(d + K + Candidates)).
// The result depends on the seed and not on the number of processors: what a row keeps is the
// nearest of all it has met, in whatever order it met them.
type NNDescent struct {
	K      int             // neighbors of a row, itself not counted, 1 ≤ K < n
	Metric distance.Metric // nil means Euclidean
	Trees  int             // at least 2; 0 means 6
	// new and old neighbors that a row introduces in a round, at most so many of each; 0 means
	// 2K+20, but at most 60
	Candidates int
	MaxIter    int     // rounds; 0 means 20
	Tolerance  float64 // a round in which fewer than this part of all nK places changed is the last; 0 means 0.01
	Seed       uint64  // same seed, same result
}

// Fit returns K near rows of each row of x (n×d). The errors are those of KNN.Fit, with
// ml.ErrParameter for an option out of range, and ctx.Err(), along with the graph so far, its
// distances right to rounding, when ctx ends after the first tree and nK is at most 4,000,000: more
// could not be written down at once.
func (s NNDescent) Fit(ctx context.Context, x mat.Matrix) (*Graph, error) {
	d, err := s.begin(ctx, x)
	if err != nil {
		return nil, err
	}
	for range s.rounds(ctx, d) {
	}
	g, err := d.graph(ctx)
	if err != nil && err == ctx.Err() {
		return d.unfinished(), err
	}
	return g, err
}

// Iterate yields the graph of the trees and then that after each round. The sum of its distances
// never rises.
func (s NNDescent) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Graph, error] {
	return func(yield func(*Graph, error) bool) {
		d, err := s.begin(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *Graph
		for range s.rounds(ctx, d) {
			g, err := d.graph(ctx)
			if err != nil && err == ctx.Err() {
				break
			}
			if err != nil {
				yield(nil, err)
				return
			}
			if last = g; !yield(g, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(last, err)
		}
	}
}

func (s NNDescent) begin(ctx context.Context, x mat.Matrix) (*descent, error) {
	const method = "neighbors.NNDescent"
	dense, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := dense.Dims()
	switch {
	case s.K < 1 || s.K >= n:
		return nil, ml.BadParameter(method, "K", s.K, fmt.Sprintf("1 ≤ K < n = %d, the number of rows", n))
	case n > math.MaxInt32:
		return nil, ml.BadShape(method, "there are %d rows, want at most %d", n, math.MaxInt32)
	case s.Trees < 0 || s.Trees == 1:
		return nil, ml.BadParameter(method, "Trees", s.Trees, "0 (for 6), or 2 or more: the leaves of one tree would never meet")
	case s.Candidates < 0:
		return nil, ml.BadParameter(method, "Candidates", s.Candidates, "0 (for 2K+20, at most 60) or more")
	case s.MaxIter < 0:
		return nil, ml.BadParameter(method, "MaxIter", s.MaxIter, "0 (for 20) or more")
	case !(s.Tolerance >= 0 && s.Tolerance < 1):
		return nil, ml.BadParameter(method, "Tolerance", s.Tolerance, "0 (for 0.01) or a number below 1")
	}
	return newDescent(ctx, method, dense, s.Metric, s.K, s.Seed)
}

// rounds fills the lists of d and yields after the trees and after every round.
func (s NNDescent) rounds(ctx context.Context, d *descent) iter.Seq[int] {
	return func(yield func(int) bool) {
		if d.trees(ctx, cmp.Or(s.Trees, 6), s.Seed) != nil || !yield(0) {
			return
		}
		tolerance := s.Tolerance
		if tolerance == 0 {
			tolerance = 0.01
		}
		for round := 1; round <= cmp.Or(s.MaxIter, 20); round++ {
			if d.join(ctx, cmp.Or(s.Candidates, min(2*s.K+20, 60)), s.Seed, round) != nil || !yield(round) {
				return
			}
			if left, err := d.unmet(ctx); err != nil || float64(left) <= tolerance*float64(d.n)*float64(d.k) {
				return
			}
		}
	}
}

// descent is the state: of each row a list of at most k others, nearest first. Rows lie in the
// order of a tree of their own, so that what is compared lies together in memory.
type descent struct {
	*space
	method    string
	x         *mat.Dense
	index     []int32 // the row of x that each was
	metric    distance.Metric
	rows      func(dst, a, rows []float64) // what orders rows as the metric does: of a from each of rows, one behind the other
	values    []float64                    // what rows measures, row by row
	euclidean bool                         // rows is the squared Euclidean distance

	scale  float64 // of the given rows
	wanted int     // neighbors of a row in the result
	k      int     // and in its list
	size   []int32
	lists  []acquaintance
	far    []atomic.Uint64 // of each row the bits of the distance beyond which it wants nothing; they only fall
	locks  [1 << 10]sync.Mutex
	bad    atomic.Pointer[error]
}

// acquaintance is an entry of a list.
type acquaintance struct {
	d     float64
	row   int32
	fresh bool // has not been introduced yet
}

func newDescent(ctx context.Context, method string, x *mat.Dense, metric distance.Metric, k int, seed uint64) (*descent, error) {
	n, _ := x.Dims()
	d := &descent{method: method, x: x, metric: metric, wanted: k, k: min(k+10, n-1)}
	px, err := transformed(method, "x", x, metric)
	if err != nil {
		return nil, err
	}
	d.scale = scaling.Factor(scaling.MaxAbs(ctx, px))
	d.space = newSpace(ctx, px, origin(ctx, px, d.scale), d.scale)
	var order randomTree
	order.grow(ctx, d.space, 32, rng.New(seed, 2))
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d.index = order.index
	d.space = d.space.permuted(ctx, d.index)
	d.values = d.given
	switch m := metric.(type) {
	case nil, distance.Euclidean, distance.SqEuclidean, distance.Cosine, distance.Correlation:
		d.euclidean = true
		d.rows = func(dst, a, rows []float64) { blas.SqEuclideanRows(dst, a, rows, len(a)) }
	case distance.Manhattan:
		d.rows = func(dst, a, rows []float64) { blas.ManhattanRows(dst, a, rows, len(a)) }
	case distance.Chebyshev:
		d.rows = func(dst, a, rows []float64) { blas.ChebyshevRows(dst, a, rows, len(a)) }
	default:
		if _, err := distance.NewRows(metric, x, nil); err != nil { // for the check of its options
			return nil, err
		}
		d.values = gathered(ctx, x.RawMatrix().Data, d.index, d.d)
		d.rows = func(dst, a, rows []float64) {
			for i := range dst {
				dst[i] = m.Distance(a, rows[i*len(a):(i+1)*len(a)])
			}
		}
	}
	d.size = make([]int32, d.n)
	d.lists = make([]acquaintance, d.n*d.k)
	d.far = make([]atomic.Uint64, d.n)
	for i := range d.far {
		d.far[i].Store(math.Float64bits(math.Inf(1)))
	}
	return d, ctx.Err()
}

func (d *descent) list(i int) []acquaintance { return d.lists[i*d.k : i*d.k+int(d.size[i])] }

func (d *descent) value(i int) []float64 { return d.values[i*d.d : (i+1)*d.d] }

// introduce tells two rows of each other.
func (d *descent) introduce(i, j int32, v float64) {
	if v-v != 0 || v < 0 {
		err := ml.NotFinite(d.method, "the distance between rows %d and %d is %v, want a number of 0 or more", d.index[i], d.index[j], v)
		d.bad.CompareAndSwap(nil, &err)
		return
	}
	bits := math.Float64bits(v) // ordered as the numbers are, which are not negative
	if bits <= d.far[i].Load() {
		d.offer(i, j, v)
	}
	if bits <= d.far[j].Load() {
		d.offer(j, i, v)
	}
}

// offer takes row j into the list of row i if it is among the k nearest so far, equally near ones
// in the order of their rows.
func (d *descent) offer(i, j int32, v float64) {
	lock := &d.locks[uint32(i)%uint32(len(d.locks))]
	lock.Lock()
	defer lock.Unlock()
	list := d.lists[int(i)*d.k : (int(i)+1)*d.k]
	m := int(d.size[i])
	at := m
	for at > 0 && (list[at-1].d > v || list[at-1].d == v && d.index[list[at-1].row] >= d.index[j]) {
		at--
	}
	// A pair's distance is the same however often it is measured, so that a row that is there
	// already lies where it would go.
	if at == d.k || at < m && list[at].row == j {
		return
	}
	if m < d.k {
		m++
		d.size[i] = int32(m)
	}
	copy(list[at+1:m], list[at:])
	list[at] = acquaintance{v, j, true}
	if m == d.k {
		d.far[i].Store(math.Float64bits(list[m-1].d))
	}
}

// permuted lays the rows in another order; when ctx ends, some of them.
func (s *space) permuted(ctx context.Context, index []int32) *space {
	p := *s
	p.given, p.moved, p.halves = gathered(ctx, s.given, index, s.d), gathered(ctx, s.moved, index, s.d), gathered(ctx, s.halves, index, 1)
	return &p
}

func gathered(ctx context.Context, rows []float64, index []int32, d int) []float64 {
	out := make([]float64, len(rows))
	_ = parallel.For(ctx, len(index), manyRows, func(_, lo, hi int) {
		for k, i := range index[lo:hi] {
			copy(out[(lo+k)*d:(lo+k+1)*d], rows[int(i)*d:])
		}
	})
	return out
}

// block is the number of rows that a goroutine takes at a time.
const block = 64

// join is a round: every row introduces some of those it knows and that know it to each other.
func (d *descent) join(ctx context.Context, candidates int, seed uint64, round int) error {
	known, err := d.sample(ctx, candidates, rng.New(seed, 1, round).Uint64())
	if err != nil {
		return err
	}
	return parallel.For(ctx, d.n, block, func(_, lo, hi int) {
		rows := make([]float64, 2*candidates*d.d)
		dist := make([]float64, 2*candidates)
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			all, fresh := known.of(i)
			for k, j := range all {
				copy(rows[k*d.d:(k+1)*d.d], d.value(int(j)))
			}
			for k, j := range all[:fresh] {
				others := all[k+1:]
				part := dist[:len(others)]
				d.rows(part, rows[k*d.d:(k+1)*d.d], rows[(k+1)*d.d:len(all)*d.d])
				for l, v := range part {
					if others[l] != j {
						d.introduce(j, others[l], v)
					}
				}
			}
		}
	})
}

// circle holds for each row those it introduces: fresh ones first.
type circle struct {
	most  int
	rows  []int32
	size  []int32
	fresh []int32
}

func (c *circle) of(i int) (all []int32, fresh int) {
	return c.rows[i*2*c.most : i*2*c.most+int(c.size[i])], int(c.fresh[i])
}

// sample draws for each row at most so many fresh and as many other acquaintances, listed by it or
// listing it, and notes of those it drew that they are fresh no more. Which are drawn is decided by
// a number that the round gives to each pair, so that the order of looking at them does not matter.
func (d *descent) sample(ctx context.Context, candidates int, salt uint64) (*circle, error) {
	c := &circle{most: candidates, rows: make([]int32, d.n*2*candidates), size: make([]int32, d.n), fresh: make([]int32, d.n)}
	listing, start := d.reversed(ctx)
	return c, parallel.For(ctx, d.n, block, func(_, lo, hi int) {
		var draws [2][]uint64 // fresh, others
		for i := lo; i < hi; i++ {
			draws[0], draws[1] = draws[0][:0], draws[1][:0]
			for _, a := range d.list(i) {
				kind := kindOf(a.fresh)
				draws[kind] = append(draws[kind], draw(salt, i, int(a.row)))
			}
			for _, from := range listing[start[i]:start[i+1]] {
				kind := kindOf(from&freshBit != 0)
				draws[kind] = append(draws[kind], draw(salt, i, int(from&^freshBit)))
			}
			at := i * 2 * candidates
			for kind := range draws {
				slices.Sort(draws[kind])
				draws[kind] = slices.Compact(draws[kind]) // who lists each other counts once
				draws[kind] = draws[kind][:min(len(draws[kind]), candidates)]
				for _, v := range draws[kind] {
					c.rows[at] = int32(uint32(v))
					at++
				}
			}
			c.fresh[i] = int32(len(draws[0]))
			c.size[i] = int32(at - i*2*candidates)
			if len(draws[0]) == 0 {
				continue
			}
			last := draws[0][len(draws[0])-1]
			list := d.list(i)
			for k := range list {
				list[k].fresh = list[k].fresh && draw(salt, i, int(list[k].row)) > last
			}
		}
	})
}

const freshBit = 1 << 31

func kindOf(fresh bool) int {
	if fresh {
		return 0
	}
	return 1
}

// draw is a random number for the pair of i and j in the upper half, and j in the lower.
func draw(salt uint64, i, j int) uint64 {
	z := salt ^ uint64(min(i, j))<<32 ^ uint64(max(i, j))
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return (z^z>>31)&^math.MaxUint32 | uint64(uint32(j))
}

// reversed lists for each row those that list it, with freshBit where the entry is fresh: those of
// row i from start[i] to start[i+1]−1. When ctx ends the lists are of no use.
func (d *descent) reversed(ctx context.Context) (listing []uint32, start []int) {
	start = make([]int, d.n+1)
	for i := range d.n {
		if i%manyRows == 0 && ctx.Err() != nil {
			return nil, nil
		}
		for _, a := range d.list(i) {
			start[a.row+1]++
		}
	}
	for i := range d.n {
		start[i+1] += start[i]
	}
	listing = make([]uint32, start[d.n])
	next := slices.Clone(start)
	for i := range d.n {
		if i%manyRows == 0 && ctx.Err() != nil {
			return nil, nil
		}
		for _, a := range d.list(i) {
			v := uint32(i)
			if a.fresh {
				v |= freshBit
			}
			listing[next[a.row]] = v
			next[a.row]++
		}
	}
	return listing, start
}

// unmet counts the entries that have not been introduced to others.
func (d *descent) unmet(ctx context.Context) (int, error) {
	part := make([]int, parallel.Chunks(d.n, manyRows))
	err := parallel.For(ctx, d.n, manyRows, func(c, lo, hi int) {
		for i := lo; i < hi; i++ {
			for _, a := range d.list(i) {
				if a.fresh {
					part[c]++
				}
			}
		}
	})
	count := 0
	for _, c := range part {
		count += c
	}
	return count, err
}

// graph measures the neighbors in the metric's own units. The error is ctx.Err() or that of a
// metric.
func (d *descent) graph(ctx context.Context) (*Graph, error) {
	if bad := d.bad.Load(); bad != nil {
		return nil, *bad
	}
	if err := ctx.Err(); err != nil { // there may be rows that have met fewer others than are wanted
		return nil, err
	}
	lists := make([]list, d.n)
	err := parallel.For(ctx, d.n, manyRows, func(_, lo, hi int) {
		all := make([]candidate, (hi-lo)*d.wanted)
		for i := lo; i < hi; i++ {
			near := all[(i-lo)*d.wanted : (i-lo+1)*d.wanted]
			for k, a := range d.list(i)[:d.wanted] {
				near[k] = candidate{a.d, int(d.index[a.row])}
			}
			lists[d.index[i]].near = near
		}
	})
	if err != nil {
		return nil, err
	}
	s := search{lists: lists, want: limit{k: d.wanted, radius: math.Inf(1)}}
	if err := s.finish(ctx, d.method, d.metric, d.x, nil); err != nil {
		return nil, err
	}
	return graphOf(ctx, lists)
}

// soon is how many neighbors are written down well within 100 ms.
const soon = 4_000_000

// unfinished is the graph of what the lists hold, with the distances that they are ordered by,
// turned into the metric's units: right but for rounding. It is nil where that would take long, or
// a row has met fewer others than are wanted.
func (d *descent) unfinished() *Graph {
	if d.n*d.wanted > soon {
		return nil
	}
	for _, s := range d.size {
		if int(s) < d.wanted {
			return nil
		}
	}
	unit := func(v float64) float64 { return v }
	switch d.metric.(type) {
	case nil, distance.Euclidean:
		unit = func(v float64) float64 { return math.Sqrt(v) / d.scale }
	case distance.SqEuclidean:
		unit = func(v float64) float64 { return v / d.scale / d.scale }
	case distance.Cosine, distance.Correlation: // of directions, which have the length 1
		unit = func(v float64) float64 { return v / 2 / d.scale / d.scale }
	case distance.Manhattan, distance.Chebyshev:
		unit = func(v float64) float64 { return v / d.scale }
	}
	g := &Graph{Start: make([]int, d.n+1), Index: make([]int, d.n*d.wanted), Distance: make([]float64, d.n*d.wanted)}
	for i := range d.n {
		g.Start[i+1] = (i + 1) * d.wanted
	}
	_ = parallel.For(context.Background(), d.n, manyRows, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			rows, lengths := g.Of(int(d.index[i]))
			for k := range rows {
				a := d.lists[i*d.k+k]
				rows[k], lengths[k] = int(d.index[a.row]), unit(a.d)
			}
		}
	})
	return g
}
