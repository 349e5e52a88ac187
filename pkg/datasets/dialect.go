package datasets

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// text is a file of text while it is found out how to read it. Offsets are into data, which is
// UTF-8 and whose lines end in \n or \r\n.
type text struct {
	Reader
	data  []byte
	begin int // behind the lines that Skip leaves out
	found Dialect
	notes []string

	columns int
	names   []string
	kinds   []guess
	sample  [][]string // the cells of the first records, the header's among them
	quoted  [][]bool
	at      []int // where each record of the sample begins
}

// The first bytes, from which the dialect is found out.
const (
	sampleBytes   = 1 << 18
	sampleRecords = 2000
)

// fail is an error about one place of the text.
func (t *text) fail(at int, format string, args ...any) error {
	return malformed("line %d: "+format, append([]any{lineOf(t.data, at)}, args...)...)
}

// guess is the kind of a column as the first records have it.
type guess struct {
	kind    Kind     // 0 where all of its cells are missing
	forced  bool     // by Reader.Kinds
	layouts []string // of dates
}

// findDialect fills t.found, t.names and t.kinds.
func (t *text) findDialect() error {
	t.found = Dialect{Format: "text", Encoding: t.found.Encoding}
	for range t.Skip {
		n := bytes.IndexByte(t.data[t.begin:], '\n')
		if n < 0 {
			return malformed("the file has %d lines, Reader.Skip leaves out %d", lineOf(t.data, len(t.data)), t.Skip)
		}
		t.begin += n + 1
	}
	if err := t.findComment(); err != nil {
		return err
	}
	if err := t.findSeparator(); err != nil {
		return err
	}
	if err := t.readSample(); err != nil {
		return err
	}
	if err := t.findMarks(); err != nil {
		return err
	}
	if err := t.findHeader(); err != nil {
		return err
	}
	return t.findKinds()
}

// scanner begins at the table's first line.
func (t *text) scanner(separator rune) scanner {
	return newScanner(t.data, t.begin, separator, t.Quotes, t.found.Comment)
}

// commentSigns are what a line of comment may begin with.
var commentSigns = []string{"#", "%", "//"}

// findComment takes lines that begin with a sign of comments for such, for now: those that have as
// many cells as a row are an error when the rows are known.
func (t *text) findComment() error {
	if t.Comment != "" {
		if t.Comment != "none" {
			t.found.Comment = t.Comment
		}
		return nil
	}
	var seen []string
	head := t.head()
	for line := range bytes.Lines(head) {
		for _, sign := range commentSigns {
			if bytes.HasPrefix(line, []byte(sign)) && !slices.Contains(seen, sign) {
				seen = append(seen, sign)
			}
		}
	}
	if len(seen) > 1 {
		return malformed("lines begin with %s: Reader.Comment says which are comments, \"none\" that none are", listed(seen, 3))
	}
	if len(seen) == 1 {
		t.found.Comment = seen[0]
	}
	return nil
}

// head is the text that the dialect is found out from.
func (t *text) head() []byte { return t.data[t.begin:min(len(t.data), t.begin+sampleBytes)] }

// records cuts the first records by a separator. The last one is left out where the sample ends
// inside it.
func (t *text) records(separator rune) (records [][]cell, at []int, s scanner, err error) {
	s = t.scanner(separator)
	end := t.begin + len(t.head())
	for len(records) < sampleRecords && s.pos < end {
		switch s.line() {
		case commentLine:
			continue
		case emptyLine:
			if t.columns == 1 && s.pos <= end { // a missing cell of a table of one column
				records, at = append(records, []cell{{from: s.pos - 1, to: s.pos - 1}}), append(at, s.pos-1)
			}
			continue
		case atEnd:
			return records, at, s, nil
		}
		from := s.pos
		cells, err := s.record(nil)
		if err != nil {
			return records, at, s, err
		}
		if s.pos > end && end < len(t.data) && len(records) > 0 {
			break
		}
		records, at = append(records, cells), append(at, from)
	}
	return records, at, s, nil
}

var separators = []rune{',', ';', '\t', '|', ' '}

// candidate is what a text looks like cut by one separator.
type candidate struct {
	separator rune
	width     int // cells of most records
	regular   bool
	share     float64 // of the records that have that width
	typed     float64 // share of the cells, behind the first record, that are numbers, dates, missing …
	clean     float64 // share of those that hold none of the other separators
	trouble   error
}

func (t *text) candidate(separator rune) candidate {
	c := candidate{separator: separator}
	records, _, s, err := t.records(separator)
	if c.trouble = err; err != nil || len(records) == 0 {
		return c
	}
	if t.Names != nil && t.Header == FirstRow && len(records) > 1 {
		records = records[1:] // left out: it may be a name short
	}
	widths := map[int]int{}
	for _, r := range records {
		if widths[len(r)]++; widths[len(r)] > widths[c.width] || widths[len(r)] == widths[c.width] && len(r) > c.width {
			c.width = len(r)
		}
	}
	c.share = float64(widths[c.width]) / float64(len(records))
	c.regular = widths[c.width] == len(records)
	cells := 0.0
	behind := records[min(1, len(records)-1):]
	for _, r := range behind {
		for _, x := range r {
			b := s.bytesOf(x)
			cells++
			if form := formOf(b); len(b) == 0 || form != noNumber || missingWords[string(b)] || mayBeDate(b) && layoutOf(b, slices.Concat(certainDates, dayFirst, monthFirst)) != "" {
				c.typed++
				c.clean++
			} else if x.quoted || !bytes.ContainsAny(b, strings.ReplaceAll(",;\t|", string(separator), "")) {
				c.clean++
			}
		}
	}
	c.typed, c.clean = c.typed/cells, c.clean/cells
	return c
}

func (t *text) findSeparator() error {
	if t.Separator != 0 {
		t.found.Separator = t.Separator
		return nil
	}
	var regular []candidate
	best := candidate{}
	for _, sep := range separators {
		c := t.candidate(sep)
		switch {
		case c.width >= 2 && c.regular && c.trouble == nil:
			regular = append(regular, c)
		case c.width >= 2 && c.share > best.share && c.separator != ' ':
			best = c
		case c.trouble != nil && best.separator == 0:
			best.trouble = c.trouble
		}
	}
	better := func(a, b candidate) bool { return a.typed+a.clean/2 > b.typed+b.clean/2+1e-9 }
	slices.SortStableFunc(regular, func(a, b candidate) int {
		switch {
		case better(a, b):
			return -1
		case better(b, a):
			return 1
		}
		return 0
	})
	if len(regular) > 0 && regular[0].separator == ' ' && best.share > 0.5 && best.typed >= regular[0].typed {
		regular = nil // blanks by chance, in a table that another sign separates but for a line
	}
	switch {
	case len(regular) > 1 && !better(regular[0], regular[1]):
		return malformed("the cells may be separated by %s or by %s; Reader.Separator says which", nameOf(regular[0].separator), nameOf(regular[1].separator))
	case len(regular) > 0 && regular[0].separator == ' ' && regular[0].typed < 0.3:
		return malformed("every line has %d words: Reader.Separator says whether blanks are between cells (' '), or another sign, which for a table of one column need not occur", regular[0].width)
	case len(regular) > 0:
		t.found.Separator = regular[0].separator
		return nil
	case best.separator != 0:
		return t.ragged(best)
	case best.trouble != nil:
		return t.quoteTrouble(best.trouble)
	}
	t.found.Separator = 0
	return nil
}

// quoteTrouble puts a place and an option to an error of the scanner.
func (t *text) quoteTrouble(err error) error {
	if q, ok := err.(*quoteError); ok {
		return t.fail(q.at, "%s; with Reader.Quotes: NoQuotes a quotation mark is a character like any other", q.what)
	}
	return err
}

// ragged says which record differs from the others.
func (t *text) ragged(c candidate) error {
	records, at, _, _ := t.records(c.separator)
	for i, r := range records {
		if len(r) == c.width {
			continue
		}
		if i == 0 && len(r) == c.width-1 && c.share > 0.5 {
			return t.unnamed(at[i], len(r), c.width, c.separator)
		}
		return t.raggedAt(at[i], len(r), c.width, c.separator)
	}
	return malformed("no separator gives every line as many cells; Reader.Separator names it")
}

// unnamed is about a first row that is one cell short, as R writes it.
func (t *text) unnamed(at, cells, want int, separator rune) error {
	return t.fail(at, "the first row has %s separated by %s and those below have %d: a header with a column without a name, which Reader.Names settles with Header: FirstRow, or a title, which Reader.Skip leaves out", count(cells), nameOf(separator), want)
}

func (t *text) raggedAt(at, cells, want int, separator rune) error {
	return t.fail(at, "%s, where the other rows have %s, separated by %s; of Reader's fields Skip leaves out lines before the table, Comment lines that begin with a sign, Quotes says what quotation marks are, Separator what is between cells",
		count(cells), count(want), nameOf(separator))
}

func count(cells int) string {
	if cells == 1 {
		return "1 cell"
	}
	return fmt.Sprintf("%d cells", cells)
}

// readSample cuts the first records by the separator that was found.
func (t *text) readSample() error {
	records, at, s, err := t.records(t.found.Separator)
	if err == nil && !slices.ContainsFunc(records, func(r []cell) bool { return len(r) != 1 }) {
		t.columns = 1 // so that an empty line is a missing cell
		records, at, s, err = t.records(t.found.Separator)
	}
	if err != nil {
		return t.quoteTrouble(err)
	}
	if len(records) == 0 {
		return malformed("the text has no rows")
	}
	t.at = at
	t.columns = len(records[len(records)-1])
	if len(records) > 1 {
		t.columns = len(records[1])
	}
	for i, r := range records {
		if len(r) != t.columns && !(i == 0 && t.Names != nil && t.Header == FirstRow) {
			if i == 0 && len(r) == t.columns-1 {
				return t.unnamed(at[i], len(r), t.columns, t.found.Separator)
			}
			return t.raggedAt(at[i], len(r), t.columns, t.found.Separator)
		}
		row, quoted := make([]string, len(r)), make([]bool, len(r))
		for j, c := range r {
			row[j], quoted[j] = string(s.bytesOf(c)), c.quoted
		}
		t.sample, t.quoted = append(t.sample, row), append(t.quoted, quoted)
	}
	return nil
}

// isMissing reports whether a cell of a column that is not text is missing.
func (t *text) isMissing(cell []byte) bool {
	if len(cell) == 0 {
		return true
	}
	if t.Missing != nil {
		return slices.Contains(t.Missing, string(cell))
	}
	return len(cell) <= 7 && missingWords[string(cell)]
}

// findMarks finds the decimal mark and the sign between thousands out.
func (t *text) findMarks() error {
	t.found.Decimal, t.found.Thousands = t.Decimal, max(t.Thousands, 0)
	if t.Decimal != 0 && t.Thousands != 0 {
		return nil
	}
	var example [commaEither + 1]string
	var place [commaEither + 1]int
	for i, row := range t.sample {
		for _, c := range row {
			if form := formOf([]byte(c)); example[form] == "" {
				example[form], place[form] = c, t.at[i]
			}
		}
	}
	has := func(f numberForm) bool { return example[f] != "" }
	comma := has(commaDecimal) || has(commaMixed) || has(dotGroups)
	dot := has(dotDecimal) || has(dotMixed) || has(commaGroups)
	settle := "Reader.Decimal says which sign is the decimal mark, Reader.Thousands which one stands between groups of three digits (-1: none)"
	if t.Decimal == 0 {
		switch {
		case comma && dot:
			first := func(forms ...numberForm) numberForm { return forms[slices.IndexFunc(forms, has)] }
			a, b := first(commaDecimal, commaMixed, dotGroups), first(dotDecimal, dotMixed, commaGroups)
			return t.fail(max(place[a], place[b]), "%q and %q can't be numbers by one rule; %s", example[a], example[b], settle)
		case comma:
			t.found.Decimal = ','
		case dot:
			t.found.Decimal = '.'
		case t.Thousands == '.' || t.Thousands == -1 && has(commaEither):
			t.found.Decimal = ','
		case t.Thousands == ',' || t.Thousands == -1:
			t.found.Decimal = '.'
		case has(commaEither):
			return t.fail(place[commaEither], "%q may be a fraction or a group of thousands; %s", example[commaEither], settle)
		case has(dotEither) && t.found.Separator == ';' && t.Thousands == 0:
			return t.fail(place[dotEither], "%q may be a fraction or a group of thousands, in a file separated by semicolons; %s", example[dotEither], settle)
		default:
			t.found.Decimal = '.'
		}
	}
	if t.Thousands == 0 {
		// Only a sign that stands between groups is one.
		switch {
		case t.found.Decimal == '.' && (has(commaEither) || has(commaGroups) || has(dotMixed)):
			t.found.Thousands = ','
		case t.found.Decimal == ',' && (has(dotEither) || has(dotGroups) || has(commaMixed)):
			t.found.Thousands = '.'
		}
	}
	return nil
}

func (t *text) marks() marks {
	return marks{byte(t.found.Decimal), byte(t.found.Thousands)}
}

// kindOf is the kind that a cell alone would have, 0 where it is missing.
func (t *text) kindOf(cell string) Kind {
	b := []byte(cell)
	if t.isMissing(b) {
		return 0
	}
	if _, trouble := parseNumber(b, t.marks(), true); trouble == fine {
		return Number
	}
	if _, ok := parseBool(b); ok {
		return Boolean
	}
	if mayBeDate(b) && layoutOf(b, t.layouts()) != "" {
		return Date
	}
	return Text
}

func (t *text) layouts() []string {
	if t.Dates != "" {
		return []string{t.Dates}
	}
	return slices.Concat(certainDates, dayFirst, monthFirst)
}

// kindBelow is the one kind of a column's cells from record first on: 0 where all are missing, Text
// where they differ.
func (t *text) kindBelow(j, first int) Kind {
	kind := Kind(0)
	for _, row := range t.sample[first:] {
		k := t.kindOf(row[j])
		if k == Text || kind != 0 && k != 0 && k != kind {
			return Text
		}
		kind = max(kind, k)
	}
	return kind
}

// findHeader decides whether the first record names the columns. A column whose cells below are all
// numbers (or dates, or truth values) tells: its first cell is such a one, or a name. What columns
// of text say is weaker: a first cell that comes again below is data.
func (t *text) findHeader() error {
	first := t.sample[0]
	if t.Header == "" && t.Names != nil && slices.Equal(first, t.Names) {
		t.found.Header = FirstRow
		return t.takeNames()
	}
	if t.Header != "" || t.Names != nil {
		if t.found.Header = t.Header; t.Header == "" {
			t.found.Header = NoHeader
		}
		return t.takeNames()
	}
	const settle = "Reader.Header says whether the first row names the columns (FirstRow) or is data (NoHeader)"
	unclear := func(why string, args ...any) error {
		return t.fail(t.at[0], why+"; %s", append(args, settle)...)
	}
	if len(t.sample) == 1 {
		for j := range first {
			if k := t.kindOf(first[j]); k == Text || k == 0 {
				return unclear("the only row may be names or data")
			}
		}
		t.found.Header = NoHeader
		return t.takeNames()
	}
	name, data, certain, textAgain, textOnce := -1, -1, false, false, -1
	for j, cell := range first {
		below, here := t.kindBelow(j, 1), t.kindOf(cell)
		switch {
		case here == 0 || below == 0:
		case below == Text:
			again := false
			for _, row := range t.sample[1:] {
				again = again || row[j] == cell
			}
			if textAgain = textAgain || again; !again && here == Text {
				textOnce = j
			}
		case here == below:
			data = j
			// A year or a count may name a column; a fraction, a date or a truth value hardly does.
			certain = certain || here != Number || strings.ContainsAny(cell, ".,-eE")
		default:
			name = j
		}
	}
	switch {
	case name >= 0 && (data >= 0 || textAgain):
		if data < 0 {
			return unclear("%q would name a column of %vs, and another cell of the row comes again below as data", first[name], t.kindBelow(name, 1))
		}
		return unclear("%q is no %v as the cells below it are, and %q is one", first[name], t.kindBelow(name, 1), first[data])
	case name >= 0:
		t.found.Header = FirstRow
	case data >= 0 && !certain && !textAgain && textOnce >= 0:
		return unclear("%q and %q may be names or data", first[textOnce], first[data])
	case data >= 0 && !certain && t.counts(first) && !t.counts(t.sample[1]):
		return unclear("the first row counts %s, …: these may be numbers that name the columns, or data", listed(first[:min(4, len(first))], 4))
	case data >= 0 || textAgain:
		t.found.Header = NoHeader
	default:
		return unclear("no column has numbers below, so nothing tells whether the first row is names or data")
	}
	return t.takeNames()
}

// counts reports whether the cells, a first empty one apart, are three or more whole numbers in a
// row that begin at 0 or at a year.
func (t *text) counts(row []string) bool {
	if row[0] == "" {
		row = row[1:]
	}
	if len(row) < 3 {
		return false
	}
	last := 0.0
	for j, cell := range row {
		v, trouble := parseNumber([]byte(cell), t.marks(), true)
		if trouble != fine || j > 0 && v != last+1 || j == 0 && v != 0 && (v < 1500 || v > 2500) {
			return false
		}
		last = v
	}
	return true
}

// takeNames names the columns.
func (t *text) takeNames() error {
	switch {
	case t.Names != nil:
		if len(t.Names) != t.columns {
			return malformed("Reader.Names has %d names, the rows have %d cells", len(t.Names), t.columns)
		}
		t.names = t.Names
		return nil
	case t.found.Header == NoHeader:
		for j := range t.columns {
			t.names = append(t.names, fmt.Sprintf("column %d", j+1))
		}
		return nil
	}
	for j, name := range t.sample[0] {
		if name == "" {
			name = fmt.Sprintf("column %d", j+1)
			t.notes = append(t.notes, fmt.Sprintf("column %q has no name in the header", name))
		}
		if k := slices.Index(t.names, name); k >= 0 {
			return t.fail(t.at[0], "columns %d and %d are both named %q; Reader.Names names all columns", k+1, j+1, name)
		}
		t.names = append(t.names, name)
	}
	return nil
}

// rows returns the records of the sample that are data.
func (t *text) rows() [][]string {
	if t.found.Header == FirstRow {
		return t.sample[1:]
	}
	return t.sample
}

// findKinds guesses the kind of each column.
func (t *text) findKinds() error {
	first := len(t.sample) - len(t.rows())
	t.kinds = make([]guess, t.columns)
	for name := range t.Kinds {
		if !slices.Contains(t.names, name) {
			return malformed("Reader.Kinds names the column %q, want one of %s", name, listed(t.names, 30))
		}
	}
	for j := range t.kinds {
		g := guess{kind: t.Kinds[t.names[j]]}
		if g.forced = g.kind != 0; !g.forced {
			g.kind = t.kindBelow(j, first)
		}
		if g.kind == Date {
			var err error
			if g.layouts, err = t.findLayouts(j, first); err != nil {
				return err
			}
		}
		t.kinds[j] = g
	}
	return nil
}

// findLayouts decides between day and month first, in a column of dates.
func (t *text) findLayouts(j, first int) ([]string, error) {
	if t.Dates != "" {
		return []string{t.Dates}, nil
	}
	open, day, month, at := "", true, true, 0
	for i, row := range t.sample[first:] {
		b := []byte(row[j])
		if t.isMissing(b) || layoutOf(b, certainDates) != "" {
			continue
		}
		d, m := layoutOf(b, dayFirst) != "", layoutOf(b, monthFirst) != ""
		if !d && !m {
			continue // forced, and an error later
		}
		if day, month = day && d, month && m; open == "" {
			open, at = row[j], t.at[first+i]
		}
	}
	switch {
	case open == "":
		return certainDates, nil
	case day && month:
		return nil, t.fail(at, "column %q: %q may have the day or the month first; Reader.Dates says so, \"2/1/2006\" or \"1/2/2006\" (or Kinds, that the column is Text)", t.names[j], open)
	case day:
		return slices.Concat(certainDates, dayFirst), nil
	case month:
		return slices.Concat(certainDates, monthFirst), nil
	}
	return nil, t.fail(at, "column %q has dates with the day first and dates with the month first; Reader.Kinds says that the column is Text", t.names[j])
}
