package cell

import (
	"go/ast"
	"go/parser"
	"go/token"
	"regexp"
	"slices"
	"strings"
)

// Nearest returns the name that a misspelt one most probably means, or "": one that differs by
// capitals alone, or by a third of its letters at most. Of equals the longest is taken, since
// letters are left out more often than put in, and of those the first in order.
func Nearest(name string, names []string) string {
	best, least := "", max(1, len([]rune(name))/3)
	names = slices.Sorted(slices.Values(names))
	for _, n := range names {
		if n == name {
			continue
		}
		if strings.EqualFold(n, name) {
			return n
		}
		if d := edits(strings.ToLower(name), strings.ToLower(n)); d < len([]rune(n)) && (d < least || d == least && len(n) > len(best)) {
			best, least = n, d
		}
	}
	return best
}

// edits counts the letters to change, add, drop or swap with their neighbors between two words.
func edits(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
		for j := range rows[i] {
			if i == 0 {
				rows[i][j] = j
				continue
			}
			if j == 0 {
				continue
			}
			change := 1
			if s[i-1] == t[j-1] {
				change = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+change)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(s)][len(t)]
}

var (
	undefinedIn = regexp.MustCompile(`^undefined: (\w+)\.(\w+)$`)
	undefined   = regexp.MustCompile(`^undefined: (\w+)$`)
	noMember    = regexp.MustCompile(`\.(\w+) undefined \(type \*?(\w+)\.(\w+)(?:\[.*\])? has no field or method \w+\)$`)
	butHave     = regexp.MustCompile(`^undefined: (\w+)\.\w+ \(but have (\w+)\)$`)
	noField     = regexp.MustCompile(`^unknown field (\w+) in struct literal of type (\w+)\.(\w+)`)
)

// Hint returns the name that the reader of one of the compiler's messages most probably wanted, or
// "". The text is what was compiled, in which a name of the reader's own may be found.
func (p *Packages) Hint(message, text string) string {
	if m := undefinedIn.FindStringSubmatch(message); m != nil {
		if path, ok := p.Path(m[1], []string{m[2]}); ok {
			if n := Nearest(m[2], p.Exports(path)); n != "" {
				return m[1] + "." + n
			}
		}
		return ""
	}
	if m := butHave.FindStringSubmatch(message); m != nil {
		return m[1] + "." + m[2]
	}
	if m := undefined.FindStringSubmatch(message); m != nil {
		return Nearest(m[1], append(declared(text), p.Names()...))
	}
	member, pkg, typeName := "", "", ""
	if m := noMember.FindStringSubmatch(message); m != nil {
		member, pkg, typeName = m[1], m[2], m[3]
	} else if m := noField.FindStringSubmatch(message); m != nil {
		member, pkg, typeName = m[1], m[2], m[3]
	}
	if path, ok := p.Path(pkg, []string{typeName}); ok {
		return Nearest(member, p.Members(path, typeName))
	}
	return ""
}

// declared lists the names that a text declares, at whatever depth.
func declared(text string) (names []string) {
	file, _ := parser.ParseFile(token.NewFileSet(), "main.go", text, parser.SkipObjectResolution)
	if file == nil {
		return nil
	}
	add := func(ids ...*ast.Ident) {
		for _, id := range ids {
			if id != nil && id.Name != "_" {
				names = append(names, id.Name)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			add(n.Name)
		case *ast.TypeSpec:
			add(n.Name)
		case *ast.ValueSpec:
			add(n.Names...)
		case *ast.Field:
			add(n.Names...)
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				for _, l := range n.Lhs {
					if id, ok := l.(*ast.Ident); ok {
						add(id)
					}
				}
			}
		case *ast.RangeStmt:
			for _, e := range []ast.Expr{n.Key, n.Value} {
				if id, ok := e.(*ast.Ident); ok {
					add(id)
				}
			}
		}
		return true
	})
	return names
}
