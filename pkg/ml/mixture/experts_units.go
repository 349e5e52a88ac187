package mixture

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// unitVariance is what column j of prepared points is multiplied by to have variance 1.
func unitVariance(p *points, j int) float64 {
	if v := p.variance[j]; v > 0 {
		return 1 / math.Sqrt(v)
	}
	return 1
}

// affine is the change of coordinates from the caller's: (xⱼ − meanⱼ)·scaleⱼ and
// (y − yMean)·yScale.
type affine struct {
	mean, scale   []float64
	yMean, yScale float64
}

// out returns coefficients K×p of the fit as K×d of the caller's and intercepts; target says that
// they predict y.
func (a affine) out(w []float64, target bool) (*mat.Dense, []float64) {
	d := len(a.mean)
	k := len(w) / (d + 1)
	coefficients, intercepts := mat.NewDense(k, d, nil), make([]float64, k)
	yMean, yScale := 0.0, 1.0
	if target {
		yMean, yScale = a.yMean, a.yScale
	}
	for i := range k {
		row := w[i*(d+1) : (i+1)*(d+1)]
		intercepts[i] = row[0]/yScale + yMean
		for j := range d {
			c := row[j+1] * a.scale[j] / yScale
			coefficients.Set(i, j, c)
			intercepts[i] -= c * a.mean[j]
		}
	}
	return coefficients, intercepts
}

// in is the reverse of out.
func (a affine) in(coefficients *mat.Dense, intercepts []float64, target bool) []float64 {
	d := len(a.mean)
	yMean, yScale := 0.0, 1.0
	if target {
		yMean, yScale = a.yMean, a.yScale
	}
	w := make([]float64, len(intercepts)*(d+1))
	for i, b := range intercepts {
		row := w[i*(d+1) : (i+1)*(d+1)]
		row[0] = b - yMean
		for j := range d {
			c := coefficients.At(i, j)
			row[0] += c * a.mean[j]
			row[j+1] = c * yScale / a.scale[j]
		}
		row[0] *= yScale
	}
	return w
}
