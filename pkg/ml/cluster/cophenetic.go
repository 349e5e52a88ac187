package cluster

import (
	"math"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Cophenetic returns the n×n table of cophenetic distances: the height of the merge that first
// brings two rows together. Where no merge lies below one it builds on (see Inversions) it is an
// ultrametric: of any three distances the two largest are equal. It costs O(n²). The error is
// ml.ErrShape or ml.ErrParameter for a tree that is none.
func (t *Tree) Cophenetic() (*mat.SymDense, error) {
	const method = "cluster.Tree.Cophenetic"
	if err := t.check(method); err != nil {
		return nil, err
	}
	n := t.Leaves()
	if n > maxTableRows {
		return nil, ml.BadShape(method, "a table of %d×%d distances, want at most %d rows", n, n, maxTableRows)
	}
	out := mat.NewSymDense(n, nil)
	order := t.Order()
	first, size := t.spans()
	for i, h := range t.Heights {
		left, right := t.Left[i], t.Right[i]
		for _, a := range order[first[left]:][:size[left]] {
			for _, b := range order[first[right]:][:size[right]] {
				out.SetSym(a, b, h)
			}
		}
	}
	return out, nil
}

// CopheneticCorrelation is Pearson's correlation between distances and the cophenetic distances of
// the tree, over all pairs of rows: 1 where the tree keeps the distances as they are (Sokal &
// Rohlf, 1962). The error is ml.ErrShape for a table of another size, ml.ErrNotFinite for a NaN or
// Inf, ml.ErrParameter where all distances, or all heights, are equal, so that nothing can
// correlate, and those of Cophenetic.
func (t *Tree) CopheneticCorrelation(d mat.Symmetric) (float64, error) {
	const method = "cluster.Tree.CopheneticCorrelation"
	if err := t.fits(method, d); err != nil {
		return 0, err
	}
	c, err := t.Cophenetic()
	if err != nil {
		return 0, err
	}
	n := t.Leaves()
	pairs := float64(n) * float64(n-1) / 2
	// Divided by the largest, neither sums nor squares overflow.
	var most, highest float64
	for i := range n {
		for j := range i {
			most, highest = max(most, math.Abs(d.At(j, i))), max(highest, math.Abs(c.At(j, i)))
		}
	}
	var meanD, meanC float64
	for i := range n {
		for j := range i {
			meanD += d.At(j, i) / most / pairs
			meanC += c.At(j, i) / highest / pairs
		}
	}
	var dd, cc, dc float64
	for i := range n {
		for j := range i {
			u, v := d.At(j, i)/most-meanD, c.At(j, i)/highest-meanC
			dd, cc, dc = dd+u*u, cc+v*v, dc+u*v
		}
	}
	// A mean of equal numbers may be off by a rounding.
	switch {
	case !(dd > pairs*1e-28):
		return 0, ml.BadParameter(method, "the distances", "all equal", "at least two different ones, for else they correlate with nothing")
	case !(cc > pairs*1e-28):
		return 0, ml.BadParameter(method, "the heights", "all equal", "at least two different ones, for else they correlate with nothing")
	}
	return min(max(dc/math.Sqrt(dd)/math.Sqrt(cc), -1), 1), nil
}

// fits holds a table of distances to the tree that it goes with.
func (t *Tree) fits(method string, d mat.Symmetric) error {
	if err := t.check(method); err != nil {
		return err
	}
	if v, ok := d.(*mat.SymDense); d == nil || ok && v == nil {
		return ml.Empty(method, "the table of distances is nil")
	}
	n := t.Leaves()
	if m := d.SymmetricDim(); m != n {
		return ml.BadShape(method, "the table has distances of %d rows, the tree has %d", m, n)
	}
	for i := range n {
		for j := range i {
			if v := d.At(j, i); v-v != 0 {
				return ml.NotFinite(method, "the distance between rows %d and %d is %v, want a finite number", j, i, v)
			}
		}
	}
	return nil
}
