package decomposition

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func TestDPCAConformance(t *testing.T) {
	mltest.Run(t, mltest.Method[DPCAModel]{Fit: DPCA{Components: 2}.Fit})
}

func TestSavedDPCA(t *testing.T) {
	mltest.Saved[DPCAModel](t, "testdata/dpca-format1.zip")
	mltest.Saved[DPCALambdaModel](t, "testdata/dpca-lambda-format1.zip")
}

func fitDPCA(t testing.TB, p DPCA, x mat.Matrix) *DPCAModel {
	t.Helper()
	m, err := p.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// recording is a small one in which all that can be unequal is.
func recording(seed uint64) *trials.Trials {
	p := datasets.Demixed{Neurons: 9, Stimuli: 3, Steps: 7, Trials: 5, Unequal: true, Seed: seed}.Draw()
	r := rng.New(seed, 1)
	x := mat.DenseCopyOf(p.Trials.X)
	for k := 18; k < p.Trials.Len(); k++ { // a neuron is missing from some of the later trials
		if j := r.IntN(20); j < 9 {
			for i := p.Trials.Start[k]; i < p.Trials.Start[k+1]; i++ {
				x.Set(i, j, math.NaN())
			}
		}
	}
	return &trials.Trials{X: x, Start: p.Trials.Start, Factors: p.Trials.Factors}
}

// Axes are those of the package dpca, with its own penalty, joined and not.
func TestDPCAAgainstThePackage(t *testing.T) {
	type axes struct {
		Name             string
		Sets             [][]string
		Encoder, Decoder [][]float64
	}
	ref := mltest.ReadJSON[struct {
		Stimuli, Decisions int
		Series             [][][]float64
		Cases              []struct {
			Name      string
			Lambda    float64
			Marginals []axes
		}
	}](t, "dpca.json")
	var series []mat.Matrix
	var s, q []string
	for c, rows := range ref.Series {
		series = append(series, mltest.FromRows(rows))
		s, q = append(s, fmt.Sprint(c/ref.Decisions)), append(q, fmt.Sprint(c%ref.Decisions))
	}
	x, err := trials.New(series, trials.NewFactor("s", s), trials.NewFactor("q", q))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range ref.Cases {
		p := DPCA{Components: 2, Penalty: Official, Lambda: c.Lambda, Noise: NoNoise}
		if c.Lambda == 0 {
			p.Lambda = -1
		}
		for _, a := range c.Marginals {
			p.Marginals = append(p.Marginals, Marginal{Name: a.Name, Sets: a.Sets})
		}
		m := fitDPCA(t, p, x)
		for _, a := range c.Marginals {
			found := m.ComponentsOf(a.Name)
			if len(found) != len(a.Encoder) {
				t.Errorf("%s, λ %v, %s: %d components, want %d", c.Name, c.Lambda, a.Name, len(found), len(a.Encoder))
				continue
			}
			for k := range a.Encoder { // in the order of their eigenvalues there, of their ratio here
				gap := math.Inf(1)
				for _, f := range found {
					for _, sign := range []float64{1, -1} {
						one := 0.0
						for j := range a.Encoder[k] {
							one = max(one, math.Abs(m.Encoder.At(f, j)-sign*a.Encoder[k][j]), math.Abs(m.Decoder.At(f, j)-sign*a.Decoder[k][j]))
						}
						gap = min(gap, one)
					}
				}
				if !(gap < 1e-8) {
					t.Errorf("%s, λ %v, %s: axes %d differ by %g", c.Name, c.Lambda, a.Name, k, gap)
				}
			}
		}
	}
}

// means of a recording, centered, and the marginals that DPCA has by default.
func dpcaParts(t testing.TB, x *trials.Trials, joined []Marginal) (all *mat.Dense, each []*mat.Dense) {
	t.Helper()
	a, err := x.Average()
	if err != nil {
		t.Fatal(err)
	}
	center(a.Mean)
	for _, m := range joined {
		part, err := marginalOf(a, m)
		if err != nil {
			t.Fatal(err)
		}
		each = append(each, part)
	}
	return a.Mean, each
}

// The variances of all marginals, and of a component within all of them, add up.
func TestDPCAVariancesAddUp(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := recording(rapid.Uint64Range(0, 1000).Draw(r, "seed"))
		joined := JoinedWithTime("stimulus", "decision")
		p := DPCA{Components: rapid.IntRange(1, 5).Draw(r, "k"), Lambda: rapid.SampledFrom([]float64{0, -1, 1}).Draw(r, "λ")}
		if rapid.Bool().Draw(r, "apart") {
			joined = nil
			for set := 1; set < 8; set++ {
				var names []string
				for f, name := range []string{"decision", trials.Time, "stimulus"} {
					if set>>f&1 == 1 {
						names = append(names, name)
					}
				}
				joined = append(joined, Marginal{Sets: [][]string{names}})
			}
			p.Marginals = joined
		}
		m, err := p.Fit(context.Background(), x)
		if err != nil {
			r.Fatal(err)
		}
		all, each := dpcaParts(t, x, joined)
		total := math.Pow(mat.Norm(all, 2), 2)
		if gap := math.Abs(floats.Sum(m.Share) - 1); gap > 1e-12 || math.Abs(m.Total/total-1) > 1e-12 {
			r.Fatalf("shares of marginals add up to 1 − %g; the total is %v, want %v", gap, m.Total, total)
		}
		// Explained, Ratio and Cumulative are what their definitions say.
		k, d := m.Encoder.Dims()
		together := mat.DenseCopyOf(all)
		for c := range k {
			left := func(x *mat.Dense) float64 {
				var z, rest mat.Dense
				z.Mul(x, m.Decoder.Slice(c, c+1, 0, d).T())
				rest.Mul(&z, m.Encoder.Slice(c, c+1, 0, d))
				rest.Sub(x, &rest)
				return math.Pow(mat.Norm(&rest, 2), 2)
			}
			if gap := math.Abs(floats.Sum(m.Explained.RawRowView(c)) - m.Ratio[c]); gap > 1e-12 {
				r.Fatalf("component %d explains in its marginals what it explains in all, but for %g", c, gap)
			}
			if gap := math.Abs((total-left(all))/total - m.Ratio[c]); gap > 1e-11 {
				r.Fatalf("component %d: the ratio is off by %g", c, gap)
			}
			for i, part := range each {
				if gap := math.Abs((math.Pow(mat.Norm(part, 2), 2)-left(part))/total - m.Explained.At(c, i)); gap > 1e-11 {
					r.Fatalf("component %d in marginal %d: explained is off by %g", c, i, gap)
				}
			}
			var z, add mat.Dense
			z.Mul(all, m.Decoder.Slice(c, c+1, 0, d).T())
			add.Mul(&z, m.Encoder.Slice(c, c+1, 0, d))
			together.Sub(together, &add)
			if gap := math.Abs(1 - math.Pow(mat.Norm(together, 2), 2)/total - m.Cumulative[c]); gap > 1e-11 {
				r.Fatalf("the first %d components: cumulative is off by %g", c+1, gap)
			}
			if c > 0 && m.Ratio[c] > m.Ratio[c-1] {
				r.Fatalf("components are not in the order of their ratio: %v", m.Ratio)
			}
		}
	})
}

// Without penalty and noise it is regression of reduced rank, of which the singular value
// decomposition is the closed form: the best of all matrices of rank k.
func TestDPCAIsReducedRankRegression(t *testing.T) {
	for seed := range uint64(5) {
		x := recording(seed)
		joined := JoinedWithTime("stimulus", "decision")
		m := fitDPCA(t, DPCA{Components: 2, Lambda: -1, Noise: NoNoise}, x)
		all, each := dpcaParts(t, x, joined)
		n, d := all.Dims()
		var svd mat.SVD
		svd.Factorize(all, mat.SVDThin)
		var u mat.Dense
		svd.UTo(&u)
		for i, part := range each {
			var inside, fitted mat.Dense // what of the marginal X's columns can give
			inside.Mul(u.T(), part)
			fitted.Mul(&u, &inside)
			var best mat.SVD
			best.Factorize(&fitted, mat.SVDThin)
			var bu, bv mat.Dense
			best.UTo(&bu)
			best.VTo(&bv)
			values := best.Values(nil)
			want, got := mat.NewDense(n, d, nil), mat.NewDense(n, d, nil)
			for c := range 2 {
				want.RankOne(want, values[c], bu.ColView(c), bv.ColView(c))
			}
			for _, c := range m.ComponentsOf(joined[i].Name) {
				var z mat.VecDense
				z.MulVec(all, m.Decoder.RowView(c))
				got.RankOne(got, 1, &z, m.Encoder.RowView(c))
			}
			if gap := mltest.MatrixGap(got, want); gap > 1e-9*values[0] {
				t.Errorf("seed %d, %s: the fit differs by %g", seed, joined[i].Name, gap)
			}
		}
	}
}

// With noise and penalty the pair of a marginal has the least of what DPCA says it minimises, which
// without penalty is the error of single trials.
func TestDPCAMinimises(t *testing.T) {
	x := recording(3)
	for _, noise := range []DPCANoise{DiagonalNoise, FullNoise} {
		if noise == FullNoise {
			x = datasets.Demixed{Neurons: 9, Stimuli: 3, Steps: 7, Trials: 5, Unequal: true, Seed: 3}.Draw().Trials
		}
		p := DPCA{Components: 2, Noise: noise}
		means, err := p.means(t.Context(), "x", x)
		if err != nil {
			t.Fatal(err)
		}
		problem, err := means.DPCA.problem(t.Context(), means.mean, means.noise())
		if err != nil {
			t.Fatal(err)
		}
		mu := problem.mu(0.05)
		pairs, err := problem.solve(t.Context(), mu)
		if err != nil {
			t.Fatal(err)
		}
		n := means.noise()
		for i, m := range means.DPCA.Marginals {
			part, err := marginalOf(means.mean, m)
			if err != nil {
				t.Fatal(err)
			}
			cost := func(f, d *mat.Dense) float64 {
				var map_, fit, quad, penalty mat.Dense
				map_.Mul(d, f.T())
				fit.Mul(means.mean.Mean, &map_)
				fit.Sub(part, &fit)
				quad.Mul(n, &map_)
				penalty.Mul(map_.T(), &quad)
				return math.Pow(mat.Norm(&fit, 2), 2) + mat.Trace(&penalty) + mu*math.Pow(mat.Norm(&map_, 2), 2)
			}
			least := cost(pairs[i].f, pairs[i].d)
			for s := range uint64(40) {
				f, d := mat.DenseCopyOf(pairs[i].f), mat.DenseCopyOf(pairs[i].d)
				size := math.Pow(10, -float64(s%4))
				var e mat.Dense
				rows, columns := f.Dims()
				e.Scale(size, mltest.Normal(s, rows, columns))
				f.Add(f, &e)
				e.Scale(size, mltest.Normal(s+100, rows, columns))
				d.Add(d, &e)
				if c := cost(f, d); c < least*(1-1e-12) {
					t.Errorf("%s, %s: the cost is %v, and %v nearby", noise, m.Name, least, c)
				}
			}
			if noise != FullNoise || i > 0 {
				continue
			}
			// The error of single trials, each condition counting once.
			single, map_ := 0.0, mat.NewDense(9, 9, nil)
			map_.Mul(pairs[i].d, pairs[i].f.T())
			for k, c := range means.mean.Of {
				for s := range x.Steps(k) {
					r := c*means.mean.Steps + s
					var y, fit mat.VecDense
					y.CloneFromVec(x.X.RowView(x.Start[k] + s))
					y.SubVec(&y, mat.NewVecDense(9, means.offset))
					fit.MulVec(map_.T(), &y)
					fit.SubVec(part.RowView(r), &fit)
					single += mat.Dot(&fit, &fit) / float64(means.mean.Trials[c])
				}
			}
			if want := least - mu*math.Pow(mat.Norm(map_, 2), 2); math.Abs(single/want-1) > 1e-10 {
				t.Errorf("the error of single trials is %v, want %v", single, want)
			}
		}
	}
}

// One marginal, time alone, is PCA.
func TestDPCAOfOneConditionIsPCA(t *testing.T) {
	x := mltest.Normal(1, 40, 5)
	m := fitDPCA(t, DPCA{Components: 3, Lambda: -1}, x)
	p, err := PCA{Components: 3}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if gap := mltest.MatrixGap(m.Encoder, p.Components); gap > 1e-9 {
		t.Errorf("encoders differ from components by %g", gap)
	}
	if gap := mltest.MatrixGap(m.Decoder, p.Components); gap > 1e-9 {
		t.Errorf("decoders differ from components by %g", gap)
	}
	mltest.CloseTo(t, "ratios", m.Ratio, p.Ratio, 1e-12)
	mltest.CloseTo(t, "means", m.Mean, p.Mean, 1e-12)
	z, err := m.Transform(x)
	if err != nil {
		t.Fatal(err)
	}
	want, _ := p.Transform(x)
	if gap := mltest.MatrixGap(z, want); gap > 1e-9 {
		t.Errorf("scores differ by %g", gap)
	}
	back, err := m.Inverse(z)
	if err != nil {
		t.Fatal(err)
	}
	want, _ = p.Inverse(want)
	if gap := mltest.MatrixGap(back, want); gap > 1e-9 {
		t.Errorf("what scores stand for differs by %g", gap)
	}
}

// A marginal has no more components than its rank: of a decision between two sides, not joined with
// time, one.
func TestRankBoundsComponents(t *testing.T) {
	p := datasets.Demixed{Neurons: 20, Stimuli: 4, Steps: 6, Trials: 2, Seed: 1}.Draw()
	for _, c := range []struct {
		sets [][]string
		want int
	}{
		{[][]string{{"decision"}}, 1}, {[][]string{{"stimulus"}}, 3}, {[][]string{{"stimulus", "decision"}}, 3}, {[][]string{{trials.Time}}, 5},
		{[][]string{{"decision"}, {"decision", trials.Time}}, 6}, {[][]string{{"decision"}, {"stimulus"}}, 4},
	} {
		m := fitDPCA(t, DPCA{Marginals: []Marginal{{Sets: c.sets}}, Components: 20}, p.Trials)
		if k, _ := m.Encoder.Dims(); k != c.want || m.Rank[0] != c.want {
			t.Errorf("%v: %d components of rank %d, want %d", c.sets, k, m.Rank[0], c.want)
		}
	}
}

// The planted signals are found: a component of each marginal follows the signal, and nearly all
// that it explains is in its own marginal, while PCA's components mix.
func TestDPCAFindsPlantedSignals(t *testing.T) {
	for _, noise := range []DPCANoise{NoNoise, DiagonalNoise, FullNoise} {
		p := datasets.Demixed{Seed: 4, Unequal: true}.Draw()
		m := fitDPCA(t, DPCA{Components: 2, Noise: noise}, p.Trials)
		a, err := p.Trials.Average()
		if err != nil {
			t.Fatal(err)
		}
		z, err := m.Transform(a.Mean)
		if err != nil {
			t.Fatal(err)
		}
		for k, of := range p.Of {
			best := 0.0
			for _, c := range m.ComponentsOf(of) {
				best = max(best, math.Abs(dpcaCorrelation(mat.Col(nil, c, z), mat.Col(nil, k, p.Signals))))
			}
			// The two signals of time, and those of the stimulus, are found up to a turn of the
			// two.
			if want := map[string]float64{"decision": 0.97, "time": 0.85, "stimulus": 0.9}[of]; best < max(want, 0.8) {
				t.Errorf("%s: signal %d, of %s, correlates with a component by %.3f", noise, k, of, best)
			}
		}
		for _, of := range []string{"time", "stimulus", "decision"} {
			c := m.ComponentsOf(of)[0]
			if own := m.Explained.At(c, m.Of[c]) / floats.Sum(m.Explained.RawRowView(c)); own < 0.95 {
				t.Errorf("%s: of what the first component of %s explains only %.3f is its own", noise, of, own)
			}
		}
	}
}

func dpcaCorrelation(a, b []float64) float64 {
	a, b = slices.Clone(a), slices.Clone(b)
	floats.AddConst(-floats.Sum(a)/float64(len(a)), a)
	floats.AddConst(-floats.Sum(b)/float64(len(b)), b)
	return floats.Dot(a, b) / floats.Norm(a, 2) / floats.Norm(b, 2)
}

// Units make no difference to the scale-free penalty: neither that of the data, nor steps or
// neurons that stand twice.
func TestScaleFreePenalty(t *testing.T) {
	x := recording(5)
	for _, c := range []float64{1e-3, 1e4, 1e160, 1e-160} {
		y := mat.DenseCopyOf(x.X)
		y.Apply(func(_, _ int, v float64) float64 { return v * c }, y)
		a, b := fitDPCA(t, DPCA{Components: 2}, x), fitDPCA(t, DPCA{Components: 2}, &trials.Trials{X: y, Start: x.Start, Factors: x.Factors})
		if gap := max(mltest.MatrixGap(a.Decoder, b.Decoder), mltest.MatrixGap(a.Encoder, b.Encoder), mltest.MatrixGap(a.Explained, b.Explained)); gap > 1e-8 {
			t.Errorf("times %g: axes differ by %g", c, gap)
		}
		if math.Abs(b.Mean[3]/c/a.Mean[3]-1) > 1e-12 || math.Abs(a.Noise-b.Noise) > 1e-12 {
			t.Errorf("times %g: means or noise differ", c)
		}
	}
}

// The share of noise is what means of pure noise have: all of it.
func TestDPCANoiseShare(t *testing.T) {
	p := datasets.Demixed{Neurons: 40, Noise: 3, Trials: 6, Unequal: true, Seed: 2}.Draw()
	r := rng.New(1)
	p.Trials.X.Apply(func(_, j int, _ float64) float64 { return float64(j) + float64(j+1)*r.NormFloat64() }, p.Trials.X)
	if m := fitDPCA(t, DPCA{}, p.Trials); math.Abs(m.Noise-1) > 0.05 {
		t.Errorf("noise is %v of the variance of means of noise", m.Noise)
	}
}

// Held-out means and what is left are those of trials that are taken out by hand, and so is the
// noise.
func TestHoldOut(t *testing.T) {
	for _, noise := range []DPCANoise{DiagonalNoise, FullNoise} {
		p := datasets.Demixed{Neurons: 5, Stimuli: 2, Steps: 4, Trials: 5, Unequal: true, Seed: 6}.Draw().Trials
		m, err := DPCA{Noise: noise}.means(t.Context(), "x", p)
		if err != nil {
			t.Fatal(err)
		}
		order := rng.New(3).Perm(p.Len())
		train, out, n := m.holdOut(order)
		var held []int
		seen := map[int]bool{}
		for _, k := range order {
			if c := m.mean.Of[k]; !seen[c] {
				seen[c] = true
				held = append(held, k)
			}
		}
		rest, err := p.Except(held)
		if err != nil {
			t.Fatal(err)
		}
		byHand, err := DPCA{Noise: noise}.means(t.Context(), "x", rest)
		if err != nil {
			t.Fatal(err)
		}
		one, err := p.Select(held)
		if err != nil {
			t.Fatal(err)
		}
		single, err := one.Average()
		if err != nil {
			t.Fatal(err)
		}
		center(single.Mean)
		for what, gap := range map[string]float64{"means": mltest.MatrixGap(train.Mean, byHand.mean.Mean), "held out": mltest.MatrixGap(out, single.Mean),
			"noise": mltest.MatrixGap(n, byHand.noise())} {
			if gap > 1e-9 {
				t.Errorf("%s: %s differ by %g", noise, what, gap)
			}
		}
	}
	// With missing values too, nothing of what is held out is left.
	x := recording(8)
	m, err := DPCA{}.means(t.Context(), "x", x)
	if err != nil {
		t.Fatal(err)
	}
	_, out, _ := m.holdOut(rng.New(3).Perm(x.Len()))
	if slices.ContainsFunc(out.RawMatrix().Data, math.IsNaN) {
		t.Error("a value that is missing was held out")
	}
}

// The best λ predicts means of new trials better than ten times more or less, and the error without
// any penalty is larger where neurons are as many as there is information.
func TestDPCALambda(t *testing.T) {
	d := datasets.Demixed{Neurons: 80, Stimuli: 3, Steps: 15, Trials: 3, Noise: 4, Seed: 1}
	p := d.Draw()
	m, err := DPCALambda{DPCA: DPCA{Components: 3, Noise: NoNoise}}.Fit(t.Context(), p.Trials)
	if err != nil {
		t.Fatal(err)
	}
	if m.AtEdge || len(m.Lambdas) != 25 || m.Marginals[3] != "stimulus × decision" {
		t.Errorf("λ = %v of %v, %v", m.Best, m.Lambdas, m.Marginals)
	}
	best := slices.Index(m.Lambdas, m.Best)
	if slices.Min(m.Error) != m.Error[best] || m.Error[0] < 1.2*m.Error[best] || m.Error[24] < 1.05*m.Error[best] {
		t.Errorf("errors are %v", m.Error)
	}
	// The truth, which cross-validation has not seen: new trials rebuild the signals.
	mean := mat.NewDense(2*3*15, 80, nil)
	mean.Mul(p.Signals, p.Weights)
	truth := &trials.Averages{Factors: p.Trials.Factors, Steps: 15, Mean: mean}
	d.Seed = 2
	fresh := d.Draw()
	var noise, clean mat.Dense
	fresh.Trials.X.Apply(func(i, j int, v float64) float64 { return v - fresh.Rate[j] }, fresh.Trials.X)
	average, err := fresh.Trials.Average()
	if err != nil {
		t.Fatal(err)
	}
	clean.Mul(fresh.Signals, fresh.Weights)
	noise.Sub(average.Mean, &clean)
	noise.Add(&noise, mean) // new trials of the same population
	center(&noise)
	err2 := func(lambda float64) float64 {
		m := fitDPCA(t, DPCA{Components: 3, Noise: NoNoise, Lambda: lambda}, p.Trials)
		sum := 0.0
		for i, joined := range JoinedWithTime("stimulus", "decision") {
			part, err := marginalOf(truth, joined)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range m.ComponentsOf(m.Marginals[i]) {
				var z mat.VecDense
				z.MulVec(&noise, m.Decoder.RowView(c))
				part.RankOne(part, -1, &z, m.Encoder.RowView(c))
			}
			sum += math.Pow(mat.Norm(part, 2), 2)
		}
		return sum
	}
	at, less, more, none := err2(m.Best), err2(m.Best/10), err2(m.Best*10), err2(-1)
	t.Logf("λ = %v; errors on new trials: %.0f, of a tenth %.0f, of ten times %.0f, of none %.0f", m.Best, at, less, more, none)
	if at > less || at > more || at > 0.8*none {
		t.Errorf("λ = %v; errors on new trials: %.0f, of a tenth %.0f, of ten times %.0f, of none %.0f", m.Best, at, less, more, none)
	}
	again, err := DPCALambda{DPCA: DPCA{Components: 3, Penalty: Official}, Lambdas: []float64{1e-6}, Repeats: 2}.Fit(t.Context(), p.Trials)
	if err != nil || again.Best != 1e-6 || again.AtEdge {
		t.Errorf("a grid of one: %+v, %v", again, err)
	}
}

func TestBadDPCA(t *testing.T) {
	x := recording(1)
	fit := func(p DPCA, x mat.Matrix) error { return mltest.Err(p.Fit(t.Context(), x)) }
	choose := func(c DPCALambda, x mat.Matrix) error { return mltest.Err(c.Fit(t.Context(), x)) }
	nan := math.NaN()
	hole := &trials.Trials{X: mat.DenseCopyOf(x.X), Start: x.Start, Factors: x.Factors}
	for k, s := range x.Factors[0].Of {
		if s == 1 && x.Factors[1].Of[k] == 1 {
			hole.X.Set(x.Start[k]+2, 4, nan)
		}
	}
	lonely, err := x.Select([]int{0, 1, 2, 3, 4, 5})
	if err != nil {
		t.Fatal(err)
	}
	one, err := x.Window(3, 4)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err, kind error
		says      string
	}{
		"components": {fit(DPCA{Components: -1}, x), ml.ErrParameter, "Components = -1"},
		"lambda":     {fit(DPCA{Lambda: nan}, x), ml.ErrParameter, "Lambda = NaN"},
		"penalty":    {fit(DPCA{Penalty: "x"}, x), ml.ErrParameter, `Penalty = "x"`},
		"noise":      {fit(DPCA{Noise: "x"}, x), ml.ErrParameter, `Noise = "x"`},
		"factor":     {fit(DPCA{Factors: []string{"hue"}}, x), ml.ErrParameter, `factor = "hue"`},
		"set":        {fit(DPCA{Marginals: []Marginal{{Sets: [][]string{{"hue"}}}}}, x), ml.ErrParameter, `Marginals[0] = "hue"`},
		"empty set":  {fit(DPCA{Marginals: []Marginal{{Sets: [][]string{{}}}}}, x), ml.ErrParameter, "Marginals[0]"},
		"no sets":    {fit(DPCA{Marginals: []Marginal{{}}}, x), ml.ErrParameter, "Marginals[0].Sets"},
		"twice": {fit(DPCA{Marginals: []Marginal{{Sets: [][]string{{"decision", "time"}}}, {Sets: [][]string{{"time", "decision"}}}}}, x), ml.ErrParameter,
			"one marginal only"},
		"number":   {fit(DPCA{Marginals: []Marginal{{Sets: [][]string{{"time"}}, Components: -1}}}, x), ml.ErrParameter, "Marginals[0].Components = -1"},
		"full":     {fit(DPCA{Noise: FullNoise}, hole), ml.ErrNotFinite, "is missing"},
		"hole":     {fit(DPCA{}, hole), ml.ErrNotFinite, "step 2 of condition 3"},
		"constant": {fit(DPCA{}, mat.NewDense(4, 2, []float64{1, 2, 1, 2, 1, 2, 1, 2})), ml.ErrParameter, "no condition and no step differs"},
		"one step": {fit(DPCA{}, mat.NewDense(1, 2, nil)), ml.ErrParameter, "Marginals = none"},
		"repeats":  {choose(DPCALambda{Repeats: -1}, x), ml.ErrParameter, "Repeats = -1"},
		"lambdas":  {choose(DPCALambda{Lambdas: []float64{1, 0.1}}, x), ml.ErrParameter, "Lambdas[1] = 0.1"},
		"no grid":  {choose(DPCALambda{Lambdas: []float64{}}, x), ml.ErrParameter, "Lambdas = empty"},
		"lonely":   {choose(DPCALambda{}, lonely), ml.ErrParameter, "condition 0, step 0 and variable 0 = 1"},
	} {
		mltest.Refused(t, name, c.err, c.kind, c.says)
	}
	// Without time, conditions alone have marginals.
	m := fitDPCA(t, DPCA{}, one)
	if !slices.Equal(m.Marginals, []string{"stimulus", "decision", "stimulus × decision"}) || m.Steps != 1 {
		t.Errorf("trials of one step have the marginals %q", m.Marginals)
	}
	mltest.Refused(t, "columns", mltest.Err(m.Transform(mat.NewDense(1, 3, nil))), ml.ErrShape, "3 columns")
	mltest.Refused(t, "scores", mltest.Err(m.Inverse(mat.NewDense(1, 77, nil))), ml.ErrShape, "77 columns")
	mltest.Refused(t, "empty", mltest.Err((&DPCAModel{}).Transform(mat.NewDense(1, 3, nil))), ml.ErrEmpty, "no components")
	if m.ComponentsOf("hue") != nil {
		t.Error("there are components of no marginal")
	}
	big := datasets.Demixed{Neurons: 300, Trials: 3}.Draw().Trials
	mltest.Prompt(t, "a fit", 20*time.Millisecond, func(ctx context.Context) error { return mltest.Err(DPCA{}.Fit(ctx, big)) })
	mltest.Prompt(t, "a choice", 50*time.Millisecond, func(ctx context.Context) error { return mltest.Err(DPCALambda{}.Fit(ctx, big)) })
}

// Of a large matrix the leading eigenvectors are those of the whole decomposition, whether they
// stand out or not.
func TestLeadingOfMany(t *testing.T) {
	for name, power := range map[string]float64{"clear": 3, "crowded": 0.01} {
		var a mat.Dense
		x := mltest.Normal(1, 300, 150)
		x.Apply(func(_, j int, v float64) float64 { return v * math.Pow(float64(j+1), -power) }, x)
		a.Mul(x.T(), x)
		got, err := leading(t.Context(), &a, 4)
		if err != nil {
			t.Fatal(err)
		}
		var es mat.EigenSym
		es.Factorize(mat.NewSymDense(150, mat.DenseCopyOf(&a).RawMatrix().Data), true)
		var v mat.Dense
		es.VectorsTo(&v)
		for c, w := range got {
			if cosine := math.Abs(mat.Dot(mat.NewVecDense(150, w), v.ColView(149-c))); math.Abs(cosine-1) > 1e-10 {
				t.Errorf("%s: vector %d has a cosine of %v with that of the whole decomposition", name, c, cosine)
			}
		}
	}
}
