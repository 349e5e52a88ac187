package evaluate

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// softmaxFit is multinomial logistic regression on standardized columns. The parameters are K rows
// of an intercept and d coefficients.
type softmaxFit struct {
	n, k, p int       // rows, classes, d+1
	x       []float64 // n×p, its first column of ones
	of      []int     // class of each row
	penalty float64
}

func newSoftmaxFit(m *LinearProbeModel, rows *mat.Dense, of []int, penalty float64) *softmaxFit {
	n, d := rows.Dims()
	f := &softmaxFit{n: n, k: len(m.Classes), p: d + 1, of: of, penalty: penalty, x: make([]float64, n*(d+1))}
	z := m.standardized(rows)
	for i := range n {
		row := f.x[i*f.p : (i+1)*f.p]
		row[0] = 1
		copy(row[1:], z.RawRowView(i))
	}
	return f
}

// pass goes through the rows once: residual turns the K numbers vₖ·xᵢ of row i into what the row
// weighs in the K rows of the result, (RᵀX + λV)/n, whose penalty leaves out intercepts. The sums
// of what residual returns come with it. A probe has few classes, so that a row, read once, meets
// all of them.
func (f *softmaxFit) pass(v []float64, residual func(i int, row []float64) float64) (g []float64, sum float64) {
	size := max(512, (f.n+31)/32) // bounds the memory of the parts
	parts, sums := make([][]float64, parallel.Chunks(f.n, size)), make([]float64, parallel.Chunks(f.n, size))
	_ = parallel.For(context.Background(), f.n, size, func(c, lo, hi int) {
		part, row := make([]float64, f.k*f.p), make([]float64, f.k)
		for i := lo; i < hi; i++ {
			x := f.x[i*f.p : (i+1)*f.p]
			blas.DotRows(row, x, v, f.p)
			sums[c] += residual(i, row)
			for k, r := range row {
				blas.Axpy(r, x, part[k*f.p:(k+1)*f.p])
			}
		}
		parts[c] = part
	})
	g = make([]float64, f.k*f.p)
	for i, w := range v {
		if i%f.p != 0 {
			g[i] = f.penalty * w
		}
	}
	for c, part := range parts {
		floats.Add(g, part)
		sum += sums[c]
	}
	floats.Scale(1/float64(f.n), g)
	return g, sum
}

// gradient returns the objective over n, its gradient, the mean of −log p(y), and the
// probabilities.
func (f *softmaxFit) gradient(theta []float64) (value float64, g []float64, loss float64, p []float64) {
	p = make([]float64, f.n*f.k)
	g, loss = f.pass(theta, func(i int, row []float64) float64 {
		own := row[f.of[i]]
		l := softmax(row) - own
		copy(p[i*f.k:], row)
		row[f.of[i]]--
		return l
	})
	loss /= float64(f.n)
	value = loss
	for c := range f.k {
		w := theta[c*f.p+1 : (c+1)*f.p]
		value += f.penalty / 2 / float64(f.n) * floats.Dot(w, w)
	}
	return value, g, loss, p
}

// curvature returns the product of the Hessian with v, where the probabilities are p.
func (f *softmaxFit) curvature(p, v []float64) []float64 {
	h, _ := f.pass(v, func(i int, row []float64) float64 {
		prob := p[i*f.k : (i+1)*f.k]
		mean := floats.Dot(prob, row)
		for c := range row {
			row[c] = prob[c] * (row[c] - mean)
		}
		return 0
	})
	return h
}

// minimize starts from nothing known and writes the minimum to m. The error is ctx.Err().
func (f *softmaxFit) minimize(ctx context.Context, maxIter int, m *LinearProbeModel) error {
	theta := make([]float64, f.k*f.p)
	value, g, loss, p := f.gradient(theta)
	first := floats.Norm(g, 2)
	for {
		size := floats.Norm(g, 2)
		m.Converged = size <= 1e-8*first
		if m.Converged || m.Iterations == maxIter || ctx.Err() != nil {
			break
		}
		step := f.newton(ctx, p, g, min(0.5, math.Sqrt(size/first))*size)
		slope := floats.Dot(step, g)
		moved, found := false, false
		for t := 1.0; t > 1e-12 && !found && ctx.Err() == nil; t /= 2 {
			next := make([]float64, len(theta))
			floats.AddScaledTo(next, theta, t, step)
			v, gradient, l, probabilities := f.gradient(next)
			// Near the minimum the value is lost in rounding and the gradient is not.
			found = v <= value+1e-4*t*slope || v <= value+1e-14*math.Abs(value) && floats.Norm(gradient, 2) < size
			if found {
				moved = true
				theta, value, g, loss, p = next, v, gradient, l, probabilities
			}
		}
		if !moved {
			m.Converged = ctx.Err() == nil && size <= 1e-6*first // as near as rounding allows
			break
		}
		m.Iterations++
	}
	// The same number added to all intercepts changes nothing.
	mean := 0.0
	for c := range f.k {
		mean += theta[c*f.p] / float64(f.k)
	}
	m.Coefficients, m.Intercepts, m.Loss = mat.NewDense(f.k, f.p-1, nil), make([]float64, f.k), loss
	for c := range f.k {
		m.Intercepts[c] = theta[c*f.p] - mean
		m.Coefficients.SetRow(c, theta[c*f.p+1:(c+1)*f.p])
	}
	return ctx.Err()
}

// newton solves H·s = −g by conjugate gradients to a residual of the given size.
func (f *softmaxFit) newton(ctx context.Context, p, g []float64, tolerance float64) []float64 {
	s, r := make([]float64, len(g)), make([]float64, len(g))
	floats.AddScaled(r, -1, g)
	direction := append([]float64{}, r...)
	square := floats.Dot(r, r)
	for i := 0; i < 500 && math.Sqrt(square) > tolerance && ctx.Err() == nil; i++ {
		image := f.curvature(p, direction)
		bend := floats.Dot(direction, image)
		if !(bend > 1e-14*floats.Dot(direction, direction)) { // flat, without a penalty
			break
		}
		alpha := square / bend
		floats.AddScaled(s, alpha, direction)
		floats.AddScaled(r, -alpha, image)
		before := square
		square = floats.Dot(r, r)
		floats.Scale(square/before, direction)
		floats.Add(direction, r)
	}
	if floats.Dot(s, g) >= 0 { // nothing was found: downhill
		floats.AddScaledTo(s, s, -1, s)
		floats.AddScaled(s, -1, g)
	}
	return s
}

// softmax turns logits into probabilities and returns the log of their sum.
func softmax(row []float64) float64 {
	most := floats.Max(row)
	sum := 0.0
	for c, v := range row {
		row[c] = math.Exp(v - most)
		sum += row[c]
	}
	floats.Scale(1/sum, row)
	return most + math.Log(sum)
}
