package topic

import (
	"context"
	"math/rand/v2"

	"github.com/golatent/latent/internal/rng"
)

// sampler draws topics for the words of one shard. With a topic's inverse denominator inv = 1/(n_k
// + Vη) and weight cₖ = (n_dk + αₖ)·invₖ, a word has topic k with probability proportional to
//
//	n_wk·cₖ + η·cₖ,
//
// of which the first is 0 for all but the topics in the word's list, and the second does not know
// the word: its sum over k is kept while the counts change.
type sampler struct {
	f      *gibbsFit
	counts *lists
	r      *rand.Rand
	own    []int32   // n_dk of the document at hand
	inv, c []float64 // length K
	run    []float64 // sums of n_wk·cₖ along the word's list
	sum    float64   // Σ cₖ
	vEta   float64
}

func newSampler(f *gibbsFit, counts *lists, shard int) *sampler {
	s := &sampler{f: f, counts: counts, r: rng.New(f.Seed, 1, f.sweeps, shard), own: make([]int32, f.k), inv: make([]float64, f.k),
		c: make([]float64, f.k), run: make([]float64, f.k), vEta: float64(f.v) * f.eta}
	for k, n := range counts.size {
		s.inv[k] = 1 / (float64(n) + s.vEta)
	}
	return s
}

// documents draws the topics of the words of documents lo to hi−1, or of those before the context
// ends.
func (s *sampler) documents(ctx context.Context, lo, hi int) {
	words := 0
	for i := lo; i < hi; i++ {
		from, to := s.f.start[i], s.f.start[i+1]
		if words += to - from; words > 1<<14 {
			if words = 0; ctx.Err() != nil {
				return
			}
		}
		if from < to {
			s.document(ctx, s.f.word[from:to], s.f.z[from:to])
		}
	}
}

func (s *sampler) document(ctx context.Context, word []int32, topic []uint16) {
	for _, k := range topic {
		s.own[k]++
	}
	s.sum = 0
	for k, a := range s.f.alpha {
		s.c[k] = (a + float64(s.own[k])) * s.inv[k]
		s.sum += s.c[k] // anew, so that rounding does not add up
	}
	for p, w := range word {
		if p&(1<<16-1) == 1<<16-1 && ctx.Err() != nil {
			break
		}
		old := int(topic[p])
		s.own[old]--
		s.move(old, -1)
		if k := s.next(w, int32(old)); k != old {
			topic[p] = uint16(k)
			s.own[k]++
			s.move(k, 1)
		} else {
			s.own[old]++
			s.move(old, 1)
		}
	}
	clear(s.own)
}

// move changes how many words topic k has, in all and, before the call, in the document.
func (s *sampler) move(k int, by int32) {
	s.counts.size[k] += by
	s.inv[k] = 1 / (float64(s.counts.size[k]) + s.vEta)
	c := (s.f.alpha[k] + float64(s.own[k])) * s.inv[k]
	s.sum += c - s.c[k]
	s.c[k] = c
}

// next draws the topic of a word that had topic old, and keeps the word's list.
func (s *sampler) next(w, old int32) int {
	first, used := s.counts.first[w], int(s.counts.used[w])
	list := s.counts.entry[first : first+used]
	run := s.run[:used]
	q, was := 0.0, 0
	for e := range list {
		l := &list[e]
		if l.topic == old {
			l.count--
			was = e
		}
		q += float64(l.count) * s.c[l.topic]
		run[e] = q
	}
	u := s.r.Float64() * (q + s.f.eta*s.sum)
	if u < q {
		e := 0
		for run[e] <= u {
			e++
		}
		k := list[e].topic
		list[e].count++
		if list[was].count == 0 {
			list[was] = list[used-1]
			s.counts.used[w]--
		}
		return int(k)
	}
	k := s.smooth(s.r.Float64() * s.sum)
	if list[was].count == 0 && int(k) != int(old) {
		list[was] = list[used-1]
		used--
		list = list[:used]
	}
	for e := range list {
		if int(list[e].topic) == k {
			list[e].count++
			s.counts.used[w] = int32(used)
			return k
		}
	}
	s.counts.entry[first+used] = entry{int32(k), 1}
	s.counts.used[w] = int32(used + 1)
	return k
}

// smooth draws a topic by cₖ alone.
func (s *sampler) smooth(u float64) int {
	last := 0
	for k, c := range s.c {
		if c > 0 {
			last = k
		}
		if u -= c; u < 0 {
			return k
		}
	}
	return last
}
