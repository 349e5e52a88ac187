package manifold

import (
	"context"
	"errors"
	"math"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/mltest"
	"github.com/golatent/latent/pkg/ml/neighbors"
	"gonum.org/v1/gonum/mat"
)

// Above some ten thousand rows neighbors are approximate: nearly all are found, and the affinities
// of t-SNE and the weights of UMAP that stand on them are those of the exact neighbors but for less
// than a thousandth.
func TestApproximateNeighborsAreNearlyExact(t *testing.T) {
	large := mltest.Normal(1, exactNeighbors+100, 12)
	d, err := TSNE{Perplexity: 5}.prepare(t.Context(), large)
	if err != nil {
		t.Fatal(err)
	}
	want, err := NewAffinities(t.Context(), graphOf(t, large, 15), 5)
	if err != nil {
		t.Fatal(err)
	}
	if v := variation(d.a, want); !(v > 0 && v < 1e-3) { // 0 would mean that the search was exact
		t.Errorf("t-SNE of %d rows: affinities in total variation %.2g from those of exact neighbors", large.RawMatrix().Rows, v)
	}

	// With as many neighbors as the default perplexity wants, on fewer rows.
	x := mltest.Normal(2, 5000, 20)
	g, err := neighbors.NNDescent{K: 90}.Fit(t.Context(), x)
	if err != nil {
		t.Fatal(err)
	}
	recall, err := neighbors.Recall(t.Context(), g, x, nil, 500, 0)
	if err != nil {
		t.Fatal(err)
	}
	got, err := NewAffinities(t.Context(), g, 30)
	if err != nil {
		t.Fatal(err)
	}
	if want, err = NewAffinities(t.Context(), graphOf(t, x, 90), 30); err != nil {
		t.Fatal(err)
	}
	if v := variation(got, want); recall < 0.999 || v > 1e-4 {
		t.Errorf("perplexity 30: recall %.4f, affinities in total variation %.2g from those of exact neighbors", recall, v)
	}

	// UMAP and PaCMAP change over earlier.
	y := mltest.Normal(3, exactBelow+100, 12)
	near, err := nearRows(t.Context(), y, 14, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	exact := graphOf(t, y, 14)
	a, err := fuzzy(t.Context(), near)
	if err != nil {
		t.Fatal(err)
	}
	b, err := fuzzy(t.Context(), exact)
	if err != nil {
		t.Fatal(err)
	}
	var gap, total float64
	for i := range a.Len() {
		weights := map[int]float64{}
		to, w := a.Of(i)
		for k, j := range to {
			weights[j] = w[k]
		}
		to, w = b.Of(i)
		for k, j := range to {
			gap += math.Abs(w[k] - weights[j])
			total += w[k]
			delete(weights, j)
		}
		for _, v := range weights {
			gap += v
		}
	}
	if v := gap / 2 / total; !(v > 0 && v < 1e-3) {
		t.Errorf("UMAP of %d rows: weights in total variation %.2g from those of exact neighbors", a.Len(), v)
	}
}

// variation is the total variation between two distributions over pairs.
func variation(a, b *Affinities) float64 {
	gap := 0.0
	for i := range a.Len() {
		k, l := a.Start[i], b.Start[i]
		for k < a.Start[i+1] || l < b.Start[i+1] {
			switch {
			case l == b.Start[i+1] || k < a.Start[i+1] && a.Index[k] < b.Index[l]:
				gap += a.P[k]
				k++
			case k == a.Start[i+1] || b.Index[l] < a.Index[k]:
				gap += b.P[l]
				l++
			default:
				gap += math.Abs(a.P[k] - b.P[l])
				k, l = k+1, l+1
			}
		}
	}
	return gap / 2
}

// watch is a context that notes how long it was not looked at.
type watch struct {
	context.Context
	mu    sync.Mutex
	last  time.Time
	gap   time.Duration
	where []uintptr // the stack at the end of the longest gap
}

func (w *watch) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if gap := now.Sub(w.last); gap > w.gap {
		w.gap, w.where = gap, make([]uintptr, 8)
		w.where = w.where[:runtime.Callers(2, w.where)]
	}
	w.last = now
	return w.Context.Err()
}

// At 200,000 rows of 50 columns no method leaves its context out of sight for long, and cancelled
// in any phase it returns within 100 ms, with what it has. It takes some minutes and wants the
// machine for itself: LATENT_LONG=1.
func TestCancellationOfTwoHundredThousand(t *testing.T) {
	if os.Getenv("LATENT_LONG") == "" {
		t.Skip("set LATENT_LONG=1 to map 200,000 rows")
	}
	x := mat.DenseCopyOf(datasets.Blobs(200000, 50, 10, 3, 5).X)
	for _, c := range []struct {
		name string
		fit  func(context.Context) (done bool, err error)
	}{
		{"NNDescent", func(ctx context.Context) (bool, error) {
			g, err := neighbors.NNDescent{K: 15}.Fit(ctx, x)
			return g != nil, err
		}},
		{"UMAP", func(ctx context.Context) (bool, error) {
			m, err := UMAP{Epochs: 30}.Fit(ctx, x)
			return m != nil, err
		}},
		{"PaCMAP", func(ctx context.Context) (bool, error) {
			m, err := PaCMAP{Phases: [3]int{20, 20, 20}}.Fit(ctx, x)
			return m != nil, err
		}},
		{"t-SNE", func(ctx context.Context) (bool, error) { // without exaggeration the map is as wide as at the end after a few steps
			m, err := TSNE{Exaggeration: 1, EarlyIter: 40, MaxIter: 60}.Fit(ctx, x)
			return m != nil, err
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			begun := time.Now()
			w := &watch{Context: t.Context(), last: begun}
			if _, err := c.fit(w); err != nil {
				t.Fatal(err)
			}
			took := time.Since(begun)
			t.Logf("%.1f s; out of sight for %v at most", took.Seconds(), w.gap.Round(time.Millisecond))
			if w.gap > 100*time.Millisecond {
				frames := runtime.CallersFrames(w.where)
				for f, more := frames.Next(); more; f, more = frames.Next() {
					t.Logf("until %s:%d", f.Function, f.Line)
				}
				t.Errorf("the context was out of sight for %v", w.gap)
			}
			for _, part := range []float64{0.05, 0.4, 0.97} {
				ctx, cancel := context.WithCancel(t.Context())
				var ended time.Time
				time.AfterFunc(time.Duration(part*float64(took)), func() { ended = time.Now(); cancel() })
				some, err := c.fit(ctx)
				late := time.Since(ended)
				if err == nil { // quicker than before
					continue
				}
				t.Logf("cancelled at %.0f%%: returned after %v, with a result: %v", 100*part, late.Round(time.Millisecond), some)
				if !errors.Is(err, context.Canceled) || late > 100*time.Millisecond {
					t.Errorf("cancelled at %.0f%%: %v after %v", 100*part, err, late)
				}
				if part > 0.9 && !some {
					t.Errorf("cancelled at %.0f%%: nothing so far", 100*part)
				}
			}
		})
	}
}
