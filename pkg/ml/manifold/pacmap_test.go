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
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// pacmapReference is what testdata/pacmap_reference.py has written.
type pacmapReference struct {
	Near     [][]int
	PerPoint []int `json:"per_point"`
	N        int
	Start    [][]float64
	Pairs    struct{ Near, Mid, Further []int32 }
	Gradient []struct {
		Near, Mid, Loss float64
		Gradient        [][]float64
	}
	After     [][]float64
	Trust     []float64 // trustworthiness@12 of maps of the digits, one a seed
	Transform []float64 // part of 297 new digits whose 5 nearest old ones on the map are mostly of their class
}

func pacmapValues(t *testing.T) (r pacmapReference) {
	r = mltest.ReadJSON[pacmapReference](t, "pacmap.json")
	return r
}

func TestPairsEqualPaCMAPs(t *testing.T) {
	x := mat.DenseCopyOf(datasets.Digits().X.Slice(0, 200, 0, 64))
	p, err := PaCMAP{Neighbors: 8}.defaults(200)
	if err != nil {
		t.Fatal(err)
	}
	got, err := p.pairs(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	want := pacmapValues(t)
	if p.MidNear != want.PerPoint[0] || p.Further != want.PerPoint[1] {
		t.Errorf("%d mid-near and %d further pairs a point, pacmap has %v", p.MidNear, p.Further, want.PerPoint)
	}
	missing := 0
	for i, w := range want.Near {
		for _, j := range w {
			if !slices.Contains(got.near[i*8:(i+1)*8], int32(j)) {
				missing++
			}
		}
	}
	// pacmap works in single precision, in which a few are equally near.
	if missing > 3 {
		t.Errorf("of 1600 near pairs %d are not pacmap's", missing)
	}
}

func TestPairKinds(t *testing.T) {
	for _, n := range []int{2, 3, 8, 30, 400} {
		x := mltest.Normal(uint64(n), n, 3)
		p, err := PaCMAP{}.defaults(n)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.pairs(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		var toMid, toAny float64
		for i := range n {
			near, mid, further := got.near[i*p.Neighbors:(i+1)*p.Neighbors], got.mid[i*p.MidNear:(i+1)*p.MidNear], got.further[i*p.Further:(i+1)*p.Further]
			for _, list := range [][]int32{near, mid, slices.Concat(near, further)} { // none twice, and never the point itself
				seen := map[int32]bool{int32(i): true}
				for _, j := range list {
					if j < 0 || int(j) >= n || seen[j] {
						t.Fatalf("n = %d: point %d has partners %v", n, i, list)
					}
					seen[j] = true
				}
			}
			for _, j := range mid {
				toMid += distance.Euclidean{}.Distance(x.RawRowView(i), x.RawRowView(int(j))) / float64(len(mid))
			}
			for j := range n {
				toAny += distance.Euclidean{}.Distance(x.RawRowView(i), x.RawRowView(j)) / float64(n)
			}
		}
		if n >= 30 && toMid > 0.8*toAny {
			t.Errorf("n = %d: mid-near partners are %v away, any point %v", n, toMid/float64(n), toAny/float64(n))
		}
	}
}

func TestPairsAreThoseOfFit(t *testing.T) {
	x := mltest.Normal(1, 60, 3)
	p := PaCMAP{Neighbors: 6, Seed: 2}
	got, err := p.Pairs(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	f, err := p.begin(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	for kind, c := range map[string]struct {
		pairs [][2]int
		want  []int32
		per   int
	}{"near": {got.Near, f.near, 6}, "mid-near": {got.MidNear, f.mid, 3}, "further": {got.Further, f.further, 12}} {
		if len(c.pairs) != 60*c.per || len(c.want) != len(c.pairs) {
			t.Fatalf("%d %s pairs", len(c.pairs), kind)
		}
		for k, pair := range c.pairs {
			if pair != [2]int{k / c.per, int(c.want[k])} {
				t.Fatalf("%s pair %d is %v", kind, k, pair)
			}
		}
	}
	if _, err := p.Pairs(t.Context(), mltest.Normal(1, 5, 2)); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("more neighbors than rows: %v", err)
	}
}

func (r *pacmapReference) layout() *pairLayout {
	return newPairLayout(&pairs{r.Pairs.Near, r.Pairs.Mid, r.Pairs.Further}, mltest.FromRows(r.Start))
}

func total(l *pairLayout) []float64 {
	g := make([]float64, len(l.y))
	for _, part := range l.gradient {
		for c, v := range part {
			g[c] += v
		}
	}
	return g
}

func TestGradientEqualsPaCMAPs(t *testing.T) {
	want := pacmapValues(t)
	for _, w := range want.Gradient {
		l := want.layout()
		if err := l.gradients(t.Context(), w.Near, w.Mid); err != nil {
			t.Fatal(err)
		}
		if got, err := l.loss(t.Context(), w.Near, w.Mid, 1); err != nil || math.Abs(got-w.Loss) > 1e-5*w.Loss {
			t.Errorf("loss %v, pacmap has %v, %v", got, w.Loss, err)
		}
		for c, g := range total(l) {
			if want := w.Gradient[c/2][c%2]; math.Abs(g-want) > 1e-4*max(1, math.Abs(want)) {
				t.Errorf("weights %v and %v: gradient %d is %v, pacmap has %v", w.Near, w.Mid, c, g, want)
			}
		}
	}
}

// Thirty iterations through all phases end where pacmap's do.
func TestIterationsEqualPaCMAPs(t *testing.T) {
	want := pacmapValues(t)
	f := pacmapFit{pairLayout: want.layout(), phases: [3]int{10, 10, 10}, rate: 1}
	for range 30 {
		if err := f.step(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for i, row := range want.After {
		for c, w := range row {
			if got := f.y[2*i+c]; math.Abs(got-w) > 2e-3*max(1, math.Abs(w)) {
				t.Errorf("point %d: coordinate %d is %v, pacmap has %v", i, c, got, w)
			}
		}
	}
}

func TestPaCMAPGradientAgreesWithFiniteDifferences(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, k := rapid.IntRange(3, 40).Draw(t, "n"), rapid.IntRange(1, 3).Draw(t, "k")
		p, err := PaCMAP{Components: k, Seed: rapid.Uint64().Draw(t, "seed")}.defaults(n)
		if err != nil {
			t.Fatal(err)
		}
		partners, err := p.pairs(context.Background(), mltest.Normal(1, n, 4))
		if err != nil {
			t.Fatal(err)
		}
		start := mltest.Normal(2, n, k)
		start.Scale(math.Exp2(rapid.Float64Range(-2, 5).Draw(t, "scale")), start)
		l := newPairLayout(partners, start)
		near, mid := rapid.Float64Range(0, 3).Draw(t, "near"), rapid.Float64Range(0, 1000).Draw(t, "mid")
		if err := l.gradients(context.Background(), near, mid); err != nil {
			t.Fatal(err)
		}
		g := total(l)
		for c := range l.y {
			const h = 1e-5
			at := l.y[c]
			l.y[c] = at + h
			up, _ := l.loss(context.Background(), near, mid, 1)
			l.y[c] = at - h
			down, _ := l.loss(context.Background(), near, mid, 1)
			l.y[c] = at
			if want := (up - down) / (2 * h); math.Abs(g[c]-want) > 1e-5*max(1, math.Abs(want), up) {
				t.Fatalf("∂/∂y[%d] is %v, by differences %v", c, g[c], want)
			}
		}
	})
}

func TestPhases(t *testing.T) {
	f := pacmapFit{phases: [3]int{100, 100, 250}}
	for _, c := range []struct{ iteration, phase, near, mid float64 }{{0, 1, 2, 1000}, {50, 1, 2, 501.5}, {99, 1, 2, 12.97}, {100, 2, 3, 3}, {199, 2, 3, 3}, {200, 3, 1, 0}, {449, 3, 1, 0}} {
		phase, near, mid := f.phase(int(c.iteration))
		if float64(phase) != c.phase || near != c.near || math.Abs(mid-c.mid) > 1e-9 {
			t.Errorf("iteration %v: phase %d, weights %v and %v", c.iteration, phase, near, mid)
		}
	}
}

func TestPaCMAPTrustworthiness(t *testing.T) {
	x := datasets.Digits().X
	want := pacmapValues(t).Trust
	var got []float64
	for seed := range uint64(6) {
		m, err := PaCMAP{Neighbors: 10, Seed: seed}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, trust(t, x, m.Embedding, 12))
	}
	t.Logf("trustworthiness@12 %.4f, pacmap %.4f", got, want)
	// Means of six seeds, which scatter by 0.001.
	if mean(got) < mean(want)-0.001 {
		t.Errorf("mean trustworthiness %.5f, pacmap's %.5f", mean(got), mean(want))
	}
}

func TestPaCMAPLossFallsInEachPhase(t *testing.T) {
	x := datasets.Digits().X.Slice(0, 500, 0, 64)
	ends := map[int]float64{}
	for m, err := range (PaCMAP{}).Iterate(t.Context(), x) {
		if err != nil {
			t.Fatal(err)
		}
		switch m.Iteration {
		case 1, 101, 200, 201, 450:
			ends[m.Iteration] = m.Loss
		}
	}
	if !(ends[200] < ends[101] && ends[450] < ends[201]) || len(ends) != 5 {
		t.Errorf("losses %v", ends)
	}
}

func TestPaCMAPTransform(t *testing.T) {
	d := datasets.Digits()
	old, fresh := d.X.Slice(0, 1500, 0, 64), d.X.Slice(1500, 1797, 0, 64)
	want := pacmapValues(t).Transform
	var got []float64
	for seed := range uint64(3) {
		m, err := PaCMAP{Neighbors: 10, Seed: seed}.Fit(t.Context(), old)
		if err != nil {
			t.Fatal(err)
		}
		y, err := m.Transform(t.Context(), fresh)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, nearestClass(t, m.Embedding, d.Y[:1500], y, d.Y[1500:]))
		one, err := m.Transform(t.Context(), fresh.(*mat.Dense).Slice(100, 103, 0, 64))
		if err != nil {
			t.Fatal(err)
		}
		if !mat.Equal(one, y.Slice(100, 103, 0, 2)) {
			t.Error("a row's place depends on the rows that it comes with")
		}
	}
	t.Logf("class of the nearest %.4f, pacmap %.4f", got, want)
	if mean(got) < mean(want)-0.01 {
		t.Errorf("mean %.4f, pacmap's %.4f", mean(got), mean(want))
	}
	m, err := PaCMAP{Phases: [3]int{1, 1, 1}}.Fit(t.Context(), mltest.Normal(1, 40, 3))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Transform(t.Context(), mltest.Normal(1, 4, 2)); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a column too few: %v", err)
	}
}

func TestPaCMAPOnAnyNumberOfProcessors(t *testing.T) {
	x := datasets.Blobs(3000, 120, 5, 2, 1).X // wide enough to be projected
	var want *PaCMAPModel
	for _, procs := range []int{1, 2, 5} {
		before := runtime.GOMAXPROCS(procs)
		got, err := PaCMAP{Phases: [3]int{10, 10, 10}, Seed: 3}.Fit(t.Context(), x)
		runtime.GOMAXPROCS(before)
		if err != nil {
			t.Fatal(err)
		}
		if want == nil {
			want = got
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%d processors: another map", procs)
		}
	}
}

func TestPaCMAPOnAwkwardData(t *testing.T) {
	for name, x := range awkward() {
		for _, k := range []int{2, 3} {
			if n, _ := x.Dims(); n < k {
				continue
			}
			m, err := PaCMAP{Components: k}.Fit(t.Context(), x)
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
}

// Groups at known places on a line keep their order along the map's longest direction.
func TestPaCMAPKeepsTheLargeArrangement(t *testing.T) {
	r := rng.New(1)
	x := mat.NewDense(500, 10, nil)
	x.Apply(func(i, j int, _ float64) float64 {
		if j == 0 {
			return 10*float64(i%5) + r.NormFloat64()
		}
		return r.NormFloat64()
	}, x)
	m, err := PaCMAP{}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	along, err := principal(t.Context(), m.Embedding, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	var place [5]float64
	for i := range 500 {
		place[i%5] += along.At(i, 0)
	}
	if !slices.IsSorted(place[:]) && !slices.IsSortedFunc(place[:], func(a, b float64) int { return int(b - a) }) {
		t.Errorf("groups in a row lie at %.0f", place)
	}
}

func TestPaCMAPConformance(t *testing.T) {
	for _, p := range []PaCMAP{{Phases: [3]int{5, 5, 10}}, {Components: 1, Phases: [3]int{5, 5, 5}, Metric: distance.Chebyshev{}}} {
		mltest.Run(t, mltest.Method[PaCMAPModel]{Fit: p.Fit, Iterate: p.Iterate})
	}
}

func TestPaCMAPBadInput(t *testing.T) {
	x := mltest.Normal(1, 40, 3)
	for _, c := range []struct {
		p    PaCMAP
		kind error
		says string
	}{
		{PaCMAP{Components: 41}, ml.ErrParameter, "Components = 41"},
		{PaCMAP{Neighbors: 40}, ml.ErrParameter, "Neighbors = 40"},
		{PaCMAP{Neighbors: -1}, ml.ErrParameter, "Neighbors = -1"},
		{PaCMAP{MidNear: 40}, ml.ErrParameter, "MidNear = 40"},
		{PaCMAP{Phases: [3]int{1, -1, 1}}, ml.ErrParameter, "Phases = [1 -1 1]"},
		{PaCMAP{Rate: math.NaN()}, ml.ErrParameter, "Rate = NaN"},
		{PaCMAP{Init: mltest.Normal(1, 40, 3)}, ml.ErrShape, "Init is 40×3"},
		{PaCMAP{Metric: distance.Minkowski{R: -1}}, ml.ErrParameter, "R = -1"},
	} {
		if _, err := c.p.Fit(t.Context(), x); !errors.Is(err, c.kind) || !strings.Contains(fmt.Sprint(err), c.says) {
			t.Errorf("%+v: %v, want %v and %q", c.p, err, c.kind, c.says)
		}
	}
}

func TestPaCMAPCancelled(t *testing.T) {
	large, small := datasets.Blobs(20000, 20, 10, 3, 1).X, datasets.Blobs(2000, 20, 10, 3, 1).X
	for _, wait := range []time.Duration{30 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second} {
		mltest.Prompt(t, fmt.Sprint("after ", wait), wait, func(ctx context.Context) error {
			_, err := PaCMAP{Phases: [3]int{100, 100, 100000}}.Fit(ctx, large)
			return err
		})
	}
	mltest.Prompt(t, "of few rows", time.Second, func(ctx context.Context) error {
		m, err := PaCMAP{Phases: [3]int{100, 100, 100000}}.Fit(ctx, small)
		if m == nil || m.Iteration == 0 {
			t.Error("no map so far")
		}
		return err
	})
}

func FuzzPaCMAP(f *testing.F) {
	f.Add(uint8(30), uint8(3), 5, 2, 3, 1.0)
	f.Add(uint8(3), uint8(1), 0, 1, -1, 1e-300)
	f.Fuzz(func(t *testing.T, n, d uint8, k, components, mid int, scale float64) {
		if n == 0 || d == 0 || d > 20 {
			return
		}
		x := mltest.Normal(uint64(n)<<8|uint64(d), int(n), int(d))
		x.Scale(scale, x)
		m, err := PaCMAP{Neighbors: k, Components: components % 8, MidNear: mid, Phases: [3]int{4, 4, 4}}.Fit(t.Context(), x)
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

func BenchmarkPaCMAP(b *testing.B) {
	for _, n := range []int{2000, 20000} {
		x := datasets.Blobs(n, 50, 10, 3, 5).X
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := (PaCMAP{Neighbors: 10}).Fit(context.Background(), x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
