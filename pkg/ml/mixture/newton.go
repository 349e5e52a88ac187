package mixture

import (
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"gonum.org/v1/gonum/mat"
)

// scale sets dst to a·x; rows are so short that a call would cost more.
func scale(dst []float64, a float64, x []float64) {
	dst = dst[:len(x)]
	for j, v := range x {
		dst[j] = a * v
	}
}

// solve solves A·x = b for a positive semidefinite A; where A is singular, to rounding, x is 0
// along the eigenvectors that say so.
func solve(a, b []float64) []float64 {
	p := len(b)
	sym := mat.NewSymDense(p, a)
	var chol mat.Cholesky
	if chol.Factorize(sym) && chol.Cond() < 1e12 {
		var x mat.VecDense
		if chol.SolveVecTo(&x, mat.NewVecDense(p, b)) == nil {
			return x.RawVector().Data
		}
	}
	out := make([]float64, p)
	var eigen mat.EigenSym
	if !eigen.Factorize(sym, true) {
		return out
	}
	var v mat.Dense
	eigen.VectorsTo(&v)
	values := eigen.Values(nil)
	for e, value := range values {
		if !(value > 1e-13*values[p-1]) {
			continue
		}
		along := 0.0
		for j := range p {
			along += v.At(j, e) * b[j]
		}
		for j := range p {
			out[j] += along / value * v.At(j, e)
		}
	}
	return out
}

// ascend takes up to steps steps of Newton's method up a concave function, from theta, which it
// changes; a step that does not rise enough is halved. at returns the function's value and, if
// asked, its gradient and the step.
func ascend(theta []float64, least float64, steps int, at func(theta []float64, derivatives bool) (value float64, gradient, step []float64, err error)) error {
	now, gradient, step, err := at(theta, true)
	if err != nil {
		return err
	}
	next := make([]float64, len(theta))
	for n := range steps {
		rise := blas.Dot(step, gradient)
		if !(rise > least) {
			return nil
		}
		t := 1.0
		for ; t > 1e-6; t /= 2 {
			for j := range next {
				next[j] = theta[j] + t*step[j]
			}
			value, g, s, err := at(next, n+1 < steps)
			if err != nil {
				return err
			}
			if value >= now+1e-4*t*rise {
				now, gradient, step = value, g, s
				break
			}
		}
		if t <= 1e-6 {
			return nil
		}
		copy(theta, next)
	}
	return nil
}

// add adds a·x to dst.
func add(dst []float64, a float64, x []float64) {
	dst = dst[:len(x)]
	for j, v := range x {
		dst[j] += a * v
	}
}

// solveRows solves A·xᵢ = bᵢ for each row of b; A is positive definite.
func solveRows(a, b []float64) []float64 {
	out := slices.Clone(b)
	p := int(math.Sqrt(float64(len(a))))
	var chol mat.Cholesky
	if !chol.Factorize(mat.NewSymDense(p, a)) {
		return out // uphill, and ascend finds how far
	}
	rows := mat.NewDense(len(b)/p, p, out)
	var x mat.Dense
	if chol.SolveTo(&x, rows.T()) == nil {
		rows.Copy(x.T())
	}
	return out
}
