// Package trials holds recordings: several variables over time, in trials of any length under known
// conditions. It is what models of dynamics (Kalman filters, GPFA), of sequences (seqNMF) and of
// conditions (dPCA) are fitted on.
package trials

import (
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// Trials are recordings of the same d variables. Their steps stand one behind the other in X, one a
// row; trial k has the rows from Start[k] to Start[k+1]−1. Steps are equally far apart in time.
//
// A NaN says that a value is missing: a step that was lost is a row of NaN, a variable that a
// session did not record is a column of NaN in its trials. What can't do without them says so with
// Complete.
//
// Trials are a mat.Matrix, that of X, so that a Fit(ctx, x) takes them: a method that knows trials
// looks for a *Trials and respects where one ends; to others it is a matrix. A plain matrix is one
// trial (Of).
//
// New, Cut and Around check what they are given. A value put together by hand must pass Check; the
// other methods take that for granted. None of them changes its trials.
type Trials struct {
	X       *mat.Dense // N×d, N steps in all
	Start   []int      // length trials+1, from 0 to N
	Factors []Factor   // what is known of each trial; nil for nothing
}

// A Factor is one of the things that define a condition, such as the stimulus or the decision:
// trial k has the level Levels[Of[k]].
type Factor struct {
	Name   string
	Levels []string
	Of     []int // length trials, 0 to len(Levels)−1
}

// NewFactor makes a factor of a label a trial. Levels are in the order in which they appear.
func NewFactor(name string, labels []string) Factor {
	f := Factor{Name: name, Of: make([]int, len(labels))}
	number := map[string]int{}
	for k, label := range labels {
		if _, ok := number[label]; !ok {
			number[label] = len(f.Levels)
			f.Levels = append(f.Levels, label)
		}
		f.Of[k] = number[label]
	}
	return f
}

// New puts series together, each T×d with steps in rows and a T of its own, and copies them. The
// errors are ml.ErrEmpty for no series, or one without steps, ml.ErrShape for different numbers of
// variables or a factor of a wrong length, ml.ErrNotFinite for an infinity, and ml.ErrParameter for
// a factor whose name or levels are not what Check asks for.
func New(series []mat.Matrix, factors ...Factor) (*Trials, error) {
	const method = "trials.New"
	if len(series) == 0 {
		return nil, ml.Empty(method, "there are no series")
	}
	t := &Trials{Start: make([]int, 1, len(series)+1), Factors: factors}
	var data []float64
	columns := 0
	for k, s := range series {
		steps, d, err := ml.Size(sprintf("%s: series %d", method, k), s)
		if err != nil {
			return nil, err
		}
		if k == 0 {
			columns = d
		}
		if d != columns {
			return nil, ml.BadShape(method, "series %d has %d variables, series 0 has %d", k, d, columns)
		}
		for i := range steps {
			for j := range d {
				data = append(data, s.At(i, j))
			}
		}
		t.Start = append(t.Start, t.Start[k]+steps)
	}
	t.X = mat.NewDense(t.Start[len(series)], columns, data)
	if err := t.Check(method); err != nil {
		return nil, err
	}
	return t, nil
}

// Cut cuts a series of N steps into trials of the given lengths, which must add up to N, and copies
// it. The errors are those of New.
func Cut(x mat.Matrix, lengths []int, factors ...Factor) (*Trials, error) {
	const method = "trials.Cut"
	n, _, err := ml.Size(method, x)
	if err != nil {
		return nil, err
	}
	t := &Trials{X: mat.DenseCopyOf(x), Start: make([]int, 1, len(lengths)+1), Factors: factors}
	for k, l := range lengths {
		if l < 1 || l > n-t.Start[k] {
			return nil, ml.BadShape(method, "length %d is %d, want 1 to the %d steps that are left", k, l, n-t.Start[k])
		}
		t.Start = append(t.Start, t.Start[k]+l)
	}
	if err := t.Check(method); err != nil {
		return nil, err
	}
	return t, nil
}

// Around cuts a trial of a series around each of some events: the steps from before steps before it
// to after−1 steps after it, before+after in all. Trials may overlap. Beside the errors of New
// there is ml.ErrParameter for a trial that would begin before the series or end after it.
func Around(x mat.Matrix, events []int, before, after int, factors ...Factor) (*Trials, error) {
	const method = "trials.Around"
	n, d, err := ml.Size(method, x)
	if err != nil {
		return nil, err
	}
	if len(events) == 0 {
		return nil, ml.Empty(method, "there are no events")
	}
	steps := before + after
	if before < 0 || after < 0 || steps < 1 || steps > n {
		return nil, ml.BadParameter(method, "before and after", [2]int{before, after}, sprintf("1 to %d steps in all", n))
	}
	t := &Trials{X: mat.NewDense(steps*len(events), d, nil), Start: []int{0}, Factors: factors}
	for k, e := range events {
		if e < before || e > n-after {
			return nil, ml.BadParameter(method, sprintf("events[%d]", k), e, sprintf("%d to %d, so that the trial lies within the series", before, n-after))
		}
		for i := range steps {
			for j := range d {
				t.X.Set(k*steps+i, j, x.At(e-before+i, j))
			}
		}
		t.Start = append(t.Start, (k+1)*steps)
	}
	if err := t.Check(method); err != nil {
		return nil, err
	}
	return t, nil
}

// Of returns a matrix as trials: what it is, if it is *Trials that pass Check, and one trial that
// shares its memory where it can otherwise. A method that knows trials begins with it.
func Of(method string, x mat.Matrix) (*Trials, error) {
	if t, ok := x.(*Trials); ok {
		return t, t.Check(method)
	}
	n, _, err := ml.Size(method, x)
	if err != nil {
		return nil, err
	}
	dense, ok := x.(*mat.Dense)
	if !ok {
		dense = mat.DenseCopyOf(x)
	}
	t := &Trials{X: dense, Start: []int{0, n}}
	return t, t.Check(method)
}

// Check reports what makes trials that were put together by hand none: ml.ErrEmpty without a step,
// ml.ErrShape where slices do not fit each other or a trial has no steps, ml.ErrNotFinite for an
// infinity (with its trial, step and variable), and ml.ErrParameter for a factor without a name,
// with one that another has, or with a level that is not among its own.
func (t *Trials) Check(method string) error {
	if t == nil {
		return ml.Empty(method, "the trials are nil")
	}
	n, _, err := ml.Size(method, t.X)
	if err != nil {
		return err
	}
	if len(t.Start) < 2 || t.Start[0] != 0 || t.Start[len(t.Start)-1] != n {
		return ml.BadShape(method, "the trials do not cover the %d steps: Start is %v", n, t.Start)
	}
	for k := range t.Len() {
		if t.Start[k+1] <= t.Start[k] {
			return ml.BadShape(method, "trial %d has %d steps, want at least one", k, t.Start[k+1]-t.Start[k])
		}
	}
	if k, i, j, ok := t.find(func(v float64) bool { return math.IsInf(v, 0) }); ok {
		return ml.NotFinite(method, "trial %d, step %d, variable %d is %v, want a finite number, or NaN where it is missing", k, i, j, t.Trial(k).At(i, j))
	}
	for f, factor := range t.Factors {
		other := slices.IndexFunc(t.Factors, func(o Factor) bool { return o.Name == factor.Name })
		if factor.Name == "" || factor.Name == Time || other < f {
			return ml.BadParameter(method, sprintf("Factors[%d].Name", f), sprintf("%q", factor.Name), sprintf("a name of its own, other than %q", Time))
		}
		if len(factor.Of) != t.Len() {
			return ml.BadShape(method, "factor %q has %d levels of trials, want %d, one a trial", factor.Name, len(factor.Of), t.Len())
		}
		for k, level := range factor.Of {
			if level < 0 || level >= len(factor.Levels) {
				return ml.BadParameter(method, sprintf("the level of factor %q of trial %d", factor.Name, k), level, sprintf("0 to %d", len(factor.Levels)-1))
			}
		}
	}
	return nil
}

// Complete returns ml.ErrNotFinite, with trial, step and variable, where a value is missing.
func (t *Trials) Complete(method string) error {
	if k, i, j, ok := t.find(math.IsNaN); ok {
		return ml.NotFinite(method, "trial %d, step %d, variable %d is missing (NaN), which this method can't do without", k, i, j)
	}
	return nil
}

// find returns the first place of a value.
func (t *Trials) find(is func(float64) bool) (trial, step, variable int, ok bool) {
	for k := range t.Len() {
		for i := range t.Steps(k) {
			if j := slices.IndexFunc(t.X.RawRowView(t.Start[k]+i), is); j >= 0 {
				return k, i, j, true
			}
		}
	}
	return 0, 0, 0, false
}

// Len returns the number of trials.
func (t *Trials) Len() int { return len(t.Start) - 1 }

// Steps returns the number of steps of trial k.
func (t *Trials) Steps(k int) int { return t.Start[k+1] - t.Start[k] }

// Trial returns trial k, T×d. It shares the memory of X.
func (t *Trials) Trial(k int) *mat.Dense {
	_, d := t.X.Dims()
	return t.X.Slice(t.Start[k], t.Start[k+1], 0, d).(*mat.Dense)
}

// Dims returns the numbers of steps in all and of variables.
func (t *Trials) Dims() (steps, variables int) {
	if t == nil || t.X == nil {
		return 0, 0
	}
	return t.X.Dims()
}

// At returns variable j at step i of all steps.
func (t *Trials) At(i, j int) float64 { return t.X.At(i, j) }

// T returns the transpose of X.
func (t *Trials) T() mat.Matrix { return t.X.T() }
