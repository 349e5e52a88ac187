package evaluate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func TestEqualsScikitLearn(t *testing.T) {
	cases := mltest.ReadJSON[[]struct {
		Data                                               string
		Labels, Truth                                      []int
		ARI, AMI, NMI, H, C, V, Purity, Silhouette, CH, DB float64
		Samples                                            []float64
	}](t, "reference.json")
	data := map[string]*mat.Dense{"iris": datasets.Iris().X, "wine": datasets.Wine().X}
	for i, c := range cases {
		x := data[c.Data]
		h, co, v := VMeasure(c.Labels, c.Truth)
		s, err1 := Silhouette(t.Context(), x, c.Labels)
		ch, err2 := CalinskiHarabasz(x, c.Labels)
		db, err3 := DaviesBouldin(x, c.Labels)
		samples, err4 := SilhouetteSamples(t.Context(), x, c.Labels)
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		for name, p := range map[string][2]float64{
			"ARI": {ARI(c.Labels, c.Truth), c.ARI}, "AMI": {AMI(c.Labels, c.Truth), c.AMI}, "NMI": {NMI(c.Labels, c.Truth), c.NMI}, "homogeneity": {h, c.H}, "completeness": {co, c.C}, "V": {v, c.V},
			"purity": {Purity(c.Labels, c.Truth), c.Purity}, "silhouette": {s, c.Silhouette}, "Calinski-Harabasz": {ch, c.CH}, "Davies-Bouldin": {db, c.DB},
		} {
			if math.Abs(p[0]-p[1]) > 1e-12*max(1, math.Abs(p[1])) {
				t.Errorf("case %d, %s: %.15g, scikit-learn's is %.15g", i, name, p[0], p[1])
			}
		}
		for j := range samples {
			if math.Abs(samples[j]-c.Samples[j]) > 1e-12 {
				t.Fatalf("case %d: the silhouette of point %d is %v, scikit-learn's %v", i, j, samples[j], c.Samples[j])
			}
		}
	}
}

// Many points: with i = numpy.arange(200000) scikit-learn's adjusted_mutual_info_score(i*i//7%13,
// (i//3+i*i%5)%9) is the first number.
func TestIndicesOfManyPoints(t *testing.T) {
	const n = 200_000
	truth, unlike, like, single, pairs := make([]int, n), make([]int, n), make([]int, n), make([]int, n), make([]int, n)
	for i := range n {
		truth[i] = i * i / 7 % 13
		unlike[i] = (i/3 + i*i%5) % 9
		like[i] = (truth[i] + i/40000) % 11
		single[i], pairs[i] = i, -i/2
	}
	for name, c := range map[string]struct{ got, want float64 }{
		"AMI of what is unlike":          {AMI(unlike, truth), -0.00010248824353062644},
		"AMI of what is like":            {AMI(like, truth), 0.3182304718286414},
		"ARI":                            {ARI(like, truth), 0.11528019566614452},
		"AMI of points by themselves":    {AMI(single, pairs), 0}, // a table of 4·10¹⁰ counts, of which 200,000 are not 0
		"purity of points by themselves": {Purity(single, pairs), 1},
	} {
		if math.Abs(c.got-c.want) > 1e-9 {
			t.Errorf("%s: %.15g, want %.15g", name, c.got, c.want)
		}
	}
	if _, err := Contingency(single, pairs); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a table of 4·10¹⁰ counts: %v", err)
	}
}

// The mean of a cell over a hypergeometric distribution is the sum over all that can happen, with
// probabilities from logarithms of factorials.
func TestExpectedCell(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 60).Draw(t, "n")
		a, b := rapid.IntRange(1, n).Draw(t, "a"), rapid.IntRange(1, n).Draw(t, "b")
		choose := func(n, k int) float64 {
			x, _ := math.Lgamma(float64(n + 1))
			y, _ := math.Lgamma(float64(k + 1))
			z, _ := math.Lgamma(float64(n - k + 1))
			return x - y - z
		}
		want := 0.0
		for c := max(1, a+b-n); c <= min(a, b); c++ {
			p := math.Exp(choose(a, c) + choose(n-a, b-c) - choose(n, b))
			want += float64(c) / float64(n) * math.Log(float64(n*c)/float64(a*b)) * p
		}
		if got := expectedCell(float64(a), float64(b), float64(n)); math.Abs(got-want) > 1e-12 {
			t.Fatalf("n = %d, a = %d, b = %d: %v, want %v", n, a, b, got, want)
		}
	})
}

func TestIndicesDoNotDependOnNamesOrOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "n")
		a := rapid.SliceOfN(rapid.IntRange(0, 4), n, n).Draw(t, "a")
		b := rapid.SliceOfN(rapid.IntRange(0, 4), n, n).Draw(t, "b")
		renamed, rev, rev2 := make([]int, n), make([]int, n), make([]int, n)
		for i := range a {
			renamed[i] = 1_000_000_007 * (4 - a[i])
			rev[i], rev2[i] = a[n-1-i], b[n-1-i]
		}
		for name, f := range map[string]func(x, y []int) float64{"ARI": ARI, "AMI": AMI, "NMI": NMI, "purity": Purity} {
			v := f(a, b)
			if math.IsNaN(v) || v > 1+1e-12 {
				t.Fatalf("%s is %v", name, v)
			}
			for other, w := range map[string]float64{"renamed": f(renamed, b), "reversed": f(rev, rev2)} {
				if math.Abs(v-w) > 1e-12 {
					t.Fatalf("%s: %v, %s %v", name, v, other, w)
				}
			}
			if self := f(a, a); math.Abs(self-1) > 1e-12 {
				t.Fatalf("%s of a labeling with itself is %v", name, self)
			}
			if name != "purity" && math.Abs(v-f(b, a)) > 1e-12 {
				t.Fatalf("%s is not symmetric", name)
			}
		}
	})
}

func TestIndicesDoNotDependOnTheUnit(t *testing.T) {
	iris := datasets.Iris()
	indices := func(scale float64) [3]float64 {
		x := mat.DenseCopyOf(iris.X)
		x.Scale(scale, x)
		s, e1 := Silhouette(t.Context(), x, iris.Y)
		ch, e2 := CalinskiHarabasz(x, iris.Y)
		db, e3 := DaviesBouldin(x, iris.Y)
		if err := errors.Join(e1, e2, e3); err != nil {
			t.Fatal(err)
		}
		return [3]float64{s, ch, db}
	}
	want := indices(1)
	for _, scale := range []float64{1e150, 1e-150, 1e300, 1e-300} {
		for i, got := range indices(scale) {
			if math.Abs(got-want[i]) > 1e-11*want[i] {
				t.Errorf("in units of %g, index %d is %v and not %v", scale, i, got, want[i])
			}
		}
	}
}

// Two pairs, 2 apart each: both means lie 1 from their points.
func TestDistortion(t *testing.T) {
	x := mat.NewDense(4, 1, []float64{0, 2, 10, 12})
	if j, err := Distortion(x, []int{7, 7, 3, 3}); err != nil || j != 4 {
		t.Errorf("%v, %v; want 4", j, err)
	}
	if _, err := Distortion(x, []int{1}); !errors.Is(err, ml.ErrShape) {
		t.Errorf("%v", err)
	}
	if _, err := Distortion(mat.NewDense(2, 1, []float64{1e300, -1e300}), []int{0, 0}); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("%v", err)
	}
}

func TestBadInput(t *testing.T) {
	x := mat.NewDense(4, 1, []float64{1, 2, 3, 4})
	for name, c := range map[string]struct {
		x      mat.Matrix
		labels []int
		kind   error
	}{
		"length": {x, []int{0, 1}, ml.ErrShape}, "one cluster": {x, []int{0, 0, 0, 0}, ml.ErrParameter}, "n clusters": {x, []int{0, 1, 2, 3}, ml.ErrParameter},
		"NaN": {mat.NewDense(2, 1, []float64{1, math.NaN()}), []int{0, 1}, ml.ErrNotFinite}, "empty": {&mat.Dense{}, nil, ml.ErrEmpty},
	} {
		_, e1 := Silhouette(t.Context(), c.x, c.labels)
		_, e2 := CalinskiHarabasz(c.x, c.labels)
		_, e3 := DaviesBouldin(c.x, c.labels)
		for _, err := range []error{e1, e2, e3} {
			if !errors.Is(err, c.kind) {
				t.Errorf("%s: %v, want %v", name, err, c.kind)
			}
		}
	}
	if _, err := Contingency([]int{1}, nil); !errors.Is(err, ml.ErrShape) {
		t.Errorf("%v", err)
	}
	if !math.IsNaN(ARI([]int{1}, nil)) || !math.IsNaN(NMI(nil, nil)) || !math.IsNaN(Purity(nil, []int{2})) {
		t.Error("labelings of different length have an index")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Silhouette(ctx, x, []int{0, 0, 1, 1}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func ExampleARI() {
	truth := []int{0, 0, 0, 1, 1, 1}
	fmt.Println(ARI([]int{5, 5, 5, 2, 2, 2}, truth)) // other names, the same partition
	fmt.Printf("%.4f\n", ARI([]int{0, 0, 1, 1, 2, 2}, truth))
	// Output:
	// 1
	// 0.2424
}
