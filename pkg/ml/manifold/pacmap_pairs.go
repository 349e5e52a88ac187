package manifold

import (
	"context"
	"math/rand/v2"
	"slices"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// pairs holds for each point its partners of each kind, one point's behind the other's.
type pairs struct {
	near, mid, further []int32 // n×p.Neighbors and so on
}

// Pairs are the pairs that PaCMAP pulls together and pushes apart, each with the point that it was
// drawn for first.
type Pairs struct {
	Near, MidNear, Further [][2]int
}

// Pairs returns the pairs that Fit on x would work with: what to look at before a map is believed.
// The errors are those of Fit.
func (p PaCMAP) Pairs(ctx context.Context, x mat.Matrix) (*Pairs, error) {
	_, seen, p, err := p.check(ctx, x)
	if err != nil {
		return nil, err
	}
	all, err := p.pairs(ctx, seen)
	if err != nil {
		return nil, err
	}
	n, _ := seen.Dims()
	list := func(partners []int32) (out [][2]int) {
		for k, j := range partners {
			out = append(out, [2]int{k / (len(partners) / n), int(j)})
		}
		return out
	}
	return &Pairs{list(all.near), list(all.mid), list(all.further)}, nil
}

func (p PaCMAP) pairs(ctx context.Context, x *mat.Dense) (*pairs, error) {
	n, _ := x.Dims()
	g, err := nearest(ctx, x, min(p.Neighbors+50, n-1), p.Metric, p.Seed)
	if err != nil {
		return nil, err
	}
	out := &pairs{near: make([]int32, n*p.Neighbors), mid: make([]int32, n*p.MidNear), further: make([]int32, n*p.Further)}
	width := widths(g)
	metric := p.Metric
	if metric == nil {
		metric = distance.SqEuclidean{} // orders alike, and costs no root
		x, _ = scaling.InRange(x)
	}
	between := func(i, j int) float64 { return metric.Distance(x.RawRowView(i), x.RawRowView(j)) }
	if isTable(metric) {
		between = x.At
	}
	return out, parallel.For(ctx, n, 64, func(_, lo, hi int) {
		for i := lo; i < hi && ctx.Err() == nil; i++ {
			near := out.near[i*p.Neighbors : (i+1)*p.Neighbors]
			nearPairs(near, g, width, i)
			r := rng.New(p.Seed, 9, i)
			midPairs(out.mid[i*p.MidNear:(i+1)*p.MidNear], n, between, i, r)
			furtherPairs(out.further[i*p.Further:(i+1)*p.Further], near, n, i, r)
		}
	})
}

// widths is the scale of each point's surroundings: the mean distance of its fourth to sixth
// neighbor.
func widths(g *neighbors.Graph) []float64 {
	width, most := make([]float64, g.Len()), 0.0
	for i := range width {
		_, d := g.Of(i)
		part := d[min(3, len(d)-1):min(6, len(d))]
		for _, v := range part {
			width[i] += v / float64(len(part))
		}
		most = max(most, width[i])
	}
	for i := range width {
		width[i] = max(width[i], 1e-10*most) // of many equal points
	}
	return width
}

// nearPairs are those of the neighbors that are nearest by d²ᵢⱼ/(σᵢσⱼ): a neighbor in a crowd is
// farther than one that has few around it.
func nearPairs(near []int32, g *neighbors.Graph, width []float64, i int) {
	type scaled struct {
		d2  float64
		row int
	}
	rows, d := g.Of(i)
	all := make([]scaled, len(rows))
	for k, j := range rows {
		if d[k] > 0 {
			all[k].d2 = d[k] / width[i] * (d[k] / width[j])
		}
		all[k].row = j
	}
	slices.SortStableFunc(all, func(a, b scaled) int {
		switch {
		case a.d2 < b.d2:
			return -1
		case a.d2 > b.d2:
			return 1
		}
		return 0
	})
	for k := range near {
		near[k] = int32(all[k].row)
	}
}

// midPairs draws six others for each pair, and takes the second nearest of them.
func midPairs(mid []int32, n int, between func(i, j int) float64, i int, r *rand.Rand) {
	var drawn [6]int
	for k := range mid {
		count := min(6, n-1-k)
		first, second := -1, -1
		var d1, d2 float64
		for s := range count {
			j := other(r, n, i, drawn[:s], mid[:k])
			drawn[s] = j
			switch d := between(i, j); {
			case first < 0 || d < d1:
				first, second, d1, d2 = j, first, d, d1
			case second < 0 || d < d2:
				second, d2 = j, d
			}
		}
		mid[k] = int32(second)
	}
}

// furtherPairs draws others that are not among the near ones.
func furtherPairs(further, near []int32, n, i int, r *rand.Rand) {
	if len(further)+len(near) < n/2 {
		for k := range further {
			further[k] = int32(other(r, n, i, nil, near, further[:k]))
		}
		return
	}
	var free []int32 // most of the points are asked for: what is left of them, shuffled
	for j := range int32(n) {
		if int(j) != i && !slices.Contains(near, j) {
			free = append(free, j)
		}
	}
	r.Shuffle(len(free), func(a, b int) { free[a], free[b] = free[b], free[a] })
	copy(further, free)
}

// other draws a point that is neither i nor one of those listed.
func other(r *rand.Rand, n, i int, drawn []int, lists ...[]int32) int {
	for {
		j := r.IntN(n)
		if j == i || slices.Contains(drawn, j) {
			continue
		}
		if !slices.ContainsFunc(lists, func(l []int32) bool { return slices.Contains(l, int32(j)) }) {
			return j
		}
	}
}
