package manifold

import (
	"cmp"
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// PaCMAP maps points by three kinds of pairs (Wang, Huang, Rudin & Shaposhnik, 2021): each point
// with some of its nearest neighbors, with a few that are nearer than most without being neighbors
// (mid-near: the second nearest of six drawn at random), and with some drawn at random (further).
// With d̃ = 1 + ‖yᵢ−yⱼ‖² the map minimises
//
//	w_N Σ_near d̃/(10+d̃) + w_M Σ_mid-near d̃/(10000+d̃) + w_F Σ_further 1/(1+d̃).
//
// It starts with two principal components, made small. In the first phase w_M falls from 1000 to 3:
// mid-near pairs lay out the whole. In the second all pull; in the third w_M is 0, and
// neighborhoods are refined. Steps are Adam's.
//
// What is near in the map was mostly near in the data, and the large arrangement follows the
// principal components and the mid-near pairs more than in UMAP and t-SNE. Distances between
// groups, their sizes and their densities are still no measure of those in the data.
//
// Data of more than 100 columns is projected on its 100 first principal components, if the metric
// is Euclidean. Neighbors are found as by UMAP; an iteration costs O(n·(Neighbors + MidNear +
// Further)).
type PaCMAP struct {
	Components int             // dimensions of the map; 0 means 2
	Neighbors  int             // near pairs of a point, below n; 0 means 10 for up to 10,000 rows and 10 + 15·log₁₀(n/10,000) for more
	MidNear    int             // mid-near pairs of a point; 0 means half of Neighbors, negative none
	Further    int             // further pairs of a point; 0 means twice Neighbors, negative none
	Metric     distance.Metric // nil means Euclidean; distance.Precomputed takes a table of distances
	Init       mat.Matrix      // n×Components start, used as it is; nil means principal components
	Phases     [3]int          // iterations of each phase; all 0 means 100, 100 and 250
	Rate       float64         // of learning; 0 means 1
	Seed       uint64          // same seed, same result
}

// PaCMAPModel is a map and what it takes to place new points on it.
type PaCMAPModel struct {
	Embedding *mat.Dense // n×Components
	// of the map, under the weights that the last iteration had; of a cancelled fit of many rows an
	// estimate from some of them
	Loss      float64
	Iteration int // done so far
	Phase     int // 1, 2 or 3: that of the last iteration; 0 at the start

	// What Transform needs.

	Data      *mat.Dense // n×d, what was mapped; nil where it was a table of distances
	Metric    string     // name of the metric, "function" for a caller's own
	Exponent  float64    // of Minkowski's
	Neighbors int        // near pairs of a point
	Rate      float64

	metric distance.Metric // a caller's own, which no file can hold
}

func init() { ml.Register[PaCMAPModel]("manifold.PaCMAPModel") }

const pacmapName = "manifold.PaCMAP"

// Fit maps the rows of x (n×d), n ≥ 2. The errors are those of ml.Dense and of the search for
// neighbors, ml.ErrParameter for an option out of range, ml.ErrShape for fewer than two rows or an
// Init that does not fit, and ctx.Err(), along with the map so far once the first iteration has
// begun, when ctx ends first.
func (p PaCMAP) Fit(ctx context.Context, x mat.Matrix) (*PaCMAPModel, error) {
	f, err := p.begin(ctx, x)
	if err != nil {
		return nil, err
	}
	for f.iteration < f.total() && f.step(ctx) == nil {
	}
	m, err := f.snapshot(ctx)
	if err != nil {
		return nil, err
	}
	return m, ctx.Err()
}

// Iterate yields the start and then the map after every iteration; each model is a fresh value but
// for the data. The loss falls in the long run and not in every iteration, since Adam's steps have
// momentum and the weights change.
func (p PaCMAP) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*PaCMAPModel, error] {
	return func(yield func(*PaCMAPModel, error) bool) {
		f, err := p.begin(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		for stopped := false; ; stopped = f.step(ctx) != nil {
			m, err := f.snapshot(ctx)
			if err == nil && stopped {
				err = ctx.Err()
			}
			if !yield(m, err) || err != nil || f.iteration == f.total() {
				return
			}
		}
	}
}

// pacmapFit is the state of a fit.
type pacmapFit struct {
	*pairLayout
	model  PaCMAPModel // but for Embedding and what counts iterations
	phases [3]int
	rate   float64
}

func (p PaCMAP) begin(ctx context.Context, x mat.Matrix) (*pacmapFit, error) {
	dense, seen, p, err := p.check(ctx, x)
	if err != nil {
		return nil, err
	}
	n, _ := dense.Dims()
	start, err := p.start(ctx, seen, n)
	if err != nil {
		return nil, err
	}
	pairs, err := p.pairs(ctx, seen)
	if err != nil {
		return nil, err
	}
	var data *mat.Dense
	if !isTable(p.Metric) {
		if data, err = copied(ctx, dense); err != nil {
			return nil, err
		}
	}
	f := &pacmapFit{pairLayout: newPairLayout(pairs, start), phases: p.Phases, rate: p.Rate}
	f.model = PaCMAPModel{Data: data, Neighbors: p.Neighbors, Rate: p.Rate}
	f.model.Metric, f.model.Exponent, f.model.metric = nameOf(p.Metric)
	return f, ctx.Err()
}

// check returns the data, what of it the method looks at, and the options with what zeros stand
// for.
func (p PaCMAP) check(ctx context.Context, x mat.Matrix) (dense, seen *mat.Dense, full PaCMAP, err error) {
	if dense, err = rowsOrTable(ctx, pacmapName, x, isTable(p.Metric)); err != nil {
		return nil, nil, p, err
	}
	n, d := dense.Dims()
	if full, err = p.defaults(n); err != nil {
		return nil, nil, p, err
	}
	if euclidean(p.Metric) && d > 100 {
		seen, err = principal(ctx, dense, 100, p.Seed)
		return dense, seen, full, err
	}
	return dense, dense, full, nil
}

func euclidean(m distance.Metric) bool { return m == nil || m == distance.Metric(distance.Euclidean{}) }

// defaults checks the options for n rows and puts in what zeros stand for.
func (p PaCMAP) defaults(n int) (PaCMAP, error) {
	if n < 2 {
		return p, ml.BadShape(pacmapName, "there is one row, want at least 2")
	}
	k, err := components(pacmapName, p.Components, n)
	if err != nil {
		return p, err
	}
	switch {
	case p.Neighbors < 0 || p.Neighbors >= n:
		return p, ml.BadParameter(pacmapName, "Neighbors", p.Neighbors, sprintf("0 (for 10 or more), or 1 ≤ Neighbors < n = %d", n))
	case p.MidNear >= n:
		return p, ml.BadParameter(pacmapName, "MidNear", p.MidNear, sprintf("0 (for half of Neighbors), negative (for none), or a number below n = %d", n))
	case p.Further >= n:
		return p, ml.BadParameter(pacmapName, "Further", p.Further, sprintf("0 (for twice Neighbors), negative (for none), or a number below n = %d", n))
	case min(p.Phases[0], p.Phases[1], p.Phases[2]) < 0:
		return p, ml.BadParameter(pacmapName, "Phases", p.Phases, "numbers of 0 or more, or all 0 (for 100, 100 and 250)")
	case !(p.Rate >= 0) || math.IsInf(p.Rate, 1):
		return p, ml.BadParameter(pacmapName, "Rate", p.Rate, "0 (for 1) or a positive number")
	}
	near := 10
	if n > 10000 {
		near = int(math.Round(10 + 15*(math.Log10(float64(n))-4)))
	}
	p.Components, p.Neighbors, p.Rate = k, cmp.Or(p.Neighbors, min(near, n-1)), cmp.Or(p.Rate, 1)
	// Of few rows not all pairs can be had: a mid-near one is the second nearest of at least two,
	// and a further one is no neighbor.
	p.MidNear = max(0, min(cmp.Or(p.MidNear, (p.Neighbors+1)/2), n-2))
	p.Further = max(0, min(cmp.Or(p.Further, 2*p.Neighbors), n-1-p.Neighbors))
	if p.Phases == [3]int{} {
		p.Phases = [3]int{100, 100, 250}
	}
	return p, nil
}

// start is Init, or the principal components of the data in units of its range, a hundredth of
// them.
func (p PaCMAP) start(ctx context.Context, x *mat.Dense, n int) (*mat.Dense, error) {
	if p.Init != nil {
		return checkInit(pacmapName, p.Init, n, p.Components)
	}
	y, _ := scaling.InRange(x)
	lo, hi := mat.Min(y), mat.Max(y)
	coordinates := principal
	if isTable(p.Metric) {
		coordinates = principalCoordinates
	}
	start, err := coordinates(ctx, y, p.Components, p.Seed)
	if err != nil {
		return nil, err
	}
	if hi > lo {
		start.Scale(0.01/(hi-lo), start)
	}
	// Stirred a little, so that data on a line can leave it.
	r := rng.New(p.Seed, 10)
	for i := range start.RawMatrix().Data {
		start.RawMatrix().Data[i] += 1e-6 * r.NormFloat64()
	}
	return start, nil
}

// phase is that of an iteration, counted from 0, and its weights of near and mid-near pairs;
// further pairs have 1.
func (f *pacmapFit) phase(iteration int) (phase int, near, mid float64) {
	first, second := f.phases[0], f.phases[0]+f.phases[1]
	switch {
	case iteration < first:
		t := float64(iteration) / float64(first)
		return 1, 2, (1-t)*1000 + t*3
	case iteration < second:
		return 2, 3, 3
	}
	return 3, 1, 0
}

func (f *pacmapFit) total() int { return f.phases[0] + f.phases[1] + f.phases[2] }

func (f *pacmapFit) step(ctx context.Context) error {
	_, near, mid := f.phase(f.iteration)
	return f.pairLayout.step(ctx, near, mid, f.rate)
}

// snapshot is the map now, with its loss. Once the context has ended there is no time, where there
// are many pairs, to look at all of them.
func (f *pacmapFit) snapshot(ctx context.Context) (*PaCMAPModel, error) {
	m := f.model
	m.Embedding, m.Iteration = mat.NewDense(f.n, f.k, append([]float64(nil), f.y...)), f.iteration
	phase, near, mid := f.phase(max(f.iteration-1, 0))
	if f.iteration > 0 {
		m.Phase = phase
	}
	var err error
	if m.Loss, err = f.loss(ctx, near, mid, 1); err != nil {
		const few = 2_000_000 // which take some 20 ms
		m.Loss, _ = f.loss(context.Background(), near, mid, 1+(len(f.near)+len(f.mid)+len(f.further))/few)
	}
	for i, v := range f.y {
		if v-v != 0 {
			return nil, ml.NotFinite(pacmapName, "the place of row %d is %v after iteration %d: lower Rate, or scale Init", i/f.k, v, f.iteration)
		}
	}
	return &m, nil
}
