package blas

import (
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"
	"pgregory.net/rapid"
)

// call is one call of a routine on drawn arguments. It is made on fresh copies of what it writes
// to.
type call struct {
	out    []float64                              // what it writes to, before
	inside func(i int) bool                       // which numbers of out it may write
	run    func(impl blas.Float64, out []float64) // makes the call
	size   int                                    // length of the longest sum
	grows  float64                                // by how much rounding is amplified, 1 if 0
	poison bool                                   // the first number is NaN before, and must be overwritten
	kernel bool                                   // leave the plain level out
}

func with(l level, procs int, f func()) {
	old, before := active, runtime.GOMAXPROCS(procs)
	defer func() { active = old; runtime.GOMAXPROCS(before) }()
	active = l
	f()
}

// check makes the call with every kernel that this processor has and on several numbers of
// processors, and compares with gonum's own code. The kernels must agree to the bit, and touch
// nothing outside.
func (c call) check(t *rapid.T) {
	want := slices.Clone(c.out)
	c.run(reference{}, want)
	scale := 1.0
	for i, w := range want {
		if c.inside(i) {
			scale = max(scale, math.Abs(w))
		}
	}
	tolerance := 1e-15 * float64(c.size+20) * scale * max(c.grows, 1)
	var first []float64
	for l := plain; l <= supported(); l++ {
		if l == plain && c.kernel {
			continue
		}
		for _, procs := range []int{1, 2, 5} {
			got := slices.Clone(c.out)
			if c.poison && l != plain { // gonum's own Dsyrk and Dsyr2k keep it
				got[0] = math.NaN()
			}
			with(l, procs, func() { c.run(Implementation{}, got) })
			for i, w := range want {
				switch inside := c.inside(i); {
				case !inside && math.Float64bits(got[i]) != math.Float64bits(c.out[i]):
					t.Fatalf("%v: number %d, which lies outside, was written", l, i)
				case inside && !(math.Abs(got[i]-w) <= tolerance):
					t.Fatalf("%v: number %d is %v, want %v (± %.2g)", l, i, got[i], w, tolerance)
				}
			}
			if l == plain {
				break
			}
			if first == nil {
				first = got
			}
			for i, f := range first {
				if math.Float64bits(got[i]) != math.Float64bits(f) {
					t.Fatalf("%v on %d processors: number %d is %v, was %v before", l, procs, i, got[i], f)
				}
			}
		}
	}
}

// reference is gonum's code, but for Dgemv and Dger on increments below 0, with which gonum 0.17's
// kernels for amd64 read the wrong elements.
type reference struct{ gonum.Implementation }

func (r reference) Dgemv(tA blas.Transpose, m, n int, alpha float64, a []float64, lda int, x []float64, incX int, beta float64, y []float64, incY int) {
	ny, nx := swapIf(tA, m, n)
	xs, ys := gather(make([]float64, nx), x, incX), gather(make([]float64, ny), y, incY)
	r.Implementation.Dgemv(tA, m, n, alpha, a, lda, xs, 1, beta, ys, 1)
	update(y, incY, ny, 1, ys, 0)
}

func (r reference) Dger(m, n int, alpha float64, x []float64, incX int, y []float64, incY int, a []float64, lda int) {
	r.Implementation.Dger(m, n, alpha, gather(make([]float64, m), x, incX), 1, gather(make([]float64, n), y, incY), 1, a, lda)
}

// draws are the arguments that all routines have.
type draws struct {
	*rapid.T
	r *rand.Rand
}

func newDraws(t *rapid.T) draws {
	return draws{t, rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))}
}

func (d draws) dim(name string) int {
	return rapid.OneOf(rapid.IntRange(1, 40), rapid.IntRange(1, 300)).Draw(d.T, name)
}

func (d draws) coef(name string) float64 {
	return rapid.SampledFrom([]float64{0, 1, -1, 0.3, 2}).Draw(d.T, name)
}

func (d draws) trans(name string) blas.Transpose {
	return rapid.SampledFrom([]blas.Transpose{blas.NoTrans, blas.Trans, blas.ConjTrans}).Draw(d.T, name)
}

func (d draws) uplo() blas.Uplo {
	return rapid.SampledFrom([]blas.Uplo{blas.Upper, blas.Lower}).Draw(d.T, "uplo")
}

// matrix is r×c, with a leading dimension that may be greater.
func (d draws) matrix(name string, r, c int) ([]float64, int) {
	ld := c + rapid.IntRange(0, 5).Draw(d.T, "ld"+name)
	return random(d.r, (r-1)*ld+c), ld
}

// vector has n elements inc apart.
func (d draws) vector(name string, n int) ([]float64, int) {
	inc := rapid.SampledFrom([]int{1, 1, 2, 3, -1, -2}).Draw(d.T, "inc"+name)
	return random(d.r, (n-1)*max(inc, -inc)+1), inc
}

func swapIf(t blas.Transpose, r, c int) (int, int) {
	if t == blas.NoTrans {
		return r, c
	}
	return c, r
}

func TestDgemm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		m, n, k := d.dim("m"), d.dim("n"), d.dim("k")
		switch rapid.IntRange(0, 9).Draw(t, "shape") {
		case 0: // a covariance
			k += 2500
		case 1:
			n += 1600
		}
		tA, tB, alpha, beta := d.trans("tA"), d.trans("tB"), d.coef("alpha"), d.coef("beta")
		ar, ac := swapIf(tA, m, k)
		br, bc := swapIf(tB, k, n)
		a, lda := d.matrix("a", ar, ac)
		b, ldb := d.matrix("b", br, bc)
		c, ldc := d.matrix("c", m, n)
		call{out: c, size: k, poison: beta == 0, inside: func(i int) bool { return i%ldc < n }, run: func(impl blas.Float64, c []float64) {
			impl.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		}}.check(t)
	})
}

func TestDsyrkAndDsyr2k(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		n, k := d.dim("n"), d.dim("k")
		if rapid.Bool().Draw(t, "deep") {
			n, k = min(n, 128), k+2500
		}
		ul, tA, alpha, beta := d.uplo(), d.trans("tA"), d.coef("alpha"), d.coef("beta")
		r, c := swapIf(tA, n, k)
		a, lda := d.matrix("a", r, c)
		b, ldb := d.matrix("b", r, c)
		out, ldc := d.matrix("c", n, n)
		inside := func(i int) bool {
			row, col := i/ldc, i%ldc
			return col < n && (col >= row && ul == blas.Upper || col <= row && ul == blas.Lower)
		}
		call{out: out, size: k, poison: beta == 0, inside: inside, run: func(impl blas.Float64, c []float64) {
			impl.Dsyrk(ul, tA, n, k, alpha, a, lda, beta, c, ldc)
		}}.check(t)
		call{out: out, size: 2 * k, poison: beta == 0, inside: inside, run: func(impl blas.Float64, c []float64) {
			impl.Dsyr2k(ul, tA, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
		}}.check(t)
	})
}

func TestDtrsmAndDtrmm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		side := rapid.SampledFrom([]blas.Side{blas.Left, blas.Right}).Draw(t, "side")
		diag := rapid.SampledFrom([]blas.Diag{blas.Unit, blas.NonUnit}).Draw(t, "diag")
		m, n, ul, tA, alpha := d.dim("m"), d.dim("n"), d.uplo(), d.trans("tA"), d.coef("alpha")
		order := n
		if side == blas.Left {
			order = m
		}
		a, lda := d.matrix("a", order, order)
		for i := range a {
			a[i] /= float64(order) // so that solutions do not grow
			row, col := i/lda, i%lda
			switch {
			case row == col:
				a[i] = 1 + math.Abs(a[i])
			case col > row && ul == blas.Lower || col < row && ul == blas.Upper, row == col && diag == blas.Unit:
				a[i] = math.NaN() // the other triangle must not be read
			}
		}
		b, ldb := d.matrix("b", m, n)
		inside := func(i int) bool { return i%ldb < n }
		call{out: b, size: order, grows: 10, inside: inside, run: func(impl blas.Float64, b []float64) {
			impl.Dtrsm(side, ul, tA, diag, m, n, alpha, a, lda, b, ldb)
		}}.check(t)
		call{out: b, size: order, inside: inside, run: func(impl blas.Float64, b []float64) {
			impl.Dtrmm(side, ul, tA, diag, m, n, alpha, a, lda, b, ldb)
		}}.check(t)
	})
}

func TestLevel2(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		m, n, ul, tA, alpha, beta := d.dim("m"), d.dim("n"), d.uplo(), d.trans("tA"), d.coef("alpha"), d.coef("beta")
		a, lda := d.matrix("a", m, n)
		ny, nx := swapIf(tA, m, n)
		x, incX := d.vector("x", nx)
		y, incY := d.vector("y", ny)
		call{out: y, size: nx, poison: beta == 0 && alpha != 0, kernel: incX < 0 || incY < 0, inside: func(i int) bool { return i%max(incY, -incY) == 0 }, run: func(impl blas.Float64, y []float64) {
			impl.Dgemv(tA, m, n, alpha, a, lda, x, incX, beta, y, incY)
		}}.check(t)

		u, incU := d.vector("u", m)
		v, incV := d.vector("v", n)
		call{out: a, size: 1, kernel: incU < 0 || incV < 0, inside: func(i int) bool { return i%lda < n }, run: func(impl blas.Float64, a []float64) {
			impl.Dger(m, n, alpha, u, incU, v, incV, a, lda)
		}}.check(t)

		s, lds := d.matrix("s", n, n)
		w, incW := d.vector("w", n)
		call{out: w, size: n, inside: func(i int) bool { return i%max(incW, -incW) == 0 }, run: func(impl blas.Float64, w []float64) {
			impl.Dsymv(ul, n, alpha, s, lds, v, incV, beta, w, incW)
		}}.check(t)
	})
}

func TestLevel1(t *testing.T) {
	all := func(int) bool { return true }
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		n, alpha := d.dim("n"), d.coef("alpha")
		x, incX := d.vector("x", n)
		y, incY := d.vector("y", n)
		call{out: make([]float64, 2), size: n, grows: 10, inside: all, run: func(impl blas.Float64, out []float64) {
			out[0] = impl.Ddot(n, x, incX, y, incY)
			out[1] = impl.Dnrm2(n, x, max(incX, -incX))
		}}.check(t)
		call{out: y, size: 2, inside: func(i int) bool { return i%max(incY, -incY) == 0 }, run: func(impl blas.Float64, y []float64) {
			impl.Daxpy(n, alpha, x, incX, y, incY)
		}}.check(t)
		both := append(slices.Clone(x), y...)
		call{out: both, size: 2, inside: all, run: func(impl blas.Float64, both []float64) {
			impl.Drot(n, both[:len(x)], incX, both[len(x):], incY, 0.6, 0.8)
		}}.check(t)
	})
}

func TestDnrm2WhereSquaresOverflow(t *testing.T) {
	for _, s := range []float64{0, 1e-310, 1e-200, 1e-140, 1, 1e150, 1e200, 1e307} {
		x := make([]float64, 9)
		for i := range x {
			x[i] = s
		}
		if got, want := (Implementation{}).Dnrm2(9, x, 1), 3*s; math.Abs(got-want) > 1e-15*want {
			t.Errorf("‖x‖ of nine times %g is %g", s, got)
		}
	}
}
