package neighbors

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
)

// trees tells all rows of each other that share a leaf of one of count random trees.
func (d *descent) trees(ctx context.Context, count int, seed uint64) error {
	limit := max(128, 2*d.k+2)
	if d.euclidean {
		limit = max(512, 2*d.k+2) // a matrix product finds what is near in a large leaf faster than rounds of introductions would
	}
	forest := make([]randomTree, count)
	err := parallel.For(ctx, count, 1, func(t, _, _ int) { forest[t].grow(ctx, d.space, limit, rng.New(seed, 0, t)) })
	if err != nil {
		return err
	}
	for _, t := range forest {
		err := parallel.For(ctx, len(t.leaves), 1, func(l, _, _ int) {
			leaf := t.index[t.leaves[l].lo:t.leaves[l].hi]
			if d.euclidean {
				d.multiply(ctx, leaf)
			} else {
				d.acquaint(ctx, leaf)
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// acquaint introduces the rows of a leaf to each other.
func (d *descent) acquaint(ctx context.Context, leaf []int32) {
	rows := make([]float64, len(leaf)*d.d)
	dist := make([]float64, len(leaf))
	for k, i := range leaf {
		copy(rows[k*d.d:(k+1)*d.d], d.value(int(i)))
	}
	for k, i := range leaf {
		if ctx.Err() != nil {
			return
		}
		others := leaf[k+1:]
		d.rows(dist[:len(others)], rows[k*d.d:(k+1)*d.d], rows[(k+1)*d.d:])
		for l, j := range others {
			d.introduce(i, j, dist[l])
		}
	}
}

// multiply does the same by matrix products, a strip of rows at a time: score = ‖xⱼ‖²/2 − xᵢ·xⱼ
// orders the xⱼ by distance from xᵢ, and what it puts within reach, rounding allowed for, is
// measured.
func (d *descent) multiply(ctx context.Context, leaf []int32) {
	const strip = 64
	m := len(leaf)
	rows, halves, scores := make([]float64, m*d.d), make([]float64, m), make([]float64, strip*m)
	for k, i := range leaf {
		copy(rows[k*d.d:(k+1)*d.d], d.row(int(i)))
		halves[k] = d.halves[i]
	}
	for lo := 0; lo < m && ctx.Err() == nil; lo += strip {
		hi := min(lo+strip, m)
		for k := lo; k < hi; k++ {
			copy(scores[(k-lo)*m:(k-lo+1)*m], halves)
		}
		blas.AddMulT(scores[:(hi-lo)*m], -1, rows[lo*d.d:hi*d.d], hi-lo, rows, m, d.d)
		for k := lo; k < hi; k++ {
			i, row := leaf[k], scores[(k-lo)*m:(k-lo+1)*m]
			length := math.Sqrt(2*halves[k]) + d.largest
			rounding := 4e-16*float64(d.d+8)*length*length + math.SmallestNonzeroFloat64
			value := d.value(int(i))
			for l := 0; ; l++ {
				l += blas.FirstBelow(row[l:], math.Float64frombits(d.far[i].Load())/2-halves[k]+rounding)
				if l == m {
					break
				}
				if l != k {
					d.offer(i, leaf[l], blas.SqEuclidean(value, d.value(int(leaf[l]))))
				}
			}
		}
	}
}

// randomTree halves the rows, again and again, across the direction from one random row to another
// (Dasgupta & Freund, 2008), down to leaves of at most a limit.
type randomTree struct {
	index  []int32
	leaves []leaf
	along  []float64 // of the row at each place of index, where it lies in the direction of the split
}

func (t *randomTree) grow(ctx context.Context, s *space, limit int, r *rand.Rand) {
	t.index, t.along = make([]int32, s.n), make([]float64, s.n)
	for i := range t.index {
		t.index[i] = int32(i)
	}
	t.split(ctx, s, 0, s.n, limit, r, make([]float64, s.d))
	t.along = nil
}

func (t *randomTree) split(ctx context.Context, s *space, lo, hi, limit int, r *rand.Rand, direction []float64) {
	if hi-lo <= limit || ctx.Err() != nil {
		t.leaves = append(t.leaves, leaf{lo: lo, hi: hi})
		return
	}
	// Two rows may be equal where many are; all others then lie in the middle, and a few more draws
	// find a direction if there is one.
	for range 5 {
		copy(direction, s.row(int(t.index[lo+r.IntN(hi-lo)])))
		blas.Axpy(-1, s.row(int(t.index[lo+r.IntN(hi-lo)])), direction)
		if blas.Dot(direction, direction) > 0 {
			break
		}
	}
	for k := lo; k < hi; k++ {
		t.along[k] = blas.Dot(direction, s.row(int(t.index[k])))
	}
	mid := (lo + hi) / 2
	t.part(lo, hi, mid, r)
	t.split(ctx, s, lo, mid, limit, r, direction)
	t.split(ctx, s, mid, hi, limit, r, direction)
}

// part moves what lies before the middle of the order to the left of place mid, and the rest to its
// right (Hoare's selection, three ways, so that equal ones do no harm).
func (t *randomTree) part(lo, hi, mid int, r *rand.Rand) {
	for hi-lo > 1 {
		pivot := t.along[lo+r.IntN(hi-lo)]
		less, k, more := lo, lo, hi
		for k < more {
			switch v := t.along[k]; {
			case v < pivot:
				t.swap(less, k)
				less++
				k++
			case v > pivot:
				more--
				t.swap(k, more)
			default:
				k++
			}
		}
		switch {
		case mid < less:
			hi = less
		case mid >= more:
			lo = more
		default:
			return
		}
	}
}

func (t *randomTree) swap(i, j int) {
	t.index[i], t.index[j] = t.index[j], t.index[i]
	t.along[i], t.along[j] = t.along[j], t.along[i]
}
