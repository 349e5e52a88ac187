package datasets

import (
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/golatent/latent/internal/npy"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// WriteFile writes the table to a file, in the form that the ending of its name says: .csv or .tsv,
// with .gz behind it packed, .npy for a table of numbers, .npz for any but dates. What stood there
// before is replaced when all has been written, and stays when something fails.
func (t Table) WriteFile(path string) (err error) {
	const method = "datasets.Table.WriteFile"
	name := strings.ToLower(filepath.Base(path))
	plain, zipped := strings.CutSuffix(name, ".gz")
	var write func(io.Writer) error
	switch {
	case strings.HasSuffix(plain, ".csv"):
		write = t.WriteCSV
	case strings.HasSuffix(plain, ".tsv"):
		write = func(w io.Writer) error { return t.writeText(w, '\t') }
	case strings.HasSuffix(name, ".npy"):
		write = t.writeNPY
	case strings.HasSuffix(name, ".npz"):
		write = t.writeNPZ
	default:
		return ml.BadParameter(method, "the ending of the file's name", fmt.Sprintf("%q", filepath.Ext(path)), ".csv, .tsv, .csv.gz, .tsv.gz, .npy or .npz")
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	if zipped {
		z := gzip.NewWriter(f)
		if err = write(z); err == nil {
			err = z.Close()
		}
	} else {
		err = write(f)
	}
	if err != nil {
		return err
	}
	if err = f.Chmod(0o644); err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	if err = f.Close(); err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	return nil
}

// WriteCSV writes the table as RFC 4180 has it, in UTF-8, with a header; numbers in the fewest
// digits that give them back, dates as 2006-01-02 15:04:05, nothing where a cell is missing, and ""
// where a text is empty. Reader{Header: FirstRow, Separator: ','} reads it back.
func (t Table) WriteCSV(w io.Writer) error { return t.writeText(w, ',') }

func (t Table) writeText(w io.Writer, separator byte) error {
	if err := t.check(); err != nil {
		return err
	}
	n, _ := t.Dims()
	out := bufio.NewWriterSize(w, 1<<16)
	var b []byte // the header in quotes throughout: a name may begin as a comment does
	for j, c := range t.Columns {
		if j > 0 {
			b = append(b, separator)
		}
		b = appendText(b, []byte(c.Name), separator, true)
	}
	out.Write(append(b, '\n'))
	var cell []byte
	for i := range n {
		b = b[:0]
		for j := range t.Columns {
			c := &t.Columns[j]
			if j > 0 {
				b = append(b, separator)
			}
			if c.IsMissing(i) {
				continue
			}
			cell = appendCell(cell[:0], c, i)
			// A line that begins so would be taken for a comment.
			quote := c.Kind == Text && (len(cell) == 0 || strings.IndexByte("#%/", cell[0]) >= 0)
			b = appendText(b, cell, separator, quote)
		}
		if _, err := out.Write(append(b, '\n')); err != nil {
			return fmt.Errorf("datasets: %w", err)
		}
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("datasets: %w", err)
	}
	return nil
}

// appendText appends a cell, in quotes where it needs them.
func appendText(b, cell []byte, separator byte, quote bool) []byte {
	if !quote && len(cell) > 0 {
		quote = bytes.IndexByte(cell, separator) >= 0 || bytes.ContainsAny(cell, "\"\n\r") || isBlank(cell[0]) || isBlank(cell[len(cell)-1])
	}
	if !quote {
		return append(b, cell...)
	}
	b = append(b, '"')
	b = append(b, bytes.ReplaceAll(cell, []byte(`"`), []byte(`""`))...)
	return append(b, '"')
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// writeNPY writes an array n×d of float64, NaN where a cell is missing.
func (t Table) writeNPY(w io.Writer) error {
	n, d := t.Dims()
	x := mat.NewDense(max(n, 1), max(d, 1), nil)
	for j, c := range t.Columns {
		if c.Kind != Number && c.Kind != Boolean {
			return ml.BadParameter("datasets.Table.WriteFile", fmt.Sprintf("the kind of column %q", c.Name), c.Kind, "number: an array of NPY has one kind; .npz keeps text too")
		}
		x.SetCol(j, c.Numbers)
	}
	return npy.Write(w, []int{n, d}, x.RawMatrix().Data[:n*d])
}

// writeNPZ writes an array a column: float64, bool, or text as bytes of UTF-8.
func (t Table) writeNPZ(w io.Writer) error {
	if err := t.check(); err != nil {
		return err
	}
	z := zip.NewWriter(w)
	for i := range t.Columns {
		c := &t.Columns[i]
		if strings.ContainsAny(c.Name, "/\\") || c.Name == "" {
			return ml.BadParameter("datasets.Table.WriteFile", "the name of a column", fmt.Sprintf("%q", c.Name), "one that can be a file's in a zip file")
		}
		f, err := z.Create(c.Name + ".npy")
		if err != nil {
			return err
		}
		switch missing := c.CountMissing() > 0; {
		case c.Kind == Date || c.Kind == Text && missing:
			return ml.BadParameter("datasets.Table.WriteFile", fmt.Sprintf("the column %q of kind %v", c.Name, c.Kind), "not to be written", "numbers, truth values or text without missing cells, which NumPy has types for")
		case c.Kind == Text:
			err = npy.WriteStrings(f, c.Texts)
		case c.Kind == Boolean && !missing:
			bits := make([]bool, len(c.Numbers))
			for k, v := range c.Numbers {
				bits[k] = v != 0
			}
			err = npy.Write(f, []int{len(bits)}, bits)
		default:
			err = npy.Write(f, []int{len(c.Numbers)}, c.Numbers)
		}
		if err != nil {
			return err
		}
	}
	return z.Close()
}
