package sparse

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// NNKMeans summarises data by a few atoms, of which each row is a combination with weights that
// are not negative (Shekkizhar & Ortega, 2021), in the kernel that is the cosine:
//
//	minimise ½ Σᵢ ‖uᵢ − Dᵀwᵢ‖²,   w ≥ 0,   uᵢ = xᵢ/‖xᵢ‖,
//
// where row i uses no other than the Neighbors atoms to which its cosine is largest. k-means gives
// a row to one atom; here it lies in the cone of those around it, and one behind a nearer one gets
// the weight 0 by itself. The more neighbors there are, the farther
// the atoms move out to the corners of the data, as mixtures like it; with ten of them hardly a
// weight is 0 at the end.
//
// A step finds all weights, each row's the exact minimum (non-negative least squares by an active
// set, Lawson & Hanson, 1974), and then takes the atoms in turn, each to its best for weights that
// are divided by their sum, so that all rows count alike. With Neighbors 1 that is the step of
// spherical k-means. No matrix is inverted, so that equal atoms do no harm. Where the step does not
// lower the error, the weights as they are take the place of those divided by their sum; where
// neither does, the method has converged. Atoms that hardly a row uses become the directions of the
// rows that are represented worst. Rows of zeros have no direction, and no part in this.
//
// A step costs O(nKd) for the cosines, O(n(Neighbors³ + Neighbors·d)) for weights and O(K²d) for
// atoms. The problem has many local minima.
type NNKMeans struct {
	Atoms     int        // K, 1 to n; 0 means min(2d, n)
	Neighbors int        // atoms that a row may use, 1 to K; 0 means min(10, K)
	MaxIter   int        // steps; 0 means 100
	Tol       float64    // ends at a step that lowers the error by less than this part; 0 means 1e-3
	Init      mat.Matrix // K×d, the first atoms, which are brought to norm 1; nil means rows drawn at random
	Seed      uint64
}

const nnkMethod = "sparse.NNKMeans"

// NNKMeansModel is a fitted NNKMeans.
type NNKMeansModel struct {
	Atoms      *mat.Dense // K×d, an atom a row, of norm 1
	Neighbors  int        // atoms that a row may use
	Usage      []int      // of each atom, the rows that use it
	Refilled   int        // atoms that were hardly used and set to rows, in all
	Objective  float64    // ½ Σᵢ ‖uᵢ − Dᵀwᵢ‖², of rows of length 1
	Iterations int
	Converged  bool
}

func init() { ml.Register[NNKMeansModel]("sparse.NNKMeansModel") }

// nnk are unit rows and their codes in atoms of norm 1.
type nnk struct {
	u         *mat.Dense // n×d
	atoms     *mat.Dense // K×d
	neighbors int
	rows      []row
	square    []float64 // of what is left of each row
	error     float64
}

// Fit learns atoms from the rows of x, n×d. The error is ml.ErrParameter for an option out of range
// or more atoms than rows that are not 0, ml.ErrShape for an Init of another shape, the errors of
// ml.Dense, and ctx.Err(), along with the model so far.
func (k NNKMeans) Fit(ctx context.Context, x mat.Matrix) (*NNKMeansModel, error) {
	return ml.Last(k.Iterate(ctx, x))
}

// Iterate yields the first atoms, and those after every step; the error never rises.
func (k NNKMeans) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*NNKMeansModel, error] {
	return func(yield func(*NNKMeansModel, error) bool) {
		f, err := k.check(x)
		if err == nil {
			err = f.code(ctx)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		k.MaxIter, k.Tol = cmp.Or(k.MaxIter, 100), cmp.Or(k.Tol, 1e-3)
		refilled := 0
		for step := 0; ; step++ {
			var next *nnk
			var more int
			if step < k.MaxIter {
				if next, more, err = f.step(ctx, k.Tol); err != nil {
					yield(f.model(step, refilled, false), err)
					return
				}
			}
			if !yield(f.model(step, refilled, step < k.MaxIter && next == nil), nil) || next == nil {
				return
			}
			f, refilled = next, refilled+more
		}
	}
}

func (k NNKMeans) check(x mat.Matrix) (*nnk, error) {
	y, err := ml.Dense(nnkMethod, x)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	k.Atoms = cmp.Or(k.Atoms, min(2*d, n))
	if k.Atoms < 1 || k.Atoms > n {
		return nil, ml.BadParameter(nnkMethod, "Atoms", k.Atoms, fmt.Sprintf("1 to n = %d", n))
	}
	k.Neighbors = cmp.Or(k.Neighbors, min(10, k.Atoms))
	switch {
	case k.Neighbors < 1 || k.Neighbors > k.Atoms:
		return nil, ml.BadParameter(nnkMethod, "Neighbors", k.Neighbors, fmt.Sprintf("1 to Atoms = %d, or 0 for the default", k.Atoms))
	case k.MaxIter < 0:
		return nil, ml.BadParameter(nnkMethod, "MaxIter", k.MaxIter, "0 or more")
	case !(k.Tol >= 0) || math.IsInf(k.Tol, 0):
		return nil, ml.BadParameter(nnkMethod, "Tol", k.Tol, "0 for the default, or a positive number")
	}
	u, _ := directions(y)
	atoms, err := start(nnkMethod, k.Atoms, k.Init, u, rng.New(k.Seed))
	if err != nil {
		return nil, err
	}
	return &nnk{u: u, atoms: atoms, neighbors: k.Neighbors}, nil
}

// directions are the rows brought to length 1, and their lengths; a row of zeros stays.
func directions(x *mat.Dense) (u *mat.Dense, lengths []float64) {
	y, unit := scaling.InRange(x)
	u = mat.DenseCopyOf(y)
	n, _ := u.Dims()
	lengths = make([]float64, n)
	for i := range n {
		r := u.RawRowView(i)
		if norm := math.Sqrt(blas.Dot(r, r)); norm > 0 {
			floats.Scale(1/norm, r)
			lengths[i] = norm / unit
		}
	}
	return u, lengths
}

// code finds the weights of all rows.
func (f *nnk) code(ctx context.Context) error {
	n, d := f.u.Dims()
	k, _ := f.atoms.Dims()
	a := newAtoms(f.atoms)
	s := &signals{atoms: a, y: f.u, n: n, unit: 1, back: 1}
	f.rows, f.square = make([]row, n), make([]float64, n)
	type scratch struct {
		*nonNegative
		left, best []float64
		index      []int
	}
	err := each(ctx, s, func() scratch {
		return scratch{newNonNegative(f.neighbors), make([]float64, d), make([]float64, k), make([]int, k)}
	}, func(q scratch, i int, u, corr []float64) {
		near := nearest(q.index, q.best, corr, f.neighbors)
		for p, j := range near {
			q.b[p] = corr[j] / a.unit
			for l, other := range near[:p+1] {
				g := blas.Dot(f.atoms.RawRowView(j), f.atoms.RawRowView(other))
				q.gram[p*f.neighbors+l], q.gram[l*f.neighbors+p] = g, g
			}
		}
		w := q.solve(len(near))
		z := row{converged: true}
		for p, v := range w {
			if v > 0 {
				z.index, z.value = append(z.index, near[p]), append(z.value, v)
			}
		}
		z.sort()
		copy(q.left, u)
		for t, j := range z.index {
			blas.Axpy(-z.value[t], f.atoms.RawRowView(j), q.left)
		}
		f.rows[i], f.square[i] = z, blas.Dot(q.left, q.left)
	})
	f.error = floats.Sum(f.square) / 2
	return err
}

// nearest returns the m atoms of the largest products, descending, of equal ones the first.
func nearest(index []int, best, corr []float64, m int) []int {
	have := 0
	for j, v := range corr {
		if have == m && !(v > best[m-1]) {
			continue
		}
		have = min(have+1, m)
		t := have - 1
		for ; t > 0 && v > best[t-1]; t-- {
			index[t], best[t] = index[t-1], best[t-1]
		}
		index[t], best[t] = j, v
	}
	return index[:have]
}

// step returns the next atoms with their codes, and how many of them were refilled; nil where the
// error would not fall by the part tol.
func (f *nnk) step(ctx context.Context, tol float64) (*nnk, int, error) {
	for _, divided := range []bool{true, false} {
		next := &nnk{u: f.u, neighbors: f.neighbors}
		var refilled int
		next.atoms, refilled = f.update(divided)
		if err := next.code(ctx); err != nil {
			return nil, 0, err
		}
		if next.error < f.error*(1-tol) {
			return next, refilled, nil
		}
	}
	return nil, 0, nil
}

// update takes each atom to its best for given weights and other atoms: the quadratic function that
// the weights make of the atoms is known by WᵀW and WᵀU. Those whose weights sum to less than 1e-4
// of a row are refilled.
func (f *nnk) update(divided bool) (atoms *mat.Dense, refilled int) {
	n, d := f.u.Dims()
	k, _ := f.atoms.Dims()
	ww, wu := mat.NewDense(k, k, nil), mat.NewDense(k, d, nil)
	influence, sums, count := make([]float64, k), make([]float64, k), make([]float64, k)
	for i, z := range f.rows {
		scale, total := 1.0, floats.Sum(z.value)
		if divided && total > 0 {
			scale = 1 / total
		}
		for t, j := range z.index {
			w := z.value[t] * scale
			influence[j] += w
			sums[j] += total
			count[j]++
			blas.Axpy(w, f.u.RawRowView(i), wu.RawRowView(j))
			into := ww.RawRowView(j)
			for s, l := range z.index {
				into[l] += w * z.value[s] * scale
			}
		}
	}
	atoms = mat.DenseCopyOf(f.atoms)
	for j := range k { // where weights are divided, atoms are to be as much larger
		if divided && count[j] > 0 {
			floats.Scale(sums[j]/count[j], atoms.RawRowView(j))
		}
	}
	var unused []int
	v := make([]float64, d)
	for j := range k {
		if influence[j] < 1e-4 {
			unused = append(unused, j)
			continue
		}
		copy(v, wu.RawRowView(j))
		for l, w := range ww.RawRowView(j) {
			if l != j && w != 0 {
				blas.Axpy(-w, atoms.RawRowView(l), v)
			}
		}
		if blas.Dot(v, v) > 0 {
			floats.Scale(1/ww.At(j, j), v)
			copy(atoms.RawRowView(j), v)
		}
	}
	left := append([]float64(nil), f.square...)
	for _, j := range unused {
		worst := 0
		for i := range n {
			if left[i] > left[worst] {
				worst = i
			}
		}
		if left[worst] > 1e-12 {
			copy(atoms.RawRowView(j), f.u.RawRowView(worst))
			refilled++
		}
		left[worst] = 0
	}
	for j := range k {
		setUnit(atoms, j, append([]float64(nil), atoms.RawRowView(j)...))
	}
	return atoms, refilled
}

func (f *nnk) model(steps, refilled int, converged bool) *NNKMeansModel {
	k, _ := f.atoms.Dims()
	m := &NNKMeansModel{Atoms: mat.DenseCopyOf(f.atoms), Neighbors: f.neighbors, Usage: make([]int, k),
		Refilled: refilled, Objective: f.error, Iterations: steps, Converged: converged}
	for _, z := range f.rows {
		for _, j := range z.index {
			m.Usage[j]++
		}
	}
	return m
}

// Transform finds the weights of the rows of x, n×d, for rows as long as they are: the code's
// Objective is half the squared residuals in the units of x. The errors are those of ml.Dense,
// ml.ErrShape for another number of columns, ml.ErrParameter for a model whose Neighbors are not 1
// to K, and ctx.Err().
func (m *NNKMeansModel) Transform(ctx context.Context, x mat.Matrix) (*Code, error) {
	const method = "sparse.NNKMeansModel.Transform"
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	a, err := checkAtoms(method, m.Atoms)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, y, a.d); err != nil {
		return nil, err
	}
	if m.Neighbors < 1 || m.Neighbors > a.k {
		return nil, ml.BadParameter(method, "Neighbors", m.Neighbors, fmt.Sprintf("1 to %d, the number of atoms", a.k))
	}
	u, lengths := directions(y)
	f := &nnk{u: u, atoms: m.Atoms, neighbors: m.Neighbors}
	if err := f.code(ctx); err != nil {
		return nil, err
	}
	s := newSignals(a, y, u.RawMatrix().Rows)
	for i := range f.rows {
		floats.Scale(lengths[i]/s.back, f.rows[i].value)
	}
	return s.code(ctx, method, f.rows, true)
}

// nonNegative solves minimise ½wᵀGw − bᵀw, w ≥ 0 for matrices of up to m rows, by adding to the
// active set the weight whose slope is steepest, and taking out what would become negative (Lawson
// & Hanson, 1974).
type nonNegative struct {
	m               int
	gram, factor    []float64 // m×m
	b, w, s, slope  []float64
	active          []int
	banned, passive []bool
}

func newNonNegative(m int) *nonNegative {
	return &nonNegative{m: m, gram: make([]float64, m*m), factor: make([]float64, m*m), b: make([]float64, m), w: make([]float64, m),
		s: make([]float64, m), slope: make([]float64, m), banned: make([]bool, m), passive: make([]bool, m)}
}

// solve returns w for the first n rows. It is for the caller until the next call.
func (q *nonNegative) solve(n int) []float64 {
	q.active = q.active[:0]
	for j := range n {
		q.w[j], q.banned[j], q.passive[j] = 0, false, true
	}
	for range 10*n + 10 {
		next, steepest := -1, 1e-12
		for j := range n {
			if !q.passive[j] || q.banned[j] {
				continue
			}
			slope := q.b[j]
			for _, l := range q.active {
				slope -= q.gram[j*q.m+l] * q.w[l]
			}
			if slope > steepest {
				next, steepest = j, slope
			}
		}
		if next < 0 {
			break
		}
		q.active, q.passive[next] = append(q.active, next), false
		if !q.least() { // an atom that those at work can make
			q.active, q.passive[next], q.banned[next] = q.active[:len(q.active)-1], true, true
			continue
		}
		q.inside()
	}
	return q.w[:n]
}

// inside moves w to the minimum s of the active set, as far as no weight is negative, takes out
// those that are 0 and goes on.
func (q *nonNegative) inside() {
	for len(q.active) > 0 {
		part := 1.0
		for t, j := range q.active {
			if before := q.w[j]; q.s[t] <= 0 && before > 0 {
				part = min(part, before/(before-q.s[t]))
			} else if q.s[t] <= 0 {
				part = 0
			}
		}
		kept := 0
		for t, j := range q.active {
			before := q.w[j]
			out := q.s[t] <= 0 && before <= part*(before-q.s[t])
			if q.w[j] += part * (q.s[t] - before); out || q.w[j] <= 0 {
				q.w[j], q.passive[j] = 0, true
				continue
			}
			q.active[kept] = j
			kept++
		}
		q.active = q.active[:kept]
		if part == 1 {
			return
		}
		if !q.least() {
			return
		}
	}
}

// least sets s to the solution of Gs = b on the active set by Cholesky's factors, and says whether
// there is one.
func (q *nonNegative) least() bool {
	n := len(q.active)
	for a := range n {
		for c := range a + 1 {
			v := q.gram[q.active[a]*q.m+q.active[c]]
			for t := range c {
				v -= q.factor[a*q.m+t] * q.factor[c*q.m+t]
			}
			if a != c {
				q.factor[a*q.m+c] = v / q.factor[c*q.m+c]
				continue
			}
			if v < 1e-12*q.gram[q.active[a]*q.m+q.active[a]] {
				return false
			}
			q.factor[a*q.m+a] = math.Sqrt(v)
		}
	}
	for a := range n {
		v := q.b[q.active[a]]
		for t := range a {
			v -= q.factor[a*q.m+t] * q.s[t]
		}
		q.s[a] = v / q.factor[a*q.m+a]
	}
	for a := n - 1; a >= 0; a-- {
		for t := a + 1; t < n; t++ {
			q.s[a] -= q.factor[t*q.m+a] * q.s[t]
		}
		q.s[a] /= q.factor[a*q.m+a]
	}
	return true
}
