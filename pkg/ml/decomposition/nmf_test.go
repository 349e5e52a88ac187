package decomposition

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// parts are n rows that are sums of k parts of d variables, with a little of everything.
func parts(seed uint64, n, d, k int) *mat.Dense {
	r := rng.New(seed)
	positive := func(n, d int) *mat.Dense {
		m := mat.NewDense(n, d, nil)
		m.Apply(func(_, _ int, _ float64) float64 { return max(r.NormFloat64(), 0) }, m)
		return m
	}
	var x mat.Dense
	x.Mul(positive(n, k), positive(k, d))
	x.Apply(func(_, _ int, v float64) float64 { return v + 0.1*r.Float64() + 0.01 }, &x)
	return &x
}

func fitNMF(t testing.TB, f NMF, x mat.Matrix) *NMFModel {
	t.Helper()
	m, err := f.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func made(m *csr.Matrix, err error) *csr.Matrix {
	if err != nil {
		panic(err)
	}
	return m
}

func TestNMFConformance(t *testing.T) {
	data := parts(1, 40, 8, 3)
	for name, f := range map[string]NMF{
		"hals": {Components: 3}, "coordinate descent": {Components: 3, Solver: CoordinateDescent, ScoresL1: 0.01},
		"multiplicative": {Components: 3, Solver: Multiplicative, MaxIter: 100, ComponentsL2: 0.01},
		"counts":         {Components: 2, Divergence: KullbackLeibler, MaxIter: 100, ScoresL2: 0.1, ComponentsL1: 0.1},
		"itakura-saito":  {Components: 2, Divergence: ItakuraSaito, MaxIter: 100, ScoresL2: 0.1, ScoresL1: 0.01, ComponentsL2: 0.1},
		"random":         {Components: 3, Start: RandomStart, Restarts: 3},
		"batches":        {Components: 3, Batch: 16},
	} {
		t.Run(name, func(t *testing.T) {
			method := mltest.Method[NMFModel]{Fit: f.Fit, Iterate: f.Iterate, Data: data}
			if f.Batch == 0 { // the end may be in rounding
				method.Objective = func(m *NMFModel) float64 { return math.Round(m.Loss*1e10) / 1e10 }
			}
			mltest.Run(t, method)
		})
	}
}

func TestSavedNMF(t *testing.T) { mltest.Saved[NMFModel](t, "testdata/nmf-format1.zip") }

// After ten iterations from the same start, and at the end, factors, errors and scores of new rows
// are scikit-learn's: which also holds the penalties to its convention.
func TestNMFAgainstScikitLearn(t *testing.T) {
	type result struct {
		W, H  [][]float64
		Error float64
	}
	ref := mltest.ReadJSON[struct {
		X, W, H, New [][]float64
		Fits         []struct {
			Solver, Loss       string
			L1w, L2w, L1h, L2h float64
			Ten, End           result
			Transform          [][]float64
		}
		Digits struct {
			W, H  [][]float64
			Error float64
		}
	}](t, "nmf.json")
	x, fresh := mltest.FromRows(ref.X), mltest.FromRows(ref.New)
	for _, c := range ref.Fits {
		f := NMF{Components: 3, Divergence: Divergence(c.Loss), Sweeps: 1, InitScores: mltest.FromRows(ref.W), InitComponents: mltest.FromRows(ref.H),
			ScoresL1: c.L1w, ScoresL2: c.L2w, ComponentsL1: c.L1h, ComponentsL2: c.L2h, MaxIter: 10, Tol: -1}
		if c.Solver == "mu" {
			f.Solver = Multiplicative
		}
		name := fmt.Sprint(c.Solver, " ", c.Loss, " ", c.L1w, " ", c.L2w)
		m := fitNMF(t, f, x)
		if gap := max(mltest.MatrixGap(m.Scores, mltest.FromRows(c.Ten.W)), mltest.MatrixGap(m.Components, mltest.FromRows(c.Ten.H)), math.Abs(m.Error-c.Ten.Error)); gap > 1e-6 {
			t.Errorf("%s: after ten iterations off by %g", name, gap)
		}
		for _, given := range []mat.Matrix{x, made(csr.FromDense(x))} {
			if c.Loss == "itakura-saito" && c.L1w > 0 {
				break // slow, and the same code
			}
			f.MaxIter = 20_000
			end := fitNMF(t, f, given)
			if gap := math.Abs(end.Error - c.End.Error); gap > 1e-5 {
				t.Errorf("%s: ends at an error of %.8f, want %.8f", name, end.Error, c.End.Error)
			}
		}
		m.Components = mltest.FromRows(c.End.H)
		z, err := m.Transform(t.Context(), fresh)
		if err != nil {
			t.Fatal(err)
		}
		if gap := mltest.MatrixGap(z, mltest.FromRows(c.Transform)); gap > 1e-3 {
			t.Errorf("%s: scores of new rows differ by %g", name, gap)
		}
	}
	digits := datasets.Digits().X
	for m, err := range (NMF{Components: 16, Start: NNDSVD}).Iterate(t.Context(), digits) {
		if err != nil {
			t.Fatal(err)
		}
		want := ref.Digits // its singular vectors are exact, ours found by products with random ones
		if gap := max(mltest.MatrixGap(m.Scores.Slice(0, 5, 0, 16), mltest.FromRows(want.W)), mltest.MatrixGap(m.Components.Slice(0, 5, 0, 64), mltest.FromRows(want.H))); gap > 1e-3 {
			t.Errorf("NNDSVD of digits is off by %g", gap)
		}
		break
	}
	if m := fitNMF(t, NMF{Components: 16, Seed: 1}, digits); m.Error > 681.9 || m.Error > ref.Digits.Error {
		t.Errorf("the error on digits is %v, scikit-learn's %v", m.Error, ref.Digits.Error)
	}
}

// Restarts reach 674.1 on digits.
func TestNMFDigitsRestarts(t *testing.T) {
	if m := fitNMF(t, NMF{Components: 16, Restarts: 5, Tol: 1e-6}, datasets.Digits().X); m.Error > 674.1 {
		t.Errorf("the error is %v", m.Error)
	}
}

// Each step to W leaves the row sums of WH those of X, and each to H the column sums, under
// Kullback-Leibler (Lee & Seung): the gradient along the scale of a row is 0 there.
func TestKullbackLeiblerSums(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := parts(rapid.Uint64Range(0, 1000).Draw(r, "seed"), rapid.IntRange(3, 10).Draw(r, "n"), rapid.IntRange(3, 8).Draw(r, "d"), 2)
		n, d := x.Dims()
		for k := 1; k < 3; k++ {
			m := fitNMF(t, NMF{Components: k, Divergence: KullbackLeibler, Start: RandomStart, MaxIter: 3, Tol: -1}, x)
			back, err := m.Inverse(m.Scores)
			if err != nil {
				r.Fatal(err)
			}
			for j := range d {
				if a, b := floats.Sum(mat.Col(nil, j, back)), floats.Sum(mat.Col(nil, j, x)); math.Abs(a-b) > 1e-10*b {
					r.Fatalf("k = %d: column %d adds up to %v, in the data to %v", k, j, a, b)
				}
			}
			if k > 1 {
				continue
			}
			for i := range n { // with one part H is settled after a step, and W then too
				if a, b := floats.Sum(mat.Row(nil, i, back)), floats.Sum(mat.Row(nil, i, x)); math.Abs(a-b) > 1e-10*b {
					r.Fatalf("row %d adds up to %v, in the data to %v", i, a, b)
				}
			}
		}
	})
}

// At the end no allowed change lowers the loss: gradients are 0 where an entry is not, and at least
// 0 where it is (Karush, Kuhn & Tucker). They are taken by finite differences of the loss as it is
// written down.
func TestNMFStationary(t *testing.T) {
	x := parts(3, 12, 7, 3)
	for _, f := range []NMF{
		{ScoresL1: 0.01, ComponentsL2: 0.02}, {Solver: CoordinateDescent, ScoresL2: 0.01, ComponentsL1: 0.02},
		{Solver: Multiplicative, ScoresL1: 0.01, ScoresL2: 0.02, ComponentsL1: 0.02},
		{Divergence: KullbackLeibler, ScoresL1: 0.01, ScoresL2: 0.02, ComponentsL2: 0.02},
		{Divergence: ItakuraSaito, ScoresL1: 0.01, ScoresL2: 0.02, ComponentsL1: 0.02, ComponentsL2: 0.01},
	} {
		f.Components, f.MaxIter, f.Tol = 2, 20_000, 1e-15
		m := fitNMF(t, f, x)
		w, h := mat.DenseCopyOf(m.Scores), mat.DenseCopyOf(m.Components)
		loss := func() float64 {
			var q mat.Dense
			q.Mul(w, h)
			sum := 12 * (f.ComponentsL1*mat.Sum(h) + f.ComponentsL2/2*math.Pow(mat.Norm(h, 2), 2))
			sum += 7 * (f.ScoresL1*mat.Sum(w) + f.ScoresL2/2*math.Pow(mat.Norm(w, 2), 2))
			for i := range 12 {
				for j := range 7 {
					x, q := x.At(i, j), q.At(i, j)
					switch f.Divergence {
					case KullbackLeibler:
						sum += x*math.Log(x/q) - x + q
					case ItakuraSaito:
						sum += x/q - math.Log(x/q) - 1
					default:
						sum += (x - q) * (x - q) / 2
					}
				}
			}
			return sum
		}
		if now := loss(); math.Abs(now-m.Loss) > 1e-9*now {
			t.Errorf("%+v: Loss is %v, want %v", f, m.Loss, now)
		}
		for _, factor := range []*mat.Dense{w, h} {
			for at, v := range factor.RawMatrix().Data {
				const step = 1e-5
				if v < 1e-3 { // one side of it
					factor.RawMatrix().Data[at] = v + step
					if up := loss(); up < m.Loss-1e-7 {
						t.Errorf("%+v: entry %d of %v lowers the loss by %g when it grows", f, at, v, m.Loss-up)
					}
				} else {
					factor.RawMatrix().Data[at] = v + step
					up := loss()
					factor.RawMatrix().Data[at] = v - step
					if slope := (up - loss()) / (2 * step); math.Abs(slope) > 2e-3 {
						t.Errorf("%+v: entry %d of %v has the slope %g", f, at, v, slope)
					}
				}
				factor.RawMatrix().Data[at] = v
			}
		}
	}
}

// A matrix of rank 1 is its own NNDSVD, and NNDSVD of any has the first singular pair.
func TestNNDSVDRankOne(t *testing.T) {
	x := mat.NewDense(7, 5, nil)
	x.Outer(3, mat.NewVecDense(7, []float64{1, 2, 0, 4, 5, 6, 7}), mat.NewVecDense(5, []float64{0, 1, 3, 0.5, 2}))
	for m, err := range (NMF{Components: 1, Start: NNDSVD}).Iterate(t.Context(), x) {
		if err != nil {
			t.Fatal(err)
		}
		if back, _ := m.Inverse(m.Scores); mltest.MatrixGap(back, x) > 1e-12 || m.Error > 1e-11 {
			t.Errorf("the start is off by %g, Error %g", mltest.MatrixGap(back, x), m.Error)
		}
		break
	}
}

// A report on another library: few numbers, as many parts as columns.
func TestNMFTiny(t *testing.T) {
	r := rng.New(15)
	for seed := range uint64(20) {
		x := mat.NewDense(4, 2, nil)
		x.Apply(func(_, _ int, _ float64) float64 { return r.Float64() }, x)
		m := fitNMF(t, NMF{Components: 2, Divergence: KullbackLeibler, Start: RandomStart, Seed: seed, MaxIter: 20_000, Tol: 1e-12}, x)
		if !(m.Loss < 1e-4) {
			t.Errorf("seed %d: the loss is %v", seed, m.Loss)
		}
	}
}

// A sparse matrix gives the model of the dense one, and one that no memory would hold dense is
// fitted and transformed; nothing of it is made dense.
func TestNMFSparse(t *testing.T) {
	x := parts(4, 40, 12, 3)
	x.Apply(func(i, j int, v float64) float64 {
		if (i+3*j)%3 == 0 || i == 7 || j == 5 { // a row and a column of zeros
			return 0
		}
		return v
	}, x)
	s := made(csr.FromDense(x))
	for _, f := range []NMF{{}, {Solver: CoordinateDescent}, {Solver: Multiplicative, MaxIter: 50}, {Divergence: KullbackLeibler, MaxIter: 50, ScoresL1: 0.01},
		{Divergence: KullbackLeibler, Batch: 16}, {Batch: 16}} {
		f.Components, f.Start, f.Sweeps = 3, RandomStart, 2
		a, b := fitNMF(t, f, x), fitNMF(t, f, s)
		if gap := max(mltest.MatrixGap(a.Scores, b.Scores), mltest.MatrixGap(a.Components, b.Components)); gap > 1e-6 || math.Abs(a.Loss-b.Loss) > 1e-9 {
			t.Errorf("%+v: sparse and dense models differ by %g, losses by %g", f, gap, a.Loss-b.Loss)
		}
		if a.Iterations > 0 && (mat.Sum(a.Scores.Slice(7, 8, 0, 3)) > 1e-9 || mat.Sum(a.Components.Slice(0, 3, 5, 6)) > 1e-9) {
			t.Errorf("%+v: a row and a column of zeros have scores %v and components %v", f, mat.Row(nil, 7, a.Scores), mat.Col(nil, 5, a.Components))
		}
		za, err := a.Transform(t.Context(), x)
		zb, err2 := a.Transform(t.Context(), s)
		if err != nil || err2 != nil || mltest.MatrixGap(za, zb) > 1e-6 {
			t.Errorf("%+v: scores differ by %g; %v, %v", f, mltest.MatrixGap(za, zb), err, err2)
		}
	}
	const n, d = 30_000, 20_000 // 4.8 GB if dense
	r := rng.New(1)
	i, j, v := make([]int, 5*n), make([]int, 5*n), make([]float64, 5*n)
	for at := range i {
		i[at], v[at] = at/5, 1+r.Float64()
		j[at] = i[at]%4*(d/4) + r.IntN(d/4) // four groups of columns
	}
	large := made(csr.FromTriplets(n, d, i, j, v))
	for _, f := range []NMF{{Components: 4, MaxIter: 10}, {Components: 4, MaxIter: 10, Divergence: KullbackLeibler}} {
		m := fitNMF(t, f, large)
		z, err := m.Transform(t.Context(), large)
		if err != nil {
			t.Fatal(err)
		}
		same := 0
		for i := range n {
			if floats.MaxIdx(z.RawRowView(i)) == floats.MaxIdx(z.RawRowView(i%4)) {
				same++
			}
		}
		if same < n*95/100 {
			t.Errorf("%q: %d of %d rows have the part of their group", f.Divergence, same, n)
		}
	}
}

// What Transform gives for the rows of the data is no worse than what the fit had, row by row, and
// does not depend on which rows there are.
func TestNMFTransform(t *testing.T) {
	x := parts(5, 30, 8, 3)
	for _, f := range []NMF{{ScoresL1: 0.01}, {Divergence: KullbackLeibler, ScoresL2: 0.01}, {Divergence: ItakuraSaito}} {
		f.Components, f.Tol, f.MaxIter = 3, 1e-10, 5000
		m := fitNMF(t, f, x)
		z, err := m.Transform(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		some, err := m.Transform(t.Context(), x.Slice(3, 9, 0, 8))
		if err != nil || !mat.Equal(some, z.Slice(3, 9, 0, 3)) {
			t.Errorf("%q: scores of some rows are not those of all; %v", f.Divergence, err)
		}
		if gap := mltest.MatrixGap(z, m.Scores); gap > 0.01 {
			t.Errorf("%q: scores differ by %g from those of the fit", f.Divergence, gap)
		}
	}
}

// Larger penalties of W leave fewer entries, and they weigh alike however many rows and columns
// there are: data beside and below itself want the same H beside itself, and W below itself.
func TestNMFPenalties(t *testing.T) {
	x := parts(6, 30, 8, 4)
	before := math.Inf(1)
	for _, l1 := range []float64{0, 0.02, 0.1, 0.5} {
		m, left := fitNMF(t, NMF{Components: 4, ScoresL1: l1, ComponentsL2: 0.01}, x), 0.0
		for _, v := range m.Scores.RawMatrix().Data {
			if v > 0 {
				left++
			}
		}
		if left > before || l1 == 0.5 && left > 60 {
			t.Errorf("with L1 %v there are %v scores, with less %v", l1, left, before)
		}
		before = left
	}
	twice := mat.NewDense(60, 16, nil)
	twice.Apply(func(i, j int, _ float64) float64 { return x.At(i%30, j%8) }, twice)
	f := NMF{Components: 2, ScoresL1: 0.02, ScoresL2: 0.01, ComponentsL1: 0.03, ComponentsL2: 0.01, Tol: 1e-12, MaxIter: 5000}
	a, b := fitNMF(t, f, x), fitNMF(t, f, twice)
	if math.Abs(b.Loss/4-a.Loss) > 1e-5*a.Loss {
		t.Errorf("four times the data have a loss of %v, want 4·%v", b.Loss, a.Loss)
	}
}

// Constant columns are fitted like any; rows and columns of zeros keep nothing.
func TestNMFDegenerate(t *testing.T) {
	x := parts(7, 20, 6, 2)
	for i := range 20 {
		x.Set(i, 2, 3)
	}
	if m := fitNMF(t, NMF{Components: 6, Tol: 1e-9, MaxIter: 5000}, x); m.Error > 0.02*mat.Norm(x, 2) {
		t.Errorf("with as many parts as columns the error is %v of %v", m.Error, mat.Norm(x, 2))
	}
	zero := fitNMF(t, NMF{Components: 2}, mat.NewDense(4, 3, nil))
	if mat.Sum(zero.Scores) != 0 || zero.Loss != 0 || !zero.Converged {
		t.Errorf("of zeros: %+v", zero)
	}
	if m := fitNMF(t, NMF{Components: 9}, x); len(m.Scores.RawRowView(0)) != 9 {
		t.Error("more parts than columns are allowed")
	}
}

func TestBadNMF(t *testing.T) {
	x := parts(1, 6, 4, 2)
	negative := mat.DenseCopyOf(x)
	negative.Set(3, 2, -1.5)
	zero := mat.DenseCopyOf(x)
	zero.Set(4, 1, 0)
	fit := func(f NMF, x mat.Matrix) error { return mltest.Err(f.Fit(t.Context(), x)) }
	m := fitNMF(t, NMF{Components: 2}, x)
	for name, c := range map[string]struct {
		err, kind error
		says      string
	}{
		"negative":   {fit(NMF{}, negative), ml.ErrParameter, "row 3, column 2 = -1.5, want 0 or more"},
		"sparse":     {fit(NMF{}, made(csr.FromDense(negative))), ml.ErrParameter, "row 3, column 2 = -1.5"},
		"transform":  {mltest.Err(m.Transform(t.Context(), negative)), ml.ErrParameter, "row 3, column 2 = -1.5"},
		"zero":       {fit(NMF{Components: 2, Divergence: ItakuraSaito}, zero), ml.ErrParameter, "row 4, column 1 = 0, want more than 0"},
		"absent":     {fit(NMF{Components: 2, Divergence: ItakuraSaito}, made(csr.FromDense(zero))), ml.ErrParameter, "row 4, column 1 = 0"},
		"components": {fit(NMF{Components: -1}, x), ml.ErrParameter, "Components = -1"},
		"many":       {fit(NMF{Components: 5, Start: NNDSVDa}, x), ml.ErrParameter, "min(n, d) = 4"},
		"divergence": {fit(NMF{Divergence: "x"}, x), ml.ErrParameter, `Divergence = "x"`},
		"solver":     {fit(NMF{Solver: "x"}, x), ml.ErrParameter, `Solver = "x"`},
		"both":       {fit(NMF{Solver: HALS, Divergence: KullbackLeibler}, x), ml.ErrParameter, `want "multiplicative"`},
		"start":      {fit(NMF{Start: "x"}, x), ml.ErrParameter, `Start = "x"`},
		"stuck":      {fit(NMF{Start: NNDSVD, Solver: Multiplicative}, x), ml.ErrParameter, "its zeros would stay"},
		"restarts":   {fit(NMF{Restarts: -1}, x), ml.ErrParameter, "Restarts = -1"},
		"sweeps":     {fit(NMF{Sweeps: -1}, x), ml.ErrParameter, "Sweeps = -1"},
		"batch":      {fit(NMF{Batch: -1}, x), ml.ErrParameter, "Batch = -1"},
		"forget":     {fit(NMF{Forget: 2}, x), ml.ErrParameter, "Forget = 2"},
		"penalty":    {fit(NMF{ComponentsL1: -1}, x), ml.ErrParameter, "ComponentsL1 = -1"},
		"nan":        {fit(NMF{ScoresL2: math.NaN()}, x), ml.ErrParameter, "ScoresL2 = NaN"},
		"steps":      {fit(NMF{MaxIter: -1}, x), ml.ErrParameter, "MaxIter = -1"},
		"tol":        {fit(NMF{Tol: math.NaN()}, x), ml.ErrParameter, "Tol = NaN"},
		"half":       {fit(NMF{InitScores: x}, x), ml.ErrShape, "one is nil"},
		"init":       {fit(NMF{Components: 2, InitScores: x, InitComponents: x}, x), ml.ErrShape, "InitScores is 6×4, want n×k = 6×2"},
		"below":      {fit(NMF{Components: 4, InitScores: negative, InitComponents: mat.DenseCopyOf(x.Slice(0, 4, 0, 4))}, x), ml.ErrParameter, "InitScores: row 3, column 2"},
		"columns":    {mltest.Err(m.Transform(t.Context(), x.Slice(0, 2, 0, 3))), ml.ErrShape, "3 columns"},
		"inverse":    {mltest.Err(m.Inverse(x)), ml.ErrShape, "4 columns, the model has 2"},
	} {
		t.Run(name, func(t *testing.T) { mltest.Refused(t, name, c.err, c.kind, c.says) })
	}
}

func TestNMFIsPrompt(t *testing.T) {
	x := parts(8, 3000, 200, 10)
	for _, f := range []NMF{{}, {Solver: CoordinateDescent}, {Divergence: KullbackLeibler}, {Batch: 500}} {
		f.Components, f.Tol, f.MaxIter = 20, -1, 1_000_000
		if !mltest.Prompt(t, fmt.Sprintf("%+v", f), 300*time.Millisecond, func(ctx context.Context) error { return mltest.Err(f.Fit(ctx, x)) }) {
			t.Error("it was done before")
		}
	}
}
