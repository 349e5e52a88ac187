package coding

import (
	"context"
	"slices"
)

// Arithmetic codes a sequence with the conditional probabilities of any Model, by a range coder. It
// takes the model's cross-entropy in bits, and little more: at most 0.1 % or 32 bits, besides 11 to
// 14 bytes of length and checksums.
//
// Model and coder meet in numbers that the decoder has to find again. A model's floating-point
// probabilities are therefore rounded in a way that bears differences up to Tolerance (a part of
// each probability, not of 1): the default bears what compilers, processors and the order of sums
// do to float64, and costs nothing that can be measured. 1e-6, for single precision on another
// backend, costs about 0.3 % for two symbols and 1.5 % for 65.
//
// Encoding and decoding each walk once over the sequence; the cost, beside the model's own, is
// O(alphabet) a symbol.
type Arithmetic struct {
	Tolerance float64 // 0 means 2⁻⁴⁰, about 1e-12; 2⁻⁴⁸ to 2⁻⁸
}

// Encode returns the encoded sequence. Errors are ml.ErrShape for a symbol that is not of the
// model's alphabet, ml.ErrNotFinite and ml.ErrParameter for probabilities that are none, what the
// model returns, and ctx.Err(). A symbol whose probability is 0 is encoded too, in 32 bits or less.
func (a Arithmetic) Encode(ctx context.Context, m Model, symbols []int) ([]byte, error) {
	const method = "coding.Arithmetic.Encode"
	e := &RangeEncoder{}
	t, err := encodeAll(ctx, method, a.Tolerance, m, symbols, e)
	if err != nil {
		return nil, err
	}
	return envelope{kindArithmetic, byte(t), len(symbols), checksum(symbols), e.Bytes()}.seal(), nil
}

// Decode returns the sequence of which Encode, with the same model, made data. The error wraps
// ErrCorrupt where data are damaged or another model's; it is ctx.Err() when ctx ends first.
func (a Arithmetic) Decode(ctx context.Context, m Model, data []byte) ([]int, error) {
	e, err := open(kindArithmetic, data)
	if err != nil {
		return nil, err
	}
	symbols, err := decodeAll(ctx, "coding.Arithmetic.Decode", m, e, NewRangeDecoder(e.payload))
	if err != nil {
		return nil, err
	}
	return symbols, e.check(symbols)
}

// ANS is Arithmetic with a Stack instead of a range coder: the same length, and the whole sequence
// in memory, since the last symbol in is the first out.
type ANS struct {
	Tolerance float64 // 0 means 2⁻⁴⁰, about 1e-12; 2⁻⁴⁸ to 2⁻⁸
}

// Encode is that of Arithmetic.
func (a ANS) Encode(ctx context.Context, m Model, symbols []int) ([]byte, error) {
	const method = "coding.ANS.Encode"
	var parts list
	t, err := encodeAll(ctx, method, a.Tolerance, m, symbols, &parts)
	if err != nil {
		return nil, err
	}
	// A stack wants 32 bits at its bottom before it wastes nothing: the checksum.
	s := &Stack{lo: 1<<32 | uint64(checksum(symbols))}
	parts.pushOn(s)
	return envelope{kind: kindANS, option: byte(t), n: len(symbols), payload: s.Bytes()}.seal(), nil
}

// Decode is that of Arithmetic.
func (a ANS) Decode(ctx context.Context, m Model, data []byte) ([]int, error) {
	e, err := open(kindANS, data)
	if err != nil {
		return nil, err
	}
	s := NewStack(e.payload)
	symbols, err := decodeAll(ctx, "coding.ANS.Decode", m, e, &popper{Stack: s})
	if err != nil {
		return nil, err
	}
	if s.Len() != 33 || s.lo != 1<<32|uint64(checksum(symbols)) {
		return nil, errAnotherModel
	}
	return symbols, nil
}

// encodeAll walks a predictor along symbols and hands the part of each to a coder.
func encodeAll(ctx context.Context, method string, tol float64, m Model, symbols []int, to sink) (tolerance, error) {
	t, err := toleranceOf(method, tol)
	if err != nil {
		return 0, err
	}
	if err := checkSymbols(method, m, symbols); err != nil {
		return 0, err
	}
	predictor := m.Start()
	if counts, ok := predictor.(exact); ok {
		for i, s := range symbols {
			if i%1024 == 0 && ctx.Err() != nil {
				return 0, ctx.Err()
			}
			low, size, total := counts.interval(s)
			if size == 0 {
				return 0, impossible(method, i, s)
			}
			to.Encode(low, size, total)
			counts.Observe(s)
		}
		return t, ctx.Err()
	}
	p := make([]float64, m.Alphabet())
	d := newDistribution(len(p), t)
	for i, s := range symbols {
		if err := predict(ctx, method, predictor, p, i); err != nil {
			return 0, err
		}
		d.encode(to, p, s)
		predictor.Observe(s)
	}
	return t, ctx.Err()
}

func decodeAll(ctx context.Context, method string, m Model, e envelope, from source) ([]int, error) {
	if err := checkSymbols(method, m, nil); err != nil {
		return nil, err
	}
	symbols := make([]int, 0, room(e.n))
	predictor := m.Start()
	if counts, ok := predictor.(exact); ok {
		_, _, total := counts.interval(0)
		for i := range e.n {
			if i%1024 == 0 && ctx.Err() != nil {
				return nil, ctx.Err()
			}
			s := counts.find(from.Target(total))
			low, size, _ := counts.interval(s)
			from.Advance(low, size)
			symbols = append(symbols, s)
			counts.Observe(s)
			_, _, total = counts.interval(0)
		}
		return symbols, nil
	}
	if e.option < 8 || e.option > 48 {
		return nil, corrupt("the tolerance is 2^−%d, want 2⁻⁴⁸ to 2⁻⁸", e.option)
	}
	p := make([]float64, m.Alphabet())
	d := newDistribution(len(p), tolerance(e.option))
	for i := range e.n {
		if err := predict(ctx, method, predictor, p, i); err != nil {
			return nil, err
		}
		s := d.decode(from, p)
		symbols = append(symbols, s)
		predictor.Observe(s)
	}
	return symbols, nil
}

// list keeps parts until they can be pushed in reverse.
type list []part

type part struct{ low, size, total uint32 } // a total of 2³² is kept as 0

func (l *list) Encode(low, size, total uint64) {
	*l = append(*l, part{uint32(low), uint32(size), uint32(total)})
}

// pushOn pushes the parts in reverse, so that the first is on top.
func (l list) pushOn(s *Stack) {
	for _, p := range slices.Backward(l) {
		low, high := p.slots()
		s.Push(low, high-low)
	}
}

// slots rounds the part to slots of 2³². Every part has one at least, since totals are at most as
// large.
func (p part) slots() (low, high uint64) {
	total, size := uint64(p.total), uint64(p.size)
	if total == 0 {
		total = 1 << slots
	}
	if size == 0 {
		size = 1 << slots
	}
	if total == 1<<slots {
		return uint64(p.low), uint64(p.low) + size // the shift below would lose the end of the last part
	}
	return uint64(p.low) << slots / total, (uint64(p.low) + size) << slots / total
}

// popper lets a stack be read like a RangeDecoder.
type popper struct {
	*Stack
	total uint64
}

// Target returns the number of total whose slots, rounded as by part.slots, hold the stack's: the
// largest u with ⌊u·2³²/total⌋ ≤ slot.
func (p *popper) Target(total uint64) uint64 {
	p.total = total
	slot := p.Slot()
	if total == 1<<slots {
		return slot
	}
	return ((slot+1)*total - 1) >> slots
}

func (p *popper) Advance(low, size uint64) {
	part := part{uint32(low), uint32(size), uint32(p.total)}
	l, h := part.slots()
	p.Pop(l, h-l)
}
