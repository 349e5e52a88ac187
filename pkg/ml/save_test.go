package ml

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

type toy struct {
	Centers   *mat.Dense
	Cov       *mat.SymDense
	Labels    []int
	Weights   []float64
	Missing   *mat.Dense
	Score     float64
	Steps     int
	Converged bool
	Seed      uint64
	Name      string
	Names     []string
	Inner     struct{ Depth float64 }
	Layers    []*mat.Dense
	Covs      []*mat.SymDense
	NoCovs    []*mat.SymDense
	Empty     []*mat.Dense
	hidden    int
}

type other struct{ Steps int }

type unsavable struct{ F func() }

func init() {
	Register[toy]("ml.toy")
	Register[other]("ml.other")
	Register[unsavable]("ml.unsavable")
}

func sample() *toy {
	m := &toy{Centers: mat.NewDense(2, 3, []float64{1, -0.1, math.Pi, 4e300, 5e-300, math.Inf(1)}), Cov: mat.NewSymDense(2, []float64{2, 1, 1, 3}),
		Labels: []int{3, -1, 1 << 60}, Weights: []float64{}, Score: math.NaN(), Steps: 7, Converged: true, Seed: math.MaxUint64, Name: "ünï", Names: []string{"a", "b"}, hidden: 9}
	m.Inner.Depth = 0.1
	m.Layers = []*mat.Dense{mat.NewDense(1, 2, []float64{1, 2}), mat.NewDense(2, 1, []float64{3, 4})} // of any shapes
	m.Covs, m.Empty = []*mat.SymDense{mat.NewSymDense(1, []float64{5}), mat.NewSymDense(2, []float64{6, 7, 7, 8})}, []*mat.Dense{}
	return m
}

func TestSaveThenLoadIsTheIdentity(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.zip")
	m := sample()
	if err := Save(path, m); err != nil {
		t.Fatal(err)
	}
	got, err := Load[toy](path)
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(got.Score) || got.hidden != 0 {
		t.Errorf("%+v", got)
	}
	got.Score, m.Score, got.hidden = 0, 0, m.hidden
	if !reflect.DeepEqual(got, m) {
		t.Errorf("got %+v, want %+v", got, m)
	}
	first, _ := os.ReadFile(path)
	if err := Save(path, sample()); err != nil {
		t.Fatal(err)
	}
	if second, _ := os.ReadFile(path); !bytes.Equal(first, second) {
		t.Error("equal models give other files")
	}
	if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
		t.Errorf("%d files, want 1", len(entries))
	}
}

// rewritten returns a saved sample with one member changed; nil content removes it.
func rewritten(t testing.TB, name string, content []byte) []byte {
	path := filepath.Join(t.TempDir(), "m.zip")
	if err := Save(path, sample()); err != nil {
		t.Fatal(err)
	}
	in, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, f := range in.File {
		r, _ := f.Open()
		data, _ := io.ReadAll(r)
		if f.Name == name {
			if data = content; data == nil {
				continue
			}
		}
		w, _ := z.Create(f.Name)
		w.Write(data)
	}
	z.Close()
	return out.Bytes()
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	good := rewritten(t, "", nil)
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":         {nil, "zip"},
		"foreign":       {[]byte("hello"), "zip"},
		"truncated":     {good[:len(good)/2], "zip"},
		"no manifest":   {rewritten(t, "model.json", nil), "no model.json"},
		"bad manifest":  {rewritten(t, "model.json", []byte("{")), "model.json"},
		"other kind":    {rewritten(t, "model.json", []byte(`{"kind":"ml.other","format":1}`)), `"ml.other", want a "ml.toy"`},
		"future":        {rewritten(t, "model.json", []byte(`{"kind":"ml.toy","format":99}`)), "format is 99"},
		"missing field": {rewritten(t, "model.json", []byte(`{"kind":"ml.toy","format":1,"fields":{}}`)), "no field"},
		"missing layer": {rewritten(t, "Layers.1.npy", nil), "no Layers.1.npy"},
		"broken array":  {rewritten(t, "Centers.npy", []byte("\x93NUMPY")), "Centers.npy"},
	} {
		path := filepath.Join(dir, "m.zip")
		if err := os.WriteFile(path, c.file, 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := Load[toy](path)
		if m != nil || !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, %v; want an error with %q", name, m, err, c.want)
		}
	}
	if _, err := Load[toy](filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	if _, err := Load[struct{}](filepath.Join(dir, "m.zip")); err == nil {
		t.Error("a type that nobody registered is loaded")
	}
	if err := Save(filepath.Join(dir, "u.zip"), &unsavable{}); err == nil || !strings.Contains(err.Error(), "field F") {
		t.Errorf("%v", err)
	}
	holes := sample()
	holes.Layers[0] = nil
	if err := Save(filepath.Join(dir, "h.zip"), holes); err == nil || !strings.Contains(err.Error(), "Layers has an empty matrix at 0") {
		t.Errorf("%v", err)
	}
	if err := Save[toy](filepath.Join(dir, "n.zip"), nil); err == nil {
		t.Error("a nil model is saved")
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(rewritten(f, "", nil))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var m toy
		if err := decode(data, "ml.toy", reflect.ValueOf(&m).Elem()); err != nil && !errors.Is(err, ErrFormat) {
			t.Fatalf("%v is no ErrFormat", err)
		}
	})
}

func TestDense(t *testing.T) {
	x := mat.NewDense(2, 2, []float64{1, 2, 3, 4})
	if d, err := Dense("m", x); err != nil || d != x {
		t.Errorf("a contiguous matrix is copied (%v)", err)
	}
	view := mat.NewDense(3, 4, nil).Slice(0, 2, 1, 3)
	if d, err := Dense("m", view); err != nil || d.RawMatrix().Stride != 2 {
		t.Errorf("a view is not made contiguous (%v)", err)
	}
	for name, c := range map[string]struct {
		x    mat.Matrix
		kind error
		want string
	}{
		"nil": {nil, ErrEmpty, "nil"}, "typed nil": {(*mat.Dense)(nil), ErrEmpty, "nil"}, "empty": {&mat.Dense{}, ErrEmpty, "0×0"},
		"NaN": {mat.NewDense(2, 2, []float64{0, 1, 2, math.NaN()}), ErrNotFinite, "row 1, column 1 is NaN"},
		"Inf": {mat.NewDense(1, 2, []float64{0, math.Inf(-1)}), ErrNotFinite, "row 0, column 1 is -Inf"},
	} {
		if _, err := Dense("pkg.Method", c.x); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), "pkg.Method: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Vector("m", "weights", []float64{1, math.NaN()}, 2); !errors.Is(err, ErrNotFinite) || !strings.Contains(err.Error(), "weights[1]") {
		t.Errorf("%v", err)
	}
	if err := Vector("m", "weights", nil, 2); !errors.Is(err, ErrShape) {
		t.Errorf("%v", err)
	}
	if err := Columns("m", x, 3); !errors.Is(err, ErrShape) {
		t.Errorf("%v", err)
	}
	if err := BadParameter("m", "K", 0, "1 ≤ K"); !errors.Is(err, ErrParameter) || err.Error() != "m: K = 0, want 1 ≤ K" {
		t.Errorf("%v", err)
	}
}
