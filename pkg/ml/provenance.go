package ml

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"reflect"

	"gonum.org/v1/gonum/mat"
)

// Provenance says where a model comes from, for Save. A part that is nil is not written.
type Provenance struct {
	Method any        // the options that it was fitted with: cluster.KMeans{K: 10, Seed: 1}
	Data   mat.Matrix // what it was fitted on; its shape and digest are written, not the data
}

// Info is what Describe reads of a saved model.
type Info struct {
	Kind    string // "cluster.KMeansModel", as registered
	Format  int
	Library string // the version that wrote it

	// What was given to Save; zero where it was not.

	Method string // "cluster.KMeans"
	// Options are the method's exported fields as JSON: json.Unmarshal(info.Options, &method) gives
	// the method back where they are numbers, words and structs of these. A matrix among them is a
	// Fingerprint, a list of more than 1,000 its length and digest, a function its type, an
	// interface {"type": …, "value": …}.
	Options json.RawMessage
	Seed    *uint64 // of the options, or of a struct among them
	Data    *Fingerprint
}

// Fingerprint identifies a matrix by its shape and elements, whatever its layout.
type Fingerprint struct {
	Rows    int    `json:"rows"`
	Columns int    `json:"columns"`
	SHA256  string `json:"sha256"` // of the elements row by row, each as the eight bytes of its bits, little end first
}

// FingerprintOf digests a matrix: *info.Data == ml.FingerprintOf(x) says whether a model was fitted
// on x. The elements of a float64 array of NumPy in C order have the same digest:
// hashlib.sha256(x).hexdigest().
func FingerprintOf(x mat.Matrix) Fingerprint {
	r, c := x.Dims()
	h := sha256.New()
	row := make([]byte, 8*c)
	s, isSparse := x.(sparse)
	for i := range r {
		if isSparse {
			clear(row)
			s.DoRowNonZero(i, func(_, j int, v float64) {
				binary.LittleEndian.PutUint64(row[8*j:], math.Float64bits(v))
			})
		} else {
			for j := range c {
				binary.LittleEndian.PutUint64(row[8*j:], math.Float64bits(x.At(i, j)))
			}
		}
		h.Write(row)
	}
	return Fingerprint{r, c, hex.EncodeToString(h.Sum(nil))}
}

// Describe reads what a saved model is and where it comes from, whatever its type: the type need
// not be registered here. Errors are those of Load.
func Describe(path string) (Info, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return Info{}, err
	}
	r, err := open(data)
	if err != nil {
		return Info{}, fmt.Errorf("ml.Describe: %s: %w", path, err)
	}
	m := r.manifest
	return Info{Kind: m.Kind, Format: m.Format, Library: m.Library, Method: m.Method, Options: m.Options, Seed: m.Seed, Data: m.Data}, nil
}

// add writes a provenance into model.json.
func (m *manifest) add(p Provenance) error {
	if v := reflect.Indirect(reflect.ValueOf(p.Method)); v.IsValid() {
		if v.Kind() != reflect.Struct {
			return fmt.Errorf("the method is of type %T, want a struct of options", p.Method)
		}
		raw, err := json.Marshal(plain(v, 0))
		if err != nil {
			return fmt.Errorf("the options: %w", err)
		}
		m.Method, m.Options, m.Seed = v.Type().String(), raw, seedOf(v)
	}
	if !isNil(p.Data) {
		f := FingerprintOf(p.Data)
		m.Data = &f
	}
	return nil
}

func isNil(x mat.Matrix) bool {
	v := reflect.ValueOf(x)
	return !v.IsValid() || v.Kind() == reflect.Pointer && v.IsNil()
}

// seedOf finds the field Seed of a method's options, or of the first struct among them that has
// one: a network's is with its training.
func seedOf(v reflect.Value) *uint64 {
	if f := v.FieldByName("Seed"); f.IsValid() && f.CanUint() {
		seed := f.Uint()
		return &seed
	}
	for i := range v.NumField() {
		if f := v.Field(i); f.Kind() == reflect.Struct && v.Type().Field(i).IsExported() {
			if seed := seedOf(f); seed != nil {
				return seed
			}
		}
	}
	return nil
}

const maxDepth = 16 // options that contain themselves would never end

// maxList is how many elements of a list are written: of more, which are data among the options,
// the digest stands for them.
const maxList = 1000

type longList struct {
	Length int    `json:"length"`
	SHA256 string `json:"sha256"` // of the list as JSON
}

var matrixType = reflect.TypeFor[mat.Matrix]()

// plain turns options into what JSON can hold. Whatever has no content to write is written as its
// type, so that it is seen to be missing.
func plain(v reflect.Value, depth int) any {
	if !v.IsValid() || depth > maxDepth {
		return nil
	}
	if v.Type().Implements(matrixType) && v.CanInterface() {
		if m, ok := v.Interface().(mat.Matrix); ok && !isNil(m) {
			return FingerprintOf(m)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.Bool, reflect.String, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return v.Interface()
	case reflect.Float32, reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return fmt.Sprint(f) // JSON has neither
		}
		return v.Interface()
	case reflect.Pointer:
		return plain(v.Elem(), depth+1)
	case reflect.Interface:
		if v.IsNil() {
			return nil
		}
		return struct {
			Type  string `json:"type"`
			Value any    `json:"value"`
		}{v.Elem().Type().String(), plain(v.Elem(), depth+1)}
	case reflect.Slice, reflect.Array:
		if v.Kind() == reflect.Slice && v.IsNil() {
			return nil
		}
		if v.Len() > maxList {
			if raw, err := json.Marshal(v.Interface()); err == nil {
				return longList{v.Len(), fmt.Sprintf("%x", sha256.Sum256(raw))}
			}
		}
		list := make([]any, v.Len())
		for i := range list {
			list[i] = plain(v.Index(i), depth+1)
		}
		return list
	case reflect.Map:
		if v.IsNil() {
			return nil
		}
		table := map[string]any{} // written in the order of its keys
		for it := v.MapRange(); it.Next(); {
			table[fmt.Sprint(it.Key())] = plain(it.Value(), depth+1)
		}
		return table
	case reflect.Struct:
		var fields object
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && f.Tag.Get("ml") != "-" {
				fields = append(fields, member{f.Name, plain(v.Field(i), depth+1)})
			}
		}
		return fields
	}
	if v.IsNil() { // a function or a channel
		return nil
	}
	return v.Type().String()
}

// object is a struct's fields in the order in which they are declared.
type object []member

type member struct {
	name  string
	value any
}

func (o object) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, m := range o {
		name, err := json.Marshal(m.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", m.name, err)
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, name...), ':'), value...)
	}
	return append(out, '}'), nil
}
