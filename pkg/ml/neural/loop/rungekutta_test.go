package loop

import (
	"math"
	"testing"

	"github.com/golatent/latent/internal/graphtest"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// cosine is y′ = −y cos t, whose solution is y(0) e^(−sin t).
func cosine(t *node, y []*node) []*node { return nodes(graph.Neg(graph.Mul(y[0], graph.Cos(t)))) }

// Half the step leaves 2^−p of the error of a method of order p, or less where errors cancel.
func TestOrder(t *testing.T) {
	exact := math.Exp(-math.Sin(2))
	for method, order := range map[Method]float64{RK4: 4, Dopri5: 5} {
		gap := func(backend string, steps int) float64 {
			y := graphtest.Run(t, backend, func(_ *model.Scope, in []*node) []*node {
				return Integrate(method, cosine, in, 0, 2, steps)
			}, graphtest.Of([]float64{1}))[0].Values[0]
			return math.Abs(y - exact)
		}
		for _, backend := range graphtest.Backends() {
			coarse, fine := gap(backend, 8), gap(backend, 16)
			if got := math.Log2(coarse / fine); got < order-0.5 || fine > 1e-5 {
				t.Errorf("%s on %s has order %v, want at least %v; error %v", method, backend, got, order, fine)
			}
		}
	}
}

func TestIntegrateGradients(t *testing.T) {
	for _, method := range []Method{RK4, Dopri5} {
		graphtest.Gradients(t, 1, func(_ *model.Scope, in []*node) []*node {
			return Integrate(method, func(t *node, y []*node) []*node {
				return nodes(graph.Tanh(graph.Add(graph.Dot(y[0], in[1]).Product(), graph.Sin(t))))
			}, in[:1], 1, -0.5, 2)
		}, wave(0, 2, 3), wave(1, 3, 3))
	}
}

// The flow of a linear field x′ = xA multiplies densities by e^(−T trace A), exactly by unit
// vectors, and in the mean over noise: here over all signs, whose mean is the trace as well.
func TestDivergence(t *testing.T) {
	const horizon = 0.7
	a := wave(2, 2, 2)
	trace := a.Values[0] + a.Values[3]
	for _, backend := range graphtest.Backends() {
		got := graphtest.Run(t, backend, func(_ *model.Scope, in []*node) []*node {
			field := func(e ...[]float64) Field {
				return func(_ *node, y []*node) []*node {
					v := graph.Dot(y[0], in[1]).Product()
					sum := graph.ZerosLike(y[1])
					for _, one := range e {
						rows := graph.BroadcastToShape(graph.ConvertDType(graph.Const(v.Graph(), [][]float64{one}), v.DType()), v.Shape())
						sum = graph.Add(sum, Divergence(v, y[0], rows))
					}
					return nodes(v, graph.DivScalar(sum, float64(len(e))/2)) // of two directions each counts 1
				}
			}
			start := nodes(in[0], graph.ReduceSum(graph.MulScalar(in[0], 0), -1))
			exact := Integrate(Dopri5, field([]float64{1, 0}, []float64{0, 1}), start, 0, horizon, 4)
			signs := Integrate(RK4, func(t *node, y []*node) []*node {
				out := field([]float64{1, 1}, []float64{1, -1})(t, y)
				return nodes(out[0], graph.MulScalar(out[1], 0.5))
			}, start, 0, horizon, 4)
			return nodes(exact[1], signs[1])
		}, wave(0, 3, 2), a)
		for k := range got {
			graphtest.Close(t, "log-determinant on "+backend, got[k].Values, []float64{trace * horizon, trace * horizon, trace * horizon}, 1e-9)
		}
	}
	// Training needs the gradient of the divergence.
	graphtest.Gradients(t, 1, func(_ *model.Scope, in []*node) []*node {
		y := graph.Tanh(graph.Dot(in[0], in[1]).Product())
		return nodes(Divergence(y, in[0], graph.Const(y.Graph(), [][]float64{{1, -1}, {1, 1}, {-1, 1}})))
	}, wave(0, 3, 2), a)
}
