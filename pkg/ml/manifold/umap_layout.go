package manifold

import (
	"context"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

// layout moves the points of a map along the edges of a graph. Points are dealt at random into
// blocks, and the edges sorted by the pair of blocks that they join. An epoch goes through the
// pairs of blocks in rounds in which no block stands twice, so that each pair of a round can have a
// goroutine: whatever two points an edge moves are that goroutine's own. Pushes look at where the
// other points were when the epoch began. So the order in which anything happens to a point is
// fixed, and no update is lost.
type layout struct {
	n, k      int
	place     []int32   // of each point, where it lies in y: block by block
	y         []float64 // n×k
	before    []float64 // y when the epoch began
	pairs     [][]edge  // edges by pair of blocks
	rounds    [][]int   // pairs of which no two share a block
	pull      *force
	push      *force
	a, b      float64
	negatives int
	seed      uint64
	epoch     int
}

// edge joins two places. It is drawn at epoch next and every period epochs after that.
type edge struct {
	i, j         int32
	period, next float32
}

// newLayout deals the points. The error is ctx.Err().
func newLayout(ctx context.Context, g *FuzzyGraph, start *mat.Dense, a, b, repulsion float64, negatives int, seed uint64) (*layout, error) {
	n, k := start.Dims()
	l := &layout{n: n, k: k, place: make([]int32, n), y: make([]float64, n*k), before: make([]float64, n*k), a: a, b: b, negatives: negatives, seed: seed}
	l.pull = newForce(func(d2 float64) float64 { return attraction(d2, a, b) })
	l.push = newForce(func(d2 float64) float64 { return repulsion * repulsionOf(d2, a, b) })
	for p, i := range rng.New(seed, 6).Perm(n) {
		l.place[i] = int32(p)
		copy(l.y[p*k:(p+1)*k], start.RawRowView(i))
	}
	heaviest := g.heaviest()
	blocks := 4
	for blocks < 32 && blocks*blocks*128 < n {
		blocks *= 2
	}
	blockOf := func(p int32) int { return int(p) * blocks / n }
	l.pairs = make([][]edge, blocks*blocks)
	for i := range n {
		if i%manyRows == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		to, w := g.Of(i)
		for e, j := range to {
			if j <= i {
				continue
			}
			p, q := l.place[i], l.place[j]
			pair := min(blockOf(p), blockOf(q))*blocks + max(blockOf(p), blockOf(q))
			period := float32(heaviest / w[e])
			l.pairs[pair] = append(l.pairs[pair], edge{p, q, period, period})
		}
	}
	l.rounds = tournament(blocks)
	return l, nil
}

// tournament deals all pairs of an even number of blocks into rounds in which each block stands
// once (the circle method), after a round of each block with itself. A pair is the smaller block
// times their number, plus the larger.
func tournament(blocks int) [][]int {
	rounds := make([][]int, blocks)
	for b := range blocks {
		rounds[0] = append(rounds[0], b*blocks+b)
	}
	for r := 1; r < blocks; r++ {
		turn := blocks - 1
		rounds[r] = append(rounds[r], (r-1)*blocks+turn)
		for s := 1; s < blocks/2; s++ {
			a, b := (r-1+s)%turn, (r-1+turn-s)%turn
			rounds[r] = append(rounds[r], min(a, b)*blocks+max(a, b))
		}
	}
	return rounds
}

// step is an epoch at a rate. It ends early, between two rounds, when ctx ends, and is not counted
// then.
func (l *layout) step(ctx context.Context, rate float64) error {
	copy(l.before, l.y)
	for _, round := range l.rounds {
		err := parallel.For(ctx, len(round), 1, func(_, t, _ int) {
			r := stream(rng.New(l.seed, 7, l.epoch, round[t]).Uint64())
			if l.k == 2 {
				l.movePlane(l.pairs[round[t]], rate, &r)
			} else {
				l.move(l.pairs[round[t]], rate, &r)
			}
		})
		if err != nil {
			return err
		}
	}
	l.epoch++
	return nil
}

// farthest is the most that one pull or push moves a coordinate, in units of the rate.
const farthest = 4

func limited(g float64) float64 {
	if g > farthest {
		return farthest
	}
	if g < -farthest {
		return -farthest
	}
	return g
}

// move draws the edges of a pair of blocks that are due. Each moves its ends together twice, once
// for each direction, and after each pushes the one it starts from away from a few others.
func (l *layout) move(edges []edge, rate float64, r *stream) {
	now, k := float32(l.epoch+1), l.k
	for t := range edges {
		e := &edges[t]
		if e.next > now {
			continue
		}
		e.next += e.period
		head, tail := l.y[int(e.i)*k:int(e.i+1)*k], l.y[int(e.j)*k:int(e.j+1)*k]
		at := e.i
		for range 2 {
			if d2 := squaredGap(head, tail); d2 > 0 {
				g := l.pull.of(d2)
				for c := range head {
					step := limited(g*(tail[c]-head[c])) * rate
					head[c] += step
					tail[c] -= step
				}
			}
			for range l.negatives {
				o := r.below(l.n)
				if o == int(at) {
					continue
				}
				other := l.before[o*k : (o+1)*k]
				if d2 := squaredGap(head, other); d2 > 0 {
					g := l.push.of(d2)
					for c := range head {
						head[c] += limited(g*(head[c]-other[c])) * rate
					}
				}
			}
			head, tail, at = tail, head, e.j
		}
	}
}

// movePlane is move in two dimensions, where nearly all maps are drawn.
func (l *layout) movePlane(edges []edge, rate float64, r *stream) {
	now, y, before := float32(l.epoch+1), l.y, l.before
	for t := range edges {
		e := &edges[t]
		if e.next > now {
			continue
		}
		e.next += e.period
		i, j := int(e.i), int(e.j)
		for range 2 {
			head, tail := y[2*i:2*i+2:2*i+2], y[2*j:2*j+2:2*j+2]
			y0, y1 := head[0], head[1]
			dx, dy := tail[0]-y0, tail[1]-y1
			if d2 := dx*dx + dy*dy; d2 > 0 {
				g := l.pull.of(d2)
				sx, sy := limited(g*dx)*rate, limited(g*dy)*rate
				y0, y1 = y0+sx, y1+sy
				tail[0] -= sx
				tail[1] -= sy
			}
			for range l.negatives {
				o := r.below(l.n)
				if o == i {
					continue
				}
				other := before[2*o : 2*o+2 : 2*o+2]
				dx, dy := y0-other[0], y1-other[1]
				if d2 := dx*dx + dy*dy; d2 > 0 {
					g := l.push.of(d2)
					y0 += limited(g*dx) * rate
					y1 += limited(g*dy) * rate
				}
			}
			head[0], head[1] = y0, y1
			i, j = j, i
		}
	}
}

func squaredGap(a, b []float64) float64 {
	s := 0.0
	for c, v := range a {
		s += (v - b[c]) * (v - b[c])
	}
	return s
}

// embedding is the map, its rows in the order of the data.
func (l *layout) embedding() *mat.Dense {
	m := mat.NewDense(l.n, l.k, nil)
	for i, p := range l.place {
		m.SetRow(i, l.y[int(p)*l.k:int(p+1)*l.k])
	}
	return m
}

// stream is a SplitMix64 generator (Steele, Lea & Flood, 2014), which the compiler can lay into the
// loops that spend their time on it.
type stream uint64

// below is a random number from 0 to n−1, n < 2³².
func (s *stream) below(n int) int {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z ^= z >> 27
	return int((z >> 32) * uint64(n) >> 32)
}
