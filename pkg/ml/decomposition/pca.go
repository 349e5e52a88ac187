package decomposition

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// PCA is principal component analysis (Pearson, 1901; Hotelling, 1933): the orthonormal directions
// v₁, v₂, … along which the data vary most, which also leave the least of it behind,
//
//	min Σᵢ ‖xᵢ − m − V z_i‖²  over V with VᵀV = I,    z_i = Vᵀ(xᵢ − m).
//
// They are the right singular vectors of the centered data, and the eigenvectors of its covariance.
// Each is determined up to its sign, which is chosen so that the entry of largest size is positive:
// it does not change with the rows or their order.
//
// What is done to the columns before is a choice with consequences: variables in larger units vary
// more. By default their means are taken away and nothing else.
type PCA struct {
	Components   int     // directions to keep; 0 means min(n, d)
	Uncentered   bool    // leave the means in: directions then begin at the origin
	Standardized bool    // divide each column by its standard deviation; a constant one is left as it is
	Divisor      Divisor // of sums of squares: "" or Sample for n−1, Population for n
	Solver       Solver  // "" chooses, see Solver
	Seed         uint64  // of Randomized
}

// Divisor is what a sum of n squares is divided by to become a variance.
type Divisor string

const (
	Sample     Divisor = "sample"     // n−1, the unbiased estimate
	Population Divisor = "population" // n, the maximum-likelihood estimate of a Gaussian
)

func (d Divisor) of(n int) float64 {
	if d == Population {
		return float64(n)
	}
	return float64(max(n-1, 1))
}

// Solver is how the directions are found. The default is SVD for data of up to a million numbers;
// above that Covariance where there are at most 1,000 variables and no more variables than rows,
// Randomized where fewer than a fifth of all components are asked for, and SVD otherwise.
type Solver string

const (
	// SVD is a QR decomposition and the singular value decomposition of its triangle: exact to
	// rounding, small singular values too. O(nd²).
	SVD Solver = "svd"
	// Covariance takes the eigenvectors of the d×d covariance matrix, which is formed first:
	// several times as fast, but of singular values below 1e-8 of the largest nothing is left but
	// rounding. O(nd² + d³).
	Covariance Solver = "covariance"
	// Randomized finds the first few in products with random vectors (Halko, Martinsson & Tropp,
	// 2011). O(ndk).
	Randomized Solver = "randomized"
)

// PCAModel are principal components. Transform, Whiten, Inverse and LogProb take further data.
type PCAModel struct {
	Mean       []float64  // length d, what is taken from each column: zeros for Uncentered data
	Scale      []float64  // length d, what each column is divided by after that; nil means 1
	Components *mat.Dense // k×d, orthonormal rows
	Variance   []float64  // length k, of the scores, descending
	Ratio      []float64  // length k, Variance as a share of Total
	Singular   []float64  // length k, singular values: √(Variance · divisor)
	Total      float64    // the sum of the variances of all columns, as the components see them
	Noise      float64    // the mean of the min(n, d)−k variances that are left out, 0 where there are none
	Rank       int        // components whose variance is more than rounding
	Rows       int        // n
	Divisor    Divisor
	Solver     Solver // that found them
}

func init() { ml.Register[PCAModel]("decomposition.PCAModel") }

const pcaMethod = "decomposition.PCA"

// Fit finds the components of the rows of x. The error is ml.ErrParameter for an option out of
// range (Components outside of 1 to min(n, d), or 0), ml.ErrEmpty and ml.ErrNotFinite as ml.Dense
// says, and ctx.Err().
func (p PCA) Fit(ctx context.Context, x mat.Matrix) (*PCAModel, error) {
	raw, err := ml.Dense(pcaMethod, x)
	if err != nil {
		return nil, err
	}
	n, d := raw.Dims()
	k, solver, err := p.check(n, d)
	if err != nil {
		return nil, err
	}
	y, unit := scaling.InRange(raw) // squares stay in range
	m := &PCAModel{Rows: n, Divisor: p.Divisor, Solver: solver}
	if m.Divisor == "" {
		m.Divisor = Sample
	}
	means, _ := scaling.Means(ctx, y, ones(d))
	if p.Uncentered {
		clear(means)
	}
	divisor := m.Divisor.of(n)
	var values, squares []float64 // singular values; each column's sum of squares
	if solver == Covariance {
		gram := centeredGram(ctx, y, means)
		squares = make([]float64, d)
		for j := range squares {
			squares[j] = gram.At(j, j)
		}
		if p.Standardized {
			m.Scale = standardize(squares, divisor)
			divideGram(gram, m.Scale)
		}
		values, err = m.byCovariance(ctx, gram, k, p.Seed)
	} else {
		y = mat.DenseCopyOf(y)
		squares = centerAndSum(ctx, y, means)
		if p.Standardized {
			m.Scale = standardize(squares, divisor)
			divideColumns(y, m.Scale)
		}
		values, err = m.solve(ctx, y, k, p.Seed)
	}
	if err != nil {
		return nil, err
	}
	total := 0.0
	for _, s := range squares {
		total += s / divisor
	}
	back := 1.0 // from y's unit to that of the scores
	if !p.Standardized {
		back = 1 / unit
	}
	m.Mean = make([]float64, d)
	for j, v := range means {
		m.Mean[j] = v / unit
	}
	for j := range m.Scale {
		if squares[j] > 0 {
			m.Scale[j] /= unit
		}
	}
	m.finish(values, total, back, min(n, d))
	return m, nil
}

// check completes the options and holds them to what they must be.
func (p PCA) check(n, d int) (k int, solver Solver, err error) {
	bad := func(name string, value any, want string) (int, Solver, error) {
		return 0, "", ml.BadParameter(pcaMethod, name, value, want)
	}
	k, solver = cmp.Or(p.Components, min(n, d)), p.Solver
	switch {
	case k < 1 || k > min(n, d):
		return bad("Components", k, fmt.Sprintf("1 to %d, the smaller of rows and columns, or 0 for all", min(n, d)))
	case p.Divisor != "" && p.Divisor != Sample && p.Divisor != Population:
		return bad("Divisor", fmt.Sprintf("%q", p.Divisor), `"", "sample" or "population"`)
	case solver != "" && solver != SVD && solver != Covariance && solver != Randomized:
		return bad("Solver", fmt.Sprintf("%q", solver), `"", "svd", "covariance" or "randomized"`)
	case solver != "":
	case n*d <= 1e6:
		solver = SVD
	case d <= 1000 && d <= n:
		solver = Covariance
	case 5*k < min(n, d):
		solver = Randomized
	default:
		solver = SVD
	}
	return k, solver, nil
}

func ones(d int) []float64 {
	out := make([]float64, d)
	for j := range out {
		out[j] = 1
	}
	return out
}

// centerAndSum takes the means from the rows of y, in place, and returns each column's sum of
// squares.
func centerAndSum(ctx context.Context, y *mat.Dense, means []float64) []float64 {
	n, _ := y.Dims()
	_ = parallel.For(ctx, n, 512, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			for j, m := range means {
				y.RawRowView(i)[j] -= m
			}
		}
	})
	return scaling.Fold(ctx, y, func(row, into []float64) {
		for j, v := range row {
			into[j] += v * v
		}
	}, func(a, b float64) float64 { return a + b })
}

// centeredGram is YᵀY of the rows minus the means, summed by blocks of rows: the data are read once
// and never copied whole.
func centeredGram(ctx context.Context, x *mat.Dense, means []float64) *mat.SymDense {
	const block = 1024
	n, d := x.Dims()
	gram, centered := mat.NewSymDense(d, nil), mat.NewDense(min(block, n), d, nil)
	for lo := 0; lo < n && ctx.Err() == nil; lo += block {
		rows := min(block, n-lo)
		_ = parallel.For(ctx, rows, 128, func(_, from, to int) {
			for i := from; i < to; i++ {
				row := centered.RawRowView(i)
				for j, v := range x.RawRowView(lo + i) {
					row[j] = v - means[j]
				}
			}
		})
		part := centered.Slice(0, rows, 0, d).(*mat.Dense)
		blas64.Syrk(blas.Trans, 1, part.RawMatrix(), 1, gram.RawSymmetric())
	}
	return gram
}

// standardize returns the deviation of each column, from its sum of squares, which becomes what it
// is after division by that.
func standardize(squares []float64, divisor float64) []float64 {
	deviation := ones(len(squares))
	for j, s := range squares {
		if s > 0 {
			deviation[j] = math.Sqrt(s / divisor)
			squares[j] = divisor
		}
	}
	return deviation
}

func divideColumns(y *mat.Dense, by []float64) {
	n, _ := y.Dims()
	for i := range n {
		row := y.RawRowView(i)
		for j, s := range by {
			row[j] /= s
		}
	}
}

func divideGram(gram *mat.SymDense, by []float64) {
	for i := range by {
		for j := i; j < len(by); j++ {
			gram.SetSym(i, j, gram.At(i, j)/(by[i]*by[j]))
		}
	}
}

// solve finds k singular values of y, descending, and the right singular vectors.
func (m *PCAModel) solve(ctx context.Context, y *mat.Dense, k int, seed uint64) (values []float64, err error) {
	if m.Solver == Randomized {
		s, err := eigen.Randomized{Seed: seed}.Decompose(ctx, pcaMethod, eigen.DenseFactor{A: y}, k)
		if err != nil {
			return nil, err
		}
		m.Components = mat.DenseCopyOf(s.V.T())
		return s.S, nil
	}
	return m.bySVD(ctx, y, k)
}

// bySVD overwrites y. It reduces a tall matrix to the triangle of its QR decomposition, and a wide
// one to that of its transpose, before it takes the singular values of what is left.
func (m *PCAModel) bySVD(ctx context.Context, y *mat.Dense, k int) ([]float64, error) {
	n, d := y.Dims()
	tall := y
	if n < d {
		tall = mat.DenseCopyOf(y.T())
	}
	qr := factorizeQR(tall)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	side := eigen.Right
	if n < d { // yᵀ = QR = Q(UΣWᵀ): the right vectors of y are QU
		side = eigen.Left
	}
	values, vectors, ok := eigen.Singular(qr.r(), k, side)
	if !ok {
		return nil, fmt.Errorf("%s: the singular value decomposition has not converged: %w", pcaMethod, ml.ErrNotConverged)
	}
	m.Components = vectors
	if n < d {
		m.Components = mat.DenseCopyOf(qr.times(mat.DenseCopyOf(vectors.T())).T())
	}
	return values, ctx.Err()
}

// byCovariance takes the eigenvectors of yᵀy.
func (m *PCAModel) byCovariance(ctx context.Context, gram *mat.SymDense, k int, seed uint64) ([]float64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r, err := eigen.Largest(ctx, mat.DenseCopyOf(gram), k, seed)
	if err != nil {
		return nil, err
	}
	if !r.Converged {
		return nil, fmt.Errorf("%s: the eigendecomposition has not converged: %w", pcaMethod, ml.ErrNotConverged)
	}
	_, d := gram.Dims()
	m.Components = mat.NewDense(k, d, nil)
	values := make([]float64, k)
	for c := range k {
		values[c] = math.Sqrt(max(r.Values[c], 0))
		m.Components.SetRow(c, r.Vectors[c])
	}
	return values, nil
}

// finish makes variances of singular values, in a unit that back leads to, and gives the components
// their signs. most is how many there could be.
func (m *PCAModel) finish(values []float64, total, back float64, most int) {
	k, divisor := len(values), m.Divisor.of(m.Rows)
	m.Variance, m.Ratio, m.Singular = make([]float64, k), make([]float64, k), make([]float64, k)
	sum := 0.0
	for c, s := range values {
		eigen.SetSign(m.Components.RawRowView(c))
		v := s * s / divisor
		sum += v
		if total > 0 {
			m.Ratio[c] = v / total
		}
		m.Singular[c], m.Variance[c] = s*back, v*back*back
		if s > values[0]*m.rounding() {
			m.Rank++
		}
	}
	m.Total = total * back * back
	if k < most {
		m.Noise = max(total-sum, 0) * back * back / float64(most-k)
	}
}

// rounding is what is nothing in a singular value, as a share of the largest.
func (m *PCAModel) rounding() float64 {
	_, d := m.Components.Dims()
	if m.Solver == Covariance {
		return math.Sqrt(float64(max(m.Rows, d)) * 2.3e-16)
	}
	return float64(max(m.Rows, d)) * 2.3e-16
}

// prepared is x as the components see it, centered and scaled.
func (m *PCAModel) prepared(method string, x mat.Matrix) (*mat.Dense, error) {
	y, err := deviations(method, x, m.valid, m.Mean)
	if err != nil {
		return nil, err
	}
	if m.Scale != nil {
		y.Apply(func(_, j int, v float64) float64 { return v / m.Scale[j] }, y)
	}
	return y, nil
}

// deviations are the rows of x, checked, minus the mean of a model that has been found valid.
func deviations(method string, x mat.Matrix, valid func(method string) error, mean []float64) (*mat.Dense, error) {
	raw, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	if err := valid(method); err != nil {
		return nil, err
	}
	if err := ml.Columns(method, raw, len(mean)); err != nil {
		return nil, err
	}
	y := mat.DenseCopyOf(raw)
	y.Apply(func(_, j int, v float64) float64 { return v - mean[j] }, y)
	return y, nil
}

// valid holds a model that was made by hand, or read from a file, to its own shapes.
func (m *PCAModel) valid(method string) error {
	if m.Components == nil || m.Components.IsEmpty() {
		return ml.Empty(method, "the model has no components")
	}
	k, d := m.Components.Dims()
	if len(m.Mean) != d || m.Scale != nil && len(m.Scale) != d || len(m.Variance) != k {
		return ml.BadShape(method, "components are %d×%d, with %d means, %d scales and %d variances", k, d, len(m.Mean), len(m.Scale), len(m.Variance))
	}
	return nil
}

// Transform returns the scores of the rows of x, n×k: their coordinates along the components.
// Errors are those of ml.Dense, and ml.ErrShape for another number of columns.
func (m *PCAModel) Transform(x mat.Matrix) (*mat.Dense, error) {
	y, err := m.prepared("decomposition.PCAModel.Transform", x)
	if err != nil {
		return nil, err
	}
	var z mat.Dense
	z.Mul(y, m.Components.T())
	return &z, nil
}

// Whiten returns the scores divided by their standard deviations, n×r: uncorrelated, with a
// variance of 1 by the model's Divisor over the rows that it was fitted on. Directions in which
// those rows did not vary are left out, r = min(k, Rank), since what is divided there would be
// rounding.
func (m *PCAModel) Whiten(x mat.Matrix) (*mat.Dense, error) {
	z, err := m.Transform(x)
	if err != nil {
		return nil, err
	}
	n, k := z.Dims()
	r := min(k, m.Rank)
	if r < 1 {
		return nil, ml.BadParameter("decomposition.PCAModel.Whiten", "Rank", m.Rank, "at least 1: the rows of the fit are all equal")
	}
	out := mat.NewDense(n, r, nil)
	out.Apply(func(i, c int, _ float64) float64 { return z.At(i, c) / math.Sqrt(m.Variance[c]) }, out)
	return out, nil
}

// Inverse returns the points whose scores are the rows of z, n×d: m + Vz, in the units of the data.
// z may have fewer columns than there are components; the others count as 0.
func (m *PCAModel) Inverse(z mat.Matrix) (*mat.Dense, error) {
	const method = "decomposition.PCAModel.Inverse"
	scores, err := ml.Dense(method, z)
	if err != nil {
		return nil, err
	}
	if err := m.valid(method); err != nil {
		return nil, err
	}
	k, d := m.Components.Dims()
	n, c := scores.Dims()
	if c > k {
		return nil, ml.BadShape(method, "z has %d columns, the model has %d components", c, k)
	}
	x := mat.NewDense(n, d, nil)
	x.Mul(scores, m.Components.Slice(0, c, 0, d))
	x.Apply(func(_, j int, v float64) float64 {
		if m.Scale != nil {
			v *= m.Scale[j]
		}
		return v + m.Mean[j]
	}, x)
	return x, nil
}

// Loadings returns the components times the standard deviations of their scores, d×k: with
// Standardized data, the correlations of the variables with the components.
func (m *PCAModel) Loadings() *mat.Dense {
	k, d := m.Components.Dims()
	out := mat.NewDense(d, k, nil)
	out.Apply(func(j, c int, _ float64) float64 { return m.Components.At(c, j) * math.Sqrt(m.Variance[c]) }, out)
	return out
}
