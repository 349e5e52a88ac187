package check_test

import (
	"fmt"
	"math"
	"runtime"
	"strings"
	"testing"

	"github.com/golatent/latent/tutorials/check"
	"gonum.org/v1/gonum/mat"
)

// recorder is a test that fails without failing this one.
type recorder struct {
	testing.TB
	said string
}

func (r *recorder) Helper() {}
func (r *recorder) Fatalf(format string, args ...any) {
	r.said += fmt.Sprintf(format, args...)
	runtime.Goexit()
}
func (r *recorder) Fatal(args ...any) { r.Fatalf("%s", fmt.Sprint(args...)) }

// outcome is what a check says, "" if it is content.
func outcome(f func(t testing.TB)) string {
	r, done := &recorder{}, make(chan struct{})
	go func() { defer close(done); f(r) }()
	<-done
	return r.said
}

func TestWhatChecksSay(t *testing.T) {
	x := check.Rows([]float64{1, 2}, []float64{3, 4})
	for _, c := range []struct {
		want string
		f    func(t testing.TB)
	}{
		{"", func(t testing.TB) { check.Number(t, "F()", 1, 1.0001, 0.001) }},
		{"F() = 1, want 2", func(t testing.TB) { check.Number(t, "F()", 1, 2, 0.1) }},
		{"F() = NaN, want 2", func(t testing.TB) { check.Number(t, "F()", math.NaN(), 2, 1) }},
		{"", func(t testing.TB) { check.Number(t, "F()", math.Inf(-1), math.Inf(-1), 0) }},
		{"F() gives 1 labels, want 2", func(t testing.TB) { check.Labels(t, "F()", []int{1}, []int{1, 2}) }},
		{"F(): label of row 1 is 3, want 2 (all: got [1 3], want [1 2])", func(t testing.TB) { check.Labels(t, "F()", []int{1, 3}, []int{1, 2}) }},
		{"F() has 0 numbers, want 1", func(t testing.TB) { check.Numbers(t, "F()", nil, []float64{1}, 0) }},
		{"F(): number 0 is NaN, want 1", func(t testing.TB) { check.Numbers(t, "F()", []float64{math.NaN()}, []float64{1}, 0) }},
		{"F() is nil or empty, want a matrix of 2×2", func(t testing.TB) { check.Matrix(t, "F()", nil, x, 0) }},
		{"F() is nil or empty, want a matrix of 2×2", func(t testing.TB) { check.Matrix(t, "F()", (*mat.Dense)(nil), x, 0) }},
		{"F() is nil or empty, want a matrix of 2×2", func(t testing.TB) { check.Matrix(t, "F()", &mat.Dense{}, x, 0) }},
		{"F() is a matrix of 1×1, want a matrix of 2×2", func(t testing.TB) { check.Matrix(t, "F()", check.Rows([]float64{1}), x, 0) }},
		{"F(): element (1, 0) is 5, want 3 (all: got [1 2; 5 4], want [1 2; 3 4])", func(t testing.TB) {
			check.Matrix(t, "F()", check.Rows([]float64{1, 2}, []float64{5, 4}), x, 0.5)
		}},
		{"", func(t testing.TB) { check.Matrix(t, "F()", x, mat.NewSymDense(2, []float64{1, 2, 2, 4}), 1) }},
		{"F stops here", func(t testing.TB) { defer check.Explain(t); panic(check.Stop("F stops here")) }},
		{"unwritten is not written yet", func(t testing.TB) { defer check.Explain(t); unwritten() }},
		{"beyond panicked: runtime error: index out of range [2] with length 1, at the line: return list[at] // here", func(t testing.TB) {
			defer check.Explain(t)
			beyond([]int{1}, 2)
		}},
		{"library panicked: mat: dimension mismatch", func(t testing.TB) { defer check.Explain(t); library() }},
		{"", func(t testing.TB) { defer check.Explain(t) }},
	} {
		if said := outcome(c.f); said != c.want && (c.want == "" || !strings.HasPrefix(said, c.want)) {
			t.Errorf("said %q, want %q", said, c.want)
		}
	}
}

func unwritten() { panic("not written yet") }

func beyond(list []int, at int) int {
	return list[at] // here
}

// A fault within gonum is named after the function that called it.
func library() { mat.NewDense(1, 2, nil).Mul(mat.NewDense(1, 2, nil), mat.NewDense(1, 2, nil)) }

func TestValues(t *testing.T) {
	type mixture struct {
		Weights []float64
		Means   *mat.Dense
		hidden  map[string]int
	}
	for _, c := range []struct {
		v    any
		want string
	}{
		{check.Rows([]float64{1, 2.5}, []float64{3, 1e-9}), "[1 2.5; 3 1e-09]"},
		{[]*mat.SymDense{mat.NewSymDense(1, []float64{2})}, "[[2]]"},
		{(*mat.Dense)(nil), "nil"}, {nil, "nil"}, {"a\nb", `"a\nb"`}, {uint64(3), "3"}, {true, "true"}, {math.Pi, "3.14159"},
		{mixture{[]float64{1}, nil, map[string]int{"a": 1}}, "{Weights: [1], Means: nil, hidden: map[a:1]}"},
		{&mixture{}, "{Weights: [], Means: nil, hidden: map[]}"},
	} {
		if got := check.Value(c.v); got != c.want {
			t.Errorf("Value: %s, want %s", got, c.want)
		}
	}
	if long := check.Value(make([]int, 1000)); len([]rune(long)) > 170 || !strings.HasSuffix(long, "…") {
		t.Errorf("a long list is written as %d characters", len(long))
	}
	if got, want := check.Call("F", []int{1}, 2.0), "F([1], 2)"; got != want {
		t.Errorf("Call: %s, want %s", got, want)
	}
	if got, want := check.Clean("a\x1b[31m\rb\n"), "a\\x1b[31m\\x0db\n"; got != want {
		t.Errorf("Clean: %q, want %q", got, want)
	}
}
