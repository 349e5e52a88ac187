package datasets

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/golatent/latent/pkg/ml"
)

// Reader reads tables. The zero value finds out what a file is from its bytes: text with separators
// (CSV, TSV), NPY or NPZ, each plain or gzipped; and of text the encoding, the separator, whether
// the first row names the columns, the decimal mark, lines of comment, and the kind of every
// column. What the bytes do not settle is an error that says why and names the field below that
// settles it. Nothing is dropped, renamed or taken for a header without a word in Table.Notes.
//
// In text, a cell may stand in double quotes, inside which a quote is doubled and a separator or a
// line's end is part of the cell (RFC 4180). Blanks around a cell that is not quoted are not part
// of it. Empty lines are no rows, but in a table of one column, where they are missing cells. Rows
// of different lengths are an error. A cell is missing where it is empty; in columns of numbers,
// truth values and dates also where it says NA, NaN, null, None, ? or the like, which in a column
// of text are words. Whole numbers that a float64 can't hold, and those with leading zeros, are
// text: they are names of things.
type Reader struct {
	Separator rune            // between cells: ',', ';', '\t', '|', ' ' for any run of blanks, or another; 0 finds out
	Encoding  Encoding        // "" finds out
	Header    Header          // whether the first row names the columns; "" finds out
	Names     []string        // of the columns; with "" for Header the first row is data unless it holds these names
	Decimal   rune            // '.' or ','; 0 finds out
	Thousands rune            // between groups of three digits: '.', ',', '\'', ' ', or another; 0 finds out '.' and ',', -1 is none
	Comment   string          // how a line begins that is no row, such as "#"; "none" where every line is one; "" finds out
	Quotes    Quotes          // "" means double quotes
	Skip      int             // lines before the table
	Missing   []string        // cells that are missing in any column; nil means the words above in those columns
	Kinds     map[string]Kind // of columns by their name, where the one found out is not the one that is meant
	Dates     string          // the layout of dates in the notation of package time, such as "02/01/2006"; "" finds out
	Arrays    []string        // which arrays of an NPZ file; nil means all, which must then have one length
	MaxBytes  int64           // of a file, unpacked; 0 means 4 GiB
}

// Encoding names how a file's bytes stand for characters.
type Encoding string

// The encodings that are read.
const (
	UTF8        Encoding = "utf-8" // with or without a mark
	UTF16LE     Encoding = "utf-16le"
	UTF16BE     Encoding = "utf-16be"
	Latin1      Encoding = "latin-1"      // ISO 8859-1
	Windows1252 Encoding = "windows-1252" // Latin-1 with quotes, dashes and € in the place of controls
)

// Header says what the first row of a text is.
type Header string

// What the first row can be.
const (
	FirstRow Header = "first row" // it names the columns
	NoHeader Header = "none"      // it is data
)

// Quotes says what a quotation mark at the beginning of a cell means.
type Quotes string

// What quotation marks can mean.
const (
	DoubleQuotes Quotes = "double" // RFC 4180
	NoQuotes     Quotes = "none"   // a character like any other
)

// Dialect says how a file was read.
type Dialect struct {
	Format    string // "text", "npy" or "npz"
	Gzip      bool
	Encoding  Encoding // the rest is of text
	Separator rune     // 0 for a table of one column
	Header    Header
	Decimal   rune
	Thousands rune   // 0 where no cell has one
	Comment   string // "" where there is none
	Skipped   int    // lines of comment, empty lines and those that Skip names
}

func (d Dialect) String() string {
	var parts []string
	if d.Format == "text" {
		parts = append(parts, string(d.Encoding))
		switch d.Separator {
		case 0:
			parts = append(parts, "one column")
		default:
			parts = append(parts, "separated by "+nameOf(d.Separator))
		}
		if d.Header == FirstRow {
			parts = append(parts, "first row names the columns")
		} else {
			parts = append(parts, "no header")
		}
		if d.Decimal == ',' {
			parts = append(parts, "decimal comma")
		}
		if d.Thousands > 0 {
			parts = append(parts, fmt.Sprintf("%q between thousands", d.Thousands))
		}
		if d.Comment != "" {
			parts = append(parts, "comments after "+d.Comment)
		}
		if d.Skipped > 0 {
			parts = append(parts, fmt.Sprintf("%d lines that are no rows", d.Skipped))
		}
	} else {
		parts = append(parts, d.Format)
	}
	if d.Gzip {
		parts = append(parts, "gzipped")
	}
	return strings.Join(parts, ", ")
}

func nameOf(separator rune) string {
	switch separator {
	case ',':
		return "commas"
	case ';':
		return "semicolons"
	case '\t':
		return "tabs"
	case '|':
		return "bars"
	case ' ':
		return "blanks"
	}
	return fmt.Sprintf("%q", separator)
}

// ReadFile reads a file with every option found out: Reader{}.ReadFile.
func ReadFile(path string) (Table, error) { return Reader{}.ReadFile(path) }

// ReadFile reads a file; the table's name is the file's, without its endings. What a file holds is
// told by its first bytes, not by its name.
func (o Reader) ReadFile(path string) (Table, error) {
	f, err := os.Open(path)
	if err != nil {
		return Table{}, fmt.Errorf("datasets: %w", err)
	}
	defer f.Close()
	size := int64(0)
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		size = info.Size()
	}
	t, err := o.read(f, size)
	if err != nil {
		return Table{}, fmt.Errorf("%s: %w", filepath.Base(path), err)
	}
	t.Name, _, _ = strings.Cut(filepath.Base(path), ".")
	return t, nil
}

// Read reads a table to the end of r.
func (o Reader) Read(r io.Reader) (Table, error) { return o.read(r, 0) }

const defaultMaxBytes = 4 << 30

// read takes the whole of r; size, where it is known, spares the growth.
func (o Reader) read(r io.Reader, size int64) (Table, error) {
	if err := o.check(); err != nil {
		return Table{}, err
	}
	limit := o.MaxBytes
	if limit == 0 {
		limit = defaultMaxBytes
	}
	data, err := readAll(r, size, limit)
	if err != nil {
		return Table{}, err
	}
	zipped := false
	for bytes.HasPrefix(data, []byte{0x1f, 0x8b}) && !zipped {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return Table{}, malformed("not a gzip file: %v", err)
		}
		if data, err = readAll(z, 0, limit); err != nil {
			return Table{}, malformed("in the gzip file: %v", err)
		}
		zipped = true
	}
	var t Table
	switch {
	case len(data) == 0:
		return Table{}, malformed("the file is empty")
	case bytes.HasPrefix(data, []byte("\x93NUMPY")):
		t, err = o.readNPY(data)
	case bytes.HasPrefix(data, []byte("PK\x03\x04")):
		t, err = o.readNPZ(data)
	case bytes.HasPrefix(data, []byte("PAR1")):
		return Table{}, malformed("this is a Parquet file, which is not read yet: write it as CSV or NPZ")
	case bytes.HasPrefix(data, []byte("ARROW1\x00")), bytes.HasPrefix(data, []byte("\xff\xff\xff\xff")):
		return Table{}, malformed("this is an Arrow file, which is not read yet: write it as CSV or NPZ")
	default:
		if what := otherFormat(data); what != "" {
			return Table{}, malformed("this is %s, want text with separators, NPY or NPZ", what)
		}
		t, err = o.readText(data)
	}
	if err != nil {
		return Table{}, err
	}
	t.Found.Gzip = zipped
	return t, nil
}

// otherFormat names formats that are met in the place of a table.
func otherFormat(data []byte) string {
	for _, f := range []struct{ magic, name string }{
		{"\xd0\xcf\x11\xe0", "an old Excel workbook"}, {"SQLite format 3\x00", "an SQLite database"}, {"\x89HDF", "an HDF5 file"}, {"%PDF", "a PDF"},
		{"BZh", "a bzip2 file"}, {"\xfd7zXZ\x00", "an xz file"}, {"\x28\xb5\x2f\xfd", "a zstd file"}, {"\x89PNG", "a picture"}, {"\xff\xd8\xff", "a picture"},
		{"<!DOCTYPE", "a web page"}, {"<html", "a web page"}, {"<?xml", "XML"}, {"{\"", "JSON"}, {"[{", "JSON"},
	} {
		if bytes.HasPrefix(bytes.TrimLeft(data[:min(64, len(data))], " \r\n"), []byte(f.magic)) {
			return f.name
		}
	}
	return ""
}

// readAll reads to the end, and refuses more than limit bytes as soon as they have come.
func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	if size > limit {
		return nil, tooLarge(limit)
	}
	var b bytes.Buffer
	b.Grow(int(size) + bytes.MinRead)
	n, err := b.ReadFrom(io.LimitReader(r, limit+1))
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, malformed("the file is cut short: %v", err)
	case err != nil:
		return nil, fmt.Errorf("datasets: %w", err)
	case n > limit:
		return nil, tooLarge(limit)
	}
	return b.Bytes(), nil
}

func tooLarge(limit int64) error {
	return malformed("more than %d bytes; Reader.MaxBytes allows more", limit)
}

// check refuses options that no file could be read by.
func (o Reader) check() error {
	const method = "datasets.Reader"
	bad := func(name string, value any, want string) error { return ml.BadParameter(method, name, value, want) }
	switch {
	case o.Separator < 0 || o.Separator > 126 || strings.ContainsRune("\n\r\"", o.Separator) || o.Separator >= '0' && o.Separator <= '9' || o.Separator == '.' || o.Separator == '-' || o.Separator == '+':
		return bad("Separator", fmt.Sprintf("%q", o.Separator), "an ASCII character that is no digit, sign, quote or line's end, or 0 to find it out")
	case o.Encoding != "" && o.Encoding != UTF8 && o.Encoding != UTF16LE && o.Encoding != UTF16BE && o.Encoding != Latin1 && o.Encoding != Windows1252:
		return bad("Encoding", fmt.Sprintf("%q", o.Encoding), "UTF8, UTF16LE, UTF16BE, Latin1 or Windows1252")
	case o.Header != "" && o.Header != FirstRow && o.Header != NoHeader:
		return bad("Header", fmt.Sprintf("%q", o.Header), "FirstRow or NoHeader")
	case o.Decimal != 0 && o.Decimal != '.' && o.Decimal != ',':
		return bad("Decimal", fmt.Sprintf("%q", o.Decimal), "'.' or ','")
	case o.Decimal != 0 && o.Decimal == o.Thousands:
		return bad("Thousands", fmt.Sprintf("%q", o.Thousands), "another sign than Decimal")
	case o.Thousands < -1 || o.Thousands > 126 || o.Thousands > 0 && (o.Thousands >= '0' && o.Thousands <= '9' || strings.ContainsRune("+-eE\n\r\"", o.Thousands)):
		return bad("Thousands", fmt.Sprintf("%q", o.Thousands), "an ASCII character that has no other meaning in a number, or -1")
	case o.Quotes != "" && o.Quotes != DoubleQuotes && o.Quotes != NoQuotes:
		return bad("Quotes", fmt.Sprintf("%q", o.Quotes), "DoubleQuotes or NoQuotes")
	case strings.ContainsAny(o.Comment, "\n\r\""):
		return bad("Comment", fmt.Sprintf("%q", o.Comment), "what a line begins with, or \"none\"")
	case o.Skip < 0:
		return bad("Skip", o.Skip, "a number of lines")
	case o.MaxBytes < 0:
		return bad("MaxBytes", o.MaxBytes, "a number of bytes")
	}
	seen := map[string]bool{}
	for _, name := range o.Names {
		if seen[name] {
			return bad("Names", fmt.Sprintf("%q twice", name), "another name in each column")
		}
		seen[name] = true
	}
	for name, k := range o.Kinds {
		if k < Number || k > Text {
			return bad(fmt.Sprintf("Kinds[%q]", name), int(k), "Number, Boolean, Date or Text")
		}
	}
	return nil
}
