package autoregressive

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"github.com/golatent/latent/internal/xlatest"
	"github.com/golatent/latent/pkg/datasets"
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
	train, validation, test := digitBits()
	for _, gated := range []bool{false, true} {
		for seed := range uint64(3) {
			start := time.Now()
			m, err := PixelCNN{Gated: gated, Train: neural.Train{Seed: seed}}.FitValidated(t.Context(), train, validation)
			if err != nil {
				t.Fatal(err)
			}
			logp, err := m.LogProb(test)
			if err != nil {
				t.Fatal(err)
			}
			nats := -stat.Mean(logp, nil)
			fmt.Printf("gated %v, seed %d: %.3f nats, best at step %d, %.1f s\n", gated, seed, nats, m.History.Best, time.Since(start).Seconds())
			if want := map[bool]float64{false: 17.3, true: 17.15}[gated]; nats > want {
				t.Errorf("gated %v, seed %d: %.3f nats, want at most %v", gated, seed, nats, want)
			}
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
			start := time.Now()
			m, err := PixelCNNPP{Levels: 17, Components: components, Train: neural.Train{Seed: seed}}.FitValidated(t.Context(), train, validation)
			if err != nil {
				t.Fatal(err)
			}
			logp, err := m.LogProb(test)
			if err != nil {
				t.Fatal(err)
			}
			bits := -stat.Mean(logp, nil) / (64 * math.Ln2)
			fmt.Printf("components %d, seed %d: %.4f bits a pixel, best at step %d, %.1f s\n", components, seed, bits, m.History.Best, time.Since(start).Seconds())
			if bits > 1.85 {
				t.Errorf("components %d, seed %d: %.4f bits, want at most 1.85", components, seed, bits)
			}
		}
	}
}

// A picture of 28×28 by cached columns and by one pass of the network, on the best backend there is, for each pixel: go test -bench Sample -benchtime 3x.
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
	m, err := last(fitPictures(b.Context(), o, Labeled{X: x}, Labeled{}))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := last(m.Draw(b.Context(), Drawing{Start: x.Slice(0, 1, 0, 784), Known: 783, Naively: true})); err != nil { // compiles
		b.Fatal(err)
	}
	seconds := [2]float64{}
	for i, naively := range []bool{false, true} {
		b.Run(name+map[bool]string{false: "/cached", true: "/naive"}[naively], func(b *testing.B) {
			for b.Loop() {
				if _, err := last(m.Draw(b.Context(), Drawing{N: 1, Naively: naively})); err != nil {
					b.Fatal(err)
				}
			}
			seconds[i] = b.Elapsed().Seconds() / float64(b.N)
		})
	}
	if seconds[0] > 0 && seconds[1] > 0 {
		b.Logf("%s: cached columns are %.0f times faster", name, seconds[1]/seconds[0])
	}
}
