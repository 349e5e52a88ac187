// Package customgrad gives functions of several graph nodes a gradient that is written by hand.
package customgrad

import "github.com/gomlx/gomlx/core/graph"

// Apply is f(in), with the gradient that vjp says: v is the gradient of what comes after with
// respect to f's result, and vjp returns that with respect to each of in. No derivative is taken of
// f; second derivatives are those of what vjp computes.
func Apply(in []*graph.Node, f func(in []*graph.Node) *graph.Node, vjp func(in []*graph.Node, v *graph.Node) []*graph.Node) *graph.Node {
	values, grads := make([]*graph.Node, len(in)), make([]*graph.Node, len(in))
	var path *graph.Node // a scalar 0 by which autodiff finds its way to every input
	for i, x := range in {
		values[i] = graph.StopGradient(x)
		first := make([]graph.SliceAxisSpec, x.Rank())
		for k := range first {
			first[k] = graph.AxisElem(0)
		}
		replaced := graph.IdentityWithCustomGradient(x, func(_, _ *graph.Node) *graph.Node { return grads[i] })
		none := graph.MulScalar(graph.Reshape(graph.Slice(replaced, first...)), 0)
		if path == nil {
			path = none
		} else {
			path = graph.Add(path, none)
		}
	}
	// Autodiff comes here first, and to the inputs, which were built before, when it has been here.
	return graph.IdentityWithCustomGradient(graph.Add(f(values), path), func(_, v *graph.Node) *graph.Node {
		grads = vjp(in, v)
		return v
	})
}
