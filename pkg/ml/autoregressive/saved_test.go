package autoregressive

import (
	"testing"

	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
)

// Files of the first format load.
func TestSavedModelsOfFormat1(t *testing.T) {
	mltest.Saved[TableModel](t, "testdata/table-format1.zip")
	mltest.Saved[MADEModel](t, "testdata/made-format1.zip")
	mltest.Saved[FisherModel](t, "testdata/fisher-format1.zip")
}

// Networks that were trained when the format was released say of their data what they said, and
// encode it as they did: one for each kind of layer.
func TestSavedNetworksOfFormat1(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	ctx, b := t.Context(), neural.Train{Steps: 20, Batch: 10, LearningRate: 0.02, Report: 10, Backend: "go"}

	fit, says := check.Likelihoods(ctx, MADE{Levels: 3, Hidden: []int{8}, Train: b}.Fit, 6, 3)
	check.Encodes(t, "MADE", mltest.Stays(t, "testdata/made-trained1.zip", fit, says), mltest.Integers(mltest.Stripes(8, 6, 3)), 0x8e46d2ec)
}
