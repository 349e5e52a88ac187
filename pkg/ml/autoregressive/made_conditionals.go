package autoregressive

import (
	"fmt"

	"github.com/golatent/latent/internal/fixed"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
)

// Alphabet returns Levels: with Order and Start, a MADE drives the coders of package coding.
func (m *MADEModel) Alphabet() int { return m.Levels }

// Order returns the variables in the order in which they are generated, the first order where there
// are several.
func (m *MADEModel) Order() []int {
	_, d := m.Degrees.Dims()
	order := make([]int, d)
	for j := range order {
		if t := int(m.Degrees.At(0, j)); t >= 1 && t <= d {
			order[t-1] = j
		}
	}
	return order
}

// Start begins an observation in the first order; after its last variable another one begins. A
// model that was put together by hand, with weights that do not fit, gives a predictor whose
// Predict is an error.
//
// The network is evaluated in float64 in a fixed order of operations, with one result on all
// machines: what a decoder needs. A hidden unit is computed once, when all that it sees is known,
// so that an observation costs one pass of the network.
func (m *MADEModel) Start() interface { // coding.Predictor, by its methods
	Predict(p []float64) error
	Observe(level int)
} {
	m.fixedOnce.Do(func() { m.fixed, m.fixedError = m.fix("autoregressive.MADEModel.Start") })
	if m.fixedError != nil {
		return &madeWalk{err: m.fixedError}
	}
	w := &madeWalk{fixedMADE: m.fixed, known: make([]float64, 0, m.fixed.direct.In), done: make([]int, len(m.Hidden))}
	for _, width := range m.Hidden {
		w.units = append(w.units, make([]float64, width))
	}
	return w
}

// fixedMADE is a MADE whose weights lie as a walk through the variables reads them: inputs and
// outputs in the order in which the variables are generated, and what goes to one unit together.
type fixedMADE struct {
	*made
	inputs      int // of a variable: 1, or Levels indicators
	hidden      []*fixed.Affine
	degrees     [][]float32   // of the units of each layer, rising
	direct, out *fixed.Affine // out is nil without hidden layers
}

func (m *MADEModel) fix(method string) (*fixedMADE, error) {
	w := &fixedMADE{made: m.network(), inputs: 1}
	outputs := 1
	if m.Levels > 2 {
		w.inputs, outputs = m.Levels, m.Levels
	}
	if r, c := m.Degrees.Dims(); r < 1 || c != m.Variables {
		return nil, ml.BadShape(method, "the degrees are %d×%d for %d variables", r, c, m.Variables)
	}
	// The places of inputs and outputs, by the order of the variables.
	in, out := make([]int, 0, w.d*w.inputs), make([]int, 0, w.d*outputs)
	for t, j := range m.Order() {
		if m.Degrees.At(0, j) != float64(t+1) {
			return nil, ml.BadShape(method, "the degrees are no order of the variables")
		}
		for k := range w.inputs {
			in = append(in, j*w.inputs+k)
		}
		for k := range outputs {
			out = append(out, j*outputs+k)
		}
	}
	layer := func(name string, in, out int) (*fixed.Affine, error) {
		a, err := fixed.NewAffine(m.Weights.Get("/"+name+"/weights"), m.Weights.Get("/"+name+"/biases"), in, out)
		if err != nil {
			return nil, ml.BadShape(method, "layer %s: %v", name, err)
		}
		return a, nil
	}
	below := len(in)
	for i, width := range m.Hidden {
		a, err := layer(fmt.Sprintf("hidden%d", i), below, width)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			a = rearranged(a, nil, in)
		}
		w.hidden, w.degrees, below = append(w.hidden, a), append(w.degrees, w.hiddenDegrees(width)), width
	}
	direct, err := layer("direct", len(in), len(out))
	if err != nil {
		return nil, err
	}
	w.direct = rearranged(direct, out, in)
	if len(m.Hidden) > 0 {
		last, err := layer("out", below, len(out))
		if err != nil {
			return nil, err
		}
		w.out = rearranged(last, out, nil)
	}
	return w, nil
}

// rearranged takes outputs and inputs in another order; nil leaves them as they are.
func rearranged(a *fixed.Affine, out, in []int) *fixed.Affine {
	if out == nil {
		out = symbol.UpTo(a.Out)
	}
	if in == nil {
		in = symbol.UpTo(a.In)
	}
	b := &fixed.Affine{In: a.In, Out: a.Out, Weights: make([]float64, 0, len(a.Weights)), Bias: make([]float64, a.Out)}
	for k, o := range out {
		b.Bias[k] = a.Bias[o]
		for _, i := range in {
			b.Weights = append(b.Weights, a.Weights[o*a.In+i])
		}
	}
	return b
}

// madeWalk is on its way through the variables of one observation after another.
type madeWalk struct {
	*fixedMADE
	place int         // variables that are known
	known []float64   // the inputs so far
	units [][]float64 // of each layer
	done  []int       // of each layer: how many units are computed, which come first
	err   error       // of weights that do not fit: there is nothing to walk through
}

// Predict fills p, of length Levels, with the probabilities of the next variable's values.
func (w *madeWalk) Predict(p []float64) error {
	if w.err != nil {
		return w.err
	}
	if len(p) != w.Levels {
		return ml.BadShape("autoregressive.MADEModel.Start", "p has %d numbers for %d levels", len(p), w.Levels)
	}
	outputs := w.direct.Out / w.d
	for k := range outputs {
		o := w.place*outputs + k
		p[k] = w.direct.Bias[o] + fixed.Dot(w.known, w.direct.Weights[o*w.direct.In:(o+1)*w.direct.In])
		if last := len(w.done) - 1; w.out != nil {
			p[k] += fixed.Dot(w.units[last][:w.done[last]], w.out.Weights[o*w.out.In:(o+1)*w.out.In])
		}
	}
	if outputs == 1 {
		p[0], p[1] = fixed.Sigmoid(-p[0]), fixed.Sigmoid(p[0])
	} else {
		fixed.Softmax(p)
	}
	return nil
}

// Observe takes the value of the variable, and computes the units for which nothing is missing any
// more. A value that is no level is taken as the nearest.
func (w *madeWalk) Observe(level int) {
	if w.err != nil {
		return
	}
	level = min(max(level, 0), w.Levels-1)
	if w.place++; w.place == w.d {
		w.place, w.known = 0, w.known[:0]
		clear(w.done)
		return
	}
	if w.inputs == 1 {
		w.known = append(w.known, float64(level))
	} else {
		for k := range w.inputs {
			w.known = append(w.known, 0)
			if k == level {
				w.known[len(w.known)-1] = 1
			}
		}
	}
	below := w.known
	for l, a := range w.hidden {
		h, k := w.units[l], w.done[l]
		for ; k < len(h) && int(w.degrees[l][k]) <= w.place; k++ {
			h[k] = max(a.Bias[k]+fixed.Dot(below, a.Weights[k*a.In:(k+1)*a.In]), 0)
		}
		w.done[l] = k
		below = h[:k]
	}
}
