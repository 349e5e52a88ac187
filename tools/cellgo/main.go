// Cellgo is the `go` command that a notebook's cells see: the kernel finds it first on its PATH. It
// passes everything on to the real one, named by LATENT_GO, but for what makes a cell slow or ask
// the network:
//
//   - `go get`, which GoNB runs before every cell, does nothing. Whatever a cell imports is in the
//     repository's go.mod, or the build says that it is not.
//   - `go build` links without symbol table and debug information, which halves the time to link.
//     Panics keep their line numbers.
package main

import (
	"fmt"
	"os"
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
