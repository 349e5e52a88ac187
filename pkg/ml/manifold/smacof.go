package manifold

import (
	"cmp"
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// MetricMDS places n objects so that the distances d of the map are near to the given ones δ: it
// minimises the raw stress
//
//	σ = Σ_{i<j} (dᵢⱼ − δᵢⱼ)²
//
// by SMACOF (de Leeuw, 1977; de Leeuw & Heiser, 1980). Each step minimises a quadratic that lies
// above σ and touches it at the map, goes twice as far, where the quadratic is as high as it was,
// and then scales the map to its best size, so σ never rises. A minimum need not be the lowest:
// Restarts tries more.
//
// Unlike classical MDS it weighs an error in a distance the same wherever it occurs, and does not
// need Euclidean distances. A step costs O(n²·Components), memory is O(n²).
type MetricMDS struct {
	Components int             // dimensions of the map, at most n; 0 means 2
	Metric     distance.Metric // nil means Euclidean; distance.Precomputed takes a table of distances
	Init       mat.Matrix      // n×Components start; nil means the map of ClassicalMDS
	Restarts   int             // starts at random beside the one above; the map of least stress is kept; 0 means none
	MaxIter    int             // per start; 0 means 300
	Tolerance  float64         // a start ends when σ/Σδ² falls by less in a step; 0 means 1e-7
	Seed       uint64          // same seed, same result
}

// MDSModel is a map by metric or non-metric multidimensional scaling.
type MDSModel struct {
	Embedding  *mat.Dense // n×Components, columns of mean zero
	Stress     float64    // σ in squared units of the distances; of NonmetricMDS, of a map scaled so that Σ d̂² is the number of pairs
	Stress1    float64    // Kruskal's stress-1, √(σ/Σδ²) or √(σ/Σd̂²): 0 is perfect, 0.2 poor
	Iterations int        // steps of the start that was kept
	Converged  bool       // Tolerance was reached before MaxIter
	Restart    int        // which start it was: 0 is Init or the classical map
}

func init() { ml.Register[MDSModel]("manifold.MDSModel") }

// Fit maps the rows of x (n×d) by their distances, or the objects of an n×n table of them. The
// errors are those of distance.Pairwise or distance.Table, ml.ErrParameter for an option out of
// range, ml.ErrShape for an Init that does not fit, and ctx.Err(), along with the best map so far,
// when ctx ends first.
func (m MetricMDS) Fit(ctx context.Context, x mat.Matrix) (*MDSModel, error) {
	return leastStress(m.start(ctx, x))
}

// Iterate runs the first start of Fit and yields the map before the first step and after every
// step; each model is a fresh value. The last one has Converged set, unless MaxIter came first.
func (m MetricMDS) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*MDSModel, error] {
	return firstStart(m.start(ctx, x))
}

const metricName = "manifold.MetricMDS"

// start checks the options, gets the table, and returns what runs the starts.
func (m MetricMDS) start(ctx context.Context, x mat.Matrix) (*starts, error) {
	o := smacofOptions{metricName, m.Init, m.Restarts, m.MaxIter, m.Tolerance, m.Seed}
	if err := o.check(); err != nil {
		return nil, err
	}
	d, err := table(ctx, metricName, x, m.Metric)
	if err != nil {
		return nil, err
	}
	p, err := o.prepare(d, m.Components)
	if err != nil {
		return nil, err
	}
	p.targets = p.delta
	return o.runs(ctx, p, func() (*mat.Dense, error) {
		c, err := ClassicalMDS{Components: p.k, Seed: m.Seed}.fit(ctx, p.table)
		if err != nil {
			return nil, err
		}
		return c.Embedding, nil
	}), nil
}

// smacofOptions are those that metric and non-metric scaling share.
type smacofOptions struct {
	method            string
	init              mat.Matrix
	restarts, maxIter int
	tolerance         float64
	seed              uint64
}

func (o smacofOptions) check() error {
	switch {
	case o.restarts < 0:
		return ml.BadParameter(o.method, "Restarts", o.restarts, "0 or more")
	case o.maxIter < 0:
		return ml.BadParameter(o.method, "MaxIter", o.maxIter, "0 (for 300) or more")
	case !(o.tolerance >= 0) || math.IsInf(o.tolerance, 1):
		return ml.BadParameter(o.method, "Tolerance", o.tolerance, "0 (for 1e-7) or a positive number")
	}
	return nil
}

// smacofFit is a table of dissimilarities and what a step needs. Pairs i < j lie one behind the
// other, as in distance.Condensed.
type smacofFit struct {
	n, k    int
	table   *mat.Dense // n×n, scaled
	scale   float64    // table = given·scale
	delta   []float64
	targets []float64 // what the map's distances are to be near: delta, or the disparities
	order   *ranking  // nil for metric scaling
	init    *mat.Dense
	chunks  []int // bounds of rows that hold about as many pairs each
}

func (o smacofOptions) prepare(d *mat.Dense, option int) (*smacofFit, error) {
	n, _ := d.Dims()
	k, err := components(o.method, option, n)
	if err != nil {
		return nil, err
	}
	p := &smacofFit{n: n, k: k}
	p.table, p.scale = scaling.InRange(d)
	p.delta = make([]float64, 0, n*(n-1)/2)
	for i := range n {
		p.delta = append(p.delta, p.table.RawRowView(i)[i+1:]...)
	}
	const most = 16 // the sums of all chunks are kept: n·k numbers each
	pairs := 0
	p.chunks = []int{0}
	for i := range n {
		if pairs += n - 1 - i; pairs >= len(p.delta)*len(p.chunks)/most && i+1 < n && len(p.chunks) < most {
			p.chunks = append(p.chunks, i+1)
		}
	}
	p.chunks = append(p.chunks, n)
	if o.init != nil {
		given, err := checkInit(o.method, o.init, n, k)
		if err != nil {
			return nil, err
		}
		p.init = mat.NewDense(n, k, nil)
		p.init.Scale(p.scale, given)
		scaling.Center(p.init)
	}
	return p, nil
}

// starts is how many starts there are, and what runs one of them, yielding a model a step.
type starts struct {
	count int
	run   func(r int) iter.Seq2[*MDSModel, error]
}

func (o smacofOptions) runs(ctx context.Context, p *smacofFit, classical func() (*mat.Dense, error)) *starts {
	return &starts{1 + o.restarts, func(r int) iter.Seq2[*MDSModel, error] {
		return func(yield func(*MDSModel, error) bool) {
			var x *mat.Dense
			var err error
			switch {
			case r > 0:
				x = p.random(o.seed, r)
			case p.init != nil:
				x = mat.DenseCopyOf(p.init)
			default:
				if x, err = classical(); err != nil {
					yield(nil, err)
					return
				}
			}
			if err := p.part(ctx, x, o.seed); err != nil {
				yield(nil, err)
				return
			}
			p.descend(ctx, o, x, r, yield)
		}
	}}
}

// random spreads the points evenly in a cube about as wide as the dissimilarities are large.
func (p *smacofFit) random(seed uint64, r int) *mat.Dense {
	x := mat.NewDense(p.n, p.k, nil)
	stream := rng.New(seed, r)
	size := p.typical()
	for i := range x.RawMatrix().Data {
		x.RawMatrix().Data[i] = (stream.Float64() - 0.5) * size
	}
	scaling.Center(x)
	return x
}

// typical is the root of the mean squared dissimilarity.
func (p *smacofFit) typical() float64 {
	s := 0.0
	for _, v := range p.delta {
		s += v * v
	}
	return math.Sqrt(s / max(1, float64(len(p.delta))))
}

// part moves points that coincide and should not, by very little: no step could tell them apart.
// The error is ctx.Err().
func (p *smacofFit) part(ctx context.Context, x *mat.Dense, seed uint64) error {
	coincide := false
	at := 0
	for i := range p.n {
		if err := ctx.Err(); err != nil {
			return err
		}
		a := x.RawRowView(i)
		for j := i + 1; j < p.n && !coincide; j++ {
			coincide = p.delta[at+j-i-1] > 0 && distanceOf(a, x.RawRowView(j)) == 0
		}
		at += p.n - 1 - i
	}
	if !coincide {
		return nil
	}
	stream, size := rng.New(seed, 0), 1e-3*p.typical()
	for i := range x.RawMatrix().Data {
		x.RawMatrix().Data[i] += stream.NormFloat64() * size
	}
	scaling.Center(x)
	return nil
}

func distanceOf(a, b []float64) float64 {
	s := 0.0
	for c, v := range a {
		d := v - b[c]
		s += d * d
	}
	return math.Sqrt(s)
}

// descend is SMACOF from a start. Each pass over the pairs gives the sums that the stress of the
// map is made of and the map that minimises the quadratic.
func (p *smacofFit) descend(ctx context.Context, o smacofOptions, x *mat.Dense, r int, yield func(*MDSModel, error) bool) {
	tolerance, maxIter := cmp.Or(o.tolerance, 1e-7), cmp.Or(o.maxIter, 300)
	before, plain := math.Inf(1), false
	var last *MDSModel
	for i := 0; i <= maxIter; i++ {
		if p.order != nil {
			if err := p.order.disparities(ctx, p, x); err != nil {
				yield(last, err)
				return
			}
		}
		gamma, s, err := p.pass(ctx, x)
		if err != nil {
			yield(last, err)
			return
		}
		// The size of the map at which the sum of (s·d − target)² is least.
		size := 1.0
		if s.dd > 0 {
			size = s.td / s.dd
		}
		stress := max(0, s.error-(1-size)*(1-size)*s.dd)
		x.Scale(size, x)
		share := 0.0
		if s.tt > 0 {
			share = stress / s.tt
		}
		share = min(share, before) // what is above is rounding
		settled := before-share <= tolerance
		last = p.model(o, x, share, s.tt, i, r, settled && plain)
		if last == nil {
			yield(nil, ml.NotFinite(o.method, "the stress overflows: scale the distances"))
			return
		}
		if !yield(last, nil) || last.Converged {
			return
		}
		before = share
		// Twice as far oscillates where a single step would have been there at once: it is tried
		// before the end is declared.
		if plain = settled; plain {
			x.Copy(gamma)
		} else {
			gamma.Scale(2, gamma)
			x.Sub(gamma, x)
		}
	}
}

// model is the map in the caller's units; nil where the stress has none.
func (p *smacofFit) model(o smacofOptions, x *mat.Dense, share, total float64, iteration, r int, converged bool) *MDSModel {
	m := &MDSModel{Embedding: mat.NewDense(p.n, p.k, nil), Stress1: math.Sqrt(share), Iterations: iteration, Converged: converged, Restart: r}
	if p.order != nil {
		m.Stress = share * total
		m.Embedding.Copy(x)
		return m
	}
	m.Embedding.Scale(1/p.scale, x)
	m.Stress = share * total / p.scale / p.scale
	if math.IsInf(m.Stress, 0) {
		return nil
	}
	return m
}

// sums over the pairs, t being the targets.
type sums struct{ dd, td, tt, error float64 }

// pass returns Γ = n⁻¹B(X)X, whose row i is n⁻¹ Σⱼ (tᵢⱼ/dᵢⱼ)(xᵢ − xⱼ), and the sums.
func (p *smacofFit) pass(ctx context.Context, x *mat.Dense) (*mat.Dense, sums, error) {
	chunks := len(p.chunks) - 1
	moves, partial := make([][]float64, chunks), make([]sums, chunks)
	data := x.RawMatrix().Data
	err := parallel.For(ctx, chunks, 1, func(c, _, _ int) {
		moves[c] = make([]float64, p.n*p.k)
		if p.k == 2 {
			partial[c] = p.rows2(moves[c], data, p.chunks[c], p.chunks[c+1])
		} else {
			partial[c] = p.rows(moves[c], data, p.chunks[c], p.chunks[c+1])
		}
	})
	if err != nil {
		return nil, sums{}, err
	}
	var all sums
	gamma := mat.NewDense(p.n, p.k, nil)
	out := gamma.RawMatrix().Data
	for c, s := range partial {
		all.dd, all.td, all.tt, all.error = all.dd+s.dd, all.td+s.td, all.tt+s.tt, all.error+s.error
		for i, v := range moves[c] {
			out[i] += v
		}
	}
	for i := range out {
		out[i] /= float64(p.n)
	}
	return gamma, all, nil
}

func (p *smacofFit) rows(move, x []float64, lo, hi int) (s sums) {
	k := p.k
	at := distance.Index(p.n, lo, lo+1)
	for i := lo; i < hi; i++ {
		a, to := x[i*k:(i+1)*k], move[i*k:(i+1)*k]
		for j := i + 1; j < p.n; j++ {
			b, t := x[j*k:(j+1)*k], p.targets[at]
			at++
			d := distanceOf(a, b)
			s.add(d, t)
			if d == 0 {
				continue
			}
			w, from := t/d, move[j*k:(j+1)*k]
			for c, v := range a {
				g := w * (v - b[c])
				to[c] += g
				from[c] -= g
			}
		}
	}
	return s
}

// rows2 is rows in the plane.
func (p *smacofFit) rows2(move, x []float64, lo, hi int) (s sums) {
	at := distance.Index(p.n, lo, lo+1)
	for i := lo; i < hi; i++ {
		ax, ay := x[2*i], x[2*i+1]
		targets := p.targets[at : at+p.n-1-i]
		at += len(targets)
		others, back := x[2*i+2:2*p.n], move[2*i+2:2*p.n]
		var gx, gy float64
		for j, t := range targets {
			dx, dy := ax-others[2*j], ay-others[2*j+1]
			d := math.Sqrt(dx*dx + dy*dy)
			s.add(d, t)
			if d == 0 {
				continue
			}
			w := t / d
			gx += w * dx
			gy += w * dy
			back[2*j] -= w * dx
			back[2*j+1] -= w * dy
		}
		move[2*i] += gx
		move[2*i+1] += gy
	}
	return s
}

func (s *sums) add(d, t float64) {
	e := d - t
	s.dd += d * d
	s.td += t * d
	s.tt += t * t
	s.error += e * e
}

// leastStress runs all starts and keeps the map of least stress.
func leastStress(s *starts, err error) (*MDSModel, error) {
	if err != nil {
		return nil, err
	}
	var kept *MDSModel
	for r := range s.count {
		var last *MDSModel
		for m, err := range s.run(r) {
			if err != nil {
				if m != nil && (kept == nil || m.Stress1 < kept.Stress1) {
					kept = m
				}
				return kept, err
			}
			last = m
		}
		if kept == nil || last.Stress1 < kept.Stress1 {
			kept = last
		}
	}
	return kept, nil
}

// firstStart runs the first start alone.
func firstStart(s *starts, err error) iter.Seq2[*MDSModel, error] {
	if err != nil {
		return func(yield func(*MDSModel, error) bool) { yield(nil, err) }
	}
	return s.run(0)
}
