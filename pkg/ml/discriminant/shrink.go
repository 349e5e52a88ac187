package discriminant

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Shrinkage says how a covariance S of few rows is drawn to one with less freedom, the target T:
//
//	Σ = (1−α)·S + α·T.
//
// S has eigenvalues that are too large, too small, and 0 where there are fewer rows than columns; T
// has none of these faults and another, that it is not what the data say. All estimates are made
// class by class.
type Shrinkage string

// The kinds of shrinkage.
const (
	// None is the covariance as it is.
	None Shrinkage = "none"
	// LedoitWolf takes the α that minimises the expected squared error (Ledoit & Wolf, 2004), of
	// columns divided by their standard deviation: T has the variances of the columns, to a common
	// factor, and no covariances, and units make no difference.
	LedoitWolf Shrinkage = "ledoit-wolf"
	// OAS takes the α that does so for Gaussian rows (Chen, Wiesel, Eldar & Hero, 2010), without
	// the term 2/d, as scikit-learn does. T is the mean of the variances times the identity, so
	// that columns should be in like units.
	OAS Shrinkage = "oas"
	// Fixed takes Amount as α, with the T of OAS.
	Fixed Shrinkage = "fixed"
)

type shrink struct {
	kind   Shrinkage
	amount float64
}

func (s shrink) check(method string) error {
	switch s.kind {
	case "", None, LedoitWolf, OAS, Fixed:
	default:
		return ml.BadParameter(method, "Shrinkage", fmt.Sprintf("%q", s.kind), `one of "none", the default, "ledoit-wolf", "oas", "fixed"`)
	}
	if !(s.amount >= 0 && s.amount <= 1) {
		return ml.BadParameter(method, "Amount", s.amount, "0 to 1")
	}
	if s.amount != 0 && s.kind != Fixed {
		return ml.BadParameter(method, "Amount", s.amount, `0, or "fixed" for Shrinkage`)
	}
	return nil
}

func (s shrink) none() bool {
	return s.kind == "" || s.kind == None || s.kind == Fixed && s.amount == 0
}
func (s shrink) comparesColumns() bool { return s.kind == OAS || s.kind == Fixed }

// covariance returns the covariance of a class with the divisor nₖ, and the α that drew it to its
// target.
func (s shrink) covariance(ctx context.Context, g *gaussians, class int) (*mat.SymDense, float64) {
	rows := g.class(class)
	n, d := rows.Dims()
	var unit []float64
	if s.kind == LedoitWolf {
		unit = g.deviations(ctx, rows)
		for j, v := range unit {
			if v == 0 { // in this class, a constant column has the variance of the others
				unit[j] = g.within[j]
			}
		}
		scaled := mat.DenseCopyOf(rows)
		for i := range n {
			row := scaled.RawRowView(i)
			for j, v := range unit {
				if v > 0 {
					row[j] /= v
				} else {
					row[j] = 0
				}
			}
		}
		rows = scaled
	}
	cov := mat.NewSymDense(d, nil)
	cov.SymOuterK(1/float64(n), rows.T())
	alpha := s.amount
	switch s.kind {
	case LedoitWolf:
		alpha = ledoitWolf(rows, cov)
	case OAS:
		alpha = oas(n, cov)
	}
	if d == 1 || s.none() {
		alpha = 0 // with one column, S is its own target
	}
	target := mat.Trace(cov) / float64(d)
	cov.ScaleSym(1-alpha, cov)
	for j := range d {
		cov.SetSym(j, j, cov.At(j, j)+alpha*target)
	}
	for i, u := range unit {
		for j := i; j < d; j++ {
			cov.SetSym(i, j, cov.At(i, j)*u*unit[j])
		}
	}
	return cov, alpha
}

// ledoitWolf is the ratio of the expected squared error of S, estimated from how much the xxᵀ of
// single rows differ from it, to the squared distance of S from its target; at most 1.
func ledoitWolf(rows *mat.Dense, cov *mat.SymDense) float64 {
	n, d := rows.Dims()
	fourth := 0.0 // mean of ‖x‖⁴
	for i := range n {
		norm := floats.Dot(rows.RawRowView(i), rows.RawRowView(i))
		fourth += norm * norm / float64(n)
	}
	squares := squaredNorm(cov)
	target := mat.Trace(cov) / float64(d)
	distance := squares - target*target*float64(d)
	if failure := min((fourth-squares)/float64(n), distance); failure > 0 {
		return failure / distance
	}
	return 0
}

func oas(n int, cov *mat.SymDense) float64 {
	d := float64(cov.SymmetricDim())
	squares, target := squaredNorm(cov)/(d*d), mat.Trace(cov)/d
	distance := float64(n+1) * (squares - target*target/d)
	if distance <= 0 {
		return 1
	}
	return min((squares+target*target)/distance, 1)
}

// squaredNorm is the sum of the squares of all entries.
func squaredNorm(a mat.Matrix) float64 {
	norm := mat.Norm(a, 2)
	return norm * norm
}
