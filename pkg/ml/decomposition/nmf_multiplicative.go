package decomposition

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/floats"
)

// divergenceStep updates both factors by multiplication, for Kullback and Leibler's divergence and
// Itakura and Saito's: each entry goes to the minimum of a function that lies above the loss and
// touches it where the entry is (Févotte & Idier, 2011), so the loss can't rise.
func (f *nmfFit) divergenceStep() func(ctx context.Context, s *nmfState) error {
	u := newMajorizer(f.x, f.Divergence, f.k)
	return func(ctx context.Context, s *nmfState) error {
		if !u.known {
			u.compare(s.w, s.v)
		}
		over, under := u.forScores(s.w, s.v)
		u.multiply(s.w, over, under, f.w)
		u.compare(s.w, s.v)
		over, under = u.forComponents(s.w, s.v)
		u.multiply(s.v, over, under, f.h)
		s.divergence = u.compare(s.w, s.v)
		s.loss = s.divergence + f.w.of(s.w) + f.h.of(s.v)
		return ctx.Err()
	}
}

// majorizer holds what the updates need of the data: the gradient's negative part over, and the
// positive part under, entry by entry of a factor.
type majorizer struct {
	x           *nmfMatrix
	divergence  Divergence
	k           int
	ratio, ones *nmfMatrix // of compare
	known       bool       // ratio is that of the factors as they are
	over, under []float64
}

func newMajorizer(x *nmfMatrix, divergence Divergence, k int) *majorizer {
	u := &majorizer{x: x, divergence: divergence, k: k, ratio: x.blank(), over: make([]float64, max(x.n, x.d)*k), under: make([]float64, max(x.n, x.d)*k)}
	if divergence == ItakuraSaito {
		u.ones = x.blank()
	}
	return u
}

func (u *majorizer) compare(w, v []float64) float64 {
	u.known = true
	return u.x.compare(u.divergence, w, v, u.k, u.ratio, u.ones)
}

func (u *majorizer) forScores(w, v []float64) (over, under []float64) {
	over, under = u.over[:len(w)], u.under[:len(w)]
	u.ratio.mul(over, v, u.k)
	if u.divergence == ItakuraSaito {
		u.ones.mul(under, v, u.k)
	} else {
		repeat(under, columnSums(v, u.k))
	}
	return over, under
}

func (u *majorizer) forComponents(w, v []float64) (over, under []float64) {
	over, under = u.over[:len(v)], u.under[:len(v)]
	u.ratio.tmul(over, w, u.k)
	if u.divergence == ItakuraSaito {
		u.ones.tmul(under, w, u.k)
	} else {
		repeat(under, columnSums(w, u.k))
	}
	return over, under
}

func repeat(dst, row []float64) {
	for i := 0; i < len(dst); i += len(row) {
		copy(dst[i:], row)
	}
}

func (u *majorizer) multiply(w, over, under []float64, p nmfPenalty) {
	for i, v := range w {
		if v > 0 {
			w[i] = p.least(u.divergence, weighted(u.divergence, v, over[i]), under[i], v)
		}
	}
}

// weighted is what least is told of an entry w and its over.
func weighted(divergence Divergence, w, over float64) float64 {
	if divergence == ItakuraSaito {
		return w * w * over
	}
	return w * over
}

// least minimises −a·log w + under·w + penalty, and a/w + under·w + penalty for Itakura-Saito, over
// w ≥ 0. It leaves what neither divergence nor penalty depends on.
func (p nmfPenalty) least(divergence Divergence, a, under, w float64) float64 {
	c := under + p.l1
	if c <= 0 && p.l2 == 0 {
		return w
	}
	if divergence == KullbackLeibler {
		w = a / c
		if p.l2 > 0 {
			w = 2 * a / (c + math.Sqrt(c*c+4*p.l2*a))
		}
	} else {
		w = math.Sqrt(a / c)
		if p.l2 > 0 {
			// The root of l2·w³ + c·w² = a, by Newton's method from above; both bounds hold.
			w = math.Cbrt(a / p.l2)
			if c > 0 {
				w = min(w, math.Sqrt(a/c))
			}
			for range 50 {
				next := w - (w*w*(p.l2*w+c)-a)/(w*(3*p.l2*w+2*c))
				if !(next < w) {
					break
				}
				w = next
			}
		}
	}
	if w < leastProduct {
		return 0
	}
	return w
}

// scores solves for the scores of every row, with the components as they are.
func (x *nmfMatrix) scores(ctx context.Context, divergence Divergence, w, v []float64, k int, p nmfPenalty) error {
	if divergence == Frobenius {
		g := make([]float64, k*k)
		gramTo(g, v, k)
		return parallel.For(ctx, x.n, 8, func(_, lo, hi int) {
			b := make([]float64, k)
			for i := lo; i < hi; i++ {
				clear(b)
				columns, values := x.row(i)
				for at, value := range values {
					j := at
					if columns != nil {
						j = columns[at]
					}
					blas.Axpy(value, v[j*k:(j+1)*k], b)
				}
				leastSquares(w[i*k:(i+1)*k], b, g, p)
			}
		})
	}
	under := columnSums(v, k)
	return parallel.For(ctx, x.n, 4, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			if ctx.Err() != nil {
				return
			}
			x.rowScores(ctx, divergence, i, w[i*k:(i+1)*k], v, under, p)
		}
	})
}

// rowScores repeats multiplicative updates of one row until they change it no more.
func (x *nmfMatrix) rowScores(ctx context.Context, divergence Divergence, i int, w, v, sums []float64, p nmfPenalty) {
	k := len(w)
	columns, values := x.row(i)
	total, size := floats.Sum(values), floats.Sum(sums)
	if size == 0 {
		return
	}
	for c := range w {
		w[c] = total / size
	}
	over, under := make([]float64, k), make([]float64, k)
	for step := range 20_000 {
		if step%100 == 99 && ctx.Err() != nil {
			return
		}
		clear(over)
		copy(under, sums)
		if divergence == ItakuraSaito {
			clear(under)
		}
		for at, value := range values {
			j := at
			if columns != nil {
				j = columns[at]
			}
			h := v[j*k : (j+1)*k]
			inverse := 1 / max(floats.Dot(w, h), leastProduct)
			if divergence == ItakuraSaito {
				floats.AddScaled(under, inverse, h)
				floats.AddScaled(over, value*inverse*inverse, h)
			} else if value > 0 {
				floats.AddScaled(over, value*inverse, h)
			}
		}
		moved, most := 0.0, 0.0
		for c, old := range w {
			if old > 0 {
				w[c] = p.least(divergence, weighted(divergence, old, over[c]), under[c], old)
				moved = max(moved, math.Abs(w[c]-old))
				most = max(most, w[c])
			}
		}
		if moved <= 1e-10*most {
			return
		}
	}
}
