package flow

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/mltest/neuraltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
)

// levels are pictures of whole numbers: rising along a row, or falling.
func levels(n, d, most int, seed uint64) *mat.Dense {
	x := mltest.Normal(seed, n, d)
	x.Apply(func(i, j int, v float64) float64 {
		at := float64(j) / float64(d-1)
		if i%2 == 1 {
			at = 1 - at
		}
		return min(max(math.Round(at*float64(most)+0.4*v), 0), float64(most))
	}, x)
	return x
}

// A flow of two scales undoes itself, and its log-determinant is that of the Jacobian.
func TestPictures(t *testing.T) {
	bothBackends(t, func(t *testing.T, _ string) {
		const n, d = 6, 16
		p := MultiScale{Height: 4, Width: 4, Scales: 2, Hidden: []int{5}}.Flow()
		x := mltest.Normal(3, n, d)
		m := pictureOfWeights(t, p, mltest.Normal(1, 64, d), 0.2)
		z, logDet, err := m.Encode(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		back, err := m.Decode(t.Context(), z)
		if err != nil {
			t.Fatal(err)
		}
		if gap := mltest.MatrixGap(back, x); gap > 1e-4 {
			t.Errorf("there and back, a number has moved by %v", gap)
		}
		for i, want := range jacobians(t, m, x) {
			if math.Abs(logDet[i]-want) > 2e-3 {
				t.Errorf("log-determinant %v of row %d, by differentiation %v", logDet[i], i, want)
			}
		}
	})
}

func pictureOfWeights(t *testing.T, f Flow, x *mat.Dense, size float64) *Model {
	t.Helper()
	f.Train = neural.Train{Steps: 1, LearningRate: 1e-9, Schedule: neural.Constant}
	m, err := f.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return drawn(m, size, 1)
}

// Squeeze and Split move numbers to where the paper draws them.
func TestSqueezeAndSplit(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := mat.NewDense(1, 16, nil)
	for j := range 16 {
		x.Set(0, j, float64(j))
	}
	m := &Model{Layers: []Layer{{Kind: Squeeze}, {Kind: Split}}, Base: Normal, Shape: []int{4, 4, 1},
		Mean: make([]float64, 16), Scale: slices.Repeat([]float64{1}, 16)}
	z, _, err := m.Encode(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	// The upper two pixels of each block of 2×2 go on, the lower two are done.
	want := []float64{0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15}
	for j, w := range want {
		if z.At(0, j) != w {
			t.Fatalf("got %v, want %v", z.RawRowView(0), want)
		}
	}
	back, err := m.Decode(t.Context(), z)
	if err != nil || !mat.Equal(back, x) {
		t.Errorf("%v: it comes back as %v", err, back)
	}
}

// The bound holds: over all pictures that there are, the probabilities add up to at most 1, and
// after training to not much less.
func TestLevelsAreBounded(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := levels(2000, 2, 2, 1)
	f := RealNVP{Couplings: 4, Hidden: []int{24}}.Flow()
	f.Levels, f.Train = 3, neural.Train{Steps: 600, LearningRate: 5e-3, Backend: "go"}
	m, err := f.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	all := mat.NewDense(9, 2, []float64{0, 0, 0, 1, 0, 2, 1, 0, 1, 1, 1, 2, 2, 0, 2, 1, 2, 2})
	logp, err := m.LogProb(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, v := range logp {
		sum += math.Exp(v)
	}
	if sum > 1.03 || sum < 0.6 { // eight draws of noise leave a little room above 1
		t.Errorf("probabilities of all nine pictures add up to %v", sum)
	}
	s, err := m.Sample(t.Context(), 1000, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		for _, v := range s.RawRowView(i) {
			if v != 0 && v != 1 && v != 2 {
				t.Fatalf("a sample has the level %v", v)
			}
		}
	}
	// Rows 2 and 6 of all are the two ends.
	if drawn, bound := share(s, 0, 2)+share(s, 2, 0), math.Exp(logp[2])+math.Exp(logp[6]); drawn < bound-0.06 {
		t.Errorf("the two ends make %v of the samples, by the bound at least %v", drawn, bound)
	}
}

func share(x *mat.Dense, a, b float64) float64 {
	n, _ := x.Dims()
	count := 0.0
	for i := range n {
		if x.At(i, 0) == a && x.At(i, 1) == b {
			count++
		}
	}
	return count / float64(n)
}

func TestTrainingOfPictures(t *testing.T) {
	x := levels(40, 16, 4, 1)
	fit := func(hidden int) func(context.Context, neural.Train) (*Model, error) {
		return func(ctx context.Context, how neural.Train) (*Model, error) {
			return MultiScale{Height: 4, Width: 4, Levels: 5, Hidden: []int{hidden}, Train: how}.Fit(ctx, x)
		}
	}
	neuraltest.Run(t, neuraltest.Method[Model]{
		Fit: fit(4), Other: fit(5), Train: neural.Train{Batch: 16, LearningRate: 0.005},
		Answer: func(ctx context.Context, m *Model) ([]float64, error) { return m.LogProb(ctx, x) },
	})
}

func TestPicturesRefused(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	ctx, x := t.Context(), levels(20, 16, 4, 1)
	refused := func(name string, f Flow, says ...string) {
		t.Helper()
		mltest.Refused(t, name, mltest.Err(f.Fit(ctx, x)), ml.ErrParameter, says...)
	}
	refused("no picture", Flow{Layers: []Layer{{Kind: Squeeze}}}, "Layers[0].Kind", "Shape")
	refused("odd", Flow{Shape: []int{1, 16, 1}, Layers: []Layer{{Kind: Squeeze}}}, "1×16")
	refused("one channel", Flow{Shape: []int{4, 4, 1}, Layers: []Layer{{Kind: Split}}}, "squeeze first")
	refused("by channel", Flow{Shape: []int{4, 4, 1}, Layers: []Layer{{Kind: Affine, ByChannel: true}}}, "ByChannel")
	refused("shape", Flow{Shape: []int{4, 5, 1}, Layers: []Layer{{Kind: Affine}}}, "Shape", "16")
	refused("levels", Flow{Levels: 1, Layers: []Layer{{Kind: Affine}}}, "Levels = 1")
	refused("a number that is no level", Flow{Levels: 4, Layers: []Layer{{Kind: Affine}}}, "column", "0 to 3")
}
