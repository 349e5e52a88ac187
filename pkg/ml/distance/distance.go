// Package distance measures how far apart two observations are: vectors by the metrics of
// Minkowski's family, by angle and by correlation; strings and other sequences by the edits that
// lead from one to the other. It computes whole tables of distances on all processors, and checks a
// table for the axioms of a metric.
//
// Four axioms make a function d a metric: d(a, b) = d(b, a); d(a, a) = 0; d(a, b) > 0 for a ≠ b;
// and the triangle inequality d(a, c) ≤ d(a, b) + d(b, c). Axioms looks for the worst offender
// against each. The functions here that break one say so.
package distance

import (
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

// A Metric gives the distance of two vectors of equal length. Every value of this package that is
// one is safe for concurrent use; so must be a caller's own. The name is a courtesy: not each of
// them keeps the four axioms.
type Metric interface {
	Distance(a, b []float64) float64
}

// Func makes a metric of any function. Tables call it for each pair, from several goroutines.
type Func func(a, b []float64) float64

// Distance calls f.
func (f Func) Distance(a, b []float64) float64 { return f(a, b) }

// kernel is what a metric of this package offers beside Distance: one vector against many rows at
// once.
type kernel interface {
	Metric
	// prepare checks the metric's options and returns x in the form that rows takes, which may be x
	// itself.
	prepare(method string, x *mat.Dense) (*mat.Dense, error)
	// rows sets dst[i] to the distance of a from row i of rows, which lie stride apart.
	rows(dst, a, rows []float64, stride int)
}

// prepare is Func's and any foreign metric's.
type foreign struct{ Metric }

func (foreign) prepare(_ string, x *mat.Dense) (*mat.Dense, error) { return x, nil }

func (f foreign) rows(dst, a, rows []float64, stride int) {
	for i := range dst {
		dst[i] = f.Distance(a, rows[i*stride:i*stride+len(a)])
	}
}

func kernelOf(m Metric) kernel {
	switch m := m.(type) {
	case nil:
		return Euclidean{}
	case kernel:
		return m
	}
	return foreign{m}
}

// Rows gives the distances between the rows of two matrices a stretch at a time, for methods that
// need no whole table. It is safe for concurrent use.
type Rows struct {
	kernel kernel
	x, y   *mat.Dense
	sparse *sparseRows // instead of these
}

// NewRows prepares the rows of x (n×d) and y (m×d) for a metric; a nil y means x, a nil metric
// Euclidean. Where either is a *csr.Matrix and the metric is Sparse, rows are measured by their
// entries and nothing becomes dense. The errors are those of ml.Dense, ml.ErrShape for unequal
// numbers of columns, and what the metric can't measure, such as the angle of a row of zeros.
func NewRows(metric Metric, x, y mat.Matrix) (*Rows, error) {
	return newRows("distance.NewRows", metric, x, y)
}

func newRows(method string, metric Metric, x, y mat.Matrix) (*Rows, error) {
	_, sx := x.(*csr.Matrix)
	_, sy := y.(*csr.Matrix)
	if (sx || sy) && Sparse(metric) {
		s, err := newSparseRows(method, metric, x, y)
		if err != nil {
			return nil, err
		}
		return &Rows{sparse: s}, nil
	}
	k := kernelOf(metric)
	prepare := func(x mat.Matrix) (*mat.Dense, error) {
		dense, err := ml.Dense(method, x)
		if err != nil {
			return nil, err
		}
		return k.prepare(method, dense)
	}
	px, err := prepare(x)
	if err != nil {
		return nil, err
	}
	r := &Rows{kernel: k, x: px, y: px}
	if y == nil {
		return r, nil
	}
	if r.y, err = prepare(y); err != nil {
		return nil, err
	}
	_, dx := r.x.Dims()
	if _, dy := r.y.Dims(); dx != dy {
		return nil, ml.BadShape(method, "x has %d columns and y has %d, want as many", dx, dy)
	}
	return r, nil
}

// Dims returns the numbers of rows n and m.
func (r *Rows) Dims() (n, m int) {
	if r.sparse != nil {
		return r.sparse.x.Rows(), r.sparse.y.Rows()
	}
	n, _ = r.x.Dims()
	m, _ = r.y.Dims()
	return n, m
}

// From sets dst[k] to the distance of row i of x from row lo+k of y.
func (r *Rows) From(dst []float64, i, lo int) {
	if len(dst) == 0 {
		return
	}
	if r.sparse != nil {
		r.sparse.from(dst, i, lo)
		return
	}
	_, d := r.y.Dims()
	r.kernel.rows(dst, r.x.RawRowView(i), r.y.RawMatrix().Data[lo*d:(lo+len(dst))*d], d)
}
