package cluster

import (
	"fmt"
	"math"

	dist "github.com/golatent/latent/pkg/ml/distance"
	"gonum.org/v1/gonum/mat"
)

// definition is the dissimilarity of two sets of rows as the linkage's definition has it.
func definition(l Linkage, x *mat.Dense, metric dist.Metric, a, b []int) float64 {
	if metric == nil {
		metric = dist.Euclidean{}
	}
	switch l {
	case Ward, Centroid:
		d := metric.Distance(meanOf(x, a), meanOf(x, b))
		if l == Ward {
			na, nb := float64(len(a)), float64(len(b))
			d *= math.Sqrt(2 * na * nb / (na + nb))
		}
		return d
	}
	low, high, sum := math.Inf(1), 0.0, 0.0
	for _, i := range a {
		for _, j := range b {
			d := metric.Distance(x.RawRowView(i), x.RawRowView(j))
			low, high, sum = min(low, d), max(high, d), sum+d/float64(len(a)*len(b))
		}
	}
	return map[Linkage]float64{Single: low, Complete: high, Average: sum}[l]
}

func meanOf(x *mat.Dense, rows []int) []float64 {
	_, d := x.Dims()
	mean := make([]float64, d)
	first := x.RawRowView(rows[0])
	for _, i := range rows { // from the first row, to lose no digits far from the origin
		for j, v := range x.RawRowView(i) {
			mean[j] += (v - first[j]) / float64(len(rows))
		}
	}
	for j := range mean {
		mean[j] += first[j]
	}
	return mean
}

// replay holds a tree to what agglomeration is: at every step the two clusters that merge are the
// nearest of all, at the height of their dissimilarity. Of equally near pairs any may merge, so
// that this, unlike a list of heights, is right for ties too. A naive algorithm is built in: all
// pairs are compared at every step.
func replay(l Linkage, x *mat.Dense, metric dist.Metric, t *Tree) error {
	n, _ := x.Dims()
	if t.Leaves() != n || len(t.Left) != n-1 || len(t.Right) != n-1 || len(t.Sizes) != n-1 {
		return fmt.Errorf("%d rows, %d merges, %d left, %d right, %d sizes", n, len(t.Heights), len(t.Left), len(t.Right), len(t.Sizes))
	}
	living := map[int][]int{}
	for i := range n {
		living[i] = []int{i}
	}
	type pair struct{ a, b int }
	between := map[pair]float64{}
	compare := func(k int) {
		for j := range living {
			if j != k {
				between[pair{min(j, k), max(j, k)}] = definition(l, x, metric, living[j], living[k])
			}
		}
	}
	scale := 0.0
	for k := range n {
		compare(k)
	}
	for _, d := range between {
		scale = max(scale, d)
	}
	slack := 1e-10*scale + 1e-300
	for i, h := range t.Heights {
		a, b := t.Left[i], t.Right[i]
		if living[a] == nil || living[b] == nil || a == b {
			return fmt.Errorf("merge %d joins %d and %d, which are not both there", i, a, b)
		}
		d := between[pair{min(a, b), max(a, b)}]
		if math.Abs(d-h) > slack {
			return fmt.Errorf("merge %d stands at %v, its clusters are %v apart", i, h, d)
		}
		for p, nearer := range between {
			if nearer < d-slack {
				return fmt.Errorf("merge %d joins %d and %d, %v apart, while %d and %d are %v apart", i, a, b, d, p.a, p.b, nearer)
			}
		}
		node := n + i
		living[node] = append(append([]int{}, living[a]...), living[b]...)
		if t.Sizes[i] != len(living[node]) {
			return fmt.Errorf("merge %d has %d rows and says %d", i, len(living[node]), t.Sizes[i])
		}
		delete(living, a)
		delete(living, b)
		for p := range between {
			if p.a == a || p.a == b || p.b == a || p.b == b {
				delete(between, p)
			}
		}
		compare(node)
	}
	return nil
}
