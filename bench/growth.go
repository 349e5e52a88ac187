//go:build unix

package main

import (
	"context"
	"flag"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// growth is a method whose cost is measured at several sizes, so that the exponent of its time can
// be read off and held against the theory.
type growth struct {
	name   string
	what   string // the size that grows and what else is fixed
	theory string // the time as a function of the size: "n²"
	sizes  []int  // ascending, three or more; from some 10 ms to a second
	// setup makes the data of a size and gives back what the clock runs over.
	setup func(size int) (run func(context.Context) error, err error)
}

// growths lists every method whose growth is measured. A family adds its own in a file of its own,
// growth_<family>.go.
var growths []growth

func registerGrowth(g ...growth) { growths = append(growths, g...) }

const growthPreamble = `# How the cost grows

Written by ` + "`make growth`" + `; do not edit. Each method at several sizes, on one processor; seconds are the best of a few runs. The exponent
is the slope of the straight line through log time over log size (least squares). The theory is for large sizes: what is linear beside a
quadratic part, caches and vector registers move the exponent of small ones.

| method | size | seconds | exponent | theory |
|---|---|---|---|---|
`

// runGrowth measures the rows asked for, prints the table and, if all of them were asked for,
// writes it to dir/GROWTH.md.
func runGrowth(ctx context.Context, args []string) error {
	flags := flag.NewFlagSet("bench growth", flag.ContinueOnError)
	only := flags.String("only", "", "measure methods whose name contains one of these, separated by commas; nothing is written")
	dir := flags.String("dir", "bench", "directory of GROWTH.md")
	repeat := flags.Int("repeat", 3, "runs of each size at least; the best counts")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *repeat < 1 {
		return fmt.Errorf("-repeat must be at least 1")
	}
	runtime.GOMAXPROCS(1)
	var table strings.Builder
	table.WriteString(growthPreamble)
	fmt.Print(growthPreamble)
	for _, g := range growths {
		if !named(g.name, *only) {
			continue
		}
		seconds, err := g.measure(ctx, *repeat)
		if err != nil {
			return fmt.Errorf("%s: %w", g.name, err)
		}
		line := g.line(seconds)
		table.WriteString(line)
		fmt.Print(line)
	}
	if *only != "" {
		return nil
	}
	fmt.Fprintf(&table, "\nMeasured %s, %s.\n", time.Now().UTC().Format("2006-01-02"), machine())
	return writeFile(filepath.Join(*dir, "GROWTH.md"), []byte(table.String()))
}

// measure returns the best time of each size. The sizes take turns, so that a slow moment of the
// machine does not fall on one alone.
func (g growth) measure(ctx context.Context, repeat int) ([]float64, error) {
	runs := make([]func(context.Context) error, len(g.sizes))
	for i, n := range g.sizes {
		run, err := g.setup(n)
		if err != nil {
			return nil, err
		}
		runs[i] = run
	}
	seconds := make([]float64, len(runs))
	for i := range seconds {
		seconds[i] = math.Inf(1)
	}
	for spent, round := time.Duration(0), 0; round < repeat || (spent < time.Second && round < 20*repeat); round++ {
		for i, run := range runs {
			runtime.GC()
			begun := time.Now()
			if err := run(ctx); err != nil {
				return nil, fmt.Errorf("size %d: %w", g.sizes[i], err)
			}
			took := time.Since(begun)
			spent += took
			seconds[i] = min(seconds[i], took.Seconds())
		}
	}
	return seconds, nil
}

func (g growth) line(seconds []float64) string {
	sizes, times := make([]string, len(seconds)), make([]string, len(seconds))
	for i, s := range seconds {
		sizes[i], times[i] = fmt.Sprint(g.sizes[i]), fmt.Sprintf("%.3g", s)
	}
	return fmt.Sprintf("| %s | %s: %s | %s | **%.2f** | %s |\n", g.name, g.what, strings.Join(sizes, ", "), strings.Join(times, ", "), exponent(g.sizes, seconds), g.theory)
}

// exponent is the slope of log time over log size by least squares: the b of time = a·sizeᵇ.
func exponent(sizes []int, seconds []float64) float64 {
	var mx, my float64
	for i, n := range sizes {
		mx += math.Log(float64(n)) / float64(len(sizes))
		my += math.Log(seconds[i]) / float64(len(sizes))
	}
	var xy, xx float64
	for i, n := range sizes {
		x := math.Log(float64(n)) - mx
		xy += x * (math.Log(seconds[i]) - my)
		xx += x * x
	}
	return xy / xx
}
