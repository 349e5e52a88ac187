package text

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"sync"

	"github.com/golatent/latent/internal/fixed"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// WaveNet predicts each symbol of a sequence by convolutions that look back and never ahead (van
// den Oord et al., 2016). A layer of dilation d joins what it has at t with what it had at t−d,
// lets a gate decide, and adds the outcome to what goes on and to what goes out:
//
//	a_t = tanh(W [h_{t−d}, h_t] + b) ∘ σ(V [h_{t−d}, h_t] + c),    h_t ← h_t + R a_t,    o_t ← o_t + S a_t
//
// With dilations 1, 2, 4, … the outcome depends on as many symbols as the dilations' sum and one
// more, a number that doubles with every layer. All places of a sequence are trained at once; p is
// the softmax of two more layers on o. The loss is −log p in nats, the mean over the symbols of a
// minibatch. Before the beginning all is 0.
//
// A row of x is a sequence of whole numbers from 0 to Levels−1. A text is one row, of the numbers
// of its characters:
//
//	x, vocabulary, err := text.Numbers(text, "")
//	net, err := text.WaveNet{Vocabulary: vocabulary}.Fit(ctx, x)
//	logp, err := net.TextLogProb(ctx, "To be or not")
//	more, err := net.Write(ctx, text.Writing{Prompt: "ROMEO:", Length: 200, Temperature: 0.8})
//
// Sampling keeps what each layer had in a queue as long as its dilation, so that a symbol costs one
// step of each layer, O(Layers · Channels · (Channels + Skip)); Writing.Naively is the loop without
// queues, for comparison.
type WaveNet struct {
	Levels     int    // values a symbol can take; 0 means 2, or the number of characters of Vocabulary
	Channels   int    // of h and of a; 0 means 32
	Skip       int    // of o and of the layer after it; 0 means 64
	Dilations  []int  // of the layers, the lowest first; nil means 1, 2, 4, 8, 16, 32
	Sequence   int    // symbols of a window to train on; 0 means whole rows, 128 where there is a Vocabulary
	Vocabulary string // of texts: the characters that symbols stand for, see Numbers
	Train      neural.Train
}

// WaveNetModel is a trained WaveNet. It is a model in the sense of pkg/ml/coding: Alphabet and
// Start give it symbol by symbol.
type WaveNetModel struct {
	neural.Trained
	Levels         int
	Vocabulary     string // sorted: symbol k is its k-th character; "" where symbols are numbers alone
	Length         int    // of the sequences it was trained on; that of a window for texts
	Channels, Skip int
	Dilations      []int

	once   sync.Once
	steps  *waveSteps
	broken error // of weights that do not fit
}

func init() { ml.Register[WaveNetModel]("text.WaveNetModel") }

// Fit trains on sequences, the rows of x, or windows of them where they are longer than Sequence;
// with validation data (Train.Validation, Train.Holdout) the weights kept are those of the report
// with the lowest validation loss. The error is ml.ErrParameter for an option or an entry of x out
// of range, ml.ErrShape for rows shorter than Sequence, ml.ErrNotFinite and ml.ErrEmpty as ml.Dense
// says, a *neural.Diverged, and ctx.Err() along with the model so far.
func (w WaveNet) Fit(ctx context.Context, x mat.Matrix) (*WaveNetModel, error) {
	return ml.Last(w.Iterate(ctx, x))
}

const waveNetMethod = "text.WaveNet"

// Iterate yields the model at each report of the training.
func (w WaveNet) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*WaveNetModel, error] {
	return neural.Models(ctx, func() (neural.Train, neural.Problem, func(neural.Trained) *WaveNetModel, error) {
		v, n, p, err := w.problem(x)
		t := w.Train.Or(neural.Train{Steps: 1000, Batch: 32, LearningRate: 2e-3, Schedule: neural.Cosine, ClipNorm: 1})
		return t, p, func(r neural.Trained) *WaveNetModel {
			return &WaveNetModel{Trained: r, Levels: n.levels, Vocabulary: string(v.characters), Length: n.length, Channels: n.channels, Skip: n.skip, Dilations: n.dilations}
		}, err
	})
}

// problem checks options and data and states what is trained.
func (w WaveNet) problem(x mat.Matrix) (v vocabulary, n *waveNet, p neural.Problem, err error) {
	p.Method = waveNetMethod
	if w.Vocabulary != "" {
		if v, err = vocabularyOf(waveNetMethod, w.Vocabulary, ""); err != nil {
			return v, nil, p, err
		}
		if w.Levels = cmp.Or(w.Levels, len(v.characters)); w.Levels != len(v.characters) {
			return v, nil, p, ml.BadParameter(waveNetMethod, "Levels", w.Levels, fmt.Sprintf("0, or %d, the number of characters of Vocabulary", len(v.characters)))
		}
		w.Sequence = cmp.Or(w.Sequence, 128)
	}
	levels, err := symbol.Levels(waveNetMethod, w.Levels)
	if err != nil {
		return v, nil, p, err
	}
	y, err := symbol.Check(waveNetMethod, x, levels)
	if err != nil {
		return v, nil, p, err
	}
	_, d := y.Dims()
	length := cmp.Or(w.Sequence, d)
	if length < 1 || length > 1<<16 || w.Sequence == 1 {
		return v, nil, p, ml.BadParameter(waveNetMethod, "Sequence", length, "2 to 65536, or 0 for whole rows, 128 where there is a Vocabulary")
	}
	parts, err := divideSequences(waveNetMethod, w.Train, y)
	if err != nil {
		return v, nil, p, err
	}
	if p.Data, err = cutRows(waveNetMethod, parts.Train, length, max(length/4, 1)); err != nil {
		return v, nil, p, err
	}
	if parts.Validation != nil {
		if _, err = symbol.Check(waveNetMethod, parts.Validation, levels); err == nil {
			p.Validation, err = cutRows(waveNetMethod, parts.Validation, length, length)
		}
		if err != nil {
			return v, nil, p, fmt.Errorf("validation: %w", err)
		}
	}
	n = &waveNet{levels: levels, length: length, channels: w.Channels, skip: w.Skip, dilations: w.Dilations}
	if err := n.complete(); err != nil {
		return v, nil, p, err
	}
	w.Levels, w.Channels, w.Skip, w.Dilations = n.levels, n.channels, n.skip, n.dilations
	p.Options = w
	p.Loss = n.loss
	return v, n, p, nil
}

// divideSequences is Divide for sequences, whose validation data may be of another length.
func divideSequences(method string, t neural.Train, x *mat.Dense) (neural.Divided, error) {
	v := t.Validation
	if t.Validation = nil; v != nil {
		t.Holdout = 0
	}
	d, err := t.Divide(method, x)
	if err == nil && v != nil {
		if d.Validation, err = ml.Dense(method, v); err != nil {
			err = fmt.Errorf("validation: %w", err)
		}
	}
	return d, err
}

// cutRows cuts windows of a length out of rows, whole rows where they are no longer, so many
// symbols apart.
func cutRows(method string, x *mat.Dense, length, apart int) ([]*neural.Array, error) {
	n, d := x.Dims()
	if d < length {
		return nil, ml.BadShape(method, "a row has %d symbols, one window takes Sequence = %d", d, length)
	}
	a, row := &neural.Array{Shape: []int{length}}, make([]int, d)
	for i := range n {
		for j, v := range x.RawRowView(i) {
			row[j] = int(v)
		}
		cut(a, row, length, apart)
	}
	return []*neural.Array{a}, nil
}

// waveNet is a WaveNet whose options are complete: what graph and steps are built from.
type waveNet struct {
	levels, length, channels, skip int
	dilations                      []int
}

// complete fills in defaults and checks.
func (n *waveNet) complete() error {
	if n.channels == 0 {
		n.channels = 32
	}
	if n.skip == 0 {
		n.skip = 64
	}
	if n.dilations == nil {
		n.dilations = []int{1, 2, 4, 8, 16, 32}
	}
	return n.check(waveNetMethod)
}

func (n *waveNet) check(method string) error {
	const most = 1 << 14
	switch {
	case n.channels < 1 || n.channels > most:
		return ml.BadParameter(method, "Channels", n.channels, "1 to 16384, or 0 for 32")
	case n.skip < 1 || n.skip > most:
		return ml.BadParameter(method, "Skip", n.skip, "1 to 16384, or 0 for 64")
	case len(n.dilations) == 0 || len(n.dilations) > 256:
		return ml.BadParameter(method, "Dilations", fmt.Sprintf("%d layers", len(n.dilations)), "1 to 256 of them, or nil for 1, 2, 4, 8, 16, 32")
	}
	for i, d := range n.dilations {
		if d < 1 || d > 1<<16 {
			return ml.BadParameter(method, fmt.Sprintf("Dilations[%d]", i), d, "1 to 65536")
		}
	}
	return nil
}

func (n *waveNet) loss(s *model.Scope, b neural.Batch) neural.Loss {
	x := graph.OneHot(b.Data[0], n.levels, dtypes.Float32) // [b, l, levels]
	return neural.Loss{Total: nats(n.logits(s, x), x)}
}

// later moves a sequence back in time, with zeros where nothing was.
func later(x *graph.Node, by int) *graph.Node { // [b, l, c] to the same
	d := x.Shape().Dimensions
	if by >= d[1] {
		return graph.ZerosLike(x)
	}
	return graph.Concatenate([]*graph.Node{graph.Zeros(x.Graph(), shapes.Make(dtypes.Float32, d[0], by, d[2])), graph.Slice(x, graph.AxisRange(), graph.AxisRange(0, d[1]-by))}, 1)
}

// logits are those of the symbol at each place, of which the network sees the ones before.
func (n *waveNet) logits(s *model.Scope, x *graph.Node) *graph.Node { // [b, l, levels] to the same
	h := layers.Affine(layers.Glorot(s.At("in")), later(x, 1), n.channels) // [b, l, channels]
	var out *graph.Node                                                    // [b, l, skip]
	for i, d := range n.dilations {
		at := s.At("layer%d", i)
		a := layers.Affine(layers.Glorot(at.At("gated")), graph.Concatenate([]*graph.Node{later(h, d), h}, -1), 2*n.channels)
		columns := func(x *graph.Node, from, to int) *graph.Node {
			return graph.Slice(x, graph.AxisRange(), graph.AxisRange(), graph.AxisRange(from, to))
		}
		a = graph.Mul(graph.Tanh(columns(a, 0, n.channels)), graph.Sigmoid(columns(a, n.channels, 2*n.channels)))
		both := layers.Affine(layers.Glorot(at.At("out")), a, n.channels+n.skip)
		h = graph.Add(h, columns(both, 0, n.channels))
		if both = columns(both, n.channels, n.channels+n.skip); out == nil {
			out = both
		} else {
			out = graph.Add(out, both)
		}
	}
	hidden := layers.Affine(layers.Glorot(s.At("hidden")), graph.MaxScalar(out, 0), n.skip)
	return layers.Affine(layers.Glorot(s.At("logits")), graph.MaxScalar(hidden, 0), n.levels)
}

// waveSteps is a WaveNet with its weights, for one symbol after another in Go.
type waveSteps struct {
	waveNet
	in, hidden, logits denseStep
	layer              []waveLayer
}

type waveLayer struct{ gated, out denseStep }

// denseStep is an affine map: rows of weights, and biases.
type denseStep struct{ w, b []float32 }

func (d denseStep) apply(y, x []float32) {
	copy(y, d.b)
	fixed.AddProduct(y, x, d.w)
}

func (n *waveNet) newSteps(method string, get func(name string, rows, cols int) []float32) (*waveSteps, error) {
	var lost []string
	dense := func(name string, rows, cols int) denseStep {
		d := denseStep{get(name+"/weights", rows, cols), get(name+"/biases", 1, cols)}
		if d.w == nil || d.b == nil {
			lost = append(lost, name)
		}
		return d
	}
	c, k := n.channels, n.skip
	w := &waveSteps{waveNet: *n, in: dense("/in", n.levels, c), hidden: dense("/hidden", k, k), logits: dense("/logits", k, n.levels)}
	for i := range n.dilations {
		w.layer = append(w.layer, waveLayer{dense(fmt.Sprintf("/layer%d/gated", i), 2*c, 2*c), dense(fmt.Sprintf("/layer%d/out", i), c, c+k)})
	}
	if len(lost) > 0 {
		return nil, fmt.Errorf("%s: the model has no weights %v of the shapes that its options ask for", method, lost)
	}
	return w, nil
}

// waveState is what a WaveNet has to keep of all symbols so far: of each layer, as many h as its
// dilation.
type waveState struct {
	*waveSteps
	queue          [][][]float32 // by layer: a ring of h
	t              int
	h, pair, a     []float32
	out, both, top []float32
	logit          []float32
}

func (n *waveSteps) start() *waveState {
	c, k := n.channels, n.skip
	s := &waveState{waveSteps: n, h: make([]float32, c), pair: make([]float32, 2*c), a: make([]float32, 2*c), out: make([]float32, k), both: make([]float32, c+k), top: make([]float32, k),
		logit: make([]float32, n.levels)}
	for _, d := range n.dilations {
		ring := make([][]float32, d)
		for i := range ring {
			ring[i] = make([]float32, c)
		}
		s.queue = append(s.queue, ring)
	}
	s.step(-1)
	return s
}

// Observe goes on by one symbol.
func (s *waveState) Observe(symbol int) { s.step(symbol) }

// step runs every layer once; symbol −1 is nothing, before the beginning.
func (s *waveState) step(symbol int) {
	c := s.channels
	copy(s.h, s.in.b)
	if symbol >= 0 {
		for k, v := range s.in.w[symbol*c : (symbol+1)*c] {
			s.h[k] = v + s.h[k]
		}
	}
	clear(s.out)
	for i, l := range s.layer {
		past := s.queue[i][s.t%len(s.queue[i])]
		copy(s.pair, past)
		copy(s.pair[c:], s.h)
		copy(past, s.h)
		l.gated.apply(s.a, s.pair)
		for k := range c {
			s.a[k] = fixed.Tanh32(s.a[k]) * fixed.Sigmoid32(s.a[c+k])
		}
		l.out.apply(s.both, s.a[:c])
		for k, v := range s.both[:c] {
			s.h[k] += v
		}
		for k, v := range s.both[c:] {
			s.out[k] += v
		}
	}
	s.t++
}

func (s *waveState) scores() []float32 {
	positive := func(x []float32) {
		for k, v := range x {
			x[k] = max(v, 0)
		}
	}
	copy(s.top, s.out)
	positive(s.top)
	s.hidden.apply(s.both[:s.skip], s.top)
	positive(s.both[:s.skip])
	s.logits.apply(s.logit, s.both[:s.skip])
	return s.logit
}

// naive is a walker without queues: for each symbol it computes again all that the symbol depends
// on.
type naive struct {
	*waveSteps
	past []int
}

func (n *naive) scores() []float32 {
	reach := 1
	for _, d := range n.dilations {
		reach += d
	}
	inputs := append([]int{-1}, n.past...)
	inputs = inputs[max(0, len(inputs)-reach):]
	s := n.blank()
	for _, symbol := range inputs {
		s.step(symbol)
	}
	return s.scores()
}

func (n *naive) Observe(symbol int) { n.past = append(n.past, symbol) }

// blank is start without its first step.
func (n *waveSteps) blank() *waveState {
	s := n.start()
	for _, ring := range s.queue {
		for _, h := range ring {
			clear(h)
		}
	}
	s.t = 0
	return s
}

// network is the model as graph and steps want it.
func (m *WaveNetModel) network() *waveNet {
	return &waveNet{levels: m.Levels, length: m.Length, channels: m.Channels, skip: m.Skip, dilations: m.Dilations}
}

func (m *WaveNetModel) stepper(method string) (*waveSteps, error) {
	m.once.Do(func() {
		n := m.network()
		if m.broken = n.check(method); m.broken == nil {
			m.steps, m.broken = n.newSteps(method, float32s(m.Weights))
		}
	})
	return m.steps, m.broken
}

// text is the model at the beginning of a text, if it was trained on one.
func (m *WaveNetModel) text(method string) (*waveSteps, vocabulary, error) {
	w, err := m.stepper(method)
	v := newVocabulary(m.Vocabulary)
	if err == nil && len(v.characters) != m.Levels {
		err = ml.BadParameter(method, "the model's vocabulary", fmt.Sprintf("%d characters", len(v.characters)), fmt.Sprintf("%d: a fit with a Vocabulary makes a model of texts", m.Levels))
	}
	return w, v, err
}

// Reach is the number of symbols that a prediction depends on: 1 + Σ Dilations.
func (m *WaveNetModel) Reach() int {
	reach := 1
	for _, d := range m.Dilations {
		reach += d
	}
	return reach
}

// Alphabet is the number of values of a symbol; with a text symbol k is the k-th of Vocabulary.
func (m *WaveNetModel) Alphabet() int { return m.Levels }

// Symbols numbers the characters of a text, for Start and for pkg/ml/coding.
func (m *WaveNetModel) Symbols(text string) ([]int, error) {
	return newVocabulary(m.Vocabulary).symbols("text.WaveNetModel.Symbols", "the text", text)
}

// Start returns a predictor that has seen nothing yet. A model that was put together by hand, with
// weights that do not fit, gives one whose Predict is an error.
func (m *WaveNetModel) Start() symbol.Predictor {
	w, err := m.stepper("text.WaveNetModel.Start")
	if err != nil {
		return symbol.Failing{Err: err}
	}
	return walk{w.start()}
}

// LogProb returns log p of each row, in nats. Errors are ml.ErrParameter for an entry out of range
// and those of ml.Dense; rows may have any length.
func (m *WaveNetModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	const method = "text.WaveNetModel.LogProb"
	w, err := m.stepper(method)
	if err != nil {
		return nil, err
	}
	y, err := symbol.Check(method, x, m.Levels)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	out, row := make([]float64, n), make([]int, d)
	for i := range n {
		for j, v := range y.RawRowView(i) {
			row[j] = int(v)
		}
		logp, err := logProbs(ctx, w.start(), row)
		if err != nil {
			return nil, err
		}
		for _, l := range logp {
			out[i] += l
		}
	}
	return out, nil
}

// Sample draws n sequences of Length symbols. A sequence depends on the seed and its number alone.
func (m *WaveNetModel) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	const method = "text.WaveNetModel.Sample"
	w, err := m.stepper(method)
	if err != nil {
		return nil, err
	}
	if n < 1 {
		return nil, ml.BadParameter(method, "n", n, "at least 1")
	}
	x := mat.NewDense(n, m.Length, nil)
	for i := range n {
		row, err := sample(ctx, method, w.start(), m.Length, 1, rng.New(seed, i))
		if err != nil {
			return nil, err
		}
		for j, s := range row {
			x.Set(i, j, float64(s))
		}
	}
	return x, nil
}

// TextLogProb returns log p of each character given those before it, in nats.
func (m *WaveNetModel) TextLogProb(ctx context.Context, text string) ([]float64, error) {
	const method = "text.WaveNetModel.TextLogProb"
	w, v, err := m.text(method)
	if err != nil {
		return nil, err
	}
	symbols, err := v.symbols(method, "the text", text)
	if err != nil {
		return nil, err
	}
	return logProbs(ctx, w.start(), symbols)
}

// Bits reads a text to its end and returns the mean of −log₂ p of its characters, and how many
// there were. Where ctx ends first the mean is that so far, beside ctx.Err().
func (m *WaveNetModel) Bits(ctx context.Context, text io.Reader) (perCharacter float64, characters int, err error) {
	const method = "text.WaveNetModel.Bits"
	w, v, err := m.text(method)
	if err != nil {
		return 0, 0, err
	}
	return v.bits(ctx, method, w.start(), text)
}

// Write continues a prompt, as CharRNNModel.Write does.
func (m *WaveNetModel) Write(ctx context.Context, how Writing) (string, error) {
	const method = "text.WaveNetModel.Write"
	w, v, err := m.text(method)
	if err != nil {
		return "", err
	}
	if how.Naively {
		return v.write(ctx, method, &naive{waveSteps: w}, how)
	}
	return v.write(ctx, method, w.start(), how)
}
