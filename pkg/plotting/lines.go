package plotting

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/gonum/mat"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// LineLayer is a curve, with a band around it if there is one. A NaN interrupts it.
type LineLayer struct {
	x, y   []float64
	lo, hi []float64
	col    color.Color
	width  float64
	dashes []vg.Length
	dots   bool
	label  string
	err    error
}

// Line draws y against x in the order given; a nil x means 1, 2, …
func Line(x, y []float64) *LineLayer {
	if x == nil {
		x = make([]float64, len(y))
		for i := range x {
			x[i] = float64(i + 1)
		}
	}
	l := &LineLayer{x: x, y: y, col: Classes[0], width: 1.8}
	if len(x) != len(y) {
		l.err = fmt.Errorf("Line: %d and %d numbers, want as many x as y", len(x), len(y))
	}
	return l
}

// Band shades the region between lo and hi, one of each at every x: a spread over seeds, a standard error.
func (l *LineLayer) Band(lo, hi []float64) *LineLayer {
	if len(lo) != len(l.x) || len(hi) != len(l.x) {
		l.err = fmt.Errorf("Band: %d and %d numbers for %d points", len(lo), len(hi), len(l.x))
	}
	l.lo, l.hi = lo, hi
	return l
}

// Color sets the line's color; Class is the color of class i.
func (l *LineLayer) Color(c color.Color) *LineLayer { l.col = c; return l }

// Class gives the line the color of class i, and dashes from class 4 on, so that lines are told apart without color.
func (l *LineLayer) Class(i int) *LineLayer {
	l.col = ClassColor(i)
	l.dashes = [][]vg.Length{nil, {6, 3}, {2, 2}, {8, 3, 2, 3}}[max(i, 0)%4]
	return l
}

// Width sets the line's width in pixels.
func (l *LineLayer) Width(w float64) *LineLayer { l.width = w; return l }

// Dashed draws the line in dashes.
func (l *LineLayer) Dashed() *LineLayer { l.dashes = []vg.Length{5, 3}; return l }

// Dots marks each point of the line.
func (l *LineLayer) Dots() *LineLayer { l.dots = true; return l }

// Label names the line in the legend.
func (l *LineLayer) Label(s string) *LineLayer { l.label = s; return l }

func (l *LineLayer) check() error {
	if l.err != nil {
		return l.err
	}
	for i := range l.x {
		if math.IsInf(l.x[i], 0) || math.IsInf(l.y[i], 0) {
			return fmt.Errorf("Line: point %d is infinite", i)
		}
	}
	return nil
}

func (l *LineLayer) extent() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax = finiteRange(l.x)
	ymin, ymax = finiteRange(l.y)
	if l.lo != nil {
		if lo, _ := finiteRange(l.lo); lo < ymin {
			ymin = lo
		}
		if _, hi := finiteRange(l.hi); hi > ymax {
			ymax = hi
		}
	}
	return
}

func (l *LineLayer) marks() int { return len(l.x) / 20 }

func (l *LineLayer) words() string {
	_, _, lo, hi := l.extent()
	return fmt.Sprintf("a line %sof %d points from %.4g to %.4g, between %.4g and %.4g", spaced(l.label), len(l.x), first(l.y), last(l.y), lo, hi)
}

func spaced(s string) string {
	if s == "" {
		return ""
	}
	return "“" + s + "” "
}

func first(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return v[0]
}

func last(v []float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	return v[len(v)-1]
}

func (l *LineLayer) stroke() draw.LineStyle {
	return draw.LineStyle{Color: l.col, Width: vg.Length(l.width), Dashes: l.dashes}
}

func (l *LineLayer) draw(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	at := func(x, y float64) vg.Point { return vg.Point{X: tx(x), Y: ty(y)} }
	if l.lo != nil {
		var poly []vg.Point
		for i, v := range l.lo {
			poly = append(poly, at(l.x[i], v))
		}
		for i := len(l.hi) - 1; i >= 0; i-- {
			poly = append(poly, at(l.x[i], l.hi[i]))
		}
		c.FillPolygon(translucent(l.col, 0.22), c.ClipPolygonXY(poly))
	}
	var run []vg.Point
	flush := func() {
		if len(run) > 1 {
			c.StrokeLines(l.stroke(), c.ClipLinesXY(run)...)
		}
		run = nil
	}
	for i := range l.x {
		if math.IsNaN(l.x[i]) || math.IsNaN(l.y[i]) {
			flush()
			continue
		}
		run = append(run, at(l.x[i], l.y[i]))
	}
	flush()
	if l.dots {
		for i := range l.x {
			if q := at(l.x[i], l.y[i]); !math.IsNaN(l.y[i]) && c.Contains(q) {
				c.DrawGlyph(draw.GlyphStyle{Color: l.col, Radius: 3, Shape: draw.CircleGlyph{}}, q)
			}
		}
	}
}

func (l *LineLayer) legend() []entry {
	if l.label == "" {
		return nil
	}
	return []entry{{l.label, lineThumb{l.stroke()}}}
}

type lineThumb struct{ draw.LineStyle }

func (t lineThumb) Thumbnail(c *draw.Canvas) {
	y := c.Center().Y
	c.StrokeLine2(t.LineStyle, c.Min.X, y, c.Max.X, y)
}

// HLine is a horizontal line at y across the plot, for a target or a limit.
func HLine(y float64) *RuleLayer { return &RuleLayer{at: y, horizontal: true} }

// VLine is a vertical line at x.
func VLine(x float64) *RuleLayer { return &RuleLayer{at: x} }

// RuleLayer is a straight line across the plot.
type RuleLayer struct {
	at         float64
	horizontal bool
	label      string
}

// Label names the line in the legend.
func (l *RuleLayer) Label(s string) *RuleLayer { l.label = s; return l }

func (l *RuleLayer) check() error {
	if math.IsNaN(l.at) || math.IsInf(l.at, 0) {
		return fmt.Errorf("HLine or VLine at %v, want a finite number", l.at)
	}
	return nil
}

func (l *RuleLayer) extent() (xmin, xmax, ymin, ymax float64) {
	if nan := math.NaN(); l.horizontal {
		return nan, nan, l.at, l.at
	} else {
		return l.at, l.at, nan, nan
	}
}
func (l *RuleLayer) marks() int    { return 1 }
func (l *RuleLayer) words() string { return fmt.Sprintf("a line %sat %.4g", spaced(l.label), l.at) }

var ruleStyle = draw.LineStyle{Color: Ink, Width: 1, Dashes: []vg.Length{4, 3}}

func (l *RuleLayer) legend() []entry {
	if l.label == "" {
		return nil
	}
	return []entry{{l.label, lineThumb{ruleStyle}}}
}

func (l *RuleLayer) draw(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	a, b := vg.Point{X: c.Min.X, Y: ty(l.at)}, vg.Point{X: c.Max.X, Y: ty(l.at)}
	if !l.horizontal {
		a, b = vg.Point{X: tx(l.at), Y: c.Min.Y}, vg.Point{X: tx(l.at), Y: c.Max.Y}
	}
	c.StrokeLines(ruleStyle, []vg.Point{a, b})
}

// SegmentsLayer draws straight lines between points: the edges of a graph, the paths of centers.
type SegmentsLayer struct {
	x     mat.Matrix
	edges [][2]int
	col   color.Color
	width float64
}

// Edges draws a line between rows i and j of x for each edge {i, j}.
func Edges(x mat.Matrix, edges [][2]int) *SegmentsLayer {
	return &SegmentsLayer{x: x, edges: edges, col: color.NRGBA{0x88, 0x88, 0x88, 0xff}, width: 0.8}
}

// Color sets the lines' color.
func (l *SegmentsLayer) Color(c color.Color) *SegmentsLayer { l.col = c; return l }

// Width sets the lines' width in pixels.
func (l *SegmentsLayer) Width(w float64) *SegmentsLayer { l.width = w; return l }

func (l *SegmentsLayer) check() error {
	n, d := l.x.Dims()
	if d < 2 {
		return fmt.Errorf("Edges: the matrix has %d columns, want at least 2", d)
	}
	for k, e := range l.edges {
		if e[0] < 0 || e[1] < 0 || e[0] >= n || e[1] >= n {
			return fmt.Errorf("Edges: edge %d is %v, want rows of a matrix with %d", k, e, n)
		}
	}
	return nil
}
func (l *SegmentsLayer) extent() (a, b, c, d float64) {
	nan := math.NaN()
	return nan, nan, nan, nan
}
func (l *SegmentsLayer) marks() int      { return len(l.edges) / 3 }
func (l *SegmentsLayer) words() string   { return fmt.Sprintf("%d lines between points", len(l.edges)) }
func (l *SegmentsLayer) legend() []entry { return nil }
func (l *SegmentsLayer) draw(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	s := draw.LineStyle{Color: l.col, Width: vg.Length(l.width)}
	for _, e := range l.edges {
		a := vg.Point{X: tx(l.x.At(e[0], 0)), Y: ty(l.x.At(e[0], 1))}
		b := vg.Point{X: tx(l.x.At(e[1], 0)), Y: ty(l.x.At(e[1], 1))}
		c.StrokeLines(s, c.ClipLinesXY([]vg.Point{a, b})...)
	}
}
