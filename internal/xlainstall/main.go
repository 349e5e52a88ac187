// Xlainstall puts GoMLX's own build of the XLA plugin for the CPU into a folder. tools/setup.sh
// runs it where the pinned wheel can't be had.
package main

import (
	"fmt"
	"os"

	"github.com/gomlx/go-xla/installer"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: xlainstall FOLDER")
		os.Exit(2)
	}
	if err := installer.CPUAutoInstall(os.Args[1], false, installer.Normal); err != nil {
		fmt.Fprintln(os.Stderr, "xlainstall:", err)
		os.Exit(1)
	}
}
