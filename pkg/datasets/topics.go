package datasets

import (
	"math"
	"math/rand/v2"

	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

// Corpus are documents whose topics are known.
type Corpus struct {
	Words     [][]int    // of each document, by number: csr.FromRows counts them
	Topics    *mat.Dense // K×V, the probability of each word in each topic
	Documents *mat.Dense // n×K, the proportions of the topics in each document
}

// PlantedTopics draws n documents of length words each from the story of latent Dirichlet
// allocation (Blei, Ng & Jordan, 2003): topics from a Dirichlet distribution over the vocabulary
// with 0.05 for each word, proportions from one with 0.1 for each topic.
func PlantedTopics(n, length, vocabulary, topics int, seed uint64) Corpus {
	need(length >= 0 && vocabulary >= 1 && topics >= 1,
		"PlantedTopics: length = %d, vocabulary = %d, topics = %d, want 0, 1 and 1 at least", length, vocabulary, topics)
	t := mat.NewDense(topics, vocabulary, nil)
	r := rng.New(seed)
	for k := range topics {
		dirichlet(r, t.RawRowView(k), 0.05)
	}
	return documents("PlantedTopics", n, length, t, seed)
}

// DisjointTopics draws n documents from topics that share no word: each has words of its own, all
// equally probable. A document has one topic, the next one each time; so whoever knows the topic of
// a document meets its words with a perplexity of words, and whoever does not of topics·words.
func DisjointTopics(n, length, topics, words int, seed uint64) Corpus {
	need(length >= 0 && topics >= 1 && words >= 1,
		"DisjointTopics: length = %d, topics = %d, words = %d, want 0, 1 and 1 at least", length, topics, words)
	needPoints("DisjointTopics", n, 0)
	c := Corpus{Topics: mat.NewDense(topics, topics*words, nil), Documents: mat.NewDense(n, topics, nil), Words: make([][]int, n)}
	for k := range topics {
		for j := range words {
			c.Topics.Set(k, k*words+j, 1/float64(words))
		}
	}
	r := rng.New(seed)
	for i := range n {
		c.Documents.Set(i, i%topics, 1)
		for range length {
			c.Words[i] = append(c.Words[i], i%topics*words+r.IntN(words))
		}
	}
	return c
}

// documents draws proportions and words.
func documents(name string, n, length int, topics *mat.Dense, seed uint64) Corpus {
	needPoints(name, n, 0)
	k, v := topics.Dims()
	c := Corpus{Topics: topics, Documents: mat.NewDense(n, k, nil), Words: make([][]int, n)}
	upTo := mat.NewDense(k, v, nil)
	for t := range k {
		cumulate(upTo.RawRowView(t), topics.RawRowView(t))
	}
	theta := make([]float64, k)
	for i := range n {
		r := rng.New(seed, i)
		dirichlet(r, c.Documents.RawRowView(i), 0.1)
		cumulate(theta, c.Documents.RawRowView(i))
		c.Words[i] = make([]int, length)
		for p := range length {
			c.Words[i][p] = above(upTo.RawRowView(above(theta, r.Float64())), r.Float64())
		}
	}
	return c
}

func cumulate(dst, p []float64) {
	sum := 0.0
	for i, v := range p {
		sum += v
		dst[i] = sum
	}
}

// above returns the first place whose sum is above u times the last.
func above(upTo []float64, u float64) int {
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

// dirichlet draws from the symmetric Dirichlet distribution with a parameter below 1: gamma draws
// over their sum, each that of the parameter plus 1 (Marsaglia & Tsang, 2000) times a power of a
// uniform number, by logarithms, since most are near 0.
func dirichlet(r *rand.Rand, p []float64, a float64) {
	d := a + 1 - 1./3
	c := 1 / math.Sqrt(9*d)
	most, sum := math.Inf(-1), 0.0
	for i := range p {
		for {
			x := r.NormFloat64()
			v := 1 + c*x
			if v <= 0 {
				continue
			}
			v = v * v * v
			if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
				p[i] = math.Log(d*v) + math.Log(1-r.Float64())/a
				break
			}
		}
		most = math.Max(most, p[i])
	}
	for i := range p {
		p[i] = math.Exp(p[i] - most)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
}
