package blas

import (
	"context"
	"sync"

	"github.com/golatent/latent/internal/parallel"
	"gonum.org/v1/gonum/blas"
)

// The product is computed as in Goto & van de Geijn (2008): panels of A and B are packed into the order in which the kernel reads them, sized so that
// a panel of B stays in the first cache, a block of A in the second, a block of B in the third.
const (
	mr, nr = 4, 12 // the kernel's tile
	kc     = 256   // depth of a panel: nr·kc·8 bytes = 24 kB
	mc     = 128   // rows of a block of A: mc·kc·8 = 256 kB
	nc     = 1536  // columns of a block of B: kc·nc·8 = 3 MB
)

// small is the work, in multiply-adds, below which packing costs more than it brings.
const small = 16 * 16 * 16

// Dgemm computes C = beta·C + alpha·op(A)·op(B), as gonum's does.
func (impl Implementation) Dgemm(tA, tB blas.Transpose, m, n, k int, alpha float64, a []float64, lda int, b []float64, ldb int, beta float64, c []float64, ldc int) {
	if m*n*k < small || alpha == 0 || !valid(tA, tB, m, n, k, a, lda, b, ldb, c, ldc) {
		impl.Implementation.Dgemm(tA, tB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) // small, trivial, or to panic as gonum does
		return
	}
	aT, bT := tA != blas.NoTrans, tB != blas.NoTrans
	scale(c, m, n, ldc, beta)
	packedB := buffers.Get().(*[]float64)
	defer buffers.Put(packedB)
	for j0 := 0; j0 < n; j0 += nc {
		jn := min(nc, n-j0)
		for k0 := 0; k0 < k; k0 += kc {
			kn := min(kc, k-k0)
			pb := grow(packedB, (jn+nr-1)/nr*nr*kn)
			packB(pb, b, ldb, bT, k0, kn, j0, jn)
			rows(m, m*jn*kn, func(i0, in int) {
				packedA := buffers.Get().(*[]float64)
				pa := grow(packedA, (in+mr-1)/mr*mr*kn)
				packA(pa, a, lda, aT, i0, in, k0, kn, alpha)
				block(pa, pb, c[i0*ldc+j0:], ldc, in, jn, kn)
				buffers.Put(packedA)
			})
		}
	}
}

var buffers = sync.Pool{New: func() any { return new([]float64) }}

func grow(p *[]float64, n int) []float64 {
	if cap(*p) < n {
		*p = make([]float64, n)
	}
	return (*p)[:n]
}

// rows runs body over blocks of rows, on all processors where the work is worth it. Which processor takes a block changes nothing in it.
func rows(m, work int, body func(i0, in int)) {
	if work < 1<<18 || m <= mr {
		for i0 := 0; i0 < m; i0 += mc {
			body(i0, min(mc, m-i0))
		}
		return
	}
	size := mc
	if m < 4*mc { // enough blocks for several processors
		size = max((m/4+mr-1)/mr*mr, mr)
	}
	_ = parallel.For(context.Background(), m, size, func(_, lo, hi int) { body(lo, hi-lo) })
}

// valid reports whether gonum would accept the arguments.
func valid(tA, tB blas.Transpose, m, n, k int, a []float64, lda int, b []float64, ldb int, c []float64, ldc int) bool {
	ok := func(t blas.Transpose) bool { return t == blas.NoTrans || t == blas.Trans || t == blas.ConjTrans }
	fits := func(r, c, ld int, x []float64) bool { return ld >= max(1, c) && len(x) >= (r-1)*ld+c }
	if !ok(tA) || !ok(tB) || m <= 0 || n <= 0 || k <= 0 {
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

// scale sets C to beta·C; a beta of 0 overwrites whatever is there, NaN too.
func scale(c []float64, m, n, ldc int, beta float64) {
	if beta == 1 {
		return
	}
	for i := range m {
		row := c[i*ldc : i*ldc+n]
		if beta == 0 {
			clear(row)
			continue
		}
		for j := range row {
			row[j] *= beta
		}
	}
}

// packA lays alpha·op(A)[i0:i0+in, k0:k0+kn] down in panels of mr rows, column by column; the last panel is filled up with zeros.
func packA(dst, a []float64, lda int, trans bool, i0, in, k0, kn int, alpha float64) {
	for i := 0; i < in; i += mr {
		p := dst[i*kn:]
		full := min(mr, in-i)
		if full < mr {
			clear(p[:mr*kn])
		}
		if trans {
			for l := range kn {
				src := a[(k0+l)*lda+i0+i:]
				for r := range full {
					p[l*mr+r] = alpha * src[r]
				}
			}
			continue
		}
		for r := range full {
			src := a[(i0+i+r)*lda+k0:][:kn]
			for l, v := range src {
				p[l*mr+r] = alpha * v
			}
		}
	}
}

// packB lays op(B)[k0:k0+kn, j0:j0+jn] down in panels of nr columns, row by row; the last panel is filled up with zeros.
func packB(dst, b []float64, ldb int, trans bool, k0, kn, j0, jn int) {
	for j := 0; j < jn; j += nr {
		p := dst[j*kn:]
		full := min(nr, jn-j)
		if full < nr {
			clear(p[:nr*kn])
		}
		if !trans {
			for l := range kn {
				copy(p[l*nr:l*nr+full], b[(k0+l)*ldb+j0+j:])
			}
			continue
		}
		for r := range full {
			src := b[(j0+j+r)*ldb+k0:][:kn]
			for l, v := range src {
				p[l*nr+r] = v
			}
		}
	}
}

// block multiplies a packed block of A by a packed block of B into C. Tiles over the edge are computed aside.
func block(pa, pb, c []float64, ldc, in, jn, kn int) {
	var edge [mr * nr]float64
	for j := 0; j < jn; j += nr {
		b := &pb[j*kn]
		for i := 0; i < in; i += mr {
			a := &pa[i*kn]
			if i+mr <= in && j+nr <= jn {
				kernel4x12(kn, a, b, &c[i*ldc+j], ldc)
				continue
			}
			clear(edge[:])
			kernel4x12(kn, a, b, &edge[0], nr)
			for r := range min(mr, in-i) {
				row := c[(i+r)*ldc+j:]
				for s := range min(nr, jn-j) {
					row[s] += edge[r*nr+s]
				}
			}
		}
	}
}
