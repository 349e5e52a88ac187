package topic

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/mathext"
)

// documentChunk is how many documents a task takes.
const documentChunk = 64

// weights are exp E[log φ], or φ where topics are known, word by word, each word's over its
// largest, whose logarithm is beside: ratios within a word are all that the proportions of a
// document depend on, and so no number underflows that matters.
type weights struct {
	k    int
	beta []float64 // V×K
	log  []float64 // of each word
}

// inference finds the proportions of documents with topics held: for document d it maximises over
// γ the bound
//
//	Σ_w n_w log Σₖ exp(E[log θₖ]) β_wk − KL(Dir(γ) ‖ Dir(α)),
//
// where θ is Dirichlet with parameters γ, by γₖ = α + Σ_w n_w p(k | w) in turn with p(k | w) ∝
// exp(E[log θₖ]) β_wk (Blei, Ng & Jordan, 2003). No step lowers it.
type inference struct {
	weights
	alpha []float64
	tol   float64 // mean change of γ that ends it
	most  int     // steps
}

// scratch is what a task needs.
type scratch struct{ next, e, sum []float64 }

func (in *inference) scratch() *scratch {
	return &scratch{make([]float64, in.k), make([]float64, in.k), make([]float64, in.k)}
}

// expectLog sets e to exp(E[log θ]) over its largest, and returns the logarithm of that.
func expectLog(e, gamma []float64) float64 {
	total, most := 0.0, math.Inf(-1)
	for k, g := range gamma {
		e[k] = mathext.Digamma(g)
		total += g
		most = math.Max(most, e[k])
	}
	for k := range e {
		e[k] -= most
	}
	blas.Exp(e, e)
	return most - mathext.Digamma(total)
}

// tiny keeps a word that none of a document's topics has from dividing by 0.
const tiny = 1e-100

// document raises the bound of one document over γ, which it sets, from where γ is.
func (in *inference) document(s *scratch, columns []int, counts, gamma []float64) {
	k := in.k
	for range in.most {
		expectLog(s.e, gamma)
		clear(s.sum)
		for p, j := range columns {
			row := in.beta[j*k : (j+1)*k]
			blas.Axpy(counts[p]/(blas.Dot(s.e, row)+tiny), row, s.sum)
		}
		change := 0.0
		for t, a := range in.alpha {
			next := a + s.e[t]*s.sum[t]
			change += math.Abs(next - gamma[t])
			gamma[t] = next
		}
		if change < in.tol*float64(k) {
			return
		}
	}
}

// begin sets γ to where a document that has not been seen begins.
func begin(gamma, alpha []float64, words float64) {
	for k, a := range alpha {
		gamma[k] = a + words/float64(len(alpha))
	}
}

// documents raises the bounds of all documents of a corpus over γ, n×K. Where ratio and e are not
// nil, they are what each topic is owed: ratio of each entry n_w/Σₖ eₖβ_wk, and e, n×K, exp(E[log
// θ]) by the final γ.
func (in *inference) documents(ctx context.Context, c *corpus, gamma, ratio, e []float64) error {
	return parallel.For(ctx, c.n, documentChunk, func(_, lo, hi int) {
		s, k := in.scratch(), in.k
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			columns, counts := c.Of(i)
			g := gamma[i*k : (i+1)*k]
			if c.length[i] == 0 {
				copy(g, in.alpha)
			} else {
				in.document(s, columns, counts, g)
			}
			if ratio == nil {
				continue
			}
			own := e[i*k : (i+1)*k]
			expectLog(own, g)
			for p, j := range columns {
				ratio[c.Start[i]+p] = counts[p] / (blas.Dot(own, in.beta[j*k:(j+1)*k]) + tiny)
			}
		}
	})
}

// bound is the part of the lower bound that belongs to the documents. mean, if it is not nil, is
// set to the mean of E[log θ] over the documents with words.
func (in *inference) bound(ctx context.Context, c *corpus, gamma, mean []float64) (float64, error) {
	k := in.k
	chunks := parallel.Chunks(c.n, documentChunk)
	parts, means := make([]float64, chunks), make([][]float64, chunks)
	prior, priorLog := 0.0, 0.0
	for _, a := range in.alpha {
		v, _ := math.Lgamma(a)
		prior, priorLog = prior+a, priorLog-v
	}
	v, _ := math.Lgamma(prior)
	priorLog += v
	err := parallel.For(ctx, c.n, documentChunk, func(chunk, lo, hi int) {
		e, own, psi := make([]float64, k), 0.0, make([]float64, k)
		means[chunk] = psi
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			if c.length[i] == 0 {
				continue // its posterior is its prior
			}
			g := gamma[i*k : (i+1)*k]
			shift, total := expectLog(e, g), 0.0
			columns, counts := c.Of(i)
			for p, j := range columns {
				if counts[p] > 0 {
					own += counts[p] * (math.Log(blas.Dot(e, in.beta[j*k:(j+1)*k])+tiny) + in.log[j] + shift)
				}
			}
			own += priorLog
			for _, v := range g {
				total += v
			}
			psiTotal := mathext.Digamma(total)
			for t, v := range g {
				l := mathext.Digamma(v) - psiTotal
				lg, _ := math.Lgamma(v)
				own += (in.alpha[t]-v)*l + lg
				psi[t] += l
			}
			lg, _ := math.Lgamma(total)
			own -= lg
		}
		parts[chunk] = own
	})
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for _, p := range parts {
		sum += p
	}
	if mean != nil {
		clear(mean)
		for _, psi := range means {
			for t, v := range psi {
				mean[t] += v / float64(c.n-len(c.empty))
			}
		}
	}
	return sum, nil
}
