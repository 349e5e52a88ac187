package mixture

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"os"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

var (
	gatings    = []Gating{SoftmaxGating, ConstantGating}
	optimizers = []Optimizer{EM, Direct}
)

// column returns some columns of x.
func columnsOf(x *mat.Dense, js ...int) *mat.Dense {
	n, _ := x.Dims()
	out := mat.NewDense(n, len(js), nil)
	for to, j := range js {
		out.SetCol(to, mat.Col(nil, j, x))
	}
	return out
}

// From the same start EM ends where EM with scikit-learn's regressions does, polished by SciPy's
// BFGS; from there, after a few steps, so does BFGS, which from afar may climb another hill:
// testdata/experts.py made the file.
func TestExpertsEqualScikitLearnAndSciPy(t *testing.T) {
	type parameters struct {
		Coefficients             [][]float64
		Intercepts, Variances    []float64
		Gate                     [][]float64
		GateIntercepts           []float64
		Data                     string
		K                        int
		Gating                   Gating
		Penalty                  float64
		LogLikelihood, Objective float64
	}
	cases := mltest.ReadJSON[[]struct {
		parameters
		Start parameters
	}](t, "experts.json")
	if len(cases) < 14 {
		t.Fatalf("%d cases", len(cases))
	}
	wine, cancer := datasets.Wine().X, datasets.BreastCancer()
	same := func(name string, got, want []float64) {
		t.Helper()
		size := 0.0
		for _, v := range want {
			size = max(size, math.Abs(v))
		}
		for i, v := range want {
			if !(math.Abs(got[i]-v) <= 2e-3*size) {
				t.Errorf("%s: %v, want %v", name, got, want)
				return
			}
		}
	}
	for _, c := range cases {
		var linear *LinearExpertsModel
		var logistic *LogisticExpertsModel
		for _, optimizer := range optimizers {
			name := fmt.Sprintf("%s, K = %d, %s gate, λ = %v, %s", c.Data, c.K, c.Gating, c.Penalty, optimizer)
			var coefficients *mat.Dense
			var intercepts, variances []float64
			var gate Gate
			var logLikelihood, objective float64
			if c.Data == "cancer" {
				init := &LogisticExpertsModel{Gate: Gate{mltest.FromRows(c.Start.Gate), c.Start.GateIntercepts}, Coefficients: mltest.FromRows(c.Start.Coefficients), Intercepts: c.Start.Intercepts}
				if logistic != nil {
					init = logistic
				}
				m, err := LogisticExperts{K: c.K, Gating: c.Gating, Penalty: c.Penalty, Optimizer: optimizer, Init: init, Tol: 1e-13, MaxIter: 20000}.
					Fit(t.Context(), columnsOf(cancer.X, 0, 1), cancer.Y)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				coefficients, intercepts, gate, logLikelihood, objective = m.Coefficients, m.Intercepts, m.Gate, m.LogLikelihood, m.Objective
				for s, err := range (LogisticExperts{K: c.K, Gating: c.Gating, Penalty: c.Penalty, Init: init, MaxIter: 300}).Iterate(t.Context(), columnsOf(cancer.X, 0, 1), cancer.Y) {
					if err != nil {
						t.Fatal(err)
					}
					logistic = s
				}
			} else {
				x, y := columnsOf(datasets.Iris().X, 0), mat.Col(nil, 1, datasets.Iris().X)
				if c.Data == "wine" {
					x, y = columnsOf(wine, 0, 6, 9), mat.Col(nil, 12, wine)
				}
				init := &LinearExpertsModel{Gate: Gate{mltest.FromRows(c.Start.Gate), c.Start.GateIntercepts}, Coefficients: mltest.FromRows(c.Start.Coefficients),
					Intercepts: c.Start.Intercepts, Variances: c.Start.Variances}
				if linear != nil {
					init = linear
				}
				m, err := LinearExperts{K: c.K, Gating: c.Gating, Penalty: c.Penalty, Optimizer: optimizer, Init: init, Tol: 1e-13, MaxIter: 20000}.Fit(t.Context(), x, y)
				if err != nil {
					t.Fatalf("%s: %v", name, err)
				}
				coefficients, intercepts, gate, logLikelihood, objective = m.Coefficients, m.Intercepts, m.Gate, m.LogLikelihood, m.Objective
				variances = m.Variances
				for s, err := range (LinearExperts{K: c.K, Gating: c.Gating, Penalty: c.Penalty, Init: init, MaxIter: 300}).Iterate(t.Context(), x, y) {
					if err != nil {
						t.Fatal(err)
					}
					linear = s
				}
			}
			if math.Abs(objective-c.Objective) > 1e-8 || math.Abs(logLikelihood-c.LogLikelihood) > 1e-6 {
				t.Errorf("%s: objective %.12g and log-likelihood %.12g, want %.12g and %.12g", name, objective, logLikelihood, c.Objective, c.LogLikelihood)
				continue
			}
			if slices.Max(c.GateIntercepts) > 10 { // one expert has all rows, the others may be anything
				continue
			}
			for k, row := range c.Coefficients {
				same(name+": coefficients", coefficients.RawRowView(k), row)
				if c.K > 1 && c.Gating == SoftmaxGating {
					same(name+": gate", gate.Coefficients.RawRowView(k), c.Gate[k])
				}
			}
			same(name+": intercepts", intercepts, c.Intercepts)
			same(name+": variances", variances, c.Variances)
			same(name+": the gate's intercepts", gate.Intercepts, c.GateIntercepts)
		}
	}
}

// truth makes K lines in the plane, each where the gate wants it, and n rows of them.
func truth(n int, seed uint64) (*LinearExpertsModel, *mat.Dense, []float64, []int) {
	m := &LinearExpertsModel{Gate: Gate{mat.NewDense(3, 1, []float64{-4, 0, 4}), []float64{-2, 2, -2}}, Coefficients: mat.NewDense(3, 1, []float64{1, -2, 0.5}),
		Intercepts: []float64{2, 0, -3}, Variances: []float64{0.04, 0.09, 0.01}}
	r := rng.New(seed, 77)
	x := mat.NewDense(n, 1, nil)
	x.Apply(func(_, _ int, _ float64) float64 { return 6*r.Float64() - 3 }, x)
	y, z, err := m.Sample(context.Background(), x, seed)
	if err != nil {
		panic(err)
	}
	return m, x, y, z
}

func TestTrueLinesAreRecovered(t *testing.T) {
	for seed := range uint64(6) {
		want, x, y, _ := truth(900, seed)
		for _, optimizer := range optimizers {
			m, err := LinearExperts{K: 3, Seed: seed, Optimizer: optimizer}.Fit(t.Context(), x, y)
			if err != nil {
				t.Fatal(err)
			}
			order := []int{0, 1, 2} // by intercept, as the truth falls
			slices.SortFunc(order, func(a, b int) int { return int(math.Copysign(1, m.Intercepts[b]-m.Intercepts[a])) })
			for i, k := range order {
				// Some 300 rows a line: standard errors of σ/√300, and σ²√(2/300).
				if math.Abs(m.Intercepts[k]-want.Intercepts[i]) > 0.15 || math.Abs(m.Coefficients.At(k, 0)-want.Coefficients.At(i, 0)) > 0.1 ||
					math.Abs(m.Variances[k]/want.Variances[i]-1) > 0.35 {
					t.Errorf("seed %d, %s: line %d is %v + %v·x, variance %v, want %v + %v·x, %v", seed, optimizer, i, m.Intercepts[k], m.Coefficients.At(k, 0), m.Variances[k],
						want.Intercepts[i], want.Coefficients.At(i, 0), want.Variances[i])
				}
			}
			got, err := m.Gating(mat.NewDense(4, 1, []float64{-2.5, -1, 0, 2.5}))
			if err != nil {
				t.Fatal(err)
			}
			gate, _ := want.Gating(mat.NewDense(4, 1, []float64{-2.5, -1, 0, 2.5}))
			for r := range 4 {
				for i, k := range order {
					if math.Abs(got.At(r, k)-gate.At(r, i)) > 0.12 {
						t.Errorf("seed %d, %s: gate %v, want %v", seed, optimizer, got.RawRowView(r), gate.RawRowView(r))
					}
				}
			}
			// What maximizes the likelihood is likelier than the truth.
			logs, err := want.LogProb(x, y)
			if err != nil || m.Objective < stat.Mean(logs, nil)-0.01 {
				t.Errorf("seed %d, %s: objective %v below the truth's log-likelihood %v (%v)", seed, optimizer, m.Objective, stat.Mean(logs, nil), err)
			}
		}
	}
}

// Two lines that cross, which no gate of x can tell apart: constant weights.
func TestCrossingLinesWithConstantWeights(t *testing.T) {
	want := &LinearExpertsModel{Gate: Gate{nil, []float64{math.Log(0.3), math.Log(0.7)}}, Coefficients: mat.NewDense(2, 2, []float64{2, 0, -1, 1}), Intercepts: []float64{1, -1}, Variances: []float64{0.04, 0.25}}
	for seed := range uint64(5) {
		r := rng.New(seed, 5)
		x := mat.NewDense(800, 2, nil)
		x.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, x)
		y, _, err := want.Sample(t.Context(), x, seed)
		if err != nil {
			t.Fatal(err)
		}
		m, err := LinearExperts{K: 2, Gating: ConstantGating, Seed: seed}.Fit(t.Context(), x, y)
		if err != nil {
			t.Fatal(err)
		}
		if m.Gate.Coefficients != nil || m.Parameters() != 1+6+2 {
			t.Errorf("a constant gate has coefficients, or there are %d parameters", m.Parameters())
		}
		first := 0
		if m.Variances[1] < m.Variances[0] {
			first = 1
		}
		weights, _ := m.Gating(x.Slice(0, 1, 0, 2))
		if math.Abs(weights.At(0, first)-0.3) > 0.06 || math.Abs(m.Coefficients.At(first, 0)-2) > 0.05 || math.Abs(m.Coefficients.At(1-first, 1)-1) > 0.1 || math.Abs(m.Intercepts[first]-1) > 0.05 {
			t.Errorf("seed %d: weights %v, lines %v + %v", seed, weights.RawRowView(0), mat.Formatted(m.Coefficients), m.Intercepts)
		}
		// A softmax gate has more freedom, and here none of it is worth its parameters.
		soft, err := LinearExperts{K: 2, Seed: seed}.Fit(t.Context(), x, y)
		if err != nil {
			t.Fatal(err)
		}
		if soft.LogLikelihood < m.LogLikelihood-1e-4 || soft.BIC() < m.BIC() {
			t.Errorf("seed %d: softmax gate: log-likelihood %v, BIC %v; constant: %v, %v", seed, soft.LogLikelihood, soft.BIC(), m.LogLikelihood, m.BIC())
		}
	}
}

// bends is a border that one straight line can't be.
func bends(n int, seed uint64) (*LogisticExpertsModel, *mat.Dense, []int) {
	m := &LogisticExpertsModel{Gate: Gate{mat.NewDense(2, 2, []float64{-2, 0, 2, 0}), []float64{0, 0}}, Coefficients: mat.NewDense(2, 2, []float64{3, 4, -3, 4}), Intercepts: []float64{2, 2}}
	r := rng.New(seed, 3)
	x := mat.NewDense(n, 2, nil)
	x.Apply(func(_, _ int, _ float64) float64 { return 6*r.Float64() - 3 }, x)
	y, _, err := m.Sample(context.Background(), x, seed)
	if err != nil {
		panic(err)
	}
	return m, x, y
}

func TestTrueLogisticExpertsAreRecovered(t *testing.T) {
	for seed := range uint64(4) {
		want, x, y := bends(8000, seed)
		m, err := LogisticExperts{K: 2, Seed: seed, Restarts: 3, Optimizer: Direct}.Fit(t.Context(), x, y)
		if err != nil {
			t.Fatal(err)
		}
		// The density is what is identified; near it, the lines.
		p, _ := m.Probability(x)
		q, _ := want.Probability(x)
		off := 0.0
		for i := range p {
			off += math.Abs(p[i]-q[i]) / float64(len(p))
		}
		left := 0
		if m.Gate.Coefficients.At(1, 0) < m.Gate.Coefficients.At(0, 0) {
			left = 1
		}
		if off > 0.015 || m.Coefficients.At(left, 0) < 1.5 || m.Coefficients.At(1-left, 0) > -1.5 || m.Coefficients.At(left, 1) < 3 {
			t.Errorf("seed %d: p is off by %v on average, lines %v", seed, off, mat.Formatted(m.Coefficients))
		}
		one, err := LogisticExperts{K: 1}.Fit(t.Context(), x, y)
		if err != nil || one.BIC() < m.BIC() {
			t.Errorf("seed %d: one regression has BIC %v, two experts %v (%v)", seed, one.BIC(), m.BIC(), err)
		}
	}
}

func TestBothOptimizersReachTheSameLikelihood(t *testing.T) {
	_, x, y, _ := truth(400, 9)
	_, points, labels := bends(500, 9)
	wine := datasets.Wine()
	for _, gating := range gatings {
		var linear, real, logistic [2]float64
		for i, optimizer := range optimizers {
			a, err := LinearExperts{K: 3, Gating: gating, Optimizer: optimizer, Restarts: 12, Tol: 1e-11, MaxIter: 20000}.Fit(t.Context(), x, y)
			if err != nil {
				t.Fatal(err)
			}
			b, err := LinearExperts{K: 2, Gating: gating, Optimizer: optimizer, Restarts: 12, Tol: 1e-11, MaxIter: 20000, Penalty: 0.1}.
				Fit(t.Context(), columnsOf(wine.X, 0, 9), mat.Col(nil, 12, wine.X))
			if err != nil {
				t.Fatal(err)
			}
			c, err := LogisticExperts{K: 2, Gating: gating, Optimizer: optimizer, Restarts: 4, Tol: 1e-10, MaxIter: 20000, Penalty: 0.1}.Fit(t.Context(), points, labels)
			if err != nil {
				t.Fatal(err)
			}
			if !a.Converged || !b.Converged || !c.Converged {
				t.Errorf("%s, %s: converged %v %v %v", gating, optimizer, a.Converged, b.Converged, c.Converged)
			}
			linear[i], real[i], logistic[i] = a.Objective, b.Objective, c.Objective
		}
		for name, v := range map[string][2]float64{"made-up lines": linear, "wine": real, "made-up borders": logistic} {
			if math.Abs(v[0]-v[1]) > 1e-7 {
				t.Errorf("%s, %s gate: EM reaches %.10g, BFGS %.10g", name, gating, v[0], v[1])
			}
		}
	}
}

func TestExpertGradientIsThatOfTheObjective(t *testing.T) {
	r := rng.New(4)
	for _, logistic := range []bool{false, true} {
		for _, gating := range gatings {
			for _, k := range []int{1, 2, 4} {
				x := mat.NewDense(300, 2, nil)
				x.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, x)
				f, err := newExpertFit(t.Context(), "test", expertOptions{k: k, gating: gating, penalty: 0.7, floor: 1e-3}, x)
				if err != nil {
					t.Fatal(err)
				}
				f.logistic = logistic
				for range f.n {
					v := r.NormFloat64()
					if logistic {
						v = float64(r.IntN(2))
					}
					f.y = append(f.y, v)
				}
				s := &expertState{u: make([]float64, (k-1)*f.p), w: make([]float64, k*f.p)}
				if !logistic {
					s.variances = slices.Repeat([]float64{1}, k)
				}
				theta := f.pack(s)
				for i := range theta {
					theta[i] = r.NormFloat64()
				}
				_, gradient, err := f.gradient(t.Context(), theta)
				if err != nil {
					t.Fatal(err)
				}
				for i, g := range gradient {
					const h = 1e-5
					at := slices.Clone(theta)
					at[i] += h
					above, _, _ := f.gradient(t.Context(), at)
					at[i] -= 2 * h
					below, _, _ := f.gradient(t.Context(), at)
					if want := (above - below) / (2 * h); math.Abs(g-want) > 1e-8*(1+math.Abs(want)) {
						t.Errorf("logistic %v, %s gate, K = %d: slope %d is %v, by differences %v", logistic, gating, k, i, g, want)
					}
				}
				// Packing and unpacking are inverse, and EM's M-step does not lower the objective
				// at any place.
				if again := f.pack(f.unpack(theta)); !slices.EqualFunc(again, theta, func(a, b float64) bool { return math.Abs(a-b) < 1e-6 }) {
					t.Errorf("packed %v, unpacked %v", theta, again)
				}
				here := f.unpack(theta)
				for i := range s.u { // a constant gate's other columns are zero
					if gating == ConstantGating && i%f.p > 0 && here.u[i] != 0 {
						t.Error("a constant gate depends on x")
					}
				}
				before, _ := f.expect(t.Context(), here)
				next, err := f.maximize(t.Context(), here, 3)
				if err != nil {
					t.Fatal(err)
				}
				if after, _ := f.expect(t.Context(), next); after < before {
					t.Errorf("logistic %v, %s gate, K = %d: a step of EM goes from %v to %v", logistic, gating, k, before, after)
				}
			}
		}
	}
}

// naive is log p(y | x) by the formula.
func naive(gate Gate, coefficients *mat.Dense, intercepts []float64, x []float64, density func(k int, m float64) float64) float64 {
	top, bottom := 0.0, 0.0
	for k, b := range intercepts {
		g, m := gate.Intercepts[k], b
		for j, v := range x {
			m += coefficients.At(k, j) * v
			if gate.Coefficients != nil {
				g += gate.Coefficients.At(k, j) * v
			}
		}
		top += math.Exp(g) * density(k, m)
		bottom += math.Exp(g)
	}
	return math.Log(top / bottom)
}

func TestExpertsNeverFallAndAreWhatTheySay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d, k := rapid.IntRange(8, 120).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "d"), rapid.IntRange(1, 4).Draw(t, "k")
		gating, optimizer := rapid.SampledFrom(gatings).Draw(t, "gating"), rapid.SampledFrom(optimizers).Draw(t, "optimizer")
		seed, offset := rapid.Uint64().Draw(t, "seed"), rapid.SampledFrom([]float64{0, 30}).Draw(t, "offset")
		penalty, floor := rapid.SampledFrom([]float64{0, 0.1, 3}).Draw(t, "penalty"), rapid.SampledFrom([]float64{0, 0.01}).Draw(t, "floor")
		r := rng.New(seed, 1)
		x, y, labels := mat.NewDense(n, d, nil), make([]float64, n), make([]int, n)
		x.Apply(func(i, _ int, _ float64) float64 { return offset + float64(i%2) + r.NormFloat64() }, x)
		for i := range y {
			y[i], labels[i] = offset+x.At(i, 0)*float64(i%2)+0.3*r.NormFloat64(), r.IntN(2)
		}
		before := math.Inf(-1)
		look := func(logs []float64, logLikelihood, objective float64, post *mat.Dense, of []int) {
			// The reported objective never falls by construction; the log-likelihood is computed
			// anew, and its penalty is the reported one.
			anew := stat.Mean(logs, nil)
			if math.Abs(anew-logLikelihood) > 1e-8*(1+math.Abs(anew)) || objective > logLikelihood+1e-14*(1+math.Abs(objective)) {
				t.Fatalf("log-likelihood %v, computed anew %v; objective %v", logLikelihood, anew, objective)
			}
			if now := anew + objective - logLikelihood; now < before-1e-8*(1+math.Abs(before)) {
				t.Fatalf("the objective falls from %v to %v", before, now)
			} else {
				before = now
			}
			for i, z := range of {
				row, total := post.RawRowView(i), 0.0
				for _, v := range row {
					total += v
				}
				if math.Abs(total-1) > 1e-12 || row[z] < slices.Max(row)-1e-9 {
					t.Fatalf("row %d: responsibilities %v, label %d", i, row, z)
				}
			}
		}
		for m, err := range (LinearExperts{K: k, Gating: gating, Optimizer: optimizer, Penalty: penalty, Floor: floor, MaxIter: 40, Seed: seed}).Iterate(context.Background(), x, y) {
			if err != nil {
				t.Fatal(err)
			}
			logs, err := m.LogProb(x, y)
			if err != nil {
				t.Fatal(err)
			}
			post, _ := m.Responsibilities(x, y)
			look(logs, m.LogLikelihood, m.Objective, post, m.Labels)
			i := n / 2
			want := naive(m.Gate, m.Coefficients, m.Intercepts, x.RawRowView(i), func(k int, v float64) float64 {
				return math.Exp(-(y[i]-v)*(y[i]-v)/(2*m.Variances[k])) / math.Sqrt(2*math.Pi*m.Variances[k])
			})
			if want > -600 && math.Abs(logs[i]-want) > 1e-7*(1+math.Abs(want)) {
				t.Fatalf("log density %v, by the formula %v", logs[i], want)
			}
		}
		before = math.Inf(-1)
		for m, err := range (LogisticExperts{K: k, Gating: gating, Optimizer: optimizer, Penalty: penalty, MaxIter: 40, Seed: seed}).Iterate(context.Background(), x, labels) {
			if err != nil {
				t.Fatal(err)
			}
			logs, err := m.LogProb(x, labels)
			if err != nil {
				t.Fatal(err)
			}
			post, _ := m.Responsibilities(x, labels)
			look(logs, m.LogLikelihood, m.Objective, post, m.Labels)
			i := n / 2
			want := naive(m.Gate, m.Coefficients, m.Intercepts, x.RawRowView(i), func(_ int, v float64) float64 {
				return 1 / (1 + math.Exp(v*float64(1-2*labels[i])))
			})
			if math.Abs(logs[i]-want) > 1e-8*(1+math.Abs(want)) {
				t.Fatalf("log probability %v, by the formula %v", logs[i], want)
			}
			p, _ := m.Probability(x)
			if one := math.Exp(logs[i]); math.Abs(p[i]-one) > 1e-9 && math.Abs(1-p[i]-one) > 1e-9 {
				t.Fatalf("probability %v, of its label %v", p[i], one)
			}
		}
	})
}

// One linear expert is least squares.
func TestOneExpertIsLeastSquares(t *testing.T) {
	wine := datasets.Wine().X
	n, d := wine.Dims()
	x, y := mat.DenseCopyOf(wine.Slice(0, n, 0, d-1)), mat.Col(nil, d-1, wine)
	design := mat.NewDense(n, d, nil)
	for i := range n {
		design.SetRow(i, append([]float64{1}, x.RawRowView(i)...))
	}
	var beta mat.VecDense
	if err := beta.SolveVec(design, mat.NewVecDense(n, y)); err != nil {
		t.Fatal(err)
	}
	var left mat.VecDense
	left.MulVec(design, &beta)
	left.SubVec(mat.NewVecDense(n, y), &left)
	variance := mat.Dot(&left, &left) / float64(n)
	for _, optimizer := range optimizers {
		for _, gating := range gatings {
			m, err := LinearExperts{K: 1, Gating: gating, Optimizer: optimizer, Tol: 1e-14, MaxIter: 5000}.Fit(t.Context(), x, y)
			if err != nil {
				t.Fatal(err)
			}
			tol := 1e-9
			if optimizer == Direct {
				tol = 1e-3
			}
			for j := range d - 1 {
				if math.Abs(m.Coefficients.At(0, j)-beta.AtVec(j+1)) > tol*math.Abs(beta.AtVec(j+1)) {
					t.Errorf("%s: coefficient %d is %v, want %v", optimizer, j, m.Coefficients.At(0, j), beta.AtVec(j+1))
				}
			}
			want := -(math.Log(2*math.Pi*variance) + 1) / 2
			if math.Abs(m.Intercepts[0]-beta.AtVec(0)) > tol*math.Abs(beta.AtVec(0)) || math.Abs(m.Variances[0]/variance-1) > tol || math.Abs(m.LogLikelihood-want) > 1e-9 {
				t.Errorf("%s: intercept %v, variance %v, log-likelihood %v, want %v, %v, %v", optimizer, m.Intercepts[0], m.Variances[0], m.LogLikelihood, beta.AtVec(0), variance, want)
			}
		}
	}
}

func TestExpertInvariances(t *testing.T) {
	_, x1, y, _ := truth(300, 3)
	n := len(y)
	x, labels := mat.NewDense(n, 2, nil), make([]int, n)
	r := rng.New(8)
	for i := range n {
		x.SetRow(i, []float64{x1.At(i, 0), r.NormFloat64()})
		if y[i]+r.NormFloat64() > 0 {
			labels[i] = 1
		}
	}
	linear, err := LinearExperts{K: 3, MaxIter: 2, Restarts: 1}.Fit(t.Context(), x, y)
	if err != nil {
		t.Fatal(err)
	}
	logistic, err := LogisticExperts{K: 2, MaxIter: 2, Restarts: 1}.Fit(t.Context(), x, labels)
	if err != nil {
		t.Fatal(err)
	}
	perm, order := r.Perm(n), []int{2, 0, 1}
	rows := func(x *mat.Dense) *mat.Dense {
		out := mat.NewDense(n, 2, nil)
		for i, p := range perm {
			out.SetRow(i, x.RawRowView(p))
		}
		return out
	}
	pick := func(m *mat.Dense, order []int) *mat.Dense {
		_, d := m.Dims()
		out := mat.NewDense(len(order), d, nil)
		for i, k := range order {
			out.SetRow(i, m.RawRowView(k))
		}
		return out
	}
	for _, optimizer := range optimizers {
		e := LinearExperts{K: 3, Optimizer: optimizer, Init: linear, Tol: 1e-12, MaxIter: 20000, Penalty: 0.1}
		base, err := e.Fit(t.Context(), x, y)
		if err != nil {
			t.Fatal(err)
		}
		l := LogisticExperts{K: 2, Optimizer: optimizer, Init: logistic, Tol: 1e-12, MaxIter: 20000, Penalty: 0.1}
		baseLabels, err := l.Fit(t.Context(), x, labels)
		if err != nil {
			t.Fatal(err)
		}
		// The order of rows.
		z, zLabels := make([]float64, n), make([]int, n)
		for i, p := range perm {
			z[i], zLabels[i] = y[p], labels[p]
		}
		if m, err := e.Fit(t.Context(), rows(x), z); err != nil || math.Abs(m.Objective-base.Objective) > 1e-9 || !closeTo(m.Coefficients, base.Coefficients, 1e-3) {
			t.Errorf("%s, rows in another order: %v, want %v (%v)", optimizer, m.Objective, base.Objective, err)
		}
		if m, err := l.Fit(t.Context(), rows(x), zLabels); err != nil || math.Abs(m.Objective-baseLabels.Objective) > 1e-9 || !closeTo(m.Coefficients, baseLabels.Coefficients, 1e-3) {
			t.Errorf("%s, rows in another order: %v, want %v (%v)", optimizer, m.Objective, baseLabels.Objective, err)
		}
		// The order of experts.
		swapped := &LinearExpertsModel{Gate: Gate{pick(linear.Gate.Coefficients, order), nil}, Coefficients: pick(linear.Coefficients, order)}
		for _, k := range order {
			swapped.Gate.Intercepts = append(swapped.Gate.Intercepts, linear.Gate.Intercepts[k])
			swapped.Intercepts, swapped.Variances = append(swapped.Intercepts, linear.Intercepts[k]), append(swapped.Variances, linear.Variances[k])
		}
		e.Init = swapped
		m, err := e.Fit(t.Context(), x, y)
		if err != nil || math.Abs(m.Objective-base.Objective) > 1e-9 || !closeTo(m.Coefficients, pick(base.Coefficients, order), 1e-3) {
			t.Errorf("%s, experts in another order: %v, want %v (%v)", optimizer, m.Objective, base.Objective, err)
		} else {
			for i, z := range m.Labels {
				if order[z] != base.Labels[i] {
					t.Errorf("%s, experts in another order: row %d goes to %d, want %d", optimizer, i, order[z], base.Labels[i])
					break
				}
			}
		}
		// Units: of x, of y, of both, however far.
		for _, c := range []struct{ a, b, scale, shift float64 }{{3, 700, 1, 5}, {1e120, 1e-140, 1, 0}, {1, 1, 1e130, 0}, {1, 1, 1e-150, 0}, {1e-160, 1e-160, 1e120, 0}, {2, 2, 3, -40}} {
			change := func(m *mat.Dense) *mat.Dense {
				return transform(m, func(a, b float64) (float64, float64) { return c.a * (a + c.shift), c.b * b })
			}
			z := slices.Clone(y)
			for i := range z {
				z[i] = (z[i] + c.shift) * c.scale
			}
			moved := &LinearExpertsModel{Gate: Gate{transform(linear.Gate.Coefficients, func(a, b float64) (float64, float64) { return a / c.a, b / c.b }), nil},
				Coefficients: transform(linear.Coefficients, func(a, b float64) (float64, float64) { return a * c.scale / c.a, b * c.scale / c.b })}
			for k, b := range linear.Intercepts {
				moved.Intercepts = append(moved.Intercepts, (b+c.shift-linear.Coefficients.At(k, 0)*c.shift)*c.scale)
				moved.Gate.Intercepts = append(moved.Gate.Intercepts, linear.Gate.Intercepts[k]-linear.Gate.Coefficients.At(k, 0)*c.shift)
				moved.Variances = append(moved.Variances, linear.Variances[k]*c.scale*c.scale)
			}
			e.Init = moved
			m, err := e.Fit(t.Context(), change(x), z)
			if err != nil {
				t.Errorf("%s, units %+v: %v", optimizer, c, err)
				continue
			}
			if math.Abs(m.Objective+math.Log(c.scale)-base.Objective) > 1e-8 || !slices.Equal(m.Labels, base.Labels) {
				t.Errorf("%s, units %+v: objective %v, want %v", optimizer, c, m.Objective, base.Objective-math.Log(c.scale))
			}
			logs, err := m.LogProb(change(x), z)
			if err != nil || math.Abs(stat.Mean(logs, nil)-m.LogLikelihood) > 1e-8*(1+math.Abs(m.LogLikelihood)) {
				t.Errorf("%s, units %+v: LogProb %v, want %v (%v)", optimizer, c, stat.Mean(logs, nil), m.LogLikelihood, err)
			}
		}
	}
}

// Classes that a plane separates have no most likely coefficients; the penalty gives the largest
// that it lets.
func TestSeparableLabels(t *testing.T) {
	x, y := mat.NewDense(40, 2, nil), make([]int, 40)
	r := rng.New(2)
	for i := range 40 {
		y[i] = i % 2
		x.SetRow(i, []float64{float64(4*y[i]) + r.Float64(), r.NormFloat64()})
	}
	for _, k := range []int{1, 2} {
		for _, optimizer := range optimizers {
			before := 0.0
			for _, penalty := range []float64{1, 1e-3, 1e-8} {
				m, err := LogisticExperts{K: k, Penalty: penalty, Optimizer: optimizer}.Fit(t.Context(), x, y)
				if err != nil {
					t.Fatal(err)
				}
				slope := math.Abs(m.Coefficients.At(0, 0))
				if !m.Converged && k == 1 || m.LogLikelihood < -2*penalty-1e-6 && penalty < 1 || slope < before || slope > 100 {
					t.Errorf("K = %d, %s, λ = %v: slope %v after %v, log-likelihood %v, converged %v", k, optimizer, penalty, slope, before, m.LogLikelihood, m.Converged)
				}
				if k == 1 {
					before = slope
				}
				if labels, err := m.Predict(x); err != nil || !slices.Equal(labels, y) {
					t.Errorf("K = %d, %s, λ = %v: predicted %v (%v)", k, optimizer, penalty, labels, err)
				}
			}
		}
	}
}

func TestExpertsBadInput(t *testing.T) {
	x := datasets.Iris().X
	y, labels := mat.Col(nil, 1, x), make([]int, 150)
	two := func(v int) []int { l := slices.Clone(labels); l[7] = v; return l }
	bad := slices.Clone(y)
	bad[3] = math.Inf(1)
	line := LinearExpertsModel{Gate: Gate{nil, []float64{0, 0}}, Coefficients: mat.NewDense(2, 4, nil), Intercepts: []float64{0, 0}, Variances: []float64{1, 1}}
	from := func(change func(*LinearExpertsModel)) LinearExperts {
		m := line
		change(&m)
		return LinearExperts{K: 2, Init: &m}
	}
	for name, c := range map[string]struct {
		e    LinearExperts
		x    mat.Matrix
		y    []float64
		kind error
		want string
	}{
		"nil":         {LinearExperts{K: 2}, nil, y, ml.ErrEmpty, "nil"},
		"no K":        {LinearExperts{}, x, y, ml.ErrParameter, "K = 0, want 1 ≤ K ≤ n = 150"},
		"K over n":    {LinearExperts{K: 151}, x, y, ml.ErrParameter, "K = 151"},
		"no y":        {LinearExperts{K: 2}, x, nil, ml.ErrShape, "y has length 0, want 150"},
		"y Inf":       {LinearExperts{K: 2}, x, bad, ml.ErrNotFinite, "y[3] is +Inf"},
		"gating":      {LinearExperts{K: 2, Gating: "hard"}, x, y, ml.ErrParameter, "Gating = hard"},
		"optimizer":   {LinearExperts{K: 2, Optimizer: "SGD"}, x, y, ml.ErrParameter, "Optimizer = SGD"},
		"floor":       {LinearExperts{K: 2, Floor: 2}, x, y, ml.ErrParameter, "Floor = 2"},
		"penalty":     {LinearExperts{K: 2, Penalty: math.NaN()}, x, y, ml.ErrParameter, "Penalty = NaN"},
		"penalty NaN": {LinearExperts{K: 2, Penalty: math.NaN()}, x, y, ml.ErrParameter, "Penalty = NaN"},
		"restarts":    {LinearExperts{K: 2, Restarts: -1}, x, y, ml.ErrParameter, "Restarts = -1"},
		"max iter":    {LinearExperts{K: 2, MaxIter: -1}, x, y, ml.ErrParameter, "MaxIter = -1"},
		"tol":         {LinearExperts{K: 2, Tol: math.Inf(1)}, x, y, ml.ErrParameter, "Tol = +Inf"},
		"init":        {LinearExperts{K: 3, Init: &line}, x, y, ml.ErrShape, "Init has K×d = 2×4 coefficients, want 3×4"},
		"init empty":  {LinearExperts{K: 3, Init: &LinearExpertsModel{}}, x, y, ml.ErrShape, "no Coefficients"},
		"init gate":   {from(func(m *LinearExpertsModel) { m.Gate = Gate{} }), x, y, ml.ErrShape, "Gate.Intercepts has length 0"},
		"init gates":  {from(func(m *LinearExpertsModel) { m.Gate.Coefficients = mat.NewDense(1, 1, nil) }), x, y, ml.ErrShape, "Gate.Coefficients is 1×1"},
		"init flat":   {from(func(m *LinearExpertsModel) { m.Variances = []float64{1, 0} }), x, y, ml.ErrParameter, "variance 1 = 0"},
		"init far":    {from(func(m *LinearExpertsModel) { m.Intercepts = []float64{1e308, 0} }), x, y, ml.ErrParameter, "on the scale of the data"},
		"init NaN":    {from(func(m *LinearExpertsModel) { m.Intercepts = []float64{math.NaN(), 0} }), x, y, ml.ErrNotFinite, "Intercepts[0] is NaN"},
		"too large":   {LinearExperts{K: 1}, mat.NewDense(3, 1, []float64{1, 2, 3}), []float64{1e200, 2e200, 4e200}, ml.ErrParameter, "multiply columns"},
		"too small":   {LinearExperts{K: 1}, mat.NewDense(3, 1, []float64{1, 2, 3}), []float64{1e-200, 2e-200, 4e-200}, ml.ErrParameter, "multiply columns"},
		"ratio":       {LinearExperts{K: 1}, mat.NewDense(4, 1, []float64{1e-300, 2e-300, 4e-300, 3e-300}), []float64{1e100, 2e100, 4e100, 7e100}, ml.ErrParameter, "multiply columns"},
	} {
		if m, err := c.e.Fit(t.Context(), c.x, c.y); m != nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
		for m, err := range c.e.Iterate(t.Context(), c.x, c.y) {
			if err == nil || m != nil {
				t.Errorf("%s: Iterate gives %v, %v", name, m, err)
			}
		}
	}
	for name, c := range map[string]struct {
		e    LogisticExperts
		x    mat.Matrix
		y    []int
		kind error
		want string
	}{
		"nil":       {LogisticExperts{K: 2}, nil, labels, ml.ErrEmpty, "nil"},
		"no K":      {LogisticExperts{}, x, labels, ml.ErrParameter, "K = 0"},
		"no y":      {LogisticExperts{K: 2}, x, nil, ml.ErrShape, "y has length 0, want 150"},
		"y = 2":     {LogisticExperts{K: 2}, x, two(2), ml.ErrParameter, "y[7] = 2, want 0 or 1"},
		"y = -1":    {LogisticExperts{K: 2}, x, two(-1), ml.ErrParameter, "y[7] = -1"},
		"gating":    {LogisticExperts{K: 2, Gating: "hard"}, x, labels, ml.ErrParameter, "Gating = hard"},
		"penalty":   {LogisticExperts{K: 2, Penalty: math.Inf(1)}, x, labels, ml.ErrParameter, "Penalty = +Inf"},
		"init":      {LogisticExperts{K: 3, Init: &LogisticExpertsModel{Gate: line.Gate, Coefficients: line.Coefficients, Intercepts: line.Intercepts}}, x, labels, ml.ErrShape, "want 3×4"},
		"too small": {LogisticExperts{K: 1}, mat.NewDense(3, 1, []float64{1e-310, 2e-310, 4e-310}), []int{0, 1, 0}, ml.ErrParameter, "multiply columns"},
	} {
		if m, err := c.e.Fit(t.Context(), c.x, c.y); m != nil || !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
		for m, err := range c.e.Iterate(t.Context(), c.x, c.y) {
			if err == nil || m != nil {
				t.Errorf("%s: Iterate gives %v, %v", name, m, err)
			}
		}
	}
	// Verbs of models.
	m, err := LinearExperts{K: 2}.Fit(t.Context(), x, y)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(mat.NewDense(1, 3, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("three columns: %v", err)
	}
	if _, err := m.LogProb(x, y[:3]); !errors.Is(err, ml.ErrShape) {
		t.Errorf("three values: %v", err)
	}
	if _, err := (&LinearExpertsModel{}).Gating(x); !errors.Is(err, ml.ErrShape) {
		t.Errorf("an empty model: %v", err)
	}
	if _, _, err := (&LogisticExpertsModel{}).Sample(t.Context(), x, 1); !errors.Is(err, ml.ErrShape) {
		t.Errorf("an empty model: %v", err)
	}
	far := mat.NewDense(2, 4, []float64{1e300, -1e300, 1e300, math.MaxFloat64, -1e308, 1e308, -1e308, 1e308})
	gate, err := m.Gating(far)
	if err != nil {
		t.Fatal(err)
	}
	logs, err := m.LogProb(far, []float64{1, -1e300})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		if total := mat.Sum(gate.Slice(i, i+1, 0, 2)); math.Abs(total-1) > 1e-12 || math.IsNaN(logs[i]) {
			t.Errorf("far away: weights %v, log density %v", gate.RawRowView(i), logs[i])
		}
	}
}

func TestExpertsOnDegenerateData(t *testing.T) {
	for name, x := range degenerate() {
		n, d := x.Dims()
		y, labels := mat.Col(nil, d-1, x), alternating(n)
		for _, gating := range gatings {
			for _, optimizer := range optimizers {
				for _, k := range []int{1, 2, n} {
					m, err := LinearExperts{K: k, Gating: gating, Optimizer: optimizer, Restarts: 2, MaxIter: 30}.Fit(t.Context(), x, y)
					if err != nil {
						t.Errorf("%s, K = %d, %s, %s: %v", name, k, gating, optimizer, err)
						continue
					}
					logs, err := m.LogProb(x, y)
					// Coefficients times values of 1e8 leave eight digits.
					if err != nil || math.IsNaN(m.LogLikelihood) || name != "wide" && math.Abs(stat.Mean(logs, nil)-m.LogLikelihood) > 1e-6*(1+math.Abs(m.LogLikelihood)) {
						t.Errorf("%s, K = %d, %s, %s: log-likelihood %v, anew %v (%v)", name, k, gating, optimizer, m.LogLikelihood, stat.Mean(logs, nil), err)
					}
					l, err := LogisticExperts{K: k, Gating: gating, Optimizer: optimizer, Restarts: 2, MaxIter: 30}.Fit(t.Context(), x, labels)
					if err != nil || math.IsNaN(l.LogLikelihood) || l.LogLikelihood < -0.7 {
						t.Errorf("%s, K = %d, %s, %s: %v (%v)", name, k, gating, optimizer, l, err)
					}
				}
			}
		}
	}
	// A line that is met exactly is on the floor, and the model says so.
	x, y := mat.NewDense(30, 1, nil), make([]float64, 30)
	for i := range 30 {
		x.Set(i, 0, float64(i))
		y[i] = 3 - 2*float64(i)
	}
	m, err := LinearExperts{K: 1}.Fit(t.Context(), x, y)
	if err != nil || !slices.Equal(m.Floored, []int{0}) || math.Abs(m.Coefficients.At(0, 0)+2) > 1e-9 || math.Abs(m.Intercepts[0]-3) > 1e-9 || math.Abs(m.Variances[0]-1e-6*stat.PopVariance(y, nil)) > 1e-9 {
		t.Errorf("%+v (%v)", m, err)
	}
}

// With so many parameters that the gate takes the steps of a bound, and BFGS is L-BFGS, the
// likelihood rises to the same place.
func TestManyExperts(t *testing.T) {
	_, x1, y, _ := truth(700, 1)
	x := mat.NewDense(700, 30, nil)
	r := rng.New(6)
	x.Apply(func(i, j int, _ float64) float64 {
		if j == 0 {
			return x1.At(i, 0)
		}
		return r.NormFloat64()
	}, x)
	start, err := LinearExperts{K: 10, Penalty: 20, Floor: 0.05, MaxIter: 3, Restarts: 1, Seed: 2}.Fit(t.Context(), x, y)
	if err != nil {
		t.Fatal(err)
	}
	var objective [2]float64
	for i, optimizer := range optimizers {
		e := LinearExperts{K: 10, Penalty: 20, Floor: 0.05, Optimizer: optimizer, Init: start, Tol: 1e-9, MaxIter: 3000}
		before := math.Inf(-1)
		for m, err := range e.Iterate(t.Context(), x, y) {
			if err != nil {
				t.Fatal(err)
			}
			if m.Objective < before {
				t.Fatalf("%s: the objective falls from %v to %v", optimizer, before, m.Objective)
			}
			before = m.Objective
		}
		objective[i] = before
	}
	if objective[0] < start.Objective || math.Abs(objective[0]-objective[1]) > 0.05 {
		t.Errorf("EM reaches %v, L-BFGS %v", objective[0], objective[1])
	}
}

// split takes the last column for y where there are two, for methods that are tested on a matrix
// alone.
func split(x mat.Matrix) (mat.Matrix, []float64, error) {
	rows, err := ml.Dense("mixture.experts", x)
	if err != nil {
		return nil, nil, err
	}
	n, d := rows.Dims()
	return rows.Slice(0, n, 0, max(d-1, 1)), mat.Col(nil, d-1, rows), nil
}

func positive(y []float64) []int {
	out := make([]int, len(y))
	for i, v := range y {
		if v > 0 {
			out[i] = 1
		}
	}
	return out
}

func TestExpertsConform(t *testing.T) {
	for _, optimizer := range optimizers {
		for _, gating := range gatings {
			t.Run(fmt.Sprintf("linear, %s, %s", optimizer, gating), func(t *testing.T) {
				e := LinearExperts{K: 2, Gating: gating, Optimizer: optimizer, Seed: 1}
				mltest.Run(t, mltest.Method[LinearExpertsModel]{
					Fit: func(ctx context.Context, x mat.Matrix) (*LinearExpertsModel, error) {
						u, y, err := split(x)
						if err != nil {
							return nil, err
						}
						return e.Fit(ctx, u, y)
					},
					Iterate: func(ctx context.Context, x mat.Matrix) iter.Seq2[*LinearExpertsModel, error] {
						u, y, _ := split(x)
						return e.Iterate(ctx, u, y)
					},
					Objective: func(m *LinearExpertsModel) float64 { return -m.Objective },
				})
			})
			t.Run(fmt.Sprintf("logistic, %s, %s", optimizer, gating), func(t *testing.T) {
				e := LogisticExperts{K: 2, Gating: gating, Optimizer: optimizer, Penalty: 1}
				mltest.Run(t, mltest.Method[LogisticExpertsModel]{
					Fit: func(ctx context.Context, x mat.Matrix) (*LogisticExpertsModel, error) {
						_, y, err := split(x)
						if err != nil {
							return nil, err
						}
						return e.Fit(ctx, x, positive(y))
					},
					Iterate: func(ctx context.Context, x mat.Matrix) iter.Seq2[*LogisticExpertsModel, error] {
						_, y, _ := split(x)
						return e.Iterate(ctx, x, positive(y))
					},
					Objective: func(m *LogisticExpertsModel) float64 { return -m.Objective },
					Predict:   (*LogisticExpertsModel).Predict,
				})
			})
		}
	}
}

// More rows than one task has: the same model on any number of processors.
func TestExpertsOnAnyNumberOfProcessors(t *testing.T) {
	_, x, y, _ := truth(9000, 1)
	_, points, labels := bends(9000, 1)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, optimizer := range optimizers {
		var linear *LinearExpertsModel
		var logistic *LogisticExpertsModel
		for _, procs := range []int{1, 2, 5} {
			runtime.GOMAXPROCS(procs)
			a, err := LinearExperts{K: 3, Optimizer: optimizer, Restarts: 2, MaxIter: 20}.Fit(t.Context(), x, y)
			if err != nil {
				t.Fatal(err)
			}
			b, err := LogisticExperts{K: 2, Optimizer: optimizer, Restarts: 2, MaxIter: 20}.Fit(t.Context(), points, labels)
			if err != nil {
				t.Fatal(err)
			}
			if linear != nil && (!reflect.DeepEqual(a, linear) || !reflect.DeepEqual(b, logistic)) {
				t.Errorf("%s: another model with %d processors", optimizer, procs)
			}
			linear, logistic = a, b
		}
	}
}

func TestExpertSamplesHaveTheMomentsOfTheModel(t *testing.T) {
	m := &LinearExpertsModel{Gate: Gate{mat.NewDense(2, 1, []float64{0, 1}), []float64{0, -0.5}}, Coefficients: mat.NewDense(2, 1, []float64{2, -1}), Intercepts: []float64{1, 50}, Variances: []float64{0.25, 4}}
	l := &LogisticExpertsModel{Gate: m.Gate, Coefficients: m.Coefficients, Intercepts: []float64{-1, 2}}
	const n = 20000
	x := mat.NewDense(n, 1, nil)
	x.Apply(func(int, int, float64) float64 { return 0.7 }, x)
	y, from, err := m.Sample(t.Context(), x, 3)
	if err != nil {
		t.Fatal(err)
	}
	again, _, _ := m.Sample(t.Context(), x, 3)
	labels, _, err := l.Sample(t.Context(), x, 3)
	if err != nil {
		t.Fatal(err)
	}
	p, second := 1/(1+math.Exp(-0.2)), 0.0 // of the second expert at 0.7
	var one, square, ones float64
	for i, z := range from {
		second += float64(z) / n
		if z == 0 {
			one += (y[i] - 2.4) / n
			square += (y[i] - 2.4) * (y[i] - 2.4) / n
		}
		ones += float64(labels[i]) / n
	}
	q := (1-p)*sigmoid(0.4) + p*sigmoid(1.3)
	if !slices.Equal(y, again) || math.Abs(second-p) > 5*math.Sqrt(p*(1-p)/n) || math.Abs(one) > 5*0.5/math.Sqrt(n) || math.Abs(square/(0.25*(1-p))-1) > 0.08 || math.Abs(ones-q) > 5*math.Sqrt(q*(1-q)/n) {
		t.Errorf("a share of %v, want %v; residuals %v; squares %v; ones %v, want %v", second, p, one, square, ones, q)
	}
	mean, err := m.Predict(x)
	if want := (1-p)*2.4 + p*49.3; err != nil || math.Abs(mean[0]-want) > 1e-12*want || math.Abs(stat.Mean(y, nil)-want) > 1 {
		t.Errorf("mean %v, want %v (%v)", mean[0], want, err)
	}
	said, err := m.Experts(x)
	if err != nil || math.Abs(said.At(0, 0)-2.4) > 1e-12 || math.Abs(said.At(0, 1)-49.3) > 1e-12 {
		t.Errorf("%v (%v)", said.RawRowView(0), err)
	}
}

func TestExpertsCancelledAtSize(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds and 100 MB")
	}
	r := rng.New(1)
	x, wide := mat.NewDense(200_000, 8, nil), mat.NewDense(4000, 60, nil)
	for _, m := range []*mat.Dense{x, wide} {
		m.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, m)
	}
	y, z := mat.Col(nil, 0, x), mat.Col(nil, 0, wide)
	for i := range y {
		y[i] = y[i]*y[i] + r.NormFloat64()
	}
	for i := range z {
		z[i] = z[i]*z[i] + r.NormFloat64()
	}
	for _, optimizer := range optimizers {
		for name, fit := range map[string]func(ctx context.Context) error{
			"linear": func(ctx context.Context) error {
				_, err := LinearExperts{K: 12, Tol: 1e-14, Optimizer: optimizer}.Fit(ctx, x, y)
				return err
			},
			"wide": func(ctx context.Context) error {
				_, err := LinearExperts{K: 12, Tol: 1e-14, Optimizer: optimizer}.Fit(ctx, wide, z)
				return err
			},
			"four": func(ctx context.Context) error {
				_, err := LinearExperts{K: 4, Tol: 1e-14, Optimizer: optimizer}.Fit(ctx, wide, z)
				return err
			},
			"logistic": func(ctx context.Context) error {
				_, err := LogisticExperts{K: 12, Tol: 1e-14, Optimizer: optimizer}.Fit(ctx, x, positive(y))
				return err
			},
		} {
			for _, wait := range []time.Duration{5 * time.Millisecond, 60 * time.Millisecond, 700 * time.Millisecond} {
				mltest.Prompt(t, fmt.Sprintf("%s, %s, after %v", name, optimizer, wait), wait, fit)
			}
		}
	}
}

func FuzzExperts(f *testing.F) {
	f.Add(uint8(5), uint8(2), uint8(3), uint64(1), 1.0, 0.0)
	f.Add(uint8(20), uint8(3), uint8(1), uint64(2), 1e150, 0.0)
	f.Add(uint8(9), uint8(1), uint8(6), uint64(3), 1e-8, 1e8)
	f.Fuzz(func(t *testing.T, rows, cols, k uint8, seed uint64, size, offset float64) {
		n, d := int(rows%40)+1, int(cols%5)+1
		r := rng.New(seed)
		x, y := mat.NewDense(n, d, nil), make([]float64, n)
		x.Apply(func(i, _ int, _ float64) float64 { return offset + size*math.Round(4*r.NormFloat64()) }, x)
		for i := range y {
			y[i] = offset + size*math.Round(3*r.NormFloat64())
		}
		e := LinearExperts{K: int(k % 6), Gating: gatings[seed%2], Optimizer: optimizers[seed/2%2], Restarts: 2, MaxIter: 15, Floor: []float64{0, 1e-12, 1}[seed/4%3]}
		known := func(err error) bool {
			return errors.Is(err, ml.ErrParameter) || errors.Is(err, ml.ErrNotFinite)
		}
		m, err := e.Fit(t.Context(), x, y)
		if err == nil {
			logs, err := m.LogProb(x, y)
			if err != nil || math.IsNaN(m.LogLikelihood) || math.IsNaN(logs[0]) || len(m.Labels) != n {
				t.Fatalf("%+v, %v", m, err)
			}
		} else if !known(err) {
			t.Fatal(err)
		}
		l, err := LogisticExperts{K: e.K, Gating: e.Gating, Optimizer: e.Optimizer, Restarts: 2, MaxIter: 15}.Fit(t.Context(), x, positive(y))
		if err == nil {
			p, err := l.Probability(x)
			if err != nil || math.IsNaN(l.LogLikelihood) || !(p[0] >= 0 && p[0] <= 1+1e-12) {
				t.Fatalf("%+v, %v", l, err)
			}
		} else if !known(err) {
			t.Fatal(err)
		}
	})
}

// Files of the first format must load for ever.
func TestSavedExpertsOfFormat1(t *testing.T) {
	iris := datasets.Iris()
	a, err := LinearExperts{K: 2, Seed: 1}.Fit(t.Context(), columnsOf(iris.X, 0), mat.Col(nil, 1, iris.X))
	if err != nil {
		t.Fatal(err)
	}
	b, err := LogisticExperts{K: 2, Gating: ConstantGating}.Fit(t.Context(), iris.X, alternating(150))
	if err != nil {
		t.Fatal(err)
	}
	if os.Getenv("LATENT_WRITE_TESTDATA") != "" {
		if err := errors.Join(ml.Save("testdata/linear-format1.zip", a), ml.Save("testdata/logistic-format1.zip", b)); err != nil {
			t.Fatal(err)
		}
	}
	linear, err := ml.Load[LinearExpertsModel]("testdata/linear-format1.zip")
	if err != nil {
		t.Fatal(err)
	}
	logistic, err := ml.Load[LogisticExpertsModel]("testdata/logistic-format1.zip")
	if err != nil {
		t.Fatal(err)
	}
	if math.Abs(linear.Objective-a.Objective) > 1e-6 || !mat.EqualApprox(linear.Gate.Coefficients, a.Gate.Coefficients, 1e-2) || !slices.Equal(linear.Labels, a.Labels) {
		t.Errorf("%+v", linear)
	}
	if math.Abs(logistic.Objective-b.Objective) > 1e-6 || logistic.Gate.Coefficients != nil || !mat.EqualApprox(logistic.Coefficients, b.Coefficients, 1e-2) {
		t.Errorf("%+v", logistic)
	}
}

func BenchmarkExperts(b *testing.B) {
	for _, n := range []int{2000, 8000, 32000} {
		_, x, y, _ := truth(n, 1)
		_, points, labels := bends(n, 1)
		for _, optimizer := range optimizers {
			b.Run(fmt.Sprintf("linear/%s/n=%d", optimizer, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := (LinearExperts{K: 3, Optimizer: optimizer, Restarts: 1, MaxIter: 10}).Fit(b.Context(), x, y); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.Run(fmt.Sprintf("logistic/%s/n=%d", optimizer, n), func(b *testing.B) {
				for b.Loop() {
					if _, err := (LogisticExperts{K: 2, Optimizer: optimizer, Restarts: 1, MaxIter: 10}).Fit(b.Context(), points, labels); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// Without a penalty a logistic regression is the plain maximum of the likelihood, which vanishing
// penalties come to.
func TestNoPenalty(t *testing.T) {
	r := rng.New(5)
	x, y := mat.NewDense(200, 2, nil), make([]int, 200)
	for i := range y {
		x.SetRow(i, []float64{r.NormFloat64(), r.NormFloat64()})
		if x.At(i, 0)-x.At(i, 1)+r.NormFloat64() > 0 {
			y[i] = 1
		}
	}
	for _, optimizer := range []Optimizer{EM, Direct} {
		var fits []*LogisticExpertsModel
		for _, penalty := range []float64{-1, 1e-9, 0} {
			m, err := LogisticExperts{K: 1, Penalty: penalty, Optimizer: optimizer, Tol: 1e-13}.Fit(t.Context(), x, y)
			if err != nil {
				t.Fatal(err)
			}
			fits = append(fits, m)
		}
		if !mat.EqualApprox(fits[0].Coefficients, fits[1].Coefficients, 1e-6) || fits[0].Objective != fits[0].LogLikelihood {
			t.Errorf("%s: without a penalty %v, with nearly none %v", optimizer, fits[0].Coefficients, fits[1].Coefficients)
		}
		if gap := fits[0].Coefficients.At(0, 0) - fits[2].Coefficients.At(0, 0); gap < 1e-7 {
			t.Errorf("%s: the default penalty makes no difference: %v", optimizer, gap)
		}
	}
}
