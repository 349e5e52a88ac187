package neighbors_test

import (
	"testing"

	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neighbors"
)

// A file of the first format must load for ever.
func TestSavedGraphOfFormat1(t *testing.T) {
	mltest.Saved[neighbors.Graph](t, "testdata/graph-format1.zip")
}
