package mixture

import (
	"context"

	gonumblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
)

// moveLinear moves coefficients to the weighted least squares, and variances to what is left. A
// step is from where the coefficients are, by a pseudo-inverse: directions in which the weighted
// rows don't differ are left alone, and the sum of squares falls in any case.
func (f *expertFit) moveLinear(ctx context.Context, s *expertState) error {
	k, p := f.k, f.p
	grams, moments := k, k+k*p*p
	sums, err := f.sum(ctx, k+k*p*p+k*p, func() func([]float64, int, int) {
		scaled, pull := make([]float64, f.rows*p), make([]float64, f.rows*k)
		return func(sum []float64, lo, hi int) {
			x := f.block(lo, hi)
			for i, r := range f.shares[lo*k : hi*k] {
				sum[i%k] += r
				pull[i] = r * (f.y[lo+i/k] - f.means[lo*k+i])
			}
			blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(hi-lo, k, pull), x, 1, general(k, p, sum[moments:]))
			for c := range k {
				for i := range hi - lo {
					scale(scaled[i*p:(i+1)*p], f.shares[(lo+i)*k+c], x.Data[i*p:(i+1)*p])
				}
				blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, general(hi-lo, p, scaled), x, 1, general(p, p, sum[grams+c*p*p:]))
			}
		}
	})
	if err != nil {
		return err
	}
	for c := range k {
		if sums[c] < noMass { // nothing belongs to it: it stays where it is
			continue
		}
		for j, v := range solve(sums[grams+c*p*p:][:p*p], sums[moments+c*p:][:p]) {
			s.w[c*p+j] += v
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	mass := sums[:k]
	squares, err := f.sum(ctx, k, func() func([]float64, int, int) {
		means := make([]float64, f.rows*k)
		return func(sum []float64, lo, hi int) {
			blas64.Gemm(gonumblas.NoTrans, gonumblas.Trans, 1, f.block(lo, hi), general(k, p, s.w), 0, general(hi-lo, k, means))
			for i, r := range f.shares[lo*k : hi*k] {
				e := f.y[lo+i/k] - means[i]
				sum[i%k] += r * e * e
			}
		}
	})
	if err != nil {
		return err
	}
	for c, q := range squares {
		if mass[c] >= noMass {
			s.variances[c] = max(q/mass[c], f.floor)
		}
	}
	return nil
}

// noMass is the sum of responsibilities below which an expert has no rows.
const noMass = 1e-200
