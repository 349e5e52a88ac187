package mltest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"
)

// prompt is how much a method may still work after its context has ended, on each processor. It is
// time of the processors and not of the clock, so that a machine with other work to do changes
// nothing; asleep is what the clock may show for one that waits.
const (
	prompt = 100 * time.Millisecond
	asleep = 5 * time.Second
)

// stopwatch measures what a process does from a moment on.
type stopwatch struct {
	work time.Duration
	at   time.Time
}

func start() stopwatch { return stopwatch{work(), time.Now()} }

// late is an error where more has been done since then than a method may do after its end.
func (s stopwatch) late() error {
	did, took := work()-s.work, time.Since(s.at)
	if most := prompt * time.Duration(runtime.GOMAXPROCS(0)); did > most {
		return fmt.Errorf("it worked for %v after its context had ended, and may for %v", did, most)
	}
	if took > asleep {
		return fmt.Errorf("it returned %v after its context had ended", took)
	}
	return nil
}

// Prompt ends a call's context after some time and wants the call to return context.Canceled soon:
// with less than 100 ms of work left on each processor. A call that is done before then is fine
// too; stopped says whether it was not.
func Prompt(t testing.TB, what string, after time.Duration, call func(ctx context.Context) error) (stopped bool) {
	t.Helper()
	return PromptAt(t, what, func(ctx context.Context, end func()) error {
		defer time.AfterFunc(after, end).Stop()
		return call(ctx)
	})
}

// PromptAt is Prompt for a call that ends its context itself, at a moment that matters. It may be
// called three times, since garbage of an earlier test may be collected meanwhile.
func PromptAt(t testing.TB, what string, call func(ctx context.Context, end func()) error) (stopped bool) {
	t.Helper()
	var late error
	for range 3 {
		stopped, late = promptly(t.Context(), call)
		if late == nil {
			return stopped
		}
	}
	t.Errorf("%s: %v", what, late)
	return stopped
}

func promptly(parent context.Context, call func(ctx context.Context, end func()) error) (stopped bool, late error) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	var since stopwatch
	var once sync.Once
	var mu sync.Mutex // a timer calls end from a goroutine of its own
	err := call(ctx, func() {
		once.Do(func() {
			mu.Lock()
			defer mu.Unlock()
			since = start()
			cancel()
		})
	})
	mu.Lock()
	defer mu.Unlock()
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return true, since.late()
	case err != nil:
		return false, fmt.Errorf("the error is %w, want context.Canceled", err)
	case !since.at.IsZero(): // done in the same moment, or deaf
		return false, since.late()
	}
	return false, nil
}
