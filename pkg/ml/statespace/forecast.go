package statespace

import (
	"context"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
)

// Forecast is what a system expects after the ends of some trials: row trial·Steps + i is i+1 steps
// after the end of the trial.
type Forecast struct {
	Steps    int
	States   *mat.Dense      // trials·Steps × k
	StateCov []*mat.SymDense // k×k
	Mean     *mat.Dense      // trials·Steps × d: of what will be seen
	Cov      []*mat.SymDense // d×d
}

// Forecast goes on from the last step of each trial. The errors are those of Filter, and
// ml.ErrParameter for fewer than one step.
func (s *System) Forecast(ctx context.Context, x mat.Matrix, steps int) (*Forecast, error) {
	const method = "statespace.Forecast"
	if steps < 1 {
		return nil, ml.BadParameter(method, "steps", steps, "at least 1")
	}
	data, err := recording(method, x)
	if err != nil {
		return nil, err
	}
	p, err := s.prepare(method, longest(data)+steps)
	if err != nil {
		return nil, err
	}
	filtered, err := s.Filter(ctx, data)
	if err != nil {
		return nil, err
	}
	k, d, n := p.k, p.d, data.Len()*steps
	out := &Forecast{steps, mat.NewDense(n, k, nil), make([]*mat.SymDense, n), mat.NewDense(n, d, nil), make([]*mat.SymDense, n)}
	av, cv := make([]float64, k*k), make([]float64, d*k)
	for trial := range data.Len() {
		end := data.Start[trial+1] - 1
		mean, cov := filtered.Mean.RawRowView(end), flat(filtered.Cov[end])
		for i := range steps {
			m, row := p.at(data.Steps(trial)+i), trial*steps+i
			z, seen := out.States.RawRowView(row), out.Mean.RawRowView(row)
			apply(z, m.a, mean)
			addTo(z, m.drift)
			mul(av, m.a, cov, k, k, k)
			cov = make([]float64, k*k)
			mulT(cov, av, m.a, k, k, k)
			addTo(cov, m.q)
			symmetrize(cov, k)
			apply(seen, m.c, z)
			addTo(seen, m.offset)
			mul(cv, m.c, cov, d, k, k)
			around := make([]float64, d*d)
			mulT(around, cv, m.c, d, k, d)
			addTo(around, m.r)
			symmetrize(around, d)
			out.StateCov[row], out.Cov[row], mean = symmetric(cov, k), symmetric(around, d), z
		}
	}
	return out, nil
}

// LeaveOut predicts each variable from all others: column j of the result, which has the rows of
// the data, is C·z + Offset with z smoothed from the data without variable j. It is how well a
// model knows what variables have in common, and serves to choose its dimension (leave-neuron-out;
// Yu et al., 2009). Errors are those of Filter; a single variable is ml.ErrShape. It costs d calls
// of Smooth.
func (s *System) LeaveOut(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	const method = "statespace.LeaveOut"
	p, data, err := s.given(method, x)
	if err != nil {
		return nil, err
	}
	return leaveOut(ctx, method, data, func(without *trials.Trials, j int, into *mat.Dense) error {
		smoothed, err := s.Smooth(ctx, without)
		if err != nil {
			return err
		}
		for trial := range data.Len() {
			for t := range data.Steps(trial) {
				m, row, sum := p.at(t), data.Start[trial]+t, 0.0
				for i, z := range smoothed.Mean.RawRowView(row) {
					sum += m.c[j*p.k+i] * z
				}
				into.Set(row, j, sum+m.offset[j])
			}
		}
		return nil
	})
}

// leaveOut calls predict for each variable with the data in which it is missing.
func leaveOut(ctx context.Context, method string, data *trials.Trials, predict func(without *trials.Trials, j int, into *mat.Dense) error) (*mat.Dense, error) {
	n, d := data.Dims()
	if d < 2 {
		return nil, ml.BadShape(method, "there is %d variable, want at least 2", d)
	}
	out := mat.NewDense(n, d, nil)
	for j := range d {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		without := &trials.Trials{X: mat.DenseCopyOf(data.X), Start: data.Start}
		for i := range n {
			without.X.Set(i, j, math.NaN())
		}
		if err := predict(without, j, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// variables checks that data has the variables that a model knows.
func variables(method string, x *trials.Trials, d int) error {
	if _, c := x.Dims(); c != d {
		return ml.BadShape(method, "the data have %d variables, the model has %d", c, d)
	}
	return nil
}
