package decomposition

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// dpcaMeans are the means of all conditions and steps, centered and in a unit in which squares stay
// in range, with what trials say about their noise.
type dpcaMeans struct {
	DPCA
	t      *trials.Trials // values times unit
	mean   *trials.Averages
	center []float64 // length d, in the caller's unit
	unit   float64

	count  *mat.Dense // rows of mean × d: trials that have a value
	square *mat.Dense // and the sum of squares of their deviations from the mean
	offset []float64  // center in this unit
}

// means checks x and the options, and averages.
func (p DPCA) means(ctx context.Context, method string, x mat.Matrix) (*dpcaMeans, error) {
	t, ok := x.(*trials.Trials)
	if !ok || t == nil || t.X == nil { // a matrix knows of no missing values
		dense, err := ml.Dense(method, x)
		if err != nil {
			return nil, err
		}
		x = dense
	}
	t, err := trials.Of(method, x)
	if err != nil {
		return nil, err
	}
	if p, err = p.check(method, t); err != nil {
		return nil, err
	}
	if p.Noise == FullNoise {
		if err := t.Complete(method); err != nil {
			return nil, err
		}
	}
	m := &dpcaMeans{DPCA: p, unit: 1}
	most := 0.0
	for _, v := range t.X.RawMatrix().Data {
		if !math.IsNaN(v) {
			most = max(most, math.Abs(v))
		}
	}
	m.unit = scaling.Factor(most)
	m.t = &trials.Trials{X: mat.DenseCopyOf(t.X), Start: t.Start, Factors: t.Factors}
	if m.unit != 1 {
		m.t.X.Scale(m.unit, m.t.X)
	}
	// With a name that is not there no average is made of all.
	if m.mean, err = m.average(); err != nil {
		return nil, err
	}
	if _, err := m.mean.Marginal(); err != nil { // names the condition that has no trial
		return nil, err
	}
	m.offset = center(m.mean.Mean)
	m.center = make([]float64, len(m.offset))
	for j, v := range m.offset {
		m.center[j] = v / m.unit
	}
	m.spread()
	return m, ctx.Err()
}

// average is over the conditions of the factors named; with none, of all trials.
func (m *dpcaMeans) average() (*trials.Averages, error) {
	if len(m.Factors) > 0 {
		return m.t.Average(m.Factors...)
	}
	return (&trials.Trials{X: m.t.X, Start: m.t.Start}).Average()
}

// center takes each column's mean away and returns it.
func center(x *mat.Dense) []float64 {
	n, d := x.Dims()
	means, _ := scaling.Means(context.Background(), x, ones(d))
	for i := range n {
		row := x.RawRowView(i)
		for j, v := range means {
			row[j] -= v
		}
	}
	return means
}

// spread counts the values behind each mean and sums the squares of their deviations.
func (m *dpcaMeans) spread() {
	rows, d := m.mean.Mean.Dims()
	m.count, m.square = mat.NewDense(rows, d, nil), mat.NewDense(rows, d, nil)
	for k, c := range m.mean.Of {
		for i := range m.t.Steps(k) {
			r := c*m.mean.Steps + i
			mean, count, square := m.mean.Mean.RawRowView(r), m.count.RawRowView(r), m.square.RawRowView(r)
			for j, v := range m.t.X.RawRowView(m.t.Start[k] + i) {
				if !math.IsNaN(v) {
					e := v - m.offset[j] - mean[j]
					count[j]++
					square[j] += e * e
				}
			}
		}
	}
}

// noise is N: the covariance of trials around their mean, summed over conditions and steps; nil for
// none.
func (m *dpcaMeans) noise() *mat.Dense {
	rows, d := m.mean.Mean.Dims()
	switch m.Noise {
	case NoNoise:
		return nil
	case FullNoise:
		// Each deviation over the root of the number of trials there.
		e := mat.DenseCopyOf(m.t.X)
		for k, c := range m.mean.Of {
			for i := range m.t.Steps(k) {
				r := c*m.mean.Steps + i
				row := e.RawRowView(m.t.Start[k] + i)
				for j := range row {
					row[j] = (row[j] - m.offset[j] - m.mean.Mean.At(r, j)) / math.Sqrt(m.count.At(r, j))
				}
			}
		}
		return gram(e)
	}
	out := mat.NewDense(d, d, nil)
	for r := range rows {
		for j, s := range m.square.RawRowView(r) {
			out.Set(j, j, out.At(j, j)+s/m.count.At(r, j))
		}
	}
	return out
}

// residual is the sum of squares that noise is expected to add to centered means: of each mean the
// variance of its trials over their number.
func (m *dpcaMeans) residual() float64 {
	rows, _ := m.mean.Mean.Dims()
	sum := 0.0
	for r := range rows {
		for j, s := range m.square.RawRowView(r) {
			if n := m.count.At(r, j); n > 1 {
				sum += s / (n - 1) / n
			}
		}
	}
	return sum * float64(rows-1) / float64(rows)
}
