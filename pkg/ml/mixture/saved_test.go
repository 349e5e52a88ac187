package mixture

import (
	"testing"

	"github.com/golatent/latent/pkg/ml/mltest"
)

// Files of the first format must load for ever; those of the other models have tests of their own.
func TestSavedModelsOfFormat1(t *testing.T) {
	mltest.Saved[SoftKMeansModel](t, "testdata/soft-format1.zip")
	mltest.Saved[BernoulliModel](t, "testdata/bernoulli-format1.zip")
}
