package mixture

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	gonumblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// Gating names how a conditional mixture weighs its experts.
type Gating string

// The gatings of a conditional mixture.
const (
	SoftmaxGating  Gating = "softmax"  // πₖ(x) = exp(vₖ·x + cₖ) / Σₗ exp(vₗ·x + cₗ): which expert answers depends on x
	ConstantGating Gating = "constant" // πₖ, the same everywhere
)

// Optimizer names how the likelihood of a conditional mixture is raised.
type Optimizer string

// The optimizers of a conditional mixture. They raise the same function.
const (
	EM     Optimizer = "EM"     // responsibilities, then least squares or Newton's method for each expert and for the gate
	Direct Optimizer = "direct" // BFGS on all parameters at once, by the gradient of the likelihood
)

// expertOptions are the options that both conditional mixtures have.
type expertOptions struct {
	k         int
	gating    Gating
	optimizer Optimizer
	floor     float64 // of variances
	penalty   float64
	restarts  int
	maxIter   int
	tol       float64
	seed      uint64
}

func (o expertOptions) check(method string, n int) error {
	if err := checkK(method, o.k, n); err != nil {
		return err
	}
	switch {
	case o.gating != "" && o.gating != SoftmaxGating && o.gating != ConstantGating:
		return ml.BadParameter(method, "Gating", o.gating, `"softmax" or "constant"`)
	case o.optimizer != "" && o.optimizer != EM && o.optimizer != Direct:
		return ml.BadParameter(method, "Optimizer", o.optimizer, `"EM" or "direct"`)
	case o.floor != 0 && !(o.floor >= 1e-12 && o.floor <= 1):
		return ml.BadParameter(method, "Floor", o.floor, "0 (for 1e-6), or 1e-12 to 1")
	case !(o.penalty >= 0) || math.IsInf(o.penalty, 1):
		return ml.BadParameter(method, "Penalty", o.penalty, "0 (for 1e-3) or a positive number")
	case o.restarts < 0:
		return ml.BadParameter(method, "Restarts", o.restarts, "0 (for 10) or more")
	case o.maxIter < 0:
		return ml.BadParameter(method, "MaxIter", o.maxIter, "0 (for 1000) or more")
	case !(o.tol >= 0) || math.IsInf(o.tol, 1):
		return ml.BadParameter(method, "Tol", o.tol, "0 (for 1e-8) or a positive number")
	}
	return nil
}

// expertFit is a conditional mixture in coordinates in which every column of x, and a real-valued y, has mean 0 and variance 1. The rows of x begin
// with a 1, so that intercepts are coefficients.
type expertFit struct {
	expertOptions
	method   string
	n, p     int       // rows, columns of x with the 1
	rows     int       // of a block
	x        []float64 // n×p
	y        []float64
	logistic bool
	basis    []float64 // K×(K−1): orthonormal columns, orthogonal to the ones. The gate's parameters are V = basis·U, since adding a vector to all vₖ changes nothing
	units    affine
	given    *expertState

	passes int       // over the data so far
	means  []float64 // n×K, wₖ·x of the experts
	gate   []float64 // n×K, log πₖ(x)
	shares []float64 // n×K, responsibilities
	labels []int
}

// expertState is one setting of the parameters. It is never changed once a step has it.
type expertState struct {
	u         []float64 // (K−1)×p of the gate; where it is constant only the first column differs from 0
	w         []float64 // K×p of the experts
	variances []float64 // K, where experts are linear
}

func (s *expertState) clone() *expertState {
	return &expertState{slices.Clone(s.u), slices.Clone(s.w), slices.Clone(s.variances)}
}

// expertStep is the state after a step.
type expertStep struct {
	*expertState
	objective     float64 // what never falls: mean log-likelihood less penalty, in the coordinates of the fit
	logLikelihood float64 // mean
	iteration     int
	passes        int
	restart       int
	converged     bool
}

// newExpertFit checks the options and x; the caller sets y.
func newExpertFit(ctx context.Context, method string, o expertOptions, x mat.Matrix) (*expertFit, error) {
	rows, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, d := rows.Dims()
	if err := o.check(method, n); err != nil {
		return nil, err
	}
	o.penalty, o.restarts, o.maxIter, o.tol = cmp.Or(o.penalty, 1e-3), cmp.Or(o.restarts, 10), cmp.Or(o.maxIter, 1000), cmp.Or(o.tol, 1e-8)
	from, err := standardize(ctx, rows, false)
	if err != nil {
		return nil, err
	}
	k := o.k
	f := &expertFit{expertOptions: o, method: method, n: n, p: d + 1, units: affine{mean: make([]float64, d), scale: make([]float64, d), yScale: 1},
		labels: make([]int, n), x: make([]float64, n*(d+1)), means: make([]float64, n*k), gate: make([]float64, n*k), shares: make([]float64, n*k)}
	for j := range d {
		f.units.mean[j], f.units.scale[j] = from.M[j]/from.A[j], from.A[j]*from.B[j]*unitVariance(from, j)
	}
	_ = parallel.For(ctx, n, chunk, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := f.x[i*f.p : (i+1)*f.p]
			row[0] = 1
			for j, v := range from.row(i) {
				row[j+1] = v * unitVariance(from, j)
			}
		}
	})
	// Helmert's contrasts.
	for i := range k {
		for j := 1; j < k; j++ {
			v := 0.0
			if i < j {
				v = 1
			} else if i == j {
				v = -float64(j)
			}
			f.basis = append(f.basis, v/math.Sqrt(float64(j*(j+1))))
		}
	}
	f.rows = min(blockOfRows, n)
	return f, ctx.Err()
}

// unitVariance is what column j of prepared points is multiplied by to have variance 1.
func unitVariance(p *points, j int) float64 {
	if v := p.variance[j]; v > 0 {
		return 1 / math.Sqrt(v)
	}
	return 1
}

// affine is the change of coordinates from the caller's: (xⱼ − meanⱼ)·scaleⱼ and (y − yMean)·yScale.
type affine struct {
	mean, scale   []float64
	yMean, yScale float64
}

// out returns coefficients K×p of the fit as K×d of the caller's and intercepts; target says that they predict y.
func (a affine) out(w []float64, target bool) (*mat.Dense, []float64) {
	d := len(a.mean)
	k := len(w) / (d + 1)
	coefficients, intercepts := mat.NewDense(k, d, nil), make([]float64, k)
	yMean, yScale := 0.0, 1.0
	if target {
		yMean, yScale = a.yMean, a.yScale
	}
	for i := range k {
		row := w[i*(d+1) : (i+1)*(d+1)]
		intercepts[i] = row[0]/yScale + yMean
		for j := range d {
			c := row[j+1] * a.scale[j] / yScale
			coefficients.Set(i, j, c)
			intercepts[i] -= c * a.mean[j]
		}
	}
	return coefficients, intercepts
}

// in is the reverse of out.
func (a affine) in(coefficients *mat.Dense, intercepts []float64, target bool) []float64 {
	d := len(a.mean)
	yMean, yScale := 0.0, 1.0
	if target {
		yMean, yScale = a.yMean, a.yScale
	}
	w := make([]float64, len(intercepts)*(d+1))
	for i, b := range intercepts {
		row := w[i*(d+1) : (i+1)*(d+1)]
		row[0] = b - yMean
		for j := range d {
			c := coefficients.At(i, j)
			row[0] += c * a.mean[j]
			row[j+1] = c * yScale / a.scale[j]
		}
		row[0] *= yScale
	}
	return w
}

// fit returns the best of the restarts: the one with fewest variances on the floor, and among these the one with the highest objective.
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

// begin draws responsibilities, by turns of rows near to each of K random rows and at random, and returns the parameters that are best for them.
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

// sum runs over the data once. begin makes what a part of it needs and returns the function that adds a block of rows to the part's size numbers. Parts, and
// the order in which they are merged, depend on the problem alone.
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

// expect is the E-step: it sets f.means, f.gate (to log πₖ(xᵢ)), f.shares and f.labels, and returns the objective.
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

// penalized is λ/2n times the sum of squares of the parameters that are held: a softmax gate's and a logistic expert's.
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

// softmax turns each row of k logs into exp(v)/Σ exp(v), and sets sums to log Σ exp(v).
func softmax(logs []float64, k int, sums []float64) {
	var most [blockOfRows]float64
	for len(sums) > blockOfRows {
		softmax(logs[:blockOfRows*k], k, sums[:blockOfRows])
		logs, sums = logs[blockOfRows*k:], sums[blockOfRows:]
	}
	for i := range sums {
		row, m := logs[i*k:(i+1)*k], math.Inf(-1)
		for _, v := range row {
			m = max(m, v) // NaN if one is
		}
		most[i] = m
		if math.IsInf(m, -1) { // no density that a float64 holds: all alike
			clear(row)
			continue
		}
		for c := range row {
			row[c] -= m
		}
	}
	blas.Exp(logs, logs)
	for i := range sums {
		row, total := logs[i*k:(i+1)*k], 0.0
		for _, v := range row {
			total += v
		}
		for c := range row {
			row[c] /= total
		}
		sums[i] = total
	}
	blas.Log(sums, sums)
	for i := range sums {
		sums[i] += most[i]
	}
}

// logSoftmax takes from each row of k logs its log Σ exp. spare is as long as logs at least.
func logSoftmax(logs []float64, k int, sums, spare []float64) {
	spare = spare[:len(logs)]
	copy(spare, logs)
	softmax(spare, k, sums)
	for i := range logs {
		logs[i] -= sums[i/k]
	}
}

// logBernoulli sets dst to log p(y) of y, 0 or 1, a row, for rows of k log odds.
func logBernoulli(dst, odds, y []float64, k int) {
	for i, m := range odds {
		dst[i] = -math.Abs(m)
	}
	blas.Exp(dst, dst)
	for i, v := range dst {
		dst[i] = 1 + v
	}
	blas.Log(dst, dst)
	for i, v := range dst {
		m := odds[i]
		if y[i/k] == 1 {
			m = -m
		}
		dst[i] = -v - max(m, 0)
	}
}

func sigmoid(m float64) float64 {
	if m >= 0 {
		return 1 / (1 + math.Exp(-m))
	}
	e := math.Exp(m)
	return e / (1 + e)
}

// maximize is the M-step: parameters at least as good for f.shares as those of s, whose means are in f.means. Newton's method takes up to steps steps for each
// part: that the expected log-likelihood rises is enough for EM (Dempster, Laird & Rubin, 1977).
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

// moveLinear moves coefficients to the weighted least squares, and variances to what is left. A step is from where the coefficients are, by a pseudo-inverse:
// directions in which the weighted rows don't differ are left alone, and the sum of squares falls in any case.
func (f *expertFit) moveLinear(ctx context.Context, s *expertState) error {
	k, p := f.k, f.p
	grams, moments := k, k+k*p*p
	sums, err := f.sum(ctx, k+k*p*p+k*p, func() func([]float64, int, int) {
		scaled, pull := make([]float64, f.rows*p), make([]float64, f.rows*k)
		return func(sum []float64, lo, hi int) {
			x := f.block(lo, hi)
			for i, r := range f.shares[lo*k : hi*k] {
				sum[i%k] += r
				pull[i] = r * (f.y[lo+i/k] - f.means[lo*k+i])
			}
			blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(hi-lo, k, pull), x, 1, general(k, p, sum[moments:]))
			for c := range k {
				for i := range hi - lo {
					scale(scaled[i*p:(i+1)*p], f.shares[(lo+i)*k+c], x.Data[i*p:(i+1)*p])
				}
				blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(hi-lo, p, scaled), x, 1, general(p, p, sum[grams+c*p*p:]))
			}
		}
	})
	if err != nil {
		return err
	}
	for c := range k {
		if sums[c] < noMass { // nothing belongs to it: it stays where it is
			continue
		}
		for j, v := range solve(sums[grams+c*p*p:][:p*p], sums[moments+c*p:][:p]) {
			s.w[c*p+j] += v
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	mass := sums[:k]
	squares, err := f.sum(ctx, k, func() func([]float64, int, int) {
		means := make([]float64, f.rows*k)
		return func(sum []float64, lo, hi int) {
			blas64.Gemm(gonumblas.NoTrans, gonumblas.Trans, 1, f.block(lo, hi), general(k, p, s.w), 0, general(hi-lo, k, means))
			for i, r := range f.shares[lo*k : hi*k] {
				e := f.y[lo+i/k] - means[i]
				sum[i%k] += r * e * e
			}
		}
	})
	if err != nil {
		return err
	}
	for c, q := range squares {
		if mass[c] >= noMass {
			s.variances[c] = max(q/mass[c], f.floor)
		}
	}
	return nil
}

// noMass is the sum of responsibilities below which an expert has no rows.
const noMass = 1e-200

// scale sets dst to a·x; rows are so short that a call would cost more.
func scale(dst []float64, a float64, x []float64) {
	dst = dst[:len(x)]
	for j, v := range x {
		dst[j] = a * v
	}
}

// solve solves A·x = b for a positive semidefinite A; where A is singular, to rounding, x is 0 along the eigenvectors that say so.
func solve(a, b []float64) []float64 {
	p := len(b)
	sym := mat.NewSymDense(p, a)
	var chol mat.Cholesky
	if chol.Factorize(sym) && chol.Cond() < 1e12 {
		var x mat.VecDense
		if chol.SolveVecTo(&x, mat.NewVecDense(p, b)) == nil {
			return x.RawVector().Data
		}
	}
	out := make([]float64, p)
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, true) {
		return out
	}
	var v mat.Dense
	eigen.VectorsTo(&v)
	values := eigen.Values(nil)
	for e, value := range values {
		if !(value > 1e-13*values[p-1]) {
			continue
		}
		along := 0.0
		for j := range p {
			along += v.At(j, e) * b[j]
		}
		for j := range p {
			out[j] += along / value * v.At(j, e)
		}
	}
	return out
}

// ascend takes up to steps steps of Newton's method up a concave function, from theta, which it changes; a step that does not rise enough is halved. at returns
// the function's value and, if asked, its gradient and the step.
func ascend(theta []float64, least float64, steps int, at func(theta []float64, derivatives bool) (value float64, gradient, step []float64, err error)) error {
	now, gradient, step, err := at(theta, true)
	if err != nil {
		return err
	}
	next := make([]float64, len(theta))
	for n := range steps {
		rise := blas.Dot(step, gradient)
		if !(rise > least) {
			return nil
		}
		t := 1.0
		for ; t > 1e-6; t /= 2 {
			for j := range next {
				next[j] = theta[j] + t*step[j]
			}
			value, g, s, err := at(next, n+1 < steps)
			if err != nil {
				return err
			}
			if value >= now+1e-4*t*rise {
				now, gradient, step = value, g, s
				break
			}
		}
		if t <= 1e-6 {
			return nil
		}
		copy(theta, next)
	}
	return nil
}

// moveLogistic takes Newton steps (iteratively reweighted least squares) up the penalized log-likelihood of expert k.
func (f *expertFit) moveLogistic(ctx context.Context, w []float64, k, steps int) error {
	p := f.p
	return ascend(w, 1e-13*float64(f.n), steps, func(w []float64, derivatives bool) (float64, []float64, []float64, error) {
		size := 1
		if derivatives {
			size += p + p*p
		}
		sums, err := f.sum(ctx, size, func() func([]float64, int, int) {
			odds, logs, scaled := make([]float64, f.rows), make([]float64, f.rows), make([]float64, f.rows*p)
			return func(sum []float64, lo, hi int) {
				x, y, odds, logs := f.block(lo, hi), f.y[lo:hi], odds[:hi-lo], logs[:hi-lo]
				blas64.Gemv(gonumblas.NoTrans, 1, x, blas64.Vector{N: p, Inc: 1, Data: w}, 0, blas64.Vector{N: hi - lo, Inc: 1, Data: odds})
				logBernoulli(logs, odds, y, 1)
				for i, l := range logs {
					sum[0] += f.shares[(lo+i)*f.k+k] * l
				}
				if !derivatives {
					return
				}
				blas.Exp(logs, logs)
				for i, given := range logs { // p(y), and 1−p(y) is what the label asks for
					r, row := f.shares[(lo+i)*f.k+k], x.Data[i*p:(i+1)*p]
					scale(scaled[i*p:(i+1)*p], r*given*(1-given), row)
					add(sum[1:1+p], r*(1-given)*(2*y[i]-1), row)
				}
				blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(hi-lo, p, scaled), x, 1, general(p, p, sum[1+p:]))
			}
		})
		if err != nil {
			return 0, nil, nil, err
		}
		value := sums[0] - f.penalty/2*square(w)
		if !derivatives {
			return value, nil, nil, nil
		}
		gradient, curvature := sums[1:1+p], sums[1+p:]
		for j := range p {
			gradient[j] -= f.penalty * w[j]
			curvature[j*p+j] += f.penalty
		}
		return value, gradient, solve(curvature, gradient), nil
	})
}

// add adds a·x to dst.
func add(dst []float64, a float64, x []float64) {
	dst = dst[:len(x)]
	for j, v := range x {
		dst[j] += a * v
	}
}

// moveGate sets constant weights to the mean responsibilities, and takes Newton steps up the penalized log-likelihood of a softmax gate, for which
// responsibilities are targets. Where there are very many parameters, a step is the one of the fixed bound on the curvature (Böhning, 1992).
func (f *expertFit) moveGate(ctx context.Context, u []float64, steps int) error {
	k, q, p := f.k, f.k-1, f.p
	if f.gating == ConstantGating {
		logs := make([]float64, k)
		for i, r := range f.shares {
			logs[i%k] += r
		}
		clear(u)
		for c, m := range logs {
			l := math.Log(max(m/float64(f.n), 1e-300))
			for a := range q {
				u[a*p] += f.basis[c*q+a] * l
			}
		}
		return nil
	}
	newton := q*p <= 256
	return ascend(u, 1e-13*float64(f.n), steps, func(u []float64, derivatives bool) (float64, []float64, []float64, error) {
		size := 1
		if derivatives {
			size += k * p
			if newton {
				size += q * p * q * p
			} else {
				size += p * p
			}
		}
		v := f.weights(u)
		sums, err := f.sum(ctx, size, func() func([]float64, int, int) {
			logs, spare, totals := make([]float64, f.rows*k), make([]float64, f.rows*k), make([]float64, f.rows)
			turned, scaled := make([]float64, f.rows*q), make([]float64, f.rows*p)
			return func(sum []float64, lo, hi int) {
				n, x := hi-lo, f.block(lo, hi)
				logs, spare := logs[:n*k], spare[:n*k]
				blas64.Gemm(gonumblas.NoTrans, gonumblas.Trans, 1, x, general(k, p, v), 0, general(n, k, logs))
				copy(spare, logs)
				softmax(spare, k, totals[:n])
				for i, r := range f.shares[lo*k : hi*k] {
					if r > 0 {
						sum[0] += r * (logs[i] - totals[i/k])
					}
					logs[i] = r - spare[i] // from here on
				}
				if !derivatives {
					return
				}
				blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(n, k, logs), x, 1, general(k, p, sum[1:]))
				curvature := sum[1+k*p:]
				if !newton {
					blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 0.5, x, x, 1, general(p, p, curvature))
					return
				}
				// −Hessian = Σᵢ BᵀAᵢB ⊗ xᵢxᵢᵀ with Aᵢ = diag(π) − ππᵀ and B the contrasts.
				blas64.Gemm(gonumblas.NoTrans, gonumblas.NoTrans, 1, general(n, k, spare), general(k, q, f.basis), 0, general(n, q, turned))
				for a := range q {
					for b := range a + 1 {
						for i := range n {
							w := -turned[i*q+a] * turned[i*q+b]
							for c, pi := range spare[i*k : (i+1)*k] {
								w += pi * f.basis[c*q+a] * f.basis[c*q+b]
							}
							scale(scaled[i*p:(i+1)*p], w, x.Data[i*p:(i+1)*p])
						}
						blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(n, p, scaled), x, 1,
							blas64.General{Rows: p, Cols: p, Stride: q * p, Data: curvature[a*p*q*p+b*p:]})
					}
				}
			}
		})
		if err != nil {
			return 0, nil, nil, err
		}
		value := sums[0] - f.penalty/2*square(u)
		if !derivatives {
			return value, nil, nil, nil
		}
		gradient, curvature := f.gateGradient(sums[1:1+k*p], u), sums[1+k*p:]
		if newton {
			for i := range q * p {
				for j := range i {
					curvature[j*q*p+i] = curvature[i*q*p+j]
				}
				curvature[i*q*p+i] += f.penalty
			}
			return value, gradient, solve(curvature, gradient), nil
		}
		for j := range p {
			curvature[j*p+j] += f.penalty
		}
		return value, gradient, solveRows(curvature, gradient), nil
	})
}

// gateGradient is Bᵀ(R − Π)ᵀX − λU, from (R − Π)ᵀX.
func (f *expertFit) gateGradient(byExpert, u []float64) []float64 {
	out := slices.Clone(u)
	blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(f.k, f.k-1, f.basis), general(f.k, f.p, byExpert), -f.penalty, general(f.k-1, f.p, out))
	return out
}

// solveRows solves A·xᵢ = bᵢ for each row of b; A is positive definite.
func solveRows(a, b []float64) []float64 {
	out := slices.Clone(b)
	p := int(math.Sqrt(float64(len(a))))
	var chol mat.Cholesky
	if !chol.Factorize(mat.NewSymDense(p, a)) {
		return out // uphill, and ascend finds how far
	}
	rows := mat.NewDense(len(b)/p, p, out)
	var x mat.Dense
	if chol.SolveTo(&x, rows.T()) == nil {
		rows.Copy(x.T())
	}
	return out
}
