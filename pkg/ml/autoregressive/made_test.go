package autoregressive

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

func TestMain(m *testing.M) { xlatest.Main(m) }

// Whatever the weights, the probabilities of all observations sum to 1.
func TestMADENormalizes(t *testing.T) {
	for _, c := range []struct {
		m MADE
		d int
	}{
		{MADE{Hidden: []int{16, 12}}, 9}, {MADE{Hidden: []int{}}, 9}, {MADE{Hidden: []int{16}, Orders: 3}, 9}, {MADE{Hidden: []int{3}, Order: []int{4, 2, 0, 1, 3}}, 5},
		{MADE{Levels: 3, Hidden: []int{16, 16}}, 5}, {MADE{Levels: 4, Hidden: []int{10}, Orders: 2}, 3}, {MADE{Levels: 7}, 1},
	} {
		c.m.Train = check.Brief(20)
		levels := max(c.m.Levels, 2)
		fit := check.Fit(t, c.m, check.Symbols(1, 40, c.d, levels))
		logp, err := fit.LogProb(t.Context(), check.EveryRow(c.d, levels))
		if err != nil {
			t.Fatal(err)
		}
		total := 0.0
		for _, l := range logp {
			total += math.Exp(l)
		}
		if math.Abs(total-1) > 1e-5 {
			t.Errorf("%+v, %d variables: probabilities sum to %v", c.m, c.d, total)
		}
	}
}

// Every output has a gradient of exactly 0 with respect to its own input and to all that come
// later, in every order, at random weights; and somewhere one that is not 0.
func TestMADESeesNothingItMustNot(t *testing.T) {
	const d = 6
	for _, m := range []MADE{{Hidden: []int{20}}, {Hidden: []int{20, 15, 20}, Orders: 4}, {Hidden: []int{}, Orders: 2}, {Levels: 3, Hidden: []int{24, 24}, Orders: 2}, {Hidden: []int{2}}} {
		m.Train, m.Dropout = check.Brief(15), -1
		levels := max(m.Levels, 2)
		fit := check.Fit(t, m, check.Symbols(2, 30, d, levels))
		orders, _ := fit.Degrees.Dims()
		for order := range orders {
			f, err := neural.NewFunc("go", fit.Weights, func(s *model.Scope, in []*graph.Node) []*graph.Node {
				n := fit.network()
				logits := n.logits(s, in[0], n.degreesOf(in[0].Graph(), order), nil) // [b, d, outputs]
				var rows []*graph.Node
				for j := range d {
					for k := range logits.Shape().Dimensions[2] {
						out := graph.ReduceAllSum(graph.Slice(logits, graph.AxisRange(), graph.AxisElem(j), graph.AxisElem(k)))
						rows = append(rows, graph.Reshape(graph.Gradient(out, in[0])[0], 1, -1))
					}
				}
				return []*graph.Node{graph.Concatenate(rows, 0)}
			})
			if err != nil {
				t.Fatal(err)
			}
			inputs := 1
			if levels > 2 {
				inputs = levels
			}
			x := make([]float32, d*inputs)
			for i := range x {
				x[i] = float32(math.Sin(float64(3*i + order)))
			}
			out, err := f.Call(tensors.FromFlatDataAndDimensions(x, 1, len(x)))
			if err != nil {
				t.Fatal(err)
			}
			jacobian, err := neural.Matrix(out[0])
			if err != nil {
				t.Fatal(err)
			}
			seen := 0
			outputs := jacobian.RawMatrix().Rows / d
			for j := range d {
				for l := range d {
					allowed := fit.Degrees.At(order, l) < fit.Degrees.At(order, j)
					for k := range outputs {
						for i := range inputs {
							v := jacobian.At(j*outputs+k, l*inputs+i)
							if !allowed && v != 0 {
								t.Errorf("%+v, order %d: ∂ output %d/∂ input %d is %v, want exactly 0", m, order, j, l, v)
							}
							if allowed && v != 0 {
								seen++
							}
						}
					}
				}
			}
			if want := d * (d - 1) / 2; seen < want {
				t.Errorf("%+v, order %d: %d entries of the Jacobian are not 0, want at least the %d pairs in order", m, order, seen, want)
			}
		}
	}
}

// Logistic regression of one bit on another has as many parameters as the table of the two: trained
// to the end, it is the table.
func TestMADEOfTwoBitsIsTheTable(t *testing.T) {
	r, x := rng.New(4), mat.NewDense(200, 2, nil)
	for i := range 200 {
		a := r.Float64() < 0.3
		b := r.Float64() < map[bool]float64{true: 0.8, false: 0.4}[a]
		for j, v := range []bool{a, b} {
			if v {
				x.Set(i, j, 1)
			}
		}
	}
	table, err := Table{Context: 1, Smoothing: -1}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	fit := check.Fit(t, MADE{Hidden: []int{}, Train: neural.Train{Steps: 800, Batch: 200, LearningRate: 0.1, Schedule: neural.Cosine, Backend: "go"}}, x)
	logp, err := fit.LogProb(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if got := stat.Mean(logp, nil); math.Abs(got-table.LogLik) > 1e-4 {
		t.Errorf("log-likelihood %v, the table's %v", got, table.LogLik)
	}
	p, err := fit.Conditionals(t.Context(), mat.NewDense(2, 2, []float64{0, 0, 1, 0}))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		want, err := table.Conditional([]float64{float64(i)})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(p.At(i, 1)-want[1]) > 5e-3 {
			t.Errorf("p(x₁ = 1 | x₀ = %d) = %v, want %v", i, p.At(i, 1), want[1])
		}
	}
}

// The last of five bits is the parity of the others, which no logistic regression finds. The
// entropy is 4 log 2.
func TestMADEFindsParity(t *testing.T) {
	x := check.Symbols(6, 400, 5, 2)
	for i := range 400 {
		row := x.RawRowView(i)
		row[4] = math.Mod(row[0]+row[1]+row[2]+row[3], 2)
	}
	train := neural.Train{Steps: 1500, Batch: 100, LearningRate: 0.01, Schedule: neural.Cosine, Backend: "go"}
	deep := check.Fit(t, MADE{Hidden: []int{64, 64}, Dropout: -1, Train: train}, x)
	flat := check.Fit(t, MADE{Hidden: []int{}, Train: train}, x)
	all := check.EveryRow(5, 2)
	onlyEven := func(m *MADEModel) (even float64) { // probability of the 16 observations that can occur
		logp, err := m.LogProb(t.Context(), all)
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range logp {
			if row := all.RawRowView(i); row[4] == math.Mod(row[0]+row[1]+row[2]+row[3], 2) {
				even += math.Exp(l)
			}
		}
		return even
	}
	if p := onlyEven(deep); p < 0.99 {
		t.Errorf("two hidden layers give %v to what can occur, want 0.99", p)
	}
	if p := onlyEven(flat); p > 0.65 {
		t.Errorf("logistic conditionals give %v to what can occur: parity should be beyond them", p)
	}
}

// The frequencies of samples are the probabilities of the model: chi-square over as many cells has
// that mean, and twice that variance.
func TestMADESamplesFollowTheModel(t *testing.T) {
	for _, m := range []MADE{{Levels: 3, Hidden: []int{12}, Train: check.Brief(30)}, {Levels: 3, Hidden: []int{12}, Orders: 2, Train: check.Brief(30)}} {
		x := check.Symbols(8, 60, 3, 3)
		for i := range 60 {
			x.Set(i, 2, x.At(i, 0))
		}
		fit := check.Fit(t, m, x)
		s := check.SamplesFollow(t, fmt.Sprintf("%d orders", max(m.Orders, 1)), fit, 3, 3, 3000)
		again, err := fit.Sample(t.Context(), 10, 1)
		if err != nil || !mat.Equal(again, s.Slice(0, 10, 0, 3)) {
			t.Errorf("ten samples are not the first ten of many with the same seed (%v)", err)
		}
	}
}

func TestMADETraining(t *testing.T) {
	x := check.Symbols(9, 40, 6, 3)
	fit := func(hidden int) func(context.Context, neural.Train) (*MADEModel, error) {
		return func(ctx context.Context, t neural.Train) (*MADEModel, error) {
			return MADE{Levels: 3, Hidden: []int{hidden}, Orders: 2, Train: t}.Fit(ctx, x)
		}
	}
	check.Trains(t, x, fit(8), fit(9))
}

func TestMADEConformance(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	m := MADE{Levels: 3, Hidden: []int{8}, Train: neural.Train{Steps: 12, Batch: 10}}
	mltest.Run(t, mltest.Method[MADEModel]{Fit: m.Fit, Iterate: m.Iterate, Data: check.Symbols(5, 50, 4, 3)})
}

func TestMADERefuses(t *testing.T) {
	t.Setenv("GOMLX_BACKEND", "go")
	x := check.Symbols(1, 10, 3, 2)
	wrong := mat.DenseCopyOf(x)
	wrong.Set(7, 1, -1)
	for name, c := range map[string]struct {
		m    MADE
		x    mat.Matrix
		says string
	}{
		"a negative symbol": {MADE{}, wrong, "row 7, column 1"}, "levels": {MADE{Levels: 1}, x, "Levels"}, "width": {MADE{Hidden: []int{4, 0}}, x, "Hidden[1]"},
		"dropout": {MADE{Dropout: 1}, x, "Dropout"}, "NaN dropout": {MADE{Dropout: math.NaN()}, x, "Dropout"}, "order": {MADE{Order: []int{0, 0, 1}}, x, "Order"},
		"short order": {MADE{Order: []int{1, 0}}, x, "Order"}, "orders": {MADE{Orders: -1}, x, "Orders"}, "batch": {MADE{Train: neural.Train{Batch: -1}}, x, "Batch"},
		"holdout": {MADE{Train: neural.Train{Holdout: 1}}, x, "Holdout"},
	} {
		_, err := c.m.Fit(t.Context(), c.x)
		if !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want an error that wraps %q and says %q", name, err, ml.ErrParameter, c.says)
		}
	}
	if _, err := (MADE{Train: neural.Train{Steps: 1, Validation: mat.NewDense(2, 2, nil)}}).Fit(t.Context(), x); !errors.Is(err, ml.ErrShape) {
		t.Errorf("validation data of two columns for three: %v", err)
	}
	fit := check.Fit(t, MADE{Hidden: []int{4}, Train: check.Brief(2)}, x)
	if _, err := fit.LogProb(t.Context(), mat.NewDense(1, 4, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("four columns for three: %v", err)
	}
	if _, err := fit.Conditionals(t.Context(), wrong); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a negative symbol: %v", err)
	}
	if _, err := fit.Sample(t.Context(), 0, 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("no samples: %v", err)
	}
}

// What topic 25 asks, with the defaults; a quarter of a minute with XLA, so only on demand:
// LATENT_LONG=1.
func TestMADEOnDigits(t *testing.T) {
	if os.Getenv("LATENT_LONG") == "" {
		t.Skip("set LATENT_LONG=1 to train on the digits")
	}
	train, validation, test := check.DigitBits()
	for seed := range uint64(3) {
		fit, err := MADE{Train: neural.Train{Seed: seed, Validation: validation}}.Fit(t.Context(), train)
		if err != nil {
			t.Fatal(err)
		}
		logp, err := fit.LogProb(t.Context(), test)
		if err != nil {
			t.Fatal(err)
		}
		nats := -stat.Mean(logp, nil)
		fmt.Printf("seed %d: %.3f nats, best at step %d\n", seed, nats, fit.History.Best)
		if nats > 17.3 {
			t.Errorf("seed %d: %.3f nats, want at most 17.3", seed, nats)
		}
	}
}
