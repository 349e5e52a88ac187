package pictures

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// supers are options of every kind, for pictures of 2×4.
func supers() map[string]SuperResolution {
	n := smallSNAIL(4)
	n.Height, n.Width = 2, 4
	levels := n
	levels.Levels = 3
	return map[string]SuperResolution{"interlaced": {Network: n}, "means": {Low: Means, Network: n}, "three levels": {Network: levels}}
}

// Given its low picture the probabilities of all high pictures sum to 1: of those that hold it
// where it is interlaced, of all where it is means.
func TestSuperResolutionNormalizes(t *testing.T) {
	for name, o := range supers() {
		levels := max(o.Network.Levels, 2)
		fit := check.Fit(t, o, check.Symbols(1, 40, 8, levels))
		all := check.EveryRow(8, levels)
		if o.Low != Means {
			sums := map[[2]float64]float64{}
			for i, l := range check.LogProb(t, fit, all) {
				sums[[2]float64{all.At(i, 0), all.At(i, 2)}] += math.Exp(l)
			}
			if len(sums) != levels*levels {
				t.Fatalf("%s: %d low pictures", name, len(sums))
			}
			for low, total := range sums {
				if math.Abs(total-1) > 1e-5 {
					t.Errorf("%s, low picture %v: probabilities sum to %v", name, low, total)
				}
			}
			continue
		}
		c, like, _, err := fit.build()
		if err != nil {
			t.Fatal(err)
		}
		full := fit.Options
		f, err := neural.NewFunc("go", fit.Weights, func(s *model.Scope, in []*graph.Node) []*graph.Node {
			return []*graph.Node{graph.InsertAxes(full.logProb(s, c, like, in[0], pass{given: in[1]}), -1)}
		})
		if err != nil {
			t.Fatal(err)
		}
		low := mat.NewDense(256, 2, nil)
		low.Apply(func(_, j int, _ float64) float64 { return []float64{0.25, 0.75}[j] }, low)
		high, err := neural.Rows("test", all, 2, 4)
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.Rows(t.Context(), 256, high, full.spread(low))
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for i := range 256 {
			total += math.Exp(out[0].At(i, 0))
		}
		if math.Abs(total-1) > 1e-5 {
			t.Errorf("%s: probabilities sum to %v", name, total)
		}
	}
}

// The parts of a hierarchy add up to a probability: over all pictures it sums to 1.
func TestHierarchyNormalizes(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	n := smallSNAIL(4)
	for _, levels := range []int{2, 3} {
		n.Levels, n.Height, n.Width = levels, 2, 4
		fit, err := Hierarchy{Coarse: smallSNAIL(4), Fine: SuperResolution{Network: n}}.Fit(t.Context(), check.Symbols(1, 30, 8, levels))
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for _, l := range check.LogProb(t, fit, check.EveryRow(8, levels)) {
			total += math.Exp(l)
		}
		if math.Abs(total-1) > 1e-5 {
			t.Errorf("%d levels: probabilities sum to %v", levels, total)
		}
	}
}

// What is said of a pixel depends on the low picture, wherever that is, and on no pixel of the high
// one at or after it.
func TestSuperResolutionSeesNothingItMustNot(t *testing.T) {
	for name, o := range supers() {
		o.Network.Height, o.Network.Width = 4, 4
		levels := max(o.Network.Levels, 2)
		fit := check.Fit(t, o, check.Symbols(1, 20, 16, levels))
		c, like, _, err := fit.build()
		if err != nil {
			t.Fatal(err)
		}
		f, err := neural.NewFunc("go", fit.Weights, func(s *model.Scope, in []*graph.Node) []*graph.Node {
			out := outputs(s, c, like.levels(), in[0], pass{given: in[1]})
			var rows []*graph.Node
			for j := range 16 {
				one := graph.ReduceAllSum(graph.Slice(out, graph.AxisRange(), graph.AxisElem(j/4), graph.AxisElem(j%4), graph.AxisRange()))
				for _, g := range graph.Gradient(one, in[0], in[1]) {
					rows = append(rows, graph.Reshape(g, g.Shape().Dim(0), -1))
				}
			}
			return rows
		})
		if err != nil {
			t.Fatal(err)
		}
		x := check.Symbols(2, 3, 16, levels)
		in, err := fit.Options.arrays("test", x)
		if err != nil {
			t.Fatal(err)
		}
		out, err := f.Rows(t.Context(), 3, in...)
		if err != nil {
			t.Fatal(err)
		}
		for j := range 16 {
			for l := range 16 {
				size := mat.Norm(out[2*j].ColView(l), 2)
				if l >= j && size != 0 {
					t.Errorf("%s: pixel %d sees pixel %d", name, j, l)
				}
				if given := mat.Norm(out[2*j+1].ColView(2*l), 2); given == 0 {
					t.Errorf("%s: pixel %d does not see what is given at %d", name, j, l)
				}
			}
		}
	}
}

// A walk says what the pass over the whole picture says; samples hold the low picture and follow
// the model.
func TestSuperResolutionSamples(t *testing.T) {
	for name, o := range supers() {
		levels := max(o.Network.Levels, 2)
		x := check.Symbols(3, 60, 8, levels)
		for i := range 60 {
			x.Set(i, 5, x.At(i, 0))
		}
		o.Network.Train.Steps = 30
		fit := check.Fit(t, o, x)
		high := x.Slice(0, 1, 0, 8)
		low, err := fit.Options.Lower(high)
		if err != nil {
			t.Fatal(err)
		}
		const n = 2000
		lows := mat.NewDense(n, 2, nil)
		for i := range n {
			lows.SetRow(i, low.RawRowView(0))
		}
		s, err := fit.Sample(t.Context(), lows, 4)
		if err != nil {
			t.Fatal(err)
		}
		if o.Low != Means {
			back, err := fit.Options.Lower(s)
			if err != nil || !mat.Equal(back, lows) {
				t.Fatalf("%s: the samples do not hold their low picture (%v)", name, err)
			}
		}
		// frequencies of the three likeliest pictures beside their probabilities
		counts := map[string]float64{}
		rows := map[string][]float64{}
		for i := range n {
			k := fmt.Sprint(s.RawRowView(i))
			counts[k]++
			rows[k] = s.RawRowView(i)
		}
		c, like, columns, err := fit.build()
		if err != nil {
			t.Fatal(err)
		}
		likeliest := slices.SortedFunc(maps.Keys(counts), func(a, b string) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a, b)) })
		for _, k := range likeliest[:3] {
			count := counts[k]
			walk, logp := newWalk(c, like, columns, 0), 0.0
			walk.given = fit.Options.spread(low).Floats
			p := make([]float64, levels)
			for j, v := range rows[k] {
				if err := walk.Predict(p); err != nil {
					t.Fatal(err)
				}
				if fit.Options.counted()[j] > 0 {
					logp += math.Log(p[int(v)])
				}
				walk.Observe(int(v))
			}
			if o.Low != Means {
				if pass := check.LogProb(t, fit, mat.NewDense(1, 8, rows[k]))[0]; math.Abs(pass-logp) > 1e-4 {
					t.Errorf("%s: log p = %v by the walk, %v by the pass", name, logp, pass)
				}
			}
			want := n * math.Exp(logp)
			if math.Abs(count-want) > 5*math.Sqrt(want)+5 {
				t.Errorf("%s: %v of %d samples are %s, want %.0f", name, count, n, k, want)
			}
		}
	}
}

func TestSuperResolutionIsKept(t *testing.T) {
	x := check.Symbols(1, 20, 16, 2)
	t.Setenv("GOMLX_BACKEND", "go")
	n := smallSNAIL(3)
	fit, err := Hierarchy{Coarse: n, Fine: SuperResolution{Network: n}}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "hierarchy.zip")
	if err := ml.Save(path, fit); err != nil {
		t.Fatal(err)
	}
	again, err := ml.Load[HierarchyModel](path)
	if err != nil {
		t.Fatal(err)
	}
	a, b := check.LogProb(t, fit, x), check.LogProb(t, again, x)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("row %d: %v before, %v after", i, a[i], b[i])
		}
	}
	s, err1 := fit.Sample(t.Context(), 3, 1)
	r, err2 := again.Sample(t.Context(), 3, 1)
	if err := errors.Join(err1, err2); err != nil || !mat.Equal(s, r) {
		t.Errorf("other samples after a file (%v)", err)
	}
}

func TestSuperResolutionConformance(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	n := smallSNAIL(3)
	n.Channels, n.Heads, n.Train.Batch = 2, 1, 5
	o := SuperResolution{Network: n}
	mltest.Run(t, mltest.Method[SuperResolutionModel]{Fit: o.Fit, Iterate: o.Iterate, Data: check.Symbols(5, 20, 4, 2)})
}

func TestSuperResolutionRefuses(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := check.Symbols(1, 10, 16, 2)
	for name, c := range map[string]struct {
		o    SuperResolution
		says string
	}{
		"factor": {SuperResolution{Factor: 3, Network: smallSNAIL(1)}, "Factor"}, "one": {SuperResolution{Factor: 1, Network: smallSNAIL(1)}, "Factor"},
		"lowering": {SuperResolution{Low: "none", Network: smallSNAIL(1)}, "Low"}, "network": {SuperResolution{Network: PixelSNAIL{Heads: -1}}, "Heads"},
		"batch": {SuperResolution{Network: PixelSNAIL{Train: neural.Train{Batch: -1}}}, "Batch"},
	} {
		if _, err := c.o.Fit(t.Context(), x); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that wraps %q and says %q", name, err, ml.ErrParameter, c.says)
		}
	}
	if _, err := (Hierarchy{Fine: SuperResolution{Low: Means}}).Fit(t.Context(), x); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a hierarchy of means: %v", err)
	}
	fit := check.Fit(t, SuperResolution{Network: smallSNAIL(1)}, x)
	if _, err := fit.Sample(t.Context(), mat.NewDense(1, 3, nil), 1); !errors.Is(err, ml.ErrShape) {
		t.Errorf("three pixels for four: %v", err)
	}
	if _, err := fit.Sample(t.Context(), mat.NewDense(1, 4, []float64{0, 1, 0.5, 0}), 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("half a level: %v", err)
	}
	if _, err := fit.LogProb(t.Context(), mat.NewDense(1, 4, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("four pixels for sixteen: %v", err)
	}
	if _, err := fit.LogProb(t.Context(), check.Symbols(1, 3, 16, 5)); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("too many levels: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := fit.Sample(ended, mat.NewDense(4, 4, nil), 1); !errors.Is(err, context.Canceled) {
		t.Errorf("samples after their context: %v", err)
	}
}

// The bits of topic 25, coarse and fine, with the defaults; three to six minutes a seed on two
// cores, so only on demand: LATENT_LONG=1 and -timeout 30m, or one by -run
// TestHierarchyOnDigits/seed_0.
func TestHierarchyOnDigits(t *testing.T) {
	if os.Getenv("LATENT_LONG") == "" {
		t.Skip("set LATENT_LONG=1 to train on the digits")
	}
	train, validation, test := check.DigitBits()
	for seed := range uint64(3) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			began := time.Now()
			o := Hierarchy{Coarse: PixelSNAIL{Train: neural.Train{Seed: seed, Steps: 500}}, Fine: SuperResolution{Network: PixelSNAIL{Train: neural.Train{Seed: seed}}}}
			o.Coarse.Train.Validation, o.Fine.Network.Train.Validation = validation, validation
			fit, err := o.Fit(t.Context(), train)
			if err != nil {
				t.Fatal(err)
			}
			coarse, fine, err := fit.Parts(t.Context(), test)
			if err != nil {
				t.Fatal(err)
			}
			a, b := -stat.Mean(coarse, nil), -stat.Mean(fine, nil)
			fmt.Printf("seed %d: %.3f + %.3f = %.3f nats, %v\n", seed, a, b, a+b, time.Since(began).Round(time.Second))
			if a+b > 17.4 {
				t.Errorf("%.3f nats, want at most 17.4", a+b)
			}
		})
	}
}
