package statespace

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// initial is where a fit starts: principal components of the data take the place of the states, or
// the states that Init's C would need, and what Init lacks comes from regressions on them.
func (f *ldsFit) initial(ctx context.Context) (*prepared, error) {
	k, d := f.k, f.d
	m := &matrices{k: k, d: d, drift: make([]float64, k), offset: make([]float64, d), diagonal: f.ObservationNoise != Full}
	p := &prepared{k: k, d: d, mean0: make([]float64, k), steps: []*matrices{m}}
	in := f.Init
	var err error
	given := func(name string, x mat.Matrix, missing bool, r, c int) []float64 {
		if err != nil || missing {
			if err == nil && f.held[name] {
				err = ml.BadParameter(ldsMethod, "Init."+name, "nil", "a value, since it is held")
			}
			return nil
		}
		var out []float64
		out, err = elements(ldsMethod, "Init."+name, x, r, c)
		return out
	}
	vector := func(name string, v []float64, n int) []float64 {
		if v != nil && err == nil {
			err = ml.Vector(ldsMethod, "Init."+name, v, n)
		}
		if v == nil && err == nil && f.held[name] && name != "Drift" {
			err = ml.BadParameter(ldsMethod, "Init."+name, "nil", "a value, since it is held")
		}
		return slices.Clone(v)
	}
	a, q, c := given("A", in.A, in.A == nil, k, k), given("Q", in.Q, in.Q == nil, k, k), given("C", in.C, in.C == nil, d, k)
	r, cov := given("R", in.R, in.R == nil, d, d), given("Cov", in.Cov, in.Cov == nil, k, k)
	mean, drift, offset := vector("Mean", in.Mean, k), vector("Drift", in.Drift, k), vector("Offset", in.Offset, d)
	if err != nil {
		return nil, err
	}
	for j := range offset {
		offset[j] = offset[j]/f.units.scale[j] - f.units.center[j]/f.units.scale[j]
	}
	for i := range r {
		r[i] /= f.units.scale[i/d] * f.units.scale[i%d]
	}
	for i := range c {
		c[i] /= f.units.scale[i/k]
	}
	next := &prepared{k: k, d: d, mean0: p.mean0, cov: identity(k, 1), steps: []*matrices{m}}
	if a == nil || q == nil || c == nil || r == nil || cov == nil || mean == nil || offset == nil {
		if next, err = f.regressions(p, c, offset); err != nil {
			return nil, err
		}
		m = next.steps[0]
	}
	for _, o := range []struct {
		name     string
		from     []float64
		to       *[]float64
		unbroken bool
	}{{"A", a, &m.a, true}, {"Q", q, &m.q, false}, {"C", c, &m.c, true}, {"R", r, &m.r, false}, {"Cov", cov, &next.cov, false},
		{"Mean", mean, &next.mean0, true}, {"Drift", drift, &m.drift, true}, {"Offset", offset, &m.offset, true}} {
		if o.from == nil {
			continue
		}
		if *o.to = o.from; !o.unbroken {
			if err := covariance(ldsMethod, "Init."+o.name, slices.Clone(o.from), int(math.Sqrt(float64(len(o.from))))); err != nil {
				return nil, err
			}
		}
	}
	if f.ObservationNoise != Full {
		for i := range d {
			for j := range d {
				m.diagonal = m.diagonal && (i == j || m.r[i*d+j] == 0)
			}
		}
	}
	if l := make([]float64, d*d); cholesky(l, m.r, d) < d {
		return nil, ml.BadParameter(ldsMethod, "Init.R", "a singular or indefinite matrix", "a positive definite one")
	}
	return next, ctx.Err()
}

// regressions are the parameters that follow from states taken for certain: principal components of
// the data, or the states that C would need.
func (f *ldsFit) regressions(p *prepared, c, offset []float64) (next *prepared, err error) {
	k, d, m := f.k, f.d, p.at(0)
	y := interpolated(f.x)
	var z *mat.Dense
	if c != nil {
		z = leastSquaresStates(y, c, offset, k)
	} else if z, err = components(y, k); err != nil {
		return nil, err
	}
	// One round of regressions with the states taken for certain. A tenth of the variance of what
	// is estimated is added, so that no covariance begins at zero.
	s := newStats(f.k, f.d, f.ObservationNoise == Full)
	zero, certain := make([]float64, k*k), z.RawMatrix().Data
	for trial := range y.Len() {
		row := y.Start[trial]
		for t := range y.Steps(trial) {
			at := certain[(row+t)*k : (row+t+1)*k]
			if t == 0 {
				s.first(at, zero)
			} else {
				s.move(certain[(row+t-1)*k:(row+t)*k], zero, at, zero, zero)
			}
			seen := f.x
			if s.full {
				seen = y
			}
			s.see(nil, at, zero, seen.X.RawRowView(row+t), nil)
		}
	}
	m.q, m.r, m.a, m.c, p.cov = identity(k, 1), identity(d, 1), identity(k, 0.9), make([]float64, d*k), identity(k, 1)
	whole := *f
	whole.held = map[string]bool{"Drift": f.held["Drift"]}
	next = whole.maximize(p, s)
	m = next.steps[0]
	for i := range k {
		variance := s.all.zz[i*(k+1)+i] / max(s.all.n, 1)
		m.q[i*k+i] += 0.1*variance + 1e-9
		next.cov[i*k+i] += 0.1*variance + 1e-9
	}
	for j := range d {
		m.r[j*d+j] += 0.1*f.units.variance[j] + f.floor[j]
	}
	if f.ObservationNoise == Isotropic {
		sum := 0.0
		for j := range d {
			sum += m.r[j*d+j] / float64(d)
		}
		m.r = identity(d, sum)
	}
	return next, nil
}

// interpolated fills what is missing: in each trial by a line between the neighbours in time, and
// with 0, the mean in the units of a fit, where a trial has none.
func interpolated(x *trials.Trials) *trials.Trials {
	out := &trials.Trials{X: mat.DenseCopyOf(x.X), Start: x.Start}
	_, d := x.Dims()
	for trial := range x.Len() {
		for j := range d {
			last := -1
			for t := range x.Steps(trial) {
				v := x.X.At(x.Start[trial]+t, j)
				if v != v {
					continue
				}
				from := v
				if last >= 0 {
					from = x.X.At(x.Start[trial]+last, j)
				}
				for i := last + 1; i < t; i++ {
					out.X.Set(x.Start[trial]+i, j, from+(v-from)*float64(i-last)/float64(t-last))
				}
				last = t
			}
			for i := last + 1; i < x.Steps(trial); i++ {
				v := 0.0
				if last >= 0 {
					v = x.X.At(x.Start[trial]+last, j)
				}
				out.X.Set(x.Start[trial]+i, j, v)
			}
		}
	}
	return out
}

// components are the first k principal components, each of variance 1, of windows of the data wide
// enough to have twice as many variables: where there are more states than variables, it is what
// went before that tells them apart.
func components(x *trials.Trials, k int) (*mat.Dense, error) {
	n, d := x.Dims()
	lags := 1
	for lags*d < 2*k && lags < n {
		lags++
	}
	if d > k {
		lags = 1
	}
	wide := mat.NewDense(n, lags*d, nil)
	for trial := range x.Len() {
		for t := range x.Steps(trial) {
			for l := range lags {
				from := min(max(t+l-lags/2, 0), x.Steps(trial)-1)
				copy(wide.RawRowView(x.Start[trial] + t)[l*d:], x.X.RawRowView(x.Start[trial]+from))
			}
		}
	}
	var s mat.SymDense
	s.SymOuterK(1/float64(n), wide.T())
	var es mat.EigenSym
	if !es.Factorize(&s, true) {
		return nil, ml.NotFinite(ldsMethod, "the principal components were not found")
	}
	var v mat.Dense
	es.VectorsTo(&v)
	values, width := es.Values(nil), lags*d
	axes := mat.NewDense(width, k, nil)
	for c := range min(k, width) {
		at := width - 1 - c
		size := values[at]
		if !(size > 1e-9*values[width-1]) {
			break // there are no more
		}
		for i := range width {
			axes.Set(i, c, v.At(i, at)/math.Sqrt(size))
		}
	}
	z := mat.NewDense(n, k, nil)
	z.Mul(wide, axes)
	return z, nil
}

// leastSquaresStates are the states from which C would give the data with the least error, a little
// drawn to zero.
func leastSquaresStates(x *trials.Trials, c, offset []float64, k int) *mat.Dense {
	n, d := x.Dims()
	g, l, ct := make([]float64, k*k), make([]float64, k*k), transpose(c, d, k)
	mulT(g, ct, ct, k, d, k)
	most := 0.0
	for i := range k {
		most = max(most, g[i*k+i])
	}
	for i := range k {
		g[i*k+i] += 1e-6*most + 1e-300
	}
	cholesky(l, g, k)
	z, e := mat.NewDense(n, k, nil), make([]float64, d)
	for i := range n {
		copy(e, x.X.RawRowView(i))
		for j, v := range offset {
			e[j] -= v
		}
		applyT(z.RawRowView(i), c, e)
		solve(l, z.RawRowView(i), k)
	}
	return z
}
