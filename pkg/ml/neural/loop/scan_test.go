package loop

import (
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

// The loop is what its turns one after another are, and so are the gradients.
func TestScanAgainstUnroll(t *testing.T) {
	in := []graphtest.Array{wave(0, 5, 2, 3), wave(1, 2, 4), wave(2, 2, 4), wave(3, 3, 4), wave(4, 4, 4)}
	for _, backend := range graphtest.Backends() {
		of := func(scan func(xs, carry, fixed []*node, step Step) (outs, last []*node)) graphtest.Graph {
			return func(_ *model.Scope, in []*node) []*node {
				outs, last := scan(in[:1], in[1:3], in[3:], recurrence)
				all := append(outs, last...)
				var sum *node
				for k, o := range all {
					part := graph.MulScalar(graph.ReduceAllSum(graph.Square(o)), k+1)
					if sum == nil {
						sum = part
					} else {
						sum = graph.Add(sum, part)
					}
				}
				return append(all, graph.Gradient(sum, in...)...)
			}
		}
		got, want := graphtest.Run(t, backend, of(Scan), in...), graphtest.Run(t, backend, of(Unroll), in...)
		for k := range want {
			graphtest.Close(t, "result on "+backend, got[k].Values, want[k].Values, 1e-12)
		}
	}
}
