package neuraltest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/layers"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
)

func TestMain(m *testing.M) { xlatest.Main(m) }

// line is the smallest method: a line through points.
type line struct {
	Wide  bool
	Train neural.Train
}

type lineModel struct {
	neural.Trained
	Wide bool
	Note string
	Kept neural.Train
}

func init() { ml.Register[lineModel]("neuraltest.line") }

func predicted(s *model.Scope, x *graph.Node, wide bool) *graph.Node {
	if wide {
		x = layers.DenseWithBias(s.In("hidden"), x, 4)
	}
	return layers.DenseWithBias(s.In("line"), x, 1)
}

func (l line) Fit(ctx context.Context, x mat.Matrix) (*lineModel, error) {
	return ml.Last(neural.Models(ctx, func() (neural.Train, neural.Problem, func(neural.Trained) *lineModel, error) {
		p := neural.Problem{Method: "neuraltest.line", Options: l}
		d, err := l.Train.Divide(p.Method, x)
		if err != nil {
			return l.Train, p, nil, err
		}
		rows, err := neural.Rows(p.Method, d.Train)
		if err != nil {
			return l.Train, p, nil, err
		}
		p.Data = []*neural.Array{rows}
		if d.Validation != nil {
			v, err := neural.Rows(p.Method, d.Validation)
			if err != nil {
				return l.Train, p, nil, err
			}
			p.Validation = []*neural.Array{v}
		}
		p.Loss = func(s *model.Scope, b neural.Batch) neural.Loss {
			in, want := graph.Slice(b.Data[0], graph.AxisRange(), graph.AxisRange(0, 1)), graph.Slice(b.Data[0], graph.AxisRange(), graph.AxisRange(1, 2))
			return neural.Loss{Total: graph.ReduceAllMean(graph.Square(graph.Sub(predicted(s, in, l.Wide), want)))}
		}
		return l.Train.Or(neural.Train{LearningRate: 0.1, Batch: 8}), p, func(r neural.Trained) *lineModel {
			return &lineModel{Trained: r, Wide: l.Wide}
		}, nil
	}))
}

func (m *lineModel) at(ctx context.Context, xs ...float32) ([]float64, error) {
	f, err := m.Func("at", nil, func(s *model.Scope, in []*graph.Node) []*graph.Node {
		return []*graph.Node{predicted(s, in[0], m.Wide)}
	})
	if err != nil {
		return nil, err
	}
	out, err := f.Rows(ctx, 4, &neural.Array{Shape: []int{1}, Floats: xs})
	if err != nil {
		return nil, err
	}
	return mat.Col(nil, 0, out[0]), nil
}

func good() Method[lineModel] {
	x := mltest.Normal(1, 40, 2)
	fit := func(wide bool) func(ctx context.Context, t neural.Train) (*lineModel, error) {
		return func(ctx context.Context, t neural.Train) (*lineModel, error) {
			return line{Wide: wide, Train: t}.Fit(ctx, x)
		}
	}
	return Method[lineModel]{
		Fit: fit(false), Other: fit(true),
		Answer: func(ctx context.Context, m *lineModel) ([]float64, error) { return m.at(ctx, -1, 0, 1, 2, 3) },
		Refused: []Refusal{{"no rows", func(ctx context.Context) error {
			return mltest.Err(line{}.Fit(ctx, &mat.Dense{}))
		}, ml.ErrEmpty, nil}},
	}
}

func TestGoodMethodPasses(t *testing.T) { Run(t, good()) }

// recorder notes whether a check has complained.
type recorder struct {
	testing.TB
	said []string
}

func (r *recorder) Helper()                      {}
func (r *recorder) Errorf(f string, args ...any) { r.said = append(r.said, fmt.Sprintf(f, args...)) }

// Each break is caught by the check that is there for it.
func TestEachCheckCatchesItsBreaks(t *testing.T) {
	fit := good().Fit
	var calls atomic.Int64
	// after changes what Fit gives.
	after := func(change func(m *lineModel, t neural.Train)) func(*Method[lineModel]) {
		return func(m *Method[lineModel]) {
			m.Fit = func(ctx context.Context, t neural.Train) (*lineModel, error) {
				l, err := fit(ctx, t)
				if l != nil {
					change(l, t)
				}
				return l, err
			}
		}
	}
	// before changes how Fit is asked to train.
	before := func(change func(t *neural.Train)) func(*Method[lineModel]) {
		return func(m *Method[lineModel]) {
			m.Fit = func(ctx context.Context, t neural.Train) (*lineModel, error) { change(&t); return fit(ctx, t) }
		}
	}
	breaks := map[string][]func(m *Method[lineModel]){
		"the seed decides": {
			before(func(t *neural.Train) { t.Seed = uint64(calls.Add(1)) }),
			before(func(t *neural.Train) { t.Seed = 7 }),
			before(func(t *neural.Train) { t.Holdout = -1 }),
			before(func(t *neural.Train) { t.Report = 1 }),
		},
		"cancelled, it gives the model so far": {
			func(m *Method[lineModel]) {
				m.Fit = func(ctx context.Context, t neural.Train) (*lineModel, error) {
					l, err := fit(ctx, t)
					if err != nil {
						l = nil
					}
					return l, err
				}
			},
			func(m *Method[lineModel]) {
				m.Fit = func(ctx context.Context, t neural.Train) (*lineModel, error) {
					t.Steps = min(t.Steps, 30)
					return fit(context.WithoutCancel(ctx), t)
				}
			},
			func(m *Method[lineModel]) {
				m.Answer = func(_ context.Context, l *lineModel) ([]float64, error) { return l.at(context.Background(), 1) }
			},
		},
		"cut off, it goes on to the same bits": {
			before(func(t *neural.Train) { t.Checkpoint = "" }),
			after(func(m *lineModel, t neural.Train) {
				if t.Checkpoint != "" {
					m.History.Loss[0]++
				}
			}),
			func(m *Method[lineModel]) { m.Other = m.Fit },
		},
		"options of the training are named": {
			before(func(t *neural.Train) { t.Batch = max(t.Batch, 1) }),
			before(func(t *neural.Train) { t.Backend = "go" }),
		},
		"a file answers alike and holds no path": {
			after(func(m *lineModel, t neural.Train) { m.Note = "kept in " + t.Checkpoint }),
			after(func(m *lineModel, t neural.Train) { m.Kept = t }),
			func(m *Method[lineModel]) {
				m.Answer = func(ctx context.Context, l *lineModel) ([]float64, error) {
					y, err := l.at(ctx, 1)
					return append(y, float64(calls.Add(1))), err
				}
			},
		},
		"both backends agree": {
			after(func(m *lineModel, t neural.Train) {
				if t.Backend == "xla" {
					m.History.Loss[0]++
				}
			}),
		},
		"bad options and data are named": {
			func(m *Method[lineModel]) { m.Refused[0].Kind = ml.ErrShape },
			func(m *Method[lineModel]) { m.Refused[0].Says = []string{"nothing of the kind"} },
			func(m *Method[lineModel]) { m.Refused[0].Call = func(context.Context) error { return nil } },
		},
	}
	for _, c := range good().checks() {
		if len(breaks[c.name]) == 0 {
			t.Errorf("nothing breaks %q", c.name)
		}
		if c.xla && !xlatest.Found() {
			continue
		}
		for i, spoil := range breaks[c.name] {
			t.Run(fmt.Sprintf("%s, %d", c.name, i), func(t *testing.T) {
				t.Setenv("GOMLX_BACKEND", "go")
				m := good()
				spoil(&m)
				for _, broken := range m.checks() {
					if r := (&recorder{TB: t}); broken.name == c.name {
						if broken.run(r); len(r.said) == 0 {
							t.Errorf("a method that breaks %q passes it", c.name)
						}
					}
				}
			})
		}
	}
	if _, ok := trained(&recorder{TB: t}, &struct{ Weights neural.Weights }{}); ok {
		t.Error("a model that does not embed neural.Trained passes for one that does")
	}
	m := good()
	m.Fit = func(context.Context, neural.Train) (*lineModel, error) { return nil, errors.New("out of order") }
	r := &recorder{TB: t}
	if m.seeds(r); !strings.Contains(strings.Join(r.said, " "), "out of order") {
		t.Errorf("a broken fit: %q", r.said)
	}
}
