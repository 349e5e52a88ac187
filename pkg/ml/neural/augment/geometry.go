package augment

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Move turns, resizes and shifts every picture, in this order, in one interpolation; nil leaves a
// part out. What comes in from outside of the picture is 0.
type Move struct {
	Angle    *graph.Node // [b], in radians, counterclockwise about the middle
	LogScale *graph.Node // [b], log of the factor by which the picture grows about its middle
	Shift    *graph.Node // [b, 2], pixels down and to the right
}

// Apply moves pictures.
func (m Move) Apply(x *graph.Node) *graph.Node { // [b, h, w, c] to the same
	b, h, w := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	middleRow, middleCol := float64(h-1)/2, float64(w-1)/2
	row := graph.AddScalar(places(x, b, h, w, 1), -middleRow) // from the middle
	col := graph.AddScalar(places(x, b, h, w, 2), -middleCol)
	// A pixel of the result looks for where it comes from, so all is undone from the last to the
	// first.
	if m.Shift != nil {
		row = graph.Sub(row, entry(m.Shift, 0))
		col = graph.Sub(col, entry(m.Shift, 1))
	}
	if m.LogScale != nil {
		factor := graph.Exp(graph.Neg(perPicture(m.LogScale, 3)))
		row, col = graph.Mul(row, factor), graph.Mul(col, factor)
	}
	if m.Angle != nil {
		angle := perPicture(m.Angle, 3)
		cos, sin := graph.Cos(angle), graph.Sin(angle)
		row, col = graph.Add(graph.Mul(row, cos), graph.Mul(col, sin)), graph.Sub(graph.Mul(col, cos), graph.Mul(row, sin))
	}
	return sample(x, graph.AddScalar(row, middleRow), graph.AddScalar(col, middleCol))
}

// Crop cuts a window out of every picture and resizes it: its sides are e^(−logZoom) times those of
// the picture, and it lies at a share at, from 0 to 1, of the room that this leaves above and to
// the left.
func Crop(x, at, logZoom *graph.Node, height, width int) *graph.Node { // [b, h, w, c], [b, 2], [b] to [b, height, width, c]
	b, h, w := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	share := graph.Exp(graph.Neg(perPicture(logZoom, 3)))
	along := func(axis, from, to int) *graph.Node {
		middles := graph.MulScalar(graph.AddScalar(places(x, b, height, width, axis), 0.5), float64(from)/float64(to))
		room := graph.MulScalar(graph.OneMinus(share), float64(from))
		start := graph.Mul(entry(at, axis-1), room)
		return graph.AddScalar(graph.Add(graph.Mul(middles, share), start), -0.5)
	}
	row, col := along(1, h, height), along(2, w, width)
	// Half a pixel from the sides a window of the whole picture looks beyond the outermost middles.
	within := func(v *graph.Node, length int) *graph.Node {
		return graph.MinScalar(graph.MaxScalar(v, 0.0), float64(length-1))
	}
	return sample(x, within(row, h), within(col, w))
}

// Flip mirrors left and right.
func Flip(x *graph.Node) *graph.Node { return graph.Reverse(x, 2) }

// Erase makes a rectangle of every picture 0 (DeVries & Taylor, 2017): its middle is at shares at,
// from 0 to 1, of height and width, and its sides are shares of them too.
func Erase(x, at, sides *graph.Node) *graph.Node { // [b, h, w, c], [b, 2], [b, 2] to [b, h, w, c]
	b, h, w := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	inside := func(axis, length int) *graph.Node {
		from := graph.Sub(graph.AddScalar(places(x, b, h, w, axis), 0.5), graph.MulScalar(entry(at, axis-1), float64(length)))
		half := graph.MulScalar(entry(sides, axis-1), float64(length)/2)
		return graph.LessThan(graph.Abs(from), graph.BroadcastToShape(half, from.Shape()))
	}
	erased := graph.LogicalAnd(inside(1, h), inside(2, w))
	kept := graph.OneMinus(graph.ConvertDType(erased, x.DType()))
	return graph.Mul(x, graph.InsertAxes(kept, -1))
}

// places are the rows (axis 1) or columns (axis 2) of pixels.
func places(like *graph.Node, b, height, width, axis int) *graph.Node { // [b, height, width]
	return graph.Iota(like.Graph(), shapes.Make(like.DType(), b, height, width), axis)
}

// perPicture gives a number for each picture as many axes as needed.
func perPicture(v *graph.Node, rank int) *graph.Node { // [b] to [b, 1, ...]
	dims := []int{v.Shape().Dim(0)}
	for len(dims) < rank {
		dims = append(dims, 1)
	}
	return graph.Reshape(v, dims...)
}

// entry is one of two numbers for each picture.
func entry(v *graph.Node, k int) *graph.Node { // [b, 2] to [b, 1, 1]
	return graph.InsertAxes(graph.Slice(v, graph.AxisRange(), graph.AxisElem(k)), -1)
}

// sample interpolates pictures at places between pixels; outside they are 0.
func sample(x, row, col *graph.Node) *graph.Node { // [b, h, w, c], [b, h', w'] twice to [b, h', w', c]
	above, left := graph.Floor(graph.StopGradient(row)), graph.Floor(graph.StopGradient(col))
	down, right := graph.Sub(row, above), graph.Sub(col, left)
	var sum *graph.Node
	for dy := range 2 {
		for dx := range 2 {
			weight := graph.Mul(nearness(down, dy), nearness(right, dx))
			value, inside := pixels(x, graph.AddScalar(above, float64(dy)), graph.AddScalar(left, float64(dx)))
			part := graph.Mul(value, graph.InsertAxes(graph.Mul(weight, inside), -1))
			if sum == nil {
				sum = part
			} else {
				sum = graph.Add(sum, part)
			}
		}
	}
	return sum
}

// nearness is the weight of the pixel before (0) or after (1) a place that is so far from the one
// before.
func nearness(distance *graph.Node, pixel int) *graph.Node {
	if pixel == 1 {
		return distance
	}
	return graph.OneMinus(distance)
}

// pixels are those of whole numbers of rows and columns, and 1 for those inside of the picture.
func pixels(x, row, col *graph.Node) (value, inside *graph.Node) { // [b, h', w', c] and [b, h', w']
	b, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	clipped := func(v *graph.Node, length int) *graph.Node {
		return graph.MinScalar(graph.MaxScalar(v, 0.0), float64(length-1))
	}
	r, k := clipped(row, h), clipped(col, w)
	in := graph.LogicalAnd(graph.Equal(r, row), graph.Equal(k, col))
	index := graph.ConvertDType(graph.Add(graph.MulScalar(r, float64(w)), k), dtypes.Int32)
	picture := graph.Iota(x.Graph(), index.Shape(), 0)
	value = graph.Gather(graph.Reshape(x, b, h*w, c), graph.Stack([]*graph.Node{picture, index}, -1))
	return value, graph.ConvertDType(in, x.DType())
}
