package datasets

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// Without noise the means are the signals times their weights, and each signal lies in the marginal
// that it is named for.
func TestDemixedSignals(t *testing.T) {
	p := Demixed{Neurons: 7, Stimuli: 4, Steps: 9, Trials: 3, Unequal: true, Noise: -1, Seed: 3}.Draw()
	a, err := p.Trials.Average()
	if err != nil {
		t.Fatal(err)
	}
	var want mat.Dense
	want.Mul(p.Signals, p.Weights)
	want.Apply(func(_, j int, v float64) float64 { return v + p.Rate[j] }, &want)
	if !mat.EqualApprox(a.Mean, &want, 1e-12) {
		t.Error("the means are not what the signals make")
	}
	sets := map[string][][]string{"time": {{"time"}}, "stimulus": {{"stimulus"}, {"stimulus", "time"}}, "decision": {{"decision"}, {"decision", "time"}},
		"stimulus × decision": {{"stimulus", "decision"}, {"stimulus", "decision", "time"}}}
	signals := *a
	signals.Mean = p.Signals
	rest := mat.DenseCopyOf(p.Signals)
	for of, joined := range sets {
		for _, set := range joined {
			part, err := signals.Marginal(set...)
			if err != nil {
				t.Fatal(err)
			}
			for k, name := range p.Of {
				if size := mat.Norm(part.ColView(k), 2); name != of && size > 1e-9 {
					t.Errorf("signal %d, of %s, has a part of size %g in %v", k, name, size, set)
				}
			}
			rest.Sub(rest, part)
		}
	}
	if mat.Norm(rest, 2) > 1e-9 {
		t.Error("the signals have a part that depends on nothing")
	}
	for k := range p.Of {
		if w := mat.Norm(p.Weights.RowView(k), 2); math.Abs(w-1) > 1e-12 || mat.Norm(p.Signals.ColView(k), 2) < 1 {
			t.Errorf("signal %d: weights of length %v", k, w)
		}
	}
	if !slices.Equal(p.Trials.Factors[0].Levels, []string{"1", "2", "3", "4"}) || slices.Min(a.Trials) != 2 || slices.Max(a.Trials) != 3 {
		t.Errorf("levels %v, trials of conditions %v", p.Trials.Factors[0].Levels, a.Trials)
	}
}

// Noise has the deviation that is asked for, weights overlap as asked for, and a seed gives one
// population.
func TestDemixedNoiseAndOverlap(t *testing.T) {
	d := Demixed{Neurons: 400, Trials: 2, Noise: 3, Overlap: 0.5, Seed: 1}
	p, again := d.Draw(), d.Draw()
	if !mat.Equal(p.Trials.X, again.Trials.X) {
		t.Error("the same seed gives other data")
	}
	var x trials.Trials = *p.Trials
	var means mat.Dense
	means.Mul(p.Signals, p.Weights)
	sum, n := 0.0, 0
	for k := range x.Len() {
		c := 2*x.Factors[0].Of[k] + x.Factors[1].Of[k]
		for i := range x.Steps(k) {
			for j, v := range x.X.RawRowView(x.Start[k] + i) {
				e := v - p.Rate[j] - means.At(c*40+i, j)
				sum += e * e
				n++
			}
		}
	}
	within(t, "the noise", math.Sqrt(sum/float64(n)), 3, 3/math.Sqrt(2*float64(n)))
	cosine := 0.0
	for k := range 6 {
		for o := range k {
			cosine += mat.Dot(p.Weights.RowView(k), p.Weights.RowView(o)) / 15
		}
	}
	within(t, "the overlap", cosine, 0.5, 0.03)
}

func TestDemixedRefusesNonsense(t *testing.T) {
	for name, d := range map[string]Demixed{
		"stimuli": {Stimuli: 1}, "neurons": {Neurons: -1}, "trials": {Trials: 1, Unequal: true}, "noise": {Noise: math.NaN()}, "overlap": {Overlap: 1},
	} {
		func() {
			defer func() {
				if r, _ := recover().(string); !strings.HasPrefix(r, "datasets: Demixed") {
					t.Errorf("%s: recovered %q", name, r)
				}
			}()
			d.Draw()
		}()
	}
}
