package cluster

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
)

// moving is what centroid linkage needs to know of clusters. Each stands in a slot, which is one of
// its rows; dissimilarities are squared.
type moving interface {
	// row sets dst[j] to the dissimilarity of cluster i from the cluster in slot lo+j, +Inf for an
	// empty slot. It may be called from several goroutines.
	row(i, lo int, dst []float64)
	between(i, j int) float64
	// fold merges slot x into slot y, and leaves x empty.
	fold(x, y int)
}

// generic merges the two nearest clusters until one is left, for any dissimilarity: a merge may
// come nearer to a third than both of its parts were, as centroids do. Each slot keeps a lower
// bound of the distance to its nearest among later slots, and a candidate for it; the least bound
// is looked at, corrected if it does not hold, and merged if it does (Müllner, 2011). It costs
// O(n²) when few candidates have to be looked for again, O(n³) at worst. Merges come out in order.
func generic(ctx context.Context, n int, c moving) ([]fused, error) {
	g := &candidates{moving: c, n: n, near: make([]int, n), bound: make([]float64, n), row: make([]float64, max(n, rowBlock))}
	err := parallel.For(ctx, n, 16, func(_, lo, hi int) {
		block := make([]float64, rowBlock)
		for i := lo; i < hi; i++ {
			g.search(i, block)
		}
	})
	if err != nil {
		return nil, err
	}
	g.heap = newHeap(g.bound)
	merges := make([]fused, 0, n-1)
	for len(merges) < n-1 {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x := g.heap.first()
		y := g.near[x]
		if g.between(x, y) != g.bound[x] {
			g.search(x, g.row)
			g.heap.fix(x)
			continue
		}
		merges = append(merges, fused{int32(x), int32(y), g.bound[x]})
		g.fold(x, y)
		g.update(x, y)
	}
	return merges, nil
}

type candidates struct {
	moving
	n     int
	near  []int     // candidate for the nearest cluster in a later slot
	bound []float64 // no later slot is nearer; +Inf without one
	heap  *heap
	row   []float64 // room
}

// search finds the nearest to slot i among later ones, the first of equally near ones.
func (g *candidates) search(i int, block []float64) {
	best, who := math.Inf(1), i
	for lo := i + 1; lo < g.n; lo += rowBlock {
		row := block[:min(rowBlock, g.n-lo)]
		g.moving.row(i, lo, row)
		for k, v := range row {
			if v < best {
				best, who = v, lo+k
			}
		}
	}
	g.bound[i], g.near[i] = best, who
}

// update mends the candidates after slot x was folded into slot y > x.
func (g *candidates) update(x, y int) {
	g.heap.remove(x)
	row := g.row[:y]
	g.moving.row(y, 0, row)
	for z, v := range row {
		if math.IsInf(v, 1) {
			continue // an empty slot
		}
		if z < x && g.near[z] == x {
			g.near[z] = y // may be farther than x was: the bound holds
		}
		if v < g.bound[z] {
			g.bound[z], g.near[z] = v, y
			g.heap.fix(z)
		}
	}
	g.search(y, g.row)
	g.heap.fix(y)
}

// heap orders slots by their bounds, of equal ones the first.
type heap struct {
	key   []float64
	slots []int
	place []int
}

func newHeap(key []float64) *heap {
	h := &heap{key: key, slots: make([]int, len(key)), place: make([]int, len(key))}
	for i := range key {
		h.slots[i], h.place[i] = i, i
	}
	for i := len(key)/2 - 1; i >= 0; i-- {
		h.down(i)
	}
	return h
}

func (h *heap) first() int { return h.slots[0] }

func (h *heap) less(a, b int) bool {
	a, b = h.slots[a], h.slots[b]
	return h.key[a] < h.key[b] || h.key[a] == h.key[b] && a < b
}

func (h *heap) swap(a, b int) {
	h.slots[a], h.slots[b] = h.slots[b], h.slots[a]
	h.place[h.slots[a]], h.place[h.slots[b]] = a, b
}

// fix puts a slot where it belongs after its key has changed.
func (h *heap) fix(slot int) {
	at := h.place[slot]
	for at > 0 && h.less(at, (at-1)/2) {
		h.swap(at, (at-1)/2)
		at = (at - 1) / 2
	}
	h.down(at)
}

func (h *heap) down(at int) {
	for {
		child := 2*at + 1
		if child >= len(h.slots) {
			return
		}
		if child+1 < len(h.slots) && h.less(child+1, child) {
			child++
		}
		if !h.less(child, at) {
			return
		}
		h.swap(at, child)
		at = child
	}
}

func (h *heap) remove(slot int) {
	at, last := h.place[slot], len(h.slots)-1
	h.swap(at, last)
	h.slots = h.slots[:last]
	if at < last {
		h.fix(h.slots[at])
	}
}

// movingCenters are the means of clusters of points.
type movingCenters struct {
	*located
	x    []float64
	size []float64
}

func newMovingCenters(p *located) *movingCenters {
	return &movingCenters{located: p, x: slices.Clone(p.x), size: slices.Repeat([]float64{1}, p.n)}
}

func (c *movingCenters) mean(i int) []float64 { return c.x[i*c.stride : (i+1)*c.stride] }

func (c *movingCenters) row(i, lo int, dst []float64) {
	if len(dst) > 0 {
		blas.SqEuclideanRows(dst, c.mean(i), c.x[lo*c.stride:], c.stride)
	}
}

func (c *movingCenters) between(i, j int) float64 { return blas.SqEuclidean(c.mean(i), c.mean(j)) }

func (c *movingCenters) fold(x, y int) {
	gone, mean := c.mean(x), c.mean(y)
	share := c.size[x] / (c.size[x] + c.size[y])
	for j, v := range mean {
		mean[j] = v + (gone[j]-v)*share
	}
	c.size[y] += c.size[x]
	gone[0] = math.Inf(1) // infinitely far from all others
}

// movingTable is centroid linkage on a table of squared distances, which it overwrites.
type movingTable struct {
	d    triangle
	size []float64
}

func newMovingTable(d triangle) *movingTable {
	return &movingTable{d: d, size: slices.Repeat([]float64{1}, len(d))}
}

func (t *movingTable) row(i, lo int, dst []float64) {
	for k := range dst {
		if lo+k == i {
			dst[k] = math.Inf(1)
		} else {
			dst[k] = t.between(i, lo+k)
		}
	}
}

func (t *movingTable) between(i, j int) float64 { return *t.d.entry(int32(i), int32(j)) }

func (t *movingTable) fold(x, y int) {
	a, b := t.size[x], t.size[y]
	between := t.between(x, y)
	for k := range t.d {
		if k == x || k == y {
			continue
		}
		toX, toY := t.d.entry(int32(k), int32(x)), t.d.entry(int32(k), int32(y))
		if !math.IsInf(*toX, 1) && !math.IsInf(*toY, 1) {
			*toY = (a**toX+b**toY)/(a+b) - between*(a/(a+b))*(b/(a+b))
		}
		*toX = math.Inf(1)
	}
	*t.d.entry(int32(x), int32(y)) = math.Inf(1)
	t.size[y] = a + b
}
