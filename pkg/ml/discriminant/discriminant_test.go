package discriminant

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func TestConformance(t *testing.T) {
	for _, s := range []Shrinkage{None, LedoitWolf, OAS} {
		t.Run("LDA "+string(s), func(t *testing.T) {
			mltest.Run(t, mltest.Method[LDAModel]{Fit: mltest.Labeled(LDA{Shrinkage: s}.Fit), Predict: (*LDAModel).Predict})
		})
		t.Run("QDA "+string(s), func(t *testing.T) {
			mltest.Run(t, mltest.Method[QDAModel]{Fit: mltest.Labeled(QDA{Shrinkage: s}.Fit), Predict: (*QDAModel).Predict})
		})
	}
}

func TestSavedModelsOfFormat1(t *testing.T) {
	mltest.Saved[LDAModel](t, "testdata/lda-format1.zip")
	mltest.Saved[QDAModel](t, "testdata/qda-format1.zip")
}

// classifier is what both models have.
type classifier interface {
	Posterior(x mat.Matrix) (*mat.Dense, error)
	LogPosterior(x mat.Matrix) (*mat.Dense, error)
	Predict(x mat.Matrix) ([]int, error)
}

// tester is what testing.T and rapid.T have.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

func posterior(t tester, m classifier, err error, x mat.Matrix) *mat.Dense {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Posterior(x)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func both(t tester, x mat.Matrix, y []int, ask mat.Matrix) map[string]*mat.Dense {
	t.Helper()
	l, err := LDA{}.Fit(context.Background(), x, y)
	linear := posterior(t, l, err, ask)
	q, err := QDA{}.Fit(context.Background(), x, y)
	return map[string]*mat.Dense{"lda": linear, "qda": posterior(t, q, err, ask)}
}

func set(name string) datasets.Dataset {
	if name == "iris" {
		return datasets.Iris()
	}
	return datasets.Wine()
}

// Posteriors, coefficients, axes and amounts of shrinkage are those of scikit-learn 1.9.1.
func TestAgainstScikitLearn(t *testing.T) {
	type example struct {
		Data, Method                                       string
		Shrinkage                                          Shrinkage
		Amount                                             float64
		Divisor                                            Divisor
		Priors, Alpha, Intercepts, Ratio                   []float64
		Ask, Posterior, Log, Coefficients, Axes, Transform [][]float64
	}
	examples := mltest.ReadJSON[[]example](t, "discriminant.json")
	for _, c := range examples {
		name := fmt.Sprint(c.Data, " ", c.Method, " ", c.Shrinkage, c.Divisor, c.Priors)
		d := set(c.Data)
		ask := mltest.FromRows(c.Ask)
		var m classifier
		var alpha []float64
		if c.Method == "lda" {
			l, err := LDA{c.Shrinkage, c.Amount, c.Priors, c.Divisor}.Fit(t.Context(), d.X, d.Y)
			if err != nil {
				t.Fatal(name, err)
			}
			if m, alpha = l, l.Alpha; c.Axes != nil {
				mltest.CloseTo(t, name+" ratios", l.ExplainedRatio, c.Ratio, 1e-9)
				mltest.CloseTo(t, name+" intercepts", l.Intercepts, c.Intercepts, 1e-9)
				if g := mltest.MatrixGap(l.Coefficients, mltest.FromRows(c.Coefficients)); g > 1e-9 {
					t.Errorf("%s: coefficients differ by %g", name, g)
				}
				z, err := l.Transform(ask)
				if err != nil {
					t.Fatal(name, err)
				}
				for what, pair := range map[string][2]*mat.Dense{"axes": {mat.DenseCopyOf(l.Axes), mltest.FromRows(c.Axes)}, "transformed": {z, mltest.FromRows(c.Transform)}} {
					for a := range l.Eigenvalues { // whose signs are free
						ours, theirs := mat.Col(nil, a, pair[0]), mat.Col(nil, a, pair[1])
						if ours[0]*theirs[0] < 0 {
							for i := range ours {
								ours[i] = -ours[i]
							}
						}
						mltest.CloseTo(t, name+" "+what, ours, theirs, 1e-9)
					}
				}
			}
		} else {
			q, err := QDA{c.Shrinkage, c.Amount, c.Priors, c.Divisor}.Fit(t.Context(), d.X, d.Y)
			if err != nil {
				t.Fatal(name, err)
			}
			m, alpha = q, q.Alpha
		}
		mltest.CloseTo(t, name+" amounts of shrinkage", alpha, c.Alpha, 1e-12)
		if g := mltest.MatrixGap(posterior(t, m, nil, ask), mltest.FromRows(c.Posterior)); g > 1e-9 {
			t.Errorf("%s: posteriors differ by %g", name, g)
		}
		log, err := m.LogPosterior(ask)
		if err != nil {
			t.Fatal(name, err)
		}
		n := len(c.Ask)
		for i, row := range c.Log { // of rows far away
			got := log.RawRowView(n - len(c.Log) + i)
			// scikit-learn takes the logarithm of a probability that may be 0.
			for k, v := range row {
				if v > -300 && math.Abs(got[k]-v) > 1e-8*math.Max(1, -v) {
					t.Errorf("%s: log p = %v, want %v", name, got[k], v)
				}
			}
		}
	}
	if len(examples) != 24 {
		t.Errorf("%d examples", len(examples))
	}
}

// The two conventions for the divisor differ on iris by 0.00452 and 0.00749, and in nothing else.
func TestDivisors(t *testing.T) {
	d := datasets.Iris()
	for _, c := range []struct {
		want     float64
		classify func(Divisor) (classifier, error)
	}{
		{0.00452, func(by Divisor) (classifier, error) { return LDA{Divisor: by}.Fit(t.Context(), d.X, d.Y) }},
		{0.00749, func(by Divisor) (classifier, error) { return QDA{Divisor: by}.Fit(t.Context(), d.X, d.Y) }},
	} {
		n, err := c.classify("")
		p := posterior(t, n, err, d.X)
		k, err := c.classify(Unbiased)
		if g := mltest.MatrixGap(p, posterior(t, k, err, d.X)); math.Abs(g-c.want) > 5e-6 {
			t.Errorf("posteriors differ by %.5f, want %.5f", g, c.want)
		}
	}
	biased, _ := LDA{Divisor: MaximumLikelihood}.Fit(t.Context(), d.X, d.Y)
	unbiased, _ := LDA{Divisor: Unbiased}.Fit(t.Context(), d.X, d.Y)
	scaled := mat.NewSymDense(4, nil)
	if scaled.ScaleSym(150./147, biased.Covariance); mltest.MatrixGap(scaled, unbiased.Covariance) > 1e-14 {
		t.Error("the covariances are not to each other as n−K to n")
	}
	white(t, unbiased)
}

// white holds the axes to what they are: of unit variance within classes, uncorrelated, and with
// the variance between the means that the eigenvalues say.
func white(t tester, m *LDAModel) {
	t.Helper()
	var within, between, at mat.Dense
	within.Product(m.Axes.T(), m.Covariance, m.Axes)
	z, err := m.Transform(m.Means)
	if err != nil {
		t.Fatal(err)
	}
	r := len(m.Eigenvalues)
	at.Apply(func(i, _ int, v float64) float64 { return v * math.Sqrt(m.Priors[i]) }, z)
	between.Mul(at.T(), &at)
	for i := range r {
		for j := range r {
			one, value := 0.0, 0.0
			if i == j {
				one, value = 1, m.Eigenvalues[i]
			}
			if math.Abs(within.At(i, j)-one) > 1e-8 || math.Abs(between.At(i, j)-value) > 1e-8*math.Max(1, m.Eigenvalues[0]) {
				t.Errorf("axes %d and %d: %v within, want %v; %v between, want %v", i, j, within.At(i, j), one, between.At(i, j), value)
			}
		}
	}
	if !slices.IsSortedFunc(m.Eigenvalues, func(a, b float64) int { return int(math.Copysign(1, b-a)) }) {
		t.Errorf("eigenvalues %v", m.Eigenvalues)
	}
}

// clouds draws k classes of Gaussians with a mean and, unless one serves all, a shape of their own.
func clouds(r *rapid.T, n, d, k int, oneShape bool) (*mat.Dense, []int) {
	g := rng.New(rapid.Uint64Range(0, 1000).Draw(r, "seed"))
	x, y := mat.NewDense(n, d, nil), make([]int, n)
	noise := mltest.Normal(g.Uint64(), n, d)
	for c := range k {
		shape := mltest.Normal(g.Uint64(), d, d)
		mean := mltest.Normal(g.Uint64(), 1, d)
		for i := c; i < n; i += k {
			y[i] = c
			row := mat.NewVecDense(d, x.RawRowView(i))
			if oneShape {
				row.CopyVec(noise.RowView(i))
			} else {
				row.MulVec(shape, noise.RowView(i))
			}
			row.AddScaledVec(row, 2, mean.RowView(0))
		}
	}
	return x, y
}

// An invertible affine map of the rows leaves posteriors, as does the order of the rows, names of
// the classes that keep their order, and rows without a class. Posteriors sum to one, Predict takes
// the largest, the axes are what they are said to be.
func TestWhatLeavesPosteriors(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d, k := rapid.IntRange(1, 4).Draw(r, "d"), rapid.IntRange(2, 4).Draw(r, "k")
		n := k * rapid.IntRange(d+4, 20).Draw(r, "rows")
		x, y := clouds(r, n, d, k, false)
		before := both(r, x, y, x)
		g := rng.New(uint64(n))
		turn := mltest.Normal(g.Uint64(), d, d)
		for j := range d {
			turn.Set(j, j, turn.At(j, j)+3)
		}
		perm := g.Perm(n)
		moved, labels := mat.NewDense(n+2, d, nil), make([]int, n+2)
		var at mat.Dense
		at.Mul(x, turn)
		for i, p := range perm {
			moved.SetRow(i, at.RawRowView(p))
			labels[i] = 10 + 7*y[p]
		}
		labels[n], labels[n+1] = -1, -1
		moved.Set(n, 0, 1e6)
		moved.Apply(func(_, j int, v float64) float64 { return 5*v + 100*float64(j+1) }, moved)
		after := both(r, moved, labels, moved)
		for name, p := range before {
			for i, from := range perm {
				for c := range k {
					if gap := math.Abs(after[name].At(i, c) - p.At(from, c)); !(gap < 1e-8) {
						r.Fatalf("%s: row %d, class %d: %v becomes %v", name, from, c, p.At(from, c), after[name].At(i, c))
					}
				}
				if sum := mat.Sum(p.RowView(from)); math.Abs(sum-1) > 1e-12 {
					r.Fatalf("%s: posteriors sum to %v", name, sum)
				}
			}
		}
		m, err := LDA{}.Fit(context.Background(), moved, labels)
		if err != nil {
			r.Fatal(err)
		}
		white(r, m)
		predicted, _ := m.Predict(moved)
		p, _ := m.Posterior(moved)
		for i, label := range predicted {
			row := p.RawRowView(i)
			if best := slices.Index(m.Classes, label); row[best] != slices.Max(row) {
				r.Fatalf("row %d: class %d of %v", i, label, row)
			}
		}
	})
}

// Where all classes have one covariance exactly, QDA is LDA.
func TestQDAWithOneCovarianceIsLDA(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		d, k := rapid.IntRange(1, 4).Draw(r, "d"), rapid.IntRange(2, 4).Draw(r, "k")
		rows := d + 3
		first, _ := clouds(r, rows, d, 1, false)
		means := mltest.Normal(rapid.Uint64().Draw(r, "means"), k, d)
		x, y := mat.NewDense(rows*k, d, nil), make([]int, rows*k)
		x.Apply(func(i, j int, _ float64) float64 { return first.At(i/k, j) + means.At(i%k, j) }, x)
		for i := range y {
			y[i] = i % k
		}
		ask := mltest.Normal(1, 20, d)
		p := both(r, x, y, ask)
		if g := mltest.MatrixGap(p["lda"], p["qda"]); !(g < 1e-8) {
			r.Fatalf("posteriors differ by %g", g)
		}
	})
}

// The difference of log posteriors is what Boundary says it is, its weights are Σ⁻¹(μa−μb), and a
// step along the boundary is perpendicular to μa−μb under Σ.
func TestBoundary(t *testing.T) {
	d := datasets.Wine()
	labels := make([]int, len(d.Y))
	for i, v := range d.Y {
		labels[i] = 2 + 3*v
	}
	m, err := LDA{}.Fit(t.Context(), d.X, labels)
	if err != nil {
		t.Fatal(err)
	}
	weights, intercept, err := m.Boundary(8, 2)
	if err != nil {
		t.Fatal(err)
	}
	log, _ := m.LogPosterior(d.X)
	var difference, solved mat.VecDense
	difference.SubVec(m.Means.RowView(2), m.Means.RowView(0))
	if err := solved.SolveVec(m.Covariance, &difference); err != nil {
		t.Fatal(err)
	}
	if g := mltest.Gap(weights, solved.RawVector().Data); g > 1e-8 {
		t.Errorf("the weights differ from Σ⁻¹(μa−μb) by %g", g)
	}
	for i := range labels {
		at := intercept + mat.Dot(mat.NewVecDense(13, weights), d.X.RowView(i))
		if want := log.At(i, 2) - log.At(i, 0); math.Abs(at-want) > 1e-9*math.Max(1, math.Abs(want)) {
			t.Errorf("row %d: %v, the log posteriors differ by %v", i, at, want)
		}
	}
	for _, pair := range [][2]int{{2, 3}, {2, 2}, {9, 8}} {
		_, _, err := m.Boundary(pair[0], pair[1])
		mltest.Refused(t, "labels", err, ml.ErrParameter, fmt.Sprint(pair), "two of [2 5 8]")
	}
}

// The square root of a covariance from the rows and from the covariance itself are the same
// (scikit-learn's report 8212: columns of sizes 1 to 20, labels that say nothing).
func TestTwoWaysToWhiten(t *testing.T) {
	x := mltest.Normal(3, 1000, 5)
	x.Apply(func(_, j int, v float64) float64 { return v * []float64{1, 11, 20, 4, 20}[j] }, x)
	y := make([]int, 1000)
	for i := range y {
		y[i] = int(rng.New(uint64(i)).Uint64() % 3)
	}
	g, err := newGaussians(t.Context(), "m", x, y, nil, shrink{}, "")
	if err != nil {
		t.Fatal(err)
	}
	a, err := whitenRows(t.Context(), "m", g.centered, g.within)
	if err != nil {
		t.Fatal(err)
	}
	cov := mat.NewSymDense(5, nil)
	cov.SymOuterK(1e-3, g.centered.T())
	b, err := whitenCovariance(t.Context(), "m", cov)
	if err != nil {
		t.Fatal(err)
	}
	var pa, pb mat.Dense
	pa.Mul(a.scale, a.scale.T())
	pb.Mul(b.scale, b.scale.T())
	if g := mltest.MatrixGap(&pa, &pb); !(g < 1e-12) || math.Abs(a.log-b.log) > 1e-12 || math.Abs(a.log-logDet(cov)) > 1e-12 {
		t.Errorf("precisions differ by %g, log determinants are %v and %v", g, a.log, b.log)
	}
}

// Columns that are constant, or sums of others, carry nothing, and change nothing for LDA.
func TestDirectionsWithoutVariance(t *testing.T) {
	d := datasets.Iris()
	n := len(d.Y)
	wide := mat.NewDense(n, 6, nil)
	wide.Apply(func(i, j int, _ float64) float64 {
		switch j {
		case 4:
			return 0.1
		case 5:
			return d.X.At(i, 0) - 3*d.X.At(i, 2) + 1e3
		}
		return d.X.At(i, j)
	}, wide)
	plain, err := LDA{}.Fit(t.Context(), d.X, d.Y)
	p := posterior(t, plain, err, d.X)
	m, err := LDA{}.Fit(t.Context(), wide, d.Y)
	if g := mltest.MatrixGap(p, posterior(t, m, err, wide)); g > 1e-8 || m.Rank != 4 || plain.Rank != 4 {
		t.Errorf("rank %d, posteriors differ by %g", m.Rank, g)
	}
	white(t, m)
	_, err = QDA{}.Fit(t.Context(), wide, d.Y)
	mltest.Refused(t, "QDA", err, ml.ErrParameter, "covariance of class 0 = 4, want 5", "the columns depend on each other", "Shrinkage")
	for c := range n {
		wide.Set(c, 5, 7)
	}
	if g := mltest.MatrixGap(both(t, wide, d.Y, wide)["qda"], both(t, d.X, d.Y, d.X)["qda"]); g > 1e-12 {
		t.Errorf("constant columns change posteriors of QDA by %g", g)
	}
	// With shrinkage there is an answer where there are fewer rows than columns, and a class's
	// constant column takes its size from the other classes, in whatever unit.
	few := mltest.Normal(1, 12, 20)
	labels := []int{0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2}
	for i := range 4 {
		few.Set(i, 7, 3)
	}
	for _, fit := range []func(x mat.Matrix) (classifier, error){
		func(x mat.Matrix) (classifier, error) { return LDA{Shrinkage: LedoitWolf}.Fit(t.Context(), x, labels) },
		func(x mat.Matrix) (classifier, error) { return QDA{Shrinkage: LedoitWolf}.Fit(t.Context(), x, labels) },
	} {
		m, err := fit(few)
		p := posterior(t, m, err, few)
		scaled := mat.DenseCopyOf(few)
		scaled.Apply(func(_, j int, v float64) float64 { return v * math.Pow(10, float64(j%5)) }, scaled)
		m, err = fit(scaled)
		if g := mltest.MatrixGap(p, posterior(t, m, err, scaled)); g > 1e-9 {
			t.Errorf("units change posteriors by %g", g)
		}
	}
}

// Equal means: the priors are the answer everywhere.
func TestEqualMeans(t *testing.T) {
	x := mat.NewDense(6, 2, []float64{1, 0, -1, 0, 0, 1, 0, -1, 2, 2, -2, -2})
	m, err := LDA{Priors: []float64{2, 2, 4}}.Fit(t.Context(), x, []int{0, 0, 1, 1, 2, 2})
	p := posterior(t, m, err, x)
	for i := range 6 {
		mltest.CloseTo(t, "posterior", p.RawRowView(i), []float64{0.25, 0.25, 0.5}, 1e-15)
	}
	mltest.CloseTo(t, "ratios", m.ExplainedRatio, []float64{0, 0}, 0)
}

// Rows far from all data have a class, whatever the sizes; those so far that float64 ends have one
// too.
func TestFarRows(t *testing.T) {
	d := datasets.Iris()
	ask := mat.NewDense(4, 4, []float64{1e300, -1e300, 1e300, 1e300, math.MaxFloat64, -math.MaxFloat64, 0, 0, -1e200, 0, 0, 0, 1e20, 1e20, 1e20, 1e20})
	for _, size := range []float64{1e-140, 1, 1e140} {
		x := mat.DenseCopyOf(d.X)
		x.Scale(size, x)
		for name, p := range both(t, x, d.Y, ask) {
			for i := range 4 {
				if sum := mat.Sum(p.RowView(i)); math.Abs(sum-1) > 1e-9 {
					t.Errorf("%s, size %g: posteriors of row %d are %v", name, size, i, p.RawRowView(i))
				}
			}
		}
		if g := mltest.MatrixGap(both(t, x, d.Y, x)["qda"], both(t, d.X, d.Y, d.X)["qda"]); g > 1e-9 {
			t.Errorf("size %g changes posteriors by %g", size, g)
		}
	}
}

func TestBadInput(t *testing.T) {
	ctx := t.Context()
	x, y := mltest.Normal(2, 6, 2), []int{0, 0, 0, 1, 1, 1}
	line := mat.NewDense(3, 1, []float64{0, 1, 1})
	step := mat.NewDense(6, 2, []float64{1, 0, 2, 0, 3, 0, 1, 5, 2, 5, 4, 5})
	lda := func(l LDA, x mat.Matrix, y []int) error { return mltest.Err(l.Fit(ctx, x, y)) }
	qda := func(q QDA, x mat.Matrix, y []int) error { return mltest.Err(q.Fit(ctx, x, y)) }
	for name, c := range map[string]struct {
		err, kind error
		says      string
	}{
		"one class":         {lda(LDA{}, x, []int{4, 4, 4, 4, -1, -1}), ml.ErrParameter, "the number of classes = 1, want at least 2"},
		"one class, QDA":    {qda(QDA{}, x, make([]int, 6)), ml.ErrParameter, "the number of classes = 1, want at least 2"},
		"no class":          {lda(LDA{}, x, slices.Repeat([]int{-1}, 6)), ml.ErrEmpty, "no row has a label"},
		"labels":            {lda(LDA{}, x, y[:5]), ml.ErrShape, "y has length 5, want 6"},
		"label":             {lda(LDA{}, x, []int{0, 0, 0, 1, 1, -3}), ml.ErrParameter, "y[5] = -3"},
		"report 18671":      {lda(LDA{}, line, []int{0, 1, 1}), ml.ErrParameter, "the variance within the classes = 0"},
		"rows as classes":   {lda(LDA{Divisor: Unbiased}, x, []int{0, 1, 2, 3, 4, 5}), ml.ErrParameter, "the variance within the classes = 0"},
		"its shrinkage":     {lda(LDA{Shrinkage: OAS}, line, []int{0, 1, 1}), ml.ErrParameter, "the variance within the classes = 0"},
		"step":              {lda(LDA{}, step, y), ml.ErrParameter, "the rank of the covariance within the classes = 1, want 2, the number of columns that vary: the classes differ in a direction in which none of them varies (column 1 is constant within each class)"},
		"n < d":             {lda(LDA{}, mltest.Normal(1, 6, 9), y), ml.ErrParameter, "within the classes = 4, want 9, the number of columns that vary: the classes differ in a direction in which none of them varies; Shrinkage"},
		"step, QDA":         {qda(QDA{}, step, y), ml.ErrParameter, "covariance of class 0 = 1, want 2, the number of columns that vary: column 1 is constant in it; Shrinkage"},
		"n < d, QDA":        {qda(QDA{}, mltest.Normal(1, 6, 9), []int{8, 8, 8, 5, 5, 5}), ml.ErrParameter, "covariance of class 5 = 2, want 9, the number of columns that vary: it has 3 rows, and 9 columns need 10"},
		"class of one":      {qda(QDA{Shrinkage: OAS}, x, []int{0, 0, 0, 1, 1, 7}), ml.ErrParameter, "the number of rows of class 7 = 1, want at least 2"},
		"prior 0":           {lda(LDA{Priors: []float64{1, 0}}, x, y), ml.ErrParameter, "Priors[1] = 0"},
		"prior NaN":         {qda(QDA{Priors: []float64{math.NaN(), 1}}, x, y), ml.ErrParameter, "Priors[0] = NaN"},
		"prior Inf":         {qda(QDA{Priors: []float64{1, math.Inf(1)}}, x, y), ml.ErrParameter, "Priors"},
		"priors":            {lda(LDA{Priors: []float64{1, 2, 3}}, x, y), ml.ErrShape, "Priors has length 3, want 2"},
		"divisor":           {lda(LDA{Divisor: "n-1"}, x, y), ml.ErrParameter, `Divisor = "n-1", want`},
		"shrinkage":         {lda(LDA{Shrinkage: "auto"}, x, y), ml.ErrParameter, `Shrinkage = "auto", want one of`},
		"amount":            {qda(QDA{Shrinkage: Fixed, Amount: 1.5}, x, y), ml.ErrParameter, "Amount = 1.5, want 0 to 1"},
		"amount NaN":        {qda(QDA{Shrinkage: Fixed, Amount: math.NaN()}, x, y), ml.ErrParameter, "Amount = NaN"},
		"amount of nothing": {qda(QDA{Amount: 0.5}, x, y), ml.ErrParameter, `"fixed" for Shrinkage`},
	} {
		mltest.Refused(t, name, c.err, c.kind, c.says, "discriminant.")
	}
	// A class of one row adds a mean and no variance.
	m, err := LDA{}.Fit(ctx, x, []int{0, 0, 0, 1, 1, 7})
	if err != nil || m.Counts[2] != 1 {
		t.Errorf("a class of one row: %v", err)
	}
	if _, err := m.Posterior(mat.NewDense(1, 2, []float64{0, math.NaN()})); err == nil || !strings.Contains(err.Error(), "row 0, column 1") {
		t.Errorf("NaN is asked about: %v", err)
	}
	mltest.Refused(t, "columns", mltest.Err(m.Transform(mat.NewDense(1, 3, nil))), ml.ErrShape, "3 columns")
}

// A fit ends with its context, also within the decomposition.
func TestCancelled(t *testing.T) {
	x := mltest.Normal(1, 3000, 300)
	y := make([]int, 3000)
	for i := range y {
		y[i] = i % 3
	}
	for _, s := range []Shrinkage{None, LedoitWolf} {
		mltest.Prompt(t, "LDA", 30*time.Millisecond, func(ctx context.Context) error { return mltest.Err(LDA{Shrinkage: s}.Fit(ctx, x, y)) })
		mltest.Prompt(t, "QDA", 30*time.Millisecond, func(ctx context.Context) error { return mltest.Err(QDA{Shrinkage: s}.Fit(ctx, x, y)) })
	}
}

func logDet(a mat.Matrix) float64 {
	log, _ := mat.LogDet(a)
	return log
}
