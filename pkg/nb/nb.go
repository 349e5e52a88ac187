// Package nb is what only a notebook needs: a context that an interrupt ends, pictures and tables
// in the cell's output, progress, answers kept between cells, claims that are checked, knobs.
//
//	%%
//	fit := nb.Must(nb.Once(nb.Context(), cluster.KMeans{K: 10}, digits.X))
//	nb.Show(plotting.Images(fit.Centers, 8, 8).Title("Ten centers"))
//	nb.Check("clusters follow the digits: purity above 0.75", evaluate.Purity(fit.Labels, digits.Y) > 0.75)
//
// Outside a notebook the same program runs: what can be said in words goes to standard output, the
// rest is silent.
package nb

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// Context returns the cell's context: interrupting the cell (the square button, or I, I) cancels
// it, so that a Fit returns the model it has so far. The kernel kills a cell that goes on for five
// seconds after that.
var Context = sync.OnceValue(func() context.Context {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second interrupt ends the program at once. Not before half a second has passed: the kernel
	// and Jupyter each pass one on.
	context.AfterFunc(ctx, func() { time.AfterFunc(500*time.Millisecond, stop) })
	return ctx
})

// exit is replaced in tests.
var exit = os.Exit

// Must returns v, or ends the cell where err is not nil: with one quiet line when the reader
// interrupted it, and with the error and the cell's line otherwise.
func Must[T any](v T, err error) T {
	if err != nil {
		fail(err)
	}
	return v
}

// Best is Must for a fit that may be interrupted: where the context ended before the fit did, it
// returns the model so far, which Fit gives along with the context's error, and says so. It ends
// the cell as Must does on any other error, and where there is no model yet.
//
//	m := nb.Best(mixture.GMM{K: 10, Restarts: 1000}.Fit(nb.Context(), x))
//
// After an interrupt the cell has five seconds for what it does with the model.
func Best[T any](v T, err error) T {
	if err == nil {
		return v
	}
	if !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) || missing(v) {
		fail(err)
		return v
	}
	say("stopped before the end: the best so far")
	return v
}

func missing(v any) bool {
	switch r := reflect.ValueOf(v); r.Kind() {
	case reflect.Invalid:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Map, reflect.Interface, reflect.Func, reflect.Chan:
		return r.IsNil()
	}
	return false
}

// OK ends the cell where err is not nil, as Must does.
func OK(err error) {
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "interrupted")
		exit(130)
		return
	}
	stop("error: " + err.Error())
}

// stop ends the cell with a message and the line of the cell that called into this package. The
// kernel turns main.go:12 into the cell and its line.
func stop(message string) {
	where := ""
	if file, line, ok := caller(); ok {
		where = fmt.Sprintf("\n\tat %s:%d", file, line)
	}
	fmt.Fprintln(os.Stderr, message+where)
	exit(1)
}

// caller returns the first frame outside this package.
func caller() (file string, line int, ok bool) {
	pc := make([]uintptr, 32)
	frames := runtime.CallersFrames(pc[:runtime.Callers(2, pc)])
	for {
		f, more := frames.Next()
		if !inThisPackage(f.Function) {
			return f.File, f.Line, f.File != ""
		}
		if !more {
			return "", 0, false
		}
	}
}

// Check states a claim in words, prints it with a tick when it holds, and fails the cell when it
// does not: a notebook that says something false does not execute.
func Check(claim string, holds bool) {
	if !holds {
		stop("✗ " + claim)
		return
	}
	say("✓ " + claim)
}

// CheckClose is Check for a number that should be want to within tol (absolute). It prints the
// number to the decimal place of tol: what lies below that is rounding, and another on another
// processor.
func CheckClose(claim string, got, want, tol float64) {
	shown := got
	// The comparison is false for a NaN on either side.
	holds := math.Abs(got-want) <= tol || got == want
	if holds && tol > 0 {
		shown = roundTo(got, math.Floor(math.Log10(tol)+1e-9))
	}
	Check(fmt.Sprintf("%s: %s, expected %s ± %s", claim, Number(shown), Number(want), Number(tol)), holds)
}

// roundTo rounds to a multiple of 10^place; a place below a number's own digits leaves it as it is.
func roundTo(x, place float64) float64 {
	unit := math.Pow(10, -place)
	if r := math.Round(x*unit) / unit; !math.IsInf(x*unit, 0) && !math.IsNaN(r) {
		return r + 0 // not -0
	}
	return x
}
