package eigen

import "math"

// SetSign is the sign convention of the library. Of v and −v it makes the one whose entry of
// largest size, the first of nearly equal ones, is positive. An eigenvector's own entries decide;
// of a pair of singular vectors it is the right one's, so that signs depend on the variables and
// not on which rows there are, or in which order.
func SetSign(v []float64) {
	if negative(v) {
		flip(v)
	}
}

// negative is whether the entry of largest size is.
func negative(v []float64) bool {
	at := 0
	for i := range v {
		if math.Abs(v[i]) > math.Abs(v[at])*(1+1e-9) {
			at = i
		}
	}
	return v[at] < 0
}

func flip(v []float64) {
	for i := range v {
		v[i] = -v[i]
	}
}
