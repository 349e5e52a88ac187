//go:build !amd64

package fft

func radix4(xr, xi, yr, yi, w []float64, m, width int) { plainRadix4(xr, xi, yr, yi, w, m, width) }
