package manifold

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/mat"
)

// shards is into how many parts the points are cut for the gradient. A shard adds up what its
// points' pairs do to any point; the sums are added in the order of the shards, so that the
// gradient is the same for any number of processors.
const shards = 8

// pairLayout is the state of the optimization: the map, and Adam's means.
type pairLayout struct {
	*pairs
	n, k             int
	y                []float64
	gradient         [shards][]float64
	mean, meanSquare []float64
	iteration        int
}

func newPairLayout(p *pairs, start *mat.Dense) *pairLayout {
	n, k := start.Dims()
	l := &pairLayout{pairs: p, n: n, k: k, y: append([]float64(nil), start.RawMatrix().Data...), mean: make([]float64, n*k), meanSquare: make([]float64, n*k)}
	for s := range l.gradient {
		l.gradient[s] = make([]float64, n*k)
	}
	return l
}

// shard is the points of one of the shards.
func (l *pairLayout) shard(s int) (lo, hi int) { return s * l.n / shards, (s + 1) * l.n / shards }

// step is an iteration of Adam (Kingma & Ba, 2015), β₁ = 0.9, β₂ = 0.999. When ctx ends before the
// gradient is complete nothing is moved.
func (l *pairLayout) step(ctx context.Context, near, mid, rate float64) error {
	if err := l.gradients(ctx, near, mid); err != nil {
		return err
	}
	l.iteration++
	const beta1, beta2 = 0.9, 0.999
	rate *= math.Sqrt(1-math.Pow(beta2, float64(l.iteration))) / (1 - math.Pow(beta1, float64(l.iteration)))
	_ = parallel.For(context.Background(), len(l.y), 4096, func(_, lo, hi int) {
		for c := lo; c < hi; c++ {
			g := 0.0
			for s := range l.gradient {
				g += l.gradient[s][c]
			}
			l.mean[c] += (1 - beta1) * (g - l.mean[c])
			l.meanSquare[c] += (1 - beta2) * (g*g - l.meanSquare[c])
			l.y[c] -= rate * l.mean[c] / (math.Sqrt(l.meanSquare[c]) + 1e-7)
		}
	})
	return nil
}

// gradients sets each shard's gradient. The error is ctx.Err().
func (l *pairLayout) gradients(ctx context.Context, near, mid float64) error {
	return parallel.For(ctx, shards, 1, func(s, _, _ int) {
		clear(l.gradient[s])
		// Of d̃/(c+d̃) the derivative with respect to yᵢ is 2c/(c+d̃)²·(yᵢ−yⱼ); of 1/(1+d̃),
		// −2/(1+d̃)²·(yᵢ−yⱼ).
		l.pulls(ctx, s, l.near, 20*near, 10)
		if mid > 0 {
			l.pulls(ctx, s, l.mid, 20000*mid, 10000)
		}
		l.pulls(ctx, s, l.further, -2, 1)
	})
}

// pulls adds the gradient of one kind of pairs of a shard: strength/(offset+d̃)²·(yᵢ−yⱼ) to that of
// i, and its opposite to that of j.
func (l *pairLayout) pulls(ctx context.Context, s int, partners []int32, strength, offset float64) {
	lo, hi := l.shard(s)
	for ; lo < hi && ctx.Err() == nil; lo += manyRows {
		l.pullRows(s, lo, min(lo+manyRows, hi), partners, strength, offset)
	}
}

// pullRows is pulls for some of the shard's points.
func (l *pairLayout) pullRows(s, lo, hi int, partners []int32, strength, offset float64) {
	per, y, g := len(partners)/l.n, l.y, l.gradient[s]
	offset++ // d̃ is 1 more than the squared distance
	if l.k != 2 {
		for i := lo; i < hi; i++ {
			a, ga := y[i*l.k:(i+1)*l.k], g[i*l.k:(i+1)*l.k]
			for _, j := range partners[i*per : (i+1)*per] {
				b, gb := y[int(j)*l.k:int(j+1)*l.k], g[int(j)*l.k:int(j+1)*l.k]
				t := offset + squaredGap(a, b)
				w := strength / (t * t)
				for c := range a {
					ga[c] += w * (a[c] - b[c])
					gb[c] -= w * (a[c] - b[c])
				}
			}
		}
		return
	}
	for i := lo; i < hi; i++ {
		a0, a1 := y[2*i], y[2*i+1]
		var s0, s1 float64
		for _, j := range partners[i*per : (i+1)*per] {
			b, gb := y[2*j:2*j+2:2*j+2], g[2*j:2*j+2:2*j+2]
			dx, dy := a0-b[0], a1-b[1]
			t := offset + dx*dx + dy*dy
			w := strength / (t * t)
			dx, dy = w*dx, w*dy
			s0, s1 = s0+dx, s1+dy
			gb[0] -= dx
			gb[1] -= dy
		}
		g[2*i] += s0
		g[2*i+1] += s1
	}
}

// loss is what the gradient is of, estimated from every step-th of many stretches of points. The
// error is ctx.Err().
func (l *pairLayout) loss(ctx context.Context, near, mid float64, step int) (float64, error) {
	const size = 256
	parts := make([]float64, parallel.Chunks(l.n, size))
	rows := 0
	for s := 0; s < len(parts); s += step {
		rows += min((s+1)*size, l.n) - s*size
	}
	err := parallel.For(ctx, l.n, size, func(s, lo, hi int) {
		if s%step != 0 {
			return
		}
		sum := func(partners []int32, of func(d float64) float64) (t float64) {
			per := len(partners) / l.n
			for i := lo; i < hi; i++ {
				for _, j := range partners[i*per : (i+1)*per] {
					t += of(1 + squaredGap(l.y[i*l.k:(i+1)*l.k], l.y[int(j)*l.k:int(j+1)*l.k]))
				}
			}
			return t
		}
		parts[s] = near*sum(l.near, func(d float64) float64 { return d / (10 + d) }) + mid*sum(l.mid, func(d float64) float64 { return d / (10000 + d) }) +
			sum(l.further, func(d float64) float64 { return 1 / (1 + d) })
	})
	total := 0.0
	for _, v := range parts {
		total += v
	}
	return total * (float64(l.n) / float64(rows)), err
}
