package text

import (
	"fmt"

	"github.com/golatent/latent/internal/customgrad"
	"github.com/golatent/latent/internal/fixed"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Cell is how a recurrent network makes its next state h′ of its state h and its input x. σ is
// 1/(1+e⁻ᵃ), ∘ the product of each number with each; every W, U and b of its own.
type Cell string

const (
	// GRU, the gated recurrent unit (Cho et al., 2014): h′ = (1−z)∘n + z∘h with gates r,
	// z = σ(xW + hU + b) and the candidate n = tanh(xW + b + r∘(hU + c)).
	GRU Cell = "gru"
	// LSTM, long short-term memory (Hochreiter & Schmidhuber, 1997; Gers et al., 2000): i, f,
	// o = σ(xW + hU + b), g = tanh(xW + hU + b), c′ = f∘c + i∘g, h′ = o∘tanh(c′). The forget gates
	// f start near 1 (b = 1).
	LSTM Cell = "lstm"
	// Elman is the simple network (Elman, 1990): h′ = tanh(xW + hU + b). Its gradients vanish or
	// explode with distance, which is why there are gates.
	Elman Cell = "elman"
)

// blocks is how many numbers a unit gets from a product: gates and candidate, side by side.
func (c Cell) blocks() int {
	switch c {
	case GRU: // r, z, n
		return 3
	case LSTM: // i, f, g, o
		return 4
	}
	return 1
}

// recurrent is a stack of recurrent layers over symbols, as its graph and its steps in Go are built
// from it.
type recurrent struct {
	cell                           Cell
	symbols, hidden, layers, embed int
	dropout, recurrentDropout      float64
}

// noise is what a training with dropout draws for each window: a number for each unit of a layer,
// and one for each of its units at each place.
func (n *recurrent) noise(length int) (noise []neural.Noise) {
	for range n.layers {
		if n.dropout > 0 {
			noise = append(noise, neural.Noise{Kind: neural.Uniform, Shape: []int{n.hidden}})
		}
		if n.recurrentDropout > 0 {
			noise = append(noise, neural.Noise{Kind: neural.Uniform, Shape: []int{length, n.hidden}})
		}
	}
	return noise
}

// oneHot makes indicators of symbols, time first.
func (n *recurrent) oneHot(x *graph.Node) *graph.Node { // [b, l] to [l, b, symbols]
	return graph.OneHot(graph.Transpose(x, 0, 1), n.symbols, dtypes.Float32)
}

// logits are those of the symbol at each place, of which the network sees the ones before: at the
// first place it sees nothing, an input of zeros. noise is what n.noise asks for, nil leaves no
// unit out.
func (n *recurrent) logits(s *model.Scope, x *graph.Node, noise []*graph.Node) *graph.Node { // [l, b, symbols] to the same
	g, length, batch := x.Graph(), x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	h := graph.Concatenate([]*graph.Node{graph.Zeros(g, shapes.Make(dtypes.Float32, 1, batch, n.symbols)), graph.Slice(x, graph.AxisRange(0, length-1))}, 0)
	width := n.cell.blocks() * n.hidden
	for l := range n.layers {
		at, in := s.At("layer%d", l), n.hidden
		if l == 0 {
			if in = n.symbols; n.embed > 0 {
				in = n.embed
			}
		}
		w := n.variable(at, g, "input", in, width)
		if l == 0 && n.embed > 0 {
			w = graph.Dot(n.variable(s.At("embedding"), g, "weights", n.symbols, n.embed), w).Product()
		}
		var units, candidates *graph.Node
		if len(noise) > 0 && n.dropout > 0 {
			units, noise = layers.Keep(noise[0], n.dropout), noise[1:]
		}
		if len(noise) > 0 && n.recurrentDropout > 0 {
			candidates, noise = graph.Transpose(layers.Keep(noise[0], n.recurrentDropout), 0, 1), noise[1:] // [l, b, hidden]
		}
		h = n.layer(at, layers.Product(h, w, n.bias(at, g, "biases", width, n.startingBias)), candidates) // [l, b, hidden]
		if units != nil {
			h = graph.Mul(h, graph.InsertAxes(units, 0)) // the same units all along a window
		}
	}
	out := s.At("out")
	return layers.Product(h, n.variable(out, g, "weights", n.hidden, n.symbols), n.bias(out, g, "biases", n.symbols, initializer.Zero))
}

func (n *recurrent) variable(s *model.Scope, g *graph.Graph, name string, dims ...int) *graph.Node {
	return layers.Glorot(s).VariableWithShape(name, shapes.Make(dtypes.Float32, dims...)).NodeValue(g)
}

func (n *recurrent) bias(s *model.Scope, g *graph.Graph, name string, width int, start model.VariableInitializer) *graph.Node {
	return s.WithInitializer(start).VariableWithShape(name, shapes.Make(dtypes.Float32, width)).NodeValue(g)
}

// layer runs a cell along what the inputs gave. candidates, as large as the states, is what each
// step's candidates are multiplied by; nil is 1.
//
// Autodiff has no gradient of a loop, and of a loop unrolled it makes a graph that takes a compiler
// half a minute. So the gradient is a loop of its own, backward in time, that gives the gradients G
// of all that was added up at each step; those of the matrices are then products with all steps
// side by side, HᵀG.
func (n *recurrent) layer(s *model.Scope, fromInput, candidates *graph.Node) *graph.Node { // [l, b, blocks·hidden] to [l, b, hidden]
	g := fromInput.Graph()
	in := []*graph.Node{fromInput, n.variable(s, g, "recurrent", n.hidden, n.cell.blocks()*n.hidden)}
	if n.cell == GRU {
		in = append(in, n.bias(s, g, "candidate", n.hidden, initializer.Zero))
	}
	batch := fromInput.Shape().Dimensions[1]
	zero := graph.Zeros(g, shapes.Make(dtypes.Float32, batch, n.hidden))
	var masks, kept []*graph.Node // kept by the way forward: states first
	if candidates != nil {
		masks = append(masks, candidates)
	}
	return customgrad.Apply(in, func(in []*graph.Node) *graph.Node {
		carry := []*graph.Node{zero}
		if n.cell == LSTM {
			carry = append(carry, zero)
		}
		kept = scan(false, append([]*graph.Node{in[0]}, masks...), carry, in[1:], n.forward)
		return kept[0]
	}, func(in []*graph.Node, v *graph.Node) []*graph.Node {
		before := func(x *graph.Node) *graph.Node { // what it was one step earlier
			return graph.Concatenate([]*graph.Node{graph.InsertAxes(zero, 0), graph.Slice(x, graph.AxisRange(0, x.Shape().Dimensions[0]-1))}, 0)
		}
		along := append([]*graph.Node{v, before(kept[0])}, kept[1:]...)
		carry := []*graph.Node{zero}
		if n.cell == LSTM {
			carry = append(carry, zero)
			along = append(along, before(kept[1]))
		}
		back := scan(true, append(along, masks...), carry, []*graph.Node{graph.Transpose(in[1], 0, 1), graph.OnesLike(zero)}, n.backward)
		flat := func(x *graph.Node) *graph.Node { return graph.Reshape(x, -1, x.Shape().Dimensions[2]) }
		grads := []*graph.Node{back[0], nil}
		up := back[0] // of what the state gave
		if n.cell == GRU {
			up = back[1]
			grads = append(grads, graph.ReduceSum(n.block(flat(up), 2), 0))
		}
		grads[1] = graph.DotGeneral(flat(before(kept[0])), []int{0}, nil, flat(up), []int{0}, nil)
		return grads
	})
}

// block cuts the k-th block of as many columns as there are units.
func (n *recurrent) block(a *graph.Node, k int) *graph.Node { // [b, blocks·hidden] to [b, hidden]
	return graph.Slice(a, graph.AxisRange(), graph.AxisRange(k*n.hidden, (k+1)*n.hidden))
}

// without is a with the units left out that x says, after n other things, if it does.
func without(a *graph.Node, x []*graph.Node, n int) *graph.Node {
	if len(x) == n {
		return a
	}
	return graph.Mul(a, x[n])
}

// forward is one step of a cell. It puts out the state first, and then what backward wants to know.
func (n *recurrent) forward(x, carry, fixed []*graph.Node) (out, next []*graph.Node) {
	h, a := carry[0], x[0]                 // [b, hidden], [b, blocks·hidden]
	up := graph.Dot(h, fixed[0]).Product() // as a
	sum := func(k int) *graph.Node { return graph.Add(n.block(a, k), n.block(up, k)) }
	switch n.cell {
	case GRU:
		r, z := graph.Sigmoid(sum(0)), graph.Sigmoid(sum(1))
		c := graph.Add(n.block(up, 2), graph.InsertAxes(fixed[1], 0))
		candidate := graph.Tanh(graph.Add(n.block(a, 2), graph.Mul(r, c)))
		left := without(candidate, x, 1)
		h = graph.Add(left, graph.Mul(z, graph.Sub(h, left)))
		return []*graph.Node{h, r, z, candidate, c}, []*graph.Node{h}
	case LSTM:
		i, f, candidate, o := graph.Sigmoid(sum(0)), graph.Sigmoid(sum(1)), graph.Tanh(sum(2)), graph.Sigmoid(sum(3))
		c := graph.Add(graph.Mul(f, carry[1]), graph.Mul(i, without(candidate, x, 1)))
		h = graph.Mul(o, graph.Tanh(c))
		return []*graph.Node{h, c, i, f, candidate, o}, []*graph.Node{h, c}
	}
	h = graph.Tanh(sum(0))
	return []*graph.Node{h, h}, []*graph.Node{h} // twice: backward wants the state after the step too
}

// backward is the step of the gradient: x is that of the step's output, the state before and what
// forward put out after the state; carry comes from the step after. It puts out the gradients of
// what input and state gave. fixed holds Uᵀ, and ones: a loop can't use constants from outside of
// it as GoMLX keeps them.
func (n *recurrent) backward(x, carry, fixed []*graph.Node) (out, next []*graph.Node) {
	less := func(a *graph.Node) *graph.Node { return graph.Sub(fixed[1], a) } // 1 − a
	bend := func(a *graph.Node) *graph.Node { return less(graph.Mul(a, a)) }  // tanh′ by tanh
	gate := func(a *graph.Node) *graph.Node { return graph.Mul(a, less(a)) }  // σ′ by σ
	mul := func(a ...*graph.Node) *graph.Node {
		p := a[0]
		for _, b := range a[1:] {
			p = graph.Mul(p, b)
		}
		return p
	}
	v, h := graph.Add(x[0], carry[0]), x[1]
	switch n.cell {
	case GRU:
		r, z, candidate, c := x[2], x[3], x[4], x[5]
		dc := without(mul(v, less(z), bend(candidate)), x, 6)
		dz := mul(v, graph.Sub(h, without(candidate, x, 6)), gate(z))
		dr := mul(dc, c, gate(r))
		up := graph.Concatenate([]*graph.Node{dr, dz, graph.Mul(dc, r)}, -1)
		return []*graph.Node{graph.Concatenate([]*graph.Node{dr, dz, dc}, -1), up}, []*graph.Node{graph.Add(graph.Mul(v, z), graph.Dot(up, fixed[0]).Product())}
	case LSTM:
		c, i, f, candidate, o, before := x[2], x[3], x[4], x[5], x[6], x[7]
		t := graph.Tanh(c)
		dc := graph.Add(carry[1], mul(v, o, bend(t)))
		up := graph.Concatenate([]*graph.Node{mul(dc, without(candidate, x, 8), gate(i)), mul(dc, before, gate(f)), without(mul(dc, i, bend(candidate)), x, 8), mul(v, t, gate(o))}, -1)
		return []*graph.Node{up}, []*graph.Node{graph.Dot(up, fixed[0]).Product(), graph.Mul(dc, f)}
	}
	up := mul(v, bend(x[2]))
	return []*graph.Node{up}, []*graph.Node{graph.Dot(up, fixed[0]).Product()}
}

// startingBias is 0, and 1 for the forget gates of an LSTM: what it has stored it keeps until it
// learns not to.
func (n *recurrent) startingBias(g *graph.Graph, shape shapes.Shape) *graph.Node {
	b := make([]float32, shape.Dimensions[0])
	if n.cell == LSTM {
		for i := n.hidden; i < 2*n.hidden; i++ {
			b[i] = 1
		}
	}
	return graph.Const(g, b)
}

// stepper is a recurrent network with its weights, for one symbol after another in Go.
type stepper struct {
	recurrent
	table  []float32 // symbols × blocks·hidden
	layer  []stepLayer
	out    []float32 // hidden × symbols
	biases []float32 // of the output
}

type stepLayer struct{ input, recurrent, biases, candidate []float32 }

// newStepper takes the weights by the names that the graph gave them; get is nil for one that is
// missing or of another shape.
func (n *recurrent) newStepper(method string, get func(name string, rows, cols int) []float32) (*stepper, error) {
	var lost []string
	take := func(name string, rows, cols int) []float32 {
		w := get(name, rows, cols)
		if w == nil {
			lost = append(lost, name)
		}
		return w
	}
	st := &stepper{recurrent: *n, layer: make([]stepLayer, n.layers)}
	width := n.cell.blocks() * n.hidden
	for l := range st.layer {
		name := func(s string) string { return fmt.Sprintf("/layer%d/%s", l, s) }
		rows := n.hidden
		if l == 0 {
			if rows = n.symbols; n.embed > 0 {
				rows = n.embed
			}
		}
		st.layer[l] = stepLayer{take(name("input"), rows, width), take(name("recurrent"), n.hidden, width), take(name("biases"), 1, width), nil}
		if n.cell == GRU {
			st.layer[l].candidate = take(name("candidate"), 1, n.hidden)
		}
	}
	st.out, st.biases = take("/out/weights", n.hidden, n.symbols), take("/out/biases", 1, n.symbols)
	st.table = st.layer[0].input
	var embedding []float32
	if n.embed > 0 {
		embedding = take("/embedding/weights", n.symbols, n.embed)
	}
	if len(lost) > 0 {
		return nil, fmt.Errorf("%s: the model has no weights %v of the shapes that its options ask for", method, lost)
	}
	if n.embed > 0 {
		st.table = make([]float32, n.symbols*width)
		for s := range n.symbols {
			fixed.AddProduct(st.table[s*width:(s+1)*width], embedding[s*n.embed:(s+1)*n.embed], st.layer[0].input)
		}
	}
	return st, nil
}

// state is what a recurrent network knows of all symbols so far: it is its own cache, and a step
// costs the same at every place.
type state struct {
	*stepper
	h, c       [][]float32 // by layer
	in, up     []float32   // room for products
	logit      []float32
	haveLogits bool
}

// start is the state that has seen nothing yet.
func (n *stepper) start() *state {
	s := &state{stepper: n, in: make([]float32, n.cell.blocks()*n.hidden), up: make([]float32, n.cell.blocks()*n.hidden), logit: make([]float32, n.symbols)}
	for range n.layers {
		s.h, s.c = append(s.h, make([]float32, n.hidden)), append(s.c, make([]float32, n.hidden))
	}
	s.step(nil)
	return s
}

// Observe goes on by one symbol.
func (s *state) Observe(symbol int) { s.step(s.table[symbol*len(s.in) : (symbol+1)*len(s.in)]) }

// step runs every layer once. row is what the symbol adds to the first; nil adds nothing.
func (s *state) step(row []float32) {
	s.haveLogits = false
	for l, w := range s.layer {
		copy(s.in, w.biases)
		switch {
		case l > 0:
			fixed.AddProduct(s.in, s.h[l-1], w.input)
		case row != nil:
			for k, v := range row {
				s.in[k] += v
			}
		}
		clear(s.up)
		fixed.AddProduct(s.up, s.h[l], w.recurrent)
		s.cellStep(s.h[l], s.c[l], w.candidate)
	}
}

// cellStep makes the next state of one layer from s.in and s.up.
func (s *state) cellStep(h, c, candidate []float32) {
	n := len(h)
	in, up := s.in, s.up
	switch s.cell {
	case GRU:
		for k := range h {
			r, z := fixed.Sigmoid32(in[k]+up[k]), fixed.Sigmoid32(in[n+k]+up[n+k])
			next := fixed.Tanh32(in[2*n+k] + float32(r*(up[2*n+k]+candidate[k])))
			h[k] = next + float32(z*(h[k]-next))
		}
	case LSTM:
		for k := range h {
			i, f, g, o := fixed.Sigmoid32(in[k]+up[k]), fixed.Sigmoid32(in[n+k]+up[n+k]), fixed.Tanh32(in[2*n+k]+up[2*n+k]), fixed.Sigmoid32(in[3*n+k]+up[3*n+k])
			c[k] = float32(f*c[k]) + float32(i*g)
			h[k] = o * fixed.Tanh32(c[k])
		}
	default:
		for k := range h {
			h[k] = fixed.Tanh32(in[k] + up[k])
		}
	}
}

func (s *state) scores() []float32 {
	if !s.haveLogits {
		copy(s.logit, s.biases)
		fixed.AddProduct(s.logit, s.h[s.layers-1], s.out)
		s.haveLogits = true
	}
	return s.logit
}
