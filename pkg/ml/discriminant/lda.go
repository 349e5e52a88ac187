package discriminant

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// LDA is linear discriminant analysis (Fisher, 1936; Rao, 1948): every class k is a Gaussian
// N(μₖ, Σ) of prior πₖ, and all have the same covariance, that within the classes,
//
//	Σ = (1/n) Σₖ Σ_{i in k} (xᵢ−μₖ)(xᵢ−μₖ)ᵀ.
//
// Then log p(k | x) is linear in x, and the boundary between two classes is a plane. The axes are
// the directions a that maximise the variance of the class means over that of the rows about them,
//
//	aᵀBa / aᵀΣa,  B = Σₖ πₖ (μₖ−μ)(μₖ−μ)ᵀ,  μ = Σₖ πₖμₖ,
//
// each uncorrelated within the classes with those before it. On the first K−1 lies all in which the
// Gaussians differ.
//
// Without shrinkage, Σ is never formed to be inverted: its square root comes from the singular
// values of the centered rows. Columns have their own units then, so that scales make no
// difference. A constant column, or a direction in which no row differs from another, is left out;
// a direction in which only the classes differ has an infinite ratio, which is an error. Shrinkage
// gives variance to every direction but to columns that are constant within each class. A fit costs
// O(nd² + d³). The zero value is ready to use.
type LDA struct {
	Shrinkage Shrinkage // of each class's covariance; "" means None
	Amount    float64   // α of Fixed, 0 to 1
	Priors    []float64 // of the classes, in the order of their labels, scaled to sum 1; nil means their shares of the rows
	Divisor   Divisor   // of Σ; "" means MaximumLikelihood
}

// LDAModel is a fitted LDA.
type LDAModel struct {
	Classes        []int         // the labels, ascending; length K
	Counts         []int         // rows of each class
	Priors         []float64     // length K, sum 1
	Means          *mat.Dense    // K×d
	Mean           []float64     // length d: the mean of the means, weighted by Priors
	Covariance     *mat.SymDense // Σ, d×d
	Rank           int           // of Σ
	Alpha          []float64     // how far each class's covariance was drawn to its target
	Axes           *mat.Dense    // d×r, r = min(K−1, Rank), the best first: Axesᵀ·Σ·Axes is the identity
	Eigenvalues    []float64     // length r: aᵀBa of each axis a, where aᵀΣa is 1
	ExplainedRatio []float64     // the eigenvalues as parts of their sum; 0 where all means are equal
	Coefficients   *mat.Dense    // K×d: log p(k | x) = Coefficients[k]·x + Intercepts[k] + what all classes share
	Intercepts     []float64     // length K
}

func init() { ml.Register[LDAModel]("discriminant.LDAModel") }

// Fit fits the Gaussians to the classes y, 0 or more, of the rows of x; rows with −1 have none and
// are left out. A class may have a single row as long as others have more. The errors are those of
// ml.Dense, ml.ErrShape for another number of labels or priors, ml.ErrParameter for an option or a
// label out of range, fewer than two classes, classes without any variance, or ones that differ in
// a direction in which no class varies, ml.ErrNotFinite where a variance is beyond the range of a
// float64, and ctx.Err().
func (l LDA) Fit(ctx context.Context, x mat.Matrix, y []int) (*LDAModel, error) {
	const method = "discriminant.LDA"
	s := shrink{l.Shrinkage, l.Amount}
	g, err := newGaussians(ctx, method, x, y, l.Priors, s, l.Divisor)
	if err != nil {
		return nil, err
	}
	n, d := g.centered.Dims()
	k := len(g.names)
	m := &LDAModel{Classes: g.names, Counts: g.counts, Priors: g.priors, Alpha: make([]float64, k)}
	factor := 1.0
	if l.Divisor == Unbiased {
		factor = float64(n) / math.Max(float64(n-k), 1) // with n = K there is no variance, which is an error
	}
	cov := mat.NewSymDense(d, nil)
	var w *whitening
	if s.none() {
		cov.SymOuterK(1/float64(n), g.centered.T())
		w, err = whitenRows(ctx, method, g.centered, g.within)
	} else {
		for c, count := range g.counts {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			of, alpha := s.covariance(ctx, g, c)
			of.ScaleSym(float64(count)/float64(n), of)
			cov.AddSym(cov, of)
			m.Alpha[c] = alpha
		}
		w, err = whitenCovariance(ctx, method, cov)
	}
	if err != nil {
		return nil, err
	}
	mean := mat.NewVecDense(d, nil)
	mean.MulVec(g.means.T(), mat.NewVecDense(k, g.priors))
	between := mat.NewDense(k, d, nil)
	for c := range k {
		differences(between.RawRowView(c), g.means.RawRowView(c), mean.RawVector().Data)
	}
	if err := w.holds(method, between, g); err != nil {
		return nil, err
	}
	m.Rank = w.rank()
	if err := m.place(g, w, between, factor, mean.RawVector().Data); err != nil {
		return nil, err
	}
	if m.Covariance, err = g.covarianceOut(cov, factor, ""); err != nil {
		return nil, err
	}
	return m, ctx.Err()
}

// holds is an error where means differ in a direction without variance: the ratio that the axes
// maximise is infinite there.
func (w *whitening) holds(method string, between *mat.Dense, g *gaussians) error {
	const apart = 1e-7 // of the largest difference, in standard deviations
	if w.rank() == 0 {
		return g.noVariance()
	}
	k, d := between.Dims()
	if w.rank() == d {
		return nil
	}
	scaled := mat.NewDense(k, d, nil)
	scaled.Apply(func(_, j int, v float64) float64 { return v / cmp.Or(w.unit[j], g.total[j]) }, between)
	var on, rest mat.Dense
	on.Mul(scaled, w.basis)
	rest.Mul(&on, w.basis.T())
	rest.Sub(scaled, &rest)
	bound := apart * math.Max(1, math.Max(mat.Max(scaled), -mat.Min(scaled)))
	if math.Max(mat.Max(&rest), -mat.Min(&rest)) <= bound {
		return nil
	}
	where := ""
	for j, u := range w.unit {
		if u == 0 {
			where = fmt.Sprintf(" (column %d is constant within each class)", g.columns[j])
			break
		}
	}
	return ml.BadParameter(method, "the rank of the covariance within the classes", w.rank(),
		fmt.Sprintf("%d, the number of columns that vary: the classes differ in a direction in which none of them varies%s; Shrinkage may help", d, where))
}

// place finds the axes among the whitened directions, and what follows from them.
func (m *LDAModel) place(g *gaussians, w *whitening, between *mat.Dense, factor float64, mean []float64) error {
	k, d := between.Dims()
	root := math.Sqrt(factor)
	var whitened mat.Dense // the means, in standard deviations
	whitened.Mul(between, w.scale)
	whitened.Scale(1/root, &whitened)
	weighted := mat.DenseCopyOf(&whitened)
	for c, p := range g.priors {
		row := weighted.RawRowView(c)
		for j := range row {
			row[j] *= math.Sqrt(p)
		}
	}
	var svd mat.SVD
	if !svd.Factorize(weighted, mat.SVDThinV) {
		return ml.NotFinite(g.method, "the singular values of the means were not found")
	}
	var v, axes mat.Dense
	svd.VTo(&v)
	r := min(k-1, w.rank())
	turn := mat.DenseCopyOf(v.Slice(0, w.rank(), 0, r))
	axes.Mul(w.scale, turn)
	// The signs are those of columns divided by their standard deviation.
	for c := range r {
		a := mat.Col(nil, c, &axes)
		for j := range a {
			a[j] *= g.within[j]
		}
		before := slices.Clone(a)
		if eigen.SetSign(a); !slices.Equal(a, before) {
			for j := range d {
				axes.Set(j, c, -axes.At(j, c))
			}
			for j := range w.rank() {
				turn.Set(j, c, -turn.At(j, c))
			}
		}
	}
	axes.Scale(1/root, &axes)
	var err error
	if m.Axes, err = g.rowsOut(&axes); err != nil {
		return err
	}
	sum := 0.0
	for _, s := range svd.Values(nil)[:r] {
		m.Eigenvalues = append(m.Eigenvalues, s*s)
		sum += s * s
	}
	m.ExplainedRatio = make([]float64, r)
	for c, v := range m.Eigenvalues {
		if sum > 0 {
			m.ExplainedRatio[c] = v / sum
		}
	}
	m.Means, m.Mean = mat.NewDense(k, len(g.all.A), nil), make([]float64, len(g.all.A))
	g.meanOut(m.Mean, mean)
	var at mat.Dense // the means on the axes
	at.Mul(&whitened, turn)
	var coefficients mat.Dense
	coefficients.Mul(&at, m.Axes.T())
	m.Coefficients, m.Intercepts = &coefficients, make([]float64, k)
	for c := range k {
		g.meanOut(m.Means.RawRowView(c), g.means.RawRowView(c))
		row := at.RawRowView(c)
		m.Intercepts[c] = math.Log(g.priors[c]) - blas.Dot(row, row)/2 - bounded(m.Mean, coefficients.RawRowView(c))
	}
	return nil
}

// Transform returns the rows of x on the axes, n×r: (x − Mean)·Axes. Within the classes of the fit
// they are uncorrelated and have variance 1, and the classes whose means are nearest, up to their
// priors, are the likeliest. The errors are those of ml.Dense, and ml.ErrShape for another number
// of columns.
func (m *LDAModel) Transform(x mat.Matrix) (*mat.Dense, error) {
	rows, err := query("discriminant.LDAModel.Transform", x, len(m.Mean))
	if err != nil {
		return nil, err
	}
	return m.project(rows), nil
}

func (m *LDAModel) project(rows *mat.Dense) *mat.Dense {
	n, d := rows.Dims()
	axes := mat.DenseCopyOf(m.Axes.T())
	r, _ := axes.Dims()
	out := mat.NewDense(n, r, nil)
	_ = parallel.For(context.Background(), n, 512, func(_, lo, hi int) {
		row := make([]float64, d)
		for i := lo; i < hi; i++ {
			differences(row, rows.RawRowView(i), m.Mean)
			to := out.RawRowView(i)
			blas.DotRows(to, row, axes.RawMatrix().Data, d)
			for c, v := range to {
				if !(math.Abs(v) <= far) {
					to[c] = bounded(row, axes.RawRowView(c))
				}
			}
		}
	})
	return out
}

// LogPosterior returns log p(k | x) of each row of x and each class, n×K, in nats. The errors are
// those of Transform.
func (m *LDAModel) LogPosterior(x mat.Matrix) (*mat.Dense, error) {
	return m.logPosterior("discriminant.LDAModel.LogPosterior", x)
}

// On the axes, where nothing cancels that all classes share: log πₖ + mₖ·z − ‖mₖ‖²/2.
func (m *LDAModel) logPosterior(method string, x mat.Matrix) (*mat.Dense, error) {
	rows, err := query(method, x, len(m.Mean))
	if err != nil {
		return nil, err
	}
	means, z := m.project(m.Means), m.project(rows)
	n, _ := rows.Dims()
	return logPosterior(n, len(m.Classes), func(lo, hi int, out *mat.Dense) {
		for i := lo; i < hi; i++ {
			for c, p := range m.Priors {
				mean := means.RawRowView(c)
				out.Set(i, c, math.Log(p)+blas.Dot(mean, z.RawRowView(i))-blas.Dot(mean, mean)/2)
			}
		}
	}), nil
}

// Posterior returns p(k | x) of each row of x and each class, n×K. The errors are those of
// Transform.
func (m *LDAModel) Posterior(x mat.Matrix) (*mat.Dense, error) {
	log, err := m.logPosterior("discriminant.LDAModel.Posterior", x)
	if err != nil {
		return nil, err
	}
	return exponentials(log), nil
}

// Predict returns the likeliest class of each row of x; of equally likely ones the first. The
// errors are those of Transform.
func (m *LDAModel) Predict(x mat.Matrix) ([]int, error) {
	log, err := m.logPosterior("discriminant.LDAModel.Predict", x)
	if err != nil {
		return nil, err
	}
	return likeliest(log, m.Classes), nil
}

// Boundary returns the plane weights·x + intercept = 0 on which classes a and b are equally likely;
// where the sum is positive, a is likelier: it is log p(a | x) − log p(b | x). The weights are
// Σ⁻¹(μa − μb), so that the plane is perpendicular to them, and to μa − μb in the geometry of Σ:
// vᵀΣ⁻¹(μa − μb) = 0 for every v along it. The error is ml.ErrParameter for a label that no row of
// the fit had.
func (m *LDAModel) Boundary(a, b int) (weights []float64, intercept float64, err error) {
	const method = "discriminant.LDAModel.Boundary"
	i, okA := slices.BinarySearch(m.Classes, a)
	j, okB := slices.BinarySearch(m.Classes, b)
	if !okA || !okB || a == b {
		return nil, 0, ml.BadParameter(method, "the classes", [2]int{a, b}, fmt.Sprintf("two of %v", m.Classes))
	}
	weights = make([]float64, len(m.Mean))
	differences(weights, m.Coefficients.RawRowView(i), m.Coefficients.RawRowView(j))
	return weights, m.Intercepts[i] - m.Intercepts[j], nil
}
