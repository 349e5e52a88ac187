package vae

import (
	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
)

// Network is how encoder and decoder are built.
type Network string

const (
	Dense         Network = "dense"         // fully connected layers
	Linear        Network = "linear"        // no hidden layer: with a Gaussian likelihood, probabilistic PCA
	Convolutional Network = "convolutional" // 3×3 convolutions that halve the picture, and back
)

// encode maps x to q(z|x).
func (v VAE) encode(s *model.Scope, x *graph.Node) (q dist.Gaussian) { // [n, d] to [n, Latents]
	switch v.Network {
	case Linear: // the posterior of probabilistic PCA has one covariance for all x
		q.Mean = layers.Affine(s.In("mean"), x, v.Latents)
		logVar := layers.Variable(layers.Zero(s), x, "logvar", v.Latents)
		q.LogVar = graph.BroadcastToDims(graph.InsertAxes(logVar, 0), x.Shape().Dim(0), v.Latents)
		return q
	case Convolutional:
		n, d := x.Shape().Dim(0), x.Shape().Dim(1)
		h := graph.Reshape(x, n, v.Height, d/v.Height, 1) // [n, height, width, 1]
		for i, channels := range v.Hidden {
			h = activation.Swish(layers.Conv2D(s.In("down%d", i), h, channels, layers.Kernel{Stride: 2}))
		}
		x = graph.Reshape(h, n, -1)
	default:
		for i, width := range v.Hidden {
			x = activation.Swish(layers.Affine(s.In("hidden%d", i), x, width))
		}
	}
	q.Mean = layers.Affine(s.In("mean"), x, v.Latents)
	// At the start q is N(mean, 1): its width is learned from there.
	q.LogVar = layers.Affine(layers.Zero(s.In("logvar")), x, v.Latents)
	return q
}

// decode maps z to one number a column: the logit of a bit, the mean of a Gaussian, the location of
// a logistic.
func (v VAE) decode(s *model.Scope, z *graph.Node, d int) *graph.Node { // [n, Latents] to [n, d]
	if v.Network == Convolutional {
		return v.decodeImage(s, z, d)
	}
	for i := range v.Hidden {
		z = activation.Swish(layers.Affine(s.In("hidden%d", i), z, v.Hidden[len(v.Hidden)-1-i]))
	}
	return layers.Affine(s.In("out"), z, d)
}

// decodeImage doubles a small picture until it is whole. Neighbors are repeated and then convolved:
// a transposed convolution has no gradient in GoMLX.
func (v VAE) decodeImage(s *model.Scope, z *graph.Node, d int) *graph.Node {
	n := z.Shape().Dim(0)
	heights, widths := v.sizes(d)
	last := len(v.Hidden)
	channels := v.Hidden[last-1]
	h := activation.Swish(layers.Affine(s.In("in"), z, heights[last]*widths[last]*channels))
	h = graph.Reshape(h, n, heights[last], widths[last], channels)
	for i := last - 1; i >= 0; i-- {
		h = graph.Slice(layers.Nearest(h, 2), graph.AxisRange(), graph.AxisRange(0, heights[i]), graph.AxisRange(0, widths[i]), graph.AxisRange())
		h = activation.Swish(layers.Conv2D(s.In("up%d", i), h, v.Hidden[i], layers.Kernel{}))
	}
	h = layers.Conv2D(s.In("out"), h, 1, layers.Kernel{})
	return graph.Reshape(h, n, d)
}

// sizes are those of the picture before and after each convolution of the encoder.
func (v VAE) sizes(d int) (heights, widths []int) {
	heights, widths = []int{v.Height}, []int{d / v.Height}
	for i := range v.Hidden {
		heights, widths = append(heights, (heights[i]+1)/2), append(widths, (widths[i]+1)/2)
	}
	return heights, widths
}
