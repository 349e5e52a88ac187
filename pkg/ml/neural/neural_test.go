package neural

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
	"gonum.org/v1/gonum/mat"
)

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		child()
		return
	}
	xlatest.Main(m)
}

// curve is a small regression: y = sin(2x) + noise drawn anew at each step, one hidden layer.
func curve(n int) Problem {
	r := rng.New(7)
	x, y := &Array{Shape: []int{1}}, &Array{Shape: []int{1}}
	for range n {
		v := r.Float64()*4 - 2
		x.Floats, y.Floats = append(x.Floats, float32(v)), append(y.Floats, float32(math.Sin(2*v)))
	}
	return Problem{Method: "test.Curve", Data: []*Array{x, y}, Noise: []Noise{{Kind: Normal, Shape: []int{1}}, {Kind: Uniform}}, Loss: squares}
}

func network(s *model.Scope, x *graph.Node) *graph.Node { // [n, 1] to [n, 1]
	h := graph.Tanh(layers.DenseWithBias(s.In("hidden"), x, 16))
	return layers.DenseWithBias(s.In("out"), h, 1)
}

func squares(s *model.Scope, b Batch) Loss {
	target := graph.Add(b.Data[1], graph.MulScalar(b.Noise[0], 0.05))
	fit := graph.ReduceAllMean(graph.Square(graph.Sub(network(s, b.Data[0]), target)))
	return Loss{Total: fit, Parts: []Part{{"squares", fit}, {"uniform", graph.ReduceAllMean(b.Noise[1])}}}
}

func small() Train { return Train{Steps: 40, Batch: 16, LearningRate: 0.02, Report: 10, Backend: "go"} }

func mustRun(t *testing.T, tr Train, p Problem) *Trained {
	t.Helper()
	r, err := tr.Run(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTrainingLowersTheLoss(t *testing.T) {
	tr := small()
	tr.Steps, tr.Report, tr.Batch, tr.Schedule = 1500, 150, 64, Cosine
	tr.LearningRate = 0.05
	r := mustRun(t, tr, curve(256))
	first, last := r.History.Loss[0], r.History.Loss[9]
	if !(last < 0.01 && first > 10*last) {
		t.Errorf("the loss goes from %v to %v, want below 0.01, near the noise of 0.0025", first, last)
	}
	if r.Steps != 1500 || r.Stopped != "steps" || len(r.History.Steps) != 10 || r.History.Steps[9] != 1500 {
		t.Errorf("step %d, stopped %q, reports at %v", r.Steps, r.Stopped, r.History.Steps)
	}
	if !slices.Equal(r.History.Part("squares"), r.History.Loss) {
		t.Errorf("the part that is the whole loss has another curve: %v and %v", r.History.Part("squares"), r.History.Loss)
	}
	for _, u := range r.History.Part("uniform") { // 9,600 numbers: 0.5 ± 5 standard errors
		if math.Abs(u-0.5) > 5*math.Sqrt(1.0/12/9600) {
			t.Errorf("mean of the uniform noise %v", u)
		}
	}
	if r.History.Part("no such") != nil {
		t.Error("a part that there is not has a curve")
	}
}

func TestTheSeedDecidesEverything(t *testing.T) {
	for _, backend := range []string{"go", "xla"} {
		t.Run(backend, func(t *testing.T) {
			if backend == "xla" {
				xlatest.Require(t)
			}
			tr := small()
			tr.Backend, tr.Seed = backend, 3
			a := mustRun(t, tr, curve(100))
			if b := mustRun(t, tr, curve(100)); !reflect.DeepEqual(a, b) {
				t.Errorf("two runs of one seed: losses %v and %v", a.History.Loss, b.History.Loss)
			}
			if backend == "xla" {
				return
			}
			tr.Seed = 4
			if b := mustRun(t, tr, curve(100)); reflect.DeepEqual(a.History.Loss, b.History.Loss) {
				t.Error("another seed gives the same losses")
			}
			tr.Seed = 3
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
			if b := mustRun(t, tr, curve(100)); !reflect.DeepEqual(a, b) {
				t.Error("one processor gives another result")
			}
		})
	}
}

// Equal weights, order and noise: what is left is rounding, which 40 steps of Adam carry on to some
// 1e-5 of the loss.
func TestBackendsAgree(t *testing.T) {
	xlatest.Require(t)
	tr := small()
	tr.ClipNorm, tr.WeightDecay, tr.EMA, tr.Warmup, tr.Schedule = 0.5, 0.1, 0.9, 5, Cosine
	p := curve(100)
	p.Validation = curve(30).Data
	ours := mustRun(t, tr, p)
	tr.Backend = "xla"
	xla := mustRun(t, tr, p)
	const tol = 1e-4
	for i := range ours.History.Loss {
		a, b := ours.History, xla.History
		if math.Abs(a.Loss[i]/b.Loss[i]-1) > tol || math.Abs(a.Validation[i]/b.Validation[i]-1) > tol {
			t.Errorf("report %d: losses %v (go) and %v (XLA), validation %v and %v", i, a.Loss[i], b.Loss[i], a.Validation[i], b.Validation[i])
		}
	}
	for i, name := range ours.Weights.Names {
		if !mat.EqualApprox(ours.Weights.Values[i], xla.Weights.Values[i], 1e-3) {
			t.Errorf("weights %s differ: %v", name, mat.Formatted(ours.Weights.Values[i]))
		}
	}
}

// One weight matrix w on the loss c·w: every step can be followed by hand in float64.
func TestUpdateIsAdamWithWhatIsAroundIt(t *testing.T) {
	loss := func(s *model.Scope, b Batch) Loss {
		w := s.WithInitializer(initializer.One).VariableWithShape("w", shapes.Make(dtypes.Float32, 1, 2)).NodeValue(b.Step)
		bias := s.WithInitializer(initializer.One).VariableWithShape("bias", shapes.Make(dtypes.Float32, 1)).NodeValue(b.Step)
		total := graph.Add(graph.ReduceAllSum(graph.Square(w)), graph.MulScalar(graph.ReduceAllSum(graph.Square(bias)), 2))
		return Loss{Total: total}
	}
	p := Problem{Method: "test", Data: []*Array{{Floats: []float32{1, 1}}}, Loss: loss}
	for _, tr := range []Train{
		{}, {ClipNorm: 1.5}, {WeightDecay: 0.3}, {EMA: 0.8}, {Warmup: 4, Schedule: Linear}, {ClipNorm: 0.1, WeightDecay: 0.1, EMA: 0.5, Warmup: 2, Schedule: Cosine},
	} {
		tr.Steps, tr.LearningRate, tr.Backend, tr.Report = 12, 0.05, "go", 12
		got := mustRun(t, tr, p)
		w, m, v, mean := [3]float64{1, 1, 1}, [3]float64{}, [3]float64{}, [3]float64{}
		factor := [3]float64{2, 2, 4} // gradient over weight; the last is the bias
		for step := range tr.Steps {
			rate, norm := tr.rate(step), 0.0
			var g [3]float64
			for i := range w {
				g[i] = factor[i] * w[i]
				norm += g[i] * g[i]
			}
			for i := range w {
				if n := math.Sqrt(norm); tr.ClipNorm > 0 && n > tr.ClipNorm {
					g[i] *= tr.ClipNorm / n
				}
				m[i], v[i] = 0.9*m[i]+0.1*g[i], 0.999*v[i]+0.001*g[i]*g[i]
				t := float64(step + 1)
				delta := rate * m[i] / (1 - math.Pow(0.9, t)) / (math.Sqrt(v[i]/(1-math.Pow(0.999, t))) + 1e-8)
				if i < 2 {
					delta += rate * tr.WeightDecay * w[i]
				}
				w[i] -= delta
				mean[i] = tr.EMA*mean[i] + (1-tr.EMA)*w[i]
			}
		}
		want := w
		if tr.EMA > 0 {
			for i := range want {
				want[i] = mean[i] / (1 - math.Pow(tr.EMA, float64(tr.Steps)))
			}
		}
		have := append(got.Weights.Get("/w").RawRowView(0), got.Weights.Get("/bias").At(0, 0))
		for i := range want {
			if math.Abs(have[i]-want[i]) > 2e-5 {
				t.Errorf("%+v: weights %v, by hand %v", tr, have, want)
				break
			}
		}
	}
}

// Off can be said: a negative number takes back what a method turns on, and Constant its schedule.
func TestOffCanBeSaid(t *testing.T) {
	method := Train{Schedule: Cosine, ClipNorm: 0.01, EMA: 0.9, WeightDecay: 0.5, Warmup: 10, Holdout: 0.2, Patience: 3, Beta1: 0.5, Beta2: 0.5}
	plain := small()
	plain.Schedule = Constant
	off := small()
	off.Schedule, off.ClipNorm, off.EMA, off.WeightDecay, off.Warmup, off.Holdout, off.Patience = Constant, -1, -1, -1, -1, -1, -1
	off.Beta1, off.Beta2 = 0.9, 0.999
	a, b := mustRun(t, plain, curve(50)), mustRun(t, off.Or(method), curve(50))
	if !reflect.DeepEqual(a, b) {
		t.Errorf("turned off, the losses are %v; without, %v", b.History.Loss, a.History.Loss)
	}
	if on := mustRun(t, small().Or(method).Or(Train{}), func() Problem { p := curve(50); p.Validation = p.Data; return p }()); reflect.DeepEqual(on.History.Loss, a.History.Loss) {
		t.Error("the method's defaults change nothing")
	}
}

func TestSchedules(t *testing.T) {
	for _, c := range []struct {
		tr   Train
		want map[int]float64
	}{
		{Train{Steps: 10}, map[int]float64{0: 2, 9: 2}},
		{Train{Steps: 10, Warmup: 4}, map[int]float64{0: 0.5, 1: 1, 3: 2, 4: 2, 9: 2}},
		{Train{Steps: 12, Warmup: 2, Schedule: Linear}, map[int]float64{0: 1, 2: 2, 7: 1, 11: 0.2}},
		{Train{Steps: 8, Schedule: Cosine}, map[int]float64{0: 2, 4: 1, 2: 1 + math.Sqrt2/2}},
		{Train{Steps: 3, Warmup: 3, Schedule: Cosine}, map[int]float64{2: 2}},
	} {
		c.tr.LearningRate = 2
		for step, want := range c.want {
			if got := c.tr.rate(step); math.Abs(got-want) > 1e-12 {
				t.Errorf("%+v at step %d: %v, want %v", c.tr, step, got, want)
			}
		}
	}
}

// An epoch shows every example once, but for the few that fill no batch; two epochs show them in
// different orders; a batch of all keeps their order.
func TestMinibatches(t *testing.T) {
	const n = 10
	a := &Array{}
	for i := range n {
		a.Floats = append(a.Floats, float32(i+1))
	}
	var digits []int
	p := Problem{Method: "test", Data: []*Array{a}, Loss: func(s *model.Scope, b Batch) Loss {
		w := s.VariableWithShape("w", shapes.Make(dtypes.Float32)).NodeValue(b.Step)
		var parts []Part
		for i := range 3 {
			parts = append(parts, Part{"seen", graph.Reshape(graph.Slice(b.Data[0], graph.AxisRange(i, i+1)))})
		}
		return Loss{Total: graph.Square(w), Parts: parts}
	}}
	r := mustRun(t, Train{Steps: 6, Batch: 3, Report: 1, Backend: "go"}, p)
	for i := range 6 {
		for j := range 3 {
			digits = append(digits, int(r.History.Parts.At(i, j)))
		}
	}
	first, second := slices.Clone(digits[:9]), slices.Clone(digits[9:])
	if slices.Equal(first, second) {
		t.Errorf("both epochs have the order %v", first)
	}
	for _, epoch := range [][]int{first, second} {
		slices.Sort(epoch)
		if len(slices.Compact(epoch)) != 9 {
			t.Errorf("an epoch shows an example twice: %v", digits)
		}
	}
	r = mustRun(t, Train{Steps: 2, Batch: n, Report: 1, Backend: "go"}, p)
	if got := r.History.Parts.RawRowView(1); !slices.Equal(got, []float64{1, 2, 3}) {
		t.Errorf("a batch of all begins with %v", got)
	}
}

func TestBadInputIsNamed(t *testing.T) {
	good := curve(20)
	with := func(change func(p *Problem)) Problem {
		p := good
		change(&p)
		return p
	}
	short := &Array{Shape: []int{1}, Floats: make([]float32, 7)}
	for _, c := range []struct {
		name string
		tr   Train
		p    Problem
		kind error
		says string
	}{
		{"no data", Train{}, with(func(p *Problem) { p.Data = nil }), ml.ErrEmpty, "no array"},
		{"an empty array", Train{}, with(func(p *Problem) { p.Data = []*Array{{Shape: []int{1}}} }), ml.ErrEmpty, "array 0 of the data"},
		{"a nil array", Train{}, with(func(p *Problem) { p.Data = []*Array{nil, nil} }), ml.ErrEmpty, "array 0 of the data"},
		{"arrays of two lengths", Train{}, with(func(p *Problem) { p.Data = []*Array{p.Data[0], short} }), ml.ErrShape, "array 1 of the data has 7 examples, array 0 has 20"},
		{"a shape that does not divide", Train{}, with(func(p *Problem) { p.Data = []*Array{{Shape: []int{3}, Floats: make([]float32, 20)}} }), ml.ErrShape, "shape [3]"},
		{"NaN in the data", Train{}, with(func(p *Problem) {
			p.Data = []*Array{{Shape: []int{2}, Floats: []float32{1, 2, 3, float32(math.NaN())}}}
		}), ml.ErrNotFinite, "row 1: number 1"},
		{"a wrong dtype", Train{}, with(func(p *Problem) { p.Data = []*Array{Classes(make([]int, 20)), p.Data[1]} }), ml.ErrShape, "can't be built"},
		{"a wrong shape", Train{}, with(func(p *Problem) {
			p.Data = []*Array{p.Data[0], {Shape: []int{5}, Floats: make([]float32, 100)}}
			p.Noise = []Noise{{Shape: []int{3}}, {}}
		}), ml.ErrShape, "can't be built"},
		{"validation of another shape", Train{}, with(func(p *Problem) { p.Validation = []*Array{p.Data[0], {Shape: []int{2}, Floats: make([]float32, 40)}} }), ml.ErrShape, "validation data"},
		{"validation of fewer arrays", Train{}, with(func(p *Problem) { p.Validation = p.Data[:1] }), ml.ErrShape, "2 arrays of data and 1"},
		{"empty validation", Train{}, with(func(p *Problem) { p.Validation = []*Array{{Shape: []int{1}}, {Shape: []int{1}}} }), ml.ErrEmpty, "validation data"},
		{"a negative batch", Train{Batch: -1}, good, ml.ErrParameter, "Train.Batch = -1"},
		{"a negative rate", Train{LearningRate: -1}, good, ml.ErrParameter, "LearningRate = -1"},
		{"NaN as rate", Train{LearningRate: math.NaN()}, good, ml.ErrParameter, "LearningRate = NaN"},
		{"an unknown schedule", Train{Schedule: "sine"}, good, ml.ErrParameter, `"sine"`},
		{"a long warm-up", Train{Steps: 5, Warmup: 6}, good, ml.ErrParameter, "Warmup = 6"},
		{"negative steps", Train{Steps: -1}, good, ml.ErrParameter, "Steps = -1"},
		{"an infinite clip", Train{ClipNorm: math.Inf(1)}, good, ml.ErrParameter, "ClipNorm"},
		{"a mean that never moves", Train{Beta2: 1}, good, ml.ErrParameter, "Beta2 = 1"},
		{"NaN as decay", Train{WeightDecay: math.NaN()}, good, ml.ErrParameter, "WeightDecay"},
		{"a loss beside players", Train{}, with(func(p *Problem) { p.Players = []Player{{Name: "a", Scope: []string{"/a"}, Loss: p.Loss}} }), ml.ErrParameter, "beside Players"},
		{"a player without paths", Train{}, with(func(p *Problem) { p.Players, p.Loss = []Player{{Name: "a", Loss: p.Loss}}, nil }), ml.ErrParameter, "Players[0]"},
		{"two players of one name", Train{}, with(func(p *Problem) {
			q := Player{Name: "a", Scope: []string{"/hidden", "/out"}, Loss: p.Loss}
			p.Players, p.Loss = []Player{q, q}, nil
		}), ml.ErrParameter, "Players[1]"},
		{"a player's bad rate", Train{}, with(func(p *Problem) {
			p.Players, p.Loss = []Player{{Name: "a", Scope: []string{"/hidden", "/out"}, Loss: p.Loss, Train: Train{LearningRate: -2}}}, nil
		}), ml.ErrParameter, "LearningRate = -2"},
		{"weights of no player", Train{}, with(func(p *Problem) {
			p.Players, p.Loss = []Player{{Name: "a", Scope: []string{"/hidden"}, Loss: p.Loss}}, nil
		}), ml.ErrShape, "belong to no player"},
		{"an empty stream", Train{}, with(func(p *Problem) { p.Streams = []Stream{{}} }), ml.ErrEmpty, "stream 0"},
		{"an average of decay 1", Train{}, with(func(p *Problem) { p.Averages = []Average{{Of: "/a", In: "/b", Decay: 1}} }), ml.ErrParameter, "Averages[0]"},
		{"an average that never moves", Train{EMA: 1}, good, ml.ErrParameter, "EMA = 1"},
		{"a negative decay", Train{WeightDecay: math.Inf(1)}, good, ml.ErrParameter, "WeightDecay"},
		{"patience without validation", Train{Patience: 3}, good, ml.ErrParameter, "Patience = 3"},
		{"a negative report", Train{Report: -2}, good, ml.ErrParameter, "Report = -2"},
		{"an unknown backend", Train{Backend: "abacus"}, good, ml.ErrParameter, "abacus"},
		{"no loss", Train{}, with(func(p *Problem) { p.Loss = nil }), ml.ErrParameter, "Loss"},
		{"a loss that is no scalar", Train{}, with(func(p *Problem) {
			p.Loss = func(s *model.Scope, b Batch) Loss { return Loss{Total: network(s, b.Data[0])} }
		}), ml.ErrShape, "want a float32 scalar"},
		{"a loss that is nil", Train{}, with(func(p *Problem) { p.Loss = func(s *model.Scope, b Batch) Loss { return Loss{} } }), ml.ErrShape, "want a float32 scalar"},
		{"a loss without weights", Train{}, with(func(p *Problem) {
			p.Loss = func(s *model.Scope, b Batch) Loss { return Loss{Total: graph.ReduceAllSum(b.Data[0])} }
		}), ml.ErrShape, "no weight"},
		{"a panic of the caller's", Train{}, with(func(p *Problem) { p.Loss = func(s *model.Scope, b Batch) Loss { panic("oops") } }), ml.ErrShape, "oops"},
	} {
		if c.tr.Backend == "" {
			c.tr.Backend = "go"
		}
		r, err := c.tr.Run(t.Context(), c.p)
		if !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) || r != nil {
			t.Errorf("%s: result %v, error %v, want none and one that wraps %q and says %q", c.name, r, err, c.kind, c.says)
		}
	}
}

func TestDivergingStopsWithStepValueAndCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	p := curve(64)
	p.Loss = func(s *model.Scope, b Batch) Loss { // NaN from the 14th step on
		return Loss{Total: graph.Add(squares(s, b).Total, graph.MulScalar(graph.Sqrt(graph.AddScalar(graph.Neg(b.Step), 12.5)), 1e-3))}
	}
	tr := small()
	tr.Checkpoint = path
	r, err := tr.Run(t.Context(), p)
	var d *Diverged
	if !errors.As(err, &d) || !errors.Is(err, ml.ErrNotFinite) {
		t.Fatalf("error %v, want a *Diverged that wraps ml.ErrNotFinite", err)
	}
	if d.Step != 14 || !math.IsNaN(d.Loss) || d.Good != 10 || d.Checkpoint != path || r == nil || r.Steps != 10 {
		t.Errorf("diverged: %+v, result %+v", d, r)
	}
	for _, want := range []string{"step 14", "NaN", path, "step 10"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error %q does not say %q", err, want)
		}
	}
	for _, v := range r.Weights.Values {
		if x := mat.Sum(v); x-x != 0 {
			t.Errorf("the weights are %v", x)
		}
	}
	tr.Checkpoint = ""
	if _, err = tr.Run(t.Context(), p); !strings.Contains(err.Error(), "no checkpoint") {
		t.Errorf("without a checkpoint the error is %v", err)
	}
}

func TestEarlyStoppingKeepsTheBest(t *testing.T) {
	p := curve(12)
	p.Validation = curve(200).Data
	p.Validation = []*Array{{Shape: []int{1}, Floats: p.Validation[0].Floats[24:]}, {Shape: []int{1}, Floats: p.Validation[1].Floats[24:]}}
	tr := Train{Steps: 4000, Report: 20, Patience: 5, LearningRate: 0.03, Backend: "go"}
	r := mustRun(t, tr, p)
	v := r.History.Validation
	best := slices.Index(v, slices.Min(v))
	if r.Stopped != "patience" || r.History.Best != r.History.Steps[best] || len(v) != best+1+5 {
		t.Errorf("stopped by %q after %d reports; best at step %d, lowest validation loss at report %d of %v", r.Stopped, len(v), r.History.Best, best, r.History.Steps)
	}
	tr.Steps, tr.Patience = r.History.Best, 0
	again := mustRun(t, tr, p)
	if !reflect.DeepEqual(again.Weights, r.Weights) {
		t.Error("the weights are not those of the best report")
	}
	tr.Steps, tr.KeepLast = r.Steps, true
	last := mustRun(t, tr, p)
	p.Validation = nil
	if plain := mustRun(t, tr, p); !reflect.DeepEqual(last.Weights, plain.Weights) || last.History.Best != r.History.Best {
		t.Error("with KeepLast the weights are not the last ones")
	}
}

func TestInterrupting(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if r, err := small().Run(ended, curve(50)); !errors.Is(err, context.Canceled) || r != nil {
		t.Errorf("with an ended context: %v, %v", r, err)
	}
	var r *Trained
	if !mltest.PromptAt(t, "the training", func(ctx context.Context, end func()) (err error) {
		tr := small()
		tr.Steps, tr.Checkpoint = 1e6, filepath.Join(t.TempDir(), "state")
		r, err = tr.Run(Watch(ctx, func(r Trained) {
			if r.Steps == 20 {
				end()
			}
		}), curve(50))
		return err
	}) || r == nil || r.Steps < 20 || len(r.Weights.Names) != 4 {
		t.Errorf("interrupted: %+v", r)
	}
	t.Run("XLA compiles", func(t *testing.T) {
		xlatest.Require(t)
		if _, err := Open("xla"); err != nil { // before the clock runs: only compiling is timed
			t.Fatal(err)
		}
		late := time.Hour
		for range 3 {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
			defer cancel()
			tr := small()
			tr.Backend = "xla"
			begun := time.Now()
			p := curve(50)
			p.Loss = func(s *model.Scope, b Batch) Loss { time.Sleep(500 * time.Millisecond); return squares(s, b) }
			if _, err := tr.Run(ctx, p); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			late = min(late, time.Since(begun)-30*time.Millisecond)
		}
		if late > 100*time.Millisecond {
			t.Errorf("interrupted while XLA compiles, it returns after %v", late)
		}
	})
}

func TestStartAndFrozenWeights(t *testing.T) {
	first := mustRun(t, small(), curve(50))
	p := curve(50)
	p.Frozen = first.Weights.Under("/hidden")
	p.Start = first.Weights.Under("/out")
	second := mustRun(t, small(), p)
	if !reflect.DeepEqual(second.Weights.Under("/hidden").Values, p.Frozen.Values) {
		t.Error("frozen weights have changed")
	}
	if second.History.Loss[0] >= first.History.Loss[0] {
		t.Errorf("from trained weights the loss starts at %v, from random ones at %v", second.History.Loss[0], first.History.Loss[0])
	}
	p.Start = Weights{Names: []string{"/out/dense/weights"}, Shapes: []string{"3×1"}, Values: []*mat.Dense{mat.NewDense(3, 1, nil)}}
	if _, err := small().Run(t.Context(), p); !errors.Is(err, ml.ErrShape) {
		t.Errorf("starting weights of another shape: %v", err)
	}
}

func TestFuncIsTheNetworkThatWasTrained(t *testing.T) {
	r := mustRun(t, small(), curve(50))
	f, err := NewFunc("go", r.Weights, func(s *model.Scope, in []*graph.Node) []*graph.Node { return []*graph.Node{network(s, in[0])} })
	if err != nil {
		t.Fatal(err)
	}
	x := curve(50).Data[0]
	out, err := f.Rows(t.Context(), 16, x)
	if err != nil {
		t.Fatal(err)
	}
	w, b := r.Weights.Get("/hidden/dense/weights"), r.Weights.Get("/hidden/dense/biases")
	v, c := r.Weights.Get("/out/dense/weights"), r.Weights.Get("/out/dense/biases").At(0, 0)
	for i, xi := range x.Floats {
		want := c
		for j := range 16 {
			want += v.At(j, 0) * math.Tanh(float64(xi)*w.At(0, j)+b.RawMatrix().Data[j])
		}
		if math.Abs(out[0].At(i, 0)-want) > 1e-5 {
			t.Fatalf("row %d: %v, by hand %v", i, out[0].At(i, 0), want)
		}
	}
	part, err := f.Rows(t.Context(), 16, &Array{Shape: x.Shape, Floats: x.Floats[33:36]})
	if err != nil || !mat.Equal(part[0], out[0].Slice(33, 36, 0, 1)) {
		t.Errorf("a subset gives %v, %v", part, err)
	}
	if _, err := f.Rows(t.Context(), 16, &Array{Shape: []int{2}, Floats: x.Floats}); err == nil {
		t.Error("rows of another width are taken")
	}
	if _, err := f.Rows(t.Context(), 0, x); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a chunk of 0: %v", err)
	}
	if _, err := f.Rows(t.Context(), 16); !errors.Is(err, ml.ErrEmpty) {
		t.Errorf("no input: %v", err)
	}
	lacking, err := NewFunc("go", r.Weights.Under("/out"), func(s *model.Scope, in []*graph.Node) []*graph.Node { return []*graph.Node{network(s, in[0])} })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := lacking.Rows(t.Context(), 16, x); err == nil || !strings.Contains(err.Error(), "/hidden") {
			t.Errorf("without weights of the hidden layer: %v", err)
		}
	}
}

func TestRows(t *testing.T) {
	x := mat.NewDense(2, 6, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 0.1})
	a, err := Rows("test", x, 2, 3)
	if err != nil || a.Len() != 2 || a.Floats[11] != 0.1 {
		t.Fatalf("%+v, %v", a, err)
	}
	if _, err := Rows("test", x, 2, 2); !errors.Is(err, ml.ErrShape) {
		t.Errorf("an impossible shape: %v", err)
	}
	x.Set(1, 2, 1e39)
	if _, err := Rows("test", x); !errors.Is(err, ml.ErrNotFinite) || !strings.Contains(err.Error(), "row 1, column 2") {
		t.Errorf("beyond float32: %v", err)
	}
}

func TestDivide(t *testing.T) {
	x := mat.NewDense(40, 2, nil)
	y := make([]int, 40)
	for i := range y {
		x.Set(i, 0, float64(i))
		y[i] = i
	}
	tr := Train{Holdout: 0.25, Seed: 5}
	d, err := tr.Divide("test", x)
	if err != nil {
		t.Fatal(err)
	}
	all := append(slices.Clone(d.TrainRows), d.ValidateRows...)
	slices.Sort(all)
	if len(d.ValidateRows) != 10 || len(slices.Compact(all)) != 40 || !slices.IsSorted(d.ValidateRows) {
		t.Errorf("%v and %v", d.TrainRows, d.ValidateRows)
	}
	train, held := tr.Labels(d, y)
	for i, label := range append(slices.Clone(train), held...) {
		m, row := d.Train, i
		if i >= len(train) {
			m, row = d.Validation, i-len(train)
		}
		if int(m.At(row, 0)) != label {
			t.Fatalf("row %d has the label %d and the number %v", i, label, m.At(row, 0))
		}
	}
	tr.Validation, tr.ValidationLabels = mat.NewDense(2, 2, []float64{7, 0, 8, 0}), []int{7, 8}
	d, err = tr.Divide("test", x)
	if train, held = tr.Labels(d, y); err != nil || len(train) != 40 || !slices.Equal(held, []int{7, 8}) || d.Train.RawMatrix().Rows != 40 {
		t.Errorf("with validation data of its own: %v, %v, %v", train, held, err)
	}
	for _, c := range []struct {
		tr   Train
		kind error
		says string
	}{
		{Train{Validation: mat.NewDense(2, 3, nil)}, ml.ErrShape, "validation"},
		{Train{Validation: mat.NewDense(1, 2, []float64{0, math.NaN()})}, ml.ErrNotFinite, "validation"},
		{Train{Holdout: 1}, ml.ErrParameter, "Holdout = 1"},
	} {
		if _, err := c.tr.Divide("test", x); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%+v: %v", c.tr, err)
		}
	}
	if d, err := (Train{}).Divide("test", x); err != nil || d.Validation != nil || d.Train.RawMatrix().Rows != 40 {
		t.Errorf("without: %+v, %v", d, err)
	}
}

// The mean over all rows, also where they are no whole number of chunks: 1,030 rows with a loss of
// their own each.
func TestValidationCoversEveryRow(t *testing.T) {
	const n = 1031
	v := &Array{}
	mean := 0.0
	for i := range n {
		v.Floats = append(v.Floats, float32(i%7)+float32(i/(n-1))*500)
		mean += float64(v.Floats[i]) / n
	}
	p := Problem{Method: "test", Data: []*Array{{Floats: []float32{0, 0}}}, Validation: []*Array{v}, Loss: func(s *model.Scope, b Batch) Loss {
		w := s.WithInitializer(initializer.Zero).VariableWithShape("w", shapes.Make(dtypes.Float32)).NodeValue(b.Step)
		return Loss{Total: graph.Add(graph.Square(w), graph.ReduceAllMean(b.Data[0]))}
	}}
	r := mustRun(t, Train{Steps: 1, Report: 1, Backend: "go"}, p)
	if got := r.History.Validation[0]; math.Abs(got-mean) > 1e-5*mean {
		t.Errorf("validation loss %v, the mean of all rows is %v", got, mean)
	}
}

func TestBackendChoice(t *testing.T) {
	b, err := Open("go")
	if err != nil || b.Config != "go" || !strings.Contains(b.Why, "pure-Go") {
		t.Errorf("%+v, %v", b, err)
	}
	t.Setenv("GOMLX_BACKEND", "go")
	if b, err = Open(""); err != nil || b.Config != "go" || !strings.Contains(b.Why, "GOMLX_BACKEND") {
		t.Errorf("GOMLX_BACKEND=go: %+v, %v", b, err)
	}
	t.Setenv("GOMLX_BACKEND", "no such")
	if _, err = Open(""); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), "no such") {
		t.Errorf("GOMLX_BACKEND=no such: %v", err)
	}
	t.Setenv("GOMLX_BACKEND", "")
	best, err := Open("")
	if err != nil || best.Why == "" || strings.Contains(best.Why, "\n") {
		t.Fatalf("%+v, %v", best, err)
	}
	want := "go"
	if xlatest.Found() {
		want = "xla:cpu"
		if hasGPU() {
			want = "xla:cuda"
		}
	}
	if best.Config != want {
		t.Errorf("the best backend is %s (%s), want %s", best.Config, best.Why, want)
	}
}
