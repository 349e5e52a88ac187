package evaluate

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/labelled"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// LinearProbe asks how much of a label a linear classifier reads off features that were learned
// without it: multinomial logistic regression,
//
//	p(y = k | x) ∝ exp(wₖ·z + bₖ),
//
// of the columns z of x standardized to mean 0 and variance 1, so that the units of features make
// no difference. Fit minimises the sum of −log p over the rows plus λ/2 times the squares of the
// coefficients, not of the intercepts, by Newton's method with conjugate gradients (Nocedal &
// Wright, 2006, section 7.1). The objective is convex, so nothing is drawn and the minimum is the
// only one.
//
// A probe is fitted on some rows and judged on others:
//
//	probe, err := evaluate.LinearProbe{}.Fit(ctx, train, y)
//	labels, err := probe.Predict(test)
//	accuracy := evaluate.Accuracy(labels, truth)
//
// A step costs O(ndK) for each of its products with the Hessian.
type LinearProbe struct {
	Penalty float64 // λ, for all rows together; 0 means 1, negative none
	MaxIter int     // steps; 0 means 100
}

// LinearProbeModel is a fitted LinearProbe.
type LinearProbeModel struct {
	Classes      []int      // the labels, ascending
	Coefficients *mat.Dense // classes×d, of standardized columns
	Intercepts   []float64  // of each class; they sum to 0
	Center       []float64  // length d: z = (x − Center)/Scale
	Scale        []float64
	Loss         float64 // mean of −log p(y | x) over the rows of the fit, in nats
	Iterations   int
	Converged    bool // the gradient is 1e-8 of what it was at first
}

func init() { ml.Register[LinearProbeModel]("evaluate.LinearProbeModel") }

// Fit fits the probe to the labels y, 0 or more, of the rows of x; rows with −1 have none and are
// left out. The errors are those of ml.Dense, ml.ErrShape for a wrong number of labels,
// ml.ErrParameter for an option or a label out of range or fewer than two classes, and ctx.Err(),
// along with the classifier so far, when ctx ends first.
func (p LinearProbe) Fit(ctx context.Context, x mat.Matrix, y []int) (*LinearProbeModel, error) {
	const method = "evaluate.LinearProbe"
	switch {
	case math.IsNaN(p.Penalty) || math.IsInf(p.Penalty, 1):
		return nil, ml.BadParameter(method, "Penalty", p.Penalty, "0 (for 1), a positive number, or a negative one for none")
	case p.MaxIter < 0:
		return nil, ml.BadParameter(method, "MaxIter", p.MaxIter, "0 (for 100) or more")
	}
	rows, given, err := labelled.Rows(method, x, y)
	if err != nil {
		return nil, err
	}
	m := &LinearProbeModel{}
	var of []int
	if of, m.Classes = labelled.Classes(given); len(m.Classes) < 2 {
		return nil, ml.BadParameter(method, "the number of classes", len(m.Classes), "at least 2")
	}
	s, err := scaling.Standardize(ctx, rows, false)
	if err != nil {
		return nil, err
	}
	_, d := rows.Dims()
	m.Center, m.Scale = make([]float64, d), make([]float64, d)
	for j := range d {
		deviation := math.Sqrt(s.Variance[j])
		if deviation == 0 {
			deviation = 1 // of a constant column, which is 0 everywhere
		}
		m.Center[j], m.Scale[j] = s.M[j]/s.A[j], max(deviation/s.B[j]/s.A[j], math.SmallestNonzeroFloat64)
	}
	f := newSoftmaxFit(m, rows, of, max(cmp.Or(p.Penalty, 1), 0))
	err = f.minimize(ctx, cmp.Or(p.MaxIter, 100), m)
	return m, err
}

// Probabilities returns p(y = k | x) of each row of x and each class, n×classes. The errors are
// those of ml.Dense, and ml.ErrShape for another number of columns than that of the fit.
func (m *LinearProbeModel) Probabilities(x mat.Matrix) (*mat.Dense, error) {
	const method = "evaluate.LinearProbeModel.Probabilities"
	dense, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, dense, len(m.Center)); err != nil {
		return nil, err
	}
	n, _ := dense.Dims()
	k := len(m.Classes)
	z := m.standardized(dense)
	p := mat.NewDense(n, k, nil)
	p.Mul(z, m.Coefficients.T())
	_ = parallel.For(context.Background(), n, 1024, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := p.RawRowView(i)
			for c := range row {
				row[c] += m.Intercepts[c]
			}
			softmax(row)
		}
	})
	return p, nil
}

// Predict returns the likeliest class of each row of x; of equally likely ones the first. The
// errors are those of Probabilities.
func (m *LinearProbeModel) Predict(x mat.Matrix) ([]int, error) {
	p, err := m.Probabilities(x)
	if err != nil {
		return nil, err
	}
	n, _ := p.Dims()
	out := make([]int, n)
	for i := range out {
		best := 0
		for c, v := range p.RawRowView(i) {
			if v > p.At(i, best) {
				best = c
			}
		}
		out[i] = m.Classes[best]
	}
	return out, nil
}

// standardized returns (x − Center)/Scale, bounded where it is beyond all data of the fit.
func (m *LinearProbeModel) standardized(x *mat.Dense) *mat.Dense {
	const far = 1e100
	n, d := x.Dims()
	z := mat.NewDense(n, d, nil)
	_ = parallel.For(context.Background(), n, 1024, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := z.RawRowView(i)
			for j, v := range x.RawRowView(i) {
				row[j] = min(max(v/m.Scale[j]-m.Center[j]/m.Scale[j], -far), far)
			}
		}
	})
	return z
}

// NearestNeighborProbe asks how often a row of the features and those near to it share a label: the
// features say of a row what most of its K nearest labelled rows are. Nothing is fitted, so that it
// sees classes of any shape; distances are in the units of the features as they are.
type NearestNeighborProbe struct {
	K      int             // 0 means 1
	Metric distance.Metric // nil means Euclidean
}

// Predict returns for each row of z the most frequent of the labels y of the K nearest rows of x,
// and of equally frequent ones that of the row that is nearest. Rows of x with the label −1 are
// left out. The errors are those of ml.Dense, ml.ErrShape for a wrong number of labels or different
// numbers of columns, ml.ErrParameter for a K outside of 1..n or a label below −1, and ctx.Err().
func (p NearestNeighborProbe) Predict(ctx context.Context, x mat.Matrix, y []int, z mat.Matrix) ([]int, error) {
	const method = "evaluate.NearestNeighborProbe"
	rows, given, err := labelled.Rows(method, x, y)
	if err != nil {
		return nil, err
	}
	n, _ := rows.Dims()
	k := cmp.Or(p.K, 1)
	if k < 1 || k > n {
		return nil, ml.BadParameter(method, "K", k, fmt.Sprintf("1 ≤ K ≤ n = %d, the number of rows that have a label", n))
	}
	g, err := neighbors.KNN{K: k, Metric: p.Metric}.Query(ctx, rows, z)
	if err != nil {
		return nil, err
	}
	out := make([]int, g.Len())
	votes := map[int]int{}
	for i := range out {
		clear(votes)
		near, _ := g.Of(i)
		most := 0
		for _, j := range near {
			votes[given[j]]++
			most = max(most, votes[given[j]])
		}
		for _, j := range near { // nearest first
			if votes[given[j]] == most {
				out[i] = given[j]
				break
			}
		}
	}
	return out, nil
}
