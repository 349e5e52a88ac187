package cluster

import (
	"context"
	"math"
	"strings"

	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	dist "github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// Linkage says how far apart two clusters are.
type Linkage string

const (
	Single   Linkage = "single"   // the distance of their nearest rows; clusters can be long and thin
	Complete Linkage = "complete" // the distance of their farthest rows; clusters are tight
	Average  Linkage = "average"  // the mean distance of a row of one and a row of the other (UPGMA)
	// (2ab/(a+b))^½·‖μ−ν‖ for a and b rows with means μ and ν: the root of twice what merging adds
	// to the sum of squares
	Ward     Linkage = "ward"
	Centroid Linkage = "centroid" // ‖μ−ν‖, the distance of their means (UPGMC); heights can fall
)

var linkages = []Linkage{Single, Complete, Average, Ward, Centroid}

// Agglomerative builds a tree over the rows of a matrix from below: every row begins as a cluster,
// and the two nearest clusters merge until one is left. The zero value is ready to use: average
// linkage of Euclidean distances.
//
// All linkages cost O(n²d) for n rows of d numbers; single, Ward and centroid linkage take O(nd)
// memory, the others a table of n(n−1)/2 distances, 4n² bytes. Single linkage is read off a minimum
// spanning tree (Gower & Ross, 1969); complete, average and Ward's merge all pairs of mutual
// nearest neighbors at once, and follow nearest-neighbor chains where that does not pay (Murtagh,
// 1983); centroid linkage is Müllner's generic algorithm (2011), O(n³) at worst. Heights are those
// of SciPy.
//
// Where two pairs of clusters are equally near, the one with the first rows merges first, as far as
// the algorithm meets both; the tree does not depend on the number of processors, but with ties it
// depends on the order of the rows.
type Agglomerative struct {
	Linkage Linkage // "" means Average
	// Metric is between rows; nil means Euclidean. Ward and Centroid have means of rows, and know
	// no other. distance.Precomputed takes a table of distances, for Euclidean ones where the
	// linkage knows no other: they are updated as if they were (Lance & Williams, 1967), and a
	// square that so becomes negative counts as 0.
	Metric dist.Metric
}

// Fit returns the tree of the rows of x, or of the things of which x is a table of distances. The
// error is ml.ErrParameter for an unknown linkage, a metric that it does not go with, or distances
// too large for a float64, those of package distance for data the metric can't measure or a table
// that is none, ml.ErrNotFinite for a NaN or Inf in x (with its row and column), and ctx.Err(),
// without a tree, when ctx ends first: part of a tree is none.
func (a Agglomerative) Fit(ctx context.Context, x mat.Matrix) (*Tree, error) {
	const method = "cluster.Agglomerative"
	linkage, err := a.linkage(method)
	if err != nil {
		return nil, err
	}
	if _, ok := a.Metric.(dist.Precomputed); ok {
		table, err := given(ctx, method, x)
		if err != nil {
			return nil, err
		}
		return linkage.overTable(ctx, method, table)
	}
	if (linkage == Ward || linkage == Centroid) && !euclidean(a.Metric) {
		return nil, ml.BadParameter(method, "Metric", sprintf("%T", a.Metric), string(linkage)+" linkage to have Euclidean distances, for it compares means")
	}
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	if n > math.MaxInt32 {
		return nil, ml.BadShape(method, "the matrix has %d rows, want fewer than 2³¹", n)
	}
	switch linkage {
	case Single:
		edges, err := Prim(ctx, y, a.Metric)
		if err != nil {
			return nil, err
		}
		return SingleLinkage(n, edges)
	case Ward, Centroid:
		p, err := locate(ctx, y)
		if err != nil {
			return nil, err
		}
		var merges []fused
		if linkage == Centroid {
			merges, err = generic(ctx, n, newMovingCenters(p))
		} else {
			order := p.nearby(ctx)
			merges, err = agglomerate(ctx, n, newCentroids(p.reordered(order)))
			merges = original(merges, order)
		}
		if err != nil {
			return nil, err
		}
		return linkage.tree(method, n, merges, true, p.scale)
	}
	d, err := newTriangle(ctx, method, n)
	if err != nil {
		return nil, err
	}
	if !euclidean(a.Metric) {
		of, err := byMetric(method, a.Metric, y)
		if err != nil {
			return nil, err
		}
		merges, err := agglomerate(ctx, n, newTable(linkage, d, of))
		if err != nil {
			return nil, err
		}
		return linkage.tree(method, n, merges, false, 1)
	}
	p, err := locate(ctx, y)
	if err != nil {
		return nil, err
	}
	order := p.nearby(ctx)
	squared := linkage == Complete // which is the greatest distance either way
	merges, err := agglomerate(ctx, n, newTable(linkage, d, p.reordered(order).measure(!squared)))
	if err != nil {
		return nil, err
	}
	return linkage.tree(method, n, original(merges, order), squared, p.scale)
}

// original gives merges of reordered rows the numbers that the rows had.
func original(merges []fused, order []int32) []fused {
	for m, f := range merges {
		merges[m].i, merges[m].j = order[f.i], order[f.j]
	}
	return merges
}

func (a Agglomerative) linkage(method string) (Linkage, error) {
	if a.Linkage == "" {
		return Average, nil
	}
	names := make([]string, len(linkages))
	for i, l := range linkages {
		if a.Linkage == l {
			return l, nil
		}
		names[i] = string(l)
	}
	return "", ml.BadParameter(method, "Linkage", sprintf("%q", string(a.Linkage)), "one of "+strings.Join(names, ", "))
}

// euclidean reports whether a metric is the Euclidean one.
func euclidean(m dist.Metric) bool {
	switch m := m.(type) {
	case nil, dist.Euclidean:
		return true
	case dist.Minkowski:
		return m.R == 0 || m.R == 2
	}
	return false
}

// overTable is the linkage of given distances, which it overwrites.
func (l Linkage) overTable(ctx context.Context, method string, d triangle) (*Tree, error) {
	n := len(d)
	if l == Single {
		edges, err := spanning(ctx, method, n, tableSource{d}, func(w float64) float64 { return w })
		if err != nil {
			return nil, err
		}
		return SingleLinkage(n, edges)
	}
	scale, squared := 1.0, l == Ward || l == Centroid
	if squared {
		most := 0.0
		for _, row := range d {
			for _, v := range row {
				most = max(most, v)
			}
		}
		scale = scaling.Factor(most)
		for _, row := range d {
			for k, v := range row {
				row[k] = v * scale * (v * scale)
			}
		}
	}
	var merges []fused
	var err error
	if l == Centroid {
		merges, err = generic(ctx, n, newMovingTable(d))
	} else {
		merges, err = agglomerate(ctx, n, newTable(l, d, nil))
	}
	if err != nil {
		return nil, err
	}
	return l.tree(method, n, merges, squared, scale)
}

// tree brings heights to the units of the data and numbers the nodes.
func (l Linkage) tree(method string, n int, merges []fused, squared bool, scale float64) (*Tree, error) {
	for m := range merges {
		h := merges[m].height
		if squared {
			h = math.Sqrt(max(h, 0))
		}
		if h /= scale; math.IsInf(h, 0) {
			return nil, overflow(method)
		}
		merges[m].height = h
	}
	if l == Centroid {
		return treeOf(n, merges), nil // in the order in which they were made
	}
	return monotoneTree(n, merges), nil
}

// SingleLinkage returns the tree of single linkage, given a minimum spanning tree of n rows: its
// n−1 edges, from the lightest to the heaviest, are the merges. (Kruskal's algorithm does the same:
// it joins the two nearest components, which is what single linkage does.) The error is ml.ErrShape
// if there are not n−1 edges, ml.ErrParameter for edges that close a circle or a row outside
// 0..n−1, and ml.ErrNotFinite for a weight that is no number.
func SingleLinkage(n int, edges []Edge) (*Tree, error) {
	const method = "cluster.SingleLinkage"
	tree, err := Kruskal(n, edges)
	if err != nil {
		return nil, err
	}
	if len(edges) != n-1 {
		return nil, ml.BadShape(method, "%d edges for %d rows, want n−1", len(edges), n)
	}
	if len(tree) != n-1 {
		return nil, ml.BadParameter(method, "edges", sprintf("%d edges that close a circle", n-1-len(tree)), "the edges of a tree")
	}
	merges := make([]fused, n-1)
	for m, e := range tree {
		merges[m] = fused{int32(e.I), int32(e.J), e.Weight}
	}
	return treeOf(n, merges), nil
}
