//go:build unix

package main

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/golatent/latent/tools/cell"
)

type stream struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// A failure as Jupyter publishes it.
type failure struct {
	Name      string   `json:"ename"`
	Value     string   `json:"evalue"`
	Traceback []string `json:"traceback"`
}

// A run is a cell that is being executed.
type run struct {
	request *message
	source  string
	held    string // what seems to be the reason why the program ends, kept back until it does
	exit    string // how gonb says that it ended
	failed  chan struct{}
	said    failure
}

// The cells that this kernel has been given: those that run, and what those that ran declared.
type cells struct {
	mu           sync.Mutex
	runs         map[string]*run
	declarations map[string]string // text by name
	help         *helper
	send         func(parent *message, msgType string, content any)
}

func newCells(help *helper, send func(*message, string, any)) *cells {
	return &cells{runs: map[string]*run{}, declarations: map[string]string{}, help: help, send: send}
}

func (c *cells) begin(m *message) {
	var q struct {
		Code string `json:"code"`
	}
	_ = json.Unmarshal(m.raw[3], &q)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.runs[m.header.ID] = &run{request: m, source: q.Code, failed: make(chan struct{})}
}

// Where a program's last words begin.
var lastWords = regexp.MustCompile(`(?m)^(panic: |fatal error: |error: |✗ |interrupted$|SIG[A-Z]+: )`)

// What gonb itself writes to standard error when a program has ended.
var exitStatus = regexp.MustCompile(`^(\^C\n)?(exit status \d+|signal: [^\n]+)\n$`)

const patience = 500 * time.Millisecond // with a program that says "error: " and goes on

// stream returns what of a stream's text is to be shown now.
func (c *cells) stream(parent string, s stream) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.runs[parent]
	if r == nil || s.Name != "stderr" {
		return s.Text
	}
	if exitStatus.MatchString(s.Text) {
		r.exit = s.Text
		return ""
	}
	if r.held != "" {
		r.held += s.Text
		return ""
	}
	at := lastWords.FindStringIndex(s.Text)
	if at == nil {
		return s.Text
	}
	r.held = s.Text[at[0]:]
	if !strings.HasPrefix(r.held, "panic: ") && !strings.HasPrefix(r.held, "fatal error: ") {
		time.AfterFunc(patience, func() { c.release(parent) })
	}
	return s.Text[:at[0]]
}

// release shows what was held back: the program did not end.
func (c *cells) release(parent string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.runs[parent]
	if r == nil || r.held == "" || r.exit != "" {
		return
	}
	c.send(r.request, "stream", stream{"stderr", r.held})
	r.held = ""
}

// fail says why a cell failed.
func (c *cells) fail(parent string, gonb failure) failure {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.runs[parent]
	if r == nil {
		return gonb
	}
	var lines []string
	switch {
	case r.held != "":
		lines = ended(r.held, c.help.root)
		r.held = ""
	case strings.HasPrefix(r.exit, "^C"):
		lines = []string{"interrupted"}
	case r.exit != "":
		lines = []string{strings.TrimSpace(r.exit)}
	default:
		lines = c.compileErrors(r.source, gonb)
	}
	text := strings.Join(lines, "\n")
	said := failure{"Error", text, []string{text}}
	if r.said.Name == "" {
		r.said = said
		close(r.failed)
	}
	return said
}

// end forgets a cell that was executed, and returns what was said where it failed.
func (c *cells) end(parent string, failed bool) (failure, bool) {
	c.mu.Lock()
	r := c.runs[parent]
	c.mu.Unlock()
	if r == nil {
		return failure{}, false
	}
	// What is published last may still be on its way.
	defer time.AfterFunc(time.Second, func() { c.mu.Lock(); defer c.mu.Unlock(); delete(c.runs, parent) })
	if !failed {
		c.mu.Lock()
		maps.Copy(c.declarations, declarations(r.source))
		c.mu.Unlock()
		return failure{}, false
	}
	select { // the two sockets keep no order
	case <-r.failed:
		return r.said, true
	case <-time.After(2 * time.Second):
		return failure{}, false
	}
}

// kept returns what earlier cells declared, by name.
func (c *cells) kept() map[string]string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.declarations)
}

// declarations returns the text of a cell's declarations by name, main's left out. A method's name
// holds its receiver's.
func declarations(source string) map[string]string {
	text, _ := goText(source)
	src := "package main\n" + text
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "main.go", src, parser.SkipObjectResolution)
	if err != nil {
		return nil
	}
	found := map[string]string{}
	of := func(n ast.Node) string { return src[fset.Position(n.Pos()).Offset:fset.Position(n.End()).Offset] }
	for _, d := range file.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			name := d.Name.Name
			if d.Recv != nil && len(d.Recv.List) == 1 {
				name = strings.TrimPrefix(of(d.Recv.List[0].Type), "*") + "." + name
			}
			if name != "main" && name != "init" {
				found[name] = of(d)
			}
		case *ast.GenDecl:
			if d.Tok == token.IMPORT {
				for _, s := range d.Specs {
					found["import "+of(s)] = "import " + of(s)
				}
				continue
			}
			if d.Tok == token.CONST && len(d.Specs) > 1 { // iota
				found[of(d.Specs[0])] = of(d)
				continue
			}
			for _, s := range d.Specs {
				name := ""
				switch s := s.(type) {
				case *ast.TypeSpec:
					name = s.Name.Name
				case *ast.ValueSpec:
					name = s.Names[0].Name
				}
				found[name] = d.Tok.String() + " " + of(s)
			}
		}
	}
	return found
}

// goText returns a cell as Go declarations, line for line: main around statements, and nothing
// where the kernel's own commands stand. inMain reports whether a main is left open at the end.
func goText(source string) (text string, inMain bool) {
	lines := strings.Split(source, "\n")
	for i, line := range lines {
		switch {
		case cell.IsMain(line):
			lines[i] = "func main() {"
			inMain = true
		case cell.Special(line):
			lines[i] = ""
		}
	}
	text = strings.Join(lines, "\n")
	if inMain {
		text += "\n}"
	}
	return text, inMain
}

var (
	ansi       = regexp.MustCompile(`\x1b\[[0-9;]*m`)
	cellLine   = regexp.MustCompile(`^Cell ?(\[\d+\])?:? Line (\d+)$`)
	inMainGo   = regexp.MustCompile(`^\S*main(?:_test)?\.go:\d+(?::\d+)?: `)
	stackLine  = regexp.MustCompile(`\[\[ Cell ?(\[\d+\])? Line (\d+) \]\]`)
	markedPath = regexp.MustCompile(`\s*\[\[ Cell ?(?:\[\d+\])? Line \d+ \]\]\s*\S*main(?:_test)?\.go:\d+`)
	repository = regexp.MustCompile(`^\t(\S+\.go:\d+)`)
)

// place is how a line of a cell is named.
func place(id, line string) string {
	if id == "" {
		return "Line " + line
	}
	return "Cell " + id + " Line " + line
}

// compileErrors says what the compiler says, each with the cell's line and, where a name is wrong,
// the nearest one.
func (c *cells) compileErrors(source string, gonb failure) (lines []string) {
	text := c.help.text(c.declarations, source)
	var unused []string // which is what remains of a line that is wrong, as often as not
	for _, entry := range gonb.Traceback {
		entry = strings.TrimRight(ansi.ReplaceAllString(entry, ""), "\n")
		parts := strings.Split(entry, "\n")
		message := inMainGo.ReplaceAllString(parts[len(parts)-1], "")
		where := ""
		if m := cellLine.FindStringSubmatch(parts[0]); m != nil && len(parts) > 1 {
			where = place(m[1], m[2]) + ": "
		} else if len(parts) > 1 {
			where = "at the end of the cell: " // in what the kernel puts there
		}
		trimmed := strings.TrimSpace(message)
		if trimmed == "" || strings.HasPrefix(trimmed, "# gonb_") || trimmed == "exit status 1" || where == "" && strings.HasPrefix(trimmed, "failed to run ") {
			continue
		}
		if (strings.HasPrefix(trimmed, "expected declaration, found") || strings.HasPrefix(trimmed, "imports must appear")) && cell.NeedsMain(source) {
			lines = append(lines, where+"a statement outside a function: add %% at the top of the cell")
			continue
		}
		if strings.HasPrefix(trimmed, "declared and not used") {
			unused = append(unused, where+message)
			continue
		}
		if hint := c.help.packages.Hint(trimmed, text); hint != "" {
			message, _, _ = strings.Cut(message, " (but have ")
			message += " (did you mean " + hint + "?)"
		}
		lines = append(lines, where+message)
	}
	if len(lines) == 0 {
		lines = unused
	}
	if len(lines) == 0 {
		lines = []string{strings.TrimSpace(ansi.ReplaceAllString(gonb.Value, ""))}
	}
	return lines
}

// ended turns a program's last words into what a reader wants to know: the message, and the cell's
// line, with those that called it.
func ended(words, root string) []string {
	words = ansi.ReplaceAllString(strings.TrimRight(words, "\n"), "")
	message, trace, panicked := strings.Cut(words, "\n\ngoroutine ")
	if !panicked {
		trace = message
		message = markedPath.ReplaceAllString(message, "")
	}
	if first, _, more := strings.Cut(trace, "\n\n"); more && panicked {
		trace = first // other goroutines
	}
	var places []string
	for _, m := range stackLine.FindAllStringSubmatch(trace, -1) {
		if p := place(m[1], m[2]); len(places) == 0 || places[len(places)-1] != p {
			places = append(places, p)
		}
	}
	var lines []string
	for line := range strings.SplitSeq(message, "\n") {
		if t := strings.TrimSpace(line); t != "" && t != "at" && !strings.HasPrefix(t, "[signal ") {
			lines = append(lines, strings.TrimRight(line, " \t"))
		}
	}
	if len(lines) == 0 {
		lines = []string{"the program ended"}
	}
	if len(places) > 0 {
		lines[0] = places[0] + ": " + lines[0]
		for _, p := range places[1:min(len(places), 10)] {
			lines = append(lines, "    called at "+p)
		}
		return lines
	}
	if panicked { // in a goroutine of the library's
		for line := range strings.SplitSeq(trace, "\n") {
			if m := repository.FindStringSubmatch(line); m != nil && root != "" && strings.HasPrefix(m[1], root+string(filepath.Separator)) {
				return append(lines, "    at "+m[1][len(root)+1:])
			}
		}
	}
	return lines
}

// inOrder joins declarations by name.
func inOrder(kept map[string]string) string {
	var b strings.Builder
	names := slices.SortedFunc(maps.Keys(kept), func(a, b string) int {
		ai, bi := strings.HasPrefix(a, "import "), strings.HasPrefix(b, "import ")
		if ai != bi {
			if ai {
				return -1
			}
			return 1
		}
		return strings.Compare(a, b)
	})
	for _, name := range names {
		b.WriteString(kept[name] + "\n\n")
	}
	return b.String()
}
