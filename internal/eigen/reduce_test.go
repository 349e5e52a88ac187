package eigen

import (
	"math"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// withSpectrum is a symmetric matrix, or with other vectors on the left a square one, of the given
// eigenvalues or singular values, turned at random.
func withSpectrum(values []float64, seed uint64, symmetric bool) *mat.Dense {
	n := len(values)
	r := rng.New(seed)
	turn := func() *mat.Dense {
		g := mat.NewDense(n, n, nil)
		g.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, g)
		var qr mat.QR
		qr.Factorize(g)
		var q mat.Dense
		qr.QTo(&q)
		return &q
	}
	right := turn()
	left := right
	if !symmetric {
		left = turn()
	}
	var a mat.Dense
	a.Product(left, mat.NewDiagDense(n, values), right.T())
	return &a
}

// spectra are what inverse iteration has trouble with: values that are equal, nearly equal, far
// apart in size, and zero.
func spectra(n int) map[string][]float64 {
	of := map[string]func(i int) float64{
		"apart":       func(i int) float64 { return float64(n - i) },
		"equal":       func(int) float64 { return 3 },
		"five equal":  func(i int) float64 { return 1 + float64(min(i/5, 4)-4)/-4 },
		"near":        func(i int) float64 { return 1 - 1e-9*float64(i) },
		"very near":   func(i int) float64 { return 1 - 1e-15*float64(i) },
		"falling":     func(i int) float64 { return math.Pow(0.3, float64(i)) },
		"rank of two": func(i int) float64 { return max(0, 2-float64(i)) },
		"zero":        func(int) float64 { return 0 },
		"large":       func(i int) float64 { return 1e120 * float64(n-i) },
		"small":       func(i int) float64 { return 1e-120 * float64(n-i) },
	}
	out := map[string][]float64{}
	for name, f := range of {
		for i := range n {
			out[name] = append(out[name], f(i))
		}
	}
	return out
}

func TestLargestOfTroublesomeSpectra(t *testing.T) {
	for name, values := range spectra(60) {
		a := withSpectrum(values, 1, true)
		got, err := Largest(t.Context(), a, 8, 0)
		if err != nil || !got.Converged {
			t.Fatalf("%s: %v", name, err)
		}
		checkVectors(t, name, got.Vectors)
		for c, v := range got.Vectors {
			if math.Abs(got.Values[c]-values[c]) > 1e-12*values[0] {
				t.Errorf("%s: value %d is %v, want %v", name, c, got.Values[c], values[c])
			}
			if r := distanceTo(a, v, got.Values[c], v); r > 1e-12*values[0] {
				t.Errorf("%s: ‖Av − λv‖ = %g of vector %d", name, r, c)
			}
		}
	}
}

func TestSingularOfTroublesomeSpectra(t *testing.T) {
	for name, values := range spectra(60) {
		a := withSpectrum(values, 2, false)
		for _, side := range []Side{Left, Right} {
			got, vectors, ok := Singular(mat.DenseCopyOf(a), 8, side)
			if !ok {
				t.Fatalf("%s: not converged", name)
			}
			var gram mat.Dense // of the other side, times the square
			gram.Mul(a, a.T())
			if side == Right {
				gram.Mul(a.T(), a)
			}
			rows := make([][]float64, 8)
			for c := range rows {
				rows[c] = vectors.RawRowView(c)
				if math.Abs(got[c]-values[c]) > 1e-12*values[0] {
					t.Errorf("%s: value %d is %v, want %v", name, c, got[c], values[c])
				}
				if r := distanceTo(&gram, rows[c], got[c]*got[c], rows[c]); r > 1e-12*values[0]*values[0] {
					t.Errorf("%s: ‖AᵀAv − σ²v‖ = %g of vector %d", name, r, c)
				}
			}
			checkVectors(t, name, rows)
		}
	}
}

// Any tridiagonal matrix has the eigenpairs that a QR iteration finds, or the caller is told.
func TestTridiagonal(t *testing.T) {
	told, asked := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(3, 40).Draw(t, "n")
		numbers := rapid.OneOf(rapid.Float64Range(-3, 3), rapid.SampledFrom([]float64{0, 1, 1e-9, -1}))
		m := tridiagonal{rapid.SliceOfN(numbers, n, n).Draw(t, "diagonal"), rapid.SliceOfN(numbers, n-1, n-1).Draw(t, "beside")}
		asked++
		values, vectors, ok := m.largest(min(n, 5))
		if !ok {
			told++
			return
		}
		a := mat.NewSymDense(n, nil)
		for i, d := range m.diag {
			a.SetSym(i, i, d)
			if i < n-1 {
				a.SetSym(i, i+1, m.off[i])
			}
		}
		var e mat.EigenSym
		e.Factorize(a, false)
		all := e.Values(nil)
		for c, v := range vectors {
			if math.Abs(values[c]-all[n-1-c]) > 1e-13*m.norm() {
				t.Errorf("value %d is %v, want %v", c, values[c], all[n-1-c])
			}
			if r := m.residual(v, values[c]); r > 1e-12*m.norm() {
				t.Errorf("residual of vector %d is %g", c, r)
			}
		}
		checkVectors(t, "vectors", vectors)
	})
	if 10*told > asked {
		t.Errorf("gave up on %d of %d matrices", told, asked)
	}
}

type reporter interface {
	Helper()
	Errorf(string, ...any)
}

func checkVectors(t reporter, name string, vectors [][]float64) {
	t.Helper()
	if !orthonormal(vectors) {
		t.Errorf("%s: the vectors are not orthonormal", name)
	}
}

// distanceTo is ‖Av − λw‖.
func distanceTo(a mat.Matrix, v []float64, lambda float64, w []float64) float64 {
	var image mat.VecDense
	image.MulVec(a, mat.NewVecDense(len(v), v))
	image.AddScaledVec(&image, -lambda, mat.NewVecDense(len(w), w))
	return mat.Norm(&image, 2)
}
