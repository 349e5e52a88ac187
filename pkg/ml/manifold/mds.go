package manifold

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	gonum "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// ClassicalMDS places n objects, of which the distances D are known, in few dimensions (Torgerson,
// 1952; Gower, 1966). With H = I − 11ᵀ/n the matrix
//
//	B = −½ H D∘D H
//
// holds the inner products of the points about their mean if D is Euclidean, which is so exactly
// when B is positive semidefinite (Schoenberg, 1935). The map is V√Λ of B's largest eigenvalues:
// the points themselves, up to a rotation, a reflection and a shift, where they have no more
// dimensions than the map, and otherwise the best approximation of B. Of Euclidean distances it is
// principal component analysis.
//
// The cost is O(n²) a step of an eigenvalue iteration and O(n³)/3 for the test of definiteness;
// memory O(n²).
type ClassicalMDS struct {
	Components int             // dimensions of the map, at most n; 0 means 2
	Metric     distance.Metric // nil means Euclidean; distance.Precomputed takes a table of distances
	Seed       uint64          // of the eigenvalue iteration's start: it does not show beyond rounding
}

// ClassicalMDSModel is a map and the eigenvalues it stands on.
type ClassicalMDSModel struct {
	Embedding   *mat.Dense // n×Components, columns of mean zero in descending order of their variance
	Eigenvalues []float64  // the Components largest of B; for a negative one the map has a column of zeros
	Euclidean   bool       // B is positive semidefinite, to 1e-9 of its largest eigenvalue: some points have these distances
	RowMeans    []float64  // mean of the squared distances from each object, which Place needs
}

func init() { ml.Register[ClassicalMDSModel]("manifold.ClassicalMDSModel") }

// Fit maps the rows of x (n×d) by their distances, or the objects of an n×n table of them. The
// errors are those of distance.Pairwise or distance.Table, ml.ErrParameter for Components outside
// 1..n, and ctx.Err(); there is no map before the end.
func (c ClassicalMDS) Fit(ctx context.Context, x mat.Matrix) (*ClassicalMDSModel, error) {
	d, err := table(ctx, "manifold.ClassicalMDS", x, c.Metric)
	if err != nil {
		return nil, err
	}
	return c.fit(ctx, d)
}

func (c ClassicalMDS) fit(ctx context.Context, d *mat.Dense) (*ClassicalMDSModel, error) {
	n, _ := d.Dims()
	k, err := components("manifold.ClassicalMDS", c.Components, n)
	if err != nil {
		return nil, err
	}
	y, scale := scaling.InRange(d)
	b, means, err := doubleCenter(ctx, y)
	if err != nil {
		return nil, err
	}
	r, err := eigen.Largest(ctx, b, k, c.Seed)
	if err != nil {
		return nil, err
	}
	m := &ClassicalMDSModel{Embedding: mat.NewDense(n, k, nil), Eigenvalues: r.Values, RowMeans: means}
	for j, v := range r.Vectors {
		length := math.Sqrt(max(r.Values[j], 0)) / scale
		for i, u := range v {
			m.Embedding.Set(i, j, u*length)
		}
	}
	if err := unscale2("manifold.ClassicalMDS", m.Eigenvalues, scale); err != nil {
		return nil, err
	}
	if err := unscale2("manifold.ClassicalMDS", means, scale); err != nil {
		return nil, err
	}
	m.Euclidean, err = semidefinite(ctx, b, 1e-9*max(r.Values[0], eigen.Bound(b)*1e-6))
	if err != nil {
		return nil, err
	}
	return m, nil
}

// unscale2 takes squared distances of tamed data back to the units of the data.
func unscale2(method string, v []float64, scale float64) error {
	for i := range v {
		v[i] = v[i] / scale / scale
		if math.IsInf(v[i], 0) {
			return ml.NotFinite(method, "the square of a distance overflows: scale the data")
		}
	}
	return nil
}

// Place maps new objects, given the m×n table of their distances to the objects of the fit, where
// their squared distances put them among the fitted points in the sense of least squares (Gower,
// 1968): an object of the fit lands on its own point. Columns of zeros stay zero.
func (m *ClassicalMDSModel) Place(distances mat.Matrix) (*mat.Dense, error) {
	const method = "manifold.ClassicalMDSModel.Place"
	d, err := ml.Dense(method, distances)
	if err != nil {
		return nil, err
	}
	n, _ := m.Embedding.Dims()
	if err := ml.Columns(method, d, n); err != nil {
		return nil, err
	}
	return gower(d, m.Embedding, m.RowMeans)
}

// gower is Place: y = ½ (YᵀY)⁻¹Yᵀ(mean of the squared distances from each − squared distances),
// with columns of Y that are orthogonal.
func gower(d, y *mat.Dense, means []float64) (*mat.Dense, error) {
	rows, n := d.Dims()
	_, k := y.Dims()
	scale := scaling.Factor(max(scaling.MaxAbs(context.Background(), d), scaling.MaxAbs(context.Background(), y)))
	columns := make([][]float64, k)
	for j := range columns {
		col := mat.Col(nil, j, y)
		for i := range col {
			col[i] *= scale
		}
		if norm := blas.Dot(col, col); norm > 0 {
			for i := range col {
				col[i] /= norm
			}
		}
		columns[j] = col
	}
	out := mat.NewDense(rows, k, nil)
	_ = parallel.For(context.Background(), rows, 32, func(_, lo, hi int) {
		gap := make([]float64, n)
		for i := lo; i < hi; i++ {
			for j, v := range d.RawRowView(i) {
				v *= scale
				gap[j] = (means[j]*scale*scale - v*v) / 2
			}
			for j, col := range columns {
				out.Set(i, j, blas.Dot(gap, col)/scale)
			}
		}
	})
	return out, nil
}

// Spectrum returns all eigenvalues of B, descending: those of a Euclidean table of points in r
// dimensions are r positive ones and zeros; a negative one shows that no points have these
// distances. It costs O(n³) and takes seconds at n = 1000. The errors are those of distance.Table.
func Spectrum(ctx context.Context, d mat.Matrix) ([]float64, error) {
	checked, err := distance.Table(ctx, "manifold.Spectrum", d)
	if err != nil {
		return nil, err
	}
	y, scale := scaling.InRange(checked)
	b, _, err := doubleCenter(ctx, y)
	if err != nil {
		return nil, err
	}
	n, _ := b.Dims()
	var values []float64
	if err := parallel.Abandon(ctx, func() {
		var e mat.EigenSym
		e.Factorize(mat.NewSymDense(n, b.RawMatrix().Data), false)
		values = e.Values(nil)
	}); err != nil {
		return nil, err
	}
	slices.Reverse(values)
	return values, unscale2("manifold.Spectrum", values, scale)
}

// table is the table of distances between rows, or, of a metric that says so, what is given.
func table(ctx context.Context, method string, x mat.Matrix, metric distance.Metric) (*mat.Dense, error) {
	if _, ok := metric.(distance.Precomputed); ok {
		return distance.Table(ctx, method, x)
	}
	dense, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	s, err := distance.Pairwise(ctx, dense, metric)
	if err != nil {
		return nil, err
	}
	n := s.SymmetricDim()
	raw := s.RawSymmetric().Data
	mirror(ctx, raw, n)
	if metric == nil {
		return mat.NewDense(n, n, raw), ctx.Err()
	}
	return distance.Table(ctx, method, mat.NewDense(n, n, raw)) // a caller's metric may break any axiom
}

// mirror copies the upper triangle to the lower, in tiles that stay in the cache.
func mirror(ctx context.Context, data []float64, n int) {
	const tile = 64
	_ = parallel.For(ctx, n, tile, func(_, lo, hi int) {
		for left := 0; left < hi; left += tile {
			for i := lo; i < hi; i++ {
				for j := left; j < min(left+tile, i); j++ {
					data[i*n+j] = data[j*n+i]
				}
			}
		}
	})
}

// doubleCenter returns B = −½ H D∘D H and the mean of each row of D∘D.
func doubleCenter(ctx context.Context, d *mat.Dense) (*mat.Dense, []float64, error) {
	n, _ := d.Dims()
	means, all := make([]float64, n), 0.0
	if err := parallel.For(ctx, n, 64, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := d.RawRowView(i)
			means[i] = blas.Dot(row, row) / float64(n)
		}
	}); err != nil {
		return nil, nil, err
	}
	for _, v := range means {
		all += v / float64(n)
	}
	b := mat.NewDense(n, n, nil)
	err := parallel.For(ctx, n, 64, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := b.RawRowView(i)
			for j, v := range d.RawRowView(i) {
				row[j] = (means[i] + means[j] - v*v - all) / 2
			}
		}
	})
	return b, means, err
}

// semidefinite reports whether B + slack·I has a Cholesky factor. It works on blocks of columns, so
// that it can be interrupted.
func semidefinite(ctx context.Context, b *mat.Dense, slack float64) (bool, error) {
	n, _ := b.Dims()
	a := mat.DenseCopyOf(b)
	for i := range n {
		a.Set(i, i, a.At(i, i)+slack)
	}
	if mat.Norm(b, 1) == 0 {
		return true, nil
	}
	const width = 96
	for lo := 0; lo < n; lo += width {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		hi := min(lo+width, n)
		block := mat.NewSymDense(hi-lo, nil)
		for i := lo; i < hi; i++ {
			for j := i; j < hi; j++ {
				block.SetSym(i-lo, j-lo, a.At(i, j))
			}
		}
		var chol mat.Cholesky
		if !chol.Factorize(block) {
			return false, nil
		}
		if hi == n {
			break
		}
		// What is left below: A₂₂ − A₂₁ A₁₁⁻¹ A₁₂, in strips.
		var u mat.TriDense
		chol.UTo(&u)
		half := mat.DenseCopyOf(a.Slice(lo, hi, hi, n))
		blas64.Trsm(gonum.Left, gonum.Trans, 1, u.RawTriangular(), half.RawMatrix())
		for top := hi; top < n; top += 512 {
			if err := ctx.Err(); err != nil {
				return false, err
			}
			bottom := min(top+512, n)
			var change mat.Dense
			change.Mul(half.Slice(0, hi-lo, top-hi, bottom-hi).T(), half.Slice(0, hi-lo, top-hi, n-hi))
			rest := a.Slice(top, bottom, top, n).(*mat.Dense)
			rest.Sub(rest, &change)
		}
	}
	return true, nil
}
