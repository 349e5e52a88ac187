package decomposition

import (
	"context"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
	"pgregory.net/rapid"
)

type icaFitter interface {
	Fit(ctx context.Context, x mat.Matrix) (*ICAModel, error)
}

// recovered is the mean, over true sources, of the largest |correlation| with one that was found.
func recovered(t testing.TB, m *ICAModel, x, truth mat.Matrix) float64 {
	t.Helper()
	s, err := m.Sources(x)
	if err != nil {
		t.Fatal(err)
	}
	_, k := s.Dims()
	_, d := truth.Dims()
	sum := 0.0
	for j := range d {
		best := 0.0
		for c := range k {
			best = max(best, math.Abs(stat.Correlation(mat.Col(nil, c, s), mat.Col(nil, j, truth), nil)))
		}
		sum += best
	}
	return sum / float64(d)
}

// formulas are the signals of testdata/ica.py.
func formulas(kind string) *mat.Dense {
	const n = 1000
	s := mat.NewDense(n, 3, nil)
	share := func(i, times, of int) float64 { return (float64(i*times%of) + 0.5) / float64(of) }
	for i := range n {
		u, v, w := share(i, 53, 997), share(i, 37, 991), share(i, 71, 983)
		logistic := math.Log(u / (1 - u))
		laplace := -math.Copysign(1, v-0.5) * math.Log(1-2*math.Abs(v-0.5))
		if v == 0.5 {
			laplace = 0
		}
		if kind == "mixed" {
			s.SetRow(i, []float64{math.Sin(0.1 * float64(i)), 2*v - 1, logistic})
		} else {
			s.SetRow(i, []float64{logistic, laplace, math.Pow(2*w-1, 3)})
		}
	}
	var x mat.Dense
	x.Mul(s, mat.NewDense(3, 3, []float64{1, 0.5, 0.2, -0.3, 1, 0.4, 0.6, -0.2, 1}).T())
	return &x
}

// Unmixing matrices are those of scikit-learn and python-picard, up to order and signs.
func TestICAEqualsThePeers(t *testing.T) {
	want := mltest.ReadJSON[map[string]map[string][][]float64](t, "ica.json")
	for kind, by := range want {
		x := formulas(kind)
		for name, rows := range by {
			var method icaFitter
			switch words := strings.Fields(name); {
			case words[0] == "picard":
				method = Picard{Plain: words[1] == "plain", SuperGaussian: words[len(words)-1] == "peaked", Tol: 1e-10, Init: eye(3)}
			default:
				method = FastICA{Contrast: Contrast(words[1]), Deflation: words[0] == "deflation", Tol: 1e-14, MaxIter: 5000, Init: eye(3)}
			}
			m, err := method.Fit(t.Context(), x)
			if err != nil {
				t.Fatalf("%s, %s: %v", kind, name, err)
			}
			for c, row := range rows {
				best := math.Inf(1)
				for r := range 3 {
					for _, sign := range []float64{1, -1} {
						var other mat.VecDense
						other.ScaleVec(sign, m.Unmixing.RowView(r))
						best = min(best, mltest.MatrixGap(&other, mat.NewVecDense(3, row)))
					}
				}
				if best > 2e-6 {
					t.Errorf("%s, %s: row %d of the unmixing matrix %v is off by %v", kind, name, c, row, best)
				}
			}
			if !m.Converged {
				t.Errorf("%s, %s has not converged in %d steps: stationarity %v", kind, name, m.Iterations, m.Stationarity)
			}
		}
	}
}

// Eight sources, six of them flat: the problem of the benchmark, at which parallel FastICA stops at
// stationary points that mix sines. The default method comes to all sources on every seed, of the
// data and of the start.
func TestPicardFindsAllSourcesOnEverySeed(t *testing.T) {
	for seed := range uint64(20) {
		x, truth, _ := datasets.Sources(20000, 8, seed)
		m, err := Picard{Seed: seed}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if r := recovered(t, m, x, truth); !(r >= 0.99) || !m.Converged {
			t.Errorf("seed %d: mean |correlation| %.4f, converged %v, stationarity %v", seed, r, m.Converged, m.Stationarity)
		}
	}
}

// Where FastICA stops short there is a gradient of zero and a worse value: it is the landscape, not
// the iteration's end, that holds it.
func TestFastICAStopsAtSpuriousPoints(t *testing.T) {
	x, truth, _ := datasets.Sources(5000, 8, 8)
	stopped, best, worst := 0, math.Inf(1), math.Inf(-1)
	for seed := range uint64(20) {
		m, err := FastICA{Seed: seed, Tol: 1e-12, MaxIter: 1000}.Fit(t.Context(), x)
		if err != nil {
			t.Fatal(err)
		}
		if r := recovered(t, m, x, truth); r > 0.99 {
			best = min(best, m.Loss)
		} else if m.Converged {
			if m.Stationarity > 1e-4 {
				t.Errorf("seed %d: it has converged where the gradient is %v", seed, m.Stationarity)
			}
			stopped++
			worst = max(worst, m.Loss)
		}
	}
	if stopped < 3 || !(worst > best+0.01) {
		t.Errorf("%d of 20 starts stop short, losses %v there and %v at the sources", stopped, worst, best)
	}
}

// scikit-learn's reports 13056 and 17162: sources have variance 1, and mixing and unmixing are each
// other's inverse, in the units of the data.
func TestICAConventions(t *testing.T) {
	grid := mat.NewDense(400, 2, nil)
	for i := range 400 {
		grid.SetRow(i, []float64{float64(i%20) / 20, float64(i/20) / 20})
	}
	x := mat.NewDense(400, 2, nil)
	x.Mul(grid, mat.NewDense(2, 2, []float64{1, 2, 3, 4}).T())
	for _, method := range []icaFitter{FastICA{}, FastICA{Deflation: true}, Infomax{}, Picard{}, Picard{Plain: true}} {
		m, err := method.Fit(t.Context(), x)
		if err != nil || !m.Converged {
			t.Fatalf("%T: %v, converged %v", method, err, m.Converged)
		}
		checkConventions(t, m, x)
		if r := recovered(t, m, x, grid); r < 1-1e-6 {
			t.Errorf("%T: mean |correlation| %v with an exact grid", method, r)
		}
		if m.Shape[0] != -1 || m.Shape[1] != -1 {
			t.Errorf("%T: uniform sources are said to be peaked", method)
		}
	}
}

func checkConventions(t testing.TB, m *ICAModel, x mat.Matrix) {
	t.Helper()
	s, err := m.Sources(x)
	if err != nil {
		t.Fatal(err)
	}
	n, k := s.Dims()
	before := math.Inf(1)
	for c := range k {
		y := mat.Col(nil, c, s)
		if v := mat.Dot(s.ColView(c), s.ColView(c)) / float64(n); math.Abs(v-1) > 1e-9 || math.Abs(stat.Mean(y, nil)) > 1e-9 {
			t.Errorf("source %d has mean %v and variance %v", c, stat.Mean(y, nil), v)
		}
		length, most := mat.Norm(m.Mixing.ColView(c), 2), 0.0
		for _, v := range mat.Col(nil, c, m.Mixing) {
			if math.Abs(v) > math.Abs(most)*(1+1e-6) {
				most = v
			}
		}
		if m.GridRows == 0 && length > before*(1+1e-9) || most < 0 {
			t.Errorf("source %d: length %v after %v, largest entry %v", c, length, before, most)
		}
		before = length
	}
	var identity mat.Dense
	identity.Mul(m.Unmixing, m.Mixing)
	if gap := mltest.MatrixGap(&identity, eye(k)); gap > 1e-9 {
		t.Errorf("unmixing times mixing is off the identity by %v", gap)
	}
	if _, d := x.Dims(); d == k {
		back, err := m.Inverse(s)
		if err != nil {
			t.Fatal(err)
		}
		if gap := mltest.MatrixGap(back, x); gap > 1e-8*max(1, mat.Norm(x, 2)) {
			t.Errorf("sources mixed again are off by %v", gap)
		}
	}
}

func eye(k int) *mat.Dense {
	m := mat.NewDense(k, k, nil)
	for i := range k {
		m.Set(i, i, 1)
	}
	return m
}

// noise draws n×k independent numbers: uniform for kind 0, Laplacian for 1, by turns for 2.
func noise(seed uint64, n, k, kind int) *mat.Dense {
	r, s := rng.New(seed), mat.NewDense(n, k, nil)
	for i := range n {
		for j := range k {
			if kind == 0 || kind == 2 && j%2 == 0 {
				s.Set(i, j, 2*r.Float64()-1)
			} else {
				s.Set(i, j, r.ExpFloat64()-r.ExpFloat64())
			}
		}
	}
	return s
}

// Mixing changes nothing but the names of the sources: those of X·A are those of X, up to order and
// sign, and shuffled rows give shuffled sources.
func TestSourcesDoNotDependOnTheMixing(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed, k := rapid.Uint64().Draw(rt, "seed"), rapid.IntRange(2, 4).Draw(rt, "k")
		s := noise(seed, 600, k, rapid.IntRange(0, 2).Draw(rt, "kind"))
		var x mat.Dense
		x.Mul(s, mltest.Normal(seed+1, k, k+rapid.IntRange(0, 2).Draw(rt, "more")))
		shuffled := mat.DenseCopyOf(&x)
		for i, from := range rng.New(seed + 2).Perm(600) {
			shuffled.SetRow(i, x.RawRowView(from))
		}
		for _, plain := range []bool{false, true} {
			p := Picard{Plain: plain, Tol: 1e-9}
			own, err := p.Fit(context.Background(), s)
			if err != nil {
				t.Fatal(err)
			}
			want, err := own.Sources(s)
			if err != nil {
				t.Fatal(err)
			}
			m, err := p.Fit(context.Background(), &x)
			if err != nil {
				t.Fatal(err)
			}
			if !own.Converged || !m.Converged {
				rt.Fatalf("not converged: %v, %v", own.Stationarity, m.Stationarity)
			}
			checkConventions(t, m, &x)
			if r := recovered(t, m, &x, want); r < 1-1e-6 {
				rt.Fatalf("plain %v: after mixing the sources correlate %v with those before", plain, r)
			}
			again, err := p.Fit(context.Background(), shuffled)
			if err != nil {
				t.Fatal(err)
			}
			if r := recovered(t, again, &x, want); r < 1-1e-6 {
				rt.Fatalf("plain %v: after a shuffle of the rows the sources correlate %v with those before", plain, r)
			}
		}
	})
}

// Few steps suffice for ten Laplacian sources: the figures of the authors' own tests.
func TestPicardTakesFewSteps(t *testing.T) {
	for _, c := range []struct {
		plain bool
		most  float64
	}{{false, 17}, {true, 23}} {
		sum := 0
		for seed := range uint64(10) {
			x := noise(seed, 1000, 10, 1)
			m, err := Picard{Plain: c.plain, SuperGaussian: c.plain, Starts: 1, Seed: seed}.Fit(t.Context(), x)
			if err != nil || !m.Converged || m.Stationarity > 1e-7 {
				t.Fatalf("plain %v, seed %d: %v, stationarity %v", c.plain, seed, err, m.Stationarity)
			}
			sum += m.Iterations
		}
		if mean := float64(sum) / 10; mean > c.most {
			t.Errorf("plain %v: %v steps in the mean, theirs takes %v", c.plain, mean, c.most)
		}
	}
}

// Infomax and the plain Picard lower the same function to the same minimum; Picard with fewer
// steps.
func TestInfomaxEqualsPlainPicard(t *testing.T) {
	for _, peaked := range []bool{false, true} {
		kind := 2
		if peaked {
			kind = 1
		}
		var x mat.Dense
		x.Mul(noise(3, 2000, 4, kind), mltest.Normal(4, 4, 4))
		slow, err := Infomax{SuperGaussian: peaked, Tol: 1e-8, MaxIter: 5000}.Fit(t.Context(), &x)
		if err != nil {
			t.Fatal(err)
		}
		fast, err := Picard{Plain: true, SuperGaussian: peaked}.Fit(t.Context(), &x)
		if err != nil {
			t.Fatal(err)
		}
		if !slow.Converged || !fast.Converged || math.Abs(slow.Loss-fast.Loss) > 1e-10 || mltest.MatrixGap(slow.Unmixing, fast.Unmixing) > 1e-5 {
			t.Errorf("peaked %v: losses %v and %v, unmixing off by %v", peaked, slow.Loss, fast.Loss, mltest.MatrixGap(slow.Unmixing, fast.Unmixing))
		}
		if 2*fast.Iterations > slow.Iterations {
			t.Errorf("peaked %v: %d steps of Picard, %d of Infomax", peaked, fast.Iterations, slow.Iterations)
		}
	}
}

// Gradients are the losses' derivatives, by finite differences.
func TestICAGradients(t *testing.T) {
	x := noise(5, 500, 4, 2)
	data, err := whiten(t.Context(), "test", x, 0)
	if err != nil {
		t.Fatal(err)
	}
	l, peaked := likelihood{newMeasurer(LogCosh, data.z), false}, likelihood{newMeasurer(LogCosh, data.z), true}
	topo := topography{data.z, gridNeighbors(2, 2, 1)}
	topo.h.Set(0, 3, 0) // on so small a grid all are neighbors
	topo.h.Set(3, 0, 0)
	for name, d := range map[string]descent{
		"free": {evaluate: l.free}, "free, peaked": {evaluate: peaked.free},
		"orthogonal": {evaluate: l.orthogonal, rotate: true}, "topographic": {evaluate: topo.at, rotate: true},
	} {
		w := randomRotation(4, 6)
		p, err := d.evaluate(t.Context(), w, nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := range 4 {
			for j := range 4 {
				if d.rotate && i == j {
					continue
				}
				const h = 1e-5
				moved := func(by float64) float64 {
					change, to := eye(4), mat.NewDense(4, 4, nil)
					change.Set(i, j, change.At(i, j)+by)
					if d.rotate { // along a rotation, of which the gradient holds both halves
						change = mat.NewDense(4, 4, nil)
						change.Set(i, j, by/2)
						change.Set(j, i, -by/2)
						change.Exp(change)
					}
					to.Mul(change, w)
					q, err := d.evaluate(t.Context(), to, p.signs)
					if err != nil {
						t.Fatal(err)
					}
					return q.loss
				}
				if slope := (moved(h) - moved(-h)) / (2 * h); math.Abs(slope-p.gradient.At(i, j)) > 1e-8 {
					t.Errorf("%s: gradient %d, %d is %v, by differences %v", name, i, j, p.gradient.At(i, j), slope)
				}
			}
		}
	}
}

// Each contrast's g and g′ are derivatives, and its Gaussian mean is that of many numbers.
func TestContrasts(t *testing.T) {
	for _, c := range []Contrast{LogCosh, Exp, Cube} {
		y := []float64{-40, -3, -0.7, 0, 1e-9, 0.2, 1.5, 4}
		slope, curve, none := make([]float64, 8), make([]float64, 8), make([]float64, 1)
		_, curves := c.evaluate(y, slope, curve)
		mltest.CloseTo(t, string(c)+": the sum of g′", []float64{curves}, []float64{floats.Sum(curve)}, 1e-11*max(1, math.Abs(curves)))
		const h = 1e-4
		for i, v := range y {
			at := func(v float64) float64 { value, _ := c.evaluate([]float64{v}, none, nil); return value }
			if d := (at(v+h) - at(v-h)) / (2 * h); math.Abs(d-slope[i]) > 1e-6*max(1, math.Abs(d)) {
				t.Errorf("%s: g(%v) = %v, by differences %v", c, v, slope[i], d)
			}
			if d := (at(v+h) - 2*at(v) + at(v-h)) / (h * h); math.Abs(d-curve[i]) > 1e-4*max(1, math.Abs(d)) {
				t.Errorf("%s: g′(%v) = %v, by differences %v", c, v, curve[i], d)
			}
		}
		sum, weight := 0.0, 0.0 // Simpson would be no better: all derivatives vanish at ±12
		for i := -1200; i <= 1200; i++ {
			v := float64(i) / 100
			p := math.Exp(-v * v / 2)
			value, _ := c.evaluate([]float64{v}, none, nil)
			sum, weight = sum+p*value, weight+p
		}
		if got := sum / weight; math.Abs(got-c.gaussian()) > 1e-10 {
			t.Errorf("%s: the mean under a Gaussian is %.14f, want %.14f", c, c.gaussian(), got)
		}
	}
}

// Closed forms: the kurtosis of two values is −2, that of an even grid −1.2 in the limit; a mixture
// of two independent signals at the angle θ has the kurtosis κ₁cos⁴θ + κ₂sin⁴θ.
func TestKurtosisAndNegentropy(t *testing.T) {
	const side = 100
	x := mat.NewDense(side*side, 2, nil)
	for i := range side * side {
		x.SetRow(i, []float64{7 + 3*float64(i%side), math.Copysign(1e-3, float64(i/side)-side/2+0.5)})
	}
	directions := mat.NewDense(3, 2, []float64{1, 0, 0, 1, 0, -5})
	k, err := Kurtosis(x, directions)
	if err != nil {
		t.Fatal(err)
	}
	uniform := -1.2 * (side*side + 1) / (side*side - 1)
	mltest.CloseTo(t, "kurtosis", k, []float64{uniform, -2, -2}, 1e-9)
	theta := 0.4
	deviation := 3 * math.Sqrt((side*side-1)/12.0)
	mixed, err := Kurtosis(x, mat.NewDense(1, 2, []float64{math.Cos(theta) / deviation, math.Sin(theta) / 1e-3}))
	if err != nil {
		t.Fatal(err)
	}
	mltest.CloseTo(t, "kurtosis at an angle", mixed, []float64{uniform*math.Pow(math.Cos(theta), 4) - 2*math.Pow(math.Sin(theta), 4)}, 1e-9)
	for _, c := range []Contrast{"", Exp, Cube} {
		j, err := Negentropy(x, directions, c)
		if err != nil {
			t.Fatal(err)
		}
		g, _ := Negentropy(mltest.Normal(1, 100000, 2), directions, c)
		if !(j[1] > j[0] && j[0] > 20*g[0]) || j[1] != j[2] {
			t.Errorf("contrast %q: negentropies %v, of a Gaussian %v", c, j, g)
		}
	}
	logcosh, _ := Negentropy(x, directions, LogCosh)
	two := math.Log(math.Cosh(1)) - LogCosh.gaussian()
	mltest.CloseTo(t, "negentropy of two values", logcosh[1:2], []float64{two * two}, 1e-12)
}

// Two Gaussians can't be told apart, and what is beside them is found all the same; of a matrix of
// rank 3 three sources are looked for.
func TestWhatIsNotIdentifiable(t *testing.T) {
	s := noise(7, 5000, 4, 2)
	g := mltest.Normal(8, 5000, 2)
	for i := range 5000 {
		s.Set(i, 2, g.At(i, 0))
		s.Set(i, 3, g.At(i, 1))
	}
	var x mat.Dense
	x.Mul(s, mltest.Normal(9, 4, 4))
	m, err := Picard{}.Fit(t.Context(), &x)
	if err != nil {
		t.Fatal(err)
	}
	if r := recovered(t, m, &x, s.Slice(0, 5000, 0, 2)); r < 0.99 {
		t.Errorf("two sources beside two Gaussians are found to %v", r)
	}
	var deficient mat.Dense
	deficient.Mul(noise(7, 2000, 3, 2), mltest.Normal(9, 3, 6))
	for _, method := range []icaFitter{FastICA{}, Infomax{}, Picard{}, Picard{Plain: true}} {
		m, err := method.Fit(t.Context(), &deficient)
		if err != nil {
			t.Fatal(err)
		}
		if d, k := m.Mixing.Dims(); d != 6 || k != 3 {
			t.Errorf("%T: mixing is %d×%d for data of rank 3", method, d, k)
		}
		if r := recovered(t, m, &deficient, noise(7, 2000, 3, 2)); r < 0.99 {
			t.Errorf("%T: sources of rank 3 are found to %v", method, r)
		}
	}
	mltest.Refused(t, "rank", mltest.Err(Picard{Components: 4}.Fit(t.Context(), &deficient)), ml.ErrParameter, "Components = 4", "at most 3")
}

// Energies that rise and fall in common put sources beside each other: four pairs, each with a
// variance of its own, on a ring.
func TestTopographyPutsWhatIsActiveTogetherSideBySide(t *testing.T) {
	const n, pairs = 6000, 4
	r := rng.New(1)
	s := mat.NewDense(n, 2*pairs, nil)
	for i := range n {
		for p := range pairs {
			scale := math.Exp(1.2 * r.NormFloat64())
			s.Set(i, p, scale*r.NormFloat64())
			s.Set(i, p+pairs, scale*r.NormFloat64())
		}
	}
	var m *ICAModel // the lowest of twelve: a map has folds that a descent does not take out
	for seed := range uint64(12) {
		one, err := TopographicICA{Rows: 1, Columns: 2 * pairs, MaxIter: 1000, Seed: seed}.Fit(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		if m == nil || one.Loss < m.Loss {
			m = one
		}
	}
	checkConventions(t, m, s)
	at := make([]int, 2*pairs) // where on the ring each source lies
	for j := range at {
		best := 0.0
		for c := range at {
			if v := math.Abs(m.Unmixing.At(c, j)) / mat.Norm(m.Unmixing.ColView(j), 2); v > best {
				best, at[j] = v, c
			}
		}
	}
	together := 0
	for p := range pairs {
		if gap := (at[p] - at[p+pairs] + 2*pairs) % (2 * pairs); gap <= 1 || gap == 2*pairs-1 {
			together++
		}
	}
	if together < pairs {
		t.Errorf("%d of %d pairs lie side by side: places %v", together, pairs, at)
	}
}

func TestICAConformance(t *testing.T) {
	mltest.Run(t, mltest.Method[ICAModel]{Fit: FastICA{}.Fit, Iterate: FastICA{}.Iterate})
	mltest.Run(t, mltest.Method[ICAModel]{Fit: FastICA{Deflation: true}.Fit, Iterate: FastICA{Deflation: true}.Iterate})
	mltest.Run(t, mltest.Method[ICAModel]{Fit: FastICA{Contrast: Exp}.Fit})
	mltest.Run(t, mltest.Method[ICAModel]{Fit: FastICA{Contrast: Cube, Components: 1}.Fit})
	// The extended kinds change what is lowered where a source changes sides.
	lowered := func(m *ICAModel) float64 { return m.Loss }
	peaked := Infomax{SuperGaussian: true}
	mltest.Run(t, mltest.Method[ICAModel]{Fit: peaked.Fit, Iterate: peaked.Iterate, Objective: lowered})
	mltest.Run(t, mltest.Method[ICAModel]{Fit: Infomax{}.Fit, Iterate: Infomax{}.Iterate})
	mltest.Run(t, mltest.Method[ICAModel]{Fit: Picard{}.Fit, Iterate: Picard{}.Iterate})
	newton := Picard{Plain: true, SuperGaussian: true, Tol: 1e-5}
	mltest.Run(t, mltest.Method[ICAModel]{Fit: newton.Fit, Iterate: newton.Iterate, Objective: lowered})
	grid := TopographicICA{Rows: 1, Columns: 2}
	mltest.Run(t, mltest.Method[ICAModel]{Fit: grid.Fit, Iterate: grid.Iterate, Objective: lowered})
}

func TestSavedICA(t *testing.T) {
	mltest.Saved[ICAModel](t, "testdata/ica-format1.zip")
}

func TestICARefuses(t *testing.T) {
	x := mltest.Normal(1, 30, 3)
	ctx := t.Context()
	for what, c := range map[string]struct {
		method icaFitter
		says   string
	}{
		"contrast":   {FastICA{Contrast: "tanh"}, `Contrast = "tanh"`},
		"components": {FastICA{Components: 4}, "Components = 4"},
		"negative":   {Infomax{Components: -1}, "Components = -1"},
		"steps":      {FastICA{MaxIter: -1}, "MaxIter = -1"},
		"tolerance":  {Picard{Tol: math.NaN()}, "Tol = NaN"},
		"rate":       {Infomax{Rate: -1}, "Rate = -1"},
		"starts":     {Picard{Starts: -1}, "Starts = -1"},
		"memory":     {Picard{Memory: -1}, "Memory = -1"},
		"grid":       {TopographicICA{Rows: 2, Columns: 2}, "Rows·Columns = 4"},
		"no grid":    {TopographicICA{Rows: -1}, "Rows, Columns = -1, 6"},
		"radius":     {TopographicICA{Radius: -1}, "Radius = -1"},
	} {
		mltest.Refused(t, what, mltest.Err(c.method.Fit(ctx, x)), ml.ErrParameter, c.says)
	}
	mltest.Refused(t, "start", mltest.Err(Picard{Init: eye(2)}.Fit(ctx, x)), ml.ErrShape, "Init is 2×2")
	mltest.Refused(t, "NaN in the start", mltest.Err(FastICA{Init: mat.NewDense(3, 3, []float64{math.NaN(), 0, 0, 0, 1, 0, 0, 0, 1})}.Fit(ctx, x)), ml.ErrNotFinite)
	mltest.Refused(t, "equal rows", mltest.Err(Picard{}.Fit(ctx, mat.NewDense(9, 2, nil))), ml.ErrShape, "equal")
	m, err := FastICA{}.Fit(ctx, x)
	if err != nil {
		t.Fatal(err)
	}
	mltest.Refused(t, "columns", mltest.Err(m.Sources(mat.NewDense(2, 2, nil))), ml.ErrShape)
	mltest.Refused(t, "sources", mltest.Err(m.Inverse(mat.NewDense(2, 2, nil))), ml.ErrShape)
	mltest.Refused(t, "no model", mltest.Err(new(ICAModel).Sources(x)), ml.ErrEmpty)
	mltest.Refused(t, "directions", mltest.Err(Kurtosis(x, eye(2))), ml.ErrShape)
	mltest.Refused(t, "no direction", mltest.Err(Kurtosis(x, mat.NewDense(1, 3, nil))), ml.ErrParameter, "direction 0")
	mltest.Refused(t, "contrast", mltest.Err(Negentropy(x, eye(3), "x")), ml.ErrParameter)
}

// Too few steps are said; none is taken where the start is the answer.
func TestICASaysWhetherItConverged(t *testing.T) {
	x := noise(1, 500, 4, 2)
	for _, method := range []icaFitter{FastICA{MaxIter: 1}, FastICA{Deflation: true, MaxIter: 1}, Infomax{MaxIter: 2}, Picard{Starts: 1, MaxIter: 2}, TopographicICA{Rows: 2, Columns: 2, MaxIter: 1, Radius: 1, Tol: -1}} {
		m, err := method.Fit(t.Context(), x)
		if err != nil || m.Converged {
			t.Errorf("%T: converged %v, %v", method, m.Converged, err)
		}
	}
	m, err := Picard{}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	// W of whitened data, from Unmixing = W·Whitening.
	var w, inverse mat.Dense
	if err := inverse.Inverse(m.Whitening); err != nil {
		t.Fatal(err)
	}
	w.Mul(m.Unmixing, &inverse)
	again, err := Picard{Init: &w, Tol: 2e-7}.Fit(t.Context(), x)
	if err != nil || again.Iterations != 0 || !again.Converged || mltest.MatrixGap(again.Unmixing, m.Unmixing) > 1e-9 {
		t.Errorf("from the answer: %d steps, %v", again.Iterations, err)
	}
}

// A fit of many rows ends soon after its context, and gives what it has.
func TestICACancelled(t *testing.T) {
	x, _, _ := datasets.Sources(60000, 12, 1)
	for _, method := range []icaFitter{FastICA{Tol: -1, MaxIter: 100000}, Infomax{Tol: -1, MaxIter: 100000}, Picard{Starts: 1, Tol: -1, MaxIter: 100000}, TopographicICA{Rows: 3, Columns: 4, Tol: -1, MaxIter: 100000}} {
		t.Run(fmt.Sprintf("%T", method), func(t *testing.T) {
			if !mltest.Prompt(t, "the fit", 300*time.Millisecond, func(ctx context.Context) error { return mltest.Err(method.Fit(ctx, x)) }) {
				t.Error("it was done before its context ended")
			}
		})
	}
}
