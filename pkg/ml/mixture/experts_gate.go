package mixture

import (
	"context"
	"math"
	"slices"

	gonumblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// moveGate sets constant weights to the mean responsibilities, and takes Newton steps up the
// penalized log-likelihood of a softmax gate, for which responsibilities are targets. Where there
// are very many parameters, a step is the one of the fixed bound on the curvature (Böhning, 1992).
func (f *expertFit) moveGate(ctx context.Context, u []float64, steps int) error {
	k, q, p := f.k, f.k-1, f.p
	if f.gating == ConstantGating {
		f.constantGate(u)
		return nil
	}
	newton := q*p <= 256
	return ascend(u, 1e-13*float64(f.n), steps, func(u []float64, derivatives bool) (float64, []float64, []float64, error) {
		sums, err := f.gateSums(ctx, u, derivatives, newton)
		if err != nil {
			return 0, nil, nil, err
		}
		value := sums[0] - f.penalty/2*square(u)
		if !derivatives {
			return value, nil, nil, nil
		}
		gradient, curvature := f.gateGradient(sums[1:1+k*p], u), sums[1+k*p:]
		if newton {
			for i := range q * p {
				for j := range i {
					curvature[j*q*p+i] = curvature[i*q*p+j]
				}
				curvature[i*q*p+i] += f.penalty
			}
			return value, gradient, solve(curvature, gradient), nil
		}
		for j := range p {
			curvature[j*p+j] += f.penalty
		}
		return value, gradient, solveRows(curvature, gradient), nil
	})
}

// constantGate gives every expert its mean responsibility.
func (f *expertFit) constantGate(u []float64) {
	mass := make([]float64, f.k)
	for i, r := range f.shares {
		mass[i%f.k] += r
	}
	clear(u)
	for c, m := range mass {
		l := math.Log(max(m/float64(f.n), 1e-300))
		for a := range f.k - 1 {
			u[a*f.p] += f.basis[c*(f.k-1)+a] * l
		}
	}
}

// gateSums returns the sum of the responsibilities times the log weights and, if asked, behind it
// the K×p sum of (R − Π)ᵀX and the curvature: the lower triangle of minus the Hessian for Newton's
// method, or XᵀX/2.
func (f *expertFit) gateSums(ctx context.Context, u []float64, derivatives, newton bool) ([]float64, error) {
	k, q, p := f.k, f.k-1, f.p
	size := 1
	if derivatives {
		size += k * p
		if newton {
			size += q * p * q * p
		} else {
			size += p * p
		}
	}
	v := f.weights(u)
	return f.sum(ctx, size, func() func([]float64, int, int) {
		logs, weights, totals := make([]float64, f.rows*k), make([]float64, f.rows*k), make([]float64, f.rows)
		turned, scaled := make([]float64, f.rows*q), make([]float64, f.rows*p)
		return func(sum []float64, lo, hi int) {
			n, x := hi-lo, f.block(lo, hi)
			logs, weights := logs[:n*k], weights[:n*k]
			blas64.Gemm(gonumblas.NoTrans, gonumblas.Trans, 1, x, general(k, p, v), 0, general(n, k, logs))
			copy(weights, logs)
			softmax(weights, k, totals[:n])
			residuals := logs // in their place
			for i, r := range f.shares[lo*k : hi*k] {
				if r > 0 {
					sum[0] += r * (logs[i] - totals[i/k])
				}
				residuals[i] = r - weights[i]
			}
			if !derivatives {
				return
			}
			blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(n, k, residuals), x, 1, general(k, p, sum[1:]))
			curvature := sum[1+k*p:]
			if newton {
				f.gateCurvature(curvature, weights, x, turned, scaled)
			} else {
				blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 0.5, x, x, 1, general(p, p, curvature))
			}
		}
	})
}

// gateCurvature adds −Hessian = Σᵢ BᵀAᵢB ⊗ xᵢxᵢᵀ of a block of rows, with Aᵢ = diag(π) − ππᵀ and B
// the contrasts, to the lower triangle of curvature.
func (f *expertFit) gateCurvature(curvature, weights []float64, x blas64.General, turned, scaled []float64) {
	n, k, q, p := x.Rows, f.k, f.k-1, f.p
	blas64.Gemm(gonumblas.NoTrans, gonumblas.NoTrans, 1, general(n, k, weights), general(k, q, f.basis), 0, general(n, q, turned))
	for a := range q {
		for b := range a + 1 {
			for i := range n {
				w := -turned[i*q+a] * turned[i*q+b]
				for c, pi := range weights[i*k : (i+1)*k] {
					w += pi * f.basis[c*q+a] * f.basis[c*q+b]
				}
				scale(scaled[i*p:(i+1)*p], w, x.Data[i*p:(i+1)*p])
			}
			blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(n, p, scaled), x, 1,
				blas64.General{Rows: p, Cols: p, Stride: q * p, Data: curvature[a*p*q*p+b*p:]})
		}
	}
}

// gateGradient is Bᵀ(R − Π)ᵀX − λU, from (R − Π)ᵀX.
func (f *expertFit) gateGradient(byExpert, u []float64) []float64 {
	out := slices.Clone(u)
	blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(f.k, f.k-1, f.basis), general(f.k, f.p, byExpert), -f.penalty, general(f.k-1, f.p, out))
	return out
}
