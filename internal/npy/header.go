package npy

import (
	"encoding/binary"
	"strconv"
	"strings"
)

// header is the dictionary in front of the elements, {'descr': '<f8', 'fortran_order': False,
// 'shape': (3, 4), }.
type header struct {
	kind    string // f8, f4, i8, i4, u1 or b1; with every f2, i2, i1, u8, u4, u2, c8, c16, M8, U or S too
	size    int    // bytes of one element
	every   bool   // whether more types are wanted than Read gives
	unit    string // of M8
	order   binary.ByteOrder
	fortran bool
	shape   []int
}

// parseHeader reads the one form of Python literal that NumPy writes: a dictionary with these three
// keys, in any order.
func parseHeader(text string, every bool) (*header, error) {
	p := &parser{rest: text}
	h := &header{every: every}
	seen := map[string]bool{}
	if !p.take("{") {
		return nil, malformed("the header is not a dictionary: %.60q", text)
	}
	for !p.take("}") {
		key, ok := p.quoted()
		if !ok || !p.take(":") {
			return nil, malformed("the header has no key and colon at %.20q", p.rest)
		}
		if seen[key] {
			return nil, malformed("the header has key %q twice", key)
		}
		seen[key] = true
		if err := p.value(h, key); err != nil {
			return nil, err
		}
		if !p.take(",") {
			if p.take("}") {
				break
			}
			return nil, malformed("the header has neither a comma nor a brace at %.20q", p.rest)
		}
	}
	if strings.Trim(p.rest, " \n") != "" {
		return nil, malformed("the header goes on after its dictionary: %.20q", p.rest)
	}
	for _, key := range []string{"descr", "fortran_order", "shape"} {
		if !seen[key] {
			return nil, malformed("the header has no key %q", key)
		}
	}
	return h, nil
}

type parser struct{ rest string }

// take skips blanks and then token, if it is there.
func (p *parser) take(token string) bool {
	p.rest = strings.TrimLeft(p.rest, " \n")
	var ok bool
	p.rest, ok = strings.CutPrefix(p.rest, token)
	return ok
}

func (p *parser) quoted() (string, bool) {
	for _, quote := range []string{"'", `"`} {
		if p.take(quote) {
			s, rest, ok := strings.Cut(p.rest, quote)
			p.rest = rest
			return s, ok
		}
	}
	return "", false
}

func (p *parser) value(h *header, key string) error {
	switch key {
	case "descr":
		s, ok := p.quoted()
		if !ok {
			return malformed("'descr' is not a plain type at %.40q; structured arrays are not read", p.rest)
		}
		return h.setType(s)
	case "fortran_order":
		switch {
		case p.take("True"):
			h.fortran = true
		case !p.take("False"):
			return malformed("'fortran_order' is neither True nor False at %.20q", p.rest)
		}
		return nil
	case "shape":
		return p.shape(h)
	}
	return malformed("the header has a key %.40q, want 'descr', 'fortran_order' and 'shape'", key)
}

func (h *header) setType(s string) error {
	if len(s) < 3 {
		return malformed("elements of type %.40q, want %s", s, h.types())
	}
	order, rest := s[0], s[1:]
	switch h.kind = rest; rest {
	case "u1", "b1":
		h.size = 1
	case "i1":
		if h.size = 1; !h.every {
			return malformed("elements of type %.40q, want %s", s, h.types())
		}
	case "f8", "f4", "i8", "i4":
		h.size = int(rest[1] - '0')
	case "f2", "i2", "u2", "u4", "u8", "c8", "c16":
		if !h.every {
			return malformed("elements of type %.40q, want %s", s, h.types())
		}
		h.size, _ = strconv.Atoi(rest[1:])
	default:
		return h.setOther(s)
	}
	switch {
	case h.size == 1 && strings.IndexByte("|<>", order) >= 0:
		return nil
	case h.size > 1 && h.setOrder(order):
		return nil
	}
	return malformed("elements of type %.40q, want %s", s, h.types())
}

func (h *header) setOrder(order byte) bool {
	switch order {
	case '<':
		h.order = binary.LittleEndian
	case '>':
		h.order = binary.BigEndian
	default:
		return false
	}
	return true
}

// setOther takes strings, <U7 or |S7, and dates, <M8[ns].
func (h *header) setOther(s string) error {
	bad := malformed("elements of type %.40q, want %s", s, h.types())
	if !h.every {
		return bad
	}
	if rest, ok := strings.CutPrefix(s[1:], "M8["); ok {
		h.kind, h.size, h.unit = "M8", 8, strings.TrimSuffix(rest, "]")
		if _, known := units[h.unit]; !known || !h.setOrder(s[0]) {
			return bad
		}
		return nil
	}
	n, err := strconv.Atoi(s[2:])
	if err != nil || n < 0 || n > 1<<20 {
		return bad
	}
	switch h.kind = s[1:2]; {
	case h.kind == "U" && (h.setOrder(s[0]) || n == 0):
		h.size = 4 * n
	case h.kind == "S" && strings.IndexByte("|<>", s[0]) >= 0:
		h.size = n
	default:
		return bad
	}
	return nil
}

func (h *header) types() string {
	if h.every {
		return "bool, int8 to int64, uint8 to uint64, float16 to float64, complex64, complex128, datetime64, str or bytes"
	}
	return "<f8, <f4, <i8, <i4, |u1 or |b1"
}

// shape reads (), (3,), (3, 4) or (3, 4,).
func (p *parser) shape(h *header) error {
	if !p.take("(") {
		return malformed("'shape' is not a tuple at %.20q", p.rest)
	}
	h.shape = []int{}
	for !p.take(")") {
		p.take("") // blanks
		end := 0
		for end < len(p.rest) && p.rest[end] >= '0' && p.rest[end] <= '9' {
			end++
		}
		d, err := strconv.Atoi(p.rest[:end])
		if err != nil {
			return malformed("'shape' has no dimension that could be read at %.24q", p.rest)
		}
		p.rest = strings.TrimPrefix(p.rest[end:], "L") // as Python 2 wrote a long
		if h.shape = append(h.shape, d); len(h.shape) > maxDims {
			return malformed("'shape' has more than %d dimensions", maxDims)
		}
		if !p.take(",") {
			if len(h.shape) == 1 {
				return malformed("'shape' is a number in brackets, not a tuple, at %.20q", p.rest)
			}
			if p.take(")") {
				return nil
			}
			return malformed("'shape' has neither a comma nor a bracket at %.20q", p.rest)
		}
	}
	return nil
}
