//go:build !amd64

package fixed

// AddProduct adds x·w to y: y_k += Σ_j x_j w_jk, in the order of j, each product rounded before it
// is added: the same bits on every machine. w is len(x) rows of len(y) numbers.
func AddProduct(y, x, w []float32) { plainProduct(y, x, w) }
