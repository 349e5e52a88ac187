package autoregressive

import (
	"errors"
	"hash/crc32"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/coding"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// A predictor in fixed order gives what the graph gives, for bits and levels, any order and any
// layers.
func TestMADEWalkIsTheModel(t *testing.T) {
	for _, c := range []struct {
		m MADE
		d int
	}{
		{MADE{}, 6}, {MADE{Hidden: []int{16, 12, 9}}, 9}, {MADE{Hidden: []int{}}, 5}, {MADE{Hidden: []int{16}, Orders: 3}, 9}, {MADE{Hidden: []int{3}, Order: []int{4, 2, 0, 1, 3}}, 5},
		{MADE{Levels: 3, Hidden: []int{16, 16}, Order: []int{1, 0, 3, 4, 2}}, 5}, {MADE{Levels: 4, Hidden: []int{10}, Orders: 2}, 3}, {MADE{Levels: 7}, 1}, {MADE{}, 1}, {MADE{Levels: 3, Hidden: []int{}}, 4},
	} {
		c.m.Train = check.Brief(20)
		levels := max(c.m.Levels, 2)
		const n = 33
		x := check.Symbols(1, n, c.d, levels)
		fit := check.Fit(t, c.m, x)
		want, err := fit.Conditionals(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		walk, p := fit.Start(), make([]float64, levels)
		for i := range n { // one after another from the same predictor
			for _, j := range fit.Order() {
				if err := walk.Predict(p); err != nil {
					t.Fatal(err)
				}
				sum := 0.0
				for k := range levels {
					of := want.At(i, min(j*levels+k, want.RawMatrix().Cols-1))
					if levels == 2 {
						of = math.Abs(1 - float64(k) - want.At(i, j))
					}
					sum += p[k]
					if math.Abs(p[k]-of) > 1e-5 {
						t.Fatalf("%+v: p(x%d = %d) of row %d is %v, want %v", c.m, j, k, i, p[k], of)
					}
				}
				if math.Abs(sum-1) > 1e-14 {
					t.Fatalf("the levels sum to %v", sum)
				}
				walk.Observe(int(x.At(i, j)))
			}
		}
	}
}

// What a MADE encodes comes back, on another number of processors, in its cross-entropy and at most
// 0.1 % or 32 bits more besides the header.
func TestMADEDrivesTheCoder(t *testing.T) {
	train, _, test := datasets.BinaryDigits()
	fit := check.Fit(t, MADE{Hidden: []int{40}, Order: rightToLeft(64), Train: neural.Train{Steps: 150, LearningRate: 0.01, Backend: "go"}}, train.X)
	for _, rows := range []int{1, 64, 400} { // one block, and blocks of which the last is shorter
		x := mat.NewDense(rows, 64, nil)
		x.Apply(func(i, j int, _ float64) float64 { return test.X.At(i%400, j) }, x)
		old := runtime.GOMAXPROCS(1)
		data, err := coding.Arithmetic{}.EncodeRows(t.Context(), fit, x)
		runtime.GOMAXPROCS(2)
		if err != nil {
			t.Fatal(err)
		}
		back, err := coding.Arithmetic{}.DecodeRows(t.Context(), fit, data)
		runtime.GOMAXPROCS(old)
		if err != nil || !mat.Equal(back, x) {
			t.Fatalf("%d rows: others came back, %v", rows, err)
		}
		logp, err := fit.LogProb(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		bits := -stat.Mean(logp, nil) * float64(rows) / math.Ln2
		if size := float64(8 * len(data)); size > bits+max(0.001*bits, 32)+8*14 || size < bits {
			t.Errorf("%d rows take %v bits, their cross-entropy is %v", rows, size, bits)
		}
	}
}

func rightToLeft(d int) []int {
	order := symbol.UpTo(d)
	slices.Reverse(order)
	return order
}

// A file that was made once is read by every later version, on every machine: weights that are
// written here, and the bytes that they make of data.
func TestMADEFileStays(t *testing.T) {
	m := writtenMADE()
	x := mat.NewDense(40, 4, nil)
	x.Apply(func(i, j int, _ float64) float64 { return float64((i*i + 3*j*i + j) / 2 % 3) }, x)
	data, err := coding.Arithmetic{}.EncodeRows(t.Context(), m, x)
	if err != nil {
		t.Fatal(err)
	}
	if sum := crc32.ChecksumIEEE(data[:len(data)-4]); sum != 0x75c9828d {
		t.Errorf("the file has checksum %#x: files of other machines can't be read", sum)
	}
}

func writtenMADE() *MADEModel {
	at := 0.0
	w := neural.Weights{}
	for _, l := range []struct {
		name    string
		in, out int
	}{{"/hidden0/weights", 12, 9}, {"/hidden0/biases", 1, 9}, {"/hidden1/weights", 9, 9}, {"/hidden1/biases", 1, 9}, {"/out/weights", 9, 12}, {"/direct/weights", 12, 12}, {"/direct/biases", 1, 12}} {
		v := mat.NewDense(l.in, l.out, nil)
		v.Apply(func(_, _ int, _ float64) float64 {
			at += 0.37
			return float64(float32(at-float64(2*int(at/2)))) - 1
		}, v)
		w = w.With(l.name, v, l.in, l.out)
	}
	return &MADEModel{Levels: 3, Variables: 4, Hidden: []int{9, 9}, Degrees: mat.NewDense(1, 4, []float64{2, 4, 1, 3}), Trained: neural.Trained{Weights: w}}
}

func TestMADEWalkRefuses(t *testing.T) {
	m := writtenMADE()
	if err := m.Start().Predict(make([]float64, 5)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("too little room: %v", err)
	}
	for name, change := range map[string]func(*MADEModel){
		"degrees twice":     func(m *MADEModel) { m.Degrees.Set(0, 0, 4) },
		"degrees of others": func(m *MADEModel) { m.Degrees = mat.NewDense(1, 5, []float64{1, 2, 3, 4, 5}) },
		"another width":     func(m *MADEModel) { m.Hidden = []int{9, 8} },
		"no such layer":     func(m *MADEModel) { m.Hidden = []int{9, 9, 9} },
		"other levels":      func(m *MADEModel) { m.Levels = 4 },
	} {
		m := writtenMADE()
		change(m)
		if err := m.Start().Predict(make([]float64, m.Levels)); !errors.Is(err, ml.ErrShape) {
			t.Errorf("%s: error %v, want %v", name, err, ml.ErrShape)
		}
	}
}

func BenchmarkMADEWalk(b *testing.B) {
	train, _, test := datasets.BinaryDigits()
	b.Setenv("GOMLX_BACKEND", "go")
	fit, err := MADE{Train: neural.Train{Steps: 1, Backend: "go"}}.Fit(b.Context(), train.X)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := (coding.Arithmetic{}).EncodeRows(b.Context(), fit, test.X); err != nil {
			b.Fatal(err)
		}
	}
}
