package pictures

import (
	"fmt"

	"github.com/golatent/latent/pkg/ml"
)

// Walk gives the conditionals of pictures pixel by pixel, in the order in which they are generated,
// one picture after another. At each pixel a layer computes the one column that is new from the
// columns that it has, so that a whole picture costs about as much as one pass of the network. It
// is plain Go on float32, and every product and sum is rounded in one order: a Walk finds the same
// bits on every machine, which sampling and coding need.
//
// Predict and Observe take turns. A Walk is for one goroutine.
type Walk struct {
	canvas  *canvas
	like    likelihood
	columns []column
	grids   []grid   // of the sheets
	inputs  [][]grid // of the layers
	class   int
	given   []float32 // beside the picture, pixel by pixel; nil where nothing is
	pixel   int       // the next one
	ready   bool      // the output at that pixel is there
}

// newWalk makes room for the columns; prepared are those of c.prepare.
func newWalk(c *canvas, like likelihood, prepared []column, class int) *Walk {
	w := &Walk{canvas: c, like: like, columns: prepared, class: class}
	rows := make([]int, len(c.sheets))
	for _, l := range c.layers {
		for _, in := range l.in {
			rows[in.id] = max(rows[in.id], l.reach())
		}
	}
	for i, s := range c.sheets {
		if s.known == beforehand {
			rows[i] = s.height
		}
		g := grid{rows: min(rows[i]+1, s.height), width: s.width, channels: s.channels}
		g.data = make([]float32, g.rows*g.width*g.channels)
		w.grids = append(w.grids, g)
	}
	for _, l := range c.layers {
		var in []grid
		for _, s := range l.in {
			in = append(in, w.grids[s.id])
		}
		w.inputs = append(w.inputs, in)
	}
	return w
}

// prepare gives the layers their weights.
func (c *canvas) prepare(w constants) ([]column, error) {
	if known := c.output().known; known > before {
		return nil, fmt.Errorf("the output at a pixel depends on the pixel itself")
	}
	columns := make([]column, len(c.layers))
	for i, l := range c.layers {
		col, err := l.column(w.within(l.name))
		if err != nil {
			return nil, fmt.Errorf("layer %q: %w", l.name, err)
		}
		columns[i] = col
	}
	return columns, nil
}

// output computes what the network says of the next pixel.
func (w *Walk) output() []float32 {
	y, x := w.pixel/w.canvas.width, w.pixel%w.canvas.width
	if !w.ready {
		if w.pixel == 0 {
			w.sweep(beforehand, 0, w.canvas.height)
		}
		if x == 0 {
			w.sweep(above, y, y+1)
		}
		w.compute(before, y, x)
		w.ready = true
	}
	return w.grids[len(w.grids)-1].at(y, x)
}

// sweep computes the sheets of a moment over whole rows, each before the next sheet: they may be
// read ahead.
func (w *Walk) sweep(known moment, from, to int) {
	for i, s := range w.canvas.sheets[1:] {
		for y := from; s.known == known && y < to; y++ {
			for x := 0; y%s.scale == 0 && x < s.width; x++ {
				w.columns[i](w.grids[i+1].at(y/s.scale, x), w.place(y/s.scale, x), w.inputs[i])
			}
		}
	}
}

// compute brings the sheets of a moment up to a pixel.
func (w *Walk) compute(known moment, y, x int) {
	for i, s := range w.canvas.sheets[1:] {
		if s.known == known && y%s.scale == 0 && x%s.scale == 0 {
			w.columns[i](w.grids[i+1].at(y/s.scale, x/s.scale), w.place(y/s.scale, x/s.scale), w.inputs[i])
		}
	}
}

func (w *Walk) place(y, x int) place {
	p := place{y: y, x: x, class: w.class}
	if w.given != nil {
		channels := len(w.given) / (w.canvas.height * w.canvas.width)
		p.given = w.given[(y*w.canvas.width+x)*channels:][:channels]
	}
	return p
}

// Predict fills p, of as many numbers as there are levels, with the probabilities of the next
// pixel's.
func (w *Walk) Predict(p []float64) error {
	if len(p) != w.like.levels() {
		return ml.BadShape("pictures.Walk.Predict", "p has %d numbers for %d levels", len(p), w.like.levels())
	}
	w.like.probabilities(p, w.output())
	return nil
}

// Observe says what the pixel is, and goes on to the next; after the last to the first of another
// picture of the same class. A value that is no level is taken as the nearest.
func (w *Walk) Observe(level int) {
	levels := w.like.levels()
	w.output() // the layers' columns of this pixel, which later ones read
	y, x := w.pixel/w.canvas.width, w.pixel%w.canvas.width
	in := w.grids[0].at(y, x)
	in[0], in[1] = scaledLevel(min(max(level, 0), levels-1), levels), 1
	w.compute(including, y, x)
	w.ready = false
	w.pixel = (w.pixel + 1) % (w.canvas.height * w.canvas.width)
}

// scaledLevel is the value of a level from −1 to 1, as the network reads it.
func scaledLevel(level, levels int) float32 {
	return float32(float32(level)*float32(2/float64(levels-1))) - 1
}
