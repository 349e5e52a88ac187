package decomposition

import (
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Rotation is how the factors of a FactorAnalysis are turned, which changes neither the covariance
// of the model nor its likelihood. Variables are divided by their standard deviations before.
type Rotation string

const (
	// Unrotated leaves WᵀΨ⁻¹W diagonal.
	Unrotated Rotation = "none"
	// Varimax maximises the variance of the squared loadings within each factor (Kaiser, 1958): a
	// factor has few variables.
	Varimax Rotation = "varimax"
	// Quartimax maximises the sum of the fourth powers of the loadings (Neuhaus & Wrigley, 1954): a
	// variable has few factors.
	Quartimax Rotation = "quartimax"
	// Promax turns each factor of Varimax by itself towards its loadings to the fourth power
	// (Hendrickson & White, 1964): factors may be correlated.
	Promax Rotation = "promax"
)

func (r Rotation) check(method string) error {
	switch r {
	case "", Unrotated, Varimax, Quartimax, Promax:
		return nil
	}
	return ml.BadParameter(method, "Rotation", fmt.Sprintf("%q", r), `"none", "varimax", "quartimax" or "promax"`)
}

// rotate returns the rotated loadings w·turn and the correlation of the factors.
func (r Rotation) rotate(w *mat.Dense) (pattern, turn, correlation *mat.Dense) {
	_, k := w.Dims()
	eye := mat.NewDense(k, k, nil)
	for c := range k {
		eye.Set(c, c, 1)
	}
	turn, correlation = mat.DenseCopyOf(eye), mat.DenseCopyOf(eye)
	switch {
	case k == 1: // nothing to turn
	case r == Quartimax:
		turn = orthomax(w, 0)
	case r == Varimax:
		turn = orthomax(w, 1)
	case r == Promax:
		turn = orthomax(w, 1)
		if oblique, between, ok := promax(w, turn); ok {
			turn, correlation = oblique, between
		}
	}
	pattern = &mat.Dense{}
	pattern.Mul(w, turn)
	return pattern, turn, correlation
}

// orthomax maximises Σ_jc l⁴ − γ/d Σ_c (Σ_j l²)² over rotations of the columns of w: the
// criterion's derivative, made orthogonal by its singular vectors, is the next rotation (Jennrich,
// 2001).
func orthomax(w *mat.Dense, gamma float64) *mat.Dense {
	d, k := w.Dims()
	turn := mat.NewDense(k, k, nil)
	for c := range k {
		turn.Set(c, c, 1)
	}
	before := 0.0
	for range 1000 {
		var l, derivative mat.Dense
		l.Mul(w, turn)
		mean := make([]float64, k)
		for c := range k {
			for j := range d {
				mean[c] += l.At(j, c) * l.At(j, c) / float64(d)
			}
		}
		l.Apply(func(_, c int, v float64) float64 { return v * (v*v - gamma*mean[c]) }, &l)
		derivative.Mul(w.T(), &l)
		var svd mat.SVD
		if !svd.Factorize(&derivative, mat.SVDThin) {
			break
		}
		var u, v mat.Dense
		svd.UTo(&u)
		svd.VTo(&v)
		turn.Mul(&u, v.T())
		now := 0.0
		for _, s := range svd.Values(nil) {
			now += s
		}
		if now-before <= 1e-14*now {
			break
		}
		before = now
	}
	return turn
}

// promax fits the loadings that varimax's turn gives to their own fourth powers, signs kept, and
// gives the factors variance 1 again. It fails where the loadings have fewer dimensions than
// columns.
func promax(w, varimax *mat.Dense) (turn, correlation *mat.Dense, ok bool) {
	var l, target, fit, inverse, between mat.Dense
	l.Mul(w, varimax)
	target.Apply(func(_, _ int, v float64) float64 { return v * math.Abs(v*v*v) }, &l)
	if fit.Solve(&l, &target) != nil || inverse.Inverse(&fit) != nil {
		return nil, nil, false
	}
	between.Mul(&inverse, inverse.T())
	_, k := fit.Dims()
	correlation = mat.NewDense(k, k, nil)
	correlation.Apply(func(a, b int, v float64) float64 {
		return v / math.Sqrt(between.At(a, a)*between.At(b, b))
	}, &between)
	for c := range k {
		correlation.Set(c, c, 1)
		for a := range k {
			fit.Set(a, c, fit.At(a, c)*math.Sqrt(between.At(c, c)))
		}
	}
	turn = &mat.Dense{}
	turn.Mul(varimax, &fit)
	return turn, correlation, true
}
