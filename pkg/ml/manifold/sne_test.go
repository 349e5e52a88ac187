package manifold

import (
	"errors"
	"math"
	"testing"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
)

// The cost is the sum that defines it, and the gradient its derivative by central differences.
func TestSNECostAndGradient(t *testing.T) {
	for _, k := range []int{1, 2, 3} {
		c, err := SNE{Components: k, Perplexity: 6}.prepare(t.Context(), mltest.Normal(1, 40, 5))
		if err != nil {
			t.Fatal(err)
		}
		copy(c.y, mltest.Normal(2, 40, k).RawMatrix().Data)
		cost := func() float64 {
			total := 0.0
			for i := range 40 {
				sum := 0.0
				for j := range 40 {
					if d := distanceOf(c.y[i*k:(i+1)*k], c.y[j*k:(j+1)*k]); j != i {
						sum += math.Exp(-d * d)
					}
				}
				near, _ := c.g.Of(i)
				for e, j := range near {
					p := c.p[c.g.Start[i]+e]
					d := distanceOf(c.y[i*k:(i+1)*k], c.y[j*k:(j+1)*k])
					if p > 0 {
						total += p * (math.Log(p) + d*d + math.Log(sum))
					}
				}
			}
			return total
		}
		got, err := c.gradient(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if want := cost(); math.Abs(got-want) > 1e-9*want {
			t.Errorf("%d dimensions: cost %.12g, want %.12g", k, got, want)
		}
		for at := 0; at < 40*k; at += 5 {
			const h = 1e-5
			y := c.y[at]
			c.y[at] = y + h
			up := cost()
			c.y[at] = y - h
			down := cost()
			c.y[at] = y
			if want := (up - down) / (2 * h); math.Abs(c.slope[at]-want) > 1e-6 {
				t.Errorf("%d dimensions: gradient %.9g, want %.9g", k, c.slope[at], want)
			}
		}
	}
}

func TestSNEConforms(t *testing.T) {
	s := SNE{MaxIter: 40}
	mltest.Run(t, mltest.Method[SNEModel]{Fit: s.Fit, Iterate: s.Iterate})
}

// On digits the map is far better than principal components, and, crowded, worse than t-SNE's.
func TestSNEOfDigits(t *testing.T) {
	x := datasets.Digits().X.Slice(0, 500, 0, 64)
	m, err := SNE{}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	n, err := TSNE{}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	p, err := principal(t.Context(), mat.DenseCopyOf(x), 2, 1)
	if err != nil {
		t.Fatal(err)
	}
	var trust [3]float64
	for i, y := range []mat.Matrix{p, m.Embedding, n.Embedding} {
		if trust[i], err = evaluate.NeighborhoodRecall(t.Context(), x, y, 12); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("recall of 12 neighbors: principal components %.3f, SNE %.3f, t-SNE %.3f; KL %.3f", trust[0], trust[1], trust[2], m.KL)
	if trust[1] < trust[0]+0.1 || trust[2] < trust[1] {
		t.Errorf("recall of 12 neighbors: principal components %.3f, SNE %.3f, t-SNE %.3f", trust[0], trust[1], trust[2])
	}
}

func TestSNEBadInput(t *testing.T) {
	x := mltest.Normal(1, 20, 3)
	for name, err := range map[string]error{
		"Perplexity": mltest.Err(SNE{Perplexity: 19}.Fit(t.Context(), x)), "Components": mltest.Err(SNE{Components: -1}.Fit(t.Context(), x)),
		"MaxIter": mltest.Err(SNE{MaxIter: -1}.Fit(t.Context(), x)), "LearningRate": mltest.Err(SNE{LearningRate: math.NaN()}.Fit(t.Context(), x)), "rows": mltest.Err(SNE{}.Fit(t.Context(), mltest.Normal(1, 3, 2))),
	} {
		if !errors.Is(err, ml.ErrParameter) {
			t.Errorf("%s: %v", name, err)
		}
	}
	same := mat.NewDense(500, 3, nil)
	if m, err := (SNE{MaxIter: 30}).Fit(t.Context(), same); err != nil || m.KL-m.KL != 0 {
		t.Errorf("equal rows: %v", err)
	}
}
