package topic

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Coherence measures whether words that a topic puts together are found together in documents: the
// mean over all pairs of its words of a number that grows with the documents that have both. It
// needs no held-out words, and agrees better with what people find meaningful than perplexity does.
type Coherence string

const (
	// UMass is log (D(wᵢ, wⱼ) + 1)/D(wⱼ), where wⱼ is the more probable of two words and D counts
	// documents that have all of them (Mimno et al., 2011). The highest is log(1 + 1/D).
	UMass Coherence = "umass"
	// NPMI is the normalised pointwise mutual information, log p(wᵢ, wⱼ)/(p(wᵢ)p(wⱼ)) over −log
	// p(wᵢ, wⱼ), with a document as the window (Bouma, 2009; Aletras & Stevenson, 2013): from −1 of
	// words that are never together, over 0 of independent ones, to 1 of words that are never
	// apart.
	NPMI Coherence = "npmi"
)

// Of returns the coherence of each of a list of topics, given by the columns of their words, the
// most probable first (Model.Top), in documents, one a row. A single word has none: 0. The errors
// are ml.ErrParameter for a measure that there is not, a word out of range, or one that UMass finds
// in no document (which NPMI takes for a word that is never together with others), those of
// Transform for counts, and ctx.Err().
func (c Coherence) Of(ctx context.Context, topics [][]int, documents mat.Matrix) ([]float64, error) {
	const method = "topic.Coherence"
	if c != UMass && c != NPMI {
		return nil, ml.BadParameter(method, "the measure", fmt.Sprintf("%q", string(c)), `"umass" or "npmi"`)
	}
	corpus, err := newCorpus(method, documents, false)
	if err != nil {
		return nil, err
	}
	words := corpus.byWord()
	in := make(map[int][]int32) // documents of each word that is asked about
	for t, list := range topics {
		for _, w := range list {
			if w < 0 || w >= corpus.v {
				return nil, ml.BadParameter(method, fmt.Sprintf("a word of topic %d", t), w, fmt.Sprintf("0 to %d", corpus.v-1))
			}
			if _, ok := in[w]; ok {
				continue
			}
			in[w] = nil
			for p := words.start[w]; p < words.start[w+1]; p++ {
				if corpus.Value[words.at[p]] > 0 {
					in[w] = append(in[w], words.doc[p])
				}
			}
			if len(in[w]) == 0 && c == UMass {
				return nil, ml.BadParameter(method, fmt.Sprintf("the number of documents with word %d of topic %d", w, t), 0, "at least 1")
			}
		}
	}
	out := make([]float64, len(topics))
	err = parallel.For(ctx, len(topics), 1, func(t, _, _ int) {
		sum, pairs := 0.0, 0
		for i, a := range topics[t] {
			for _, b := range topics[t][:i] {
				if a == b {
					continue
				}
				pairs++
				both := float64(common(in[a], in[b]))
				if c == UMass {
					sum += math.Log((both + 1) / float64(len(in[b])))
				} else {
					sum += npmi(both, float64(len(in[a])), float64(len(in[b])), float64(corpus.n))
				}
			}
		}
		if pairs > 0 {
			out[t] = sum / float64(pairs)
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

func npmi(both, a, b, n float64) float64 {
	switch both {
	case 0:
		return -1
	case n:
		return 1 // in all documents: never apart
	}
	return math.Log(both*n/(a*b)) / math.Log(n/both)
}

// common counts what two ascending lists have in common.
func common(a, b []int32) (n int) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			n, i, j = n+1, i+1, j+1
		}
	}
	return n
}
