package coding

import (
	"context"

	"github.com/golatent/latent/pkg/ml"
	"gonum.org/v1/gonum/mat"
)

// Pictures predicts the pixels of small pictures, row by row from the top, each from its place and
// its neighbors to the left and above: tables of counts for more and more neighbors, the nearest
// first, mixed as Witten and Bell (1991) propose. A neighbor outside the picture is a level of its
// own.
//
// Fit costs O(Neighbors · nd log nd) for n pictures of d pixels.
type Pictures struct {
	Height, Width int     // of a picture; Height·Width is the number of columns
	Levels        int     // values are whole numbers from 0 to Levels−1; 0 means 2
	Neighbors     int     // how many neighbors at most, 1 to 12, as long as the contexts can be numbered; 0 means 8
	Backoff       float64 // weight of fewer neighbors, as a factor of Witten and Bell's; 0 means 8
}

// PicturesModel is a Pictures with its counts. It is a Model of one picture after another: each has
// d symbols, and knows nothing of the one before.
type PicturesModel struct {
	Height, Width, Levels, Neighbors int
	Backoff                          float64
	Contexts                         Contexts // depth 0 is nothing, 1 the place alone, then the place with more neighbors
}

func init() { ml.Register[PicturesModel]("coding.PicturesModel") }

// around lists neighbors that come before a pixel, by row and column, the nearest first.
var around = [12][2]int{{0, -1}, {-1, 0}, {-1, -1}, {-1, 1}, {0, -2}, {-2, 0}, {-2, -1}, {-2, 1}, {-1, -2}, {-1, 2}, {-2, -2}, {-2, 2}}

// Fit counts the contexts of the rows of x. Errors are ml.ErrParameter for an option out of range
// or a value that is no level (with its row and column), ml.ErrShape for a number of columns that
// is not Height·Width, ml.ErrEmpty, ml.ErrNotFinite and ctx.Err().
func (p Pictures) Fit(ctx context.Context, x mat.Matrix) (*PicturesModel, error) {
	m := &PicturesModel{Height: p.Height, Width: p.Width, Levels: p.Levels, Neighbors: p.Neighbors, Backoff: p.Backoff}
	if m.Levels == 0 {
		m.Levels = 2
	}
	if m.Neighbors == 0 {
		m.Neighbors = 8
	}
	if m.Backoff == 0 {
		m.Backoff = 8
	}
	const method = "coding.Pictures"
	if err := m.checkOptions(method); err != nil {
		return nil, err
	}
	symbols, err := m.symbols(method, x)
	if err != nil {
		return nil, err
	}
	d := m.Height * m.Width
	m.Contexts, err = gather(ctx, m.depths(), m.Levels, func(depth int) []uint64 {
		list := make([]uint64, 0, len(symbols))
		for t, s := range symbols {
			keys := m.keys(symbols[t-t%d:t], nil)
			list = append(list, keys[depth]*uint64(m.Levels)+uint64(s))
		}
		return list
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Symbols lists the pixels of the rows of x, one picture after another, as symbols.
func (m *PicturesModel) Symbols(x mat.Matrix) ([]int, error) {
	return m.symbols("coding.PicturesModel.Symbols", x)
}

func (m *PicturesModel) symbols(method string, x mat.Matrix) ([]int, error) {
	y, err := ml.Dense(method, x)
	if err != nil {
		return nil, err
	}
	n, d := y.Dims()
	if d != m.Height*m.Width {
		return nil, ml.BadShape(method, "the matrix has %d columns, Height·Width = %d·%d", d, m.Height, m.Width)
	}
	out := make([]int, n*d)
	for i, v := range y.RawMatrix().Data[:n*d] {
		out[i] = int(min(max(v, 0), float64(m.Levels-1)))
		if float64(out[i]) != v {
			return nil, ml.BadParameter(method, sprintf("row %d, column %d", i/d, i%d), v, sprintf("a whole number from 0 to %d", m.Levels-1))
		}
	}
	return out, nil
}

func (m *PicturesModel) depths() int { return m.Neighbors + 2 }

func (m *PicturesModel) checkOptions(method string) error {
	switch {
	case m.Height < 1 || m.Width < 1 || m.Height > 1<<12 || m.Width > 1<<12:
		return ml.BadParameter(method, "Height, Width", sprintf("%d, %d", m.Height, m.Width), "1 to 4,096 pixels")
	case m.Levels < 1 || m.Levels > 1<<16:
		return ml.BadParameter(method, "Levels", m.Levels, "0 (for 2) or 1 to 65,536")
	case m.Neighbors < 1 || m.Neighbors > len(around):
		return ml.BadParameter(method, "Neighbors", m.Neighbors, "0 (for 8) or 1 to 12")
	case !validBackoff(m.Backoff):
		return ml.BadParameter(method, "Backoff", m.Backoff, "0 (for 8) or 0.001 to 1,000")
	}
	contexts := uint64(m.Height*m.Width) * uint64(m.Levels)
	for range m.Neighbors {
		if contexts >= maxKey/uint64(m.Levels+1) {
			return ml.BadParameter(method, "Neighbors", m.Neighbors, sprintf("so few that places × (Levels+1)^Neighbors × Levels stays below 2⁶²; %d levels are too many for that", m.Levels))
		}
		contexts *= uint64(m.Levels + 1)
	}
	return nil
}

func (m *PicturesModel) check(method string) error {
	if err := m.checkOptions(method); err != nil {
		return err
	}
	return m.Contexts.check(method, m.depths(), m.Levels)
}

// keys numbers the contexts of the pixel that follows past, the pixels of its picture so far.
func (m *PicturesModel) keys(past []int, keys []uint64) []uint64 {
	place := len(past)
	row, column := place/m.Width, place%m.Width
	key := uint64(place)
	keys = append(keys[:0], 0, key)
	for _, a := range around[:m.Neighbors] {
		r, c := row+a[0], column+a[1]
		level := uint64(m.Levels)
		if r >= 0 && c >= 0 && c < m.Width {
			level = uint64(past[r*m.Width+c])
		}
		key = key*uint64(m.Levels+1) + level
		keys = append(keys, key)
	}
	return keys
}

// Alphabet returns Levels.
func (m *PicturesModel) Alphabet() int { return m.Levels }

// Order returns the pixels row by row from the top.
func (m *PicturesModel) Order() []int {
	order := make([]int, m.Height*m.Width)
	for j := range order {
		order[j] = j
	}
	return order
}

// Start begins with the first pixel of a picture.
func (m *PicturesModel) Start() Predictor {
	var past []int
	var keys []uint64
	b := &backoff{counts: &m.Contexts, factor: m.Backoff}
	b.keys = func() []uint64 {
		keys = m.keys(past, keys)
		return keys
	}
	b.observe = func(symbol int) {
		past = append(past, symbol)
		if len(past) == m.Height*m.Width {
			past = past[:0]
		}
	}
	return b
}
