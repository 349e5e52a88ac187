package vae

import (
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Network is how encoder and decoder are built.
type Network string

const (
	Dense         Network = "dense"         // fully connected layers
	Linear        Network = "linear"        // no hidden layer: with a Gaussian likelihood, probabilistic PCA
	Convolutional Network = "convolutional" // 3×3 convolutions that halve the picture, and back
)

var zeros = initializer.Zero

// encode maps x to the mean and the log-variance of q(z|x).
func (v VAE) encode(s *model.Scope, x *graph.Node) (mean, logVar *graph.Node) { // [n, d] to [n, Latents] twice
	switch v.Network {
	case Linear: // the posterior of probabilistic PCA has one covariance for all x
		mean = layers.DenseWithBias(s.In("mean"), x, v.Latents)
		logVar = s.WithInitializer(zeros).VariableWithShape("logvar", shapes.Make(dtypes.Float32, v.Latents)).NodeValue(x.Graph())
		return mean, graph.BroadcastToDims(graph.InsertAxes(logVar, 0), x.Shape().Dim(0), v.Latents)
	case Convolutional:
		n, d := x.Shape().Dim(0), x.Shape().Dim(1)
		h := graph.Reshape(x, n, v.Height, d/v.Height, 1) // [n, height, width, 1]
		for i, channels := range v.Hidden {
			h = activation.Swish(layers.Convolution(s.In("down%d", i), h).Channels(channels).KernelSize(3).Strides(2).PadSame().Done())
		}
		x = graph.Reshape(h, n, -1)
	default:
		for i, width := range v.Hidden {
			x = activation.Swish(layers.DenseWithBias(s.In("hidden%d", i), x, width))
		}
	}
	mean = layers.DenseWithBias(s.In("mean"), x, v.Latents)
	// At the start q is N(mean, 1): its width is learned from there.
	logVar = layers.DenseWithBias(s.In("logvar").WithInitializer(zeros), x, v.Latents)
	return mean, logVar
}

// decode maps z to one number a column: the logit of a bit, the mean of a Gaussian, the location of a logistic.
func (v VAE) decode(s *model.Scope, z *graph.Node, d int) *graph.Node { // [n, Latents] to [n, d]
	if v.Network == Convolutional {
		return v.decodeImage(s, z, d)
	}
	for i := range v.Hidden {
		z = activation.Swish(layers.DenseWithBias(s.In("hidden%d", i), z, v.Hidden[len(v.Hidden)-1-i]))
	}
	return layers.DenseWithBias(s.In("out"), z, d)
}

// decodeImage doubles a small picture until it is whole. Neighbors are repeated and then convolved: a transposed convolution has no gradient in GoMLX.
func (v VAE) decodeImage(s *model.Scope, z *graph.Node, d int) *graph.Node {
	n := z.Shape().Dim(0)
	heights, widths := v.sizes(d)
	last := len(v.Hidden)
	channels := v.Hidden[last-1]
	h := activation.Swish(layers.DenseWithBias(s.In("in"), z, heights[last]*widths[last]*channels))
	h = graph.Reshape(h, n, heights[last], widths[last], channels)
	for i := last - 1; i >= 0; i-- {
		h = graph.Slice(doubled(h), graph.AxisRange(), graph.AxisRange(0, heights[i]), graph.AxisRange(0, widths[i]), graph.AxisRange())
		h = activation.Swish(layers.Convolution(s.In("up%d", i), h).Channels(v.Hidden[i]).KernelSize(3).PadSame().Done())
	}
	h = layers.Convolution(s.In("out"), h).Channels(1).KernelSize(3).PadSame().Done()
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

// doubled repeats every pixel in both directions.
func doubled(x *graph.Node) *graph.Node { // [n, h, w, c] to [n, 2h, 2w, c]
	n, h, w, c := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2), x.Shape().Dim(3)
	x = graph.BroadcastToDims(graph.Reshape(x, n, h, 1, w, 1, c), n, h, 2, w, 2, c)
	return graph.Reshape(x, n, 2*h, 2*w, c)
}
