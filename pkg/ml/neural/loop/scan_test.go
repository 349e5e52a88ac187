package loop

import (
	"fmt"
	"testing"

	"github.com/golatent/latent/internal/graphtest"
	"github.com/golatent/latent/internal/xlatest"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

func TestMain(m *testing.M) { xlatest.Main(m) }

type node = graph.Node

func nodes(n ...*node) []*node { return n }

var wave = graphtest.Wave

// recurrence is an Elman network with a second state, that uses constants, and puts out two things.
func recurrence(x, carry, fixed []*node) (out, next []*node) {
	h := graph.Tanh(graph.Add(graph.Dot(x[0], fixed[0]).Product(), graph.Dot(carry[0], fixed[1]).Product()))
	c := graph.Add(graph.MulScalar(carry[1], 0.5), graph.Square(h))
	return nodes(graph.AddScalar(h, 0.25), graph.ReduceSum(graph.Mul(c, graph.OneMinus(h)), -1)), nodes(h, c)
}

// scanned is a scan of recurrence, with the gradients of two sums that leave out parts of the
// results: no gradient may see what another one left behind.
func scanned(scan func(xs, carry, fixed []*node, step Step) (outs, last []*node)) graphtest.Graph {
	return func(_ *model.Scope, in []*node) []*node {
		outs, last := scan(in[:1], in[1:3], in[3:], recurrence)
		first := graph.Add(graph.ReduceAllSum(graph.Square(outs[0])), graph.ReduceAllSum(graph.Sin(last[1])))
		second := graph.ReduceAllSum(graph.Square(outs[1]))
		results := append(outs, last...)
		results = append(results, graph.Gradient(first, in...)...)
		return append(results, graph.Gradient(second, in...)...)
	}
}

// The loop is what its turns one after another are, and so are the gradients.
func TestScanAgainstUnroll(t *testing.T) {
	in := []graphtest.Array{wave(0, 5, 2, 3), wave(1, 2, 4), wave(2, 2, 4), wave(3, 3, 4), wave(4, 4, 4)}
	for _, backend := range graphtest.Backends() {
		got, want := graphtest.Run(t, backend, scanned(Scan), in...), graphtest.Run(t, backend, scanned(Unroll), in...)
		for k := range want {
			graphtest.Close(t, fmt.Sprintf("result %d on %s", k, backend), got[k].Values, want[k].Values, 1e-12)
		}
	}
}

func TestScanGradients(t *testing.T) {
	graphtest.Gradients(t, 1, func(_ *model.Scope, in []*node) []*node {
		outs, last := Scan(in[:1], in[1:3], in[3:], recurrence)
		return append(outs, last...)
	}, wave(0, 3, 2, 3), wave(1, 2, 4), wave(2, 2, 4), wave(3, 3, 4), wave(4, 4, 4))
}

// A loop is compiled once however long it is: unrolled, this takes XLA minutes.
func TestScanIsCompiledOnce(t *testing.T) {
	xlatest.Require(t)
	in := []graphtest.Array{wave(0, 2000, 2, 3), wave(1, 2, 4), wave(2, 2, 4), wave(3, 3, 4), wave(4, 4, 4)}
	got := graphtest.Run(t, "xla", scanned(Scan), in...)
	want := graphtest.Run(t, "go", scanned(Scan), in...)
	for k := range want {
		graphtest.Close(t, fmt.Sprintf("result %d", k), got[k].Values, want[k].Values, 1e-9)
	}
}
