package statespace

import (
	"cmp"
	"context"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// GPFADimension chooses how many factors there are by cross-validation (Yu et al., 2009): a model
// of each dimension is fitted on all folds but one, and in that one each variable is predicted from
// all others. What a further factor learns from chance is of no use to the prediction.
type GPFADimension struct {
	GPFA      // its States is not used
	Most  int // dimensions 1 to Most are tried; 0 means 8, or the number of variables less one
	Folds int // of the trials; 0 means 4, or the number of trials
	Seed  uint64
}

// GPFADimensions says how well each dimension predicts.
type GPFADimensions struct {
	Error         []float64 // of 1, 2, … factors: mean squared error of a variable left out, in new trials
	LogLikelihood []float64 // of new trials, a step, in nats
	Best          int       // the dimension of the least error
}

func init() { ml.Register[GPFADimensions]("statespace.GPFADimensions") }

// Fit tries all dimensions. The errors are those of GPFA.Fit, LeaveOut and trials.Folds, and
// ml.ErrParameter for a Most that is not below the number of variables. A value that is missing
// does not count.
func (g GPFADimension) Fit(ctx context.Context, x mat.Matrix) (*GPFADimensions, error) {
	const method = "statespace.GPFADimension"
	data, err := recording(method, x)
	if err != nil {
		return nil, err
	}
	n, d := data.Dims()
	g.Most, g.Folds = cmp.Or(g.Most, min(8, d-1)), cmp.Or(g.Folds, min(4, data.Len()))
	if g.Most < 1 || g.Most >= d {
		return nil, ml.BadParameter(method, "Most", g.Most, sprintf("1 to d−1 = %d", d-1))
	}
	folds, err := data.Folds(g.Folds, g.Seed)
	if err != nil {
		return nil, err
	}
	out := &GPFADimensions{make([]float64, g.Most), make([]float64, g.Most), 0}
	for k := range g.Most {
		g.GPFA.States = k + 1
		count := 0.0
		for _, fold := range folds {
			train, err := data.Except(fold)
			if err != nil {
				return nil, err
			}
			test, err := data.Select(fold)
			if err != nil {
				return nil, err
			}
			sum, values, loglik, err := g.validate(ctx, train, test)
			if err != nil {
				return nil, err
			}
			out.Error[k] += sum
			count += values
			out.LogLikelihood[k] += loglik / float64(n)
		}
		out.Error[k] /= count
	}
	out.Best = floats.MinIdx(out.Error) + 1
	return out, nil
}

func (g GPFADimension) validate(ctx context.Context, train, test *trials.Trials) (sum, values, loglik float64, err error) {
	m, err := g.GPFA.Fit(ctx, train)
	if err != nil {
		return 0, 0, 0, err
	}
	predicted, err := m.LeaveOut(ctx, test)
	if err != nil {
		return 0, 0, 0, err
	}
	logs, err := m.LogProb(ctx, test)
	if err != nil {
		return 0, 0, 0, err
	}
	for i, v := range test.X.RawMatrix().Data {
		if v == v {
			e := v - predicted.RawMatrix().Data[i]
			sum, values = sum+e*e, values+1
		}
	}
	return sum, values, floats.Sum(logs), nil
}
