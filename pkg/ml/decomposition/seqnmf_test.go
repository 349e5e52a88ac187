package decomposition

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

// recurring is a series of d variables in which sequences of a length recur at random, one at a
// time: in each, a third of the variables fire one after the other. A part of the entries are
// noise.
func recurring(seed uint64, steps, d, sequences, length int, noise float64) (x *mat.Dense, patterns []*mat.Dense) {
	r := rng.New(seed)
	for k := range sequences {
		p := mat.NewDense(length, d, nil)
		own := d / sequences
		for u := range own {
			p.Set(u*length/own, k*own+u, 1)
		}
		patterns = append(patterns, p)
	}
	x = mat.NewDense(steps, d, nil)
	for t := r.IntN(length); t+length <= steps; t += length + 1 + r.IntN(length) {
		p := patterns[r.IntN(sequences)]
		for l := range length {
			for j, v := range p.RawRowView(l) {
				x.Set(t+l, j, x.At(t+l, j)+v*(0.8+0.4*r.Float64()))
			}
		}
	}
	x.Apply(func(_, _ int, v float64) float64 {
		if r.Float64() < noise {
			return v + r.Float64()
		}
		return v
	}, x)
	return x, patterns
}

func fitSequences(t testing.TB, s SeqNMF, x mat.Matrix) *SeqNMFModel {
	t.Helper()
	m, err := s.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestSeqNMFConformance(t *testing.T) {
	data, _ := recurring(1, 60, 6, 2, 4, 0.1)
	s := SeqNMF{Sequences: 2, Length: 4, Lambda: 0.01, MaxIter: 30}
	mltest.Run(t, mltest.Method[SeqNMFModel]{Fit: s.Fit, Iterate: s.Iterate, Data: data})
	s = SeqNMF{Sequences: 2, Length: 1, MaxIter: 30, Restarts: 2} // nothing moves within a window of one step
	mltest.Run(t, mltest.Method[SeqNMFModel]{Fit: s.Fit, Iterate: s.Iterate, Data: data, Objective: func(m *SeqNMFModel) float64 { return math.Round(m.Loss*1e10) / 1e10 }})
}

func TestSavedSeqNMF(t *testing.T) {
	mltest.Saved[SeqNMFModel](t, "testdata/seqnmf-format1.zip")
}

// With one step and no penalty it is NMF by multiplicative updates, step by step.
func TestSeqNMFOfOneStep(t *testing.T) {
	x := parts(1, 30, 7, 3)
	s := SeqNMF{Sequences: 3, Length: 1, MaxIter: 15, Tol: -1, Seed: 2}
	f, err := s.check(x)
	if err != nil {
		t.Fatal(err)
	}
	start := f.start(0)
	h := mat.DenseCopyOf(start.h.Slice(1, 31, 0, 3))
	w := mat.DenseCopyOf(start.w)
	w.Scale(1/f.unit, w)
	next := (NMF{Components: 3, Solver: Multiplicative, InitScores: h, InitComponents: w, MaxIter: 15, Tol: -1}).Iterate(t.Context(), x)
	var errors []float64
	for m, err := range next {
		if err != nil {
			t.Fatal(err)
		}
		errors = append(errors, m.Error)
	}
	step := 0
	for m, err := range s.Iterate(t.Context(), x) {
		if err != nil || m.Iterations > 0 && math.Abs(m.Error-errors[m.Iterations]) > 1e-9 {
			t.Errorf("step %d: the error is %.12f, NMF's %.12f; %v", m.Iterations, m.Error, errors[m.Iterations], err)
		}
		step = m.Iterations
	}
	if step != 15 || len(errors) != 16 {
		t.Errorf("%d and %d steps", step, len(errors))
	}
}

// The loss as it is written down: X̂ and the penalty by their definitions, gradients by differences
// of it; and neither half of a step raises it.
func TestSeqNMFGradients(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		length, k := rapid.IntRange(1, 4).Draw(r, "length"), rapid.IntRange(1, 3).Draw(r, "k")
		x, _ := recurring(rapid.Uint64Range(0, 100).Draw(r, "seed"), rapid.IntRange(5, 14).Draw(r, "steps"), 3, 1, 3, 0.5)
		lambda := rapid.SampledFrom([]float64{0, 0.01, 0.3}).Draw(r, "lambda")
		f, err := SeqNMF{Sequences: k, Length: length, Lambda: lambda}.check(x)
		if err != nil {
			r.Fatal(err)
		}
		s := f.start(0)
		n, d := f.x.Dims()
		loss := func() float64 {
			sum := 0.0
			for t := range n {
				for j := range d {
					v := f.x.At(t, j)
					for c := range k {
						for l := range min(length, t+1) {
							v -= s.h.At(t-l, c) * s.w.At(c*length+l, j)
						}
					}
					sum += v * v / 2
				}
				for c := range k {
					o := 0.0
					for l := range min(length, n-t) {
						for j := range d {
							o += s.w.At(c*length+l, j) * f.x.At(t+l, j)
						}
					}
					for other := range k {
						for u := max(0, t-length+1); other != c && u < min(n, t+length); u++ {
							sum += lambda * o * s.h.At(u, other)
						}
					}
				}
			}
			return sum
		}
		if now := loss(); math.Abs(now-s.loss) > 1e-12*(1+now) {
			r.Fatalf("the loss is %v, want %v", s.loss, now)
		}
		slopes := func(what string, factor, over, under *mat.Dense) {
			for at, v := range factor.RawMatrix().Data {
				const step = 1e-4
				factor.RawMatrix().Data[at] = v + step
				up := loss()
				factor.RawMatrix().Data[at] = v - step
				slope := (up - loss()) / (2 * step)
				factor.RawMatrix().Data[at] = v
				if got := under.RawMatrix().Data[at] - over.RawMatrix().Data[at]; math.Abs(got-slope) > 1e-7*(1+math.Abs(slope)) {
					r.Fatalf("%s: entry %d has the slope %v, want %v", what, at, got, slope)
				}
			}
		}
		over, under := f.activationTerms(s, s.fit, lambda)
		slopes("activations", s.h, over, under)
		over, under = f.patternTerms(s, lambda)
		slopes("patterns", s.w, over, under)
		for range 5 {
			before := loss()
			f.improveActivations(s, reconstruct(s.h, s.w, length), lambda)
			between := loss()
			f.improvePatterns(s, lambda)
			if after := loss(); between > before*(1+1e-12) || after > between*(1+1e-12) {
				r.Fatalf("the loss goes from %v to %v and %v", before, between, after)
			}
		}
	})
}

// match is the largest correlation of a pattern with a true one, shifted in its window.
func match(pattern, truth *mat.Dense) float64 {
	length, d := pattern.Dims()
	rows, _ := truth.Dims()
	best := 0.0
	for by := -length; by <= length; by++ {
		moved := mat.NewDense(length, d, nil)
		for l := range length {
			if from := l - by; from >= 0 && from < rows {
				moved.SetRow(l, truth.RawRowView(from))
			}
		}
		if mat.Sum(moved) > 0.99*mat.Sum(truth) {
			best = max(best, stat.Correlation(pattern.RawMatrix().Data, moved.RawMatrix().Data, nil))
		}
	}
	return best
}

// Planted sequences are found, each by one pattern, though more patterns than that were allowed;
// those have next to no share, and only the three are significant on data that were not fitted.
func TestSeqNMFFindsPlanted(t *testing.T) {
	all, truth := recurring(7, 1600, 18, 3, 12, 0.02)
	train, test := all.Slice(0, 800, 0, 18), all.Slice(800, 1600, 0, 18)
	s := SeqNMF{Sequences: 5, Length: 18, Lambda: 0.003, Restarts: 3, MaxIter: 200, Tol: 1e-5}
	m := fitSequences(t, s, train)
	p, err := m.Significance(t.Context(), test, SequenceTest{})
	if err != nil {
		t.Fatal(err)
	}
	found := map[int]bool{}
	for k := range 3 {
		best, at := 0.0, 0
		for c, w := range truth {
			if v := match(mat.DenseCopyOf(m.Pattern(k)), w); v > best {
				best, at = v, c
			}
		}
		found[at] = true
		if best < 0.9 || p[k] > 0.05/5 {
			t.Errorf("sequence %d correlates %.3f with the nearest true one; p = %.4f", k, best, p[k])
		}
	}
	if len(found) != 3 || m.Share[3] > 0.05 || m.Explained < 0.7 {
		t.Errorf("found %v, shares %.3f, explained %.3f", found, m.Share, m.Explained)
	}
	for k := 3; k < 5; k++ {
		if p[k] < 0.05/5 {
			t.Errorf("sequence %d of share %.4f has p = %.4f", k, m.Share[k], p[k])
		}
	}
	// New data have activations that explain as much of them.
	h, err := m.Transform(t.Context(), test)
	if err != nil {
		t.Fatal(err)
	}
	back, err := m.Inverse(h)
	if err != nil {
		t.Fatal(err)
	}
	back.Sub(back, test)
	if share := 1 - math.Pow(mat.Norm(back, 2)/mat.Norm(test, 2), 2); share < m.Explained-0.1 {
		t.Errorf("%.3f of new data is explained, %.3f of those fitted", share, m.Explained)
	}
}

// Of noise there is no sequence: p-values lie anywhere.
func TestSignificanceOfNoise(t *testing.T) {
	r := rng.New(3)
	noise := func() *mat.Dense {
		x := mat.NewDense(300, 10, nil)
		x.Apply(func(_, _ int, _ float64) float64 { return math.Floor(-math.Log(r.Float64()) / 2) }, x)
		return x
	}
	m := fitSequences(t, SeqNMF{Sequences: 6, Length: 8, Lambda: 0.001}, noise())
	p, err := m.Significance(t.Context(), noise(), SequenceTest{Nulls: 200})
	if err != nil {
		t.Fatal(err)
	}
	small := 0
	for _, v := range p {
		if v < 0.05/6 {
			small++
		}
	}
	if small > 1 {
		t.Errorf("p-values of noise: %.3f", p)
	}
}

// Penalty for cross terms: it lowers them, and the error rises; where both meet lies within.
func TestSeqPath(t *testing.T) {
	x, _ := recurring(2, 400, 12, 2, 8, 0.02)
	p, err := SeqNMF{Sequences: 4, Length: 10, MaxIter: 60}.Path(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	last := len(p.Lambda) - 1
	if p.CrossTerm[last] > 0.2*p.CrossTerm[0] || p.Error[last] < p.Error[0] || p.Crossing <= p.Lambda[0] || p.Crossing >= p.Lambda[last] {
		t.Errorf("%+v", p)
	}
	for _, bad := range [][]float64{{1}, {0, 1}, {2, 1}} {
		mltest.Refused(t, "a path", mltest.Err(SeqNMF{}.Path(t.Context(), x, bad)), ml.ErrParameter)
	}
}

// A sequence does not reach from one trial into the next: two halves of one at the end of a trial
// and the beginning of the next stay two.
func TestSeqNMFTrials(t *testing.T) {
	x := mat.NewDense(80, 4, nil)
	lengths := []int{10, 10, 10, 10, 10, 10, 10, 10}
	for t := 9; t+1 < 80; t += 10 {
		x.Set(t, 0, 1)
		x.Set(t+1, 1, 1)
	}
	cut, err := trials.Cut(x, lengths)
	if err != nil {
		t.Fatal(err)
	}
	s := SeqNMF{Sequences: 1, Length: 2, MaxIter: 200, Restarts: 8}
	whole, apart := fitSequences(t, s, x), fitSequences(t, s, cut)
	if whole.Explained < 0.99 || apart.Explained > 0.9 {
		t.Errorf("one sequence explains %.3f of one series, %.3f of trials", whole.Explained, apart.Explained)
	}
	if two := fitSequences(t, SeqNMF{Sequences: 2, Length: 2, MaxIter: 200, Restarts: 8}, cut); two.Explained < 0.99 {
		t.Errorf("two sequences explain %.3f of trials", two.Explained)
	}
}

func TestSmoothed(t *testing.T) {
	for n := 1; n < 12; n++ {
		for length := 1; length < 7; length++ {
			x := mltest.Normal(1, n, 2)
			got := smoothed(x, length)
			for i := range n {
				want := 0.0
				for u := max(0, i-length+1); u < min(n, i+length); u++ {
					want += x.At(u, 1)
				}
				if math.Abs(got.At(i, 1)-want) > 1e-12 {
					t.Fatalf("%d steps, length %d, step %d: %v, want %v", n, length, i, got.At(i, 1), want)
				}
			}
		}
	}
}

func TestBadSeqNMF(t *testing.T) {
	x, _ := recurring(1, 30, 4, 2, 3, 0.1)
	m := fitSequences(t, SeqNMF{}, x)
	negative := mat.DenseCopyOf(x)
	negative.Set(5, 3, -2)
	hole := mat.DenseCopyOf(x)
	hole.Set(2, 1, math.NaN())
	cut, err := trials.Cut(hole, []int{10, 20})
	if err != nil {
		t.Fatal(err)
	}
	fit := func(s SeqNMF, x mat.Matrix) error { return mltest.Err(s.Fit(t.Context(), x)) }
	for name, c := range map[string]struct {
		err, kind error
		says      string
	}{
		"negative":  {fit(SeqNMF{}, negative), ml.ErrParameter, "row 5, column 3 = -2, want 0 or more"},
		"missing":   {fit(SeqNMF{}, cut), ml.ErrNotFinite, "step 2"},
		"sequences": {fit(SeqNMF{Sequences: -1}, x), ml.ErrParameter, "Sequences = -1"},
		"length":    {fit(SeqNMF{Length: -1}, x), ml.ErrParameter, "Length = -1"},
		"lambda":    {fit(SeqNMF{Lambda: -1}, x), ml.ErrParameter, "Lambda = -1"},
		"restarts":  {fit(SeqNMF{Restarts: -1}, x), ml.ErrParameter, "Restarts = -1"},
		"steps":     {fit(SeqNMF{MaxIter: -1}, x), ml.ErrParameter, "MaxIter = -1"},
		"tol":       {fit(SeqNMF{Tol: math.NaN()}, x), ml.ErrParameter, "Tol = NaN"},
		"nulls":     {mltest.Err(m.Significance(t.Context(), x, SequenceTest{Nulls: -1})), ml.ErrParameter, "Nulls = -1"},
		"columns":   {mltest.Err(m.Transform(t.Context(), x.Slice(0, 9, 0, 3))), ml.ErrShape, "3 columns"},
		"inverse":   {mltest.Err(m.Inverse(x)), ml.ErrShape, "4 columns, the model has 1"},
	} {
		t.Run(name, func(t *testing.T) { mltest.Refused(t, name, c.err, c.kind, c.says) })
	}
	if zero := fitSequences(t, SeqNMF{Sequences: 2}, mat.NewDense(20, 3, nil)); zero.Error != 0 || zero.Explained != 1 {
		t.Errorf("of zeros: error %v, explained %v", zero.Error, zero.Explained)
	}
}

func TestSeqNMFIsPrompt(t *testing.T) {
	x, _ := recurring(1, 3000, 20, 2, 20, 0.1)
	s := SeqNMF{Sequences: 4, Length: 25, Lambda: 0.01, MaxIter: 1_000_000, Tol: -1}
	if !mltest.Prompt(t, "a fit", 300*time.Millisecond, func(ctx context.Context) error { return mltest.Err(s.Fit(ctx, x)) }) {
		t.Error("it was done before")
	}
}
