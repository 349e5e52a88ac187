package eigen

import (
	"context"
	"errors"
	"math"
	"runtime"
	"testing"

	"github.com/golatent/latent/internal/blas"
	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
)

// ring is the Laplacian of a cycle: eigenvalues 2−2cos(2πk/n), each but the first (and the last,
// for even n) twice.
type ring int

func (r ring) Dim() int       { return int(r) }
func (r ring) Upper() float64 { return 4 }
func (r ring) Apply(dst, src []float64, width int) {
	n := int(r)
	for i := range n {
		for k := range width {
			dst[i*width+k] = 2*src[i*width+k] - src[(i+1)%n*width+k] - src[(i+n-1)%n*width+k]
		}
	}
}

// dense is an operator that has all its numbers.
type dense struct {
	a     *mat.Dense
	upper float64
}

func (d dense) Dim() int       { n, _ := d.a.Dims(); return n }
func (d dense) Upper() float64 { return d.upper }
func (d dense) Apply(dst, src []float64, width int) {
	n := d.Dim()
	mat.NewDense(n, width, dst).Mul(d.a, mat.NewDense(n, width, src))
}

func checkPairs(t *testing.T, a Operator, r Result) {
	t.Helper()
	n := a.Dim()
	for k, v := range r.Vectors {
		y := make([]float64, n)
		a.Apply(y, v, 1)
		blas.Axpy(-r.Values[k], v, y)
		if res := math.Sqrt(blas.Dot(y, y)); res > 2e-8*a.Upper() {
			t.Errorf("pair %d: ‖Av−λv‖ = %g", k, res)
		}
		for l, u := range r.Vectors[:k+1] {
			want := 0.0
			if l == k {
				want = 1
			}
			if math.Abs(blas.Dot(u, v)-want) > 1e-12 {
				t.Errorf("vectors %d and %d: product %g, want %g", l, k, blas.Dot(u, v), want)
			}
		}
	}
}

func TestRing(t *testing.T) {
	for _, n := range []int{30, 1000, 1501} {
		r, err := Smallest(t.Context(), ring(n), 7, nil, 1)
		if err != nil || !r.Converged {
			t.Fatalf("n = %d: %v, residual %g", n, err, r.Residual)
		}
		for k, v := range r.Values {
			if want := 2 - 2*math.Cos(2*math.Pi*float64((k+1)/2)/float64(n)); math.Abs(v-want) > 1e-11 {
				t.Errorf("n = %d, value %d: %v, want %v", n, k, v, want)
			}
		}
		checkPairs(t, ring(n), r)
	}
}

// With the first eigenvector known the rest comes, however far it lies above.
func TestKnown(t *testing.T) {
	n := 400
	one := make([]float64, n)
	for i := range one {
		one[i] = 1 / math.Sqrt(float64(n))
	}
	r, err := Smallest(t.Context(), ring(n), 4, [][]float64{one}, 3)
	if err != nil || !r.Converged {
		t.Fatal(err, r.Residual)
	}
	for k, v := range r.Values {
		if want := 2 - 2*math.Cos(2*math.Pi*float64(k/2+1)/float64(n)); math.Abs(v-want) > 1e-11 {
			t.Errorf("value %d: %v, want %v", k, v, want)
		}
	}
	// A complete graph: 0 once, and n for all the rest.
	full := mat.NewDense(60, 60, nil)
	full.Apply(func(i, j int, _ float64) float64 {
		if i == j {
			return 59
		}
		return -1
	}, full)
	r = iterate(t.Context(), dense{full, 60}, 3, nil, 0, tolerance)
	if !r.Converged || math.Abs(r.Values[0]) > 1e-10 || math.Abs(r.Values[1]-60) > 1e-9 || math.Abs(r.Values[2]-60) > 1e-9 {
		t.Errorf("complete graph: %v, residual %g", r.Values, r.Residual)
	}
}

func TestRandomMatrix(t *testing.T) {
	for seed := range uint64(5) {
		r := rng.New(seed)
		n := 80 + 40*int(seed)
		// A few small eigenvalues, one of them almost double, and the rest; turned by a random
		// rotation.
		g := mat.NewDense(n, n, nil)
		g.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, g)
		var qr mat.QR
		qr.Factorize(g)
		var q, a mat.Dense
		qr.QTo(&q)
		diag := mat.NewDiagDense(n, nil)
		for i := range n {
			diag.SetDiag(i, []float64{1e-9, 1e-3, 1.00001e-3, 0.01, 0.05, 0.09, 0.1 + 0.9*float64(i)/float64(n-1)}[min(i, 6)])
		}
		a.Product(&q, diag, q.T())
		sym := mat.NewDense(n, n, nil)
		sym.Apply(func(i, j int, _ float64) float64 { return (a.At(i, j) + a.At(j, i)) / 2 }, sym)
		got := iterate(t.Context(), dense{sym, 1}, 6, nil, seed, tolerance)
		if !got.Converged {
			t.Errorf("seed %d: residual %g", seed, got.Residual)
		}
		for k := range 6 {
			if math.Abs(got.Values[k]-diag.At(k, k)) > 1e-9 {
				t.Errorf("seed %d: value %d is %g, want %g", seed, k, got.Values[k], diag.At(k, k))
			}
		}
		checkPairs(t, dense{sym, 1}, got)
	}
}

func TestSameForAnyProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one, _ := Smallest(t.Context(), ring(500), 5, nil, 1)
	runtime.GOMAXPROCS(5)
	five, _ := Smallest(t.Context(), ring(500), 5, nil, 1)
	for k := range one.Vectors {
		for i := range one.Vectors[k] {
			if one.Vectors[k][i] != five.Vectors[k][i] {
				t.Fatalf("vector %d differs", k)
			}
		}
	}
}

func TestFewRows(t *testing.T) {
	for n := 1; n < 8; n++ {
		id := mat.NewDense(n, n, nil)
		for i := range n {
			id.Set(i, i, float64(i))
		}
		r, err := Smallest(t.Context(), dense{id, float64(n)}, 20, nil, 1)
		if err != nil || len(r.Values) != n {
			t.Fatalf("n = %d: %v, %v", n, r.Values, err)
		}
		for i, v := range r.Values {
			if math.Abs(v-float64(i)) > 1e-10 {
				t.Errorf("n = %d: %v", n, r.Values)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Smallest(ctx, ring(50), 2, nil, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
