//go:build unix

// Cellrun stands between the kernel and a cell's program. It passes on what the program writes, up
// to a mebibyte of standard output and one of standard error, and counts the rest: a loop that
// prints for ever costs the kernel no memory, and the reader can interrupt it. The last lines of
// standard error, which say why a program ended, are always passed on.
//
// The kernel starts it under the name of the program that `go build` was asked for; the program
// itself lies beside it, its name with .cell at the end.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"time"
)

const (
	most     = 1 << 20                 // bytes of a stream that are passed on
	last     = 1 << 14                 // bytes of the end of standard error that are passed on though it was longer
	every    = 50 * time.Millisecond   // between writes to the kernel, after the first promptly many
	promptly = 1000                    // reads that are passed on at once: text and figures keep their order
	mercy    = 4500 * time.Millisecond // from an interrupt to the end: the kernel ends this process after five seconds
)

func main() {
	runtime.LockOSThread() // the program ends with the thread that started it, where the system offers that
	cmd := exec.Command(os.Args[0]+".cell", os.Args[1:]...)
	cmd.Stdin = os.Stdin
	cmd.SysProcAttr = endsWithParent()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		fail(err)
	}
	stderr, err := cmd.StderrPipe()
	if err != nil {
		fail(err)
	}
	interrupts := make(chan os.Signal, 8)
	signal.Notify(interrupts, os.Interrupt, syscall.SIGTERM)
	if err := cmd.Start(); err != nil {
		fail(err)
	}
	go func() {
		var once sync.Once
		for s := range interrupts {
			_ = cmd.Process.Signal(s)
			once.Do(func() { time.AfterFunc(mercy, func() { _ = cmd.Process.Kill() }) })
		}
	}()
	var streams sync.WaitGroup
	streams.Go(func() { pass(os.Stdout, stdout, "output", 0) })
	streams.Go(func() { pass(os.Stderr, stderr, "standard error", last) })
	streams.Wait()
	var exit *exec.ExitError
	switch err := cmd.Wait(); {
	case err == nil:
	case errors.As(err, &exit):
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			signal.Reset(status.Signal())
			_ = syscall.Kill(os.Getpid(), status.Signal())
		}
		os.Exit(exit.ExitCode())
	default:
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// pass copies in to out until most bytes have passed, in the end at most some twenty times a
// second; the rest is counted, but for the last keep bytes.
func pass(out io.Writer, in io.Reader, name string, keep int) {
	var mu sync.Mutex
	var pending bytes.Buffer
	flush := func() {
		mu.Lock()
		defer mu.Unlock()
		if pending.Len() > 0 {
			_, _ = pending.WriteTo(out)
		}
	}
	tick := time.NewTicker(every)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-tick.C:
				flush()
			case <-stop:
				return
			}
		}
	}()
	reads, passed, dropped := 0, 0, 0
	var tail []byte
	var lineEnds bool
	buffer := make([]byte, 1<<16)
	for {
		n, err := in.Read(buffer)
		text := buffer[:n]
		if room := most - passed; room > 0 && n > 0 {
			head := text[:min(room, n)]
			mu.Lock()
			pending.Write(head)
			passed += len(head)
			if len(head) < n || passed == most {
				if head[len(head)-1] != '\n' {
					pending.WriteByte('\n')
				}
				fmt.Fprintf(&pending, "[the cell's %s has reached 1 MiB: what follows is counted, not shown]\n", name)
			}
			mu.Unlock()
			text = text[len(head):]
			if reads++; reads <= promptly || passed == most {
				flush()
			}
		}
		if len(text) > 0 {
			dropped += len(text)
			lineEnds = text[len(text)-1] == '\n'
			if keep > 0 {
				tail = append(tail, text...)
				if len(tail) > 4*keep {
					tail = append(tail[:0], tail[len(tail)-keep:]...)
				}
			}
		}
		if err != nil {
			break
		}
	}
	close(stop)
	<-stopped
	if dropped > 0 {
		if len(tail) > keep {
			tail = tail[len(tail)-keep:]
			if i := bytes.IndexByte(tail, '\n'); i >= 0 {
				tail = tail[i+1:]
			}
		}
		fmt.Fprintf(&pending, "[%s bytes of %s were not shown]\n", thousands(dropped-len(tail)), name)
		pending.Write(tail)
		if len(tail) > 0 && !lineEnds {
			pending.WriteByte('\n')
		}
	}
	flush()
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
