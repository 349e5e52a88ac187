package plotting

import (
	"fmt"
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// layer is one kind of mark with its data. A layer is never changed once made.
type layer interface {
	takes() string                     // the options of Plot that several kinds of marks share and this one knows
	check(o *options) error            // that data and options fit each other
	bounds(o *options) box             // what of the plane the data covers
	hints(o *options) hints            // how the axes should look
	keys(o *options) []key             // entries of the legend
	scale(o *options) *colorScale      // what a color bar shows, or nil
	heavy(o *options) bool             // too many marks for SVG
	draw(d *drawing, o *options) error // inside the frame
	write(d *drawing, o *options)      // over it: text, which may stick out
	describe(o *options) string        // a clause of the description
}

// plain is a layer with nothing special, to be embedded.
type plain struct{}

func (plain) takes() string                { return "" }
func (plain) check(*options) error         { return nil }
func (plain) bounds(*options) box          { return box{} }
func (plain) hints(*options) hints         { return hints{} }
func (plain) keys(*options) []key          { return nil }
func (plain) scale(*options) *colorScale   { return nil }
func (plain) heavy(*options) bool          { return false }
func (plain) write(d *drawing, o *options) {}

// heavyMarks is the number of marks from which on a layer becomes an image: its size then no longer
// grows with the data.
const heavyMarks = 3000

// hints are what a layer would like the axes to be, when the figure doesn't say.
type hints struct {
	xLabel, yLabel string
	equal          bool // geometry: a unit is as long on both axes
	maybeEqual     bool // equal if the ranges are alike
	bare           bool // no axes
	noGrid         bool
	tight          bool // no space around the data
	floor, left    bool // the data stands on the horizontal (vertical) axis: no space below (left of) it
	flipY          bool // the vertical axis points down
	xTicks, yTicks []plot.Tick
	noX, noY       bool    // no ticks at all on this axis
	w, h           float64 // the frame's size in pixels, 0 if it doesn't matter
}

// key is an entry of the legend.
type key struct {
	name   string
	color  color.Color
	mark   bool
	shape  shape
	line   bool
	dash   []vg.Length
	patch  bool
	opaque float64
}

type colorScale struct {
	lo, hi float64
	colors ColorMap
	name   string
}

func (c *colorScale) at(v float64) color.NRGBA {
	if c.hi <= c.lo {
		return c.colors(.5)
	}
	return c.colors((v - c.lo) / (c.hi - c.lo))
}

// newScale fits a color map to values: Sequential, or Diverging around zero where there are values
// on both sides of it.
func newScale(values []float64, o *options, even ColorMap) *colorScale {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if finite(v) {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if lo > hi {
		lo, hi = 0, 1
	}
	c := &colorScale{lo: lo, hi: hi, colors: even, name: o.name}
	// A trace of the other sign, such as rounding leaves, doesn't make data two-sided.
	if m := max(-lo, hi); -lo > m/100 && hi > m/100 {
		c.colors = Diverging
		c.lo, c.hi = -m, m
	}
	if o.colors != nil {
		c.colors = o.colors
	}
	if o.limits != nil {
		c.lo, c.hi = o.limits[0], o.limits[1]
	}
	return c
}

// box is a rectangle of the plane; it is empty until something is included.
type box struct {
	x0, x1, y0, y1 float64
	filled         bool
}

func (b *box) include(x, y float64) {
	if !finite(x, y) {
		return
	}
	if !b.filled {
		*b = box{x, x, y, y, true}
		return
	}
	b.x0, b.x1 = min(b.x0, x), max(b.x1, x)
	b.y0, b.y1 = min(b.y0, y), max(b.y1, y)
}

func (b *box) join(o box) {
	if o.filled {
		b.include(o.x0, o.y0)
		b.include(o.x1, o.y1)
	}
}

func finite(vs ...float64) bool {
	for _, v := range vs {
		if v-v != 0 {
			return false
		}
	}
	return true
}

// drawing is the frame that a layer draws into.
type drawing struct {
	surface
	rect  vg.Rectangle
	frame box // what of the plane it shows
	x, y  func(float64) float64
}

func (d *drawing) at(x, y float64) vg.Point { return point(d.x(x), d.y(y)) }

// line strokes a path through positions of the plane, broken where one isn't finite.
func (d *drawing) line(xs, ys []float64, c color.Color, width float64, dash []vg.Length, closed bool) {
	d.Push()
	defer d.Pop()
	d.SetColor(c)
	d.SetLineWidth(vg.Length(width))
	d.SetLineDash(dash, 0)
	d.Stroke(d.path(xs, ys, closed))
}

func (d *drawing) fill(xs, ys []float64, c color.Color) {
	d.Push()
	defer d.Pop()
	d.SetColor(c)
	d.Fill(d.path(xs, ys, true))
}

func (d *drawing) path(xs, ys []float64, closed bool) vg.Path {
	var p vg.Path
	open := false
	for i := range xs {
		at := d.at(xs[i], ys[i])
		if !finite(float64(at.X), float64(at.Y)) {
			open = false
			continue
		}
		if !open {
			p.Move(at)
		} else {
			p.Line(at)
		}
		open = true
	}
	if closed && open {
		p.Close()
	}
	return p
}

// stack is all layers of a figure as one plotter of gonum's, which draws the axes around it.
type stack struct {
	layers []laid
	grid   plot.Plotter
	err    error
	rect   vg.Rectangle
}

func (s *stack) Plot(c draw.Canvas, p *plot.Plot) {
	s.rect = c.Rectangle
	if s.grid != nil {
		s.grid.Plot(c, p)
	}
	out := surfaceOf(c)
	tx, ty := p.Transforms(&c)
	d := &drawing{surface: out, rect: c.Rectangle, frame: box{p.X.Min, p.X.Max, p.Y.Min, p.Y.Max, true}}
	d.x = func(v float64) float64 { return float64(tx(v)) }
	d.y = func(v float64) float64 { return float64(ty(v)) }
	inner := *d
	inner.surface = out.clip(c.Rectangle)
	for i := range s.layers {
		if err := s.draw(&inner, &s.layers[i]); err != nil {
			s.err = either(s.err, err)
		}
	}
	out.unclip(inner.surface)
	for i := range s.layers {
		s.layers[i].write(d, &s.layers[i].options)
	}
}

func (s *stack) draw(d *drawing, l *laid) error {
	if _, vector := d.surface.(*svgCanvas); !vector || !l.heavy(&l.options) {
		return l.draw(d, &l.options)
	}
	layer := *d
	pixels := newPNG(d.rect)
	layer.surface = pixels
	if err := l.draw(&layer, &l.options); err != nil {
		return err
	}
	d.picture(d.rect, coarse(pixels.straight()), true)
	return nil
}

func surfaceOf(c draw.Canvas) surface {
	v := c.Canvas
	for {
		switch inner := v.(type) {
		case draw.Canvas:
			v = inner.Canvas
		case *draw.Canvas:
			v = inner.Canvas
		case surface:
			return inner
		}
	}
}

// dashes tell lines apart that are told apart by color too.
var dashes = [][]vg.Length{nil, {7, 3}, {2, 2.5}, {9, 3, 2, 3}, {4, 2}, {12, 4}, {1, 3}, {6, 2, 2, 2, 2, 2}}

// figures writes a number with up to four digits that mean something.
func figures(v float64) string {
	return strings.ReplaceAll(strconv.FormatFloat(v, 'g', 4, 64), "-", "−")
}

// ends names the ends of a range by digits that matter in it, three of its width at most, so that a
// description says the same on every processor.
func ends(lo, hi float64) (from, to string) {
	width := hi - lo
	if !finite(width) || width <= 1e-9*max(math.Abs(lo), math.Abs(hi)) {
		return figures(lo), figures(hi)
	}
	return rounded(lo, width), rounded(hi, width)
}

// rounded writes v to a hundredth of the power of ten below width.
func rounded(v, width float64) string {
	places := 2 - int(math.Floor(math.Log10(width)))
	unit := math.Pow(10, float64(places))
	r := math.Round(v*unit) / unit
	switch {
	case !finite(r):
		return figures(v)
	case r == 0:
		return "0"
	case places < 0 || places > 6 || math.Abs(r) >= 1e6:
		return figures(r)
	}
	return strings.ReplaceAll(strconv.FormatFloat(r, 'f', -1, 64), "-", "−")
}

// significant writes a positive number by two digits, for an axis whose ends lie powers of ten
// apart.
func significant(v float64) string {
	return strings.ReplaceAll(strconv.FormatFloat(v, 'g', 2, 64), "-", "−")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
