//go:build unix

package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"syscall"
	"time"

	"github.com/golatent/latent/internal/npy"
	"gonum.org/v1/gonum/mat"
)

// A row is one line of the table: the library's side of a problem, and the figures by which a
// solution of either side is judged. The peer's side is the function declared under the same name
// in peers/<family>.py.
type row struct {
	name    string
	input   string // a file under the inputs' directory, without .npy, made by the function of that name in peers/
	figures []figure
	fit     fit
	goesOn  bool // each fit of a process goes on from where the one before stopped: the last one's figures count
}

// figure names a number that says how good a solution is, as the peer's side names it too.
type figure struct {
	name   string
	better direction
}

// direction says which of two values of a figure is the better.
type direction rune

const (
	lower  direction = '↓'
	higher direction = '↑'
	equal  direction = '=' // the problem has one solution, and both sides must give it
)

// problem is what a fit is given. Every fit of a row has a seed of its own.
type problem struct {
	X, Y *mat.Dense // Y is the truth that goes with X, or nil
	Seed uint64
}

// fit solves the problem once. It is what the clock runs over.
type fit func(ctx context.Context, p problem) (judge, error)

// judge gives the figures of a solution, in the order of the row. It is called when the clock has
// stopped and memory is measured.
type judge func(ctx context.Context) ([]float64, error)

// known is a judge for figures that fall out of the fit itself.
func known(figures ...float64) judge {
	return func(context.Context) ([]float64, error) { return figures, nil }
}

// rows lists every problem the library takes part in, in the order of the table. A family adds its
// own in rows_<family>.go.
var rows []row

func register(r ...row) { rows = append(rows, r...) }

// measurement is what either side reports of one process: peers/driver.py prints the same object.
type measurement struct {
	Method        string               `json:"method"`
	Impl          string               `json:"impl"`
	N             int                  `json:"n"`
	D             int                  `json:"d"`
	Seconds       float64              `json:"seconds"`       // the best fit of the process
	CPUSeconds    float64              `json:"cpu_seconds"`   // the least of any fit, all threads together
	Threads       int                  `json:"threads"`       //
	FirstSeconds  float64              `json:"first_seconds"` // the first fit, with whatever is compiled or allocated once
	ImportSeconds float64              `json:"import_seconds"`
	PeakMB        float64              `json:"peak_mb"`
	Error         string               `json:"error,omitempty"`
	Fits          map[string][]float64 `json:"fits,omitempty"`    // of each figure, one number a fit
	Quality       map[string]estimate  `json:"quality,omitempty"` // the same of all processes, summed up
}

// estimate is the mean of a figure over all fits and its standard error, 0 where fits do not
// differ.
type estimate struct {
	Mean  float64 `json:"mean"`
	Error float64 `json:"error,omitempty"`
}

// runOurs fits one problem repeat times in this process on the given number of processors and
// prints the measurement.
func runOurs(ctx context.Context, dir, name string, threads, repeat, seed int) error {
	i := slices.IndexFunc(rows, func(r row) bool { return r.name == name })
	if i < 0 {
		return fmt.Errorf("bench: no row named %q", name)
	}
	runtime.GOMAXPROCS(threads)
	m, err := rows[i].measure(ctx, dir, repeat, uint64(seed))
	m.Threads = threads
	if err != nil {
		m.Error = err.Error()
	}
	return json.NewEncoder(os.Stdout).Encode(m)
}

func (r row) measure(ctx context.Context, dir string, repeat int, seed uint64) (measurement, error) {
	m := measurement{Method: r.name, Impl: "latent", Fits: map[string][]float64{}}
	x, err := readMatrix(filepath.Join(dir, r.input+".npy"))
	if err != nil {
		return m, err
	}
	y, err := readMatrix(filepath.Join(dir, r.input+"_y.npy"))
	if err != nil && !os.IsNotExist(err) {
		return m, err
	}
	m.N, m.D = x.Dims()
	judges := make([]judge, repeat)
	for k := range repeat {
		wall, cpu := time.Now(), cpuSeconds()
		if judges[k], err = r.fit(ctx, problem{x, y, seed + uint64(k)}); err != nil {
			return m, err
		}
		w, c := time.Since(wall).Seconds(), cpuSeconds()-cpu
		if k == 0 {
			m.FirstSeconds, m.Seconds, m.CPUSeconds = w, w, c
		}
		m.Seconds, m.CPUSeconds = min(m.Seconds, w), min(m.CPUSeconds, c)
		// The last fit's memory goes back before the next, as Python's does: the peak is to be that
		// of one fit.
		debug.FreeOSMemory()
	}
	m.PeakMB = peakMB()
	for _, judge := range judges {
		values, err := judge(ctx)
		if err != nil {
			return m, err
		}
		if len(values) != len(r.figures) {
			return m, fmt.Errorf("%d figures, and the row names %d", len(values), len(r.figures))
		}
		for j, f := range r.figures {
			m.Fits[f.name] = append(m.Fits[f.name], values[j])
		}
	}
	return m, nil
}

// readMatrix reads a .npy of one or two dimensions; a vector becomes a single column.
func readMatrix(path string) (*mat.Dense, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	a, err := npy.Read(bufio.NewReaderSize(f, 1<<20), npy.Limits{})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	data, ok := a.Data.([]float64)
	if !ok || len(a.Shape) < 1 || len(a.Shape) > 2 {
		return nil, fmt.Errorf("%s: want float64 with one or two dimensions, got %T of shape %v", path, a.Data, a.Shape)
	}
	cols := 1
	if len(a.Shape) == 2 {
		cols = a.Shape[1]
	}
	return mat.NewDense(a.Shape[0], cols, data), nil
}

func cpuSeconds() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// peakMB is the largest resident set of this process so far, in MB of 2²⁰ bytes as driver.py
// reports it.
func peakMB() float64 {
	var u syscall.Rusage
	if syscall.Getrusage(syscall.RUSAGE_SELF, &u) != nil {
		return 0
	}
	kb := float64(u.Maxrss)
	if runtime.GOOS == "darwin" {
		kb /= 1024 // bytes there
	}
	return float64(int(kb/1024 + 0.5))
}
