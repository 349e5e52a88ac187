package coding

import (
	"math"
	"sort"

	"github.com/golatent/latent/pkg/ml"
)

// Probabilities become whole numbers here, and encoder and decoder must find the same ones, though
// the decoder's probabilities may differ in their last bits: another machine, another compiler or
// another order of a sum is enough. Three things see to it.
//
//   - A probability is cut to some leading bits of its floating-point form, by integer operations
//     on that form. All that follows, sums included, is integer arithmetic.
//   - Where two values within the tolerance of each other could be cut to different numbers, the
//     encoder knows, for it sees how near its value is to the edge. Then both use edges moved by a
//     quarter; by the next quarter, if that is no better; and equal probabilities, if nothing is.
//     So no value lies near an edge that counts.
//   - Before every symbol the encoder says whether edges are moved, in a part of the interval that
//     depends on no probability. Where it is rare it costs next to nothing to say that they are
//     not.
//
// Cutting p to m leading bits costs less than 2⁻²ᵐ nats a symbol, since only the ratios' errors
// count, and those squared.

const (
	scale    = 31 // a probability of 1 is about 2³¹
	maxRare  = 1 << 29
	quarters = 4
)

// offset is what is added before bits are dropped, as a part of 2⁶⁴: √2−1. A half would round to
// nearest, and put an edge at fractions that counts often make.
const offset = 0x6a09e667f3bcc908

// tolerance is how far apart, relatively, two evaluations of a probability may be, as a power of
// two: 2^−t.
type tolerance int

// leading is the number of bits after the first that are kept.
func (t tolerance) leading() int { return min(max(int(t)-30, 4), 12) }

// toleranceOf finds the power of two for an option.
func toleranceOf(method string, v float64) (tolerance, error) {
	if v == 0 {
		return 40, nil
	}
	if !(v >= 0x1p-48 && v <= 0x1p-8) {
		return 0, ml.BadParameter(method, "Tolerance", v, "0 (for 2⁻⁴⁰) or 2⁻⁴⁸ to 2⁻⁸")
	}
	_, e := math.Frexp(v)
	if v == math.Ldexp(1, e-1) {
		e--
	}
	return tolerance(-e), nil
}

// distribution is a table of whole numbers, made of probabilities: symbol s owns those from
// bounds[s] to bounds[s+1].
type distribution struct {
	tolerance tolerance
	bounds    []uint64 // length of the alphabet + 1
	rare      uint64   // of 2³¹: how often edges are moved
}

func newDistribution(alphabet int, t tolerance) *distribution {
	// A value's octave holds 2^leading edges, and on each side of one is the tolerance. That, for
	// all of the alphabet, is the share of symbols at which one is too near, if all are large. A
	// sixteenth is taken, because most values of large alphabets are small, and those are cut to
	// whole numbers.
	rare := math.Ldexp(float64(alphabet), scale+1-4+t.leading()-int(t))
	return &distribution{t, make([]uint64, alphabet+1), uint64(min(max(rare, 1), maxRare))}
}

// cut returns the whole number for a probability, with edges moved by some quarters of their
// distance.
func (d *distribution) cut(p float64, moved int) uint64 {
	drop := 52 - d.tolerance.leading()
	up := (offset + uint64(moved)<<62) >> (64 - drop)
	v := math.Float64frombits((math.Float64bits(p) + up) >> drop << drop)
	return max(1, uint64(v*(1<<scale))) // exact: v has few bits, and the factor is a power of two
}

// fill makes the table and reports whether any evaluation within the tolerance makes the same. Only
// an encoder needs to know: check.
func (d *distribution) fill(p []float64, moved int, check bool) (same bool) {
	same = true
	sum := uint64(0)
	near := math.Ldexp(1, -int(d.tolerance))
	for s, v := range p {
		d.bounds[s] = sum
		if check {
			same = same && d.cut(v*(1-near), moved) == d.cut(v*(1+near), moved)
		}
		sum += d.cut(v, moved)
	}
	d.bounds[len(p)] = sum
	return same
}

// choose makes the first table that no difference within the tolerance changes, and returns by how
// many quarters edges are moved.
func (d *distribution) choose(p []float64) (moved int) {
	for moved < quarters && !d.fill(p, moved, true) {
		moved++
	}
	if moved == quarters {
		d.follow(p, moved)
	}
	return moved
}

// follow makes the table that choose chose.
func (d *distribution) follow(p []float64, moved int) {
	if moved < quarters {
		d.fill(p, moved, false)
		return
	}
	for s := range d.bounds {
		d.bounds[s] = uint64(s)
	}
}

func (d *distribution) total() uint64 { return d.bounds[len(d.bounds)-1] }

// sink takes symbols as parts of a total: the range encoder, or the list that is pushed on a stack.
type sink interface {
	Encode(low, size, total uint64)
}

// source gives them back.
type source interface {
	Target(total uint64) uint64
	Advance(low, size uint64)
}

// encode writes one symbol of probabilities p.
func (d *distribution) encode(to sink, p []float64, symbol int) {
	d.encodeMove(to, d.choose(p))
	d.write(to, symbol)
}

// decode reads one symbol of probabilities p.
func (d *distribution) decode(from source, p []float64) (symbol int) {
	d.follow(p, d.decodeMove(from))
	return d.read(from)
}

// encodeMove and decodeMove say by how much edges are moved.
func (d *distribution) encodeMove(to sink, moved int) {
	if moved == 0 {
		to.Encode(0, 1<<scale-d.rare, 1<<scale)
		return
	}
	to.Encode(1<<scale-d.rare, d.rare, 1<<scale)
	to.Encode(uint64(moved-1), 1, quarters)
}

func (d *distribution) decodeMove(from source) (moved int) {
	if from.Target(1<<scale) < 1<<scale-d.rare {
		from.Advance(0, 1<<scale-d.rare)
		return 0
	}
	from.Advance(1<<scale-d.rare, d.rare)
	moved = int(from.Target(quarters))
	from.Advance(uint64(moved), 1)
	return moved + 1
}

// write and read code one symbol by the table as it is.
func (d *distribution) write(to sink, s int) {
	to.Encode(d.bounds[s], d.bounds[s+1]-d.bounds[s], d.total())
}

func (d *distribution) read(from source) int {
	target := from.Target(d.total())
	s := sort.Search(len(d.bounds)-1, func(s int) bool { return d.bounds[s+1] > target })
	from.Advance(d.bounds[s], d.bounds[s+1]-d.bounds[s])
	return s
}
