// Cellgo is the `go` command that a notebook's cells see: the kernel finds it first on its PATH. It
// passes everything on to the real one, named by LATENT_GO, but for what makes a cell slow or ask
// the network:
//
//   - `go get`, which GoNB runs before every cell, does nothing. Whatever a cell imports is in the
//     repository's go.mod, or the build says that it is not.
//   - `go build` links without symbol table and debug information, which halves the time to link.
//     Panics keep their line numbers.
//   - The program that is built gets another name, and cellrun, which counts what it writes, takes
//     its place.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

func main() {
	real := os.Getenv("LATENT_GO")
	if real == "" {
		fmt.Fprintln(os.Stderr, "LATENT_GO does not name the go command; run `make setup` again")
		os.Exit(1)
	}
	args := rewrite(os.Args[1:])
	if args == nil {
		return
	}
	args, program := beside(args, os.Getenv("GOOS"))
	if program != "" {
		if err := runner(program); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v; run `make setup` again\n", program, err)
			os.Exit(1)
		}
	}
	if err := syscall.Exec(real, append([]string{"go"}, args...), os.Environ()); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v; run `make setup` again\n", real, err)
		os.Exit(1)
	}
}

// rewrite returns the arguments for the real go command, or nil where there is nothing to do. Link
// flags that the reader gave (by %goflags) are left as they are.
func rewrite(args []string) []string {
	if len(args) == 0 {
		return args
	}
	switch args[0] {
	case "get":
		return nil
	case "build":
		if slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(strings.TrimLeft(a, "-"), "ldflags") }) {
			return args
		}
		return slices.Insert(slices.Clone(args), 1, "-ldflags=-s -w")
	}
	return args
}

// beside gives the program that a cell is built into the name that cellrun looks for, and returns
// the name that it was to have; "" where none is built to be run here.
func beside(args []string, goos string) ([]string, string) {
	if len(args) == 0 || args[0] != "build" && (args[0] != "test" || !slices.Contains(args, "-c")) || goos == "js" {
		return args, ""
	}
	i := slices.Index(args, "-o")
	if i < 0 || i+1 >= len(args) {
		return args, ""
	}
	args = slices.Clone(args)
	program := args[i+1]
	args[i+1] += ".cell"
	return args, program
}

// runner puts cellrun, which lies beside this program, where a program is expected.
func runner(program string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	run := filepath.Join(filepath.Dir(self), "cellrun")
	if to, err := os.Readlink(program); err == nil && to == run {
		return nil
	}
	if err := os.Remove(program); err != nil && !os.IsNotExist(err) {
		return err
	}
	return os.Symlink(run, program)
}
