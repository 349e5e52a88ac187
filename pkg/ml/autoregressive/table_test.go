package autoregressive

import (
	"errors"
	"math"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func TestIndependentBitsOfTheDigits(t *testing.T) {
	train, validation, test := check.DigitBits()
	if n, v, e := train.RawMatrix().Rows, validation.RawMatrix().Rows, test.RawMatrix().Rows; n != 1197 || v != 200 || e != 400 {
		t.Fatalf("the split has %d, %d and %d images", n, v, e)
	}
	m, err := Table{}.Fit(t.Context(), train)
	if err != nil {
		t.Fatal(err)
	}
	logp, err := m.LogProb(t.Context(), test)
	if err != nil {
		t.Fatal(err)
	}
	if nats := -stat.Mean(logp, nil); math.Abs(nats-25.1198) > 1e-4 { // a reference in Python
		t.Errorf("independent bits take %.5f nats, want 25.1198", nats)
	}
}

// With all variables before as context and no smoothing the product of conditionals is the
// histogram of whole rows.
func TestFullContextIsTheJointHistogram(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, levels, n := rapid.IntRange(1, 4).Draw(t, "d"), rapid.IntRange(2, 4).Draw(t, "levels"), rapid.IntRange(1, 40).Draw(t, "n")
		x := check.Symbols(rapid.Uint64().Draw(t, "seed"), n, d, levels)
		m, err := Table{Levels: levels, Context: d, Smoothing: -1}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		logp, err := m.LogProb(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		for i := range n {
			same := 0.0
			for k := range n {
				if mat.Equal(x.RowView(i), x.RowView(k)) {
					same++
				}
			}
			if want := math.Log(same / float64(n)); math.Abs(logp[i]-want) > 1e-12 {
				t.Fatalf("row %d: log p = %v, want %v", i, logp[i], want)
			}
		}
		if mean := stat.Mean(logp, nil); math.Abs(mean-m.LogLik) > 1e-12 {
			t.Fatalf("LogLik is %v, the mean of LogProb %v", m.LogLik, mean)
		}
	})
}

func TestTableNormalizes(t *testing.T) {
	for _, context := range []int{0, 1, 2, 9} {
		for _, alpha := range []float64{-1, 0, 0.3} {
			m, err := Table{Levels: 3, Context: context, Smoothing: alpha}.Fit(t.Context(), check.Symbols(1, 20, 5, 3))
			if err != nil {
				t.Fatal(err)
			}
			logp, err := m.LogProb(t.Context(), check.EveryRow(5, 3))
			if err != nil {
				t.Fatal(err)
			}
			total := 0.0
			for _, l := range logp {
				total += math.Exp(l)
			}
			if math.Abs(total-1) > 1e-12 {
				t.Errorf("context %d, smoothing %v: probabilities sum to %v", context, alpha, total)
			}
		}
	}
}

// A Markov chain: x_j = x_{j−1} with probability 0.9. A table of context 1 finds it, and samples
// from it.
func TestTableRecoversAMarkovChain(t *testing.T) {
	r, x := rng.New(3), mat.NewDense(20000, 6, nil)
	for i := range 20000 {
		v := float64(r.IntN(2))
		for j := range 6 {
			if j > 0 && r.Float64() > 0.9 {
				v = 1 - v
			}
			x.Set(i, j, v)
		}
	}
	m, err := Table{Context: 1}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	entropy := math.Ln2 - 5*(0.9*math.Log(0.9)+0.1*math.Log(0.1))
	if math.Abs(-m.LogLik-entropy) > 0.02 {
		t.Errorf("%v nats, the entropy is %v", -m.LogLik, entropy)
	}
	s, err := m.Sample(t.Context(), 20000, 7)
	if err != nil {
		t.Fatal(err)
	}
	stays := 0.0
	for i := range 20000 {
		for j := range 5 {
			if s.At(i, j) == s.At(i, j+1) {
				stays++
			}
		}
	}
	if share := stays / 100000; math.Abs(share-0.9) > 5*math.Sqrt(0.09/1e5)+0.005 {
		t.Errorf("samples stay with probability %v, want 0.9", share)
	}
	p, err := m.Conditional([]float64{0, 1})
	if err != nil || math.Abs(p[1]-0.9) > 0.01 || math.Abs(p[0]+p[1]-1) > 1e-12 {
		t.Errorf("p(x₂ | 0, 1) = %v, %v, want 0.1 and 0.9", p, err)
	}
}

func TestTableConformance(t *testing.T) {
	mltest.Run(t, mltest.Method[TableModel]{Fit: Table{Levels: 3, Context: 2}.Fit, Data: check.Symbols(5, 50, 4, 3)})
}

func TestTableRefuses(t *testing.T) {
	x := check.Symbols(1, 10, 3, 2)
	bad := mat.DenseCopyOf(x)
	bad.Set(4, 2, 2)
	half := mat.DenseCopyOf(x)
	half.Set(4, 2, 0.5)
	for name, c := range map[string]struct {
		table Table
		x     mat.Matrix
	}{
		"a value too large": {Table{}, bad}, "half a symbol": {Table{}, half}, "levels": {Table{Levels: 1}, x}, "negative levels": {Table{Levels: -3}, x},
		"context": {Table{Context: -1}, x}, "smoothing": {Table{Smoothing: math.NaN()}, x},
	} {
		if _, err := c.table.Fit(t.Context(), c.x); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("%s: %v, want an error that wraps %q", name, err, ml.ErrParameter)
		}
	}
	m, err := Table{}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.LogProb(t.Context(), mat.NewDense(1, 2, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("two columns for three: %v", err)
	}
	if _, err := m.Conditional([]float64{1, 0, 1}); !errors.Is(err, ml.ErrShape) {
		t.Errorf("nothing is left to predict: %v", err)
	}
	if _, err := m.Conditional([]float64{3}); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a symbol out of range: %v", err)
	}
	if _, err := m.Sample(t.Context(), 0, 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("no samples: %v", err)
	}
}

func FuzzTable(f *testing.F) {
	f.Add(uint8(3), uint8(2), uint8(2), int8(1), 0.5, []byte{0, 1, 1, 0, 1, 0})
	f.Fuzz(func(t *testing.T, n, d, levels uint8, context int8, alpha float64, data []byte) {
		x := mat.NewDense(int(n%20)+1, int(d%8)+1, nil)
		for i := range x.RawMatrix().Data {
			if len(data) > 0 {
				x.RawMatrix().Data[i] = float64(data[i%len(data)])
			}
		}
		m, err := Table{Levels: int(levels), Context: int(context), Smoothing: alpha}.Fit(t.Context(), x)
		if err != nil {
			return
		}
		logp, err := m.LogProb(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range logp {
			if math.IsNaN(l) || l > 1e-9 {
				t.Fatalf("row %d: log p = %v", i, l)
			}
		}
	})
}
