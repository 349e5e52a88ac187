package coding

import "strings"

// Bits is a string of bits. The first is the highest of the first byte; what is left of the last
// byte is zero.
type Bits struct {
	Bytes []byte
	N     int // number of bits
}

// ParseBits makes Bits of a text of zeros and ones; other characters are left out.
func ParseBits(text string) Bits {
	var b Bits
	for _, c := range text {
		if c == '0' || c == '1' {
			b.append(c == '1')
		}
	}
	return b
}

func (b *Bits) append(one bool) {
	if b.N%8 == 0 {
		b.Bytes = append(b.Bytes, 0)
	}
	if one {
		b.Bytes[b.N/8] |= 0x80 >> (b.N % 8)
	}
	b.N++
}

// appendWord appends the low n ≤ 56 bits of word.
func (b *Bits) appendWord(word uint64, n int) {
	for n > 0 {
		used := b.N % 8
		if used == 0 {
			b.Bytes = append(b.Bytes, 0)
		}
		take := min(8-used, n)
		part := byte(word>>(n-take)) & (1<<take - 1)
		b.Bytes[len(b.Bytes)-1] |= part << (8 - used - take)
		b.N, n = b.N+take, n-take
	}
}

// At returns bit i, 0 or 1.
func (b Bits) At(i int) int { return int(b.Bytes[i/8]>>(7-i%8)) & 1 }

// String writes the bits as zeros and ones.
func (b Bits) String() string {
	var s strings.Builder
	for i := range b.N {
		s.WriteByte('0' + byte(b.At(i)))
	}
	return s.String()
}
