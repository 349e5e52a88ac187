//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/discriminant"
	"gonum.org/v1/gonum/mat"
)

func init() {
	figures := []figure{{"mean log posterior", equal}}
	register(
		row{name: "lda", input: "classes20k50", figures: figures, fit: func(ctx context.Context, p problem) (judge, error) {
			m, err := discriminant.LDA{}.Fit(ctx, p.X, labels(p.Y))
			return posteriorOfTruth(p, m, err)
		}},
		row{name: "qda", input: "classes20k50", figures: figures, fit: func(ctx context.Context, p problem) (judge, error) {
			m, err := discriminant.QDA{}.Fit(ctx, p.X, labels(p.Y))
			return posteriorOfTruth(p, m, err)
		}},
	)
}

// posteriorOfTruth is the mean over the rows of log p(its class | the row).
func posteriorOfTruth(p problem, m interface {
	LogPosterior(x mat.Matrix) (*mat.Dense, error)
}, err error) (judge, error) {
	if err != nil {
		return nil, err
	}
	return func(context.Context) ([]float64, error) {
		log, err := m.LogPosterior(p.X)
		if err != nil {
			return nil, err
		}
		y, sum := labels(p.Y), 0.0
		for i, k := range y {
			sum += log.At(i, k)
		}
		return []float64{sum / float64(len(y))}, nil
	}, nil
}
