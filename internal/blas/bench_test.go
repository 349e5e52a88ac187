package blas

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/blas/gonum"
	"gonum.org/v1/gonum/mat"
)

// withEach runs a benchmark on gonum's own code and on every kernel.
func withEach(b *testing.B, name string, flops float64, f func(b *testing.B, impl blas.Float64)) {
	before := blas64.Implementation()
	defer func(old level) { active = old; blas64.Use(before) }(active)
	for l := plain; l <= supported(); l++ {
		var impl blas.Float64 = Implementation{}
		if active = l; l == plain {
			impl = gonum.Implementation{}
		}
		b.Run(fmt.Sprintf("%s/%v", name, l), func(b *testing.B) {
			blas64.Use(impl)
			f(b, impl)
			if flops > 0 {
				b.ReportMetric(flops*float64(b.N)/b.Elapsed().Seconds()/1e9, "Gflop/s")
			}
		})
	}
}

func BenchmarkDgemm(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 1))
	for _, s := range [][3]int{{64, 64, 64}, {256, 256, 256}, {1000, 1000, 1000}, {2000, 2000, 2000}, {100000, 50, 50}, {50, 50, 100000}} {
		x, y, c := random(r, s[0]*s[2]), random(r, s[2]*s[1]), make([]float64, s[0]*s[1])
		flops := 2 * float64(s[0]) * float64(s[1]) * float64(s[2])
		withEach(b, fmt.Sprintf("%dx%dx%d", s[0], s[1], s[2]), flops, func(b *testing.B, impl blas.Float64) {
			for b.Loop() {
				impl.Dgemm(blas.NoTrans, blas.Trans, s[0], s[1], s[2], 1, x, s[2], y, s[2], 0, c, s[1])
			}
		})
	}
}

func BenchmarkDsyrk(b *testing.B) {
	r := rand.New(rand.NewPCG(5, 1))
	x, c := random(r, 20000*500), make([]float64, 500*500)
	withEach(b, "20000x500", 20000*500*500, func(b *testing.B, impl blas.Float64) {
		for b.Loop() {
			impl.Dsyrk(blas.Upper, blas.Trans, 500, 20000, 1, x, 500, 0, c, 500)
		}
	})
}

func BenchmarkDecompositions(b *testing.B) {
	r := rand.New(rand.NewPCG(6, 1))
	for _, n := range []int{200, 500} {
		a := mat.NewDense(3*n, n, random(r, 3*n*n))
		var g mat.SymDense
		g.SymOuterK(1, a.T())
		for _, d := range []struct {
			name string
			f    func()
		}{
			{"SVD", func() { var s mat.SVD; s.Factorize(a, mat.SVDThin) }},
			{"EigenSym", func() { var e mat.EigenSym; e.Factorize(&g, true) }},
			{"Cholesky", func() { var c mat.Cholesky; c.Factorize(&g) }},
			{"QR", func() { var q mat.QR; q.Factorize(a) }},
		} {
			withEach(b, fmt.Sprintf("%s%d", d.name, n), 0, func(b *testing.B, _ blas.Float64) {
				for b.Loop() {
					d.f()
				}
			})
		}
	}
}

func BenchmarkVectors(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 1))
	const d, m = 50, 200
	x, rows, dst := random(r, d), random(r, d*m), make([]float64, m)
	small, big, out := random(r, 10000), make([]float64, 10000), make([]float64, 10000)
	for _, k := range []struct {
		name string
		f    func()
	}{
		{"SqEuclidean 50", func() { SqEuclidean(x, rows) }},
		{"SqEuclideanRows 200x50", func() { SqEuclideanRows(dst, x, rows, d) }},
		{"ManhattanRows 200x50", func() { ManhattanRows(dst, x, rows, d) }},
		{"ChebyshevRows 200x50", func() { ChebyshevRows(dst, x, rows, d) }},
		{"Exp 10000", func() { Exp(big, small) }},
		{"Log 10000", func() { Log(out, big) }},
		{"LeastTwo 200", func() { LeastTwo(rows, dst) }},
	} {
		withEach(b, k.name, 0, func(b *testing.B, _ blas.Float64) {
			for b.Loop() {
				k.f()
			}
		})
	}
}
