//go:build !amd64

package manifold

func repel(x, y float64, xs, ys []float64) (z, fx, fy float64) { return plainRepel(x, y, xs, ys) }
