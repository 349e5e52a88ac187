package main

import (
	"fmt"
	"go/parser"
	"go/token"
	"regexp"
	"strings"
	"unicode/utf8"
)

const (
	width    = 100 // columns of a comment on lines of its own
	trailing = 140 // of a line with code and a comment behind it
	tab      = 4
)

// finding is a line that is too wide.
type finding struct {
	line  int
	what  string
	stays bool // it is not wrapped
}

// wrap returns the source with its comments wrapped, and what was too wide in it.
func wrap(name string, source []byte) (out []byte, found []finding, err error) {
	lines := strings.Split(string(source), "\n")
	own, behind, err := comments(name, source, lines)
	if err != nil {
		return nil, nil, err
	}
	var to []string
	for i := 0; i < len(lines); {
		if !own[i] {
			if behind[i] && columns(lines[i]) > trailing {
				found = append(found, finding{i + 1, fmt.Sprintf("%d columns, with a comment behind code", columns(lines[i])), true})
			}
			to = append(to, lines[i])
			i++
			continue
		}
		j := i
		for j < len(lines) && own[j] && indent(lines[j]) == indent(lines[i]) {
			j++
		}
		for _, p := range paragraphs(lines[i:j]) {
			text := lines[i+p.from : i+p.to]
			wide := -1
			for k, l := range text {
				if columns(l) > width {
					wide = k
					break
				}
			}
			if wide >= 0 && !p.fixed {
				fresh := p.fill(indent(lines[i]), text)
				// A word that is too wide by itself stays, and is no fault.
				if strings.Join(fresh, "\n") != strings.Join(text, "\n") {
					found = append(found, finding{line: i + p.from + wide + 1, what: fmt.Sprintf("a comment of %d columns", columns(text[wide]))})
					text = fresh
				}
			}
			to = append(to, text...)
		}
		i = j
	}
	return []byte(strings.Join(to, "\n")), found, nil
}

// comments tells which lines hold nothing but a comment of two slashes, and which have one behind
// code.
func comments(name string, source []byte, lines []string) (own, behind map[int]bool, err error) {
	own, behind = map[int]bool{}, map[int]bool{}
	if !strings.HasSuffix(name, ".go") {
		for i, l := range lines {
			own[i] = strings.HasPrefix(strings.TrimLeft(l, "\t "), "//")
			behind[i] = !own[i] && strings.Contains(l, " // ")
		}
		return own, behind, nil
	}
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, nil, err
	}
	for _, group := range file.Comments {
		for _, c := range group.List {
			if !strings.HasPrefix(c.Text, "//") {
				continue
			}
			at := files.PositionFor(c.Pos(), false)
			if strings.TrimLeft(lines[at.Line-1][:at.Column-1], "\t ") == "" {
				own[at.Line-1] = true
			} else {
				behind[at.Line-1] = true
			}
		}
	}
	return own, behind, nil
}

// columns is the width of a line on the screen.
func columns(line string) int {
	return utf8.RuneCountInString(line) + (tab-1)*strings.Count(line, "\t")
}

func indent(line string) string { return line[:len(line)-len(strings.TrimLeft(line, "\t "))] }

// paragraph is some lines of a comment that belong together.
type paragraph struct {
	from, to    int
	fixed       bool   // left as it is
	first, next string // between the slashes and the text, in the first line and in those after it
}

var (
	directive = regexp.MustCompile(`^//([a-z]+:|line |export |extern )`)
	item      = regexp.MustCompile(`^// +([-*+•]|\d+[.)]) +`)
	output    = regexp.MustCompile(`(?i)^// *(unordered )?output:`)
)

// paragraphs parts a comment, whose lines have one indentation.
func paragraphs(lines []string) (out []paragraph) {
	literal := false // what an example prints, to the end of the comment
	for i := 0; i < len(lines); i++ {
		text := strings.TrimLeft(lines[i], "\t ")
		literal = literal || output.MatchString(text)
		last := len(out) - 1
		switch {
		case literal, directive.MatchString(text), strings.HasPrefix(text, "//\t"), text == "//", !strings.HasPrefix(text, "// "),
			strings.HasPrefix(text, "// |"), strings.HasPrefix(text, "// # "), strings.HasPrefix(text, "// +build"):
			out = append(out, paragraph{from: i, to: i + 1, fixed: true})
		case item.MatchString(text):
			marker := item.FindString(text)[2:]
			out = append(out, paragraph{from: i, to: i + 1, first: marker, next: strings.Repeat(" ", utf8.RuneCountInString(marker))})
		case strings.HasPrefix(text, "//  "):
			// Indented: the text of an item goes on, or it is code.
			if last >= 0 && !out[last].fixed && out[last].first != " " && strings.HasPrefix(text, "//"+out[last].next) {
				out[last].to++
			} else {
				out = append(out, paragraph{from: i, to: i + 1, fixed: true})
			}
		case last >= 0 && !out[last].fixed && out[last].first == " ":
			out[last].to++
		default:
			out = append(out, paragraph{from: i, to: i + 1, first: " ", next: " "})
		}
	}
	return out
}

// fill sets the words of a paragraph into as few lines as hold them, each as full as it can be.
func (p paragraph) fill(indent string, lines []string) (out []string) {
	var all []string
	for i, l := range lines {
		l = strings.TrimPrefix(strings.TrimLeft(l, "\t "), "//")
		if i == 0 {
			l = strings.TrimPrefix(l, p.first)
		}
		all = append(all, strings.Fields(l)...)
	}
	line, empty := indent+"//"+p.first, true
	for _, w := range together(all) {
		if !empty && columns(line)+1+columns(w) > width {
			out = append(out, line)
			line, empty = indent+"//"+p.next, true
		}
		if !empty {
			line += " "
		}
		line, empty = line+w, false
	}
	return append(out, line)
}

// operators stay with what they join, where that is short.
const operators = "= ≠ ≈ < > ≤ ≥ × + − · ∈ ∝ ± / := == ∘ → ← ∪ ∩ ≪ ≫ ≡"

// together joins words that a line should not part: K = 3, n × d.
func together(words []string) (out []string) {
	const longest = 30
	for i := 0; i < len(words); i++ {
		w := words[i]
		for i+2 < len(words) && isOperator(words[i+1]) && columns(w)+columns(words[i+1])+columns(words[i+2])+2 <= longest {
			w += " " + words[i+1] + " " + words[i+2]
			i += 2
		}
		out = append(out, w)
	}
	return out
}

func isOperator(w string) bool {
	for op := range strings.FieldsSeq(operators) {
		if w == op {
			return true
		}
	}
	return false
}
