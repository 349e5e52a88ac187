package fft

import "github.com/golatent/latent/internal/kernels"

// radix4AVX2 does what plainRadix4 does with one p. The four inputs lie in bytes apart, the four
// outputs width numbers.
//
//go:noescape
func radix4AVX2(xr, xi *float64, in int, yr, yi *float64, width int, w *[6]float64)

func radix4(xr, xi, yr, yi, w []float64, m, width int) {
	if !kernels.AVX2 {
		plainRadix4(xr, xi, yr, yi, w, m, width)
		return
	}
	size := 4 * m * width
	_, _, _, _, _ = xr[size-1], xi[size-1], yr[size-1], yi[size-1], w[6*m-1]
	for p := range m {
		radix4AVX2(&xr[p*width], &xi[p*width], 8*m*width, &yr[4*p*width], &yi[4*p*width], width, (*[6]float64)(w[6*p:]))
	}
}
