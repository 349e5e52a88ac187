// Package neuraltest holds every neural method to what all of them promise beside what mltest holds
// all methods to: a training that is cut off gives the model so far and goes on from its checkpoint
// to the same bits, both backends agree, a file opens on another backend and holds no path, options
// of a training that are out of range are named, the seed decides. It is a package of its own so
// that the tests of classical methods need not link a backend. A method's test file calls it once:
//
//	func TestTraining(t *testing.T) {
//		x := mltest.Stripes(40, 6, 2)
//		neuraltest.Run(t, neuraltest.Method[MADEModel]{
//			Fit: func(ctx context.Context, t neural.Train) (*MADEModel, error) {
//				return MADE{Hidden: []int{8}, Train: t}.Fit(ctx, x)
//			},
//			Other: func(ctx context.Context, t neural.Train) (*MADEModel, error) {
//				return MADE{Hidden: []int{9}, Train: t}.Fit(ctx, x)
//			},
//			Answer: func(ctx context.Context, m *MADEModel) ([]float64, error) { return m.LogProb(ctx, x) },
//		})
//	}
//
// TestMain must be xlatest.Main, or XLA is not found and what needs it is left out.
package neuraltest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
)

// Method is a neural method on small data, with all options set but how it is trained. A model
// embeds neural.Trained. Other and Refused may be left out.
type Method[M any] struct {
	// Fit trains as t says. The suite sets Steps, Report, Seed, Checkpoint and Backend, and, unless
	// NoHoldout, Holdout; the rest is that of Train.
	Fit   func(ctx context.Context, t neural.Train) (*M, error)
	Train neural.Train

	Answer    func(ctx context.Context, m *M) ([]float64, error)    // of a model to something: log p of rows, codes
	Other     func(ctx context.Context, t neural.Train) (*M, error) // Fit with another option, so that its checkpoint is another's
	Refused   []Refusal
	NoHoldout bool    // the method has no validation
	Tolerance float64 // between backends, of losses and answers, relative beyond 1; 0 means 1e-3
}

// Refusal is a call that must fail.
type Refusal struct {
	Name string
	Call func(ctx context.Context) error
	Kind error    // ml's
	Says []string // what the error must say
}

// Run runs every check as a subtest.
func Run[M any](t *testing.T, m Method[M]) {
	t.Helper()
	for _, c := range m.checks() {
		t.Run(c.name, func(t *testing.T) {
			if c.xla {
				xlatest.Require(t)
			}
			t.Setenv("GOMLX_BACKEND", "go") // of models, wherever they were trained
			c.run(t)
		})
	}
}

type check struct {
	name string
	xla  bool // both backends are needed
	run  func(t testing.TB)
}

func (m Method[M]) checks() []check {
	out := []check{
		{"the seed decides", false, m.seeds},
		{"cancelled, it gives the model so far", false, m.cancelled},
		{"cut off, it goes on to the same bits", false, m.resumed},
		{"options of the training are named", false, m.badTraining},
		{"a file answers alike and holds no path", false, m.saved},
		{"both backends agree", true, m.backends},
	}
	if len(m.Refused) > 0 {
		out = append(out, check{"bad options and data are named", false, m.refuses})
	}
	return out
}

const (
	steps  = 12 // of a training to its end
	report = 3
)

// training is a short one on the Go backend.
func (m Method[M]) training() neural.Train {
	t := m.Train
	t.Steps, t.Report, t.Seed, t.Checkpoint, t.Backend = steps, report, 1, "", "go"
	if !m.NoHoldout {
		t.Holdout = 0.25
	}
	return t
}

// must is a training that has no excuse.
func (m Method[M]) must(t testing.TB, train neural.Train) (*M, neural.Trained, bool) {
	t.Helper()
	model, err := m.Fit(t.Context(), train)
	if err == nil && model == nil {
		err = errors.New("neither a model nor an error")
	}
	if err != nil {
		t.Errorf("a training of %d steps: %v", train.Steps, err)
		return nil, neural.Trained{}, false
	}
	of, ok := trained(t, model)
	return model, of, ok
}

// trained is what the model embeds.
func trained(t testing.TB, model any) (neural.Trained, bool) {
	t.Helper()
	if f := reflect.Indirect(reflect.ValueOf(model)).FieldByName("Trained"); f.IsValid() {
		if of, ok := f.Interface().(neural.Trained); ok {
			return of, true
		}
	}
	t.Errorf("%T does not embed neural.Trained", model)
	return neural.Trained{}, false
}

func (m Method[M]) answer(t testing.TB, model *M) []float64 {
	t.Helper()
	out, err := m.Answer(t.Context(), model)
	if err == nil && len(out) == 0 {
		err = errors.New("it says nothing")
	}
	if err == nil && slices.ContainsFunc(out, func(v float64) bool { return math.IsNaN(v) }) {
		err = fmt.Errorf("it says NaN: %v", out)
	}
	if err != nil {
		t.Errorf("the answer: %v", err)
	}
	return out
}

// sameTraining wants equal weights and equal histories, to the bit.
func sameTraining(t testing.TB, what string, a, b neural.Trained) {
	t.Helper()
	switch {
	case !reflect.DeepEqual(a.Weights, b.Weights):
		t.Errorf("%s: other weights", what)
	case !reflect.DeepEqual(a.History, b.History):
		t.Errorf("%s: another history: losses %v and %v", what, a.History.Loss, b.History.Loss)
	case a.Steps != b.Steps || a.Stopped != b.Stopped:
		t.Errorf("%s: %d steps, stopped by %q, and %d, stopped by %q", what, a.Steps, a.Stopped, b.Steps, b.Stopped)
	}
}

func (m Method[M]) seeds(t testing.TB) {
	train := m.training()
	_, one, ok1 := m.must(t, train)
	_, again, ok2 := m.must(t, train)
	train.Seed++
	_, other, ok3 := m.must(t, train)
	if !ok1 || !ok2 || !ok3 {
		return
	}
	sameTraining(t, "the same seed", one, again)
	if len(one.Weights.Names) == 0 || reflect.DeepEqual(one.Weights, other.Weights) {
		t.Errorf("another seed gives the same %d weights", len(one.Weights.Names))
	}
	if n := len(one.History.Steps); n != steps/report || one.Steps != steps || one.Stopped != "steps" {
		t.Errorf("%d reports of %d steps, stopped by %q; want %d of %d, by steps", n, one.Steps, one.Stopped, steps/report, steps)
	}
	if v := one.History.Validation; !m.NoHoldout && (len(v) != steps/report || slices.ContainsFunc(v, func(v float64) bool { return v-v != 0 })) {
		t.Errorf("with a quarter of the rows kept back the validation losses are %v", v)
	}
}

// endless is a training that only its context ends.
func (m Method[M]) endless() neural.Train {
	train := m.training()
	train.Steps, train.Patience = 1<<30, 0
	return train
}

func (m Method[M]) cancelled(t testing.TB) {
	var part *M
	stopped := mltest.PromptAt(t, "the training", func(ctx context.Context, end func()) (err error) {
		ctx = neural.Watch(ctx, func(r neural.Trained) {
			if r.Steps >= 2*report {
				end()
			}
		})
		part, err = m.Fit(ctx, m.endless())
		return err
	})
	if !stopped {
		t.Errorf("an endless training came to an end, or did not say that its context ended it")
		return
	}
	if part == nil {
		t.Errorf("beside context.Canceled there is no model")
		return
	}
	if of, ok := trained(t, part); ok && (len(of.History.Steps) < 2 || of.Stopped != "" || of.Steps < 2*report) {
		t.Errorf("the model so far has %d reports of %d steps, stopped by %q", len(of.History.Steps), of.Steps, of.Stopped)
	}
	m.answer(t, part)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.Fit(ended, m.endless()); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context the error is %v, want context.Canceled", err)
	}
	if _, err := m.Answer(ended, part); !errors.Is(err, context.Canceled) {
		t.Errorf("asked with an ended context, the model says %v, want context.Canceled", err)
	}
}

func (m Method[M]) resumed(t testing.TB) {
	train := m.training()
	_, whole, ok := m.must(t, train)
	if !ok {
		return
	}
	train.Checkpoint = filepath.Join(t.TempDir(), "state.zip")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watched := neural.Watch(ctx, func(r neural.Trained) {
		if r.Steps >= 2*report {
			cancel()
		}
	})
	if _, err := m.Fit(watched, train); !errors.Is(err, context.Canceled) {
		t.Errorf("the training that is cut off: %v, want context.Canceled", err)
	}
	if _, err := os.Stat(train.Checkpoint); err != nil {
		t.Errorf("it leaves no checkpoint: %v", err)
		return
	}
	from := -1
	_, err := m.Fit(neural.Watch(t.Context(), func(r neural.Trained) {
		if from < 0 {
			from = r.Steps
		}
	}), train)
	if err != nil || from < 3*report {
		t.Errorf("it goes on from step %d or less, and was at %d (%v)", from, 2*report, err)
	}
	if _, rest, ok := m.must(t, train); ok { // once more, from the end
		sameTraining(t, "cut off and gone on", whole, rest)
	}
	if m.Other != nil {
		_, err := m.Other(t.Context(), train)
		mltest.Refused(t, "the checkpoint of other options", err, ml.ErrFormat)
	}
}

func (m Method[M]) badTraining(t testing.TB) {
	for field, change := range map[string]func(*neural.Train){
		"Batch":        func(t *neural.Train) { t.Batch = -1 },
		"Steps":        func(t *neural.Train) { t.Steps = -1 },
		"LearningRate": func(t *neural.Train) { t.LearningRate = math.NaN() },
		"Schedule":     func(t *neural.Train) { t.Schedule = "sudden" },
		"EMA":          func(t *neural.Train) { t.EMA = 1 },
		"Beta1":        func(t *neural.Train) { t.Beta1 = 1 },
		"Report":       func(t *neural.Train) { t.Report = -1 },
		"Warmup":       func(t *neural.Train) { t.Warmup = 1 << 30 },
		"backend":      func(t *neural.Train) { t.Backend = "abacus" },
	} {
		train := m.training()
		change(&train)
		model, err := m.Fit(t.Context(), train)
		mltest.Refused(t, field, err, ml.ErrParameter, field)
		if model != nil {
			t.Errorf("%s: there is a model beside the error", field)
		}
	}
}

func (m Method[M]) saved(t testing.TB) {
	train := m.training()
	train.Checkpoint = filepath.Join(t.TempDir(), "state.zip")
	model, _, ok := m.must(t, train)
	if !ok {
		return
	}
	if again := file(t, model); again != nil {
		if a, b := m.answer(t, model), m.answer(t, again); !slices.Equal(a, b) {
			t.Errorf("the model says %v, and %v after a file", a, b)
		}
	}
	if where := holds(reflect.ValueOf(model).Elem(), "model", filepath.Dir(train.Checkpoint)); where != "" {
		t.Errorf("%s", where)
	}
}

// file is the model saved and loaded.
func file[M any](t testing.TB, model *M) *M {
	t.Helper()
	path := filepath.Join(t.TempDir(), "model.zip")
	err := ml.Save(path, model)
	if err == nil {
		model, err = ml.Load[M](path)
	}
	if err != nil {
		t.Errorf("saving and loading: %v", err)
		return nil
	}
	return model
}

// holds looks for what no model may keep: how it was trained, or where.
func holds(v reflect.Value, name, path string) string {
	if train, ok := v.Interface().(neural.Train); ok && !reflect.ValueOf(train).IsZero() {
		return fmt.Sprintf("%s is a neural.Train that is set", name)
	}
	switch v.Kind() {
	case reflect.String:
		if strings.Contains(v.String(), path) {
			return fmt.Sprintf("%s holds the path %q", name, v.String())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				if where := holds(v.Field(i), name+"."+f.Name, path); where != "" {
					return where
				}
			}
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() && v.Elem().CanInterface() {
			return holds(v.Elem(), name, path)
		}
	}
	return ""
}

// backends trains on both, and asks a model that was trained on one and kept in a file on the
// other. Graphs are compiled as few times as can be, which takes XLA seconds.
func (m Method[M]) backends(t testing.TB) {
	train := m.training()
	train.Holdout = m.Train.Holdout
	model, a, ok := m.must(t, train)
	if !ok {
		return
	}
	train.Backend = "xla"
	_, b, ok := m.must(t, train)
	if !ok {
		return
	}
	m.close(t, "the losses on XLA", b.History.Loss, a.History.Loss)
	m.close(t, "the validation losses on XLA", b.History.Validation, a.History.Validation)
	want := m.answer(t, model)
	if again := file(t, model); again != nil {
		on(t, "xla:cpu", func() { m.close(t, "the answer on XLA, after a file,", m.answer(t, again), want) })
	}
}

func (m Method[M]) close(t testing.TB, what string, got, want []float64) {
	t.Helper()
	tolerance := m.Tolerance
	if tolerance == 0 {
		tolerance = 1e-3
	}
	if gap := mltest.Gap(got, want); !(gap <= tolerance) {
		t.Errorf("%s differ by %.2g from those on the Go backend, want at most %g: %v and %v", what, gap, tolerance, got, want)
	}
}

// on runs f with models on a backend.
func on(t testing.TB, backend string, f func()) {
	before := os.Getenv("GOMLX_BACKEND")
	t.Setenv("GOMLX_BACKEND", backend)
	f()
	t.Setenv("GOMLX_BACKEND", before)
}

func (m Method[M]) refuses(t testing.TB) {
	for _, r := range m.Refused {
		mltest.Refused(t, r.Name, r.Call(t.Context()), r.Kind, r.Says...)
	}
}
