package vae

import (
	"context"
	"encoding/binary"
	"hash/fnv"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// Bound is the ELBO of n rows and its parts, in nats.
type Bound struct {
	ELBO           []float64  // Reconstruction − KL
	Reconstruction []float64  // E_q[log p(x|z)], by the mean over samples
	KL             []float64  // KL(q(z|x) ‖ p(z)), exact
	KLUnits        *mat.Dense // n×Latents: the KL of each latent
	Sampled        []float64  // the other form, E_q[log p(x, z) − log q(z|x)], by the mean over the same samples: the same but for noise
}

// Mean returns the mean over the rows of the ELBO, the reconstruction and the KL.
func (b *Bound) Mean() (elbo, reconstruction, kl float64) {
	n := float64(len(b.ELBO))
	for i := range b.ELBO {
		elbo, reconstruction, kl = elbo+b.ELBO[i]/n, reconstruction+b.Reconstruction[i]/n, kl+b.KL[i]/n
	}
	return elbo, reconstruction, kl
}

// ELBO measures the bound on the rows of x with samples of z a row (0 means 64). q is nil for the
// encoder's posterior, or one that Refine gave. The noise of a row is decided by the seed and the
// row itself.
func (m *VAEModel) ELBO(ctx context.Context, x mat.Matrix, q *Posterior, samples int, seed uint64) (*Bound, error) {
	const method = "vae.VAEModel.ELBO"
	if samples == 0 {
		samples = 64
	}
	n := 0
	var b *Bound
	err := m.weigh(ctx, method, x, q, samples, seed, func(rows int, q *Posterior) {
		n = rows
		b = &Bound{make([]float64, n), make([]float64, n), make([]float64, n), mat.NewDense(n, m.Options.Latents, nil), make([]float64, n)}
		b.KLUnits.Apply(func(i, j int, _ float64) float64 {
			mean, sd := q.Mean.At(i, j), q.SD.At(i, j)
			return (mean*mean+sd*sd-1)/2 - math.Log(sd)
		}, b.KLUnits)
	}, func(i int, logp, ratio []float64) {
		for s, l := range logp {
			b.Reconstruction[i] += l / float64(samples)
			b.Sampled[i] += (l + ratio[s]) / float64(samples)
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range n {
		b.KL[i] = mat.Sum(b.KLUnits.RowView(i))
		b.ELBO[i] = b.Reconstruction[i] - b.KL[i]
	}
	return b, nil
}

// Importance returns the importance-weighted bound of Burda, Grosse & Salakhutdinov (2016) for each
// row of x,
//
//	log (1/K) Σₖ p(x, zₖ)/q(zₖ|x) ≤ log p(x),  zₖ ~ q(z|x),
//
// which is the ELBO for K = 1 and rises to log p(x) with K. q is nil for the encoder's posterior.
// Memory does not grow with K.
func (m *VAEModel) Importance(ctx context.Context, x mat.Matrix, q *Posterior, samples int, seed uint64) ([]float64, error) {
	const method = "vae.VAEModel.Importance"
	var top, sum []float64 // of the weights seen so far: the largest logarithm, and the sum relative to it
	err := m.weigh(ctx, method, x, q, samples, seed, func(n int, _ *Posterior) {
		top, sum = make([]float64, n), make([]float64, n)
		for i := range top {
			top[i] = math.Inf(-1)
		}
	}, func(i int, logp, ratio []float64) {
		for s, l := range logp {
			w := l + ratio[s]
			if w > top[i] {
				sum[i] *= math.Exp(top[i] - w)
				top[i] = w
			}
			sum[i] += math.Exp(w - top[i])
		}
	})
	if err != nil {
		return nil, err
	}
	for i := range top {
		top[i] += math.Log(sum[i] / float64(samples))
	}
	return top, nil
}

// LogProb estimates log p(x) of each row, in nats, by Importance with 512 samples: in the mean from
// below, by some hundredths of a nat where q is near the truth.
func (m *VAEModel) LogProb(ctx context.Context, x mat.Matrix) ([]float64, error) {
	return m.Importance(ctx, x, nil, 512, 0)
}

// together is how many samples of a row are computed in one call: chunk·together decoded rows are
// what memory holds.
const together = 64

// weigh draws samples of z from q for each row and hands log p(x|z) and log p(z)/q(z|x) of them on,
// some at a time: begin is called once, add for each row as often as it takes.
func (m *VAEModel) weigh(ctx context.Context, method string, x mat.Matrix, q *Posterior, samples int, seed uint64, begin func(n int, q *Posterior), add func(i int, logp, ratio []float64)) error {
	if samples < 1 {
		return ml.BadParameter(method, "samples", samples, "at least 1")
	}
	rows, err := m.input(method, x)
	if err != nil {
		return err
	}
	n, latents := rows.Len(), m.Options.Latents
	if q == nil {
		if q, err = m.Encode(ctx, x); err != nil {
			return err
		}
	}
	if err := q.check(method, n, latents); err != nil {
		return err
	}
	begin(n, q)
	mean, err := neural.Rows(method, q.Mean)
	if err != nil {
		return err
	}
	sd, err := neural.Rows(method, q.SD)
	if err != nil {
		return err
	}
	f, err := m.Func("weigh", []string{"/decoder", "/lognoise", "/logwidth"}, m.weightsGraph)
	if err != nil {
		return err
	}
	width := min(samples, together)
	noise := &neural.Array{Shape: []int{width, latents}}
	for lo := 0; lo < n; lo += chunk {
		hi := min(lo+chunk, n)
		part := func(a *neural.Array) *neural.Array {
			k := len(a.Floats) / n
			return &neural.Array{Shape: a.Shape, Floats: a.Floats[lo*k : hi*k]}
		}
		px, pm, ps := part(rows), part(mean), part(sd)
		noise.Floats = make([]float32, (hi-lo)*width*latents)
		for done := 0; done < samples; done += width {
			for i := range hi - lo {
				k := width * latents
				neural.Noise{Kind: neural.Normal}.Draw(noise.Floats[i*k:(i+1)*k], seed, rowKey(px.Floats[i*m.Columns:(i+1)*m.Columns]), done)
			}
			out, err := f.Rows(ctx, chunk, px, pm, ps, noise)
			if err != nil {
				return err
			}
			now := min(width, samples-done)
			for i := range hi - lo {
				add(lo+i, out[0].RawRowView(i)[:now], out[1].RawRowView(i)[:now])
			}
		}
	}
	return nil
}

// weightsGraph computes, for samples z = mean + sd·ε of each row, log p(x|z) and log p(z) − log
// q(z|x).
func (m *VAEModel) weightsGraph(s *model.Scope, in []*graph.Node) []*graph.Node {
	// [n, d], [n, 1, Latents] twice, [n, samples, Latents]
	x, mean, sd, noise := in[0], graph.InsertAxes(in[1], 1), graph.InsertAxes(in[2], 1), in[3]
	n, d, samples, latents := x.Shape().Dim(0), x.Shape().Dim(1), noise.Shape().Dim(1), noise.Shape().Dim(2)
	z := graph.Add(mean, graph.Mul(sd, noise))
	// The constants of both Gaussians cancel.
	ratio := graph.Sub(graph.MulScalar(graph.Sub(graph.Square(noise), graph.Square(z)), 0.5), graph.Neg(graph.Log(sd)))
	each := graph.Reshape(graph.BroadcastToDims(graph.InsertAxes(x, 1), n, samples, d), n*samples, d)
	decoded := m.Options.decode(s.In("decoder"), graph.Reshape(z, n*samples, latents), d)
	logp := m.logLikelihood(s, each, decoded)
	return []*graph.Node{graph.Reshape(logp, n, samples), graph.ReduceSum(ratio, -1)}
}

// rowKey tells the random stream of a row by its content: the answer for a row does not depend on
// which rows it is asked with.
func rowKey(x []float32) int {
	h := fnv.New64a()
	_ = binary.Write(h, binary.LittleEndian, x) // a hash takes everything
	return int(h.Sum64() >> 1)
}
