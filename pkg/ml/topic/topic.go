// Package topic finds what documents are about, by the latent Dirichlet allocation of Blei, Ng &
// Jordan (2003): by collapsed Gibbs sampling and by variational Bayes, of a whole corpus or of
// documents that come a batch at a time. Documents are rows of counts, one column a word;
// Vectorizer makes them of texts. A csr.Matrix of counts is never made dense.
//
// # The model
//
// Topic k is a distribution φₖ over the V words, drawn from a Dirichlet distribution with parameter
// η for each word. Document d has proportions θd of the K topics, drawn from a Dirichlet
// distribution with parameters α. Each word of the document chooses a topic by θd, and then itself
// by the φ of that topic. Story draws documents so.
//
// # What is left out
//
// A document without words says nothing: it stays in its row, with the proportions that α alone
// gives, and Model.Empty names it. A word that no document uses stays in its column, as probable as
// η alone makes it, and Model.Unused names it.
package topic

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Model is a fitted latent Dirichlet allocation of K topics over V words.
type Model struct {
	Topics    *mat.Dense // K×V: the mean of φ; each row sums to 1
	Documents *mat.Dense // n×K: the mean of θ for each document; each row sums to 1; nil of a stream
	// Weights are the sums of the parameters of each topic's Dirichlet posterior, length K: the
	// words that it was given, and V·η.
	Weights []float64
	Alpha   []float64 // length K: of the Dirichlet distribution of θ, learned or given
	Eta     float64   // of the Dirichlet distribution of φ, learned or given
	Method  Inference // how the model was found, which Transform goes on with
	Empty   []int     // the documents without words, ascending; nil for none
	Unused  []int     // the words that no document uses, ascending; nil for none

	Words      float64 // of all documents together
	Iterations int     // sweeps, or batches of a stream
	// Bound is the lower bound of the log-likelihood of all words, in nats, of Variational; 0 of
	// others.
	Bound float64
	// LogJoint is log p(words, assignments) at the last sweep, in nats, of Gibbs; 0 of others. It
	// rises while the chain finds its way, and then goes up and down.
	LogJoint  float64
	Converged bool // Variational: the bound rose by less than Tol
}

// Inference is how a model was found.
type Inference string

// The three ways.
const (
	Sampled          Inference = "sampled"           // by Gibbs
	VariationalBayes Inference = "variational bayes" // by Variational
	Streamed         Inference = "streamed"          // by Online
)

func init() { ml.Register[Model]("topic.Model") }

// Top returns the n most probable words of topic k, as columns, the most probable first; of equally
// probable ones the lower column. There are at most as many as there are words; nil where there is
// no topic k.
func (m *Model) Top(k, n int) []int {
	if m.Topics == nil || m.Topics.IsEmpty() {
		return nil
	}
	topics, _ := m.Topics.Dims()
	if k < 0 || k >= topics {
		return nil
	}
	return top(m.Topics.RawRowView(k), n)
}

// Distinct returns the n words that are most typical of topic k: those of the highest weight·log
// φ + (1−weight)·log(φ/p), where p is a word's probability over all topics (the relevance of
// Sievert & Shirley, 2014, who found a weight of 0.6 to name topics best). A weight of 1 is Top,
// and 0 orders words by how much more probable the topic makes them, which favors rare ones.
func (m *Model) Distinct(k, n int, weight float64) []int {
	if m.Top(k, 1) == nil {
		return nil
	}
	topics, words := m.Topics.Dims()
	total, overall := 0.0, make([]float64, words)
	for t := range topics {
		total += m.Weights[t]
		for j, v := range m.Topics.RawRowView(t) {
			overall[j] += m.Weights[t] * v
		}
	}
	relevance := make([]float64, words)
	for j, v := range m.Topics.RawRowView(k) {
		relevance[j] = math.Log(v) - (1-weight)*math.Log(overall[j]/total)
	}
	return top(relevance, n)
}

// top returns the places of the n largest values, descending.
func top(values []float64, n int) []int {
	order := make([]int, len(values))
	for j := range order {
		order[j] = j
	}
	slices.SortFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(values[b], values[a]), cmp.Compare(a, b))
	})
	return order[:max(0, min(n, len(order)))]
}

// Shares returns the part that each topic has in all words, without the prior's: they sum to 1.
func (m *Model) Shares() []float64 {
	_, words := m.Topics.Dims()
	shares, sum := make([]float64, len(m.Weights)), 0.0
	for k, w := range m.Weights {
		shares[k] = math.Max(w-float64(words)*m.Eta, 0)
		sum += shares[k]
	}
	for k := range shares {
		if sum > 0 {
			shares[k] /= sum
		} else {
			shares[k] = 1 / float64(len(shares))
		}
	}
	return shares
}

// Distances returns how far the topics are apart, K×K: the square root of the Jensen-Shannon
// divergence in bits, which is a metric, 0 of equal distributions and 1 of ones without a common
// word. It costs O(K²V). The error is ctx.Err().
func (m *Model) Distances(ctx context.Context) (*mat.SymDense, error) {
	if err := m.check("topic.Model.Distances"); err != nil {
		return nil, err
	}
	k, _ := m.Topics.Dims()
	d := mat.NewSymDense(k, nil)
	err := parallel.For(ctx, k, 1, func(a, _, _ int) {
		p := m.Topics.RawRowView(a)
		for b := a + 1; b < k && ctx.Err() == nil; b++ {
			divergence := 0.0
			for j, q := range m.Topics.RawRowView(b) {
				middle := (p[j] + q) / 2
				if p[j] > 0 {
					divergence += p[j] * math.Log2(p[j]/middle) / 2
				}
				if q > 0 {
					divergence += q * math.Log2(q/middle) / 2
				}
			}
			d.SetSym(a, b, math.Sqrt(math.Min(math.Max(divergence, 0), 1)))
		}
	})
	if err != nil {
		return nil, err
	}
	return d, nil
}

// check reports a model that was put together by hand, or read from a file, and does not fit
// together.
func (m *Model) check(method string) error {
	if m.Topics == nil || m.Topics.IsEmpty() {
		return ml.Empty(method, "the model has no topics")
	}
	k, v := m.Topics.Dims()
	if len(m.Alpha) != k || len(m.Weights) != k {
		return ml.BadShape(method, "there are %d topics, %d numbers in Alpha and %d in Weights, want as many", k, len(m.Alpha), len(m.Weights))
	}
	for t := range k {
		if a := m.Alpha[t]; !(a > 0) || math.IsInf(a, 0) {
			return ml.BadParameter(method, "a number in Alpha", a, "a positive number")
		}
		if w := m.Weights[t]; !(w > 0) || math.IsInf(w, 0) {
			return ml.BadParameter(method, "a number in Weights", w, "a positive number")
		}
		for j, p := range m.Topics.RawRowView(t)[:v] {
			if !(p >= 0) || math.IsInf(p, 0) {
				return ml.NotFinite(method, "topic %d gives word %d the probability %v", t, j, p)
			}
		}
	}
	return nil
}
