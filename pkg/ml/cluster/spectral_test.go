package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/cluster"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/distance"
	"github.com/golatent/latent/pkg/ml/evaluate"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func TestLaplaciansEqualNumPys(t *testing.T) {
	want := mltest.ReadJSON[map[string]struct {
		Edges                   int
		Symmetric, Unnormalized []float64
	}](t, "spectral.json")
	x := datasets.Digits().X.Slice(0, 400, 0, 64)
	for name, s := range map[string]cluster.Similarity{
		"nearest": nil, "mutual": cluster.NearestNeighbors{Mutual: true}, "gaussian": cluster.GaussianGraph{Sigma: 12}, "epsilon": cluster.EpsilonGraph{Radius: 26},
	} {
		for _, tau := range []float64{0, 3} {
			w := want[fmt.Sprintf("%s %.1f", name, tau)]
			for kind, values := range map[cluster.Laplacian][]float64{cluster.RandomWalk: w.Symmetric, cluster.Symmetric: w.Symmetric, cluster.Unnormalized: w.Unnormalized} {
				m, err := cluster.Spectral{K: 2, Graph: s, Laplacian: kind, Regularize: tau, Eigenvalues: 8}.Fit(t.Context(), x)
				if err != nil {
					t.Fatal(err)
				}
				if !m.Converged {
					t.Errorf("%s, τ = %v, %s: residual %g", name, tau, kind, m.Residual)
				}
				for k, v := range m.Eigenvalues {
					if math.Abs(v-values[k]) > 1e-9*max(1, values[7]) {
						t.Errorf("%s, τ = %v, %s: eigenvalue %d is %v, NumPy has %v", name, tau, kind, k, v, values[k])
					}
				}
			}
		}
		if s != nil {
			a, err := s.Graph(t.Context(), x)
			if err != nil {
				t.Fatal(err)
			}
			if n := want[name+" 0.0"].Edges; name != "gaussian" && len(a.Index) != n {
				t.Errorf("%s: %d edges, NumPy has %d", name, len(a.Index), n)
			}
		}
	}
}

// A ring has the eigenvalues 1 − cos(2πk/n), a complete graph 0 and n/(n−1), a complete bipartite
// one 0, 1 and 2.
func TestClosedForms(t *testing.T) {
	for _, n := range []int{12, 500} {
		var ring [][2]int
		for i := range n {
			ring = append(ring, [2]int{i, (i + 1) % n})
		}
		a, err := cluster.FromEdges(n, ring, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := cluster.Spectral{K: 2, Eigenvalues: 6}.Fit(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range m.Eigenvalues {
			if want := 1 - math.Cos(2*math.Pi*float64((k+1)/2)/float64(n)); math.Abs(v-want) > 1e-11 {
				t.Errorf("ring of %d: eigenvalue %d is %v, want %v", n, k, v, want)
			}
		}
	}
	var full, bipartite [][2]int
	for i := range 10 {
		for j := range i {
			full = append(full, [2]int{i, j})
			if (i < 4) != (j < 4) {
				bipartite = append(bipartite, [2]int{j, i})
			}
		}
	}
	for _, c := range []struct {
		edges [][2]int
		at    int
		want  float64
	}{{full, 1, 10. / 9}, {full, 9, 10. / 9}, {bipartite, 1, 1}, {bipartite, 8, 1}, {bipartite, 9, 2}} {
		a, err := cluster.FromEdges(10, c.edges, nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := cluster.Spectral{K: 1, Eigenvalues: 10}.Fit(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(m.Eigenvalues[c.at]-c.want) > 1e-12 || m.Eigenvalues[0] != 0 {
			t.Errorf("eigenvalues %v: number %d should be %v", m.Eigenvalues, c.at, c.want)
		}
	}
}

func TestRecoversShapes(t *testing.T) {
	for seed := range uint64(3) {
		for name, c := range map[string]struct {
			d datasets.Dataset
			k int
		}{"moons": {datasets.Moons(600, 0.06, seed), 2}, "circles": {datasets.Circles(600, 0.5, 0.04, seed), 2}} {
			for _, kind := range []cluster.Laplacian{"", cluster.Symmetric, cluster.Unnormalized} {
				m, err := cluster.Spectral{K: c.k, Laplacian: kind}.Fit(t.Context(), c.d.X)
				if err != nil {
					t.Fatal(err)
				}
				if ari := evaluate.ARI(m.Labels, c.d.Y); ari < 0.999 {
					t.Errorf("%s, seed %d, %q: ARI %.3f with %d components", name, seed, kind, ari, m.Components)
				}
			}
		}
	}
}

// On sparse block models regularised clustering beats plain clustering; the numbers are means over
// ten graphs.
func TestRegularizationHelpsOnSparseGraphs(t *testing.T) {
	var plain, regularized float64
	const graphs = 10
	for seed := range uint64(graphs) {
		edges, blocks := datasets.BlockModel(600, 2, 0.011, 0.002, seed)
		a, err := cluster.FromEdges(600, edges, nil)
		if err != nil {
			t.Fatal(err)
		}
		mean := float64(len(a.Index)) / 600
		for tau, sum := range map[float64]*float64{0: &plain, mean: &regularized} {
			m, err := cluster.Spectral{K: 2, Regularize: tau}.Fit(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			*sum += evaluate.ARI(m.Labels, blocks) / graphs
		}
	}
	t.Logf("mean ARI: plain %.3f, regularized %.3f", plain, regularized)
	if regularized < plain+0.3 {
		t.Errorf("mean ARI: plain %.3f, regularized %.3f, want at least 0.3 more", plain, regularized)
	}
}

// Numbering the nodes otherwise, scaling all weights, and moving the points change nothing but
// rounding.
func TestSpectralInvariance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		d := datasets.Moons(rapid.IntRange(60, 320).Draw(t, "n"), 0.05, seed)
		n, _ := d.X.Dims()
		s := cluster.Spectral{K: 2, Eigenvalues: 4}
		m, err := s.Fit(context.Background(), d.X)
		if err != nil {
			t.Fatal(err)
		}
		a, _ := cluster.NearestNeighbors{}.Graph(context.Background(), d.X)
		heavy := &cluster.Adjacency{Matrix: *a.Map(func(_, _ int, w float64) float64 { return 1000 * w })}
		other, err := s.Fit(context.Background(), heavy)
		if err != nil {
			t.Fatal(err)
		}
		perm := rng.New(seed).Perm(n)
		moved := mat.NewDense(n, 2, nil)
		sin, cos := math.Sincos(1)
		for i, p := range perm {
			x, y := d.X.At(p, 0), d.X.At(p, 1)
			moved.SetRow(i, []float64{3 + 2*(cos*x-sin*y), 2 * (sin*x + cos*y)})
		}
		turned, err := s.Fit(context.Background(), moved)
		if err != nil {
			t.Fatal(err)
		}
		for k := range m.Eigenvalues {
			if math.Abs(m.Eigenvalues[k]-other.Eigenvalues[k]) > 1e-9 || math.Abs(m.Eigenvalues[k]-turned.Eigenvalues[k]) > 1e-9 {
				t.Fatalf("eigenvalue %d: %v, heavier %v, moved %v", k, m.Eigenvalues[k], other.Eigenvalues[k], turned.Eigenvalues[k])
			}
		}
		// Where the gap is clear the embedding is one and the same up to a sign, and so is the
		// partition where k-means stops at the same optimum.
		if m.Eigenvalues[2]-m.Eigenvalues[1] < 1e-3 || m.Components > 1 {
			return
		}
		same := make([]int, n)
		sign := math.Copysign(1, m.Embedding.At(perm[0], 1)*turned.Embedding.At(0, 1))
		for i, p := range perm {
			same[i] = m.Labels[p]
			if v, w := m.Embedding.At(p, 1), sign*turned.Embedding.At(i, 1); math.Abs(v-w) > 1e-5 {
				t.Fatalf("moved: row %d is at %v and at %v", i, v, w)
			}
		}
		if math.Abs(m.Inertia-turned.Inertia) > 0.05*m.Inertia {
			t.Fatalf("moved: inertia %v and %v", m.Inertia, turned.Inertia)
		}
		if ari := evaluate.ARI(same, turned.Labels); math.Abs(m.Inertia-turned.Inertia) < 1e-6*m.Inertia && ari < 1 {
			t.Fatalf("moved: ARI %.3f with the first, eigenvalues %v", ari, m.Eigenvalues)
		}
	})
}

func TestSpectralConformance(t *testing.T) {
	labels := func(m *cluster.SpectralModel) []int { return m.Labels }
	for _, s := range []cluster.Spectral{{K: 3}, {K: 3, Graph: cluster.GaussianGraph{Sigma: 1}, Laplacian: cluster.Symmetric}, {K: 3, Graph: cluster.EpsilonGraph{Radius: 1}, Laplacian: cluster.Unnormalized, Regularize: 1}} {
		mltest.Run(t, mltest.Method[cluster.SpectralModel]{Fit: s.Fit, Labels: labels})
	}
	// Larger than what is reduced whole, so that the iteration is held to it too.
	d := datasets.Moons(300, 0.1, 1)
	mltest.Run(t, mltest.Method[cluster.SpectralModel]{Fit: cluster.Spectral{K: 2}.Fit, Labels: labels, Data: d.X})
}

func TestSpectralBadInput(t *testing.T) {
	x := datasets.Moons(20, 0.1, 1).X
	fit := func(s cluster.Spectral) error { _, err := s.Fit(t.Context(), x); return err }
	graph := func(a *cluster.Adjacency) error {
		_, err := cluster.Spectral{K: 1}.Fit(t.Context(), a)
		return err
	}
	edges := func(n int, e [][2]int, w []float64) error { _, err := cluster.FromEdges(n, e, w); return err }
	for _, c := range []struct {
		name string
		err  error
		kind error
		says string
	}{
		{"K", fit(cluster.Spectral{}), ml.ErrParameter, "K = 0"},
		{"K > n", fit(cluster.Spectral{K: 21}), ml.ErrParameter, "n = 20"},
		{"Laplacian", fit(cluster.Spectral{K: 2, Laplacian: "x"}), ml.ErrParameter, `"random walk"`},
		{"τ", fit(cluster.Spectral{K: 2, Regularize: -1}), ml.ErrParameter, "Regularize = -1"},
		{"Eigenvalues", fit(cluster.Spectral{K: 2, Eigenvalues: 21}), ml.ErrParameter, "Eigenvalues ≤ n = 20"},
		{"Restarts", fit(cluster.Spectral{K: 2, Restarts: -1}), ml.ErrParameter, "Restarts"},
		{"neighbors", fit(cluster.Spectral{K: 2, Graph: cluster.NearestNeighbors{K: -1}}), ml.ErrParameter, "K = -1"},
		{"radius", fit(cluster.Spectral{K: 2, Graph: cluster.EpsilonGraph{}}), ml.ErrParameter, "Radius = 0"},
		{"sigma", fit(cluster.Spectral{K: 2, Graph: cluster.GaussianGraph{Sigma: math.NaN()}}), ml.ErrParameter, "Sigma = NaN"},
		{"metric", fit(cluster.Spectral{K: 2, Graph: cluster.NearestNeighbors{Metric: distance.Minkowski{R: -1}}}), ml.ErrParameter, "R = -1"},
		{"no graph", graph(nil), ml.ErrEmpty, "no nodes"},
		{"broken graph", graph(&cluster.Adjacency{Matrix: csr.Matrix{Start: []int{0, 1}}}), ml.ErrShape, "do not fit"},
		{"one way", graph(&cluster.Adjacency{Matrix: csr.Matrix{Columns: 2, Start: []int{0, 1, 1}, Index: []int{1}, Value: []float64{1}}}), ml.ErrParameter, "from 0 to 1 and back"},
		{"loop", graph(&cluster.Adjacency{Matrix: csr.Matrix{Columns: 1, Start: []int{0, 1}, Index: []int{0}, Value: []float64{1}}}), ml.ErrParameter, "different nodes"},
		{"no nodes", edges(0, nil, nil), ml.ErrEmpty, "n = 0"},
		{"node", edges(2, [][2]int{{0, 2}}, nil), ml.ErrParameter, "edges[0]"},
		{"self", edges(2, [][2]int{{1, 1}}, nil), ml.ErrParameter, "two different"},
		{"weight", edges(2, [][2]int{{0, 1}}, []float64{math.Inf(1)}), ml.ErrParameter, "weights[0]"},
		{"weights", edges(2, [][2]int{{0, 1}}, []float64{}), ml.ErrShape, "0 weights and 1 edges"},
		{"two weights", edges(2, [][2]int{{0, 1}, {1, 0}}, []float64{1, 2}), ml.ErrParameter, "0 to 1 and back"},
	} {
		if !errors.Is(c.err, c.kind) || !strings.Contains(fmt.Sprint(c.err), c.says) {
			t.Errorf("%s: %v, want %v and %q", c.name, c.err, c.kind, c.says)
		}
	}
}

// Graphs at the edge of what a graph is.
func TestOddGraphs(t *testing.T) {
	for name, c := range map[string]struct {
		n     int
		edges [][2]int
	}{"no edges": {6, nil}, "one node": {1, nil}, "one edge": {5, [][2]int{{0, 1}}}, "three parts": {7, [][2]int{{0, 1}, {1, 2}, {3, 4}, {5, 6}}}, "a star": {400, star(400)}} {
		for _, kind := range []cluster.Laplacian{"", cluster.Symmetric, cluster.Unnormalized} {
			for _, tau := range []float64{0, 0.5} {
				a, err := cluster.FromEdges(c.n, c.edges, nil)
				if err != nil {
					t.Fatal(err)
				}
				m, err := cluster.Spectral{K: min(3, c.n), Laplacian: kind, Regularize: tau, Eigenvalues: min(5, c.n)}.Fit(t.Context(), a)
				if err != nil {
					t.Fatalf("%s, %q, τ = %v: %v", name, kind, tau, err)
				}
				for _, v := range append(m.Eigenvalues, m.Embedding.RawMatrix().Data...) {
					if math.IsNaN(v) {
						t.Fatalf("%s, %q, τ = %v: NaN in %v", name, kind, tau, m.Eigenvalues)
					}
				}
				if name == "three parts" && tau == 0 {
					if ari := evaluate.ARI(m.Labels, []int{0, 0, 0, 1, 1, 2, 2}); ari != 1 || m.Components != 3 {
						t.Errorf("%s, %q: labels %v, %d components", name, kind, m.Labels, m.Components)
					}
				}
			}
		}
	}
}

func star(n int) (edges [][2]int) {
	for i := 1; i < n; i++ {
		edges = append(edges, [2]int{0, i})
	}
	return edges
}

func TestSpectralCancel(t *testing.T) {
	// A long path: tiny gaps, many steps.
	n := 60000
	var path [][2]int
	for i := 1; i < n; i++ {
		path = append(path, [2]int{i - 1, i})
	}
	a, err := cluster.FromEdges(n, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !mltest.Prompt(t, "spectral clustering", 200*time.Millisecond, func(ctx context.Context) error {
		return mltest.Err(cluster.Spectral{K: 4}.Fit(ctx, a))
	}) {
		t.Error("a long path was cut before the context ended")
	}
}

func FuzzSpectral(f *testing.F) {
	f.Add(uint8(12), uint8(2), uint8(3), 1.0, 0.0, uint8(0))
	f.Fuzz(func(t *testing.T, n, d, k uint8, scale, tau float64, kind uint8) {
		if n == 0 || d == 0 || d > 10 {
			return
		}
		r := rng.New(uint64(n))
		x := mat.NewDense(int(n), int(d), nil)
		x.Apply(func(_, _ int, _ float64) float64 { return scale * math.Round(2*r.NormFloat64()) }, x)
		graphs := []cluster.Similarity{nil, cluster.GaussianGraph{Sigma: math.Abs(scale)}, cluster.EpsilonGraph{Radius: math.Abs(scale)}}
		laplacians := []cluster.Laplacian{"", cluster.Symmetric, cluster.Unnormalized}
		m, err := cluster.Spectral{K: int(k), Graph: graphs[kind%3], Laplacian: laplacians[kind/3%3], Regularize: tau}.Fit(t.Context(), x)
		if err != nil {
			return
		}
		for _, v := range append(m.Eigenvalues, m.Embedding.RawMatrix().Data...) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%v in the model", v)
			}
		}
	})
}

func ExampleSpectral() {
	moons := datasets.Moons(400, 0.05, 1)
	m, err := cluster.Spectral{K: 2}.Fit(context.Background(), moons.X)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(evaluate.ARI(m.Labels, moons.Y))
	// Output: 1
}

func BenchmarkSpectral(b *testing.B) {
	for _, n := range []int{750, 1500, 3000} {
		x := datasets.Moons(n, 0.12, 1).X
		b.Run(fmt.Sprint("n=", n), func(b *testing.B) {
			for b.Loop() {
				if _, err := (cluster.Spectral{K: 2}).Fit(context.Background(), x); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
