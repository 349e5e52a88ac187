package neural

import (
	"github.com/golatent/latent/internal/rng"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/tensors"
)

// Kind is a distribution.
type Kind string

const (
	Normal  Kind = "normal"  // N(0, 1)
	Uniform Kind = "uniform" // on [0, 1)
)

// Noise is what is random in a step and handed to the graph: numbers of a shape for each example.
// They are drawn in Go from a stream of (seed, step), so that a training is the same on every
// backend and after every interruption.
type Noise struct {
	Kind  Kind
	Shape []int // of one example
}

func (z Noise) batch(b int) shapes.Shape {
	return shapes.Make(dtypes.Float32, append([]int{b}, z.Shape...)...)
}

// fill draws all numbers of a tensor. path tells the stream.
func (z Noise) fill(t *tensors.Tensor, seed uint64, path ...int) error {
	return tensors.MutableFlatData(t, func(flat []float32) { z.Draw(flat, seed, path...) })
}

// Draw fills x from the stream of a seed and a path under it.
func (z Noise) Draw(x []float32, seed uint64, path ...int) {
	r := rng.New(seed, path...)
	if z.Kind == Uniform {
		for i := range x {
			x[i] = float32(r.Uint64()>>40) / (1 << 24) // 24 bits, as many as a float32 has: never 1
		}
		return
	}
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
}
