package decomposition

import (
	"context"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// uniqueParts is Ψ^(−½)SΨ^(−½) taken apart: its k largest eigenvalues and their vectors, or all.
type uniqueParts struct {
	psi    []float64
	diag   []float64  // of the matrix itself
	values []float64  // descending
	v      *mat.Dense // d×k or d×d, columns
	k      int
}

// decompose finds no more eigenvectors than are the factors', where these are few: what is wanted
// of all others together is what is left of the identity and of the matrix without the factors'.
// Where a uniqueness is small that would be the difference of large numbers, and all are found.
func decompose(ctx context.Context, cov *mat.SymDense, psi []float64, k int) (*uniqueParts, error) {
	d := len(psi)
	e := &uniqueParts{psi: psi, diag: make([]float64, d), k: k}
	scaled := mat.NewDense(d, d, nil)
	for i := range d {
		for j := i; j < d; j++ {
			v := cov.At(i, j) / math.Sqrt(psi[i]) / math.Sqrt(psi[j])
			scaled.Set(i, j, v)
			scaled.Set(j, i, v)
		}
		e.diag[i] = scaled.At(i, i)
	}
	wanted := d
	if 4*k <= d && slices.Max(e.diag) < 1e3 {
		wanted = k
	}
	r, err := eigen.Largest(ctx, scaled, wanted, 1)
	if err != nil {
		return nil, err
	}
	if len(r.Values) < wanted || !r.Converged {
		return nil, ml.NotFinite(factorMethod, "the eigenvalues of the covariance were not found")
	}
	e.values, e.v = r.Values, mat.NewDense(d, wanted, nil)
	for c, v := range r.Vectors {
		e.v.SetCol(c, v)
	}
	return e, nil
}

// loadings are the best for Ψ: Ψ^½ vₘ √(λₘ−1) for the k largest eigenvalues.
func (e *uniqueParts) loadings() *mat.Dense {
	w := mat.NewDense(len(e.psi), e.k, nil)
	w.Apply(func(j, c int, _ float64) float64 {
		return math.Sqrt(e.psi[j]*math.Max(e.values[c]-1, 0)) * e.v.At(j, c)
	}, w)
	return w
}

// loglik is the mean log-likelihood of Ψ and its best W.
func (e *uniqueParts) loglik() float64 {
	sum := float64(len(e.psi)) * math.Log(2*math.Pi)
	if len(e.values) < len(e.psi) {
		sum += floats.Sum(e.diag) - floats.Sum(e.values)
	}
	for c, l := range e.values {
		if c < e.k && l > 1 {
			sum += math.Log(l) + 1
		} else {
			sum += l
		}
	}
	for _, p := range e.psi {
		sum += math.Log(p)
	}
	return -sum / 2
}

// noise returns, of the eigenvectors vₘ that are left to the noise, Σₘ (1−λₘ)vₘ² for each variable
// and the projection Σₘ vₘvₘᵀ.
func (e *uniqueParts) noise() (gradient []float64, onto *mat.SymDense) {
	d, have := e.v.Dims()
	first := 0 // of them
	for first < e.k && e.values[first] > 1 {
		first++
	}
	gradient, onto = make([]float64, d), mat.NewSymDense(d, nil)
	if have == d {
		for j := range d {
			for m, x := range e.v.RawRowView(j)[first:] {
				gradient[j] += (1 - e.values[first+m]) * x * x
			}
		}
		if first < d {
			onto.SymOuterK(1, e.v.Slice(0, d, first, d))
		}
		return gradient, onto
	}
	if first > 0 {
		onto.SymOuterK(-1, e.v.Slice(0, d, 0, first))
	}
	for j := range d {
		onto.SetSym(j, j, onto.At(j, j)+1)
		gradient[j] = 1 - e.diag[j]
		for m, x := range e.v.RawRowView(j)[:first] {
			gradient[j] -= (1 - e.values[m]) * x * x
		}
	}
	return gradient, onto
}

// concentrated yields Jöreskog's steps. With θ = log Ψ and vₘ the eigenvectors that are left to the
// noise, the gradient of −2·log-likelihood is Σₘ (1−λₘ)vₘ² for each variable, and its second
// derivative, where λₘ is about 1 for them, the square, entry by entry, of Σₘ vₘvₘᵀ.
func (f *factorFit) concentrated(ctx context.Context) iter.Seq2[*factors, error] {
	return func(yield func(*factors, error) bool) {
		s, err := f.start(ctx)
		var e *uniqueParts
		if err == nil {
			e, err = decompose(ctx, f.cov, s.psi, f.k)
		}
		for steps := 0; err == nil && ctx.Err() == nil; steps++ {
			var next *uniqueParts
			next, err = f.descend(ctx, e)
			if err != nil {
				break
			}
			stopped := next == nil
			if !yield(&factors{mean: s.mean, w: e.loadings(), psi: e.psi, loglik: e.loglik(), steps: steps, done: stopped}, nil) || stopped {
				return
			}
			e = next
		}
		if err != nil && ctx.Err() == nil {
			yield(nil, err)
		}
	}
}

// descend returns a better Ψ, or nil where there is none.
func (f *factorFit) descend(ctx context.Context, e *uniqueParts) (*uniqueParts, error) {
	d := f.d
	gradient, onto := e.noise()
	hessian := mat.NewSymDense(d, nil)
	free := make([]bool, d) // those on the floor that want to go below stay
	for j := range d {
		free[j] = e.psi[j] > f.floor[j] || gradient[j] < 0
	}
	for i := range d {
		for j := i; j < d; j++ {
			if free[i] && free[j] {
				hessian.SetSym(i, j, onto.At(i, j)*onto.At(i, j))
			}
		}
		if !free[i] {
			gradient[i] = 0
		}
		hessian.SetSym(i, i, hessian.At(i, i)*(1+1e-6)+1e-10)
	}
	if floats.Norm(gradient, math.Inf(1)) < 1e-10 {
		return nil, nil
	}
	newton, diagonal := mat.NewVecDense(d, nil), mat.NewVecDense(d, nil)
	for j, g := range gradient {
		diagonal.SetVec(j, g/hessian.At(j, j))
	}
	var chol mat.Cholesky
	if chol.Factorize(hessian) {
		if err := chol.SolveVecTo(newton, mat.NewVecDense(d, gradient)); err != nil {
			newton.CopyVec(diagonal)
		}
	}
	for _, step := range []*mat.VecDense{newton, diagonal} {
		if next, err := f.search(ctx, e, gradient, step); next != nil || err != nil {
			return next, err
		}
	}
	return nil, ctx.Err()
}

// search goes along a step, half as far each time, until the likelihood rises by a part of what its
// slope says. No uniqueness changes by more than a factor of e² at once.
func (f *factorFit) search(ctx context.Context, e *uniqueParts, gradient []float64, step *mat.VecDense) (*uniqueParts, error) {
	before := e.loglik()
	for length := 1.0; length > 1e-6 && ctx.Err() == nil; length /= 2 {
		psi := make([]float64, f.d)
		slope := 0.0
		for j, p := range e.psi {
			by := math.Max(math.Min(step.AtVec(j), 2), -2)
			psi[j] = math.Max(p*math.Exp(-length*by), f.floor[j])
			slope += gradient[j] * math.Log(p/psi[j]) / 2
		}
		next, err := decompose(ctx, f.cov, psi, f.k)
		if err != nil {
			return nil, err
		}
		if gain := next.loglik() - before; gain > 0 && gain >= 1e-4*slope {
			return next, nil
		}
	}
	return nil, ctx.Err()
}
