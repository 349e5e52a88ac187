package blas

import "golang.org/x/sys/cpu"

// fast says that this processor has the kernels below.
var hasKernels = cpu.X86.HasAVX2 && cpu.X86.HasFMA

//go:noescape
func kernel4x12(k int, a, b, c *float64, ldc int)

//go:noescape
func dotAVX2(a, b *float64, n int) float64

//go:noescape
func sqEuclideanAVX2(a, b *float64, n int) float64
