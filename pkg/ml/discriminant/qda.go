package discriminant

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// QDA is quadratic discriminant analysis: every class k is a Gaussian N(μₖ, Σₖ) of prior πₖ with a
// covariance of its own. The boundary between two classes, where
//
//	log πₖ − ½ log|Σₖ| − ½ (x−μₖ)ᵀΣₖ⁻¹(x−μₖ)
//
// is equal for both, is a quadric: an ellipse, a parabola, a hyperbola. A class needs more rows
// than there are columns, or Shrinkage, and has d(d+1)/2 numbers to estimate from them, where LDA
// has as many for all classes. Columns that are constant in all rows are left out. A fit costs
// O(nd² + Kd³). The zero value is ready to use.
type QDA struct {
	Shrinkage Shrinkage // of each class's covariance; "" means None
	Amount    float64   // α of Fixed, 0 to 1
	Priors    []float64 // of the classes, in the order of their labels, scaled to sum 1; nil means their shares of the rows
	Divisor   Divisor   // of each Σₖ; "" means MaximumLikelihood
}

// QDAModel is a fitted QDA.
type QDAModel struct {
	Classes         []int           // the labels, ascending; length K
	Counts          []int           // rows of each class
	Priors          []float64       // length K, sum 1
	Means           *mat.Dense      // K×d
	Covariances     []*mat.SymDense // length K, d×d each
	Alpha           []float64       // how far each was drawn to its target
	Whitening       []*mat.Dense    // length K, a column for each column of x that is not constant: Wₖᵀ·Σₖ·Wₖ is the identity
	LogDeterminants []float64       // length K: log |Σₖ| of the columns that are not constant
}

func init() { ml.Register[QDAModel]("discriminant.QDAModel") }

// Fit fits the Gaussians to the classes y, 0 or more, of the rows of x; rows with −1 have none and
// are left out. The errors are those of LDA.Fit; ml.ErrParameter also for a class of one row, or
// one whose covariance is singular, which the error names.
func (q QDA) Fit(ctx context.Context, x mat.Matrix, y []int) (*QDAModel, error) {
	const method = "discriminant.QDA"
	s := shrink{q.Shrinkage, q.Amount}
	g, err := newGaussians(ctx, method, x, y, q.Priors, s, q.Divisor)
	if err != nil {
		return nil, err
	}
	_, d := g.centered.Dims()
	m := &QDAModel{Classes: g.names, Counts: g.counts, Priors: g.priors, Means: mat.NewDense(len(g.names), len(g.all.A), nil)}
	for c, count := range g.counts {
		if count < 2 {
			return nil, ml.BadParameter(method, fmt.Sprintf("the number of rows of class %d", g.names[c]), count, "at least 2: one row has no covariance")
		}
		factor := 1.0
		if q.Divisor == Unbiased {
			factor = float64(count) / float64(count-1)
		}
		cov, alpha := s.covariance(ctx, g, c)
		var w *whitening
		if s.none() {
			w, err = whitenRows(ctx, method, g.class(c), g.deviations(ctx, g.class(c)))
		} else {
			w, err = whitenCovariance(ctx, method, cov)
		}
		if err != nil {
			return nil, err
		}
		if err := w.full(g, c, s); err != nil {
			return nil, err
		}
		w.scale.Scale(1/math.Sqrt(factor), w.scale)
		scale, err := g.rowsOut(w.scale)
		if err != nil {
			return nil, err
		}
		out, err := g.covarianceOut(cov, factor, fmt.Sprintf(" in class %d", g.names[c]))
		if err != nil {
			return nil, err
		}
		g.meanOut(m.Means.RawRowView(c), g.means.RawRowView(c))
		m.Covariances, m.Whitening = append(m.Covariances, out), append(m.Whitening, scale)
		m.Alpha = append(m.Alpha, alpha)
		m.LogDeterminants = append(m.LogDeterminants, w.log+float64(d)*math.Log(factor)-2*g.units.LogVolume())
	}
	return m, ctx.Err()
}

// full is an error where a class does not vary in every direction.
func (w *whitening) full(g *gaussians, c int, s shrink) error {
	_, d := g.centered.Dims()
	if w.rank() == d {
		return nil
	}
	why := "the columns depend on each other"
	if g.counts[c] <= d {
		why = fmt.Sprintf("it has %d rows, and %d columns need %d", g.counts[c], d, d+1)
	}
	for j, u := range w.unit {
		if u == 0 {
			why = fmt.Sprintf("column %d is constant in it", g.columns[j])
			break
		}
	}
	if s.none() {
		why += "; Shrinkage may help"
	}
	return ml.BadParameter(g.method, fmt.Sprintf("the rank of the covariance of class %d", g.names[c]), w.rank(),
		fmt.Sprintf("%d, the number of columns that vary: %s", d, why))
}

// LogPosterior returns log p(k | x) of each row of x and each class, n×K, in nats. The errors are
// those of ml.Dense, and ml.ErrShape for another number of columns than that of the fit.
func (m *QDAModel) LogPosterior(x mat.Matrix) (*mat.Dense, error) {
	return m.logPosterior("discriminant.QDAModel.LogPosterior", x)
}

func (m *QDAModel) logPosterior(method string, x mat.Matrix) (*mat.Dense, error) {
	k, d := m.Means.Dims()
	rows, err := query(method, x, d)
	if err != nil {
		return nil, err
	}
	maps := make([]*mat.Dense, k)
	for c, w := range m.Whitening {
		maps[c] = mat.DenseCopyOf(w.T())
	}
	n, _ := rows.Dims()
	return logPosterior(n, k, func(lo, hi int, out *mat.Dense) {
		row, z := make([]float64, d), make([]float64, d)
		for i := lo; i < hi; i++ {
			for c, w := range maps {
				differences(row, rows.RawRowView(i), m.Means.RawRowView(c))
				r, _ := w.Dims()
				z := z[:r]
				blas.DotRows(z, row, w.RawMatrix().Data, d)
				for j, v := range z {
					if !(math.Abs(v) <= far) {
						z[j] = bounded(row, w.RawRowView(j))
					}
				}
				out.Set(i, c, math.Log(m.Priors[c])-m.LogDeterminants[c]/2-blas.Dot(z, z)/2)
			}
		}
	}), nil
}

// Posterior returns p(k | x) of each row of x and each class, n×K. The errors are those of
// LogPosterior.
func (m *QDAModel) Posterior(x mat.Matrix) (*mat.Dense, error) {
	log, err := m.logPosterior("discriminant.QDAModel.Posterior", x)
	if err != nil {
		return nil, err
	}
	return exponentials(log), nil
}

// Predict returns the likeliest class of each row of x; of equally likely ones the first. The
// errors are those of LogPosterior.
func (m *QDAModel) Predict(x mat.Matrix) ([]int, error) {
	log, err := m.logPosterior("discriminant.QDAModel.Predict", x)
	if err != nil {
		return nil, err
	}
	return likeliest(log, m.Classes), nil
}
