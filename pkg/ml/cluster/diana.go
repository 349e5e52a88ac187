package cluster

import (
	"context"
	"math"
	"slices"

	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	dist "github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// Diana builds a tree over the rows of a matrix from above: all rows begin as one cluster, and
// clusters are split until every row is alone (divisive analysis; Kaufman & Rousseeuw, 1990,
// chapter 6). Of a cluster, the row that is on average farthest from the others leaves first; then,
// one after the other, each row that is on average nearer to those that left than to those that
// stay, the one that gains most first. A split stands at the height of the cluster's diameter, its
// greatest distance.
//
// It keeps a table of n(n−1)/2 distances and costs O(n²) for a split, O(n³) at worst; where splits
// are even, O(n²) for all of them. The zero value is ready to use.
type Diana struct {
	Metric dist.Metric // nil means Euclidean; distance.Precomputed takes a table of distances
}

// Fit returns the tree. The errors are those of ml.Dense, those of package distance for data the
// metric can't measure, ml.ErrShape for more than 65,536 rows, ml.ErrParameter for distances too
// large for a float64, and ctx.Err(), without a tree, when ctx ends first.
func (s Diana) Fit(ctx context.Context, x mat.Matrix) (*Tree, error) {
	const method = "cluster.Diana"
	if _, ok := s.Metric.(dist.Precomputed); ok {
		table, err := given(ctx, method, x)
		if err != nil {
			return nil, err
		}
		return newSplitter(table, 1).tree(ctx, method)
	}
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, _ := y.Dims()
	scale := 1.0
	var of measure
	if euclidean(s.Metric) {
		p, err := locate(ctx, y)
		if err != nil {
			return nil, err
		}
		of, scale = p.measure(true), p.scale
	} else if of, err = byMetric(method, s.Metric, y); err != nil {
		return nil, err
	}
	d, err := newTriangle(ctx, method, n)
	if err != nil {
		return nil, err
	}
	if err := d.fill(ctx, of); err != nil {
		return nil, err
	}
	return newSplitter(d, scale).tree(ctx, method)
}

// splitter holds what splitting needs: all distances, and room for the sums of the rows of one
// cluster.
type splitter struct {
	d         triangle
	scale     float64   // d = distances · scale, so that sums stay in range
	own, gone []float64 // of a row, the sum of distances to those that stay and to those that left
}

func newSplitter(d triangle, scale float64) *splitter {
	most := 0.0
	for _, row := range d {
		for _, v := range row {
			most = max(most, v)
		}
	}
	if by := scaling.Factor(most); by != 1 {
		scale *= by
		for _, row := range d {
			for k := range row {
				row[k] *= by
			}
		}
	}
	return &splitter{d: d, scale: scale, own: make([]float64, len(d)), gone: make([]float64, len(d))}
}

// tree splits all clusters. Backwards, the splits are merges, those of parts before those of
// wholes.
func (s *splitter) tree(ctx context.Context, method string) (*Tree, error) {
	merges := make([]fused, 0, len(s.d)-1)
	for pending := [][]int32{positions(len(s.d))}; len(pending) > 0; {
		c := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if len(c) == 1 {
			continue
		}
		cut, diameter := s.split(ctx, c)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if math.IsInf(diameter/s.scale, 0) {
			return nil, overflow(method)
		}
		merges = append(merges, fused{c[0], c[cut], diameter / s.scale})
		pending = append(pending, c[:cut], c[cut:])
	}
	slices.Reverse(merges)
	return monotoneTree(len(s.d), merges), nil
}

// split sorts a cluster of two rows or more, ascending, into those that stay and, from cut on,
// those that leave, both ascending. When ctx ends it stops where it is.
func (s *splitter) split(ctx context.Context, c []int32) (cut int, diameter float64) {
	for _, i := range c {
		s.own[i], s.gone[i] = 0, 0
	}
	for k, i := range c {
		row := s.d[i]
		sum := 0.0
		for _, j := range c[k+1:] {
			v := row[j-i-1]
			sum += v
			s.own[j] += v
			diameter = max(diameter, v)
		}
		s.own[i] += sum
		if ctx.Err() != nil {
			return 1, diameter
		}
	}
	stay, left := c, []int32(nil)
	for len(stay) > 1 && ctx.Err() == nil {
		at, gain := s.leaves(stay, len(left))
		// What sums of equal distances differ by is no gain.
		if len(left) > 0 && gain <= 1e-12*diameter {
			break
		}
		gone := stay[at]
		left, stay = append(left, gone), slices.Delete(stay, at, at+1)
		for _, j := range stay {
			v := *s.d.entry(gone, j)
			s.own[j] -= v
			s.gone[j] += v
		}
	}
	slices.Sort(left)
	copy(c[len(stay):], left)
	return len(stay), diameter
}

// leaves says which of those that stay would gain most by leaving, of equal ones the first, and how
// much: how much farther it is on average from the others than from those that left, of whom there
// are some.
func (s *splitter) leaves(stay []int32, some int) (at int, gain float64) {
	gain = math.Inf(-1)
	for k, i := range stay {
		g := s.own[i] / float64(len(stay)-1)
		if some > 0 {
			g -= s.gone[i] / float64(some)
		}
		if g > gain {
			at, gain = k, g
		}
	}
	return at, gain
}
