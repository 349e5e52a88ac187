package coding

import (
	"context"

	"github.com/golatent/latent/pkg/ml"
)

// NGram predicts a symbol from the Order−1 symbols before it, by counts of what followed them in a
// training sequence and, where that is thin, what followed the last Order−2 of them, and so on,
// mixed as Witten and Bell (1991) propose. It is the classical rival of a recurrent network on
// text.
//
// Fit costs O(Order · n log n) for a sequence of n symbols, memory O(n) at worst; predicting a
// symbol O(alphabet + Order · log n).
type NGram struct {
	Order   int     // length of the grams, 1 (no context) to as many as alphabet^Order < 2⁶² allows; 0 means 5
	Symbols int     // size of the alphabet; 0 means 256, for bytes
	Backoff float64 // weight of shorter contexts, as a factor of Witten and Bell's; 0 means 1
	Learn   bool    // the predictor adds what it observes to its counts, as encoder and decoder can alike
}

// NGramModel is an NGram with its counts. It is a Model.
type NGramModel struct {
	Order, Symbols int
	Backoff        float64
	Learn          bool
	Contexts       Contexts // depth d is the last d symbols
}

func init() { ml.Register[NGramModel]("coding.NGramModel") }

// Fit counts the grams of a sequence, which may be empty for a model that learns. Errors are
// ml.ErrParameter for an option out of range, ml.ErrShape for a symbol that is not of the alphabet,
// ml.ErrEmpty for an empty sequence where Learn is false, and ctx.Err().
func (g NGram) Fit(ctx context.Context, symbols []int) (*NGramModel, error) {
	const method = "coding.NGram"
	m := &NGramModel{Order: g.Order, Symbols: g.Symbols, Backoff: g.Backoff, Learn: g.Learn}
	if m.Order == 0 {
		m.Order = 5
	}
	if m.Symbols == 0 {
		m.Symbols = 256
	}
	if m.Backoff == 0 {
		m.Backoff = 1
	}
	if err := m.checkOptions(method); err != nil {
		return nil, err
	}
	if err := inAlphabet(method, symbols, m.Symbols); err != nil {
		return nil, err
	}
	if len(symbols) == 0 && !m.Learn {
		return nil, ml.Empty(method, "the sequence is empty, and the model does not Learn")
	}
	var err error
	m.Contexts, err = gather(ctx, m.Order, m.Symbols, func(d int) []uint64 {
		var list []uint64
		key, k := uint64(0), uint64(m.Symbols)
		top := power(k, d)
		for t, s := range symbols {
			if t >= d {
				list = append(list, key*k+uint64(s))
			}
			key = (key*k + uint64(s)) % top
		}
		return list
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

func power(k uint64, n int) uint64 {
	p := uint64(1)
	for range n {
		p *= k
	}
	return p
}

func (m *NGramModel) checkOptions(method string) error {
	if m.Symbols < 1 || m.Symbols > maxAlphabet {
		return ml.BadParameter(method, "Symbols", m.Symbols, "0 (for 256) or 1 to 2²⁰")
	}
	if !validBackoff(m.Backoff) {
		return ml.BadParameter(method, "Backoff", m.Backoff, "0 (for 1) or 0.001 to 1,000")
	}
	grams := uint64(1)
	for range max(min(m.Order, 64), 0) {
		if grams >= maxKey/uint64(m.Symbols) {
			grams = maxKey
			break
		}
		grams *= uint64(m.Symbols)
	}
	if m.Order < 1 || m.Order > 64 || grams >= maxKey {
		return ml.BadParameter(method, "Order", m.Order, sprintf("0 (for 5), or 1 to 64 with fewer than 2⁶² grams of %d symbols", m.Symbols))
	}
	return nil
}

func validBackoff(v float64) bool { return v >= 1e-3 && v <= 1e3 }

func (m *NGramModel) check(method string) error {
	if err := m.checkOptions(method); err != nil {
		return err
	}
	return m.Contexts.check(method, m.Order, m.Symbols)
}

// Alphabet returns Symbols.
func (m *NGramModel) Alphabet() int { return m.Symbols }

// Start begins a sequence: its first symbols have short contexts.
func (m *NGramModel) Start() Predictor {
	k := uint64(m.Symbols)
	var past []uint64 // the last Order−1 symbols, the newest first
	keys := make([]uint64, m.Order)
	b := &backoff{counts: &m.Contexts, factor: m.Backoff}
	b.keys = func() []uint64 {
		key, place := uint64(0), uint64(1)
		for d, s := range past {
			key += place * s
			place *= k
			keys[d+1] = key
		}
		return keys[:len(past)+1]
	}
	b.observe = func(symbol int) {
		if len(past) < m.Order-1 {
			past = append(past, 0)
		}
		copy(past[min(1, len(past)):], past)
		if len(past) > 0 {
			past[0] = uint64(symbol)
		}
	}
	if m.Learn {
		b.learned = make([]map[uint64]*seen, m.Order)
		for d := range b.learned {
			b.learned[d] = map[uint64]*seen{}
		}
	}
	return b
}
