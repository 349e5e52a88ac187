package distance

// Op is what happens at one step of an alignment.
type Op byte

// The four things that can happen: the element stays, another takes its place, it goes, one comes
// in.
const (
	Match   Op = '='
	Replace Op = '~'
	Delete  Op = '-'
	Insert  Op = '+'
)

// A Step of an alignment concerns element I of a and element J of b; Delete has no J of its own and
// Insert no I, and they say before which element they happen.
type Step struct {
	Op   Op
	I, J int
}

// Align returns a shortest list of edits that turns a into b, with the matches between: as many
// steps other than Match as EditOf counts. Of several such lists it returns one, always the same.
// Time is O(len(a)·len(b)), and memory, by halving (Hirschberg, 1975), O(len(a)+len(b)).
func Align[T comparable](a, b []T) []Step {
	al := aligner[T]{steps: make([]Step, 0, max(len(a), len(b)))}
	al.align(a, b, 0, 0)
	return al.steps
}

// AlignStrings aligns two strings by their characters.
func AlignStrings(a, b string) []Step { return Align(characters(a), characters(b)) }

type aligner[T comparable] struct{ steps []Step }

func (al *aligner[T]) add(op Op, i, j int) { al.steps = append(al.steps, Step{op, i, j}) }

// small is the size of table below which keeping it whole is quicker than halving.
const small = 1 << 16

func (al *aligner[T]) align(a, b []T, i0, j0 int) {
	if (len(a)+1)*(len(b)+1) <= small || len(a) < 2 {
		al.table(a, b, i0, j0)
		return
	}
	// The best way passes row half in some column; it is the one where the distances from the start
	// and to the end add up to the least.
	half := len(a) / 2
	there, back := lastRow(a[:half], b, false), lastRow(a[half:], b, true)
	at := 0
	for j := range there {
		if there[j]+back[len(b)-j] < there[at]+back[len(b)-at] {
			at = j
		}
	}
	al.align(a[:half], b[:at], i0, j0)
	al.align(a[half:], b[at:], i0+half, j0+at)
}

// lastRow returns the edit distances of all of a from each beginning of b, or, backwards, from each
// end.
func lastRow[T comparable](a, b []T, backwards bool) []int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		v := a[i]
		if backwards {
			v = a[len(a)-1-i]
		}
		corner := row[0]
		row[0] = i + 1
		for j := range b {
			w := b[j]
			if backwards {
				w = b[len(b)-1-j]
			}
			cost := 1
			if v == w {
				cost = 0
			}
			best := min(corner+cost, row[j]+1, row[j+1]+1)
			corner, row[j+1] = row[j+1], best
		}
	}
	return row
}

// table fills the table of all beginnings and walks back through it.
func (al *aligner[T]) table(a, b []T, i0, j0 int) {
	w := len(b) + 1
	d := make([]int32, (len(a)+1)*w)
	for j := range w {
		d[j] = int32(j)
	}
	for i := range a {
		above, row := d[i*w:(i+1)*w], d[(i+1)*w:(i+2)*w]
		row[0] = int32(i + 1)
		for j := range b {
			cost := int32(1)
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(above[j]+cost, above[j+1]+1, row[j]+1)
		}
	}
	begin := len(al.steps)
	for i, j := len(a), len(b); i > 0 || j > 0; {
		switch v := d[i*w+j]; {
		case i > 0 && j > 0 && a[i-1] == b[j-1] && v == d[(i-1)*w+j-1]:
			i, j = i-1, j-1
			al.add(Match, i0+i, j0+j)
		case i > 0 && j > 0 && v == d[(i-1)*w+j-1]+1:
			i, j = i-1, j-1
			al.add(Replace, i0+i, j0+j)
		case i > 0 && v == d[(i-1)*w+j]+1:
			i--
			al.add(Delete, i0+i, j0+j)
		default:
			j--
			al.add(Insert, i0+i, j0+j)
		}
	}
	for lo, hi := begin, len(al.steps)-1; lo < hi; lo, hi = lo+1, hi-1 {
		al.steps[lo], al.steps[hi] = al.steps[hi], al.steps[lo]
	}
}
