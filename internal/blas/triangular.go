package blas

import "gonum.org/v1/gonum/blas"

// leaf is the size of a triangle that is not cut further.
const leaf = 24

// Dtrsm solves op(A)·X = alpha·B or X·op(A) = alpha·B for a triangular A, in place, as gonum's
// does. The triangle is halved: two smaller systems, and a matrix product between them.
func (impl Implementation) Dtrsm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	t, ok := newTriangular(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
	if !ok {
		impl.Implementation.Dtrsm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
		return
	}
	t.solve(t.order, alpha, a, b)
}

// Dtrmm computes B = alpha·op(A)·B or B = alpha·B·op(A) for a triangular A, as gonum's does, by the
// same halving.
func (impl Implementation) Dtrmm(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) {
	t, ok := newTriangular(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
	if !ok {
		impl.Implementation.Dtrmm(s, ul, tA, d, m, n, alpha, a, lda, b, ldb)
		return
	}
	t.multiply(t.order, alpha, a, b)
}

// triangular is what stays the same while a triangle is halved.
type triangular struct {
	left     bool // A stands on the left of B
	stored   blas.Uplo
	trans    blas.Transpose
	below    bool // op(A) is lower triangular
	unit     bool
	order    int // of A
	other    int // the dimension of B that is not A's
	lda, ldb int
}

func newTriangular(s blas.Side, ul blas.Uplo, tA blas.Transpose, d blas.Diag, m, n int, alpha float64, a []float64, lda int, b []float64, ldb int) (triangular, bool) {
	t := triangular{
		left: s == blas.Left, stored: ul, trans: tA, below: (ul == blas.Lower) == (tA == blas.NoTrans), unit: d == blas.Unit,
		order: n, other: m, lda: lda, ldb: ldb,
	}
	if t.left {
		t.order, t.other = m, n
	}
	ok := active != plain && (s == blas.Left || s == blas.Right) && validUplo(ul) && validTrans(tA) && (d == blas.Unit || d == blas.NonUnit) &&
		m > 0 && n > 0 && alpha != 0 && t.order*t.other >= 64 && fits(t.order, t.order, lda, a) && fits(m, n, ldb, b)
	return t, ok
}

// halves cuts a triangle of the given order: A's two triangles and the square between them, B's two
// parts.
func (t triangular) halves(order int, a, b []float64) (first, second int, a2, square, b2 []float64) {
	first = (order/2 + 7) / 8 * 8
	a2 = a[first*t.lda+first:]
	square = a[first:]
	if t.stored == blas.Lower {
		square = a[first*t.lda:]
	}
	b2 = b[first:]
	if t.left {
		b2 = b[first*t.ldb:]
	}
	return first, order - first, a2, square, b2
}

// update adds to the part `to` of B (nTo lines) alpha times the product of the square of A with the
// part `from` (nFrom lines), having scaled it by beta.
func (t triangular) update(nTo, nFrom int, alpha float64, square, from []float64, beta float64, to []float64) {
	s := operand{square, t.lda, t.trans != blas.NoTrans}
	if t.left {
		product(whole, nTo, t.other, nFrom, alpha, s, operand{from, t.ldb, true}, beta, to, t.ldb)
		return
	}
	s.across = !s.across
	product(whole, t.other, nTo, nFrom, alpha, operand{from, t.ldb, false}, s, beta, to, t.ldb)
}

func (t triangular) solve(order int, alpha float64, a, b []float64) {
	if order <= leaf {
		t.atLeaf(order, alpha, a, b, t.solveRows)
		return
	}
	n1, n2, a2, square, b2 := t.halves(order, a, b)
	if t.below == t.left { // the first part does not depend on the second
		t.solve(n1, alpha, a, b)
		t.update(n2, n1, -1, square, b, alpha, b2)
		t.solve(n2, 1, a2, b2)
		return
	}
	t.solve(n2, alpha, a2, b2)
	t.update(n1, n2, -1, square, b2, alpha, b)
	t.solve(n1, 1, a, b)
}

func (t triangular) multiply(order int, alpha float64, a, b []float64) {
	if order <= leaf {
		t.atLeaf(order, alpha, a, b, t.multiplyRows)
		return
	}
	n1, n2, a2, square, b2 := t.halves(order, a, b)
	if t.below == t.left { // the second part needs the old first
		t.multiply(n2, alpha, a2, b2)
		t.update(n2, n1, alpha, square, b, 1, b2)
		t.multiply(n1, alpha, a, b)
		return
	}
	t.multiply(n1, alpha, a, b)
	t.update(n1, n2, alpha, square, b2, 1, b)
	t.multiply(n2, alpha, a2, b2)
}

// atLeaf runs body on B with A on the left, where the rows of B are long vectors. With A on the
// right, B is turned, some rows at a time.
func (t triangular) atLeaf(order int, alpha float64, a, b []float64, body func(order, width int, below bool, alpha float64, a, b []float64, ldb int)) {
	if t.left {
		body(order, t.other, t.below, alpha, a, b, t.ldb)
		return
	}
	const width = 64
	var turned [leaf * width]float64
	for i := 0; i < t.other; i += width {
		w := min(width, t.other-i)
		rows := b[i*t.ldb:]
		pack(turned[:order*((w+3)&^3)], operand{rows, t.ldb, false}, width, 4, 0, w, 0, order, 1)
		ld := (w + 3) &^ 3
		body(order, w, !t.below, alpha, a, turned[:], ld)
		fours := order &^ 3
		for j := 0; j < fours; j += 4 {
			packAlong(&rows[j], t.ldb, &turned[j*ld], ld, w, 1)
		}
		for j := fours; j < order; j++ {
			for r := range w {
				rows[r*t.ldb+j] = turned[j*ld+r]
			}
		}
	}
}

// row gathers factor times the elements of row i of op(A), or of its transpose where A stands on
// the right, from column lo to hi.
func (t triangular) row(dst []float64, i, lo, hi int, factor float64, a []float64) []float64 {
	byColumn := (t.trans == blas.NoTrans) != t.left
	dst = dst[:hi-lo]
	for k := range dst {
		if byColumn {
			dst[k] = factor * a[(lo+k)*t.lda+i]
		} else {
			dst[k] = factor * a[i*t.lda+lo+k]
		}
	}
	return dst
}

// solveRows solves a system of at most leaf rows, row by row.
func (t triangular) solveRows(order, width int, below bool, alpha float64, a, b []float64, ldb int) {
	var coef [leaf]float64
	for step := range order {
		i, lo, hi := step, 0, step
		if !below {
			i = order - 1 - step
			lo, hi = i+1, order
		}
		row := b[i*ldb : i*ldb+width]
		scaleVector(alpha, row)
		if hi > lo {
			combine(row, t.row(coef[:], i, lo, hi, -1, a), b[lo*ldb:], ldb)
		}
		if !t.unit {
			diagonal := a[i*t.lda+i]
			for j := range row {
				row[j] /= diagonal
			}
		}
	}
}

// multiplyRows multiplies at most leaf rows by the triangle, in the order that needs no copy.
func (t triangular) multiplyRows(order, width int, below bool, alpha float64, a, b []float64, ldb int) {
	var coef [leaf]float64
	for step := range order {
		i, lo, hi := step, step+1, order
		if below {
			i = order - 1 - step
			lo, hi = 0, i
		}
		row := b[i*ldb : i*ldb+width]
		diagonal := alpha
		if !t.unit {
			diagonal *= a[i*t.lda+i]
		}
		scaleVector(diagonal, row)
		if hi > lo {
			combine(row, t.row(coef[:], i, lo, hi, alpha, a), b[lo*ldb:], ldb)
		}
	}
}

func scaleVector(alpha float64, x []float64) {
	if alpha == 1 {
		return
	}
	for j := range x {
		x[j] *= alpha
	}
}
