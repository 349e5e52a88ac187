package datasets

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// The states move as the matrices say, and what is seen spreads around the rates as it should.
func TestPopulationsFollowTheirDynamics(t *testing.T) {
	for _, p := range []Population{TurningPopulation(60, 80, 12, 1), CyclingPopulation(60, 80, 12, 2), SpikingPopulation(60, 80, 12, 3)} {
		if p.Lengths[0] != 80 || p.Lengths[1] != 70 || p.Lengths[2] != 60 {
			t.Errorf("%s: lengths %v", p.Name, p.Lengths[:3])
		}
		row, sum, count, late := 0, 0.0, 0.0, []float64{}
		for _, n := range p.Lengths {
			for i := 1; i < n; i++ {
				z, before := mat.NewVecDense(2, mat.Row(nil, row+i, p.States)), mat.NewVecDense(2, mat.Row(nil, row+i-1, p.States))
				if p.A != nil {
					var e mat.VecDense
					e.MulVec(p.A, before)
					e.SubVec(z, &e)
					sum, count = sum+mat.Dot(&e, &e), count+2
				} else if i > 30 {
					late = append(late, mat.Norm(z, 2))
				}
			}
			row += n
		}
		if p.A != nil {
			within(t, p.Name+": the noise of the states", sum/count, p.Q, p.Q*math.Sqrt(2/count))
		} else if mean, sd := stat.MeanStdDev(late, nil); math.Abs(mean-1.5) > 0.05 || sd > 0.25 {
			t.Errorf("%s: late radii are %v ± %v, want about 1.5", p.Name, mean, sd)
		}
		for j := range 12 {
			e, square, want := mat.Col(nil, j, p.X), 0.0, 0.0
			rates := mat.Col(nil, j, p.Rates)
			floats.Sub(e, rates)
			for i, v := range e {
				square += v * v
				if p.Noise != nil {
					want += p.Noise[j]
				} else {
					want += rates[i]
				}
			}
			if math.Abs(square/want-1) > 0.15 {
				t.Errorf("%s: neuron %d spreads by %v, want %v", p.Name, j, square, want)
			}
			if n := float64(len(e)); math.Abs(floats.Sum(e)) > 5*math.Sqrt(want) {
				t.Errorf("%s: neuron %d is off by %v on the average", p.Name, j, floats.Sum(e)/n)
			}
		}
	}
}

func TestPopulationsAreReproducible(t *testing.T) {
	for _, make := range []func(trials, steps, d int, seed uint64) Population{TurningPopulation, CyclingPopulation, SpikingPopulation} {
		a, b, c := make(3, 20, 5, 1), make(3, 20, 5, 1), make(3, 20, 5, 2)
		if !mat.Equal(a.X, b.X) || mat.Equal(a.X, c.X) {
			t.Errorf("%s: a seed does not make the data", a.Name)
		}
	}
}
