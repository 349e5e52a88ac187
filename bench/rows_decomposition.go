//go:build unix

package main

import (
	"context"
	"math"

	"github.com/golatent/latent/pkg/ml/decomposition"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

func init() {
	explained := []figure{{"share of the variance", equal}}
	register(
		row{name: "pca-full", input: "lowrank20k500", figures: explained, fit: func(ctx context.Context, p problem) (judge, error) {
			m, err := decomposition.PCA{Components: 30, Solver: decomposition.Covariance}.Fit(ctx, p.X)
			return shareOfVariance(m, err)
		}},
		row{name: "pca-randomized", input: "lowrank20k500", figures: explained, fit: func(ctx context.Context, p problem) (judge, error) {
			m, err := decomposition.PCA{Components: 30, Solver: decomposition.Randomized, Seed: p.Seed}.Fit(ctx, p.X)
			return shareOfVariance(m, err)
		}},
		row{name: "pca-incremental", input: "lowrank20k500", figures: explained, fit: func(ctx context.Context, p problem) (judge, error) {
			m, err := decomposition.IncrementalPCA{Components: 30, Batch: 2500}.Fit(ctx, p.X)
			return shareOfVariance(m, err)
		}},
		row{name: "nmf", input: "digits", figures: []figure{{"Frobenius error", lower}}, fit: nmf},
		row{name: "factor-analysis", input: "lowrank20k500", figures: []figure{{"mean loglik", higher}}, fit: factorAnalysis},
		row{name: "fastica", input: "mixed20k8", figures: []figure{{"mean |corr| with the sources", higher}}, fit: fastICA},
		row{name: "picard", input: "mixed20k8", figures: []figure{{"mean |corr| with the sources", higher}}, fit: picard},
	)
}

// factorAnalysis ends where the peer does: at a step that gains less than 0.01 in the
// log-likelihood of all 20,000 rows.
func factorAnalysis(ctx context.Context, p problem) (judge, error) {
	m, err := decomposition.FactorAnalysis{Factors: 30, Tol: 0.01 / 20_000}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return known(m.LogLikelihood), nil
}

// nmf ends where its error is no larger than the peer's is when that ends; its default goes on.
func nmf(ctx context.Context, p problem) (judge, error) {
	m, err := decomposition.NMF{Components: 16, MaxIter: 400, Tol: 3e-5, Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return known(m.Error), nil
}

func shareOfVariance(m *decomposition.PCAModel, err error) (judge, error) {
	if err != nil {
		return nil, err
	}
	return func(context.Context) ([]float64, error) { return []float64{floats.Sum(m.Ratio)}, nil }, nil
}

// fastICA ends at the tolerance that the peer has by default.
func fastICA(ctx context.Context, p problem) (judge, error) {
	m, err := decomposition.FastICA{Tol: 1e-4, MaxIter: 500, Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return unmixed(m, p), nil
}

func picard(ctx context.Context, p problem) (judge, error) {
	m, err := decomposition.Picard{Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return unmixed(m, p), nil
}

// unmixed is the mean, over what was found, of the largest |correlation| with a true source.
func unmixed(m *decomposition.ICAModel, p problem) judge {
	return func(context.Context) ([]float64, error) {
		s, err := m.Sources(p.X)
		if err != nil {
			return nil, err
		}
		_, k := s.Dims()
		_, d := p.Y.Dims()
		sum := 0.0
		for c := range k {
			best := 0.0
			for j := range d {
				best = max(best, math.Abs(stat.Correlation(mat.Col(nil, c, s), mat.Col(nil, j, p.Y), nil)))
			}
			sum += best
		}
		return []float64{sum / float64(k)}, nil
	}
}
