// Package cluster partitions points: k-means and its kin, with exact optima where they can be had;
// trees over points, built from below and from above, and what is read off them; and cuts of graphs
// of similarities.
package cluster

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// points is the data as the algorithms see it: moved to the origin, since ‖x‖²−2x·c+‖c‖² loses all
// digits far from it, and scaled by a power of two, which changes no digit and keeps squares of
// 1e±150 in range.
type points struct {
	x      *mat.Dense  // n×d, contiguous
	sparse *csr.Matrix // instead of x, only scaled
	norms  []float64   // squared, of the rows
	n, d   int
	shift  []float64 // x = (original·scale) − shift
	scale  float64
	init   *mat.Dense // given centers, shifted likewise
}

// center prepares the rows of x, moved to their mean; other, if there, is compared with them, and
// counts in the choice of scale.
func center(ctx context.Context, x, other *mat.Dense) *points { return centerAt(ctx, x, other, x) }

// centerAt prepares the rows of x, moved to the mean of another matrix. Where ctx ends first the
// result is of no use: the caller looks at ctx.Err().
func centerAt(ctx context.Context, x, other, origin *mat.Dense) *points {
	n, d := x.Dims()
	most := scaling.MaxAbs(ctx, x)
	if other != nil {
		most = max(most, scaling.MaxAbs(ctx, other))
	}
	p := &points{n: n, d: d, scale: scaling.PowerOfTwo(most)}
	p.shift, _ = scaling.Means(ctx, origin, slices.Repeat([]float64{p.scale}, d))
	moved, norms := scaling.Move(ctx, x, p.scale, p.shift)
	p.x, p.norms = mat.NewDense(n, d, moved), norms
	return p
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

// unscaled brings a sum of squares back. Dividing twice keeps a scale of 1e±150 from overflowing on
// the way.
func (p *points) unscaled(j float64) float64 { return j / p.scale / p.scale }

// representable gives the model back, unless no float64 can hold its inertia.
func (p *points) representable(m *KMeansModel) (*KMeansModel, error) {
	if m != nil && math.IsInf(m.Inertia, 0) {
		return nil, ml.BadParameter("cluster", "the scale of x", 1/p.scale, "values whose squares can be summed: divide the data by a constant")
	}
	return m, nil
}
