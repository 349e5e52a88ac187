//go:build unix

package main

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/mixture"
	"gonum.org/v1/gonum/mat"
)

func init() {
	registerGrowth(
		growth{"GMM, full", "n rows, d = 10, K = 10, ten iterations from random points", "n", []int{10000, 20000, 40000},
			func(n int) (func(context.Context) error, error) { return gmmGrowth(n, 10, mixture.Full) }},
		growth{"GMM, full, columns", "d, n = 10,000, K = 5, ten iterations from random points", "d²", []int{32, 64, 128},
			func(d int) (func(context.Context) error, error) { return gmmGrowth(10000, d, mixture.Full) }},
		growth{"GMM, diagonal, columns", "d, n = 10,000, K = 5, ten iterations from random points", "d", []int{16, 32, 64},
			func(d int) (func(context.Context) error, error) { return gmmGrowth(10000, d, mixture.Diagonal) }},
		growth{"soft k-means", "n rows, d = 10, K = 20, ten iterations from random points", "n", []int{20000, 40000, 80000}, softGrowth},
		growth{"linear experts, EM", "n rows, d = 5, K = 3, ten iterations", "n", []int{5000, 10000, 20000},
			func(n int) (func(context.Context) error, error) { return expertGrowth(n, 3, mixture.EM, false) }},
		growth{"linear experts, direct", "n rows, d = 5, K = 3, ten iterations", "n", []int{5000, 10000, 20000},
			func(n int) (func(context.Context) error, error) { return expertGrowth(n, 3, mixture.Direct, false) }},
		growth{"linear experts, EM, experts", "K, n = 5,000, d = 5, ten iterations", "K² of the gate's Hessian beside K of the rest", []int{4, 8, 16},
			func(k int) (func(context.Context) error, error) { return expertGrowth(5000, k, mixture.EM, false) }},
		growth{"logistic experts, EM", "n rows, d = 5, K = 3, ten iterations", "n", []int{5000, 10000, 20000},
			func(n int) (func(context.Context) error, error) { return expertGrowth(n, 3, mixture.EM, true) }},
	)
}

// tenSteps checks that a fit took all its steps, so that sizes are compared at equal work.
func tenSteps(steps int, err error) error {
	if err == nil && steps != 10 {
		err = fmt.Errorf("%d iterations, want 10", steps)
	}
	return err
}

func gmmGrowth(n, d int, family mixture.Covariance) (func(context.Context) error, error) {
	k := 10
	if d > 10 {
		k = 5
	}
	x := datasets.Blobs(n, d, k, 0.2, 1).X // clouds that overlap, so that EM is not done after three steps
	return func(ctx context.Context) error {
		m, err := mixture.GMM{K: k, Covariance: family, Start: mixture.RandomPoints, MaxIter: 10, Tol: 1e-14}.Fit(ctx, x)
		if err != nil {
			return err
		}
		return tenSteps(m.Iterations, nil)
	}, nil
}

func softGrowth(n int) (func(context.Context) error, error) {
	x := datasets.Blobs(n, 10, 20, 2, 1).X
	return func(ctx context.Context) error {
		m, err := mixture.SoftKMeans{K: 20, Beta: 0.3, Start: mixture.RandomPoints, Restarts: 1, MaxIter: 10, Tol: 1e-15}.Fit(ctx, x)
		if err != nil {
			return err
		}
		return tenSteps(m.Iterations, nil)
	}, nil
}

func expertGrowth(n, k int, optimizer mixture.Optimizer, logistic bool) (func(context.Context) error, error) {
	r := rng.New(1)
	x, y, labels := mat.NewDense(n, 5, nil), make([]float64, n), make([]int, n)
	x.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, x)
	for i := range y {
		y[i] = math.Abs(x.At(i, 0)) + x.At(i, 1)*x.At(i, 2) + 0.5*r.NormFloat64()
		if y[i] > 1 {
			labels[i] = 1
		}
	}
	return func(ctx context.Context) error {
		if logistic {
			m, err := mixture.LogisticExperts{K: k, Optimizer: optimizer, Restarts: 1, MaxIter: 10, Tol: 1e-14}.Fit(ctx, x, labels)
			if err != nil {
				return err
			}
			return tenSteps(m.Iterations, nil)
		}
		m, err := mixture.LinearExperts{K: k, Optimizer: optimizer, Restarts: 1, MaxIter: 10, Tol: 1e-14}.Fit(ctx, x, y)
		if err != nil {
			return err
		}
		return tenSteps(m.Iterations, nil)
	}, nil
}
