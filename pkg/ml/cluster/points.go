// Package cluster partitions points: k-means and its kin, with exact optima where they can be had; trees over points, built from below and from above, and what is read off
// them; and cuts of graphs of similarities.
package cluster

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// points is the data as the algorithms see it: moved to the origin, since ‖x‖²−2x·c+‖c‖² loses all digits far from it, and scaled by a power of two,
// which changes no digit and keeps squares of 1e±150 in range.
type points struct {
	x     *mat.Dense // n×d, contiguous
	norms []float64  // squared, of the rows
	n, d  int
	shift []float64 // x = (original·scale) − shift
	scale float64
	init  *mat.Dense // given centers, shifted likewise
}

// center prepares the rows of x, moved to their mean; other, if there, is compared with them, and counts in the choice of scale.
func center(ctx context.Context, x, other *mat.Dense) *points { return centerAt(ctx, x, other, x) }

// centerAt prepares the rows of x, moved to the mean of another matrix. Where ctx ends first the result is of no use: the caller looks at ctx.Err().
func centerAt(ctx context.Context, x, other, origin *mat.Dense) *points {
	n, d := x.Dims()
	most := maxAbs(ctx, x)
	if other != nil {
		most = max(most, maxAbs(ctx, other))
	}
	p := &points{n: n, d: d, scale: 1, norms: make([]float64, n)}
	if most > 0 {
		_, e := math.Frexp(most)
		p.scale = math.Ldexp(1, min(max(-e, -1021), 1021))
	}
	p.shift = mean(ctx, origin, p.scale)
	if ctx.Err() != nil {
		return p
	}
	src, out := x.RawMatrix().Data, make([]float64, n*d)
	_ = parallel.For(ctx, n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row, from := out[i*d:(i+1)*d], src[i*d:(i+1)*d]
			for j, v := range from {
				row[j] = v*p.scale - p.shift[j]
			}
			p.norms[i] = blas.Dot(row, row)
		}
	})
	p.x = mat.NewDense(n, d, out)
	return p
}

// mean returns the scaled mean of the rows, summed by chunk.
func mean(ctx context.Context, x *mat.Dense, scale float64) []float64 {
	n, d := x.Dims()
	data := x.RawMatrix().Data
	sums := make([][]float64, parallel.Chunks(n, chunk))
	err := parallel.For(ctx, n, chunk, func(c, lo, hi int) {
		sum := make([]float64, d)
		for i := lo; i < hi; i++ {
			for j, v := range data[i*d : (i+1)*d] {
				sum[j] += v * scale
			}
		}
		sums[c] = sum
	})
	if err != nil {
		return make([]float64, d)
	}
	m := sums[0]
	for _, s := range sums[1:] {
		for j, v := range s {
			m[j] += v
		}
	}
	for j := range m {
		m[j] /= float64(n)
		// A column of equal values must become exactly zero: a mean off by a rounding would make distances of noise.
		if v := data[j] * scale; math.Abs(m[j]-v) <= 0x1p-40*math.Abs(v) && constant(data, d, j) {
			m[j] = v
		}
	}
	return m
}

func constant(data []float64, d, j int) bool {
	for i := j; i < len(data); i += d {
		if data[i] != data[j] {
			return false
		}
	}
	return true
}

func maxAbs(ctx context.Context, m *mat.Dense) float64 {
	n, d := m.Dims()
	data := m.RawMatrix().Data
	of := make([]float64, parallel.Chunks(n, chunk))
	_ = parallel.For(ctx, n, chunk, func(c, lo, hi int) {
		for _, v := range data[lo*d : hi*d] {
			of[c] = max(of[c], math.Abs(v))
		}
	})
	return slices.Max(of)
}

func (p *points) row(i int) []float64 { return p.x.RawMatrix().Data[i*p.d : (i+1)*p.d] }

// shifted brings centers in the units of the data into those of the points.
func (p *points) shifted(c *mat.Dense) *mat.Dense {
	k, _ := c.Dims()
	out := mat.NewDense(k, p.d, nil)
	for i := range k {
		row := out.RawRowView(i)
		for j, v := range c.RawRowView(i) {
			row[j] = v*p.scale - p.shift[j]
		}
	}
	return out
}

func (p *points) unshifted(c *mat.Dense) *mat.Dense {
	k, _ := c.Dims()
	out := mat.NewDense(k, p.d, nil)
	for i := range k {
		row := out.RawRowView(i)
		for j, v := range c.RawRowView(i) {
			row[j] = (v + p.shift[j]) / p.scale
		}
	}
	return out
}

// unscaled brings a sum of squares back. Dividing twice keeps a scale of 1e±150 from overflowing on the way.
func (p *points) unscaled(j float64) float64 { return j / p.scale / p.scale }

// representable gives the model back, unless no float64 can hold its inertia.
func (p *points) representable(m *KMeansModel) (*KMeansModel, error) {
	if m != nil && math.IsInf(m.Inertia, 0) {
		return nil, ml.BadParameter("cluster", "the scale of x", 1/p.scale, "values whose squares can be summed: divide the data by a constant")
	}
	return m, nil
}
