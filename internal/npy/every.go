package npy

import (
	"bytes"
	"encoding/binary"
	"io"
	"math"
	"time"
	"unicode/utf8"
)

// units are those of NumPy's dates that have one length, in nanoseconds; 0 marks years and months,
// which have not.
var units = map[string]int64{
	"Y": 0, "M": 0, "W": 7 * 86400e9, "D": 86400e9, "h": 3600e9, "m": 60e9, "s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1,
}

// readOther reads the types that only ReadEvery gives.
func (h *header) readOther(r io.Reader, count int) (any, error) {
	order := h.order
	switch h.kind {
	case "f2":
		return elements(r, h, count, func(b []byte) float32 { return half(order.Uint16(b)) })
	case "i1":
		return elements(r, h, count, func(b []byte) int8 { return int8(b[0]) })
	case "i2":
		return elements(r, h, count, func(b []byte) int16 { return int16(order.Uint16(b)) })
	case "u2":
		return elements(r, h, count, func(b []byte) uint16 { return order.Uint16(b) })
	case "u4":
		return elements(r, h, count, func(b []byte) uint32 { return order.Uint32(b) })
	case "u8":
		return elements(r, h, count, func(b []byte) uint64 { return order.Uint64(b) })
	case "c8":
		return elements(r, h, count, func(b []byte) complex64 {
			return complex(math.Float32frombits(order.Uint32(b)), math.Float32frombits(order.Uint32(b[4:])))
		})
	case "c16":
		return elements(r, h, count, func(b []byte) complex128 {
			return complex(math.Float64frombits(order.Uint64(b)), math.Float64frombits(order.Uint64(b[8:])))
		})
	case "M8":
		return elements(r, h, count, func(b []byte) time.Time { return date(int64(order.Uint64(b)), h.unit) })
	}
	return h.strings(r, count)
}

// half widens a number of 16 bits: a sign, 5 bits of exponent with bias 15, 10 of fraction.
func half(b uint16) float32 {
	sign, exponent, fraction := uint32(b>>15)<<31, uint32(b>>10)&31, uint32(b)&1023
	switch exponent {
	case 0: // subnormal: fraction·2⁻²⁴, which float32 holds as a normal number
		v := float32(fraction) * (1.0 / (1 << 24))
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+127-15)<<23 | fraction<<13)
}

// date is a number of units since 1970; the smallest number is no time.
func date(v int64, unit string) time.Time {
	if v == math.MinInt64 {
		return time.Time{}
	}
	switch length := units[unit]; {
	case unit == "Y":
		return time.Date(1970+int(v), 1, 1, 0, 0, 0, 0, time.UTC)
	case unit == "M":
		return time.Date(1970, 1+time.Month(v), 1, 0, 0, 0, 0, time.UTC)
	case length >= 1e9:
		return time.Unix(v*(length/1e9), 0).UTC()
	default:
		perSecond := int64(1e9) / length
		seconds, rest := v/perSecond, v%perSecond
		return time.Unix(seconds, rest*length).UTC()
	}
}

// strings reads strings of one width, in characters of four bytes or in bytes, without the zeros
// that pad them.
func (h *header) strings(r io.Reader, count int) (any, error) {
	if h.size == 0 { // nothing to read: no byte vouches for the count
		if count > chunk {
			return nil, tooLarge("%d empty strings, want at most %d", count, chunk)
		}
		return make([]string, count), nil
	}
	order, bad := h.order, false
	wide := h.kind == "U"
	out, err := elements(r, h, count, func(b []byte) string {
		if !wide {
			b = bytes.TrimRight(b[:h.size], "\x00")
			bad = bad || !utf8.Valid(b)
			return string(b)
		}
		return text(b[:h.size], order, &bad)
	})
	if err != nil {
		return nil, err
	}
	if bad {
		return nil, malformed("a string is no valid text (bytes must be UTF-8)")
	}
	return out, nil
}

func text(b []byte, order binary.ByteOrder, bad *bool) string {
	out := make([]byte, 0, len(b)/4)
	kept := 0 // the length without zeros at the end
	for ; len(b) > 0; b = b[4:] {
		c := order.Uint32(b)
		if c > utf8.MaxRune || !utf8.ValidRune(rune(c)) {
			*bad = true
			return ""
		}
		if out = utf8.AppendRune(out, rune(c)); c != 0 {
			kept = len(out)
		}
	}
	return string(out[:kept])
}
