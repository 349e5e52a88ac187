package text

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/golatent/latent/internal/fixed"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
)

// vocabulary numbers the characters of a text: symbol k is the k-th, in the order of their code
// points.
type vocabulary struct {
	characters []rune
	symbol     map[rune]int
}

func newVocabulary(characters string) vocabulary {
	v := vocabulary{characters: []rune(characters), symbol: map[rune]int{}}
	slices.Sort(v.characters)
	v.characters = slices.Compact(v.characters)
	for k, c := range v.characters {
		v.symbol[c] = k
	}
	return v
}

// vocabularyOf is the given characters, or those of the text where none are given.
func vocabularyOf(method, given, text string) (vocabulary, error) {
	if given == "" {
		given = text
	}
	v := newVocabulary(given)
	if n := len(v.characters); n > symbol.MaxLevels || n == 1 {
		return v, ml.BadParameter(method, "Vocabulary", fmt.Sprintf("%d characters", n), "2 to 65536 of them")
	}
	return v, nil
}

// symbols numbers the characters of a text.
func (v vocabulary) symbols(method, what, text string) ([]int, error) {
	if text == "" {
		return nil, ml.Empty(method, "%s has no characters", what)
	}
	out := make([]int, 0, len(text))
	for at, c := range text {
		k, ok := v.symbol[c]
		if !ok || c == utf8.RuneError && !strings.HasPrefix(text[at:], "\uFFFD") {
			return nil, v.unknown(method, what, len(out), text[:at], text[at:])
		}
		out = append(out, k)
	}
	return out, nil
}

func (v vocabulary) unknown(method, what string, at int, before, rest string) error {
	line := strings.Count(before, "\n") + 1
	column := utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:]) + 1
	_, size := utf8.DecodeRuneInString(rest)
	return ml.BadParameter(method, fmt.Sprintf("%s, character %d (line %d, column %d)", what, at, line, column), fmt.Sprintf("%q", rest[:size]),
		fmt.Sprintf("one of the %d characters that the model knows", len(v.characters)))
}

// Numbers turns a text into one row of the numbers of its characters, as WaveNet takes sequences,
// and returns the vocabulary, whose k-th character is symbol k: the characters of the given one, or
// of the text where it is "". The error is ml.ErrParameter for a character that is not in the
// vocabulary (with its place) or a vocabulary of one character, and ml.ErrEmpty for a text of none.
func Numbers(text, vocabulary string) (*mat.Dense, string, error) {
	const method = "text.Numbers"
	v, err := vocabularyOf(method, vocabulary, text)
	if err != nil {
		return nil, "", err
	}
	symbols, err := v.symbols(method, "the text", text)
	if err != nil {
		return nil, "", err
	}
	x := mat.NewDense(1, len(symbols), nil)
	for j, s := range symbols {
		x.Set(0, j, float64(s))
	}
	return x, string(v.characters), nil
}

// cut adds sequences of a length out of symbols to an array, so many symbols apart: a quarter of
// the length for training, which then meets a symbol at several places of a window; the length
// itself, so that they do not overlap, for validation.
func cut(a *neural.Array, symbols []int, length, apart int) {
	for lo := 0; lo+length <= len(symbols); lo += apart {
		for _, s := range symbols[lo : lo+length] {
			a.Ints = append(a.Ints, int32(s))
		}
	}
}

// textData turns texts into the windows that a model trains and validates on. validation may be
// empty.
func textData(method string, v vocabulary, length int, text, validation string, p *neural.Problem) error {
	symbols, err := v.symbols(method, "the text", text)
	if err != nil {
		return err
	}
	if len(symbols) < length {
		return ml.BadShape(method, "the text has %d characters, one window takes Sequence = %d", len(symbols), length)
	}
	p.Data = []*neural.Array{{Shape: []int{length}}}
	cut(p.Data[0], symbols, length, max(length/4, 1))
	if validation == "" {
		return nil
	}
	if symbols, err = v.symbols(method, "the validation text", validation); err != nil {
		return err
	}
	if len(symbols) < length {
		return ml.BadShape(method, "the validation text has %d characters, one window takes Sequence = %d", len(symbols), length)
	}
	p.Validation = []*neural.Array{{Shape: []int{length}}}
	cut(p.Validation[0], symbols, length, length)
	return nil
}

// walker is a network between two symbols.
type walker interface {
	scores() []float32 // log p(next symbol), up to a constant; valid until Observe
	Observe(symbol int)
}

// walk is a walker as a Predictor.
type walk struct{ walker }

func (w walk) Predict(p []float64) error {
	scores := w.scores()
	if len(p) != len(scores) {
		return ml.BadShape("text.Predictor.Predict", "there is room for %d probabilities, the model has %d symbols", len(p), len(scores))
	}
	fixed.SoftmaxTo(p, scores, 1)
	return nil
}

// logProbs returns log p of each symbol given those before.
func logProbs(ctx context.Context, w walker, symbols []int) ([]float64, error) {
	out := make([]float64, len(symbols))
	p := make([]float64, len(w.scores()))
	for t, s := range symbols {
		if t%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		fixed.SoftmaxTo(p, w.scores(), 1)
		out[t] = math.Log(p[s])
		w.Observe(s)
	}
	return out, nil
}

// bits reads a text to its end and returns the mean of −log₂ p of its characters.
func (v vocabulary) bits(ctx context.Context, method string, w walker, text io.Reader) (perCharacter float64, characters int, err error) {
	in, line, column := bufio.NewReader(text), 1, 1
	p := make([]float64, len(v.characters))
	for ; ; characters++ {
		if characters%64 == 0 && ctx.Err() != nil {
			break
		}
		c, size, err := in.ReadRune()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, characters, fmt.Errorf("%s: after %d characters: %w", method, characters, err)
		}
		s, ok := v.symbol[c]
		if !ok || c == utf8.RuneError && size == 1 {
			return 0, characters, ml.BadParameter(method, fmt.Sprintf("character %d (line %d, column %d)", characters, line, column), fmt.Sprintf("%q", c),
				fmt.Sprintf("one of the %d characters that the model knows", len(v.characters)))
		}
		if column++; c == '\n' {
			line, column = line+1, 1
		}
		fixed.SoftmaxTo(p, w.scores(), 1)
		perCharacter -= math.Log2(p[s])
		w.Observe(s)
	}
	if characters == 0 && ctx.Err() == nil {
		return 0, 0, ml.Empty(method, "the text has no characters")
	}
	return perCharacter / float64(max(characters, 1)), characters, ctx.Err()
}

// sample draws n symbols, each with probabilities ∝ p^(1/temperature), or the most probable each
// time where temperature is 0. The t-th symbol uses the t-th random number of the seed, so that a
// sample is the beginning of a longer one.
func sample(ctx context.Context, method string, w walker, n int, temperature float64, r *rand.Rand) ([]int, error) {
	if n < 1 {
		return nil, ml.BadParameter(method, "n", n, "at least 1")
	}
	p := make([]float64, len(w.scores()))
	var out []int
	for t := range n {
		if t%64 == 0 && ctx.Err() != nil {
			return out, ctx.Err()
		}
		scores, u := w.scores(), r.Float64()
		s := slices.Index(scores, slices.Max(scores))
		if temperature > 0 {
			fixed.SoftmaxTo(p, scores, 1/temperature)
			s = symbol.Draw(p, u)
		}
		out = append(out, s)
		w.Observe(s)
	}
	return out, nil
}

// Writing is how a text is written by a model.
type Writing struct {
	Prompt      string  // what is continued; it may be empty
	Length      int     // characters to write; 0 means 200
	Temperature float64 // each has a probability ∝ p^(1/Temperature); 0 means 1, negative the most probable each time
	Naively     bool    // WaveNet without its queues: the same text, in much more time
	Seed        uint64
}

// write continues a prompt.
func (v vocabulary) write(ctx context.Context, method string, w walker, how Writing) (string, error) {
	if how.Length < 0 {
		return "", ml.BadParameter(method, "Writing.Length", how.Length, "0 or more")
	}
	if t := how.Temperature; math.IsNaN(t) || math.IsInf(t, 0) {
		return "", ml.BadParameter(method, "Writing.Temperature", t, "a positive number; negative for the most probable character each time")
	}
	if how.Prompt != "" {
		symbols, err := v.symbols(method, "the prompt", how.Prompt)
		if err != nil {
			return "", err
		}
		for t, s := range symbols {
			if t%64 == 0 && ctx.Err() != nil {
				return "", ctx.Err()
			}
			w.Observe(s)
		}
	}
	symbols, err := sample(ctx, method, w, cmp.Or(how.Length, 200), max(cmp.Or(how.Temperature, 1), 0), rng.New(how.Seed))
	var out strings.Builder
	for _, s := range symbols {
		out.WriteRune(v.characters[s])
	}
	return out.String(), err
}
