package coding

import (
	"context"
	"slices"

	"github.com/golatent/latent/pkg/ml"
)

// A context is what a symbol's probabilities are made to depend on: the last four letters, the
// pixels around. Long contexts say more and are seen less often. Witten and Bell (1991) mix them:
// with n(h) symbols seen after context h, T(h) different ones among them, and h' the next shorter
// context,
//
//	p(s | h) = (n(hs) + T(h) p(s | h')) / (n(h) + T(h)),
//
// down to equal probabilities. T(h) estimates how often something new follows. A factor before T(h)
// makes the mixture trust long contexts less. NGram and Pictures differ in their contexts alone.

// Contexts are counts of what follows each context, at every depth from the shortest. Depth d has
// the contexts Keys[First[d]:First[d+1]], in rising order; what follows context i is
// Next[Start[i]:Start[i+1]], in rising order, as often as Count says.
type Contexts struct {
	First, Keys, Start, Next, Count []int
}

// maxKey bounds a context's number times the size of the alphabet.
const maxKey = 1 << 62

// gather counts, for each depth, the keys' symbols. pairs(d) lists key·alphabet + symbol for every
// place of the data.
func gather(ctx context.Context, depths, alphabet int, pairs func(d int) []uint64) (Contexts, error) {
	c := Contexts{First: []int{0}, Start: []int{0}}
	for d := range depths {
		if err := ctx.Err(); err != nil {
			return c, err
		}
		list := pairs(d)
		if err := sortPairs(ctx, list); err != nil {
			return c, err
		}
		for i := 0; i < len(list); {
			key := list[i] / uint64(alphabet)
			c.Keys = append(c.Keys, int(key))
			for i < len(list) && list[i]/uint64(alphabet) == key {
				j := i
				for j < len(list) && list[j] == list[i] {
					j++
				}
				c.Next, c.Count = append(c.Next, int(list[i]%uint64(alphabet))), append(c.Count, j-i)
				i = j
			}
			c.Start = append(c.Start, len(c.Next))
		}
		c.First = append(c.First, len(c.Keys))
	}
	return c, nil
}

// sortPairs sorts by parts, so that a context that ends is heard soon.
func sortPairs(ctx context.Context, list []uint64) error {
	const piece = 1 << 18
	for lo := 0; lo < len(list); lo += piece {
		slices.Sort(list[lo:min(lo+piece, len(list))])
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	if len(list) <= piece {
		return nil
	}
	other := make([]uint64, len(list))
	for width := piece; width < len(list); width *= 2 {
		for lo := 0; lo < len(list); lo += 2 * width {
			merge(other[lo:min(lo+2*width, len(list))], list[lo:min(lo+width, len(list))], list[min(lo+width, len(list)):min(lo+2*width, len(list))])
		}
		copy(list, other)
		if err := ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

func merge(to, a, b []uint64) {
	for k := range to {
		if len(b) == 0 || len(a) > 0 && a[0] <= b[0] {
			to[k], a = a[0], a[1:]
		} else {
			to[k], b = b[0], b[1:]
		}
	}
}

// check holds counts that were loaded or built by hand to what the predictor relies on.
func (c *Contexts) check(method string, depths, alphabet int) error {
	contexts := len(c.Keys)
	ok := len(c.First) == depths+1 && len(c.Start) == contexts+1 && len(c.Count) == len(c.Next) &&
		c.First[0] == 0 && c.First[depths] == contexts && c.Start[0] == 0 && c.Start[contexts] == len(c.Next) &&
		slices.IsSorted(c.First) && slices.IsSorted(c.Start)
	for i, s := range c.Next {
		ok = ok && s >= 0 && s < alphabet && c.Count[i] > 0 && c.Count[i] <= maxSymbols
	}
	if !ok {
		return ml.BadShape(method, "the counts of the model do not fit together")
	}
	return nil
}

// seen is what followed one context: symbols with counts, and their sum.
type seen struct {
	next, count []int
	sum         int
}

// backoff is a Predictor by Witten and Bell's mixture. keys gives the contexts at the current
// place, the shortest first.
type backoff struct {
	counts  *Contexts
	factor  float64 // of T(h)
	keys    func() []uint64
	observe func(symbol int)
	learned []map[uint64]*seen // by depth, contexts with what was observed added to the counts; nil if the model does not learn
}

// Predict implements Predictor. The cost is O(alphabet + Σ T(h)) beside the search for the
// contexts.
func (b *backoff) Predict(p []float64) error {
	for s := range p {
		p[s] = 1 / float64(len(p))
	}
	for d, key := range b.keys() {
		h := b.find(d, key)
		if h.sum == 0 {
			continue // a context that was never seen says nothing
		}
		different := b.factor * float64(len(h.next))
		all := float64(h.sum) + different
		for s := range p {
			p[s] *= different / all
		}
		for i, s := range h.next {
			p[s] += float64(h.count[i]) / all
		}
	}
	return nil
}

// Observe implements Predictor.
func (b *backoff) Observe(symbol int) {
	if b.learned != nil {
		for d, key := range b.keys() {
			b.learn(d, key, symbol)
		}
	}
	b.observe(symbol)
}

func (b *backoff) find(d int, key uint64) seen {
	if b.learned != nil {
		if h, ok := b.learned[d][key]; ok {
			return *h
		}
	}
	c := b.counts
	if d+1 >= len(c.First) {
		return seen{}
	}
	i, ok := slices.BinarySearch(c.Keys[c.First[d]:c.First[d+1]], int(key))
	if !ok {
		return seen{}
	}
	i += c.First[d]
	h := seen{next: c.Next[c.Start[i]:c.Start[i+1]], count: c.Count[c.Start[i]:c.Start[i+1]]}
	for _, n := range h.count {
		h.sum += n
	}
	return h
}

func (b *backoff) learn(d int, key uint64, symbol int) {
	h, ok := b.learned[d][key]
	if !ok {
		before := b.find(d, key)
		h = &seen{slices.Clone(before.next), slices.Clone(before.count), before.sum}
		b.learned[d][key] = h
	}
	i := slices.Index(h.next, symbol)
	if i < 0 {
		i = len(h.next)
		h.next, h.count = append(h.next, symbol), append(h.count, 0)
	}
	h.count[i]++
	h.sum++
}
