package layers

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/golatent/latent/internal/graphtest"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { xlatest.Main(m) }

type (
	node  = graph.Node
	array = graphtest.Array
)

var wave = graphtest.Wave

func nodes(n ...*node) []*node { return n }

// Every layer and its gradients against JAX in float64: testdata/layers.py.
func TestAgainstJAX(t *testing.T) {
	var want graphtest.Reference
	graphtest.ReadJSON(t, "testdata/layers.json", &want)
	tested := map[string]bool{}
	check := func(name string, f graphtest.Graph, in ...array) {
		tested[name] = true
		t.Run(name, func(t *testing.T) { want.Against(t, name, f, in...) })
	}
	for _, k := range []Kernel{{3, 1, 1, false}, {3, 2, 1, false}, {3, 1, 2, false}, {2, 1, 1, false}, {4, 2, 1, false}, {2, 2, 1, true},
		{3, 1, 1, true}, {5, 2, 1, true}, {1, 1, 1, false}, {1, 2, 1, false}, {4, 1, 1, false}} {
		check(fmt.Sprintf("conv %d %d %d %v", k.Size, k.Stride, k.Dilation, k.Valid), func(_ *model.Scope, in []*node) []*node {
			return nodes(Convolve(in[0], in[1], k))
		}, wave(0, 2, 7, 6, 3), wave(2, k.Size, k.Size, 3, 2))
	}
	pure := func(name string, f func(x *node) *node, x array) {
		check(name, func(_ *model.Scope, in []*node) []*node { return nodes(f(in[0])) }, x)
	}
	pure("bilinear up", func(x *node) *node { return Bilinear(x, 6, 11) }, wave(1, 2, 3, 5, 4))
	pure("bilinear down", func(x *node) *node { return Bilinear(x, 2, 3) }, wave(1, 2, 3, 5, 4))
	ties := wave(1, 2, 5, 6, 2)
	for i, v := range ties.Values {
		ties.Values[i] = max(v, 0)
	}
	pure("max pool", func(x *node) *node { return MaxPool(x, 2) }, ties)
	pure("mean pool", func(x *node) *node { return MeanPool(x, 3) }, wave(1, 2, 7, 6, 2))

	layer := func(name string, f func(s *model.Scope, x *node) *node, x array) {
		check(name, func(s *model.Scope, in []*node) []*node { return nodes(f(s, in[0])) }, x)
	}
	x := wave(1, 2, 3, 2, 6)
	layer("layer norm", func(s *model.Scope, x *node) *node { return LayerNorm(s.At("n"), x) }, x)
	layer("group norm", func(s *model.Scope, x *node) *node { return GroupNorm(s.At("n"), x, 3) }, x)
	layer("rms norm", func(s *model.Scope, x *node) *node { return RMSNorm(s.At("n"), x) }, x)
	layer("batch norm", func(s *model.Scope, x *node) *node {
		mean, variance := Moments(x)
		return BatchNorm(s.At("n"), x, mean, variance)
	}, x)
	check("spectral norm", func(_ *model.Scope, in []*node) []*node {
		w, u := SpectralNorm(in[0], in[1])
		return nodes(w, u)
	}, wave(1, 3, 3, 2, 4), wave(2, 4))
	for a := range activations {
		pure(string(a), func(x *node) *node { return a.Apply(graph.MulScalar(x, 4)) }, wave(1, 30))
	}

	q, k, v, padding := wave(0, 2, 3, 4), wave(1, 2, 5, 4), wave(2, 2, 5, 2), graphtest.Of([]float64{1, 1, 1, 0, 0, 1, 0, 1, 1, 1}, 2, 1, 5)
	attend := func(_ *model.Scope, in []*node) []*node {
		var mask *node
		if len(in) == 4 {
			mask = in[3]
		}
		out, weights := Attention(in[0], in[1], in[2], mask)
		return nodes(out, weights)
	}
	check("attention", attend, q, k, v)
	check("attention padding", attend, q, k, v, padding)
	check("multi head", func(s *model.Scope, in []*node) []*node {
		return nodes(MultiHead(s.At("a"), in[0], in[1], in[2], 3))
	}, wave(0, 2, 4, 6), wave(1, 2, 5, 4), padding)
	layer("time", func(s *model.Scope, t *node) *node { return TimeEmbedding(s.At("t"), t, 8) }, graphtest.Of([]float64{0, 3, 500}))
	layer("mlp", func(s *model.Scope, x *node) *node { return MLP(s.At("m"), x, []int{5, 4}, 2, Tanh) }, wave(0, 2, 2, 3))

	check("residual", func(s *model.Scope, in []*node) []*node {
		return nodes(ResidualBlock(s.At("r"), in[0], in[1], 6))
	}, wave(0, 2, 4, 3, 4), wave(1, 2, 5))
	layer("residual plain", func(s *model.Scope, x *node) *node { return ResidualBlock(s.At("r"), x, nil, 4) }, wave(0, 2, 4, 3, 4))
	net := UNet{Channels: 4, Levels: []int{1, 2}, Attention: []int{3}, Heads: 2, Classes: 2}
	check("unet", func(s *model.Scope, in []*node) []*node {
		return nodes(net.Apply(s, in[0], in[1], graph.Const(in[0].Graph(), []int32{2, 0})))
	}, wave(0, 2, 5, 6, 2), graphtest.Of([]float64{1, 40}))

	for name := range want {
		if !tested[name] {
			t.Errorf("nothing is held to the reference values of %q", name)
		}
	}
}

// Losses on gradients (penalties, score matching) need second derivatives.
func TestSecondDerivatives(t *testing.T) {
	for name, k := range map[string]Kernel{"3": {Size: 3}, "4, stride 2": {Size: 4, Stride: 2}, "3, dilation 2": {Dilation: 2}} {
		t.Run("convolution "+name, func(t *testing.T) {
			net := func(_ *model.Scope, in []*node) []*node {
				return nodes(Tanh.Apply(Convolve(in[0], in[1], k)))
			}
			penalty := func(s *model.Scope, in []*node) []*node {
				return graph.Gradient(graph.ReduceAllSum(net(s, in)[0]), in[0])
			}
			size := k.orDefaults().Size
			graphtest.Gradients(t, 1, net, wave(0, 1, 5, 4, 2), wave(2, size, size, 2, 2))
			graphtest.Gradients(t, 1, penalty, wave(0, 1, 5, 4, 2), wave(2, size, size, 2, 2))
		})
	}
	for name, f := range map[string]func(s *model.Scope, x *node) *node{
		"residual":   func(s *model.Scope, x *node) *node { return ResidualBlock(s, x, nil, 2) },
		"max pool":   func(_ *model.Scope, x *node) *node { return MaxPool(graph.Square(x), 2) },
		"bilinear":   func(_ *model.Scope, x *node) *node { return Bilinear(graph.Square(x), 7, 3) },
		"layer norm": LayerNorm, "rms norm": RMSNorm,
		"group norm": func(s *model.Scope, x *node) *node { return GroupNorm(s, x, 1) },
		"gelu":       func(_ *model.Scope, x *node) *node { return Gelu.Apply(x) },
		"elu":        func(_ *model.Scope, x *node) *node { return Elu.Apply(x) },
		"swish":      func(_ *model.Scope, x *node) *node { return Swish.Apply(x) },
		"attention": func(s *model.Scope, x *node) *node {
			x = graph.Reshape(x, 1, 4, 8)
			return MultiHead(s, x, nil, MaskBefore(x, []int{0, 1, 1, 2}), 2)
		},
	} {
		t.Run(name, func(t *testing.T) {
			graphtest.Gradients(t, 2, func(s *model.Scope, in []*node) []*node { return nodes(f(s, in[0])) }, wave(0.5, 1, 4, 4, 2))
		})
	}
}

// A convolution is written twice, as a product of patches and as GoMLX's own; both have one size
// and one set of weights.
func TestConvolutionLoop(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		upTo := func(most int, name string) int { return rapid.IntRange(1, most).Draw(rt, name) }
		k := Kernel{upTo(4, "size"), upTo(3, "stride"), upTo(3, "dilation"), rapid.Bool().Draw(rt, "valid")}
		reach := (k.Size-1)*k.Dilation + 1
		h, w := rapid.IntRange(reach, reach+4).Draw(rt, "height"), rapid.IntRange(reach, reach+4).Draw(rt, "width")
		x, weights := wave(0, 1, h, w, 1), wave(2, k.Size, k.Size, 1, 1)
		got := graphtest.Run(rt, "go", func(_ *model.Scope, in []*node) []*node { return nodes(Convolve(in[0], in[1], k)) }, x, weights)[0]
		if got.Dims[1] != k.outputs(h) || got.Dims[2] != k.outputs(w) || !k.Valid && got.Dims[1] != (h+k.Stride-1)/k.Stride {
			rt.Fatalf("the output is %v", got.Dims)
		}
		for i := range got.Dims[1] {
			for j := range got.Dims[2] {
				sum := 0.0
				for dy := range k.Size {
					for dx := range k.Size {
						r, c := i*k.Stride+dy*k.Dilation-k.before(), j*k.Stride+dx*k.Dilation-k.before()
						if r >= 0 && r < h && c >= 0 && c < w {
							sum += x.Values[r*w+c] * weights.Values[dy*k.Size+dx]
						}
					}
				}
				if v := got.Values[i*got.Dims[2]+j]; math.Abs(v-sum) > 1e-12 {
					rt.Fatalf("pixel %d, %d is %v, want %v", i, j, v, sum)
				}
			}
		}
	})
}

// A layer's weights have the names and the starting values that are promised: kept models are read
// by them.
func TestNamesAndStart(t *testing.T) {
	store := model.NewStore()
	var names []string
	exec := model.MustNewExec(graphtest.Open(t, "go"), store, func(s *model.Scope, in []*node) []*node {
		x := in[0]
		Affine(Glorot(s.At("glorot")), x, 50)
		Affine(s.At("he"), x, 50)
		Affine(Zero(s.At("zero")), x, 50)
		Conv2D(Glorot(s.At("conv")), graph.Reshape(x, 1, 1, 2, 40), 30, Kernel{})
		LayerNorm(s.At("norm"), x)
		Masked(s.At("masked"), x, graph.Ones(x.Graph(), shapes.Make(dtypes.Float32, 40, 50)))
		return nodes(graph.Neg(x))
	})
	x := make([][]float32, 2)
	for i := range x {
		x[i] = make([]float32, 40)
	}
	exec.MustCall(x)
	he, glorot := func(in float64) float64 { return math.Sqrt(2 / in) }, func(in, out float64) float64 { return math.Sqrt(2 / (in + out)) }
	spread := map[string]float64{
		"/glorot/weights": glorot(40, 50), "/glorot/biases": 0,
		"/he/weights": he(40), "/he/biases": 0,
		"/zero/weights": 0, "/zero/biases": 0,
		"/conv/weights": glorot(9*40, 9*30), "/conv/biases": 0,
		"/norm/scale": 1, "/norm/offset": 0,
		"/masked/weights": he(40), "/masked/biases": 0,
	}
	for v := range store.IterVariables() {
		want, ok := spread[v.Path()]
		if !ok {
			continue
		}
		names = append(names, v.Path())
		sum, values := 0.0, graphtest.Values(v.MustValue())
		for _, x := range values {
			sum += x * x
		}
		if got := math.Sqrt(sum / float64(len(values))); math.Abs(got-want) > 0.15*want {
			t.Errorf("%s: the root of the mean square is %v, want %v", v.Path(), got, want)
		}
	}
	if len(names) != len(spread) {
		t.Errorf("there are weights %v, want %v", names, spread)
	}
}

func TestMasked(t *testing.T) {
	mask := graphtest.Of([]float64{1, 0, 1, 0, 0, 1}, 3, 2)
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run(t, backend, func(s *model.Scope, in []*node) []*node {
			y := Masked(s.At("m"), in[0], in[1])
			return append(nodes(y), graph.Gradient(graph.ReduceAllSum(graph.Slice(y, graph.AxisRange(), graph.AxisElem(1))), in[0])...)
		}, wave(0, 1, 3), mask)
		w := graphtest.Weight("/m/weights", 3, 2).Values
		graphtest.Close(t, "the gradient of what sees only the third", got[1].Values, []float64{0, 0, w[5]}, 1e-12)
	}
}

func TestEmbedding(t *testing.T) {
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run32(t, backend, func(s *model.Scope, in []*node) []*node {
			e := Embedding(s.At("e"), graph.ConvertDType(in[0], dtypes.Int32), 5, 3)
			table := s.At("e").GetVariable("weights").NodeValue(e.Graph())
			return append(nodes(e), graph.Gradient(graph.ReduceAllSum(graph.Mul(e, e)), table)...)
		}, graphtest.Of([]float64{4, 1, 1, 0}, 2, 2))
		w := graphtest.Weight("/e/weights", 5, 3).Values
		var want []float64
		gradient := make([]float64, 15)
		for _, id := range []int{4, 1, 1, 0} {
			want = append(want, w[3*id:3*id+3]...)
			for k := range 3 {
				gradient[3*id+k] += 2 * w[3*id+k]
			}
		}
		graphtest.Close(t, "rows on "+backend, got[0].Values, want, 1e-6)
		graphtest.Close(t, "gradient on "+backend, got[1].Values, gradient, 1e-6)
	}
}

// What is cut into blocks and joined again is what it was, and lies where it should.
func TestSpaceAndDepth(t *testing.T) {
	x := make([]float64, 2*4*6*3)
	for i := range x {
		x[i] = float64(i)
	}
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run(t, backend, func(_ *model.Scope, in []*node) []*node {
			deep := SpaceToDepth(in[0], 2)
			return nodes(deep, DepthToSpace(deep, 2), Nearest(in[0], 2))
		}, graphtest.Of(x, 2, 4, 6, 3))
		graphtest.Close(t, "there and back", got[1].Values, x, 0)
		// The first pixel's channels are those of rows 0 and 1, columns 0 and 1.
		graphtest.Close(t, "the first block", got[0].Values[:12], []float64{0, 1, 2, 3, 4, 5, 18, 19, 20, 21, 22, 23}, 0)
		for i, v := range got[2].Values {
			c, col, row, b := i%3, i/3%12, i/36%8, i/288
			if want := x[((b*4+row/2)*6+col/2)*3+c]; v != want {
				t.Fatalf("nearest: number %d is %v, want %v", i, v, want)
			}
		}
	}
}

// With any ranks: a row of weights sums to 1, or to 0 for those that come first; what is forbidden
// has weight 0 and a derivative of 0, exactly; and no number is NaN, however large the logits.
func TestMaskedAttention(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, d := rapid.IntRange(1, 6).Draw(rt, "n"), rapid.IntRange(1, 4).Draw(rt, "d")
		size := rapid.SampledFrom([]float64{0.1, 1, 30, 1e4}).Draw(rt, "size")
		rank := rapid.SliceOfN(rapid.IntRange(0, 4), n, n).Draw(rt, "rank")
		r := rng.New(rapid.Uint64().Draw(rt, "seed"))
		random := func() array {
			x := make([]float64, n*d)
			for i := range x {
				x[i] = size * r.NormFloat64()
			}
			return graphtest.Of(x, 1, n, d)
		}
		all := graphtest.Run32(rt, "go", func(_ *model.Scope, in []*node) []*node {
			out, weights := Attention(in[0], in[1], in[2], MaskBefore(in[0], rank))
			result := nodes(out, weights)
			for i := range n {
				one := graph.ReduceAllSum(graph.Slice(out, graph.AxisRange(), graph.AxisElem(i)))
				result = append(result, graph.Gradient(one, in...)...)
			}
			return result
		}, random(), random(), random())
		for k, a := range all {
			for _, v := range a.Values {
				if v-v != 0 {
					rt.Fatalf("result %d holds %v", k, v)
				}
			}
		}
		for i := range n {
			total, want := 0.0, 0.0
			for j := range n {
				w := all[1].Values[i*n+j]
				total += w
				if rank[j] < rank[i] {
					want = 1
					continue
				}
				for _, jacobian := range all[3+3*i : 5+3*i] { // by keys and values
					for _, g := range jacobian.Values[j*d : (j+1)*d] {
						if w != 0 || g != 0 {
							rt.Fatalf("query %d must not see %d: weight %v, derivative %v", i, j, w, g)
						}
					}
				}
			}
			if math.Abs(total-want) > 1e-5 {
				rt.Fatalf("the weights of query %d sum to %v, want %v", i, total, want)
			}
		}
	})
}

func TestHeads(t *testing.T) {
	x := make([]float64, 2*3*8)
	for i := range x {
		x[i] = float64(i)
	}
	got := graphtest.Run(t, "go", func(_ *model.Scope, in []*node) []*node {
		parts := SplitHeads(in[0], 4)
		return nodes(JoinHeads(parts, 4), parts)
	}, graphtest.Of(x, 2, 3, 8))
	graphtest.Close(t, "split and joined", got[0].Values, x, 0)
	if got[1].Values[2] != 8 || got[1].Values[6] != 2 { // head 0: channels 0 and 1 of each place; head 1 begins with channel 2 of the first
		t.Errorf("the heads are %v", got[1].Values)
	}
}

// Power iteration ends at the largest singular value: the norm of what is divided by it is 1.
func TestSpectralNormConverges(t *testing.T) {
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run(t, backend, func(_ *model.Scope, in []*node) []*node {
			w := in[0]
			normed, u := SpectralNorm(w, in[1])
			for range 20 {
				normed, u = SpectralNorm(w, u)
			}
			return nodes(normed)
		}, wave(0, 6, 4), graphtest.Of([]float64{1, 1, 1, 1}))
		// The largest eigenvalue of WᵀW by the trace of a high power of it.
		w := got[0].Values
		gram := make([]float64, 16)
		for i := range 4 {
			for j := range 4 {
				for k := range 6 {
					gram[4*i+j] += w[4*k+i] * w[4*k+j]
				}
			}
		}
		for range 8 {
			square := make([]float64, 16)
			for i := range 4 {
				for j := range 4 {
					for k := range 4 {
						square[4*i+j] += gram[4*i+k] * gram[4*k+j]
					}
				}
			}
			gram = square
		}
		if trace := gram[0] + gram[5] + gram[10] + gram[15]; math.Abs(trace-1) > 1e-3 {
			t.Errorf("on %s the trace of (WᵀW)^256 is %v, want 1", backend, trace)
		}
	}
}

func TestDropout(t *testing.T) {
	x, noise := []float64{1, 2, 3, 4}, []float64{0, 0.74, 0.76, 0.99}
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run(t, backend, func(_ *model.Scope, in []*node) []*node {
			return nodes(Dropout(in[0], in[1], 0.25), Dropout(in[0], nil, 0.25), Dropout(in[0], in[1], 0))
		}, graphtest.Of(x), graphtest.Of(noise))
		graphtest.Close(t, "dropped", got[0].Values, []float64{4.0 / 3, 8.0 / 3, 0, 0}, 1e-12)
		graphtest.Close(t, "without noise", got[1].Values, x, 0)
		graphtest.Close(t, "without a share", got[2].Values, x, 0)
	}
}

func TestActivationCheck(t *testing.T) {
	for a := range activations {
		if err := a.Check("test"); err != nil {
			t.Error(err)
		}
	}
	if err := Activation("rely").Check("test"); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("an unknown activation gives %v", err)
	}
}

// What begins as nothing does: a residual block as the identity, a U-Net as 0.
func TestStartsAsNothing(t *testing.T) {
	store := model.NewStore()
	exec := model.MustNewExec(graphtest.Open(t, "go"), store, func(s *model.Scope, in []*node) []*node {
		x := graph.Sin(in[0])
		net := UNet{Channels: 4, Levels: []int{1, 1}}
		return nodes(graph.Sub(ResidualBlock(s.At("block"), x, nil, 2), x), net.Apply(s.At("net"), x, nil, nil))
	})
	for k, out := range exec.MustCall([][][][]float32{{{{1, 2}, {3, 4}}, {{5, 6}, {7, 8}}}}) {
		for _, v := range graphtest.Values(out) {
			if v != 0 {
				t.Errorf("output %d is %v, want 0", k, v)
			}
		}
	}
}
