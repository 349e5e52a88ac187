package layers

import (
	"cmp"
	"slices"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// UNet makes of a picture another of the same size (Ronneberger, Fischer & Brox, 2015), as the
// noise in it for diffusion (Ho, Jain & Abbeel, 2020): residual blocks at ever smaller sizes, and
// back up, where each block also sees what the block of its size on the way down put out. The zero
// value is ready to use.
type UNet struct {
	Channels  int   // of the first level; 0 means 32
	Levels    []int // channels of each level, half as large as the one before, in multiples of Channels; nil means {1, 2, 2}
	Blocks    int   // residual blocks a level on the way down, one more on the way up; 0 means 1
	Attention []int // heights of the levels whose blocks are followed by self-attention; that in the middle always is
	Heads     int   // of attention; 0 means 4
	Classes   int   // 0 means that there are none
	Out       int   // channels of the result; 0 means those of the picture
}

// Apply computes the network. t is the time of each picture, see Sinusoidal; class is a whole
// number from 0 to Classes for each, Classes saying that no class is given (Ho & Salimans, 2022).
// Either may be nil where it is not used. The last convolution starts at 0.
func (u UNet) Apply(s *model.Scope, x, t, class *graph.Node) *graph.Node { // [b, h, w, c], [b], [b] to [b, h, w, Out]
	u.Channels, u.Blocks, u.Heads = cmp.Or(u.Channels, 32), cmp.Or(u.Blocks, 1), cmp.Or(u.Heads, 4)
	u.Out = cmp.Or(u.Out, x.Shape().Dim(-1))
	if u.Levels == nil {
		u.Levels = []int{1, 2, 2}
	}
	e := u.condition(s, x, t, class)
	h := Conv2D(s.At("in"), x, u.Channels, Kernel{})
	skips := []*graph.Node{h}
	for l, multiple := range u.Levels {
		at := s.At("down%d", l)
		for i := range u.Blocks {
			h = u.block(at.At("block%d", i), h, e, u.Channels*multiple)
			skips = append(skips, h)
		}
		if l < len(u.Levels)-1 {
			h = Conv2D(at.At("smaller"), h, h.Shape().Dim(-1), Kernel{Stride: 2})
			skips = append(skips, h)
		}
	}
	middle := s.At("middle")
	h = ResidualBlock(middle.At("block0"), h, e, h.Shape().Dim(-1))
	h = u.attend(middle.At("attention"), h)
	h = ResidualBlock(middle.At("block1"), h, e, h.Shape().Dim(-1))
	for l, multiple := range slices.Backward(u.Levels) {
		at := s.At("up%d", l)
		for i := range u.Blocks + 1 {
			var skip *graph.Node
			skip, skips = skips[len(skips)-1], skips[:len(skips)-1]
			h = graph.Concatenate([]*graph.Node{h, skip}, -1)
			h = u.block(at.At("block%d", i), h, e, u.Channels*multiple)
		}
		if l > 0 {
			like := skips[len(skips)-1] // a picture of odd size is one larger after halving and doubling
			h = crop(Nearest(h, 2), like.Shape().Dim(1), like.Shape().Dim(2))
			h = Conv2D(at.At("larger"), h, h.Shape().Dim(-1), Kernel{})
		}
	}
	return Conv2D(Zero(s.At("out")), Swish.Apply(groupNorm(s.At("norm"), h)), u.Out, Kernel{})
}

// condition is what all blocks are told of time and class; nil where there is neither.
func (u UNet) condition(s *model.Scope, x, t, class *graph.Node) (e *graph.Node) { // [b, 4·Channels]
	width := 4 * u.Channels
	if t != nil {
		e = TimeEmbedding(s.At("time"), t, width)
	}
	if u.Classes == 0 || class == nil {
		return e
	}
	c := graph.ConvertDType(Embedding(s.At("class"), class, u.Classes+1, width), x.DType())
	if e == nil {
		return c
	}
	return graph.Add(e, c)
}

func (u UNet) block(s *model.Scope, x, e *graph.Node, channels int) *graph.Node {
	x = ResidualBlock(s, x, e, channels)
	if slices.Contains(u.Attention, x.Shape().Dim(1)) {
		x = u.attend(s.At("attention"), x)
	}
	return x
}

// attend lets every pixel look at all others.
func (u UNet) attend(s *model.Scope, x *graph.Node) *graph.Node { // [b, h, w, c]
	b, h, w, c := sizes(x)
	seen := graph.Reshape(groupNorm(s.At("norm"), x), b, h*w, c)
	return graph.Add(x, graph.Reshape(MultiHead(s, seen, nil, nil, u.Heads), b, h, w, c))
}
