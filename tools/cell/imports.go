package cell

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"slices"
	"strconv"
	"strings"
)

// Import adds to a file the imports of every known package that it names, on the line of its
// package clause so that no line moves, and takes away those that it does not use. The names of
// packages that are not known are given back: somebody else may find them.
func (p *Packages) Import(src []byte) (out []byte, unknown []string, err error) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "main.go", src, 0)
	if err != nil {
		return nil, nil, err
	}
	unresolved := map[*ast.Ident]bool{}
	for _, id := range file.Unresolved {
		unresolved[id] = true
	}
	selected := map[string][]string{}
	var names []string
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if id, ok := s.X.(*ast.Ident); ok && unresolved[id] {
				if selected[id.Name] == nil {
					names = append(names, id.Name)
				}
				selected[id.Name] = append(selected[id.Name], s.Sel.Name)
			}
		}
		return true
	})
	out = slices.Clone(src)
	imported := map[string]bool{}
	for _, spec := range slices.Backward(file.Imports) {
		name, sure := p.importedName(spec)
		if name == "_" || name == "." || name == "C" || selected[name] != nil {
			imported[name] = true
			continue
		}
		if !sure {
			unknown = append(unknown, name) // perhaps used under another name
			continue
		}
		// As many bytes as before: later positions stay.
		for i := fset.Position(spec.Pos()).Offset; i < fset.Position(spec.End()).Offset; i++ {
			out[i] = ' '
		}
		if whole := wholeDecl(file, spec); whole != nil {
			for i := fset.Position(whole.Pos()).Offset; i < fset.Position(spec.Pos()).Offset; i++ {
				out[i] = ' '
			}
		}
	}
	var add bytes.Buffer
	for _, name := range names {
		if imported[name] {
			continue
		}
		if path, ok := p.Path(name, selected[name]); ok {
			fmt.Fprintf(&add, "; import %q", path)
		} else {
			unknown = append(unknown, name)
		}
	}
	end := fset.Position(file.Name.End()).Offset
	return slices.Concat(out[:end], add.Bytes(), out[end:]), unknown, nil
}

// importedName is the name that an import gives a package, and whether that is sure.
func (p *Packages) importedName(spec *ast.ImportSpec) (string, bool) {
	if spec.Name != nil {
		return spec.Name.Name, true
	}
	path, _ := strconv.Unquote(spec.Path.Value)
	_, known := p.dirs[path]
	return nameOf(path), known
}

// wholeDecl is the declaration of an import that has no parentheses.
func wholeDecl(file *ast.File, spec *ast.ImportSpec) *ast.GenDecl {
	for _, d := range file.Decls {
		if g, ok := d.(*ast.GenDecl); ok && !g.Lparen.IsValid() && slices.Contains(g.Specs, ast.Spec(spec)) {
			return g
		}
	}
	return nil
}

// Clause is a package clause with the imports of all known packages that a text names, which need
// not be whole: a reader is still writing it. What the text imports itself is left out.
func (p *Packages) Clause(text string) string {
	own := map[string]bool{}
	if file, _ := parser.ParseFile(token.NewFileSet(), "main.go", "package main\n"+text, parser.ImportsOnly); file != nil {
		for _, spec := range file.Imports {
			name, _ := p.importedName(spec)
			own[name] = true
		}
	}
	clause := "package main"
	var names []string
	selected := map[string][]string{}
	toks := tokens(text)
	for i, t := range toks {
		if t.tok != token.IDENT || i > 0 && toks[i-1].tok == token.PERIOD || i+1 >= len(toks) || toks[i+1].tok != token.PERIOD {
			continue
		}
		if !slices.Contains(names, t.lit) {
			names = append(names, t.lit)
		}
		if i+2 < len(toks) && toks[i+2].tok == token.IDENT {
			selected[t.lit] = append(selected[t.lit], toks[i+2].lit)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		if path, ok := p.Path(name, selected[name]); ok && !own[name] {
			clause += fmt.Sprintf("; import %q", path)
		}
	}
	return clause
}

type tok struct {
	tok token.Token
	lit string
	pos int // offset in the text
}

func tokens(text string) (toks []tok) {
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, []byte(text), func(token.Position, string) {}, 0)
	for {
		pos, t, lit := s.Scan()
		if t == token.EOF {
			return toks
		}
		toks = append(toks, tok{t, lit, file.Offset(pos)})
	}
}

// Special reports whether a line of a cell is not Go but a command of the kernel.
func Special(line string) bool {
	return strings.HasPrefix(line, "%") || strings.HasPrefix(line, "!")
}

// IsMain reports whether a line makes what follows the statements of main.
func IsMain(line string) bool {
	line = strings.TrimPrefix(line, "//gonb:")
	return line == "%%" || strings.HasPrefix(line, "%% ") || strings.HasPrefix(line, "%%\t") || strings.HasPrefix(line, "%main")
}

// NeedsMain reports whether a cell's first words begin a statement, with nothing before them that
// would allow one.
func NeedsMain(source string) bool {
	var code []string
	for line := range strings.SplitSeq(source, "\n") {
		if IsMain(line) {
			return false
		}
		if Special(line) {
			line = ""
		}
		code = append(code, line)
	}
	depth := 0
	begins := true // a new declaration or statement
	for _, t := range tokens(strings.Join(code, "\n")) {
		switch t.tok {
		case token.LBRACE, token.LPAREN, token.LBRACK:
			depth++
		case token.RBRACE, token.RPAREN, token.RBRACK:
			depth--
		case token.SEMICOLON:
			begins = depth == 0
			continue
		}
		if begins {
			switch t.tok {
			case token.PACKAGE, token.IMPORT, token.FUNC, token.TYPE, token.VAR, token.CONST:
			default:
				return true
			}
		}
		begins = false
	}
	return false
}
