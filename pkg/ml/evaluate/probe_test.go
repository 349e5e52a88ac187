package evaluate

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/labelled"
	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func TestSavedFiles(t *testing.T) {
	mltest.Saved[LinearProbeModel](t, "testdata/linearprobe-format1.zip")
}

// held splits a data set: every step-th row is held out.
func held(name string, step int) (x, z *mat.Dense, y, truth []int) {
	data := map[string]func() datasets.Dataset{"iris": datasets.Iris, "wine": datasets.Wine, "digits": datasets.Digits}[name]()
	n, d := data.X.Dims()
	var fit, test []float64
	for i := range n {
		if row := mat.Row(nil, i, data.X); i%step == 0 {
			test, truth = append(test, row...), append(truth, data.Y[i])
		} else {
			fit, y = append(fit, row...), append(y, data.Y[i])
		}
	}
	return mat.NewDense(len(y), d, fit), mat.NewDense(len(truth), d, test), y, truth
}

func TestProbesEqualScikitLearn(t *testing.T) {
	want := mltest.ReadJSON[struct {
		Linear []struct {
			Data                        string
			Step                        int
			Penalty, Accuracy, Loss     float64
			Coefficients, Probabilities [][]float64
			Intercepts                  []float64
		}
		Nearest []struct {
			Data    string
			Step, K int
			Metric  string
			Labels  []int
			Clear   []bool
		}
		Matches []struct {
			Truth, Labels []int
			Total         float64
		}
	}](t, "probe.json")
	near := func(what string, got, want float64) {
		t.Helper()
		if !(math.Abs(got-want) <= 1e-6*(1+math.Abs(want))) {
			t.Errorf("%s: %v, scikit-learn %v", what, got, want)
		}
	}
	for _, c := range want.Linear {
		x, z, y, truth := held(c.Data, c.Step)
		m, err := LinearProbe{Penalty: c.Penalty}.Fit(t.Context(), x, y)
		if err != nil || !m.Converged {
			t.Fatalf("%s: %v, %+v", c.Data, err, m)
		}
		for k, row := range c.Coefficients {
			for j, w := range row {
				near(c.Data+": a coefficient", m.Coefficients.At(k, j), w)
			}
			near(c.Data+": an intercept", m.Intercepts[k], c.Intercepts[k])
		}
		near(c.Data+": loss", m.Loss, c.Loss)
		p, err := m.Probabilities(z)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range c.Probabilities {
			for k, v := range row {
				near(c.Data+": a probability", p.At(i, k), v)
			}
		}
		labels, err := m.Predict(z)
		if err != nil {
			t.Fatal(err)
		}
		near(c.Data+": accuracy", Accuracy(labels, truth), c.Accuracy)
	}
	for _, c := range want.Nearest {
		x, z, y, _ := held(c.Data, c.Step)
		metric := map[string]distance.Metric{"euclidean": nil, "cosine": distance.Cosine{}}[c.Metric]
		labels, err := NearestNeighborProbe{K: c.K, Metric: metric}.Predict(t.Context(), x, y, z)
		if err != nil {
			t.Fatal(err)
		}
		wrong := 0
		for i, l := range labels {
			if c.Clear[i] && l != c.Labels[i] {
				wrong++
			}
		}
		if wrong > 0 {
			t.Errorf("%s, K = %d, %s: %d of %d labels are not scikit-learn's", c.Data, c.K, c.Metric, wrong, len(labels))
		}
	}
	for i, c := range want.Matches {
		m, err := Confusion(c.Labels, c.Truth)
		if err != nil {
			t.Fatal(err)
		}
		near("assignment", m.Accuracy, c.Total/float64(len(c.Truth)))
		if i == 0 && !slices.Equal(m.Classes, []int{0, 1, 2}) {
			t.Errorf("classes %v", m.Classes)
		}
	}
}

// The minimum has no slope: the gradient by finite differences of the objective is the one that is
// computed, the Hessian's product that of the gradient.
func TestSoftmaxDerivatives(t *testing.T) {
	x, _, y, _ := held("iris", 3)
	m, err := LinearProbe{Penalty: 2}.Fit(t.Context(), x, y)
	if err != nil {
		t.Fatal(err)
	}
	of, _ := labelled.Classes(y)
	f := newSoftmaxFit(m, x, of, 2)
	r := rng.New(1)
	theta, v := make([]float64, f.k*f.p), make([]float64, f.k*f.p)
	for i := range theta {
		theta[i], v[i] = r.NormFloat64(), r.NormFloat64()
	}
	_, g, _, p := f.gradient(theta)
	h := f.curvature(p, v)
	const eps = 1e-5
	at := func(i int, e float64) (float64, []float64) {
		moved := slices.Clone(theta)
		if i >= 0 {
			moved[i] += e
		} else {
			for j := range moved {
				moved[j] += e * v[j]
			}
		}
		value, g, _, _ := f.gradient(moved)
		return value, g
	}
	for i := range theta {
		up, _ := at(i, eps)
		down, _ := at(i, -eps)
		if d := (up - down) / 2 / eps; math.Abs(d-g[i]) > 1e-7 {
			t.Errorf("derivative %d is %v, and by differences %v", i, g[i], d)
		}
	}
	_, up := at(-1, eps)
	_, down := at(-1, -eps)
	for i := range h {
		if d := (up[i] - down[i]) / 2 / eps; math.Abs(d-h[i]) > 1e-7 {
			t.Errorf("entry %d of the Hessian's product is %v, and by differences %v", i, h[i], d)
		}
	}
}

func TestLinearProbeConformance(t *testing.T) {
	thirds := func(x mat.Matrix) []int {
		n, _, err := ml.Size("probe", x)
		if err != nil {
			return nil
		}
		y := make([]int, n)
		for i := range y {
			y[i] = i * 3 / n
		}
		return y
	}
	mltest.Run(t, mltest.Method[LinearProbeModel]{
		Fit: func(ctx context.Context, x mat.Matrix) (*LinearProbeModel, error) {
			return LinearProbe{}.Fit(ctx, x, thirds(x))
		},
		Predict: (*LinearProbeModel).Predict,
	})
}

// Units of the features, rows without a label, and names of classes make no difference; without a
// penalty separable classes are told apart.
func TestLinearProbeInvariance(t *testing.T) {
	x, z, y, truth := held("wine", 3)
	m, err := LinearProbe{}.Fit(t.Context(), x, y)
	if err != nil {
		t.Fatal(err)
	}
	n, d := x.Dims()
	scale := func(x *mat.Dense) *mat.Dense {
		var out mat.Dense
		out.Apply(func(_, j int, v float64) float64 { return v * math.Pow(10, float64(50-10*j)) }, x)
		return &out
	}
	more := mat.NewDense(n+7, d, nil)
	more.Copy(scale(x))
	names := slices.Concat(y, slices.Repeat([]int{-1}, 7))
	for i, l := range y {
		names[i] = 10 * (5 - l)
	}
	other, err := LinearProbe{}.Fit(t.Context(), more, names)
	if err != nil {
		t.Fatal(err)
	}
	p, err := m.Probabilities(z)
	if err != nil {
		t.Fatal(err)
	}
	q, err := other.Probabilities(scale(z))
	if err != nil {
		t.Fatal(err)
	}
	for i := range len(truth) {
		for k := range 3 { // the other names are in reverse order
			if math.Abs(p.At(i, k)-q.At(i, 2-k)) > 1e-8 {
				t.Fatalf("row %d: %v, and in other units %v", i, p.RawRowView(i), q.RawRowView(i))
			}
		}
	}
	free, err := LinearProbe{Penalty: -1}.Fit(t.Context(), x, y)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := free.Predict(x)
	if err != nil || Accuracy(labels, y) != 1 || free.Loss > 1e-6 {
		t.Errorf("without a penalty: accuracy %v, loss %v, %v", Accuracy(labels, y), free.Loss, err)
	}
	far, err := m.Probabilities(mat.NewDense(1, d, slices.Repeat([]float64{math.MaxFloat64}, d)))
	if err != nil || math.Abs(mat.Sum(far)-1) > 1e-12 {
		t.Errorf("far away: %v, %v", far, err)
	}
}

// Of all assignments none has more points in their place.
func TestConfusionIsTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		labels := rapid.SliceOfN(rapid.IntRange(-2, 3), n, n).Draw(t, "labels")
		truth := rapid.SliceOfN(rapid.IntRange(5, 9), n, n).Draw(t, "truth")
		c, err := Confusion(labels, truth)
		if err != nil {
			t.Fatal(err)
		}
		best, right, used := 0.0, 0, map[int]bool{}
		var search func(j int, total float64)
		search = func(j int, total float64) {
			if j == len(c.Clusters) {
				best = max(best, total)
				return
			}
			search(j+1, total)
			for i := range c.Classes {
				if !used[i] {
					used[i] = true
					search(j+1, total+c.Counts.At(i, j))
					used[i] = false
				}
			}
		}
		search(0, 0)
		for i, l := range labels {
			if k := c.Match[slices.Index(c.Clusters, l)]; k >= 0 && c.Classes[k] == truth[i] {
				right++
			}
		}
		if c.Accuracy != best/float64(n) || right != int(best) {
			t.Fatalf("accuracy %v, %d right, the best is %v of %d", c.Accuracy, right, best, n)
		}
		matched := slices.DeleteFunc(slices.Clone(c.Match), func(i int) bool { return i < 0 })
		slices.Sort(matched)
		if len(matched) != min(len(c.Classes), len(c.Clusters)) || len(slices.Compact(matched)) != len(matched) {
			t.Fatalf("%v is not one to one", c.Match)
		}
	})
}

func TestProbeErrors(t *testing.T) {
	x, y := mat.NewDense(3, 1, []float64{1, 2, 3}), []int{0, 1, 1}
	m, err := LinearProbe{}.Fit(t.Context(), x, y)
	if err != nil {
		t.Fatal(err)
	}
	second := func(_ any, err error) error { return err }
	linear := func(p LinearProbe, y []int) error { return second(p.Fit(t.Context(), x, y)) }
	nearest := func(k int, y []int, z mat.Matrix) error {
		return second(NearestNeighborProbe{K: k}.Predict(t.Context(), x, y, z))
	}
	for name, c := range map[string]struct {
		err, want error
		says      string
	}{
		"penalty":       {linear(LinearProbe{Penalty: math.NaN()}, y), ml.ErrParameter, "Penalty = NaN"},
		"steps":         {linear(LinearProbe{MaxIter: -1}, y), ml.ErrParameter, "MaxIter"},
		"one class":     {linear(LinearProbe{}, []int{4, 4, 4}), ml.ErrParameter, "classes = 1"},
		"no labels":     {linear(LinearProbe{}, []int{-1, -1, -1}), ml.ErrEmpty, "no row has a label"},
		"a label":       {linear(LinearProbe{}, []int{0, 1, -2}), ml.ErrParameter, "y[2] = -2"},
		"few labels":    {linear(LinearProbe{}, y[:2]), ml.ErrShape, "length 2, want 3"},
		"columns":       {second(m.Predict(mat.NewDense(1, 2, nil))), ml.ErrShape, "2 columns"},
		"K":             {nearest(3, []int{0, 1, -1}, x), ml.ErrParameter, "K = 3, want 1 ≤ K ≤ n = 2"},
		"negative K":    {nearest(-1, y, x), ml.ErrParameter, "K = -1"},
		"other columns": {nearest(1, y, mat.NewDense(1, 2, nil)), ml.ErrShape, "columns"},
		"confusion":     {second(Confusion(y, y[:1])), ml.ErrShape, "labels"},
	} {
		if !errors.Is(c.err, c.want) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q", name, c.err, c.want, c.says)
		}
	}
	if !math.IsNaN(Accuracy(y, y[:2])) || !math.IsNaN(Accuracy(nil, nil)) {
		t.Error("accuracy of labelings that do not fit is a number")
	}
	// Two neighbors with different labels: the nearer one decides.
	if got, err := (NearestNeighborProbe{K: 2}).Predict(t.Context(), x, []int{7, 3, 5}, mat.NewDense(2, 1, []float64{1.4, 2.9})); err != nil || !slices.Equal(got, []int{7, 5}) {
		t.Errorf("a tie: %v, %v", got, err)
	}
}
