package cluster

import (
	"testing"

	"github.com/golatent/latent/pkg/ml/mltest"
)

// Files of the first format must load for ever; those of KMeansModel and Tree have tests of their
// own.
func TestSavedModelsOfFormat1(t *testing.T) {
	mltest.Saved[SpectralModel](t, "testdata/spectral-format1.zip")
	mltest.Saved[Adjacency](t, "testdata/adjacency-format1.zip")
}
