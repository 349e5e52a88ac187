//go:build unix

// The program latent-kernel starts the Go kernel and sees to it that nothing is left of it. gonb
// asks nobody whether Jupyter still lives: when a server or a test is killed, a kernel would go on
// for ever, and its gopls with it; and a kernel that is itself killed, as a restart may do, leaves
// its gopls.
//
//	latent-kernel GONB ARGUMENTS…
//
// It leaves a watcher behind, a process with a session of its own, and becomes gonb: Jupyter's
// signals reach gonb as if this program were not there.
package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
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
	fail(syscall.Exec(os.Args[1], os.Args[1:], os.Environ()))
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
		_ = syscall.Kill(kernel, syscall.SIGTERM) // gonb ends its cell and its gopls
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
