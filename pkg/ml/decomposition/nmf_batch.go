package decomposition

import (
	"context"
	"math"

	"gonum.org/v1/gonum/floats"
)

// batchSteps passes through the data once, a batch at a time: the batch's scores first, then
// components from sums over the batches so far, in which older ones fade (Mairal, Bach, Ponce &
// Sapiro, 2010; Lefèvre, Bach & Févotte, 2011). After a pass Frobenius improves all scores once
// more; the others leave them as their batch found them.
func (f *nmfFit) batchSteps() func(ctx context.Context, s *nmfState) error {
	type part struct {
		lo, hi int
		x      *nmfMatrix
		u      *majorizer
	}
	var parts []part
	for lo := 0; lo < f.n; lo += f.Batch {
		hi := min(lo+f.Batch, f.n)
		rows := make([]int, hi-lo)
		for i := range rows {
			rows[i] = lo + i
		}
		p := part{lo: lo, hi: hi, x: f.x.take(rows)}
		if f.Divergence != Frobenius {
			p.u = newMajorizer(p.x, f.Divergence, f.k)
		}
		parts = append(parts, p)
	}
	k := f.k
	a, b := make([]float64, f.d*k), make([]float64, max(f.d, k)*k) // sums: XᵀW and WᵀW, or over and under
	own, gram, gramV := make([]float64, f.d*k), make([]float64, k*k), make([]float64, k*k)
	seen := 0.0 // rows, older ones at their weight
	const inner = 3
	return func(ctx context.Context, s *nmfState) error {
		for _, p := range parts {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			w := s.w[p.lo*k : p.hi*k]
			fade := math.Pow(f.Forget, float64(p.hi-p.lo)/float64(f.n))
			seen = fade*seen + float64(p.hi-p.lo)
			floats.Scale(fade, a)
			floats.Scale(fade, b)
			price := nmfPenalty{f.h.l1 * seen / float64(f.n), f.h.l2 * seen / float64(f.n)}
			if f.Divergence == Frobenius {
				forW := make([]float64, len(w))
				p.x.mul(forW, s.v, k)
				gramTo(gramV, s.v, k)
				for range inner {
					if err := f.improve(ctx, w, forW, gramV, f.w, f.sweeps(p.hi-p.lo, f.d)); err != nil {
						return err
					}
				}
				p.x.tmul(own, w, k)
				gramTo(gram, w, k)
				floats.Add(a, own)
				floats.Add(b[:k*k], gram)
				if err := f.improve(ctx, s.v, a, b[:k*k], price, inner); err != nil {
					return err
				}
				continue
			}
			for range inner {
				p.u.compare(w, s.v)
				over, under := p.u.forScores(w, s.v)
				p.u.multiply(w, over, under, f.w)
			}
			p.u.compare(w, s.v)
			over, under := p.u.forComponents(w, s.v)
			for i, v := range s.v {
				a[i] += weighted(f.Divergence, v, over[i])
				b[i] += under[i]
				s.v[i] = price.least(f.Divergence, a[i], b[i], v)
			}
		}
		if f.Divergence == Frobenius {
			forW := make([]float64, len(s.w))
			f.x.mul(forW, s.v, k)
			gramTo(gramV, s.v, k)
			if err := f.improve(ctx, s.w, forW, gramV, f.w, inner*inner); err != nil {
				return err
			}
		}
		s.divergence = f.x.compare(f.Divergence, s.w, s.v, k, nil, nil)
		s.loss = s.divergence + f.w.of(s.w) + f.h.of(s.v)
		return nil
	}
}
