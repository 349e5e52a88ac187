package mixture

import (
	"math"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

// The score is the slope of log p by the logarithms of the odds.
func TestBernoulliScoresAreSlopes(t *testing.T) {
	r, x := rng.New(1), mat.NewDense(80, 5, nil)
	x.Apply(func(_, _ int, _ float64) float64 { return float64(r.IntN(2)) }, x)
	m, err := Bernoulli{K: 3}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	u, err := m.Scores(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if _, p := u.Dims(); p != m.Parameters() {
		t.Fatalf("%d columns for %d parameters", p, m.Parameters())
	}
	const h = 1e-5
	moved := func(column int, by float64) []float64 {
		out := &BernoulliModel{Weights: make([]float64, 3), Probabilities: mat.DenseCopyOf(m.Probabilities)}
		copy(out.Weights, m.Weights)
		if column < 2 {
			out.Weights[column+1] *= math.Exp(by)
			total := out.Weights[0] + out.Weights[1] + out.Weights[2]
			for k := range out.Weights {
				out.Weights[k] /= total
			}
		} else {
			data := out.Probabilities.RawMatrix().Data
			q := data[column-2]
			data[column-2] = q * math.Exp(by) / (1 - q + q*math.Exp(by))
		}
		logp, err := out.LogProb(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		return logp
	}
	for c := range m.Parameters() {
		up, down := moved(c, h), moved(c, -h)
		for i := range up {
			if slope := (up[i] - down[i]) / (2 * h); math.Abs(slope-u.At(i, c)) > 1e-8 {
				t.Fatalf("row %d, parameter %d: score %v, slope %v", i, c, u.At(i, c), slope)
			}
		}
	}
}
