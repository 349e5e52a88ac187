package mixture

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"
	"sync"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// GMM fits a mixture of K Gaussians,
//
//	p(x) = Σₖ πₖ N(x; μₖ, Σₖ),
//
// to the n rows of a matrix by expectation maximization (Dempster, Laird & Rubin, 1977):
// responsibilities of the components for every row, then the weights, means and covariances that
// are best for them. No step lowers the likelihood.
//
// The likelihood has no maximum: it grows without bound when a component shrinks onto a point, a
// line or a plane. So every covariance is held above a floor, Σₖ ≥ Floor·diag(variances of the
// columns), exactly: of all covariances above the floor each step takes the most likely
// (eigenvalues below it are raised to it, others are untouched), and EM keeps its promise. A
// solution in which a component rests on the floor is an artifact of the floor; Fit prefers a start
// in which fewer do, whatever its likelihood, and the model says which do.
//
// Means and variances of columns are taken out first: units, and scales of 1e±150, make no
// difference but to spherical components. One iteration costs O(nKd²) for full covariances, O(nKd)
// for the others; memory is O(nd).
type GMM struct {
	K          int        // number of components, 1 ≤ K ≤ n
	Covariance Covariance // "" means Full
	Floor      float64    // least variance, as a part of the data's variance, 1e-12 to 1; 0 means 1e-6
	Start      Start      // "" means FromKMeans
	// start from these means, weights (nil: equal) and covariances (nil: that of the data), instead
	// of Start; there is one restart then
	Init     *GMMModel
	Restarts int     // independent starts, the best is kept; 0 means 1
	MaxIter  int     // steps of EM per start; 0 means 1000
	Tol      float64 // stop when the mean log-likelihood is, by the trend of its gains, this near to its limit, in nats; 0 means 1e-6
	Seed     uint64  // same seed, same result
}

// Covariance is a family of covariances.
type Covariance string

// The families of covariances.
const (
	Full      Covariance = "full"      // each component has its own, of any orientation
	Tied      Covariance = "tied"      // all components share one
	Diagonal  Covariance = "diagonal"  // each has its own, axes along the columns
	Spherical Covariance = "spherical" // each has its own multiple of the identity
)

func (c Covariance) valid() bool {
	return c == "" || c == Full || c == Tied || c == Diagonal || c == Spherical
}

// GMMModel is a Gaussian mixture. One made by hand of Weights, Means and Covariances has all
// methods, and is a start for GMM.
type GMMModel struct {
	Weights       []float64       // length K, sum 1
	Means         *mat.Dense      // K×d
	Covariances   []*mat.SymDense // length K, d×d each, whatever the family
	Family        Covariance      // "" means Full
	LogLikelihood float64         // mean of log p(x) over the rows of the fit, in nats
	Labels        []int           // length n, the component of greatest responsibility of each row
	Iterations    int             // steps of the start that was kept; 0 is the start itself
	Converged     bool            // the limit is near, as Tol says
	Restart       int             // which start it was, from 0
	Floored       []int           // length K: in how many directions the covariance rests on the floor; a constant column is one for all
}

func init() { ml.Register[GMMModel]("mixture.GMMModel") }

// Fit returns the best mixture of Restarts starts: the one with fewest components on the floor, and
// among these the most likely. The error is ml.ErrParameter for an option out of range,
// ml.ErrNotFinite for a NaN or Inf in x (with its row and column), ml.ErrShape for an Init that
// does not fit, and ctx.Err(), along with the best mixture so far, when ctx ends first.
func (g GMM) Fit(ctx context.Context, x mat.Matrix) (*GMMModel, error) {
	f, err := g.check(ctx, x)
	if err != nil {
		return nil, err
	}
	restarts := cmp.Or(g.Restarts, 1)
	if g.Init != nil {
		restarts = 1
	}
	var best *emStep
	for r := range restarts {
		var last *emStep
		for s, err := range f.iterate(ctx, r) {
			if err != nil {
				return nil, err
			}
			last = s
		}
		if last != nil && (best == nil || f.better(last, best)) {
			kept := *last
			kept.labels = slices.Clone(last.labels)
			best = &kept
		}
		if ctx.Err() != nil {
			break
		}
	}
	if best == nil {
		return nil, ctx.Err()
	}
	m, err := f.model(best)
	if err != nil {
		return nil, err
	}
	return m, ctx.Err()
}

// Iterate runs one start and yields the model after every step, the first being the start itself;
// each model is a fresh value.
func (g GMM) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*GMMModel, error] {
	return func(yield func(*GMMModel, error) bool) {
		f, err := g.check(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *GMMModel
		for s, err := range f.iterate(ctx, 0) {
			if err == nil {
				last, err = f.model(s)
			}
			if err != nil {
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

func (g GMM) check(ctx context.Context, x mat.Matrix) (*emFit, error) {
	const method = "mixture.GMM"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	if err := checkK(method, g.K, n); err != nil {
		return nil, err
	}
	switch {
	case !g.Covariance.valid():
		return nil, ml.BadParameter(method, "Covariance", g.Covariance, `one of "full", "tied", "diagonal", "spherical"`)
	case g.Floor != 0 && !(g.Floor >= 1e-12 && g.Floor <= 1):
		return nil, ml.BadParameter(method, "Floor", g.Floor, "0 (for 1e-6), or 1e-12 to 1")
	case !g.Start.valid():
		return nil, ml.BadParameter(method, "Start", g.Start, "one of "+startNames)
	case g.Restarts < 0:
		return nil, ml.BadParameter(method, "Restarts", g.Restarts, "0 (for 1) or more")
	case g.MaxIter < 0:
		return nil, ml.BadParameter(method, "MaxIter", g.MaxIter, "0 (for 1000) or more")
	case !(g.Tol >= 0) || math.IsInf(g.Tol, 1):
		return nil, ml.BadParameter(method, "Tol", g.Tol, "0 (for 1e-6) or a positive number")
	}
	if g.Covariance == "" {
		g.Covariance = Full
	}
	p, err := standardize(ctx, y, g.Covariance == Spherical)
	if err != nil {
		return nil, err
	}
	f := &emFit{GMM: g, p: p, floor: floors(p, cmp.Or(g.Floor, 1e-6), g.Covariance)}
	if g.Init != nil {
		f.given, err = f.from(g.Init)
	}
	return f, err
}

// floors is the least variance of each column. A constant column, which has none of its own, counts
// as the others do, or as one.
func floors(p *points, floor float64, family Covariance) []float64 {
	total := 0.0
	for _, v := range p.variance {
		total += v
	}
	mean := 1.0
	if total > 0 {
		mean = total / float64(p.d-p.constant)
		if family == Spherical {
			mean = total / float64(p.d)
		}
	}
	out := make([]float64, p.d)
	for j, v := range p.variance {
		if v == 0 || family == Spherical {
			v = mean
		}
		out[j] = floor * v
	}
	return out
}

// emFit is EM in the coordinates of p.
type emFit struct {
	GMM
	p     *points
	floor []float64
	given *components
	whole []float64 // the covariance of the data, once it is known
	spare sync.Pool // of *scratch, all of one size
}

// emStep is the state after a step. Its labels are the iteration's own and change in the next.
type emStep struct {
	*components
	labels    []int
	mean      float64 // log-likelihood of a row, in the coordinates of p
	iteration int
	restart   int
	converged bool
}

// iterate is EM from a start. It ends without an error when ctx does.
func (f *emFit) iterate(ctx context.Context, restart int) iter.Seq2[*emStep, error] {
	return func(yield func(*emStep, error) bool) {
		c, err := f.given, error(nil)
		if c == nil {
			c, err = f.begin(ctx, restart)
		}
		labels := make([]int, f.p.n)
		trend := trend{tol: cmp.Or(f.Tol, 1e-6)}
		done := false // the limit is near: one step more, for which all is computed, and an end
		for i := 0; ; i++ {
			var sums *sums
			if err == nil {
				sums, err = f.pass(ctx, c, labels, false)
			}
			if err != nil {
				if ctx.Err() == nil {
					yield(nil, err)
				}
				return
			}
			s := &emStep{components: c, labels: labels, mean: trend.next(sums.logLikelihood / float64(f.p.n)), iteration: i, restart: restart}
			s.converged = done || trend.stuck()
			done = trend.ended()
			if !yield(s, nil) || s.converged || i == cmp.Or(f.MaxIter, 1000) {
				return
			}
			c, err = f.update(ctx, c, sums)
		}
	}
}

// trend watches a sequence that rises to a limit. EM's gains shrink by a nearly constant factor c a
// step, so that after a gain g there is about gc/(1−c) to come (Aitken's acceleration; Böhning et
// al., 1994): a small gain alone does not say that the limit is near.
type trend struct {
	tol               float64
	steps             int
	value, gain, last float64
}

// next takes the next value, and returns it, or the one before where it is lower, which is
// rounding.
func (t *trend) next(v float64) float64 {
	t.last = t.gain
	if t.steps++; t.steps > 1 {
		t.gain = v - t.value
		if math.IsInf(t.value, -1) {
			t.gain = math.Inf(1)
		}
		v = max(v, t.value)
	}
	t.value = v
	return v
}

// stuck reports that the last gain was rounding.
func (t *trend) stuck() bool { return t.steps > 1 && t.gain <= 4e-16*math.Abs(t.value) }

// ended reports that what is to come is less than tol.
func (t *trend) ended() bool {
	if t.steps < 3 || t.gain >= t.tol {
		return false
	}
	c := t.gain / t.last
	return c < 1 && t.gain*c/(1-c) < t.tol
}

// begin is the start: the clusters of k-means, or random points with the covariance of all data.
func (f *emFit) begin(ctx context.Context, restart int) (*components, error) {
	if f.Start == RandomPoints {
		return f.spread(f.Start.choose(ctx, f.p, f.K, f.Seed, restart), nil)
	}
	p := *f.p
	if f.Covariance != Spherical { // columns of variance one
		p.x = slices.Clone(p.x)
		for i := range p.n {
			row := p.row(i)
			for j, v := range p.variance {
				if v > 0 {
					row[j] /= math.Sqrt(v)
				}
			}
		}
	}
	hard := softFit{p: &p, k: f.K, beta: math.Inf(1), seed: f.Seed, maxIter: 100, tol: 1e-5}
	var labels []int
	var centers []float64
	for s := range hard.iterate(ctx, restart) {
		labels, centers = s.labels, s.centers
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i := range centers {
		if v := f.p.variance[i%p.d]; f.Covariance != Spherical && v > 0 {
			centers[i] *= math.Sqrt(v)
		}
	}
	c := unit(f.Covariance, f.K, p.d, centers)
	sums, err := f.pass(ctx, c, labels, true)
	if err != nil {
		return nil, err
	}
	return f.update(ctx, c, sums)
}

// spread gives the means one covariance, by default that of the data, and equal weights.
func (f *emFit) spread(means, weights []float64) (*components, error) {
	k, d := f.K, f.p.d
	if weights == nil {
		weights = slices.Repeat([]float64{1 / float64(k)}, k)
	}
	c := &components{family: f.Covariance, k: k, d: d, weights: weights, means: means, floored: make([]int, k)}
	scatter := f.scatter()
	for i := range k {
		if i > 0 && f.Covariance == Tied {
			break
		}
		switch f.Covariance {
		case Full, Tied:
			c.covs = append(c.covs, scatter...)
		case Diagonal:
			c.covs = append(c.covs, f.p.variance...)
		case Spherical:
			total := 0.0
			for _, v := range f.p.variance {
				total += v
			}
			c.covs = append(c.covs, total/float64(d))
		}
	}
	return f.lifted(c)
}

// from takes a model as a start.
func (f *emFit) from(m *GMMModel) (*components, error) {
	const method = "mixture.GMM"
	if m.Means == nil {
		return nil, ml.BadShape(method, "Init has no Means")
	}
	means, err := ml.Dense(method+": Init.Means", m.Means)
	if err != nil {
		return nil, err
	}
	if r, c := means.Dims(); r != f.K || c != f.p.d {
		return nil, ml.BadShape(method, "Init.Means is %d×%d, want K×d = %d×%d", r, c, f.K, f.p.d)
	}
	var weights []float64
	if m.Weights != nil {
		if weights, err = normalized(method+": Init.Weights", m.Weights, f.K); err != nil {
			return nil, err
		}
	}
	z := f.p.MatrixIn(means)
	if m.Covariances == nil {
		return f.spread(z, weights)
	}
	c, err := f.spread(z, weights)
	if err != nil {
		return nil, err
	}
	if c.covs, err = covariancesIn(method+": Init", m.Covariances, f.p.Units, f.K, f.Covariance, c.weights); err != nil {
		return nil, err
	}
	return f.lifted(c)
}

// better prefers fewer directions on the floor, then likelihood. Two starts often end at one
// optimum with their components in another order, and then rounding must not choose between them,
// or the order would be another on another processor: the first stays.
func (f *emFit) better(a, b *emStep) bool {
	on := func(s *emStep) (n int) {
		for _, v := range s.floored {
			if v > f.p.constant {
				n++
			}
		}
		return n
	}
	if x, y := on(a), on(b); x != y {
		return x < y
	}
	return a.mean > b.mean+1e-9*math.Abs(b.mean)
}

// model copies a step into the caller's units. It refuses what no float64 can hold.
func (f *emFit) model(s *emStep) (*GMMModel, error) {
	m := &GMMModel{Weights: slices.Clone(s.weights), Means: f.p.MatrixOut(s.means), Family: f.Covariance, LogLikelihood: s.mean + f.p.LogVolume(),
		Labels: slices.Clone(s.labels), Iterations: s.iteration, Converged: s.converged, Restart: s.restart, Floored: slices.Clone(s.floored)}
	for i := range s.k {
		data := make([]float64, s.d*s.d) // both triangles, as a loaded model has them
		cov := mat.NewSymDense(s.d, data)
		for a := range s.d {
			for b := a; b < s.d; b++ {
				data[a*s.d+b] = f.p.CovarianceOut(s.covariance(i, a, b), a, b)
				data[b*s.d+a] = data[a*s.d+b]
			}
			if v := cov.At(a, a); math.IsInf(v, 0) || v < 0x1p-1022 {
				return nil, ml.BadParameter("mixture.GMM", sprintf("the variance in column %d", a), v, "a scale of x whose squares a float64 can hold: multiply the column by a constant")
			}
		}
		m.Covariances = append(m.Covariances, cov)
	}
	return m, nil
}
