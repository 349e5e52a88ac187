package coding

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
)

// mixture of K products of Bernoullis as a LatentModel with one latent coordinate, the component.
// temper flattens the posterior: 1 is the true one.
type mixture struct {
	weights []float64
	ones    [][]float64 // K×d
	temper  float64
	noise   float64
	source  *rand.Rand
}

func (m mixture) Prior() ([][]float64, error) { return [][]float64{m.noisy(m.weights)}, nil }

func (m mixture) Likelihood(z []int) ([][]float64, error) {
	var out [][]float64
	for _, p := range m.ones[z[0]] {
		out = append(out, m.noisy([]float64{1 - p, p}))
	}
	return out, nil
}

func (m mixture) Posterior(x []int) ([][]float64, error) {
	joint, most := m.joint(x)
	q, sum := make([]float64, len(joint)), 0.0
	for z, l := range joint {
		q[z] = math.Exp(m.temper * (l - most))
		sum += q[z]
	}
	for z := range q {
		q[z] /= sum
	}
	return [][]float64{m.noisy(q)}, nil
}

func (m mixture) joint(x []int) (l []float64, most float64) {
	most = math.Inf(-1)
	for z, w := range m.weights {
		l = append(l, math.Log(w))
		for j, s := range x {
			l[z] += math.Log([]float64{1 - m.ones[z][j], m.ones[z][j]}[s])
		}
		most = max(most, l[z])
	}
	return l, most
}

// bits is −log₂ p(x).
func (m mixture) bits(x []int) float64 {
	l, most := m.joint(x)
	sum := 0.0
	for _, v := range l {
		sum += math.Exp(v - most)
	}
	return -(most + math.Log(sum)) / math.Ln2
}

func (m mixture) noisy(p []float64) []float64 {
	out := append([]float64(nil), p...)
	if m.source != nil {
		for i := range out {
			out[i] *= 1 + m.noise*(2*m.source.Float64()-1)
		}
	}
	return out
}

// bernoullis is a mixture of three components over three bits.
func bernoullis() mixture {
	return mixture{weights: []float64{0.5, 0.3, 0.2}, ones: [][]float64{{0.9, 0.1, 0.8}, {0.2, 0.2, 0.7}, {0.5, 0.9, 0.05}}, temper: 1}
}

// larger has 12 components over 30 bits that overlap, and samples of it.
func larger(n int) (m mixture, xs [][]int) {
	r := rng.New(5)
	m.temper = 1
	for range 12 {
		m.weights = append(m.weights, 1.0/12)
		ones := make([]float64, 30)
		for j := range ones {
			ones[j] = 0.25 + 0.5*r.Float64()
		}
		m.ones = append(m.ones, ones)
	}
	for range n {
		x := make([]int, 30)
		for j, p := range m.ones[r.IntN(12)] {
			if r.Float64() < p {
				x[j] = 1
			}
		}
		xs = append(xs, x)
	}
	return m, xs
}

// With the true posterior bits-back takes −log₂ p(x), with another one −ELBO, though sending z
// would cost much more; and everything comes back.
func TestBitsBackTakesTheELBO(t *testing.T) {
	for _, temper := range []float64{1, 0.3, 0} {
		m, xs := larger(3000)
		m.temper = temper
		elbo, evidence, withZ := 0.0, 0.0, 0.0
		for _, x := range xs {
			e, err := ELBO(m, x)
			if err != nil {
				t.Fatal(err)
			}
			elbo -= e
			evidence += m.bits(x)
			joint, _ := m.joint(x)
			q, _ := m.Posterior(x)
			for z, l := range joint {
				withZ -= q[0][z] * l / math.Ln2
			}
		}
		net, err := BitsBack{Seed: 1}.NetBits(t.Context(), m, xs)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("temper %v: %d bits, −ELBO %.0f, −log p %.0f, with z sent %.0f", temper, net, elbo, evidence, withZ)
		if math.Abs(float64(net)/elbo-1) > 0.01 {
			t.Errorf("temper %v: %d bits, −ELBO is %.0f", temper, net, elbo)
		}
		if temper == 1 && math.Abs(elbo/evidence-1) > 1e-12 {
			t.Errorf("with the true posterior −ELBO is %v, −log p %v", elbo, evidence)
		}
		if temper == 0 && elbo < 1.02*evidence {
			t.Errorf("a posterior that knows nothing costs %v, the true one %v", elbo, evidence)
		}
		data, err := BitsBack{Seed: 1}.Encode(t.Context(), m, xs)
		if err != nil {
			t.Fatal(err)
		}
		back, err := BitsBack{}.Decode(t.Context(), m, data)
		if err != nil || !reflect.DeepEqual(back, xs) {
			t.Errorf("temper %v: %v", temper, err)
		}
	}
}

func TestBitsBackBearsDifferences(t *testing.T) {
	for _, tolerance := range []float64{0, 1e-6, 1e-3} {
		m, xs := larger(300)
		data, err := BitsBack{Tolerance: tolerance}.Encode(t.Context(), m, xs)
		if err != nil {
			t.Fatal(err)
		}
		m.noise, m.source = max(tolerance, 0x1p-40), rng.New(8)
		back, err := BitsBack{}.Decode(t.Context(), m, data)
		if err != nil || !reflect.DeepEqual(back, xs) {
			t.Errorf("tolerance %v: %v", tolerance, err)
		}
	}
}

func TestBitsBackWithFewBitsAtFirst(t *testing.T) {
	m, xs := larger(5)
	for _, initial := range []int{-1, 1, 64, 1000} {
		for n := range len(xs) + 1 {
			data, err := BitsBack{Initial: initial}.Encode(t.Context(), m, xs[:n])
			if err != nil {
				t.Fatal(err)
			}
			back, err := BitsBack{}.Decode(t.Context(), m, data)
			if err != nil || len(back) != n || n > 0 && !reflect.DeepEqual(back, xs[:n]) {
				t.Errorf("%d initial bits, %d observations: %v", initial, n, err)
			}
		}
	}
}

func TestBadInputOfBitsBack(t *testing.T) {
	m := bernoullis()
	for name, c := range map[string]struct {
		m    LatentModel
		b    BitsBack
		xs   [][]int
		kind error
		want string
	}{
		"nil":       {nil, BitsBack{}, nil, ml.ErrParameter, "the model"},
		"short":     {m, BitsBack{}, [][]int{{1, 0, 1}, {1, 0}}, ml.ErrShape, "observation 1 has 2 coordinates"},
		"tolerance": {m, BitsBack{Tolerance: 3}, nil, ml.ErrParameter, "Tolerance"},
		"no prior":  {mixtureWithout{}, BitsBack{}, nil, ml.ErrEmpty, "no coordinate"},
	} {
		if _, err := c.b.Encode(t.Context(), c.m, c.xs); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	other := bernoullis()
	other.ones[0][0] = 0.1
	data, err := BitsBack{}.Encode(t.Context(), m, [][]int{{1, 0, 1}, {0, 1, 0}, {1, 1, 1}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (BitsBack{}).Decode(t.Context(), other, data); !errors.Is(err, ErrCorrupt) {
		t.Errorf("another model: %v", err)
	}
}

type mixtureWithout struct{ mixture }

func (mixtureWithout) Prior() ([][]float64, error) { return nil, nil }
