package neural

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

const childVariable = "LATENT_TEST_CHILD"

// killed is the training that a child process runs and is killed in: everything that has a state is
// on.
func killed(path, backend string) (Train, Problem) {
	p := curve(70)
	p.Validation = curve(20).Data
	p.Streams = []Stream{{Data: curve(11).Data, Batch: 4}}
	p.Averages = []Average{{Of: "/hidden", In: "/slow/hidden", Decay: 0.9, Ramp: true}}
	p.Loss = nil
	p.Players = []Player{
		{Name: "curve", Scope: []string{"/hidden", "/out"}, Loss: func(s *model.Scope, b Batch) Loss {
			loss := squares(s, b)
			slow := graph.Tanh(layers.DenseWithBias(s.At("slow").In("hidden"), b.Data[0], 16))
			loss.Parts = append(loss.Parts, Part{"slow", graph.ReduceAllMean(slow)}, Part{"running", Running(s, b, "running", 0.9, graph.ReduceAllMean(slow))})
			return loss
		}},
		{Name: "critic", Scope: []string{"/critic"}, Moves: 2, Train: Train{LearningRate: 0.003, Beta1: -1}, Loss: func(s *model.Scope, b Batch) Loss {
			rows := b.Streams[0][0]
			queue, filled := Enqueue(s, b, "queue", 6, rows)
			shift := FromFirstBatch(s.At("critic"), b, "shift", graph.ReduceMean(rows, 0))
			fit := graph.ReduceAllMean(graph.Square(graph.Sub(layers.DenseWithBias(s.At("critic"), graph.Add(rows, graph.InsertAxes(shift, 0)), 1), b.Streams[0][1])))
			return Loss{Total: fit, Parts: []Part{{"queue", graph.ReduceAllSum(graph.Mul(graph.Squeeze(queue, -1), filled))}}}
		}},
	}
	return Train{Steps: 3000, Batch: 16, LearningRate: 0.01, Report: 25, EMA: 0.99, ClipNorm: 1, Warmup: 30, Schedule: Cosine, WeightDecay: 0.01, Patience: 1000,
		Backend: backend, Checkpoint: path, Seed: 11}, p
}

func child() {
	tr, p := killed(os.Getenv(childVariable), os.Getenv("LATENT_TEST_BACKEND"))
	for r, err := range tr.Iterate(context.Background(), p) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		if r.Steps > 200 {
			time.Sleep(2 * time.Millisecond) // so that there is time for the kill
		}
	}
}

// A process is killed with SIGKILL, twice, at whatever it is doing; a third goes on from what it
// finds and ends with the numbers of a run that nothing disturbed, to the last bit.
func TestResumesAfterAKill(t *testing.T) {
	for _, backend := range []string{"go", "xla"} {
		t.Run(backend, func(t *testing.T) {
			if backend == "xla" {
				xlatest.Require(t)
			}
			path := filepath.Join(t.TempDir(), "state")
			before := time.Time{}
			for range 2 {
				cmd := exec.Command(os.Args[0])
				cmd.Env = append(os.Environ(), childVariable+"="+path, "LATENT_TEST_BACKEND="+backend)
				var out strings.Builder
				cmd.Stderr = &out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				deadline := time.Now().Add(90 * time.Second)
				for { // until it has written at least one checkpoint of its own
					if info, err := os.Stat(path); err == nil && info.ModTime().After(before) {
						before = info.ModTime()
						break
					}
					if time.Now().After(deadline) {
						_ = cmd.Process.Kill()
						t.Fatalf("no checkpoint within 90 s: %s", out.String())
					}
					time.Sleep(time.Millisecond)
				}
				time.Sleep(7 * time.Millisecond)
				if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				err := cmd.Wait()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("the child ended with %v before it could be killed: %s", err, out.String())
				}
				if info, err := os.Stat(path); err == nil {
					before = info.ModTime()
				}
			}
			tr, p := killed(path, backend)
			var first *Trained
			for r, err := range tr.Iterate(t.Context(), p) {
				if err != nil {
					t.Fatal(err)
				}
				first = r
				break
			}
			if first.Steps <= 25 || first.Steps >= tr.Steps {
				t.Fatalf("the first report is that of step %d: it did not go on", first.Steps)
			}
			resumed := mustRun(t, tr, p)
			tr.Checkpoint = ""
			if whole := mustRun(t, tr, p); !reflect.DeepEqual(resumed, whole) {
				t.Errorf("after two kills the losses end with %v, undisturbed with %v", tail(resumed.History.Loss), tail(whole.History.Loss))
			}
			tr.Checkpoint = path
			if again := mustRun(t, tr, p); !reflect.DeepEqual(again, resumed) {
				t.Error("a training that had ended, run again, gives another result")
			}
		})
	}
}

func tail(x []float64) []float64 { return x[max(len(x)-3, 0):] }

func wider(s *model.Scope, b Batch) Loss {
	h := graph.Tanh(layers.DenseWithBias(s.In("hidden"), b.Data[0], 17))
	return Loss{Total: graph.ReduceAllMean(graph.Square(layers.DenseWithBias(s.In("out"), h, 1))), Parts: []Part{{"a", b.Step}, {"b", b.Step}}}
}

// interruptedAt trains until a step and leaves a checkpoint there.
func interruptedAt(t *testing.T, tr Train, p Problem, step int) {
	t.Helper()
	for r, err := range tr.Iterate(t.Context(), p) {
		if err != nil {
			t.Fatal(err)
		}
		if r.Steps >= step {
			return
		}
	}
}

func TestCheckpointsThatDoNotFit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	tr, p := small(), curve(50)
	tr.Checkpoint, p.Options = path, methodOptions{Name: "a"}
	interruptedAt(t, tr, p, 20)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		file   []byte
		change func(tr *Train, p *Problem)
		says   string
	}{
		{"cut off", good[:len(good)*2/3], nil, "cut off"},
		{"one byte short", good[:len(good)-1], nil, "cut off"},
		{"empty", nil, nil, "cut off"},
		{"text", []byte("no checkpoint at all"), nil, "cut off"},
		{"a bit turned", flipped(good), nil, ""},
		{"another method", good, func(_ *Train, p *Problem) { p.Method = "test.Other" }, "its method is test.Curve"},
		{"other options", good, func(_ *Train, p *Problem) { p.Options = methodOptions{Name: "b"} }, "its options is Name:a, this one's is Name:b"},
		{"an option more", good, func(_ *Train, p *Problem) { p.Options = methodOptions{Name: "a", Sizes: []int{2}} }, "Sizes:[2]"},
		{"another rate", good, func(tr *Train, _ *Problem) { tr.LearningRate = 0.5 }, "LearningRate:0.02"},
		{"another seed", good, func(tr *Train, _ *Problem) { tr.Seed = 9 }, "Seed:9"},
		{"other data", good, func(_ *Train, p *Problem) { p.Data = curve(51).Data }, "data"},
		{"another network", good, func(_ *Train, p *Problem) { p.Loss = wider }, "variable"},
	} {
		if err := os.WriteFile(path, c.file, 0o600); err != nil {
			t.Fatal(err)
		}
		tr, p := tr, p
		if c.change != nil {
			c.change(&tr, &p)
		}
		r, err := tr.Run(t.Context(), p)
		if !errors.Is(err, ml.ErrFormat) || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), path) || r != nil {
			t.Errorf("%s: %v, %v; want an error that wraps ml.ErrFormat, names the file and says %q", c.name, r, err, c.says)
		}
		if left, err := os.ReadFile(path); err != nil || string(left) != string(c.file) {
			t.Errorf("%s: the file was changed", c.name)
		}
	}
}

type methodOptions struct {
	Name  string
	Sizes []int
	Train Train
}

// A checkpoint is known by what decides the numbers: a new option that is not used, another place
// or backend, more steps at a rate that stays do not make another training of it.
func TestCheckpointsOutliveWhatDoesNotMatter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	tr, p := small(), curve(50)
	tr.Checkpoint, p.Options = path, struct{ Name string }{"a"}
	interruptedAt(t, tr, p, 20)
	p.Options = methodOptions{Name: "a", Train: Train{Steps: 3}}
	tr.Steps, tr.Patience, tr.Report, tr.Checkpoint = 60, -1, 20, filepath.Join(filepath.Dir(path), "moved")
	if err := os.Rename(path, tr.Checkpoint); err != nil {
		t.Fatal(err)
	}
	for r, err := range tr.Iterate(t.Context(), p) {
		if err != nil || r.Steps != 40 {
			t.Fatalf("the first report of the training that goes on is that of step %d, %v", r.Steps, err)
		}
		break
	}
}

func flipped(b []byte) []byte {
	out := append([]byte(nil), b...)
	out[len(out)/2] ^= 4
	return out
}

// On a full disk the training stops with an error, and the checkpoint of before stays whole: a
// later run goes on from it.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this system has no /dev/full")
	}
	path := filepath.Join(t.TempDir(), "state")
	tr, p := small(), curve(50)
	tr.Checkpoint = path
	interruptedAt(t, tr, p, 20)
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	create = func(string) (*os.File, error) { return os.OpenFile("/dev/full", os.O_WRONLY, 0) }
	r, err := tr.Run(t.Context(), p)
	create = func(path string) (*os.File, error) { return os.Create(path) }
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "step 30") || r == nil || r.Steps != 30 {
		t.Fatalf("on a full disk: %+v, %v", r, err)
	}
	if left, err := os.ReadFile(path); err != nil || string(left) != string(good) {
		t.Fatalf("the checkpoint of before has changed (%v)", err)
	}
	whole := tr
	whole.Checkpoint = ""
	if a, b := mustRun(t, tr, p), mustRun(t, whole, p); !reflect.DeepEqual(a, b) {
		t.Error("the run after the full disk ends with other numbers")
	}
	if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), "*")); err != nil || len(left) != 1 {
		t.Errorf("files left behind: %v (%v)", left, err)
	}
	tr.Checkpoint = filepath.Join(t.TempDir(), "no such folder", "state")
	if _, err := tr.Run(t.Context(), p); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("in a folder that there is not: %v", err)
	}
}

// Weights go into a saved model as a field, and come back to the last bit.
func TestWeightsSurviveAFile(t *testing.T) {
	type saved struct {
		W Weights
		H History
	}
	ml.Register[saved]("neural.test")
	r := mustRun(t, small(), curve(50))
	in := &saved{r.Weights.With("/scalar", mat.NewDense(1, 1, []float64{2})), r.History}
	path := filepath.Join(t.TempDir(), "model.zip")
	if err := ml.Save(path, in); err != nil {
		t.Fatal(err)
	}
	out, err := ml.Load[saved](path)
	if err != nil || !reflect.DeepEqual(in, out) {
		t.Fatalf("%+v, %v, want %+v", out, err, in)
	}
	out.W.Shapes[0] = "9×9"
	if _, err := NewFunc("go", out.W, nil); !errors.Is(err, ml.ErrShape) {
		t.Errorf("weights whose shape is wrong: %v", err)
	}
}
