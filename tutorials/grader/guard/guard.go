// Package guard is the first thing that starts in the student's process: whoever imports it is
// held, before any other code of theirs runs, to limits of time and memory, and on Linux to the
// system calls that computing needs.
package guard

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
)

// Limits of the student's process.
type Limits struct {
	Seconds  int  // of processor time
	MemoryMB int  // of data, stacks included
	Unfilter bool // without the filter of system calls; for tests of the other fences
}

// Refused begins the line on standard error that says that a fence is missing.
const Refused = "latent guard: "

// Environ returns the limits as environment variables, for the process that imports this package.
func (l Limits) Environ() []string {
	filter := "1"
	if l.Unfilter {
		filter = "0"
	}
	return []string{"LATENT_SECONDS=" + strconv.Itoa(l.Seconds), "LATENT_MEMORY_MB=" + strconv.Itoa(l.MemoryMB), "LATENT_FILTER=" + filter}
}

func init() {
	seconds, err := strconv.Atoi(os.Getenv("LATENT_SECONDS"))
	if err != nil {
		return // not a student's process
	}
	memory, err := strconv.Atoi(os.Getenv("LATENT_MEMORY_MB"))
	if err != nil {
		panic(err)
	}
	debug.SetMaxStack(memory << 20 / 4)
	if err := limit(seconds, memory); err != nil {
		fmt.Fprintln(os.Stderr, Refused+"limits:", err)
	}
	if os.Getenv("LATENT_FILTER") == "0" {
		return
	}
	if err := filter(); err != nil {
		fmt.Fprintln(os.Stderr, Refused+"system calls:", err)
	}
}
