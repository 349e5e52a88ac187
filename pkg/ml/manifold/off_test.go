package manifold

import (
	"testing"

	"github.com/golatent/latent/pkg/datasets"
)

// A negative option is none, where zero is a default.
func TestOffCanBeSaid(t *testing.T) {
	x := datasets.Blobs(80, 4, 3, 1, 1).X
	u, err := UMAP{Negatives: -1, Epochs: 30}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if y, err := u.Transform(t.Context(), x.Slice(0, 3, 0, 4)); err != nil || u.Negatives != 0 {
		t.Errorf("UMAP without pushes has %d, and places %v, %v", u.Negatives, y, err)
	}
	pairs, err := PaCMAP{Further: -1, MidNear: -1}.Pairs(t.Context(), x)
	if err != nil || len(pairs.Further) != 0 || len(pairs.MidNear) != 0 || len(pairs.Near) == 0 {
		t.Errorf("PaCMAP without further pairs: %+v, %v", pairs, err)
	}
	if _, err := (PaCMAP{Further: -1}).Fit(t.Context(), x); err != nil {
		t.Error(err)
	}
	m, err := TSNE{EarlyIter: -1, MaxIter: 20}.Fit(t.Context(), x)
	if err != nil || m.Iteration != 20 {
		t.Errorf("t-SNE without early steps: %+v, %v", m, err)
	}
}
