//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
)

// result is one row measured: the best of each side.
type result struct {
	Ours     measurement `json:"ours"`
	Peer     measurement `json:"peer"`
	Measured string      `json:"measured"` // date, UTC
	Machine  string      `json:"machine"`
}

func (r result) ratio() float64 { return r.Ours.Seconds / r.Peer.Seconds }

func (r result) line() string {
	return fmt.Sprintf("%-22s ours %8.3f s (%d threads)  %-12s %8.3f s (%d)  ratio %.2f   %s %s against %s",
		r.Ours.Method, r.Ours.Seconds, r.Ours.Threads, r.Peer.Impl, r.Peer.Seconds, r.Peer.Threads, r.ratio(),
		r.metric(), r.Ours.quality(), r.Peer.quality())
}

func (r result) metric() string {
	if r.Ours.KL != 0 {
		return "KL (lower), " + r.Peer.Metric
	}
	return r.Peer.Metric
}

// quality is the mean with its standard error, if fits differ.
func (m measurement) quality() string {
	s := number(m.Quality)
	if m.Spread > 0 {
		s += fmt.Sprintf(" ± %.1g", m.Spread)
	}
	if m.KL != 0 {
		s = fmt.Sprintf("%.4f, %s", m.KL, s)
	}
	return s
}

func readResults(path string) (map[string]result, error) {
	results := map[string]result{}
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return results, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(data, &results); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return results, nil
}

// writeResults writes results.json, which keeps every row ever measured here, and RESULTS.md, which is the same for people.
func writeResults(dir string, results map[string]result) error {
	data, err := json.MarshalIndent(results, "", " ")
	if err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "results.json"), append(data, '\n')); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "RESULTS.md"), []byte(markdown(results)))
}

// writeFile replaces a file in one step: a reader sees the old one or the new one.
func writeFile(path string, data []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails once it is renamed
	if _, err := tmp.Write(data); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(fs.FileMode(0o644)); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}

const preamble = `# Latent beside its peers

Written by ` + "`make bench`" + `; do not edit. Both sides solve the same problem on the same input in one run, each in processes of its own, taking turns,
with one and with two threads; the best of a side's runs counts. Times are seconds of wall clock; "first" is the first fit of a
process, which holds what a peer compiles just in time; CPU is all threads together; memory is the process's peak in MB. A ratio below 1 means
that Latent is faster. Quality is the mean over all fits, with its standard error where seeds make a difference; each fit of a method that draws has a seed of its own.

| problem | n×d | Latent | first | CPU | MB | peer | time | first | CPU | MB | ratio | quality | Latent's | peer's |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
`

func markdown(results map[string]result) string {
	var b strings.Builder
	b.WriteString(preamble)
	var names []string
	for _, r := range rows { // the table keeps the rows' order
		if _, ok := results[r.name]; ok {
			names = append(names, r.name)
		}
	}
	machines := map[string][]string{}
	for _, name := range names {
		r := results[name]
		fmt.Fprintf(&b, "| %s | %d×%d | %s | %s | %s | %.0f | %s | %s | %s | %s | %.0f | **%.2f** | %s | %s | %s |\n", name, r.Ours.N, r.Ours.D,
			seconds(r.Ours.Seconds), seconds(r.Ours.FirstSeconds), seconds(r.Ours.CPUSeconds), r.Ours.PeakMB,
			r.Peer.Impl, seconds(r.Peer.Seconds), seconds(r.Peer.FirstSeconds), seconds(r.Peer.CPUSeconds), r.Peer.PeakMB,
			r.ratio(), r.metric(), r.Ours.quality(), r.Peer.quality())
		key := r.Measured + ", " + r.Machine
		machines[key] = append(machines[key], name)
	}
	b.WriteString("\n")
	keys := make([]string, 0, len(machines))
	for k := range machines {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if len(keys) == 1 {
			fmt.Fprintf(&b, "Measured %s.\n", k)
			break
		}
		fmt.Fprintf(&b, "- Measured %s: %s.\n", k, strings.Join(machines[k], ", "))
	}
	return b.String()
}

func seconds(s float64) string {
	if s < 0.1 {
		return fmt.Sprintf("%.4f", s)
	}
	return fmt.Sprintf("%.3f", s)
}

func number(v float64) string {
	if a := math.Abs(v); a >= 1e4 && a < 1e15 {
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.6g", v)
}

// machine describes where a row was measured, as far as a reader needs it to judge the times.
func machine() string {
	cpu := "unknown processor"
	if f, err := os.Open("/proc/cpuinfo"); err == nil {
		defer f.Close()
		for s := bufio.NewScanner(f); s.Scan(); {
			if name, ok := strings.CutPrefix(s.Text(), "model name"); ok {
				cpu = strings.TrimSpace(strings.TrimLeft(name, " \t:"))
				break
			}
		}
	}
	return fmt.Sprintf("%d cores of %s, %s/%s, %s", runtime.NumCPU(), cpu, runtime.GOOS, runtime.GOARCH, runtime.Version())
}
