package decomposition

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// FactorAnalysis explains what d variables have in common by k hidden factors (Spearman, 1904;
// Lawley, 1940),
//
//	z ~ N(0, I),   x = m + Wz + ε,   ε ~ N(0, Ψ),   Ψ diagonal,
//
// so that x has the covariance WWᵀ + Ψ. W holds the loadings; what a variable has for itself is its
// uniqueness Ψⱼ. It differs from probabilistic PCA in that noise may differ from one variable to
// the next, and so, other than for PCA, units make no difference: columns times c have loadings
// times c.
//
// The fit maximises the likelihood. It can do so with a uniqueness that goes to 0, where a factor
// becomes the variable itself (a Heywood case): uniquenesses are held above Floor, and those that
// rest on it are named. Loadings are determined up to a rotation of the factors. Unrotated, WᵀΨ⁻¹W
// is diagonal, the strongest factor first; Rotation looks for simpler ones.
type FactorAnalysis struct {
	Factors   int          // k, 1 to d−1; 0 means 1
	Method    FactorMethod // "" means Concentrated, and EM with Isotropic or Missing
	Isotropic bool         // one noise variance for all variables: probabilistic PCA, which knows units
	Rotation  Rotation     // "" means Unrotated
	Missing   mat.Matrix   // n×d, not 0 where an entry of x is missing, whatever is there; nil for none
	Floor     float64      // least uniqueness, as a part of the variable's variance; 0 means 1e-6
	MaxIter   int          // steps; 0 means 20,000 of EM, 500 of Concentrated
	// Tol ends the fit at a step that gains less log-likelihood a row, in nats; 0 means 1e-10 for
	// EM and 1e-13 for Concentrated.
	Tol float64
}

// FactorMethod is how the likelihood is maximised.
type FactorMethod string

const (
	// Concentrated takes for each Ψ the best W, which the eigenvectors of Ψ^(−½)SΨ^(−½) give, and
	// minimises what is left, a function of log Ψ alone, by Newton's steps with an approximate
	// second derivative (Jöreskog, 1967). A step costs O(d³); there are few.
	Concentrated FactorMethod = "concentrated"
	// EM alternates the expected factors with regressions on them (Rubin & Thayer, 1982). A step
	// costs O(d²k), or O(ndk²) where entries are missing; there may be thousands.
	EM FactorMethod = "em"
)

// FactorModel is a fitted FactorAnalysis.
type FactorModel struct {
	Mean        []float64     // length d
	Loadings    *mat.Dense    // d×k, in the units of the variables: W, or the pattern of oblique factors
	Uniqueness  []float64     // length d, the diagonal of Ψ
	Communality []float64     // length d, the share of each variable's variance, in the model, that is common
	Correlation *mat.SymDense // k×k, of the factors: the identity unless Rotation is Promax
	// Ratio is, of each factor, the mean over the variables of the share of their variance that it
	// explains. Shares of correlated factors overlap.
	Ratio         []float64
	LogLikelihood float64 // mean of log p over the rows, of what is observed of them, in nats
	Heywood       []int   // variables whose uniqueness rests on the floor; nil for none
	Iterations    int
	Converged     bool
}

func init() { ml.Register[FactorModel]("decomposition.FactorModel") }

const factorMethod = "decomposition.FactorAnalysis"

// factorFit is a fit in units in which variables have variance 1, or a common one for Isotropic.
type factorFit struct {
	FactorAnalysis
	n, d, k int
	floor   []float64
	unit    []float64 // of each variable, in the caller's units
	units   scaling.Units
	cov     *mat.SymDense // where nothing is missing
	y       *mat.Dense    // where something is
	seen    [][]int       // and what is observed of each row
}

// factors is a solution in these units.
type factors struct {
	mean   []float64
	w      *mat.Dense // d×k
	psi    []float64
	loglik float64
	steps  int
	done   bool
}

// Fit returns the model of the highest likelihood that was found. The error is ml.ErrParameter for
// an option out of range, a constant variable or a variable or row that is all missing, ml.ErrShape
// for a Missing of another shape, the errors of ml.Dense, ml.ErrNotFinite where a variance is
// beyond the range of a float64, and ctx.Err(), along with the model so far.
func (f FactorAnalysis) Fit(ctx context.Context, x mat.Matrix) (*FactorModel, error) {
	fit, err := f.check(ctx, x)
	if err != nil {
		return nil, err
	}
	var last *factors
	for s, err := range fit.iterate(ctx) {
		if err != nil {
			return nil, err
		}
		last = s
	}
	if last == nil {
		return nil, ctx.Err()
	}
	m, err := fit.model(last)
	if err != nil {
		return nil, err
	}
	return m, ctx.Err()
}

// Iterate yields the model after every step, the first being the start; each is a fresh value, and
// none is less likely than the one before.
func (f FactorAnalysis) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*FactorModel, error] {
	return func(yield func(*FactorModel, error) bool) {
		fit, err := f.check(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		var last *FactorModel
		for s, err := range fit.iterate(ctx) {
			if err == nil {
				last, err = fit.model(s)
			}
			if !yield(last, err) || err != nil {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(last, err)
		}
	}
}

func (f FactorAnalysis) check(ctx context.Context, x mat.Matrix) (*factorFit, error) {
	raw, err := ml.Dense(factorMethod, x)
	if err != nil {
		return nil, err
	}
	n, d := raw.Dims()
	f.Factors = cmp.Or(f.Factors, 1)
	switch {
	case f.Factors < 1 || f.Factors >= d:
		return nil, ml.BadParameter(factorMethod, "Factors", f.Factors, fmt.Sprintf("1 to d−1 = %d", d-1))
	case f.Method != "" && f.Method != Concentrated && f.Method != EM:
		return nil, ml.BadParameter(factorMethod, "Method", fmt.Sprintf("%q", f.Method), `"", "concentrated" or "em"`)
	case f.Method == Concentrated && (f.Missing != nil || f.Isotropic):
		return nil, ml.BadParameter(factorMethod, "Method", `"concentrated"`, `"em" or "" with Missing or Isotropic`)
	case f.Floor != 0 && !(f.Floor >= 1e-12 && f.Floor < 1):
		return nil, ml.BadParameter(factorMethod, "Floor", f.Floor, "0 (for 1e-6), or 1e-12 to 1")
	case f.MaxIter < 0:
		return nil, ml.BadParameter(factorMethod, "MaxIter", f.MaxIter, "0 or more")
	case !(f.Tol >= 0) || math.IsInf(f.Tol, 0):
		return nil, ml.BadParameter(factorMethod, "Tol", f.Tol, "0 for the default, or a positive number")
	}
	if err := f.Rotation.check(factorMethod); err != nil {
		return nil, err
	}
	fit := &factorFit{FactorAnalysis: f, n: n, d: d, k: f.Factors, floor: make([]float64, d), unit: make([]float64, d)}
	if f.Missing != nil {
		if raw, err = fit.fill(raw); err != nil {
			return nil, err
		}
	}
	s, err := scaling.Standardize(ctx, raw, f.Isotropic)
	if err != nil {
		return nil, err
	}
	fit.units = s.Units
	for j, v := range s.Variance {
		if v <= 0 {
			return nil, ml.BadParameter(factorMethod, fmt.Sprintf("the variance of column %d", j), v, "more than 0: leave a constant column out")
		}
		unit := math.Sqrt(v)
		if f.Isotropic {
			unit = 1
		}
		fit.unit[j], fit.floor[j] = unit/s.B[j]/s.A[j], cmp.Or(f.Floor, 1e-6)*v/(unit*unit)
		for i := range n {
			s.X.Set(i, j, s.X.At(i, j)/unit)
		}
	}
	if f.Isotropic {
		least := slices.Max(fit.floor)
		for j := range fit.floor {
			fit.floor[j] = least
		}
	}
	if fit.seen != nil {
		fit.y = s.X
		return fit, nil
	}
	fit.cov = mat.NewSymDense(d, nil)
	fit.cov.SymOuterK(1/float64(n), s.X.T())
	return fit, ctx.Err()
}

// fill notes what is observed, and puts the means of that in the place of what is missing: a start
// in which nothing of the numbers there is left.
func (f *factorFit) fill(x *mat.Dense) (*mat.Dense, error) {
	if r, c := f.Missing.Dims(); r != f.n || c != f.d {
		return nil, ml.BadShape(factorMethod, "Missing is %d×%d, want %d×%d as the data", r, c, f.n, f.d)
	}
	f.seen = make([][]int, f.n)
	mean, count := make([]float64, f.d), make([]float64, f.d)
	for i := range f.n {
		for j := range f.d {
			if f.Missing.At(i, j) == 0 {
				f.seen[i] = append(f.seen[i], j)
				count[j]++
				mean[j] += (x.At(i, j) - mean[j]) / count[j]
			}
		}
		if f.seen[i] == nil {
			return nil, ml.BadParameter(factorMethod, fmt.Sprintf("the number of observed entries of row %d", i), 0, "at least 1: leave the row out")
		}
	}
	out := mat.NewDense(f.n, f.d, nil)
	for j, c := range count {
		if c < 2 {
			return nil, ml.BadParameter(factorMethod, fmt.Sprintf("the number of observed entries of column %d", j), c, "at least 2")
		}
		for i := range f.n {
			out.Set(i, j, mean[j])
		}
	}
	for i, columns := range f.seen {
		for _, j := range columns {
			out.Set(i, j, x.At(i, j))
		}
	}
	return out, nil
}

func (f *factorFit) iterate(ctx context.Context) iter.Seq2[*factors, error] {
	steps, most, tol := f.em, 20_000, 1e-10
	if f.Missing == nil && !f.Isotropic && f.Method != EM {
		steps, most, tol = f.concentrated, 500, 1e-13
	}
	return func(yield func(*factors, error) bool) {
		before := math.Inf(-1)
		for s, err := range steps(ctx) {
			if err != nil {
				yield(nil, err)
				return
			}
			s.done = s.done || s.loglik-before < cmp.Or(f.Tol, tol)
			before = s.loglik
			if !yield(s, nil) || s.done || s.steps >= cmp.Or(f.MaxIter, most) || ctx.Err() != nil {
				return
			}
		}
	}
}

// model brings a solution to its final form and the caller's units.
func (f *factorFit) model(s *factors) (*FactorModel, error) {
	m := &FactorModel{Mean: make([]float64, f.d), Uniqueness: make([]float64, f.d), Communality: make([]float64, f.d), Ratio: make([]float64, f.k),
		Iterations: s.steps, Converged: s.done}
	w := canonical(s.w, s.psi)
	m.LogLikelihood = s.loglik
	share := mat.NewDense(f.d, f.k, nil)
	for j, psi := range s.psi {
		common := 0.0
		for _, v := range w.RawRowView(j) {
			common += v * v
		}
		m.Communality[j] = common / (common + psi)
		for c, v := range w.RawRowView(j) {
			share.Set(j, c, v/math.Sqrt(common+psi))
		}
		if psi <= f.floor[j]*(1+1e-3) {
			m.Heywood = append(m.Heywood, j)
		}
		m.LogLikelihood -= math.Log(f.unit[j]) * f.observed(j)
		m.Uniqueness[j] = psi * f.unit[j] * f.unit[j]
		if v := m.Uniqueness[j]; v <= 0 || math.IsInf(v, 0) {
			return nil, ml.NotFinite(factorMethod, "the variance of column %d is beyond the range of a float64: scale the data", j)
		}
	}
	// Variables count alike in a rotation, whatever their variance.
	pattern, turn, correlation := f.Rotation.rotate(share)
	w.Mul(w, turn)
	for c := range f.k {
		column := mat.Col(nil, c, pattern)
		before := slices.Clone(column)
		if eigen.SetSign(column); !slices.Equal(before, column) {
			for j := range f.d {
				w.Set(j, c, -w.At(j, c))
			}
			for other := range f.k {
				if other != c {
					correlation.Set(c, other, -correlation.At(c, other))
					correlation.Set(other, c, -correlation.At(other, c))
				}
			}
		}
		for _, v := range column {
			m.Ratio[c] += v * v / float64(f.d)
		}
	}
	for j := range f.d {
		for c := range f.k {
			w.Set(j, c, w.At(j, c)*f.unit[j])
		}
	}
	z := make([]float64, f.d)
	for j := range z {
		z[j] = s.mean[j] * f.unit[j] * f.units.A[j] * f.units.B[j]
	}
	f.units.OutOf(m.Mean, z)
	m.Loadings, m.Correlation = w, mat.NewSymDense(f.k, correlation.RawMatrix().Data)
	return m, nil
}

// observed is the share of the rows of which variable j is observed.
func (f *factorFit) observed(j int) float64 {
	if f.seen == nil {
		return 1
	}
	count := 0
	for _, columns := range f.seen {
		if _, ok := slices.BinarySearch(columns, j); ok {
			count++
		}
	}
	return float64(count) / float64(f.n)
}

// canonical turns loadings so that WᵀΨ⁻¹W is diagonal, descending.
func canonical(w *mat.Dense, psi []float64) *mat.Dense {
	d, k := w.Dims()
	scaled := mat.NewDense(d, k, nil)
	scaled.Apply(func(j, _ int, v float64) float64 { return v / math.Sqrt(psi[j]) }, w)
	var svd mat.SVD
	out := mat.DenseCopyOf(w)
	if svd.Factorize(scaled, mat.SVDThinV) {
		var v mat.Dense
		svd.VTo(&v)
		out.Mul(w, &v)
	}
	return out
}
