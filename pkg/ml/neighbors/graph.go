// Package neighbors finds, for each row of a matrix, the rows near to it.
package neighbors

import (
	"slices"

	"github.com/golatent/latent/pkg/ml"
)

// A Graph lists for each row of the data other rows and how far they are. The neighbors of row i are Index[k] at Distance[k] for
// k from Start[i] to Start[i+1]−1, nearest first, equally near ones in the order of their rows.
type Graph struct {
	Start    []int     // length n+1
	Index    []int     // rows
	Distance []float64 // in the metric's units
}

func init() { ml.Register[Graph]("neighbors.Graph") }

// Len returns the number of rows n.
func (g *Graph) Len() int { return len(g.Start) - 1 }

// Of returns the neighbors of row i and their distances, nearest first. The slices share the graph's memory.
func (g *Graph) Of(i int) (rows []int, distances []float64) {
	lo, hi := g.Start[i], g.Start[i+1]
	return g.Index[lo:hi:hi], g.Distance[lo:hi:hi]
}

// Symmetric returns the graph with an edge between i and j where either is a neighbor of the other, or, if mutual, where both are. A distance that
// the two sides give differently becomes the smaller one.
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

// Components numbers the connected components of the graph, an edge in either direction taken as one in both: component[i] is that of row i, numbered
// from 0 in the order of their first rows.
func (g *Graph) Components() (component []int, count int) {
	n := g.Len()
	parent := make([]int, n)
	for i := range parent {
		parent[i] = i
	}
	find := func(i int) int {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for i := range n {
		rows, _ := g.Of(i)
		for _, j := range rows {
			// The smaller root stays, so that a component's root is its first row.
			a, b := find(i), find(j)
			parent[max(a, b)] = min(a, b)
		}
	}
	component = make([]int, n)
	for i := range n {
		if r := find(i); r != i {
			component[i] = component[r]
			continue
		}
		component[i] = count
		count++
	}
	return component, count
}

// Pairs returns each edge once, as two rows in ascending order: what a picture of the graph needs.
func (g *Graph) Pairs() [][2]int {
	var out [][2]int
	for i := range g.Len() {
		rows, _ := g.Of(i)
		for _, j := range rows {
			out = append(out, [2]int{min(i, j), max(i, j)})
		}
	}
	slices.SortFunc(out, func(a, b [2]int) int {
		if a[0] != b[0] {
			return a[0] - b[0]
		}
		return a[1] - b[1]
	})
	return slices.Compact(out)
}
