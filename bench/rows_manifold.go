//go:build unix

package main

import (
	"context"
	"math"

	"github.com/golatent/latent/pkg/ml/evaluate"
	"github.com/golatent/latent/pkg/ml/manifold"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

func init() {
	trustworthy := []figure{{"trustworthiness@12", higher}}
	tsneFigures := append([]figure{{"KL", lower}}, trustworthy...)
	register(
		row{name: "mds-classical", input: "digits600", figures: []figure{{"sum of eigenvalues", equal}}, fit: classicalMDS},
		row{name: "mds-metric", input: "digits600", figures: []figure{{"raw stress", lower}}, fit: metricMDS},
		row{name: "mds-nonmetric", input: "digits600", figures: []figure{{"stress-1", lower}}, fit: nonmetricMDS},
		row{name: "isomap", input: "swiss2k", figures: []figure{{"|corr| with the roll's parameter", higher}}, fit: isomap},
		row{name: "lle", input: "swiss2k", figures: []figure{{"reconstruction error", lower}}, fit: lle},
		row{name: "tsne-digits", input: "digits", figures: tsneFigures, fit: tsne},
		row{name: "tsne-20k", input: "blobs20k50", figures: tsneFigures, fit: tsne},
		row{name: "umap-digits", input: "digits", figures: trustworthy, fit: umap},
		row{name: "umap-20k", input: "blobs20k50", figures: trustworthy, fit: umap},
		row{name: "pacmap-digits", input: "digits", figures: trustworthy, fit: pacmap},
		row{name: "pacmap-20k", input: "blobs20k50", figures: trustworthy, fit: pacmap},
	)
}

func classicalMDS(ctx context.Context, p problem) (judge, error) {
	m, err := manifold.ClassicalMDS{}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return known(floats.Sum(m.Eigenvalues)), nil
}

// metricMDS starts from the classical map, takes 200 steps at most and stops at a fall of 1e-6, as
// the peer does.
func metricMDS(ctx context.Context, p problem) (judge, error) {
	m, err := manifold.MetricMDS{MaxIter: 200, Tolerance: 1e-6}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return known(m.Stress), nil
}

// nonmetricMDS starts from the classical map, as the peer does, and not from that of the ranks.
func nonmetricMDS(ctx context.Context, p problem) (judge, error) {
	start, err := manifold.ClassicalMDS{}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	m, err := manifold.NonmetricMDS{Init: start.Embedding, MaxIter: 200, Tolerance: 1e-6}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return known(m.Stress1), nil
}

func isomap(ctx context.Context, p problem) (judge, error) {
	m, err := manifold.Isomap{Neighbors: 10}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	best, truth := 0.0, mat.Col(nil, 0, p.Y)
	for c := range 2 {
		best = max(best, math.Abs(stat.Correlation(mat.Col(nil, c, m.Embedding), truth, nil)))
	}
	return known(best), nil
}

func lle(ctx context.Context, p problem) (judge, error) {
	m, err := manifold.LLE{Neighbors: 12}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return known(m.ReconstructionError), nil
}

func tsne(ctx context.Context, p problem) (judge, error) {
	m, err := manifold.TSNE{Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) ([]float64, error) {
		t, err := trust(ctx, p.X, m.Embedding)
		return []float64{m.KL, t}, err
	}, nil
}

func umap(ctx context.Context, p problem) (judge, error) {
	m, err := manifold.UMAP{Neighbors: 15, Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return trustworthiness(p.X, m.Embedding), nil
}

// pacmap asks for 10 neighbors at any size, as the peer's side does.
func pacmap(ctx context.Context, p problem) (judge, error) {
	m, err := manifold.PaCMAP{Neighbors: 10, Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return trustworthiness(p.X, m.Embedding), nil
}

func trustworthiness(x, y *mat.Dense) judge {
	return func(ctx context.Context) ([]float64, error) {
		t, err := trust(ctx, x, y)
		return []float64{t}, err
	}
}

// trust is the trustworthiness at 12 neighbors of a map, or of 3,000 of its rows, evenly spread:
// the same ones that the peers' side takes.
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
