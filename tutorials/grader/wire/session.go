package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/golatent/latent/tutorials/check"
	"github.com/golatent/latent/tutorials/grader/guard"
)

// Run says how the student's process is to be run. The grader hands it to the tests' process in the
// variable LATENT_RUN.
type Run struct {
	Binary string        // in a folder of its own, which becomes the process's root
	Wall   time.Duration // for all calls of one test together
	Limits guard.Limits
	Open   bool // without namespaces; for tests of the other fences
}

// Report is what the tests' process says beside its log, as JSON, on the file descriptor
// ReportFile.
type Report struct {
	Trespass bool   // the student's process was ended because it asked for a file, the network or another process
	Printed  string // what the student's code printed, cut
	Missing  string // which fence there was not, and why; "" if all stood
}

// ReportFile is a file descriptor in the tests' process.
const ReportFile = 3

// session is the student's process while one test runs.
type session struct {
	run      Run
	cmd      *exec.Cmd
	calls    *os.File
	replies  *os.File
	printed  clipped
	exited   chan struct{}
	deadline time.Time
	missing  string // why there are no namespaces
	over     error  // why no more calls can be made
	killed   bool   // by this side
}

// start runs the student's binary without network, files and other processes as far as the system
// can shut them off.
func start(run Run) (*session, error) {
	s := &session{run: run, exited: make(chan struct{}), deadline: time.Now().Add(run.Wall)}
	callsIn, calls, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer callsIn.Close()
	replies, repliesOut, err := os.Pipe()
	if err != nil {
		calls.Close()
		return nil, err
	}
	defer repliesOut.Close()
	s.calls, s.replies = calls, replies
	command := func() *exec.Cmd {
		c := exec.Command(run.Binary)
		c.Env = append(run.Limits.Environ(), "GOMAXPROCS=2", "GOTRACEBACK=single", "TZ=")
		c.Stdout, c.Stderr = &s.printed, &s.printed
		c.ExtraFiles = []*os.File{callsIn, repliesOut}
		return c
	}
	s.cmd = command()
	switch {
	case !canEnclose:
		s.missing = "this system has no namespaces"
	case run.Open:
		s.missing = "namespaces were not asked for"
	default:
		enclose(s.cmd)
	}
	err = s.cmd.Start()
	if err != nil && s.missing == "" { // a container that forbids it, perhaps
		s.missing = "no namespaces: " + err.Error()
		s.cmd = command()
		err = s.cmd.Start()
	}
	if err != nil {
		calls.Close()
		replies.Close()
		return nil, err
	}
	go func() { _ = s.cmd.Wait(); close(s.exited) }()
	return s, nil
}

// call sends one call and stores results; args and results are pointers. The error is for the
// student to read.
func (s *session) call(name string, args, results []any) error {
	if s.over != nil {
		return s.over
	}
	frame, err := appendValue(nil, reflect.ValueOf(name))
	if err != nil {
		return err
	}
	for _, a := range args {
		if frame, err = appendValue(frame, reflect.ValueOf(a).Elem()); err != nil {
			return err
		}
	}
	what := on(name, args) // before the call, which may change them
	_ = s.calls.SetWriteDeadline(s.deadline)
	_ = s.replies.SetReadDeadline(s.deadline)
	if err = writeFrame(s.calls, frame); err == nil {
		frame, err = readFrame(s.replies)
	}
	if err != nil {
		s.over = errors.New(what + s.autopsy(err))
		return s.over
	}
	return understand(what, args, results, frame)
}

// understand reads a reply, which may be anything.
func understand(what string, args, results []any, reply []byte) (err error) {
	garbled := fmt.Errorf("%s gave back something that is not its result", what)
	if len(reply) == 0 {
		return garbled
	}
	kind, b := reply[0], reply[1:]
	if kind != returned {
		var why, place string
		if b, err = decodeValue(b, reflect.ValueOf(&why).Elem()); err == nil {
			_, err = decodeValue(b, reflect.ValueOf(&place).Elem())
		}
		switch {
		case err != nil:
			return garbled
		case kind == unwritten:
			return errors.New(why)
		case place != "":
			place = ", at " + place
		}
		return fmt.Errorf("%s panicked: %s%s", what, why, place)
	}
	for _, r := range results {
		if b, err = decodeValue(b, reflect.ValueOf(r).Elem()); err != nil {
			return garbled
		}
	}
	for _, a := range args {
		to := reflect.ValueOf(a).Elem()
		left := reflect.New(to.Type()).Elem()
		if b, err = decodeValue(b, left); err != nil {
			return garbled
		}
		restore(to, left)
	}
	return nil
}

func on(name string, args []any) string {
	in := make([]any, len(args))
	for i, a := range args {
		in[i] = reflect.ValueOf(a).Elem().Interface()
	}
	return check.Call(name, in...)
}

// autopsy says in words why no reply came. What the process printed is its own word, so it decides
// nothing but the wording.
func (s *session) autopsy(err error) string {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		s.kill()
		return fmt.Sprintf(" gave no answer in time: one test may take %v", s.run.Wall)
	}
	select {
	case <-s.exited:
	case <-time.After(time.Second): // it closed its files and went on
		s.kill()
	}
	out, state := s.printed.String(), s.cmd.ProcessState
	switch {
	case s.trespass():
		return " tried to use a file, the network or another process. An answer may compute and print, nothing else"
	case strings.Contains(out, "out of memory") || strings.Contains(out, "cannot allocate memory"):
		return fmt.Sprintf(" needed more memory than the %d MB that it may use", s.run.Limits.MemoryMB)
	case strings.Contains(out, "stack overflow") || strings.Contains(out, "stack exceeds"):
		return " called itself without end (stack overflow)"
	case !s.killed && s.signal() == syscall.SIGKILL && state.UserTime()+state.SystemTime() >= time.Duration(s.run.Limits.Seconds)*time.Second/2:
		// The kernel limits the time that it counts by ticks, and reports one that is more exact
		// and can be shorter.
		return fmt.Sprintf(" gave no answer in time: it used up its %d s of processor time", s.run.Limits.Seconds)
	}
	for line := range strings.Lines(out) {
		if strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "panic: ") {
			return " stopped the program: " + strings.TrimSpace(line)
		}
	}
	return fmt.Sprintf(" ended the whole program (%v) instead of returning", state)
}

// trespass reports whether the filter of system calls ended the process. The kernel says so, not
// the process.
func (s *session) trespass() bool { return s.signal() == syscall.SIGSYS }

// signal is what ended the process, 0 if it ended by itself.
func (s *session) signal() syscall.Signal {
	if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return status.Signal()
	}
	return 0
}

func (s *session) kill() {
	s.killed = true
	_ = s.cmd.Process.Kill()
	<-s.exited
}

// finish ends the process and says what there is to say about it.
func (s *session) finish() Report {
	s.calls.Close()
	select {
	case <-s.exited:
	case <-time.After(200 * time.Millisecond):
		s.kill()
	}
	s.replies.Close()
	out := s.printed.String()
	r := Report{Trespass: s.trespass(), Printed: excerpt(out), Missing: s.missing}
	for line := range strings.Lines(out) {
		if why, ok := strings.CutPrefix(line, guard.Refused); ok {
			r.Missing = strings.TrimPrefix(r.Missing+"; "+strings.TrimSpace(why), "; ")
		}
	}
	return r
}

// clipped keeps the beginning of what is written and forgets the rest.
type clipped struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (c *clipped) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	const most = 64 << 10
	c.b.Write(p[:min(len(p), most-c.b.Len())])
	return len(p), nil
}

func (c *clipped) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.b.String()
}

// excerpt is the first lines of what a student's code printed, without the runtime's account of a
// crash.
func excerpt(out string) string {
	var keep []string
	for line := range strings.Lines(out) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "fatal error: ") || strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "goroutine ") || strings.HasPrefix(line, "runtime: ") {
			break
		}
		if strings.HasPrefix(line, guard.Refused) {
			continue
		}
		if len(keep) == 5 {
			keep = append(keep, "…")
			break
		}
		keep = append(keep, line[:min(len(line), 200)])
	}
	return check.Clean(strings.Join(keep, "\n"))
}

var current *session

// Call is what stands in for a student's function in the tests' process. If the function does not
// answer, it panics with a check.Stop.
func Call(name string, args, results []any) {
	if current == nil {
		var run Run
		if err := json.Unmarshal([]byte(os.Getenv("LATENT_RUN")), &run); err != nil {
			panic("LATENT_RUN: " + err.Error())
		}
		s, err := start(run)
		if err != nil {
			panic("the student's program did not start: " + err.Error())
		}
		current = s
	}
	if err := current.call(name, args, results); err != nil {
		panic(check.Stop(err.Error()))
	}
}

// Main runs the tests, then reports on the student's process. It is what TestMain does in the
// tests' process.
func Main(m *testing.M) int {
	status := m.Run()
	var report Report
	if current != nil {
		report = current.finish()
	}
	f := os.NewFile(ReportFile, "report")
	if err := json.NewEncoder(f).Encode(report); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		return 2
	}
	return status
}
