package grader

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// goFile is one cell on its way to become a file of a package.
type goFile struct {
	title   string // "cell of Assign": what errors call it
	text    string
	fset    *token.FileSet
	parsed  *ast.File
	imports map[string]string // the package's name in the cell → its path
}

// Fault is something wrong with a cell, at a line of it.
type Fault struct {
	Title string
	Line  int
	Text  string
}

func (f Fault) String() string { return fmt.Sprintf("the %s, line %d: %s", f.Title, f.Line, f.Text) }

const packageClause = "package main; "

// parse reads a cell's declarations.
func parse(title, text string) (*goFile, []Fault) {
	f := &goFile{title: title, text: text, fset: token.NewFileSet(), imports: map[string]string{}}
	var err error
	f.parsed, err = parser.ParseFile(f.fset, title, packageClause+text, parser.AllErrors|parser.ParseComments)
	if list, ok := err.(scanner.ErrorList); ok {
		e := list[0] // what follows is a consequence, more often than not
		return f, []Fault{{title, e.Pos.Line, e.Msg}}
	}
	for _, group := range f.parsed.Comments {
		for _, c := range group.List {
			if strings.HasPrefix(c.Text, "//go:") || strings.HasPrefix(c.Text, "//line ") || strings.HasPrefix(c.Text, "/*line ") {
				return f, []Fault{f.fault(c.Pos(), "directives to the compiler are not allowed: "+c.Text)}
			}
		}
	}
	for _, d := range f.parsed.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv != nil && len(fn.Recv.List) != 1 {
			return f, []Fault{f.fault(fn.Pos(), "a method has one receiver: "+fn.Name.Name)}
		}
	}
	for _, s := range f.parsed.Imports {
		p, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			return f, []Fault{f.fault(s.Pos(), "malformed import")}
		}
		name := packageName(p)
		if s.Name != nil {
			name = s.Name.Name
		}
		if name == "." || name == "_" {
			return f, []Fault{f.fault(s.Pos(), fmt.Sprintf("import %s %q: give the package its own name", name, p))}
		}
		f.imports[name] = p
	}
	return f, nil
}

func (f *goFile) fault(at token.Pos, text string) Fault {
	return Fault{f.title, f.fset.Position(at).Line, text}
}

var version = regexp.MustCompile(`^v\d+$`)

func packageName(p string) string {
	if base := path.Base(p); !version.MatchString(base) {
		return base
	}
	return path.Base(path.Dir(p))
}

// blank replaces a declaration by spaces, so that the rest keeps its lines.
func (f *goFile) blank(d ast.Node) {
	from, to := f.fset.Position(d.Pos()).Offset-len(packageClause), f.fset.Position(d.End()).Offset-len(packageClause)
	f.text = f.text[:from] + strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		return ' '
	}, f.text[from:to]) + f.text[to:]
}

// declared lists the package-level names of a cell.
func (f *goFile) declared() []string {
	var names []string
	for _, d := range f.parsed.Decls {
		names = append(names, namesOf(d)...)
	}
	return names
}

// namesOf lists the names that a declaration adds to its package; a method counts as Type.Method.
func namesOf(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			return []string{d.Name.Name}
		}
		receiver := ""
		ast.Inspect(d.Recv.List[0].Type, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok && receiver == "" {
				receiver = id.Name
			}
			return true
		})
		return []string{receiver + "." + d.Name.Name}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, s.Name.Name)
			case *ast.ValueSpec:
				for _, id := range s.Names {
					names = append(names, id.Name)
				}
			}
		}
	}
	return names
}

// functions lists the functions of a cell that are no methods, main and init left out.
func (f *goFile) functions() (list []*ast.FuncDecl) {
	for _, d := range f.parsed.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && !isInit(fn.Name.Name) && fn.Name.Name != "main" {
			list = append(list, fn)
		}
	}
	return list
}

// isInit: a notebook has many init functions, and calls them init_something.
func isInit(name string) bool { return name == "init" || strings.HasPrefix(name, "init_") }

// qualifiers lists the names before a dot that the cell does not declare, and what is taken from
// each: math → [Inf Sqrt].
func (f *goFile) qualifiers() map[string][]string {
	unresolved := map[*ast.Ident]bool{}
	for _, id := range f.parsed.Unresolved {
		unresolved[id] = true
	}
	out := map[string][]string{}
	ast.Inspect(f.parsed, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := sel.X.(*ast.Ident); ok && (unresolved[id] || f.imports[id.Name] != "") {
				out[id.Name] = append(out[id.Name], sel.Sel.Name)
			}
		}
		return true
	})
	return out
}

// known finds a package by its name where a cell does not import it, as the kernel does.
var known = func() map[string]string {
	m := map[string]string{
		"mat": "gonum.org/v1/gonum/mat", "floats": "gonum.org/v1/gonum/floats", "stat": "gonum.org/v1/gonum/stat",
		"datasets": library + "pkg/datasets", "rand": "math/rand/v2",
	}
	for _, p := range []string{"bufio", "bytes", "cmp", "container/heap", "context", "errors", "fmt", "io", "iter", "log", "maps", "math", "math/big", "math/bits",
		"math/cmplx", "net", "net/http", "os", "os/exec", "path/filepath", "reflect", "regexp", "runtime", "runtime/debug", "slices", "sort", "strconv", "strings",
		"sync", "sync/atomic", "syscall", "testing", "time", "unicode"} {
		m[packageName(p)] = p
	}
	return m
}()

const library = "github.com/golatent/latent/"

// oldRand has the names that math/rand has and math/rand/v2 has not.
var oldRand = []string{"Seed", "NewSource", "Intn", "Int31", "Int31n", "Int63", "Int63n", "Read"}

// resolve gives the cell the imports that it uses: its own, those of the cells before it, and what
// is known by name. declared are the names of the whole package, which come before packages.
func (f *goFile) resolve(earlier map[string]string, declared map[string]bool) (clause string) {
	var list []string
	for name, taken := range f.qualifiers() {
		if declared[name] {
			continue
		}
		p := f.imports[name]
		if p == "" {
			p = earlier[name]
		}
		if p == "" {
			p = known[name]
			if name == "rand" && slices.ContainsFunc(taken, func(s string) bool { return slices.Contains(oldRand, s) }) {
				p = "math/rand"
			}
		}
		if p != "" {
			list = append(list, fmt.Sprintf("import %s %q; ", name, p))
		}
	}
	slices.Sort(list)
	return strings.Join(list, "")
}

// render writes the cell as a file whose errors name the cell and its line.
func (f *goFile) render(earlier map[string]string, declared map[string]bool) string {
	clause := f.resolve(earlier, declared)
	for _, d := range f.parsed.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			f.blank(g)
		}
	}
	return packageClause + clause + "\n//line " + f.title + ":1\n" + f.text + "\n"
}
