package datasets

import (
	"errors"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"
)

func TestReadsWhatNumPyWrote(t *testing.T) {
	got, err := ReadFile("testdata/numpy/mixed.npz")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"x[0]", "x[1]", "y", "flag", "when", "count", "z (real)", "z (imaginary)", "pictures[0,0]", "pictures[0,1]", "pictures[1,0]", "pictures[1,1]"}
	if !slices.Equal(got.Names(), names) || got.Name != "mixed" {
		t.Fatalf("%q %q", got.Name, got.Names())
	}
	without, err := got.Drop("x[0]", "x[1]")
	want := "y text a b a ü b a | flag boolean true false true true false false | when date 2024-01-01 ∅ 2024-01-02 2024-01-02 2024-01-02 2024-01-02" +
		" | count number 0 1 2 3 4 5 | z (real) number 0 1 2 3 4 5 | z (imaginary) number 1 1 1 1 1 1" +
		" | pictures[0,0] number 0 4 8 12 16 20 | pictures[0,1] number 1 5 9 13 17 21 | pictures[1,0] number 2 6 10 14 18 22 | pictures[1,1] number 3 7 11 15 19 23"
	if err != nil || outline(without) != want {
		t.Errorf("%v\ngot  %s\nwant %s", err, outline(without), want)
	}
	some, err := Reader{Arrays: []string{"count", "y"}}.ReadFile("testdata/numpy/mixed.npz")
	if err != nil || outline(some) != "count number 0 1 2 3 4 5 | y text a b a ü b a" {
		t.Errorf("%v %s", err, outline(some))
	}
	x, err := Reader{Names: []string{"a", "b"}}.ReadFile("testdata/numpy/x.npy")
	if err != nil || outline(x) != "a number 1 3 5 | b number ∅ 4 6" {
		t.Errorf("%v %s", err, outline(x))
	}
	ids, err := ReadFile("testdata/numpy/ids.npy")
	if err != nil || outline(ids) != "column 1 text 9223372036854775811 7" || len(ids.Notes) != 1 {
		t.Errorf("%v %s %q", err, outline(ids), ids.Notes)
	}
	for file, says := range map[string]string{"unequal.npz": "Reader.Arrays", "missing.npz": "no such file"} {
		if _, err := ReadFile("testdata/numpy/" + file); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v, want %q", file, err, says)
		}
	}
	if _, err := (Reader{Arrays: []string{"nothing"}}).ReadFile("testdata/numpy/mixed.npz"); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, err := (Reader{Names: []string{"a"}}).ReadFile("testdata/numpy/x.npy"); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

func TestReadNPY(t *testing.T) {
	open := func(name string) ([]int, []float64, error) {
		f, err := os.Open("testdata/numpy/" + name)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return ReadNPY(f)
	}
	shape, data, err := open("cube.npy")
	if err != nil || !slices.Equal(shape, []int{2, 3, 4}) || len(data) != 24 || data[23] != 23 {
		t.Errorf("%v %v %v", shape, data, err)
	}
	if _, data, err := open("x.npy"); err != nil || !math.IsNaN(data[1]) || data[2] != 3 {
		t.Errorf("%v %v", data, err)
	}
	if _, _, err := open("ids.npy"); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "9223372036854775811") {
		t.Error(err)
	}
}

func TestDatasetsAreTables(t *testing.T) {
	iris := Iris()
	path := t.TempDir() + "/iris.csv.gz"
	if err := iris.Table().WriteFile(path); err != nil {
		t.Fatal(err)
	}
	read, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := read.Dataset("class")
	if err != nil || !mat.Equal(again.X, iris.X) || !slices.Equal(again.Y, iris.Y) || !slices.Equal(again.Classes, iris.Classes) || !slices.Equal(again.Features, iris.Features) || again.Name != "iris" {
		t.Errorf("%v: %v %v", err, again.Classes, again.Features)
	}
	numbers, _ := read.Drop("class")
	path = t.TempDir() + "/iris.npy"
	if err := numbers.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	read, err = ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if x, err := read.Matrix(); err != nil || !mat.Equal(x, iris.X) {
		t.Errorf("%v", err)
	}
}
