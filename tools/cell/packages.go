// Package cell knows what the Go of a notebook's cell may leave out: imports, and a function around
// statements. It finds the packages that a text names, and the nearest names to a misspelt one.
package cell

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Packages are those that a cell may name without importing them: this module's, the standard
// library's, gonum's and plot's. Where two have one name, the earlier of these is preferred.
type Packages struct {
	paths map[string][]string // import paths by name, the preferred first
	dirs  map[string]string   // folders by import path

	mu      sync.Mutex
	exports map[string][]string
}

// Module is the path of this repository's module.
const Module = "github.com/golatent/latent"

// Find lists the packages under a clone of the repository, a GOROOT and a module cache. A folder
// that is missing has no packages.
func Find(root, goroot, modcache string) *Packages {
	p := &Packages{paths: map[string][]string{}, dirs: map[string]string{}, exports: map[string][]string{}}
	p.walk(filepath.Join(root, "pkg"), Module+"/pkg")
	p.walk(filepath.Join(goroot, "src"), "")
	gomod, _ := os.ReadFile(filepath.Join(root, "go.mod"))
	for _, module := range []string{"gonum.org/v1/gonum", "gonum.org/v1/plot"} {
		if m := regexp.MustCompile(`(?m)^\s*(?:require )?` + regexp.QuoteMeta(module) + ` (v\S+)`).FindSubmatch(gomod); m != nil {
			p.walk(filepath.Join(modcache, module+"@"+string(m[1])), module)
		}
	}
	return p
}

// FromEnvironment is Find for the kernel, whose environment names the folders.
func FromEnvironment() *Packages {
	return Find(os.Getenv("LATENT_ROOT"), filepath.Dir(filepath.Dir(os.Getenv("LATENT_GO"))), os.Getenv("LATENT_MODCACHE"))
}

func (p *Packages) walk(dir, importPath string) {
	var found []string
	_ = filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		name := d.Name()
		if d.IsDir() {
			if file != dir && (slices.Contains([]string{"internal", "testdata", "vendor", "cmd", "builtin"}, name) || strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
				return filepath.SkipDir
			}
			return nil
		}
		folder := filepath.Dir(file)
		if folder == dir && importPath == "" || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || len(found) > 0 && found[len(found)-1] == folder {
			return nil
		}
		if !slices.Contains(found, folder) {
			found = append(found, folder)
		}
		return nil
	})
	for _, folder := range found {
		rel, err := filepath.Rel(dir, folder)
		if err != nil {
			continue
		}
		full := path.Join(importPath, filepath.ToSlash(rel))
		p.dirs[full] = folder
		p.paths[nameOf(full)] = append(p.paths[nameOf(full)], full)
	}
	for name, paths := range p.paths { // math/rand/v2 before math/rand before crypto/rand, text before html
		slices.SortStableFunc(paths, func(a, b string) int { return preference(a) - preference(b) })
		p.paths[name] = paths
	}
}

func preference(path string) int {
	switch path {
	case "math/rand/v2", "text/template":
		return 1
	case "math/rand":
		return 2
	case "crypto/rand", "html/template":
		return 3
	}
	if strings.HasPrefix(path, Module+"/") {
		return 0
	}
	if first, _, _ := strings.Cut(path, "/"); !strings.Contains(first, ".") {
		return 2
	}
	return 4
}

var version = regexp.MustCompile(`^v[0-9]+$`)

// nameOf is the name that a package at a path has, where the path says it.
func nameOf(importPath string) string {
	base := path.Base(importPath)
	if version.MatchString(base) {
		base = path.Base(path.Dir(importPath))
	}
	return base
}

// Names lists the names of all packages, in order.
func (p *Packages) Names() (names []string) {
	for name := range p.paths {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Path chooses the package that a name and what is selected from it mean: of those with this name
// the one that has most of the selected names, so that a misspelt one does not hide the package.
func (p *Packages) Path(name string, selected []string) (string, bool) {
	paths := p.paths[name]
	if len(paths) == 0 {
		return "", false
	}
	best, most := paths[0], -1
	if len(paths) > 1 {
		for _, candidate := range paths {
			has := 0
			exports := p.Exports(candidate)
			for _, s := range selected {
				if slices.Contains(exports, s) {
					has++
				}
			}
			if has > most {
				best, most = candidate, has
			}
		}
	}
	return best, true
}

// Exports lists the exported names of a package, in order.
func (p *Packages) Exports(importPath string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if names, ok := p.exports[importPath]; ok {
		return names
	}
	var names []string
	for _, file := range p.parse(importPath) {
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil {
					names = append(names, d.Name.Name)
				}
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
		}
	}
	names = exported(names)
	p.exports[importPath] = names
	return names
}

// Members lists the exported fields and methods of a package's type, in order, those of types of
// the same package that it embeds among them.
func (p *Packages) Members(importPath, typeName string) []string {
	var names []string
	files := p.parse(importPath)
	seen := map[string]bool{}
	var visit func(string)
	visit = func(typeName string) {
		if seen[typeName] {
			return
		}
		seen[typeName] = true
		for _, file := range files {
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl:
					if n.Recv != nil && len(n.Recv.List) == 1 && baseName(n.Recv.List[0].Type) == typeName {
						names = append(names, n.Name.Name)
					}
					return false
				case *ast.TypeSpec:
					s, ok := n.Type.(*ast.StructType)
					if !ok || n.Name.Name != typeName {
						return false
					}
					for _, f := range s.Fields.List {
						for _, id := range f.Names {
							names = append(names, id.Name)
						}
						if len(f.Names) == 0 {
							names = append(names, baseName(f.Type))
							visit(baseName(f.Type))
						}
					}
					return false
				}
				return true
			})
		}
	}
	visit(typeName)
	return exported(names)
}

func (p *Packages) parse(importPath string) (files []*ast.File) {
	dir, ok := p.dirs[importPath]
	if !ok {
		return nil
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*.go"))
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		if file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution); err == nil && file.Name.Name != "main" {
			files = append(files, file)
		}
	}
	return files
}

// baseName is the name of a type without pointer, package and arguments.
func baseName(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.StarExpr:
		return baseName(t.X)
	case *ast.IndexExpr:
		return baseName(t.X)
	case *ast.IndexListExpr:
		return baseName(t.X)
	case *ast.SelectorExpr:
		return t.Sel.Name
	}
	return ""
}

func exported(names []string) []string {
	names = slices.DeleteFunc(names, func(n string) bool { return !ast.IsExported(n) })
	slices.Sort(names)
	return slices.Compact(names)
}
