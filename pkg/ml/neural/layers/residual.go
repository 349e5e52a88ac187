package layers

import (
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// ResidualBlock adds to a picture what two convolutions make of it (He, Zhang, Ren & Sun, 2016; in
// this form Ho, Jain & Abbeel, 2020):
//
//	h = conv1(swish(norm1(x))) + condition(swish(e)),    y = x + conv2(swish(norm2(h)))
//
// with GroupNorm of 8 groups, or the most below that into which the channels fall. e, [b, any],
// says what the block is to know beside the picture, such as the time; nil says nothing. conv2
// starts at 0, and so the block as the identity. Where the number of channels changes, x takes the
// 1×1 convolution "shortcut".
func ResidualBlock(s *model.Scope, x, e *graph.Node, channels int) *graph.Node { // [b, h, w, c] to [b, h, w, channels]
	h := Conv2D(s.At("conv1"), Swish.Apply(groupNorm(s.At("norm1"), x)), channels, Kernel{})
	if e != nil {
		h = graph.Add(h, graph.InsertAxes(Affine(s.At("condition"), Swish.Apply(e), channels), 1, 1))
	}
	h = Conv2D(Zero(s.At("conv2")), Swish.Apply(groupNorm(s.At("norm2"), h)), channels, Kernel{})
	if x.Shape().Dim(-1) != channels {
		x = Conv2D(s.At("shortcut"), x, channels, Kernel{Size: 1})
	}
	return graph.Add(x, h)
}

// groupNorm has 8 groups, or the most below that into which the channels fall.
func groupNorm(s *model.Scope, x *graph.Node) *graph.Node {
	groups := 8
	for x.Shape().Dim(-1)%groups != 0 {
		groups--
	}
	return GroupNorm(s, x, groups)
}
