package autoregressive

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// Scored is a fitted model with a Fisher score: Scores returns U_x = ∇θ log pθ(x) of each row of x,
// one column a parameter.
type Scored interface {
	Scores(ctx context.Context, x mat.Matrix) (*mat.Dense, error)
}

// Fisher represents an observation by how the parameters of a model would have to change to make it
// likelier, the Fisher score U_x = ∇θ log pθ(x), in the units of the Fisher information I = E[U
// Uᵀ]:
//
//	φ(x) = I^(−½) U_x,    K(x, y) = φ(x)·φ(y) = U_xᵀ I⁻¹ U_y
//
// K is the Fisher kernel (Jaakkola & Haussler, 1999). Under the model itself the mean of U is 0 and
// I is its covariance. Fit measures I over the rows that it is given: over samples of the model
// that is the Fisher information, over data it is what is called the empirical one. A network has
// too many parameters for I itself; its diagonal takes the place.
//
// Fit costs one pass over the rows, and memory for a block of them: about 16 million scores. Full
// keeps P² numbers for P parameters and costs O(nP² + P³).
type Fisher struct {
	Model     Scored
	Normalize Normalization // "" means Diagonal
	// Added to I, as a share of the mean of its diagonal (over the parameters that have a score at
	// all); 0 means 1e-3, negative none
	Damping float64
	Center  bool // take the mean of the score over the rows of Fit away first: a model that is not at its maximum has one
}

// Normalization says which part of the Fisher information a score is measured in.
type Normalization string

const (
	Diagonal Normalization = "diagonal" // each parameter on its own
	Full     Normalization = "full"     // the whole matrix, for at most 4,096 parameters
	Plain    Normalization = "plain"    // none: K(x, y) = U_x·U_y
)

// FisherModel is a measured Fisher information. A parameter whose score was 0 in every row of the
// fit takes no part.
type FisherModel struct {
	Normalize   Normalization
	Mean        []float64  // of the score over the rows of the fit, a number for each parameter
	Center      bool       // Mean is taken away from a score
	Information *mat.Dense // 1×P, the mean of U²; with Full P×P, the mean of U Uᵀ (of the centered score with Center)
	Damping     float64    // what is added to the diagonal, an absolute number

	model Scored
	scale []float64     // 1/√(I + damping), with Diagonal and Plain
	root  *mat.TriDense // I + damping = L Lᵀ, with Full
}

func init() { ml.Register[FisherModel]("autoregressive.FisherModel") }

const (
	fisherMethod = "autoregressive.Fisher"
	fullLimit    = 4096
	scoreBlock   = 1 << 24 // numbers in a block of scores
)

// Fit measures the information over the rows of x. The error is ml.ErrParameter for an option out
// of range, what the model's Scores says of x, and ctx.Err().
func (f Fisher) Fit(ctx context.Context, x mat.Matrix) (*FisherModel, error) {
	switch {
	case f.Model == nil:
		return nil, ml.BadParameter(fisherMethod, "Model", "nil", "a fitted model with Scores")
	case f.Normalize != "" && f.Normalize != Diagonal && f.Normalize != Full && f.Normalize != Plain:
		return nil, ml.BadParameter(fisherMethod, "Normalize", fmt.Sprintf("%q", f.Normalize), `"", "diagonal", "full" or "plain"`)
	case math.IsNaN(f.Damping) || math.IsInf(f.Damping, 0):
		return nil, ml.BadParameter(fisherMethod, "Damping", f.Damping, "a finite number")
	}
	y, err := ml.Dense(fisherMethod, x)
	if err != nil {
		return nil, err
	}
	m := &FisherModel{Normalize: f.Normalize, Center: f.Center, model: f.Model}
	if m.Normalize == "" {
		m.Normalize = Diagonal
	}
	n, _ := y.Dims()
	for u, err := range blocks(ctx, f.Model, y) {
		if err != nil {
			return nil, err
		}
		if err := m.add(ctx, u); err != nil {
			return nil, err
		}
	}
	m.finish(float64(n))
	m.Damping = max(0, f.Damping)
	if f.Damping == 0 {
		m.Damping = 1e-3
	}
	m.Damping *= m.meanInformation()
	if err := m.prepare(); err != nil {
		return nil, err
	}
	return m, nil
}

// add sums the scores of a block and their squares.
func (m *FisherModel) add(ctx context.Context, u *mat.Dense) error {
	n, p := u.Dims()
	if m.Mean == nil {
		if m.Normalize == Full && p > fullLimit {
			return ml.BadParameter(fisherMethod, "Normalize", `"full"`, fmt.Sprintf(`"diagonal" for more than %d parameters: this model has %d`, fullLimit, p))
		}
		m.Mean, m.Information = make([]float64, p), mat.NewDense(1, p, nil)
		if m.Normalize == Full {
			m.Information = mat.NewDense(p, p, nil)
		}
	}
	if m.Normalize == Full {
		blas64.Gemm(blas.Trans, blas.NoTrans, 1, u.RawMatrix(), u.RawMatrix(), 1, m.Information.RawMatrix())
	}
	return parallel.For(ctx, p, 1024, func(_, lo, hi int) {
		for i := range n {
			for j, v := range u.RawRowView(i)[lo:hi] {
				m.Mean[lo+j] += v
				if m.Normalize != Full {
					m.Information.RawMatrix().Data[lo+j] += v * v
				}
			}
		}
	})
}

// finish makes means of sums over n rows, and with Center second moments about the mean of those
// about 0.
func (m *FisherModel) finish(n float64) {
	for j := range m.Mean {
		m.Mean[j] /= n
	}
	m.Information.Apply(func(i, j int, v float64) float64 {
		v /= n
		if m.Normalize != Full {
			i = j
		}
		if m.Center {
			v -= m.Mean[i] * m.Mean[j]
			if i == j {
				v = max(v, 0) // a rounding below
			}
		}
		return v
	}, m.Information)
}

// meanInformation is the mean of the diagonal over what is not 0.
func (m *FisherModel) meanInformation() float64 {
	sum, live := 0.0, 0.0
	for j := range m.Mean {
		if v := m.diagonal(j); v > 0 {
			sum, live = sum+v, live+1
		}
	}
	return sum / max(live, 1)
}

func (m *FisherModel) diagonal(j int) float64 {
	if m.Normalize == Full {
		return m.Information.At(j, j)
	}
	return m.Information.At(0, j)
}

// prepare makes what normalizes from the information.
func (m *FisherModel) prepare() error {
	p := len(m.Mean)
	if m.Normalize == Full {
		var chol mat.Cholesky
		sym := mat.NewSymDense(p, nil)
		for i := range p {
			for j := i; j < p; j++ {
				sym.SetSym(i, j, m.Information.At(i, j))
			}
			v := m.Information.At(i, i) + m.Damping
			if m.Information.At(i, i) == 0 {
				v = 1 // it has no score, and neither has it anything to do with the others
			}
			sym.SetSym(i, i, v)
		}
		if !chol.Factorize(sym) {
			return ml.BadParameter(fisherMethod, "Damping", m.Damping, "more: without it the information is singular")
		}
		m.root = mat.NewTriDense(p, mat.Lower, nil)
		chol.LTo(m.root)
		return nil
	}
	m.scale = make([]float64, p)
	for j := range m.scale {
		switch v := m.diagonal(j); {
		case v == 0:
		case m.Normalize == Plain:
			m.scale[j] = 1
		default:
			m.scale[j] = 1 / math.Sqrt(v+m.Damping)
		}
	}
	return nil
}

// Of gives a FisherModel that was loaded from a file the model whose information it holds; a file
// of the model itself is another one.
func (m *FisherModel) Of(model Scored) (*FisherModel, error) {
	if model == nil {
		return nil, ml.BadParameter("autoregressive.FisherModel.Of", "model", "nil", "a fitted model with Scores")
	}
	p := len(m.Mean)
	if want := map[bool]int{true: p, false: 1}[m.Normalize == Full]; p == 0 || m.Information == nil || m.Information.RawMatrix().Rows != want || m.Information.RawMatrix().Cols != p {
		return nil, ml.BadShape("autoregressive.FisherModel.Of", "the information and the mean of %d parameters do not belong together", p)
	}
	out := &FisherModel{Normalize: m.Normalize, Mean: m.Mean, Center: m.Center, Information: m.Information, Damping: m.Damping, model: model}
	return out, out.prepare()
}

// Features returns φ(x) of each row: n×P. For a network that is a large matrix; Kernel and Project
// never hold it.
func (m *FisherModel) Features(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "autoregressive.FisherModel.Features"
	y, err := m.check(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	out, at := mat.NewDense(n, len(m.Mean), nil), 0
	for u, err := range m.features(ctx, method, y) {
		if err != nil {
			return nil, err
		}
		rows, _ := u.Dims()
		out.Slice(at, at+rows, 0, len(m.Mean)).(*mat.Dense).Copy(u)
		at += rows
	}
	return out, nil
}

// Kernel returns K(x_i, y_j) for all rows of x and y: n×m. A nil y means x. Scores are made block
// by block, those of y once for every block of x; it costs O(nmP).
func (m *FisherModel) Kernel(ctx context.Context, x, y mat.Matrix) (*mat.Dense, error) {
	const method = "autoregressive.FisherModel.Kernel"
	a, err := m.check(method, x)
	if err != nil {
		return nil, err
	}
	b, same := a, y == nil
	if !same {
		if b, err = m.check(method, y); err != nil {
			return nil, err
		}
	}
	n, _ := a.Dims()
	k, _ := b.Dims()
	out, top := mat.NewDense(n, k, nil), 0
	for u, err := range m.features(ctx, method, a) {
		if err != nil {
			return nil, err
		}
		rows, _ := u.Dims()
		left, rest := 0, b
		if same { // what is left of the diagonal is known already
			left = top + rows
			fill(out, top, top, u, u)
			rest = nil
			if left < n {
				rest = b.Slice(left, n, 0, b.RawMatrix().Cols).(*mat.Dense)
			}
		}
		if rest != nil {
			for v, err := range m.features(ctx, method, rest) {
				if err != nil {
					return nil, err
				}
				fill(out, top, left, u, v)
				left += v.RawMatrix().Rows
			}
		}
		top += rows
	}
	if same {
		for i := range n {
			for j := range i {
				out.Set(i, j, out.At(j, i))
			}
		}
	}
	return out, nil
}

// fill puts u vᵀ at a place of out.
func fill(out *mat.Dense, top, left int, u, v *mat.Dense) {
	part := out.Slice(top, top+u.RawMatrix().Rows, left, left+v.RawMatrix().Rows).(*mat.Dense)
	blas64.Gemm(blas.NoTrans, blas.Trans, 1, u.RawMatrix(), v.RawMatrix(), 0, part.RawMatrix())
}

// Project returns k numbers for each row whose inner products are, on average over the seeds, the
// Fisher kernel: every parameter is added, with a sign by chance, to one of k sums by chance (the
// count sketch of Charikar, Chen & Farach-Colton, 2002). The variance of an inner product is at
// most 2 K(x,x) K(y,y)/k. It costs O(nP).
func (m *FisherModel) Project(ctx context.Context, x mat.Matrix, k int, seed uint64) (*mat.Dense, error) {
	const method = "autoregressive.FisherModel.Project"
	if k < 1 {
		return nil, ml.BadParameter(method, "k", k, "at least 1")
	}
	y, err := m.check(method, x)
	if err != nil {
		return nil, err
	}
	r := rng.New(seed)
	to, sign := make([]int, len(m.Mean)), make([]float64, len(m.Mean))
	for j := range to {
		to[j], sign[j] = r.IntN(k), float64(2*r.IntN(2)-1)
	}
	n, _ := y.Dims()
	out, at := mat.NewDense(n, k, nil), 0
	for u, err := range m.features(ctx, method, y) {
		if err != nil {
			return nil, err
		}
		rows, _ := u.Dims()
		if err := parallel.For(ctx, rows, 8, func(_, lo, hi int) {
			for i := lo; i < hi; i++ {
				sums := out.RawRowView(at + i)
				for j, v := range u.RawRowView(i) {
					sums[to[j]] += sign[j] * v
				}
			}
		}); err != nil {
			return nil, err
		}
		at += rows
	}
	return out, nil
}

func (m *FisherModel) check(method string, x mat.Matrix) (*mat.Dense, error) {
	if m.model == nil {
		return nil, ml.BadParameter(method, "model", "nil", "one given by Of: a file holds the information alone")
	}
	return ml.Dense(method, x)
}

// features yields φ of the rows of x, block by block.
func (m *FisherModel) features(ctx context.Context, method string, x *mat.Dense) func(yield func(*mat.Dense, error) bool) {
	return func(yield func(*mat.Dense, error) bool) {
		for u, err := range blocks(ctx, m.model, x) {
			if err == nil {
				if err = ml.Columns(method, u, len(m.Mean)); err != nil {
					err = fmt.Errorf("the score: %w", err)
				} else {
					err = m.normalize(ctx, u)
				}
			}
			if !yield(u, err) || err != nil {
				return
			}
		}
	}
}

// normalize turns the scores of a block into φ, in place.
func (m *FisherModel) normalize(ctx context.Context, u *mat.Dense) error {
	n, p := u.Dims()
	err := parallel.For(ctx, n, 8, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := u.RawRowView(i)
			for j := range row {
				if m.Center {
					row[j] -= m.Mean[j]
				}
				if m.scale != nil {
					row[j] *= m.scale[j]
				} else if m.Information.At(j, j) == 0 {
					row[j] = 0
				}
			}
		}
	})
	if m.root != nil && err == nil { // φ = L⁻¹ U, rows on the right
		t := m.root.RawTriangular()
		blas64.Trsm(blas.Right, blas.Trans, 1, blas64.Triangular{Uplo: t.Uplo, Diag: t.Diag, N: p, Data: t.Data, Stride: t.Stride}, u.RawMatrix())
	}
	return err
}

// blocks yields the scores of as many rows at a time as make scoreBlock numbers. The first block is
// one row: how many parameters there are is not known before.
func blocks(ctx context.Context, model Scored, x *mat.Dense) func(yield func(*mat.Dense, error) bool) {
	return func(yield func(*mat.Dense, error) bool) {
		n, d := x.Dims()
		size := 1
		for lo := 0; lo < n; {
			hi := min(lo+size, n)
			u, err := model.Scores(ctx, x.Slice(lo, hi, 0, d))
			if !yield(u, err) || err != nil {
				return
			}
			lo, size = hi, max(scoreBlock/max(u.RawMatrix().Cols, 1), 1)
		}
	}
}
