// Package customgrad gives functions of several graph nodes a gradient that is written by hand.
package customgrad

import "github.com/gomlx/gomlx/core/graph"

// Apply is f(in), with the gradient that vjp says: v is the gradient of what comes after with
// respect to f's result, and vjp returns that with respect to each of in. No derivative is taken of
// f; second derivatives are those of what vjp computes.
func Apply(in []*graph.Node, f func(in []*graph.Node) *graph.Node,
	vjp func(in []*graph.Node, v *graph.Node) []*graph.Node) *graph.Node {
	return ApplyAll(in, func(in []*graph.Node) []*graph.Node { return []*graph.Node{f(in)} },
		func(in, v []*graph.Node) []*graph.Node { return vjp(in, v[0]) })[0]
}

// ApplyAll is Apply for several results, with one v for each.
func ApplyAll(in []*graph.Node, f func(in []*graph.Node) []*graph.Node, vjp func(in, v []*graph.Node) []*graph.Node) []*graph.Node {
	// Autodiff goes backward through the nodes as they were built: first it comes to the results,
	// each of which says its v, then to path, where vjp is called, and then to the inputs. path is
	// a scalar 0 that makes every input part of every result.
	values, grads := make([]*graph.Node, len(in)), make([]*graph.Node, len(in))
	var path *graph.Node
	for i, x := range in {
		values[i] = graph.StopGradient(x)
		first := make([]graph.SliceAxisSpec, x.Rank())
		for k := range first {
			first[k] = graph.AxisElem(0)
		}
		replaced := graph.IdentityWithCustomGradient(x, func(_, _ *graph.Node) *graph.Node { return grads[i] })
		if x.Rank() > 0 {
			replaced = graph.Reshape(graph.Slice(replaced, first...))
		}
		none := graph.MulScalar(replaced, 0)
		if path == nil {
			path = none
		} else {
			path = graph.Add(path, none)
		}
	}
	results := f(values)
	v := make([]*graph.Node, len(results))
	path = graph.IdentityWithCustomGradient(path, func(_, through *graph.Node) *graph.Node {
		for k, r := range results {
			if v[k] == nil {
				v[k] = graph.ZerosLike(r)
			}
		}
		grads = vjp(in, v)
		clear(v) // for another gradient, which may not ask for all results
		return through
	})
	out := make([]*graph.Node, len(results))
	for k, r := range results {
		out[k] = graph.IdentityWithCustomGradient(graph.Add(r, path), func(_, of *graph.Node) *graph.Node {
			v[k] = of
			return of
		})
	}
	return out
}
