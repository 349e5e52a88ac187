// Package vae has the variational autoencoder: a decoder that makes data from latent variables,
// trained by a bound on its likelihood together with an encoder that guesses them back.
package vae

import (
	"context"
	"fmt"
	"iter"
	"math"

	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// VAE is the variational autoencoder (Kingma & Welling, 2014; Rezende, Mohamed & Wierstra, 2014).
// Data come from z ~ N(0, I) through a decoder, x ~ p(x|z), and log p(x) is bounded from below, for
// any q, by
//
//	ELBO = E_q[log p(x|z)] − KL(q(z|x) ‖ p(z)) ≤ log p(x).
//
// q(z|x) is a Gaussian with independent components whose mean and deviation an encoder computes
// (amortized), or that each row has of its own (mean-field). Fit lowers the mean of −ELBO, in nats
// a row, by stochastic gradients through z = mean + deviation·ε.
//
// A step costs what the two networks do for one minibatch. The zero value fits bits with 8 latents.
type VAE struct {
	Latents    int        // dimension of z; 0 means 8
	Likelihood Likelihood // p(x|z): "" or Bernoulli for bits, Gaussian for real numbers, DiscretizedLogistic for levels
	Network    Network    // "" or Dense, Linear, or Convolutional for images
	// Widths (Convolutional: channels) of the encoder's layers, the decoder has them in reverse;
	// nil means {256, 256}, for Convolutional {16, 32}
	Hidden    []int
	Height    int       // of the images, for Convolutional; 0 means that they are square
	Levels    int       // of DiscretizedLogistic: values are 0 to Levels−1; 0 means 256
	PerColumn bool      // Gaussian: each column has a noise of its own (as in factor analysis), not all the same (as in PCA)
	Inference Inference // "" or Amortized, or MeanField
	Beta      float64   // weight of the KL in what is trained (Higgins et al., 2017); 0 means 1
	FreeBits  float64   // nats a latent (mean over the minibatch) below which its KL costs nothing (Kingma et al., 2016)
	KLWarmup  int       // steps in which the weight of the KL rises from 0 (Bowman et al., 2016)
	Train     neural.Train
}

// Inference is how q(z|x) comes about.
type Inference string

const (
	Amortized Inference = "amortized"  // an encoder computes it
	MeanField Inference = "mean-field" // each row of the training data has a mean and a deviation of its own, trained along
)

// VAEModel is a trained decoder, with the encoder that goes with it. It may be shared between
// goroutines. Trained.History has the parts "reconstruction", "KL" and "negative ELBO", nats a row.
type VAEModel struct {
	neural.Trained
	Options VAE       // complete: what was 0 is what it meant; without Train
	Columns int       // of the data
	Center  []float64 // Gaussian: means of the columns, taken from the data before the networks see them; nil otherwise
	Scale   float64   // Gaussian: what they are divided by after that; 1 otherwise
}

func init() { ml.Register[VAEModel]("vae.VAEModel") }

// Fit trains on the rows of x; with validation data (Train.Validation, Train.Holdout) the model of
// the report with the lowest −ELBO on them is kept, or with Train.KeepLast the last one. Errors:
// ml.ErrParameter for an option out of range, or for a value that the likelihood can't have (with
// its row and column); ml.ErrNotFinite for NaN or Inf in x, or for a loss that diverged, with the
// model as it last was; ctx.Err() with the model so far when ctx ends first.
func (v VAE) Fit(ctx context.Context, x mat.Matrix) (*VAEModel, error) {
	return ml.Last(v.Iterate(ctx, x))
}

// Iterate trains and yields the model at each report.
func (v VAE) Iterate(ctx context.Context, x mat.Matrix) iter.Seq2[*VAEModel, error] {
	return neural.Models(ctx, func() (neural.Train, neural.Problem, func(neural.Trained) *VAEModel, error) {
		m, p, err := v.check(x)
		if err != nil {
			return v.Train, p, nil, err
		}
		train := v.Train.Or(neural.Train{Steps: 3000, LearningRate: 1e-3})
		return train, p, func(r neural.Trained) *VAEModel {
			return &VAEModel{Trained: r, Options: m.Options, Columns: m.Columns, Center: m.Center, Scale: m.Scale}
		}, nil
	})
}

const method = "vae.VAE"

// check completes the options, holds them and the data to what they must be, and states the
// problem.
func (v VAE) check(x mat.Matrix) (*VAEModel, neural.Problem, error) {
	p := neural.Problem{Method: method}
	bad := func(name string, value any, want string) (*VAEModel, neural.Problem, error) {
		return nil, p, ml.BadParameter(method, name, value, want)
	}
	_, d, err := ml.Size(method, x)
	if err != nil {
		return nil, p, err
	}
	train := v.Train
	v = v.complete(d)
	switch {
	case v.Latents < 1:
		return bad("Latents", v.Latents, "at least 1")
	case v.Likelihood != Bernoulli && v.Likelihood != Gaussian && v.Likelihood != DiscretizedLogistic:
		return bad("Likelihood", fmt.Sprintf("%q", v.Likelihood), `"bernoulli", "gaussian" or "discretized logistic"`)
	case v.Network != Dense && v.Network != Linear && v.Network != Convolutional:
		return bad("Network", fmt.Sprintf("%q", v.Network), `"dense", "linear" or "convolutional"`)
	case v.Inference != Amortized && v.Inference != MeanField:
		return bad("Inference", fmt.Sprintf("%q", v.Inference), `"amortized" or "mean-field"`)
	case v.Network == Convolutional && (v.Height < 1 || d%v.Height != 0):
		return bad("Height", v.Height, fmt.Sprintf("the height of images with %d pixels", d))
	case v.Network == Convolutional && len(v.Hidden) == 0:
		return bad("Hidden", v.Hidden, "at least one number of channels")
	case v.Levels < 2 || v.Levels > 1<<16:
		return bad("Levels", v.Levels, "2 to 65536")
	case !(v.Beta > 0) || math.IsInf(v.Beta, 0):
		return bad("Beta", v.Beta, "a positive number")
	case !(v.FreeBits >= 0) || math.IsInf(v.FreeBits, 0):
		return bad("FreeBits", v.FreeBits, "0 or a positive number")
	case v.KLWarmup < 0:
		return bad("KLWarmup", v.KLWarmup, "0 or more")
	case v.Inference == MeanField && (train.Validation != nil || train.Holdout > 0):
		return bad("Inference", v.Inference, "amortized where there are validation data: parameters of a row's own say nothing of other rows")
	}
	for i, h := range v.Hidden {
		if h < 1 || h > 1<<16 {
			return bad(fmt.Sprintf("Hidden[%d]", i), h, "1 to 65536")
		}
	}
	m := &VAEModel{Options: v, Columns: d, Scale: 1}
	parts, err := train.Divide(method, x)
	if err != nil {
		return nil, p, err
	}
	if v.Likelihood == Gaussian {
		m.Center, m.Scale = scaling.RootMeanSquare(parts.Train)
	}
	rows, err := m.input(method, parts.Train)
	if err != nil {
		return nil, p, err
	}
	p.Data = []*neural.Array{rows}
	if parts.Validation != nil {
		held, err := m.input(method+", validation data", parts.Validation)
		if err != nil {
			return nil, p, err
		}
		p.Validation = []*neural.Array{held}
	}
	if v.Inference == MeanField {
		index := make([]int, rows.Len())
		for i := range index {
			index[i] = i
		}
		p.Data = append(p.Data, neural.Classes(index))
	}
	p.Noise = []neural.Noise{{Kind: neural.Normal, Shape: []int{v.Latents}}}
	p.Loss = m.loss(rows.Len())
	p.Options = v
	return m, p, nil
}

// complete puts the defaults in the place of zeros.
func (v VAE) complete(d int) VAE {
	if v.Latents == 0 {
		v.Latents = 8
	}
	if v.Likelihood == "" {
		v.Likelihood = Bernoulli
	}
	if v.Network == "" {
		v.Network = Dense
	}
	if v.Inference == "" {
		v.Inference = Amortized
	}
	switch {
	case v.Network == Linear:
		v.Hidden = nil
	case v.Hidden == nil && v.Network == Convolutional:
		v.Hidden = []int{16, 32}
	case v.Hidden == nil:
		v.Hidden = []int{256, 256}
	}
	if v.Network == Convolutional && v.Height == 0 {
		v.Height = int(math.Round(math.Sqrt(float64(d))))
	}
	if v.Levels == 0 {
		v.Levels = 256
	}
	if v.Beta == 0 {
		v.Beta = 1
	}
	v.Train = neural.Train{}
	return v
}

// loss is −ELBO and what the options make of it, for n rows of training data.
func (m *VAEModel) loss(n int) func(*model.Scope, neural.Batch) neural.Loss {
	v := m.Options
	return func(s *model.Scope, b neural.Batch) neural.Loss {
		x := b.Data[0]      // [batch, d]
		var q dist.Gaussian // [batch, Latents]
		if v.Inference == MeanField {
			q = v.ownPosterior(s, b.Data[1], n)
		} else {
			q = v.encode(s.In("encoder"), x)
		}
		z := q.Sample(b.Noise[0])
		units := q.KLStandard()                                                        // [batch, Latents]
		logp := m.logLikelihood(s, x, v.decode(s.In("decoder"), z, x.Shape().Dim(-1))) // [batch]
		reconstruction := graph.Neg(graph.ReduceAllMean(logp))
		kl := graph.ReduceAllMean(graph.ReduceSum(units, -1))
		bound := graph.Add(reconstruction, kl)
		total := bound
		if b.Training {
			cost := kl
			if v.FreeBits > 0 {
				cost = graph.ReduceAllSum(graph.MaxScalar(graph.ReduceMean(units, 0), v.FreeBits))
			}
			weight := graph.Scalar(x.Graph(), dtypes.Float32, v.Beta)
			if v.KLWarmup > 0 {
				weight = graph.Mul(weight, graph.MinScalar(graph.DivScalar(graph.AddScalar(b.Step, 1), float64(v.KLWarmup)), 1))
			}
			total = graph.Add(reconstruction, graph.Mul(weight, cost))
		}
		return neural.Loss{Total: total, Parts: []neural.Part{{Name: "reconstruction", Value: reconstruction}, {Name: "KL", Value: kl}, {Name: "negative ELBO", Value: bound}}}
	}
}

// ownPosterior looks up the mean and the log-variance that each of n rows has of its own.
func (v VAE) ownPosterior(s *model.Scope, rows *graph.Node, n int) dist.Gaussian {
	s = layers.Zero(s.In("points"))
	table := func(name string) *graph.Node {
		all := s.VariableWithShape(name, shapes.Make(dtypes.Float32, n, v.Latents)).NodeValue(rows.Graph())
		return graph.Gather(all, graph.InsertAxes(rows, -1)) // [batch, Latents]
	}
	return dist.Gaussian{Mean: table("mean"), LogVar: table("logvar")}
}

// input is x as the networks see it, after a check that the likelihood can have each of its values.
func (m *VAEModel) input(who string, x mat.Matrix) (*neural.Array, error) {
	n, d, err := ml.Size(who, x)
	if err != nil {
		return nil, err
	}
	if err := ml.Columns(who, x, m.Columns); err != nil {
		return nil, err
	}
	// Straight to float32: a copy in float64 would be the largest thing in memory
	out := &neural.Array{Shape: []int{d}, Floats: make([]float32, 0, n*d)}
	levels := float64(m.Options.Levels - 1)
	err = ml.EachRow(who, x, func(i int, row []float64) error {
		for j, value := range row {
			switch m.Options.Likelihood {
			case Bernoulli:
				if value != 0 && value != 1 {
					return ml.BadParameter(who, fmt.Sprintf("x[%d, %d]", i, j), value, "0 or 1, which is what a Bernoulli likelihood is of")
				}
			case Gaussian:
				value = (value - m.Center[j]) / m.Scale
			case DiscretizedLogistic:
				if value < 0 || value > levels || value != math.Trunc(value) {
					return ml.BadParameter(who, fmt.Sprintf("x[%d, %d]", i, j), value, fmt.Sprintf("a whole number from 0 to Levels−1 = %v", levels))
				}
				value = 2*value/levels - 1
			}
			if value > math.MaxFloat32 || value < -math.MaxFloat32 {
				return ml.NotFinite(who, "row %d, column %d is %v times the scale of the data, beyond what a float32 can hold", i, j, value)
			}
			out.Floats = append(out.Floats, float32(value))
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}
