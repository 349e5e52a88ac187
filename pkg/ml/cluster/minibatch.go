package cluster

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// MiniBatchKMeans is k-means by stochastic steps (Sculley, 2010): each step takes a random batch of
// points and moves every center towards the points of the batch that are nearest to it, by 1/m for
// the m-th point the center has seen. A step costs O(batch·K·d), whatever n is; the distortion
// comes close to that of KMeans and, unlike there, may rise from one step to the next.
type MiniBatchKMeans struct {
	K     int    // number of clusters, 1 ≤ K ≤ n
	Batch int    // points a step, at most n are taken; 0 means 1024
	Steps int    // 0 means ten passes over the data, at least 100 steps
	Start Start  // on a sample of 3 batches; "" means GreedyPlusPlus
	Seed  uint64 // same seed, same result
}

// Fit runs all steps, then assigns every point to its nearest center. Errors are those of KMeans;
// when ctx ends first it returns the model so far, if every point can be given its label within 50
// ms, and ctx.Err().
func (m MiniBatchKMeans) Fit(ctx context.Context, x mat.Matrix) (*KMeansModel, error) {
	p, err := m.check(ctx, x)
	if err != nil {
		return nil, err
	}
	var centers *mat.Dense
	steps := 0
	for c := range m.iterate(ctx, p) {
		centers, steps = c, steps+1
	}
	if centers == nil {
		return nil, ctx.Err()
	}
	if err := ctx.Err(); err != nil {
		// Whoever cancels does not wait: a model whose labels take longer than this is not given.
		brief, cancel := context.WithTimeout(context.WithoutCancel(ctx), 50*time.Millisecond)
		defer cancel()
		model, _ := assigned(brief, p, centers, steps)
		return model, err
	}
	model, err := assigned(ctx, p, centers, steps)
	if err != nil {
		return nil, err
	}
	return p.representable(model)
}

// Iterate yields the model after every step, each with all points assigned, which costs more than
// the step: for pictures.
func (m MiniBatchKMeans) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*KMeansModel, error] {
	return func(yield func(*KMeansModel, error) bool) {
		p, err := m.check(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		steps := 0
		var last *KMeansModel
		for c := range m.iterate(ctx, p) {
			steps++
			now, err := assigned(ctx, p, c, steps)
			if err != nil {
				break
			}
			last = now
			if _, err := p.representable(last); err != nil {
				yield(nil, err)
				return
			}
			if !yield(last, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(last, err)
		}
	}
}

func (m MiniBatchKMeans) check(ctx context.Context, x mat.Matrix) (*points, error) {
	const method = "cluster.MiniBatchKMeans"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	if err := checkK(method, m.K, n); err != nil {
		return nil, err
	}
	switch {
	case m.Batch < 0:
		return nil, ml.BadParameter(method, "Batch", m.Batch, "0 (for 1024) or more")
	case m.Steps < 0:
		return nil, ml.BadParameter(method, "Steps", m.Steps, "0 (for ten passes) or more")
	case !m.Start.valid():
		return nil, ml.BadParameter(method, "Start", m.Start, "one of "+startNames)
	}
	return center(ctx, y, nil), ctx.Err()
}

// iterate yields the centers after every step.
func (m MiniBatchKMeans) iterate(ctx context.Context, p *points) iter.Seq[*mat.Dense] {
	return func(yield func(*mat.Dense) bool) {
		r := rng.New(m.Seed)
		batch := min(cmp.Or(m.Batch, 1024), p.n)
		steps := cmp.Or(m.Steps, max(10*p.n/batch, 100))
		sample := draw(r, p.n, min(max(3*batch, m.K), p.n))
		rows := mat.NewDense(len(sample), p.d, gather(p, sample))
		q := &points{x: rows, n: len(sample), d: p.d, norms: make([]float64, len(sample)), shift: p.shift, scale: p.scale}
		for i := range q.norms {
			q.norms[i] = blas.Dot(q.row(i), q.row(i))
		}
		a := newAssignment(p, nil, make([]int, p.n))
		a.centers = m.Start.choose(ctx, q, m.K, r, newAssignment(q, nil, make([]int, q.n)))
		seen := make([]float64, m.K)
		for range steps {
			if ctx.Err() != nil {
				return
			}
			taken := draw(r, p.n, batch)
			a.nearest(taken, halfNorms(a.centers))
			next := mat.DenseCopyOf(a.centers)
			for _, i := range taken {
				z := a.labels[i]
				seen[z]++
				c := next.RawRowView(z)
				for j, v := range p.row(i) {
					c[j] += (v - c[j]) / seen[z]
				}
			}
			a.centers = next
			if !yield(next) {
				return
			}
		}
	}
}

// draw returns size different numbers below n in rising order (Floyd's algorithm).
func draw(r interface{ IntN(int) int }, n, size int) []int {
	in := make(map[int]bool, size)
	for i := n - size; i < n; i++ {
		if j := r.IntN(i + 1); in[j] {
			in[i] = true
		} else {
			in[j] = true
		}
	}
	out := make([]int, 0, size)
	for i := range in {
		out = append(out, i)
	}
	slices.Sort(out)
	return out
}

// assigned is the model of given centers: every point with its nearest.
func assigned(ctx context.Context, p *points, centers *mat.Dense, steps int) (*KMeansModel, error) {
	labels := make([]int, p.n)
	a := newAssignment(p, centers, labels)
	if err := a.all(ctx); err != nil {
		return nil, err
	}
	inertia, err := a.inertia(ctx)
	if err != nil {
		return nil, err
	}
	return &KMeansModel{Centers: p.unshifted(centers), Labels: labels, Inertia: p.unscaled(inertia), Iterations: steps}, nil
}
