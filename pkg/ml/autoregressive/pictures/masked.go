package pictures

import (
	"fmt"
	"strings"

	"github.com/golatent/latent/internal/fixed"
	"github.com/golatent/latent/pkg/ml"
	"github.com/golatent/latent/pkg/ml/autoregressive/internal/symbol"
	"github.com/golatent/latent/pkg/ml/neural"
	"github.com/golatent/latent/pkg/ml/neural/layers"
	"github.com/gomlx/compute/dtypes"
	"github.com/gomlx/compute/shapes"
	"github.com/gomlx/gomlx/core/graph"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/initializer"
)

// Pictures come pixel after pixel: row by row from the top, each row from the left. A network that
// gives the conditionals of all pixels in one pass must let none of its outputs see a pixel that is
// not there yet. Here it is written down once, layer by layer on a canvas, and then run in two
// ways:
//
//   - as a graph over a minibatch, for training and likelihoods (canvas.graph);
//   - pixel by pixel in plain Go, where every layer computes its one new column from the columns it
//     has, for sampling and coding (Walk).
//
// A masked convolution is a list of taps: the places, relative to a pixel, that it reads. What is
// masked is not computed. Each sheet knows at which moment of the raster order it can be known, and
// a layer that reads too much can't be added.

// moment is when the numbers of a sheet at a pixel can be known.
type moment int

const (
	beforehand moment = iota // before the first pixel: what is given beside the picture, at all places
	above                    // when the rows above are
	before                   // when all pixels before are
	including                // when the pixel itself is
)

// tap is a place that a convolution reads, relative to the pixel it computes. Lists of them are in
// raster order.
type tap struct{ dy, dx int }

// maskedTaps are those of a convolution of size×size that sees what comes before a pixel; self adds
// the pixel itself. Without it the mask is van den Oord's type A, for the first layer, with it type
// B.
func maskedTaps(size int, self bool) []tap {
	return append(aboveTaps(size/2, size, false), leftTaps(size/2, self)...)
}

// aboveTaps are rows rows above a pixel, width wide around its column; current adds the pixel's own
// row, which only a sheet known above can take.
func aboveTaps(rows, width int, current bool) (taps []tap) {
	last := -1
	if current {
		last = 0
	}
	for dy := -rows; dy <= last; dy++ {
		for dx := -(width / 2); dx < width-width/2; dx++ {
			taps = append(taps, tap{dy, dx})
		}
	}
	return taps
}

// leftTaps are as many pixels to the left; self adds the pixel itself.
func leftTaps(pixels int, self bool) (taps []tap) {
	for dx := -pixels; dx < 0; dx++ {
		taps = append(taps, tap{0, dx})
	}
	if self {
		taps = append(taps, tap{})
	}
	return taps
}

// cornerTaps are a pixel, that above it, that to the left and that between: a convolution of 2×2
// shifted down and right.
func cornerTaps() []tap { return []tap{{-1, -1}, {-1, 0}, {0, -1}, {0, 0}} }

// sheet is what a layer puts out: channels numbers at every pixel of a picture that is scale times
// smaller than the whole, in each direction.
type sheet struct {
	id, height, width, scale, channels int
	known                              moment
}

// layer computes one sheet from others. The same numbers must come from both ways of running it.
type layer interface {
	// graph computes whole sheets, [b, height, width, channels] each.
	graph(s *model.Scope, p pass, in []*graph.Node) *graph.Node
	// column prepares what computes the sheet at one pixel; w are the layer's own weights. It is
	// used by several goroutines.
	column(w constants) (column, error)
	// reach is how many rows above the pixel's own the layer reads.
	reach() int
}

// column fills out with a sheet's numbers at a place. It may read of its inputs what their moments
// allow.
type column func(out []float32, at place, in []grid)

// place is a pixel of a sheet, in the sheet's own scale, of a picture of a class.
type place struct {
	y, x, class int
	given       []float32 // what is given there beside the picture
}

// grid is a sheet's numbers so far, of as many rows as are still read.
type grid struct {
	rows, width, channels int
	data                  []float32
}

func (g grid) at(y, x int) []float32 {
	i := (y%g.rows*g.width + x) * g.channels
	return g.data[i : i+g.channels : i+g.channels]
}

// pass is what a graph is computed with beside the picture.
type pass struct {
	class *graph.Node   // [b, classes], a 1 at the class of each picture; nil without classes
	noise []*graph.Node // for each dropout, uniform; nil where nothing is left out
	given *graph.Node   // [b, height, width, channels], see canvas.given; nil where nothing is
}

// canvas is a network over pictures. Its first sheet is the input, its last the output.
type canvas struct {
	height, width, classes int
	dropped                []sheet // where dropout is
	sheets                 []sheet
	layers                 []placed // of sheets 1, 2, …
}

type placed struct {
	name string
	layer
	in []sheet
}

// newCanvas is empty but for the input: two channels, the value of a pixel from −1 to 1, and a 1
// that tells the inside from what lies outside of the picture, which is 0.
func newCanvas(height, width, classes int) *canvas {
	return &canvas{height: height, width: width, classes: classes, sheets: []sheet{{0, height, width, 1, 2, including}}}
}

func (c *canvas) input() sheet  { return c.sheets[0] }
func (c *canvas) output() sheet { return c.sheets[len(c.sheets)-1] }

// add places a layer that puts out a sheet of the given size. Layers of one name share nothing:
// each needs its own, unless it has no weights ("").
func (c *canvas) add(name string, l layer, out sheet, in ...sheet) sheet {
	out.id = len(c.sheets)
	c.sheets, c.layers = append(c.sheets, out), append(c.layers, placed{name, l, in})
	return out
}

// convolve is an affine map of what the taps read; what lies outside the picture counts as 0.
func (c *canvas) convolve(name string, in sheet, channels int, taps []tap) sheet {
	out := in
	out.channels, out.known = channels, seen(in, taps)
	return c.add(name, convolution{taps, in.channels, channels, 1}, out, in)
}

// project is a convolution of 1×1.
func (c *canvas) project(name string, in sheet, channels int) sheet {
	return c.convolve(name, in, channels, []tap{{}})
}

// halve is a convolution at every second pixel of every second row.
func (c *canvas) halve(name string, in sheet, channels int, taps []tap) sheet {
	out := sheet{height: (in.height + 1) / 2, width: (in.width + 1) / 2, scale: 2 * in.scale, channels: channels, known: seen(in, taps)}
	return c.add(name, convolution{taps, in.channels, channels, 2}, out, in)
}

// double is the way back from halve: each pixel becomes a block of 2×2, each of the four by an
// affine map of its own. like has the size wanted.
func (c *canvas) double(name string, in sheet, channels int, like sheet) sheet {
	out := like
	out.channels, out.known = channels, in.known
	return c.add(name, doubling{in.channels, channels, like.height, like.width}, out, in)
}

// label adds numbers of its class to every pixel of a picture; without classes it is nothing.
func (c *canvas) label(name string, in sheet) sheet {
	if c.classes == 0 {
		return in
	}
	return c.add(name, classBias{c.classes, in.channels}, in, in)
}

// locate adds numbers of its own to every pixel, the same in all pictures: what a convolution,
// which treats all places alike, can't know.
func (c *canvas) locate(name string, in sheet) sheet {
	return c.add(name, placeBias{in.height, in.width, in.channels}, in, in)
}

// drop leaves out a share of the numbers, in training.
func (c *canvas) drop(in sheet, share float64) sheet {
	if share <= 0 {
		return in
	}
	c.dropped = append(c.dropped, in)
	return c.add("", dropout{share, len(c.dropped) - 1}, in, in)
}

// seen is the moment at which a convolution of taps over a sheet is known. It panics where that is
// never before the pixel that the output is for.
func seen(in sheet, taps []tap) moment {
	if in.known == beforehand {
		return beforehand
	}
	known := above
	for _, t := range taps {
		switch {
		case t.dy > 0, t.dy == 0 && t.dx > 0 && in.known != above:
			panic(fmt.Sprintf("a tap at row %+d, column %+d reads what is not there yet", t.dy, t.dx))
		case t.dy < 0 || in.known == above:
		case t.dx < 0:
			known = max(known, before)
		default:
			known = max(known, in.known)
		}
	}
	return known
}

// noise is what the dropouts want of a training.
func (c *canvas) noise() (noise []neural.Noise) {
	for _, s := range c.dropped {
		noise = append(noise, neural.Noise{Kind: neural.Uniform, Shape: []int{s.height, s.width, s.channels}})
	}
	return noise
}

// graph computes all sheets of a minibatch of inputs, [b, height, width, 2].
func (c *canvas) graph(s *model.Scope, input *graph.Node, p pass) []*graph.Node {
	nodes := []*graph.Node{input}
	for _, l := range c.layers {
		scope := s
		for part := range strings.SplitSeq(l.name, "/") {
			if part != "" {
				scope = scope.At("%s", part)
			}
		}
		in := make([]*graph.Node, len(l.in))
		for i, from := range l.in {
			in[i] = nodes[from.id]
		}
		nodes = append(nodes, l.graph(scope, p, in))
	}
	return nodes
}

// convolution reads its taps, stride pixels apart. The graph gathers what the taps read side by
// side and multiplies that by one matrix: nothing that is masked is computed, and the gradient is
// that of a product. (The gradient of GoMLX's own convolution with respect to its input is shifted
// by a pixel where a side of the kernel is even, which these often are.)
type convolution struct {
	taps            []tap
	in, out, stride int
}

func (l convolution) graph(s *model.Scope, _ pass, in []*graph.Node) *graph.Node {
	x := in[0]
	b, h, w := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	outHeight, outWidth := (h+l.stride-1)/l.stride, (w+l.stride-1)/l.stride
	var top, bottom, left, right int
	for _, t := range l.taps {
		top, bottom, left, right = max(top, -t.dy), max(bottom, t.dy), max(left, -t.dx), max(right, t.dx)
	}
	if top+bottom+left+right > 0 {
		x = graph.Pad(x, graph.Scalar(x.Graph(), x.DType(), 0.0), graph.PadAxis{}, graph.PadAxis{Start: top, End: bottom}, graph.PadAxis{Start: left, End: right}, graph.PadAxis{})
	}
	columns := make([]*graph.Node, len(l.taps))
	for k, t := range l.taps {
		rows, cols := graph.AxisRange(top+t.dy, top+t.dy+h).Stride(l.stride), graph.AxisRange(left+t.dx, left+t.dx+w).Stride(l.stride)
		columns[k] = graph.Slice(x, graph.AxisRange(), rows, cols, graph.AxisRange())
	}
	if len(columns) > 1 {
		x = graph.Concatenate(columns, -1)
	} else {
		x = columns[0]
	}
	x = graph.Reshape(x, b*outHeight*outWidth, len(l.taps)*l.in)
	return graph.Reshape(affine(s, x, l.out), b, outHeight, outWidth, l.out)
}

// affine is x W + b.
func affine(s *model.Scope, x *graph.Node, out int) *graph.Node { // [rows, in] to [rows, out]
	w := s.WithInitializer(initializer.XavierUniformFn(s)).VariableWithShape("weights", shapes.Make(dtypes.Float32, x.Shape().Dim(-1), out)).NodeValue(x.Graph())
	b := s.WithInitializer(initializer.Zero).VariableWithShape("biases", shapes.Make(dtypes.Float32, out)).NodeValue(x.Graph())
	return graph.Add(graph.Dot(x, w).Product(), graph.InsertAxes(b, 0))
}

func (l convolution) column(w constants) (column, error) {
	weights, err := w.get("weights", len(l.taps)*l.in*l.out)
	if err != nil {
		return nil, err
	}
	biases, err := w.get("biases", l.out)
	if err != nil {
		return nil, err
	}
	return func(out []float32, at place, in []grid) {
		copy(out, biases)
		g := in[0]
		for k, t := range l.taps {
			y, x := at.y*l.stride+t.dy, at.x*l.stride+t.dx
			if t.dy > 0 && y >= g.rows { // only a sheet known beforehand is read so, and that is kept whole
				continue
			}
			if y >= 0 && x >= 0 && x < g.width {
				fixed.AddProduct(out, g.at(y, x), weights[k*l.in*l.out:])
			}
		}
	}, nil
}

func (l convolution) reach() (rows int) {
	for _, t := range l.taps {
		rows = max(rows, -t.dy)
	}
	return rows
}

// doubling is a 1×1 convolution to four times as many channels, which become four pixels.
type doubling struct{ in, out, height, width int }

func (l doubling) graph(s *model.Scope, _ pass, in []*graph.Node) *graph.Node {
	x := in[0]
	b, h, w := x.Shape().Dim(0), x.Shape().Dim(1), x.Shape().Dim(2)
	y := graph.Reshape(affine(s, graph.Reshape(x, b*h*w, l.in), 4*l.out), b, h, w, 2, 2, l.out)
	y = graph.Reshape(graph.TransposeAllAxes(y, 0, 1, 3, 2, 4, 5), b, 2*h, 2*w, l.out)
	return graph.Slice(y, graph.AxisRange(), graph.AxisRange(0, l.height), graph.AxisRange(0, l.width), graph.AxisRange())
}

func (l doubling) column(w constants) (column, error) {
	weights, err := w.get("weights", l.in*4*l.out)
	if err != nil {
		return nil, err
	}
	biases, err := w.get("biases", 4*l.out)
	if err != nil {
		return nil, err
	}
	var quarters [4][]float32 // the columns of the matrix that make each of the four pixels
	for q := range quarters {
		for i := range l.in {
			quarters[q] = append(quarters[q], weights[(4*i+q)*l.out:(4*i+q+1)*l.out]...)
		}
	}
	return func(out []float32, at place, in []grid) {
		q := at.y%2*2 + at.x%2
		copy(out, biases[q*l.out:(q+1)*l.out])
		fixed.AddProduct(out, in[0].at(at.y/2, at.x/2), quarters[q])
	}, nil
}

func (l doubling) reach() int { return 0 }

// classBias adds the row of a table.
type classBias struct{ classes, channels int }

func (l classBias) graph(s *model.Scope, p pass, in []*graph.Node) *graph.Node {
	table := s.WithInitializer(initializer.Zero).VariableWithShape("class", shapes.Make(dtypes.Float32, l.classes, l.channels)).NodeValue(in[0].Graph())
	return graph.Add(in[0], graph.InsertAxes(graph.Dot(p.class, table).Product(), 1, 1)) // [b, 1, 1, channels]
}

func (l classBias) column(w constants) (column, error) {
	table, err := w.get("class", l.classes*l.channels)
	return func(out []float32, at place, in []grid) {
		row := table[at.class*l.channels:]
		for i, v := range in[0].at(at.y, at.x) {
			out[i] = v + row[i]
		}
	}, err
}

func (l classBias) reach() int { return 0 }

// placeBias adds a table of numbers.
type placeBias struct{ height, width, channels int }

func (l placeBias) graph(s *model.Scope, _ pass, in []*graph.Node) *graph.Node {
	table := s.WithInitializer(initializer.Zero).VariableWithShape("place", shapes.Make(dtypes.Float32, l.height, l.width, l.channels)).NodeValue(in[0].Graph())
	return graph.Add(in[0], graph.InsertAxes(table, 0))
}

func (l placeBias) column(w constants) (column, error) {
	table, err := w.get("place", l.height*l.width*l.channels)
	return func(out []float32, at place, in []grid) {
		row := table[(at.y*l.width+at.x)*l.channels:]
		for i, v := range in[0].at(at.y, at.x) {
			out[i] = v + row[i]
		}
	}, err
}

func (l placeBias) reach() int { return 0 }

// dropout leaves a share of the numbers out.
type dropout struct {
	share float64
	index int
}

func (l dropout) graph(_ *model.Scope, p pass, in []*graph.Node) *graph.Node {
	if len(p.noise) == 0 {
		return in[0]
	}
	return layers.Dropout(in[0], p.noise[l.index], l.share)
}

func (l dropout) column(constants) (column, error) {
	return func(out []float32, at place, in []grid) { copy(out, in[0].at(at.y, at.x)) }, nil
}

func (l dropout) reach() int { return 0 }

// constants are weights by name, as float32.
type constants map[string][]float32

// within are those under a layer's name.
func (w constants) within(name string) constants {
	own := constants{}
	for k, v := range w {
		if rest, ok := strings.CutPrefix(k, "/"+name+"/"); ok {
			own[rest] = v
		}
	}
	return own
}

func (w constants) get(name string, size int) ([]float32, error) {
	if v := w[name]; len(v) == size {
		return v, nil
	}
	return nil, ml.BadShape("autoregressive", "the weights %s have %d numbers, the network wants %d", name, len(w[name]), size)
}

func constantsOf(w neural.Weights) constants {
	out := constants{}
	for i, name := range w.Names {
		out[name] = symbol.Floats(w.Values[i].RawMatrix().Data)
	}
	return out
}
