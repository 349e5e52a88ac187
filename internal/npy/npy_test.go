package npy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func open(t *testing.T, name string) *Array {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	a, err := Read(bytes.NewReader(b), Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return a
}

func TestReadsWhatNumPyWrote(t *testing.T) {
	want := open(t, "elements-as-f8.npy").Float64s()
	for _, name := range []string{"lef8", "bef8", "lef4", "bef4", "lei8", "bei8", "lei4", "bei4", "bu1", "bb1"} {
		for _, suffix := range []string{"", "-fortran"} {
			a := open(t, name+suffix+".npy")
			if !slices.Equal(a.Shape, []int{3, 4, 5}) {
				t.Errorf("%s%s: shape %v", name, suffix, a.Shape)
			}
			got := a.Float64s()
			for i, w := range want {
				switch name {
				case "bu1":
					w = math.Mod(w+256, 256)
				case "bb1":
					w = math.Abs(math.Mod(w, 2))
				}
				if got[i] != w {
					t.Fatalf("%s%s: element %d is %g, want %g", name, suffix, i, got[i], w)
				}
			}
		}
	}
	for major := 1; major <= 3; major++ {
		a := open(t, fmt.Sprintf("version%d.npy", major))
		if diff := cmp.Diff(&Array{[]int{2, 3}, []float64{0, 1, 2, 3, 4, 5}}, a); diff != "" {
			t.Errorf("version %d: %s", major, diff)
		}
	}
	if diff := cmp.Diff(&Array{[]int{}, []float64{2.5}}, open(t, "scalar.npy")); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(&Array{[]int{0, 7}, []float64{}}, open(t, "empty.npy")); diff != "" {
		t.Error(diff)
	}
}

// What is written must be what NumPy writes, byte for byte.
func TestWritesWhatNumPyWrites(t *testing.T) {
	for _, name := range []string{"lef8", "lef4", "lei8", "lei4", "bu1", "bb1", "scalar", "empty", "version1"} {
		want, err := os.ReadFile(filepath.Join("testdata", name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		a := open(t, name+".npy")
		var got bytes.Buffer
		if err := Write(&got, a.Shape, a.Data); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Bytes(), want) {
			t.Errorf("%s: wrote\n%.200q\nNumPy wrote\n%.200q", name, got.Bytes(), want)
		}
	}
}

func openEvery(t *testing.T, name string) *Array {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := ReadEvery(f, Limits{})
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return a
}

func TestReadsEveryType(t *testing.T) {
	want := open(t, "every-as-f8.npy").Float64s()
	for _, name := range []string{"lef2", "bef2", "bi1", "lei2", "bei2", "leu2", "beu2", "leu4", "beu4", "leu8", "beu8"} {
		if got := openEvery(t, name+".npy"); !slices.Equal(got.Float64s(), want) || !slices.Equal(got.Shape, []int{3, 4}) {
			t.Errorf("%s: %v %v, want %v", name, got.Shape, got.Float64s(), want)
		}
		if _, err := Read(bytes.NewReader(bytesOf(t, name+".npy")), Limits{}); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: Read gives %v", name, err)
		}
	}
	for i, w := range want {
		for _, name := range []string{"lec8", "bec8"} {
			if got := openEvery(t, name+".npy").Data.([]complex64)[i]; complex128(got) != complex(w, -w) {
				t.Errorf("%s: element %d is %v", name, i, got)
			}
		}
		for _, name := range []string{"lec16", "bec16"} {
			if got := openEvery(t, name+".npy").Data.([]complex128)[i]; got != complex(w, -w) {
				t.Errorf("%s: element %d is %v", name, i, got)
			}
		}
	}
	halves, exact := openEvery(t, "half.npy").Float64s(), open(t, "half-as-f8.npy").Float64s()
	for i, w := range exact {
		if math.Float64bits(halves[i]) != math.Float64bits(w) {
			t.Errorf("half %d is %v, want %v", i, halves[i], w)
		}
	}
	words := []string{"setosa", "Größe", "", "日本"}
	for _, name := range []string{"leU", "beU", "bS"} {
		if got := openEvery(t, name+".npy").Data.([]string); !slices.Equal(got, words) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if _, err := ReadEvery(bytes.NewReader(bytesOf(t, "latinS.npy")), Limits{}); !errors.Is(err, ErrFormat) {
		t.Errorf("bytes of Latin-1: %v", err)
	}
	moon, leap := time.Date(1969, 7, 20, 20, 17, 0, 0, time.UTC), time.Date(2024, 2, 29, 12, 30, 0, 0, time.UTC)
	for unit, cut := range map[string]func(time.Time) time.Time{
		"Y": func(d time.Time) time.Time { return time.Date(d.Year(), 1, 1, 0, 0, 0, 0, time.UTC) },
		"M": func(d time.Time) time.Time { return time.Date(d.Year(), d.Month(), 1, 0, 0, 0, 0, time.UTC) },
		// Weeks begin on Thursday, as 1970 did.
		"W": func(d time.Time) time.Time { return d.Truncate(24*time.Hour).AddDate(0, 0, -(int(d.Weekday())+3)%7) },
		"D": func(d time.Time) time.Time { return d.Truncate(24 * time.Hour) },
		"h": func(d time.Time) time.Time { return d.Truncate(time.Hour) },
		"m": nil, "s": nil, "ms": nil, "us": nil, "ns": nil,
	} {
		got := openEvery(t, "date"+unit+".npy").Data.([]time.Time)
		for i, want := range []time.Time{moon, leap} {
			if cut != nil {
				want = cut(want)
			}
			if !got[i].Equal(want) {
				t.Errorf("%s: %v, want %v", unit, got[i], want)
			}
		}
		if !got[2].IsZero() {
			t.Errorf("%s: NaT is %v", unit, got[2])
		}
	}
}

func bytesOf(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SliceOfN(rapid.IntRange(0, 7), 0, 4).Draw(t, "shape")
		n := 1
		for _, d := range shape {
			n *= d
		}
		data := rapid.SliceOfN(rapid.Float64(), n, n).Draw(t, "data")
		var b bytes.Buffer
		if err := Write(&b, shape, data); err != nil {
			t.Fatal(err)
		}
		if at := bytes.IndexByte(b.Bytes(), '\n') + 1; at%64 != 0 {
			t.Fatalf("the elements begin at byte %d", at)
		}
		a, err := Read(iotest.OneByteReader(&b), Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(shape, a.Shape); diff != "" || a.Len() != n {
			t.Fatalf("%s, %d elements", diff, a.Len())
		}
		for i, v := range a.Data.([]float64) {
			if math.Float64bits(v) != math.Float64bits(data[i]) {
				t.Fatalf("element %d: %v, want %v", i, v, data[i])
			}
		}
	})
}

func TestLargeArraysCrossThePieces(t *testing.T) {
	data := make([]float64, 3*chunk+17)
	for i := range data {
		data[i] = float64(i)
	}
	var b bytes.Buffer
	if err := Write(&b, []int{len(data)}, data); err != nil {
		t.Fatal(err)
	}
	a, err := Read(&b, Limits{})
	if err != nil || !slices.Equal(a.Data.([]float64), data) {
		t.Fatalf("not what was written: %v", err)
	}
	if c := cap(a.Data.([]float64)); c > 2*len(data) {
		t.Errorf("%d elements in a slice of %d", len(data), c)
	}
}

func file(version byte, header string, data ...byte) []byte {
	b := append([]byte(magic), version, 0)
	if version == 1 {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(header)))
	} else {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(header)))
	}
	return append(append(b, header...), data...)
}

func TestReadRefuses(t *testing.T) {
	const f8 = "{'descr': '<f8', 'fortran_order': False, 'shape': "
	one := make([]byte, 8)
	for _, c := range []struct {
		name string
		file []byte
		want error
		says string
	}{
		{"nothing", nil, ErrFormat, "ends at the magic"},
		{"another format", []byte("PK\x03\x04 and so on"), ErrFormat, "not a .npy file"},
		{"version 0", []byte(magic + "\x00\x00"), ErrFormat, "version 0.0"},
		{"version 4", []byte(magic + "\x04\x00"), ErrFormat, "version 4.0"},
		{"version 1.1", []byte(magic + "\x01\x01"), ErrFormat, "version 1.1"},
		{"no length", []byte(magic + "\x01\x00\x10"), ErrFormat, "the header's length"},
		{"huge header", []byte(magic + "\x02\x00\xff\xff\xff\xff"), ErrFormat, "at most 10000"},
		{"short header", file(1, f8+"(1,), }")[:40], ErrFormat, "ends at the header"},
		{"no dictionary", file(1, "[1, 2]"), ErrFormat, "not a dictionary"},
		{"open dictionary", file(1, f8+"(1,), "), ErrFormat, "no key"},
		{"no comma", file(1, "{'descr': '<f8' 'fortran_order': False}"), ErrFormat, "neither a comma nor a brace"},
		{"twice", file(1, "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': ()}"), ErrFormat, "twice"},
		{"missing", file(1, "{'descr': '<f8', 'shape': ()}"), ErrFormat, `no key "fortran_order"`},
		{"unknown key", file(1, f8+"(), 'x': 1}"), ErrFormat, `a key "x"`},
		{"text behind", file(1, f8+"()} + evil()"), ErrFormat, "goes on"},
		{"objects", file(1, strings.Replace(f8, "<f8", "|O", 1)+"()}"), ErrFormat, `type "|O"`},
		{"strings", file(1, strings.Replace(f8, "<f8", "<U5", 1)+"()}"), ErrFormat, `type "<U5"`},
		{"complex", file(1, strings.Replace(f8, "<f8", "<c16", 1)+"()}"), ErrFormat, `type "<c16"`},
		{"no byte order", file(1, strings.Replace(f8, "<f8", "|f8", 1)+"()}"), ErrFormat, `type "|f8"`},
		{"fields", file(1, "{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': ()}"), ErrFormat, "structured"},
		{"order", file(1, "{'descr': '<f8', 'fortran_order': 0, 'shape': ()}"), ErrFormat, "neither True nor False"},
		{"shape a list", file(1, f8+"[1]}", one...), ErrFormat, "not a tuple"},
		{"shape a number", file(1, f8+"(1)}", one...), ErrFormat, "a number in brackets"},
		{"negative", file(1, f8+"(-1,)}"), ErrFormat, "no dimension"},
		{"fraction", file(1, f8+"(1.5, 2)}"), ErrFormat, "not a tuple"},
		{"over int64", file(1, f8+"(9223372036854775808,)}"), ErrFormat, "no dimension"},
		{"33 dimensions", file(1, f8+"("+strings.Repeat("1,", 33)+")}", one...), ErrFormat, "more than 32"},
		{"huge", file(1, f8+"(1000000000000,)}"), ErrLimit, "dimension 0 is 1000000000000"},
		{"huge beside 0", file(1, f8+"(0, 9223372036854775807)}"), ErrLimit, "dimension 1"},
		{"product too large", file(1, f8+"(100000, 100000)}"), ErrLimit, "more than"},
		{"product overflows", file(1, f8+"(4294967296, 4294967296)}"), ErrLimit, "dimension 0"},
		{"product overflows to 0", file(1, f8+"("+strings.Repeat("65536, ", 4)+")}"), ErrLimit, "more than"},
		{"truncated", file(1, f8+"(2,)}", one...), ErrFormat, "element 1 of 2"},
		{"truncated in an element", file(1, f8+"(2,)}", one[:5]...), ErrFormat, "element 0 of 2"},
		{"no elements", file(3, f8+"(3, 4)}"), ErrFormat, "element 0 of 12"},
		{"trailing", file(1, f8+"(1,)}", append(one, 7)...), ErrFormat, "follow the last"},
		{"trailing empty", file(1, f8+"(0,)}", 1), ErrFormat, "follow the last"},
		{"bool 2", file(1, strings.Replace(f8, "<f8", "|b1", 1)+"(2,)}", 1, 2), ErrFormat, "element 1 of a bool array is 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := Read(bytes.NewReader(c.file), Limits{})
			if a != nil || !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, %v; want an error that says %q", a, err, c.says)
			}
			if strings.Contains(c.name, "truncated") && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v does not wrap io.ErrUnexpectedEOF", err)
			}
		})
	}
}

func TestLimitsAndTroubleReading(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, []int{100}, make([]float64, 100)); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(bytes.NewReader(b.Bytes()), Limits{MaxBytes: 800}); err != nil {
		t.Error(err)
	}
	if _, err := Read(bytes.NewReader(b.Bytes()), Limits{MaxBytes: 799}); !errors.Is(err, ErrLimit) {
		t.Error(err)
	}
	broken := errors.New("broken disk")
	r := io.MultiReader(bytes.NewReader(b.Bytes()[:300]), iotest.ErrReader(broken))
	if _, err := Read(r, Limits{}); !errors.Is(err, broken) || errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

// A header of 128 bytes that promises 1 GiB must not cost more than a few hundred kilobytes.
func TestALyingHeaderCostsNothing(t *testing.T) {
	b := file(1, "{'descr': '<f8', 'fortran_order': False, 'shape': (100000000,)}", make([]byte, 1000)...)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := Read(bytes.NewReader(b), Limits{})
	runtime.ReadMemStats(&after)
	if !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 2<<20 {
		t.Errorf("%d bytes allocated", got)
	}
}

func TestWriteRefuses(t *testing.T) {
	for _, c := range []struct {
		shape []int
		data  any
		says  string
	}{
		{[]int{3}, []float64{1, 2}, "2 elements for shape [3], want 3"},
		{nil, []float64{1, 2}, "want 1"},
		{[]int{-1}, []float64{}, "dimension 0 is -1"},
		{[]int{1 << 32, 1 << 32}, []float64{}, "overflows"},
		{make([]int, 33), []float64{}, "33 dimensions"},
		{[]int{1}, []string{"a"}, "can't write a []string"},
	} {
		var b bytes.Buffer
		if err := Write(&b, c.shape, c.data); err == nil || !strings.Contains(err.Error(), c.says) || b.Len() > 0 {
			t.Errorf("%v: %v, %d bytes written; want %q", c.shape, err, b.Len(), c.says)
		}
	}
	if err := Write(failing{}, []int{chunk}, make([]float64, chunk)); !errors.Is(err, io.ErrShortWrite) {
		t.Error(err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

// Whatever Read accepts, Write writes, and Read reads again to the same array.
func FuzzRead(f *testing.F) {
	names, _ := filepath.Glob("testdata/*.npy")
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add(file(1, "{'descr': '<f8', 'fortran_order': True, 'shape': (0, 9223372036854775807), }"))
	f.Add(file(3, "{\"shape\":(2L,1L,),'fortran_order':True,'descr':'|b1'}", 0, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		if every, err := ReadEvery(bytes.NewReader(b), Limits{MaxBytes: 1 << 20}); err == nil {
			if n := reflect.ValueOf(every.Data).Len(); n != every.Len() {
				t.Fatalf("shape %v, %d elements", every.Shape, n)
			}
		} else if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit) {
			t.Fatalf("an error of neither kind: %v", err)
		}
		a, err := Read(bytes.NewReader(b), Limits{MaxBytes: 1 << 20})
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrLimit) {
				t.Fatalf("an error of neither kind: %v", err)
			}
			return
		}
		if a.Len() != len(a.Float64s()) {
			t.Fatalf("shape %v, %d elements", a.Shape, len(a.Float64s()))
		}
		var out bytes.Buffer
		if err := Write(&out, a.Shape, a.Data); err != nil {
			t.Fatal(err)
		}
		again, err := Read(bytes.NewReader(out.Bytes()), Limits{})
		if err != nil || !slices.Equal(a.Shape, again.Shape) {
			t.Fatalf("%v: %v, want %v", err, again, a.Shape)
		}
		for i, v := range again.Float64s() {
			if w := a.Float64s()[i]; v != w && (v == v || w == w) {
				t.Fatalf("element %d: %v, want %v", i, v, w)
			}
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var f bytes.Buffer
	if err := Write(&f, []int{1000, 1000}, make([]float64, 1000000)); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(8000000)
	for b.Loop() {
		if _, err := Read(bytes.NewReader(f.Bytes()), Limits{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWrite(b *testing.B) {
	data := make([]float64, 1000000)
	b.SetBytes(8000000)
	for b.Loop() {
		if err := Write(io.Discard, []int{1000, 1000}, data); err != nil {
			b.Fatal(err)
		}
	}
}
