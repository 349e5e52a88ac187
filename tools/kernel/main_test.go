//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A stand-in for Jupyter starts the program, in a session of its own as Jupyter does, with a
// stand-in for gonb, which has a stand-in for gopls in a process group of its own. Each writes its
// number to a file.
func start(t *testing.T, gonb string) (jupyter *exec.Cmd, kernel, gopls int) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "latent-kernel")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write := func(name, body string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte("#!/bin/bash\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fake := write("gonb", fmt.Sprintf("set -m; sleep 300 & echo $! >%s/gopls; set +m\n%s\necho $$ >%s/kernel; while :; do sleep 0.1; done", dir, gonb, dir))
	jupyter = exec.Command(os.Args[0])
	jupyter.Env = append(os.Environ(), "LATENT_TEST_KERNEL="+program+" "+fake)
	if err := jupyter.Start(); err != nil {
		t.Fatal(err)
	}
	number := func(name string) int {
		for range 500 {
			text, _ := os.ReadFile(filepath.Join(dir, name))
			if n, err := strconv.Atoi(strings.TrimSpace(string(text))); err == nil {
				return n
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Fatalf("%s did not start", name)
		return 0
	}
	kernel, gopls = number("kernel"), number("gopls")
	t.Cleanup(func() {
		for _, pid := range []int{jupyter.Process.Pid, kernel, gopls} {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
	})
	return jupyter, kernel, gopls
}

// The stand-in for Jupyter is this test's own program.
func TestMain(m *testing.M) {
	if kernel := os.Getenv("LATENT_TEST_KERNEL"); kernel != "" {
		cmd := exec.Command(strings.Fields(kernel)[0], strings.Fields(kernel)[1:]...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			panic(err)
		}
		_ = cmd.Wait()
		time.Sleep(time.Minute)
		return
	}
	os.Exit(m.Run())
}

func running(pid int) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil && strings.Contains(string(stat), ") Z ") {
		return false // ended, and its parent has not asked
	}
	return syscall.Kill(pid, 0) == nil
}

func ends(t *testing.T, what string, pid int, within time.Duration) {
	t.Helper()
	for begun := time.Now(); running(pid); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > within {
			t.Errorf("%s runs %v later", what, within)
			return
		}
	}
}

func TestKernelEndsWithJupyter(t *testing.T) {
	for name, gonb := range map[string]string{"politely": "trap 'kill %1; exit' TERM", "stubbornly": "trap '' TERM"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			jupyter, kernel, _ := start(t, gonb)
			time.Sleep(3 * every / 2)
			if !running(kernel) {
				t.Fatal("the kernel ended while Jupyter lives")
			}
			jupyter.Process.Kill()
			jupyter.Wait()
			ends(t, "the kernel", kernel, mercy+4*every)
		})
	}
}

func TestNothingIsLeftOfAKernelThatIsKilled(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("no /proc: what a killed kernel leaves is not found here")
	}
	t.Parallel()
	_, kernel, gopls := start(t, "")
	if !running(gopls) {
		t.Fatal("gopls does not run")
	}
	_ = syscall.Kill(kernel, syscall.SIGKILL)
	ends(t, "the kernel", kernel, 2*time.Second)
	ends(t, "gopls", gopls, 4*every)
}
