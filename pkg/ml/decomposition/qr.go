package decomposition

import (
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/lapack/lapack64"
	"gonum.org/v1/gonum/mat"
)

// thinQR is the decomposition A = QR of a matrix with at least as many rows as columns. Q is kept
// as Householder reflections: written out it would be n×n.
type thinQR struct {
	a   *mat.Dense // R above the diagonal, reflections below
	tau []float64
}

// factorizeQR overwrites a.
func factorizeQR(a *mat.Dense) thinQR {
	_, d := a.Dims()
	q := thinQR{a, make([]float64, d)}
	work := make([]float64, 1)
	lapack64.Geqrf(a.RawMatrix(), q.tau, work, -1)
	work = make([]float64, int(work[0]))
	lapack64.Geqrf(a.RawMatrix(), q.tau, work, len(work))
	return q
}

// r is the triangle, d×d.
func (q thinQR) r() *mat.Dense {
	_, d := q.a.Dims()
	r := mat.NewDense(d, d, nil)
	for i := range d {
		copy(r.RawRowView(i)[i:], q.a.RawRowView(i)[i:])
	}
	return r
}

// times is Q·b for b with d rows.
func (q thinQR) times(b *mat.Dense) *mat.Dense {
	n, _ := q.a.Dims()
	d, c := b.Dims()
	out := mat.NewDense(n, c, nil)
	out.Slice(0, d, 0, c).(*mat.Dense).Copy(b)
	work := make([]float64, 1)
	lapack64.Ormqr(blas.Left, blas.NoTrans, q.a.RawMatrix(), q.tau, out.RawMatrix(), work, -1)
	work = make([]float64, int(work[0]))
	lapack64.Ormqr(blas.Left, blas.NoTrans, q.a.RawMatrix(), q.tau, out.RawMatrix(), work, len(work))
	return out
}
