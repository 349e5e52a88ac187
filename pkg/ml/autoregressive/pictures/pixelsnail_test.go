package pictures

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// smallSNAIL has one of everything.
func smallSNAIL(steps int) PixelSNAIL {
	return PixelSNAIL{Channels: 6, Blocks: 1, Layers: 1, Keys: 3, Values: 4, Dropout: -1, Train: check.Brief(steps)}
}

// snails are options of every kind, for pictures of 3×3.
func snails() map[string]PixelSNAIL {
	plain := smallSNAIL(4)
	deep, alone, levels, mixed := plain, plain, plain, plain
	deep.Blocks, deep.Layers, deep.Heads = 2, 2, 3
	alone.NoAttention = true
	levels.Levels = 3
	mixed.Levels, mixed.Components = 4, 2
	return map[string]PixelSNAIL{"plain": plain, "deep": deep, "no attention": alone, "three levels": levels, "mixture of logistics": mixed}
}

func TestPixelSNAILNormalizes(t *testing.T) {
	for name, o := range snails() {
		levels := max(o.Levels, 2)
		o.Height, o.Width = 3, 3
		if levels > 2 {
			o.Height, o.Width = 2, 3
		}
		d := o.Height * o.Width
		fit := check.Fit(t, o, check.Symbols(1, 40, d, levels))
		total := 0.0
		for _, l := range check.LogProb(t, fit, check.EveryRow(d, levels)) {
			total += math.Exp(l)
		}
		if math.Abs(total-1) > 1e-5 {
			t.Errorf("%s: the probabilities of all pictures sum to %v", name, total)
		}
	}
}

// At random weights: what is said of a pixel has a derivative of exactly 0 by itself and all that
// come later, and one that is not 0 by every pixel before it.
func TestPixelSNAILSeesAllBeforeAndNothingElse(t *testing.T) {
	for name, o := range snails() {
		if o.NoAttention { // small kernels do not reach everything
			continue
		}
		const h, w = 3, 4
		o.Height, o.Width = h, w
		levels := max(o.Levels, 2)
		fit := check.Fit(t, o, check.Symbols(2, 20, h*w, levels))
		x := check.Symbols(3, 3, h*w, levels)
		for j := range h * w {
			g, err := fit.Sensitivity(t.Context(), x, j/w, j%w)
			if err != nil {
				t.Fatal(err)
			}
			for l := range h * w {
				size := mat.Norm(g.ColView(l), 2)
				if l >= j && size != 0 {
					t.Errorf("%s: pixel %d sees pixel %d: %v", name, j, l, size)
				}
				if l < j && size == 0 {
					t.Errorf("%s: pixel %d does not see pixel %d", name, j, l)
				}
			}
		}
	}
}

// The cached walk says the same as the pass over the whole picture, and draws the same pictures as
// the naive loop.
func TestPixelSNAILWalks(t *testing.T) {
	for name, o := range snails() {
		const h, w = 4, 5
		o.Height, o.Width = h, w
		levels := max(o.Levels, 2)
		fit := check.Fit(t, o, check.Symbols(4, 20, h*w, levels))
		x := check.Symbols(5, 2, h*w, levels)
		want, err := fit.Conditionals(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		walk, err := fit.Walk()
		if err != nil {
			t.Fatal(err)
		}
		p := make([]float64, levels)
		for i := range 2 { // the second picture follows the first in the same walk
			for j := range h * w {
				if err := walk.Predict(p); err != nil {
					t.Fatal(err)
				}
				for k, v := range p {
					var whole float64
					switch {
					case levels > 2:
						whole = want.At(i, j*levels+k)
					case k == 1:
						whole = want.At(i, j)
					default:
						whole = 1 - want.At(i, j)
					}
					if math.Abs(v-whole) > 1e-5 {
						t.Fatalf("%s: picture %d, pixel %d, level %d: %v by the walk, %v by the pass", name, i, j, k, v, whole)
					}
				}
				walk.Observe(int(x.At(i, j)))
			}
		}
		fast, err := fit.Sample(t.Context(), 4, 6)
		if err != nil {
			t.Fatal(err)
		}
		slow, err := ml.Last(fit.Draw(t.Context(), Drawing{N: 4, Seed: 6, Naively: true}))
		if err != nil {
			t.Fatal(err)
		}
		if !mat.Equal(fast, slow) {
			t.Errorf("%s: the naive loop draws other pictures", name)
		}
	}
}

// The first pixel is five rows above the last: beyond the kernels, whose derivative by it is
// exactly 0, and within the attention's reach.
func TestAttentionReachesWhatKernelsDoNot(t *testing.T) {
	x := check.Symbols(7, 20, 24, 2)
	o := smallSNAIL(5)
	o.Height, o.Width = 6, 4
	for _, alone := range []bool{true, false} {
		o.NoAttention = alone
		g, err := check.Fit(t, o, x).Sensitivity(t.Context(), x, 5, 3)
		if err != nil {
			t.Fatal(err)
		}
		if size := mat.Norm(g.ColView(0), 2); (size == 0) != alone {
			t.Errorf("without attention %v: the derivative of the last pixel by the first is %v", alone, size)
		}
	}
}

func TestAttentionMaps(t *testing.T) {
	o := smallSNAIL(5)
	o.Blocks, o.Heads = 2, 3
	fit := check.Fit(t, o, check.Symbols(1, 20, 16, 2))
	x := check.Symbols(2, 4, 16, 2)
	for j := range 16 {
		heads, err := AttentionMaps(t.Context(), fit, x, 1, j/4, j%4)
		if err != nil {
			t.Fatal(err)
		}
		if len(heads) != 3 {
			t.Fatalf("%d heads", len(heads))
		}
		for _, w := range heads {
			for i := range 4 {
				want := 1.0
				if j == 0 {
					want = 0
				}
				if got := mat.Sum(w.RowView(i)); math.Abs(got-want) > 1e-5 {
					t.Errorf("pixel %d: the weights sum to %v", j, got)
				}
				for l := j; l < 16; l++ {
					if w.At(i, l) != 0 {
						t.Errorf("pixel %d looks at %d", j, l)
					}
				}
			}
		}
	}
	for _, bad := range [][3]int{{2, 0, 0}, {-1, 0, 0}, {0, 4, 0}, {0, 0, -1}} {
		if _, err := AttentionMaps(t.Context(), fit, x, bad[0], bad[1], bad[2]); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("%v: %v", bad, err)
		}
	}
	o.NoAttention = true
	if _, err := AttentionMaps(t.Context(), check.Fit(t, o, x), x, 0, 1, 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a network without attention: %v", err)
	}
}

func TestPixelSNAILConformance(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	o := smallSNAIL(4)
	o.Channels, o.Heads, o.Train.Batch = 2, 1, 5
	mltest.Run(t, mltest.Method[PixelSNAILModel]{Fit: o.Fit, Iterate: o.Iterate, Data: check.Symbols(5, 20, 4, 2)})
}

func TestPixelSNAILRefuses(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := check.Symbols(1, 10, 9, 2)
	for name, c := range map[string]struct {
		change func(*PixelSNAIL)
		says   string
	}{
		"size": {func(o *PixelSNAIL) { o.Height = 9 }, "Width"}, "levels": {func(o *PixelSNAIL) { o.Levels = 1 }, "Levels"}, "components": {func(o *PixelSNAIL) { o.Components = -1 }, "Components"},
		"channels": {func(o *PixelSNAIL) { o.Channels = -1 }, "Channels"}, "blocks": {func(o *PixelSNAIL) { o.Blocks = -2 }, "Blocks"}, "layers": {func(o *PixelSNAIL) { o.Layers = -1 }, "Layers"},
		"heads": {func(o *PixelSNAIL) { o.Heads = 65 }, "Heads"}, "keys": {func(o *PixelSNAIL) { o.Keys = -1 }, "Keys"}, "values": {func(o *PixelSNAIL) { o.Values = 2000 }, "Values"},
		"dropout": {func(o *PixelSNAIL) { o.Dropout = 1 }, "Dropout"}, "batch": {func(o *PixelSNAIL) { o.Train.Batch = -1 }, "Batch"},
	} {
		o := smallSNAIL(1)
		c.change(&o)
		if _, err := o.Fit(t.Context(), x); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that wraps %q and says %q", name, err, ml.ErrParameter, c.says)
		}
	}
	if _, err := smallSNAIL(1).Fit(t.Context(), check.Symbols(1, 10, 9, 3)); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a third level: %v", err)
	}
}

// The score of a network of pictures: the slope of log p, with mean 0 over all pictures.
func TestPictureScores(t *testing.T) {
	fit := check.Fit(t, smallSNAIL(8), check.Symbols(1, 30, 4, 2))
	x := check.EveryRow(4, 2)
	u, err := fit.Scores(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	logp := check.LogProb(t, fit, x)
	n, p := u.Dims()
	if p != fit.Weights.Count() {
		t.Fatalf("%d columns for %d weights", p, fit.Weights.Count())
	}
	for j := range p {
		mean := 0.0
		for i := range n {
			mean += math.Exp(logp[i]) * u.At(i, j)
		}
		if math.Abs(mean) > 1e-5 {
			t.Errorf("weight %d: the mean of the score is %v", j, mean)
		}
	}
	r, h := rng.New(4), 1e-3
	direction, along := mat.NewVecDense(p, nil), mat.NewVecDense(n, nil)
	for j := range p {
		direction.SetVec(j, r.NormFloat64())
	}
	along.MulVec(u, direction)
	moved := func(by float64) []float64 {
		m, at := &PixelSNAILModel{Options: fit.Options, Trained: neural.Trained{Weights: neural.Weights{Names: fit.Weights.Names, Shapes: fit.Weights.Shapes}}}, 0
		for _, v := range fit.Weights.Values {
			v = mat.DenseCopyOf(v)
			for i := range v.RawMatrix().Data {
				v.RawMatrix().Data[i] += by * direction.AtVec(at)
				at++
			}
			m.Weights.Values = append(m.Weights.Values, v)
		}
		return check.LogProb(t, m, x)
	}
	up, down := moved(h), moved(-h)
	for i := range n {
		if slope := (up[i] - down[i]) / (2 * h); math.Abs(slope-along.AtVec(i)) > 1e-2*(1+math.Abs(slope)) {
			t.Errorf("picture %d: the score says %v, log p changes by %v", i, along.AtVec(i), slope)
		}
	}
}

func BenchmarkPixelSNAILSample28(b *testing.B) {
	b.Setenv("GOMLX_BACKEND", "go")
	o := PixelSNAIL{Train: neural.Train{Steps: 1, Batch: 1}}
	fit, err := o.Fit(b.Context(), check.Symbols(1, 2, 784, 2))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := fit.Sample(b.Context(), 1, 1); err != nil {
			b.Fatal(err)
		}
	}
}

// The defaults on the digits, and without attention; one to three minutes each on two cores, so
// only on demand: LATENT_LONG=1 and -timeout 30m, or one by -run TestPixelSNAILOnDigits/seed_0.
func TestPixelSNAILOnDigits(t *testing.T) {
	if os.Getenv("LATENT_LONG") == "" {
		t.Skip("set LATENT_LONG=1 to train on the digits")
	}
	train, validation, test := check.DigitBits()
	for seed := range uint64(3) {
		for _, alone := range []bool{false, true} {
			t.Run(fmt.Sprintf("seed %d, attention %v", seed, !alone), func(t *testing.T) {
				began := time.Now()
				fit, err := PixelSNAIL{NoAttention: alone, Train: neural.Train{Seed: seed, Validation: validation}}.Fit(t.Context(), train)
				if err != nil {
					t.Fatal(err)
				}
				nats := -stat.Mean(check.LogProb(t, fit, test), nil)
				fmt.Printf("seed %d, attention %v: %.3f nats, best at step %d, %v\n", seed, !alone, nats, fit.History.Best, time.Since(began).Round(time.Second))
				if nats > 17.3 {
					t.Errorf("%.3f nats, want at most 17.3", nats)
				}
			})
		}
	}
}
