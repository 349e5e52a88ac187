//go:build !amd64

package blas

const hasKernels = false

func kernel4x12(k int, a, b, c *float64, ldc int)  { panic("unreachable") }
func dotAVX2(a, b *float64, n int) float64         { panic("unreachable") }
func sqEuclideanAVX2(a, b *float64, n int) float64 { panic("unreachable") }
