package datasets

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// toUTF8 decodes a text, by the encoding that is given or found out. The result has no mark.
func toUTF8(data []byte, given Encoding) ([]byte, Encoding, error) {
	mark := Encoding("")
	switch {
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		mark, data = UTF8, data[3:]
	case bytes.HasPrefix(data, []byte("\xff\xfe\x00\x00")):
		return nil, "", malformed("the file begins with the mark of UTF-32, which is not read: save it as UTF-8")
	case bytes.HasPrefix(data, []byte("\xff\xfe")) && (given == "" || given == UTF16LE):
		mark, data = UTF16LE, data[2:]
	case bytes.HasPrefix(data, []byte("\xfe\xff")) && (given == "" || given == UTF16BE):
		mark, data = UTF16BE, data[2:]
	}
	encoding := given
	switch {
	case mark != "" && given != "" && mark != given:
		return nil, "", malformed("the file begins with the mark of %s, and Reader.Encoding is %s", mark, given)
	case mark != "":
		encoding = mark
	case given == "":
		var err error
		if encoding, err = findEncoding(data); err != nil {
			return nil, "", err
		}
	}
	switch encoding {
	case UTF16LE, UTF16BE:
		out, err := fromUTF16(data, encoding == UTF16BE)
		return out, encoding, err
	case Latin1, Windows1252:
		out, err := fromLatin(data, encoding)
		return out, encoding, err
	}
	if at := invalidUTF8(data); at >= 0 {
		return nil, "", malformed("line %d: byte %02x is no UTF-8; Reader.Encoding names another encoding, such as Latin1", lineOf(data, at), data[at])
	}
	return data, UTF8, nil
}

// findEncoding tells UTF-8, UTF-16 without a mark and Latin-1 apart, and says why it can't.
func findEncoding(data []byte) (Encoding, error) {
	if bytes.IndexByte(data, 0) >= 0 {
		return findUTF16(data)
	}
	at := invalidUTF8(data)
	if at < 0 {
		return UTF8, nil
	}
	// Western letters, signs and quotes stand alone, or two of them, among ASCII letters; Greek,
	// Cyrillic and Asian text in such a byte encoding comes in long runs.
	line := lineOf(data, at)
	high, letters, run, longest, controls := 0, 0, 0, 0, 0
	for _, c := range data {
		switch {
		case c < 0x80:
			if run = 0; c|0x20 >= 'a' && c|0x20 <= 'z' {
				letters++
			}
			continue
		case c < 0xa0:
			controls++
		}
		high++
		run++
		longest = max(longest, run)
	}
	settle := "Reader.Encoding says which it is, such as Latin1 or Windows1252"
	for i := 0; i < len(data); { // a file that holds both
		r, size := utf8.DecodeRune(data[i:])
		if size > 1 && r >= 0x80 && r != utf8.RuneError {
			return "", malformed("line %d: byte %02x is no UTF-8, while line %d has a character of UTF-8: the file mixes encodings; %s", line, data[at], lineOf(data, i), settle)
		}
		i += size
	}
	if longest > 2 || high > letters {
		return "", malformed("line %d: byte %02x is no UTF-8, and the text does not look like a Western one in Latin-1; %s", line, data[at], settle)
	}
	if controls == 0 {
		return Latin1, nil
	}
	for i, c := range data {
		if c >= 0x80 && c < 0xa0 && windows1252[c-0x80] == 0 {
			return "", malformed("line %d: byte %02x is neither UTF-8 nor a character of Latin-1 or Windows-1252; %s", lineOf(data, i), c, settle)
		}
	}
	return Windows1252, nil
}

// findUTF16 takes a text that has NUL bytes for UTF-16 where they lie on one side of the pairs and
// line ends on the other.
func findUTF16(data []byte) (Encoding, error) {
	var zeros [2]int
	sample := data[:min(len(data), 1<<16)]
	for i, c := range sample {
		if c == 0 {
			zeros[i%2]++
		}
	}
	pairs := len(sample) / 2
	if len(data)%2 == 0 {
		switch {
		case zeros[1] >= pairs/2 && zeros[0] == 0:
			return UTF16LE, nil
		case zeros[0] >= pairs/2 && zeros[1] == 0:
			return UTF16BE, nil
		}
	}
	at := bytes.IndexByte(data, 0)
	return "", malformed("line %d has a byte 00: this is no text in UTF-8 or Latin-1, and not clearly one in UTF-16; Reader.Encoding says so if it is UTF16LE or UTF16BE", lineOf(data, at))
}

func fromUTF16(data []byte, bigEndian bool) ([]byte, error) {
	if len(data)%2 != 0 {
		return nil, malformed("a text in UTF-16 has an even number of bytes, this one %d: it is cut short, or Reader.Encoding is another", len(data))
	}
	out := make([]byte, 0, len(data)/2+len(data)/8)
	line := 1
	at := func(i int) rune {
		if bigEndian {
			return rune(data[i])<<8 | rune(data[i+1])
		}
		return rune(data[i+1])<<8 | rune(data[i])
	}
	for i := 0; i < len(data); i += 2 {
		r := at(i)
		if utf16.IsSurrogate(r) {
			low := rune(0)
			if i+3 < len(data) {
				low = at(i + 2)
			}
			whole := utf16.DecodeRune(r, low)
			if whole == utf8.RuneError {
				return nil, malformed("line %d has half a character of UTF-16 (%04x); Reader.Encoding names another encoding", line, r)
			}
			r = whole
			i += 2
		}
		if r == '\n' {
			line++
		}
		if r == 0 {
			return nil, malformed("line %d has a character 0: this is no text", line)
		}
		out = utf8.AppendRune(out, r)
	}
	return out, nil
}

// windows1252 holds the characters of bytes 80 to 9f, 0 where there is none.
var windows1252 = [32]rune{
	'€', 0, '‚', 'ƒ', '„', '…', '†', '‡', 'ˆ', '‰', 'Š', '‹', 'Œ', 0, 'Ž', 0,
	0, '‘', '’', '“', '”', '•', '–', '—', '˜', '™', 'š', '›', 'œ', 0, 'ž', 'Ÿ',
}

func fromLatin(data []byte, encoding Encoding) ([]byte, error) {
	out := make([]byte, 0, len(data)+len(data)/8)
	for i, c := range data {
		switch {
		case c == 0:
			return nil, malformed("line %d has a byte 00: this is no text in %s", lineOf(data, i), encoding)
		case c < 0x80:
			out = append(out, c)
			continue
		case c < 0xa0 && encoding == Windows1252:
			if windows1252[c-0x80] == 0 {
				return nil, malformed("line %d: byte %02x is no character of %s", lineOf(data, i), c, encoding)
			}
			out = utf8.AppendRune(out, windows1252[c-0x80])
		default:
			out = utf8.AppendRune(out, rune(c))
		}
	}
	return out, nil
}

// invalidUTF8 returns the place of the first byte that is no UTF-8, −1 where all is. A NUL counts:
// no text has one.
func invalidUTF8(data []byte) int {
	if utf8.Valid(data) {
		return bytes.IndexByte(data, 0)
	}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || r == 0 {
			return i
		}
		i += size
	}
	return -1
}

// lineOf returns the number of the line, from 1, that holds a byte.
func lineOf(data []byte, at int) int {
	line := 1 + bytes.Count(data[:at], []byte("\n"))
	if line == 1 { // or lines end as they did on old Macs
		line += bytes.Count(data[:at], []byte("\r"))
	}
	return line
}
