//go:build linux && (amd64 || arm64)

package guard

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The test's own binary is the student's process, held by this package's init, when doVar names
// what to do.
const doVar = "LATENT_TEST_DO"

func TestMain(m *testing.M) {
	if what := os.Getenv(doVar); what != "" {
		deeds[what]()
		return
	}
	os.Exit(m.Run())
}

var (
	sink [][]byte
	spin int
)

var deeds = map[string]func(){
	"compute": func() { // all that Go's runtime is known to do on its own
		sum := make(chan float64)
		for range 20 {
			go func() {
				x := make([]float64, 1<<16)
				for i := range x {
					x[i] = rand.Float64()
				}
				runtime.GC()
				time.Sleep(time.Millisecond)
				runtime.LockOSThread() // a thread is started for the others
				sum <- x[0]
			}()
		}
		for range 20 {
			<-sum
		}
		debug.FreeOSMemory()
		select {
		case <-time.After(time.Millisecond):
		case <-time.NewTicker(time.Hour).C:
		}
		_, err := os.Getwd() // fails, and that is all
		fmt.Println("computed", time.Now().Year() > 2000, time.Now().Location(), err != nil)
		fmt.Fprintln(os.Stderr, "to stderr")
	},
	"read":    func() { _, _ = os.ReadFile("/etc/hostname") },
	"write":   func() { _ = os.WriteFile("forbidden", nil, 0o600) },
	"look":    func() { _, _ = os.Stat("/etc/passwd") },
	"list":    func() { _, _ = os.ReadDir(".") },
	"socket":  func() { _, _ = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0) },
	"run":     func() { _ = syscall.Exec("/bin/true", nil, nil) },
	"fork":    func() { _, _, _ = syscall.RawSyscall6(syscall.SYS_CLONE, uintptr(syscall.SIGCHLD), 0, 0, 0, 0, 0) },
	"kill":    func() { _ = syscall.Kill(os.Getppid(), 0) },
	"tgkill":  func() { _, _, _ = syscall.RawSyscall(syscall.SYS_TGKILL, 1, 1, 0) },
	"trace":   func() { _, _, _ = syscall.RawSyscall(syscall.SYS_PTRACE, 0, 0, 0) },
	"x32":     func() { _, _, e := syscall.RawSyscall(0x40000000|2, 0, 0, 0); fmt.Println("x32:", e) },
	"unlimit": func() { fmt.Println(syscall.Setrlimit(syscall.RLIMIT_CPU, &syscall.Rlimit{Cur: 99, Max: 99})) },
	"memory": func() {
		for {
			b := make([]byte, 16<<20)
			for i := range b {
				b[i] = 1
			}
			sink = append(sink, b)
		}
	},
	"processor": func() {
		for n := 0; ; n++ {
			spin = n
		}
	},
	"recursion": func() { fmt.Println(deep(0)) },
}

func deep(n int) int {
	if n < 0 {
		return 0
	}
	return deep(n+1) + 1
}

func TestFences(t *testing.T) {
	if testing.Short() {
		t.Skip("one deed takes two seconds of processor time")
	}
	const killed = "signal: bad system call"
	for _, c := range []struct{ deed, ends, prints string }{
		{"compute", "", "computed true UTC true\nto stderr"},
		{"read", killed, ""}, {"write", killed, ""}, {"look", killed, ""}, {"list", killed, ""}, {"socket", killed, ""}, {"run", killed, ""},
		{"fork", killed, ""}, {"kill", killed, ""}, {"tgkill", killed, ""}, {"trace", killed, ""},
		{"unlimit", "", "operation not permitted"},
		{"memory", "exit status 2", "out of memory"},
		{"recursion", "exit status 2", "stack overflow"},
		{"processor", "signal: killed", ""},
	} {
		t.Run(c.deed, func(t *testing.T) {
			t.Parallel()
			ends, prints := do(t, c.deed, Limits{Seconds: 2, MemoryMB: 256})
			if strings.Contains(prints, Refused) {
				t.Skip("this system has no such fence: " + prints)
			}
			if ends != c.ends || !strings.Contains(prints, c.prints) {
				t.Errorf("ended by %q, printing %q; want %q, printing %q", ends, prints, c.ends, c.prints)
			}
		})
	}
}

// The other way of numbering system calls on amd64 must not be a way round.
func TestOtherNumbersAreRefused(t *testing.T) {
	if runtime.GOARCH != "amd64" {
		t.Skip("only amd64 has two")
	}
	ends, prints := do(t, "x32", Limits{Seconds: 2, MemoryMB: 256})
	if !strings.Contains(prints, Refused) && (ends != "" || !strings.Contains(prints, "operation not permitted")) {
		t.Errorf("ended by %q, printing %q", ends, prints)
	}
}

// A test that could not fail would prove nothing: without the filter the file is read.
func TestUnfilteredProcessReads(t *testing.T) {
	if ends, prints := do(t, "read", Limits{Seconds: 2, MemoryMB: 256, Unfilter: true}); ends != "" {
		t.Errorf("ended by %q, printing %q", ends, prints)
	}
}

func do(t *testing.T, deed string, l Limits) (ends, prints string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(l.Environ(), doVar+"="+deed, "GOMAXPROCS=2", "TZ=")
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil {
		ends = err.Error()
	}
	return ends, string(out)
}
