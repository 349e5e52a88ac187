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

// SCA is sparse component analysis (Zimnik, Ames, An, Driscoll, Lara, Russo, Susoy, Cunningham,
// Paninski, Churchland & Glaser, 2024): components that rebuild the data and whose scores are near
// zero most of the time, so that each stands for something that happens now and then. It minimises
//
//	Σᵢ wᵢ²‖xᵢ − V zᵢ − c‖² + λ₁ Σᵢ‖zᵢ‖₁ + λ₂ ‖VᵀV − I‖²,   z_i = Uᵀx_i + b
//
// over an encoder U and a decoder V, both d×k, and their offsets b and c; the columns of V have
// length 1. The error alone leaves it open how components are turned within the space that they
// span; the penalty of the scores decides it. Without it, and with orthonormal V, the error is that
// of PCA.
//
// The fit starts at principal components (uncentered) and follows the gradient, which is written
// out here, by Adam (Kingma & Ba, 2015), with the rate and the number of steps of the authors'
// program; the best of all steps is kept, so that the loss is never above its start. One thing
// differs: offsets move in units of the data's root mean square, so that units make no difference
// to the result. A step costs O(ndk).
type SCA struct {
	Components int // k; 0 means 5, or the smaller of rows and columns
	// Sparsity is λ₁; 0 means SparsityRatio times PCA's squared error over the sum of the sizes of
	// PCA's scores, negative none.
	Sparsity      float64
	SparsityRatio float64 // 0 means 0.1
	// Orthogonality is λ₂; 0 means OrthogonalityRatio times PCA's squared error over 0.01·k(k−1),
	// the penalty of components with cosines of 0.1; negative none.
	Orthogonality      float64
	OrthogonalityRatio float64   // 0 means 0.1
	Orthonormal        bool      // V has orthonormal columns; λ₂ makes no difference then
	Weights            []float64 // w, length n; nil means all 1. See InverseNormWeights
	Rate               float64   // of Adam; 0 means 1e-3. It is halved once, when the loss has not fallen for 100 steps
	MaxIter            int       // steps; 0 means 3,000
}

// SCAModel are sparse components, the most active first.
type SCAModel struct {
	Components *mat.Dense // k×d, the columns of V: rows of length 1
	Encoder    *mat.Dense // k×d, the columns of U
	Shift      []float64  // length k, b
	Mean       []float64  // length d, c: what no score stands for
	Activity   []float64  // length k, sums of squares of the scores, descending

	Loss          float64 // what is minimised
	StartLoss     float64 // the same of principal components
	SquaredError  float64 // Σ w²‖x − Vz − c‖²
	Size          float64 // Σ‖z‖₁
	Ratio         float64 // SquaredError's complement: the share of the squares around the mean that is explained, with weights
	Sparsity      float64 // λ₁ that was used
	Orthogonality float64 // λ₂ that was used
	Iterations    int     // after which the loss was least
}

func init() { ml.Register[SCAModel]("decomposition.SCAModel") }

const scaMethod = "decomposition.SCA"

// InverseNormWeights are the weights wᵢ = 1/(‖xᵢ‖ + offset), divided by their mean, by which rows
// with little activity count as much as others. The authors take an offset of 0.1, in the units of
// the data. The error is ml.ErrParameter for an offset that is not positive, and those of ml.Dense.
func InverseNormWeights(x mat.Matrix, offset float64) ([]float64, error) {
	const method = "decomposition.InverseNormWeights"
	if !(offset > 0) || math.IsInf(offset, 0) {
		return nil, ml.BadParameter(method, "offset", offset, "a positive number")
	}
	rows, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := rows.Dims()
	out, mean := make([]float64, n), 0.0
	for i := range out {
		out[i] = 1 / (mat.Norm(rows.RowView(i), 2) + offset)
		mean += out[i] / float64(n)
	}
	for i := range out {
		out[i] /= mean
	}
	return out, nil
}

// Fit returns the components of the least loss that was found. The error is ml.ErrParameter for an
// option out of range, data that are all 0 or weights that are negative or all 0, ml.ErrShape for
// another number of weights than of rows, the errors of ml.Dense, and ctx.Err(), along with the
// model so far.
func (s SCA) Fit(ctx context.Context, x mat.Matrix) (*SCAModel, error) {
	fit, err := s.check(ctx, x)
	if err != nil {
		return nil, err
	}
	for range fit.steps(ctx) {
	}
	return fit.model(), ctx.Err()
}

// Iterate yields the best model so far after every step, the first being principal components; each
// is a fresh value.
func (s SCA) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*SCAModel, error] {
	return func(yield func(*SCAModel, error) bool) {
		fit, err := s.check(ctx, x)
		if err != nil {
			yield(nil, err)
			return
		}
		for range fit.steps(ctx) {
			if !yield(fit.model(), nil) {
				return
			}
		}
		if err := ctx.Err(); err != nil {
			yield(fit.model(), err)
		}
	}
}

// scaParameters are U and b, V before its columns are brought to length 1, and c.
type scaParameters struct {
	u, v *mat.Dense // d×k
	b, c []float64
}

func (p *scaParameters) slices() [4][]float64 {
	return [4][]float64{p.u.RawMatrix().Data, p.b, p.v.RawMatrix().Data, p.c}
}

func newSCAParameters(d, k int) *scaParameters {
	return &scaParameters{mat.NewDense(d, k, nil), mat.NewDense(d, k, nil), make([]float64, k), make([]float64, d)}
}

// scaFit is a fit to data whose root mean square is 1.
type scaFit struct {
	SCA
	n, d, k        int
	x              *mat.Dense
	squares        []float64 // w²
	unit           float64   // the root mean square of the data, in the caller's units
	sparsity, orth float64

	now, gradient, best *scaParameters
	parts, bestParts    scaLoss
	start               float64
	at                  int

	v, z, e, dz, dv *mat.Dense // scratch: columns of length 1, scores, errors, and gradients
}

// scaLoss is the loss by its parts.
type scaLoss struct{ total, squares, size float64 }

func (s SCA) check(ctx context.Context, x mat.Matrix) (*scaFit, error) {
	raw, err := ml.Dense(scaMethod, x)
	if err != nil {
		return nil, err
	}
	n, d := raw.Dims()
	k := cmp.Or(s.Components, min(5, n, d))
	bad := func(name string, value any, want string) (*scaFit, error) {
		return nil, ml.BadParameter(scaMethod, name, value, want)
	}
	finite := func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }
	s.SparsityRatio, s.OrthogonalityRatio = cmp.Or(s.SparsityRatio, 0.1), cmp.Or(s.OrthogonalityRatio, 0.1)
	s.Rate, s.MaxIter = cmp.Or(s.Rate, 1e-3), cmp.Or(s.MaxIter, 3000)
	switch {
	case k < 1 || k > min(n, d):
		return bad("Components", k, fmt.Sprintf("1 to %d, the smaller of rows and columns, or 0", min(n, d)))
	case !finite(s.Sparsity):
		return bad("Sparsity", s.Sparsity, "a finite number, 0 for the default or negative for none")
	case !finite(s.Orthogonality):
		return bad("Orthogonality", s.Orthogonality, "a finite number, 0 for the default or negative for none")
	case !(s.SparsityRatio > 0) || !finite(s.SparsityRatio):
		return bad("SparsityRatio", s.SparsityRatio, "a positive number, or 0 for 0.1")
	case !(s.OrthogonalityRatio > 0) || !finite(s.OrthogonalityRatio):
		return bad("OrthogonalityRatio", s.OrthogonalityRatio, "a positive number, or 0 for 0.1")
	case !(s.Rate > 0) || !finite(s.Rate):
		return bad("Rate", s.Rate, "a positive number, or 0 for 0.001")
	case s.MaxIter < 0:
		return bad("MaxIter", s.MaxIter, "0 or more")
	}
	f := &scaFit{SCA: s, n: n, d: d, k: k, squares: ones(n), unit: 1}
	if s.Weights != nil {
		if err := ml.Vector(scaMethod, "Weights", s.Weights, n); err != nil {
			return nil, err
		}
		for i, w := range s.Weights {
			if w < 0 {
				return bad(fmt.Sprintf("Weights[%d]", i), w, "0 or more")
			}
			f.squares[i] = w * w
		}
		if slices.Max(s.Weights) == 0 {
			return bad("the largest of Weights", 0.0, "more than 0")
		}
	}
	y, factor := scaling.InRange(raw)
	rms := mat.Norm(y, 2) / math.Sqrt(float64(n*d))
	if rms == 0 {
		return bad("the largest value of the data", 0.0, "something else: there is nothing to explain")
	}
	f.x, f.unit = mat.NewDense(n, d, nil), rms/factor
	f.x.Scale(1/rms, y)
	return f, f.begin(ctx)
}

// begin sets the start and the penalties that come from it.
func (f *scaFit) begin(ctx context.Context) error {
	weighted := mat.DenseCopyOf(f.x)
	weighted.Apply(func(i, _ int, v float64) float64 { return v * math.Sqrt(f.squares[i]) }, weighted)
	pca, err := PCA{Components: f.k, Uncentered: true}.Fit(ctx, weighted)
	if err != nil {
		return err
	}
	f.now, f.gradient, f.best = newSCAParameters(f.d, f.k), newSCAParameters(f.d, f.k), newSCAParameters(f.d, f.k)
	f.now.u.Copy(pca.Components.T())
	f.now.v.Copy(pca.Components.T())
	f.v, f.dv, f.z, f.dz, f.e = mat.NewDense(f.d, f.k, nil), mat.NewDense(f.d, f.k, nil), mat.NewDense(f.n, f.k, nil), mat.NewDense(f.n, f.k, nil), mat.NewDense(f.n, f.d, nil)
	// The penalties come from an error without weights.
	f.z.Mul(f.x, f.now.u)
	f.e.Mul(f.z, f.now.v.T())
	f.e.Sub(f.x, f.e)
	left, size := math.Pow(mat.Norm(f.e, 2), 2), 0.0
	for _, z := range f.z.RawMatrix().Data {
		size += math.Abs(z)
	}
	switch {
	case f.Sparsity > 0:
		f.sparsity = f.Sparsity / f.unit
	case f.Sparsity == 0 && size > 0:
		f.sparsity = f.SparsityRatio * left / size
	}
	switch {
	case f.Orthonormal || f.k == 1:
	case f.Orthogonality > 0:
		f.orth = f.Orthogonality / f.unit / f.unit
	case f.Orthogonality == 0:
		f.orth = f.OrthogonalityRatio * left / (0.01 * float64(f.k*(f.k-1)))
	}
	f.evaluate()
	f.start = f.parts.total
	f.keep(0)
	return nil
}

func (f *scaFit) keep(step int) {
	for i, from := range f.now.slices() {
		copy(f.best.slices()[i], from)
	}
	f.bestParts, f.at = f.parts, step
}

// evaluate sets the loss at the present parameters and its gradient.
func (f *scaFit) evaluate() {
	p, g := f.now, f.gradient
	lengths := make([]float64, f.k)
	for c := range lengths {
		lengths[c] = mat.Norm(p.v.ColView(c), 2)
	}
	f.v.Apply(func(_, c int, v float64) float64 { return v / lengths[c] }, p.v)
	f.z.Mul(f.x, p.u)
	f.e.Mul(addToRows(f.z, p.b), f.v.T())
	addToRows(f.e, p.c)
	f.parts = scaLoss{}
	clear(g.c)
	for i := range f.n {
		e, w := f.e.RawRowView(i), f.squares[i]
		for j, x := range f.x.RawRowView(i) {
			e[j] -= x
			f.parts.squares += w * e[j] * e[j]
			e[j] *= 2 * w
			g.c[j] += e[j]
		}
	}
	f.dv.Mul(f.e.T(), f.z)
	f.dz.Mul(f.e, f.v)
	clear(g.b)
	for i := range f.n {
		dz := f.dz.RawRowView(i)
		for c, z := range f.z.RawRowView(i) {
			f.parts.size += math.Abs(z)
			switch {
			case z > 0:
				dz[c] += f.sparsity
			case z < 0:
				dz[c] -= f.sparsity
			}
			g.b[c] += dz[c]
		}
	}
	g.u.Mul(f.x.T(), f.dz)
	f.parts.total = f.parts.squares + f.sparsity*f.parts.size
	if f.orth > 0 {
		var gap, pull mat.Dense // VᵀV − I
		gap.Mul(f.v.T(), f.v)
		for c := range f.k {
			gap.Set(c, c, gap.At(c, c)-1)
		}
		f.parts.total += f.orth * math.Pow(mat.Norm(&gap, 2), 2)
		pull.Mul(f.v, &gap)
		pull.Scale(4*f.orth, &pull)
		f.dv.Add(f.dv, &pull)
	}
	if f.Orthonormal { // what leads out of the orthonormal matrices is left out
		var cross, back mat.Dense
		cross.Mul(f.v.T(), f.dv)
		for a := range f.k {
			for b := range a {
				mean := (cross.At(a, b) + cross.At(b, a)) / 2
				cross.Set(a, b, mean)
				cross.Set(b, a, mean)
			}
		}
		back.Mul(f.v, &cross)
		g.v.Sub(f.dv, &back)
		return
	}
	for c := range f.k { // through the division by the length
		along := mat.Dot(f.v.ColView(c), f.dv.ColView(c))
		for j := range f.d {
			g.v.Set(j, c, (f.dv.At(j, c)-along*f.v.At(j, c))/lengths[c])
		}
	}
}

// addToRows adds a vector to each row, in place.
func addToRows(x *mat.Dense, v []float64) *mat.Dense {
	n, _ := x.Dims()
	for i := range n {
		for j, a := range v {
			x.RawRowView(i)[j] += a
		}
	}
	return x
}

// steps runs Adam and yields after each step, and once before the first.
func (f *scaFit) steps(ctx context.Context) iter.Seq[int] {
	return func(yield func(int) bool) {
		if ctx.Err() != nil || !yield(0) {
			return
		}
		const beta1, beta2, epsilon, patience = 0.9, 0.999, 1e-8, 100
		first, second := newSCAParameters(f.d, f.k), newSCAParameters(f.d, f.k)
		rate, least, since := f.Rate, math.Inf(1), 0
		for step := 1; step <= f.MaxIter && ctx.Err() == nil; step++ {
			before := f.parts.total
			correct1, correct2 := 1-math.Pow(beta1, float64(step)), math.Sqrt(1-math.Pow(beta2, float64(step)))
			for i, g := range f.gradient.slices() {
				m, s, p := first.slices()[i], second.slices()[i], f.now.slices()[i]
				for j, v := range g {
					m[j] = beta1*m[j] + (1-beta1)*v
					s[j] = beta2*s[j] + (1-beta2)*v*v
					p[j] -= rate / correct1 * m[j] / (math.Sqrt(s[j])/correct2 + epsilon)
				}
			}
			if f.Orthonormal {
				orthonormalColumns(f.now.v)
			}
			f.evaluate()
			if f.parts.total < f.bestParts.total {
				f.keep(step)
			}
			// The rate follows the loss that the step began with.
			if before < least*(1-1e-6) {
				least, since = before, 0
			} else if since++; since > patience {
				rate, since = max(rate/2, min(f.Rate, 5e-4)), 0
			}
			if !yield(step) {
				return
			}
		}
	}
}

// orthonormalColumns replaces v by the nearest matrix with orthonormal columns, v(vᵀv)^(−½).
func orthonormalColumns(v *mat.Dense) {
	_, k := v.Dims()
	var es mat.EigenSym
	if !es.Factorize(mat.NewSymDense(k, gram(v).RawMatrix().Data), true) {
		return
	}
	var q, scaled, root, out mat.Dense
	es.VectorsTo(&q)
	values := es.Values(nil)
	scaled.Apply(func(_, c int, x float64) float64 { return x / math.Sqrt(values[c]) }, &q)
	root.Mul(&scaled, q.T())
	out.Mul(v, &root)
	v.Copy(&out)
}

// model brings the best parameters into the caller's units, most active first.
func (f *scaFit) model() *SCAModel {
	p := f.best
	square := func(v float64) float64 { return v * f.unit * f.unit } // in the caller's units
	m := &SCAModel{Components: mat.NewDense(f.k, f.d, nil), Encoder: mat.NewDense(f.k, f.d, nil), Shift: make([]float64, f.k), Mean: make([]float64, f.d),
		Activity: make([]float64, f.k), Loss: square(f.bestParts.total), StartLoss: square(f.start), SquaredError: square(f.bestParts.squares), Size: f.bestParts.size * f.unit,
		Sparsity: f.sparsity * f.unit, Orthogonality: square(f.orth), Iterations: f.at}
	var z mat.Dense
	z.Mul(f.x, p.u)
	addToRows(&z, p.b)
	active, order := make([]float64, f.k), make([]int, f.k)
	for c := range order {
		order[c] = c
		active[c] = math.Pow(mat.Norm(z.ColView(c), 2), 2)
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(active[b], active[a]) })
	for to, c := range order {
		v, u := mat.Col(nil, c, p.v), mat.Col(nil, c, p.u)
		length := mat.Norm(p.v.ColView(c), 2)
		for j := range v {
			v[j] /= length
		}
		first := slices.Clone(v)
		m.Shift[to], m.Activity[to] = p.b[c]*f.unit, square(active[c])
		if eigen.SetSign(v); !slices.Equal(first, v) {
			m.Shift[to] = -m.Shift[to]
			for j := range u {
				u[j] = -u[j]
			}
		}
		m.Components.SetRow(to, v)
		m.Encoder.SetRow(to, u)
	}
	for j, c := range p.c {
		m.Mean[j] = c * f.unit
	}
	if total := f.squaresAroundMean(); total > 0 {
		m.Ratio = 1 - f.bestParts.squares/total
	}
	return m
}

func (f *scaFit) squaresAroundMean() (total float64) {
	sum := 0.0
	for _, w := range f.squares {
		sum += w
	}
	for j := range f.d {
		mean := 0.0
		for i, w := range f.squares {
			mean += w * f.x.At(i, j) / sum
		}
		for i, w := range f.squares {
			total += w * (f.x.At(i, j) - mean) * (f.x.At(i, j) - mean)
		}
	}
	return total
}

func (m *SCAModel) valid(method string) error {
	if m.Components == nil || m.Components.IsEmpty() || m.Encoder == nil || m.Encoder.IsEmpty() {
		return ml.Empty(method, "the model has no components")
	}
	k, d := m.Components.Dims()
	if r, c := m.Encoder.Dims(); r != k || c != d || len(m.Mean) != d || len(m.Shift) != k {
		return ml.BadShape(method, "components are %d×%d, with a %d×%d encoder, %d shifts and %d means", k, d, r, c, len(m.Shift), len(m.Mean))
	}
	return nil
}

// Transform returns the scores of the rows of x, n×k: Uᵀx + b. Errors are those of ml.Dense, and
// ml.ErrShape for another number of columns.
func (m *SCAModel) Transform(x mat.Matrix) (*mat.Dense, error) {
	const method = "decomposition.SCAModel.Transform"
	rows, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	if err := m.valid(method); err != nil {
		return nil, err
	}
	if err := ml.Columns(method, rows, len(m.Mean)); err != nil {
		return nil, err
	}
	var z mat.Dense
	z.Mul(rows, m.Encoder.T())
	return addToRows(&z, m.Shift), nil
}

// Inverse returns the rows that scores stand for, n×d: Vz + c. Errors are those of ml.Dense, and
// ml.ErrShape for another number of columns than there are components.
func (m *SCAModel) Inverse(z mat.Matrix) (*mat.Dense, error) {
	const method = "decomposition.SCAModel.Inverse"
	scores, err := ml.Dense(method, z)
	if err != nil {
		return nil, err
	}
	if err := m.valid(method); err != nil {
		return nil, err
	}
	if err := ml.Columns(method, scores, len(m.Shift)); err != nil {
		return nil, err
	}
	var x mat.Dense
	x.Mul(scores, m.Components)
	return addToRows(&x, m.Mean), nil
}
