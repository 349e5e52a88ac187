package pictures

import (
	"testing"

	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
)

// Files of the first format load.
func TestSavedModelsOfFormat1(t *testing.T) {
	mltest.Saved[PixelCNNModel](t, "testdata/pixelcnn-format1.zip")
	mltest.Saved[PixelCNNPPModel](t, "testdata/pixelcnnpp-format1.zip")
	mltest.Saved[PixelSNAILModel](t, "testdata/pixelsnail-format1.zip")
	mltest.Saved[SuperResolutionModel](t, "testdata/superresolution-format1.zip")
	mltest.Saved[HierarchyModel](t, "testdata/hierarchy-format1.zip")
	mltest.Saved[ParallelMultiscaleModel](t, "testdata/parallel-format1.zip")
}

// Networks that were trained when the format was released say of their data what they said, and
// encode it as they did: one for each kind of layer.
func TestSavedNetworksOfFormat1(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	ctx, b := t.Context(), neural.Train{Steps: 20, Batch: 10, LearningRate: 0.02, Report: 10, Backend: "go"}

	for name, c := range map[string]struct {
		o    PixelCNN
		code uint32
	}{
		"masked": {PixelCNN{Levels: 3, First: 3, Channels: 3, Layers: 1, Train: b}, 0x53bdb584},
		"gated":  {PixelCNN{Levels: 3, First: 3, Channels: 3, Layers: 1, Gated: true, Train: b}, 0xcb43ec5a},
	} {
		fit, says := check.Likelihoods(ctx, c.o.Fit, 16, 3)
		check.Encodes(t, name, mltest.Stays(t, "testdata/pixelcnn-"+name+"-trained1.zip", fit, says), mltest.Integers(mltest.Stripes(8, 16, 3)), c.code)
	}
	digits, labels := mltest.Stripes(30, 16, 3), make([]int, 30)
	for i := range labels {
		labels[i] = i % 2
	}
	mltest.Stays(t, "testdata/pixelcnn-classes-trained1.zip", func() (*PixelCNNModel, error) {
		return PixelCNN{Levels: 3, First: 3, Channels: 3, Layers: 1, Gated: true, Classes: 2, Labels: labels, Train: b}.Fit(ctx, digits)
	}, func(m *PixelCNNModel) ([]float64, error) { return m.Given(labels...).LogProb(ctx, digits) })

	for name, c := range map[string]struct {
		o    PixelCNNPP
		code uint32
	}{
		"logistics": {PixelCNNPP{Levels: 5, Components: 2, First: 3, Channels: 2, Halvings: 1, Train: b}, 0x8f0d7413},
	} {
		fit, says := check.Likelihoods(ctx, c.o.Fit, 16, 5)
		check.Encodes(t, name, mltest.Stays(t, "testdata/pixelcnnpp-"+name+"-trained1.zip", fit, says), mltest.Integers(mltest.Stripes(8, 16, 5)), c.code)
	}

	snail := PixelSNAIL{Channels: 3, Blocks: 1, Layers: 1, Heads: 2, Keys: 3, Values: 4, Train: b}
	fitSNAIL, saysSNAIL := check.Likelihoods(ctx, snail.Fit, 16, 2)
	check.Encodes(t, "PixelSNAIL", mltest.Stays(t, "testdata/pixelsnail-trained1.zip", fitSNAIL, saysSNAIL), mltest.Integers(mltest.Stripes(8, 16, 2)), 0x2c7fe42d)
}
