package text

import (
	"context"
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest/neuraltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func mustCharRNN(t *testing.T, c CharRNN, text string) *CharRNNModel {
	t.Helper()
	t.Setenv("GOMLX_BACKEND", "go")
	fit, err := c.Fit(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	return fit
}

// Every cell learns a text that repeats itself by heart, and goes on with it.
func TestCharRNNLearnsByHeart(t *testing.T) {
	for _, cell := range []Cell{GRU, LSTM, Elman} {
		fit := mustCharRNN(t, CharRNN{Cell: cell, Hidden: 32, Sequence: 51, Train: neural.Train{Steps: 150, Batch: 16, LearningRate: 0.02}}, strings.Repeat(rhyme, 20))
		bits, _, err := fit.Bits(t.Context(), strings.NewReader(strings.Repeat(rhyme, 4)))
		if err != nil {
			t.Fatal(err)
		}
		if bits > 0.5 {
			t.Errorf("%s: %.2f bits a character, want below 0.5", cell, bits)
		}
		more, err := fit.Write(t.Context(), Writing{Length: 27, Temperature: -1, Seed: 1, Prompt: rhyme + "the cat "})
		if want := "sat on the mat and the rat "; err != nil || more != want {
			t.Errorf("%s: goes on with %q, want %q (%v)", cell, more, want, err)
		}
	}
}

// A character after a pause decides what follows the pause: the state must carry it. An untrained
// share of 1 bit in two characters is what is left to a model without memory.
func TestCharRNNRemembers(t *testing.T) {
	var text strings.Builder
	for i := range 400 {
		text.WriteString([]string{"a......a", "b......b"}[(i*i/7)%2])
	}
	fit := mustCharRNN(t, CharRNN{Hidden: 24, Sequence: 32, Train: neural.Train{Steps: 300, Batch: 32, LearningRate: 0.02}}, text.String())
	logp, err := fit.LogProb(t.Context(), "a......ab......bb......b")
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{7, 15, 23} {
		if logp[at] < math.Log(0.9) {
			t.Errorf("the character that was seen seven before has a probability of %.3f at %d, want above 0.9", math.Exp(logp[at]), at)
		}
	}
}

func randomCharRNN(t *testing.T) *CharRNNModel {
	return mustCharRNN(t, CharRNN{Hidden: 8, Layers: 2, Embed: 4, Sequence: 8, Train: neural.Train{Steps: 5, Batch: 4, LearningRate: 0.1}}, "abcdé\n abba\ncdé dcba éé")
}

// The conditionals of the next character sum to 1 after any text, and log p of a text is that of
// its parts: the probabilities of all texts of three characters sum to 1.
func TestCharRNNNormalizes(t *testing.T) {
	fit := randomCharRNN(t)
	total, characters := 0.0, []rune(fit.Vocabulary)
	for _, a := range characters {
		for _, b := range characters {
			for _, c := range characters {
				logp, err := fit.LogProb(t.Context(), string([]rune{a, b, c}))
				if err != nil {
					t.Fatal(err)
				}
				total += math.Exp(logp[0] + logp[1] + logp[2])
			}
		}
	}
	if math.Abs(total-1) > 1e-9 {
		t.Errorf("all texts of three characters have a probability of %v together", total)
	}
}

func TestCharRNNProperties(t *testing.T) {
	fit := randomCharRNN(t)
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune(fit.Vocabulary)), 1, 40, -1).Draw(r, "text")
		logp, err := fit.LogProb(t.Context(), text)
		if err != nil {
			r.Fatal(err)
		}
		// What follows changes nothing.
		more, err := fit.LogProb(t.Context(), text+"ab")
		if err != nil || !reflect.DeepEqual(more[:len(logp)], logp) {
			r.Fatalf("log p of the beginning changes with what follows (%v)", err)
		}
		// Symbol by symbol it is the same, to the last bit.
		symbols, err := fit.Symbols(text)
		if err != nil {
			r.Fatal(err)
		}
		p, predictor := make([]float64, fit.Alphabet()), fit.Start()
		for i, s := range symbols {
			if err := predictor.Predict(p); err != nil || math.Log(p[s]) != logp[i] {
				r.Fatalf("symbol %d: the predictor says %v, LogProb %v (%v)", i, math.Log(p[s]), logp[i], err)
			}
			predictor.Observe(s)
		}
		bits, n, err := fit.Bits(t.Context(), strings.NewReader(text))
		if err != nil || n != len(logp) || math.Abs(bits+stat.Mean(logp, nil)/math.Ln2) > 1e-12 {
			r.Fatalf("%v bits of %d characters, LogProb says %v (%v)", bits, n, -stat.Mean(logp, nil)/math.Ln2, err)
		}
		states, err := fit.Activations(t.Context(), text)
		if err != nil {
			r.Fatal(err)
		}
		if rows, cols := states.Dims(); rows != n || cols != 16 {
			r.Fatalf("activations are %d×%d", rows, cols)
		}
	})
}

func TestCharRNNSamples(t *testing.T) {
	fit := randomCharRNN(t)
	for _, temperature := range []float64{-1, 0.3, 1, 5} {
		long, err := fit.Write(t.Context(), Writing{Length: 50, Temperature: temperature, Seed: 7, Prompt: "ab"})
		if err != nil {
			t.Fatal(err)
		}
		short, err := fit.Write(t.Context(), Writing{Length: 20, Temperature: temperature, Seed: 7, Prompt: "ab"})
		if err != nil || !strings.HasPrefix(long, short) || len([]rune(long)) != 50 {
			t.Errorf("temperature %v: %q does not begin with %q (%v)", temperature, long, short, err)
		}
	}
	// Frequencies of the first character are its probabilities, sharpened by the temperature.
	for _, temperature := range []float64{0.5, 1} {
		const n = 4000
		counts := make([]float64, fit.Alphabet())
		for seed := range uint64(n) {
			s, err := fit.Write(t.Context(), Writing{Length: 1, Temperature: temperature, Seed: seed, Prompt: "ab"})
			if err != nil {
				t.Fatal(err)
			}
			k, err := fit.Symbols(s)
			if err != nil {
				t.Fatal(err)
			}
			counts[k[0]]++
		}
		p, predictor := make([]float64, fit.Alphabet()), fit.Start()
		for _, s := range []int{fit.symbol('a'), fit.symbol('b')} {
			predictor.Observe(s)
		}
		if err := predictor.Predict(p); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for k := range p {
			p[k] = math.Pow(p[k], 1/temperature)
			sum += p[k]
		}
		for k := range p {
			want := p[k] / sum
			if got := counts[k] / n; math.Abs(got-want) > 5*math.Sqrt(want*(1-want)/n)+1e-3 {
				t.Errorf("temperature %v: symbol %d comes with a frequency of %.4f, its probability is %.4f", temperature, k, got, want)
			}
		}
	}
}

func (m *CharRNNModel) symbol(c rune) int { return newVocabulary(m.Vocabulary).symbol[c] }

// A text of few windows trains with the defaults too: on all of them in each step.
func TestCharRNNOfAShortText(t *testing.T) {
	fit, err := CharRNN{Hidden: 4, Sequence: 40, Train: neural.Train{Steps: 2, Backend: "go"}}.Fit(t.Context(), rhyme)
	if err != nil || len(fit.History.Loss) != 2 {
		t.Errorf("%v, %v", fit, err)
	}
}

// A training that starts with a model's weights begins at that model's loss, and refuses a model
// that does not fit.
func TestCharRNNStarts(t *testing.T) {
	text := strings.Repeat(rhyme, 20)
	c := CharRNN{Hidden: 16, Sequence: 51, Train: neural.Train{Steps: 80, Batch: 16, LearningRate: 0.02}}
	first := mustCharRNN(t, c, text)
	next := mustCharRNN(t, CharRNN{Start: first, Sequence: 51, Train: neural.Train{Steps: 10, Batch: 16, LearningRate: 1e-4, Report: 10}}, text)
	if a, b := first.History.Loss[len(first.History.Loss)-1], next.History.Loss[0]; math.Abs(a-b) > 0.1*a {
		t.Errorf("the loss was %.3f, and is %.3f in the training that starts with those weights", a, b)
	}
	for name, c := range map[string]CharRNN{"cell": {Cell: LSTM, Start: first}, "hidden": {Hidden: 8, Start: first}, "vocabulary": {Vocabulary: "abc", Start: first}} {
		if _, err := c.Fit(t.Context(), text); !errors.Is(err, ml.ErrShape) {
			t.Errorf("another %s: %v", name, err)
		}
	}
}

// The sensitivity is the norm of the Jacobian that finite differences give, up to the chance in the
// signs.
func TestCharRNNSensitivity(t *testing.T) {
	fit := randomCharRNN(t)
	text := strings.Repeat("abba\ncd é", 10)
	got, err := fit.Sensitivity(t.Context(), text, 5, 1)
	if err != nil {
		t.Fatal(err)
	}
	// By finite differences of an indicator, in the steps in Go, the mean over windows and all rows
	// of the Jacobian.
	w, v, err := fit.walker("test")
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := v.symbols("test", "text", text)
	if err != nil {
		t.Fatal(err)
	}
	windows, width := len(symbols)/5, len(w.in)
	for k := 1; k < 5; k++ {
		total := 0.0
		for i := range windows {
			window := symbols[5*i:][:5]
			for s := range v.characters {
				const h = 1e-2
				var logits [2][]float64
				for side, step := range []float32{h, -h} {
					state := w.stepper.start()
					for at, symbol := range window[:4] {
						row := append([]float32{}, state.table[symbol*width:(symbol+1)*width]...)
						if at == 4-k {
							for j := range row {
								row[j] += step * state.table[s*width+j]
							}
						}
						state.step(row)
					}
					for _, x := range state.scores() {
						logits[side] = append(logits[side], float64(x))
					}
				}
				for j := range logits[0] {
					d := (logits[0][j] - logits[1][j]) / (2 * h)
					total += d * d
				}
			}
		}
		if want := math.Sqrt(total / float64(windows)); math.Abs(got[k-1]-want) > 0.35*want {
			t.Errorf("distance %d: %v, by finite differences %v", k, got[k-1], want)
		}
	}
	if _, err := fit.Sensitivity(t.Context(), "ab", 5, 1); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a text shorter than a window: %v", err)
	}
	if _, err := fit.Sensitivity(t.Context(), text, 1, 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("windows of one: %v", err)
	}
}

func TestCharRNNTraining(t *testing.T) {
	text := strings.Repeat(rhyme, 5)
	for _, c := range []CharRNN{
		{Cell: GRU, Layers: 2, Embed: 5, Dropout: 0.2, RecurrentDropout: 0.3}, {Cell: LSTM, RecurrentDropout: 0.3}, {Cell: Elman},
	} {
		t.Run(string(c.Cell), func(t *testing.T) {
			fit := func(hidden int) func(context.Context, neural.Train) (*CharRNNModel, error) {
				return func(ctx context.Context, t neural.Train) (*CharRNNModel, error) {
					c := withText(c, rhyme)
					c.Hidden, c.Sequence, c.Train = hidden, 16, t
					return c.Fit(ctx, text)
				}
			}
			neuraltest.Run(t, neuraltest.Method[CharRNNModel]{
				Fit: fit(12), Other: fit(13), Train: neural.Train{Batch: 8, EMA: 0.9}, NoHoldout: true,
				Answer: func(ctx context.Context, m *CharRNNModel) ([]float64, error) { return m.LogProb(ctx, rhyme) },
			})
		})
	}
}

func TestCharRNNOfOtherWeightsIsRefused(t *testing.T) {
	fit := randomCharRNN(t)
	broken := &CharRNNModel{Cell: fit.Cell, Hidden: 9, Layers: 2, Embed: 4, Vocabulary: fit.Vocabulary, Trained: neural.Trained{Weights: fit.Weights}}
	if _, err := broken.LogProb(t.Context(), "ab"); err == nil || !strings.Contains(err.Error(), "/layer0/recurrent") {
		t.Errorf("weights that do not fit: %v", err)
	}
	if err := broken.Start().Predict(make([]float64, broken.Alphabet())); err == nil {
		t.Error("weights that do not fit predict something")
	}
	if err := (&CharRNNModel{Cell: "cell"}).Start().Predict(nil); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("no model at all: %v", err)
	}
}

func TestCharRNNVerbsLookAtTheirContext(t *testing.T) {
	fit := randomCharRNN(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if text, err := fit.Write(ctx, Writing{Length: 100, Temperature: 1, Seed: 1}); !errors.Is(err, context.Canceled) || text != "" {
		t.Errorf("sampling under a context that has ended: %q, %v", text, err)
	}
	if _, err := fit.LogProb(ctx, "abba é"); !errors.Is(err, context.Canceled) {
		t.Errorf("log p under a context that has ended: %v", err)
	}
	if _, _, err := fit.Bits(ctx, strings.NewReader("abba é")); !errors.Is(err, context.Canceled) {
		t.Errorf("bits under a context that has ended: %v", err)
	}
}

func TestCharRNNRefuses(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	text := strings.Repeat(rhyme, 3)
	for name, c := range map[string]struct {
		c    CharRNN
		says string
	}{
		"cell": {CharRNN{Cell: "gated"}, `Cell`}, "hidden": {CharRNN{Hidden: -1}, "Hidden"}, "layers": {CharRNN{Layers: 65}, "Layers"}, "embed": {CharRNN{Embed: -2}, "Embed"},
		"sequence": {CharRNN{Sequence: 1}, "Sequence"}, "dropout": {CharRNN{Dropout: 1}, "Dropout"}, "NaN dropout": {CharRNN{Dropout: math.NaN()}, "Dropout"},
		"recurrent dropout": {CharRNN{RecurrentDropout: 1}, "RecurrentDropout"}, "NaN recurrent dropout": {CharRNN{RecurrentDropout: math.NaN()}, "RecurrentDropout"},
		"recurrent dropout of an Elman network": {CharRNN{Cell: Elman, RecurrentDropout: 0.2}, "RecurrentDropout"},
		"one character":                         {CharRNN{Vocabulary: "a"}, "Vocabulary"}, "unknown character": {CharRNN{Vocabulary: "abcdehmnorst. "}, "not"}, "steps": {CharRNN{Train: neural.Train{Steps: -1}}, "Steps"},
	} {
		if name == "unknown character" { // the rhyme has no other than these
			c.c.Vocabulary, c.says = "acdehmnorst ", "character 49 (line 1, column 50)"
		}
		if _, err := c.c.Fit(t.Context(), text); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that wraps %q and says %q", name, err, ml.ErrParameter, c.says)
		}
	}
	if _, err := (CharRNN{}).Fit(t.Context(), ""); !errors.Is(err, ml.ErrEmpty) && !errors.Is(err, ml.ErrParameter) {
		t.Errorf("no text: %v", err)
	}
	if _, err := (CharRNN{Vocabulary: "ab"}).Fit(t.Context(), ""); !errors.Is(err, ml.ErrEmpty) {
		t.Errorf("no text: %v", err)
	}
	if _, err := (CharRNN{}).Fit(t.Context(), rhyme); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a text shorter than a window: %v", err)
	}
	if _, err := withText((CharRNN{}), rhyme[:20]).Fit(t.Context(), text); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a validation text shorter than a window: %v", err)
	}
	fit := randomCharRNN(t)
	if _, err := fit.LogProb(t.Context(), "ab\ncdX"); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), `character 5 (line 2, column 3) = "X"`) {
		t.Errorf("an unknown character: %v", err)
	}
	if _, _, err := fit.Bits(t.Context(), strings.NewReader("ab\ncdX")); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), `character 5 (line 2, column 3) = 'X'`) {
		t.Errorf("an unknown character: %v", err)
	}
	for _, text := range []string{"ab\xff", "\xe2\x82"} {
		if _, err := fit.LogProb(t.Context(), text); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("broken UTF-8: %v", err)
		}
		if _, _, err := fit.Bits(t.Context(), strings.NewReader(text)); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("broken UTF-8: %v", err)
		}
	}
	if _, _, err := fit.Bits(t.Context(), strings.NewReader("")); !errors.Is(err, ml.ErrEmpty) {
		t.Errorf("no text: %v", err)
	}
	for _, temperature := range []float64{math.NaN(), math.Inf(1)} {
		if _, err := fit.Write(t.Context(), Writing{Length: 5, Temperature: temperature, Seed: 1, Prompt: ""}); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("temperature %v: %v", temperature, err)
		}
	}
	if _, err := fit.Write(t.Context(), Writing{Length: -1, Temperature: 1, Seed: 1, Prompt: ""}); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("no characters: %v", err)
	}
	if _, err := fit.Write(t.Context(), Writing{Length: 1, Temperature: 1, Seed: 1, Prompt: "X"}); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a prompt with an unknown character: %v", err)
	}
	if err := fit.Start().Predict(make([]float64, 3)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("room for three: %v", err)
	}
}

// The network that ships with the library, on the text that it was not trained on: the last 5 %, of
// which the first characters are of a play that it knows the beginning of.
func TestShippedShakespeare(t *testing.T) {
	const path = "testdata/shakespeare-gru.zip"
	m, err := ml.Load[CharRNNModel](path)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if file.Size() >= 2_000_000 {
		t.Errorf("the file takes %d bytes, want less than 2 MB", file.Size())
	}
	text := datasets.Shakespeare()
	test, most := text[len(text)*95/100:], 2.2
	if os.Getenv("LATENT_LONG") == "" {
		test, most = test[:2000], 2
	}
	bits, n, err := m.Bits(t.Context(), strings.NewReader(test))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%.4f bits a character of %d", bits, n)
	if bits > most {
		t.Errorf("%.3f bits a character of %d, want at most %v", bits, n, most)
	}
}
