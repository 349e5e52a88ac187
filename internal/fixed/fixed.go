// Package fixed computes functions and layers of networks in float64 with one result, to the last
// bit, on every machine. What one machine encodes another can then decode: a backend's own
// evaluation depends on the processor, the number of threads and the order in which a compiler puts
// a sum.
//
// The IEEE standard fixes addition, multiplication, division and the square root. All here is made
// of them, each sum in an order that the code says. Go may fuse a product and a sum into one
// operation that rounds once, and does on some processors; a conversion to float64 forbids it, and
// stands around every product that is added to something.
package fixed

import "math"

const (
	log2e = 1.44269504088896338700
	ln2Hi = 6.93147180369123816490e-01 // its last 32 bits are zeros: times a whole number it is exact
	ln2Lo = 1.90821492927058770002e-10
)

// inverse has 1/i!.
var inverse = func() (f [14]float64) {
	n := 1.0
	for i := range f {
		f[i] = 1 / n
		n *= float64(i + 1)
	}
	return f
}()

// Exp is eˣ, to some 1e-16 of it.
func Exp(x float64) float64 {
	switch {
	case x != x || x > 710:
		return x * math.MaxFloat64 // NaN or +Inf
	case x < -746:
		return 0
	}
	k := math.Floor(float64(x*log2e) + 0.5)
	r := (x - float64(k*ln2Hi)) - float64(k*ln2Lo) // |r| ≤ ½ log 2: fourteen terms of the series are enough
	sum := inverse[13]
	for i := 12; i >= 0; i-- {
		sum = float64(sum*r) + inverse[i]
	}
	return Scale(sum, int(k))
}

// Expm1 is eˣ − 1 for x ≤ 0, as exact, relatively, near 0 as elsewhere.
func Expm1(x float64) float64 {
	if x < -0.5 {
		return Exp(x) - 1
	}
	sum := inverse[13] // of xᵏ/(k+1)!, Horner's scheme
	for i := 12; i >= 1; i-- {
		sum = float64(sum*x) + inverse[i]
	}
	return float64(sum * x)
}

// Scale is math.Ldexp(x, k), by a product with 2ᵏ where that is a normal number: either rounds
// once.
func Scale(x float64, k int) float64 {
	if k < -1000 || k > 1000 {
		return math.Ldexp(x, k)
	}
	return x * math.Float64frombits(uint64(k+1023)<<52) // 2ᵏ
}

// Sigmoid is 1/(1 + e⁻ˣ).
func Sigmoid(x float64) float64 {
	if x >= 0 {
		return 1 / (1 + Exp(-x))
	}
	e := Exp(x)
	return e / (1 + e)
}

// Tanh is 2·Sigmoid(2x) − 1, up to 1e-16 absolutely.
func Tanh(x float64) float64 {
	e := Exp(-2 * math.Abs(x))
	return math.Copysign((1-e)/(1+e), x)
}

// Swish puts x·Sigmoid(x) in the place of each x.
func Swish(x []float64) {
	for i, v := range x {
		x[i] = v * Sigmoid(v)
	}
}

// Relu puts max(x, 0) in the place of each x.
func Relu(x []float64) {
	for i, v := range x {
		x[i] = max(v, 0)
	}
}

// Softmax puts probabilities in the place of logits.
func Softmax(x []float64) {
	top := math.Inf(-1)
	for _, v := range x {
		top = max(top, v)
	}
	sum := 0.0
	for i, v := range x {
		x[i] = Exp(v - top)
		sum += x[i]
	}
	for i := range x {
		x[i] /= sum
	}
}

// Normal is the standard normal distribution function Φ(x), to 1e-15 absolutely (the series of
// Marsaglia, 2004).
func Normal(x float64) float64 {
	switch {
	case x < -8.3:
		return 0
	case x > 8.3:
		return 1
	}
	square := x * x
	sum, term := x, x
	for i := 3.0; ; i += 2 {
		term = term * square / i
		next := sum + term
		if next == sum {
			break
		}
		sum = next
	}
	const density = 0.39894228040143267794 // 1/√2π
	return min(max(0.5+float64(sum*float64(density*Exp(-0.5*square))), 0), 1)
}

// Quantile is the x with Φ(x) = p, to 1e-14 where p is between 0.001 and 0.999, −Inf for 0 and +Inf
// for 1.
func Quantile(p float64) float64 {
	switch {
	case p <= 0:
		return math.Inf(-1)
	case p >= 1:
		return math.Inf(1)
	}
	low, high := -8.3, 8.3
	for range 60 {
		middle := (low + high) / 2
		if Normal(middle) < p {
			low = middle
		} else {
			high = middle
		}
	}
	return (low + high) / 2
}

// Dot is Σ aᵢbᵢ over the length of a, in four sums that are added at the end.
func Dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += float64(a[0] * b[0])
		s1 += float64(a[1] * b[1])
		s2 += float64(a[2] * b[2])
		s3 += float64(a[3] * b[3])
		a, b = a[4:], b[4:]
	}
	for i, v := range a {
		s0 += float64(v * b[i])
	}
	return (s0 + s1) + (s2 + s3)
}
