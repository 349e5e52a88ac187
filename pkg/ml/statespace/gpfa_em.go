package statespace

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// kernelRoot is the Cholesky decomposition of the covariance of a factor over some steps. That of
// fewer steps is its leading part.
func kernelRoot(tau, noise float64, steps int) (*mat.Cholesky, error) {
	k := mat.NewSymDense(steps, nil)
	for lag := range steps {
		v := 0.0
		switch {
		case lag == 0:
			v = 1
		case tau > 0:
			v = (1 - noise) * math.Exp(-float64(lag)*float64(lag)/(2*tau*tau))
		}
		for t := range steps - lag {
			k.SetSym(t, t+lag, v)
		}
	}
	var chol mat.Cholesky
	if !chol.Factorize(k) {
		return nil, ml.NotFinite(gpfaMethod, "the covariance of a factor of the time constant %v is singular to rounding: raise Noise = %v", tau, noise)
	}
	return &chol, nil
}

// posterior is what is known of the factors of some trials that are alike in length and in what is
// missing. Factors are one behind the other: number i·T+t is factor i at step t.
type posterior struct {
	*group
	k      int
	cov    *mat.SymDense // kT×kT, of each trial
	mean   *mat.Dense    // members × kT
	loglik []float64
}

// at is the covariance at step t.
func (g *posterior) at(t int) []float64 {
	out := make([]float64, g.k*g.k)
	for i := range g.k {
		for j := range g.k {
			out[i*g.k+j] = g.cov.At(i*g.steps+t, j*g.steps+t)
		}
	}
	return out
}

// path is the mean of member i, T×k.
func (g *posterior) path(i int) []float64 { return transpose(g.mean.RawRowView(i), g.k, g.steps) }

// infer computes the posterior of each group, and calls body with them, one at a time and in the
// same order for any number of processors.
func (p *processes) infer(ctx context.Context, x *trials.Trials, body func(*posterior)) error {
	groups := p.plan(x)
	roots, inverses := map[int][]*mat.Cholesky{}, map[int][]*mat.SymDense{}
	for _, g := range groups {
		if roots[g.steps] != nil {
			continue
		}
		for i := range p.k {
			root, err := kernelRoot(p.tau[i], p.noise, g.steps)
			if err != nil {
				return err
			}
			var inverse mat.SymDense
			if err := root.InverseTo(&inverse); err != nil {
				return ml.NotFinite(gpfaMethod, "the covariance of a factor of the time constant %v is singular to rounding: raise Noise = %v", p.tau[i], p.noise)
			}
			roots[g.steps], inverses[g.steps] = append(roots[g.steps], root), append(inverses[g.steps], &inverse)
		}
	}
	for lo := 0; lo < len(groups); lo += batch {
		part := groups[lo:min(lo+batch, len(groups))]
		found, errs := make([]*posterior, len(part)), make([]error, len(part))
		err := parallel.For(ctx, len(part), 1, func(i, _, _ int) {
			found[i], errs[i] = p.posterior(x, part[i], roots[part[i].steps], inverses[part[i].steps])
		})
		if err != nil {
			return err
		}
		for i, g := range found {
			if errs[i] != nil {
				return errs[i]
			}
			body(g)
		}
	}
	return nil
}

func (p *processes) posterior(x *trials.Trials, g *group, roots []*mat.Cholesky, inverses []*mat.SymDense) (*posterior, error) {
	k, n, m := p.k, g.steps, p.at(0)
	precision := mat.NewSymDense(k*n, nil)
	logdet := 0.0
	for i := range k {
		for t := range n {
			for s := t; s < n; s++ {
				precision.SetSym(i*n+t, i*n+s, inverses[i].At(t, s))
			}
		}
		logdet += roots[i].LogDet()
	}
	for t, o := range g.o {
		logdet += o.logdet
		for i := range k {
			for j := i; j < k; j++ {
				precision.SetSym(i*n+t, j*n+t, precision.At(i*n+t, j*n+t)+o.g[i*k+j])
			}
		}
	}
	var chol mat.Cholesky
	out := &posterior{group: g, k: k, cov: &mat.SymDense{}, mean: mat.NewDense(len(g.members), k*n, nil), loglik: make([]float64, len(g.members))}
	if !chol.Factorize(precision) {
		return nil, ml.NotFinite(gpfaMethod, "the precision of the factors is singular to rounding: raise Noise = %v", p.noise)
	}
	if err := chol.InverseTo(out.cov); err != nil {
		return nil, ml.NotFinite(gpfaMethod, "the precision of the factors is singular to rounding: raise Noise = %v", p.noise)
	}
	logdet += chol.LogDet()
	info := mat.NewDense(len(g.members), k*n, nil)
	e, y := make([]float64, n*p.d), make([]float64, n*k)
	left := make([][]float64, len(g.members))
	for i, trial := range g.members {
		used := 0
		for t, o := range g.o {
			if c := len(o.vars); c > 0 {
				o.whiten(e[used:used+c], y[t*k:(t+1)*k], x.X, x.Start[trial]+t, 1, m.offset)
				used += c
			} else {
				clear(y[t*k : (t+1)*k])
			}
		}
		copy(info.RawRowView(i), transpose(y, n, k))
		left[i] = slices.Clone(e[:used])
	}
	out.mean.Mul(info, out.cov)
	for i := range g.members {
		path, used, sum := out.path(i), 0, logdet
		for t, o := range g.o {
			if c := len(o.vars); c > 0 {
				sum += o.unexplained(left[i][used:used+c], path[t*k:(t+1)*k], 1)
				used += c
			}
		}
		for f := range k {
			z := mat.NewVecDense(n, out.mean.RawRowView(i)[f*n:(f+1)*n])
			sum += mat.Inner(z, inverses[f], z)
		}
		out.loglik[i] = -sum / 2
	}
	return out, nil
}

// gpfaStats are the expected sums that the parameters follow from.
type gpfaStats struct {
	*stats
	lengths []int
	count   map[int]float64
	second  map[int][]*mat.SymDense // by length, of each factor: Σ E zzᵀ over the trials
}

func (f *gpfaFit) expect(ctx context.Context, p *processes) (*gpfaStats, error) {
	s := &gpfaStats{stats: newStats(f.k, f.d, false), count: map[int]float64{}, second: map[int][]*mat.SymDense{}}
	m := p.at(0)
	err := p.infer(ctx, f.x, func(g *posterior) {
		n := g.steps
		if s.second[n] == nil {
			s.lengths = append(s.lengths, n)
			s.second[n] = make([]*mat.SymDense, f.k)
			for i := range s.second[n] {
				s.second[n][i] = mat.NewSymDense(n, nil)
			}
		}
		members := float64(len(g.members))
		s.count[n] += members
		for i, sum := range s.second[n] {
			part := g.cov.SliceSym(i*n, (i+1)*n).(*mat.SymDense)
			var both mat.SymDense
			both.ScaleSym(members, part)
			both.SymRankK(&both, 1, g.mean.Slice(0, len(g.members), i*n, (i+1)*n).T())
			sum.AddSym(sum, &both)
		}
		covs := make([][]float64, n)
		for t := range covs {
			covs[t] = g.at(t)
		}
		for i, trial := range g.members {
			s.loglik += g.loglik[i]
			path := g.path(i)
			for t, o := range g.o {
				s.see(o, path[t*f.k:(t+1)*f.k], covs[t], f.x.X.RawRowView(f.x.Start[trial]+t), m)
			}
		}
	})
	if err != nil {
		return nil, err
	}
	slices.Sort(s.lengths)
	return s, nil
}

func (f *gpfaFit) maximize(ctx context.Context, p *processes, s *gpfaStats) *processes {
	old := p.at(0)
	m := &matrices{k: f.k, d: f.d, c: old.c, offset: old.offset, r: old.r, diagonal: true}
	observe(m, s.stats, readoutOptions{noise: Diagonal, floor: f.floor})
	next := &processes{&prepared{k: f.k, d: f.d, steps: []*matrices{m}}, slices.Clone(p.tau), p.noise}
	if f.Hold {
		return next
	}
	// Factor by factor, independent of each other.
	_ = parallel.For(ctx, f.k, 1, func(i, _, _ int) {
		if next.tau[i] > 0 {
			next.tau[i] = s.timescale(i, p.tau[i], p.noise)
		}
	})
	return next
}

// timescale returns a time constant that is at least as likely as the one there is: the maximum
// along log τ, by parabolas through three points.
func (s *gpfaStats) timescale(i int, tau, noise float64) float64 {
	longest := s.lengths[len(s.lengths)-1]
	lo, hi := math.Log(0.05), math.Log(20*float64(longest)+1)
	value := func(at float64) float64 {
		if at < lo || at > hi {
			return math.Inf(1)
		}
		return s.misfit(i, math.Exp(at), noise)
	}
	type point struct{ at, value float64 }
	middle := point{math.Log(tau), 0}
	middle.value = s.misfit(i, tau, noise)
	step := 0.2
	left, right := point{middle.at - step, value(middle.at - step)}, point{middle.at + step, value(middle.at + step)}
	for range 12 {
		if right.value < middle.value {
			left, middle = middle, right
			step *= 1.5
			right = point{middle.at + step, value(middle.at + step)}
			continue
		}
		if left.value < middle.value {
			right, middle = middle, left
			step *= 1.5
			left = point{middle.at - step, value(middle.at - step)}
			continue
		}
		a, b := middle.at-left.at, right.at-middle.at
		up, down := left.value-middle.value, right.value-middle.value
		move := 0.0
		if !math.IsInf(up+down, 0) {
			if curve := up*b + down*a; curve > 0 {
				move = (up*b*b - down*a*a) / (2 * curve)
			}
		}
		if math.Abs(move) < 1e-4 {
			break
		}
		next := point{middle.at + move, value(middle.at + move)}
		switch {
		case next.value < middle.value && move > 0:
			left, middle = middle, next
		case next.value < middle.value:
			right, middle = middle, next
		case move > 0:
			right = next
		default:
			left = next
		}
	}
	return math.Exp(middle.at)
}

// misfit is −2 times the expected log-density of a factor, but for a constant: the sum over the
// trials of log|K| + tr(K⁻¹·E zzᵀ). It is infinite for a τ whose K is singular.
func (s *gpfaStats) misfit(i int, tau, noise float64) float64 {
	longest := s.lengths[len(s.lengths)-1]
	root, err := kernelRoot(tau, noise, longest)
	if err != nil {
		return math.Inf(1)
	}
	var l mat.TriDense
	root.LTo(&l)
	sum := 0.0
	for _, n := range s.lengths {
		part := l.SliceTri(0, n).(*mat.TriDense)
		for t := range n {
			sum += 2 * s.count[n] * math.Log(part.At(t, t))
		}
		var inverse mat.TriDense
		if err := inverse.InverseTri(part); err != nil {
			return math.Inf(1)
		}
		// tr(K⁻¹S) = Σ (L⁻¹S)∘L⁻¹.
		var product mat.Dense
		product.Mul(&inverse, s.second[n][i])
		for t := range n {
			row := product.RawRowView(t)
			for u := range t + 1 {
				sum += row[u] * inverse.At(t, u)
			}
		}
	}
	return sum
}

// LeaveOut predicts each variable from all others: column j of the result, which has the rows of
// the data, is C·z + Offset with z smoothed from the data without variable j. Errors are those of
// Smooth; a single variable is ml.ErrShape. Where nothing is missing it costs O(dT³) beside a call
// of Smooth, for each length T, by what a Gaussian says of one variable given the others, and else
// d calls of Smooth.
func (m *GPFAModel) LeaveOut(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "statespace.GPFAModel.LeaveOut"
	p, data, err := m.given(method, x)
	if err != nil {
		return nil, err
	}
	if data.Complete(method) != nil || p.d < 2 {
		return leaveOut(ctx, method, data, func(without *trials.Trials, j int, into *mat.Dense) error {
			paths, err := m.Smooth(ctx, without)
			if err != nil {
				return err
			}
			for row := range into.RawMatrix().Rows {
				into.Set(row, j, m.Offset[j]+blas.Dot(m.C.RawRowView(j), paths.Mean.RawRowView(row)))
			}
			return nil
		})
	}
	n, _ := data.Dims()
	out, singular := mat.NewDense(n, p.d, nil), make([]bool, p.d)
	err = p.infer(ctx, data, func(g *posterior) {
		steps := g.steps
		// The residual of a variable, divided by its part of the precision of all that is seen, is
		// what the others do not foresee.
		_ = parallel.For(ctx, p.d, 1, func(j, _, _ int) {
			c, r := m.C.RawRowView(j), m.R[j]
			precision := mat.NewSymDense(steps, nil)
			for t := range steps {
				for s := t; s < steps; s++ {
					v := 0.0
					for a := range p.k {
						for b := range p.k {
							v -= c[a] * c[b] * g.cov.At(a*steps+t, b*steps+s)
						}
					}
					v /= r
					if t == s {
						v++
					}
					precision.SetSym(t, s, v)
				}
			}
			var chol mat.Cholesky
			if !chol.Factorize(precision) {
				singular[j] = true
				return
			}
			for i, trial := range g.members {
				path, e := g.path(i), mat.NewVecDense(steps, nil)
				for t := range steps {
					e.SetVec(t, data.X.At(data.Start[trial]+t, j)-m.Offset[j]-blas.Dot(c, path[t*p.k:(t+1)*p.k]))
				}
				var w mat.VecDense
				if err := chol.SolveVecTo(&w, e); err != nil {
					singular[j] = true
					return
				}
				for t := range steps {
					out.Set(data.Start[trial]+t, j, data.X.At(data.Start[trial]+t, j)-w.AtVec(t))
				}
			}
		})
	})
	if err != nil {
		return nil, err
	}
	if j := slices.Index(singular, true); j >= 0 {
		return nil, ml.NotFinite(method, "R[%d] = %v is so small that rounding hides what the other variables say of variable %d", j, m.R[j], j)
	}
	return out, ctx.Err()
}
