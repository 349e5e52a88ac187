package cluster

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	dist "github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// triangle is a table of the dissimilarities of n things, each pair once: row i has those from i+1
// to n−1.
type triangle [][]float64

// maxTableRows bounds a table to 16 GiB, as package distance does.
const maxTableRows = 1 << 16

// newTriangle makes room for the distances of n rows, piece by piece: to clear half a gigabyte at
// once would keep a context that has ended waiting. The error is ml.ErrShape for a table beyond
// what a machine should be asked for.
func newTriangle(ctx context.Context, method string, n int) (triangle, error) {
	if n > maxTableRows {
		return nil, ml.BadShape(method, "a table of the distances of %d rows takes %.0f GiB, want at most 16: single, Ward and centroid linkage of rows need none", n, float64(n)*float64(n-1)*4/(1<<30))
	}
	const piece = 1 << 18
	d := make(triangle, n)
	var free []float64
	for i := range n {
		size := n - 1 - i
		if len(free) < size {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			free = make([]float64, max(size, min(piece, size*(size+1)/2)))
		}
		d[i], free = free[:size:size], free[size:]
	}
	return d, nil
}

// entry is where the dissimilarity of i and j ≠ i stands.
func (d triangle) entry(i, j int32) *float64 {
	if i > j {
		i, j = j, i
	}
	return &d[i][j-i-1]
}

// measure sets dst[k] to the dissimilarity of rows i and lo+k; it may be called from several
// goroutines.
type measure func(dst []float64, i, lo int) error

// fill computes all rows.
func (d triangle) fill(ctx context.Context, of measure) error {
	errs := make([]error, len(d))
	err := parallel.For(ctx, len(d), 1, func(_, i, _ int) { errs[i] = of(d[i], i, i+1) })
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return err
}

// byMetric measures rows by any metric, and refuses what is no dissimilarity.
func byMetric(method string, metric dist.Metric, x *mat.Dense) (measure, error) {
	rows, err := dist.NewRows(metric, x, nil)
	if err != nil {
		return nil, err
	}
	return func(dst []float64, i, lo int) error {
		rows.From(dst, i, lo)
		return checkDistances(method, dst, i, lo)
	}, nil
}

// given copies a table of distances and checks it.
func given(ctx context.Context, method string, d mat.Matrix) (triangle, error) {
	n, _, err := ml.Size(method, d)
	if err != nil {
		return nil, err
	}
	raw, ok := d.(*mat.SymDense)
	if !ok {
		full, err := dist.Table(ctx, method, d)
		if err != nil {
			return nil, err
		}
		raw = mat.NewSymDense(n, full.RawMatrix().Data)
	}
	sym := raw.RawSymmetric()
	largest := 0.0
	for i := range n {
		for _, v := range sym.Data[i*sym.Stride+i : i*sym.Stride+n] {
			if v > largest && v <= math.MaxFloat64 {
				largest = v
			}
		}
	}
	slack := dist.TableTolerance * largest
	for i := range n {
		if v := raw.At(i, i); !(math.Abs(v) <= slack) {
			return nil, ml.BadParameter(method, sprintf("the distance of %d from itself", i), v, "0: are these similarities?")
		}
	}
	table, err := newTriangle(ctx, method, n)
	if err != nil {
		return nil, err
	}
	err = table.fill(ctx, func(dst []float64, i, lo int) error {
		copy(dst, sym.Data[i*sym.Stride+lo:i*sym.Stride+n])
		for k, v := range dst {
			if v < 0 && v >= -slack {
				dst[k] = 0
			}
		}
		return checkDistances(method, dst, i, lo)
	})
	if err != nil {
		return nil, err
	}
	return table, nil
}

// checkDistances refuses what is no dissimilarity among those of row i from rows lo, lo+1, ….
func checkDistances(method string, d []float64, i, lo int) error {
	for k, v := range d {
		if !(v >= 0 && v <= math.MaxFloat64) {
			return checkDistance(method, i, lo+k, v)
		}
	}
	return nil
}

// checkDistance refuses what is no dissimilarity.
func checkDistance(method string, i, j int, v float64) error {
	switch {
	case v-v != 0:
		return ml.NotFinite(method, "the distance between rows %d and %d is %v, want a finite number", min(i, j), max(i, j), v)
	case v < 0:
		return ml.BadParameter(method, sprintf("the distance between rows %d and %d", min(i, j), max(i, j)), v, "0 or more")
	}
	return nil
}

func overflow(method string) error {
	return ml.BadParameter(method, "the scale of the data", "too large", "distances that a float64 can hold: divide the data by a constant")
}
