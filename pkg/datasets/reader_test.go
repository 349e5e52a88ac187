package datasets

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/golatent/latent/pkg/ml"
	"pgregory.net/rapid"
)

// outline writes a table in a line: for each column its name, kind and cells.
func outline(t Table) string {
	n, _ := t.Dims()
	var cols []string
	for _, c := range t.Columns {
		cells := make([]string, n)
		for i := range cells {
			if cells[i] = c.Cell(i); c.IsMissing(i) {
				cells[i] = "∅"
			}
		}
		cols = append(cols, fmt.Sprintf("%s %v %s", c.Name, c.Kind, strings.Join(cells, " ")))
	}
	return strings.Join(cols, " | ")
}

func TestDialectsAreFoundOut(t *testing.T) {
	latin := "name;größe\nJürgen;1,5\nAnna;2,25\n"
	l1 := func(s string) string {
		var b []byte
		for _, r := range s {
			b = append(b, byte(r))
		}
		return string(b)
	}
	u16 := func(s string, big, mark bool) string {
		var b []byte
		if mark {
			s = "\ufeff" + s
		}
		for _, r := range s {
			if big {
				b = append(b, byte(r>>8), byte(r))
			} else {
				b = append(b, byte(r), byte(r>>8))
			}
		}
		return string(b)
	}
	german := "name text Jürgen Anna | größe number 1.5 2.25"
	for _, c := range []struct{ name, file, want string }{
		{"commas", "a,b\n1,2\n3,4\n", "a number 1 3 | b number 2 4"},
		{"a mark", "\ufeff1.5,2\n3,4\n", "column 1 number 1.5 3 | column 2 number 2 4"},
		{"a mark and names", "\ufeffa,b\n1,2\n3,4\n", "a number 1 3 | b number 2 4"},
		{"the first row has an empty cell", "1.5,,3\n4,5,6\n", "column 1 number 1.5 4 | column 2 number ∅ 5 | column 3 number 3 6"},
		{"no names, NA above", "NA,2.5\n3,4\n", "column 1 number ∅ 3 | column 2 number 2.5 4"},
		{"tabs", "a\tb\n1\t\n3\t4\n", "a number 1 3 | b number ∅ 4"},
		{"bars", "a|b\n1|2\n", "a number 1 | b number 2"},
		{"blanks", "  a   b\n 1.5  2\n  3   4\n", "a number 1.5 3 | b number 2 4"},
		{"semicolons and a decimal comma", "a;b\n1,5;2\n3;4,25\n", "a number 1.5 3 | b number 2 4.25"},
		{"quoted decimal commas", "a,b\n\"1,5\",\"2,25\"\n3,4\n", "a number 1.5 3 | b number 2.25 4"},
		{"thousands", "a;b\n1.234,5;1.234.567\n3;4\n", "a number 1234.5 3 | b number 1234567 4"},
		{"thousands behind a plain fraction", "a;b\n117,9;2\n1.415,8;3\n", "a number 117.9 1415.8 | b number 2 3"},
		{"English thousands", "a,b\n\"1,234\",0.5\n3,4\n", "a number 1234 3 | b number 0.5 4"},
		{"no thousands", "a,b\n1.234,2\n3,4\n", "a number 1.234 3 | b number 2 4"},
		{"CR LF", "a,b\r\n1,2\r\n3,4\r\n", "a number 1 3 | b number 2 4"},
		{"CR", "a,b\r1,2\r3,4", "a number 1 3 | b number 2 4"},
		{"no last line end", "a,b\n1,2\n3,4", "a number 1 3 | b number 2 4"},
		{"Latin-1", l1(latin), german},
		{"UTF-16 with a mark", u16(latin, false, true), german},
		{"UTF-16, big end first, with a mark", u16(latin, true, true), german},
		{"UTF-16 without a mark", u16(latin, false, false), german},
		{"UTF-16, big end first, without a mark", u16(latin, true, false), german},
		{"Windows-1252", "price;what\n1,5;\x80 and \x96\n2;x\n", "price number 1.5 2 | what text € and – x"},
		{"comments", "# made by hand\n# in May\na,b\n1,2\n# no more\n3,4\n", "a number 1 3 | b number 2 4"},
		{"quotes", "a,b\n\"x, \"\"y\"\"\nz\",2\nw,4\n", "a text x, \"y\"\nz w | b number 2 4"},
		{"a quote inside", "a,b\n5\" pipe,2\nw,4\n", "a text 5\" pipe w | b number 2 4"},
		{"an empty text is not a missing one", "a,b\n\"\",2\n,4\nx,5\n", "a text  ∅ x | b number 2 4 5"},
		{"booleans", "a,b\nTrue,2\nfalse,4\n", "a boolean true false | b number 2 4"},
		{"dates", "a,b\n2021-03-04,2\n2021-03-05 06:07:08,4\n", "a date 2021-03-04 2021-03-05 06:07:08 | b number 2 4"},
		{"days first", "a,b\n3/4/2021,2\n13/4/2021,4\n", "a date 2021-04-03 2021-04-13 | b number 2 4"},
		{"months first", "a,b\n3/4/2021,2\n3/14/2021,4\n", "a date 2021-03-04 2021-03-14 | b number 2 4"},
		{"missing", "a,b,c\nNA,x,?\n2,NA,2021-01-01\n,y,\n", "a number ∅ 2 ∅ | b text x NA y | c date ∅ 2021-01-01 ∅"},
		{"zeros before", "zip,b\n01234,2\n99999,4\n", "zip text 01234 99999 | b number 2 4"},
		{"long whole numbers", "id,b\n9007199254740993,2\n1,4\n", "id text 9007199254740993 1 | b number 2 4"},
		{"exact whole numbers", "id,b\n9007199254740992,2\n1,4\n", "id number 9.007199254740992e+15 1 | b number 2 4"},
		{"infinities", "a,b\n-inf,2\nInfinity,4\n", "a number -Inf +Inf | b number 2 4"},
		{"one column", "a\n1\n\n3\n", "a number 1 ∅ 3"},
		{"no names: a class comes again", "5,3,setosa\n4,2,setosa\n6,1,virginica\n", "column 1 number 5 4 6 | column 2 number 3 2 1 | column 3 text setosa setosa virginica"},
		{"no names: a fraction", "1.75,Anna\n1.6,Bo\n", "column 1 number 1.75 1.6 | column 2 text Anna Bo"},
		{"all numbers", "1,2,3\n4,5,7\n", "column 1 number 1 4 | column 2 number 2 5 | column 3 number 3 7"},
		{"one row of numbers", "1,2,3\n", "column 1 number 1 | column 2 number 2 | column 3 number 3"},
		{"a column without a name", ",b\n1,2\n3,4\n", "column 1 number 1 3 | b number 2 4"},
		{"a separator at the end", "a,b,\n1,2,\n3,4,\n", "a number 1 3 | b number 2 4 | column 3 number ∅ ∅"},
		{"names with commas, separated by semicolons", "who;n\nDoe, Jane;1\nRoe, Jim;2\n", "who text Doe, Jane Roe, Jim | n number 1 2"},
		{"blanks round cells", "a , b\n x , 2\n y,  4 \n", "a text x y | b number 2 4"},
		{"empty lines", "\na,b\n\n1,2\n\n3,4\n\n", "a number 1 3 | b number 2 4"},
		{"exponents", "a;b\n1,5e3;2\n-3E-2;4\n", "a number 1500 -0.03 | b number 2 4"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, r := range []*bytes.Reader{bytes.NewReader([]byte(c.file)), bytes.NewReader(zipped([]byte(c.file)))} {
				got, err := Reader{}.Read(iotest.HalfReader(r))
				if err != nil {
					t.Fatal(err)
				}
				if outline(got) != c.want {
					t.Errorf("got  %s\nwant %s\n%v %q", outline(got), c.want, got.Found, got.Notes)
				}
			}
		})
	}
}

// What the bytes leave open is an error that names the option, and the option settles it.
func TestWhatIsLeftOpenIsSettled(t *testing.T) {
	for _, c := range []struct {
		name, file, says string
		settled          Reader
		want             string
	}{
		{"words alone", "a,b\nx,y\n", "Reader.Header", Reader{Header: NoHeader}, "column 1 text a x | column 2 text b y"},
		{"words alone, named", "a,b\nx,y\n", "Reader.Header", Reader{Header: FirstRow}, "a text x | b text y"},
		{"years as names", "name,2019,2020\nx,1,2\ny,3,4\n", "Reader.Header", Reader{Header: FirstRow}, "name text x y | 2019 number 1 3 | 2020 number 2 4"},
		{"counts as names", "0,1,2\n1.5,3,4\n2,2,2\n", "counts", Reader{Header: FirstRow}, "0 number 1.5 2 | 1 number 3 2 | 2 number 4 2"},
		{"a word and a number above numbers", "x,2.5\n3,4\n5,6\n", "Reader.Header", Reader{Header: NoHeader}, "column 1 text x 3 5 | column 2 number 2.5 4 6"},
		{"one row", "a,b\n", "only row", Reader{Header: NoHeader}, "column 1 text a | column 2 text b"},
		{"a fraction or a group", "a;b\n1,234;x\n2,345;y\n", "Reader.Decimal", Reader{Decimal: ','}, "a number 1.234 2.345 | b text x y"},
		{"a group or a fraction", "a;b\n1.234;x\n2.345;y\n", "Reader.Decimal", Reader{Decimal: ','}, "a number 1234 2345 | b text x y"},
		{"both marks", "a;b\n1,5;x\n2.5;y\n", "can't be numbers by one rule", Reader{Decimal: '.', Header: FirstRow}, "a text 1,5 2.5 | b text x y"},
		{"days or months", "a,b\n3/4/2021,2\n5/6/2021,4\n", "Reader.Dates", Reader{Dates: "1/2/2006"}, "a date 2021-03-04 2021-05-06 | b number 2 4"},
		{"days and months", "a,b\n3/14/2021,2\n15/6/2021,4\n", "Reader.Kinds", Reader{Kinds: map[string]Kind{"a": Text}}, "a text 3/14/2021 15/6/2021 | b number 2 4"},
		{"a comment or a row", "# a,b\n1,2\n3,4\n", "Reader.Comment", Reader{Comment: "#"}, "column 1 number 1 3 | column 2 number 2 4"},
		{"a row or a comment", "#a,b\n1,2\n3,4\n", "Reader.Comment", Reader{Comment: "none"}, "#a number 1 3 | b number 2 4"},
		{"two signs of comments", "#x\n%y\na,b\n1,2\n", "Reader.Comment", Reader{Comment: "#", Skip: 2}, "a number 1 | b number 2"},
		{"a title above", "Report 2021\na,b\n1,2\n3,4\n5,6\n", "Skip", Reader{Skip: 1}, "a number 1 3 5 | b number 2 4 6"},
		{"R's names of rows", "a,b\nx,1,2\ny,3,4\n", "Reader.Names", Reader{Names: []string{"row", "a", "b"}, Header: FirstRow}, "row text x y | a number 1 3 | b number 2 4"},
		{"two names alike", "a,a\n1,2\n", "Reader.Names", Reader{Names: []string{"a", "b"}, Header: FirstRow}, "a number 1 | b number 2"},
		{"two separators", "a b;c d\ne f;g h\nx, y;z\n", "", Reader{Separator: ';', Header: NoHeader}, "column 1 text a b e f x, y | column 2 text c d g h z"},
		{"semicolons or commas", "a,b;c\nd,e;f\n", "Reader.Separator", Reader{Separator: ',', Header: NoHeader}, "column 1 text a d | column 2 text b;c e;f"},
		{"one column with a word", "1.5\n2\nx y\n", "Reader.Header", Reader{Header: NoHeader}, "column 1 text 1.5 2 x y"},
		{"blanks or words", "Anna Lee\nJim Roe\n", "Reader.Separator", Reader{Separator: '|', Header: NoHeader}, "column 1 text Anna Lee Jim Roe"},
		{"a quote opened", "a,b\n\"x,2\ny,3\n", "Reader.Quotes", Reader{Quotes: NoQuotes}, "a text \"x y | b number 2 3"},
		{"a quote too early", "a,b\n\"x\"y,2\ny,3\n", "Reader.Quotes", Reader{Quotes: NoQuotes}, "a text \"x\"y y | b number 2 3"},
		{"Cyrillic bytes", "\xcf\xf0\xe8\xe2\xe5\xf2,x\n1,2\n", "Reader.Encoding", Reader{Encoding: Latin1}, "Ïðèâåò number 1 | x number 2"},
		{"two encodings", "é,\xe9\n1,2\n", "Reader.Encoding", Reader{Encoding: Latin1}, "Ã© number 1 | é number 2"},
		{"a longer row", "a,b\n1,2\n3,4,5\n6,7\n", "line 3", Reader{}, ""},
		{"a shorter row", "a,b\n1,2\n3\n6,7\n", "line 3", Reader{}, ""},
		{"half a character", "\xff\xfea\x00,\x00\x00\xd8\n\x00", "half a character", Reader{}, ""},
		{"an odd number of bytes", "\xff\xfea\x00,", "even number", Reader{}, ""},
		{"bytes that are no text", "a,b\n1,\x00\n", "byte 00", Reader{}, ""},
		{"nothing", "", "empty", Reader{}, ""},
		{"names alone", "a,b\n", "only row", Reader{Header: FirstRow}, "!no rows"},
		{"blank lines", "\n\n", "", Reader{Comment: "none"}, "!Reader.Header"},
		{"an Excel workbook", "\xd0\xcf\x11\xe0\xa1\xb1", "Excel", Reader{}, ""},
		{"a Parquet file", "PAR1....", "Parquet", Reader{}, ""},
		{"a web page", "<!DOCTYPE html>\n", "web page", Reader{}, ""},
		{"a number that is none", "a,b\n1,2\nx7,4\n", "", Reader{Kinds: map[string]Kind{"a": Number}}, "!line 3: column \"a\" is to be number, and this cell is \"x7\""},
		{"a kind of no column", "a,b\n1,2\n", "", Reader{Kinds: map[string]Kind{"c": Number}}, "!names the column \"c\""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.says != "" {
				_, err := Reader{}.Read(strings.NewReader(c.file))
				if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), c.says) {
					t.Fatalf("got %v, want an error that says %q", err, c.says)
				}
			}
			if c.want == "" {
				return
			}
			got, err := c.settled.Read(strings.NewReader(c.file))
			if says, wrong := strings.CutPrefix(c.want, "!"); wrong {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("got %v, want an error that says %q", err, says)
				}
				return
			}
			if err != nil || outline(got) != c.want {
				t.Errorf("settled: %v\ngot  %s\nwant %s", err, outline(got), c.want)
			}
		})
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for name, o := range map[string]Reader{
		"Separator": {Separator: '5'}, "Encoding": {Encoding: "ebcdic"}, "Header": {Header: "yes"}, "Decimal": {Decimal: ';'}, "Thousands": {Decimal: ',', Thousands: ','},
		"Quotes": {Quotes: "single"}, "Comment": {Comment: "a\nb"}, "Skip": {Skip: -1}, "MaxBytes": {MaxBytes: -1}, "Names": {Names: []string{"a", "a"}}, "Kinds": {Kinds: map[string]Kind{"a": 9}},
	} {
		if _, err := o.Read(strings.NewReader("a,b\n1,2\n")); !errors.Is(err, ml.ErrParameter) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := (Reader{MaxBytes: 7}).Read(strings.NewReader("a,b\n1,2\n")); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "MaxBytes") {
		t.Error(err)
	}
	if _, err := (Reader{MaxBytes: 1 << 20}).Read(bytes.NewReader(zipped(make([]byte, 2<<20)))); err == nil || !strings.Contains(err.Error(), "MaxBytes") {
		t.Errorf("a bomb: %v", err)
	}
	if got, err := (Reader{MaxBytes: 8}).Read(strings.NewReader("a,b\n1,2\n")); err != nil || outline(got) != "a number 1 | b number 2" {
		t.Error(outline(got), err)
	}
}

// A file says what it is: nothing that stands in it is taken or left without a note.
func TestNotes(t *testing.T) {
	for _, c := range []struct{ file, says string }{
		{"a,b\n1,2\nNA,4\n,5\n", `column "a" has missing cells: 1 "NA", 1 empty`},
		{"a,b\nx,2\nNA,4\n", `column "a" of text has cells that say 1 "NA", which are kept as words`},
		{"a,b\n1,2\n3,4\n12O,5\n", `column "a" is kept as text: line 4 has "12O"`},
		{"a,b\n007,2\n008,4\n", `line 2 has "007", whose leading zeros a number would lose`},
		{"a,b\n1e999,2\n8,4\n", `line 2 has "1e999", which is beyond the largest number`},
		{",b\n1,2\n", `column "column 1" has no name in the header`},
	} {
		got, err := Reader{}.Read(strings.NewReader(c.file))
		if err != nil || !strings.Contains(strings.Join(got.Notes, "\n"), c.says) {
			t.Errorf("%q: %v, %q, want a note that says %q", c.file, err, got.Notes, c.says)
		}
	}
	got, err := Reader{}.Read(strings.NewReader("# one\n\na,b\n1,2\n# two\n\n3,4\n"))
	if err != nil || got.Found.Skipped != 4 {
		t.Errorf("%v: %d lines that are no rows, want 4", err, got.Found.Skipped)
	}
}

// A number is the one that strconv reads, whatever the marks.
func TestNumbersAreExact(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		text := rapid.StringMatching(`[+-]?([0-9]{1,22}(\.[0-9]{0,22})?|\.[0-9]{1,22})([eE][+-]?[0-9]{1,3})?`).Draw(r, "number")
		want, err := strconv.ParseFloat(text, 64)
		m := marks{decimal: '.'}
		if rapid.Bool().Draw(r, "comma") {
			text, m = strings.Replace(text, ".", ",", 1), marks{decimal: ','}
		}
		got, trouble := parseNumber([]byte(text), m, false)
		if (err != nil) != (trouble == outOfRange) || err == nil && (trouble != fine || math.Float64bits(got) != math.Float64bits(want)) {
			r.Fatalf("%q is %v (%v), want %v (%v)", text, got, trouble, want, err)
		}
	})
	for _, text := range []string{"", ".", "-", "e5", "1e", "1e+", "0x10", "1_000", "1.2.3", "--1", "1 2", "1,2", "12a", "nanx", "infx"} {
		if v, trouble := parseNumber([]byte(text), marks{decimal: '.'}, false); trouble == fine {
			t.Errorf("%q is %v", text, v)
		}
	}
	for text, want := range map[string]float64{"1,234": 1234, "12,345,678.5": 12345678.5, "-1,000": -1000} {
		if v, trouble := parseNumber([]byte(text), marks{'.', ','}, true); trouble != fine || v != want {
			t.Errorf("%q is %v (%v)", text, v, trouble)
		}
	}
	for _, text := range []string{"1,23", "1234,567", ",123", "1,234,", "0,123", "1,,234", "1.234,5"} {
		if v, trouble := parseNumber([]byte(text), marks{'.', ','}, true); trouble == fine {
			t.Errorf("%q is %v", text, v)
		}
	}
}

// dialectCase is a random table, written in a random dialect.
type dialectCase struct {
	want    Table
	file    []byte
	options Reader // what a reader who knows everything would say
}

func drawDialect(r *rapid.T) dialectCase {
	rows := rapid.IntRange(1, 30).Draw(r, "rows")
	separator := rapid.SampledFrom([]rune{',', ';', '\t', '|'}).Draw(r, "separator")
	decimal := '.'
	if separator != ',' && rapid.Bool().Draw(r, "decimal comma") {
		decimal = ','
	}
	encoding := rapid.SampledFrom([]Encoding{UTF8, UTF8, Latin1, UTF16LE, UTF16BE, Windows1252}).Draw(r, "encoding")
	letters := []rune("abcxyzAZ äöüßé°-_()!&;,|'\t\"")
	if encoding == UTF8 || encoding == UTF16LE || encoding == UTF16BE {
		letters = append(letters, '日', 'Ж', '𝕏', '\n')
	}
	columns := rapid.IntRange(1, 6).Draw(r, "columns")
	var want Table
	for j := range columns {
		c := Column{Name: fmt.Sprintf("v%s%d", rapid.StringOfN(rapid.SampledFrom([]rune("abc xyzü")), 1, 6, -1).Draw(r, "name"), j), Kind: rapid.SampledFrom([]Kind{Number, Number, Boolean, Date, Text}).Draw(r, "kind")}
		c.Name = strings.TrimSpace(c.Name)
		for range rows {
			switch c.Kind {
			case Number:
				c.Numbers = append(c.Numbers, rapid.OneOf(rapid.Float64Range(-1e6, 1e6), rapid.Float64(), rapid.Map(rapid.IntRange(-50, 50), func(v int) float64 { return float64(v) })).Draw(r, "number"))
			case Boolean:
				c.Numbers = append(c.Numbers, float64(rapid.IntRange(0, 1).Draw(r, "boolean")))
			case Date:
				c.Dates = append(c.Dates, time.Unix(rapid.Int64Range(-6e9, 6e9).Draw(r, "date"), 0).UTC())
			case Text:
				c.Texts = append(c.Texts, "w"+rapid.StringOfN(rapid.SampledFrom(letters), 0, 8, -1).Draw(r, "text"))
			}
		}
		for i := range rows {
			if rapid.IntRange(0, 5).Draw(r, "missing") == 0 {
				c.setMissing(i)
				switch c.Kind {
				case Number, Boolean:
					c.Numbers[i] = math.NaN()
				case Date:
					c.Dates[i] = time.Time{}
				case Text:
					c.Texts[i] = ""
				}
			}
		}
		want.Columns = append(want.Columns, c)
	}
	o := Reader{Separator: separator, Encoding: encoding, Header: FirstRow, Decimal: decimal, Thousands: -1, Comment: "none", Kinds: map[string]Kind{}}
	for _, c := range want.Columns {
		o.Kinds[c.Name] = c.Kind
	}
	var text strings.Builder
	end := rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(r, "line end")
	always := rapid.Bool().Draw(r, "quotes throughout")
	if comments := rapid.IntRange(0, 3).Draw(r, "comments"); comments > 0 {
		o.Comment = "#"
		for range comments {
			text.WriteString("# a remark without the sign that separates" + end)
		}
	}
	word := rapid.SampledFrom([]string{"", "NA", "NaN", "?"}).Draw(r, "missing is")
	write := func(j int, cell string, quote bool) {
		if j > 0 {
			text.WriteRune(separator)
		}
		if quote || strings.ContainsAny(cell, string(separator)+"\"\n") || strings.TrimSpace(cell) != cell || always && cell != "" && cell != word {
			cell = `"` + strings.ReplaceAll(cell, `"`, `""`) + `"`
		}
		text.WriteString(cell)
	}
	for j, c := range want.Columns {
		write(j, c.Name, false)
	}
	text.WriteString(end)
	for i := range rows {
		for j, c := range want.Columns {
			cell := c.Cell(i)
			switch {
			case c.IsMissing(i) && c.Kind != Text:
				cell = word
			case c.Kind == Number:
				cell = strings.Replace(strconv.FormatFloat(c.Numbers[i], 'g', -1, 64), ".", string(decimal), 1)
			}
			write(j, cell, false)
		}
		if i < rows-1 || rapid.Bool().Draw(r, "last line end") || columns == 1 {
			text.WriteString(end)
		}
	}
	mark := rapid.Bool().Draw(r, "mark")
	file := encode(text.String(), encoding, mark)
	if rapid.Bool().Draw(r, "gzip") {
		file = zipped(file)
	}
	return dialectCase{want, file, o}
}

func encode(s string, e Encoding, mark bool) []byte {
	var b []byte
	switch e {
	case UTF8:
		if mark {
			s = "\ufeff" + s
		}
		return []byte(s)
	case Latin1, Windows1252:
		for _, r := range s {
			b = append(b, byte(r))
		}
		return b
	}
	if mark {
		s = "\ufeff" + s
	}
	for _, r := range s {
		units := []uint16{uint16(r)}
		if r > 0xffff {
			r -= 0x10000
			units = []uint16{0xd800 + uint16(r>>10), 0xdc00 + uint16(r&0x3ff)}
		}
		for _, u := range units {
			if e == UTF16BE {
				b = append(b, byte(u>>8), byte(u))
			} else {
				b = append(b, byte(u), byte(u>>8))
			}
		}
	}
	return b
}

// same compares cells by their bits.
func same(a, b Table) string {
	if !slices.Equal(a.Names(), b.Names()) {
		return fmt.Sprintf("names %q and %q", a.Names(), b.Names())
	}
	for j := range a.Columns {
		p, q := a.Columns[j], b.Columns[j]
		if p.Kind != q.Kind || p.Len() != q.Len() {
			return fmt.Sprintf("column %q: %v of %d and %v of %d", p.Name, p.Kind, p.Len(), q.Kind, q.Len())
		}
		for i := range p.Len() {
			if p.IsMissing(i) != q.IsMissing(i) || !p.IsMissing(i) && p.Cell(i) != q.Cell(i) {
				return fmt.Sprintf("column %q, row %d: %q and %q", p.Name, i, p.Cell(i), q.Cell(i))
			}
		}
	}
	return ""
}

// Told the dialect, the reader gives the table back. Told nothing, it gives the same table or says
// what it can't find out; no table is another one.
func TestEveryDialectIsReadBack(t *testing.T) {
	found, asked := 0, 0
	rapid.Check(t, func(r *rapid.T) {
		c := drawDialect(r)
		got, err := c.options.Read(bytes.NewReader(c.file))
		if err != nil {
			r.Fatalf("told everything: %v\n%q", err, c.file)
		}
		if diff := same(c.want, got); diff != "" {
			r.Fatalf("told everything: %s\n%q", diff, c.file)
		}
		got, err = Reader{}.Read(bytes.NewReader(c.file))
		if err != nil {
			if !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "Reader") {
				r.Fatalf("told nothing: %v names no option\n%q", err, c.file)
			}
			asked++
			return
		}
		found++
		n, _ := c.want.Dims()
		if !slices.Equal(got.Names(), c.want.Names()) {
			r.Fatalf("told nothing: the columns are %q, want %q\n%q", got.Names(), c.want.Names(), c.file)
		}
		for j, w := range c.want.Columns {
			g := got.Columns[j]
			if g.Len() != n {
				r.Fatalf("told nothing: %d rows, want %d", g.Len(), n)
			}
			for i := range n {
				// A column all missing, or with words for missing cells among text, has another
				// kind, and says so.
				if !w.IsMissing(i) && (g.IsMissing(i) || g.Kind == w.Kind && g.Cell(i) != w.Cell(i) || g.Kind != w.Kind && g.Kind != Text) {
					r.Fatalf("told nothing: column %q, row %d is %q (%v), want %q (%v)\n%q", w.Name, i, g.Cell(i), g.Kind, w.Cell(i), w.Kind, c.file)
				}
			}
		}
	})
	if found < 5*asked/4 { // the generator's tables are mostly such that can be told
		t.Errorf("%d dialects were found out, and %d not", found, asked)
	}
}

// What is written is read back, to the bit.
func TestWrittenTablesAreReadBack(t *testing.T) {
	dir := t.TempDir()
	rapid.Check(t, func(r *rapid.T) {
		c := drawDialect(r)
		for _, ending := range []string{".csv", ".tsv", ".csv.gz", ".npz"} {
			want := c.want
			if ending == ".npz" {
				var names []string
				for _, col := range want.Columns {
					if (col.Kind == Number || col.Kind == Text && col.CountMissing() == 0) && !strings.Contains(col.Name, "/") {
						names = append(names, col.Name)
					}
				}
				if len(names) == 0 {
					continue
				}
				want, _ = want.Select(names...)
			}
			path := filepath.Join(dir, "table"+ending)
			if err := want.WriteFile(path); err != nil {
				r.Fatal(err)
			}
			o := Reader{}
			if ending != ".npz" {
				o = Reader{Header: FirstRow, Separator: ',', Decimal: '.', Thousands: -1, Comment: "none", Kinds: c.options.Kinds}
				if ending == ".tsv" {
					o.Separator = '\t'
				}
			}
			got, err := o.ReadFile(path)
			if err != nil {
				r.Fatalf("%s: %v", ending, err)
			}
			if diff := same(want, got); diff != "" {
				r.Fatalf("%s: %s", ending, diff)
			}
		}
	})
	if left, _ := filepath.Glob(filepath.Join(dir, ".part*")); len(left) > 0 {
		t.Errorf("files are left: %v", left)
	}
	if err := (Table{Columns: []Column{{Name: "a", Kind: Text, Texts: []string{"x"}}}}).WriteFile(filepath.Join(dir, "x.npy")); !errors.Is(err, ml.ErrParameter) {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "x.npy")); err == nil {
		t.Error("a file that failed is there")
	}
}

// A text cut into parts reads as one that is not.
func TestPartsMakeOneTable(t *testing.T) {
	var text strings.Builder
	text.WriteString("id,x,word,when\n")
	n := 120_000 // 4 MB: several parts
	for i := range n {
		x := strconv.FormatFloat(math.Sqrt(float64(i)), 'g', -1, 64)
		if i%1000 == 7 {
			x = "NA"
		}
		fmt.Fprintf(&text, "%d,%s,w%d,2021-01-%02d\n", i, x, i%77, 1+i%28)
	}
	whole := text.String()
	got, err := Reader{}.Read(strings.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		wantMissing := i%1000 == 7
		if got.Columns[0].Numbers[i] != float64(i) || got.Columns[1].IsMissing(i) != wantMissing || !wantMissing && got.Columns[1].Numbers[i] != math.Sqrt(float64(i)) ||
			got.Columns[2].Texts[i] != fmt.Sprintf("w%d", i%77) || got.Columns[3].Dates[i].Day() != 1+i%28 {
			t.Fatalf("row %d: %v %v %q %v", i, got.Columns[0].Numbers[i], got.Columns[1].Numbers[i], got.Columns[2].Texts[i], got.Columns[3].Dates[i])
		}
	}
	// What the first rows do not show: a word far down makes the column text, with a note.
	late, err := Reader{}.Read(strings.NewReader(whole + "x9,1,w,2021-02-01\n"))
	if err != nil || late.Columns[0].Kind != Text || late.Columns[0].Texts[5] != "5" || !strings.Contains(strings.Join(late.Notes, " "), "line 120002") {
		t.Errorf("%v %v %q", err, late.Columns[0].Kind, late.Notes)
	}
	for row, says := range map[string]string{"1,2,3\n": "line 120002", "\"1,2,w,2021-01-01\n": "Quotes", "\xff,1,w,2021-01-01\n": "byte ff"} {
		if _, err := (Reader{Encoding: UTF8}).Read(strings.NewReader(whole + row)); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v, want %q", row, err, says)
		}
	}
	broken := errors.New("broken disk")
	if _, err := (Reader{}).Read(iotest.ErrReader(broken)); !errors.Is(err, broken) || errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	cut := zipped([]byte(whole))
	if _, err := (Reader{}).Read(bytes.NewReader(cut[:len(cut)/2])); !errors.Is(err, ErrFormat) || !strings.Contains(err.Error(), "cut short") {
		t.Error(err)
	}
}

// Whatever is read holds what the verbs rely on, can be written, and reads again as it was.
func FuzzReader(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\"1\";2,5\n3;\"4\n\"\n", "\ufeffx\t2021-01-02\n", "# c\n1 2\n3 4\n", "a\r\nNA\r\n", "\xff\xfe1\x00\n\x00", "\x93NUMPY\x01\x00", "PK\x03\x04"} {
		f.Add([]byte(s))
	}
	npz, err := os.ReadFile("testdata/numpy/mixed.npz")
	if err == nil {
		f.Add(npz)
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		got, err := Reader{MaxBytes: 1 << 20}.Read(bytes.NewReader(file))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatalf("%v is no ErrFormat", err)
			}
			return
		}
		if err := got.check(); err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := got.WriteCSV(&out); err != nil {
			t.Fatal(err)
		}
		o := Reader{Header: FirstRow, Separator: ',', Encoding: UTF8, Decimal: '.', Thousands: -1, Comment: "none", Kinds: map[string]Kind{}}
		for _, c := range got.Columns {
			if o.Kinds[c.Name] = c.Kind; c.Name == "" || c.Name != strings.Trim(c.Name, " \t\r") {
				return
			}
		}
		again, err := o.Read(&out)
		if err != nil {
			t.Fatal(err)
		}
		if diff := same(got, again); diff != "" {
			t.Fatal(diff)
		}
	})
}
