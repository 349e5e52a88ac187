package loop

import (
	"cmp"
	"context"
	"iter"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"gonum.org/v1/gonum/mat"
)

// Sampler takes examples through many steps of one compiled function. Between steps they stay where
// the function ran; what goes there are the step's numbers and its noise.
//
// The function is called with the state, [Chunk, …], then what is Given, the numbers of the step as
// a vector, where there are any, and its Noise; its first output is the next state, of the same
// shape:
//
//	func(s *model.Scope, in []*graph.Node) []*graph.Node {
//		x, t, noise := in[0], in[1], in[2]
//		return []*graph.Node{loop.Langevin(x, score(s, x), loop.Number(t, 0), noise)}
//	}
type Sampler struct {
	Steps    int
	Given    []*neural.Array          // beside the state, the same in all steps: classes, or another picture
	Numbers  func(step int) []float32 // what the function is told of a step: its time, its size; nil means nothing
	Noise    []neural.Noise           // what it is given for each example
	Seed     uint64
	Chunk    int            // examples in one call; 0 means 64
	Progress func(step int) // is called after every step, counted from 1; nil is not
}

// Draw makes an array of noise for n examples. What an example gets depends on the seed, on path
// and on its number alone, not on how many there are.
func Draw(z neural.Noise, n int, seed uint64, path ...int) *neural.Array {
	size := 1
	for _, d := range z.Shape {
		size *= d
	}
	a := &neural.Array{Shape: z.Shape, Floats: make([]float32, n*size)}
	for i := range n {
		z.Draw(a.Floats[i*size:(i+1)*size], seed, append([]int{i}, path...)...)
	}
	return a
}

// Run returns the examples after the last step, one a row. What an example becomes depends on where
// it starts, the seed and its number alone. The error is ml.ErrParameter for an option out of
// range, ml.ErrEmpty or ml.ErrShape for a start or what is given that does not fit, an error of the
// function, and ctx.Err().
func (s Sampler) Run(ctx context.Context, f *neural.Func, start *neural.Array) (*mat.Dense, error) {
	c, err := s.chain(f, start)
	if err != nil {
		return nil, err
	}
	defer c.free()
	for step := range s.Steps {
		if err := c.step(ctx, step); err != nil {
			return nil, err
		}
	}
	return c.matrix()
}

// Iterate yields the examples at the start and after every step: for a film, or to stop early.
func (s Sampler) Iterate(ctx context.Context, f *neural.Func, start *neural.Array) iter.Seq2[*mat.Dense, error] {
	return func(yield func(*mat.Dense, error) bool) {
		c, err := s.chain(f, start)
		if err != nil {
			yield(nil, err)
			return
		}
		defer c.free()
		for step := -1; step < s.Steps; step++ {
			if step >= 0 {
				if err := c.step(ctx, step); err != nil {
					yield(nil, err)
					return
				}
			}
			x, err := c.matrix()
			if !yield(x, err) || err != nil {
				return
			}
		}
	}
}

// chain is a Sampler under way.
type chain struct {
	Sampler
	f      *neural.Func
	n      int
	states []*tensors.Tensor   // of each chunk; the last is filled up
	given  [][]*tensors.Tensor // of each chunk
}

func (s Sampler) chain(f *neural.Func, start *neural.Array) (*chain, error) {
	const method = "loop.Sampler"
	s.Chunk = cmp.Or(s.Chunk, 64)
	switch {
	case s.Steps < 0:
		return nil, ml.BadParameter(method, "Steps", s.Steps, "at least 0")
	case s.Chunk < 1:
		return nil, ml.BadParameter(method, "Chunk", s.Chunk, "at least 1")
	case start.Len() == 0 || len(start.Floats) == 0:
		return nil, ml.Empty(method, "there are no examples to start from")
	}
	for k, a := range s.Given {
		if a.Len() != start.Len() {
			return nil, ml.BadShape(method, "Given[%d] has %d examples, the start has %d", k, a.Len(), start.Len())
		}
	}
	c := &chain{Sampler: s, f: f, n: start.Len()}
	for lo := 0; lo < c.n; lo += s.Chunk {
		c.states = append(c.states, c.chunk(start, lo))
		var given []*tensors.Tensor
		for _, a := range s.Given {
			given = append(given, c.chunk(a, lo))
		}
		c.given = append(c.given, given)
	}
	return c, nil
}

// chunk is a tensor of the examples of a from lo on, filled up with zeros.
func (c *chain) chunk(a *neural.Array, lo int) *tensors.Tensor {
	size := max(len(a.Floats), len(a.Ints)) / a.Len()
	hi := min(lo+c.Chunk, a.Len())
	dims := append([]int{c.Chunk}, a.Shape...)
	if len(a.Ints) > 0 {
		x := make([]int32, c.Chunk*size)
		copy(x, a.Ints[lo*size:hi*size])
		return tensors.FromFlatDataAndDimensions(x, dims...)
	}
	x := make([]float32, c.Chunk*size)
	copy(x, a.Floats[lo*size:hi*size])
	return tensors.FromFlatDataAndDimensions(x, dims...)
}

// step takes all chunks one step further.
func (c *chain) step(ctx context.Context, step int) error {
	for k := range c.states {
		if err := ctx.Err(); err != nil {
			return err
		}
		in := append([]*tensors.Tensor{c.states[k]}, c.given[k]...)
		var own []*tensors.Tensor // of this step
		if c.Numbers != nil {
			own = append(own, tensors.FromValue(c.Numbers(step)))
		}
		for j, z := range c.Noise {
			own = append(own, c.noise(z, k*c.Chunk, step, j))
		}
		out, err := c.f.Call(append(in, own...)...)
		free(own)
		if err != nil {
			return err
		}
		if len(out) == 0 || !out[0].Shape().Equal(c.states[k].Shape()) {
			free(out)
			return ml.BadShape("loop.Sampler", "the function makes %v of a state %v", out, c.states[k].Shape())
		}
		free(out[1:])
		free(c.states[k : k+1])
		c.states[k] = out[0]
	}
	if c.Progress != nil {
		c.Progress(step + 1)
	}
	return nil
}

// noise is what the examples from lo on get as their j-th noise of a step.
func (c *chain) noise(z neural.Noise, lo, step, j int) *tensors.Tensor {
	size := 1
	for _, d := range z.Shape {
		size *= d
	}
	x := make([]float32, c.Chunk*size)
	for i := range min(c.Chunk, c.n-lo) {
		z.Draw(x[i*size:(i+1)*size], c.Seed, lo+i, step+1, j)
	}
	return tensors.FromFlatDataAndDimensions(x, append([]int{c.Chunk}, z.Shape...)...)
}

// matrix copies the examples.
func (c *chain) matrix() (*mat.Dense, error) {
	var all *mat.Dense
	for k, t := range c.states {
		m, err := neural.Matrix(t)
		if err != nil {
			return nil, err
		}
		_, d := m.Dims()
		if all == nil {
			all = mat.NewDense(c.n, d, nil)
		}
		lo, hi := k*c.Chunk, min((k+1)*c.Chunk, c.n)
		all.Slice(lo, hi, 0, d).(*mat.Dense).Copy(m.Slice(0, hi-lo, 0, d))
	}
	return all, nil
}

func (c *chain) free() {
	free(c.states)
	for _, given := range c.given {
		free(given)
	}
}

// free gives memory back that Go's collector does not see.
func free(ts []*tensors.Tensor) {
	for _, t := range ts {
		_ = t.FinalizeAll()
	}
}

// Number is one of the numbers of a step, as a scalar.
func Number(numbers *graph.Node, i int) *graph.Node { // [count] to []
	return graph.Squeeze(graph.Slice(numbers, graph.AxisElem(i)))
}
