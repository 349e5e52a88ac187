package cell

import (
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func packages(t *testing.T) *Packages {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "env", "GOROOT", "GOMODCACHE").Output()
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(out), "\n")
	return Find(root, lines[0], lines[1])
}

func TestImport(t *testing.T) {
	p := packages(t)
	for _, c := range []struct {
		name, src string
		want      []string
		unknown   []string
	}{
		{"standard library", "fmt.Println(strings.ToUpper(\"a\"))", []string{"fmt", "strings"}, nil},
		{"a misspelt name does not hide its package", "fmt.Printn(\"hi\")", []string{"fmt"}, nil},
		{"nor one of this module's", "_ = cluster.Kmeans{}", []string{Module + "/pkg/ml/cluster"}, nil},
		{"gonum's and plot's", "mat.NewDense(1, 1, nil); plotter.NewLine(nil); stat.Men(nil)", []string{"gonum.org/v1/gonum/mat", "gonum.org/v1/plot/plotter", "gonum.org/v1/gonum/stat"}, nil},
		{"what is selected chooses among equals", "rand.Intn(3)", []string{"math/rand"}, nil},
		{"the newer one without a choice", "rand.Float64()", []string{"math/rand/v2"}, nil},
		{"the newer one by its own names", "rand.NewPCG(1, 2)", []string{"math/rand/v2"}, nil},
		{"a local variable is no package", "fmt := struct{ X int }{}; _ = fmt.X", nil, nil},
		{"nor a declaration of the file", "cluster.X()", nil, nil},
		{"what nobody knows is named", "nosuch.F()", nil, []string{"nosuch"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := "package main\n\nimport (\n\t\"os\"\n\t_ \"embed\"\n)\n\nfunc main() {\n\t" + c.src + "\n}\n"
			if strings.Contains(c.name, "declaration of the file") {
				src += "var cluster struct{ X func() }\n"
			}
			out, unknown, err := p.Import([]byte(src))
			if err != nil {
				t.Fatal(err)
			}
			file, err := parser.ParseFile(token.NewFileSet(), "", out, 0)
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			var got []string
			for _, s := range file.Imports {
				if path := strings.Trim(s.Path.Value, `"`); path != "embed" {
					got = append(got, path)
				}
			}
			slices.Sort(got)
			slices.Sort(c.want)
			if !slices.Equal(got, c.want) || !slices.Equal(unknown, c.unknown) {
				t.Errorf("imports %q, want %q; unknown %q, want %q", got, c.want, unknown, c.unknown)
			}
			before, after := strings.SplitAfter(src, "\n"), strings.SplitAfter(string(out), "\n")
			if len(before) != len(after) || !slices.Equal(before[7:], after[7:]) {
				t.Errorf("lines have moved:\n%s", out)
			}
		})
	}
}

// An import that is used stays, one of a package that is not known is left to others.
func TestImportKeeps(t *testing.T) {
	p := packages(t)
	out, unknown, err := p.Import([]byte("package main\n\nimport f \"fmt\"\nimport \"example.com/x/go-thing\"\n\nfunc main() { f.Println() }\n"))
	if err != nil || !strings.Contains(string(out), `f "fmt"`) || !strings.Contains(string(out), "go-thing") || len(unknown) != 1 {
		t.Errorf("%s %q %v", out, unknown, err)
	}
}

// Every package of this module is known by the name that it gives itself.
func TestPackagesAreNamedAsTheirFolders(t *testing.T) {
	p := packages(t)
	n := 0
	for path := range p.dirs {
		if !strings.HasPrefix(path, Module+"/") {
			continue
		}
		n++
		for _, file := range p.parse(path) {
			if file.Name.Name != nameOf(path) {
				t.Errorf("%s is called %s", path, file.Name.Name)
			}
		}
		if best, _ := p.Path(nameOf(path), nil); best != path && !strings.HasPrefix(best, Module) {
			t.Errorf("%s means %s rather than %s", nameOf(path), best, path)
		}
	}
	if n < 20 {
		t.Errorf("%d packages", n)
	}
}

func TestHint(t *testing.T) {
	p := packages(t)
	text := "package main\nfunc greedyStep(depth int) {}\nfunc main() {\n\tlabels := 1\n}\n"
	for message, want := range map[string]string{
		"undefined: fmt.Printn":                       "fmt.Println",
		"undefined: cluster.Kmeans":                   "cluster.KMeans",
		"undefined: cluster.Kmeans (but have KMeans)": "cluster.KMeans",
		"undefined: lables":                           "labels",
		"undefined: gredyStep":                        "greedyStep",
		"undefined: clster":                           "cluster",
		"undefined: mat.NewDence":                     "mat.NewDense",
		"undefined: fmt.Qwxyz":                        "",
		"undefined: q":                                "",
		"unknown field Restart in struct literal of type cluster.KMeans":               "Restarts",
		"m.Lables undefined (type *cluster.KMeansModel has no field or method Lables)": "Labels",
		"m.Predct undefined (type *cluster.KMeansModel has no field or method Predct)": "Predict",
		`"os" imported and not used`: "",
	} {
		if got := p.Hint(message, text); got != want {
			t.Errorf("%s: %q, want %q", message, got, want)
		}
	}
}

func TestNeedsMain(t *testing.T) {
	for source, want := range map[string]bool{
		"fmt.Println(1)":                          true,
		"x := 1\nfmt.Println(x)":                  true,
		"for i := range 3 {\n}":                   true,
		"%%\nfmt.Println(1)":                      false,
		"%% -n 3\nfmt.Println(1)":                 false,
		"func f() {\n\tx := 1\n}":                 false,
		"import (\n\t\"fmt\"\n)\nfunc f() {}":     false,
		"type T struct {\n\tX int\n}\nt := T{}":   true,
		"// a word\nvar x = []int{\n1,\n2,\n}\n":  false,
		"!ls\nvar x = 1":                          false,
		"const a, b = 1, 2\nfmt.Println(a + b)\n": true,
		"": false,
	} {
		if got := NeedsMain(source); got != want {
			t.Errorf("%q: %v", source, got)
		}
	}
}

// Clause imports what an unfinished text names.
func TestClause(t *testing.T) {
	p := packages(t)
	got := p.Clause("import \"os\"\nfunc main() {\n\tx := cluster.KMeans{\n\tfmt.Println(os.Args, x.fmt.\n")
	if want := `package main; import "` + Module + `/pkg/ml/cluster"; import "fmt"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
