package manifold

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

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// umapReference is what testdata/umap_reference.py has written.
type umapReference struct {
	Curve []struct {
		Spread, A, B float64
		MinDist      float64 `json:"min_dist"`
	}
	Graph map[string]struct {
		Start, Index []int
		Weight       []float64
	}
	Trust     []float64 // trustworthiness@12 of maps of the digits, one a seed
	Transform []float64 // part of 297 new digits whose 5 nearest old ones on the map are of their class
}

func umapValues(t *testing.T) (r umapReference) {
	r = mltest.ReadJSON[umapReference](t, "umap.json")
	return r
}

func mean(v []float64) float64 {
	s := 0.0
	for _, x := range v {
		s += x
	}
	return s / float64(len(v))
}

// trust is the trustworthiness of a map as it is defined (Venna & Kaski, 2001): how far those near
// in the map are from being near in the data, by rank.
func trust(t testing.TB, x, y mat.Matrix, k int) float64 {
	t.Helper()
	n, _ := x.Dims()
	gx, err := neighbors.KNN{K: n - 1}.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	gy, err := neighbors.KNN{K: k}.Fit(context.Background(), y)
	if err != nil {
		t.Fatal(err)
	}
	lost := 0
	rank := make([]int, n)
	for i := range n {
		all, _ := gx.Of(i)
		for p, j := range all {
			rank[j] = p + 1
		}
		near, _ := gy.Of(i)
		for _, j := range near {
			lost += max(0, rank[j]-k)
		}
	}
	return 1 - 2*float64(lost)/(float64(n*k)*float64(2*n-3*k-1))
}

// nearestClass is the part of the rows of y whose five nearest rows of x are mostly of their class.
func nearestClass(t testing.TB, x mat.Matrix, classes []int, y mat.Matrix, truth []int) float64 {
	t.Helper()
	g, err := neighbors.KNN{K: 5}.Query(context.Background(), x, y)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range g.Len() {
		votes := make([]int, slices.Max(classes)+1)
		rows, _ := g.Of(i)
		for _, j := range rows {
			votes[classes[j]]++
		}
		if slices.Index(votes, slices.Max(votes)) == truth[i] {
			right++
		}
	}
	return float64(right) / float64(g.Len())
}

func TestCurveEqualsSciPy(t *testing.T) {
	for _, w := range umapValues(t).Curve {
		a, b := fitCurve(w.Spread, w.MinDist)
		// SciPy ends where the sum of squares changes by less than 1e-8 of itself.
		if math.Abs(a-w.A) > 1e-5*w.A || math.Abs(b-w.B) > 1e-5*w.B {
			t.Errorf("spread %v, least distance %v: a = %v, b = %v, SciPy has %v and %v", w.Spread, w.MinDist, a, b, w.A, w.B)
		}
	}
}

// At the fitted a and b no small change makes the sum of squares less.
func TestCurveIsTheBest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spread := rapid.Float64Range(0.1, 10).Draw(t, "spread")
		minDist := spread * rapid.Float64Range(0, 1).Draw(t, "min")
		a, b := fitCurve(spread, minDist)
		loss := func(a, b float64) float64 {
			s := 0.0
			for i := range 300 {
				x := 3 * spread * float64(i) / 299
				y := 1.0
				if x >= minDist {
					y = math.Exp(-(x - minDist) / spread)
				}
				s += math.Pow(1/(1+a*math.Pow(x, 2*b))-y, 2)
			}
			return s
		}
		least := loss(a, b)
		for _, c := range [][2]float64{{1.001, 1}, {0.999, 1}, {1, 1.001}, {1, 0.999}, {1.001, 0.999}, {1.001, 1.001}} {
			if l := loss(a*c[0], b*c[1]); l < least {
				t.Fatalf("a = %v, b = %v: %v, and with %v as much %v", a, b, least, c, l)
			}
		}
	})
}

func TestFuzzyGraphEqualsUMAPLearn(t *testing.T) {
	digits := datasets.Digits().X
	repeated := mat.NewDense(100, 64, nil)
	for i := range 100 {
		row := i
		if i >= 70 {
			row = i % 10
		}
		repeated.SetRow(i, digits.RawRowView(row))
	}
	plain := digits.Slice(0, 120, 0, 64)
	for name, c := range map[string]struct {
		x      mat.Matrix
		metric distance.Metric
		k      int
	}{"plain": {plain, nil, 15}, "cosine": {plain, distance.Cosine{}, 15}, "few": {plain, nil, 4}, "duplicates": {repeated, nil, 8}} {
		near, err := neighbors.KNN{K: c.k - 1, Metric: c.metric}.Fit(t.Context(), c.x)
		if err != nil {
			t.Fatal(err)
		}
		g, err := fuzzy(t.Context(), near)
		if err != nil {
			t.Fatal(err)
		}
		want := umapValues(t).Graph[name]
		if !slices.Equal(g.Start, want.Start) || !slices.Equal(g.Index, want.Index) {
			t.Errorf("%s: other edges than umap-learn's", name)
			continue
		}
		for k, w := range g.Value {
			// umap-learn's numbers have 24 bits, and its widths are found to a sum of weights of
			// 1e-5.
			if math.Abs(w-want.Weight[k]) > 3e-5 {
				t.Errorf("%s: edge %d has weight %v, umap-learn's %v", name, k, w, want.Weight[k])
			}
		}
	}
}

// The weights of a point sum to log₂ k, and the nearest is certain.
func TestMemberships(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := rapid.SliceOfN(rapid.Float64Range(0.1, 10), 3, 40).Draw(t, "d")
		slices.Sort(d)
		w := make([]float64, len(d))
		memberships(w, d, mean(d))
		if w[0] != 1 {
			t.Fatalf("the nearest has %v", w[0])
		}
		at := 0 // how many are as near as the nearest: they are certain, whatever the width
		for _, v := range d {
			if v == d[0] {
				at++
			}
		}
		want := math.Log2(float64(len(d) + 1))
		if got := mean(w) * float64(len(w)); float64(at) < want-0.5 && d[len(d)-1]-d[0] > 0.5 && math.Abs(got-want) > 1e-6 {
			t.Fatalf("the weights sum to %v, want %v", got, want)
		}
	})
}

func TestForcesAgreeWithFiniteDifferences(t *testing.T) {
	for _, c := range [][2]float64{{1.577, 0.895}, {1, 1}, {0.58, 1.33}, {12, 0.8}} {
		a, b := c[0], c[1]
		for _, d := range []float64{0.05, 0.3, 1, 2.5, 7} {
			const h = 1e-6
			slope := func(f func(d float64) float64) float64 { return (f(d+h) - f(d-h)) / (2 * h) }
			// Along the line through both points the pull is the slope of −log w, the push that of
			// −log(1−w).
			pull := slope(func(d float64) float64 { return -math.Log(closeness(d*d, a, b)) })
			if got := attraction(d*d, a, b) * d; math.Abs(got-pull) > 1e-6*max(1, math.Abs(pull)) {
				t.Errorf("a = %v, b = %v, d = %v: pull %v, slope %v", a, b, d, got, pull)
			}
			push := slope(func(d float64) float64 { return math.Log(1 - closeness(d*d, a, b)) })
			// The 0.001 that bounds the push is taken out.
			if got := repulsionOf(d*d, a, b) * (0.001 + d*d) / (d * d) * d; math.Abs(got-push) > 1e-5*max(1, math.Abs(push)) {
				t.Errorf("a = %v, b = %v, d = %v: push %v, slope %v", a, b, d, got, push)
			}
		}
	}
}

func TestForceTable(t *testing.T) {
	exact := func(d2 float64) float64 { return repulsionOf(d2, 1.577, 0.895) }
	pull := func(d2 float64) float64 { return attraction(d2, 1.577, 0.895) }
	rapid.Check(t, func(t *rapid.T) {
		d2 := math.Exp2(rapid.Float64Range(-39.9, 29.9).Draw(t, "octave"))
		for _, f := range []func(float64) float64{exact, pull} {
			if got, want := newForce(f).of(d2), f(d2); math.Abs(got-want) > 1e-4*want {
				t.Fatalf("at %v the table has %v, the function %v", d2, got, want)
			}
		}
	})
	f := newForce(exact)
	for _, d2 := range []float64{math.SmallestNonzeroFloat64, 1e-300, 1e-13, 1e10, 1e300, math.Inf(1)} {
		if v := f.of(d2); !(v >= 0) || v > 1800 {
			t.Errorf("at %v the table has %v", d2, v)
		}
	}
}

// Every pair of blocks has its turn once in an epoch, and no block stands twice in a round.
func TestTournament(t *testing.T) {
	for _, blocks := range []int{4, 8, 16, 32} {
		seen := map[int]bool{}
		for r, round := range tournament(blocks) {
			busy := map[int]bool{}
			for _, pair := range round {
				a, b := pair/blocks, pair%blocks
				if a > b || seen[pair] || busy[a] || busy[b] {
					t.Fatalf("%d blocks, round %d: %d and %d", blocks, r, a, b)
				}
				seen[pair], busy[a], busy[b] = true, true, true
			}
		}
		if len(seen) != blocks*(blocks+1)/2 {
			t.Errorf("%d blocks: %d pairs", blocks, len(seen))
		}
	}
}

// Each edge of the graph is drawn in proportion to its weight.
func TestEdgesAreDrawnByWeight(t *testing.T) {
	x := mltest.Normal(1, 300, 4)
	f, err := UMAP{Epochs: 200}.begin(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for f.epoch < 200 {
		if err := f.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	point := make([]int, 300)
	for i, p := range f.place {
		point[p] = i
	}
	heaviest, edges := slices.Max(f.model.Graph.Value), 0
	for _, pair := range f.pairs {
		for _, e := range pair {
			to, w := f.model.Graph.Of(point[e.i])
			weight := w[slices.Index(to, point[e.j])]
			drawn := math.Round(float64(e.next/e.period)) - 1
			if want := 200 * weight / heaviest; math.Abs(drawn-want) > 1.01 {
				t.Fatalf("an edge of weight %v was drawn %v times, want %v", weight, drawn, want)
			}
			edges++
		}
	}
	if edges < 1000 {
		t.Errorf("%d edges", edges)
	}
}

// The start is spanned by eigenvectors of the whole matrix.
func TestSpectralStart(t *testing.T) {
	for _, n := range []int{150, 700} { // by either of two ways
		x := datasets.SwissRoll(n, 0, 1).X
		near, err := nearRows(t.Context(), mat.DenseCopyOf(x), 10, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		g, err := fuzzy(t.Context(), near)
		if err != nil {
			t.Fatal(err)
		}
		y, err := spectralStart(t.Context(), g, nil, 2, 0)
		if err != nil {
			t.Fatal(err)
		}
		l := mat.NewSymDense(n, nil)
		degree := make([]float64, n)
		for i := range n {
			_, w := g.Of(i)
			degree[i] = mean(w) * float64(len(w))
		}
		for i := range n {
			l.SetSym(i, i, 1)
			to, w := g.Of(i)
			for k, j := range to {
				l.SetSym(i, j, -w[k]/math.Sqrt(degree[i]*degree[j]))
			}
		}
		var whole mat.EigenSym
		var vectors mat.Dense
		if !whole.Factorize(l, true) {
			t.Fatal("no eigenvalues")
		}
		whole.VectorsTo(&vectors)
		for c := range 2 {
			v := vectors.ColView(c + 1)
			got := y.ColView(c)
			cosine := math.Abs(mat.Dot(v, got)) / mat.Norm(got, 2)
			if cosine < 1-1e-3 {
				t.Errorf("n = %d: coordinate %d has cosine %v with its eigenvector", n, c, cosine)
			}
		}
	}
}

func TestUMAPTrustworthiness(t *testing.T) {
	x := datasets.Digits().X
	want := umapValues(t).Trust
	var got []float64
	for seed := range uint64(4) {
		m, err := UMAP{Seed: seed}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, trust(t, x, m.Embedding, 12))
	}
	t.Logf("trustworthiness@12 %.4f, umap-learn %.4f", got, want)
	// Means of four seeds, which scatter by 0.0005.
	if mean(got) < mean(want)-0.0005 {
		t.Errorf("mean trustworthiness %.5f, umap-learn's %.5f", mean(got), mean(want))
	}
}

// drawnLoss is what an epoch lowers on average: Σ_{i<j} 2vᵢⱼ·(−log wᵢⱼ) + m(dᵢ+dⱼ)/2n·(−log(1−wᵢⱼ))
// with the degrees d (Damrich & Hamprecht, 2021).
func drawnLoss(m *UMAPModel) float64 {
	n := m.Graph.Len()
	total := 0.0
	for i := range n {
		to, w := m.Graph.Of(i)
		degree := 0.0
		for e, j := range to {
			degree += w[e]
			total -= w[e] * math.Log(closeness(squaredGap(m.Embedding.RawRowView(i), m.Embedding.RawRowView(j)), m.A, m.B))
		}
		for j := range n {
			if j != i {
				d2 := squaredGap(m.Embedding.RawRowView(i), m.Embedding.RawRowView(j))
				total -= float64(m.Negatives) * degree / float64(2*n) * math.Log(1-closeness(d2+1e-3, m.A, m.B))
			}
		}
	}
	return total
}

func TestUMAPLossFalls(t *testing.T) {
	x := datasets.Digits().X.Slice(0, 600, 0, 64)
	var values []float64
	for m, err := range (UMAP{Epochs: 200}).Iterate(t.Context(), x) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Epoch%50 == 0 {
			values = append(values, drawnLoss(m))
		}
	}
	if len(values) != 5 || !(values[4] < 0.7*values[0]) || !slices.IsSortedFunc(values, func(a, b float64) int { return int(b - a) }) {
		t.Errorf("the loss every 50 epochs: %.0f", values)
	}
	t.Logf("the loss every 50 epochs: %.0f", values)
}

func TestUMAPTransform(t *testing.T) {
	d := datasets.Digits()
	old, fresh := d.X.Slice(0, 1500, 0, 64), d.X.Slice(1500, 1797, 0, 64)
	want := umapValues(t).Transform
	var got []float64
	for seed := range uint64(2) {
		m, err := UMAP{Seed: seed}.Fit(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		before := mat.DenseCopyOf(m.Embedding)
		y, err := m.Transform(t.Context(), fresh)
		if err != nil {
			t.Fatal(err)
		}
		if !mat.Equal(before, m.Embedding) {
			t.Error("placing new points has moved the map")
		}
		got = append(got, nearestClass(t, m.Embedding, d.Y[:1500], y, d.Y[1500:]))
		// Alone, a row goes where it goes among others.
		one, err := m.Transform(t.Context(), fresh.(*mat.Dense).Slice(100, 103, 0, 64))
		if err != nil {
			t.Fatal(err)
		}
		if !mat.Equal(one, y.Slice(100, 103, 0, 2)) {
			t.Error("a row's place depends on the rows that it comes with")
		}
		// Rows of the data come back near to where they are.
		again, err := m.Transform(t.Context(), old.(*mat.Dense).Slice(0, 200, 0, 64))
		if err != nil {
			t.Fatal(err)
		}
		far := 0
		for i := range 200 {
			if squaredGap(again.RawRowView(i), m.Embedding.RawRowView(i)) > 1 {
				far++
			}
		}
		if far > 10 {
			t.Errorf("%d of 200 rows of the data are placed more than 1 from where they are", far)
		}
	}
	t.Logf("class of the nearest %.4f, umap-learn %.4f", got, want)
	if mean(got) < mean(want)-0.01 {
		t.Errorf("mean %.4f, umap-learn's %.4f", mean(got), mean(want))
	}
}

func TestUMAPTransformRefuses(t *testing.T) {
	x := mltest.Normal(1, 40, 3)
	m, err := UMAP{Epochs: 5, Metric: distance.Func(distance.Manhattan{}.Distance)}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Transform(t.Context(), x); err != nil {
		t.Error(err)
	}
	path := filepath.Join(t.TempDir(), "map.zip")
	if err := ml.Save(path, m); err != nil {
		t.Fatal(err)
	}
	again, err := ml.Load[UMAPModel](path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Transform(t.Context(), x); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), "function") {
		t.Errorf("a caller's metric after Load: %v", err)
	}
	if _, err := m.Transform(t.Context(), mltest.Normal(1, 4, 2)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a column too few: %v", err)
	}
	bad := mltest.Normal(1, 4, 3)
	bad.Set(2, 1, math.NaN())
	if _, err := m.Transform(t.Context(), bad); !errors.Is(err, ml.ErrNotFinite) || !strings.Contains(err.Error(), "row 2, column 1") {
		t.Errorf("NaN: %v", err)
	}
}

func TestUMAPOnAnyNumberOfProcessors(t *testing.T) {
	x := datasets.Blobs(5000, 8, 5, 2, 1).X
	for _, k := range []int{2, 3} {
		var want *UMAPModel
		for _, procs := range []int{1, 2, 5} {
			before := runtime.GOMAXPROCS(procs)
			got, err := UMAP{Epochs: 20, Seed: 3, Components: k}.Fit(t.Context(), x)
			runtime.GOMAXPROCS(before)
			if err != nil {
				t.Fatal(err)
			}
			if want == nil {
				want = got
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%d dimensions, %d processors: another map", k, procs)
			}
		}
	}
}

// awkward is data on which maps have failed: every method that draws one must answer or refuse.
func awkward() map[string]*mat.Dense {
	repeated := mat.NewDense(3000, 3, nil)
	for i := range 3000 {
		repeated.SetRow(i, []float64{float64(i % 7), float64(i % 3), 1})
	}
	apart := mltest.Normal(1, 400, 3)
	for i := range 400 {
		apart.Set(i, 0, apart.At(i, 0)+1e4*float64(i%20))
	}
	two := mltest.Normal(2, 300, 3)
	for i := range 150 {
		two.Set(i, 1, two.At(i, 1)+1e6)
	}
	constant := mltest.Normal(3, 300, 4)
	for i := range 300 {
		constant.Set(i, 1, 5)
		constant.Set(i, 3, 0)
	}
	return map[string]*mat.Dense{"duplicates": repeated, "20 parts": apart, "2 parts": two, "constant columns": constant, "one place": mat.NewDense(500, 2, nil),
		"one column": mltest.Normal(4, 300, 1), "3 rows": mltest.Normal(5, 3, 2), "2 rows": mltest.Normal(6, 2, 2), "16 rows": mltest.Normal(7, 16, 2)}
}

func TestUMAPOnAwkwardData(t *testing.T) {
	for name, x := range awkward() {
		for _, k := range []int{2, 3} {
			if n, _ := x.Dims(); n < k {
				continue
			}
			m, err := UMAP{Epochs: 50, Components: k}.Fit(t.Context(), x)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for _, v := range m.Embedding.RawMatrix().Data {
				if v-v != 0 || math.Abs(v) > 1e4 {
					t.Errorf("%s: a coordinate is %v", name, v)
					break
				}
			}
		}
	}
	// Parts that no edge joins keep apart.
	m, err := UMAP{Epochs: 100}.Fit(t.Context(), awkward()["20 parts"])
	if err != nil {
		t.Fatal(err)
	}
	g, err := neighbors.KNN{K: 3}.Fit(t.Context(), m.Embedding)
	if err != nil {
		t.Fatal(err)
	}
	mixed := 0
	for i := range 400 {
		rows, _ := g.Of(i)
		for _, j := range rows {
			if i%20 != j%20 {
				mixed++
			}
		}
	}
	if mixed > 60 {
		t.Errorf("of 1200 neighbors on the map %d are of another part", mixed)
	}
}

func TestUMAPConformance(t *testing.T) {
	for _, u := range []UMAP{{Epochs: 30}, {Components: 1, Epochs: 10, Metric: distance.Chebyshev{}}, {Components: 2, Epochs: 10, Metric: distance.Minkowski{R: 3}}} {
		mltest.Run(t, mltest.Method[UMAPModel]{Fit: u.Fit, Iterate: u.Iterate})
	}
}

func TestUMAPBadInput(t *testing.T) {
	x := mltest.Normal(1, 40, 3)
	fit := func(u UMAP) error { _, err := u.Fit(t.Context(), x); return err }
	for _, c := range []struct {
		u    UMAP
		kind error
		says string
	}{
		{UMAP{Components: -1}, ml.ErrParameter, "Components = -1"},
		{UMAP{Components: 41}, ml.ErrParameter, "Components = 41"},
		{UMAP{Neighbors: 41}, ml.ErrParameter, "Neighbors = 41"},
		{UMAP{Neighbors: 1}, ml.ErrParameter, "Neighbors = 1"},
		{UMAP{MinDist: 2}, ml.ErrParameter, "MinDist = 2"},
		{UMAP{MinDist: math.NaN()}, ml.ErrParameter, "MinDist = NaN"},
		{UMAP{Spread: -1}, ml.ErrParameter, "Spread = -1"},
		{UMAP{Epochs: -1}, ml.ErrParameter, "Epochs = -1"},
		{UMAP{Rate: math.Inf(1)}, ml.ErrParameter, "Rate = +Inf"},
		{UMAP{Repulsion: -1}, ml.ErrParameter, "Repulsion = -1"},
		{UMAP{Init: mltest.Normal(1, 39, 2)}, ml.ErrShape, "Init is 39×2"},
		{UMAP{Metric: distance.Minkowski{R: -1}}, ml.ErrParameter, "R = -1"},
	} {
		if err := fit(c.u); !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%+v: %v, want %v and %q", c.u, err, c.kind, c.says)
		}
	}
}

func TestUMAPCancelled(t *testing.T) {
	large, small := datasets.Blobs(20000, 20, 10, 3, 1).X, datasets.Blobs(2000, 20, 10, 3, 1).X
	for _, wait := range []time.Duration{30 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second} {
		mltest.Prompt(t, fmt.Sprint("after ", wait), wait, func(ctx context.Context) error {
			_, err := UMAP{Epochs: 100000}.Fit(ctx, large)
			return err
		})
	}
	mltest.Prompt(t, "of few rows", time.Second, func(ctx context.Context) error {
		m, err := UMAP{Epochs: 100000}.Fit(ctx, small)
		if m == nil || m.Epoch == 0 {
			t.Error("no map so far")
		}
		return err
	})
}

func TestUMAPInit(t *testing.T) {
	x, init := mltest.Normal(1, 50, 3), mltest.Normal(2, 50, 2)
	for m, err := range (UMAP{Init: init}).Iterate(t.Context(), x) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Epoch == 0 && !mat.Equal(m.Embedding, init) {
			t.Error("the map does not start at Init")
		}
		break
	}
}

func FuzzUMAP(f *testing.F) {
	f.Add(uint8(30), uint8(3), 5, 2, 0.1, 1.0, 1.0)
	f.Add(uint8(3), uint8(1), 0, 1, -1.0, 0.0, 1e-300)
	f.Fuzz(func(t *testing.T, n, d uint8, k, components int, minDist, repulsion, scale float64) {
		if n == 0 || d == 0 || d > 20 {
			return
		}
		x := mltest.Normal(uint64(n)<<8|uint64(d), int(n), int(d))
		x.Scale(scale, x)
		m, err := UMAP{Neighbors: k, Components: components % 8, MinDist: minDist, Repulsion: repulsion, Epochs: 12}.Fit(t.Context(), x)
		if err != nil {
			if !slices.ContainsFunc([]error{ml.ErrParameter, ml.ErrNotFinite, ml.ErrShape}, func(e error) bool { return errors.Is(err, e) }) {
				t.Fatal(err)
			}
			return
		}
		for _, v := range m.Embedding.RawMatrix().Data {
			if v-v != 0 {
				t.Fatalf("a coordinate is %v", v)
			}
		}
		if _, err := m.Transform(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	})
}

// 200,000 rows are what the library promises to map within the memory of a common machine.
func BenchmarkUMAP(b *testing.B) {
	for _, n := range []int{2000, 20000, 200000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			x := datasets.Blobs(n, 50, 10, 3, 5).X
			for b.Loop() {
				if _, err := (UMAP{}).Fit(context.Background(), x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
