// Package discriminant classifies rows by Gaussians, one a class: with one covariance for all
// classes, which makes the boundaries between them planes (LDA), or with one for each, which makes
// them quadrics (QDA). LDA also gives the axes on which the classes lie furthest apart.
package discriminant

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/internal/labelled"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Divisor is what sums of squares are divided by to make covariances.
type Divisor string

// The divisors. Programs differ: scikit-learn has divided by n since its version 1.9, R's MASS
// divides by n−K. On iris, posteriors differ by up to 0.0045 for LDA and 0.0075 for QDA.
const (
	// MaximumLikelihood divides by the number of rows: n of all classes, nₖ of one.
	MaximumLikelihood Divisor = "n"
	// Unbiased takes off the number of means that were estimated: n−K for all classes, nₖ−1 for
	// one.
	Unbiased Divisor = "n-K"
)

// gaussians is what LDA and QDA begin with: the rows in coordinates in which nothing overflows,
// sorted by class, less the mean of their class. Columns that are constant are left out.
type gaussians struct {
	method   string
	names    []int // the labels, ascending
	counts   []int
	first    []int // row of centered with which a class begins; length K+1
	priors   []float64
	all      scaling.Units // of the caller's columns
	columns  []int         // those that vary, d of them here
	units    scaling.Units // theirs
	means    *mat.Dense    // K×d
	centered *mat.Dense    // n×d
	total    []float64     // standard deviation of each column
	within   []float64     // that about the means of the classes; 0 where it is rounding
}

// noVariation is the part of a column's standard deviation below which one about the means of the
// classes is rounding.
const noVariation = 1e-12

// newGaussians checks the options that both methods have, and reads the data. Columns have units of
// their own where a target of shrinkage does not compare them.
func newGaussians(ctx context.Context, method string, x mat.Matrix, y []int, priors []float64, s shrink, divisor Divisor) (*gaussians, error) {
	if err := s.check(method); err != nil {
		return nil, err
	}
	if divisor != "" && divisor != MaximumLikelihood && divisor != Unbiased {
		return nil, ml.BadParameter(method, "Divisor", fmt.Sprintf("%q", divisor), `"n", the default, or "n-K"`)
	}
	rows, given, err := labelled.Rows(method, x, y)
	if err != nil {
		return nil, err
	}
	g := &gaussians{method: method}
	of, names := labelled.Classes(given)
	k := len(names)
	if g.names = names; k < 2 {
		return nil, ml.BadParameter(method, "the number of classes", k, "at least 2")
	}
	n, _ := rows.Dims()
	g.counts, g.first = make([]int, k), make([]int, k+1)
	for _, c := range of {
		g.counts[c]++
	}
	for c, count := range g.counts {
		g.first[c+1] = g.first[c] + count
	}
	if g.priors, err = g.normalized(priors); err != nil {
		return nil, err
	}
	z, err := scaling.Standardize(ctx, rows, s.comparesColumns())
	if err != nil {
		return nil, err
	}
	g.all = z.Units
	for j, v := range z.Variance {
		if v > 0 {
			g.columns, g.total = append(g.columns, j), append(g.total, math.Sqrt(v))
			g.units.A, g.units.M, g.units.B = append(g.units.A, z.A[j]), append(g.units.M, z.M[j]), append(g.units.B, z.B[j])
		}
	}
	if g.columns == nil {
		return nil, g.noVariance()
	}
	g.centered = mat.NewDense(n, len(g.columns), nil)
	next := slices.Clone(g.first)
	for i, c := range of {
		to := g.centered.RawRowView(next[c])
		for j, from := range g.columns {
			to[j] = z.X.At(i, from)
		}
		next[c]++
	}
	return g, g.center(ctx)
}

func (g *gaussians) noVariance() error {
	return ml.BadParameter(g.method, "the variance within the classes", 0, "more: every row is equal to the mean of its class")
}

// normalized returns the priors, which sum to one: the shares of the classes unless they are given.
func (g *gaussians) normalized(priors []float64) ([]float64, error) {
	k := len(g.counts)
	out := make([]float64, k)
	if priors == nil {
		for c, count := range g.counts {
			out[c] = float64(count) / float64(g.first[k])
		}
		return out, nil
	}
	if len(priors) != k {
		return nil, ml.BadShape(g.method, "Priors has length %d, want %d, one a class", len(priors), k)
	}
	most := slices.Max(priors)
	for c, p := range priors {
		if !(p > 0) || math.IsInf(most, 0) {
			return nil, ml.BadParameter(g.method, fmt.Sprintf("Priors[%d]", c), p, "a positive number")
		}
		out[c] = p / most
	}
	floats.Scale(1/floats.Sum(out), out)
	return out, nil
}

// center takes the means of the classes from their rows.
func (g *gaussians) center(ctx context.Context) error {
	_, d := g.centered.Dims()
	g.means = mat.NewDense(len(g.names), d, nil)
	ones := slices.Repeat([]float64{1}, d)
	for c := range g.names {
		rows := g.class(c)
		mean, _ := scaling.Means(ctx, rows, ones)
		g.means.SetRow(c, mean)
		for i := range g.counts[c] {
			floats.Sub(rows.RawRowView(i), mean)
		}
	}
	g.within = g.deviations(ctx, g.centered)
	return ctx.Err()
}

// class returns the centered rows of a class.
func (g *gaussians) class(c int) *mat.Dense {
	_, d := g.centered.Dims()
	return g.centered.Slice(g.first[c], g.first[c+1], 0, d).(*mat.Dense)
}

// deviations returns the standard deviation of each column of centered rows, 0 where it is
// rounding.
func (g *gaussians) deviations(ctx context.Context, rows *mat.Dense) []float64 {
	n, _ := rows.Dims()
	of := scaling.Fold(ctx, rows, func(row, into []float64) {
		for j, v := range row {
			into[j] += v * v
		}
	}, func(a, b float64) float64 { return a + b })
	for j, v := range of {
		if of[j] = math.Sqrt(v / float64(n)); of[j] <= noVariation*g.total[j] {
			of[j] = 0
		}
	}
	return of
}

// covarianceOut returns a covariance, times a factor, in the caller's columns and units.
func (g *gaussians) covarianceOut(cov *mat.SymDense, factor float64, of string) (*mat.SymDense, error) {
	d := len(g.all.A)
	full := mat.NewDense(d, d, nil) // with both triangles, as a file gives it back
	for i, to := range g.columns {
		for j, column := range g.columns {
			full.Set(to, column, g.units.CovarianceOut(cov.At(i, j)*factor, i, j))
		}
		if v := full.At(to, to); math.IsInf(v, 0) || v == 0 && cov.At(i, i) != 0 {
			return nil, ml.NotFinite(g.method, "the variance of column %d%s is beyond the range of a float64: scale the data", to, of)
		}
	}
	return mat.NewSymDense(d, full.RawMatrix().Data), nil
}

// rowsOut brings a matrix that multiplies rows of data from the right to the caller's columns and
// units.
func (g *gaussians) rowsOut(w *mat.Dense) (*mat.Dense, error) {
	_, r := w.Dims()
	out := mat.NewDense(len(g.all.A), r, nil)
	for j, to := range g.columns {
		for c, v := range w.RawRowView(j) {
			v *= g.units.A[j] * g.units.B[j]
			if v-v != 0 {
				return nil, ml.NotFinite(g.method, "column %d varies by less than a float64 has room for: scale the data", to)
			}
			out.Set(to, c, v)
		}
	}
	return out, nil
}

// meanOut writes a mean in the caller's columns and units to dst.
func (g *gaussians) meanOut(dst, mean []float64) {
	z := make([]float64, len(dst)) // 0 is the value of a constant column
	for j, to := range g.columns {
		z[to] = mean[j]
	}
	g.all.OutOf(dst, z)
}

// far bounds numbers that are summed, so that the classes of rows far from all data are compared
// and never NaN.
const far = 1e150

// differences writes x − mean to dst.
func differences(dst, x, mean []float64) {
	for j, v := range x {
		dst[j] = v - mean[j]
	}
}

// bounded returns the sum of aⱼbⱼ with every number held within bounds.
func bounded(a, b []float64) (sum float64) {
	for j, v := range a {
		sum += min(max(min(max(v, -math.MaxFloat64), math.MaxFloat64)*b[j], -far), far)
	}
	return min(max(sum, -far), far)
}

// logPosterior turns the logarithms of prior times density, each up to one term that the classes
// share, to log p(class | x), rows of an n×K matrix.
func logPosterior(n, k int, joint func(lo, hi int, out *mat.Dense)) *mat.Dense {
	out := mat.NewDense(n, k, nil)
	_ = parallel.For(context.Background(), n, 512, func(_, lo, hi int) {
		joint(lo, hi, out)
		for i := lo; i < hi; i++ {
			row := out.RawRowView(i)
			floats.AddConst(-floats.Max(row), row) // of a row far away, log K would be lost in the sum
			floats.AddConst(-floats.LogSumExp(row), row)
		}
	})
	return out
}

// likeliest returns the class of greatest posterior of each row, of equal ones the first.
func likeliest(log *mat.Dense, names []int) []int {
	n, _ := log.Dims()
	out := make([]int, n)
	for i := range out {
		out[i] = names[floats.MaxIdx(log.RawRowView(i))]
	}
	return out
}

// exponentials returns e to each number.
func exponentials(log *mat.Dense) *mat.Dense {
	log.Apply(func(_, _ int, v float64) float64 { return math.Exp(v) }, log)
	return log
}

// query checks rows that a model is asked about.
func query(method string, x mat.Matrix, d int) (*mat.Dense, error) {
	rows, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	return rows, ml.Columns(method, rows, d)
}
