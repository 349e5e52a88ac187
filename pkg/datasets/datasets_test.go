package datasets

import (
	"bytes"
	"compress/gzip"
	"errors"
	"image"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

func TestEmbeddedTablesEqualScikitLearns(t *testing.T) {
	reference := mltest.ReadJSON[map[string]struct {
		N, D       int
		Sums, Last []float64
		Labels     []int
		Classes    []string
	}](t, "reference.json")
	for _, d := range []Dataset{Iris(), Wine(), BreastCancer(), Digits()} {
		want := reference[d.Name]
		n, c := d.Dims()
		if n != want.N || c != want.D || len(d.Y) != n || (d.Features != nil && len(d.Features) != c) {
			t.Errorf("%s is %d×%d with %d labels and %d features, want %d×%d", d.Name, n, c, len(d.Y), len(d.Features), want.N, want.D)
			continue
		}
		if !slices.Equal(d.Y, want.Labels) || !slices.Equal(d.Classes, want.Classes) {
			t.Errorf("%s: other labels or classes %v", d.Name, d.Classes)
		}
		if !slices.Equal(d.X.RawRowView(n-1), want.Last) {
			t.Errorf("%s: the last row is %v", d.Name, d.X.RawRowView(n-1))
		}
		for j := range c {
			if got := mat.Sum(d.X.ColView(j)); math.Abs(got-want.Sums[j]) > 1e-12*math.Abs(want.Sums[j]) {
				t.Errorf("%s, column %d sums to %v, want %v", d.Name, j, got, want.Sums[j])
			}
		}
	}
	for name, img := range map[string]image.Image{"china": China(), "flower": Flower()} {
		x, want := Pixels(img), reference[name]
		if b := img.Bounds(); b.Dy() != want.N || b.Dx() != want.D {
			t.Errorf("%s is %v", name, b)
		}
		for j := range 3 {
			n, _ := x.Dims()
			// Decoders of JPEG may differ in the last bits of a pixel.
			if got := mat.Sum(x.ColView(j)) / float64(n); math.Abs(got-want.Sums[j]) > 2e-3 {
				t.Errorf("%s, channel %d has mean %.5f, want %.5f", name, j, got, want.Sums[j])
			}
		}
	}
}

func TestMNIST(t *testing.T) {
	train, test := MNIST()
	for _, c := range []struct {
		d Dataset
		n int
	}{{train, 8500}, {test, 1500}} {
		n, d := c.d.Dims()
		if n != c.n || d != 784 || len(c.d.Y) != n || mat.Min(c.d.X) != 0 || mat.Max(c.d.X) != 255 {
			t.Errorf("%s: %d×%d, %d labels, %v to %v", c.d.Name, n, d, len(c.d.Y), mat.Min(c.d.X), mat.Max(c.d.X))
		}
		count := make([]int, 10)
		for _, y := range c.d.Y {
			count[y]++
		}
		if slices.Min(count) < n/15 {
			t.Errorf("%s: classes %v", c.d.Name, count)
		}
	}
}

func TestBinaryDigitsSplit(t *testing.T) {
	train, validation, test := BinaryDigits()
	for _, c := range []struct {
		d Dataset
		n int
	}{{train, 1197}, {validation, 200}, {test, 400}} {
		if n, _ := c.d.Dims(); n != c.n {
			t.Errorf("%d rows, want %d", n, c.n)
		}
		for _, v := range c.d.X.RawMatrix().Data {
			if v != 0 && v != 1 {
				t.Fatalf("a bit is %v", v)
			}
		}
	}
}

func TestTexts(t *testing.T) {
	s := Shakespeare()
	if len(s) != 1115394 || !strings.HasPrefix(s, "First Citizen:\n") {
		t.Errorf("%d bytes that begin with %.20q", len(s), s)
	}
	docs := GoDocs()
	if len(docs) != 4991 || docs[0].Package != "archive/tar" {
		t.Errorf("%d documents, the first of %s", len(docs), docs[0].Package)
	}
	counts, packages, words := WordCounts(docs, 5)
	n, d := counts.Dims()
	if n != 176 || len(packages) != n || len(words) != d || !slices.IsSorted(words) {
		t.Errorf("%d×%d counts, %d packages, %d words", n, d, len(packages), len(words))
	}
	if j, ok := slices.BinarySearch(words, "header"); !ok || counts.At(slices.Index(packages, "archive/tar"), j) < 10 {
		t.Error("archive/tar hardly says header")
	}
	if slices.Contains(words, "the") {
		t.Error("a word of every package is counted")
	}
}

func TestValuesAreTheCallersOwn(t *testing.T) {
	a := Digits()
	a.X.Set(0, 0, 99)
	a.Y[0], a.Classes[0] = 99, "x"
	if b := Digits(); b.X.At(0, 0) == 99 || b.Y[0] == 99 || b.Classes[0] == "x" {
		t.Error("one caller's change is seen by the next")
	}
}

func TestGeneratorsAreReproducible(t *testing.T) {
	for name, f := range map[string]func(seed uint64) *mat.Dense{
		"blobs":      func(s uint64) *mat.Dense { return Blobs(200, 3, 4, 2, s).X },
		"moons":      func(s uint64) *mat.Dense { return Moons(200, 0.1, s).X },
		"circles":    func(s uint64) *mat.Dense { return Circles(200, 0.5, 0.1, s).X },
		"swiss roll": func(s uint64) *mat.Dense { return SwissRoll(200, 0, s).X },
		"s-curve":    func(s uint64) *mat.Dense { return SCurve(200, 0, s).X },
		"spiral":     func(s uint64) *mat.Dense { return Spiral(200, 3, 0, s).X },
		"25":         func(s uint64) *mat.Dense { return TwentyFiveGaussians(200, s).X },
		"8":          func(s uint64) *mat.Dense { return EightGaussians(200, s).X },
		"bars":       func(s uint64) *mat.Dense { d, _ := Bars(200, 4, 0.3, s); return d.X },
		"sources":    func(s uint64) *mat.Dense { x, _, _ := Sources(200, 4, s); return x },
	} {
		if !mat.Equal(f(3), f(3)) {
			t.Errorf("%s: the same seed gives other data", name)
		}
		if mat.Equal(f(3), f(4)) {
			t.Errorf("%s: another seed gives the same data", name)
		}
		for _, v := range f(5).RawMatrix().Data {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				t.Fatalf("%s: %v", name, v)
			}
		}
	}
	a, _ := BlockModel(60, 3, 0.5, 0.1, 1)
	b, _ := BlockModel(60, 3, 0.5, 0.1, 1)
	if !slices.Equal(a, b) {
		t.Error("block model: the same seed gives another graph")
	}
}

// within fails unless got lies at most five standard errors from want.
func within(t *testing.T, what string, got, want, se float64) {
	t.Helper()
	if math.Abs(got-want) > 5*se {
		t.Errorf("%s is %.5f, want %.5f ± %.5f", what, got, want, 5*se)
	}
}

func TestGeneratorsFollowTheirDistributions(t *testing.T) {
	const n = 20000
	noise := Moons(n, 0.1, 1)
	clean := Moons(n, 0, 1)
	for i, y := range clean.Y {
		a, b := clean.X.At(i, 0), clean.X.At(i, 1)
		r := math.Hypot(a, b)
		if y == 1 {
			r = math.Hypot(1-a, 0.5-b)
		}
		if math.Abs(r-1) > 1e-12 {
			t.Fatalf("point %d of moon %d lies %.3f from its center", i, y, r)
		}
	}
	// E[sin t] over a half circle is 2/π; the mean height is half of that and half of 1/2 − 2/π.
	within(t, "the mean height of the moons", stat.Mean(mat.Col(nil, 1, noise.X), nil), 0.25, 0.5/math.Sqrt(n))
	within(t, "the spread of T", stat.StdDev(noise.T, nil), math.Pi/math.Sqrt(12), 0.01)
	roll := SwissRoll(n, 0, 2)
	for i, u := range roll.T {
		if math.Abs(math.Hypot(roll.X.At(i, 0), roll.X.At(i, 2))-u) > 1e-9 {
			t.Fatalf("point %d does not lie at the distance of its parameter", i)
		}
	}
	g := TwentyFiveGaussians(n, 3)
	for j := range 2 {
		within(t, "the mean of 25 Gaussians", stat.Mean(mat.Col(nil, j, g.X), nil), 0, math.Sqrt(8.0/n))
		within(t, "their variance", stat.Variance(mat.Col(nil, j, g.X), nil), 8+0.0025, 8*math.Sqrt(2.0/n))
	}
	_, parts := Bars(n, 3, 0.25, 4)
	on := 0.0
	for _, p := range parts {
		for _, b := range p {
			if b {
				on++
			}
		}
	}
	within(t, "how often a bar is on", on/(6*n), 0.25, math.Sqrt(0.25*0.75/(6*n)))
	x, s, m := Sources(n, 3, 5)
	var again mat.Dense
	again.Mul(s, m)
	if !mat.EqualApprox(x, &again, 1e-12) {
		t.Error("the mixture is not sources times mixing")
	}
	for j := range 3 {
		within(t, "a source's variance", stat.PopVariance(mat.Col(nil, j, s), nil), 1, 1e-9)
	}
	edges, blocks := BlockModel(600, 2, 0.1, 0.02, 6)
	inside := 0.0
	for _, e := range edges {
		if e[0] >= e[1] {
			t.Fatal("an edge is not listed smaller node first")
		}
		if blocks[e[0]] == blocks[e[1]] {
			inside++
		}
	}
	pairs := 2.0 * 300 * 299 / 2
	within(t, "the density inside blocks", inside/pairs, 0.1, math.Sqrt(0.1*0.9/pairs))
	within(t, "the density between blocks", (float64(len(edges))-inside)/(300*300), 0.02, math.Sqrt(0.02*0.98/90000))
}

func idx(parts ...[]byte) []byte { return slices.Concat(parts...) }

func zipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func TestReadIDX(t *testing.T) {
	good := idx([]byte{0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3}, []byte{1, 2, 3, 4, 5, 6})
	for name, file := range map[string][]byte{"plain": good, "gzipped": zipped(good)} {
		shape, data, err := ReadIDX(bytes.NewReader(file))
		if err != nil || !slices.Equal(shape, []int{2, 3}) || !slices.Equal(data, []byte{1, 2, 3, 4, 5, 6}) {
			t.Errorf("%s: %v %v %v", name, shape, data, err)
		}
	}
	corrupt := zipped(good)
	corrupt[len(corrupt)-5] ^= 0xff
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":          {nil, "magic"},
		"of floats":      {[]byte{0, 0, 0x0d, 1, 0, 0, 0, 1, 0}, "magic number is 00 00 0d 01"},
		"no dimensions":  {[]byte{0, 0, 8, 0}, "0 dimensions"},
		"nine":           {[]byte{0, 0, 8, 9}, "9 dimensions"},
		"cut dimensions": {[]byte{0, 0, 8, 2, 0, 0}, "dimension 0"},
		"zero dimension": {[]byte{0, 0, 8, 1, 0, 0, 0, 0}, "dimension 0 is 0"},
		"huge":           {[]byte{0, 0, 8, 2, 255, 255, 255, 255, 255, 255, 255, 255}, "more than"},
		"overflow":       {bytes.Join([][]byte{{0, 0, 8, 4}, bytes.Repeat([]byte{0x80, 0, 0, 0}, 4)}, nil), "more than"},
		"cut":            {good[:len(good)-1], "5 bytes"},
		"trailing":       {append(slices.Clone(good), 0), "after the last"},
		"cut gzip":       {zipped(good)[:20], "unexpected EOF"},
		"bad checksum":   {corrupt, "checksum"},
		"bad gzip":       {[]byte{0x1f, 0x8b, 0, 0, 0, 0, 0, 0, 0, 0}, "gzip"},
	} {
		_, _, err := ReadIDX(bytes.NewReader(c.file))
		if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

func FuzzReadIDX(f *testing.F) {
	f.Add([]byte{0, 0, 8, 1, 0, 0, 0, 1, 7})
	f.Add(zipped([]byte{0, 0, 8, 1, 0, 0, 0, 1, 7}))
	f.Fuzz(func(t *testing.T, file []byte) {
		shape, data, err := ReadIDX(bytes.NewReader(file))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v is no ErrFormat", err)
			}
			return
		}
		n := 1
		for _, d := range shape {
			n *= d
		}
		if n != len(data) || n == 0 {
			t.Fatalf("shape %v, %d bytes", shape, len(data))
		}
	})
}

func TestGeneratorsRefuseNonsense(t *testing.T) {
	for name, f := range map[string]func(){
		"n":     func() { Moons(0, 0.1, 1) },
		"noise": func() { Moons(10, math.NaN(), 1) },
		"arms":  func() { Spiral(10, 0, 0, 1) },
		"p":     func() { Bars(10, 3, 2, 1) },
		"k":     func() { Blobs(10, 2, 0, 1, 1) },
		"prob":  func() { BlockModel(10, 2, 1.5, 0, 1) },
	} {
		func() {
			defer func() {
				if r, _ := recover().(string); !strings.HasPrefix(r, "datasets: ") {
					t.Errorf("%s: recovered %q", name, r)
				}
			}()
			f()
		}()
	}
}

// A program carries only the data it names.
func TestUnusedDataIsNotLinked(t *testing.T) {
	if testing.Short() {
		t.Skip("builds two programs")
	}
	size := func(call string) int64 {
		dir, err := os.MkdirTemp("testdata", "link-") // inside the module, so that it can import the package
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		src := "package main\n\nimport \"github.com/golatent/latent/pkg/datasets\"\n\nfunc main() { " + call + " }\n"
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(src), 0o644); err != nil {
			t.Fatal(err)
		}
		out := filepath.Join(t.TempDir(), "program")
		if msg, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", out, "./"+dir).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, msg)
		}
		info, err := os.Stat(out)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	iris, mnist := size("println(datasets.Iris().Name)"), size("a, _ := datasets.MNIST(); println(a.Name)")
	if gap := mnist - iris; gap < 1_500_000 {
		t.Errorf("a program with MNIST is only %d bytes larger than one with iris: iris carries what it does not use", gap)
	}
}

// The package, and with it every notebook, links no network: downloads are in a package of their
// own.
func TestNothingAsksTheNetwork(t *testing.T) {
	deps := func(pkg string) []string {
		out, err := exec.Command("go", "list", "-deps", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Fields(string(out))
	}
	for _, d := range deps(".") {
		if d == "net" || strings.HasPrefix(d, "net/") && d != "net/netip" && d != "net/url" || strings.HasSuffix(d, "/remote") {
			t.Errorf("pkg/datasets depends on %s", d)
		}
	}
	if !slices.Contains(deps("./remote"), "net/http") {
		t.Error("the list of dependencies lacks what it must hold")
	}
}
