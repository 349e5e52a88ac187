// Package notebooktest holds no code: its test holds every committed notebook to the contract that
// a reader relies on. Whether the cells still print what is committed is for `make
// check-notebooks`, which needs the kernel; this needs only the files.
package notebooktest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

type notebook struct {
	Cells    []cell `json:"cells"`
	Metadata struct {
		Kernelspec struct {
			Name string `json:"name"`
		} `json:"kernelspec"`
	} `json:"metadata"`
	Format int `json:"nbformat"`
}

type cell struct {
	Type           string          `json:"cell_type"`
	Source         text            `json:"source"`
	ExecutionCount *int            `json:"execution_count"`
	Outputs        []output        `json:"outputs"`
	Attachments    json.RawMessage `json:"attachments"`
}

type output struct {
	Type string          `json:"output_type"`
	Name string          `json:"name"`
	Text text            `json:"text"`
	Data map[string]text `json:"data"`
}

// text is a string that Jupyter may store as a list of lines.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*t = text(one)
		return nil
	}
	var lines []string
	if json.Unmarshal(b, &lines) == nil {
		*t = text(strings.Join(lines, ""))
	}
	return nil // application/json and the like: no text
}

func TestNotebooksKeepTheContract(t *testing.T) {
	files, err := filepath.Glob("../../notebooks/[0-9]*.ipynb")
	if err != nil || len(files) == 0 {
		t.Fatalf("no notebooks found (%v)", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".ipynb"), func(t *testing.T) {
			for _, problem := range contract(file) {
				t.Error(problem)
			}
		})
	}
}

var (
	fileName     = regexp.MustCompile(`^\d\d-[a-z0-9]+(-[a-z0-9]+)*\.ipynb$`)
	absolutePath = regexp.MustCompile(`(^|[\s"'(=>])(/home/|/root/|/work/|/tmp/|/Users/|[A-Z]:\\)`)
	setUp        = regexp.MustCompile(`(?m)^\s*(!|%goflags|%noautoget|%autoget|%track|%cd\b|%env\b|%with_inputs)`)
	link         = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	aTime        = regexp.MustCompile(`\d\s?(ms|µs|ns|s|seconds?|minutes?)\b`)
	figureHTML   = regexp.MustCompile(`<(svg|img|canvas)\b`)
)

const (
	maxBytes     = 2_000_000
	maxCodeLines = 32 // "at most some thirty lines in a cell"
)

// contract lists what is wrong with one notebook.
func contract(file string) (problems []string) {
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	raw, err := os.ReadFile(file)
	if err != nil {
		return []string{err.Error()}
	}
	if !fileName.MatchString(filepath.Base(file)) {
		wrong("the name is not NN-some-topic.ipynb")
	}
	if len(raw) >= maxBytes {
		wrong("it has %d bytes, want less than %d", len(raw), maxBytes)
	}
	var nb notebook
	if err := json.Unmarshal(raw, &nb); err != nil {
		return append(problems, err.Error())
	}
	if nb.Format != 4 || nb.Metadata.Kernelspec.Name == "" || len(nb.Cells) == 0 {
		return append(problems, "not a notebook of format 4 with a kernelspec and cells")
	}
	problems = append(problems, title(nb.Cells[0])...)
	var prose, code strings.Builder
	executed, figures := 0, 0
	for i, c := range nb.Cells {
		if c.Type == "markdown" {
			prose.WriteString(string(c.Source) + "\n")
			for _, m := range link.FindAllStringSubmatch(string(c.Source), -1) {
				if err := resolve(filepath.Dir(file), m[1]); err != nil {
					wrong("cell %d: %v", i+1, err)
				}
			}
		}
		if absolutePath.MatchString(string(c.Source)) {
			wrong("cell %d names an absolute path", i+1)
		}
		if c.Type != "code" || strings.TrimSpace(string(c.Source)) == "" {
			continue
		}
		code.WriteString(string(c.Source) + "\n")
		executed++
		if c.ExecutionCount == nil || *c.ExecutionCount != executed {
			wrong("cell %d was not executed in order from a clean kernel", i+1)
		}
		if setUp.MatchString(string(c.Source)) {
			wrong("cell %d sets something up or runs a shell command; a notebook of ours needs neither", i+1)
		}
		if n := codeLines(string(c.Source)); n > maxCodeLines {
			wrong("cell %d has %d lines of code, want at most %d", i+1, n, maxCodeLines)
		}
		for _, o := range c.Outputs {
			switch {
			case o.Type == "error":
				wrong("cell %d ends in an error", i+1)
			case o.Name == "stderr":
				wrong("cell %d writes to stderr: %.80q", i+1, string(o.Text))
			}
			if absolutePath.MatchString(string(o.Text)) || absolutePath.MatchString(string(o.Data["text/plain"])) {
				wrong("the output of cell %d names an absolute path", i+1)
			}
			if m := aTime.FindString(string(o.Text) + "\n" + string(o.Data["text/plain"])); m != "" {
				wrong("cell %d prints a time (%q), which is another on each machine: nb.Badge shows what belongs to one run", i+1, m)
			}
			if _, png := o.Data["image/png"]; png || o.Data["image/svg+xml"] != "" || figureHTML.MatchString(string(o.Data["text/html"])) {
				figures++
				if strings.TrimSpace(string(o.Data["text/plain"])) == "" {
					wrong("a figure of cell %d has no description in words", i+1)
				}
			}
		}
	}
	if figures == 0 {
		wrong("it shows no figure")
	}
	if strings.HasPrefix(filepath.Base(file), "00-") {
		return problems // the tour has no method to check, fail or exercise
	}
	if n := strings.Count(code.String(), "nb.Check"); n < 5 {
		wrong("it has %d checks, want at least 5: every claim that can be checked is", n)
	}
	for _, section := range []string{"Exercises", "References"} {
		if !regexp.MustCompile(`(?m)^##+ .*` + section).MatchString(prose.String()) {
			wrong("it has no section %q", section)
		}
	}
	return problems
}

// title checks what a reader is told before anything else: what they will be able to do, how long
// it takes, what to read before.
func title(c cell) (problems []string) {
	s := string(c.Source)
	if c.Type != "markdown" || !strings.HasPrefix(s, "# ") {
		return []string{"the first cell is not a title"}
	}
	for _, want := range []string{"Time to run", "Read before"} {
		if !strings.Contains(s, want) {
			problems = append(problems, fmt.Sprintf("the title cell does not say %q", want))
		}
	}
	return problems
}

// resolve checks that a link leads somewhere: a file beside the notebook, a place in it, or a
// well-formed address.
func resolve(dir, target string) error {
	u, err := url.Parse(target)
	if err != nil {
		return fmt.Errorf("the link %q is malformed: %v", target, err)
	}
	if u.Scheme != "" {
		if u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "attachment" || u.Scheme != "attachment" && u.Host == "" {
			return fmt.Errorf("the link %q is neither a file nor a web page", target)
		}
		return nil
	}
	if u.Path == "" {
		return nil // a heading of this notebook
	}
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(u.Path))); err != nil {
		return fmt.Errorf("the link %q leads nowhere", target)
	}
	return nil
}

// codeLines counts the lines of a cell that hold code: not blank, not a comment, not the %% that
// opens it.
func codeLines(source string) (n int) {
	for line := range strings.Lines(source) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "//") && !strings.HasPrefix(line, "%") {
			n++
		}
	}
	return n
}

// The test must be able to fail: each line breaks one rule of a notebook that keeps them all.
func TestContractIsEnforced(t *testing.T) {
	good, err := os.ReadFile("testdata/good.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(name, content string) []string {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return contract(path)
	}
	if problems := check("01-good.ipynb", string(good)); len(problems) > 0 {
		t.Fatalf("a good notebook is refused: %v", problems)
	}
	if len(check("1-good.ipynb", string(good))) == 0 {
		t.Error("a bad file name is accepted")
	}
	for _, b := range []struct{ old, new, want string }{
		{"Time to run", "Time", "Time to run"},
		{`"execution_count": 1`, `"execution_count": 7`, "in order"},
		{`"name": "stdout"`, `"name": "stderr"`, "stderr"},
		{`"output_type": "stream"`, `"output_type": "error"`, "error"},
		{"a scatter of points", " ", "no description"},
		{"<svg", "<b", "no figure"},
		{"## Exercises", "## Else", "Exercises"},
		{"## References", "## Else", "References"},
		{"(#exercises)", "(nowhere.ipynb)", "leads nowhere"},
		{"(#exercises)", "(ftp://x/y)", "neither"},
		{"[five] ok", "/home/someone/x", "absolute"},
		{"[five] ok", "in 3.2 s", "prints a time"},
		{"nb.Check(\\\"five", "nb.Say(\\\"five", "4 checks"},
		{"%%\\n", "!ls\\n", "shell"},
		{"%%\\n", "%%\\n" + strings.Repeat("x()\\n", 40), "lines of code"},
		{"[five] ok", strings.Repeat("x", maxBytes), "bytes"},
	} {
		broken := strings.Replace(string(good), b.old, b.new, 1)
		if broken == string(good) {
			t.Fatalf("testdata/good.json has no %q", b.old)
		}
		if got := strings.Join(check("01-bad.ipynb", broken), "; "); !strings.Contains(got, b.want) {
			t.Errorf("with %.40q for %q: got %q, want a problem that says %q", b.new, b.old, got, b.want)
		}
	}
}
