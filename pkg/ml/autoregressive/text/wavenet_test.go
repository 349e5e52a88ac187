package text

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

func smallWaveNet() *waveNet {
	return &waveNet{levels: 5, length: 10, channels: 3, skip: 4, dilations: []int{1, 2, 4}}
}

func TestWaveNetAgainstJAX(t *testing.T) {
	n, r := smallWaveNet(), references(t)["wavenet"]
	w := r.weights()
	for _, backend := range check.Backends() {
		out := check.Call(t, backend, w, gradients(w.Names, func(s *model.Scope, x *graph.Node) (logits, loss *graph.Node) {
			hot := graph.OneHot(x, n.levels, dtypes.Float32)
			l := n.logits(s, hot)
			return l, nats(l, hot)
		}), r.input())
		mltest.CloseTo(t, "logits, "+backend, out[0].RawMatrix().Data, r.Logits, 2e-5)
		mltest.CloseTo(t, "loss, "+backend, out[1].RawMatrix().Data, []float64{r.Loss}, 1e-5)
		for i, of := range w.Names {
			mltest.CloseTo(t, "gradient of "+of+", "+backend, out[2+i].RawMatrix().Data, r.Gradients[of], 1e-5)
		}
	}
}

// Every logit depends on as many symbols before as the dilations reach, and on no other, exactly:
// for one layer, two and three, and for a single layer of any dilation, which sees two. Where all
// units of the last layers are off a derivative is 0 that might not be.
func TestWaveNetSeesNothingItMustNot(t *testing.T) {
	r := references(t)["wavenet"]
	for _, backend := range check.Backends() {
		for _, dilations := range [][]int{{1}, {1, 2}, {1, 2, 4}, {3}, {5}, {9}, {20}} {
			n := smallWaveNet()
			n.dilations = dilations
			d := sequenceJacobian(t, backend, r.weights(), r.oneHots(5, false), 1, n.logits)
			jacobianIsCausal(t, fmt.Sprintf("dilations %v on %s", dilations, backend), d, 0.6, func(at, from int) bool {
				if len(dilations) == 1 {
					return from == at-1 || from == at-1-dilations[0]
				}
				return from < at && at-from <= 1<<len(dilations)
			})
		}
	}
}

// The steps in Go, with queues and without, say what the graph says; with queues and without it is
// the same to the last bit.
func TestWaveNetStepsAreTheGraph(t *testing.T) {
	n, r := smallWaveNet(), references(t)["wavenet"]
	w, err := n.newSteps("test", float32s(r.weights()))
	if err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, row := range r.X {
		s, slow := w.start(), &naive{waveSteps: w}
		for _, x := range row {
			if !reflect.DeepEqual(s.scores(), slow.scores()) {
				t.Fatalf("with queues %v, without %v", s.scores(), slow.scores())
			}
			for _, v := range s.scores() {
				got = append(got, float64(v))
			}
			s.Observe(int(x))
			slow.Observe(int(x))
		}
	}
	mltest.CloseTo(t, "steps", got, r.Logits, 1e-5)
}

const rhyme = "the cat sat on the mat and the rat sat on the cat. "

func TestWaveNetText(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	text := strings.Repeat(rhyme, 30)
	fit, err := onText(t.Context(), WaveNet{Channels: 12, Skip: 16, Dilations: []int{1, 2, 4}, Sequence: 51, Train: neural.Train{Steps: 150, Batch: 16, LearningRate: 0.02}}, text, rhyme+rhyme)
	if err != nil {
		t.Fatal(err)
	}
	bits, n, err := fit.Bits(t.Context(), strings.NewReader(rhyme+rhyme))
	if err != nil || n != 2*len(rhyme) {
		t.Fatalf("%v after %d characters", err, n)
	}
	if bits > 1 {
		t.Errorf("%.2f bits a character of a text that repeats itself, want below 1", bits)
	}
	logp, err := fit.TextLogProb(t.Context(), rhyme+rhyme)
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, l := range logp {
		total -= l / math.Ln2
	}
	if math.Abs(total/float64(n)-bits) > 1e-12 {
		t.Errorf("Bits says %v, LogProb %v", bits, total/float64(n))
	}
	for _, temperature := range []float64{-1, 0.5, 1, 3} {
		fast, err := fit.Write(t.Context(), Writing{Length: 60, Temperature: temperature, Seed: 4, Prompt: "the "})
		if err != nil {
			t.Fatal(err)
		}
		slow, err := fit.Write(t.Context(), Writing{Length: 60, Temperature: temperature, Seed: 4, Prompt: "the ", Naively: true})
		if err != nil || fast != slow {
			t.Errorf("temperature %v: with queues %q, without %q (%v)", temperature, fast, slow, err)
		}
		long, err := fit.Write(t.Context(), Writing{Length: 80, Temperature: temperature, Seed: 4, Prompt: "the "})
		if err != nil || !strings.HasPrefix(long, fast) {
			t.Errorf("temperature %v: 60 characters are not the first of 80 (%v)", temperature, err)
		}
	}
	path := filepath.Join(t.TempDir(), "wavenet.zip")
	if err := ml.Save(path, fit); err != nil {
		t.Fatal(err)
	}
	again, err := ml.Load[WaveNetModel](path)
	if err != nil {
		t.Fatal(err)
	}
	if other, err := again.TextLogProb(t.Context(), rhyme+rhyme); err != nil || !reflect.DeepEqual(other, logp) {
		t.Errorf("a model that was saved and loaded says something else (%v)", err)
	}
	if fit.Reach() != 8 || fit.Alphabet() != len(fit.Vocabulary) {
		t.Errorf("reach %d, alphabet %d", fit.Reach(), fit.Alphabet())
	}
}

// On sequences: all 3⁴ of them have a probability of 1 together, and what follows from what came
// two before is learned.
func TestWaveNetSequences(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := check.Symbols(3, 300, 6, 3)
	for i := range 300 {
		for j := 2; j < 6; j++ {
			x.Set(i, j, math.Mod(x.At(i, j-2)+1, 3))
		}
	}
	fit, err := WaveNet{Levels: 3, Channels: 8, Skip: 8, Dilations: []int{1, 2}, Train: neural.Train{Steps: 200, Batch: 50, LearningRate: 0.03}}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	logp, err := fit.LogProb(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	mean := mat.Sum(mat.NewVecDense(300, logp)) / 300
	if entropy := -2 * math.Log(3); mean < entropy-0.1 {
		t.Errorf("log p is %.3f on average, want about that of two symbols at random, %.3f", mean, entropy)
	}
	all, err := fit.LogProb(t.Context(), check.EveryRow(4, 3))
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, l := range all {
		total += math.Exp(l)
	}
	if math.Abs(total-1) > 1e-9 {
		t.Errorf("all sequences of four have a probability of %v together", total)
	}
	s, err := fit.Sample(t.Context(), 40, 5)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range 40 {
		for j := 2; j < 6; j++ {
			if s.At(i, j) == math.Mod(s.At(i, j-2)+1, 3) {
				right++
			}
		}
	}
	if right < 150 {
		t.Errorf("%d of 160 symbols of samples follow the rule", right)
	}
	one, err := fit.Sample(t.Context(), 1, 5)
	if err != nil || !mat.Equal(one, s.Slice(0, 1, 0, 6)) {
		t.Errorf("the first sample of one is not the first of forty (%v)", err)
	}
	if _, err := fit.TextLogProb(t.Context(), "abc"); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("text for a model of numbers: %v", err)
	}
}

func TestWaveNetConformance(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	w := WaveNet{Levels: 3, Channels: 4, Skip: 4, Dilations: []int{1, 2}, Train: neural.Train{Steps: 10, Batch: 10}}
	mltest.Run(t, mltest.Method[WaveNetModel]{Fit: w.Fit, Iterate: w.Iterate, Data: check.Symbols(5, 50, 4, 3)})
}

func TestWaveNetTraining(t *testing.T) {
	x := check.Symbols(5, 40, 6, 3)
	fit := func(channels int) func(context.Context, neural.Train) (*WaveNetModel, error) {
		return func(ctx context.Context, t neural.Train) (*WaveNetModel, error) {
			return WaveNet{Levels: 3, Channels: channels, Skip: 4, Dilations: []int{1, 2}, Train: t}.Fit(ctx, x)
		}
	}
	check.Trains(t, x, fit(4), fit(5))
}

func TestWaveNetRefuses(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := check.Symbols(1, 10, 5, 2)
	for name, c := range map[string]struct {
		w    WaveNet
		says string
	}{
		"channels": {WaveNet{Channels: -1}, "Channels"}, "skip": {WaveNet{Skip: -1}, "Skip"}, "no layer": {WaveNet{Dilations: []int{}}, "Dilations"},
		"dilation": {WaveNet{Dilations: []int{1, 0}}, "Dilations[1]"}, "levels": {WaveNet{Levels: 1}, "Levels"}, "batch": {WaveNet{Train: neural.Train{Batch: -1}}, "Batch"},
		"holdout": {WaveNet{Train: neural.Train{Holdout: 1}}, "Holdout"},
	} {
		if _, err := c.w.Fit(t.Context(), x); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that wraps %q and says %q", name, err, ml.ErrParameter, c.says)
		}
	}
	if _, err := onText(t.Context(), (WaveNet{}), "too short", ""); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a short text: %v", err)
	}
	if _, err := onText(t.Context(), (WaveNet{Sequence: 1}), rhyme, ""); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("windows of one: %v", err)
	}
	if _, err := (&WaveNetModel{Levels: 2, Channels: 4, Skip: 4, Dilations: []int{1}}).LogProb(t.Context(), x); err == nil || !strings.Contains(err.Error(), "no weights") {
		t.Errorf("a model without weights: %v", err)
	}
}

// A thousand characters by a network of the default size, which sees 64 of them: with nothing kept
// from one to the next, and with queues, beside which stands how many times faster they are: go
// test -run none -bench WaveNetSample -benchtime 3x.
func BenchmarkWaveNetSample(b *testing.B) {
	b.Setenv("GOMLX_BACKEND", "go")
	ctx := b.Context()
	fit, err := onText(ctx, WaveNet{Sequence: 64, Train: neural.Train{Steps: 1, Batch: 1}}, strings.Repeat(rhyme, 5), "")
	if err != nil {
		b.Fatal(err)
	}
	texts, naive := [2]string{}, 0.0
	b.Run("naive", func(b *testing.B) {
		for b.Loop() {
			if texts[0], err = fit.Write(ctx, Writing{Length: 1000, Temperature: 1, Seed: 1, Prompt: "", Naively: true}); err != nil {
				b.Fatal(err)
			}
		}
		naive = b.Elapsed().Seconds() / float64(b.N)
	})
	b.Run("queues", func(b *testing.B) {
		for b.Loop() {
			if texts[1], err = fit.Write(ctx, Writing{Length: 1000, Temperature: 1, Seed: 1, Prompt: ""}); err != nil {
				b.Fatal(err)
			}
		}
		if naive > 0 {
			b.ReportMetric(naive*float64(b.N)/b.Elapsed().Seconds(), "times-faster")
		}
	})
	if texts[0] != "" && texts[1] != "" && texts[0] != texts[1] {
		b.Error("the naive loop gives another text")
	}
}
