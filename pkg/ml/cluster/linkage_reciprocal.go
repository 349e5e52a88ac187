package cluster

import (
	"context"
	"slices"
)

// agglomerated is what the linkages differ in: how far apart two clusters are, and how merging
// changes it. A cluster is known by its first row, its id.
type agglomerated interface {
	// nearest sets near[k] and far[k], for each k of wanted, to the nearest other of the living
	// clusters (of equally near ones the first) and its dissimilarity.
	nearest(ctx context.Context, wanted, living, near []int32, far []float64) error
	// merge makes cluster i of i and j for each of the merges, which share no cluster; living are
	// those that are left.
	merge(ctx context.Context, merges []fused, living []int32) error
	// between returns the dissimilarity of two living clusters; between(i, j) and between(j, i) are
	// the same to the last bit.
	between(i, j int32) float64
}

// agglomerate merges n clusters down to one. For a linkage by which a merge never comes nearer to a
// third than the nearer of its parts was (single, complete, average, Ward), any two clusters that
// are each other's nearest will be merged by the naive algorithm too, whatever else it does before
// (Bruynooghe, 1977; Murtagh, 1983). So all such pairs are merged at once, and only those whose
// nearest cluster has gone look for another; each round is work for all processors (Sumengen et
// al., 2021).
//
// For hostile data rounds may be many and each search much: when searches have cost more than they
// should, the nearest-neighbor chain takes over, which makes at most three searches a merge. Merges
// come out with parts before wholes, but not sorted by height.
func agglomerate(ctx context.Context, n int, c agglomerated) ([]fused, error) {
	a := &agglomeration{agglomerated: c, near: make([]int32, n), far: make([]float64, n), into: make([]int32, n), living: make([]int32, n), merges: make([]fused, 0, n-1)}
	for i := range a.living {
		a.living[i], a.into[i] = int32(i), -1
	}
	err := a.rounds(ctx, n)
	if err == nil && len(a.living) > 1 {
		err = a.chain(ctx)
	}
	return a.merges, err
}

type agglomeration struct {
	agglomerated
	living []int32   // ids, ascending
	near   []int32   // the nearest cluster of each
	far    []float64 // and its dissimilarity
	into   []int32   // during a round: the id of the merge that a cluster is part of, else −1
	wanted []int32   // those whose nearest has gone
	merges []fused
}

// patience is how many searches a row the rounds may make before the chain takes over.
const patience = 12

func (a *agglomeration) rounds(ctx context.Context, n int) error {
	a.wanted = append([]int32(nil), a.living...)
	for searches := 0; len(a.living) > 1; {
		if searches += len(a.wanted); searches > patience*n {
			return nil
		}
		if err := a.nearest(ctx, a.wanted, a.living, a.near, a.far); err != nil {
			return err
		}
		for _, k := range a.wanted {
			a.tell(k)
		}
		begin := len(a.merges)
		for _, k := range a.living {
			if m := a.near[k]; k < m && a.near[m] == k {
				a.merges = append(a.merges, fused{k, m, a.far[k]})
			}
		}
		if err := a.fuse(ctx, a.merges[begin:]); err != nil {
			return err
		}
	}
	return nil
}

// tell lets the nearest cluster of k know of k. In exact arithmetic it has none nearer to learn of;
// in floating point a merge may have come nearer by a rounding. With it, no cluster's nearest is
// farther than those it is the nearest of, so that the nearest pair of all is mutual: every round
// merges, and no chain turns in a circle.
func (a *agglomeration) tell(k int32) {
	m := a.near[k]
	if a.far[k] < a.far[m] || (a.far[k] == a.far[m] && k < a.near[m]) {
		a.near[m], a.far[m] = k, a.far[k]
	}
}

// fuse carries out merges and lists in wanted the clusters that have lost their nearest.
func (a *agglomeration) fuse(ctx context.Context, merges []fused) error {
	for _, f := range merges {
		a.into[f.i], a.into[f.j] = f.i, f.i
	}
	before := a.living
	a.living = before[:0]
	for _, k := range before {
		if a.into[k] < 0 || a.into[k] == k {
			a.living = append(a.living, k)
		}
	}
	if err := a.merge(ctx, merges, a.living); err != nil {
		return err
	}
	a.wanted = a.wanted[:0]
	for _, k := range a.living {
		m := a.into[a.near[k]]
		switch {
		case a.into[k] == k:
			a.wanted = append(a.wanted, k)
		case m < 0:
		case a.between(k, m) == a.far[k]:
			a.near[k] = m // as near as its part was: nothing can be nearer
		default:
			a.wanted = append(a.wanted, k)
		}
	}
	for _, f := range merges {
		a.into[f.i], a.into[f.j] = -1, -1
	}
	return nil
}

// chain follows nearest neighbors until two are each other's, merges them, and goes on from where
// it was (Benzécri, 1982).
func (a *agglomeration) chain(ctx context.Context) error {
	stale := make([]bool, len(a.near))
	for _, k := range a.wanted {
		stale[k] = true
	}
	var path []int32
	for len(a.living) > 1 {
		if len(path) == 0 {
			path = append(path, a.living[0])
		}
		tip := path[len(path)-1]
		if stale[tip] {
			if err := a.nearest(ctx, []int32{tip}, a.living, a.near, a.far); err != nil {
				return err
			}
			stale[tip] = false
			if !stale[a.near[tip]] {
				a.tell(tip)
			}
		}
		next := a.near[tip]
		if stale[next] || a.near[next] != tip {
			path = append(path, next)
			continue
		}
		// Below the tip the path knows no nearer than what it leads to; it is cut where it first
		// meets one of the two, next or, after a rounding, another.
		path = path[:slices.IndexFunc(path, func(k int32) bool { return k == tip || k == next })]
		a.merges = append(a.merges, fused{min(tip, next), max(tip, next), a.far[tip]})
		if err := a.fuse(ctx, a.merges[len(a.merges)-1:]); err != nil {
			return err
		}
		for _, k := range a.wanted {
			stale[k] = true
		}
	}
	return nil
}
