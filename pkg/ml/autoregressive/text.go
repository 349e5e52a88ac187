package autoregressive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
)

// Predictor walks along one sequence: Predict fills p with the probabilities of the next symbol given all that were observed, Observe says what it was. It is what
// pkg/ml/coding drives its coders by. The probabilities come from arithmetic in Go in one fixed order (fixed.go), so that they are the same to the last bit on every
// machine and whatever trained the model.
type Predictor = interface {
	Predict(p []float64) error
	Observe(symbol int)
}

// vocabulary numbers the characters of a text: symbol k is the k-th, in the order of their code points.
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
	if n := len(v.characters); n > maxLevels || n == 1 {
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

// windows cuts sequences out of symbols, length of them each, a quarter of that apart, so that a training meets a symbol at several places of a window.
func windows(symbols []int, length int) *neural.Array {
	a := &neural.Array{Shape: []int{length}}
	step := max(length/4, 1)
	for lo := 0; lo+length <= len(symbols); lo += step {
		for _, s := range symbols[lo : lo+length] {
			a.Ints = append(a.Ints, int32(s))
		}
	}
	return a
}

// apart cuts windows that do not overlap, for validation.
func apart(symbols []int, length int) *neural.Array {
	a := &neural.Array{Shape: []int{length}}
	for _, s := range symbols[:len(symbols)/length*length] {
		a.Ints = append(a.Ints, int32(s))
	}
	return a
}

// textData turns texts into the windows that a model trains and validates on. validation may be empty.
func textData(method string, v vocabulary, length int, text, validation string, p *neural.Problem) error {
	symbols, err := v.symbols(method, "the text", text)
	if err != nil {
		return err
	}
	if len(symbols) < length {
		return ml.BadShape(method, "the text has %d characters, one window takes Sequence = %d", len(symbols), length)
	}
	p.Data = []*neural.Array{windows(symbols, length)}
	if validation == "" {
		return nil
	}
	if symbols, err = v.symbols(method, "the validation text", validation); err != nil {
		return err
	}
	if len(symbols) < length {
		return ml.BadShape(method, "the validation text has %d characters, one window takes Sequence = %d", len(symbols), length)
	}
	p.Validation = []*neural.Array{apart(symbols, length)}
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
		return ml.BadShape("autoregressive.Predictor.Predict", "there is room for %d probabilities, the model has %d symbols", len(p), len(scores))
	}
	softmax(p, scores, 1)
	return nil
}

// softmax sets p to exp(scores·sharpness), scaled to a sum of 1.
func softmax(p []float64, scores []float32, sharpness float64) {
	top, sum := slices.Max(scores), 0.0
	for k, s := range scores {
		p[k] = exp(float64(float64(s)-float64(top)) * sharpness)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
}

// logProbs returns log p of each symbol given those before.
func logProbs(ctx context.Context, w walker, symbols []int) ([]float64, error) {
	out := make([]float64, len(symbols))
	p := make([]float64, len(w.scores()))
	for t, s := range symbols {
		if t%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		softmax(p, w.scores(), 1)
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
		softmax(p, w.scores(), 1)
		perCharacter -= math.Log2(p[s])
		w.Observe(s)
	}
	if characters == 0 && ctx.Err() == nil {
		return 0, 0, ml.Empty(method, "the text has no characters")
	}
	return perCharacter / float64(max(characters, 1)), characters, ctx.Err()
}

// sample draws n symbols, each with probabilities ∝ p^(1/temperature). The t-th symbol uses the t-th random number of the seed, so that a sample is the beginning of a longer one.
func sample(ctx context.Context, method string, w walker, n int, temperature float64, r *rand.Rand) ([]int, error) {
	if n < 1 {
		return nil, ml.BadParameter(method, "n", n, "at least 1")
	}
	if !(temperature >= 0) || math.IsInf(temperature, 0) {
		return nil, ml.BadParameter(method, "temperature", temperature, "0 (the most probable symbol each time) or a positive number; 1 draws from the model")
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
			softmax(p, scores, 1/temperature)
			s = draw(p, u)
		}
		out = append(out, s)
		w.Observe(s)
	}
	return out, nil
}

// sampleText continues a prompt by n characters.
func (v vocabulary) sampleText(ctx context.Context, method string, w walker, n int, temperature float64, seed uint64, prompt string) (string, error) {
	if prompt != "" {
		symbols, err := v.symbols(method, "the prompt", prompt)
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
	symbols, err := sample(ctx, method, w, n, temperature, rng.New(seed))
	var out strings.Builder
	for _, s := range symbols {
		out.WriteRune(v.characters[s])
	}
	return out.String(), err
}
