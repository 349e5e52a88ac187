// Package tutorials holds no code: this test grades, for each assignment, right, wrong and
// dishonest answers, and holds the grader to what each must come to. The answers are in testdata;
// nbgrader is not needed. `make tutorials` runs the same answers through nbgrader.
package tutorials

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golatent/latent/tutorials/grader"
)

// submission is a file of testdata: a sentence, what grading must come to, and the answer cells
// that differ from the teacher's.
type submission struct {
	released bool               // the other cells are as given out, not the teacher's
	score    float64            // of all points that tests give
	fails    [][2]string        // a test, and a part of its message
	printed  [][2]string        // a test, and a part of what the report shows of the printing
	silent   bool               // nothing is printed and no message given
	trespass bool               // the report says so
	needs    string             // "filter" or "memory": the fence that it runs into
	cells    map[string]*string // by grade_id; nil is a cell that is gone
}

func parseSubmission(t *testing.T, text string) submission {
	t.Helper()
	s := submission{score: -1, cells: map[string]*string{}}
	head, rest, _ := strings.Cut(text, "\n-- ")
	for i, line := range strings.Split(strings.TrimSpace(head), "\n") {
		key, value, _ := strings.Cut(line, " ")
		test, part, _ := strings.Cut(value, ": ")
		switch {
		case i == 0: // the sentence
		case line == "from release":
			s.released = true
		case key == "score":
			var err error
			if s.score, err = strconv.ParseFloat(value, 64); err != nil {
				t.Fatal(err)
			}
		case key == "fails":
			s.fails = append(s.fails, [2]string{test, part})
		case key == "printed":
			s.printed = append(s.printed, [2]string{test, part})
		case key == "needs":
			s.needs = value
		case line == "trespass":
			s.trespass = true
		case line == "silent":
			s.silent = true
		default:
			t.Fatalf("unknown line %q", line)
		}
	}
	if s.score < 0 {
		t.Fatal("no score is expected")
	}
	for part := range strings.SplitSeq("\n-- "+rest, "\n-- ") {
		name, source, ok := strings.Cut(part, " --\n")
		if id, gone := strings.CutSuffix(name, ": deleted"); gone {
			s.cells[id] = nil
		} else if ok {
			s.cells[id] = &source
		}
	}
	return s
}

// submit makes the notebook that a student would hand in.
func (s submission) submit(t *testing.T, teachers *grader.Notebook) *grader.Notebook {
	t.Helper()
	left := len(s.cells)
	var nb grader.Notebook
	for _, c := range teachers.Cells {
		if role := c.Metadata.Role; role != nil {
			if role.Grade { // students may do with cells of tests what they like
				c.Source = "func TestDistortion(t *testing.T) {}"
			}
			source, changed := s.cells[role.ID]
			switch {
			case changed && source != nil:
				c.Source.Set(*source)
				left--
			case changed:
				left--
				continue
			case s.released && role.Solution:
				c.Source.Set(grader.Release(string(c.Source)))
			}
		}
		nb.Cells = append(nb.Cells, c)
	}
	if left != 0 {
		t.Fatalf("%d of the cells in this file are not in the assignment", left)
	}
	return &nb
}

func TestSubmissions(t *testing.T) {
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("needs the go command")
	}
	assignments, err := filepath.Glob("[0-9][0-9]-*/*.ipynb")
	if err != nil || len(assignments) < 2 {
		t.Fatalf("assignments: %v (%v)", assignments, err)
	}
	for _, path := range assignments {
		name := filepath.Dir(path)
		t.Run(name, func(t *testing.T) {
			teachers := read(t, path)
			bench, err := grader.NewBench(t.Context(), "..", teachers, grader.Limits{Seconds: 1, MemoryMB: 256})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := bench.Close(); err != nil {
					t.Error(err)
				}
			})
			files, err := filepath.Glob("testdata/" + name + "/*.txt")
			if err != nil || len(files) == 0 {
				t.Fatalf("no submissions (%v)", err)
			}
			seats := make(chan struct{}, runtime.NumCPU())
			for _, file := range files {
				t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
					t.Parallel()
					seats <- struct{}{}
					defer func() { <-seats }()
					text, err := os.ReadFile(file)
					if err != nil {
						t.Fatal(err)
					}
					s := parseSubmission(t, string(text))
					begun := time.Now()
					g, err := bench.Grade(t.Context(), s.submit(t, teachers))
					if err != nil {
						t.Fatal(err)
					}
					if g.Missing != "" {
						t.Log("this system lacks a fence: ", g.Missing)
						if s.needs == "filter" && strings.Contains(g.Missing, "system calls") || s.needs == "memory" && strings.Contains(g.Missing, "limits") {
							t.Skip("needs it")
						}
					}
					s.compare(t, g)
					t.Logf("%g of %g points in %.1f s", g.Score, g.Points, time.Since(begun).Seconds())
				})
			}
		})
	}
}

func (s submission) compare(t *testing.T, g *grader.Grading) {
	t.Helper()
	if g.Score != s.score || g.Trespass != s.trespass {
		t.Errorf("%g points, trespass %v; want %g, %v\n%s", g.Score, g.Trespass, s.score, s.trespass, summary(g))
	}
	find := func(test string) grader.Result {
		i := slices.IndexFunc(g.Results, func(r grader.Result) bool { return slices.Contains(r.Tests, test) })
		if i < 0 {
			t.Fatalf("there is no test %s", test)
		}
		return g.Results[i]
	}
	for _, f := range s.fails {
		if r := find(f[0]); r.Passed || r.Score != 0 || !strings.Contains(r.Message, f[1]) {
			t.Errorf("%s: passed %v, message\n%s\nwant a failure with\n%s", f[0], r.Passed, r.Message, f[1])
		}
	}
	for _, p := range s.printed {
		if r := find(p[0]); !strings.Contains(r.Printed, p[1]) {
			t.Errorf("%s: the report shows %q as printed, want %q", p[0], r.Printed, p[1])
		}
	}
	for _, r := range g.Results {
		if !r.Passed && strings.TrimSpace(r.Message) == "" {
			t.Errorf("%v fails without a word", r.Tests)
		}
		if strings.Contains(r.Message, "_test.go") || strings.Contains(r.Message, "/tmp/") || strings.Contains(r.Message, "the test itself broke") || strings.Contains(r.Message, "goroutine ") {
			t.Errorf("%v: not a message for a student: %s", r.Tests, r.Message)
		}
		if s.silent && (r.Message != "" || r.Printed != "") {
			t.Errorf("%v says %q, prints %q", r.Tests, r.Message, r.Printed)
		}
	}
}

func summary(g *grader.Grading) string {
	var s strings.Builder
	for _, r := range g.Results {
		fmt.Fprintf(&s, "%g of %g  %v: %s\n", r.Score, r.Points, r.Tests, r.Message)
	}
	return s.String()
}

func read(t *testing.T, path string) *grader.Notebook {
	t.Helper()
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	nb, err := grader.Parse(file)
	if err != nil {
		t.Fatal(err)
	}
	return nb
}
