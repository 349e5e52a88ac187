package blas

import "math"

// Dot returns Σ aᵢbᵢ; b is at least as long as a.
func Dot(a, b []float64) float64 {
	b = b[:len(a)]
	if active == plain || len(a) == 0 {
		return plainDot(a, b)
	}
	var s float64
	dotRowsAVX2(&s, &a[0], &b[0], len(a), 0, 1)
	return s
}

// Axpy adds alpha·x to y, which is at least as long.
func Axpy(alpha float64, x, y []float64) {
	y = y[:len(x)]
	if active == plain || len(x) == 0 {
		for i, v := range x {
			y[i] += alpha * v
		}
		return
	}
	axpyAVX2(len(x), alpha, &x[0], &y[0])
}

// SqEuclidean returns Σ (aᵢ−bᵢ)², without the cancellation of ‖a‖²−2a·b+‖b‖²; b is at least as long
// as a.
func SqEuclidean(a, b []float64) float64 {
	b = b[:len(a)]
	if active == plain || len(a) == 0 {
		return plainSqEuclidean(a, b)
	}
	var s float64
	sqEuclideanRowsAVX2(&s, &a[0], &b[0], len(a), 0, 1)
	return s
}

// Manhattan returns Σ |aᵢ−bᵢ|; b is at least as long as a.
func Manhattan(a, b []float64) float64 {
	b = b[:len(a)]
	if active == plain || len(a) == 0 {
		return plainManhattan(a, b)
	}
	var s float64
	manhattanRowsAVX2(&s, &a[0], &b[0], len(a), 0, 1)
	return s
}

// Chebyshev returns max |aᵢ−bᵢ| of finite numbers; b is at least as long as a.
func Chebyshev(a, b []float64) float64 {
	b = b[:len(a)]
	if active == plain || len(a) == 0 {
		return plainChebyshev(a, b)
	}
	var s float64
	chebyshevRowsAVX2(&s, &a[0], &b[0], len(a), 0, 1)
	return s
}

// DotRows sets dst[i] to the dot product of a with row i of a matrix, of which rows holds len(dst)
// rows of len(a) numbers, stride apart. Each is the number that Dot gives.
func DotRows(dst, a, rows []float64, stride int) {
	if !checkRows(dst, a, rows, stride) {
		return
	}
	if active == plain {
		eachRow(dst, a, rows, stride, plainDot)
		return
	}
	dotRowsAVX2(&dst[0], &a[0], &rows[0], len(a), stride, len(dst))
}

// SqEuclideanRows sets dst[i] to the squared Euclidean distance of a from row i, as DotRows does
// the dot product. Each is the number that SqEuclidean gives.
func SqEuclideanRows(dst, a, rows []float64, stride int) {
	if !checkRows(dst, a, rows, stride) {
		return
	}
	if active == plain {
		eachRow(dst, a, rows, stride, plainSqEuclidean)
		return
	}
	sqEuclideanRowsAVX2(&dst[0], &a[0], &rows[0], len(a), stride, len(dst))
}

// ManhattanRows sets dst[i] to the Manhattan distance of a from row i, as DotRows does the dot
// product.
func ManhattanRows(dst, a, rows []float64, stride int) {
	if !checkRows(dst, a, rows, stride) {
		return
	}
	if active == plain {
		eachRow(dst, a, rows, stride, plainManhattan)
		return
	}
	manhattanRowsAVX2(&dst[0], &a[0], &rows[0], len(a), stride, len(dst))
}

// ChebyshevRows sets dst[i] to the Chebyshev distance of a from row i, as DotRows does the dot
// product.
func ChebyshevRows(dst, a, rows []float64, stride int) {
	if !checkRows(dst, a, rows, stride) {
		return
	}
	if active == plain {
		eachRow(dst, a, rows, stride, plainChebyshev)
		return
	}
	chebyshevRowsAVX2(&dst[0], &a[0], &rows[0], len(a), stride, len(dst))
}

// checkRows panics where rows are too short, and reports whether there is anything for a kernel to
// do.
func checkRows(dst, a, rows []float64, stride int) bool {
	if len(dst) == 0 {
		return false
	}
	if len(a) == 0 {
		clear(dst)
		return false
	}
	if stride < len(a) || len(rows) < (len(dst)-1)*stride+len(a) {
		panic("blas: rows too short")
	}
	return true
}

func eachRow(dst, a, rows []float64, stride int, f func(a, b []float64) float64) {
	for i := range dst {
		dst[i] = f(a, rows[i*stride:i*stride+len(a)])
	}
}

// combine adds to y the sum of coef[i] times row i, of len(y) numbers, stride apart: for each
// element one chain of fused multiply-adds.
func combine(y, coef, rows []float64, stride int) {
	if len(y) == 0 || len(coef) == 0 {
		return
	}
	_ = rows[(len(coef)-1)*stride+len(y)-1]
	combineAVX2(len(coef), len(y), &coef[0], &rows[0], stride, &y[0])
}

// LeastTwo sets each score to half[j] − score[j], and returns where the least lies (the first of
// equals), the least, and the next (equal to it, where two are). With half[j] = ‖cⱼ‖²/2 and
// score[j] = x·cⱼ the least is the nearest center's, and ‖x−cⱼ‖² = ‖x‖² + 2·score. The numbers are
// finite; of fewer than two, the missing are +Inf and best is 0.
func LeastTwo(half, score []float64) (best int, first, second float64) {
	half = half[:len(score)]
	first, second = math.Inf(1), math.Inf(1)
	n := 0
	if active != plain && len(score) >= 8 {
		n = len(score) &^ 3
		var lanes [12]float64 // least, next and place of the least, for each place modulo 4
		leastTwoAVX2(&half[0], &score[0], n, &lanes)
		for l := range 4 {
			f, s, at := lanes[l], lanes[4+l], int(lanes[8+l])
			if f < first || f == first && at < best {
				second = min(first, s)
				best, first = at, f
			} else {
				second = min(second, f)
			}
		}
	}
	for j := n; j < len(score); j++ {
		s := half[j] - score[j]
		score[j] = s
		if s < first {
			best, first, second = j, s, first
		} else if s < second {
			second = s
		}
	}
	return best, first, second
}

// FirstBelow returns the place of the first number that is less than bound, or len(s).
func FirstBelow(s []float64, bound float64) int {
	i := 0
	if active != plain && len(s) >= 16 {
		i = firstBelowAVX2(&s[0], len(s)&^15, bound)
	}
	for ; i < len(s); i++ {
		if s[i] < bound {
			return i
		}
	}
	return len(s)
}

func plainDot(a, b []float64) float64 {
	var s, t float64
	i := 0
	for ; i+1 < len(a); i += 2 {
		s += a[i] * b[i]
		t += a[i+1] * b[i+1]
	}
	if i < len(a) {
		s += a[i] * b[i]
	}
	return s + t
}

func plainSqEuclidean(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		d := v - b[i]
		s += d * d
	}
	return s
}

func plainManhattan(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += math.Abs(v - b[i])
	}
	return s
}

func plainChebyshev(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s = max(s, math.Abs(v-b[i]))
	}
	return s
}
