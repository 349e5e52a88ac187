package blas

import "math"

// Exp sets dst[i] to e to the src[i]; dst is at least as long as src, and may be src. The kernel's
// error is under one unit in the last place. An element's result does not depend on its neighbours.
func Exp(dst, src []float64) {
	dst = dst[:len(src)]
	if active == plain {
		for i, v := range src {
			dst[i] = math.Exp(v)
		}
		return
	}
	n := len(src) &^ 3
	if n > 0 {
		expAVX2(&dst[0], &src[0], n)
	}
	if n < len(src) {
		var tail [4]float64
		copy(tail[:], src[n:])
		expAVX2(&tail[0], &tail[0], 4)
		copy(dst[n:], tail[:])
	}
}

// Log sets dst[i] to the natural logarithm of src[i]; dst is at least as long as src, and may be
// src. The kernel's error is under one unit in the last place; zero, negative, subnormal and
// infinite numbers and NaN are math.Log's. An element's result does not depend on its neighbours.
func Log(dst, src []float64) {
	dst = dst[:len(src)]
	if active == plain {
		for i, v := range src {
			dst[i] = math.Log(v)
		}
		return
	}
	n := len(src) &^ 3
	for i := 0; i < len(src); {
		if i < n {
			i += logAVX2(&dst[i], &src[i], n-i)
		}
		if i == len(src) {
			return
		}
		logFour(dst[i:min(i+4, len(src))], src[i:])
		i += 4
	}
}

// logFour takes at most four numbers, of which the kernel may not take all.
func logFour(dst, src []float64) {
	four, clean := [4]float64{1, 1, 1, 1}, [4]float64{1, 1, 1, 1}
	copy(four[:len(dst)], src)
	for j, v := range four {
		if v >= 0x1p-1022 && v <= math.MaxFloat64 {
			clean[j] = v
		}
	}
	logAVX2(&clean[0], &clean[0], 4)
	for j := range dst {
		if v := four[j]; v >= 0x1p-1022 && v <= math.MaxFloat64 {
			dst[j] = clean[j]
		} else {
			dst[j] = math.Log(v)
		}
	}
}
