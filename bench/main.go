//go:build unix

// Bench times the library against its Python peers: the same inputs, the same machine, one run. A
// family's rows, the library's side, stand in rows_<family>.go, their peers and inputs in
// peers/<family>.py.
//
//	bench -python .venv-bench/bin/python [-only kmeans] [-rounds 3]
//	bench growth [-only kmeans]
//
// The second form needs no peers: it times methods at several sizes and shows how their cost grows
// (growth.go).
//
// It is fair by construction. Every measurement is a process of its own; the two sides take turns,
// each with one and with two threads, and the best of a side's runs counts (threads of a Python
// BLAS spin while they wait, so that two can be slower than one). The first fit stands beside the
// best, because peers that compile just in time pay there; CPU seconds stand beside wall time,
// because a second core is not free.
package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
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
	flags.StringVar(&s.dir, "dir", "bench", "directory of peers/, of inputs/ and of the results")
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
	if err := s.makeInputs(ctx, inputs, picked); err != nil {
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
			for i, t := range threads {
				seed := strconv.Itoa((round*len(threads) + i) * s.repeat) // of the process's first fit: no two fits have the same
				bar.step(r.name + " ours")
				m, err := measure(ctx, child, "ours", inputs, r.name, strconv.Itoa(t), strconv.Itoa(s.repeat), seed)
				if err != nil {
					return err
				}
				ours = append(ours, m)
				bar.step(r.name + " peer")
				m, err = measure(ctx, s.python, filepath.Join(s.dir, "peers"), "run", inputs, r.input, r.name, "--threads", strconv.Itoa(t),
					"--repeat", strconv.Itoa(s.repeat), "--seed", seed)
				if err != nil {
					return err
				}
				peer = append(peer, m)
			}
		}
		res := result{Measured: time.Now().UTC().Format("2006-01-02"), Machine: machine()}
		if res.Ours, err = r.best(ours); err != nil {
			return err
		}
		if res.Peer, err = r.best(peer); err != nil {
			return err
		}
		if err := r.agree(res); err != nil {
			return err
		}
		results[r.name] = res
		bar.clear()
		fmt.Println(r.line(res))
		// After each row, so that an interrupted run keeps what it measured.
		if err := writeResults(s.dir, results); err != nil {
			return err
		}
	}
	return nil
}

// leanSuffix names the same program built with the tag lean, without the rows that link GoMLX: a
// classical row's memory is not to hold 16 MB of a library it does not use.
const leanSuffix = "-lean"

// leanRows asks the lean program which rows it has. Where it was not built, it has none and this
// program runs every row.
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

// named reports whether a name holds one of some parts, separated by commas; every name does where
// there are none.
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

// makeInputs has the peers' side write the inputs of some rows. Those that are there are made again
// only where their text has changed.
func (s suite) makeInputs(ctx context.Context, dir string, picked []row) error {
	args := []string{filepath.Join(s.dir, "peers"), "data", dir}
	for _, r := range picked {
		if !slices.Contains(args[3:], r.input) {
			args = append(args, r.input)
		}
	}
	if out, err := exec.CommandContext(ctx, s.python, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("making the inputs: %w\n%s", err, out)
	}
	return nil
}

// measure runs one process to its end and reads the measurement it prints as the last line that is
// a JSON object.
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

// best keeps, of a side's processes, the one with the fastest fit, and beside it the fastest first
// fit, the least CPU and memory of any, and the figures of all.
func (r row) best(ms []measurement) (measurement, error) {
	b := slices.MinFunc(ms, func(a, b measurement) int { return cmp.Compare(a.Seconds, b.Seconds) })
	b.Fits, b.Quality = nil, map[string]estimate{}
	for _, m := range ms {
		b.FirstSeconds, b.CPUSeconds, b.PeakMB = min(b.FirstSeconds, m.FirstSeconds), min(b.CPUSeconds, m.CPUSeconds), min(b.PeakMB, m.PeakMB)
	}
	for _, f := range r.figures {
		var values []float64
		for _, m := range ms {
			fits := m.Fits[f.name]
			if len(fits) == 0 || len(m.Fits) != len(r.figures) {
				return b, fmt.Errorf("%s: %s gives the figures %v, the row has %v", r.name, m.Impl, slices.Sorted(maps.Keys(m.Fits)), r.figures)
			}
			if r.goesOn {
				fits = fits[len(fits)-1:]
			}
			values = append(values, fits...)
		}
		b.Quality[f.name] = estimateOf(values)
	}
	return b, nil
}

func estimateOf(values []float64) estimate {
	mean, spread := stat.MeanStdDev(values, nil)
	e := estimate{mean, stat.StdErr(spread, float64(len(values)))}
	if !(e.Error > 1e-7*math.Abs(mean)) { // rounding, not seeds; or a single fit
		e.Error = 0
	}
	return e
}

// agree holds both sides to one solution where there is one.
func (r row) agree(res result) error {
	for _, f := range r.figures {
		ours, peer := res.Ours.Quality[f.name].Mean, res.Peer.Quality[f.name].Mean
		if f.better == equal && !(math.Abs(ours-peer) <= 1e-6*math.Abs(peer)) {
			return fmt.Errorf("%s: %s is %v, and %v of %s: these are not the same problem", r.name, f.name, ours, peer, res.Peer.Impl)
		}
	}
	return nil
}
