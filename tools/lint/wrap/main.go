// Wrap holds comments to 100 columns.
//
//	wrap [-w] [-except DIR,DIR] ROOT [FILE...]
//
// Without -w it lists what is too wide and ends with status 1; with -w it wraps what it can.
// Without files it looks at all Go and assembly files that Git knows or would add, but for those in
// folders that -except names.
//
// A comment on lines of its own is wrapped paragraph by paragraph, and only where a line is too
// wide; so is an item of a list. Left as they are: code (lines indented behind the slashes),
// directives, tables, what an example prints, and words without a space. A comment behind code
// can't be wrapped without judgment: it is listed from 140 columns on, code and all. A tab takes
// four columns.
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	write := flag.Bool("w", false, "wrap in place")
	except := flag.String("except", "", "folders to leave out, separated by commas")
	flag.Parse()
	wide, err := run(flag.Args(), strings.Split(*except, ","), *write)
	if err != nil {
		fmt.Fprintln(os.Stderr, "wrap:", err)
		os.Exit(2)
	}
	if len(wide) > 0 {
		fmt.Println(strings.Join(wide, "\n"))
		os.Exit(1)
	}
}

// run returns what is too wide, a line each, and, where it may not write, cannot or should not be
// wrapped by it.
func run(args, except []string, write bool) (wide []string, err error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("usage: wrap [-w] [-except DIR,DIR] ROOT [FILE...]")
	}
	root, files := args[0], args[1:]
	if len(files) == 0 {
		out, err := exec.Command("git", "-C", root, "ls-files", "--cached", "--others", "--exclude-standard", "*.go", "*.s").Output()
		if err != nil {
			return nil, fmt.Errorf("git ls-files: %w", err)
		}
		files = strings.Fields(string(out))
	}
	for _, name := range files {
		if exempt(name, except) {
			continue
		}
		path := filepath.Join(root, name)
		source, err := os.ReadFile(path)
		if os.IsNotExist(err) { // deleted, and not yet committed
			continue
		}
		if err != nil {
			return nil, err
		}
		wrapped, left, err := wrap(name, source)
		if err != nil {
			return nil, err
		}
		for _, l := range left {
			if !write || l.stays {
				wide = append(wide, fmt.Sprintf("%s:%d: %s", name, l.line, l.what))
			}
		}
		if write && string(wrapped) != string(source) {
			if err := os.WriteFile(path, wrapped, 0o644); err != nil {
				return nil, err
			}
		}
	}
	return wide, nil
}

func exempt(name string, folders []string) bool {
	for _, f := range folders {
		if f != "" && strings.HasPrefix(name, strings.TrimSuffix(f, "/")+"/") {
			return true
		}
	}
	return false
}
