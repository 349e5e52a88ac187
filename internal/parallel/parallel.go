// Package parallel runs loops on all processors and keeps their results the same on any number of
// them: work is cut into chunks whose bounds depend on the problem alone, and partial results are
// merged in the order of the chunks.
package parallel

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// For calls body(chunk, lo, hi) once for each chunk [lo, hi) of at most size indices that together
// cover [0, n). Chunks run concurrently, in no particular order; chunk counts them from 0. It
// returns when all are done, or, once ctx ends, when those that had begun are done, with ctx.Err().
// A panic in body is raised again in the caller's goroutine, where it can be recovered.
func For(ctx context.Context, n, size int, body func(chunk, lo, hi int)) error {
	chunks := Chunks(n, size)
	workers := min(runtime.GOMAXPROCS(0), chunks)
	if workers <= 1 {
		for c := range chunks {
			if err := ctx.Err(); err != nil {
				return err
			}
			body(c, c*size, min((c+1)*size, n))
		}
		return ctx.Err()
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	var once sync.Once
	var panicked any
	for range workers {
		wg.Go(func() {
			defer func() {
				if r := recover(); r != nil {
					once.Do(func() { panicked = fmt.Sprintf("%v\n%s", r, debug.Stack()) })
					next.Store(int64(chunks)) // nobody needs the rest
				}
			}()
			for {
				c := int(next.Add(1)) - 1
				if c >= chunks || ctx.Err() != nil {
					return
				}
				body(c, c*size, min((c+1)*size, n))
			}
		})
	}
	wg.Wait()
	if panicked != nil {
		panic(panicked)
	}
	return ctx.Err()
}

// Chunks returns how many chunks of at most size indices cover [0, n).
func Chunks(n, size int) int { return (n + size - 1) / size }

// Abandon runs what can't be interrupted. Whoever cancels does not wait for its end: the error is
// ctx.Err() then, and what f computes is not to be looked at.
func Abandon(ctx context.Context, f func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f()
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
