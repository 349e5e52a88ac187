package distance

import (
	"context"
	"math"
	"sync/atomic"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Cross returns the n×m table of distances between the rows of x (n×d) and the rows of y (m×d); a
// nil metric means Euclidean. It costs O(nmd), on all processors.
//
// The errors are those of NewRows, ml.ErrNotFinite for a distance that overflows or that a caller's
// metric gets wrong, with its rows, ml.ErrShape for a table of more than 2³¹ numbers, and
// ctx.Err().
func Cross(ctx context.Context, x, y mat.Matrix, metric Metric) (*mat.Dense, error) {
	const method = "distance.Cross"
	if y == nil {
		return nil, ml.BadShape(method, "y is nil, want the rows to measure to (Pairwise measures within x)")
	}
	r, err := newRows(method, metric, x, y)
	if err != nil {
		return nil, err
	}
	n, m := r.Dims()
	if n > maxTable/m {
		return nil, tooLarge(method, n, m)
	}
	out := mat.NewDense(n, m, nil)
	err = r.fill(ctx, method, func(i, lo, hi int) ([]float64, int) { return out.RawRowView(i)[lo:hi], lo })
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Pairwise returns the symmetric n×n table of distances between the rows of x; a nil metric means
// Euclidean. Each pair is computed once. The errors are those of Cross.
func Pairwise(ctx context.Context, x mat.Matrix, metric Metric) (*mat.SymDense, error) {
	const method = "distance.Pairwise"
	r, err := newRows(method, metric, x, nil)
	if err != nil {
		return nil, err
	}
	n, _ := r.Dims()
	if n > maxTable/n {
		return nil, tooLarge(method, n, n)
	}
	out := mat.NewSymDense(n, nil)
	raw := out.RawSymmetric()
	err = r.fill(ctx, method, func(i, lo, hi int) ([]float64, int) {
		lo = max(lo, i+1)
		if lo >= hi {
			return nil, lo
		}
		return raw.Data[i*raw.Stride+lo : i*raw.Stride+hi], lo
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Condensed returns the n(n−1)/2 distances between the rows of x, in the order (0,1), (0,2), …,
// (0,n−1), (1,2), … of SciPy's pdist; Index says where a pair lies. It takes half of Pairwise's
// memory. The errors are those of Cross.
func Condensed(ctx context.Context, x mat.Matrix, metric Metric) ([]float64, error) {
	const method = "distance.Condensed"
	r, err := newRows(method, metric, x, nil)
	if err != nil {
		return nil, err
	}
	n, _ := r.Dims()
	if n > maxTable/n*2 {
		return nil, tooLarge(method, n, n)
	}
	out := make([]float64, n*(n-1)/2)
	err = r.fill(ctx, method, func(i, lo, hi int) ([]float64, int) {
		lo = max(lo, i+1)
		if lo >= hi {
			return nil, lo
		}
		at := Index(n, i, lo)
		return out[at : at+hi-lo], lo
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Index is the place of the pair i < j of n rows in a condensed table.
func Index(n, i, j int) int { return i*(2*n-i-1)/2 + j - i - 1 }

// Square returns the table of distances that Condensed, or SciPy's pdist, gives as a list. The
// error is ml.ErrShape for a number of distances that is n(n−1)/2 for no n ≥ 2.
func Square(condensed []float64) (*mat.SymDense, error) {
	n := int((1 + math.Sqrt(1+8*float64(len(condensed)))) / 2)
	if n < 2 || n*(n-1)/2 != len(condensed) {
		return nil, ml.BadShape("distance.Square", "%d distances, want n(n−1)/2 for some n", len(condensed))
	}
	d := mat.NewSymDense(n, nil)
	for i := range n {
		for j := i + 1; j < n; j++ {
			d.SetSym(i, j, condensed[Index(n, i, j)])
		}
	}
	return d, nil
}

// maxTable bounds a table: 16 GiB. Whoever has more rows wants neighbors, not distances.
const maxTable = 1 << 31

func tooLarge(method string, n, m int) error {
	return ml.BadShape(method, "a table of %d×%d distances takes %.0f GiB, want at most 16: use NewRows, or package neighbors", n, m, float64(n)*float64(m)*8/(1<<30))
}

// fill computes a table, tile by tile, so that a stretch of y stays in the cache while some rows of
// x pass by. where gives the part of the output that belongs to row i and columns lo to hi, or what
// is wanted of it, and the column at which that begins.
func (r *Rows) fill(ctx context.Context, method string, where func(i, lo, hi int) (part []float64, from int)) error {
	n, m := r.Dims()
	d := 1
	if r.sparse == nil {
		_, d = r.x.Dims()
	} else {
		d += r.sparse.y.NNZ() / m
	}
	const tall = 32 // rows of x in a tile
	wide := max(8, 16384/d)
	across := parallel.Chunks(m, wide)
	var bad atomic.Int64 // 1 + the first pair in the order of the table whose distance is no number
	err := parallel.For(ctx, parallel.Chunks(n, tall)*across, 1, func(tile, _, _ int) {
		top, left := tile/across*tall, tile%across*wide
		for i := top; i < min(top+tall, n); i++ {
			part, from := where(i, left, min(left+wide, m))
			if len(part) == 0 {
				continue
			}
			r.From(part, i, from)
			for k, v := range part {
				if v-v != 0 {
					least(&bad, int64(i*m+from+k+1))
					return
				}
			}
		}
	})
	if at := int(bad.Load()) - 1; at >= 0 {
		i, j := at/m, at%m
		v := []float64{0}
		r.From(v, i, j)
		if math.IsInf(v[0], 1) {
			return ml.NotFinite(method, "the distance between rows %d and %d overflows: scale the data", i, j)
		}
		return ml.NotFinite(method, "the distance between rows %d and %d is %v, want a number", i, j, v[0])
	}
	return err
}

func least(a *atomic.Int64, v int64) {
	for {
		old := a.Load()
		if old != 0 && old <= v || a.CompareAndSwap(old, v) {
			return
		}
	}
}
