package coding

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"pgregory.net/rapid"
)

// erratic is a model with no sense: its probabilities depend on the past by a hash, and on what
// kind of probabilities are asked for.
type erratic struct {
	alphabet int
	kind     string
	seed     uint64
	noise    float64    // relative, on every probability
	source   *rand.Rand // of the noise; nil for none
	fail     func(t int) error
}

func (m erratic) Alphabet() int    { return m.alphabet }
func (m erratic) Start() Predictor { return &erraticPredictor{erratic: m, state: m.seed} }

type erraticPredictor struct {
	erratic
	state uint64
	t     int
}

var kinds = []string{"smooth", "sharp", "nearly certain", "certain", "tiny", "equal"}

func (p *erraticPredictor) Predict(out []float64) error {
	if p.fail != nil {
		if err := p.fail(p.t); err != nil {
			return err
		}
	}
	r := rng.New(p.state)
	sum := 0.0
	for s := range out {
		switch p.kind {
		case "smooth":
			out[s] = r.ExpFloat64()
		case "sharp":
			out[s] = math.Exp(6 * r.NormFloat64())
		case "nearly certain", "certain":
			out[s] = map[string]float64{"nearly certain": 1e-7, "certain": 0}[p.kind]
		case "tiny":
			out[s] = math.Exp(-700 * r.Float64())
		case "equal":
			out[s] = 1
		}
		sum += out[s]
	}
	if p.kind == "nearly certain" || p.kind == "certain" {
		s := r.IntN(len(out))
		sum += 1 - out[s]
		out[s] = 1
	}
	for s := range out {
		out[s] /= sum
		if p.source != nil {
			out[s] *= 1 + p.noise*(2*p.source.Float64()-1)
		}
	}
	return nil
}

func (p *erraticPredictor) Observe(s int) {
	p.state = p.state*0x9e3779b97f4a7c15 + uint64(s) + 1
	p.t++
}

// coder is what Arithmetic and ANS have in common.
type coder interface {
	Encode(ctx context.Context, m Model, symbols []int) ([]byte, error)
	Decode(ctx context.Context, m Model, data []byte) ([]int, error)
}

var coders = map[string]coder{"range coder": Arithmetic{}, "ANS": ANS{}}

// payloadBits is the length of encoded data without the header.
func payloadBits(t interface{ Fatal(...any) }, data []byte) float64 {
	e, err := open(data[0], data)
	if err != nil {
		t.Fatal(err)
	}
	if e.kind == kindANS {
		return float64(8*len(e.payload)) - 32 // the checksum of the symbols
	}
	return float64(8 * len(e.payload))
}

// holds checks the two promises on one sequence: it comes back, and it takes the cross-entropy plus
// 0.1 % or 32 bits.
func holds(t interface {
	Fatal(...any)
	Fatalf(string, ...any)
}, c coder, m Model, symbols []int) {
	ctx := context.Background()
	data, err := c.Encode(ctx, m, symbols)
	if err != nil {
		t.Fatal(err)
	}
	back, err := c.Decode(ctx, m, data)
	if err != nil || !slices.Equal(back, symbols) {
		t.Fatalf("%d symbols became %d others (%v)", len(symbols), len(back), err)
	}
	entropy, err := CrossEntropy(ctx, m, symbols)
	if err != nil {
		t.Fatal(err)
	}
	if bits := payloadBits(t, data); bits > max(1.001*entropy, entropy+32) {
		t.Fatalf("%v bits for a cross-entropy of %v", bits, entropy)
	}
}

func TestAnySequenceUnderAnyModelComesBack(t *testing.T) {
	for name, c := range coders {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				m := erratic{alphabet: rapid.SampledFrom([]int{1, 2, 3, 17, 65, 256, 1000}).Draw(t, "alphabet"), kind: rapid.SampledFrom(kinds).Draw(t, "kind"), seed: rapid.Uint64().Draw(t, "seed")}
				holds(t, c, m, rapid.SliceOfN(rapid.IntRange(0, m.alphabet-1), 0, 300).Draw(t, "symbols"))
			})
		})
	}
}

// On sequences that the model itself draws, the case that counts: here the cross-entropy is small.
func TestSamplesTakeTheirCrossEntropy(t *testing.T) {
	for name, c := range coders {
		for _, kind := range kinds {
			for _, k := range []int{2, 17, 256} {
				m := erratic{alphabet: k, kind: kind, seed: 3}
				symbols, err := Sample(t.Context(), m, 2000, 1)
				if err != nil {
					t.Fatal(err)
				}
				t.Run(fmt.Sprint(name, " ", kind, " ", k), func(t *testing.T) { holds(t, c, m, symbols) })
			}
		}
	}
}

func TestAMillionEqualSymbols(t *testing.T) {
	symbols := slices.Repeat([]int{7}, 1_000_000)
	for name, c := range coders {
		holds(t, c, Adaptive{Symbols: 256}, symbols)
		weights := make([]float64, 256)
		for s := range weights {
			weights[s] = 1
		}
		weights[7] = 1e12
		st, err := NewStatic(weights)
		if err != nil {
			t.Fatal(name, err)
		}
		holds(t, c, st, symbols)
		one, _ := NewStatic([]float64{0, 0, 0, 0, 0, 0, 0, 1})
		holds(t, c, one, symbols) // no bits at all
		holds(t, c, Adaptive{Symbols: 1}, make([]int, 1000))
	}
	c, err := FixedLength(1)
	if err != nil {
		t.Fatal(err)
	}
	data, err := c.Encode(make([]int, 1_000_000))
	if err != nil {
		t.Fatal(err)
	}
	if back, err := c.Decode(data); err != nil || len(back) != 1_000_000 {
		t.Errorf("%d symbols, %v", len(back), err)
	}
}

// A path of floating-point models with ten thousand places where a symbol is all but certain.
func TestNearlyCertainForLong(t *testing.T) {
	m := erratic{alphabet: 256, kind: "nearly certain", seed: 1}
	symbols, err := Sample(t.Context(), m, 20_000, 5)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range coders {
		holds(t, c, m, symbols)
	}
}

// The decoder's probabilities differ from the encoder's by as much as the tolerance allows, each in
// its own way.
func TestDifferencesWithinTheToleranceBreakNothing(t *testing.T) {
	for _, tolerance := range []float64{0, 1e-9, 1e-6, 1e-4} {
		noise := tolerance
		if noise == 0 {
			noise = 0x1p-40
		}
		for name, c := range map[string]coder{"range coder": Arithmetic{Tolerance: tolerance}, "ANS": ANS{Tolerance: tolerance}} {
			for _, kind := range []string{"smooth", "sharp", "nearly certain", "equal"} {
				for _, k := range []int{2, 65} {
					exactly := erratic{alphabet: k, kind: kind, seed: 9}
					symbols, err := Sample(t.Context(), exactly, 4000, 2)
					if err != nil {
						t.Fatal(err)
					}
					data, err := c.Encode(t.Context(), exactly, symbols)
					if err != nil {
						t.Fatal(err)
					}
					roughly := exactly
					roughly.noise, roughly.source = noise, rng.New(4)
					back, err := c.Decode(t.Context(), roughly, data)
					if err != nil || !slices.Equal(back, symbols) {
						t.Errorf("%s, tolerance %g, %s, %d symbols: %v", name, tolerance, kind, k, err)
					}
				}
			}
		}
	}
	// And the test can fail: a thousand times the tolerance is too much.
	exactly := erratic{alphabet: 65, kind: "smooth", seed: 9}
	symbols, _ := Sample(t.Context(), exactly, 4000, 2)
	data, err := Arithmetic{Tolerance: 1e-6}.Encode(t.Context(), exactly, symbols)
	if err != nil {
		t.Fatal(err)
	}
	exactly.noise, exactly.source = 1e-3, rng.New(4)
	if _, err := (Arithmetic{}).Decode(t.Context(), exactly, data); !errors.Is(err, ErrCorrupt) {
		t.Errorf("with differences far above the tolerance: %v", err)
	}
}

// What bearing differences costs, in bits a symbol.
func TestPriceOfTheTolerance(t *testing.T) {
	for _, c := range []struct {
		kind      string
		alphabet  int
		tolerance float64
		most      float64 // relative
	}{{"smooth", 65, 0, 1e-4}, {"smooth", 65, 1e-9, 1e-3}, {"smooth", 2, 1e-6, 0.01}, {"smooth", 65, 1e-6, 0.05}} {
		m := erratic{alphabet: c.alphabet, kind: c.kind, seed: 9}
		symbols, err := Sample(t.Context(), m, 50_000, 2)
		if err != nil {
			t.Fatal(err)
		}
		data, err := Arithmetic{Tolerance: c.tolerance}.Encode(t.Context(), m, symbols)
		if err != nil {
			t.Fatal(err)
		}
		entropy, _ := CrossEntropy(t.Context(), m, symbols)
		over := payloadBits(t, data)/entropy - 1
		t.Logf("%s, %d symbols, tolerance %g: %.4f %%", c.kind, c.alphabet, c.tolerance, 100*over)
		if over > c.most {
			t.Errorf("%s, %d symbols, tolerance %g: %.3g above the cross-entropy, want at most %.3g", c.kind, c.alphabet, c.tolerance, over, c.most)
		}
	}
}

// Cutting keeps order, keeps the ratio to within its bits, and what it calls safe is safe.
func TestQuantizer(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tol := tolerance(rapid.IntRange(8, 48).Draw(t, "tolerance"))
		d := newDistribution(3, tol)
		moved := rapid.IntRange(0, quarters-1).Draw(t, "moved")
		a := math.Exp(-rapid.Float64Range(0, 40).Draw(t, "a"))
		b := math.Exp(-rapid.Float64Range(0, 40).Draw(t, "b"))
		if a > b {
			a, b = b, a
		}
		na, nb := d.cut(a, moved), d.cut(b, moved)
		if na < 1 || na > nb {
			t.Fatalf("%v and %v become %d and %d", a, b, na, nb)
		}
		if exact := a * (1 << scale); math.Abs(float64(na)-exact) > 1+exact*math.Ldexp(1, -tol.leading()) {
			t.Fatalf("%v·2³¹ = %v becomes %d", a, exact, na)
		}
		p := []float64{a / 2, b / 2, 1 - a/2 - b/2}
		if d.fill(p, moved, true) {
			want := slices.Clone(d.bounds)
			f := 1 + math.Ldexp(rapid.Float64Range(-0.999, 0.999).Draw(t, "f"), -int(tol))
			d.fill([]float64{p[0] * f, p[1] / f, p[2] * f}, moved, false)
			if !slices.Equal(d.bounds, want) {
				t.Fatalf("%v became %v where %v was called safe", p, d.bounds, want)
			}
		}
	})
}

// Parts of any totals come back in order, for their information and two bytes.
func TestRangeCoderTakesAnyTotals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		var e RangeEncoder
		var parts [][3]uint64
		information := 0.0
		for range rapid.IntRange(0, 200).Draw(t, "n") {
			total := min(uint64(1)<<r.IntN(33)+uint64(r.IntN(2))*uint64(r.Uint32()>>1), 1<<32)
			low := r.Uint64N(total)
			size := 1 + r.Uint64N(total-low)
			e.Encode(low, size, total)
			parts = append(parts, [3]uint64{low, size, total})
			information -= math.Log2(float64(size) / float64(total))
		}
		data := e.Bytes()
		if bits := float64(8 * len(data)); bits > information+16 {
			t.Fatalf("%v bits for %v", bits, information)
		}
		d := NewRangeDecoder(data)
		for i, p := range parts {
			if target := d.Target(p[2]); target < p[0] || target >= p[0]+p[1] {
				t.Fatalf("part %d, from %d, %d of %d: the target is %d", i, p[0], p[1], p[2], target)
			}
			d.Advance(p[0], p[1])
		}
	})
}

// The sequence whose interval holds the point ½ straddles it for ever: no byte can go out before
// the end, and then a carry runs through all of them.
func TestCarryRunsThroughAllBytes(t *testing.T) {
	for _, point := range [][]byte{append([]byte{0x80}, make([]byte, 4000)...), append([]byte{0x7f}, bytes.Repeat([]byte{0xff}, 4000)...)} {
		m := erratic{alphabet: 5, kind: "smooth", seed: 1}
		p, d := make([]float64, 5), newDistribution(5, 40)
		from, predictor := NewRangeDecoder(point), m.Start()
		var symbols []int
		for range 12000 {
			if err := predictor.Predict(p); err != nil {
				t.Fatal(err)
			}
			s := d.decode(from, p)
			symbols = append(symbols, s)
			predictor.Observe(s)
		}
		// Whether the interval ends below or above the point hangs on the last symbols.
		for cut := range 40 {
			holds(t, Arithmetic{}, m, symbols[:len(symbols)-cut])
		}
		data, err := Arithmetic{}.Encode(t.Context(), m, append(symbols[:11000:11000], 4, 4, 4, 4))
		if err != nil {
			t.Fatal(err)
		}
		e, _ := open(kindArithmetic, data)
		t.Logf("% x … % x", e.payload[:4], e.payload[len(e.payload)-4:])
	}
}

// Popping undoes pushing, and pushing undoes popping, from any stack.
func TestStackIsReversible(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "stack")
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		n := rapid.IntRange(0, 100).Draw(t, "n")
		type step struct {
			low, size uint64
			push      bool
		}
		s := NewStack(data)
		want := s.Bytes()
		if trimmed := bytes.TrimRight(data, "\x00"); !bytes.Equal(trimmed, want) {
			t.Fatalf("% x became % x", data, want)
		}
		var done []step
		for range n {
			width := uint(r.IntN(33))
			size := min(1+r.Uint64N(1<<width), 1<<32)
			st := step{r.Uint64N(1<<32 - size + 1), size, r.IntN(2) == 0}
			if st.push {
				s.Push(st.low, st.size)
			} else {
				// The part that holds the slot.
				slot := s.Slot()
				st.low = slot - min(slot, r.Uint64N(size))
				st.size = min(size, 1<<32-st.low)
				s.Pop(st.low, st.size)
			}
			done = append(done, st)
		}
		for _, st := range slices.Backward(done) {
			if st.push {
				if slot := s.Slot(); slot < st.low || slot >= st.low+st.size {
					t.Fatalf("slot %d, pushed %d to %d", slot, st.low, st.low+st.size)
				}
				s.Pop(st.low, st.size)
			} else {
				s.Push(st.low, st.size)
			}
		}
		if !bytes.Equal(s.Bytes(), want) {
			t.Fatalf("% x became % x", want, s.Bytes())
		}
	})
}

// Every slot of a stack belongs to the number of a total that Target says, and every number has a
// slot.
func TestSlotsOfAnyTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.Uint64Range(1, 1<<32).Draw(t, "total")
		low := rapid.Uint64Range(0, total-1).Draw(t, "low")
		l, h := part{uint32(low), 1, uint32(total)}.slots()
		if h <= l {
			t.Fatalf("%d of %d has no slot", low, total)
		}
		for _, slot := range []uint64{l, h - 1} {
			if got := (&popper{Stack: &Stack{lo: slot}}).Target(total); got != low {
				t.Fatalf("slot %d belongs to %d, Target says %d of %d", slot, low, got, total)
			}
		}
	})
}

func TestStaticDecodesWhatItEncodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 256).Draw(t, "k")
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		spread := rapid.SampledFrom([]float64{0, 1, 5, 30}).Draw(t, "spread")
		weights := make([]float64, k)
		for s := range weights {
			weights[s] = math.Exp(spread * r.NormFloat64())
			if r.IntN(4) == 0 {
				weights[s] = 0
			}
		}
		weights[r.IntN(k)] = 1
		st, err := NewStatic(weights)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0
		for s, n := range st.Parts {
			sum += n
			if (n > 0) != (weights[s] > 0) {
				t.Fatalf("symbol %d of weight %v has %d parts", s, weights[s], n)
			}
		}
		if sum != 1<<staticBits {
			t.Fatalf("parts sum to %d", sum)
		}
		n := rapid.IntRange(0, 2000).Draw(t, "n")
		symbols, err := Sample(context.Background(), st, n, 1)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, n)
		for i, s := range symbols {
			data[i] = byte(s)
		}
		for i := range min(n, 20) { // and some that the model does not expect
			if s := r.IntN(k); st.Parts[s] > 0 {
				data[i], symbols[i] = byte(s), s
			}
		}
		packed, err := st.Encode(data)
		if err != nil {
			t.Fatal(err)
		}
		back, err := st.Decode(packed)
		if err != nil || !bytes.Equal(back, data) {
			t.Fatalf("%v became %v (%v)", data, back, err)
		}
		// The same bits as the range coder that takes any model.
		slow, err := Arithmetic{}.Encode(context.Background(), st, symbols)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := open(kindStatic, packed)
		b, _ := open(kindArithmetic, slow)
		if !bytes.Equal(a.payload, b.payload) {
			t.Fatalf("payload % x, Arithmetic's is % x", a.payload, b.payload)
		}
	})
}

// Adaptive's regret is what Krichevsky and Trofimov proved, and its tree of sums is right.
func TestAdaptive(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(1, 70).Draw(t, "k")
		symbols := rapid.SliceOfN(rapid.IntRange(0, k-1), 0, 200).Draw(t, "symbols")
		count := make([]int, k)
		predictor := Adaptive{Symbols: k}.Start().(exact)
		for _, s := range symbols {
			at := uint64(0)
			for q := range k {
				low, size, total := predictor.interval(q)
				if low != at || size != uint64(2*count[q]+1) || predictor.find(low) != q || predictor.find(low+size-1) != q {
					t.Fatalf("symbol %d: from %d, %d of %d, find says %d", q, low, size, total, predictor.find(low))
				}
				at += size
			}
			predictor.Observe(s)
			count[s]++
		}
		bits, err := CrossEntropy(context.Background(), Adaptive{Symbols: k}, symbols)
		if err != nil {
			t.Fatal(err)
		}
		n, best := float64(len(symbols)), 0.0
		for _, c := range count {
			if c > 0 {
				best -= float64(c) * math.Log2(float64(c)/n)
			}
		}
		if n > 0 && bits > best+float64(k-1)/2*math.Log2(n)+float64(k) {
			t.Fatalf("%v bits, the best fixed probabilities take %v", bits, best)
		}
	})
}

// Every changed bit and every cut is found, by every method.
func TestDamageIsFound(t *testing.T) {
	symbols := Bytes("it was the best of times, it was the worst of times")
	model := Adaptive{Symbols: 256}
	huffman, _ := FixedLength(256)
	counts, _ := Counts(symbols, 256)
	static, _ := NewStatic(counts)
	mixture := bernoullis()
	xs := [][]int{{1, 0, 1}, {0, 0, 1}}
	ctx := t.Context()
	must := func(data []byte, err error) []byte {
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for name, c := range map[string]struct {
		data   []byte
		decode func([]byte) error
	}{
		"range coder": {must(Arithmetic{}.Encode(ctx, model, symbols)), func(b []byte) error { _, err := Arithmetic{}.Decode(ctx, model, b); return err }},
		"ANS":         {must(ANS{}.Encode(ctx, model, symbols)), func(b []byte) error { _, err := ANS{}.Decode(ctx, model, b); return err }},
		"code":        {must(huffman.Encode(symbols)), func(b []byte) error { _, err := huffman.Decode(b); return err }},
		"static":      {must(static.Encode([]byte("it was the best"))), func(b []byte) error { _, err := static.Decode(b); return err }},
		"bits-back":   {must(BitsBack{}.Encode(ctx, mixture, xs)), func(b []byte) error { _, err := BitsBack{}.Decode(ctx, mixture, b); return err }},
	} {
		if err := c.decode(c.data); err != nil {
			t.Errorf("%s, untouched: %v", name, err)
		}
		for bit := range 8 * len(c.data) {
			damaged := slices.Clone(c.data)
			damaged[bit/8] ^= 1 << (bit % 8)
			if err := c.decode(damaged); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, bit %d changed: %v", name, bit, err)
			}
		}
		for n := range len(c.data) {
			if err := c.decode(c.data[:n]); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%s, cut to %d bytes: %v", name, n, err)
			}
		}
		if err := c.decode(append(slices.Clone(c.data), 0)); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%s, a byte too many: %v", name, err)
		}
	}
}

// Data of one method or model given to another.
func TestAnotherModelIsFound(t *testing.T) {
	symbols := Bytes("to be, or not to be")
	data, err := Arithmetic{}.Encode(t.Context(), Adaptive{Symbols: 256}, symbols)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (ANS{}).Decode(t.Context(), Adaptive{Symbols: 256}, data); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "kind") {
		t.Errorf("%v", err)
	}
	if _, err := (Arithmetic{}).Decode(t.Context(), Adaptive{Symbols: 255}, data); !errors.Is(err, ErrCorrupt) || !strings.Contains(err.Error(), "another model") {
		t.Errorf("%v", err)
	}
}

func TestBadInputOfTheCoders(t *testing.T) {
	broken := errors.New("the backend is gone")
	bad := func(v float64) Model { return constant{v, 1 - v} }
	for _, c := range coders {
		for name, x := range map[string]struct {
			m       Model
			symbols []int
			kind    error
			want    string
		}{
			"nil":         {nil, nil, ml.ErrParameter, "the model"},
			"no alphabet": {Adaptive{}, nil, ml.ErrParameter, "alphabet = 0"},
			"large":       {Adaptive{Symbols: 1<<20 + 1}, nil, ml.ErrParameter, "alphabet = 1048577"},
			"symbol":      {Adaptive{Symbols: 3}, []int{0, 3}, ml.ErrShape, "symbol 1 is 3"},
			"negative":    {Adaptive{Symbols: 3}, []int{-1}, ml.ErrShape, "symbol 0 is -1"},
			"NaN":         {bad(math.NaN()), []int{0}, ml.ErrNotFinite, "symbol 0 at place 0 has probability NaN"},
			"below zero":  {bad(-0.5), []int{0}, ml.ErrNotFinite, "probability -0.5"},
			"sum":         {constant{0.5, 0.6}, []int{0}, ml.ErrParameter, "sum of the probabilities = 1.1"},
			"parts":       {&Static{Parts: []int{5, 6}}, []int{0}, ml.ErrParameter, "sum of Parts = 11"},
			"part":        {&Static{Parts: []int{-5, 1<<24 + 5}}, []int{0}, ml.ErrParameter, "Parts[0] = -5"},
			"impossible":  {&Static{Parts: []int{1 << 24, 0}}, []int{1}, ml.ErrParameter, "symbol 0 = 1"},
			"model fails": {erratic{alphabet: 2, kind: "equal", fail: func(t int) error { return map[bool]error{true: broken}[t == 2] }}, []int{0, 1, 0}, broken, "gone"},
		} {
			if _, err := c.Encode(t.Context(), x.m, x.symbols); !errors.Is(err, x.kind) || !strings.Contains(err.Error(), x.want) {
				t.Errorf("%T, %s: %v, want an error with %q", c, name, err, x.want)
			}
		}
	}
	for _, v := range []float64{-1, 1e-30, 0.5, math.NaN(), math.Inf(1)} {
		if _, err := (Arithmetic{Tolerance: v}).Encode(t.Context(), constant{0.5, 0.5}, nil); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("Tolerance %v: %v", v, err)
		}
	}
	st, _ := NewStatic([]float64{1, 0, 1})
	if _, err := st.Encode([]byte{0, 1}); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("%v", err)
	}
	if _, err := st.Encode([]byte{0, 3}); !errors.Is(err, ml.ErrShape) {
		t.Errorf("%v", err)
	}
	if _, err := (&Static{Parts: make([]int, 300)}).Encode(nil); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("%v", err)
	}
	if _, err := Sample(t.Context(), constant{0.5, 0.5}, -1, 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("%v", err)
	}
	if bits, err := CrossEntropy(t.Context(), constant{1, 0}, []int{0, 1}); err != nil || !math.IsInf(bits, 1) {
		t.Errorf("%v, %v", bits, err)
	}
}

// constant is a floating-point model that never changes.
type constant []float64

func (c constant) Alphabet() int             { return len(c) }
func (c constant) Start() Predictor          { return c }
func (c constant) Predict(p []float64) error { copy(p, c); return nil }
func (c constant) Observe(int)               {}

func TestCodersHearThatTheirContextEnds(t *testing.T) {
	m := erratic{alphabet: 256, kind: "smooth"}
	symbols := make([]int, 1_000_000) // some 20 s
	for _, c := range coders {
		if !mltest.Prompt(t, fmt.Sprintf("%T", c), 50*time.Millisecond, func(ctx context.Context) error { return mltest.Err(c.Encode(ctx, m, symbols)) }) {
			t.Errorf("%T was done before its context ended", c)
		}
	}
	done, cancel := context.WithCancel(t.Context())
	cancel()
	data, _ := Arithmetic{}.Encode(t.Context(), Adaptive{Symbols: 2}, make([]int, 5000))
	if _, err := (Arithmetic{}).Decode(done, Adaptive{Symbols: 2}, data); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := Sample(done, m, 100, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestSampleFollowsTheModel(t *testing.T) {
	const n = 40_000
	symbols, err := Sample(t.Context(), constant{0.5, 0, 0.3, 0.2}, n, 7)
	if err != nil {
		t.Fatal(err)
	}
	counts, _ := Counts(symbols, 4)
	for s, p := range []float64{0.5, 0, 0.3, 0.2} {
		if d := counts[s] - n*p; math.Abs(d) > 5*math.Sqrt(n*p*(1-p)) {
			t.Errorf("symbol %d: %v of %d, want %v", s, counts[s], n, n*p)
		}
	}
	again, _ := Sample(t.Context(), constant{0.5, 0, 0.3, 0.2}, n, 7)
	if !slices.Equal(symbols, again) {
		t.Error("the same seed gives another sample")
	}
}

// What was encoded once must decode for ever: the bytes of this version.
func TestFormatStays(t *testing.T) {
	symbols := []int{0, 0, 2, 1, 0, 2, 2, 0, 1, 1, 1, 0}
	m := constant{0.5, 0.2, 0.3}
	st, _ := NewStatic([]float64{5, 2, 3})
	code, _ := Huffman([]float64{5, 2, 3})
	for name, c := range map[string]struct {
		got  func() ([]byte, error)
		want string
	}{
		"range coder": {func() ([]byte, error) { return Arithmetic{}.Encode(t.Context(), m, symbols) }, "41280c9aae37c138332de5e7e4"},
		"ANS":         {func() ([]byte, error) { return ANS{}.Encode(t.Context(), m, symbols) }, "4e280cb8e15c54aab112492ff9a0"},
		"static":      {func() ([]byte, error) { return st.Encode([]byte{0, 0, 2, 1, 0, 2, 2, 0, 1, 1, 1, 0}) }, "53000c208e69123833704a2625ed"},
		"code":        {func() ([]byte, error) { return code.Encode(symbols) }, "50000c9aae37c139ea803109fcda"},
	} {
		data, err := c.got()
		if got := hex.EncodeToString(data); err != nil || got != c.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
}

// Any bytes with good checksums: what a hostile file can do is take the time that its number of
// symbols takes.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint8(0), uint16(9), uint8(40))
	f.Add([]byte{}, uint8(3), uint16(300), uint8(0))
	weights := make([]float64, 20)
	for s := range weights {
		weights[s] = float64(s % 7)
	}
	st, _ := NewStatic(weights)
	code, _ := Huffman(weights)
	f.Fuzz(func(t *testing.T, payload []byte, which uint8, n uint16, option uint8) {
		ctx := t.Context()
		seal := func(kind byte) []byte { return envelope{kind, option, int(n), 1, payload}.seal() }
		m := erratic{alphabet: 1 + int(option)%50, kind: kinds[int(which)%len(kinds)]}
		for _, c := range []func() error{
			func() error { _, err := Arithmetic{}.Decode(ctx, m, seal(kindArithmetic)); return err },
			func() error { _, err := ANS{}.Decode(ctx, m, seal(kindANS)); return err },
			func() error {
				_, err := ANS{}.Decode(ctx, Adaptive{Symbols: 1 + int(which)}, seal(kindANS))
				return err
			},
			func() error {
				_, err := Arithmetic{}.Decode(ctx, Adaptive{Symbols: 1 + int(which)}, seal(kindArithmetic))
				return err
			},
			func() error { _, err := Arithmetic{}.Decode(ctx, st, seal(kindArithmetic)); return err },
			func() error { _, err := st.Decode(seal(kindStatic)); return err },
			func() error { _, err := code.Decode(seal(kindCode)); return err },
			func() error { _, err := BitsBack{}.Decode(ctx, bernoullis(), seal(kindBitsBack)); return err },
			func() error { _, err := st.Decode(payload); return err },
		} {
			if err := c(); err != nil && !errors.Is(err, ErrCorrupt) {
				t.Fatal(err)
			}
		}
	})
}

func FuzzBytes(f *testing.F) {
	f.Add([]byte("hello hello"), uint64(1), uint8(0))
	f.Fuzz(func(t *testing.T, data []byte, seed uint64, kind uint8) {
		m := erratic{alphabet: 256, kind: kinds[int(kind)%len(kinds)], seed: seed}
		symbols := Bytes(string(data[:min(len(data), 500)]))
		for _, c := range coders {
			holds(t, c, m, symbols)
			holds(t, c, Adaptive{Symbols: 256}, symbols)
		}
	})
}

// Two megabytes of bytes with the frequencies of letters.
func letters(n int) ([]byte, *Static) {
	weights := make([]float64, 256)
	for s := range 60 {
		weights[' '+s] = math.Exp(-float64(s*17%60) / 9)
	}
	st, err := NewStatic(weights)
	if err != nil {
		panic(err)
	}
	r := rng.New(1)
	var table []byte
	for s, p := range st.Parts {
		table = append(table, bytes.Repeat([]byte{byte(s)}, p>>8)...)
	}
	data := make([]byte, n)
	for i := range data {
		data[i] = table[r.IntN(len(table))]
	}
	return data, st
}

func BenchmarkStaticEncode(b *testing.B) {
	data, st := letters(2 << 20)
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := st.Encode(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkStaticDecode(b *testing.B) {
	data, st := letters(2 << 20)
	packed, err := st.Encode(data)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := st.Decode(packed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAdaptive(b *testing.B) {
	data, _ := letters(1 << 18)
	symbols := Bytes(string(data))
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := (Arithmetic{}).Encode(b.Context(), Adaptive{Symbols: 256}, symbols); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHuffman(b *testing.B) {
	data, st := letters(1 << 18)
	symbols := Bytes(string(data))
	weights := make([]float64, 256)
	for s, n := range st.Parts {
		weights[s] = float64(n)
	}
	c, err := Huffman(weights)
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := c.Encode(symbols); err != nil {
			b.Fatal(err)
		}
	}
}
