//go:build unix

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestPassShowsWhatIsShort(t *testing.T) {
	var out bytes.Buffer
	pass(&out, strings.NewReader("a\nb"), "output", 0)
	if out.String() != "a\nb" {
		t.Errorf("%q", out.String())
	}
}

// numbers writes lines of eight bytes for ever, or n of them.
type numbers struct{ next, n int }

func (r *numbers) Read(p []byte) (int, error) {
	k := 0
	for k+8 <= len(p) && r.next < r.n {
		copy(p[k:], fmt.Sprintf("%07d\n", r.next))
		r.next++
		k += 8
	}
	if r.next == r.n {
		return k, io.EOF
	}
	return k, nil
}

func TestPassCountsWhatIsLong(t *testing.T) {
	const lines = 8_000_000 // 64 MB
	var before, after runtime.MemStats
	var out bytes.Buffer
	runtime.ReadMemStats(&before)
	pass(&out, &numbers{n: lines}, "output", 0)
	runtime.ReadMemStats(&after)
	text := out.String()
	if got := len(text); got < most || got > most+200 {
		t.Errorf("%d bytes are shown", got)
	}
	if want := "[62,951,424 bytes of output were not shown]\n"; !strings.HasSuffix(text, want) { // 8·lines − 2²⁰
		t.Errorf("it ends in %q", text[len(text)-200:])
	}
	if !strings.Contains(text, "0131071\n[the cell's output has reached 1 MiB") {
		t.Error("where it is cut is not said there")
	}
	if grown := int64(after.HeapSys) - int64(before.HeapSys); grown > 32<<20 {
		t.Errorf("memory grew by %d bytes", grown)
	}
}

// Why a program ended stands at the end of standard error.
func TestPassKeepsTheEnd(t *testing.T) {
	var out bytes.Buffer
	pass(&out, io.MultiReader(&numbers{n: 200_000}, strings.NewReader("panic: enough\n")), "standard error", last)
	text := out.String()
	if !strings.HasSuffix(text, "0199999\npanic: enough\n") || !strings.Contains(text, " bytes of standard error were not shown]\n") || len(text) > most+last+300 {
		t.Errorf("%d bytes, which end in %q", len(text), text[max(0, len(text)-200):])
	}
}

// program builds cellrun beside a stand-in for a cell's program, a script.
func program(t *testing.T, script string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "cell")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.WriteFile(path+".cell", []byte("#!/bin/bash\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestItEndsAsTheProgramDoes(t *testing.T) {
	cmd := exec.Command(program(t, `echo "$1"; echo oops >&2; read line; echo "$line"; [ "$1" != kill ] || kill -KILL $$; exit 7`), "x")
	cmd.Stdin = strings.NewReader("from the kernel\n")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || string(out) != "x\nfrom the kernel\n" || stderr.String() != "oops\n" {
		t.Errorf("%v %q %q", err, out, stderr.String())
	}
	err = exec.Command(cmd.Path, "kill").Run()
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Errorf("a program that was killed: %v", err)
	}
}

// An interrupt reaches a program that prints without end, and one that does not listen is ended.
func TestInterrupt(t *testing.T) {
	for name, script := range map[string]string{
		"a loop that prints":        `trap 'exit 9' INT; while :; do echo 0123456789; done`,
		"a loop that does not hear": `trap '' INT; while :; do echo 0123456789; done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(program(t, script))
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(out, make([]byte, 1<<12)); err != nil {
				t.Fatal(err)
			}
			begun := time.Now()
			_ = cmd.Process.Signal(os.Interrupt)
			_, _ = io.Copy(io.Discard, out)
			_ = cmd.Wait()
			if took := time.Since(begun); took > mercy+2*time.Second {
				t.Errorf("it ended after %v", took)
			}
		})
	}
}
