package text

import (
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
)

// Files of the first format load.
func TestSavedModelsOfFormat1(t *testing.T) {
	mltest.Saved[CharRNNModel](t, "testdata/charrnn-format1.zip")
	mltest.Saved[WaveNetModel](t, "testdata/wavenet-format1.zip")
}

// Networks that were trained when the format was released say of their data what they said, and
// encode it as they did: one for each kind of layer.
func TestSavedNetworksOfFormat1(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	ctx, b := t.Context(), neural.Train{Steps: 20, Batch: 10, LearningRate: 0.02, Report: 10, Backend: "go"}

	wave := func(m *WaveNetModel) ([]float64, error) { return m.LogProb(ctx, mltest.Stripes(8, 12, 3)) }
	net := mltest.Stays(t, "testdata/wavenet-trained1.zip", func() (*WaveNetModel, error) {
		return WaveNet{Levels: 3, Channels: 4, Skip: 5, Dilations: []int{1, 2}, Train: b}.Fit(ctx, mltest.Stripes(30, 12, 3))
	}, wave)
	check.Encodes(t, "WaveNet", net, mltest.Integers(mltest.Stripes(1, 50, 3)), 0x13be613)

	for cell, code := range map[Cell]uint32{GRU: 0x75eec732, LSTM: 0x8b262c1f, Elman: 0xc86963ec} {
		name := strings.ToLower(string(cell))
		m := mltest.Stays(t, "testdata/charrnn-"+name+"-trained1.zip", func() (*CharRNNModel, error) {
			return CharRNN{Cell: cell, Hidden: 5, Layers: 2, Embed: 3, Sequence: 16, Train: b}.Fit(ctx, strings.Repeat(rhyme, 4))
		}, func(m *CharRNNModel) ([]float64, error) { return m.LogProb(ctx, rhyme) })
		symbols, err := m.Symbols(rhyme)
		if err != nil {
			t.Fatal(err)
		}
		check.Encodes(t, name, m, symbols, code)
	}
}
