// Package neighbors finds, for each row of a matrix, the rows near to it.
package neighbors

import (
	"context"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
)

// A Graph lists for each row of the data other rows and how far they are. The neighbors of row i
// are Index[k] at Distance[k] for k from Start[i] to Start[i+1]−1, nearest first, equally near ones
// in the order of their rows.
type Graph struct {
	Start    []int     // length n+1
	Index    []int     // rows
	Distance []float64 // in the metric's units
}

func init() { ml.Register[Graph]("neighbors.Graph") }

// Len returns the number of rows n.
func (g *Graph) Len() int { return len(g.Start) - 1 }

// Of returns the neighbors of row i and their distances, nearest first. The slices share the
// graph's memory.
func (g *Graph) Of(i int) (rows []int, distances []float64) {
	lo, hi := g.Start[i], g.Start[i+1]
	return g.Index[lo:hi:hi], g.Distance[lo:hi:hi]
}

// Symmetric returns the graph with an edge between i and j where either is a neighbor of the other,
// or, if mutual, where both are. A distance that the two sides give differently becomes the smaller
// one.
func (g *Graph) Symmetric(mutual bool) *Graph {
	n := g.Len()
	type edge struct {
		to int
		d  float64
	}
	out := make([][]edge, n)
	for i := range n {
		rows, d := g.Of(i)
		for k, j := range rows {
			out[i] = append(out[i], edge{j, d[k]})
			out[j] = append(out[j], edge{i, d[k]})
		}
	}
	s := &Graph{Start: make([]int, 1, n+1)}
	for _, edges := range out {
		slices.SortFunc(edges, func(a, b edge) int { return a.to - b.to })
		var kept []edge
		for lo := 0; lo < len(edges); {
			hi := lo + 1
			least := edges[lo].d
			for ; hi < len(edges) && edges[hi].to == edges[lo].to; hi++ {
				least = min(least, edges[hi].d)
			}
			if !mutual || hi-lo > 1 {
				kept = append(kept, edge{edges[lo].to, least})
			}
			lo = hi
		}
		slices.SortStableFunc(kept, func(a, b edge) int {
			switch {
			case a.d < b.d:
				return -1
			case a.d > b.d:
				return 1
			}
			return 0
		})
		for _, e := range kept {
			s.Index, s.Distance = append(s.Index, e.to), append(s.Distance, e.d)
		}
		s.Start = append(s.Start, len(s.Index))
	}
	return s
}

// Matrix returns the matrix with weight(d) in row i, column j for each neighbor j of i at distance
// d, and the columns of the data in which the neighbors were searched, which for the rows' own
// neighbors is Len(). Where the weight is 0 there is no entry. weight is called from several
// goroutines. The error is ctx.Err().
func (g *Graph) Matrix(ctx context.Context, columns int, weight func(d float64) float64) (*csr.Matrix, error) {
	m := &csr.Matrix{Columns: columns, Start: g.Start, Index: make([]int, len(g.Index)), Value: make([]float64, len(g.Index))}
	type entry struct {
		column int
		weight float64
	}
	const size = 256
	zero := make([]bool, parallel.Chunks(g.Len(), size))
	err := parallel.For(ctx, g.Len(), size, func(c, lo, hi int) {
		var row []entry
		for i := lo; i < hi; i++ {
			rows, d := g.Of(i)
			row = row[:0]
			for k, j := range rows {
				row = append(row, entry{j, weight(d[k])})
			}
			slices.SortFunc(row, func(a, b entry) int { return a.column - b.column })
			columns, values := m.Of(i)
			for k, e := range row {
				columns[k], values[k] = e.column, e.weight
				zero[c] = zero[c] || e.weight == 0
			}
		}
	})
	if err != nil {
		return nil, err
	}
	if slices.Contains(zero, true) {
		return m.Map(func(_, _ int, w float64) float64 { return w }), ctx.Err()
	}
	m.Start = slices.Clone(g.Start)
	return m, nil
}

// pattern is the graph as a matrix of which no value may be asked.
func (g *Graph) pattern() *csr.Matrix {
	return &csr.Matrix{Columns: g.Len(), Start: g.Start, Index: g.Index, Value: g.Distance}
}

// Components numbers the connected components of the graph, an edge in either direction taken as
// one in both: component[i] is that of row i, numbered from 0 in the order of their first rows.
func (g *Graph) Components() (component []int, count int) { return g.pattern().Components() }

// Pairs returns each edge once, as two rows in ascending order: what a picture of the graph needs.
func (g *Graph) Pairs() [][2]int { return g.pattern().Pairs() }
