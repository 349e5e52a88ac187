package ml

import (
	"archive/zip"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"

	"github.com/golatent/latent/internal/npy"
	"gonum.org/v1/gonum/mat"
)

// ErrFormat is found by errors.Is in what Load says of a file that is no saved model, is broken, or
// holds another kind of model.
var ErrFormat = errors.New("not a saved model")

// format is the version of the layout below. A file of every released format must still load.
const format = 1

// A saved model is a zip of model.json and one .npy an array, which numpy.load can read.
type manifest struct {
	Kind    string                     `json:"kind"`
	Format  int                        `json:"format"`
	Library string                     `json:"library"`
	Method  string                     `json:"method,omitempty"` // this and the next three: see Provenance
	Options json.RawMessage            `json:"options,omitempty"`
	Seed    *uint64                    `json:"seed,omitempty"`
	Data    *Fingerprint               `json:"data,omitempty"`
	Fields  map[string]json.RawMessage `json:"fields"`
}

var kinds = struct {
	sync.RWMutex
	byType map[reflect.Type]string
}{byType: map[reflect.Type]string{}}

// Register names a type of model for Save and Load; a family calls it in an init for each of its
// models. The name is written into files and must not change.
func Register[M any](kind string) {
	kinds.Lock()
	defer kinds.Unlock()
	kinds.byType[reflect.TypeFor[M]()] = kind
}

func kindOf(t reflect.Type) (string, error) {
	kinds.RLock()
	defer kinds.RUnlock()
	kind, ok := kinds.byType[t]
	if !ok {
		return "", fmt.Errorf("%v is not a model that can be saved: nobody has registered it", t)
	}
	return kind, nil
}

// Save writes a model to a file, in one step: a reader of path sees the old file or the whole new
// one. The model's exported fields are kept to the last bit, arrays as .npy. from, at most one,
// says where the model comes from, and Describe reads it back:
//
//	ml.Save("digits.zip", model, ml.Provenance{Method: kmeans, Data: x})
func Save[M any](path string, model *M, from ...Provenance) error {
	data, err := encode(model, from)
	if err != nil {
		return fmt.Errorf("ml.Save: %w", err)
	}
	if err := replace(path, data); err != nil {
		return fmt.Errorf("ml.Save: %w", err)
	}
	return nil
}

func encode[M any](model *M, from []Provenance) ([]byte, error) {
	if model == nil {
		return nil, errors.New("the model is nil")
	}
	if len(from) > 1 {
		return nil, fmt.Errorf("%d provenances, want one at most", len(from))
	}
	kind, err := kindOf(reflect.TypeFor[M]())
	if err != nil {
		return nil, err
	}
	w := writer{manifest: manifest{Kind: kind, Format: format, Library: Version, Fields: map[string]json.RawMessage{}}, arrays: map[string][]byte{}}
	for _, p := range from {
		if err := w.manifest.add(p); err != nil {
			return nil, fmt.Errorf("%s: %w", kind, err)
		}
	}
	if err := w.fields("", reflect.ValueOf(model).Elem()); err != nil {
		return nil, fmt.Errorf("%s: %w", kind, err)
	}
	return w.zip()
}

// replace writes a file beside path, flushes it to the disk, and renames it.
func replace(path string, data []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

type writer struct {
	manifest manifest
	arrays   map[string][]byte
	order    []string
	size     int64 // of the arrays, in bytes
}

// fields records every exported field of a struct. Those of a nested struct carry its name and a
// dot before their own, those of an embedded one do not: they are the model's own to whoever reads
// it.
func (w *writer) fields(prefix string, v reflect.Value) error {
	return eachField(prefix, v, w.field)
}

func eachField(prefix string, v reflect.Value, f func(name string, v reflect.Value) error) error {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if !field.IsExported() || field.Type.Implements(transientType) || field.Tag.Get("ml") == "-" {
			continue
		}
		var err error
		if field.Anonymous && field.Type.Kind() == reflect.Struct {
			err = eachField(prefix, v.Field(i), f)
		} else {
			err = f(prefix+field.Name, v.Field(i))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Transient is a type whose values are never written into a model's file: how a network was trained
// says nothing about the network. A single field is left out, of files and of provenances, where it
// is tagged `ml:"-"`.
type Transient interface{ Transient() }

var transientType = reflect.TypeFor[Transient]()

func (w *writer) field(name string, v reflect.Value) error {
	switch x := v.Interface().(type) {
	case *mat.Dense:
		if x == nil || x.IsEmpty() {
			return nil
		}
		r, c := x.Dims()
		return w.array(name, []int{r, c}, mat.DenseCopyOf(x).RawMatrix().Data)
	case *mat.SymDense:
		if x == nil || x.IsEmpty() {
			return nil
		}
		return w.array(name, []int{x.SymmetricDim(), x.SymmetricDim()}, mat.DenseCopyOf(x).RawMatrix().Data)
	case []*mat.Dense:
		return writeList(w, name, x)
	case []*mat.SymDense:
		return writeList(w, name, x)
	case []float64:
		if x == nil {
			return nil
		}
		return w.array(name, []int{len(x)}, x)
	case []int:
		if x == nil {
			return nil
		}
		wide := make([]int64, len(x))
		for i, n := range x {
			wide[i] = int64(n)
		}
		return w.array(name, []int{len(x)}, wide)
	case float64: // JSON has no NaN and no infinities
		return w.value(name, strconv.FormatFloat(x, 'g', -1, 64))
	case bool, int, int64, uint64, string, []string:
		return w.value(name, x)
	}
	switch v.Kind() {
	case reflect.Struct:
		return w.fields(name+".", v)
	case reflect.String:
		return w.value(name, v.String())
	case reflect.Slice: // of structs: how many, and the fields of each under its number
		if v.Type().Elem().Kind() != reflect.Struct {
			break
		}
		if v.IsNil() {
			return nil
		}
		for i := range v.Len() {
			if err := w.fields(fmt.Sprintf("%s.%d.", name, i), v.Index(i)); err != nil {
				return err
			}
		}
		return w.value(name, v.Len())
	}
	return fmt.Errorf("field %s has type %v, which is not saved", name, v.Type())
}

// writeList records a list of matrices: how many there are, and each under the name of the field, a
// dot and its number. A nil list is no field.
func writeList[M interface {
	*mat.Dense | *mat.SymDense
	IsEmpty() bool
}](w *writer, name string, list []M) error {
	if list == nil {
		return nil
	}
	for i, m := range list {
		if m == nil || m.IsEmpty() {
			return fmt.Errorf("field %s has an empty matrix at %d, which is not saved", name, i)
		}
		if err := w.field(fmt.Sprintf("%s.%d", name, i), reflect.ValueOf(m)); err != nil {
			return err
		}
	}
	return w.value(name, len(list))
}

func (w *writer) value(name string, x any) error {
	raw, err := json.Marshal(x)
	w.manifest.Fields[name] = raw
	return err
}

func (w *writer) array(name string, shape []int, data any) error {
	var b bytes.Buffer
	if err := npy.Write(&b, shape, data); err != nil {
		return fmt.Errorf("field %s: %w", name, err)
	}
	if w.size += int64(b.Len()); w.size > maxArrays {
		return fmt.Errorf("field %s: the arrays have more than %d bytes, which Load would refuse", name, int64(maxArrays))
	}
	w.arrays[name], w.order = b.Bytes(), append(w.order, name)
	return nil
}

func (w *writer) zip() ([]byte, error) {
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	head, err := json.MarshalIndent(w.manifest, "", " ")
	if err != nil {
		return nil, err
	}
	add := func(name string, data []byte) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate}) // without a time: equal models give equal files
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		return err
	}
	if err := add("model.json", head); err != nil {
		return nil, err
	}
	for _, name := range w.order {
		if err := add(name+".npy", w.arrays[name]); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

// Load reads a model that Save wrote. The error wraps ErrFormat and says what is wrong where the
// file is broken, foreign, of a later format, or holds another kind of model.
func Load[M any](path string) (*M, error) {
	kind, err := kindOf(reflect.TypeFor[M]())
	if err != nil {
		return nil, fmt.Errorf("ml.Load: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	model := new(M)
	if err := decode(data, kind, reflect.ValueOf(model).Elem()); err != nil {
		return nil, fmt.Errorf("ml.Load: %s: %w", path, err)
	}
	return model, nil
}

func broken(f string, args ...any) error {
	return fmt.Errorf(f+": %w", append(args, ErrFormat)...)
}

// What is unpacked is bounded, since a small zip can hold a great deal: model.json, and all arrays
// of a model together.
const (
	maxManifest = 16 << 20
	maxArrays   = 4 << 30
)

func decode(data []byte, kind string, v reflect.Value) error {
	r, err := open(data)
	if err != nil {
		return err
	}
	if r.manifest.Kind != kind {
		return broken("it holds a %q, want a %q", r.manifest.Kind, kind)
	}
	if r.manifest.Fields == nil {
		return broken("model.json has no fields")
	}
	return r.fields("", v)
}

// open reads model.json.
func open(data []byte) (*reader, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, broken("%v", err)
	}
	r := &reader{files: map[string]*zip.File{}, left: maxArrays}
	for _, f := range z.File {
		r.files[f.Name] = f
	}
	head, err := r.open("model.json")
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(io.LimitReader(head, maxManifest+1))
	if err = errors.Join(err, head.Close()); err != nil {
		return nil, broken("model.json: %v", err)
	}
	if len(raw) > maxManifest {
		return nil, broken("model.json has more than %d bytes", maxManifest)
	}
	if err := json.Unmarshal(raw, &r.manifest); err != nil {
		return nil, broken("model.json: %v", err)
	}
	if r.manifest.Format < 1 || r.manifest.Format > format {
		return nil, broken("its format is %d, this version of the library (%s) reads 1 to %d", r.manifest.Format, Version, format)
	}
	return r, nil
}

type reader struct {
	manifest manifest
	files    map[string]*zip.File
	left     int64 // bytes of arrays that may still be unpacked
}

func (r *reader) open(name string) (io.ReadCloser, error) {
	f, ok := r.files[name]
	if !ok {
		return nil, broken("it has no %s", name)
	}
	rc, err := f.Open()
	if err != nil {
		return nil, broken("%s: %v", name, err)
	}
	return rc, nil
}

func (r *reader) fields(prefix string, v reflect.Value) error {
	return eachField(prefix, v, r.field)
}

func (r *reader) field(name string, v reflect.Value) error {
	switch v.Interface().(type) {
	case *mat.Dense, *mat.SymDense, []float64, []int:
		if _, ok := r.files[name+".npy"]; !ok {
			return nil // nil or empty when it was saved
		}
		return r.array(name, v)
	case []*mat.Dense, []*mat.SymDense:
		return r.list(name, v)
	}
	if v.Kind() == reflect.Struct {
		return r.fields(name+".", v)
	}
	if v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Struct {
		return r.structs(name, v)
	}
	raw, ok := r.manifest.Fields[name]
	if !ok {
		return nil // it was added to the type after the file was written, and means its zero value
	}
	if v.Kind() == reflect.Float64 {
		var text string
		err := json.Unmarshal(raw, &text)
		x, err2 := strconv.ParseFloat(text, 64)
		if err = errors.Join(err, err2); err != nil {
			return broken("field %s: %v", name, err)
		}
		v.SetFloat(x)
		return nil
	}
	if err := json.Unmarshal(raw, v.Addr().Interface()); err != nil {
		return broken("field %s: %v", name, err)
	}
	return nil
}

// list reads what writeList wrote.
func (r *reader) list(name string, v reflect.Value) error {
	raw, ok := r.manifest.Fields[name]
	if !ok {
		return nil // nil when it was saved
	}
	var n int
	if err := json.Unmarshal(raw, &n); err != nil || n < 0 || n > len(r.files) {
		return broken("field %s has %.40s matrices, the file has %d members", name, raw, len(r.files))
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		if err := r.array(fmt.Sprintf("%s.%d", name, i), v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// structs reads a slice of structs.
func (r *reader) structs(name string, v reflect.Value) error {
	raw, ok := r.manifest.Fields[name]
	if !ok {
		return nil // nil when it was saved
	}
	var n int
	if err := json.Unmarshal(raw, &n); err != nil || n < 0 || n > len(r.manifest.Fields) {
		return broken("field %s has %.40s entries, the file has %d fields", name, raw, len(r.manifest.Fields))
	}
	v.Set(reflect.MakeSlice(v.Type(), n, n))
	for i := range n {
		if err := r.fields(fmt.Sprintf("%s.%d.", name, i), v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *reader) array(name string, v reflect.Value) error {
	rc, err := r.open(name + ".npy")
	if err != nil {
		return err
	}
	if r.left <= 0 {
		return broken("its arrays have more than %d bytes", int64(maxArrays))
	}
	a, err := npy.Read(rc, npy.Limits{MaxBytes: r.left})
	if err = errors.Join(err, rc.Close()); err != nil {
		return broken("%s.npy: %v", name, err)
	}
	r.left -= 8 * int64(a.Len())
	floats, isFloats := a.Data.([]float64)
	square := len(a.Shape) == 2 && a.Shape[0] == a.Shape[1]
	switch v.Interface().(type) {
	case *mat.Dense:
		if isFloats && len(a.Shape) == 2 && len(floats) > 0 {
			v.Set(reflect.ValueOf(mat.NewDense(a.Shape[0], a.Shape[1], floats)))
			return nil
		}
	case *mat.SymDense:
		if isFloats && square && len(floats) > 0 {
			if !symmetric(a.Shape[0], floats) {
				return broken("%s.npy is not symmetric", name)
			}
			v.Set(reflect.ValueOf(mat.NewSymDense(a.Shape[0], floats)))
			return nil
		}
	case []float64:
		if isFloats && len(a.Shape) == 1 {
			v.Set(reflect.ValueOf(floats))
			return nil
		}
	case []int:
		if wide, ok := a.Data.([]int64); ok && len(a.Shape) == 1 {
			narrow := make([]int, len(wide))
			for i, n := range wide {
				narrow[i] = int(n)
			}
			v.Set(reflect.ValueOf(narrow))
			return nil
		}
	}
	return broken("%s.npy has shape %v and elements %T, which do not fit a %v", name, a.Shape, a.Data, v.Type())
}

// symmetric compares bits, so that a NaN equals itself.
func symmetric(n int, x []float64) bool {
	for i := range n {
		for j := range i {
			if math.Float64bits(x[i*n+j]) != math.Float64bits(x[j*n+i]) {
				return false
			}
		}
	}
	return true
}
