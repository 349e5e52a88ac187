package coding

import (
	"encoding/binary"
	"math/bits"
)

// RangeEncoder is an arithmetic coder in integers (Rissanen, 1976; Martin, 1979). It holds an
// interval of numbers: every symbol cuts it to the part that belongs to the symbol, in proportion
// to the probability, and in the end any number of the interval stands for the whole sequence.
// Bytes that can't change any more go out at once; one more that a carry makes of them is added to
// what is out already.
//
// The interval is 64 bits wide and never narrower than 2⁵⁶ when a symbol comes, so that cutting it
// wastes at most 2⁻²⁴ of a bit or so a symbol, and Bytes adds less than two bytes. The zero value
// is ready.
type RangeEncoder struct {
	low   uint64 // of the interval, behind what is out
	width uint64
	out   []byte
	begun bool
}

// narrow is the least width between two symbols.
const narrow = 1 << 56

// Encode cuts the interval to the part from low to low+size of total. It wants size > 0 and
// low+size ≤ total ≤ 2³².
func (e *RangeEncoder) Encode(low, size, total uint64) {
	if !e.begun {
		e.begun, e.width = true, 1<<64-1
	}
	unit := e.width / total
	before := e.low
	e.low += unit * low
	e.width = unit * size
	if e.low < before {
		addCarry(e.out)
	}
	if e.width < narrow {
		e.shift()
	}
}

// addCarry adds one to the number that is out.
func addCarry(out []byte) {
	for i := len(out) - 1; i >= 0; i-- {
		out[i]++
		if out[i] != 0 {
			return
		}
	}
}

// shift moves whole bytes out until the interval is wide again.
func (e *RangeEncoder) shift() {
	n := bits.LeadingZeros64(e.width) / 8
	e.out = binary.BigEndian.AppendUint64(e.out, e.low)
	e.out = e.out[:len(e.out)-8+n]
	e.low <<= 8 * n
	e.width <<= 8 * n
}

// Bytes ends the sequence and returns the number, in as few bytes as tell it from all others, zeros
// at its end left out. The encoder is not to be used after that.
func (e *RangeEncoder) Bytes() []byte {
	if !e.begun {
		return nil
	}
	// The number of the interval with the most zeros at its end.
	for n := 63; n > 0; n-- {
		v := (e.low + 1<<n - 1) &^ (1<<n - 1)
		if v-e.low < e.width {
			if v < e.low {
				addCarry(e.out)
			}
			e.low = v
			break
		}
	}
	e.out = binary.BigEndian.AppendUint64(e.out, e.low)
	n := len(e.out)
	for n > 0 && e.out[n-1] == 0 {
		n--
	}
	return e.out[:n]
}

// RangeDecoder reads what a RangeEncoder wrote. It never fails: bytes that no encoder wrote decode
// to something, and zeros follow the last byte.
type RangeDecoder struct {
	data  []byte
	at    int
	code  uint64 // the number, relative to the interval's lower end
	width uint64
	unit  uint64 // of the symbol whose target was asked for
}

// NewRangeDecoder begins to read data.
func NewRangeDecoder(data []byte) *RangeDecoder {
	d := &RangeDecoder{data: data, width: 1<<64 - 1}
	for range 8 {
		d.code = d.code<<8 | d.next()
	}
	return d
}

func (d *RangeDecoder) next() uint64 {
	if d.at < len(d.data) {
		d.at++
		return uint64(d.data[d.at-1])
	}
	d.at++
	return 0
}

// Target returns a number below total: the symbol whose part, from low to low+size, holds it is the
// next. Advance has to follow.
func (d *RangeDecoder) Target(total uint64) uint64 {
	d.unit = d.width / total
	return min(d.code/d.unit, total-1)
}

// Advance cuts the interval to the symbol's part, as the encoder did: from low to low+size of the
// total that Target was asked for.
func (d *RangeDecoder) Advance(low, size uint64) {
	d.code -= d.unit * low
	d.width = d.unit * size
	for d.width < narrow {
		d.code, d.width = d.code<<8|d.next(), d.width<<8
	}
}
