package blas

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"runtime"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

func random(r *rand.Rand, n int) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

// The product equals gonum's to rounding for every shape, transposition, leading dimension, alpha and beta, and nothing beyond C is touched.
func TestDgemmEqualsGonum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dim := rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(1, 300))
		m, n, k := dim.Draw(t, "m"), dim.Draw(t, "n"), dim.Draw(t, "k")
		tA := rapid.SampledFrom([]blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans}).Draw(t, "tA")
		tB := rapid.SampledFrom([]blas.Transpose{blas.NoTrans, blas.Trans}).Draw(t, "tB")
		coef := rapid.SampledFrom([]float64{0, 1, -1, 0.3, 2})
		alpha, beta := coef.Draw(t, "alpha"), coef.Draw(t, "beta")
		pad := rapid.IntRange(0, 5)
		ar, ac, br, bc := m, k, k, n
		if tA != blas.NoTrans {
			ar, ac = k, m
		}
		if tB != blas.NoTrans {
			br, bc = n, k
		}
		lda, ldb, ldc := ac+pad.Draw(t, "lda"), bc+pad.Draw(t, "ldb"), n+pad.Draw(t, "ldc")
		r := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		a, b, c := random(r, ar*lda), random(r, br*ldb), random(r, m*ldc)
		if beta == 0 {
			c[0] = math.NaN() // must be overwritten
		}
		want := append([]float64{}, c...)
		gonum.Implementation{}.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, want, ldc)
		got := append([]float64{}, c...)
		Implementation{}.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, got, ldc)
		for i, w := range want {
			inside := i%ldc < n
			if !inside && math.Float64bits(got[i]) != math.Float64bits(c[i]) {
				t.Fatalf("element %d, outside of C, was written", i)
			}
			if inside && !(math.Abs(got[i]-w) <= 1e-13*float64(k+10)*(1+math.Abs(w))) {
				t.Fatalf("C[%d,%d] = %v, want %v", i/ldc, i%ldc, got[i], w)
			}
		}
	})
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

func TestDgemmIsTheSameOnAnyNumberOfProcessors(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 1))
	for _, s := range [][3]int{{1000, 50, 50}, {300, 300, 300}, {37, 2000, 600}} {
		a, b := random(r, s[0]*s[2]), random(r, s[2]*s[1])
		var first []float64
		for _, procs := range []int{1, 2, 5} {
			old := runtime.GOMAXPROCS(procs)
			c := make([]float64, s[0]*s[1])
			Implementation{}.Dgemm(blas.NoTrans, blas.NoTrans, s[0], s[1], s[2], 1, a, s[2], b, s[1], 0, c, s[1])
			runtime.GOMAXPROCS(old)
			if first == nil {
				first = c
			}
			for i := range c {
				if c[i] != first[i] {
					t.Fatalf("%v: element %d differs with %d processors", s, i, procs)
				}
			}
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

// The same function by plain code, for processors without the kernels.
func TestPlainAndFastAgree(t *testing.T) {
	if !Fast {
		t.Skip("no kernels on this processor")
	}
	r := rand.New(rand.NewPCG(4, 1))
	a, b := random(r, 1003), random(r, 1003)
	dot, sq := Dot(a, b), SqEuclidean(a, b)
	Fast = false
	defer func() { Fast = true }()
	if d := Dot(a, b); math.Abs(d-dot) > 1e-12 {
		t.Errorf("Dot: %v and %v", dot, d)
	}
	if d := SqEuclidean(a, b); math.Abs(d-sq) > 1e-12*sq {
		t.Errorf("SqEuclidean: %v and %v", sq, d)
	}
}

func TestGonumUsesIt(t *testing.T) {
	if _, ok := blas64.Implementation().(Implementation); ok != Fast {
		t.Errorf("gonum uses %T, Fast = %t", blas64.Implementation(), Fast)
	}
}

func BenchmarkDgemm(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 1))
	for _, s := range [][3]int{{64, 64, 64}, {256, 256, 256}, {1000, 1000, 1000}, {100000, 50, 50}} {
		x, y, c := random(r, s[0]*s[2]), random(r, s[2]*s[1]), make([]float64, s[0]*s[1])
		for name, impl := range map[string]gemmer{"latent": Implementation{}, "gonum": gonum.Implementation{}} {
			b.Run(fmt.Sprintf("%dx%dx%d/%s", s[0], s[1], s[2], name), func(b *testing.B) {
				for b.Loop() {
					impl.Dgemm(blas.NoTrans, blas.Trans, s[0], s[1], s[2], 1, x, s[2], y, s[2], 0, c, s[1])
				}
				b.ReportMetric(2*float64(s[0])*float64(s[1])*float64(s[2])*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gflop/s")
			})
		}
	}
}

func BenchmarkDecompositions(b *testing.B) {
	r := rand.New(rand.NewPCG(6, 1))
	a := mat.NewDense(600, 200, random(r, 600*200))
	var g mat.SymDense
	g.SymOuterK(1, a.T())
	for name, impl := range map[string]blas.Float64{"latent": Implementation{}, "gonum": gonum.Implementation{}} {
		for what, f := range map[string]func(){
			"SVD":      func() { var s mat.SVD; s.Factorize(a, mat.SVDThin) },
			"EigenSym": func() { var e mat.EigenSym; e.Factorize(&g, true) },
			"Cholesky": func() { var c mat.Cholesky; c.Factorize(&g) },
			"QR":       func() { var q mat.QR; q.Factorize(a) },
		} {
			b.Run(what+"/"+name, func(b *testing.B) {
				blas64.Use(impl)
				defer blas64.Use(Implementation{})
				for b.Loop() {
					f()
				}
			})
		}
	}
}

type gemmer interface {
	Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int)
}

func BenchmarkSqEuclidean(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 1))
	x, y := random(r, 50), random(r, 50)
	for b.Loop() {
		SqEuclidean(x, y)
	}
}
