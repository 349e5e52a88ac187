package decomposition

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// PowerIteration finds principal components one after another. A direction is multiplied by the
// covariance matrix S and scaled back to length 1 again and again, v ← Sv/‖Sv‖, which turns it to
// the eigenvector of the largest eigenvalue; then that direction is taken out of the data
// (deflation, Hotelling, 1933) and the next is looked for. S is not formed: Sv = Xᵀ(Xv)/n.
//
// The error of a direction falls by the ratio of the next eigenvalue to its own at each step, so
// that two that are nearly equal take long to tell apart. A step costs O(nd). Means are taken away
// first.
type PowerIteration struct {
	Components int     // 0 means 2
	MaxIter    int     // steps for a direction; 0 means 1,000
	Tol        float64 // a direction has been found when a step turns it by less; 0 means 1e-9, negative never
	Seed       uint64  // of where directions start
}

// Sanger learns principal components from one row after another (the generalized Hebbian algorithm,
// Sanger, 1989): each row x, centered, turns the directions towards it,
//
//	y_c = v_c·x,    v_c ← v_c + η y_c (x − Σ_{b ≤ c} y_b v_b),
//
// a direction less what it and those before it explain already. With one component that is Oja's
// rule (1982). The rate η falls as Rate/(1 + t/n) after t of n rows, in units of the data's total
// variance, so that directions settle. It keeps O(kd) numbers and costs as much for a row.
type Sanger struct {
	Components int     // 0 means 2; 1 is Oja's rule
	Rate       float64 // η at the start; 0 means 0.5
	Epochs     int     // passes over the rows, each in an order of its own; 0 means 20
	Seed       uint64
}

// AdaptiveModel are components on their way.
type AdaptiveModel struct {
	Mean       []float64  // length d
	Components *mat.Dense // k×d, rows of length 1 (Sanger's only in the limit)
	Variance   []float64  // length k, of the scores of the rows of the fit, by the divisor n
	Steps      int        // of power iteration, or rows that Sanger's rule has seen
	Found      int        // PowerIteration: directions that have settled
	Converged  bool       // PowerIteration: all of them
}

func init() { ml.Register[AdaptiveModel]("decomposition.AdaptiveModel") }

// Fit finds the components of the rows of x. The error is ml.ErrParameter for an option out of
// range, those of ml.Dense, and ctx.Err() with the model so far.
func (p PowerIteration) Fit(ctx context.Context, x mat.Matrix) (*AdaptiveModel, error) {
	return ml.Last(p.Iterate(ctx, x))
}

// Fit learns the components of the rows of x. Errors are those of PowerIteration.Fit.
func (s Sanger) Fit(ctx context.Context, x mat.Matrix) (*AdaptiveModel, error) {
	return ml.Last(s.Iterate(ctx, x))
}

// centered checks the data and moves it to zero mean and into a range where squares are safe.
func centered(ctx context.Context, method string, x mat.Matrix, components int) (y *mat.Dense, mean []float64, unit float64, err error) {
	raw, err := ml.Dense(method, x)
	if err != nil {
		return nil, nil, 1, err
	}
	n, d := raw.Dims()
	if components < 1 || components > min(n, d) {
		return nil, nil, 1, ml.BadParameter(method, "Components", components, fmt.Sprintf("1 to %d, the smaller of rows and columns, or 0 for 2", min(n, d)))
	}
	y, unit = scaling.InRange(raw)
	means, _ := scaling.Means(ctx, y, ones(d))
	y = mat.DenseCopyOf(y)
	centerAndSum(ctx, y, means)
	mean = make([]float64, d)
	for j, m := range means {
		mean[j] = m / unit
	}
	return y, mean, unit, ctx.Err()
}

// model makes a model of directions.
func adaptive(y *mat.Dense, v *mat.Dense, mean []float64, unit float64) *AdaptiveModel {
	n, _ := y.Dims()
	k, _ := v.Dims()
	m := &AdaptiveModel{Mean: mean, Components: mat.DenseCopyOf(v), Variance: make([]float64, k)}
	var z mat.Dense
	z.Mul(y, v.T())
	for c := range k {
		eigen.SetSign(m.Components.RawRowView(c))
		m.Variance[c] = mat.Dot(z.ColView(c), z.ColView(c)) / float64(n) / unit / unit
	}
	return m
}

// Iterate yields the model after each step: the directions that have settled, and the one on its
// way.
func (p PowerIteration) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*AdaptiveModel, error] {
	const method = "decomposition.PowerIteration"
	return func(yield func(*AdaptiveModel, error) bool) {
		k, most, tol := cmp.Or(p.Components, 2), cmp.Or(p.MaxIter, 1000), cmp.Or(p.Tol, 1e-9)
		if most < 1 {
			yield(nil, ml.BadParameter(method, "MaxIter", most, "at least 1, or 0 for 1,000"))
			return
		}
		if math.IsNaN(tol) || math.IsInf(tol, 0) {
			yield(nil, ml.BadParameter(method, "Tol", tol, "a finite number"))
			return
		}
		y, mean, unit, err := centered(ctx, method, x, k)
		if err != nil {
			yield(nil, err)
			return
		}
		_, d := y.Dims()
		rest := mat.DenseCopyOf(y) // what the directions found so far leave of the data
		found, steps, settled := mat.NewDense(k, d, nil), 0, 0
		for c := range k {
			v := found.RawRowView(c)
			r := rng.New(p.Seed, c)
			for j := range v {
				v[j] = r.NormFloat64()
			}
			floats.Scale(1/floats.Norm(v, 2), v)
			for range most {
				if err := ctx.Err(); err != nil {
					yield(adaptive(y, found.Slice(0, c+1, 0, d).(*mat.Dense), mean, unit), err)
					return
				}
				turned := p.step(rest, v)
				steps++
				m := adaptive(y, found.Slice(0, c+1, 0, d).(*mat.Dense), mean, unit)
				m.Steps = steps
				done := turned <= tol
				if done {
					settled++
				}
				m.Found = settled
				m.Converged = settled == k
				if !yield(m, nil) {
					return
				}
				if done {
					break
				}
			}
			deflate(rest, v)
		}
	}
}

// step turns v by one multiplication, and says by how much: the sine of the angle. Where there is
// nothing left of the data, any direction is as good.
func (p PowerIteration) step(y *mat.Dense, v []float64) float64 {
	n, d := y.Dims()
	z := mat.NewVecDense(n, nil)
	old := append([]float64(nil), v...)
	z.MulVec(y, mat.NewVecDense(d, v))
	next := mat.NewVecDense(d, nil)
	next.MulVec(y.T(), z)
	length := mat.Norm(next, 2)
	if length == 0 {
		return 0
	}
	for j := range v {
		v[j] = next.AtVec(j) / length
	}
	along := floats.Dot(old, v)
	rest := 0.0
	for j := range v {
		rest += (v[j] - along*old[j]) * (v[j] - along*old[j])
	}
	return math.Sqrt(rest)
}

// deflate takes from each row what lies along v.
func deflate(y *mat.Dense, v []float64) {
	n, _ := y.Dims()
	for i := range n {
		row := y.RawRowView(i)
		floats.AddScaled(row, -floats.Dot(row, v), v)
	}
}

// Iterate yields the model after each pass over the rows.
func (s Sanger) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*AdaptiveModel, error] {
	const method = "decomposition.Sanger"
	return func(yield func(*AdaptiveModel, error) bool) {
		k, rate, epochs := cmp.Or(s.Components, 2), cmp.Or(s.Rate, 0.5), cmp.Or(s.Epochs, 20)
		switch {
		case !(rate > 0 && rate <= 1):
			yield(nil, ml.BadParameter(method, "Rate", rate, "above 0 and at most 1, or 0 for 0.5"))
			return
		case epochs < 1:
			yield(nil, ml.BadParameter(method, "Epochs", epochs, "at least 1, or 0 for 20"))
			return
		}
		y, mean, unit, err := centered(ctx, method, x, k)
		if err != nil {
			yield(nil, err)
			return
		}
		n, d := y.Dims()
		largest := 0.0 // squared length of a row: a step of rate 1 goes no further than the row itself
		for i := range n {
			largest = max(largest, floats.Dot(y.RawRowView(i), y.RawRowView(i)))
		}
		v, r := mat.NewDense(k, d, nil), rng.New(s.Seed)
		for c := range k {
			row := v.RawRowView(c)
			for j := range row {
				row[j] = r.NormFloat64()
			}
			floats.Scale(1/floats.Norm(row, 2), row)
		}
		rest, seen := make([]float64, d), 0
		for epoch := range epochs {
			for t, i := range rng.New(s.Seed, 1, epoch).Perm(n) {
				if t%1024 == 0 && ctx.Err() != nil {
					m := adaptive(y, v, mean, unit)
					m.Steps = seen
					yield(m, ctx.Err())
					return
				}
				if largest > 0 {
					learn(v, y.RawRowView(i), rest, rate/(1+float64(seen)/float64(n))/largest)
				}
				seen++
			}
			m := adaptive(y, v, mean, unit)
			m.Steps = seen
			if !yield(m, nil) {
				return
			}
		}
	}
}

// learn turns the directions towards a row. rest is room for what is not explained yet.
func learn(v *mat.Dense, x, rest []float64, eta float64) {
	copy(rest, x)
	k, _ := v.Dims()
	for c := range k {
		w := v.RawRowView(c)
		y := floats.Dot(w, x)
		floats.AddScaled(rest, -y, w)
		floats.AddScaled(w, eta*y, rest)
	}
}
