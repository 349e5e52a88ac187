package layers

import (
	"fmt"

	"github.com/gomlx/gomlx/core/graph"
)

// Pictures become larger by Nearest, Bilinear or DepthToSpace, before or after a convolution, and
// not by a transposed convolution, whose gradient GoMLX lacks and whose overlaps leave a
// checkerboard (Odena, Dumoulin & Olah, 2016).

// Nearest repeats every pixel factor times in both directions.
func Nearest(x *graph.Node, factor int) *graph.Node { // [b, h, w, c] to [b, factor·h, factor·w, c]
	b, h, w, c := sizes(x)
	x = graph.BroadcastToDims(graph.Reshape(x, b, h, 1, w, 1, c), b, h, factor, w, factor, c)
	return graph.Reshape(x, b, factor*h, factor*w, c)
}

func sizes(x *graph.Node) (b, h, w, c int) {
	d := x.Shape().Dimensions
	return d[0], d[1], d[2], d[3]
}

// Bilinear interpolates a picture to another size. Pixels are squares whose centers are half a
// pixel from their sides; beyond the outermost centers the picture is constant. To make a picture
// smaller by a whole number, MeanPool reads all of its pixels.
//
// The gradient of GoMLX's own interpolation is wrong on its Go backend. Here it is a product with a
// matrix for each direction.
func Bilinear(x *graph.Node, height, width int) *graph.Node { // [b, h, w, c] to [b, height, width, c]
	_, h, w, _ := sizes(x)
	x = graph.Einsum("ph,bhwc->bpwc", interpolation(x, h, height), x)
	return graph.Einsum("qw,bpwc->bpqc", interpolation(x, w, width), x)
}

// interpolation is the matrix that takes from positions to others linearly.
func interpolation(like *graph.Node, from, to int) *graph.Node { // [to, from]
	m := make([][]float64, to)
	for i := range m {
		m[i] = make([]float64, from)
		at := (float64(i)+0.5)*float64(from)/float64(to) - 0.5
		at = min(max(at, 0), float64(from-1))
		j := int(at)
		m[i][j] = 1 - (at - float64(j))
		if j+1 < from {
			m[i][j+1] = at - float64(j)
		}
	}
	return graph.ConvertDType(graph.Const(like.Graph(), m), like.DType())
}

// SpaceToDepth makes of every block of factor×factor pixels one pixel with their channels side by
// side, row after row. Both sides must be multiples of factor.
func SpaceToDepth(x *graph.Node, factor int) *graph.Node { // [b, h, w, c] to [b, h/factor, w/factor, factor²·c]
	b, h, w, c := sizes(x)
	return graph.Reshape(graph.TransposeAllAxes(blocks(x, factor), 0, 1, 3, 2, 4, 5), b, h/factor, w/factor, factor*factor*c)
}

// DepthToSpace is the inverse of SpaceToDepth (the sub-pixel shuffle of Shi et al., 2016).
func DepthToSpace(x *graph.Node, factor int) *graph.Node { // [b, h, w, factor²·c] to [b, factor·h, factor·w, c]
	b, h, w, c := sizes(x)
	if c%(factor*factor) != 0 {
		panic(fmt.Errorf("layers.DepthToSpace: %d channels are no multiple of %d²", c, factor))
	}
	c /= factor * factor
	x = graph.TransposeAllAxes(graph.Reshape(x, b, h, w, factor, factor, c), 0, 1, 3, 2, 4, 5)
	return graph.Reshape(x, b, factor*h, factor*w, c)
}

// blocks cuts a picture into blocks, whose rows and columns become axes 2 and 4.
func blocks(x *graph.Node, size int) *graph.Node { // [b, h, w, c] to [b, h/size, size, w/size, size, c]
	b, h, w, c := sizes(x)
	if h%size != 0 || w%size != 0 {
		panic(fmt.Errorf("layers: a picture of %d×%d has no whole blocks of %d×%d", h, w, size, size))
	}
	return graph.Reshape(x, b, h/size, size, w/size, size, c)
}

// cropped leaves out the last rows and columns that fill no block.
func cropped(x *graph.Node, size int) *graph.Node {
	_, h, w, _ := sizes(x)
	return crop(x, h/size*size, w/size*size)
}

func crop(x *graph.Node, height, width int) *graph.Node {
	return graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, height), graph.AxisRange(0, width), graph.AxisRange())
}

// MeanPool takes the mean of every block of size×size pixels. Rows and columns at the end that fill
// no block are left out. The gradient of GoMLX's own pools of sums crashes on its Go backend where
// they overlap.
func MeanPool(x *graph.Node, size int) *graph.Node { // [b, h, w, c] to [b, h/size, w/size, c]
	return graph.ReduceMean(blocks(cropped(x, size), size), 2, 4)
}

// MaxPool takes the largest number of every block of size×size pixels, in each channel, and leaves
// out what MeanPool does. Where several are the largest, the gradient goes to the first of them;
// that of GoMLX's maximum over an axis would go to each, whole.
func MaxPool(x *graph.Node, size int) *graph.Node { // [b, h, w, c] to [b, h/size, w/size, c]
	x = blocks(cropped(x, size), size)
	var most *graph.Node
	for i := range size {
		for j := range size {
			all := graph.AxisRange()
			one := graph.Squeeze(graph.Slice(x, all, all, graph.AxisElem(i), all, graph.AxisElem(j), all), 2, 4)
			if most == nil {
				most = one
			} else {
				most = graph.Max(most, one)
			}
		}
	}
	return most
}
