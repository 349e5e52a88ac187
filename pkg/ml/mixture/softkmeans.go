package mixture

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// SoftKMeans is k-means in which a point belongs to every cluster, to the near ones more (MacKay,
// 2003, chapter 20): responsibilities
//
//	rᵢₖ = exp(−β‖xᵢ − μₖ‖²) / Σₗ exp(−β‖xᵢ − μₗ‖²)
//
// and centers that are means weighted by them. The stiffness β is an inverse squared length: a
// cluster is 1/√(2β) wide. A step is one of EM for a mixture of K equally likely spherical
// Gaussians of that fixed width, and never raises the free energy
//
//	F = −(1/β) Σᵢ log (1/K) Σₖ exp(−β‖xᵢ − μₖ‖²),
//
// which for β → ∞ is k-means' distortion J: Beta = +Inf is k-means. Below a critical β all centers
// become the mean of the data.
//
// One iteration costs O(nKd), memory O(nd).
type SoftKMeans struct {
	K int // number of clusters, 1 ≤ K ≤ n
	// stiffness, above 0, math.Inf(1) for k-means; 0 means nd/(2J), at which a cluster is as wide
	// as k-means' clusters are
	Beta     float64
	Start    Start      // "" means FromKMeans, here greedy k-means++ alone
	Init     mat.Matrix // K×d centers to start from, instead of Start; there is one restart then
	Restarts int        // independent starts, the one of least free energy is kept; 0 means 10
	MaxIter  int        // per start; 0 means 1000
	Tol      float64    // a step that lowers F by less than this part of it is the last; 0 means 1e-10
	Seed     uint64     // same seed, same result
}

// SoftKMeansModel is a set of centers and the stiffness that goes with them.
type SoftKMeansModel struct {
	Centers    *mat.Dense // K×d
	Beta       float64    // the stiffness used
	Labels     []int      // length n, the cluster of greatest responsibility of each row
	FreeEnergy float64    // F, in squared units of the data
	Iterations int        // steps of the start that was kept; 0 is the start itself
	Converged  bool       // the last step lowered F by no more than Tol says
}

func init() { ml.Register[SoftKMeansModel]("mixture.SoftKMeansModel") }

// Fit returns the centers of least free energy of Restarts starts. The error is ml.ErrParameter for
// an option out of range, ml.ErrNotFinite for a NaN or Inf in x (with its row and column),
// ml.ErrShape for an Init that does not fit, and ctx.Err(), along with the best centers so far,
// when ctx ends first.
func (s SoftKMeans) Fit(ctx context.Context, x mat.Matrix) (*SoftKMeansModel, error) {
	f, err := s.check(ctx, x)
	if err != nil {
		return nil, err
	}
	restarts := cmp.Or(s.Restarts, 10)
	if s.Init != nil {
		restarts = 1
	}
	var best *softStep
	for r := range restarts {
		var last *softStep
		for step := range f.iterate(ctx, r) {
			last = step
		}
		if last != nil && (best == nil || last.energy < best.energy) {
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
func (s SoftKMeans) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*SoftKMeansModel, error] {
	return func(yield func(*SoftKMeansModel, error) bool) {
		f, err := s.check(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *SoftKMeansModel
		for step := range f.iterate(ctx, 0) {
			if last, err = f.model(step); err != nil {
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

// Responsibilities returns the n×K shares of each row of x in each cluster.
func (m *SoftKMeansModel) Responsibilities(x mat.Matrix) (*mat.Dense, error) {
	y, err := m.rows("mixture.SoftKMeansModel.Responsibilities", x)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	k, _ := m.Centers.Dims()
	out := mat.NewDense(n, k, nil)
	_ = parallel.For(context.Background(), n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := out.RawRowView(i)
			for c := range k {
				row[c] = distance(y.RawRowView(i)[:d], m.Centers.RawRowView(c))
			}
			nearest := slices.Index(row, slices.Min(row))
			least, total := row[nearest], 0.0
			for c, r := range row {
				// β(r²−least²) as a product of lengths, which do not overflow where squares do.
				e := 0.0
				if gap := (r - least) * math.Sqrt(m.Beta); gap > 0 {
					e = gap * ((r + least) * math.Sqrt(m.Beta))
				}
				row[c] = math.Exp(-e)
				if math.IsInf(m.Beta, 1) {
					row[c] = 0
					if c == nearest {
						row[c] = 1
					}
				}
				total += row[c]
			}
			for c := range row {
				row[c] /= total
			}
		}
	})
	return out, nil
}

// Predict returns the cluster of greatest responsibility of each row of x, which is the nearest
// center.
func (m *SoftKMeansModel) Predict(x mat.Matrix) ([]int, error) {
	y, err := m.rows("mixture.SoftKMeansModel.Predict", x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	k, _ := m.Centers.Dims()
	labels := make([]int, n)
	_ = parallel.For(context.Background(), n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			least := math.Inf(1)
			for c := range k {
				if r := distance(y.RawRowView(i), m.Centers.RawRowView(c)); r < least {
					labels[i], least = c, r
				}
			}
		}
	})
	return labels, nil
}

func (m *SoftKMeansModel) rows(method string, x mat.Matrix) (*mat.Dense, error) {
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	_, d := m.Centers.Dims()
	return y, ml.Columns(method, y, d)
}

// distance is the Euclidean distance, safe where squares overflow or vanish.
func distance(a, b []float64) float64 {
	if sq := blas.SqEuclidean(a, b); sq > 1e-280 && sq < 1e280 {
		return math.Sqrt(sq)
	}
	h := 0.0
	for j := range a {
		h = math.Hypot(h, a[j]-b[j])
	}
	return h
}

func (s SoftKMeans) check(ctx context.Context, x mat.Matrix) (*softFit, error) {
	const method = "mixture.SoftKMeans"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	if err := checkK(method, s.K, n); err != nil {
		return nil, err
	}
	switch {
	case s.Beta < 0 || math.IsNaN(s.Beta):
		return nil, ml.BadParameter(method, "Beta", s.Beta, "0 (for nd/(2J)) or more")
	case s.Restarts < 0:
		return nil, ml.BadParameter(method, "Restarts", s.Restarts, "0 (for 10) or more")
	case s.MaxIter < 0:
		return nil, ml.BadParameter(method, "MaxIter", s.MaxIter, "0 (for 1000) or more")
	case !(s.Tol >= 0) || math.IsInf(s.Tol, 1):
		return nil, ml.BadParameter(method, "Tol", s.Tol, "0 (for 1e-10) or a positive number")
	case !s.Start.valid():
		return nil, ml.BadParameter(method, "Start", s.Start, "one of "+startNames)
	}
	var init *mat.Dense
	if s.Init != nil {
		if init, err = ml.Dense(method+": Init", s.Init); err != nil {
			return nil, err
		}
		if r, c := init.Dims(); r != s.K || c != d {
			return nil, ml.BadShape(method, "Init is %d×%d, want K×d = %d×%d", r, c, s.K, d)
		}
	}
	p, err := standardize(ctx, y, true)
	if err != nil {
		return nil, err
	}
	f := &softFit{p: p, k: s.K, start: s.Start, seed: s.Seed, maxIter: cmp.Or(s.MaxIter, 1000), tol: cmp.Or(s.Tol, 1e-10)}
	if init != nil {
		f.init = p.MatrixIn(init)
	}
	f.given = s.Beta
	if s.Beta == 0 {
		f.beta = f.width(ctx)
	} else if f.beta = s.Beta / p.A[0] / p.B[0] / p.A[0] / p.B[0]; f.beta == 0 || math.IsInf(f.beta, 1) != math.IsInf(s.Beta, 1) {
		return nil, ml.BadParameter(method, "Beta", s.Beta, sprintf("an inverse squared length in units of the data, whose spread is about %.3g", 1/p.A[0]/p.B[0]))
	}
	return f, ctx.Err()
}

// softFit is soft k-means in the coordinates of p, all columns in one unit.
type softFit struct {
	p       *points
	k       int
	beta    float64
	given   float64 // the caller's β, 0 where there was none
	init    []float64
	start   Start
	seed    uint64
	maxIter int
	tol     float64
}

// softStep is the state after a step; labels are the iteration's own and change in the next.
type softStep struct {
	centers   []float64
	labels    []int
	energy    float64
	iteration int
	converged bool
}

// width is β = nd/(2J) of one run of k-means.
func (f *softFit) width(ctx context.Context) float64 {
	hard := *f
	hard.beta, hard.maxIter = math.Inf(1), 100
	j := 0.0
	for s := range hard.iterate(ctx, 0) {
		j = s.energy
	}
	if j == 0 {
		return math.Inf(1)
	}
	return float64(f.p.n) * float64(f.p.d) / (2 * j)
}

func (f *softFit) iterate(ctx context.Context, restart int) iter.Seq[*softStep] {
	return func(yield func(*softStep) bool) {
		centers := f.init
		if centers == nil {
			centers = f.start.choose(ctx, f.p, f.k, f.seed, restart)
		}
		labels, before := make([]int, f.p.n), math.Inf(1)
		for i := 0; ; i++ {
			energy, next, err := f.step(ctx, centers, labels)
			if err != nil {
				return
			}
			s := &softStep{centers: centers, labels: labels, energy: min(energy, before), iteration: i} // what is above is rounding
			s.converged = i > 0 && before-energy <= f.tol*math.Abs(energy) || slices.Equal(centers, next)
			if !yield(s) || s.converged || i == f.maxIter {
				return
			}
			centers, before = next, s.energy
		}
	}
}

// softPart is what a part of the data adds to a step.
type softPart struct {
	energy   float64
	mass     []float64
	sums     []float64 // K×d, of the points weighted by responsibility
	far      int       // the point farthest from its nearest center
	distance float64
}

// parts cuts n rows into at most 16 tasks: as many partial sums there are.
func parts(n int) int { return max(256, (n+15)/16) }

// step assigns every point, and returns the free energy of the centers and the centers that follow.
func (f *softFit) step(ctx context.Context, centers []float64, labels []int) (energy float64, next []float64, err error) {
	size := parts(f.p.n)
	of := make([]softPart, parallel.Chunks(f.p.n, size))
	err = parallel.For(ctx, f.p.n, size, func(c, lo, hi int) { of[c] = f.part(ctx, centers, labels, lo, hi) })
	if err != nil {
		return 0, nil, err
	}
	total := of[0]
	for _, q := range of[1:] {
		total.energy += q.energy
		for j, v := range q.mass {
			total.mass[j] += v
		}
		for j, v := range q.sums {
			total.sums[j] += v
		}
		if q.distance > total.distance {
			total.far, total.distance = q.far, q.distance
		}
	}
	d := f.p.d
	for k, n := range total.mass {
		row := total.sums[k*d : (k+1)*d]
		switch {
		case n > 0:
			for j := range row {
				row[j] /= n
			}
		case total.distance > 0: // an empty cluster takes the point that is farthest from all centers
			copy(row, f.p.row(total.far))
			total.distance = 0
		default:
			copy(row, centers[k*d:(k+1)*d])
		}
	}
	return total.energy, total.sums, nil
}

func (f *softFit) part(ctx context.Context, centers []float64, labels []int, lo, hi int) softPart {
	d, k := f.p.d, f.k
	q := softPart{mass: make([]float64, k), sums: make([]float64, k*d), distance: -1}
	hard, logK := math.IsInf(f.beta, 1), math.Log(float64(k))
	r := make([]float64, k)
	for i := lo; i < hi; i++ {
		if i%256 == 0 && ctx.Err() != nil {
			return q
		}
		row := f.p.row(i)
		blas.SqEuclideanRows(r, row, centers, d)
		nearest, least := 0, r[0]
		for c, v := range r {
			if v < least {
				nearest, least = c, v
			}
		}
		labels[i] = nearest
		if least > q.distance {
			q.far, q.distance = i, least
		}
		if hard {
			q.energy += least
			q.mass[nearest]++
			to := q.sums[nearest*d:][:len(row)]
			for j, v := range row {
				to[j] += v
			}
			continue
		}
		for c, v := range r {
			r[c] = f.beta * (least - v)
		}
		blas.Exp(r, r)
		total := 0.0
		for _, v := range r {
			total += v
		}
		q.energy += least - (math.Log(total)-logK)/f.beta
		for c, v := range r {
			v /= total
			q.mass[c] += v
			blas.Axpy(v, row, q.sums[c*d:(c+1)*d])
		}
	}
	return q
}

func (f *softFit) model(s *softStep) (*SoftKMeansModel, error) {
	a, b := f.p.A[0], f.p.B[0]
	m := &SoftKMeansModel{Centers: f.p.MatrixOut(s.centers), Beta: f.given, Labels: slices.Clone(s.labels), FreeEnergy: s.energy / b / b / a / a,
		Iterations: s.iteration, Converged: s.converged}
	if f.given == 0 {
		m.Beta = f.beta * b * b * a * a
	}
	if math.IsInf(m.FreeEnergy, 0) || m.Beta == 0 || f.given == 0 && math.IsInf(m.Beta, 1) != math.IsInf(f.beta, 1) {
		return nil, ml.BadParameter("mixture.SoftKMeans", "the scale of x", 1/b/a, "values whose squares can be summed: divide the data by a constant")
	}
	return m, nil
}

// plusPlus chooses K rows as greedy k-means++ does: the first at random, each further one the best
// of 2+⌊log K⌋ drawn with probability proportional to the squared distance to the nearest so far.
func plusPlus(ctx context.Context, p *points, k int, r *rand.Rand) []float64 {
	trials := 2 + int(math.Log(float64(k)))
	centers := slices.Clone(p.row(r.IntN(p.n)))
	dist := make([]float64, p.n)
	blas.SqEuclideanRows(dist, centers, p.x, p.d)
	now, best := make([]float64, p.n), make([]float64, p.n)
	sums := make([]float64, parallel.Chunks(p.n, chunk))
	for len(centers) < k*p.d && ctx.Err() == nil {
		least, chosen := math.Inf(1), 0
		for range trials {
			i := draw(r, dist)
			_ = parallel.For(ctx, p.n, chunk, func(c, lo, hi int) {
				blas.SqEuclideanRows(now[lo:hi], p.row(i), p.x[lo*p.d:hi*p.d], p.d)
				sums[c] = 0
				for j := lo; j < hi; j++ {
					now[j] = min(now[j], dist[j])
					sums[c] += now[j]
				}
			})
			total := 0.0
			for _, s := range sums {
				total += s
			}
			if total < least {
				least, chosen = total, i
				now, best = best, now
			}
		}
		dist, best = best, dist
		centers = append(centers, p.row(chosen)...)
	}
	return append(centers, make([]float64, k*p.d-len(centers))...) // short only where ctx has ended
}
