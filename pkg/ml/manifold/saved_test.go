package manifold

import (
	"testing"

	"github.com/golatent/latent/pkg/ml/mltest"
)

// Files of the first format must load for ever.
func TestSavedModelsOfFormat1(t *testing.T) {
	mltest.Saved[ClassicalMDSModel](t, "testdata/classical-format1.zip")
	mltest.Saved[MDSModel](t, "testdata/mds-format1.zip")
	mltest.Saved[IsomapModel](t, "testdata/isomap-format1.zip")
	mltest.Saved[LLEModel](t, "testdata/lle-format1.zip")
	mltest.Saved[SNEModel](t, "testdata/sne-format1.zip")
	mltest.Saved[TSNEModel](t, "testdata/tsne-format1.zip")
	mltest.Saved[UMAPModel](t, "testdata/umap-format1.zip")
	mltest.Saved[FuzzyGraph](t, "testdata/fuzzy-format1.zip")
	mltest.Saved[PaCMAPModel](t, "testdata/pacmap-format1.zip")
}
