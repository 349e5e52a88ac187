package pictures

import (
	"errors"
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/check"
	"github.com/golatent/latent/pkg/ml/neural"
	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat"
)

// grayDigits are the 8×8 digits with their 17 levels, split as the bits are.
func grayDigits() (train, validation, test *mat.Dense) {
	d := datasets.Digits()
	of := func(keep func(i int) bool) *mat.Dense { return d.Subset(keep).X }
	return of(func(i int) bool { return i%9 > 2 }), of(func(i int) bool { return i%9 == 2 }), of(func(i int) bool { return i%9 < 2 })
}

// What topic 27 asks, with the defaults; minutes with XLA, so only on demand: LATENT_LONG=1.
func TestPixelCNNOnDigits(t *testing.T) {
	if os.Getenv("LATENT_LONG") == "" {
		t.Skip("set LATENT_LONG=1 to train on the digits")
	}
	train, validation, test := check.DigitBits()
	for _, gated := range []bool{false, true} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("gated %v, seed %d", gated, seed), func(t *testing.T) {
				start := time.Now()
				m, err := PixelCNN{Gated: gated, Train: neural.Train{Seed: seed, Validation: validation}}.Fit(t.Context(), train)
				if err != nil {
					t.Fatal(err)
				}
				nats := -stat.Mean(check.LogProb(t, m, test), nil)
				fmt.Printf("gated %v, seed %d: %.3f nats, best at step %d, %.1f s\n", gated, seed, nats, m.History.Best, time.Since(start).Seconds())
				if want := map[bool]float64{false: 17.3, true: 17.15}[gated]; nats > want {
					t.Errorf("%.3f nats, want at most %v", nats, want)
				}
			})
		}
	}
}

// What topic 28 asks, likewise.
func TestPixelCNNPPOnDigits(t *testing.T) {
	if os.Getenv("LATENT_LONG") == "" {
		t.Skip("set LATENT_LONG=1 to train on the digits")
	}
	train, validation, test := grayDigits()
	for _, components := range []int{5, -1} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprintf("components %d, seed %d", components, seed), func(t *testing.T) {
				start := time.Now()
				m, err := PixelCNNPP{Levels: 17, Components: components, Train: neural.Train{Seed: seed, Validation: validation}}.Fit(t.Context(), train)
				if err != nil {
					t.Fatal(err)
				}
				bits := -stat.Mean(check.LogProb(t, m, test), nil) / (64 * math.Ln2)
				fmt.Printf("components %d, seed %d: %.4f bits a pixel, best at step %d, %.1f s\n", components, seed, bits, m.History.Best, time.Since(start).Seconds())
				if bits > 1.85 {
					t.Errorf("%.4f bits, want at most 1.85", bits)
				}
			})
		}
	}
}

// A picture of 28×28 by one pass of the network for each pixel, on the best backend there is, and
// by cached columns, beside which stands how many times faster they are: go test -run none -bench
// Sample -benchtime 3x. That both draw the same is tested for small pictures, and once here.
func BenchmarkSample(b *testing.B) {
	if xlatest.Found() {
		b.Setenv("GOMLX_BACKEND", "xla")
	}
	train, _ := datasets.MNIST()
	x := mat.DenseCopyOf(train.X.Slice(0, 200, 0, 784))
	x.Apply(func(_, _ int, v float64) float64 { return math.Round(v / 255) }, x)
	t := neural.Train{Steps: 2, Batch: 8}
	race(b, "masked", PixelCNN{Channels: 32, Layers: 5, Train: t}, x)
	race(b, "gated", PixelCNN{Gated: true, Channels: 32, Layers: 5, Train: t}, x)
	race(b, "++", PixelCNNPP{Levels: 256, Train: t}, x)
}

func race[O architecture[O]](b *testing.B, name string, o O, x *mat.Dense) {
	m, err := ml.Last(fitPictures(b.Context(), o, x))
	if err != nil {
		b.Fatal(err)
	}
	// Compiles
	if _, err := ml.Last(m.Draw(b.Context(), Drawing{Start: x.Slice(0, 1, 0, 784), Known: 783, Naively: true})); err != nil {
		b.Fatal(err)
	}
	fast, err1 := m.Sample(b.Context(), 1, 0)
	slow, naive := (*mat.Dense)(nil), 0.0
	var err2 error
	b.Run(name+"/naive", func(b *testing.B) {
		for b.Loop() {
			slow, err2 = ml.Last(m.Draw(b.Context(), Drawing{N: 1, Naively: true}))
		}
		naive = b.Elapsed().Seconds() / float64(b.N)
	})
	if err := errors.Join(err1, err2); err != nil || slow != nil && !mat.Equal(fast, slow) {
		b.Fatalf("the naive loop draws another picture (%v)", err)
	}
	b.Run(name+"/cached", func(b *testing.B) {
		for b.Loop() {
			if _, err := m.Sample(b.Context(), 1, 0); err != nil {
				b.Fatal(err)
			}
		}
		if naive > 0 {
			b.ReportMetric(naive*float64(b.N)/b.Elapsed().Seconds(), "times-faster")
		}
	})
}
