package flow

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Kind is the map of a layer.
type Kind string

const (
	// Affine is a coupling: half of the variables pass and decide shift and scale of the others
	// (Dinh, Sohl-Dickstein & Bengio, 2017).
	Affine Kind = "affine"
	// Spline is a coupling with monotonic rational-quadratic splines (Durkan, Bekasov, Murray &
	// Papamakarios, 2019).
	Spline Kind = "spline"
	// Autoregressive shifts and scales each variable by what those before it say (Papamakarios,
	// Pavlakou & Murray, 2017).
	Autoregressive Kind = "autoregressive"
	// Planar moves along one direction, by how far along another a point is (Rezende & Mohamed,
	// 2015).
	Planar Kind = "planar"
	// Radial moves towards or away from a center (Rezende & Mohamed, 2015).
	Radial Kind = "radial"
	// CDF takes each variable through the distribution function of its own mixture of logistics,
	// and on to a logit.
	CDF Kind = "cdf"
	// Linear is an invertible matrix, as P L U (Kingma & Dhariwal, 2018).
	Linear Kind = "linear"
	// Norm is a shift and a scale a variable, which standardise the first minibatch (Kingma &
	// Dhariwal, 2018).
	Norm Kind = "norm"
	// Squeeze makes of every 2×2 pixels of a picture one with four times as many channels (Dinh,
	// Sohl-Dickstein & Bengio, 2017).
	Squeeze Kind = "squeeze"
	// Split ends the flow for the second half of the channels of a picture: they are latent
	// variables of this scale, and what follows sees the first half (Dinh, Sohl-Dickstein & Bengio,
	// 2017).
	Split Kind = "split"
)

// Layer is one step of a flow. Fields that its kind does not use must be 0.
type Layer struct {
	Kind Kind
	// Hidden are widths of the network's hidden layers (Affine, Spline, Autoregressive), of
	// pictures channels of its 3×3 convolutions; nil means {64, 64}.
	Hidden []int
	// Parity is which half of the variables passes a coupling, those of odd number or those of even
	// number; an Autoregressive layer takes the variables from the first to the last where it is
	// even, and from the last to the first where it is odd.
	Parity int
	// ByChannel lets half of the channels of a picture pass an Affine layer, instead of the pixels
	// of one color of a checkerboard.
	ByChannel bool
	Bins      int     // of a Spline, 0 means 8; components of a CDF, 0 means 8
	Bound     float64 // of a Spline: beyond ±Bound it is the identity; 0 means 4
	// Inverted changes the two directions over: an Autoregressive layer so turned is fast to sample
	// and slow to evaluate (Kingma et al., 2016).
	Inverted bool
}

// complete fills in defaults and checks. shape is that of the variables that the layer sees: their
// number, or height, width and channels.
func (l Layer) complete(method, name string, shape []int) (Layer, error) {
	d, picture := size(shape), len(shape) == 3
	bad := func(field string, value any, want string) (Layer, error) {
		return l, ml.BadParameter(method, name+"."+field, value, want)
	}
	l.Hidden = slices.Clone(l.Hidden)
	switch l.Kind {
	case Affine, Spline, Autoregressive:
		if l.Hidden == nil {
			l.Hidden = []int{64, 64}
		}
	case Planar, Radial, CDF, Linear, Norm, Squeeze, Split:
		if l.Hidden != nil {
			return bad("Hidden", l.Hidden, fmt.Sprintf("none: a %s layer has no network", l.Kind))
		}
	default:
		return bad("Kind", fmt.Sprintf("%q", l.Kind), "one of the constants, such as flow.Affine")
	}
	for i, h := range l.Hidden {
		if h < 1 || h > 1<<16 {
			return bad(fmt.Sprintf("Hidden[%d]", i), h, "1 to 65536")
		}
	}
	switch {
	case (l.Kind == Squeeze || l.Kind == Split) && !picture:
		return bad("Kind", string(l.Kind), "another kind for variables without a Shape")
	case l.Kind == Squeeze && (shape[0]%2 != 0 || shape[1]%2 != 0):
		return bad("Kind", "squeeze", fmt.Sprintf("another kind where pictures have %d×%d pixels: both must be even", shape[0], shape[1]))
	case l.Kind == Split && shape[2]%2 != 0:
		return bad("Kind", "split", fmt.Sprintf("another kind where pictures have %d channels: squeeze first", shape[2]))
	case l.ByChannel && (!picture || l.Kind != Affine || shape[2] < 2):
		return bad("ByChannel", true, "false where there are no two channels of a picture, and for all kinds but affine")
	case l.Inverted && (l.Kind == Squeeze || l.Kind == Split):
		return bad("Inverted", true, "false: a "+string(l.Kind)+" layer changes the shape")
	case l.Inverted && (l.Kind == Norm || l.Kind == Linear):
		return bad("Inverted", true, "false: a "+string(l.Kind)+" layer is as fast either way")
	case l.Parity != 0 && l.Parity != 1:
		return bad("Parity", l.Parity, "0 or 1")
	case (l.Kind == Affine || l.Kind == Spline) && d < 2:
		return bad("Kind", string(l.Kind), "a kind for one variable: a coupling needs two")
	case l.Kind == Autoregressive && d > mostUnrolled:
		return bad("Kind", string(l.Kind), fmt.Sprintf("a coupling: the inverse of an autoregressive layer runs its network once a variable, and is held to %d of them", mostUnrolled))
	}
	if l.Kind == Spline || l.Kind == CDF {
		l.Bins = cmp.Or(l.Bins, 8)
		if l.Bins < 1 || l.Bins > 256 {
			return bad("Bins", l.Bins, "1 to 256, or 0 for 8")
		}
	} else if l.Bins != 0 {
		return bad("Bins", l.Bins, "0: this kind has none")
	}
	if l.Kind == Spline {
		l.Bound = cmp.Or(l.Bound, 4)
		if !(l.Bound > 0) || l.Bound > 1e6 {
			return bad("Bound", l.Bound, "above 0, or 0 for 4")
		}
	} else if l.Bound != 0 {
		return bad("Bound", l.Bound, "0: this kind has none")
	}
	return l, nil
}

// A transform is a map of rows with its inverse. Each direction gives the log-determinant of its
// Jacobian for every row. given, [b, q], are the variables of a conditional flow, nil where there
// are none.
type transform interface {
	forward(s *model.Scope, x, given *graph.Node) (z, logDet *graph.Node) // [b, d] to [b, d], [b]
	inverse(s *model.Scope, z, given *graph.Node) (x, logDet *graph.Node)
}

// transform is the map of the layer, in a pass over a minibatch where there is one.
func (l Layer) transform(b neural.Batch, shape []int) transform {
	var t transform
	switch l.Kind {
	case Affine:
		t = affine{l, shape}
	case Spline:
		t = spline(l)
	case Autoregressive:
		t = autoregressive(l)
	case Planar:
		t = planar{}
	case Radial:
		t = radial{}
	case CDF:
		t = cdf(l)
	case Linear:
		t = linear{}
	case Norm:
		t = norm{b}
	case Squeeze:
		t = squeeze(shape)
	case Split:
		t = split(shape)
	}
	if l.Inverted {
		t = inverted{t}
	}
	return t
}

type inverted struct{ transform }

func (t inverted) forward(s *model.Scope, x, given *graph.Node) (z, logDet *graph.Node) {
	return t.transform.inverse(s, x, given)
}

func (t inverted) inverse(s *model.Scope, z, given *graph.Node) (x, logDet *graph.Node) {
	return t.transform.forward(s, z, given)
}

// chain is transforms one after another. All variables lie in one row; those that a Split has ended
// the flow for are at its end, and no later layer sees them.
type chain struct {
	layers []Layer
	shapes [][]int      // of what each layer sees: the number of variables, or height, width and channels
	batch  neural.Batch // of training; the zero value elsewhere
}

// newChain is the chain of layers for data of a shape.
func newChain(layers []Layer, shape []int, b neural.Batch) chain {
	c := chain{layers: layers, batch: b}
	for _, l := range layers {
		c.shapes = append(c.shapes, shape)
		shape = l.after(shape)
	}
	return c
}

// after is the shape of what the next layer sees.
func (l Layer) after(shape []int) []int {
	switch l.Kind {
	case Squeeze:
		return []int{shape[0] / 2, shape[1] / 2, 4 * shape[2]}
	case Split:
		return []int{shape[0], shape[1], shape[2] / 2}
	}
	return shape
}

func size(shape []int) int {
	n := 1
	for _, s := range shape {
		n *= s
	}
	return n
}

func (c chain) forward(s *model.Scope, x, given *graph.Node) (z, logDet *graph.Node) {
	for i := range c.layers {
		var own *graph.Node
		x, own = c.layer(i, x, func(t transform, x *graph.Node) (*graph.Node, *graph.Node) {
			return t.forward(s.At("layer%d", i), x, given)
		})
		logDet = plus(logDet, own)
	}
	return x, logDet
}

func (c chain) inverse(s *model.Scope, z, given *graph.Node) (x, logDet *graph.Node) {
	for i := range slices.Backward(c.layers) {
		var own *graph.Node
		z, own = c.layer(i, z, func(t transform, z *graph.Node) (*graph.Node, *graph.Node) {
			return t.inverse(s.At("layer%d", i), z, given)
		})
		logDet = plus(logDet, own)
	}
	return z, logDet
}

// layer lets layer i act on the variables that it sees.
func (c chain) layer(i int, x *graph.Node, act func(t transform, x *graph.Node) (y, logDet *graph.Node)) (y, logDet *graph.Node) {
	t, d := c.layers[i].transform(c.batch, c.shapes[i]), size(c.shapes[i])
	if d == x.Shape().Dim(-1) {
		return act(t, x)
	}
	done := graph.Slice(x, graph.AxisRange(), graph.AxisRange(d))
	y, logDet = act(t, graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, d)))
	return graph.Concatenate([]*graph.Node{y, done}, -1), logDet
}

func plus(a, b *graph.Node) *graph.Node {
	if a == nil {
		return b
	}
	return graph.Add(a, b)
}

// with puts given variables beside those of a network's input.
func with(x, given *graph.Node) *graph.Node {
	if given == nil {
		return x
	}
	return graph.Concatenate([]*graph.Node{x, given}, -1)
}

// perRow repeats a scalar for every row of x.
func perRow(v, x *graph.Node) *graph.Node { // [] to [b]
	return graph.BroadcastToDims(v, x.Shape().Dim(0))
}

func sumRow(x *graph.Node) *graph.Node { return graph.ReduceSum(x, -1) } // [b, d] to [b]
