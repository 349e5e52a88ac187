package decomposition

import (
	"context"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func TestSCAConformance(t *testing.T) {
	x, _, _ := datasets.Bursts(60, 5, 2, 0.1, 1)
	for name, s := range map[string]SCA{"penalised": {Components: 2, MaxIter: 60}, "orthonormal": {Components: 2, MaxIter: 60, Orthonormal: true}} {
		t.Run(name, func(t *testing.T) {
			if name == "penalised" {
				s.Components = 0
			} else {
				s.Components = 1
			}
			mltest.Run(t, mltest.Method[SCAModel]{Fit: s.Fit, Iterate: s.Iterate, Data: x, Objective: func(m *SCAModel) float64 { return m.Loss }})
		})
	}
}

func TestSavedSCA(t *testing.T) {
	mltest.Saved[SCAModel](t, "testdata/sca-format1.zip")
}

func fitSCA(t testing.TB, s SCA, x mat.Matrix) *SCAModel {
	t.Helper()
	m, err := s.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Penalties, losses on the way and parameters are those of the authors' formulas, whose gradients
// were taken by another program.
func TestSCAAgainstReference(t *testing.T) {
	type outcome struct {
		Sparsity, Orthogonality float64
		Losses, B, C            []float64
		U, V                    [][]float64
		Falling                 bool
	}
	ref := mltest.ReadJSON[struct {
		X               [][]float64
		Weights         []float64
		Plain, Weighted outcome
	}](t, "sca.json")
	x := mltest.FromRows(ref.X)
	weights, err := InverseNormWeights(x, 0.1)
	if err != nil {
		t.Fatal(err)
	}
	mltest.CloseTo(t, "weights", weights, ref.Weights, 1e-12)
	for name, want := range map[string]outcome{"plain": ref.Plain, "weighted": ref.Weighted} {
		s := SCA{Components: 3, MaxIter: 400}
		if name == "weighted" {
			s.Weights = weights
		}
		m := fitSCA(t, s, x)
		mltest.CloseTo(t, name+" penalties", []float64{m.Sparsity, m.Orthogonality}, []float64{want.Sparsity, want.Orthogonality}, 1e-9)
		var losses []float64
		step := 0
		for m, err := range s.Iterate(t.Context(), x) {
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains([]int{0, 1, 10, 100, 400}, step) {
				losses = append(losses, m.Loss)
			}
			step++
		}
		mltest.CloseTo(t, name+" losses", losses[:4], want.Losses[:4], 1e-6*want.Losses[0])
		// Where a score passes 0 its slope jumps, and rounding says at which step: paths part a
		// little.
		mltest.CloseTo(t, name+" last loss", losses[4:], want.Losses[4:], 1e-4*want.Losses[0])
		if !want.Falling {
			t.Errorf("%s: the reference did not end at its least loss", name)
		}
		sameButSigns(t, name+" V", m.Components.T(), mltest.FromRows(want.V))
		sameButSigns(t, name+" U", m.Encoder.T(), mltest.FromRows(want.U))
		mltest.CloseTo(t, name+" c", m.Mean, want.C, 1e-4)
	}
}

// The gradient by finite differences, of all four kinds of parameters, at a point where nothing is
// special.
func TestSCAGradient(t *testing.T) {
	x := mltest.Normal(1, 12, 5)
	weights := []float64{1, 2, 0, 0.5, 1, 1, 3, 1, 1, 1, 0.1, 1}
	f, err := SCA{Components: 3, Weights: weights, Sparsity: 0.7, Orthogonality: 1.3}.check(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	r := rng.New(2)
	for _, p := range f.now.slices() {
		for j := range p {
			p[j] += 0.3 * r.NormFloat64()
		}
	}
	f.evaluate()
	var want [4][]float64
	for i, g := range f.gradient.slices() {
		want[i] = slices.Clone(g)
	}
	for i, p := range f.now.slices() {
		for j := range p {
			const h = 1e-6
			at := p[j]
			p[j] = at + h
			f.evaluate()
			up := f.parts.total
			p[j] = at - h
			f.evaluate()
			slope := (up - f.parts.total) / (2 * h)
			p[j] = at
			if gap := math.Abs(slope - want[i][j]); gap > 1e-5*(1+math.Abs(slope)) {
				t.Errorf("parameter %d of kind %d: the slope is %v, the gradient %v", j, i, slope, want[i][j])
			}
		}
	}
}

// Without the penalty of scores, and with orthonormal components, the error is PCA's, and no step
// finds less: of centered data from the start, of others in the end.
func TestSCAWithoutSparsityIsPCA(t *testing.T) {
	x := mltest.Normal(3, 50, 6)
	x.Apply(func(_, j int, v float64) float64 { return v * float64(j+1) }, x)
	center(x)
	p, err := PCA{Components: 2}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	want := (p.Total - p.Variance[0] - p.Variance[1]) * 49
	m := fitSCA(t, SCA{Components: 2, Sparsity: -1, Orthonormal: true, MaxIter: 300}, x)
	if math.Abs(m.SquaredError/want-1) > 1e-10 || m.SquaredError < want*(1-1e-12) || m.Sparsity != 0 || m.Orthogonality != 0 {
		t.Errorf("the error is %v, PCA's %v", m.SquaredError, want)
	}
	if math.Abs(m.Ratio-p.Ratio[0]-p.Ratio[1]) > 1e-10 {
		t.Errorf("the ratio is %v, PCA's %v", m.Ratio, p.Ratio)
	}
	x.Apply(func(_, j int, v float64) float64 { return v + 3*float64(j) }, x)
	m = fitSCA(t, SCA{Components: 2, Sparsity: -1, Orthonormal: true, MaxIter: 4000}, x)
	if math.Abs(m.SquaredError/want-1) > 1e-3 || m.SquaredError < want*(1-1e-12) {
		t.Errorf("away from the origin the error is %v, PCA's %v", m.SquaredError, want)
	}
}

// Components have length 1, or are orthonormal where that is asked for; the loss is what the
// model's own parts make, and never above its start; units of the data make no difference.
func TestSCALoss(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x, _, _ := datasets.Bursts(40, 6, 3, 0.2, rapid.Uint64Range(0, 1000).Draw(r, "seed"))
		s := SCA{Components: rapid.IntRange(1, 4).Draw(r, "k"), Orthonormal: rapid.Bool().Draw(r, "orthonormal"), MaxIter: rapid.IntRange(1, 80).Draw(r, "steps"),
			SparsityRatio: rapid.SampledFrom([]float64{0.01, 0.1, 1}).Draw(r, "ratio"), Rate: rapid.SampledFrom([]float64{0, 0.05}).Draw(r, "rate")}
		if rapid.Bool().Draw(r, "weights") {
			w, err := InverseNormWeights(x, 0.1)
			if err != nil {
				r.Fatal(err)
			}
			s.Weights = w
		}
		m, err := s.Fit(context.Background(), x)
		if err != nil {
			r.Fatal(err)
		}
		z, err := m.Transform(x)
		if err != nil {
			r.Fatal(err)
		}
		back, err := m.Inverse(z)
		if err != nil {
			r.Fatal(err)
		}
		n, d := x.Dims()
		squares, size := 0.0, 0.0
		for i := range n {
			w := 1.0
			if s.Weights != nil {
				w = s.Weights[i]
			}
			for j := range d {
				e := w * (x.At(i, j) - back.At(i, j))
				squares += e * e
			}
		}
		for _, v := range z.RawMatrix().Data {
			size += math.Abs(v)
		}
		var gap mat.Dense
		gap.Mul(m.Components, m.Components.T())
		k, _ := m.Components.Dims()
		for c := range k {
			gap.Set(c, c, gap.At(c, c)-1)
			if math.Abs(gap.At(c, c)) > 1e-10 || c > 0 && m.Activity[c] > m.Activity[c-1] {
				r.Fatalf("component %d: length² 1 + %g, activity %v", c, gap.At(c, c), m.Activity)
			}
		}
		if s.Orthonormal && mat.Norm(&gap, 2) > 1e-10 {
			r.Fatalf("components are not orthonormal, by %g", mat.Norm(&gap, 2))
		}
		loss := squares + m.Sparsity*size + m.Orthogonality*math.Pow(mat.Norm(&gap, 2), 2)
		if math.Abs(loss/m.Loss-1) > 1e-9 || math.Abs(squares/m.SquaredError-1) > 1e-9 || math.Abs(size/m.Size-1) > 1e-9 {
			r.Fatalf("loss %v, of which %v and %v; the model's parts make %v, %v, %v", m.Loss, m.SquaredError, m.Size, loss, squares, size)
		}
		if m.Loss > m.StartLoss {
			r.Fatalf("the loss %v is above its start, %v", m.Loss, m.StartLoss)
		}
		if s.Weights != nil {
			return // their offset is in the units of the data
		}
		var scaled mat.Dense
		scaled.Scale(1024, x)
		again, err := s.Fit(context.Background(), &scaled)
		if err != nil || mltest.MatrixGap(again.Components, m.Components) > 1e-6 || math.Abs(again.Loss/m.Loss/1024/1024-1) > 1e-9 {
			r.Fatalf("in other units components differ by %g; %v", mltest.MatrixGap(again.Components, m.Components), err)
		}
	})
}

// Planted bursts are found one by one, where PCA mixes them: they vary alike, so that variance does
// not tell how to turn them.
func TestSCAFindsPlantedBursts(t *testing.T) {
	for seed := range uint64(3) {
		x, truth, _ := datasets.Bursts(300, 30, 5, 0.3, seed)
		m := fitSCA(t, SCA{Components: 5}, x)
		z, err := m.Transform(x)
		if err != nil {
			t.Fatal(err)
		}
		p, err := PCA{Components: 5}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		y, _ := p.Transform(x)
		found := func(z *mat.Dense) (least, mean float64) {
			least = 1
			for k := range 5 {
				best := 0.0
				for c := range 5 {
					best = max(best, math.Abs(dpcaCorrelation(mat.Col(nil, c, z), mat.Col(nil, k, truth))))
				}
				least, mean = min(least, best), mean+best/5
			}
			return least, mean
		}
		least, mean := found(z)
		_, mixed := found(y)
		t.Logf("seed %d: correlations %.3f at least, %.3f in the mean; PCA %.3f; loss %.4g of %.4g, ratio %.3f", seed, least, mean, mixed, m.Loss, m.StartLoss, m.Ratio)
		if least < 0.95 || mixed > 0.85 {
			t.Errorf("seed %d: the least correlation with a burst is %.3f, PCA's mean %.3f", seed, least, mixed)
		}
	}
}

func TestBadSCA(t *testing.T) {
	x, _, _ := datasets.Bursts(20, 4, 2, 0.1, 1)
	fit := func(s SCA, x mat.Matrix) error { return mltest.Err(s.Fit(t.Context(), x)) }
	nan := math.NaN()
	for name, c := range map[string]struct {
		err, kind error
		says      string
	}{
		"components":    {fit(SCA{Components: 5}, x), ml.ErrParameter, "Components = 5, want 1 to 4"},
		"sparsity":      {fit(SCA{Sparsity: nan}, x), ml.ErrParameter, "Sparsity = NaN"},
		"orthogonality": {fit(SCA{Orthogonality: math.Inf(1)}, x), ml.ErrParameter, "Orthogonality = +Inf"},
		"ratio":         {fit(SCA{SparsityRatio: -1}, x), ml.ErrParameter, "SparsityRatio = -1"},
		"other ratio":   {fit(SCA{OrthogonalityRatio: -1}, x), ml.ErrParameter, "OrthogonalityRatio = -1"},
		"rate":          {fit(SCA{Rate: -1}, x), ml.ErrParameter, "Rate = -1"},
		"steps":         {fit(SCA{MaxIter: -1}, x), ml.ErrParameter, "MaxIter = -1"},
		"weights":       {fit(SCA{Weights: []float64{1}}, x), ml.ErrShape, "Weights"},
		"negative":      {fit(SCA{Weights: append(make([]float64, 19), -1)}, x), ml.ErrParameter, "Weights[19] = -1"},
		"no weights":    {fit(SCA{Weights: make([]float64, 20)}, x), ml.ErrParameter, "largest of Weights"},
		"zeros":         {fit(SCA{}, mat.NewDense(3, 3, nil)), ml.ErrParameter, "nothing to explain"},
		"offset":        {mltest.Err(InverseNormWeights(x, 0)), ml.ErrParameter, "offset = 0"},
	} {
		mltest.Refused(t, name, c.err, c.kind, c.says)
	}
	m := fitSCA(t, SCA{Components: 2, MaxIter: 3}, x)
	mltest.Refused(t, "columns", mltest.Err(m.Transform(mat.NewDense(1, 3, nil))), ml.ErrShape, "3 columns")
	mltest.Refused(t, "scores", mltest.Err(m.Inverse(mat.NewDense(1, 3, nil))), ml.ErrShape, "3 columns")
	mltest.Refused(t, "empty", mltest.Err((&SCAModel{}).Transform(x)), ml.ErrEmpty, "no components")
	mltest.Refused(t, "empty", mltest.Err((&SCAModel{}).Inverse(x)), ml.ErrEmpty, "no components")
	big := mltest.Normal(1, 2000, 100)
	mltest.Prompt(t, "a fit", 50*time.Millisecond, func(ctx context.Context) error { return mltest.Err(SCA{}.Fit(ctx, big)) })
}
