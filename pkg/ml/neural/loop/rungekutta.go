package loop

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Method is an explicit Runge-Kutta method.
type Method string

const (
	RK4    Method = "rk4"    // of order 4, four evaluations a step (Kutta, 1901)
	Dopri5 Method = "dopri5" // of order 5, six evaluations a step (Dormand & Prince, 1980)
)

// tableau is a method's: stage i is at t + c_i h, from y + h Σ_j a_ij k_j; the step ends at y + h
// Σ_i b_i k_i.
type tableau struct {
	c []float64
	a [][]float64
	b []float64
}

var tableaus = map[Method]tableau{
	RK4: {
		c: []float64{0, 1. / 2, 1. / 2, 1},
		a: [][]float64{{}, {1. / 2}, {0, 1. / 2}, {0, 0, 1}},
		b: []float64{1. / 6, 1. / 3, 1. / 3, 1. / 6},
	},
	Dopri5: {
		c: []float64{0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1},
		a: [][]float64{
			{},
			{1. / 5},
			{3. / 40, 9. / 40},
			{44. / 45, -56. / 15, 32. / 9},
			{19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729},
			{9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656},
		},
		b: []float64{35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84},
	},
}

// dopriError is what the result of Dopri5 differs by, for each stage and for the derivative at the
// end, from the method of order 4 that its stages also give.
var dopriError = []float64{71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40}

// Field is y′ = f(t, y) as a graph function: t is a scalar, and y and y′ are lists of nodes of the
// same shapes, such as places and log-densities.
type Field func(t *graph.Node, y []*graph.Node) []*graph.Node

// Integrate solves y′ = f(t, y) from t0 to t1 in so many equal steps. Gradients go through all of
// them: what is differentiated is what is computed. The steps stand one after another in the graph,
// and f is built four or six times for each.
func Integrate(m Method, f Field, y []*graph.Node, t0, t1 float64, steps int) []*graph.Node {
	method, ok := tableaus[m]
	if !ok || steps < 1 {
		panic(fmt.Errorf("loop.Integrate: method %q with %d steps, want rk4 or dopri5 with at least 1", m, steps))
	}
	h := (t1 - t0) / float64(steps)
	for n := range steps {
		t := t0 + float64(n)*h
		var k [][]*graph.Node
		for i, a := range method.a {
			k = append(k, f(graph.ConstAs(y[0], t+method.c[i]*h), moved(y, k, a, h)))
		}
		y = moved(y, k, method.b, h)
	}
	return y
}

// moved is y + h Σ_i w_i k_i.
func moved(y []*graph.Node, k [][]*graph.Node, w []float64, h float64) []*graph.Node {
	out := make([]*graph.Node, len(y))
	for j := range y {
		out[j] = y[j]
		for i, v := range w {
			if v != 0 {
				out[j] = graph.Add(out[j], graph.MulScalar(k[i][j], h*v))
			}
		}
	}
	return out
}

// Divergence is eᵀ(∂y/∂x)e for every row, y being computed from x row by row and of its shape. In
// the mean over noise e with independent entries of mean 0 and variance 1 that is the trace Σ_j
// ∂y_j/∂x_j (Hutchinson, 1990), at the cost of one gradient; the sum over the unit vectors e is the
// trace exactly, at the cost of d of them.
func Divergence(y, x, e *graph.Node) *graph.Node { // [b, ...] thrice to [b]
	e = graph.StopGradient(e)
	product := graph.Gradient(graph.ReduceAllSum(graph.Mul(y, e)), x)[0] // eᵀ ∂y/∂x
	b := x.Shape().Dim(0)
	return graph.ReduceSum(graph.Reshape(graph.Mul(product, e), b, -1), -1)
}
