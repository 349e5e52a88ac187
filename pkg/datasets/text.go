package datasets

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/golatent/latent/internal/parallel"
)

// readText reads a table of text.
func (o Reader) readText(data []byte) (Table, error) {
	data, encoding, err := toUTF8(data, o.Encoding)
	if err != nil {
		return Table{}, err
	}
	if bytes.IndexByte(data, '\n') < 0 && bytes.IndexByte(data, '\r') >= 0 { // lines end as on old Macs
		data = bytes.ReplaceAll(data, []byte("\r"), []byte("\n"))
	}
	t := &text{Reader: o, data: data, found: Dialect{Encoding: encoding}}
	if err := t.findDialect(); err != nil {
		return Table{}, err
	}
	return t.parse()
}

// parse reads all rows under the kinds that the first ones have. A column that turns out to be of
// another kind is read again, alone.
func (t *text) parse() (Table, error) {
	out := Table{Columns: make([]Column, t.columns)}
	todo := make([]bool, t.columns)
	for j := range todo {
		todo[j] = true
	}
	begin := t.begin
	if t.found.Header == FirstRow {
		s := t.scanner(t.found.Separator)
		s.pos = t.at[0]
		if _, err := s.record(nil); err != nil {
			return Table{}, t.quoteTrouble(err)
		}
		begin = min(s.pos, len(t.data))
	}
	noted := make([]string, t.columns)
	for pass := 0; slices.Contains(todo, true); pass++ {
		parts, err := t.parseAll(begin, todo)
		if err != nil {
			return Table{}, err
		}
		if pass == 0 {
			for _, p := range parts {
				t.found.Skipped += p.skipped
			}
		}
		for j := range todo {
			if !todo[j] {
				continue
			}
			k := slices.IndexFunc(parts, func(p *part) bool { return p.builders[j].failed })
			if k < 0 {
				out.Columns[j] = t.join(parts, j)
				if n := t.noteMissing(parts, j); n != "" {
					t.notes = append(t.notes, n)
				}
				todo[j] = false
				continue
			}
			b := parts[k].builders[j]
			g := &t.kinds[j]
			if g.forced {
				return Table{}, t.fail(b.failedAt, "column %q is to be %v, and this cell is %.60q, %s", t.names[j], g.kind, b.failedCell, b.trouble)
			}
			if g.kind == 0 {
				g.kind = t.kindOf(b.failedCell)
				if g.kind == Date {
					if g.layouts = certainDates; layoutOf([]byte(b.failedCell), certainDates) == "" {
						g.kind = Text
					}
				}
				continue
			}
			noted[j] = t.noteText(j, g.kind, b)
			g.kind = Text
		}
	}
	for j := range noted {
		if noted[j] == "" && t.kinds[j].kind == Text && !t.kinds[j].forced {
			noted[j] = t.noteMixed(j)
		}
		if noted[j] != "" {
			t.notes = append(t.notes, noted[j])
		}
		out.Columns[j].Name = t.names[j]
	}
	above := t.begin
	if t.found.Header == FirstRow {
		above = t.at[0]
	}
	t.found.Skipped += bytes.Count(t.data[:above], []byte("\n"))
	out.Found, out.Notes = t.found, t.notes
	if rows, _ := out.Dims(); rows == 0 {
		return Table{}, malformed("the text has names of columns and no rows")
	}
	return out, nil
}

// noteText says why a column of numbers, dates or truth values became text.
func (t *text) noteText(j int, was Kind, b *builder) string {
	why := b.trouble.String()
	if was != Number {
		why = fmt.Sprintf("which is no %v as the cells before it are", was)
	}
	return fmt.Sprintf("column %q is kept as text: line %d has %.40q, %s (Reader.Missing or Kinds may say what it is)", t.names[j], lineOf(t.data, b.failedAt), b.failedCell, why)
}

// noteMixed is about a column of text of whose first cells one in two or more are numbers.
func (t *text) noteMixed(j int) string {
	first := len(t.sample) - len(t.rows())
	numbers, cells, odd := 0, 0, -1
	for i, row := range t.rows() {
		b := []byte(row[j])
		if t.isMissing(b) {
			continue
		}
		cells++
		if _, trouble := parseNumber(b, t.marks(), false); trouble == fine || trouble == losesZeros {
			numbers++
		}
		if _, trouble := parseNumber(b, t.marks(), true); odd < 0 && trouble != fine {
			odd = i
		}
	}
	if odd < 0 || 2*numbers < cells {
		return ""
	}
	cell := t.rows()[odd][j]
	_, trouble := parseNumber([]byte(cell), t.marks(), true)
	return fmt.Sprintf("column %q is kept as text: line %d has %.40q, %s (Reader.Missing or Kinds may say what it is)", t.names[j], lineOf(t.data, t.at[first+odd]), cell, trouble)
}

// noteMissing says which cells were taken as missing, and which words of text were not.
func (t *text) noteMissing(parts []*part, j int) string {
	words := map[string]int{}
	missing := 0
	for _, p := range parts {
		for w, n := range p.builders[j].words {
			words[w] += n
		}
		missing += p.builders[j].missingCount
	}
	var list []string
	for _, w := range slices.Sorted(maps.Keys(words)) {
		list = append(list, fmt.Sprintf("%d %q", words[w], w))
		missing -= words[w]
	}
	kind := t.kinds[j].kind
	switch {
	case len(list) == 0:
		return "" // empty cells are no news
	case kind == Text && t.Missing == nil:
		return fmt.Sprintf("column %q of text has cells that say %s, which are kept as words; Reader.Missing says what is missing in any column", t.names[j], strings.Join(list, ", "))
	case missing > 0:
		list = append(list, fmt.Sprintf("%d empty", missing))
	}
	return fmt.Sprintf("column %q has missing cells: %s", t.names[j], strings.Join(list, ", "))
}

// part is a stretch of whole records, read.
type part struct {
	rows     int
	skipped  int
	builders []*builder
	err      error
}

// partBytes is how much text one goroutine reads at a time.
const partBytes = 1 << 20

// parseAll reads the columns that are to be read. Where no cell can be quoted a line's end is a
// record's, so that the text is cut and read in parts at once; else it is one part.
func (t *text) parseAll(begin int, todo []bool) ([]*part, error) {
	var cuts []int
	if t.Quotes == NoQuotes || bytes.IndexByte(t.data[begin:], '"') < 0 {
		for at := begin; ; {
			next := at + partBytes
			if next >= len(t.data) {
				break
			}
			n := bytes.IndexByte(t.data[next:], '\n')
			if n < 0 {
				break
			}
			at = next + n + 1
			cuts = append(cuts, at)
		}
	}
	cuts = append(cuts, len(t.data))
	parts := make([]*part, len(cuts))
	err := parallel.For(context.Background(), len(cuts), 1, func(_, lo, hi int) {
		for k := lo; k < hi; k++ {
			from := begin
			if k > 0 {
				from = cuts[k-1]
			}
			parts[k] = t.parsePart(from, cuts[k], todo)
		}
	})
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if p.err != nil {
			return nil, p.err // of the first line that has one
		}
	}
	return parts, nil
}

func (t *text) parsePart(from, to int, todo []bool) *part {
	p := &part{builders: make([]*builder, t.columns)}
	s := newScanner(t.data[:to], from, t.found.Separator, t.Quotes, t.found.Comment)
	rows := 0
	if len(t.at) > 1 { // about as long as those of the sample
		rows = int(1.05*float64(to-from)*float64(len(t.at)-1)/float64(t.at[len(t.at)-1]-t.at[0])) + 8
	}
	for j := range p.builders {
		if todo[j] {
			p.builders[j] = newBuilder(t, j, rows)
		}
	}
	cells := make([]cell, 0, t.columns)
	alone := t.columns == 1
	checkComments := t.Comment == "" && t.found.Comment != ""
	for {
		at := s.pos
		switch s.line() {
		case atEnd:
			return p
		case commentLine:
			if p.skipped++; checkComments {
				if p.err = t.checkComment(at); p.err != nil {
					return p
				}
			}
			continue
		case emptyLine:
			if !alone {
				p.skipped++
				continue
			}
			cells = append(cells[:0], cell{from: at, to: at})
		default:
			var err error
			if cells, err = s.record(cells[:0]); err != nil {
				p.err = t.quoteTrouble(err)
				return p
			}
		}
		if len(cells) != t.columns {
			p.err = t.raggedAt(at, len(cells), t.columns, t.found.Separator)
			return p
		}
		for j := range cells {
			if b := p.builders[j]; b != nil && !b.failed {
				c := cells[j]
				if c.doubled {
					b.add(s.bytesOf(c), c)
				} else {
					b.add(t.data[c.from:c.to], c)
				}
			}
		}
		p.rows++
	}
}

// checkComment refuses a line that was taken for a comment by its first sign and could be a row.
func (t *text) checkComment(at int) error {
	s := t.scanner(t.found.Separator)
	s.pos, s.comment = at, nil
	cells, err := s.record(nil)
	if err != nil || len(cells) != t.columns {
		return nil
	}
	sign := t.found.Comment
	return t.fail(at, "the line begins with %q and has as many cells as a row (%d); Reader.Comment says whether it is a comment (%q) or a row (\"none\")", sign, len(cells), sign)
}

// builder collects the cells of one column in one part.
type builder struct {
	t            *text
	guess        guess
	marks        marks
	strict       bool
	count        int
	numbers      []float64
	dates        []time.Time
	texts        []string
	missing      []bool // nil until one is
	missingCount int
	words        map[string]int    // what stood in cells that are missing, and words of text that may say so
	distinct     map[string]string // texts, each kept once
	likely       string            // the layout of the date before
	failed       bool
	failedAt     int
	failedCell   string
	trouble      numberTrouble
}

func newBuilder(t *text, j, rows int) *builder {
	b := &builder{t: t, guess: t.kinds[j], marks: t.marks(), words: map[string]int{}}
	b.strict = !b.guess.forced
	switch b.guess.kind {
	case Text:
		b.texts, b.distinct = make([]string, 0, rows), map[string]string{}
	case Date:
		b.dates = make([]time.Time, 0, rows)
	default:
		b.numbers = make([]float64, 0, rows)
	}
	return b
}

// maxDistinct bounds the texts that a part remembers; a column of names is mostly of new ones.
const maxDistinct = 1 << 14

func (b *builder) add(cell []byte, where cell) {
	missing := false
	switch b.guess.kind {
	case Text:
		text, known := b.distinct[string(cell)]
		if !known {
			text = string(cell)
			if len(b.distinct) < maxDistinct {
				b.distinct[text] = text
			}
		}
		switch {
		case len(cell) == 0:
			missing = !where.quoted
		case b.t.Missing != nil:
			if missing = slices.Contains(b.t.Missing, text); missing {
				b.words[text]++
			}
		case len(cell) <= 7 && missingWords[text]:
			b.words[text]++
		}
		if missing {
			text = ""
		}
		b.texts = append(b.texts, text)
	case Number:
		v, trouble := parseNumber(cell, b.marks, b.strict)
		if trouble != fine || b.t.Missing != nil && slices.Contains(b.t.Missing, string(cell)) {
			if missing = b.isMissing(cell); !missing {
				b.fail(cell, where, trouble)
				return
			}
			v = math.NaN()
		}
		b.numbers = append(b.numbers, v)
	case Boolean:
		v, ok := parseBool(cell)
		if !ok && b.guess.forced {
			v, ok = parseYes(cell)
		}
		x := 0.0
		if v {
			x = 1
		}
		if !ok || b.t.Missing != nil && slices.Contains(b.t.Missing, string(cell)) {
			if missing = b.isMissing(cell); !missing {
				b.fail(cell, where, notNumber)
				return
			}
			x = math.NaN()
		}
		b.numbers = append(b.numbers, x)
	case Date:
		v, ok := parseDate(cell, b.guess.layouts, &b.likely)
		if !ok || b.t.Missing != nil && slices.Contains(b.t.Missing, string(cell)) {
			if missing = b.isMissing(cell); !missing {
				b.fail(cell, where, notNumber)
				return
			}
			v = time.Time{}
		}
		b.dates = append(b.dates, v)
	default: // missing so far
		if missing = b.isMissing(cell); !missing {
			b.fail(cell, where, notNumber)
			return
		}
		b.numbers = append(b.numbers, math.NaN())
	}
	if missing {
		if b.missing == nil {
			b.missing = make([]bool, b.count, max(cap(b.numbers), cap(b.texts), cap(b.dates), b.count+1))
		}
		b.missingCount++
	}
	if b.missing != nil {
		b.missing = append(b.missing, missing)
	}
	b.count++
}

func (b *builder) isMissing(cell []byte) bool {
	if !b.t.isMissing(cell) {
		return false
	}
	if len(cell) > 0 {
		b.words[string(cell)]++
	}
	return true
}

func (b *builder) fail(cell []byte, where cell, trouble numberTrouble) {
	if trouble == fine {
		trouble = notNumber
	}
	b.failed, b.failedAt, b.failedCell, b.trouble = true, where.from, string(cell), trouble
}

// parseYes reads what else says yes or no in a column that is to be of truth values.
func parseYes(cell []byte) (value, ok bool) {
	switch strings.ToLower(string(cell)) {
	case "1", "yes", "y", "t", "true":
		return true, true
	case "0", "no", "n", "f", "false":
		return false, true
	}
	return false, false
}

// join puts the parts of one column together.
func (t *text) join(parts []*part, j int) Column {
	rows, missing := 0, 0
	for _, p := range parts {
		rows += p.rows
		missing += p.builders[j].missingCount
	}
	c := Column{Name: t.names[j], Kind: t.kinds[j].kind}
	if c.Kind == 0 {
		c.Kind = Number // all of them missing
	}
	switch c.Kind {
	case Text:
		c.Texts = joined(parts, rows, func(p *part) []string { return p.builders[j].texts })
	case Date:
		c.Dates = joined(parts, rows, func(p *part) []time.Time { return p.builders[j].dates })
	default:
		c.Numbers = joined(parts, rows, func(p *part) []float64 { return p.builders[j].numbers })
	}
	if missing > 0 {
		c.Missing = make([]bool, rows)
		at := 0
		for _, p := range parts {
			copy(c.Missing[at:], p.builders[j].missing)
			at += p.rows
		}
	}
	return c
}

func joined[T any](parts []*part, rows int, of func(*part) []T) []T {
	if len(parts) == 1 {
		return slices.Clip(of(parts[0]))
	}
	out := make([]T, 0, rows)
	for _, p := range parts {
		out = append(out, of(p)...)
	}
	return out
}
