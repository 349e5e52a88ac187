package cluster

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
)

// centroids is Ward's linkage on the centers of clusters, without a table. The dissimilarity,
// squared, is 2ab/(a+b)·‖μ−ν‖² for clusters of a and b rows with means μ and ν: twice what their
// merge adds to the sum of squares. Clusters that follow each other are a block, for which a ball
// is known that holds their means: where rows that stand together lie together, a search skips most
// blocks.
type centroids struct {
	*located
	x      []float64 // means of the living, in the order of their ids, stride apart
	size   []float64 // rows of each, in the same order; 0 for the dead that still stand there
	place  []int32   // of a cluster
	id     []int32   // of a place
	middle []float64 // of each block's ball, stride apart
	radius []float64
	least  []float64 // rows of the smallest cluster of each block
}

// wardBlock is how many clusters are a block.
const wardBlock = 64

func newCentroids(p *located) *centroids {
	c := &centroids{located: p, x: slices.Clone(p.x), size: slices.Repeat([]float64{1}, p.n), place: positions(p.n), id: positions(p.n)}
	blocks := parallel.Chunks(p.n, wardBlock)
	c.middle, c.radius, c.least = make([]float64, blocks*p.stride), make([]float64, blocks), make([]float64, blocks)
	for b := range blocks {
		c.enclose(b)
	}
	return c
}

// enclose finds the ball of a block.
func (c *centroids) enclose(b int) {
	middle := c.middle[b*c.stride : (b+1)*c.stride]
	clear(middle)
	from, to := b*wardBlock, min((b+1)*wardBlock, len(c.size))
	count, least := 0.0, math.Inf(1)
	for p := from; p < to; p++ {
		if c.size[p] > 0 {
			count++
			least = min(least, c.size[p])
			blas.Axpy(1, c.mean(int32(p)), middle)
		}
	}
	radius := 0.0
	if count > 0 {
		for j := range middle {
			middle[j] /= count
		}
	}
	for p := from; p < to; p++ {
		if c.size[p] > 0 {
			radius = max(radius, blas.SqEuclidean(middle, c.mean(int32(p))))
		}
	}
	c.radius[b], c.least[b] = math.Sqrt(radius), least
}

func (c *centroids) mean(at int32) []float64 { return c.x[int(at)*c.stride : (int(at)+1)*c.stride] }

func (c *centroids) between(i, j int32) float64 {
	p, q := c.place[i], c.place[j]
	return weight(c.size[p], c.size[q]) * blas.SqEuclidean(c.mean(p), c.mean(q))
}

func weight(a, b float64) float64 { return 2 * a * b / (a + b) }

func (c *centroids) merge(ctx context.Context, merges []fused, living []int32) error {
	for _, f := range merges {
		p, q := c.place[f.i], c.place[f.j]
		mean, other := c.mean(p), c.mean(q)
		// Not (aμ+bν)/(a+b): the mean of equal rows must be that row.
		share := c.size[q] / (c.size[p] + c.size[q])
		for j, v := range mean {
			mean[j] = v + (other[j]-v)*share
		}
		c.size[p] += c.size[q]
		c.size[q] = 0
	}
	// The gaps are closed when there are many: a pass over the rows then meets few of the dead.
	if len(living)*8 > len(c.id)*7 {
		for m, f := range merges {
			// Merges often follow each other in one block.
			if b := c.place[f.i] / wardBlock; m == 0 || b != c.place[merges[m-1].i]/wardBlock {
				c.enclose(int(b))
			}
			c.enclose(int(c.place[f.j] / wardBlock))
		}
		return ctx.Err()
	}
	for to, id := range living {
		from := c.place[id]
		copy(c.mean(int32(to)), c.mean(from))
		c.size[to], c.place[id], c.id[to] = c.size[from], int32(to), id
	}
	n := len(living)
	c.x, c.size, c.id = c.x[:n*c.stride], c.size[:n], c.id[:n]
	blocks := parallel.Chunks(n, wardBlock)
	c.middle, c.radius, c.least = c.middle[:blocks*c.stride], c.radius[:blocks], c.least[:blocks]
	for b := range blocks {
		c.enclose(b)
	}
	return ctx.Err()
}

func (c *centroids) nearest(ctx context.Context, wanted, living, near []int32, far []float64) error {
	return parallel.For(ctx, len(wanted), min(32, chunkFor(4*len(c.id))), func(_, lo, hi int) {
		room := make([]float64, len(c.radius))
		for _, k := range wanted[lo:hi] {
			near[k], far[k] = c.search(c.place[k], room)
		}
	})
}

// search finds the cluster nearest to that at a place: in its own block first, then in all that may
// hold a nearer one.
func (c *centroids) search(p int32, away []float64) (int32, float64) {
	blas.SqEuclideanRows(away, c.mean(p), c.middle, c.stride)
	s := &search{centroids: c, p: p, best: math.Inf(1), who: math.MaxInt32}
	own := int(p) / wardBlock
	s.block(own)
	for b, d := range away {
		if b == own {
			continue
		}
		// No mean of the block is nearer than root − radius, less what rounding may have added, and
		// no cluster of it smaller than the smallest.
		root := math.Sqrt(d)
		if gap := root - c.radius[b] - (root+c.radius[b])*0x1p-40; gap > 0 && weight(c.size[p], c.least[b])*gap*gap > s.best {
			continue
		}
		s.block(b)
	}
	return s.who, s.best
}

type search struct {
	*centroids
	p    int32
	best float64
	who  int32
}

// block looks for a nearer cluster in a block.
func (s *search) block(b int) {
	from, to := b*wardBlock, min((b+1)*wardBlock, len(s.id))
	var distance [wardBlock]float64
	blas.SqEuclideanRows(distance[:to-from], s.mean(s.p), s.x[from*s.stride:], s.stride)
	own, self := s.size[s.p], int(s.p)-from
	// 2ab·d ≤ best·(a+b) asks the same as weight(a, b)·d ≤ best, but for rounding and without a
	// division; who passes is asked exactly.
	bound := s.best * (1 + 0x1p-50)
	for k, size := range s.size[from:to] {
		d := distance[k]
		if 2*own*size*d > bound*(own+size) || size == 0 || k == self {
			continue
		}
		id := s.id[from+k]
		if v := weight(own, size) * d; v < s.best || v == s.best && id < s.who {
			s.best, s.who = v, id
			bound = v * (1 + 0x1p-50)
		}
	}
}
