package coding

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// shakespeare returns the text as symbols of its own alphabet of 65: the first 90 % and the last 5
// %.
func shakespeare(alphabet string) (train, test []int) {
	text := datasets.Shakespeare()
	symbols := make([]int, len(text))
	for i := range symbols {
		symbols[i] = strings.IndexByte(alphabet, text[i])
	}
	return symbols[:len(text)*9/10], symbols[len(text)*95/100:]
}

// testdata/ngram.py counts in dictionaries and knows nothing of this package.
func TestEqualsAnotherImplementationOnShakespeare(t *testing.T) {
	want := mltest.ReadJSON[struct {
		Alphabet string
		Bits     map[int]float64
		After    map[string][]float64
	}](t, "ngram.json")
	train, test := shakespeare(want.Alphabet)
	for order, bits := range want.Bits {
		m, err := NGram{Order: order, Symbols: 65}.Fit(t.Context(), train)
		if err != nil {
			t.Fatal(err)
		}
		got, err := CrossEntropy(t.Context(), m, test[:20000])
		if err != nil || math.Abs(got/20000-bits) > 1e-9 {
			t.Errorf("order %d: %.10f bits a character, want %.10f (%v)", order, got/20000, bits, err)
		}
		if order != 5 {
			continue
		}
		for after, p := range want.After {
			predictor, got := m.Start(), make([]float64, 65)
			for _, c := range []byte(after) {
				predictor.Observe(strings.IndexByte(want.Alphabet, c))
			}
			if err := predictor.Predict(got); err != nil {
				t.Fatal(err)
			}
			for s := range p {
				if math.Abs(got[s]-p[s]) > 1e-12 {
					t.Errorf("after %q, symbol %d: %v, want %v", after, s, got[s], p[s])
				}
			}
		}
		all, err := CrossEntropy(t.Context(), m, test)
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range coders {
			begun := time.Now()
			data, err := c.Encode(t.Context(), m, test)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s, the whole last 5 %%: %.4f bits a character in %v, cross-entropy %.4f", name, float64(8*len(data))/float64(len(test)), time.Since(begun), all/float64(len(test)))
			if back, err := c.Decode(t.Context(), m, data); err != nil || !slices.Equal(back, test) {
				t.Errorf("%s: %v", name, err)
			}
			if bits := payloadBits(t, data); bits > 1.001*all {
				t.Errorf("%s: %v bits, cross-entropy %v", name, bits, all)
			}
		}
	}
}

// What has learned a sequence, one symbol after another, knows what a fit on it knows.
func TestLearningEqualsFitting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 5).Draw(t, "k")
		order := rapid.IntRange(1, 4).Draw(t, "order")
		symbols := rapid.SliceOfN(rapid.IntRange(0, k-1), 1, 60).Draw(t, "symbols")
		cut := rapid.IntRange(0, len(symbols)-1).Draw(t, "cut")
		ctx := context.Background()
		whole, err := NGram{Order: order, Symbols: k}.Fit(ctx, symbols)
		if err != nil {
			t.Fatal(err)
		}
		empty, err := NGram{Order: order, Symbols: k, Learn: true}.Fit(ctx, nil)
		if err != nil {
			t.Fatal(err)
		}
		learner, fixed := empty.Start(), whole.Start()
		for _, s := range symbols {
			learner.Observe(s)
			fixed.Observe(s)
		}
		a, b := make([]float64, k), make([]float64, k)
		if err := errors.Join(learner.Predict(a), fixed.Predict(b)); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for s := range a {
			sum += a[s]
			if math.Abs(a[s]-b[s]) > 1e-12 {
				t.Fatalf("after %v: learned %v, fitted %v", symbols, a, b)
			}
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Fatalf("the probabilities sum to %v", sum)
		}
		// A model that goes on learning is not changed by it.
		m, err := NGram{Order: order, Symbols: k, Learn: true}.Fit(ctx, symbols[:cut])
		if err != nil {
			t.Fatal(err)
		}
		first, err := CrossEntropy(ctx, m, symbols)
		if err != nil {
			t.Fatal(err)
		}
		if again, _ := CrossEntropy(ctx, m, symbols); again != first {
			t.Fatalf("%v bits, then %v", first, again)
		}
		holds(t, Arithmetic{}, m, symbols)
		holds(t, ANS{}, m, symbols)
	})
}

func TestNGramsBadInputFilesAndCancellation(t *testing.T) {
	ok := []int{0, 1, 2, 1, 0}
	for name, c := range map[string]struct {
		g       NGram
		symbols []int
		kind    error
		want    string
	}{
		"empty":    {NGram{}, nil, ml.ErrEmpty, "the sequence is empty"},
		"order":    {NGram{Order: -1}, ok, ml.ErrParameter, "Order = -1"},
		"grams":    {NGram{Order: 8}, ok, ml.ErrParameter, "Order = 8"},
		"long":     {NGram{Order: 65, Symbols: 1}, ok, ml.ErrParameter, "Order = 65"},
		"symbols":  {NGram{Symbols: -3}, ok, ml.ErrParameter, "Symbols = -3"},
		"alphabet": {NGram{Symbols: 2}, ok, ml.ErrShape, "symbol 2 is 2"},
		"negative": {NGram{Symbols: 2}, []int{-1}, ml.ErrShape, "symbol 0 is -1"},
		"backoff":  {NGram{Backoff: math.NaN()}, ok, ml.ErrParameter, "Backoff = NaN"},
	} {
		if _, err := c.g.Fit(t.Context(), c.symbols); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	m, err := NGram{Order: 3, Symbols: 3, Learn: true}.Fit(t.Context(), ok)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.zip")
	if err := ml.Save(path, m); err != nil {
		t.Fatal(err)
	}
	again, err := ml.Load[NGramModel](path)
	if err != nil || !reflect.DeepEqual(m, again) {
		t.Errorf("%+v, %v", again, err)
	}
	// A model that was changed by hand is refused, not believed.
	for _, spoil := range []func(m *NGramModel){
		func(m *NGramModel) { m.Order = 4 }, func(m *NGramModel) { m.Symbols = 2 }, func(m *NGramModel) { m.Backoff = 0 },
		func(m *NGramModel) { m.Contexts.Start[1] = 99 }, func(m *NGramModel) { m.Contexts.Count[0] = -1 }, func(m *NGramModel) { m.Contexts.Keys = nil },
	} {
		again, _ = ml.Load[NGramModel](path)
		spoil(again)
		if _, err := (Arithmetic{}).Encode(t.Context(), again, ok); err == nil {
			t.Errorf("%+v is taken for a model", again)
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (NGram{}).Fit(done, ok); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	long := slices.Repeat(Bytes("the quick brown fox jumps over the lazy dog"), 100_000)
	if !mltest.Prompt(t, "n-grams", 100*time.Millisecond, func(ctx context.Context) error { return mltest.Err(NGram{Order: 7}.Fit(ctx, long)) }) {
		t.Error("four million symbols were counted before the context ended")
	}
}

// threeByThree are pictures of 3×3 bits in three kinds.
func threeByThree() *mat.Dense {
	x := mat.NewDense(60, 9, nil)
	for i := range 60 {
		for j := range 9 {
			if (i%3 == 0 && j%3 == 1) || (i%3 == 1 && j/3 == 1) || (i%3 == 2 && j%4 == 0) || (i*j)%11 == 5 {
				x.Set(i, j, 1)
			}
		}
	}
	return x
}

func TestPicturesConform(t *testing.T) {
	p := Pictures{Height: 3, Width: 3}
	mltest.Run(t, mltest.Method[PicturesModel]{Fit: p.Fit, Data: threeByThree()})
}

// Over all 2⁹ pictures the probabilities sum to one.
func TestProbabilitiesOfAllPicturesSumToOne(t *testing.T) {
	for _, neighbors := range []int{1, 4, 12} {
		m, err := Pictures{Height: 3, Width: 3, Neighbors: neighbors}.Fit(t.Context(), threeByThree())
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for code := range 512 {
			picture := make([]int, 9)
			for j := range picture {
				picture[j] = code >> j & 1
			}
			bits, err := CrossEntropy(t.Context(), m, picture)
			if err != nil {
				t.Fatal(err)
			}
			sum += math.Exp2(-bits)
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("%d neighbors: the sum is %v", neighbors, sum)
		}
	}
}

// On held-out digits: what other models reach on this split stands in the references (independent
// pixels 25.1 nats, a logistic autoregression 19.2).
func TestPicturesOnDigits(t *testing.T) {
	train, validation, test := datasets.BinaryDigits()
	m, err := Pictures{Height: 8, Width: 8}.Fit(t.Context(), train.X)
	if err != nil {
		t.Fatal(err)
	}
	nats := map[string]float64{}
	for name, d := range map[string]datasets.Dataset{"validation": validation, "test": test} {
		n, _ := d.Dims()
		symbols, err := m.Symbols(d.X)
		if err != nil {
			t.Fatal(err)
		}
		bits, err := CrossEntropy(t.Context(), m, symbols)
		if err != nil {
			t.Fatal(err)
		}
		nats[name] = bits * math.Ln2 / float64(n)
		for _, c := range coders {
			holds(t, c, m, symbols)
		}
	}
	t.Logf("nats a picture: validation %.4f, test %.4f", nats["validation"], nats["test"])
	if nats["test"] > 19.1 {
		t.Errorf("%v nats a picture, want at most 19.1", nats["test"])
	}
}

func TestBadInputOfPictures(t *testing.T) {
	x := threeByThree()
	with := func(v float64) *mat.Dense {
		y := mat.DenseCopyOf(x)
		y.Set(4, 7, v)
		return y
	}
	for name, c := range map[string]struct {
		p    Pictures
		x    mat.Matrix
		kind error
		want string
	}{
		"size":      {Pictures{}, x, ml.ErrParameter, "Height, Width = 0, 0"},
		"columns":   {Pictures{Height: 3, Width: 4}, x, ml.ErrShape, "9 columns"},
		"level":     {Pictures{Height: 3, Width: 3}, with(2), ml.ErrParameter, "row 4, column 7 = 2"},
		"half":      {Pictures{Height: 3, Width: 3}, with(0.5), ml.ErrParameter, "a whole number from 0 to 1"},
		"below":     {Pictures{Height: 3, Width: 3}, with(-1), ml.ErrParameter, "row 4, column 7 = -1"},
		"levels":    {Pictures{Height: 3, Width: 3, Levels: -1}, x, ml.ErrParameter, "Levels = -1"},
		"neighbors": {Pictures{Height: 3, Width: 3, Neighbors: 13}, x, ml.ErrParameter, "Neighbors = 13"},
		"contexts":  {Pictures{Height: 3, Width: 3, Neighbors: 8, Levels: 256}, x, ml.ErrParameter, "256 levels are too many"},
		"backoff":   {Pictures{Height: 3, Width: 3, Backoff: -1}, x, ml.ErrParameter, "Backoff = -1"},
	} {
		if _, err := c.p.Fit(t.Context(), c.x); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func FuzzNGram(f *testing.F) {
	f.Add([]byte("abracadabra"), uint8(3), uint8(5), false)
	f.Fuzz(func(t *testing.T, data []byte, order, k uint8, learn bool) {
		symbols := Bytes(string(data[:min(len(data), 300)]))
		m, err := NGram{Order: int(order % 9), Symbols: int(k), Learn: learn}.Fit(t.Context(), symbols)
		if err != nil {
			return
		}
		slices.Reverse(symbols)
		holds(t, Arithmetic{}, m, symbols)
	})
}

func BenchmarkNGramFit(b *testing.B) {
	symbols := Bytes(datasets.Shakespeare())
	b.SetBytes(int64(len(symbols)))
	for b.Loop() {
		if _, err := (NGram{}).Fit(b.Context(), symbols); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNGramEncode(b *testing.B) {
	symbols := Bytes(datasets.Shakespeare())
	n := len(symbols)
	m, err := NGram{}.Fit(b.Context(), symbols[:n*9/10])
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(n - n*95/100))
	for b.Loop() {
		if _, err := (Arithmetic{}).Encode(b.Context(), m, symbols[n*95/100:]); err != nil {
			b.Fatal(err)
		}
	}
}
