package manifold

import (
	"context"
	"math"
	"math/rand/v2"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// spectralStart places the points of a graph by the eigenvectors of its normalized Laplacian
// I − D^-½WD^-½ that come after the first, which is constant but for the degrees. Parts of the
// graph that no edge joins are placed each by itself, around the place of its mean (x holds the
// points, or is nil). Coordinates are about 10 in size.
func spectralStart(ctx context.Context, g *FuzzyGraph, x *mat.Dense, k int, seed uint64) (*mat.Dense, error) {
	n := g.Len()
	r := rng.New(seed, 3)
	part, count := g.Components()
	y := mat.NewDense(n, k, nil)
	if count == 1 {
		if err := spectralPart(ctx, &g.Matrix, y, seed, r); err != nil {
			return nil, err
		}
		scaleTo(y, 10)
		return y, nil
	}
	members := make([][]int, count)
	for i, c := range part {
		members[c] = append(members[c], i)
	}
	centers, err := partCenters(ctx, x, members, k, seed)
	if err != nil {
		return nil, err
	}
	room, err := roomAround(ctx, centers)
	if err != nil {
		return nil, err
	}
	for c, rows := range members {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		own := mat.NewDense(len(rows), k, nil)
		edges, err := g.Part(rows)
		if err != nil {
			return nil, err
		}
		if err := spectralPart(ctx, edges, own, seed, r); err != nil {
			return nil, err
		}
		scaleTo(own, room[c])
		for l, i := range rows {
			for a := range k {
				y.Set(i, a, centers.At(c, a)+own.At(l, a))
			}
		}
	}
	scaleTo(y, 10)
	return y, nil
}

// partCenters places the parts of a graph relative to each other: a few along the axes, many by the
// principal components of their means.
func partCenters(ctx context.Context, x *mat.Dense, members [][]int, k int, seed uint64) (*mat.Dense, error) {
	count := len(members)
	if count <= 2*k || x == nil {
		c := mat.NewDense(count, k, nil)
		r := rng.New(seed, 4)
		half := (count + 1) / 2
		for i := range count {
			switch {
			case count > 2*k:
				for a := range k {
					c.Set(i, a, 2*r.Float64()-1)
				}
			case i < half:
				c.Set(i, i, 1)
			default:
				c.Set(i, i-half, -1)
			}
		}
		return c, nil
	}
	y, _ := scaling.InRange(x)
	_, d := y.Dims()
	means := mat.NewDense(count, d, nil)
	for c, rows := range members {
		for _, i := range rows {
			blas.Axpy(1/float64(len(rows)), y.RawRowView(i), means.RawRowView(c))
		}
	}
	centers, err := principal(ctx, means, k, seed)
	if err != nil {
		return nil, err
	}
	scaleTo(centers, 1)
	return centers, nil
}

// roomAround is half the distance from each center to the nearest other one that is not at the same
// place.
func roomAround(ctx context.Context, centers *mat.Dense) ([]float64, error) {
	n, _ := centers.Dims()
	g, err := neighbors.KNN{K: min(8, n-1)}.Fit(ctx, centers)
	if err != nil {
		return nil, err
	}
	room := make([]float64, n)
	for i := range room {
		room[i] = 1 / math.Sqrt(float64(n))
		_, d := g.Of(i)
		for _, v := range d {
			if v > 0 {
				room[i] = v / 2
				break
			}
		}
	}
	return room, nil
}

// spectralPart writes the start of a connected graph to y. A few points are placed at random.
func spectralPart(ctx context.Context, g *csr.Matrix, y *mat.Dense, seed uint64, r *rand.Rand) error {
	n, k := y.Dims()
	if n < 2*k || n <= k+1 {
		for i := range n {
			for a := range k {
				y.Set(i, a, 2*r.Float64()-1)
			}
		}
		return ctx.Err()
	}
	l := newNormalized(g)
	// More digits than these a start has no use for, and they would cost more than the map.
	found, err := eigen.SmallestWithin(ctx, l, k, [][]float64{l.first}, seed, 1e-5)
	if err != nil {
		return err
	}
	for a, v := range found.Vectors {
		for i, f := range v {
			y.Set(i, a, f)
		}
	}
	return ctx.Err()
}

// scaleTo stretches a map so that its largest coordinate is most in size.
func scaleTo(y *mat.Dense, most float64) {
	largest := 0.0
	for _, v := range y.RawMatrix().Data {
		largest = max(largest, math.Abs(v))
	}
	if largest > 0 {
		y.Scale(most/largest, y)
	}
}

// normalized is I − D^-½WD^-½ of a part of a graph that hangs together.
type normalized struct {
	w     *csr.Matrix
	first []float64 // eigenvector of 0
}

// newNormalized scales the weights of a graph.
func newNormalized(g *csr.Matrix) *normalized {
	root := g.RowSums()
	total := 0.0
	for i, degree := range root {
		total += degree
		root[i] = math.Sqrt(degree)
	}
	m := &normalized{w: g.Map(func(i, j int, w float64) float64 { return w / root[i] / root[j] }), first: root}
	for i := range root {
		root[i] /= math.Sqrt(total)
	}
	return m
}

func (m *normalized) Dim() int       { return len(m.first) }
func (m *normalized) Upper() float64 { return 2 }

func (m *normalized) Apply(dst, src []float64, width int) {
	_ = parallel.For(context.Background(), m.Dim(), 512, func(_, lo, hi int) {
		for i := lo; i < hi; i++ {
			row := dst[i*width : (i+1)*width]
			copy(row, src[i*width:(i+1)*width])
			columns, weights := m.w.Of(i)
			for k, j := range columns {
				f := weights[k]
				for c, v := range src[j*width : (j+1)*width] {
					row[c] -= f * v
				}
			}
		}
	})
}
