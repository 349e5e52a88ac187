package flow

import (
	"math"

	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// planar is z = x + û tanh(wᵀx + b), with û made of u so that wᵀû > −1, without which it could fold
// (Rezende & Mohamed, 2015, appendix A.1).
type planar struct{}

func (planar) parts(s *model.Scope, x *graph.Node) (u, w, b, uw *graph.Node) { // [d], [d], [], []
	d := x.Shape().Dim(-1)
	w = layers.Variable(layers.Glorot(s), x, "w", d, 1)
	u = layers.Variable(layers.Glorot(s), x, "u", d, 1)
	b = graph.Reshape(layers.Variable(layers.Zero(s), x, "b", 1))
	w, u = graph.Reshape(w, d), graph.Reshape(u, d)
	raw := graph.ReduceAllSum(graph.Mul(w, u))
	uw = graph.AddScalar(dist.Softplus(raw), -1)
	along := graph.Div(graph.Sub(uw, raw), graph.AddScalar(graph.ReduceAllSum(graph.Square(w)), 1e-12))
	return graph.Add(u, graph.Mul(along, w)), w, b, uw
}

func (p planar) forward(s *model.Scope, x, _ *graph.Node) (z, logDet *graph.Node) {
	u, w, b, uw := p.parts(s, x)
	h := graph.Tanh(graph.Add(sumRow(graph.Mul(x, graph.InsertAxes(w, 0))), b)) // [b]
	z = graph.Add(x, graph.Mul(graph.InsertAxes(h, -1), graph.InsertAxes(u, 0)))
	return z, graph.Log1P(graph.Mul(uw, graph.OneMinus(graph.Square(h))))
}

// inverse finds how far along w the point lay, a = wᵀx, from a + wᵀû tanh(a + b) = wᵀz, which rises
// in a.
func (p planar) inverse(s *model.Scope, z, _ *graph.Node) (x, logDet *graph.Node) {
	u, w, b, uw := p.parts(s, z)
	want := sumRow(graph.Mul(z, graph.InsertAxes(w, 0))) // [b]
	slope := perRow(uw, z)
	rising := func(a *graph.Node) *graph.Node {
		return graph.Sub(graph.Add(a, graph.Mul(slope, graph.Tanh(graph.Add(a, b)))), want)
	}
	a := graph.StopGradient(root(rising, graph.Sub(want, graph.Abs(slope)), graph.Add(want, graph.Abs(slope))))
	// A step of Newton's from the root stays there, and has the derivatives of the inverse
	// function.
	steep := graph.OnePlus(graph.Mul(slope, graph.OneMinus(graph.Square(graph.Tanh(graph.Add(a, b))))))
	a = graph.Sub(a, graph.Div(rising(a), graph.StopGradient(steep)))
	h := graph.Tanh(graph.Add(a, b))
	x = graph.Sub(z, graph.Mul(graph.InsertAxes(h, -1), graph.InsertAxes(u, 0)))
	return x, graph.Neg(graph.Log1P(graph.Mul(uw, graph.OneMinus(graph.Square(h)))))
}

// root is where a function that rises is 0, between low and high, by 40 bisections: as exact as
// float32 has it.
func root(f func(x *graph.Node) *graph.Node, low, high *graph.Node) *graph.Node {
	for range 40 {
		middle := graph.MulScalar(graph.Add(low, high), 0.5)
		above := graph.GreaterThan(f(middle), graph.ZerosLike(middle))
		low, high = graph.Where(above, low, middle), graph.Where(above, middle, high)
	}
	return graph.MulScalar(graph.Add(low, high), 0.5)
}

// radial is z = x + β (x − c)/(α + r), r = ‖x − c‖, with α > 0 and β > −α, without which it could
// fold (Rezende & Mohamed, 2015, appendix A.2).
type radial struct{}

func (radial) parts(s *model.Scope, x *graph.Node) (c, alpha, beta *graph.Node) { // [d], [], []
	d := x.Shape().Dim(-1)
	c = graph.Reshape(layers.Variable(layers.Glorot(s), x, "center", d, 1), d)
	alpha = dist.Softplus(graph.Reshape(layers.Variable(layers.Zero(s), x, "alpha", 1)))
	// β starts at 0: softplus of its weight, which starts at 0, is then α.
	beta = graph.Sub(dist.Softplus(graph.Reshape(layers.Variable(layers.Zero(s), x, "beta", 1))), alpha)
	return c, alpha, beta
}

func (p radial) forward(s *model.Scope, x, _ *graph.Node) (z, logDet *graph.Node) {
	c, alpha, beta := p.parts(s, x)
	away := graph.Sub(x, graph.InsertAxes(c, 0))
	r := length(away) // [b]
	h := graph.Div(perRow(beta, x), graph.Add(r, alpha))
	return graph.Add(x, graph.Mul(graph.InsertAxes(h, -1), away)), p.logDet(r, alpha, beta, x.Shape().Dim(-1))
}

func (radial) logDet(r, alpha, beta *graph.Node, d int) *graph.Node {
	reach := graph.Add(r, alpha)
	across := graph.Log1P(graph.Div(graph.Mul(beta, graph.OnesLike(r)), reach))
	along := graph.Log1P(graph.Div(graph.Mul(alpha, beta), graph.Square(reach)))
	return graph.Add(graph.MulScalar(across, float64(d-1)), along)
}

// inverse solves R = r (1 + β/(α + r)), a quadratic equation in r.
func (p radial) inverse(s *model.Scope, z, _ *graph.Node) (x, logDet *graph.Node) {
	c, alpha, beta := p.parts(s, z)
	away := graph.Sub(z, graph.InsertAxes(c, 0))
	far := length(away)                            // R
	half := graph.Sub(graph.Add(beta, alpha), far) // r² + half·r − αR = 0
	product := graph.MulScalar(graph.Mul(alpha, far), 4)
	disc := graph.Sqrt(graph.Add(graph.Square(half), product))
	// Of two forms of the root the one that does not cancel.
	r := graph.Where(graph.LessThan(half, graph.ZerosLike(half)),
		graph.MulScalar(graph.Sub(disc, half), 0.5),
		graph.Div(graph.MulScalar(product, 0.5), graph.Add(disc, half)))
	x = graph.Add(graph.InsertAxes(c, 0), graph.Mul(graph.InsertAxes(graph.Div(r, far), -1), away))
	return x, graph.Neg(p.logDet(r, alpha, beta, z.Shape().Dim(-1)))
}

// length is ‖v‖ of each row, with a gradient at 0.
func length(v *graph.Node) *graph.Node { // [b, d] to [b]
	return graph.Sqrt(graph.AddScalar(sumRow(graph.Square(v)), 1e-20))
}

// cdf takes every variable through the distribution function F of a mixture of logistics of its
// own, and on to logit F: with a logistic base its density is that mixture.
type cdf Layer

func (l cdf) mixture(s *model.Scope, x *graph.Node) dist.Logistics {
	d := x.Shape().Dim(-1)
	all := func(name string, start func(k int) float64) *graph.Node { // [b, d, K]
		v := layers.Variable(layers.Zero(s), x, name, d, l.Bins)
		row := make([]float32, l.Bins)
		for k := range row {
			row[k] = float32(start(k))
		}
		v = graph.Add(v, graph.InsertAxes(graph.ConvertDType(graph.Const(x.Graph(), row), x.DType()), 0))
		return graph.BroadcastToDims(graph.InsertAxes(v, 0), x.Shape().Dim(0), d, l.Bins)
	}
	// Components start side by side over what standardised data fill.
	return dist.Logistics{
		Logits: all("logits", func(int) float64 { return 0 }),
		Means: all("means", func(k int) float64 {
			return 4 * (float64(k) + 0.5 - float64(l.Bins)/2) / float64(l.Bins)
		}),
		LogScales: all("scales", func(int) float64 { return math.Log(2 / float64(l.Bins+1)) }),
	}
}

func (l cdf) forward(s *model.Scope, x, _ *graph.Node) (z, logDet *graph.Node) {
	m := l.mixture(s, x)
	logF, logS := m.LogCDF(x), m.LogSurvival(x)
	return graph.Sub(logF, logS), sumRow(graph.Sub(m.LogProb(x), graph.Add(logF, logS)))
}

func (l cdf) inverse(s *model.Scope, z, _ *graph.Node) (x, logDet *graph.Node) {
	m := l.mixture(s, z)
	x = m.Inverse(z)
	logF, logS := m.LogCDF(x), m.LogSurvival(x)
	return x, sumRow(graph.Sub(graph.Add(logF, logS), m.LogProb(x)))
}
