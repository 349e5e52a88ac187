package blas

import "golang.org/x/sys/cpu"

// supported is the best that this processor can do.
func supported() level {
	switch {
	case !cpu.X86.HasAVX2 || !cpu.X86.HasFMA:
		return plain
	case !cpu.X86.HasAVX512F:
		return avx2
	}
	return avx512
}

//go:noescape
func kernel4x12(k int, a, b, c *float64, ldc, add int)

//go:noescape
func kernel4x8(k int, a, b, c *float64, ldc, add int)

//go:noescape
func kernel4x4(k int, a, b, c *float64, ldc, add int)

//go:noescape
func kernel8x24(k int, a, b, c *float64, ldc, add int)

//go:noescape
func kernel8x16(k int, a, b, c *float64, ldc, add int)

//go:noescape
func kernel8x8(k int, a, b, c *float64, ldc, add int)

//go:noescape
func packAlong(dst *float64, width int, src *float64, ld, k int, alpha float64)

//go:noescape
func packAcross(dst *float64, width int, src *float64, ld, k, fours int, alpha float64)

//go:noescape
func dotRowsAVX2(dst, a, rows *float64, n, stride, m int)

//go:noescape
func sqEuclideanRowsAVX2(dst, a, rows *float64, n, stride, m int)

//go:noescape
func manhattanRowsAVX2(dst, a, rows *float64, n, stride, m int)

//go:noescape
func chebyshevRowsAVX2(dst, a, rows *float64, n, stride, m int)

//go:noescape
func axpyAVX2(n int, alpha float64, x, y *float64)

//go:noescape
func rotAVX2(n int, x, y *float64, c, s float64)

//go:noescape
func dotAxpyAVX2(n int, a, x *float64, alpha float64, y *float64) float64

//go:noescape
func combineAVX2(m, n int, coef, rows *float64, stride int, y *float64)

//go:noescape
func leastTwoAVX2(half, score *float64, n int, lanes *[12]float64)

//go:noescape
func expAVX2(dst, src *float64, n int)

//go:noescape
func logAVX2(dst, src *float64, n int) (done int)

//go:noescape
func firstBelowAVX2(s *float64, n int, bound float64) int
