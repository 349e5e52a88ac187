package autoregressive

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"pgregory.net/rapid"
)

// evaluated runs a graph without weights.
func evaluated(t interface {
	Helper()
	Fatal(args ...any)
}, backend string, f func(in []*graph.Node) []*graph.Node, in ...*tensors.Tensor) (out [][]float32) {
	t.Helper()
	fn, err := neural.NewFunc(backend, neural.Weights{}, func(_ *model.Scope, in []*graph.Node) []*graph.Node { return f(in) })
	if err != nil {
		t.Fatal(err)
	}
	results, err := fn.Call(in...)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		out = append(out, tensors.MustCopyFlatData[float32](r))
	}
	return out
}

// attended is attention, its weights and the gradients of Σ c·out.
func attended(rank []int) func(in []*graph.Node) []*graph.Node {
	return func(in []*graph.Node) []*graph.Node {
		var mask *graph.Node
		if rank != nil {
			mask = MaskBefore(in[0].Graph(), rank)
		}
		out, weights := Attention(in[0], in[1], in[2], mask)
		return append([]*graph.Node{out, weights}, graph.Gradient(graph.ReduceAllSum(graph.Mul(out, in[3])), in[:3]...)...)
	}
}

func TestAttentionAgainstJAX(t *testing.T) {
	raw, err := os.ReadFile("testdata/attention.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		B, N, M, D, E                        int
		Rank                                 []int
		Q, K, V, C, Out, Weights, DQ, DK, DV []float64
	}
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	backends := []string{"go"}
	if xlatest.Found() {
		backends = append(backends, "xla")
	}
	for i, c := range cases {
		for _, backend := range backends {
			tensor := func(x []float64, dims ...int) *tensors.Tensor {
				return tensors.FromFlatDataAndDimensions(floats(x), dims...)
			}
			got := evaluated(t, backend, attended(c.Rank), tensor(c.Q, c.B, c.N, c.D), tensor(c.K, c.B, c.M, c.D), tensor(c.V, c.B, c.M, c.E), tensor(c.C, c.B, c.N, c.E))
			for k, want := range [][]float64{c.Out, c.Weights, c.DQ, c.DK, c.DV} {
				for j := range want {
					if math.Abs(float64(got[k][j])-want[j]) > 2e-6 {
						t.Fatalf("case %d on %s, result %d, number %d: %v, want %v", i, backend, k, j, got[k][j], want[j])
					}
				}
			}
		}
	}
}

// With any ranks: a row of weights sums to 1, or to 0 for those that come first; what is forbidden has the weight 0 and a derivative of 0, exactly; permuting keys and values
// together changes nothing.
func TestAttentionProperties(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		n, d, size := rapid.IntRange(1, 6).Draw(rt, "n"), rapid.IntRange(1, 4).Draw(rt, "d"), rapid.SampledFrom([]float64{0.1, 1, 30, 1e4}).Draw(rt, "size")
		rank := rapid.SliceOfN(rapid.IntRange(0, 4), n, n).Draw(rt, "rank")
		r := rng.New(rapid.Uint64().Draw(rt, "seed"))
		random := func() []float32 {
			x := make([]float32, n*d)
			for i := range x {
				x[i] = float32(size * r.NormFloat64())
			}
			return x
		}
		of := func(x []float32) *tensors.Tensor { return tensors.FromFlatDataAndDimensions(x, 1, n, d) }
		q, k, v := random(), random(), random()
		all := evaluated(rt, "go", func(in []*graph.Node) []*graph.Node {
			out, weights := Attention(in[0], in[1], in[2], MaskBefore(in[0].Graph(), rank))
			nodes := []*graph.Node{out, weights}
			for i := range n {
				one := graph.ReduceAllSum(graph.Slice(out, graph.AxisRange(), graph.AxisElem(i)))
				nodes = append(nodes, graph.Gradient(one, in[0], in[1], in[2])...)
			}
			return nodes
		}, of(q), of(k), of(v))
		weights := all[1]
		for i := range n {
			total, first := 0.0, true
			for j := range n {
				w := weights[i*n+j]
				total += float64(w)
				if rank[j] < rank[i] {
					first = false
					continue
				}
				for _, jac := range all[2+3*i+1 : 2+3*i+3] {
					for _, g := range jac[j*d : (j+1)*d] {
						if w != 0 || g != 0 {
							rt.Fatalf("query %d must not see %d: weight %v, derivative %v", i, j, w, g)
						}
					}
				}
			}
			want := 1.0
			if first {
				want = 0
			}
			if math.Abs(total-want) > 1e-5 {
				rt.Fatalf("the weights of query %d sum to %v, want %v", i, total, want)
			}
			for k := range all {
				for _, g := range all[k] {
					if g-g != 0 {
						rt.Fatalf("result %d holds %v", k, g)
					}
				}
			}
		}
	})
}

func TestHeadsComeTogetherAgain(t *testing.T) {
	x := make([]float32, 2*3*8)
	for i := range x {
		x[i] = float32(i)
	}
	got := evaluated(t, "go", func(in []*graph.Node) []*graph.Node {
		parts := splitHeads(in[0], 4)
		return []*graph.Node{joinHeads(parts, 4), parts}
	}, tensors.FromFlatDataAndDimensions(x, 2, 3, 8))
	for i := range x {
		if got[0][i] != x[i] {
			t.Fatalf("number %d is %v", i, got[0][i])
		}
	}
	if got[1][2] != 8 || got[1][6] != 2 { // head 0: channels 0 and 1 of the positions; head 1 begins with channel 2 of the first
		t.Errorf("the heads are %v", got[1])
	}
}
