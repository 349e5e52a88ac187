//go:build unix

package main

import (
	"context"
	"math"

	"github.com/golatent/latent/pkg/ml/sparse"
	"gonum.org/v1/gonum/mat"
)

// The dictionary of these inputs is their Y.
func init() {
	objective := []figure{{"objective a row", equal}}
	register(
		row{name: "omp", input: "patches5k64", figures: []figure{{"relative error, ten atoms", lower}}, fit: func(ctx context.Context, p problem) (judge, error) {
			c, err := sparse.OMP{Dictionary: p.Y, Nonzero: 10}.Fit(ctx, p.X)
			if err != nil {
				return nil, err
			}
			return known(2 * c.Objective / math.Pow(mat.Norm(p.X, 2), 2)), nil
		}},
		row{name: "lasso-cd", input: "patches5k64", figures: objective, fit: func(ctx context.Context, p problem) (judge, error) {
			n, _ := p.X.Dims()
			c, err := sparse.Lasso{Dictionary: p.Y, Lambda: 0.1, Tol: 2e-4}.Fit(ctx, p.X)
			if err != nil {
				return nil, err
			}
			return known(c.Objective / float64(n)), nil
		}},
		row{name: "lasso-lars", input: "patches2k64", figures: objective, fit: larsPaths},
		row{name: "basis-pursuit", input: "planted200by64", figures: []figure{{"size a row", equal}}, fit: func(ctx context.Context, p problem) (judge, error) {
			n, _ := p.X.Dims()
			c, err := sparse.BasisPursuit{Dictionary: p.Y}.Fit(ctx, p.X)
			if err != nil {
				return nil, err
			}
			return known(c.Objective / float64(n)), nil
		}},
		row{name: "dictionary", input: "centereddigits", figures: []figure{{"relative error, six atoms", lower}}, fit: dictionary},
	)
}

// larsPaths follows the paths down to the peer's λ.
func larsPaths(ctx context.Context, p problem) (judge, error) {
	const lambda = 0.1
	n, _ := p.X.Dims()
	path, err := sparse.LARS{Dictionary: p.Y, Lambda: lambda}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return func(context.Context) ([]float64, error) {
		z, err := path.At(lambda)
		if err != nil {
			return nil, err
		}
		var left mat.Dense
		left.Mul(z, p.Y)
		left.Sub(p.X, &left)
		sum := math.Pow(mat.Norm(&left, 2), 2) / 2
		for _, v := range z.RawMatrix().Data {
			sum += lambda * math.Abs(v)
		}
		return []float64{sum / float64(n)}, nil
	}, nil
}

// dictionary takes the batches, the passes and the penalty of the peer.
func dictionary(ctx context.Context, p problem) (judge, error) {
	m, err := sparse.OnlineDictionary{Atoms: 64, Lambda: 5, Batch: 64, Epochs: 20, Seed: p.Seed}.Fit(ctx, p.X)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) ([]float64, error) {
		c, err := sparse.OMP{Dictionary: m.Atoms, Nonzero: 6}.Fit(ctx, p.X)
		if err != nil {
			return nil, err
		}
		return []float64{2 * c.Objective / math.Pow(mat.Norm(p.X, 2), 2)}, nil
	}, nil
}
