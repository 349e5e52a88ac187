package dist

import (
	"fmt"
	"math"
	"testing"

	"github.com/golatent/latent/internal/graphtest"
	"github.com/golatent/latent/internal/xlatest"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { xlatest.Main(m) }

type (
	node  = graph.Node
	array = graphtest.Array
)

func nodes(n ...*node) []*node { return n }

// wave is factor times graphtest.Wave, and a constant.
func wave(factor, constant, phase float64, dims ...int) array {
	a := graphtest.Wave(phase, dims...)
	for i := range a.Values {
		a.Values[i] = factor*a.Values[i] + constant
	}
	return a
}

// grid is the middles of n equal parts of the line from low to high.
func grid(low, high float64, n int) array {
	x := make([]float64, n)
	for i := range x {
		x[i] = low + (float64(i)+0.5)*(high-low)/float64(n)
	}
	return graphtest.Of(x)
}

// Values and gradients against JAX in float64: testdata/dist.py.
func TestAgainstJAX(t *testing.T) {
	var want graphtest.Reference
	graphtest.ReadJSON(t, "testdata/dist.json", &want)
	tested := map[string]bool{}
	check := func(name string, f func(in []*node) []*node, in ...array) {
		tested[name] = true
		t.Run(name, func(t *testing.T) {
			want.Against(t, name, func(_ *model.Scope, in []*node) []*node { return f(in) }, in...)
		})
	}
	check("stable", func(in []*node) []*node { return nodes(Softplus(in[0]), LogSigmoid(in[0])) }, wave(20, 0, 0, 12))
	check("log sum exp", func(in []*node) []*node { return nodes(LogSumExp(in[0])) }, wave(30, 0, 0, 3, 5))
	check("bernoulli", func(in []*node) []*node {
		d := Bernoulli{in[0]}
		return nodes(d.LogProb(in[1]), d.Entropy())
	}, wave(3, 0, 1, 6), graphtest.Of([]float64{0, 1, 1, 0, 1, 0}))
	check("categorical", func(in []*node) []*node {
		d := Categorical{in[0]}
		return nodes(d.LogProb(in[1]), d.Entropy())
	}, wave(3, 0, 1, 2, 2, 4), graphtest.Of([]float64{0, 3, 1, 1}, 2, 2))
	check("gaussian", func(in []*node) []*node {
		d, p := Gaussian{in[1], in[2]}, Gaussian{in[3], in[4]}
		return nodes(d.LogProb(in[0]), d.Entropy(), d.KL(p), d.KLStandard())
	}, wave(1, 0, 0, 5), wave(1, 0, 1, 5), wave(2, 0, 2, 5), wave(1, 0, 3, 5), wave(1, 0, 4, 5))
	parameters := []array{wave(2, 0, 1, 2, 4, 3), wave(1, 0, 2, 2, 4, 3), wave(1, -1, 3, 2, 4, 3)}
	check("logistics", func(in []*node) []*node {
		d := Logistics{in[1], in[2], in[3]}
		return nodes(d.LogProb(in[0]), d.LogCDF(in[0]), d.LogSurvival(in[0]))
	}, append([]array{wave(2, 0, 0, 2, 4)}, parameters...)...)
	for levels, x := range map[int][]float64{5: {-1, -0.5, 0, 0.5, 1, 0, 0.5, -1}, 2: {-1, 1, 1, -1, -1, -1, 1, 1}} {
		check(fmt.Sprint("bins ", levels), func(in []*node) []*node {
			return nodes(Logistics{in[1], in[2], in[3]}.LogBin(in[0], levels))
		}, append([]array{graphtest.Of(x, 2, 4)}, parameters...)...)
	}
	for name := range want {
		if !tested[name] {
			t.Errorf("nothing is held to the reference values of %q", name)
		}
	}
}

// In float32 and far out nothing overflows, and the gradient leads back.
func TestFarOut(t *testing.T) {
	for _, backend := range graphtest.Backends() {
		run := func(f func(x *node) *node, x ...float64) (value, gradient []float64) {
			got := graphtest.Run32(t, backend, func(_ *model.Scope, in []*node) []*node {
				y := f(in[0])
				return append(nodes(y), graph.Gradient(graph.ReduceAllSum(y), in[0])...)
			}, graphtest.Of(x, len(x)))
			return got[0].Values, got[1].Values
		}
		y, g := run(Softplus, -200, -20, 0, 20, 1e10)
		graphtest.Close(t, "softplus on "+backend, y, []float64{0, 2.0611537e-9, math.Ln2, 20, 1e10}, 1e-7)
		graphtest.Close(t, "its gradient on "+backend, g, []float64{0, 2.0611537e-9, 0.5, 1, 1}, 1e-7)
		if math.Abs(y[1]/2.0611537e-9-1) > 1e-5 {
			t.Errorf("softplus(−20) on %s is %v", backend, y[1])
		}
		y, g = run(LogSigmoid, -1e4, -90, 0, 90)
		graphtest.Close(t, "log σ on "+backend, y, []float64{-1e4, -90, -math.Ln2, 0}, 1e-6)
		graphtest.Close(t, "its gradient on "+backend, g, []float64{1, 1, 0.5, 0}, 1e-6)
		y, _ = run(func(x *node) *node { return LogSumExp(graph.Reshape(x, 2, 2)) }, 1000, 1000, -1000, -2000)
		graphtest.Close(t, "log Σ exp on "+backend, y, []float64{1000 + math.Ln2, -1000}, 1e-6)
		y, _ = run(logOneMinusExp, 1e-6, 0.49, 0.51, 30)
		graphtest.Close(t, "log(1 − e⁻ᵗ) on "+backend, y,
			[]float64{math.Log(-math.Expm1(-1e-6)), math.Log(-math.Expm1(-0.49)), math.Log(-math.Expm1(-0.51)), -math.Exp(-30)}, 1e-6)
		// One logistic density, narrow and far from the bins that are asked for.
		bin := func(level float64) func(mean *node) *node {
			return func(mean *node) *node {
				zero := graph.ZerosLike(mean)
				return LogisticBin(graph.AddScalar(zero, level), mean, graph.AddScalar(zero, -6.0), 256)
			}
		}
		for level, mean := range map[float64]float64{1: -1, -1: 1, 0.1: 0.9} {
			y, g := run(bin(level), mean)
			if !(y[0] < -50) || math.IsInf(y[0], 0) || !(g[0]*(level-mean) > 100) {
				t.Errorf("on %s the bin at %v of a density at %v has log p %v with gradient %v", backend, level, mean, y[0], g[0])
			}
		}
	}
}

// Whatever the parameters, the probabilities of the bins sum to 1 in float32, and no gradient is
// NaN.
func TestBinsSumToOne(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		levels, m := rapid.IntRange(2, 40).Draw(rt, "levels"), rapid.IntRange(1, 4).Draw(rt, "components")
		parameter := func(name string, low, high float64) array {
			return graphtest.Of(rapid.SliceOfN(rapid.Float64Range(low, high), m, m).Draw(rt, name), 1, m)
		}
		x := make([]float64, levels)
		for k := range x {
			x[k] = 2*float64(k)/float64(levels-1) - 1
		}
		got := graphtest.Run32(rt, "go", func(_ *model.Scope, in []*node) []*node {
			logp := Logistics{in[1], in[2], in[3]}.LogBin(in[0], levels)
			return append(nodes(logp), graph.Gradient(graph.ReduceAllSum(logp), in[1:]...)...)
		}, graphtest.Of(x), parameter("logits", -10, 10), parameter("means", -3, 3), parameter("log scales", -7, 4))
		sum := 0.0
		for _, l := range got[0].Values {
			sum += math.Exp(l)
		}
		if math.Abs(sum-1) > 1e-4 {
			rt.Fatalf("the probabilities sum to %v", sum)
		}
		for _, a := range got[1:] {
			for _, g := range a.Values {
				if g-g != 0 {
					rt.Fatalf("a gradient is %v", g)
				}
			}
		}
	})
}

func TestDensitiesIntegrateToOne(t *testing.T) {
	x := grid(-60, 60, 4000)
	got := graphtest.Run(t, "go", func(_ *model.Scope, in []*node) []*node {
		like := func(v float64) *node { return graph.ConstAs(in[0], v) }
		row := func(v ...float64) *node {
			return graph.ConvertDType(graph.Const(in[0].Graph(), [][]float64{v}), in[0].DType())
		}
		return nodes(Gaussian{like(1.5), like(0.7)}.LogProb(in[0]), Logistics{row(0, 1), row(-2, 3), row(0.3, -1)}.LogProb(in[0]))
	}, x)
	for k, a := range got {
		sum := 0.0
		for _, l := range a.Values {
			sum += math.Exp(l) * 120 / 4000
		}
		if math.Abs(sum-1) > 1e-6 {
			t.Errorf("density %d integrates to %v", k, sum)
		}
	}
}

// Uniform numbers spread evenly give every value as often as its probability says.
func TestSamples(t *testing.T) {
	const n = 1000
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run32(t, backend, func(_ *model.Scope, in []*node) []*node {
			row := func(v ...float32) *node { return graph.Const(in[0].Graph(), [][]float32{v}) }
			logits := graph.BroadcastToDims(row(1, -2, 0.5, -100, 3), n, 5)
			half := graph.MulScalar(graph.OnesLike(in[0]), 0.5)
			d := Logistics{graph.BroadcastToDims(row(0, 1), n, 2), graph.BroadcastToDims(row(-4, 4), n, 2), graph.BroadcastToDims(row(0, -1), n, 2)}
			return nodes(
				Categorical{logits}.Sample(in[0]),
				Bernoulli{graph.AddScalar(graph.ZerosLike(in[0]), 0.4)}.Sample(in[0]),
				d.Sample(in[0], half),
				d.Sample(graph.ZerosLike(in[0]), in[0]),
				Gaussian{graph.MulScalar(half, 4), graph.MulScalar(half, 2*math.Log(9))}.Sample(in[0]),
			)
		}, grid(0, 1, n))
		count := func(k int, value float64) (c float64) {
			for _, v := range got[k].Values {
				if math.Abs(v-value) < 1e-6 {
					c++
				}
			}
			return c
		}
		total := math.E + math.Exp(-2) + math.Exp(0.5) + math.Exp(3)
		for class, l := range []float64{1, -2, 0.5, -100, 3} {
			if want := n * math.Exp(l) / total; math.Abs(count(0, float64(class))-want) > 1 {
				t.Errorf("on %s class %d is drawn %v times, want %v", backend, class, count(0, float64(class)), want)
			}
		}
		if want := n / (1 + math.Exp(-0.4)); math.Abs(count(1, 1)-want) > 1 {
			t.Errorf("on %s a bit is 1 %v times, want %v", backend, count(1, 1), want)
		}
		if want := n / (1 + math.E); math.Abs(count(2, -4)-want) > 1 || math.Abs(count(2, 4)-(n-want)) > 1 {
			t.Errorf("on %s the components are drawn %v and %v times, want %v of the first", backend, count(2, -4), count(2, 4), want)
		}
		for i, x := range got[3].Values {
			u := (float64(i) + 0.5) / n
			if want := -4 + math.Log(u/(1-u)); math.Abs(x-want) > 1e-4 {
				t.Fatalf("on %s the quantile %v is %v, want %v", backend, u, x, want)
			}
		}
		for i, x := range got[4].Values {
			if want := 2 + 3*(float64(i)+0.5)/n; math.Abs(x-want) > 1e-5 {
				t.Fatalf("on %s a sample of noise %v is %v, want %v", backend, (want-2)/3, x, want)
			}
		}
	}
}

// The ends of the uniform numbers give samples too.
func TestSamplesAtTheEnds(t *testing.T) {
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run32(t, backend, func(_ *model.Scope, in []*node) []*node {
			zero := graph.Const(in[0].Graph(), [][]float32{{0, 0, 0}, {0, 0, 0}})
			return nodes(Logistics{zero, zero, zero}.Sample(in[0], in[0]), Categorical{zero}.Sample(in[0]))
		}, graphtest.Of([]float64{0, 1 - 1.0/(1<<24)}))
		for _, x := range got[0].Values {
			if x-x != 0 || math.Abs(x) > 20 {
				t.Errorf("on %s a sample is %v", backend, x)
			}
		}
		graphtest.Close(t, "classes on "+backend, got[1].Values, []float64{0, 2}, 0)
	}
}

// The inverse undoes the distribution function, also between components far apart, and its gradient
// is that of differences.
func TestInverse(t *testing.T) {
	logit := graphtest.Of([]float64{-30, -3, 0, 0.1, 4, 12}, 6, 1)
	logits, means, logScales := wave(2, 0, 1, 6, 1, 3), wave(6, 0, 2, 6, 1, 3), wave(1, -1, 3, 6, 1, 3)
	for _, backend := range graphtest.Backends() {
		f := func(_ *model.Scope, in []*node) []*node {
			d := Logistics{in[1], in[2], in[3]}
			x := d.Inverse(in[0])
			return nodes(graph.Sub(d.LogCDF(x), d.LogSurvival(x)), x)
		}
		got := graphtest.Run(t, backend, f, logit, logits, means, logScales)
		graphtest.Close(t, "logits again on "+backend, got[0].Values, logit.Values, 1e-5)
		x := got[1].Values
		single := graphtest.Run32(t, backend, f, logit, logits, means, logScales)[1].Values
		graphtest.Close(t, "in float32 on "+backend, single, x, 1e-4)
	}
	// Sharp enough for differences, and at smooth places.
	graphtest.Gradients(t, 1, func(_ *model.Scope, in []*node) []*node {
		d := Logistics{in[1], in[2], in[3]}
		return nodes(graph.MulScalar(d.Inverse(in[0]), 1e-3))
	}, wave(2, 0, 0, 3, 1), wave(1, 0, 1, 3, 1, 2), wave(1, 0, 2, 3, 1, 2), wave(0.5, 0, 3, 3, 1, 2))
}

func TestDequantize(t *testing.T) {
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run(t, backend, func(_ *model.Scope, in []*node) []*node {
			y, logDet := Dequantize(in[0], in[1], 4)
			return nodes(y, logDet)
		}, graphtest.Of([]float64{0, 3, 2, 1, 1, 0}, 2, 3), graphtest.Of([]float64{0, 0.5, 0.25, 0.75, 0, 0.5}, 2, 3))
		graphtest.Close(t, "numbers", got[0].Values, []float64{0, 0.875, 0.5625, 0.4375, 0.25, 0.125}, 1e-12)
		graphtest.Close(t, "log-density", got[1].Values, []float64{-3 * math.Log(4), -3 * math.Log(4)}, 1e-12)
	}
}

// Uniform levels have the bound they should: the density of uniform numbers is 1.
func TestDequantizedBoundIsTight(t *testing.T) {
	got := graphtest.Run(t, "go", func(_ *model.Scope, in []*node) []*node {
		_, logDet := Dequantize(in[0], in[0], 8)
		logits := graph.Zeros(in[0].Graph(), in[0].Shape())
		return nodes(logDet, graph.ReduceSum(Categorical{graph.BroadcastToDims(graph.InsertAxes(logits, -1), 1, 5, 8)}.LogProb(in[0]), -1))
	}, graphtest.Of([]float64{0, 1, 2, 7, 3}, 1, 5))
	graphtest.Close(t, "log P", got[0].Values, got[1].Values, 1e-12)
}
