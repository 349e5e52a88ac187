package topic

import (
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

// corpus are counts of words that have been checked.
type corpus struct {
	*csr.Matrix
	n, v   int
	length []float64 // of each document, in words
	total  float64
	empty  []int
	unused []int
}

// mostWords is beyond what counts add up to without rounding.
const mostWords = 1 << 53

// newCorpus checks counts, which must be whole where they are to be sampled word by word.
func newCorpus(method string, x mat.Matrix, whole bool) (*corpus, error) {
	n, v, err := ml.Size(method, x)
	if err != nil {
		return nil, err
	}
	c := &corpus{n: n, v: v, length: make([]float64, n)}
	if sparse, ok := x.(*csr.Matrix); ok {
		if err := sparse.Check(method); err != nil {
			return nil, err
		}
		c.Matrix = sparse
	} else {
		c.Matrix = &csr.Matrix{Columns: v, Start: make([]int, 1, n+1)}
		err := ml.EachRow(method, x, func(_ int, row []float64) error {
			for j, count := range row {
				if count != 0 {
					c.Index, c.Value = append(c.Index, j), append(c.Value, count)
				}
			}
			c.Start = append(c.Start, len(c.Index))
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	used := make([]bool, v)
	for i := range n {
		columns, counts := c.Of(i)
		for k, j := range columns {
			count := counts[k]
			if count < 0 || whole && count != math.Trunc(count) {
				want := "a count, 0 or more"
				if whole {
					want = "a whole number, 0 or more: words are sampled one by one"
				}
				return nil, ml.BadParameter(method, fmt.Sprintf("row %d, column %d", i, j), count, want)
			}
			c.length[i] += count
			used[j] = used[j] || count > 0
		}
		if c.length[i] == 0 {
			c.empty = append(c.empty, i)
		}
		c.total += c.length[i]
	}
	if !(c.total <= mostWords) {
		return nil, ml.BadParameter(method, "the sum of all counts", c.total, "at most 2⁵³")
	}
	for j, u := range used {
		if !u {
			c.unused = append(c.unused, j)
		}
	}
	return c, nil
}

// needWords refuses a corpus that says nothing at all.
func (c *corpus) needWords(method string) error {
	if c.total == 0 {
		return ml.Empty(method, "all %d documents are without words", c.n)
	}
	return nil
}

// byWord lists the entries of each word: of word j entry at[p] of the matrix, in document doc[p],
// for p from start[j] to start[j+1]−1, documents ascending.
type byWord struct {
	start   []int
	doc, at []int32
}

func (c *corpus) byWord() byWord {
	w := byWord{start: make([]int, c.v+1), doc: make([]int32, len(c.Index)), at: make([]int32, len(c.Index))}
	for _, j := range c.Index {
		w.start[j+1]++
	}
	for j := range c.v {
		w.start[j+1] += w.start[j]
	}
	next := make([]int, c.v)
	copy(next, w.start)
	for i := range c.n {
		for p := c.Start[i]; p < c.Start[i+1]; p++ {
			j := c.Index[p]
			w.doc[next[j]], w.at[next[j]] = int32(i), int32(p)
			next[j]++
		}
	}
	return w
}

// priors are the options that all methods have, with their defaults in place.
type priors struct {
	k     int
	alpha []float64
	eta   float64
}

func newPriors(method string, topics int, alpha, eta float64) (priors, error) {
	p := priors{k: topics, eta: eta}
	if topics < 1 || topics > mostTopics {
		return p, ml.BadParameter(method, "Topics", topics, fmt.Sprintf("1 to %d", mostTopics))
	}
	for name, v := range map[string]*float64{"Alpha": &alpha, "Eta": &p.eta} {
		if *v == 0 {
			*v = 1 / float64(topics)
		}
		if !(*v >= leastPrior && *v <= mostPrior) {
			return p, ml.BadParameter(method, name, *v, fmt.Sprintf("0 (for 1/Topics), or %v to %v", leastPrior, mostPrior))
		}
	}
	p.alpha = make([]float64, topics)
	for k := range p.alpha {
		p.alpha[k] = alpha
	}
	return p, nil
}

const (
	mostTopics = 1<<16 - 1
	leastPrior = 1e-6
	mostPrior  = 1e6
)
