package cluster

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"gonum.org/v1/gonum/mat"
)

// located is the data as the linkages see it: scaled by a power of two where squares would leave
// the range of a float64, moved where that loses no digit, and each row filled up with zeros to
// what a vector register holds.
type located struct {
	x            []float64 // n rows, stride apart
	n, d, stride int
	scale        float64 // x = (original − something)·scale
}

// locate prepares the rows of a matrix.
func locate(ctx context.Context, x *mat.Dense) (*located, error) {
	n, d := x.Dims()
	data := x.RawMatrix().Data[:n*d]
	shift, most := exactShift(data, d)
	p := &located{n: n, d: d, stride: d, scale: scaling.Factor(most)}
	if d > 4 {
		p.stride = (d + 3) &^ 3
	}
	if p.scale == 1 && p.stride == d && shift == nil {
		p.x = data
		return p, ctx.Err()
	}
	p.x = make([]float64, n*p.stride)
	err := parallel.For(ctx, n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := p.row(i)
			copy(row, data[i*d:(i+1)*d])
			for j := range shift {
				row[j] -= shift[j]
			}
			if p.scale != 1 {
				for j := range row[:d] {
					row[j] *= p.scale
				}
			}
		}
	})
	return p, err
}

func (p *located) row(i int) []float64 { return p.x[i*p.stride : (i+1)*p.stride] }

// exactShift returns, for data far from the origin, a row to be subtracted, nil for none: centroids
// of data near the origin keep more digits. For v ≤ 2u and u ≤ 2v the difference v−u is exact
// (Sterbenz), so a column is moved only where all its values lie within a factor of two, and
// differences of rows are the same to the last bit. Most is the largest absolute value that is
// left.
func exactShift(data []float64, d int) (shift []float64, most float64) {
	low, high := slices.Clone(data[:d]), slices.Clone(data[:d])
	for i := d; i < len(data); i += d {
		for j, v := range data[i : i+d] {
			low[j], high[j] = min(low[j], v), max(high[j], v)
		}
	}
	any := false
	for j := range low {
		switch {
		case low[j] > 0 && high[j]/2 <= low[j]:
			any, most = true, max(most, high[j]-low[j])
		case high[j] < 0 && low[j]/2 >= high[j]:
			any, most = true, max(most, high[j]-low[j])
			low[j] = high[j]
		default:
			most = max(most, high[j], -low[j])
			low[j] = 0
		}
	}
	if !any {
		return nil, most
	}
	return low, most
}

// nearby returns an order of the rows in which those that stand together lie together: halves by
// the column of greatest range, and so on within each half. For so few rows that a table of their
// distances stays in the cache it is the order they are in.
func (p *located) nearby(ctx context.Context) []int32 {
	order := positions(p.n)
	if p.n >= 1024 {
		p.halve(ctx, order)
	}
	return order
}

func (p *located) halve(ctx context.Context, order []int32) {
	if len(order) <= 16 || ctx.Err() != nil {
		return
	}
	low, high := slices.Clone(p.row(int(order[0]))), slices.Clone(p.row(int(order[0])))
	for _, i := range order[1:] {
		for j, v := range p.row(int(i)) {
			low[j], high[j] = min(low[j], v), max(high[j], v)
		}
	}
	widest := 0
	for j := range low {
		if high[j]-low[j] > high[widest]-low[widest] {
			widest = j
		}
	}
	slices.SortFunc(order, func(a, b int32) int {
		return cmp.Or(cmp.Compare(p.x[int(a)*p.stride+widest], p.x[int(b)*p.stride+widest]), cmp.Compare(a, b))
	})
	p.halve(ctx, order[:len(order)/2])
	p.halve(ctx, order[len(order)/2:])
}

// reordered has row order[i] of p as row i.
func (p *located) reordered(order []int32) *located {
	q := *p
	q.x = make([]float64, len(p.x))
	for i, from := range order {
		copy(q.row(i), p.row(int(from)))
	}
	return &q
}

// rowBlock is how many rows a pass compares with the same others: they stay in the first cache
// meanwhile.
const rowBlock = 256

// measure gives Euclidean distances, or, without root, their squares.
func (p *located) measure(root bool) measure {
	return func(dst []float64, i, lo int) error {
		if len(dst) == 0 {
			return nil
		}
		blas.SqEuclideanRows(dst, p.row(i), p.x[lo*p.stride:], p.stride)
		if root {
			for k, v := range dst {
				dst[k] = math.Sqrt(v)
			}
		}
		return nil
	}
}
