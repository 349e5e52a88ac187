package blas

import (
	"context"
	"sync"

	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/blas"
)

// The product is computed as in Goto & van de Geijn (2008): panels of A and B are packed into the
// order in which the kernel reads them, sized so that a panel of B stays near the processor, a
// block of A in the second cache, a block of B in the third.
const (
	kc = 256  // depth of a block. The only size that shows in the result, so it is the same for all kernels.
	mc = 128  // rows of a block of A: mc·kc·8 = 256 kB
	nc = 1536 // columns of a block of B: kc·nc·8 = 3 MB
)

// A tile of C is mr×nr, 4×12 or 8×24; the last panel of B is as wide as it must be, in registers of
// unit numbers.
func tileSize() (mr, nr, unit int) {
	if active == avx512 {
		return 8, 24, 8
	}
	return 4, 12, 4
}

const (
	small  = 8 * 8 * 8 // work, in multiply-adds, below which packing costs more than it brings
	shared = 1 << 18   // work from which a second core pays
)

// triangle says which part of C is wanted.
type triangle int

const (
	whole triangle = iota
	upper          // column ≥ row
	lower          // column ≤ row
)

// columns is the part of row i, of n columns, that lies in the triangle.
func (t triangle) columns(i, n int) (from, to int) {
	switch t {
	case upper:
		return min(i, n), n
	case lower:
		return 0, min(i+1, n)
	}
	return 0, n
}

// operand is op(X), one factor of a product, seen as lines that run along the common dimension:
// rows of op(A), columns of op(B).
type operand struct {
	x      []float64
	ld     int
	across bool // consecutive numbers in memory are neighbouring lines, not steps along a line
}

func (o operand) from(line int) operand {
	if o.across {
		return operand{o.x[line:], o.ld, true}
	}
	return operand{o.x[line*o.ld:], o.ld, false}
}

// Dgemm computes C = beta·C + alpha·op(A)·op(B), as gonum's does, but passes on NaN and Inf that
// are multiplied by 0.
func (impl Implementation) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	if active == plain || m*n*k < small || alpha == 0 || !validGemm(tA, tB, m, n, k, a, lda, b, ldb, c, ldc) {
		impl.Implementation.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) // small, trivial, or to panic as gonum does
		return
	}
	product(whole, m, n, k, alpha, operand{a, lda, tA != blas.NoTrans}, operand{b, ldb, tB == blas.NoTrans}, beta, c, ldc)
}

// AddMulT computes C = C + alpha·A·Bᵀ for contiguous A (m×k), B (n×k) and C (m×n) on the calling
// goroutine alone: for methods whose own loop keeps all processors busy.
func AddMulT(c []float64, alpha float64, a []float64, m int, b []float64, n, k int) {
	if active == plain || m*n*k < small || alpha == 0 {
		for i := range m {
			row := a[i*k : (i+1)*k]
			for j := range n {
				c[i*n+j] += alpha * Dot(row, b[j*k:(j+1)*k])
			}
		}
		return
	}
	if len(a) < m*k || len(b) < n*k || len(c) < m*n {
		panic("blas: matrix too short")
	}
	byRows(whole, m, n, k, alpha, operand{a, k, false}, operand{b, k, false}, 1, c, n, m)
}

// validGemm reports whether there is work and gonum would accept the arguments.
func validGemm(tA, tB blas.Transpose, m, n, k int, a []float64, lda int, b []float64, ldb int, c []float64, ldc int) bool {
	if !validTrans(tA) || !validTrans(tB) || m <= 0 || n <= 0 || k <= 0 {
		return false
	}
	ar, ac, br, bc := m, k, k, n
	if tA != blas.NoTrans {
		ar, ac = k, m
	}
	if tB != blas.NoTrans {
		br, bc = n, k
	}
	return fits(ar, ac, lda, a) && fits(br, bc, ldb, b) && fits(m, n, ldc, c)
}

func validTrans(t blas.Transpose) bool {
	return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans
}

func validUplo(u blas.Uplo) bool { return u == blas.Upper || u == blas.Lower }

// fits reports whether x holds r rows of c numbers, ld apart.
func fits(r, c, ld int, x []float64) bool { return ld >= max(1, c) && len(x) >= (r-1)*ld+c }

// product computes the wanted triangle of C = beta·C + alpha·A·B and shares the work among the
// processors. How it is cut changes no element: an element is beta·c plus one sum for every kc of
// k, added in order.
func product(t triangle, m, n, k int, alpha float64, a, b operand, beta float64, c []float64, ldc int) {
	work := m * n * k
	switch {
	case work < shared:
		byRows(t, m, n, k, alpha, a, b, beta, c, ldc, m)
	case m*n <= 128*128 && k >= 8*kc:
		byDepth(t, m, n, k, alpha, a, b, beta, c, ldc)
	case m < n && m < 4*mc && t == whole:
		_, nr, _ := tileSize()
		width := max((n/4+nr-1)/nr*nr, 2*nr)
		_ = parallel.For(context.Background(), n, width, func(_, lo, hi int) {
			byRows(t, m, hi-lo, k, alpha, a, b.from(lo), beta, c[lo:], ldc, m)
		})
	default:
		byRows(t, m, n, k, alpha, a, b, beta, c, ldc, min(mc, max((m/8+7)/8*8, 16)))
	}
}

// byRows packs B block by block, and multiplies it by blocks of rows of A, size at a time on all
// processors.
func byRows(t triangle, m, n, k int, alpha float64, a, b operand, beta float64, c []float64, ldc, size int) {
	mr, nr, unit := tileSize()
	packedB := buffers.Get().(*[]float64)
	defer buffers.Put(packedB)
	for j0 := 0; j0 < n; j0 += nc {
		jn := min(nc, n-j0)
		for k0 := 0; k0 < k; k0 += kc {
			kn := min(kc, k-k0)
			pb := grow(packedB, (jn+unit-1)/unit*unit*kn)
			pack(pb, b, nr, unit, j0, jn, k0, kn, 1)
			rows := func(lo, hi int) {
				packedA := buffers.Get().(*[]float64)
				for i0 := lo; i0 < hi; i0 += mc {
					in := min(mc, hi-i0)
					if t == upper && j0+jn <= i0 || t == lower && j0 >= i0+in {
						continue
					}
					if k0 == 0 && beta != 0 {
						scale(t, c, i0, in, j0, jn, ldc, beta)
					}
					pa := grow(packedA, (in+mr-1)/mr*mr*kn)
					pack(pa, a, mr, mr, i0, in, k0, kn, alpha)
					tiles(t, pa, pb, c, ldc, i0, in, j0, jn, kn, k0 > 0 || beta != 0)
				}
				buffers.Put(packedA)
			}
			if size >= m {
				rows(0, m)
			} else {
				_ = parallel.For(context.Background(), m, size, func(_, lo, hi int) { rows(lo, hi) })
			}
		}
	}
}

// byDepth is for a long common dimension and a small C, such as a covariance: the sums over each kc
// of k are computed side by side, then added in order.
func byDepth(t triangle, m, n, k int, alpha float64, a, b operand, beta float64, c []float64, ldc int) {
	const wave = 16 // sums kept at a time
	sums := buffers.Get().(*[]float64)
	defer buffers.Put(sums)
	part := grow(sums, wave*m*n)
	if beta != 0 {
		scale(t, c, 0, m, 0, n, ldc, beta)
	}
	for k0 := 0; k0 < k; k0 += wave * kc {
		blocks := parallel.Chunks(min(wave*kc, k-k0), kc)
		_ = parallel.For(context.Background(), blocks, 1, func(l, _, _ int) {
			at := k0 + l*kc
			byRows(t, m, n, min(kc, k-at), alpha, a.along(at), b.along(at), 0, part[l*m*n:(l+1)*m*n], n, m)
		})
		for l := range blocks {
			for i := range m {
				from, to := t.columns(i, n)
				row, sum := c[i*ldc+from:i*ldc+to], part[(l*m+i)*n+from:(l*m+i)*n+to]
				if beta == 0 && k0 == 0 && l == 0 {
					copy(row, sum)
					continue
				}
				for j, v := range sum {
					row[j] += v
				}
			}
		}
	}
}

// along is the operand from step k0 of the common dimension on.
func (o operand) along(k0 int) operand {
	if o.across {
		return operand{o.x[k0*o.ld:], o.ld, true}
	}
	return operand{o.x[k0:], o.ld, false}
}

var buffers = sync.Pool{New: func() any { return new([]float64) }}

func grow(p *[]float64, n int) []float64 {
	if cap(*p) < n {
		*p = make([]float64, n)
	}
	return (*p)[:n]
}

// scale multiplies a block of the triangle by beta, which is not 0.
func scale(t triangle, c []float64, i0, in, j0, jn, ldc int, beta float64) {
	if beta == 1 {
		return
	}
	for i := i0; i < i0+in; i++ {
		from, to := t.columns(i, j0+jn)
		from = max(from, j0)
		if from >= to {
			continue
		}
		row := c[i*ldc+from : i*ldc+to]
		for j := range row {
			row[j] *= beta
		}
	}
}

// pack lays alpha times count lines of an operand, from first on, steps k0 to k0+kn, down in panels
// of width lines, step by step; the last panel is as wide as unit allows and filled up with zeros.
func pack(dst []float64, o operand, width, unit, first, count, k0, kn int, alpha float64) {
	for i := 0; i < count; i += width {
		full := min(width, count-i)
		w := (full + unit - 1) / unit * unit
		p := dst[i*kn : i*kn+w*kn]
		fours := full &^ 3
		switch {
		case fours == 0:
		case o.across:
			packAcross(&p[0], w, &o.x[k0*o.ld+first+i], o.ld, kn, fours/4, alpha)
		default:
			for r := 0; r < fours; r += 4 {
				packAlong(&p[r], w, &o.x[(first+i+r)*o.ld+k0], o.ld, kn, alpha)
			}
		}
		if fours == w {
			continue
		}
		for l := range kn {
			clear(p[l*w+fours : (l+1)*w])
		}
		for r := fours; r < full; r++ {
			line := o.from(first + i + r)
			step := 1
			if o.across {
				step = o.ld
			}
			for l := range kn {
				p[l*w+r] = alpha * line.x[(k0+l)*step]
			}
		}
	}
}

// tiles multiplies a packed block of A by a packed block of B into C, or adds the product to C.
// Tiles over an edge are computed aside.
func tiles(t triangle, pa, pb, c []float64, ldc, i0, in, j0, jn, kn int, add bool) {
	mr, nr, unit := tileSize()
	var edge [8 * 24]float64
	for j := 0; j < jn; j += nr {
		width := min(nr, jn-j)
		w := (width + unit - 1) / unit * unit
		b := &pb[j*kn]
		for i := 0; i < in; i += mr {
			if t == upper && j0+j+width <= i0+i || t == lower && j0+j >= i0+min(i+mr, in) {
				continue
			}
			a := &pa[i*kn]
			inside := t == whole || t == upper && j0+j >= i0+i+mr-1 || t == lower && j0+j+width-1 <= i0+i
			if inside && i+mr <= in && width == w {
				tile(w, kn, a, b, &c[(i0+i)*ldc+j0+j], ldc, add)
				continue
			}
			tile(w, kn, a, b, &edge[0], w, false)
			for r := range min(mr, in-i) {
				from, to := t.columns(i0+i+r, j0+j+width)
				for s := max(from, j0+j); s < to; s++ {
					v := edge[r*w+s-j0-j]
					if add {
						v += c[(i0+i+r)*ldc+s]
					}
					c[(i0+i+r)*ldc+s] = v
				}
			}
		}
	}
}

// tile chooses the kernel for a tile w columns wide.
func tile(w, k int, a, b, c *float64, ldc int, add bool) {
	sum := 0
	if add {
		sum = 1
	}
	switch {
	case active == avx512 && w == 24:
		kernel8x24(k, a, b, c, ldc, sum)
	case active == avx512 && w == 16:
		kernel8x16(k, a, b, c, ldc, sum)
	case active == avx512:
		kernel8x8(k, a, b, c, ldc, sum)
	case w == 12:
		kernel4x12(k, a, b, c, ldc, sum)
	case w == 8:
		kernel4x8(k, a, b, c, ldc, sum)
	default:
		kernel4x4(k, a, b, c, ldc, sum)
	}
}
