package manifold

import (
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/mat"
)

// descent is a run of t-SNE: the map, and what moves it.
type descent struct {
	ctx          context.Context
	a            *Affinities
	n, k         int
	exaggeration float64
	early, last  int     // steps with exaggeration, and all
	rate         float64 // 0 means n/exaggeration
	repulsion    repulsion
	data         *mat.Dense

	iteration       int
	y               []float64 // the map, n×k
	velocity, gains []float64
	pull, push      []float64 // attraction and repulsion, n×k
	z               float64   // of the map before the last step
	entropy         float64   // Σ p log p
}

// repulsion sums the forces between all pairs of points.
type repulsion interface {
	// sum sets push to Σⱼ q²ᵢⱼ(yᵢ − yⱼ) for each i, with q = (1 + ‖yᵢ − yⱼ‖²)⁻¹, and returns
	// Z = Σ_{i≠j} qᵢⱼ.
	sum(ctx context.Context, push, y []float64) (z float64, err error)
	exact() bool
}

func newDescent(ctx context.Context, a *Affinities, k int) *descent {
	n := a.Len()
	d := &descent{ctx: ctx, a: a, n: n, k: k, z: float64(n) * float64(n-1)} // all points at one place
	d.y, d.velocity, d.gains = make([]float64, n*k), make([]float64, n*k), make([]float64, n*k)
	d.pull, d.push = make([]float64, n*k), make([]float64, n*k)
	for i := range d.gains {
		d.gains[i] = 1
	}
	part := make([]float64, parallel.Chunks(n, mapRows))
	_ = parallel.For(ctx, n, mapRows, func(chunk, lo, hi int) { // when ctx ends there is no step, and no divergence
		for _, p := range a.P[a.Start[lo]:a.Start[hi]] {
			if p > 0 {
				part[chunk] += p * math.Log(p)
			}
		}
	})
	for _, v := range part {
		d.entropy += v
	}
	return d
}

// mapRows is how many points of the map a task takes.
const mapRows = 256

// steps runs the descent, and stops before each step and at the end. It ends early with the
// context.
func (d *descent) steps() iter.Seq[int] {
	return func(yield func(int) bool) {
		for {
			if d.ctx.Err() != nil || !yield(d.iteration) || d.iteration == d.last {
				return
			}
			if d.step() != nil {
				return
			}
		}
	}
}

// step is one of gradient descent. Of a step that the context interrupts nothing remains.
func (d *descent) step() error {
	exaggeration, momentum := d.exaggeration, 0.5
	if late := d.iteration - d.early; late >= 0 {
		exaggeration, momentum = 1, 0.8
		if fall := min(d.early, d.last-d.early); late < fall {
			exaggeration = math.Pow(d.exaggeration, 1-float64(late)/float64(fall))
		}
	}
	rate := d.rate
	if rate == 0 {
		rate = float64(d.n) / exaggeration
	}
	z, err := d.repulsion.sum(d.ctx, d.push, d.y)
	if err != nil {
		return err
	}
	if err := d.attract(d.ctx); err != nil {
		return err
	}
	// Too short to be interrupted.
	_ = parallel.For(context.Background(), d.n, 8*mapRows, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			long := 0.0
			for c := i * d.k; c < (i+1)*d.k; c++ {
				// A fourth of the derivative of KL, as the learning rate has it.
				g := exaggeration*d.pull[c] - d.push[c]/z
				// A gain grows where the velocity goes on downhill, and shrinks where it has passed
				// the lowest point (Jacobs, 1988).
				if d.velocity[c]*g > 0 {
					d.gains[c] = d.gains[c]*0.8 + 0.01
				} else {
					d.gains[c] += 0.2
				}
				d.velocity[c] = momentum*d.velocity[c] - rate*d.gains[c]*g
				long += d.velocity[c] * d.velocity[c]
			}
			const longest = 5 // no point leaves the map in one step
			factor := 1.0
			if long > longest*longest {
				factor = longest / math.Sqrt(long)
			}
			for c := i * d.k; c < (i+1)*d.k; c++ {
				d.velocity[c] *= factor
				d.y[c] += d.velocity[c]
			}
		}
	})
	d.center()
	d.z = z
	d.iteration++
	return nil
}

func (d *descent) center() {
	mean := make([]float64, d.k)
	for i, v := range d.y {
		mean[i%d.k] += v
	}
	for c := range mean {
		mean[c] /= float64(d.n)
	}
	for i := range d.y {
		d.y[i] -= mean[i%d.k]
	}
}

// attract sets pull to Σⱼ pᵢⱼqᵢⱼ(yᵢ − yⱼ).
func (d *descent) attract(ctx context.Context) error {
	return parallel.For(ctx, d.n, mapRows, func(_, lo, hi int) {
		if d.k == 2 {
			d.attract2(lo, hi)
			return
		}
		for i := lo; i < hi; i++ {
			a, to := d.y[i*d.k:(i+1)*d.k], d.pull[i*d.k:(i+1)*d.k]
			clear(to)
			for k := d.a.Start[i]; k < d.a.Start[i+1]; k++ {
				j := int(d.a.Index[k])
				b, s := d.y[j*d.k:(j+1)*d.k], 1.0
				for c, v := range a {
					s += (v - b[c]) * (v - b[c])
				}
				w := d.a.P[k] / s
				for c, v := range a {
					to[c] += w * (v - b[c])
				}
			}
		}
	})
}

func (d *descent) attract2(lo, hi int) {
	for i := lo; i < hi; i++ {
		x, y := d.y[2*i], d.y[2*i+1]
		index := d.a.Index[d.a.Start[i]:d.a.Start[i+1]]
		p := d.a.P[d.a.Start[i]:d.a.Start[i+1]]
		var fx, fy float64
		for k, j := range index {
			b := d.y[2*int(j) : 2*int(j)+2 : 2*int(j)+2]
			dx, dy := x-b[0], y-b[1]
			w := p[k] / (1 + dx*dx + dy*dy)
			fx += w * dx
			fy += w * dy
		}
		d.pull[2*i], d.pull[2*i+1] = fx, fy
	}
}

// model is the map now, with its divergence. Once the context has ended there is no time for
// another sum over pairs, nor, where there are many points, over all edges: Z is that of the step
// before, and of the chunks of points some are taken, evenly spread.
func (d *descent) model() *TSNEModel {
	m := &TSNEModel{Embedding: mat.NewDense(d.n, d.k, append([]float64{}, d.y...)), Iteration: d.iteration, Perplexity: d.a.Perplexity, Exact: d.repulsion.exact(), Data: d.data}
	z, err := d.repulsion.sum(d.ctx, d.push, d.y)
	if err == nil {
		m.KL, err = d.divergence(d.ctx, z, 1)
	}
	if err != nil {
		const few = 2_000_000 // edges, which take some 20 ms
		m.Exact = false
		m.KL, _ = d.divergence(context.Background(), d.z, 1+len(d.a.P)/few)
	}
	return m
}

// divergence is KL(P‖Q) = Σ p log p + Σ p log(1 + ‖yᵢ − yⱼ‖²) + log Z, with the second sum
// estimated from every step-th chunk of points.
func (d *descent) divergence(ctx context.Context, z float64, step int) (float64, error) {
	part, total := make([]float64, parallel.Chunks(d.n, mapRows)), make([]float64, parallel.Chunks(d.n, mapRows))
	err := parallel.For(ctx, d.n, mapRows, func(chunk, lo, hi int) {
		if chunk%step != 0 {
			return
		}
		var s []float64
		for i := lo; i < hi; i++ {
			index, p := d.a.Index[d.a.Start[i]:d.a.Start[i+1]], d.a.P[d.a.Start[i]:d.a.Start[i+1]]
			s = s[:0]
			for _, j := range index {
				v := 1.0
				for c := range d.k {
					e := d.y[i*d.k+c] - d.y[int(j)*d.k+c]
					v += e * e
				}
				s = append(s, v)
			}
			blas.Log(s, s)
			part[chunk] += blas.Dot(p, s)
			for _, v := range p {
				total[chunk] += v
			}
		}
	})
	var sum, mass float64
	for c := range part {
		sum += part[c]
		mass += total[c]
	}
	if step > 1 {
		sum, mass = sum/mass, 1
	}
	return d.entropy + sum + mass*math.Log(z), err
}
