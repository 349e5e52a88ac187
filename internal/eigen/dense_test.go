package eigen

import (
	"math"
	"testing"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

// The few rows that are reduced whole have the eigenpairs that iteration finds.
func TestFewRowsEqualMany(t *testing.T) {
	const n = 90
	one := make([]float64, n)
	for i := range one {
		one[i] = 1 / math.Sqrt(n)
	}
	known := [][]float64{one}
	whole, err := Smallest(t.Context(), ring(n), 6, known, 1)
	if err != nil || !whole.Converged {
		t.Fatal(err)
	}
	checkPairs(t, ring(n), whole)
	many := iterate(t.Context(), ring(n), 6, known, 1, tolerance)
	for k, v := range whole.Values {
		if math.Abs(v-many.Values[k]) > 1e-11 {
			t.Errorf("value %d is %v, and by iteration %v", k, v, many.Values[k])
		}
		if p := blas.Dot(one, whole.Vectors[k]); math.Abs(p) > 1e-12 {
			t.Errorf("vector %d has product %g with the known one", k, p)
		}
	}
}

// Largest gives what the reduction of all the matrix gives, of few rows and of many, signs as
// SetSign says.
func TestLargest(t *testing.T) {
	for _, n := range []int{1, 2, 40, 350} {
		r := rng.New(uint64(n))
		g := mat.NewDense(n, n, nil)
		g.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, g)
		a := mat.NewDense(n, n, nil)
		a.Add(g, g.T())
		k := min(3, n)
		got, err := Largest(t.Context(), a, k, 0)
		if err != nil || !got.Converged {
			t.Fatal(err)
		}
		var e mat.EigenSym
		e.Factorize(mat.NewSymDense(n, a.RawMatrix().Data), true)
		var v mat.Dense
		e.VectorsTo(&v)
		for c := range k {
			if want := e.Values(nil)[n-1-c]; math.Abs(got.Values[c]-want) > 1e-9*math.Abs(want) {
				t.Errorf("n = %d: value %d is %v, want %v", n, c, got.Values[c], want)
			}
			want := mat.Col(nil, n-1-c, &v)
			SetSign(want)
			for i, x := range got.Vectors[c] {
				if math.Abs(x-want[i]) > 1e-6 {
					t.Fatalf("n = %d: vector %d differs: %v, want %v", n, c, x, want[i])
				}
			}
		}
		if b := Bound(a); b < math.Abs(e.Values(nil)[n-1]) || b < math.Abs(e.Values(nil)[0]) {
			t.Errorf("n = %d: Bound %v is below an eigenvalue", n, b)
		}
	}
}

func TestSetSign(t *testing.T) {
	for _, c := range []struct{ v, want []float64 }{
		{[]float64{1, -2}, []float64{-1, 2}},
		{[]float64{-1, 2}, []float64{-1, 2}},
		{[]float64{3, -3}, []float64{3, -3}},
		{[]float64{-3, 3}, []float64{3, -3}},
		{[]float64{-1, 1 + 1e-12}, []float64{1, -1 - 1e-12}}, // nearly equal
		{[]float64{0, 0}, []float64{0, 0}},
	} {
		v := append([]float64{}, c.v...)
		SetSign(v)
		for i := range v {
			if v[i] != c.want[i] {
				t.Errorf("%v becomes %v, want %v", c.v, v, c.want)
			}
		}
	}
}

// The smallest values of a matrix with values down to 1e-13 of the largest keep their digits under
// inverse iteration.
func TestSmallestInverse(t *testing.T) {
	const n = 60
	r := rng.New(4)
	g := mat.NewDense(n, n, nil)
	g.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, g)
	var qr mat.QR
	qr.Factorize(g)
	var q, a mat.Dense
	qr.QTo(&q)
	values, inverse := mat.NewDiagDense(n, nil), mat.NewDiagDense(n, nil)
	for i := range n {
		v := math.Pow(10, -13+13*float64(i)/float64(n-1))
		values.SetDiag(i, v)
		inverse.SetDiag(i, 1/v)
	}
	a.Product(&q, inverse, q.T()) // the inverse itself stands for a factor
	image := func(v []float64) []float64 {
		var out mat.VecDense
		out.MulVec(&a, mat.NewVecDense(n, v))
		return out.RawVector().Data
	}
	var whole mat.Dense
	whole.Product(&q, values, q.T())
	known := [][]float64{mat.Col(nil, 0, &q)}
	got, err := SmallestInverse(t.Context(), exactly{&q, values}, func(v []float64) { copy(v, image(v)) }, 3, known, 1, 0)
	if err != nil || !got.Converged {
		t.Fatal(err, got.Converged)
	}
	for k, v := range got.Values {
		if want := values.At(k+1, k+1); math.Abs(v-want) > 1e-8*want {
			t.Errorf("value %d is %v, want %v", k, v, want)
		}
		if c := math.Abs(blas.Dot(got.Vectors[k], mat.Col(nil, k+1, &q))); c < 1-1e-8 {
			t.Errorf("vector %d has cosine %v with the true one", k, c)
		}
	}
}

// exactly is Q·diag·Qᵀ, multiplied factor by factor so that small values are not drowned by large
// ones.
type exactly struct {
	q      *mat.Dense
	values *mat.DiagDense
}

func (e exactly) Dim() int       { n, _ := e.q.Dims(); return n }
func (e exactly) Upper() float64 { return 1 }
func (e exactly) Apply(dst, src []float64, width int) {
	n := e.Dim()
	mat.NewDense(n, width, dst).Product(e.q, e.values, e.q.T(), mat.NewDense(n, width, src))
}
