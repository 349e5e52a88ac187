package coding

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
)

func impossible(method string, i, s int) error {
	return ml.BadParameter(method, fmt.Sprintf("symbol %d", i), s, "one that has a probability above 0 in this model")
}

// Adaptive is a Model that begins with equal counts and learns as it goes: p(s) ∝ n(s) + 1/2 after
// n(s) occurrences (Krichevsky & Trofimov, 1981). It needs no training and is never far wrong: on
// any sequence it takes at most (K−1)/2 · log₂ n + O(K) bits more than the best fixed probabilities
// for that very sequence, K the size of the alphabet. The cost of a symbol is O(log K).
type Adaptive struct {
	Symbols int // size of the alphabet, 1 to 2²⁰
}

// Alphabet returns Symbols.
func (a Adaptive) Alphabet() int { return a.Symbols }

// Start begins with equal counts.
func (a Adaptive) Start() Predictor {
	c := &counter{count: make([]uint64, a.Symbols), sums: make([]uint64, a.Symbols+1), total: uint64(a.Symbols)}
	for s := range c.count {
		c.count[s] = 1
		c.sums[s+1] = uint64((s + 1) & -(s + 1))
	}
	return c
}

// counter holds 2n(s)+1 for each symbol. sums is a tree of partial sums (Fenwick, 1994): sums[i] is
// the sum of the i&−i counts that end before i.
type counter struct {
	count, sums []uint64
	total       uint64
}

func (c *counter) Predict(p []float64) error {
	for s, n := range c.count {
		p[s] = float64(n) / float64(c.total)
	}
	return nil
}

func (c *counter) Observe(symbol int) {
	c.count[symbol] += 2
	c.total += 2 // at most 2·2²⁸ + 2²⁰ in all
	for i := symbol + 1; i < len(c.sums); i += i & -i {
		c.sums[i] += 2
	}
}

func (c *counter) interval(symbol int) (low, size, total uint64) {
	for i := symbol; i > 0; i -= i & -i {
		low += c.sums[i]
	}
	return low, c.count[symbol], c.total
}

func (c *counter) find(target uint64) (symbol int) {
	step := 1
	for step*2 < len(c.sums) {
		step *= 2
	}
	for ; step > 0; step /= 2 {
		if i := symbol + step; i < len(c.sums) && c.sums[i] <= target {
			symbol, target = i, target-c.sums[i]
		}
	}
	return min(symbol, len(c.count)-1)
}

// Static is a Model whose probabilities never change: parts of 2²⁴, one for each symbol. Its own
// Encode and Decode, for bytes, are fast; being a Model, it serves Arithmetic and ANS as well. A
// Static is a model in the sense of ml.Save.
type Static struct {
	Parts []int // of each symbol, 0 for one that does not occur; the sum is 2²⁴
}

func init() { ml.Register[Static]("coding.Static") }

const staticBits = 24

// NewStatic rounds weights, probabilities or counts, to parts of 2²⁴. Every symbol of positive
// weight gets one part at least; the parts that rounding leaves over go to, or come from, the
// symbols whose share they change least.
func NewStatic(weights []float64) (*Static, error) {
	const method = "coding.NewStatic"
	symbols, err := byWeight(method, weights)
	if err != nil {
		return nil, err
	}
	total := 0.0
	for _, s := range symbols {
		total += weights[s]
	}
	st := &Static{Parts: make([]int, len(weights))}
	left := 1 << staticBits
	for _, s := range symbols {
		st.Parts[s] = max(1, int(math.Round(weights[s]/total*(1<<staticBits))))
		left -= st.Parts[s]
	}
	// |left| is at most half of the number of symbols, plus one for each that was raised to 1: take from the largest, again and again.
	for i := 0; left != 0; i = (i + 1) % len(symbols) {
		s := symbols[i]
		switch {
		case left > 0:
			st.Parts[s]++
			left--
		case st.Parts[s] > 1:
			step := min(-left, max(1, st.Parts[s]>>16))
			st.Parts[s] -= step
			left += step
		}
	}
	return st, nil
}

// Alphabet returns the number of symbols.
func (st *Static) Alphabet() int { return len(st.Parts) }

// Start returns a predictor of the same probabilities at every place.
func (st *Static) Start() Predictor {
	f := &fixed{parts: st.Parts, bounds: make([]uint32, len(st.Parts)+1)}
	for s, n := range st.Parts {
		f.bounds[s+1] = f.bounds[s] + uint32(n)
	}
	return f
}

type fixed struct {
	parts  []int
	bounds []uint32
}

func (f *fixed) Predict(p []float64) error {
	for s, n := range f.parts {
		p[s] = float64(n) / (1 << staticBits)
	}
	return nil
}

func (f *fixed) Observe(int) {}

func (f *fixed) interval(s int) (low, size, total uint64) {
	return uint64(f.bounds[s]), uint64(f.parts[s]), 1 << staticBits
}

func (f *fixed) find(target uint64) int {
	s, _ := slices.BinarySearchFunc(f.bounds[1:], uint32(target), func(b, t uint32) int {
		if b <= t {
			return -1
		}
		return cmp.Compare(b, t)
	})
	return min(s, len(f.parts)-1)
}

// check holds a Static that was built or loaded by hand to what it must be.
func (st *Static) check(method string) error {
	sum := 0
	for s, n := range st.Parts {
		if n < 0 || n > 1<<staticBits {
			return ml.BadParameter(method, fmt.Sprintf("Parts[%d]", s), n, "0 to 2²⁴")
		}
		sum += n
	}
	if sum != 1<<staticBits {
		return ml.BadParameter(method, "the sum of Parts", sum, "2²⁴")
	}
	return nil
}
