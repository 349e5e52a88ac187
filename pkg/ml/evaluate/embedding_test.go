package evaluate

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// The measures are scikit-learn's and SciPy's: testdata/embedding.py made the file.
func TestEmbeddingMeasuresEqualPeers(t *testing.T) {
	cases := mltest.ReadJSON[[]struct {
		Data, Map         string
		Y                 [][]float64
		Pearson, Spearman float64
		Trust, Continuity map[string]float64
	}](t, "embedding.json")
	for _, c := range cases {
		x := mat.DenseCopyOf(map[string]*mat.Dense{"iris": datasets.Iris().X, "wine": datasets.Wine().X}[c.Data])
		n, d := x.Dims()
		x.Apply(func(i, j int, v float64) float64 { return v + 1e-4*math.Sin(float64(d*i+j)) }, x)
		y := mat.NewDense(n, 2, nil)
		for i := range n {
			switch c.Map {
			case "columns":
				y.SetRow(i, x.RawRowView(i)[:2])
			case "product":
				y.SetRow(i, []float64{x.At(i, 0) * x.At(i, 1), x.At(i, 2)})
			default:
				y.SetRow(i, c.Y[i])
			}
		}
		check := func(what string, want float64, f func() (float64, error)) {
			got, err := f()
			if err != nil {
				t.Fatal(err)
			}
			if math.Abs(got-want) > 1e-9 {
				t.Errorf("%s, %s: %s is %.12g, want %.12g", c.Data, c.Map, what, got, want)
			}
		}
		for text, want := range c.Trust {
			k, _ := strconv.Atoi(text)
			check("trustworthiness@"+text, want, func() (float64, error) { return Trustworthiness(t.Context(), x, y, k) })
			check("continuity@"+text, c.Continuity[text], func() (float64, error) { return Continuity(t.Context(), x, y, k) })
		}
		check("Pearson", c.Pearson, func() (float64, error) { return DistanceCorrelation(t.Context(), x, y, 0, 1) })
		check("Spearman", c.Spearman, func() (float64, error) { return DistanceRankCorrelation(t.Context(), x, y, 0, 1) })
	}
}

// A map that is the data, turned, moved and in another unit, is perfect by every measure; so it is
// in any order of the rows.
func TestPerfectMaps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(5, 60).Draw(t, "n")
		x := mltest.Normal(rapid.Uint64().Draw(t, "seed"), n, 2)
		s, c := math.Sincos(rapid.Float64Range(0, 6).Draw(t, "angle"))
		unit := math.Pow(10, rapid.Float64Range(-160, 160).Draw(t, "unit"))
		var y mat.Dense
		y.Mul(x, mat.NewDense(2, 2, []float64{c, s, -s, c}))
		y.Scale(unit, &y)
		k := rapid.IntRange(1, (n-1)/2).Draw(t, "k")
		ctx := context.Background()
		for name, f := range map[string]func() (float64, error){
			"trustworthiness": func() (float64, error) { return Trustworthiness(ctx, x, &y, k) },
			"continuity":      func() (float64, error) { return Continuity(ctx, x, &y, k) },
			"recall":          func() (float64, error) { return NeighborhoodRecall(ctx, x, &y, k) },
			"triplets":        func() (float64, error) { return RandomTriplets(ctx, x, &y, 0, 1) },
			"Pearson":         func() (float64, error) { return DistanceCorrelation(ctx, x, &y, 0, 1) },
			"Spearman":        func() (float64, error) { return DistanceRankCorrelation(ctx, x, &y, 0, 1) },
			"Pearson of some": func() (float64, error) { return DistanceCorrelation(ctx, x, &y, 5, 1) },
		} {
			if v, err := f(); err != nil || v < 1-1e-12 {
				t.Fatalf("%s of a perfect map is %v, %v", name, v, err)
			}
		}
	})
}

// Trustworthiness as it is written down, and recall by sets.
func TestTrustworthinessIsItsFormula(t *testing.T) {
	x, y := mltest.Normal(1, 41, 5), mltest.Normal(2, 41, 2)
	order := func(m *mat.Dense, i int) []int {
		var out []int
		for j := range 41 {
			if j != i {
				out = append(out, j)
			}
		}
		slices.SortFunc(out, func(a, b int) int { return nearer(m, i, a, b) })
		return out
	}
	for _, k := range []int{1, 3, 20} {
		sum, kept := 0.0, 0
		for i := range 41 {
			inX, inY := order(x, i), order(y, i)
			for _, j := range inY[:k] {
				if r := slices.Index(inX, j) + 1; r > k {
					sum += float64(r - k)
				} else {
					kept++
				}
			}
		}
		want := 1 - 2*sum/(41*float64(k)*float64(82-3*k-1))
		if got, err := Trustworthiness(t.Context(), x, y, k); err != nil || math.Abs(got-want) > 1e-12 {
			t.Errorf("k = %d: %v, want %v (%v)", k, got, want, err)
		}
		if got, err := NeighborhoodRecall(t.Context(), x, y, k); err != nil || got != float64(kept)/float64(41*k) {
			t.Errorf("k = %d: recall %v, want %v (%v)", k, got, float64(kept)/float64(41*k), err)
		}
	}
}

// A map that has nothing to do with the data keeps half of the triplets, and its distances have no
// correlation with those of the data.
func TestChanceMaps(t *testing.T) {
	x, y := mltest.Normal(3, 2000, 4), mltest.Normal(4, 2000, 2)
	v, err := RandomTriplets(t.Context(), x, y, 10, 7)
	if err != nil || math.Abs(v-0.5) > 0.015 { // over four standard errors of 20,000 coins
		t.Errorf("triplets: %v, %v", v, err)
	}
	if again, _ := RandomTriplets(t.Context(), x, y, 10, 7); again != v {
		t.Error("another answer for the same seed")
	}
	if c, err := DistanceCorrelation(t.Context(), x, y, 20000, 1); err != nil || math.Abs(c) > 0.06 {
		t.Errorf("correlation: %v, %v", c, err)
	}
	// Sampled pairs agree with all of them.
	z := mat.NewDense(2000, 2, nil)
	for i := range 2000 {
		z.SetRow(i, []float64{x.At(i, 0), x.At(i, 1) / 2})
	}
	all, err := DistanceRankCorrelation(t.Context(), x, z, 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	if some, err := DistanceRankCorrelation(t.Context(), x, z, 50000, 1); err != nil || math.Abs(some-all) > 0.02 {
		t.Errorf("%v of 50,000 pairs, %v of all (%v)", some, all, err)
	}
}

func TestEmbeddingBadInput(t *testing.T) {
	x, y := mltest.Normal(1, 10, 3), mltest.Normal(2, 10, 2)
	second := func(_ float64, err error) error { return err }
	nan := mltest.Normal(2, 10, 2)
	nan.Set(3, 1, math.NaN())
	for name, c := range map[string]struct{ err, kind error }{
		"k = 0":          {second(Trustworthiness(t.Context(), x, y, 0)), ml.ErrParameter},
		"k = n/2":        {second(Continuity(t.Context(), x, y, 5)), ml.ErrParameter},
		"recall k = n":   {second(NeighborhoodRecall(t.Context(), x, y, 10)), ml.ErrParameter},
		"rows":           {second(Trustworthiness(t.Context(), x, mltest.Normal(1, 9, 2), 2)), ml.ErrShape},
		"NaN":            {second(RandomTriplets(t.Context(), x, nan, 0, 1)), ml.ErrNotFinite},
		"nil":            {second(DistanceCorrelation(t.Context(), nil, y, 0, 1)), ml.ErrEmpty},
		"two rows":       {second(DistanceCorrelation(t.Context(), mltest.Normal(1, 2, 2), mltest.Normal(1, 2, 2), 0, 1)), ml.ErrParameter},
		"negative pairs": {second(DistanceRankCorrelation(t.Context(), x, y, -1, 1)), ml.ErrParameter},
		"triplets":       {second(RandomTriplets(t.Context(), mltest.Normal(1, 2, 2), mltest.Normal(1, 2, 2), 0, 1)), ml.ErrParameter},
	} {
		if !errors.Is(c.err, c.kind) {
			t.Errorf("%s: %v", name, c.err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Trustworthiness(ctx, x, y, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	same := mat.NewDense(10, 2, nil)
	if v, err := DistanceCorrelation(t.Context(), x, same, 0, 1); err != nil || v != 0 {
		t.Errorf("a map of one point: %v, %v", v, err)
	}
}

func ExampleTrustworthiness() {
	iris := datasets.Iris().X
	trust, err := Trustworthiness(context.Background(), iris, iris.Slice(0, 150, 2, 4), 10) // the petals alone as a map
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%.3f\n", trust)
	// Output: 0.938
}
