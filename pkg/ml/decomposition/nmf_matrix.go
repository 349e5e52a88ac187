package decomposition

import (
	"context"
	"math"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/eigen"
	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml/csr"
	blasapi "gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/mat"
)

// nmfRows is how many rows are worked on at a time.
const nmfRows = 128

func (x *nmfMatrix) turn() {
	x.turned = &csr.Matrix{Columns: x.n, Start: make([]int, x.d+1), Index: make([]int, x.sparse.NNZ()), Value: make([]float64, x.sparse.NNZ())}
	x.from = make([]int, x.sparse.NNZ())
	for _, j := range x.sparse.Index {
		x.turned.Start[j+1]++
	}
	for j := range x.d {
		x.turned.Start[j+1] += x.turned.Start[j]
	}
	next := append([]int(nil), x.turned.Start[:x.d]...)
	for i := range x.n {
		for at := x.sparse.Start[i]; at < x.sparse.Start[i+1]; at++ {
			to := next[x.sparse.Index[at]]
			next[x.sparse.Index[at]]++
			x.turned.Index[to], x.turned.Value[to], x.from[to] = i, x.sparse.Value[at], at
		}
	}
}

// blank is a matrix with room for as many entries, in the same places.
func (x *nmfMatrix) blank() *nmfMatrix {
	out := &nmfMatrix{n: x.n, d: x.d, from: x.from}
	if x.sparse == nil {
		out.dense = make([]float64, len(x.dense))
		return out
	}
	out.sparse = &csr.Matrix{Columns: x.d, Start: x.sparse.Start, Index: x.sparse.Index, Value: make([]float64, x.sparse.NNZ())}
	out.turned = &csr.Matrix{Columns: x.n, Start: x.turned.Start, Index: x.turned.Index, Value: make([]float64, x.sparse.NNZ())}
	return out
}

// scaled is the matrix times unit².
func (x *nmfMatrix) scaled(unit float64) *nmfMatrix {
	if unit == 1 {
		return x
	}
	out := x.blank()
	// Once and again: the square of a unit may be beyond what a float64 holds.
	to, from := out.dense, x.dense
	if x.sparse != nil {
		to, from = out.sparse.Value, x.sparse.Value
	}
	for i, v := range from {
		to[i] = v * unit * unit
	}
	out.values()
	return out
}

// values copies the entries of sparse to its transpose.
func (x *nmfMatrix) values() {
	for to, at := range x.from {
		x.turned.Value[to] = x.sparse.Value[at]
	}
}

// take returns some of the rows.
func (x *nmfMatrix) take(rows []int) *nmfMatrix {
	out := &nmfMatrix{n: len(rows), d: x.d}
	if x.sparse == nil {
		out.dense = make([]float64, 0, len(rows)*x.d)
		for _, i := range rows {
			out.dense = append(out.dense, x.dense[i*x.d:(i+1)*x.d]...)
		}
		return out
	}
	out.sparse = &csr.Matrix{Columns: x.d, Start: []int{0}}
	for _, i := range rows {
		columns, values := x.sparse.Of(i)
		out.sparse.Index, out.sparse.Value = append(out.sparse.Index, columns...), append(out.sparse.Value, values...)
		out.sparse.Start = append(out.sparse.Start, len(out.sparse.Index))
	}
	out.turn()
	return out
}

// row returns the entries of a row, and their columns; nil for all.
func (x *nmfMatrix) row(i int) (columns []int, values []float64) {
	if x.sparse != nil {
		return x.sparse.Of(i)
	}
	return nil, x.dense[i*x.d : (i+1)*x.d]
}

func (x *nmfMatrix) factor() eigen.Factor {
	if x.sparse == nil {
		return eigen.DenseFactor{A: mat.NewDense(x.n, x.d, x.dense)}
	}
	return eigen.NewSparseFactor(x.sparse)
}

func (x *nmfMatrix) sums() (total, square float64) {
	v := x.dense
	if x.sparse != nil {
		v = x.sparse.Value
	}
	return floats.Sum(v), floats.Dot(v, v)
}

// mul sets dst, n×k, to X·v.
func (x *nmfMatrix) mul(dst, v []float64, k int) {
	if x.sparse != nil {
		x.sparse.MulTo(dst, v, k)
		return
	}
	blas64.Gemm(blasapi.NoTrans, blasapi.NoTrans, 1, rowMajor(x.n, x.d, x.dense), rowMajor(x.d, k, v), 0, rowMajor(x.n, k, dst))
}

// tmul sets dst, d×k, to Xᵀ·w.
func (x *nmfMatrix) tmul(dst, w []float64, k int) {
	if x.sparse != nil {
		x.turned.MulTo(dst, w, k)
		return
	}
	blas64.Gemm(blasapi.Trans, blasapi.NoTrans, 1, rowMajor(x.n, x.d, x.dense), rowMajor(x.n, k, w), 0, rowMajor(x.d, k, dst))
}

func rowMajor(rows, columns int, data []float64) blas64.General {
	return blas64.General{Rows: rows, Cols: columns, Stride: columns, Data: data}
}

// gramTo sets dst, k×k, to aᵀa.
func gramTo(dst, a []float64, k int) {
	m := rowMajor(len(a)/k, k, a)
	blas64.Gemm(blasapi.Trans, blasapi.NoTrans, 1, m, m, 0, rowMajor(k, k, dst))
}

// leastProduct stands for an entry of WH that is 0, or next to it, where it divides.
const leastProduct = 1e-100

// compare returns D(X‖Q) for Q = W·vᵀ. Where a is not nil it becomes X/Q of Kullback and Leibler's,
// and X/Q² of Itakura and Saito's divergence, which also sets b to 1/Q: what multiplicative updates
// are made of.
func (x *nmfMatrix) compare(divergence Divergence, w, v []float64, k int, a, b *nmfMatrix) float64 {
	if a == nil {
		a = x.blank()
	}
	if x.sparse != nil {
		return x.compareSparse(divergence, w, v, k, a)
	}
	blas64.Gemm(blasapi.NoTrans, blasapi.Trans, 1, rowMajor(x.n, k, w), rowMajor(x.d, k, v), 0, rowMajor(x.n, x.d, a.dense))
	sums := make([]float64, parallel.Chunks(x.n, nmfRows))
	_ = parallel.For(context.Background(), x.n, nmfRows, func(chunk, lo, hi int) {
		q, x := a.dense[lo*x.d:hi*x.d], x.dense[lo*x.d:hi*x.d]
		sum := 0.0
		if divergence == Frobenius {
			for i, v := range q {
				sum += (x[i] - v) * (x[i] - v)
			}
			sums[chunk] = sum / 2
			return
		}
		logs := make([]float64, len(q))
		for i, v := range q {
			if v = max(v, leastProduct); x[i] > 0 {
				logs[i] = x[i] / v
			} else {
				logs[i] = 1
			}
		}
		blas.Log(logs, logs)
		if divergence == KullbackLeibler {
			for i, v := range q {
				sum += x[i]*logs[i] - x[i] + v
				q[i] = x[i] / max(v, leastProduct)
			}
			sums[chunk] = sum
			return
		}
		for i, v := range q {
			inverse := 1 / max(v, leastProduct)
			r := x[i] * inverse
			sum += r - logs[i] - 1
			q[i] = r * inverse
			if b != nil {
				b.dense[lo*b.d+i] = inverse
			}
		}
		sums[chunk] = sum
	})
	return max(floats.Sum(sums), 0)
}

// compareSparse needs Q only where X is not 0: the rest of it comes from sums.
func (x *nmfMatrix) compareSparse(divergence Divergence, w, v []float64, k int, a *nmfMatrix) float64 {
	sums := make([]float64, parallel.Chunks(x.n, nmfRows))
	_ = parallel.For(context.Background(), x.n, nmfRows, func(chunk, lo, hi int) {
		for i := lo; i < hi; i++ {
			columns, values := x.sparse.Of(i)
			row := w[i*k : (i+1)*k]
			for p, j := range columns {
				q, x := blas.Dot(row, v[j*k:(j+1)*k]), values[p]
				if divergence == Frobenius {
					sums[chunk] += (x-q)*(x-q) - q*q
					continue
				}
				r := x / max(q, leastProduct)
				a.sparse.Value[a.sparse.Start[i]+p] = r
				if x > 0 {
					sums[chunk] += x*math.Log(r) - x
				}
			}
		}
	})
	if divergence == Frobenius {
		g, h := make([]float64, k*k), make([]float64, k*k)
		gramTo(g, w, k)
		gramTo(h, v, k)
		return max(floats.Sum(sums)+floats.Dot(g, h), 0) / 2
	}
	a.values()
	return max(floats.Sum(sums)+floats.Dot(columnSums(w, k), columnSums(v, k)), 0)
}

func columnSums(w []float64, k int) []float64 {
	out := make([]float64, k)
	for i := 0; i < len(w); i += k {
		floats.Add(out, w[i:i+k])
	}
	return out
}
