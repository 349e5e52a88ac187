package vae

import (
	"testing"

	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
)

// Files of the first format must load for ever, and a network that was trained then says of its
// data what it said: the bounds of some rows, the means of the posterior and of p(x|z).
func TestSavedModelsOfFormat1(t *testing.T) {
	mltest.Saved[VAEModel](t, "testdata/vae-format1.zip")

	t.Setenv("GOMLX_BACKEND", "go")
	b := neural.Train{Steps: 20, Batch: 10, LearningRate: 0.02, Report: 10, Backend: "go"}
	for name, c := range map[string]struct {
		o      VAE
		levels int
	}{
		"bits":       {VAE{Latents: 2, Hidden: []int{5, 4}, Train: b}, 2},
		"numbers":    {VAE{Latents: 2, Likelihood: Gaussian, PerColumn: true, Hidden: []int{5}, Train: b}, 7},
		"linear":     {VAE{Latents: 2, Likelihood: Gaussian, Network: Linear, Train: b}, 7},
		"images":     {VAE{Latents: 2, Likelihood: DiscretizedLogistic, Levels: 5, Network: Convolutional, Hidden: []int{2, 3}, Train: b}, 5},
		"mean-field": {VAE{Latents: 2, Inference: MeanField, Hidden: []int{4}, Train: b}, 2},
	} {
		x := mltest.Stripes(20, 16, c.levels)
		mltest.Stays(t, "testdata/vae-"+name+"-trained1.zip", func() (*VAEModel, error) { return c.o.Fit(t.Context(), x) }, func(m *VAEModel) ([]float64, error) {
			q := m.Points()
			if q == nil {
				var err error
				if q, err = m.Encode(t.Context(), x); err != nil {
					return nil, err
				}
			}
			bound, err := m.ELBO(t.Context(), x, q, 4, 1)
			if err != nil {
				return nil, err
			}
			means, err := m.Decode(t.Context(), q.Mean)
			if err != nil {
				return nil, err
			}
			elbo, reconstruction, kl := bound.Mean()
			return append(append([]float64{elbo, reconstruction, kl}, q.Mean.RawMatrix().Data...), means.RawMatrix().Data[:32]...), nil
		})
	}
}
