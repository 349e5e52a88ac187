package manifold

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
)

// barnesHut keeps the map in a quadtree. From a point, a cell that is less wide than θ times its
// distance counts as its points at their mean (Barnes & Hut, 1986; van der Maaten, 2014).
type barnesHut struct {
	n      int
	theta  float64
	order  []int32    // points, those of a cell together
	xs, ys []float64  // in that order
	cells  []quadCell // a cell before those in it
	z      []float64
}

// quadCell is a square of the quadtree. Its parts lie behind it, up to next.
type quadCell struct {
	x, y, count float64 // mean of the points, and their number
	width2      float64 // squared, over θ²
	next        int32   // the cell to go on with when this one's parts are not wanted
	lo, hi      int32   // its points
	leaf        bool
}

// A cell of few points is not parted: comparing with each costs less than looking at four cells.
const leafPoints = 8

func newBarnesHut(n int, theta float64) *barnesHut {
	return &barnesHut{n: n, theta: theta, order: make([]int32, n), xs: make([]float64, n), ys: make([]float64, n), z: make([]float64, n)}
}

func (b *barnesHut) exact() bool { return false }

func (b *barnesHut) sum(ctx context.Context, push, y []float64) (float64, error) {
	b.build(ctx, y)
	if err := parallel.For(ctx, b.n, mapRows, func(_, lo, hi int) {
		for at := lo; at < hi; at++ { // points that are near in the order are near in the map, and want the same cells
			i := b.order[at]
			b.z[i], push[2*i], push[2*i+1] = b.on(b.xs[at], b.ys[at])
			b.z[i]--
		}
	}); err != nil {
		return 0, err
	}
	z := 0.0
	for _, v := range b.z {
		z += v
	}
	return z, nil
}

// on sums the repulsion on a point, of all points and so of itself too, which adds 1 to z.
func (b *barnesHut) on(x, y float64) (z, fx, fy float64) {
	for k := int32(0); int(k) < len(b.cells); {
		c := &b.cells[k]
		dx, dy := x-c.x, y-c.y
		d2 := dx*dx + dy*dy
		if c.width2 < d2 {
			q := 1 / (1 + d2)
			z += c.count * q
			w := c.count * q * q
			fx += w * dx
			fy += w * dy
			k = c.next
			continue
		}
		if c.leaf {
			u, v, w := plainRepel(x, y, b.xs[c.lo:c.hi], b.ys[c.lo:c.hi])
			z, fx, fy = z+u, fx+v, fy+w
			k = c.next
			continue
		}
		k++
	}
	return z, fx, fy
}

// build grows the tree; when ctx ends it is of no use.
func (b *barnesHut) build(ctx context.Context, y []float64) {
	left, right, low, high := math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for i := range b.n {
		b.order[i] = int32(i)
		left, right = min(left, y[2*i]), max(right, y[2*i])
		low, high = min(low, y[2*i+1]), max(high, y[2*i+1])
	}
	b.cells = b.cells[:0]
	b.part(ctx, y, 0, b.n, (left+right)/2, (low+high)/2, max(right-left, high-low), 0)
	for at, i := range b.order {
		b.xs[at], b.ys[at] = y[2*i], y[2*i+1]
	}
}

// part adds the cell of the points lo to hi, with the given middle and width, and its parts.
func (b *barnesHut) part(ctx context.Context, y []float64, lo, hi int, x0, y0, width float64, depth int) {
	at := len(b.cells)
	c := quadCell{count: float64(hi - lo), width2: width * width / b.theta / b.theta, lo: int32(lo), hi: int32(hi)}
	for _, i := range b.order[lo:hi] {
		c.x += y[2*i]
		c.y += y[2*i+1]
	}
	c.x, c.y = c.x/c.count, c.y/c.count
	// Points that coincide are never parted: at this depth cells are as narrow as numbers are
	// exact.
	c.leaf = hi-lo <= leafPoints || depth >= 48 || hi-lo > manyRows && ctx.Err() != nil
	b.cells = append(b.cells, c)
	if !c.leaf {
		above := b.split(lo, hi, func(i int32) bool { return y[2*i+1] < y0 })
		right := b.split(lo, above, func(i int32) bool { return y[2*i] < x0 })
		upper := b.split(above, hi, func(i int32) bool { return y[2*i] < x0 })
		for q, r := range [4][2]int{{lo, right}, {right, above}, {above, upper}, {upper, hi}} {
			if r[0] < r[1] {
				b.part(ctx, y, r[0], r[1], x0+width/4*float64(q%2*2-1), y0+width/4*float64(q/2*2-1), width/2, depth+1)
			}
		}
	}
	b.cells[at].next = int32(len(b.cells))
}

// split puts those of the points lo to hi for which first holds before the others, and returns
// where these begin.
func (b *barnesHut) split(lo, hi int, first func(int32) bool) int {
	for at := lo; at < hi; {
		if first(b.order[at]) {
			at++
			continue
		}
		hi--
		b.order[at], b.order[hi] = b.order[hi], b.order[at]
	}
	return hi
}
