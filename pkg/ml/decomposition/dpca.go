package decomposition

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// DPCA is demixed principal component analysis (Kobak, Brendel, Constantinidis, Feierstein, Kepecs,
// Mainen, Qi, Romo, Uchida & Machens, 2016): components of a recording under known conditions, each
// of which shows what depends on one of the factors. The means of the d variables over the trials
// of each condition, step by step, are a matrix X of n = conditions·steps rows. Less their overall
// mean they are a sum of marginals, X = Σ X_φ, one a set of factors and time, which are orthogonal
// (trials.Averages.Marginal). For each marginal there are a decoder D and an encoder F, both d×k,
// F with orthonormal columns, that rebuild it from all of X:
//
//	min ‖X_φ − X D Fᵀ‖² + tr(F Dᵀ (N + μI) D Fᵀ).
//
// That is regression of reduced rank, and has a closed form: with S = XᵀX and S_φ = X_φᵀX_φ, F
// holds the leading eigenvectors of S_φ(S + N + μI)⁻¹S_φ and D = (S + N + μI)⁻¹S_φF. A decoder is
// free to turn away from its encoder where that keeps other marginals out: that is what demixes.
// With one marginal and neither N nor μ it is PCA.
//
// N is the covariance of trials around their means, summed over conditions and steps: with it the
// error is that of single trials. μ is set by Lambda and keeps decoders from being fitted to what
// noise is left in the means; DPCALambda chooses it by cross-validation.
//
// Conditions count alike, however many trials they have; trials may differ in length and miss
// values, as long as every condition has some value of every variable at every step. It costs
// O(nd²) for each marginal, and O(d³).
type DPCA struct {
	Factors    []string   // that define the conditions; nil means all factors of the trials
	Marginals  []Marginal // nil means JoinedWithTime(Factors...)
	Components int        // of each marginal that names no number; 0 means 10. No more than its rank
	// Lambda is the strength of the penalty; 0 means 0.01 for ScaleFree and 1e-6 for Official,
	// negative none.
	Lambda  float64
	Penalty DPCAPenalty // "" means ScaleFree
	Noise   DPCANoise   // "" means DiagonalNoise
}

// Marginal is a part of the means, or several that are joined, by the sets of factors that they
// depend on: {{"decision"}, {trials.Time, "decision"}} is all that differs between decisions.
type Marginal struct {
	Name       string     // "" means one made of its first set
	Sets       [][]string // of names of factors and trials.Time, in any order
	Components int        // 0 means DPCA.Components
}

// JoinedWithTime are the marginals that are usual for factors that are levels of a trial: for every
// set of them what depends on it alone and with time, and what depends on time alone.
func JoinedWithTime(factors ...string) []Marginal {
	out := []Marginal{{Name: trials.Time, Sets: [][]string{{trials.Time}}}}
	// By size, so that interactions come last.
	for size := 1; size <= len(factors); size++ {
		for set := range 1 << len(factors) {
			var names []string
			for f, name := range factors {
				if set>>f&1 == 1 {
					names = append(names, name)
				}
			}
			if len(names) == size {
				out = append(out, Marginal{strings.Join(names, " × "), [][]string{names, append(slices.Clone(names), trials.Time)}, 0})
			}
		}
	}
	return out
}

// DPCAPenalty is how Lambda becomes the μ of DPCA.
type DPCAPenalty string

const (
	// ScaleFree takes μ = λ tr(XᵀX)/d: λ is in units of the variables' mean sum of squares, so that
	// neither the unit of the data nor the number of steps changes what it means.
	ScaleFree DPCAPenalty = "scale-free"
	// Official takes μ = (λ tr(XᵀX))², as the authors' programs do. Data times c take another λ.
	Official DPCAPenalty = "official"
)

// DPCANoise is what is known of N, the covariance of trials around the means of their condition.
type DPCANoise string

const (
	DiagonalNoise DPCANoise = "diagonal" // variances alone, as of variables that were not recorded together
	FullNoise     DPCANoise = "full"     // covariances too; no value may be missing
	NoNoise       DPCANoise = "none"     // N = 0: the means are fitted as if they were exact
)

// DPCAModel are demixed components, those that explain most first, whatever their marginal.
type DPCAModel struct {
	Mean    []float64  // length d, over all conditions and steps
	Encoder *mat.Dense // K×d, orthonormal rows within a marginal: what one unit of a score adds to the variables
	Decoder *mat.Dense // K×d: the score of a row x is Decoder·(x − Mean)
	Of      []int      // length K, which marginal each component is of

	Marginals []string  // names
	Share     []float64 // of each marginal, of the variance of the means
	Rank      []int     // of each marginal, which no number of components passes

	// Explained is how much of the variance of the means each component explains within each
	// marginal, K×marginals: (‖X_φ‖² − ‖X_φ − X_φ d fᵀ‖²)/‖X‖². A component that is not demixed has
	// much in a column that is not its own. Ratio is the same of X, the sum over the row where
	// Marginals are all there are, and Cumulative of the first components together.
	Explained  *mat.Dense
	Ratio      []float64
	Cumulative []float64

	Total  float64 // ‖X‖², the sum of squares of the means around Mean
	Noise  float64 // how much of Total the noise that averaging leaves is expected to be, as a share
	Lambda float64 // that was used; 0 for none
	Steps  int     // of a trial
}

func init() { ml.Register[DPCAModel]("decomposition.DPCAModel") }

const dpcaMethod = "decomposition.DPCA"

// Fit finds the components. x is *trials.Trials; a matrix is one trial of one condition, whose only
// marginal is time. The error is ml.ErrParameter for an option out of range, a factor that the
// trials lack or means that do not vary, ml.ErrNotFinite for a condition that no trial has at some
// step (with condition and step) and for missing values with FullNoise, the errors of ml.Dense for
// a matrix, and ctx.Err().
func (p DPCA) Fit(ctx context.Context, x mat.Matrix) (*DPCAModel, error) {
	means, err := p.means(ctx, dpcaMethod, x)
	if err != nil {
		return nil, err
	}
	problem, err := means.DPCA.problem(ctx, means.mean, means.noise())
	if err != nil {
		return nil, err
	}
	solution, err := problem.solve(ctx, problem.mu(problem.Lambda))
	if err != nil {
		return nil, err
	}
	return problem.model(means, solution), ctx.Err()
}

// check holds the options to what they must be, and completes them.
func (p DPCA) check(method string, t *trials.Trials) (DPCA, error) {
	p.Penalty, p.Noise = cmp.Or(p.Penalty, ScaleFree), cmp.Or(p.Noise, DiagonalNoise)
	standard := 0.01
	if p.Penalty == Official {
		standard = 1e-6
	}
	p.Components, p.Lambda = cmp.Or(p.Components, 10), cmp.Or(p.Lambda, standard)
	switch {
	case p.Components < 1:
		return p, ml.BadParameter(method, "Components", p.Components, "at least 1, or 0 for 10")
	case math.IsNaN(p.Lambda) || math.IsInf(p.Lambda, 0):
		return p, ml.BadParameter(method, "Lambda", p.Lambda, "a finite number, 0 for the default or negative for none")
	case p.Penalty != ScaleFree && p.Penalty != Official:
		return p, ml.BadParameter(method, "Penalty", fmt.Sprintf("%q", p.Penalty), `"", "scale-free" or "official"`)
	case p.Noise != DiagonalNoise && p.Noise != FullNoise && p.Noise != NoNoise:
		return p, ml.BadParameter(method, "Noise", fmt.Sprintf("%q", p.Noise), `"", "diagonal", "full" or "none"`)
	}
	p.Lambda = max(p.Lambda, 0)
	if p.Factors == nil {
		for _, f := range t.Factors {
			p.Factors = append(p.Factors, f.Name)
		}
	}
	if len(p.Factors) > 8 {
		return p, ml.BadParameter(method, "the number of Factors", len(p.Factors), "at most 8: name those that matter")
	}
	if p.Marginals == nil {
		p.Marginals = JoinedWithTime(p.Factors...)
		if t.Len() == 0 || longest(t) == 1 { // no time to speak of
			p.Marginals = p.Marginals[1:]
			for i := range p.Marginals {
				p.Marginals[i].Sets = p.Marginals[i].Sets[:1]
			}
		}
	}
	return p, p.checkMarginals(method)
}

func longest(t *trials.Trials) (steps int) {
	for k := range t.Len() {
		steps = max(steps, t.Steps(k))
	}
	return steps
}

// checkMarginals wants sets of different names that are known, none of them twice.
func (p *DPCA) checkMarginals(method string) error {
	if len(p.Marginals) == 0 {
		return ml.BadParameter(method, "Marginals", "none", "at least one: trials of one step with no factors have none")
	}
	known := append(slices.Clone(p.Factors), trials.Time)
	p.Marginals = slices.Clone(p.Marginals)
	seen := map[string]bool{}
	for i, m := range p.Marginals {
		if m.Components < 0 {
			return ml.BadParameter(method, fmt.Sprintf("Marginals[%d].Components", i), m.Components, "at least 1, or 0 for that of DPCA")
		}
		if len(m.Sets) == 0 {
			return ml.BadParameter(method, fmt.Sprintf("Marginals[%d].Sets", i), "none", "at least one set of factors")
		}
		p.Marginals[i].Components = cmp.Or(m.Components, p.Components)
		p.Marginals[i].Name = cmp.Or(m.Name, strings.Join(m.Sets[0], " × "))
		for _, set := range m.Sets {
			sorted := slices.Clone(set)
			slices.Sort(sorted)
			for j, name := range sorted {
				if !slices.Contains(known, name) || j > 0 && name == sorted[j-1] {
					return ml.BadParameter(method, fmt.Sprintf("a factor of Marginals[%d]", i), fmt.Sprintf("%q", name), fmt.Sprintf("different ones of %q", known))
				}
			}
			key := fmt.Sprintf("%q", sorted)
			if len(set) == 0 || seen[key] {
				return ml.BadParameter(method, fmt.Sprintf("a set of Marginals[%d]", i), fmt.Sprintf("%q", set), "a set that is not empty and stands in one marginal only")
			}
			seen[key] = true
		}
	}
	return nil
}

// dpcaProblem is what all penalties share: the means' covariance, that with the noise, and that of
// each marginal.
type dpcaProblem struct {
	DPCA
	s      *mat.Dense   // d×d, XᵀX
	noisy  *mat.Dense   // S + N
	parts  []*mat.Dense // d×d each, X_φᵀX_φ
	ranks  []int        // that the design allows each marginal
	total  float64      // tr S
	values []float64    // of S + N, ascending, once they were needed
	q      *mat.Dense   // its eigenvectors, d×d
}

// problem takes centered means and a noise covariance.
func (p DPCA) problem(ctx context.Context, means *trials.Averages, noise *mat.Dense) (*dpcaProblem, error) {
	problem := &dpcaProblem{DPCA: p, s: gram(means.Mean)}
	problem.total = mat.Trace(problem.s)
	if !(problem.total > 0) {
		return nil, ml.BadParameter(dpcaMethod, "the variance of the means", problem.total, "more than 0: no condition and no step differs from another")
	}
	for _, m := range p.Marginals {
		part, err := marginalOf(means, m)
		if err != nil {
			return nil, err
		}
		problem.parts, problem.ranks = append(problem.parts, gram(part)), append(problem.ranks, rankOf(means, m))
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	problem.noisy = problem.s
	if noise != nil {
		problem.noisy = mat.DenseCopyOf(problem.s)
		problem.noisy.Add(problem.noisy, noise)
	}
	return problem, ctx.Err()
}

// decompose finds the eigenvectors of S + N, which serve all penalties.
func (p *dpcaProblem) decompose() error {
	d, _ := p.s.Dims()
	var es mat.EigenSym
	if !es.Factorize(mat.NewSymDense(d, mat.DenseCopyOf(p.noisy).RawMatrix().Data), true) {
		return fmt.Errorf("%s: the eigendecomposition has not converged: %w", dpcaMethod, ml.ErrNotConverged)
	}
	p.values, p.q = es.Values(nil), mat.NewDense(d, d, nil)
	es.VectorsTo(p.q)
	return nil
}

// rankOf is the rank that a marginal can have: a set of factors leaves as many free numbers as the
// product of their levels, each less one.
func rankOf(means *trials.Averages, m Marginal) int {
	rank := 0
	for _, set := range m.Sets {
		free := 1
		for _, name := range set {
			levels := means.Steps
			if f := slices.IndexFunc(means.Factors, func(f trials.Factor) bool { return f.Name == name }); f >= 0 {
				levels = len(means.Factors[f].Levels)
			}
			free *= levels - 1
		}
		rank += free
	}
	_, d := means.Mean.Dims()
	return min(rank, d)
}

// marginalOf is the sum of a marginal's parts.
func marginalOf(means *trials.Averages, m Marginal) (*mat.Dense, error) {
	var sum *mat.Dense
	for _, set := range m.Sets {
		part, err := means.Marginal(set...)
		if err != nil {
			return nil, err
		}
		if sum == nil {
			sum = part
			continue
		}
		sum.Add(sum, part)
	}
	return sum, nil
}

// gram is xᵀx, all of it.
func gram(x *mat.Dense) *mat.Dense {
	_, d := x.Dims()
	s := mat.NewSymDense(d, nil)
	s.SymOuterK(1, x.T())
	return mat.DenseCopyOf(s)
}

func (p *dpcaProblem) mu(lambda float64) float64 {
	if p.Penalty == Official {
		return lambda * lambda * p.total * p.total
	}
	d, _ := p.s.Dims()
	return lambda * p.total / float64(d)
}

// dpcaPair are the encoders and decoders of one marginal, in columns.
type dpcaPair struct {
	f, d *mat.Dense // nil where the marginal is nothing
	rank int
}

// solve finds the pairs of all marginals for one penalty.
func (p *dpcaProblem) solve(ctx context.Context, mu float64) ([]dpcaPair, error) {
	times, err := p.inverse(mu)
	if err != nil {
		return nil, err
	}
	d, _ := p.s.Dims()
	out := make([]dpcaPair, len(p.parts))
	for i, part := range p.parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		out[i].rank = p.ranks[i]
		k := min(p.Marginals[i].Components, p.ranks[i])
		if k == 0 || mat.Trace(part) < 1e-20*p.total { // rounding
			out[i].rank = 0
			continue
		}
		regression, err := times(part) // (S + N + μI)⁻¹S_φ
		if err != nil {
			return nil, err
		}
		var a mat.Dense
		a.Mul(part, regression)
		vectors, err := leading(ctx, &a, k)
		if err != nil {
			return nil, err
		}
		if len(vectors) < k {
			out[i].rank = len(vectors)
		}
		out[i].f, out[i].d = mat.NewDense(d, len(vectors), nil), new(mat.Dense)
		for c, v := range vectors {
			out[i].f.SetCol(c, v)
		}
		out[i].d.Mul(regression, out[i].f)
	}
	return out, nil
}

// inverse returns what multiplies by (S + N + μI)⁻¹: by Cholesky's factor for a single penalty, if
// it is far from singular, and by eigenvectors otherwise. Directions in which nothing varies take
// no part then: the inverse is a pseudoinverse.
func (p *dpcaProblem) inverse(mu float64) (func(*mat.Dense) (*mat.Dense, error), error) {
	n, _ := p.s.Dims()
	if p.values == nil {
		sum := mat.NewSymDense(n, mat.DenseCopyOf(p.noisy).RawMatrix().Data)
		for j := range n {
			sum.SetSym(j, j, sum.At(j, j)+mu)
		}
		var chol mat.Cholesky
		if chol.Factorize(sum) && chol.Cond() < 1e10 {
			return func(a *mat.Dense) (*mat.Dense, error) {
				out := new(mat.Dense)
				return out, chol.SolveTo(out, a)
			}, nil
		}
		if err := p.decompose(); err != nil {
			return nil, err
		}
	}
	floor := max(p.values[n-1], 0) * float64(n) * 2.3e-16
	weights := make([]float64, n)
	for i, v := range p.values {
		if v+mu > floor {
			weights[i] = 1 / (v + mu)
		}
	}
	return func(a *mat.Dense) (*mat.Dense, error) {
		var inBasis, out mat.Dense
		inBasis.Mul(p.q.T(), a)
		inBasis.Apply(func(r, _ int, v float64) float64 { return v * weights[r] }, &inBasis)
		out.Mul(p.q, &inBasis)
		return &out, nil
	}, nil
}

// leading returns the eigenvectors of the k largest eigenvalues of a, positive semidefinite and
// symmetric but for rounding, but none whose value is rounding.
func leading(ctx context.Context, a *mat.Dense, k int) (out [][]float64, err error) {
	d, _ := a.Dims()
	sym := mat.NewSymDense(d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			sym.SetSym(i, j, (a.At(i, j)+a.At(j, i))/2)
		}
	}
	var values []float64
	if d > 100 && 8*k < d {
		if values, out, err = leadingOfMany(ctx, mat.DenseCopyOf(sym), k); err != nil {
			return nil, err
		}
	}
	if out == nil {
		var es mat.EigenSym
		if !es.Factorize(sym, true) {
			return nil, fmt.Errorf("%s: the eigendecomposition has not converged: %w", dpcaMethod, ml.ErrNotConverged)
		}
		all := es.Values(nil)
		var v mat.Dense
		es.VectorsTo(&v)
		for c := range k {
			column := mat.Col(nil, d-1-c, &v)
			eigen.SetSign(column)
			values, out = append(values, all[d-1-c]), append(out, column)
		}
	}
	rank := 0
	for rank < k && values[rank] > values[0]*1e-13 {
		rank++
	}
	return out[:rank], ctx.Err()
}

// leadingOfMany looks for them among products with random vectors, and returns none where the
// smaller of them lie too near to the rest to be told apart in that way: values of noise, mostly.
func leadingOfMany(ctx context.Context, a *mat.Dense, k int) ([]float64, [][]float64, error) {
	r, err := eigen.Randomized{Oversample: k + 30, Power: 12}.Decompose(ctx, dpcaMethod, eigen.DenseFactor{A: a}, k)
	if err != nil {
		return nil, nil, err
	}
	var product mat.Dense
	product.Mul(a, r.V)
	var out [][]float64
	for c := range k {
		v := mat.Col(nil, c, r.V)
		for j, x := range v {
			if math.Abs(product.At(j, c)-r.S[c]*x) > 1e-9*r.S[0] {
				return nil, nil, nil
			}
		}
		out = append(out, v)
	}
	return r.S, out, nil
}
