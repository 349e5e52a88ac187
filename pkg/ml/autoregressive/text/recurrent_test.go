package text

import (
	"fmt"
	"math"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

// reference is a network of testdata/recurrent.py.
type reference struct {
	X         [][]int32
	Shapes    map[string][]int
	Weights   map[string][]float64
	Logits    []float64
	Loss      float64
	Gradients map[string][]float64
	Noise     [][]float64
}

func references(t *testing.T) map[string]reference {
	t.Helper()
	return mltest.ReadJSON[map[string]reference](t, "recurrent.json")
}

func (r reference) weights() (w neural.Weights) {
	for name, values := range r.Weights {
		shape := r.Shapes[name]
		cols := shape[len(shape)-1]
		w = w.With(name, mat.NewDense(len(values)/cols, cols, values), shape...)
	}
	return w
}

func (r reference) input() *tensors.Tensor {
	var flat []int32
	for _, row := range r.X {
		flat = append(flat, row...)
	}
	return tensors.FromFlatDataAndDimensions(flat, len(r.X), len(r.X[0]))
}

// noise is what the reference's network draws, as constants: the rows of x differ in it as those of
// a minibatch do.
func (r reference) noise(n *recurrent, x *graph.Node) (noise []*graph.Node) {
	length, batch := x.Shape().Dimensions[0], x.Shape().Dimensions[1]
	for i, z := range n.noise(length) {
		flat := make([]float32, len(r.Noise[i]))
		for k, v := range r.Noise[i] {
			flat[k] = float32(v)
		}
		noise = append(noise, graph.Reshape(graph.Const(x.Graph(), flat), append([]int{batch}, z.Shape...)...))
	}
	return noise
}

// oneHots is r's input as indicators that a gradient can be taken of.
func (r reference) oneHots(symbols int, timeFirst bool) *tensors.Tensor {
	b, l := len(r.X), len(r.X[0])
	flat := make([]float32, b*l*symbols)
	for i, row := range r.X {
		for t, s := range row {
			if timeFirst {
				flat[(t*b+i)*symbols+int(s)] = 1
			} else {
				flat[(i*l+t)*symbols+int(s)] = 1
			}
		}
	}
	if timeFirst {
		return tensors.FromFlatDataAndDimensions(flat, l, b, symbols)
	}
	return tensors.FromFlatDataAndDimensions(flat, b, l, symbols)
}

// smallNetworks are the recurrent networks of the reference.
func smallNetworks() map[string]*recurrent {
	out := map[string]*recurrent{}
	for _, c := range []struct {
		cell          Cell
		layers, embed int
	}{{GRU, 1, 0}, {GRU, 2, 3}, {LSTM, 1, 0}, {LSTM, 2, 3}, {Elman, 2, 0}} {
		out[fmt.Sprintf("%s %d %d", c.cell, c.layers, c.embed)] = &recurrent{cell: c.cell, symbols: 5, hidden: 4, layers: c.layers, embed: c.embed}
	}
	return out
}

// everyNetwork has those of the reference that leave units and candidates out, too.
func everyNetwork() map[string]*recurrent {
	out := smallNetworks()
	for _, cell := range []Cell{GRU, LSTM} {
		out[string(cell)+" dropout"] = &recurrent{cell: cell, symbols: 5, hidden: 4, layers: 2, embed: 3, dropout: 0.25, recurrentDropout: 0.4}
	}
	return out
}

// gradients returns the logits, the loss, and its gradient with regard to each of the weights.
func gradients(names []string, forward func(s *model.Scope, x *graph.Node) (logits, loss *graph.Node)) neural.Graph {
	return func(s *model.Scope, in []*graph.Node) []*graph.Node {
		logits, loss := forward(s, in[0])
		var weights []*graph.Node
		for _, name := range names {
			v := s.Store().GetVariable("/model" + name)
			weights = append(weights, v.NodeValue(in[0].Graph()))
		}
		return append([]*graph.Node{logits, loss}, graph.Gradient(loss, weights...)...)
	}
}

// Logits, loss and the hand-written gradient are JAX's, for every cell, one layer and two, with
// dropout and without, on both backends.
func TestRecurrentAgainstJAX(t *testing.T) {
	for name, n := range everyNetwork() {
		r := references(t)[name]
		w := r.weights()
		for _, backend := range check.Backends() {
			out := check.Call(t, backend, w, gradients(w.Names, func(s *model.Scope, x *graph.Node) (logits, loss *graph.Node) {
				hot := n.oneHot(x)
				l := n.logits(s, hot, r.noise(n, hot))
				return graph.Transpose(l, 0, 1), nats(l, hot)
			}), r.input())
			mltest.CloseTo(t, name+" logits, "+backend, out[0].RawMatrix().Data, r.Logits, 2e-5)
			mltest.CloseTo(t, name+" loss, "+backend, out[1].RawMatrix().Data, []float64{r.Loss}, 1e-5)
			for i, of := range w.Names {
				mltest.CloseTo(t, name+" gradient of "+of+", "+backend, out[2+i].RawMatrix().Data, r.Gradients[of], 1e-5)
			}
		}
	}
}

// The gradient of the loss along a random direction of the weights is the slope that two
// evaluations beside each other show.
func TestRecurrentGradientIsTheSlope(t *testing.T) {
	for name, n := range everyNetwork() {
		ref := references(t)[name]
		w := ref.weights()
		r := rng.New(3)
		direction := map[string][]float64{}
		slope := 0.0
		loss := func(s *model.Scope, in []*graph.Node) []*graph.Node {
			hot := n.oneHot(in[0])
			return []*graph.Node{nats(n.logits(s, hot, ref.noise(n, hot)), hot)}
		}
		grads := check.Call(t, "go", w, gradients(w.Names, func(s *model.Scope, x *graph.Node) (logits, loss *graph.Node) {
			hot := n.oneHot(x)
			l := n.logits(s, hot, ref.noise(n, hot))
			return l, nats(l, hot)
		}), ref.input())
		for i, of := range w.Names {
			for _, g := range grads[2+i].RawMatrix().Data {
				d := r.NormFloat64()
				direction[of] = append(direction[of], d)
				slope += g * d
			}
		}
		at := func(step float64) float64 {
			moved := ref
			moved.Weights = map[string][]float64{}
			for of, values := range ref.Weights {
				for k, v := range values {
					moved.Weights[of] = append(moved.Weights[of], v+step*direction[of][k])
				}
			}
			return check.Call(t, "go", moved.weights(), loss, ref.input())[0].At(0, 0)
		}
		const step = 3e-3
		if got := (at(step) - at(-step)) / (2 * step); math.Abs(got-slope) > 2e-3*math.Max(1, math.Abs(slope)) {
			t.Errorf("%s: the gradient says %v along a direction, two evaluations %v", name, slope, got)
		}
	}
}

// sequenceJacobian returns how much the logits at a place (row) change with the input at another
// (column): the largest derivative.
func sequenceJacobian(t *testing.T, backend string, w neural.Weights, in *tensors.Tensor, timeAxis int, logits func(s *model.Scope, x *graph.Node) *graph.Node) [][]float64 {
	t.Helper()
	length := in.Shape().Dimensions[timeAxis]
	all := check.Call(t, backend, w, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		l := logits(s, in[0])
		var rows []*graph.Node
		for at := range length {
			part := graph.SliceAxis(l, timeAxis, graph.AxisElem(at))
			weights := make([]float32, part.Shape().Size()) // at random, so that nothing cancels
			r := rng.New(5, at)
			for i := range weights {
				weights[i] = 1 + float32(r.Float64())
			}
			total := graph.ReduceAllSum(graph.Mul(graph.Reshape(part, -1), graph.Const(in[0].Graph(), weights)))
			d := graph.Gradient(total, in[0])[0]
			if timeAxis == 1 {
				d = graph.Transpose(d, 0, 1)
			}
			rows = append(rows, graph.Reshape(d, 1, length, -1))
		}
		return []*graph.Node{graph.Reshape(graph.Concatenate(rows, 0), length*length, -1)}
	}, in)[0]
	out := make([][]float64, length)
	for i := range length * length {
		biggest := 0.0
		for _, v := range all.RawRowView(i) {
			biggest = max(biggest, math.Abs(v))
		}
		out[i/length] = append(out[i/length], biggest)
	}
	return out
}

// jacobianIsCausal holds the derivatives by the same place, later ones and those farther back than
// reach to exactly 0, and at least a share of all others to something else.
func jacobianIsCausal(t *testing.T, name string, derivatives [][]float64, share float64, allowed func(at, from int) bool) {
	t.Helper()
	may, does := 0, 0
	for at, row := range derivatives {
		for from, v := range row {
			switch {
			case allowed(at, from):
				may++
				if v != 0 {
					does++
				}
			case v != 0:
				t.Errorf("%s: the logits at %d have a derivative of %v by the input at %d, want exactly 0", name, at, v, from)
			}
		}
	}
	if float64(does) < share*float64(may) {
		t.Errorf("%s: the logits depend on %d of %d places that they may depend on", name, does, may)
	}
}

func TestRecurrentSeesNothingItMustNot(t *testing.T) {
	for name, n := range smallNetworks() {
		ref := references(t)[name]
		for _, backend := range check.Backends() {
			d := sequenceJacobian(t, backend, ref.weights(), ref.oneHots(5, true), 0, func(s *model.Scope, x *graph.Node) *graph.Node { return n.logits(s, x, nil) })
			jacobianIsCausal(t, name+" on "+backend, d, 1, func(at, from int) bool { return from < at })
		}
	}
}

// One step after another in Go says what the graph says.
func TestRecurrentStepsAreTheGraph(t *testing.T) {
	for name, n := range smallNetworks() {
		ref := references(t)[name]
		st, err := n.newStepper("test", float32s(ref.weights()))
		if err != nil {
			t.Fatal(err)
		}
		var got []float64
		for _, row := range ref.X {
			s := st.start()
			for _, x := range row {
				for _, v := range s.scores() {
					got = append(got, float64(v))
				}
				s.Observe(int(x))
			}
		}
		mltest.CloseTo(t, name, got, ref.Logits, 1e-5)
	}
}

// A unit that is left out is so for a whole window, and the others are scaled by 1/(1 − share):
// with all kept the output's part is doubled, with none only its bias is left.
func TestRecurrentDropout(t *testing.T) {
	n := &recurrent{cell: GRU, symbols: 5, hidden: 4, layers: 1, dropout: 0.5}
	ref := references(t)["gru 1 0"]
	logits := func(noise float32) []float64 {
		return check.Call(t, "go", ref.weights(), func(s *model.Scope, in []*graph.Node) []*graph.Node {
			return []*graph.Node{graph.Transpose(n.logits(s, n.oneHot(in[0]), []*graph.Node{graph.MulScalar(graph.Ones(in[0].Graph(), shapes.Make(dtypes.Float32, 3, 4)), float64(noise))}), 0, 1)}
		}, ref.input())[0].RawMatrix().Data
	}
	all, none := logits(0.49), logits(0.51)
	for i, want := range ref.Logits {
		bias := ref.Weights["/out/biases"][i%5]
		if math.Abs(none[i]-bias) > 1e-6 || math.Abs(all[i]-bias-2*(want-bias)) > 1e-4 {
			t.Fatalf("logit %d: %v with all units kept, %v with none; without dropout it is %v, its bias %v", i, all[i], none[i], want, bias)
		}
	}
}
