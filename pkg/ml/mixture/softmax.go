package mixture

import (
	"math"

	"github.com/golatent/latent/internal/blas"
)

// softmax turns each row of k logs into exp(v)/Σ exp(v), and sets sums to log Σ exp(v).
func softmax(logs []float64, k int, sums []float64) {
	var most [blockOfRows]float64
	for len(sums) > blockOfRows {
		softmax(logs[:blockOfRows*k], k, sums[:blockOfRows])
		logs, sums = logs[blockOfRows*k:], sums[blockOfRows:]
	}
	for i := range sums {
		row, m := logs[i*k:(i+1)*k], math.Inf(-1)
		for _, v := range row {
			m = max(m, v) // NaN if one is
		}
		most[i] = m
		if math.IsInf(m, -1) { // no density that a float64 holds: all alike
			clear(row)
			continue
		}
		for c := range row {
			row[c] -= m
		}
	}
	blas.Exp(logs, logs)
	for i := range sums {
		row, total := logs[i*k:(i+1)*k], 0.0
		for _, v := range row {
			total += v
		}
		for c := range row {
			row[c] /= total
		}
		sums[i] = total
	}
	blas.Log(sums, sums)
	for i := range sums {
		sums[i] += most[i]
	}
}

// logSoftmax takes from each row of k logs its log Σ exp. spare is as long as logs at least.
func logSoftmax(logs []float64, k int, sums, spare []float64) {
	spare = spare[:len(logs)]
	copy(spare, logs)
	softmax(spare, k, sums)
	for i := range logs {
		logs[i] -= sums[i/k]
	}
}

// logBernoulli sets dst to log p(y) of y, 0 or 1, a row, for rows of k log odds.
func logBernoulli(dst, odds, y []float64, k int) {
	for i, m := range odds {
		dst[i] = -math.Abs(m)
	}
	blas.Exp(dst, dst)
	for i, v := range dst {
		dst[i] = 1 + v
	}
	blas.Log(dst, dst)
	for i, v := range dst {
		m := odds[i]
		if y[i/k] == 1 {
			m = -m
		}
		dst[i] = -v - max(m, 0)
	}
}

func sigmoid(m float64) float64 {
	if m >= 0 {
		return 1 / (1 + math.Exp(-m))
	}
	e := math.Exp(m)
	return e / (1 + e)
}
