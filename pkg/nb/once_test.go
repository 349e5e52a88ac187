package nb

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/trials"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// Sources that are edited while the tests run would keep everything from being kept.
func init() { programBuilt = func() (time.Time, error) { return time.Now().Add(time.Hour), nil } }

// counting is a method that counts how often it is fitted.
type counting struct {
	Scale   float64
	Init    mat.Matrix
	Weights []float64
	Hook    func()
	fails   error
}

type countingModel struct {
	Sum    float64
	Center *mat.Dense
}

var fits atomic.Int32

func (c counting) Fit(ctx context.Context, x mat.Matrix) (*countingModel, error) {
	fits.Add(1)
	return &countingModel{c.Scale * mat.Sum(x), mat.NewDense(1, 2, []float64{1, c.Scale})}, c.fails
}

func data(v ...float64) *mat.Dense { return mat.NewDense(1, len(v), v) }

// fittedBy reports whether Once called Fit, and the model.
func fittedBy(t *testing.T, c counting, x mat.Matrix) (bool, *countingModel) {
	t.Helper()
	before := fits.Load()
	m, err := Once(t.Context(), c, x)
	if !errors.Is(err, c.fails) {
		t.Fatal(err)
	}
	return fits.Load() > before, m
}

func TestOnceFitsOnceAndNeverServesAStaleAnswer(t *testing.T) {
	t.Setenv("LATENT_CACHE", t.TempDir())
	base := counting{Scale: 2, Weights: []float64{1}}
	if again, _ := fittedBy(t, base, data(1, 2)); !again {
		t.Fatal("the first call did not fit")
	}
	again, m := fittedBy(t, base, data(1, 2))
	if again {
		t.Error("the same fit was computed twice")
	}
	if m.Sum != 6 || m.Center.At(0, 1) != 2 {
		t.Errorf("the kept model is %+v", m)
	}
	// A transposed copy of equal content is the same data; everything else here is not.
	if again, _ := fittedBy(t, base, mat.DenseCopyOf(data(1, 2))); again {
		t.Error("equal content in another place was fitted again")
	}
	for name, change := range map[string]func() (counting, mat.Matrix){
		"an option":             func() (counting, mat.Matrix) { c := base; c.Scale = 3; return c, data(1, 2) },
		"a slice":               func() (counting, mat.Matrix) { c := base; c.Weights = []float64{2}; return c, data(1, 2) },
		"a matrix option":       func() (counting, mat.Matrix) { c := base; c.Init = data(1); return c, data(1, 2) },
		"that matrix's content": func() (counting, mat.Matrix) { c := base; c.Init = data(7); return c, data(1, 2) },
		"a number of x":         func() (counting, mat.Matrix) { return base, data(1, 2+1e-15) },
		"x's shape":             func() (counting, mat.Matrix) { return base, mat.NewDense(2, 1, []float64{1, 2}) },
		"a zero's sign":         func() (counting, mat.Matrix) { return base, data(0, 3) },
	} {
		if again, _ := fittedBy(t, first(change()), second(change())); !again {
			t.Errorf("a model fitted before %s changed was served", name)
		}
	}
	c := base
	c.Hook = func() {}
	for range 2 {
		if again, _ := fittedBy(t, c, data(1, 2)); !again {
			t.Error("a method with a function among its options was not fitted")
		}
	}
}

// Trials are more than the matrix that they are: the same steps cut elsewhere, or under other
// conditions, are other data. And a sparse matrix of a million million elements is known by its
// entries.
func TestOnceKnowsTheLibrarysMatrices(t *testing.T) {
	t.Setenv("LATENT_CACHE", t.TempDir())
	steps := mat.NewDense(4, 1, []float64{1, 2, 3, 4})
	cut := func(labels []string, lengths ...int) mat.Matrix {
		x, err := trials.Cut(steps, lengths, trials.NewFactor("side", labels))
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	large := func(column int) mat.Matrix {
		m, err := csr.FromTriplets(1e6, 1e6, []int{3}, []int{column}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	for i, x := range []mat.Matrix{steps, cut([]string{"a", "b"}, 2, 2), cut([]string{"a", "b"}, 1, 3), cut([]string{"a", "a"}, 1, 3), large(5), large(6)} {
		for again := range 2 {
			sizedFits = 0
			if _, err := Once(t.Context(), sized{}, x); err != nil {
				t.Fatal(err)
			}
			if sizedFits != 1-again {
				t.Errorf("data %d: %d fits at call %d", i, sizedFits, again)
			}
		}
	}
}

// sized is a method that counts its fits and looks at no element.
type sized struct{}

var sizedFits int

func (sized) Fit(_ context.Context, x mat.Matrix) (int, error) {
	sizedFits++
	n, _ := x.Dims()
	return n, nil
}

func first(c counting, _ mat.Matrix) counting    { return c }
func second(_ counting, x mat.Matrix) mat.Matrix { return x }

func TestOnceDoesNotKeepFailures(t *testing.T) {
	t.Setenv("LATENT_CACHE", t.TempDir())
	for _, err := range []error{errors.New("no"), context.Canceled} {
		for range 2 {
			if again, m := fittedBy(t, counting{fails: err}, data(1)); !again || m == nil {
				t.Error("a failed fit was kept, or its model so far was lost")
			}
		}
	}
}

// The source of the library is part of the key: an edited file, an added one and a removed one each
// change it.
func TestSourceHashSeesEveryEdit(t *testing.T) {
	root := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module x\n")
	write("pkg/ml/a.go", "package ml")
	write("internal/blas/a.s", "TEXT")
	seen := map[string]string{}
	record := func(what string) {
		h, _, err := sourceHash(root)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[h]; ok {
			t.Errorf("%s has the hash of %s", what, other)
		}
		seen[h] = what
	}
	record("the beginning")
	write("pkg/ml/a.go", "package ml // edited")
	record("an edit")
	write("internal/blas/a.s", "TEXT2")
	record("an edit of assembly")
	write("pkg/ml/b.go", "package ml")
	record("a new file")
	write("go.mod", "module x\nrequire y v1\n")
	record("another dependency")
	write("pkg/datasets/iris.csv", "1,2")
	record("embedded data")
	h, _, _ := sourceHash(root)
	write("pkg/ml/a_test.go", "package ml")
	if again, _, _ := sourceHash(root); again != h {
		t.Error("a test file changes what is computed")
	}
}

func TestOnceRefitsWhatItCannotRead(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LATENT_CACHE", dir)
	fittedBy(t, counting{Scale: 5}, data(1))
	files, _ := filepath.Glob(filepath.Join(dir, "*.gob"))
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	flipped := append([]byte{}, whole...)
	flipped[len(flipped)-1] ^= 1
	for name, content := range map[string][]byte{
		"empty": nil, "truncated": whole[:len(whole)-3], "foreign": []byte("PK\x03\x04"), "a flipped bit": flipped, "only the head": whole[:20],
	} {
		if err := os.WriteFile(files[0], content, 0o644); err != nil {
			t.Fatal(err)
		}
		if again, m := fittedBy(t, counting{Scale: 5}, data(1)); !again || m.Sum != 5 {
			t.Errorf("%s file: refitted %t, model %+v", name, again, m)
		}
		if again, _ := fittedBy(t, counting{Scale: 5}, data(1)); again {
			t.Errorf("%s file: the refit was not kept", name)
		}
	}
}

func TestCacheIsBounded(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("LATENT_CACHE", dir)
	t.Setenv("LATENT_CACHE_SIZE", "4000")
	size := func() (total int64) {
		entries, _ := os.ReadDir(dir)
		for _, e := range entries {
			info, _ := e.Info()
			total += info.Size()
		}
		return total
	}
	big := func(i int) ([]byte, error) { return make([]byte, 1000), nil }
	for i := range 20 {
		if _, err := Memo(i, func() ([]byte, error) { return big(i) }); err != nil {
			t.Fatal(err)
		}
		if s := size(); s > 4000 {
			t.Fatalf("%d bytes are kept, the bound is 4000", s)
		}
	}
	// A single value above the bound is kept alone, and a value used again outlives older ones.
	old := time.Now().Add(-time.Hour)
	files, _ := filepath.Glob(filepath.Join(dir, "*.gob"))
	for _, f := range files {
		_ = os.Chtimes(f, old, old)
	}
	calls := 0
	use := func() { _, _ = Memo(19, func() ([]byte, error) { calls++; return big(19) }) }
	use()
	_, _ = Memo("new", func() ([]byte, error) { return big(0) })
	_, _ = Memo("newer", func() ([]byte, error) { return big(0) })
	use()
	if calls != 0 {
		t.Error("the value used last was evicted before older ones")
	}
}

func TestMemoKeysByEveryInput(t *testing.T) {
	t.Setenv("LATENT_CACHE", t.TempDir())
	calls := 0
	get := func(key any) int {
		v, err := Memo(key, func() (int, error) { calls++; return calls, nil })
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	a := get(Key{"curve", 3, data(1, 2)})
	if get(Key{"curve", 3, data(1, 2)}) != a {
		t.Error("the same key was computed twice")
	}
	for _, other := range []any{Key{"curve", 4, data(1, 2)}, Key{"curve", 3, data(1, 3)}, Key{"curve", 3.0, data(1, 2)}, Key{"curve", 3}, "curve",
		map[string]int{"a": 1, "b": 2}, map[string]int{"a": 2, "b": 1}, struct{ A, B int }{1, 2}, []string{"ab", "c"}, []string{"a", "bc"}, nil} {
		if get(other) == a {
			t.Errorf("%v is served the answer of another key", other)
		}
	}
	if _, err := Memo(func() {}, func() (int, error) { return 0, nil }); err == nil {
		t.Error("a function is accepted as a key")
	}
	// The type is part of the key: an int kept under a name is no string.
	if s, err := Memo("curve", func() (string, error) { return "s", nil }); err != nil || s != "s" {
		t.Errorf("%q, %v", s, err)
	}
}

func TestDigestSeparatesFloats(t *testing.T) {
	t.Setenv("LATENT_CACHE", t.TempDir())
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.SliceOfN(rapid.Float64(), 1, 80).Draw(t, "a"), rapid.SliceOfN(rapid.Float64(), 1, 80).Draw(t, "b")
		ka, err := keyOf("t", a, nil)
		if err != nil {
			t.Fatal(err)
		}
		kb, _ := keyOf("t", b, nil)
		same := len(a) == len(b)
		for i := 0; same && i < len(a); i++ {
			same = a[i] == b[i]
		}
		if same != (ka == kb) {
			t.Fatalf("equal: %t, equal keys: %t", same, ka == kb)
		}
	})
}

// Many processes that store and load the same keys at once leave readable files and right answers.
func TestProcessesDoNotCorruptEachOther(t *testing.T) {
	if os.Getenv("NB_CHILD") != "" {
		for i := range 60 {
			k := i % 6
			v, err := Memo(Key{"shared", k}, func() ([]int, error) {
				out := make([]int, 5000)
				for j := range out {
					out[j] = k
				}
				return out, nil
			})
			if err != nil || len(v) != 5000 || v[0] != k || v[4999] != k {
				t.Fatalf("key %d: %d values, %v", k, len(v), err)
			}
		}
		return
	}
	dir := t.TempDir()
	var children []*exec.Cmd
	for range 4 {
		c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessesDoNotCorruptEachOther$")
		c.Env = append(os.Environ(), "NB_CHILD=1", "LATENT_CACHE="+dir, "LATENT_CACHE_SIZE=60000")
		c.Stdout, c.Stderr = os.Stderr, os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		children = append(children, c)
	}
	for _, c := range children {
		if err := c.Wait(); err != nil {
			t.Errorf("a process failed: %v", err)
		}
	}
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		var v []int
		if strings.HasPrefix(e.Name(), ".part-") {
			t.Errorf("%s is left behind", e.Name())
		} else if err := load(filepath.Join(dir, e.Name()), &v); err != nil {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}
}
