//go:build unix

package main

import (
	"context"

	"github.com/golatent/latent/pkg/ml/manifold"
	"gonum.org/v1/gonum/mat"
)

func init() {
	register(row{"mds-smacof", "digits", smacof})
}

// smacof maps the first 600 digits, as the peer does.
func smacof(ctx context.Context, x, _ *mat.Dense) (float64, error) {
	_, d := x.Dims()
	m, err := manifold.MetricMDS{MaxIter: 200}.Fit(ctx, x.Slice(0, 600, 0, d))
	if err != nil {
		return 0, err
	}
	return m.Stress, nil
}
