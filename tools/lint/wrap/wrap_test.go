package main

import (
	"go/format"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const long = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"

func TestWrap(t *testing.T) {
	for _, c := range []struct{ name, from, to string }{
		{"doc comment", "// F is " + long + " seventeen.\nfunc F() {}",
			"// F is " + long[:len(long)-8] + "\n// sixteen seventeen.\nfunc F() {}"},
		{"paragraph as a whole", "// " + long + " seventeen\n// eighteen.",
			"// " + long + "\n// seventeen eighteen."},
		{"only what is too wide", "// short\n// lines.\n//\n// " + long + " seventeen.",
			"// short\n// lines.\n//\n// " + long + "\n// seventeen."},
		{"indented", "func f() {\n\t// " + long + "\n\tf()\n}",
			"func f() {\n\t// " + long[:len(long)-8] + "\n\t// sixteen\n\tf()\n}"},
		{"list", "// A list:\n//   - " + long + "\n//     more\n//   - short",
			"// A list:\n//   - " + long[:len(long)-8] + "\n//     sixteen more\n//   - short"},
		{"operators stay", "// " + long[:len(long)-8] + " K = 3 and so on.",
			"// " + long[:len(long)-8] + " K = 3\n// and so on."},
		{"operators move", "// " + long + " = 3 and so on.",
			"// " + long[:len(long)-8] + "\n// sixteen = 3 and so on."},
		{"umlauts count once", "// " + strings.Repeat("äöüß ", 19) + "äö",
			"// " + strings.Repeat("äöüß ", 19) + "äö"},
		{"code", "// F:\n//\n//\t" + long + long, "// F:\n//\n//\t" + long + long},
		{"directive", "//go:generate " + long + long, "//go:generate " + long + long},
		{"what an example prints", "func Example() {\n\t// Output: " + long + "\n\t// " + long + long + "\n}",
			"func Example() {\n\t// Output: " + long + "\n\t// " + long + long + "\n}"},
		{"one word", "// " + strings.Repeat("x", 120), "// " + strings.Repeat("x", 120)},
		{"string", "var s = `\n// " + long + long + "\n`", "var s = `\n// " + long + long + "\n`"},
	} {
		const head = "package p\n\n"
		got, found, err := wrap("x.go", []byte(head+c.from+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != head+c.to+"\n" {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, got[len(head):], c.to)
		}
		if (len(found) > 0) != (c.from != c.to) {
			t.Errorf("%s: findings %v", c.name, found)
		}
		if pretty, err := format.Source(got); err != nil || string(pretty) != string(got) {
			t.Errorf("%s: gofmt makes of it\n%s", c.name, pretty)
		}
	}
}

func TestCommentBehindCode(t *testing.T) {
	source := "package p\n\nvar x = 1 // " + long + "\n\nvar y = 1 // " + long + strings.Repeat("x", 40) + "\n"
	got, found, err := wrap("x.go", []byte(source))
	if err != nil || string(got) != source || len(found) != 1 || found[0].line != 5 || !found[0].stays {
		t.Errorf("findings %+v (%v)", found, err)
	}
}

// Whatever the words are, wrapping keeps them in their order, leaves no line that could be
// narrower, and does nothing the second time.
func TestWrapKeepsTheWords(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	alphabet := []rune("abcµ∑=<-*#1.|`\"")
	for range 300 {
		var text strings.Builder
		text.WriteString("package p\n\n")
		in := strings.Repeat("\t", r.IntN(3))
		text.WriteString("func f() {\n")
		for range 1 + r.IntN(6) {
			text.WriteString(in + "//")
			for range r.IntN(40) {
				text.WriteString(" ")
				for range 1 + r.IntN(9) {
					text.WriteRune(alphabet[r.IntN(len(alphabet))])
				}
			}
			text.WriteString("\n")
		}
		text.WriteString("}\n")
		once, _, err := wrap("x.go", []byte(text.String()))
		if err != nil {
			t.Fatal(err)
		}
		words := func(s string) string { return strings.Join(strings.Fields(strings.ReplaceAll(s, "//", "")), " ") }
		if words(string(once)) != words(text.String()) {
			t.Fatalf("other words: of\n%s\nit makes\n%s", text.String(), once)
		}
		twice, found, err := wrap("x.go", once)
		if err != nil || string(twice) != string(once) || len(found) > 0 {
			t.Fatalf("the second time it changes\n%s\nto\n%s", once, twice)
		}
	}
}

func TestRun(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a/x.go", "b/x.go"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte("// Package p is "+long+" seventeen.\npackage p\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files := []string{dir, "a/x.go", "b/x.go"}
	wide, err := run(files, []string{"b"}, false)
	if err != nil || len(wide) != 1 || !strings.HasPrefix(wide[0], "a/x.go:1: ") {
		t.Errorf("%q (%v)", wide, err)
	}
	if wide, err = run(files, nil, true); err != nil || len(wide) != 0 {
		t.Errorf("wrapping, it says %q (%v)", wide, err)
	}
	if wide, err = run(files, nil, false); err != nil || len(wide) != 0 {
		t.Errorf("wrapped, it says %q (%v)", wide, err)
	}
}
