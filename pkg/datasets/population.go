package datasets

import (
	"math"
	"math/rand/v2"

	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

// Population is a simulated recording of neurons that a hidden state drives, with all that is not
// seen in a real one. Trials stand one behind the other, as trials.Cut(p.X, p.Lengths) takes them;
// every third is shorter by an eighth, and every third by a quarter.
type Population struct {
	Name    string
	X       *mat.Dense // N×d: what is seen at each step
	Lengths []int      // of the trials, in steps
	States  *mat.Dense // N×2: the hidden state
	Rates   *mat.Dense // N×d: what X would be on the average, given the state
	A       *mat.Dense // 2×2: zₜ = A·zₜ₋₁ + noise; nil where the dynamics are not linear
	Q       float64    // variance of the noise of the state in each direction
	C       *mat.Dense // d×2
	Offset  []float64  // length d; Rates are C·z + Offset, or the exponential of that
	Noise   []float64  // length d, the variance of each neuron's noise; nil for spikes
}

// populationOf runs trials of states that begin at random and move as step says, and the neurons
// that they drive.
func populationOf(name string, trials, steps, d int, q float64, seed uint64, step func(z []float64) (a, b float64)) (Population, *rand.Rand) {
	need(trials >= 1 && steps >= 8 && d >= 2, "%s: %d trials, %d steps, %d neurons, want at least 1, 8 and 2", name, trials, steps, d)
	r := rng.New(seed)
	p := Population{Name: name, Q: q, C: mat.NewDense(d, 2, nil), Offset: make([]float64, d)}
	total := 0
	for k := range trials {
		n := steps - k%3*(steps/8)
		p.Lengths = append(p.Lengths, n)
		total += n
	}
	for j := range d {
		// Directions all around, so that no part of the plane is seen by few.
		angle, size := 2*math.Pi*(float64(j)+r.Float64())/float64(d), 0.5+r.Float64()
		p.C.SetRow(j, []float64{size * math.Cos(angle), size * math.Sin(angle)})
	}
	p.States = mat.NewDense(total, 2, nil)
	row := 0
	for _, n := range p.Lengths {
		z := []float64{r.NormFloat64(), r.NormFloat64()}
		for range n {
			p.States.SetRow(row, z)
			a, b := step(z)
			z = []float64{a + math.Sqrt(q)*r.NormFloat64(), b + math.Sqrt(q)*r.NormFloat64()}
			row++
		}
	}
	p.Rates = mat.NewDense(total, d, nil)
	p.Rates.Mul(p.States, p.C.T())
	p.X = mat.NewDense(total, d, nil)
	return p, r
}

// noisy gives each neuron an offset and Gaussian noise of a variance of its own, from 0.5 to 3.
func (p *Population) noisy(r *rand.Rand) {
	n, d := p.X.Dims()
	p.Noise = make([]float64, d)
	for j := range d {
		p.Offset[j], p.Noise[j] = 3+r.NormFloat64(), 0.5+2.5*r.Float64()
	}
	for i := range n {
		for j := range d {
			p.Rates.Set(i, j, p.Rates.At(i, j)+p.Offset[j])
			p.X.Set(i, j, p.Rates.At(i, j)+math.Sqrt(p.Noise[j])*r.NormFloat64())
		}
	}
}

// turn is the matrix that turns the plane by 0.2 and shrinks it by 3 %.
func turn() *mat.Dense {
	sin, cos := math.Sincos(0.2)
	return mat.NewDense(2, 2, []float64{0.97 * cos, -0.97 * sin, 0.97 * sin, 0.97 * cos})
}

// TurningPopulation simulates d neurons with Gaussian noise behind which a state turns by 0.2 a
// step in a plane, z ← A·z + N(0, Q·I) with the eigenvalues 0.97·exp(±0.2i), and a stationary
// variance of 1: the linear dynamical system that statespace.LDS looks for.
func TurningPopulation(trials, steps, d int, seed uint64) Population {
	a := turn()
	p, r := populationOf("turning population", trials, steps, d, 1-0.97*0.97, seed, func(z []float64) (float64, float64) {
		return a.At(0, 0)*z[0] + a.At(0, 1)*z[1], a.At(1, 0)*z[0] + a.At(1, 1)*z[1]
	})
	p.A = a
	p.noisy(r)
	return p
}

// CyclingPopulation is TurningPopulation with dynamics that are not linear: from wherever it
// begins, the state is drawn to a circle of radius 1.5, on which it turns by 0.2 a step, and it
// stays there. A linear system can only die away or explode.
func CyclingPopulation(trials, steps, d int, seed uint64) Population {
	sin, cos := math.Sincos(0.2)
	p, r := populationOf("cycling population", trials, steps, d, 0.01, seed, func(z []float64) (float64, float64) {
		size := math.Hypot(z[0], z[1])
		grow := 1.0
		if size > 0 {
			grow = (size + 0.3*(1.5-size)) / size
		}
		return grow * (cos*z[0] - sin*z[1]), grow * (sin*z[0] + cos*z[1])
	})
	p.noisy(r)
	return p
}

// SpikingPopulation is TurningPopulation with spikes for what is seen: X counts them, a Poisson
// number of the mean exp(C·z + Offset), about one in three steps.
func SpikingPopulation(trials, steps, d int, seed uint64) Population {
	a := turn()
	p, r := populationOf("spiking population", trials, steps, d, 1-0.97*0.97, seed, func(z []float64) (float64, float64) {
		return a.At(0, 0)*z[0] + a.At(0, 1)*z[1], a.At(1, 0)*z[0] + a.At(1, 1)*z[1]
	})
	p.A = a
	n, _ := p.X.Dims()
	for j := range d {
		p.Offset[j] = math.Log(0.2 + 0.3*r.Float64())
	}
	for i := range n {
		for j := range d {
			p.Rates.Set(i, j, math.Exp(p.Rates.At(i, j)+p.Offset[j]))
			p.X.Set(i, j, float64(poisson(p.Rates.At(i, j), r)))
		}
	}
	return p
}

// poisson draws a Poisson number by the number of exponential waiting times that fit into the mean.
func poisson(mean float64, r *rand.Rand) (n int) {
	for left := mean - r.ExpFloat64(); left > 0; left -= r.ExpFloat64() {
		n++
	}
	return n
}
