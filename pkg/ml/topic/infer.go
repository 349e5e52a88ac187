package topic

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// weights are what documents meet: exp E[log φ] for a model of variational Bayes, whose posterior
// of φ they know, and φ for a sampled one.
func (m *Model) weights() weights {
	k, v := m.Topics.Dims()
	if m.Method != Sampled {
		t := topics{k: k, v: v, lambda: make([]float64, v*k), total: m.Weights}
		for a := range k {
			for j, p := range m.Topics.RawRowView(a) {
				t.lambda[j*k+a] = math.Max(p*m.Weights[a], math.SmallestNonzeroFloat64)
			}
		}
		return t.expected()
	}
	w := weights{k: k, beta: make([]float64, v*k), log: make([]float64, v)}
	for j := range v {
		most := 0.0
		for a := range k {
			w.beta[j*k+a] = m.Topics.At(a, j)
			most = math.Max(most, w.beta[j*k+a])
		}
		if most > 0 {
			for a := range k {
				w.beta[j*k+a] /= most
			}
		}
		w.log[j] = math.Log(most)
	}
	return w
}

// Transform returns the mean of θ of new documents given their words, n×K, with the topics held:
// the variational posterior, for a sampled model too. A document without words has the proportions
// that Alpha gives. The rows do not depend on each other. The errors are ml.ErrShape for another
// number of words, ml.ErrParameter for a negative count, those of ml.Dense, and ctx.Err().
func (m *Model) Transform(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "topic.Model.Transform"
	if err := m.check(method); err != nil {
		return nil, err
	}
	c, err := newCorpus(method, x, false)
	if err != nil {
		return nil, err
	}
	if _, v := m.Topics.Dims(); c.v != v {
		return nil, ml.BadShape(method, "the documents have %d columns, the model %d words", c.v, v)
	}
	return m.transform(ctx, c)
}

// exactTol ends the inner loop of documents that are asked about.
const exactTol = 1e-6

func (m *Model) transform(ctx context.Context, c *corpus) (*mat.Dense, error) {
	in := inference{weights: m.weights(), alpha: m.Alpha, tol: exactTol, most: 10 * documentSteps}
	gamma := make([]float64, c.n*in.k)
	for i, n := range c.length {
		begin(gamma[i*in.k:(i+1)*in.k], m.Alpha, n)
	}
	if err := in.documents(ctx, c, gamma, nil, nil); err != nil {
		return nil, err
	}
	return proportions(gamma, c.n, in.k), nil
}

// Perplexity says how well the model foretells words of documents that it was not fitted to, by
// document completion (Wallach, Murray, Salakhutdinov & Mimno, 2009): every second word of a
// document, in the order of the columns, gives its θ by Transform, and the rest is foretold,
//
//	exp(−(1/N) Σ log Σₖ θₖφₖ(w))
//
// over all N words of that rest. It is the size of a vocabulary whose words, all equally probable,
// would be as hard to foretell: lower is better, and what topics without any knowledge of the
// document would give is the perplexity of the model with K = 1. Documents of fewer than two words
// take no part. Unlike a bound divided by the number of words it does not depend on the size of the
// corpus or on what inference leaves out.
//
// The errors are those of Transform, ml.ErrParameter for a count that is no whole number, and
// ml.ErrEmpty where no document has two words. A word that the model gives no probability makes it
// +Inf, which cannot be of a fitted one.
func (m *Model) Perplexity(ctx context.Context, x mat.Matrix) (float64, error) {
	const method = "topic.Model.Perplexity"
	if err := m.check(method); err != nil {
		return 0, err
	}
	c, err := newCorpus(method, x, true)
	if err != nil {
		return 0, err
	}
	k, v := m.Topics.Dims()
	if c.v != v {
		return 0, ml.BadShape(method, "the documents have %d columns, the model %d words", c.v, v)
	}
	in := inference{weights: m.weights(), alpha: m.Alpha, tol: exactTol, most: 10 * documentSteps}
	chunks := parallel.Chunks(c.n, documentChunk)
	logs, counts := make([]float64, chunks), make([]float64, chunks)
	err = parallel.For(ctx, c.n, documentChunk, func(chunk, lo, hi int) {
		s, gamma := in.scratch(), make([]float64, k)
		var known, rest []float64
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			if c.length[i] < 2 {
				continue
			}
			columns, n := c.Of(i)
			known, rest = halves(n, known[:0], rest[:0])
			words := math.Ceil(c.length[i] / 2)
			begin(gamma, m.Alpha, words)
			in.document(s, columns, known, gamma)
			total := 0.0
			for _, g := range gamma {
				total += g
			}
			for p, j := range columns {
				if rest[p] == 0 {
					continue
				}
				likely := 0.0
				for a, g := range gamma {
					likely += g / total * m.Topics.At(a, j)
				}
				logs[chunk] += rest[p] * math.Log(likely)
				counts[chunk] += rest[p]
			}
		}
	})
	if err != nil {
		return 0, err
	}
	sum, words := 0.0, 0.0
	for i := range logs {
		sum, words = sum+logs[i], words+counts[i]
	}
	if words == 0 {
		return 0, ml.Empty(method, "no document has two words")
	}
	return math.Exp(-sum / words), nil
}

// halves deals words out in turn.
func halves(counts, known, rest []float64) (a, b []float64) {
	odd := 0.0 // words dealt so far, modulo 2
	for _, n := range counts {
		first := math.Floor((n + 1 - odd) / 2)
		known, rest = append(known, first), append(rest, n-first)
		odd = math.Mod(odd+n, 2)
	}
	return known, rest
}
