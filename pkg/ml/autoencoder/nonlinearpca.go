// Package autoencoder has networks that are trained to give back what they are given, through a
// layer of few units: what the units say is a short description of an observation.
package autoencoder

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// NonlinearPCA is principal component analysis with curves in the place of lines: an
// auto-associative network (Kramer, 1991) maps an observation to k numbers and those back,
//
//	z = W₂ tanh(W₁x + b₁) + b₂,    x̂ = W₄ tanh(W₃z + b₃) + b₄,    min Σᵢ ‖xᵢ − x̂ᵢ‖²,
//
// so that the data lie near the k-dimensional surface that z moves x̂ along. The units of the
// bottleneck are linear, and both maps need a hidden layer: without them the network can learn no
// more than PCA.
//
// A step costs what the network does for one minibatch. The zero value looks for a curve.
type NonlinearPCA struct {
	Components int // k, the units of the bottleneck; 0 means 1
	// Hidden are the widths of the layers before the bottleneck; those after it have them in
	// reverse. Nil means {32}; empty and not nil means none: linear maps.
	Hidden []int
	// Hierarchical orders the components as PCA orders its own (Scholz & Vigário, 2002): what is
	// lowered is the sum of the errors with the first component alone, with the first two, and so
	// on.
	Hierarchical bool
	Activation   layers.Activation // of hidden layers; "" means layers.Tanh
	Train        neural.Train      // 0 means 3,000 steps of 256 rows at a rate of 0.01 that falls along a cosine
}

// NonlinearPCAModel is a trained NonlinearPCA. Trained.History has a part "error k" for each number
// k of components that is lowered: squared distances of a row, in units of Scale².
type NonlinearPCAModel struct {
	neural.Trained
	Options NonlinearPCA // complete, without Train
	Center  []float64    // length d, means that are taken away before the network sees the data
	Scale   float64      // what they are divided by after that: the root of the mean square
}

func init() { ml.Register[NonlinearPCAModel]("autoencoder.NonlinearPCAModel") }

const nonlinearMethod = "autoencoder.NonlinearPCA"

// Fit trains on the rows of x; with validation data (Train.Validation, Train.Holdout) the weights
// kept are those of the report with the lowest error on them. The error is ml.ErrParameter for an
// option out of range, those of ml.Dense, a *neural.Diverged, and ctx.Err() along with the model so
// far.
func (p NonlinearPCA) Fit(ctx context.Context, x mat.Matrix) (*NonlinearPCAModel, error) {
	return ml.Last(p.Iterate(ctx, x))
}

// Iterate yields the model at each report of the training.
func (p NonlinearPCA) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*NonlinearPCAModel, error] {
	return neural.Models(ctx, func() (neural.Train, neural.Problem, func(neural.Trained) *NonlinearPCAModel, error) {
		m, problem, err := p.problem(x)
		train := p.Train.Or(neural.Train{Steps: 3000, Batch: 256, LearningRate: 0.01, Schedule: neural.Cosine})
		return train, problem, func(r neural.Trained) *NonlinearPCAModel {
			return &NonlinearPCAModel{Trained: r, Options: m.Options, Center: m.Center, Scale: m.Scale}
		}, err
	})
}

// problem checks options and data and states what is trained.
func (p NonlinearPCA) problem(x mat.Matrix) (*NonlinearPCAModel, neural.Problem, error) {
	problem := neural.Problem{Method: nonlinearMethod}
	parts, err := p.Train.Divide(nonlinearMethod, x)
	if err != nil {
		return nil, problem, err
	}
	_, d := parts.Train.Dims()
	o, err := p.complete(d)
	if err != nil {
		return nil, problem, err
	}
	m := &NonlinearPCAModel{Options: o}
	m.Center, m.Scale = scaling.RootMeanSquare(parts.Train)
	if problem.Data, err = m.input(nonlinearMethod, parts.Train); err != nil {
		return nil, problem, err
	}
	if parts.Validation != nil {
		if problem.Validation, err = m.input(nonlinearMethod, parts.Validation); err != nil {
			return nil, problem, fmt.Errorf("validation: %w", err)
		}
	}
	problem.Options = o
	problem.Loss = o.loss
	return m, problem, nil
}

// complete fills in the defaults for d columns and checks.
func (p NonlinearPCA) complete(d int) (NonlinearPCA, error) {
	p.Train = neural.Train{}
	p.Components, p.Activation = cmp.Or(p.Components, 1), cmp.Or(p.Activation, layers.Tanh)
	if p.Hidden == nil {
		p.Hidden = []int{32}
	}
	if p.Components < 1 || p.Components > d {
		return p, ml.BadParameter(nonlinearMethod, "Components", p.Components, fmt.Sprintf("1 to %d, the number of columns, or 0 for 1", d))
	}
	for i, h := range p.Hidden {
		if h < 1 || h > 1<<16 {
			return p, ml.BadParameter(nonlinearMethod, fmt.Sprintf("Hidden[%d]", i), h, "1 to 65536")
		}
	}
	return p, p.Activation.Check(nonlinearMethod)
}

// encode maps observations to scores.
func (p NonlinearPCA) encode(s *model.Scope, x *graph.Node) *graph.Node { // [b, d] to [b, k]
	return layers.MLP(layers.Glorot(s.At("encoder")), x, p.Hidden, p.Components, p.Activation)
}

// decode maps scores to observations.
func (p NonlinearPCA) decode(s *model.Scope, z *graph.Node, d int) *graph.Node { // [b, k] to [b, d]
	wide := slices.Clone(p.Hidden)
	slices.Reverse(wide)
	return layers.MLP(layers.Glorot(s.At("decoder")), z, wide, d, p.Activation)
}

// loss is the squared distance of a row to what comes back of it, or the sum of that for each
// number of first components.
func (p NonlinearPCA) loss(s *model.Scope, b neural.Batch) neural.Loss {
	x := b.Data[0] // [b, d]
	z := p.encode(s, x)
	first := p.Components
	if p.Hierarchical {
		first = 1
	}
	var total neural.Loss
	for k := first; k <= p.Components; k++ {
		kept := make([]float32, p.Components)
		for c := range k {
			kept[c] = 1
		}
		part := graph.Mul(z, graph.InsertAxes(graph.Const(x.Graph(), kept), 0))
		back := p.decode(s, part, x.Shape().Dim(-1))
		each := graph.ReduceAllMean(graph.ReduceSum(graph.Square(graph.Sub(x, back)), -1))
		total.Parts = append(total.Parts, neural.Part{Name: fmt.Sprintf("error %d", k), Value: each})
		if total.Total == nil {
			total.Total = each
		} else {
			total.Total = graph.Add(total.Total, each)
		}
	}
	return total
}

// input is x as the network sees it.
func (m *NonlinearPCAModel) input(method string, x mat.Matrix) ([]*neural.Array, error) {
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(method, y, len(m.Center)); err != nil {
		return nil, err
	}
	y = mat.DenseCopyOf(y)
	y.Apply(func(_, j int, v float64) float64 { return (v - m.Center[j]) / m.Scale }, y)
	a, err := neural.Rows(method, y)
	return []*neural.Array{a}, err
}

// chunk is how many rows go through the network at once.
const chunk = 256

// Encode returns the scores of the rows of x, n×k. Errors are those of ml.Dense, and ml.ErrShape
// for another number of columns.
func (m *NonlinearPCAModel) Encode(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	in, err := m.input("autoencoder.NonlinearPCAModel.Encode", x)
	if err != nil {
		return nil, err
	}
	f, err := m.Func("encode", []string{"/encoder"}, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		return []*graph.Node{m.Options.encode(s, in[0])}
	})
	if err != nil {
		return nil, err
	}
	out, err := f.Rows(ctx, chunk, in...)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Decode returns the points of the surface at the scores z, n×k: n×d, in the units of the data. z
// may have fewer columns than there are components; the others count as 0, as in a Hierarchical
// fit.
func (m *NonlinearPCAModel) Decode(ctx context.Context, z mat.Matrix) (*mat.Dense, error) {
	const method = "autoencoder.NonlinearPCAModel.Decode"
	y, err := ml.Dense(method, z)
	if err != nil {
		return nil, err
	}
	n, c := y.Dims()
	k, d := m.Options.Components, len(m.Center)
	if c > k {
		return nil, ml.BadShape(method, "z has %d columns, the model has %d components", c, k)
	}
	padded := mat.NewDense(n, k, nil)
	padded.Slice(0, n, 0, c).(*mat.Dense).Copy(y)
	in, err := neural.Rows(method, padded)
	if err != nil {
		return nil, err
	}
	f, err := m.Func("decode", []string{"/decoder"}, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		return []*graph.Node{m.Options.decode(s, in[0], d)}
	})
	if err != nil {
		return nil, err
	}
	out, err := f.Rows(ctx, chunk, in)
	if err != nil {
		return nil, err
	}
	out[0].Apply(func(_, j int, v float64) float64 { return v*m.Scale + m.Center[j] }, out[0])
	return out[0], nil
}

// Reconstruct returns what comes back of the rows of x through the first k components, 0 for all.
func (m *NonlinearPCAModel) Reconstruct(ctx context.Context, x mat.Matrix, k int) (*mat.Dense, error) {
	if k < 0 || k > m.Options.Components {
		return nil, ml.BadParameter("autoencoder.NonlinearPCAModel.Reconstruct", "k", k, fmt.Sprintf("1 to %d, or 0 for all components", m.Options.Components))
	}
	z, err := m.Encode(ctx, x)
	if err != nil {
		return nil, err
	}
	n, _ := z.Dims()
	return m.Decode(ctx, z.Slice(0, n, 0, cmp.Or(k, m.Options.Components)))
}
