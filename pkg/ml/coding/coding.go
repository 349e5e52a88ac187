// Package coding turns sequences of symbols into as few bits as a model of them allows, and back
// without loss.
//
// A code for single symbols is a Code: FixedLength, Huffman, Shannon, ShannonFano, or words of your
// own with a stop symbol. Arithmetic coding is not tied to whole bits: Arithmetic (a range coder,
// first in, first out) and ANS (a stack, last in, first out) take any Model that says how probable
// each symbol is after those before it. Static and Adaptive are such models with integer counts,
// NGram and Pictures learn from text and from pictures, a neural network becomes one by two
// methods, and Columns codes many rows of a matrix side by side. BitsBack codes with a model that
// has latent variables.
//
// A symbol is an int from 0 to one less than the size of the alphabet. Everything that Encode
// returns carries its length and two checksums: Decode of damaged data, or with another model, is
// an error that wraps ErrCorrupt, and never a crash or an endless loop.
//
// The n-gram lives here, and not with the neural models that it rivals: it is classical, and what
// is classical must not link a neural backend.
package coding

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
)

// Model says how probable each next symbol of a sequence is. Any model that can do that drives the
// coders of this package.
type Model interface {
	Alphabet() int    // number of symbols, 1 to 2²⁰
	Start() Predictor // a new predictor, before the first symbol of a sequence
}

// Predictor walks along one sequence: Predict and Observe take turns. Encoder and decoder each
// start one of their own, and both must come to the same probabilities, up to the coder's
// Tolerance. It need not be safe for use by several goroutines.
//
// It is an alias, so that other packages can have a Start without importing this one.
type Predictor = interface {
	// Predict fills p, as long as the alphabet is large, with the probabilities of the next symbol
	// given all that were observed.
	Predict(p []float64) error
	// Observe says what the next symbol was. It is always one of the alphabet.
	Observe(symbol int)
}

// exact is a Predictor whose probabilities are ratios of whole numbers, which the coders take as
// they are: symbol s owns the integers from low to low+size−1 of the total, at most 2³².
type exact interface {
	Predictor
	interval(symbol int) (low, size, total uint64) // size 0 for a symbol that has no probability
	find(target uint64) (symbol int)               // whose interval holds target, below total
}

const (
	maxAlphabet = 1 << 20
	maxSymbols  = 1 << 28 // of a sequence: what a damaged or hostile header can ask for
)

// CrossEntropy returns Σ −log₂ p(xₜ | x₁ … xₜ₋₁) of a sequence under a model, in bits: the length
// that a perfect coder would reach. It is +Inf where a symbol of probability 0 occurs.
func CrossEntropy(ctx context.Context, m Model, symbols []int) (bits float64, err error) {
	const method = "coding.CrossEntropy"
	if err := checkSymbols(method, m, symbols); err != nil {
		return 0, err
	}
	p := make([]float64, m.Alphabet())
	predictor := m.Start()
	for t, s := range symbols {
		if err := predict(ctx, method, predictor, p, t); err != nil {
			return 0, err
		}
		bits -= math.Log2(p[s])
		predictor.Observe(s)
	}
	return bits, nil
}

// Sample draws n symbols from a model.
func Sample(ctx context.Context, m Model, n int, seed uint64) ([]int, error) {
	const method = "coding.Sample"
	if err := checkSymbols(method, m, nil); err != nil {
		return nil, err
	}
	if n < 0 {
		return nil, ml.BadParameter(method, "n", n, "0 or more")
	}
	p, r := make([]float64, m.Alphabet()), rng.New(seed)
	predictor := m.Start()
	var out []int
	for t := range n {
		if err := predict(ctx, method, predictor, p, t); err != nil {
			return out, err
		}
		s, u := 0, r.Float64()
		for last := len(p) - 1; s < last && u >= p[s]; s++ {
			u -= p[s]
		}
		for s > 0 && p[s] == 0 { // rounding carried u past the last symbol that has a probability
			s--
		}
		out = append(out, s)
		predictor.Observe(s)
	}
	return out, nil
}

// predict asks for the next probabilities and checks them.
func predict(ctx context.Context, method string, predictor Predictor, p []float64, t int) error {
	if t%16 == 0 && ctx.Err() != nil {
		return ctx.Err()
	}
	if err := predictor.Predict(p); err != nil {
		return err
	}
	return checkProbabilities(method, p, t)
}

func checkProbabilities(method string, p []float64, t int) error {
	sum := 0.0
	for s, v := range p {
		if !(v >= 0 && v <= 2) {
			return ml.NotFinite(method, "symbol %d at place %d has probability %v", s, t, v)
		}
		sum += v
	}
	// Loose, since models in single precision are summed here too: only the ratios count.
	if !(math.Abs(sum-1) <= 0.01) {
		return ml.BadParameter(method, "the sum of the probabilities", sum, "1")
	}
	return nil
}

// checkSymbols checks a model's alphabet and that symbols are of it.
func checkSymbols(method string, m Model, symbols []int) error {
	if m == nil {
		return ml.BadParameter(method, "the model", nil, "a model")
	}
	k := m.Alphabet()
	if k < 1 || k > maxAlphabet {
		return ml.BadParameter(method, "the model's alphabet", k, "1 to 2²⁰ symbols")
	}
	if c, ok := m.(interface{ check(method string) error }); ok {
		if err := c.check(method); err != nil {
			return err
		}
	}
	return inAlphabet(method, symbols, k)
}

func inAlphabet(method string, symbols []int, k int) error {
	if len(symbols) > maxSymbols {
		return ml.BadParameter(method, "the number of symbols", len(symbols), "at most 2²⁸")
	}
	for t, s := range symbols {
		if s < 0 || s >= k {
			return ml.BadShape(method, "symbol %d is %d, the alphabet is 0 to %d", t, s, k-1)
		}
	}
	return nil
}

// Bytes returns the bytes of a text as symbols, for an alphabet of 256.
func Bytes(text string) []int {
	out := make([]int, len(text))
	for i := range out {
		out[i] = int(text[i])
	}
	return out
}
