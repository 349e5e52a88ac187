package text

import (
	"fmt"

	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// scan calls step for one place of the first axis of all xs after another, with what the step
// before said to carry, and stacks what the steps put out. fixed goes to every step as it is. A
// step makes no constants, see number.
func scan(backward bool, xs, carry, fixed []*graph.Node, step func(x, carry, fixed []*graph.Node) (out, next []*graph.Node)) (outs []*graph.Node) {
	g, length := xs[0].Graph(), xs[0].Shape().Dimensions[0]
	if !g.Backend().Capabilities().Operations[compute.OpTypeDynamicSlice] {
		return unrolled(backward, xs, carry, fixed, step) // GoMLX's Go backend, which compiles in no time
	}
	// A step that is not used tells the shapes of the outputs.
	out, _ := step(at(xs, 0), carry, fixed)
	// A new one each time: GoMLX keeps constants, and one made in a loop can't be seen from another
	number := func(g *graph.Graph, v int) *graph.Node { return graph.Const(g, int32(v)) }
	state := append([]*graph.Node{number(g, 0)}, carry...)
	for _, o := range out {
		state = append(state, graph.Zeros(g, shapes.Make(o.DType(), append([]int{length}, o.Shape().Dimensions...)...)))
	}
	state = append(append(state, xs...), fixed...)
	parameters := func(g *graph.Graph) []*graph.Node {
		in := make([]*graph.Node, len(state))
		for i, s := range state {
			in[i] = graph.Parameter(g, fmt.Sprintf("state%d", i), s.Shape())
		}
		return in
	}
	condition := graph.NewClosure(g, func(g *graph.Graph) []*graph.Node {
		return []*graph.Node{graph.LessThan(parameters(g)[0], number(g, length))}
	})
	body := graph.NewClosure(g, func(g *graph.Graph) []*graph.Node {
		in := parameters(g)
		t := in[0]
		if backward {
			t = graph.Sub(number(g, length-1), t)
		}
		rest := in[1:]
		next := func(n int) []*graph.Node {
			part := rest[:n]
			rest = rest[n:]
			return part
		}
		carry, outs, xs, fixed := next(len(carry)), next(len(out)), next(len(xs)), next(len(fixed))
		start := func(x *graph.Node) []*graph.Node {
			place := []*graph.Node{t}
			for range x.Rank() - 1 {
				place = append(place, number(g, 0))
			}
			return place
		}
		x := make([]*graph.Node, len(xs))
		for i, all := range xs {
			size := append([]int{1}, all.Shape().Dimensions[1:]...)
			x[i] = graph.Squeeze(graph.DynamicSlice(all, start(all), size), 0)
		}
		out, carried := step(x, carry, fixed)
		result := append([]*graph.Node{graph.Add(in[0], number(g, 1))}, carried...)
		for i, o := range out {
			result = append(result, graph.DynamicUpdateSlice(outs[i], graph.InsertAxes(o, 0), start(outs[i])))
		}
		return append(append(result, xs...), fixed...)
	})
	return graph.While(condition, body, state...)[1+len(carry):][:len(out)]
}

// unrolled is scan as so many steps one after another.
func unrolled(backward bool, xs, carry, fixed []*graph.Node, step func(x, carry, fixed []*graph.Node) (out, next []*graph.Node)) (outs []*graph.Node) {
	length := xs[0].Shape().Dimensions[0]
	byTime := make([][]*graph.Node, length)
	for i := range length {
		t := i
		if backward {
			t = length - 1 - i
		}
		byTime[t], carry = step(at(xs, t), carry, fixed)
	}
	for k := range byTime[0] {
		column := make([]*graph.Node, length)
		for t, out := range byTime {
			column[t] = out[k]
		}
		outs = append(outs, graph.Stack(column, 0))
	}
	return outs
}

// at cuts one place of the first axis.
func at(xs []*graph.Node, t int) []*graph.Node {
	out := make([]*graph.Node, len(xs))
	for i, x := range xs {
		out[i] = graph.Squeeze(graph.SliceAxis(x, 0, graph.AxisElem(t)), 0)
	}
	return out
}
