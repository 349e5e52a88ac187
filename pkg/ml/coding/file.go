package coding

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// ErrCorrupt is found by errors.Is in what Decode says of data that are damaged, cut short, or were
// encoded by another method or model.
var ErrCorrupt = errors.New("not what was encoded")

func corrupt(format string, args ...any) error {
	return fmt.Errorf("coding: "+format+": %w", append(args, ErrCorrupt)...)
}

// What Encode returns: a byte for the method, a byte that it may use, the number of symbols (1 to 4
// bytes), a checksum of the symbols, the payload, and a checksum of all before. ANS keeps the
// checksum of the symbols at the bottom of its stack. The last is checked before anything is
// decoded; the one of the symbols, afterwards, finds what only a wrong model does.
type envelope struct {
	kind    byte
	option  byte
	n       int
	sum     uint32 // of the symbols
	payload []byte
}

const (
	kindArithmetic = 'A'
	kindANS        = 'N'
	kindCode       = 'P'
	kindStatic     = 'S'
	kindBitsBack   = 'B'
)

func (e envelope) seal() []byte {
	out := binary.AppendUvarint([]byte{e.kind, e.option}, uint64(e.n))
	if e.kind != kindANS {
		out = binary.LittleEndian.AppendUint32(out, e.sum)
	}
	out = append(out, e.payload...)
	return binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(out))
}

func open(kind byte, data []byte) (e envelope, err error) {
	if len(data) < 2+1+4 {
		return e, corrupt("%d bytes, fewer than a header has", len(data))
	}
	body := data[:len(data)-4]
	if binary.LittleEndian.Uint32(data[len(body):]) != crc32.ChecksumIEEE(body) {
		return e, corrupt("the checksum does not fit: bytes are changed or missing")
	}
	if body[0] != kind {
		return e, corrupt("the data are of kind %q, this method decodes %q", body[0], kind)
	}
	n, used := binary.Uvarint(body[2:])
	if used <= 0 || n > maxSymbols {
		return e, corrupt("the header asks for %d symbols, at most 2²⁸ are allowed", n)
	}
	e = envelope{kind: kind, option: body[1], n: int(n), payload: body[2+used:]}
	if kind != kindANS {
		if len(e.payload) < 4 {
			return e, corrupt("the header is cut short")
		}
		e.sum, e.payload = binary.LittleEndian.Uint32(e.payload), e.payload[4:]
	}
	return e, nil
}

var errAnotherModel = corrupt("the decoded symbols are not those that were encoded: another model or code made the data")

// check compares what was decoded with the checksum of what was encoded.
func (e envelope) check(symbols []int) error {
	if checksum(symbols) != e.sum {
		return errAnotherModel
	}
	return nil
}

func checksum(symbols []int) uint32 {
	var buffer [4 * 256]byte
	sum := uint32(0)
	for len(symbols) > 0 {
		n := min(len(symbols), 256)
		for i, s := range symbols[:n] {
			binary.LittleEndian.PutUint32(buffer[4*i:], uint32(s))
		}
		sum = crc32.Update(sum, crc32.IEEETable, buffer[:4*n])
		symbols = symbols[n:]
	}
	return sum
}

// room is the capacity to start with for n symbols that a header promises: what is promised is not
// yet there.
func room(n int) int { return min(n, 1<<16) }
