package csr_test

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/csr"
	"github.com/golatent/latent/pkg/ml/mltest"
	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

var _ interface {
	mat.Matrix
	mat.NonZeroDoer
	mat.RowNonZeroDoer
} = (*csr.Matrix)(nil)

func TestSavedFiles(t *testing.T) { mltest.Saved[csr.Matrix](t, "testdata/csr-format1.zip") }

// drawn is a matrix by triplets, several at one place, and the dense one that they add up to.
func drawn(t *rapid.T, rows, columns int) (*csr.Matrix, *mat.Dense) {
	count := rapid.IntRange(0, 2*rows).Draw(t, "entries")
	var is, js []int
	var vs []float64
	dense := mat.NewDense(rows, columns, nil)
	for range count {
		i, j := rapid.IntRange(0, rows-1).Draw(t, "i"), rapid.IntRange(0, columns-1).Draw(t, "j")
		v := float64(rapid.IntRange(-3, 3).Draw(t, "v")) // whole, so that sums are exact in any order
		is, js, vs = append(is, i), append(js, j), append(vs, v)
		dense.Set(i, j, dense.At(i, j)+v)
	}
	m, err := csr.FromTriplets(rows, columns, is, js, vs)
	if err != nil {
		t.Fatal(err)
	}
	return m, dense
}

// same holds a sparse matrix to a dense one, and to the form that it promises.
func same(t *rapid.T, what string, m *csr.Matrix, want mat.Matrix) {
	t.Helper()
	if err := m.Check(what); err != nil {
		t.Fatal(err)
	}
	if slices.Contains(m.Value, 0) {
		t.Fatalf("%s stores a 0", what)
	}
	if !mat.Equal(m, want) {
		t.Fatalf("%s is %v, want %v", what, mat.Formatted(m), mat.Formatted(want))
	}
}

func TestEqualsDense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rows, columns := rapid.IntRange(1, 40).Draw(t, "rows"), rapid.IntRange(1, 12).Draw(t, "columns")
		m, d := drawn(t, rows, columns)
		same(t, "FromTriplets", m, d)
		same(t, "Transpose", m.Transpose(), d.T())
		if !mat.Equal(m.Dense(), d) {
			t.Fatal("Dense differs")
		}
		for name, x := range map[string]mat.Matrix{"a matrix": d, "a view": d.T().T().(*mat.Dense).Slice(0, rows, 0, columns), "sparse": m} {
			again, err := csr.FromDense(x)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "FromDense of "+name, again, d)
		}
		index, value := make([][]int, rows), make([][]float64, rows)
		m.DoNonZero(func(i, j int, v float64) {
			index[i], value[i] = append(index[i], j), append(value[i], v)
		})
		for i := range index {
			slices.Reverse(index[i])
			slices.Reverse(value[i])
		}
		again, err := csr.FromRows(columns, index, value)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "FromRows", again, d)

		width := rapid.IntRange(1, 5).Draw(t, "width")
		right, left := whole(t, columns, width), whole(t, rows, width)
		var want mat.Dense
		want.Mul(d, right)
		if got, err := m.Mul(right); err != nil || !mat.Equal(got, &want) {
			t.Fatalf("A·B = %v, %v, want %v", got, err, &want)
		}
		if got, err := m.Mul(mat.DenseCopyOf(right.T()).T()); err != nil || !mat.Equal(got, &want) {
			t.Fatalf("A·B of a transpose = %v, %v, want %v", got, err, &want)
		}
		want.Reset()
		want.Mul(d.T(), left)
		if got, err := m.TMul(left); err != nil || !mat.Equal(got, &want) {
			t.Fatalf("Aᵀ·B = %v, %v, want %v", got, err, &want)
		}
		want.Reset()
		want.Mul(d.T(), d)
		if got, err := m.Gram(); err != nil || !mat.Equal(got, &want) {
			t.Fatalf("AᵀA = %v, %v, want %v", got, err, &want)
		}

		for i, s := range m.RowSums() {
			if s != mat.Sum(d.RowView(i)) {
				t.Fatalf("row %d sums to %v", i, s)
			}
		}
		for j, s := range m.ColumnSums() {
			if s != mat.Sum(d.ColView(j)) {
				t.Fatalf("column %d sums to %v", j, s)
			}
		}
		want.Reset()
		want.Apply(func(i, j int, v float64) float64 { return v * left.At(i, 0) * right.At(j, 0) }, d)
		scaled, err := m.ScaleRows(mat.Col(nil, 0, left))
		if err != nil {
			t.Fatal(err)
		}
		scaled, err = scaled.ScaleColumns(mat.Col(nil, 0, right))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "the scaled matrix", scaled, &want)
	})
}

func whole(t *rapid.T, r, c int) *mat.Dense {
	x := mat.NewDense(r, c, nil)
	x.Apply(func(_, _ int, _ float64) float64 { return float64(rapid.IntRange(-4, 4).Draw(t, "x")) }, x)
	return x
}

func TestSquare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "n")
		m, d := drawn(t, n, n)
		for name, f := range map[string]func(a, b float64) float64{
			"mean": func(a, b float64) float64 { return (a + b) / 2 }, "min": math.Min, "max": math.Max,
		} {
			s, err := m.Symmetrize(t.Context(), f)
			if err != nil {
				t.Fatal(err)
			}
			var want mat.Dense
			want.Apply(func(i, j int, v float64) float64 { return f(v, d.At(j, i)) }, d)
			same(t, name, s, &want)
		}
		rows := rapid.Permutation(seq(n)).Draw(t, "order")[:rapid.IntRange(1, n).Draw(t, "part")]
		part, err := m.Part(rows)
		if err != nil {
			t.Fatal(err)
		}
		want := mat.NewDense(len(rows), len(rows), nil)
		want.Apply(func(i, j int, _ float64) float64 { return d.At(rows[i], rows[j]) }, want)
		same(t, "Part", part, want)

		// Two nodes are in one component where a power of the graph joins them.
		near := mat.NewDense(n, n, nil)
		near.Apply(func(i, j int, _ float64) float64 {
			if i == j || d.At(i, j) != 0 || d.At(j, i) != 0 {
				return 1
			}
			return 0
		}, near)
		reach := mat.DenseCopyOf(near)
		for range n {
			reach.Mul(mat.DenseCopyOf(reach), near)
			reach.Apply(func(_, _ int, v float64) float64 { return min(v, 1) }, reach)
		}
		component, count := m.Components()
		seen := 0
		for i := range n {
			if component[i] > seen || component[i] < 0 {
				t.Fatalf("components %v are not numbered by their first nodes", component)
			}
			if component[i] == seen {
				seen++
			}
			for j := range n {
				if (component[i] == component[j]) != (reach.At(i, j) > 0) {
					t.Fatalf("components %v: nodes %d and %d", component, i, j)
				}
			}
		}
		if seen != count {
			t.Fatalf("%d components, want %d", count, seen)
		}
		pairs := m.Pairs()
		for i := range n {
			for j := i; j < n; j++ {
				if slices.Contains(pairs, [2]int{i, j}) != (d.At(i, j) != 0 || d.At(j, i) != 0) {
					t.Fatalf("pairs %v: %d and %d", pairs, i, j)
				}
			}
		}
		if len(slices.Compact(pairs)) != len(pairs) {
			t.Fatalf("pairs %v: one stands twice", pairs)
		}
	})
}

func seq(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

// Products sum in the order of the columns, so that a result is the same for any number of
// processors.
func TestProductsOnAnyNumberOfProcessors(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	r := rng.New(1)
	const n = 3000
	var is, js []int
	var vs []float64
	for range 20 * n {
		is, js, vs = append(is, r.IntN(n)), append(js, r.IntN(n)), append(vs, r.NormFloat64())
	}
	b := mat.NewDense(n, 7, nil)
	b.Apply(func(_, _ int, _ float64) float64 { return r.NormFloat64() }, b)
	all := func() []float64 {
		m, err := csr.FromTriplets(n, n, is, js, vs)
		if err != nil {
			t.Fatal(err)
		}
		x, err := m.Mul(b)
		if err != nil {
			t.Fatal(err)
		}
		y, err := m.TMul(b)
		if err != nil {
			t.Fatal(err)
		}
		s, err := m.Symmetrize(t.Context(), func(a, b float64) float64 { return a + b })
		if err != nil {
			t.Fatal(err)
		}
		return slices.Concat(x.RawMatrix().Data, y.RawMatrix().Data, s.Value)
	}
	want := all()
	runtime.GOMAXPROCS(4)
	if !slices.Equal(all(), want) {
		t.Error("other numbers on 4 processors than on 1")
	}
}

func TestErrors(t *testing.T) {
	two, three := []int{0, 1}, []int{0, 1, 2}
	second := func(_ any, err error) error { return err }
	m, err := csr.FromTriplets(2, 3, two, two, nil)
	if err != nil {
		t.Fatal(err)
	}
	square, err := csr.FromTriplets(2, 2, two, two, nil)
	if err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		err, want error
		says      string
	}{
		"no columns":     {second(csr.FromTriplets(2, 0, nil, nil, nil)), ml.ErrEmpty, "2×0"},
		"no rows":        {second(csr.FromRows(2, nil, nil)), ml.ErrEmpty, "0×2"},
		"lengths":        {second(csr.FromTriplets(2, 2, two, three, nil)), ml.ErrShape, "2 rows, 3 columns"},
		"values":         {second(csr.FromTriplets(2, 2, two, two, []float64{1})), ml.ErrShape, "1 values"},
		"row":            {second(csr.FromTriplets(2, 3, []int{0, 2}, two, nil)), ml.ErrParameter, "i[1] = 2, want 0 to 1"},
		"negative row":   {second(csr.FromTriplets(2, 3, []int{-1, 0}, two, nil)), ml.ErrParameter, "i[0] = -1"},
		"column":         {second(csr.FromTriplets(3, 2, three, three, nil)), ml.ErrParameter, "a column in row 2 = 2, want 0 to 1"},
		"infinite":       {second(csr.FromTriplets(2, 2, two, two, []float64{1, math.Inf(1)})), ml.ErrNotFinite, "row 1, column 1 is +Inf"},
		"infinite sum":   {second(csr.FromTriplets(1, 1, []int{0, 0}, []int{0, 0}, []float64{1e308, 1e308})), ml.ErrNotFinite, "row 0, column 0 is +Inf"},
		"rows of values": {second(csr.FromRows(2, [][]int{{0}}, [][]float64{})), ml.ErrShape, "1 rows of columns and 0 of values"},
		"a row's values": {second(csr.FromRows(2, [][]int{{0}}, [][]float64{{1, 2}})), ml.ErrShape, "row 0 has 1 columns and 2 values"},
		"NaN":            {second(csr.FromDense(mat.NewDense(1, 2, []float64{0, math.NaN()}))), ml.ErrNotFinite, "row 0, column 1 is NaN"},
		"nil":            {second(csr.FromDense((*csr.Matrix)(nil))), ml.ErrEmpty, "nil"},
		"product":        {second(m.Mul(mat.NewDense(2, 1, nil))), ml.ErrShape, "2 rows, want 3"},
		"transposed":     {second(m.TMul(mat.NewDense(3, 1, nil))), ml.ErrShape, "3 rows, want 2"},
		"Gram":           {second((&csr.Matrix{Columns: 1 << 16, Start: two}).Gram()), ml.ErrShape, "32 GiB"},
		"row scales":     {second(m.ScaleRows([]float64{1})), ml.ErrShape, "length 1, want 2"},
		"column scales":  {second(m.ScaleColumns([]float64{1, 2})), ml.ErrShape, "length 2, want 3"},
		"a scale":        {second(m.ScaleColumns([]float64{1, 2, math.NaN()})), ml.ErrNotFinite, "by[2]"},
		"not square":     {second(m.Symmetrize(t.Context(), math.Max)), ml.ErrShape, "2×3"},
		"ended":          {second(square.Symmetrize(ended, math.Max)), context.Canceled, "canceled"},
		"part twice":     {second(square.Part([]int{1, 1})), ml.ErrParameter, "rows[1] = 1"},
		"part outside":   {second(square.Part([]int{2})), ml.ErrParameter, "0 to 1"},
		"descending":     {(&csr.Matrix{Columns: 2, Start: []int{0, 2}, Index: []int{1, 0}, Value: []float64{1, 1}}).Check("x"), ml.ErrParameter, "a column in row 0 = 0"},
		"start":          {(&csr.Matrix{Columns: 2, Start: []int{0, 3}, Index: two, Value: []float64{1, 1}}).Check("x"), ml.ErrShape, "do not fit"},
		"no start":       {(&csr.Matrix{Columns: 2, Index: two, Value: []float64{1, 1}}).Check("x"), ml.ErrShape, "do not fit"},
		"falling start":  {(&csr.Matrix{Columns: 2, Start: []int{0, 2, 1, 2}, Index: two, Value: []float64{1, 1}}).Check("x"), ml.ErrShape, "do not fit"},
	} {
		if !errors.Is(c.err, c.want) || !strings.Contains(c.err.Error(), c.says) {
			t.Errorf("%s: %v, want %v and %q", name, c.err, c.want, c.says)
		}
	}
	if err := (&csr.Matrix{}).Check("x"); err != nil {
		t.Errorf("the zero value: %v", err)
	}
}

// A sparse matrix goes through the checks of every method, and a large one is never made dense.
func TestChecksOfInput(t *testing.T) {
	m, err := csr.FromTriplets(3, 2, []int{0, 2, 2}, []int{1, 0, 1}, []float64{5, 6, 7})
	if err != nil {
		t.Fatal(err)
	}
	want := mat.NewDense(3, 2, []float64{0, 5, 0, 0, 6, 7})
	if got, err := ml.Dense("x", m); err != nil || !mat.Equal(got, want) {
		t.Errorf("ml.Dense gives %v, %v", got, err)
	}
	err = ml.EachRow("x", m, func(i int, row []float64) error {
		if !slices.Equal(row, want.RawRowView(i)) {
			t.Errorf("row %d is %v", i, row)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if ml.FingerprintOf(m) != ml.FingerprintOf(want) || ml.FingerprintOf(m.T()) != ml.FingerprintOf(want.T()) {
		t.Error("a sparse matrix has another fingerprint than the dense one")
	}
	if _, err := ml.Dense("x", (*csr.Matrix)(nil)); !errors.Is(err, ml.ErrEmpty) {
		t.Errorf("nil: %v", err)
	}
	m.Value[2] = math.NaN()
	if _, err := ml.Dense("x", m); !errors.Is(err, ml.ErrNotFinite) || !strings.Contains(err.Error(), "row 2, column 1") {
		t.Errorf("NaN: %v", err)
	}
	wide, err := csr.FromTriplets(1<<20, 1<<20, []int{7}, []int{9}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ml.Dense("x", wide); !errors.Is(err, ml.ErrShape) || !strings.Contains(err.Error(), "8192.0 GiB") {
		t.Errorf("a large matrix: %v", err)
	}
	if _, err := ml.Dense("x", wide.T()); !errors.Is(err, ml.ErrShape) {
		t.Errorf("a large matrix, transposed: %v", err)
	}
	if wide.At(7, 9) != 1 || wide.At(9, 7) != 0 || wide.T().At(9, 7) != 1 {
		t.Error("an element of a large matrix is wrong")
	}
}

func FuzzFromTriplets(f *testing.F) {
	f.Add(2, 3, []byte{0, 1, 2, 1, 1, 1})
	f.Add(1, 1, []byte{0, 0, 255})
	f.Add(-1, 1<<40, []byte{})
	f.Fuzz(func(t *testing.T, rows, columns int, data []byte) {
		if rows > 1000 || columns > 1000 {
			return
		}
		var is, js []int
		var vs []float64
		special := []float64{math.NaN(), math.Inf(-1), 1e308, -1e308, 0}
		for ; len(data) >= 3; data = data[3:] {
			is, js = append(is, int(int8(data[0]))), append(js, int(int8(data[1])))
			v := float64(int8(data[2]))
			if int(data[2]) < len(special) {
				v = special[data[2]]
			}
			vs = append(vs, v)
		}
		m, err := csr.FromTriplets(rows, columns, is, js, vs)
		sums := map[[2]int]float64{}
		valid := rows > 0 && columns > 0
		for k := range is {
			valid = valid && is[k] >= 0 && is[k] < rows && js[k] >= 0 && js[k] < columns
			sums[[2]int{is[k], js[k]}] += vs[k]
		}
		for _, s := range sums {
			valid = valid && s-s == 0
		}
		if (err == nil) != valid {
			t.Fatalf("%v, and the triplets are valid: %v", err, valid)
		}
		if !valid {
			return
		}
		if err := m.Check("made"); err != nil {
			t.Fatal(err)
		}
		for k, s := range sums {
			if got := m.At(k[0], k[1]); got != s {
				t.Fatalf("at %v %v, want %v", k, got, s)
			}
		}
	})
}

// Check tells what is a matrix: none of the other methods panics on what has passed it.
func FuzzCheck(f *testing.F) {
	f.Add(3, []byte{0, 1, 2}, []byte{2, 1})
	f.Add(1, []byte{0, 2, 2}, []byte{0, 0})
	f.Fuzz(func(t *testing.T, columns int, start, index []byte) {
		if columns > 300 {
			return
		}
		m := &csr.Matrix{Columns: columns}
		for _, s := range start {
			m.Start = append(m.Start, int(int8(s)))
		}
		for k, j := range index {
			m.Index = append(m.Index, int(int8(j)))
			m.Value = append(m.Value, float64(binary.LittleEndian.Uint16([]byte{j, byte(k)})))
		}
		if m.Check("fuzz") != nil {
			return
		}
		if tt := m.Transpose().Transpose(); !slices.Equal(tt.Index, m.Index) || !slices.Equal(tt.Value, m.Value) {
			t.Fatalf("twice transposed %+v is %+v", m, tt)
		}
		m.DoNonZero(func(i, j int, v float64) {
			if m.At(i, j) != v {
				t.Fatalf("at %d, %d %v, want %v", i, j, m.At(i, j), v)
			}
		})
		if m.Rows() == m.Columns {
			m.Components()
			m.Pairs()
		}
	})
}
