package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/golatent/latent/pkg/ml"
)

// fetcher brings the files of one set into the cache. A file is downloaded to NAME.part, checked,
// and renamed: NAME is whole or not there.
type fetcher struct {
	set      set
	dir      string
	mirrors  []string // asked first
	first    int
	show     func(done, total int64)
	patience time.Duration // without a byte
	pause    time.Duration // before a busy server is asked again

	before int64 // bytes of the files before this one
	shown  time.Time
}

// all returns the paths of the set's files, each whole and checked.
func (f *fetcher) all(ctx context.Context) ([]string, error) {
	var paths []string
	for _, file := range f.set.files {
		path := filepath.Join(f.dir, f.set.folder, file.name)
		if err := f.ensure(ctx, file, path); err != nil {
			return nil, err
		}
		f.before += file.size
		paths = append(paths, path)
	}
	return paths, nil
}

// ensure makes path be the file. Its content is checked at each use, 0.1 s for the largest: a cache
// that went bad is fetched again.
func (f *fetcher) ensure(ctx context.Context, file file, path string) error {
	if err := verify(ctx, file, path); err == nil || ctx.Err() != nil {
		return ctx.Err()
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	unlock, err := lock(ctx, filepath.Join(filepath.Dir(path), "."+file.name+".lock"))
	if err != nil {
		return fmt.Errorf("remote: %w", err)
	}
	defer unlock()
	if err := verify(ctx, file, path); err == nil || ctx.Err() != nil { // another process has brought it meanwhile
		return ctx.Err()
	}
	part := path + ".part"
	var tried []string
	for _, base := range append(f.mirrors[:len(f.mirrors):len(f.mirrors)], file.mirrors...) {
		url := strings.TrimSuffix(base, "/") + "/" + file.name
		err := f.download(ctx, file, url, part)
		switch {
		case err == nil:
			_ = os.Remove(part + ".from")
			if err := os.Rename(part, path); err != nil {
				return fmt.Errorf("remote: %w", err)
			}
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case isLocal(err):
			return fmt.Errorf("remote: %s: %w", f.set.name, err)
		}
		tried = append(tried, fmt.Sprintf("  %s: %v", url, err))
	}
	return fmt.Errorf("remote: %s: %s is %w: it is not in %s, and can't be fetched:\n%s\nRun it once with a connection to the network; or have the file from elsewhere and put it there; or do without: %s",
		f.set.name, file.name, ErrUnavailable, filepath.Dir(path), strings.Join(tried, "\n"), f.set.instead)
}

var errDigest = errors.New("another file than the one that is pinned")

// verify checks that path is the file, to the last byte.
func verify(ctx context.Context, file file, path string) error {
	in, err := os.Open(path)
	if err != nil {
		return err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return err
	}
	if info.Size() != file.size {
		return fmt.Errorf("%d bytes, want %d: %w", info.Size(), file.size, errDigest)
	}
	h := sha256.New()
	if _, err := io.Copy(h, reader{ctx, in}); err != nil {
		return err
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != file.sha256 {
		return fmt.Errorf("its SHA-256 is %s, want %s: %w", got, file.sha256, errDigest)
	}
	return nil
}

const maxRequests = 50 // of one mirror: one that gives a byte at a time is left

// download fills part from one mirror, going on where an earlier attempt stopped, and checks it.
func (f *fetcher) download(ctx context.Context, file file, url, part string) error {
	var err error
	for requests, fruitless := 0, 0; requests < maxRequests; requests++ {
		had := sizeOf(part)
		if err = f.request(ctx, file, url, part, had); err == nil {
			err = verify(ctx, file, part)
		}
		var status statusError
		switch {
		case err == nil || ctx.Err() != nil || isLocal(err):
			return err
		case errors.Is(err, errDigest), errors.Is(err, errStartOver):
			// What was there before may be another version's, or torn by a power cut: once more
			// from the beginning.
			_ = os.Remove(part)
			if had == 0 {
				return err
			}
		case sizeOf(part) > had: // cut short, but something came
			fruitless = 0
		case errors.As(err, &status) && status.busy() && fruitless == 0:
			fruitless++
			if err := sleep(ctx, f.pause); err != nil {
				return err
			}
		default:
			return err
		}
	}
	return err
}

// isLocal tells this machine's disk from the network: a full one is full for every mirror.
func isLocal(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path)
}

type statusError int

func (s statusError) Error() string {
	return fmt.Sprintf("the server says %d %s", int(s), http.StatusText(int(s)))
}

func (s statusError) busy() bool { return s == http.StatusTooManyRequests || s >= 500 }

var (
	errStartOver = errors.New("the server can't go on where the download stopped")
	errStalled   = errors.New("the server has gone silent")
)

// request asks for what is missing behind the first had bytes and appends it to part, never more
// than the file has.
func (f *fetcher) request(ctx context.Context, file file, url, part string, had int64) error {
	if had >= file.size {
		return nil // the last attempt ended just before the file was checked, or part is no part of it: verify knows
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(f.patience, func() { cancel(errStalled) })
	defer watchdog.Stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "latent/"+ml.Version)
	req.Header.Set("Accept-Encoding", "identity") // the file is the gzip that the server holds
	if had > 0 {
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-", had))
		if from, validator, _ := strings.Cut(readString(part+".from"), "\n"); from == url && validator != "" {
			req.Header.Set("If-Range", validator) // another version comes whole
		}
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return cause(ctx, err)
	}
	defer res.Body.Close()
	mode := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	switch res.StatusCode {
	case http.StatusOK:
		had = 0
		if res.ContentLength >= 0 && res.ContentLength != file.size {
			return fmt.Errorf("the server offers %d bytes, want %d: %w", res.ContentLength, file.size, errDigest)
		}
		if err := os.WriteFile(part+".from", []byte(url+"\n"+validator(res)), 0o644); err != nil {
			return err
		}
	case http.StatusPartialContent:
		var from, to, total int64
		if n, _ := fmt.Sscanf(res.Header.Get("Content-Range"), "bytes %d-%d/%d", &from, &to, &total); n < 2 || from != had || to >= file.size || n == 3 && total != file.size {
			return fmt.Errorf("%w (Content-Range: %.60q)", errStartOver, res.Header.Get("Content-Range"))
		}
		mode = os.O_WRONLY | os.O_APPEND
	case http.StatusRequestedRangeNotSatisfiable:
		return errStartOver
	default:
		return statusError(res.StatusCode)
	}
	out, err := os.OpenFile(part, mode, 0o644)
	if err != nil {
		return err
	}
	err = f.body(ctx, file, out, res.Body, had, watchdog)
	if cerr := out.Close(); err == nil {
		err = cerr
	}
	return err
}

// body copies what the server sends. One byte more than the file has makes it another file.
func (f *fetcher) body(ctx context.Context, file file, out io.Writer, in io.Reader, had int64, watchdog *time.Timer) error {
	buf := make([]byte, 64<<10)
	for {
		f.progress(had)
		n, err := in.Read(buf)
		watchdog.Reset(f.patience)
		if n > 0 {
			if had += int64(n); had > file.size {
				return fmt.Errorf("the server sends more than %d bytes: %w", file.size, errDigest)
			}
			if _, err := out.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF) && had < file.size:
			return fmt.Errorf("after %d of %d bytes: %w", had, file.size, io.ErrUnexpectedEOF)
		case errors.Is(err, io.EOF):
			f.progress(had)
			return nil
		case err != nil:
			return cause(ctx, err)
		}
	}
}

func (f *fetcher) progress(had int64) {
	var total int64
	for _, file := range f.set.files {
		total += file.size
	}
	if f.show == nil || time.Since(f.shown) < 100*time.Millisecond && f.before+had < total {
		return
	}
	f.shown = time.Now()
	f.show(f.before+had, total)
}

// validator identifies the version that a server sends, if it says so in a way that If-Range may
// use.
func validator(res *http.Response) string {
	if tag := res.Header.Get("ETag"); tag != "" && !strings.HasPrefix(tag, "W/") {
		return tag
	}
	return res.Header.Get("Last-Modified")
}

// cause is why a context ended, where that is why the request did.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

func readString(path string) string {
	data, _ := os.ReadFile(path)
	return string(data)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}
