// Package scaling changes the unit and the origin of data so that squares of it neither overflow
// nor vanish, and sums of squares keep their digits far from 0. Units change by powers of two,
// which change no digit.
package scaling

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/mat"
)

// chunk is how many rows a task takes.
const chunk = 2048

// PowerOfTwo returns the power of two that brings a number to between a half and one, or as near as
// a float64 can, and 1 for 0.
func PowerOfTwo(v float64) float64 {
	if v == 0 {
		return 1
	}
	_, e := math.Frexp(v)
	return math.Ldexp(1, min(max(-e, -1021), 1021))
}

// Factor is PowerOfTwo for data whose largest value in size is most, if squares of it would
// overflow or vanish, and 1 otherwise.
func Factor(most float64) float64 {
	if most > 1e-100 && most < 1e100 {
		return 1
	}
	return PowerOfTwo(most)
}

// InRange returns x times the Factor of its values, and that factor: x itself where it is 1.
func InRange(x *mat.Dense) (*mat.Dense, float64) {
	factor := Factor(MaxAbs(context.Background(), x))
	if factor == 1 {
		return x, 1
	}
	var y mat.Dense
	y.Scale(factor, x)
	return &y, factor
}

// MaxAbs returns the largest value in size. When ctx ends first the result is of no use.
func MaxAbs(ctx context.Context, x *mat.Dense) float64 {
	n, d := x.Dims()
	of := make([]float64, parallel.Chunks(n, chunk))
	_ = parallel.For(ctx, n, chunk, func(c, lo, hi int) {
		most := 0.0
		for i := lo; i < hi; i++ {
			for _, v := range x.RawRowView(i)[:d] {
				if a := math.Abs(v); a > most { // a branch that is hardly taken is quicker than max
					most = a
				}
			}
		}
		of[c] = most
	})
	return slices.Max(of)
}

// Fold folds the rows of x into d numbers, chunk by chunk, and merges the chunks' in order.
func Fold(ctx context.Context, x *mat.Dense, add func(row, into []float64), merge func(a, b float64) float64) []float64 {
	n, d := x.Dims()
	of := make([][]float64, parallel.Chunks(n, chunk))
	_ = parallel.For(ctx, n, chunk, func(c, lo, hi int) {
		into := make([]float64, d)
		for i := lo; i < hi; i++ {
			add(x.RawRowView(i), into)
		}
		of[c] = into
	})
	total := make([]float64, d)
	for _, part := range of {
		for j, v := range part {
			total[j] = merge(total[j], v)
		}
	}
	return total
}

func sum(a, b float64) float64 { return a + b }

// Means returns the mean of each column times its scale. That of a column of equal values is exact:
// off by a rounding, it would make distances of noise. When ctx ends first the result is of no use.
func Means(ctx context.Context, x *mat.Dense, scale []float64) (means []float64, constant []bool) {
	n, d := x.Dims()
	means = Fold(ctx, x, func(row, into []float64) {
		for j, v := range row {
			into[j] += v * scale[j]
		}
	}, sum)
	constant = make([]bool, d)
	for j, first := range x.RawRowView(0) {
		means[j] /= float64(n)
		// Columns are read again only where they may be constant.
		if v := first * scale[j]; math.Abs(means[j]-v) <= 0x1p-30*math.Abs(v) && ctx.Err() == nil {
			constant[j] = true
			for i := 1; i < n && constant[j]; i++ {
				constant[j] = x.At(i, j) == first
			}
			if constant[j] {
				means[j] = v
			}
		}
	}
	return means, constant
}

// Move returns x·scale − shift row by row, and the squared length of each row. When ctx ends first
// the result is of no use.
func Move(ctx context.Context, x *mat.Dense, scale float64, shift []float64) (moved, norms []float64) {
	n, d := x.Dims()
	moved, norms = make([]float64, n*d), make([]float64, n)
	_ = parallel.For(ctx, n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := moved[i*d : (i+1)*d]
			for j, v := range x.RawRowView(i) {
				row[j] = v*scale - shift[j]
			}
			norms[i] = blas.Dot(row, row)
		}
	})
	return moved, norms
}

// Center takes from each column of x its mean.
func Center(x *mat.Dense) {
	n, d := x.Dims()
	mean := make([]float64, d)
	for i := range n {
		blas.Axpy(1/float64(n), x.RawRowView(i), mean)
	}
	for i := range n {
		blas.Axpy(-1, mean, x.RawRowView(i))
	}
}
