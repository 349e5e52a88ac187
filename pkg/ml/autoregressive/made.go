package autoregressive

import (
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"sync"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers/activation"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// MADE gives all conditionals of an observation in one pass of a network whose weights are masked
// (Germain, Gregor, Murray & Larochelle, 2015). Variable number t in the order has degree t, every
// hidden unit a degree between 1 and d−1; a unit sees what has at most its own degree, an output
// only what has less:
//
//	h = relu(b + (W ∘ [deg_in ≤ deg_h]) x),    logits_j = c + (V ∘ [deg_h < deg_j]) h + (A ∘ [deg_in < deg_j]) x
//
// so that the output of a variable depends on those before it and on nothing else, exactly. One
// network can serve several orders at once; the model is then the mean of the probabilities that
// they give. The loss is −log p in nats, the mean over the observations of a minibatch.
type MADE struct {
	Levels int // values a variable can take, 0 to Levels−1; 0 means 2. Two levels have one logit a variable, more a softmax
	// Widths of the hidden layers; nil means {500, 500}; empty and not nil means none: each
	// conditional is a logistic regression on those before
	Hidden  []int
	Order   []int   // the variables in the order in which they are generated; nil means 0, 1, …, d−1
	Orders  int     // how many orders share the network: Order and Orders−1 random ones; 0 means 1
	Dropout float64 // share of hidden units that a step leaves out; 0 means 0.5, negative none
	Train   neural.Train
}

// MADEModel is a trained MADE.
type MADEModel struct {
	neural.Trained
	Levels    int
	Variables int // d
	Hidden    []int
	Degrees   *mat.Dense // orders × d: when, from 1, a variable is generated in each order

	fixedOnce  sync.Once
	fixed      *fixedMADE
	fixedError error // of weights that do not fit
}

func init() { ml.Register[MADEModel]("autoregressive.MADEModel") }

// Fit trains on the rows of x; with validation data (Train.Validation, Train.Holdout) the weights
// kept are those of the report with the lowest validation loss. The error is ml.ErrParameter for an
// option or an entry of x out of range, ml.ErrNotFinite and ml.ErrEmpty as ml.Dense says, a
// *neural.Diverged, and ctx.Err() along with the model so far.
func (m MADE) Fit(ctx context.Context, x mat.Matrix) (*MADEModel, error) {
	return ml.Last(m.Iterate(ctx, x))
}

const madeMethod = "autoregressive.MADE"

// Iterate yields the model at each report of the training.
func (m MADE) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*MADEModel, error] {
	return neural.Models(ctx, func() (neural.Train, neural.Problem, func(neural.Trained) *MADEModel, error) {
		f, p, err := m.problem(x)
		if err != nil {
			return m.Train, p, nil, err
		}
		train := m.Train.Or(neural.Train{Steps: 2000, Batch: 100, LearningRate: 1e-3})
		return train, p, func(r neural.Trained) *MADEModel {
			return &MADEModel{Trained: r, Levels: f.Levels, Variables: f.d, Hidden: f.Hidden, Degrees: f.degrees}
		}, nil
	})
}

// made is a MADE whose options are complete: what the graph is built from.
type made struct {
	MADE
	d       int
	degrees *mat.Dense
	tap     func(in, out *graph.Node) // told what enters and what leaves each layer as the graph is built; nil asks for nothing
}

// problem checks options and data and states what is trained.
func (m MADE) problem(x mat.Matrix) (*made, neural.Problem, error) {
	p := neural.Problem{Method: madeMethod}
	levels, err := symbol.Levels(madeMethod, m.Levels)
	if err != nil {
		return nil, p, err
	}
	y, err := symbol.Check(madeMethod, x, levels)
	if err != nil {
		return nil, p, err
	}
	_, d := y.Dims()
	f := &made{MADE: m, d: d}
	f.Levels = levels
	if m.Hidden == nil {
		f.Hidden = []int{500, 500}
	}
	for i, h := range f.Hidden {
		if h < 1 {
			return nil, p, ml.BadParameter(madeMethod, fmt.Sprintf("Hidden[%d]", i), h, "at least 1")
		}
	}
	switch {
	case m.Dropout == 0:
		f.Dropout = 0.5
	case m.Dropout < 0:
		f.Dropout = 0
	case !(m.Dropout < 1):
		return nil, p, ml.BadParameter(madeMethod, "Dropout", m.Dropout, "below 1")
	}
	if f.degrees, err = m.orders(d); err != nil {
		return nil, p, err
	}
	parts, err := m.Train.Divide(madeMethod, y)
	if err != nil {
		return nil, p, err
	}
	if p.Data, p.Validation, err = arraysOf(madeMethod, parts, func(z *mat.Dense) (*neural.Array, error) {
		if _, err := symbol.Check(madeMethod, z, levels); err != nil {
			return nil, err
		}
		return neural.Rows(madeMethod, z)
	}); err != nil {
		return nil, p, err
	}
	if f.Dropout > 0 {
		for _, h := range f.Hidden {
			p.Noise = append(p.Noise, neural.Noise{Kind: neural.Uniform, Shape: []int{h}})
		}
	}
	p.Options = f.MADE
	p.Loss = f.loss
	return f, p, nil
}

// arraysOf makes what a network reads of both parts of the data.
func arraysOf(method string, parts neural.Divided, make func(x *mat.Dense) (*neural.Array, error)) (data, validation []*neural.Array, err error) {
	train, err := make(parts.Train)
	if err != nil || parts.Validation == nil {
		return []*neural.Array{train}, nil, err
	}
	held, err := make(parts.Validation)
	if err != nil {
		return nil, nil, fmt.Errorf("validation: %w", err)
	}
	return []*neural.Array{train}, []*neural.Array{held}, nil
}

// orders gives each variable its degree in each order.
func (m MADE) orders(d int) (*mat.Dense, error) {
	if m.Orders < 0 || m.Orders > 1000 {
		return nil, ml.BadParameter(madeMethod, "Orders", m.Orders, "1 to 1000, or 0 for 1")
	}
	degrees := mat.NewDense(max(m.Orders, 1), d, nil)
	for r := range max(m.Orders, 1) {
		order := symbol.UpTo(d)
		switch {
		case r > 0:
			order = rng.New(m.Train.Seed, streamOrders, r).Perm(d)
		case m.Order != nil:
			order = m.Order
			if sorted := slices.Sorted(slices.Values(order)); !slices.Equal(sorted, symbol.UpTo(d)) {
				return nil, ml.BadParameter(madeMethod, "Order", fmt.Sprintf("%.60s", fmt.Sprint(order)), fmt.Sprintf("each of 0 to %d once", d-1))
			}
		}
		for t, j := range order {
			degrees.Set(r, j, float64(t+1))
		}
	}
	return degrees, nil
}

const streamOrders = 100 // apart from those of neural.Train

// loss is −log p of a minibatch. In training a step sees one order, the next step the next;
// otherwise it is that of the mean over all.
func (m *made) loss(s *model.Scope, b neural.Batch) neural.Loss {
	x, g := b.Data[0], b.Data[0].Graph()
	var logp *graph.Node // [b]
	if b.Training {
		orders, _ := m.degrees.Dims()
		at := graph.ConvertDType(graph.Mod(b.Step, graph.Scalar(g, dtypes.Float32, float64(orders))), dtypes.Int32)
		degrees := graph.Reshape(graph.Gather(m.degreeTable(g), graph.Reshape(at, 1, 1)), m.d)
		logp = m.logProb(s, x, degrees, b.Noise)
	} else {
		logp = m.meanLogProb(s, x)
	}
	return neural.Loss{Total: graph.Neg(graph.ReduceAllMean(logp))}
}

func (m *made) degreeTable(g *graph.Graph) *graph.Node { // [orders, d]
	orders, _ := m.degrees.Dims()
	rows := make([][]float32, orders)
	for r := range rows {
		rows[r] = symbol.Floats(m.degrees.RawRowView(r))
	}
	return graph.Const(g, rows)
}

// meanLogProb is log of the mean over the orders of p(x).
func (m *made) meanLogProb(s *model.Scope, x *graph.Node) *graph.Node { // [b, d] to [b]
	orders, _ := m.degrees.Dims()
	var sum *graph.Node
	for r := range orders {
		logp := m.logProb(s, x, m.degreesOf(x.Graph(), r), nil)
		if sum == nil {
			sum = logp
		} else {
			sum = graph.LogAddExp(sum, logp)
		}
	}
	return graph.AddScalar(sum, -math.Log(float64(orders)))
}

func (m *made) degreesOf(g *graph.Graph, order int) *graph.Node { // [d]
	return graph.Const(g, symbol.Floats(m.degrees.RawRowView(order)))
}

// logProb is Σ_j log p(x_j | those before) in the order of the degrees.
func (m *made) logProb(s *model.Scope, x, degrees *graph.Node, noise []*graph.Node) *graph.Node { // [b, d] to [b]
	logits := m.logits(s, m.input(x), degrees, noise) // [b, d, outputs]
	if m.Levels == 2 {
		return graph.ReduceSum(dist.Bernoulli{Logits: graph.Squeeze(logits, -1)}.LogProb(x), -1)
	}
	return graph.ReduceSum(dist.Categorical{Logits: logits}.LogProb(x), -1)
}

func (m *made) oneHot(x *graph.Node) *graph.Node { // [b, d] to [b, d, Levels]
	return graph.OneHot(graph.ConvertDType(x, dtypes.Int32), m.Levels, dtypes.Float32)
}

// input is what the network sees of x: the bits themselves, or one indicator a level.
func (m *made) input(x *graph.Node) *graph.Node { // [b, d] to [b, inputs]
	if m.Levels == 2 {
		return x
	}
	return graph.Reshape(m.oneHot(x), -1, m.d*m.Levels)
}

// logits are the outputs of the masked network. noise, one uniform number a hidden unit, decides
// which units are left out; nil keeps all.
func (m *made) logits(s *model.Scope, in, degrees *graph.Node, noise []*graph.Node) *graph.Node { // [b, inputs] to [b, d, outputs]
	g, outputs, seen := in.Graph(), 1, degrees
	if m.Levels > 2 {
		outputs, seen = m.Levels, repeat(degrees, m.Levels)
	}
	out := repeat(degrees, outputs)
	h, below := in, seen
	for i, width := range m.Hidden {
		own := graph.Const(g, m.hiddenDegrees(width))
		h = activation.Relu(m.layer(s, fmt.Sprintf("hidden%d", i), h, lessOrEqual(below, own), true))
		if len(noise) > 0 {
			h = graph.Mul(h, layers.Keep(noise[i], m.Dropout))
		}
		below = own
	}
	logits := m.layer(s, "direct", in, lessThan(seen, out), true)
	if len(m.Hidden) > 0 {
		logits = graph.Add(logits, m.layer(s, "out", h, lessThan(below, out), false))
	}
	return graph.Reshape(logits, -1, m.d, outputs)
}

// hiddenDegrees deals the degrees 1 to d−1 out evenly: every variable's history has as many units.
func (m *made) hiddenDegrees(width int) []float32 {
	out := make([]float32, width)
	for k := range out {
		out[k] = float32(1 + k*max(m.d-1, 1)/width)
	}
	return out
}

// layer is masked, under the eyes of tap.
func (m *made) layer(s *model.Scope, name string, x, mask *graph.Node, bias bool) *graph.Node { // [b, in] to [b, out]
	s = layers.Glorot(s.At("%s", name))
	var y *graph.Node
	if bias {
		y = layers.Masked(s, x, mask)
	} else {
		y = layers.Product(x, graph.Mul(layers.Variable(s, x, "weights", mask.Shape().Dimensions...), mask), nil)
	}
	if m.tap != nil {
		m.tap(x, y)
	}
	return y
}

func lessOrEqual(from, to *graph.Node) *graph.Node { // [in], [out] to [in, out]
	return graph.ConvertDType(graph.LessOrEqual(graph.InsertAxes(from, 1), graph.InsertAxes(to, 0)), dtypes.Float32)
}

func lessThan(from, to *graph.Node) *graph.Node { // [in], [out] to [in, out]
	return graph.ConvertDType(graph.LessThan(graph.InsertAxes(from, 1), graph.InsertAxes(to, 0)), dtypes.Float32)
}

// repeat gives every entry of v times over, one after the other.
func repeat(v *graph.Node, times int) *graph.Node { // [d] to [d·times]
	if times == 1 {
		return v
	}
	d := v.Shape().Dimensions[0]
	return graph.Reshape(graph.BroadcastToDims(graph.InsertAxes(v, 1), d, times), d*times)
}

// network is the model as the graph functions want it.
func (m *MADEModel) network() *made {
	return &made{MADE: MADE{Levels: m.Levels, Hidden: m.Hidden}, d: m.Variables, degrees: m.Degrees}
}

const chunk = 256 // rows a call of a compiled function

// LogProb returns log p of each row, in nats: of the mean over the orders of their probabilities.
// Errors are ml.ErrParameter for an entry out of range, ml.ErrShape for another number of columns,
// and those of ml.Dense.
func (m *MADEModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	out, err := m.apply(ctx, "autoregressive.MADEModel.LogProb", "log-prob", x, func(n *made, s *model.Scope, x *graph.Node) *graph.Node {
		return graph.InsertAxes(n.meanLogProb(s, x), -1)
	})
	if err != nil {
		return nil, err
	}
	return mat.Col(nil, 0, out), nil
}

// Conditionals returns p(x_j = k | those before j in the first order) for each row and every j: n×d
// probabilities of a 1 where there are two levels, n×(d·Levels) otherwise, those of a variable side
// by side.
func (m *MADEModel) Conditionals(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	return m.conditionals(ctx, "autoregressive.MADEModel.Conditionals", 0, x)
}

func (m *MADEModel) conditionals(ctx context.Context, method string, order int, x mat.Matrix) (*mat.Dense, error) {
	return m.apply(ctx, method, fmt.Sprintf("conditionals-%d", order), x, func(n *made, s *model.Scope, x *graph.Node) *graph.Node {
		logits := n.logits(s, n.input(x), n.degreesOf(x.Graph(), order), nil)
		if n.Levels == 2 {
			return graph.Sigmoid(graph.Squeeze(logits, -1))
		}
		return graph.Reshape(graph.Softmax(logits, -1), -1, n.d*n.Levels)
	})
}

// apply runs a function of the network on every row.
func (m *MADEModel) apply(ctx context.Context, method, name string, x mat.Matrix, f func(*made, *model.Scope, *graph.Node) *graph.Node) (*mat.Dense, error) {
	y, err := symbol.Check(method, x, m.Levels)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, y, m.Variables); err != nil {
		return nil, err
	}
	in, err := neural.Rows(method, y)
	if err != nil {
		return nil, err
	}
	compiled, err := m.Func(name, nil, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		return []*graph.Node{f(m.network(), s, in[0])}
	})
	if err != nil {
		return nil, err
	}
	out, err := compiled.Rows(ctx, chunk, in)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Sample draws n observations, one variable after another, d passes of the network for each order;
// where there are several orders, sample i follows order i mod their number. A sample depends on
// the seed and its number alone.
func (m *MADEModel) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	const method = "autoregressive.MADEModel.Sample"
	if n < 1 {
		return nil, ml.BadParameter(method, "n", n, "at least 1")
	}
	orders, d := m.Degrees.Dims()
	x := mat.NewDense(n, d, nil)
	for order := range min(orders, n) {
		var of []int // the samples that follow this order
		for i := order; i < n; i += orders {
			of = append(of, i)
		}
		u := mat.NewDense(len(of), d, nil)
		for k, i := range of {
			r := rng.New(seed, i)
			for t := range d {
				u.Set(k, t, r.Float64())
			}
		}
		part := mat.NewDense(len(of), d, nil)
		if err := m.generate(ctx, method, order, part, u); err != nil {
			return nil, err
		}
		for k, i := range of {
			x.SetRow(i, part.RawRowView(k))
		}
	}
	return x, nil
}

// generate fills x in an order; u has the random number of each step.
func (m *MADEModel) generate(ctx context.Context, method string, order int, x, u *mat.Dense) error {
	n, d := x.Dims()
	at := make([]int, d) // the variable of a step
	for j, degree := range m.Degrees.RawRowView(order) {
		at[int(degree)-1] = j
	}
	for t, j := range at {
		p, err := m.conditionals(ctx, method, order, x)
		if err != nil {
			return err
		}
		for i := range n {
			of := p.RawRowView(i)
			if m.Levels == 2 {
				x.Set(i, j, float64(symbol.Draw([]float64{1 - of[j], of[j]}, u.At(i, t))))
			} else {
				x.Set(i, j, float64(symbol.Draw(of[j*m.Levels:(j+1)*m.Levels], u.At(i, t))))
			}
		}
	}
	return nil
}
