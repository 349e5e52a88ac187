package manifold

import "github.com/golatent/latent/internal/kernels"

// repelAVX2 adds up what plainRepel does, in four lanes each, over n points, a multiple of 8.
//
//go:noescape
func repelAVX2(n int, x, y float64, xs, ys *float64, sums *[12]float64)

func repel(x, y float64, xs, ys []float64) (z, fx, fy float64) {
	n := len(xs) &^ 7
	if !kernels.AVX2 || n == 0 {
		return plainRepel(x, y, xs, ys)
	}
	_ = ys[len(xs)-1]
	var s [12]float64
	repelAVX2(n, x, y, &xs[0], &ys[0], &s)
	z, fx, fy = plainRepel(x, y, xs[n:], ys[n:])
	return z + (s[0] + s[1] + s[2] + s[3]), fx + (s[4] + s[5] + s[6] + s[7]), fy + (s[8] + s[9] + s[10] + s[11])
}
