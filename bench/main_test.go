//go:build unix

package main

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/npy"
)

// The lean program links no GoMLX, and all that it leaves out is what does.
func TestLean(t *testing.T) {
	imports := func(tags ...string) string {
		out, err := exec.CommandContext(t.Context(), "go", append(append([]string{"list", "-deps"}, tags...), ".")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	const gomlx = "github.com/gomlx/"
	if strings.Contains(imports("-tags=lean"), gomlx) {
		t.Errorf("built with -tags lean the program links GoMLX: a file with rows of networks begins with %q", "//go:build unix && !lean")
	}
	if !strings.Contains(imports(), gomlx) {
		t.Error("the whole program has no network in it")
	}
}

func texts(t *testing.T, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no file matches %s (%v)", pattern, err)
	}
	var all strings.Builder
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// Every row has a peer and an input, and every peer a row.
func TestRowsHavePeers(t *testing.T) {
	python := texts(t, "peers/*.py")
	var peers []string
	for _, m := range regexp.MustCompile(`(?m)^@?peer\("([^"]+)", "[^"]+", "[^"]+"\)`).FindAllStringSubmatch(python, -1) {
		peers = append(peers, m[1])
	}
	for _, r := range rows {
		if i := slices.Index(peers, r.name); i >= 0 {
			peers = slices.Delete(peers, i, i+1)
		} else {
			t.Errorf("row %s has no peer", r.name)
		}
		if !strings.Contains(python, "@data\ndef "+r.input+"():") {
			t.Errorf("row %s: nothing makes the input %s", r.name, r.input)
		}
		if len(r.figures) == 0 {
			t.Errorf("row %s: nothing says how good a solution is", r.name)
		}
		for _, f := range r.figures {
			if f.better != lower && f.better != higher && f.better != equal {
				t.Errorf("row %s: which value of %s is better?", r.name, f.name)
			}
			if f.name != "training loss" && !strings.Contains(python, `"`+f.name+`": `) {
				t.Errorf("row %s: the peer does not give %s", r.name, f.name)
			}
		}
	}
	if len(peers) > 0 {
		t.Errorf("peers without a row: %v", peers)
	}
}

// Every method, that is every type with a Fit, stands in a row or on the list of those without one.
func TestMethodsHaveRows(t *testing.T) {
	timed := texts(t, "rows_*.go")
	var files []string
	err := filepath.WalkDir("../pkg/ml", func(path string, _ fs.DirEntry, err error) error {
		if strings.HasSuffix(path, ".go") {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Name.Name != "Fit" || f.Recv == nil || strings.HasSuffix(name, "_test.go") {
				continue
			}
			receiver, ok := f.Recv.List[0].Type.(*ast.Ident)
			if !ok || !receiver.IsExported() {
				continue
			}
			found++
			method := file.Name.Name + "." + receiver.Name
			listed := regexp.MustCompile(`\b` + regexp.QuoteMeta(method) + `\b`)
			switch inRow, inList := strings.Contains(timed, method+"{"), listed.MatchString(withoutRow); {
			case !inRow && !inList:
				t.Errorf("%s has no row, and withoutRow does not say why", method)
			case inRow && strings.Contains(withoutRow, "- "+method+":"):
				t.Errorf("%s has a row and stands on the list of those without", method)
			}
		}
	}
	if found < 20 {
		t.Errorf("only %d methods found under pkg/ml", found)
	}
}

// Each fit has a seed of its own, all figures are kept, and judging is not timed.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "in.npy"))
	if err != nil {
		t.Fatal(err)
	}
	if err := npy.Write(f, []int{2, 1}, []float64{3, 4}); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	begun := 0
	r := row{name: "r", input: "in", figures: []figure{{"seed", lower}, {"sum", equal}}, fit: func(_ context.Context, p problem) (judge, error) {
		begun++
		return func(context.Context) ([]float64, error) {
			if begun != 3 {
				t.Errorf("judged after %d fits of 3", begun)
			}
			return []float64{float64(p.Seed), p.X.At(0, 0) + p.X.At(1, 0)}, nil
		}, nil
	}}
	m, err := r.measure(t.Context(), dir, 3, 5)
	if err != nil || m.N != 2 || m.D != 1 || !slices.Equal(m.Fits["seed"], []float64{5, 6, 7}) || !slices.Equal(m.Fits["sum"], []float64{7, 7, 7}) {
		t.Errorf("measured %+v (%v)", m, err)
	}
	b, err := r.best([]measurement{m, m})
	if err != nil || b.Quality["seed"].Mean != 6 || b.Quality["sum"] != (estimate{7, 0}) {
		t.Errorf("summed up as %+v (%v)", b.Quality, err)
	}
	r.goesOn = true
	if b, err = r.best([]measurement{m}); err != nil || b.Quality["seed"].Mean != 7 {
		t.Errorf("of a training that goes on, %+v is kept (%v)", b.Quality, err)
	}
	if err := r.agree(result{Ours: b, Peer: b}); err != nil {
		t.Errorf("equal figures: %v", err)
	}
	other := b
	other.Quality = map[string]estimate{"seed": {1, 0}, "sum": {7.001, 0}}
	if r.agree(result{Ours: b, Peer: other}) == nil {
		t.Error("sums of 7 and 7.001 pass for one answer")
	}
	if _, err := r.best([]measurement{{Fits: map[string][]float64{"seed": {1}}}}); err == nil {
		t.Error("a side that leaves a figure out is not told")
	}
	r.fit = func(context.Context, problem) (judge, error) { return nil, errors.New("no") }
	if _, err := r.measure(t.Context(), dir, 1, 0); err == nil {
		t.Error("a failing fit is not told")
	}
}

func TestEstimateString(t *testing.T) {
	for _, c := range []struct {
		e    estimate
		want string
	}{
		{estimateOf([]float64{2, 2, 2}), "2"},
		{estimate{5170513.31, 21034}, "5170513 ± 21034"},
		{estimate{0.992271, 0.00003}, "0.99227 ± 3e-05"},
		{estimate{96.51873, 0.09}, "96.52 ± 0.09"},
	} {
		if got := c.e.String(); got != c.want {
			t.Errorf("%+v is written %q, want %q", c.e, got, c.want)
		}
	}
}
