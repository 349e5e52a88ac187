package ml

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/internal/npy"
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
	Pieces    []piece
	NoPieces  []piece
	hidden    int
}

type piece struct {
	Kind   string
	Widths []int
	Bias   *mat.Dense
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
	m.Pieces = []piece{{Kind: "a", Widths: []int{1, 2}}, {Bias: mat.NewDense(1, 2, []float64{8, 9})}}
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
		"no fields":     {rewritten(t, "model.json", []byte(`{"kind":"ml.toy","format":1}`)), "no fields"},
		"missing layer": {rewritten(t, "Layers.1.npy", nil), "no Layers.1.npy"},
		"not symmetric": {rewritten(t, "Cov.npy", lopsided()), "Cov.npy is not symmetric"},
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

// An embedded struct's fields are the model's own, by name too; what is transient is not written.
type (
	yesterday struct {
		Weights *mat.Dense
		Options struct{ Width int }
	}
	// Embedded is exported, as what is embedded must be for its fields to be seen.
	Embedded struct {
		Weights *mat.Dense
		Stopped string
	}
	transient struct{ Path string }
	today     struct {
		Embedded
		Options struct {
			Width, Height int
			Slope         float64
			Train         transient
		}
		Place string `ml:"-"`
		Names []string
	}
)

func (transient) Transient() {}

// A file outlives a new field: a type with more fields reads what was written before it had them.
func TestAFileOutlivesANewField(t *testing.T) {
	Register[yesterday]("ml.growing")
	path := filepath.Join(t.TempDir(), "m.zip")
	old := &yesterday{Weights: mat.NewDense(1, 2, []float64{1, 2})}
	old.Options.Width = 7
	if err := Save(path, old); err != nil {
		t.Fatal(err)
	}
	Register[today]("ml.growing")
	m, err := Load[today](path)
	if err != nil || !mat.Equal(m.Weights, old.Weights) || m.Options.Width != 7 || m.Options.Height != 0 || m.Options.Slope != 0 || m.Names != nil {
		t.Fatalf("%+v, %v", m, err)
	}
	m.Stopped, m.Place, m.Options.Train.Path = "steps", "/somewhere", "/a/checkpoint"
	if err := Save(path, m, Provenance{Method: struct {
		Rate  float64
		Place string `ml:"-"`
	}{0.5, "/elsewhere"}}); err != nil {
		t.Fatal(err)
	}
	back, err := Load[today](path)
	if err != nil || back.Stopped != "steps" || back.Place != "" || back.Options.Train.Path != "" {
		t.Errorf("%+v, %v", back, err)
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		r, _ := f.Open()
		data, _ := io.ReadAll(r)
		if strings.Contains(string(data), "where") || strings.Contains(string(data), "checkpoint") {
			t.Errorf("%s names a place: %s", f.Name, data)
		}
	}
	if _, err := Load[yesterday](path); err != nil {
		t.Errorf("the older type reads the newer file: %v", err)
	}
}

// lopsided is an array of 2×2 that is not symmetric.
func lopsided() []byte {
	var b bytes.Buffer
	if err := npy.Write(&b, []int{2, 2}, []float64{1, 2, 3, 4}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// Whatever the file, Load gives an error of its kind or a model; and a model that was loaded is one
// that can be saved and loaded again.
func FuzzLoad(f *testing.F) {
	good := rewritten(f, "", nil)
	z, err := zip.NewReader(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		f.Fatal(err)
	}
	members := map[string][]byte{}
	for _, file := range z.File {
		r, _ := file.Open()
		members[file.Name], _ = io.ReadAll(r)
	}
	f.Add(good, "", []byte(nil))
	f.Add([]byte("PK\x05\x06"), "", []byte(nil))
	for name, data := range members {
		f.Add([]byte(nil), name, data)
	}
	f.Fuzz(func(t *testing.T, file []byte, name string, data []byte) {
		if name != "" { // one member changed, behind a checksum that fits
			var out bytes.Buffer
			z := zip.NewWriter(&out)
			for n, d := range members {
				if n == name {
					d = data
				}
				w, _ := z.CreateHeader(&zip.FileHeader{Name: n, Method: zip.Store})
				w.Write(d)
			}
			z.Close()
			file = out.Bytes()
		}
		load := func(file []byte) (*toy, error) {
			var m toy
			err := decode(file, "ml.toy", reflect.ValueOf(&m).Elem())
			return &m, err
		}
		m, err := load(file)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v is no ErrFormat", err)
			}
			return
		}
		first, err := encode(m, nil)
		if err != nil {
			t.Fatalf("a model that was loaded can't be saved: %v", err)
		}
		again, err := load(first)
		if err != nil {
			t.Fatalf("a model that was loaded, saved, can't be loaded: %v", err)
		}
		if second, err := encode(again, nil); err != nil || !bytes.Equal(first, second) {
			t.Fatalf("it is another model (%v)", err)
		}
	})
}

// A reader of the file finds a whole model at every moment, also when the writer is killed in the
// middle.
func TestSaveIsAtomic(t *testing.T) {
	big := func(v float64) *toy {
		m := sample()
		m.Centers = mat.NewDense(300, 300, nil)
		m.Centers.Apply(func(i, j int, _ float64) float64 { return v + float64(i*j%7) }, m.Centers)
		return m
	}
	if path := os.Getenv("LATENT_TEST_SAVE"); path != "" {
		for i := 0; ; i++ {
			if err := Save(path, big(float64(i%2))); err != nil {
				t.Fatal(err)
			}
		}
	}
	if testing.Short() {
		t.Skip("starts a process")
	}
	path := filepath.Join(t.TempDir(), "m.zip")
	if err := Save(path, big(0)); err != nil {
		t.Fatal(err)
	}
	old, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSaveIsAtomic$")
		cmd.Env = append(os.Environ(), "LATENT_TEST_SAVE="+path)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(150 * time.Millisecond); time.Now().Before(end); {
			m, err := Load[toy](path)
			if err != nil {
				t.Errorf("while it is written: %v", err)
				break
			}
			if v := m.Centers.At(0, 0); v != 0 && v != 1 || m.Centers.At(299, 299) != v+float64(299*299%7) {
				t.Errorf("while it is written: a mixture of two models")
			}
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	if _, err := Load[toy](path); err != nil {
		t.Errorf("after the writer was killed: %v", err)
	}
	if now, err := os.Stat(path); err != nil || !now.ModTime().After(old.ModTime()) {
		t.Errorf("nothing was written (%v)", err)
	}
}

// A save that fails leaves neither a part nor a changed file.
func TestSaveThatFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "taken"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"taken", "none/m.zip"} {
		if err := Save(filepath.Join(dir, name), sample()); err == nil || !strings.HasPrefix(err.Error(), "ml.Save: ") || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("%v are left", entries)
	}
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
