package sparse

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// centered are the digits less their mean.
func centered(t testing.TB) *mat.Dense {
	t.Helper()
	x := mat.DenseCopyOf(datasets.Digits().X)
	n, d := x.Dims()
	for j := range d {
		column := mat.Col(nil, j, x)
		floats.AddConst(-floats.Sum(column)/float64(n), column)
		x.SetCol(j, column)
	}
	return x
}

// relative is what OMP with six atoms leaves, as a part of the sum of squares.
func relative(t testing.TB, atoms, x *mat.Dense) float64 {
	t.Helper()
	c, err := OMP{Dictionary: atoms, Nonzero: 6}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	return 2 * c.Objective / math.Pow(mat.Norm(x, 2), 2)
}

func TestDictionaryConformance(t *testing.T) {
	k := KSVD{Atoms: 4, Nonzero: 1}
	mltest.Run(t, mltest.Method[DictionaryModel]{Fit: k.Fit, Iterate: k.Iterate, Objective: func(m *DictionaryModel) float64 { return m.Objective }})
	digits := mat.DenseCopyOf(centered(t).Slice(0, 120, 20, 32))
	k = KSVD{Atoms: 30, Nonzero: 3}
	t.Run("digits", func(t *testing.T) {
		mltest.Run(t, mltest.Method[DictionaryModel]{Fit: k.Fit, Iterate: k.Iterate, Data: digits, Objective: func(m *DictionaryModel) float64 { return m.Objective }})
	})
	for name, o := range map[string]OnlineDictionary{"online": {Atoms: 4, Batch: 20}, "online OMP": {Atoms: 4, Batch: 20, Nonzero: 1}} {
		t.Run(name, func(t *testing.T) {
			mltest.Run(t, mltest.Method[DictionaryModel]{Fit: o.Fit, Iterate: o.Iterate})
		})
	}
}

func TestSavedDictionary(t *testing.T) {
	mltest.Saved[DictionaryModel](t, "testdata/dictionary-format1.zip")
}

// Six of 64 atoms leave of the digits far less than scikit-learn's do with its default penalty,
// 0.171, and as little as with one that suits the data; atoms keep to the unit ball.
func TestDigitsDictionary(t *testing.T) {
	peers := mltest.ReadJSON[map[string]float64](t, "dictionary.json")
	x := centered(t)
	for name, fit := range map[string]func() (*DictionaryModel, error){
		"K-SVD":  func() (*DictionaryModel, error) { return KSVD{Atoms: 64, Nonzero: 6, MaxIter: 40}.Fit(t.Context(), x) },
		"online": func() (*DictionaryModel, error) { return OnlineDictionary{Atoms: 64}.Fit(t.Context(), x) },
		"OMP":    func() (*DictionaryModel, error) { return OnlineDictionary{Atoms: 64, Nonzero: 6}.Fit(t.Context(), x) },
	} {
		m, err := fit()
		if err != nil {
			t.Fatal(name, err)
		}
		e := relative(t, m.Atoms, x)
		t.Logf("%s: %.4f; scikit-learn %v", name, e, peers)
		if e > 0.7*peers["1"] || e > 1.05*peers["5"] {
			t.Errorf("%s leaves %v of the squares, scikit-learn %v", name, e, peers)
		}
		for j := range 64 {
			if norm := floats.Norm(m.Atoms.RawRowView(j), 2); norm > 1+1e-12 || norm == 0 {
				t.Errorf("%s: atom %d has norm %v", name, j, norm)
			}
		}
		if name == "K-SVD" {
			c, err := m.Transform(t.Context(), x)
			// OMP anew may code a row worse than the code that the fit kept, but hardly.
			if err != nil || c.Objective > 1.1*m.Objective {
				t.Errorf("Transform's error %v, the fit's %v, %v", c.Objective, m.Objective, err)
			}
			if most := c.Nonzeros(); len(most) != 1797 || most[0] > 6 {
				t.Errorf("%d rows, %d atoms", len(most), most[0])
			}
		}
	}
}

// An update of an atom is the best approximation of rank one, as the SVD gives it.
func TestAtomUpdateIsRankOne(t *testing.T) {
	x := mltest.Normal(1, 60, 8)
	f, err := KSVD{Atoms: 6, Nonzero: 2, Power: 500}.check(x)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.code(t.Context()); err != nil {
		t.Fatal(err)
	}
	var uses []use
	var rest [][]float64
	for i, z := range f.rows {
		for at, j := range z.index {
			if j == 2 {
				uses = append(uses, use{i, at})
				r := append([]float64(nil), f.left.RawRowView(i)...)
				floats.AddScaled(r, z.value[at], f.atoms.RawRowView(2))
				rest = append(rest, r)
			}
		}
	}
	f.update(2, uses)
	var svd mat.SVD
	svd.Factorize(mltest.FromRows(rest), mat.SVDThin)
	var v mat.Dense
	svd.VTo(&v)
	if c := math.Abs(floats.Dot(f.atoms.RawRowView(2), mat.Col(nil, 0, &v))); c < 1-1e-9 {
		t.Errorf("cosine with the first singular vector %v", c)
	}
	square := 0.0
	for _, u := range uses {
		square += math.Pow(floats.Norm(f.left.RawRowView(u.i), 2), 2)
	}
	want := 0.0
	for _, s := range svd.Values(nil)[1:] {
		want += s * s
	}
	if math.Abs(square-want) > 1e-8*want {
		t.Errorf("%v is left of the squares, want %v", square, want)
	}
}

// Rows that are made of few atoms each give the atoms back, up to order and sign.
func TestPlantedDictionary(t *testing.T) {
	planted := unitAtoms(1, 24, 12)
	x, _ := combined(2, planted, 1500, 2)
	noise := mltest.Normal(3, 1500, 12)
	for i, v := range noise.RawMatrix().Data {
		x.RawMatrix().Data[i] += 0.02 * v
	}
	found := func(atoms *mat.Dense) (count int) {
		var c mat.Dense
		c.Mul(planted, atoms.T())
		for j := range 24 {
			best := 0.0
			for _, v := range c.RawRowView(j) {
				best = max(best, math.Abs(v))
			}
			if best > 0.99 {
				count++
			}
		}
		return count
	}
	// It has local minima.
	k, err := KSVD{Atoms: 24, Nonzero: 2}.Fit(t.Context(), x)
	if err != nil || found(k.Atoms) < 18 {
		t.Errorf("K-SVD finds %d of 24 atoms, %v", found(k.Atoms), err)
	}
	// The same rows as a stream that is never held whole.
	s, err := OnlineDictionary{Atoms: 24, Lambda: 0.2}.Start(12)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(60) {
		batch, _ := combined(100+seed, planted, 200, 2)
		if err := s.Add(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	m, err := s.Model()
	if err != nil || found(m.Atoms) < 22 || m.Iterations != 60 {
		t.Errorf("the stream finds %d of 24 atoms, %v", found(m.Atoms), err)
	}
}

// Atoms that nobody uses are drawn anew from the data.
func TestUnusedAtomsAreRedrawn(t *testing.T) {
	x, _ := combined(4, unitAtoms(3, 10, 6), 400, 1)
	for i := range 400 { // all in a plane, where one of the first atoms does not lie
		x.Set(i, 5, 0)
	}
	init := unitAtoms(5, 10, 6)
	for j := range 5 {
		init.SetRow(j, []float64{1e-9 * float64(j), 0, 0, 0, 0, 1})
	}
	k, err := KSVD{Atoms: 10, Nonzero: 1, Init: init}.Fit(t.Context(), x)
	if err != nil || k.Redrawn == 0 {
		t.Fatalf("K-SVD redraws %d atoms, %v", k.Redrawn, err)
	}
	s, err := OnlineDictionary{Atoms: 10, Nonzero: 1, Init: init}.Start(6)
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		if err := s.Add(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	m, err := s.Model()
	if err != nil || m.Redrawn == 0 {
		t.Fatalf("the stream redraws %d atoms, %v", m.Redrawn, err)
	}
	for _, atoms := range []*mat.Dense{k.Atoms, m.Atoms} {
		for j := range 10 {
			if math.Abs(atoms.At(j, 5)) > 0.5 {
				t.Errorf("atom %d is still %v", j, atoms.RawRowView(j))
			}
		}
	}
}

// Fewer rows than atoms at first: the rest of the atoms wait for more.
func TestStreamOfFewRows(t *testing.T) {
	s, err := OnlineDictionary{Atoms: 12}.Start(5)
	if err != nil {
		t.Fatal(err)
	}
	mltest.Refused(t, "nothing yet", mltest.Err(s.Model()), ml.ErrEmpty, "no row but of zeros")
	if err := s.Add(t.Context(), mat.NewDense(3, 5, nil)); err != nil {
		t.Fatal(err)
	}
	mltest.Refused(t, "zeros", mltest.Err(s.Model()), ml.ErrEmpty, "no row but of zeros")
	x := mltest.Normal(1, 40, 5)
	for _, c := range []struct{ lo, hi, atoms int }{{0, 1, 1}, {1, 6, 6}, {6, 20, 12}, {20, 40, 12}} {
		if err := s.Add(t.Context(), x.Slice(c.lo, c.hi, 0, 5)); err != nil {
			t.Fatal(err)
		}
		m, err := s.Model()
		if err != nil {
			t.Fatal(err)
		}
		if k, _ := m.Atoms.Dims(); k != c.atoms {
			t.Errorf("after row %d there are %d atoms, want %d", c.hi, k, c.atoms)
		}
		if _, err := m.Transform(t.Context(), x); err != nil {
			t.Error(err)
		}
	}
	// A batch that is refused leaves the stream as it was.
	before, _ := s.Model()
	bad := mltest.Normal(2, 3, 5)
	bad.Set(1, 1, math.NaN())
	mltest.Refused(t, "NaN", s.Add(t.Context(), bad), ml.ErrNotFinite, "row 1, column 1")
	mltest.Refused(t, "columns", s.Add(t.Context(), mltest.Normal(1, 2, 4)), ml.ErrShape, "4 columns")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Add(ended, x); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if after, _ := s.Model(); !mat.Equal(before.Atoms, after.Atoms) || after.Iterations != before.Iterations {
		t.Error("a batch that is refused changes the dictionary")
	}
}

func TestPatches(t *testing.T) {
	image := mat.NewDense(5, 7, nil)
	for k := range image.RawMatrix().Data {
		image.RawMatrix().Data[k] = float64(k)
	}
	p, err := Patches(image, 2, 3)
	if err != nil || !mat.Equal(p, mltest.FromRows([][]float64{{0, 1, 7, 8}, {3, 4, 10, 11}, {21, 22, 28, 29}, {24, 25, 31, 32}})) {
		t.Errorf("%v, %v", mat.Formatted(p), err)
	}
	r := rng.New(1)
	for range 20 {
		side := 1 + r.IntN(5)
		p, err := Patches(image, side, 1)
		if err != nil {
			t.Fatal(err)
		}
		again, err := FromPatches(p, 5, 7, side, 1)
		if err != nil || mltest.MatrixGap(again, image) > 1e-12 {
			t.Errorf("side %d: the image is not that of its patches, %v", side, err)
		}
	}
	mltest.Refused(t, "side", mltest.Err(Patches(image, 6, 1)), ml.ErrParameter, "side = 6, want 1 to 5")
	mltest.Refused(t, "step", mltest.Err(Patches(image, 2, 0)), ml.ErrParameter, "step = 0")
	mltest.Refused(t, "shape", mltest.Err(FromPatches(p, 5, 7, 2, 1)), ml.ErrShape, "the patches are 4×4, want 24×4")
	mltest.Refused(t, "no image", mltest.Err(Patches(nil, 2, 1)), ml.ErrEmpty, "nil")
}

func TestBadDictionaries(t *testing.T) {
	x := mltest.Normal(1, 20, 4)
	fit := func(k KSVD, x mat.Matrix) error { return mltest.Err(k.Fit(t.Context(), x)) }
	online := func(o OnlineDictionary, x mat.Matrix) error { return mltest.Err(o.Fit(t.Context(), x)) }
	few := mat.NewDense(20, 4, nil)
	few.SetRow(3, []float64{1, 2, 3, 4})
	for name, c := range map[string]struct {
		err, kind error
		says      string
	}{
		"atoms":          {fit(KSVD{Atoms: 21}, x), ml.ErrParameter, "Atoms = 21, want 1 to n = 20"},
		"negative":       {fit(KSVD{Atoms: -1}, x), ml.ErrParameter, "Atoms = -1"},
		"nonzero":        {fit(KSVD{Nonzero: 5}, x), ml.ErrParameter, "Nonzero = 5, want 1 to min(Atoms, d) = 4"},
		"passes":         {fit(KSVD{MaxIter: -1}, x), ml.ErrParameter, "MaxIter = -1"},
		"power":          {fit(KSVD{Power: -1}, x), ml.ErrParameter, "Power = -1"},
		"tol":            {fit(KSVD{Tol: -1}, x), ml.ErrParameter, "Tol = -1"},
		"init":           {fit(KSVD{Atoms: 3, Init: x}, x), ml.ErrShape, "Init is 20×4, want 3×4"},
		"zeros":          {fit(KSVD{Atoms: 2}, few), ml.ErrParameter, "Atoms = 2, want at most the number of rows that are not 0, 1"},
		"zero atom":      {fit(KSVD{Atoms: 20, Init: few}, x), ml.ErrParameter, "the norm of atom 0"},
		"online atoms":   {online(OnlineDictionary{Atoms: 21}, x), ml.ErrParameter, "Atoms = 21, want 1 to n = 20"},
		"online nonzero": {online(OnlineDictionary{Nonzero: 5}, x), ml.ErrParameter, "Nonzero = 5"},
		"both":           {online(OnlineDictionary{Nonzero: 2, Lambda: 1}, x), ml.ErrParameter, "Lambda = 1, want 0 with Nonzero"},
		"lambda":         {online(OnlineDictionary{Lambda: -1}, x), ml.ErrParameter, "Lambda = -1"},
		"batch":          {online(OnlineDictionary{Batch: -1}, x), ml.ErrParameter, "Batch = -1"},
		"epochs":         {online(OnlineDictionary{Epochs: -1}, x), ml.ErrParameter, "Epochs = -1"},
		"forget":         {online(OnlineDictionary{Forget: math.NaN()}, x), ml.ErrParameter, "Forget = NaN"},
		"d":              {mltest.Err(OnlineDictionary{}.Start(0)), ml.ErrParameter, "d = 0"},
	} {
		mltest.Refused(t, name, c.err, c.kind, c.says, "sparse.")
	}
	big := mltest.Normal(2, 4000, 60)
	mltest.Prompt(t, "K-SVD", 50*time.Millisecond, func(ctx context.Context) error { return mltest.Err(KSVD{Tol: 1e-300, MaxIter: 10_000}.Fit(ctx, big)) })
	mltest.Prompt(t, "online", 50*time.Millisecond, func(ctx context.Context) error { return mltest.Err(OnlineDictionary{Epochs: 100}.Fit(ctx, big)) })
}

// A stream of 200,000 rows of 64 numbers, 102 MB, takes no more of the heap than one of a
// twentieth.
func TestStreamMemoryIsConstant(t *testing.T) {
	planted := unitAtoms(1, 40, 64)
	peak := func(batches int) (most uint64) {
		s, err := OnlineDictionary{Atoms: 40, Nonzero: 2}.Start(64)
		if err != nil {
			t.Fatal(err)
		}
		for b := range batches {
			x, _ := combined(uint64(b), planted, 1000, 2)
			if err := s.Add(t.Context(), x); err != nil {
				t.Fatal(err)
			}
			if b%5 == 4 {
				runtime.GC()
				var stats runtime.MemStats
				runtime.ReadMemStats(&stats)
				most = max(most, stats.HeapAlloc)
			}
		}
		if m, err := s.Model(); err != nil || m.Iterations != batches {
			t.Fatal(m, err)
		}
		return most
	}
	small, large := peak(10), peak(200)
	t.Logf("the heap holds %.2f MB after 10,000 rows, %.2f MB at most for 200,000", float64(small)/1e6, float64(large)/1e6)
	if large > small+2e6 || large > 102e6/5 {
		t.Errorf("the heap holds %d bytes for 200,000 rows, %d for a twentieth", large, small)
	}
}
