package coding

import (
	"cmp"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strings"

	"github.com/golatent/latent/pkg/ml"
)

// Code gives each symbol a word of bits. No word is the beginning of another (the code is
// prefix-free), so that words can follow each other without a gap: reading from the left, a word
// has ended as soon as it is one.
//
// A prefix-free code is a binary tree whose leaves are the symbols (Trie), and its lengths obey
// Kraft's inequality. A Code is a model in the sense of ml.Save.
type Code struct {
	Words []string // the word of each symbol in zeros and ones, "" for a symbol that has none
}

func init() { ml.Register[Code]("coding.Code") }

// FromWords checks that words are zeros and ones and that no word is the beginning of another. At
// least one symbol must have a word.
func FromWords(words []string) (*Code, error) {
	c := &Code{Words: slices.Clone(words)}
	if _, err := c.Trie(); err != nil {
		return nil, err
	}
	return c, nil
}

// FromLengths returns the canonical code with words of given lengths, 0 for a symbol without a
// word: in order of length, and among equals of the symbol, each word is the one before it plus
// one. The lengths alone therefore describe the code. They must obey Kraft's inequality; a length
// is at most 4,096.
func FromLengths(lengths []int) (*Code, error) {
	const method = "coding.FromLengths"
	var order []int
	total := 0
	for s, l := range lengths {
		if l < 0 || l > 4096 {
			return nil, ml.BadParameter(method, sprintf("lengths[%d]", s), l, "0 to 4,096")
		}
		if l > 0 {
			order, total = append(order, s), total+l
		}
	}
	if total > 1<<28 {
		return nil, ml.BadParameter(method, "the sum of the lengths", total, "at most 2²⁸ bits")
	}
	if len(order) == 0 {
		return nil, ml.Empty(method, "no symbol has a length above 0")
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(lengths[a], lengths[b]) })
	c := &Code{Words: make([]string, len(lengths))}
	next, length, one := new(big.Int), 0, big.NewInt(1)
	for _, s := range order {
		next.Lsh(next, uint(lengths[s]-length))
		length = lengths[s]
		if next.BitLen() > length {
			return nil, ml.BadParameter(method, "Kraft's sum", Kraft(lengths), "at most 1")
		}
		word := next.Text(2)
		c.Words[s] = strings.Repeat("0", length-len(word)) + word
		next.Add(next, one)
	}
	return c, nil
}

// Kraft returns Σ 2^−l over the lengths above 0. A prefix-free code with these lengths exists if
// and only if the sum is at most 1 (Kraft, 1949); every code that can be decoded at all obeys it
// too (McMillan, 1956).
func Kraft(lengths []int) float64 {
	sum := 0.0
	for _, l := range lengths {
		if l > 0 {
			sum += math.Ldexp(1, -l)
		}
	}
	return sum
}

// FixedLength gives each of n symbols a word of ⌈log₂ n⌉ bits, and of one bit for n = 1.
func FixedLength(n int) (*Code, error) {
	if n < 1 || n > maxAlphabet {
		return nil, ml.BadParameter("coding.FixedLength", "n", n, "1 to 2²⁰")
	}
	return FromLengths(slices.Repeat([]int{max(1, bits.Len(uint(n-1)))}, n))
}

// WithStop makes any distinct words prefix-free by a stop symbol after each. There are then three
// letters to write, so each costs bits of its own: 0 is written 00, 1 is written 01, and the stop
// is written 1. A word of l letters takes 2l+1 bits.
func WithStop(words []string) (*Code, error) {
	out := make([]string, len(words))
	for s, w := range words {
		var b strings.Builder
		for _, c := range w {
			b.WriteByte('0')
			b.WriteRune(c)
		}
		out[s] = b.String() + "1"
	}
	return FromWords(out)
}

// Lengths returns the lengths of the words, 0 for a symbol without one.
func (c *Code) Lengths() []int {
	out := make([]int, len(c.Words))
	for s, w := range c.Words {
		out[s] = len(w)
	}
	return out
}

// MeanLength returns the expected length of a word, in bits, for symbols with given weights
// (probabilities or counts). A symbol with weight and without a word makes it +Inf.
func (c *Code) MeanLength(weights []float64) (float64, error) {
	const method = "coding.Code.MeanLength"
	if err := checkWeights(method, weights); err != nil {
		return 0, err
	}
	if len(weights) != len(c.Words) {
		return 0, ml.BadShape(method, "%d weights, the code has %d symbols", len(weights), len(c.Words))
	}
	sum, total := 0.0, 0.0
	for s, w := range weights {
		if w > 0 && c.Words[s] == "" {
			return math.Inf(1), nil
		}
		sum, total = sum+w*float64(len(c.Words[s])), total+w
	}
	return sum / total, nil
}

// Node is a node of a code's binary tree. A leaf has a Symbol and no children; inside, Symbol is
// −1.
type Node struct {
	Symbol    int
	Zero, One *Node // where the next bit leads; nil where no word goes on
}

// Trie returns the code as a binary tree: a word is the path from the root to its symbol's leaf.
// The error says which words are in each other's way.
func (c *Code) Trie() (*Node, error) {
	const method = "coding.Code"
	root := &Node{Symbol: -1}
	some := false
	for s, w := range c.Words {
		if w == "" {
			continue
		}
		some = true
		n := root
		for i, b := range []byte(w) {
			if b != '0' && b != '1' {
				return nil, ml.BadParameter(method, sprintf("word %d", s), sprintf("%q", w), "zeros and ones")
			}
			if n.Symbol >= 0 {
				return nil, ml.BadParameter(method, sprintf("word %d", s), w, sprintf("one that does not begin with %s, the word of symbol %d", w[:i], n.Symbol))
			}
			child := &n.Zero
			if b == '1' {
				child = &n.One
			}
			if *child == nil {
				*child = &Node{Symbol: -1}
			}
			n = *child
		}
		if n.Symbol >= 0 || n.Zero != nil || n.One != nil {
			return nil, ml.BadParameter(method, sprintf("word %d", s), w, "one that is not the beginning of another word")
		}
		n.Symbol = s
	}
	if !some {
		return nil, ml.Empty(method, "no symbol has a word")
	}
	return root, nil
}

// Bits writes the words of symbols one after another. The bits alone do not tell where they end:
// Encode adds that.
func (c *Code) Bits(symbols []int) (Bits, error) {
	const method = "coding.Code.Bits"
	if err := inAlphabet(method, symbols, len(c.Words)); err != nil {
		return Bits{}, err
	}
	short := make([]uint64, len(c.Words))
	for s, w := range c.Words {
		for _, b := range []byte(w) {
			short[s] = short[s]<<1 | uint64(b&1)
		}
	}
	var out Bits
	for t, s := range symbols {
		switch w := c.Words[s]; {
		case w == "":
			return Bits{}, ml.BadParameter(method, sprintf("symbol %d", t), s, "one that has a word")
		case len(w) <= 56:
			out.appendWord(short[s], len(w))
		default:
			for _, b := range []byte(w) {
				out.append(b == '1')
			}
		}
	}
	return out, nil
}

// Symbols reads words until the bits end. The error, beside the symbols so far, says where no word
// fits or the last is cut short.
func (c *Code) Symbols(b Bits) ([]int, error) {
	symbols, at, err := c.read(b, len(b.Bytes)*8, -1)
	if err == nil && at < b.N {
		err = corrupt("the bits end within a word, which begins at bit %d", at)
	}
	return symbols, err
}

// SymbolsUntil reads words until symbol stop, which is not returned, and says how many bits that
// took: what follows may be something else.
func (c *Code) SymbolsUntil(b Bits, stop int) (symbols []int, used int, err error) {
	if stop < 0 || stop >= len(c.Words) || c.Words[stop] == "" {
		return nil, 0, ml.BadParameter("coding.Code.SymbolsUntil", "stop", stop, "a symbol that has a word")
	}
	symbols, used, err = c.read(b, len(b.Bytes)*8, stop)
	if err == nil && (len(symbols) == 0 || symbols[len(symbols)-1] != stop) {
		return symbols, used, corrupt("the bits end before the stop symbol")
	}
	if err != nil {
		return symbols, used, err
	}
	return symbols[:len(symbols)-1], used, nil
}

// read decodes at most limit symbols, or up to and including stop, and returns where the last whole
// word ends.
func (c *Code) read(b Bits, limit, stop int) (symbols []int, at int, err error) {
	root, err := c.Trie()
	if err != nil {
		return nil, 0, err
	}
	if b.N < 0 || b.N > 8*len(b.Bytes) {
		return nil, 0, corrupt("%d bits in %d bytes", b.N, len(b.Bytes))
	}
	n := root
	for i := 0; i < b.N && len(symbols) < limit; i++ {
		if b.At(i) == 0 {
			n = n.Zero
		} else {
			n = n.One
		}
		if n == nil {
			return symbols, at, corrupt("no word begins as the bits from %d do", at)
		}
		if n.Symbol >= 0 {
			symbols, at = append(symbols, n.Symbol), i+1
			if n.Symbol == stop {
				break
			}
			n = root
		}
	}
	return symbols, at, nil
}

// Encode writes symbols with their number and checksums, for Decode.
func (c *Code) Encode(symbols []int) ([]byte, error) {
	b, err := c.Bits(symbols)
	if err != nil {
		return nil, err
	}
	return envelope{kind: kindCode, n: len(symbols), sum: checksum(symbols), payload: b.Bytes}.seal(), nil
}

// Decode returns the symbols of which Encode made data. The error wraps ErrCorrupt where the data
// are damaged or another code's.
func (c *Code) Decode(data []byte) ([]int, error) {
	e, err := open(kindCode, data)
	if err != nil {
		return nil, err
	}
	symbols, at, err := c.read(Bits{e.payload, 8 * len(e.payload)}, e.n, -1)
	if err != nil {
		return nil, err
	}
	if len(symbols) < e.n || (at+7)/8 != len(e.payload) {
		return nil, corrupt("%d symbols in %d bytes, the header says %d", len(symbols), len(e.payload), e.n)
	}
	return symbols, e.check(symbols)
}
