package coding

import (
	"bytes"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"pgregory.net/rapid"
)

// leastLength tries all vectors of word lengths that obey Kraft's inequality: the least expected
// length there is.
func leastLength(weights []float64) float64 {
	best := math.Inf(1)
	lengths := make([]int, len(weights))
	var try func(s int, kraft, cost float64)
	try = func(s int, kraft, cost float64) {
		if kraft > 1 || cost >= best {
			return
		}
		if s == len(weights) {
			best = cost
			return
		}
		for l := 1; l < max(2, len(weights)); l++ {
			lengths[s] = l
			try(s+1, kraft+math.Ldexp(1, -l), cost+weights[s]*float64(l))
		}
	}
	try(0, 0, 0)
	return best
}

func TestHuffmanIsTheBestOfAllCodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 7).Draw(t, "k")
		weights := make([]float64, k)
		kind := rapid.IntRange(0, 2).Draw(t, "kind")
		for s := range weights {
			weights[s] = float64(rapid.IntRange(1, 60).Draw(t, "w"))
			switch kind {
			case 1: // Fibonacci-like: deep trees
				weights[s] = math.Round(math.Pow(1.7, float64(s)))
			case 2: // ties
				weights[s] = float64(int(weights[s])%3 + 1)
			}
		}
		c, err := Huffman(weights)
		if err != nil {
			t.Fatal(err)
		}
		got := 0.0
		for s, l := range c.Lengths() {
			got += weights[s] * float64(l)
		}
		if want := leastLength(weights); got != want {
			t.Fatalf("Huffman's length for %v is %v, the least of all codes %v", weights, got, want)
		}
		if k > 1 && Kraft(c.Lengths()) != 1 {
			t.Fatalf("Kraft's sum %v, an optimal tree is full", Kraft(c.Lengths()))
		}
	})
}

func TestKnownCodes(t *testing.T) {
	// Cormen, Leiserson, Rivest & Stein, Introduction to Algorithms, figure 16.3: 224,000 bits for
	// 100,000 letters.
	c, err := Huffman([]float64{45, 13, 12, 16, 9, 5})
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := c.MeanLength([]float64{45, 13, 12, 16, 9, 5}); math.Abs(got-2.24) > 1e-12 {
		t.Errorf("mean length %v, want 2.24", got)
	}
	if want := []string{"0", "100", "101", "110", "1110", "1111"}; !slices.Equal(c.Words, want) {
		t.Errorf("words %q, the canonical ones are %q", c.Words, want)
	}
	// Of trees of equal cost, the shallow one: 2, 1, 1, 1, 1 has lengths 2 2 2 3 3 and not 1 3 3 3
	// 3.
	c, _ = Huffman([]float64{2, 1, 1, 1, 1})
	if l := slices.Max(c.Lengths()); l != 3 {
		t.Errorf("longest word %d", l)
	}
	// 1, 1, 2, 2 cost 12 with lengths 2 2 2 2 and with 3 3 2 1.
	if c, _ = Huffman([]float64{1, 1, 2, 2}); slices.Max(c.Lengths()) != 2 {
		t.Errorf("lengths %v, want the shallow 2 2 2 2", c.Lengths())
	}
	// Fano's halving goes wrong on 15, 7, 6, 6, 5: 89 bits for Huffman's 87.
	w := []float64{15, 7, 6, 6, 5}
	fano, err := ShannonFano(w)
	if err != nil {
		t.Fatal(err)
	}
	h, _ := Huffman(w)
	a, _ := fano.MeanLength(w)
	b, _ := h.MeanLength(w)
	if math.Abs(a-89.0/39) > 1e-12 || math.Abs(b-87.0/39) > 1e-12 {
		t.Errorf("Shannon-Fano %v, Huffman %v", a, b)
	}
	five, err := FixedLength(5)
	if err != nil || !slices.Equal(five.Words, []string{"000", "001", "010", "011", "100"}) {
		t.Errorf("%v, %v", five, err)
	}
	one, err := FixedLength(1)
	if err != nil || one.Words[0] != "0" {
		t.Errorf("%v, %v", one, err)
	}
	stop, err := WithStop([]string{"", "0", "1", "01"})
	if err != nil || !slices.Equal(stop.Words, []string{"1", "001", "011", "00011"}) {
		t.Errorf("%v, %v", stop, err)
	}
}

func TestShannonCodesKeepTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		spread := rapid.SampledFrom([]float64{0, 1, 10, 100}).Draw(t, "spread")
		weights := make([]float64, rapid.IntRange(2, 300).Draw(t, "k"))
		for s := range weights {
			weights[s] = math.Exp(max(-600, min(600, spread*r.NormFloat64())))
		}
		entropy, err := Entropy(weights)
		if err != nil {
			t.Fatal(err)
		}
		length := map[string]float64{}
		for name, make := range map[string]func([]float64) (*Code, error){"Huffman": Huffman, "Shannon": Shannon, "Shannon-Fano": ShannonFano} {
			c, err := make(weights)
			if err != nil {
				t.Fatal(name, err)
			}
			if length[name], err = c.MeanLength(weights); err != nil {
				t.Fatal(err)
			}
		}
		slack := 1e-9 * (1 + entropy)
		if h := length["Huffman"]; h < entropy-slack || h >= entropy+1+slack || h > length["Shannon"]+slack || h > length["Shannon-Fano"]+slack || length["Shannon"] >= entropy+1+slack {
			t.Fatalf("entropy %v, lengths %v", entropy, length)
		}
	})
	// A weight that is lost in the sum's rounding still takes its part of Kraft's sum.
	if c, err := Shannon([]float64{0.5, 0.5, 1e-20}); err != nil || !slices.Equal(c.Lengths(), []int{2, 2, 67}) {
		t.Errorf("%v, %v", c, err)
	}
}

// A code with any lengths that Kraft allows exists, and one with others does not.
func TestKraft(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		lengths := rapid.SliceOfN(rapid.IntRange(0, 8), 1, 20).Draw(t, "lengths")
		some := slices.Max(lengths) > 0
		c, err := FromLengths(lengths)
		if (err == nil) != (some && Kraft(lengths) <= 1) {
			t.Fatalf("lengths %v, Kraft's sum %v: %v", lengths, Kraft(lengths), err)
		}
		if err != nil {
			return
		}
		if !slices.Equal(c.Lengths(), lengths) {
			t.Fatalf("lengths %v, want %v", c.Lengths(), lengths)
		}
		if _, err := FromWords(c.Words); err != nil {
			t.Fatal(err)
		}
	})
}

func TestBitsAreWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[01]{0,100}`).Draw(t, "bits")
		b := ParseBits(text)
		if b.String() != text || b.N != len(text) || len(b.Bytes) != (len(text)+7)/8 {
			t.Fatalf("%q became %q", text, b)
		}
		var words Bits
		for i := 0; i < len(text); {
			n := min(rapid.IntRange(0, 56).Draw(t, "n"), len(text)-i)
			w := uint64(0)
			for _, c := range text[i : i+n] {
				w = w<<1 | uint64(c&1)
			}
			words.appendWord(w, n)
			if n == 0 {
				words.append(text[i] == '1')
				n = 1
			}
			i += n
		}
		if words.String() != text || !bytes.Equal(words.Bytes, b.Bytes) {
			t.Fatalf("by words: %q, want %q", words, text)
		}
	})
}

func anyCode(t *rapid.T) (c *Code, symbols []int) {
	k := rapid.IntRange(1, 40).Draw(t, "k")
	weights := make([]float64, k)
	base := rapid.SampledFrom([]float64{1, 1.1, 2, 8}).Draw(t, "base") // 8: words of up to 39 bits, 2^(8·k) beyond 56
	for s := range weights {
		weights[s] = math.Pow(base, float64(s))
	}
	makers := []func([]float64) (*Code, error){Huffman, Shannon, ShannonFano, func(w []float64) (*Code, error) { return FixedLength(len(w)) }}
	c, err := makers[rapid.IntRange(0, 3).Draw(t, "maker")](weights)
	if err != nil {
		t.Fatal(err)
	}
	return c, rapid.SliceOfN(rapid.IntRange(0, k-1), 0, 200).Draw(t, "symbols")
}

func TestCodesDecodeWhatTheyEncode(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, symbols := anyCode(t)
		b, err := c.Bits(symbols)
		if err != nil {
			t.Fatal(err)
		}
		back, err := c.Symbols(b)
		if err != nil || !slices.Equal(back, symbols) {
			t.Fatalf("%v became %v (%v)", symbols, back, err)
		}
		data, err := c.Encode(symbols)
		if err != nil {
			t.Fatal(err)
		}
		back, err = c.Decode(data)
		if err != nil || !slices.Equal(back, symbols) {
			t.Fatalf("%v became %v (%v)", symbols, back, err)
		}
		if len(symbols) > 0 {
			stop := symbols[len(symbols)-1]
			until, used, err := c.SymbolsUntil(b, stop)
			first := slices.Index(symbols, stop)
			part, _ := c.Bits(symbols[:first+1])
			if err != nil || !slices.Equal(until, symbols[:first]) || used != part.N {
				t.Fatalf("until %d: %v, %d bits, %v", stop, until, used, err)
			}
		}
	})
}

func TestDamagedWordsAreFound(t *testing.T) {
	c, err := FromWords([]string{"0", "10", "110"}) // 111 is no word
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"0111": "no word begins as the bits from 1", "01": "within a word, which begins at bit 1"} {
		if _, err := c.Symbols(ParseBits(text)); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if s, err := c.Symbols(Bits{}); err != nil || len(s) != 0 {
		t.Errorf("no bits: %v, %v", s, err)
	}
	if _, err := c.Symbols(Bits{[]byte{0}, 9}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("9 bits in a byte: %v", err)
	}
	if _, _, err := c.SymbolsUntil(ParseBits("010"), 2); !errors.Is(err, ErrCorrupt) {
		t.Errorf("no stop: %v", err)
	}
	if _, err := (&Code{}).Symbols(ParseBits("0")); !errors.Is(err, ml.ErrEmpty) {
		t.Errorf("no code: %v", err)
	}
}

func TestBadCodes(t *testing.T) {
	for name, c := range map[string]struct {
		make func() (*Code, error)
		kind error
		want string
	}{
		"prefix":        {func() (*Code, error) { return FromWords([]string{"01", "010"}) }, ml.ErrParameter, "01, the word of symbol 0"},
		"prefix after":  {func() (*Code, error) { return FromWords([]string{"010", "01"}) }, ml.ErrParameter, "not the beginning of another"},
		"twice":         {func() (*Code, error) { return FromWords([]string{"1", "1"}) }, ml.ErrParameter, "word 1 = 1"},
		"letters":       {func() (*Code, error) { return FromWords([]string{"1a"}) }, ml.ErrParameter, "zeros and ones"},
		"no words":      {func() (*Code, error) { return FromWords([]string{"", ""}) }, ml.ErrEmpty, "no symbol"},
		"Kraft":         {func() (*Code, error) { return FromLengths([]int{1, 1, 1}) }, ml.ErrParameter, "Kraft's sum = 1.5"},
		"length":        {func() (*Code, error) { return FromLengths([]int{1, -1}) }, ml.ErrParameter, "lengths[1] = -1"},
		"long":          {func() (*Code, error) { return FromLengths([]int{5000}) }, ml.ErrParameter, "lengths[0] = 5000"},
		"no lengths":    {func() (*Code, error) { return FromLengths(nil) }, ml.ErrEmpty, "no symbol"},
		"no weights":    {func() (*Code, error) { return Huffman(nil) }, ml.ErrEmpty, "no weights"},
		"zero weights":  {func() (*Code, error) { return Huffman([]float64{0, 0}) }, ml.ErrParameter, "sum of the weights"},
		"NaN":           {func() (*Code, error) { return Shannon([]float64{1, math.NaN()}) }, ml.ErrNotFinite, "weight 1 is NaN"},
		"Inf":           {func() (*Code, error) { return ShannonFano([]float64{math.Inf(1)}) }, ml.ErrNotFinite, "weight 0 is +Inf"},
		"sum overflows": {func() (*Code, error) { return Huffman([]float64{1e308, 1e308}) }, ml.ErrParameter, "sum of the weights"},
		"negative":      {func() (*Code, error) { return Huffman([]float64{1, -1}) }, ml.ErrParameter, "weight 1 = -1"},
		"fixed":         {func() (*Code, error) { return FixedLength(0) }, ml.ErrParameter, "n = 0"},
		"stop":          {func() (*Code, error) { return WithStop([]string{"0", "0"}) }, ml.ErrParameter, "word 1"},
	} {
		if _, err := c.make(); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	c, _ := Huffman([]float64{1, 0, 1})
	if _, err := c.Encode([]int{0, 1}); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a symbol without a word: %v", err)
	}
	if _, err := c.Encode([]int{0, 3}); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a symbol of another alphabet: %v", err)
	}
	if _, err := c.MeanLength([]float64{1}); !errors.Is(err, ml.ErrShape) {
		t.Errorf("one weight: %v", err)
	}
	if l, err := c.MeanLength([]float64{1, 1, 1}); err != nil || !math.IsInf(l, 1) {
		t.Errorf("%v, %v", l, err)
	}
}

func TestCodesAndStaticsSurviveAFile(t *testing.T) {
	dir := t.TempDir()
	c, _ := Huffman([]float64{5, 0, 2, 1})
	if err := ml.Save(filepath.Join(dir, "c.zip"), c); err != nil {
		t.Fatal(err)
	}
	c2, err := ml.Load[Code](filepath.Join(dir, "c.zip"))
	if err != nil || !reflect.DeepEqual(c, c2) {
		t.Errorf("%v, %v", c2, err)
	}
	s, _ := NewStatic([]float64{5, 0, 2, 1})
	if err := ml.Save(filepath.Join(dir, "s.zip"), s); err != nil {
		t.Fatal(err)
	}
	s2, err := ml.Load[Static](filepath.Join(dir, "s.zip"))
	if err != nil || !reflect.DeepEqual(s, s2) {
		t.Errorf("%v, %v", s2, err)
	}
	// A file of format 1 must load for ever.
	if old, err := ml.Load[Code]("testdata/code-format1.zip"); err != nil || !reflect.DeepEqual(old, c) {
		t.Errorf("the code of format 1: %v, %v", old, err)
	}
}
