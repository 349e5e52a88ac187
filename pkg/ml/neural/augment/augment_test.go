package augment

import (
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/graphtest"
	"github.com/golatent/latent/internal/xlatest"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

func TestMain(m *testing.M) { xlatest.Main(m) }

type node = graph.Node

func nodes(n ...*node) []*node { return n }

var wave = graphtest.Wave

// picture is number i of an array as a function of row, column and channel, 0 outside.
func picture(x graphtest.Array, i int) func(r, k, c int) float64 {
	h, w, channels := x.Dims[1], x.Dims[2], x.Dims[3]
	return func(r, k, c int) float64 {
		if r < 0 || r >= h || k < 0 || k >= w {
			return 0
		}
		return x.Values[((i*h+r)*w+k)*channels+c]
	}
}

// between interpolates.
func between(p func(r, k, c int) float64, row, col float64, c int) float64 {
	r, k := int(math.Floor(row)), int(math.Floor(col))
	dy, dx := row-float64(r), col-float64(k)
	return (1-dy)*((1-dx)*p(r, k, c)+dx*p(r, k+1, c)) + dy*((1-dx)*p(r+1, k, c)+dx*p(r+1, k+1, c))
}

// loop computes pictures one number after another.
func loop(b, h, w, channels int, f func(i, r, k, c int) float64) (out []float64) {
	for i := range b {
		for r := range h {
			for k := range w {
				for c := range channels {
					out = append(out, f(i, r, k, c))
				}
			}
		}
	}
	return out
}

// same holds a graph to a loop on every backend.
func same(t *testing.T, what string, f func(in []*node) *node, want []float64, in ...graphtest.Array) {
	t.Helper()
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run(t, backend, func(_ *model.Scope, in []*node) []*node { return nodes(f(in)) }, in...)
		graphtest.Close(t, what+" on "+backend, got[0].Values, want, 1e-12)
	}
}

func TestMove(t *testing.T) {
	x := wave(0, 3, 5, 6, 2)
	angle, log, shift := []float64{0.3, -0.1, 2}, []float64{0.2, -0.3, 0}, []float64{0.5, -1.25, 0, 2, -3, 0.1}
	want := loop(3, 5, 6, 2, func(i, r, k, c int) float64 {
		row, col := float64(r)-2-shift[2*i], float64(k)-2.5-shift[2*i+1]
		row, col = row/math.Exp(log[i]), col/math.Exp(log[i])
		sin, cos := math.Sincos(angle[i])
		return between(picture(x, i), row*cos+col*sin+2, col*cos-row*sin+2.5, c)
	})
	all := func(in []*node) *node { return Move{in[1], in[2], in[3]}.Apply(in[0]) }
	in := []graphtest.Array{x, graphtest.Of(angle), graphtest.Of(log), graphtest.Of(shift, 3, 2)}
	same(t, "moved", all, want, in...)
	graphtest.Gradients(t, 1, func(_ *model.Scope, in []*node) []*node { return nodes(all(in)) }, in...)
}

// What an eye can check: a quarter of a turn goes counterclockwise, a positive shift goes down and
// to the right, and a positive scale makes larger.
func TestDirections(t *testing.T) {
	x := wave(0, 1, 4, 4, 1)
	p := picture(x, 0)
	same(t, "a quarter of a turn", func(in []*node) *node { return Move{Angle: in[1]}.Apply(in[0]) },
		loop(1, 4, 4, 1, func(_, r, k, _ int) float64 { return p(k, 3-r, 0) }), x, graphtest.Of([]float64{math.Pi / 2}))
	same(t, "a shift", func(in []*node) *node { return Move{Shift: in[1]}.Apply(in[0]) },
		loop(1, 4, 4, 1, func(_, r, k, _ int) float64 { return p(r-1, k-2, 0) }), x, graphtest.Of([]float64{1, 2}, 1, 2))
	dot := graphtest.Of(make([]float64, 25), 1, 5, 5, 1)
	dot.Values[12] = 1
	same(t, "larger", func(in []*node) *node {
		return graph.ReduceSum(Move{LogScale: in[1]}.Apply(in[0]), 1, 2, 3)
	}, []float64{4}, dot, graphtest.Of([]float64{math.Ln2}))
	same(t, "mirrored", func(in []*node) *node { return Flip(in[0]) },
		loop(1, 4, 4, 1, func(_, r, k, _ int) float64 { return p(r, 3-k, 0) }), x)
}

func TestCrop(t *testing.T) {
	x := wave(0, 2, 6, 5, 2)
	at, zoom := []float64{0, 1, 0.5, 0.25}, []float64{math.Log(2), 0.3}
	want := loop(2, 4, 3, 2, func(i, r, k, c int) float64 {
		share := math.Exp(-zoom[i])
		row := (float64(r)+0.5)/4*6*share + at[2*i]*6*(1-share) - 0.5
		col := (float64(k)+0.5)/3*5*share + at[2*i+1]*5*(1-share) - 0.5
		return between(picture(x, i), min(max(row, 0), 5), min(max(col, 0), 4), c)
	})
	crop := func(in []*node) *node { return Crop(in[0], in[1], in[2], 4, 3) }
	in := []graphtest.Array{x, graphtest.Of(at, 2, 2), graphtest.Of(zoom)}
	same(t, "cropped", crop, want, in...)
	graphtest.Gradients(t, 1, func(_ *model.Scope, in []*node) []*node {
		return nodes(Crop(in[0], graph.Const(in[0].Graph(), [][]float64{{0.3, 0.6}, {0.5, 0.25}}), graph.Const(in[0].Graph(), zoom), 4, 3))
	}, x)
}

func TestErase(t *testing.T) {
	x := wave(0, 2, 6, 5, 2)
	at, sides := []float64{0, 1, 0.5, 0.4}, []float64{0.5, 0.7, 0.34, 0.2}
	same(t, "erased", func(in []*node) *node { return Erase(in[0], in[1], in[2]) }, loop(2, 6, 5, 2, func(i, r, k, c int) float64 {
		if math.Abs(float64(r)+0.5-6*at[2*i]) < 3*sides[2*i] && math.Abs(float64(k)+0.5-5*at[2*i+1]) < 2.5*sides[2*i+1] {
			return 0
		}
		return picture(x, i)(r, k, c)
	}), x, graphtest.Of(at, 2, 2), graphtest.Of(sides, 2, 2))
}

func TestColors(t *testing.T) {
	x, by := wave(0, 2, 3, 2, 3), []float64{0.4, -0.7}
	amount := graphtest.Of(by)
	mean := func(i int) (m float64) {
		for _, v := range x.Values[18*i : 18*(i+1)] {
			m += v / 18
		}
		return m
	}
	grey := func(i, r, k int) float64 {
		p := picture(x, i)
		return (p(r, k, 0) + p(r, k, 1) + p(r, k, 2)) / 3
	}
	for name, c := range map[string]struct {
		f    func(x, by *node) *node
		want func(v float64, i, r, k, c int) float64
	}{
		"brightness": {Brightness, func(v float64, i, _, _, _ int) float64 { return v + by[i] }},
		"contrast":   {Contrast, func(v float64, i, _, _, _ int) float64 { return mean(i) + math.Exp(by[i])*(v-mean(i)) }},
		"saturation": {Saturation, func(v float64, i, r, k, _ int) float64 {
			return grey(i, r, k) + math.Exp(by[i])*(v-grey(i, r, k))
		}},
		"hue": {Hue, func(v float64, i, r, k, c int) float64 {
			p := picture(x, i)
			sin, cos := math.Sincos(by[i])
			return v*cos + sin/math.Sqrt(3)*(p(r, k, (c+2)%3)-p(r, k, (c+1)%3)) + grey(i, r, k)*(1-cos)
		}},
		"grey": {func(x, _ *node) *node { return Grey(x) }, func(_ float64, i, r, k, _ int) float64 { return grey(i, r, k) }},
	} {
		f := func(in []*node) *node { return c.f(in[0], in[1]) }
		same(t, name, f, loop(2, 3, 2, 3, func(i, r, k, channel int) float64 {
			return c.want(picture(x, i)(r, k, channel), i, r, k, channel)
		}), x, amount)
		graphtest.Gradients(t, 1, func(_ *model.Scope, in []*node) []*node { return nodes(f(in)) }, x, amount)
	}
	// Red becomes green, green blue.
	same(t, "a third of a circle", func(in []*node) *node { return Hue(in[0], in[1]) },
		[]float64{0, 1, 0, 0, 0, 1}, graphtest.Of([]float64{1, 0, 0, 0, 1, 0}, 1, 1, 2, 3), graphtest.Of([]float64{2 * math.Pi / 3}))
}

func TestSometimes(t *testing.T) {
	x := wave(0, 4, 1, 2, 1)
	want := slices.Clone(x.Values)
	for _, i := range []int{1, 3} {
		want[2*i], want[2*i+1] = want[2*i+1], want[2*i]
	}
	same(t, "two of four", func(in []*node) *node { return Sometimes(in[0], Flip(in[0]), in[1], 0.25) }, want, x,
		graphtest.Of([]float64{0, 0.75, 0.74, 0.99}))
	same(t, "centered", func(in []*node) *node { return Centered(in[0], 3) }, []float64{-3, 0, 1.5}, graphtest.Of([]float64{0, 0.5, 0.75}))
}

// No amount is no change, to the bit, in float32.
func TestZeroIsTheIdentity(t *testing.T) {
	x := wave(0, 2, 5, 6, 3)
	for _, backend := range graphtest.Backends() {
		plain := graphtest.Run32(t, backend, func(_ *model.Scope, in []*node) []*node { return nodes(graph.MulScalar(in[0], 1)) }, x)[0]
		got := graphtest.Run32(t, backend, func(_ *model.Scope, in []*node) []*node {
			x, one, two := in[0], in[1], in[2]
			return nodes(Move{one, one, two}.Apply(x), Crop(x, two, one, 5, 6), Crop(x, graph.AddScalar(two, 0.7), one, 5, 6), Erase(x, graph.AddScalar(two, 0.3), two),
				Brightness(x, one), Contrast(x, one), Saturation(x, one), Hue(x, one), Sometimes(x, Flip(x), one, 0.5))
		}, x, graphtest.Of(make([]float64, 2)), graphtest.Of(make([]float64, 4), 2, 2))
		for k := range got {
			if !slices.Equal(got[k].Values, plain.Values) {
				t.Errorf("on %s change %d of nothing changes something", backend, k)
			}
		}
	}
}
