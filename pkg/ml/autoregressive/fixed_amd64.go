package autoregressive

import (
	"os"

	"golang.org/x/sys/cpu"
)

// LATENT_BLAS=plain turns every kernel of the library off, this one too.
var useAVX2 = cpu.X86.HasAVX2 && os.Getenv("LATENT_BLAS") != "plain"

//go:noescape
func addProductAVX2(y *float32, n int, x *float32, rows int, w *float32, mask *int32)

// masks[8-n:] lets the first n of eight lanes through.
var masks = [16]int32{-1, -1, -1, -1, -1, -1, -1, -1}

func addProduct(y, x, w []float32) {
	if !useAVX2 || len(y) == 0 || len(x) == 0 {
		plainProduct(y, x, w)
		return
	}
	_ = w[len(x)*len(y)-1]
	addProductAVX2(&y[0], len(y), &x[0], len(x), &w[0], &masks[8-len(y)%8])
}
