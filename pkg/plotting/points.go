package plotting

import (
	"fmt"
	"image/color"
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// PointsLayer draws rows of a matrix as points.
type PointsLayer struct {
	x, y    []float64
	classes []int
	names   []string
	values  []float64
	cmap    ColorMap
	col     color.Color
	size    float64
	label   string
	glyph   draw.GlyphDrawer
	opacity float64
	err     error
}

// Points draws the first two columns of x, one point a row. A matrix of one column is drawn along the horizontal axis. Rows with a NaN are
// left out: nobody knows where they are.
func Points(x mat.Matrix) *PointsLayer {
	l := &PointsLayer{col: Classes[0], size: 3, opacity: 0.9}
	n, d := 0, 0
	if x != nil {
		n, d = x.Dims()
	}
	if d == 0 || n == 0 {
		l.err = fmt.Errorf("Points: the matrix is %d×%d, want at least one row and one column", n, d)
		return l
	}
	l.x, l.y = make([]float64, n), make([]float64, n)
	for i := range n {
		l.x[i] = x.At(i, 0)
		if d > 1 {
			l.y[i] = x.At(i, 1)
		}
	}
	return l
}

// XY draws the points (x[i], y[i]).
func XY(x, y []float64) *PointsLayer {
	l := &PointsLayer{x: x, y: y, col: Classes[0], size: 3, opacity: 0.9}
	if len(x) != len(y) {
		l.err = fmt.Errorf("XY: %d and %d numbers, want as many x as y", len(x), len(y))
	}
	return l
}

// Centers draws points as large crosses on a light ground, to stand out from the data.
func Centers(x mat.Matrix) *PointsLayer {
	l := Points(x)
	l.glyph, l.size, l.col, l.opacity = centerGlyph{}, 6, color.NRGBA{0x11, 0x11, 0x11, 0xff}, 1
	return l
}

// Classes colors each point by its class and gives each class a marker of its own; negative classes are noise, small and grey.
func (l *PointsLayer) Classes(y []int, names ...string) *PointsLayer {
	if len(y) != len(l.x) {
		l.err = fmt.Errorf("Classes: %d classes for %d points", len(y), len(l.x))
	}
	l.classes, l.names = y, names
	return l
}

// Values colors each point by a number, from the smallest to the largest.
func (l *PointsLayer) Values(v []float64) *PointsLayer {
	if len(v) != len(l.x) {
		l.err = fmt.Errorf("Values: %d values for %d points", len(v), len(l.x))
	}
	l.values, l.cmap = v, Sequential
	return l
}

// Color draws all points in one color.
func (l *PointsLayer) Color(c color.Color) *PointsLayer { l.col = c; return l }

// Size sets the radius in pixels.
func (l *PointsLayer) Size(r float64) *PointsLayer { l.size = r; return l }

// Opacity sets how much of what lies below is covered, 0 to 1.
func (l *PointsLayer) Opacity(o float64) *PointsLayer { l.opacity = clamp(o); return l }

// Label names the points in the legend.
func (l *PointsLayer) Label(s string) *PointsLayer { l.label = s; return l }

// Scatter plots the first two columns of x, colored by class; classes may be nil. Axes have the same scale.
func Scatter(x mat.Matrix, classes []int) *Plot {
	l := Points(x)
	if classes != nil {
		l.Classes(classes)
	}
	return New(l).Equal().Size(460, 380)
}

func (l *PointsLayer) check() error {
	if l.err != nil {
		return l.err
	}
	for i := range l.x {
		if math.IsInf(l.x[i], 0) || math.IsInf(l.y[i], 0) {
			return fmt.Errorf("Points: row %d is infinite", i)
		}
	}
	return nil
}

func (l *PointsLayer) extent() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax = finiteRange(l.x)
	ymin, ymax = finiteRange(l.y)
	return
}

// finiteRange is the range of the numbers that are not NaN, or NaN where there is none.
func finiteRange(v []float64) (lo, hi float64) {
	lo, hi = math.NaN(), math.NaN()
	for _, x := range v {
		if math.IsNaN(x) {
			continue
		}
		if !(lo <= x) {
			lo = x
		}
		if !(hi >= x) {
			hi = x
		}
	}
	return lo, hi
}

func (l *PointsLayer) marks() int { return len(l.x) }

func (l *PointsLayer) words() string {
	n := len(l.x)
	if l.classes != nil {
		return fmt.Sprintf("%d points in %d classes", n, len(l.distinct()))
	}
	if l.label != "" {
		return fmt.Sprintf("%d points, %s", n, l.label)
	}
	return fmt.Sprintf("%d points", n)
}

func (l *PointsLayer) distinct() []int {
	c := slices.Clone(l.classes)
	slices.Sort(c)
	return slices.Compact(c)
}

// markers are told apart by shape where color is not seen.
var markers = []draw.GlyphDrawer{
	draw.CircleGlyph{}, draw.BoxGlyph{}, draw.PyramidGlyph{}, diamond{}, draw.RingGlyph{}, draw.SquareGlyph{}, draw.TriangleGlyph{},
}

func (l *PointsLayer) style(class int) draw.GlyphStyle {
	g := draw.GlyphStyle{Color: l.col, Radius: vg.Length(l.size), Shape: draw.CircleGlyph{}}
	if l.glyph != nil {
		g.Shape = l.glyph
	}
	if l.classes != nil {
		g.Color = ClassColor(class)
		if l.glyph == nil {
			if class >= 0 {
				// Seven colors and seven shapes: the shape also changes when the colors begin again.
				g.Shape = markers[(class+class/len(Classes))%len(markers)]
			} else {
				g.Radius *= 0.6
			}
		}
	}
	if l.opacity < 1 && len(l.x) > maxMarks {
		g.Color = translucent(g.Color, l.opacity) // in a raster, where it costs nothing
	}
	return g
}

func (l *PointsLayer) draw(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	at := func(i int, g draw.GlyphStyle) {
		q := vg.Point{X: tx(l.x[i]), Y: ty(l.y[i])}
		if !math.IsNaN(l.x[i]) && !math.IsNaN(l.y[i]) && c.Contains(q) {
			c.DrawGlyph(g, q)
		}
	}
	switch {
	case l.classes != nil:
		for _, k := range l.distinct() { // one class after the other: their shapes merge into one path
			g := l.style(k)
			for i, ki := range l.classes {
				if ki == k {
					at(i, g)
				}
			}
		}
	case l.values != nil:
		lo, hi := finiteRange(l.values)
		g := l.style(0)
		for i, v := range l.values {
			g.Color = l.cmap(quantile(v, lo, hi))
			at(i, g)
		}
	default:
		g := l.style(0)
		for i := range l.x {
			at(i, g)
		}
	}
}

// quantile is where v lies between lo and hi, in 64 steps, so that points of nearly one color are of one color.
func quantile(v, lo, hi float64) float64 {
	if !(hi > lo) {
		return 0.5
	}
	return math.Round(64*(v-lo)/(hi-lo)) / 64
}

func (l *PointsLayer) legend() (out []entry) {
	switch {
	case l.classes != nil && (l.names != nil || l.label != ""):
		for _, k := range l.distinct() {
			name := fmt.Sprintf("%s %d", l.label, k)
			if k >= 0 && k < len(l.names) {
				name = l.names[k]
			} else if k < 0 {
				name = "noise"
			}
			out = append(out, entry{name, thumb{l.style(k)}})
		}
	case l.values != nil && l.label != "":
		lo, hi := finiteRange(l.values)
		for _, t := range []float64{1, 0.5, 0} {
			g := l.style(0)
			g.Color = l.cmap(t)
			out = append(out, entry{fmt.Sprintf("%.3g", lo+t*(hi-lo)), thumb{g}})
		}
		out[0].label = l.label + " " + out[0].label
	case l.label != "":
		out = append(out, entry{l.label, thumb{l.style(0)}})
	}
	return out
}

type thumb struct{ draw.GlyphStyle }

func (t thumb) Thumbnail(c *draw.Canvas) {
	t.Radius = min(t.Radius, 4)
	c.DrawGlyph(t.GlyphStyle, c.Center())
}

type diamond struct{}

func (diamond) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, p vg.Point) {
	r := s.Radius * 1.25
	var path vg.Path
	path.Move(vg.Point{X: p.X, Y: p.Y + r})
	path.Line(vg.Point{X: p.X + r, Y: p.Y})
	path.Line(vg.Point{X: p.X, Y: p.Y - r})
	path.Line(vg.Point{X: p.X - r, Y: p.Y})
	path.Close()
	c.SetColor(s.Color)
	c.Fill(path)
}

// centerGlyph is a cross in a disk: dark on light, so that it is seen on any data and any page.
type centerGlyph struct{}

func (centerGlyph) DrawGlyph(c *draw.Canvas, s draw.GlyphStyle, p vg.Point) {
	var disk vg.Path
	disk.Move(vg.Point{X: p.X + s.Radius, Y: p.Y})
	disk.Arc(p, s.Radius, 0, 2*math.Pi)
	disk.Close()
	c.SetColor(color.White)
	c.Fill(disk)
	c.SetColor(s.Color)
	c.SetLineWidth(1.6)
	c.SetLineDash(nil, 0)
	c.Stroke(disk)
	r := s.Radius * 0.55
	var cross vg.Path
	cross.Move(vg.Point{X: p.X - r, Y: p.Y - r})
	cross.Line(vg.Point{X: p.X + r, Y: p.Y + r})
	cross.Move(vg.Point{X: p.X - r, Y: p.Y + r})
	cross.Line(vg.Point{X: p.X + r, Y: p.Y - r})
	c.Stroke(cross)
}
