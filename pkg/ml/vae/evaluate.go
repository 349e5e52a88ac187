package vae

import (
	"fmt"

	"github.com/golatent/latent/internal/fixed"
	"github.com/golatent/latent/pkg/ml/neural"
)

// network is an encoder or a decoder as steps from one vector to the next, evaluated by package
// fixed: the same numbers as in network.go, up to the rounding of single precision.
type network []func(x []float64) []float64

func (n network) apply(x []float64) []float64 {
	for _, step := range n {
		x = step(x)
	}
	return x
}

// builder makes networks of the weights of a model. The first thing that does not fit is kept in
// err.
type builder struct {
	v       VAE
	weights neural.Weights
	columns int
	err     error
}

func (b *builder) fail(name string, err error) {
	if err != nil && b.err == nil {
		b.err = fmt.Errorf("%s: %w", name, err)
	}
}

func swish(x []float64) []float64 {
	fixed.Swish(x)
	return x
}

func (b *builder) affine(name string, in, out int) *fixed.Affine {
	a, err := fixed.NewAffine(b.weights.Get(name+"/weights"), b.weights.Get(name+"/biases"), in, out)
	b.fail(name, err)
	return a
}

func (b *builder) convolution(name string, height, width, in, out, stride int) *fixed.Convolution {
	return &fixed.Convolution{Height: height, Width: width, Size: 3, Stride: stride, Affine: b.affine(name, 9*in, out)}
}

// encoder maps x to the means and, behind them, the logarithms of the variances.
func (b *builder) encoder() (n network) {
	width := b.columns
	switch b.v.Network {
	case Linear:
	case Convolutional:
		height, across, in := b.v.Height, b.columns/b.v.Height, 1
		for i, channels := range b.v.Hidden {
			c := b.convolution(fmt.Sprintf("/encoder/down%d", i), height, across, in, channels, 2)
			n = append(n, c.Apply, swish)
			height, across = c.Dims()
			in = channels
		}
		width = height * across * in
	default:
		for i, h := range b.v.Hidden {
			n = append(n, b.affine(fmt.Sprintf("/encoder/hidden%d", i), width, h).Apply, swish)
			width = h
		}
	}
	mean := b.affine("/encoder/mean", width, b.v.Latents)
	if b.v.Network != Linear {
		logVar := b.affine("/encoder/logvar", width, b.v.Latents)
		return append(n, func(x []float64) []float64 { return append(mean.Apply(x), logVar.Apply(x)...) })
	}
	log := b.weights.Get("/encoder/logvar")
	if log == nil {
		b.fail("/encoder/logvar", fmt.Errorf("there is none"))
		return nil
	}
	if r, c := log.Dims(); r*c != b.v.Latents {
		b.fail("/encoder/logvar", fmt.Errorf("it has %d numbers for %d latents", r*c, b.v.Latents))
		return nil
	}
	all := make([]float64, 0, b.v.Latents)
	r, _ := log.Dims()
	for i := range r {
		all = append(all, log.RawRowView(i)...)
	}
	return append(n, func(x []float64) []float64 { return append(mean.Apply(x), all...) })
}

// decoder maps z to one number a column.
func (b *builder) decoder() (n network) {
	if b.v.Network == Convolutional {
		return b.imageDecoder()
	}
	width := b.v.Latents
	for i := range b.v.Hidden {
		h := b.v.Hidden[len(b.v.Hidden)-1-i]
		n = append(n, b.affine(fmt.Sprintf("/decoder/hidden%d", i), width, h).Apply, swish)
		width = h
	}
	return append(n, b.affine("/decoder/out", width, b.columns).Apply)
}

func (b *builder) imageDecoder() (n network) {
	heights, widths := b.v.sizes(b.columns)
	last := len(b.v.Hidden)
	in := b.v.Hidden[last-1]
	n = append(n, b.affine("/decoder/in", b.v.Latents, heights[last]*widths[last]*in).Apply, swish)
	for i := last - 1; i >= 0; i-- {
		h, w, channels := heights[i], widths[i], in
		n = append(n, func(x []float64) []float64 { return doubledTo(x, h, w, channels) })
		n = append(n, b.convolution(fmt.Sprintf("/decoder/up%d", i), h, w, in, b.v.Hidden[i], 1).Apply, swish)
		in = b.v.Hidden[i]
	}
	return append(n, b.convolution("/decoder/out", heights[0], widths[0], in, 1, 1).Apply)
}

// doubledTo repeats every pixel in both directions, and cuts the picture to height×width.
func doubledTo(x []float64, height, width, channels int) []float64 {
	half := (width + 1) / 2
	y := make([]float64, 0, height*width*channels)
	for r := range height {
		for c := range width {
			at := (r/2*half + c/2) * channels
			y = append(y, x[at:at+channels]...)
		}
	}
	return y
}
