package distance_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/golatent/latent/internal/rng"
	"github.com/golatent/latent/pkg/ml/distance"
	"pgregory.net/rapid"
)

// byTable is the definition: the shortest of three ways to each cell.
func byTable[T comparable](a, b []T) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range b {
		d[0][j+1] = j + 1
	}
	for i := range a {
		for j := range b {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			d[i+1][j+1] = min(d[i][j]+cost, d[i][j+1]+1, d[i+1][j]+1)
		}
	}
	return d[len(a)][len(b)]
}

func letters(r *rand.Rand, n, alphabet int) string {
	var s strings.Builder
	for range n {
		s.WriteRune(rune('a' + r.IntN(alphabet)))
	}
	return s.String()
}

func TestEditKnown(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"saturday", "sunday", 3}, {"Gödel", "Godel", 1}, {"日本語", "日本", 1}, {"ab", "ba", 2},
	} {
		if got := distance.Edit(c.a, c.b); got != c.want {
			t.Errorf("Edit(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
}

// Around the word's length and far beyond, the bit-parallel distance is the table's.
// Different bytes stay different, also where they are no UTF-8.
func TestBytesThatAreNoUTF8(t *testing.T) {
	a, b := "J\xfcrgen", "J\xf6rgen" // ü and ö of Latin-1
	for _, c := range []struct {
		a, b string
		want int
	}{{a, b, 1}, {a, a, 0}, {a, "Jürgen", 1}, {"\xff", "\uFFFD", 1}, {"\uFFFD", "\uFFFD", 0}, {"\xc3", "\xc3\xa4", 1}} {
		if got := distance.Edit(c.a, c.b); got != c.want {
			t.Errorf("Edit(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		table, err := distance.EditTable(t.Context(), []string{c.a}, []string{c.b})
		if err != nil || table.At(0, 0) != float64(c.want) {
			t.Errorf("the table of %q and %q has %v, %v, want %d", c.a, c.b, table, err, c.want)
		}
		steps := 0
		for _, s := range distance.AlignStrings(c.a, c.b) {
			if s.Op != distance.Match {
				steps++
			}
		}
		if steps != c.want {
			t.Errorf("the alignment of %q and %q changes %d, want %d", c.a, c.b, steps, c.want)
		}
	}
}

func TestEditIsTheTables(t *testing.T) {
	r := rng.New(5)
	for _, n := range []int{0, 1, 7, 8, 63, 64, 65, 127, 128, 129, 200, 700} {
		for _, m := range []int{0, 1, 9, 63, 64, 65, 128, 191, 193, 500} {
			for _, alphabet := range []int{2, 26} {
				a, b := letters(r, n, alphabet), letters(r, m, alphabet)
				if n == m { // near to each other
					b = a[:n/2] + letters(r, 1, alphabet) + a[n/2:]
				}
				if got, want := distance.Edit(a, b), byTable([]rune(a), []rune(b)); got != want {
					t.Errorf("lengths %d and %d: %d, want %d", n, m, got, want)
				}
			}
		}
	}
}

func TestEditTable(t *testing.T) {
	r := rng.New(6)
	var a, b []string
	for i := range 45 {
		a = append(a, letters(r, 3*i, 4))
		b = append(b, letters(r, 130-3*i+r.IntN(3), 5))
	}
	a, b = append(a, "日本語", strings.Repeat("x", 64)), append(b, "", "日本", strings.Repeat("xy", 32))
	got, err := distance.EditTable(t.Context(), a, b)
	if err != nil {
		t.Fatal(err)
	}
	for i := range a {
		for j := range b {
			if want := byTable([]rune(a[i]), []rune(b[j])); int(got.At(i, j)) != want {
				t.Fatalf("(%d, %d) of lengths %d and %d: %v, want %d", i, j, len(a[i]), len(b[j]), got.At(i, j), want)
			}
		}
	}
	self, err := distance.EditTable(t.Context(), a, nil)
	if err != nil {
		t.Fatal(err)
	}
	report, err := distance.Axioms(t.Context(), self, 0)
	if err != nil || !report.Metric() {
		t.Errorf("the edit distance is no metric: %v\n%v", err, report)
	}
}

// An alignment turns a into b, with no more edits than there must be.
func checkAlignment[T comparable](a, b []T) error {
	steps := distance.Align(a, b)
	var out []T
	i, edits := 0, 0
	for _, s := range steps {
		if s.Op != distance.Insert {
			if s.I != i {
				return fmt.Errorf("step %+v, want element %d of a", s, i)
			}
			i++
		}
		if s.Op != distance.Delete {
			if s.J != len(out) {
				return fmt.Errorf("step %+v, want element %d of b", s, len(out))
			}
			out = append(out, b[s.J])
		}
		if s.Op == distance.Match && a[s.I] != b[s.J] {
			return fmt.Errorf("step %+v matches %v and %v", s, a[s.I], b[s.J])
		}
		if s.Op != distance.Match {
			edits++
		}
	}
	if i != len(a) || len(out) != len(b) {
		return fmt.Errorf("the alignment ends at %d and %d of %d and %d", i, len(out), len(a), len(b))
	}
	if want := distance.EditOf(a, b); edits != want {
		return fmt.Errorf("%d edits, the distance is %d", edits, want)
	}
	return nil
}

func TestAlign(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		small := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 20)
		if err := checkAlignment(small.Draw(t, "a"), small.Draw(t, "b")); err != nil {
			t.Fatal(err)
		}
	})
	r := rng.New(7)
	for _, n := range []int{300, 900} { // long enough to be halved
		a := letters(r, n, 4)
		b := a[:n/3] + letters(r, n/2, 4) + a[n/2:]
		if err := checkAlignment([]rune(a), []rune(b)); err != nil {
			t.Errorf("%d: %v", n, err)
		}
	}
}

func FuzzEdit(f *testing.F) {
	f.Add("kitten", "sitting")
	f.Add(strings.Repeat("ab", 40), "b")
	f.Add("\xff\xfe", "é")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 500 || len(b) > 500 {
			return
		}
		if got, want := distance.Edit(a, b), byTable([]rune(a), []rune(b)); got != want {
			t.Fatalf("%d, want %d", got, want)
		}
		table, err := distance.EditTable(t.Context(), []string{a, b}, []string{b, "x"})
		if err != nil || int(table.At(0, 0)) != distance.Edit(a, b) || int(table.At(1, 0)) != 0 {
			t.Fatalf("table %v, %v", table, err)
		}
		if err := checkAlignment([]rune(a), []rune(b)); err != nil {
			t.Fatal(err)
		}
	})
}
