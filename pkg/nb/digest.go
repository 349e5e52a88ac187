package nb

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"gonum.org/v1/gonum/mat"
)

// digest writes the content of a value, types and all, so that two values with equal digests behave alike: numbers by their bits,
// matrices by their shape and elements whatever their layout, structs by every field. A function or a channel has no content to
// compare and is an error unless it is nil.
func digest(h hash.Hash, v any) error { return digestValue(h, reflect.ValueOf(v), 0) }

const maxDepth = 64 // a value that contains itself would never end

func digestValue(h hash.Hash, v reflect.Value, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("a %v is nested deeper than %d levels", v.Type(), maxDepth)
	}
	if !v.IsValid() {
		_, err := io.WriteString(h, "nil;")
		return err
	}
	fmt.Fprintf(h, "%v:", v.Type())
	if v.CanInterface() {
		if m, ok := v.Interface().(mat.Matrix); ok && !(v.Kind() == reflect.Pointer && v.IsNil()) {
			digestMatrix(h, m)
			return nil
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		fmt.Fprintf(h, "%t;", v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		fmt.Fprintf(h, "%d;", v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		fmt.Fprintf(h, "%d;", v.Uint())
	case reflect.Float32, reflect.Float64:
		writeFloats(h, v.Float())
	case reflect.Complex64, reflect.Complex128:
		writeFloats(h, real(v.Complex()), imag(v.Complex()))
	case reflect.String:
		fmt.Fprintf(h, "%d:%s;", v.Len(), v.String())
	case reflect.Pointer, reflect.Interface:
		return digestValue(h, v.Elem(), depth+1)
	case reflect.Struct:
		for i := range v.NumField() {
			fmt.Fprintf(h, "%s=", v.Type().Field(i).Name)
			if err := digestValue(h, v.Field(i), depth+1); err != nil {
				return fmt.Errorf("%s.%w", v.Type().Field(i).Name, err)
			}
		}
	case reflect.Slice, reflect.Array:
		fmt.Fprintf(h, "%d[", v.Len())
		if floats, ok := asFloats(v); ok {
			writeFloats(h, floats...)
			return nil
		}
		for i := range v.Len() {
			if err := digestValue(h, v.Index(i), depth+1); err != nil {
				return err
			}
		}
	case reflect.Map:
		return digestMap(h, v, depth)
	default: // functions, channels, unsafe pointers
		if v.Kind() == reflect.UnsafePointer || !v.IsNil() {
			return fmt.Errorf("a %v has no content to compare", v.Type())
		}
	}
	return nil
}

// digestMap takes the entries in the order of their own digests: a map has none.
func digestMap(h hash.Hash, v reflect.Value, depth int) error {
	entries := make([]string, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		e := sha256.New()
		if err := digestValue(e, it.Key(), depth+1); err != nil {
			return err
		}
		if err := digestValue(e, it.Value(), depth+1); err != nil {
			return err
		}
		entries = append(entries, string(e.Sum(nil)))
	}
	slices.Sort(entries)
	fmt.Fprintf(h, "%d{%s", len(entries), strings.Join(entries, ""))
	return nil
}

func digestMatrix(h hash.Hash, m mat.Matrix) {
	r, c := m.Dims()
	fmt.Fprintf(h, "%d×%d[", r, c)
	if d, ok := m.(*mat.Dense); ok {
		for i := range r {
			writeFloats(h, d.RawRowView(i)...)
		}
		return
	}
	row := make([]float64, c)
	for i := range r {
		for j := range row {
			row[j] = m.At(i, j)
		}
		writeFloats(h, row...)
	}
}

func asFloats(v reflect.Value) ([]float64, bool) {
	if v.Kind() != reflect.Slice || v.Type().Elem().Kind() != reflect.Float64 || !v.CanInterface() {
		return nil, false
	}
	floats, ok := v.Interface().([]float64)
	return floats, ok
}

func writeFloats(h hash.Hash, x ...float64) {
	var buf [512]byte
	for len(x) > 0 {
		n := min(len(x), len(buf)/8)
		for i, f := range x[:n] {
			binary.LittleEndian.PutUint64(buf[8*i:], math.Float64bits(f))
		}
		h.Write(buf[:8*n])
		x = x[n:]
	}
}

// libraryVersion identifies the code that computes: the content of the repository's packages where there is a repository, since a
// cell may run minutes after its reader edited one, and the released module's version and sum otherwise.
var libraryVersion = sync.OnceValues(func() (string, error) {
	root, ok := moduleRoot()
	if !ok {
		info, ok := debug.ReadBuildInfo()
		if !ok {
			return "", fmt.Errorf("the library's version is unknown")
		}
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == modulePath && m.Sum != "" {
				return m.Version + " " + m.Sum + " " + runtime.GOARCH, nil
			}
		}
		return "", fmt.Errorf("the library's version is unknown")
	}
	return sourceHash(root)
})

const modulePath = "github.com/golatent/latent"

// sourceHash digests every file that decides what the packages compute: sources, embedded data, go.mod with the versions of what they import.
func sourceHash(root string) (string, error) {
	h := sha256.New()
	add := func(path string) error {
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(rel), len(data))
		_, err = h.Write(data)
		return err
	}
	for _, dir := range []string{"pkg", "internal"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(path string, e fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case e.IsDir() && e.Name() == "testdata":
				return fs.SkipDir
			case e.IsDir() || strings.HasSuffix(path, "_test.go"):
				return nil
			case strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".s"):
				return add(path)
			}
			return nil
		})
		if err != nil {
			return "", err
		}
	}
	if err := add(filepath.Join(root, "go.mod")); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x %s %s", h.Sum(nil), runtime.Version(), runtime.GOARCH), nil
}

// moduleRoot finds the repository by this file's own path, which the compiler recorded; a library built with -trimpath, or whose source
// has gone, has none.
func moduleRoot() (string, bool) {
	_, file, _, ok := runtime.Caller(0)
	if !ok || !filepath.IsAbs(file) {
		return "", false
	}
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil || !strings.Contains(string(mod), "module "+modulePath+"\n") {
		return "", false
	}
	// A module in Go's module cache is read-only and has a version: no .cache there.
	if strings.Contains(filepath.Base(root), "@") {
		return "", false
	}
	return root, true
}
