package topic

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Variational is latent Dirichlet allocation by variational Bayes (Blei, Ng & Jordan, 2003; with
// topics that have a posterior of their own, as in Hoffman, Blei & Bach, 2010). θ, φ and the topics
// of words are taken to be independent, Dirichlet with parameters γ and λ and categorical, and the
// lower bound of the log-likelihood that this gives is raised over one after the other. Each
// iteration goes on from the γ of the one before, so that the bound never falls.
//
// An iteration costs O(entries·K) times the steps of the inner loop, mostly a few. Counts need not
// be whole. Of the memory, O(nK + VK + entries), nothing is n×V.
type Variational struct {
	Topics     int     // K, 1 to 65,535
	Alpha      float64 // of θ, for each topic; 0 means 1/Topics
	Eta        float64 // of φ, for each word; 0 means 1/Topics
	LearnAlpha bool    // raise the bound over α, one for each topic
	LearnEta   bool    // and over η
	MaxIter    int     // 0 means 100
	// Tol ends the fit at an iteration that raises the bound by less, in nats a word; 0 means 1e-5.
	Tol float64
	// DocumentTol ends the inner loop of a document when its γ change by less on average; 0 means
	// 1e-3.
	DocumentTol float64
	Start       Start      // "" means Anchors
	Init        mat.Matrix // λ to start from, K×V, positive, in the place of Start; nil for none
	Seed        uint64     // same seed, same model
}

const variationalMethod = "topic.Variational"

// documentSteps bounds the inner loop.
const documentSteps = 100

// topics are the posteriors of φ: λ is V×K, word by word, and total its sums over words.
type topics struct {
	k, v   int
	lambda []float64
	total  []float64
}

// variationalFit is a fit on its way.
type variationalFit struct {
	Variational
	priors
	*corpus
	words    byWord
	topics   topics
	in       inference
	gamma    []float64
	ratio, e []float64
	bound    float64
	steps    int
	done     bool
}

// Fit returns the model where the bound no longer rises. The error is ml.ErrParameter for an option
// out of range or a negative count, ml.ErrShape for an Init of another shape, ml.ErrEmpty for a
// corpus without words, the errors of ml.Dense, and ctx.Err(), along with the model so far.
func (v Variational) Fit(ctx context.Context, x mat.Matrix) (*Model, error) {
	f, err := v.begin(ctx, x)
	if err != nil {
		return nil, err
	}
	for !f.done && f.steps < f.MaxIter {
		if err := f.step(ctx); err != nil {
			if f.steps == 0 {
				return nil, err
			}
			return f.model(), err
		}
	}
	return f.model(), nil
}

// Iterate yields the model after every iteration; each is a fresh value, and none has a lower bound
// than the one before.
func (v Variational) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Model, error] {
	return func(yield func(*Model, error) bool) {
		f, err := v.begin(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *Model
		for !f.done && f.steps < f.MaxIter {
			err := f.step(ctx)
			if err == nil {
				last = f.model()
			}
			if !yield(last, err) || err != nil {
				return
			}
		}
	}
}

func (v Variational) begin(ctx context.Context, x mat.Matrix) (*variationalFit, error) {
	p, err := newPriors(variationalMethod, v.Topics, v.Alpha, v.Eta)
	if err != nil {
		return nil, err
	}
	switch {
	case v.MaxIter < 0:
		return nil, ml.BadParameter(variationalMethod, "MaxIter", v.MaxIter, "0 or more")
	case !(v.Tol >= 0) || math.IsInf(v.Tol, 0):
		return nil, ml.BadParameter(variationalMethod, "Tol", v.Tol, "0 for 1e-5, or a positive number")
	case !(v.DocumentTol >= 0) || math.IsInf(v.DocumentTol, 0):
		return nil, ml.BadParameter(variationalMethod, "DocumentTol", v.DocumentTol, "0 for 1e-3, or a positive number")
	}
	if err := v.Start.check(variationalMethod); err != nil {
		return nil, err
	}
	v.MaxIter, v.Tol, v.DocumentTol = cmp.Or(v.MaxIter, 100), cmp.Or(v.Tol, 1e-5), cmp.Or(v.DocumentTol, 1e-3)
	c, err := newCorpus(variationalMethod, x, false)
	if err == nil {
		err = c.needWords(variationalMethod)
	}
	if err != nil {
		return nil, err
	}
	f := &variationalFit{Variational: v, priors: p, corpus: c, words: c.byWord(), bound: math.Inf(-1), gamma: make([]float64, c.n*p.k),
		ratio: make([]float64, len(c.Index)), e: make([]float64, c.n*p.k)}
	f.topics, err = startTopics(ctx, variationalMethod, c, p, v.Start, v.Init, v.Seed)
	if err != nil {
		return nil, err
	}
	for i, n := range c.length {
		begin(f.gamma[i*p.k:(i+1)*p.k], p.alpha, n)
	}
	f.in = inference{weights: f.topics.expected(), alpha: f.alpha, tol: f.DocumentTol, most: documentSteps}
	return f, ctx.Err()
}

// startTopics are the posteriors of φ that a fit begins with.
func startTopics(ctx context.Context, method string, c *corpus, p priors, start Start, init mat.Matrix, seed uint64) (topics, error) {
	t := topics{k: p.k, v: c.v, lambda: make([]float64, c.v*p.k), total: make([]float64, p.k)}
	if init != nil {
		return t, t.set(method, init)
	}
	guess, err := start.guess(ctx, c, p.k, seed)
	if err != nil {
		return t, err
	}
	if guess == nil {
		t.draw(rng.New(seed))
		return t, nil
	}
	for q, j := range c.Index {
		blas.Axpy(c.Value[q], guess[j*p.k:(j+1)*p.k], t.lambda[j*p.k:(j+1)*p.k])
	}
	for i := range t.lambda {
		t.lambda[i] += p.eta
	}
	t.sum()
	return t, nil
}

// set takes λ from a K×V matrix.
func (t *topics) set(method string, init mat.Matrix) error {
	k, v, err := ml.Size(method, init)
	if err != nil {
		return err
	}
	if k != t.k || v != t.v {
		return ml.BadShape(method, "Init is %d×%d, want %d×%d, topics by words", k, v, t.k, t.v)
	}
	for a := range t.k {
		for j := range t.v {
			l := init.At(a, j)
			if !(l >= leastPrior && l <= mostWords) {
				return ml.BadParameter(method, fmt.Sprintf("Init, row %d, column %d", a, j), l, fmt.Sprintf("%v to 2⁵³", leastPrior))
			}
			t.lambda[j*t.k+a] = l
		}
	}
	t.sum()
	return nil
}

// draw takes λ from the gamma distribution of shape 100 and mean 1.
func (t *topics) draw(r *rand.Rand) {
	for i := range t.lambda {
		t.lambda[i] = gammaDraw(r, 100) / 100
	}
	t.sum()
}

func (t *topics) sum() {
	clear(t.total)
	for j := range t.v {
		for a, l := range t.lambda[j*t.k : (j+1)*t.k] {
			t.total[a] += l
		}
	}
}

// expected are the weights exp E[log φ] of all words.
func (t *topics) expected() weights {
	w := weights{k: t.k, beta: make([]float64, t.v*t.k), log: make([]float64, t.v)}
	psi := make([]float64, t.k)
	for a, s := range t.total {
		psi[a] = digamma(s)
	}
	_ = parallel.For(context.Background(), t.v, 256, func(_, lo, hi int) {
		for j := lo; j < hi; j++ {
			w.log[j] = expectWord(w.beta[j*t.k:(j+1)*t.k], t.lambda[j*t.k:(j+1)*t.k], psi)
		}
	})
	return w
}

// expectWord sets beta to exp E[log φ] of a word over the largest, and returns the logarithm of
// that.
func expectWord(beta, lambda, psi []float64) float64 {
	most := math.Inf(-1)
	for a, l := range lambda {
		beta[a] = digamma(l) - psi[a]
		most = math.Max(most, beta[a])
	}
	for a := range beta {
		beta[a] -= most
	}
	blas.Exp(beta, beta)
	return most
}

// step is one iteration: γ by λ, λ by γ, and, where they are learned, the priors by both.
func (f *variationalFit) step(ctx context.Context) error {
	gamma := slices.Clone(f.gamma) // what a step that is cut off leaves
	if err := f.in.documents(ctx, f.corpus, gamma, f.ratio, f.e); err != nil {
		return err
	}
	next := topics{k: f.k, v: f.v, lambda: make([]float64, f.v*f.k), total: make([]float64, f.k)}
	err := parallel.For(ctx, f.v, 256, func(_, lo, hi int) {
		for j := lo; j < hi; j++ {
			own := next.lambda[j*f.k : (j+1)*f.k]
			for p := f.words.start[j]; p < f.words.start[j+1]; p++ {
				i := int(f.words.doc[p])
				blas.Axpy(f.ratio[f.words.at[p]], f.e[i*f.k:(i+1)*f.k], own)
			}
			for a, b := range f.in.beta[j*f.k : (j+1)*f.k] {
				own[a] = f.eta + own[a]*b
			}
		}
	})
	if err != nil {
		return err
	}
	next.sum()
	in := f.in
	in.weights = next.expected()
	mean := make([]float64, f.k)
	documents, err := in.bound(ctx, f.corpus, gamma, mean)
	if err != nil {
		return err
	}
	f.gamma, f.topics, f.in = gamma, next, in
	bound := documents + f.topics.bound(f.eta)
	f.steps++
	f.done = bound-f.bound < f.Tol*f.total
	f.bound = bound
	if f.LearnAlpha {
		dirichletFit(f.alpha, mean)
	}
	if f.LearnEta {
		f.eta = f.topics.fitEta(f.eta)
	}
	if f.LearnAlpha || f.LearnEta {
		for i, n := range f.length {
			if n == 0 {
				copy(f.gamma[i*f.k:(i+1)*f.k], f.alpha)
			}
		}
		documents, err := f.in.bound(context.WithoutCancel(ctx), f.corpus, f.gamma, nil)
		if err != nil {
			return err
		}
		f.bound = documents + f.topics.bound(f.eta)
	}
	return nil
}

// bound is the part of the lower bound that belongs to φ.
func (t *topics) bound(eta float64) float64 {
	const size = 256
	parts := make([]float64, parallel.Chunks(t.v, size))
	psi := make([]float64, t.k)
	sum := 0.0
	etaLog, _ := math.Lgamma(eta)
	all, _ := math.Lgamma(float64(t.v) * eta)
	for a, s := range t.total {
		psi[a] = digamma(s)
		lg, _ := math.Lgamma(s)
		sum += all - lg
	}
	_ = parallel.For(context.Background(), t.v, size, func(chunk, lo, hi int) {
		for j := lo; j < hi; j++ {
			for a, l := range t.lambda[j*t.k : (j+1)*t.k] {
				lg, _ := math.Lgamma(l)
				parts[chunk] += (eta-l)*(digamma(l)-psi[a]) + lg - etaLog
			}
		}
	})
	for _, p := range parts {
		sum += p
	}
	return sum
}

// fitEta raises the bound over η: a Dirichlet fit whose parameters are all equal.
func (t *topics) fitEta(eta float64) float64 {
	mean := 0.0 // of E[log φ]
	for a := range t.k {
		mean -= digamma(t.total[a]) / float64(t.k)
	}
	sum := 0.0
	for _, l := range t.lambda {
		sum += digamma(l)
	}
	mean += sum / float64(t.k*t.v)
	for range fixedPointSteps {
		eta = clampPrior(inverseDigamma(digamma(float64(t.v)*eta) + mean))
	}
	return eta
}

func (f *variationalFit) model() *Model {
	m := f.topics.model()
	m.Alpha, m.Eta, m.Method = slices.Clone(f.alpha), f.eta, VariationalBayes
	m.Empty, m.Unused, m.Words = f.empty, f.unused, f.total
	m.Iterations, m.Bound, m.Converged = f.steps, f.bound, f.done
	m.Documents = proportions(f.gamma, f.n, f.k)
	return m
}

// model has the topics alone.
func (t *topics) model() *Model {
	m := &Model{Topics: mat.NewDense(t.k, t.v, nil), Weights: slices.Clone(t.total)}
	for a := range t.k {
		row := m.Topics.RawRowView(a)
		for j := range row {
			row[j] = t.lambda[j*t.k+a] / t.total[a]
		}
	}
	return m
}

// proportions are γ, each row over its sum.
func proportions(gamma []float64, n, k int) *mat.Dense {
	d := mat.NewDense(n, k, slices.Clone(gamma))
	for i := range n {
		row, sum := d.RawRowView(i), 0.0
		for _, g := range row {
			sum += g
		}
		for a := range row {
			row[a] /= sum
		}
	}
	return d
}
