package cluster

import (
	"context"
	"math"
	"math/rand/v2"
	"sort"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/mat"
)

// Start names how k-means chooses its first centers.
type Start string

// The starts of k-means.
const (
	// GreedyPlusPlus draws 2+⌊log K⌋ candidates for each center as PlusPlus does and keeps the one
	// that lowers the distortion most (Arthur & Vassilvitskii, 2007; scikit-learn's default).
	GreedyPlusPlus Start = "greedy k-means++"
	// PlusPlus draws each center from the points with probability proportional to the squared
	// distance to the nearest center so far (Arthur & Vassilvitskii, 2007): the expected distortion
	// is within 8(log K + 2) of the best.
	PlusPlus Start = "k-means++"
	// RandomPoints draws K different points (Forgy, 1965).
	RandomPoints Start = "random points"
)

const startNames = `"greedy k-means++", "k-means++", "random points"`

func (s Start) valid() bool {
	return s == "" || s == GreedyPlusPlus || s == PlusPlus || s == RandomPoints
}

// choose returns K centers and leaves in a the label and bounds of every point with respect to
// them.
func (s Start) choose(ctx context.Context, p *points, k int, r *rand.Rand, a *assignment) *mat.Dense {
	centers := mat.NewDense(k, p.d, nil)
	if s == RandomPoints {
		for j, i := range r.Perm(p.n)[:k] {
			copy(centers.RawRowView(j), p.row(i))
		}
		a.centers = centers
		_ = a.all(ctx)
		return centers
	}
	trials := 1
	if s != PlusPlus {
		trials += 1 + int(math.Log(float64(k)))
	}
	d := newSeeding(p, k, trials)
	d.measure(ctx, []int{r.IntN(p.n)})
	d.accept(0)
	candidates := make([]int, trials)
	for len(d.chosen) < k && ctx.Err() == nil {
		for t := range candidates {
			candidates[t] = d.draw(r)
		}
		d.accept(d.measure(ctx, candidates))
	}
	if ctx.Err() != nil {
		return centers
	}
	for j, i := range d.chosen {
		copy(centers.RawRowView(j), p.row(i))
	}
	// Seeding leaves the distance to the nearest center, and nothing of the second: the lower bound
	// is unknown.
	a.centers = centers
	copy(a.labels, d.label)
	for i := range a.upper {
		a.upper[i], a.lower[i] = math.Sqrt(d.dist[i])*(1+a.rounding), 0
	}
	return centers
}

// seeding holds, while centers are chosen, each point's squared distance to the nearest one so far.
type seeding struct {
	p       *points
	dist    []float64
	label   []int
	chosen  []int     // the point that each center is
	cumul   []float64 // running sums of dist by chunk
	tried   []int     // the candidates measured last
	trial   []float64 // dist by candidate, if that candidate is accepted: n a candidate
	partial [][]float64
}

func newSeeding(p *points, k, trials int) *seeding {
	chunks := parallel.Chunks(p.n, chunk)
	d := &seeding{p: p, dist: make([]float64, p.n), label: make([]int, p.n), chosen: make([]int, 0, k), cumul: make([]float64, chunks),
		trial: make([]float64, p.n*trials), partial: make([][]float64, trials)}
	for i := range d.dist {
		d.dist[i] = math.Inf(1)
	}
	for t := range d.partial {
		d.partial[t] = make([]float64, chunks)
	}
	return d
}

// measure computes what the distances would be with each of the candidates, all in one pass over
// the data, and returns the candidate that leaves the least distortion. A point that is nearer to
// its center μ than half the way from there to candidate c has c no nearer, since
// ‖x−c‖ ≥ ‖μ−c‖ − ‖x−μ‖: most points need no distance computed.
func (d *seeding) measure(ctx context.Context, candidates []int) (best int) {
	d.tried = candidates
	quarter := make([][]float64, len(candidates)) // of the squared distance to each center, a little less for rounding
	for t, c := range candidates {
		for _, i := range d.chosen {
			quarter[t] = append(quarter[t], blas.SqEuclidean(d.p.row(c), d.p.row(i))/4*(1-1e-12))
		}
	}
	_ = parallel.For(ctx, d.p.n, chunk, func(k, lo, hi int) {
		sum := make([]float64, len(candidates))
		for i := lo; i < hi; i++ {
			row, old := d.p.row(i), d.dist[i]
			for t, c := range candidates {
				now := old
				if len(d.chosen) == 0 || old > quarter[t][d.label[i]] {
					now = min(old, blas.SqEuclidean(row, d.p.row(c)))
				}
				d.trial[t*d.p.n+i] = now
				sum[t] += now
			}
		}
		for t, s := range sum {
			d.partial[t][k] = s
		}
	})
	least := math.Inf(1)
	for t := range candidates {
		total := 0.0
		for _, s := range d.partial[t] {
			total += s
		}
		if total < least {
			best, least = t, total
		}
	}
	return best
}

// accept makes candidate t the next center.
func (d *seeding) accept(t int) {
	j := len(d.chosen)
	d.chosen = append(d.chosen, d.tried[t])
	for i, now := range d.trial[t*d.p.n : (t+1)*d.p.n] {
		if now < d.dist[i] {
			d.dist[i], d.label[i] = now, j
		}
	}
	sum := 0.0
	for k, s := range d.partial[t] {
		sum += s
		d.cumul[k] = sum
	}
}

// draw returns a point with probability proportional to its squared distance. Where all are 0,
// every point is a center already; any will do.
func (d *seeding) draw(r *rand.Rand) int {
	total := d.cumul[len(d.cumul)-1]
	u := r.Float64() * total
	if total == 0 {
		return r.IntN(d.p.n)
	}
	k := min(sort.SearchFloat64s(d.cumul, u), len(d.cumul)-1)
	if k > 0 {
		u -= d.cumul[k-1]
	}
	lo, hi := k*chunk, min((k+1)*chunk, d.p.n)
	last := lo
	for i := lo; i < hi; i++ {
		if d.dist[i] > 0 {
			last = i
			if u -= d.dist[i]; u <= 0 {
				break
			}
		}
	}
	return last
}
