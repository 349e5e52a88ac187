//go:build unix

package main

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/tools/cell"
)

// given is a set of cells of which one with the source is being executed under the name "a".
func given(t *testing.T, source string) (*cells, *[]string) {
	t.Helper()
	var shown []string
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	c := newCells(newHelper(root, t.TempDir(), cell.Find(root, "", "")), func(_ *message, kind string, content any) {
		shown = append(shown, kind+" "+content.(stream).Text)
	})
	body, err := json.Marshal(map[string]string{"code": source})
	if err != nil {
		t.Fatal(err)
	}
	c.begin(&message{header: header{ID: "a"}, raw: [4][]byte{3: body}})
	return c, &shown
}

func TestCompileErrorsSayOneThing(t *testing.T) {
	for _, c := range []struct {
		source    string
		traceback []string
		want      string
	}{
		{"%%\nx := cluster.Kmeans{}", []string{
			"# gonb_84d0", "Cell[3]: Line 2\nfunc main() {\n\tx := cluster.Kmeans{}\n\t^\n\n\x1b[31mdeclared and not used: x\x1b[0m",
			"Cell[3]: Line 2\nfunc main() {\n\tx := cluster.Kmeans{}\n\t^\n\n\x1b[31mundefined: cluster.Kmeans (but have KMeans)\x1b[0m", ""},
			"Cell [3] Line 2: undefined: cluster.Kmeans (did you mean cluster.KMeans?)"},
		{"%%\nx := 1", []string{"# gonb_84d0", "Cell[3]: Line 2\n\tx := 1\n\ndeclared and not used: x"}, "Cell [3] Line 2: declared and not used: x"},
		{"x := 1", []string{"Cell[3]: Line 1\nx := 1\n\nexpected declaration, found x"}, "Cell [3] Line 1: a statement outside a function: add %% at the top of the cell"},
		{"%%\nf(1,", []string{"\n}\n\nexpected operand, found '}'"}, "at the end of the cell: expected operand, found '}'"},
		{"%%\nf(1)", []string{"Cell[3]: Line 2\nf(1)\n\nnot enough arguments in call to f", "\thave (number)", "\twant (int, int)"},
			"Cell [3] Line 2: not enough arguments in call to f\n\thave (number)\n\twant (int, int)"},
		{"%%\nf(1)", []string{"/tmp/gonb_84d0/main.go:3:2: something"}, "something"},
	} {
		cells, _ := given(t, c.source)
		said := cells.fail("a", failure{Name: "ERROR", Value: strings.Join(c.traceback, "\n"), Traceback: c.traceback})
		if said.Value != c.want || !slices.Equal(said.Traceback, []string{c.want}) {
			t.Errorf("%q\nwant %q", said, c.want)
		}
		if again, failed := cells.end("a", true); !failed || again.Value != c.want {
			t.Errorf("the reply says %q", again)
		}
	}
}

func TestLastWordsSayOneThing(t *testing.T) {
	at := func(id, line string) string {
		return " \x1b[7m[[ Cell [" + id + "] Line " + line + " ]]\x1b[0m /tmp/gonb_84d0/main.go:17"
	}
	for _, c := range []struct {
		name, stderr, exit, want string
	}{
		{"a panic", "panic: runtime error: index out of range [7] with length 0\n\ngoroutine 1 [running]:\nmain.f(...)\n\t" + at("6", "1") + "\nmain.main()\n\t" + at("7", "4") +
			" +0x1d\n\ngoroutine 5 [chan receive]:\nmain.g()\n\t" + at("2", "2") + "\n", "exit status 2\n",
			"Cell [6] Line 1: panic: runtime error: index out of range [7] with length 0\n    called at Cell [7] Line 4"},
		{"a bad pointer", "panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x48]\n\ngoroutine 1 [running]:\nmain.main()\n\t" + at("7", "4") + " +0x1d\n",
			"exit status 2\n", "Cell [7] Line 4: panic: runtime error: invalid memory address or nil pointer dereference"},
		{"nb.Must", "error: K = 200\n\tat " + at("8", "3") + "\n", "exit status 1\n", "Cell [8] Line 3: error: K = 200"},
		{"nb.Check", "✗ two is three\n\tat " + at("8", "3") + "\n", "exit status 1\n", "Cell [8] Line 3: ✗ two is three"},
		{"an interrupt that the cell heard", "interrupted\n", "^C\nexit status 130\n", "interrupted"},
		{"one that it did not", "", "^C\nsignal: interrupt\n", "interrupted"},
		{"no word", "", "exit status 3\n", "exit status 3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cells, shown := given(t, "%%\n")
			if got := cells.stream("a", stream{"stderr", "loading\n" + c.stderr}); got != "loading\n" {
				t.Errorf("shown at once: %q", got)
			}
			if got := cells.stream("a", stream{"stderr", c.exit}); got != "" {
				t.Errorf("the exit status is shown: %q", got)
			}
			if said := cells.fail("a", failure{"ERROR", strings.TrimSpace(c.exit), nil}); said.Value != c.want {
				t.Errorf("%q\nwant %q", said.Value, c.want)
			}
			cells.release("a")
			if len(*shown) > 0 {
				t.Errorf("said twice: %q", *shown)
			}
		})
	}
}

// A program that says "error: " and goes on is not kept waiting for long, and nothing is lost.
func TestWordsThatWereNotTheLast(t *testing.T) {
	cells, shown := given(t, "%%\n")
	if got := cells.stream("a", stream{"stderr", "one\nerror: two\n"}); got != "one\n" {
		t.Errorf("%q", got)
	}
	if got := cells.stream("a", stream{"stdout", "error: on standard output\n"}); got != "error: on standard output\n" {
		t.Errorf("%q", got)
	}
	cells.stream("a", stream{"stderr", "three\n"})
	cells.release("a")
	if !slices.Equal(*shown, []string{"stream error: two\nthree\n"}) {
		t.Errorf("%q", *shown)
	}
}

func TestCompose(t *testing.T) {
	for _, c := range []struct {
		source string // ‸ is the cursor
		want   string
		line   int
		column int
	}{
		{"%%\nx := cluster.KMeans{‸", "\nfunc main() {\nx := cluster.KMeans{}\n}", 2, 20},
		{"%%\nx := f(cluster.KMeans{K: ‸\ng()", "\nfunc main() {\nx := f(cluster.KMeans{K: 0})\ng()\n}", 2, 25},
		{"%%\nm.‸\ng()", "\nfunc main() {\nm.;\ng()\n}", 2, 2},
		{"m.‸", "func main() {\nm.;\n}", 1, 2},
		{"func f() {\n\tm.‸\n}", "\nfunc f() {\n\tm.;\n}", 2, 3},
		{"!ls\n%%\n\"𝛼\" + s.‸x", "\n\nfunc main() {\n\"𝛼\" + s.x\n}", 3, 9},
	} {
		before, after, _ := strings.Cut(c.source, "‸")
		at := len([]rune(before))
		text, line, column := compose(before+after, at, at)
		if text != c.want || line != c.line || column != c.column {
			t.Errorf("%q: %q at %d:%d, want %q at %d:%d", c.source, text, line, column, c.want, c.line, c.column)
		}
	}
}

func TestDeclarationsAreKept(t *testing.T) {
	c, _ := given(t, "import \"os\"\n\ntype Greedy struct{ Depth int }\n\nfunc (g *Greedy) Move() int { return 1 }\n\nvar a, b = 1, 2\n\n%%\nfmt.Println(a)")
	c.end("a", false)
	kept := c.kept()
	for _, name := range []string{`import "os"`, "Greedy", "Greedy.Move", "a"} {
		if kept[name] == "" {
			t.Errorf("%s is not kept: %q", name, kept)
		}
	}
	if len(kept) != 4 {
		t.Errorf("%q", kept)
	}
	// A type that the next cell makes anew takes its methods along.
	if others := c.help.others(kept, "type Greedy struct{"); strings.Contains(others, "Greedy") || !strings.Contains(others, "var a") {
		t.Errorf("%q", others)
	}
}

func TestMessages(t *testing.T) {
	key := []byte("secret")
	raw := [4][]byte{[]byte(`{"msg_id":"1","msg_type":"stream"}`), []byte(`{"msg_id":"0"}`), []byte(`{}`), []byte(`{"name":"stdout","text":"x"}`)}
	m, err := parseMessage(frames(key, [][]byte{[]byte("who")}, raw, [][]byte{{1}}))
	if err != nil || !m.authentic(key) || m.authentic([]byte("other")) || m.header.Type != "stream" || m.parent.ID != "0" || len(m.buffers) != 1 {
		t.Fatalf("%+v %v", m, err)
	}
	out, err := m.with(key, stream{"stdout", "y"})
	if err != nil {
		t.Fatal(err)
	}
	if m, err = parseMessage(out); err != nil || !m.authentic(key) || !strings.Contains(string(m.raw[3]), `"y"`) || string(m.to[0]) != "who" || len(m.buffers) != 1 {
		t.Errorf("%+v %v", m, err)
	}
	for _, bad := range [][][]byte{nil, {[]byte(delimiter)}, {[]byte(delimiter), nil, []byte("{"), []byte("{}"), []byte("{}"), []byte("{}")}} {
		if _, err := parseMessage(bad); err == nil {
			t.Errorf("%q is taken for a message", bad)
		}
	}
}
