package decomposition

import (
	"cmp"
	"context"
	"iter"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Picard is independent component analysis by maximum likelihood, with a quasi-Newton method that
// knows what the Hessian of an ICA looks like near its solution (Ablin, Cardoso & Gramfort, 2018):
// it converges where FastICA circles, and in a tenth of Infomax's steps. It is the method to take
// where nothing speaks against it.
//
// By default sources are held uncorrelated (the orthogonal kind, 2018b), as FastICA holds them, and
//
//	Σᵢ sᵢ E[log cosh yᵢ],    y = Wz, WWᵀ = I,
//
// is lowered, sᵢ = 1 for a source that looks peaked and −1 for one that looks flat, which is
// decided anew after each step. Plain lets W be any matrix, and lowers what Infomax lowers.
//
// That function has minima that mix the sources, and no descent leaves them; they can even be lower
// than the one that is wanted. So it is tried from several Starts, on 2,000 rows drawn at random:
// each goes down, turns pairs of signals by the angle, of all there are, at which their squared
// kurtoses add up to most (Comon, 1994), and goes down again, while that helps. What is to be small
// is the sum of the signals' entropies, which for uncorrelated ones is the information that they
// have in common, but for a constant, whatever their densities. It is estimated from histograms;
// the start that ends lowest goes on with all rows.
//
// A step costs O(nk²), a start about O(2000 k²) of each.
type Picard struct {
	Components    int        // sources to look for, in as many principal components; 0 means all in which the data vary
	Plain         bool       // let sources be correlated: the maximum of the likelihood itself
	SuperGaussian bool       // take all sources to be peaked, and none to be flat
	Starts        int        // 0 means 10; 1 is one start on all rows
	Memory        int        // of L-BFGS; 0 means 7
	MaxIter       int        // steps with all rows; 0 means 500
	Tol           float64    // largest Stationarity to stop at; 0 means 1e-7, negative never
	Init          *mat.Dense // k×k, W to start from, once; nil means at random
	Seed          uint64
}

// Fit finds the sources of the rows of x. Stationarity of the model is the largest entry of
// E[ψ(y)yᵀ] − I with Plain, and of (E[ψ(y)yᵀ] − E[yψ(y)ᵀ])/2 without, ψ being the derivative of
// each source's loss. Errors are those of FastICA.Fit; what has not converged is no error, but
// Converged false.
func (p Picard) Fit(ctx context.Context, x mat.Matrix) (*ICAModel, error) {
	return ml.Last(p.Iterate(ctx, x))
}

// Iterate yields the model after the starts, and after each step with all rows.
func (p Picard) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*ICAModel, error] {
	const method = "decomposition.Picard"
	return func(yield func(*ICAModel, error) bool) {
		most, tol, err := iterationLimits(method, p.MaxIter, 500, p.Tol, 1e-7)
		starts, memory := cmp.Or(p.Starts, 10), cmp.Or(p.Memory, 7)
		switch {
		case err != nil:
		case starts < 1:
			err = ml.BadParameter(method, "Starts", starts, "at least 1, or 0 for 10")
		case memory < 1:
			err = ml.BadParameter(method, "Memory", memory, "at least 1, or 0 for 7")
		}
		if err != nil {
			yield(nil, err)
			return
		}
		data, err := whiten(ctx, method, x, p.Components)
		if err != nil {
			yield(nil, err)
			return
		}
		k, _ := data.z.Dims()
		w, err := initialUnmixing(method, p.Init, k, p.Seed)
		if err == nil && p.Init == nil && starts > 1 && k > 1 {
			w, err = data.search(ctx, starts, p.Seed)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		l := likelihood{newMeasurer(LogCosh, data.z), p.SuperGaussian}
		d := descent{evaluate: l.free, precondition: l.precondition, memory: memory, most: most, tol: tol}
		if !p.Plain {
			d.evaluate, d.precondition, d.rotate = l.orthogonal, preconditionRotation, true
		}
		data.iterate(ctx, d, w, [2]int{}, yield)
	}
}

// iterate yields models along a descent, the start's first.
func (s *whitened) iterate(ctx context.Context, d descent, w *mat.Dense, grid [2]int, yield func(*ICAModel, error) bool) {
	var last *ICAModel
	model := func(p *unmixing, i int, converged bool) *ICAModel {
		var inverse mat.Dense
		if !d.rotate {
			_ = inverse.Inverse(p.w) // a condition that is large is said as an error, and has an answer
		} else {
			inverse.CloneFrom(p.w.T())
		}
		m := s.model(p.w, &inverse, p.signs, grid)
		m.Loss, m.Stationarity, m.Iterations, m.Converged = p.loss, p.stationarity, i, converged
		return m
	}
	p, err := d.evaluate(ctx, w, nil)
	if err != nil {
		yield(nil, err)
		return
	}
	last = model(p, 0, p.stationarity <= d.tol)
	if !yield(last, nil) {
		return
	}
	if _, _, err = d.run(ctx, w, func(p *unmixing, i int, converged bool) bool {
		last = model(p, i, converged)
		return yield(last, nil)
	}); err != nil {
		yield(last, err)
	}
}

// likelihood judges unmixing matrices under the densities of Infomax.
type likelihood struct {
	measure       *measurer
	superGaussian bool
}

// orthogonal is the loss of signals that are held uncorrelated.
func (l likelihood) orthogonal(ctx context.Context, w *mat.Dense, signs []float64) (*unmixing, error) {
	t, err := l.measure.at(ctx, w, false)
	if err != nil {
		return nil, err
	}
	if l.superGaussian {
		signs = ones(len(t.value))
	}
	r := t.rotation(w, signs)
	if l.superGaussian {
		r.wanted = signs
	}
	return &unmixing{w: w, signs: r.signs, wanted: r.wanted, loss: r.loss, gradient: r.gradient, stationarity: r.stationarity, rotation: r}, nil
}

// leastCurvature is the smallest eigenvalue that an approximate Hessian is allowed to have.
const leastCurvature = 0.01

// preconditionRotation divides a skew-symmetric matrix by the Hessian of independent sources, which
// is diagonal for rotations of two signals.
func preconditionRotation(p *unmixing, q *mat.Dense) *mat.Dense {
	k, _ := q.Dims()
	z := mat.NewDense(k, k, nil)
	r := p.rotation
	for i := range k {
		for j := range i {
			h := max(0.5*(r.curve[i]+r.curve[j]-r.diagonal[i]-r.diagonal[j]), leastCurvature)
			v := (q.At(i, j) - q.At(j, i)) / 2 / h
			z.Set(i, j, v)
			z.Set(j, i, -v)
		}
	}
	return z
}

// free is −log |det W| + Σ E[−log pᵢ(yᵢ)], but for constants: with
// −log p(y) = y²/2 + s log cosh y where sources may be of both kinds, and log cosh y where all are
// peaked.
func (l likelihood) free(ctx context.Context, w *mat.Dense, signs []float64) (*unmixing, error) {
	t, err := l.measure.at(ctx, w, true)
	if err != nil {
		return nil, err
	}
	k, _ := w.Dims()
	g := t.relative(w)
	wanted := ones(k)
	if !l.superGaussian {
		wanted = t.signs(g, w)
	}
	if signs == nil {
		signs = wanted
	}
	logDet, _ := mat.LogDet(w)
	p := &unmixing{w: w, signs: signs, wanted: wanted, loss: -logDet, gradient: g, outer: t.outer}
	var covariance mat.Dense // of y, as z is white
	covariance.Mul(w, w.T())
	for i, s := range signs {
		p.loss += s * t.value[i]
		if !l.superGaussian {
			p.loss += covariance.At(i, i) / 2
		}
		for j := range k {
			v, h := s*g.At(i, j), s*t.outer.At(i, j)
			if !l.superGaussian {
				v, h = v+covariance.At(i, j), h+covariance.At(j, j)
			}
			if i == j {
				v--
			}
			g.Set(i, j, v)
			p.outer.Set(i, j, h)
			p.stationarity = max(p.stationarity, math.Abs(v))
		}
	}
	if math.IsNaN(p.loss) || math.IsNaN(p.stationarity) {
		p.loss = math.Inf(1)
	}
	return p, nil
}

// precondition divides by the Hessian that independent sources would have: 2×2 blocks
// [h_ij 1; 1 h_ji], whose eigenvalues are raised to what keeps the direction downhill.
func (l likelihood) precondition(p *unmixing, q *mat.Dense) *mat.Dense {
	k, _ := q.Dims()
	z := mat.NewDense(k, k, nil)
	for i := range k {
		z.Set(i, i, q.At(i, i)/max(1+p.outer.At(i, i), leastCurvature))
		for j := range i {
			a, b := p.outer.At(i, j), p.outer.At(j, i)
			if low := (a + b - math.Hypot(a-b, 2)) / 2; low < leastCurvature {
				a, b = a+leastCurvature-low, b+leastCurvature-low
			}
			det := a*b - 1
			z.Set(i, j, (b*q.At(i, j)-q.At(j, i))/det)
			z.Set(j, i, (a*q.At(j, i)-q.At(i, j))/det)
		}
	}
	return z
}

// searchRows is how many rows starts are tried on.
const searchRows = 2000

// search tries several starts on few rows, and returns the rotation after which signals have the
// least information in common.
func (s *whitened) search(ctx context.Context, starts int, seed uint64) (*mat.Dense, error) {
	z := s.sample(seed)
	k, _ := z.Dims()
	found, entropy, errs := make([]*mat.Dense, starts), make([]float64, starts), make([]error, starts)
	if err := parallel.For(ctx, starts, 1, func(i, _, _ int) {
		l := likelihood{newMeasurer(LogCosh, z), false}
		d := descent{evaluate: l.orthogonal, precondition: preconditionRotation, rotate: true, memory: 7, most: 100, tol: 1e-3}
		w := randomRotation(k, seed, i)
		for range 6 {
			p, _, err := d.run(ctx, w, func(*unmixing, int, bool) bool { return true })
			if err != nil {
				errs[i] = err
				return
			}
			h := entropies(p.w, z)
			if found[i] != nil && h > entropy[i]-1e-3 {
				return
			}
			found[i], entropy[i] = p.w, h
			if w = mat.DenseCopyOf(p.w); !turnPairs(w, z) {
				return
			}
		}
	}); err != nil {
		return nil, err
	}
	best := 0
	for i, h := range entropy {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if h < entropy[best] {
			best = i
		}
	}
	return found[best], nil
}

// entropies is the sum of the entropies of the signals y = Wz in nats, from histograms of bins a
// tenth of a standard deviation wide.
func entropies(w, z *mat.Dense) float64 {
	const width, reach = 0.1, 60 // what is further than 6 counts as 6
	var y mat.Dense
	y.Mul(w, z)
	k, n := y.Dims()
	sum := 0.0
	for i := range k {
		var counts [2*reach + 1]float64
		for _, v := range y.RawRowView(i) {
			counts[int(min(max(v/width, -reach), reach)+reach+0.5)]++
		}
		for _, c := range counts {
			if c > 0 {
				sum -= c / float64(n) * math.Log(c/float64(n)/width)
			}
		}
	}
	return sum
}

// sample draws few columns of z, and makes them white again.
func (s *whitened) sample(seed uint64) *mat.Dense {
	k, n := s.z.Dims()
	m := max(searchRows, 20*k)
	if n <= m {
		return s.z
	}
	z := mat.NewDense(k, m, nil)
	for t, from := range rng.New(seed, -1).Perm(n)[:m] {
		for i := range k {
			z.Set(i, t, s.z.At(i, from))
		}
	}
	for i := range k {
		standardizeSignal(z.RawRowView(i))
	}
	return z
}

// pairAngles is the number of those at which a pair of signals is looked at. A quarter turn changes
// the names of the two and a sign, and nothing else.
const pairAngles = 32

// turnPairs turns each pair of rows of w by the best of many angles: where the squared kurtoses of
// y = Wz add up to most. At any angle these follow from the five fourth moments of the pair. It
// says whether one was turned.
func turnPairs(w, z *mat.Dense) bool {
	var y mat.Dense
	y.Mul(w, z)
	k, n := y.Dims()
	turned := false
	for i := range k {
		for j := range i {
			a, b := y.RawRowView(i), y.RawRowView(j)
			var m [5]float64 // E[aᵖb⁴⁻ᵖ], p = 4, …, 0
			for t, u := range a {
				v := b[t]
				m[0] += u * u * u * u
				m[1] += u * u * u * v
				m[2] += u * u * v * v
				m[3] += u * v * v * v
				m[4] += v * v * v * v
			}
			kurtosis := func(c, s float64) float64 {
				return (c*c*c*c*m[0]+4*c*c*c*s*m[1]+6*c*c*s*s*m[2]+4*c*s*s*s*m[3]+s*s*s*s*m[4])/float64(n) - 3
			}
			best, at, here := 0.0, 0, 0.0
			for angle := range pairAngles {
				sin, cos := math.Sincos(math.Pi / 2 * float64(angle) / pairAngles)
				p, q := kurtosis(cos, sin), kurtosis(-sin, cos)
				if angle == 0 {
					here = p*p + q*q
				}
				if v := p*p + q*q; v > best {
					best, at = v, angle
				}
			}
			if at == 0 || best < 1.05*here {
				continue
			}
			turned = true
			sin, cos := math.Sincos(math.Pi / 2 * float64(at) / pairAngles)
			rotateRows(a, b, cos, sin)
			rotateRows(w.RawRowView(i), w.RawRowView(j), cos, sin)
		}
	}
	return turned
}

func rotateRows(a, b []float64, cos, sin float64) {
	for t, u := range a {
		v := b[t]
		a[t], b[t] = cos*u+sin*v, cos*v-sin*u
	}
}
