package neural

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// onBoth runs a test on the pure-Go backend and, where there is one, on XLA.
func onBoth(t *testing.T, f func(t *testing.T, backend string)) {
	for _, backend := range []string{"go", "xla"} {
		t.Run(backend, func(t *testing.T) {
			if backend == "xla" {
				xlatest.Require(t)
			}
			f(t, backend)
		})
	}
}

// scalar is a weight that begins at 1.
func scalar(s *model.Scope, b Batch, scope string) *graph.Node {
	return s.At("%s", scope).WithInitializer(initializer.One).VariableWithShape("w", shapes.Make(dtypes.Float32)).NodeValue(b.Step)
}

// one is a problem whose data do not matter.
func one() Problem {
	return Problem{Method: "test", Data: []*Array{{Floats: []float32{1, 1}}}}
}

// adam is one weight and its moments, in float64.
type adamState struct{ w, m, u, t float64 }

func (a *adamState) move(g, rate, beta1, beta2 float64) {
	a.t++
	a.m, a.u = beta1*a.m+(1-beta1)*g, beta2*a.u+(1-beta2)*g*g
	a.w -= rate * a.m / (1 - math.Pow(beta1, a.t)) / (math.Sqrt(a.u/(1-math.Pow(beta2, a.t))) + 1e-8)
}

// The game a·b + a²/2 against −a·b + b²: every move of two players with rates, betas and numbers of
// moves of their own can be followed by hand.
func TestPlayersMoveInTurn(t *testing.T) {
	onBoth(t, func(t *testing.T, backend string) {
		p := one()
		p.Players = []Player{
			{Name: "a", Scope: []string{"/a"}, Loss: func(s *model.Scope, b Batch) Loss {
				x, y := scalar(s, b, "a"), scalar(s, b, "b")
				return Loss{Total: graph.Add(graph.Mul(x, y), graph.MulScalar(graph.Square(x), 0.5))}
			}},
			{Name: "b", Scope: []string{"/b"}, Moves: 3, Train: Train{LearningRate: 0.02, Beta1: -1, Beta2: 0.9, Schedule: Linear},
				Loss: func(s *model.Scope, b Batch) Loss {
					x, y := scalar(s, b, "a"), scalar(s, b, "b")
					return Loss{Total: graph.Sub(graph.Square(y), graph.Mul(x, y)), Parts: []Part{{"y", y}}}
				}},
		}
		tr := Train{Steps: 40, LearningRate: 0.05, Report: 1, Backend: backend}
		r := mustRun(t, tr, p)
		a, b := adamState{w: 1}, adamState{w: 1}
		for step := range tr.Steps {
			norm := math.Abs(b.w + a.w)
			if got := r.History.Gradient[step]; math.Abs(got-norm) > 1e-5 {
				t.Fatalf("step %d: the norm of the gradient is %v, by hand %v", step, got, norm)
			}
			a.move(b.w+a.w, 0.05, 0.9, 0.999)
			mean := 0.0
			for range 3 {
				mean += b.w / 3
				b.move(2*b.w-a.w, 0.02*(1-float64(step)/40), 0, 0.9)
			}
			if got := r.History.Part("y")[step]; math.Abs(got-mean) > 1e-5 {
				t.Fatalf("step %d: b's part is %v, by hand %v", step, got, mean)
			}
		}
		if x, y := r.Weights.Get("/a/w").At(0, 0), r.Weights.Get("/b/w").At(0, 0); math.Abs(x-a.w) > 1e-5 || math.Abs(y-b.w) > 1e-5 {
			t.Errorf("after %d steps %v and %v, by hand %v and %v", tr.Steps, x, y, a.w, b.w)
		}
		if want := []string{"b", "b gradient norm", "y"}; !slices.Equal(r.History.PartNames, want) {
			t.Errorf("the curves are %v, want %v", r.History.PartNames, want)
		}
	})
}

// A player's gradient moves no weight of another's: b, whose own loss does not depend on where it
// is, stays what it was to the bit while a's loss would have it elsewhere.
func TestPlayersLeaveEachOtherAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, backend string) {
		p := one()
		p.Players = []Player{
			{Name: "a", Scope: []string{"/a"}, Loss: func(s *model.Scope, b Batch) Loss {
				return Loss{Total: graph.Square(graph.Sub(scalar(s, b, "a"), graph.MulScalar(scalar(s, b, "b"), 3)))}
			}},
			{Name: "b", Scope: []string{"/b"}, Loss: func(s *model.Scope, b Batch) Loss {
				return Loss{Total: graph.Add(graph.MulScalar(scalar(s, b, "b"), 0), graph.Square(scalar(s, b, "a")))}
			}},
		}
		r := mustRun(t, Train{Steps: 2000, LearningRate: 0.01, Backend: backend}, p)
		if b := r.Weights.Get("/b/w").At(0, 0); b != 1 {
			t.Errorf("b is %v, want 1: only a's loss pulls at it", b)
		}
		if a := r.Weights.Get("/a/w").At(0, 0); math.Abs(a-3) > 1e-3 {
			t.Errorf("a is %v, want 3·b = 3", a)
		}
	})
}

// Streams of 3 and 10 rows beside 7 rows of data: every row is seen once before any comes again.
func TestStreamsHaveAnOrderOfTheirOwn(t *testing.T) {
	onBoth(t, func(t *testing.T, backend string) {
		numbers := func(n int) []*Array {
			a := &Array{}
			for i := range n {
				a.Floats = append(a.Floats, float32(i+1))
			}
			return []*Array{a}
		}
		p := Problem{Method: "test", Data: numbers(7), Streams: []Stream{{Data: numbers(3), Batch: 4}, {Data: numbers(10)}}}
		p.Loss = func(s *model.Scope, b Batch) Loss {
			w := scalar(s, b, "a")
			loss := Loss{Total: graph.ReduceAllMean(graph.Square(graph.Sub(w, b.Streams[1][0])))}
			for k, x := range []*graph.Node{b.Data[0], b.Streams[0][0], b.Streams[1][0]} {
				for i := range x.Shape().Dim(0) {
					loss.Parts = append(loss.Parts, Part{fmt.Sprint(k), graph.Reshape(graph.Slice(x, graph.AxisRange(i, i+1)))})
				}
			}
			return loss
		}
		r := mustRun(t, Train{Steps: 400, Batch: 2, LearningRate: 0.1, Schedule: Linear, Report: 1, Backend: backend}, p)
		seen := map[string][]int{}
		for step := range 30 {
			for i, name := range r.History.PartNames {
				seen[name] = append(seen[name], int(r.History.Parts.At(step, i)))
			}
		}
		for name, n := range map[string]int{"1": 3, "2": 10} {
			for at := 0; at+n <= len(seen[name]); at += n {
				epoch := slices.Sorted(slices.Values(seen[name][at : at+n]))
				if len(slices.Compact(epoch)) != n {
					t.Errorf("stream %s: rows %v hold one twice", name, seen[name][at:at+n])
				}
			}
			if a, b := seen[name][:n], seen[name][n:2*n]; n > 3 && slices.Equal(a, b) {
				t.Errorf("stream %s: two epochs have the order %v", name, a)
			}
		}
		if w := r.Weights.Get("/a/w").At(0, 0); math.Abs(w-5.5) > 0.3 {
			t.Errorf("the mean of the second stream's rows is found as %v, want 5.5", w)
		}
	})
}
