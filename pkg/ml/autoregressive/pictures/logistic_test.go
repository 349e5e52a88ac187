package pictures

import (
	"errors"
	"math"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"gonum.org/v1/gonum/stat"
)

// logisticGraph runs a likelihood on the outputs of n pixels, each a picture of its own, and
// returns log p, its gradient, and the distribution.
func logisticGraph(t *testing.T, like likelihood, out [][]float32, x []int) (logp []float64, gradient, distribution [][]float64) {
	t.Helper()
	f, err := neural.NewFunc("go", neural.Weights{}, func(_ *model.Scope, in []*graph.Node) []*graph.Node {
		logp := like.logProb(in[0], in[1])
		n := in[0].Shape().Dim(0)
		return []*graph.Node{graph.Reshape(logp, n, 1), graph.Reshape(graph.Gradient(graph.ReduceAllSum(logp), in[0])[0], n, -1), graph.Reshape(like.distribution(in[0]), n, -1)}
	})
	if err != nil {
		t.Fatal(err)
	}
	flat, levels := make([]float32, 0, len(out)*like.outputs()), make([]float32, len(out))
	for i, o := range out {
		flat, levels[i] = append(flat, o...), float32(x[i])
	}
	got, err := f.Call(tensors.FromFlatDataAndDimensions(flat, len(out), 1, 1, like.outputs()), tensors.FromFlatDataAndDimensions(levels, len(out), 1, 1))
	if err != nil {
		t.Fatal(err)
	}
	rows := make([][][]float64, 3)
	for k := range rows {
		m, err := neural.Matrix(got[k])
		if err != nil {
			t.Fatal(err)
		}
		for i := range out {
			rows[k] = append(rows[k], m.RawRowView(i))
		}
	}
	for _, r := range rows[0] {
		logp = append(logp, r[0])
	}
	return logp, rows[1], rows[2]
}

// Values and gradients against JAX in float64: testdata/logistics.py.
func TestLogisticsAgainstJAX(t *testing.T) {
	cases := mltest.ReadJSON[[]struct {
		Levels, Components, X int
		Out                   []float32
		LogProb               float64 `json:"log_prob"`
		Gradient              []float64
	}](t, "logistics.json")
	for i, c := range cases {
		like := logistics{c.Levels, c.Components}
		logp, gradient, _ := logisticGraph(t, like, [][]float32{c.Out}, []int{c.X})
		if math.Abs(logp[0]-c.LogProb) > 2e-5*math.Max(1, math.Abs(c.LogProb)) {
			t.Errorf("case %d: log p = %v, JAX has %v", i, logp[0], c.LogProb)
		}
		for k, g := range gradient[0] {
			if math.Abs(g-c.Gradient[k]) > 1e-3*math.Max(1, math.Abs(c.Gradient[k])) {
				t.Errorf("case %d: gradient %d is %v, JAX has %v", i, k, g, c.Gradient[k])
			}
		}
		p := make([]float64, c.Levels)
		like.probabilities(p, c.Out)
		if got := math.Log(p[c.X]); math.Abs(got-c.LogProb) > 1e-6*math.Max(1, math.Abs(c.LogProb)) {
			t.Errorf("case %d: in Go log p = %v, JAX has %v", i, got, c.LogProb)
		}
	}
}

// Whatever the parameters, however narrow, wide or far away the components, the masses of the bins
// sum to 1, on the backend and in Go, and both agree.
func TestLikelihoodsSumToOne(t *testing.T) {
	for _, like := range []likelihood{logistics{2, 1}, logistics{17, 5}, logistics{256, 4}, categories(2), categories(9)} {
		for _, scale := range []float64{0, 1, 3, 10} {
			r := rng.New(4)
			outs, x := make([][]float32, 20), make([]int, 20)
			for i := range outs {
				for range like.outputs() {
					outs[i] = append(outs[i], float32(scale*r.NormFloat64()))
				}
				x[i] = r.IntN(like.levels())
			}
			logp, gradient, distribution := logisticGraph(t, like, outs, x)
			p := make([]float64, like.levels())
			for i, out := range outs {
				like.probabilities(p, out)
				if s := stat.Mean(p, nil) * float64(len(p)); math.Abs(s-1) > 1e-12 {
					t.Errorf("%#v, scale %v: in Go the probabilities sum to %v", like, scale, s)
				}
				if s := stat.Mean(distribution[i], nil) * float64(len(p)); math.Abs(s-1) > 1e-4 {
					t.Errorf("%#v, scale %v: on the backend they sum to %v", like, scale, s)
				}
				for k, v := range distribution[i] {
					if math.Abs(v-p[k]) > 1e-4 {
						t.Errorf("%#v, scale %v: p(%d) = %v on the backend, %v in Go", like, scale, k, v, p[k])
					}
				}
				if want := math.Log(p[x[i]]); p[x[i]] > 1e-300 && math.Abs(logp[i]-want) > 1e-3+1e-4*math.Abs(want) {
					t.Errorf("%#v, scale %v: log p = %v on the backend, %v in Go", like, scale, logp[i], want)
				}
				for k, g := range gradient[i] {
					if g-g != 0 {
						t.Errorf("%#v, scale %v: gradient %d is %v", like, scale, k, g)
					}
				}
			}
		}
	}
}

// A bin so far out that its mass is no float any more still has a logarithm, and a gradient that
// leads back.
func TestLogisticsFarOut(t *testing.T) {
	like := logistics{256, 1}
	logp, gradient, _ := logisticGraph(t, like, [][]float32{{0, -1, -6}, {0, 1, -6}, {0, 0.9, -6}}, []int{255, 0, 100})
	for i, l := range logp {
		if !(l < -50) || math.IsInf(l, 0) {
			t.Errorf("log p = %v, want far below −50 and finite", l)
		}
		towards := gradient[i][1] * []float64{1, -1, -1}[i]
		if !(towards > 100) {
			t.Errorf("case %d: the gradient of the mean is %v: it should lead to the pixel", i, gradient[i][1])
		}
	}
}

func TestLogisticBins(t *testing.T) {
	p, err := LogisticBins(5, 0.2, 0.3)
	if err != nil {
		t.Fatal(err)
	}
	sigma := func(x float64) float64 { return 1 / (1 + math.Exp(-(x-0.2)/0.3)) }
	for k, want := range []float64{sigma(-0.75), sigma(-0.25) - sigma(-0.75), sigma(0.25) - sigma(-0.25), sigma(0.75) - sigma(0.25), 1 - sigma(0.75)} {
		if math.Abs(p[k]-want) > 1e-14 {
			t.Errorf("bin %d has %v, want %v", k, p[k], want)
		}
	}
	for _, c := range []struct {
		levels      int
		mean, width float64
	}{{1, 0, 1}, {5, math.NaN(), 1}, {5, math.Inf(1), 1}, {5, 0, 0}, {5, 0, -1}, {5, 0, math.NaN()}, {5, 0, math.Inf(1)}} {
		if _, err := LogisticBins(c.levels, c.mean, c.width); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}
