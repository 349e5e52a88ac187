package blas

import (
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Each kernel for pairs and for rows gives the number of the loop in Go to rounding, pairs and rows
// to the bit.
func TestPairsAndRows(t *testing.T) {
	kernels := map[string]struct {
		pair func(a, b []float64) float64
		rows func(dst, a, rows []float64, stride int)
		want func(a, b []float64) float64
	}{
		"Dot":         {Dot, DotRows, plainDot},
		"SqEuclidean": {SqEuclidean, SqEuclideanRows, plainSqEuclidean},
		"Manhattan":   {Manhattan, ManhattanRows, plainManhattan},
		"Chebyshev":   {Chebyshev, ChebyshevRows, plainChebyshev},
	}
	rapid.Check(t, func(t *rapid.T) {
		d := newDraws(t)
		n, m := rapid.IntRange(0, 100).Draw(t, "n"), rapid.IntRange(0, 20).Draw(t, "m")
		stride := n + rapid.IntRange(0, 5).Draw(t, "stride")
		a, rows := random(d.r, n), random(d.r, m*stride)
		for name, k := range kernels {
			for l := plain; l <= supported(); l++ {
				with(l, 1, func() {
					dst := random(d.r, m+1)
					guard := dst[m]
					k.rows(dst[:m], a, rows, stride)
					if dst[m] != guard {
						t.Fatalf("%s wrote beyond dst", name)
					}
					for i := range m {
						b := rows[i*stride : i*stride+n]
						if got := k.pair(a, b); got != dst[i] {
							t.Fatalf("%s %v: the pair gives %v, the rows %v", name, l, got, dst[i])
						}
						if want := k.want(a, b); math.Abs(dst[i]-want) > 1e-13*float64(n+1) {
							t.Fatalf("%s %v: %v, want %v", name, l, dst[i], want)
						}
					}
				})
			}
		}
	})
}

func TestRowsTooShortPanic(t *testing.T) {
	for name, f := range map[string]func(){
		"rows":   func() { DotRows(make([]float64, 3), make([]float64, 4), make([]float64, 11), 4) },
		"stride": func() { SqEuclideanRows(make([]float64, 1), make([]float64, 4), make([]float64, 11), 3) },
		"pair":   func() { Dot(make([]float64, 3), make([]float64, 2)) },
		"axpy":   func() { Axpy(1, make([]float64, 3), make([]float64, 2)) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: no panic", name)
				}
			}()
			f()
		}()
	}
}

func TestSqEuclideanDoesNotCancel(t *testing.T) {
	a, b := make([]float64, 50), make([]float64, 50)
	for i := range a {
		a[i], b[i] = 1e8, 1e8+0.5
	}
	if got := SqEuclidean(a, b); got != 12.5 {
		t.Errorf("got %v, want 12.5", got)
	}
}

func TestLeastTwo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		numbers := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-9, 9), rapid.Map(rapid.IntRange(-2, 2), func(i int) float64 { return float64(i) })), 0, 40)
		dots := numbers.Draw(t, "dots")
		half := make([]float64, len(dots))
		for i := range half {
			half[i] = float64(i % 3)
		}
		sorted, best := make([]float64, len(dots)), 0
		for i := range dots {
			sorted[i] = half[i] - dots[i]
			if sorted[i] < sorted[best] {
				best = i
			}
		}
		scores := slices.Clone(sorted)
		slices.Sort(sorted)
		sorted = append(sorted, math.Inf(1), math.Inf(1))
		for l := plain; l <= supported(); l++ {
			with(l, 1, func() {
				score := slices.Clone(dots)
				b, first, second := LeastTwo(half, score)
				if b != best || first != sorted[0] || second != sorted[1] || !slices.Equal(score, scores) {
					t.Fatalf("%v: %d, %v, %v of %v", l, b, first, second, scores)
				}
			})
		}
	})
}

// ulps is by how many units in the last place of want got is off, want being exact to 200 bits.
func ulps(got float64, want *big.Float) float64 {
	w, _ := want.Float64()
	if math.IsInf(w, 0) || w == 0 {
		if got == w {
			return 0
		}
		return math.Inf(1)
	}
	unit := math.Nextafter(math.Abs(w), math.Inf(1)) - math.Abs(w)
	diff, _ := new(big.Float).SetPrec(200).Sub(want, new(big.Float).SetPrec(200).SetFloat64(got)).Float64()
	return math.Abs(diff) / unit
}

// bigExp sums the series for x/2¹⁰ and squares ten times.
func bigExp(x float64) *big.Float {
	r := new(big.Float).SetPrec(260).SetFloat64(x)
	r.SetMantExp(r, -10)
	sum, term := big.NewFloat(1).SetPrec(260), big.NewFloat(1).SetPrec(260)
	for k := 1; k < 80; k++ {
		term.Mul(term, r)
		term.Quo(term, new(big.Float).SetPrec(260).SetInt64(int64(k)))
		sum.Add(sum, term)
	}
	for range 10 {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigLog takes Newton steps on bigExp's inverse, from math.Log: log x = y + 2(x−eʸ)/(x+eʸ) +
// O(third power).
func bigLog(x float64) *big.Float {
	y := math.Log(x)
	e, bx := bigExp(y), new(big.Float).SetPrec(260).SetFloat64(x)
	up, down := new(big.Float).SetPrec(260).Sub(bx, e), new(big.Float).SetPrec(260).Add(bx, e)
	step := up.Quo(up, down)
	step.Add(step, step)
	return step.Add(step, new(big.Float).SetPrec(260).SetFloat64(y))
}

func TestExpAndLogAreWithinOneUnit(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	x, y := make([]float64, 3001), make([]float64, 3001)
	for i := range x {
		switch i % 3 {
		case 0:
			x[i] = r.NormFloat64()
		case 1:
			x[i] = r.Float64()*1400 - 700
		default:
			x[i] = (r.Float64() - 0.5) / 4
		}
	}
	Exp(y, x)
	worst := 0.0
	for i, v := range x {
		worst = max(worst, ulps(y[i], bigExp(v)))
	}
	t.Logf("exp: %.3f ulp", worst)
	if worst > 1 && active != plain { // math.Exp is off by up to 1.2 here
		t.Errorf("exp is off by %.2f units in the last place", worst)
	}
	for i := range x {
		switch i % 3 {
		case 0:
			x[i] = 1 + (r.Float64()-0.5)/8
		case 1:
			x[i] = math.Exp(r.Float64()*1400 - 700)
		default:
			x[i] = 4 * r.Float64()
		}
	}
	Log(y, x)
	worst = 0
	for i, v := range x {
		worst = max(worst, ulps(y[i], bigLog(v)))
	}
	t.Logf("log: %.3f ulp", worst)
	if worst > 1 {
		t.Errorf("log is off by %.2f units in the last place", worst)
	}
}

func TestExpAndLogAtTheEnds(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	same := func(a, b float64) bool {
		return a == b || a != a && b != b || math.Abs(a-b) <= 2e-16*math.Abs(b) || math.Abs(a-b) <= 5e-324
	}
	src := []float64{0, inf, -inf, nan, 710, 709.7, -745, -746, -708.5, -720, 1e300, -1e300, 5e-324, -0x1p-60}
	dst := make([]float64, len(src))
	Exp(dst, src)
	for i, v := range src {
		if !same(dst[i], math.Exp(v)) {
			t.Errorf("exp(%g) = %g, want %g", v, dst[i], math.Exp(v))
		}
	}
	src = []float64{0, math.Copysign(0, -1), inf, -inf, nan, -1, 5e-324, 0x1p-1022, math.MaxFloat64, 1, 1e-310, 2, math.Sqrt2, math.Sqrt2 / 2, 0x1.6a09ep-1}
	dst = make([]float64, len(src))
	Log(dst, src)
	for i, v := range src {
		if !same(dst[i], math.Log(v)) {
			t.Errorf("log(%g) = %g, want %g", v, dst[i], math.Log(v))
		}
	}
	if Log(dst[:1], []float64{1}); dst[0] != 0 {
		t.Errorf("log(1) = %g", dst[0])
	}
}

// An element's exp and log do not depend on where it stands or on its neighbours, and plain loops
// agree.
func TestExpAndLogElementwise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(rapid.OneOf(rapid.Float64Range(-700, 700), rapid.Float64()), 0, 20).Draw(t, "x")
		e, l := make([]float64, len(x)), make([]float64, len(x))
		Exp(e, x)
		Log(l, x)
		for i := range x {
			var one [2]float64
			Exp(one[:1], x[i:i+1])
			Log(one[1:], x[i:i+1])
			if math.Float64bits(one[0]) != math.Float64bits(e[i]) || math.Float64bits(one[1]) != math.Float64bits(l[i]) {
				t.Fatalf("%v alone: exp %v, log %v; among others %v, %v", x[i], one[0], one[1], e[i], l[i])
			}
		}
		with(plain, 1, func() {
			p := slices.Clone(x)
			Exp(p, p)
			for i := range p {
				if p[i] != e[i] && math.Abs(p[i]-e[i]) > 1e-15*p[i] && math.Abs(p[i]-e[i]) > 5e-324 {
					t.Fatalf("exp(%v): %v and %v", x[i], p[i], e[i])
				}
			}
		})
	})
}

func TestFirstBelow(t *testing.T) {
	for n := range 70 {
		s := make([]float64, n)
		for i := range s {
			s[i] = 1
		}
		if got := FirstBelow(s, 1); got != n {
			t.Errorf("none of %d: %d", n, got)
		}
		for at := range n {
			s[at] = math.Nextafter(1, 0)
			if at+9 < n {
				s[at+9] = -1
			}
			if got := FirstBelow(s, 1); got != at {
				t.Errorf("%d of %d: %d", at, n, got)
			}
			if got := FirstBelow(s[at:], 1); got != 0 {
				t.Errorf("%d of %d, from there: %d", at, n, got)
			}
			for i := range s {
				s[i] = 1
			}
		}
	}
}

func TestAddMulT(t *testing.T) {
	for _, size := range [][3]int{{1, 1, 1}, {3, 5, 2}, {17, 33, 50}, {64, 130, 7}, {128, 100, 300}} {
		m, n, k := size[0], size[1], size[2]
		fill := func(n int) []float64 {
			v := make([]float64, n)
			for i := range v {
				v[i] = math.Sin(float64(i*i + n))
			}
			return v
		}
		a, b, c := fill(m*k), fill(n*k), fill(m*n)
		want := append([]float64(nil), c...)
		for i := range m {
			for j := range n {
				want[i*n+j] -= 2 * plainDot(a[i*k:(i+1)*k], b[j*k:(j+1)*k])
			}
		}
		AddMulT(c, -2, a, m, b, n, k)
		for i := range c {
			if math.Abs(c[i]-want[i]) > 1e-12 {
				t.Fatalf("%v at %d: %v, want %v", size, i, c[i], want[i])
			}
		}
	}
}
