package datasets

import (
	"math"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// Without noise the data are factors times axes; axes are orthonormal, factors vary alike and are
// near zero most of the time.
func TestBursts(t *testing.T) {
	x, factors, axes := Bursts(300, 20, 5, 0, 3)
	var want, gram mat.Dense
	want.Mul(factors, axes)
	if !mat.EqualApprox(x, &want, 1e-12) {
		t.Error("the data are not what the factors make")
	}
	gram.Mul(axes, axes.T())
	for a := range 5 {
		for b := range 5 {
			unit := 0.0
			if a == b {
				unit = 1
			}
			if math.Abs(gram.At(a, b)-unit) > 1e-12 {
				t.Errorf("axes %d and %d: %v", a, b, gram.At(a, b))
			}
		}
		quiet := 0
		for i := range 300 {
			if math.Abs(factors.At(i, a)) < 0.4 {
				quiet++
			}
		}
		if size := mat.Norm(factors.ColView(a), 2) / math.Sqrt(300); math.Abs(size-2) > 1e-9 || quiet < 150 {
			t.Errorf("factor %d: size %v, quiet at %d of 300 steps", a, size, quiet)
		}
	}
	noisy, again, other := take(Bursts(300, 20, 5, 0.5, 3)), take(Bursts(300, 20, 5, 0.5, 3)), take(Bursts(300, 20, 5, 0.5, 4))
	if !mat.Equal(noisy, again) || mat.Equal(noisy, other) {
		t.Error("a seed gives one set of data, and another seed another")
	}
	noisy.Sub(noisy, x)
	within(t, "the noise", mat.Norm(noisy, 2)/math.Sqrt(6000), 0.5, 0.5/math.Sqrt(12000))
	defer func() {
		if recover() == nil {
			t.Error("more factors than variables were accepted")
		}
	}()
	Bursts(300, 3, 5, 0, 1)
}

func take(x, _, _ *mat.Dense) *mat.Dense { return x }
