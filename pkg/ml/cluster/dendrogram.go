package cluster

import (
	"cmp"
	"math"
	"slices"

	"github.com/golatent/latent/pkg/ml"
)

// Tree is a hierarchical clustering of n rows: n−1 merges in the order in which they happened. The
// rows are nodes 0 to n−1, and merge i joins nodes Left[i] and Right[i] at height Heights[i] into
// node n+i, which holds Sizes[i] rows. The numbering is that of SciPy's linkage matrices.
//
// Heights never fall from one merge to the next, but for centroid linkage, where a merge can lie
// lower than one of those it builds on: see Inversions.
type Tree struct {
	Left, Right []int     // length n−1, the nodes that a merge joins; the left one is drawn on the left
	Heights     []float64 // length n−1, in the units of the dissimilarity
	Sizes       []int     // length n−1, rows under the node that the merge makes
}

func init() { ml.Register[Tree]("cluster.Tree") }

// Leaves returns n, the number of rows.
func (t *Tree) Leaves() int { return len(t.Heights) + 1 }

// Order returns the rows from left to right as a dendrogram draws them: those of the left node of a
// merge before those of its right.
func (t *Tree) Order() []int {
	n := t.Leaves()
	order := make([]int, 0, n)
	// A stack rather than recursion: a chain of single linkage is as deep as it has leaves.
	pending := []int{2*n - 2}
	for len(pending) > 0 {
		node := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if node < n {
			order = append(order, node)
			continue
		}
		pending = append(pending, t.Right[node-n], t.Left[node-n])
	}
	return order
}

// Members returns the rows under a node, 0 ≤ node ≤ 2n−2, from left to right.
func (t *Tree) Members(node int) ([]int, error) {
	n := t.Leaves()
	if node < 0 || node > 2*n-2 {
		return nil, ml.BadParameter("cluster.Tree.Members", "node", node, sprintf("0 to 2n−2 = %d", 2*n-2))
	}
	first, spans := t.spans()
	size := spans[node]
	return t.Order()[first[node] : first[node]+size], nil
}

// spans gives, for every node, the place of its first row in Order and how many rows it has: the
// rows of a node stand side by side.
func (t *Tree) spans() (first, size []int) {
	n := t.Leaves()
	first, size = make([]int, 2*n-1), make([]int, 2*n-1)
	for i := range n {
		size[i] = 1
	}
	for i := range t.Heights {
		size[n+i] = size[t.Left[i]] + size[t.Right[i]]
	}
	for i := len(t.Heights) - 1; i >= 0; i-- {
		first[t.Left[i]] = first[n+i]
		first[t.Right[i]] = first[n+i] + size[t.Left[i]]
	}
	return first, size
}

// Cut returns the clusters below a height: two rows are together where a node holds both and
// neither its merge nor any below it lies higher than height. Where heights never fall this is the
// partition after the last merge at or below height. With inversions (centroid linkage) a low merge
// above a high one does not count, so that no cluster holds a merge higher than the cut. Clusters
// are numbered from left to right. The error is ml.ErrParameter for NaN.
func (t *Tree) Cut(height float64) ([]int, error) {
	if math.IsNaN(height) {
		return nil, ml.BadParameter("cluster.Tree.Cut", "height", height, "a number")
	}
	highest := t.highest()
	n := t.Leaves()
	return t.label(func(node int) bool { return node < n || highest[node-n] <= height }), nil
}

// highest is, for each merge, the greatest height in its subtree.
func (t *Tree) highest() []float64 {
	n := t.Leaves()
	top := slices.Clone(t.Heights)
	for i := range top {
		for _, child := range [2]int{t.Left[i], t.Right[i]} {
			if child >= n {
				top[i] = max(top[i], top[child-n])
			}
		}
	}
	return top
}

// CutCount returns the partition into exactly k clusters, 1 ≤ k ≤ n, that stood after n−k merges,
// numbered from left to right. Of merges at equal heights the later ones are undone first. The
// error is ml.ErrParameter for another k.
func (t *Tree) CutCount(k int) ([]int, error) {
	n := t.Leaves()
	if k < 1 || k > n {
		return nil, ml.BadParameter("cluster.Tree.CutCount", "k", k, sprintf("1 ≤ k ≤ n = %d, the number of rows", n))
	}
	return t.label(func(node int) bool { return node < n+n-k }), nil
}

// CutHeight returns a height at which Cut gives the k clusters of CutCount: half way between the
// last merge that is kept and the first that is undone, for k = 1 the highest merge. The error is
// ml.ErrParameter for k outside 1..n, or where no height separates them: merges at equal heights,
// or an inversion.
func (t *Tree) CutHeight(k int) (float64, error) {
	const method = "cluster.Tree.CutHeight"
	n := t.Leaves()
	if k < 1 || k > n {
		return 0, ml.BadParameter(method, "k", k, sprintf("1 ≤ k ≤ n = %d, the number of rows", n))
	}
	kept, undone := t.Heights[:n-k], t.Heights[n-k:]
	low := 0.0
	if len(kept) > 0 {
		low = slices.Max(kept)
	}
	if len(undone) == 0 {
		return low, nil
	}
	high := slices.Min(undone)
	if len(kept) == 0 {
		low = min(0, high)
	}
	if low >= high {
		return 0, ml.BadParameter(method, "k", k, sprintf("a number of clusters that a height can separate: merges lie at %v on both sides", high))
	}
	// For neighboring numbers the mean may be the upper one, at which Cut would keep the merge.
	if middle := low + (high-low)/2; middle < high {
		return middle, nil
	}
	return low, nil
}

// label numbers, from left to right, the highest nodes that are whole, and gives every row the
// number of its own. Where a node is whole, so are those below.
func (t *Tree) label(whole func(node int) bool) []int {
	n := t.Leaves()
	labels := make([]int, n)
	next := 0
	type visit struct{ node, cluster int }
	pending := []visit{{2*n - 2, -1}}
	for len(pending) > 0 {
		v := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if v.cluster < 0 && whole(v.node) {
			v.cluster = next
			next++
		}
		if v.node < n {
			labels[v.node] = v.cluster
			continue
		}
		pending = append(pending, visit{t.Right[v.node-n], v.cluster}, visit{t.Left[v.node-n], v.cluster})
	}
	return labels
}

// Inversions counts the merges that lie lower than one of the nodes they join. It is 0 for every
// linkage but centroid.
func (t *Tree) Inversions() int {
	n, count := t.Leaves(), 0
	for i, h := range t.Heights {
		for _, child := range [2]int{t.Left[i], t.Right[i]} {
			if child >= n && t.Heights[child-n] > h {
				count++
				break
			}
		}
	}
	return count
}

// check holds a tree that a caller may have put together to its description.
func (t *Tree) check(method string) error {
	n := t.Leaves()
	if len(t.Left) != n-1 || len(t.Right) != n-1 || len(t.Sizes) != n-1 {
		return ml.BadShape(method, "the tree has %d heights, %d left, %d right and %d sizes, want as many of each", n-1, len(t.Left), len(t.Right), len(t.Sizes))
	}
	used := make([]bool, 2*n-1)
	for i := range n - 1 {
		for _, child := range [2]int{t.Left[i], t.Right[i]} {
			if child < 0 || child >= n+i || used[child] {
				return ml.BadParameter(method, sprintf("a node of merge %d", i), child, sprintf("a node from 0 to %d that no merge before has joined", n+i-1))
			}
			used[child] = true
		}
	}
	return nil
}

// fused is a merge as the algorithms make it: the clusters that hold rows i and j, at a height.
type fused struct {
	i, j   int32
	height float64
}

// monotoneTree sorts merges, of which those of parts come before those of wholes, by height, and
// numbers their nodes. Rounding can leave a merge a last digit lower than one it builds on: it is
// lifted to it.
func monotoneTree(n int, merges []fused) *Tree {
	sets := newForest(n)
	reached := make([]float64, n) // height of the cluster that a root stands for
	for m := range merges {
		a, b := sets.find(merges[m].i), sets.find(merges[m].j)
		merges[m].height = max(merges[m].height, reached[a], reached[b])
		reached[sets.join(a, b)] = merges[m].height
	}
	slices.SortStableFunc(merges, func(a, b fused) int { return cmp.Compare(a.height, b.height) })
	return treeOf(n, merges)
}

// treeOf numbers the nodes of merges in the order given.
func treeOf(n int, merges []fused) *Tree {
	t := &Tree{Left: make([]int, n-1), Right: make([]int, n-1), Heights: make([]float64, n-1), Sizes: make([]int, n-1)}
	sets := newForest(n)
	node, size := make([]int, n), make([]int, n)
	for i := range node {
		node[i], size[i] = i, 1
	}
	for m, f := range merges {
		a, b := sets.find(f.i), sets.find(f.j)
		root := sets.join(a, b)
		t.Left[m], t.Right[m] = min(node[a], node[b]), max(node[a], node[b])
		t.Heights[m], t.Sizes[m] = f.height, size[a]+size[b]
		node[root], size[root] = n+m, size[a]+size[b]
	}
	return t
}

// forest is union-find with path halving and union by rank (Tarjan, 1975).
type forest struct {
	parent []int32
	rank   []uint8
}

func newForest(n int) *forest {
	f := &forest{make([]int32, n), make([]uint8, n)}
	for i := range f.parent {
		f.parent[i] = int32(i)
	}
	return f
}

func (f *forest) find(i int32) int32 {
	for f.parent[i] != i {
		f.parent[i] = f.parent[f.parent[i]]
		i = f.parent[i]
	}
	return i
}

// join unites the sets of two roots and returns the root of both.
func (f *forest) join(a, b int32) int32 {
	if f.rank[a] < f.rank[b] {
		a, b = b, a
	}
	if f.rank[a] == f.rank[b] {
		f.rank[a]++
	}
	f.parent[b] = a
	return a
}
