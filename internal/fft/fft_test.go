package fft

import (
	"context"
	"errors"
	"math"
	"math/cmplx"
	"testing"

	"github.com/golatent/latent/internal/rng"
)

func random(seed uint64, n int) []float64 {
	r := rng.New(seed)
	x := make([]float64, n)
	for i := range x {
		x[i] = r.NormFloat64()
	}
	return x
}

// The transform is the sum that defines it, for every mixture of factors, and the inverse gives the
// sequences back.
func TestTransformIsTheDefinition(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 15, 16, 20, 25, 30, 32, 36, 60, 64, 90, 100, 120, 128, 250, 360} {
		p := New(n)
		re, im := random(uint64(n), n*Batch), random(uint64(n)+1000, n*Batch)
		gotRe, gotIm := append([]float64{}, re...), append([]float64{}, im...)
		roomRe, roomIm := make([]float64, n*Batch), make([]float64, n*Batch)
		p.Transform(gotRe, gotIm, roomRe, roomIm)
		for b := range Batch {
			for k := range n {
				want := complex(0, 0)
				for j := range n {
					want += complex(re[j*Batch+b], im[j*Batch+b]) * cmplx.Rect(1, -2*math.Pi*float64(j*k%n)/float64(n))
				}
				if got := complex(gotRe[k*Batch+b], gotIm[k*Batch+b]); cmplx.Abs(got-want) > 1e-12*float64(n) {
					t.Fatalf("n = %d, sequence %d, frequency %d: %v, want %v", n, b, k, got, want)
				}
			}
		}
		p.Transform(gotIm, gotRe, roomRe, roomIm)
		for i := range re {
			if math.Abs(gotRe[i]/float64(n)-re[i]) > 1e-13 || math.Abs(gotIm[i]/float64(n)-im[i]) > 1e-13 {
				t.Fatalf("n = %d: the inverse of the transform is something else", n)
			}
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int]int{0: 2, 1: 2, 2: 2, 3: 4, 7: 8, 11: 12, 13: 16, 17: 18, 31: 32, 97: 100, 241: 250, 511: 512, 601: 640} {
		if got := Size(n); got != want {
			t.Errorf("Size(%d) = %d, want %d", n, got, want)
		}
	}
}

// Convolution of a grid is the sum that defines it: nothing wraps around.
func TestConvolveIsTheDefinition(t *testing.T) {
	one := func(_, _ int) float64 { return 1 }
	kernel := func(i, j int) float64 { return 1 / (1 + 0.3*float64(i*i) + 0.2*float64(j*j)) }
	for _, c := range [][2]int{{1, 1}, {2, 3}, {5, 4}, {16, 9}, {17, 33}, {40, 20}} {
		rows, cols := c[0], c[1]
		grid := random(uint64(rows*100+cols), rows*cols)
		got := append([]float64{}, grid...)
		p, err := NewPlane(t.Context(), rows, cols, kernel, one)
		if err != nil {
			t.Fatal(err)
		}
		again := append([]float64{}, grid...)
		if err := errors.Join(p.Convolve(t.Context(), got), p.Convolve(t.Context(), again)); err != nil {
			t.Fatal(err)
		}
		for i := range rows {
			for j := range cols {
				want := 0.0
				for k := range rows {
					for l := range cols {
						want += grid[k*cols+l] * kernel(max(i-k, k-i), max(j-l, l-j))
					}
				}
				if math.Abs(got[i*cols+j]-want) > 1e-11 || got[i*cols+j] != again[i*cols+j] {
					t.Fatalf("%d×%d at (%d, %d): %g, then %g, want %g", rows, cols, i, j, got[i*cols+j], again[i*cols+j], want)
				}
			}
		}
	}
}

// When the context has ended there is neither a plan nor a convolution.
func TestPlaneCancelled(t *testing.T) {
	at := func(i, j int) float64 { return 1 / (1 + float64(i+j)) }
	one := func(_, _ int) float64 { return 1 }
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if p, err := NewPlane(ended, 20, 20, at, one); p != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("a plan: %v", err)
	}
	p, err := NewPlane(t.Context(), 20, 20, at, one)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Convolve(ended, random(1, 400)); !errors.Is(err, context.Canceled) {
		t.Errorf("a convolution: %v", err)
	}
}

func BenchmarkConvolve(b *testing.B) {
	p, err := NewPlane(b.Context(), 320, 320, func(i, j int) float64 { return 1 / (1 + float64(i*i+j*j)) }, func(_, _ int) float64 { return 1 })
	if err != nil {
		b.Fatal(err)
	}
	grid := random(1, 320*320)
	for b.Loop() {
		if err := p.Convolve(b.Context(), grid); err != nil {
			b.Fatal(err)
		}
	}
}
