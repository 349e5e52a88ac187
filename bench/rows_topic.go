//go:build unix

package main

import (
	"context"
	"math"

	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/topic"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func init() {
	figures := []figure{{"perplexity of held-out words", lower}, {"cosine with the true topics", higher}}
	register(
		row{name: "lda-topics", input: "corpus4k", figures: figures, fit: gibbsTopics},
		row{name: "lda-gibbs", input: "corpus4k", figures: figures, fit: gibbsTopics},
		row{name: "lda-variational", input: "corpus4k", figures: figures, fit: variationalTopics},
	)
}

// heldOut is how many documents at the end of the corpus are not fitted, by either side.
const heldOut = 500

// training are the documents to fit, in the form that each side takes: sparse here, a sparse matrix
// or lists of words there. To make them of the table is part of both sides' time.
func training(p problem) (*csr.Matrix, error) {
	n, v := p.X.Dims()
	return csr.FromDense(p.X.Slice(0, n-heldOut, 0, v))
}

func gibbsTopics(ctx context.Context, p problem) (judge, error) {
	x, err := training(p)
	if err != nil {
		return nil, err
	}
	m, err := topic.Gibbs{Topics: 20, Alpha: 0.1, Eta: 0.05, Sweeps: 60, Seed: p.Seed}.Fit(ctx, x)
	if err != nil {
		return nil, err
	}
	return foretold(m.Topics, p), nil
}

func variationalTopics(ctx context.Context, p problem) (judge, error) {
	x, err := training(p)
	if err != nil {
		return nil, err
	}
	m, err := topic.Variational{Topics: 20, Alpha: 0.1, Eta: 0.05, MaxIter: 30, Seed: p.Seed}.Fit(ctx, x)
	if err != nil {
		return nil, err
	}
	return foretold(m.Topics, p), nil
}

// foretold judges topics as peers/topic.py does: words of the held-out documents are dealt out in
// turn, the first half gives the proportions by 200 steps of EM towards their most probable value
// under a Dirichlet distribution with 1.1 for each topic, and the second is foretold.
func foretold(topics *mat.Dense, p problem) judge {
	return func(context.Context) ([]float64, error) {
		n, _ := p.X.Dims()
		k, _ := topics.Dims()
		logs, words := 0.0, 0.0
		for i := n - heldOut; i < n; i++ {
			var first, second []int
			turn := 0
			for j, count := range p.X.RawRowView(i) {
				for range int(count) {
					if turn%2 == 0 {
						first = append(first, j)
					} else {
						second = append(second, j)
					}
					turn++
				}
			}
			theta := make([]float64, k)
			for t := range theta {
				theta[t] = 1 / float64(k)
			}
			for range 200 {
				next := make([]float64, k)
				for _, j := range first {
					sum := 0.0
					for t := range theta {
						sum += theta[t] * topics.At(t, j)
					}
					for t := range theta {
						next[t] += theta[t] * topics.At(t, j) / sum
					}
				}
				floats.AddConst(0.1, next)
				floats.Scale(1/floats.Sum(next), next)
				theta = next
			}
			for _, j := range second {
				sum := 0.0
				for t := range theta {
					sum += theta[t] * topics.At(t, j)
				}
				logs -= math.Log(sum)
				words++
			}
		}
		return []float64{math.Exp(logs / words), cosine(topics, p.Y)}, nil
	}
}

// cosine is the mean, over the true topics, of the cosine with the nearest that was found.
func cosine(found, truth *mat.Dense) float64 {
	mean := 0.0
	k, _ := truth.Dims()
	for a := range k {
		x, best := truth.RawRowView(a), 0.0
		for b := range found.RawMatrix().Rows {
			y := found.RawRowView(b)
			best = math.Max(best, floats.Dot(x, y)/floats.Norm(x, 2)/floats.Norm(y, 2))
		}
		mean += best / float64(k)
	}
	return mean
}
