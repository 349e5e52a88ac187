//go:build !amd64

package blas

func supported() level { return plain }

// What follows lets the package build; nothing calls it.

func kernel4x12(k int, a, b, c *float64, ldc, add int)                          { panic("unreachable") }
func kernel4x8(k int, a, b, c *float64, ldc, add int)                           { panic("unreachable") }
func kernel4x4(k int, a, b, c *float64, ldc, add int)                           { panic("unreachable") }
func kernel8x24(k int, a, b, c *float64, ldc, add int)                          { panic("unreachable") }
func kernel8x16(k int, a, b, c *float64, ldc, add int)                          { panic("unreachable") }
func kernel8x8(k int, a, b, c *float64, ldc, add int)                           { panic("unreachable") }
func packAlong(dst *float64, width int, src *float64, ld, k int, alpha float64) { panic("unreachable") }
func packAcross(dst *float64, width int, src *float64, ld, k, fours int, alpha float64) {
	panic("unreachable")
}
func dotRowsAVX2(dst, a, rows *float64, n, stride, m int)                 { panic("unreachable") }
func sqEuclideanRowsAVX2(dst, a, rows *float64, n, stride, m int)         { panic("unreachable") }
func manhattanRowsAVX2(dst, a, rows *float64, n, stride, m int)           { panic("unreachable") }
func chebyshevRowsAVX2(dst, a, rows *float64, n, stride, m int)           { panic("unreachable") }
func axpyAVX2(n int, alpha float64, x, y *float64)                        { panic("unreachable") }
func rotAVX2(n int, x, y *float64, c, s float64)                          { panic("unreachable") }
func dotAxpyAVX2(n int, a, x *float64, alpha float64, y *float64) float64 { panic("unreachable") }
func combineAVX2(m, n int, coef, rows *float64, stride int, y *float64)   { panic("unreachable") }
func leastTwoAVX2(half, score *float64, n int, lanes *[12]float64)        { panic("unreachable") }
func expAVX2(dst, src *float64, n int)                                    { panic("unreachable") }
func logAVX2(dst, src *float64, n int) (done int)                         { panic("unreachable") }
func firstBelowAVX2(s *float64, n int, bound float64) int                 { panic("unreachable") }
