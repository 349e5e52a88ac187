package neural

import (
	"fmt"
	"math"
	"testing"

	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
)

// A teacher begins as its student is and follows it; by hand for a student that goes a known way.
func TestAverageFollowsTheWeights(t *testing.T) {
	onBoth(t, func(t *testing.T, backend string) {
		for _, ramp := range []bool{false, true} {
			p := one()
			p.Averages = []Average{{Of: "/student", In: "/teacher", Decay: 0.8, Ramp: ramp}}
			p.Loss = func(s *model.Scope, b Batch) Loss {
				student, teacher := scalar(s, b, "student"), scalar(s, b, "teacher")
				return Loss{Total: graph.Square(student), Parts: []Part{{"teacher", teacher}}}
			}
			r := mustRun(t, Train{Steps: 12, LearningRate: 0.1, Report: 1, Backend: backend}, p)
			student, teacher := adamState{w: 1}, 1.0
			for step := range 12 {
				if got := r.History.Part("teacher")[step]; math.Abs(got-teacher) > 1e-5 {
					t.Fatalf("ramp %t, step %d: the teacher is %v, by hand %v", ramp, step, got, teacher)
				}
				student.move(2*student.w, 0.1, 0.9, 0.999)
				decay := 0.8
				if ramp {
					decay = min(decay, 1-1/float64(step+1))
				}
				teacher = decay*teacher + (1-decay)*student.w
			}
			if got := r.Weights.Get("/teacher/w").At(0, 0); math.Abs(got-teacher) > 1e-5 {
				t.Errorf("ramp %t: the model keeps a teacher of %v, by hand %v", ramp, got, teacher)
			}
		}
	})
}

// Ten rows, 1 to 10, two a step.
func tens() Problem {
	a, which := &Array{Shape: []int{1}}, &Array{}
	for i := range 10 {
		a.Floats, which.Ints = append(a.Floats, float32(i+1)), append(which.Ints, int32(i))
	}
	return Problem{Method: "test", Data: []*Array{a, which}}
}

func TestQueueHoldsTheLastRows(t *testing.T) {
	onBoth(t, func(t *testing.T, backend string) {
		p := tens()
		p.Loss = func(s *model.Scope, b Batch) Loss {
			queue, filled := Enqueue(s.At("keys"), b, "queue", 5, b.Data[0])
			loss := Loss{Total: graph.Square(scalar(s, b, "a"))}
			for i := range 2 {
				loss.Parts = append(loss.Parts, Part{fmt.Sprint("row ", i), graph.Reshape(graph.Slice(b.Data[0], graph.AxisRange(i, i+1)))})
			}
			for i := range 5 {
				loss.Parts = append(loss.Parts, Part{fmt.Sprint("place ", i), graph.Reshape(graph.Slice(queue, graph.AxisRange(i, i+1)))},
					Part{fmt.Sprint("filled ", i), graph.Reshape(graph.Slice(filled, graph.AxisRange(i, i+1)))})
			}
			return loss
		}
		r := mustRun(t, Train{Steps: 9, Batch: 2, Report: 1, Backend: backend}, p)
		var want []float64 // the queue, newest first
		for step := range 9 {
			for i := range 5 {
				value, filled := 0.0, 0.0
				if i < len(want) {
					value, filled = want[i], 1
				}
				if got, full := r.History.Part(fmt.Sprint("place ", i))[step], r.History.Part(fmt.Sprint("filled ", i))[step]; got != value || full != filled {
					t.Fatalf("step %d, place %d: %v (filled %v), want %v (%v)", step, i, got, full, value, filled)
				}
			}
			want = append([]float64{r.History.Part("row 0")[step], r.History.Part("row 1")[step]}, want...)
			want = want[:min(5, len(want))]
		}
		for _, name := range r.Weights.Names {
			if name != "/a/w" {
				t.Errorf("the model keeps %s, which is of the training alone", name)
			}
		}
	})
}

// Predictions are kept for each row: in the second epoch every row finds what the first left there.
func TestRowsAreRemembered(t *testing.T) {
	onBoth(t, func(t *testing.T, backend string) {
		p := tens()
		p.Loss = func(s *model.Scope, b Batch) Loss {
			kept := Memory(s, "predictions", 10, 1)
			found := Recall(kept, b.Data[1])
			Remember(kept, b.Data[1], graph.AddScalar(graph.MulScalar(b.Data[0], 0.1), 1))
			return Loss{Total: graph.Square(scalar(s, b, "a")), Parts: []Part{
				{"found", graph.ReduceAllSum(found)}, {"want", graph.ReduceAllSum(graph.AddScalar(graph.MulScalar(b.Data[0], 0.1), 1))}}}
		}
		r := mustRun(t, Train{Steps: 10, Batch: 2, Report: 1, Backend: backend}, p)
		for step := range 10 {
			found, want := r.History.Part("found")[step], r.History.Part("want")[step]
			if step < 5 {
				want = 0
			}
			if found != want {
				t.Errorf("step %d: found %v, want %v", step, found, want)
			}
		}
	})
}

// Running statistics are the model's; a weight from the first batch is trained on from there.
func TestRunningAndFromFirstBatch(t *testing.T) {
	onBoth(t, func(t *testing.T, backend string) {
		p := tens()
		p.Validation = p.Data
		var values []float64
		p.Loss = func(s *model.Scope, b Batch) Loss {
			mean := graph.ReduceMean(b.Data[0], 0) // [1]
			running := Running(s.At("norm"), b, "mean", 0.75, mean)
			shift := FromFirstBatch(s.At("norm"), b, "shift", graph.MulScalar(mean, 2))
			return Loss{Total: graph.Reshape(graph.Square(graph.SubScalar(shift, 1))), Parts: []Part{
				{"mean", graph.Reshape(mean)}, {"running", graph.Reshape(running)}, {"shift", graph.Reshape(shift)}}}
		}
		r := mustRun(t, Train{Steps: 15, Batch: 2, LearningRate: 0.1, Report: 1, KeepLast: true, Backend: backend}, p)
		means := r.History.Part("mean")
		running, shift := means[0], adamState{w: 2 * means[0]}
		for step := range 15 {
			if step > 0 {
				running = 0.75*running + 0.25*means[step]
			}
			if got := r.History.Part("running")[step]; math.Abs(got-running) > 1e-5 {
				t.Fatalf("step %d: running mean %v, by hand %v", step, got, running)
			}
			if got := r.History.Part("shift")[step]; math.Abs(got-shift.w) > 1e-5*(1+math.Abs(shift.w)) {
				t.Fatalf("step %d: shift %v, by hand %v", step, got, shift.w)
			}
			shift.move(2*(shift.w-1), 0.1, 0.9, 0.999)
			values = append(values, (shift.w-1)*(shift.w-1))
		}
		if got := r.Weights.Get("/norm/mean").At(0, 0); math.Abs(got-running) > 1e-5 {
			t.Errorf("the model keeps a mean of %v, by hand %v", got, running)
		}
		for step, want := range values { // of the weights after the step: validation reads the trained ones
			if got := r.History.Validation[step]; math.Abs(got-want) > 1e-4*(1+want) {
				t.Fatalf("step %d: validation loss %v, by hand %v", step, got, want)
			}
		}
	})
}
