package cluster

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	dist "github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// Kaufman & Rousseeuw's (1990) countries: gross national product a head, percentage of people in
// agriculture.
var agriculture = mat.NewDense(12, 2, []float64{16.8, 2.7, 21.3, 5.7, 18.7, 3.5, 5.9, 22.2, 11.4, 10.9, 17.8, 6.0, 10.9, 14.0, 16.6, 8.5, 21.0, 3.5, 16.4, 4.3, 7.8, 17.4, 14.0, 2.3})

// R's package cluster prints a divisive coefficient of 0.8711062 for these data: the mean of
// 1 − h/H, where h is the height at which a country is split off to be alone.
func TestDianaOfAgriculture(t *testing.T) {
	tree, err := Diana{}.Fit(t.Context(), agriculture)
	if err != nil {
		t.Fatal(err)
	}
	n, coefficient := tree.Leaves(), 0.0
	for i, h := range tree.Heights {
		for _, child := range []int{tree.Left[i], tree.Right[i]} {
			if child < n {
				coefficient += (1 - h/tree.Heights[n-2]) / float64(n)
			}
		}
	}
	if math.Abs(coefficient-0.8711062) > 5e-8 {
		t.Errorf("divisive coefficient %.7f, R has 0.8711062", coefficient)
	}
	labels, err := tree.CutCount(2)
	if err != nil || !samePartition(labels, []int{0, 0, 0, 1, 1, 0, 1, 0, 0, 0, 1, 0}) {
		t.Errorf("%v, %v: Greece, Spain, Ireland and Portugal leave first", labels, err)
	}
}

// A plain Python program of the same book's steps made the file: testdata/hierarchical.py.
func TestDianaEqualsThePlainOne(t *testing.T) {
	refs, data := references(t)
	for name, set := range refs {
		want, ok := set["diana"]
		if !ok || name == "grid" { // full of ties
			continue
		}
		tree, err := Diana{}.Fit(t.Context(), data[name])
		if err != nil {
			t.Fatal(err)
		}
		if gap := mltest.Gap(tree.Heights, want.Heights); gap > 1e-9 {
			t.Errorf("%s: heights differ by %v", name, gap)
		}
		left := make([]int, tree.Leaves())
		for _, i := range want.First {
			left[i] = 1
		}
		if got, err := tree.CutCount(2); err != nil || !samePartition(got, left) {
			t.Errorf("%s: another first split, %v", name, err)
		}
	}
}

// On any data a split of DIANA is at the diameter, and no row would rather be on the other side
// than those that left in their turn: those that stay are not nearer to those that left; from
// distances, the tree is the same.
func TestDianaSplits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawn(t)
		d, err := dist.Pairwise(context.Background(), x, nil)
		if err != nil {
			t.Fatal(err)
		}
		tree, err := Diana{}.Fit(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		n := tree.Leaves()
		mean := func(i int, of []int) (sum float64) {
			others := 0
			for _, j := range of {
				if j != i {
					sum += d.At(i, j)
					others++
				}
			}
			return sum / float64(max(others, 1))
		}
		for i, h := range tree.Heights {
			whole, err := tree.Members(n + i)
			if err != nil {
				t.Fatal(err)
			}
			diameter := 0.0
			for _, a := range whole {
				for _, b := range whole {
					diameter = max(diameter, d.At(a, b))
				}
			}
			if math.Abs(h-diameter) > 1e-12*diameter {
				t.Fatalf("split %d stands at %v, the diameter is %v", i, h, diameter)
			}
			settled := false // for one of the sides taken as those that stay
			for _, sides := range [][2]int{{tree.Left[i], tree.Right[i]}, {tree.Right[i], tree.Left[i]}} {
				stay, _ := tree.Members(sides[0])
				left, _ := tree.Members(sides[1])
				settled = settled || len(stay) == 1 || !slices.ContainsFunc(stay, func(a int) bool { return mean(a, stay)-mean(a, left) > 1e-9*diameter })
			}
			if !settled {
				t.Fatalf("split %d: a row that stays is nearer to those that left", i)
			}
		}
		again, err := Diana{Metric: dist.Precomputed{}}.Fit(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		if gap := mltest.Gap(again.Heights, tree.Heights); gap > 1e-9 {
			t.Fatalf("from distances the heights differ by %v", gap)
		}
	})
}

// A split stands at (2J)^½ of what it splits; both parts are what 2-means gives, so that no row is
// nearer to the other part's mean.
func TestBisectingKMeansSplits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawn(t)
		tree, err := BisectingKMeans{Restarts: 2, Seed: 3}.Fit(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		n := tree.Leaves()
		squares := func(rows []int) (mean []float64, j float64) {
			mean = meanOf(x, rows)
			for _, i := range rows {
				j += dist.SqEuclidean{}.Distance(mean, x.RawRowView(i))
			}
			return mean, j
		}
		for i, h := range tree.Heights {
			whole, err := tree.Members(n + i)
			if err != nil {
				t.Fatal(err)
			}
			if _, j := squares(whole); math.Abs(h*h-2*j) > 1e-9*j+1e-24 {
				t.Fatalf("split %d stands at %v, (2J)^½ is %v", i, h, math.Sqrt(2*j))
			}
			left, _ := tree.Members(tree.Left[i])
			right, _ := tree.Members(tree.Right[i])
			ml, _ := squares(left)
			mr, _ := squares(right)
			for _, row := range left {
				if own, other := (dist.Euclidean{}).Distance(x.RawRowView(row), ml), (dist.Euclidean{}).Distance(x.RawRowView(row), mr); own > other+1e-9*(1+h) {
					t.Fatalf("split %d: row %d is %v from its mean and %v from the other", i, row, own, other)
				}
			}
		}
	})
}

// The first split is the best 2-means, and cutting into k gives the clusters of greatest distortion
// split first.
func TestBisectingKMeansOnIris(t *testing.T) {
	x := datasets.Iris().X
	tree, err := BisectingKMeans{}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	two, err := KMeans{K: 2}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	labels, err := tree.CutCount(2)
	if err != nil || !samePartition(labels, two.Labels) {
		t.Errorf("the first split is not that of 2-means, %v", err)
	}
	// By hand: split the worse of the two.
	worst, rows := 0.0, []int(nil)
	for c := range 2 {
		var members []int
		for i, z := range two.Labels {
			if z == c {
				members = append(members, i)
			}
		}
		j := 0.0
		mean := meanOf(x, members)
		for _, i := range members {
			j += dist.SqEuclidean{}.Distance(mean, x.RawRowView(i))
		}
		if j > worst {
			worst, rows = j, members
		}
	}
	part := mat.NewDense(len(rows), 4, nil)
	for k, i := range rows {
		part.SetRow(k, x.RawRowView(i))
	}
	halves, err := KMeans{K: 2}.Fit(t.Context(), part)
	if err != nil {
		t.Fatal(err)
	}
	want := slices.Clone(two.Labels)
	for k, i := range rows {
		want[i] = 2 + halves.Labels[k]
	}
	labels, err = tree.CutCount(3)
	if err != nil || !samePartition(labels, want) {
		t.Errorf("three clusters are not the worse of two halved, %v", err)
	}
}

func BenchmarkDivisive(b *testing.B) {
	r := rng.New(1)
	x := mat.NewDense(1000, 5, nil)
	x.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, x)
	b.Run("diana", func(b *testing.B) {
		for b.Loop() {
			if _, err := (Diana{}).Fit(b.Context(), x); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bisecting", func(b *testing.B) {
		for b.Loop() {
			if _, err := (BisectingKMeans{}).Fit(b.Context(), x); err != nil {
				b.Fatal(err)
			}
		}
	})
}
