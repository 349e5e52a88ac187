//go:build unix

package main

import (
	"context"
	"strings"

	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func init() {
	cross := func(metric distance.Metric, rows int) fit {
		return func(ctx context.Context, x, _ *mat.Dense) (float64, error) {
			_, d := x.Dims()
			from := x
			if rows > 0 {
				from = x.Slice(0, rows, 0, d).(*mat.Dense)
			}
			table, err := distance.Cross(ctx, from, x, metric)
			if err != nil {
				return 0, err
			}
			return floats.Sum(table.RawMatrix().Data), nil
		}
	}
	register(
		row{"pairwise-euclidean", "blobs5k50", cross(distance.Euclidean{}, 0)},
		row{"pairwise-manhattan", "blobs5k50", cross(distance.Manhattan{}, 0)},
		row{"pairwise-minkowski3", "blobs5k50", cross(distance.Minkowski{R: 3}, 2000)},
		row{"edit-distance", "strings2k", edits},
		row{"knn-exact", "blobs20k50", nearest},
	)
}

func edits(ctx context.Context, x, y *mat.Dense) (float64, error) {
	words := func(m *mat.Dense) []string {
		n, _ := m.Dims()
		out := make([]string, n)
		for i := range out {
			var s strings.Builder
			for _, v := range m.RawRowView(i) {
				if v > 0 {
					s.WriteByte(byte(v))
				}
			}
			out[i] = s.String()
		}
		return out
	}
	table, err := distance.EditTable(ctx, words(x), words(y))
	if err != nil {
		return 0, err
	}
	return floats.Sum(table.RawMatrix().Data), nil
}

// nearest asks for 15 neighbors; the peer asks for 16, the first of which is the row itself.
func nearest(ctx context.Context, x, _ *mat.Dense) (float64, error) {
	g, err := neighbors.KNN{K: 15}.Fit(ctx, x)
	if err != nil {
		return 0, err
	}
	sum := 0.0
	for i := range g.Len() {
		_, d := g.Of(i)
		sum += d[len(d)-1]
	}
	return sum, nil
}
