// Package symbol holds what all autoregressive models share: symbols in a matrix, and drawing one.
package symbol

import (
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Predictor walks along one sequence: Predict fills p with the probabilities of the next symbol
// given all that were observed, Observe says what it was. It is what pkg/ml/coding drives its
// coders by. The probabilities come from arithmetic in Go in one fixed order (internal/fixed), so
// that they are the same to the last bit on every machine and whatever trained the model.
type Predictor = interface {
	Predict(p []float64) error
	Observe(symbol int)
}

// Failing is a predictor of a model whose weights do not fit: its Predict is the error.
type Failing struct{ Err error }

// Predict returns the error.
func (f Failing) Predict([]float64) error { return f.Err }

// Observe does nothing.
func (f Failing) Observe(int) {}

// UpTo returns the whole numbers below n.
func UpTo(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// Floats rounds to float32.
func Floats(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}

// MaxLevels is the most values that a symbol can take.
const MaxLevels = 1 << 16

// Check checks that x holds whole numbers from 0 to levels−1 and returns it as ml.Dense does.
func Check(method string, x mat.Matrix, levels int) (*mat.Dense, error) {
	dense, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, d := dense.Dims()
	for i, v := range dense.RawMatrix().Data[:n*d] {
		if v < 0 || v >= float64(levels) || v != math.Trunc(v) {
			return nil, ml.BadParameter(method, fmt.Sprintf("row %d, column %d", i/d, i%d), v, fmt.Sprintf("a whole number from 0 to %d: Levels is %d", levels-1, levels))
		}
	}
	return dense, nil
}

// Levels completes and checks the option Levels.
func Levels(method string, levels int) (int, error) {
	if levels == 0 {
		return 2, nil
	}
	if levels < 2 || levels > MaxLevels {
		return 0, ml.BadParameter(method, "Levels", levels, "2 to 65536, or 0 for 2")
	}
	return levels, nil
}

// Draw returns the symbol at which the running sum of p passes u·Σp, 0 ≤ u < 1.
func Draw(p []float64, u float64) int {
	total := 0.0
	for _, v := range p {
		total += v
	}
	u *= total
	last := 0
	for k, v := range p {
		if v > 0 {
			last = k
			if u < v {
				return k
			}
		}
		u -= v
	}
	return last // a rounding away
}
