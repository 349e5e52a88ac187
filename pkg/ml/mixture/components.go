package mixture

import (
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	gonumblas "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/mat"
)

// components are K Gaussians in the coordinates of the fit, and what their densities are computed
// with.
type components struct {
	family  Covariance
	k, d    int
	weights []float64
	means   []float64 // K×d
	covs    []float64 // full: K×d×d; tied: d×d; diagonal: K×d; spherical: K
	floored []int     // directions on the floor

	constant []float64    // log πₖ − ½ log|2πΣₖ|
	lower    []*mat.Dense // full and tied: Σ = LLᵀ
	whiten   []float64    // full: d×Kd, the L⁻ᵀ side by side; tied: d×d; diagonal and spherical: 1/σ
	offsets  []float64    // full and tied: the whitened means, K×d
	tight    bool         // some component is so narrow that whitening before subtracting its mean would lose digits
}

func (c *components) covariance(k, i, j int) float64 {
	switch d := c.d; {
	case c.family == Full:
		return c.covs[(k*d+i)*d+j]
	case c.family == Tied:
		return c.covs[i*d+j]
	case i != j:
		return 0
	case c.family == Diagonal:
		return c.covs[k*d+i]
	}
	return c.covs[k]
}

// unit is K components around the given means whose covariance is the identity.
func unit(family Covariance, k, d int, means []float64) *components {
	c := &components{family: family, k: k, d: d, means: means, weights: slices.Repeat([]float64{1 / float64(k)}, k), floored: make([]int, k)}
	switch family {
	case Full, Tied:
		for range map[bool]int{true: k, false: 1}[family == Full] {
			for i := range d {
				row := make([]float64, d)
				row[i] = 1
				c.covs = append(c.covs, row...)
			}
		}
	case Diagonal:
		c.covs = slices.Repeat([]float64{1}, k*d)
	case Spherical:
		c.covs = slices.Repeat([]float64{1}, k)
	}
	c.factor()
	return c
}

// factor computes what densities need. It reports a covariance that is not positive definite by its
// number, or -1.
func (c *components) factor() (bad int) {
	c.constant = make([]float64, c.k)
	least := math.Inf(1)
	logDets := make([]float64, c.k)
	switch c.family {
	case Full, Tied:
		count := len(c.covs) / (c.d * c.d)
		c.lower, c.whiten = make([]*mat.Dense, count), make([]float64, count*c.d*c.d)
		for i := range count {
			var chol mat.Cholesky
			if !chol.Factorize(mat.NewSymDense(c.d, c.covs[i*c.d*c.d:(i+1)*c.d*c.d])) {
				return i
			}
			var l, inv mat.TriDense
			chol.LTo(&l)
			_ = inv.InverseTri(&l) // an error only says that the condition is bad, and the floor bounds it
			c.lower[i] = mat.DenseCopyOf(&l)
			for a := range c.d {
				least = min(least, l.At(a, a))
				logDets[i] += 2 * math.Log(l.At(a, a))
				for b := range a + 1 {
					c.whiten[b*count*c.d+i*c.d+a] = inv.At(a, b)
				}
			}
		}
		for i := count; i < c.k; i++ {
			logDets[i] = logDets[0]
		}
		c.offsets = make([]float64, c.k*c.d)
		for i := range c.k {
			from := 0
			if c.family == Full {
				from = i * c.d
			}
			for a := range c.d {
				for b := range a + 1 {
					c.offsets[i*c.d+a] += c.means[i*c.d+b] * c.whiten[b*count*c.d+from+a]
				}
			}
		}
	case Diagonal, Spherical:
		c.whiten = make([]float64, len(c.covs))
		per := len(c.covs) / c.k
		for i, v := range c.covs {
			if !(v > 0) {
				return i / per
			}
			c.whiten[i] = 1 / math.Sqrt(v)
			logDets[i/per] += math.Log(v) * float64(c.d/per)
		}
	}
	c.tight = least < 1e-5
	for i, w := range c.weights {
		c.constant[i] = math.Log(w) - (float64(c.d)*math.Log(2*math.Pi)+logDets[i])/2
	}
	return -1
}

// scratch is what a block of rows needs for its densities.
type scratch struct {
	white []float64 // rows×Kd whitened residuals where covariances are full, rows×d whitened points where tied
	logs  []float64 // rows×K, log πₖN(x), then responsibilities
	sums  []float64 // rows
	most  []float64 // rows
	other []float64 // rows×d
	// K×rows×d, residuals of the rows that count for a component, times √r, until there are as many
	// as a matrix product likes
	taken []float64
	count []int // K, how many there are
}

// blockRows is how many rows are whitened at a time: few enough for the processor's cache.
func (c *components) blockRows() int { return min(max((1<<15/(c.k*c.d))&^7, 32), 256) }

func (c *components) scratch() *scratch {
	b := c.blockRows()
	wide := c.d
	if c.family == Full {
		wide *= c.k
	}
	return &scratch{white: make([]float64, b*wide), logs: make([]float64, b*c.k), sums: make([]float64, b), most: make([]float64, b),
		other: make([]float64, b*c.d), taken: make([]float64, b*wide), count: make([]int, c.k)}
}

// joint sets s.logs to log πₖ N(x; μₖ, Σₖ) of a block of rows.
func (c *components) joint(x []float64, s *scratch) {
	n := len(x) / c.d
	switch c.family {
	case Full:
		c.residuals(x, s)
	case Tied:
		if c.tight {
			for k := range c.k {
				c.minusMean(x, k, s.other)
				c.multiply(s.other[:n*c.d], c.whiten, c.d, s.white, c.d)
				for i := range n {
					s.logs[i*c.k+k] = square(s.white[i*c.d : (i+1)*c.d])
				}
			}
			break
		}
		c.multiply(x, c.whiten, c.d, s.white, c.d)
		for i := range n {
			blas.SqEuclideanRows(s.logs[i*c.k:(i+1)*c.k], s.white[i*c.d:(i+1)*c.d], c.offsets, c.d)
		}
	case Diagonal:
		for i := range n {
			row := x[i*c.d : (i+1)*c.d]
			for k := range c.k {
				s.logs[i*c.k+k] = scaledSquare(row, c.means[k*c.d:(k+1)*c.d], c.whiten[k*c.d:(k+1)*c.d])
			}
		}
	case Spherical:
		for i := range n {
			row := s.logs[i*c.k : (i+1)*c.k]
			blas.SqEuclideanRows(row, x[i*c.d:(i+1)*c.d], c.means, c.d)
			for k, w := range c.whiten {
				row[k] *= w * w
			}
		}
	}
	for i := range n {
		row := s.logs[i*c.k : (i+1)*c.k]
		for k, q := range row {
			row[k] = c.constant[k] - q/2
		}
	}
}

// square is ‖y‖²; d is often so small that a call would cost more.
func square(y []float64) float64 {
	var a, b, e, f float64
	i := 0
	for ; i+4 <= len(y); i += 4 {
		v := y[i : i+4 : i+4]
		a += v[0] * v[0]
		b += v[1] * v[1]
		e += v[2] * v[2]
		f += v[3] * v[3]
	}
	for ; i < len(y); i++ {
		a += y[i] * y[i]
	}
	return (a + b) + (e + f)
}

func scaledSquare(x, mean, inv []float64) float64 {
	mean, inv = mean[:len(x)], inv[:len(x)]
	var a, b float64
	i := 0
	for ; i+2 <= len(x); i += 2 {
		u, v := (x[i]-mean[i])*inv[i], (x[i+1]-mean[i+1])*inv[i+1]
		a += u * u
		b += v * v
	}
	if i < len(x) {
		u := (x[i] - mean[i]) * inv[i]
		a += u * u
	}
	return a + b
}

// residuals sets s.white to (x − μₖ)L⁻ᵀ for every component, in one matrix product, and s.logs to
// their squares.
func (c *components) residuals(x []float64, s *scratch) {
	n, wide := len(x)/c.d, c.k*c.d
	if c.tight {
		for k := range c.k {
			c.minusMean(x, k, s.other)
			c.multiply(s.other[:n*c.d], c.whiten[k*c.d:], wide, s.white[k*c.d:], wide)
		}
		for i := range s.logs[:n*c.k] {
			s.logs[i] = square(s.white[i*c.d : (i+1)*c.d])
		}
		return
	}
	blas64.Gemm(gonumblas.NoTrans, gonumblas.NoTrans, 1, blas64.General{Rows: n, Cols: c.d, Stride: c.d, Data: x},
		blas64.General{Rows: c.d, Cols: wide, Stride: wide, Data: c.whiten}, 0, blas64.General{Rows: n, Cols: wide, Stride: wide, Data: s.white})
	for i := range n {
		for k := range c.k {
			s.logs[i*c.k+k] = subtract(s.white[(i*c.k+k)*c.d:][:c.d], c.offsets[k*c.d:])
		}
	}
}

// subtract takes b from y and returns ‖y‖².
func subtract(y, b []float64) float64 {
	b = b[:len(y)]
	var p, q float64
	i := 0
	for ; i+2 <= len(y); i += 2 {
		u, v := y[i]-b[i], y[i+1]-b[i+1]
		y[i], y[i+1] = u, v
		p += u * u
		q += v * v
	}
	if i < len(y) {
		u := y[i] - b[i]
		y[i] = u
		p += u * u
	}
	return p + q
}

func (c *components) minusMean(x []float64, k int, dst []float64) {
	mean := c.means[k*c.d : (k+1)*c.d]
	for i := range len(x) / c.d {
		row, to := x[i*c.d:(i+1)*c.d], dst[i*c.d:(i+1)*c.d]
		for j, v := range row {
			to[j] = v - mean[j]
		}
	}
}

// multiply sets dst to x·w, d columns each.
func (c *components) multiply(x, w []float64, strideW int, dst []float64, stride int) {
	n := len(x) / c.d
	blas64.Gemm(gonumblas.NoTrans, gonumblas.NoTrans, 1, blas64.General{Rows: n, Cols: c.d, Stride: c.d, Data: x},
		blas64.General{Rows: c.d, Cols: c.d, Stride: strideW, Data: w}, 0, blas64.General{Rows: n, Cols: c.d, Stride: stride, Data: dst})
}

// posterior turns s.logs of a block into responsibilities, sets labels where there are any, and
// leaves the log densities of the rows in s.sums.
func (c *components) posterior(x []float64, s *scratch, labels []int) {
	n := len(x) / c.d
	for i := range n {
		row := s.logs[i*c.k : (i+1)*c.k]
		most, at := math.Inf(-1), 0
		for k, v := range row {
			if v > most {
				most, at = v, k
			}
		}
		if math.IsInf(most, -1) { // so far away that every density is 0 in a float64, or a product was Inf − Inf
			at = c.nearest(x[i*c.d:(i+1)*c.d], s.other)
			for k := range row {
				row[k] = math.Inf(-1)
			}
			row[at] = 0
		} else {
			for k, v := range row {
				row[k] = v - most
				if v != v {
					row[k] = math.Inf(-1)
				}
			}
		}
		s.most[i] = most
		if labels != nil {
			labels[i] = at
		}
	}
	logs := s.logs[:n*c.k]
	blas.Exp(logs, logs)
	for i := range n {
		row := logs[i*c.k : (i+1)*c.k]
		total := 0.0
		for _, v := range row {
			total += v
		}
		s.sums[i] = total
		inv := 1 / total
		for k := range row {
			row[k] *= inv
		}
	}
	blas.Log(s.sums[:n], s.sums[:n])
	for i := range n {
		s.sums[i] += s.most[i]
	}
}

// nearest is the component of least Mahalanobis distance from a point whose squared distances
// overflow.
func (c *components) nearest(x, y []float64) int {
	size := 0.0
	for _, v := range x {
		size = max(size, math.Abs(v))
	}
	at, least := 0, math.Inf(1)
	for k := range c.k {
		q := 0.0
		diff := y[:c.d]
		for j, v := range x {
			diff[j] = v/size - c.means[k*c.d+j]/size
		}
		for j := range c.d {
			switch c.family {
			case Full, Tied:
				wide, from := c.d, 0
				if c.family == Full {
					wide, from = c.k*c.d, k*c.d
				}
				v := 0.0
				for b := range j + 1 {
					v += diff[b] * c.whiten[b*wide+from+j]
				}
				q += v * v
			case Diagonal:
				q += diff[j] * diff[j] * c.whiten[k*c.d+j] * c.whiten[k*c.d+j]
			case Spherical:
				q += diff[j] * diff[j] * c.whiten[k] * c.whiten[k]
			}
		}
		if c.weights[k] > 0 && q < least {
			at, least = k, q
		}
	}
	return at
}

// normalized checks weights and returns them with sum 1.
func normalized(method string, weights []float64, k int) ([]float64, error) {
	if err := ml.Vector(method, "Weights", weights, k); err != nil {
		return nil, err
	}
	total := 0.0
	for i, w := range weights {
		if w < 0 {
			return nil, ml.BadParameter(method, sprintf("weight %d", i), w, "0 or more")
		}
		total += w
	}
	if !(total > 0) || math.IsInf(total, 0) {
		return nil, ml.BadParameter(method, "the sum of the weights", total, "a positive number")
	}
	out := make([]float64, k)
	for i, w := range weights {
		out[i] = w / total
	}
	return out, nil
}

// covariancesIn brings covariances of the caller's into the coordinates and the family of a fit.
func covariancesIn(method string, covs []*mat.SymDense, u scaling.Units, k int, family Covariance, weights []float64) ([]float64, error) {
	d := len(u.A)
	if len(covs) != k {
		return nil, ml.BadShape(method, "there are %d covariances, want K = %d", len(covs), k)
	}
	size := map[Covariance]int{Full: d * d, Tied: d * d, Diagonal: d, Spherical: 1}[family]
	out := make([]float64, 0, k*size)
	pooled := make([]float64, d*d)
	for i, cov := range covs {
		if cov == nil || cov.IsEmpty() || cov.SymmetricDim() != d {
			return nil, ml.BadShape(method, "covariance %d is not %d×%d", i, d, d)
		}
		own := make([]float64, d*d)
		for a := range d {
			for b := range d {
				v := u.CovarianceIn(cov.At(a, b), a, b)
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return nil, ml.BadParameter(method, sprintf("covariance %d at row %d, column %d", i, a, b), cov.At(a, b), "a number on the scale of the data")
				}
				own[a*d+b] = v
				pooled[a*d+b] += weights[i] * v
			}
		}
		switch family {
		case Full:
			out = append(out, own...)
		case Diagonal:
			for a := range d {
				out = append(out, own[a*d+a])
			}
		case Spherical:
			trace := 0.0
			for a := range d {
				trace += own[a*d+a]
			}
			out = append(out, trace/float64(d))
		}
	}
	if family == Tied {
		return pooled, nil
	}
	return out, nil
}
