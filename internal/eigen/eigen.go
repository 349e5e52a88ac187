// Package eigen finds a few eigenvectors of a large symmetric matrix that is known by what it does
// to vectors.
package eigen

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

// An Operator is a symmetric n×n matrix with eigenvalues from 0 to Upper.
type Operator interface {
	Dim() int
	Upper() float64
	// Apply sets dst to the product of the matrix with the n×width matrix src, both row by row.
	Apply(dst, src []float64, width int)
}

// A Result holds eigenpairs in ascending order.
type Result struct {
	Values    []float64
	Vectors   [][]float64 // orthonormal, one a value
	Residual  float64     // the largest ‖Av−λv‖, in units of Upper
	Converged bool        // Residual is at most 1e-8
}

const (
	tolerance = 1e-8
	maxSteps  = 300
	maxDegree = 400
)

// Smallest returns the count smallest eigenpairs that are orthogonal to the known vectors, which
// are orthonormal eigenvectors of the smallest eigenvalues themselves. It iterates a block of
// vectors under a Chebyshev polynomial of the matrix that is small on the rest of the spectrum
// (Zhou, Saad, Tiago & Chelikowsky, 2006), so eigenvalues may be multiple; a matrix of up to 200
// rows is reduced whole. Signs follow SetSign; otherwise the result depends on the seed within the
// residual. Cancelled, it returns the best it has, and ctx.Err().
func Smallest(ctx context.Context, a Operator, count int, known [][]float64, seed uint64) (Result, error) {
	return SmallestWithin(ctx, a, count, known, seed, tolerance)
}

// SmallestWithin is Smallest to a residual of at most the given one, for whoever wants no more than
// a direction: Converged says that it was reached.
func SmallestWithin(ctx context.Context, a Operator, count int, known [][]float64, seed uint64, tolerance float64) (Result, error) {
	count = min(count, a.Dim()-len(known))
	if count <= 0 {
		return Result{Converged: true}, ctx.Err()
	}
	var r Result
	if a.Dim() <= few {
		r = smallestDense(lifted(a, known), count)
	} else {
		r = iterate(ctx, a, count, known, seed, tolerance)
	}
	for _, v := range r.Vectors {
		SetSign(v)
	}
	return r, ctx.Err()
}

// iterate is Smallest for many rows.
func iterate(ctx context.Context, a Operator, count int, known [][]float64, seed uint64, tolerance float64) Result {
	b := newBlock(a, count, max(4, count/2), known, seed)
	b.project()
	// A first look under a low polynomial: its edge is a guess, all later ones are Ritz values,
	// which lie above the eigenvalues they stand for.
	b.filter(ctx, 10, a.Upper()/4)
	if ctx.Err() == nil {
		b.orthonormalize(seed)
		b.project()
	}
	for range maxSteps {
		if r := b.residual(count); ctx.Err() != nil || r <= tolerance || math.IsNaN(r) {
			break
		}
		// The edge is the last Ritz value, but not nearer to the wanted than this: of a value with
		// more copies than the block has vectors none would be told from the rest. Values at the
		// very top are found all the same, as what is left when the others are.
		edge := min(max(b.values[b.width-1], b.values[count-1]+3e-5*a.Upper()), 0.9*a.Upper())
		b.filter(ctx, b.degree(count, edge), edge)
		if ctx.Err() != nil {
			break // the basis is the one before
		}
		b.orthonormalize(seed)
		b.project()
	}
	residual := b.residual(count)
	return Result{b.values[:count], b.vectors[:count], residual, residual <= tolerance}
}

// block is the basis that is iterated.
type block struct {
	a        Operator
	n, width int
	known    [][]float64
	vectors  [][]float64 // width of them, orthonormal after project
	images   [][]float64 // a times each
	values   []float64   // Ritz values, ascending
}

// newBlock starts with random vectors, some more than are wanted: they keep the wanted away from
// the edge of what a filter damps.
func newBlock(a Operator, count, more int, known [][]float64, seed uint64) *block {
	width := min(a.Dim()-len(known), count+more)
	b := &block{a: a, n: a.Dim(), width: width, known: known, values: slices.Repeat([]float64{math.NaN()}, width)}
	r := rng.New(seed)
	b.vectors = make([][]float64, b.width)
	for k := range b.vectors {
		b.vectors[k] = make([]float64, b.n)
		for i := range b.vectors[k] {
			b.vectors[k][i] = r.NormFloat64()
		}
	}
	b.orthonormalize(seed)
	return b
}

// orthonormalize makes the vectors orthonormal, and orthogonal to the known ones, by Gram-Schmidt
// done twice; one that depends on those before it is replaced by a random one.
func (b *block) orthonormalize(seed uint64) {
	for k, v := range b.vectors {
		for attempt := 0; ; attempt++ {
			before := math.Sqrt(blas.Dot(v, v))
			for range 2 {
				for _, u := range b.known {
					blas.Axpy(-blas.Dot(u, v), u, v)
				}
				for _, u := range b.vectors[:k] {
					blas.Axpy(-blas.Dot(u, v), u, v)
				}
			}
			norm := math.Sqrt(blas.Dot(v, v))
			if norm > 1e-13*before && norm > 0 && norm-norm == 0 {
				for i := range v {
					v[i] /= norm
				}
				break
			}
			r := rng.New(seed, k+1, attempt)
			for i := range v {
				v[i] = r.NormFloat64()
			}
		}
	}
}

// project turns the basis to the eigenvectors of the matrix within its span (Rayleigh and Ritz).
func (b *block) project() {
	b.images = unpack(b.apply(pack(b.vectors)), b.width)
	h := mat.NewSymDense(b.width, nil)
	for i, u := range b.vectors {
		for j := i; j < b.width; j++ {
			h.SetSym(i, j, (blas.Dot(u, b.images[j])+blas.Dot(b.vectors[j], b.images[i]))/2)
		}
	}
	var e mat.EigenSym
	if !e.Factorize(h, true) {
		return // the matrix is not finite; the values say so
	}
	var turn mat.Dense
	e.VectorsTo(&turn)
	b.values = e.Values(nil)
	b.vectors, b.images = rotate(b.vectors, &turn), rotate(b.images, &turn)
}

func rotate(vectors [][]float64, turn *mat.Dense) [][]float64 {
	out := make([][]float64, len(vectors))
	_ = parallel.For(context.Background(), len(vectors), 1, func(k, _, _ int) {
		out[k] = make([]float64, len(vectors[0]))
		for l, v := range vectors {
			blas.Axpy(turn.At(l, k), v, out[k])
		}
	})
	return out
}

// residual is the largest of the first count.
func (b *block) residual(count int) float64 {
	worst := 0.0
	for k := range count {
		s := 0.0
		for i, v := range b.vectors[k] {
			r := b.images[k][i] - b.values[k]*v
			s += r * r
		}
		worst = max(worst, math.Sqrt(s))
	}
	return worst / b.a.Upper()
}

// filter multiplies the basis by the Chebyshev polynomial of the degree that is at most 1 in size
// from edge to Upper and grows below, scaled to be 1 at the smallest Ritz value.
func (b *block) filter(ctx context.Context, degree int, edge float64) {
	half, middle := (b.a.Upper()-edge)/2, (b.a.Upper()+edge)/2
	lowest := 0.0
	if !math.IsNaN(b.values[0]) {
		lowest = min(b.values[0], edge-1e-3*half) // below the edge, where the polynomial is not 0
	}
	sigma := half / (lowest - middle)
	tau := 2 / sigma
	x := pack(b.vectors)
	y := b.apply(x)
	for i := range y {
		y[i] = (y[i] - middle*x[i]) * sigma / half
	}
	for range degree - 1 {
		if ctx.Err() != nil {
			return
		}
		next := 1 / (tau - sigma)
		z := b.apply(y)
		f, g := 2*next/half, sigma*next
		for i := range z {
			z[i] = f*(z[i]-middle*y[i]) - g*x[i]
		}
		b.deflate(z)
		x, y, sigma = y, z, next
	}
	b.vectors = unpack(y, b.width)
	// Each in its own length again, so that orthonormalize sees which depend on others.
	for _, v := range b.vectors {
		if norm := math.Sqrt(blas.Dot(v, v)); norm > 0 {
			for i := range v {
				v[i] /= norm
			}
		}
	}
}

// degree is high enough to tell the last wanted value from the edge, and not so high that the first
// drowns it: the polynomial may differ by e⁴⁰ between the two, of which orthonormalize can still
// take away what rounding let in.
func (b *block) degree(count int, edge float64) int {
	m := float64(maxDegree)
	upper := b.a.Upper()
	if gap := (edge - b.values[count-1]) / upper; gap > 0 {
		m = min(m, max(20, 4/math.Sqrt(gap)))
	}
	if edge > b.values[0] && edge < upper {
		m = min(m, 40/math.Acosh(1+2*(edge-b.values[0])/(upper-edge)))
	}
	return max(2, int(m))
}

func (b *block) apply(x []float64) []float64 {
	y := make([]float64, len(x))
	b.a.Apply(y, x, b.width)
	return y
}

// deflate takes away what rounding let in of the known vectors, which the polynomial would make
// larger than all others.
func (b *block) deflate(x []float64) {
	sum := make([]float64, b.width)
	for _, u := range b.known {
		clear(sum)
		for i, f := range u {
			blas.Axpy(f, x[i*b.width:(i+1)*b.width], sum)
		}
		for i, f := range u {
			blas.Axpy(-f, sum, x[i*b.width:(i+1)*b.width])
		}
	}
}

// pack lays vectors side by side, as columns.
func pack(vectors [][]float64) []float64 {
	w := len(vectors)
	x := make([]float64, w*len(vectors[0]))
	for k, v := range vectors {
		for i, f := range v {
			x[i*w+k] = f
		}
	}
	return x
}

func unpack(x []float64, width int) [][]float64 {
	n := len(x) / width
	vectors := make([][]float64, width)
	for k := range vectors {
		vectors[k] = make([]float64, n)
		for i := range n {
			vectors[k][i] = x[i*width+k]
		}
	}
	return vectors
}
