package statespace

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml/trials"
	gonum "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// The covariances of a Kalman filter and of its smoother depend on which values are missing and not
// on what the others are. They are computed once for all trials that are alike in this, and within
// a trial until they have reached their steady state; what is left for each trial are the means,
// some products of a small matrix with a vector a step.
//
// No covariance is a difference of two. With P = LLᵀ before an observation, it is
//
//	V = L·(I + LᵀCᵀR⁻¹CL)⁻¹·Lᵀ
//
// after it, which is symmetric and positive semidefinite for any rounding, as is what Joseph's form
// gives. That form, V̂ = (I−JA)·V·(I−JA)ᵀ + J(Q+V̂')Jᵀ, serves for the smoother.

// observed is how some of the variables show the state, in units in which their noise is white.
type observed struct {
	vars   []int     // which are seen
	l      []float64 // p×p root of their noise; nil where it is diagonal
	scale  []float64 // 1/σ of each, where it is diagonal
	w      []float64 // p×k
	g      []float64 // k×k: wᵀw
	logdet float64   // of the noise, and p·log 2π
}

func (m *matrices) observe(vars []int) *observed {
	p := len(vars)
	o := &observed{vars: vars, w: make([]float64, p*m.k), g: make([]float64, m.k*m.k), logdet: float64(p) * math.Log(2*math.Pi)}
	for i, j := range vars {
		copy(o.w[i*m.k:(i+1)*m.k], m.c[j*m.k:(j+1)*m.k])
	}
	if m.diagonal {
		o.scale = make([]float64, p)
		for i, j := range vars {
			o.scale[i] = 1 / math.Sqrt(m.r[j*m.d+j])
			o.logdet += math.Log(m.r[j*m.d+j])
			for c := range m.k {
				o.w[i*m.k+c] *= o.scale[i]
			}
		}
	} else {
		r := make([]float64, p*p)
		for i, a := range vars {
			for j, b := range vars {
				r[i*p+j] = m.r[a*m.d+b]
			}
		}
		o.l = make([]float64, p*p)
		cholesky(o.l, r, p)
		o.logdet += logDet(o.l, p)
		columns := transpose(o.w, p, m.k)
		for c := range m.k {
			solveLower(o.l, columns[c*p:(c+1)*p])
		}
		o.w = transpose(columns, m.k, p)
	}
	wt := transpose(o.w, p, m.k)
	mulT(o.g, wt, wt, m.k, p, m.k)
	symmetrize(o.g, m.k)
	return o
}

// whiten sets e, n×p, to the seen variables of n rows of x, less their offset, in the units of o,
// and y, n×k, to what they say of the state: CᵀR⁻¹(x−offset).
func (o *observed) whiten(e, y []float64, x *mat.Dense, row, n int, offset []float64) {
	p := len(o.vars)
	for t := range n {
		from, to := x.RawRowView(row+t), e[t*p:(t+1)*p]
		if p == len(from) {
			for j, v := range from {
				to[j] = v - offset[j]
			}
		} else {
			for i, j := range o.vars {
				to[i] = from[j] - offset[j]
			}
		}
		if o.l == nil {
			for i, s := range o.scale {
				to[i] *= s
			}
		}
	}
	em := blas64.General{Rows: n, Cols: p, Stride: p, Data: e}
	if o.l != nil {
		blas64.Trsm(gonum.Right, gonum.Trans, 1, blas64.Triangular{N: p, Stride: p, Data: o.l, Uplo: gonum.Lower, Diag: gonum.NonUnit}, em)
	}
	k := len(o.w) / p
	blas64.Gemm(gonum.NoTrans, gonum.NoTrans, 1, em, o.loadings(), 0, blas64.General{Rows: n, Cols: k, Stride: k, Data: y})
}

// loadings are w as a matrix.
func (o *observed) loadings() blas64.General {
	p := len(o.vars)
	return blas64.General{Rows: p, Cols: len(o.w) / p, Stride: len(o.w) / p, Data: o.w}
}

// unexplained is the sum of the squares of what states, n×k, leave of e, which it changes.
func (o *observed) unexplained(e, z []float64, n int) float64 {
	p := len(o.vars)
	k := len(o.w) / p
	blas64.Gemm(gonum.NoTrans, gonum.Trans, -1, blas64.General{Rows: n, Cols: k, Stride: k, Data: z}, o.loadings(), 1, blas64.General{Rows: n, Cols: p, Stride: p, Data: e})
	sum := 0.0
	for t := range n {
		sum += blas.Dot(e[t*p:(t+1)*p], e[t*p:(t+1)*p])
	}
	return sum
}

// forward is what the filter needs at a step beside the data.
type forward struct {
	m      *matrices
	o      *observed
	p, l   []float64 // covariance before the observation, and its root
	gain   []float64 // (I + LᵀGL)⁻¹Lᵀ
	v      []float64 // covariance after it
	logdet float64   // of the innovation, and p·log 2π
}

// backward is what the smoother needs at a step.
type backward struct {
	j     []float64 // gain on the next step; nil at the last
	v     []float64 // covariance
	cross []float64 // Cov(zₜ₊₁, zₜ); nil at the last
}

// group is some trials that are alike in length and in what is missing.
type group struct {
	members []int
	steps   int
	o       []*observed // one a step
	f       []*forward
	b       []*backward
}

// plan groups trials.
func (p *prepared) plan(x *trials.Trials) []*group {
	type view struct {
		m    *matrices
		mask string
	}
	views, groups := map[view]*observed{}, map[string]*group{}
	wholes := map[*matrices]*observed{} // of steps at which all is seen
	var order []*group
	mask := make([]byte, p.d)
	var last *observed
	var lastOf *matrices
	for k := range x.Len() {
		var key []byte // 1 for a step at which all is seen, else 0 and which
		steps := make([]*observed, x.Steps(k))
		for t := range steps {
			m, row := p.at(t), x.X.RawRowView(x.Start[k]+t)
			if !slices.ContainsFunc(row, math.IsNaN) {
				if m != lastOf {
					if wholes[m] == nil {
						wholes[m] = m.observe(counting(p.d))
					}
					last, lastOf = wholes[m], m
				}
				steps[t] = last
				if key != nil {
					key = append(key, 1)
				}
				continue
			}
			if key == nil {
				key = slices.Repeat([]byte{1}, t)
			}
			var vars []int
			for j, v := range row {
				mask[j] = 0
				if v == v {
					vars, mask[j] = append(vars, j), 1
				}
			}
			key = append(append(key, 0), mask...)
			at := view{m, string(mask)}
			if views[at] == nil {
				views[at] = m.observe(vars)
			}
			steps[t] = views[at]
		}
		name := sprintf("%d:", len(steps)) + string(key)
		g := groups[name]
		if g == nil {
			g = &group{steps: len(steps), o: steps}
			groups[name] = g
			order = append(order, g)
		}
		g.members = append(g.members, k)
	}
	return order
}

// counting is 0, 1, …, n−1.
func counting(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// steady is the relative change below which a covariance is taken to have reached its limit.
const steady = 1e-15

// filter computes the covariances of a group forwards.
func (g *group) filter(p *prepared) {
	k := p.k
	g.f = make([]*forward, g.steps)
	before, aw, b := p.cov, make([]float64, k*k), make([]float64, k*k)
	for t := range g.f {
		m := p.at(t)
		if t > 0 {
			last := g.f[t-1]
			if t > 1 && last == g.f[t-2] && last.m == m && last.o == g.o[t] {
				g.f[t] = last
				continue
			}
			mul(aw, m.a, last.v, k, k, k)
			before = make([]float64, k*k)
			mulT(before, aw, m.a, k, k, k)
			addTo(before, m.q)
			symmetrize(before, k)
			if t > 1 && last.m == m && last.o == g.o[t] && near(before, last.p, steady) {
				g.f[t] = last
				continue
			}
		}
		f := &forward{m: m, o: g.o[t], p: before, l: make([]float64, k*k), gain: make([]float64, k*k), v: make([]float64, k*k)}
		cholesky(f.l, f.p, k)
		lt := transpose(f.l, k, k)
		mul(aw, f.o.g, f.l, k, k, k)
		mul(b, lt, aw, k, k, k)
		symmetrize(b, k)
		for i := range k {
			b[i*k+i]++
		}
		root := make([]float64, k*k)
		cholesky(root, b, k)
		// V = WWᵀ with W = L·root⁻ᵀ: row i of W solves root·w = row i of L.
		w := make([]float64, k*k)
		copy(w, f.l)
		for i := range k {
			solveLower(root, w[i*k:(i+1)*k])
		}
		mulT(f.v, w, w, k, k, k)
		// gain = root⁻ᵀ·Wᵀ: its columns solve rootᵀ.
		for i := range k {
			solveUpper(root, w[i*k:(i+1)*k])
		}
		copy(f.gain, transpose(w, k, k))
		f.logdet = f.o.logdet + logDet(root, k)
		g.f[t] = f
	}
}

// smooth computes the covariances of a group backwards.
func (g *group) smooth(k int) {
	g.b = make([]*backward, g.steps)
	last := g.steps - 1
	g.b[last] = &backward{v: g.f[last].v}
	av, left, sum := make([]float64, k*k), make([]float64, k*k), make([]float64, k*k)
	for t := last - 1; t >= 0; t-- {
		f, next, after := g.f[t], g.f[t+1], g.b[t+1]
		b := &backward{v: make([]float64, k*k), cross: make([]float64, k*k)}
		same := t+2 <= last && f == next && next == g.f[t+2]
		if same && t+2 < last && after == g.b[t+2] {
			g.b[t] = after
			continue
		}
		if same {
			b.j = after.j
		} else {
			// J = V·Aᵀ·P⁻¹: row i solves P with row i of V·Aᵀ.
			b.j = make([]float64, k*k)
			mulT(b.j, f.v, next.m.a, k, k, k)
			solve(next.l, b.j, k)
		}
		mul(left, b.j, next.m.a, k, k, k)
		for i := range left {
			left[i] = -left[i]
		}
		for i := range k {
			left[i*k+i]++
		}
		mul(av, left, f.v, k, k, k)
		mulT(b.v, av, left, k, k, k)
		copy(sum, next.m.q)
		addTo(sum, after.v)
		mul(av, b.j, sum, k, k, k)
		mulT(sum, av, b.j, k, k, k)
		addTo(b.v, sum)
		symmetrize(b.v, k)
		if same && near(b.v, after.v, steady) {
			g.b[t] = after
			continue
		}
		mulT(b.cross, after.v, b.j, k, k, k)
		g.b[t] = b
	}
}

// pass holds the means of one trial, T×k each, and room to compute them in.
type pass struct {
	predicted, filtered, smoothed []float64
	loglik                        float64
	e, y                          []float64
}

func newPass(steps int, p *prepared) *pass {
	k := p.k
	return &pass{make([]float64, steps*k), make([]float64, steps*k), make([]float64, steps*k), 0, make([]float64, steps*p.d), make([]float64, steps*k)}
}

// run computes the means of a trial whose first step is row of x.
func (g *group) run(p *prepared, x *mat.Dense, row int, out *pass) {
	k := p.k
	at, u := make([]float64, k), make([]float64, k)
	out.loglik = 0
	for lo := 0; lo < g.steps; {
		o, hi := g.o[lo], lo+1
		for hi < g.steps && g.o[hi] == o {
			hi++
		}
		seen := len(o.vars) > 0
		if seen {
			o.whiten(out.e, out.y, x, row+lo, hi-lo, g.f[lo].m.offset)
		}
		for t := lo; t < hi; t++ {
			f, mp, mf := g.f[t], out.predicted[t*k:(t+1)*k], out.filtered[t*k:(t+1)*k]
			if t == 0 {
				copy(mp, p.mean0)
			} else {
				apply(mp, f.m.a, out.filtered[(t-1)*k:t*k])
				addTo(mp, f.m.drift)
			}
			if !seen {
				copy(mf, mp)
				continue
			}
			apply(at, o.g, mp)
			for i, v := range out.y[(t-lo)*k : (t-lo+1)*k] {
				at[i] = v - at[i]
			}
			apply(u, f.gain, at)
			apply(mf, f.l, u)
			addTo(mf, mp)
			// The square of the innovation in its own units has two parts: how far the update
			// went, and, below, what it leaves.
			out.loglik -= (blas.Dot(u, u) + f.logdet) / 2
		}
		if seen {
			out.loglik -= o.unexplained(out.e, out.filtered[lo*k:hi*k], hi-lo) / 2
		}
		lo = hi
	}
	if g.b == nil {
		return
	}
	last := (g.steps - 1) * k
	copy(out.smoothed[last:last+k], out.filtered[last:last+k])
	for t := g.steps - 2; t >= 0; t-- {
		ms, next := out.smoothed[t*k:(t+1)*k], (t+1)*k
		copy(at, out.smoothed[next:next+k])
		blas.Axpy(-1, out.predicted[next:next+k], at)
		apply(ms, g.b[t].j, at)
		addTo(ms, out.filtered[t*k:(t+1)*k])
	}
}

// batch is how many groups are held at once: each has covariances for every step.
const batch = 8

// each computes covariances of the groups, and calls body once for chunks of up to size trials of a
// group. Chunks are numbered in a fixed order, from 0 to the return value of chunksOf.
func (p *prepared) each(ctx context.Context, groups []*group, smoothed bool, size int, body func(chunk int, g *group, members []int)) error {
	type task struct {
		g       *group
		members []int
		chunk   int
	}
	chunk := 0
	for lo := 0; lo < len(groups); lo += batch {
		part := groups[lo:min(lo+batch, len(groups))]
		err := parallel.For(ctx, len(part), 1, func(i, _, _ int) {
			part[i].filter(p)
			if smoothed {
				part[i].smooth(p.k)
			}
		})
		if err != nil {
			return err
		}
		var tasks []task
		for _, g := range part {
			for at := 0; at < len(g.members); at += size {
				tasks = append(tasks, task{g, g.members[at:min(at+size, len(g.members))], chunk})
				chunk++
			}
		}
		err = parallel.For(ctx, len(tasks), 1, func(i, _, _ int) { body(tasks[i].chunk, tasks[i].g, tasks[i].members) })
		for _, g := range part {
			g.f, g.b = nil, nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func chunksOf(groups []*group, size int) (n int) {
	for _, g := range groups {
		n += parallel.Chunks(len(g.members), size)
	}
	return n
}

// Filtered is what is known of the states at each step from the data up to it. Rows are those of
// the data.
type Filtered struct {
	Mean          *mat.Dense      // N×k
	Cov           []*mat.SymDense // of each step, k×k; steps with equal ones may share them
	Predicted     *mat.Dense      // N×k, before the step's own observation
	PredictedCov  []*mat.SymDense
	LogLikelihood []float64 // of each trial, in nats
}

// Smoothed is what is known of the states at each step from all of their trial. Rows are those of
// the data.
type Smoothed struct {
	Mean          *mat.Dense      // N×k
	Cov           []*mat.SymDense // of each step, k×k; steps with equal ones may share them
	Cross         []*mat.Dense    // Cov(zₜ₊₁, zₜ), k×k; nil at a trial's last step
	LogLikelihood []float64       // of each trial, in nats
}

// Filter is the Kalman filter (Kalman, 1960). The errors are those of a System, of trials.Check,
// ml.ErrShape for data with another number of variables, and ctx.Err(). It costs O(k³ + dk²) for
// each step of each pattern of missing values until covariances reach their steady state, and
// O(k² + dk) for each step of each trial.
func (s *System) Filter(ctx context.Context, x mat.Matrix) (*Filtered, error) {
	p, data, err := s.given("statespace.Filter", x)
	if err != nil {
		return nil, err
	}
	n, _ := data.Dims()
	out := &Filtered{mat.NewDense(n, p.k, nil), make([]*mat.SymDense, n), mat.NewDense(n, p.k, nil), make([]*mat.SymDense, n), make([]float64, data.Len())}
	err = p.each(ctx, p.plan(data), false, 4, func(_ int, g *group, members []int) {
		after, before := map[*forward]*mat.SymDense{}, map[*forward]*mat.SymDense{}
		for _, f := range g.f {
			if after[f] == nil {
				after[f], before[f] = symmetric(f.v, p.k), symmetric(f.p, p.k)
			}
		}
		means := newPass(g.steps, p)
		for _, trial := range members {
			row := data.Start[trial]
			g.run(p, data.X, row, means)
			copy(out.Mean.RawMatrix().Data[row*p.k:], means.filtered)
			copy(out.Predicted.RawMatrix().Data[row*p.k:], means.predicted)
			for t, f := range g.f {
				out.Cov[row+t], out.PredictedCov[row+t] = after[f], before[f]
			}
			out.LogLikelihood[trial] = means.loglik
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// Smooth is the smoother of Rauch, Tung and Striebel (1965): the means and covariances of the
// states given all data of their trial. Errors and costs are those of Filter.
func (s *System) Smooth(ctx context.Context, x mat.Matrix) (*Smoothed, error) {
	p, data, err := s.given("statespace.Smooth", x)
	if err != nil {
		return nil, err
	}
	n, _ := data.Dims()
	out := &Smoothed{mat.NewDense(n, p.k, nil), make([]*mat.SymDense, n), make([]*mat.Dense, n), make([]float64, data.Len())}
	err = p.each(ctx, p.plan(data), true, 4, func(_ int, g *group, members []int) {
		cov, cross := map[*backward]*mat.SymDense{}, map[*backward]*mat.Dense{}
		for _, b := range g.b {
			if cov[b] == nil {
				cov[b] = symmetric(b.v, p.k)
				if b.cross != nil {
					cross[b] = mat.NewDense(p.k, p.k, b.cross)
				}
			}
		}
		means := newPass(g.steps, p)
		for _, trial := range members {
			row := data.Start[trial]
			g.run(p, data.X, row, means)
			copy(out.Mean.RawMatrix().Data[row*p.k:], means.smoothed)
			for t, b := range g.b {
				out.Cov[row+t], out.Cross[row+t] = cov[b], cross[b]
			}
			out.LogLikelihood[trial] = means.loglik
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// LogProb returns the log-likelihood of each trial, in nats, of what is not missing in it: that of
// the Gaussian with which all steps of a trial are distributed together. Errors are those of
// Filter.
func (s *System) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	p, data, err := s.given("statespace.LogProb", x)
	if err != nil {
		return nil, err
	}
	out := make([]float64, data.Len())
	err = p.each(ctx, p.plan(data), false, 4, func(_ int, g *group, members []int) {
		means := newPass(g.steps, p)
		for _, trial := range members {
			g.run(p, data.X, data.Start[trial], means)
			out[trial] = means.loglik
		}
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// given checks a system and the data that it meets.
func (s *System) given(method string, x mat.Matrix) (*prepared, *trials.Trials, error) {
	data, err := recording(method, x)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.prepare(method, longest(data))
	if err != nil {
		return nil, nil, err
	}
	return p, data, variables(method, data, p.d)
}

func longest(x *trials.Trials) (n int) {
	for k := range x.Len() {
		n = max(n, x.Steps(k))
	}
	return n
}
