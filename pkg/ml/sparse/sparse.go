// Package sparse writes each observation as a combination of few atoms out of many:
//
//	y ≈ Dᵀz,   most of z zero.
//
// The atoms are the rows of a dictionary D, K×d, as components are in package decomposition; often
// there are more of them than variables. Coders find z for a dictionary that is given: Threshold,
// MatchingPursuit, OMP, Lasso, LARS, ISTA, FISTA, BasisPursuit. KSVD and OnlineDictionary learn the
// dictionary from the data.
package sparse

import (
	"context"
	"fmt"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/internal/scaling"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"gonum.org/v1/gonum/mat"
)

// Code holds the codes of n rows in a dictionary of K atoms.
type Code struct {
	Coefficients csr.Matrix // n×K: row i is z of row i of the data
	Residual     []float64  // ‖y − Dᵀz‖ of each row
	Objective    float64    // what the method minimises, summed over the rows; of a pursuit half the squared residuals
	Gap          float64    // at most so far is Objective above its minimum; 0 for pursuits, which know no bound
	Iterations   int        // the most that a row took
	Converged    bool       // for every row
}

func init() { ml.Register[Code]("sparse.Code") }

// Dense returns the coefficients with all their zeros, n×K.
func (c *Code) Dense() *mat.Dense { return c.Coefficients.Dense() }

// Nonzeros returns how many atoms each row uses.
func (c *Code) Nonzeros() []int {
	out := make([]int, c.Coefficients.Rows())
	for i := range out {
		out[i] = c.Coefficients.Start[i+1] - c.Coefficients.Start[i]
	}
	return out
}

// Reconstruct returns what the codes stand for, the n×d products Dᵀz. The errors are those of
// ml.Dense for the dictionary, and ml.ErrShape where it has another number of atoms.
func (c *Code) Reconstruct(dictionary mat.Matrix) (*mat.Dense, error) {
	const method = "sparse.Code.Reconstruct"
	d, err := ml.Dense(method, dictionary)
	if err != nil {
		return nil, err
	}
	if k, _ := d.Dims(); k != c.Coefficients.Columns {
		return nil, ml.BadShape(method, "the dictionary has %d atoms, the codes are of %d", k, c.Coefficients.Columns)
	}
	return c.Coefficients.Mul(d)
}

// atoms is a dictionary that has been checked.
type atoms struct {
	x    *mat.Dense // K×d, the caller's times unit, so that squares of it stay in range
	unit float64
	k, d int
	norm []float64 // of each row of x
	gram []float64 // K×K, products of the rows of x; nil where they are not worth their cost
}

// checkAtoms takes a dictionary of any kind; every atom must differ from 0.
func checkAtoms(method string, dictionary mat.Matrix) (*atoms, error) {
	x, err := ml.Dense(method+", Dictionary", dictionary)
	if err != nil {
		return nil, err
	}
	a := newAtoms(x)
	for j, v := range a.norm {
		if v == 0 {
			return nil, ml.BadParameter(method, fmt.Sprintf("the norm of atom %d", j), 0, "more than 0: leave an atom of zeros out")
		}
	}
	return a, nil
}

func newAtoms(x *mat.Dense) *atoms {
	a := &atoms{}
	a.x, a.unit = scaling.InRange(x)
	a.k, a.d = x.Dims()
	a.norm = make([]float64, a.k)
	for j := range a.norm {
		row := a.x.RawRowView(j)
		a.norm[j] = math.Sqrt(blas.Dot(row, row))
	}
	return a
}

// mostGram is how many atoms a dictionary may have for its Gram matrix, of 8·K² bytes, to be made.
const mostGram = 4096

// products makes the Gram matrix where n signals to code make up for it.
func (a *atoms) products(n int) {
	if a.gram != nil || a.k > mostGram || a.k > 64 && n < a.k/16 {
		return
	}
	a.gram = make([]float64, a.k*a.k)
	raw := a.x.RawMatrix().Data
	var g mat.Dense
	if a.k*a.k*a.d > 1<<20 {
		g.Mul(a.x, a.x.T())
		copy(a.gram, g.RawMatrix().Data)
		return
	}
	blas.AddMulT(a.gram, 1, raw, a.k, raw, a.k, a.d)
}

// gramRow returns the products of atom j with all, in into where they are not at hand.
func (a *atoms) gramRow(j int, into []float64) []float64 {
	if a.gram != nil {
		return a.gram[j*a.k : (j+1)*a.k]
	}
	blas.DotRows(into, a.x.RawRowView(j), a.x.RawMatrix().Data, a.d)
	return into
}

// signals are rows to code.
type signals struct {
	*atoms
	y    *mat.Dense // n×d, the caller's times yUnit
	n    int
	unit float64 // of y
	back float64 // of coefficients: the caller's are those of y and x times this
}

// check takes the data and the dictionary of a coder.
func check(method string, dictionary, x mat.Matrix) (*signals, error) {
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	a, err := checkAtoms(method, dictionary)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	if d != a.d {
		return nil, ml.BadShape(method, "the data have %d columns, the atoms of Dictionary %d", d, a.d)
	}
	return newSignals(a, y, n), nil
}

func newSignals(a *atoms, y *mat.Dense, n int) *signals {
	s := &signals{atoms: a, n: n}
	s.y, s.unit = scaling.InRange(y)
	s.back = a.unit / s.unit
	a.products(n)
	return s
}

// chunk is how many rows a goroutine codes at a time.
const chunk = 64

// each calls f for every row with its products with the atoms, Dy; several rows at a time, on all
// processors. start makes the memory that one goroutine needs.
func each[S any](ctx context.Context, s *signals, start func() S, f func(scratch S, i int, y, corr []float64)) error {
	return parallel.For(ctx, s.n, chunk, func(_, lo, hi int) {
		scratch := start()
		corr := make([]float64, (hi-lo)*s.k)
		blas.AddMulT(corr, 1, s.y.RawMatrix().Data[lo*s.d:hi*s.d], hi-lo, s.x.RawMatrix().Data, s.k, s.d)
		for i := lo; i < hi; i++ {
			if ctx.Err() != nil {
				return
			}
			f(scratch, i, s.y.RawRowView(i), corr[(i-lo)*s.k:(i-lo+1)*s.k])
		}
	})
}

// row is the code of one signal, in the units of signals.
type row struct {
	index      []int
	value      []float64
	penalty    float64 // what the objective has beside half the squared residual
	gap        float64
	iterations int
	converged  bool
}

// residual sets r to y − Dᵀz.
func (a *atoms) residual(r, y []float64, z row) {
	copy(r, y)
	for t, j := range z.index {
		blas.Axpy(-z.value[t], a.x.RawRowView(j), r)
	}
}

// sort brings a code into the order of the atoms, without zeros.
func (z *row) sort() {
	kept := 0
	for t, v := range z.value {
		if v != 0 {
			z.index[kept], z.value[kept] = z.index[t], v
			kept++
		}
	}
	z.index, z.value = z.index[:kept], z.value[:kept]
	for t := 1; t < kept; t++ {
		for u := t; u > 0 && z.index[u] < z.index[u-1]; u-- {
			z.index[u], z.index[u-1] = z.index[u-1], z.index[u]
			z.value[u], z.value[u-1] = z.value[u-1], z.value[u]
		}
	}
}

// code gathers rows, in the caller's units. squares says whether half the squared residual is a
// part of the objective.
func (s *signals) code(ctx context.Context, method string, rows []row, squares bool) (*Code, error) {
	c := &Code{Residual: make([]float64, s.n), Converged: true}
	c.Coefficients = csr.Matrix{Columns: s.k, Start: make([]int, s.n+1)}
	half := make([]float64, s.n)
	// What has begun is finished: the model of a fit that is cut off is whole.
	if err := parallel.For(context.WithoutCancel(ctx), s.n, chunk, func(_, lo, hi int) {
		r := make([]float64, s.d)
		for i := lo; i < hi; i++ {
			rows[i].sort()
			s.residual(r, s.y.RawRowView(i), rows[i])
			half[i] = blas.Dot(r, r)
			c.Residual[i] = math.Sqrt(half[i]) / s.unit
			half[i] /= 2
		}
	}); err != nil {
		return nil, err
	}
	total, gap, count := 0.0, 0.0, 0
	for i, z := range rows {
		c.Coefficients.Start[i] = count
		count += len(z.index)
		total += z.penalty
		if squares {
			total += half[i]
		}
		gap += z.gap
		c.Iterations = max(c.Iterations, z.iterations)
		c.Converged = c.Converged && z.converged
	}
	c.Coefficients.Start[s.n] = count
	c.Coefficients.Index, c.Coefficients.Value = make([]int, 0, count), make([]float64, 0, count)
	for i, z := range rows {
		for t, v := range z.value {
			v *= s.back
			if math.IsInf(v, 0) {
				return nil, ml.NotFinite(method, "the coefficient of row %d and atom %d is beyond the range of a float64: scale the data or the atoms", i, z.index[t])
			}
			c.Coefficients.Index, c.Coefficients.Value = append(c.Coefficients.Index, z.index[t]), append(c.Coefficients.Value, v)
		}
	}
	if squares { // in squares of the data's unit
		c.Objective, c.Gap = total/s.unit/s.unit, gap/s.unit/s.unit
	} else { // a sum of coefficients
		c.Objective, c.Gap = total*s.back, gap*s.back
	}
	return c, nil
}

// largest is the index of the entry of v/norm that is largest in size, the first of equal ones,
// among those that skip does not name.
func largest(v, norm []float64, skip []bool) int {
	best, at := 0.0, -1
	for j, x := range v {
		if x = math.Abs(x) / norm[j]; x > best && !skip[j] {
			best, at = x, j
		}
	}
	return at
}

// cholesky is the lower factor of the Gram matrix of a growing set of atoms, row by row: L holds
// the first row, then the two numbers of the second, …
type cholesky struct {
	l    []float64
	size int
}

func (c *cholesky) reset() { c.l, c.size = c.l[:0], 0 }

func (c *cholesky) row(i int) []float64 { return c.l[i*(i+1)/2 : i*(i+1)/2+i+1] }

// grow adds an atom: its products with those that are there, and with itself. The pivot is
// ‖a‖² less what the others explain of it; where that is nothing but rounding the atom depends on
// them, and it is not added.
func (c *cholesky) grow(products []float64, square float64) bool {
	base := len(c.l)
	c.l = append(c.l, products...)
	w := c.l[base:]
	left := square
	for i := range w {
		prior := c.l[i*(i+1)/2 : i*(i+1)/2+i+1]
		for j := range i {
			w[i] -= prior[j] * w[j]
		}
		w[i] /= prior[i]
		left -= w[i] * w[i]
	}
	if !(left > 1e-12*square) {
		c.l = c.l[:base]
		return false
	}
	c.l = append(c.l, math.Sqrt(left))
	c.size++
	return true
}

// solve replaces b by the solution of LLᵀx = b.
func (c *cholesky) solve(b []float64) {
	for i := range c.size {
		w := c.row(i)
		v := b[i]
		for j := range i {
			v -= w[j] * b[j]
		}
		b[i] = v / w[i]
	}
	for i := c.size - 1; i >= 0; i-- {
		w := c.row(i)
		b[i] /= w[i]
		v := b[i]
		for j := range i {
			b[j] -= w[j] * v
		}
	}
}

// of factors anew the Gram matrix of a set of atoms that are known not to depend on each other.
func (c *cholesky) of(a *atoms, set []int, into []float64) bool {
	c.reset()
	for t, j := range set {
		g := a.gramRow(j, into)
		products := make([]float64, t)
		for u, i := range set[:t] {
			products[u] = g[i]
		}
		if !c.grow(products, a.norm[j]*a.norm[j]) {
			return false
		}
	}
	return true
}
