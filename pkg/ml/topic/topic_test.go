package topic

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func counts(t testing.TB, c datasets.Corpus) *csr.Matrix {
	t.Helper()
	_, v := c.Topics.Dims()
	m, err := csr.FromRows(v, c.Words, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

type fitter interface {
	Fit(ctx context.Context, x mat.Matrix) (*Model, error)
}

func fitted(t testing.TB, f fitter, x mat.Matrix) *Model {
	t.Helper()
	m, err := f.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func perplexity(t testing.TB, m *Model, x mat.Matrix) float64 {
	t.Helper()
	p, err := m.Perplexity(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// methods are all ways to find topics.
func methods(k int) map[string]fitter {
	return map[string]fitter{
		"gibbs":          Gibbs{Topics: k},
		"gibbs learning": Gibbs{Topics: k, LearnAlpha: true, LearnEta: true},
		"shards":         Gibbs{Topics: k, Shards: 5},
		"variational":    Variational{Topics: k},
		"learning":       Variational{Topics: k, LearnAlpha: true, LearnEta: true},
		"online":         Online{Topics: k, Batch: 50, Passes: 20},
	}
}

func strongest(m *Model, x mat.Matrix) ([]int, error) {
	theta, err := m.Transform(context.Background(), x)
	if err != nil {
		return nil, err
	}
	n, _ := theta.Dims()
	out := make([]int, n)
	for i := range out {
		out[i] = floats.MaxIdx(theta.RawRowView(i))
	}
	return out, nil
}

func TestConformance(t *testing.T) {
	data := counts(t, datasets.PlantedTopics(60, 30, 20, 3, 1)).Dense()
	for name, m := range map[string]mltest.Method[Model]{
		"gibbs":  {Fit: Gibbs{Topics: 3, Sweeps: 40}.Fit, Iterate: Gibbs{Topics: 3, Sweeps: 40}.Iterate},
		"shards": {Fit: Gibbs{Topics: 3, Sweeps: 40, Shards: 4, LearnAlpha: true, LearnEta: true}.Fit},
		"random": {Fit: Gibbs{Topics: 3, Sweeps: 40, Start: Random}.Fit},
		"variational": {Fit: Variational{Topics: 3}.Fit, Iterate: Variational{Topics: 3, Start: Random}.Iterate,
			Objective: func(m *Model) float64 { return -m.Bound }},
		"learning": {Fit: Variational{Topics: 3, LearnAlpha: true, LearnEta: true}.Fit,
			Iterate:   Variational{Topics: 3, LearnAlpha: true, LearnEta: true, Tol: 1e-9}.Iterate,
			Objective: func(m *Model) float64 { return -m.Bound }},
		"online": {Fit: Online{Topics: 3, Batch: 16}.Fit, Iterate: Online{Topics: 3, Batch: 16}.Iterate},
	} {
		m.Data, m.Predict = data, strongest
		t.Run(name, func(t *testing.T) { mltest.Run(t, m) })
	}
}

func TestSavedModels(t *testing.T) {
	mltest.Saved[Model](t, "testdata/model-format1.zip")
	mltest.Saved[Vocabulary](t, "testdata/vocabulary-format1.zip")
}

// Four vocabularies of five words that share none: who knows the topic has five words to choose
// from, who does not has twenty.
func TestDisjointVocabularies(t *testing.T) {
	train, test := counts(t, datasets.DisjointTopics(400, 40, 4, 5, 1)), counts(t, datasets.DisjointTopics(200, 40, 4, 5, 2))
	for k, want := range map[int]float64{4: 5, 1: 20} {
		for name, f := range methods(k) {
			m := fitted(t, f, train)
			// 20 known words leave α a part of at most 4·0.25/21 of the document's topics.
			if p := perplexity(t, m, test); p < want*0.999 || p > want*1.06 {
				t.Errorf("%s: perplexity with K = %d is %v, want %v", name, k, p, want)
			}
		}
	}
}

// One topic is the words' frequencies, smoothed by η.
func TestOneTopicIsTheUnigram(t *testing.T) {
	x := counts(t, datasets.PlantedTopics(50, 20, 30, 4, 3))
	words := x.ColumnSums()
	total := floats.Sum(words)
	for name, f := range methods(1) {
		m := fitted(t, f, x)
		want := make([]float64, 30)
		for j, n := range words {
			want[j] = (n + m.Eta) / (total + 30*m.Eta)
		}
		tolerance := 1e-12
		switch name {
		case "online":
			tolerance = 0.02 // batches differ
		case "learning":
			tolerance = 1e-5 // η moves after the topics
		}
		mltest.CloseTo(t, name, m.Topics.RawRowView(0), want, tolerance)
	}
}

// From the same start the numbers are scikit-learn's, and the bound is its definition.
func TestAgainstScikitLearn(t *testing.T) {
	ref := mltest.ReadJSON[struct {
		Counts, Start, Lambda, Documents, Transform, Online [][]float64
		Alpha, Eta                                          float64
		Bounds                                              []float64
	}](t, "lda.json")
	x, start := mltest.FromRows(ref.Counts), mltest.FromRows(ref.Start)
	v := Variational{Topics: 3, Alpha: ref.Alpha, Eta: ref.Eta, Init: start, DocumentTol: 1e-13}
	f, err := v.begin(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	f.in.most = 5000
	for step, want := range ref.Bounds {
		for i := range f.gamma { // scikit-learn starts each document anew, at 1
			f.gamma[i] = 1
		}
		if err := f.step(t.Context()); err != nil {
			t.Fatal(err)
		}
		if math.Abs(f.bound/want-1) > 1e-9 {
			t.Errorf("step %d: bound %v, want %v", step, f.bound, want)
		}
	}
	last := f.model()
	lambda := func(m *Model) *mat.Dense {
		l := mat.DenseCopyOf(m.Topics)
		l.Apply(func(k, _ int, p float64) float64 { return p * m.Weights[k] }, l)
		return l
	}
	if gap := mltest.MatrixGap(lambda(last), mltest.FromRows(ref.Lambda)); gap > 1e-6 {
		t.Errorf("λ differs by %g", gap)
	}
	if gap := mltest.MatrixGap(last.Documents, mltest.FromRows(ref.Documents)); gap > 1e-8 {
		t.Errorf("proportions differ by %g", gap)
	}
	theta, err := last.Transform(t.Context(), x)
	if err != nil || mltest.MatrixGap(theta, mltest.FromRows(ref.Transform)) > 1e-5 {
		t.Errorf("Transform differs by %g, %v", mltest.MatrixGap(theta, mltest.FromRows(ref.Transform)), err)
	}
	s, err := Online{Topics: 3, Alpha: ref.Alpha, Eta: ref.Eta, Init: start, DocumentTol: 1e-12, Decay: 0.6, Delay: 5, Total: len(ref.Counts)}.Stream(15)
	if err != nil {
		t.Fatal(err)
	}
	s.most = 5000
	for lo := 0; lo < len(ref.Counts); lo += 16 {
		if err := s.Add(t.Context(), x.Slice(lo, min(lo+16, len(ref.Counts)), 0, 15)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := s.Model()
	if err != nil || mltest.MatrixGap(lambda(m), mltest.FromRows(ref.Online)) > 1e-7 {
		t.Errorf("online λ differs by %g, %v", mltest.MatrixGap(lambda(m), mltest.FromRows(ref.Online)), err)
	}
	if unused := []int{2, 4, 13}; !slices.Equal(m.Unused, unused) || !slices.Equal(last.Unused, unused) || !slices.Equal(last.Empty, []int{7}) {
		t.Errorf("unused words %v and %v, empty documents %v", m.Unused, last.Unused, last.Empty)
	}
}

// After every sweep the lists hold each word once, in the topic that it has, in one shard, where
// they are kept up to date, and in several.
func TestCountsAreConserved(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		k := rapid.IntRange(1, 9).Draw(r, "k")
		c := datasets.PlantedTopics(rapid.IntRange(1, 40).Draw(r, "n"), rapid.IntRange(1, 30).Draw(r, "length"), rapid.IntRange(1, 25).Draw(r, "v"), 3,
			rapid.Uint64Range(0, 99).Draw(r, "seed"))
		_, v := c.Topics.Dims()
		x, err := csr.FromRows(v, c.Words, nil)
		if err != nil {
			r.Fatal(err)
		}
		g := Gibbs{Topics: k, Shards: rapid.IntRange(1, 4).Draw(r, "shards"), Alpha: 2, Eta: 0.5, Start: Random, LearnAlpha: true, LearnEta: true}
		f, err := g.begin(context.Background(), x)
		if err != nil {
			r.Fatal(err)
		}
		for range 12 {
			before := slices.Clone(f.z)
			if err := f.sweep(context.Background()); err != nil {
				r.Fatal(err)
			}
			if k > 1 && f.total > 100 && f.sweeps == 1 && slices.Equal(before, f.z) {
				r.Fatal("no topic has changed")
			}
			want, size := make([]int32, v*k), make([]int32, k)
			for p, w := range f.word {
				want[int(w)*k+int(f.z[p])]++
				size[f.z[p]]++
			}
			if !slices.Equal(size, f.lists.size) {
				r.Fatalf("topics have %v words, want %v", f.lists.size, size)
			}
			for j := range v {
				first := f.lists.first[j]
				for _, e := range f.lists.entry[first : first+int(f.lists.used[j])] {
					if e.count <= 0 || want[j*k+int(e.topic)] != e.count {
						r.Fatalf("word %d has topic %d %d times, want %d", j, e.topic, e.count, want[j*k+int(e.topic)])
					}
					want[j*k+int(e.topic)] = 0
				}
			}
			if floats.Sum(floatsOf(want)) != 0 {
				r.Fatal("words are missing in the lists")
			}
		}
	})
}

func floatsOf(n []int32) []float64 {
	out := make([]float64, len(n))
	for i, v := range n {
		out[i] = float64(v)
	}
	return out
}

// Of a corpus so small that all assignments can be listed, the chain visits each as often as the
// joint distribution says.
func TestGibbsSamplesTheJoint(t *testing.T) {
	x := mat.NewDense(2, 3, []float64{2, 1, 0, 0, 1, 1})
	g := Gibbs{Topics: 2, Alpha: 0.5, Eta: 0.3, Sweeps: 1, Start: Random, Seed: 4}
	f, err := g.begin(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	const words, draws, between = 5, 40_000, 4
	code := func() (c int) {
		for _, z := range f.z {
			c = 2*c + int(z)
		}
		return c
	}
	seen := make([]float64, 1<<words)
	for range draws {
		for range between {
			if err := f.sweep(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		seen[code()]++
	}
	p := make([]float64, 1<<words)
	for c := range p {
		for i := range words {
			f.z[i] = uint16(c >> (words - 1 - i) & 1)
		}
		if err := f.recount(t.Context()); err != nil {
			t.Fatal(err)
		}
		l, err := f.logJoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p[c] = math.Exp(l)
	}
	floats.Scale(1/floats.Sum(p), p)
	mltest.Frequencies(t, "assignments", seen, p)
}

// The joint probability by the chain rule of Pólya's urns, word by word.
func TestLogJoint(t *testing.T) {
	c := datasets.PlantedTopics(10, 12, 8, 3, 5)
	f, err := Gibbs{Topics: 3, Alpha: 0.3, Eta: 0.2, Start: Random}.begin(t.Context(), counts(t, c))
	if err != nil {
		t.Fatal(err)
	}
	got, err := f.logJoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	wordTopic, topicSize := mat.NewDense(8, 3, nil), make([]float64, 3)
	for i := range f.n {
		own := make([]float64, 3)
		for p := f.start[i]; p < f.start[i+1]; p++ {
			w, z := int(f.word[p]), int(f.z[p])
			want += math.Log((own[z] + 0.3) / (floats.Sum(own) + 0.9) * (wordTopic.At(w, z) + 0.2) / (topicSize[z] + 1.6))
			own[z]++
			topicSize[z]++
			wordTopic.Set(w, z, wordTopic.At(w, z)+1)
		}
	}
	if math.Abs(got-want) > 1e-9 {
		t.Errorf("log p(words, topics) = %v, want %v", got, want)
	}
}

// recovered is the least cosine of a planted topic with the nearest that was found.
func recovered(truth, got *mat.Dense) float64 {
	k, _ := truth.Dims()
	found, _ := got.Dims()
	least := 1.0
	for a := range k {
		x, best := truth.RawRowView(a), 0.0
		for b := range found {
			y := got.RawRowView(b)
			best = max(best, floats.Dot(x, y)/floats.Norm(x, 2)/floats.Norm(y, 2))
		}
		least = min(least, best)
	}
	return least
}

// Planted topics are found, all of them, from every seed, by both kinds of inference; new documents
// are foretold nearly as well as by the truth.
func TestPlantedTopics(t *testing.T) {
	c := datasets.PlantedTopics(1500, 100, 800, 10, 7)
	x := counts(t, c)
	train, err := csr.FromRows(800, c.Words[:1200], nil)
	if err != nil {
		t.Fatal(err)
	}
	test, err := csr.FromRows(800, c.Words[1200:], nil)
	if err != nil {
		t.Fatal(err)
	}
	truth := &Model{Topics: c.Topics, Weights: make([]float64, 10), Alpha: make([]float64, 10), Method: Sampled}
	for k := range truth.Alpha {
		truth.Alpha[k], truth.Weights[k] = 0.1, 1e6
	}
	best := perplexity(t, truth, test)
	for seed := range uint64(3) {
		for name, f := range map[string]fitter{"gibbs": Gibbs{Topics: 10, Sweeps: 60, Seed: seed}, "variational": Variational{Topics: 10, Seed: seed}} {
			m := fitted(t, f, train)
			if r := recovered(c.Topics, m.Topics); r < 0.985 {
				t.Errorf("%s, seed %d: a topic is found with a cosine of %v", name, seed, r)
			}
			if p := perplexity(t, m, test); p > 1.05*best || p < best*0.99 {
				t.Errorf("%s, seed %d: perplexity %v, by the truth %v", name, seed, p, best)
			}
		}
	}
	m := fitted(t, Online{Topics: 10, Passes: 3, Init: initOf(fitted(t, Variational{Topics: 10, MaxIter: 3}, train))}, x)
	if r := recovered(c.Topics, m.Topics); r < 0.97 {
		t.Errorf("online: a topic is found with a cosine of %v", r)
	}
	// A sample of the fit has the fit's words.
	m = fitted(t, Gibbs{Topics: 10, Sweeps: 60}, x)
	s, err := m.Sample(t.Context(), 4000, 1)
	if err != nil {
		t.Fatal(err)
	}
	a, b := x.ColumnSums(), s.Counts.ColumnSums()
	if r := floats.Dot(a, b) / floats.Norm(a, 2) / floats.Norm(b, 2); r < 0.99 {
		t.Errorf("words of a sample agree with a cosine of %v", r)
	}
}

func initOf(m *Model) *mat.Dense {
	l := mat.DenseCopyOf(m.Topics)
	l.Apply(func(_, _ int, p float64) float64 { return 100 * p }, l)
	l.Apply(func(_, _ int, p float64) float64 { return p + 0.01 }, l)
	return l
}

// Priors that drew a corpus are learned from it: α of each topic, and η.
func TestPriorsAreLearned(t *testing.T) {
	r := datasets.PlantedTopics(1, 1, 200, 4, 2)
	alpha := []float64{0.8, 0.3, 0.3, 0.1}
	c, err := Story{Topics: r.Topics, Alpha: alpha, Length: 120}.Sample(t.Context(), 1500, 3)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]fitter{
		"gibbs":       Gibbs{Topics: 4, LearnAlpha: true, LearnEta: true, Sweeps: 120},
		"variational": Variational{Topics: 4, LearnAlpha: true, LearnEta: true, Tol: 1e-7},
	} {
		m := fitted(t, f, c.Counts)
		got := slices.Clone(m.Alpha)
		slices.Sort(got)
		want := slices.Clone(alpha)
		slices.Sort(want)
		tolerance := 0.3
		if name == "variational" {
			tolerance = 0.55 // what it leaves out makes proportions seem more extreme
		}
		for k := range got {
			if math.Abs(math.Log(got[k]/want[k])) > tolerance {
				t.Errorf("%s: α = %.3f, want %.3f", name, got, want)
				break
			}
		}
		if math.Abs(math.Log(m.Eta/0.05)) > 0.25 {
			t.Errorf("%s: η = %v, want 0.05", name, m.Eta)
		}
	}
}

// A draw has the distribution that it says.
func TestDraws(t *testing.T) {
	s := Story{Topics: mat.NewDense(2, 2, []float64{3, 1, 0, 2}), Alpha: []float64{2, 1}, Length: 50}
	c, err := s.Sample(t.Context(), 4000, 1)
	if err != nil {
		t.Fatal(err)
	}
	mean, square, length, lengths := 0.0, 0.0, 0.0, 0.0
	var first, second [2]float64
	for i := range 4000 {
		p := c.Documents.At(i, 0)
		mean += p / 4000
		square += p * p / 4000
		n := float64(len(c.Words[i]))
		length += n / 4000
		lengths += n * n / 4000
		for q, w := range c.Words[i] {
			if c.Assigned[i][q] == 0 {
				first[w]++
			} else {
				second[w]++
			}
		}
	}
	mltest.CloseTo(t, "moments of θ, and of the length", []float64{mean, square - mean*mean, length / 50, (lengths - length*length) / 50},
		[]float64{2. / 3, 1. / 18, 1, 1}, 0.08)
	if p := first[0] / (first[0] + first[1]); math.Abs(p-0.75) > 0.01 || second[0] != 0 {
		t.Errorf("words of the first topic %v, of the second %v", first, second)
	}
	few, err := s.Sample(t.Context(), 3, 1)
	if err != nil || !slices.Equal(few.Words[2], c.Words[2]) {
		t.Error("documents of a sample depend on how many there are")
	}
	if none, err := (Story{Topics: s.Topics, Length: -1}).Sample(t.Context(), 2, 1); err != nil || none.Counts.NNZ() != 0 {
		t.Errorf("documents without words: %v, %v", none, err)
	}
}

func TestCoherence(t *testing.T) {
	// Words 0 and 1 are in documents 0, 1; word 2 in 1, 2, 3; word 3 in all; word 4 in none.
	x := mat.NewDense(4, 5, []float64{3, 1, 0, 1, 0, 1, 1, 1, 2, 0, 0, 0, 1, 1, 0, 0, 0, 2, 1, 0})
	got, err := UMass.Of(t.Context(), [][]int{{0, 1}, {0, 2}, {2, 0}, {3, 2, 0}, {1}}, x)
	if err != nil {
		t.Fatal(err)
	}
	mltest.CloseTo(t, "UMass", got, []float64{math.Log(3. / 2), 0, math.Log(2. / 3), (math.Log(4./4) + math.Log(3./4) + math.Log(2./3)) / 3, 0}, 1e-12)
	got, err = NPMI.Of(t.Context(), [][]int{{0, 1}, {0, 2}, {3, 3}, {0, 4}, {3, 2}}, x)
	if err != nil {
		t.Fatal(err)
	}
	mltest.CloseTo(t, "NPMI", got, []float64{1, math.Log(0.25/(0.5*0.75)) / -math.Log(0.25), 0, -1, 0}, 1e-12)
	mltest.Refused(t, "a word that is nowhere", mltest.Err(UMass.Of(t.Context(), [][]int{{0}, {1, 4}}, x)), ml.ErrParameter, "word 4 of topic 1")
	mltest.Refused(t, "a word out of range", mltest.Err(NPMI.Of(t.Context(), [][]int{{5}}, x)), ml.ErrParameter, "a word of topic 0 = 5")
	mltest.Refused(t, "a measure", mltest.Err(Coherence("x").Of(t.Context(), nil, x)), ml.ErrParameter, `"x"`)
	// Topics that were found are more coherent than words in the order of the alphabet.
	c := datasets.PlantedTopics(600, 60, 300, 5, 4)
	m := fitted(t, Gibbs{Topics: 5, Sweeps: 40}, counts(t, c))
	for k := range 5 {
		both, err := NPMI.Of(t.Context(), [][]int{m.Top(k, 8), {8 * k, 8*k + 1, 8*k + 2, 8*k + 3, 8*k + 4, 8*k + 5, 8*k + 6, 8*k + 7}}, counts(t, c))
		if err != nil || both[0] < 0.1 || both[0] < both[1]+0.05 {
			t.Errorf("topic %d: coherence %v, of other words %v; %v", k, both[0], both[1], err)
		}
	}
}

func TestTextsThatAreNoUTF8(t *testing.T) {
	latin := []string{"J\xfcrgen mit dem Hund", "J\xf6rgen mit der Katze"}
	if _, err := (Vectorizer{MinDocuments: 1, MaxShare: 1}).Fit(t.Context(), latin); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), "text 0") {
		t.Errorf("Fit: %v", err)
	}
	v, err := Vectorizer{MinDocuments: 1, MaxShare: 1}.Fit(t.Context(), []string{"Jürgen mit dem Hund", "Jörgen mit der Katze"})
	if err != nil || v.Number("jürgen") < 0 || v.Number("jörgen") < 0 {
		t.Fatalf("%v, %v", v, err)
	}
	if _, err := v.Counts(t.Context(), []string{"Hund", latin[1]}); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), "text 1") {
		t.Errorf("Counts: %v", err)
	}
}

func TestVectorizer(t *testing.T) {
	texts := []string{"The Reader reads; the Writer doesn't.", "A reader, a writer and a pipe", "Go: élan, élan vital; pipe", "", "reader’s élan"}
	v, err := Vectorizer{MaxShare: 1}.Fit(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(v.Words, []string{"pipe", "reader", "writer", "élan"}) || !slices.Equal(v.Documents, []int{2, 2, 2, 2}) {
		t.Errorf("words %q in %v", v.Words, v.Documents)
	}
	x, err := v.Counts(t.Context(), texts)
	if err != nil {
		t.Fatal(err)
	}
	want := mat.NewDense(5, 4, []float64{0, 1, 1, 0, 1, 1, 1, 0, 1, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1})
	if !mat.Equal(x, want) {
		t.Errorf("counts %v, want %v", x.Dense(), want)
	}
	all, err := Vectorizer{MaxShare: 1, MinLetters: 1, MinDocuments: 1, StopWords: []string{}, MaxWords: 3}.Fit(t.Context(), texts)
	if err != nil || !slices.Equal(all.Words, []string{"pipe", "reader", "writer"}) {
		t.Errorf("%v, %v", all, err)
	}
	rare, err := Vectorizer{MaxShare: 0.2, MinDocuments: 1}.Fit(t.Context(), texts)
	if err != nil || rare.Number("reader") != -1 || rare.Number("vital") < 0 || rare.Number("doesn't") >= 0 {
		t.Errorf("%q, %v", rare.Words, err)
	}
	// A vocabulary that comes from a file knows its words.
	again := &Vocabulary{Words: v.Words, MinLetters: v.MinLetters}
	if !slices.Equal(again.Numbers(texts[1]), v.Numbers(texts[1])) || len(v.Numbers(texts[1])) != 3 {
		t.Errorf("%v and %v", again.Numbers(texts[1]), v.Numbers(texts[1]))
	}
	if got := v.Names([]int{2, 9}); !slices.Equal(got, []string{"writer", "word 9"}) {
		t.Errorf("names %q", got)
	}
	fit := func(v Vectorizer, texts []string) error { return mltest.Err(v.Fit(t.Context(), texts)) }
	mltest.Refused(t, "no texts", fit(Vectorizer{}, nil), ml.ErrEmpty, "no texts")
	mltest.Refused(t, "no words", fit(Vectorizer{}, []string{"", "the"}), ml.ErrEmpty, "MinDocuments = 2")
	mltest.Refused(t, "share", fit(Vectorizer{MaxShare: 2}, texts), ml.ErrParameter, "MaxShare = 2")
	mltest.Refused(t, "documents", fit(Vectorizer{MinDocuments: -1}, texts), ml.ErrParameter, "MinDocuments = -1")
	mltest.Refused(t, "letters", fit(Vectorizer{MinLetters: -1}, texts), ml.ErrParameter, "MinLetters = -1")
	mltest.Refused(t, "counts", mltest.Err(v.Counts(t.Context(), nil)), ml.ErrEmpty, "0 texts")
}

// Documents without words stay in their rows, words that are never used in their columns, and both
// are named; what is left has the topics that it has without them.
func TestEmptyDocumentsAndUnusedWords(t *testing.T) {
	c := datasets.PlantedTopics(80, 30, 20, 3, 5)
	dense := counts(t, c).Dense()
	wide := mat.NewDense(83, 22, nil) // columns 0 and 21 and rows 0, 41 and 82 are empty
	row := func(i int) int {
		if i >= 40 {
			return i + 2
		}
		return i + 1
	}
	for i := range 80 {
		copy(wide.RawRowView(row(i))[1:], dense.RawRowView(i))
	}
	x, err := csr.FromDense(wide)
	if err != nil {
		t.Fatal(err)
	}
	unused := []int{}
	for j, n := range x.ColumnSums() {
		if n == 0 {
			unused = append(unused, j)
		}
	}
	for name, f := range methods(3) {
		m := fitted(t, f, x)
		if !slices.Equal(m.Empty, []int{0, 41, 82}) || !slices.Equal(m.Unused, unused) {
			t.Errorf("%s: empty documents %v, unused words %v, want %v", name, m.Empty, m.Unused, unused)
		}
		sum := floats.Sum(m.Alpha)
		for _, i := range m.Empty {
			want := slices.Clone(m.Alpha)
			floats.Scale(1/sum, want)
			mltest.CloseTo(t, name+": an empty document", m.Documents.RawRowView(i), want, 1e-12)
		}
		for k := range 3 {
			if s := floats.Sum(m.Topics.RawRowView(k)); math.Abs(s-1) > 1e-9 || !(m.Topics.At(k, 0) > 0) {
				t.Errorf("%s: topic %d sums to %v, and gives an unused word %v", name, k, s, m.Topics.At(k, 0))
			}
		}
		for i := range 83 {
			if s := floats.Sum(m.Documents.RawRowView(i)); math.Abs(s-1) > 1e-9 {
				t.Errorf("%s: the proportions of document %d sum to %v", name, i, s)
			}
		}
	}
	// Empty rows change nothing else: the same words in the same order give the same chain.
	narrow, err := csr.FromDense(wide.Slice(0, 83, 0, 22))
	if err != nil {
		t.Fatal(err)
	}
	full, err := csr.FromDense(fullRows(wide))
	if err != nil {
		t.Fatal(err)
	}
	a, b := fitted(t, Gibbs{Topics: 3, Sweeps: 30}, narrow), fitted(t, Gibbs{Topics: 3, Sweeps: 30}, full)
	if !mat.Equal(a.Topics, b.Topics) {
		t.Error("documents without words change the topics")
	}
	mltest.CloseTo(t, "a document between empty ones", a.Documents.RawRowView(row(50)), b.Documents.RawRowView(50), 0)
}

func fullRows(x *mat.Dense) *mat.Dense {
	n, d := x.Dims()
	var data []float64
	for i := range n {
		if floats.Sum(x.RawRowView(i)) > 0 {
			data = append(data, x.RawRowView(i)...)
		}
	}
	return mat.NewDense(len(data)/d, d, data)
}

// A stream gives what Add gives, whether it comes as batches or document by document, and names
// what is wrong in it.
func TestStream(t *testing.T) {
	c := datasets.PlantedTopics(300, 40, 60, 4, 6)
	x := counts(t, c)
	o := Online{Topics: 4, Batch: 64, Total: 300}
	batches, err := o.Stream(60)
	if err != nil {
		t.Fatal(err)
	}
	for lo := 0; lo < 300; lo += 64 {
		if err := batches.Add(t.Context(), x.Dense().Slice(lo, min(lo+64, 300), 0, 60)); err != nil {
			t.Fatal(err)
		}
	}
	one, err := o.Stream(60)
	if err != nil {
		t.Fatal(err)
	}
	err = one.Read(t.Context(), func(yield func([]int, error) bool) {
		for _, words := range c.Words {
			if !yield(words, nil) {
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	a, err := batches.Model()
	if err != nil {
		t.Fatal(err)
	}
	b, err := one.Model()
	if err != nil || !mat.Equal(a.Topics, b.Topics) || b.Words != 12_000 || b.Iterations != 5 {
		t.Errorf("%d batches, %v words, %v", b.Iterations, b.Words, err)
	}
	none, _ := o.Stream(60)
	mltest.Refused(t, "no documents", mltest.Err(none.Model()), ml.ErrEmpty, "no document")
	mltest.Refused(t, "a word out of range", none.Read(t.Context(), func(yield func([]int, error) bool) {
		_ = yield([]int{1}, nil) && yield([]int{1, 60}, nil)
	}), ml.ErrParameter, "a word of document 1 = 60")
	broken := errors.New("broken")
	if err := none.Read(t.Context(), func(yield func([]int, error) bool) { yield(nil, broken) }); !errors.Is(err, broken) {
		t.Errorf("the iterator's error becomes %v", err)
	}
	mltest.Refused(t, "columns", none.Add(t.Context(), mat.NewDense(1, 3, []float64{1, 1, 1})), ml.ErrShape, "3 columns")
	if err := none.Add(t.Context(), mat.NewDense(2, 60, nil)); err != nil {
		t.Errorf("a batch of empty documents: %v", err)
	}
}

func TestTopWordsAndDistances(t *testing.T) {
	m := &Model{Topics: mat.NewDense(3, 4, []float64{0.5, 0.5, 0, 0, 0, 0, 0.25, 0.75, 0.5, 0.5, 0, 0}), Weights: []float64{1, 1, 2}, Alpha: []float64{1, 1, 1}}
	if got := m.Top(1, 3); !slices.Equal(got, []int{3, 2, 0}) {
		t.Errorf("top words %v", got)
	}
	if m.Top(3, 1) != nil || m.Top(-1, 1) != nil || (&Model{}).Top(0, 1) != nil || len(m.Top(0, 9)) != 4 {
		t.Error("words of topics that there are not")
	}
	d, err := m.Distances(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	mltest.CloseTo(t, "distances", []float64{d.At(0, 1), d.At(0, 2), d.At(1, 2), d.At(0, 0)}, []float64{1, 0, 1, 0}, 1e-12)
	common := &Model{Topics: mat.NewDense(2, 3, []float64{0.6, 0.4, 0, 0.6, 0, 0.4}), Weights: []float64{1, 1}, Alpha: []float64{1, 1}}
	if got := common.Distinct(0, 1, 0.1); !slices.Equal(got, []int{1}) {
		t.Errorf("the most distinct word is %v", got)
	}
	if got := common.Distinct(0, 1, 1); !slices.Equal(got, []int{0}) {
		t.Errorf("the most probable word is %v", got)
	}
	mltest.CloseTo(t, "shares", (&Model{Topics: mat.NewDense(2, 2, nil), Weights: []float64{4, 2}, Eta: 0.5}).Shares(), []float64{0.75, 0.25}, 1e-12)
}

func TestErrors(t *testing.T) {
	x := counts(t, datasets.PlantedTopics(20, 10, 8, 2, 1)).Dense()
	half, negative := mat.DenseCopyOf(x), mat.DenseCopyOf(x)
	half.Set(3, 2, 0.5)
	negative.Set(4, 1, -1)
	fit := func(f fitter, x mat.Matrix) error { return mltest.Err(f.Fit(t.Context(), x)) }
	wrong := mat.NewDense(2, 8, nil)
	for name, c := range map[string]struct {
		err, kind error
		says      string
	}{
		"no topics":         {fit(Gibbs{}, x), ml.ErrParameter, "topic.Gibbs: Topics = 0"},
		"topics":            {fit(Variational{Topics: 1 << 17}, x), ml.ErrParameter, "Topics = 131072"},
		"alpha":             {fit(Online{Topics: 2, Alpha: -1}, x), ml.ErrParameter, "Alpha = -1"},
		"eta":               {fit(Gibbs{Topics: 2, Eta: math.NaN()}, x), ml.ErrParameter, "Eta = NaN"},
		"sweeps":            {fit(Gibbs{Topics: 2, Sweeps: -1}, x), ml.ErrParameter, "Sweeps = -1"},
		"burn-in":           {fit(Gibbs{Topics: 2, Sweeps: 10, BurnIn: 10}, x), ml.ErrParameter, "BurnIn = 10, want less than Sweeps = 10"},
		"shards":            {fit(Gibbs{Topics: 2, Shards: -1}, x), ml.ErrParameter, "Shards = -1"},
		"start":             {fit(Gibbs{Topics: 2, Start: "x"}, x), ml.ErrParameter, `Start = "x"`},
		"half":              {fit(Gibbs{Topics: 2}, half), ml.ErrParameter, "row 3, column 2 = 0.5"},
		"negative":          {fit(Variational{Topics: 2}, negative), ml.ErrParameter, "row 4, column 1 = -1"},
		"no words":          {fit(Gibbs{Topics: 2}, wrong), ml.ErrEmpty, "all 2 documents are without words"},
		"no words online":   {fit(Online{Topics: 2}, wrong), ml.ErrEmpty, "all 2 documents are without words"},
		"steps":             {fit(Variational{Topics: 2, MaxIter: -1}, x), ml.ErrParameter, "MaxIter = -1"},
		"tol":               {fit(Variational{Topics: 2, Tol: -1}, x), ml.ErrParameter, "Tol = -1"},
		"document tol":      {fit(Variational{Topics: 2, DocumentTol: math.Inf(1)}, x), ml.ErrParameter, "DocumentTol = +Inf"},
		"init":              {fit(Variational{Topics: 3, Init: wrong}, x), ml.ErrShape, "Init is 2×8, want 3×8"},
		"init zero":         {fit(Online{Topics: 2, Init: wrong}, x), ml.ErrParameter, "Init, row 0, column 0 = 0"},
		"decay":             {fit(Online{Topics: 2, Decay: 0.5}, x), ml.ErrParameter, "Decay = 0.5"},
		"delay":             {fit(Online{Topics: 2, Delay: math.NaN()}, x), ml.ErrParameter, "Delay = NaN"},
		"batch":             {fit(Online{Topics: 2, Batch: -1}, x), ml.ErrParameter, "Batch = -1"},
		"passes":            {fit(Online{Topics: 2, Passes: -1}, x), ml.ErrParameter, "Passes = -1"},
		"total":             {fit(Online{Topics: 2, Total: -1}, x), ml.ErrParameter, "Total = -1"},
		"vocabulary":        {mltest.Err(Online{Topics: 2}.Stream(0)), ml.ErrParameter, "words = 0"},
		"online tol":        {fit(Online{Topics: 2, DocumentTol: -1}, x), ml.ErrParameter, "DocumentTol = -1"},
		"story":             {mltest.Err(Story{Topics: x, Alpha: []float64{1}}.Sample(t.Context(), 1, 1)), ml.ErrShape, "Alpha has length 1, want 20"},
		"story's n":         {mltest.Err(Story{Topics: x}.Sample(t.Context(), 0, 1)), ml.ErrParameter, "n = 0"},
		"story's length":    {mltest.Err(Story{Topics: x, Length: 1e9}.Sample(t.Context(), 1, 1)), ml.ErrParameter, "Length = 1e+09"},
		"story's alpha":     {mltest.Err(Story{Topics: wrong, Alpha: []float64{1, 0}}.Sample(t.Context(), 1, 1)), ml.ErrParameter, "Alpha[1] = 0"},
		"story's topic":     {mltest.Err(Story{Topics: wrong}.Sample(t.Context(), 1, 1)), ml.ErrParameter, "the sum of row 0 of Topics = 0"},
		"story's negative":  {mltest.Err(Story{Topics: negative}.Sample(t.Context(), 1, 1)), ml.ErrParameter, "row 4, column 1 = -1"},
		"an empty model":    {mltest.Err((&Model{}).Transform(t.Context(), x)), ml.ErrEmpty, "no topics"},
		"a model's weights": {mltest.Err((&Model{Topics: x}).Perplexity(t.Context(), x)), ml.ErrShape, "20 topics, 0 numbers in Alpha"},
	} {
		mltest.Refused(t, name, c.err, c.kind, c.says)
	}
	m := fitted(t, Gibbs{Topics: 2, Sweeps: 10}, x)
	mltest.Refused(t, "columns", mltest.Err(m.Transform(t.Context(), mat.NewDense(1, 3, nil))), ml.ErrShape, "3 columns, the model 8 words")
	mltest.Refused(t, "one word", mltest.Err(m.Perplexity(t.Context(), mat.NewDense(1, 8, []float64{1, 0, 0, 0, 0, 0, 0, 0}))), ml.ErrEmpty, "two words")
	mltest.Refused(t, "half a word", mltest.Err(m.Perplexity(t.Context(), half)), ml.ErrParameter, "row 3, column 2")
}

// A fit that is cut off gives the model so far, soon.
func TestCutOff(t *testing.T) {
	x := counts(t, datasets.PlantedTopics(2000, 100, 1000, 10, 1))
	for name, f := range map[string]fitter{
		"gibbs":  Gibbs{Topics: 20, Sweeps: 100_000, Shards: 1},
		"shards": Gibbs{Topics: 20, Sweeps: 100_000},
		"vb":     Variational{Topics: 20, Tol: 1e-300, MaxIter: 100_000},
		"online": Online{Topics: 20, Passes: 100_000},
	} {
		var m *Model
		stopped := mltest.Prompt(t, name, 400*time.Millisecond, func(ctx context.Context) (err error) {
			m, err = f.Fit(ctx, x)
			return err
		})
		if !stopped || m == nil || m.Iterations < 1 || math.Abs(floats.Sum(m.Topics.RawRowView(0))-1) > 1e-9 {
			t.Errorf("%s: stopped %v, model %v", name, stopped, m != nil)
		}
	}
}

// Minka's fixed points against what they maximise.
func TestFixedPoints(t *testing.T) {
	for _, x := range []float64{1e-6, 0.01, 0.3, 1, 4, 50, 1e6} {
		if got := inverseDigamma(digamma(x)); math.Abs(got/x-1) > 1e-9 {
			t.Errorf("the inverse of ψ(%v) is %v", x, got)
		}
		h := 1e-5 * x
		if want := (digamma(x+h) - digamma(x-h)) / (2 * h); math.Abs(trigamma(x)/want-1) > 1e-5 {
			t.Errorf("ψ'(%v) is %v, want %v", x, trigamma(x), want)
		}
	}
	lgamma := func(x float64) float64 { v, _ := math.Lgamma(x); return v }
	mean := []float64{-1.5, -2.5, -0.7}
	objective := func(a []float64) float64 {
		s := lgamma(floats.Sum(a))
		for k, v := range a {
			s += (v-1)*mean[k] - lgamma(v)
		}
		return s
	}
	alpha := []float64{1, 1, 1}
	for range 400 {
		before := objective(alpha)
		dirichletFit(alpha, mean)
		if objective(alpha) < before-1e-12 {
			t.Fatalf("a step lowers it from %v to %v", before, objective(alpha))
		}
	}
	for k := range alpha {
		for _, by := range []float64{0.99, 1.01} {
			other := slices.Clone(alpha)
			other[k] *= by
			if objective(other) > objective(alpha) {
				t.Errorf("%v is better than %v", other, alpha)
			}
		}
	}
}

// Half of the words of each document are known, and half are foretold.
func TestHalves(t *testing.T) {
	a, b := halves([]float64{3, 1, 0, 2, 1}, nil, nil)
	if !slices.Equal(a, []float64{2, 0, 0, 1, 1}) || !slices.Equal(b, []float64{1, 1, 0, 1, 0}) {
		t.Errorf("%v and %v", a, b)
	}
}

// A corpus of 20,000 documents by 50,000 words is never dense: nothing that a fit or a question
// allocates comes near to n×V.
func TestLargeCorpusStaysSparse(t *testing.T) {
	if testing.Short() {
		t.Skip("takes two seconds")
	}
	x := counts(t, datasets.PlantedTopics(20_000, 20, 50_000, 5, 1))
	for name, f := range map[string]fitter{"gibbs": Gibbs{Topics: 5, Sweeps: 2}, "variational": Variational{Topics: 5, MaxIter: 1}, "online": Online{Topics: 5, Passes: 1, Batch: 4096}} {
		var m *Model
		grew := allocated(func() { m = fitted(t, f, x) })
		if limit := uint64(1 << 30); grew > limit {
			t.Errorf("%s: %d MB were allocated in all, and a dense corpus takes 8,000", name, grew>>20)
		}
		if r, c := m.Topics.Dims(); r != 5 || c != 50_000 {
			t.Errorf("%s: topics are %d×%d", name, r, c)
		}
	}
}

func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}
