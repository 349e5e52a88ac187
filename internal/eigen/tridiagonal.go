package eigen

import (
	"math"
	"slices"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/lapack/gonum"
)

// tridiagonal is a symmetric matrix with numbers on its diagonal and beside it only.
type tridiagonal struct {
	diag, off []float64 // n and n−1
}

// vectors returns eigenvectors of the given eigenvalues, which descend, by inverse iteration, the
// neighbors in a cluster made orthogonal to each other (Peters & Wilkinson, 1979; LAPACK's dstein).
// It costs O(n) a vector, and O(n) for each two in one cluster, where the rotations of the QR
// iteration cost O(n²) a vector. Where they come out neither orthonormal nor eigenvectors to
// rounding, it says so, and whoever asked takes the slow way.
func (t tridiagonal) vectors(values []float64) (vectors [][]float64, ok bool) {
	n := len(t.diag)
	norm := t.norm()
	if norm == 0 || norm-norm != 0 {
		return nil, false
	}
	const eps = 0x1p-52
	solver := newShiftedLU(n)
	first, last := 0, math.Inf(1)
	for k, value := range values {
		if k > 0 && values[k-1]-value > 1e-3*norm {
			first = k // of the cluster
		}
		// Equal values are moved apart by a rounding: the same system would give the same vector.
		shift := min(value, last-10*eps*norm)
		last = shift
		solver.factorize(t, shift, eps*norm)
		v := make([]float64, n)
		r := rng.New(0, k)
		for i := range v {
			v[i] = r.Float64() - 0.5
		}
		for range 3 {
			solver.solve(v)
			for range 2 {
				for _, u := range vectors[first:k] {
					blas.Axpy(-blas.Dot(u, v), u, v)
				}
			}
			if !normalize(v) {
				return nil, false
			}
		}
		if t.residual(v, value) > 100*float64(n)*eps*norm {
			return nil, false
		}
		vectors = append(vectors, v)
	}
	return vectors, orthonormal(vectors)
}

// norm is the largest sum of sizes in a row.
func (t tridiagonal) norm() float64 {
	worst := 0.0
	for i, d := range t.diag {
		s := math.Abs(d)
		if i > 0 {
			s += math.Abs(t.off[i-1])
		}
		if i < len(t.off) {
			s += math.Abs(t.off[i])
		}
		worst = max(worst, s)
	}
	return worst
}

// residual is the largest entry, in size, of Tv − λv.
func (t tridiagonal) residual(v []float64, value float64) float64 {
	worst := 0.0
	for i, d := range t.diag {
		s := (d - value) * v[i]
		if i > 0 {
			s += t.off[i-1] * v[i-1]
		}
		if i < len(t.off) {
			s += t.off[i] * v[i+1]
		}
		worst = max(worst, math.Abs(s))
	}
	return worst
}

// normalize gives v a length of 1, and says whether it can have one.
func normalize(v []float64) bool {
	most := 0.0
	for _, f := range v {
		most = max(most, math.Abs(f))
	}
	if most == 0 || most-most != 0 {
		return false
	}
	for i := range v {
		v[i] /= most
	}
	length := math.Sqrt(blas.Dot(v, v))
	for i := range v {
		v[i] /= length
	}
	return true
}

func orthonormal(vectors [][]float64) bool {
	for k, u := range vectors {
		for l, v := range vectors[:k+1] {
			want := 0.0
			if k == l {
				want = 1
			}
			if d := math.Abs(blas.Dot(u, v) - want); !(d < 1e-12) {
				return false
			}
		}
	}
	return true
}

// shiftedLU solves (T − λI)x = b by elimination with row exchanges, which fill a second diagonal
// above.
type shiftedLU struct {
	pivot, upper, second, factor []float64
	swapped                      []bool
}

func newShiftedLU(n int) *shiftedLU {
	return &shiftedLU{make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n), make([]bool, n)}
}

// factorize eliminates. A pivot of less than tiny, which says that λ is an eigenvalue, is made
// tiny: the solution then points along the eigenvector all the more.
func (s *shiftedLU) factorize(t tridiagonal, shift, tiny float64) {
	n := len(t.diag)
	diag, next := t.diag[0]-shift, 0.0 // of the row that is being eliminated with, and beside it
	if n > 1 {
		next = t.off[0]
	}
	for i := range n - 1 {
		below, d, after := t.off[i], t.diag[i+1]-shift, 0.0
		if i+1 < n-1 {
			after = t.off[i+1]
		}
		s.swapped[i] = math.Abs(below) > math.Abs(diag)
		if s.swapped[i] {
			f := diag / below
			s.pivot[i], s.upper[i], s.second[i], s.factor[i] = below, d, after, f
			diag, next = next-f*d, -f*after
			continue
		}
		if math.Abs(diag) < tiny {
			diag = math.Copysign(tiny, diag)
		}
		f := below / diag
		s.pivot[i], s.upper[i], s.second[i], s.factor[i] = diag, next, 0, f
		diag, next = d-f*next, after
	}
	if math.Abs(diag) < tiny {
		diag = math.Copysign(tiny, diag)
	}
	s.pivot[n-1] = diag
}

func (s *shiftedLU) solve(b []float64) {
	n := len(b)
	for i := range n - 1 {
		if s.swapped[i] {
			b[i], b[i+1] = b[i+1], b[i]
		}
		b[i+1] -= s.factor[i] * b[i]
	}
	b[n-1] /= s.pivot[n-1]
	if n > 1 {
		b[n-2] = (b[n-2] - s.upper[n-2]*b[n-1]) / s.pivot[n-2]
	}
	for i := n - 3; i >= 0; i-- {
		b[i] = (b[i] - s.upper[i]*b[i+1] - s.second[i]*b[i+2]) / s.pivot[i]
	}
}

// largest returns the k largest eigenvalues, descending, with their vectors.
func (t tridiagonal) largest(k int) (values []float64, vectors [][]float64, ok bool) {
	all, off := slices.Clone(t.diag), append(slices.Clone(t.off), 0)
	if !(gonum.Implementation{}).Dsterf(len(all), all, off[:len(t.off)]) {
		return nil, nil, false
	}
	slices.Reverse(all) // they ascend
	values = all[:k]
	vectors, ok = t.vectors(values)
	return values, vectors, ok
}
