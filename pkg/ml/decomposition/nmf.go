package decomposition

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// NMF writes a matrix without negative entries as a product of two such matrices (Paatero & Tapper,
// 1994; Lee & Seung, 1999), X ≈ WH with W n×k and H k×d. A row is then a sum of parts, from which
// nothing can be taken away again, and parts come out local where data are made of parts. It
// minimises
//
//	D(X‖WH) + d·(a‖W‖₁ + b/2 ‖W‖²) + n·(a'‖H‖₁ + b'/2 ‖H‖²)
//
// over W ≥ 0 and H ≥ 0: a divergence D, a sum over all n·d entries, and penalties a = ScoresL1,
// b = ScoresL2, a' = ComponentsL1, b' = ComponentsL2. W has n·k entries and H d·k, so that times d
// and n both weigh as much against D however large the data are; scikit-learn has the same
// convention. The problem is convex in W and in H, but not in both: there are local minima, and
// Restarts looks for the best of several.
//
// An iteration costs O(ndk), or O(NNZ·k) for a *csr.Matrix, which is never made dense, and
// O((n+d)k²).
type NMF struct {
	Components int        // k; 0 means min(n, d)
	Divergence Divergence // "" means Frobenius
	Solver     NMFSolver  // "" means HALS for Frobenius, and Multiplicative for the others
	Start      NMFStart   // "" means NNDSVDa, and RandomStart for k > min(n, d)
	// InitScores and InitComponents are W, n×k, and H, k×d, to start from in place of Start: both,
	// or neither. What is 0 in them stays 0 with Multiplicative.
	InitScores, InitComponents *mat.Dense
	Restarts                   int // fits, of which the best is kept: the first from Start, others at random; 0 means 1

	ScoresL1, ScoresL2         float64 // penalties of W; 0 means none
	ComponentsL1, ComponentsL2 float64 // penalties of H; 0 means none

	Sweeps int // of HALS through a factor in an iteration; 0 means as many as pay (Gillis & Glineur, 2012)
	Batch  int // rows that a step of H is made of; 0 means all
	// Forget is, with Batch, what weight is left after a pass through the data to rows seen before;
	// 0 means 0.1.
	Forget float64
	// MaxIter counts iterations, or passes through the data with Batch; 0 means 500 of HALS and
	// coordinate descent, 1000 of Multiplicative, and 20 passes.
	MaxIter int
	// Tol ends the fit at an iteration that lowers the loss by less than this part of it; 0 means
	// 1e-5, 1e-4 with Batch, negative never.
	Tol  float64
	Seed uint64
}

// Divergence is how an approximation q of x ≥ 0 is judged, entry by entry.
type Divergence string

// What noise each of them fits is said of the model of the data in which it is −log p(x|q), but for
// constants.
const (
	Frobenius       Divergence = "frobenius"        // (x−q)²/2: normal noise of one variance
	KullbackLeibler Divergence = "kullback-leibler" // x log(x/q) − x + q: counts, Poisson's
	ItakuraSaito    Divergence = "itakura-saito"    // x/q − log(x/q) − 1: noise that multiplies; x > 0
)

// order is that of the loss in the scale of the data.
func (d Divergence) order() float64 {
	switch d {
	case KullbackLeibler:
		return 1
	case ItakuraSaito:
		return 0
	}
	return 2
}

// NMFSolver is how W is improved for an H, and H for a W.
type NMFSolver string

const (
	// HALS replaces one column of W after another, or row of H, by the best for all the rest
	// (Cichocki & Phan, 2009). Frobenius only.
	HALS NMFSolver = "hals"
	// CoordinateDescent changes in each row the entry that lowers the loss most, again and again
	// (Hsieh & Dhillon, 2011). Frobenius only.
	CoordinateDescent NMFSolver = "coordinate-descent"
	// Multiplicative multiplies each entry by a ratio that is 1 where the gradient is 0 (Lee &
	// Seung, 2001; Févotte & Idier, 2011). An entry that is 0 stays 0.
	Multiplicative NMFSolver = "multiplicative"
)

// NMFStart is where a fit begins.
type NMFStart string

const (
	// NNDSVD takes the positive or the negative parts of singular vectors, whichever are larger
	// (Boutsidis & Gallopoulos, 2008).
	NNDSVD NMFStart = "nndsvd"
	// NNDSVDa has the mean of the data in place of 0, in units in which the largest of them is
	// between 1/4 and 1.
	NNDSVDa     NMFStart = "nndsvda"
	NNDSVDar    NMFStart = "nndsvdar" // with a small random number in place of 0
	RandomStart NMFStart = "random"   // |N(0, 1)|, times the root of the data's mean over k
)

// NMFModel is a fitted NMF. Order and scale of the parts are free: a column of W times a number and
// the row of H divided by it are as good, where there are no penalties.
type NMFModel struct {
	Scores     *mat.Dense // W, n×k
	Components *mat.Dense // H, k×d, one part a row
	Loss       float64    // divergence and penalties
	Error      float64    // √(2·divergence); of Frobenius, ‖X − WH‖
	Iterations int
	Converged  bool

	Divergence Divergence
	L1, L2     float64 // what Transform charges for scores: d·ScoresL1 and d·ScoresL2
}

func init() { ml.Register[NMFModel]("decomposition.NMFModel") }

const nmfMethod = "decomposition.NMF"

// nmfFit is a fit in units in which the largest entry of the data lies between 1/4 and 1.
type nmfFit struct {
	NMF
	n, d, k    int
	x          *nmfMatrix
	unit       float64 // x = data·unit², W and H are the caller's times unit
	back       float64 // of the loss, to the caller's units
	w, h       nmfPenalty
	total      float64 // Σ x
	square     float64 // Σ x²
	order, put []int   // with Batch: row i of x is row order[i] of the data
}

// nmfPenalty is l1·Σw + l2/2·Σw².
type nmfPenalty struct{ l1, l2 float64 }

func (p nmfPenalty) of(w []float64) float64 {
	sum := 0.0
	if p.l1 != 0 {
		sum += p.l1 * floats.Sum(w)
	}
	if p.l2 != 0 {
		sum += p.l2 / 2 * floats.Dot(w, w)
	}
	return sum
}

// nmfState is where a fit is. Its slices are written to again by the next iteration.
type nmfState struct {
	w, v             []float64 // n×k and, of Hᵀ, d×k
	loss, divergence float64
	steps            int
	converged        bool
}

// Fit returns the best factorisation of Restarts fits. The error is ml.ErrParameter for a negative
// entry, with its row and column, one that is 0 with ItakuraSaito, or an option out of range;
// ml.ErrShape for an Init of another shape; ml.ErrEmpty and ml.ErrNotFinite as of ml.Dense, the
// latter also for a loss that is beyond the range of a float64; and ctx.Err(), along with the best
// model so far.
func (f NMF) Fit(ctx context.Context, x mat.Matrix) (*NMFModel, error) {
	fit, err := f.check(x)
	if err != nil {
		return nil, err
	}
	return bestOf(ctx, fit, f.Restarts, func(m *NMFModel) float64 { return m.Loss })
}

// Iterate yields the model of the first start, and after each iteration from there, each a fresh
// value. The loss never rises, but by the last digits of rounding, unless Batch is set.
func (f NMF) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*NMFModel, error] {
	return modelsOf(ctx, f.check, x)
}

func (f NMF) check(x mat.Matrix) (*nmfFit, error) {
	n, d, err := ml.Size(nmfMethod, x)
	if err != nil {
		return nil, err
	}
	f.Divergence = cmp.Or(f.Divergence, Frobenius)
	data, most, err := newNMFMatrix(nmfMethod, x, f.Divergence)
	if err != nil {
		return nil, err
	}
	f.Components = cmp.Or(f.Components, min(n, d))
	if f.Start == "" {
		f.Start = NNDSVDa
		if f.Components > min(n, d) {
			f.Start = RandomStart
		}
	}
	if f.Solver == "" {
		f.Solver = HALS
		if f.Divergence != Frobenius {
			f.Solver = Multiplicative
		}
	}
	if err := f.checkOptions(n, d); err != nil {
		return nil, err
	}
	if f.Tol == 0 {
		f.Tol = 1e-5
		if f.Batch > 0 {
			f.Tol = 1e-4
		}
	}
	if f.MaxIter == 0 {
		f.MaxIter = 500
		if f.Batch > 0 {
			f.MaxIter = 20
		} else if f.Solver == Multiplicative {
			f.MaxIter = 1000
		}
	}
	f.Forget = cmp.Or(f.Forget, 0.1)
	fit := &nmfFit{NMF: f, n: n, d: d, k: f.Components, unit: nmfUnit(most)}
	fit.x = data.scaled(fit.unit)
	fit.total, fit.square = fit.x.sums()
	s := fit.unit * fit.unit
	fit.back = math.Pow(s, -f.Divergence.order()/2)
	fit.w = nmfPenalty{f.ScoresL1 * float64(d), f.ScoresL2 * float64(d)}.in(fit.unit, f.Divergence)
	fit.h = nmfPenalty{f.ComponentsL1 * float64(n), f.ComponentsL2 * float64(n)}.in(fit.unit, f.Divergence)
	if f.Batch > 0 {
		fit.order = rng.New(f.Seed, -1).Perm(n)
		fit.put = make([]int, n)
		for i, o := range fit.order {
			fit.put[o] = i
		}
		fit.x = fit.x.take(fit.order)
	}
	return fit, nil
}

// nmfUnit is the power of two whose square brings the largest entry to between 1/4 and 1.
func nmfUnit(most float64) float64 {
	s := scaling.PowerOfTwo(most)
	if e := math.Ilogb(s); e%2 != 0 {
		s /= 2
	}
	return math.Sqrt(s)
}

// in are the penalties in units in which factors are multiplied by a number, and so the data by its
// square.
func (p nmfPenalty) in(unit float64, d Divergence) nmfPenalty {
	loss := math.Pow(unit*unit, d.order())
	price := func(v, scale float64) float64 {
		if v == 0 {
			return 0
		}
		return min(v*scale, 1e200) // of data so small that none of it is worth its price
	}
	return nmfPenalty{price(p.l1, loss/unit), price(p.l2, loss/(unit*unit))}
}

func (f NMF) checkOptions(n, d int) error {
	bad := func(name string, value any, want string) error { return ml.BadParameter(nmfMethod, name, value, want) }
	switch {
	case f.Components < 1:
		return bad("Components", f.Components, "1 or more, or 0 for min(n, d)")
	case f.Divergence != Frobenius && f.Divergence != KullbackLeibler && f.Divergence != ItakuraSaito:
		return bad("Divergence", fmt.Sprintf("%q", f.Divergence), `"", "frobenius", "kullback-leibler" or "itakura-saito"`)
	case f.Solver != HALS && f.Solver != CoordinateDescent && f.Solver != Multiplicative:
		return bad("Solver", fmt.Sprintf("%q", f.Solver), `"", "hals", "coordinate-descent" or "multiplicative"`)
	case f.Solver != Multiplicative && f.Divergence != Frobenius:
		return bad("Solver", fmt.Sprintf("%q", f.Solver), `"multiplicative" or "" for this divergence`)
	case !slices.Contains([]NMFStart{NNDSVD, NNDSVDa, NNDSVDar, RandomStart}, f.Start):
		return bad("Start", fmt.Sprintf("%q", f.Start), `"", "nndsvd", "nndsvda", "nndsvdar" or "random"`)
	case f.Start != RandomStart && f.Components > min(n, d) && f.InitScores == nil:
		return bad("Start", fmt.Sprintf("%q", f.Start), fmt.Sprintf(`"random" or "" for more than min(n, d) = %d components`, min(n, d)))
	case f.Start == NNDSVD && f.Solver == Multiplicative && f.InitScores == nil:
		return bad("Start", `"nndsvd"`, `"nndsvda", "nndsvdar" or "random": with multiplicative updates its zeros would stay`)
	case f.Restarts < 0:
		return bad("Restarts", f.Restarts, "1 or more, or 0 for 1")
	case f.Sweeps < 0:
		return bad("Sweeps", f.Sweeps, "1 or more, or 0 for as many as pay")
	case f.Batch < 0:
		return bad("Batch", f.Batch, "1 or more, or 0 for all rows")
	case f.Batch > 0 && f.Solver == CoordinateDescent:
		return bad("Solver", `"coordinate-descent"`, `"hals", "multiplicative" or "" with Batch`)
	case !(f.Forget >= 0 && f.Forget <= 1):
		return bad("Forget", f.Forget, "0 (for 0.1) to 1")
	case f.MaxIter < 0:
		return bad("MaxIter", f.MaxIter, "1 or more, or 0 for the default")
	case math.IsNaN(f.Tol) || math.IsInf(f.Tol, 0):
		return bad("Tol", f.Tol, "a positive number, 0 for the default, or a negative one for never")
	case (f.InitScores == nil) != (f.InitComponents == nil):
		return ml.BadShape(nmfMethod, "of InitScores and InitComponents one is nil, want both or neither")
	}
	for _, p := range []struct {
		name  string
		value float64
	}{{"ScoresL1", f.ScoresL1}, {"ScoresL2", f.ScoresL2}, {"ComponentsL1", f.ComponentsL1}, {"ComponentsL2", f.ComponentsL2}} {
		if !(p.value >= 0) || math.IsInf(p.value, 0) {
			return bad(p.name, p.value, "0 or more")
		}
	}
	if f.InitScores == nil {
		return nil
	}
	for _, p := range []struct {
		name    string
		x       *mat.Dense
		r, c    int
		mention string
	}{{"InitScores", f.InitScores, n, f.Components, "n×k"}, {"InitComponents", f.InitComponents, f.Components, d, "k×d"}} {
		if r, c := p.x.Dims(); r != p.r || c != p.c {
			return ml.BadShape(nmfMethod, "%s is %d×%d, want %s = %d×%d", p.name, r, c, p.mention, p.r, p.c)
		}
		if _, _, err := newNMFMatrix(nmfMethod+": "+p.name, p.x, Frobenius); err != nil {
			return err
		}
	}
	return nil
}

// iterate yields the state at a start and after each iteration from there.
func (f *nmfFit) iterate(ctx context.Context, restart int) iter.Seq2[*nmfState, error] {
	return func(yield func(*nmfState, error) bool) {
		if ctx.Err() != nil {
			return
		}
		s, err := f.start(ctx, restart)
		if err != nil {
			if ctx.Err() == nil {
				yield(nil, err)
			}
			return
		}
		step := f.frobeniusStep()
		if f.Batch > 0 {
			step = f.batchSteps()
		} else if f.Divergence != Frobenius {
			step = f.divergenceStep()
		}
		s.divergence = f.x.compare(f.Divergence, s.w, s.v, f.k, nil, nil)
		s.loss = s.divergence + f.w.of(s.w) + f.h.of(s.v)
		for {
			// Where nothing is left to explain but rounding, that is the end too.
			s.converged = s.converged || f.Tol > 0 && s.loss <= 1e-28*f.square
			if !yield(s, nil) || s.converged || s.steps >= f.MaxIter || ctx.Err() != nil {
				return
			}
			before := s.loss
			if err := step(ctx, s); err != nil {
				return // ctx has ended; what was yielded last is the answer
			}
			s.steps++
			change := before - s.loss
			if f.Batch > 0 {
				change = math.Abs(change)
			}
			s.converged = f.Tol > 0 && change <= f.Tol*before
		}
	}
}

// model is a state in the caller's units.
func (f *nmfFit) model(s *nmfState) (*NMFModel, error) {
	m := &NMFModel{Scores: mat.NewDense(f.n, f.k, nil), Components: mat.NewDense(f.k, f.d, nil), Iterations: s.steps, Converged: s.converged,
		Divergence: f.Divergence, L1: f.ScoresL1 * float64(f.d), L2: f.ScoresL2 * float64(f.d)}
	for i := range f.n {
		from := i
		if f.put != nil {
			from = f.put[i]
		}
		for c, v := range s.w[from*f.k : (from+1)*f.k] {
			m.Scores.Set(i, c, v/f.unit)
		}
	}
	for j := range f.d {
		for c, v := range s.v[j*f.k : (j+1)*f.k] {
			m.Components.Set(c, j, v/f.unit)
		}
	}
	m.Loss = s.loss * f.back * f.back
	m.Error = math.Sqrt(2*s.divergence) * f.back
	if math.IsInf(m.Loss, 0) || math.IsNaN(m.Loss) {
		return nil, ml.NotFinite(nmfMethod, "the loss is beyond the range of a float64: scale the data")
	}
	return m, nil
}

// Inverse returns the rows that scores stand for, W·H. The errors are those of ml.Dense, and
// ml.ErrShape for another number of columns than there are components.
func (m *NMFModel) Inverse(scores mat.Matrix) (*mat.Dense, error) {
	w, err := ml.Dense(nmfMethod, scores)
	if err != nil {
		return nil, err
	}
	k, _ := m.Components.Dims()
	if _, c := w.Dims(); c != k {
		return nil, ml.BadShape(nmfMethod, "the scores have %d columns, the model has %d components", c, k)
	}
	var x mat.Dense
	x.Mul(w, m.Components)
	return &x, nil
}

// Transform returns the scores of new rows: for each the w ≥ 0 of the least loss, penalties
// included, with the components as they are. It is a convex problem, and each row is solved by
// itself. The errors are those of Fit, and ml.ErrShape for another number of columns.
func (m *NMFModel) Transform(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	if _, _, err := ml.Size(nmfMethod, x); err != nil {
		return nil, err
	}
	k, d := m.Components.Dims()
	if err := ml.Columns(nmfMethod, x, d); err != nil {
		return nil, err
	}
	data, most, err := newNMFMatrix(nmfMethod, x, m.Divergence)
	if err != nil {
		return nil, err
	}
	unit := nmfUnit(most)
	data = data.scaled(unit)
	v := make([]float64, d*k)
	for c := range k {
		for j, h := range m.Components.RawRowView(c) {
			v[j*k+c] = h * unit
		}
	}
	w := make([]float64, data.n*k)
	if err := data.scores(ctx, m.Divergence, w, v, k, nmfPenalty{m.L1, m.L2}.in(unit, m.Divergence)); err != nil {
		return nil, err
	}
	floats.Scale(1/unit, w)
	return mat.NewDense(data.n, k, w), nil
}

// nonNegative is the error of an entry that a divergence does not allow.
func nonNegative(method string, row, column int, v float64) error {
	return ml.BadParameter(method, fmt.Sprintf("row %d, column %d", row, column), v, "0 or more")
}

// nmfMatrix is the data, dense or sparse.
type nmfMatrix struct {
	n, d   int
	dense  []float64   // n×d
	sparse *csr.Matrix // where dense is nil
	// turned is the transpose of sparse, and from says where in sparse each of its entries is.
	turned *csr.Matrix
	from   []int
}

// newNMFMatrix checks data and returns it with its largest entry.
func newNMFMatrix(method string, x mat.Matrix, divergence Divergence) (*nmfMatrix, float64, error) {
	out, most := &nmfMatrix{}, 0.0
	positive := divergence == ItakuraSaito
	zero := func(i, j int) error {
		return ml.BadParameter(method, fmt.Sprintf("row %d, column %d", i, j), 0, "more than 0 for Itakura-Saito, whose loss is infinite there")
	}
	if s, ok := x.(*csr.Matrix); ok {
		if err := s.Check(method); err != nil {
			return nil, 0, err
		}
		out.n, out.d = s.Dims()
		for i := range out.n {
			columns, values := s.Of(i)
			for k, v := range values {
				if v < 0 {
					return nil, 0, nonNegative(method, i, columns[k], v)
				}
				most = max(most, v)
			}
		}
		if !positive {
			out.sparse = s
			out.turn()
			return out, most, nil
		}
		if s.NNZ() < out.n*out.d {
			for i := range out.n {
				columns, _ := s.Of(i)
				for j := range out.d {
					if j >= len(columns) || columns[j] != j {
						return nil, 0, zero(i, j)
					}
				}
			}
		}
		x = s.Dense() // nothing of it is left out
	}
	dense, err := ml.Dense(method, x)
	if err != nil {
		return nil, 0, err
	}
	out.n, out.d = dense.Dims()
	out.dense = dense.RawMatrix().Data[:out.n*out.d]
	for at, v := range out.dense {
		if v < 0 {
			return nil, 0, nonNegative(method, at/out.d, at%out.d, v)
		}
		if positive && v == 0 {
			return nil, 0, zero(at/out.d, at%out.d)
		}
		most = max(most, v)
	}
	return out, most, nil
}
