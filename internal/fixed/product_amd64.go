package fixed

import "github.com/golatent/latent/internal/kernels"

//go:noescape
func addProductAVX2(y *float32, n int, x *float32, rows int, w *float32, mask *int32)

// lanes[8-n:] lets the first n of eight lanes through.
var lanes = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

// AddProduct adds x·w to y: y_k += Σ_j x_j w_jk, in the order of j, each product rounded before it
// is added: the same bits on every machine. w is len(x) rows of len(y) numbers.
func AddProduct(y, x, w []float32) {
	if !kernels.AVX2 || len(y) == 0 || len(x) == 0 {
		plainProduct(y, x, w)
		return
	}
	_ = w[len(x)*len(y)-1]
	addProductAVX2(&y[0], len(y), &x[0], len(x), &w[0], &lanes[8-len(y)%8])
}
