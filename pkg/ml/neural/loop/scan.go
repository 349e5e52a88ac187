package loop

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unsafe"

	"github.com/golatent/latent/internal/customgrad"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
)

// Step is one turn of a loop: of what comes in at its place and of what the turn before carried on,
// it makes outputs, and what it carries on itself, of the same shapes. fixed is the same in all
// turns: weights must come in so, and nothing else from outside may be used.
type Step func(x, carry, fixed []*graph.Node) (out, next []*graph.Node)

// Scan calls step for one place of the first axis of all xs after another, and stacks the outputs.
// It also returns what the last turn carried on. Gradients go through it to xs, carry and fixed.
//
// XLA compiles the step as the body of a loop, once for the values and once for the gradient,
// however many turns there are; unrolled, two hundred steps of a recurrent network take it half a
// minute. The gradient keeps what is carried into each turn and computes the turn again from there.
// GoMLX's Go backend compiles in no time, and unrolls. There is no second derivative: see Unroll.
func Scan(xs, carry, fixed []*graph.Node, step Step) (outs, last []*graph.Node) {
	if !hasLoops(xs[0].Graph()) {
		return Unroll(xs, carry, fixed, step)
	}
	s := &scan{step: step, xs: len(xs), carry: len(carry)}
	results := customgrad.ApplyAll(slices.Concat(xs, carry, fixed), s.forward, s.backward)
	return results[:s.outs], results[s.outs:]
}

// scan is a Scan by its numbers of inputs and outputs.
type scan struct {
	step            Step
	xs, carry, outs int
	before          []*graph.Node // what was carried into each turn, stacked
}

func (s *scan) split(in []*graph.Node) (xs, carry, fixed []*graph.Node) {
	return in[:s.xs], in[s.xs : s.xs+s.carry], in[s.xs+s.carry:]
}

func (s *scan) forward(in []*graph.Node) (results []*graph.Node) {
	xs, carry, fixed := s.split(in)
	outs, last := while(false, xs, carry, fixed, func(x, carry, fixed []*graph.Node) (out, next []*graph.Node) {
		out, next = s.step(x, carry, fixed)
		s.outs = len(out)
		return slices.Concat(out, carry), next
	})
	s.before = outs[s.outs:]
	return slices.Concat(outs[:s.outs], last)
}

// backward goes through the turns from the last to the first. It carries the gradients with respect
// to what was carried, and those with respect to fixed, which add up.
func (s *scan) backward(in, v []*graph.Node) []*graph.Node {
	xs, _, fixed := s.split(in)
	zeros := make([]*graph.Node, len(fixed))
	for i, f := range fixed {
		zeros[i] = graph.ZerosLike(f)
	}
	along, carry := slices.Concat(xs, s.before, v[:s.outs]), slices.Concat(v[s.outs:], zeros)
	dxs, last := while(true, along, carry, fixed, func(x, d, fixed []*graph.Node) (out, next []*graph.Node) {
		xs, before, v := s.split(x)
		made, on := s.step(xs, before, fixed)
		sum := weighed(slices.Concat(made, on), slices.Concat(v, d[:s.carry]))
		dxs, dbefore, dfixed := s.split(graph.Gradient(sum, slices.Concat(xs, before, fixed)...))
		next = slices.Clone(dbefore)
		for i, g := range dfixed {
			next = append(next, graph.Add(d[s.carry+i], g))
		}
		return dxs, next
	})
	return slices.Concat(dxs, last)
}

// weighed is Σ v·y, whose gradients are those of y multiplied by v from the left.
func weighed(y, v []*graph.Node) *graph.Node {
	sum := graph.ReduceAllSum(graph.Mul(y[0], graph.StopGradient(v[0])))
	for i := 1; i < len(y); i++ {
		sum = graph.Add(sum, graph.ReduceAllSum(graph.Mul(y[i], graph.StopGradient(v[i]))))
	}
	return sum
}

// Unroll is Scan as so many steps one after another in the graph: the way to second derivatives,
// and the shorter one for a few turns.
func Unroll(xs, carry, fixed []*graph.Node, step Step) (outs, last []*graph.Node) {
	var byTime [][]*graph.Node
	for t := range xs[0].Shape().Dimensions[0] {
		var out []*graph.Node
		out, carry = step(at(xs, t), carry, fixed)
		byTime = append(byTime, out)
	}
	for k := range byTime[0] {
		column := make([]*graph.Node, len(byTime))
		for t, out := range byTime {
			column[t] = out[k]
		}
		outs = append(outs, graph.Stack(column, 0))
	}
	return outs, carry
}

// at cuts one place of the first axis.
func at(xs []*graph.Node, t int) []*graph.Node {
	out := make([]*graph.Node, len(xs))
	for i, x := range xs {
		out[i] = graph.Squeeze(graph.SliceAxis(x, 0, graph.AxisElem(t)), 0)
	}
	return out
}

// while is Scan as a loop of XLA, forward or backward along the first axis, and without a gradient.
func while(backward bool, xs, carry, fixed []*graph.Node, step Step) (outs, last []*graph.Node) {
	g, length := xs[0].Graph(), xs[0].Shape().Dimensions[0]
	out, _ := step(at(xs, 0), carry, fixed) // a step that is not used tells the shapes of the outputs
	number := func(g *graph.Graph, v int) *graph.Node { return graph.Const(g, int32(v)) }
	state := slices.Concat([]*graph.Node{number(g, 0)}, carry)
	for _, o := range out {
		state = append(state, graph.Zeros(g, shapes.Make(o.DType(), append([]int{length}, o.Shape().Dimensions...)...)))
	}
	state = slices.Concat(state, xs, fixed)
	parameters := func(g *graph.Graph) []*graph.Node {
		in := make([]*graph.Node, len(state))
		for i, s := range state {
			in[i] = graph.Parameter(g, fmt.Sprintf("state%d", i), s.Shape())
		}
		return in
	}
	condition := closure(g, func(g *graph.Graph) []*graph.Node {
		return []*graph.Node{graph.LessThan(parameters(g)[0], number(g, length))}
	})
	body := closure(g, func(g *graph.Graph) []*graph.Node {
		in := parameters(g)
		turn, in := in[0], in[1:]
		carry, in := in[:len(carry)], in[len(carry):]
		outs, in := in[:len(out)], in[len(out):]
		xs, fixed := in[:len(xs)], in[len(xs):]
		t := turn
		if backward {
			t = graph.Sub(number(g, length-1), turn)
		}
		place := func(x *graph.Node) []*graph.Node { // of turn t in x
			start := []*graph.Node{t}
			for range x.Rank() - 1 {
				start = append(start, number(g, 0))
			}
			return start
		}
		x := make([]*graph.Node, len(xs))
		for i, all := range xs {
			size := append([]int{1}, all.Shape().Dimensions[1:]...)
			x[i] = graph.Squeeze(graph.DynamicSlice(all, place(all), size), 0)
		}
		out, next := step(x, carry, fixed)
		updated := make([]*graph.Node, len(outs))
		for i, o := range out {
			updated[i] = graph.DynamicUpdateSlice(outs[i], graph.InsertAxes(o, 0), place(outs[i]))
		}
		return slices.Concat([]*graph.Node{graph.Add(turn, number(g, 1))}, next, updated, xs, fixed)
	})
	all := graph.While(condition, body, state...)[1:]
	return all[len(carry) : len(carry)+len(out)], all[:len(carry)]
}

// hasLoops is whether a graph's backend can run a loop whose body is a function of its own.
func hasLoops(g *graph.Graph) bool {
	return g.Backend().Capabilities().Operations[compute.OpTypeDynamicSlice] && len(caches(g)) > 1
}

// closure makes the condition or the body of a loop. On XLA it sees nothing that was made outside
// of it; but GoMLX 0.28 keeps every scalar that a graph has used, those of its gradients too, and
// go-xla 0.4 every function that a reduction adds up with, and they would hand what was made
// outside to the inside, and the other way round. So a closure has caches of its own.
func closure(g *graph.Graph, f func(g *graph.Graph) []*graph.Node) *graph.Function {
	for _, cache := range caches(g) {
		outside := reflect.ValueOf(cache.Interface())
		defer cache.Set(outside)
		cache.Set(reflect.MakeMap(cache.Type()))
	}
	return graph.NewClosure(g, f)
}

// caches are the maps of a graph's scalars and of its builder's functions, which are not exported.
// Where another version has none of these names, Scan unrolls.
func caches(g *graph.Graph) (found []reflect.Value) {
	add := func(of reflect.Value, prefix string) {
		if of.Kind() != reflect.Struct {
			return
		}
		for i := range of.NumField() {
			if field := of.Field(i); field.Kind() == reflect.Map && strings.HasPrefix(of.Type().Field(i).Name, prefix) {
				found = append(found, reflect.NewAt(field.Type(), unsafe.Pointer(field.UnsafeAddr())).Elem())
			}
		}
	}
	of := reflect.ValueOf(g).Elem()
	add(of, "scalars")
	if builder := of.FieldByName("builder"); builder.IsValid() && builder.Kind() == reflect.Interface {
		add(reflect.Indirect(builder.Elem()), "cache")
	}
	return found
}
