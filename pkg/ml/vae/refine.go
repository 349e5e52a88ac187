package vae

import (
	"context"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/dist"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// Refine is how the posterior of given rows is improved, one row for itself and the decoder left as
// it is: what the encoder loses by answering for all rows with one function, the amortization gap
// (Cremer, Li & Duvenaud, 2018), is what this wins.
type Refine struct {
	Steps        int     // of Adam; 0 means 600, for a mean-field model, which starts from the prior, 2,000
	LearningRate float64 // falls to 0 as half a cosine; 0 means 0.03
	Samples      int     // of z a row and step; 0 means 8
	Seed         uint64
}

// refined is how many rows are refined together; they do not touch each other.
const refined = 1024

// Refine fits mean and deviation of q(z|x) to each row of x by raising its ELBO, from what the
// encoder says. When ctx ends it returns ctx.Err().
func (m *VAEModel) Refine(ctx context.Context, x mat.Matrix, how Refine) (*Posterior, error) {
	const method = "vae.VAEModel.Refine"
	if how.Samples == 0 {
		how.Samples = 8
	}
	if how.Samples < 0 {
		return nil, ml.BadParameter(method, "Samples", how.Samples, "at least 1")
	}
	rows, err := m.input(method, x)
	if err != nil {
		return nil, err
	}
	n, latents := rows.Len(), m.Options.Latents
	q := &Posterior{mat.NewDense(n, latents, nil), mat.NewDense(n, latents, nil)}
	train := neural.Train{Steps: how.Steps, LearningRate: how.LearningRate, Seed: how.Seed}.Or(neural.Train{Steps: 600, LearningRate: 0.03})
	if m.Options.Inference == MeanField {
		train.Steps = how.Steps
		train = train.Or(neural.Train{Steps: 2000})
		q.SD.Apply(func(_, _ int, _ float64) float64 { return 1 }, q.SD)
	} else if q, err = m.Encode(ctx, x); err != nil {
		return nil, err
	}
	train.Schedule, train.Report = neural.Cosine, max(train.Steps, 1)
	for lo := 0; lo < n; lo += refined {
		hi := min(lo+refined, n)
		part := &neural.Array{Shape: rows.Shape, Floats: rows.Floats[lo*m.Columns : hi*m.Columns]}
		if err := m.refine(ctx, method, part, q, lo, train, how.Samples); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// refine writes the posterior of the rows of one part, which begin at row lo, over what q has
// there.
func (m *VAEModel) refine(ctx context.Context, method string, part *neural.Array, q *Posterior, lo int, train neural.Train, samples int) error {
	n, latents := part.Len(), m.Options.Latents
	train.Batch = n // a batch of all rows has them in their order
	mean, logSD := mat.NewDense(n, latents, nil), mat.NewDense(n, latents, nil)
	mean.Copy(q.Mean.Slice(lo, lo+n, 0, latents))
	logSD.Apply(func(i, j int, _ float64) float64 { return math.Log(q.SD.At(lo+i, j)) }, logSD)
	r, err := train.Run(ctx, neural.Problem{
		Method: method, Data: []*neural.Array{part}, Noise: []neural.Noise{{Kind: neural.Normal, Shape: []int{samples, latents}}},
		Start:  neural.Weights{}.With("/points/mean", mean, n, latents).With("/points/logsd", logSD, n, latents),
		Frozen: m.Weights.Under("/decoder", "/lognoise", "/logwidth"),
		Loss: func(s *model.Scope, b neural.Batch) neural.Loss {
			points := s.In("points")
			mean := points.GetVariable("mean").NodeValue(b.Step)
			logSD := points.GetVariable("logsd").NodeValue(b.Step)
			out := m.weightsGraph(s, []*graph.Node{b.Data[0], mean, graph.Exp(logSD), b.Noise[0]})
			logp := graph.ReduceMean(out[0], -1) // [n]
			kl := graph.ReduceSum(dist.Gaussian{Mean: mean, LogVar: graph.MulScalar(logSD, 2)}.KLStandard(), -1)
			// The sum over the rows: each row's step is its own, however many there are.
			return neural.Loss{Total: graph.ReduceAllSum(graph.Sub(kl, logp))}
		},
	})
	if err != nil {
		return err
	}
	q.Mean.Slice(lo, lo+n, 0, latents).(*mat.Dense).Copy(r.Weights.Get("/points/mean"))
	sd := r.Weights.Get("/points/logsd")
	for i := range n {
		for j := range latents {
			q.SD.Set(lo+i, j, math.Exp(sd.At(i, j)))
		}
	}
	return nil
}
