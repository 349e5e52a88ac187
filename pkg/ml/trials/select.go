package trials

import (
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Select returns some of the trials, copied, in the order in which they are named. The error is
// ml.ErrEmpty for none, and ml.ErrParameter for a number that is no trial's.
func (t *Trials) Select(trials []int) (*Trials, error) {
	const method = "trials.Select"
	if len(trials) == 0 {
		return nil, ml.Empty(method, "no trials are named")
	}
	series := make([]mat.Matrix, len(trials))
	factors := make([]Factor, len(t.Factors))
	for f, factor := range t.Factors {
		factors[f] = Factor{factor.Name, factor.Levels, make([]int, len(trials))}
	}
	for i, k := range trials {
		if k < 0 || k >= t.Len() {
			return nil, ml.BadParameter(method, sprintf("trials[%d]", i), k, sprintf("0 to %d", t.Len()-1))
		}
		series[i] = t.Trial(k)
		for f, factor := range t.Factors {
			factors[f].Of[i] = factor.Of[k]
		}
	}
	return New(series, factors...)
}

// Except returns all trials but those named. The errors are those of Select.
func (t *Trials) Except(trials []int) (*Trials, error) {
	left := make([]bool, t.Len())
	for i, k := range trials {
		if k < 0 || k >= t.Len() {
			return nil, ml.BadParameter("trials.Except", sprintf("trials[%d]", i), k, sprintf("0 to %d", t.Len()-1))
		}
		left[k] = true
	}
	var rest []int
	for k, out := range left {
		if !out {
			rest = append(rest, k)
		}
	}
	return t.Select(rest)
}

// Window returns the steps from lo to hi−1 of every trial. The error is ml.ErrParameter for a
// window that is empty or reaches beyond a trial.
func (t *Trials) Window(lo, hi int) (*Trials, error) {
	const method = "trials.Window"
	if lo < 0 || hi <= lo {
		return nil, ml.BadParameter(method, "the window", [2]int{lo, hi}, "0 ≤ lo < hi")
	}
	series := make([]mat.Matrix, t.Len())
	_, d := t.X.Dims()
	for k := range series {
		if hi > t.Steps(k) {
			return nil, ml.BadParameter(method, "hi", hi, sprintf("at most the %d steps of trial %d", t.Steps(k), k))
		}
		series[k] = t.Trial(k).Slice(lo, hi, 0, d)
	}
	return New(series, t.Factors...)
}

// Folds deals the trials at random into folds for cross-validation, as equal in number as can be,
// and within each condition too. The error is ml.ErrParameter for a count outside of 2..Len().
//
//	for _, fold := range folds {
//		train, err := t.Except(fold)
//		test, err := t.Select(fold)
func (t *Trials) Folds(count int, seed uint64) ([][]int, error) {
	if count < 2 || count > t.Len() {
		return nil, ml.BadParameter("trials.Folds", "count", count, sprintf("2 to the number of trials, %d", t.Len()))
	}
	cells, of := t.cells(t.Factors)
	members := make([][]int, cells)
	for _, k := range rng.New(seed).Perm(t.Len()) {
		members[of[k]] = append(members[of[k]], k)
	}
	folds := make([][]int, count)
	next := 0
	for _, trials := range members {
		for _, k := range trials {
			folds[next%count] = append(folds[next%count], k)
			next++
		}
	}
	return folds, nil
}

// cells numbers the conditions that some factors define, the last factor's level changing fastest,
// and returns that of each trial.
func (t *Trials) cells(factors []Factor) (cells int, of []int) {
	cells, of = 1, make([]int, t.Len())
	for _, f := range factors {
		cells *= len(f.Levels)
		for k, level := range f.Of {
			of[k] = of[k]*len(f.Levels) + level
		}
	}
	return cells, of
}
