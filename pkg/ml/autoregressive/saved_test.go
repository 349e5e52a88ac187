package autoregressive

import (
	"context"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/ml/coding"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
)

// Files of the first format must load for ever.
func TestSavedModelsOfFormat1(t *testing.T) {
	mltest.Saved[TableModel](t, "testdata/table-format1.zip")
	mltest.Saved[MADEModel](t, "testdata/made-format1.zip")
	mltest.Saved[CharRNNModel](t, "testdata/charrnn-format1.zip")
	mltest.Saved[WaveNetModel](t, "testdata/wavenet-format1.zip")
	mltest.Saved[PixelCNNModel](t, "testdata/pixelcnn-format1.zip")
	mltest.Saved[PixelCNNPPModel](t, "testdata/pixelcnnpp-format1.zip")
	mltest.Saved[PixelSNAILModel](t, "testdata/pixelsnail-format1.zip")
	mltest.Saved[SuperResolutionModel](t, "testdata/superresolution-format1.zip")
	mltest.Saved[HierarchyModel](t, "testdata/hierarchy-format1.zip")
	mltest.Saved[ParallelMultiscaleModel](t, "testdata/parallel-format1.zip")
	mltest.Saved[FisherModel](t, "testdata/fisher-format1.zip")
}

// likelihoods fit a model of rows, and say what a fitted one makes of some of them.
func likelihoods[M interface {
	LogProb(context.Context, mat.Matrix) ([]float64, error)
}](ctx context.Context, fit func(context.Context, mat.Matrix) (M, error), d, levels int) (func() (M, error), func(M) ([]float64, error)) {
	return func() (M, error) { return fit(ctx, mltest.Stripes(30, d, levels)) }, func(m M) ([]float64, error) { return m.LogProb(ctx, mltest.Stripes(8, d, levels)) }
}

// encodes holds a model to the bytes that it made of symbols.
func encodes(t *testing.T, name string, m coding.Model, symbols []int, want uint32) {
	t.Helper()
	mltest.Encodes(t, name, symbols, want, func(symbols []int) ([]byte, error) { return coding.Arithmetic{}.Encode(t.Context(), m, symbols) },
		func(data []byte) ([]int, error) { return coding.Arithmetic{}.Decode(t.Context(), m, data) })
}

// Networks that were trained when the format was released say of their data what they said, and encode it as they did.
func TestSavedNetworksOfFormat1(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	ctx, b := t.Context(), neural.Train{Steps: 20, Batch: 10, LearningRate: 0.02, Report: 10, Backend: "go"}

	fit, says := likelihoods(ctx, MADE{Levels: 3, Hidden: []int{8}, Train: b}.Fit, 6, 3)
	encodes(t, "MADE", mltest.Stays(t, "testdata/made-trained1.zip", fit, says), mltest.Integers(mltest.Stripes(8, 6, 3)), 0x8e46d2ec)

	for name, c := range map[string]struct {
		o    PixelCNN
		code uint32
	}{
		"masked": {PixelCNN{Levels: 3, First: 3, Channels: 3, Layers: 1, Train: b}, 0x53bdb584},
		"gated":  {PixelCNN{Levels: 3, First: 3, Channels: 3, Layers: 1, Gated: true, Train: b}, 0xcb43ec5a},
	} {
		fit, says := likelihoods(ctx, c.o.Fit, 16, 3)
		encodes(t, name, mltest.Stays(t, "testdata/pixelcnn-"+name+"-trained1.zip", fit, says), mltest.Integers(mltest.Stripes(8, 16, 3)), c.code)
	}
	pictures, labels := mltest.Stripes(30, 16, 3), make([]int, 30)
	for i := range labels {
		labels[i] = i % 2
	}
	mltest.Stays(t, "testdata/pixelcnn-classes-trained1.zip", func() (*PixelCNNModel, error) {
		return PixelCNN{Levels: 3, First: 3, Channels: 3, Layers: 1, Gated: true, Classes: 2, Labels: labels, Train: b}.Fit(ctx, pictures)
	}, func(m *PixelCNNModel) ([]float64, error) { return m.Given(labels...).LogProb(ctx, pictures) })

	for name, c := range map[string]struct {
		o    PixelCNNPP
		code uint32
	}{
		"logistics": {PixelCNNPP{Levels: 5, Components: 2, First: 3, Channels: 2, Halvings: 1, Train: b}, 0x8f0d7413},
		"softmax":   {PixelCNNPP{Levels: 5, Components: -1, First: 3, Channels: 2, Train: b}, 0xef6bcb6c},
	} {
		fit, says := likelihoods(ctx, c.o.Fit, 16, 5)
		encodes(t, name, mltest.Stays(t, "testdata/pixelcnnpp-"+name+"-trained1.zip", fit, says), mltest.Integers(mltest.Stripes(8, 16, 5)), c.code)
	}

	snail := PixelSNAIL{Channels: 3, Blocks: 1, Layers: 1, Heads: 2, Keys: 3, Values: 4, Train: b}
	fitSNAIL, saysSNAIL := likelihoods(ctx, snail.Fit, 16, 2)
	encodes(t, "PixelSNAIL", mltest.Stays(t, "testdata/pixelsnail-trained1.zip", fitSNAIL, saysSNAIL), mltest.Integers(mltest.Stripes(8, 16, 2)), 0x2c7fe42d)
	fitSuper, saysSuper := likelihoods(ctx, SuperResolution{Network: snail}.Fit, 16, 2) // a Hierarchy is this and a PixelSNAIL
	mltest.Stays(t, "testdata/superresolution-trained1.zip", fitSuper, saysSuper)
	fitParallel, saysParallel := likelihoods(ctx, ParallelMultiscale{Channels: 4, Layers: 1, Train: b}.Fit, 16, 2)
	mltest.Stays(t, "testdata/parallel-trained1.zip", fitParallel, saysParallel)

	wave := func(m *WaveNetModel) ([]float64, error) { return m.LogProb(ctx, mltest.Stripes(8, 12, 3)) }
	net := mltest.Stays(t, "testdata/wavenet-trained1.zip", func() (*WaveNetModel, error) {
		return WaveNet{Levels: 3, Channels: 4, Skip: 5, Dilations: []int{1, 2}, Train: b}.Fit(ctx, mltest.Stripes(30, 12, 3))
	}, wave)
	encodes(t, "WaveNet", net, mltest.Integers(mltest.Stripes(1, 50, 3)), 0x13be613)

	for cell, code := range map[Cell]uint32{GRU: 0x75eec732, LSTM: 0x8b262c1f, Elman: 0xc86963ec} {
		name := strings.ToLower(string(cell))
		m := mltest.Stays(t, "testdata/charrnn-"+name+"-trained1.zip", func() (*CharRNNModel, error) {
			return CharRNN{Cell: cell, Hidden: 5, Layers: 2, Embed: 3, Sequence: 16, Train: b}.Fit(ctx, strings.Repeat(rhyme, 4))
		}, func(m *CharRNNModel) ([]float64, error) { return m.LogProb(ctx, rhyme) })
		symbols, err := m.Symbols(rhyme)
		if err != nil {
			t.Fatal(err)
		}
		encodes(t, name, m, symbols, code)
	}
}
