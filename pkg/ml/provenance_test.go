package ml

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

type training struct {
	Steps int
	Rate  float64
	Seed  uint64
}

type word string

// options has a field of every kind that options have.
type options struct {
	K      int
	Tol    float64
	Limit  float64
	Start  word
	Hidden []int
	On     bool
	Init   mat.Matrix
	Fixed  *mat.Dense
	Metric interface{ Distance() float64 }
	Step   func(int) float64
	Train  training
	Next   *options
	Names  map[string]int
	secret int
}

type power struct{ P float64 }

func (power) Distance() float64 { return 0 }

func TestProvenance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.zip")
	x := mat.NewDense(2, 3, []float64{1, 2, 3, 4, 5, 6})
	o := options{K: 3, Tol: 0.1, Limit: math.Inf(1), Start: "plus", Hidden: []int{8, 4}, Init: x, Metric: power{3}, Step: func(int) float64 { return 0 },
		Train: training{Steps: 7, Rate: 1e-3, Seed: math.MaxUint64}, Next: &options{K: 4}, Names: map[string]int{"b": 2, "a": 1}, secret: 9}
	if err := Save(path, sample(), Provenance{Method: o, Data: x}); err != nil {
		t.Fatal(err)
	}
	info, err := Describe(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Kind != "ml.toy" || info.Format != 1 || info.Library != Version || info.Method != "ml.options" || info.Seed == nil || *info.Seed != math.MaxUint64 {
		t.Errorf("%+v", info)
	}
	// python3 -c "import numpy, hashlib; print(hashlib.sha256(numpy.arange(1., 7.)).hexdigest())"
	want := Fingerprint{2, 3, "d73f023a3f852bf2e5c6d836cd36cd930d0091dcba7f778161c707e1c58222b0"}
	if info.Data == nil || *info.Data != want || FingerprintOf(x) != want || FingerprintOf(x.T().T()) != want {
		t.Errorf("the data: %+v, want %+v", info.Data, want)
	}
	if y := mat.NewDense(3, 2, x.RawMatrix().Data); FingerprintOf(y) == want {
		t.Error("another shape has the same fingerprint")
	}
	for _, text := range []string{`"K":3,"Tol":0.1,"Limit":"+Inf","Start":"plus","Hidden":[8,4],"On":false,"Init":{"rows":2,"columns":3,"sha256":"`, `"Fixed":null`,
		`"Metric":{"type":"ml.power","value":{"P":3}}`, `"Step":"func(int) float64"`, `"Train":{"Steps":7,"Rate":0.001,"Seed":18446744073709551615}`, `"Next":{"K":4,`, `"Names":{"a":1,"b":2}`} {
		if !strings.Contains(compact(t, info.Options), text) {
			t.Errorf("the options lack %s:\n%s", text, compact(t, info.Options))
		}
	}
	if strings.Contains(string(info.Options), "secret") {
		t.Error("a private field is written")
	}
	if m, err := Load[toy](path); err != nil || m.Steps != 7 {
		t.Errorf("the model itself: %v, %v", m, err)
	}
}

func compact(t *testing.T, raw []byte) string {
	t.Helper()
	var b bytes.Buffer
	if err := json.Compact(&b, raw); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Options of numbers, words and structs of these are given back whole.
func TestOptionsAreReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.zip")
	in := options{K: 3, Tol: 0.1, Start: "plus", Hidden: []int{8}, Train: training{Steps: 7, Seed: 1}, Next: &options{K: 4}}
	if err := Save(path, sample(), Provenance{Method: &in}); err != nil { // a pointer as well
		t.Fatal(err)
	}
	info, err := Describe(path)
	if err != nil {
		t.Fatal(err)
	}
	var out options
	if err := json.Unmarshal(info.Options, &out); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("%+v, %v; want %+v", out, err, in)
	}
	if info.Data != nil {
		t.Errorf("data that nobody gave: %+v", info.Data)
	}
}

// Data among the options, as a graph of neighbors is, would make model.json larger than Load reads:
// a digest stands for it.
func TestLongListsAreDigested(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.zip")
	in := options{K: 3, Hidden: make([]int, 1<<23)}
	if err := Save(path, sample(), Provenance{Method: in}); err != nil {
		t.Fatal(err)
	}
	info, err := Describe(path)
	if err != nil {
		t.Fatal(err)
	}
	in.Hidden[77] = 1
	if err := Save(path, sample(), Provenance{Method: in}); err != nil {
		t.Fatal(err)
	}
	other, err := Describe(path)
	if err != nil {
		t.Fatal(err)
	}
	if text := compact(t, info.Options); !strings.Contains(text, `"Hidden":{"length":8388608,"sha256":"`) || text == compact(t, other.Options) {
		t.Errorf("the options are %.300s", text)
	}
}

func TestDescribeWithoutProvenance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.zip")
	if err := Save(path, sample()); err != nil {
		t.Fatal(err)
	}
	if info, err := Describe(path); err != nil || !reflect.DeepEqual(info, Info{Kind: "ml.toy", Format: 1, Library: Version}) {
		t.Errorf("%+v, %v", info, err)
	}
	// A file of the time before there was provenance.
	info, err := Describe("cluster/testdata/iris3-format1.zip")
	if err != nil || info.Kind != "cluster.KMeansModel" || info.Format != 1 || info.Options != nil || info.Seed != nil {
		t.Errorf("%+v, %v", info, err)
	}
	if err := os.WriteFile(path, []byte("hello"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Describe(path); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), path) {
		t.Errorf("%v", err)
	}
	if _, err := Describe(path + "x"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestBadProvenance(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.zip")
	if err := Save(path, sample(), Provenance{Method: 3}); err == nil || !strings.Contains(err.Error(), "of type int, want a struct of options") {
		t.Errorf("%v", err)
	}
	if err := Save(path, sample(), Provenance{}, Provenance{}); err == nil {
		t.Error("two provenances are accepted")
	}
	var none *mat.Dense
	if err := Save(path, sample(), Provenance{Method: (*options)(nil), Data: none}); err != nil {
		t.Errorf("nothing is as good as not given: %v", err)
	}
	loop := &options{}
	loop.Next = loop
	if err := Save(path, sample(), Provenance{Method: loop}); err != nil {
		t.Errorf("options that contain themselves: %v", err)
	}
}

// A file as this format has them stays in testdata and must load for ever, provenance and all.
func TestFormat1(t *testing.T) {
	const path = "testdata/toy-format1.zip"
	m, err := Load[toy](path)
	if err != nil {
		t.Fatal(err)
	}
	want := sample()
	m.Score, want.Score, want.hidden = 0, 0, 0 // NaN, and a field that is not saved
	want.Pieces = nil                          // younger than the file
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, want %+v", m, want)
	}
	info, err := Describe(path)
	if err != nil || info.Method != "ml.options" || *info.Seed != 5 || *info.Data != FingerprintOf(mat.NewDense(1, 2, []float64{1, 2})) {
		t.Errorf("%+v, %v", info, err)
	}
}
