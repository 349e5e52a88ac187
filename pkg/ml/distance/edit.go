package distance

import (
	"context"
	"math/bits"
	"slices"
	"strings"
	"sync/atomic"
	"unicode/utf8"

	"github.com/golatent/latent/internal/parallel"
	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Edit is the edit distance of Levenshtein (1966): the least number of characters to insert, delete
// or replace that turns a into b. It is a metric. Characters are Unicode code points; bytes that
// are no UTF-8 count as one each, each other than the others. It costs O(len(a)·len(b)/64).
func Edit(a, b string) int { return EditOf(characters(a), characters(b)) }

// characters are the code points of s. A byte that is no UTF-8 is a number of its own behind the
// last code point, so that different bytes stay different.
func characters(s string) []rune {
	out := make([]rune, 0, len(s))
	for at, r := range s {
		if r == utf8.RuneError && !strings.HasPrefix(s[at:], "\uFFFD") {
			r = utf8.MaxRune + 1 + rune(s[at])
		}
		out = append(out, r)
	}
	return out
}

// EditOf is Edit for sequences of anything comparable: words of a sentence, base pairs, moves of a
// game. An element that differs from itself, as NaN does, matches nothing.
func EditOf[T comparable](a, b []T) int {
	if len(a) > len(b) {
		a, b = b, a
	}
	symbols := make(map[T]int32, len(a))
	pattern := make([]int32, len(a))
	for i, v := range a {
		id, ok := symbols[v]
		if !ok {
			id = int32(len(symbols) + 1)
			symbols[v] = id
		}
		pattern[i] = id
	}
	text := make([]int32, len(b))
	for i, v := range b {
		text[i] = symbols[v] // 0: nowhere in the pattern
	}
	d, _ := newMasks(len(symbols)+1).distance(context.Background(), pattern, text)
	return d
}

// EditTable returns the n×m table of edit distances between two lists of strings; a nil b means a.
// It runs on all processors, eight strings of at most 64 characters at a time in one register. The
// error is ml.ErrEmpty for a list without strings, ml.ErrShape for a table of more than 2³¹
// numbers, and ctx.Err().
func EditTable(ctx context.Context, a, b []string) (*mat.Dense, error) {
	const method = "distance.EditTable"
	if b == nil {
		b = a
	}
	if len(a) == 0 || len(b) == 0 {
		return nil, ml.Empty(method, "there are %d and %d strings, want at least one each", len(a), len(b))
	}
	if len(a) > maxTable/len(b) {
		return nil, tooLarge(method, len(a), len(b))
	}
	symbols := map[rune]int32{}
	x, y := encode(a, symbols), encode(b, symbols)
	t := editTable{x: x, y: y, symbols: len(symbols) + 1, out: mat.NewDense(len(a), len(b), nil)}
	return t.out, t.fill(ctx)
}

// encode numbers the characters of strings from 1.
func encode(list []string, symbols map[rune]int32) [][]int32 {
	out := make([][]int32, len(list))
	for i, s := range list {
		out[i] = make([]int32, 0, len(s))
		for _, r := range characters(s) {
			id, ok := symbols[r]
			if !ok {
				id = int32(len(symbols) + 1)
				symbols[r] = id
			}
			out[i] = append(out[i], id)
		}
	}
	return out
}

type editTable struct {
	x, y    [][]int32
	symbols int
	out     *mat.Dense
}

// fill takes the strings of either side that fit into a word as patterns, eight at once, against
// all of the other side; what is left are pairs of two long strings.
func (t *editTable) fill(ctx context.Context) error {
	shortX, longX := byLength(t.x)
	shortY, longY := byLength(t.y)
	all := make([]int, len(t.y))
	for i := range all {
		all[i] = i
	}
	if err := t.lanes(ctx, shortX, t.x, all, t.y, func(i, j, d int) { t.out.Set(i, j, float64(d)) }); err != nil {
		return err
	}
	if err := t.lanes(ctx, shortY, t.y, longX, t.x, func(j, i, d int) { t.out.Set(i, j, float64(d)) }); err != nil {
		return err
	}
	return parallel.For(ctx, len(longX), 1, func(k, _, _ int) {
		i := longX[k]
		m := newMasks(t.symbols)
		for _, j := range longY {
			d, err := m.distance(ctx, t.x[i], t.y[j])
			if err != nil {
				return
			}
			t.out.Set(i, j, float64(d))
		}
	})
}

// word is the number of bits in a machine word, and of characters that a pattern in one may have.
const word = 64

func byLength(list [][]int32) (short, long []int) {
	for i, s := range list {
		if len(s) <= word {
			short = append(short, i)
		} else {
			long = append(long, i)
		}
	}
	return short, long
}

// width is how many patterns the kernel takes at once.
const width = 8

// lanes measures patterns, in groups of width, against texts.
func (t *editTable) lanes(ctx context.Context, which []int, patterns [][]int32, against []int, texts [][]int32, set func(pattern, text, d int)) error {
	if len(which) == 0 || len(against) == 0 {
		return ctx.Err()
	}
	const stretch = 512 // texts between two looks at the context
	across := parallel.Chunks(len(against), stretch)
	var late atomic.Bool
	err := parallel.For(ctx, parallel.Chunks(len(which), width)*across, 1, func(tile, _, _ int) {
		group := which[tile/across*width : min((tile/across+1)*width, len(which))]
		masks := make([][width]uint64, t.symbols)
		for lane, p := range group {
			for i, id := range patterns[p] {
				masks[id][lane] |= 1 << i
			}
		}
		part := against[tile%across*stretch : min((tile%across+1)*stretch, len(against))]
		for _, j := range part {
			text := texts[j]
			plus, minus := advance(ctx, masks, text, &late)
			if late.Load() {
				return
			}
			for lane, p := range group {
				within := ^uint64(0) >> (word - len(patterns[p]))
				set(p, j, len(text)+bits.OnesCount64(plus[lane]&within)-bits.OnesCount64(minus[lane]&within))
			}
		}
	})
	return err
}

// advance runs texts of any length through the kernel in stretches, between which it looks at the
// context.
func advance(ctx context.Context, masks [][width]uint64, text []int32, late *atomic.Bool) (plus, minus [width]uint64) {
	for lane := range plus {
		plus[lane] = ^uint64(0) // the first column of the table is 0, 1, 2, …
	}
	const stretch = 1 << 20
	for lo := 0; lo < len(text); lo += stretch {
		if lo > 0 && ctx.Err() != nil {
			late.Store(true)
			return
		}
		editColumns(masks, text[lo:min(lo+stretch, len(text))], &plus, &minus)
	}
	return plus, minus
}

// plainColumns moves eight bit-parallel tables over a text (Myers, 1999, as stated by Hyyrö, 2003).
// In the table of edit distances neighbors differ by −1, 0 or 1; plus and minus hold, for each of
// 64 rows at once, whether the step down the column is +1 or −1. The distance is the sum of the
// last column's steps and of the first row, which is the text's length.
func plainColumns(masks [][width]uint64, text []int32, plus, minus *[width]uint64) {
	for _, id := range text {
		m := &masks[id]
		for lane := range width {
			plus[lane], minus[lane], _, _ = column(m[lane], plus[lane], minus[lane], 1, 0)
		}
	}
}

// column is one word of one step: match says where the text's character stands in the pattern, up
// and down are the steps along the row above, which come back for the row below.
func column(match, plus, minus, up, down uint64) (newPlus, newMinus, upOut, downOut uint64) {
	x := match | down
	diagonal := (((x & plus) + plus) ^ plus) | x | minus
	along, against := minus|^(diagonal|plus), diagonal&plus
	upOut, downOut = along>>63, against>>63
	along, against = along<<1|up, against<<1|down
	return against | ^(diagonal | along), along & diagonal, upOut, downOut
}

// masks is the room for one pattern of any length.
type masks struct {
	symbols     int
	match       []uint64 // symbol by symbol, one word for each 64 characters of the pattern
	plus, minus []uint64
}

func newMasks(symbols int) *masks { return &masks{symbols: symbols} }

// distance measures one pair; the pattern is best the shorter one.
func (m *masks) distance(ctx context.Context, pattern, text []int32) (int, error) {
	if len(pattern) > len(text) {
		pattern, text = text, pattern
	}
	words := (len(pattern) + word - 1) / word
	if words == 0 {
		return len(text), nil
	}
	m.match = slices.Grow(m.match[:0], m.symbols*words)[:m.symbols*words]
	clear(m.match)
	for i, id := range pattern {
		m.match[int(id)*words+i/word] |= 1 << (i % word)
	}
	m.plus = append(m.plus[:0], make([]uint64, words)...)
	m.minus = append(m.minus[:0], make([]uint64, words)...)
	for w := range m.plus {
		m.plus[w] = ^uint64(0)
	}
	for t, id := range text {
		if t*words&^(1<<20-1) != (t+1)*words&^(1<<20-1) && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		match := m.match[int(id)*words : (int(id)+1)*words]
		up, down := uint64(1), uint64(0)
		for w := range match {
			m.plus[w], m.minus[w], up, down = column(match[w], m.plus[w], m.minus[w], up, down)
		}
	}
	d := len(text)
	for w := range words {
		within := ^uint64(0) >> (word - min(word, len(pattern)-w*word))
		d += bits.OnesCount64(m.plus[w]&within) - bits.OnesCount64(m.minus[w]&within)
	}
	return d, nil
}
