package autoencoder

import (
	"context"
	"fmt"
	"math"
	"testing"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/mltest/neuraltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"gonum.org/v1/gonum/mat"
)

func TestMain(m *testing.M) { xlatest.Main(m) }

// squared is the mean squared distance of rows.
func squared(a, b mat.Matrix) float64 {
	var d mat.Dense
	d.Sub(a, b)
	n, _ := d.Dims()
	return math.Pow(mat.Norm(&d, 2), 2) / float64(n)
}

// reconstructed is the mean squared distance of the rows of x to what comes back of them.
func reconstructed(t *testing.T, m *NonlinearPCAModel, x mat.Matrix, k int) float64 {
	t.Helper()
	back, err := m.Reconstruct(t.Context(), x, k)
	if err != nil {
		t.Fatal(err)
	}
	return squared(back, x)
}

// byPCA is what k principal components leave, from the singular values.
func byPCA(x *mat.Dense, k int) float64 {
	n, d := x.Dims()
	y := mat.DenseCopyOf(x)
	for j := range d {
		mean := mat.Sum(x.ColView(j)) / float64(n)
		for i := range n {
			y.Set(i, j, y.At(i, j)-mean)
		}
	}
	var svd mat.SVD
	svd.Factorize(y, mat.SVDNone)
	rest := 0.0
	for _, s := range svd.Values(nil)[k:] {
		rest += s * s
	}
	return rest / float64(n)
}

// On a noisy arc and a noisy helix the residual on new points reaches the noise across the curve,
// where one line leaves thirty and a hundred times as much.
func TestReachesTheNoiseFloor(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	for name, c := range map[string]struct {
		make  func(n int, noise float64, seed uint64) datasets.Dataset
		floor float64
		line  float64 // what PCA leaves, at least
	}{
		"arc": {datasets.Arc, 0.0025, 0.07}, "helix": {datasets.Helix, 0.005, 0.45},
	} {
		for seed := range uint64(3) {
			x, fresh := c.make(1000, 0.05, 10+seed).X, c.make(1000, 0.05, 100+seed).X
			m, err := NonlinearPCA{Train: neural.Train{Seed: seed, Backend: "go"}}.Fit(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			if got := reconstructed(t, m, fresh, 0); got > 1.15*c.floor {
				t.Errorf("%s, seed %d: residual %.5f, the noise is %.4f", name, seed, got, c.floor)
			}
			if line := byPCA(x, 1); line < c.line {
				t.Errorf("%s: a line leaves %.3f, want at least %v", name, line, c.line)
			}
		}
	}
}

// With linear units the network can do what PCA does and no more.
func TestLinearUnitsArePCA(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := datasets.Iris().X
	for _, k := range []int{1, 2} {
		for _, o := range []NonlinearPCA{{Hidden: []int{}}, {Hidden: []int{8}, Activation: layers.Identity}} {
			o.Components, o.Train = k, neural.Train{Steps: 4000, LearningRate: 0.01, Batch: 150, Backend: "go"}
			m, err := o.Fit(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			got, want := reconstructed(t, m, x, 0), byPCA(x, k)
			if math.Abs(got/want-1) > 5e-3 {
				t.Errorf("%d linear units, hidden %v: residual %v, PCA's %v", k, o.Hidden, got, want)
			}
		}
	}
}

// A hierarchical fit has an order: the first component alone does nearly as well as one that was
// fitted alone, and each further one takes something away.
func TestHierarchicalIsOrdered(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := datasets.Helix(600, 0.2, 1).X
	m, err := NonlinearPCA{Components: 3, Hierarchical: true, Train: neural.Train{Backend: "go"}}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := NonlinearPCA{Train: neural.Train{Backend: "go"}}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	var errs []float64
	for k := 1; k <= 3; k++ {
		errs = append(errs, reconstructed(t, m, x, k))
	}
	if one := reconstructed(t, alone, x, 0); errs[0] > 1.3*one || !(errs[1] < errs[0] && errs[2] < errs[1]) {
		t.Errorf("errors with the first components %v; one component fitted alone %v", errs, one)
	}
	last := len(m.History.Steps) - 1
	for k := 1; k <= 3; k++ {
		if part := m.History.Part(fmt.Sprintf("error %d", k)); math.Abs(part[last]*m.Scale*m.Scale-errs[k-1]) > 0.2*errs[k-1]+0.01 {
			t.Errorf("the history ends with an error of %v for %d components, the model has %v", part[last]*m.Scale*m.Scale, k, errs[k-1])
		}
	}
}

func TestTraining(t *testing.T) {
	x := mltest.Normal(1, 60, 4)
	fit := func(hierarchical bool) func(context.Context, neural.Train) (*NonlinearPCAModel, error) {
		return func(ctx context.Context, how neural.Train) (*NonlinearPCAModel, error) {
			return NonlinearPCA{Components: 2, Hidden: []int{5}, Hierarchical: hierarchical, Train: how}.Fit(ctx, x)
		}
	}
	neuraltest.Run(t, neuraltest.Method[NonlinearPCAModel]{
		Fit: fit(true), Other: fit(false), Train: neural.Train{Batch: 16, LearningRate: 0.01},
		Answer: func(ctx context.Context, m *NonlinearPCAModel) ([]float64, error) {
			back, err := m.Reconstruct(ctx, x.Slice(0, 5, 0, 4), 0)
			if err != nil {
				return nil, err
			}
			return back.RawMatrix().Data, nil
		},
	})
}

func TestConformance(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	p := NonlinearPCA{Hidden: []int{4}, Train: neural.Train{Steps: 10, Batch: 16}}
	mltest.Run(t, mltest.Method[NonlinearPCAModel]{Fit: p.Fit, Iterate: p.Iterate})
	mltest.Saved[NonlinearPCAModel](t, "testdata/nonlinearpca-format1.zip")
}

func TestRefuses(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	ctx, x := t.Context(), mltest.Normal(1, 20, 3)
	mltest.Refused(t, "components", mltest.Err(NonlinearPCA{Components: 4}.Fit(ctx, x)), ml.ErrParameter, "Components = 4", "1 to 3")
	mltest.Refused(t, "width", mltest.Err(NonlinearPCA{Hidden: []int{4, 0}}.Fit(ctx, x)), ml.ErrParameter, "Hidden[1] = 0")
	mltest.Refused(t, "activation", mltest.Err(NonlinearPCA{Activation: "sine"}.Fit(ctx, x)), ml.ErrParameter, "sine")
	m, err := NonlinearPCA{Train: neural.Train{Steps: 2}}.Fit(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	mltest.Refused(t, "columns", mltest.Err(m.Encode(ctx, mltest.Normal(1, 2, 4))), ml.ErrShape)
	mltest.Refused(t, "scores", mltest.Err(m.Decode(ctx, mltest.Normal(1, 2, 2))), ml.ErrShape, "2 columns")
	mltest.Refused(t, "too many", mltest.Err(m.Reconstruct(ctx, x, 2)), ml.ErrParameter, "k = 2")
	ended, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := m.Encode(ended, x); err == nil {
		t.Error("an ended context encodes")
	}
}
