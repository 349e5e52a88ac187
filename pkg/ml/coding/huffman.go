package coding

import (
	"cmp"
	"fmt"
	"math"
	"math/big"
	"slices"

	"github.com/golatent/latent/pkg/ml"
)

// Huffman returns the canonical code of least expected length Σ wₛ lₛ for symbols with given
// weights, probabilities or counts (Huffman, 1952): the two least probable symbols become sisters,
// whose mother counts as one symbol with the weight of both, until one is left. With H the entropy
// of the weights in bits, H ≤ the expected length < H+1.
//
// A symbol of weight 0 gets no word; a symbol that is alone gets one bit. Among equal weights the
// shallower tree is taken, so that the longest word is as short as can be. The cost is O(n log n).
// Errors are ml.ErrEmpty, ml.ErrNotFinite and, for negative weights, ml.ErrParameter.
func Huffman(weights []float64) (*Code, error) {
	symbols, err := byWeight("coding.Huffman", weights)
	if err != nil {
		return nil, err
	}
	slices.Reverse(symbols) // rising
	lengths := make([]int, len(weights))
	n := len(symbols)
	if n == 1 {
		lengths[symbols[0]] = 1
		return FromLengths(lengths)
	}
	// Two queues do for a heap (van Leeuwen, 1976): leaves in rising order, and mothers, which come
	// up in rising order by themselves.
	weight, mother := make([]float64, 2*n-1), make([]int, 2*n-1)
	for i, s := range symbols {
		weight[i] = weights[s]
	}
	leaf, inner := 0, n
	for next := n; next < 2*n-1; next++ {
		for range 2 {
			// Leaves first among equals: that keeps the tree shallow (Schwartz, 1964).
			child := inner
			if leaf < n && (inner == next || weight[leaf] <= weight[inner]) {
				child = leaf
				leaf++
			} else {
				inner++
			}
			weight[next] += weight[child]
			mother[child] = next
		}
	}
	depth := make([]int, 2*n-1)
	for i := 2*n - 3; i >= 0; i-- {
		depth[i] = depth[mother[i]] + 1
	}
	for i, s := range symbols {
		lengths[s] = depth[i]
	}
	return FromLengths(lengths)
}

// Shannon returns the code with word lengths ⌈−log₂ pₛ⌉ (Shannon, 1948). They obey Kraft's
// inequality, and the expected length is below H+1, but up to a bit a symbol worse than Huffman's.
// A symbol of weight 0 gets no word; a symbol that is alone gets one bit.
func Shannon(weights []float64) (*Code, error) {
	symbols, err := byWeight("coding.Shannon", weights)
	if err != nil {
		return nil, err
	}
	// In exact arithmetic: were a small weight lost in the total, Kraft's sum could pass 1.
	exactly := func(w float64) *big.Float { return new(big.Float).SetPrec(2200).SetFloat64(w) }
	total := exactly(0)
	for _, s := range symbols {
		total.Add(total, exactly(weights[s]))
	}
	lengths := make([]int, len(weights))
	for _, s := range symbols {
		w := exactly(weights[s])
		l := max(1, total.MantExp(nil)-w.MantExp(nil)-1)
		for w.SetMantExp(w, l); w.Cmp(total) < 0; w.SetMantExp(w, 1) {
			l++
		}
		lengths[s] = l
	}
	return FromLengths(lengths)
}

// ShannonFano returns the code by repeated halving (Fano, 1949): symbols in falling order of weight
// are cut where the two parts differ least in weight, one part gets a 0, the other a 1, and each is
// cut again. It looks as good as Huffman's and is not.
func ShannonFano(weights []float64) (*Code, error) {
	symbols, err := byWeight("coding.ShannonFano", weights)
	if err != nil {
		return nil, err
	}
	words := make([]string, len(weights))
	if len(symbols) == 1 {
		words[symbols[0]] = "0"
		return FromWords(words)
	}
	type part struct {
		symbols []int
		prefix  string
	}
	for queue := []part{{symbols, ""}}; len(queue) > 0; queue = queue[1:] {
		p := queue[0]
		if len(p.symbols) == 1 {
			words[p.symbols[0]] = p.prefix
			continue
		}
		total := 0.0
		for _, s := range p.symbols {
			total += weights[s]
		}
		cut, left, least := 1, 0.0, math.Inf(1)
		for i, s := range p.symbols[:len(p.symbols)-1] {
			left += weights[s]
			if d := math.Abs(total - 2*left); d < least {
				cut, least = i+1, d
			}
		}
		queue = append(queue, part{p.symbols[:cut], p.prefix + "0"}, part{p.symbols[cut:], p.prefix + "1"})
	}
	return FromWords(words)
}

// Entropy returns −Σ p log₂ p in bits of weights that need not sum to one.
func Entropy(weights []float64) (float64, error) {
	if err := checkWeights("coding.Entropy", weights); err != nil {
		return 0, err
	}
	total, sum := 0.0, 0.0
	for _, w := range weights {
		total += w
	}
	for _, w := range weights {
		if p := w / total; p > 0 {
			sum -= p * math.Log2(p)
		}
	}
	return sum, nil
}

// Counts counts each of k symbols in a sequence.
func Counts(symbols []int, k int) ([]float64, error) {
	if k < 1 || k > maxAlphabet {
		return nil, ml.BadParameter("coding.Counts", "k", k, "1 to 2²⁰")
	}
	if err := inAlphabet("coding.Counts", symbols, k); err != nil {
		return nil, err
	}
	out := make([]float64, k)
	for _, s := range symbols {
		out[s]++
	}
	return out, nil
}

// byWeight lists the symbols of positive weight in falling order, equal ones in the alphabet's.
func byWeight(method string, weights []float64) ([]int, error) {
	if err := checkWeights(method, weights); err != nil {
		return nil, err
	}
	var symbols []int
	for s, w := range weights {
		if w > 0 {
			symbols = append(symbols, s)
		}
	}
	slices.SortStableFunc(symbols, func(a, b int) int { return cmp.Compare(weights[b], weights[a]) })
	return symbols, nil
}

func checkWeights(method string, weights []float64) error {
	if len(weights) == 0 {
		return ml.Empty(method, "there are no weights")
	}
	if len(weights) > maxAlphabet {
		return ml.BadParameter(method, "the number of weights", len(weights), "at most 2²⁰")
	}
	total := 0.0
	for s, w := range weights {
		if w-w != 0 {
			return ml.NotFinite(method, "weight %d is %v", s, w)
		}
		if w < 0 {
			return ml.BadParameter(method, sprintf("weight %d", s), w, "0 or more")
		}
		total += w
	}
	if total == 0 || math.IsInf(total, 0) {
		return ml.BadParameter(method, "the sum of the weights", total, "a positive finite number")
	}
	return nil
}

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }
