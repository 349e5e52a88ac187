package decomposition

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	blasapi "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
)

// frobeniusStep improves both factors of ½‖X − WH‖². For H as it is, all that W needs to know of
// the data is B = XHᵀ and G = HHᵀ: the gradient is WG − B. H is the same problem for Xᵀ.
func (f *nmfFit) frobeniusStep() func(ctx context.Context, s *nmfState) error {
	k := f.k
	forW, forV := make([]float64, f.n*k), make([]float64, f.d*k)
	gramW, gramV := make([]float64, k*k), make([]float64, k*k)
	known := false
	return func(ctx context.Context, s *nmfState) error {
		if !known {
			gramTo(gramV, s.v, k)
			known = true
		}
		f.x.mul(forW, s.v, k)
		if err := f.improve(ctx, s.w, forW, gramV, f.w, f.sweeps(f.n, f.d)); err != nil {
			return err
		}
		gramTo(gramW, s.w, k)
		f.x.tmul(forV, s.w, k)
		if err := f.improve(ctx, s.v, forV, gramW, f.h, f.sweeps(f.d, f.n)); err != nil {
			return err
		}
		gramTo(gramV, s.v, k)
		s.divergence = (f.square - 2*floats.Dot(forV, s.v) + floats.Dot(gramW, gramV)) / 2
		if s.divergence < 1e-6*f.square { // few digits are left of the difference
			s.divergence = f.x.compare(Frobenius, s.w, s.v, k, nil, nil)
		}
		s.loss = s.divergence + f.w.of(s.w) + f.h.of(s.v)
		return nil
	}
}

// sweeps is how often HALS goes through a factor of some rows, where the other has others: a sweep
// is cheaper than the product with the data that it needs, so a few share one (Gillis & Glineur,
// 2012).
func (f *nmfFit) sweeps(rows, others int) int {
	if f.Sweeps > 0 {
		return f.Sweeps
	}
	product := float64(f.n) * float64(f.d)
	if f.x.sparse != nil {
		product = float64(f.x.sparse.NNZ())
	}
	return 1 + int(0.5*(product+float64(others*f.k))/float64(rows*f.k))
}

// improve lowers ½tr(wGwᵀ) − tr(wbᵀ) and the penalty by the solver.
func (f *nmfFit) improve(ctx context.Context, w, b, g []float64, p nmfPenalty, sweeps int) error {
	k := f.k
	n := len(w) / k
	switch f.Solver {
	case Multiplicative:
		slope := make([]float64, len(w)) // wG: both parts of the gradient are positive
		blas64.Gemm(blasapi.NoTrans, blasapi.NoTrans, 1, rowMajor(n, k, w), rowMajor(k, k, g), 0, rowMajor(n, k, slope))
		for i, v := range w {
			if below := slope[i] + p.l1 + p.l2*v; below > 0 && v > 0 {
				w[i] = v * b[i] / below
			}
		}
		return ctx.Err()
	case CoordinateDescent:
		return parallel.For(ctx, n, nmfRows, func(_, lo, hi int) {
			gradient := make([]float64, k)
			for i := lo; i < hi; i++ {
				greedy(w[i*k:(i+1)*k], b[i*k:(i+1)*k], g, gradient, p)
			}
		})
	}
	return parallel.For(ctx, n, nmfRows, func(_, lo, hi int) {
		hals(w[lo*k:hi*k], b[lo*k:hi*k], g, k, p, sweeps)
	})
}

// hals sweeps through the columns of w, each of which is set to its best for the others. They are
// turned into rows for the time, so that a column is in one piece.
func hals(w, b, g []float64, k int, p nmfPenalty, sweeps int) {
	n := len(w) / k
	buffer := make([]float64, 2*len(w)+n)
	wt, bt, slope := buffer[:len(w)], buffer[len(w):2*len(w)], buffer[2*len(w):]
	for i := range n {
		for c := range k {
			wt[c*n+i], bt[c*n+i] = w[i*k+c], p.l1-b[i*k+c]
		}
	}
	first := 0.0
	for sweep := range sweeps {
		moved := 0.0
		for c := range k {
			curvature := g[c*k+c] + p.l2
			column := wt[c*n : (c+1)*n]
			if !(curvature > 0) {
				if p.l1 > 0 { // it is of no use, and has its price
					clear(column)
				}
				continue
			}
			copy(slope, bt[c*n:(c+1)*n])
			for t := range k {
				if g[c*k+t] != 0 {
					blas.Axpy(g[c*k+t], wt[t*n:(t+1)*n], slope)
				}
			}
			inverse := 1 / curvature
			for i, v := range column {
				next := max(v-(slope[i]+p.l2*v)*inverse, 0)
				moved += (next - v) * (next - v)
				column[i] = next
			}
		}
		if sweep == 0 {
			first = moved
		}
		if moved <= 0.01*first { // a tenth of the first move
			break
		}
	}
	for i := range n {
		for c := range k {
			w[i*k+c] = wt[c*n+i]
		}
	}
}

// greedy lowers the loss of one row by the entry that lowers it most, until that is a thousandth
// of what the first one gained.
func greedy(w, b, g, gradient []float64, p nmfPenalty) {
	k := len(w)
	for c := range k {
		gradient[c] = p.l1 - b[c] + p.l2*w[c]
	}
	for t, v := range w {
		if v != 0 {
			blas.Axpy(v, g[t*k:(t+1)*k], gradient)
		}
	}
	first := 0.0
	for step := range 2 * k * k {
		best, at, move := 0.0, 0, 0.0
		for c, v := range w {
			if curvature := g[c*k+c] + p.l2; curvature > 0 {
				m := max(v-gradient[c]/curvature, 0) - v
				if gain := -m * (gradient[c] + curvature*m/2); gain > best {
					best, at, move = gain, c, m
				}
			}
		}
		if step == 0 {
			first = best
		}
		if best <= 1e-3*first {
			break
		}
		w[at] += move
		blas.Axpy(move, g[at*k:(at+1)*k], gradient)
		gradient[at] += p.l2 * move
	}
	for c := range w {
		if !(g[c*k+c]+p.l2 > 0) && p.l1 > 0 {
			w[c] = 0
		}
	}
}

// leastSquares solves a row for good: entries in turn until none moves by more than rounding.
func leastSquares(w, b, g []float64, p nmfPenalty) {
	k := len(w)
	for range 20_000 {
		moved, size := 0.0, 0.0
		for c := range w {
			curvature := g[c*k+c] + p.l2
			if !(curvature > 0) {
				continue
			}
			next := max(w[c]-(blas.Dot(g[c*k:(c+1)*k], w)+p.l2*w[c]+p.l1-b[c])/curvature, 0)
			root := math.Sqrt(curvature) // entries count by what they do to the row
			moved, size = max(moved, root*math.Abs(next-w[c])), max(size, root*next)
			w[c] = next
		}
		if moved <= 1e-12*size {
			return
		}
	}
}
