package decomposition

import (
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// start is the best W for uniquenesses that are most of what a variable has beside a regression on
// all others (Jöreskog, 1967), or half its variance where that can't be known. Where entries are
// missing it takes the covariance of the filled rows.
func (f *factorFit) start(ctx context.Context) (*factors, error) {
	cov := f.cov
	if cov == nil {
		cov = mat.NewSymDense(f.d, nil)
		cov.SymOuterK(1/float64(f.n), f.y.T())
	}
	psi := make([]float64, f.d)
	var chol mat.Cholesky
	inverse := mat.NewSymDense(f.d, nil)
	known := chol.Factorize(cov) && chol.InverseTo(inverse) == nil
	for j := range psi {
		psi[j] = cov.At(j, j) / 2
		if known {
			psi[j] = (1 - float64(f.k)/float64(2*f.d)) / inverse.At(j, j)
		}
		psi[j] = math.Max(psi[j], f.floor[j])
	}
	if f.Isotropic {
		mean := floats.Sum(psi) / float64(f.d)
		for j := range psi {
			psi[j] = math.Max(mean, f.floor[j])
		}
	}
	e, err := decompose(ctx, cov, psi, f.k)
	if err != nil {
		return nil, err
	}
	// EM never leaves loadings of 0.
	for c := range f.k {
		e.values[c] = math.Max(e.values[c], 1.1)
	}
	return &factors{mean: make([]float64, f.d), w: e.loadings(), psi: psi}, nil
}

// em yields the steps of expectation maximization.
func (f *factorFit) em(ctx context.Context) iter.Seq2[*factors, error] {
	step := f.emStep
	if f.seen != nil {
		step = f.emMissing
	}
	return func(yield func(*factors, error) bool) {
		s, err := f.start(ctx)
		for err == nil && ctx.Err() == nil {
			var next *factors
			if next, err = step(ctx, s); err != nil || ctx.Err() != nil { // which also computes s.loglik
				break
			}
			if !yield(s, nil) {
				return
			}
			next.steps = s.steps + 1
			s = next
		}
		if err != nil && ctx.Err() == nil {
			yield(nil, err)
		}
	}
}

// emStep computes the likelihood of s and the solution after it. All that is needed of the data is
// their covariance S: with β = Wᵀ(WWᵀ+Ψ)⁻¹, E[z|x] = βx, the mean of E[zzᵀ] is I − βW + βSβᵀ.
func (f *factorFit) emStep(_ context.Context, s *factors) (*factors, error) {
	precision := mat.NewDense(f.d, f.k, nil) // Ψ⁻¹W
	precision.Apply(func(j, _ int, v float64) float64 { return v / s.psi[j] }, s.w)
	inverse, logDet, err := posteriorCovariance(s.w, precision)
	if err != nil {
		return nil, err
	}
	var beta, cross, second mat.Dense
	beta.Mul(inverse, precision.T())
	cross.Mul(f.cov, beta.T()) // the mean of x·E[z|x]ᵀ
	s.loglik = float64(f.d)*math.Log(2*math.Pi) + logDet
	for j, psi := range s.psi {
		s.loglik += math.Log(psi) + f.cov.At(j, j)/psi - floats.Dot(precision.RawRowView(j), cross.RawRowView(j))
	}
	s.loglik /= -2
	second.Mul(&beta, &cross)
	second.Add(&second, inverse)
	next := &factors{mean: s.mean, w: mat.NewDense(f.d, f.k, nil), psi: make([]float64, f.d)}
	if err := solveRows(next.w, &second, &cross); err != nil {
		return nil, err
	}
	for j := range next.psi {
		next.psi[j] = f.cov.At(j, j) - floats.Dot(next.w.RawRowView(j), cross.RawRowView(j))
	}
	f.hold(next.psi, nil)
	return next, nil
}

// hold raises uniquenesses to their floor, after taking their mean, weighted, for Isotropic: of a
// function that falls on both sides of its maximum that is the best above the floor.
func (f *factorFit) hold(psi, weights []float64) {
	if f.Isotropic {
		sum, total := 0.0, 0.0
		for j, v := range psi {
			w := 1.0
			if weights != nil {
				w = weights[j]
			}
			sum, total = sum+w*v, total+w
		}
		for j := range psi {
			psi[j] = sum / total
		}
	}
	for j, v := range psi {
		psi[j] = math.Max(v, f.floor[j])
	}
}

// posteriorCovariance returns (I + WᵀΨ⁻¹W)⁻¹, that of z given x, and the logarithm of the
// determinant of its inverse.
func posteriorCovariance(w, precision *mat.Dense) (*mat.SymDense, float64, error) {
	_, k := w.Dims()
	var product mat.Dense
	product.Mul(w.T(), precision)
	m := mat.NewSymDense(k, nil)
	for a := range k {
		for b := a; b < k; b++ {
			m.SetSym(a, b, product.At(a, b))
		}
		m.SetSym(a, a, m.At(a, a)+1)
	}
	var chol mat.Cholesky
	inverse := mat.NewSymDense(k, nil)
	if !chol.Factorize(m) {
		return nil, 0, ml.NotFinite(factorMethod, "the covariance of the factors given the data was not found")
	}
	if err := chol.InverseTo(inverse); err != nil {
		if _, close := err.(mat.Condition); !close {
			return nil, 0, ml.NotFinite(factorMethod, "the covariance of the factors given the data was not found")
		}
	}
	return inverse, chol.LogDet(), nil
}

// solveRows writes b·a⁻¹ for a symmetric a to dst.
func solveRows(dst, a, b *mat.Dense) error {
	k, _ := a.Dims()
	sym := mat.NewSymDense(k, nil)
	for i := range k {
		for j := i; j < k; j++ {
			sym.SetSym(i, j, a.At(i, j))
		}
	}
	var chol mat.Cholesky
	var t mat.Dense
	if chol.Factorize(sym) {
		err := chol.SolveTo(&t, b.T())
		if _, close := err.(mat.Condition); err == nil || close {
			dst.Copy(t.T())
			return nil
		}
	}
	return ml.NotFinite(factorMethod, "the second moments of the factors are singular")
}

// emMissing is emStep where rows are observed in part. The factors alone are what is hidden: a
// row's observed entries say what they can of them, and each variable is regressed, with an
// intercept, on the factors of the rows in which it is observed (Rubin & Thayer, 1982).
func (f *factorFit) emMissing(ctx context.Context, s *factors) (*factors, error) {
	k := f.k
	moments, cross := make([]*mat.Dense, f.d), make([][]float64, f.d) // of (z, 1), for each variable
	squares, count := make([]float64, f.d), make([]float64, f.d)
	for j := range f.d {
		moments[j], cross[j] = mat.NewDense(k+1, k+1, nil), make([]float64, k+1)
	}
	total := 0.0
	z := make([]float64, k+1)
	z[k] = 1
	for i, columns := range f.seen {
		if i%256 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		w, precision := mat.NewDense(len(columns), k, nil), mat.NewDense(len(columns), k, nil)
		pull := mat.NewVecDense(k, nil)
		quadratic := 0.0
		for r, j := range columns {
			e := f.y.At(i, j) - s.mean[j]
			w.SetRow(r, s.w.RawRowView(j))
			for c, v := range s.w.RawRowView(j) {
				precision.Set(r, c, v/s.psi[j])
				pull.SetVec(c, pull.AtVec(c)+v*e/s.psi[j])
			}
			quadratic += e*e/s.psi[j] + math.Log(2*math.Pi*s.psi[j])
		}
		inverse, logDet, err := posteriorCovariance(w, precision)
		if err != nil {
			return nil, err
		}
		var mean mat.VecDense
		mean.MulVec(inverse, pull)
		copy(z, mean.RawVector().Data)
		total -= (quadratic + logDet - mat.Dot(pull, &mean)) / 2
		for _, j := range columns {
			v := f.y.At(i, j)
			count[j]++
			squares[j] += v * v
			floats.AddScaled(cross[j], v, z)
			for a := range k + 1 {
				row := moments[j].RawRowView(a)
				floats.AddScaled(row, z[a], z)
				if a < k {
					for b := range k {
						row[b] += inverse.At(a, b)
					}
				}
			}
		}
	}
	s.loglik = total / float64(f.n)
	next := &factors{mean: make([]float64, f.d), w: mat.NewDense(f.d, k, nil), psi: make([]float64, f.d)}
	for j := range f.d {
		coefficients := mat.NewDense(1, k+1, nil)
		if err := solveRows(coefficients, moments[j], mat.NewDense(1, k+1, cross[j])); err != nil {
			return nil, err
		}
		row := coefficients.RawRowView(0)
		next.w.SetRow(j, row[:k])
		next.mean[j] = row[k]
		next.psi[j] = (squares[j] - floats.Dot(row, cross[j])) / count[j]
	}
	f.hold(next.psi, count)
	return next, nil
}
