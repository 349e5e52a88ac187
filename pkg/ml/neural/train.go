// Package neural is what every neural family stands on: the choice of a backend, minibatches, the loop that trains, checkpoints, and the weights that
// come out of it. It stands on GoMLX, whose panics and backends do not show through.
//
// A family writes the graph of its loss as a function and hands it to Train with the data:
//
//	result, err := neural.Train{Steps: 2000, LearningRate: 1e-3}.Run(ctx, neural.Problem{
//		Method: "vae.VAE", Data: []*neural.Array{x}, Noise: []neural.Noise{{Shape: []int{8}}},
//		Loss: func(s *model.Scope, b neural.Batch) neural.Loss { … },
//	})
//
// Everything is decided by the seed: starting weights, the order of the minibatches, and all noise are drawn in Go, so that two runs on one backend give equal
// losses to the last bit, and a run that was killed goes on from its checkpoint as if nothing had happened.
package neural

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime/debug"
	"strings"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Train is how a network is trained: minibatches, Adam, and what is around them. The zero value is usable; a method gives its own defaults through Or.
type Train struct {
	Steps        int      // updates of the weights; 0 means the method's default, 1,000 without one
	Batch        int      // examples a step, at most as many as there are; 0 means the method's default, 128 without one, or all if there are fewer
	LearningRate float64  // of Adam; 0 means the method's default, 1e-3 without one
	Schedule     Schedule // "" keeps the rate; Cosine and Linear let it fall to 0
	Warmup       int      // steps in which the rate rises from 0 at first
	ClipNorm     float64  // a gradient with a larger norm is scaled down to it; 0 means never
	WeightDecay  float64  // times the learning rate, taken from each matrix of weights at each step; biases are left alone
	EMA          float64  // the result is the moving average of the weights with this decay, 0.999 say; 0 means the weights themselves
	Holdout      float64  // share of the rows kept for validation where the method is given no validation data; 0 means none
	KeepLast     bool     // with validation data: the result is the last weights, and not those of the report with the lowest validation loss
	Patience     int      // stop after so many reports without a lower validation loss; 0 means never
	Report       int      // steps between two reports (entries of History, validation, checkpoint); 0 means a fiftieth of Steps
	Checkpoint   string   // file to keep the state of the training in; a run that finds it goes on from there. "" means none
	Backend      string   // "cuda", "xla", "go"; "" means the best there is, see Open
	Seed         uint64   // same seed, same result, on one backend
}

// Or fills what is not set from a method's defaults.
func (t Train) Or(d Train) Train {
	t.Steps = or(t.Steps, d.Steps)
	t.Batch = or(t.Batch, d.Batch)
	t.LearningRate = or(t.LearningRate, d.LearningRate)
	t.Schedule = or(t.Schedule, d.Schedule)
	t.Warmup = or(t.Warmup, d.Warmup)
	t.ClipNorm = or(t.ClipNorm, d.ClipNorm)
	t.WeightDecay = or(t.WeightDecay, d.WeightDecay)
	t.EMA = or(t.EMA, d.EMA)
	t.Report = or(t.Report, d.Report)
	return t
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Problem is what is trained: data and the graph of a loss.
type Problem struct {
	Method     string   // in whose name errors speak: "vae.VAE"
	Options    string   // the method's options in words; a checkpoint made with others is refused
	Data       []*Array // what minibatches are cut from, all with as many examples
	Validation []*Array // as Data, never trained on; nil means none
	Noise      []Noise  // what is random in a step
	Loss       func(s *model.Scope, b Batch) Loss
	Start      Weights // starting values for weights of these names, instead of random ones
	Frozen     Weights // weights that are used and not trained
}

// Batch is what a loss is computed from. A batch of all examples has them in their order.
type Batch struct {
	Data     []*graph.Node // one for each of Problem.Data: [batch, shape…]
	Noise    []*graph.Node // one for each of Problem.Noise: [batch, shape…]
	Step     *graph.Node   // the number of updates so far, a float32 scalar
	Training bool          // false where the loss is that of the validation data
}

// Loss is what is lowered, and what is worth a curve of its own beside it.
type Loss struct {
	Total *graph.Node // a scalar
	Parts []Part
}

// Part is a scalar with a name.
type Part struct {
	Name  string
	Value *graph.Node
}

// Result is a trained network, or one on its way.
type Result struct {
	Weights Weights
	History History
	Step    int    // updates so far
	Backend string // which backend ran it, and why
	Stopped string // why it ended: "steps", "patience"; "" before it did
}

// Diverged is the error of a loss that is no finite number any more. It wraps ml.ErrNotFinite; the result beside it is the last one that was in order.
type Diverged struct {
	Method     string
	Step       int     // the update whose loss it was, from 1
	Loss       float64 // NaN or an infinity
	Good       int     // the step of the result beside the error
	Checkpoint string  // the file that holds that step's state; "" where none was kept
}

func (e *Diverged) Error() string {
	where := "no checkpoint was kept"
	if e.Checkpoint != "" {
		where = fmt.Sprintf("the last good checkpoint, %s, is that of step %d", e.Checkpoint, e.Good)
	}
	return fmt.Sprintf("%s: the loss is %v at step %d; %s. A lower learning rate, a warm-up or ClipNorm may help", e.Method, e.Loss, e.Step, where)
}

func (e *Diverged) Unwrap() error { return ml.ErrNotFinite }

type watcher struct{}

// Watch returns a context under which every training calls f at each report: a figure in the running cell can follow a Fit so, without being one of its options.
func Watch(ctx context.Context, f func(Result)) context.Context {
	return context.WithValue(ctx, watcher{}, f)
}

// Run trains to the end. Where ctx ends first, where the loss diverges (*Diverged) or a checkpoint can't be written, the result is the training so far, beside
// the error. An option out of range is ml.ErrParameter, data that do not fit each other or the graph ml.ErrShape, no data ml.ErrEmpty.
func (t Train) Run(ctx context.Context, p Problem) (*Result, error) {
	var last *Result
	for r, err := range t.Iterate(ctx, p) {
		if r != nil {
			last = r
		}
		if err != nil {
			return last, err
		}
	}
	return last, nil
}

// Iterate trains and yields the result at each report, a fresh value each. The last has Stopped set; with validation data it holds the weights of the best report, unless KeepLast says otherwise.
func (t Train) Iterate(ctx context.Context, p Problem) iter.Seq2[*Result, error] {
	return func(yield func(*Result, error) bool) {
		if err := ctx.Err(); err != nil {
			yield(nil, err)
			return
		}
		r, err := t.prepare(ctx, p)
		if err != nil {
			yield(nil, err)
			return
		}
		defer r.close()
		watch, _ := ctx.Value(watcher{}).(func(Result))
		for {
			result, err := r.toReport(ctx)
			if result != nil && watch != nil {
				watch(*result)
			}
			if !yield(result, err) || err != nil || result.Stopped != "" {
				return
			}
		}
	}
}

// check completes the options and holds options and data to what they must be.
func (t Train) check(p Problem) (Train, error) {
	bad := func(name string, value any, want string) (Train, error) {
		return t, ml.BadParameter(p.Method, "Train."+name, value, want)
	}
	if p.Loss == nil {
		return t, ml.BadParameter(p.Method, "Problem.Loss", "nil", "a function")
	}
	n, err := examples(p.Method, "the data", p.Data)
	if err != nil {
		return t, err
	}
	if len(p.Validation) > 0 {
		if len(p.Validation) != len(p.Data) {
			return t, ml.BadShape(p.Method, "there are %d arrays of data and %d of validation data", len(p.Data), len(p.Validation))
		}
		if _, err := examples(p.Method, "the validation data", p.Validation); err != nil {
			return t, err
		}
		for i, a := range p.Validation {
			if shapeText(a.Shape) != shapeText(p.Data[i].Shape) || a.dtype() != p.Data[i].dtype() {
				return t, ml.BadShape(p.Method, "an example of the validation data is %v %v, one of the data %v %v", a.dtype(), a.Shape, p.Data[i].dtype(), p.Data[i].Shape)
			}
		}
	}
	if t.Batch == 0 {
		t.Batch = min(128, n)
	}
	t.Steps, t.LearningRate = or(t.Steps, 1000), or(t.LearningRate, 1e-3)
	t.Report = or(t.Report, max(t.Steps/50, 1))
	finite := func(x float64) bool { return x-x == 0 }
	switch {
	case t.Steps < 1:
		return bad("Steps", t.Steps, "at least 1")
	case t.Batch < 1 || t.Batch > n:
		return bad("Batch", t.Batch, fmt.Sprintf("1 to %d, the number of rows to train on", n))
	case !(t.LearningRate > 0) || !finite(t.LearningRate):
		return bad("LearningRate", t.LearningRate, "a positive number")
	case t.Schedule != Constant && t.Schedule != Cosine && t.Schedule != Linear:
		return bad("Schedule", fmt.Sprintf("%q", t.Schedule), `"", "cosine" or "linear"`)
	case t.Warmup < 0 || t.Warmup > t.Steps:
		return bad("Warmup", t.Warmup, fmt.Sprintf("0 to Steps = %d", t.Steps))
	case !(t.ClipNorm >= 0) || !finite(t.ClipNorm):
		return bad("ClipNorm", t.ClipNorm, "0 or a positive number")
	case !(t.WeightDecay >= 0) || !finite(t.WeightDecay):
		return bad("WeightDecay", t.WeightDecay, "0 or a positive number")
	case !(t.EMA >= 0 && t.EMA < 1):
		return bad("EMA", t.EMA, "at least 0 and below 1")
	case !(t.Holdout >= 0 && t.Holdout < 1):
		return bad("Holdout", t.Holdout, "at least 0 and below 1")
	case t.Report < 1:
		return bad("Report", t.Report, "at least 1")
	case t.Patience < 0:
		return bad("Patience", t.Patience, "0 or more")
	case t.Patience > 0 && len(p.Validation) == 0:
		return bad("Patience", t.Patience, "0 where there are no validation data")
	}
	return t, nil
}

func examples(method, what string, arrays []*Array) (int, error) {
	if len(arrays) == 0 {
		return 0, ml.Empty(method, "there is no array in %s", what)
	}
	for i, a := range arrays {
		if err := a.check(method, fmt.Sprintf("array %d of %s", i, what)); err != nil {
			return 0, err
		}
		if a.Len() != arrays[0].Len() {
			return 0, ml.BadShape(method, "array %d of %s has %d examples, array 0 has %d", i, what, a.Len(), arrays[0].Len())
		}
	}
	return arrays[0].Len(), nil
}

// Split takes a share of the rows, chosen by the seed, away for validation: the row numbers of both, in order. A share of 0 leaves all.
func (t Train) Split(n int) (train, validation []int) {
	hold := int(t.Holdout * float64(n))
	perm := rng.New(t.Seed, streamSplit).Perm(n)
	held := make([]bool, n)
	for _, i := range perm[:hold] {
		held[i] = true
	}
	for i := range n {
		if held[i] {
			validation = append(validation, i)
		} else {
			train = append(train, i)
		}
	}
	return train, validation
}

// The random streams of a training, each under the seed.
const (
	streamOrder = iota + 1
	streamNoise
	streamValidation
	streamSplit
)

// run is a training between two steps.
type run struct {
	Train
	p        Problem
	n        int
	backend  *Backend
	store    *model.Store
	exec     *model.Exec
	parts    []string          // names, known when the graph has been built
	inputs   []*tensors.Tensor // data, noise, rate, step
	rows     []int             // of the minibatch that the inputs hold
	order    []int             // of the epoch
	epoch    int               // whose order that is; -1 before the first
	validate *Func

	step    int // updates so far
	sums    []float64
	history History
	good    *Result // the last report
	best    Weights
	lowest  float64 // validation loss of best
	since   int     // reports since then
	kept    bool    // the checkpoint holds the state of good

	dataDigest string
}

// prepare compiles the step, makes the starting weights, and goes on from a checkpoint if there is one.
func (t Train) prepare(ctx context.Context, p Problem) (*run, error) {
	t, err := t.check(p)
	if err != nil {
		return nil, err
	}
	b, err := Open(t.Backend)
	if err != nil {
		return nil, err
	}
	r := &run{Train: t, p: p, n: p.Data[0].Len(), backend: b, epoch: -1, lowest: math.Inf(1), rows: make([]int, t.Batch)}
	if err := r.compile(ctx); err != nil {
		return nil, err
	}
	if t.Checkpoint != "" {
		if err := r.resume(); err != nil {
			return nil, err
		}
	}
	if r.good, err = r.result(); err != nil {
		return nil, err
	}
	return r, nil
}

// compile builds the graph of a step and has the backend compile it, which takes XLA seconds and can't be stopped: where ctx ends first it is left to itself.
func (r *run) compile(ctx context.Context) error {
	r.store = model.NewStore()
	if err := r.store.SetRNGStateFromSeed(int64(r.Seed)); err != nil {
		return err
	}
	if err := errors.Join(r.p.Start.put(r.p.Method, r.store, true), r.p.Frozen.put(r.p.Method, r.store, false)); err != nil {
		return err
	}
	var shape []shapes.Shape
	for _, a := range r.p.Data {
		shape = append(shape, a.batch(r.Batch))
	}
	for _, z := range r.p.Noise {
		shape = append(shape, z.batch(r.Batch))
	}
	shape = append(shape, shapes.Make(dtypes.Float32), shapes.Make(dtypes.Float32))
	for _, s := range shape {
		t, err := newTensor(r.backend, s)
		if err != nil {
			return err
		}
		r.inputs = append(r.inputs, t)
	}
	if r.backend.Config != "go" {
		debug.FreeOSMemory() // XLA's compiler wants much: what Go holds and does not use goes back first
	}
	done := make(chan error, 1)
	go func() {
		done <- guard(r.p.Method, func() (err error) {
			if r.exec, err = model.NewExec(r.backend.Backend, r.store, r.graph); err != nil {
				return err
			}
			if _, err = r.exec.Compile(shape...); err != nil {
				return err
			}
			return initialize(r.store)
		})
	}()
	select {
	case err := <-done:
		if err != nil {
			return ml.BadShape(r.p.Method, "the network can't be built: %s", firstLine(err))
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// graph is one step: the loss, its gradient, the update. Its one output is [loss, parts…, norm of the gradient].
func (r *run) graph(s *model.Scope, in []*graph.Node) []*graph.Node {
	g := in[0].Graph()
	s.Store().SetTraining(g, true)
	b, rate := r.batch(in, true)
	loss := r.p.loss(s.At("%s", modelScope[1:]), b)
	norm := r.update(s, loss.Total, rate)
	r.parts = r.parts[:0]
	out := []*graph.Node{loss.Total}
	for _, part := range loss.Parts {
		r.parts = append(r.parts, part.Name)
		out = append(out, part.Value)
	}
	return []*graph.Node{stack(append(out, norm))}
}

func (p Problem) loss(s *model.Scope, b Batch) Loss {
	loss := p.Loss(s, b)
	if loss.Total == nil || !loss.Total.IsScalar() || loss.Total.DType() != dtypes.Float32 {
		panic(fmt.Errorf("the loss is %v, want a float32 scalar", loss.Total))
	}
	for _, part := range loss.Parts {
		if part.Value == nil || !part.Value.IsScalar() {
			panic(fmt.Errorf("the part %q of the loss is %v, want a scalar", part.Name, part.Value))
		}
	}
	return loss
}

func (r *run) batch(in []*graph.Node, training bool) (b Batch, rate *graph.Node) {
	d, z := len(r.p.Data), len(r.p.Noise)
	return Batch{Data: in[:d], Noise: in[d : d+z], Step: in[len(in)-1], Training: training}, in[len(in)-2]
}

func stack(scalars []*graph.Node) *graph.Node {
	for i, x := range scalars {
		scalars[i] = graph.Reshape(graph.ConvertDType(x, dtypes.Float32), 1)
	}
	return graph.Concatenate(scalars, 0)
}

// toReport takes steps up to the next report and makes it.
func (r *run) toReport(ctx context.Context) (*Result, error) {
	switch { // at the start, where a checkpoint holds a training that had ended
	case r.Patience > 0 && r.since >= r.Patience:
		return r.end("patience")
	case r.step >= r.Steps:
		return r.end("steps")
	}
	for {
		if err := ctx.Err(); err != nil {
			return r.interrupted(err)
		}
		values, err := r.one()
		if err != nil {
			return r.good, err
		}
		for _, v := range values {
			if v-v != 0 {
				return r.good, r.diverged(r.step+1, v)
			}
		}
		if r.sums == nil {
			r.sums = make([]float64, len(values))
		}
		for i, v := range values {
			r.sums[i] += v
		}
		r.step++
		if r.step%r.Report == 0 || r.step == r.Steps {
			return r.report(ctx)
		}
	}
}

func (r *run) diverged(step int, loss float64) error {
	e := &Diverged{Method: r.p.Method, Step: step, Loss: loss, Good: r.good.Step}
	if r.kept {
		e.Checkpoint = r.Checkpoint
	}
	return e
}

// one takes one step and returns what the graph gives.
func (r *run) one() (values []float64, err error) {
	if err := r.fill(); err != nil {
		return nil, err
	}
	args := make([]any, len(r.inputs))
	for i, t := range r.inputs {
		args[i] = t
	}
	err = guard(r.p.Method, func() error {
		out, err := r.exec.Call(args...)
		if err != nil {
			return err
		}
		defer free(out)
		return tensors.ConstFlatData(out[0], func(flat []float32) {
			for _, v := range flat {
				values = append(values, float64(v))
			}
		})
	})
	return values, err
}

// fill puts the minibatch of the next step, its noise, its rate and its number in their places. All depend on the seed and the step alone.
func (r *run) fill() error {
	perEpoch := r.n / r.Batch
	whole, first := r.Batch == r.n, r.epoch < 0
	if epoch := r.step / perEpoch; epoch != r.epoch {
		r.epoch = epoch
		if !whole {
			r.order = rng.New(r.Seed, streamOrder, epoch).Perm(r.n)
		} else if first {
			r.order = make([]int, r.n)
			for i := range r.order {
				r.order[i] = i
			}
		}
	}
	if !whole || first { // a batch of all rows stays where it is
		at := r.step % perEpoch * r.Batch
		copy(r.rows, r.order[at:at+r.Batch])
		for i, a := range r.p.Data {
			if err := a.fill(r.inputs[i], r.rows); err != nil {
				return err
			}
		}
	}
	d, k := len(r.p.Data), len(r.inputs)
	for i, z := range r.p.Noise {
		if err := z.fill(r.inputs[d+i], r.Seed, streamNoise, r.step, i); err != nil {
			return err
		}
	}
	return errors.Join(setScalar(r.inputs[k-2], r.rate(r.step)), setScalar(r.inputs[k-1], float64(r.step)))
}

func setScalar(t *tensors.Tensor, v float64) error {
	return tensors.MutableFlatData(t, func(flat []float32) { flat[0] = float32(v) })
}

// report closes an entry of the history, validates, keeps a checkpoint, and says whether the training is over.
func (r *run) report(ctx context.Context) (*Result, error) {
	steps := float64((r.step-1)%r.Report + 1)
	means := make([]float64, len(r.sums))
	for i, s := range r.sums {
		means[i] = s / steps
	}
	r.sums = nil
	history := r.history.add(r.step, means[0], append([]string(nil), r.parts...), means[1:1+len(r.parts)], r.rate(r.step-1))
	result, err := r.result()
	if err != nil {
		return r.good, err
	}
	for i, v := range result.Weights.Values {
		for _, x := range v.RawMatrix().Data {
			if x-x != 0 {
				return r.good, fmt.Errorf("weights %s are not finite: %w", result.Weights.Names[i], r.diverged(r.step, x))
			}
		}
	}
	if len(r.p.Validation) > 0 {
		loss, err := r.validation(ctx, result.Weights)
		if err != nil {
			return r.good, err
		}
		history.Validation = append(history.Validation[:len(history.Validation):len(history.Validation)], loss)
		r.since++
		if loss < r.lowest {
			r.lowest, r.best, r.since, history.Best = loss, result.Weights, 0, r.step
		}
	}
	r.history, result.History = history, history
	r.good = result
	if err := r.save(); err != nil {
		return result, err
	}
	switch {
	case r.Patience > 0 && r.since >= r.Patience:
		return r.end("patience")
	case r.step >= r.Steps:
		return r.end("steps")
	}
	return result, nil
}

// end is the last report: the best weights where there was validation, the last ones otherwise.
func (r *run) end(why string) (*Result, error) {
	last := *r.good
	last.Stopped = why
	if len(r.best.Names) > 0 && !r.KeepLast {
		last.Weights = r.best
	}
	return &last, nil
}

// interrupted gives back the training so far, and keeps it in the checkpoint so that it can go on.
func (r *run) interrupted(cause error) (*Result, error) {
	result, err := r.result()
	if err != nil {
		return r.good, errors.Join(cause, err)
	}
	if len(r.best.Names) > 0 && !r.KeepLast {
		result.Weights = r.best
	}
	return result, errors.Join(cause, r.save())
}

// result copies the weights as they are, or their moving average.
func (r *run) result() (*Result, error) {
	var value func(v *model.Variable) (*tensors.Tensor, float64, error)
	if r.EMA > 0 && r.step > 0 {
		scale := 1 / (1 - math.Pow(r.EMA, float64(r.step)))
		value = func(v *model.Variable) (*tensors.Tensor, float64, error) {
			mean := r.store.GetVariable("/average" + v.Path())
			if mean == nil {
				return nil, 1, nil
			}
			t, err := mean.Value()
			return t, scale, err
		}
	}
	w, err := take(r.store, value)
	return &Result{Weights: w, History: r.history, Step: r.step, Backend: r.backend.Why}, err
}

// validation is the mean loss over the validation data, in as few equal chunks as keep them below 1,024 rows; the noise is the same every time.
func (r *run) validation(ctx context.Context, w Weights) (float64, error) {
	n := r.p.Validation[0].Len()
	chunks := (n + 1023) / 1024
	b := n / chunks
	if r.validate == nil {
		f, err := NewFunc(r.Backend, w, func(s *model.Scope, in []*graph.Node) []*graph.Node {
			batch, _ := r.batch(in, false)
			return []*graph.Node{r.p.loss(s, batch).Total}
		})
		if err != nil {
			return 0, err
		}
		r.validate = f
	} else if err := r.validate.set(w); err != nil {
		return 0, err
	}
	total := 0.0
	for c := range chunks {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		var in []*tensors.Tensor
		rows := make([]int, b)
		for i := range rows {
			rows[i] = c*b + i
		}
		for _, a := range r.p.Validation {
			t, err := newTensor(r.backend, a.batch(b))
			if err = errors.Join(err, a.fill(t, rows)); err != nil {
				return 0, err
			}
			in = append(in, t)
		}
		for k, z := range r.p.Noise {
			t, err := newTensor(r.backend, z.batch(b))
			if err = errors.Join(err, z.fill(t, r.Seed, streamValidation, c, k)); err != nil {
				return 0, err
			}
			in = append(in, t)
		}
		in = append(in, tensors.FromScalar(float32(0)), tensors.FromScalar(float32(r.step)))
		out, err := r.validate.Call(in...)
		if err != nil {
			return 0, err
		}
		total += float64(tensors.ToScalar[float32](out[0])) / float64(chunks)
		free(out)
		free(in) // not before the outputs are there: until then the backend reads them
	}
	if total-total != 0 {
		return 0, ml.NotFinite(r.p.Method, "the validation loss is %v at step %d", total, r.step)
	}
	return total, nil
}

// close gives the backend's memory back without waiting for the collector.
func (r *run) close() {
	_ = guard("neural: freeing", func() error {
		r.exec.Finalize()
		r.store.Finalize()
		free(r.inputs)
		return nil
	})
}

// describe is the part of the options that decides the numbers, for checkpoints.
func (t Train) describe() string {
	t.Checkpoint, t.Backend = "", ""
	return strings.TrimPrefix(fmt.Sprintf("%+v", t), "neural.Train")
}
