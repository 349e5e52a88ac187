package datasets

import (
	"bytes"
	"fmt"
)

// cell is where a cell lies in the text: between its quotes, or without the blanks around it.
type cell struct {
	from, to int
	quoted   bool
	doubled  bool // has doubled quotes inside
}

// scanner cuts a text into records.
type scanner struct {
	data      []byte
	pos       int
	separator byte // 0 for a table of one column
	blanks    bool // any run of blanks separates
	quotes    bool
	comment   []byte // nil where no line is one
}

func newScanner(data []byte, pos int, separator rune, quotes Quotes, comment string) scanner {
	s := scanner{data: data, pos: pos, separator: byte(separator), blanks: separator == ' ', quotes: quotes != NoQuotes}
	if comment != "" && comment != "none" {
		s.comment = []byte(comment)
	}
	return s
}

// lineKind says what the line at the scanner's place is.
type lineKind int

const (
	atEnd lineKind = iota
	emptyLine
	commentLine
	recordLine
)

// line looks at the line that begins here, and passes it if it is no record.
func (s *scanner) line() lineKind {
	if s.pos >= len(s.data) {
		return atEnd
	}
	rest := s.data[s.pos:]
	if s.comment != nil && bytes.HasPrefix(rest, s.comment) {
		s.passLine()
		return commentLine
	}
	for i, c := range rest {
		switch {
		case c == '\n':
			s.pos += i + 1
			return emptyLine
		case c == ' ' || c == '\r' || c == '\t' && s.separator != '\t':
			continue
		}
		return recordLine
	}
	s.pos = len(s.data)
	return emptyLine
}

func (s *scanner) passLine() {
	if n := bytes.IndexByte(s.data[s.pos:], '\n'); n >= 0 {
		s.pos += n + 1
		return
	}
	s.pos = len(s.data)
}

// quoteError is what is wrong with a quoted cell.
type quoteError struct {
	at   int
	what string
}

func (e *quoteError) Error() string { return e.what }

// record appends the cells of the record that begins here to cells.
func (s *scanner) record(cells []cell) ([]cell, error) {
	data, i := s.data, s.pos
	for {
		for i < len(data) && (data[i] == ' ' || data[i] == '\t' && s.separator != '\t') {
			i++
		}
		var c cell
		if s.quotes && i < len(data) && data[i] == '"' {
			var err error
			if c, i, err = s.quotedCell(i); err != nil {
				return cells, err
			}
		} else {
			from := i
			if s.blanks {
				for i < len(data) && data[i] != ' ' && data[i] != '\t' && data[i] != '\n' {
					i++
				}
			} else {
				for i < len(data) && data[i] != s.separator && data[i] != '\n' {
					i++
				}
			}
			to := i
			for to > from && (data[to-1] == ' ' || data[to-1] == '\r' || data[to-1] == '\t') {
				to--
			}
			c = cell{from: from, to: to}
		}
		if s.blanks {
			for i < len(data) && (data[i] == ' ' || data[i] == '\t' || data[i] == '\r') {
				i++
			}
			cells = append(cells, c)
			if i >= len(data) || data[i] == '\n' {
				s.pos = i + 1
				return cells, nil
			}
			continue
		}
		cells = append(cells, c)
		if i >= len(data) || data[i] == '\n' {
			s.pos = i + 1
			return cells, nil
		}
		i++ // the separator
	}
}

// quotedCell reads the cell whose quote is at i, and returns where its separator or line's end is.
func (s *scanner) quotedCell(i int) (cell, int, error) {
	data, begin := s.data, i
	c := cell{from: i + 1, quoted: true}
	for i++; ; i++ {
		n := bytes.IndexByte(data[i:], '"')
		if n < 0 {
			return c, 0, &quoteError{begin, "a quote is opened and never closed"}
		}
		if i += n; i+1 < len(data) && data[i+1] == '"' {
			c.doubled = true
			i++
			continue
		}
		break
	}
	c.to = i
	i++
	after := i
	for i < len(data) && (data[i] == ' ' || data[i] == '\r' || data[i] == '\t' && s.separator != '\t') {
		i++
	}
	switch {
	case i >= len(data), data[i] == '\n', data[i] == s.separator && !s.blanks, s.blanks && i > after:
		return c, i, nil
	}
	return c, 0, &quoteError{begin, fmt.Sprintf("a quoted cell goes on after its closing quote with %.20q", data[after:])}
}

// bytesOf returns the content of a cell. It shares the text's memory unless the cell has doubled
// quotes.
func (s *scanner) bytesOf(c cell) []byte {
	b := s.data[c.from:c.to]
	if c.doubled {
		return bytes.ReplaceAll(b, []byte(`""`), []byte(`"`))
	}
	return b
}
