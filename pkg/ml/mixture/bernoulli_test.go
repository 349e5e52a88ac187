package mixture

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

func randomBits(seed uint64, n, d int) *mat.Dense {
	r, x := rng.New(seed), mat.NewDense(n, d, nil)
	x.Apply(func(_, _ int, _ float64) float64 { return float64(r.IntN(2)) }, x)
	return x
}

// classes draws from a mixture that is known: component k has bit j with probability 0.9 where j
// mod K is k, else 0.1.
func classes(seed uint64, n, d, k int) (*mat.Dense, []int) {
	r, x, y := rng.New(seed), mat.NewDense(n, d, nil), make([]int, n)
	for i := range n {
		y[i] = r.IntN(k)
		for j := range d {
			q := 0.1
			if j%k == y[i] {
				q = 0.9
			}
			if r.Float64() < q {
				x.Set(i, j, 1)
			}
		}
	}
	return x, y
}

// One component has the means of the columns, in closed form.
func TestBernoulliOfOneComponentIsTheMeans(t *testing.T) {
	x := randomBits(1, 37, 5)
	m, err := Bernoulli{K: 1, Smoothing: -1}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for j := range 5 {
		q := stat.Mean(mat.Col(nil, j, x), nil)
		if math.Abs(m.Probabilities.At(0, j)-q) > 1e-15 {
			t.Errorf("column %d: %v, want %v", j, m.Probabilities.At(0, j), q)
		}
		want += q*math.Log(q) + (1-q)*math.Log(1-q)
	}
	if math.Abs(m.LogLikelihood-want) > 1e-12 {
		t.Errorf("log-likelihood %v, want %v", m.LogLikelihood, want)
	}
	smooth, err := Bernoulli{K: 1, Smoothing: 2}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := smooth.Probabilities.At(0, 0), (37*stat.Mean(mat.Col(nil, 0, x), nil)+2)/41; math.Abs(got-want) > 1e-15 {
		t.Errorf("with two counts beforehand %v, want %v", got, want)
	}
}

// The log-likelihood, and the objective that no step lowers, by the definition.
func TestBernoulliLikelihood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(2, 30).Draw(t, "n"), rapid.IntRange(1, 6).Draw(t, "d")
		k := rapid.IntRange(1, min(n, 4)).Draw(t, "k")
		x := randomBits(rapid.Uint64().Draw(t, "seed"), n, d)
		alpha := rapid.SampledFrom([]float64{-1, 0.1, 1}).Draw(t, "alpha")
		before := math.Inf(-1)
		for m, err := range (Bernoulli{K: k, Smoothing: alpha, MaxIter: 20}).Iterate(t.Context(), x) {
			if err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			for i := range n {
				p := 0.0
				for c := range k {
					of := m.Weights[c]
					for j := range d {
						if q := m.Probabilities.At(c, j); x.At(i, j) == 1 {
							of *= q
						} else {
							of *= 1 - q
						}
					}
					p += of
				}
				sum += math.Log(p) / float64(n)
			}
			if math.Abs(sum-m.LogLikelihood) > 1e-9 {
				t.Fatalf("step %d: log-likelihood %v, by definition %v", m.Iterations, m.LogLikelihood, sum)
			}
			prior := 0.0
			if alpha > 0 {
				for _, q := range m.Probabilities.RawMatrix().Data {
					prior += alpha * math.Log(q*(1-q)) / float64(n)
				}
			}
			if now := sum + prior; now < before-1e-9 {
				t.Fatalf("step %d: the objective falls from %v to %v", m.Iterations, before, now)
			} else {
				before = now
			}
		}
	})
}

func TestBernoulliRecoversClasses(t *testing.T) {
	x, y := classes(2, 2000, 30, 3)
	m, err := Bernoulli{K: 3, Restarts: 5}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	var of [3][3]int
	for i, l := range m.Labels {
		of[l][y[i]]++
	}
	for l, counts := range of {
		total, most, best := 0, 0, 0
		for c, n := range counts {
			total += n
			if n > most {
				most, best = n, c
			}
		}
		if float64(most) < 0.99*float64(total) || total < 500 {
			t.Errorf("component %d holds %v rows of the classes", l, counts)
		}
		for j := range 30 {
			want := 0.1
			if j%3 == best {
				want = 0.9
			}
			if got := m.Probabilities.At(l, j); math.Abs(got-want) > 0.07 {
				t.Errorf("component %d, bit %d: %v, want %v", l, j, got, want)
			}
		}
	}
	s, err := m.Sample(t.Context(), 5000, 3)
	if err != nil {
		t.Fatal(err)
	}
	for j := range 30 {
		want := 0.0
		for k, w := range m.Weights {
			want += w * m.Probabilities.At(k, j)
		}
		if got := stat.Mean(mat.Col(nil, j, s), nil); math.Abs(got-want) > 5*math.Sqrt(0.25/5000) {
			t.Errorf("samples have bit %d with frequency %v, want %v", j, got, want)
		}
	}
}

// The digits of 8×8 bits, TOPICS 25's split: a reference in Python reached 17.846 nats with 120
// components.
func TestBernoulliOnDigits(t *testing.T) {
	x := datasets.Digits().X
	n, d := x.Dims()
	var train, test []float64
	for i := range n {
		for _, v := range x.RawRowView(i) {
			bit := 0.0
			if v > 7 {
				bit = 1
			}
			switch i % 9 {
			case 0, 1:
				test = append(test, bit)
			case 2:
			default:
				train = append(train, bit)
			}
		}
	}
	m, err := Bernoulli{K: 120, Smoothing: 0.1}.Fit(t.Context(), mat.NewDense(len(train)/d, d, train))
	if err != nil {
		t.Fatal(err)
	}
	logp, err := m.LogProb(t.Context(), mat.NewDense(len(test)/d, d, test))
	if err != nil {
		t.Fatal(err)
	}
	nats := -stat.Mean(logp, nil)
	t.Logf("%.3f nats after %d steps", nats, m.Iterations)
	if nats > 17.846 {
		t.Errorf("%.3f nats on the test images, want at most the 17.846 of the reference", nats)
	}
}

// Without smoothing a bit can become certain; what contradicts it is impossible, and says so.
func TestBernoulliOfCertainBits(t *testing.T) {
	x := mat.NewDense(4, 2, []float64{1, 0, 1, 1, 1, 0, 1, 1})
	m, err := Bernoulli{K: 2, Smoothing: -1}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	logp, err := m.LogProb(t.Context(), mat.NewDense(2, 2, []float64{1, 0, 0, 0}))
	if err != nil || math.Abs(logp[0]-math.Log(0.5)) > 1e-9 || !math.IsInf(logp[1], -1) {
		t.Errorf("log p = %v, %v; want log ½ and −Inf", logp, err)
	}
	r, err := m.Responsibilities(mat.NewDense(1, 2, nil))
	if err != nil || math.Abs(r.At(0, 0)+r.At(0, 1)-1) > 1e-15 {
		t.Errorf("responsibilities of what is impossible: %v, %v", mat.Formatted(r), err)
	}
}

func TestBernoulliConformance(t *testing.T) {
	x, _ := classes(4, 90, 12, 3)
	b := Bernoulli{K: 3}
	mltest.Run(t, mltest.Method[BernoulliModel]{
		Fit: b.Fit, Iterate: b.Iterate, Predict: (*BernoulliModel).Predict, Objective: func(m *BernoulliModel) float64 { return -m.Objective }, Data: x,
	})
}

func TestBernoulliRefuses(t *testing.T) {
	x := randomBits(1, 10, 3)
	two := mat.DenseCopyOf(x)
	two.Set(6, 2, 2)
	for name, c := range map[string]struct {
		b    Bernoulli
		x    mat.Matrix
		says string
	}{
		"a two": {Bernoulli{K: 2}, two, "row 6, column 2"}, "no K": {Bernoulli{}, x, "K = 0"}, "K beyond n": {Bernoulli{K: 11}, x, "K = 11"},
		"smoothing": {Bernoulli{K: 2, Smoothing: math.NaN()}, x, "Smoothing"}, "restarts": {Bernoulli{K: 2, Restarts: -1}, x, "Restarts"},
		"iterations": {Bernoulli{K: 2, MaxIter: -1}, x, "MaxIter"}, "tolerance": {Bernoulli{K: 2, Tol: -1}, x, "Tol"},
	} {
		if _, err := c.b.Fit(t.Context(), c.x); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that wraps %q and says %q", name, err, ml.ErrParameter, c.says)
		}
	}
	m, err := Bernoulli{K: 2}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.LogProb(t.Context(), mat.NewDense(1, 2, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("two columns for three: %v", err)
	}
	if _, err := m.Sample(t.Context(), 0, 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("no samples: %v", err)
	}
}
