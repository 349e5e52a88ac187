//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/evaluate"
	"github.com/golatent/latent/pkg/ml/manifold"
	"gonum.org/v1/gonum/mat"
)

func init() {
	register(
		row{"tsne-digits", "digits", tsne},
		row{"tsne-20k", "blobs20k50", tsne},
	)
}

func tsne(ctx context.Context, x, _ *mat.Dense) (float64, error) {
	m, err := manifold.TSNE{Seed: current.seed}.Fit(ctx, x)
	if err != nil {
		return 0, err
	}
	current.kl = m.KL
	return trust(ctx, x, m.Embedding)
}

// trust is the trustworthiness at 12 neighbors of a map, or of 3,000 of its rows, evenly spread: the same ones that the peers' side takes.
func trust(ctx context.Context, x, y *mat.Dense) (float64, error) {
	n, d := x.Dims()
	_, k := y.Dims()
	const most = 3000
	if n > most {
		p, q := mat.NewDense(most, d, nil), mat.NewDense(most, k, nil)
		for i := range most {
			p.SetRow(i, x.RawRowView(i*n/most))
			q.SetRow(i, y.RawRowView(i*n/most))
		}
		x, y = p, q
	}
	return evaluate.Trustworthiness(ctx, x, y, 12)
}
