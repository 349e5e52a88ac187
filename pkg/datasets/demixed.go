package datasets

import (
	"cmp"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// Demixed simulates a population of neurons in trials in which an animal sees one of several
// stimuli and decides left or right. Each neuron's rate is a sum, with weights of its own, of six
// signals that depend on different things:
//
//   - time: a transient after the stimulus, and a ramp towards the end of the trial;
//   - stimulus: one signal that grows with the level, and a late one that is largest in the middle
//     (none with two stimuli);
//   - decision: one signal that builds up, to opposite sides;
//   - stimulus × decision: a weak one.
//
// The weights of the signals overlap, so that what varies most in the population is a mixture.
// Every trial adds Gaussian noise to every neuron at every step. The zero value is ready to use.
type Demixed struct {
	Neurons int     // 0 means 100
	Stimuli int     // levels; 0 means 6
	Steps   int     // of a trial; 0 means 40
	Trials  int     // of each condition; 0 means 8
	Unequal bool    // a condition has from 2 to Trials, at random
	Noise   float64 // standard deviation of one neuron's rate at one step of a trial; 0 means 1, negative none
	Overlap float64 // cosine between the weights of two signals, about; 0 means 0.3, negative none
	Seed    uint64
}

// DemixedPopulation is what was drawn and what lies behind it.
type DemixedPopulation struct {
	Trials  *trials.Trials // factors stimulus and decision
	Signals *mat.Dense     // conditions·steps × 6, in the order of trials.Averages
	Of      []string       // what each signal depends on: "time", "stimulus", "decision", "stimulus × decision"
	Weights *mat.Dense     // 6×neurons, of unit length: the means without noise are Rate + Signals·Weights
	Rate    []float64      // of each neuron, at rest
}

// Draw simulates. It panics on a size below 1, fewer than two stimuli, fewer than two trials where
// numbers are unequal, and on noise and overlap that are no numbers.
func (d Demixed) Draw() *DemixedPopulation {
	d.Neurons, d.Stimuli, d.Steps, d.Trials = cmp.Or(d.Neurons, 100), cmp.Or(d.Stimuli, 6), cmp.Or(d.Steps, 40), cmp.Or(d.Trials, 8)
	d.Noise, d.Overlap = max(cmp.Or(d.Noise, 1), 0), max(cmp.Or(d.Overlap, 0.3), 0)
	needPoints("Demixed", min(d.Neurons, d.Steps, d.Trials), d.Noise)
	need(d.Stimuli >= 2, "Demixed: %d stimuli, want at least 2", d.Stimuli)
	need(d.Overlap < 1, "Demixed: the overlap is %v, want a number below 1", d.Overlap)
	need(!d.Unequal || d.Trials >= 2, "Demixed: %d trials, want at least 2 where conditions have unequal numbers", d.Trials)
	r := rng.New(d.Seed)
	p := &DemixedPopulation{Rate: make([]float64, d.Neurons), Of: []string{"time", "time", "stimulus", "stimulus", "decision", "stimulus × decision"}}
	p.Weights = mat.NewDense(len(p.Of), d.Neurons, nil)
	shared := make([]float64, d.Neurons)
	for j := range shared {
		shared[j], p.Rate[j] = r.NormFloat64(), 10+3*r.NormFloat64()
	}
	for k := range p.Of {
		row := p.Weights.RawRowView(k)
		for j := range row {
			row[j] = math.Sqrt(1-d.Overlap)*r.NormFloat64() + math.Sqrt(d.Overlap)*shared[j]
		}
		unit(row)
	}
	p.Signals = d.signals()
	var means mat.Dense
	means.Mul(p.Signals, p.Weights)
	var series []mat.Matrix
	var stimuli, decisions []string
	// The first trials go through all conditions in order, so that levels are numbered as here.
	for k := range d.Trials {
		for c := range 2 * d.Stimuli {
			if d.Unequal && k >= 2 && k >= 2+rng.New(d.Seed, c).IntN(d.Trials-1) {
				continue
			}
			x := mat.DenseCopyOf(means.Slice(c*d.Steps, (c+1)*d.Steps, 0, d.Neurons))
			x.Apply(func(_, j int, v float64) float64 { return v + p.Rate[j] + d.Noise*r.NormFloat64() }, x)
			series = append(series, x)
			stimuli, decisions = append(stimuli, fmt.Sprint(c/2+1)), append(decisions, []string{"left", "right"}[c%2])
		}
	}
	t, err := trials.New(series, trials.NewFactor("stimulus", stimuli), trials.NewFactor("decision", decisions))
	need(err == nil, "Demixed: %v", err)
	p.Trials = t
	return p
}

// unit scales a vector to length 1.
func unit(v []float64) {
	norm := 0.0
	for _, x := range v {
		norm = math.Hypot(norm, x)
	}
	for j := range v {
		v[j] /= norm
	}
}

// signals are zero in their mean over what they do not depend on, so that each is a marginal. They
// are in units of rates over the whole population: a weight is about 1/√neurons.
func (d Demixed) signals() *mat.Dense {
	out := mat.NewDense(2*d.Stimuli*d.Steps, 6, nil)
	bump := func(at, width, t float64) float64 { return math.Exp(-(t - at) * (t - at) / (2 * width * width)) }
	rise := func(at, t float64) float64 { return 1 / (1 + math.Exp(-(t-at)/0.06)) }
	folded := make([]float64, d.Stimuli)
	mean := 0.0
	level := func(s int) float64 { return 2*float64(s)/float64(d.Stimuli-1) - 1 }
	for s := range folded {
		folded[s] = math.Cos(math.Pi * level(s))
		mean += folded[s] / float64(d.Stimuli)
	}
	for i := range 2 * d.Stimuli * d.Steps {
		t, c := (float64(i%d.Steps)+0.5)/float64(d.Steps), i/d.Steps
		s, decision := c/2, float64(2*(c%2)-1)
		out.SetRow(i, []float64{
			22 * bump(0.25, 0.07, t),
			14 * t * t,
			9 * level(s) * (rise(0.2, t) - 0.6*rise(0.7, t)),
			5 * (folded[s] - mean) * rise(0.5, t),
			8 * decision * rise(0.55, t),
			6 * decision * level(s) * bump(0.75, 0.1, t),
		})
	}
	for k := range 2 { // time's signals less their means, which are part of the rate at rest
		sum := 0.0
		for i := range d.Steps {
			sum += out.At(i, k) / float64(d.Steps)
		}
		for i := range 2 * d.Stimuli * d.Steps {
			out.Set(i, k, out.At(i, k)-sum)
		}
	}
	return out
}
