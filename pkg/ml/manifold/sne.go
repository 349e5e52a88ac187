package manifold

import (
	"cmp"
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// SNE, stochastic neighbor embedding, draws a map in which each point would choose its neighbors
// with the probabilities that it has in the data (Hinton & Roweis, 2002). With p(j|i) as in
// Affinities and, in the map, q(j|i) ∝ exp(−‖yᵢ − yⱼ‖²), it lowers
//
//	C = Σᵢ KL(Pᵢ‖Qᵢ) = Σᵢ Σⱼ p(j|i) log(p(j|i)/q(j|i))
//
// by gradient descent with momentum and gains. It is here beside t-SNE: in a plane there is less
// room at a moderate distance than in many dimensions, and a Gaussian leaves the points no way out,
// so clusters crowd together. Each step costs O(n²).
type SNE struct {
	Components   int             // dimensions of the map; 0 means 2
	Perplexity   float64         // how many neighbors count, 1 ≤ Perplexity < n−1; 0 means 30, or a third of n−1 where that is less
	Metric       distance.Metric // of the data; nil means Euclidean
	MaxIter      int             // 0 means 500
	LearningRate float64         // 0 means 0.1
	Init         mat.Matrix      // n×Components start, which is scaled down; nil means principal components
	Seed         uint64          // of the little noise that parts equal rows: same seed, same result
}

// SNEModel is a map by SNE.
type SNEModel struct {
	Embedding  *mat.Dense // n×Components, centered
	KL         float64    // C/n, the mean over points, in nats
	Iteration  int        // steps done
	Perplexity float64    // as asked, or its default
}

func init() { ml.Register[SNEModel]("manifold.SNEModel") }

const sneName = "manifold.SNE"

// Fit maps the rows of x (n×d). The errors are those of ml.Dense, ml.ErrParameter for an option out
// of range or fewer than four rows, ml.ErrShape for an Init that does not fit, what the metric
// can't measure, and ctx.Err(), along with the map so far, when ctx ends first.
func (s SNE) Fit(ctx context.Context, x mat.Matrix) (*SNEModel, error) {
	return ml.Last(s.Iterate(ctx, x))
}

// Iterate is Fit that yields the start, as Iteration 0, and the map after every step; each model is
// a fresh value.
func (s SNE) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*SNEModel, error] {
	return func(yield func(*SNEModel, error) bool) {
		c, err := s.prepare(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *SNEModel
		for i := 0; ; i++ {
			// The cost and its gradient are those of the map that is yielded.
			cost, err := c.gradient(ctx)
			if err != nil {
				yield(last, err)
				return
			}
			last = &SNEModel{Embedding: mat.NewDense(c.n, c.k, append([]float64{}, c.y...)), KL: cost / float64(c.n), Iteration: i, Perplexity: c.perplexity}
			if !yield(last, nil) || i == cmp.Or(s.MaxIter, 500) {
				return
			}
			c.step(i, cmp.Or(s.LearningRate, 0.1))
		}
	}
}

// choices is a run of SNE: who chooses whom in the data and in the map.
type choices struct {
	n, k            int
	perplexity      float64
	g               *neighbors.Graph
	p               []float64 // p(j|i), edge by edge
	entropy         float64   // Σ p log p
	y, slope        []float64 // the map and the gradient, n×k
	velocity, gains []float64
	norm            []float64 // Σⱼ exp(−‖yᵢ−yⱼ‖² + least) of each row
	least           []float64 // the squared distance of its nearest point
	cost            []float64 // of each row, without the entropy
}

func (s SNE) prepare(ctx context.Context, x mat.Matrix) (*choices, error) {
	dense, err := ml.Dense(sneName, x)
	if err != nil {
		return nil, err
	}
	n, _ := dense.Dims()
	switch {
	case n < 4:
		return nil, ml.BadParameter(sneName, "the number of rows", n, "at least 4")
	case s.Components < 0:
		return nil, ml.BadParameter(sneName, "Components", s.Components, "0 (for 2) or more")
	case s.Perplexity != 0 && !(s.Perplexity >= 1 && s.Perplexity < float64(n-1)):
		return nil, ml.BadParameter(sneName, "Perplexity", s.Perplexity, sprintf("0 (for 30), or 1 ≤ Perplexity < n−1 = %d", n-1))
	case s.MaxIter < 0:
		return nil, ml.BadParameter(sneName, "MaxIter", s.MaxIter, "0 (for 500) or more")
	case !(s.LearningRate >= 0) || math.IsInf(s.LearningRate, 1):
		return nil, ml.BadParameter(sneName, "LearningRate", s.LearningRate, "0 (for 0.1) or a positive number")
	}
	perplexity := cmp.Or(s.Perplexity, min(30, float64(n-1)/3))
	g, err := manyNeighbors(ctx, dense, min(n-1, int(math.Ceil(3*perplexity))), s.Metric, s.Seed)
	if err != nil {
		return nil, err
	}
	c := &choices{n: n, k: cmp.Or(s.Components, 2), perplexity: perplexity, g: g}
	if c.p, _, err = conditionals(ctx, g, perplexity); err != nil {
		return nil, err
	}
	for _, p := range c.p {
		if p > 0 {
			c.entropy += p * math.Log(p)
		}
	}
	var start *mat.Dense
	if s.Init != nil {
		start, err = checkInit(sneName, s.Init, n, c.k)
	} else {
		start, err = principal(ctx, dense, c.k, s.Seed)
	}
	if err != nil {
		return nil, err
	}
	d := &descent{n: n, k: c.k, y: make([]float64, n*c.k)}
	d.start(start, s.Seed)
	c.y = d.y
	c.slope, c.velocity, c.gains = make([]float64, n*c.k), make([]float64, n*c.k), make([]float64, n*c.k)
	c.norm, c.least, c.cost = make([]float64, n), make([]float64, n), make([]float64, n)
	for i := range c.gains {
		c.gains[i] = 1
	}
	return c, nil
}

// gradient computes C and ∂C/∂yᵢ = 2 Σⱼ (yᵢ − yⱼ)(p(j|i) − q(j|i) + p(i|j) − q(i|j)). Distances are
// taken from the nearest point's, so that no sum of exponentials vanishes.
func (c *choices) gradient(ctx context.Context) (float64, error) {
	n, k := c.n, c.k
	squares := func(dst []float64, i int) {
		blas.SqEuclideanRows(dst, c.y[i*k:(i+1)*k], c.y, k)
	}
	if err := parallel.For(ctx, n, 32, func(_, lo, hi int) {
		d := make([]float64, n)
		for i := lo; i < hi; i++ {
			squares(d, i)
			least := math.Inf(1)
			for j, v := range d {
				if j != i {
					least = min(least, v)
				}
			}
			for j, v := range d {
				d[j] = least - v
			}
			d[i] = math.Inf(-1)
			blas.Exp(d, d)
			sum := 0.0
			for _, v := range d {
				sum += v
			}
			c.norm[i], c.least[i] = sum, least
			// −Σ p log q = Σ p ‖yᵢ−yⱼ‖² − least + log norm
			near, _ := c.g.Of(i)
			c.cost[i] = math.Log(sum) - least
			for e, j := range near {
				s := 0.0
				for a := range k {
					s += (c.y[i*k+a] - c.y[j*k+a]) * (c.y[i*k+a] - c.y[j*k+a])
				}
				c.cost[i] += c.p[c.g.Start[i]+e] * s
			}
		}
	}); err != nil {
		return 0, err
	}
	if err := parallel.For(ctx, n, 32, func(_, lo, hi int) {
		d, q := make([]float64, n), make([]float64, n)
		for i := lo; i < hi; i++ {
			squares(d, i)
			to := c.slope[i*k : (i+1)*k]
			clear(to)
			// q(j|i) and q(i|j), subtracted together.
			for j, v := range d {
				q[j] = c.least[i] - v
				d[j] = c.least[j] - v
			}
			q[i], d[i] = math.Inf(-1), math.Inf(-1)
			blas.Exp(q, q)
			blas.Exp(d, d)
			for j := range q {
				w := -2 * (q[j]/c.norm[i] + d[j]/c.norm[j])
				for a := range to {
					to[a] += w * (c.y[i*k+a] - c.y[j*k+a])
				}
			}
		}
	}); err != nil {
		return 0, err
	}
	// The edges pull at both of their ends.
	total := c.entropy
	for i := range n {
		total += c.cost[i]
		near, _ := c.g.Of(i)
		for e, j := range near {
			for a := range k {
				pull := 2 * c.p[c.g.Start[i]+e] * (c.y[i*k+a] - c.y[j*k+a])
				c.slope[i*k+a] += pull
				c.slope[j*k+a] -= pull
			}
		}
	}
	return total, nil
}

func (c *choices) step(iteration int, rate float64) {
	momentum := 0.5
	if iteration >= 100 {
		momentum = 0.8
	}
	for i, g := range c.slope {
		if c.velocity[i]*g > 0 {
			c.gains[i] = c.gains[i]*0.8 + 0.01
		} else {
			c.gains[i] += 0.2
		}
		// No coordinate moves farther than the kernel is wide.
		c.velocity[i] = max(-1, min(1, momentum*c.velocity[i]-rate*c.gains[i]*g))
		c.y[i] += c.velocity[i]
	}
	d := descent{n: c.n, k: c.k, y: c.y}
	d.center()
}
