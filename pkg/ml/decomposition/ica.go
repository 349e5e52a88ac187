package decomposition

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// ICAModel is data written as a mixture of sources, x = Mean + Mixing·s, that are as independent as
// a linear map can make them. FastICA, Infomax, Picard and TopographicICA give one.
//
// Independence says nothing of a source's scale, sign or number. By convention each source has
// variance 1 by the divisor n over the rows of the fit; the entry of largest size in its column of
// Mixing is positive; and sources stand in the order of the variance that they bring to the data,
// ‖column of Mixing‖², largest first (a TopographicICA keeps the order of its grid).
type ICAModel struct {
	Mean         []float64  // length d
	Mixing       *mat.Dense // d×k: x = Mean + Mixing·s
	Unmixing     *mat.Dense // k×d: s = Unmixing·(x − Mean)
	Whitening    *mat.Dense // k×d: Whitening·(x − Mean) is uncorrelated with variance 1 by n
	Shape        []int      // length k: 1 where a source is more peaked than a Gaussian, −1 where it is flatter
	Loss         float64    // what the method lowers, on the rows of the fit
	Stationarity float64    // largest entry of the relative gradient, 0 at a stationary point
	Iterations   int
	Converged    bool // Stationarity, or FastICA's step, has come below the tolerance
	Rows         int  // n
	GridRows     int  // of a TopographicICA's map, 0 elsewhere
	GridColumns  int
}

func init() { ml.Register[ICAModel]("decomposition.ICAModel") }

// Sources returns the sources of the rows of x, n×k. Errors are those of ml.Dense, and ml.ErrShape
// for another number of columns.
func (m *ICAModel) Sources(x mat.Matrix) (*mat.Dense, error) {
	y, err := deviations("decomposition.ICAModel.Sources", x, m.valid, m.Mean)
	if err != nil {
		return nil, err
	}
	var s mat.Dense
	s.Mul(y, m.Unmixing.T())
	return &s, nil
}

// Transform is Sources, under the name that other decompositions have for it.
func (m *ICAModel) Transform(x mat.Matrix) (*mat.Dense, error) { return m.Sources(x) }

// Inverse returns the rows that sources s, n×k, mix to: n×d. With as many sources as the data have
// dimensions that is what Sources was given.
func (m *ICAModel) Inverse(s mat.Matrix) (*mat.Dense, error) {
	const method = "decomposition.ICAModel.Inverse"
	y, err := ml.Dense(method, s)
	if err != nil {
		return nil, err
	}
	if err := m.valid(method); err != nil {
		return nil, err
	}
	_, k := m.Mixing.Dims()
	if err := ml.Columns(method, y, k); err != nil {
		return nil, err
	}
	var x mat.Dense
	x.Mul(y, m.Mixing.T())
	x.Apply(func(_, j int, v float64) float64 { return v + m.Mean[j] }, &x)
	return &x, nil
}

// valid holds a model that was made by hand, or read from a file, to its own shapes.
func (m *ICAModel) valid(method string) error {
	if m.Mixing == nil || m.Unmixing == nil || m.Mixing.IsEmpty() || m.Unmixing.IsEmpty() {
		return ml.Empty(method, "the model has no sources")
	}
	d, k := m.Mixing.Dims()
	if r, c := m.Unmixing.Dims(); r != k || c != d || len(m.Mean) != d {
		return ml.BadShape(method, "mixing is %d×%d, unmixing %d×%d, and there are %d means", d, k, r, c, len(m.Mean))
	}
	return nil
}

// whitened is data in the coordinates in which sources are looked for: uncorrelated, of mean 0 and
// variance 1.
type whitened struct {
	z         *mat.Dense // k×n: a signal a row
	mean      []float64
	whitening *mat.Dense // k×d
	coloring  *mat.Dense // d×k, its pseudo-inverse
}

// whiten checks the data and takes them there by PCA. Directions in which they do not vary are left
// out. components is how many directions to keep, 0 for all.
func whiten(ctx context.Context, method string, x mat.Matrix, components int) (*whitened, error) {
	raw, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, d := raw.Dims()
	if components < 0 || components > min(n, d) {
		return nil, ml.BadParameter(method, "Components", components, fmt.Sprintf("1 to %d, the smaller of rows and columns, or 0 for all", min(n, d)))
	}
	y, unit := scaling.InRange(raw)
	var p *PCAModel
	var scores *mat.Dense
	if abandoned := parallel.Abandon(ctx, func() {
		// The covariance is quicker, but has lost the digits of directions that vary little.
		pca := PCA{Components: components, Divisor: Population, Solver: Covariance}
		if p, err = pca.Fit(ctx, y); err == nil && p.Variance[len(p.Variance)-1] < 1e-6*p.Variance[0] {
			pca.Solver = SVD
			p, err = pca.Fit(ctx, y)
		}
		if err == nil && p.Rank > 0 {
			scores, err = p.Whiten(y)
		}
	}); abandoned != nil {
		return nil, abandoned
	}
	if err != nil {
		return nil, err
	}
	switch {
	case p.Rank == 0:
		return nil, ml.BadShape(method, "all %d rows are equal: there is nothing to unmix", n)
	case components > p.Rank:
		return nil, ml.BadParameter(method, "Components", components, fmt.Sprintf("at most %d: the data vary in no more directions", p.Rank))
	}
	k := p.Rank
	w := &whitened{z: mat.DenseCopyOf(scores.T()), mean: p.Mean, whitening: mat.NewDense(k, d, nil), coloring: mat.NewDense(d, k, nil)}
	for j := range w.mean {
		w.mean[j] /= unit
	}
	for c := range k {
		deviation := math.Sqrt(p.Variance[c])
		for j, v := range p.Components.RawRowView(c) {
			w.whitening.Set(c, j, v/deviation*unit)
			w.coloring.Set(j, c, v*deviation/unit)
		}
	}
	return w, ctx.Err()
}

// statistics are the means over the rows that ICA is made of, of signals y = Wz.
type statistics struct {
	value []float64  // E[G(yᵢ)], length r
	curve []float64  // E[g′(yᵢ)], length r
	cross *mat.Dense // E[g(yᵢ) zⱼ], r×k
	outer *mat.Dense // E[g′(yᵢ) yⱼ²], r×r; nil where it was not asked for
}

// measurer computes statistics of whitened signals, in memory that it keeps.
type measurer struct {
	contrast Contrast
	z        *mat.Dense // k×n
	y, slope *mat.Dense
	curve    *mat.Dense
}

func newMeasurer(c Contrast, z *mat.Dense) *measurer {
	k, n := z.Dims()
	return &measurer{c, z, mat.NewDense(k, n, nil), mat.NewDense(k, n, nil), mat.NewDense(k, n, nil)}
}

// measureRows is how many rows of the data a task takes.
const measureRows = 2048

// at computes the statistics of y = Wz, W being r×k. outer is whether those are wanted too.
func (s *measurer) at(ctx context.Context, w *mat.Dense, outer bool) (*statistics, error) {
	k, n := s.z.Dims()
	r, _ := w.Dims()
	parts := make([]*statistics, parallel.Chunks(n, measureRows))
	if err := parallel.For(ctx, n, measureRows, func(chunk, lo, hi int) {
		part := &statistics{value: make([]float64, r), curve: make([]float64, r), cross: mat.NewDense(r, k, nil)}
		cut := func(m *mat.Dense, rows int) *mat.Dense { return m.Slice(0, rows, lo, hi).(*mat.Dense) }
		z, y, slope, curve := cut(s.z, k), cut(s.y, r), cut(s.slope, r), cut(s.curve, r)
		y.Mul(w, z)
		for i := range r {
			var each []float64
			if outer {
				each = curve.RawRowView(i)
			}
			part.value[i], part.curve[i] = s.contrast.evaluate(y.RawRowView(i), slope.RawRowView(i), each)
		}
		part.cross.Mul(slope, z.T())
		if outer {
			for i := range r { // y is not needed any more
				row := y.RawRowView(i)
				for t, v := range row {
					row[t] = v * v
				}
			}
			part.outer = mat.NewDense(r, r, nil)
			part.outer.Mul(curve, y.T())
		}
		parts[chunk] = part
	}); err != nil {
		return nil, err
	}
	total := parts[0]
	for _, p := range parts[1:] {
		for i := range r {
			total.value[i] += p.value[i]
			total.curve[i] += p.curve[i]
		}
		total.cross.Add(total.cross, p.cross)
		if outer {
			total.outer.Add(total.outer, p.outer)
		}
	}
	for i := range r {
		total.value[i] /= float64(n)
		total.curve[i] /= float64(n)
	}
	total.cross.Scale(1/float64(n), total.cross)
	if outer {
		total.outer.Scale(1/float64(n), total.outer)
	}
	return total, nil
}

// relative returns E[g(yᵢ) yⱼ].
func (t *statistics) relative(w *mat.Dense) *mat.Dense {
	var out mat.Dense
	out.Mul(t.cross, w.T())
	return &out
}

// signs are 1 for a source that looks peaked and −1 for one that looks flat: those for which a
// source of its kind is a stable minimum of Σ signᵢ E[G(yᵢ)], which is where
// signᵢ (E[g′(yᵢ)] E[yᵢ²] − E[g(yᵢ) yᵢ]) is positive.
func (t *statistics) signs(relative, w *mat.Dense) []float64 {
	out := make([]float64, len(t.curve))
	for i, c := range t.curve {
		row := w.RawRowView(i)
		out[i] = 1
		if c*mat.Dot(mat.NewVecDense(len(row), row), mat.NewVecDense(len(row), row)) < relative.At(i, i) {
			out[i] = -1
		}
	}
	return out
}

// rotation judges signals that are held uncorrelated.
type rotation struct {
	signs        []float64
	wanted       []float64  // the signs that the signals here ask for
	loss         float64    // Σ signᵢ E[G(yᵢ)]
	gradient     *mat.Dense // its derivative along rotations, skew-symmetric
	stationarity float64
	diagonal     []float64 // signᵢ E[g(yᵢ) yᵢ]
	curve        []float64 // signᵢ E[g′(yᵢ)]
}

// rotation takes the signs from the statistics where none are given.
func (t *statistics) rotation(w *mat.Dense, signs []float64) rotation {
	g := t.relative(w)
	wanted := t.signs(g, w)
	if signs == nil {
		signs = wanted
	}
	r := len(signs)
	out := rotation{signs: signs, wanted: wanted, gradient: mat.NewDense(r, r, nil), diagonal: make([]float64, r), curve: make([]float64, r)}
	for i, s := range signs {
		out.loss += s * t.value[i]
		out.diagonal[i], out.curve[i] = s*g.At(i, i), s*t.curve[i]
		for j := range r {
			v := (s*g.At(i, j) - signs[j]*g.At(j, i)) / 2
			out.gradient.Set(i, j, v)
			out.stationarity = max(out.stationarity, math.Abs(v))
		}
	}
	return out
}

// model makes a model of an unmixing matrix W of whitened signals, r×k, and its inverse, k×r, which
// is Wᵀ where W is orthonormal.
func (s *whitened) model(w *mat.Dense, inverse mat.Matrix, signs []float64, grid [2]int) *ICAModel {
	r, _ := w.Dims()
	_, n := s.z.Dims()
	d := len(s.mean)
	unmixing, mixing := mat.NewDense(r, d, nil), mat.NewDense(d, r, nil)
	unmixing.Mul(w, s.whitening)
	mixing.Mul(s.coloring, inverse)
	variance, order := make([]float64, r), make([]int, r)
	length := make([]float64, r)
	for c := range r {
		row := mat.NewVecDense(len(w.RawRowView(c)), w.RawRowView(c))
		variance[c] = mat.Dot(row, row) // of y = Wz, as z is white
		order[c], length[c] = c, mat.Norm(mixing.ColView(c), 2)*math.Sqrt(variance[c])
	}
	if grid == [2]int{} {
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(length[b], length[a]) })
	}
	m := &ICAModel{
		Mean: slices.Clone(s.mean), Whitening: mat.DenseCopyOf(s.whitening), Rows: n, GridRows: grid[0], GridColumns: grid[1],
		Mixing: mat.NewDense(d, r, nil), Unmixing: mat.NewDense(r, d, nil), Shape: make([]int, r),
	}
	for c, from := range order {
		deviation := math.Sqrt(variance[from])
		column := mat.Col(nil, from, mixing)
		before := slices.Clone(column)
		eigen.SetSign(column)
		if !slices.Equal(before, column) {
			deviation = -deviation
		}
		for j, v := range before {
			m.Mixing.Set(j, c, v*deviation)
			m.Unmixing.Set(c, j, unmixing.At(from, j)/deviation)
		}
		m.Shape[c] = int(signs[from])
	}
	return m
}

// orthonormalize replaces a square or wide matrix by the nearest one with orthonormal rows,
// (WWᵀ)^−½ W.
func orthonormalize(w *mat.Dense) bool {
	var svd mat.SVD
	if !svd.Factorize(w, mat.SVDThin) {
		return false
	}
	var u, v mat.Dense
	svd.UTo(&u)
	svd.VTo(&v)
	w.Mul(&u, v.T())
	return true
}

// randomRotation is where an unmixing matrix begins: random and orthonormal.
func randomRotation(k int, seed uint64, path ...int) *mat.Dense {
	r, w := rng.New(seed, path...), mat.NewDense(k, k, nil)
	for i := range k {
		for j := range k {
			w.Set(i, j, r.NormFloat64())
		}
	}
	orthonormalize(w)
	return w
}

// initialUnmixing checks an unmixing matrix from which the caller wants to start, and returns it
// orthonormal; without one the start is random.
func initialUnmixing(method string, init *mat.Dense, k int, seed uint64) (*mat.Dense, error) {
	if init == nil {
		return randomRotation(k, seed), nil
	}
	if r, c := init.Dims(); r != k || c != k {
		return nil, ml.BadShape(method, "Init is %d×%d, want %d×%d, a matrix for whitened data", r, c, k, k)
	}
	if _, err := ml.Dense(method+": Init", init); err != nil {
		return nil, err
	}
	w := mat.DenseCopyOf(init)
	if !orthonormalize(w) {
		return nil, ml.BadParameter(method, "Init", "a matrix without a singular value decomposition", "one that has one")
	}
	return w, nil
}

// iterationLimits completes the two options that every iteration has.
func iterationLimits(method string, maxIter, most int, tol, small float64) (int, float64, error) {
	maxIter, tol = cmp.Or(maxIter, most), cmp.Or(tol, small)
	if maxIter < 1 {
		return 0, 0, ml.BadParameter(method, "MaxIter", maxIter, fmt.Sprintf("at least 1, or 0 for %d", most))
	}
	if math.IsNaN(tol) || math.IsInf(tol, 0) {
		return 0, 0, ml.BadParameter(method, "Tol", tol, "a finite number, negative for never")
	}
	return maxIter, tol, nil
}
