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
	"syscall"
	"time"

	"github.com/golatent/latent/internal/npy"
	"gonum.org/v1/gonum/mat"
)

// A row is one line of the table: the library's side of a problem that peers.py states under the same name.
type row struct {
	name  string // as in peers.py
	input string // file under the inputs' directory, without .npy
	fit   fit
}

// fit solves the problem once and returns how good the solution is, in the peer's own metric. It is what the clock runs over.
// y is the truth that goes with x, or nil.
type fit func(ctx context.Context, x, y *mat.Dense) (quality float64, err error)

// rows lists every problem the library takes part in, in the order of the table. A family adds its own in a file of its own.
var rows []row

func register(r ...row) { rows = append(rows, r...) }

// measurement is what either side reports of one process: peers.py prints the same object.
type measurement struct {
	Method        string  `json:"method"`
	Impl          string  `json:"impl"`
	N             int     `json:"n"`
	D             int     `json:"d"`
	Seconds       float64 `json:"seconds"`       // the best fit of the process
	CPUSeconds    float64 `json:"cpu_seconds"`   // the least of any fit, all threads together
	Threads       int     `json:"threads"`       //
	FirstSeconds  float64 `json:"first_seconds"` // the first fit, with whatever is compiled or allocated once
	ImportSeconds float64 `json:"import_seconds"`
	PeakMB        float64 `json:"peak_mb"`
	Quality       float64 `json:"quality,omitempty"` // mean over the fits of a row's processes
	Spread        float64 `json:"spread,omitempty"`  // standard error of Quality, where fits differ
	Metric        string  `json:"metric,omitempty"`
	KL            float64 `json:"kl,omitempty"` // of t-SNE, beside the quality; mean over the fits
	Error         string  `json:"error,omitempty"`

	Qualities []float64 `json:"qualities,omitempty"` // of each fit
}

// current is what a fit has beside its arguments; a process runs one at a time. Every fit of a row has a seed of its own, the same ones on both sides, for methods whose quality
// depends on it; t-SNE leaves its divergence.
var current struct {
	seed uint64
	kl   float64
}

// runOurs fits one problem repeat times in this process on the given number of processors and prints the measurement.
func runOurs(ctx context.Context, dir, name string, threads, repeat, seed int) error {
	i := indexOf(name)
	if i < 0 {
		return fmt.Errorf("bench: no row named %q", name)
	}
	r := rows[i]
	runtime.GOMAXPROCS(threads)
	x, err := readMatrix(filepath.Join(dir, r.input+".npy"))
	if err != nil {
		return err
	}
	y, err := readMatrix(filepath.Join(dir, r.input+"_y.npy"))
	if err != nil && !os.IsNotExist(err) {
		return err
	}
	n, d := x.Dims()
	m := measurement{Method: name, Impl: "latent", N: n, D: d, Threads: threads}
	for k := range repeat {
		wall, cpu := time.Now(), cpuSeconds()
		current.seed = uint64(seed + k)
		quality, err := r.fit(ctx, x, y)
		if err != nil {
			m.Error = err.Error()
			break
		}
		m.Qualities = append(m.Qualities, quality)
		m.KL += current.kl / float64(repeat)
		w, c := time.Since(wall).Seconds(), cpuSeconds()-cpu
		if k == 0 {
			m.FirstSeconds, m.Seconds, m.CPUSeconds = w, w, c
		}
		m.Seconds, m.CPUSeconds = min(m.Seconds, w), min(m.CPUSeconds, c)
		// The last fit's memory goes back before the next, as Python's does: the peak is to be that of one fit.
		debug.FreeOSMemory()
	}
	m.PeakMB = peakMB()
	return json.NewEncoder(os.Stdout).Encode(m)
}

func indexOf(name string) int {
	for i, r := range rows {
		if r.name == name {
			return i
		}
	}
	return -1
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

// peakMB is the largest resident set of this process so far, in MB of 2²⁰ bytes as peers.py reports it.
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
