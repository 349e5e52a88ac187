package vae

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// Posterior is q(z|x) of n rows: independent Gaussians.
type Posterior struct {
	Mean *mat.Dense // n×Latents
	SD   *mat.Dense // n×Latents
}

// chunk is how many rows are worked on at once.
const chunk = 64

// Encode returns the encoder's q(z|x) of each row of x. A mean-field model has no encoder; its
// answer is that of Refine.
func (m *VAEModel) Encode(ctx context.Context, x mat.Matrix) (*Posterior, error) {
	const method = "vae.VAEModel.Encode"
	rows, err := m.input(method, x)
	if err != nil {
		return nil, err
	}
	if m.Options.Inference == MeanField {
		return m.Refine(ctx, x, Refine{})
	}
	f, err := m.Func("encode", []string{"/encoder"}, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		q := m.Options.encode(s.In("encoder"), in[0])
		return []*graph.Node{q.Mean, graph.Exp(graph.MulScalar(q.LogVar, 0.5))}
	})
	if err != nil {
		return nil, err
	}
	out, err := f.Rows(ctx, chunk, rows)
	if err != nil {
		return nil, err
	}
	return &Posterior{out[0], out[1]}, nil
}

// decoded is what the decoder computes of each row of z.
func (m *VAEModel) decoded(ctx context.Context, method string, z mat.Matrix) (*mat.Dense, error) {
	rows, err := neural.Rows(method, z)
	if err != nil {
		return nil, err
	}
	if got := rows.Shape[0]; got != m.Options.Latents {
		return nil, ml.BadShape(method, "z has %d columns, the model has %d latents", got, m.Options.Latents)
	}
	f, err := m.Func("decode", []string{"/decoder"}, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		return []*graph.Node{m.Options.decode(s.In("decoder"), in[0], m.Columns)}
	})
	if err != nil {
		return nil, err
	}
	out, err := f.Rows(ctx, chunk, rows)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// Decode returns the mean of p(x|z) for each row of z: probabilities for bits, locations for
// levels.
func (m *VAEModel) Decode(ctx context.Context, z mat.Matrix) (*mat.Dense, error) {
	x, err := m.decoded(ctx, "vae.VAEModel.Decode", z)
	if err != nil {
		return nil, err
	}
	x.Apply(func(_, j int, v float64) float64 { return m.mean(v, j) }, x)
	return x, nil
}

// Prior draws n rows of z from N(0, I).
func (m *VAEModel) Prior(n int, seed uint64) *mat.Dense {
	r := rng.New(seed, 0)
	z := mat.NewDense(max(n, 1), m.Options.Latents, nil)
	z.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, z)
	return z
}

// Sample draws n rows from the model: z from the prior, x from p(x|z). Decode of the same Prior
// shows the means that they are drawn around.
func (m *VAEModel) Sample(ctx context.Context, n int, seed uint64) (*mat.Dense, error) {
	const method = "vae.VAEModel.Sample"
	if n < 1 {
		return nil, ml.BadParameter(method, "n", n, "at least 1")
	}
	x, err := m.decoded(ctx, method, m.Prior(n, seed))
	if err != nil {
		return nil, err
	}
	r := rng.New(seed, 1)
	x.Apply(func(_, j int, v float64) float64 { return m.draw(r, v, j) }, x)
	return x, nil
}

// Reconstruct returns the mean of p(x|z) at the mean of q(z|x), for each row of x.
func (m *VAEModel) Reconstruct(ctx context.Context, x mat.Matrix) (*mat.Dense, error) {
	q, err := m.Encode(ctx, x)
	if err != nil {
		return nil, err
	}
	return m.Decode(ctx, q.Mean)
}

// ActiveUnits returns the latents that the rows of x make use of: those whose mean of q(z|x) varies
// over the rows by more than 0.01 (Burda, Grosse & Salakhutdinov, 2016). A latent that has
// collapsed onto its prior says nothing of x.
func (m *VAEModel) ActiveUnits(ctx context.Context, x mat.Matrix) ([]int, error) {
	q, err := m.Encode(ctx, x)
	if err != nil {
		return nil, err
	}
	return q.Active(), nil
}

// Active returns the latents whose mean varies over the rows by more than 0.01.
func (q *Posterior) Active() []int {
	n, latents := q.Mean.Dims()
	var active []int
	for j := range latents {
		if n > 1 && stat.PopVariance(mat.Col(nil, j, q.Mean), nil) > 0.01 {
			active = append(active, j)
		}
	}
	return active
}

// check holds a posterior that a caller brings to the rows it is of.
func (q *Posterior) check(method string, n, latents int) error {
	if q.Mean == nil || q.SD == nil {
		return ml.Empty(method, "the posterior has no mean or no deviation")
	}
	for _, p := range []*mat.Dense{q.Mean, q.SD} {
		if r, c := p.Dims(); r != n || c != latents {
			return ml.BadShape(method, "the posterior is %d×%d, want %d×%d", r, c, n, latents)
		}
	}
	for i := range n {
		for j := range latents {
			if mean, sd := q.Mean.At(i, j), q.SD.At(i, j); mean-mean != 0 || !(sd > 0) || math.IsInf(sd, 0) {
				return ml.BadParameter(method, fmt.Sprintf("posterior of row %d, latent %d", i, j), fmt.Sprintf("N(%v, %v²)", mean, sd), "a finite mean and a positive deviation")
			}
		}
	}
	return nil
}

// Points returns the posterior that each row of the training data has of its own in a mean-field
// model, and nil for an amortized one.
func (m *VAEModel) Points() *Posterior {
	mean, logVar := m.Weights.Get("/points/mean"), m.Weights.Get("/points/logvar")
	if mean == nil || logVar == nil {
		return nil
	}
	sd := mat.DenseCopyOf(logVar)
	sd.Apply(func(_, _ int, v float64) float64 { return math.Exp(v / 2) }, sd)
	return &Posterior{mat.DenseCopyOf(mean), sd}
}
