package eigen

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

// spectrum is a matrix with the given singular values and random vectors.
func spectrum(seed uint64, n, d int, s []float64) *mat.Dense {
	var u, v, out mat.Dense
	var qr mat.QR
	qr.Factorize(mltest.Normal(seed, n, len(s)))
	qr.QTo(&u)
	qr.Factorize(mltest.Normal(seed+1, d, len(s)))
	qr.QTo(&v)
	out.Product(u.Slice(0, n, 0, len(s)), mat.NewDiagDense(len(s), s), v.Slice(0, d, 0, len(s)).T())
	return &out
}

func checkOrthonormal(t *rapid.T, name string, x *mat.Dense) {
	_, k := x.Dims()
	var g mat.Dense
	g.Mul(x.T(), x)
	for i := range k {
		for j := range k {
			want := 0.0
			if i == j {
				want = 1
			}
			if math.Abs(g.At(i, j)-want) > 1e-12 {
				t.Fatalf("columns %d and %d of %s have product %v", i, j, name, g.At(i, j))
			}
		}
	}
}

// What is left is within a hair of the least that k vectors can leave (Eckart & Young), and of a
// matrix of rank k nothing is left.
func TestRandomizedIsNearlyOptimal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d := rapid.IntRange(1, 60).Draw(t, "n"), rapid.IntRange(1, 60).Draw(t, "d")
		seed := rapid.Uint64Range(0, 1000).Draw(t, "seed")
		s := make([]float64, rapid.IntRange(1, min(n, d)).Draw(t, "rank"))
		for i := range s {
			s[i] = math.Pow(rapid.Float64Range(0.5, 1).Draw(t, "decay"), float64(i))
		}
		slices.SortFunc(s, func(a, b float64) int { return int(math.Copysign(1, b-a)) })
		size := rapid.SampledFrom([]float64{1, 1e-140, 1e140}).Draw(t, "size")
		for i := range s {
			s[i] *= size
		}
		a := spectrum(seed, n, d, s)
		k := rapid.IntRange(1, min(n, d)).Draw(t, "k")
		got, err := Randomized{Seed: seed, Oversample: rapid.IntRange(-1, 10).Draw(t, "more")}.Decompose(context.Background(), "x", DenseFactor{a}, k)
		if err != nil {
			t.Fatal(err)
		}
		checkOrthonormal(t, "U", got.U)
		checkOrthonormal(t, "V", got.V)
		for c, v := range got.S {
			if v < 0 || c > 0 && v > got.S[c-1] {
				t.Fatalf("singular values %v do not fall", got.S)
			}
			if w := mat.Col(nil, c, got.V); negative(w) {
				t.Fatalf("right vector %d breaks the sign convention: %v", c, w)
			}
		}
		var rest mat.Dense
		rest.Product(got.U, mat.NewDiagDense(k, got.S), got.V.T())
		rest.Sub(a, &rest)
		rest.Scale(1/size, &rest)
		least := 0.0
		if k < len(s) {
			least = s[k] / size
		}
		if left := mat.Norm(&rest, 2); left > math.Sqrt(float64(min(n, d)))*least*1.05+1e-12 {
			t.Fatalf("rank %d of %v leaves %v, want %v at most", k, s, left, least)
		}
	})
}

// Where singular values fall clearly, they and the vectors are those of the whole decomposition.
func TestRandomizedEqualsWhole(t *testing.T) {
	s := make([]float64, 80)
	for i := range s {
		s[i] = math.Pow(0.8, float64(i))
	}
	a := spectrum(3, 300, 120, s)
	got, err := Randomized{}.Decompose(t.Context(), "x", DenseFactor{a}, 6)
	if err != nil {
		t.Fatal(err)
	}
	var whole mat.SVD
	whole.Factorize(a, mat.SVDThin)
	var u, v mat.Dense
	whole.UTo(&u)
	whole.VTo(&v)
	for c, value := range got.S {
		if math.Abs(value-s[c]) > 1e-12 {
			t.Errorf("singular value %d is %v, want %v", c, value, s[c])
		}
		sign := 1.0
		if negative(mat.Col(nil, c, &v)) {
			sign = -1
		}
		for j := range 120 {
			if math.Abs(got.V.At(j, c)-sign*v.At(j, c)) > 1e-9 {
				t.Fatalf("right vector %d differs from the whole decomposition's", c)
			}
		}
		for i := range 300 {
			if math.Abs(got.U.At(i, c)-sign*u.At(i, c)) > 1e-9 {
				t.Fatalf("left vector %d differs from the whole decomposition's", c)
			}
		}
	}

	// Rows in another order, some of them twice, change U and not the signs of V.
	rows := rng.New(1).Perm(300)
	moved := mat.NewDense(300, 120, nil)
	for i, r := range rows {
		moved.SetRow(i, a.RawRowView(r))
	}
	other, err := Randomized{Seed: 9}.Decompose(t.Context(), "x", DenseFactor{moved}, 6)
	if err != nil {
		t.Fatal(err)
	}
	if !mat.EqualApprox(got.V, other.V, 1e-9) {
		t.Error("V depends on the order of the rows, or on the seed")
	}
}

// A sparse matrix, and one that is centered as it is multiplied, are decomposed like the dense ones
// that they stand for, on any number of processors.
func TestRandomizedOperands(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const n, d, k = 1500, 900, 4
	r := rng.New(2)
	var is, js []int
	var vs []float64
	for range 9000 {
		i := r.IntN(n)
		is, js, vs = append(is, i), append(js, (i%5)*100+r.IntN(400)), append(vs, 1+r.Float64())
	}
	m, err := csr.FromTriplets(n, d, is, js, vs)
	if err != nil {
		t.Fatal(err)
	}
	mean := m.ColumnSums()
	for j := range mean {
		mean[j] /= n
	}
	centered := m.Dense()
	centered.Apply(func(_, j int, v float64) float64 { return v - mean[j] }, centered)
	for name, c := range map[string]struct{ a, b Factor }{
		"sparse":   {NewSparseFactor(m), DenseFactor{m.Dense()}},
		"centered": {Centered{NewSparseFactor(m), mean}, DenseFactor{centered}},
	} {
		var first *SVD
		for _, processors := range []int{1, 3} {
			runtime.GOMAXPROCS(processors)
			got, err := Randomized{Power: 20}.Decompose(t.Context(), "x", c.a, k)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = got
			} else if !mat.Equal(first.U, got.U) || !mat.Equal(first.V, got.V) || !slices.Equal(first.S, got.S) {
				t.Errorf("%s: other numbers on %d processors", name, processors)
			}
		}
		want, err := Randomized{Power: 20}.Decompose(t.Context(), "x", c.b, k)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range want.S {
			if math.Abs(first.S[i]-s) > 1e-9*s {
				t.Errorf("%s: singular value %d is %v, dense %v", name, i, first.S[i], s)
			}
		}
		if !mat.EqualApprox(first.V, want.V, 1e-4) {
			t.Errorf("%s: other vectors than of the dense matrix", name)
		}
	}
}

func TestRandomizedErrors(t *testing.T) {
	a := DenseFactor{mltest.Normal(1, 8, 5)}
	for _, k := range []int{0, 6, -1} {
		if _, err := (Randomized{}).Decompose(t.Context(), "x", a, k); !errors.Is(err, ml.ErrParameter) {
			t.Errorf("k = %d: %v", k, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Randomized{}).Decompose(ctx, "x", a, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	a.A.Set(3, 3, math.NaN())
	if _, err := (Randomized{}).Decompose(t.Context(), "x", a, 2); !errors.Is(err, ml.ErrNotFinite) {
		t.Errorf("NaN: %v", err)
	}
	zero, err := Randomized{}.Decompose(t.Context(), "x", DenseFactor{mat.NewDense(6, 4, nil)}, 3)
	if err != nil || slices.Max(zero.S) != 0 {
		t.Errorf("zeros: %+v, %v", zero, err)
	}
}
