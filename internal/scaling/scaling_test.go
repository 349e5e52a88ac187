package scaling

import (
	"context"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

var extremes = []float64{0, 1, -3, 1e150, 1e-150, math.MaxFloat64, math.SmallestNonzeroFloat64, 0x1p-1022, -1e308}

func TestPowerOfTwo(t *testing.T) {
	for _, v := range extremes {
		p := PowerOfTwo(v)
		if f, _ := math.Frexp(p); f != 0.5 {
			t.Errorf("PowerOfTwo(%g) = %g, which is no power of two", v, p)
		}
		q := math.Abs(v * p)
		if v != 0 && math.Abs(v) > 0x1p-1021 && !(q >= 0.25 && q <= 8) || math.IsInf(q, 0) {
			t.Errorf("%g·%g = %g, want about 1", v, p, q)
		}
		if v != 0 && q/p != math.Abs(v) {
			t.Errorf("%g·%g loses digits", v, p)
		}
	}
	if PowerOfTwo(0) != 1 || Factor(0) != 1 || Factor(1e-99) != 1 || Factor(1e99) != 1 {
		t.Error("data in range is scaled")
	}
}

func TestInRange(t *testing.T) {
	for _, size := range []float64{1e-300, 1e-150, 1e-5, 1, 1e30, 1e150, 1e300} {
		x := mat.NewDense(2, 2, []float64{3 * size, -size, 0, 7 * size})
		y, factor := InRange(x)
		if size > 1e-100 && size < 1e99 {
			if y != x || factor != 1 {
				t.Errorf("size %g: scaled by %g", size, factor)
			}
			continue
		}
		for i, v := range y.RawMatrix().Data {
			if v/factor != x.RawMatrix().Data[i] || v != 0 && (v*v < 1e-10 || v*v > 1e10) {
				t.Errorf("size %g: %g becomes %g", size, x.RawMatrix().Data[i], v)
			}
		}
	}
}

// Coordinates and back is the identity to rounding, at any size; columns have mean 0 and, by
// themselves, about the same spread; those of equal values are exactly 0.
func TestStandardize(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rng.New(rapid.Uint64Range(0, 1000).Draw(t, "seed"))
		n, d := rapid.IntRange(1, 60).Draw(t, "n"), rapid.IntRange(1, 4).Draw(t, "d")
		common := rapid.Bool().Draw(t, "common")
		size, shift, still := make([]float64, d), make([]float64, d), make([]bool, d)
		for j := range d {
			size[j] = math.Pow(10, float64(rapid.IntRange(-150, 150).Draw(t, "size")))
			if common {
				size[j] = size[0]
			}
			shift[j] = size[j] * float64(rapid.IntRange(-1000, 1000).Draw(t, "shift"))
			still[j] = n == 1 || rapid.IntRange(0, 3).Draw(t, "constant") == 0
		}
		x := mat.NewDense(n, d, nil)
		x.Apply(func(_, j int, _ float64) float64 {
			if still[j] {
				return shift[j] + size[j]/3
			}
			return shift[j] + size[j]*r.NormFloat64()
		}, x)
		s, err := Standardize(context.Background(), x, common)
		if err != nil {
			t.Fatal(err)
		}
		back := s.MatrixOut(s.MatrixIn(x))
		constant := 0
		for j := range d {
			column, most := mat.Col(nil, j, s.X), 0.0
			for i := range n {
				most = max(most, math.Abs(x.At(i, j)))
			}
			for i := range n {
				if gap := math.Abs(back.At(i, j) - x.At(i, j)); gap > 1e-13*most {
					t.Fatalf("%g becomes %g", x.At(i, j), back.At(i, j))
				}
			}
			if still[j] {
				constant++
				if slices.Min(column) != 0 || slices.Max(column) != 0 || s.Variance[j] != 0 {
					t.Fatalf("a column of equal values becomes %v", column)
				}
				continue
			}
			mean, variance := 0.0, 0.0
			for _, v := range column {
				mean += v / float64(n)
				variance += v * v / float64(n)
			}
			if math.Abs(mean) > 1e-9*math.Sqrt(variance) || math.Abs(variance-s.Variance[j]) > 1e-12*variance {
				t.Fatalf("mean %g, variance %g, said to be %g", mean, variance, s.Variance[j])
			}
			if !common && (variance < 0.25 || variance > 4) {
				t.Fatalf("variance %g", variance)
			}
			if c := s.CovarianceOut(s.CovarianceIn(size[j], j, 0), j, 0); math.Abs(c-size[j]) > 1e-12*size[j] {
				t.Fatalf("a covariance of %g becomes %g", size[j], c)
			}
		}
		if common && (slices.Max(s.A) != slices.Min(s.A) || slices.Max(s.B) != slices.Min(s.B)) {
			t.Fatalf("columns with one unit have several: %v, %v", s.A, s.B)
		}
		if s.Constant != constant {
			t.Fatalf("%d constant columns, want %d", s.Constant, constant)
		}
	})
}

// log |∂z/∂x| is the log of the product of what a column is multiplied by.
func TestLogVolume(t *testing.T) {
	u := Units{A: []float64{4, 0.5}, M: []float64{1, 2}, B: []float64{8, 2}}
	if got, want := u.LogVolume(), math.Log(32); math.Abs(got-want) > 1e-12 {
		t.Errorf("%v, want %v", got, want)
	}
	z := make([]float64, 2)
	if u.Into(z, []float64{math.MaxFloat64, -math.MaxFloat64}); z[0] != far || z[1] != -far {
		t.Errorf("numbers beyond bounds become %v", z)
	}
}

// Many rows are summed by chunk, the same on any number of processors, and moved about their mean.
func TestManyRows(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := rng.New(1)
	x := mat.NewDense(3*chunk+5, 2, nil)
	x.Apply(func(_, j int, _ float64) float64 {
		if j == 1 {
			return 0.1
		}
		return 1e6 + r.NormFloat64()
	}, x)
	scale := []float64{0x1p-3, 0x1p-3}
	one, constant := Means(t.Context(), x, scale)
	runtime.GOMAXPROCS(4)
	four, _ := Means(t.Context(), x, scale)
	if !slices.Equal(one, four) || one[1] != 0.1*0x1p-3 || constant[0] || !constant[1] {
		t.Errorf("means %v on one processor, %v on four, constant %v", one, four, constant)
	}
	moved, norms := Move(t.Context(), x, 0x1p-3, one)
	sum := 0.0
	for i, n := range norms {
		a, b := x.At(i, 0)*0x1p-3-one[0], x.At(i, 1)*0x1p-3-one[1]
		if moved[2*i] != a || moved[2*i+1] != b || math.Abs(n-a*a-b*b) > 1e-15*n {
			t.Fatalf("row %d becomes %v with squared length %v", i, moved[2*i:2*i+2], n)
		}
		sum += a
	}
	if math.Abs(sum) > 1e-6 {
		t.Errorf("the moved rows sum to %v", sum)
	}
	view := x.Slice(1, 20, 0, 1).(*mat.Dense) // a view has other columns behind its own
	if m := MaxAbs(t.Context(), view); m != mat.Max(view) {
		t.Errorf("the largest is %v, want %v", m, mat.Max(view))
	}
	c := mat.DenseCopyOf(view)
	if Center(c); math.Abs(mat.Sum(c)) > 1e-7 {
		t.Errorf("centered values sum to %v", mat.Sum(c))
	}
}
