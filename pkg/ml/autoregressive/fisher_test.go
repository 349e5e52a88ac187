package autoregressive

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/mixture"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	vec "gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func scoresOf(t testing.TB, m Scored, x mat.Matrix) *mat.Dense {
	t.Helper()
	u, err := m.Scores(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// scoredMADEs are small networks of every kind, a little trained.
func scoredMADEs(t *testing.T) map[string]*MADEModel {
	out := map[string]*MADEModel{}
	for name, m := range map[string]MADE{
		"bits": {Hidden: []int{7, 6}}, "no hidden layer": {Hidden: []int{}}, "three orders": {Hidden: []int{6}, Orders: 3}, "three levels": {Levels: 3, Hidden: []int{8}, Order: []int{2, 0, 1, 3}},
	} {
		m.Train = check.Brief(15)
		out[name] = check.Fit(t, m, check.Symbols(1, 40, 4, max(m.Levels, 2)))
	}
	return out
}

// moved returns the model with one weight changed.
func (m *MADEModel) moved(column int, by float64) *MADEModel {
	out := &MADEModel{Levels: m.Levels, Variables: m.Variables, Hidden: m.Hidden, Degrees: m.Degrees, Trained: neural.Trained{Weights: neural.Weights{Names: m.Weights.Names, Shapes: m.Weights.Shapes}}}
	for _, v := range m.Weights.Values {
		v = mat.DenseCopyOf(v)
		if data := v.RawMatrix().Data; column >= 0 && column < len(data) {
			data[column] += by
		}
		column -= len(v.RawMatrix().Data)
		out.Weights.Values = append(out.Weights.Values, v)
	}
	return out
}

// The outer products of one batched pass are the gradient of one row at a time, and both are the
// slope of LogProb.
func TestMADEScoresAreGradients(t *testing.T) {
	for name, m := range scoredMADEs(t) {
		x := check.Symbols(2, 5, 4, m.Levels)
		u := scoresOf(t, m, x)
		rows, err := neural.Rows("test", x)
		if err != nil {
			t.Fatal(err)
		}
		slow, err := (&neural.Trained{Weights: m.Weights}).RowGradients(t.Context(), rows, func(s *model.Scope, x *graph.Node) *graph.Node { return m.network().meanLogProb(s, x) })
		if err != nil {
			t.Fatal(err)
		}
		if _, p := u.Dims(); p != m.Weights.Count() || !mat.EqualApprox(u, slow, 1e-5) {
			t.Errorf("%s: the scores are not the gradients", name)
		}
		live := 0
		for c := range m.Weights.Count() {
			if mat.Norm(u.ColView(c), 2) != 0 {
				live++
			}
			if c%7 != 0 {
				continue
			}
			const h = 1e-3
			up, down := check.LogProb(t, m.moved(c, h), x), check.LogProb(t, m.moved(c, -h), x)
			for i := range up {
				if slope := (up[i] - down[i]) / (2 * h); math.Abs(slope-u.At(i, c)) > 4e-3 {
					t.Errorf("%s, weight %d, row %d: the score is %v, the slope of log p %v", name, c, i, u.At(i, c), slope)
				}
			}
		}
		if live < m.Weights.Count()/6 {
			t.Errorf("%s: only %d of %d weights have a score", name, live, m.Weights.Count())
		}
	}
}

// Over all observations, weighted by their probabilities: the mean of the score is 0, and its
// covariance is −E[∇²log p].
func TestScoreIdentities(t *testing.T) {
	models := map[string]Scored{}
	for name, m := range scoredMADEs(t) {
		models[name] = m
	}
	for _, c := range []int{0, 1, 3} {
		table, err := Table{Levels: 3, Context: c}.Fit(t.Context(), check.Symbols(3, 400, 4, 3))
		if err != nil {
			t.Fatal(err)
		}
		models[fmt.Sprintf("table of context %d", c)] = table
	}
	mix, err := mixture.Bernoulli{K: 3}.Fit(t.Context(), check.Symbols(4, 60, 4, 2))
	if err != nil {
		t.Fatal(err)
	}
	models["mixture"] = mix
	for name, m := range models {
		levels := 2
		switch m := m.(type) {
		case *TableModel:
			levels = 3
		case *MADEModel:
			levels = m.Levels
		}
		x := check.EveryRow(4, levels)
		logp, u := check.LogProb(t, m, x), scoresOf(t, m, x)
		n, p := u.Dims()
		mean, info := make([]float64, p), mat.NewDense(p, p, nil)
		for i := range n {
			vec.AddScaled(mean, math.Exp(logp[i]), u.RawRowView(i))
			info.RankOne(info, math.Exp(logp[i]), u.RowView(i), u.RowView(i))
		}
		if worst := vec.Norm(mean, math.Inf(1)); worst > 2e-6 {
			t.Errorf("%s: the mean of the score is up to %v from 0", name, worst)
		}
		made, ok := m.(*MADEModel)
		if !ok {
			continue
		}
		for c := 0; c < p; c += 5 { // one column of the Hessian, by differences of scores
			const h = 2e-2
			up, down := scoresOf(t, made.moved(c, h), x), scoresOf(t, made.moved(c, -h), x)
			hessian := make([]float64, p)
			for i := range n {
				vec.AddScaled(hessian, math.Exp(logp[i])/(2*h), up.RawRowView(i))
				vec.AddScaled(hessian, -math.Exp(logp[i])/(2*h), down.RawRowView(i))
			}
			for k, v := range hessian {
				if math.Abs(info.At(c, k)+v) > 2e-3 {
					t.Errorf("%s: information (%d, %d) is %v, −E[Hessian] %v", name, c, k, info.At(c, k), -v)
				}
			}
		}
	}
}

// Samples of the model have scores whose mean is 0 within the standard error.
func TestScoreOfSamplesHasMeanZero(t *testing.T) {
	m := scoredMADEs(t)["bits"]
	x, err := m.Sample(t.Context(), 4000, 5)
	if err != nil {
		t.Fatal(err)
	}
	f, err := Fisher{Model: m}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for j, mean := range f.Mean {
		if se := math.Sqrt(f.Information.At(0, j) / 4000); math.Abs(mean) > 4.5*se {
			t.Errorf("weight %d: the mean of the score is %v, its standard error %v", j, mean, se)
		}
	}
	if data, err := (Fisher{Model: m}).Fit(t.Context(), mat.NewDense(1, 4, []float64{1, 1, 0, 1})); err != nil || vec.Norm(data.Mean, 2) < 0.1 {
		t.Errorf("one row that is no sample should pull at the weights (%v)", err)
	}
}

// Independent bits with the odds as parameters: U = x − p, I = p(1−p), K(x, y) = Σ
// (x−p)(y−p)/(p(1−p)). The information is diagonal in truth, so Full differs by chance alone.
func TestFisherOfIndependentBits(t *testing.T) {
	x := check.Symbols(6, 500, 5, 2)
	for i := range 500 {
		x.Set(i, 2, x.At(i, 2)*x.At(i, 3)) // unequal frequencies
	}
	m, err := Table{Smoothing: -1}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	p := make([]float64, 5)
	for j := range p {
		p[j] = mat.Sum(x.ColView(j)) / 500
	}
	u := scoresOf(t, m, x)
	for i := range 500 {
		for j := range 5 {
			if want := x.At(i, j) - p[j]; math.Abs(u.At(i, j)-want) > 1e-12 {
				t.Fatalf("row %d, bit %d: score %v, want %v", i, j, u.At(i, j), want)
			}
		}
	}
	kernel := func(f Fisher) *mat.Dense {
		f.Model = m
		fit, err := f.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		k, err := fit.Kernel(t.Context(), x, nil)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	diagonal, plain, full := kernel(Fisher{Damping: -1}), kernel(Fisher{Normalize: Plain}), kernel(Fisher{Normalize: Full, Damping: -1, Center: true})
	trace := 0.0
	for i := range 500 {
		trace += full.At(i, i) / 500
		for k := range 500 {
			want, wantPlain := 0.0, 0.0
			for j := range 5 {
				a := (x.At(i, j) - p[j]) * (x.At(k, j) - p[j])
				want, wantPlain = want+a/(p[j]*(1-p[j])), wantPlain+a
			}
			if math.Abs(diagonal.At(i, k)-want) > 1e-10 || math.Abs(plain.At(i, k)-wantPlain) > 1e-10 {
				t.Fatalf("K(%d, %d) = %v and %v, want %v and %v", i, k, diagonal.At(i, k), plain.At(i, k), want, wantPlain)
			}
		}
	}
	if math.Abs(trace-5) > 1e-9 { // E[Uᵀ I⁻¹ U] = P where I is the moment of the same rows
		t.Errorf("the mean of K(x, x) is %v, want 5", trace)
	}
}

// Kernel, Features and Project are of one piece, for any size of block and any two sets of rows.
func TestFisherKernelIsTheProductOfFeatures(t *testing.T) {
	m := scoredMADEs(t)["three levels"]
	rapid.Check(t, func(rt *rapid.T) {
		x := check.Symbols(rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(1, 30).Draw(rt, "n"), 4, 3)
		y := check.Symbols(rapid.Uint64().Draw(rt, "other seed"), rapid.IntRange(1, 30).Draw(rt, "m"), 4, 3)
		f, err := Fisher{Model: m, Normalize: rapid.SampledFrom([]Normalization{"", Diagonal, Full, Plain}).Draw(rt, "normalize"), Center: rapid.Bool().Draw(rt, "center")}.Fit(t.Context(), x)
		if err != nil {
			rt.Fatal(err)
		}
		a, err1 := f.Features(t.Context(), x)
		b, err2 := f.Features(t.Context(), y)
		kxy, err3 := f.Kernel(t.Context(), x, y)
		kxx, err4 := f.Kernel(t.Context(), x, nil)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			rt.Fatal(err)
		}
		var want, own mat.Dense
		want.Mul(a, b.T())
		own.Mul(a, a.T())
		size := 1 + mat.Max(&own)
		if !mat.EqualApprox(&want, kxy, 1e-9*size) || !mat.EqualApprox(&own, kxx, 1e-9*size) {
			rt.Fatal("the kernel is not the product of the features")
		}
		var eigen mat.EigenSym
		sym := mat.NewSymDense(x.RawMatrix().Rows, mat.DenseCopyOf(kxx).RawMatrix().Data)
		if !eigen.Factorize(sym, false) || eigen.Values(nil)[0] < -1e-8*size {
			rt.Fatal("the kernel has a negative eigenvalue")
		}
	})
}

// The mean of many projections' products is the kernel, within the error that Project states.
func TestFisherProjectionsAverageToTheKernel(t *testing.T) {
	m := scoredMADEs(t)["bits"]
	x := check.Symbols(7, 6, 4, 2)
	f, err := Fisher{Model: m}.Fit(t.Context(), check.Symbols(8, 200, 4, 2))
	if err != nil {
		t.Fatal(err)
	}
	k, err := f.Kernel(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	const seeds, width = 400, 16
	sum := mat.NewDense(6, 6, nil)
	for seed := range uint64(seeds) {
		z, err := f.Project(t.Context(), x, width, seed)
		if err != nil {
			t.Fatal(err)
		}
		var product mat.Dense
		product.Mul(z, z.T())
		sum.Add(sum, &product)
	}
	for i := range 6 {
		for j := range 6 {
			se := math.Sqrt(2 * k.At(i, i) * k.At(j, j) / width / seeds)
			if got := sum.At(i, j) / seeds; math.Abs(got-k.At(i, j)) > 5*se {
				t.Errorf("(%d, %d): %v on average, the kernel is %v, standard error at most %v", i, j, got, k.At(i, j), se)
			}
		}
	}
}

func TestFisherIsKept(t *testing.T) {
	m := scoredMADEs(t)["bits"]
	x := check.Symbols(9, 30, 4, 2)
	for _, n := range []Normalization{Diagonal, Full, Plain} {
		f, err := Fisher{Model: m, Normalize: n, Center: true}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "fisher.zip")
		if err := ml.Save(path, f); err != nil {
			t.Fatal(err)
		}
		loaded, err := ml.Load[FisherModel](path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := loaded.Kernel(t.Context(), x, nil); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("a kernel without a model: %v", err)
		}
		again, err := loaded.Of(m)
		if err != nil {
			t.Fatal(err)
		}
		a, err1 := f.Kernel(t.Context(), x, nil)
		b, err2 := again.Kernel(t.Context(), x, nil)
		if err := errors.Join(err1, err2); err != nil || !mat.Equal(a, b) {
			t.Errorf("%s: another kernel after a file (%v)", n, err)
		}
		other, err := loaded.Of(scoredMADEs(t)["three orders"])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.Kernel(t.Context(), x, nil); !errors.Is(err, ml.ErrShape) {
			t.Errorf("%s: the information of another model: %v", n, err)
		}
	}
}

func TestFisherConformance(t *testing.T) {
	table, err := Table{Levels: 3, Context: 1}.Fit(t.Context(), check.Symbols(5, 50, 4, 3))
	if err != nil {
		t.Fatal(err)
	}
	fit := func(ctx context.Context, x mat.Matrix) (*FisherModel, error) {
		f, err := Fisher{Model: table}.Fit(ctx, x)
		if f != nil {
			// Without the table, which no file holds
			f = &FisherModel{Normalize: f.Normalize, Mean: f.Mean, Information: f.Information, Damping: f.Damping}
		}
		return f, err
	}
	mltest.Run(t, mltest.Method[FisherModel]{Fit: fit, Data: check.Symbols(5, 50, 4, 3)})
}

func TestFisherRefuses(t *testing.T) {
	m := scoredMADEs(t)["bits"]
	x := check.Symbols(1, 10, 4, 2)
	for name, c := range map[string]struct {
		f    Fisher
		x    mat.Matrix
		want error
	}{
		"no model": {Fisher{}, x, ml.ErrParameter}, "normalization": {Fisher{Model: m, Normalize: "half"}, x, ml.ErrParameter}, "damping": {Fisher{Model: m, Damping: math.NaN()}, x, ml.ErrParameter},
		"three columns": {Fisher{Model: m}, x.Slice(0, 10, 0, 3), ml.ErrShape}, "a 2": {Fisher{Model: m}, check.Symbols(1, 10, 4, 3), ml.ErrParameter},
		"singular": {Fisher{Model: m, Normalize: Full, Damping: -1}, x.Slice(0, 2, 0, 4), ml.ErrParameter},
		"too many": {Fisher{Model: check.Fit(t, MADE{Hidden: []int{600, 10}, Train: check.Brief(1)}, x), Normalize: Full}, x, ml.ErrParameter},
	} {
		if _, err := c.f.Fit(t.Context(), c.x); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want an error that wraps %q", name, err, c.want)
		}
	}
	f, err := Fisher{Model: m}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Project(t.Context(), x, 0, 1); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a projection on nothing: %v", err)
	}
	if _, err := f.Of(nil); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("of nothing: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Kernel(ended, x, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("a kernel after its context: %v", err)
	}
}

func TestScoresOnBothBackends(t *testing.T) {
	m := scoredMADEs(t)["three levels"]
	x := check.Symbols(3, 20, 4, 3)
	onGo := scoresOf(t, m, x)
	xlatest.Require(t)
	t.Setenv("GOMLX_BACKEND", "xla:cpu")
	if onXLA := scoresOf(t, m.moved(-1, 0), x); !mat.EqualApprox(onGo, onXLA, 1e-5) {
		t.Error("the backends disagree")
	}
}
