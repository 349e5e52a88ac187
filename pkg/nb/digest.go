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
	"time"

	"gonum.org/v1/gonum/mat"
)

// digest writes the content of a value, types and all, so that two values with equal digests behave
// alike: numbers by their bits, matrices by their shape and elements whatever their layout, structs
// by every field. A function or a channel has no content to compare and is an error unless it is
// nil. It returns the types it met that have a name, since their code decides too.
func digest(h hash.Hash, v any) (types map[reflect.Type]bool, err error) {
	c := content{h, map[reflect.Type]bool{}}
	return c.types, digestValue(c, reflect.ValueOf(v), 0)
}

type content struct {
	hash.Hash
	types map[reflect.Type]bool
}

const maxDepth = 64 // a value that contains itself would never end

func digestValue(h content, v reflect.Value, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("a %v is nested deeper than %d levels", v.Type(), maxDepth)
	}
	if !v.IsValid() {
		_, err := io.WriteString(h, "nil;")
		return err
	}
	// The path as well: two packages may have one name.
	fmt.Fprintf(h, "%s %v:", v.Type().PkgPath(), v.Type())
	if v.Type().Name() != "" {
		h.types[v.Type()] = true
	}
	if v.CanInterface() {
		if m, ok := v.Interface().(mat.Matrix); ok && !(v.Kind() == reflect.Pointer && v.IsNil()) && !more(m) {
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

// more is whether a matrix is more than its elements, as trials.Trials are, or has far fewer to
// write than elements, as a csr.Matrix has: the library's own types of matrices are written field
// by field.
func more(m mat.Matrix) bool {
	t := reflect.TypeOf(m)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return strings.HasPrefix(t.PkgPath(), "github.com/golatent/latent/pkg/ml/")
}

// digestMap takes the entries in the order of their own digests: a map has none.
func digestMap(h content, v reflect.Value, depth int) error {
	entries := make([]string, 0, v.Len())
	for it := v.MapRange(); it.Next(); {
		e := content{sha256.New(), h.types}
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

func digestMatrix(h content, m mat.Matrix) {
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

func writeFloats(h content, x ...float64) {
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

// libraryVersion identifies the code that computes: the content of the repository's packages where
// there is a repository, since a cell may run minutes after its reader edited one, and the released
// module's version and sum otherwise.
var libraryVersion = sync.OnceValues(currentVersion)

func currentVersion() (string, error) {
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
	version, edited, err := sourceHash(root)
	if err != nil {
		return "", err
	}
	// The program was compiled before it ran. What has been edited since is not what it computes,
	// and must not lend its name to the result.
	if built, err := programBuilt(); err != nil || edited.After(built) {
		return "", fmt.Errorf("the library's source is newer than the program")
	}
	return version, nil
}

// programBuilt is replaced in tests.
var programBuilt = func() (time.Time, error) {
	path, err := os.Executable()
	if err != nil {
		return time.Time{}, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}

const modulePath = "github.com/golatent/latent"

// sourceHash digests every file that decides what the packages compute: sources, go.mod with the
// versions of what they import, and embedded data, the last by size and time since they are large
// and change by download only. edited is the time of the newest.
func sourceHash(root string) (version string, edited time.Time, err error) {
	h := sha256.New()
	add := func(path string, info fs.FileInfo, whole bool) error {
		if info.ModTime().After(edited) {
			edited = info.ModTime()
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(h, "%s %d\n", filepath.ToSlash(rel), info.Size())
		if !whole {
			fmt.Fprintln(h, info.ModTime().UnixNano())
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
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
			case !e.Type().IsRegular() || strings.HasSuffix(path, "_test.go") || strings.HasPrefix(e.Name(), "."):
				return nil
			}
			info, err := e.Info()
			if err != nil {
				return err
			}
			return add(path, info, strings.HasSuffix(path, ".go") || strings.HasSuffix(path, ".s"))
		})
		if err != nil {
			return "", edited, err
		}
	}
	path := filepath.Join(root, "go.mod")
	info, err := os.Stat(path)
	if err != nil {
		return "", edited, err
	}
	if err := add(path, info, true); err != nil {
		return "", edited, err
	}
	return fmt.Sprintf("%x %s %s", h.Sum(nil), runtime.Version(), runtime.GOARCH), edited, nil
}

// moduleRoot finds the repository by this file's own path, which the compiler recorded; a library
// built with -trimpath, or whose source has gone, has none.
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
