package mixture

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	gonumblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// Bernoulli fits a mixture of K products of independent bits,
//
//	p(x) = Σₖ πₖ Πⱼ qₖⱼ^xⱼ (1−qₖⱼ)^(1−xⱼ),
//
// to the n binary rows of a matrix by expectation maximization (Lazarsfeld & Henry's latent
// classes, 1968; Carreira-Perpiñán & Renals, 2000). What is raised is the log-likelihood and the
// logarithm of a Beta(1+α, 1+α) prior on every qₖⱼ, the Objective: it adds α ones and α zeros to
// each component's counts, so that no bit becomes impossible because it did not occur, and no step
// lowers it.
//
// One iteration costs O(nKd), two matrix products; memory is O(nd + Kd).
type Bernoulli struct {
	K         int     // number of components, 1 ≤ K ≤ n
	Smoothing float64 // α; 0 means 1, negative none: the plain maximum of the likelihood
	Restarts  int     // independent starts, the one of highest objective is kept; 0 means 1
	MaxIter   int     // steps of EM per start; 0 means 1000
	Tol       float64 // stop when the objective a row is, by the trend of its gains, this near to its limit, in nats; 0 means 1e-6
	Seed      uint64  // same seed, same result
}

// BernoulliModel is a mixture of products of bits.
type BernoulliModel struct {
	Weights       []float64  // length K, sum 1
	Probabilities *mat.Dense // K×d, of a one
	LogLikelihood float64    // mean of log p(x) over the rows of the fit, in nats
	Objective     float64    // LogLikelihood and the log prior, divided by n
	Labels        []int      // length n, the component of greatest responsibility of each row
	Iterations    int        // steps of the start that was kept; 0 is the start itself
	Converged     bool       // the limit is near, as Tol says
	Restart       int        // which start it was, from 0
}

func init() { ml.Register[BernoulliModel]("mixture.BernoulliModel") }

// Fit returns the best mixture of Restarts starts. The error is ml.ErrParameter for an option out
// of range or an entry of x that is neither 0 nor 1, ml.ErrNotFinite and ml.ErrEmpty as ml.Dense
// says, and ctx.Err(), along with the best mixture so far, when ctx ends first.
func (b Bernoulli) Fit(ctx context.Context, x mat.Matrix) (*BernoulliModel, error) {
	f, err := b.check(x)
	if err != nil {
		return nil, err
	}
	var best *BernoulliModel
	for r := range cmp.Or(b.Restarts, 1) {
		var last *BernoulliModel
		for m := range f.iterate(ctx, r) {
			last = m
		}
		if last != nil && (best == nil || last.Objective > best.Objective) {
			best = last
		}
		if ctx.Err() != nil {
			break
		}
	}
	return best, ctx.Err()
}

// Iterate runs one start and yields the model after every step, the first being the start itself.
func (b Bernoulli) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*BernoulliModel, error] {
	return func(yield func(*BernoulliModel, error) bool) {
		f, err := b.check(x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *BernoulliModel
		for last = range f.iterate(ctx, 0) {
			if !yield(last, nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(last, err)
		}
	}
}

func (b Bernoulli) check(x mat.Matrix) (*bernoulliFit, error) {
	const method = "mixture.Bernoulli"
	y, err := bits(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	if err := checkK(method, b.K, n); err != nil {
		return nil, err
	}
	switch {
	case math.IsNaN(b.Smoothing) || math.IsInf(b.Smoothing, 0):
		return nil, ml.BadParameter(method, "Smoothing", b.Smoothing, "a finite number")
	case b.Restarts < 0:
		return nil, ml.BadParameter(method, "Restarts", b.Restarts, "0 (for 1) or more")
	case b.MaxIter < 0:
		return nil, ml.BadParameter(method, "MaxIter", b.MaxIter, "0 (for 1000) or more")
	case !(b.Tol >= 0) || math.IsInf(b.Tol, 1):
		return nil, ml.BadParameter(method, "Tol", b.Tol, "0 (for 1e-6) or a positive number")
	}
	b.Smoothing = max(cmp.Or(b.Smoothing, 1), 0)
	return &bernoulliFit{b, y}, nil
}

// bits checks that x holds zeros and ones.
func bits(method string, x mat.Matrix) (*mat.Dense, error) {
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	for i, v := range y.RawMatrix().Data[:n*d] {
		if v != 0 && v != 1 {
			return nil, ml.BadParameter(method, sprintf("row %d, column %d", i/d, i%d), v, "0 or 1")
		}
	}
	return y, nil
}

type bernoulliFit struct {
	Bernoulli
	x *mat.Dense
}

// iterate is EM from a start: K rows, halfway between what they are and a half. It ends without an
// error when ctx does.
func (f *bernoulliFit) iterate(ctx context.Context, restart int) iter.Seq[*BernoulliModel] {
	return func(yield func(*BernoulliModel) bool) {
		n, d := f.x.Dims()
		m := &BernoulliModel{Weights: slices.Repeat([]float64{1 / float64(f.K)}, f.K), Probabilities: mat.NewDense(f.K, d, nil)}
		for k, i := range rng.New(f.Seed, restart).Perm(n)[:f.K] {
			for j, v := range f.x.RawRowView(i) {
				m.Probabilities.Set(k, j, 0.25+v/2)
			}
		}
		trend := trend{tol: cmp.Or(f.Tol, 1e-6)}
		done := false
		for i := 0; ; i++ {
			s, err := f.pass(ctx, m)
			if err != nil {
				return
			}
			m.LogLikelihood, m.Labels, m.Iterations, m.Restart = s.logLikelihood/float64(n), s.labels, i, restart
			m.Objective = trend.next(m.LogLikelihood + f.logPrior(m)/float64(n))
			m.Converged = done || trend.stuck()
			done = trend.ended()
			if !yield(m) || m.Converged || i == cmp.Or(f.MaxIter, 1000) {
				return
			}
			m = f.update(m, s)
		}
	}
}

// logPrior is α Σ log q(1−q).
func (f *bernoulliFit) logPrior(m *BernoulliModel) float64 {
	if f.Smoothing == 0 {
		return 0
	}
	sum := 0.0
	for _, q := range m.Probabilities.RawMatrix().Data {
		sum += math.Log(q) + math.Log1p(-q)
	}
	return f.Smoothing * sum
}

type bernoulliSums struct {
	logLikelihood float64
	labels        []int
	mass          []float64  // K
	ones          *mat.Dense // K×d, Σ rᵢₖ xᵢⱼ
}

// bernoulliBlock is how many rows a pass takes at a time.
const bernoulliBlock = 256

// pass computes the responsibilities and the sums that the next components are made of; blocks are
// merged in their order.
func (f *bernoulliFit) pass(ctx context.Context, m *BernoulliModel) (*bernoulliSums, error) {
	n, d := f.x.Dims()
	p := m.prepare()
	total := &bernoulliSums{labels: make([]int, n), mass: make([]float64, f.K), ones: mat.NewDense(f.K, d, nil)}
	type part struct {
		logLikelihood float64
		joint         *mat.Dense
	}
	of := make([]part, parallel.Chunks(n, bernoulliBlock))
	err := parallel.For(ctx, n, bernoulliBlock, func(c, lo, hi int) {
		joint := mat.NewDense(hi-lo, f.K, nil)
		of[c] = part{p.posterior(joint, f.x.Slice(lo, hi, 0, d).(*mat.Dense), nil, total.labels[lo:hi]), joint}
	})
	if err != nil {
		return nil, err
	}
	for c, part := range of {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		total.logLikelihood += part.logLikelihood
		rows, _ := part.joint.Dims()
		for i := range rows {
			for k, r := range part.joint.RawRowView(i) {
				total.mass[k] += r
			}
		}
		lo := c * bernoulliBlock
		blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, part.joint.RawMatrix(), f.x.Slice(lo, lo+rows, 0, d).(*mat.Dense).RawMatrix(), 1, total.ones.RawMatrix())
	}
	return total, nil
}

// update is the M step: counts with the prior's added. A component without rows keeps its
// probabilities.
func (f *bernoulliFit) update(m *BernoulliModel, s *bernoulliSums) *BernoulliModel {
	n, d := f.x.Dims()
	next := &BernoulliModel{Weights: make([]float64, f.K), Probabilities: mat.NewDense(f.K, d, nil)}
	for k, mass := range s.mass {
		next.Weights[k] = mass / float64(n)
		row, total := next.Probabilities.RawRowView(k), mass+2*f.Smoothing
		for j := range row {
			if total == 0 {
				row[j] = m.Probabilities.At(k, j)
				continue
			}
			// A sum of responsibilities can pass the mass by a rounding.
			row[j] = min((s.ones.At(k, j)+f.Smoothing)/total, 1)
		}
	}
	return next
}

// bernoulliLogs is a model as logarithms: log πₖ p(x|k) = offsetₖ + Σⱼ xⱼ slopeₖⱼ, and for what is
// certain, qₖⱼ of 0 or 1, a table of what it excludes.
type bernoulliLogs struct {
	offset  []float64
	slope   *mat.Dense
	certain [][]int // of each component: the variables of which it knows the value
	q       *mat.Dense
}

func (m *BernoulliModel) prepare() *bernoulliLogs {
	k, d := m.Probabilities.Dims()
	p := &bernoulliLogs{offset: make([]float64, k), slope: mat.NewDense(k, d, nil), certain: make([][]int, k), q: m.Probabilities}
	for c := range k {
		p.offset[c] = math.Log(m.Weights[c])
		for j, q := range m.Probabilities.RawRowView(c) {
			if q == 0 || q == 1 {
				p.certain[c] = append(p.certain[c], j)
				continue
			}
			no := math.Log1p(-q)
			p.offset[c] += no
			p.slope.Set(c, j, math.Log(q)-no)
		}
	}
	return p
}

// posterior fills joint, rows × K, with responsibilities, and logp and labels where they are
// wanted; it returns Σ log p(x).
func (p *bernoulliLogs) posterior(joint, x *mat.Dense, logp []float64, labels []int) (sum float64) {
	rows, _ := x.Dims()
	blas64.Gemm(gonumblas.NoTrans, gonumblas.Trans, 1, x.RawMatrix(), p.slope.RawMatrix(), 0, joint.RawMatrix())
	for i := range rows {
		row, values := joint.RawRowView(i), x.RawRowView(i)
		for k := range row {
			row[k] += p.offset[k]
			for _, j := range p.certain[k] {
				if values[j] != p.q.At(k, j) {
					row[k] = math.Inf(-1)
				}
			}
		}
		best := 0
		for k, v := range row {
			if v > row[best] {
				best = k
			}
		}
		most, total := row[best], 0.0
		for k, v := range row {
			if math.IsInf(most, -1) { // impossible under all components: none is preferred
				row[k] = 1 / float64(len(row))
				continue
			}
			row[k] = math.Exp(v - most)
			total += row[k]
		}
		l := most
		if !math.IsInf(most, -1) {
			for k := range row {
				row[k] /= total
			}
			l += math.Log(total)
		}
		sum += l
		if logp != nil {
			logp[i] = l
		}
		if labels != nil {
			labels[i] = best
		}
	}
	return sum
}

// evaluate runs posterior over all rows of x.
func (m *BernoulliModel) evaluate(ctx context.Context, method string, x mat.Matrix) (responsibilities *mat.Dense, logp []float64, labels []int, err error) {
	y, err := bits(method, x)
	if err != nil {
		return nil, nil, nil, err
	}
	k, d := m.Probabilities.Dims()
	if err := ml.Columns(method, y, d); err != nil {
		return nil, nil, nil, err
	}
	n, _ := y.Dims()
	responsibilities, logp, labels = mat.NewDense(n, k, nil), make([]float64, n), make([]int, n)
	p := m.prepare()
	err = parallel.For(ctx, n, bernoulliBlock, func(_, lo, hi int) {
		p.posterior(responsibilities.Slice(lo, hi, 0, k).(*mat.Dense), y.Slice(lo, hi, 0, d).(*mat.Dense), logp[lo:hi], labels[lo:hi])
	})
	return responsibilities, logp, labels, err
}

// LogProb returns log p(x) of each row of x, in nats: −Inf where, without smoothing, no component
// allows it.
func (m *BernoulliModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	_, logp, _, err := m.evaluate(ctx, "mixture.BernoulliModel.LogProb", x)
	return logp, err
}

// Responsibilities returns the n×K probabilities of the components given each row of x.
func (m *BernoulliModel) Responsibilities(x mat.Matrix) (*mat.Dense, error) {
	r, _, _, err := m.evaluate(context.Background(), "mixture.BernoulliModel.Responsibilities", x)
	return r, err
}

// Predict returns the component of greatest responsibility of each row of x.
func (m *BernoulliModel) Predict(x mat.Matrix) ([]int, error) {
	_, _, labels, err := m.evaluate(context.Background(), "mixture.BernoulliModel.Predict", x)
	return labels, err
}

// Sample draws n rows from the mixture. The error is ml.ErrParameter for n < 1, and ctx.Err().
func (m *BernoulliModel) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	if n < 1 {
		return nil, ml.BadParameter("mixture.BernoulliModel.Sample", "n", n, "at least 1")
	}
	_, d := m.Probabilities.Dims()
	out := mat.NewDense(n, d, nil)
	err := parallel.For(ctx, n, chunk, func(shard, lo, hi int) {
		r := rng.New(seed, shard)
		for i := lo; i < hi; i++ {
			q, row := m.Probabilities.RawRowView(draw(r, m.Weights)), out.RawRowView(i)
			for j := range row {
				if r.Float64() < q[j] {
					row[j] = 1
				}
			}
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Parameters is the number of free parameters: K−1 weights and Kd probabilities.
func (m *BernoulliModel) Parameters() int {
	k, d := m.Probabilities.Dims()
	return k - 1 + k*d
}
