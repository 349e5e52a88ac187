package datasets

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"math"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/golatent/latent/internal/npy"
)

// ReadNPY reads an array of numbers from a file of NumPy's, of any dimensions: its shape, and the
// elements with the last index running fastest. It takes every type of real number that NumPy has
// but the long double, whose bytes differ from machine to machine; false and true are 0 and 1. A
// whole number that a float64 can't hold is an error.
func ReadNPY(r io.Reader) (shape []int, data []float64, err error) {
	a, err := npy.ReadEvery(r, npy.Limits{MaxBytes: defaultMaxBytes})
	if err != nil {
		return nil, nil, malformed("%v", err)
	}
	if at := inexact(a.Data); at >= 0 {
		return nil, nil, malformed("element %d is %v, which a float64 can't hold", at, reflect.ValueOf(a.Data).Index(at))
	}
	if data = a.Float64s(); data == nil && a.Len() > 0 {
		return nil, nil, malformed("the elements are of type %T, want real numbers; Reader reads such a file as a table", a.Data)
	}
	return a.Shape, data, nil
}

// inexact returns the first whole number that a float64 can't hold, −1 where it holds all.
func inexact(data any) int {
	switch v := data.(type) {
	case []int64:
		return slices.IndexFunc(v, func(x int64) bool {
			return x < -1<<53 && float64(x) != math.MinInt64 && int64(float64(x)) != x || x > 1<<53 && (float64(x) >= 1<<63 || int64(float64(x)) != x)
		})
	case []uint64:
		return slices.IndexFunc(v, func(x uint64) bool { return x > 1<<53 && (float64(x) >= 1<<64 || uint64(float64(x)) != x) })
	}
	return -1
}

// readNPY makes a table of one array: its first index is the row.
func (o Reader) readNPY(data []byte) (Table, error) {
	a, err := npy.ReadEvery(bytes.NewReader(data), npy.Limits{MaxBytes: int64(len(data))})
	if err != nil {
		return Table{}, malformed("%v", err)
	}
	t := Table{Found: Dialect{Format: "npy"}}
	if err := t.addArray("", a); err != nil {
		return Table{}, err
	}
	return t.named(o)
}

// readNPZ makes a table of the arrays of a zip file, which must have one length.
func (o Reader) readNPZ(data []byte) (Table, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return Table{}, malformed("not a zip file: %v", err)
	}
	t := Table{Found: Dialect{Format: "npz"}}
	var names []string
	arrays := map[string]*npy.Array{}
	left := o.MaxBytes
	if left == 0 {
		left = defaultMaxBytes
	}
	for _, f := range z.File {
		name, ok := strings.CutSuffix(f.Name, ".npy")
		if !ok {
			return Table{}, malformed("the zip file holds %.60q, which is no array: this is no NPZ file", f.Name)
		}
		if _, twice := arrays[name]; twice {
			return Table{}, malformed("the file holds two arrays %q", name)
		}
		names = append(names, name)
		if o.Arrays != nil && !slices.Contains(o.Arrays, name) {
			arrays[name] = nil
			continue
		}
		r, err := f.Open()
		if err != nil {
			return Table{}, malformed("array %q: %v", name, err)
		}
		a, err := npy.ReadEvery(r, npy.Limits{MaxBytes: max(left, 1)})
		r.Close()
		if err != nil {
			return Table{}, malformed("array %q: %v", name, err)
		}
		left -= int64(a.Len()) * 8
		arrays[name] = a
	}
	want := o.Arrays
	if want == nil {
		want = names
	}
	for _, name := range want {
		a, ok := arrays[name]
		if !ok {
			return Table{}, malformed("there is no array %q (Reader.Arrays) among %s", name, listed(names, 30))
		}
		if rows, cols := t.Dims(); cols > 0 && (len(a.Shape) == 0 || a.Shape[0] != rows) {
			return Table{}, malformed("the arrays %s have no common length (%q has shape %v, those before %d rows); Reader.Arrays says which make the table", listed(names, 30), name, a.Shape, rows)
		}
		if err := t.addArray(name, a); err != nil {
			return Table{}, fmt.Errorf("array %q: %w", name, err)
		}
	}
	return t.named(o)
}

// named gives a table without a header the names of Reader, and refuses what it can't have used.
func (t Table) named(o Reader) (Table, error) {
	rows, cols := t.Dims()
	if rows == 0 || cols == 0 {
		return Table{}, malformed("the file holds no numbers")
	}
	if o.Names != nil {
		if len(o.Names) != cols {
			return Table{}, malformed("Reader.Names has %d names, the file %d columns", len(o.Names), cols)
		}
		for j := range t.Columns {
			t.Columns[j].Name = o.Names[j]
		}
	}
	return t, t.check()
}

// addArray appends the columns of an array n×d×…: named by the array, and where it has more than
// one by their indices too.
func (t *Table) addArray(name string, a *npy.Array) error {
	if len(a.Shape) == 0 {
		return malformed("an array without dimensions is no column")
	}
	n, d := a.Shape[0], 1
	for _, k := range a.Shape[1:] {
		d *= k
	}
	if n == 0 || d == 0 {
		return malformed("an array of shape %v has no elements", a.Shape)
	}
	if d > 1<<20 {
		return malformed("an array of shape %v would make %d columns", a.Shape, d)
	}
	for j := range d {
		c := Column{Name: elementName(name, a.Shape[1:], j)}
		switch v := a.Data.(type) {
		case []bool:
			c.Kind, c.Numbers = Boolean, make([]float64, n)
			for i := range n {
				if v[i*d+j] {
					c.Numbers[i] = 1
				}
			}
		case []string:
			c.Kind, c.Texts = Text, make([]string, n)
			for i := range n {
				c.Texts[i] = v[i*d+j]
			}
		case []time.Time:
			c.Kind, c.Dates = Date, make([]time.Time, n)
			for i := range n {
				if c.Dates[i] = v[i*d+j]; c.Dates[i].IsZero() {
					c.setMissing(i)
				}
			}
		case []complex64:
			wide := make([]complex128, n)
			for i := range wide {
				wide[i] = complex128(v[i*d+j])
			}
			t.addComplex(c.Name, wide)
			continue
		case []complex128:
			cells := make([]complex128, n)
			for i := range cells {
				cells[i] = v[i*d+j]
			}
			t.addComplex(c.Name, cells)
			continue
		default:
			if at := inexact(a.Data); at >= 0 { // names of things
				cells := reflect.ValueOf(a.Data)
				c.Kind, c.Texts = Text, make([]string, n)
				for i := range n {
					c.Texts[i] = fmt.Sprint(cells.Index(i*d + j))
				}
				t.Notes = append(t.Notes, fmt.Sprintf("column %q is kept as text: %v is a whole number that a number would round", c.Name, cells.Index(at)))
				break
			}
			c.Kind, c.Numbers = Number, column(a, j, n, d)
			for i, x := range c.Numbers {
				if math.IsNaN(x) {
					c.setMissing(i)
				}
			}
		}
		t.Columns = append(t.Columns, c)
	}
	return nil
}

// column copies one column of real numbers.
func column(a *npy.Array, j, n, d int) []float64 {
	out := make([]float64, n)
	switch v := a.Data.(type) {
	case []float64:
		pick(out, v, j, d)
	case []float32:
		pick(out, v, j, d)
	case []int64:
		pick(out, v, j, d)
	case []int32:
		pick(out, v, j, d)
	case []int16:
		pick(out, v, j, d)
	case []int8:
		pick(out, v, j, d)
	case []uint64:
		pick(out, v, j, d)
	case []uint32:
		pick(out, v, j, d)
	case []uint16:
		pick(out, v, j, d)
	case []uint8:
		pick(out, v, j, d)
	}
	return out
}

func pick[T float64 | float32 | int64 | int32 | int16 | int8 | uint64 | uint32 | uint16 | uint8](dst []float64, v []T, j, d int) {
	for i := range dst {
		dst[i] = float64(v[i*d+j])
	}
}

// addComplex appends the real and the imaginary parts.
func (t *Table) addComplex(name string, cells []complex128) {
	re := Column{Name: name + " (real)", Kind: Number, Numbers: make([]float64, len(cells))}
	im := Column{Name: name + " (imaginary)", Kind: Number, Numbers: make([]float64, len(cells))}
	for i, c := range cells {
		re.Numbers[i], im.Numbers[i] = real(c), imag(c)
		if math.IsNaN(real(c)) {
			re.setMissing(i)
		}
		if math.IsNaN(imag(c)) {
			im.setMissing(i)
		}
	}
	t.Columns = append(t.Columns, re, im)
}

func (c *Column) setMissing(i int) {
	if c.Missing == nil {
		c.Missing = make([]bool, c.Len())
	}
	c.Missing[i] = true
}

// elementName names the column of one index: "x" of a vector, "x[2]" of a matrix x, "column 3"
// where the array has no name.
func elementName(name string, shape []int, j int) string {
	if len(shape) == 0 {
		if name == "" {
			return "column 1"
		}
		return name
	}
	if name == "" && len(shape) == 1 {
		return fmt.Sprintf("column %d", j+1)
	}
	index := make([]string, len(shape))
	for k := len(shape) - 1; k >= 0; k-- {
		index[k] = fmt.Sprint(j % shape[k])
		j /= shape[k]
	}
	return name + "[" + strings.Join(index, ",") + "]"
}
