package plotting

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/golatent/latent/pkg/ml"
)

// Line draws a line through (xs[i], ys[i]) in that order; it is broken where a value isn't finite.
// A nil xs stands for 0, 1, …. Band adds a range around it, Label an entry in the legend.
func Line(xs, ys []float64) *Plot { return curves("plotting.Line", xs, [][]float64{ys}) }

// Lines draws several lines over the same xs, told apart by color and dashes; a nil xs stands for
// 0, 1, …. Names names them.
func Lines(xs []float64, ys ...[]float64) *Plot { return curves("plotting.Lines", xs, ys) }

// Function draws y = f(x) from lo to hi.
func Function(f func(x float64) float64, lo, hi float64) *Plot {
	if f == nil {
		return &Plot{err: fmt.Errorf("plotting.Function: f is nil: %w", ml.ErrParameter)}
	}
	if _, err := span("plotting.Function", lo, hi, nil); err != nil {
		return &Plot{err: err}
	}
	const n = 400
	xs, ys := make([]float64, n+1), make([]float64, n+1)
	for i := range xs {
		xs[i] = lo + (hi-lo)*float64(i)/n
		ys[i] = f(xs[i])
	}
	return Line(xs, ys)
}

func curves(method string, xs []float64, ys [][]float64) *Plot {
	p := &Plot{}
	if len(ys) == 0 {
		p.err = fmt.Errorf("%s: no line: %w", method, ml.ErrEmpty)
	}
	for k, y := range ys {
		x := xs
		if x == nil {
			x = make([]float64, len(y))
			for i := range x {
				x[i] = float64(i)
			}
		}
		if len(x) != len(y) {
			p.err = either(p.err, ml.BadShape(method, "line %d has %d values for %d xs", k, len(y), len(x)))
		} else if len(y) == 0 {
			p.err = either(p.err, fmt.Errorf("%s: line %d has no values: %w", method, k, ml.ErrEmpty))
		}
		p.layers = append(p.layers, laid{layer: &curve{series: k, of: len(ys), xs: x, ys: y}})
	}
	return p
}

type curve struct {
	plain
	series, of int
	xs, ys     []float64
	low, high  []float64 // a band
	dots       bool
}

// Band fills between two lines around a curve: a standard deviation, a range over seeds.
func (p *Plot) Band(low, high []float64) *Plot {
	return change(p, "Band", func(l *curve) { l.low, l.high = append([]float64{}, low...), append([]float64{}, high...) })
}

// Dots marks the points of a line.
func (p *Plot) Dots() *Plot {
	return change(p, "Dots", func(l *curve) { l.dots = true })
}

func (*curve) takes() string {
	return "Color Opacity Width Label Names Dashed"
}

func (l *curve) check(o *options) error {
	if l.low != nil || l.high != nil {
		if len(l.low) != len(l.ys) || len(l.high) != len(l.ys) {
			return ml.BadShape("plotting.Band", "%d and %d values around a line of %d", len(l.low), len(l.high), len(l.ys))
		}
	}
	return nil
}

func (l *curve) bounds(o *options) (b box) {
	for i := range l.xs {
		b.include(l.xs[i], l.ys[i])
		if l.low != nil {
			b.include(l.xs[i], l.low[i])
			b.include(l.xs[i], l.high[i])
		}
	}
	return b
}

func (l *curve) name(o *options) string {
	if l.series < len(o.names) {
		return o.names[l.series]
	}
	return o.name
}

func (l *curve) look(o *options) (color.Color, []vg.Length) {
	c := o.color
	if c == nil {
		c = ClassColor(o.order)
	}
	if o.opacity > 0 {
		c = faded(c, o.opacity)
	}
	if o.dashed {
		return c, []vg.Length{6, 3}
	}
	if o.class != nil {
		return c, dashes[max(*o.class, 0)%len(dashes)]
	}
	if l.of == 1 {
		return c, dashes[o.order%len(dashes)]
	}
	return c, dashes[l.series%len(dashes)]
}

func (l *curve) keys(o *options) []key {
	c, dash := l.look(o)
	return []key{{name: l.name(o), color: c, line: true, dash: dash, mark: l.dots, shape: l.dot(o)}}
}

// dot is the shape of the marks on a line.
func (l *curve) dot(o *options) shape {
	if o.class != nil {
		return classShape(*o.class)
	}
	return classShape(max(o.order, l.series))
}

func (l *curve) draw(d *drawing, o *options) error {
	c, dash := l.look(o)
	if l.low != nil {
		l.band(d, o, c)
	}
	xs, ys := l.xs, l.ys
	if len(xs) > 4000 {
		xs, ys = thin(d, xs, ys)
	}
	d.line(xs, ys, c, either(o.width, 2), dash, false)
	if l.dots {
		var marks []mark
		for i := range xs {
			if at := d.at(xs[i], ys[i]); finite(float64(at.X), float64(at.Y)) {
				marks = append(marks, mark{at: at, shape: l.dot(o), r: 3, fill: c, tip: fmt.Sprintf("(%s, %s)", figures(xs[i]), figures(ys[i]))})
			}
		}
		d.marks(marks, true)
	}
	return nil
}

// band fills each stretch over which both of its edges are finite.
func (l *curve) band(d *drawing, o *options, c color.Color) {
	for i := 0; i < len(l.xs); {
		j := i
		for j < len(l.xs) && finite(l.xs[j], l.low[j], l.high[j]) {
			j++
		}
		if j > i+1 {
			xs, ys := append([]float64{}, l.xs[i:j]...), append([]float64{}, l.low[i:j]...)
			for k := j - 1; k >= i; k-- {
				xs, ys = append(xs, l.xs[k]), append(ys, l.high[k])
			}
			d.fill(xs, ys, faded(c, .22))
		}
		i = j + 1
	}
}

// thin keeps of each half pixel's stretch its lowest and highest value, in their order: what
// remains looks the same.
func thin(d *drawing, xs, ys []float64) (tx, ty []float64) {
	keep := func(i int) { tx, ty = append(tx, xs[i]), append(ty, ys[i]) }
	for i := 0; i < len(xs); {
		column := math.Floor(2 * d.x(xs[i]))
		low, high, j := i, i, i
		for ; j < len(xs) && math.Floor(2*d.x(xs[j])) == column && finite(ys[j]); j++ {
			if ys[j] < ys[low] {
				low = j
			}
			if ys[j] > ys[high] {
				high = j
			}
		}
		if j == i {
			keep(i)
			i++
			continue
		}
		keep(min(low, high))
		if low != high {
			keep(max(low, high))
		}
		i = j
	}
	return tx, ty
}

func (l *curve) describe(o *options) string {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, y := range l.ys {
		if finite(y) {
			lo, hi = min(lo, y), max(hi, y)
		}
	}
	s := "line"
	if n := l.name(o); n != "" {
		s += " " + n
	}
	if lo <= hi {
		from, to := ends(lo, hi)
		s += fmt.Sprintf(" between %s and %s", from, to)
		// The ends themselves depend on where an iteration stops.
		switch change := l.ys[len(l.ys)-1] - l.ys[0]; {
		case change > (hi-lo)/2 && from != to:
			s += ", rising"
		case change < (lo-hi)/2 && from != to:
			s += ", falling"
		}
	}
	if l.low != nil {
		s += ", with a band"
	}
	return s
}

// HLine draws a horizontal line through the whole figure at height y.
func HLine(y float64) *Plot { return rule(y, true) }

// VLine draws a vertical line through the whole figure at x.
func VLine(x float64) *Plot { return rule(x, false) }

func rule(at float64, horizontal bool) *Plot {
	l := &ruler{at: at, horizontal: horizontal}
	p := &Plot{layers: []laid{{layer: l}}}
	if !finite(at) {
		p.err = ml.BadParameter("plotting.HLine or VLine", "the position", at, "a finite number")
	}
	return p.Color(Ink).Dashed()
}

type ruler struct {
	plain
	at         float64
	horizontal bool
}

func (*ruler) takes() string { return "Color Opacity Width Label Dashed" }

func (l *ruler) keys(o *options) []key {
	return []key{{name: o.name, color: o.color, line: true, dash: []vg.Length{6, 3}}}
}

func (l *ruler) draw(d *drawing, o *options) error {
	// In pixels, since the ends of an axis can lie too far apart to add to.
	d.Push()
	defer d.Pop()
	c := draw.Canvas{Canvas: d.surface}
	sty := draw.LineStyle{Color: faded(o.color, either(o.opacity, .8)), Width: vg.Length(either(o.width, 1.2)), Dashes: []vg.Length{6, 3}}
	if l.horizontal {
		if y := vg.Length(d.y(l.at)); finite(float64(y)) {
			c.StrokeLine2(sty, d.rect.Min.X, y, d.rect.Max.X, y)
		}
		return nil
	}
	if x := vg.Length(d.x(l.at)); finite(float64(x)) {
		c.StrokeLine2(sty, x, d.rect.Min.Y, x, d.rect.Max.Y)
	}
	return nil
}

func (l *ruler) describe(o *options) string {
	kind := "vertical"
	if l.horizontal {
		kind = "horizontal"
	}
	return fmt.Sprintf("%s line at %s%s", kind, figures(l.at), before(" ", o.name))
}

func before(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}

// Note writes text at a point of the plane, to its right.
func Note(x, y float64, txt string) *Plot {
	p := Points(mat.NewDense(1, 2, []float64{x, y}))
	if !finite(x, y) {
		p.err = ml.BadParameter("plotting.Note", "x, y", fmt.Sprintf("%v, %v", x, y), "finite numbers")
	}
	p.layers[0].layer = &note{x: x, y: y, txt: txt}
	return p
}

type note struct {
	plain
	x, y float64
	txt  string
}

func (*note) takes() string                   { return "" }
func (l *note) bounds(*options) (b box)       { b.include(l.x, l.y); return b }
func (l *note) describe(*options) string      { return fmt.Sprintf("the note “%s”", l.txt) }
func (l *note) draw(*drawing, *options) error { return nil }

func (l *note) write(d *drawing, o *options) {
	at := d.at(l.x, l.y)
	if !finite(float64(at.X), float64(at.Y)) || !inside(d.rect, at) {
		return
	}
	sty := style(12, text.XLeft, text.YCenter)
	x := float64(at.X) + 4
	if x+textWidth(sty, l.txt) > float64(d.rect.Max.X)+20 {
		sty.XAlign = text.XRight
		x -= 8
	}
	write(d.surface, sty, x, float64(at.Y), l.txt)
}

// Arrows draws an arrow from each row of from to the same row of to, both n×2: gradients, loadings,
// what a step moved. Labels names them.
func Arrows(from, to mat.Matrix) *Plot {
	x0, y0, err := pairs("plotting.Arrows", from)
	if err != nil {
		return &Plot{err: err}
	}
	x1, y1, err := pairs("plotting.Arrows", to)
	if err == nil && len(x0) != len(x1) {
		err = ml.BadShape("plotting.Arrows", "%d starts and %d ends", len(x0), len(x1))
	}
	return &Plot{layers: []laid{{layer: &arrows{x0: x0, y0: y0, x1: x1, y1: y1}}}, err: err}
}

type arrows struct {
	plain
	x0, y0, x1, y1 []float64
}

func (*arrows) takes() string { return "Color Width Label Labels Opacity" }

func (l *arrows) check(o *options) error {
	if o.labels != nil && len(o.labels) != len(l.x0) {
		return ml.BadShape("plotting.Arrows", "%d labels for %d arrows", len(o.labels), len(l.x0))
	}
	return nil
}

func (l *arrows) bounds(*options) (b box) {
	for i := range l.x0 {
		if finite(l.x0[i], l.y0[i], l.x1[i], l.y1[i]) {
			b.include(l.x0[i], l.y0[i])
			b.include(l.x1[i], l.y1[i])
		}
	}
	return b
}

func (l *arrows) hints(*options) hints { return hints{maybeEqual: true} }

func (l *arrows) color(o *options) color.Color {
	c := o.color
	if c == nil {
		c = ClassColor(o.order)
	}
	return faded(c, either(o.opacity, 1))
}

func (l *arrows) keys(o *options) []key {
	return []key{{name: o.name, color: l.color(o), line: true}}
}

func (l *arrows) draw(d *drawing, o *options) error {
	var shafts, heads vg.Path
	width := either(o.width, 1.6)
	for i := range l.x0 {
		a, b := d.at(l.x0[i], l.y0[i]), d.at(l.x1[i], l.y1[i])
		dx, dy := float64(b.X-a.X), float64(b.Y-a.Y)
		length := math.Hypot(dx, dy)
		if !(length > .05) || !finite(length) {
			continue
		}
		head := min(max(5*width, 8), length*.6)
		ux, uy := dx/length, dy/length
		tip, neck := b, point(float64(b.X)-ux*head, float64(b.Y)-uy*head)
		shafts.Move(a)
		shafts.Line(neck)
		heads.Move(tip)
		heads.Line(point(float64(neck.X)-uy*head*.45, float64(neck.Y)+ux*head*.45))
		heads.Line(point(float64(neck.X)+uy*head*.45, float64(neck.Y)-ux*head*.45))
		heads.Close()
	}
	d.Push()
	defer d.Pop()
	d.SetColor(l.color(o))
	d.SetLineWidth(vg.Length(width))
	d.Stroke(shafts)
	d.Fill(heads)
	return nil
}

func (l *arrows) write(d *drawing, o *options) {
	for i, s := range o.labels {
		at := d.at(l.x1[i], l.y1[i])
		if !finite(float64(at.X), float64(at.Y)) || s == "" {
			continue
		}
		sty := style(textSize, text.XLeft, text.YCenter)
		x := float64(at.X) + 4
		if l.x1[i] < l.x0[i] {
			sty.XAlign, x = text.XRight, float64(at.X)-4
		}
		write(d.surface, sty, x, float64(at.Y), s)
	}
}

func (l *arrows) describe(o *options) string {
	return count(len(l.x0), "arrow", "arrows") + before(": ", o.name)
}
