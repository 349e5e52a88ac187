package vae

import (
	"fmt"
	"math"

	"github.com/golatent/latent/internal/fixed"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Discretized is a VAE whose latents are cut into bins of equal prior mass, so that bits-back
// coding can send them: a coding.LatentModel. A latent's bin k holds the values between the
// quantiles k/Bins and (k+1)/Bins of N(0, 1), and stands for the one that has half of that mass
// below it. With bins much narrower than the posterior what is sent takes −ELBO.
//
// Both networks are evaluated in float64 in a fixed order of operations, apart from any backend:
// encoder and decoder of a file come to the same probabilities on all machines. It may be shared
// between goroutines.
type Discretized struct {
	Bins int

	m                *VAEModel
	edges, centers   []float64
	encoder, decoder network
	width            []float64 // DiscretizedLogistic: of each column
}

// Discretize cuts the latents into bins, 2 to 65,536; 0 means 1,024. The model must be amortized
// and its likelihood one of symbols, Bernoulli or DiscretizedLogistic; the error is ml.ErrParameter
// otherwise, and ml.ErrShape for weights that do not fit the options.
func (m *VAEModel) Discretize(bins int) (*Discretized, error) {
	const method = "vae.VAEModel.Discretize"
	if bins == 0 {
		bins = 1024
	}
	switch v := m.Options; {
	case bins < 2 || bins > 1<<16:
		return nil, ml.BadParameter(method, "bins", bins, "2 to 65,536, or 0 for 1,024")
	case v.Inference != Amortized:
		return nil, ml.BadParameter(method, "Inference", v.Inference, "amortized: the encoder has to answer for rows that are not yet known")
	case v.Likelihood != Bernoulli && v.Likelihood != DiscretizedLogistic:
		return nil, ml.BadParameter(method, "Likelihood", v.Likelihood, `"bernoulli" or "discretized logistic": real numbers take endlessly many bits`)
	}
	if v := m.Options; v.Latents < 1 || v.Network == Convolutional && (len(v.Hidden) == 0 || v.Height < 1 || m.Columns%v.Height != 0) {
		return nil, ml.BadShape(method, "%d latents, channels %v and height %d are no network for %d columns", v.Latents, v.Hidden, v.Height, m.Columns)
	}
	d := &Discretized{Bins: bins, m: m, edges: make([]float64, bins+1), centers: make([]float64, bins)}
	for k := range bins {
		d.edges[k+1] = fixed.Quantile(float64(k+1) / float64(bins))
		d.centers[k] = fixed.Quantile((float64(k) + 0.5) / float64(bins))
	}
	d.edges[0] = math.Inf(-1)
	b := builder{v: m.Options, weights: m.Weights, columns: m.Columns}
	d.encoder, d.decoder = b.encoder(), b.decoder()
	if m.Options.Likelihood == DiscretizedLogistic {
		log := m.Weights.Get("/logwidth")
		if log == nil {
			b.fail("logwidth", fmt.Errorf("there is none"))
		} else if r, c := log.Dims(); r*c != m.Columns {
			b.fail("logwidth", fmt.Errorf("it has %d columns, the data have %d", r*c, m.Columns))
		} else {
			for j := range m.Columns {
				d.width = append(d.width, min(max(fixed.Exp(log.At(0, j)-1), narrowest), widest))
			}
		}
	}
	if b.err != nil {
		return nil, ml.BadShape(method, "%v", b.err)
	}
	return d, nil
}

// Symbols returns the rows of x as the coder takes them, after a check that they are of the model's
// kind.
func (d *Discretized) Symbols(x mat.Matrix) ([][]int, error) {
	const method = "vae.Discretized.Symbols"
	if _, err := d.m.input(method, x); err != nil {
		return nil, err
	}
	n, columns := x.Dims()
	out := make([][]int, n)
	for i := range out {
		out[i] = make([]int, columns)
		for j := range columns {
			out[i][j] = int(x.At(i, j))
		}
	}
	return out, nil
}

// Prior is equal for all bins of all latents.
func (d *Discretized) Prior() ([][]float64, error) {
	p := make([]float64, d.Bins)
	for k := range p {
		p[k] = 1 / float64(d.Bins)
	}
	out := make([][]float64, d.m.Options.Latents)
	for i := range out {
		out[i] = p
	}
	return out, nil
}

// Likelihood is p(x|z) at the middles of the bins z, one distribution for each column of x.
func (d *Discretized) Likelihood(z []int) ([][]float64, error) {
	const method = "vae.Discretized.Likelihood"
	if len(z) != d.m.Options.Latents {
		return nil, ml.BadShape(method, "z has %d coordinates, the model has %d latents", len(z), d.m.Options.Latents)
	}
	at := make([]float64, len(z))
	for i, k := range z {
		if k < 0 || k >= d.Bins {
			return nil, ml.BadShape(method, "coordinate %d of z is %d, the bins are 0 to %d", i, k, d.Bins-1)
		}
		at[i] = d.centers[k]
	}
	out := make([][]float64, d.m.Columns)
	for j, y := range d.decoder.apply(at) {
		if d.width == nil {
			out[j] = []float64{fixed.Sigmoid(-y), fixed.Sigmoid(y)}
			continue
		}
		out[j] = d.levels(y, d.width[j])
	}
	return out, nil
}

// levels is the logistic's mass in the bin of each level.
func (d *Discretized) levels(location, width float64) []float64 {
	last := d.m.Options.Levels - 1
	p := make([]float64, last+1)
	below := 0.0 // what lies below the level's bin
	for k := range p {
		above := 1.0 // and what does not lie above
		if k < last {
			above = fixed.Sigmoid(((2*float64(k)+1)/float64(last) - 1 - location) / width)
		}
		p[k] = max(above-below, 0)
		below = above
	}
	return p
}

// Posterior is the mass of the encoder's q(z|x) in each bin, one distribution for each latent.
func (d *Discretized) Posterior(x []int) ([][]float64, error) {
	const method = "vae.Discretized.Posterior"
	if len(x) != d.m.Columns {
		return nil, ml.BadShape(method, "x has %d columns, the model has %d", len(x), d.m.Columns)
	}
	levels := 2
	if d.width != nil {
		levels = d.m.Options.Levels
	}
	in := make([]float64, len(x))
	for j, s := range x {
		if s < 0 || s >= levels {
			return nil, ml.BadShape(method, "column %d of x is %d, the levels are 0 to %d", j, s, levels-1)
		}
		in[j] = float64(s)
		if d.width != nil {
			in[j] = 2*in[j]/float64(levels-1) - 1
		}
	}
	both := d.encoder.apply(in) // the means, then the logarithms of the variances
	latents := len(both) / 2
	out := make([][]float64, latents)
	for i := range out {
		sd := fixed.Exp(both[latents+i] / 2)
		q := make([]float64, d.Bins)
		below := 0.0
		for k := range q {
			above := fixed.Normal((d.edges[k+1] - both[i]) / sd)
			q[k] = max(above-below, 0)
			below = above
		}
		out[i] = q
	}
	return out, nil
}
