package manifold

import (
	"errors"
	"math"
	"path/filepath"
	"testing"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// Of a table of distances a map is what it is of the rows that the table was computed from: the
// same neighbors, the same first steps from one start, and as trustworthy in the end.
func TestMapsOfAGivenTable(t *testing.T) {
	ctx := t.Context()
	x := mat.DenseCopyOf(datasets.Digits().X.Slice(0, 300, 0, 64))
	table, err := distance.Pairwise(ctx, x, nil)
	if err != nil {
		t.Fatal(err)
	}
	want, err := neighbors.KNN{K: 20}.Fit(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tableNeighbors(ctx, mat.DenseCopyOf(table), 20, true)
	if err != nil || !floats.EqualApprox(got.Distance, want.Distance, 1e-9) {
		t.Fatalf("other neighbors: %v", err)
	}
	pre := distance.Precomputed{}
	start, err := principal(ctx, x, 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	start.Scale(0.1, start)
	type fit func(metric distance.Metric, x mat.Matrix, init mat.Matrix, short bool) (*mat.Dense, error)
	embedding := map[string]fit{
		"t-SNE": func(metric distance.Metric, x, init mat.Matrix, short bool) (*mat.Dense, error) {
			o := TSNE{Metric: metric, Init: init, EarlyIter: 100, MaxIter: 200}
			if short {
				o.EarlyIter, o.MaxIter = 3, 1
			}
			m, err := o.Fit(ctx, x)
			if err != nil {
				return nil, err
			}
			return m.Embedding, nil
		},
		"UMAP": func(metric distance.Metric, x, init mat.Matrix, short bool) (*mat.Dense, error) {
			o := UMAP{Metric: metric, Init: init}
			if short {
				o.Epochs = 2
			}
			m, err := o.Fit(ctx, x)
			if err != nil {
				return nil, err
			}
			return m.Embedding, nil
		},
		"PaCMAP": func(metric distance.Metric, x, init mat.Matrix, short bool) (*mat.Dense, error) {
			o := PaCMAP{Metric: metric, Init: init}
			if short {
				o.Phases = [3]int{2, 1, 1}
			}
			m, err := o.Fit(ctx, x)
			if err != nil {
				return nil, err
			}
			return m.Embedding, nil
		},
	}
	for name, f := range embedding {
		a, err1 := f(nil, x, start, true)
		b, err2 := f(pre, table, start, true)
		if err1 != nil || err2 != nil || !mat.EqualApprox(a, b, 1e-6) {
			t.Errorf("%s: the first steps differ (%v, %v)", name, err1, err2)
		}
		whole, err := f(pre, table, nil, false)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if trust, err := evaluate.Trustworthiness(ctx, x, whole, 10); err != nil || trust < 0.93 {
			t.Errorf("%s: trustworthiness %v, %v", name, trust, err)
		}
		for what, bad := range map[string]*mat.Dense{"lopsided": mat.NewDense(2, 2, []float64{0, 1, 2, 0}), "below zero": mat.NewDense(2, 2, []float64{0, -1, -1, 0})} {
			if _, err := f(pre, bad, nil, true); !errors.Is(err, ml.ErrParameter) {
				t.Errorf("%s, a table %s: %v", name, what, err)
			}
		}
		if _, err := f(pre, x, nil, true); !errors.Is(err, ml.ErrShape) {
			t.Errorf("%s, no table: %v", name, err)
		}
	}
}

// New points are placed by their distances from those of the fit, also after Save and Load.
func TestPlacingByGivenDistances(t *testing.T) {
	ctx := t.Context()
	all := datasets.Digits().X
	x, fresh := mat.DenseCopyOf(all.Slice(0, 300, 0, 64)), mat.DenseCopyOf(all.Slice(300, 320, 0, 64))
	table, err := distance.Pairwise(ctx, x, nil)
	if err != nil {
		t.Fatal(err)
	}
	between, err := distance.Cross(ctx, fresh, x, nil)
	if err != nil {
		t.Fatal(err)
	}
	u, err := UMAP{Metric: distance.Precomputed{}}.Fit(ctx, table)
	if err != nil {
		t.Fatal(err)
	}
	p, err := PaCMAP{Metric: distance.Precomputed{}}.Fit(ctx, table)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "map.zip")
	if err := ml.Save(path, u); err != nil {
		t.Fatal(err)
	}
	loaded, err := ml.Load[UMAPModel](path)
	if err != nil {
		t.Fatal(err)
	}
	a, err1 := u.Transform(ctx, between)
	b, err2 := loaded.Transform(ctx, between)
	c, err3 := p.Transform(ctx, between)
	if err := errors.Join(err1, err2, err3); err != nil || !mat.Equal(a, b) {
		t.Fatalf("%v, or another place after Load", err)
	}
	near, err := neighbors.KNN{K: 1}.Query(ctx, x, fresh)
	if err != nil {
		t.Fatal(err)
	}
	for name, place := range map[string][2]*mat.Dense{"UMAP": {a, u.Embedding}, "PaCMAP": {c, p.Embedding}} {
		close := 0
		width := mat.Max(place[1]) - mat.Min(place[1])
		for i := range 20 {
			j := near.Index[near.Start[i]]
			dx, dy := place[0].At(i, 0)-place[1].At(j, 0), place[0].At(i, 1)-place[1].At(j, 1)
			if math.Hypot(dx, dy) < 0.15*width {
				close++
			}
		}
		if close < 17 {
			t.Errorf("%s: %d of 20 new points lie by their nearest neighbor", name, close)
		}
	}
	if _, err := u.Transform(ctx, x); !errors.Is(err, ml.ErrShape) {
		t.Errorf("rows in the place of distances: %v", err)
	}
	between.Set(3, 5, -1)
	if _, err := p.Transform(ctx, between); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a negative distance: %v", err)
	}
}
