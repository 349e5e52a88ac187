package neural

import (
	"strings"

	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Average is a copy of the weights under one path that follows them slowly, and can be read in a
// loss: the teacher of a mean teacher, the momentum encoder of MoCo. It begins equal to them, and
// after each move of theirs
//
//	copy ← decay · copy + (1 − decay) · weights
//
// A loss builds the network once under each path; no gradient moves the copy, but one flows through
// it: stop it where the copy's answer is a target.
type Average struct {
	Of, In string  // paths: "/encoder", "/momentum"
	Decay  float64 // at least 0, below 1
	Ramp   bool    // the decay is at most 1 − 1/(t+1) after t steps, so that the first weights are soon forgotten
}

// averaged reports whether a variable of that name is an average's copy.
func (r *run) averaged(name string) bool {
	for _, a := range r.p.Averages {
		if under(name, a.In) {
			return true
		}
	}
	return false
}

// startAverages sets each copy to what it follows.
func (r *run) startAverages() error {
	return r.eachCopy(func(_ Average, from, to *model.Variable) error {
		t, err := from.Value()
		if err != nil {
			return err
		}
		var flat []float32
		if err := tensors.ConstFlatData(t, func(x []float32) { flat = append(flat, x...) }); err != nil {
			return err
		}
		return to.SetValue(tensors.FromFlatDataAndDimensions(flat, t.Shape().Dimensions...))
	})
}

// moveAverages lets the copies of what a graph has changed follow.
func (r *run) moveAverages(g *graph.Graph, step *graph.Node) {
	_ = r.eachCopy(func(a Average, from, to *model.Variable) error {
		if !from.InUseByGraph(g) || !from.ChangedInGraph(g) {
			return nil
		}
		decay := graph.Scalar(g, dtypes.Float32, a.Decay)
		if a.Ramp {
			decay = graph.Min(decay, graph.OneMinus(graph.Reciprocal(graph.AddScalar(step, 1))))
		}
		to.SetTrainable(false)
		to.SetNodeValue(graph.Add(graph.Mul(decay, to.NodeValue(g)), graph.Mul(graph.OneMinus(decay), from.NodeValue(g))))
		return nil
	})
}

func (r *run) eachCopy(f func(a Average, from, to *model.Variable) error) error {
	for _, a := range r.p.Averages {
		for to := range r.store.IterVariables() {
			rest, ok := strings.CutPrefix(to.Path(), modelScope+strings.TrimSuffix(a.In, "/")+"/")
			if !ok {
				continue
			}
			if from := r.store.GetVariable(modelScope + strings.TrimSuffix(a.Of, "/") + "/" + rest); from != nil {
				if err := f(a, from, to); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// State is a variable of the model that a step writes and no gradient trains, 0 at first: running
// statistics, for one. It is one of the model's weights. Read it by NodeValue and write it by
// SetNodeValue, where Batch.Training says so.
func State(s *model.Scope, name string, dims ...int) *model.Variable {
	return s.WithInitializer(initializer.Zero).VariableWithShape(name, shapes.Make(dtypes.Float32, dims...)).SetTrainable(false)
}

// Memory is a State of the training alone, which no model keeps: a queue of keys, predictions of
// every row. It must be used in training only, where Batch.Training says so.
func Memory(s *model.Scope, name string, dims ...int) *model.Variable {
	path := "/memory" + strings.TrimPrefix(strings.TrimSuffix(s.Scope(), "/"), modelScope) + "/" + name
	return s.Store().VariableWithShape(path, shapes.Make(dtypes.Float32, dims...), initializer.Zero).SetTrainable(false)
}

// Running is the moving average of a value over the steps, under a name of the model's: in training
// it takes x in and is returned with it, otherwise it is what it was at last. The first x is taken
// whole. No gradient flows through it.
func Running(s *model.Scope, b Batch, name string, decay float64, x *graph.Node) *graph.Node {
	v := State(s, name, x.Shape().Dimensions...)
	old := v.NodeValue(x)
	if !b.Training {
		return old
	}
	x = graph.StopGradient(x)
	first := graph.Equal(b.Step, graph.ZerosLike(b.Step))
	now := graph.Where(broadcast(first, x), x, graph.Add(graph.MulScalar(old, decay), graph.MulScalar(x, 1-decay)))
	v.SetNodeValue(now)
	return now
}

// FromFirstBatch is a weight whose starting value depends on the first minibatch, as the scale and
// the shift of Glow's activation normalization do (Kingma & Dhariwal, 2018): at step 0 it is start,
// computed from the batch, and from then on what training made of it.
func FromFirstBatch(s *model.Scope, b Batch, name string, start *graph.Node) *graph.Node {
	v := s.WithInitializer(initializer.Zero).VariableWithShape(name, shapes.Make(dtypes.Float32, start.Shape().Dimensions...))
	if !b.Training {
		return v.NodeValue(start)
	}
	first := graph.Equal(b.Step, graph.ZerosLike(b.Step))
	v.SetNodeValue(graph.Where(broadcast(first, start), graph.StopGradient(start), v.NodeValue(start)))
	return v.NodeValue(start)
}

func broadcast(scalar, as *graph.Node) *graph.Node {
	return graph.BroadcastToDims(scalar, as.Shape().Dimensions...)
}

// Enqueue puts rows, [b, d], at the front of a queue of size rows and returns the queue as it was
// before, [size, d], and for each of its places whether something had been put there: 1 or 0,
// [size]. The oldest rows drop out at the back. It is for training only (see Memory).
func Enqueue(s *model.Scope, b Batch, name string, size int, rows *graph.Node) (queue, filled *graph.Node) {
	n, d := rows.Shape().Dim(0), rows.Shape().Dim(1)
	v := Memory(s, name, size, d)
	queue = v.NodeValue(rows)
	next := graph.StopGradient(rows)
	if n < size {
		next = graph.Concatenate([]*graph.Node{next, graph.Slice(queue, graph.AxisRange(0, size-n), graph.AxisRange())}, 0)
	} else if n > size {
		next = graph.Slice(next, graph.AxisRange(0, size), graph.AxisRange())
	}
	v.SetNodeValue(next)
	place := graph.Iota(rows.Graph(), shapes.Make(dtypes.Float32, size), 0)
	return queue, graph.ConvertDType(graph.LessThan(place, graph.BroadcastToDims(graph.MulScalar(b.Step, float64(n)), size)), dtypes.Float32)
}

// Recall reads the rows of a Memory, [n, d], that whole numbers name: [b] int32 to [b, d].
func Recall(v *model.Variable, rows *graph.Node) *graph.Node {
	return graph.Gather(v.NodeValue(rows), graph.InsertAxes(rows, -1))
}

// Remember writes rows of a Memory, [n, d]: values, [b, d], at the places that whole numbers, [b]
// int32 and each at most once, name.
func Remember(v *model.Variable, rows, values *graph.Node) {
	at := graph.InsertAxes(rows, -1)
	values = graph.StopGradient(values)
	written := graph.Scatter(at, graph.OnesLike(values), v.Shape(), false, true)
	v.SetNodeValue(graph.Add(graph.Mul(v.NodeValue(rows), graph.OneMinus(written)), graph.Scatter(at, values, v.Shape(), false, true)))
}
