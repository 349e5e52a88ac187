package cluster

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// OptimalOrder returns the same tree with the two sides of its merges so placed that rows that
// stand next to each other in Order are as near as they can be: of the 2ⁿ⁻¹ orders that the tree
// allows it has the least sum of distances between neighbors (Bar-Joseph, Gifford & Jaakkola,
// 2001). It costs O(n³) time and O(n²) memory: a blink for some hundred rows, seconds for a few
// thousand.
//
// The error is ml.ErrShape for a table of another size than the tree or of more than 32,768 rows,
// ml.ErrNotFinite for a NaN or Inf in it, and ctx.Err().
func (t *Tree) OptimalOrder(ctx context.Context, d mat.Symmetric) (*Tree, error) {
	const method = "cluster.Tree.OptimalOrder"
	if err := t.fits(method, d); err != nil {
		return nil, err
	}
	n := t.Leaves()
	if n > 1<<15 {
		return nil, ml.BadShape(method, "%d rows, want at most 32,768: two tables of n×n numbers are kept", n)
	}
	o := &leafOrder{Tree: t, n: n, best: make([]float64, n*n), d: make([]float64, n*n)}
	o.first, o.size = t.spans()
	order := t.Order()
	if err := parallel.For(ctx, n, 16, func(_, lo, hi int) {
		for a := lo; a < hi; a++ {
			for b := range n {
				o.d[a*n+b] = d.At(order[a], order[b])
			}
		}
	}); err != nil {
		return nil, err
	}
	for i := range t.Heights {
		if err := o.merge(ctx, i); err != nil {
			return nil, err
		}
	}
	return o.turned(), nil
}

// leafOrder is the dynamic program. Rows are known by their place in the plain order, in which the
// rows of a node stand side by side. For rows a and b on different sides of a merge, best[a, b] is
// the least cost of an order of that merge's rows that begins with a and ends with b; each pair
// meets in one merge, so that one table holds them all.
type leafOrder struct {
	*Tree
	n           int
	best, d     []float64
	first, size []int
}

// span is a range of places.
type span struct{ lo, hi int }

func (o *leafOrder) span(node int) span { return span{o.first[node], o.first[node] + o.size[node]} }

// ends are the rows that an order of a node's rows can end with when it begins with a: those of the
// other side, or a itself where it is alone.
func (o *leafOrder) ends(node, a int) span {
	if node < o.n {
		return span{a, a + 1}
	}
	left, right := o.span(o.Left[node-o.n]), o.span(o.Right[node-o.n])
	if a < left.hi {
		return right
	}
	return left
}

// reach sets cost[k−right.lo] to the least cost of an order of node l that begins with a, and a
// step from its end to k, for each k of the right side. It returns cost.
func (o *leafOrder) reach(cost []float64, l, a int, right span) []float64 {
	cost = cost[:right.hi-right.lo]
	for k := range cost {
		cost[k] = math.Inf(1)
	}
	for m, ends := o.ends(l, a).lo, o.ends(l, a); m < ends.hi; m++ {
		before := o.best[a*o.n+m]
		for k, step := range o.d[m*o.n+right.lo : m*o.n+right.hi] {
			cost[k] = min(cost[k], before+step)
		}
	}
	return cost
}

// merge fills best for the rows on both sides of a merge.
func (o *leafOrder) merge(ctx context.Context, i int) error {
	l, r := o.Left[i], o.Right[i]
	left, right := o.span(l), o.span(r)
	work := (left.hi - left.lo + right.hi - right.lo) * (right.hi - right.lo) // of a row
	return parallel.For(ctx, left.hi-left.lo, chunkFor(work), func(_, lo, hi int) {
		room := make([]float64, right.hi-right.lo)
		for a := left.lo + lo; a < left.lo+hi; a++ {
			cost := o.reach(room, l, a, right)
			row := o.best[a*o.n : (a+1)*o.n]
			for b := right.lo; b < right.hi; b++ {
				row[b] = math.Inf(1)
			}
			for k, before := range cost {
				from := right.lo + k
				ends := o.ends(r, from) // b can be the last where from is the first, and the other way round
				after, to := o.best[from*o.n+ends.lo:from*o.n+ends.hi], row[ends.lo:ends.hi]
				for b, rest := range after {
					to[b] = min(to[b], before+rest)
				}
			}
			for b := right.lo; b < right.hi; b++ {
				o.best[b*o.n+a] = row[b]
			}
		}
	})
}

// turned follows the best order back from the root and turns each merge to it.
func (o *leafOrder) turned() *Tree {
	n := o.n
	t := &Tree{Left: make([]int, n-1), Right: make([]int, n-1), Heights: append([]float64{}, o.Heights...), Sizes: append([]int{}, o.Sizes...)}
	if n == 1 {
		return t
	}
	type piece struct{ node, a, b int } // an order of a node's rows from a to b
	left, right := o.span(o.Left[n-2]), o.span(o.Right[n-2])
	root, least := piece{node: 2*n - 2}, math.Inf(1)
	for a := left.lo; a < left.hi; a++ {
		for b := right.lo; b < right.hi; b++ {
			if v := o.best[a*n+b]; v < least {
				root.a, root.b, least = a, b, v
			}
		}
	}
	room := make([]float64, n)
	for pending := []piece{root}; len(pending) > 0; {
		p := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if p.node < n {
			continue
		}
		i := p.node - n
		l, r := o.Left[i], o.Right[i]
		if right := o.span(r); p.a >= right.lo && p.a < right.hi { // the order runs from the right side to the left
			l, r = r, l
		}
		t.Left[i], t.Right[i] = l, r
		// The step between the sides goes from m, the end of the first, to k, the begin of the
		// second.
		firsts := o.ends(r, p.b)
		cost := o.reach(room, l, p.a, firsts)
		k, least := firsts.lo, math.Inf(1)
		for c, before := range cost {
			if v := before + o.best[(firsts.lo+c)*n+p.b]; v < least {
				k, least = firsts.lo+c, v
			}
		}
		lasts := o.ends(l, p.a)
		m, least := lasts.lo, math.Inf(1)
		for c := lasts.lo; c < lasts.hi; c++ {
			if v := o.best[p.a*n+c] + o.d[c*n+k]; v < least {
				m, least = c, v
			}
		}
		pending = append(pending, piece{r, k, p.b}, piece{l, p.a, m})
	}
	return t
}
