package rng

import (
	"math"
	"testing"
)

func TestStreamsAreReproducibleAndDistinct(t *testing.T) {
	seen := map[uint64][]int{}
	for seed := range uint64(4) {
		for _, path := range [][]int{nil, {0}, {1}, {0, 0}, {0, 1}, {1, 0}, {-1}} {
			a, b := New(seed, path...), New(seed, path...)
			first := a.Uint64()
			if got := b.Uint64(); got != first {
				t.Fatalf("seed %d, path %v: %d and %d from the same stream", seed, path, first, got)
			}
			if other, ok := seen[first]; ok {
				t.Errorf("seed %d, path %v starts like %v", seed, path, other)
			}
			seen[first] = append([]int{int(seed)}, path...)
		}
	}
}

// Neighbouring streams must not be correlated: the mean of their products lies within 5 standard
// errors of 1/4.
func TestNeighbouringStreamsAreUncorrelated(t *testing.T) {
	const n = 20000
	a, b := New(1, 0), New(1, 1)
	sum := 0.0
	for range n {
		sum += (a.Float64() - 0.5) * (b.Float64() - 0.5)
	}
	if se := 1.0 / 12 / math.Sqrt(n); math.Abs(sum/n) > 5*se {
		t.Errorf("covariance %g, standard error %g", sum/n, se)
	}
}

func TestWeighted(t *testing.T) {
	r := New(1)
	weights, counts := []float64{0, 1, 3, 0, 4, 0}, make([]float64, 6)
	const n = 80_000
	for range n {
		counts[Weighted(r, weights, 8)]++
	}
	for i, w := range weights {
		p := w / 8
		if gap := math.Abs(counts[i] - n*p); gap > 4*math.Sqrt(n*p*(1-p)) || w == 0 && gap > 0 {
			t.Errorf("index %d was drawn %g times of %d, its share is %g", i, counts[i], n, p)
		}
	}
	seen := map[int]bool{}
	for range 100 {
		seen[Weighted(r, make([]float64, 3), 0)] = true
	}
	if len(seen) != 3 {
		t.Errorf("of three without weight only %v were drawn", seen)
	}
}
