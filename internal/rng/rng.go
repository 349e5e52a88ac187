// Package rng gives every method its random streams: one PCG for each (seed, restart, shard), so
// that a result depends on the seed alone and never on the number of processors or on who ran
// first.
package rng

import "math/rand/v2"

// New returns the stream of a seed and a path under it: New(seed), New(seed, restart), New(seed,
// restart, shard). Streams with different paths are independent for all practical purposes.
func New(seed uint64, path ...int) *rand.Rand {
	hi, lo := mix(seed), mix(seed^0x9e3779b97f4a7c15)
	for _, p := range path {
		hi = mix(hi ^ uint64(p) + 0x9e3779b97f4a7c15)
		lo = mix(lo + hi)
	}
	return rand.New(rand.NewPCG(hi, lo))
}

// mix is the finalizer of SplitMix64 (Steele, Lea & Flood, 2014): a bijection that spreads every
// bit over the word.
func mix(z uint64) uint64 {
	z += 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// Weighted draws an index with a probability in proportion to its weight, given the sum of all; one
// without weight is never drawn but where none has any, and each is as probable.
func Weighted(r *rand.Rand, weights []float64, total float64) int {
	if !(total > 0) {
		return r.IntN(len(weights))
	}
	u, last := r.Float64()*total, 0
	for i, w := range weights {
		if w > 0 {
			last = i
			if u -= w; u <= 0 {
				break
			}
		}
	}
	return last
}
