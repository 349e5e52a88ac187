package parallel

import (
	"context"
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

func TestForCoversEveryIndexOnce(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, procs := range []int{1, 2, 5} {
		runtime.GOMAXPROCS(procs)
		for _, n := range []int{0, 1, 7, 64, 65, 1000} {
			for _, size := range []int{1, 3, 64, 5000} {
				hits := make([]atomic.Int32, n)
				if err := For(context.Background(), n, size, func(chunk, lo, hi int) {
					if lo != chunk*size || hi-lo > size {
						t.Errorf("chunk %d is [%d, %d)", chunk, lo, hi)
					}
					for i := lo; i < hi; i++ {
						hits[i].Add(1)
					}
				}); err != nil {
					t.Fatal(err)
				}
				for i := range hits {
					if c := hits[i].Load(); c != 1 {
						t.Fatalf("n=%d size=%d: index %d visited %d times", n, size, i, c)
					}
				}
			}
		}
	}
}

func TestForStopsWhenCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	var ran atomic.Int32
	err := For(ctx, 1000, 1, func(_, _, _ int) {
		if ran.Add(1) == 3 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("err = %v", err)
	}
	if got := int(ran.Load()); got > 3+runtime.GOMAXPROCS(0) {
		t.Errorf("%d chunks ran after the context was cancelled at the third", got)
	}
}

func TestForRaisesPanicInCaller(t *testing.T) {
	defer func() {
		if r := recover(); r == nil || !strings.Contains(r.(string), "chunk 3") {
			t.Errorf("recovered %v", r)
		}
	}()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	_ = For(context.Background(), 10, 1, func(c, _, _ int) {
		if c == 3 {
			panic("chunk 3")
		}
	})
	t.Error("no panic")
}
