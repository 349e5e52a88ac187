package cluster

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	gonumblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// chunk is how many points one task takes. It fixes how sums are cut, and so their last digits: it
// must not depend on the machine.
const chunk = 2048

// assignment holds which center is nearest to each point, and bounds that tell which points may
// have another one after the centers moved (Hamerly, 2010): upper[i] is at least the distance to
// the point's own center, lower[i] at most that to any other. While upper < lower nothing need be
// computed.
type assignment struct {
	p            *points
	centers      *mat.Dense
	labels       []int
	previous     []int
	upper, lower []float64
	sums         [][]float64 // of the points of each cluster, by part of the data
	counts       [][]int
	changed      []bool    // clusters whose points are not those of sums
	inertias     []float64 // by chunk
	// rounding is how far a squared distance by ‖x‖²−2x·c+‖c‖² may be off, relative to (‖x‖+‖c‖)².
	rounding float64
}

func newAssignment(p *points, centers *mat.Dense, labels []int) *assignment {
	return &assignment{
		p: p, centers: centers, labels: labels, previous: make([]int, p.n),
		upper: make([]float64, p.n), lower: make([]float64, p.n),
		inertias: make([]float64, parallel.Chunks(p.n, chunk)),
		rounding: float64(p.d+8) * 0x1p-52,
	}
}

// all assigns every point and sets its bounds.
func (a *assignment) all(ctx context.Context) error {
	half := halfNorms(a.centers)
	return parallel.For(ctx, a.p.n, chunk, func(_, lo, hi int) {
		rows := make([]int, hi-lo)
		for i := range rows {
			rows[i] = lo + i
		}
		a.nearest(rows, half)
	})
}

// nearest finds the nearest and second nearest center of the given points, and sets labels and
// bounds. The products of points and centers are one matrix product; where it leaves more than one
// candidate within rounding, distances are computed by differences, so that labels are those of
// Lloyd's algorithm on exact distances.
func (a *assignment) nearest(rows []int, half []float64) {
	k, d := a.centers.Dims()
	x := gather(a.p, rows)
	dots := make([]float64, len(rows)*k)
	blas64.Gemm(gonumblas.NoTrans, gonumblas.Trans, 1, blas64.General{Rows: len(rows), Cols: d, Stride: d, Data: x}, a.centers.RawMatrix(),
		0, blas64.General{Rows: len(rows), Cols: k, Stride: k, Data: dots})
	most := 0.0
	for _, h := range half {
		most = max(most, h)
	}
	for r, i := range rows {
		score := dots[r*k : (r+1)*k] // ‖c‖²/2 − x·c, which orders centers as distances do
		best, first, second := 0, math.Inf(1), math.Inf(1)
		for j, dot := range score {
			s := half[j] - dot
			score[j] = s
			if s < first {
				best, first, second = j, s, first
			} else if s < second {
				second = s
			}
		}
		norm := a.p.norms[i]
		reach := math.Sqrt(norm) + math.Sqrt(2*most)
		slack := 2 * a.rounding * reach * reach
		if second-first <= slack {
			best = a.closest(i, score, first+slack)
		}
		a.labels[i] = best
		a.upper[i] = math.Sqrt(max(norm+2*score[best], 0) + slack)
		a.lower[i] = math.Sqrt(max(norm+2*second-slack, 0))
	}
}

// closest decides between the centers whose score is at most limit, by distances without
// cancellation; ties go to the first.
func (a *assignment) closest(i int, score []float64, limit float64) int {
	best, least := -1, math.Inf(1)
	row := a.p.row(i)
	for j, s := range score {
		if s <= limit {
			if d := blas.SqEuclidean(row, a.centers.RawRowView(j)); d < least {
				best, least = j, d
			}
		}
	}
	return best
}

// gather returns the rows as one block, without copying where they lie one behind the other.
func gather(p *points, rows []int) []float64 {
	if last := len(rows) - 1; rows[last]-rows[0] == last {
		return p.x.RawMatrix().Data[rows[0]*p.d : (rows[last]+1)*p.d]
	}
	x := make([]float64, len(rows)*p.d)
	for r, i := range rows {
		copy(x[r*p.d:], p.row(i))
	}
	return x
}

func halfNorms(c *mat.Dense) []float64 {
	k, _ := c.Dims()
	half := make([]float64, k)
	for j := range half {
		half[j] = blas.Dot(c.RawRowView(j), c.RawRowView(j)) / 2
	}
	return half
}

// update sets the centers to the means of their clusters, after giving each empty cluster the point
// that is farthest from its center. Sums are taken by part of the data and merged in order; those
// of clusters that neither lost nor won a point stand from the step before. When ctx ends first,
// nothing has moved, and the sums are of no more use.
func (a *assignment) update(ctx context.Context) error {
	k, d := a.centers.Dims()
	size := max(chunk, (a.p.n+maxParts-1)/maxParts)
	if a.sums == nil {
		parts := parallel.Chunks(a.p.n, size)
		a.sums, a.counts, a.changed = make([][]float64, parts), make([][]int, parts), make([]bool, k)
		for c := range parts {
			a.sums[c], a.counts[c] = make([]float64, k*d), make([]int, k)
		}
		for z := range a.changed {
			a.changed[z] = true
		}
	}
	err := parallel.For(ctx, a.p.n, size, func(c, lo, hi int) {
		sum, count := a.sums[c], a.counts[c]
		for z, changed := range a.changed {
			if changed {
				clear(sum[z*d : (z+1)*d])
				count[z] = 0
			}
		}
		for i := lo; i < hi; i++ {
			z := a.labels[i]
			if !a.changed[z] {
				continue
			}
			count[z]++
			row := a.p.row(i)
			s := sum[z*d:][:len(row)]
			for j, v := range row {
				s[j] += v
			}
		}
	})
	if err != nil {
		return err
	}
	clear(a.changed)
	total, count := make([]float64, k*d), make([]int, k)
	for c := range a.sums {
		for j, v := range a.sums[c] {
			total[j] += v
		}
		for z, n := range a.counts[c] {
			count[z] += n
		}
	}
	a.refill(total, count)
	next := mat.NewDense(k, d, nil)
	for z := range k {
		row := next.RawRowView(z)
		for j := range row {
			row[j] = total[z*d+j] / float64(count[z])
		}
	}
	a.loosen(next)
	a.centers = next
	return nil
}

// maxParts bounds how many partial sums there are, K·d numbers each.
const maxParts = 16

// refill moves, for each empty cluster, the point farthest from its center out of a cluster that
// can spare it.
func (a *assignment) refill(total []float64, count []int) {
	d := a.p.d
	for z, n := range count {
		if n > 0 {
			continue
		}
		far, most := -1, -1.0
		for i, y := range a.labels {
			if count[y] > 1 {
				if dist := blas.SqEuclidean(a.p.row(i), a.centers.RawRowView(y)); dist > most {
					far, most = i, dist
				}
			}
		}
		y := a.labels[far] // n ≥ K, so some cluster has two points
		for j, v := range a.p.row(far) {
			total[y*d+j] -= v
			total[z*d+j] += v
		}
		count[y]--
		count[z]++
		a.labels[far] = z
		a.changed[y], a.changed[z] = true, true
		a.upper[far], a.lower[far] = math.Inf(1), 0
	}
}

// loosen widens the bounds by how far the centers move: a point's own center may have come nearer
// or gone, the others come nearer by at most the longest move among them.
func (a *assignment) loosen(next *mat.Dense) {
	k, _ := next.Dims()
	moves := make([]float64, k)
	first, second, farthest := 0.0, 0.0, -1
	for z := range k {
		moves[z] = math.Sqrt(blas.SqEuclidean(a.centers.RawRowView(z), next.RawRowView(z))) * (1 + a.rounding)
		if moves[z] > first {
			first, second, farthest = moves[z], first, z
		} else if moves[z] > second {
			second = moves[z]
		}
	}
	for i, z := range a.labels {
		a.upper[i] += moves[z]
		if z == farthest {
			a.lower[i] -= second
		} else {
			a.lower[i] -= first
		}
	}
}

// inertia is the distortion of the partition, by differences; it also tightens every upper bound,
// which costs nothing more.
func (a *assignment) inertia(ctx context.Context) (float64, error) {
	err := parallel.For(ctx, a.p.n, chunk, func(c, lo, hi int) {
		sum := 0.0
		for i := lo; i < hi; i++ {
			sq := blas.SqEuclidean(a.p.row(i), a.centers.RawRowView(a.labels[i]))
			sum += sq
			a.upper[i] = math.Sqrt(sq) * (1 + a.rounding)
		}
		a.inertias[c] = sum
	})
	total := 0.0
	for _, s := range a.inertias {
		total += s
	}
	return total, err
}

// move assigns the points whose bounds cross, and returns how many have another center now. The
// labels from before stay in previous.
func (a *assignment) move(ctx context.Context) (moved int, err error) {
	copy(a.previous, a.labels)
	half := halfNorms(a.centers)
	gap := halfGaps(a.centers)
	movers := make([][]int, parallel.Chunks(a.p.n, chunk))
	err = parallel.For(ctx, a.p.n, chunk, func(c, lo, hi int) {
		var rows []int
		for i := lo; i < hi; i++ {
			// A point nearer to its center than half way to the next center has no nearer one.
			if a.upper[i] >= a.lower[i] && a.upper[i] >= gap[a.labels[i]] {
				rows = append(rows, i)
			}
		}
		if len(rows) == 0 {
			return
		}
		a.nearest(rows, half)
		for _, i := range rows {
			if a.labels[i] != a.previous[i] {
				movers[c] = append(movers[c], i)
			}
		}
	})
	for _, m := range movers {
		moved += len(m)
		for _, i := range m {
			a.changed[a.labels[i]], a.changed[a.previous[i]] = true, true
		}
	}
	return moved, err
}

// halfGaps is half the distance from each center to its nearest other, a little less for rounding.
func halfGaps(c *mat.Dense) []float64 {
	k, _ := c.Dims()
	gap := make([]float64, k)
	for i := range gap {
		gap[i] = math.Inf(1)
	}
	for i := range k {
		for j := i + 1; j < k; j++ {
			g := math.Sqrt(blas.SqEuclidean(c.RawRowView(i), c.RawRowView(j))) / 2 * (1 - 1e-12)
			gap[i], gap[j] = min(gap[i], g), min(gap[j], g)
		}
	}
	return gap
}
