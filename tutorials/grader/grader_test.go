package grader

import (
	"go/ast"
	"strings"
	"testing"
)

func cell(id, source string, change ...func(*Role)) Cell {
	var c Cell
	c.Type = "code"
	c.Source.Set(source)
	c.Metadata.Role = &Role{ID: id}
	for _, f := range change {
		f(c.Metadata.Role)
	}
	return c
}

func solution(r *Role) { r.Solution = true }
func graded(r *Role)   { r.Grade, r.Locked, r.Points = true, true, 1 }

// A teacher's mistakes are found when the assignment is read, and say where they are.
func TestMistakesInAssignments(t *testing.T) {
	answer := cell("a", "func F() int {\n\t// BEGIN SOLUTION\n\treturn 1\n\t// END SOLUTION\n}", solution)
	test := cell("t", "%test\nfunc TestF(t *testing.T) {}", graded)
	for _, c := range []struct {
		want  string
		cells []Cell
	}{
		{"", []Cell{answer, test}},
		{"no cell of tests", []Cell{answer}},
		{"cell 2: grade_id \"a\" is missing or twice", []Cell{answer, cell("a", "", graded)}},
		{"grade_id \"\" is missing", []Cell{cell("", "", graded)}},
		{"an answer in Go has no points of its own", []Cell{cell("a", "", solution, graded)}},
		{"has to declare a function outside", []Cell{cell("a", "var x int", solution), test}},
		{"no func Test", []Cell{answer, cell("t", "func Check(t *testing.T) {}", graded)}},
		{"the cell t, line 2: missing ',' in parameter list", []Cell{answer, cell("t", "%test\nfunc TestF(t *testing.T {}", graded)}},
		{"the cell a, line 1: expected", []Cell{cell("a", "func F( {", solution), test}},
	} {
		_, err := Read(&Notebook{c.cells})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

// What does not compile is the teacher's to know, before a student is graded.
func TestTestsThatDoNotCompile(t *testing.T) {
	answer := cell("a", "func F() int {\n\t// BEGIN SOLUTION\n\treturn 1\n\t// END SOLUTION\n}", solution)
	for want, nb := range map[string]*Notebook{
		"the assignment's tests do not compile": {[]Cell{answer, cell("t", "func TestF(t *testing.T) { F() + G() }", graded)}},
		"the cells as students get them do not compile": {[]Cell{
			cell("a", "func F() int {\n\tx := 1\n\t// BEGIN SOLUTION\n\treturn x\n\t// END SOLUTION\n}", solution), cell("t", "func TestF(t *testing.T) { F() }", graded)}},
	} {
		b, err := NewBench(t.Context(), "../..", nb, Limits{})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
		if b != nil {
			b.Close()
		}
	}
}

func TestCodeOfCell(t *testing.T) {
	for source, want := range map[string]string{
		"func F() {}":                       "func F() {}",
		"%test\nfunc F() {}":                "\nfunc F() {}",
		"!ls\r\nvar x int":                  "\nvar x int",
		"var x int\n%%\nfmt.Println(x)":     "var x int\n\n",
		"var x int\n%main -v\nundefined(x)": "var x int\n\n",
		"var x = 7 %\n\t3":                  "var x = 7 %\n\t3",
	} {
		if got := code(source); got != want {
			t.Errorf("of %q: %q, want %q", source, got, want)
		}
	}
}

// Imports are found as the kernel finds them.
func TestImports(t *testing.T) {
	f, faults := parse("cell", `import r "math/rand"
func F(mat int) float64 { var x strings.Builder; return math.Sqrt(r.Float64()) + rand.Float64() + mine.Value + check.Value(mat.Dims, x) }`)
	if faults != nil {
		t.Fatal(faults)
	}
	got := f.render(map[string]string{"check": "example.org/check"}, map[string]bool{"mine": true, "F": true})
	for _, want := range []string{`import math "math"; `, `import r "math/rand"; `, `import rand "math/rand/v2"; `, `import strings "strings"; `, `import check "example.org/check"; `} {
		if strings.Count(got, want) != 1 {
			t.Errorf("%q is there %d times in\n%s", want, strings.Count(got, want), got)
		}
	}
	if strings.Contains(got, "mine \"") || strings.Contains(got, "gonum") {
		t.Errorf("a name that is declared was imported:\n%s", got)
	}
	f, _ = parse("cell", "func F() int { return rand.Intn(3) }")
	if got := f.render(nil, nil); !strings.Contains(got, `"math/rand";`) {
		t.Errorf("rand.Intn is of math/rand: %s", got)
	}
}

func TestProxies(t *testing.T) {
	f, _ := parse("cell", "func F(x, y *mat.Dense, _ int) (a []int, err float64) { return }\nfunc G() {}")
	want := `func F(a0 *mat.Dense, a1 *mat.Dense, a2 int) (r0 []int, r1 float64) { wire.Call("F", []any{&a0, &a1, &a2}, []any{&r0, &r1}); return }
func G() () { wire.Call("G", nil, nil); return }
`
	var got string
	for _, d := range f.parsed.Decls {
		got += proxy(d.(*ast.FuncDecl))
	}
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// Whatever a student's notebook holds, reading it is no reason to stop.
func FuzzParseCell(f *testing.F) {
	for _, s := range []string{"func F() {}", "import \"C\"\nfunc init_x() {}", "//line x:1\n", "func (", "type T struct{}\nfunc (t *T) M() {}", "%%", "func (x []T[int]) M() {}", "package x"} {
		f.Add(s)
	}
	teachers, err := Read(&Notebook{[]Cell{cell("a", "func F() int {\n\t// BEGIN SOLUTION\n\treturn 1\n\t// END SOLUTION\n}", solution), cell("t", "func TestF(t *testing.T) {}", graded)}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, source string) {
		p := teachers.extract(&Notebook{[]Cell{cell("a", source, solution)}})
		for name, text := range p.sources() {
			if text == "" {
				t.Errorf("%s is empty", name)
			}
		}
	})
}
