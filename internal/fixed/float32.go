package fixed

import "math"

// Networks that are evaluated step by step keep their numbers in float32, as they were trained, and
// compute each function of one number in float64.

// plainProduct adds x·w to y: y_k += Σ_j x_j w_jk, for j from 0 up, each product rounded before it
// is added. w is len(x) rows of len(y) numbers.
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

// Sigmoid32 is Sigmoid of a float32, rounded to one.
func Sigmoid32(x float32) float32 { return float32(Sigmoid(float64(x))) }

// Tanh32 is Tanh of a float32, rounded to one.
func Tanh32(x float32) float32 { return float32(Tanh(float64(x))) }

// SoftmaxTo sets p to exp(scores·sharpness), scaled to a sum of 1.
func SoftmaxTo(p []float64, scores []float32, sharpness float64) {
	top := math.Inf(-1)
	for _, s := range scores {
		top = max(top, float64(s))
	}
	sum := 0.0
	for k, s := range scores {
		p[k] = Exp(float64(float64(s)-top) * sharpness)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
}
