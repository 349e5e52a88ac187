package distance

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// A Violation is the worst offence of a table D against an axiom: By how much, and at which rows. K
// is −1 where the axiom speaks of two.
type Violation struct {
	By      float64
	I, J, K int
}

// A Report says how a table of distances D stands to the axioms. A field is nil where the axiom
// holds.
type Report struct {
	SelfSimilarity *Violation // D[i,i] = 0
	Symmetry       *Violation // D[i,j] = D[j,i]
	Separation     *Violation // D[i,j] > 0 for i ≠ j; By is −D[i,j], which is 0 for two rows that are told apart by nothing
	Triangle       *Violation // D[i,j] ≤ D[i,k] + D[k,j]
	Ultrametric    *Violation // D[i,j] ≤ max(D[i,k], D[k,j]), which is more than a metric needs
}

// Metric reports whether the four axioms of a metric hold.
func (r Report) Metric() bool {
	return r.SelfSimilarity == nil && r.Symmetry == nil && r.Separation == nil && r.Triangle == nil
}

// String says for each axiom whether it holds, and where not.
func (r Report) String() string {
	line := func(name string, v *Violation, format string) string {
		if v == nil {
			return fmt.Sprintf("%-16s holds\n", name)
		}
		at := fmt.Sprintf("(%d, %d)", v.I, v.J)
		if v.K >= 0 {
			at = fmt.Sprintf("(%d, %d) by way of %d", v.I, v.J, v.K)
		}
		return fmt.Sprintf("%-16s "+format+"\n", name, at, v.By)
	}
	return line("self-similarity", r.SelfSimilarity, "fails at %s by %.4g") +
		line("symmetry", r.Symmetry, "fails at %s by %.4g") +
		line("separation", r.Separation, "fails at %s by %.4g") +
		line("triangle", r.Triangle, "fails at %s by %.4g") +
		line("ultrametric", r.Ultrametric, "fails at %s by %.4g")
}

// Axioms holds a square table of distances to the axioms of a metric and to the ultrametric
// inequality, and reports the worst offence against each, of equal ones the first. What is within
// tolerance times the largest absolute entry counts as rounding; 0 means 1e-12. It costs O(n³) on
// all processors. The errors are ml.ErrShape for a table that is not square, those of ml.Dense,
// ml.ErrParameter for a negative tolerance, and ctx.Err().
func Axioms(ctx context.Context, table mat.Matrix, tolerance float64) (Report, error) {
	const method = "distance.Axioms"
	dense, err := ml.Dense(method, table)
	if err != nil {
		return Report{}, err
	}
	n, m := dense.Dims()
	if n != m {
		return Report{}, ml.BadShape(method, "the table is %d×%d, want a square one", n, m)
	}
	if !(tolerance >= 0) || math.IsInf(tolerance, 1) {
		return Report{}, ml.BadParameter(method, "tolerance", tolerance, "a number that is not negative")
	}
	if tolerance == 0 {
		tolerance = 1e-12
	}
	largest := 0.0
	for _, v := range dense.RawMatrix().Data[:n*n] {
		largest = max(largest, math.Abs(v))
	}
	var r Report
	r.pairs(dense, tolerance*largest)
	return r, r.triples(ctx, dense, tolerance*largest)
}

// worse keeps the greater violation, and of equal ones the first.
func worse(worst **Violation, by, slack float64, i, j, k int) {
	if by > slack && (*worst == nil || by > (*worst).By) {
		*worst = &Violation{By: by, I: i, J: j, K: k}
	}
}

// pairs checks the axioms about one or two rows. Rows are taken to be distinct, so that a distance
// of 0 between two of them breaks separation.
func (r *Report) pairs(d *mat.Dense, slack float64) {
	n, _ := d.Dims()
	for i := range n {
		worse(&r.SelfSimilarity, math.Abs(d.At(i, i)), slack, i, i, -1)
		for j := range n {
			if v := d.At(i, j); i != j && v <= 0 && (r.Separation == nil || -v > r.Separation.By) {
				r.Separation = &Violation{By: max(-v, 0), I: i, J: j, K: -1}
			}
			if j > i {
				worse(&r.Symmetry, math.Abs(d.At(i, j)-d.At(j, i)), slack, i, j, -1)
			}
		}
	}
}

// triples checks the axioms about three rows: for each i the detours over each k, against all j at
// once.
func (r *Report) triples(ctx context.Context, d *mat.Dense, slack float64) error {
	n, _ := d.Dims()
	triangle, ultra := make([]*Violation, n), make([]*Violation, n)
	err := parallel.For(ctx, n, 1, func(i, _, _ int) {
		from := d.RawRowView(i)
		for k, ik := range from {
			if k&255 == 0 && ctx.Err() != nil {
				return
			}
			byT, byU := 0.0, 0.0
			for j, kj := range d.RawRowView(k) {
				byT = max(byT, from[j]-(ik+kj))
				byU = max(byU, from[j]-max(ik, kj))
			}
			// Most rows hold no offence worse than those before: only then is it worth while to
			// look where it is.
			if byT > slack && (triangle[i] == nil || byT > triangle[i].By) {
				triangle[i] = &Violation{By: byT, I: i, K: k, J: where(from, d.RawRowView(k), func(ij, kj float64) bool { return ij-(ik+kj) == byT })}
			}
			if byU > slack && (ultra[i] == nil || byU > ultra[i].By) {
				ultra[i] = &Violation{By: byU, I: i, K: k, J: where(from, d.RawRowView(k), func(ij, kj float64) bool { return ij-max(ik, kj) == byU })}
			}
		}
	})
	for i := range n {
		if v := triangle[i]; v != nil {
			worse(&r.Triangle, v.By, slack, v.I, v.J, v.K)
		}
		if v := ultra[i]; v != nil {
			worse(&r.Ultrametric, v.By, slack, v.I, v.J, v.K)
		}
	}
	return err
}

func where(ij, kj []float64, is func(ij, kj float64) bool) int {
	for j := range ij {
		if is(ij[j], kj[j]) {
			return j
		}
	}
	return -1
}
