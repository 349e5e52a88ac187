package loop

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/graphtest"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/stat"
)

// compiled makes a function without weights.
func compiled(t testing.TB, backend string, f func(in []*node) []*node) *neural.Func {
	t.Helper()
	fn, err := neural.NewFunc(backend, neural.Weights{}, func(_ *model.Scope, in []*node) []*node { return f(in) })
	if err != nil {
		t.Fatal(err)
	}
	return fn
}

// walk is x·t + noise + class.
func walk(in []*node) []*node {
	x, class, numbers, noise := in[0], in[1], in[2], in[3]
	shift := graph.InsertAxes(graph.ConvertDType(class, x.DType()), -1)
	return nodes(graph.Add(graph.Add(graph.Mul(x, Number(numbers, 1)), noise), shift))
}

// A chain is what a loop in Go with the same noise is, whatever the chunks, and an example's way
// does not depend on how many others there are.
func TestSampler(t *testing.T) {
	z := neural.Noise{Kind: neural.Normal, Shape: []int{2}}
	factor := func(step int) float32 { return 1 / float32(step+1) }
	start := Draw(z, 5, 7, 0)
	classes := []int{0, 2, 1, 0, 5}
	want := slices.Clone(start.Floats)
	for step := range 4 {
		for i := range 5 {
			noise := make([]float32, 2)
			z.Draw(noise, 3, i, step+1, 0)
			for j := range noise {
				want[2*i+j] = want[2*i+j]*factor(step) + noise[j] + float32(classes[i])
			}
		}
	}
	var wanted []float64
	for _, v := range want {
		wanted = append(wanted, float64(v))
	}
	for _, backend := range graphtest.Backends() {
		f := compiled(t, backend, walk)
		for _, chunk := range []int{0, 2, 5} {
			var reported []int
			s := Sampler{Steps: 4, Given: []*neural.Array{neural.Classes(classes)}, Noise: []neural.Noise{z}, Seed: 3, Chunk: chunk,
				Numbers:  func(step int) []float32 { return []float32{-1, factor(step)} },
				Progress: func(step int) { reported = append(reported, step) }}
			x, err := s.Run(t.Context(), f, start)
			if err != nil {
				t.Fatal(err)
			}
			graphtest.Close(t, "the chain on "+backend, x.RawMatrix().Data, wanted, 1e-5)
			if !slices.Equal(reported, []int{1, 2, 3, 4}) {
				t.Errorf("the steps reported are %v", reported)
			}
			steps := 0
			for y, err := range s.Iterate(t.Context(), f, start) {
				if err != nil {
					t.Fatal(err)
				}
				if steps == 0 {
					graphtest.Close(t, "the start", y.RawMatrix().Data[:2], []float64{float64(start.Floats[0]), float64(start.Floats[1])}, 0)
				}
				if steps == 4 {
					graphtest.Close(t, "the last step", y.RawMatrix().Data, x.RawMatrix().Data, 0)
				}
				steps++
			}
			if steps != 5 {
				t.Errorf("there are %d states", steps)
			}
		}
		few := Sampler{Steps: 4, Given: []*neural.Array{neural.Classes(classes[:2])}, Noise: []neural.Noise{z}, Seed: 3, Chunk: 2,
			Numbers: func(step int) []float32 { return []float32{-1, factor(step)} }}
		x, err := few.Run(t.Context(), f, Draw(z, 2, 7, 0))
		if err != nil {
			t.Fatal(err)
		}
		graphtest.Close(t, "the first two alone", x.RawMatrix().Data, wanted[:4], 1e-5)
	}
}

func TestSamplerErrors(t *testing.T) {
	same := compiled(t, "go", func(in []*node) []*node { return nodes(graph.Neg(in[0])) })
	start := Draw(neural.Noise{Kind: neural.Uniform, Shape: []int{3}}, 4, 1)
	for name, c := range map[string]struct {
		s      Sampler
		start  *neural.Array
		target error
	}{
		"steps": {Sampler{Steps: -1}, start, ml.ErrParameter},
		"chunk": {Sampler{Chunk: -1}, start, ml.ErrParameter},
		"empty": {Sampler{Steps: 1}, &neural.Array{Shape: []int{3}}, ml.ErrEmpty},
		"given": {Sampler{Steps: 1, Given: []*neural.Array{neural.Classes([]int{1})}}, start, ml.ErrShape},
	} {
		if x, err := c.s.Run(t.Context(), same, c.start); !errors.Is(err, c.target) || x != nil {
			t.Errorf("%s: %v and %v", name, x, err)
		}
	}
	other := compiled(t, "go", func(in []*node) []*node { return nodes(graph.ReduceSum(in[0], -1)) })
	if _, err := (Sampler{Steps: 1}).Run(t.Context(), other, start); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a state that changes its shape gives %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := 0
	_, err := Sampler{Steps: 1000, Progress: func(step int) {
		if done = step; step == 3 {
			cancel()
		}
	}}.Run(ctx, same, start)
	if !errors.Is(err, context.Canceled) || done != 3 {
		t.Errorf("cancelled after 3 steps, it ends after %d with %v", done, err)
	}
}

// Langevin's chain ends in the density whose score it follows.
func TestLangevin(t *testing.T) {
	const mean, sd, size = 2, 0.5, 0.05
	z := neural.Noise{Kind: neural.Normal, Shape: []int{1}}
	for _, backend := range graphtest.Backends() {
		f := compiled(t, backend, func(in []*node) []*node {
			score := graph.DivScalar(graph.AddScalar(graph.Neg(in[0]), mean), sd*sd)
			return nodes(Langevin(in[0], score, Number(in[1], 0), in[2]))
		})
		s := Sampler{Steps: 100, Chunk: 2000, Noise: []neural.Noise{z}, Numbers: func(int) []float32 { return []float32{size} }}
		x, err := s.Run(t.Context(), f, Draw(z, 2000, 1))
		if err != nil {
			t.Fatal(err)
		}
		// Of steps of this size the chain's own density is wider: x′ = (1 − a)x + a·mean +
		// √size·noise.
		a := size / (2 * sd * sd)
		want := size / (1 - (1-a)*(1-a))
		m, v := stat.MeanVariance(x.RawMatrix().Data, nil)
		if math.Abs(m-mean) > 0.05 || math.Abs(v-want) > 0.03 {
			t.Errorf("on %s the mean is %v and the variance %v, want %v and %v", backend, m, v, mean, want)
		}
	}
}

// With the noise found exactly, a step lands where the formulas of the two papers say.
func TestDDIM(t *testing.T) {
	x, found, noise := wave(0, 4), wave(1, 4), wave(2, 4)
	const signal, next = 0.3, 0.45
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run(t, backend, func(_ *model.Scope, in []*node) []*node {
			s, n, one := graph.ConstAs(in[0], signal), graph.ConstAs(in[0], next), graph.ConstAs(in[0], 1.0)
			return nodes(DDIM(in[0], in[1], s, n, 0, nil), DDIM(in[0], in[1], s, n, 1, in[2]), DDIM(in[0], in[1], s, one, 1, in[2]))
		}, x, found, noise)
		for i := range x.Values {
			picture := (x.Values[i] - math.Sqrt(1-signal)*found.Values[i]) / math.Sqrt(signal)
			// Ho, Jain & Abbeel (2020), equations 7 and 11, with α = signal/next.
			alpha := signal / next
			ancestral := (x.Values[i]-(1-alpha)/math.Sqrt(1-signal)*found.Values[i])/math.Sqrt(alpha) +
				math.Sqrt((1-next)/(1-signal)*(1-alpha))*noise.Values[i]
			for k, want := range []float64{math.Sqrt(next)*picture + math.Sqrt(1-next)*found.Values[i], ancestral, picture} {
				if v := got[k].Values[i]; math.Abs(v-want) > 1e-12 {
					t.Errorf("on %s step %d, number %d is %v, want %v", backend, k, i, v, want)
				}
			}
		}
	}
}
