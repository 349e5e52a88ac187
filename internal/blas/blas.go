// Package blas makes gonum fast on processors with AVX2 and FMA: importing it replaces gonum's float64 matrix product by one on assembly
// kernels and both cores, and with it everything of gonum's that stands on products: decompositions, solves, mat.Mul.
// Elsewhere, or with LATENT_BLAS=plain in the environment, gonum's own code runs; both give the same answers to rounding.
//
// The answer is the same bits on every processor that has the kernels and for any GOMAXPROCS: each element of a product is a chain of fused
// multiply-adds in a fixed order, and sums run over a fixed number of partial sums.
package blas

import (
	"os"

	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
)

// Fast reports whether the assembly kernels are in use.
var Fast = hasKernels && os.Getenv("LATENT_BLAS") != "plain"

// Implementation is gonum's BLAS with what is hot replaced.
type Implementation struct{ gonum.Implementation }

func init() {
	if Fast {
		blas64.Use(Implementation{})
	}
}

// Dot returns Σ aᵢbᵢ; b is at least as long as a.
func Dot(a, b []float64) float64 {
	b = b[:len(a)]
	if Fast && len(a) > 0 {
		return dotAVX2(&a[0], &b[0], len(a))
	}
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}

// SqEuclidean returns Σ (aᵢ−bᵢ)², without the cancellation of ‖a‖²−2a·b+‖b‖²; b is at least as long as a.
func SqEuclidean(a, b []float64) float64 {
	b = b[:len(a)]
	if Fast && len(a) > 0 {
		return sqEuclideanAVX2(&a[0], &b[0], len(a))
	}
	s := 0.0
	for i, v := range a {
		d := v - b[i]
		s += d * d
	}
	return s
}
