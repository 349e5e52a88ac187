package flow

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/golatent/latent/pkg/ml/neural/loop"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// Base is the density of z, the same for each variable and independent.
type Base string

const (
	Normal   Base = "normal"   // N(0, 1)
	Logistic Base = "logistic" // σ(z)(1 − σ(z)); with one CDF layer, x is a mixture of logistics
)

// Flow composes layers from the data to z and is trained to the largest likelihood,
//
//	max Σᵢ log p(f(xᵢ)) + log|det ∂f/∂x|.
//
// The columns are brought to mean 0 and variance 1 first, which the log-densities take into
// account: they are those of the data as they came, in nats.
//
// A step costs what the layers cost for one minibatch.
type Flow struct {
	Layers []Layer // from the data to z
	Base   Base    // "" means Normal
	// Shape makes pictures of the rows: height, width and channels, the last running fastest.
	// Affine layers then look through convolutions, and Squeeze and Split have a meaning. Nil means
	// none.
	Shape []int
	// Levels says that the data are whole numbers from 0 to Levels−1. They are dequantized by
	// uniform noise (Theis, van den Oord & Bethge, 2016) and taken to the whole line by a logit;
	// their log-probability is then bounded from below. 0 means numbers of a line.
	Levels int
	// Condition has variables that are given with each row of the data, n×q: the flow is then one
	// of p(x | given). They are brought to mean 0 and variance 1 as well. Nil means none. Planar,
	// Radial, CDF, Linear and Norm layers do not look at them.
	Condition mat.Matrix
	Train     neural.Train // 0 means 3,000 steps of 256 rows at a rate of 0.002 that falls along a cosine
}

// Model is a trained flow.
type Model struct {
	neural.Trained
	Layers []Layer // complete
	Base   Base
	Shape  []int     // of pictures; nil for others
	Levels int       // of whole numbers; 0 for others
	Mean   []float64 // length d, taken from the columns before the first layer; 0 with Levels
	Scale  []float64 // length d, what they are divided by after that; 1 with Levels
	// GivenMean and GivenScale are those of the given variables, of length q; 0 where there are
	// none.
	GivenMean, GivenScale []float64

	given *mat.Dense // what verbs are conditioned on, see Given
}

func init() { ml.Register[Model]("flow.Model") }

// Fit trains on the rows of x; with validation data (Train.Validation, Train.Holdout) the weights
// kept are those of the report with the highest likelihood of them, but not with a Condition, which
// Train does not divide. The error is ml.ErrParameter for an option out of range or no layers,
// those of ml.Dense, ml.ErrShape for a Condition of another number of rows, a *neural.Diverged, and
// ctx.Err() along with the model so far.
func (f Flow) Fit(ctx context.Context, x mat.Matrix) (*Model, error) {
	return ml.Last(f.Iterate(ctx, x))
}

// Iterate yields the model at each report of the training.
func (f Flow) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*Model, error] {
	return f.iterate(ctx, "flow.Flow", x)
}

func (f Flow) iterate(ctx context.Context, method string, x mat.Matrix) iter.Seq2[*Model, error] {
	return neural.Models(ctx, func() (neural.Train, neural.Problem, func(neural.Trained) *Model, error) {
		m, problem, err := f.problem(method, x)
		train := f.Train.Or(neural.Train{Steps: 3000, Batch: 256, LearningRate: 2e-3, Schedule: neural.Cosine})
		return train, problem, func(r neural.Trained) *Model {
			made := m.with(r)
			return &made
		}, err
	})
}

// with is the model of other weights.
func (m *Model) with(r neural.Trained) Model {
	return Model{Trained: r, Layers: m.Layers, Base: m.Base, Shape: m.Shape, Levels: m.Levels, Mean: m.Mean, Scale: m.Scale,
		GivenMean: m.GivenMean, GivenScale: m.GivenScale}
}

// problem checks options and data and states what is trained.
func (f Flow) problem(method string, x mat.Matrix) (*Model, neural.Problem, error) {
	problem := neural.Problem{Method: method}
	parts, err := f.Train.Divide(method, x)
	if err != nil {
		return nil, problem, err
	}
	if f.Condition != nil && parts.Validation != nil {
		return nil, problem, ml.BadParameter(method, "Train.Holdout", f.Train.Holdout, "0, and no Validation, with a Condition")
	}
	_, d := parts.Train.Dims()
	m := &Model{Base: cmp.Or(f.Base, Normal), Shape: slices.Clone(f.Shape), Levels: f.Levels}
	if m.Layers, err = f.complete(method, d); err != nil {
		return nil, problem, err
	}
	if m.Mean, m.Scale = standard(parts.Train); m.Levels > 0 {
		clear(m.Mean)
		for j := range m.Scale {
			m.Scale[j] = 1
		}
		problem.Noise = []neural.Noise{{Kind: neural.Uniform, Shape: []int{d}}}
	}
	if problem.Data, err = m.input(method, parts.Train); err != nil {
		return nil, problem, err
	}
	if parts.Validation != nil {
		if problem.Validation, err = m.input(method, parts.Validation); err != nil {
			return nil, problem, fmt.Errorf("validation: %w", err)
		}
	}
	if f.Condition != nil {
		c, err := ml.Dense(method, f.Condition)
		if err != nil {
			return nil, problem, fmt.Errorf("condition: %w", err)
		}
		n, _ := parts.Train.Dims()
		if rows, _ := c.Dims(); rows != n {
			return nil, problem, ml.BadShape(method, "Condition has %d rows, the data have %d", rows, n)
		}
		m.GivenMean, m.GivenScale = standard(c)
		given, err := neural.Rows(method, standardized(c, m.GivenMean, m.GivenScale))
		if err != nil {
			return nil, problem, err
		}
		problem.Data = append(problem.Data, given)
	}
	problem.Options = struct {
		Layers []Layer
		Base   Base
		Shape  []int
		Levels int
	}{m.Layers, m.Base, m.Shape, m.Levels}
	problem.Loss = m.loss
	return m, problem, nil
}

// complete checks the layers and fills in their defaults.
func (f Flow) complete(method string, d int) ([]Layer, error) {
	if len(f.Layers) == 0 {
		return nil, ml.BadParameter(method, "Layers", "none", "one at least")
	}
	if f.Base != "" && f.Base != Normal && f.Base != Logistic {
		return nil, ml.BadParameter(method, "Base", fmt.Sprintf("%q", f.Base), `"normal" or "logistic"`)
	}
	shape := []int{d}
	if f.Shape != nil {
		if len(f.Shape) != 3 || slices.Min(f.Shape) < 1 || size(f.Shape) != d {
			return nil, ml.BadParameter(method, "Shape", f.Shape, fmt.Sprintf("height, width and channels, of %d numbers together", d))
		}
		shape = f.Shape
	}
	if f.Levels < 0 || f.Levels == 1 || f.Levels > 1<<16 {
		return nil, ml.BadParameter(method, "Levels", f.Levels, "2 to 65536, or 0 for numbers of a line")
	}
	all := slices.Clone(f.Layers)
	for i := range all {
		var err error
		if all[i], err = all[i].complete(method, fmt.Sprintf("Layers[%d]", i), shape); err != nil {
			return nil, err
		}
		shape = all[i].after(shape)
	}
	return all, nil
}

// standard is the mean and the deviation of each column, 1 for a column of equal values.
func standard(x *mat.Dense) (mean, scale []float64) {
	n, d := x.Dims()
	mean, scale = make([]float64, d), make([]float64, d)
	for j := range d {
		for i := range n {
			mean[j] += x.At(i, j) / float64(n)
		}
		most := 0.0
		for i := range n {
			most = max(most, math.Abs(x.At(i, j)-mean[j]))
		}
		if most == 0 || most <= 1e-12*math.Abs(mean[j]) {
			scale[j] = 1
			continue
		}
		for i := range n {
			r := (x.At(i, j) - mean[j]) / most
			scale[j] += r * r / float64(n)
		}
		scale[j] = most * math.Sqrt(scale[j])
	}
	return mean, scale
}

func standardized(x *mat.Dense, mean, scale []float64) *mat.Dense {
	y := mat.DenseCopyOf(x)
	y.Apply(func(_, j int, v float64) float64 { return (v - mean[j]) / scale[j] }, y)
	return y
}

// loss is −log p of a row in the mean, in nats of the standardised data.
func (m *Model) loss(s *model.Scope, b neural.Batch) neural.Loss {
	var noise *graph.Node
	if m.Levels > 0 {
		noise = b.Noise[0]
	}
	z, logDet := m.forward(s, b, b.Data[0], noise, m.givenOf(b.Data))
	return neural.Loss{Total: graph.Neg(graph.ReduceAllMean(graph.Add(m.Base.logProb(z), logDet)))}
}

// forward is the whole map, from the data as input has them: levels are dequantized by noise first.
func (m *Model) forward(s *model.Scope, b neural.Batch, x, noise, given *graph.Node) (z, logDet *graph.Node) {
	c := newChain(m.Layers, m.shape(), b)
	if m.Levels == 0 {
		return c.forward(s, x, given)
	}
	x, dequantized := logit(x, noise, m.Levels)
	z, logDet = c.forward(s, x, given)
	return z, graph.Add(logDet, dequantized)
}

// givenOf is the variables that are given, which stand behind the data; nil where there are none.
func (m *Model) givenOf(in []*graph.Node) *graph.Node {
	if len(m.GivenMean) == 0 {
		return nil
	}
	return in[1]
}

// shape is that of a row.
func (m *Model) shape() []int {
	if m.Shape != nil {
		return m.Shape
	}
	return []int{len(m.Mean)}
}

// logProb is the log-density of each row of z.
func (b Base) logProb(z *graph.Node) *graph.Node { // [n, d] to [n]
	if b == Logistic {
		return sumRow(graph.Add(dist.LogSigmoid(z), dist.LogSigmoid(graph.Neg(z))))
	}
	return sumRow(graph.MulScalar(graph.AddScalar(graph.Square(z), math.Log(2*math.Pi)), -0.5))
}

// input is x as the network sees it.
func (m *Model) input(method string, x mat.Matrix) ([]*neural.Array, error) {
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, y, len(m.Mean)); err != nil {
		return nil, err
	}
	if m.Levels > 0 {
		if err := m.checkLevels(method, y); err != nil {
			return nil, err
		}
	}
	a, err := neural.Rows(method, standardized(y, m.Mean, m.Scale))
	return []*neural.Array{a}, err
}

// checkLevels names the first number that is no level.
func (m *Model) checkLevels(method string, x *mat.Dense) error {
	n, _ := x.Dims()
	for i := range n {
		for j, v := range x.RawRowView(i) {
			if v != math.Trunc(v) || v < 0 || v >= float64(m.Levels) {
				return ml.BadParameter(method, fmt.Sprintf("row %d, column %d", i, j), v, fmt.Sprintf("a whole number from 0 to %d", m.Levels-1))
			}
		}
	}
	return nil
}

// Given returns the model of what lies beside the rows of c, n×q, one row each for those that a
// verb is asked about, or one row for all of them. A flow that was fitted with a Condition has no
// verbs without.
func (m *Model) Given(c mat.Matrix) *Model {
	g := m.with(m.Share())
	g.given = mat.DenseCopyOf(c)
	return &g
}

// beside adds what is given to the inputs of n rows.
func (m *Model) beside(method string, in []*neural.Array, n int) ([]*neural.Array, error) {
	q := len(m.GivenMean)
	if m.given == nil && q == 0 {
		return in, nil
	}
	if m.given == nil {
		return nil, ml.BadShape(method, "the flow was fitted with a Condition of %d columns: ask m.Given(c)", q)
	}
	if q == 0 {
		return nil, ml.BadShape(method, "the flow was fitted without a Condition, and something is given")
	}
	c, err := ml.Dense(method, m.given)
	if err != nil {
		return nil, fmt.Errorf("given: %w", err)
	}
	if err := ml.Columns(method, c, q); err != nil {
		return nil, fmt.Errorf("given: %w", err)
	}
	rows, _ := c.Dims()
	if rows != n && rows != 1 {
		return nil, ml.BadShape(method, "%d rows are given for %d", rows, n)
	}
	all := mat.NewDense(n, q, nil)
	for i := range n {
		all.SetRow(i, c.RawRowView(i%rows))
	}
	a, err := neural.Rows(method, standardized(all, m.GivenMean, m.GivenScale))
	return append(in, a), err
}

// chunk is how many rows go through the network at once.
const chunk = 512

// run takes rows, as the network sees them, through the flow in one direction, and returns where
// they end and the log-determinant of the layers, n×d and n×1.
// noise, uniform on [0, 1), fills the gaps between Levels on the way forward.
func (m *Model) run(ctx context.Context, method string, back bool, in []*neural.Array, noise *neural.Array) (y, logDet *mat.Dense, err error) {
	if err := m.valid(method); err != nil {
		return nil, nil, err
	}
	if in, err = m.beside(method, in, in[0].Len()); err != nil {
		return nil, nil, err
	}
	name := "forward"
	if back {
		name = "inverse"
	} else if m.Levels > 0 {
		in = append(in, noise)
	}
	f, err := m.Func(name, nil, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		var y, logDet *graph.Node
		if back {
			y, logDet = newChain(m.Layers, m.shape(), neural.Batch{}).inverse(s, in[0], m.givenOf(in))
		} else {
			y, logDet = m.forward(s, neural.Batch{}, in[0], in[len(in)-1], m.givenOf(in))
		}
		return []*graph.Node{y, graph.InsertAxes(logDet, -1)}
	})
	if err != nil {
		return nil, nil, err
	}
	out, err := f.Rows(ctx, chunk, in...)
	if err != nil {
		return nil, nil, err
	}
	return out[0], out[1], nil
}

// valid holds a model that was made by hand, or read from a file, to its own shapes.
func (m *Model) valid(method string) error {
	if len(m.Mean) == 0 || len(m.Layers) == 0 {
		return ml.Empty(method, "the model has no layers or no columns")
	}
	if len(m.Scale) != len(m.Mean) || len(m.GivenScale) != len(m.GivenMean) {
		return ml.BadShape(method, "the model has %d means and %d scales, and %d and %d of what is given",
			len(m.Mean), len(m.Scale), len(m.GivenMean), len(m.GivenScale))
	}
	for j, s := range append(slices.Clone(m.Scale), m.GivenScale...) {
		if !(s > 0) {
			return ml.BadParameter(method, fmt.Sprintf("Scale[%d]", j), s, "above 0")
		}
	}
	_, err := Flow{Layers: m.Layers, Base: m.Base, Shape: m.Shape, Levels: m.Levels}.complete(method, len(m.Mean))
	return err
}

// logUnit is Σ log of the scales: what the densities of the standardised data are larger by.
func (m *Model) logUnit() float64 {
	sum := 0.0
	for _, s := range m.Scale {
		sum += math.Log(s)
	}
	return sum
}

// draws is how many dequantizations the bound of LogProb is the mean of.
const draws = 8

// LogProb returns log p of each row of x in nats, length n; of a flow of Levels a lower bound, the
// mean over eight draws of the noise, always the same ones. Errors are those of ml.Dense,
// ml.ErrShape for other numbers of columns, ml.ErrParameter for a number that is no level, and
// ctx.Err().
func (m *Model) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	if m.Levels == 0 {
		return m.logProb(ctx, x, nil)
	}
	n, _, err := ml.Size("flow.Model.LogProb", x)
	if err != nil {
		return nil, err
	}
	sum := make([]float64, n)
	for k := range draws {
		noise := loop.Draw(neural.Noise{Kind: neural.Uniform, Shape: []int{len(m.Mean)}}, n, 0, k)
		logp, err := m.logProb(ctx, x, noise)
		if err != nil {
			return nil, err
		}
		for i, v := range logp {
			sum[i] += v / draws
		}
	}
	return sum, nil
}

func (m *Model) logProb(ctx context.Context, x mat.Matrix, noise *neural.Array) ([]float64, error) {
	z, logDet, err := m.encode(ctx, x, noise)
	if err != nil {
		return nil, err
	}
	logp := make([]float64, len(logDet))
	for i := range logp {
		logp[i] = logDet[i] + m.Base.density(z.RawRowView(i))
	}
	return logp, nil
}

// density is the log-density of a row in float64.
func (b Base) density(z []float64) float64 {
	sum := 0.0
	for _, v := range z {
		if b == Logistic {
			a := math.Abs(v)
			sum -= a + 2*math.Log1p(math.Exp(-a))
		} else {
			sum -= (v*v + math.Log(2*math.Pi)) / 2
		}
	}
	return sum
}

// Encode returns z = f(x) of each row, n×d, and log|det ∂f/∂x| there, in the units of the data; of
// Levels, from the middle of each one's cell. Errors are those of LogProb.
func (m *Model) Encode(ctx context.Context, x mat.Matrix) (z *mat.Dense, logDet []float64, err error) {
	var middle *neural.Array
	if m.Levels > 0 {
		n, _, err := ml.Size("flow.Model.Encode", x)
		if err != nil {
			return nil, nil, err
		}
		middle = &neural.Array{Shape: []int{len(m.Mean)}, Floats: slices.Repeat([]float32{0.5}, n*len(m.Mean))}
	}
	return m.encode(ctx, x, middle)
}

func (m *Model) encode(ctx context.Context, x mat.Matrix, noise *neural.Array) (z *mat.Dense, logDet []float64, err error) {
	const method = "flow.Model.Encode"
	in, err := m.input(method, x)
	if err != nil {
		return nil, nil, err
	}
	z, column, err := m.run(ctx, method, false, in, noise)
	if err != nil {
		return nil, nil, err
	}
	logDet = mat.Col(nil, 0, column)
	unit := m.logUnit()
	for i := range logDet {
		logDet[i] -= unit
	}
	return z, logDet, nil
}

// Decode returns x = f⁻¹(z) of each row, n×d, in the units of the data, or the level whose cell it
// lies in. Errors are those of LogProb.
func (m *Model) Decode(ctx context.Context, z mat.Matrix) (*mat.Dense, error) {
	const method = "flow.Model.Decode"
	y, err := ml.Dense(method, z)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, y, len(m.Mean)); err != nil {
		return nil, err
	}
	in, err := neural.Rows(method, y)
	if err != nil {
		return nil, err
	}
	return m.decoded(ctx, method, in)
}

func (m *Model) decoded(ctx context.Context, method string, z *neural.Array) (*mat.Dense, error) {
	x, _, err := m.run(ctx, method, true, []*neural.Array{z}, nil)
	if err != nil {
		return nil, err
	}
	x.Apply(func(_, j int, v float64) float64 {
		if m.Levels > 0 {
			return level(v, m.Levels)
		}
		return v*m.Scale[j] + m.Mean[j]
	}, x)
	return x, nil
}

// Sample draws n rows, n×d. The errors are ml.ErrParameter for n below 1, those of Given, and
// ctx.Err().
func (m *Model) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	const method = "flow.Model.Sample"
	if n < 1 {
		return nil, ml.BadParameter(method, "n", n, "at least 1")
	}
	if err := m.valid(method); err != nil {
		return nil, err
	}
	kind := neural.Normal
	if m.Base == Logistic {
		kind = neural.Uniform
	}
	z := loop.Draw(neural.Noise{Kind: kind, Shape: []int{len(m.Mean)}}, n, seed)
	if m.Base == Logistic {
		for i, u := range z.Floats {
			// The middle of the cell of 2⁻²⁴ that u stands for: its logit is finite.
			p := float64(u) + 0x1p-25
			z.Floats[i] = float32(math.Log(p) - math.Log1p(-p))
		}
	}
	return m.decoded(ctx, method, z)
}

// Stages returns where the rows of x are after each layer, from the standardised data, which are
// first, to z: pictures of how a flow unfolds the data.
func (m *Model) Stages(ctx context.Context, x mat.Matrix) ([]*mat.Dense, error) {
	const method = "flow.Model.Stages"
	if err := m.valid(method); err != nil {
		return nil, err
	}
	if m.Levels > 0 {
		return nil, ml.BadParameter(method, "Levels", m.Levels, "0: stages are those of numbers of a line")
	}
	in, err := m.input(method, x)
	if err != nil {
		return nil, err
	}
	if in, err = m.beside(method, in, in[0].Len()); err != nil {
		return nil, err
	}
	f, err := m.Func("stages", nil, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		out, c := []*graph.Node{in[0]}, newChain(m.Layers, m.shape(), neural.Batch{})
		for i := range m.Layers {
			y, _ := c.layer(i, out[i], func(t transform, x *graph.Node) (*graph.Node, *graph.Node) {
				return t.forward(s.At("layer%d", i), x, m.givenOf(in))
			})
			out = append(out, y)
		}
		return out
	})
	if err != nil {
		return nil, err
	}
	return f.Rows(ctx, chunk, in...)
}
