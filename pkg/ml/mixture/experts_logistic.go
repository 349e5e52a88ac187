package mixture

import (
	"context"

	"github.com/golatent/latent/internal/blas"
	gonumblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// moveLogistic takes Newton steps (iteratively reweighted least squares) up the penalized
// log-likelihood of expert k.
func (f *expertFit) moveLogistic(ctx context.Context, w []float64, k, steps int) error {
	p := f.p
	return ascend(w, 1e-13*float64(f.n), steps, func(w []float64, derivatives bool) (float64, []float64, []float64, error) {
		size := 1
		if derivatives {
			size += p + p*p
		}
		sums, err := f.sum(ctx, size, func() func([]float64, int, int) {
			odds, logs, scaled := make([]float64, f.rows), make([]float64, f.rows), make([]float64, f.rows*p)
			return func(sum []float64, lo, hi int) {
				x, y, odds, logs := f.block(lo, hi), f.y[lo:hi], odds[:hi-lo], logs[:hi-lo]
				blas64.Gemv(gonumblas.NoTrans, 1, x, blas64.Vector{N: p, Inc: 1, Data: w}, 0, blas64.Vector{N: hi - lo, Inc: 1, Data: odds})
				logBernoulli(logs, odds, y, 1)
				for i, l := range logs {
					sum[0] += f.shares[(lo+i)*f.k+k] * l
				}
				if !derivatives {
					return
				}
				blas.Exp(logs, logs)
				for i, given := range logs { // p(y), and 1−p(y) is what the label asks for
					r, row := f.shares[(lo+i)*f.k+k], x.Data[i*p:(i+1)*p]
					scale(scaled[i*p:(i+1)*p], r*given*(1-given), row)
					add(sum[1:1+p], r*(1-given)*(2*y[i]-1), row)
				}
				blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(hi-lo, p, scaled), x, 1, general(p, p, sum[1+p:]))
			}
		})
		if err != nil {
			return 0, nil, nil, err
		}
		value := sums[0] - f.penalty/2*square(w)
		if !derivatives {
			return value, nil, nil, nil
		}
		gradient, curvature := sums[1:1+p], sums[1+p:]
		for j := range p {
			gradient[j] -= f.penalty * w[j]
			curvature[j*p+j] += f.penalty
		}
		return value, gradient, solve(curvature, gradient), nil
	})
}
