package pictures

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

func smallParallel(steps int) ParallelMultiscale {
	return ParallelMultiscale{Channels: 6, Layers: 1, Dropout: -1, Train: check.Brief(steps)}
}

func TestMultiscaleGroups(t *testing.T) {
	want := []int{
		0, 4, 1, 4,
		5, 6, 5, 6,
		2, 4, 3, 4,
		5, 6, 5, 6,
	}
	if got := MultiscaleGroups(4, 4); !slices.Equal(got, want) {
		t.Errorf("4×4: %v", got)
	}
	for size, count := range map[[2]int]int{{8, 8}: 10, {28, 28}: 16, {1, 1}: 1, {1, 5}: 4, {3, 3}: 7} {
		groups := MultiscaleGroups(size[0], size[1])
		found := slices.Compact(slices.Sorted(slices.Values(groups)))
		if len(found) != count || found[0] != 0 || found[count-1] != count-1 {
			t.Errorf("%v has the groups %v, want %d", size, found, count)
		}
	}
}

// With any groups the probabilities of all pictures sum to 1.
func TestParallelMultiscaleNormalizes(t *testing.T) {
	for name, c := range map[string]struct {
		groups []int
		levels int
	}{"multiscale": {nil, 2}, "each its own": {[]int{0, 3, 1, 2, 4, 5, 6, 8, 7}, 2}, "all at once": {make([]int, 9), 2}, "three levels": {[]int{0, 1, 1, 0, 2, 2}, 3}} {
		o := smallParallel(6)
		o.Groups, o.Levels, o.Height, o.Width = c.groups, c.levels, 3, 3
		if len(c.groups) == 6 {
			o.Height = 2
		}
		d := o.Height * o.Width
		fit := check.Fit(t, o, check.Symbols(1, 40, d, c.levels))
		total := 0.0
		for _, l := range check.LogProb(t, fit, check.EveryRow(d, c.levels)) {
			total += math.Exp(l)
		}
		if math.Abs(total-1) > 1e-5 {
			t.Errorf("%s: probabilities sum to %v", name, total)
		}
	}
}

// Changing a pixel changes what is said of later groups, and nothing of what is said of earlier
// ones.
func TestParallelMultiscaleSeesNothingItMustNot(t *testing.T) {
	o := smallParallel(8)
	fit := check.Fit(t, o, check.Symbols(2, 30, 16, 2))
	groups := fit.Options.Groups
	x := check.Symbols(3, 17, 16, 2)
	for i := range 17 {
		x.SetRow(i, x.RawRowView(0))
		if i > 0 {
			x.Set(i, i-1, 1-x.At(i, i-1))
		}
	}
	parts, err := fit.Parts(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 17; i++ {
		later := false
		for g := range parts.RawMatrix().Cols {
			changed := math.Abs(parts.At(i, g)-parts.At(0, g)) > 1e-6 // what a product may differ by, for the place of a row in it
			if g < groups[i-1] && changed {
				t.Errorf("pixel %d of group %d changes group %d", i-1, groups[i-1], g)
			}
			later = later || g > groups[i-1] && changed
		}
		if groups[i-1] < 6 && !later {
			t.Errorf("pixel %d changes no later group", i-1)
		}
	}
}

// The loss is right on average: over all groups, each as often as it has pixels, the estimate is
// log p.
func TestParallelMultiscaleFrequencies(t *testing.T) {
	x := check.Symbols(5, 200, 4, 2)
	for i := range 200 {
		x.Set(i, 3, x.At(i, 0))
		x.Set(i, 2, 1-x.At(i, 1))
	}
	o := smallParallel(400)
	o.Groups = []int{0, 1, 2, 3}
	o.Train.Schedule, o.Train.LearningRate = neural.Cosine, 0.02
	fit := check.Fit(t, o, x)
	nats := -stat.Mean(check.LogProb(t, fit, x), nil)
	if nats > 2*math.Ln2+0.03 || nats < 1.3 {
		t.Errorf("two free bits and two that follow from them cost %v nats, want %v", nats, 2*math.Ln2)
	}
	o.Groups = []int{0, 0, 0, 0}
	if alone := -stat.Mean(check.LogProb(t, check.Fit(t, o, x), x), nil); math.Abs(alone-4*math.Ln2) > 0.05 {
		t.Errorf("four bits taken as independent cost %v nats, want %v", alone, 4*math.Ln2)
	}
	s, err := fit.Sample(t.Context(), 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for i := range 1000 {
		if s.At(i, 3) != s.At(i, 0) || s.At(i, 2) == s.At(i, 1) {
			wrong++
		}
	}
	if wrong > 30 {
		t.Errorf("%d of 1000 samples are of a kind that does not occur", wrong)
	}
}

func TestParallelMultiscaleConformance(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	o := smallParallel(3)
	o.Train.Batch = 5
	mltest.Run(t, mltest.Method[ParallelMultiscaleModel]{Fit: o.Fit, Iterate: o.Iterate, Data: check.Symbols(5, 20, 4, 2)})
}

// A drawing ends with its context between two groups, with the pictures so far.
func TestParallelDrawingIsCancelled(t *testing.T) {
	m := check.Fit(t, smallParallel(2), check.Symbols(1, 30, 16, 2))
	drawing, end := context.WithCancel(t.Context())
	defer end()
	passes := 0
	for s, err := range m.Draw(drawing, 3, 1) {
		passes++
		there := 0
		for j := range 16 {
			if !math.IsNaN(s.At(0, j)) {
				there++
			}
		}
		switch {
		case err == nil && passes == 2:
			end()
		case passes == 3:
			if !errors.Is(err, context.Canceled) || there != 2 { // the first two groups of 4×4 have a pixel each
				t.Errorf("a drawing cancelled after two groups gives %d pixels and %v", there, err)
			}
		case err != nil:
			t.Fatal(err)
		}
	}
	if passes != 3 {
		t.Errorf("a drawing cancelled after its second group yields %d times", passes)
	}
}

func TestParallelMultiscaleRefuses(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := check.Symbols(1, 10, 9, 2)
	for name, c := range map[string]struct {
		change func(*ParallelMultiscale)
		says   string
	}{
		"a group left out": {func(o *ParallelMultiscale) { o.Groups = []int{0, 0, 0, 2, 2, 2, 2, 2, 2} }, "Groups"}, "negative": {func(o *ParallelMultiscale) { o.Groups = []int{0, -1, 0, 1, 1, 1, 1, 1, 1} }, "Groups"},
		"layers": {func(o *ParallelMultiscale) { o.Layers = -1 }, "Layers"}, "channels": {func(o *ParallelMultiscale) { o.Channels = -1 }, "Channels"}, "levels": {func(o *ParallelMultiscale) { o.Levels = -1 }, "Levels"},
		"dropout": {func(o *ParallelMultiscale) { o.Dropout = 2 }, "Dropout"},
	} {
		o := smallParallel(1)
		c.change(&o)
		if _, err := o.Fit(t.Context(), x); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that wraps %q and says %q", name, err, ml.ErrParameter, c.says)
		}
	}
	o := smallParallel(1)
	o.Groups = []int{0, 1}
	if _, err := o.Fit(t.Context(), x); !errors.Is(err, ml.ErrShape) {
		t.Errorf("two groups for nine pixels: %v", err)
	}
	fit := check.Fit(t, smallParallel(1), x)
	if _, err := fit.LogProb(t.Context(), mat.NewDense(1, 4, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("four pixels for nine: %v", err)
	}
	if _, err := fit.Sample(t.Context(), 0, 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("no samples: %v", err)
	}
}

// What groups cost on the digits, with the defaults: no reference says how much, so that the
// numbers are printed. Some three minutes each on two cores, so only on demand: LATENT_LONG=1 and
// -timeout 40m, or one by -run TestParallelMultiscaleOnDigits/multiscale.
func TestParallelMultiscaleOnDigits(t *testing.T) {
	if os.Getenv("LATENT_LONG") == "" {
		t.Skip("set LATENT_LONG=1 to train on the digits")
	}
	train, validation, test := check.DigitBits()
	for name, groups := range map[string][]int{"multiscale": nil, "a pixel a group": symbol.UpTo(64), "one group": make([]int, 64)} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			fit, err := ParallelMultiscale{Groups: groups, Train: neural.Train{Validation: validation}}.Fit(t.Context(), train)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Printf("%d groups: %.3f nats, best at step %d, %v\n", fit.Options.count(), -stat.Mean(check.LogProb(t, fit, test), nil), fit.History.Best, time.Since(began).Round(time.Second))
		})
	}
}
