package remote

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strings"

	"gonum.org/v1/gonum/mat"

	"github.com/golatent/latent/pkg/datasets"
)

// cifarForm is how CIFAR-10's binary version is laid out: five batches to train and one to test,
// each of so many records, a record a label and three planes of pixels. Tests use a smaller one.
type cifarForm struct{ records, side int }

var cifarForm10 = cifarForm{records: 10_000, side: 32}

const trainBatches = 5

func readCIFAR10(ctx context.Context, s set, paths []string, first int) (train, test datasets.Dataset, err error) {
	in, err := os.Open(paths[0])
	if err != nil {
		return train, test, err
	}
	defer in.Close()
	train, test, err = cifarForm10.read(reader{ctx, in}, s, first)
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return train, test, err
}

// read unpacks the archive in one pass, straight into the matrices. Nothing is written to disk, so
// names in the archive lead nowhere; what has the name of a batch must be a plain file of exactly a
// batch's size and be there once. What is unpacked is bounded.
func (form cifarForm) read(in io.Reader, s set, first int) (train, test datasets.Dataset, err error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return train, test, malformed("not a gzip file: %v", err)
	}
	batchSize := int64(form.records) * int64(form.record())
	unpacked := &io.LimitedReader{R: z, N: (trainBatches+1)*batchSize + 1<<20} // the rest is a page of text and padding
	archive := tar.NewReader(unpacked)
	train, test = form.part(s, trainBatches*form.records, first, "train"), form.part(s, form.records, first, "test")
	seen := map[string]bool{}
	for {
		h, err := archive.Next()
		if errors.Is(err, io.EOF) && unpacked.N > 0 {
			break
		}
		if err != nil {
			if unpacked.N == 0 {
				err = fmt.Errorf("more than the %d batches", trainBatches+1)
			}
			return train, test, malformed("the archive: %v", err)
		}
		name := path.Base(h.Name)
		into, start, ok := form.batch(name, &train, &test)
		if !ok {
			continue
		}
		switch {
		case h.Typeflag != tar.TypeReg:
			return train, test, malformed("%s is not a plain file", name)
		case h.Size != batchSize:
			return train, test, malformed("%s has %d bytes, want %d", name, h.Size, batchSize)
		case seen[name]:
			return train, test, malformed("%s is there twice", name)
		}
		seen[name] = true
		if err := form.rows(archive, into, start, len(s.classes)); err != nil {
			return train, test, malformed("%s: %v", name, err)
		}
	}
	if len(seen) != trainBatches+1 {
		return train, test, malformed("%d batches, want %d", len(seen), trainBatches+1)
	}
	if _, err := io.Copy(io.Discard, unpacked); err != nil { // gzip's checksum stands at the very end
		return train, test, malformed("the archive: %v", err)
	}
	if unpacked.N == 0 {
		return train, test, malformed("the archive: more than the %d batches", trainBatches+1)
	}
	return train, test, nil
}

func (form cifarForm) record() int { return 1 + 3*form.side*form.side }

func (form cifarForm) part(s set, n, first int, part string) datasets.Dataset {
	if first > 0 {
		n = min(n, first)
	}
	return datasets.Dataset{Name: partName(s, n, part), Classes: s.classes, Height: form.side, Width: form.side,
		X: mat.NewDense(n, 3*form.side*form.side, nil), Y: make([]int, n)}
}

// batch says where the records of a file go.
func (form cifarForm) batch(name string, train, test *datasets.Dataset) (into *datasets.Dataset, start int, ok bool) {
	if name == "test_batch.bin" {
		return test, 0, true
	}
	number, isBatch := strings.CutPrefix(name, "data_batch_")
	number, isBin := strings.CutSuffix(number, ".bin")
	if !isBatch || !isBin || len(number) != 1 || number[0] < '1' || number[0] > '0'+trainBatches {
		return nil, 0, false
	}
	return train, int(number[0]-'1') * form.records, true
}

// rows reads one batch; rows that were not asked for are left out.
func (form cifarForm) rows(in io.Reader, d *datasets.Dataset, start, classes int) error {
	plane := form.side * form.side
	record := make([]byte, form.record())
	for i := start; i < min(start+form.records, len(d.Y)); i++ {
		if _, err := io.ReadFull(in, record); err != nil {
			return err
		}
		if int(record[0]) >= classes {
			return fmt.Errorf("record %d has label %d, want less than %d", i-start, record[0], classes)
		}
		d.Y[i] = int(record[0])
		row := d.X.RawRowView(i)
		for k, b := range record[1:] { // plane by plane in the file, pixel by pixel in the row
			row[3*(k%plane)+k/plane] = float64(b)
		}
	}
	return nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf(format+": %w", append(args, datasets.ErrFormat)...)
}
