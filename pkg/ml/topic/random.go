package topic

import (
	"math"
	"math/rand/v2"

	"gonum.org/v1/gonum/mathext"
)

func digamma(x float64) float64 { return mathext.Digamma(x) }

// gammaDraw draws from the gamma distribution of a shape and scale 1 (Marsaglia & Tsang, 2000).
func gammaDraw(r *rand.Rand, shape float64) float64 { return math.Exp(logGammaDraw(r, shape)) }

// logGammaDraw is its logarithm, which does not underflow where the shape is small.
func logGammaDraw(r *rand.Rand, shape float64) float64 {
	if shape < 1 {
		return logGammaDraw(r, shape+1) + math.Log(1-r.Float64())/shape
	}
	d := shape - 1./3
	c := 1 / math.Sqrt(9*d)
	for {
		x := r.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(1-r.Float64()) < x*x/2+d-d*v+d*math.Log(v) {
			return math.Log(d) + math.Log(v)
		}
	}
}

// dirichletDraw sets p to a draw from the Dirichlet distribution with parameters alpha.
func dirichletDraw(r *rand.Rand, p, alpha []float64) {
	most, sum := math.Inf(-1), 0.0
	for k, a := range alpha {
		p[k] = logGammaDraw(r, a)
		most = math.Max(most, p[k])
	}
	for k := range p {
		p[k] = math.Exp(p[k] - most)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
}

// poissonDraw draws from the Poisson distribution: as a sum of waits for small means, and by a
// binomial split of a gamma draw for large ones (Ahrens & Dieter, 1974).
func poissonDraw(r *rand.Rand, mean float64) int {
	n := 0
	for mean > 30 {
		m := math.Floor(mean * 7 / 8)
		x := gammaDraw(r, m)
		if x > mean {
			// The m-th event comes too late: of the m−1 before it each is in time by mean/x.
			for range int(m) - 1 {
				if r.Float64()*x < mean {
					n++
				}
			}
			return n
		}
		n += int(m)
		mean -= x
	}
	for left := mean - r.ExpFloat64(); left > 0; left -= r.ExpFloat64() {
		n++
	}
	return n
}
