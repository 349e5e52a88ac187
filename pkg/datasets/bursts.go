package datasets

import (
	"math"

	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

// Bursts simulates n steps of d variables behind which there are k factors, each of which is near
// zero but for three short bursts at times of its own:
//
//	X = factors · axes + noise.
//
// axes (k×d) are orthonormal and all factors (n×k) have the same sum of squares, so that neither
// variance nor angles tell them apart: only that they are sparse. noise is the standard deviation
// of each entry of X. It panics for k outside of 1 to d, and n below 6k.
func Bursts(n, d, k int, noise float64, seed uint64) (x, factors, axes *mat.Dense) {
	needPoints("Bursts", min(n, d, k), noise)
	need(k <= d && n >= 6*k, "Bursts: n = %d, d = %d, k = %d, want k ≤ d and n ≥ 6k", n, d, k)
	r := rng.New(seed)
	factors, axes = mat.NewDense(n, k, nil), mat.NewDense(k, d, nil)
	// Slots of time are dealt out at random, three to each factor.
	const each = 3
	slot := float64(n) / float64(each*k)
	for s, to := range r.Perm(each * k) {
		at, width, height := (float64(s)+0.3+0.4*r.Float64())*slot, slot*(0.3+0.3*r.Float64()), 0.7+0.6*r.Float64()
		for i := range n {
			t := (float64(i) - at) / width
			factors.Set(i, to%k, factors.At(i, to%k)+height*math.Exp(-t*t/2))
		}
	}
	for c := range k {
		length := mat.Norm(factors.ColView(c), 2) / math.Sqrt(float64(n))
		for i := range n {
			factors.Set(i, c, 2*factors.At(i, c)/length)
		}
		row := axes.RawRowView(c)
		for j := range row {
			row[j] = r.NormFloat64()
		}
		for range 2 { // twice is enough for rounding (Kahan)
			for before := range c {
				other := axes.RawRowView(before)
				dot := 0.0
				for j := range row {
					dot += row[j] * other[j]
				}
				for j := range row {
					row[j] -= dot * other[j]
				}
			}
		}
		unit(row)
	}
	x = mat.NewDense(n, d, nil)
	x.Mul(factors, axes)
	x.Apply(func(_, _ int, v float64) float64 { return v + noise*r.NormFloat64() }, x)
	return x, factors, axes
}
