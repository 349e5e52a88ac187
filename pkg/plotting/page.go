package plotting

import (
	"fmt"
	"image"
	"math"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/golatent/latent/pkg/ml"
)

const (
	defaultWidth, defaultHeight = 520, 360
	titleSize, textSize         = 14, 11
	legendRows                  = 16 // longer legends say how many entries they leave out
)

// page is a Plot whose ranges, axes and margins are settled: what remains is to draw it.
type page struct {
	p             *Plot
	hints         hints
	plot          *plot.Plot
	stack         *stack
	keys          []key
	more          int // keys left out of the legend
	bar           *colorScale
	width, height float64
	side          float64 // width of the legend
	margin        margins // between the page's edge and the frame
}

type margins struct{ left, right, top, bottom float64 }

// Render draws the figure as SVG. Layers of more than 3,000 marks are images within it.
func (p *Plot) Render() (r Rendering, err error) {
	defer guard(&err)
	g, err := p.page()
	if err != nil {
		return Rendering{}, err
	}
	return renderSVG(g, p.title)
}

// sheet is what can be drawn on a surface: a page, or a grid of them.
type sheet interface {
	size() (width, height float64)
	drawOn(s surface, rect vg.Rectangle) error
	describe() string
}

func renderSVG(g sheet, title string) (Rendering, error) {
	w, h := g.size()
	out := newSVG(h)
	if err := g.drawOn(out, rectangle(0, 0, w, h)); err != nil {
		return Rendering{}, err
	}
	alt := g.describe()
	if title == "" {
		title, _, _ = strings.Cut(alt, "; ")
		title, _, _ = strings.Cut(title, ". ")
	}
	return Rendering{
		MIME: "image/svg+xml", Data: out.document(w, title, alt), Alt: alt,
		Width: int(math.Round(w)), Height: int(math.Round(h)),
	}, nil
}

func renderPNG(g sheet) (Rendering, error) {
	w, h := g.size()
	rect := rectangle(0, 0, w, h)
	out := newPNG(rect)
	if err := g.drawOn(out, rect); err != nil {
		return Rendering{}, err
	}
	return Rendering{
		MIME: "image/png", Data: encodePNG(out.straight()), Alt: g.describe(),
		Width: int(math.Round(w)), Height: int(math.Round(h)),
	}, nil
}

// guard turns a panic of gonum's drawing code into an error: a figure never ends a program.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("plotting: the figure can't be drawn: %v", r)
	}
}

// prepared checks the layers and numbers those without a color of their own.
func (p *Plot) prepared() (*Plot, error) {
	if p == nil {
		return p, fmt.Errorf("plotting: the figure is nil: %w", ml.ErrEmpty)
	}
	if p.err != nil {
		return p, p.err
	}
	if len(p.layers) == 0 {
		return p, fmt.Errorf("plotting: the figure is empty: %w", ml.ErrEmpty)
	}
	p = p.Clone() // the layers' options are written to
	next := 0
	for i := range p.layers {
		l := &p.layers[i]
		if err := l.check(&l.options); err != nil {
			return p, err
		}
		l.order = next
		if takes(l, "Color") && l.color == nil && l.classes == nil && l.values == nil {
			next++
		}
	}
	return p, nil
}

// bounds is what the layers cover, before any space around it.
func (p *Plot) bounds() box {
	var b box
	for i := range p.layers {
		b.join(p.layers[i].bounds(&p.layers[i].options))
	}
	for i := range p.layers {
		// A line through the whole figure has no extent of its own, but should be seen.
		if l, ok := p.layers[i].layer.(*ruler); ok && b.filled && l.horizontal {
			b.include(b.x0, l.at)
		} else if ok && b.filled {
			b.include(l.at, b.y0)
		}
	}
	return b
}

func (p *Plot) page() (*page, error) {
	p, err := p.prepared()
	if err != nil {
		return nil, err
	}
	g := &page{p: p, stack: &stack{layers: p.layers}}
	g.gatherHints()
	g.gatherLegend()
	frame, err := g.frame()
	if err != nil {
		return nil, err
	}
	g.axes(frame)
	g.layout(frame)
	return g, nil
}

func (g *page) gatherHints() {
	h := &g.hints
	for i := range g.p.layers {
		l := g.p.layers[i].hints(&g.p.layers[i].options)
		h.xLabel, h.yLabel = either(h.xLabel, l.xLabel), either(h.yLabel, l.yLabel)
		h.equal, h.maybeEqual = h.equal || l.equal, h.maybeEqual || l.maybeEqual
		h.bare, h.noGrid, h.tight = h.bare || l.bare, h.noGrid || l.noGrid, h.tight || l.tight
		h.floor, h.left, h.flipY = h.floor || l.floor, h.left || l.left, h.flipY || l.flipY
		h.noX, h.noY = h.noX || l.noX, h.noY || l.noY
		h.w, h.h = either(h.w, l.w), either(h.h, l.h)
		if h.xTicks == nil {
			h.xTicks = l.xTicks
		}
		if h.yTicks == nil {
			h.yTicks = l.yTicks
		}
	}
	h.bare = h.bare || g.p.bare
	h.xLabel, h.yLabel = either(g.p.xLabel, h.xLabel), either(g.p.yLabel, h.yLabel)
}

func (g *page) gatherLegend() {
	if g.p.noLegend {
		return
	}
	seen := map[string]bool{}
	for i := range g.p.layers {
		l := &g.p.layers[i]
		for _, k := range l.keys(&l.options) {
			id := fmt.Sprint(k)
			if k.name == "" || seen[id] {
				continue
			}
			seen[id] = true
			if len(g.keys) == legendRows {
				g.more++
				continue
			}
			g.keys = append(g.keys, k)
		}
		if g.bar == nil {
			g.bar = l.scale(&l.options)
		}
	}
	widest := 0.0
	sty := style(textSize, text.XLeft, text.YCenter)
	for _, k := range g.keys {
		widest = max(widest, textWidth(sty, k.name)+26)
	}
	if g.bar != nil {
		for _, t := range niceTicks(g.bar.lo, g.bar.hi, 5) {
			widest = max(widest, textWidth(sty, t.Label)+20)
		}
		widest = max(widest, textWidth(sty, g.bar.name))
	}
	if widest > 0 {
		g.side = widest + 14
	}
}

// frame settles what of the plane is shown, before axes are made equal.
func (g *page) frame() (box, error) {
	p := g.p
	b := p.bounds()
	if p.shared != nil {
		b = *p.shared
	}
	if !b.filled {
		if p.xRange == nil || p.yRange == nil {
			return b, fmt.Errorf("plotting: no finite point says what to show: add points, or set XLim and YLim: %w", ml.ErrEmpty)
		}
		b = box{p.xRange[0], p.xRange[1], p.yRange[0], p.yRange[1], true}
	}
	pad := 0.04
	if g.hints.tight {
		pad = 0
	}
	var err error
	if b.x0, b.x1, err = stretch("LogX", b.x0, b.x1, pad, p.logX, g.hints.left, p.xRange); err != nil {
		return b, err
	}
	b.y0, b.y1, err = stretch("LogY", b.y0, b.y1, pad, p.logY, g.hints.floor, p.yRange)
	return b, err
}

// stretch gives an axis some space beyond the data.
func stretch(method string, lo, hi, pad float64, log, stand bool, set *[2]float64) (float64, float64, error) {
	if set != nil {
		lo, hi, pad = set[0], set[1], 0
	}
	if log {
		if lo <= 0 {
			return 0, 0, ml.BadParameter("plotting."+method, "the smallest value", lo, "a positive number on a logarithmic axis")
		}
		lo, hi = math.Log10(lo), math.Log10(hi)
	}
	if !finite(hi-lo) || math.Abs(lo) > 1e303 || math.Abs(hi) > 1e303 {
		return 0, 0, fmt.Errorf("plotting: values from %g to %g are too far apart for an axis: %w", lo, hi, ml.ErrParameter)
	}
	// A range too narrow for floating point to divide is one value.
	if hi-lo <= 1e-12*max(math.Abs(lo), math.Abs(hi), 1e-290) {
		half := max(math.Abs(lo)*.1, 1e-280)
		if lo == 0 || log {
			half = .5
		}
		lo, hi = lo-half, hi+half
		pad = 0
	}
	below := pad * (hi - lo)
	if stand {
		below = 0
	}
	lo, hi = lo-below, hi+pad*(hi-lo)
	if log {
		lo, hi = math.Pow(10, lo), math.Pow(10, hi)
	}
	return lo, hi, nil
}

// axes makes gonum's plot with our axes.
func (g *page) axes(frame box) {
	q := plot.New()
	g.plot = q
	q.BackgroundColor = nil
	q.X.Min, q.X.Max, q.Y.Min, q.Y.Max = frame.x0, frame.x1, frame.y0, frame.y1
	q.X.Label.Text, q.Y.Label.Text = g.hints.xLabel, g.hints.yLabel
	q.X.Label.TextStyle = style(12, text.XCenter, text.YBottom)
	q.Y.Label.TextStyle = style(12, text.XCenter, text.YBottom)
	q.X.Label.Padding, q.Y.Label.Padding = 4, 5
	q.X.Tick.Label = style(textSize, text.XCenter, text.YTop)
	q.Y.Tick.Label = style(textSize, text.XRight, text.YCenter)
	for _, a := range []*plot.Axis{&q.X, &q.Y} {
		a.Padding = 0
		a.LineStyle = draw.LineStyle{Color: ink{0x99}, Width: 1}
		a.Tick.LineStyle = a.LineStyle
		a.Tick.Length = 4
	}
	q.X.Scale, q.Y.Scale = scaleOf(g.p.logX), scaleOf(g.p.logY)
	if g.hints.flipY {
		q.Y.Scale = plot.InvertedScale{Normalizer: q.Y.Scale}
	}
	w, h := g.wanted()
	q.X.Tick.Marker = ticker(g.hints.xTicks, g.p.logX, int(w/80))
	q.Y.Tick.Marker = ticker(g.hints.yTicks, g.p.logY, int(h/50))
	if g.hints.xTicks != nil && g.crowded(w) {
		q.X.Tick.Label.Rotation = math.Pi / 2
		q.X.Tick.Label.XAlign, q.X.Tick.Label.YAlign = text.XRight, text.YCenter
	}
	if g.hints.noX || g.hints.bare {
		q.X.Tick.Marker, q.X.Tick.Length, q.X.Width = plot.ConstantTicks(nil), 0, 0
	}
	if g.hints.noY || g.hints.bare {
		q.Y.Tick.Marker, q.Y.Tick.Length, q.Y.Width = plot.ConstantTicks(nil), 0, 0
	}
	// Names need no ticks, but the space that ticks take.
	if g.hints.xTicks != nil {
		q.X.Tick.Color = ink{}
	}
	if g.hints.yTicks != nil {
		q.Y.Tick.Color = ink{}
	}
	if !g.hints.noGrid && !g.hints.bare {
		lines := plotter.NewGrid()
		lines.Horizontal = draw.LineStyle{Color: ink{0x22}, Width: 1}
		if g.hints.xTicks == nil {
			lines.Vertical = lines.Horizontal
		} else {
			lines.Vertical.Color = nil
		}
		if g.hints.yTicks != nil {
			lines.Horizontal.Color = nil
		}
		g.stack.grid = lines
	}
	q.Add(g.stack)
}

// crowded says whether names on the horizontal axis need to be turned.
func (g *page) crowded(w float64) bool {
	sty := style(textSize, text.XCenter, text.YTop)
	widest := 0.0
	for _, t := range g.hints.xTicks {
		widest = max(widest, textWidth(sty, t.Label)+6)
	}
	if g.hints.w > 0 {
		w = g.hints.w
	} else {
		w -= 60 + g.side
	}
	return widest*float64(len(g.hints.xTicks)) > w
}

func (g *page) wanted() (w, h float64) {
	return either(g.p.width, defaultWidth), either(g.p.height, defaultHeight)
}

// layout settles the page's size and margins, and makes axes equal.
func (g *page) layout(frame box) {
	g.width, g.height = g.wanted()
	natural := g.hints.w > 0 && g.p.width == 0
	g.measure()
	if natural {
		g.width = max(g.hints.w+g.margin.left+g.margin.right, g.titleWidth()+20)
		g.height = g.hints.h + g.margin.top + g.margin.bottom
		g.measure()
		return
	}
	if !g.equalAxes(frame) {
		return
	}
	// Twice, since longer tick labels narrow the frame.
	for range 2 {
		w, h := g.width-g.margin.left-g.margin.right, g.height-g.margin.top-g.margin.bottom
		if w <= 0 || h <= 0 {
			return
		}
		perPixel := max((frame.x1-frame.x0)/w, (frame.y1-frame.y0)/h)
		cx, cy := (frame.x0+frame.x1)/2, (frame.y0+frame.y1)/2
		g.plot.X.Min, g.plot.X.Max = cx-perPixel*w/2, cx+perPixel*w/2
		g.plot.Y.Min, g.plot.Y.Max = cy-perPixel*h/2, cy+perPixel*h/2
		g.measure()
	}
}

func (g *page) equalAxes(frame box) bool {
	if g.p.logX || g.p.logY {
		return false
	}
	if g.p.equal != nil {
		return *g.p.equal
	}
	if g.p.xRange != nil && g.p.yRange != nil {
		return false
	}
	ratio := (frame.x1 - frame.x0) / (frame.y1 - frame.y0)
	return g.hints.equal || g.hints.maybeEqual && ratio < 2.5 && ratio > .4
}

func (g *page) titleHeight() float64 {
	if g.p.title == "" {
		return 4
	}
	return titleSize*1.25*float64(1+strings.Count(g.p.title, "\n")) + 8
}

func (g *page) titleWidth() float64 {
	if g.p.title == "" {
		return 0
	}
	return textWidth(bold(style(titleSize, text.XCenter, text.YTop)), g.p.title)
}

// measure asks gonum how much space the axes take.
func (g *page) measure() {
	c := g.axesCanvas(nil, rectangle(0, 0, g.width, g.height), margins{right: g.side})
	d := g.plot.DataCanvas(c)
	g.margin = margins{float64(d.Min.X), g.width - float64(d.Max.X), g.height - float64(d.Max.Y), float64(d.Min.Y)}
}

// axesCanvas is the part of rect that gonum draws on: without title, legend and a little air.
func (g *page) axesCanvas(s surface, rect vg.Rectangle, extra margins) draw.Canvas {
	const air = 4
	rect.Min.X += vg.Length(air + extra.left)
	rect.Min.Y += vg.Length(air + extra.bottom)
	rect.Max.X -= vg.Length(air + extra.right)
	rect.Max.Y -= vg.Length(g.titleHeight() + extra.top)
	return draw.Canvas{Canvas: s, Rectangle: rect}
}

func (g *page) size() (float64, float64) { return g.width, g.height }

func (g *page) drawOn(s surface, rect vg.Rectangle) error {
	return g.drawWith(s, rect, margins{right: g.side})
}

// drawWith draws into rect and leaves extra space, by which a grid lines up the frames of its
// cells.
func (g *page) drawWith(s surface, rect vg.Rectangle, extra margins) error {
	c := g.axesCanvas(s, rect, extra)
	if size := g.plot.DataCanvas(c).Size(); size.X < 8 || size.Y < 8 {
		return fmt.Errorf("plotting: %g × %g pixels leave no room for the data beside labels and legend; set a larger Size: %w",
			g.width, g.height, ml.ErrParameter)
	}
	g.plot.Draw(c)
	if g.stack.err != nil {
		return g.stack.err
	}
	frame := g.stack.rect
	if g.p.title != "" {
		x := min(float64(frame.Min.X+frame.Max.X)/2, float64(rect.Max.X)-g.titleWidth()/2-4)
		x = max(x, float64(rect.Min.X)+g.titleWidth()/2+4)
		write(s, bold(style(titleSize, text.XCenter, text.YTop)), x, float64(rect.Max.Y)-4, g.p.title)
	}
	if g.side > 0 {
		drawLegend(s, g, float64(frame.Max.X)+14, float64(frame.Max.Y), float64(frame.Size().Y))
	}
	return nil
}

// drawLegend draws entries, then the color bar, from the top down.
func drawLegend(s surface, g *page, x, y, height float64) {
	sty := style(textSize, text.XLeft, text.YCenter)
	d := draw.Canvas{Canvas: s}
	const row = 17
	y -= row / 2
	for _, k := range g.keys {
		line := draw.LineStyle{Color: k.color, Width: 2, Dashes: k.dash}
		switch {
		case k.patch:
			s.SetColor(faded(k.color, k.opaque))
			s.Fill(rectangle(x, y-5, x+16, y+5).Path())
		case k.line:
			d.StrokeLine2(line, vg.Length(x), vg.Length(y), vg.Length(x+18), vg.Length(y))
		}
		if k.mark {
			s.marks([]mark{{at: point(x+8, y), shape: k.shape, r: 4, fill: k.color}}, true)
		}
		write(s, sty, x+24, y, k.name)
		y -= row
	}
	if g.more > 0 {
		write(s, sty, x+24, y, fmt.Sprintf("and %d more", g.more))
		y -= row
	}
	if g.bar != nil {
		top := y + row/2
		if g.bar.name != "" {
			write(s, sty, x, y, g.bar.name)
			top = y - row/2 - 2
		}
		used := float64(len(g.keys))*row + row
		drawBar(s, g.bar, x, top, min(max(height-used, 60), 200))
	}
}

func drawBar(s surface, c *colorScale, x, top, height float64) {
	img := image.NewNRGBA(image.Rect(0, 0, 1, 64))
	for i := range 64 {
		img.SetNRGBA(0, i, c.colors(1-(float64(i)+.5)/64))
	}
	s.picture(rectangle(x, top-height, x+12, top), img, false)
	sty := style(textSize, text.XLeft, text.YCenter)
	if c.hi <= c.lo {
		write(s, sty, x+17, top-height/2, figures(c.lo))
		return
	}
	for _, t := range niceTicks(c.lo, c.hi, max(2, int(height/36))) {
		write(s, sty, x+17, top-height*(c.hi-t.Value)/(c.hi-c.lo), t.Label)
	}
}

// describe is the alternative text.
func (g *page) describe() string {
	if g.p.alt != "" {
		return g.p.alt
	}
	var clauses []string
	for i := range g.p.layers {
		if s := g.p.layers[i].describe(&g.p.layers[i].options); s != "" {
			clauses = append(clauses, s)
		}
	}
	if len(clauses) > 6 {
		clauses = append(clauses[:5], fmt.Sprintf("%d more marks", len(clauses)-5))
	}
	out := strings.Join(clauses, "; ")
	if g.p.title != "" {
		out = g.p.title + ": " + out
	}
	if g.hints.bare {
		return out + "."
	}
	axis := func(label, otherwise string, a plot.Axis, named []plot.Tick, none, log bool) string {
		label = either(label, otherwise)
		switch {
		case none:
			return ""
		case named != nil:
			return fmt.Sprintf("%s with %s", label, count(len(named), "name", "names"))
		default:
			from, to := ends(a.Min, a.Max)
			if log {
				from, to = significant(a.Min), significant(a.Max)
			}
			return fmt.Sprintf("%s from %s to %s", label, from, to)
		}
	}
	x := axis(g.hints.xLabel, "horizontal axis", g.plot.X, g.hints.xTicks, g.hints.noX, g.p.logX)
	y := axis(g.hints.yLabel, "vertical axis", g.plot.Y, g.hints.yTicks, g.hints.noY, g.p.logY)
	switch {
	case x == "" && y == "":
		return out + "."
	case x == "" || y == "":
		return out + ". Axes: " + x + y + "."
	}
	return out + ". Axes: " + x + ", " + y + "."
}

// scaleOf is gonum's scale; its logarithm panics where ours gives NaN, which is then not drawn.
func scaleOf(log bool) plot.Normalizer {
	if log {
		return logScale{}
	}
	return plot.LinearScale{}
}

type logScale struct{}

func (logScale) Normalize(lo, hi, x float64) float64 {
	if x <= 0 {
		return math.NaN()
	}
	return math.Log(x/lo) / math.Log(hi/lo)
}

func ticker(named []plot.Tick, log bool, n int) plot.Ticker {
	n = min(max(n, 2), 12)
	switch {
	case named != nil:
		return plot.ConstantTicks(named)
	case log:
		return plot.TickerFunc(func(lo, hi float64) []plot.Tick { return logTicks(lo, hi, n) })
	default:
		return plot.TickerFunc(func(lo, hi float64) []plot.Tick { return niceTicks(lo, hi, n) })
	}
}

// niceTicks are about n multiples of 1, 2 or 5 times a power of ten. gonum's own choose few, and
// some numbers of many digits.
func niceTicks(lo, hi float64, n int) []plot.Tick {
	if !(hi > lo) || !finite(hi-lo) || n < 1 {
		return nil
	}
	raw := (hi - lo) / float64(n)
	power := math.Floor(math.Log10(raw))
	step := math.Pow(10, power)
	switch f := raw / step; {
	case f > 7:
		step, power = 10*step, power+1
	case f > 3.5:
		step *= 5
	case f > 1.5:
		step *= 2
	}
	if step <= 0 || !finite(step) {
		return nil
	}
	var out []plot.Tick
	slack := 1e-9 * step
	for i := math.Ceil((lo - slack) / step); i*step <= hi+slack && len(out) < 4*n+4; i++ {
		out = append(out, plot.Tick{Value: i * step, Label: tickLabel(i*step, int(power))})
	}
	return out
}

// tickLabel writes v, a multiple of 10^power, without digits that mean nothing.
func tickLabel(v float64, power int) string {
	if math.Abs(v) < math.Pow(10, float64(power))/2 {
		return "0"
	}
	s := ""
	if largest := math.Floor(math.Log10(math.Abs(v)) + 1e-9); largest >= 6 || power < -4 {
		digits := max(0, int(largest)-power)
		s = strconv.FormatFloat(v, 'e', min(digits, 12), 64)
		mantissa, exponent, _ := strings.Cut(s, "e")
		e, _ := strconv.Atoi(exponent)
		if strings.Contains(mantissa, ".") {
			mantissa = strings.TrimRight(strings.TrimRight(mantissa, "0"), ".")
		}
		s = mantissa + "e" + strconv.Itoa(e)
	} else {
		s = strconv.FormatFloat(v, 'f', max(0, -power), 64)
	}
	return strings.ReplaceAll(s, "-", "−")
}

// logTicks are powers of ten, with some of their multiples where the axis has few, or niceTicks
// where it has none.
func logTicks(lo, hi float64, n int) []plot.Tick {
	first, last := math.Ceil(math.Log10(lo)-1e-9), math.Floor(math.Log10(hi)+1e-9)
	if last-first < 1 {
		return niceTicks(lo, hi, n)
	}
	skip := math.Ceil((last - first + 1) / float64(n))
	var out []plot.Tick
	for e := first; e <= last; e++ {
		v := math.Pow(10, e)
		label := ""
		if math.Mod(e-first, skip) == 0 {
			label = tickLabel(v, int(e))
		}
		out = append(out, plot.Tick{Value: v, Label: label})
		for k := 2.0; k < 10 && skip == 1; k++ {
			if v*k <= hi {
				out = append(out, plot.Tick{Value: v * k})
			}
		}
	}
	return out
}
