package manifold

import (
	"cmp"
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// isTable reports whether a metric says that the data are a table of distances.
func isTable(m distance.Metric) bool {
	_, ok := m.(distance.Precomputed)
	return ok
}

// tableMetric is the name of distance.Precomputed in a model.
const tableMetric = "Precomputed"

// rowsOrTable checks what a method is given: rows, or a table of distances.
func rowsOrTable(ctx context.Context, method string, x mat.Matrix, given bool) (*mat.Dense, error) {
	if given {
		return distance.Table(ctx, method, x)
	}
	return ml.Dense(method, x)
}

// nearest finds the k nearest others of each row, or of each object of a table of distances.
func nearest(ctx context.Context, x *mat.Dense, k int, metric distance.Metric, seed uint64) (*neighbors.Graph, error) {
	if isTable(metric) {
		return tableNeighbors(ctx, x, k, true)
	}
	return nearRows(ctx, x, k, metric, seed)
}

// placedAmong finds the k nearest of the n rows of a fit for each new row: by their distances where
// a table was fitted, else by the data that the model holds.
func placedAmong(ctx context.Context, method string, y, data *mat.Dense, n, k int, name string, exponent float64, own distance.Metric) (*neighbors.Graph, error) {
	if name == tableMetric {
		return fromGiven(ctx, method, y, n, k)
	}
	if err := ml.Columns(method, y, columns(data)); err != nil {
		return nil, err
	}
	metric, err := metricOf(method, name, exponent, own)
	if err != nil {
		return nil, err
	}
	return neighbors.KNN{K: k, Metric: metric}.Query(ctx, data, y)
}

// tableNeighbors finds the k nearest objects of each row of a table of distances, of equals those
// that stand first. In a table of objects among themselves, own, an object is no neighbor of its
// own.
func tableNeighbors(ctx context.Context, d *mat.Dense, k int, own bool) (*neighbors.Graph, error) {
	m, n := d.Dims()
	g := &neighbors.Graph{Start: make([]int, m+1), Index: make([]int, m*k), Distance: make([]float64, m*k)}
	err := parallel.For(ctx, m, 8, func(_, lo, hi int) {
		order := make([]int, 0, n)
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			row := d.RawRowView(i)
			order = order[:0]
			for j := range n {
				if !own || j != i {
					order = append(order, j)
				}
			}
			slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(row[a], row[b]), a-b) })
			g.Start[i+1] = (i + 1) * k
			for s, j := range order[:k] {
				g.Index[i*k+s], g.Distance[i*k+s] = j, row[j]
			}
		}
	})
	return g, err
}

// fromGiven finds the k nearest of n objects of a fit by the distances of new ones from them, a row
// each.
func fromGiven(ctx context.Context, method string, x *mat.Dense, n, k int) (*neighbors.Graph, error) {
	if err := ml.Columns(method, x, n); err != nil {
		return nil, err
	}
	rows, _ := x.Dims()
	for i := range rows {
		for j, v := range x.RawRowView(i) {
			if v < 0 {
				return nil, ml.BadParameter(method, sprintf("the distance in row %d, column %d", i, j), v, "0 or more")
			}
		}
	}
	return tableNeighbors(ctx, x, min(k, n), false)
}

// principalCoordinates is the start for objects of which only distances are known: the classical
// map, which is that of the principal components where the distances are Euclidean ones.
func principalCoordinates(ctx context.Context, d *mat.Dense, k int, seed uint64) (*mat.Dense, error) {
	c, err := ClassicalMDS{Components: k, Seed: seed}.fit(ctx, d)
	if err != nil {
		return nil, err
	}
	for _, v := range c.Embedding.RawMatrix().Data {
		if math.IsNaN(v) {
			return nil, ml.NotFinite("manifold", "the distances have no classical map")
		}
	}
	return c.Embedding, nil
}
