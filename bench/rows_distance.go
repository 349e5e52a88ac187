//go:build unix

package main

import (
	"context"
	"strings"

	"github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

func init() {
	sum := []figure{{"sum", equal}}
	register(
		row{name: "pairwise-euclidean", input: "blobs5k50", figures: sum, fit: cross(distance.Euclidean{}, 5000)},
		row{name: "pairwise-manhattan", input: "blobs5k50", figures: sum, fit: cross(distance.Manhattan{}, 5000)},
		row{name: "pairwise-minkowski3", input: "blobs5k50", figures: sum, fit: cross(distance.Minkowski{R: 3}, 2000)},
		row{name: "edit-distance", input: "strings2k", figures: sum, fit: edits},
	)
}

// cross measures from the first rows to all.
func cross(metric distance.Metric, rows int) fit {
	return func(ctx context.Context, p problem) (judge, error) {
		_, d := p.X.Dims()
		table, err := distance.Cross(ctx, p.X.Slice(0, rows, 0, d), p.X, metric)
		if err != nil {
			return nil, err
		}
		return known(floats.Sum(table.RawMatrix().Data)), nil
	}
}

func edits(ctx context.Context, p problem) (judge, error) {
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
	table, err := distance.EditTable(ctx, words(p.X), words(p.Y))
	if err != nil {
		return nil, err
	}
	return known(floats.Sum(table.RawMatrix().Data)), nil
}
