package decomposition

import (
	"fmt"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Contrast is a smooth even function G by which independent component analysis sees how far a
// signal y of variance 1 is from a Gaussian ν: E[G(y)] differs from E[G(ν)] (Hyvärinen, 1999). The
// derivative of G is written g.
type Contrast string

const (
	// LogCosh is G(y) = log cosh y, g(y) = tanh y: the default, good for sources of any shape.
	LogCosh Contrast = "logcosh"
	// Exp is G(y) = −exp(−y²/2), g(y) = y exp(−y²/2): for tails so heavy that outliers must not
	// count.
	Exp Contrast = "exp"
	// Cube is G(y) = y⁴/4, g(y) = y³: the kurtosis, fast and at the mercy of outliers.
	Cube Contrast = "cube"
)

// named completes a contrast and refuses one that there is not.
func (c Contrast) named(method string) (Contrast, error) {
	switch c {
	case "":
		return LogCosh, nil
	case LogCosh, Exp, Cube:
		return c, nil
	}
	return "", ml.BadParameter(method, "Contrast", fmt.Sprintf("%q", string(c)), `"", "logcosh", "exp" or "cube"`)
}

// gaussian is E[G(ν)] of a standard normal ν.
func (c Contrast) gaussian() float64 {
	switch c {
	case Exp:
		return -math.Sqrt2 / 2
	case Cube:
		return 0.75
	}
	return 0.37456720749143
}

// evaluate writes g(y) to slope and returns the sums of G(y) and of g′(y). Where curve is not nil
// it writes g′(y) there too. slope and curve may not overlap y.
func (c Contrast) evaluate(y, slope, curve []float64) (values, curves float64) {
	if c == LogCosh {
		return logCosh(y, slope, curve)
	}
	if c == Exp {
		for i, v := range y {
			slope[i] = -v * v / 2
		}
		blas.Exp(slope, slope)
	}
	for i, v := range y {
		square, second := v*v, 0.0
		if c == Exp {
			e := slope[i]
			values -= e
			slope[i], second = v*e, (1-square)*e
		} else {
			values += square * square / 4
			slope[i], second = v*square, 3*square
		}
		curves += second
		if curve != nil {
			curve[i] = second
		}
	}
	return values, curves
}

// logCosh is evaluate of LogCosh: log cosh y = |y| + log(1 + e) − log 2 with e = exp(−2|y|). One
// logarithm serves 512 numbers: the product of as many factors between 1 and 2 is in range. Sums go
// two ways at once, so that one does not wait for the other.
func logCosh(y, slope, curve []float64) (values, curves float64) {
	for i, v := range y {
		slope[i] = -2 * math.Abs(v)
	}
	blas.Exp(slope, slope)
	slope = slope[:len(y)]
	tanh := func(i int) (size, factor, t float64) {
		v, e := y[i], slope[i]
		t = (1 - e) / (1 + e)
		slope[i] = math.Copysign(t, v)
		return math.Abs(v), 1 + e, t
	}
	for lo := 0; lo < len(y); lo += 512 {
		hi := min(lo+512, len(y))
		product, other, squares, more := 1.0, 1.0, 0.0, 0.0
		for i := lo; i+1 < hi; i += 2 {
			size, factor, t := tanh(i)
			size2, factor2, t2 := tanh(i + 1)
			values += size + size2
			product *= factor
			other *= factor2
			squares += t * t
			more += t2 * t2
		}
		if (hi-lo)%2 == 1 {
			size, factor, t := tanh(hi - 1)
			values += size
			product *= factor
			squares += t * t
		}
		values += math.Log(product * other)
		curves += float64(hi-lo) - squares - more
	}
	if curve != nil {
		for i, t := range slope {
			curve[i] = 1 - t*t
		}
	}
	return values - float64(len(y))*math.Ln2, curves
}

// Kurtosis returns the excess kurtosis of x along each row of directions (r×d): E[y⁴] − 3 of the
// projection y = x·direction, scaled to mean 0 and variance 1 by the divisor n. It is 0 for a
// Gaussian, below 0 for flat densities with short tails (−1.2 for a uniform, −2 for two values, the
// least there is), above 0 for peaked ones with long tails (3 for a Laplacian).
//
// The errors are those of ml.Dense, ml.ErrShape where directions have another number of columns
// than x, and ml.ErrParameter for a direction along which x does not vary.
func Kurtosis(x, directions mat.Matrix) ([]float64, error) {
	return projections("decomposition.Kurtosis", x, directions, func(y []float64) float64 {
		sum := 0.0
		for _, v := range y {
			sum += v * v * v * v
		}
		return sum/float64(len(y)) - 3
	})
}

// Negentropy returns an approximation of the negentropy of x along each row of directions (r×d),
// but for a constant: (E[G(y)] − E[G(ν)])², where y is the projection with mean 0 and variance 1
// and ν a standard normal (Hyvärinen, 1998). Negentropy itself is how much lower the entropy is
// than that of the Gaussian of the same variance; it is 0 for a Gaussian and positive for all else.
// Errors are those of Kurtosis, and ml.ErrParameter for a contrast that there is not; "" is
// LogCosh.
func Negentropy(x, directions mat.Matrix, c Contrast) ([]float64, error) {
	const method = "decomposition.Negentropy"
	c, err := c.named(method)
	if err != nil {
		return nil, err
	}
	return projections(method, x, directions, func(y []float64) float64 {
		sum, _ := c.evaluate(y, make([]float64, len(y)), nil)
		gap := sum/float64(len(y)) - c.gaussian()
		return gap * gap
	})
}

// projections evaluates a number of each standardized projection.
func projections(method string, x, directions mat.Matrix, of func(y []float64) float64) ([]float64, error) {
	data, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	v, err := ml.Dense(method+": directions", directions)
	if err != nil {
		return nil, err
	}
	n, d := data.Dims()
	r, dv := v.Dims()
	if dv != d {
		return nil, ml.BadShape(method, "directions have %d columns, x has %d", dv, d)
	}
	out := make([]float64, r)
	var y mat.Dense
	y.Mul(v, data.T())
	for c := range out {
		p := y.RawRowView(c)
		if !standardizeSignal(p) {
			return nil, ml.BadParameter(method, fmt.Sprintf("direction %d", c), v.RawRowView(c), fmt.Sprintf("one along which the %d rows of x vary", n))
		}
		out[c] = of(p)
	}
	return out, nil
}

// standardizeSignal gives numbers a mean of 0 and a variance of 1, and says whether they have any.
func standardizeSignal(y []float64) bool {
	most := 0.0
	for _, v := range y {
		most = max(most, math.Abs(v))
	}
	if most == 0 || math.IsInf(most, 0) {
		return false
	}
	mean, n := 0.0, float64(len(y))
	for i := range y {
		y[i] /= most
		mean += y[i] / n
	}
	square := 0.0
	for i := range y {
		y[i] -= mean
		square += y[i] * y[i] / n
	}
	if square < 1e-24 { // equal but for rounding
		return false
	}
	for i := range y {
		y[i] /= math.Sqrt(square)
	}
	return true
}
