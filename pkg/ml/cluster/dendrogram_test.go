package cluster

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	dist "github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// five is a tree to be read by hand: 0 and 1 at 1, 3 and 4 at 2, these two at 5, and 2 with all at
// 7.
func five() *Tree {
	return &Tree{Left: []int{0, 3, 5, 7}, Right: []int{1, 4, 6, 2}, Heights: []float64{1, 2, 5, 7}, Sizes: []int{2, 2, 4, 5}}
}

func TestTreeByHand(t *testing.T) {
	tree := five()
	if got := tree.Order(); !slices.Equal(got, []int{0, 1, 3, 4, 2}) {
		t.Errorf("order %v", got)
	}
	for node, want := range map[int][]int{2: {2}, 5: {0, 1}, 6: {3, 4}, 7: {0, 1, 3, 4}, 8: {0, 1, 3, 4, 2}} {
		if got, err := tree.Members(node); err != nil || !slices.Equal(got, want) {
			t.Errorf("members of %d: %v, %v, want %v", node, got, err, want)
		}
	}
	for k, want := range map[int][]int{1: {0, 0, 0, 0, 0}, 2: {0, 0, 1, 0, 0}, 3: {0, 0, 2, 1, 1}, 4: {0, 0, 3, 1, 2}, 5: {0, 1, 4, 2, 3}} {
		if got, err := tree.CutCount(k); err != nil || !slices.Equal(got, want) {
			t.Errorf("cut into %d: %v, %v, want %v", k, got, err, want)
		}
	}
	for height, k := range map[float64]int{math.Inf(-1): 5, -1: 5, 0: 5, 0.99: 5, 1: 4, 4.9: 3, 5: 2, 6.9: 2, 7: 1, math.Inf(1): 1} {
		want, _ := tree.CutCount(k)
		if got, err := tree.Cut(height); err != nil || !slices.Equal(got, want) {
			t.Errorf("cut at %v: %v, %v, want %v", height, got, err, want)
		}
	}
	c, err := tree.Cophenetic()
	if err != nil {
		t.Fatal(err)
	}
	if want := mat.NewSymDense(5, []float64{0, 1, 7, 5, 5, 1, 0, 7, 5, 5, 7, 7, 0, 7, 7, 5, 5, 7, 0, 2, 5, 5, 7, 2, 0}); !mat.Equal(c, want) {
		t.Errorf("cophenetic distances\n%v", mat.Formatted(c))
	}
	if r, err := tree.CopheneticCorrelation(c); err != nil || math.Abs(r-1) > 1e-15 {
		t.Errorf("a tree correlates with itself by %v, %v", r, err)
	}
	// With an inversion: node 4 lies above node 5, which builds on it.
	inverted := &Tree{Left: []int{0, 2, 5}, Right: []int{1, 4, 3}, Heights: []float64{3, 2, 9}, Sizes: []int{2, 3, 4}}
	if got := inverted.Inversions(); got != 1 {
		t.Errorf("%d inversions, want 1", got)
	}
	if got, err := inverted.Cut(2.5); err != nil || !slices.Equal(got, []int{1, 2, 0, 3}) {
		t.Errorf("a cut between an inverted merge and what it builds on: %v, %v, want every row alone", got, err)
	}
	if got, err := inverted.CutCount(2); err != nil || !slices.Equal(got, []int{0, 0, 0, 1}) {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := inverted.CutHeight(3); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("no height separates an inverted merge: %v", err)
	}
}

func TestTreeBadInput(t *testing.T) {
	tree, ctx := five(), t.Context()
	d := mat.NewSymDense(5, nil)
	odd := mat.NewSymDense(5, nil)
	odd.SetSym(1, 3, math.NaN())
	broken := &Tree{Left: []int{0, 0}, Right: []int{1, 2}, Heights: []float64{1, 2}, Sizes: []int{2, 3}}
	short := &Tree{Left: []int{0}, Right: []int{1}, Heights: []float64{1, 2}, Sizes: []int{2, 3}}
	for name, c := range map[string]struct {
		err  func() error
		want error
	}{
		"cut at NaN":        {func() error { _, err := tree.Cut(math.NaN()); return err }, ml.ErrParameter},
		"cut into 0":        {func() error { _, err := tree.CutCount(0); return err }, ml.ErrParameter},
		"cut into 6":        {func() error { _, err := tree.CutCount(6); return err }, ml.ErrParameter},
		"height for 6":      {func() error { _, err := tree.CutHeight(6); return err }, ml.ErrParameter},
		"node 9":            {func() error { _, err := tree.Members(9); return err }, ml.ErrParameter},
		"no distances":      {func() error { _, err := tree.CopheneticCorrelation(nil); return err }, ml.ErrEmpty},
		"too few":           {func() error { _, err := tree.CopheneticCorrelation(mat.NewSymDense(4, nil)); return err }, ml.ErrShape},
		"all equal":         {func() error { _, err := tree.CopheneticCorrelation(d); return err }, ml.ErrParameter},
		"NaN":               {func() error { _, err := tree.CopheneticCorrelation(odd); return err }, ml.ErrNotFinite},
		"order by too few":  {func() error { _, err := tree.OptimalOrder(ctx, mat.NewSymDense(4, nil)); return err }, ml.ErrShape},
		"order by NaN":      {func() error { _, err := tree.OptimalOrder(ctx, odd); return err }, ml.ErrNotFinite},
		"order by nil":      {func() error { _, err := tree.OptimalOrder(ctx, nil); return err }, ml.ErrEmpty},
		"a node used twice": {func() error { _, err := broken.Cophenetic(); return err }, ml.ErrParameter},
		"lengths differ":    {func() error { _, err := short.Cophenetic(); return err }, ml.ErrShape},
	} {
		if err := c.err(); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want an error that wraps %q", name, err, c.want)
		}
	}
	level := &Tree{Left: []int{0, 3}, Right: []int{1, 2}, Heights: []float64{2, 2}, Sizes: []int{2, 3}}
	if _, err := level.CopheneticCorrelation(mat.NewSymDense(3, []float64{0, 1, 2, 1, 0, 3, 2, 3, 0})); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("equal heights: %v", err)
	}
	if _, err := level.CutHeight(2); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("no height separates equal merges: %v", err)
	}
}

// On any data: a cut has as many clusters as was asked, cuts nest, a height that CutHeight gives
// cuts so, and the numbers run from left to right.
func TestCuts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawn(t)
		l := rapid.SampledFrom(linkages).Draw(t, "linkage")
		tree, err := Agglomerative{Linkage: l}.Fit(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		n := tree.Leaves()
		var finer []int
		for k := n; k >= 1; k-- {
			labels, err := tree.CutCount(k)
			if err != nil {
				t.Fatal(err)
			}
			next := 0
			for _, row := range tree.Order() {
				if labels[row] > next || labels[row] < 0 {
					t.Fatalf("%d clusters: the number %d comes before %d", k, labels[row], next)
				}
				if labels[row] == next {
					next++
				}
			}
			if next != k {
				t.Fatalf("cut into %d: %d clusters", k, next)
			}
			whole := map[int]int{}
			for i, f := range finer {
				if c, ok := whole[f]; ok && c != labels[i] {
					t.Fatalf("cut into %d: a cluster of the finer cut is torn", k)
				}
				whole[f] = labels[i]
			}
			finer = labels
			height, err := tree.CutHeight(k)
			if err != nil {
				continue // equal heights, or an inversion
			}
			at, err := tree.Cut(height)
			if err != nil || !slices.Equal(at, labels) {
				t.Fatalf("%s, k = %d: the cut at %v is another, %v", l, k, height, err)
			}
		}
	})
}

// The cophenetic distance is an ultrametric where the tree has no inversion, single linkage gives
// the largest ultrametric below the distances, and the tree of an ultrametric is the tree it came
// from.
func TestCopheneticIsUltrametric(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := drawn(t)
		n, _ := x.Dims()
		d, err := dist.Pairwise(context.Background(), x, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, fit := range map[string]func(context.Context, mat.Matrix) (*Tree, error){
			"single": Agglomerative{Linkage: Single}.Fit, "complete": Agglomerative{Linkage: Complete}.Fit, "average": Agglomerative{}.Fit, "ward": Agglomerative{Linkage: Ward}.Fit,
			"DIANA": Diana{}.Fit, "bisecting": BisectingKMeans{Restarts: 1}.Fit,
		} {
			tree, err := fit(context.Background(), x)
			if err != nil {
				t.Fatal(err)
			}
			c, err := tree.Cophenetic()
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				for j := range n {
					for k := range n {
						if c.At(i, j) > max(c.At(i, k), c.At(k, j)) {
							t.Fatalf("%s: rows %d, %d, %d: %v, %v, %v is no ultrametric", name, i, j, k, c.At(i, j), c.At(i, k), c.At(k, j))
						}
					}
					if name == "single" && c.At(i, j) > d.At(i, j)*(1+1e-12) {
						t.Fatalf("single linkage joins rows %d and %d at %v, they are %v apart", i, j, c.At(i, j), d.At(i, j))
					}
					if (name == "complete" || name == "DIANA") && c.At(i, j) < d.At(i, j)*(1-1e-12) {
						t.Fatalf("%s joins rows %d and %d at %v, they are %v apart", name, i, j, c.At(i, j), d.At(i, j))
					}
				}
			}
			again, err := Agglomerative{Linkage: rapid.SampledFrom([]Linkage{Single, Complete, Average}).Draw(t, "of ultrametric"), Metric: dist.Precomputed{}}.Fit(context.Background(), c)
			if err != nil {
				t.Fatal(err)
			}
			if gap := mltest.Gap(again.Heights, tree.Heights); gap > 1e-12 {
				t.Fatalf("%s: the tree of the cophenetic distances has other heights, by %v", name, gap)
			}
		}
	})
}

// walk is the sum of distances between neighbors in an order.
func walk(d mat.Symmetric, order []int) (sum float64) {
	for i := 1; i < len(order); i++ {
		sum += d.At(order[i-1], order[i])
	}
	return sum
}

// orders lists all 2ⁿ⁻¹ orders of the rows that a node of a tree allows.
func orders(t *Tree, node int) [][]int {
	n := t.Leaves()
	if node < n {
		return [][]int{{node}}
	}
	var all [][]int
	for _, a := range orders(t, t.Left[node-n]) {
		for _, b := range orders(t, t.Right[node-n]) {
			all = append(all, slices.Concat(a, b), slices.Concat(b, a))
		}
	}
	return all
}

func TestOptimalOrderIsTheBestOfAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		n := rapid.IntRange(1, 10).Draw(t, "n")
		d := mat.NewSymDense(n, nil) // any distances: the tree need not be theirs
		for i := range n {
			for j := range i {
				d.SetSym(i, j, math.Abs(r.NormFloat64()))
			}
		}
		x := mat.NewDense(n, 2, nil)
		x.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, x)
		tree, err := Agglomerative{Linkage: rapid.SampledFrom(linkages).Draw(t, "linkage")}.Fit(context.Background(), x)
		if err != nil {
			t.Fatal(err)
		}
		best, err := tree.OptimalOrder(context.Background(), d)
		if err != nil {
			t.Fatal(err)
		}
		least := math.Inf(1)
		for _, o := range orders(tree, 2*n-2) {
			least = min(least, walk(d, o))
		}
		if got := walk(d, best.Order()); math.Abs(got-least) > 1e-12 {
			t.Fatalf("n = %d: the order costs %v, the best of all %v", n, got, least)
		}
		for i := range best.Left {
			if !(best.Left[i] == tree.Left[i] && best.Right[i] == tree.Right[i] || best.Left[i] == tree.Right[i] && best.Right[i] == tree.Left[i]) {
				t.Fatalf("merge %d joins other nodes", i)
			}
		}
		if !slices.Equal(best.Heights, tree.Heights) || !slices.Equal(best.Sizes, tree.Sizes) {
			t.Fatal("another tree")
		}
	})
}

// SciPy (1.17) computes the least cost and then returns an order that often costs more (its issue
// 11227): ours is never worse, on the same trees.
func TestOptimalOrderIsNoWorseThanSciPys(t *testing.T) {
	refs, data := references(t)
	better := 0
	for name, set := range refs {
		if name == "many" {
			continue
		}
		d, err := dist.Pairwise(t.Context(), data[name], nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range linkages {
			want := set[string(l)]
			tree := &Tree{Heights: want.Heights}
			n, size := tree.Leaves(), map[int]int{}
			rows := func(node int) int { return max(size[node], 1) }
			for i, nodes := range want.Linkage {
				tree.Left, tree.Right = append(tree.Left, nodes[0]), append(tree.Right, nodes[1])
				size[n+i] = rows(nodes[0]) + rows(nodes[1])
				tree.Sizes = append(tree.Sizes, size[n+i])
			}
			best, err := tree.OptimalOrder(t.Context(), d)
			if err != nil {
				t.Fatal(err)
			}
			got := walk(d, best.Order())
			if got > want.Neighbors*(1+1e-12) || got > walk(d, tree.Order()) {
				t.Errorf("%s, %s: neighbors of the best order are %.12g apart in all, SciPy's %.12g, unordered %.12g", name, l, got, want.Neighbors, walk(d, tree.Order()))
			}
			if got < want.Neighbors*(1-1e-9) {
				better++
			}
		}
	}
	t.Logf("%d orders are better than SciPy's", better)
}

func TestOptimalOrderAtSize(t *testing.T) {
	x := datasets.Digits().X.Slice(0, 1200, 0, 64)
	d, err := dist.Pairwise(t.Context(), x, nil)
	if err != nil {
		t.Fatal(err)
	}
	tree, err := Agglomerative{Linkage: Ward}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if !mltest.Prompt(t, "the optimal order", 40*time.Millisecond, func(ctx context.Context) error { return mltest.Err(tree.OptimalOrder(ctx, d)) }) {
		t.Error("the optimal order was found before the context ended")
	}
	best, err := tree.OptimalOrder(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	if got, plain := walk(d, best.Order()), walk(d, tree.Order()); got >= plain {
		t.Errorf("neighbors are %v apart in all, before %v", got, plain)
	}
}

func TestTreeOfFormat1StillLoads(t *testing.T) {
	tree, err := ml.Load[Tree](filepath.Join("testdata", "tree5-format1.zip"))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(tree, five()) {
		t.Errorf("%+v", tree)
	}
}
