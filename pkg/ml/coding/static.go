package coding

import (
	"encoding/binary"
	"hash/crc32"
	"math/bits"

	"github.com/golatent/latent/pkg/ml"
)

// Encode returns bytes encoded by a range coder with fixed probabilities, in about one
// multiplication each. Errors are ml.ErrShape for a byte that is not of the alphabet and
// ml.ErrParameter for one that has no probability.
func (st *Static) Encode(data []byte) ([]byte, error) {
	const method = "coding.Static.Encode"
	if err := st.checkBytes(method); err != nil {
		return nil, err
	}
	if len(data) > maxSymbols {
		return nil, ml.BadParameter(method, "the number of bytes", len(data), "at most 2²⁸")
	}
	type part struct{ low, size uint64 }
	var parts [256]part
	sum := uint64(0)
	for s, n := range st.Parts {
		parts[s] = part{sum, uint64(n)}
		sum += uint64(n)
	}
	// RangeEncoder's Encode, with its state in registers and 2²⁴ for the total, so that no division
	// is left.
	var low, width uint64 = 0, 1<<64 - 1
	out := make([]byte, 0, len(data)/2+64)
	for i, b := range data {
		p := parts[b]
		if p.size == 0 {
			if int(b) >= len(st.Parts) {
				return nil, ml.BadShape(method, "byte %d is %d, the alphabet is 0 to %d", i, b, len(st.Parts)-1)
			}
			return nil, impossible(method, i, int(b))
		}
		unit := width >> staticBits
		var carry uint64
		low, carry = bits.Add64(low, unit*p.low, 0)
		width = unit * p.size
		if carry != 0 {
			addCarry(out)
		}
		if width < narrow {
			n := bits.LeadingZeros64(width) &^ 7
			out = binary.BigEndian.AppendUint64(out, low)
			out = out[:len(out)-8+n/8]
			low, width = low<<n, width<<n
		}
	}
	e := RangeEncoder{low: low, width: width, out: out, begun: true}
	return envelope{kind: kindStatic, n: len(data), sum: crc32.ChecksumIEEE(data), payload: e.Bytes()}.seal(), nil
}

// Decode returns the bytes of which Encode, with the same probabilities, made data. The error wraps
// ErrCorrupt where they are damaged or another's.
func (st *Static) Decode(data []byte) ([]byte, error) {
	if err := st.checkBytes("coding.Static.Decode"); err != nil {
		return nil, err
	}
	e, err := open(kindStatic, data)
	if err != nil {
		return nil, err
	}
	// What the highest bits of a target leave open is found by going up from the first symbol that
	// has a part in their range.
	const coarse = 12
	var first [1 << coarse]byte
	var bounds [257]uint32
	sum, last := uint32(0), 0
	for s, n := range st.Parts {
		if n > 0 {
			last = s
		}
		for i := (sum + 1<<(staticBits-coarse) - 1) >> (staticBits - coarse); i<<(staticBits-coarse) < sum+uint32(n); i++ {
			first[i] = byte(s)
		}
		sum += uint32(n)
		bounds[s+1] = sum
	}
	d := NewRangeDecoder(e.payload)
	code, width, at := d.code, d.width, d.at
	// Eight bytes can be read at once as long as eight are there: zeros are put behind the payload.
	in := append(e.payload[:len(e.payload):len(e.payload)], make([]byte, 16)...)
	at = min(at, len(in)-8)
	out := make([]byte, 0, room(e.n))
	for range e.n {
		unit := width >> staticBits
		// Division of floating-point numbers takes half the time of whole ones, and a quotient that
		// is off by a little does for a first guess: what counts is that
		// unit·low ≤ code < unit·high, which is asked of whole numbers.
		guess := min(uint64(float64(int64(code>>1))/float64(int64(unit>>1))), 1<<staticBits-1)
		s := int(first[guess>>(staticBits-coarse)])
		for s < last && unit*uint64(bounds[s+1]) <= code {
			s++
		}
		for unit*uint64(bounds[s]) > code || bounds[s] == bounds[s+1] {
			s--
		}
		low := bounds[s]
		code -= unit * uint64(low)
		width = unit * uint64(bounds[s+1]-low)
		if width < narrow {
			n := bits.LeadingZeros64(width) &^ 7
			code = code<<n | binary.BigEndian.Uint64(in[at:])>>(64-n)
			width <<= n
			at = min(at+n/8, len(in)-8)
		}
		out = append(out, byte(s))
	}
	if crc32.ChecksumIEEE(out) != e.sum {
		return nil, corrupt("the decoded bytes are not those that were encoded: another model made the data")
	}
	return out, nil
}

func (st *Static) checkBytes(method string) error {
	if len(st.Parts) > 256 {
		return ml.BadParameter(method, "the alphabet", len(st.Parts), "at most 256 symbols, since it is for bytes; Arithmetic takes any")
	}
	return st.check(method)
}
