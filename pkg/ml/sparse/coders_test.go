package sparse

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/optimize/convex/lp"
	"pgregory.net/rapid"
)

// unitAtoms are k random atoms of norm one in d dimensions.
func unitAtoms(seed uint64, k, d int) *mat.Dense {
	a := mltest.Normal(seed, k, d)
	for j := range k {
		floats.Scale(1/floats.Norm(a.RawRowView(j), 2), a.RawRowView(j))
	}
	return a
}

// combined are n rows of the given number of atoms each, with coefficients of size 1 to 2.
func combined(seed uint64, atoms *mat.Dense, n, nonzero int) (x, z *mat.Dense) {
	r := rng.New(seed)
	k, d := atoms.Dims()
	z = mat.NewDense(n, k, nil)
	for i := range n {
		for _, j := range r.Perm(k)[:nonzero] {
			z.Set(i, j, math.Copysign(1+r.Float64(), r.Float64()-0.5))
		}
	}
	x = mat.NewDense(n, d, nil)
	x.Mul(z, atoms)
	return x, z
}

// coders are all methods that code rows in a dictionary.
func coders(dictionary mat.Matrix) map[string]interface {
	Fit(ctx context.Context, x mat.Matrix) (*Code, error)
} {
	return map[string]interface {
		Fit(ctx context.Context, x mat.Matrix) (*Code, error)
	}{
		"threshold": Threshold{Dictionary: dictionary}, "soft": Threshold{Dictionary: dictionary, Level: 0.3, Soft: true},
		"refit": Threshold{Dictionary: dictionary, Nonzero: 2, Refit: true}, "matching": MatchingPursuit{Dictionary: dictionary, Steps: 5},
		"omp": OMP{Dictionary: dictionary, Nonzero: 2}, "lasso": Lasso{Dictionary: dictionary}, "positive": Lasso{Dictionary: dictionary, Positive: true},
		"ista": ISTA{Dictionary: dictionary, MaxIter: 300}, "fista": FISTA{Dictionary: dictionary, MaxIter: 300}, "basis": BasisPursuit{Dictionary: dictionary},
	}
}

func TestCodersConformance(t *testing.T) {
	dictionary := mat.NewDense(5, 2, []float64{1, 0, 0, 1, 1, 1, -1, 2, 3, 1})
	for name, c := range coders(dictionary) {
		t.Run(name, func(t *testing.T) {
			m := mltest.Method[Code]{Fit: c.Fit}
			switch c := c.(type) {
			case OMP:
				m.Iterate = c.Iterate
			case MatchingPursuit:
				m.Iterate = c.Iterate
			case ISTA:
				m.Iterate = c.Iterate
			}
			if m.Iterate != nil {
				m.Objective = func(c *Code) float64 { return math.Round(c.Objective*1e9) / 1e9 }
			}
			mltest.Run(t, m)
		})
	}
	t.Run("lars", func(t *testing.T) {
		mltest.Run(t, mltest.Method[Path]{Fit: LARS{Dictionary: dictionary}.Fit})
	})
}

func TestSavedCodes(t *testing.T) {
	mltest.Saved[Code](t, "testdata/code-format1.zip")
	mltest.Saved[Path](t, "testdata/path-format1.zip")
}

type reference struct {
	Dictionary, Signals             [][]float64
	OMP, Lasso, Positive, Threshold map[string][][]float64
	BasisPursuit                    [][]float64
	Path, Forward                   []struct {
		Lambda       []float64
		Coefficients [][]float64
	}
}

// Codes are those of scikit-learn and, for basis pursuit, of HiGHS.
func TestCodesAgainstScikitLearn(t *testing.T) {
	want := mltest.ReadJSON[reference](t, "coders.json")
	dictionary, y := mltest.FromRows(want.Dictionary), mltest.FromRows(want.Signals)
	hold := func(what string, c *Code, err error, w [][]float64, tolerance float64) {
		t.Helper()
		if err != nil {
			t.Fatal(what, err)
		}
		if gap := mltest.MatrixGap(c.Dense(), mltest.FromRows(w)); !(gap < tolerance) || !c.Converged {
			t.Errorf("%s: codes differ by %g; converged %v", what, gap, c.Converged)
		}
	}
	for k, w := range want.OMP {
		nonzero, _ := strconv.Atoi(k)
		c, err := OMP{Dictionary: dictionary, Nonzero: nonzero}.Fit(t.Context(), y)
		hold("OMP "+k, c, err, w, 1e-9)
	}
	for l := range want.Lasso {
		lambda, _ := strconv.ParseFloat(l, 64)
		c, err := Lasso{Dictionary: dictionary, Lambda: lambda}.Fit(t.Context(), y)
		hold("lasso "+l, c, err, want.Lasso[l], 1e-6)
		c, err = Lasso{Dictionary: dictionary, Lambda: lambda, Positive: true}.Fit(t.Context(), y)
		hold("positive lasso "+l, c, err, want.Positive[l], 1e-6)
		c, err = FISTA{Dictionary: dictionary, Lambda: lambda, Tol: 1e-13}.Fit(t.Context(), y)
		hold("FISTA "+l, c, err, want.Lasso[l], 1e-5)
		c, err = Threshold{Dictionary: dictionary, Level: lambda, Soft: true}.Fit(t.Context(), y)
		hold("threshold "+l, c, err, want.Threshold[l], 1e-12)
		p, err := LARS{Dictionary: dictionary, Lambda: 0.02}.Fit(t.Context(), y)
		if err != nil {
			t.Fatal(err)
		}
		at, err := p.At(lambda)
		if gap := mltest.MatrixGap(at, mltest.FromRows(want.Lasso[l])); err != nil || !(gap < 1e-6) {
			t.Errorf("the path at %s differs from the lasso by %g, %v", l, gap, err)
		}
	}
	for name, w := range map[string][]struct {
		Lambda       []float64
		Coefficients [][]float64
	}{"lasso": want.Path, "forward": want.Forward} {
		d := mat.Matrix(dictionary)
		if name == "forward" { // fewer atoms than dimensions: with more, scikit-learn's goes on among what depends
			d = dictionary.Slice(0, 10, 0, 12)
		}
		p, err := LARS{Dictionary: d, Lambda: 0.02, Forward: name == "forward"}.Fit(t.Context(), y)
		if err != nil || !p.Converged {
			t.Fatal(name, err)
		}
		for i := range w {
			lambda, z := p.Of(i)
			mltest.CloseTo(t, fmt.Sprint(name, " λ ", i), lambda, w[i].Lambda, 1e-9)
			if gap := mltest.MatrixGap(z, mltest.FromRows(w[i].Coefficients)); !(gap < 1e-8) {
				t.Errorf("%s path %d: coefficients differ by %g", name, i, gap)
			}
		}
	}
	c, err := BasisPursuit{Dictionary: dictionary}.Fit(t.Context(), y)
	hold("basis pursuit", c, err, want.BasisPursuit, 1e-7)
	if again, err := c.Reconstruct(dictionary); err != nil || mltest.MatrixGap(again, y) > 1e-9 {
		t.Errorf("basis pursuit does not give the signals back: %v", err)
	}
}

// The residual of OMP is orthogonal to the atoms chosen; that of matching pursuit has what the
// squares of the steps leave. Norms of atoms and units of data make no difference to which atoms
// are chosen.
func TestPursuitProperties(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64Range(0, 1000).Draw(r, "seed")
		d := rapid.IntRange(2, 12).Draw(r, "d")
		k := rapid.IntRange(1, 30).Draw(r, "K")
		n := rapid.IntRange(1, 5).Draw(r, "n")
		nonzero := rapid.IntRange(1, min(k, d)).Draw(r, "nonzero")
		dictionary, y := unitAtoms(seed, k, d), mltest.Normal(seed+1, n, d)
		c, err := OMP{Dictionary: dictionary, Nonzero: nonzero}.Fit(context.Background(), y)
		if err != nil {
			r.Fatal(err)
		}
		again, err := c.Reconstruct(dictionary)
		if err != nil {
			r.Fatal(err)
		}
		var left, products mat.Dense
		left.Sub(y, again)
		products.Mul(&left, dictionary.T())
		c.Coefficients.DoNonZero(func(i, j int, _ float64) {
			if v := products.At(i, j); math.Abs(v) > 1e-10 {
				r.Fatalf("the residual of row %d has the product %g with atom %d, which is chosen", i, v, j)
			}
		})
		scaled := mat.DenseCopyOf(dictionary)
		for j := range k {
			floats.Scale(math.Pow(10, float64(j%5-2)), scaled.RawRowView(j))
		}
		s, err := OMP{Dictionary: scaled, Nonzero: nonzero}.Fit(context.Background(), y)
		if err != nil || !slices.Equal(s.Coefficients.Index, c.Coefficients.Index) {
			r.Fatalf("other norms, other atoms: %v and %v, %v", s.Coefficients.Index, c.Coefficients.Index, err)
		}
		// Matching pursuit.
		before, taken := mat.NewDense(n, k, nil), make([]float64, n)
		steps := 0
		for c, err := range (MatchingPursuit{Dictionary: dictionary, Steps: 40}).Iterate(context.Background(), y) {
			if err != nil {
				r.Fatal(err)
			}
			steps++
			now := c.Dense()
			for i := range n {
				change := floats.Distance(now.RawRowView(i), before.RawRowView(i), 2)
				taken[i] += change * change
				all := floats.Norm(y.RawRowView(i), 2)
				if gap := math.Abs(all*all - taken[i] - c.Residual[i]*c.Residual[i]); gap > 1e-10*all*all {
					r.Fatalf("step %d: ‖y‖² = %g, squares of the steps %g, of the residual %g", steps, all*all, taken[i], c.Residual[i]*c.Residual[i])
				}
			}
			before = now
		}
	})
}

// On an orthonormal dictionary OMP and hard thresholding are the same, and so are the lasso and
// soft thresholding.
func TestOrthonormal(t *testing.T) {
	const d = 16
	var qr mat.QR
	qr.Factorize(mltest.Normal(3, d, d))
	var q mat.Dense
	qr.QTo(&q)
	y := mltest.Normal(4, 20, d)
	omp, err := OMP{Dictionary: &q, Nonzero: 5}.Fit(t.Context(), y)
	if err != nil {
		t.Fatal(err)
	}
	hard, err := Threshold{Dictionary: &q, Nonzero: 5}.Fit(t.Context(), y)
	if err != nil {
		t.Fatal(err)
	}
	if gap := mltest.MatrixGap(omp.Dense(), hard.Dense()); gap > 1e-12 {
		t.Errorf("OMP and hard thresholding differ by %g", gap)
	}
	soft, err := Threshold{Dictionary: &q, Level: 0.7, Soft: true}.Fit(t.Context(), y)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]interface {
		Fit(ctx context.Context, x mat.Matrix) (*Code, error)
	}{"lasso": Lasso{Dictionary: &q, Lambda: 0.7}, "ISTA": ISTA{Dictionary: &q, Lambda: 0.7}, "FISTA": FISTA{Dictionary: &q, Lambda: 0.7, Tol: 1e-12}} {
		c, err := m.Fit(t.Context(), y)
		if err != nil || mltest.MatrixGap(c.Dense(), soft.Dense()) > 1e-6 {
			t.Errorf("%s and soft thresholding differ by %g, %v", name, mltest.MatrixGap(c.Dense(), soft.Dense()), err)
		}
	}
}

// A code within the bound of the coherence is found by OMP and by basis pursuit, whatever it is.
func TestRecoveryUnderCoherence(t *testing.T) {
	// The identity and a Hadamard basis: μ = 1/8.
	const d = 64
	dictionary := mat.NewDense(2*d, d, nil)
	for i := range d {
		dictionary.Set(i, i, 1)
		for j := range d {
			sign := 1.0
			for b := i & j; b > 0; b &= b - 1 {
				sign = -sign
			}
			dictionary.Set(d+i, j, sign/8)
		}
	}
	co, err := Coherence(dictionary)
	if err != nil || math.Abs(co.Mutual-0.125) > 1e-15 || co.Support != 4 || co.Mutual < co.Welch {
		t.Fatalf("%+v, %v", co, err)
	}
	y, z := combined(5, dictionary, 40, co.Support)
	for name, m := range map[string]interface {
		Fit(ctx context.Context, x mat.Matrix) (*Code, error)
	}{"OMP": OMP{Dictionary: dictionary, Nonzero: co.Support}, "basis pursuit": BasisPursuit{Dictionary: dictionary}} {
		c, err := m.Fit(t.Context(), y)
		if err != nil || mltest.MatrixGap(c.Dense(), z) > 1e-9 || !c.Converged {
			t.Errorf("%s: codes differ by %g, %v", name, mltest.MatrixGap(c.Dense(), z), err)
		}
		if c.Coefficients.NNZ() != 40*co.Support {
			t.Errorf("%s uses %d atoms, want %d", name, c.Coefficients.NNZ(), 40*co.Support)
		}
	}
	one, err := Coherence(mat.NewDense(1, 3, []float64{1, 2, 3}))
	if err != nil || one.Mutual != 0 || one.Support != 1 {
		t.Errorf("one atom: %+v, %v", one, err)
	}
}

// The conditions of the lasso's minimum hold; it is zero just from λ = max|Dy| on; no Gram matrix,
// the same code.
func TestLassoConditions(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		seed := rapid.Uint64Range(0, 1000).Draw(r, "seed")
		d := rapid.IntRange(1, 10).Draw(r, "d")
		k := rapid.IntRange(1, 40).Draw(r, "K")
		dictionary, y := mltest.Normal(seed, k, d), mltest.Normal(seed+1, 3, d)
		share := rapid.SampledFrom([]float64{0.01, 0.3, 0.999, 1.001}).Draw(r, "share")
		var products mat.Dense
		products.Mul(y, dictionary.T())
		top := 0.0
		for _, v := range products.RawMatrix().Data {
			top = max(top, math.Abs(v))
		}
		lambda := share * top
		c, err := Lasso{Dictionary: dictionary, Lambda: lambda}.Fit(context.Background(), y)
		if err != nil || !c.Converged {
			r.Fatal(err, c)
		}
		if zero := c.Coefficients.NNZ() == 0; zero != (share > 1) {
			r.Fatalf("λ = %g of the largest product: %d entries", share, c.Coefficients.NNZ())
		}
		again, _ := c.Reconstruct(dictionary)
		var left mat.Dense
		left.Sub(y, again)
		products.Mul(&left, dictionary.T())
		z := c.Dense()
		for i := range 3 {
			for j := range k {
				p, v := products.At(i, j), z.At(i, j)
				if math.Abs(p) > lambda*(1+1e-3)+1e-12 || v != 0 && math.Abs(p-math.Copysign(lambda, v)) > 1e-3*lambda {
					r.Fatalf("row %d, atom %d: product %g, coefficient %g, λ %g; gap %g", i, j, p, v, lambda, c.Gap)
				}
			}
		}
		s, err := check(lassoMethod, dictionary, y)
		if err != nil {
			r.Fatal(err)
		}
		s.atoms.gram = nil
		rows, err := s.lasso(context.Background(), l1{lambda: lambda, maxIter: 10_000, tol: 1e-9})
		if err != nil {
			r.Fatal(err)
		}
		plain, err := s.code(context.Background(), lassoMethod, rows, true)
		if err != nil || math.Abs(plain.Objective-c.Objective) > 1e-8*(1+c.Objective) {
			r.Fatalf("without a Gram matrix the objective is %g, with it %g, %v", plain.Objective, c.Objective, err)
		}
	})
}

// Without a Gram matrix pursuits and paths are the same too.
func TestWithoutGram(t *testing.T) {
	dictionary, y := unitAtoms(7, 200, 20), mltest.Normal(8, 2, 20)
	few, err := check("", dictionary, y)
	if err != nil || few.atoms.gram != nil {
		t.Fatalf("two rows, 200 atoms: a Gram matrix is made; %v", err)
	}
	many := mat.NewDense(40, 20, nil)
	for i := range 40 {
		many.SetRow(i, y.RawRowView(i%2))
	}
	for name := range coders(dictionary) {
		a, err := coders(dictionary)[name].Fit(t.Context(), y)
		if err != nil {
			t.Fatal(err)
		}
		b, err := coders(dictionary)[name].Fit(t.Context(), many)
		if err != nil {
			t.Fatal(err)
		}
		if gap := mltest.MatrixGap(a.Dense(), b.Dense().Slice(0, 2, 0, 200)); gap > 1e-4 {
			t.Errorf("%s: with and without a Gram matrix codes differ by %g", name, gap)
		}
	}
	a, err := LARS{Dictionary: dictionary}.Fit(t.Context(), y)
	if err != nil || !a.Converged {
		t.Fatal(err)
	}
	b, err := LARS{Dictionary: dictionary}.Fit(t.Context(), many)
	if err != nil {
		t.Fatal(err)
	}
	la, za := a.Of(1)
	lb, zb := b.Of(39)
	mltest.CloseTo(t, "λ", la, lb, 1e-9)
	if gap := mltest.MatrixGap(za, zb); gap > 1e-8 {
		t.Errorf("paths differ by %g", gap)
	}
}

// After k steps FISTA is at most 2L‖z*‖²/(k+1)² above the minimum and ISTA L‖z*‖²/2k, which falls
// at every step.
func TestProximalBounds(t *testing.T) {
	dictionary, y := unitAtoms(1, 60, 20), mltest.Normal(2, 1, 20)
	best, err := Lasso{Dictionary: dictionary, Lambda: 0.2, Tol: 1e-14}.Fit(t.Context(), y)
	if err != nil {
		t.Fatal(err)
	}
	var svd mat.SVD
	svd.Factorize(dictionary, mat.SVDNone)
	l := math.Pow(svd.Values(nil)[0], 2)
	size := math.Pow(floats.Norm(best.Coefficients.Value, 2), 2)
	k, before := 0, math.Inf(1)
	for c, err := range (FISTA{Dictionary: dictionary, Lambda: 0.2, MaxIter: 400, Tol: 1e-300}).Iterate(t.Context(), y) {
		k++
		if gap := c.Objective - best.Objective; err != nil || gap > 2*l*size/float64((k+1)*(k+1)) || gap < -1e-12 || c.Gap < gap-1e-12 {
			t.Fatalf("FISTA, step %d: %g above the minimum, its gap %g, %v", k, gap, c.Gap, err)
		}
	}
	if k != 400 {
		t.Errorf("%d steps, want 400", k)
	}
	k = 0
	for c, err := range (ISTA{Dictionary: dictionary, Lambda: 0.2, MaxIter: 400, Tol: 1e-300}).Iterate(t.Context(), y) {
		k++
		if gap := c.Objective - best.Objective; err != nil || gap > l*size/2/float64(k) || c.Objective > before+1e-13 {
			t.Fatalf("ISTA, step %d: %g above the minimum, %g after %g, %v", k, gap, c.Objective, before, err)
		}
		before = c.Objective
	}
}

// Rows that end early leave the others' codes as they are.
func TestProximalRowsAreIndependent(t *testing.T) {
	dictionary, y := unitAtoms(1, 60, 20), mltest.Normal(2, 30, 20)
	y.SetRow(3, make([]float64, 20))
	all, err := FISTA{Dictionary: dictionary, Lambda: 0.3}.Fit(t.Context(), y)
	if err != nil || !all.Converged {
		t.Fatal(err)
	}
	for i := range 30 {
		one, err := FISTA{Dictionary: dictionary, Lambda: 0.3}.Fit(t.Context(), y.Slice(i, i+1, 0, 20))
		if err != nil || mltest.MatrixGap(one.Dense(), all.Dense().Slice(i, i+1, 0, 60)) > 1e-12 {
			t.Errorf("row %d alone: codes differ by %g, %v", i, mltest.MatrixGap(one.Dense(), all.Dense().Slice(i, i+1, 0, 60)), err)
		}
	}
}

// The interior point's value is that of gonum's simplex.
func TestBasisPursuitIsALinearProgramme(t *testing.T) {
	for seed := range uint64(10) {
		const k, d = 12, 6
		dictionary, y := mltest.Normal(seed, k, d), mltest.Normal(seed+50, 1, d)
		c, err := BasisPursuit{Dictionary: dictionary}.Fit(t.Context(), y)
		if err != nil || !c.Converged {
			t.Fatal(err)
		}
		a, cost := mat.NewDense(d, 2*k, nil), make([]float64, 2*k)
		for j := range 2 * k {
			sign := 1.0
			if j >= k {
				sign = -1
			}
			cost[j] = 1
			for i := range d {
				a.Set(i, j, sign*dictionary.At(j%k, i))
			}
		}
		want, _, err := lp.Simplex(cost, a, mat.Row(nil, 0, y), 1e-12, nil)
		if err != nil || math.Abs(want-c.Objective) > 1e-9 || c.Gap > 1e-8*want {
			t.Errorf("seed %d: ‖z‖₁ = %v, gap %g; the simplex has %v, %v", seed, c.Objective, c.Gap, want, err)
		}
	}
	// Fewer atoms than dimensions: a row in their span is coded, another refused.
	dictionary := mltest.Normal(1, 4, 9)
	y, z := combined(2, dictionary, 5, 2)
	c, err := BasisPursuit{Dictionary: dictionary}.Fit(t.Context(), y)
	if err != nil || mltest.MatrixGap(c.Dense(), z) > 1e-9 {
		t.Errorf("codes differ: %v", err)
	}
	_, err = BasisPursuit{Dictionary: dictionary}.Fit(t.Context(), mltest.Normal(3, 2, 9))
	mltest.Refused(t, "span", err, ml.ErrParameter, "of row = 0", "Lasso takes such rows")
}

// Equal atoms, atoms that depend on others, and more steps than there are dimensions.
func TestDependentAtoms(t *testing.T) {
	dictionary := mat.NewDense(6, 3, []float64{1, 0, 0, 1, 0, 0, 0, 1, 0, 1, 1, 0, 0, 0, 1, 2, 0, 0})
	y := mat.NewDense(2, 3, []float64{1, 2, 3, -1, 0.5, 0})
	for name, c := range coders(dictionary) {
		m, err := c.Fit(t.Context(), y)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for i, v := range m.Residual {
			if !(v <= floats.Norm(y.RawRowView(i), 2)+1e-12) && name != "threshold" && name != "soft" {
				t.Errorf("%s: residual %g", name, v)
			}
		}
	}
	c, err := OMP{Dictionary: dictionary, Tol: 1e-12}.Fit(t.Context(), y)
	if err != nil || !c.Converged || c.Residual[0] > 1e-12 {
		t.Errorf("OMP leaves %v, %v", c.Residual, err)
	}
	p, err := LARS{Dictionary: dictionary}.Fit(t.Context(), y)
	if err != nil || !p.Converged {
		t.Fatalf("%+v, %v", p, err)
	}
	at, _ := p.At(0.25)
	l, err := Lasso{Dictionary: dictionary, Lambda: 0.25}.Fit(t.Context(), y)
	if err != nil {
		t.Fatal(err)
	}
	objective := 0.0
	var left mat.Dense
	left.Mul(at, dictionary)
	left.Sub(y, &left)
	for i := range 2 {
		objective += math.Pow(floats.Norm(left.RawRowView(i), 2), 2)/2 + 0.25*floats.Norm(at.RawRowView(i), 1)
	}
	if math.Abs(objective-l.Objective) > 1e-8 {
		t.Errorf("the path's objective is %v, the lasso's %v", objective, l.Objective)
	}
}

func TestBadCoders(t *testing.T) {
	dictionary, y := unitAtoms(1, 6, 4), mltest.Normal(2, 5, 4)
	zero := mat.DenseCopyOf(dictionary)
	zero.SetRow(3, make([]float64, 4))
	nan := mat.DenseCopyOf(dictionary)
	nan.Set(2, 1, math.NaN())
	type coder interface {
		Fit(ctx context.Context, x mat.Matrix) (*Code, error)
	}
	for name, c := range map[string]struct {
		m    coder
		kind error
		says string
	}{
		"no dictionary": {OMP{}, ml.ErrEmpty, "Dictionary: the matrix is nil"},
		"zero atom":     {OMP{Dictionary: zero}, ml.ErrParameter, "the norm of atom 3 = 0"},
		"NaN":           {Lasso{Dictionary: nan}, ml.ErrNotFinite, "Dictionary: row 2, column 1 is NaN"},
		"columns":       {OMP{Dictionary: unitAtoms(1, 6, 5)}, ml.ErrShape, "the data have 4 columns, the atoms of Dictionary 5"},
		"nonzero":       {OMP{Dictionary: dictionary, Nonzero: 5}, ml.ErrParameter, "Nonzero = 5, want 1 to 4"},
		"negative":      {OMP{Dictionary: dictionary, Nonzero: -1}, ml.ErrParameter, "Nonzero = -1"},
		"tol":           {OMP{Dictionary: dictionary, Tol: math.NaN()}, ml.ErrParameter, "Tol = NaN"},
		"steps":         {MatchingPursuit{Dictionary: dictionary, Steps: -1}, ml.ErrParameter, "Steps = -1"},
		"matching tol":  {MatchingPursuit{Dictionary: dictionary, Tol: -1}, ml.ErrParameter, "Tol = -1"},
		"level":         {Threshold{Dictionary: dictionary, Level: -1}, ml.ErrParameter, "Level = -1"},
		"kept":          {Threshold{Dictionary: dictionary, Nonzero: 7}, ml.ErrParameter, "Nonzero = 7, want 1 to K = 6"},
		"soft":          {Threshold{Dictionary: dictionary, Soft: true}, ml.ErrParameter, "Soft = true, want a positive Level"},
		"lambda":        {Lasso{Dictionary: dictionary, Lambda: -1}, ml.ErrParameter, "Lambda = -1"},
		"passes":        {FISTA{Dictionary: dictionary, MaxIter: -1}, ml.ErrParameter, "MaxIter = -1"},
		"gap":           {ISTA{Dictionary: dictionary, Tol: math.Inf(1)}, ml.ErrParameter, "Tol = +Inf"},
		"basis":         {BasisPursuit{Dictionary: dictionary, MaxIter: -1}, ml.ErrParameter, "MaxIter = -1"},
		"basis tol":     {BasisPursuit{Dictionary: dictionary, Tol: -1}, ml.ErrParameter, "Tol = -1"},
	} {
		_, err := c.m.Fit(t.Context(), y)
		mltest.Refused(t, name, err, c.kind, c.says, "sparse.")
	}
	mltest.Refused(t, "path", mltest.Err(LARS{Dictionary: dictionary, Steps: -1}.Fit(t.Context(), y)), ml.ErrParameter, "Steps = -1")
	mltest.Refused(t, "path end", mltest.Err(LARS{Dictionary: dictionary, Lambda: -1}.Fit(t.Context(), y)), ml.ErrParameter, "Lambda = -1")
	p, err := LARS{Dictionary: dictionary}.Fit(t.Context(), y)
	if err != nil {
		t.Fatal(err)
	}
	mltest.Refused(t, "at", mltest.Err(p.At(math.NaN())), ml.ErrParameter, "lambda = NaN")
	mltest.Refused(t, "no path", mltest.Err((&Path{}).At(1)), ml.ErrEmpty, "no rows")
	mltest.Refused(t, "coherence", mltest.Err(Coherence(zero)), ml.ErrParameter, "the norm of atom 3 = 0")
	c, err := OMP{Dictionary: dictionary}.Fit(t.Context(), y)
	if err != nil {
		t.Fatal(err)
	}
	mltest.Refused(t, "other atoms", mltest.Err(c.Reconstruct(unitAtoms(1, 5, 4))), ml.ErrShape, "5 atoms, the codes are of 6")
}

// A coder that is cut off ends at once.
func TestCodersArePrompt(t *testing.T) {
	dictionary := unitAtoms(1, 400, 100)
	y := mltest.Normal(2, 3000, 100)
	for name, c := range coders(dictionary) {
		if f, ok := c.(FISTA); ok {
			f.MaxIter, f.Tol, c = 0, 1e-300, f
		}
		mltest.Prompt(t, name, 30*time.Millisecond, func(ctx context.Context) error { return mltest.Err(c.Fit(ctx, y)) })
	}
	mltest.Prompt(t, "path", 30*time.Millisecond, func(ctx context.Context) error {
		return mltest.Err(LARS{Dictionary: dictionary}.Fit(ctx, y))
	})
}
