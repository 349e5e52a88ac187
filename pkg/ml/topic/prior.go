package topic

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// fixedPointSteps are how often a prior's parameters are renewed each time that it is their turn.
const fixedPointSteps = 20

// learnAlpha moves α up the likelihood of topics counted in documents by Minka's (2000) fixed
// point. counts lists, of each topic, how often it occurs in those documents that have it; lengths
// are those of all documents with words.
func learnAlpha(alpha []float64, counts [][]int32, lengths []float64) {
	for range fixedPointSteps {
		sum := 0.0
		for _, a := range alpha {
			sum += a
		}
		below := -float64(len(lengths)) * mathext.Digamma(sum)
		for _, n := range lengths {
			below += mathext.Digamma(n + sum)
		}
		if !(below > 0) {
			return
		}
		for k, a := range alpha {
			above := -float64(len(counts[k])) * mathext.Digamma(a)
			for _, n := range counts[k] {
				above += mathext.Digamma(float64(n) + a)
			}
			alpha[k] = clampPrior(a * above / below)
		}
	}
}

// learnEta does the same for η, of words counted in topics.
func learnEta(eta float64, counts []int32, sizes []float64, words int) float64 {
	v := float64(words)
	for range fixedPointSteps {
		below := -float64(len(sizes)) * mathext.Digamma(v*eta)
		for _, n := range sizes {
			below += mathext.Digamma(n + v*eta)
		}
		above := -float64(len(counts)) * mathext.Digamma(eta)
		for _, n := range counts {
			above += mathext.Digamma(float64(n) + eta)
		}
		if !(below > 0) {
			return eta
		}
		eta = clampPrior(eta * above / (v * below))
	}
	return eta
}

func clampPrior(a float64) float64 { return math.Min(math.Max(a, leastPrior), mostPrior) }

// dirichletFit raises n·(lnΓ(Σα) − Σ lnΓ(αₖ)) + n·Σ (αₖ−1)·meanₖ, the part of the variational bound
// that knows α, where mean is that of E[log θ] over n documents. The fixed point
// ψ(αₖ) = ψ(Σα) + meanₖ never lowers it (Minka, 2000).
func dirichletFit(alpha, mean []float64) {
	for range fixedPointSteps {
		sum := 0.0
		for _, a := range alpha {
			sum += a
		}
		psi := mathext.Digamma(sum)
		for k := range alpha {
			alpha[k] = clampPrior(inverseDigamma(psi + mean[k]))
		}
	}
}

// inverseDigamma solves ψ(x) = y by Newton's method from Minka's start.
func inverseDigamma(y float64) float64 {
	x := -1 / (y - mathext.Digamma(1))
	if y >= -2.22 {
		x = math.Exp(y) + 0.5
	}
	for range 6 {
		x -= (mathext.Digamma(x) - y) / trigamma(x)
	}
	return x
}

// trigamma is the derivative of ψ at x > 0.
func trigamma(x float64) float64 {
	s := 0.0
	for ; x < 10; x++ {
		s += 1 / (x * x)
	}
	r := 1 / (x * x)
	return s + 1/x + r/2 + r/x*(1./6-r*(1./30-r*(1./42-r/30)))
}
