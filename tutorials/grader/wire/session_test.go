package wire

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/golatent/latent/tutorials/check"
	"github.com/golatent/latent/tutorials/grader/guard"
	"gonum.org/v1/gonum/mat"
)

// The test's own binary is the student's process as well, when it is run with the guard's limits.
func TestMain(m *testing.M) {
	if os.Getenv("LATENT_SECONDS") != "" {
		Serve(functions)
		return
	}
	os.Exit(run(m))
}

// ownBinary is this test's own, copied before any process is started: one that starts while the
// copy is open for writing would keep it busy.
var ownBinary string

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "wire")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.ReadFile(os.Args[0])
	if err != nil {
		panic(err)
	}
	ownBinary = filepath.Join(dir, "answer")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(ownBinary, self, 0o755)); err != nil {
		panic(err)
	}
	return m.Run()
}

var hoard [][]byte

var functions = map[string]any{
	"Scale": func(x *mat.Dense, by float64) *mat.Dense {
		var out mat.Dense
		out.Scale(by, x)
		return &out
	},
	"Spoil":   func(x *mat.Dense, list []int) int { x.Set(0, 0, 99); list[1] = 7; return 1 },
	"Print":   func() int { fmt.Println("hello"); fmt.Fprintln(os.Stderr, "--- PASS: TestEverything"); return 1 },
	"Panic":   func(list []int) int { return list[3] },
	"Stub":    func() int { panic(check.NotWritten) },
	"Exit":    func() int { os.Exit(0); return 0 },
	"Goexit":  func() int { runtime.Goexit(); return 0 },
	"Sleep":   func() int { time.Sleep(time.Hour); return 0 },
	"Recurse": func(n int) int { return recurse(n) },
	"Hoard": func() int {
		for {
			b := make([]byte, 8<<20)
			for i := range b {
				b[i] = 1
			}
			hoard = append(hoard, b)
		}
	},
	"Read": func() string { b, err := os.ReadFile("/etc/passwd"); return fmt.Sprint(len(b) > 0, err) },
	"List": func() string {
		entries, err := os.ReadDir("/")
		s := ""
		for _, e := range entries {
			s += e.Name() + " "
		}
		return fmt.Sprint(s, err)
	},
	"Connect": func() string {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
		if err != nil {
			return "socket: " + err.Error()
		}
		return fmt.Sprint(syscall.Connect(fd, &syscall.SockaddrInet4{Port: 80, Addr: [4]byte{192, 0, 2, 1}}))
	},
	"Who": func() string { return fmt.Sprint(os.Getpid(), os.Getuid()) },
	"Write": func() string {
		return fmt.Sprint(os.WriteFile("/new", []byte("x"), 0o600))
	},
	"Garbage": func() float64 { // a reply of the student's own making
		_, _ = os.NewFile(replyFile, "").Write([]byte{3, 0, 0, 0, 0, 1, 2})
		time.Sleep(time.Second)
		return 1
	},
	"Flood": func() float64 {
		_, _ = os.NewFile(replyFile, "").Write([]byte{255, 255, 255, 255})
		time.Sleep(time.Second)
		return 1
	},
	"Hang": func() float64 { // says that much comes, and sends nothing
		_, _ = os.NewFile(replyFile, "").Write([]byte{0, 0, 1, 0})
		time.Sleep(time.Hour)
		return 1
	},
	"Close": func() float64 { _ = os.NewFile(replyFile, "").Close(); time.Sleep(time.Hour); return 1 },
}

func recurse(n int) int {
	if n < 0 {
		return 0
	}
	return recurse(n+1) + 1
}

// student starts the process.
func student(t *testing.T, change func(*Run)) *session {
	t.Helper()
	run := Run{Binary: ownBinary, Wall: 3 * time.Second, Limits: guard.Limits{Seconds: 3, MemoryMB: 256}}
	if change != nil {
		change(&run)
	}
	s, err := start(run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.finish() })
	return s
}

func TestCallsAndArguments(t *testing.T) {
	s := student(t, nil)
	x, by, out := mat.NewDense(1, 2, []float64{1, 2}), 3.0, (*mat.Dense)(nil)
	if err := s.call("Scale", []any{&x, &by}, []any{&out}); err != nil {
		t.Fatal(err)
	}
	if !mat.Equal(out, mat.NewDense(1, 2, []float64{3, 6})) || x.At(0, 0) != 1 {
		t.Errorf("out %v, x %v", out, x)
	}
	list, n := []int{1, 2}, 0
	if err := s.call("Spoil", []any{&x, &list}, []any{&n}); err != nil || x.At(0, 0) != 99 || !slices.Equal(list, []int{1, 7}) || n != 1 {
		t.Errorf("%v: a change of the arguments is not seen: x %v, list %v", err, x, list)
	}
	if err := s.call("Print", nil, []any{&n}); err != nil || n != 1 {
		t.Errorf("printing: %v", err)
	}
	if r := s.finish(); r.Printed != "hello\n--- PASS: TestEverything" || r.Trespass {
		t.Errorf("report %+v", r)
	}
}

func TestFailuresAreSaidInWords(t *testing.T) {
	for _, c := range []struct {
		name string
		args []any
		want string
	}{
		{"Panic", []any{&[]int{1}}, "Panic([1]) panicked: runtime error: index out of range [3] with length 1"},
		{"Stub", nil, "Stub() panicked: not written yet"}, // the name of the function is known where its cell is
		{"Exit", nil, "Exit() ended the whole program (exit status 0) instead of returning"},
		{"Goexit", nil, "Goexit() stopped the program: fatal error: "},
		{"Sleep", nil, "Sleep() gave no answer in time: one test may take 1s"},
		{"Hang", nil, "Hang() gave no answer in time"},
		{"Recurse", []any{ptr(1)}, "Recurse(1) called itself without end (stack overflow)"},
		{"Hoard", nil, "Hoard() needed more memory than the 256 MB that it may use"},
		{"Garbage", nil, "Garbage() gave back something that is not its result"},
		{"Flood", nil, "Flood() "},
		{"Close", nil, "Close() ended the whole program"},
		{"Nothing", nil, "Nothing() panicked: there is no such function"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := student(t, func(r *Run) {
				r.Wall = 10 * time.Second
				if c.name == "Sleep" || c.name == "Hang" {
					r.Wall = time.Second
				}
			})
			err := s.call(c.name, c.args, []any{new(float64)})
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				if c.name == "Hoard" && s.finish().Missing != "" {
					t.Skip("no limit of memory on this system")
				}
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if r := s.finish(); r.Trespass {
				t.Errorf("report %+v", r)
			}
		})
	}
}

// After a process has ended, no call starts another one.
func TestOneProcessATest(t *testing.T) {
	s := student(t, nil)
	first := s.call("Exit", nil, []any{new(int)})
	if again := s.call("Print", nil, []any{new(int)}); again == nil || again.Error() != first.Error() {
		t.Errorf("after %v came %v", first, again)
	}
}

func TestTrespassIsKnown(t *testing.T) {
	for _, name := range []string{"Read", "List", "Connect", "Write"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := student(t, nil)
			err := s.call(name, nil, []any{new(string)})
			r := s.finish()
			if strings.Contains(r.Missing, "system calls") {
				t.Skip("no filter of system calls on this system: " + r.Missing)
			}
			if err == nil || !r.Trespass || !strings.Contains(err.Error(), "tried to use a file, the network or another process") {
				t.Errorf("%v, report %+v", err, r)
			}
		})
	}
}

// Each fence holds without the other: here are namespaces and no filter.
func TestNamespacesAlone(t *testing.T) {
	s := student(t, func(r *Run) { r.Limits.Unfilter = true })
	if s.missing != "" {
		t.Skip(s.missing)
	}
	for name, want := range map[string]string{
		"Read": "false open /etc/passwd: no such file or directory", "List": "answer <nil>", "Connect": "network is unreachable", "Who": "1 65534",
	} {
		var got string
		if err := s.call(name, nil, []any{&got}); err != nil || got != want {
			t.Errorf("%s: got %q (%v), want %q", name, got, err, want)
		}
	}
	var got string // the limit on the size of files stands as well
	if err := s.call("Write", nil, []any{&got}); err == nil && got == "<nil>" {
		t.Error("a file was written")
	}
}

// And here is the filter without namespaces, as in a container that forbids them. The report says
// so.
func TestFilterAlone(t *testing.T) {
	s := student(t, func(r *Run) { r.Open = true })
	var n int
	if err := s.call("Print", nil, []any{&n}); err != nil {
		t.Fatal(err)
	}
	if err := s.call("Read", nil, []any{new(string)}); err == nil && runtime.GOOS == "linux" {
		t.Error("the file was read")
	}
	if r := s.finish(); !strings.Contains(r.Missing, "namespaces were not asked for") && runtime.GOOS == "linux" {
		t.Errorf("report %+v", r)
	}
}
