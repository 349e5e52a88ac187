package cluster

import (
	"cmp"
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// Adjacency is an undirected graph of n nodes with weighted edges: the symmetric n×n matrix of
// weights, which are positive, with zeros where there is no edge and on the diagonal. An edge
// stands at both of its ends.
type Adjacency struct{ csr.Matrix }

func init() { ml.Register[Adjacency]("cluster.Adjacency") }

// Similarity turns the rows of a matrix into the nodes of a graph that joins what is alike:
// NearestNeighbors, EpsilonGraph and GaussianGraph are three (von Luxburg, 2007, section 2.2).
type Similarity interface {
	Graph(ctx context.Context, x mat.Matrix) (*Adjacency, error)
}

// NearestNeighbors joins two rows with weight 1 where either is one of the K nearest of the other,
// or, if Mutual, where both are. K is cut down to n−1.
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

// GaussianGraph joins all rows, with weight exp(−‖a−b‖²/2σ²). Weights under 1e-15, which are lost
// in a sum with 1, are left out.
type GaussianGraph struct {
	Sigma  float64         // > 0, in the units of the data
	Metric distance.Metric // nil means Euclidean
}

// Graph joins near rows.
func (s NearestNeighbors) Graph(ctx context.Context, x mat.Matrix) (*Adjacency, error) {
	n, _, err := ml.Size("cluster.NearestNeighbors", x)
	if err != nil {
		return nil, err
	}
	if s.K < 0 {
		return nil, ml.BadParameter("cluster.NearestNeighbors", "K", s.K, "0 (for 10) or more")
	}
	if n == 1 {
		return &Adjacency{csr.Matrix{Columns: 1, Start: []int{0, 0}}}, ctx.Err()
	}
	g, err := neighbors.KNN{K: min(cmp.Or(s.K, 10), n-1), Metric: s.Metric}.Fit(ctx, x)
	if err != nil {
		return nil, err
	}
	return weighted(ctx, g.Symmetric(s.Mutual), func(float64) float64 { return 1 })
}

// Graph joins rows within the radius.
func (s EpsilonGraph) Graph(ctx context.Context, x mat.Matrix) (*Adjacency, error) {
	g, err := neighbors.Within{Radius: s.Radius, Metric: s.Metric}.Fit(ctx, x)
	if err != nil {
		return nil, err
	}
	return weighted(ctx, g, func(float64) float64 { return 1 })
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
	return weighted(ctx, g, func(d float64) float64 { r := d / s.Sigma; return math.Exp(-r * r / 2) })
}

// weighted gives the edges of a symmetric graph their weights.
func weighted(ctx context.Context, g *neighbors.Graph, weight func(d float64) float64) (*Adjacency, error) {
	m, err := g.Matrix(ctx, g.Len(), weight)
	if err != nil {
		return nil, err
	}
	return &Adjacency{*m}, nil
}

// FromEdges makes a graph of n nodes from a list of edges, each given once or in both directions,
// in any order. Nil weights mean 1 each; the weights of an edge that is given more than once in the
// same direction are added. The error is ml.ErrParameter for a node outside 0..n−1, an edge from a
// node to itself, a weight that is not a positive number, or two directions with different weights,
// and ml.ErrShape for a wrong number of weights.
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
	var from, to []int
	var w []float64
	for i := range n {
		for j, v := range sums[i] {
			from, to, w = append(from, i), append(to, j), append(w, v)
			if _, ok := sums[j][i]; !ok {
				from, to, w = append(from, j), append(to, i), append(w, v)
			}
		}
	}
	m, err := csr.FromTriplets(n, n, from, to, w)
	if err != nil {
		return nil, err
	}
	return &Adjacency{*m}, nil
}

// Len returns the number of nodes.
func (a *Adjacency) Len() int { return a.Rows() }

// Degrees returns the sum of the weights at each node.
func (a *Adjacency) Degrees() []float64 { return a.RowSums() }

// Dense returns the n×n matrix of weights, with zeros where there is no edge.
func (a *Adjacency) Dense() *mat.SymDense {
	return mat.NewSymDense(a.Len(), a.Matrix.Dense().RawMatrix().Data)
}

// check reports what makes an Adjacency that a caller put together no undirected graph.
func (a *Adjacency) check(method string) error {
	if a == nil || a.Rows() == 0 {
		return ml.Empty(method, "the graph has no nodes")
	}
	if err := a.Check(method); err != nil {
		return err
	}
	n := a.Rows()
	if a.Columns != n {
		return ml.BadShape(method, "the graph has %d rows and %d columns, want as many", n, a.Columns)
	}
	for i := range n {
		columns, weights := a.Of(i)
		for k, j := range columns {
			if w := weights[k]; j == i || !(w > 0) {
				return ml.BadParameter(method, sprintf("the weight from %d to %d", i, j), w,
					"a positive number, and an edge between different nodes")
			} else if a.At(j, i) != w {
				return ml.BadParameter(method, sprintf("the weight from %d to %d", i, j), w,
					sprintf("the same weight from %d to %d and back", i, j))
			}
		}
	}
	return nil
}
