package cluster

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
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

// From the same centers, scikit-learn's Lloyd ends in the same partition: testdata/kmeans.py made
// the file.
func TestEqualsScikitLearnFromTheSameCenters(t *testing.T) {
	cases := mltest.ReadJSON[[]struct {
		Data    string
		Init    [][]float64
		Inertia float64
		Labels  []int
		Centers [][]float64
	}](t, "kmeans.json")
	data := map[string]*mat.Dense{"iris": datasets.Iris().X, "wine": datasets.Wine().X, "digits": datasets.Digits().X, "breast_cancer": datasets.BreastCancer().X}
	// against ties, as in kmeans.py
	data["iris"].Apply(func(i, j int, v float64) float64 { return v + 1e-4*math.Sin(float64(4*i+j)) }, data["iris"])
	for _, c := range cases {
		m, err := KMeans{K: len(c.Init), Init: mltest.FromRows(c.Init), MaxIter: 1000}.Fit(t.Context(), data[c.Data])
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(m.Inertia-c.Inertia) > 1e-9*c.Inertia {
			t.Errorf("%s, K = %d: inertia %.12g, scikit-learn's is %.12g", c.Data, len(c.Init), m.Inertia, c.Inertia)
		}
		if !slices.Equal(m.Labels, c.Labels) {
			t.Errorf("%s, K = %d: other labels", c.Data, len(c.Init))
		}
		if !mat.EqualApprox(m.Centers, mltest.FromRows(c.Centers), 1e-9) {
			t.Errorf("%s, K = %d: other centers", c.Data, len(c.Init))
		}
		if !m.Converged {
			t.Errorf("%s, K = %d: not converged", c.Data, len(c.Init))
		}
	}
}

// Over data sets and K, ten seeds each: the mean inertia of ten restarts is no worse than
// scikit-learn's of as many, both by greedy k-means++, to within three standard errors of the
// difference (there are sixteen comparisons).
func TestNoWorseThanScikitLearnAtEqualRestarts(t *testing.T) {
	cases := mltest.ReadJSON[[]struct {
		Data    string
		K       int
		Inertia []float64
	}](t, "restarts.json")
	data := map[string]*mat.Dense{"iris": datasets.Iris().X, "wine": datasets.Wine().X, "digits": datasets.Digits().X, "breast_cancer": datasets.BreastCancer().X}
	for _, c := range cases {
		var ours []float64
		for seed := range uint64(10) {
			m, err := KMeans{K: c.K, Seed: seed}.Fit(t.Context(), data[c.Data])
			if err != nil {
				t.Fatal(err)
			}
			ours = append(ours, m.Inertia)
		}
		mine, sd := stat.MeanStdDev(ours, nil)
		theirs, sd2 := stat.MeanStdDev(c.Inertia, nil)
		if se := math.Sqrt((sd*sd + sd2*sd2) / 10); mine > theirs+3*se+1e-9*theirs {
			t.Errorf("%s, K = %d: mean %.8g ± %.2g, scikit-learn's %.8g ± %.2g", c.Data, c.K, mine, sd, theirs, sd2)
		}
	}
}

// naive is Lloyd's algorithm as it is written down: the reference for the accelerated one.
func naive(x *mat.Dense, centers *mat.Dense, maxIter int) (labels []int, c *mat.Dense, inertia float64) {
	n, d := x.Dims()
	k, _ := centers.Dims()
	c = mat.DenseCopyOf(centers)
	labels = make([]int, n)
	for range maxIter {
		moved := false
		inertia = 0
		for i := range n {
			best, least := 0, math.Inf(1)
			for z := range k {
				s := 0.0
				for j := range d {
					e := x.At(i, j) - c.At(z, j)
					s += e * e
				}
				if s < least {
					best, least = z, s
				}
			}
			moved = moved || labels[i] != best
			labels[i] = best
			inertia += least
		}
		next, count := mat.NewDense(k, d, nil), make([]float64, k)
		for i, z := range labels {
			count[z]++
			for j := range d {
				next.Set(z, j, next.At(z, j)+x.At(i, j))
			}
		}
		for z := range k {
			if count[z] == 0 {
				return nil, nil, 0 // the caller draws another case
			}
			for j := range d {
				next.Set(z, j, next.At(z, j)/count[z])
			}
		}
		if !moved && mat.EqualApprox(next, c, 0) {
			break
		}
		c = next
	}
	return labels, c, inertia
}

func TestAcceleratedEqualsNaiveLloyd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(2, 200).Draw(t, "n"), rapid.IntRange(1, 20).Draw(t, "d")
		k := rapid.IntRange(1, min(n, 12)).Draw(t, "k")
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		offset := rapid.SampledFrom([]float64{0, 1e6, -3}).Draw(t, "offset")
		x := mat.NewDense(n, d, nil)
		x.Apply(func(_, _ int, _ float64) float64 { return offset + r.NormFloat64() }, x)
		init := mat.DenseCopyOf(x.Slice(0, k, 0, d))
		labels, centers, inertia := naive(x, init, 300)
		if labels == nil {
			t.Skip("a cluster lost all its points")
		}
		m, err := KMeans{K: k, Init: init}.Fit(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(m.Labels, labels) {
			t.Fatalf("labels %v, Lloyd's are %v", m.Labels, labels)
		}
		if !mat.EqualApprox(m.Centers, centers, 1e-9*(1+math.Abs(offset))) || math.Abs(m.Inertia-inertia) > 1e-6*(inertia+1e-9*offset*offset) {
			t.Fatalf("inertia %v, Lloyd's is %v", m.Inertia, inertia)
		}
	})
}

func TestInertiaNeverRisesAndIsWhatItSays(t *testing.T) {
	x := datasets.Digits().X
	for seed := range uint64(5) {
		before := math.Inf(1)
		var last *KMeansModel
		for m, err := range (KMeans{K: 10, Start: RandomPoints, Seed: seed}).Iterate(t.Context(), x) {
			if err != nil {
				t.Fatal(err)
			}
			if m.Inertia > before {
				t.Fatalf("seed %d: from %v to %v at step %d", seed, before, m.Inertia, m.Iterations)
			}
			if j := distortion(x, m); math.Abs(j-m.Inertia) > 1e-10*j {
				t.Fatalf("inertia %v, the distortion of the partition is %v", m.Inertia, j)
			}
			before, last = m.Inertia, m
		}
		if !last.Converged {
			t.Errorf("seed %d: not converged after %d steps", seed, last.Iterations)
		}
		labels, err := last.Predict(x)
		if err != nil || !slices.Equal(labels, last.Labels) {
			t.Errorf("Predict on the data of the fit is not Labels (%v)", err)
		}
	}
}

func distortion(x mat.Matrix, m *KMeansModel) (sum float64) {
	n, d := x.Dims()
	for i := range n {
		for j := range d {
			e := x.At(i, j) - m.Centers.At(m.Labels[i], j)
			sum += e * e
		}
	}
	return sum
}

func TestSameAnswerOnAnyNumberOfProcessors(t *testing.T) {
	d := datasets.Blobs(9000, 7, 6, 2, 1)
	before := mat.DenseCopyOf(d.X)
	var first *KMeansModel
	for _, procs := range []int{1, 2, 5} {
		old := runtime.GOMAXPROCS(procs)
		m, err := KMeans{K: 6, Restarts: 2, Seed: 3}.Fit(t.Context(), d.X)
		runtime.GOMAXPROCS(old)
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = m
		}
		if m.Inertia != first.Inertia || !slices.Equal(m.Labels, first.Labels) || !mat.Equal(m.Centers, first.Centers) {
			t.Errorf("with %d processors the model differs", procs)
		}
	}
	if !mat.Equal(before, d.X) {
		t.Error("the data were written to")
	}
}

func TestInvariances(t *testing.T) {
	x := datasets.Blobs(400, 2, 4, 5, 2).X
	n, _ := x.Dims()
	init := mat.DenseCopyOf(x.Slice(0, 4, 0, 2))
	base, err := KMeans{K: 4, Init: init}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	s, c := math.Sincos(0.7)
	for name, f := range map[string]func(a, b float64) (float64, float64){
		"rotation":    func(a, b float64) (float64, float64) { return c*a - s*b, s*a + c*b },
		"translation": func(a, b float64) (float64, float64) { return a + 1000, b - 50 },
		"scaling":     func(a, b float64) (float64, float64) { return 1e120 * a, 1e120 * b },
		"shrinking":   func(a, b float64) (float64, float64) { return 1e-150 * a, 1e-150 * b },
	} {
		y, yi := mat.NewDense(n, 2, nil), mat.NewDense(4, 2, nil)
		for i := range n {
			a, b := f(x.At(i, 0), x.At(i, 1))
			y.SetRow(i, []float64{a, b})
		}
		for i := range 4 {
			a, b := f(init.At(i, 0), init.At(i, 1))
			yi.SetRow(i, []float64{a, b})
		}
		m, err := KMeans{K: 4, Init: yi}.Fit(t.Context(), y)
		if err != nil || !slices.Equal(m.Labels, base.Labels) {
			t.Errorf("%s: another partition (%v)", name, err)
		}
	}
	// Rows in another order, the same starting centers: the labels go along.
	perm := rng.New(9).Perm(n)
	y := mat.NewDense(n, 2, nil)
	for i, p := range perm {
		y.SetRow(i, x.RawRowView(p))
	}
	m, err := KMeans{K: 4, Init: init}.Fit(t.Context(), y)
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range perm {
		if m.Labels[i] != base.Labels[p] {
			t.Fatal("the permuted rows have other labels")
		}
	}
}

func TestMatricesOfAnyKind(t *testing.T) {
	x := datasets.Iris().X
	want, err := KMeans{K: 3}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	wide := mat.NewDense(160, 9, nil)
	view := wide.Slice(5, 155, 2, 6).(*mat.Dense)
	view.Copy(x)
	transposed := mat.DenseCopyOf(x.T()).T()
	for name, y := range map[string]mat.Matrix{"view": view, "transpose": transposed} {
		got, err := KMeans{K: 3}.Fit(t.Context(), y)
		if err != nil || got.Inertia != want.Inertia || !slices.Equal(got.Labels, want.Labels) {
			t.Errorf("%s: another model (%v)", name, err)
		}
	}
	if _, err := (KMeans{K: 2}).Fit(t.Context(), mat.NewDiagDense(4, []float64{1, 2, 3, 4})); err != nil {
		t.Errorf("a diagonal matrix: %v", err)
	}
}

func TestBadInput(t *testing.T) {
	x := datasets.Iris().X
	bad := func(i, j int, v float64) *mat.Dense {
		y := mat.DenseCopyOf(x)
		y.Set(i, j, v)
		return y
	}
	var null *mat.Dense
	for name, c := range map[string]struct {
		k    KMeans
		x    mat.Matrix
		kind error
		want string
	}{
		"nil":       {KMeans{K: 2}, nil, ml.ErrEmpty, "nil"},
		"nil dense": {KMeans{K: 2}, null, ml.ErrEmpty, "nil"},
		"empty":     {KMeans{K: 2}, &mat.Dense{}, ml.ErrEmpty, "0×0"},
		"NaN":       {KMeans{K: 2}, bad(7, 2, math.NaN()), ml.ErrNotFinite, "row 7, column 2"},
		"Inf":       {KMeans{K: 2}, bad(0, 3, math.Inf(-1)), ml.ErrNotFinite, "row 0, column 3"},
		"no K":      {KMeans{}, x, ml.ErrParameter, "K = 0, want 1 ≤ K ≤ n = 150"},
		"K over n":  {KMeans{K: 151}, x, ml.ErrParameter, "K = 151"},
		"restarts":  {KMeans{K: 2, Restarts: -1}, x, ml.ErrParameter, "Restarts = -1"},
		"max iter":  {KMeans{K: 2, MaxIter: -5}, x, ml.ErrParameter, "MaxIter = -5"},
		"start":     {KMeans{K: 2, Start: "best"}, x, ml.ErrParameter, "k-means++"},
		"init":      {KMeans{K: 2, Init: mat.NewDense(2, 3, nil)}, x, ml.ErrShape, "2×3"},
		"init NaN":  {KMeans{K: 1, Init: mat.NewDense(1, 4, []float64{1, math.NaN(), 1, 1})}, x, ml.ErrNotFinite, "Init: row 0, column 1"},
		"overflow":  {KMeans{K: 1}, mat.NewDense(2, 1, []float64{1e200, -1e200}), ml.ErrParameter, "divide the data"},
	} {
		if _, err := c.k.Fit(t.Context(), c.x); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
		for m, err := range c.k.Iterate(t.Context(), c.x) {
			if err == nil && m == nil {
				t.Errorf("%s: Iterate gives nothing and no error", name)
			}
		}
	}
	m, err := KMeans{K: 3}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Predict(mat.NewDense(1, 3, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("Predict with three columns: %v", err)
	}
	if _, err := m.Transform(mat.NewDense(1, 4, []float64{0, 0, 0, math.NaN()})); !errors.Is(err, ml.ErrNotFinite) {
		t.Errorf("Transform of NaN: %v", err)
	}
}

func TestDegenerateData(t *testing.T) {
	equal := mat.NewDense(50, 3, nil)
	equal.Apply(func(_, j int, _ float64) float64 { return 0.1 * float64(j+1) }, equal)
	twice := mat.NewDense(4, 1, []float64{1, 1, 5, 5})
	for name, c := range map[string]struct {
		x       mat.Matrix
		k       int
		inertia float64
	}{
		"equal rows":         {equal, 3, 0},
		"one row":            {mat.NewDense(1, 2, []float64{3, 4}), 1, 0},
		"K = n":              {mat.NewDense(5, 1, []float64{1, 2, 4, 8, 16}), 5, 0},
		"duplicates":         {twice, 2, 0},
		"K above the values": {twice, 3, 0},
		"one cluster":        {mat.NewDense(3, 1, []float64{0, 1, 2}), 1, 2},
		"a constant column":  {mat.NewDense(4, 2, []float64{1, 7, 2, 7, 9, 7, 10, 7}), 2, 1},
	} {
		for _, start := range []Start{GreedyPlusPlus, PlusPlus, RandomPoints} {
			m, err := KMeans{K: c.k, Start: start}.Fit(t.Context(), c.x)
			if err != nil || math.Abs(m.Inertia-c.inertia) > 1e-25 && c.inertia == 0 || math.Abs(m.Inertia-c.inertia) > 1e-12 {
				t.Errorf("%s, %s: %+v, %v; want inertia %v", name, start, m, err, c.inertia)
				continue
			}
			seen := map[int]bool{}
			for _, z := range m.Labels {
				seen[z] = true
			}
			if len(seen) != c.k {
				t.Errorf("%s, %s: %d clusters have points, want %d", name, start, len(seen), c.k)
			}
		}
	}
}

func TestCancellation(t *testing.T) {
	x := datasets.Blobs(60000, 30, 40, 1, 1).X
	var m *KMeansModel
	if !mltest.Prompt(t, "k-means", 150*time.Millisecond, func(ctx context.Context) (err error) {
		m, err = KMeans{K: 60, Restarts: 1000}.Fit(ctx, x)
		return err
	}) {
		t.Error("a thousand restarts were done before the context ended")
	}
	if m != nil && (len(m.Labels) != 60000 || math.IsNaN(m.Inertia)) {
		t.Error("the model so far is not whole")
	}
	done, stop := context.WithCancel(t.Context())
	stop()
	if _, err := (KMeans{K: 3}).Fit(done, x); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestOptimalIsTheMinimumOverAllPartitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(1, 7).Draw(t, "n"), rapid.IntRange(1, 2).Draw(t, "d")
		k := rapid.IntRange(1, min(n, 4)).Draw(t, "k")
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		x := mat.NewDense(n, d, nil)
		x.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, x)
		least := math.Inf(1) // over all K^n labelings
		labels := make([]int, n)
		for code := range int(math.Pow(float64(k), float64(n))) {
			for i := range labels {
				labels[i], code = code%k, code/k
			}
			least = min(least, labelingCost(x, labels, k))
		}
		m, err := Optimal{K: k}.Fit(context.Background(), x)
		if err != nil || math.Abs(m.Inertia-least) > 1e-10 {
			t.Fatalf("inertia %v, the least is %v (%v)", m.Inertia, least, err)
		}
		if d == 1 {
			one, err := Optimal1D{K: k}.Fit(context.Background(), x)
			if err != nil || math.Abs(one.Inertia-least) > 1e-10 {
				t.Fatalf("in one dimension: inertia %v, the least is %v (%v)", one.Inertia, least, err)
			}
		}
		km, err := KMeans{K: k}.Fit(context.Background(), x)
		if err != nil || km.Inertia < least-1e-10 {
			t.Fatalf("k-means found %v, less than the least, %v (%v)", km.Inertia, least, err)
		}
	})
}

func labelingCost(x *mat.Dense, labels []int, k int) (cost float64) {
	_, d := x.Dims()
	for z := range k {
		for j := range d {
			sum, m := 0.0, 0.0
			for i, l := range labels {
				if l == z {
					sum, m = sum+x.At(i, j), m+1
				}
			}
			for i, l := range labels {
				if l == z {
					e := x.At(i, j) - sum/m
					cost += e * e
				}
			}
		}
	}
	return cost
}

func TestOptimal1DAtSize(t *testing.T) {
	r := rng.New(4)
	x := mat.NewDense(5000, 1, nil)
	x.Apply(func(i, _ int, _ float64) float64 { return float64(i%7)*10 + r.NormFloat64() }, x)
	best, err := Optimal1D{K: 7}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	m, err := KMeans{K: 7}.Fit(t.Context(), x)
	if err != nil || m.Inertia < best.Inertia*(1-1e-12) || m.Inertia > best.Inertia*(1+1e-9) {
		t.Errorf("k-means %v, the optimum %v (%v)", m.Inertia, best.Inertia, err)
	}
	if !slices.IsSorted(mat.Col(nil, 0, best.Centers)) {
		t.Error("clusters are not numbered from least to greatest")
	}
	if _, err := (Optimal1D{K: 2}).Fit(t.Context(), mat.NewDense(3, 2, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("two columns: %v", err)
	}
	if _, err := (Optimal{K: 2}).Fit(t.Context(), x); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("5000 rows: %v", err)
	}
}

func TestMiniBatchComesClose(t *testing.T) {
	x := datasets.Digits().X
	full, err := KMeans{K: 10}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(5) {
		m, err := MiniBatchKMeans{K: 10, Batch: 256, Seed: seed}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if m.Inertia < full.Inertia*(1-1e-9) || m.Inertia > full.Inertia*1.06 {
			t.Errorf("seed %d: inertia %v, k-means has %v", seed, m.Inertia, full.Inertia)
		}
		if j := distortion(x, m); math.Abs(j-m.Inertia) > 1e-10*j {
			t.Errorf("inertia %v, the distortion is %v", m.Inertia, j)
		}
		again, err := MiniBatchKMeans{K: 10, Batch: 256, Seed: seed}.Fit(t.Context(), x)
		if err != nil || again.Inertia != m.Inertia {
			t.Error("the same seed gives another model")
		}
	}
	if _, err := (MiniBatchKMeans{K: 3, Batch: -1}).Fit(t.Context(), x); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("%v", err)
	}
}

// At a million rows every stage takes longer than a reader would wait: data are prepared, centers
// drawn, points assigned, means taken.
func TestCancellationAtSize(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second and 100 MB")
	}
	x := datasets.Blobs(1_000_000, 6, 40, 1, 1).X
	for _, method := range []interface {
		Fit(context.Context, mat.Matrix) (*KMeansModel, error)
	}{KMeans{K: 60}, MiniBatchKMeans{K: 60}} {
		for _, wait := range []time.Duration{5 * time.Millisecond, 60 * time.Millisecond, 400 * time.Millisecond} {
			mltest.Prompt(t, fmt.Sprintf("%T after %v", method, wait), wait, func(ctx context.Context) error { return mltest.Err(method.Fit(ctx, x)) })
		}
	}
}

// What no float64 can hold is an error, and never a model with an infinite distortion.
func TestScalesOverTheRange(t *testing.T) {
	x := mat.NewDense(6, 1, []float64{-math.MaxFloat64, math.MaxFloat64, 1, 2, 3, 4})
	for _, method := range []interface {
		Fit(context.Context, mat.Matrix) (*KMeansModel, error)
	}{KMeans{K: 2}, MiniBatchKMeans{K: 2}, Optimal{K: 2}, Optimal1D{K: 2}} {
		if m, err := method.Fit(t.Context(), x); m != nil || !errors.Is(err, ml.ErrParameter) {
			t.Errorf("%T: %v, %v", method, m, err)
		}
	}
	want, err := KMeans{K: 3}.Fit(t.Context(), datasets.Iris().X)
	if err != nil {
		t.Fatal(err)
	}
	for _, scale := range []float64{1e150, 1e-150, 1e-300} {
		y := mat.DenseCopyOf(datasets.Iris().X)
		y.Scale(scale, y)
		m, err := KMeans{K: 3}.Fit(t.Context(), y)
		if err != nil || !slices.Equal(m.Labels, want.Labels) {
			t.Errorf("in units of %g: another partition (%v)", scale, err)
		}
	}
}

func TestTransformIsDistance(t *testing.T) {
	m := &KMeansModel{Centers: mat.NewDense(2, 2, []float64{0, 0, 3e200, 4e200})}
	d, err := m.Transform(mat.NewDense(2, 2, []float64{3, 4, 0, 0}))
	if err != nil || d.At(0, 0) != 5 || math.Abs(d.At(1, 1)-5e200) > 1e186 {
		t.Errorf("%v %v", mat.Formatted(d), err)
	}
}

func FuzzKMeans(f *testing.F) {
	f.Add([]byte{1, 2, 3, 200}, uint8(1), uint8(2))
	f.Fuzz(func(t *testing.T, bytes []byte, d, k uint8) {
		n := 0
		if d > 0 {
			n = len(bytes) / int(d)
		}
		if n == 0 || n > 100 {
			return
		}
		x := mat.NewDense(n, int(d), nil)
		for i := range n * int(d) {
			x.Set(i/int(d), i%int(d), math.Ldexp(float64(int8(bytes[i])), int(bytes[(i+1)%len(bytes)])%40-20))
		}
		m, err := KMeans{K: int(k), Restarts: 2}.Fit(t.Context(), x)
		if (err == nil) != (int(k) >= 1 && int(k) <= n) {
			t.Fatalf("n = %d, K = %d: %v", n, k, err)
		}
		if err == nil && (math.IsNaN(m.Inertia) || m.Inertia < 0 || len(m.Labels) != n) {
			t.Fatalf("%+v", m)
		}
	})
}

func BenchmarkKMeans(b *testing.B) {
	x := datasets.Blobs(100000, 50, 50, 2, 1).X
	for b.Loop() {
		if _, err := (KMeans{K: 50, Restarts: 1, MaxIter: 100}).Fit(b.Context(), x); err != nil {
			b.Fatal(err)
		}
	}
}

// A model saved by format 1 stays in testdata and must load for ever.
func TestSaveAndLoad(t *testing.T) {
	m, err := KMeans{K: 3}.Fit(t.Context(), datasets.Iris().X)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.zip")
	if err := ml.Save(path, m); err != nil {
		t.Fatal(err)
	}
	got, err := ml.Load[KMeansModel](path)
	if err != nil || !reflect.DeepEqual(got, m) {
		t.Errorf("%+v, %v", got, err)
	}
	old, err := ml.Load[KMeansModel]("testdata/iris3-format1.zip")
	if err != nil {
		t.Fatal(err)
	}
	labels, err := old.Predict(datasets.Iris().X)
	if err != nil || !slices.Equal(labels, old.Labels) || math.Abs(old.Inertia-78.8514) > 1e-4 {
		t.Errorf("the model of format 1: inertia %v, %v", old.Inertia, err)
	}
}
