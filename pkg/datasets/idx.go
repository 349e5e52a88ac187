package datasets

import (
	"bufio"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
)

// ReadIDX reads a file of MNIST's IDX format whose elements are unsigned bytes, gzipped or not: its
// dimensions, and the bytes with the last dimension running fastest. No count in the header is
// believed before the bytes are there; bytes after the last element are an error.
func ReadIDX(r io.Reader) (shape []int, data []byte, err error) {
	in := bufio.NewReader(r)
	if head, err := in.Peek(2); err == nil && head[0] == 0x1f && head[1] == 0x8b {
		z, err := gzip.NewReader(in)
		if err != nil {
			return nil, nil, malformed("not a gzip file: %v", err)
		}
		in = bufio.NewReader(z)
	}
	var magic [4]byte
	if _, err := io.ReadFull(in, magic[:]); err != nil {
		return nil, nil, malformed("the magic number is cut short (%v)", err)
	}
	if magic[0] != 0 || magic[1] != 0 || magic[2] != 8 {
		return nil, nil, malformed("the magic number is % x, want 00 00 08 and the number of dimensions: an IDX file of bytes", magic)
	}
	dims := int(magic[3])
	if dims < 1 || dims > 4 {
		return nil, nil, malformed("%d dimensions, want 1 to 4", dims)
	}
	total := int64(1)
	for k := range dims {
		var n uint32
		if err := binary.Read(in, binary.BigEndian, &n); err != nil {
			return nil, nil, malformed("dimension %d is cut short (%v)", k, err)
		}
		if n == 0 {
			return nil, nil, malformed("dimension %d is 0", k)
		}
		if total *= int64(n); total > maxCells { // both factors are below 2³², the product below 2⁵⁹
			return nil, nil, malformed("the dimensions ask for more than %d bytes", maxCells)
		}
		shape = append(shape, int(n))
	}
	data, err = io.ReadAll(io.LimitReader(in, total))
	if err != nil {
		return nil, nil, malformed("after %d of %d bytes: %v", len(data), total, err)
	}
	if int64(len(data)) < total {
		return nil, nil, malformed("%d bytes, the dimensions ask for %d: %w", len(data), total, io.ErrUnexpectedEOF)
	}
	if _, err := in.ReadByte(); !errors.Is(err, io.EOF) {
		if err != nil {
			return nil, nil, malformed("at the end: %v", err) // a checksum of gzip that does not fit
		}
		return nil, nil, malformed("there are bytes after the last of %d elements", total)
	}
	return shape, data, nil
}
