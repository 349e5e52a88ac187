// Package grader grades a submitted notebook: it takes the student's declarations from the answer
// cells, builds them into a program of their own, and calls them from the assignment's hidden
// tests, which run in another program. A point is given for a named test that reported a pass, and
// for nothing else.
package grader

import (
	"errors"
	"fmt"
	"go/ast"
	"go/printer"
	"go/token"
	"maps"
	"strings"
)

// Assignment is the teacher's notebook, taken apart.
type Assignment struct {
	given   []*goFile // what locked cells declare, for students and tests
	answers []*answer
	tests   []*goFile
	graded  []Graded
	imports map[string]string
}

// answer is a cell that students fill.
type answer struct {
	id        string
	stub      string // as students get it
	title     string
	functions []*ast.FuncDecl // that tests may call
}

// Graded is a cell of tests.
type Graded struct {
	Cell   string // its grade_id
	Tests  []string
	Points float64
}

// Read takes a teacher's notebook apart. Its cells are the truth; of a submission only the answers
// are taken.
func Read(source *Notebook) (*Assignment, error) {
	a := &Assignment{imports: map[string]string{}}
	seen := map[string]bool{}
	for i, c := range source.Cells {
		role := c.Metadata.Role
		if c.Type != "code" || role == nil {
			continue
		}
		if role.ID == "" || seen[role.ID] {
			return nil, fmt.Errorf("cell %d: grade_id %q is missing or twice there", i+1, role.ID)
		}
		seen[role.ID] = true
		body := code(string(c.Source))
		switch {
		case role.Solution && role.Grade:
			return nil, fmt.Errorf("cell %d (%s): an answer in Go has no points of its own; a cell of tests after it has", i+1, role.ID)
		case role.Solution:
			stub := code(Release(string(c.Source)))
			f, faults := parse("cell "+role.ID, stub)
			if faults != nil {
				return nil, errors.New(faults[0].String())
			}
			functions := f.functions()
			if len(functions) == 0 {
				return nil, fmt.Errorf("cell %d (%s): an answer has to declare a function outside its solution region", i+1, role.ID)
			}
			a.answers = append(a.answers, &answer{role.ID, stub, "cell of " + functions[0].Name.Name, functions})
			maps.Copy(a.imports, f.imports)
		case role.Grade:
			f, faults := parse("cell "+role.ID, body)
			if faults != nil {
				return nil, errors.New(faults[0].String())
			}
			g := Graded{Cell: role.ID, Points: role.Points}
			for _, fn := range f.functions() {
				if strings.HasPrefix(fn.Name.Name, "Test") {
					g.Tests = append(g.Tests, fn.Name.Name)
				}
			}
			if len(g.Tests) == 0 {
				return nil, fmt.Errorf("cell %d (%s): no func Test…(t *testing.T) in a cell of tests", i+1, role.ID)
			}
			f.title = "cell of " + g.Tests[0]
			a.tests, a.graded = append(a.tests, f), append(a.graded, g)
			maps.Copy(a.imports, f.imports)
		case role.Locked:
			f, faults := parse("cell "+role.ID, body)
			if faults != nil {
				return nil, errors.New(faults[0].String())
			}
			a.given = append(a.given, f)
			maps.Copy(a.imports, f.imports)
		}
	}
	if len(a.graded) == 0 {
		return nil, errors.New("no cell of tests: an nbgrader cell with points that declares func Test…(t *testing.T)")
	}
	return a, nil
}

// testFiles are the sources of the program of hidden tests. Each function of the students' is one
// that calls it in their process.
func (a *Assignment) testFiles() map[string]string {
	declared := map[string]bool{"TestMain": true}
	for _, f := range append(append([]*goFile{}, a.given...), a.tests...) {
		for _, name := range f.declared() {
			declared[name] = true
		}
	}
	var stubs strings.Builder
	for _, ans := range a.answers {
		for _, fn := range ans.functions {
			if !declared[fn.Name.Name] {
				stubs.WriteString(proxy(fn))
			}
		}
	}
	files := map[string]string{"main_test.go": packageClause + `import "os"; import "testing"; import "` + library + "tutorials/grader/wire\"\n" +
		"func TestMain(m *testing.M) { os.Exit(wire.Main(m)) }\n"}
	proxies, _ := parse("calls of the functions", stubs.String())
	proxies.imports["wire"] = library + "tutorials/grader/wire"
	files["proxies_test.go"] = proxies.render(a.imports, declared)
	for i, f := range append(append([]*goFile{}, a.given...), a.tests...) {
		copied, _ := parse(f.title, f.text)
		files[fmt.Sprintf("cell%d_test.go", i)] = copied.render(a.imports, declared)
	}
	return files
}

// proxy writes a function of the same signature that hands its arguments to wire.Call.
func proxy(fn *ast.FuncDecl) string {
	var args, results, in, out []string
	params := func(fields *ast.FieldList, letter string, names, decls *[]string) {
		if fields == nil {
			return
		}
		for _, f := range fields.List {
			for range max(1, len(f.Names)) {
				name := fmt.Sprintf("%s%d", letter, len(*names))
				*names = append(*names, name)
				*decls = append(*decls, name+" "+typeText(f.Type))
			}
		}
	}
	params(fn.Type.Params, "a", &args, &in)
	params(fn.Type.Results, "r", &results, &out)
	refs := func(names []string) string {
		if len(names) == 0 {
			return "nil"
		}
		return "[]any{&" + strings.Join(names, ", &") + "}"
	}
	return fmt.Sprintf("func %s(%s) (%s) { wire.Call(%q, %s, %s); return }\n", fn.Name.Name, strings.Join(in, ", "), strings.Join(out, ", "), fn.Name.Name, refs(args), refs(results))
}

func typeText(e ast.Expr) string {
	var s strings.Builder
	_ = printer.Fprint(&s, token.NewFileSet(), e)
	return s.String()
}

// signature writes the type of a function.
func signature(fn *ast.FuncDecl) string {
	return typeText(&ast.FuncType{Params: unnamed(fn.Type.Params), Results: unnamed(fn.Type.Results)})
}

func unnamed(fields *ast.FieldList) *ast.FieldList {
	if fields == nil {
		return nil
	}
	out := &ast.FieldList{}
	for _, f := range fields.List {
		for range max(1, len(f.Names)) {
			out.List = append(out.List, &ast.Field{Type: f.Type})
		}
	}
	return out
}
