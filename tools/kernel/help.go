//go:build unix

package main

import (
	"context"
	"fmt"
	"go/scanner"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/golatent/latent/tools/cell"
)

// The helper answers what a reader asks while writing a cell: how a name goes on, and what it is.
// It asks gopls about a text that is the cell's with the imports that it leaves out. The text lies
// in a module of its own, for which this repository is one that it uses: gopls then reads of it
// what the cell names, and neither tests nor what nobody asked for.
type helper struct {
	root     string
	packages *cell.Packages
	dir      string
	mu       sync.Mutex // one question at a time: each has a text of its own
	gopls    *server
	version  int
	opened   bool
	warm     chan struct{} // closed when gopls has answered, or will not
}

const slow = 20 * time.Second // a question that has no answer by then has none

func newHelper(root, dir string, packages *cell.Packages) *helper {
	return &helper{root: root, packages: packages, dir: filepath.Join(dir, "cell"), warm: make(chan struct{})}
}

// start starts gopls and asks it a first question, so that what cells mostly use has been read.
func (h *helper) start(gopls string) error {
	defer close(h.warm)
	if err := h.module(); err != nil {
		return err
	}
	env := append(os.Environ(), "GOWORK=off", "GOFLAGS=-mod=mod", "GOPROXY=off")
	s, err := startServer(gopls, h.dir, env)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	folder := "file://" + h.dir
	capabilities := map[string]any{
		"workspace": map[string]any{"configuration": true, "workspaceFolders": true},
		"textDocument": map[string]any{
			"completion": map[string]any{"completionItem": map[string]any{"snippetSupport": false, "documentationFormat": []string{"plaintext"}}},
			"hover":      map[string]any{"contentFormat": []string{"markdown"}},
		}}
	var ignored any
	if err := s.call(ctx, "initialize", map[string]any{"processId": os.Getpid(), "rootUri": folder, "capabilities": capabilities,
		"initializationOptions": settings, "workspaceFolders": []any{map[string]any{"uri": folder, "name": "cell"}}}, &ignored); err != nil {
		return err
	}
	if err := s.notify("initialized", map[string]any{}); err != nil {
		return err
	}
	h.mu.Lock()
	h.gopls = s
	h.mu.Unlock()
	for _, first := range []string{"%%\nm := nb.Must(cluster.KMeans{K: 3}.Fit(nb.Context(), datasets.Iris().X))\nfmt.Println(m.", "%%\nplotting.New(plotting.Line(nil, []float64{math.Pi, strings.Count"} {
		h.complete(nil, first, utf8.RuneCountInString(first))
	}
	return nil
}

// module writes the module that cells are looked at in: what this repository requires, and itself.
func (h *helper) module() error {
	if err := os.MkdirAll(h.dir, 0o755); err != nil {
		return err
	}
	gomod, err := os.ReadFile(filepath.Join(h.root, "go.mod"))
	if err != nil {
		return err
	}
	text := regexp.MustCompile(`(?m)^module .*$`).ReplaceAllLiteralString(string(gomod), "module cell")
	text += fmt.Sprintf("\nrequire %s v0.0.0\n\nreplace %s => %s\n", cell.Module, cell.Module, h.root)
	sums, err := os.ReadFile(filepath.Join(h.root, "go.sum"))
	if err != nil {
		return err
	}
	for name, body := range map[string]string{"go.mod": text, "go.sum": string(sums), "main.go": "package main\n\nfunc main() {}\n", "kept.go": "package main\n"} {
		if err := os.WriteFile(filepath.Join(h.dir, name), []byte(body), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// text is what a cell is compiled with: its own declarations, and those that earlier cells kept.
func (h *helper) text(kept map[string]string, source string) string {
	text, _ := goText(source)
	return "package main\n" + text + "\n" + h.others(kept, source)
}

// others are the declarations that earlier cells kept, but for those that this cell makes anew and
// imports, which are made as they are used.
func (h *helper) others(kept map[string]string, source string) string {
	own := declaredIn(source)
	left := map[string]string{}
	for name, text := range kept {
		first, _, _ := strings.Cut(name, ".")
		if !own[name] && !own[first] && !strings.HasPrefix(name, "import ") {
			left[name] = text
		}
	}
	return inOrder(left)
}

var declaration = regexp.MustCompile(`(?m)^(?:func|type|var|const)\s+(?:\([^)]*\)\s*)?(\w+)`)

// declaredIn lists what a cell declares, whole or not.
func declaredIn(source string) map[string]bool {
	own := map[string]bool{}
	for _, m := range declaration.FindAllStringSubmatch(source, -1) {
		own[m[1]] = true
	}
	for name := range declarations(source) {
		own[name] = true
	}
	return own
}

// ask puts a cell before gopls and returns where a character is in it; cursor is where the reader
// writes.
func (h *helper) ask(kept map[string]string, source string, at, cursor int) (params map[string]any, err error) {
	main, line, column := compose(source, at, cursor)
	body := h.packages.Clause(main) + main
	if strings.HasPrefix(main, "func main() {") { // a cell of statements that has no %% yet
		body = h.packages.Clause(main) + "; " + main
	}
	others := h.others(kept, source)
	imports := inOrder(onlyImports(kept))
	clause := h.packages.Clause(imports + others)
	h.version++
	for name, text := range map[string]string{"main.go": body, "kept.go": clause + "\n" + imports + others} {
		uri := "file://" + filepath.Join(h.dir, name)
		if !h.opened {
			err = h.gopls.notify("textDocument/didOpen", map[string]any{"textDocument": map[string]any{"uri": uri, "languageId": "go", "version": h.version, "text": text}})
		} else {
			err = h.gopls.notify("textDocument/didChange", map[string]any{"textDocument": map[string]any{"uri": uri, "version": h.version}, "contentChanges": []any{map[string]any{"text": text}}})
		}
		if err != nil {
			return nil, err
		}
	}
	h.opened = true
	return map[string]any{"textDocument": map[string]any{"uri": "file://" + filepath.Join(h.dir, "main.go")},
		"position": map[string]any{"line": line, "character": column}}, nil
}

func onlyImports(kept map[string]string) map[string]string {
	left := map[string]string{}
	for name, text := range kept {
		if strings.HasPrefix(name, "import ") {
			left[name] = text
		}
	}
	return left
}

// compose returns the text of a cell after its package clause, to which it is appended, and the
// line and column of a character in UTF-16 units, as gopls counts. Places in the source are given
// in characters. What is left open is closed at the cursor, an option that lacks its value gets
// one, and a selector that lacks its name ends its statement.
func compose(source string, at, cursor int) (text string, line, column int) {
	runes := []rune(source)
	cursor = min(max(cursor, 0), len(runes))
	before, after := string(runes[:cursor]), string(runes[cursor:])
	to := string(runes[:min(max(at, 0), len(runes))])
	line = strings.Count(to, "\n")
	column = len(utf16.Encode([]rune(to[strings.LastIndexByte(to, '\n')+1:])))
	rest, below, more := strings.Cut(after, "\n")
	fill := open(source)
	switch {
	case strings.HasSuffix(strings.TrimRight(before, " \t"), ":") && fill != "":
		fill = "0" + fill
	case strings.HasSuffix(before, ".") && fill == "" && strings.TrimSpace(rest) == "":
		fill = ";"
	}
	head := before + fill + rest
	if more {
		head += "\n" + below
	}
	text, inMain := goText(head)
	if !inMain && cell.NeedsMain(head) {
		return "func main() {\n" + text + "\n}", line + 1, column
	}
	return "\n" + text, line + 1, column
}

// open returns the brackets that close what a text leaves open, the innermost first.
func open(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if cell.Special(l) {
			lines[i] = ""
		}
	}
	text = strings.Join(lines, "\n")
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), func(token.Position, string) {}, 0)
	var stack []byte
	for {
		_, t, _ := s.Scan()
		switch t {
		case token.EOF:
			slices.Reverse(stack)
			return string(stack)
		case token.LPAREN:
			stack = append(stack, ')')
		case token.LBRACK:
			stack = append(stack, ']')
		case token.LBRACE:
			stack = append(stack, '}')
		case token.RPAREN, token.RBRACK, token.RBRACE:
			if len(stack) > 0 {
				stack = stack[:len(stack)-1]
			}
		}
	}
}

// A completion as gopls offers it.
type item struct {
	Label         string `json:"label"`
	Kind          int    `json:"kind"`
	Detail        string `json:"detail"`
	Documentation any    `json:"documentation"`
	SortText      string `json:"sortText"`
	TextEdit      *struct {
		NewText string `json:"newText"`
	} `json:"textEdit"`
	InsertText string `json:"insertText"`
}

var kinds = map[int]string{2: "method", 3: "function", 5: "field", 6: "variable", 7: "class", 8: "interface", 9: "module", 14: "keyword", 21: "constant", 22: "class"}

// complete answers how the name before the cursor may go on.
func (h *helper) complete(kept map[string]string, source string, cursor int) map[string]any {
	runes := []rune(source)
	cursor = min(max(cursor, 0), len(runes))
	begin := cursor
	for begin > 0 && (runes[begin-1] == '_' || isLetter(runes[begin-1])) {
		begin--
	}
	prefix := string(runes[begin:cursor])
	selects := begin > 0 && runes[begin-1] == '.'
	matches := []string{}
	types := []any{}
	add := func(name, kind, signature string) {
		if !slices.Contains(matches, name) {
			matches = append(matches, name)
			types = append(types, map[string]any{"start": begin, "end": cursor, "text": name, "type": kind, "signature": signature})
		}
	}
	items := h.items(kept, source, cursor)
	option := func(it item) bool { return it.Kind == 5 && !selects } // of a literal
	if prefix == "" && slices.ContainsFunc(items, option) {
		items = slices.DeleteFunc(items, func(it item) bool { return !option(it) })
	}
	for _, it := range items {
		name := it.InsertText
		if it.TextEdit != nil {
			name = it.TextEdit.NewText
		}
		if len(name) < len(prefix) || !strings.EqualFold(name[:len(prefix)], prefix) || testName(name, it) {
			continue
		}
		if selects && it.Kind == 14 {
			continue // a keyword after a dot
		}
		doc := it.Detail
		if text := documentation(it.Documentation); text != "" {
			doc += " — " + text
		}
		if option(it) {
			name += ": "
		}
		add(name, kinds[it.Kind], doc)
	}
	if !selects && prefix != "" {
		for _, name := range h.packages.Names() {
			if strings.HasPrefix(name, prefix) {
				path, _ := h.packages.Path(name, nil)
				add(name, "module", path)
			}
		}
	}
	return map[string]any{"status": "ok", "matches": matches, "cursor_start": begin, "cursor_end": cursor,
		"metadata": map[string]any{"_jupyter_types_experimental": types}}
}

func isLetter(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= utf8.RuneSelf
}

// testName reports whether a name is one of a test's.
func testName(name string, it item) bool {
	if it.Kind != 3 {
		return false
	}
	for _, p := range []string{"*testing.T)", "*testing.B)", "*testing.F)"} {
		if strings.Contains(it.Detail, p) {
			return true
		}
	}
	return strings.HasPrefix(name, "Example") && it.Detail == "func()"
}

func documentation(v any) string {
	switch v := v.(type) {
	case string:
		return strings.Join(strings.Fields(v), " ")
	case map[string]any:
		text, _ := v["value"].(string)
		return strings.Join(strings.Fields(text), " ")
	}
	return ""
}

func (h *helper) items(kept map[string]string, source string, cursor int) []item {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gopls == nil {
		return nil
	}
	params, err := h.ask(kept, source, cursor, cursor)
	if err != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), slow)
	defer cancel()
	var list struct {
		Items []item `json:"items"`
	}
	if err := h.gopls.call(ctx, "textDocument/completion", params, &list); err != nil {
		return nil
	}
	slices.SortStableFunc(list.Items, func(a, b item) int { return strings.Compare(a.SortText, b.SortText) })
	return list.Items
}

// inspect answers what the name at the cursor is. After an opening parenthesis, or among arguments,
// it is the function's.
func (h *helper) inspect(kept map[string]string, source string, cursor int) map[string]any {
	data := map[string]any{}
	if text := h.hover(kept, source, cursor); text != "" {
		data["text/markdown"] = text
		data["text/plain"] = plain(text)
	}
	return map[string]any{"status": "ok", "found": len(data) > 0, "data": data, "metadata": map[string]any{}}
}

func (h *helper) hover(kept map[string]string, source string, cursor int) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gopls == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(context.Background(), slow)
	defer cancel()
	runes := []rune(source)
	cursor = min(max(cursor, 0), len(runes))
	letter := func(i int) bool { return i >= 0 && i < len(runes) && (runes[i] == '_' || isLetter(runes[i])) }
	at := cursor
	for letter(at) {
		at++
	}
	for depth := 0; at > 0; at-- { // back to the end of a name: the one here, or that of the function around
		r := runes[at-1]
		if depth == 0 && letter(at-1) {
			break
		}
		switch r {
		case ')', ']', '}':
			depth++
		case '(', '[', '{':
			depth = max(depth-1, 0)
		}
	}
	if at == 0 {
		return ""
	}
	params, err := h.ask(kept, source, at, max(at, cursor))
	if err != nil {
		return ""
	}
	p := params["position"].(map[string]any) // gopls wants the name itself, not its end
	p["character"] = p["character"].(int) - len(utf16.Encode(runes[at-1:at]))
	var found struct {
		Contents struct {
			Value string `json:"value"`
		} `json:"contents"`
	}
	if err := h.gopls.call(ctx, "textDocument/hover", params, &found); err != nil {
		return ""
	}
	return found.Contents.Value
}

var fence = regexp.MustCompile("(?m)^```\\w*\n?")

func plain(markdown string) string {
	text := fence.ReplaceAllString(markdown, "")
	text = strings.NewReplacer("\\_", "_", "\\*", "*", "\\[", "[", "\\]", "]", "\\`", "`", "\n---\n", "\n").Replace(text)
	return strings.TrimSpace(text)
}

// stop ends gopls.
func (h *helper) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.gopls != nil {
		h.gopls.stop()
	}
}
