package coding

import (
	"encoding/binary"
	"math/bits"
)

// Stack is a coder by asymmetric numeral systems (Duda, 2009): one large number into which symbols
// are pushed and from which they are popped, the last first. Pushing a symbol of probability
// size/2³² multiplies the number by about 2³²/size. Popping one undoes pushing it to the last bit,
// whatever the number is: so popping from arbitrary bits draws a symbol at random, and pushing it
// gives the bits back, which is what BitsBack lives on.
//
// The two highest words are held apart, the others lie below. The zero value is an empty stack.
type Stack struct {
	hi, lo uint64   // the head: below 2⁶⁴ only while words is empty
	words  []uint64 // the rest, the last is the highest
}

// slots is the number that probabilities are parts of, as a power of two.
const slots = 32

// Push adds a symbol that owns the slots from low to low+size of 2³². It wants 0 < size and
// low+size ≤ 2³².
func (s *Stack) Push(low, size uint64) {
	// The head must stay below 2¹²⁸: head/size·2³² + … is, if head < size·2⁹⁶.
	if s.hi>>slots >= size {
		s.words = append(s.words, s.lo)
		s.hi, s.lo = 0, s.hi
	}
	qh, rh := s.hi/size, s.hi%size
	ql, rest := bits.Div64(rh, s.lo, size)
	s.hi = qh<<slots | ql>>(64-slots)
	s.lo = ql<<slots | (rest + low)
}

// Slot returns the slot, below 2³², that the next symbol on the stack owns. Pop takes it off.
func (s *Stack) Slot() uint64 { return s.lo & (1<<slots - 1) }

// Pop takes off the symbol that owns the slots from low to low+size, Slot among them.
func (s *Stack) Pop(low, size uint64) {
	slot := s.Slot() - low
	ql := s.hi<<(64-slots) | s.lo>>slots
	qh := s.hi >> slots
	carry, lo := bits.Mul64(ql, size)
	hi := qh*size + carry
	lo, c := bits.Add64(lo, slot, 0)
	s.hi, s.lo = hi+c, lo
	if s.hi == 0 && len(s.words) > 0 {
		n := len(s.words) - 1
		s.hi, s.lo = s.lo, s.words[n]
		s.words = s.words[:n]
	}
}

// Len returns the number of bits that the stack takes.
func (s *Stack) Len() int {
	n := bits.Len64(s.lo)
	if s.hi > 0 {
		n = 64 + bits.Len64(s.hi)
	}
	return 64*len(s.words) + n
}

// Bytes returns the number, lowest byte first, without zeros at its end.
func (s *Stack) Bytes() []byte {
	var out []byte
	for _, w := range append(s.words[:len(s.words):len(s.words)], s.lo, s.hi) {
		out = binary.LittleEndian.AppendUint64(out, w)
	}
	n := len(out)
	for n > 0 && out[n-1] == 0 {
		n--
	}
	return out[:n]
}

// NewStack returns the stack of which Bytes made data; any bytes are some stack.
func NewStack(data []byte) *Stack {
	padded := make([]byte, (len(data)+7)/8*8+16)
	copy(padded, data)
	var words []uint64
	for i := 0; i < len(padded); i += 8 {
		words = append(words, binary.LittleEndian.Uint64(padded[i:]))
	}
	n := len(words)
	for n > 2 && words[n-1] == 0 {
		n--
	}
	return &Stack{hi: words[n-1], lo: words[n-2], words: words[:n-2]}
}
