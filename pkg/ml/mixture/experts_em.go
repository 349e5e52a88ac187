package mixture

import (
	"context"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	gonumblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// fitExperts is Fit of either method: check has made f or the error, model brings a step into the
// caller's units.
func fitExperts[M any](ctx context.Context, f *expertFit, err error, model func(*expertFit, *expertStep) (*M, error)) (*M, error) {
	if err != nil {
		return nil, err
	}
	best, ended := f.fit(ctx)
	if best == nil {
		return nil, ended
	}
	m, err := model(f, best)
	if err != nil {
		return nil, err
	}
	return m, ended
}

// eachExperts is Iterate of either method.
func eachExperts[M any](ctx context.Context, check func() (*expertFit, error), model func(*expertFit, *expertStep) (*M, error)) iter.Seq2[*M, error] {
	return func(yield func(*M, error) bool) {
		f, err := check()
		if err != nil {
			yield(nil, err)
			return
		}
		var last *M
		for s := range f.iterate(ctx, 0) {
			m, err := model(f, s)
			if err != nil {
				yield(nil, err)
				return
			}
			if last = m; !yield(m, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(last, err)
		}
	}
}

// fit returns the best of the restarts: the one with fewest variances on the floor, and among these
// the one with the highest objective.
func (f *expertFit) fit(ctx context.Context) (*expertStep, error) {
	var best *expertStep
	for r := range f.restarts {
		var last *expertStep
		for s := range f.iterate(ctx, r) {
			last = s
		}
		if last != nil && (best == nil || f.onFloor(last) < f.onFloor(best) || f.onFloor(last) == f.onFloor(best) && last.objective > best.objective) {
			best = last
		}
		if ctx.Err() != nil || f.k == 1 || f.given != nil {
			break
		}
	}
	return best, ctx.Err()
}

func (f *expertFit) onFloor(s *expertStep) (n int) {
	for _, v := range s.variances {
		if v <= f.floor {
			n++
		}
	}
	return n
}

// iterate runs one start. It ends when ctx does.
func (f *expertFit) iterate(ctx context.Context, restart int) iter.Seq[*expertStep] {
	return func(yield func(*expertStep) bool) {
		f.passes = 0
		s := f.given
		if s == nil {
			s = f.begin(ctx, restart)
		}
		if ctx.Err() != nil {
			return
		}
		if f.optimizer == Direct {
			f.climb(ctx, s, restart, yield)
			return
		}
		trend := trend{tol: f.tol}
		for i := 0; ; i++ {
			objective, err := f.expect(ctx, s)
			if err != nil {
				return
			}
			step := &expertStep{expertState: s, objective: trend.next(objective), logLikelihood: objective + f.penalized(s), iteration: i, passes: f.passes, restart: restart}
			step.converged = trend.stuck() || trend.ended()
			if !yield(step) || step.converged || i == f.maxIter {
				return
			}
			if s, err = f.maximize(ctx, s, 2); err != nil {
				return
			}
		}
	}
}

// begin draws responsibilities, by turns of rows near to each of K random rows and at random, and
// returns the parameters that are best for them.
func (f *expertFit) begin(ctx context.Context, restart int) *expertState {
	r := rng.New(f.seed, restart)
	s := &expertState{u: make([]float64, (f.k-1)*f.p), w: make([]float64, f.k*f.p)}
	if !f.logistic {
		s.variances = slices.Repeat([]float64{1}, f.k)
	}
	clear(f.means)
	if restart%2 == 1 {
		for i := range f.shares {
			f.shares[i] = r.ExpFloat64()
		}
	} else {
		centers := r.Perm(f.n)[:f.k]
		_ = parallel.For(ctx, f.n, blockOfRows, func(_, lo, hi int) {
			for i := lo; i < hi; i++ {
				near, least := 0, math.Inf(1)
				for k, c := range centers {
					q := blas.SqEuclidean(f.x[i*f.p:(i+1)*f.p], f.x[c*f.p:(c+1)*f.p])
					if !f.logistic {
						q += (f.y[i] - f.y[c]) * (f.y[i] - f.y[c])
					}
					if q < least {
						near, least = k, q
					}
				}
				for k := range f.k {
					f.shares[i*f.k+k] = 0.1
				}
				f.shares[i*f.k+near] += 1
			}
		})
	}
	for i := range f.n {
		row, total := f.shares[i*f.k:(i+1)*f.k], 0.0
		for _, v := range row {
			total += v
		}
		for k := range row {
			row[k] /= total
		}
	}
	next, err := f.maximize(ctx, s, 5)
	if err != nil {
		return s
	}
	return next
}

const blockOfRows = 256

// sum runs over the data once. begin makes what a part of it needs and returns the function that
// adds a block of rows to the part's size numbers. Parts, and the order in which they are merged,
// depend on the problem alone.
func (f *expertFit) sum(ctx context.Context, size int, begin func() func(sum []float64, lo, hi int)) ([]float64, error) {
	f.passes++
	parts := min(max(1<<22/size, 2), 16) // 32 MB of sums
	rows := max(blockOfRows, (f.n+parts-1)/parts)
	of := make([][]float64, parallel.Chunks(f.n, rows))
	err := parallel.For(ctx, f.n, rows, func(part, lo, hi int) {
		sum, add := make([]float64, size), begin()
		for i := lo; i < hi && ctx.Err() == nil; i += blockOfRows {
			add(sum, i, min(i+blockOfRows, hi))
		}
		of[part] = sum
	})
	if err != nil {
		return nil, err
	}
	for _, part := range of[1:] {
		for i, v := range part {
			of[0][i] += v
		}
	}
	return of[0], nil
}

func general(r, c int, data []float64) blas64.General {
	return blas64.General{Rows: r, Cols: c, Stride: c, Data: data}
}

// block is rows lo to hi of x.
func (f *expertFit) block(lo, hi int) blas64.General {
	return general(hi-lo, f.p, f.x[lo*f.p:hi*f.p])
}

// weights are V = basis·U, K×p.
func (f *expertFit) weights(u []float64) []float64 {
	v := make([]float64, f.k*f.p)
	if f.k > 1 {
		blas64.Gemm(gonumblas.NoTrans, gonumblas.NoTrans, 1, general(f.k, f.k-1, f.basis), general(f.k-1, f.p, u), 0, general(f.k, f.p, v))
	}
	return v
}

// expect is the E-step: it sets f.means, f.gate (to log πₖ(xᵢ)), f.shares and f.labels, and returns
// the objective.
func (f *expertFit) expect(ctx context.Context, s *expertState) (objective float64, err error) {
	k, v := f.k, f.weights(s.u)
	constant, narrow := make([]float64, k), make([]float64, k)
	for c, variance := range s.variances {
		constant[c], narrow[c] = -math.Log(2*math.Pi*variance)/2, 1/(2*variance)
	}
	total, err := f.sum(ctx, 1, func() func([]float64, int, int) {
		sums, spare := make([]float64, f.rows), make([]float64, f.rows*k)
		return func(sum []float64, lo, hi int) {
			means, gate, shares := f.means[lo*k:hi*k], f.gate[lo*k:hi*k], f.shares[lo*k:hi*k]
			x, sums := f.block(lo, hi), sums[:hi-lo]
			blas64.Gemm(gonumblas.NoTrans, gonumblas.Trans, 1, x, general(k, f.p, s.w), 0, general(hi-lo, k, means))
			blas64.Gemm(gonumblas.NoTrans, gonumblas.Trans, 1, x, general(k, f.p, v), 0, general(hi-lo, k, gate))
			logSoftmax(gate, k, sums, spare)
			if f.logistic {
				logBernoulli(shares, means, f.y[lo:hi], k)
				for i, g := range gate {
					shares[i] += g
				}
			} else {
				for i, y := range f.y[lo:hi] {
					for c, m := range means[i*k : (i+1)*k] {
						e := y - m
						shares[i*k+c] = gate[i*k+c] + constant[c] - e*e*narrow[c]
					}
				}
			}
			softmax(shares, k, sums)
			for i, v := range sums {
				sum[0] += v
				row, label := shares[i*k:(i+1)*k], 0
				for c, r := range row {
					if r > row[label] {
						label = c
					}
				}
				f.labels[lo+i] = label
			}
		}
	})
	if err != nil {
		return 0, err
	}
	return total[0]/float64(f.n) - f.penalized(s), nil
}

// penalized is λ/2n times the sum of squares of the parameters that are held: a softmax gate's and
// a logistic expert's.
func (f *expertFit) penalized(s *expertState) float64 {
	sum := 0.0
	if f.gating != ConstantGating {
		sum += square(s.u)
	}
	if f.logistic {
		sum += square(s.w)
	}
	return f.penalty / 2 * sum / float64(f.n)
}

// maximize is the M-step: parameters at least as good for f.shares as those of s, whose means are
// in f.means. Newton's method takes up to steps steps for each part: that the expected
// log-likelihood rises is enough for EM (Dempster, Laird & Rubin, 1977).
func (f *expertFit) maximize(ctx context.Context, s *expertState, steps int) (next *expertState, err error) {
	next = s.clone()
	if f.logistic {
		for k := range f.k {
			if err == nil {
				err = f.moveLogistic(ctx, next.w[k*f.p:(k+1)*f.p], k, steps)
			}
		}
	} else {
		err = f.moveLinear(ctx, next)
	}
	if err == nil && f.k > 1 {
		err = f.moveGate(ctx, next.u, steps)
	}
	return next, err
}
