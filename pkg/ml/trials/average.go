package trials

import (
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Time is the name by which Marginal knows the step within a trial, a factor like the others.
const Time = "time"

// Averages are means over the trials of each condition, step by step.
type Averages struct {
	Factors []Factor   // those that define the conditions; Of is that of the trials
	Steps   int        // of a trial
	Mean    *mat.Dense // conditions·Steps × d: row c·Steps+i is step i under condition c
	Trials  []int      // how many trials each condition has
	Of      []int      // the condition of each trial
}

// Average averages the trials of each condition. Conditions are all combinations of the levels of
// the named factors, of all factors if none is named: the last factor's level changes fastest.
// Trials may differ in length, and values may be missing: a mean is that of the values there are,
// and NaN where there are none. The error is ml.ErrParameter for a name that no factor has, or that
// stands twice.
func (t *Trials) Average(factors ...string) (*Averages, error) {
	const method = "trials.Average"
	a := &Averages{Factors: t.Factors}
	if len(factors) > 0 {
		a.Factors = nil
		for i, name := range factors {
			f := slices.IndexFunc(t.Factors, func(f Factor) bool { return f.Name == name })
			if f < 0 || slices.Contains(factors[:i], name) {
				return nil, ml.BadParameter(method, "factor", sprintf("%q", name), sprintf("different ones of %q", names(t.Factors)))
			}
			a.Factors = append(a.Factors, t.Factors[f])
		}
	}
	var cells int
	cells, a.Of = t.cells(a.Factors)
	for k := range t.Len() {
		a.Steps = max(a.Steps, t.Steps(k))
	}
	_, d := t.X.Dims()
	a.Mean, a.Trials = mat.NewDense(cells*a.Steps, d, nil), make([]int, cells)
	count := mat.NewDense(cells*a.Steps, d, nil)
	for k, c := range a.Of {
		a.Trials[c]++
		for i := range t.Steps(k) {
			sum, n := a.Mean.RawRowView(c*a.Steps+i), count.RawRowView(c*a.Steps+i)
			for j, v := range t.X.RawRowView(t.Start[k] + i) {
				if !math.IsNaN(v) {
					n[j]++
					sum[j] += (v - sum[j]) / n[j] // which does not overflow
				}
			}
		}
	}
	a.Mean.Apply(func(i, j int, v float64) float64 {
		if count.At(i, j) == 0 {
			return math.NaN()
		}
		return v
	}, a.Mean)
	return a, nil
}

func names(factors []Factor) (out []string) {
	for _, f := range factors {
		out = append(out, f.Name)
	}
	return out
}

// Marginal returns, for every condition and step, the part of the means that depends on the named
// factors together and on no fewer of them; Time may be one of them. In the shape of Mean, these
// parts for all sets of factors and Time add up to Mean and are orthogonal to each other, variable
// by variable: the analysis of variance of a balanced design, in which each condition counts once,
// however many trials it has. With no names it is the mean over all conditions and steps. Demixed
// PCA (Kobak et al.,
// 2016) takes a decision's part to be Marginal("decision") + Marginal("decision", Time).
//
// The error is ml.ErrParameter for a name that no factor has, or that stands twice, and
// ml.ErrNotFinite where Mean has a NaN: a condition that no trial stands for, at some step.
func (a *Averages) Marginal(factors ...string) (*mat.Dense, error) {
	const method = "trials.Marginal"
	rows, d := a.Mean.Dims()
	for i := range rows {
		if slices.ContainsFunc(a.Mean.RawRowView(i), math.IsNaN) {
			return nil, ml.NotFinite(method, "no trial has step %d of condition %d", i%a.Steps, i/a.Steps)
		}
	}
	sizes := make([]int, 0, len(a.Factors)+1)
	for _, f := range a.Factors {
		sizes = append(sizes, len(f.Levels))
	}
	sizes = append(sizes, a.Steps)
	known := append(names(a.Factors), Time)
	named := make([]bool, len(known))
	for _, name := range factors {
		f := slices.Index(known, name)
		if f < 0 || named[f] {
			return nil, ml.BadParameter(method, "factor", sprintf("%q", name), sprintf("different ones of %q", known))
		}
		named[f] = true
	}
	// Axis by axis: of a factor that is named what differs from its mean is kept, of another its
	// mean.
	part := mat.DenseCopyOf(a.Mean)
	stride := rows
	for axis, size := range sizes {
		stride /= size
		mean := make([]float64, d)
		for i := range rows {
			if i/stride%size != 0 {
				continue
			}
			clear(mean)
			for l := range size {
				blas.Axpy(1/float64(size), part.RawRowView(i+l*stride), mean)
			}
			for l := range size {
				if row := part.RawRowView(i + l*stride); named[axis] {
					blas.Axpy(-1, mean, row)
				} else {
					copy(row, mean)
				}
			}
		}
	}
	return part, nil
}
