package plotting

import (
	"fmt"
	"image/color"
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// BarsLayer is a row of bars, each from 0 to its height.
type BarsLayer struct {
	edges   []float64 // len(heights)+1
	heights []float64
	errs    []float64
	col     color.Color
	label   string
	gap     float64
	err     error
}

// Histogram counts values in bins of equal width; bins 0 means the Freedman-Diaconis rule (1981), between 5 and 100. NaNs are not counted.
func Histogram(values []float64, bins int) *BarsLayer {
	l := &BarsLayer{col: Classes[0]}
	lo, hi := finiteRange(values)
	n := 0
	for _, v := range values {
		if !math.IsNaN(v) {
			n++
		}
	}
	switch {
	case n == 0:
		l.err = fmt.Errorf("Histogram: no values")
		return l
	case math.IsInf(lo, 0) || math.IsInf(hi, 0):
		l.err = fmt.Errorf("Histogram: a value is infinite")
		return l
	case bins < 0 || bins > 10000:
		l.err = fmt.Errorf("Histogram: bins = %d, want 0 to 10000", bins)
		return l
	}
	if lo == hi {
		lo, hi = padded(lo, hi, 0)
	}
	if bins == 0 {
		bins = freedmanDiaconis(values, n, lo, hi)
	}
	l.edges, l.heights = make([]float64, bins+1), make([]float64, bins)
	for i := range l.edges {
		l.edges[i] = lo + (hi-lo)*float64(i)/float64(bins)
	}
	for _, v := range values {
		if !math.IsNaN(v) {
			l.heights[min(int(float64(bins)*((v-lo)/(hi-lo))), bins-1)]++
		}
	}
	return l
}

// Bars draws one bar for each height, at 1, 2, …
func Bars(heights []float64) *BarsLayer {
	l := &BarsLayer{heights: heights, col: Classes[0], gap: 0.2}
	for i := range len(heights) + 1 {
		l.edges = append(l.edges, float64(i)+0.5)
	}
	if len(heights) == 0 {
		l.err = fmt.Errorf("Bars: no heights")
	}
	return l
}

// BarChart plots named bars.
func BarChart(names []string, heights []float64) *Plot {
	l := Bars(heights)
	if len(names) != len(heights) {
		l.err = fmt.Errorf("BarChart: %d names for %d heights", len(names), len(heights))
	}
	p := New(l)
	for i, name := range names {
		p.xticks = append(p.xticks, plot.Tick{Value: float64(i + 1), Label: name})
	}
	return p
}

// Errors draws a whisker of the given half-length on each bar.
func (l *BarsLayer) Errors(e []float64) *BarsLayer {
	if len(e) != len(l.heights) {
		l.err = fmt.Errorf("Errors: %d for %d bars", len(e), len(l.heights))
	}
	l.errs = e
	return l
}

// Color sets the bars' color.
func (l *BarsLayer) Color(c color.Color) *BarsLayer { l.col = c; return l }

// Label names the bars in the legend.
func (l *BarsLayer) Label(s string) *BarsLayer { l.label = s; return l }

func (l *BarsLayer) check() error {
	if l.err != nil {
		return l.err
	}
	for i, h := range l.heights {
		if math.IsNaN(h) || math.IsInf(h, 0) {
			return fmt.Errorf("Bars: height %d is %v", i, h)
		}
	}
	return nil
}

func (l *BarsLayer) extent() (xmin, xmax, ymin, ymax float64) {
	if len(l.heights) == 0 {
		return 0, 1, 0, 1
	}
	for i, h := range l.heights {
		e := 0.0
		if l.errs != nil {
			e = l.errs[i]
		}
		ymin, ymax = min(ymin, h-e), max(ymax, h+e)
	}
	return l.edges[0], l.edges[len(l.edges)-1], ymin, ymax
}
func (l *BarsLayer) marks() int { return len(l.heights) }
func (l *BarsLayer) words() string {
	_, _, _, hi := l.extent()
	return fmt.Sprintf("%d bars %sup to %.4g", len(l.heights), spaced(l.label), hi)
}

func (l *BarsLayer) legend() []entry {
	if l.label == "" {
		return nil
	}
	return []entry{{l.label, thumb{draw.GlyphStyle{Color: l.col, Radius: 4, Shape: draw.BoxGlyph{}}}}}
}

func (l *BarsLayer) draw(c draw.Canvas, p *plot.Plot) {
	tx, ty := p.Transforms(&c)
	for i, h := range l.heights {
		w := (l.edges[i+1] - l.edges[i]) * l.gap / 2
		x0, x1 := tx(l.edges[i]+w), tx(l.edges[i+1]-w)
		if l.gap == 0 && x1-x0 > 3 {
			x1 -= 0.7 // a hair between bars
		}
		c.FillPolygon(l.col, c.ClipPolygonXY([]vg.Point{{X: x0, Y: ty(0)}, {X: x1, Y: ty(0)}, {X: x1, Y: ty(h)}, {X: x0, Y: ty(h)}}))
		if l.errs != nil {
			mid := (x0 + x1) / 2
			s := draw.LineStyle{Color: Ink, Width: 1.3}
			c.StrokeLines(s, c.ClipLinesXY([]vg.Point{{X: mid, Y: ty(h - l.errs[i])}, {X: mid, Y: ty(h + l.errs[i])}})...)
		}
	}
}

func freedmanDiaconis(values []float64, n int, lo, hi float64) int {
	width := 2 * interquartile(values) / math.Cbrt(float64(n))
	if !(width > 0) {
		return 10
	}
	return int(min(max(math.Ceil((hi-lo)/width), 5), 100))
}
