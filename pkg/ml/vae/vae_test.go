package vae

import (
	"context"
	"errors"
	"math"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/mltest/neuraltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

func TestMain(m *testing.M) { xlatest.Main(m) }

func quick(steps int) neural.Train { return neural.Train{Steps: steps, Batch: 16, Backend: "go"} }

func bits(n, d int) *mat.Dense {
	r := rng.New(5)
	x := mat.NewDense(n, d, nil)
	for i := range n {
		p := 0.1 + 0.8*float64(i%3)/2 // three kinds of rows
		for j := range d {
			if (r.Float64() < p) != (j%2 == 0) {
				x.Set(i, j, 1)
			}
		}
	}
	return x
}

func levels(n, d, k int) *mat.Dense {
	r := rng.New(6)
	x := mat.NewDense(n, d, nil)
	x.Apply(func(i, _ int, _ float64) float64 { return float64((i%k + r.IntN(3)) % k) }, x)
	return x
}

func TestConforms(t *testing.T) {
	t.Run("Gaussian", func(t *testing.T) {
		v := VAE{Latents: 2, Likelihood: Gaussian, Hidden: []int{8}, Train: quick(20)}
		mltest.Run(t, mltest.Method[VAEModel]{Fit: v.Fit, Iterate: v.Iterate})
	})
	t.Run("Bernoulli, mean-field", func(t *testing.T) {
		v := VAE{Latents: 2, Hidden: []int{8}, Inference: MeanField, Train: quick(20)}
		mltest.Run(t, mltest.Method[VAEModel]{Fit: v.Fit, Iterate: v.Iterate, Data: bits(30, 6)})
	})
	t.Run("levels, convolutional", func(t *testing.T) {
		v := VAE{Latents: 2, Likelihood: DiscretizedLogistic, Levels: 4, Network: Convolutional, Hidden: []int{2, 3}, Height: 3, Train: quick(5)}
		x := levels(20, 9, 4)
		mltest.Run(t, mltest.Method[VAEModel]{Fit: v.Fit, Iterate: v.Iterate, Data: x})
	})
}

func TestTraining(t *testing.T) {
	for name, c := range map[string]struct {
		v         VAE
		x         *mat.Dense
		noHoldout bool
	}{
		"Bernoulli":     {VAE{Latents: 2, Hidden: []int{8}, Beta: 2, KLWarmup: 5}, bits(40, 6), false},
		"Gaussian":      {VAE{Latents: 2, Likelihood: Gaussian, PerColumn: true, Hidden: []int{8}}, datasets.Iris().X, false},
		"convolutional": {VAE{Latents: 2, Network: Convolutional, Likelihood: DiscretizedLogistic, Levels: 5, Hidden: []int{3, 4}, Height: 2}, levels(40, 6, 5), false},
		"mean-field":    {VAE{Latents: 2, Hidden: []int{8}, Inference: MeanField}, bits(40, 6), true},
	} {
		t.Run(name, func(t *testing.T) {
			fit := func(v VAE) func(context.Context, neural.Train) (*VAEModel, error) {
				return func(ctx context.Context, t neural.Train) (*VAEModel, error) { v.Train = t; return v.Fit(ctx, c.x) }
			}
			other := c.v
			other.FreeBits = 0.1
			neuraltest.Run(t, neuraltest.Method[VAEModel]{
				Fit: fit(c.v), Other: fit(other), Train: neural.Train{Batch: 16, LearningRate: 0.01}, NoHoldout: c.noHoldout,
				Answer: func(ctx context.Context, m *VAEModel) ([]float64, error) {
					return m.LogProb(ctx, c.x.Slice(0, 5, 0, m.Columns))
				},
			})
		})
	}
}

// models is one small trained model of each kind.
func models(t *testing.T) map[string]struct {
	*VAEModel
	x *mat.Dense
} {
	t.Helper()
	out := map[string]struct {
		*VAEModel
		x *mat.Dense
	}{}
	for name, c := range map[string]struct {
		v VAE
		x *mat.Dense
	}{
		"Bernoulli":            {VAE{Latents: 2, Hidden: []int{8}}, bits(40, 6)},
		"Gaussian":             {VAE{Latents: 2, Likelihood: Gaussian, Hidden: []int{8}}, datasets.Iris().X},
		"Gaussian by column":   {VAE{Latents: 2, Likelihood: Gaussian, PerColumn: true, Hidden: []int{8}}, datasets.Iris().X},
		"discretized logistic": {VAE{Latents: 2, Likelihood: DiscretizedLogistic, Levels: 5, Hidden: []int{8}}, levels(40, 6, 5)},
		"convolutional":        {VAE{Latents: 2, Network: Convolutional, Hidden: []int{3, 4}, Height: 2}, bits(40, 6)},
	} {
		c.v.Train = quick(60)
		m, err := c.v.Fit(t.Context(), c.x)
		if err != nil {
			t.Fatal(name, err)
		}
		out[name] = struct {
			*VAEModel
			x *mat.Dense
		}{m, c.x}
	}
	return out
}

// The bound by hand, in float64 from the encoder's and the decoder's outputs: the wrong sign of any
// part shows without training.
func TestBoundByHand(t *testing.T) {
	for name, m := range models(t) {
		t.Run(name, func(t *testing.T) {
			x := m.x.Slice(0, 5, 0, m.Columns).(*mat.Dense)
			q, err := m.Encode(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			b, err := m.ELBO(t.Context(), x, nil, 16, 3)
			if err != nil {
				t.Fatal(err)
			}
			iw, err := m.Importance(t.Context(), x, nil, 16, 3)
			if err != nil {
				t.Fatal(err)
			}
			in, err := m.input("test", x)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				eps := make([]float32, 16*2)
				neural.Noise{Kind: neural.Normal}.Draw(eps, 3, rowKey(in.Floats[i*m.Columns:(i+1)*m.Columns]), 0)
				z := mat.NewDense(16, 2, nil)
				var weights []float64
				reconstruction, kl := 0.0, 0.0
				for s := range 16 {
					for j := range 2 {
						z.Set(s, j, q.Mean.At(i, j)+q.SD.At(i, j)*float64(eps[2*s+j]))
					}
				}
				out, err := m.decoded(t.Context(), "test", z)
				if err != nil {
					t.Fatal(err)
				}
				for s := range 16 {
					logp := m.logpByHand(x.RawRowView(i), out.RawRowView(s))
					w := logp
					for j := range 2 {
						w += logNormal(z.At(s, j), 0, 1) - logNormal(z.At(s, j), q.Mean.At(i, j), q.SD.At(i, j))
					}
					reconstruction += logp / 16
					weights = append(weights, w)
				}
				for j := range 2 {
					mean, sd := q.Mean.At(i, j), q.SD.At(i, j)
					kl += (mean*mean+sd*sd-1)/2 - math.Log(sd)
				}
				for what, pair := range map[string][2]float64{
					"reconstruction": {b.Reconstruction[i], reconstruction}, "KL": {b.KL[i], kl}, "ELBO": {b.ELBO[i], reconstruction - kl},
					"other form": {b.Sampled[i], stat.Mean(weights, nil)}, "importance": {iw[i], logMeanExp(weights)},
				} {
					if math.Abs(pair[0]-pair[1]) > 1e-4*(1+math.Abs(pair[1])) {
						t.Errorf("row %d: %s is %v, by hand %v", i, what, pair[0], pair[1])
					}
				}
			}
		})
	}
}

func logNormal(x, mean, sd float64) float64 {
	return -0.5*math.Pow((x-mean)/sd, 2) - math.Log(sd) - 0.5*math.Log(2*math.Pi)
}

func logMeanExp(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += math.Exp(v) / float64(len(x))
	}
	return math.Log(sum)
}

func sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

func (m *VAEModel) logpByHand(x, decoded []float64) (logp float64) {
	for j, v := range x {
		switch m.Options.Likelihood {
		case Bernoulli:
			logp += math.Log(sigmoid((2*v - 1) * decoded[j]))
		case Gaussian:
			noise := m.Weights.Get("/lognoise")
			_, c := noise.Dims()
			variance := math.Exp(noise.At(0, min(j, c-1))) + leastVariance
			logp += logNormal(v, m.Center[j]+m.Scale*decoded[j], m.Scale*math.Sqrt(variance))
		case DiscretizedLogistic:
			k := float64(m.Options.Levels - 1)
			width, at := math.Exp(m.Weights.Get("/logwidth").At(0, j)-1), 2*v/k-1
			lo, hi := 0.0, 1.0
			if v > 0 {
				lo = sigmoid((at - 1/k - decoded[j]) / width)
			}
			if v < k {
				hi = sigmoid((at + 1/k - decoded[j]) / width)
			}
			logp += math.Log(hi - lo)
		}
	}
	return logp
}

// Over all values that a row can have, p(x) sums to one. Samples from the prior estimate it without
// bias, and here without much noise.
func TestProbabilitiesSumToOne(t *testing.T) {
	all := mat.NewDense(32, 5, nil)
	all.Apply(func(i, j int, _ float64) float64 { return float64(i >> j & 1) }, all)
	for name, v := range map[string]VAE{"bits": {}, "levels": {Likelihood: DiscretizedLogistic, Levels: 2}} {
		v.Latents, v.Hidden, v.Train = 2, []int{8}, quick(200)
		m, err := v.Fit(t.Context(), bits(60, 5))
		if err != nil {
			t.Fatal(err)
		}
		prior := &Posterior{mat.NewDense(32, 2, nil), mat.NewDense(32, 2, nil)}
		prior.SD.Apply(func(_, _ int, _ float64) float64 { return 1 }, prior.SD)
		logp, err := m.Importance(t.Context(), all, prior, 4096, 0)
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, l := range logp {
			sum += math.Exp(l)
		}
		if math.Abs(sum-1) > 0.02 {
			t.Errorf("%s: the probabilities sum to %v", name, sum)
		}
	}
}

// The closed form: a linear VAE with Gaussian noise is probabilistic PCA, whose best log-likelihood
// follows from the eigenvalues of the covariance (Tipping & Bishop, 1999).
func TestLinearIsProbabilisticPCA(t *testing.T) {
	const q, n, d = 2, 400, 6
	r := rng.New(2)
	w := mat.NewDense(q, d, nil)
	w.Apply(func(i, _ int, _ float64) float64 { return r.NormFloat64() * float64(i+1) }, w)
	z, x := mat.NewDense(n, q, nil), mat.NewDense(n, d, nil)
	z.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, z)
	x.Mul(z, w)
	x.Apply(func(_, j int, v float64) float64 { return v + 0.5*r.NormFloat64() + float64(j) }, x)
	exact := ppca(x, q)
	v := VAE{Latents: q, Likelihood: Gaussian, Network: Linear, Train: neural.Train{Steps: 3000, Batch: n, LearningRate: 0.02, Schedule: neural.Cosine, Backend: "go", Report: 3000}}
	m, err := v.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.ELBO(t.Context(), x, nil, 512, 1)
	if err != nil {
		t.Fatal(err)
	}
	elbo, _, _ := b.Mean()
	if gap := exact - elbo; gap < -0.003 || gap > 0.01 {
		t.Errorf("the ELBO is %v nats a row, the best log-likelihood of probabilistic PCA %v: a gap of %v, want at most 0.01 and none below 0", elbo, exact, gap)
	}
	// log p(x) is below the optimum of its model class, and the importance-weighted bound is
	// between the two.
	logp, err := m.LogProb(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if mean := stat.Mean(logp, nil); mean > exact+1e-3 || mean < elbo-1e-3 {
		t.Errorf("mean log p(x) = %v, ELBO %v, optimum %v", mean, elbo, exact)
	}
}

// ppca is the mean log-likelihood of probabilistic PCA with q components at its optimum.
func ppca(x *mat.Dense, q int) float64 {
	n, d := x.Dims()
	var cov mat.SymDense
	stat.CovarianceMatrix(&cov, x, nil)
	cov.ScaleSym(float64(n-1)/float64(n), &cov)
	var e mat.EigenSym
	e.Factorize(&cov, false)
	values := e.Values(nil) // ascending
	noise := stat.Mean(values[:d-q], nil)
	logDet := float64(d-q) * math.Log(noise)
	for _, l := range values[d-q:] {
		logDet += math.Log(l)
	}
	return -0.5 * (float64(d)*math.Log(2*math.Pi) + logDet + float64(d))
}

// A posterior of a row's own is at least as good as the encoder's; more importance samples raise
// the bound; none passes the truth.
func TestRefiningAndImportance(t *testing.T) {
	x := bits(60, 8)
	m, err := VAE{Latents: 3, Hidden: []int{8}, Train: quick(300)}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	mean := func(q *Posterior) float64 {
		b, err := m.ELBO(t.Context(), x, q, 256, 0)
		if err != nil {
			t.Fatal(err)
		}
		elbo, _, _ := b.Mean()
		return elbo
	}
	q, err := m.Refine(t.Context(), x, Refine{Steps: 200})
	if err != nil {
		t.Fatal(err)
	}
	amortized, refined := mean(nil), mean(q)
	if refined < amortized+0.01 {
		t.Errorf("refined %v, amortized %v", refined, amortized)
	}
	before := amortized
	for _, k := range []int{4, 64, 200} {
		iw, err := m.Importance(t.Context(), x, nil, k, 0)
		if err != nil {
			t.Fatal(err)
		}
		now := stat.Mean(iw, nil)
		if now < before {
			t.Errorf("the bound falls to %v with %d samples, from %v", now, k, before)
		}
		before = now
	}
	// Far from the encoder's q the same log p(x) comes out, from the refined one: both estimate one
	// number.
	logp, err := m.Importance(t.Context(), x, q, 2000, 1)
	if err != nil {
		t.Fatal(err)
	}
	if a := stat.Mean(logp, nil); math.Abs(a-before) > 0.05 || a < refined {
		t.Errorf("log p(x) is %v by the refined posterior, %v by the encoder's; refined ELBO %v", a, before, refined)
	}
	subset, err := m.LogProb(t.Context(), x.Slice(10, 13, 0, 8))
	all, err2 := m.LogProb(t.Context(), x)
	if err = errors.Join(err, err2); err != nil || !reflect.DeepEqual(subset, all[10:13]) {
		t.Errorf("a subset has log-probabilities %v, among all %v (%v)", subset, all[10:13], err)
	}
}

func TestMeanFieldTrainsAPosteriorARow(t *testing.T) {
	x := bits(60, 8)
	v := VAE{Latents: 2, Hidden: []int{8}, Inference: MeanField, Train: neural.Train{Steps: 1500, Batch: 60, LearningRate: 0.02, Backend: "go"}}
	m, err := v.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	q := m.Points()
	b, err := m.ELBO(t.Context(), x, q, 128, 0)
	if err != nil {
		t.Fatal(err)
	}
	trained, _, kl := b.Mean()
	last := m.History.Part("negative ELBO")
	if math.Abs(trained+last[len(last)-1]) > 0.1 || kl < 0.05 {
		t.Errorf("the ELBO is %v (KL %v), at the end of the training it was %v", trained, kl, -last[len(last)-1])
	}
	again, err := m.Encode(t.Context(), x) // from the prior, the decoder as it is
	if err != nil {
		t.Fatal(err)
	}
	if b, err = m.ELBO(t.Context(), x, again, 128, 0); err != nil {
		t.Fatal(err)
	}
	if found, _, _ := b.Mean(); found < trained-0.05 {
		t.Errorf("refined from the prior the ELBO is %v, trained %v", found, trained)
	}
}

func TestOptionsOfTheKL(t *testing.T) {
	x := bits(60, 8)
	kl := func(v VAE) float64 {
		v.Latents, v.Hidden, v.Train = 3, []int{8}, quick(600)
		v.Train.LearningRate = 5e-3
		m, err := v.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		curve := m.History.Part("KL")
		return curve[len(curve)-1]
	}
	plain := kl(VAE{})
	if heavy := kl(VAE{Beta: 10}); heavy > 0.1*plain || heavy > 0.05 {
		t.Errorf("with β = 10 the KL is %v, with 1 %v", heavy, plain)
	}
	if light := kl(VAE{Beta: 0.1}); light < 1.5*plain {
		t.Errorf("with β = 0.1 the KL is %v, with 1 %v", light, plain)
	}
	if free := kl(VAE{Beta: 10, FreeBits: 0.5}); free < 0.7*3*0.5 {
		t.Errorf("with 0.5 nats free for each of 3 latents the KL is %v", free)
	}
	v := VAE{Latents: 3, Hidden: []int{8}, Beta: 2, KLWarmup: 10, Train: quick(20)}
	v.Train.Report = 1
	m, err := v.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range map[int]float64{0: 0.2, 4: 1, 9: 2, 19: 2} {
		h := m.History
		weight := (h.Loss[i] - h.Part("reconstruction")[i]) / h.Part("KL")[i]
		if math.Abs(weight-want) > 1e-3 {
			t.Errorf("at step %d the KL weighs %v, want %v", i+1, weight, want)
		}
	}
}

func TestSamplesAreOfTheModel(t *testing.T) {
	for name, m := range models(t) {
		const n = 4000
		x, err := m.Sample(t.Context(), n, 3)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := m.input("test", x); err != nil {
			t.Errorf("%s: a sample is no data: %v", name, err)
		}
		mean, err := m.Decode(t.Context(), m.Prior(n, 3))
		if err != nil {
			t.Fatal(err)
		}
		if name == "discretized logistic" {
			continue // its decoder gives the location, which is the mean but for the ends
		}
		for j := range m.Columns {
			a, sd := stat.MeanStdDev(mat.Col(nil, j, x), nil)
			if b := stat.Mean(mat.Col(nil, j, mean), nil); math.Abs(a-b) > 5*sd/math.Sqrt(n)+1e-9 {
				t.Errorf("%s: column %d of the samples has mean %v, the means they are drawn around %v", name, j, a, b)
			}
		}
		again, err := m.Sample(t.Context(), n, 3)
		if err != nil || !mat.Equal(x, again) {
			t.Errorf("%s: the same seed draws other samples (%v)", name, err)
		}
	}
}

func TestBadInputIsNamed(t *testing.T) {
	x := bits(20, 6)
	half, big, negative := mat.DenseCopyOf(x), levels(20, 6, 4), levels(20, 6, 4)
	half.Set(3, 2, 0.5)
	big.Set(1, 1, 4)
	negative.Set(2, 5, -1)
	for _, c := range []struct {
		v    VAE
		x    mat.Matrix
		kind error
		says string
	}{
		{VAE{Latents: -1}, x, ml.ErrParameter, "Latents = -1"},
		{VAE{Likelihood: "poisson"}, x, ml.ErrParameter, "poisson"},
		{VAE{Network: "transformer"}, x, ml.ErrParameter, "transformer"},
		{VAE{Inference: "guessing"}, x, ml.ErrParameter, "guessing"},
		{VAE{Hidden: []int{8, 0}}, x, ml.ErrParameter, "Hidden[1] = 0"},
		{VAE{Network: Convolutional}, bits(20, 7), ml.ErrParameter, "Height = 3"},
		{VAE{Network: Convolutional, Hidden: []int{}, Height: 2}, x, ml.ErrParameter, "Hidden"},
		{VAE{Beta: -1}, x, ml.ErrParameter, "Beta = -1"},
		{VAE{Beta: math.NaN()}, x, ml.ErrParameter, "Beta = NaN"},
		{VAE{FreeBits: -1}, x, ml.ErrParameter, "FreeBits"},
		{VAE{KLWarmup: -1}, x, ml.ErrParameter, "KLWarmup"},
		{VAE{Levels: 1}, x, ml.ErrParameter, "Levels = 1"},
		{VAE{}, half, ml.ErrParameter, "x[3, 2] = 0.5"},
		{VAE{Likelihood: DiscretizedLogistic, Levels: 4}, big, ml.ErrParameter, "x[1, 1] = 4"},
		{VAE{Likelihood: DiscretizedLogistic, Levels: 4}, negative, ml.ErrParameter, "x[2, 5] = -1"},
		{VAE{Train: neural.Train{Batch: -1}}, x, ml.ErrParameter, "Train.Batch = -1"},
		{VAE{Inference: MeanField, Train: neural.Train{Holdout: 0.1}}, x, ml.ErrParameter, "mean-field"},
		{VAE{}, mat.NewDense(1, 1, []float64{math.NaN()}), ml.ErrNotFinite, "row 0, column 0"},
	} {
		c.v.Train.Backend = "go"
		m, err := c.v.Fit(t.Context(), c.x)
		if mltest.Refused(t, c.says, err, c.kind, c.says); m != nil {
			t.Errorf("%s: there is a model beside the error", c.says)
		}
	}
	v := VAE{Latents: 2, Hidden: []int{4}, Train: quick(2)}
	if _, err := validated(v, bits(5, 7)).Fit(t.Context(), x); !errors.Is(err, ml.ErrShape) || !strings.Contains(err.Error(), "validation") {
		t.Errorf("validation data with a column too many: %v", err)
	}
	m, err := v.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	q := &Posterior{mat.NewDense(20, 2, nil), mat.NewDense(20, 2, nil)}
	for what, err := range map[string]error{
		"Encode":            mltest.Err(m.Encode(t.Context(), bits(3, 7))),
		"LogProb":           mltest.Err(m.LogProb(t.Context(), bits(3, 7))),
		"Decode":            mltest.Err(m.Decode(t.Context(), mat.NewDense(1, 3, nil))),
		"Reconstruct":       mltest.Err(m.Reconstruct(t.Context(), bits(3, 5))),
		"Refine":            mltest.Err(m.Refine(ctx, bits(3, 5), Refine{})),
		"a wrong posterior": mltest.Err(m.ELBO(ctx, bits(3, 6), q, 1, 0)),
	} {
		if !errors.Is(err, ml.ErrShape) {
			t.Errorf("%s: %v, want an error that wraps %q", what, err, ml.ErrShape)
		}
	}
	for what, err := range map[string]error{
		"Sample of none":            mltest.Err(m.Sample(t.Context(), 0, 0)),
		"samples below 1":           mltest.Err(m.Importance(ctx, x, nil, -1, 0)),
		"a deviation of 0":          mltest.Err(m.ELBO(ctx, x, q, 1, 0)),
		"Refine by -1 samples":      mltest.Err(m.Refine(ctx, x, Refine{Samples: -1})),
		"Refine at a negative rate": mltest.Err(m.Refine(ctx, x, Refine{LearningRate: -1})),
	} {
		if !errors.Is(err, ml.ErrParameter) {
			t.Errorf("%s: %v, want an error that wraps %q", what, err, ml.ErrParameter)
		}
	}
}

func TestVerbsLookAtTheirContext(t *testing.T) {
	x := bits(30, 6)
	m, err := VAE{Latents: 2, Hidden: []int{8}, Train: quick(2)}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for what, err := range map[string]error{
		"Importance": mltest.Err(m.Importance(ended, x, nil, 5000, 0)),
		"Refine":     mltest.Err(m.Refine(ended, x, Refine{})),
		"Sample":     mltest.Err(m.Sample(ended, 3, 0)),
		"Encode":     mltest.Err(m.Encode(ended, x)),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with an ended context: %v", what, err)
		}
	}
}

func TestHoldoutStopsEarly(t *testing.T) {
	v := VAE{Latents: 2, Hidden: []int{32}, Train: quick(20_000)}
	v.Train.LearningRate, v.Train.Report, v.Train.Holdout, v.Train.Patience = 0.01, 20, 0.4, 5
	m, err := v.Fit(t.Context(), bits(60, 10))
	if err != nil || m.Stopped != "patience" || m.History.Best == 0 || m.Steps == 20_000 {
		t.Errorf("stopped by %q after %d steps, best %d (%v)", m.Stopped, m.Steps, m.History.Best, err)
	}
}

// The numbers of the notebook, three seeds, some minutes: LATENT_LONG=yes.
func TestDigitsReachTheReference(t *testing.T) {
	if os.Getenv("LATENT_LONG") == "" {
		t.Skip("LATENT_LONG is not set")
	}
	xlatest.Require(t)
	train, validation, test := datasets.BinaryDigits()
	for seed := range uint64(3) {
		m, err := validated(digits(seed), validation.X).Fit(t.Context(), train.X)
		if err != nil {
			t.Fatal(err)
		}
		b, err := m.ELBO(t.Context(), test.X, nil, 256, 1)
		if err != nil {
			t.Fatal(err)
		}
		elbo, _, kl := b.Mean()
		iw, err := m.Importance(t.Context(), test.X, nil, 5000, 1)
		if err != nil {
			t.Fatal(err)
		}
		q, err := m.Refine(t.Context(), test.X, Refine{})
		if err != nil {
			t.Fatal(err)
		}
		if b, err = m.ELBO(t.Context(), test.X, q, 256, 1); err != nil {
			t.Fatal(err)
		}
		refined, _, _ := b.Mean()
		logp := stat.Mean(iw, nil)
		t.Logf("seed %d: −ELBO %.3f (KL %.3f), IWAE-5000 %.3f, refined %.3f, amortization gap %.3f, best step %d", seed, -elbo, kl, -logp, -refined, refined-elbo, m.History.Best)
		if -elbo > 18.3 || -logp > 16.65 || refined-elbo < 0.4 || refined-elbo > 1.3 {
			t.Errorf("seed %d: −ELBO %.3f, want at most 18.3; IWAE-5000 %.3f, want at most 16.65; amortization gap %.3f, want about 0.4 to 1.3", seed, -elbo, -logp, refined-elbo)
		}
	}
}

func digits(seed uint64) VAE {
	return VAE{Latents: 10, Train: neural.Train{Steps: 4000, EMA: 0.99, WeightDecay: 0.3, KeepLast: true, Seed: seed}}
}

// Whatever the shape and the options, Fit answers or says what is wrong.
func FuzzFit(f *testing.F) {
	f.Add(3, 4, 2, 3, uint8(0), uint64(1))
	f.Add(1, 1, 0, 0, uint8(7), uint64(2))
	f.Add(9, 9, 1, 2, uint8(21), uint64(3))
	f.Fuzz(func(t *testing.T, n, d, latents, hidden int, kind uint8, seed uint64) {
		if n < 0 || n > 40 || d < 0 || d > 40 || latents > 40 || hidden > 40 {
			return
		}
		x := &mat.Dense{}
		if n > 0 && d > 0 {
			x = mat.NewDense(n, d, nil)
			r := rng.New(seed)
			x.Apply(func(_, _ int, _ float64) float64 { return float64(r.IntN(2)) }, x)
		}
		v := VAE{Latents: latents, Hidden: []int{hidden}, Likelihood: []Likelihood{"", Gaussian, DiscretizedLogistic}[kind%3], Network: []Network{"", Linear, Convolutional}[kind/3%3],
			Inference: []Inference{"", MeanField}[kind/9%2], PerColumn: kind&1 == 1, Train: neural.Train{Steps: 2, Backend: "go", Seed: seed}}
		m, err := v.Fit(t.Context(), x)
		switch {
		case err == nil && m == nil:
			t.Error("neither a model nor an error")
		case err != nil && !errors.Is(err, ml.ErrEmpty) && !errors.Is(err, ml.ErrParameter) && !errors.Is(err, ml.ErrShape) && !errors.Is(err, ml.ErrNotFinite):
			t.Errorf("the error %q wraps none of ml's", err)
		case err == nil:
			if _, err := m.Sample(t.Context(), 2, seed); err != nil {
				t.Error(err)
			}
		}
	})
}

// validated is v with validation data.
func validated(v VAE, x mat.Matrix) VAE {
	v.Train.Validation = x
	return v
}
