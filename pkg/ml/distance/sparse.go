package distance

import (
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

// Sparse reports whether a metric measures the rows of a sparse matrix by their entries alone:
// Euclidean, SqEuclidean, Manhattan, Chebyshev, Minkowski and Hamming, since places where both rows
// are 0 add nothing to them, and Cosine. For another metric the matrix is made dense, if it is
// small.
func Sparse(metric Metric) bool {
	switch metric.(type) {
	case nil, Euclidean, SqEuclidean, Manhattan, Chebyshev, Minkowski, Hamming, Cosine:
		return true
	}
	return false
}

// sparseRows are the rows of two sparse matrices and what measures them.
type sparseRows struct {
	x, y   *csr.Matrix
	metric Metric
	factor float64
}

// newSparseRows prepares the rows of x and y, of which one at least is sparse; y may be nil.
func newSparseRows(method string, metric Metric, x, y mat.Matrix) (*sparseRows, error) {
	s := &sparseRows{metric: metric, factor: 1}
	if _, ok := metric.(Cosine); ok { // half the squared distance of two directions
		s.metric, s.factor = SqEuclidean{}, 0.5
	}
	if metric == nil {
		s.metric = Euclidean{}
	}
	if m, ok := metric.(Minkowski); ok {
		if _, err := m.prepare(method, nil); err != nil {
			return nil, err
		}
	}
	var err error
	if s.x, err = sparse(method, x, metric); err != nil {
		return nil, err
	}
	if s.y = s.x; y != nil {
		if s.y, err = sparse(method, y, metric); err != nil {
			return nil, err
		}
	}
	if s.x.Columns != s.y.Columns {
		return nil, ml.BadShape(method, "x has %d columns and y has %d, want as many", s.x.Columns, s.y.Columns)
	}
	return s, nil
}

// sparse returns the rows of a matrix in the form that they are measured in.
func sparse(method string, x mat.Matrix, metric Metric) (*csr.Matrix, error) {
	if _, _, err := ml.Size(method, x); err != nil {
		return nil, err
	}
	m, ok := x.(*csr.Matrix)
	var err error
	if ok {
		err = m.Check(method)
	} else {
		m, err = csr.FromDense(x)
	}
	if err != nil {
		return nil, err
	}
	if _, ok := metric.(Cosine); !ok {
		return m, nil
	}
	// Each row by its own length, of its entries alone.
	directions := &csr.Matrix{Columns: m.Columns, Start: m.Start, Index: m.Index, Value: make([]float64, len(m.Value))}
	copy(directions.Value, m.Value)
	for i := range m.Rows() {
		if _, v := directions.Of(i); len(v) == 0 || !unit(v) {
			return nil, ml.BadParameter(method, fmt.Sprintf("row %d", i), "zeros", "another: it is all zeros and has no direction")
		}
	}
	return directions, nil
}

// from is Rows.From.
func (s *sparseRows) from(dst []float64, i, lo int) {
	columns, values := s.x.Of(i)
	var a, b []float64
	for k := range dst {
		others, weights := s.y.Of(lo + k)
		a, b = together(a[:0], b[:0], columns, values, others, weights)
		dst[k] = 0
		if len(a) > 0 {
			dst[k] = s.factor * s.metric.Distance(a, b)
		}
	}
}

// together appends to a and b the elements of two rows at the places where either has an entry.
func together(a, b []float64, i []int, u []float64, j []int, v []float64) ([]float64, []float64) {
	k, l := 0, 0
	for k < len(i) || l < len(j) {
		at := math.MaxInt
		if k < len(i) {
			at = i[k]
		}
		if l < len(j) {
			at = min(at, j[l])
		}
		x, y := 0.0, 0.0
		if k < len(i) && i[k] == at {
			x = u[k]
			k++
		}
		if l < len(j) && j[l] == at {
			y = v[l]
			l++
		}
		a, b = append(a, x), append(b, y)
	}
	return a, b
}
