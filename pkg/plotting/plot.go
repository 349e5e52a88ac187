package plotting

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
)

// Plot is a figure with two axes and layers between them, drawn in order. Its methods change it and give it back, so that they chain:
//
//	plotting.New(plotting.Points(x).Classes(y), plotting.Centers(c)).Title("Three clusters").X("length (cm)")
type Plot struct {
	title, x, y   string
	layers        []Layer
	width, height float64
	equal         bool
	bare          bool
	xlim, ylim    *[2]float64
	xticks        []plot.Tick
	yticks        []plot.Tick
	alt           string
	err           error
}

// Layer is one thing drawn in a Plot.
type Layer interface {
	// extent is the range of the data, NaN where the layer has none of its own.
	extent() (xmin, xmax, ymin, ymax float64)
	draw(c draw.Canvas, p *plot.Plot)
	// check reports data that can't be drawn.
	check() error
	// words describes the layer for those who can't see it.
	words() string
	// legend lists what a reader needs explained; nil for nothing.
	legend() []entry
	// marks says how many shapes it draws: many become a raster.
	marks() int
}

type entry struct {
	label string
	thumb plot.Thumbnailer
}

// New returns a plot of layers, 520×360 pixels until Size says otherwise.
func New(layers ...Layer) *Plot { return &Plot{layers: layers, width: 520, height: 360} }

// Add puts more layers on top.
func (p *Plot) Add(layers ...Layer) *Plot { p.layers = append(p.layers, layers...); return p }

// Title names the plot.
func (p *Plot) Title(s string) *Plot { p.title = s; return p }

// X labels the horizontal axis: what is measured, and its unit.
func (p *Plot) X(s string) *Plot { p.x = s; return p }

// Y labels the vertical axis.
func (p *Plot) Y(s string) *Plot { p.y = s; return p }

// Size sets width and height in CSS pixels, 80 to 4000 each.
func (p *Plot) Size(width, height float64) *Plot {
	if !(width >= 80 && width <= 4000 && height >= 80 && height <= 4000) {
		p.fail(fmt.Errorf("plotting: Size(%g, %g), want 80 to 4000 pixels each", width, height))
		return p
	}
	p.width, p.height = width, height
	return p
}

// Equal gives both axes the same scale, so that a circle is round: for axes that share a unit.
func (p *Plot) Equal() *Plot { p.equal = true; return p }

// Bare leaves the axes out, for maps whose coordinates mean nothing.
func (p *Plot) Bare() *Plot { p.bare = true; return p }

// XLim fixes the range of the horizontal axis.
func (p *Plot) XLim(lo, hi float64) *Plot { p.xlim = p.limits("XLim", lo, hi); return p }

// YLim fixes the range of the vertical axis.
func (p *Plot) YLim(lo, hi float64) *Plot { p.ylim = p.limits("YLim", lo, hi); return p }

// Alt replaces the description in words that is made from the plot.
func (p *Plot) Alt(s string) *Plot { p.alt = s; return p }

func (p *Plot) fail(err error) { p.err = errors.Join(p.err, err) }

func (p *Plot) limits(name string, lo, hi float64) *[2]float64 {
	if !(lo < hi) || math.IsInf(lo, 0) || math.IsInf(hi, 0) {
		p.fail(fmt.Errorf("plotting: %s(%g, %g), want two finite numbers in order", name, lo, hi))
		return nil
	}
	return &[2]float64{lo, hi}
}

// Render draws the plot as SVG. The error names the layer whose data can't be drawn.
func (p *Plot) Render() (r Rendering, err error) {
	if p.err != nil {
		return Rendering{}, p.err
	}
	for _, l := range p.layers {
		if err := l.check(); err != nil {
			return Rendering{}, fmt.Errorf("plotting: %w", err)
		}
	}
	defer func() { // gonum/plot panics on what it can't lay out
		if e := recover(); e != nil {
			err = fmt.Errorf("plotting: the plot can't be laid out: %v", e)
		}
	}()
	alt := p.alt
	if alt == "" {
		alt = p.describe()
	}
	g := p.gonum()
	c := newSVG(p.width, p.height)
	legend := p.entries()
	area := draw.New(c)
	if len(legend) > 0 {
		area = p.drawLegend(g, area, legend)
	}
	if p.equal {
		p.makeEqual(g, area)
	}
	g.Draw(area)
	return Rendering{MIME: "image/svg+xml", Data: c.finish(alt), Alt: alt, Width: int(p.width), Height: int(p.height)}, nil
}

// gonum builds the plot in gonum's terms.
func (p *Plot) gonum() *plot.Plot {
	g := plot.New()
	g.BackgroundColor = color.Transparent
	g.Title.Text, g.X.Label.Text, g.Y.Label.Text = p.title, p.x, p.y
	g.Title.TextStyle.Color, g.Title.TextStyle.Font = Ink, sans(14)
	g.Title.Padding = 8
	for _, a := range []*plot.Axis{&g.X, &g.Y} {
		a.Color, a.Label.TextStyle.Color, a.Tick.Color, a.Tick.Label.Color = Ink, Ink, Ink, Ink
		a.Label.TextStyle.Font, a.Tick.Label.Font = sans(12), sans(11)
		a.LineStyle.Color, a.Tick.LineStyle.Color = Ink, Ink
		a.LineStyle.Width, a.Tick.LineStyle.Width = 1, 1
		a.Tick.Length = 4
		a.Label.Padding = 4
		a.Tick.Marker = ticks{}
	}
	if p.xticks != nil {
		g.X.Tick.Marker = plot.ConstantTicks(p.xticks)
	}
	if p.yticks != nil {
		g.Y.Tick.Marker = plot.ConstantTicks(p.yticks)
	}
	xmin, xmax, ymin, ymax := p.extent()
	g.X.Min, g.X.Max, g.Y.Min, g.Y.Max = xmin, xmax, ymin, ymax
	if p.bare {
		g.HideAxes()
	}
	for _, l := range p.layers {
		g.Add(plotter{l})
	}
	// Add grew the axes by nothing: plotter has no data range.
	g.X.Min, g.X.Max, g.Y.Min, g.Y.Max = xmin, xmax, ymin, ymax
	return g
}

// extent is the union of the layers' ranges with a margin, or what the limits say.
func (p *Plot) extent() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax, ymin, ymax = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, l := range p.layers {
		a, b, c, d := l.extent()
		// min and max of the language give NaN for a NaN; here it means "no opinion".
		if !math.IsNaN(a) {
			xmin, xmax = min(xmin, a), max(xmax, b)
		}
		if !math.IsNaN(c) {
			ymin, ymax = min(ymin, c), max(ymax, d)
		}
	}
	margin := 0.04
	for _, l := range p.layers {
		if m, ok := l.(interface{ tight() bool }); ok && m.tight() {
			margin = 0
		}
	}
	xmin, xmax = padded(xmin, xmax, margin)
	ymin, ymax = padded(ymin, ymax, margin)
	if p.xlim != nil {
		xmin, xmax = p.xlim[0], p.xlim[1]
	}
	if p.ylim != nil {
		ymin, ymax = p.ylim[0], p.ylim[1]
	}
	return xmin, xmax, ymin, ymax
}

func padded(lo, hi, margin float64) (float64, float64) {
	switch {
	case lo > hi: // nothing to show
		return 0, 1
	case lo == hi:
		d := max(math.Abs(lo)*0.1, 0.5)
		return lo - d, hi + d
	}
	d := (hi - lo) * margin
	return lo - d, hi + d
}

// makeEqual widens the range of one axis until both have the same number of pixels a unit.
func (p *Plot) makeEqual(g *plot.Plot, area draw.Canvas) {
	for range 3 { // the room that tick labels take depends on the ranges a little
		data := g.DataCanvas(area)
		w, h := float64(data.Max.X-data.Min.X), float64(data.Max.Y-data.Min.Y)
		if w <= 0 || h <= 0 {
			return
		}
		unit := max((g.X.Max-g.X.Min)/w, (g.Y.Max-g.Y.Min)/h)
		g.X.Min, g.X.Max = widen(g.X.Min, g.X.Max, unit*w)
		g.Y.Min, g.Y.Max = widen(g.Y.Min, g.Y.Max, unit*h)
	}
}

func widen(lo, hi, to float64) (float64, float64) {
	mid := (lo + hi) / 2
	return mid - to/2, mid + to/2
}

// plotter adapts a Layer to gonum/plot. Many marks are drawn as a raster at one and a half times the resolution: an SVG of 10,000 points is slow to show.
type plotter struct{ Layer }

const maxMarks = 1500

func (l plotter) Plot(c draw.Canvas, p *plot.Plot) {
	if l.marks() <= maxMarks {
		l.draw(c, p)
		return
	}
	size := c.Size()
	img := vgimg.NewWith(vgimg.UseWH(size.X, size.Y), vgimg.UseDPI(108), vgimg.UseBackgroundColor(color.Transparent))
	inner := draw.NewCanvas(img, size.X, size.Y)
	l.draw(inner, p)
	c.DrawImage(c.Rectangle, img.Image())
}

// drawLegend writes the legend to the right of the plot, where it covers no data, and returns the room that is left.
func (p *Plot) drawLegend(g *plot.Plot, area draw.Canvas, entries []entry) draw.Canvas {
	l := plot.NewLegend()
	l.TextStyle.Color, l.TextStyle.Font = Ink, sans(11)
	l.ThumbnailWidth, l.Padding = 16, 5
	l.Top, l.Left = true, true
	l.YOffs = -24
	widest := vg.Length(0)
	for _, e := range entries {
		l.Add(e.label, e.thumb)
		widest = max(widest, l.TextStyle.Width(e.label))
	}
	room := widest + l.ThumbnailWidth + 26
	box := draw.Crop(area, area.Max.X-area.Min.X-room+8, 0, 0, 0)
	l.Draw(box)
	return draw.Crop(area, 0, -room, 0, 0)
}

func (p *Plot) entries() (out []entry) {
	for _, l := range p.layers {
		out = append(out, l.legend()...)
	}
	return out
}

func (p *Plot) describe() string {
	var parts []string
	for _, l := range p.layers {
		if w := l.words(); w != "" {
			parts = append(parts, w)
		}
	}
	s := strings.Join(parts, "; ")
	if p.title != "" {
		s = p.title + ": " + s
	}
	if p.x != "" || p.y != "" {
		s += fmt.Sprintf(" (%s against %s)", or(p.y, "y"), or(p.x, "x"))
	}
	return s
}

func or(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return s
}

// ticks are gonum's places with plain labels: 5 and not 5.00.
type ticks struct{}

func (ticks) Ticks(lo, hi float64) []plot.Tick {
	t := plot.DefaultTicks{}.Ticks(lo, hi)
	for i := range t {
		if t[i].Label != "" {
			t[i].Label = strconv.FormatFloat(t[i].Value, 'g', 4, 64)
		}
	}
	return t
}

// sans is the font that the layout measures text with; the SVG asks the page for its sans-serif and fits it to that width.
func sans(size float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: font.Length(size)}
}
