package vae

import (
	"context"
	"errors"
	"hash/crc32"
	"math"
	"os"
	"reflect"
	"runtime"
	"testing"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/coding"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

// discretizable are models of each network and likelihood that have symbols.
func discretizable(t *testing.T) map[string]struct {
	m *VAEModel
	x *mat.Dense
} {
	out := map[string]struct {
		m *VAEModel
		x *mat.Dense
	}{}
	for name, v := range map[string]VAE{
		"dense":         {Latents: 3, Hidden: []int{12, 7}},
		"linear":        {Latents: 2, Network: Linear},
		"convolutional": {Latents: 2, Network: Convolutional, Height: 5, Hidden: []int{3, 4}},
		"levels":        {Latents: 2, Hidden: []int{8}, Likelihood: DiscretizedLogistic, Levels: 5},
	} {
		v.Train = quick(60)
		v.Train.LearningRate = 0.02
		x := bits(60, 20)
		if v.Likelihood == DiscretizedLogistic {
			x = levels(60, 20, 5)
		}
		m, err := v.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		out[name] = struct {
			m *VAEModel
			x *mat.Dense
		}{m, x}
	}
	return out
}

// The evaluation in a fixed order is that of the graphs, and the masses of the bins are those of
// the distributions.
func TestDiscretizedIsTheModel(t *testing.T) {
	for name, c := range discretizable(t) {
		const bins = 64
		d, err := c.m.Discretize(bins)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		xs, err := d.Symbols(c.x)
		if err != nil {
			t.Fatal(err)
		}
		q, err := c.m.Encode(t.Context(), c.x)
		if err != nil {
			t.Fatal(err)
		}
		latents := c.m.Options.Latents
		z := mat.NewDense(20, latents, nil)
		for i := range 20 {
			p, err := d.Posterior(xs[i])
			if err != nil {
				t.Fatal(err)
			}
			for l := range latents {
				sum := 0.0
				n := distuv.Normal{Mu: q.Mean.At(i, l), Sigma: q.SD.At(i, l)}
				for k, mass := range p[l] {
					sum += mass
					lo, hi := distuv.UnitNormal.Quantile(float64(k)/bins), distuv.UnitNormal.Quantile(float64(k+1)/bins)
					if want := n.CDF(hi) - n.CDF(lo); math.Abs(mass-want) > 1e-5 {
						t.Fatalf("%s, row %d, latent %d: bin %d has mass %v, want %v", name, i, l, k, mass, want)
					}
				}
				if math.Abs(sum-1) > 1e-12 {
					t.Errorf("%s: the bins of a posterior sum to %v", name, sum)
				}
				z.Set(i, l, distuv.UnitNormal.Quantile((float64((7*i+11*l)%bins)+0.5)/bins))
			}
		}
		want, err := c.m.decoded(t.Context(), "test", z)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			code := make([]int, latents)
			for l := range code {
				code[l] = (7*i + 11*l) % bins
			}
			p, err := d.Likelihood(code)
			if err != nil {
				t.Fatal(err)
			}
			logp, symbols := 0.0, make([]float64, len(p))
			for j, of := range p {
				sum := 0.0
				for _, v := range of {
					sum += v
				}
				if math.Abs(sum-1) > 1e-12 {
					t.Errorf("%s: the levels of column %d sum to %v", name, j, sum)
				}
				logp += math.Log(of[xs[i][j]])
				symbols[j] = float64(xs[i][j])
			}
			if byHand := c.m.logpByHand(symbols, want.RawRowView(i)); math.Abs(logp-byHand) > 1e-4 {
				t.Errorf("%s, row %d: log p(x|z) is %v, want %v", name, i, logp, byHand)
			}
		}
	}
}

// What comes out has the bits that went in, and takes −ELBO; the numbers of processors on both
// sides are none of its business.
func TestBitsBackTakesTheELBO(t *testing.T) {
	for name, c := range discretizable(t) {
		d, err := c.m.Discretize(0)
		if err != nil {
			t.Fatal(err)
		}
		xs, err := d.Symbols(c.x)
		if err != nil {
			t.Fatal(err)
		}
		for range 4 { // a chain long enough for its mean
			xs = append(xs, xs[:60]...)
		}
		old := runtime.GOMAXPROCS(1)
		data, err := coding.BitsBack{}.Encode(t.Context(), d, xs)
		runtime.GOMAXPROCS(2)
		if err != nil {
			t.Fatal(err)
		}
		back, err := coding.BitsBack{}.Decode(t.Context(), d, data)
		runtime.GOMAXPROCS(old)
		if err != nil || !reflect.DeepEqual(back, xs) {
			t.Fatalf("%s: other rows came back, %v", name, err)
		}
		net, err := coding.BitsBack{}.NetBits(t.Context(), d, xs)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.m.ELBO(t.Context(), c.x, nil, 256, 1)
		if err != nil {
			t.Fatal(err)
		}
		elbo, _, _ := b.Mean()
		want := -elbo * float64(len(xs)) / math.Ln2
		t.Logf("%s: %d bits, −ELBO %.0f", name, net, want)
		if math.Abs(float64(net)/want-1) > 0.02 {
			t.Errorf("%s: %d bits, −ELBO is %.0f", name, net, want)
		}
	}
}

// A file that was made once is read by every later version, on every machine: a model with weights
// that are written here, and the bytes that it made of its data.
func TestBitsBackFormatStays(t *testing.T) {
	m := written()
	d, err := m.Discretize(256)
	if err != nil {
		t.Fatal(err)
	}
	x := mat.NewDense(50, 6, nil)
	x.Apply(func(i, j int, _ float64) float64 { return float64((i*i + 3*j*i + j) / 2 % 2) }, x)
	xs, err := d.Symbols(x)
	if err != nil {
		t.Fatal(err)
	}
	data, err := coding.BitsBack{Seed: 5}.Encode(t.Context(), d, xs)
	if err != nil {
		t.Fatal(err)
	}
	if sum := crc32.ChecksumIEEE(data[:len(data)-4]); sum != 0x6b95e29a {
		t.Errorf("the file has checksum %#x: files of other machines can't be read", sum)
	}
}

func written() *VAEModel {
	at := 0.0
	numbers := func(r, c int) *mat.Dense {
		out := mat.NewDense(r, c, nil)
		out.Apply(func(_, _ int, _ float64) float64 {
			at += 0.37
			return float64(float32(at-float64(2*int(at/2)))) - 1
		}, out)
		return out
	}
	w := neural.Weights{}
	for _, l := range []struct {
		name    string
		in, out int
	}{{"/encoder/hidden0", 6, 5}, {"/encoder/mean", 5, 2}, {"/encoder/logvar", 5, 2}, {"/decoder/hidden0", 2, 5}, {"/decoder/out", 5, 6}} {
		w = w.With(l.name+"/weights", numbers(l.in, l.out), l.in, l.out).With(l.name+"/biases", numbers(1, l.out), l.out)
	}
	return &VAEModel{Options: VAE{Latents: 2, Hidden: []int{5}}.complete(6), Columns: 6, Scale: 1, Trained: neural.Trained{Weights: w}}
}

func TestBadInputOfDiscretized(t *testing.T) {
	m := written()
	d, err := m.Discretize(8)
	if err != nil {
		t.Fatal(err)
	}
	other := func(change func(*VAEModel)) error {
		c := written()
		change(c)
		return mltest.Err(c.Discretize(8))
	}
	for name, c := range map[string]struct{ err, want error }{
		"one bin":           {mltest.Err(m.Discretize(1)), ml.ErrParameter},
		"too many bins":     {mltest.Err(m.Discretize(1 << 17)), ml.ErrParameter},
		"mean field":        {other(func(m *VAEModel) { m.Options.Inference = MeanField }), ml.ErrParameter},
		"real numbers":      {other(func(m *VAEModel) { m.Options.Likelihood = Gaussian }), ml.ErrParameter},
		"another width":     {other(func(m *VAEModel) { m.Options.Hidden = []int{4} }), ml.ErrShape},
		"no such layer":     {other(func(m *VAEModel) { m.Options.Hidden = []int{5, 5} }), ml.ErrShape},
		"no width":          {other(func(m *VAEModel) { m.Options.Likelihood = DiscretizedLogistic }), ml.ErrShape},
		"no variance":       {other(func(m *VAEModel) { m.Options.Network = Linear }), ml.ErrShape},
		"no channels":       {other(func(m *VAEModel) { m.Options.Network, m.Options.Hidden = Convolutional, nil }), ml.ErrShape},
		"no kernels":        {other(func(m *VAEModel) { m.Options.Network, m.Options.Height = Convolutional, 2 }), ml.ErrShape},
		"a row too long":    {mltest.Err(d.Posterior(make([]int, 7))), ml.ErrShape},
		"a level too high":  {mltest.Err(d.Posterior([]int{0, 0, 2, 0, 0, 0})), ml.ErrShape},
		"a latent too many": {mltest.Err(d.Likelihood([]int{0, 0, 0})), ml.ErrShape},
		"a bin too high":    {mltest.Err(d.Likelihood([]int{0, 8})), ml.ErrShape},
		"no bits":           {mltest.Err(d.Symbols(mat.NewDense(1, 6, []float64{0, 0, 0.5, 0, 0, 0}))), ml.ErrParameter},
		"too few columns":   {mltest.Err(d.Symbols(mat.NewDense(1, 5, nil))), ml.ErrShape},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: error %v, want %v", name, c.err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (coding.BitsBack{}).Encode(ctx, d, [][]int{make([]int, 6)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended gives %v", err)
	}
}

// The test part of the binarized digits by the model that reaches the reference: one chain of 400
// pictures.
func TestBitsBackOnDigits(t *testing.T) {
	if os.Getenv("LATENT_LONG") == "" {
		t.Skip("LATENT_LONG is not set")
	}
	xlatest.Require(t)
	train, validation, test := datasets.BinaryDigits()
	m, err := validated(digits(0), validation.X).Fit(t.Context(), train.X)
	if err != nil {
		t.Fatal(err)
	}
	d, err := m.Discretize(0)
	if err != nil {
		t.Fatal(err)
	}
	xs, err := d.Symbols(test.X)
	if err != nil {
		t.Fatal(err)
	}
	data, err := coding.BitsBack{}.Encode(t.Context(), d, xs)
	if err != nil {
		t.Fatal(err)
	}
	back, err := coding.BitsBack{}.Decode(t.Context(), d, data)
	if err != nil || !reflect.DeepEqual(back, xs) {
		t.Fatalf("other pictures came back, %v", err)
	}
	net, err := coding.BitsBack{}.NetBits(t.Context(), d, xs)
	if err != nil {
		t.Fatal(err)
	}
	b, err := m.ELBO(t.Context(), test.X, nil, 256, 1)
	if err != nil {
		t.Fatal(err)
	}
	elbo, _, _ := b.Mean()
	want := -elbo * 400 / math.Ln2
	t.Logf("%d net bits, %d in the file, −ELBO %.0f: %+.2f %%; %.3f nats a picture", net, 8*len(data), want, 100*(float64(net)/want-1), float64(net)*math.Ln2/400)
	if math.Abs(float64(net)/want-1) > 0.01 {
		t.Errorf("%d net bits, −ELBO is %.0f", net, want)
	}
}
