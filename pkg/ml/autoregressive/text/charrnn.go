package text

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math"
	"sync"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// CharRNN is a recurrent network that predicts each character of a text from all before it
// (Sutskever, Martens & Hinton, 2011; Graves, 2013). The state h of its cells takes in one
// character after another, and says what may come next:
//
//	h_t = cell(x_t, h_{t−1}),    log p(x_{t+1} | x_1 … x_t) = log softmax(h_t V + b)
//
// It trains on windows of Sequence characters, each from a state of zeros, and propagates the
// gradient through all of a window (truncated backpropagation through time, Williams & Peng, 1990).
// The loss is −log p in nats, the mean over the characters of a minibatch, the first of a window
// included, of which it sees nothing. Afterwards the state is carried along a text of any length.
//
// A character is a Unicode code point. A step of training costs O(Batch · Sequence · Layers ·
// Hidden²), one character afterwards O(Layers · Hidden²) and no memory beside the state.
type CharRNN struct {
	Cell     Cell    // GRU, LSTM or Elman; "" means GRU
	Hidden   int     // units of a layer; 0 means 128
	Layers   int     // one above the other; 0 means 1
	Embed    int     // numbers that stand for a character at the input; 0 means an indicator for each (one-hot)
	Sequence int     // characters of a window; 0 means 64, at least 2
	Dropout  float64 // share of each layer's outputs left out, the same ones all along a window (Gal & Ghahramani, 2016); 0 means none

	// RecurrentDropout is the share of candidates left out at each step: those units keep what they
	// remember, of which a gate forgets its part (Semeniuta, Severyn & Barth, 2016). 0 means none.
	RecurrentDropout float64

	Vocabulary string // characters that can occur; "" means those of the text
	Validation string // a text of the same vocabulary, to validate on; "" means none
	// 0 means 4,000 steps of 16 windows, or all if there are fewer, at a rate of 8e-3 that falls
	// along a cosine, with gradients of norm 1 at most
	Train neural.Train

	// Start is a model to begin with instead of random weights: of the same cell, sizes and
	// vocabulary, which are taken from it where they are not set. To go on with an interrupted
	// training to the very same numbers is what Train.Checkpoint is for.
	Start *CharRNNModel
}

// CharRNNModel is a trained CharRNN. It is a model in the sense of pkg/ml/coding: Alphabet and
// Start give it symbol by symbol.
type CharRNNModel struct {
	neural.Trained
	Cell                  Cell
	Hidden, Layers, Embed int
	Vocabulary            string // sorted: symbol k is its k-th character

	once   sync.Once
	steps  *stepper
	broken error // of weights that do not fit
}

func init() { ml.Register[CharRNNModel]("text.CharRNNModel") }

// Fit trains on a text. The error is ml.ErrParameter for an option out of range and for a character
// that is not in Vocabulary (with its place), ml.ErrShape for a text shorter than Sequence,
// ml.ErrEmpty for one of no characters, a *neural.Diverged, and ctx.Err() along with the model so
// far.
func (c CharRNN) Fit(ctx context.Context, text string) (*CharRNNModel, error) {
	return ml.Last(c.Iterate(ctx, text))
}

// Iterate yields the model at each report of the training.
func (c CharRNN) Iterate(ctx context.Context, text string) iter.Seq2[*CharRNNModel, error] {
	return neural.Models(ctx, func() (neural.Train, neural.Problem, func(neural.Trained) *CharRNNModel, error) {
		n, v, p, err := c.problem(text)
		// On Shakespeare many steps with few windows did better than few with many, which took
		// longer.
		t := c.Train.Or(neural.Train{Steps: 4000, Batch: 16, LearningRate: 8e-3, Schedule: neural.Cosine, ClipNorm: 1})
		return t, p, func(r neural.Trained) *CharRNNModel {
			return &CharRNNModel{Trained: r, Cell: n.cell, Hidden: n.hidden, Layers: n.layers, Embed: n.embed, Vocabulary: string(v.characters)}
		}, err
	})
}

const charRNNMethod = "text.CharRNN"

// problem checks options and texts and states what is trained.
func (c CharRNN) problem(text string) (*recurrent, vocabulary, neural.Problem, error) {
	p := neural.Problem{Method: charRNNMethod}
	if c.Train.Holdout > 0 || c.Train.Validation != nil {
		return nil, vocabulary{}, p, ml.BadParameter(charRNNMethod, "Train.Holdout, Train.Validation", "set", "neither: the text to validate on is Validation")
	}
	if c.Start != nil {
		if err := c.from(c.Start); err != nil {
			return nil, vocabulary{}, p, err
		}
		p.Start = c.Start.Weights
	}
	v, err := vocabularyOf(charRNNMethod, c.Vocabulary, text)
	if err != nil {
		return nil, v, p, err
	}
	n := &recurrent{cell: c.Cell, symbols: len(v.characters), hidden: c.Hidden, layers: c.Layers, embed: c.Embed, dropout: c.Dropout, recurrentDropout: c.RecurrentDropout}
	length := c.Sequence
	for _, o := range []struct {
		value     *int
		otherwise int
	}{{&n.hidden, 128}, {&n.layers, 1}, {&length, 64}} {
		if *o.value == 0 {
			*o.value = o.otherwise
		}
	}
	if n.cell == "" {
		n.cell = GRU
	}
	if err := n.check(charRNNMethod); err != nil {
		return nil, v, p, err
	}
	if length < 2 || length > 4096 {
		return nil, v, p, ml.BadParameter(charRNNMethod, "Sequence", length, "2 to 4096, or 0 for 64")
	}
	if !(c.Dropout >= 0 && c.Dropout < 1) {
		return nil, v, p, ml.BadParameter(charRNNMethod, "Dropout", c.Dropout, "at least 0 and below 1")
	}
	if !(c.RecurrentDropout >= 0 && c.RecurrentDropout < 1) {
		return nil, v, p, ml.BadParameter(charRNNMethod, "RecurrentDropout", c.RecurrentDropout, "at least 0 and below 1")
	}
	if c.RecurrentDropout > 0 && n.cell == Elman {
		return nil, v, p, ml.BadParameter(charRNNMethod, "RecurrentDropout", c.RecurrentDropout, "0 for an Elman network, whose whole state is its candidate")
	}
	if err := textData(charRNNMethod, v, length, text, c.Validation, &p); err != nil {
		return nil, v, p, err
	}
	p.Noise = n.noise(length)
	c.Cell, c.Hidden, c.Layers, c.Sequence, c.Vocabulary, c.Validation = n.cell, n.hidden, n.layers, length, string(v.characters), ""
	p.Options = c
	p.Loss = n.loss
	return n, v, p, nil
}

// from takes what is not set from a model to start with, and refuses what is set otherwise.
func (c *CharRNN) from(m *CharRNNModel) error {
	if _, _, err := m.walker(charRNNMethod); err != nil {
		return err
	}
	if c.Cell == "" {
		c.Cell = m.Cell
	}
	if c.Vocabulary == "" {
		c.Vocabulary = m.Vocabulary
	}
	if given := string(newVocabulary(c.Vocabulary).characters); c.Cell != m.Cell || given != m.Vocabulary {
		return ml.BadShape(charRNNMethod, "Start is a %q of the characters %q, the options ask for a %q of %q", m.Cell, m.Vocabulary, c.Cell, given)
	}
	for _, o := range []struct {
		name string
		mine *int
		its  int
	}{{"Hidden", &c.Hidden, m.Hidden}, {"Layers", &c.Layers, m.Layers}, {"Embed", &c.Embed, m.Embed}} {
		if *o.mine == 0 {
			*o.mine = o.its
		}
		if *o.mine != o.its {
			return ml.BadShape(charRNNMethod, "%s is %d, that of Start %d", o.name, *o.mine, o.its)
		}
	}
	return nil
}

// check holds options, of a caller or of a file, to what can be built.
func (n *recurrent) check(method string) error {
	const most = 1 << 14
	switch {
	case n.cell != GRU && n.cell != LSTM && n.cell != Elman:
		return ml.BadParameter(method, "Cell", fmt.Sprintf("%q", n.cell), `"gru", "lstm" or "elman"`)
	case n.hidden < 1 || n.hidden > most:
		return ml.BadParameter(method, "Hidden", n.hidden, "1 to 16384, or 0 for 128")
	case n.layers < 1 || n.layers > 64:
		return ml.BadParameter(method, "Layers", n.layers, "1 to 64, or 0 for 1")
	case n.embed < 0 || n.embed > most:
		return ml.BadParameter(method, "Embed", n.embed, "0 to 16384")
	}
	return nil
}

// loss is −log p a character.
func (n *recurrent) loss(s *model.Scope, b neural.Batch) neural.Loss {
	x := n.oneHot(b.Data[0]) // [l, b, symbols]
	var noise []*graph.Node
	if b.Training {
		noise = b.Noise
	}
	return neural.Loss{Total: nats(n.logits(s, x, noise), x)}
}

// nats is the mean of −log p of what the indicators x say.
func nats(logits, x *graph.Node) *graph.Node {
	return graph.Neg(graph.ReduceAllMean(graph.ReduceSum(graph.Mul(x, graph.LogSoftmax(logits, -1)), -1)))
}

// network is the model as its graph and its steps want it.
func (m *CharRNNModel) network() *recurrent {
	return &recurrent{cell: m.Cell, symbols: len([]rune(m.Vocabulary)), hidden: m.Hidden, layers: m.Layers, embed: m.Embed}
}

// walker starts at the beginning of a text.
func (m *CharRNNModel) walker(method string) (*state, vocabulary, error) {
	m.once.Do(func() {
		n := m.network()
		if m.broken = n.check(method); m.broken == nil {
			m.steps, m.broken = n.newStepper(method, float32s(m.Weights))
		}
	})
	if m.broken != nil {
		return nil, vocabulary{}, m.broken
	}
	return m.steps.start(), newVocabulary(m.Vocabulary), nil
}

// float32s gives weights by name as they are stored, if their size is as expected.
func float32s(w neural.Weights) func(name string, rows, cols int) []float32 {
	return func(name string, rows, cols int) []float32 {
		m := w.Get(name)
		if m == nil {
			return nil
		}
		if r, c := m.Dims(); r*c != rows*cols || c != cols {
			return nil
		}
		return symbol.Floats(mat.DenseCopyOf(m).RawMatrix().Data)
	}
}

// Alphabet is the number of characters that can occur; symbol k is the k-th of Vocabulary.
func (m *CharRNNModel) Alphabet() int { return len([]rune(m.Vocabulary)) }

// Symbols numbers the characters of a text, for Start and for pkg/ml/coding. The error is that of
// Fit for a character that is not in the vocabulary.
func (m *CharRNNModel) Symbols(text string) ([]int, error) {
	return newVocabulary(m.Vocabulary).symbols("text.CharRNNModel.Symbols", "the text", text)
}

// Start returns a predictor that has seen nothing yet. A model that was put together by hand, with
// weights that do not fit, gives one whose Predict is an error.
func (m *CharRNNModel) Start() symbol.Predictor {
	w, _, err := m.walker("text.CharRNNModel.Start")
	if err != nil {
		return symbol.Failing{Err: err}
	}
	return walk{w}
}

// LogProb returns log p of each character given all before it, in nats.
func (m *CharRNNModel) LogProb(ctx context.Context, text string) ([]float64, error) {
	const method = "text.CharRNNModel.LogProb"
	w, v, err := m.walker(method)
	if err != nil {
		return nil, err
	}
	symbols, err := v.symbols(method, "the text", text)
	if err != nil {
		return nil, err
	}
	return logProbs(ctx, w, symbols)
}

// Bits reads a text to its end and returns the mean of −log₂ p of its characters, and how many
// there were. The state is all that is kept of the text. Where ctx ends first the mean is that so
// far, beside ctx.Err().
func (m *CharRNNModel) Bits(ctx context.Context, text io.Reader) (perCharacter float64, characters int, err error) {
	const method = "text.CharRNNModel.Bits"
	w, v, err := m.walker(method)
	if err != nil {
		return 0, 0, err
	}
	return v.bits(ctx, method, w, text)
}

// Sample writes n characters from the beginning. See Write.
func (m *CharRNNModel) Sample(ctx context.Context, n int, seed uint64) (string, error) {
	if n < 1 {
		return "", ml.BadParameter("text.CharRNNModel.Sample", "n", n, "at least 1")
	}
	return m.Write(ctx, Writing{Length: n, Seed: seed})
}

// Write continues a prompt. The state is carried along, a character costs one step. The text is the
// same on every machine; where ctx ends first it is what there is so far, beside ctx.Err().
func (m *CharRNNModel) Write(ctx context.Context, how Writing) (string, error) {
	const method = "text.CharRNNModel.Write"
	w, v, err := m.walker(method)
	if err != nil {
		return "", err
	}
	return v.write(ctx, method, w, how)
}

// Activations returns the state of every unit after each character: one row a character, the units
// of the first layer first.
func (m *CharRNNModel) Activations(ctx context.Context, text string) (*mat.Dense, error) {
	const method = "text.CharRNNModel.Activations"
	w, v, err := m.walker(method)
	if err != nil {
		return nil, err
	}
	symbols, err := v.symbols(method, "the text", text)
	if err != nil {
		return nil, err
	}
	out := mat.NewDense(len(symbols), m.Layers*m.Hidden, nil)
	for t, s := range symbols {
		if t%64 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		w.Observe(s)
		row := out.RawRowView(t)[:0]
		for _, h := range w.h {
			for _, x := range h {
				row = append(row, float64(x))
			}
		}
	}
	return out, nil
}

// Sensitivity says how much a prediction depends on the character k places before it, for k from 1
// to length−1: the Frobenius norm of ∂ logits / ∂ x, x being the character's indicators, as the
// root of the mean of its square over windows of the text, at most 64 of them. Of each window's
// Jacobian one random combination of rows is taken, with signs from the seed, whose square has the
// right mean. The errors are those of Fit for the text.
func (m *CharRNNModel) Sensitivity(ctx context.Context, text string, length int, seed uint64) ([]float64, error) {
	const method = "text.CharRNNModel.Sensitivity"
	if _, _, err := m.walker(method); err != nil {
		return nil, err
	}
	if length < 2 || length > 4096 {
		return nil, ml.BadParameter(method, "length", length, "2 to 4096")
	}
	p := neural.Problem{}
	if err := textData(method, newVocabulary(m.Vocabulary), length, text, text, &p); err != nil {
		return nil, err
	}
	in, n := p.Validation[0], m.network() // windows that do not overlap
	in.Ints = in.Ints[:min(in.Len(), 64)*length]
	signs := &neural.Array{Shape: []int{n.symbols}, Floats: make([]float32, in.Len()*n.symbols)}
	neural.Noise{Kind: neural.Uniform, Shape: signs.Shape}.Draw(signs.Floats, seed)
	for i, u := range signs.Floats {
		signs.Floats[i] = 1
		if u < 0.5 {
			signs.Floats[i] = -1
		}
	}
	f, err := m.Func(fmt.Sprintf("sensitivity %d", length), nil, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		x := n.oneHot(in[0])
		end := graph.Squeeze(graph.SliceAxis(n.logits(s, x, nil), 0, graph.AxisElem(length-1)), 0) // [b, symbols]
		d := graph.Gradient(graph.ReduceAllSum(graph.Mul(end, in[1])), x)[0]
		return []*graph.Node{graph.Transpose(graph.ReduceSum(graph.Square(d), -1), 0, 1)} // [b, l]
	})
	if err != nil {
		return nil, err
	}
	squares, err := f.Rows(ctx, in.Len(), in, signs)
	if err != nil {
		return nil, err
	}
	out := make([]float64, length-1)
	for k := range out {
		column := mat.Col(nil, length-2-k, squares[0])
		out[k] = math.Sqrt(stat.Mean(column, nil))
	}
	return out, nil
}
