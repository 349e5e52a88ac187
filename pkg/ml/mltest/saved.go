package mltest

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Saved holds a type of model to a file that was written when its format was released, which must
// load for ever: a sample in which every exported field has a value of its own. Where
// LATENT_WRITE_TESTDATA is set and there is no file, it is written first. A file whose format has
// been released is never written again: a field that is added to a model later must load as what
// its absence means.
func Saved[M any](t *testing.T, path string) {
	t.Helper()
	if err := saved[M](path); err != nil {
		t.Error(err)
	}
}

func saved[M any](path string) error {
	sample := new(M)
	fill(reflect.ValueOf(sample).Elem(), "", nil)
	if toWrite(path) {
		if err := ml.Save(path, sample); err != nil {
			return err
		}
	}
	has, err := fieldsOf(path)
	if err != nil {
		return err
	}
	want := new(M) // a field that was added since means its zero value
	fill(reflect.ValueOf(want).Elem(), "", has)
	got, err := ml.Load[M](path)
	if err == nil && !reflect.DeepEqual(got, want) {
		err = fmt.Errorf("%s holds %+v, want %+v", path, got, want)
	}
	return err
}

// toWrite is whether a file is missing and has been asked for.
func toWrite(path string) bool {
	_, err := os.Stat(path)
	return os.IsNotExist(err) && os.Getenv("LATENT_WRITE_TESTDATA") != ""
}

// Stays holds a type of model to a small trained one, which was written to a .zip when its format
// was released, and to the numbers that it said then, in the .json beside it: arrays that load and
// are taken for something else would give others. They must agree to 1e-5 of themselves, which
// leaves room for the rounding of a backend. It returns the model. Where LATENT_WRITE_TESTDATA is
// set and there is no file, both are written first, as Saved does.
func Stays[M any](t *testing.T, path string, train func() (*M, error), says func(*M) ([]float64, error)) *M {
	t.Helper()
	m, err := stays(path, train, says)
	if err != nil {
		t.Error(err)
	}
	if m == nil {
		t.FailNow()
	}
	return m
}

// stays returns the model beside the error where it says something else than it did.
func stays[M any](path string, train func() (*M, error), says func(*M) ([]float64, error)) (*M, error) {
	numbers := strings.TrimSuffix(path, filepath.Ext(path)) + ".json"
	if toWrite(path) {
		if err := write(path, numbers, train, says); err != nil {
			return nil, err
		}
	}
	m, err := ml.Load[M](path)
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(numbers)
	if err != nil {
		return nil, err
	}
	var want []float64
	if err := json.Unmarshal(data, &want); err != nil {
		return nil, fmt.Errorf("%s: %w", numbers, err)
	}
	got, err := says(m)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(got) != len(want) || len(want) == 0 {
		return nil, fmt.Errorf("%s: the model says %d numbers, and said %d", path, len(got), len(want))
	}
	var wrong []error
	for i, v := range got {
		if !(math.Abs(v-want[i]) <= 1e-5*(1+math.Abs(want[i]))) { // a NaN fails
			wrong = append(wrong, fmt.Errorf("%s: number %d is %v, and was %v", path, i, v, want[i]))
		}
	}
	return m, errors.Join(wrong...)
}

func write[M any](path, numbers string, train func() (*M, error), says func(*M) ([]float64, error)) error {
	m, err := train()
	if err != nil {
		return err
	}
	said, err := says(m)
	if err != nil {
		return err
	}
	data, err := json.Marshal(said)
	if err != nil {
		return err
	}
	if err := os.WriteFile(numbers, append(data, '\n'), 0o644); err != nil {
		return err
	}
	return ml.Save(path, m) // last: without it the next run writes both again
}

// Encodes holds what a model's coder makes of symbols to the checksum of the code that it made when
// its format was released: such files are in the hands of those who wrote them. And it holds the
// decoder to give the symbols back. The last four bytes of a code, which are a checksum already,
// are left out.
func Encodes(t *testing.T, name string, symbols []int, want uint32, encode func([]int) ([]byte, error), decode func([]byte) ([]int, error)) {
	t.Helper()
	if err := encodes(symbols, want, encode, decode); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func encodes(symbols []int, want uint32, encode func([]int) ([]byte, error), decode func([]byte) ([]int, error)) error {
	data, err := encode(symbols)
	if err != nil {
		return err
	}
	if len(data) < 4 {
		return fmt.Errorf("the code has %d bytes, not even those of a checksum", len(data))
	}
	if got := crc32.ChecksumIEEE(data[:len(data)-4]); got != want {
		return fmt.Errorf("the code has the checksum %#x, and had %#x", got, want)
	}
	back, err := decode(data)
	if err != nil {
		return err
	}
	if !slices.Equal(back, symbols) {
		return errors.New("other symbols came back")
	}
	return nil
}

// Stripes are rows of symbols that need no random numbers: i²/2 + 3ij/2 + j/2, rounded down, modulo
// levels.
func Stripes(n, d, levels int) *mat.Dense {
	x := mat.NewDense(n, d, nil)
	x.Apply(func(i, j int, _ float64) float64 { return float64((i*i + 3*i*j + j) / 2 % levels) }, x)
	return x
}

// Integers are the numbers of x, row by row.
func Integers(x *mat.Dense) []int {
	var out []int
	for _, v := range x.RawMatrix().Data {
		out = append(out, int(v))
	}
	return out
}

// fieldsOf lists the fields that a file of a model holds.
func fieldsOf(path string) (map[string]bool, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	defer z.Close()
	has := map[string]bool{}
	for _, f := range z.File {
		if name, ok := strings.CutSuffix(f.Name, ".npy"); ok {
			has[name] = true
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		var head struct{ Fields map[string]json.RawMessage }
		if err := errors.Join(json.NewDecoder(r).Decode(&head), r.Close()); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		for name := range head.Fields {
			has[name] = true
		}
	}
	return has, nil
}

// fill sets every exported field that a file would hold to a value that its name alone decides, so
// that a new field changes nothing about the others. Where has is given, fields that it lacks stay
// zero.
func fill(v reflect.Value, name string, has map[string]bool) {
	if v.Kind() == reflect.Struct {
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || f.Type.Implements(reflect.TypeFor[ml.Transient]()) || f.Tag.Get("ml") == "-" {
				continue
			}
			inner := strings.TrimPrefix(name+"."+f.Name, ".")
			if f.Anonymous {
				inner = name
			}
			fill(v.Field(i), inner, has)
		}
		return
	}
	if has != nil && !has[name] {
		return
	}
	count := func(k int) int { return int(crc32.ChecksumIEEE(fmt.Append(nil, name, k)) % 9973) }
	numbers := func(n int) []float64 {
		out := make([]float64, n)
		for i := range out {
			out[i] = float64(count(i)) + 0.5
		}
		return out
	}
	switch v.Interface().(type) {
	case *mat.Dense:
		v.Set(reflect.ValueOf(mat.NewDense(2, 3, numbers(6))))
		return
	case *mat.SymDense:
		s := mat.NewSymDense(2, nil)
		for i, x := range numbers(3) {
			s.SetSym(min(i, 1), max(i-1, 0), x)
		}
		// With the triangle that symmetric matrices do not look at, as a file gives it back.
		v.Set(reflect.ValueOf(mat.NewSymDense(2, mat.DenseCopyOf(s).RawMatrix().Data)))
		return
	}
	switch v.Kind() {
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		if v.Type().Elem().Kind() != reflect.Struct {
			has = nil // of numbers and matrices a file has all or none
		}
		for i := range 2 {
			fill(v.Index(i), fmt.Sprintf("%s.%d", name, i), has)
		}
	case reflect.Float64:
		v.SetFloat(numbers(1)[0])
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(count(0)))
	case reflect.Uint64:
		v.SetUint(uint64(count(0)))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.String:
		v.SetString(string(rune('a' + count(0)%26)))
	}
}
