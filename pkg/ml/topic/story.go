package topic

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

// Story is the generative story of latent Dirichlet allocation: a document draws its proportions θ
// ~ Dir(α) and its length from a Poisson distribution, and each word a topic by θ and then itself
// by the topic's distribution.
type Story struct {
	Topics mat.Matrix // K×V, each row not negative, with a positive sum: it is taken over that
	Alpha  []float64  // length K; nil means 0.1 each
	Length float64    // mean number of words; 0 means 100, negative none: empty documents
}

// Corpus are documents whose story is known.
type Corpus struct {
	Counts    *csr.Matrix // n×V
	Documents *mat.Dense  // n×K: θ
	Words     [][]int     // of each document, the words in the order in which they were drawn
	Assigned  [][]int     // and their topics
}

// mostLength bounds the mean length of a document.
const mostLength = 1e6

// Sample draws n documents. Each has a random stream of its own, so that the first of many are
// those of few. The error is ml.ErrParameter, ml.ErrShape for an Alpha of another length, or
// ctx.Err().
func (s Story) Sample(ctx context.Context, n int, seed uint64) (*Corpus, error) {
	const method = "topic.Story"
	k, v, err := ml.Size(method, s.Topics)
	if err != nil {
		return nil, err
	}
	alpha := s.Alpha
	if alpha == nil {
		alpha = make([]float64, k)
		for t := range alpha {
			alpha[t] = 0.1
		}
	}
	length := s.Length
	if length == 0 {
		length = 100
	}
	switch {
	case n < 1:
		return nil, ml.BadParameter(method, "n", n, "at least 1")
	case len(alpha) != k:
		return nil, ml.BadShape(method, "Alpha has length %d, want %d, one a topic", len(alpha), k)
	case !(length <= mostLength):
		return nil, ml.BadParameter(method, "Length", length, fmt.Sprintf("at most %v", mostLength))
	}
	for t, a := range alpha {
		if !(a > 0) || math.IsInf(a, 0) {
			return nil, ml.BadParameter(method, fmt.Sprintf("Alpha[%d]", t), a, "a positive number")
		}
	}
	upTo := make([][]float64, k) // sums of each topic's probabilities
	err = ml.EachRow(method, s.Topics, func(t int, row []float64) error {
		upTo[t] = make([]float64, v)
		sum := 0.0
		for j, p := range row {
			if p < 0 {
				return ml.BadParameter(method, fmt.Sprintf("Topics, row %d, column %d", t, j), p, "0 or more")
			}
			sum += p
			upTo[t][j] = sum
		}
		if !(sum > 0) || math.IsInf(sum, 0) {
			return ml.BadParameter(method, fmt.Sprintf("the sum of row %d of Topics", t), sum, "a positive number")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	c := &Corpus{Documents: mat.NewDense(n, k, nil), Words: make([][]int, n), Assigned: make([][]int, n)}
	err = parallel.For(ctx, n, documentChunk, func(_, lo, hi int) {
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			r := rng.New(seed, i)
			theta := c.Documents.RawRowView(i)
			dirichletDraw(r, theta, alpha)
			words := poissonDraw(r, math.Max(length, 0))
			c.Words[i], c.Assigned[i] = make([]int, words), make([]int, words)
			for p := range words {
				t := rng.Weighted(r, theta, 1)
				c.Assigned[i][p], c.Words[i][p] = t, find(upTo[t], r.Float64())
			}
		}
	})
	if err != nil {
		return nil, err
	}
	c.Counts, err = csr.FromRows(v, c.Words, nil)
	return c, err
}

// find returns the first place whose sum is above u times the last.
func find(upTo []float64, u float64) int {
	u *= upTo[len(upTo)-1]
	lo, hi := 0, len(upTo)-1
	for lo < hi {
		if mid := (lo + hi) / 2; upTo[mid] > u {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	return lo
}

// Sample draws n documents from the model, of as many words on average as the model's. The errors
// are those of Story.Sample.
func (m *Model) Sample(ctx context.Context, n int, seed uint64) (*Corpus, error) {
	if err := m.check("topic.Model.Sample"); err != nil {
		return nil, err
	}
	s := Story{Topics: m.Topics, Alpha: m.Alpha}
	if m.Documents != nil && !m.Documents.IsEmpty() {
		documents, _ := m.Documents.Dims()
		if full := documents - len(m.Empty); full > 0 {
			s.Length = m.Words / float64(full)
		}
	}
	return s.Sample(ctx, n, seed)
}
