package neural

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"runtime/debug"
	"slices"

	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
)

// Diverged is the error of a loss that is no finite number any more. It wraps ml.ErrNotFinite; the
// result beside it is the last one that was in order.
type Diverged struct {
	Method     string
	Player     string  // whose loss it was; "" where there is one
	Step       int     // the step whose loss it was, from 1
	Loss       float64 // NaN or an infinity
	Good       int     // the step of the result beside the error
	Checkpoint string  // the file that holds that step's state; "" where none was kept
}

func (e *Diverged) Error() string {
	where := "no checkpoint was kept"
	if e.Checkpoint != "" {
		where = fmt.Sprintf("the last good checkpoint, %s, is that of step %d", e.Checkpoint, e.Good)
	}
	whose := "the loss"
	if e.Player != "" {
		whose = "the loss of the " + e.Player
	}
	return fmt.Sprintf("%s: %s is %v at step %d; %s. A lower learning rate, a warm-up or ClipNorm may help", e.Method, whose, e.Loss, e.Step, where)
}

func (e *Diverged) Unwrap() error { return ml.ErrNotFinite }

type watcher struct{}

// Watch returns a context under which every training calls f at each report: a figure in the
// running cell can follow a Fit so, without being one of its options.
func Watch(ctx context.Context, f func(Trained)) context.Context {
	return context.WithValue(ctx, watcher{}, f)
}

// Run trains to the end. Where ctx ends first, where the loss diverges (*Diverged) or a checkpoint
// can't be written, the result is the training so far, beside the error. An option out of range is
// ml.ErrParameter, data that do not fit each other or the graph ml.ErrShape, no data ml.ErrEmpty.
func (t Train) Run(ctx context.Context, p Problem) (*Trained, error) {
	return ml.Last(t.Iterate(ctx, p))
}

// Iterate trains and yields the result at each report, a fresh value each. The last has Stopped
// set; with validation data it holds the weights of the best report, unless KeepLast says
// otherwise.
func (t Train) Iterate(ctx context.Context, p Problem) iter.Seq2[*Trained, error] {
	return func(yield func(*Trained, error) bool) {
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
		watch, _ := ctx.Value(watcher{}).(func(Trained))
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

// The random streams of a training, each under the seed.
const (
	streamOrder = iota + 1
	streamNoise
	streamValidation
	streamSplit
	streamOrderOf // of the data of a Stream
)

// run is a training between two steps.
type run struct {
	Train
	p        Problem
	players  []Player
	backend  *Backend
	store    *model.Store
	execs    []*model.Exec // one a player
	parts    [][]string    // of each player's loss: names, known when its graph has been built
	sources  []source      // of minibatches: the data, then the streams
	inputs   []*tensors.Tensor
	scalars  [3]*tensors.Tensor // step, rate, moves; the last of inputs
	validate *Func

	step    int // taken so far
	sums    []float64
	history History
	good    *Trained // the last report
	best    Weights
	lowest  float64 // validation loss of best
	since   int     // reports since then
	kept    bool    // the checkpoint holds the state of good

	dataDigest string
}

// prepare compiles the moves, makes the starting weights, and goes on from a checkpoint if there is
// one.
func (t Train) prepare(ctx context.Context, p Problem) (*run, error) {
	t = t.effective()
	if err := errors.Join(p.check(), t.check(p.Method, len(p.Validation) > 0)); err != nil {
		return nil, err
	}
	r := &run{Train: t, p: p, players: p.players(t), lowest: math.Inf(1)}
	for _, q := range p.Players {
		if err := q.Train.Or(t).effective().check(p.Method+", "+q.Name, true); err != nil {
			return nil, err
		}
	}
	r.sources = []source{newSource(p.Data, t.Batch, t.Seed, streamOrder)}
	for i, s := range p.Streams {
		b := s.Batch
		if b == 0 {
			b = t.Batch
		}
		r.sources = append(r.sources, newStream(s.Data, b, t.Seed, streamOrderOf, i))
	}
	var err error
	if r.backend, err = Open(t.Backend); err != nil {
		return nil, err
	}
	if err := r.compile(ctx); err != nil {
		return nil, err
	}
	if err := r.resume(); err != nil {
		return nil, err
	}
	r.good, err = r.result()
	return r, err
}

// compile builds the graph of each player's move and has the backend compile it, which takes XLA
// seconds and can't be stopped: where ctx ends first it is left to itself.
func (r *run) compile(ctx context.Context) error {
	r.store = model.NewStore()
	if err := r.store.SetRNGStateFromSeed(int64(r.Seed)); err != nil {
		return err
	}
	if err := errors.Join(r.p.Start.put(r.p.Method, r.store, true), r.p.Frozen.put(r.p.Method, r.store, false)); err != nil {
		return err
	}
	var shape []shapes.Shape
	for _, from := range r.sources {
		for _, a := range from.data {
			shape = append(shape, a.batch(from.batch))
		}
	}
	for _, z := range r.p.Noise {
		shape = append(shape, z.batch(r.sources[0].batch))
	}
	scalar := shapes.Make(dtypes.Float32)
	shape = append(shape, scalar, scalar, scalar)
	for _, s := range shape {
		t, err := newTensor(r.backend, s)
		if err != nil {
			return err
		}
		r.inputs = append(r.inputs, t)
	}
	copy(r.scalars[:], r.inputs[len(r.inputs)-3:])
	if r.backend.Config != "go" {
		debug.FreeOSMemory() // XLA's compiler wants much: what Go holds and does not use goes back first
	}
	r.parts = make([][]string, len(r.players))
	done := make(chan error, 1)
	go func() {
		done <- guard(r.p.Method, func() error {
			for k := range r.players {
				exec, err := model.NewExec(r.backend.Backend, r.store, r.move(k))
				if err != nil {
					return err
				}
				r.execs = append(r.execs, exec)
				if _, err := exec.Compile(shape...); err != nil {
					return err
				}
			}
			if err := initialize(r.store); err != nil {
				return err
			}
			return r.startAverages()
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

// move is the graph of one move of a player: its loss, the gradient, the update of its weights. Its
// one output is [loss, norm of the gradient, parts…].
func (r *run) move(player int) func(s *model.Scope, in []*graph.Node) []*graph.Node {
	return func(s *model.Scope, in []*graph.Node) []*graph.Node {
		q := r.players[player]
		s.Store().SetTraining(in[0].Graph(), true)
		b, c := r.batch(in, true)
		// Every player sees the networks of all from the beginning: their scopes are visited anew.
		loss := q.loss(s.At("%s", modelScope[1:]).ResetVisited(), b)
		norm := r.update(s, q, loss.Total, c)
		r.moveAverages(in[0].Graph(), c.step)
		r.parts[player] = nil
		out := []*graph.Node{loss.Total, norm}
		for _, part := range loss.Parts {
			r.parts[player] = append(r.parts[player], part.Name)
			out = append(out, part.Value)
		}
		return []*graph.Node{stack(out)}
	}
}

// batch says which input is what; in validation there are no streams.
func (r *run) batch(in []*graph.Node, training bool) (Batch, clock) {
	k := len(in) - 3
	b, c := Batch{Step: in[k], Training: training}, clock{in[k], in[k+1], in[k+2]}
	at := 0
	next := func(n int) []*graph.Node { at += n; return in[at-n : at] }
	for i, from := range r.sources {
		switch {
		case i == 0:
			b.Data = next(len(from.data))
		case training:
			b.Streams = append(b.Streams, next(len(from.data)))
		}
	}
	b.Noise = next(len(r.p.Noise))
	return b, c
}

func stack(scalars []*graph.Node) *graph.Node {
	for i, x := range scalars {
		scalars[i] = graph.Reshape(graph.ConvertDType(x, dtypes.Float32), 1)
	}
	return graph.Concatenate(scalars, 0)
}

// toReport takes steps up to the next report and makes it.
func (r *run) toReport(ctx context.Context) (*Trained, error) {
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
		values, err := r.takeStep()
		if err != nil {
			return r.good, err
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

// takeStep lets every player move and returns what their graphs give, the mean over a player's
// moves, one player after the other.
func (r *run) takeStep() (values []float64, err error) {
	perStep, turn := 0, 0
	for _, q := range r.players {
		perStep += q.Moves
	}
	for k, q := range r.players {
		var sum []float64
		for m := range q.Moves {
			if err := r.fill(q, r.step*perStep+turn, r.step*q.Moves+m); err != nil {
				return nil, err
			}
			turn++
			out, err := r.call(k)
			if err != nil {
				return nil, err
			}
			for i, v := range out {
				if v-v != 0 {
					return nil, r.diverged(q.Name, r.step+1, v)
				}
				if m == 0 {
					sum = append(sum, 0)
				}
				sum[i] += v / float64(q.Moves)
			}
		}
		values = append(values, sum...)
	}
	return values, nil
}

func (r *run) diverged(player string, step int, loss float64) error {
	e := &Diverged{Method: r.p.Method, Player: player, Step: step, Loss: loss, Good: r.good.Steps}
	if r.kept {
		e.Checkpoint = r.Checkpoint
	}
	return e
}

// call makes a player's move and returns what the graph gives.
func (r *run) call(player int) (values []float64, err error) {
	args := make([]any, len(r.inputs))
	for i, t := range r.inputs {
		args[i] = t
	}
	err = guard(r.p.Method, func() error {
		out, err := r.execs[player].Call(args...)
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

// fill puts the minibatches of a move, its noise and its clock in their places. All depend on the
// seed and on turn alone, which numbers the moves of all players; move numbers those of this one.
func (r *run) fill(q Player, turn, move int) error {
	at := 0
	for i := range r.sources {
		n := len(r.sources[i].data)
		if err := r.sources[i].fill(r.inputs[at:at+n], turn); err != nil {
			return err
		}
		at += n
	}
	for i, z := range r.p.Noise {
		if err := z.fill(r.inputs[at+i], r.Seed, streamNoise, turn, i); err != nil {
			return err
		}
	}
	return errors.Join(setScalar(r.scalars[0], float64(r.step)), setScalar(r.scalars[1], q.Train.rate(r.step)), setScalar(r.scalars[2], float64(move)))
}

func setScalar(t *tensors.Tensor, v float64) error {
	return tensors.MutableFlatData(t, func(flat []float32) { flat[0] = float32(v) })
}

// report closes an entry of the history, validates, keeps a checkpoint, and says whether the
// training is over.
func (r *run) report(ctx context.Context) (*Trained, error) {
	steps := float64((r.step-1)%r.Report + 1)
	means := make([]float64, len(r.sums))
	for i, s := range r.sums {
		means[i] = s / steps
	}
	r.sums = nil
	names, parts := r.named(means)
	history := r.history.add(r.step, means[0], means[1], names, parts, r.players[0].Train.rate(r.step-1))
	result, err := r.result()
	if err != nil {
		return r.good, err
	}
	for i, v := range result.Weights.Values {
		for _, x := range v.RawMatrix().Data {
			if x-x != 0 {
				return r.good, fmt.Errorf("weights %s are not finite: %w", result.Weights.Names[i], r.diverged("", r.step, x))
			}
		}
	}
	if len(r.p.Validation) > 0 {
		loss, err := r.validation(ctx, result.Weights)
		if err != nil {
			return r.good, err
		}
		history.Validation = append(slices.Clip(history.Validation), loss)
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

// named says what the parts of History are called and which values they have: those of the first
// player's loss by their own names, then each other player's loss, the norm of its gradient, and
// the parts of its loss.
func (r *run) named(values []float64) (names []string, parts []float64) {
	at := 0
	for k, q := range r.players {
		if k > 0 {
			names, parts = append(names, q.Name, q.Name+" gradient norm"), append(parts, values[at], values[at+1])
		}
		names = append(names, r.parts[k]...)
		parts = append(parts, values[at+2:at+2+len(r.parts[k])]...)
		at += 2 + len(r.parts[k])
	}
	return names, parts
}

// end is the last report: the best weights where there was validation, the last ones otherwise.
func (r *run) end(why string) (*Trained, error) {
	last := *r.good
	last.Stopped = why
	if len(r.best.Names) > 0 && !r.KeepLast {
		last.Weights = r.best
	}
	return &last, nil
}

// interrupted gives back the training so far, and keeps it in the checkpoint so that it can go on.
func (r *run) interrupted(cause error) (*Trained, error) {
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
func (r *run) result() (*Trained, error) {
	var value func(v *model.Variable) (*tensors.Tensor, float64, error)
	if r.EMA > 0 && r.step > 0 {
		value = func(v *model.Variable) (*tensors.Tensor, float64, error) {
			mean := r.store.GetVariable("/average" + v.Path())
			if mean == nil {
				return nil, 1, nil
			}
			t, err := mean.Value()
			return t, 1 / (1 - math.Pow(r.EMA, float64(r.step*r.movesOf(v)))), err
		}
	}
	w, err := take(r.store, value)
	return &Trained{Weights: w, History: r.history, Steps: r.step, Backend: r.backend.Why}, err
}

// movesOf is how often a weight moves in a step.
func (r *run) movesOf(v *model.Variable) (moves int) {
	for _, q := range r.players {
		if len(q.Scope) == 0 || under(v.Path()[len(modelScope):], q.Scope...) {
			moves += q.Moves
		}
	}
	return moves
}

// validation is the mean loss over all validation data, in as few chunks as keep them below 1,024
// rows, all of one size but the last; the noise is the same every time.
func (r *run) validation(ctx context.Context, w Weights) (float64, error) {
	n := r.p.Validation[0].Len()
	chunks := (n + 1023) / 1024
	if r.validate == nil {
		f, err := NewFunc(r.Backend, w, func(s *model.Scope, in []*graph.Node) []*graph.Node {
			batch, _ := r.batch(in, false)
			return []*graph.Node{r.players[0].loss(s, batch).Total}
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
		lo, hi := c*(n/chunks), (c+1)*(n/chunks)
		if c == chunks-1 {
			hi = n
		}
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		loss, err := r.validateChunk(c, lo, hi)
		if err != nil {
			return 0, err
		}
		total += loss * float64(hi-lo) / float64(n)
	}
	if total-total != 0 {
		return 0, ml.NotFinite(r.p.Method, "the validation loss is %v at step %d", total, r.step)
	}
	return total, nil
}

// validateChunk is the mean loss over some rows of the validation data.
func (r *run) validateChunk(chunk, lo, hi int) (float64, error) {
	var in []*tensors.Tensor
	defer func() { free(in) }() // not before the outputs are there: until then the backend reads them
	room := func(s shapes.Shape, fill func(t *tensors.Tensor) error) error {
		t, err := newTensor(r.backend, s)
		if err != nil {
			return err
		}
		in = append(in, t)
		return fill(t)
	}
	rows := upTo(hi)[lo:]
	for _, a := range r.p.Validation {
		if err := room(a.batch(len(rows)), func(t *tensors.Tensor) error { return a.fill(t, rows) }); err != nil {
			return 0, err
		}
	}
	for k, z := range r.p.Noise {
		if err := room(z.batch(len(rows)), func(t *tensors.Tensor) error { return z.fill(t, r.Seed, streamValidation, chunk, k) }); err != nil {
			return 0, err
		}
	}
	in = append(in, tensors.FromScalar(float32(r.step)), tensors.FromScalar(float32(0)), tensors.FromScalar(float32(0)))
	out, err := r.validate.Call(in...)
	if err != nil {
		return 0, err
	}
	defer free(out)
	return float64(tensors.ToScalar[float32](out[0])), nil
}

// close gives the backend's memory back without waiting for the collector.
func (r *run) close() {
	_ = guard("neural: freeing", func() error {
		for _, e := range r.execs {
			e.Finalize()
		}
		r.store.Finalize()
		free(r.inputs)
		return nil
	})
}
