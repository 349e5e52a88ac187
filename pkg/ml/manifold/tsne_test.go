package manifold

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func graphOf(t testing.TB, x mat.Matrix, k int) *neighbors.Graph {
	t.Helper()
	g, err := neighbors.KNN{K: k}.Fit(context.Background(), x)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Affinities are openTSNE's, the divergence and the gradient on a given map scikit-learn's:
// testdata/tsne.py made the file.
func TestAffinitiesDivergenceAndGradientEqualPeers(t *testing.T) {
	values := mltest.ReadJSON[struct {
		Y     [][]float64
		Cases []struct {
			Perplexity, KL float64
			P, Gradient    [][]float64
		}
	}](t, "tsne.json")
	iris := datasets.Iris().X
	x := mat.NewDense(50, 4, nil)
	for i := range 50 {
		for j := range 4 {
			x.Set(i, j, iris.At(3*i, j)+1e-3*math.Sin(float64(4*i+j)))
		}
	}
	y := mltest.FromRows(values.Y)
	for _, c := range values.Cases {
		a, err := NewAffinities(t.Context(), graphOf(t, x, min(49, int(3*c.Perplexity))), c.Perplexity)
		if err != nil {
			t.Fatal(err)
		}
		p := mat.NewDense(50, 50, nil)
		for i := range 50 {
			for k := a.Start[i]; k < a.Start[i+1]; k++ {
				p.Set(i, int(a.Index[k]), a.P[k])
			}
		}
		if gap := mltest.MatrixGap(p, mltest.FromRows(c.P)); gap > 1e-7 { // openTSNE bisects to 1e-8 of the entropy
			t.Errorf("perplexity %g: an affinity differs by %g", c.Perplexity, gap)
		}
		d := newDescent(t.Context(), a, 2)
		copy(d.y, y.RawMatrix().Data)
		z, err := newExact(50, 2).sum(t.Context(), d.push, d.y)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.attract(t.Context()); err != nil {
			t.Fatal(err)
		}
		if kl, err := d.divergence(t.Context(), z, 1); err != nil || math.Abs(kl-c.KL) > 1e-6 {
			t.Errorf("perplexity %g: KL is %.9g, want %.9g, %v", c.Perplexity, kl, c.KL, err)
		}
		for i := range 50 {
			for j := range 2 {
				if g := 4 * (d.pull[2*i+j] - d.push[2*i+j]/z); math.Abs(g-c.Gradient[i][j]) > 1e-6 {
					t.Fatalf("perplexity %g: the gradient at point %d is %.9g, scikit-learn's is %.9g", c.Perplexity, i, g, c.Gradient[i][j])
				}
			}
		}
	}
}

// Every row reaches the perplexity that was asked, in any unit, unless nearest neighbors that can't
// be told apart outnumber it.
func TestAffinitiesReachThePerplexity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.IntRange(2, 60).Draw(t, "neighbors")
		perplexity := rapid.Float64Range(1.01, 0.99*float64(k)).Draw(t, "perplexity")
		r := rng.New(rapid.Uint64().Draw(t, "seed"))
		spread := rapid.Float64Range(0.01, 4).Draw(t, "spread")
		unit := math.Pow(10, rapid.Float64Range(-280, 280).Draw(t, "unit"))
		ties := rapid.IntRange(1, k).Draw(t, "ties")
		d := make([]float64, k)
		for j := range d {
			d[j] = unit * math.Exp(spread*r.NormFloat64())
		}
		slices.Sort(d)
		for j := range ties {
			d[j] = d[0]
		}
		p := make([]float64, k)
		var c calibration
		c.row(p, d, perplexity)
		sum, entropy := 0.0, 0.0
		for j, v := range p {
			sum += v
			if v > 0 {
				entropy -= v * math.Log(v)
			}
			if j > 0 && v > p[j-1] {
				t.Fatalf("the farther neighbor %d has the larger probability", j)
			}
		}
		want := max(perplexity, float64(ties))
		if math.Abs(sum-1) > 1e-12 || math.Abs(math.Exp(entropy)-want) > 1e-7*want {
			t.Fatalf("sum %v, perplexity %v, want %v", sum, math.Exp(entropy), want)
		}
	})
	a, err := NewAffinities(t.Context(), graphOf(t, mltest.Normal(1, 300, 5), 60), 20)
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for i := range 300 {
		for k := a.Start[i]; k < a.Start[i+1]; k++ {
			total += a.P[k]
			j := int(a.Index[k])
			back, ok := slices.BinarySearch(a.Index[a.Start[j]:a.Start[j+1]], int32(i))
			if !ok || a.P[a.Start[j]+back] != a.P[k] {
				t.Fatalf("P is not symmetric at %d, %d", i, j)
			}
		}
	}
	if math.Abs(total-1) > 1e-12 {
		t.Errorf("P sums to %v", total)
	}
}

// The gradient is the derivative of the divergence, by central differences, in any number of
// dimensions.
func TestTSNEGradientByFiniteDifferences(t *testing.T) {
	for _, k := range []int{1, 2, 3} {
		a, err := NewAffinities(t.Context(), graphOf(t, mltest.Normal(1, 60, 6), 30), 10)
		if err != nil {
			t.Fatal(err)
		}
		d := newDescent(t.Context(), a, k)
		copy(d.y, mltest.Normal(2, 60, k).RawMatrix().Data)
		e := newExact(60, k)
		divergence := func() float64 {
			z, err := e.sum(t.Context(), d.push, d.y)
			if err != nil {
				t.Fatal(err)
			}
			kl, err := d.divergence(t.Context(), z, 1)
			if err != nil {
				t.Fatal(err)
			}
			return kl
		}
		for c := 0; c < 60*k; c += 7 {
			const h = 1e-5
			y := d.y[c]
			d.y[c] = y + h
			up := divergence()
			d.y[c] = y - h
			down := divergence()
			d.y[c] = y
			z, _ := e.sum(t.Context(), d.push, d.y)
			if err := d.attract(t.Context()); err != nil {
				t.Fatal(err)
			}
			if g, want := 4*(d.pull[c]-d.push[c]/z), (up-down)/(2*h); math.Abs(g-want) > 1e-8 {
				t.Errorf("%d dimensions: the gradient is %.10g, the difference %.10g", k, g, want)
			}
		}
	}
}

// Both approximations give the exact forces to what is stated here, at the start, when clusters are
// tight, and at the end.
func TestRepulsionAgreesWithTheExactSum(t *testing.T) {
	for _, iteration := range []int{0, 100, 250, 350, 600} {
		d, err := TSNE{MaxIter: 600}.prepare(t.Context(), datasets.Digits().X)
		if err != nil {
			t.Fatal(err)
		}
		for i := range d.steps() {
			if i == iteration {
				break
			}
		}
		n := d.n
		want, got := make([]float64, 2*n), make([]float64, 2*n)
		z, err := newExact(n, 2).sum(t.Context(), want, d.y)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			name           string
			r              repulsion
			forces, within float64 // relative to the root of the mean square, and to Z
		}{
			{"interpolation", newInterpolation(n), 5e-3, 2e-4},
			{"Barnes-Hut, θ = 0.5", newBarnesHut(n, 0.5), 2e-2, 1e-2},
			{"Barnes-Hut, θ = 0.2", newBarnesHut(n, 0.2), 2e-3, 1e-3},
			{"Barnes-Hut, θ → 0", newBarnesHut(n, 1e-9), 1e-11, 1e-12},
		} {
			about, err := c.r.sum(t.Context(), got, d.y)
			if err != nil {
				t.Fatal(err)
			}
			var mean [2]float64 // a force that is the same for all points moves the map, which is centered
			for i := range got {
				mean[i%2] += (got[i] - want[i]) / float64(n)
			}
			gap, size := 0.0, 0.0
			for i, v := range want {
				gap += (got[i] - v - mean[i%2]) * (got[i] - v - mean[i%2])
				size += v * v
			}
			if e := math.Sqrt(gap / size); e > c.forces || math.Abs(about/z-1) > c.within {
				t.Errorf("step %d, %s: forces are off by %.2g, Z by %.2g", iteration, c.name, e, about/z-1)
			}
		}
	}
}

// The digits, from three seeds and by each way to sum the repulsion.
func TestTSNEOfDigits(t *testing.T) {
	if testing.Short() {
		t.Skip("several fits of a second")
	}
	digits := datasets.Digits().X
	for _, o := range []TSNE{{}, {Seed: 1}, {Seed: 2}, {Repulsion: BarnesHut}, {Repulsion: Interpolation}} {
		m, err := o.Fit(t.Context(), digits)
		if err != nil {
			t.Fatal(err)
		}
		trust, err := evaluate.Trustworthiness(t.Context(), digits, m.Embedding, 12)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%q, seed %d: KL %.4f, trustworthiness %.5f", o.Repulsion, o.Seed, m.KL, trust)
		least := 0.992
		if o.Repulsion == BarnesHut { // its forces are off by a hundredth
			least = 0.9915
		}
		if m.KL > 0.75 || trust < least {
			t.Errorf("%q, seed %d: KL %.4f, want at most 0.750; trustworthiness@12 %.5f, want at least %g", o.Repulsion, o.Seed, m.KL, trust, least)
		}
	}
}

func TestTSNEConforms(t *testing.T) {
	for name, o := range map[string]TSNE{
		"exact": {EarlyIter: 20, MaxIter: 30}, "Barnes-Hut": {Repulsion: BarnesHut, EarlyIter: 20, MaxIter: 30},
		"interpolation": {Repulsion: Interpolation, EarlyIter: 20, MaxIter: 30}, "three dimensions, random start": {Components: 3, RandomStart: true, EarlyIter: 20, MaxIter: 30},
	} {
		t.Run(name, func(t *testing.T) {
			mltest.Run(t, mltest.Method[TSNEModel]{Fit: o.Fit, Iterate: o.Iterate})
		})
	}
}

// The same map for any number of processors, also where there are many chunks.
func TestTSNEForAnyNumberOfProcessors(t *testing.T) {
	x := mltest.Normal(3, 2000, 8)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	for _, r := range []Repulsion{BarnesHut, Interpolation} {
		var first *TSNEModel
		for _, procs := range []int{1, 2, 7} {
			runtime.GOMAXPROCS(procs)
			m, err := TSNE{Repulsion: r, EarlyIter: 30, MaxIter: 30}.Fit(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = m
			} else if !reflect.DeepEqual(first, m) {
				t.Errorf("%s: another map with %d processors", r, procs)
			}
		}
	}
}

// Rows of the fit, placed as if new, land on their own point; new rows land among their like; no
// row sees another.
func TestTSNETransform(t *testing.T) {
	digits := datasets.Digits()
	_, d := digits.X.Dims()
	const n = 1000
	fit, fresh := digits.X.Slice(0, n, 0, d), digits.X.Slice(n, n+300, 0, d).(*mat.Dense)
	m, err := TSNE{}.Fit(t.Context(), fit)
	if err != nil {
		t.Fatal(err)
	}
	again, err := m.Transform(t.Context(), fit)
	if err != nil {
		t.Fatal(err)
	}
	var moved []float64
	for i := range n {
		moved = append(moved, distanceOf(again.RawRowView(i), m.Embedding.RawRowView(i)))
	}
	slices.Sort(moved)
	if moved[n/2] > 1.5 || moved[9*n/10] > 6 { // of a map some 100 wide
		t.Errorf("rows of the fit land %.2g from their points in the middle, one of ten more than %.2g", moved[n/2], moved[9*n/10])
	}
	placed, err := m.Transform(t.Context(), fresh)
	if err != nil {
		t.Fatal(err)
	}
	g, err := neighbors.KNN{K: 5}.Query(t.Context(), m.Embedding, placed)
	if err != nil {
		t.Fatal(err)
	}
	right := 0
	for i := range g.Len() {
		votes := make([]int, 10)
		near, _ := g.Of(i)
		for _, j := range near {
			votes[digits.Y[j]]++
		}
		if slices.Index(votes, slices.Max(votes)) == digits.Y[n+i] {
			right++
		}
	}
	if share := float64(right) / float64(g.Len()); share < 0.93 {
		t.Errorf("%.3f of the new digits land among their like", share)
	}
	one, err := m.Transform(t.Context(), fresh.Slice(7, 8, 0, d))
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(one.RawRowView(0), placed.RawRowView(7)) {
		t.Error("a row alone is placed elsewhere than among others")
	}
	if _, err := m.Transform(t.Context(), mat.NewDense(1, 3, nil)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("three columns: %v", err)
	}
	byGraph, err := TSNE{EarlyIter: 5, MaxIter: 5, Graph: graphOf(t, fit, 90)}.Fit(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := byGraph.Transform(t.Context(), fresh); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("a map of a graph: %v", err)
	}
	query, err := neighbors.KNN{K: 90}.Query(t.Context(), fit, fresh)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := m.PlaceGraph(t.Context(), query); err != nil || !mat.Equal(p, placed) {
		t.Errorf("by their graph new rows are placed elsewhere: %v", err)
	}
}

// A newcomer's gradient is the derivative of its divergence.
func TestNewcomerGradient(t *testing.T) {
	for _, k := range []int{2, 3} {
		y := mltest.Normal(1, 40, k)
		s := newcomer{ctx: t.Context(), y: y.RawMatrix().Data, k: k, near: []int{3, 9, 17}, p: []float64{0.5, 0.3, 0.2}}
		if k == 2 {
			s.xs, s.ys = mat.Col(nil, 0, y), mat.Col(nil, 1, y)
		}
		at := mltest.Normal(2, 1, k).RawRowView(0)
		_, g := s.divergence(at)
		for c := range at {
			const h = 1e-6
			up, down := slices.Clone(at), slices.Clone(at)
			up[c] += h
			down[c] -= h
			u, _ := s.divergence(up)
			v, _ := s.divergence(down)
			if want := (u - v) / (2 * h); math.Abs(g[c]-want) > 1e-8 {
				t.Errorf("%d dimensions: %g, want %g", k, g[c], want)
			}
		}
	}
}

func TestTSNEOnAwkwardData(t *testing.T) {
	duplicates := mat.NewDense(2500, 5, nil)
	for i := range 2500 {
		for j := range 5 {
			duplicates.Set(i, j, float64((i%4)*(j+1)))
		}
	}
	for _, r := range []Repulsion{Exact, BarnesHut, Interpolation} {
		m, err := TSNE{Repulsion: r, EarlyIter: 30, MaxIter: 60}.Fit(t.Context(), duplicates)
		if err != nil {
			t.Fatal(err)
		}
		if s := mat.Sum(m.Embedding); m.KL-m.KL != 0 || s-s != 0 {
			t.Errorf("%s: duplicates by the thousand: KL %v", r, m.KL)
		}
	}
	// A graph in two parts that do not know of each other: each keeps to itself in the map.
	g := graphOf(t, mltest.Normal(1, 100, 3), 30)
	two := &neighbors.Graph{Start: []int{0}}
	for part := range 2 {
		for i := range 100 {
			near, d := g.Of(i)
			for k, j := range near {
				two.Index, two.Distance = append(two.Index, j+100*part), append(two.Distance, d[k])
			}
			two.Start = append(two.Start, len(two.Index))
		}
	}
	m, err := TSNE{Perplexity: 10, Graph: two}.Fit(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, parts := graphOf(t, m.Embedding, 5).Components(); parts < 2 {
		t.Error("two parts of a graph are mixed in the map")
	}
}

func TestTSNEBadInput(t *testing.T) {
	x := mltest.Normal(1, 50, 3)
	for says, err := range map[string]error{
		"Perplexity":   mltest.Err(TSNE{Perplexity: 49}.Fit(t.Context(), x)),
		"n−1 = 49":     mltest.Err(TSNE{Perplexity: math.NaN()}.Fit(t.Context(), x)),
		"Components":   mltest.Err(TSNE{Components: -1}.Fit(t.Context(), x)),
		"Repulsion":    mltest.Err(TSNE{Repulsion: "fast"}.Fit(t.Context(), x)),
		"two dimens":   mltest.Err(TSNE{Components: 3, Repulsion: BarnesHut}.Fit(t.Context(), x)),
		"Theta":        mltest.Err(TSNE{Theta: -1}.Fit(t.Context(), x)),
		"Exaggeration": mltest.Err(TSNE{Exaggeration: 0.5}.Fit(t.Context(), x)),
		"MaxIter":      mltest.Err(TSNE{MaxIter: -1}.Fit(t.Context(), x)),
		"LearningRate": mltest.Err(TSNE{LearningRate: math.Inf(1)}.Fit(t.Context(), x)),
		"number of":    mltest.Err(TSNE{}.Fit(t.Context(), mltest.Normal(1, 3, 2))),
		"another row":  mltest.Err(TSNE{Graph: &neighbors.Graph{Start: []int{0, 1, 1, 1, 1}, Index: []int{0}, Distance: []float64{1}}}.Fit(t.Context(), nil)),
		"0 or more":    mltest.Err(TSNE{Graph: &neighbors.Graph{Start: []int{0, 1, 1, 1, 1}, Index: []int{1}, Distance: []float64{-1}}}.Fit(t.Context(), nil)),
		"least number": mltest.Err(TSNE{Graph: &neighbors.Graph{Start: []int{0, 1, 1, 1, 1}, Index: []int{1}, Distance: []float64{1}}}.Fit(t.Context(), nil)),
	} {
		if !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", says, err)
		}
	}
	if _, err := (TSNE{Init: mat.NewDense(50, 3, nil)}).Fit(t.Context(), x); !errors.Is(err, ml.ErrShape) {
		t.Errorf("Init: %v", err)
	}
	nan := graphOf(t, x, 10)
	nan.Distance[13] = math.NaN() // the fourth neighbor of row 1
	if _, err := (TSNE{Perplexity: 3, Graph: nan}).Fit(t.Context(), nil); !errors.Is(err, ml.ErrNotFinite) || !strings.Contains(err.Error(), "from row 1 to its neighbor") {
		t.Errorf("a distance that is no number: %v", err)
	}
	if _, err := (TSNE{Graph: &neighbors.Graph{Start: []int{0}}}).Fit(t.Context(), nil); !errors.Is(err, ml.ErrEmpty) {
		t.Errorf("empty graph: %v", err)
	}
	for perplexity := 1.0; perplexity < 49; perplexity += 15.9 { // up to nearly the largest there is
		m, err := TSNE{Perplexity: perplexity, EarlyIter: 5, MaxIter: 5, Metric: distance.Manhattan{}}.Fit(t.Context(), x)
		if err != nil || m.Perplexity != perplexity {
			t.Errorf("perplexity %g: %v", perplexity, err)
		}
	}
}

// Cancelled at a size that takes seconds, a fit returns within 100 ms with the map so far.
func TestTSNECancellationAtSize(t *testing.T) {
	g := graphOf(t, mltest.Normal(1, 6000, 10), 45)
	for _, r := range []Repulsion{Exact, BarnesHut, Interpolation} {
		if !mltest.Prompt(t, string(r), 500*time.Millisecond, func(ctx context.Context) error {
			m, err := TSNE{Repulsion: r, MaxIter: 1e6, Perplexity: 15, Graph: g}.Fit(ctx, nil)
			if m != nil && m.KL-m.KL != 0 {
				t.Errorf("%s: the divergence is %v", r, m.KL)
			}
			return err
		}) {
			t.Errorf("%s: a million steps were done before the context ended", r)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var last *TSNEModel
		var end error
		for m, err := range (TSNE{Repulsion: r, Perplexity: 15, Graph: g}).Iterate(ctx, nil) {
			if last, end = m, err; err == nil && m.Iteration == 3 {
				cancel()
			}
		}
		if !errors.Is(end, context.Canceled) || last == nil || last.Iteration < 3 {
			t.Errorf("%s: %v, with a map: %v", r, end, last != nil)
		}
	}
}

func FuzzTSNE(f *testing.F) {
	f.Add(uint8(20), uint8(2), 3.0, uint64(1), 1.0)
	f.Fuzz(func(t *testing.T, rows, cols uint8, perplexity float64, seed uint64, scale float64) {
		x := mltest.Normal(seed, int(rows%50)+1, int(cols%6)+1)
		x.Scale(scale, x)
		r := []Repulsion{Exact, BarnesHut, Interpolation}[seed%3]
		m, err := TSNE{Repulsion: r, Perplexity: perplexity, EarlyIter: 5, MaxIter: 5}.Fit(t.Context(), x)
		if err == nil && (m.KL-m.KL != 0 || math.IsNaN(mat.Sum(m.Embedding))) {
			t.Errorf("KL is %v", m.KL)
		}
	})
}

// 200,000 rows are what the library promises to map within the memory of a common machine.
func BenchmarkTSNE(b *testing.B) {
	for _, n := range []int{2000, 20000, 200000} {
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			x := datasets.Blobs(n, 50, 10, 3, 5).X
			for b.Loop() {
				m, err := TSNE{}.Fit(b.Context(), x)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(m.KL, "KL")
			}
		})
	}
}
