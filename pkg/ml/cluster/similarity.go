package cluster

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// Adjacency is an undirected graph of n nodes with weighted edges: node i is joined to Index[k] with Weight[k] for k from Start[i] to Start[i+1]−1, in
// ascending order. An edge stands at both of its ends, no node is joined to itself, and weights are positive.
type Adjacency struct {
	Start  []int // length n+1
	Index  []int
	Weight []float64
}

func init() { ml.Register[Adjacency]("cluster.Adjacency") }

// Similarity turns the rows of a matrix into the nodes of a graph that joins what is alike: NearestNeighbors, EpsilonGraph and GaussianGraph are three
// (von Luxburg, 2007, section 2.2).
type Similarity interface {
	Graph(ctx context.Context, x mat.Matrix) (*Adjacency, error)
}

// NearestNeighbors joins two rows with weight 1 where either is one of the K nearest of the other, or, if Mutual, where both are. K is cut down to n−1.
type NearestNeighbors struct {
	K      int // 0 means 10
	Mutual bool
	Metric distance.Metric // nil means Euclidean
}

// EpsilonGraph joins two rows with weight 1 where they are at most Radius apart.
type EpsilonGraph struct {
	Radius float64         // > 0
	Metric distance.Metric // nil means Euclidean
}

// GaussianGraph joins all rows, with weight exp(−‖a−b‖²/2σ²). Weights under 1e-15, which are lost in a sum with 1, are left out.
type GaussianGraph struct {
	Sigma  float64         // > 0, in the units of the data
	Metric distance.Metric // nil means Euclidean
}

// Graph joins near rows.
func (s NearestNeighbors) Graph(ctx context.Context, x mat.Matrix) (*Adjacency, error) {
	dense, err := ml.Dense("cluster.NearestNeighbors", x)
	if err != nil {
		return nil, err
	}
	if s.K < 0 {
		return nil, ml.BadParameter("cluster.NearestNeighbors", "K", s.K, "0 (for 10) or more")
	}
	n, _ := dense.Dims()
	if n == 1 {
		return &Adjacency{Start: []int{0, 0}}, ctx.Err()
	}
	g, err := neighbors.KNN{K: min(orDefault(s.K, 10), n-1), Metric: s.Metric}.Fit(ctx, dense)
	if err != nil {
		return nil, err
	}
	return weighted(g.Symmetric(s.Mutual), func(float64) float64 { return 1 }), nil
}

// Graph joins rows within the radius.
func (s EpsilonGraph) Graph(ctx context.Context, x mat.Matrix) (*Adjacency, error) {
	g, err := neighbors.Within{Radius: s.Radius, Metric: s.Metric}.Fit(ctx, x)
	if err != nil {
		return nil, err
	}
	return weighted(g, func(float64) float64 { return 1 }), nil
}

// Graph joins all rows.
func (s GaussianGraph) Graph(ctx context.Context, x mat.Matrix) (*Adjacency, error) {
	if !(s.Sigma > 0) || math.IsInf(s.Sigma, 1) {
		return nil, ml.BadParameter("cluster.GaussianGraph", "Sigma", s.Sigma, "a positive number")
	}
	reach := math.Sqrt(2*math.Log(1e15)) * s.Sigma
	g, err := neighbors.Within{Radius: min(reach, math.MaxFloat64), Metric: s.Metric}.Fit(ctx, x)
	if err != nil {
		return nil, err
	}
	return weighted(g, func(d float64) float64 { r := d / s.Sigma; return math.Exp(-r * r / 2) }), nil
}

// weighted gives the edges of a symmetric graph their weights, in the order of the nodes.
func weighted(g *neighbors.Graph, weight func(d float64) float64) *Adjacency {
	type edge struct {
		to int
		w  float64
	}
	a := &Adjacency{Start: make([]int, 1, g.Len()+1), Index: make([]int, 0, len(g.Index)), Weight: make([]float64, 0, len(g.Index))}
	var edges []edge
	for i := range g.Len() {
		rows, d := g.Of(i)
		edges = edges[:0]
		for k, j := range rows {
			if w := weight(d[k]); w > 0 {
				edges = append(edges, edge{j, w})
			}
		}
		slices.SortFunc(edges, func(a, b edge) int { return a.to - b.to })
		for _, e := range edges {
			a.Index, a.Weight = append(a.Index, e.to), append(a.Weight, e.w)
		}
		a.Start = append(a.Start, len(a.Index))
	}
	return a
}

// FromEdges makes a graph of n nodes from a list of edges, each given once or in both directions, in any order. Nil weights mean 1 each; the weights of an
// edge that is given more than once in the same direction are added. The error is ml.ErrParameter for a node outside 0..n−1, an edge from a node to
// itself, a weight that is not a positive number, or two directions with different weights, and ml.ErrShape for a wrong number of weights.
func FromEdges(n int, edges [][2]int, weights []float64) (*Adjacency, error) {
	const method = "cluster.FromEdges"
	if n < 1 {
		return nil, ml.Empty(method, "n = %d, want at least one node", n)
	}
	if weights != nil && len(weights) != len(edges) {
		return nil, ml.BadShape(method, "there are %d weights and %d edges, want as many", len(weights), len(edges))
	}
	sums := make([]map[int]float64, n)
	for k, e := range edges {
		w := 1.0
		if weights != nil {
			w = weights[k]
		}
		name := fmt.Sprintf("edges[%d]", k)
		switch i, j := e[0], e[1]; {
		case min(i, j) < 0 || max(i, j) >= n:
			return nil, ml.BadParameter(method, name, e, fmt.Sprintf("two nodes from 0 to %d", n-1))
		case i == j:
			return nil, ml.BadParameter(method, name, e, "two different nodes")
		case !(w > 0) || math.IsInf(w, 1):
			return nil, ml.BadParameter(method, fmt.Sprintf("weights[%d]", k), w, "a positive number")
		default:
			if sums[i] == nil {
				sums[i] = map[int]float64{}
			}
			sums[i][j] += w
		}
	}
	for i := range n {
		for j, w := range sums[i] {
			if v, ok := sums[j][i]; ok && v != w {
				return nil, ml.BadParameter(method, "weights", [2]float64{w, v}, fmt.Sprintf("the same for the edge from %d to %d and back", min(i, j), max(i, j)))
			}
		}
	}
	g := &neighbors.Graph{Start: make([]int, 1, n+1)}
	both := make([][]int, n)
	for i := range n {
		for j := range sums[i] {
			both[i] = append(both[i], j)
			if _, ok := sums[j][i]; !ok {
				both[j] = append(both[j], i)
			}
		}
	}
	for i := range n {
		slices.Sort(both[i])
		for _, j := range both[i] {
			w, ok := sums[i][j]
			if !ok {
				w = sums[j][i]
			}
			g.Index, g.Distance = append(g.Index, j), append(g.Distance, w)
		}
		g.Start = append(g.Start, len(g.Index))
	}
	return weighted(g, func(w float64) float64 { return w }), nil
}

// Len returns the number of nodes.
func (a *Adjacency) Len() int { return len(a.Start) - 1 }

// Degrees returns the sum of the weights at each node.
func (a *Adjacency) Degrees() []float64 {
	d := make([]float64, a.Len())
	for i := range d {
		for _, w := range a.Weight[a.Start[i]:a.Start[i+1]] {
			d[i] += w
		}
	}
	return d
}

// Components numbers the connected components, as neighbors.Graph.Components does.
func (a *Adjacency) Components() (component []int, count int) {
	return (&neighbors.Graph{Start: a.Start, Index: a.Index, Distance: a.Weight}).Components()
}

// Pairs returns each edge once, smaller node first.
func (a *Adjacency) Pairs() [][2]int {
	return (&neighbors.Graph{Start: a.Start, Index: a.Index, Distance: a.Weight}).Pairs()
}

// Dense returns the n×n matrix of weights, with zeros where there is no edge.
func (a *Adjacency) Dense() *mat.SymDense {
	m := mat.NewSymDense(a.Len(), nil)
	for i := range a.Len() {
		for k := a.Start[i]; k < a.Start[i+1]; k++ {
			m.SetSym(i, a.Index[k], a.Weight[k])
		}
	}
	return m
}

// check reports what makes an Adjacency that a caller put together no undirected graph.
func (a *Adjacency) check(method string) error {
	if a == nil || len(a.Start) < 2 {
		return ml.Empty(method, "the graph has no nodes")
	}
	n := a.Len()
	if a.Start[0] != 0 || a.Start[n] != len(a.Index) || len(a.Index) != len(a.Weight) || !slices.IsSorted(a.Start) {
		return ml.BadShape(method, "Start, Index and Weight do not fit each other: %d nodes, Start ends at %d, %d indices, %d weights", n, a.Start[n], len(a.Index), len(a.Weight))
	}
	for i := range n {
		before := -1
		for k := a.Start[i]; k < a.Start[i+1]; k++ {
			j, w := a.Index[k], a.Weight[k]
			if j <= before || j >= n || j == i {
				return ml.BadParameter(method, fmt.Sprintf("Index[%d]", k), j, fmt.Sprintf("nodes other than %d, below %d, in ascending order", i, n))
			}
			before = j
			if !(w > 0) || math.IsInf(w, 1) {
				return ml.BadParameter(method, fmt.Sprintf("Weight[%d]", k), w, "a positive number")
			}
			back, ok := slices.BinarySearch(a.Index[a.Start[j]:a.Start[j+1]], i)
			if !ok || a.Weight[a.Start[j]+back] != w {
				return ml.BadParameter(method, fmt.Sprintf("Weight[%d]", k), w, fmt.Sprintf("the same weight from %d to %d and back", i, j))
			}
		}
	}
	return nil
}
