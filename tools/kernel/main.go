//go:build unix

// The program latent-kernel starts the Go kernel and sees to it that nothing is left of it. gonb
// asks nobody whether Jupyter still lives: when a server or a test is killed, a kernel would go on
// for ever, and its gopls with it; and a kernel that is itself killed, as a restart may do, leaves
// its gopls.
//
//	latent-kernel GONB ARGUMENTS…
//
// It leaves a watcher behind, a process with a session of its own, and stands between Jupyter and
// gonb: it answers itself how a name goes on and what it is, by a gopls of its own; it says errors
// in the cell's own lines; and what it does not know better it passes on. Jupyter's interrupts
// reach gonb and the cell as if this program were not there, since they are sent to the whole
// group.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/golatent/latent/tools/cell"
)

const (
	watch  = "-watch"
	every  = time.Second
	mercy  = 5 * time.Second // between asking a process to end and ending it
	notice = "latent-kernel: "
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == watch {
		jupyter, err := strconv.Atoi(os.Args[2])
		if err != nil {
			fail(err)
		}
		watcher(jupyter, os.Getppid())
		return
	}
	if len(os.Args) < 2 {
		fail(fmt.Errorf("want a kernel to start"))
	}
	self, err := os.Executable()
	if err != nil {
		fail(err)
	}
	guard := exec.Command(self, watch, strconv.Itoa(os.Getppid()))
	guard.Dir = "/"
	guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of what ends the kernel
	if err := guard.Start(); err != nil {
		fail(err)
	}
	code, err := serve(os.Args[1:])
	if err != nil {
		fail(err)
	}
	os.Exit(code)
}

// serve runs gonb behind a relay until it ends, and returns its exit status.
func serve(args []string) (int, error) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	args = slices.Clone(args)
	var help *helper
	if i := slices.Index(args, "--kernel"); i > 0 && i+1 < len(args) {
		dir, err := os.MkdirTemp("", "latent-kernel-")
		if err != nil {
			return 0, err
		}
		defer os.RemoveAll(dir)
		help = newHelper(os.Getenv("LATENT_ROOT"), dir, cell.FromEnvironment())
		_, behind, err := newRelay(args[i+1], dir, help)
		if err != nil {
			return 0, err
		}
		args[i+1] = behind
		go func() { _ = help.start(os.Getenv("LATENT_GOPLS")) }()
		defer help.stop()
	}
	gonb := exec.Command(args[0], args[1:]...)
	gonb.Stdin, gonb.Stdout, gonb.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := gonb.Start(); err != nil {
		return 0, err
	}
	go func() {
		for s := range signals {
			if s == syscall.SIGTERM { // an interrupt was sent to gonb, too
				_ = gonb.Process.Signal(s)
			}
		}
	}()
	err := gonb.Wait()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, err
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, notice+err.Error())
	os.Exit(1)
}

// watcher waits until the kernel or Jupyter is gone, and ends what is left. The kernel is the
// parent of this process, so that its end is seen by that.
func watcher(jupyter, kernel int) {
	alive := func() bool { return os.Getppid() == kernel }
	for alive() && syscall.Kill(jupyter, 0) != syscall.ESRCH {
		time.Sleep(every)
	}
	if alive() {
		_ = syscall.Kill(kernel, syscall.SIGTERM) // gonb ends its cell
		for end := time.Now().Add(mercy); alive() && time.Now().Before(end); {
			time.Sleep(every / 10)
		}
		if alive() {
			_ = syscall.Kill(kernel, syscall.SIGKILL)
		}
	}
	for _, pid := range session(kernel) {
		_ = syscall.Kill(pid, syscall.SIGTERM)
	}
	for end := time.Now().Add(every); len(session(kernel)) > 0 && time.Now().Before(end); {
		time.Sleep(every / 10)
	}
	for _, pid := range session(kernel) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

// session lists the processes of the session that the kernel led, where the system has /proc.
func session(leader int) (pids []int) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		// pid (name) state ppid pgrp session …; a name may hold anything.
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		if len(fields) < 4 || string(fields[3]) != strconv.Itoa(leader) || string(fields[0]) == "Z" {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
