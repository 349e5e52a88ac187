package npy

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"
)

// Write writes data, in C order, as an array of the given shape, in version 1.0 and little-endian.
// data is a []float64, []float32, []int64, []int32, []int (written as int64), []uint8 or []bool. An
// empty or nil shape makes a scalar of one element.
//
// It writes in pieces of 64 KiB and holds no copy of data; put no buffer around w.
func Write(w io.Writer, shape []int, data any) error {
	switch v := data.(type) {
	case []float64:
		return write(w, "<f8", shape, v, func(b []byte, x float64) []byte {
			return binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
		})
	case []float32:
		return write(w, "<f4", shape, v, func(b []byte, x float32) []byte {
			return binary.LittleEndian.AppendUint32(b, math.Float32bits(x))
		})
	case []int64:
		return write(w, "<i8", shape, v, func(b []byte, x int64) []byte { return binary.LittleEndian.AppendUint64(b, uint64(x)) })
	case []int:
		return write(w, "<i8", shape, v, func(b []byte, x int) []byte { return binary.LittleEndian.AppendUint64(b, uint64(x)) })
	case []int32:
		return write(w, "<i4", shape, v, func(b []byte, x int32) []byte { return binary.LittleEndian.AppendUint32(b, uint32(x)) })
	case []uint8:
		return write(w, "|u1", shape, v, func(b []byte, x uint8) []byte { return append(b, x) })
	case []bool:
		return write(w, "|b1", shape, v, func(b []byte, x bool) []byte {
			if x {
				return append(b, 1)
			}
			return append(b, 0)
		})
	}
	return fmt.Errorf("npy: can't write a %T, want []float64, []float32, []int64, []int32, []int, []uint8 or []bool", data)
}

func write[T any](w io.Writer, descr string, shape []int, data []T, appendTo func([]byte, T) []byte) error {
	head, err := encodeHeader(descr, shape, len(data))
	if err != nil {
		return err
	}
	buf := make([]byte, 0, min(len(head)+8*len(data), chunk)+8)
	buf = append(buf, head...)
	for _, x := range data {
		if len(buf) >= chunk {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
		buf = appendTo(buf, x)
	}
	_, err = w.Write(buf)
	return err
}

// encodeHeader returns all that lies in front of the elements, padded so that they begin at a
// multiple of 64 bytes and can be mapped.
func encodeHeader(descr string, shape []int, n int) (string, error) {
	if len(shape) > maxDims {
		return "", fmt.Errorf("npy: %d dimensions, want at most %d", len(shape), maxDims)
	}
	want, zero := 1, false
	var dims strings.Builder
	for i, d := range shape {
		if d < 0 {
			return "", fmt.Errorf("npy: dimension %d is %d, want at least 0", i, d)
		}
		if zero = zero || d == 0; d > 0 && want > math.MaxInt/d {
			return "", fmt.Errorf("npy: the number of elements of shape %v overflows", shape)
		}
		want *= max(d, 1)
		fmt.Fprintf(&dims, "%d,", d)
		if i < len(shape)-1 {
			dims.WriteByte(' ')
		}
	}
	if zero {
		want = 0
	}
	if want != n {
		return "", fmt.Errorf("npy: %d elements for shape %v, want %d", n, shape, want)
	}
	tuple := dims.String()
	if len(shape) > 1 {
		tuple = strings.TrimSuffix(tuple, ",")
	}
	text := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s), }", descr, tuple)
	const lead = len(magic) + 2 + 2
	text += strings.Repeat(" ", 63-(lead+len(text))%64) + "\n"
	return magic + "\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(text)))) + text, nil
}

// WriteStrings writes strings as one array of NumPy's str, as wide as the longest, which ReadEvery
// reads. A string that ends in a zero character, which NumPy would drop, and one that is no UTF-8
// are errors.
func WriteStrings(w io.Writer, data []string) error {
	width := 1
	for i, s := range data {
		if !utf8.ValidString(s) || strings.HasSuffix(s, "\x00") {
			return fmt.Errorf("npy: string %d, %.40q, can't be written", i, s)
		}
		width = max(width, utf8.RuneCountInString(s))
	}
	return write(w, fmt.Sprintf("<U%d", width), []int{len(data)}, data, func(b []byte, s string) []byte {
		n := 0
		for _, c := range s {
			b = binary.LittleEndian.AppendUint32(b, uint32(c))
			n++
		}
		return append(b, make([]byte, 4*(width-n))...)
	})
}
