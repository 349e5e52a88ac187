// Cellimports is the `goimports` that a notebook's kernel runs before each cell: it adds the
// imports that the cell leaves out. goimports looks for a package that has all the names that are
// selected from it, so that one misspelt name leaves the whole package undefined. Here the packages
// that cells use are known by name alone, and the compiler can say which name is wrong. A text that
// names other packages is handed on to the real goimports, LATENT_GOIMPORTS.
package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/golatent/latent/tools/cell"
)

func main() {
	if len(os.Args) != 3 || os.Args[1] != "-w" {
		fail(fmt.Errorf("want -w FILE"))
	}
	path := os.Args[2]
	src, err := os.ReadFile(path)
	if err != nil {
		fail(err)
	}
	out, unknown, err := cell.FromEnvironment().Import(src)
	if err != nil {
		fail(err)
	}
	if string(out) != string(src) {
		if err := os.WriteFile(path, out, 0o600); err != nil {
			fail(err)
		}
	}
	if real := os.Getenv("LATENT_GOIMPORTS"); len(unknown) > 0 && real != "" {
		cmd := exec.Command(real, "-w", path)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if err := cmd.Run(); err != nil {
			os.Exit(1)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
