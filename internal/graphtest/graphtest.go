// Package graphtest runs graph functions on every backend there is, with known weights, for the
// tests of networks' pieces.
package graphtest

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/compute"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Graph is a function of a network: see neural.Graph.
type Graph func(s *model.Scope, in []*graph.Node) []*graph.Node

// Array is an input or an output: numbers and their shape.
type Array struct {
	Values []float64
	Dims   []int
}

// Of makes an array; without a shape it is a vector.
func Of(values []float64, dims ...int) Array {
	if len(dims) == 0 {
		dims = []int{len(values)}
	}
	return Array{values, dims}
}

// Wave is an array of numbers between −1 and 1 that a script in any language can make again:
// sin(phase + 1.3 i).
func Wave(phase float64, dims ...int) Array {
	n := 1
	for _, d := range dims {
		n *= d
	}
	x := make([]float64, n)
	for i := range x {
		x[i] = math.Sin(phase + 1.3*float64(i))
	}
	return Array{x, dims}
}

// Weight is the value that every weight has in a test: half a Wave whose phase is the sum of the
// bytes of the variable's path, modulo 17.
func Weight(path string, dims ...int) Array {
	sum := 0
	for _, c := range []byte(path) {
		sum += int(c)
	}
	w := Wave(float64(sum%17), dims...)
	for i := range w.Values {
		w.Values[i] /= 2
	}
	return w
}

// T is a *testing.T or a *rapid.T.
type T interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// Backends names those that can be had here.
func Backends() []string {
	if xlatest.Found() {
		return []string{"go", "xla"}
	}
	return []string{"go"}
}

// Run computes f in float64, its weights being those of Weight.
func Run(t T, backend string, f Graph, in ...Array) []Array {
	t.Helper()
	return run(t, backend, dtypes.Float64, f, in)
}

// Run32 computes f in float32, as a training does.
func Run32(t T, backend string, f Graph, in ...Array) []Array {
	t.Helper()
	return run(t, backend, dtypes.Float32, f, in)
}

func run(t T, backend string, dtype dtypes.DType, f Graph, in []Array) (out []Array) {
	t.Helper()
	defer func() { // GoMLX reports a caller's mistake by a panic
		if p := recover(); p != nil {
			t.Fatalf("on %s: %.500v", backend, p)
		}
	}()
	b, err := neural.Open(backend)
	if err != nil {
		t.Fatal(err)
	}
	exec, err := model.NewExec(b.Backend, model.NewStore(), func(s *model.Scope, in []*graph.Node) []*graph.Node {
		s = s.At("model")
		out := f(s, in)
		for v := range s.Store().IterVariables() {
			if !v.HasValue() {
				path, _ := strings.CutPrefix(v.Path(), "/model")
				if err := v.SetValue(tensor(Weight(path, v.Shape().Dimensions...), v.DType())); err != nil {
					panic(err)
				}
			}
		}
		return out
	})
	if err != nil {
		t.Fatal(err)
	}
	defer exec.Finalize()
	args := make([]any, len(in))
	for i, a := range in {
		args[i] = tensor(a, dtype)
	}
	results, err := exec.Call(args...)
	if err != nil {
		t.Fatalf("on %s: %.2000v", backend, err)
	}
	for _, r := range results {
		out = append(out, array(r))
	}
	return out
}

func tensor(a Array, dtype dtypes.DType) *tensors.Tensor {
	if dtype == dtypes.Float64 {
		return tensors.FromFlatDataAndDimensions(a.Values, a.Dims...)
	}
	x := make([]float32, len(a.Values))
	for i, v := range a.Values {
		x[i] = float32(v)
	}
	return tensors.FromFlatDataAndDimensions(x, a.Dims...)
}

func array(t *tensors.Tensor) Array {
	out := Array{Dims: t.Shape().Dimensions}
	switch t.DType() {
	case dtypes.Float64:
		out.Values = tensors.MustCopyFlatData[float64](t)
	case dtypes.Float32:
		out.Values = widened(tensors.MustCopyFlatData[float32](t))
	case dtypes.Int32:
		out.Values = widened(tensors.MustCopyFlatData[int32](t))
	default:
		panic(fmt.Sprintf("an output of %v", t.DType()))
	}
	return out
}

func widened[N float32 | int32](x []N) []float64 {
	out := make([]float64, len(x))
	for i, v := range x {
		out[i] = float64(v)
	}
	return out
}

// Close reports the first number that is farther from the one wanted than tolerance·max(1, |want|).
func Close(t testing.TB, what string, got, want []float64, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d numbers, want %d", what, len(got), len(want))
	}
	for i, w := range want {
		if !(math.Abs(got[i]-w) <= tolerance*math.Max(1, math.Abs(w))) {
			t.Fatalf("%s: number %d is %v, want %v", what, i, got[i], w)
		}
	}
}

// ReadJSON reads a file of reference values.
func ReadJSON(t testing.TB, file string, into any) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Reference is what a script computed for the outputs of a graph: values, and the gradients of the
// sum of Wave(k)·output k with respect to the inputs, under a name.
type Reference map[string]struct {
	Out, Gradient [][]float64
}

// Against holds a graph, on every backend, to the values of a reference, and its gradients with
// respect to the first inputs to as many as the reference has.
func (r Reference) Against(t *testing.T, name string, f Graph, in ...Array) {
	t.Helper()
	want, ok := r[name]
	if !ok {
		t.Fatalf("there are no reference values of %q", name)
	}
	for _, backend := range Backends() {
		got := Run(t, backend, func(s *model.Scope, in []*graph.Node) []*graph.Node {
			out := f(s, in)
			if len(want.Gradient) == 0 {
				return out
			}
			return append(out, graph.Gradient(weighed(out), in[:len(want.Gradient)]...)...)
		}, in...)
		for k, w := range want.Out {
			Close(t, fmt.Sprintf("%s on %s, output %d", name, backend, k), got[k].Values, w, 1e-9)
		}
		for k, w := range want.Gradient {
			Close(t, fmt.Sprintf("%s on %s, gradient %d", name, backend, k), got[len(want.Out)+k].Values, w, 1e-9)
		}
	}
}

// weighed is Σ_k Σ Wave(k)·output k.
func weighed(out []*graph.Node) *graph.Node {
	var sum *graph.Node
	for k, o := range out {
		w := graph.ConvertDType(graph.Const(o.Graph(), tensor(Wave(float64(k), o.Shape().Dimensions...), dtypes.Float64)), o.DType())
		one := graph.ReduceAllSum(graph.Mul(o, w))
		if sum == nil {
			sum = one
		} else {
			sum = graph.Add(sum, one)
		}
	}
	return sum
}

// Gradients holds the gradients of f's outputs, weighed as in Reference, with respect to all inputs
// and, weighed again, those of the gradients, to finite differences, on every backend. Order is how
// many derivatives are taken: 1, or 2 where f is trained on its gradients.
func Gradients(t *testing.T, order int, f Graph, in ...Array) {
	t.Helper()
	level := f
	for o := 1; o <= order; o++ {
		value := level
		derived := func(s *model.Scope, in []*graph.Node) []*graph.Node {
			return graph.Gradient(weighed(value(s, in)), in...)
		}
		// Differences are taken on the Go backend.
		scalar := func(s *model.Scope, in []*graph.Node) []*graph.Node {
			return []*graph.Node{weighed(value(s, in))}
		}
		want := make([][]float64, len(in))
		const h = 1e-5
		for k, a := range in {
			for _, i := range probes(len(a.Values)) {
				at := func(by float64) float64 {
					moved := append([]Array(nil), in...)
					moved[k].Values = append([]float64(nil), a.Values...)
					moved[k].Values[i] += by
					return Run(t, "go", scalar, moved...)[0].Values[0]
				}
				want[k] = append(want[k], (at(h)-at(-h))/(2*h))
			}
		}
		for _, backend := range Backends() {
			for k, g := range Run(t, backend, derived, in...) {
				var got []float64
				for _, i := range probes(len(g.Values)) {
					got = append(got, g.Values[i])
				}
				Close(t, fmt.Sprintf("derivative %d on %s, input %d", o, backend, k), got, want[k], 1e-6)
			}
		}
		level = derived
	}
}

// probes are the entries at which a difference is taken: at most eight, spread evenly.
func probes(n int) (at []int) {
	for i := range min(n, 8) {
		at = append(at, i*n/min(n, 8))
	}
	return at
}

// Open returns a backend for a test that makes its own executable.
func Open(t T, backend string) compute.Backend {
	t.Helper()
	b, err := neural.Open(backend)
	if err != nil {
		t.Fatal(err)
	}
	return b.Backend
}

// Values are a tensor's numbers.
func Values(t *tensors.Tensor) []float64 { return array(t).Values }
