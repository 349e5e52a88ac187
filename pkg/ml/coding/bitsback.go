package coding

import (
	"context"
	"encoding/binary"
	"math"
	"slices"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml"
)

// LatentModel is a model of an observation x through something hidden, z, both lists of symbols:
// p(x) = Σ_z p(z) p(x | z). Given z the coordinates of x are independent, those of z are in the
// prior and in the posterior q(z | x), which need not be the true one. A mixture is one with a
// single z, the component; a variational autoencoder is one with z cut to bins.
//
// Each method returns one distribution a coordinate, the same for the same argument up to
// BitsBack's Tolerance.
type LatentModel interface {
	Prior() ([][]float64, error)                  // p(z), one distribution for each coordinate of z
	Likelihood(z []int) ([][]float64, error)      // p(x | z), one for each coordinate of x
	Posterior(x []int) (q [][]float64, err error) // q(z | x), one for each coordinate of z
}

// BitsBack codes observations with a LatentModel at −ELBO bits each, though no z is worth sending
// (Hinton & van Camp, 1993; Townsend, Bird & Barber, 2019). To encode x,
//
//	pop z with q(z | x)     takes bits that are on the stack already, and draws z with them
//	push x with p(x | z)
//	push z with p(z)
//
// and decoding undoes the three in reverse, which puts back the bits that were taken. What remains
// is −log₂ p(x | z) − log₂ p(z) + log₂ q(z | x), on average −ELBO, and −log₂ p(x) if q is the true
// posterior. The first pops need bits to take: Initial random ones, which are lost.
type BitsBack struct {
	Initial   int     // random bits on the stack at first; 0 means 64 for each coordinate of z, negative none
	Tolerance float64 // as of Arithmetic
	Seed      uint64  // of the random bits
}

// Encode returns the encoded observations, each as long as the model's x. Errors are ml.ErrShape
// for symbols or distributions that do not fit, those of Arithmetic, what the model returns, and
// ctx.Err().
func (b BitsBack) Encode(ctx context.Context, m LatentModel, xs [][]int) ([]byte, error) {
	const method = "coding.BitsBack.Encode"
	t, err := toleranceOf(method, b.Tolerance)
	if err != nil {
		return nil, err
	}
	if len(xs) > maxSymbols {
		return nil, ml.BadParameter(method, "the number of observations", len(xs), "at most 2²⁸")
	}
	prior, err := priorOf(method, m)
	if err != nil {
		return nil, err
	}
	c := latentCoder{method: method, tolerance: t}
	initial := b.initial(len(prior))
	c.stack = randomStack(b.Seed, initial)
	for i, x := range xs {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := c.push(m, prior, x, i); err != nil {
			return nil, err
		}
	}
	// Which random bits they were is told by the seed; the decoder must end with them.
	payload := binary.LittleEndian.AppendUint64(nil, b.Seed)
	payload = binary.AppendUvarint(payload, uint64(initial))
	return envelope{kindBitsBack, byte(t), len(xs), checksumAll(xs), append(payload, c.stack.Bytes()...)}.seal(), nil
}

// Decode returns the observations of which Encode, with the same model, made data.
func (b BitsBack) Decode(ctx context.Context, m LatentModel, data []byte) ([][]int, error) {
	const method = "coding.BitsBack.Decode"
	e, err := open(kindBitsBack, data)
	if err != nil {
		return nil, err
	}
	if e.option < 8 || e.option > 48 || len(e.payload) < 9 {
		return nil, corrupt("the header is not one of bits-back coding")
	}
	seed := binary.LittleEndian.Uint64(e.payload)
	initial, used := binary.Uvarint(e.payload[8:])
	if used <= 0 || initial > maxInitial {
		return nil, corrupt("the header asks for %d initial bits", initial)
	}
	prior, err := priorOf(method, m)
	if err != nil {
		return nil, err
	}
	c := latentCoder{method: method, tolerance: tolerance(e.option), stack: NewStack(e.payload[8+used:])}
	xs := make([][]int, 0, room(e.n))
	for range e.n {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x, err := c.pop(m, prior)
		if err != nil {
			return nil, err
		}
		xs = append(xs, x)
	}
	slices.Reverse(xs) // the last in was the first out
	if checksumAll(xs) != e.sum || string(c.stack.Bytes()) != string(randomStack(seed, int(initial)).Bytes()) {
		return nil, corrupt("the decoded observations are not those that were encoded: another model made the data")
	}
	return xs, nil
}

// NetBits returns how many bits BitsBack adds to a stack for observations: the length that it would
// reach in a long sequence, without the initial bits.
func (b BitsBack) NetBits(ctx context.Context, m LatentModel, xs [][]int) (int, error) {
	data, err := b.Encode(ctx, m, xs)
	if err != nil {
		return 0, err
	}
	e, err := open(kindBitsBack, data)
	if err != nil {
		return 0, err
	}
	initial, used := binary.Uvarint(e.payload[8:])
	return NewStack(e.payload[8+used:]).Len() - int(initial), nil
}

// ELBO returns the evidence lower bound Σ_z q(z | x) log₂ (p(x | z) p(z) / q(z | x)) of one
// observation in bits, exactly, for a model whose z has one coordinate. Its negative is what
// BitsBack takes on average.
func ELBO(m LatentModel, x []int) (float64, error) {
	const method = "coding.ELBO"
	prior, err := priorOf(method, m)
	if err != nil {
		return 0, err
	}
	q, err := m.Posterior(x)
	if err != nil {
		return 0, err
	}
	if len(prior) != 1 || len(q) != 1 || len(q[0]) != len(prior[0]) {
		return 0, ml.BadShape(method, "the prior has %d coordinates and the posterior %d, want one each, alike", len(prior), len(q))
	}
	elbo := 0.0
	for z, qz := range q[0] {
		if qz == 0 {
			continue
		}
		p, err := m.Likelihood([]int{z})
		if err != nil {
			return 0, err
		}
		if len(p) != len(x) {
			return 0, ml.BadShape(method, "the likelihood has %d coordinates, the observation %d", len(p), len(x))
		}
		term := math.Log2(prior[0][z]) - math.Log2(qz)
		for j, s := range x {
			if s < 0 || s >= len(p[j]) {
				return 0, ml.BadShape(method, "symbol %d of the observation is %d, the alphabet is 0 to %d", j, s, len(p[j])-1)
			}
			term += math.Log2(p[j][s])
		}
		elbo += qz * term
	}
	return elbo, nil
}

const maxInitial = 1 << 24

func (b BitsBack) initial(coordinates int) int {
	switch {
	case b.Initial < 0:
		return 0
	case b.Initial == 0:
		return min(64*(coordinates+1), maxInitial)
	}
	return min((b.Initial+63)/64*64, maxInitial)
}

// randomStack holds random bits, in whole words; the highest is set, so that their number is known.
func randomStack(seed uint64, n int) *Stack {
	r := rng.New(seed)
	var data []byte
	for range n / 64 {
		data = binary.LittleEndian.AppendUint64(data, r.Uint64())
	}
	if n > 0 {
		data[len(data)-1] |= 0x80
	}
	return NewStack(data)
}

func checksumAll(xs [][]int) uint32 {
	var all []int
	for _, x := range xs {
		all = append(append(all, len(x)), x...)
	}
	return checksum(all)
}

func priorOf(method string, m LatentModel) ([][]float64, error) {
	if m == nil {
		return nil, ml.BadParameter(method, "the model", nil, "a model")
	}
	prior, err := m.Prior()
	if err == nil && len(prior) == 0 {
		err = ml.Empty(method, "the prior has no coordinate")
	}
	return prior, err
}

// latentCoder is the stack with what one observation needs.
type latentCoder struct {
	method    string
	tolerance tolerance
	stack     *Stack
}

// push encodes one observation.
func (c *latentCoder) push(m LatentModel, prior [][]float64, x []int, i int) error {
	q, err := m.Posterior(x)
	if err != nil {
		return err
	}
	if len(q) != len(prior) {
		return ml.BadShape(c.method, "the posterior has %d coordinates, the prior %d", len(q), len(prior))
	}
	z, err := c.draw(q)
	if err != nil {
		return err
	}
	p, err := m.Likelihood(z)
	if err != nil {
		return err
	}
	if len(p) != len(x) {
		return ml.BadShape(c.method, "observation %d has %d coordinates, the model %d", i, len(x), len(p))
	}
	if err := c.put(p, x); err != nil {
		return err
	}
	return c.put(prior, z)
}

// pop decodes one: each line undoes one of push, the last first.
func (c *latentCoder) pop(m LatentModel, prior [][]float64) ([]int, error) {
	z, err := c.take(prior)
	if err != nil {
		return nil, err
	}
	p, err := m.Likelihood(z)
	if err != nil {
		return nil, err
	}
	x, err := c.take(p)
	if err != nil {
		return nil, err
	}
	q, err := m.Posterior(x)
	if err != nil {
		return nil, err
	}
	if len(q) != len(prior) {
		return nil, ml.BadShape(c.method, "the posterior has %d coordinates, the prior %d", len(q), len(prior))
	}
	return x, c.undraw(q, z)
}

// put pushes symbols, so that take finds the first on top.
func (c *latentCoder) put(p [][]float64, symbols []int) error {
	var parts list
	for j, s := range symbols {
		if err := checkProbabilities(c.method, p[j], j); err != nil {
			return err
		}
		if s < 0 || s >= len(p[j]) {
			return ml.BadShape(c.method, "symbol %d is %d, its alphabet is 0 to %d", j, s, len(p[j])-1)
		}
		newDistribution(len(p[j]), c.tolerance).encode(&parts, p[j], s)
	}
	parts.pushOn(c.stack)
	return nil
}

// take pops what put pushed.
func (c *latentCoder) take(p [][]float64) (symbols []int, err error) {
	from := &popper{Stack: c.stack}
	for j := range p {
		if err := checkProbabilities(c.method, p[j], j); err != nil {
			return nil, err
		}
		symbols = append(symbols, newDistribution(len(p[j]), c.tolerance).decode(from, p[j]))
	}
	return symbols, nil
}

// draw pops symbols that nobody pushed. Which edges were moved because a probability was near one
// (see distribution) has to be told to the decoder: it is pushed on top, as a symbol of its own.
func (c *latentCoder) draw(q [][]float64) (symbols []int, err error) {
	from := &popper{Stack: c.stack}
	var moves list
	for j := range q {
		if err := checkProbabilities(c.method, q[j], j); err != nil {
			return nil, err
		}
		d := newDistribution(len(q[j]), c.tolerance)
		d.encodeMove(&moves, d.choose(q[j]))
		symbols = append(symbols, d.read(from))
	}
	moves.pushOn(c.stack)
	return symbols, nil
}

// undraw pushes what draw popped, in the reverse order, so that the stack is what it was.
func (c *latentCoder) undraw(q [][]float64, symbols []int) error {
	from := &popper{Stack: c.stack}
	tables := make([]*distribution, len(q))
	for j := range q {
		if err := checkProbabilities(c.method, q[j], j); err != nil {
			return err
		}
		if symbols[j] >= len(q[j]) {
			return ml.BadShape(c.method, "coordinate %d of z is %d, the posterior's alphabet is 0 to %d", j, symbols[j], len(q[j])-1)
		}
		tables[j] = newDistribution(len(q[j]), c.tolerance)
		tables[j].follow(q[j], tables[j].decodeMove(from))
	}
	var parts list
	for j, d := range tables {
		d.write(&parts, symbols[j])
	}
	parts.pushOn(c.stack)
	return nil
}
