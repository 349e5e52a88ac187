//go:build unix

// Bench times the library against its Python peers: the same inputs, the same machine, one run. Problems and peers stand in
// peers.py; the library's side stands in the rows_*.go files.
//
//	bench -python .venv-bench/bin/python [-only kmeans] [-rounds 3]
//	bench growth [-only kmeans]
//
// The second form needs no peers: it times methods at several sizes and shows how their cost grows (growth.go).
//
// It is fair by construction. Every measurement is a process of its own; the two sides take turns, each with one and with two
// threads, and the best of a side's runs counts (threads of a Python BLAS spin while they wait, so that two can be slower
// than one). The first fit stands beside the best, because peers that compile just in time pay there; CPU seconds stand beside
// wall time, because a second core is not free.
package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"gonum.org/v1/gonum/stat"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 6 && args[0] == "ours" { // the child: ours DIR NAME THREADS REPEAT SEED
		threads, err1 := strconv.Atoi(args[3])
		repeat, err2 := strconv.Atoi(args[4])
		seed, err3 := strconv.Atoi(args[5])
		if err := errors.Join(err1, err2, err3); err != nil {
			return err
		}
		return runOurs(ctx, args[1], args[2], threads, repeat, seed)
	}
	if len(args) > 0 && args[0] == "growth" {
		return runGrowth(ctx, args[1:])
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	var s suite
	flags.StringVar(&s.python, "python", ".venv-bench/bin/python", "the peers' Python")
	flags.StringVar(&s.dir, "dir", "bench", "directory of peers.py, of inputs/ and of the results")
	flags.StringVar(&s.only, "only", "", "run rows whose name contains one of these, separated by commas")
	flags.IntVar(&s.rounds, "rounds", 2, "how often the two sides take turns")
	flags.IntVar(&s.repeat, "repeat", 2, "fits in each process")
	list := flags.Bool("list", false, "list the rows and stop")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *list {
		for _, r := range rows {
			fmt.Println(r.name)
		}
		return nil
	}
	if s.rounds < 1 || s.repeat < 1 {
		return fmt.Errorf("-rounds and -repeat must be at least 1")
	}
	return s.run(ctx)
}

// suite is one call of the benchmark: which rows, how often, with which Python.
type suite struct {
	python, dir, only string
	rounds, repeat    int
}

func (s suite) run(ctx context.Context) error {
	picked := s.picked()
	if len(picked) == 0 {
		return fmt.Errorf("no row matches %q; -list shows them", s.only)
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	inputs := filepath.Join(s.dir, "inputs")
	if err := s.makeInputs(ctx, inputs); err != nil {
		return err
	}
	results, err := readResults(filepath.Join(s.dir, "results.json"))
	if err != nil {
		return err
	}
	lean, err := leanRows(ctx, self)
	if err != nil {
		return err
	}
	threads := []int{1}
	if runtime.NumCPU() > 1 {
		threads = []int{1, 2}
	}
	bar := newBar(len(picked) * s.rounds * len(threads) * 2)
	defer bar.clear()
	for _, r := range picked {
		var ours, peer []measurement
		child := self
		if lean[r.name] {
			child = self + leanSuffix
		}
		for round := range s.rounds {
			seed := strconv.Itoa(round * s.repeat)
			for _, t := range threads {
				bar.step(r.name + " ours")
				m, err := measure(ctx, child, "ours", inputs, r.name, strconv.Itoa(t), strconv.Itoa(s.repeat), seed)
				if err != nil {
					return err
				}
				ours = append(ours, m)
				bar.step(r.name + " peer")
				m, err = measure(ctx, s.python, filepath.Join(s.dir, "peers.py"), "run", inputs, r.name,
					"--threads", strconv.Itoa(t), "--repeat", strconv.Itoa(s.repeat), "--seed", seed)
				if err != nil {
					return err
				}
				peer = append(peer, m)
			}
		}
		res := result{Ours: best(ours), Peer: best(peer), Measured: time.Now().UTC().Format("2006-01-02"), Machine: machine()}
		results[r.name] = res
		bar.clear()
		fmt.Println(res.line())
		// After each row, so that an interrupted run keeps what it measured.
		if err := writeResults(s.dir, results); err != nil {
			return err
		}
	}
	return nil
}

// leanSuffix names the same program built with the tag lean, without the rows that link GoMLX: a classical row's memory is not to hold 16 MB
// of a library it does not use.
const leanSuffix = "-lean"

// leanRows asks the lean program which rows it has. Where it was not built, it has none and this program runs every row.
func leanRows(ctx context.Context, self string) (map[string]bool, error) {
	if _, err := os.Stat(self + leanSuffix); os.IsNotExist(err) {
		return nil, nil
	}
	out, err := exec.CommandContext(ctx, self+leanSuffix, "-list").Output()
	if err != nil {
		return nil, fmt.Errorf("%s -list: %w", self+leanSuffix, err)
	}
	names := map[string]bool{}
	for name := range strings.FieldsSeq(string(out)) {
		names[name] = true
	}
	return names, nil
}

func (s suite) picked() []row {
	var out []row
	for _, r := range rows {
		if named(r.name, s.only) {
			out = append(out, r)
		}
	}
	return out
}

// named reports whether a name holds one of some parts, separated by commas; every name does where there are none.
func named(name, only string) bool {
	if only == "" {
		return true
	}
	for part := range strings.SplitSeq(only, ",") {
		if part = strings.TrimSpace(part); part != "" && strings.Contains(name, part) {
			return true
		}
	}
	return false
}

// makeInputs has peers.py write the inputs, once for each version of peers.py. They are made in a folder beside and renamed when complete.
func (s suite) makeInputs(ctx context.Context, dir string) error {
	script, err := os.ReadFile(filepath.Join(s.dir, "peers.py"))
	if err != nil {
		return err
	}
	version := fmt.Sprintf("%x", sha256.Sum256(script))
	stamp := filepath.Join(dir, "version")
	if made, err := os.ReadFile(stamp); err == nil && string(made) == version {
		return nil
	}
	fmt.Fprintln(os.Stderr, "making the inputs (some 200 MB, once) …")
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, s.python, filepath.Join(s.dir, "peers.py"), "data", part)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("peers.py data: %w\n%s", err, out)
	}
	if err := os.WriteFile(filepath.Join(part, "version"), []byte(version), 0o644); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(part, dir)
}

// measure runs one process to its end and reads the measurement it prints as the last line that is a JSON object.
func measure(ctx context.Context, name string, args ...string) (measurement, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	// A group of its own, so that whatever the process started ends with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		return measurement{}, ctx.Err()
	}
	var m measurement
	found := false
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(line, "{") && json.Unmarshal([]byte(line), &m) == nil {
			found = true
		}
	}
	if m.Error != "" {
		return m, fmt.Errorf("%s of %s: %s", m.Method, m.Impl, m.Error)
	}
	if err != nil || !found {
		return m, fmt.Errorf("%s: no measurement (%v)\n%s", strings.Join(append([]string{filepath.Base(name)}, args...), " "), err, errs.String())
	}
	return m, nil
}

// best keeps, of a side's processes, the one with the fastest fit, and beside it the fastest first fit, the least CPU and memory of any, and the mean quality of all.
func best(ms []measurement) measurement {
	b := slices.MinFunc(ms, func(a, b measurement) int { return cmp.Compare(a.Seconds, b.Seconds) })
	var kl, qualities []float64
	for _, m := range ms {
		b.FirstSeconds, b.CPUSeconds, b.PeakMB = min(b.FirstSeconds, m.FirstSeconds), min(b.CPUSeconds, m.CPUSeconds), min(b.PeakMB, m.PeakMB)
		kl = append(kl, m.KL)
		if strings.HasSuffix(m.Method, "-step") { // one training that goes on from fit to fit
			m.Qualities = m.Qualities[len(m.Qualities)-1:]
		}
		qualities = append(qualities, m.Qualities...)
	}
	b.KL, b.Qualities = stat.Mean(kl, nil), nil
	b.Quality, b.Spread = stat.MeanStdDev(qualities, nil)
	b.Spread = stat.StdErr(b.Spread, float64(len(qualities)))
	if !(b.Spread > 1e-7*math.Abs(b.Quality)) { // rounding, not seeds; or a single fit
		b.Spread = 0
	}
	return b
}
