package plotting

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"

	"github.com/golatent/latent/pkg/ml"
)

// Dendrogram draws the tree of a hierarchical clustering of n leaves from its n−1 merges in order:
// merge i joins nodes left[i] and right[i] at height[i] and makes node n+i; leaves are nodes 0 to
// n−1 (the numbering of SciPy). Labels names the leaves, Cut draws a cut and colors the clusters
// below it, Horizontal turns the tree so that long names can be read.
func Dendrogram(left, right []int, height []float64) *Plot {
	l := &dendrogram{left: left, right: right, height: height}
	err := l.build()
	return &Plot{layers: []laid{{layer: l}}, err: err}
}

type dendrogram struct {
	plain
	left, right []int
	height      []float64
	order       []int     // leaves from left to right
	at          []float64 // position of each node along the leaves
	cut         *float64
}

// Cut draws a dendrogram's cut at a height, and the clusters below it in colors.
func (p *Plot) Cut(height float64) *Plot {
	return change(p, "Cut", func(l *dendrogram) { l.cut = &height })
}

// build checks the merges, which must make one tree, and orders the leaves so that no branches
// cross.
func (l *dendrogram) build() error {
	merges := len(l.height)
	if merges == 0 {
		return fmt.Errorf("plotting.Dendrogram: no merges: %w", ml.ErrEmpty)
	}
	if len(l.left) != merges || len(l.right) != merges {
		return ml.BadShape("plotting.Dendrogram", "%d left, %d right, %d heights: want as many of each", len(l.left), len(l.right), merges)
	}
	n := merges + 1
	used := make([]bool, n+merges)
	for i := range merges {
		if !finite(l.height[i]) || math.Abs(l.height[i]) > 1e300 {
			return fmt.Errorf("plotting.Dendrogram: height[%d] is %v, want a finite number: %w", i, l.height[i], ml.ErrNotFinite)
		}
		for _, child := range [2]int{l.left[i], l.right[i]} {
			if child < 0 || child >= n+i || used[child] {
				return ml.BadParameter("plotting.Dendrogram", fmt.Sprintf("a node of merge %d", i), child,
					fmt.Sprintf("a node from 0 to %d that no merge before has joined", n+i-1))
			}
			used[child] = true
		}
	}
	// A stack rather than recursion: a chain of single linkage is as deep as it has leaves.
	l.at = make([]float64, n+merges)
	pending := []int{n + merges - 1}
	for len(pending) > 0 {
		node := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if node < n {
			l.at[node] = float64(len(l.order))
			l.order = append(l.order, node)
			continue
		}
		pending = append(pending, l.right[node-n], l.left[node-n])
	}
	for i := range merges {
		l.at[n+i] = (l.at[l.left[i]] + l.at[l.right[i]]) / 2
	}
	return nil
}

func (*dendrogram) takes() string {
	return "Labels Horizontal Width"
}

func (l *dendrogram) check(o *options) error {
	if o.labels != nil && len(o.labels) != len(l.order) {
		return ml.BadShape("plotting.Dendrogram", "%d labels for %d leaves", len(o.labels), len(l.order))
	}
	if l.cut != nil && !finite(*l.cut) {
		return ml.BadParameter("plotting.Cut", "height", *l.cut, "a finite number")
	}
	return nil
}

// nodeHeight is 0 for leaves.
func (l *dendrogram) nodeHeight(node int) float64 {
	if node < len(l.order) {
		return 0
	}
	return l.height[node-len(l.order)]
}

func (l *dendrogram) place(along, height float64, o *options) (x, y float64) {
	if o.horizontal {
		return height, along
	}
	return along, height
}

func (l *dendrogram) bounds(o *options) (b box) {
	b.include(l.place(-.6, 0, o))
	b.include(l.place(float64(len(l.order))-.4, 0, o))
	for _, h := range l.height {
		b.include(l.place(0, h, o))
	}
	if l.cut != nil {
		b.include(l.place(0, *l.cut, o))
	}
	return b
}

// readable is the number of leaves that can be named.
const readable = 60

func (l *dendrogram) hints(o *options) hints {
	var ticks []plot.Tick
	if len(l.order) <= readable {
		for i, leaf := range l.order {
			name := fmt.Sprint(leaf)
			if o.labels != nil {
				name = o.labels[leaf]
			}
			ticks = append(ticks, plot.Tick{Value: float64(i), Label: either(name, " ")})
		}
	}
	h := hints{noGrid: true}
	if o.horizontal {
		h.xLabel, h.yTicks, h.noY, h.flipY, h.left = "height", ticks, ticks == nil, true, true
	} else {
		h.yLabel, h.xTicks, h.noX, h.floor = "height", ticks, ticks == nil, true
	}
	return h
}

// clusters gives every node the number of the cluster, from left to right, that a cut puts it in,
// −1 above the cut.
func (l *dendrogram) clusters(o *options) (class []int, k int) {
	n := len(l.order)
	class = make([]int, len(l.at))
	for i := range class {
		class[i] = -1
	}
	if l.cut == nil {
		return class, 0
	}
	// highest is the greatest height in a subtree: with inversions a merge can lie lower than one
	// before it.
	highest := make([]float64, len(l.at))
	for i := range l.height {
		highest[n+i] = max(l.height[i], highest[l.left[i]], highest[l.right[i]])
	}
	parent := make([]int, len(l.at))
	parent[len(parent)-1] = -1
	for i := range l.height {
		parent[l.left[i]], parent[l.right[i]] = n+i, n+i
	}
	next := 0
	for _, leaf := range l.order {
		top := leaf
		for parent[top] >= 0 && highest[parent[top]] <= *l.cut && class[parent[top]] < 0 {
			top = parent[top]
		}
		if p := parent[top]; p >= 0 && class[p] >= 0 {
			class[leaf] = class[p]
			for node := leaf; node != top; node = parent[node] {
				class[node] = class[p]
			}
			class[top] = class[p]
			continue
		}
		for node := leaf; node != top; node = parent[node] {
			class[node] = next
		}
		class[top] = next
		next++
	}
	return class, next
}

func (l *dendrogram) draw(d *drawing, o *options) error {
	class, k := l.clusters(o)
	paths := make([]vg.Path, k+1) // the last is what lies above the cut
	n := len(l.order)
	for i, h := range l.height {
		a, b := l.left[i], l.right[i]
		which := class[n+i]
		if which < 0 {
			which = k
		}
		p := &paths[which]
		for j, at := range [][2]float64{{l.at[a], l.nodeHeight(a)}, {l.at[a], h}, {l.at[b], h}, {l.at[b], l.nodeHeight(b)}} {
			q := d.at(l.place(at[0], at[1], o))
			if j == 0 {
				p.Move(q)
			} else {
				p.Line(q)
			}
		}
	}
	width := 1.6
	if n > readable {
		width = 1
	}
	d.Push()
	d.SetLineDash(nil, 0)
	for c, p := range paths {
		if len(p) == 0 {
			continue
		}
		d.SetLineWidth(vg.Length(either(o.width, width)))
		d.SetColor(faded(Ink, .75))
		if c < k {
			d.SetColor(ClassColor(c))
		}
		d.Stroke(p)
	}
	d.Pop()
	if l.cut != nil {
		return (&ruler{at: *l.cut, horizontal: !o.horizontal}).draw(d, &options{color: color.Color(Ink)})
	}
	return nil
}

func (l *dendrogram) describe(o *options) string {
	top := 0.0
	for _, h := range l.height {
		top = max(top, h)
	}
	s := fmt.Sprintf("dendrogram of %s, highest merge at %s", count(len(l.order), "leaf", "leaves"), figures(top))
	if l.cut != nil {
		_, k := l.clusters(o)
		s += fmt.Sprintf(", cut at %s into %s", figures(*l.cut), count(k, "cluster", "clusters"))
	}
	return s
}
