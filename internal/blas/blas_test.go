package blas

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
)

func random(r *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

func TestDgemmPassesOnNaNAndInf(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		r := rand.New(rand.NewPCG(1, 1))
		a, b, c := random(r, 40*40), random(r, 40*40), make([]float64, 40*40)
		a[7*40+3] = bad
		Implementation{}.Dgemm(blas.NoTrans, blas.NoTrans, 40, 40, 40, 1, a, 40, b, 40, 0, c, 40)
		for i := range c {
			if finite := c[i]-c[i] == 0; finite != (i/40 != 7) {
				t.Fatalf("%v in row 7 of A: C[%d,%d] = %v", bad, i/40, i%40, c[i])
			}
		}
	}
}

func TestDgemmPanicsAsGonumDoes(t *testing.T) {
	message := func(f func()) (m any) {
		defer func() { m = recover() }()
		f()
		return nil
	}
	a := make([]float64, 32*32)
	for name, call := range map[string]func(i gemmer){
		"short c":   func(i gemmer) { i.Dgemm(blas.NoTrans, blas.NoTrans, 32, 32, 32, 1, a, 32, a, 32, 0, a[:9], 32) },
		"bad ld":    func(i gemmer) { i.Dgemm(blas.NoTrans, blas.NoTrans, 32, 32, 32, 1, a, 31, a, 32, 0, a, 32) },
		"negative":  func(i gemmer) { i.Dgemm(blas.NoTrans, blas.NoTrans, -1, 32, 32, 1, a, 32, a, 32, 0, a, 32) },
		"transpose": func(i gemmer) { i.Dgemm('x', blas.NoTrans, 32, 32, 32, 1, a, 32, a, 32, 0, a, 32) },
	} {
		got, want := message(func() { call(Implementation{}) }), message(func() { call(gonum.Implementation{}) })
		if want == nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, gonum says %v", name, got, want)
		}
	}
}

// Against exact arithmetic: the error of a chain of k fused multiply-adds is at most k·ε·Σ|aᵢbᵢ|.
func TestErrorBounds(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	const eps = 1.0 / (1 << 53)
	for _, n := range []int{0, 1, 2, 15, 16, 17, 31, 32, 50, 64, 333} {
		a, b := random(r, n), random(r, n)
		for name, c := range map[string]struct {
			got  float64
			term func(x, y *big.Float) *big.Float
		}{
			"Dot": {Dot(a, b), func(x, y *big.Float) *big.Float { return new(big.Float).SetPrec(200).Mul(x, y) }},
			"SqEuclidean": {SqEuclidean(a, b), func(x, y *big.Float) *big.Float {
				d := new(big.Float).SetPrec(200).Sub(x, y)
				return d.Mul(d, d)
			}},
		} {
			sum, abs := new(big.Float).SetPrec(200), new(big.Float).SetPrec(200)
			for i := range n {
				x := c.term(new(big.Float).SetPrec(200).SetFloat64(a[i]), new(big.Float).SetPrec(200).SetFloat64(b[i]))
				sum.Add(sum, x)
				abs.Add(abs, x.Abs(x))
			}
			want, _ := sum.Float64()
			bound, _ := abs.Float64()
			if math.Abs(c.got-want) > float64(n+3)*eps*bound {
				t.Errorf("%s of %d numbers: %v, want %v", name, n, c.got, want)
			}
		}
	}
}

func TestGonumUsesIt(t *testing.T) {
	if _, ok := blas64.Implementation().(Implementation); ok != (active != plain) {
		t.Errorf("gonum uses %T with the kernels %s", blas64.Implementation(), Kernels())
	}
}

type gemmer interface {
	Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int)
}
