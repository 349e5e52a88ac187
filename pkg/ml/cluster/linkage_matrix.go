package cluster

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
)

// table is a linkage on a table of dissimilarities, which merging overwrites: the row of a merged
// cluster is that of its first row. When half of the rows are dead the rest moves together. A
// living cluster so has a place in the table beside its id; places are in the order of ids.
type table struct {
	linkage Linkage
	d       triangle  // for Ward's linkage squared
	of      measure   // computes the table in the first search, if there
	place   []int32   // of a cluster
	id      []int32   // of a place
	size    []float64 // rows of the cluster at a place
	merging []int32   // during a round: for a place that merges, where its merge stands, else −1
	wanted  []bool    // during a search: of a place
	chunks  []candidate
	list    [3][]int32 // room for lists of places
	pairs   []pair     // the merges of a round
}

// pair is a merge of two places with so many rows.
type pair struct {
	i, j                 int32
	height, sizeI, sizeJ float64
}

// newTable takes a table of n clusters that each are one row. With a measure, d is yet to be
// filled.
func newTable(linkage Linkage, d triangle, of measure) *table {
	n := len(d)
	return &table{
		linkage: linkage, d: d, of: of, place: positions(n), id: positions(n),
		size: slices.Repeat([]float64{1}, n), merging: slices.Repeat([]int32{-1}, n), wanted: make([]bool, n),
	}
}

func (t *table) between(i, j int32) float64 { return *t.d.entry(t.place[i], t.place[j]) }

// places translates ids.
func (t *table) places(room int, ids []int32) []int32 {
	list := t.list[room][:0]
	for _, i := range ids {
		list = append(list, t.place[i])
	}
	t.list[room] = list
	return list
}

// merge folds, for each merge of i and j, the column of j into that of i; then, where both clusters
// of an entry merge, rows likewise. Every entry that is written is read for itself alone, so that
// they can be done in any order, and are done in one that meets few new pages of memory: the table
// is far larger than any cache.
func (t *table) merge(ctx context.Context, merges []fused, living []int32) error {
	t.pairs = t.pairs[:0]
	rows, firsts := t.places(0, living), t.list[1][:0]
	for m, f := range merges {
		p, q := t.place[f.i], t.place[f.j]
		t.pairs = append(t.pairs, pair{p, q, f.height, t.size[p], t.size[q]})
		t.merging[p], t.merging[q] = int32(m), int32(m)
		rows, firsts = append(rows, q), append(firsts, p)
	}
	slices.Sort(rows)
	t.list[0], t.list[1] = rows, firsts
	// Of two merges the first has the row, the other the column.
	err := t.fold(ctx, rows, func(p int32) (from, to int) { return int(t.merging[p]) + 1, len(merges) })
	for _, f := range t.pairs {
		t.size[f.i] = f.sizeI + f.sizeJ
	}
	if err == nil {
		err = t.fold(ctx, firsts, func(p int32) (from, to int) { return 0, int(t.merging[p]) })
	}
	for _, f := range t.pairs {
		t.merging[f.i], t.merging[f.j] = -1, -1
	}
	if err == nil && 2*len(living) <= len(t.d) && len(t.d) > 64 {
		err = t.compact(ctx, living)
	}
	return err
}

// foldRows is how many rows are folded at a time.
const foldRows = 64

// fold computes how far each of some clusters is from those merges that span gives it: a range of
// them, as they are sorted by their first row.
func (t *table) fold(ctx context.Context, rows []int32, span func(p int32) (from, to int)) error {
	size := (chunkFor(4*len(t.pairs)) + foldRows - 1) / foldRows * foldRows
	return parallel.For(ctx, len(rows), size, func(_, lo, hi int) {
		var from, to [foldRows]int
		for ; lo < hi; lo += foldRows {
			block := rows[lo:min(lo+foldRows, hi)]
			least, most := len(t.pairs), 0
			for b, p := range block {
				from[b], to[b] = span(p)
				least, most = min(least, from[b]), max(most, to[b])
			}
			// Merges before the block have their entries in rows of their own, side by side for the
			// block: each merge is done for the whole block. Those of the other merges lie in the
			// rows of the block: each row is done for all merges.
			after := least
			for ; after < most && t.pairs[after].i < block[0]; after++ {
				for b, p := range block {
					if after >= from[b] && after < to[b] {
						t.update(p, &t.pairs[after])
					}
				}
			}
			for b, p := range block {
				for m := max(from[b], after); m < to[b]; m++ {
					t.update(p, &t.pairs[m])
				}
			}
		}
	})
}

// update sets how far the cluster at a place is from a merge, in the entry of the merge's first row
// (Lance & Williams, 1967).
func (t *table) update(p int32, f *pair) {
	toI, toJ := t.d.entry(p, f.i), t.d.entry(p, f.j)
	switch a, b := *toI, *toJ; t.linkage {
	case Complete:
		if b > a {
			*toI = b
		}
	case Average:
		*toI = average(a, b, f.sizeI, f.sizeJ)
	default:
		*toI = ward(a, b, f.height, t.size[p], f.sizeI, f.sizeJ)
	}
}

// average is written so that the mean of equal numbers is that number.
func average(a, b, sizeA, sizeB float64) float64 { return a + (b-a)*(sizeB/(sizeA+sizeB)) }

// ward is of squared dissimilarities. The two merged because they are nearest to each other, so
// that it is not below the nearer of a and b.
func ward(a, b, height, size, sizeA, sizeB float64) float64 {
	return ((size+sizeA)*a + (size+sizeB)*b - size*height) / (size + sizeA + sizeB)
}

// compact moves the entries of the living together, within each row.
func (t *table) compact(ctx context.Context, living []int32) error {
	rows := t.places(0, living)
	n := len(rows)
	err := parallel.For(ctx, n, chunkFor(n), func(_, lo, hi int) {
		for p := lo; p < hi; p++ {
			row, next := t.d[rows[p]], rows[p]+1
			for q, r := range rows[p+1:] { // q ≤ r−next: what is overwritten was read
				row[q] = row[r-next]
			}
		}
	})
	for p, i := range living {
		t.d[p] = t.d[rows[p]][:n-1-p]
		t.size[p], t.place[i], t.id[p] = t.size[rows[p]], int32(p), i
	}
	t.d = t.d[:n]
	return err
}

// candidate holds, for each wanted cluster, the nearest found, both by place.
type candidate struct {
	far  []float64
	near []int32
	err  error // of a measure
}

func (c *candidate) reset(size int) {
	if cap(c.far) < size {
		c.far, c.near = make([]float64, size), make([]int32, size)
	}
	c.far, c.near = c.far[:size], c.near[:size]
	for i := range c.far {
		c.far[i] = math.Inf(1)
	}
}

// nearest passes over the table row by row, for the same reason as merge, and looks at an entry for
// the sake of its row, of its column, or of both.
func (t *table) nearest(ctx context.Context, wanted, living, near []int32, far []float64) error {
	columns, rows := t.places(0, wanted), t.places(1, living)
	for w, p := range columns {
		t.wanted[p] = true
		far[wanted[w]] = math.Inf(1)
	}
	const most = 32
	size := max(chunkFor(2*len(wanted)), (len(rows)+most-1)/most)
	count := parallel.Chunks(len(rows), size)
	for len(t.chunks) < count {
		t.chunks = append(t.chunks, candidate{})
	}
	// Rows are dealt out in turn: the first are long, the last short.
	err := parallel.For(ctx, count, 1, func(c, _, _ int) {
		found := &t.chunks[c]
		found.reset(len(wanted))
		for r := c; r < len(rows) && ctx.Err() == nil && found.err == nil; r += count {
			k := living[r]
			if t.of != nil {
				far[k], near[k] = t.fill(int(rows[r]), found)
				continue
			}
			if t.wanted[rows[r]] {
				far[k], near[k] = t.alongRow(rows, r)
			}
			t.alongColumns(rows[r], columns, found)
		}
	})
	for _, p := range columns {
		t.wanted[p] = false
	}
	for c := range count {
		if e := t.chunks[c].err; e != nil {
			return e
		}
	}
	if err != nil {
		return err
	}
	t.of = nil
	// Of equally near ones the first is kept: those before a cluster, found along its column, then
	// those after, found along its row.
	for w, k := range wanted {
		best, who := math.Inf(1), int32(math.MaxInt32)
		for c := range count {
			if v, p := t.chunks[c].far[w], t.chunks[c].near[w]; v < best || v == best && p < who {
				best, who = v, p
			}
		}
		if best <= far[k] {
			far[k], near[k] = best, t.id[who]
		}
	}
	return nil
}

// alongRow finds the nearest of the places after the r-th.
func (t *table) alongRow(rows []int32, r int) (float64, int32) {
	row := t.d[rows[r]]
	best, who := math.Inf(1), int32(-1)
	from := rows[r] + 1
	for _, q := range rows[r+1:] {
		if v := row[q-from]; v < best {
			best, who = v, q
		}
	}
	if who < 0 {
		return best, -1
	}
	return best, t.id[who]
}

// alongColumns offers the cluster at a place to the wanted after it.
func (t *table) alongColumns(p int32, columns []int32, found *candidate) {
	first, _ := slices.BinarySearch(columns, p+1)
	columns = columns[first:]
	row := t.d[p]
	far, near := found.far[first:][:len(columns)], found.near[first:][:len(columns)]
	for w, q := range columns {
		if v := row[q-p-1]; v < far[w] {
			far[w], near[w] = v, p
		}
	}
}

// fill computes the row of a place, offers it to all after it, and finds the nearest of these.
func (t *table) fill(p int, found *candidate) (float64, int32) {
	best, who := math.Inf(1), int32(-1)
	for row, from := t.d[p], p+1; len(row) > 0; from += rowBlock {
		part := row[:min(rowBlock, len(row))]
		row = row[len(part):]
		if found.err = t.of(part, p, from); found.err != nil {
			break
		}
		far, near := found.far[from:][:len(part)], found.near[from:][:len(part)]
		for k, v := range part {
			if v < far[k] {
				far[k], near[k] = v, int32(p)
			}
			if v < best {
				best, who = v, int32(from+k)
			}
		}
	}
	return best, who
}

// chunkFor says how many rows make a piece of work that is worth handing to another processor,
// where one row takes about so many steps.
func chunkFor(steps int) int { return 1 + 16384/(steps+1) }
