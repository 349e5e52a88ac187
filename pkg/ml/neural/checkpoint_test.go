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

// killed is the training that a child process runs and is killed in: everything that has a state is on.
func killed(path, backend string) (Train, Problem) {
	p := curve(70)
	p.Validation = curve(20).Data
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
		if r.Step > 200 {
			time.Sleep(2 * time.Millisecond) // so that there is time for the kill
		}
	}
}

// A process is killed with SIGKILL, twice, at whatever it is doing; a third goes on from what it finds and ends with the numbers of a run that nothing
// disturbed, to the last bit.
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
			var first *Result
			for r, err := range tr.Iterate(t.Context(), p) {
				if err != nil {
					t.Fatal(err)
				}
				first = r
				break
			}
			if first.Step <= 25 || first.Step >= tr.Steps {
				t.Fatalf("the first report is that of step %d: it did not go on", first.Step)
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
		if r.Step >= step {
			return
		}
	}
}

func TestCheckpointsThatDoNotFit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state")
	tr, p := small(), curve(50)
	tr.Checkpoint, p.Options = path, "a"
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
		{"other options", good, func(_ *Train, p *Problem) { p.Options = "b" }, "its options is a, this one's is b"},
		{"another rate", good, func(tr *Train, _ *Problem) { tr.LearningRate = 0.5 }, "LearningRate:0.02"},
		{"another seed", good, func(tr *Train, _ *Problem) { tr.Seed = 9 }, "Seed:0"},
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

func flipped(b []byte) []byte {
	out := append([]byte(nil), b...)
	out[len(out)/2] ^= 4
	return out
}

// On a full disk the training stops with an error, and the checkpoint of before stays whole: a later run goes on from it.
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
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "step 30") || r == nil || r.Step != 30 {
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
