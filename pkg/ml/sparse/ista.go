package sparse

import (
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// ISTA minimises ½‖y − Dᵀz‖² + λ‖z‖₁ for each row y as Lasso does, by steps down the gradient of
// the squares with soft thresholding after each (Daubechies, Defrise & De Mol, 2004):
//
//	z ← S(z + D(y − Dᵀz)/L, λ/L),
//
// L being the largest eigenvalue of DDᵀ. From zero, after k steps the objective is at most
// L‖z*‖²/(2k) above the minimum, and it never rises. All rows move at once, by matrix products: a
// step costs O(nK·min(K, 2d)).
type ISTA struct {
	Dictionary mat.Matrix // K×d, an atom a row, not 0
	Lambda     float64    // in units of ⟨d, y⟩; 0 means a tenth of the least one at which all codes are zero
	MaxIter    int        // steps; 0 means 10,000
	Tol        float64    // a row is done at a duality gap of so much of ½‖y‖², looked at every tenth step; 0 means 1e-6
}

// FISTA is ISTA from a point ahead (Beck & Teboulle, 2009): the gradient is taken where the last
// two steps lead to,
//
//	w = z + (t−1)/t' · (z − z'),   t' = (1 + √(1 + 4t²))/2,
//
// and the objective is at most 2L‖z*‖²/(k+1)² above the minimum after k steps. It may rise on the
// way.
type FISTA struct {
	Dictionary mat.Matrix // as of ISTA
	Lambda     float64
	MaxIter    int
	Tol        float64
}

const (
	istaMethod  = "sparse.ISTA"
	fistaMethod = "sparse.FISTA"
)

// Fit codes the rows of x, n×d. Gap is the sum of the rows' duality gaps. The errors are those of
// OMP.Fit.
func (i ISTA) Fit(ctx context.Context, x mat.Matrix) (*Code, error) {
	return lastCode(ctx, i.steps(istaMethod, ctx, x, false, false))
}

// Iterate yields the codes after every step.
func (i ISTA) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Code, error] {
	return i.steps(istaMethod, ctx, x, false, true)
}

// Fit codes the rows of x, n×d. Gap is the sum of the rows' duality gaps. The errors are those of
// OMP.Fit.
func (f FISTA) Fit(ctx context.Context, x mat.Matrix) (*Code, error) {
	return lastCode(ctx, ISTA(f).steps(fistaMethod, ctx, x, true, false))
}

// Iterate yields the codes after every step.
func (f FISTA) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Code, error] {
	return ISTA(f).steps(fistaMethod, ctx, x, true, true)
}

func lastCode(ctx context.Context, steps iter.Seq2[*Code, error]) (last *Code, err error) {
	for c, err := range steps {
		if err != nil {
			return last, err
		}
		last = c
	}
	return last, ctx.Err()
}

// proximal is the state of all rows that are not done yet, one behind the other.
type proximal struct {
	*signals
	l1
	lipschitz    float64
	fast         bool
	number       []int      // of each row, among the caller's
	corr         *mat.Dense // products Dy
	z, last      *mat.Dense
	w, gradient  *mat.Dense
	t            float64
	fitted, back *mat.Dense
}

// steps yields the codes after every step, or after the last one only.
func (i ISTA) steps(method string, ctx context.Context, x mat.Matrix, fast, every bool) iter.Seq2[*Code, error] {
	return func(yield func(*Code, error) bool) {
		s, o, err := checkL1(ctx, method, i.Dictionary, x, i.Lambda, i.MaxIter, 10_000, i.Tol, 1e-6)
		if err != nil {
			yield(nil, err)
			return
		}
		p, err := s.proximal(ctx, method, o, fast)
		if err != nil {
			yield(nil, err)
			return
		}
		rows := make([]row, s.n)
		for step := 1; ; step++ {
			p.step()
			ended := ctx.Err() != nil
			end := ended || step == o.maxIter
			// Iterate looks at every gap, and leaves the rows that are done where they are as Fit
			// does.
			p.finish(rows, step, every || end, end || step%10 == 0)
			end = end || len(p.number) == 0
			if every || end {
				c, err := s.code(ctx, method, rows, true)
				if !yield(c, err) || err != nil {
					return
				}
			}
			if end {
				if ended && every {
					yield(nil, ctx.Err())
				}
				return
			}
		}
	}
}

func (s *signals) proximal(ctx context.Context, method string, o l1, fast bool) (*proximal, error) {
	p := &proximal{signals: s, l1: o, fast: fast, t: 1, number: make([]int, s.n)}
	for i := range p.number {
		p.number[i] = i
	}
	var square mat.Dense // the smaller of DDᵀ and DᵀD, whose eigenvalues are the same
	if s.k <= s.d {
		square.Mul(s.x, s.x.T())
	} else {
		square.Mul(s.x.T(), s.x)
	}
	top, err := eigen.Largest(ctx, &square, 1, 1)
	if err != nil {
		return nil, err
	}
	if len(top.Values) == 0 || !(top.Values[0] > 0) {
		return nil, ml.NotFinite(method, "the largest eigenvalue of the atoms' products is not to be had")
	}
	p.lipschitz = top.Values[0] * (1 + 1e-9)
	p.corr = mat.NewDense(s.n, s.k, nil)
	p.corr.Mul(s.y, s.x.T())
	p.z, p.last, p.w, p.gradient = mat.NewDense(s.n, s.k, nil), mat.NewDense(s.n, s.k, nil), mat.NewDense(s.n, s.k, nil), mat.NewDense(s.n, s.k, nil)
	p.fitted, p.back = mat.NewDense(s.n, s.d, nil), mat.NewDense(s.n, s.k, nil)
	return p, ctx.Err()
}

// slope sets p.gradient to D(y − Dᵀv) for the rows of v.
func (p *proximal) slope(v *mat.Dense) {
	if p.atoms.gram != nil && p.k <= 2*p.d {
		p.back.Mul(v, mat.NewDense(p.k, p.k, p.atoms.gram))
	} else {
		p.fitted.Mul(v, p.x)
		p.back.Mul(p.fitted, p.x.T())
	}
	p.gradient.Sub(p.corr, p.back)
}

func (p *proximal) step() {
	from := p.z
	next := p.t
	if p.fast {
		from = p.w
		next = (1 + math.Sqrt(1+4*p.t*p.t)) / 2
	}
	p.slope(from)
	p.last, p.z = p.z, p.last
	ahead := (p.t - 1) / next
	p.t = next
	level := l1{lambda: p.lambda / p.lipschitz}
	n, _ := from.Dims()
	for i := range n {
		f, g, z, last, w := from.RawRowView(i), p.gradient.RawRowView(i), p.z.RawRowView(i), p.last.RawRowView(i), p.w.RawRowView(i)
		for j := range z {
			z[j] = level.soft(f[j] + g[j]/p.lipschitz)
		}
		if p.fast {
			for j := range z {
				w[j] = z[j] + ahead*(z[j]-last[j])
			}
		}
	}
}

// finish writes the rows to where the caller finds them, and leaves out those that are done.
func (p *proximal) finish(rows []row, step int, write, test bool) {
	if !write && !test {
		return
	}
	p.slope(p.z)
	n, _ := p.z.Dims()
	r := make([]float64, p.d)
	kept := 0
	for i := range n {
		z := row{iterations: step}
		size := 0.0
		for j, v := range p.z.RawRowView(i) {
			if v != 0 {
				z.index, z.value = append(z.index, j), append(z.value, v)
				size += math.Abs(v)
			}
		}
		z.penalty = p.lambda * size
		y := p.y.RawRowView(p.number[i])
		p.residual(r, y, z)
		z.gap = max(0, dualGap(y, r, p.gradient.RawRowView(i), size, p.l1))
		z.converged = z.gap <= p.tol*blas.Dot(y, y)/2
		rows[p.number[i]] = z
		if test && z.converged {
			continue
		}
		if kept < i {
			for _, m := range []*mat.Dense{p.z, p.last, p.w, p.corr} {
				m.SetRow(kept, m.RawRowView(i))
			}
		}
		p.number[kept] = p.number[i]
		kept++
	}
	if p.number = p.number[:kept]; kept == n || kept == 0 {
		return
	}
	for _, m := range []**mat.Dense{&p.z, &p.last, &p.w, &p.gradient, &p.corr, &p.fitted, &p.back} {
		_, c := (*m).Dims()
		*m = (*m).Slice(0, kept, 0, c).(*mat.Dense)
	}
}
