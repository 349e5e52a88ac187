package fixed

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/gonum/stat/distuv"
)

func TestFunctionsAreWhatTheySay(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		x := 40 * r.NormFloat64()
		if e := math.Exp(x); math.Abs(Exp(x)/e-1) > 4e-16 {
			t.Fatalf("Exp(%v) = %v, want %v", x, Exp(x), e)
		}
		if s := 1 / (1 + math.Exp(-x)); math.Abs(Sigmoid(x)/s-1) > 1e-15 {
			t.Fatalf("Sigmoid(%v) = %v, want %v", x, Sigmoid(x), s)
		}
		x /= 20
		if math.Abs(Tanh(x)-math.Tanh(x)) > 4e-16 {
			t.Fatalf("Tanh(%v) = %v, want %v", x, Tanh(x), math.Tanh(x))
		}
		if n := distuv.UnitNormal.CDF(x); math.Abs(Normal(x)-n) > 1e-15 {
			t.Fatalf("Normal(%v) = %v, want %v", x, Normal(x), n)
		}
		if p := 0.001 + 0.998*r.Float64(); math.Abs(Quantile(p)-distuv.UnitNormal.Quantile(p)) > 1e-12 {
			t.Fatalf("Quantile(%v) = %v, want %v", p, Quantile(p), distuv.UnitNormal.Quantile(p))
		}
	}
	for _, x := range []float64{710, 709, -708, -745, -746, -800, math.Inf(1), math.Inf(-1), 0, math.Copysign(0, -1), 1e-300} {
		if e := math.Exp(x); Exp(x) != e && math.Abs(Exp(x)/e-1) > 1e-15 {
			t.Errorf("Exp(%v) = %v, want %v", x, Exp(x), e)
		}
	}
	if x := Exp(math.NaN()); x == x {
		t.Errorf("Exp(NaN) = %v", x)
	}
	if Quantile(0) != math.Inf(-1) || Quantile(1) != math.Inf(1) || Quantile(0.5) > 1e-15 || Normal(-9) != 0 || Normal(9) != 1 {
		t.Errorf("the ends: %v, %v, %v, %v, %v", Quantile(0), Quantile(1), Quantile(0.5), Normal(-9), Normal(9))
	}
	p := []float64{-1000, 1, 2, math.Inf(-1)}
	Softmax(p)
	if want := 1 / (1 + math.E); p[0] != 0 || math.Abs(p[1]-want) > 1e-15 || math.Abs(p[1]+p[2]-1) > 1e-15 || p[3] != 0 {
		t.Errorf("Softmax is %v, want 0, %v, the rest, 0", p, want)
	}
}

// The bits of many results, as one number. Run it with GOAMD64=v3, or on another processor, where
// Go fuses products and sums that nothing forbids: a result that changes makes files unreadable.
func TestResultsAreTheSameEverywhere(t *testing.T) {
	h := fnv.New64a()
	keep := func(x ...float64) {
		_ = binary.Write(h, binary.LittleEndian, x)
	}
	r := rand.New(rand.NewPCG(3, 4))
	draw := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = float64(r.Uint64()>>11)/(1<<52) - 1 // no function of the standard library, whose last bits may differ
		}
		return x
	}
	for _, x := range draw(3000) {
		keep(Exp(50*x), Sigmoid(20*x), Tanh(3*x), Normal(5*x), Quantile((x+1)/2))
	}
	for n := range 40 {
		a, b := draw(n), draw(n+3)
		keep(Dot(a, b))
		if n > 0 {
			Softmax(a)
			Swish(b)
			Relu(b)
			keep(a...)
			keep(b...)
		}
	}
	layer, err := NewAffine(mat.NewDense(18, 5, draw(90)), mat.NewDense(1, 5, draw(5)), 18, 5)
	if err != nil {
		t.Fatal(err)
	}
	keep(layer.Apply(draw(18))...)
	for stride := 1; stride <= 2; stride++ {
		c := &Convolution{Height: 5, Width: 4, Size: 3, Stride: stride, Affine: layer}
		keep(c.Apply(draw(40))...)
	}
	if got, want := h.Sum64(), uint64(0x4d0694f5e2cda4f1); got != want {
		t.Errorf("the results are %#x, want %#x", got, want)
	}
}

func TestLayersByHand(t *testing.T) {
	a, err := NewAffine(mat.NewDense(2, 3, []float64{1, 2, 3, 4, 5, 6}), mat.NewDense(3, 1, []float64{0.5, 0, -1}), 2, 3)
	if err != nil {
		t.Fatal(err)
	}
	if y := a.Apply([]float64{10, 1}); y[0] != 14.5 || y[1] != 25 || y[2] != 35 {
		t.Errorf("y = %v, want 14.5, 25, 35", y)
	}
	for _, c := range []struct{ w, b *mat.Dense }{{nil, nil}, {mat.NewDense(3, 3, nil), nil}, {mat.NewDense(2, 3, nil), mat.NewDense(1, 2, nil)}} {
		if _, err := NewAffine(c.w, c.b, 2, 3); err == nil {
			t.Errorf("weights %v with biases %v are taken", c.w, c.b)
		}
	}
	// All ones: each place counts the pixels under the kernel.
	ones := mat.NewDense(9, 1, []float64{1, 1, 1, 1, 1, 1, 1, 1, 1})
	a, err = NewAffine(ones, nil, 9, 1)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float64, 12)
	for i := range x {
		x[i] = 1
	}
	for stride, want := range map[int][]float64{1: {4, 6, 6, 4, 6, 9, 9, 6, 4, 6, 6, 4}, 2: {4, 6, 4, 6}} {
		c := &Convolution{Height: 3, Width: 4, Size: 3, Stride: stride, Affine: a}
		y := c.Apply(x)
		for i := range want {
			if len(y) != len(want) || y[i] != want[i] {
				t.Fatalf("stride %d: %v, want %v", stride, y, want)
			}
		}
	}
}

// Scaling by a power of two is the standard library's, to the last bit, where numbers become
// subnormal or infinite too.
func TestScale(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for k := -1200; k <= 1200; k++ {
		for range 20 {
			if x := math.Copysign(0.5+1.5*r.Float64(), r.NormFloat64()); Scale(x, k) != math.Ldexp(x, k) {
				t.Fatalf("Scale(%v, %d) = %v, want %v", x, k, Scale(x, k), math.Ldexp(x, k))
			}
		}
	}
}

// Exp, and sigmoid and tanh of a float32, are the standard library's to rounding, everywhere.
func TestFunctionsOfFloat32(t *testing.T) {
	for x := -708.0; x < 708; x += 0.37 {
		if got, want := Exp(x), math.Exp(x); math.Abs(got-want) > 4e-15*want && want > 1e-300 {
			t.Fatalf("Exp(%v) = %v, want %v", x, got, want)
		}
		if got, want := float64(Tanh32(float32(x/30))), math.Tanh(float64(float32(x/30))); math.Abs(got-want) > 1e-7 {
			t.Fatalf("Tanh32(%v) = %v, want %v", x/30, got, want)
		}
		if got, want := float64(Sigmoid32(float32(x/10))), 1/(1+math.Exp(-float64(float32(x/10)))); math.Abs(got-want) > 1e-7 {
			t.Fatalf("Sigmoid32(%v) = %v, want %v", x/10, got, want)
		}
	}
	if !math.IsInf(Exp(1000), 1) || Exp(-1000) != 0 || !math.IsNaN(Exp(math.NaN())) || Exp(0) != 1 {
		t.Error("exp is wrong at its ends")
	}
}

func TestExpM1(t *testing.T) {
	for x := -50.0; x <= 0; x += 0.0137 {
		if got, want := Expm1(x), math.Expm1(x); math.Abs(got-want) > 1e-14*math.Abs(want) {
			t.Fatalf("Expm1(%v) = %v, want %v", x, got, want)
		}
	}
	if got := Expm1(-1e-9); math.Abs(got+1e-9) > 1e-17 {
		t.Errorf("Expm1(−1e-9) = %v", got)
	}
}
