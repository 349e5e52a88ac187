package nb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/gob"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"gonum.org/v1/gonum/mat"
)

// Fitter is a method with its options: cluster.KMeans{K: 10}, say.
type Fitter[M any] interface {
	Fit(ctx context.Context, x mat.Matrix) (M, error)
}

// Once fits a method, or gives back the model that the same fit gave before: every cell is a
// process of its own, and what costs more than a second should not be paid in each. The model is
// kept on disk under the method's type and options, the content of the data, the content of the
// library's own source and, for a method that the notebook declares, its text, so that a changed
// option, another number in x or an edited method is fitted anew. A fit that fails or is
// interrupted is not kept.
//
// Kept models live in .cache/nb under the repository, or where LATENT_CACHE points; the least
// recently used go first when they pass LATENT_CACHE_SIZE bytes (2 GB if unset). A method with an
// option that has no content to compare, a function for instance, is fitted every time.
func Once[M any](ctx context.Context, method Fitter[M], x mat.Matrix) (M, error) {
	key, keyErr := keyOf("once", Key{method, x}, nil)
	return kept(key, keyErr, func() (M, error) { return method.Fit(ctx, x) })
}

// OnceOf is Once for a method whose data are no matrix, a text for instance, but a value with a
// content to compare.
func OnceOf[D, M any](ctx context.Context, method interface {
	Fit(ctx context.Context, data D) (M, error)
}, data D) (M, error) {
	key, keyErr := keyOf("once", Key{method, data}, nil)
	return kept(key, keyErr, func() (M, error) { return method.Fit(ctx, data) })
}

// OnceLabeled is Once for a method that learns from labels, one a row of x; −1 is a row without
// one.
func OnceLabeled[M any](ctx context.Context, method interface {
	Fit(ctx context.Context, x mat.Matrix, y []int) (M, error)
}, x mat.Matrix, y []int) (M, error) {
	key, keyErr := keyOf("once", Key{method, x, y}, nil)
	return kept(key, keyErr, func() (M, error) { return method.Fit(ctx, x, y) })
}

// Memo is Once for anything else: compute's result is kept under key, which must hold every input
// that the result depends on. The text of compute, with that of the functions and types of the
// notebook that it uses, is part of the key by itself: an edited one is run anew.
//
//	curve := nb.Must(nb.Memo(nb.Key{"silhouette by K", digits.X, 20}, func() ([]float64, error) { … }))
func Memo[T any](key any, compute func() (T, error)) (T, error) {
	k, err := keyOf("memo", key, compute)
	if err != nil && !errors.Is(err, errUnknownCode) {
		var none T
		return none, fmt.Errorf("nb.Memo: the key can't be compared with an earlier one: %w", err)
	}
	return kept(k, err, compute)
}

// Key is a list of inputs, for Memo.
type Key []any

// kept returns the value stored under key and the type T, or computes and stores it.
func kept[T any](key string, keyErr error, compute func() (T, error)) (T, error) {
	dir, dirErr := cacheDir()
	if keyErr != nil || dirErr != nil {
		return compute()
	}
	var v T
	path := filepath.Join(dir, key+fmt.Sprintf("-%x", sha256.Sum256(fmt.Appendf(nil, "%T", &v)))[:17]+".gob")
	if load(path, &v) == nil {
		now := time.Now()
		_ = os.Chtimes(path, now, now) // used last, so evicted last
		return v, nil
	}
	v, err := compute()
	if err != nil {
		return v, err
	}
	// A cache that can't be written, for want of space or of a type that gob can't carry, costs
	// time and nothing else.
	if store(path, v) == nil {
		evict(dir, path)
	}
	return v, nil
}

// A kept file is a line that names the format, the SHA-256 of the rest, and the value in gob. gob
// and not ml.Save: a Memo's value is any Go value, the file is read by nobody but the next cell,
// and whatever is not understood is computed again.
const magic = "latent kept value 1\n"

func store(path string, v any) error {
	var body bytes.Buffer
	if err := gob.NewEncoder(&body).Encode(v); err != nil {
		return err
	}
	sum := sha256.Sum256(body.Bytes())
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once it is renamed
	for _, part := range [][]byte{[]byte(magic), sum[:], body.Bytes()} {
		if _, err := f.Write(part); err != nil {
			f.Close()
			return err
		}
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

var errForeign = errors.New("not a value kept here")

func load(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(data) < len(magic)+sha256.Size || string(data[:len(magic)]) != magic {
		return errForeign
	}
	sum, body := data[len(magic):len(magic)+sha256.Size], data[len(magic)+sha256.Size:]
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return errForeign
	}
	return gob.NewDecoder(bytes.NewReader(body)).Decode(v)
}

const defaultCacheSize = 2 << 30

// evict removes the least recently used files until the folder is within its bound. The file just
// written stays.
func evict(dir, newest string) {
	limit := int64(defaultCacheSize)
	if s := os.Getenv("LATENT_CACHE_SIZE"); s != "" {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 0 {
			limit = n
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return
	}
	var files []fs.FileInfo
	var total int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if strings.HasPrefix(e.Name(), ".part-") {
			if time.Since(info.ModTime()) > time.Hour { // left by a process that was killed
				_ = os.Remove(filepath.Join(dir, e.Name()))
			}
			continue
		}
		files, total = append(files, info), total+info.Size()
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, f := range files {
		if total <= limit {
			return
		}
		if path := filepath.Join(dir, f.Name()); path != newest && os.Remove(path) == nil {
			total -= f.Size()
		}
	}
}

// cacheDir is LATENT_CACHE, or .cache/nb of the repository, or the user's cache folder where the
// library is not run from a repository.
func cacheDir() (string, error) {
	if dir := os.Getenv("LATENT_CACHE"); dir != "" {
		return dir, nil
	}
	if root, ok := moduleRoot(); ok {
		return filepath.Join(root, ".cache", "nb"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "latent", "nb"), nil
}

// errUnknownCode is why an answer is computed and not kept: nothing says for certain which code
// gave it.
var errUnknownCode = errors.New("the code is not known for certain")

// keyOf digests what an answer depends on: inputs, their types' code, the code of fn (nil for
// none), the library.
func keyOf(kind string, inputs, fn any) (string, error) {
	h := sha256.New()
	types, err := digest(h, inputs)
	if err != nil {
		return "", err
	}
	version, err := libraryVersion()
	code := [2]string{}
	if err == nil {
		code[0], err = codeOfTypes(types)
	}
	if err == nil && fn != nil {
		code[1], err = codeOfFunc(fn)
	}
	if err != nil {
		return "", fmt.Errorf("%w: %w", errUnknownCode, err)
	}
	fmt.Fprintf(h, "\n%s\n%s\n%d %s\n%s", kind, version, len(code[0]), code[0], code[1])
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
