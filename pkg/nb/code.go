package nb

import (
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
)

// What a cell computes depends on the cell's own code too: a method that a notebook declares, or
// the function given to Memo. The key of a kept answer therefore holds the text of that code and of
// every declaration it can reach, but not the rest of the program: the next cell is another program
// around the same functions, and should find the answer. Where the text can't be had, the whole
// executable stands for it, so that an answer is computed once too often rather than served once
// too late.

// codeOfTypes returns the code behind the types of a method and its options.
func codeOfTypes(types map[reflect.Type]bool) (string, error) {
	var names []string
	for t := range types {
		switch pkg := t.PkgPath(); {
		case pkg == "main":
			name, _, _ := strings.Cut(t.Name(), "[")
			names = append(names, name)
		case !versioned(pkg):
			return executableHash()
		}
	}
	if len(names) == 0 {
		return "", nil
	}
	if file, ok := mainFile(); ok {
		if code, err := reachable(file, 0, names...); err == nil {
			return code, nil
		}
	}
	return executableHash()
}

// codeOfFunc returns the code behind a function.
func codeOfFunc(fn any) (string, error) {
	f := runtime.FuncForPC(reflect.ValueOf(fn).Pointer())
	if f == nil {
		return executableHash()
	}
	name := f.Name()
	slash := strings.LastIndexByte(name, '/') + 1
	dot := slash + strings.IndexByte(name[slash:], '.')
	pkg, local := name[:dot], strings.TrimSuffix(name[dot+1:], "-fm") // -fm: a method bound to its receiver
	if pkg != "main" {
		if versioned(pkg) {
			return "", nil
		}
		return executableHash()
	}
	file, line := f.FileLine(f.Entry())
	declared, _, inner := strings.Cut(strings.NewReplacer("(", "", ")", "", "*", "", "[...]", "").Replace(local), ".")
	if !inner || strings.HasSuffix(name, "-fm") {
		line = 0 // a function or a method that has a name
	}
	var roots []string
	if line == 0 {
		roots = []string{declared}
	}
	if code, err := reachable(file, line, roots...); err == nil {
		return code, nil
	}
	return executableHash()
}

// versioned reports whether the key holds a package's code already: this library by its source,
// gonum by go.mod, Go itself by its version.
func versioned(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return pkg == "" || pkg != "main" && !strings.Contains(first, ".") || strings.HasPrefix(pkg, modulePath+"/pkg/") ||
		strings.HasPrefix(pkg, modulePath+"/internal/") || strings.HasPrefix(pkg, "gonum.org/v1/")
}

// mainFile finds a source file of the program's own package by the frames that lead here.
func mainFile() (string, bool) {
	pc := make([]uintptr, 64)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "main.") {
			return f.File, true
		}
		if !more {
			return "", false
		}
	}
}

// reachable returns the text of the function literals that begin on a line of file (none for line
// 0) and of the package's declarations called names, with all declarations that those mention,
// directly or not; a type comes with its methods.
func reachable(file string, line int, names ...string) (string, error) {
	files, err := filepath.Glob(filepath.Join(filepath.Dir(file), "*.go"))
	if err != nil {
		return "", err
	}
	fset := token.NewFileSet()
	declared := map[string][]ast.Node{}
	text := map[ast.Node]string{}
	var queue []ast.Node
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		parsed, err := parser.ParseFile(fset, path, src, parser.SkipObjectResolution)
		if err != nil {
			return "", err
		}
		keep := func(n ast.Node) { text[n] = string(src[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset]) }
		for _, d := range parsed.Decls {
			for _, name := range declaredNames(d) {
				declared[name] = append(declared[name], d)
				keep(d)
			}
		}
		if line > 0 && filepath.Clean(path) == filepath.Clean(file) {
			ast.Inspect(parsed, func(n ast.Node) bool {
				if lit, ok := n.(*ast.FuncLit); ok && fset.Position(lit.Pos()).Line == line {
					keep(lit)
					queue = append(queue, lit)
				}
				return true
			})
		}
	}
	for _, name := range names {
		if len(declared[name]) == 0 {
			return "", fmt.Errorf("%s is not declared in %s", name, filepath.Dir(file))
		}
		queue = append(queue, declared[name]...)
	}
	if len(queue) == 0 {
		return "", fmt.Errorf("no function begins at line %d of %s", line, file)
	}
	seen := map[ast.Node]bool{}
	var texts []string
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if seen[n] {
			continue
		}
		seen[n] = true
		texts = append(texts, text[n])
		ast.Inspect(n, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				queue = append(queue, declared[id.Name]...)
			}
			return true
		})
	}
	slices.Sort(texts) // the kernel may write the declarations in another order next time
	return strings.Join(texts, "\n"), nil
}

// declaredNames lists what a top-level declaration declares. A method counts for its receiver's
// type. main is left out: it is the cell.
func declaredNames(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			if d.Name.Name != "main" {
				names = append(names, d.Name.Name)
			}
			break
		}
		ast.Inspect(d.Recv, func(n ast.Node) bool {
			if id, ok := n.(*ast.Ident); ok {
				names = append(names, id.Name)
			}
			return true
		})
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

// executableHash digests the running program.
func executableHash() (string, error) {
	path, err := os.Executable()
	if err != nil {
		return "", err
	}
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return fmt.Sprintf("executable %x", h.Sum(nil)), nil
}
