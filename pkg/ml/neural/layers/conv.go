package layers

import (
	"cmp"
	"errors"

	"github.com/golatent/latent/internal/customgrad"
	"github.com/gomlx/compute"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// Kernel is how a convolution walks over a picture.
type Kernel struct {
	Size     int  // of each side; 0 means 3
	Stride   int  // between two pixels of the output; 0 means 1
	Dilation int  // between two pixels that the kernel reads; 0 means 1
	Valid    bool // no padding: the output has only the pixels whose kernel lies within the picture
}

func (k Kernel) orDefaults() Kernel {
	k.Size, k.Stride, k.Dilation = cmp.Or(k.Size, 3), cmp.Or(k.Stride, 1), cmp.Or(k.Dilation, 1)
	return k
}

// before is the padding above and to the left; what is missing of a kernel of even size comes
// after.
func (k Kernel) before() int {
	if k.Valid {
		return 0
	}
	return (k.Size - 1) * k.Dilation / 2
}

// outputs is the length of an axis after a convolution: the picture's, divided by the stride and
// rounded up.
func (k Kernel) outputs(length int) int {
	if k.Valid {
		length -= (k.Size - 1) * k.Dilation
	}
	return (length + k.Stride - 1) / k.Stride
}

// Conv2D is a convolution (in the sense of networks: a correlation) and a bias for each channel.
// The picture is padded with zeros so that a stride of 1 keeps its size, and a stride of 2 halves
// it, rounding up. "weights" are [size, size, in, out], "biases" [out].
func Conv2D(s *model.Scope, x *graph.Node, out int, k Kernel) *graph.Node { // [b, h, w, in] to [b, h', w', out]
	k = k.orDefaults()
	y := Convolve(x, Variable(s, x, "weights", k.Size, k.Size, x.Shape().Dim(-1), out), k)
	return graph.Add(y, graph.InsertAxes(biases(s, x, out), 0, 0, 0))
}

// Convolve is Conv2D for weights at hand, [size, size, in, out], without bias.
//
// It is a product of patches with the weights, or, where XLA runs a kernel of odd size pixel by
// pixel, GoMLX's own convolution, which takes XLA half the time, and the Go backend ten times as
// long. Traps of GoMLX 0.28 that this avoids: the gradient of its convolution with respect to the
// input is shifted by a pixel where the kernel's side is even; that of one with a stride, a
// transposed convolution, has no gradient itself; that of a gradient with respect to the weights
// fails.
func Convolve(x, w *graph.Node, k Kernel) *graph.Node { // [b, h, w, in] to [b, h', w', out]
	k = k.orDefaults()
	k.Size = w.Shape().Dim(0)
	in, out := w.Shape().Dim(2), w.Shape().Dim(3)
	flat := graph.Reshape(w, k.Size*k.Size*in, out)
	switch {
	case k.Size == 1 && k.Stride == 1:
		return Product(x, flat, nil)
	case k.Size%2 == 1 && k.Stride == 1 && k.Dilation == 1 && !k.Valid && !onGo(x):
		return native(x, w)
	}
	var offsets []Offset
	for dy := range k.Size {
		for dx := range k.Size {
			offsets = append(offsets, Offset{dy*k.Dilation - k.before(), dx*k.Dilation - k.before()})
		}
	}
	return Product(patches(x, offsets, k.Stride, k.outputs(x.Shape().Dim(1)), k.outputs(x.Shape().Dim(2))), flat, nil)
}

// native is GoMLX's convolution with padding, for kernels of odd size. That of the gradient with
// the kernel turned by half a circle gives the gradient with respect to x, and one with places in
// the role of the kernel's and examples in that of channels the gradient with respect to w.
func native(x, w *graph.Node) *graph.Node {
	return customgrad.Apply([]*graph.Node{x, w}, func(in []*graph.Node) *graph.Node {
		return graph.Convolve(in[0], in[1]).PadSame().Done()
	}, func(in []*graph.Node, v *graph.Node) []*graph.Node {
		x, w := in[0], in[1]
		turned := graph.Transpose(graph.Reverse(w, 0, 1), 2, 3)
		half := w.Shape().Dim(0) / 2
		byPlace := graph.Convolve(graph.TransposeAllAxes(x, 3, 1, 2, 0), graph.TransposeAllAxes(v, 1, 2, 0, 3)).
			PaddingPerDim([][2]int{{half, half}, {half, half}}).Done() // [in, size, size, out]
		once := graph.IdentityWithCustomGradient(byPlace, func(_, _ *graph.Node) *graph.Node {
			panic(errors.New("layers.Convolve: a gradient with respect to the weights has no gradient"))
		})
		return []*graph.Node{native(v, turned), graph.TransposeAllAxes(once, 1, 2, 0, 3)}
	})
}

// onGo tells GoMLX's pure-Go backend, which has no dynamic slices.
func onGo(x *graph.Node) bool {
	return !x.Graph().Backend().Capabilities().Operations[compute.OpTypeDynamicSlice]
}

// Offset is a pixel relative to another: Row rows below, Col columns to the right.
type Offset struct{ Row, Col int }

// Patches gathers for every pixel, or every stride-th of every stride-th row, what lies at the
// offsets from it, side by side; what lies outside of the picture counts as 0. A product with it is
// a convolution with a kernel of any form.
func Patches(x *graph.Node, offsets []Offset, stride int) *graph.Node { // [b, h, w, c] to [b, h', w', len(offsets)·c]
	whole := Kernel{Stride: stride}
	return patches(x, offsets, stride, whole.outputs(x.Shape().Dim(1)), whole.outputs(x.Shape().Dim(2)))
}

func patches(x *graph.Node, offsets []Offset, stride, height, width int) *graph.Node {
	h, w := x.Shape().Dim(1), x.Shape().Dim(2)
	lastRow, lastCol := (height-1)*stride, (width-1)*stride // of the pixels asked for
	var top, bottom, left, right int
	for _, o := range offsets {
		top, bottom = max(top, -o.Row), max(bottom, lastRow+o.Row-(h-1))
		left, right = max(left, -o.Col), max(right, lastCol+o.Col-(w-1))
	}
	if top+bottom+left+right > 0 {
		x = graph.Pad(x, graph.ScalarZero(x.Graph(), x.DType()), compute.PadAxis{},
			compute.PadAxis{Start: top, End: bottom}, compute.PadAxis{Start: left, End: right}, compute.PadAxis{})
	}
	parts := make([]*graph.Node, len(offsets))
	for i, o := range offsets {
		row, col := top+o.Row, left+o.Col
		parts[i] = graph.Slice(x, graph.AxisRange(), graph.AxisRange(row, row+lastRow+1).Stride(stride),
			graph.AxisRange(col, col+lastCol+1).Stride(stride), graph.AxisRange())
	}
	if len(parts) == 1 {
		return parts[0]
	}
	return graph.Concatenate(parts, -1)
}
