package autoregressive

import (
	"math"

	"github.com/golatent/latent/internal/fixed"
)

// What is here computes a network step by step in Go: products first, then sums from the left, one rounding each. A compiler may fuse a product and a sum, which rounds once and
// differs from machine to machine; an explicit conversion of the product forbids it. So a sampled text, and a file that was coded with a network's probabilities,
// are the same everywhere.

// plainProduct adds x·w to y: y_k += Σ_j x_j w_jk, for j from 0 up. w is len(x) rows of len(y) numbers. addProduct does the same, to the last bit, on processors that have a kernel for it.
func plainProduct(y, x, w []float32) {
	n := len(y)
	for ; len(x) >= 4; x, w = x[4:], w[4*n:] { // four rows at a time: y is read and written once for them
		a, b, c, d := x[0], x[1], x[2], x[3]
		wa, wb, wc, wd := w[:n], w[n:2*n], w[2*n:3*n], w[3*n:4*n]
		for k := range y {
			y[k] = y[k] + float32(a*wa[k]) + float32(b*wb[k]) + float32(c*wc[k]) + float32(d*wd[k])
		}
	}
	for ; len(x) > 0; x, w = x[1:], w[n:] {
		a, wa := x[0], w[:n]
		for k := range y {
			y[k] += float32(a * wa[k])
		}
	}
}

// exp is eˣ to some 1e-15 of itself: x = k log 2 + r, |r| ≤ log 2 / 2, and Taylor's series for r. math.Exp is another algorithm on another processor.
func exp(x float64) float64 {
	const high, low = 6.93147180369123816490e-01, 1.90821492927058770002e-10 // log 2 in two parts: k·high is exact
	switch {
	case x > 709:
		return math.Inf(1)
	case x < -708:
		return 0
	case x != x:
		return x
	}
	k := math.Floor(float64(x*math.Log2E) + 0.5)
	r := x - float64(k*high)
	r -= float64(k * low)
	sum := 1.0
	for _, c := range reciprocals {
		sum = 1 + float64(float64(sum*r)*c)
	}
	return fixed.Scale(sum, int(k))
}

var reciprocals = func() (c [14]float64) { // 1/14, 1/13, … 1/1, for Horner's scheme
	for i := range c {
		c[i] = 1 / float64(len(c)-i)
	}
	return c
}()

func sigmoid(x float32) float32 { return float32(1 / (1 + exp(-float64(x)))) }

func tanh(x float32) float32 {
	e := exp(-2 * math.Abs(float64(x)))
	return float32(math.Copysign((1-e)/(1+e), float64(x)))
}
