package remote

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml/mltest"
)

// content is a file that no compression shortens, large enough to arrive in many pieces.
func content(seed uint64) []byte {
	r := rng.New(seed)
	b := make([]byte, 300_000)
	for i := range b {
		b[i] = byte(r.Uint64())
	}
	return b
}

func pin(name string, content []byte, mirrors ...string) file {
	sum := sha256.Sum256(content)
	return file{name: name, size: int64(len(content)), sha256: hex.EncodeToString(sum[:]), mirrors: mirrors}
}

// host serves one file, in order of the requests each as the test wants it; the last way of
// answering goes on for all further requests.
type host struct {
	*httptest.Server
	mu     sync.Mutex
	asked  []*http.Request
	answer []http.HandlerFunc
}

func serve(t *testing.T, answer ...http.HandlerFunc) *host {
	t.Helper()
	h := &host{answer: answer}
	h.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		h.asked = append(h.asked, r)
		f := h.answer[min(len(h.asked), len(h.answer))-1]
		h.mu.Unlock()
		f(w, r)
	}))
	t.Cleanup(h.Close)
	return h
}

func (h *host) requests() []*http.Request {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.asked)
}

// whole answers as a good server does: ranges, and If-Range by tag.
func whole(b []byte, tag string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if tag != "" {
			w.Header().Set("ETag", `"`+tag+`"`)
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(b))
	}
}

// noRanges sends everything, whatever was asked for; it stops after so many bytes where that is
// less.
func noRanges(b []byte, sent int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b[:sent])
	}
}

// cut is a good server whose line breaks after so many bytes of an answer.
func cut(b []byte, sent int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		whole(b, "v1")(&cutWriter{w, sent}, r)
	}
}

type cutWriter struct {
	http.ResponseWriter
	left int
}

func (c *cutWriter) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p[:min(len(p), c.left)])
	if c.left -= n; c.left == 0 {
		return n, errors.New("cut")
	}
	return n, err
}

func says(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

// silent sends a beginning and then nothing until the client goes.
func silent(b []byte, sent int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", fmt.Sprint(len(b)))
		w.Write(b[:sent])
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}
}

// fetch brings one file as a data set of one file would be.
func fetch(t *testing.T, ctx context.Context, dir string, f file) (path string, err error) {
	t.Helper()
	s := set{name: "the set", folder: "folder", files: []file{f}, instead: "use the sample"}
	paths, err := (&fetcher{set: s, dir: dir, patience: 200 * time.Millisecond, pause: time.Millisecond}).all(ctx)
	path = filepath.Join(dir, "folder", f.name)
	if err == nil && !slices.Equal(paths, []string{path}) {
		t.Errorf("the path is %q, want %q", paths, path)
	}
	if err != nil {
		if _, statErr := os.Stat(path); statErr == nil {
			t.Errorf("after %v a file is in place", err)
		}
	}
	return path, err
}

func holds(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s holds %d bytes (%v), not the file", path, len(got), err)
	}
	if left, _ := filepath.Glob(path + ".*"); len(left) != 0 {
		t.Errorf("%q are left", left)
	}
}

func TestAServerThatGivesTheFileInTheEnd(t *testing.T) {
	good, other := content(1), content(2)
	half := len(good) / 2
	for name, c := range map[string]struct {
		answers []http.HandlerFunc
		ranges  []string // of the requests
	}{
		"whole":                              {[]http.HandlerFunc{whole(good, "v1")}, []string{""}},
		"without a length":                   {[]http.HandlerFunc{func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.Write(good) }}, []string{""}},
		"cut, then the rest":                 {[]http.HandlerFunc{cut(good, half), whole(good, "v1")}, []string{"", "bytes=150000-"}},
		"cut four times":                     {[]http.HandlerFunc{cut(good, 70_000)}, []string{"", "bytes=70000-", "bytes=140000-", "bytes=210000-", "bytes=280000-"}},
		"cut, and it knows no ranges":        {[]http.HandlerFunc{noRanges(good, half), noRanges(good, len(good))}, []string{"", "bytes=150000-"}},
		"cut, and another version since":     {[]http.HandlerFunc{func(w http.ResponseWriter, r *http.Request) { whole(other, "v0")(&cutWriter{w, half}, r) }, whole(good, "v1")}, []string{"", "bytes=150000-"}},
		"cut, and a rest of another version": {[]http.HandlerFunc{noRanges(other, half), whole(good, "")}, []string{"", "bytes=150000-", ""}},
		"cut, and the rest from elsewhere": {[]http.HandlerFunc{cut(good, half), func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Range", "bytes 7-299999/300000")
			w.WriteHeader(http.StatusPartialContent)
		}, whole(good, "v1")}, []string{"", "bytes=150000-", ""}},
		"cut, and the range refused": {[]http.HandlerFunc{cut(good, half), says(http.StatusRequestedRangeNotSatisfiable), whole(good, "v1")}, []string{"", "bytes=150000-", ""}},
		"silent, then the rest":      {[]http.HandlerFunc{silent(good, half), whole(good, "v1")}, []string{"", "bytes=150000-"}},
		"busy once":                  {[]http.HandlerFunc{says(http.StatusTooManyRequests), whole(good, "v1")}, []string{"", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := serve(t, c.answers...)
			path, err := fetch(t, t.Context(), t.TempDir(), pin("f.gz", good, h.URL))
			if err != nil {
				t.Fatal(err)
			}
			holds(t, path, good)
			var ranges []string
			for _, r := range h.requests() {
				ranges = append(ranges, r.Header.Get("Range"))
				if r.URL.Path != "/f.gz" || r.Header.Get("Accept-Encoding") != "identity" {
					t.Errorf("asked for %s with encoding %q", r.URL, r.Header.Get("Accept-Encoding"))
				}
			}
			if !slices.Equal(ranges, c.ranges) {
				t.Errorf("asked for ranges %q, want %q", ranges, c.ranges)
			}
		})
	}
}

func TestTheVersionThatABeginningIsOfGoesWithTheRequest(t *testing.T) {
	good := content(1)
	h := serve(t, cut(good, 1000), whole(good, "v1"))
	if _, err := fetch(t, t.Context(), t.TempDir(), pin("f", good, h.URL)); err != nil {
		t.Fatal(err)
	}
	if got := h.requests()[1].Header.Get("If-Range"); got != `"v1"` {
		t.Errorf("If-Range is %q", got)
	}
	// Another mirror's tag means nothing here.
	dir := t.TempDir()
	first, second := serve(t, cut(good, 1000), says(http.StatusNotFound)), serve(t, whole(good, "v1"))
	path, err := fetch(t, t.Context(), dir, pin("f", good, first.URL, second.URL))
	if err != nil {
		t.Fatal(err)
	}
	holds(t, path, good)
	if r := second.requests()[0]; r.Header.Get("If-Range") != "" || r.Header.Get("Range") != "bytes=1000-" {
		t.Errorf("the second mirror is asked for %q if it has %q", r.Header.Get("Range"), r.Header.Get("If-Range"))
	}
}

func TestAServerThatNeverGivesTheFile(t *testing.T) {
	good := content(1)
	long := append(slices.Clone(good), 0)
	for name, c := range map[string]struct {
		answer   http.HandlerFunc
		says     string
		requests int
	}{
		"not found":           {says(http.StatusNotFound), "404 Not Found", 1},
		"forbidden":           {says(http.StatusForbidden), "403 Forbidden", 1},
		"broken":              {says(http.StatusInternalServerError), "500 Internal Server Error", 2},
		"busy":                {says(http.StatusTooManyRequests), "429 Too Many Requests", 2},
		"truncated":           {noRanges(good, 1000), "unexpected EOF", 2},
		"empty":               {noRanges(good, 0), "EOF", 1},
		"too long":            {whole(long, ""), "offers 300001 bytes, want 300000", 1},
		"too short":           {whole(good[1:], ""), "offers 299999 bytes", 1},
		"too long, unsaid":    {func(w http.ResponseWriter, _ *http.Request) { w.(http.Flusher).Flush(); w.Write(long) }, "more than 300000 bytes", 1},
		"endless":             {func(w http.ResponseWriter, _ *http.Request) { endless(w) }, "more than 300000 bytes", 1},
		"another file":        {whole(content(2), ""), "its SHA-256 is", 1},
		"a page that says so": {func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("<html>log in</html>")) }, "offers 19 bytes", 1},
		"silent":              {silent(good, 0), "gone silent", 1},
		"mute":                {func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, "gone silent", 1},
		"a range not asked":   {says(http.StatusPartialContent), "can't go on", 1},
		"a byte a request":    {cut(good, 1), "EOF", maxRequests},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, dir := serve(t, c.answer), t.TempDir()
			_, err := fetch(t, t.Context(), dir, pin("f", good, h.URL))
			if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want ErrUnavailable with %q", err, c.says)
			}
			if got := len(h.requests()); got != c.requests {
				t.Errorf("%d requests, want %d", got, c.requests)
			}
			// The second mirror makes up for it.
			second := serve(t, whole(good, "v1"))
			path, err := fetch(t, t.Context(), dir, pin("f", good, h.URL, second.URL))
			if err != nil {
				t.Fatalf("with a second mirror: %v", err)
			}
			holds(t, path, good)
		})
	}
}

func endless(w http.ResponseWriter) {
	for b := make([]byte, 1<<16); ; {
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

// Nothing listens: the reader is told what is missing, where it would have to lie, what was tried,
// and what to do.
func TestOffline(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String()
	l.Close()
	dir := t.TempDir()
	_, err = fetch(t, t.Context(), dir, pin("f.gz", content(1), closed, "http://host.invalid/data"))
	if !errors.Is(err, ErrUnavailable) {
		t.Fatalf("%v is no ErrUnavailable", err)
	}
	for _, want := range []string{"the set: f.gz is not available", "it is not in " + filepath.Join(dir, "folder"), closed + "/f.gz: ", "connection refused",
		"http://host.invalid/data/f.gz: ", "with a connection to the network", "put it there", "use the sample"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
}

func TestCacheIsUsedAndABadOneIsFetchedAgain(t *testing.T) {
	good, dir := content(1), t.TempDir()
	h := serve(t, whole(good, "v1"))
	f := pin("f", good, h.URL)
	for range 3 {
		path, err := fetch(t, t.Context(), dir, f)
		if err != nil {
			t.Fatal(err)
		}
		holds(t, path, good)
	}
	if n := len(h.requests()); n != 1 {
		t.Errorf("%d requests for three uses", n)
	}
	path := filepath.Join(dir, "folder", "f")
	for name, bad := range map[string][]byte{"one bit": append([]byte{good[0] ^ 1}, good[1:]...), "cut": good[:10], "empty": nil, "longer": append(slices.Clone(good), 0)} {
		if err := os.WriteFile(path, bad, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := fetch(t, t.Context(), dir, f); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		holds(t, path, good)
	}
}

// What an earlier run left beside the file may be anything.
func TestLeftovers(t *testing.T) {
	good := content(1)
	for name, left := range map[string][]byte{"whole": good, "longer": append(slices.Clone(good), 1, 2, 3), "of another": content(2), "half": good[:150_000]} {
		dir := t.TempDir()
		if err := os.MkdirAll(filepath.Join(dir, "folder"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "folder", "f.part"), left, 0o644); err != nil {
			t.Fatal(err)
		}
		h := serve(t, whole(good, "v1"))
		path, err := fetch(t, t.Context(), dir, pin("f", good, h.URL))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		holds(t, path, good)
		if n := len(h.requests()); name == "whole" && n != 0 {
			t.Errorf("a whole download was not used: %d requests", n)
		}
	}
}

func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("no /dev/full, which refuses every byte as a full disk does")
	}
	good, dir := content(1), t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/full", filepath.Join(dir, "folder", "f.part")); err != nil {
		t.Fatal(err)
	}
	first, second := serve(t, whole(good, "v1")), serve(t, whole(good, "v1"))
	_, err := fetch(t, t.Context(), dir, pin("f", good, first.URL, second.URL))
	if err == nil || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no space left") || !strings.Contains(err.Error(), "f.part") {
		t.Errorf("the error is %v, want one that names the file and the want of space, and not the network", err)
	}
	if a, b := len(first.requests()), len(second.requests()); a != 1 || b != 0 {
		t.Errorf("%d and %d requests: a full disk is full for every mirror", a, b)
	}
}

func TestFolderThatCannotBeWritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(dir, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	h := serve(t, whole(content(1), "v1"))
	if _, err := fetch(t, t.Context(), dir, pin("f", content(1), h.URL)); err == nil || errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), dir) {
		t.Errorf("the error is %v", err)
	}
}

func TestCancelled(t *testing.T) {
	good := content(1)
	busy := serve(t, says(http.StatusTooManyRequests))
	held := t.TempDir()
	if err := os.MkdirAll(filepath.Join(held, "folder"), 0o755); err != nil {
		t.Fatal(err)
	}
	unlock, err := lock(t.Context(), filepath.Join(held, "folder", ".f.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	for name, c := range map[string]struct {
		url, dir string
		pause    time.Duration
	}{
		"during the headers":     {serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }).URL, t.TempDir(), 0},
		"during the body":        {serve(t, silent(good, 1000)).URL, t.TempDir(), 0},
		"while a server is busy": {busy.URL, t.TempDir(), time.Minute},
		"while another fetches":  {busy.URL, held, 0},
	} {
		f := fetcher{set: set{folder: "folder", files: []file{pin("f", good, c.url)}}, dir: c.dir, patience: time.Minute, pause: c.pause}
		var err error
		stopped := mltest.Prompt(t, name, 60*time.Millisecond, func(ctx context.Context) error { _, err = f.all(ctx); return err })
		if !stopped || errors.Is(err, ErrUnavailable) {
			t.Errorf("%s: the error is %v, want context.Canceled", name, err)
		}
		if name == "during the body" { // what came is kept for the next time
			if n := sizeOf(filepath.Join(c.dir, "folder", "f.part")); n != 1000 {
				t.Errorf("%d bytes are kept, want 1000", n)
			}
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := MNIST(ctx, Dir(t.TempDir())); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context the error is %v", err)
	}
}

// Two processes that want the same file fetch it once; both get it.
func TestTwoProcessesAtOnce(t *testing.T) {
	good := content(1)
	if url := os.Getenv("LATENT_TEST_FETCH"); url != "" {
		path, err := fetch(t, t.Context(), os.Getenv("LATENT_TEST_DIR"), pin("f", good, url))
		if err != nil {
			t.Fatal(err)
		}
		holds(t, path, good)
		return
	}
	if testing.Short() {
		t.Skip("starts processes")
	}
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(150 * time.Millisecond) // both are there by now, whoever comes first
		whole(good, "v1")(w, r)
	})
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			cmd := exec.Command(os.Args[0], "-test.run=^TestTwoProcessesAtOnce$")
			cmd.Env = append(os.Environ(), "LATENT_TEST_FETCH="+h.URL, "LATENT_TEST_DIR="+dir)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	if n := len(h.requests()); n != 1 {
		t.Errorf("%d requests of three processes, want 1", n)
	}
}

func TestProgress(t *testing.T) {
	a, b := content(1), content(2)
	h := serve(t, func(w http.ResponseWriter, r *http.Request) {
		whole(map[string][]byte{"/a": a, "/b": b}[r.URL.Path], "v1")(w, r)
	})
	s := set{folder: "s", files: []file{pin("a", a, h.URL), pin("b", b, h.URL)},
		read: func(context.Context, set, []string, int) (train, test datasets.Dataset, err error) { return }}
	dir := t.TempDir()
	var shown [][2]int64
	run := func() {
		t.Helper()
		shown = nil
		if _, _, err := load(t.Context(), s, []Option{Dir(dir), Progress(func(done, total int64) { shown = append(shown, [2]int64{done, total}) })}); err != nil {
			t.Fatal(err)
		}
	}
	run()
	if len(shown) < 2 || shown[0] != [2]int64{0, 600_000} || shown[len(shown)-1] != [2]int64{600_000, 600_000} {
		t.Errorf("shown: %v", shown)
	}
	if run(); len(shown) != 0 {
		t.Errorf("with all in the cache: %v", shown)
	}
	if err := os.Remove(filepath.Join(dir, "s", "b")); err != nil {
		t.Fatal(err)
	}
	if run(); len(shown) == 0 || shown[0][0] != 300_000 {
		t.Errorf("with the first file in the cache: %v", shown)
	}
}
