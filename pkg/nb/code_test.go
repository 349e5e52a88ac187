package nb

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// notebook is a program as the kernel makes one: declarations of earlier cells, and a main.
const notebook = `package main

import (
	"context"
	"fmt"

	"github.com/golatent/latent/pkg/nb"
	"gonum.org/v1/gonum/mat"
)

const step = 1

func helper(v int) int { return v + step }

type rule interface{ value() float64 }
type half struct{}

func (half) value() float64 { return 0.5 }

type method struct{ Rule rule }
type fitted struct{ Sum float64 }

func (m method) Fit(_ context.Context, x mat.Matrix) (*fitted, error) {
	fmt.Print("fit ")
	return &fitted{m.Rule.value() * mat.Sum(x)}, nil
}

func curve() int {
	return nb.Must(nb.Memo("curve", func() (int, error) {
		fmt.Print("memo ")
		return helper(40), nil
	}))
}

func named() (int, error) { fmt.Print("named "); return 7, nil }

func unrelated() int { return 1 }

func main() {
	m := nb.Must(nb.Once(context.Background(), method{half{}}, mat.NewDense(1, 2, []float64{2, 4})))
	fmt.Println(m.Sum, curve(), nb.Must(nb.Memo("named", named)))
	_ = "main"
}
`

// A method and a function that a notebook declares are computed anew when their text changes, or
// that of anything they use, and only then.
func TestEditedCellsAreNeverServedStale(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("needs the go command")
	}
	dir, cache := t.TempDir(), t.TempDir()
	run := func(source string, args ...string) string {
		t.Helper()
		file, bin := filepath.Join(dir, "main.go"), filepath.Join(dir, "cell")
		if err := os.WriteFile(file, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		build := exec.CommandContext(t.Context(), goTool, append(append([]string{"build", "-ldflags=-s -w", "-o", bin}, args...), file)...)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if strings.Contains(source, "// gone") { // a program whose source can't be read any more
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}
		// Others may edit the library while this test runs; it is about cells.
		later := time.Now().Add(time.Hour)
		if err := os.Chtimes(bin, later, later); err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(t.Context(), bin)
		c.Env = append(os.Environ(), "LATENT_CACHE="+cache)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for _, c := range []struct{ what, old, new, want string }{
		{"the beginning", "", "", "fit memo named 3 41 7"},
		{"the same again", "", "", "3 41 7"},
		{"another main", `_ = "main"`, `fmt.Println("more")`, "3 41 7\nmore"},
		{"an unrelated function", "return 1 }", "return 2 }", "3 41 7"},
		{"a constant behind a helper", "const step = 1", "const step = 2", "memo 3 42 7"},
		{"the body of the literal", "return helper(40), nil", "return -helper(40), nil", "memo 3 -41 7"},
		{"the body of Fit", "* mat.Sum(x)}", "* mat.Sum(x) * 10}", "fit 30 41 7"},
		{"a method of an option's type", "return 0.5 }", "return 0.25 }", "fit 1.5 41 7"},
		{"a function given by name", "return 7, nil", "return 8, nil", "named 3 41 8"},
		{"the beginning once more", "", "", "3 41 7"},
		{"a source that is gone", "package main", "// gone\npackage main", "fit memo named 3 41 7"},
	} {
		source := strings.Replace(notebook, c.old, c.new, 1)
		if c.old != "" && source == notebook {
			t.Fatalf("%s: nothing to replace", c.what)
		}
		if got := run(source); got != c.want {
			t.Errorf("%s: printed %q, want %q", c.what, got, c.want)
		}
	}
}

// What was edited after the program was compiled is not what it computes.
func TestNothingIsKeptUnderANameThatIsNotItsOwn(t *testing.T) {
	t.Setenv("LATENT_CACHE", t.TempDir())
	old, oldVersion := programBuilt, libraryVersion
	defer func() { programBuilt, libraryVersion = old, oldVersion }()
	programBuilt = func() (time.Time, error) { return time.Unix(0, 0), nil }
	libraryVersion = currentVersion
	for range 2 {
		if again, m := fittedBy(t, counting{Scale: 1}, data(1)); !again || m.Sum != 1 {
			t.Error("an answer was kept by a program older than the library's source")
		}
	}
	calls := 0
	for range 2 {
		if v, err := Memo("x", func() (int, error) { calls++; return 3, nil }); v != 3 || err != nil {
			t.Error(v, err)
		}
	}
	if calls != 2 {
		t.Error("Memo kept an answer of a program older than the library's source")
	}
}
