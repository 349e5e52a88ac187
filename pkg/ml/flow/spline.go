package flow

import (
	"math"

	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// spline is a coupling whose variables go through monotonic piecewise rational-quadratic functions
// of [−B, B] to itself, and are left as they are beyond (Durkan, Bekasov, Murray & Papamakarios,
// 2019). A bin from (x₀, y₀) to (x₁, y₁) with slopes δ₀ and δ₁ there is, with
// ξ = (x − x₀)/(x₁ − x₀) and the mean slope m = (y₁ − y₀)/(x₁ − x₀),
//
//	y = y₀ + (y₁ − y₀) (m ξ² + δ₀ ξ(1 − ξ)) / (m + (δ₁ + δ₀ − 2m) ξ(1 − ξ)),
//
// whose inverse is the root of a quadratic equation.
type spline Layer

// Least width, height and slope of a bin, so that none degenerates.
const (
	leastBin   = 1e-3
	leastSlope = 1e-3
)

func (l spline) forward(s *model.Scope, x, given *graph.Node) (z, logDet *graph.Node) {
	return l.couple(s, x, given, func(b bins) (*graph.Node, *graph.Node) {
		at := b.find(x, b.left, b.right)
		return at.forward(x)
	})
}

func (l spline) inverse(s *model.Scope, z, given *graph.Node) (x, logDet *graph.Node) {
	return l.couple(s, z, given, func(b bins) (*graph.Node, *graph.Node) {
		at := b.find(z, b.low, b.high)
		return at.inverse(z)
	})
}

// couple lets half of the variables pass, and those out of bounds.
func (l spline) couple(s *model.Scope, x, given *graph.Node, f func(b bins) (y, logSlope *graph.Node)) (z, logDet *graph.Node) {
	passes := passing(x, l.Parity)
	y, logSlope := f(l.bins(s, graph.Mul(x, passes), given))
	inside := graph.ConvertDType(graph.LessThan(graph.Abs(x), graph.ConstAs(x, l.Bound)), x.DType())
	changes := graph.Mul(inside, graph.OneMinus(passes)) // [b, d]
	z = graph.Add(x, graph.Mul(changes, graph.Sub(y, x)))
	return z, sumRow(graph.Mul(changes, logSlope))
}

// bins are all bins of every variable, [b, d, K] each.
type bins struct {
	left, right, low, high, slope0, slope1 *graph.Node
	bound                                  float64
}

// bins are what the network says of the variables that do not pass.
func (l spline) bins(s *model.Scope, seen, given *graph.Node) bins {
	n, d, k := seen.Shape().Dim(0), seen.Shape().Dim(-1), l.Bins
	h := conditioner(s, with(seen, given), l.Hidden, d*(3*k-1))
	h = graph.Reshape(h, n, d, 3*k-1)
	part := func(from, to int) *graph.Node {
		return graph.Slice(h, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(from, to))
	}
	left, right := edges(part(0, k), l.Bound)
	low, high := edges(part(k, 2*k), l.Bound)
	// Slopes at the two ends are 1, as of the identity beyond; inner ones start at 1.
	end := graph.Ones(h.Graph(), graph.Slice(h, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, 1)).Shape())
	slopes := []*graph.Node{end}
	if k > 1 {
		one := math.Log(math.Expm1(1 - leastSlope)) // softplus of it is 1 − leastSlope
		inner := graph.AddScalar(dist.Softplus(graph.AddScalar(part(2*k, 3*k-1), one)), leastSlope)
		slopes = append(slopes, inner)
	}
	slopes = append(slopes, end)
	all := graph.Concatenate(slopes, -1) // [b, d, K+1]
	return bins{left, right, low, high,
		graph.Slice(all, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, k)),
		graph.Slice(all, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(1)), l.Bound}
}

// edges are the left and right ends of bins that fill [−bound, bound], their widths a softmax.
func edges(logits *graph.Node, bound float64) (left, right *graph.Node) { // [b, d, K] to [b, d, K] twice
	k := logits.Shape().Dim(-1)
	share := graph.AddScalar(graph.MulScalar(graph.Softmax(logits, -1), 1-leastBin*float64(k)), leastBin)
	before := make([][]float32, k) // sums over the bins before, and with the own one
	upTo := make([][]float32, k)
	for i := range k {
		before[i], upTo[i] = make([]float32, k), make([]float32, k)
		for j := range k {
			if i < j {
				before[i][j] = 1
			}
			if i <= j {
				upTo[i][j] = 1
			}
		}
	}
	sum := func(triangle [][]float32) *graph.Node {
		t := graph.ConvertDType(graph.Const(logits.Graph(), triangle), logits.DType())
		return graph.AddScalar(graph.MulScalar(layers.Product(share, t, nil), 2*bound), -bound)
	}
	return sum(before), sum(upTo)
}

// bin is the one bin that each number lies in, [b, d] each.
type bin struct{ x0, width, y0, height, slope0, slope1 *graph.Node }

// find picks the bin in which x lies between from and to. A number beyond all of them gets the
// first or the last, and what comes of it is not used.
func (b bins) find(x, from, to *graph.Node) bin {
	x = clip(x, graph.ConstAs(x, -b.bound), graph.ConstAs(x, b.bound))
	wide := graph.InsertAxes(x, -1)
	k := from.Shape().Dim(-1)
	// In bin k where x is not below its left edge and below the right one; rounding leaves no gap
	// since the last edge to the left decides.
	reached := graph.ConvertDType(graph.GreaterOrEqual(graph.BroadcastToShape(wide, from.Shape()), from), x.DType())
	if k == 1 {
		reached = graph.OnesLike(reached)
	}
	first := graph.OnesLike(graph.Slice(reached, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(0, 1)))
	if k > 1 { // x at or left of the first edge is in the first bin
		reached = graph.Concatenate([]*graph.Node{first, graph.Slice(reached, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(1))}, -1)
		next := graph.Concatenate([]*graph.Node{graph.Slice(reached, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(1)), graph.ZerosLike(first)}, -1)
		reached = graph.Sub(reached, next)
	}
	pick := func(v *graph.Node) *graph.Node { return graph.ReduceSum(graph.Mul(reached, v), -1) }
	left, low := pick(b.left), pick(b.low)
	return bin{left, graph.Sub(pick(b.right), left), low, graph.Sub(pick(b.high), low), pick(b.slope0), pick(b.slope1)}
}

func (b bin) forward(x *graph.Node) (y, logSlope *graph.Node) {
	xi := graph.Div(graph.Sub(x, b.x0), b.width)
	xi = clip(xi, graph.ZerosLike(xi), graph.OnesLike(xi))
	mean := graph.Div(b.height, b.width)
	mixed := graph.Mul(xi, graph.OneMinus(xi))
	over := graph.Add(graph.Mul(mean, graph.Square(xi)), graph.Mul(b.slope0, mixed))
	under := graph.Add(mean, graph.Mul(b.curvature(mean), mixed))
	y = graph.Add(b.y0, graph.Mul(b.height, graph.Div(over, under)))
	return y, b.logSlope(xi, mean, under)
}

// curvature is δ₁ + δ₀ − 2m.
func (b bin) curvature(mean *graph.Node) *graph.Node {
	return graph.Sub(graph.Add(b.slope0, b.slope1), graph.MulScalar(mean, 2))
}

// logSlope is log dy/dx.
func (b bin) logSlope(xi, mean, under *graph.Node) *graph.Node {
	rest := graph.OneMinus(xi)
	over := graph.Add(graph.Add(graph.Mul(b.slope1, graph.Square(xi)), graph.MulScalar(graph.Mul(mean, graph.Mul(xi, rest)), 2)),
		graph.Mul(b.slope0, graph.Square(rest)))
	return graph.Add(graph.MulScalar(graph.Sub(graph.Log(mean), graph.Log(under)), 2), graph.Log(over))
}

func (b bin) inverse(y *graph.Node) (x, logSlope *graph.Node) {
	mean := graph.Div(b.height, b.width)
	above := clip(graph.Sub(y, b.y0), graph.ZerosLike(y), b.height)
	bent := graph.Mul(above, b.curvature(mean))
	a := graph.Add(graph.Mul(b.height, graph.Sub(mean, b.slope0)), bent)
	half := graph.Sub(graph.Mul(b.height, b.slope0), bent)
	c := graph.Neg(graph.Mul(mean, above))
	root := graph.Sqrt(graph.Max(graph.Sub(graph.Square(half), graph.MulScalar(graph.Mul(a, c), 4)), graph.ConstAs(y, 1e-20)))
	xi := graph.Div(graph.MulScalar(c, 2), graph.Neg(graph.Add(half, root))) // the form that does not cancel
	xi = clip(xi, graph.ZerosLike(xi), graph.OnesLike(xi))
	under := graph.Add(mean, graph.Mul(b.curvature(mean), graph.Mul(xi, graph.OneMinus(xi))))
	return graph.Add(b.x0, graph.Mul(xi, b.width)), graph.Neg(b.logSlope(xi, mean, under))
}

// clip is x held between two bounds; GoMLX's own has no gradient.
func clip(x, low, high *graph.Node) *graph.Node { return graph.Min(graph.Max(x, low), high) }
