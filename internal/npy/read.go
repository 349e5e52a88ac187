package npy

import (
	"encoding/binary"
	"errors"
	"io"
	"math"
	"slices"
)

// Limits bounds what Read accepts. The zero value allows 1 GiB of elements.
type Limits struct {
	MaxBytes int64 // of the elements as they lie in the file; 0 means 1 GiB
}

const (
	magic     = "\x93NUMPY"
	maxHeader = 10000 // bytes, as in NumPy; a header of the six types needs 128
	maxDims   = 32
	chunk     = 1 << 16 // bytes read at a time
)

// Read reads one array to the end of r; bytes after it are an error. Arrays in Fortran order and of
// either byte order are turned into C order and the machine's own. A file cut short gives an error
// that wraps ErrFormat and io.ErrUnexpectedEOF.
func Read(r io.Reader, limits Limits) (*Array, error) { return read(r, limits, false) }

// ReadEvery is Read for every type of number that NumPy has but the long double, whose bytes differ
// from machine to machine, and for strings and dates: Data may also be a []int8, []int16, []uint16,
// []uint32, []uint64, []complex64, []complex128, []string or []time.Time. Numbers of 16 bits are
// given as []float32. A date that is not a time (NaT) is the zero time. Strings of bytes that are
// no UTF-8 are refused.
func ReadEvery(r io.Reader, limits Limits) (*Array, error) { return read(r, limits, true) }

func read(r io.Reader, limits Limits, every bool) (*Array, error) {
	h, err := readHeader(r, every)
	if err != nil {
		return nil, err
	}
	count, err := h.count(limits)
	if err != nil {
		return nil, err
	}
	data, err := h.readData(r, count)
	if err != nil {
		return nil, err
	}
	if err := atEnd(r); err != nil {
		return nil, err
	}
	return &Array{Shape: h.shape, Data: data}, nil
}

// readHeader reads the magic, the version, the header's length and the header.
func readHeader(r io.Reader, every bool) (*header, error) {
	var lead [12]byte
	if err := readFull(r, lead[:8], "the magic"); err != nil {
		return nil, err
	}
	if string(lead[:6]) != magic {
		return nil, malformed("not a .npy file: it begins with %q", lead[:6])
	}
	var length int
	switch major, minor := lead[6], lead[7]; {
	case minor != 0 || major < 1 || major > 3:
		return nil, malformed("version %d.%d, want 1.0, 2.0 or 3.0", major, minor)
	case major == 1:
		if err := readFull(r, lead[8:10], "the header's length"); err != nil {
			return nil, err
		}
		length = int(binary.LittleEndian.Uint16(lead[8:]))
	default:
		if err := readFull(r, lead[8:12], "the header's length"); err != nil {
			return nil, err
		}
		length = int(min(binary.LittleEndian.Uint32(lead[8:]), math.MaxInt32))
	}
	if length > maxHeader {
		return nil, malformed("the header has %d bytes, want at most %d", length, maxHeader)
	}
	text := make([]byte, length)
	if err := readFull(r, text, "the header"); err != nil {
		return nil, err
	}
	return parseHeader(string(text), every)
}

// count returns the number of elements, after checking every dimension and their product.
func (h *header) count(limits Limits) (int, error) {
	maxBytes := limits.MaxBytes
	if maxBytes <= 0 {
		maxBytes = 1 << 30
	}
	allowed := min(maxBytes/int64(max(h.size, 1)), math.MaxInt/8)
	total := int64(1)
	for i, d := range h.shape {
		// A dimension is held to the limit even beside a dimension of 0, so that nobody who
		// multiplies a few of them overflows.
		if int64(d) > allowed {
			return 0, tooLarge("dimension %d is %d, want at most %d elements in all", i, d, allowed)
		}
		if d > 0 && total > allowed/int64(d) {
			return 0, tooLarge("shape %v has more than %d elements", h.shape, allowed)
		}
		total *= int64(d)
	}
	return int(total), nil
}

func (h *header) readData(r io.Reader, count int) (any, error) {
	order := h.order
	switch h.kind {
	case "f8":
		return elements(r, h, count, func(b []byte) float64 { return math.Float64frombits(order.Uint64(b)) })
	case "f4":
		return elements(r, h, count, func(b []byte) float32 { return math.Float32frombits(order.Uint32(b)) })
	case "i8":
		return elements(r, h, count, func(b []byte) int64 { return int64(order.Uint64(b)) })
	case "i4":
		return elements(r, h, count, func(b []byte) int32 { return int32(order.Uint32(b)) })
	case "u1":
		return elements(r, h, count, func(b []byte) uint8 { return b[0] })
	case "b1":
		return bools(r, h, count)
	}
	return h.readOther(r, count)
}

// bools reads truth values, and nothing that is neither 0 nor 1.
func bools(r io.Reader, h *header, count int) (any, error) {
	raw, err := elements(r, h, count, func(b []byte) uint8 { return b[0] })
	if err != nil {
		return nil, err
	}
	out := make([]bool, count)
	for i, v := range raw {
		if v > 1 {
			return nil, malformed("element %d of a bool array is %d, want 0 or 1", i, v)
		}
		out[i] = v == 1
	}
	return out, nil
}

// elements reads count elements. The slice grows with what has arrived, so a header that lies costs
// nothing.
func elements[T any](r io.Reader, h *header, count int, decode func([]byte) T) ([]T, error) {
	size := h.size
	out := make([]T, 0, min(count, chunk))
	buf := make([]byte, min(chunk, count*size))
	for len(out) < count {
		b := buf[:min(len(buf), (count-len(out))*size)]
		if n, err := io.ReadFull(r, b); err != nil {
			return nil, short(err, "element %d of %d", len(out)+n/size, count)
		}
		if need := len(out) + len(b)/size; need > cap(out) {
			out = slices.Grow(out, min(2*cap(out), count)-len(out))
		}
		for ; len(b) > 0; b = b[size:] {
			out = append(out, decode(b))
		}
	}
	if h.fortran {
		out = cOrder(out, h.shape)
	}
	return out, nil
}

// cOrder rearranges elements whose first index runs fastest.
func cOrder[T any](in []T, shape []int) []T {
	if len(shape) < 2 || len(in) == 0 {
		return in
	}
	out := make([]T, len(in))
	index := make([]int, len(shape))
	stride := make([]int, len(shape)) // of in
	step := 1
	for k, d := range shape {
		stride[k] = step
		step *= d
	}
	from := 0
	for i := range out {
		out[i] = in[from]
		for k := len(shape) - 1; k >= 0; k-- {
			index[k]++
			from += stride[k]
			if index[k] < shape[k] {
				break
			}
			from -= index[k] * stride[k]
			index[k] = 0
		}
	}
	return out
}

func atEnd(r io.Reader) error {
	var one [1]byte
	switch _, err := io.ReadFull(r, one[:]); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return short(err, "the end of the file")
	}
	return malformed("bytes follow the last element")
}

func readFull(r io.Reader, b []byte, what string) error {
	if _, err := io.ReadFull(r, b); err != nil {
		return short(err, "%s", what)
	}
	return nil
}

// short tells a file that ends too soon from a reader that fails.
func short(err error, format string, args ...any) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.Join(malformed("the file ends at "+format, args...), io.ErrUnexpectedEOF)
	}
	return err
}
