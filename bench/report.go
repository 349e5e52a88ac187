//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
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

func (r row) line(res result) string {
	return fmt.Sprintf("%-20s ours %8.3f s (%d threads)  %-20s %8.3f s (%d)  ratio %.2f   %s: %s against %s",
		r.name, res.Ours.Seconds, res.Ours.Threads, res.Peer.Impl, res.Peer.Seconds, res.Peer.Threads, res.ratio(),
		r.names(), r.quality(res.Ours), r.quality(res.Peer))
}

// names lists the figures, each with the direction that is better.
func (r row) names() string {
	names := make([]string, len(r.figures))
	for i, f := range r.figures {
		names[i] = f.String()
	}
	return strings.Join(names, ", ")
}

func (f figure) String() string { return f.name + " " + string(f.better) }

// quality lists the values of the figures.
func (r row) quality(m measurement) string {
	values := make([]string, len(r.figures))
	for i, f := range r.figures {
		values[i] = "–"
		if e, ok := m.Quality[f.name]; ok {
			values[i] = e.String()
		}
	}
	return strings.Join(values, ", ")
}

// String is the mean to the digits that its standard error allows, and that.
func (e estimate) String() string {
	if e.Error == 0 {
		return number(e.Mean)
	}
	if e.Error >= 1 {
		return fmt.Sprintf("%.0f ± %.0f", e.Mean, e.Error)
	}
	return fmt.Sprintf("%.*f ± %.1g", -int(math.Floor(math.Log10(e.Error))), e.Mean, e.Error)
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

// writeResults writes results.json, which keeps every row ever measured here, and RESULTS.md, which
// is the same for people.
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
that Latent is faster.

Quality is judged by the same figures on both sides, after the clock has stopped: ↓ lower is better, ↑ higher, = there is one answer and both must give it. It is the mean over
all fits with its standard error; each fit has a seed of its own, on both sides, and where a method starts from something, both start by the same rule. A step of a
network is one of many: its row says what a number of steps take, and its figure is the loss at the end of them.

| problem | n×d | Latent | first | CPU | MB | peer | time | first | CPU | MB | ratio | quality | Latent's | peer's |
|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|
`

func markdown(results map[string]result) string {
	var b strings.Builder
	b.WriteString(preamble)
	machines := map[string][]string{}
	for _, r := range rows { // the table keeps the rows' order
		res, ok := results[r.name]
		if !ok {
			continue
		}
		fmt.Fprintf(&b, "| %s | %d×%d | %s | %s | %s | %.0f | %s | %s | %s | %s | %.0f | **%.2f** | %s | %s | %s |\n", r.name, res.Ours.N, res.Ours.D,
			seconds(res.Ours.Seconds), seconds(res.Ours.FirstSeconds), seconds(res.Ours.CPUSeconds), res.Ours.PeakMB,
			res.Peer.Impl, seconds(res.Peer.Seconds), seconds(res.Peer.FirstSeconds), seconds(res.Peer.CPUSeconds), res.Peer.PeakMB,
			res.ratio(), cell(r.names()), cell(r.quality(res.Ours)), cell(r.quality(res.Peer)))
		key := res.Measured + ", " + res.Machine
		machines[key] = append(machines[key], r.name)
	}
	b.WriteString("\n")
	keys := slices.Sorted(maps.Keys(machines))
	for _, k := range keys {
		if len(keys) == 1 {
			fmt.Fprintf(&b, "Measured %s.\n", k)
			break
		}
		fmt.Fprintf(&b, "- Measured %s: %s.\n", k, strings.Join(machines[k], ", "))
	}
	b.WriteString(withoutRow)
	return b.String()
}

// cell is a text in a table, where a bar would end the column.
func cell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

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
