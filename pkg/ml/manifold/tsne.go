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
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// TSNE draws a map in which the neighbors of a point are those that it has in the data (van der
// Maaten & Hinton, 2008). With the Affinities pᵢⱼ of the data and, in the map, probabilities by the
// kernel of Student's distribution with one degree of freedom,
//
//	qᵢⱼ = (1 + ‖yᵢ − yⱼ‖²)⁻¹ / Z,    Z = Σ_{k≠l} (1 + ‖yₖ − yₗ‖²)⁻¹,
//
// it lowers KL(P‖Q) = Σ pᵢⱼ log(pᵢⱼ/qᵢⱼ) by gradient descent with momentum and gains: neighbors
// attract each other, all points repel. For the first EarlyIter steps attraction is exaggerated, so
// that neighbors find each other before clusters form; over as many more the exaggeration falls to
// 1, at an even rate, which leaves fewer points stranded far from their neighbors than a sudden end
// does. It starts from the first two principal components, scaled down, and learns at the rate
// n/exaggeration (Kobak & Berens, 2019; Belkina et al., 2019).
//
// The map shows who is near to whom. Sizes of clusters and distances between them, their density,
// and holes say little: the kernel's heavy tail and the widths σᵢ, each fitted to its neighborhood,
// take them away. What it looks like depends on Perplexity and on the start.
//
// The attraction costs O(n·Perplexity) a step; Repulsion says what the repulsion costs. Neighbors
// are exact up to 30,000 rows and approximate above. On two cores of 2026 a map of 20,000 rows of
// 50 columns takes 8 s and 0.2 GB, one of 200,000 rows 156 s and 1.9 GB (BenchmarkTSNE).
type TSNE struct {
	Components int             // dimensions of the map; 0 means 2; others than 2 want the repulsion Exact
	Perplexity float64         // how many neighbors count, 1 ≤ Perplexity < n−1; 0 means 30, or a third of n−1 where that is less
	Metric     distance.Metric // nil means Euclidean; distance.Precomputed takes a table of distances
	// Graph holds neighbors of the rows that were found elsewhere, each row about 3·Perplexity of
	// them. Where it is given, Metric and the data are not looked at, which may be nil.
	Graph        *neighbors.Graph
	Repulsion    Repulsion // "" means Exact up to 4,000 rows or in other than two dimensions, and Interpolation otherwise
	Theta        float64   // of BarnesHut: a cell is taken as one point if it is less wide than Theta times its distance; 0 means 0.5
	Exaggeration float64   // of the attraction in the first steps, at least 1; 0 means 12
	EarlyIter    int       // steps with exaggeration, before it falls; 0 means 250, negative none
	MaxIter      int       // steps after these; 0 means 750
	LearningRate float64   // 0 means n/exaggeration
	// n×Components start, which is scaled down; nil means principal components, or a random start
	// where only a graph is known
	Init        mat.Matrix
	RandomStart bool   // a normal distribution instead of principal components
	Seed        uint64 // of the random start and of the little noise that parts equal rows: same seed, same result
}

// Repulsion names how the forces between all pairs of points are summed.
type Repulsion string

// The ways to sum the repulsion. Over a whole fit of the digits the root of the mean squared error
// of the forces is at most 0.02 of their size by Barnes-Hut with Theta 0.5, 0.002 with 0.2, and
// 0.005 by interpolation.
const (
	Exact     Repulsion = "exact"      // pair by pair: O(n²)
	BarnesHut Repulsion = "Barnes-Hut" // far cells of a quadtree as one point: O(n log n) (van der Maaten, 2014)
	// the potential on a grid by fast Fourier transform: O(n + area·log area) (Linderman et al.,
	// 2019)
	Interpolation Repulsion = "interpolation"
)

// TSNEModel is a map by t-SNE.
type TSNEModel struct {
	Embedding  *mat.Dense // n×Components, centered
	KL         float64    // KL(P‖Q) in nats, without exaggeration
	Iteration  int        // steps done, with and without exaggeration
	Perplexity float64    // of the affinities
	// Z in KL was summed pair by pair; else by a grid or a tree, or, of a cancelled fit, it is that
	// of the step before, and of many points KL counts some
	Exact bool
	// a copy of the rows, which Transform measures to; nil where the fit was by another metric than
	// Euclid's or by a graph
	Data *mat.Dense
}

func init() { ml.Register[TSNEModel]("manifold.TSNEModel") }

// Fit maps the rows of x (n×d). The errors are those of ml.Dense, ml.ErrParameter for an option out
// of range or fewer than four rows, ml.ErrShape for an Init that does not fit, what the metric
// can't measure, those of NewAffinities for a Graph, and ctx.Err(), along with the map so far, when
// ctx ends first.
func (t TSNE) Fit(ctx context.Context, x mat.Matrix) (*TSNEModel, error) {
	return lastMap(t.prepare(ctx, x))
}

// Iterate is Fit that yields the start, as Iteration 0, and the map after every step; each model is
// a fresh value.
func (t TSNE) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*TSNEModel, error] {
	return eachMap(t.prepare(ctx, x))
}

// lastMap drains the descent and computes the divergence at the end alone.
func lastMap(d *descent, err error) (*TSNEModel, error) {
	if err != nil {
		return nil, err
	}
	for range d.steps() {
	}
	return d.model(), d.ctx.Err()
}

func eachMap(d *descent, err error) iter.Seq2[*TSNEModel, error] {
	return func(yield func(*TSNEModel, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		var last *TSNEModel
		for range d.steps() {
			if last = d.model(); !yield(last, nil) {
				return
			}
		}
		if err := d.ctx.Err(); err != nil {
			yield(last, err)
		}
	}
}

const tsneName = "manifold.TSNE"

func (t TSNE) check(n int) error {
	switch {
	case n < 4:
		return ml.BadParameter(tsneName, "the number of rows", n, "at least 4")
	case t.Components < 0:
		return ml.BadParameter(tsneName, "Components", t.Components, "0 (for 2) or more")
	case t.Perplexity != 0 && !(t.Perplexity >= 1 && t.Perplexity < float64(n-1)):
		return ml.BadParameter(tsneName, "Perplexity", t.Perplexity, sprintf("0 (for 30), or 1 ≤ Perplexity < n−1 = %d", n-1))
	case t.Repulsion != "" && t.Repulsion != Exact && t.Repulsion != BarnesHut && t.Repulsion != Interpolation:
		return ml.BadParameter(tsneName, "Repulsion", t.Repulsion, sprintf("%q, %q or %q", Exact, BarnesHut, Interpolation))
	case t.Repulsion != "" && t.Repulsion != Exact && cmp.Or(t.Components, 2) != 2:
		return ml.BadParameter(tsneName, "Repulsion", t.Repulsion, sprintf("%q for a map of other than two dimensions", Exact))
	case !(t.Theta >= 0) || math.IsInf(t.Theta, 1):
		return ml.BadParameter(tsneName, "Theta", t.Theta, "0 (for 0.5) or a positive number")
	case t.Exaggeration != 0 && !(t.Exaggeration >= 1 && t.Exaggeration <= 1e6):
		return ml.BadParameter(tsneName, "Exaggeration", t.Exaggeration, "0 (for 12), or 1 to 10⁶")
	case t.MaxIter < 0:
		return ml.BadParameter(tsneName, "MaxIter", t.MaxIter, "0 (for 750) or more")
	case !(t.LearningRate >= 0) || math.IsInf(t.LearningRate, 1):
		return ml.BadParameter(tsneName, "LearningRate", t.LearningRate, "0 (for n/exaggeration) or a positive number")
	}
	return nil
}

// perplexity is what is asked, or what n rows allow.
func (t TSNE) perplexity(n int) float64 { return cmp.Or(t.Perplexity, min(30, float64(n-1)/3)) }

// exactNeighbors is up to how many rows the neighbors of each are searched for exactly.
const exactNeighbors = 30000

func (t TSNE) prepare(ctx context.Context, x mat.Matrix) (*descent, error) {
	if t.Graph != nil {
		return t.prepareGraph(ctx, t.Graph)
	}
	if isTable(t.Metric) {
		return t.prepareTable(ctx, x)
	}
	dense, err := ml.Dense(tsneName, x)
	if err != nil {
		return nil, err
	}
	n, _ := dense.Dims()
	d, err := t.begin(ctx, n,
		func(k int) (*neighbors.Graph, error) { return manyNeighbors(ctx, dense, k, t.Metric, t.Seed) },
		func(k int) (*mat.Dense, error) { return principal(ctx, dense, k, t.Seed) })
	if err != nil {
		return nil, err
	}
	if _, euclidean := t.Metric.(distance.Euclidean); euclidean || t.Metric == nil {
		d.data, err = copied(ctx, dense)
	}
	return d, err
}

// manyNeighbors finds the k nearest other rows of each row.
func manyNeighbors(ctx context.Context, x *mat.Dense, k int, metric distance.Metric, seed uint64) (*neighbors.Graph, error) {
	if n, _ := x.Dims(); n > exactNeighbors && 4*k < n {
		return neighbors.NNDescent{K: k, Metric: metric, Seed: seed}.Fit(ctx, x)
	}
	return neighbors.KNN{K: k, Metric: metric}.Fit(ctx, x)
}

// prepareTable starts from a table of distances.
func (t TSNE) prepareTable(ctx context.Context, x mat.Matrix) (*descent, error) {
	table, err := distance.Table(ctx, tsneName, x)
	if err != nil {
		return nil, err
	}
	n, _ := table.Dims()
	return t.begin(ctx, n,
		func(k int) (*neighbors.Graph, error) { return tableNeighbors(ctx, table, k, true) },
		func(k int) (*mat.Dense, error) { return principalCoordinates(ctx, table, k, t.Seed) })
}

// begin prepares the descent of n points: near finds the k neighbors of each, and principal where
// the map begins unless the options say so.
func (t TSNE) begin(ctx context.Context, n int, near func(k int) (*neighbors.Graph, error), principal func(k int) (*mat.Dense, error)) (*descent, error) {
	if err := t.check(n); err != nil {
		return nil, err
	}
	perplexity := t.perplexity(n)
	g, err := near(min(n-1, int(math.Ceil(3*perplexity))))
	if err != nil {
		return nil, err
	}
	d, err := t.descent(ctx, g, perplexity)
	if err != nil {
		return nil, err
	}
	if t.Init == nil && !t.RandomStart {
		start, err := principal(d.k)
		if err != nil {
			return nil, err
		}
		d.start(start, t.Seed)
	}
	return d, nil
}

func (t TSNE) prepareGraph(ctx context.Context, g *neighbors.Graph) (*descent, error) {
	if err := checkGraph(tsneName, g, -1); err != nil {
		return nil, err
	}
	if err := t.check(g.Len()); err != nil {
		return nil, err
	}
	return t.descent(ctx, g, t.perplexity(g.Len()))
}

// descent prepares the descent and its start, but for principal components.
func (t TSNE) descent(ctx context.Context, g *neighbors.Graph, perplexity float64) (*descent, error) {
	a, err := NewAffinities(ctx, g, perplexity)
	if err != nil {
		return nil, err
	}
	n := a.Len()
	d := newDescent(ctx, a, cmp.Or(t.Components, 2))
	d.exaggeration, d.early = cmp.Or(t.Exaggeration, 12), max(cmp.Or(t.EarlyIter, 250), 0)
	d.last, d.rate = d.early+cmp.Or(t.MaxIter, 750), t.LearningRate
	kind := t.Repulsion
	if kind == "" {
		kind = Interpolation
		if n <= 4000 || d.k != 2 {
			kind = Exact
		}
	}
	switch kind {
	case Exact:
		d.repulsion = newExact(n, d.k)
	case BarnesHut:
		d.repulsion = newBarnesHut(n, cmp.Or(t.Theta, 0.5))
	case Interpolation:
		d.repulsion = newInterpolation(n)
	}
	if t.Init != nil {
		init, err := checkInit(tsneName, t.Init, n, d.k)
		if err != nil {
			return nil, err
		}
		d.start(init, t.Seed)
		return d, ctx.Err()
	}
	d.start(mat.NewDense(n, d.k, nil), t.Seed)
	return d, ctx.Err()
}

// start scales a start so that its first column has the standard deviation 10⁻⁴, small against the
// kernel's width, and moves each point a little, so that equal rows part. A start of equal rows
// becomes a normal distribution.
func (d *descent) start(init *mat.Dense, seed uint64) {
	y, _ := scaling.InRange(init)
	y = mat.DenseCopyOf(y)
	scaling.Center(y)
	s := 0.0
	for i := range d.n {
		s += y.At(i, 0) * y.At(i, 0)
	}
	const deviation = 1e-4
	factor, noise := 0.0, deviation
	if s = math.Sqrt(s / float64(d.n)); s > 0 {
		factor, noise = deviation/s, deviation/100
	}
	r := rng.New(seed)
	for i, v := range y.RawMatrix().Data {
		// A column that is much wider than the first would start beyond the kernel's width.
		d.y[i] = max(-1, min(1, v*factor)) + noise*r.NormFloat64()
	}
	d.center()
}
