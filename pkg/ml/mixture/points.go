// Package mixture fits densities that are sums of simple ones: Gaussian mixtures by EM, soft k-means, and conditional mixtures of linear and of logistic
// regressions.
package mixture

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// chunk is how many rows a task takes where only columns are summed.
const chunk = 2048

// units is the change of coordinates z = (x·a − m)·b, column by column, between the caller's data and what the algorithms see: near zero and near one, so that
// squares of 1e±150 stay in range. a and b are powers of two, which change no digit.
type units struct{ a, m, b []float64 }

// points is the data in those coordinates.
type points struct {
	units
	x        []float64 // n×d, row by row
	n, d     int
	variance []float64 // of each column: 0, or between 1/4 and 4 where columns have units of their own
	constant int       // columns of equal values
}

// prepare moves the columns to zero mean and scales them, each by itself, or, for methods that compare columns, all by the same number. The error is ctx.Err().
func prepare(ctx context.Context, x *mat.Dense, common bool) (*points, error) {
	n, d := x.Dims()
	p := &points{n: n, d: d, x: make([]float64, n*d), units: units{a: make([]float64, d), b: make([]float64, d)}}
	src := x.RawMatrix().Data
	same := slices.Repeat([]bool{true}, d)
	most := columns(ctx, n, d, func(i int, into []float64) {
		for j, v := range src[i*d : (i+1)*d] {
			into[j] = max(into[j], math.Abs(v))
		}
	}, math.Max)
	differs := columns(ctx, n, d, func(i int, into []float64) {
		for j, v := range src[i*d : (i+1)*d] {
			if v != src[j] {
				into[j] = 1
			}
		}
	}, math.Max)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	overall := slices.Max(most)
	for j, v := range most {
		if common {
			v = overall
		}
		p.a[j] = inverse(v)
		same[j] = differs[j] == 0
	}
	p.m = columns(ctx, n, d, func(i int, into []float64) {
		for j, v := range src[i*d : (i+1)*d] {
			into[j] += v * p.a[j]
		}
	}, sum)
	for j := range p.m {
		p.m[j] /= float64(n)
		if same[j] { // exactly zero, and not the rounding of a mean
			p.m[j] = src[j] * p.a[j]
			p.constant++
		}
	}
	p.variance = columns(ctx, n, d, func(i int, into []float64) {
		row, to := src[i*d:(i+1)*d], p.x[i*d:(i+1)*d]
		for j, v := range row {
			to[j] = v*p.a[j] - p.m[j]
			into[j] += to[j] * to[j]
		}
	}, sum)
	widest := slices.Max(p.variance) / float64(n)
	for j, v := range p.variance {
		v /= float64(n)
		if common {
			p.b[j] = inverse(math.Sqrt(widest))
		} else {
			p.b[j] = inverse(math.Sqrt(v))
		}
		p.variance[j] = v * p.b[j] * p.b[j]
	}
	_ = parallel.For(ctx, n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := p.x[i*d : (i+1)*d]
			for j := range row {
				row[j] *= p.b[j]
			}
		}
	})
	return p, ctx.Err()
}

func sum(a, b float64) float64 { return a + b }

// columns folds rows into d numbers, chunk by chunk, and merges those in order.
func columns(ctx context.Context, n, d int, add func(i int, into []float64), merge func(a, b float64) float64) []float64 {
	of := make([][]float64, parallel.Chunks(n, chunk))
	_ = parallel.For(ctx, n, chunk, func(c, lo, hi int) {
		of[c] = make([]float64, d)
		for i := lo; i < hi; i++ {
			add(i, of[c])
		}
	})
	total := make([]float64, d)
	for _, part := range of {
		for j, v := range part {
			total[j] = merge(total[j], v)
		}
	}
	return total
}

// inverse is a power of two near 1/v; 1 for zero.
func inverse(v float64) float64 {
	if v == 0 {
		return 1
	}
	_, e := math.Frexp(v)
	return math.Ldexp(1, min(max(-e, -1021), 1021))
}

func (p *points) row(i int) []float64 { return p.x[i*p.d : (i+1)*p.d] }

// far bounds coordinates, so that products with them are finite or plainly infinite.
const far = 1e300

// into writes x in the coordinates to dst.
func (u units) into(dst, x []float64) {
	for j, v := range x {
		dst[j] = min(max((v*u.a[j]-u.m[j])*u.b[j], -far), far)
	}
}

// outOf writes z in the caller's coordinates to dst.
func (u units) outOf(dst, z []float64) {
	for j, v := range z {
		dst[j] = (v/u.b[j] + u.m[j]) / u.a[j]
	}
}

// covarianceIn and covarianceOut change the units of a covariance of columns i and j.
func (u units) covarianceIn(c float64, i, j int) float64 {
	return c * u.a[i] * u.b[i] * u.a[j] * u.b[j]
}
func (u units) covarianceOut(c float64, i, j int) float64 {
	return c / u.b[i] / u.b[j] / u.a[i] / u.a[j]
}

// logVolume is log |∂z/∂x|: what a log density in the coordinates lacks of one in the caller's.
func (u units) logVolume() float64 {
	e := 0
	for j := range u.a {
		e += math.Ilogb(u.a[j]) + math.Ilogb(u.b[j])
	}
	return float64(e) * math.Ln2
}

// matrixOut returns rows of z as a matrix in the caller's coordinates.
func (u units) matrixOut(z []float64) *mat.Dense {
	d := len(u.a)
	out := mat.NewDense(len(z)/d, d, nil)
	for i := range len(z) / d {
		u.outOf(out.RawRowView(i), z[i*d:(i+1)*d])
	}
	return out
}

// matrixIn is the reverse.
func (u units) matrixIn(x *mat.Dense) []float64 {
	n, d := x.Dims()
	out := make([]float64, n*d)
	for i := range n {
		u.into(out[i*d:(i+1)*d], x.RawRowView(i))
	}
	return out
}

// Start names how a mixture chooses its first components.
type Start string

// The starts of a mixture.
const (
	// FromKMeans takes the clusters of k-means, started by greedy k-means++ (Arthur & Vassilvitskii, 2007), on columns divided by their standard deviation
	// where the method does not depend on units, and on the data as they are where it does (spherical components).
	FromKMeans Start = "k-means"
	// RandomPoints takes K different points for means and the covariance of all data for every component.
	RandomPoints Start = "random points"
)

const startNames = `"k-means", "random points"`

func (s Start) valid() bool { return s == "" || s == FromKMeans || s == RandomPoints }

// choose returns K starting points, rows of p.
func (s Start) choose(ctx context.Context, p *points, k int, seed uint64, restart int) []float64 {
	r := rng.New(seed, restart)
	if s == RandomPoints {
		centers := make([]float64, 0, k*p.d)
		for _, i := range r.Perm(p.n)[:k] {
			centers = append(centers, p.row(i)...)
		}
		return centers
	}
	return plusPlus(ctx, p, k, r)
}

func orDefault[T int | float64](v, otherwise T) T {
	if v == 0 {
		return otherwise
	}
	return v
}

// checkK is the condition on the number of components that every method here has.
func checkK(method string, k, n int) error {
	if k < 1 || k > n {
		return ml.BadParameter(method, "K", k, sprintf("1 ≤ K ≤ n = %d, the number of rows", n))
	}
	return nil
}

// draw returns an index with probability proportional to its weight; any, where all are 0.
func draw(r *rand.Rand, weights []float64) int {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	if total == 0 {
		return r.IntN(len(weights))
	}
	u, last := r.Float64()*total, 0
	for i, w := range weights {
		if w > 0 {
			last = i
			if u -= w; u <= 0 {
				break
			}
		}
	}
	return last
}
