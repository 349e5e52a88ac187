package grader

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/golatent/latent/tutorials/check"
	"github.com/golatent/latent/tutorials/grader/guard"
	"github.com/golatent/latent/tutorials/grader/wire"
)

// Limits of one test. The zero value has the defaults.
type Limits struct {
	Seconds  int // of processor time; on the clock it may be six times as many, since the machine may be busy; 0 means 5
	MemoryMB int // 0 means 512
}

const buildTime = 3 * time.Minute // the first build of all compiles gonum

// Result is what one cell of tests came to.
type Result struct {
	Cell    string   `json:"cell"` // its grade_id
	Tests   []string `json:"tests"`
	Points  float64  `json:"points"`
	Score   float64  `json:"score"` // Points or 0
	Passed  bool     `json:"passed"`
	Message string   `json:"message"` // what was wrong, for the student
	Printed string   `json:"printed"` // the beginning of what the student's code printed
}

// Grading is what a submission came to.
type Grading struct {
	Results  []Result `json:"results"`
	Score    float64  `json:"score"`
	Points   float64  `json:"points"`
	Trespass bool     `json:"trespass"` // an answer asked for a file, the network or another process; then there are no points at all
	Missing  string   `json:"missing"`  // which fence there was not, on this system
}

// Bench grades submissions of one assignment. It keeps the program of hidden tests.
type Bench struct {
	assignment  *Assignment
	root        string
	work        string
	tests       string
	submissions atomic.Int64
	limits      Limits
}

// NewBench builds the hidden tests of a teacher's notebook. root is this repository; Close removes
// what the bench has on disk.
func NewBench(ctx context.Context, root string, source *Notebook, limits Limits) (*Bench, error) {
	a, err := Read(source)
	if err != nil {
		return nil, err
	}
	if limits.Seconds == 0 {
		limits.Seconds = 5
	}
	if limits.MemoryMB == 0 {
		limits.MemoryMB = 512
	}
	work, err := os.MkdirTemp("", "grade")
	if err != nil {
		return nil, err
	}
	b := &Bench{assignment: a, root: root, work: work, tests: filepath.Join(work, "hidden"), limits: limits}
	out, err := goTool(ctx, root, filepath.Join(work, "tests"), a.testFiles(), "test", "-c", "-o", b.tests)
	if err == nil && out != "" {
		err = errors.New("the assignment's tests do not compile:\n" + out)
	}
	if err == nil { // an answer that can't be used is replaced by its stub, so these must do
		out, err = goTool(ctx, root, filepath.Join(work, "stubs"), a.extract(&Notebook{}).sources(), "build", "-o", filepath.Join(work, "untouched"))
		if err == nil && out != "" {
			err = errors.New("the cells as students get them do not compile:\n" + out)
		}
	}
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Close removes the bench's files.
func (b *Bench) Close() error { return os.RemoveAll(b.work) }

// Grade runs the hidden tests on a submission; several may be graded at once. An error is about the
// machine; whatever is wrong with the submission is in the results.
func (b *Bench) Grade(ctx context.Context, submission *Notebook) (*Grading, error) {
	folder := filepath.Join(b.work, fmt.Sprint("answer", b.submissions.Add(1))) // will be the root of the student's process
	if err := os.Mkdir(folder, 0o755); err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	defer os.RemoveAll(folder + ".src")
	p := b.assignment.extract(submission)
	binary := filepath.Join(folder, "answer")
	problem, err := p.build(ctx, b.root, binary)
	if err != nil {
		return nil, err
	}
	g := &Grading{Results: make([]Result, len(b.assignment.graded))}
	var mu sync.Mutex
	var wg sync.WaitGroup
	seats := make(chan struct{}, 2)
	var failures []error
	for i, graded := range b.assignment.graded {
		r := &g.Results[i]
		*r = Result{Cell: graded.Cell, Tests: graded.Tests, Points: graded.Points}
		g.Points += graded.Points
		if problem != "" {
			r.Message = check.Clean(problem)
			continue
		}
		wg.Go(func() {
			seats <- struct{}{}
			defer func() { <-seats }()
			passed, message := true, []string{}
			for _, test := range graded.Tests {
				o, err := b.run(ctx, binary, test)
				mu.Lock()
				if err != nil {
					failures = append(failures, err)
				}
				g.Trespass = g.Trespass || o.report.Trespass
				if o.report.Missing != "" {
					g.Missing = o.report.Missing
				}
				mu.Unlock()
				passed = passed && o.passed
				if o.message != "" {
					message = append(message, p.blame(o.message))
				}
				if r.Printed == "" {
					r.Printed = o.report.Printed
				}
			}
			r.Passed, r.Message = passed, strings.Join(message, "\n")
		})
	}
	wg.Wait()
	if err := errors.Join(append(failures, ctx.Err())...); err != nil {
		return nil, err
	}
	for i := range g.Results {
		r := &g.Results[i]
		if g.Trespass && (r.Passed || r.Message == "") {
			r.Passed, r.Message = false, "no points: in another test an answer tried to use a file, the network or another process"
		}
		if r.Passed {
			r.Score = r.Points
			g.Score += r.Points
		}
	}
	return g, nil
}

// blame replaces "F is not written yet" where it is the cell that could not be used.
func (p *program) blame(message string) string {
	for name, why := range p.faults {
		message = strings.ReplaceAll(message, name+" is "+check.NotWritten, name+" can't be used: "+why)
	}
	return message
}

type outcome struct {
	passed  bool
	message string
	report  wire.Report
}

// run runs one hidden test in a process of its own. It passed if the process said so of this test,
// in a line that nothing of the student's can write, and ended well.
func (b *Bench) run(ctx context.Context, binary, test string) (outcome, error) {
	wall := 6 * time.Duration(b.limits.Seconds) * time.Second
	how, err := json.Marshal(wire.Run{Binary: binary, Wall: wall, Limits: guard.Limits{Seconds: b.limits.Seconds, MemoryMB: b.limits.MemoryMB}})
	if err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, wall+30*time.Second)
	defer cancel()
	cmd := inGroup(ctx, b.tests, "-test.v", "-test.run", "^"+test+"$")
	cmd.Dir, cmd.Env = b.work, []string{"LATENT_RUN=" + string(how), "TMPDIR=" + b.work}
	var out, log strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &log
	r, w, err := os.Pipe()
	if err != nil {
		return outcome{}, err
	}
	defer r.Close()
	cmd.ExtraFiles = []*os.File{w} // wire.ReportFile
	if err := cmd.Start(); err != nil {
		w.Close()
		return outcome{}, err
	}
	w.Close()
	var o outcome
	text, _ := io.ReadAll(r)
	err = cmd.Wait()
	said := json.Unmarshal(text, &o.report) == nil
	o.passed = err == nil && said && strings.Contains("\n"+out.String(), "\n--- PASS: "+test+" (")
	if o.passed {
		return o, nil
	}
	o.message = messages(out.String())
	var exit *exec.ExitError
	switch {
	case err != nil && !errors.As(err, &exit):
		return o, err
	case !said:
		o.message = "the test itself broke, which is not the answer's fault; tell the teacher\n" + check.Clean(log.String()+out.String())
	case o.message == "":
		o.message = check.Clean("the test did not pass\n" + log.String() + out.String())
	}
	return o, nil
}

var place = regexp.MustCompile(`^[^:\n]+:\d+: `)

// messages are what a test's log says, without the places of the test in the teacher's files.
func messages(log string) string {
	var out []string
	for line := range strings.Lines(log) {
		if text, ok := strings.CutPrefix(strings.TrimRight(line, "\n"), "    "); ok {
			out = append(out, place.ReplaceAllString(text, ""))
		}
	}
	return strings.Join(out, "\n")
}

// inGroup is a command that is killed with all that it started when ctx ends.
func inGroup(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
	return cmd
}
