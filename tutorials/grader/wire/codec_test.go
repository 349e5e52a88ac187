package wire

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"
)

type mixture struct {
	Weights []float64
	Means   *mat.Dense
	Covs    []*mat.SymDense
	Name    string
	Deep    [][]int
	Flag    bool
	Small   int8
	Float   float32
	Next    *mixture
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	b, err := appendValue(nil, reflect.ValueOf(v).Elem())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is decoded is what was encoded, to the bit: NaN and −0 too.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		float := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{math.NaN(), math.Inf(1), math.Inf(-1), math.Copysign(0, -1)}))
		matrix := func() *mat.Dense {
			n, d := rapid.IntRange(0, 4).Draw(t, "n"), rapid.IntRange(1, 4).Draw(t, "d")
			if n == 0 {
				return nil
			}
			return mat.NewDense(n, d, rapid.SliceOfN(float, n*d, n*d).Draw(t, "data"))
		}
		m := mixture{
			Weights: rapid.SliceOf(float).Draw(t, "weights"), Means: matrix(), Name: rapid.String().Draw(t, "name"),
			Deep: rapid.SliceOf(rapid.SliceOf(rapid.Int())).Draw(t, "deep"), Flag: rapid.Bool().Draw(t, "flag"),
			Small: rapid.Int8().Draw(t, "small"), Float: rapid.Float32().Draw(t, "float"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "covs") {
			m.Covs = append(m.Covs, mat.NewSymDense(2, []float64{float.Draw(t, "a"), float.Draw(t, "b"), 0, float.Draw(t, "c")}))
		}
		if rapid.Bool().Draw(t, "next") {
			m.Next = &mixture{Name: "next"}
		}
		b, err := appendValue(nil, reflect.ValueOf(&m).Elem())
		if err != nil {
			t.Fatal(err)
		}
		var got mixture
		rest, err := decodeValue(b, reflect.ValueOf(&got).Elem())
		if err != nil || len(rest) != 0 {
			t.Fatalf("%v, %d bytes left", err, len(rest))
		}
		again, err := appendValue(nil, reflect.ValueOf(&got).Elem())
		if err != nil || !bytes.Equal(b, again) {
			t.Fatalf("%v: %+v became %+v", err, m, got)
		}
	})
}

// A view of a larger matrix travels as what it shows.
func TestViews(t *testing.T) {
	big := mat.NewDense(3, 3, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9})
	view := big.Slice(1, 3, 0, 2).(*mat.Dense)
	var got *mat.Dense
	if _, err := decodeValue(encode(t, &view), reflect.ValueOf(&got).Elem()); err != nil {
		t.Fatal(err)
	}
	if !mat.Equal(got, mat.NewDense(2, 2, []float64{4, 5, 7, 8})) {
		t.Errorf("got %v", mat.Formatted(got))
	}
	empty := &mat.Dense{}
	if _, err := decodeValue(encode(t, &empty), reflect.ValueOf(&got).Elem()); err != nil || !got.IsEmpty() {
		t.Errorf("an empty matrix became %v (%v)", got, err)
	}
}

// What a function did to its arguments is seen by the test that called it, as far as Go would show
// it.
func TestRestore(t *testing.T) {
	labels, x := []int{1, 2, 3}, mat.NewDense(1, 2, []float64{1, 2})
	m := mixture{Weights: []float64{1}, Means: mat.NewDense(1, 1, []float64{5}), Covs: []*mat.SymDense{mat.NewSymDense(1, []float64{1})}}
	for _, pair := range []struct{ to, from any }{
		{&labels, &[]int{7, 8, 9, 10}},
		{&x, ptr(mat.NewDense(1, 2, []float64{3, 4}))},
		{&m, &mixture{Weights: []float64{2}, Means: mat.NewDense(1, 1, []float64{6}), Covs: []*mat.SymDense{mat.NewSymDense(1, []float64{3})}, Deep: [][]int{{1}}}},
		{&x, ptr(mat.NewDense(2, 2, nil))}, // of another shape: it can't be the same matrix
	} {
		restore(reflect.ValueOf(pair.to).Elem(), reflect.ValueOf(pair.from).Elem())
	}
	if labels[0] != 7 || len(labels) != 3 || x.At(0, 1) != 4 || m.Weights[0] != 2 || m.Means.At(0, 0) != 6 || m.Covs[0].At(0, 0) != 3 {
		t.Errorf("labels %v, x %v, m %+v", labels, x, m)
	}
}

func ptr[T any](v T) *T { return &v }

func TestUnsendable(t *testing.T) {
	for _, v := range []any{ptr(map[string]int{}), ptr(func() {}), ptr(any(nil)), ptr(make(chan int)), ptr([2]int{}), ptr(complex(1, 2))} {
		if _, err := appendValue(nil, reflect.ValueOf(v).Elem()); err == nil {
			t.Errorf("%T was sent", v)
		}
		if _, err := decodeValue(make([]byte, 64), reflect.ValueOf(v).Elem()); err == nil {
			t.Errorf("%T was received", v)
		}
	}
}

// Replies come from the student's process: any bytes must be an error or a value, never a panic,
// and never take much more memory than they are long.
func FuzzDecode(f *testing.F) {
	some := mixture{Weights: []float64{1}, Means: mat.NewDense(1, 2, nil), Covs: []*mat.SymDense{mat.NewSymDense(2, nil)}, Name: "a", Deep: [][]int{{1}, {}}, Next: &mixture{}}
	f.Add(encode(f, &some))
	f.Add(encode(f, ptr([]float64{1, 2})))
	f.Add(encode(f, ptr(mat.NewDense(2, 2, nil))))
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 40))
	f.Add(append(encode(f, ptr(1<<24)), append(encode(f, ptr(1<<24)), make([]byte, 64)...)...)) // a matrix of 2⁴⁸ numbers
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, v := range []any{&mixture{}, new([]float64), new(*mat.Dense), new(*mat.SymDense), new(string), new([][]string), new([]*mixture), new(int8)} {
			rest, err := decodeValue(b, reflect.ValueOf(v).Elem())
			if err != nil {
				continue
			}
			if len(rest) > len(b) {
				t.Fatalf("%T: %d bytes left of %d", v, len(rest), len(b))
			}
			again, err := appendValue(nil, reflect.ValueOf(v).Elem())
			if err != nil {
				t.Fatalf("%T: what was received can't be sent: %v", v, err)
			}
			w := reflect.New(reflect.TypeOf(v).Elem())
			if rest, err := decodeValue(again, w.Elem()); err != nil || len(rest) != 0 {
				t.Fatalf("%T: what was received and sent again is not understood: %v", v, err)
			}
		}
		args, results := []any{&mixture{}, new([]int)}, []any{new(*mat.Dense), new(float64)}
		_ = understand("F()", args, results, b)
		_, _ = answer(map[string]any{"": func(*mat.Dense, []string) int { return 0 }}, b)
	})
}
