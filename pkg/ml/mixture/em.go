package mixture

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	gonumblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// sums are what one pass over the data leaves for the next components: moments weighted by
// responsibility, about the present means, so that nothing cancels near convergence. For full
// covariances they are of the whitened residuals, which near convergence have the identity for
// covariance.
type sums struct {
	logLikelihood float64
	mass          []float64 // K
	first         []float64 // K×d
	second        []float64 // full: K×d×d, upper triangles; diagonal: K×d; spherical: K; tied: none
}

func (c *components) sums() *sums {
	size := map[Covariance]int{Full: c.k * c.d * c.d, Tied: 0, Diagonal: c.k * c.d, Spherical: c.k}[c.family]
	return &sums{mass: make([]float64, c.k), first: make([]float64, c.k*c.d), second: make([]float64, size)}
}

func (s *sums) add(t *sums) {
	s.logLikelihood += t.logLikelihood
	for _, v := range [][2][]float64{{s.mass, t.mass}, {s.first, t.first}, {s.second, t.second}} {
		for i, x := range v[1] {
			v[0][i] += x
		}
	}
}

// negligible is the responsibility below which a row adds nothing to a component that would show in
// a float64: rows of other, distant components.
const negligible = 0x1p-80

// pass computes responsibilities and, while a block of rows is in the cache, the sums that the next
// components are made of. With fixed, labels are given: each row belongs to its label's component
// alone. The parts of the data, and the order in which their sums are merged, depend on the problem
// alone.
func (f *emFit) pass(ctx context.Context, c *components, labels []int, fixed bool) (*sums, error) {
	n, d := f.p.n, f.p.d
	rows := c.blockRows()
	most := max(1<<23/(len(c.sums().second)+c.k*d), 2) // 64 MB of sums
	size := (n + min(most, 16) - 1) / min(most, 16)
	size = (size + rows - 1) / rows * rows
	of := make([]*sums, parallel.Chunks(n, size))
	err := parallel.For(ctx, n, size, func(part, lo, hi int) {
		s := c.sums()
		t, ok := f.spare.Get().(*scratch)
		if !ok {
			t = c.scratch()
		}
		defer f.spare.Put(t)
		for i := lo; i < hi && ctx.Err() == nil; i += rows {
			end := min(i+rows, hi)
			x := f.p.x[i*d : end*d]
			if fixed {
				c.assign(x, t, labels[i:end])
			} else {
				c.joint(x, t)
				c.posterior(x, t, labels[i:end])
				for _, v := range t.sums[:end-i] {
					s.logLikelihood += v
				}
			}
			c.accumulate(x, t, s)
		}
		for k := range c.k {
			c.flush(k, t, s)
		}
		of[part] = s
	})
	if err != nil {
		return nil, err
	}
	total := of[0]
	for _, s := range of[1:] {
		total.add(s)
	}
	return total, nil
}

// assign is posterior where labels are given.
func (c *components) assign(x []float64, s *scratch, labels []int) {
	if c.family == Full {
		c.residuals(x, s)
	}
	clear(s.logs)
	for i, k := range labels {
		s.logs[i*c.k+k] = 1
	}
}

// accumulate adds a block to the sums: responsibilities are in s.logs, whitened residuals in
// s.white.
func (c *components) accumulate(x []float64, s *scratch, to *sums) {
	n, d := len(x)/c.d, c.d
	for i := range n {
		for k, r := range s.logs[i*c.k : (i+1)*c.k] {
			to.mass[k] += r
		}
	}
	if c.family == Tied {
		blas64.Gemm(gonumblas.Trans, gonumblas.NoTrans, 1, blas64.General{Rows: n, Cols: c.k, Stride: c.k, Data: s.logs},
			blas64.General{Rows: n, Cols: d, Stride: d, Data: x}, 1, blas64.General{Rows: c.k, Cols: d, Stride: d, Data: to.first})
		return
	}
	for k := range c.k {
		first, mean := to.first[k*d:(k+1)*d], c.means[k*d:(k+1)*d]
		for i := range n {
			r := s.logs[i*c.k+k]
			if r == 0 || r < negligible*min(to.mass[k], 1) {
				continue
			}
			switch c.family {
			case Full: // √r·y, so that the second moments are one symmetric product
				root := math.Sqrt(r)
				if s.count[k] == c.blockRows() {
					c.flush(k, s, to)
				}
				y, row := s.white[(i*c.k+k)*d:][:d], s.taken[(k*c.blockRows()+s.count[k])*d:][:d]
				for j, v := range y {
					w := root * v
					row[j] = w
					first[j] += root * w
				}
				s.count[k]++
			case Diagonal:
				second := to.second[k*d : (k+1)*d]
				for j, v := range x[i*d : (i+1)*d] {
					e := v - mean[j]
					first[j] += r * e
					second[j] += r * e * e
				}
			case Spherical:
				for j, v := range x[i*d : (i+1)*d] {
					e := v - mean[j]
					first[j] += r * e
					to.second[k] += r * e * e
				}
			}
		}
	}
}

// flush adds the rows taken for component k to its second moments.
func (c *components) flush(k int, s *scratch, to *sums) {
	d := c.d
	if s.count[k] > 0 {
		blas64.Syrk(gonumblas.Trans, 1, blas64.General{Rows: s.count[k], Cols: d, Stride: d, Data: s.taken[k*c.blockRows()*d:]}, 1,
			blas64.Symmetric{Uplo: gonumblas.Upper, N: d, Stride: d, Data: to.second[k*d*d : (k+1)*d*d]})
	}
	s.count[k] = 0
}

// update returns the components that are most likely for the responsibilities that the sums were
// taken with. A component without points stays where it is.
func (f *emFit) update(ctx context.Context, c *components, s *sums) (*components, error) {
	k, d := c.k, c.d
	next := &components{family: c.family, k: k, d: d, weights: make([]float64, k), means: make([]float64, k*d), covs: slices.Clone(c.covs), floored: slices.Clone(c.floored)}
	total := 0.0
	for _, m := range s.mass {
		total += m
	}
	for i, m := range s.mass {
		next.weights[i] = m / total
		mean, old := next.means[i*d:(i+1)*d], c.means[i*d:(i+1)*d]
		copy(mean, old)
		if m < math.SmallestNonzeroFloat64*0x1p100 {
			continue
		}
		first := s.first[i*d : (i+1)*d]
		for j := range first {
			first[j] /= m
		}
		switch c.family {
		case Full:
			f.moveFull(next, c, i, m, first, s.second[i*d*d:(i+1)*d*d])
		case Tied:
			copy(mean, first)
		case Diagonal:
			for j, e := range first {
				mean[j] += e
				next.covs[i*d+j] = s.second[i*d+j]/m - e*e
			}
		case Spherical:
			sq := 0.0
			for j, e := range first {
				mean[j] += e
				sq += e * e
			}
			next.covs[i] = (s.second[i]/m - sq) / float64(d)
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
	if c.family == Tied { // what is left of the scatter of all data
		copy(next.covs, f.scatter())
		for i, w := range next.weights {
			mean := next.means[i*d : (i+1)*d]
			for a := range d {
				for b := range d {
					next.covs[a*d+b] -= w * mean[a] * mean[b]
				}
			}
		}
	}
	return f.lifted(next)
}

// moveFull sets mean and covariance of component i: μ + Lȳ and L(M − ȳȳᵀ)Lᵀ, with ȳ and M the
// moments of whitened residuals.
func (f *emFit) moveFull(next, c *components, i int, mass float64, first, second []float64) {
	d := c.d
	l := c.lower[i].RawMatrix()
	m := blas64.General{Rows: d, Cols: d, Stride: d, Data: second}
	for a := range d {
		for b := a; b < d; b++ {
			v := second[a*d+b]/mass - first[a]*first[b]
			second[a*d+b], second[b*d+a] = v, v
		}
	}
	blas64.Gemv(gonumblas.NoTrans, 1, l, blas64.Vector{N: d, Inc: 1, Data: first}, 1, blas64.Vector{N: d, Inc: 1, Data: next.means[i*d : (i+1)*d]})
	half := blas64.General{Rows: d, Cols: d, Stride: d, Data: make([]float64, d*d)}
	blas64.Gemm(gonumblas.NoTrans, gonumblas.NoTrans, 1, l, m, 0, half)
	cov := next.covs[i*d*d : (i+1)*d*d]
	blas64.Gemm(gonumblas.NoTrans, gonumblas.Trans, 1, half, l, 0, blas64.General{Rows: d, Cols: d, Stride: d, Data: cov})
	for a := range d {
		for b := range a {
			v := (cov[a*d+b] + cov[b*d+a]) / 2
			cov[a*d+b], cov[b*d+a] = v, v
		}
	}
}

// scatter is the covariance of the data, d×d.
func (f *emFit) scatter() []float64 {
	if f.whole != nil {
		return f.whole
	}
	p := f.p
	out := make([]float64, p.d*p.d)
	blas64.Syrk(gonumblas.Trans, 1/float64(p.n), blas64.General{Rows: p.n, Cols: p.d, Stride: p.d, Data: p.x}, 0,
		blas64.Symmetric{Uplo: gonumblas.Upper, N: p.d, Stride: p.d, Data: out})
	for a := range p.d {
		for b := range a {
			out[a*p.d+b] = out[b*p.d+a]
		}
	}
	f.whole = out
	return out
}

// lifted raises covariances to the floor and prepares the components for densities.
func (f *emFit) lifted(c *components) (*components, error) {
	d := c.d
	switch c.family {
	case Full, Tied:
		for i := range len(c.covs) / (d * d) {
			n, ok := lift(c.covs[i*d*d:(i+1)*d*d], f.floor)
			if !ok {
				return nil, &notConverged{sprintf("the eigenvalues of covariance %d were not found", i)}
			}
			c.floored[i] = n
			if c.family == Tied {
				for k := range c.floored {
					c.floored[k] = n
				}
			}
		}
	case Diagonal, Spherical:
		per := len(c.covs) / c.k
		clear(c.floored)
		for i, v := range c.covs {
			if least := f.floor[i%per]; !(v > least) {
				c.covs[i] = least
				c.floored[i/per] += d / per
			}
		}
	}
	if bad := c.factor(); bad >= 0 {
		return nil, &notConverged{sprintf("covariance %d is not positive definite", bad)}
	}
	return c, nil
}

// lift raises a covariance to the floor: of all C ≥ diag(floor) the most likely for the moments S.
// In coordinates in which the floor is the identity, C has the eigenvectors of S, and eigenvalues
// max(λ, 1). It returns how many were raised. Mostly S − diag(floor) has a Cholesky factor, and
// nothing is to do.
func lift(cov, floor []float64) (raised int, ok bool) {
	d := len(floor)
	above := mat.NewSymDense(d, slices.Clone(cov))
	for j, v := range floor {
		above.SetSym(j, j, above.At(j, j)-v)
	}
	var chol mat.Cholesky
	if chol.Factorize(above) {
		return 0, true
	}
	scaled := mat.NewSymDense(d, nil)
	for a := range d {
		for b := a; b < d; b++ {
			scaled.SetSym(a, b, cov[a*d+b]/math.Sqrt(floor[a])/math.Sqrt(floor[b]))
		}
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(scaled, true) {
		return 0, false
	}
	var v mat.Dense
	eigen.VectorsTo(&v)
	values := eigen.Values(nil)
	clear(cov)
	for e, value := range values {
		if !(value > 1) {
			value = 1
			raised++
		}
		for a := range d {
			w := value * v.At(a, e) * math.Sqrt(floor[a])
			for b := a; b < d; b++ {
				cov[a*d+b] += w * v.At(b, e) * math.Sqrt(floor[b])
			}
		}
	}
	for a := range d {
		for b := range a {
			cov[a*d+b] = cov[b*d+a]
		}
	}
	return raised, true
}

type notConverged struct{ what string }

func (e *notConverged) Error() string { return "mixture.GMM: " + e.what }
func (e *notConverged) Unwrap() error { return ml.ErrNotConverged }
