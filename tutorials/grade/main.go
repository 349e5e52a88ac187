// Command grade grades submitted notebooks by a teacher's notebook, and prints what every test came
// to.
//
//	go run ./tutorials/grade tutorials/01-kmeans/kmeans.ipynb submitted.ipynb
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/golatent/latent/tutorials/grader"
)

func main() {
	root := flag.String("root", "", "the clone of this repository; default: the working directory or a folder above it")
	asJSON := flag.Bool("json", false, "print one JSON object a submission")
	seconds := flag.Int("seconds", 0, "time limit of one test; 0 means 5")
	memory := flag.Int("memory", 0, "memory limit in MB; 0 means 512")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: grade [flags] TEACHERS.ipynb SUBMITTED.ipynb …")
		flag.PrintDefaults()
	}
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := grade(ctx, *root, *asJSON, grader.Limits{Seconds: *seconds, MemoryMB: *memory}, flag.Arg(0), flag.Args()[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "grade:", err)
		os.Exit(1)
	}
}

func grade(ctx context.Context, root string, asJSON bool, limits grader.Limits, source string, submitted []string) error {
	root, err := findRoot(root)
	if err != nil {
		return err
	}
	nb, err := read(source)
	if err != nil {
		return err
	}
	bench, err := grader.NewBench(ctx, root, nb, limits)
	if err != nil {
		return fmt.Errorf("%s: %w", source, err)
	}
	defer bench.Close()
	for _, path := range submitted {
		nb, err := read(path)
		if err != nil {
			return err
		}
		g, err := bench.Grade(ctx, nb)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if asJSON {
			if err := json.NewEncoder(os.Stdout).Encode(g); err != nil {
				return err
			}
			continue
		}
		print(path, g)
	}
	return nil
}

func print(path string, g *grader.Grading) {
	fmt.Printf("%s: %g of %g points\n", path, g.Score, g.Points)
	for _, r := range g.Results {
		fmt.Printf("  %4g of %-4g %s\n", r.Score, r.Points, strings.Join(r.Tests, ", "))
		for _, line := range strings.Split(r.Message, "\n") {
			if line != "" {
				fmt.Println("               ", line)
			}
		}
	}
	if g.Missing != "" {
		fmt.Println("  Not fenced in as it should be:", g.Missing)
	}
}

func read(path string) (*grader.Notebook, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	nb, err := grader.Parse(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return nb, nil
}

// findRoot looks for this repository's go.mod in a folder and those above it.
func findRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for {
		if mod, err := os.ReadFile(filepath.Join(dir, "go.mod")); err == nil && strings.HasPrefix(string(mod), "module github.com/golatent/latent\n") {
			return dir, nil
		}
		if parent := filepath.Dir(dir); parent != dir {
			dir = parent
			continue
		}
		return "", errors.New("not in a clone of github.com/golatent/latent; name it by -root")
	}
}
