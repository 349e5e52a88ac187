// Package blas makes gonum fast on processors with AVX2 and FMA: importing it replaces the float64
// routines of gonum's BLAS that are hot by ones on assembly kernels and both cores, and with them
// everything of gonum's that stands on them: decompositions, solves, mat.Mul. Elsewhere gonum's own
// code runs; both give the same answers to rounding. Beside the interface it has the loops over
// vectors that distances, clusters and mixtures spend their time in.
//
// The answer is the same bits on every processor that has the kernels and for any GOMAXPROCS: each
// element of a product is a chain of fused multiply-adds for each 256 of the common dimension, the
// chains added in order, whatever the width of the registers; sums run over a fixed number of
// partial sums.
//
// The environment variable LATENT_BLAS chooses the kernels: plain, avx2 or avx512. Without it, or
// where the processor lacks what it names, the best that there is runs.
package blas

import (
	"os"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
)

// level is how much of a processor the kernels use.
type level int

const (
	plain  level = iota // gonum's code, and loops in Go
	avx2                // registers of 4 numbers, FMA
	avx512              // the matrix product on registers of 8; all else as avx2
)

func (l level) String() string { return [...]string{"plain", "avx2", "avx512"}[l] }

// active is set once, before main; only tests change it.
var active = choose(os.Getenv("LATENT_BLAS"), supported())

func choose(wish string, best level) level {
	for l := plain; l < best; l++ {
		if wish == l.String() {
			return l
		}
	}
	return best
}

// Kernels names the kernels in use: plain, avx2 or avx512.
func Kernels() string { return active.String() }

// Implementation is gonum's BLAS with what is hot replaced.
type Implementation struct{ gonum.Implementation }

func init() {
	if active != plain {
		blas64.Use(Implementation{})
	}
}
