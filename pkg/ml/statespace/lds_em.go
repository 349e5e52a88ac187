package statespace

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	gonum "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// regression holds the sums of a regression of something on (z, 1).
type regression struct {
	n  float64   // how many steps
	zz []float64 // (k+1)×(k+1): Σ E[(z,1)(z,1)ᵀ]
}

// stats are the expected sums that the parameters follow from.
type stats struct {
	k, d   int
	full   bool // noise of the observations may be correlated
	loglik float64

	trials    float64
	mean0     []float64 // Σ E z₁
	cov0      []float64 // Σ E z₁z₁ᵀ
	from      regression
	to, cross []float64 // Σ E zₜzₜᵀ, k×k; Σ E zₜ(zₜ₋₁,1)ᵀ, k×(k+1); both from the second step on

	all   regression   // steps at which every variable is seen, or, with full, some are
	xz    []float64    // d×(k+1): Σ x(z,1)ᵀ
	xx    []float64    // d×d with full, else d: Σ xx
	apart []regression // of each variable, of steps at which others are missing; nil for none
}

func newStats(k, d int, full bool) *stats {
	s := &stats{k: k, d: d, full: full, mean0: make([]float64, k), cov0: make([]float64, k*k), from: newRegression(k), to: make([]float64, k*k),
		cross: make([]float64, k*(k+1)), all: newRegression(k), xz: make([]float64, d*(k+1)), xx: make([]float64, d)}
	if full {
		s.xx = make([]float64, d*d)
	}
	return s
}

func newRegression(k int) regression { return regression{zz: make([]float64, (k+1)*(k+1))} }

// add counts E[(z,1)(z,1)ᵀ] of a step.
func (r *regression) add(z, cov []float64) {
	k := len(z)
	r.n++
	for i, v := range z {
		row := r.zz[i*(k+1) : i*(k+1)+k+1]
		for j, w := range z {
			row[j] += v*w + cov[i*k+j]
		}
		row[k] += v
		r.zz[k*(k+1)+i] += v
	}
	r.zz[k*(k+1)+k]++
}

func (r *regression) merge(o regression) {
	r.n += o.n
	addTo(r.zz, o.zz)
}

func (s *stats) merge(o *stats) {
	s.loglik += o.loglik
	s.trials += o.trials
	addTo(s.mean0, o.mean0)
	addTo(s.cov0, o.cov0)
	s.from.merge(o.from)
	addTo(s.to, o.to)
	addTo(s.cross, o.cross)
	s.all.merge(o.all)
	addTo(s.xz, o.xz)
	addTo(s.xx, o.xx)
	if o.apart != nil {
		s.separate()
		for j := range o.apart {
			s.apart[j].merge(o.apart[j])
		}
	}
}

func (s *stats) separate() {
	if s.apart == nil {
		s.apart = make([]regression, s.d)
		for j := range s.apart {
			s.apart[j] = newRegression(s.k)
		}
	}
}

// first counts the first step of a trial.
func (s *stats) first(z, cov []float64) {
	s.trials++
	addTo(s.mean0, z)
	for i, v := range z {
		for j, w := range z {
			s.cov0[i*s.k+j] += v*w + cov[i*s.k+j]
		}
	}
}

// move counts a step from one state to the next; cross is Cov(to, from).
func (s *stats) move(from, fromCov, to, toCov, cross []float64) {
	k := s.k
	s.from.add(from, fromCov)
	for i, v := range to {
		for j, w := range to {
			s.to[i*k+j] += v*w + toCov[i*k+j]
		}
		for j, w := range from {
			s.cross[i*(k+1)+j] += v*w + cross[i*k+j]
		}
		s.cross[i*(k+1)+k] += v
	}
}

// see counts what is observed at a step. o says which variables are; nil means those that are not
// NaN. A step at which all are missing says nothing. m is needed for noise that is correlated.
func (s *stats) see(o *observed, z, cov, row []float64, m *matrices) {
	var vars []int
	if o != nil {
		vars = o.vars
	} else {
		for j, v := range row {
			if v == v {
				vars = append(vars, j)
			}
		}
	}
	k := s.k
	switch {
	case len(vars) == 0:
	case len(vars) == s.d:
		s.all.add(z, cov)
		for j, x := range row {
			blas.Axpy(x, z, s.xz[j*(k+1):j*(k+1)+k])
			s.xz[j*(k+1)+k] += x
			if s.full {
				blas.Axpy(x, row, s.xx[j*s.d:(j+1)*s.d])
			} else {
				s.xx[j] += x * x
			}
		}
	case s.full && m != nil:
		s.complete(vars, z, cov, row, m)
	case !s.full:
		s.separate()
		for _, j := range vars {
			x := row[j]
			s.apart[j].add(z, cov)
			blas.Axpy(x, z, s.xz[j*(k+1):j*(k+1)+k])
			s.xz[j*(k+1)+k] += x
			s.xx[j] += x * x
		}
	}
}

// complete counts a step at which some variables are missing and noise is correlated: what is
// missing is G·z + g and noise of covariance N, by regression on what is seen.
func (s *stats) complete(vars []int, z, cov, row []float64, m *matrices) {
	k, d, p := s.k, s.d, len(vars)
	seen := make([]int, d)
	for i := range seen {
		seen[i] = -1
	}
	r, l, e := make([]float64, p*p), make([]float64, p*p), make([]float64, p)
	for i, a := range vars {
		seen[a], e[i] = i, row[a]-m.offset[a]
		for j, b := range vars {
			r[i*p+j] = m.r[a*d+b]
		}
	}
	cholesky(l, r, p)
	slope, constant, noise := make([]float64, d*k), make([]float64, d), make([]float64, d*d)
	weights := make([]float64, d*p)
	for j := range d {
		if i := seen[j]; i >= 0 {
			constant[j], weights[j*p+i] = row[j], 1
			continue
		}
		b := weights[j*p : (j+1)*p]
		for i, a := range vars {
			b[i] = m.r[j*d+a]
		}
		solve(l, b, p)
		constant[j] = m.offset[j] + blas.Dot(b, e)
		copy(slope[j*k:(j+1)*k], m.c[j*k:(j+1)*k])
		for i, a := range vars {
			blas.Axpy(-b[i], m.c[a*k:(a+1)*k], slope[j*k:(j+1)*k])
		}
	}
	for i := range d {
		for j := range d {
			if seen[i] < 0 && seen[j] < 0 {
				v := m.r[i*d+j]
				for c, a := range vars {
					v -= weights[i*p+c] * m.r[j*d+a]
				}
				noise[i*d+j] = v
			}
		}
	}
	second := make([]float64, k*k) // E zzᵀ
	for i, v := range z {
		for j, w := range z {
			second[i*k+j] = v*w + cov[i*k+j]
		}
	}
	s.all.add(z, cov)
	gz, gs, gsg := make([]float64, d), make([]float64, d*k), make([]float64, d*d)
	apply(gz, slope, z)
	mul(gs, slope, second, d, k, k)
	mulT(gsg, gs, slope, d, k, d)
	for i := range d {
		for c, v := range z {
			s.xz[i*(k+1)+c] += gs[i*k+c] + constant[i]*v
		}
		s.xz[i*(k+1)+k] += gz[i] + constant[i]
		for j := range d {
			s.xx[i*d+j] += gsg[i*d+j] + constant[i]*gz[j] + gz[i]*constant[j] + constant[i]*constant[j] + noise[i*d+j]
		}
	}
}

// seeAll counts the steps of a trial of which nothing is missing: x is T×d, z T×k.
func (s *stats) seeAll(x, z []float64) {
	k, d := s.k, s.d
	n := len(z) / k
	s.all.n += float64(n)
	zm, xm := blas64.General{Rows: n, Cols: k, Stride: k, Data: z}, blas64.General{Rows: n, Cols: d, Stride: d, Data: x}
	blas64.Gemm(gonum.Trans, gonum.NoTrans, 1, zm, zm, 1, blas64.General{Rows: k, Cols: k, Stride: k + 1, Data: s.all.zz})
	blas64.Gemm(gonum.Trans, gonum.NoTrans, 1, xm, zm, 1, blas64.General{Rows: d, Cols: k, Stride: k + 1, Data: s.xz})
	if s.full {
		blas64.Gemm(gonum.Trans, gonum.NoTrans, 1, xm, xm, 1, blas64.General{Rows: d, Cols: d, Stride: d, Data: s.xx})
	}
	ones := s.all.zz[k*(k+1):]
	for t := range n {
		addTo(ones[:k], z[t*k:(t+1)*k])
		for j, v := range x[t*d : (t+1)*d] {
			s.xz[j*(k+1)+k] += v
			if !s.full {
				s.xx[j] += v * v
			}
		}
	}
	ones[k] += float64(n)
	for i := range k {
		s.all.zz[i*(k+1)+k] = ones[i]
	}
}

// moveAll counts the moves of a trial, without covariances.
func (s *stats) moveAll(z []float64) {
	k := s.k
	n := len(z)/k - 1
	if n < 1 {
		return
	}
	from, to := blas64.General{Rows: n, Cols: k, Stride: k, Data: z}, blas64.General{Rows: n, Cols: k, Stride: k, Data: z[k:]}
	s.from.n += float64(n)
	blas64.Gemm(gonum.Trans, gonum.NoTrans, 1, from, from, 1, blas64.General{Rows: k, Cols: k, Stride: k + 1, Data: s.from.zz})
	blas64.Gemm(gonum.Trans, gonum.NoTrans, 1, to, from, 1, blas64.General{Rows: k, Cols: k, Stride: k + 1, Data: s.cross})
	blas64.Gemm(gonum.Trans, gonum.NoTrans, 1, to, to, 1, blas64.General{Rows: k, Cols: k, Stride: k, Data: s.to})
	ones := s.from.zz[k*(k+1):]
	for t := range n {
		addTo(ones[:k], z[t*k:(t+1)*k])
		for i, v := range z[(t+1)*k : (t+2)*k] {
			s.cross[i*(k+1)+k] += v
		}
	}
	ones[k] += float64(n)
	for i := range k {
		s.from.zz[i*(k+1)+k] = ones[i]
	}
}

// addCov adds a covariance, times n, to the states' part of a regression.
func (r *regression) addCov(n float64, cov []float64, k int) {
	for i := range k {
		blas.Axpy(n, cov[i*k:(i+1)*k], r.zz[i*(k+1):i*(k+1)+k])
	}
}

// trialsAtOnce is how many trials one call of the M step's sums takes.
const trialsAtOnce = 8

// expect runs the smoother over all trials and gathers what the next parameters follow from.
func (f *ldsFit) expect(ctx context.Context, p *prepared) (*stats, error) {
	// What is seen depends on R and C: the groups stay, their observations are new.
	groups := f.grouped
	if p != f.start {
		f.reobserve(p)
	}
	parts := make([]*stats, chunksOf(groups, trialsAtOnce))
	err := p.each(ctx, groups, true, trialsAtOnce, func(chunk int, g *group, members []int) {
		parts[chunk] = f.gather(p, g, members)
	})
	if err != nil {
		return nil, err
	}
	sum := newStats(f.k, f.d, f.ObservationNoise == Full)
	for _, s := range parts {
		sum.merge(s)
	}
	return sum, nil
}

// reobserve brings the groups' observations up to new parameters.
func (f *ldsFit) reobserve(p *prepared) {
	fresh := map[*observed]*observed{}
	for _, g := range f.grouped {
		for t, o := range g.o {
			if fresh[o] == nil {
				fresh[o] = p.at(t).observe(o.vars)
			}
			g.o[t] = fresh[o]
		}
	}
}

func (f *ldsFit) gather(p *prepared, g *group, members []int) *stats {
	k := f.k
	s, means := newStats(k, f.d, f.ObservationNoise == Full), newPass(g.steps, p)
	whole := true
	for _, o := range g.o {
		whole = whole && len(o.vars) == f.d
	}
	zero := make([]float64, k*k)
	for _, trial := range members {
		row := f.x.Start[trial]
		g.run(p, f.x.X, row, means)
		s.loglik += means.loglik
		z := means.smoothed
		s.first(z[:k], zero)
		s.moveAll(z)
		if whole {
			s.seeAll(f.x.X.RawMatrix().Data[row*f.d:(row+g.steps)*f.d], z)
			continue
		}
		for t, o := range g.o {
			cov := zero // of a step that shows all it is counted below
			if len(o.vars) < f.d {
				cov = g.b[t].v
			}
			s.see(o, z[t*k:(t+1)*k], cov, f.x.X.RawRowView(row+t), p.at(t))
		}
	}
	// Covariances are those of every trial.
	n := float64(len(members))
	blas.Axpy(n, g.b[0].v, s.cov0)
	for t, b := range g.b {
		if len(g.o[t].vars) == f.d {
			s.all.addCov(n, b.v, k)
		}
		if t == g.steps-1 {
			break
		}
		s.from.addCov(n, b.v, k)
		blas.Axpy(n, g.b[t+1].v, s.to)
		for i := range k {
			blas.Axpy(n, b.cross[i*k:(i+1)*k], s.cross[i*(k+1):i*(k+1)+k])
		}
	}
	return s
}

// maximize returns the parameters that the sums ask for.
func (f *ldsFit) maximize(p *prepared, s *stats) *prepared {
	k, old := f.k, p.steps[0]
	m := &matrices{k: k, d: f.d, a: old.a, drift: old.drift, q: old.q, c: old.c, offset: old.offset, r: old.r, diagonal: old.diagonal}
	next := &prepared{k: k, d: f.d, mean0: p.mean0, cov: p.cov, steps: []*matrices{m}}
	if !f.held["Mean"] {
		next.mean0 = make([]float64, k)
		blas.Axpy(1/s.trials, s.mean0, next.mean0)
	}
	if !f.held["Cov"] {
		next.cov = make([]float64, k*k)
		for i := range k {
			for j := range k {
				// Around a mean that may be held.
				next.cov[i*k+j] = (s.cov0[i*k+j] - s.mean0[i]*next.mean0[j] - next.mean0[i]*s.mean0[j] + s.trials*next.mean0[i]*next.mean0[j]) / s.trials
			}
		}
		symmetrize(next.cov, k)
	}
	if s.from.n > 0 {
		f.transition(m, s)
	}
	observe(m, s, readoutOptions{f.held["C"], f.held["Offset"], f.held["R"], f.ObservationNoise, f.floor})
	return next
}

// transition sets A, the drift and Q.
func (f *ldsFit) transition(m *matrices, s *stats) {
	k := f.k
	w := k + 1
	switch learnA, learnDrift := !f.held["A"], !f.held["Drift"]; {
	case learnA && f.Transition == Diagonal:
		// The rows are tied by Q: the diagonal a solves (Q⁻¹∘S)a = diag(Q⁻¹N).
		m.a = f.diagonalTransition(m, s)
		if learnDrift {
			m.drift = meanMove(m.a, s)
		}
	case learnA && learnDrift:
		both := regress(s.cross, s.from.zz, k, w)
		m.a, m.drift = make([]float64, k*k), make([]float64, k)
		for i := range k {
			copy(m.a[i*k:(i+1)*k], both[i*w:i*w+k])
			m.drift[i] = both[i*w+k]
		}
	case learnA:
		target, g := make([]float64, k*k), make([]float64, k*k)
		for i := range k {
			copy(g[i*k:(i+1)*k], s.from.zz[i*w:i*w+k])
			for j := range k {
				target[i*k+j] = s.cross[i*w+j] - m.drift[i]*s.from.zz[k*w+j]
			}
		}
		m.a = regress(target, g, k, k)
	case learnDrift:
		m.drift = meanMove(m.a, s)
	}
	if f.held["Q"] {
		return
	}
	both := make([]float64, k*w)
	for i := range k {
		copy(both[i*w:], m.a[i*k:(i+1)*k])
		both[i*w+k] = m.drift[i]
	}
	m.q = residual(s.to, s.cross, s.from.zz, both, k, w, s.from.n)
	restrict(m.q, k, f.StateNoise)
}

// restrict keeps what a shape allows of a covariance, which is the most likely one of that shape.
func restrict(q []float64, k int, shape Shape) {
	if shape == "" || shape == Full {
		return
	}
	mean := 0.0
	for i := range k {
		mean += q[i*k+i] / float64(k)
		for j := range k {
			if i != j {
				q[i*k+j] = 0
			}
		}
	}
	if shape == Isotropic {
		for i := range k {
			q[i*k+i] = mean
		}
	}
}

func (f *ldsFit) diagonalTransition(m *matrices, s *stats) []float64 {
	k := f.k
	w := k + 1
	l, inverse := make([]float64, k*k), identity(k, 1)
	cholesky(l, m.q, k)
	solve(l, inverse, k)
	g, target := make([]float64, k*k), make([]float64, k)
	for i := range k {
		for j := range k {
			g[i*k+j] = inverse[i*k+j] * s.from.zz[i*w+j]
			target[i] += inverse[i*k+j] * (s.cross[j*w+i] - m.drift[j]*s.from.zz[k*w+i])
		}
	}
	a := regress(target, g, 1, k)
	out := make([]float64, k*k)
	for i, v := range a {
		out[i*k+i] = v
	}
	return out
}

// meanMove is the drift that is best for an A.
func meanMove(a []float64, s *stats) []float64 {
	k := s.k
	out := make([]float64, k)
	for i := range k {
		out[i] = (s.cross[i*(k+1)+k] - blas.Dot(a[i*k:(i+1)*k], s.from.zz[k*(k+1):k*(k+1)+k])) / s.from.n
	}
	return out
}

// regress returns target·g⁻¹ for a target of rows×n and a symmetric g. Where g is singular, what
// can't be told apart has no weight.
func regress(target, g []float64, rows, n int) []float64 {
	l := make([]float64, n*n)
	cholesky(l, g, n)
	out := make([]float64, rows*n)
	copy(out, target)
	solve(l, out, n)
	return out
}

// residual is (to − W·crossᵀ − cross·Wᵀ + W·from·Wᵀ)/n.
func residual(to, cross, from, w []float64, k, width int, n float64) []float64 {
	out, wf, wc := make([]float64, k*k), make([]float64, k*width), make([]float64, k*k)
	mul(wf, w, from, k, width, width)
	mulT(out, wf, w, k, width, k)
	mulT(wc, w, cross, k, width, k)
	for i := range k {
		for j := range k {
			out[i*k+j] = (out[i*k+j] + to[i*k+j] - wc[i*k+j] - wc[j*k+i]) / n
		}
	}
	symmetrize(out, k)
	return out
}

// readoutOptions say what is learned of C, Offset and R.
type readoutOptions struct {
	holdC, holdOffset, holdR bool
	noise                    Shape
	floor                    []float64 // least variances
}

// observe sets C, the offset and R of m.
func observe(m *matrices, s *stats, o readoutOptions) {
	k, d := m.k, m.d
	w := k + 1
	c, offset := make([]float64, d*k), make([]float64, d)
	copy(c, m.c)
	copy(offset, m.offset)
	of := func(j int) regression {
		r := s.all
		if s.apart != nil {
			r = regression{s.all.n, append([]float64(nil), s.all.zz...)}
			r.merge(s.apart[j])
		}
		return r
	}
	for j := range d {
		r, xz := of(j), s.xz[j*w:(j+1)*w]
		if r.n == 0 {
			continue
		}
		switch {
		case !o.holdC && !o.holdOffset:
			both := regress(xz, r.zz, 1, w)
			copy(c[j*k:(j+1)*k], both[:k])
			offset[j] = both[k]
		case !o.holdC:
			g, target := make([]float64, k*k), make([]float64, k)
			for i := range k {
				copy(g[i*k:(i+1)*k], r.zz[i*w:i*w+k])
				target[i] = xz[i] - offset[j]*r.zz[k*w+i]
			}
			copy(c[j*k:(j+1)*k], regress(target, g, 1, k))
		case !o.holdOffset:
			offset[j] = (xz[k] - blas.Dot(c[j*k:(j+1)*k], r.zz[k*w:k*w+k])) / r.n
		}
	}
	m.c, m.offset = c, offset
	if o.holdR {
		return
	}
	m.r = make([]float64, d*d)
	if s.full {
		both := make([]float64, d*w)
		for j := range d {
			copy(both[j*w:], c[j*k:(j+1)*k])
			both[j*w+k] = offset[j]
		}
		m.r = lifted(residual(s.xx, s.xz, s.all.zz, both, d, w, s.all.n), d, o.floor[0])
		return
	}
	sum, count, row := 0.0, 0.0, make([]float64, w)
	for j := range d {
		r := of(j)
		copy(row, c[j*k:(j+1)*k])
		row[k] = offset[j]
		v := residual(s.xx[j:j+1], s.xz[j*w:(j+1)*w], r.zz, row, 1, w, 1)[0]
		sum, count = sum+v, count+r.n
		m.r[j*d+j] = max(v/max(r.n, 1), o.floor[j])
	}
	if o.noise == Isotropic {
		m.r = identity(d, max(sum/count, o.floor[0]))
	}
}

// lifted raises eigenvalues below a floor to it, which of all covariances without such is the most
// likely.
func lifted(r []float64, d int, floor float64) []float64 {
	var es mat.EigenSym
	if !es.Factorize(mat.NewSymDense(d, r), true) {
		return r
	}
	values := es.Values(nil)
	if values[0] >= floor {
		return r
	}
	var v, out mat.Dense
	es.VectorsTo(&v)
	scaled := mat.NewDense(d, d, nil)
	scaled.Apply(func(i, j int, u float64) float64 { return u * math.Sqrt(max(values[j], floor)) }, &v)
	out.Mul(scaled, scaled.T())
	a := out.RawMatrix().Data
	symmetrize(a, d)
	return a
}
