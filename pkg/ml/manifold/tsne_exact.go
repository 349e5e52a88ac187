package manifold

import (
	"context"

	"github.com/golatent/latent/internal/parallel"
)

// exactRepulsion goes over all pairs.
type exactRepulsion struct {
	n, k   int
	xs, ys []float64 // of a map in the plane
	z      []float64 // of each row
}

func newExact(n, k int) *exactRepulsion {
	return &exactRepulsion{n, k, make([]float64, n), make([]float64, n), make([]float64, n)}
}

func (e *exactRepulsion) exact() bool { return true }

func (e *exactRepulsion) sum(ctx context.Context, push, y []float64) (float64, error) {
	if e.k == 2 {
		for i := range e.n {
			e.xs[i], e.ys[i] = y[2*i], y[2*i+1]
		}
	}
	if err := parallel.For(ctx, e.n, 64, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			if e.k == 2 {
				e.z[i], push[2*i], push[2*i+1] = repel(e.xs[i], e.ys[i], e.xs, e.ys)
				e.z[i]-- // the point itself
				continue
			}
			e.z[i] = repelAny(push[i*e.k:(i+1)*e.k], y, i)
		}
	}); err != nil {
		return 0, err
	}
	z := 0.0
	for _, v := range e.z {
		z += v
	}
	return z, nil
}

// repelAny is the repulsion on point i in any number of dimensions.
func repelAny(push, y []float64, i int) (z float64) {
	k := len(push)
	clear(push)
	at := y[i*k : (i+1)*k]
	for j := 0; j < len(y); j += k {
		if j == i*k {
			continue
		}
		s := 1.0
		for c, v := range at {
			s += (v - y[j+c]) * (v - y[j+c])
		}
		q := 1 / s
		z += q
		for c, v := range at {
			push[c] += q * q * (v - y[j+c])
		}
	}
	return z
}

// plainRepel returns Σ q, Σ q²·(x − xⱼ) and Σ q²·(y − yⱼ) over points in the plane.
func plainRepel(x, y float64, xs, ys []float64) (z, fx, fy float64) {
	ys = ys[:len(xs)]
	for j, v := range xs {
		dx, dy := x-v, y-ys[j]
		q := 1 / (1 + dx*dx + dy*dy)
		z += q
		fx += q * q * dx
		fy += q * q * dy
	}
	return z, fx, fy
}
