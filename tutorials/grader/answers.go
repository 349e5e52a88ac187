package grader

import (
	"context"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// program is a student's declarations on their way to a binary.
type program struct {
	assignment *Assignment
	files      []*goFile         // by answer
	faults     map[string]string // by function: why its cell is not used
}

// extract takes the answers from a submission. A cell that is missing or cannot be parsed leaves
// its stub, so that the others still count.
func (a *Assignment) extract(submission *Notebook) *program {
	p := &program{assignment: a, files: make([]*goFile, len(a.answers)), faults: map[string]string{}}
	for i, ans := range a.answers {
		at := slices.IndexFunc(submission.Cells, func(c Cell) bool {
			return c.Type == "code" && c.Metadata.Role != nil && c.Metadata.Role.ID == ans.id
		})
		if at < 0 {
			p.giveUp(i, fmt.Sprintf("the %s is missing from the notebook", ans.title))
			continue
		}
		f, faults := parse(ans.title, code(string(submission.Cells[at].Source)))
		if faults == nil {
			faults = refusedImports(f)
		}
		if faults != nil {
			p.giveUp(i, faults[0].String())
			continue
		}
		p.files[i] = f
	}
	p.lastDeclarationHolds()
	return p
}

// giveUp leaves an answer's stub in place of its cell.
func (p *program) giveUp(i int, why string) {
	ans := p.assignment.answers[i]
	for _, fn := range ans.functions {
		p.faults[fn.Name.Name] = why
	}
	p.files[i], _ = parse(ans.title, ans.stub)
}

// refusedImports finds what an answer may not use. This is about doing the exercise; what a program
// may do is for package guard to say.
func refusedImports(f *goFile) (faults []Fault) {
	for _, s := range f.parsed.Imports {
		p, _ := strconv.Unquote(s.Path.Value)
		first, _, _ := strings.Cut(p, "/")
		switch {
		case slices.Contains([]string{"C", "unsafe", "embed", "plugin"}, p):
		case !strings.Contains(first, "."), slices.Contains(allowed, p):
			continue
		}
		faults = append(faults, f.fault(s.Pos(), fmt.Sprintf("import %q: %s", p, mayUse)))
	}
	return faults
}

var allowed = []string{"gonum.org/v1/gonum/mat", "gonum.org/v1/gonum/floats", "gonum.org/v1/gonum/stat", library + "pkg/datasets"}

const mayUse = "an answer may use Go's standard library, gonum's mat, floats and stat, pkg/datasets, and what answer cells and given cells declare"

// lastDeclarationHolds does what the kernel does when two cells declare one function: the later one
// counts. An init of any name runs, and main is no part of an answer.
func (p *program) lastDeclarationHolds() {
	seen := map[string]bool{}
	for _, f := range slices.Backward(p.files) {
		for _, d := range f.parsed.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := namesOf(fn)[0]
			switch {
			case fn.Recv == nil && isInit(name):
				at := f.fset.Position(fn.Name.Pos()).Offset - len(packageClause)
				f.text = f.text[:at] + "init" + strings.Repeat(" ", len(name)-len("init")) + f.text[at+len(name):]
			case name == "main" || seen[name]:
				f.blank(fn)
			default:
				seen[name] = true
			}
		}
	}
}

// sources are the files of the student's program.
func (p *program) sources() map[string]string {
	declared, imports := map[string]bool{}, map[string]string{}
	all := append(append([]*goFile{}, p.assignment.given...), p.files...)
	for _, f := range all {
		for _, name := range f.declared() {
			declared[name] = true
		}
	}
	files := map[string]string{}
	for i, f := range all {
		copied, _ := parse(f.title, f.text)
		earlier := imports
		if i < len(p.assignment.given) {
			earlier = p.assignment.imports
		}
		files[fmt.Sprintf("cell%03d.go", i)] = copied.render(earlier, declared)
		for name, path := range copied.imports {
			imports[name] = path
		}
	}
	var table strings.Builder
	for _, ans := range p.assignment.answers {
		for _, fn := range ans.functions {
			name := fn.Name.Name
			check, _ := parse("signature of "+name, fmt.Sprintf("var _ %s = %s", signature(fn), name))
			files["signature_"+name+".go"] = check.render(p.assignment.imports, declared)
			fmt.Fprintf(&table, "%q: %s, ", name, name)
		}
	}
	files["main.go"] = packageClause + `import latentwire "` + library + "tutorials/grader/wire\"\nfunc main() { latentwire.Serve(map[string]any{" + table.String() + "}) }\n"
	return files
}

var compileError = regexp.MustCompile(`(?m)^.*?(cell|signature) of (\w+):(\d+)(?::\d+)?: (.*)$`)

// build makes the student's binary. An answer that does not compile is left out, and what is left
// tried again. The second result says why there is no binary at all.
func (p *program) build(ctx context.Context, root, binary string) (problem string, err error) {
	for range len(p.files) + 1 {
		out, err := goTool(ctx, root, filepath.Dir(binary)+".src", p.sources(), "build", "-o", binary)
		if err != nil {
			return "", err
		}
		if out == "" {
			return "", nil
		}
		found := false
		for _, m := range compileError.FindAllStringSubmatch(out, -1) {
			kind, name, line, text := m[1], m[2], m[3], m[4]
			i := slices.IndexFunc(p.assignment.answers, func(a *answer) bool {
				return slices.ContainsFunc(a.functions, func(fn *ast.FuncDecl) bool { return fn.Name.Name == name })
			})
			if i < 0 || p.faults[name] != "" {
				continue
			}
			found = true
			n, _ := strconv.Atoi(line)
			fault := Fault{p.assignment.answers[i].title, n, text}.String()
			switch {
			case kind == "signature" && strings.HasPrefix(text, "undefined: "):
				fault = fmt.Sprintf("the %s does not declare %s", p.assignment.answers[i].title, name)
			case kind == "signature":
				fault = fmt.Sprintf("the %s changes the signature: %s", p.assignment.answers[i].title, text)
			case strings.HasPrefix(text, "undefined: "):
				fault += " (" + mayUse + ")"
			}
			p.giveUp(i, fault)
		}
		if !found {
			return "the answers do not compile together:\n" + out, nil
		}
		p.lastDeclarationHolds()
	}
	return "the answers do not compile together", nil
}

// goTool runs the go command on a program that lies in a folder of its own, within the module of
// this repository, and returns what it had to say.
func goTool(ctx context.Context, root, dir string, files map[string]string, command string, flags ...string) (string, error) {
	if err := os.RemoveAll(dir); err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	args := append([]string{command, "-trimpath", "-ldflags=-s -w"}, flags...)
	names := make([]string, 0, len(files))
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			return "", err
		}
		names = append(names, path)
	}
	slices.Sort(names)
	ctx, cancel := context.WithTimeout(ctx, buildTime)
	defer cancel()
	cmd := inGroup(ctx, "go", append(args, names...)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOPROXY=off", "GOWORK=off")
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil:
		return fmt.Sprintf("not compiled within %v", buildTime), nil
	case len(out) == 0:
		return "", fmt.Errorf("go %s: %w", command, err)
	}
	return string(out), nil
}
