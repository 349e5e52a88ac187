// Package autoregressive holds models that write the probability of a vector of symbols as a product of conditionals, one variable after another:
//
//	log p(x) = Σ_j log p(x_j | x_1 … x_{j−1})
//
// The likelihood is exact, sampling takes one step a variable. A variable takes values 0 to Levels−1, kept as numbers in a matrix, one observation a row.
// Table counts; MADE is a masked network; PixelCNN and PixelCNNPP are masked convolutions over pictures. CharRNN carries a state through a text, WaveNet looks back at it by dilated convolutions.
package autoregressive

import (
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

const maxLevels = 1 << 16

// symbols checks that x holds whole numbers from 0 to levels−1 and returns it as ml.Dense does.
func symbols(method string, x mat.Matrix, levels int) (*mat.Dense, error) {
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

// levelsOf completes and checks the option Levels.
func levelsOf(method string, levels int) (int, error) {
	if levels == 0 {
		return 2, nil
	}
	if levels < 2 || levels > maxLevels {
		return 0, ml.BadParameter(method, "Levels", levels, "2 to 65536, or 0 for 2")
	}
	return levels, nil
}

// draw returns the symbol at which the running sum of p passes u·Σp, 0 ≤ u < 1.
func draw(p []float64, u float64) int {
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
