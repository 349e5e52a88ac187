package discriminant

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// whitening is a map to coordinates in which a covariance is the identity, with the directions in
// which there is none left out.
type whitening struct {
	scale *mat.Dense // d×r
	basis *mat.Dense // d×r, orthonormal: the directions with variance, of columns in the units below
	unit  []float64  // standard deviation of each column; 0 for none
	log   float64    // log of the determinant of the covariance, where r = d
}

// A direction has no variance where its standard deviation, of columns divided by theirs, is this
// part of the largest: more than the rounding of columns that are sums of others, and less than
// data have. Of a covariance, where the numbers are squares, less can be told.
const (
	flat        = 1e-8
	flatSquared = 1e-13
)

// whitenRows finds the map for centered rows by their singular values, which have all digits where
// those of the covariance, which is their square, have half.
func whitenRows(ctx context.Context, method string, rows *mat.Dense, unit []float64) (*whitening, error) {
	n, d := rows.Dims()
	scaled := mat.NewDense(n, d, nil)
	for i := range n {
		to := scaled.RawRowView(i)
		for j, v := range rows.RawRowView(i) {
			if unit[j] > 0 {
				to[j] = v / unit[j] / math.Sqrt(float64(n))
			}
		}
	}
	var svd mat.SVD
	var ok bool
	if err := parallel.Abandon(ctx, func() { ok = svd.Factorize(scaled, mat.SVDThinV) }); err != nil {
		return nil, err
	}
	if !ok {
		return nil, ml.NotFinite(method, "the singular values of the rows were not found")
	}
	var v mat.Dense
	svd.VTo(&v)
	s := svd.Values(nil)
	rank := 0
	for rank < len(s) && s[rank] > flat*s[0] {
		rank++
	}
	return newWhitening(&v, s[:rank], unit), nil
}

// whitenCovariance finds the map for a covariance.
func whitenCovariance(ctx context.Context, method string, cov *mat.SymDense) (*whitening, error) {
	d := cov.SymmetricDim()
	unit, scaled := make([]float64, d), mat.NewSymDense(d, nil)
	for j := range d {
		unit[j] = math.Sqrt(cov.At(j, j))
	}
	for i := range d {
		for j := i; j < d; j++ {
			if u := unit[i] * unit[j]; u > 0 {
				scaled.SetSym(i, j, cov.At(i, j)/u)
			}
		}
	}
	var eigen mat.EigenSym
	var ok bool
	if err := parallel.Abandon(ctx, func() { ok = eigen.Factorize(scaled, true) }); err != nil {
		return nil, err
	}
	if !ok {
		return nil, ml.NotFinite(method, "the eigenvalues of the covariance were not found")
	}
	var ascending mat.Dense
	eigen.VectorsTo(&ascending)
	values := eigen.Values(nil)
	var s []float64
	v := mat.NewDense(d, d, nil)
	for c := range d {
		at := d - 1 - c
		v.SetCol(c, mat.Col(nil, at, &ascending))
		if values[at] > flatSquared*values[d-1] {
			s = append(s, math.Sqrt(values[at]))
		}
	}
	return newWhitening(v, s, unit), nil
}

func newWhitening(v *mat.Dense, s, unit []float64) *whitening {
	d, _ := v.Dims()
	w := &whitening{unit: unit}
	if len(s) == 0 {
		return w
	}
	w.basis = mat.DenseCopyOf(v.Slice(0, d, 0, len(s)))
	w.scale = mat.NewDense(d, len(s), nil)
	for j, u := range unit {
		for c, size := range s {
			if u > 0 {
				w.scale.Set(j, c, w.basis.At(j, c)/u/size)
			}
		}
		w.log += 2 * math.Log(u)
	}
	for _, size := range s {
		w.log += 2 * math.Log(size)
	}
	return w
}

func (w *whitening) rank() int {
	if w.scale == nil {
		return 0
	}
	_, r := w.scale.Dims()
	return r
}
