//go:build unix

package main

import (
	"math"
	"strings"
	"testing"
)

func TestExponent(t *testing.T) {
	sizes := []int{100, 300, 1000}
	for _, want := range []float64{0, 1, 2.5} {
		seconds := make([]float64, len(sizes))
		for i, n := range sizes {
			seconds[i] = 3e-7 * math.Pow(float64(n), want)
		}
		if got := exponent(sizes, seconds); math.Abs(got-want) > 1e-12 {
			t.Errorf("the exponent of n^%v is found as %v", want, got)
		}
	}
	// Least squares by hand: over x = 0, 1, 2 (in steps of log 2) the logs 0, 2, 2 rise by (2−0)/2
	// a step.
	if got := exponent([]int{1, 2, 4}, []float64{1, 4, 4}); math.Abs(got-1) > 1e-12 {
		t.Errorf("the exponent of 1, 4, 4 is found as %v, want 1", got)
	}
}

// Every growth can be set up, runs at its smallest size, and says what is measured.
func TestGrowthsRun(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range growths {
		if seen[g.name] || g.what == "" || g.theory == "" || len(g.sizes) < 3 {
			t.Errorf("%q: the name is used before, or what is measured, the theory or one of three sizes is missing", g.name)
		}
		seen[g.name] = true
		for i := 1; i < len(g.sizes); i++ {
			if g.sizes[i] <= g.sizes[i-1] {
				t.Errorf("%s: sizes %v do not ascend", g.name, g.sizes)
			}
		}
		run, err := g.setup(g.sizes[0])
		if err == nil {
			err = run(t.Context())
		}
		if err != nil {
			t.Errorf("%s: %v", g.name, err)
		}
		if line := g.line(make([]float64, len(g.sizes))); !strings.Contains(line, g.theory) {
			t.Errorf("%s: the line %q does not hold the theory", g.name, line)
		}
	}
}
