package sparse

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func fitNNK(t testing.TB, k NNKMeans, x mat.Matrix) *NNKMeansModel {
	t.Helper()
	m, err := k.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestNNKMeansConformance(t *testing.T) {
	digits := mat.DenseCopyOf(datasets.Digits().X.Slice(0, 120, 20, 32))
	for name, k := range map[string]NNKMeans{"spherical": {Atoms: 4, Neighbors: 1}, "cones": {Atoms: 12, Neighbors: 4}} {
		t.Run(name, func(t *testing.T) {
			mltest.Run(t, mltest.Method[NNKMeansModel]{Fit: k.Fit, Iterate: k.Iterate, Data: digits, Objective: func(m *NNKMeansModel) float64 { return m.Objective }})
		})
	}
}

func TestSavedNNKMeans(t *testing.T) {
	mltest.Saved[NNKMeansModel](t, "testdata/nnk-format1.zip")
}

// With all atoms as neighbors weights are those of SciPy's non-negative least squares.
func TestNonNegativeAgainstSciPy(t *testing.T) {
	x := datasets.Digits().X
	atoms, _ := directions(mat.DenseCopyOf(x.Slice(100, 112, 0, 64)))
	c, err := (&NNKMeansModel{Atoms: atoms, Neighbors: 12}).Transform(t.Context(), x.Slice(0, 8, 0, 64))
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range mltest.ReadJSON[[]struct {
		Row      int
		Weights  []float64
		Residual float64
	}](t, "nnk.json") {
		mltest.CloseTo(t, "weights", c.Dense().RawRowView(w.Row), w.Weights, 1e-8)
		if math.Abs(c.Residual[w.Row]-w.Residual) > 1e-9 {
			t.Errorf("row %d: residual %v, want %v", w.Row, c.Residual[w.Row], w.Residual)
		}
	}
}

// holdsKKT checks that weights are the minimum: none negative, the slope along those above 0 is 0,
// and along other neighbors the error rises; and that the neighbors are the nearest.
func holdsKKT(t interface{ Fatalf(string, ...any) }, m *NNKMeansModel, x *mat.Dense, c *Code) {
	k, d := m.Atoms.Dims()
	w := c.Dense()
	n, _ := x.Dims()
	for i := range n {
		left, y := make([]float64, d), x.RawRowView(i)
		copy(left, y)
		corr := make([]float64, k)
		for j := range k {
			blas.Axpy(-w.At(i, j), m.Atoms.RawRowView(j), left)
			corr[j] = blas.Dot(y, m.Atoms.RawRowView(j))
		}
		near := map[int]bool{}
		for _, j := range nearest(make([]int, k), make([]float64, k), corr, m.Neighbors) {
			near[j] = true
		}
		for j := range k {
			slope := blas.Dot(left, m.Atoms.RawRowView(j)) / floats.Norm(y, 2)
			v := w.At(i, j)
			if v < 0 || v > 0 && (math.Abs(slope) > 1e-6 || !near[j]) || v == 0 && near[j] && slope > 1e-6 {
				t.Fatalf("row %d, atom %d: weight %v, slope %v, a neighbor %v", i, j, v, slope, near[j])
			}
		}
	}
}

func TestNNKWeightsAreMinima(t *testing.T) {
	x := datasets.Digits().X
	m := fitNNK(t, NNKMeans{Atoms: 40, MaxIter: 10}, x)
	c, err := m.Transform(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	holdsKKT(t, m, x, c)
	rapid.Check(t, func(r *rapid.T) {
		d, k := rapid.IntRange(1, 5).Draw(r, "d"), rapid.IntRange(1, 9).Draw(r, "K")
		seed := rapid.Uint64Range(0, 1000).Draw(r, "seed")
		atoms, _ := directions(mltest.Normal(seed, k, d))
		if k > 2 && rapid.Bool().Draw(r, "equal") {
			atoms.SetRow(1, atoms.RawRowView(0)) // and more atoms than dimensions besides
		}
		m := &NNKMeansModel{Atoms: atoms, Neighbors: rapid.IntRange(1, k).Draw(r, "neighbors")}
		x := mltest.Normal(seed+1, 6, d)
		c, err := m.Transform(context.Background(), x)
		if err != nil {
			r.Fatal(err)
		}
		holdsKKT(r, m, x, c)
	})
}

// With one neighbor a step is that of spherical k-means: the direction of the sum of the rows of
// length 1 that are nearest to an atom.
func TestNNKOfOneIsSphericalKMeans(t *testing.T) {
	x := datasets.Digits().X
	u, _ := directions(x)
	steps := 0
	var before *NNKMeansModel
	for m, err := range (NNKMeans{Atoms: 10, Neighbors: 1, MaxIter: 5}).Iterate(t.Context(), x) {
		if err != nil {
			t.Fatal(err)
		}
		if before != nil {
			var cosines mat.Dense
			cosines.Mul(u, before.Atoms.T())
			want := mat.NewDense(10, 64, nil)
			for i := range 1797 {
				floats.Add(want.RawRowView(floats.MaxIdx(cosines.RawRowView(i))), u.RawRowView(i))
			}
			for j := range 10 {
				floats.Scale(1/floats.Norm(want.RawRowView(j), 2), want.RawRowView(j))
			}
			if gap := mltest.MatrixGap(m.Atoms, want); gap > 1e-12 {
				t.Errorf("step %d: atoms differ by %g", m.Iterations, gap)
			}
			steps++
		}
		before = m
	}
	if steps != 5 {
		t.Errorf("%d steps", steps)
	}
}

// Equal atoms do no harm, one that no row can use is refilled, and a row of zeros has no weights.
func TestNNKAtomsThatAreOfNoUse(t *testing.T) {
	x := mat.DenseCopyOf(datasets.Digits().X.Slice(0, 300, 0, 64))
	x.SetRow(7, make([]float64, 64))
	init := mat.DenseCopyOf(x.Slice(10, 20, 0, 64))
	init.SetRow(1, x.RawRowView(10))
	against := make([]float64, 64)
	floats.AddScaled(against, -1, x.RawRowView(30))
	init.SetRow(2, against)
	m := fitNNK(t, NNKMeans{Atoms: 10, Neighbors: 5, Init: init}, x)
	for j, used := range m.Usage {
		if used == 0 || math.Abs(floats.Norm(m.Atoms.RawRowView(j), 2)-1) > 1e-12 {
			t.Errorf("atom %d of norm %v is used by %d rows", j, floats.Norm(m.Atoms.RawRowView(j), 2), used)
		}
	}
	if m.Refilled < 1 || !m.Converged {
		t.Errorf("%d refilled, converged %v after %d", m.Refilled, m.Converged, m.Iterations)
	}
	if c, err := m.Transform(t.Context(), x); err != nil || c.Nonzeros()[7] != 0 || c.Residual[7] != 0 {
		t.Errorf("a row of zeros: %v", err)
	}
}

// Sixteen atoms of which a row may mix eight leave less of the digits than 64 with one each.
func TestNNKNeedsFewerAtoms(t *testing.T) {
	x := datasets.Digits().X
	few := fitNNK(t, NNKMeans{Atoms: 16, Neighbors: 8}, x)
	many := fitNNK(t, NNKMeans{Atoms: 64, Neighbors: 1}, x)
	t.Logf("16 atoms: %.1f after %d steps; 64 atoms, one each: %.1f after %d", few.Objective, few.Iterations, many.Objective, many.Iterations)
	if few.Objective >= many.Objective {
		t.Errorf("%v is not less than %v", few.Objective, many.Objective)
	}
}

func TestBadNNKMeans(t *testing.T) {
	x := datasets.Iris().X
	fit := func(k NNKMeans) error { return mltest.Err(k.Fit(t.Context(), x)) }
	for name, c := range map[string]struct {
		err, kind error
		says      string
	}{
		"atoms":     {fit(NNKMeans{Atoms: 151}), ml.ErrParameter, "Atoms = 151, want 1 to n = 150"},
		"neighbors": {fit(NNKMeans{Atoms: 3, Neighbors: 4}), ml.ErrParameter, "Neighbors = 4, want 1 to Atoms = 3"},
		"steps":     {fit(NNKMeans{MaxIter: -1}), ml.ErrParameter, "MaxIter = -1"},
		"tol":       {fit(NNKMeans{Tol: math.NaN()}), ml.ErrParameter, "Tol = NaN"},
		"init":      {fit(NNKMeans{Atoms: 2, Init: mat.NewDense(2, 3, []float64{1, 2, 3, 4, 5, 6})}), ml.ErrShape, "Init is 2×3, want 2×4"},
		"zeros":     {mltest.Err(NNKMeans{Atoms: 2}.Fit(t.Context(), mat.NewDense(3, 2, nil))), ml.ErrParameter, "the number of rows that are not 0, 0"},
	} {
		mltest.Refused(t, name, c.err, c.kind, c.says, nnkMethod)
	}
	m := fitNNK(t, NNKMeans{Atoms: 5}, x)
	mltest.Refused(t, "columns", mltest.Err(m.Transform(t.Context(), mat.NewDense(1, 3, nil))), ml.ErrShape, "3 columns")
	m.Neighbors = 6
	mltest.Refused(t, "model", mltest.Err(m.Transform(t.Context(), x)), ml.ErrParameter, "Neighbors = 6")
	wide := mltest.Normal(1, 4000, 60)
	mltest.Prompt(t, "a fit", 20*time.Millisecond, func(ctx context.Context) error {
		return mltest.Err(NNKMeans{Atoms: 500, Neighbors: 20, Tol: 1e-12}.Fit(ctx, wide))
	})
}
