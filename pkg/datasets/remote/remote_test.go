package remote

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/gonum/mat"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
)

func TestPins(t *testing.T) {
	folders := map[string]bool{}
	for _, s := range []set{mnist, fashion, cifar10} {
		if folders[s.folder] || len(s.classes) != 10 || s.instead == "" || s.read == nil {
			t.Errorf("%s: folder %q, %d classes", s.name, s.folder, len(s.classes))
		}
		folders[s.folder] = true
		names := map[string]bool{}
		for _, f := range s.files {
			if sum, err := hex.DecodeString(f.sha256); err != nil || len(sum) != 32 || f.size <= 0 || names[f.name] || len(f.mirrors) < 2 {
				t.Errorf("%s: %+v", s.name, f)
			}
			names[f.name] = true
			if !strings.HasPrefix(f.mirrors[0], "https://") {
				t.Errorf("%s is asked for at %s first", f.name, f.mirrors[0])
			}
		}
	}
}

func gzipped(b []byte) []byte {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	z.Write(b)
	z.Close()
	return out.Bytes()
}

func idx(shape []int, data []byte) []byte {
	b := []byte{0, 0, 8, byte(len(shape))}
	for _, n := range shape {
		b = append(b, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	return gzipped(append(b, data...))
}

// small is a data set in MNIST's form, served over HTTP: 3 pictures of 2×2 to train and 2 to test.
func small(t *testing.T, replace map[string][]byte) set {
	t.Helper()
	contents := map[string][]byte{
		"train-images": idx([]int{3, 2, 2}, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255}), "train-labels": idx([]int{3}, []byte{2, 0, 1}),
		"test-images": idx([]int{2, 2, 2}, []byte{21, 22, 23, 24, 25, 26, 27, 28}), "test-labels": idx([]int{2}, []byte{1, 1}),
	}
	for name, b := range replace {
		contents[name] = b
	}
	h := serve(t, func(w http.ResponseWriter, r *http.Request) { whole(contents[r.URL.Path[1:]], "v1")(w, r) })
	s := set{name: "Small", folder: "small", read: readPictures, classes: []string{"a", "b", "c"}}
	for _, name := range []string{"train-images", "train-labels", "test-images", "test-labels"} {
		s.files = append(s.files, pin(name, contents[name], "http://127.0.0.1:1"))
	}
	t.Setenv("LATENT_TEST_MIRROR", h.URL)
	return s
}

func TestPicturesAsServed(t *testing.T) {
	s := small(t, nil)
	mirror := Mirror(os.Getenv("LATENT_TEST_MIRROR") + "/")
	train, test, err := load(t.Context(), s, []Option{mirror, Dir(t.TempDir())})
	if err != nil {
		t.Fatal(err)
	}
	if train.Name != "Small, 3 to train" || test.Name != "Small, 2 to test" || train.Height != 2 || train.Width != 2 || len(train.Classes) != 3 {
		t.Errorf("%+v\n%+v", train, test)
	}
	if !mat.Equal(train.X, mat.NewDense(3, 4, []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 255})) || fmt.Sprint(train.Y) != "[2 0 1]" {
		t.Errorf("train: %v %v", mat.Formatted(train.X), train.Y)
	}
	if !mat.Equal(test.X, mat.NewDense(2, 4, []float64{21, 22, 23, 24, 25, 26, 27, 28})) || fmt.Sprint(test.Y) != "[1 1]" {
		t.Errorf("test: %v %v", mat.Formatted(test.X), test.Y)
	}
	train, test, err = load(t.Context(), s, []Option{mirror, Dir(t.TempDir()), First(2)})
	if n, _ := train.Dims(); err != nil || n != 2 || train.Name != "Small, 2 to train" || len(test.Y) != 2 {
		t.Errorf("the first 2: %d rows, %q, %v", n, train.Name, err)
	}
	if _, _, err := load(t.Context(), s, []Option{First(-1)}); !errors.Is(err, ml.ErrParameter) {
		t.Errorf("the first -1: %v", err)
	}
}

func TestWhereTheFilesAreKept(t *testing.T) {
	s := small(t, nil)
	dir := t.TempDir()
	t.Setenv("LATENT_DATA", dir)
	if _, _, err := load(t.Context(), s, []Option{Mirror(os.Getenv("LATENT_TEST_MIRROR"))}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "small", "train-images")); err != nil {
		t.Error(err)
	}
	t.Setenv("LATENT_DATA", "")
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if _, _, err := load(t.Context(), s, nil); err == nil || !strings.Contains(err.Error(), "LATENT_DATA") {
		t.Errorf("without a home: %v, want an error that says what to set", err)
	}
}

// Files of the right digest can't be wrong, but the pins can: what is read is held to the form.
func TestPicturesThatDoNotFit(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		b    []byte
		want string
	}{
		"labels missing":       {"train-labels", idx([]int{2}, []byte{0, 1}), "for 3 pictures"},
		"labels of two dims":   {"train-labels", idx([]int{3, 1}, []byte{0, 1, 2}), "shape [3 1]"},
		"pictures of one dim":  {"test-images", idx([]int{8}, make([]byte, 8)), "1 dimensions"},
		"an unknown label":     {"test-labels", idx([]int{2}, []byte{0, 9}), "label 1 is 9"},
		"no idx":               {"train-images", gzipped([]byte("hello")), "magic"},
		"pictures that end":    {"train-images", gzipped([]byte{0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 2, 0, 0, 0, 2, 1}), "1 bytes"},
		"pictures without end": {"train-images", gzipped([]byte{0, 0, 8, 3, 255, 255, 255, 255, 0, 0, 0, 2, 0, 0, 0, 2}), "more than"},
	} {
		s := small(t, map[string][]byte{c.file: c.b})
		train, _, err := load(t.Context(), s, []Option{Mirror(os.Getenv("LATENT_TEST_MIRROR")), Dir(t.TempDir())})
		if !errors.Is(err, datasets.ErrFormat) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "remote: Small: ") || train.X != nil {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

// tiny is CIFAR-10's form with 2 records a batch of 2×2 pixels.
var tiny = cifarForm{records: 2, side: 2}

type member struct {
	name string
	data []byte
	kind byte
}

func tarred(members ...member) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		if m.kind == 0 {
			m.kind = tar.TypeReg
		}
		h := &tar.Header{Name: m.name, Typeflag: m.kind, Mode: 0o644}
		if m.kind == tar.TypeReg {
			h.Size = int64(len(m.data))
		} else {
			h.Linkname = "/etc/passwd"
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		w.Write(m.data)
	}
	w.Close()
	return b.Bytes()
}

// batches is an archive as the authors' is: a folder, a page, five batches and a test batch. Record
// i of batch b has label i and pixels that name it.
func batches() (members []member) {
	members = append(members, member{name: "cifar-10-batches-bin/readme.html", data: []byte("<html>")})
	for b := 1; b <= 6; b++ {
		name := fmt.Sprintf("cifar-10-batches-bin/data_batch_%d.bin", b)
		if b == 6 {
			name = "cifar-10-batches-bin/test_batch.bin"
		}
		var data []byte
		for i := range byte(2) {
			data = append(data, i)
			for p := range byte(12) {
				data = append(data, 100*i+12*byte(b)+p)
			}
		}
		members = append(members, member{name: name, data: data})
	}
	return members
}

func TestReadCIFAR(t *testing.T) {
	s := set{name: "Tiny", classes: []string{"a", "b"}}
	train, test, err := tiny.read(bytes.NewReader(gzipped(tarred(batches()...))), s, 0)
	if err != nil {
		t.Fatal(err)
	}
	if n, d := train.Dims(); n != 10 || d != 12 || len(test.Y) != 2 || train.Name != "Tiny, 10 to train" {
		t.Errorf("%d×%d, %d to test, %q", n, d, len(test.Y), train.Name)
	}
	// Record 1 of batch 3 is row 5. Its planes hold 136…139 red, 140…143 green, 144…147 blue.
	if got := fmt.Sprint(train.X.RawRowView(5)); got != "[136 140 144 137 141 145 138 142 146 139 143 147]" || train.Y[5] != 1 || train.Y[4] != 0 {
		t.Errorf("row 5 is %s, labels %v", got, train.Y)
	}
	if test.X.At(1, 0) != 172 {
		t.Errorf("the test batch: %v", mat.Formatted(test.X))
	}
	few, fewTest, err := tiny.read(bytes.NewReader(gzipped(tarred(batches()...))), s, 3)
	if n, _ := few.Dims(); err != nil || n != 3 || len(fewTest.Y) != 2 || !mat.Equal(few.X, train.X.Slice(0, 3, 0, 12)) {
		t.Errorf("the first 3: %d rows, %v", n, err)
	}
}

func TestHostileArchives(t *testing.T) {
	s := set{name: "Tiny", classes: []string{"a", "b"}}
	with := func(i int, m member) []byte {
		all := batches()
		all[i] = m
		return tarred(all...)
	}
	good := batches()
	bomb := append(tarred(good...), make([]byte, 4<<20)...)
	corrupt := gzipped(tarred(good...))
	corrupt[len(corrupt)-6] ^= 0xff
	for name, c := range map[string]struct {
		file []byte
		want string
	}{
		"empty":             {nil, "gzip"},
		"no gzip":           {tarred(good...), "gzip"},
		"no tar":            {gzipped([]byte(strings.Repeat("hello ", 200))), "archive"},
		"a link":            {gzipped(with(1, member{name: "data_batch_1.bin", kind: tar.TypeSymlink})), "not a plain file"},
		"a device":          {gzipped(with(1, member{name: "data_batch_1.bin", kind: tar.TypeChar})), "not a plain file"},
		"a short batch":     {gzipped(with(2, member{name: "data_batch_2.bin", data: good[2].data[1:]})), "data_batch_2.bin has 25 bytes, want 26"},
		"a batch twice":     {gzipped(with(3, good[1])), "data_batch_1.bin is there twice"},
		"a batch missing":   {gzipped(tarred(good[:6]...)), "5 batches, want 6"},
		"an unknown label":  {gzipped(with(1, member{name: "data_batch_1.bin", data: append([]byte{7}, good[1].data[1:]...)})), "record 0 has label 7"},
		"cut":               {gzipped(tarred(good...)[:2570]), "unexpected EOF"},
		"cut in gzip":       {corrupt[:len(corrupt)/2], "EOF"},
		"a bad checksum":    {corrupt, "checksum"},
		"a bomb after all":  {gzipped(bomb), "more than the 6 batches"},
		"a bomb before all": {gzipped(tarred(append([]member{{name: "x", data: make([]byte, 4<<20)}}, good...)...)), "more than the 6 batches"},
	} {
		_, _, err := tiny.read(bytes.NewReader(c.file), s, 0)
		if !errors.Is(err, datasets.ErrFormat) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
	// A name leads nowhere: nothing is written, and a batch in a strange folder is a batch.
	if _, _, err := tiny.read(bytes.NewReader(gzipped(with(0, member{name: "../../../../tmp/evil", data: []byte("x")}))), s, 0); err != nil {
		t.Error(err)
	}
}

func FuzzCIFAR(f *testing.F) {
	f.Add(tarred(batches()...), uint8(0), true)
	f.Add(tarred(batches()[:3]...), uint8(1), true)
	f.Add([]byte{0x1f, 0x8b, 8, 0}, uint8(0), false)
	s := set{name: "Tiny", classes: []string{"a", "b"}}
	f.Fuzz(func(t *testing.T, b []byte, first uint8, zip bool) {
		if zip { // so that the fuzzer reaches what lies behind gzip's checksum
			var out bytes.Buffer
			z, _ := gzip.NewWriterLevel(&out, gzip.NoCompression)
			z.Write(b)
			z.Close()
			b = out.Bytes()
		}
		train, test, err := tiny.read(bytes.NewReader(b), s, int(first))
		if err != nil {
			if !errors.Is(err, datasets.ErrFormat) {
				t.Fatalf("%v is no ErrFormat", err)
			}
			return
		}
		for _, d := range []datasets.Dataset{train, test} {
			n, c := d.Dims()
			if n == 0 || n != len(d.Y) || c != 12 || mat.Min(d.X) < 0 || mat.Max(d.X) > 255 {
				t.Fatalf("%d×%d, %d labels", n, c, len(d.Y))
			}
			for _, y := range d.Y {
				if y != 0 && y != 1 {
					t.Fatalf("label %d", y)
				}
			}
		}
	})
}

func TestReadingIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, gzipped(tarred(batches()...)), 0o644); err != nil {
		t.Fatal(err)
	}
	s := small(t, nil)
	s.read = func(ctx context.Context, s set, paths []string, first int) (train, test datasets.Dataset, err error) {
		cancel()
		return readPictures(ctx, s, paths, first)
	}
	if _, _, err := load(ctx, s, []Option{Mirror(os.Getenv("LATENT_TEST_MIRROR")), Dir(t.TempDir())}); !errors.Is(err, context.Canceled) {
		t.Errorf("pictures: %v", err)
	}
	if _, _, err := readCIFAR10(ctx, cifar10, []string{path}, 5); !errors.Is(err, context.Canceled) {
		t.Errorf("CIFAR: %v", err)
	}
}
