// Package remote fetches the data sets that are too large to embed: MNIST whole, Fashion-MNIST and
// CIFAR-10. A file is fetched once, held to the SHA-256 that is pinned here, and kept in the user's
// cache directory; a download that was cut short goes on where it stopped.
//
// It is a package of its own so that a program on pkg/datasets links no network: no notebook of
// this repository needs one.
package remote

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"gonum.org/v1/gonum/mat"

	"github.com/golatent/latent/pkg/datasets"
	"github.com/golatent/latent/pkg/ml"
)

// ErrUnavailable is found by errors.Is in what is returned when a file is neither in the cache nor
// to be had from any mirror. The error's text says what was tried and what to do.
var ErrUnavailable = errors.New("not available")

// Option changes how a data set is fetched or read.
type Option func(*fetcher)

// Dir keeps the files in a folder of the caller's choice. By default it is LATENT_DATA where that
// is set, else latent/data in the user's cache directory.
func Dir(path string) Option { return func(f *fetcher) { f.dir = path } }

// Mirror asks a server of the caller's choice, a university's for example, before the public ones:
// base + "/" + the file's name. What it sends is held to the same SHA-256.
func Mirror(base string) Option { return func(f *fetcher) { f.mirrors = append(f.mirrors, base) } }

// First reads the first n observations of each part and leaves the rest: CIFAR-10 whole is 1.5 GB
// of float64.
func First(n int) Option { return func(f *fetcher) { f.first = n } }

// Progress calls show, ten times a second at most, with the bytes that are here and the bytes of
// all files of the set. It is not called when everything is in the cache. done falls when a server
// makes the download start over.
func Progress(show func(done, total int64)) Option { return func(f *fetcher) { f.show = show } }

// MNIST returns 60,000 handwritten digits to train and 10,000 to test, 28×28 pixels with values 0
// to 255, ink high (LeCun, Cortes & Burges, 1998), of which datasets.MNIST carries a sample. 11.6
// MB are fetched at the first call; the matrices take 440 MB.
//
// The error wraps ErrUnavailable when the files can't be had, and is ctx.Err() when ctx ends first.
func MNIST(ctx context.Context, options ...Option) (train, test datasets.Dataset, err error) {
	return load(ctx, mnist, options)
}

// FashionMNIST returns 60,000 pictures of clothes to train and 10,000 to test, in the form of MNIST
// (Xiao, Rasul & Vollgraf, 2017). 31 MB are fetched at the first call. Errors are those of MNIST.
func FashionMNIST(ctx context.Context, options ...Option) (train, test datasets.Dataset, err error) {
	return load(ctx, fashion, options)
}

// CIFAR10 returns 50,000 color pictures of ten kinds of things to train and 10,000 to test
// (Krizhevsky, 2009). A row holds 32×32 pixels from the top, each its red, green and blue together,
// values 0 to 255, as plotting.RGBImages takes them. 170 MB are fetched at the first call; the
// matrices take 1.5 GB unless First asks for less. Errors are those of MNIST.
func CIFAR10(ctx context.Context, options ...Option) (train, test datasets.Dataset, err error) {
	return load(ctx, cifar10, options)
}

// set is a data set: its files, and how they are read.
type set struct {
	name    string
	folder  string // in the cache
	files   []file
	instead string // what to use offline
	read    func(ctx context.Context, s set, paths []string, first int) (train, test datasets.Dataset, err error)
	classes []string
}

// file is pinned by its size and digest; who serves it does not matter.
type file struct {
	name    string
	size    int64
	sha256  string
	mirrors []string // folders that hold it
}

func load(ctx context.Context, s set, options []Option) (train, test datasets.Dataset, err error) {
	f := fetcher{set: s, patience: 30 * time.Second, pause: 500 * time.Millisecond}
	for _, o := range options {
		o(&f)
	}
	fail := func(err error) (datasets.Dataset, datasets.Dataset, error) {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return datasets.Dataset{}, datasets.Dataset{}, err
	}
	if f.first < 0 {
		return fail(ml.BadParameter("remote.First", "n", f.first, "0 for all, or a number of observations"))
	}
	if f.dir == "" {
		if f.dir, err = cacheDir(); err != nil {
			return fail(err)
		}
	}
	paths, err := f.all(ctx)
	if err != nil {
		return fail(err)
	}
	train, test, err = s.read(ctx, s, paths, f.first)
	if err != nil {
		return fail(fmt.Errorf("remote: %s: %w", s.name, err))
	}
	return train, test, nil
}

func cacheDir() (string, error) {
	if dir := os.Getenv("LATENT_DATA"); dir != "" {
		return dir, nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("remote: there is no cache directory (%w); set LATENT_DATA to a folder for the data", err)
	}
	return filepath.Join(dir, "latent", "data"), nil
}

// readPictures reads MNIST's four files: pictures and labels to train, pictures and labels to test.
func readPictures(ctx context.Context, s set, paths []string, first int) (train, test datasets.Dataset, err error) {
	if train, err = pictures(ctx, s, paths[0], paths[1], first, "train"); err == nil {
		test, err = pictures(ctx, s, paths[2], paths[3], first, "test")
	}
	return train, test, err
}

func pictures(ctx context.Context, s set, imagePath, labelPath string, first int, part string) (datasets.Dataset, error) {
	var d datasets.Dataset
	shape, pixels, err := readIDX(ctx, imagePath)
	if err != nil {
		return d, err
	}
	if len(shape) != 3 {
		return d, fmt.Errorf("%s has %d dimensions, want 3: %w", filepath.Base(imagePath), len(shape), datasets.ErrFormat)
	}
	labelShape, labels, err := readIDX(ctx, labelPath)
	if err != nil {
		return d, err
	}
	if len(labelShape) != 1 || len(labels) != shape[0] {
		return d, fmt.Errorf("%s has shape %v for %d pictures: %w", filepath.Base(labelPath), labelShape, shape[0], datasets.ErrFormat)
	}
	n, size := shape[0], shape[1]*shape[2]
	if first > 0 {
		n = min(n, first)
	}
	d = datasets.Dataset{Name: partName(s, n, part), Classes: s.classes, Height: shape[1], Width: shape[2], X: mat.NewDense(n, size, nil), Y: make([]int, n)}
	for i := range n {
		if ctx.Err() != nil {
			return d, ctx.Err()
		}
		if int(labels[i]) >= len(s.classes) {
			return d, fmt.Errorf("label %d is %d, want less than %d: %w", i, labels[i], len(s.classes), datasets.ErrFormat)
		}
		d.Y[i] = int(labels[i])
		row := d.X.RawRowView(i)
		for j, b := range pixels[i*size : (i+1)*size] {
			row[j] = float64(b)
		}
	}
	return d, nil
}

func readIDX(ctx context.Context, path string) ([]int, []byte, error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer in.Close()
	shape, data, err := datasets.ReadIDX(reader{ctx, in})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	return shape, data, nil
}

// partName is like that of the embedded sets: "MNIST, 60,000 to train".
func partName(s set, n int, part string) string {
	count := strconv.Itoa(n)
	if len(count) > 3 {
		count = count[:len(count)-3] + "," + count[len(count)-3:]
	}
	return s.name + ", " + count + " to " + part
}
