// Package check is what the test cells of an assignment say things with: what was expected of which
// call, and what came instead, in words that help. A student's notebook uses it for the checks that
// they see, the grader for the ones that they don't.
package check

import (
	"fmt"
	"math"
	"os"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

// NotWritten is what the stub of a function that the student has still to write panics with.
const NotWritten = "not written yet"

// Stop is a panic that says in a whole sentence why a test cannot go on.
type Stop string

// Explain turns a panic of the function under test into a sentence instead of a stack. Defer it
// first in a test.
func Explain(t testing.TB) {
	t.Helper()
	switch p := recover().(type) {
	case nil:
	case Stop:
		t.Fatal(Clean(string(p)))
	default:
		name, line := culprit()
		if s, ok := p.(string); ok && strings.HasPrefix(s, NotWritten) {
			t.Fatalf("%s is %s", name, s)
		}
		t.Fatalf("%s panicked: %s%s", name, Clean(fmt.Sprint(p)), line)
	}
}

// culprit names the function that panicked, and quotes its line where the source is at hand. A
// fault inside a library is its caller's.
func culprit() (name, line string) {
	pcs := make([]uintptr, 64)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for more := true; more; {
		var f runtime.Frame
		f, more = frames.Next()
		pkg, function, _ := strings.Cut(f.Function[strings.LastIndexByte(f.Function, '/')+1:], ".")
		if pkg == "runtime" || strings.HasPrefix(f.Function, "gonum.org/") || strings.HasPrefix(f.Function, "slices.") || strings.HasPrefix(f.Function, "math") {
			continue
		}
		name, _, _ = strings.Cut(function, ".")
		if src, err := os.ReadFile(f.File); err == nil {
			if lines := strings.Split(string(src), "\n"); f.Line <= len(lines) {
				line = ", at the line: " + strings.TrimSpace(lines[f.Line-1])
			}
		}
		return name, line
	}
	return "the function", ""
}

// Number ends the test as failed unless got is within tol of want. what is the call, as Call writes
// it.
func Number(t testing.TB, what string, got, want, tol float64) {
	t.Helper()
	if !near(got, want, tol) {
		t.Fatalf("%s = %.9g, want %.9g", what, got, want)
	}
}

func near(got, want, tol float64) bool {
	return got == want || math.Abs(got-want) <= tol || math.IsNaN(got) && math.IsNaN(want)
}

// Labels ends the test as failed unless the labels are equal, and says which is the first that is
// not.
func Labels(t testing.TB, what string, got, want []int) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s gives %d labels, want %d, one for each row", what, len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("%s: label of row %d is %d, want %d (all: got %s, want %s)", what, i, got[i], want[i], Value(got), Value(want))
		}
	}
}

// Numbers ends the test as failed unless each number is within tol of the one wanted, and says
// which is the first that is not.
func Numbers(t testing.TB, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d numbers, want %d", what, len(got), len(want))
	}
	for i := range want {
		if !near(got[i], want[i], tol) {
			t.Fatalf("%s: number %d is %.9g, want %.9g (all: got %s, want %s)", what, i, got[i], want[i], Value(got), Value(want))
		}
	}
}

// Matrix ends the test as failed unless got has the shape of want and each element is within tol,
// and says which is the first that is not.
func Matrix(t testing.TB, what string, got, want mat.Matrix, tol float64) {
	t.Helper()
	rows, cols := want.Dims()
	r, c := Dims(got)
	if r != rows || c != cols {
		t.Fatalf("%s is %s, want a matrix of %d×%d", what, shape(got), rows, cols)
	}
	for i := range rows {
		for j := range cols {
			if !near(got.At(i, j), want.At(i, j), tol) {
				t.Fatalf("%s: element (%d, %d) is %.9g, want %.9g (all: got %s, want %s)", what, i, j, got.At(i, j), want.At(i, j), Value(got), Value(want))
			}
		}
	}
}

func shape(m mat.Matrix) string {
	if r, c := Dims(m); r > 0 {
		return fmt.Sprintf("a matrix of %d×%d", r, c)
	}
	return "nil or empty"
}

// Dims is m.Dims(), and 0, 0 for nil and for an empty matrix.
func Dims(m mat.Matrix) (rows, cols int) {
	if m == nil || reflect.ValueOf(m).Kind() == reflect.Pointer && reflect.ValueOf(m).IsNil() {
		return 0, 0
	}
	if e, ok := m.(interface{ IsEmpty() bool }); ok && e.IsEmpty() {
		return 0, 0
	}
	return m.Dims()
}

// Rows makes a matrix of its rows.
func Rows(rows ...[]float64) *mat.Dense {
	m := mat.NewDense(len(rows), len(rows[0]), nil)
	for i, r := range rows {
		m.SetRow(i, r)
	}
	return m
}

// Call writes a call as a student would: Assign([0; 9], [1; 8]).
func Call(name string, args ...any) string {
	in := make([]string, len(args))
	for i, a := range args {
		in[i] = Value(a)
	}
	return fmt.Sprintf("%s(%s)", name, strings.Join(in, ", "))
}

// Value writes a value: matrices as [1 2; 3 4], numbers to six digits, long ones cut.
func Value(v any) string {
	var s strings.Builder
	write(&s, reflect.ValueOf(v))
	const most = 160
	if r := []rune(s.String()); len(r) > most {
		return string(r[:most]) + " …"
	}
	return s.String()
}

func write(s *strings.Builder, v reflect.Value) {
	if s.Len() > 2000 {
		return
	}
	if v.IsValid() && v.CanInterface() {
		if m, ok := v.Interface().(mat.Matrix); ok {
			writeMatrix(s, m)
			return
		}
	}
	switch v.Kind() {
	case reflect.Invalid:
		s.WriteString("nil")
	case reflect.Float32, reflect.Float64:
		fmt.Fprintf(s, "%.6g", v.Float())
	case reflect.String:
		fmt.Fprintf(s, "%q", v.String())
	case reflect.Slice:
		s.WriteByte('[')
		for i := range v.Len() {
			if i > 0 {
				s.WriteByte(' ')
			}
			write(s, v.Index(i))
		}
		s.WriteByte(']')
	case reflect.Pointer:
		if v.IsNil() {
			s.WriteString("nil")
		} else {
			write(s, v.Elem())
		}
	case reflect.Struct:
		s.WriteByte('{')
		for i := range v.NumField() {
			if i > 0 {
				s.WriteString(", ")
			}
			s.WriteString(v.Type().Field(i).Name + ": ")
			write(s, v.Field(i))
		}
		s.WriteByte('}')
	default:
		fmt.Fprint(s, v)
	}
}

func writeMatrix(s *strings.Builder, m mat.Matrix) {
	rows, cols := Dims(m)
	if rows == 0 {
		s.WriteString("nil")
		return
	}
	s.WriteByte('[')
	for i := 0; i < rows && s.Len() < 2000; i++ {
		if i > 0 {
			s.WriteString("; ")
		}
		for j := range cols {
			if j > 0 {
				s.WriteByte(' ')
			}
			fmt.Fprintf(s, "%.6g", m.At(i, j))
		}
	}
	s.WriteByte(']')
}

// Clean makes a text that a student's program had a part in fit for a report: one that is long is
// cut, control characters are spelled out.
func Clean(text string) string {
	const most = 600
	var s strings.Builder
	for _, r := range text {
		switch {
		case s.Len() > most:
			return s.String() + " …"
		case r < ' ' && r != '\n' && r != '\t' || r == 0x7f:
			fmt.Fprintf(&s, "\\x%02x", r)
		default:
			s.WriteRune(r)
		}
	}
	return s.String()
}
