package fixed

import (
	"fmt"

	"gonum.org/v1/gonum/mat"
)

// Affine is the map y = b + xW.
type Affine struct {
	In, Out int
	Weights []float64 // Out×In: what goes to one output lies together
	Bias    []float64
}

// NewAffine takes the weights, in×out as networks keep them, and the biases, or nil for none.
func NewAffine(weights, bias *mat.Dense, in, out int) (*Affine, error) {
	if weights == nil {
		return nil, fmt.Errorf("there are no weights, want %d×%d", in, out)
	}
	if r, c := weights.Dims(); r != in || c != out {
		return nil, fmt.Errorf("the weights are %d×%d, want %d×%d", r, c, in, out)
	}
	a := &Affine{In: in, Out: out, Weights: make([]float64, in*out), Bias: make([]float64, out)}
	for i := range in {
		for o, w := range weights.RawRowView(i) {
			a.Weights[o*in+i] = w
		}
	}
	if bias == nil {
		return a, nil
	}
	if r, c := bias.Dims(); r*c != out {
		return nil, fmt.Errorf("there are %d biases, want %d", r*c, out)
	}
	for o := range out {
		_, c := bias.Dims()
		a.Bias[o] = bias.At(o/c, o%c)
	}
	return a, nil
}

// Apply returns the map of x.
func (a *Affine) Apply(x []float64) []float64 {
	y := make([]float64, a.Out)
	for o := range y {
		y[o] = a.Bias[o] + Dot(x[:a.In], a.Weights[o*a.In:])
	}
	return y
}

// Convolution is one of a picture of Height×Width×In with Size×Size kernels, at every Stride-th
// place, the first under the kernel's middle, with zeros around so that the result has
// ⌈Height/Stride⌉×⌈Width/Stride⌉ places, of Out numbers each.
type Convolution struct {
	Height, Width, Size, Stride int
	Affine                      *Affine // of the Size·Size·In numbers under the kernel
}

// Dims returns the height and the width of the result.
func (c *Convolution) Dims() (height, width int) {
	return (c.Height + c.Stride - 1) / c.Stride, (c.Width + c.Stride - 1) / c.Stride
}

// Apply returns the convolution of x, row by row from the top, the channels of a place together.
func (c *Convolution) Apply(x []float64) []float64 {
	height, width := c.Dims()
	var y []float64
	for row := range height {
		for column := range width {
			y = append(y, c.Affine.Apply(c.under(x, row, column))...)
		}
	}
	return y
}

// under gathers what lies under the kernel at a place of the result.
func (c *Convolution) under(x []float64, row, column int) []float64 {
	in := c.Affine.In / (c.Size * c.Size)
	before := (c.Size - 1) / 2 // rows and columns of zeros above and to the left, whatever the stride
	patch := make([]float64, c.Affine.In)
	for i := range c.Size {
		for j := range c.Size {
			r, s := row*c.Stride-before+i, column*c.Stride-before+j
			if r >= 0 && r < c.Height && s >= 0 && s < c.Width {
				copy(patch[(i*c.Size+j)*in:], x[(r*c.Width+s)*in:(r*c.Width+s+1)*in])
			}
		}
	}
	return patch
}
